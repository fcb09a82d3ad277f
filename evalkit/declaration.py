"""The keys of study.toml and index.toml: what may stand where, and what is wrong in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from evalkit.errors import DataError, Problem, nearest
from evalkit.language import Language


class Declared(BaseModel):
    """A table of a toml file: no other keys than these, no silent conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")]
Words = Annotated[str, Field(min_length=1)]


class Labels(Declared):
    """The same words in Vietnamese and English."""

    vi: Words
    en: Words


class About(Declared):
    """`[study]`: title, who did it, and what the raw rows are."""

    title: Labels
    organisation: Labels
    language: Language
    simulated: bool
    row: Literal["questionnaire", "record"]
    source: Labels | None = None


class Privacy(Declared):
    """`[privacy]`: consent, who answers for the data, until when it is kept, the smallest cell shown.

    share_responses: whether single responses may leave in a bundle, if no combination of `quasi_identifiers` (what
    others may know of a person: sex, age, village) within wave and unit has fewer than `minimum_cell` people.
    """

    consent: Labels | None = None
    controller: Labels | None = None
    retain_until: date | None = None
    minimum_cell: Annotated[int, Field(ge=1)] = 5
    share_responses: bool = False
    quasi_identifiers: Annotated[tuple[str, ...], Field(strict=False)] = ()


class UnitName(Labels):
    """A name and official code of a unit, and the days on which they were valid (both ends included)."""

    official_code: str | None = None
    valid_from: date = date.min
    valid_to: date = date.max


class Unit(Declared):
    """`[[units]]`: a commune or ward, its arm, its names over time, its people and its clusters (villages)."""

    code: Code
    names: Annotated[tuple[UnitName, ...], Field(min_length=1, strict=False)]
    arm: Literal["pilot", "comparison"] | None = None
    population: Annotated[int, Field(gt=0)] | None = None
    clusters: Annotated[int, Field(gt=0)] | None = None

    @property
    def spellings(self) -> tuple[str, ...]:
        """What may stand for the unit in a raw file: its code and all its names."""
        return (self.code, *(words for name in self.names for words in (name.vi, name.en)))


class Where(Declared):
    """The rows of a shared file that belong to one wave."""

    column: Words
    equals: str


class Wave(Declared):
    """`[[waves]]`: one survey: its file, its days in the field, and who could be asked how.

    `encoding`, `decimal` and `dates` (day or month first) overrule what the reader finds or could not know. The other
    optional declarations decide whether two waves may be compared; see `claims`. `wording`: item → the version
    of its wording, `all` for those not named.
    """

    code: Code
    period: Literal["before", "after"]
    label: Labels
    file: Words
    sheet: str | None = None
    where: Where | None = None
    encoding: Literal["utf-8", "utf-16", "cp1258", "tcvn3", "vni", "viscii"] | None = None
    decimal: Literal[",", "."] | None = None
    dates: Literal["dmy", "mdy"] | None = None
    field_start: date
    field_end: date
    target_population: Labels | None = None
    frame: Labels | None = None
    selection: Literal["probability", "quota", "convenience", "census"] | None = None
    mode: (
        Literal["face_to_face", "self_completed", "telephone", "online", "mail_and_web", "administrative"] | None
    ) = None
    wording: Mapping[str, Words] = {}
    issued: Mapping[str, Annotated[int, Field(ge=0)]] = {}
    returned: Mapping[str, Annotated[int, Field(ge=0)]] = {}

    def problem(
        self, key: str, values: dict[str, Any], line: int | None = None, column: str | None = None
    ) -> Problem:
        """A problem or notice at a place of the wave's file."""
        return Problem(self.file, key, values, line, column, self.sheet)


class Roles(Declared):
    """`[design]`: which variable plays which part, how people were drawn, and how the pilot units were chosen.

    interviewer, started, ended, duration (minutes): how the form was filled in, for screening.
    composition: variables that describe the respondents. followed: whether all respondents of the first survey were
    sought again. whole_clusters: whether everybody in a drawn cluster was asked. single_cluster: what a stratum with
    one cluster means, see `estimation.domain_means`.
    """

    unit: str
    respondent: str | None = None
    cluster: str | None = None
    stratum: str | None = None
    weight: str | None = None
    interviewer: str | None = None
    started: str | None = None
    ended: str | None = None
    duration: str | None = None
    composition: Annotated[tuple[str, ...], Field(strict=False)] = ()
    followed: bool = False
    whole_clusters: bool = False
    single_cluster: Literal["center", "certainty"] | None = None
    pilot_units_chosen: Literal["randomised", "volunteered", "low_scores", "high_scores", "other"] | None = None


