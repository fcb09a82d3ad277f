"""Definitions of published indices, what was published of them, and points that a unit gives itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.declaration import Code, Declared, IndexNode, Labels, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, gathered, nearest, raise_any
from evalkit.files import read_grid
from evalkit.study import Study, check_nodes
from evalkit.textfiles import read_table, read_toml

DATA = Path(__file__).resolve().parent.parent / "data"
AREA_YEAR = ("area", "year")
PUBLISHED_COLUMNS = ("definition", "area", "year", "node", "value", "decimals", "source")
SELF_COLUMNS = ("unit", "year", "criterion", "self_points", "evidence")
POINTS = ("self_points", "appraised_points")
SELF_OPTIONAL = ("appraised_points", "reason")
EVIDENCE = {"1": True, "x": True, "có": True, "yes": True, "0": False, "": False, "không": False, "no": False}
ALIKE = 0.85  # share of equal letters from which two names are held to be one name spelled in two ways


class Break(Declared):
    """`[[series_break]]`: values from `year` on may not be compared with earlier ones, and why."""

    year: int
    reason: Labels


class About(Declared):
    """`[index]`: what is measured, where the definition stands, for which years, and how sure it is.

    status: `found` in a public source, `verified` by recomputing published values, or `unverified`: an example to
    check before use. composite: the node that is the index. scope: the whole province or country, or one commune.
    """

    code: Code
    label: Labels
    source: Labels
    status: Literal["found", "verified", "unverified"]
    scope: Literal["national", "province", "commune"]
    composite: Code
    first_year: int
    last_year: int | None = None
    note: Labels | None = None


class Definition(Declared):
    """All of one `data/indices/<code>.toml`."""

    index: About
    series_break: Annotated[tuple[Break, ...], Field(strict=False)] = ()
    node: Annotated[tuple[IndexNode, ...], Field(min_length=1, strict=False)]

    @property
    def graded(self) -> set[str]:
        """The nodes that are grades, not numbers."""
        return {node.code for node in self.node if node.aggregate == "bands"}

    def covers(self, years: pd.Series) -> pd.Series:
        """Which years the definition holds for."""
        return years.between(self.index.first_year, np.inf if self.index.last_year is None else self.index.last_year)

    def labels(self) -> dict[str, Labels]:
        """The label of each node, with what must be said beside every one of its numbers."""
        return {node.code: _noted(node) for node in self.node}


class Published(Declared):
    """`[[published]]` of context.toml: one family of published series, and which of its areas and nodes to show."""

    family: Code
    areas: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    nodes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class SelfScored(Declared):
    """`[[self_scored]]` of context.toml: a set of criteria and the file in which units gave themselves points."""

    definition: Code
    file: str


class ContextDeclaration(Declared):
    """All of context.toml."""

    published: Annotated[tuple[Published, ...], Field(strict=False)] = ()
    self_scored: Annotated[tuple[SelfScored, ...], Field(strict=False)] = ()


@dataclass(frozen=True)
class Family:
    """A family of series: the definitions in the order of their years, and what was published.

    published: `definition, area, year, node, value, decimals, source`, one row a value, see `read_published`.
    """

    code: str
    definitions: tuple[Definition, ...]
    published: pd.DataFrame

    def breaks(self, first: int, last: int) -> list[Break]:
        """The breaks that a comparison of two years would cross, each year once."""
        first, last = sorted((first, last))
        found = {b.year: b for definition in self.definitions for b in definition.series_break}
        return [found[year] for year in sorted(found) if first < year <= last]

    def table(self, definition: Definition) -> pd.DataFrame:
        """What was published by a definition: one row an `area` and `year`, one column a node or item."""
        rows = self.published[self.published["definition"] == definition.index.code]
        return rows.pivot(index=list(AREA_YEAR), columns="node", values="value").reset_index()


@dataclass(frozen=True)
class Context:
    """What stands in a study beside its own surveys: published series and points that units gave themselves.

    points: by definition, see `read_points`.
    """

    families: tuple[tuple[Published, Family], ...] = ()
    points: tuple[tuple[Definition, pd.DataFrame], ...] = ()


def read_definition(path: str | Path, name: str = "") -> Definition:
    """One definition, checked; `path` a file, or the name of a definition that comes with evalkit.

    name: how errors call the file, if not by its own name. Raises DataError with all problems: keys, children,
    cycles, parts counted twice, weights and maxima that do not sum, bands, years.

        definition = read_definition("pci")
    """
    path = Path(path)
    path = path if path.suffix else DATA / "indices" / f"{path}.toml"
    name = name or path.name
    definition = parse(read_toml(path, name), name, Definition)
    raise_any(_check_definition(definition, name))
    return definition


def read_published(path: Path, name: str, definitions: Sequence[Definition]) -> pd.DataFrame:
    """Published values: `definition, area, year, node, value, decimals, source`, and the `line` of each.

    node: a node of the definition, or an item that a node is made of. value is a number (NaN where none was
    published), `decimals` with how many it was published, so that «81» is not taken for 81.00. Raises DataError with
    every unknown definition or node, year outside the definition's validity, number that is none, value given twice,
    and area spelled in two ways.
    """
    known = {definition.index.code: definition for definition in definitions}
    rows = read_table(path, name, PUBLISHED_COLUMNS)
    problems: list[Problem] = []
    for row in rows:

        def problem(key: str, column: str, line: int = row["line"], **values: Any) -> None:
            problems.append(Problem(name, key, values, line, column))

        definition = known.get(row["definition"])
        row["year"] = _year(row["year"], definition, partial(problem, column="year"))
        row["decimals"] = _whole(row["decimals"], partial(problem, "published_number", "decimals"))
        row["value"] = _number(row["value"], partial(problem, "published_number", "value"))
        if definition is None:
            problem("published_definition", "definition", found=row["definition"], expected=", ".join(known))
            continue
        items = (item for node in definition.node for item in (*node.items, *node.of, *node.less))
        codes = [*definition.labels(), *items]
        if row["node"] not in codes:
            problem("published_node", "node", found=row["node"], expected=nearest(row["node"], codes))
    frame = pd.DataFrame(rows, columns=[*PUBLISHED_COLUMNS, "line"])
    problems += check_areas(frame, name)
    problems += _twice(frame, ["definition", "area", "year", "node"], name)
    raise_any(sorted(problems, key=lambda found: found.line or 0))
    return frame.astype({"value": float, "year": int, "decimals": int})


def check_areas(published: pd.DataFrame, name: str) -> list[Problem]:
    """Areas that seem to be one area spelled in two ways: names alike that never occur in the same year.

    published: `area, year, line`. Nothing is joined: the more frequent spelling is proposed.
    """
    years, lines = published.groupby("area")["year"].agg(set), published.groupby("area")["line"].min()
    problems = []
    names = list(published["area"].value_counts().index)
    for at, other in enumerate(names):
        for area in names[:at]:
            one, two = (_bare(words) for words in (area, other))
            apart = not years[area] & years[other]
            if one == two or (apart and SequenceMatcher(None, one, two).ratio() >= ALIKE):
                values = {"found": other, "expected": area}
                problems.append(Problem(name, "published_area_spelling", values, int(lines[other]), "area"))
                break
    return problems


def read_family(code: str, folder: Path | None = None, *, asked: Problem | None = None) -> Family:
    """A family of series: `published/<code>.csv` and the definitions it names.

    They are looked for in the study folder given, then among those that come with evalkit. asked: the place of the
    user's file that asks for the family, to name where there is none. Raises DataError.
    """
    name = f"published/{code}.csv"
    path = _find("published", code, folder, asked or Problem(name, "context_unknown"))
    lines = {row["definition"]: row["line"] for row in reversed(read_table(path, name, PUBLISHED_COLUMNS))}
    definitions: list[Definition] = []
    problems: list[Problem] = []
    for found, line in reversed(lines.items()):
        with gathered(problems):
            definitions.append(_definition(found, folder, Problem(name, "context_unknown", {}, line, "definition")))
    raise_any(problems)
    return Family(code, tuple(definitions), read_published(path, name, definitions))


def series(family: Family, *, node: str, area: str) -> pd.DataFrame:
    """One area's values of one node over the years: `year, value, decimals, definition, segment, source`.

    Values of two segments may not be compared: a break lies between them. Years without a value have no row.
    """
    rows = family.published[(family.published["area"] == area) & (family.published["node"] == node)]
    found = rows.sort_values("year", ignore_index=True)
    first = int(found["year"].min()) if len(found) else 0
    found["segment"] = [len(family.breaks(first, year)) for year in found["year"]]
    return found[["year", "value", "decimals", "definition", "segment", "source"]]


def published_change(family: Family, *, node: str, area: str, first: int, last: int) -> float:
    """The difference of two published values, in their own unit: of percentages percentage points.

    Raises DataError where a break in the series lies between the years, with its reason, or a value is missing.
    """
    name = f"published/{family.code}.csv"
    years = {"first": first, "last": last}
    raise_any(
        Problem(name, "published_series_broken", years | {"year": b.year, "reason": b.reason.model_dump()})
        for b in family.breaks(first, last)
    )
    values = series(family, node=node, area=area).set_index("year")["value"]
    raise_any(
        Problem(name, "published_value_missing", {"found": year, "area": area, "node": node})
        for year in (first, last)
        if year not in values or np.isnan(values[year])
    )
    return float(values[last] - values[first])


def read_points(path: Path, name: str, definition: Definition, study: Study) -> pd.DataFrame:
    """Points that units gave themselves, beside those appraised, one row a criterion, unit and year.

    The file, csv or a workbook, has the columns `unit, year, criterion, self_points, evidence` and may have
    `appraised_points, reason`. A unit is known by its code or any of its names. Every criterion gets a row.

    Returns `unit, year, criterion, maximum, bonus, self_points, appraised_points, difference, evidence, reason,
    status`; status is `scored`, `no_evidence` (listed, not scored) or `not_given`. Raises DataError with all
    problems: unknown units and criteria, points below 0 or above the maximum, a criterion twice, a difference
    between self-scored and appraised points without reason.
    """
    criteria = {node.code: node for node in definition.node if node.aggregate == "points"}
    if not criteria:
        raise DataError([Problem(name, "points_definition", {"found": definition.index.code})])
    spellings = {fold(words): unit.code for unit in study.declared.units for words in unit.spellings}
    problems: list[Problem] = []
    rows = []
    for row in _point_rows(path, name):

        def problem(key: str, column: str, line: int = row["line"], **values: Any) -> None:
            problems.append(Problem(name, key, values, line, column))

        unit = spellings.get(fold(row["unit"]))
        if unit is None:
            problem("unit_code_unknown", "unit", found=row["unit"], expected=nearest(row["unit"], spellings))
        if row["criterion"] not in criteria:
            expected = nearest(row["criterion"], criteria)
            problem("points_criterion_unknown", "criterion", found=row["criterion"], expected=expected)
            continue
        node = criteria[row["criterion"]]
        year = _year(row["year"], definition, partial(problem, column="year"))
        points = {}
        for column in POINTS:
            points[column] = _number(row[column], partial(problem, "published_number", column))
            if not np.isnan(points[column]) and not 0 <= points[column] <= (node.maximum or np.inf):
                problem("points_outside", column, found=row[column], expected=f"{node.maximum:g}")
        evidence = EVIDENCE.get(fold(row["evidence"]))
        if evidence is None:
            problem("points_evidence", "evidence", found=row["evidence"], expected="có, không; yes, no; 1, 0")
        difference = points["appraised_points"] - points["self_points"]
        if difference and not np.isnan(difference) and not row["reason"]:
            problem("points_reason_missing", "reason", found=row["criterion"])
        rows.append({"unit": unit, "year": year, "criterion": node.code, **points, "difference": difference,
                     "evidence": bool(evidence), "reason": row["reason"], "line": row["line"]})  # fmt: skip
    key = ["unit", "year", "criterion"]
    frame = pd.DataFrame(rows, columns=[*key, *POINTS, "difference", "evidence", "reason", "line"])
    problems += _twice(frame, key, name)
    raise_any(sorted(problems, key=lambda found: found.line or 0))
    declared = [(code, node.maximum, node.bonus, node.evidence) for code, node in criteria.items()]
    every = pd.DataFrame(declared, columns=["criterion", "maximum", "bonus", "proof"])
    every = frame[key[:2]].drop_duplicates().merge(every, how="cross")
    found = every.merge(frame.drop(columns="line"), how="left", on=key)
    found["evidence"], found["reason"] = found["evidence"].eq(True), found["reason"].fillna("")
    without = found["proof"] & ~found["evidence"]
    found["status"] = np.select([found["self_points"].isna(), without], ["not_given", "no_evidence"], "scored")
    return found.drop(columns="proof")


def total_points(points: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Totals of a unit's scored criteria.

    points: of `read_points`. Returns `unit, year, criteria, scored, maximum, self_points, appraised_points, band`;
    maximum is that of the criteria scored, without bonus. band: the code of the grade by the appraised points, ""
    where a criterion scored was not appraised, or one without bonus is not scored: such a total is not of the set.
    """
    grades = next((node.bands for node in definition.node if node.aggregate == "bands"), ())
    edges = sorted(((-np.inf if b.at_least is None else b.at_least), b.code) for b in grades)
    rows = []
    for (unit, year), part in points.groupby(["unit", "year"], sort=False):
        scored = part[part["status"] == "scored"]
        own = scored["self_points"].sum() if len(scored) else np.nan
        appraised = scored["appraised_points"].sum(skipna=False) if len(scored) else np.nan
        whole = (part.loc[~part["bonus"], "status"] == "scored").all() and not np.isnan(appraised)
        band = [code for least, code in edges if least <= appraised][-1] if whole and edges else ""
        maximum = scored.loc[~scored["bonus"], "maximum"].sum()
        rows.append((unit, year, len(part), len(scored), maximum, own, appraised, band))
    names = ["unit", "year", "criteria", "scored", "maximum", "self_points", "appraised_points", "band"]
    return pd.DataFrame(rows, columns=names)


