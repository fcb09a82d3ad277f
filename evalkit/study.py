"""What a study folder declares: study.toml, index.toml, codebook and corrections, checked together."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evalkit.codebook import Codebook, read_codebook
from evalkit.encodings import decode, fold
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.language import Language
from evalkit.textfiles import file_bytes, read_table

DESIGN_COLUMNS = ("row_id", "wave", "unit", "respondent", "cluster", "stratum", "weight")
GROUPS = ("all", "pilot", "comparison")
PERIODS = ("before", "after")
CORRECTION_COLUMNS = ("row_id", "variable", "action", "old_value", "new_value", "reason")
CORRECTION_ACTIONS = ("set", "blank", "drop_row")


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Words = Annotated[str, Field(min_length=1)]


class Labels(_Declared):
    """The same words in Vietnamese and English."""

    vi: Words
    en: Words


class About(_Declared):
    """`[study]`: title, who did it, and what the raw rows are."""

    title: Labels
    organisation: Labels
    language: Language
    simulated: bool
    row: Literal["questionnaire", "record"]
    source: Labels | None = None


class Privacy(_Declared):
    """`[privacy]`: consent, who answers for the data, until when it is kept, the smallest cell shown."""

    consent: Labels | None = None
    controller: Labels | None = None
    retain_until: date | None = None
    minimum_cell: Annotated[int, Field(ge=1)] = 5


class UnitName(Labels):
    """A name and official code of a unit, and the days on which they were valid (both ends included)."""

    official_code: str | None = None
    valid_from: date = date.min
    valid_to: date = date.max


class Unit(_Declared):
    """`[[units]]`: a commune or ward, its arm, and its names over time."""

    code: Code
    names: Annotated[tuple[UnitName, ...], Field(min_length=1, strict=False)]
    arm: Literal["pilot", "comparison"] | None = None
    population: Annotated[int, Field(gt=0)] | None = None

    @property
    def spellings(self) -> tuple[str, ...]:
        """What may stand for the unit in a raw file: its code and all its names."""
        return (self.code, *(words for name in self.names for words in (name.vi, name.en)))


class Where(_Declared):
    """The rows of a shared file that belong to one wave."""

    column: Words
    equals: str


class Wave(_Declared):
    """`[[waves]]`: one survey: its file, its days in the field, and who could be asked how.

    The optional declarations decide whether two waves may be compared; see `claims`.
    """

    code: Code
    period: Literal["before", "after"]
    label: Labels
    file: Words
    sheet: str | None = None
    where: Where | None = None
    decimal: Literal[",", "."] | None = None
    field_start: date
    field_end: date
    target_population: Labels | None = None
    frame: Labels | None = None
    selection: Literal["probability", "quota", "convenience", "census"] | None = None
    mode: (
        Literal["face_to_face", "self_completed", "telephone", "online", "mail_and_web", "administrative"] | None
    ) = None
    issued: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    returned: Mapping[str, Annotated[int, Field(ge=0)]] = {}


class Roles(_Declared):
    """`[design]`: which variable plays which part, and how the pilot units were chosen."""

    unit: str
    respondent: str | None = None
    cluster: str | None = None
    stratum: str | None = None
    weight: str | None = None
    pilot_units_chosen: Literal["randomised", "volunteered", "low_scores", "high_scores", "other"] | None = None


class Plan(_Declared):
    """`[plan]`: which outcomes were primary before anybody saw the answers, and the confidence level."""

    primary: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    secondary: Annotated[tuple[str, ...], Field(strict=False)] = ()
    confidence_level: Annotated[float, Field(ge=0.9, lt=1)]


class Declaration(_Declared):
    """All of `study.toml`."""

    study: About
    privacy: Privacy = Privacy()
    units: Annotated[tuple[Unit, ...], Field(min_length=1, strict=False)]
    waves: Annotated[tuple[Wave, ...], Field(min_length=1, strict=False)]
    design: Roles
    plan: Plan


class Node(_Declared):
    """`[[node]]` of `index.toml`: one indicator, made of items or of other nodes.

    `mean`: items put on 0–100 by their scale's ends, then averaged over those answered. `share`: 100 where the
    one item's code is at least `at_least`, else 0. `value`: one variable in its own unit.
    """

    code: Code
    label: Labels
    aggregate: Literal["mean", "share", "value"]
    items: Annotated[tuple[str, ...], Field(strict=False)] = ()
    children: Annotated[tuple[str, ...], Field(strict=False)] = ()
    minimum_answered: Annotated[float, Field(ge=0, le=1)] = 1.0
    at_least: float | None = None
    unit: Labels | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] = 1


class _Tree(_Declared):
    node: Annotated[tuple[Node, ...], Field(min_length=1, strict=False)]


Index = Mapping[str, Node]


@dataclass(frozen=True)
class Design:
    """What a comparison needs to know of the design.

    `arms`: unit → `pilot`, `comparison` or None. `periods`: wave → `before` or `after`. `clustered`: whether the
    sampling clusters are declared; `units_are_clusters`: whether each unit is one cluster.
    """

    arms: Mapping[str, str | None]
    periods: Mapping[str, str]
    clustered: bool = False
    units_are_clusters: bool = False


@dataclass(frozen=True)
class Study:
    """A study folder, read and checked."""

    folder: Path
    declared: Declaration
    codebook: Codebook
    index: Index
    corrections: pd.DataFrame
    allow_outside: bool = False

    @property
    def plan(self) -> Plan:
        """The analysis plan."""
        return self.declared.plan

    @property
    def design(self) -> Design:
        """Arms, periods and clustering."""
        roles = self.declared.design
        return Design(
            arms={unit.code: unit.arm for unit in self.declared.units},
            periods={wave.code: wave.period for wave in self.declared.waves},
            clustered=roles.cluster is not None,
            units_are_clusters=roles.cluster == roles.unit,
        )

    @property
    def language(self) -> Language:
        """The language of the report."""
        return self.declared.study.language

    def raw_path(self, wave: Wave) -> Path:
        """Where a wave's raw file lies."""
        return self.folder / wave.file

    def unit_label(self, code: str, language: Language, *, on: date | None = None) -> str:
        """A unit's name on a day, without one at the start of the first wave."""
        unit = next(unit for unit in self.declared.units if unit.code == code)
        return _name_on(unit, on or self.declared.waves[0].field_start)[language]