class Plan(Declared):
    """`[plan]`: what was fixed before anybody saw the answers.

    Outcomes are primary, secondary or screened; `unit_test` is the p-value behind "above" and "below".
    """

    primary: Annotated[tuple[str, ...], Field(min_length=1, strict=False)]
    secondary: Annotated[tuple[str, ...], Field(strict=False)] = ()
    screening: Annotated[tuple[str, ...], Field(strict=False)] = ()
    unit_test: Literal["placebo", "unit t"] = "placebo"
    confidence_level: Annotated[float, Field(ge=0.9, lt=1)]

    @property
    def families(self) -> dict[str, tuple[str, ...]]:
        """The outcomes that are judged together, by their role."""
        return {role: getattr(self, role) for role in ("primary", "secondary", "screening")}

    @property
    def outcomes(self) -> tuple[str, ...]:
        """All outcomes, primary ones first."""
        return (*self.primary, *self.secondary, *self.screening)


class Cost(Declared):
    """`[[costs]]`: an item that carrying the pilot over takes, `amount` of it for each `per`, at `unit_cost` VND."""

    item: Labels
    per: Literal["once", "unit", "unit_year", "interview"]
    amount: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    unit_cost: Annotated[int, Field(ge=0)]
    source: Labels | None = None


Day = date  # which a field called `date` would hide
# A count, or words such as "02 bài": shown as declared.
Amount = Annotated[Words, BeforeValidator(lambda found: str(found) if type(found) is int else found)]


class Product(Declared):
    """`[[report.products]]`: what the task was to hand over and did."""

    name: Labels
    unit: Labels | None = None
    ordered: Amount
    delivered: Amount
    quality: Labels | None = None


class Abbreviation(Declared):
    """`[[report.abbreviations]]`: a short form and what it means."""

    short: Words
    meaning: Labels


class Fund(Declared):
    """`[[report.funds]]`: a source of money, what it was to give and what was spent of it, in VND."""

    source: Labels
    planned: Annotated[int, Field(ge=0)]
    spent: Annotated[int, Field(ge=0)]


class Progress(Declared):
    """`[[report.progress]]`: a piece of work, when it was to be done and when it was."""

    work: Labels
    planned: Words
    done: Words


class Partner(Declared):
    """`[[report.partners]]`: who took part in the task beside the organisation, in what, and with what result."""

    name: Labels
    task: Labels
    result: Labels | None = None


class Form(Declared):
    """`[report]`: what covers and the statistical report on the task say.

    What an official form asks for stays a dotted line where it is not declared; funds, progress, partners and
    evaluation are left out. date: of the report. parent: the body above the organisation. code, level, ordered_by: of
    the task. evaluation: what the team itself says its results are worth.
    """

    date: Day | None = None
    place: Words | None = None
    parent: Labels | None = None
    code: Words | None = None
    level: Labels | None = None
    ordered_by: Labels | None = None
    leader: Words | None = None
    members: Annotated[tuple[Words, ...], Field(strict=False)] = ()
    begun: Day | None = None
    ended: Day | None = None
    funds: Annotated[tuple[Fund, ...], Field(strict=False)] = ()
    progress: Annotated[tuple[Progress, ...], Field(strict=False)] = ()
    partners: Annotated[tuple[Partner, ...], Field(strict=False)] = ()
    products: Annotated[tuple[Product, ...], Field(strict=False)] = ()
    evaluation: Annotated[tuple[Labels, ...], Field(strict=False)] = ()
    abbreviations: Annotated[tuple[Abbreviation, ...], Field(strict=False)] = ()
    references: Annotated[tuple[Words, ...], Field(strict=False)] = ()
    recipients: Annotated[tuple[Labels, ...], Field(strict=False)] = ()


class Declaration(Declared):
    """All of `study.toml`."""

    study: About
    privacy: Privacy = Privacy()
    units: Annotated[tuple[Unit, ...], Field(min_length=1, strict=False)]
    waves: Annotated[tuple[Wave, ...], Field(min_length=1, strict=False)]
    design: Roles
    plan: Plan
    costs: Annotated[tuple[Cost, ...], Field(strict=False)] = ()
    report: Form | None = None


