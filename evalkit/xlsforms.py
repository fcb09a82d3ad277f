"""An XLSForm as a draft of the codebook: its questions, its lists of choices, and its rules with codes for names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from evalkit.drafts import Choice, OpenDraft, choices_of
from evalkit.encodings import fold, normal_form
from evalkit.expressions import THIS, ExpressionError, parse, rename
from evalkit.grid import Grid
from evalkit.guessing import digits, is_personal, is_vietnamese, language_of, missing_code

MOST_CHOICES = 100  # a longer list is one of places or people
# What KoboToolbox adds to every export.
EXPORT_COLUMNS = (
    "_id", "_uuid", "_submission_time", "_validation_status", "_notes", "_status", "_submitted_by", "__version__",
    "_tags", "_index",
)  # fmt: skip

_CODED = ("scale", "multiple", "number", "date", "time")
_TYPES = {
    "integer": "number", "decimal": "number", "range": "number", "date": "date", "today": "date",
    "datetime": "time", "start": "time", "end": "time", "time": "text", "text": "text", "rank": "text",
    "acknowledge": "text", "trigger": "text", "note": "ignore", "calculate": "ignore", "hidden": "ignore",
    "audit": "ignore",
} | dict.fromkeys(
    ("deviceid", "subscriberid", "simserial", "phonenumber", "username", "email", "geopoint", "geotrace", "geoshape",
     "start-geopoint", "image", "photo", "audio", "background-audio", "video", "file", "barcode"),
    "identifier",
)  # fmt: skip
_NO_COLUMN = ("csv-external", "xml-external")
_OLD_KINDS = {"int": "integer", "string": "text", "date_time": "datetime"}
_GEOPOINT_PARTS = ("latitude", "longitude", "altitude", "precision")

Record = dict[str, str]
Lines = list[tuple[int, Record]]


def add_form(survey: Grid, choices: Grid | None, settings: Grid | None, draft: OpenDraft) -> None:
    """Add the questions of an XLSForm to a draft, in their order, and the columns that its exports also have.

    survey, choices, settings: its sheets, the first row of each its header.

        add_form(read_workbook(path, path.name, sheet="survey"), None, None, OpenDraft(path.name))
    """
    lines = _lines(survey)
    declared = _lines(settings)
    default = declared[0][1].get("default_language", "") if declared else ""
    lists = _lists(_lines(choices), default, draft)
    label = _labeller(lines, default, draft)
    questions: dict[str, _Question] = {}
    for asked in _asked(lines):
        question = _add_question(asked, label, lists, draft, again=asked.name in questions)
        questions.setdefault(asked.name, question)
    _add_rules(questions, draft)
    columns = {fold(row["column"]) for row in draft.rows}
    for column in EXPORT_COLUMNS:
        if column not in columns:
            draft.add(column, column, "ignore", column, column)
    ordered = {row["scale"]: draft.scales[row["scale"]] for row in draft.rows if row["type"] == "scale"}
    counted = [name for name, answers in ordered.items() if any(a.name != digits(a.code) for a in answers)]
    if counted:
        draft.say("drafting_order_form", found=", ".join(counted))


@dataclass(frozen=True)
class _Asked:
    """A row of the survey sheet that asks or records something, and the groups around it: kind, name, condition."""

    line: int
    row: Record
    kind: str
    argument: str
    name: str
    groups: tuple[tuple[str, str, str], ...]

    @property
    def with_other(self) -> bool:
        return self.argument.endswith(("or_other", "or specify other"))

    @property
    def repeated(self) -> bool:
        return any(kind == "begin_repeat" for kind, _, _ in self.groups)

    @property
    def path(self) -> str:
        return "/".join([*(group for _, group, _ in self.groups), self.name])

    @property
    def relevant(self) -> list[str]:
        conditions = [condition for _, _, condition in self.groups] + [self.row.get("relevant", "")]
        return [condition for condition in conditions if condition]


@dataclass(frozen=True)
class _Question:
    """A row of the survey sheet and the row of the codebook that it became; codes of its choices by their names."""

    asked: _Asked
    row: Record
    codes: Mapping[str, str]


def _lines(grid: Grid | None) -> Lines:
    """Rows below the header by their lines, as dicts by small letters of the header."""
    if grid is None or grid.cells.empty:
        return []
    header, *rows = grid.cells.astype(str).to_numpy().tolist()
    names = [normal_form(cell).lower() for cell in header]
    records = (dict(zip(names, cells, strict=True)) for cells in rows)
    return list(zip(grid.cells.index[1:], records, strict=True))


def _asked(lines: Lines) -> Iterator[_Asked]:
    groups: list[tuple[str, str, str]] = []
    for line, row in lines:
        kind, _, argument = normal_form(row.get("type", "")).partition(" ")
        kind, argument = _kind(kind.lower(), argument)
        name = normal_form(row.get("name", ""))
        if kind in ("begin_group", "begin_repeat"):
            groups.append((kind, name, row.get("relevant", "")))
        elif kind in ("end_group", "end_repeat"):
            del groups[-1:]
        elif kind and name and kind not in _NO_COLUMN:
            yield _Asked(line, row, kind, argument, name, tuple(groups))


def _kind(kind: str, argument: str) -> tuple[str, str]:
    """The older spellings with a space, `begin group`, `select one`, as those with `_`."""
    head, _, tail = argument.partition(" ")
    if kind in ("begin", "end", "select") and head in ("group", "repeat", "one", "multiple"):
        return f"{kind}_{head}", tail.removeprefix("from ")
    return _OLD_KINDS.get(kind, kind), argument


def _lists(lines: Lines, default: str, draft: OpenDraft) -> dict[str, list[Choice]]:
    label = _labeller(lines, default, draft)
    lists: dict[str, dict[str, tuple[str, str]]] = {}
    for _, row in lines:
        listed = normal_form(row.get("list_name") or row.get("list name", ""))
        name = normal_form(row.get("name") or row.get("value", ""))
        if listed and name:
            lists.setdefault(listed, {}).setdefault(name, label(row, name))
    return {listed: choices_of(labels) for listed, labels in lists.items()}


def _labeller(lines: Lines, default: str, draft: OpenDraft) -> Callable[[Record, str], tuple[str, str]]:
    """A function that gives the labels of a row, Vietnamese and English; it says which language the sheet lacks."""
    columns: dict[str, str] = {}
    others = []
    for column in lines[0][1] if lines else ():
        head, _, language = column.partition(":")
        if head.strip() != "label":
            continue
        code = language_of(language.strip(": ") or default)
        if not code and column == "label":
            code = "vi" if is_vietnamese(row.get(column, "") for _, row in lines) else "en"
        if code:
            columns.setdefault(code, column)
        else:
            others.append(column)
    if not columns and others:
        draft.say("drafting_other_language", found=others[0])
        columns = {"vi": others[0], "en": others[0]}
    for language, other in (("vi", "en"), ("en", "vi")):
        if language not in columns and other in columns:
            draft.say(f"drafting_no_{language}", found=columns[other])
            columns[language] = columns[other]

    def label(row: Record, name: str) -> tuple[str, str]:
        cells = (row.get(columns.get(language, ""), "") for language in ("vi", "en"))
        vi, en = (normal_form(re.sub(r"<[^>]*>", " ", cell)) for cell in cells)
        return vi or en or name, en or vi or name

    return label


def _add_question(
    asked: _Asked,
    label: Callable[[Record, str], tuple[str, str]],
    lists: Mapping[str, list[Choice]],
    draft: OpenDraft,
    *,
    again: bool,
) -> _Question:
    name, kind = asked.name, asked.kind
    vi, en = label(asked.row, name)
    column = asked.path if again else name
    type, scale, codes = _type(asked, column, lists, draft)
    if type in ("text", "number") and is_personal(name, vi, en, numeric=type == "number"):
        type = "identifier"
    if asked.repeated:
        draft.say("drafting_repeat", column, asked.line)
        type, scale = "ignore", ""
    if kind in ("calculate", "hidden"):
        draft.say("drafting_calculated", column, asked.line)
    row = draft.add(name, column, type, vi, en, scale=scale)
    if kind == "range":
        ends = dict(re.findall(r"(start|end)\s*=\s*(-?[\d.]+)", asked.row.get("parameters", "")))
        row["minimum"], row["maximum"] = ends.get("start", ""), ends.get("end", "")
    if kind == "geopoint":
        for part in _GEOPOINT_PARTS:
            draft.add(f"_{name}_{part}", f"_{name}_{part}", "ignore", f"{vi}: {part}", f"{en}: {part}")
    if asked.with_other:
        draft.add(f"{name}_other", f"{name}_other", "text", f"{vi}: khác", f"{en}: other")
    return _Question(asked, row, codes)


def _type(
    asked: _Asked, column: str, lists: Mapping[str, list[Choice]], draft: OpenDraft
) -> tuple[str, str, dict[str, str]]:
    """Type, scale and the codes of its choices by their names."""
    if not asked.kind.startswith("select_"):
        if asked.kind not in _TYPES:
            draft.say("drafting_type_unknown", column, found=asked.kind)
        return _TYPES.get(asked.kind, "text"), "", {}
    wanted = asked.argument.split(" ")[0]
    choices = lists.get(wanted)
    if not choices:
        draft.say("drafting_list_missing", column, found=wanted)
        return "text", "", {}
    if len(choices) > MOST_CHOICES:
        draft.say("drafting_list_long", column, found=wanted, count=len(choices))
        return "key", "", {}
    if asked.with_other:
        wanted += "_or_other"
        choices = [*choices, Choice("other", max(choice.code for choice in choices) + 1, "Khác", "Other")]
    type = "multiple" if asked.kind == "select_multiple" else "scale"
    return type, draft.add_scale(wanted, choices), {choice.name: digits(choice.code) for choice in choices}


def _add_rules(questions: Mapping[str, _Question], draft: OpenDraft) -> None:
    """Rules as the codebook has them: codes for the names of choices. What cannot be rewritten safely is said."""
    coded = {name: question for name, question in questions.items() if question.row["type"] in _CODED}
    names = {name: question.row["variable"] for name, question in coded.items()}
    codes = {name: question.codes for name, question in coded.items() if question.row["type"] != "number"}
    several = {name for name, question in coded.items() if question.row["type"] == "multiple"}

    def rewritten(rule: str, question: _Question) -> str | None:
        rule, own = normal_form(rule), question.asked.name
        own_codes = {THIS: codes[own]} if own in codes else {}
        try:
            numbers = {own if name == THIS else name for name in parse(rule).numbers}
            if not numbers & several:
                return rename(rule, names, codes | own_codes)
        except (ExpressionError, KeyError):
            pass
        return None

    for question in coded.values():
        row, asked = question.row, question.asked
        kept: dict[str, list[str]] = {"relevant": [], "constraint": []}
        for column, rules in (("relevant", asked.relevant), ("constraint", [asked.row.get("constraint", "")])):
            for rule in filter(None, rules):
                if (written := rewritten(rule, question)) is None:
                    draft.say("drafting_rule_dropped", row["column"], asked.line, rule=column, found=rule)
                else:
                    kept[column].append(written)
        relevant = kept["relevant"]
        row["relevant"] = relevant[0] if len(relevant) == 1 else " and ".join(f"({rule})" for rule in relevant)
        for constraint in kept["constraint"]:
            if row["type"] == "number":
                _add_bounds(constraint, question, draft)
            else:
                row["constraint"] = constraint


def _add_bounds(constraint: str, question: _Question, draft: OpenDraft) -> None:
    """The smallest and largest number out of a constraint; what says more than that stays a constraint.

    `. >= 18 and . <= 100 or . = 99` also names a code of an answer that is no number.
    """
    row, whole = question.row, question.asked.kind in ("integer", "range")
    allowed, *besides = re.split(r"\s+or\s+", constraint)
    codes = [re.fullmatch(r"\(?\s*\.\s*=\s*(-?\d+)\s*\)?", part) for part in besides]
    if besides and all(code and missing_code(int(code[1])) for code in codes):
        row["missing"] = "|".join(f"{code[1]}={missing_code(int(code[1]))}" for code in codes if code)
        draft.say("drafting_missing_number", row["column"], question.asked.line, found=row["missing"])
        constraint = re.sub(r"^\(([^()]*)\)$", r"\1", allowed.strip())
    if re.search(r"\bor\b|[(]", constraint):
        row["constraint"] = constraint
        return
    rest = []
    for part in re.split(r"\s+and\s+", constraint):
        found = re.fullmatch(r"\s*\.\s*([<>])(=?)\s*(-?\s*\d+(?:\.\d+)?)\s*", part)
        bound = "minimum" if found and found[1] == ">" else "maximum"
        value = float(found[3].replace(" ", "")) if found else 0.0
        if not found or row[bound] or (not found[2] and not (whole and value.is_integer())):
            rest.append(part)
            continue
        inside = 0 if found[2] else 1 if found[1] == ">" else -1
        row[bound] = digits(value + inside)
    row["constraint"] = " and ".join(rest)