def read_context(study: Study) -> Context | None:
    """What context.toml of a study folder asks for; None where there is no such file.

    Raises DataError with the problems of context.toml and of all files that it names.
    """
    path = study.folder / "context.toml"
    if not path.exists():
        return None
    declared = parse(read_toml(path, "context.toml"), "context.toml", ContextDeclaration)
    problems: list[Problem] = []
    families, points = [], []
    asked = {"published.family": [one.family for one in declared.published]}
    asked |= {"self_scored.definition": [one.definition for one in declared.self_scored]}
    for place, codes in asked.items():
        repeated = sorted({code for code in codes if codes.count(code) > 1})
        problems += [Problem("context.toml", "code_repeated", {"found": code}, column=place) for code in repeated]
    for position, wanted in enumerate(declared.published, start=1):
        wants = Problem("context.toml", "context_unknown", column=f"published[{position}].family")
        try:
            family = read_family(wanted.family, study.folder, asked=wants)
        except DataError as error:
            problems += error.problems
            continue
        problems += _check_wanted(wanted, family, f"published[{position}]")
        families.append((wanted, family))
    for position, given in enumerate(declared.self_scored, start=1):
        if study.outside(given.file):
            place = f"self_scored[{position}].file"
            problems.append(Problem("context.toml", "path_outside", {"found": given.file}, column=place))
            continue
        wants = Problem("context.toml", "context_unknown", column=f"self_scored[{position}].definition")
        with gathered(problems):
            definition = _definition(given.definition, study.folder, wants)
            points.append((definition, read_points(study.folder / given.file, given.file, definition, study)))
    raise_any(problems)
    return Context(tuple(families), tuple(points))


