"""What a study folder declares: study.toml, index.toml, codebook and corrections, checked together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.codebook import DESIGN_COLUMNS, Codebook, read_codebook
from evalkit.communes import check_units
from evalkit.contents import CORRECTION_ACTIONS, CORRECTION_COLUMNS, Contents, text_contents
from evalkit.declaration import Declaration, Node, Plan, Tree, TreeNode, Unit, Wave, parse
from evalkit.encodings import fold
from evalkit.errors import DataError, Problem, gathered, nearest, raise_any
from evalkit.language import Language
from evalkit.rules import check_rules

ANSWERS = "/answers"  # beside a pooled percentage stands, under this ending, how many answers it is of
GROUPS = ("all", "pilot", "comparison")
PERIODS = ("before", "after")
SCORED = ("low_scores", "high_scores")  # pilots picked for their scores move towards the mean by themselves
BOOK = "study.xlsx"

Index = Mapping[str, Node]


@dataclass(frozen=True)
class Design:
    """What a comparison needs to know of the design.

    `arms`: unit → `pilot`, `comparison` or None. `periods`: wave → `before` or `after`.
    `units_are_clusters`: whether each unit is one cluster. `clusters`: unit → how many clusters it has, where
    declared. The others as in `declaration.Roles`.
    """

    arms: Mapping[str, str | None]
    periods: Mapping[str, str]
    units_are_clusters: bool = False
    clusters: Mapping[str, int] = field(default_factory=dict)
    whole_clusters: bool = False
    single_cluster: Literal["center", "certainty"] | None = None
    composition: tuple[str, ...] = ()
    followed: bool = False
    pilot_units_chosen: str | None = None

    @property
    def has_comparison(self) -> bool:
        """Whether pilots stand beside two or more comparison units."""
        arms = list(self.arms.values())
        return "pilot" in arms and arms.count("comparison") > 1

    @property
    def picked(self) -> bool:
        """Whether the pilots were picked for their scores."""
        return self.pilot_units_chosen in SCORED

    @property
    def randomised(self) -> bool:
        """Whether two or more pilots were drawn by lot."""
        return self.pilot_units_chosen == "randomised" and list(self.arms.values()).count("pilot") > 1

    @property
    def compared(self) -> bool:
        """Whether the pilots may be set against the comparison units."""
        return self.has_comparison and not self.picked


@dataclass(frozen=True)
class Study:
    """A study folder, read and checked. `only`: the one unit that is looked at, or empty for all."""

    folder: Path
    declared: Declaration
    codebook: Codebook
    index: Index
    corrections: pd.DataFrame
    allow_outside: bool = False
    notices: tuple[Problem, ...] = ()
    locate: Callable[[Problem], Problem] = field(default=lambda problem: problem, compare=False)
    only: str = ""

    @property
    def plan(self) -> Plan:
        """The analysis plan."""
        return self.declared.plan

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units that are looked at."""
        return tuple(unit for unit in self.declared.units if self.only in ("", unit.code))

    @property
    def design(self) -> Design:
        """Arms, periods and clustering; one unit alone is in no arm."""
        roles = self.declared.design
        return Design(
            arms={unit.code: None if self.only else unit.arm for unit in self.units},
            periods={wave.code: wave.period for wave in self.declared.waves},
            units_are_clusters=roles.cluster == roles.unit,
            clusters={unit.code: unit.clusters for unit in self.units if unit.clusters},
            whole_clusters=roles.whole_clusters,
            single_cluster=roles.single_cluster,
            composition=roles.composition,
            followed=roles.followed,
            pilot_units_chosen=roles.pilot_units_chosen,
        )

    @property
    def language(self) -> Language:
        """The language of the report."""
        return self.declared.study.language

    def raw_path(self, wave: Wave) -> Path:
        """Where a wave's raw file lies."""
        return self.folder / wave.file

    def wave(self, code: str) -> Wave:
        """A wave by its code."""
        return next(wave for wave in self.declared.waves if wave.code == code)

    def outside(self, file: str) -> bool:
        """Whether a file lies outside the study folder although that is not allowed."""
        return not self.allow_outside and _is_outside(self.folder, file)

    def unit_label(self, code: str, language: Language, *, on: date | None = None) -> str:
        """A unit's name on a day, without one at the start of the first wave."""
        unit = next(unit for unit in self.declared.units if unit.code == code)
        return _name_on(unit, on or self.declared.waves[0].field_start)[language]


