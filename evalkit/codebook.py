"""What each column of the raw files means: variables, scales, labels, missing kinds, direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from evalkit.encodings import fold
from evalkit.errors import DataError, Problem, nearest
from evalkit.textfiles import read_table

TYPES = ("scale", "number", "date", "key", "text", "identifier", "ignore")
MISSING_KINDS = ("dont_know", "refused", "not_applicable", "blank")
_COLUMNS = ("variable", "column", "type", "scale", "minimum", "maximum", "label_vi", "label_en", "reverse")
_SCALE_COLUMNS = ("scale", "code", "label_vi", "label_en", "synonyms", "missing")


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
        return {
            fold(spelling): answer
            for answer in self.answers
            for spelling in (*_number_texts(answer.code), *answer.words)
        }


def _number_texts(code: float) -> tuple[str, ...]:
    return (f"{code:g}", f"{code:.1f}") if code.is_integer() else (f"{code:g}",)


@dataclass(frozen=True)
class Variable:
    """One column of the raw files."""

    name: str
    column: str
    type: str
    scale: Scale | None
    minimum: float | None
    maximum: float | None
    labels: Mapping[str, str]
    reverse: bool
    line: int


Codebook = Mapping[str, Variable]


def read_codebook(folder: Path) -> tuple[Codebook, list[Problem]]:
    """The variables of `codebook.csv` with the scales of `scales.csv`, by name, and every problem of both files.

    Problems are unknown types and scales, codes that are not numbers, names or columns used twice, two answers
    with one spelling. What could be read is returned beside them, so that other files can still be checked.
    """
    scales, problems = _read_scales(folder)
    unread = scales is None
    scales = scales or {}
    try:
        rows = read_table(folder / "codebook.csv", "codebook.csv", _COLUMNS)
    except DataError as error:
        return {}, problems + list(error.problems)
    if not rows:
        problems.append(Problem("codebook.csv", "no_rows"))
    if not (folder / "scales.csv").exists() and any(row["type"] == "scale" for row in rows):
        problems.append(Problem("scales.csv", "file_missing"))
        unread = True
    variables: dict[str, Variable] = {}
    columns: set[str] = set()
    for row in rows:
        line = row["line"]

        def problem(key: str, column: str, line: int = line, **values: str) -> None:
            problems.append(Problem("codebook.csv", key, values, line, column))

        column = row["column"] or row["variable"]
        if not (row["variable"].isascii() and row["variable"].isidentifier()):
            problem("variable_name", "variable", found=row["variable"])
        if row["variable"] in variables:
            problem("variable_twice", "variable", found=row["variable"])
        if fold(column) in columns:
            problem("codebook_column_twice", "column", found=column)
        if row["type"] not in TYPES:
            problem("type_unknown", "type", found=row["type"], expected=", ".join(TYPES))
        if row["type"] == "scale" and row["scale"] not in scales and not unread:
            problem("scale_unknown", "scale", found=row["scale"], expected=nearest(row["scale"], scales))
        if row["reverse"] not in ("", "1"):
            problem("reverse_unknown", "reverse", found=row["reverse"])
        bounds = {}
        for bound in ("minimum", "maximum"):
            try:
                bounds[bound] = float(row[bound].replace(",", ".")) if row[bound] else None
            except ValueError:
                bounds[bound] = None
                problem("not_a_number", bound, found=row[bound])
        low, high = bounds["minimum"], bounds["maximum"]
        if low is not None and high is not None and low > high:
            problem("bounds_crossed", "minimum", found=row["minimum"], expected=row["maximum"])
        if row["type"] in ("scale", "number") and not (row["label_vi"] and row["label_en"]):
            problem("label_missing", "label_vi, label_en", found=row["variable"])
        columns.add(fold(column))
        variables[row["variable"]] = Variable(
            name=row["variable"],
            column=column,
            type=row["type"],
            scale=scales.get(row["scale"]) if row["type"] == "scale" else None,
            labels={"vi": row["label_vi"], "en": row["label_en"]},
            reverse=row["reverse"] == "1",
            line=line,
            **bounds,
        )
    return variables, problems


def _read_scales(folder: Path) -> tuple[dict[str, Scale] | None, list[Problem]]:
    """The scales by name, None where the file cannot be read, and what is wrong with it."""
    path = folder / "scales.csv"
    if not path.exists():
        return {}, []
    problems: list[Problem] = []
    try:
        rows = read_table(path, "scales.csv", _SCALE_COLUMNS)
    except DataError as error:
        return None, list(error.problems)
    answers: dict[str, list[Answer]] = {}
    seen: dict[tuple[str, str], float] = {}
    for row in rows:
        line = row["line"]
        try:
            code = float(row["code"].replace(",", "."))
        except ValueError:
            problems.append(Problem("scales.csv", "not_a_number", {"found": row["code"]}, line, "code"))
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
