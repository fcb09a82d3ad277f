"""What each column of the raw files means: variables, scales, labels, missing kinds, direction."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

from evalkit.encodings import fold
from evalkit.errors import Problem, nearest

TYPES = ("scale", "multiple", "number", "date", "time", "key", "text", "identifier", "ignore")
MISSING_KINDS = ("dont_know", "refused", "not_applicable", "blank")
MOMENTS = ("date", "time")
OTHERWISE = ("stop", "blank")
_SCALED = ("scale", "multiple")
_LETTERED = re.compile(r"\.[a-z]")  # Stata's further kinds of missing
COLUMNS = ("variable", "column", "type", "scale", "minimum", "maximum", "label_vi", "label_en", "reverse")
RULE_COLUMNS = ("missing", "relevant", "constraint", "otherwise")
# What the frames of responses and scores have beside the variables.
DESIGN_COLUMNS = ("row_id", "wave", "unit", "respondent", "interviewer", "cluster", "stratum", "weight")
SCALE_COLUMNS = ("scale", "code", "label_vi", "label_en", "synonyms", "missing")


@dataclass(frozen=True)
class Answer:
    """One answer of a scale: its code, its labels, other spellings, and the missing kind if it is not an answer."""

    code: float
    labels: Mapping[str, str]
    synonyms: tuple[str, ...]
    missing: str | None

    @property
    def words(self) -> tuple[str, ...]:
        """Its labels and synonyms."""
        return (*self.labels.values(), *self.synonyms)

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that may stand for it: its code as a number, its words."""
        number = f"{self.code:.15g}"
        return (number, *([f"{number}.0"] if self.code.is_integer() else []), *self.words)


@dataclass(frozen=True)
class Scale:
    """The answers of a question, in the order of their codes."""

    name: str
    answers: tuple[Answer, ...]

    @property
    def valid(self) -> tuple[Answer, ...]:
        """The answers that count, worst or lowest code first."""
        return tuple(answer for answer in self.answers if answer.missing is None)

    @cached_property
    def spellings(self) -> dict[str, Answer]:
        """Every spelling that means an answer, folded: its code, its labels, its synonyms."""
        return {fold(spelling): answer for answer in self.answers for spelling in answer.spellings}


CHOSEN = Scale(
    "chosen",
    (
        Answer(0.0, {"vi": "Không chọn", "en": "Not chosen"}, ("False",), None),
        Answer(1.0, {"vi": "Chọn", "en": "Chosen"}, ("True", "x"), None),
    ),
)


@dataclass(frozen=True)
class Variable:
    """One column of the raw files, or one answer of a question that takes several.

    minimum, maximum: smallest and largest value, dates for dates. missing: codes of a number that are no number,
    and their missing kind. relevant: when the question applies; constraint: what an answer must fulfil; both in
    XLSForm's language. otherwise: what happens to an answer that breaks a rule, `stop` or `blank`. question: the
    name of the question of which this is one answer, `choice`, chosen or not.
    """

    name: str
    column: str
    type: str
    scale: Scale | None
    minimum: float | date | None
    maximum: float | date | None
    labels: Mapping[str, str]
    reverse: bool
    line: int
    missing: Mapping[str, str] = field(default_factory=dict)
    relevant: str = ""
    constraint: str = ""
    otherwise: str = "stop"
    question: str | None = None
    choice: Answer | None = None

    @property
    def bounded(self) -> bool:
        """Whether it has a smallest or largest value of its own."""
        return self.minimum is not None or self.maximum is not None

    @property
    def header(self) -> str:
        """What stands over its column; one answer of several has its question before it: «Câu 5/Loa»."""
        return f"{self.column}/{self.choice.labels['vi']}" if self.choice else self.column


Codebook = Mapping[str, Variable]


def read_codebook(rows: list[dict] | None, scale_rows: list[dict] | None) -> tuple[Codebook, list[Problem]]:
    """The variables by name, from the rows of codebook.csv and scales.csv, and every problem of both.

    None stands for a file that could not be read. A question of type `multiple` becomes one variable an answer,
    `<question>_<code>`: 1 chosen, 0 not. Problems are unknown types and scales, codes that are not numbers, names or
    columns used twice, two answers with one spelling. What could be read is returned beside them, so that other
    files can still be checked.
    """
    scales, problems = _scales(scale_rows or [])
    named = {row["scale"] for row in scale_rows or []}
    scaled = [row for row in rows or [] if row["type"] in _SCALED]
    if scale_rows == [] and scaled:
        problems.append(Problem("scales.csv", "file_missing"))
    variables: dict[str, Variable] = {}
    columns: set[str] = set()
    if rows == []:
        problems.append(Problem("codebook.csv", "no_rows"))
    for row in rows or []:

        def problem(key: str, column: str, line: int = row["line"], **values: str) -> None:
            problems.append(Problem("codebook.csv", key, values, line, column))

        column = row["column"] or row["variable"]
        if not (row["variable"].isascii() and row["variable"].isidentifier()):
            problem("variable_name", "variable", found=row["variable"])
        if fold(column) in columns:
            problem("codebook_column_twice", "column", found=column)
        if row["type"] not in TYPES:
            problem("type_unknown", "type", found=row["type"], expected=", ".join(TYPES))
        if row["type"] in _SCALED and row["scale"] not in named and scale_rows:
            problem("scale_unknown", "scale", found=row["scale"], expected=nearest(row["scale"], scales))
        if row["reverse"] not in ("", "1"):
            problem("reverse_unknown", "reverse", found=row["reverse"])
        if row["otherwise"] not in ("", *OTHERWISE):
            problem("otherwise_unknown", "otherwise", found=row["otherwise"], expected=", ".join(OTHERWISE))
        if row["type"] in (*_SCALED, "number") and not (row["label_vi"] and row["label_en"]):
            problem("label_missing", "label_vi, label_en", found=row["variable"])
        low, high = (_bound(row, bound, problem) for bound in ("minimum", "maximum"))
        if low is not None and high is not None and low > high:  # type: ignore[operator]
            problem("bounds_crossed", "minimum", found=row["minimum"], expected=row["maximum"])
        columns.add(fold(column))
        variable = Variable(
            name=row["variable"],
            column=column,
            type=row["type"],
            scale=scales.get(row["scale"]) if row["type"] in _SCALED else None,
            minimum=low,
            maximum=high,
            labels={"vi": row["label_vi"], "en": row["label_en"]},
            reverse=row["reverse"] == "1",
            line=row["line"],
            missing=_missing_codes(row, problem),
            relevant=row["relevant"],
            constraint=row["constraint"],
            otherwise=row["otherwise"] or "stop",
        )
        for single in _choices(variable) if variable.type == "multiple" else [variable]:
            if single.name in variables:
                problem("variable_twice", "variable", found=single.name)
            variables[single.name] = single
    return variables, problems