def _point_rows(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a file of points, each a dict of its cells as text and its `line`."""
    cells = read_grid(path, name).cells.astype(str).map(normal_form)
    cells = cells.loc[(cells != "").any(axis=1), (cells != "").any()]
    titles, line, known = list(cells.iloc[0].str.lower()), cells.index[0], [*SELF_COLUMNS, *SELF_OPTIONAL]
    wrong = [("column_missing", title) for title in SELF_COLUMNS if title not in titles]
    wrong += [("column_unknown", title) for title in titles if title not in known]
    wrong += [("column_twice", title) for title in known if titles.count(title) > 1]
    expected = ", ".join(known)
    raise_any(Problem(name, key, {"found": title, "expected": expected}, line) for key, title in wrong)
    rows = cells.iloc[1:].set_axis(titles, axis=1).reindex(columns=known, fill_value="")
    return rows.reset_index(names="line").to_dict("records")


def _twice(frame: pd.DataFrame, key: list[str], name: str) -> list[Problem]:
    """Rows that give a value again; `key`: the columns that tell values apart."""
    again = frame[frame.duplicated(key) & frame[key].notna().all(axis=1)]
    return [
        Problem(name, "published_twice", {"found": ", ".join(map(str, place))}, line)
        for *place, line in again.astype({"year": int})[[*key[-3:], "line"]].itertuples(index=False)
    ]


def _check_wanted(wanted: Published, family: Family, place: str) -> list[Problem]:
    problems = []
    labelled = {code for definition in family.definitions for code in definition.labels()}
    for key, column in (("areas", "area"), ("nodes", "node")):
        known = [found for found in family.published[column].unique() if key == "areas" or found in labelled]
        problems += [
            Problem("context.toml", "context_not_published", {"found": found, "expected": nearest(found, known)},
                    column=f"{place}.{key}")
            for found in getattr(wanted, key)
            if found not in known
        ]  # fmt: skip
    return problems


def _check_definition(definition: Definition, name: str) -> list[Problem]:
    problems = check_nodes(definition.node, name)
    about, known = definition.index, definition.labels()
    if about.composite not in known:
        values = {"found": about.composite, "expected": nearest(about.composite, known)}
        problems.append(Problem(name, "definition_composite", values, column="index.composite"))
    if about.last_year is not None and about.last_year < about.first_year:
        years = {"first": about.first_year, "last": about.last_year}
        problems.append(Problem(name, "definition_years", years, column="index.last_year"))
    nodes = {node.code: node for node in definition.node}
    for node in definition.node:

        def problem(key: str, code: str = node.code, **values: Any) -> None:
            problems.append(Problem(name, key, values, column=f"node {code}"))

        if (node.aggregate == "pooled") != bool(node.of):
            problem("definition_of_wanted")
        if node.aggregate == "points" and node.maximum is None:
            problem("definition_maximum_wanted")
        if node.aggregate in ("minmax", "bands", "value") and len(node.parts) != 1:
            problem("definition_one_part", found=len(node.parts), aggregate=node.aggregate)
        if node.low is not None and node.high is not None and node.low >= node.high:
            problem("definition_low_high", found=f"{node.low:g}", expected=f"{node.high:g}")
        if node.aggregate == "sum" and node.maximum is not None:
            maxima = [nodes[c].maximum for c in node.children if c in nodes and not nodes[c].bonus]
            total = sum(m or 0 for m in maxima)
            if abs(total - node.maximum) > 1e-9:
                problem("definition_maxima_sum", found=f"{total:g}", expected=f"{node.maximum:g}")
        edges = [band.at_least for band in node.bands]
        codes = [band.code for band in node.bands]
        wrong = len(set(edges)) != len(edges) or len(set(codes)) != len(codes) or edges.count(None) != 1
        if (node.aggregate == "bands" and wrong) or (node.bands and node.aggregate != "bands"):
            problem("definition_bands")
    return problems


def _definition(code: str, folder: Path | None, asked: Problem) -> Definition:
    return read_definition(_find("indices", code, folder, asked), f"indices/{code}.toml")


def _find(kind: str, code: str, folder: Path | None, asked: Problem) -> Path:
    """A file of the study folder, or else the one of that name that comes with evalkit; `asked`: who wants it."""
    places = [place / kind for place in (DATA, folder) if place]
    known = {path.stem: path for place in places for path in sorted(place.glob("*.*"))}
    if code not in known:
        values = {"found": code, "folder": kind, "expected": nearest(code, known)}
        raise DataError([replace(asked, values=values)])
    return known[code]


def _noted(node: IndexNode) -> Labels:
    label, note = node.label, node.note
    return Labels(vi=f"{label.vi} ({note.vi})", en=f"{label.en} ({note.en})") if note else label


def _bare(area: str) -> str:
    """The name of an area without the kind of unit that may stand before it."""
    return re.sub(r"^(tỉnh|thành phố|tp\.?) ?(?=\w)", "", fold(area))


def _whole(text: str, wrong: Callable[..., None]) -> int | None:
    if text.isdecimal():
        return int(text)
    wrong(found=text)
    return None


def _year(text: str, definition: Definition | None, wrong: Callable[..., None]) -> int | None:
    """A year, in which the definition must hold where it is known."""
    year = _whole(text, partial(wrong, "published_year"))
    if definition and year is not None and not definition.covers(pd.Series([year])).item():
        about = definition.index
        wrong("published_year_outside", found=year, expected=f"{about.first_year}–{about.last_year or '…'}")
    return year


def _number(text: str, wrong: Callable[..., None]) -> float:
    """A number with decimal comma or point; nothing is a missing one."""
    value = float(pd.to_numeric(text.replace(",", "."), errors="coerce")) if text else np.nan
    if text and not np.isfinite(value):
        wrong(found=text)
        return np.nan
    return value