def open_study(folder: str | Path, *, allow_outside: bool = False) -> Study:
    """Read and check what a study folder declares; the raw files are not opened yet.

    Raises DataError with every problem found in study.toml, codebook.csv, scales.csv, index.toml and
    corrections.csv. Raw files outside the folder are refused unless `allow_outside`.

        study = ek.open_study("data/nga-bay")
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError([Problem(str(folder), "folder_missing")])
    problems: list[Problem] = []
    declared = _collect(problems, lambda: _read_toml(folder, "study.toml", Declaration))
    codebook, found = read_codebook(folder)
    problems += found
    tree = _collect(problems, lambda: _read_toml(folder, "index.toml", _Tree))
    corrections = _collect(problems, lambda: _read_corrections(folder))
    if declared is not None:
        problems += _check_declaration(declared, folder, allow_outside)
    if declared is not None and codebook:
        problems += _check_roles(declared, codebook)
    if tree is not None and codebook:
        problems += _check_tree(tree.node, codebook)
    if tree is not None and declared is not None:
        problems += _check_plan(declared.plan, {node.code for node in tree.node})
    raise_any(problems)
    assert declared and codebook and tree and corrections is not None
    index = {node.code: node for node in tree.node}
    return Study(folder, declared, codebook, index, corrections, allow_outside)


def _collect(problems: list[Problem], read: Any) -> Any:
    try:
        return read()
    except DataError as error:
        problems += error.problems
        return None


def _read_toml(folder: Path, name: str, model: type[_Declared]) -> Any:
    decoded = decode(file_bytes(folder / name, name))
    if decoded is None:
        raise DataError([Problem(name, "file_not_text")])
    try:
        content = tomllib.loads(decoded)
    except tomllib.TOMLDecodeError as error:
        raise DataError([Problem(name, "toml_broken", {"reason": error})]) from None
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise DataError([_key_problem(name, model, found) for found in _innermost(error)]) from None


def _innermost(error: ValidationError) -> list[Any]:
    """The errors, without those of a list that only follow from an error of one of its entries."""
    found = error.errors()
    return [
        outer
        for outer in found
        if outer["type"] != "too_short"
        or not any(inner["loc"][: len(outer["loc"])] == outer["loc"] and inner is not outer for inner in found)
    ]


_DATE = {
    "vi": "ngày dạng năm-tháng-ngày, không đặt trong ngoặc kép, ví dụ 2026-01-30",
    "en": "a date, year-month-day without quotes, such as 2026-01-30",
}


def _key_problem(name: str, model: type[_Declared], found: Any) -> Problem:
    """A pydantic error in words: the key where it happened, what stood there, what would be right."""
    place = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
    if found["type"] == "missing":
        return Problem(name, "key_missing", column=place)
    if found["type"] == "extra_forbidden":
        known = _keys_at(model, found["loc"][:-1])
        wrong = str(found["loc"][-1])
        return Problem(name, "key_unknown", {"expected": nearest(wrong, known)}, column=place)
    context = found.get("ctx", {})
    bounds = {"less_than": ("<", "lt"), "greater_than": (">", "gt"), "greater_than_equal": ("≥", "ge")}
    if found["type"] in bounds:
        sign, bound = bounds[found["type"]]
        context["expected"] = f"{sign} {context[bound]}"
    expected = context.get("expected") or {
        "string_pattern_mismatch": "A–Z a–z 0–9 _",
        "date_type": _DATE,
        "bool_type": "true, false",
        "int_type": "0, 1, 2 …",
        "string_type": '"…"',
        "string_too_short": '"…"',
        "model_type": '{ vi = "…", en = "…" }',
        "too_short": "≥ 1",
        "tuple_type": '["…"]',
    }.get(found["type"], found["msg"])
    return Problem(name, "key_value", {"found": repr(found["input"]), "expected": expected}, column=place)


def _keys_at(model: Any, path: tuple[Any, ...]) -> list[str]:
    """The keys that the model knows at a place of the file."""
    for part in path:
        if isinstance(part, int):
            continue
        annotation = model.model_fields[part].annotation
        arguments = [annotation, *getattr(annotation, "__args__", ())]
        model = next((a for a in arguments if isinstance(a, type) and issubclass(a, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)


def _read_corrections(folder: Path) -> pd.DataFrame:
    path = folder / "corrections.csv"
    columns = ["line", *CORRECTION_COLUMNS]
    if not path.exists():
        return pd.DataFrame(columns=columns)
    rows = read_table(path, "corrections.csv", CORRECTION_COLUMNS)
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
    return pd.DataFrame(rows, columns=columns)


def _check_declaration(declared: Declaration, folder: Path, allow_outside: bool) -> list[Problem]:
    problems = []

    def problem(key: str, place: str, **values: Any) -> None:
        problems.append(Problem("study.toml", key, values, column=place))

    codes = [unit.code for unit in declared.units]
    waves = [wave.code for wave in declared.waves]
    for kind, names in (("units", codes), ("waves", waves)):
        for name in sorted({name for name in names if names.count(name) > 1}):
            problem("code_repeated", kind, found=name)
    reserved = {"units": GROUPS, "waves": PERIODS if len(waves) > 2 else ()}
    for kind, names in (("units", codes), ("waves", waves)):
        for name in sorted(set(names) & set(reserved[kind])):
            problem("name_reserved", kind, found=name)
    owner: dict[str, str] = {}
    for unit in declared.units:
        for name in {fold(words): words for words in unit.spellings}.values():
            if owner.setdefault(fold(name), unit.code) != unit.code:
                problem("code_repeated", "units", found=name)
    for period in PERIODS:
        if not any(wave.period == period for wave in declared.waves):
            problem("period_missing", "waves", found=period)
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
        path = (folder / wave.file).resolve()
        if not allow_outside and not path.is_relative_to(folder.resolve()):
            problem("path_outside", f"{place}.file", found=wave.file)
        elif not path.exists():
            problem("raw_missing", f"{place}.file", found=wave.file)
    return problems


def _name_on(unit: Unit, day: date) -> Any:
    names = [name for name in unit.names if name.valid_from <= day <= name.valid_to]
    return {"vi": names[0].vi, "en": names[0].en} if names else None


def _check_roles(declared: Declaration, codebook: Codebook) -> list[Problem]:
    problems = []
    for role, wanted in (
        ("unit", "key"),
        ("respondent", "key"),
        ("cluster", "key"),
        ("stratum", "key"),
        ("weight", "number"),
    ):
        name = getattr(declared.design, role)
        if name is None:
            continue
        place = f"design.{role}"
        if name not in codebook:
            values = {"found": name, "expected": nearest(name, codebook)}
            problems.append(Problem("study.toml", "variable_unknown", values, column=place))
        elif codebook[name].type != wanted:
            values = {"found": codebook[name].type, "expected": wanted, "variable": name}
            problems.append(Problem("study.toml", "role_type", values, column=place))
    problems += [
        Problem("codebook.csv", "name_reserved", {"found": name}, codebook[name].line, "variable")
        for name in DESIGN_COLUMNS
        if name in codebook
    ]
    columns = [variable.column for variable in codebook.values()]
    for position, wave in enumerate(declared.waves, start=1):
        if wave.where and fold(wave.where.column) not in map(fold, columns):
            values = {"found": wave.where.column, "expected": nearest(wave.where.column, columns)}
            problems.append(
                Problem("study.toml", "variable_unknown", values, column=f"waves[{position}].where.column")
            )
    return problems


def _check_tree(nodes: tuple[Node, ...], codebook: Codebook) -> list[Problem]:
    problems = []
    seen: set[str] = set()
    known = {node.code: node for node in nodes}
    for node in nodes:

        def problem(key: str, code: str = node.code, **values: Any) -> None:
            problems.append(Problem("index.toml", key, values, column=f"node {code}"))

        if node.code in seen:
            problem("code_repeated", found=node.code)
        if node.code in DESIGN_COLUMNS:
            problem("name_reserved", found=node.code)
        for item in node.items:
            if item not in codebook:
                problem("variable_unknown", found=item, expected=nearest(item, codebook))
            elif codebook[item].type not in (("scale",) if node.aggregate != "value" else ("scale", "number")):
                problem("item_type", found=item, type=codebook[item].type)
            elif node.aggregate == "mean" and (scale := codebook[item].scale) and len(scale.valid) < 2:
                problem("scale_too_short", found=item, scale=scale.name)
        for child in node.children:
            if child not in seen:
                problem("child_unknown", found=child)
            elif known[child].aggregate == "value":
                problem("child_value", found=child)
        if bool(node.items) == bool(node.children):
            problem("items_or_children")
        if node.aggregate != "mean" and len(node.items) != 1:
            problem("one_item", found=len(node.items), aggregate=node.aggregate)
        if (node.aggregate == "share") != (node.at_least is not None):
            problem("at_least_wanted")
        if (node.aggregate == "value") != (node.unit is not None):
            problem("unit_wanted")
        seen.add(node.code)
    return problems


def _check_plan(plan: Plan, codes: set[str]) -> list[Problem]:
    problems = []
    for role in ("primary", "secondary"):
        for found in getattr(plan, role):
            if found not in codes:
                values = {"found": found, "expected": nearest(found, sorted(codes))}
                problems.append(Problem("study.toml", "indicator_unknown", values, column=f"plan.{role}"))
    named = [*plan.primary, *plan.secondary]
    for found in sorted({name for name in named if named.count(name) > 1}):
        problems.append(Problem("study.toml", "code_repeated", {"found": found}, column="plan"))
    return problems
