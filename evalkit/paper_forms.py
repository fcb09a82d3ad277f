"""The survey on paper: its questions, their numbers, and when each is asked, as print and workbook both say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import groupby, product

import pandas as pd

from evalkit.codebook import MOMENTS, Answer, Codebook, Variable
from evalkit.encodings import fold
from evalkit.expressions import Expression, parse
from evalkit.language import Language, catalogue, text
from evalkit.study import Study

FORM_NUMBER, TYPIST = "so_phieu", "nguoi_nhap"
NEVER_ASKED = ("identifier", "ignore")
_MOST_CHOICES = 10
_OWN_NUMBER = re.compile(r"(?:câu|question|q)\s*(\d+(?:[._]\d+)*[a-zđ]?)\.?", re.IGNORECASE)
_FORM_WORDS = re.compile(r"(so|ma)_?(phieu|bang_hoi)|form_?(no|number|id)?|(số|mã) phiếu|form number")


@dataclass(frozen=True)
class Skip:
    """When a question is asked, in a form that words and spreadsheets can say: one of these answers was given."""

    variable: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Question:
    """One question on paper: its variables (one for each answer where several can be chosen) and its number."""

    number: str
    variables: tuple[Variable, ...]

    @property
    def first(self) -> Variable:
        """The variable, or the first of several."""
        return self.variables[0]

    def words(self, language: Language) -> str:
        """The question as it is asked; for one answer of several, without the answer."""
        whole = self.first.labels[language]
        if self.first.choice is not None:
            whole = whole.removesuffix(f": {self.first.choice.labels[language]}")
        return whole or self.first.column


def form_number(codebook: Codebook) -> str | None:
    """The identifier that numbers the forms, by its name or label; None where the codebook has none.

    form_number(study.codebook)  # "so_phieu"
    """
    for variable in codebook.values():
        if variable.type in ("identifier", "key"):
            names = (variable.name, variable.column, *variable.labels.values())
            if any(_FORM_WORDS.fullmatch(fold(name)) for name in names):
                return variable.name
    return None


def with_entry_columns(codebook: Codebook) -> Codebook:
    """The codebook and the two columns that the workbook has besides: form number and typist, as identifiers.

    Identifiers may be missing from a file and never reach the responses, so any raw file can be read with it.

        frame, notices = ek.read_responses("nhap_lieu.xlsx", with_entry_columns(study.codebook))
        frame["nguoi_nhap"]
    """
    found = dict(codebook)
    columns = {fold(variable.column) for variable in codebook.values()}
    for name, key in ((FORM_NUMBER, "paper_form_number"), (TYPIST, "paper_typist")):
        wanted = name == TYPIST or form_number(codebook) is None
        labels = catalogue()[key]
        if wanted and name not in found and fold(labels["vi"]) not in columns:
            found[name] = Variable(name, labels["vi"], "identifier", None, None, None, labels, False, 0)
    return found


def questions(study: Study) -> list[Question]:
    """The questions in the order of the codebook, without identifiers, keys, weight and what stands above them.

    A number that stands in `column` («Câu 1.2») is kept; the others are counted, A1, A2 … where some have their own.
    """
    left_out = {study.declared.design.weight, *(variable.name for variable in head(study))}
    asked = [v for v in study.codebook.values() if v.type not in NEVER_ASKED and v.name not in left_out]
    groups = [tuple(group) for _, group in groupby(asked, key=lambda variable: variable.question or variable.name)]
    own = [_OWN_NUMBER.fullmatch(variables[0].column) for variables in groups]
    prefix = "A" if any(own) else ""
    found, count = [], 0
    for variables, match in zip(groups, own, strict=True):
        count += match is None
        found.append(Question(match[1].replace("_", ".") if match else f"{prefix}{count}", variables))
    return found


def plain_skip(relevant: str, codebook: Codebook) -> Skip | None:
    """The condition as «one of these answers was given to one question», None where it is anything else.

    It is tried out on every answer that the question can have, so any way of writing it will do.

        plain_skip("${mot_cua} = 1", study.codebook).answers[0].labels["vi"]  # "Có"
    """
    if not relevant:
        return None
    expression = parse(relevant)
    if len(expression.variables) != 1:
        return None
    (name,) = expression.variables
    chosen = {v.name: v.choice for v in codebook.values() if v.question == name and v.choice is not None}
    if chosen:
        return _skip_of_several(expression, name, chosen)
    variable = codebook.get(name)
    if variable is None or variable.scale is None:
        return None
    answers = variable.scale.valid
    holds = expression.evaluate({name: pd.Series([answer.code for answer in answers], dtype=float)}).fillna(False)
    given = tuple(answer for answer, asked in zip(answers, holds, strict=True) if asked)
    return Skip(name, given) if 0 < len(given) < len(answers) else None


def _skip_of_several(expression: Expression, name: str, chosen: dict[str, Answer]) -> Skip | None:
    if len(chosen) > _MOST_CHOICES:
        return None
    rows = pd.DataFrame(list(product((0.0, 1.0), repeat=len(chosen)))[1:], columns=list(chosen))
    columns = {name: {answer.code: variable for variable, answer in chosen.items()}}
    holds = expression.evaluate(rows, answers=columns).fillna(False).astype(bool)
    alone = rows[holds & (rows.sum(axis=1) == 1)]
    asked = [variable for variable in chosen if alone[variable].any()]
    said = bool(asked) and (holds == rows[asked].any(axis=1)).all()
    return Skip(name, tuple(chosen[variable] for variable in asked)) if said else None


def head(study: Study) -> list[Variable]:
    """What stands above the questions: who was asked where, when and by whom."""
    roles = study.declared.design
    named = {roles.unit, roles.respondent, roles.cluster, roles.stratum, roles.interviewer}
    named |= {roles.started, roles.ended, roles.duration}
    found, above = [], True
    for variable in study.codebook.values():
        above &= variable.type in (*NEVER_ASKED, "key", *MOMENTS) or variable.name == roles.weight
        if variable.type in NEVER_ASKED or variable.name in (roles.weight, form_number(study.codebook)):
            continue
        if variable.name in named or variable.type == "key" or (above and variable.type in MOMENTS):
            found.append(variable)
    return found


def bounds(low: float | date | None, high: float | date | None, language: Language) -> str:
    """A range in words: «từ 18 đến 100», «từ 1,5», "" where it has no end."""
    ends = {"low": low, "high": high}
    shown = {
        end: f"{value:%d/%m/%Y}" if isinstance(value, date) else f"{value:g}"
        for end, value in ends.items()
        if value is not None
    }
    if len(shown) == 2:
        return text("paper_range", language, **shown)
    return "".join(text("paper_at_least" if end == "low" else "paper_at_most", language, **shown) for end in shown)