def open_study(folder: str | Path, *, allow_outside: bool = False, only: str = "") -> Study:
    """Read and check what a study folder declares; the raw files are not opened yet.

    only: the code of one unit, to look at nothing else. Raises DataError with every problem found in study.toml,
    codebook.csv, scales.csv, index.toml and corrections.csv, and for an unknown unit. Raw files outside the folder
    are refused unless `allow_outside`.

        study = ek.open_study("data/nga-bay")
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError([Problem(str(folder), "folder_missing")])
    book = folder / BOOK
    if book.exists() and (folder / "study.toml").exists():
        raise DataError([Problem(BOOK, "two_studies")])
    contents = _book_contents(book) if book.exists() else text_contents(folder)
    problems = list(contents.problems)
    declared = _collect(problems, contents.study, lambda content: parse(content, "study.toml", Declaration))
    codebook, found = read_codebook(contents.codebook, contents.scales)
    problems += found
    tree = _collect(problems, contents.index, lambda content: parse(content, "index.toml", Tree))
    corrections = _collect(problems, contents.corrections, _check_corrections)
    notices = list(contents.notices)
    if declared is not None:
        problems += _check_declaration(declared, folder, allow_outside)
        joined, found = check_units(declared.units, declared.waves)
        problems += joined
        notices += found
    problems += check_rules(codebook, apart=(declared.design.weight or "",) if declared else ())
    if declared is not None and codebook:
        problems += _check_roles(declared, codebook)
    if tree is not None and codebook:
        problems += _check_tree(tree.node, codebook)
    if tree is not None and declared is not None:
        codes = {node.code for node in tree.node}
        problems += _check_plan(declared.plan, codes)
        problems += [
            Problem("index.toml", "name_reserved", {"found": name}, column=f"node {name}")
            for name in sorted(codes & set(declared.design.composition))
        ]
    raise_any(map(contents.locate, problems))
    notices += [
        Problem("study.toml", "period_missing", {"found": period}, column="waves")
        for period in PERIODS
        if not any(wave.period == period for wave in declared.waves)
    ]
    assert declared and codebook and tree and corrections is not None
    index = {node.code: node for node in tree.node}
    placed = tuple(map(contents.locate, notices))
    units = [unit.code for unit in declared.units]
    if only and only not in units:
        unknown = {"found": only, "expected": nearest(only, units)}
        raise DataError([Problem("study.toml", "only_unknown", unknown, column="units")])
    return Study(folder, declared, codebook, index, corrections, allow_outside, placed, contents.locate, only)


def _book_contents(path: Path) -> Contents:
    from evalkit.studybook import read_studybook  # loads openpyxl, which most studies need nothing of

    return read_studybook(path, BOOK)


def _collect(problems: list[Problem], content: Any, read: Callable[[Any], Any]) -> Any:
    """What is read of a content that is there; its problems are added to the others."""
    with gathered(problems):
        return None if content is None else read(content)


def _check_corrections(rows: list[dict[str, Any]]) -> pd.DataFrame:
    problems = []
    for row in rows:
        if not row["reason"]:
            problems.append(Problem("corrections.csv", "reason_missing", {}, row["line"], "reason"))
        if row["action"] not in CORRECTION_ACTIONS:
            values = {"found": row["action"], "expected": ", ".join(CORRECTION_ACTIONS)}
            problems.append(Problem("corrections.csv", "action_unknown", values, row["line"], "action"))
            continue
        if (row["action"] == "set") != bool(row["new_value"]):
            problems.append(Problem("corrections.csv", "new_value_wanted", {}, row["line"], "new_value"))
        if (row["action"] == "drop_row") == bool(row["variable"]):
            problems.append(Problem("corrections.csv", "variable_wanted", {}, row["line"], "variable"))
    raise_any(problems)
    return pd.DataFrame(rows, columns=["line", *CORRECTION_COLUMNS])


def _check_declaration(declared: Declaration, folder: Path, allow_outside: bool) -> list[Problem]:
    problems = []

    def problem(key: str, place: str, **values: Any) -> None:
        problems.append(Problem("study.toml", key, values, column=place))

    codes = [unit.code for unit in declared.units]
    waves = [wave.code for wave in declared.waves]
    for kind, names, reserved in (("units", codes, GROUPS), ("waves", waves, PERIODS if len(waves) > 2 else ())):
        for name in sorted({name for name in names if names.count(name) > 1}):
            problem("code_repeated", kind, found=name)
        for name in sorted(set(names) & set(reserved)):
            problem("name_reserved", kind, found=name)
    for found in _shared_names(declared.units):
        problem("code_repeated", "units", found=found)
    ends = [wave.field_end for wave in declared.waves if wave.period == "before"]
    starts = [wave.field_start for wave in declared.waves if wave.period == "after"]
    if ends and starts and max(ends) > min(starts):
        problem("periods_out_of_order", "waves", found=max(ends), first=min(starts))
    arms = [unit.arm for unit in declared.units]
    if "comparison" in arms and "pilot" not in arms:
        problem("arm_missing", "units")
    if None in arms and any(arms):
        problem("arm_undeclared", "units", found=", ".join(u.code for u in declared.units if u.arm is None))
    for position, wave in enumerate(declared.waves, start=1):
        place = f"waves[{position}]"
        if wave.field_end < wave.field_start:
            problem("field_dates", f"{place}.field_end", found=wave.field_end, first=wave.field_start)
        for key in ("issued", "returned"):
            for code in getattr(wave, key):
                if code not in codes:
                    problem("unit_code_unknown", f"{place}.{key}", found=code, expected=nearest(code, codes))
        for unit in declared.units:
            for day in (wave.field_start, wave.field_end):
                if _name_on(unit, day) is None:
                    problem("unit_not_valid", f"units.{unit.code}", wave=wave.code, found=day)
                    break
        if not allow_outside and _is_outside(folder, wave.file):
            problem("path_outside", f"{place}.file", found=wave.file)
        elif not (folder / wave.file).exists():
            problem("raw_missing", f"{place}.file", found=wave.file)
    return problems


def _shared_names(units: tuple[Unit, ...]) -> list[str]:
    """Names and codes that two units bear at the same time; one after the other they may."""
    borne: dict[str, list[tuple[str, date, date]]] = {}
    shared: dict[str, str] = {}
    for unit in units:
        found = [(unit.code, date.min, date.max)]
        for name in unit.names:
            words = {name.vi, name.en, name.official_code or name.vi}
            found += [(spelling, name.valid_from, name.valid_to) for spelling in sorted(words)]
        for spelling, first, last in found:
            others = borne.setdefault(fold(spelling), [])
            if any(code != unit.code and first <= end and start <= last for code, start, end in others):
                shared.setdefault(fold(spelling), spelling)
            others.append((unit.code, first, last))
    return list(shared.values())


def _is_outside(folder: Path, file: str) -> bool:
    return not (folder / file).resolve().is_relative_to(folder.resolve())


def _name_on(unit: Unit, day: date) -> Any:
    names = [name for name in unit.names if name.valid_from <= day <= name.valid_to]
    return {"vi": names[0].vi, "en": names[0].en} if names else None


_ROLE_TYPES = {
    **dict.fromkeys(("unit", "respondent", "cluster", "stratum", "interviewer"), "key"),
    **{"weight": "number", "started": "time", "ended": "time", "duration": "number"},
}


def _check_roles(declared: Declaration, codebook: Codebook) -> list[Problem]:
    problems = []
    roles = declared.design

    def problem(key: str, place: str, **values: Any) -> None:
        problems.append(Problem("study.toml", key, values, column=place))

    named = [(role, getattr(roles, role), wanted) for role, wanted in _ROLE_TYPES.items()]
    named += [(f"composition[{at}]", name, "scale, number") for at, name in enumerate(roles.composition, start=1)]
    for role, name, wanted in named:
        if name is None:
            continue
        if name not in codebook:
            problem("variable_unknown", f"design.{role}", found=name, expected=nearest(name, codebook))
        elif (found := codebook[name].type) not in wanted.split(", "):
            problem("role_type", f"design.{role}", found=found, expected=wanted, variable=name)
    for position, wave in enumerate(declared.waves, start=1):
        for name in wave.wording:
            if name != "all" and name not in codebook:
                meant = [variable.name for variable in codebook.values() if fold(variable.column) == fold(name)]
                expected = meant[0] if meant else nearest(name.lower(), ["all", *codebook])
                problem("variable_unknown", f"waves[{position}].wording", found=name, expected=expected)
    if roles.followed and roles.respondent is None:
        problem("followed_without_respondent", "design.followed")
    problems += [
        Problem("codebook.csv", "name_reserved", {"found": name}, codebook[name].line, "variable")
        for name in DESIGN_COLUMNS
        if name in codebook
    ]
    columns = [variable.column for variable in codebook.values()]
    for position, wave in enumerate(declared.waves, start=1):
        if wave.where and fold(wave.where.column) not in map(fold, columns):
            expected = nearest(wave.where.column, columns)
            place = f"waves[{position}].where.column"
            problem("variable_unknown", place, found=wave.where.column, expected=expected)
    return problems


def _check_tree(nodes: tuple[Node, ...], codebook: Codebook) -> list[Problem]:
    problems: list[Problem] = []
    known = {node.code: node for node in nodes}
    for node in nodes:

        def problem(key: str, code: str = node.code, **values: Any) -> None:
            problems.append(Problem("index.toml", key, values, column=f"node {code}"))

        if node.code in DESIGN_COLUMNS:
            problem("name_reserved", found=node.code)
        for item in node.items:
            if item not in codebook:
                problem("variable_unknown", found=item, expected=nearest(item, codebook))
            elif codebook[item].type not in (("scale",) if node.aggregate != "value" else ("scale", "number")):
                problem("item_type", found=item, type=codebook[item].type)
            elif "mean" in node.aggregate and (scale := codebook[item].scale) and len(scale.valid) < 2:
                problem("scale_too_short", found=item, scale=scale.name)
        for child in node.children:
            if child in known and known[child].aggregate in ("value", "pooled"):
                problem("child_value", found=child)
        if node.children and node.aggregate == "pooled":
            problem("children_mean", aggregate=node.aggregate)
        if node.aggregate in ("share", "value") and len(node.items) != 1:
            problem("one_item", found=len(node.items), aggregate=node.aggregate)
        if (node.aggregate in ("share", "pooled")) != (node.at_least is not None):
            problem("at_least_wanted")
        if (node.aggregate == "value") != (node.unit is not None):
            problem("unit_wanted")
    return problems + check_nodes(nodes, "index.toml")


def check_nodes(nodes: Sequence[TreeNode], name: str) -> list[Problem]:
    """What is wrong with the shape of a tree: codes, children, cycles, parts counted twice, weights; `name` the file.

    A code may stand again where both nodes say for which years they hold and the years do not overlap.
    """
    problems = []
    known = {node.code: node for node in nodes}
    seen: list[TreeNode] = []
    leaves: dict[str, list[str]] = {}
    for node in nodes:

        def problem(key: str, code: str = node.code, **values: Any) -> None:
            problems.append(Problem(name, key, values, column=f"node {code}"))

        declared = {other.code for other in seen}
        if any(other.code == node.code and _overlap(other, node) for other in seen):
            problem("code_repeated", found=node.code)
        for child in node.children:
            if child not in declared:
                round_trip = child in known and _reaches(child, node.code, known)
                problem("tree_cycle" if round_trip else "child_unknown", found=child)
        for item in node.items:
            if item in known and name != "index.toml":  # where it may be a variable
                problem("tree_item_is_node", found=item)
        if bool(node.items) == bool(node.children):
            problem("items_or_children")
        reached = [*node.items, *(leaf for child in node.children for leaf in leaves.get(child, ()))]
        for item in sorted({item for item in reached if reached.count(item) > 1}):
            problem("tree_item_twice", found=item)
        if node.aggregate == "weighted_mean":
            if set(node.weights) != set(node.parts):
                problem("tree_weights_parts", found=", ".join(node.weights), expected=", ".join(node.parts))
            elif abs((total := sum(node.weights.values())) - 100) > 1e-9:
                problem("tree_weights_sum", found=f"{total:g}")
        elif node.weights:
            problem("tree_weights_unwanted", found=node.aggregate)
        # Of counts no other node is made, only of what has a scale.
        leaves[node.code] = [] if node.aggregate == "pooled" else list(dict.fromkeys(reached))
        seen.append(node)
    return problems


def _overlap(one: TreeNode, other: TreeNode) -> bool:
    """Whether two nodes hold in a common year; those of a study hold always."""
    first, last = (
        [getattr(node, f"{end}_year", None) or without for node in (one, other)]
        for end, without in (("first", -np.inf), ("last", np.inf))
    )
    return max(first) <= min(last)


def _reaches(start: str, goal: str, known: Mapping[str, TreeNode]) -> bool:
    """Whether a node is found below another."""
    found, ahead = set(), [start]
    while ahead:
        code = ahead.pop()
        if code in known and code not in found:
            found.add(code)
            ahead += known[code].children
    return goal in found


def _check_plan(plan: Plan, codes: set[str]) -> list[Problem]:
    problems = []
    for role, outcomes in plan.families.items():
        for found in outcomes:
            if found not in codes:
                values = {"found": found, "expected": nearest(found, sorted(codes))}
                problems.append(Problem("study.toml", "indicator_unknown", values, column=f"plan.{role}"))
    named = list(plan.outcomes)
    for found in sorted({name for name in named if named.count(name) > 1}):
        problems.append(Problem("study.toml", "code_repeated", {"found": found}, column="plan"))
    return problems