class TreeNode(Declared):
    """What the nodes of all trees have: a code, a label, and what they are made of, by their `aggregate`."""

    code: Code
    label: Labels
    aggregate: str
    items: Annotated[tuple[str, ...], Field(strict=False)] = ()
    children: Annotated[tuple[str, ...], Field(strict=False)] = ()
    minimum_answered: Annotated[float, Field(ge=0, le=1)] = 1.0
    at_least: float | None = None
    unit: Labels | None = None
    decimals: Annotated[int, Field(ge=0, le=8)] = 1
    direction: Literal["higher", "lower"] = "higher"
    weights: Mapping[str, Annotated[float, Field(gt=0, le=100)]] = {}

    @property
    def parts(self) -> tuple[str, ...]:
        """What the node is made of: items or other nodes."""
        return self.items + self.children


class Node(TreeNode):
    """`[[node]]` of `index.toml`: one indicator, made of items or of other nodes.

    `mean`: items put on 0–100 by their scale's ends, then averaged over those answered. `weighted_mean`: the same
    with `weights` in percent. `share`: 100 where the one item's code is at least `at_least`, else 0. `value`: one
    variable in its own unit. `target`: the level to reach, from below, or from above where `direction` is `lower`.
    """

    aggregate: Literal["mean", "weighted_mean", "share", "pooled", "value"]
    target: Annotated[float, Field(allow_inf_nan=False)] | None = None


class Band(Declared):
    """A grade from `at_least` up to the next band's `at_least`, that one excluded; the lowest band has none."""

    code: Words
    label: Labels
    at_least: float | None = None


class IndexNode(TreeNode):
    """`[[node]]` of a published index (`data/indices/*.toml`), evaluated on rows of area and year.

    `sum`: of all parts. `weighted_mean`: times `factor`. `pooled`: the sum of `items`, without that of `less`, in
    percent of the sum of `of`. `minmax`: 1–10 between `low` and `high` (not declared: the least and greatest of the
    year). `points`: up to `maximum`; `bonus` points stand outside the total's maximum, `evidence` says that none
    are given without proof. `bands`: the grade of one part. `first_year`, `last_year`: a code may stand again for
    other years.
    """

    aggregate: Literal["mean", "weighted_mean", "value", "sum", "pooled", "minmax", "points", "bands"]
    first_year: int | None = None
    last_year: int | None = None
    factor: Annotated[float, Field(gt=0)] = 1.0
    less: Annotated[tuple[str, ...], Field(strict=False)] = ()
    of: Annotated[tuple[str, ...], Field(strict=False)] = ()
    low: float | None = None
    high: float | None = None
    maximum: Annotated[float, Field(gt=0)] | None = None
    bonus: bool = False
    evidence: bool = False
    bands: Annotated[tuple[Band, ...], Field(strict=False)] = ()
    note: Labels | None = None


class Tree(Declared):
    """All of `index.toml`."""

    node: Annotated[tuple[Node, ...], Field(min_length=1, strict=False)]


Model = TypeVar("Model", bound=Declared)


def parse(content: dict[str, Any], name: str, model: type[Model]) -> Model:
    """The content of a toml file as its model; DataError with every key that is wrong, `name` the file."""
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


def _key_problem(name: str, model: type[Declared], found: Any) -> Problem:
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
    if isinstance(found["input"], Mapping) and found["type"] == "tuple_type":
        return Problem(name, "table_twice", {"found": f"[{place}]", "expected": f"[[{place}]]"}, column=place)
    if "expected" in context and " or " in context["expected"]:
        words = context["expected"]
        context["expected"] = {"vi": words.replace(" or ", " hoặc "), "en": words}
    expected = context.get("expected") or {
        "string_pattern_mismatch": "A–Z a–z 0–9 _",
        "date_type": _DATE,
        "bool_type": "true, false",
        "int_type": "0, 1, 2 …",
        "float_type": "0, 0.5, 1 …",
        "finite_number": "0, 0.5, 1 …",
        "string_type": '"…"',
        "string_too_short": '"…"',
        "model_type": '{ vi = "…", en = "…" }',
        "too_short": "≥ 1",
        "tuple_type": '["…"]',
        "dict_type": '{ … = "…" }',
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