def _bound(row: dict, bound: str, problem: Callable[..., None]) -> float | date | None:
    if not row[bound]:
        return None
    if row["type"] in MOMENTS:
        for style in ("%Y-%m-%d", "%d/%m/%Y"):
            try:
                return datetime.strptime(row[bound], style).date()
            except ValueError:
                continue
        problem("not_a_date", bound, found=row[bound])
        return None
    try:
        return float(row[bound].replace(",", "."))
    except ValueError:
        problem("not_a_number", bound, found=row[bound])
        return None


def _missing_codes(row: dict, problem: Callable[..., None]) -> dict[str, str]:
    """`99=dont_know|.a=refused` as codes and kinds; only numbers have it, scales say it of their answers."""
    found = {}
    for part in filter(None, row["missing"].split("|")):
        code, _, kind = (piece.strip() for piece in part.partition("="))
        try:
            found[code if _LETTERED.fullmatch(code) else f"{float(code.replace(',', '.')):.15g}"] = kind
        except ValueError:
            problem("not_a_number", "missing", found=code)
        if kind not in MISSING_KINDS:
            problem("missing_unknown", "missing", found=kind, expected=", ".join(MISSING_KINDS))
    if found and row["type"] != "number":
        problem("missing_not_number", "missing", found=row["missing"])
    return found


def _chosen(answer: Answer) -> Scale:
    """Chosen or not; some exports write the answer itself where it was chosen."""
    zero, one = CHOSEN.answers
    own = tuple(spelling for spelling in answer.spellings if spelling not in (*zero.spellings, *one.spellings))
    return replace(CHOSEN, answers=(zero, replace(one, synonyms=(*one.synonyms, *own))))


def _choices(variable: Variable) -> list[Variable]:
    """One variable for each answer that can be chosen."""
    found = []
    for answer in variable.scale.answers if variable.scale else ():
        name = f"{variable.name}_{answer.code:g}".replace("-", "m").replace(".", "_")
        labels = {language: f"{words}: {answer.labels[language]}" for language, words in variable.labels.items()}
        own = replace(variable, name=name, type="scale", scale=_chosen(answer), labels=labels)
        found.append(replace(own, question=variable.name, choice=answer))
    return found


def _scales(rows: list[dict]) -> tuple[dict[str, Scale], list[Problem]]:
    """The scales by name, and what is wrong with them."""
    problems: list[Problem] = []
    answers: dict[str, list[Answer]] = {}
    seen: dict[tuple[str, str], float] = {}
    for row in rows:
        line = row["line"]
        try:
            code = float(row["code"].replace(",", "."))
        except ValueError:
            key = "not_a_number" if row["code"] else "code_missing"
            problems.append(Problem("scales.csv", key, {"found": row["code"]}, line, "code"))
            continue
        if row["missing"] and row["missing"] not in MISSING_KINDS:
            values = {"found": row["missing"], "expected": ", ".join(MISSING_KINDS)}
            problems.append(Problem("scales.csv", "missing_unknown", values, line, "missing"))
        if not (row["label_vi"] and row["label_en"]):
            values = {"found": f"{row['scale']} {row['code']}"}
            problems.append(Problem("scales.csv", "label_missing", values, line, "label_vi, label_en"))
            continue
        answer = Answer(
            code,
            {"vi": row["label_vi"], "en": row["label_en"]},
            tuple(part.strip() for part in row["synonyms"].split("|") if part.strip()),
            row["missing"] or None,
        )
        for spelling in Scale(row["scale"], (answer,)).spellings:
            other = seen.setdefault((row["scale"], spelling), code)
            if other != code:
                values = {"found": spelling, "first": f"{other:g}", "second": f"{code:g}"}
                problems.append(Problem("scales.csv", "spelling_twice", values, line))
        if any(code == known.code for known in answers.get(row["scale"], [])):
            values = {"found": row["code"], "scale": row["scale"]}
            problems.append(Problem("scales.csv", "code_twice", values, line, "code"))
        answers.setdefault(row["scale"], []).append(answer)
    scales = {
        name: Scale(name, tuple(sorted(found, key=lambda answer: answer.code))) for name, found in answers.items()
    }
    return scales, problems
