"""What an exercise of the course is: the right answer is computed from a student's own data, never stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.effects import select
from evalkit.errors import DataError, Problem
from evalkit.grid import Raw
from evalkit.indicators import score
from evalkit.language import Language
from evalkit.reading import read
from evalkit.study import Study, open_study

GROUPS = ("cchc", "dan_chu", "van_hoa", "tiep_dan", "cntt", "cham_lo")
ASKED, UNCHANGED = "hai_long", "cham_lo"  # overall satisfaction; the group on which the simulated model has no effect


@dataclass(frozen=True)
class Work:
    """A student's pilot: the study folder made for her code, and what evalkit computes from it, on first use.

    language: of the lesson that she has open.
    """

    code: str
    folder: Path
    language: Language = "vi"

    @cached_property
    def study(self) -> Study:
        """What the folder declares."""
        return open_study(self.folder)

    @cached_property
    def raw(self) -> Raw:
        """Its files as they came."""
        return read(self.study)

    @cached_property
    def survey(self) -> Survey:
        """The cleaned survey."""
        return clean(self.raw, self.study)

    @cached_property
    def scores(self) -> pd.DataFrame:
        """One column an indicator."""
        return score(self.survey.responses, self.study.index, self.study.codebook, keep=self.study.design.composition)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """The table of effects."""
        return compare(self.scores, self.study.design, self.study.plan, self.study.index)


def effect(work: Work, group: str, estimand: str, *, indicator: str = ASKED, contrast: str = "") -> pd.Series:
    """A row of the effects of her pilot; of differences-in-differences the one on communes.

    effect(work, "pilot", "change")["estimate"]
    """
    method = "unit t" if estimand == "did" else "linearised"
    key = {"contrast": contrast} if contrast else {}
    return select(work.effects, indicator=indicator, group=group, estimand=estimand, method=method, **key).iloc[0]


def unit_changes(work: Work, *arms: str, indicator: str = ASKED) -> pd.DataFrame:
    """The effects on the change of every commune of these arms, all where none is named, by unit.

    unit_changes(work, "comparison")["estimate"]
    """
    units = [unit for unit, arm in work.study.design.arms.items() if not arms or arm in arms]
    rows = select(work.effects, indicator=indicator, estimand="change", method="linearised")
    return rows.set_index("group").loc[units]


@dataclass(frozen=True)
class Exercise:
    """One exercise: `code` as in «3.2», how its right answer is computed, and which mistakes are known.

    kind: `number` (in the unit of the text `unit`, to `decimals`), `count` (exactly), `choice` (one of `options`),
    `codes` (a set of codes in any order). mistakes: typical wrong answers, each computed as the student would have;
    its hint is the text `course_<key>`. Texts: `course_<lesson>_<n>_hint_1` to `_hint_3`, and `_way` for the way when
    the hints are used up.
    """

    code: str
    kind: Literal["number", "count", "choice", "codes"]
    answer: Callable[[Work], Any]
    mistakes: Mapping[str, Callable[[Work], Any]]
    unit: str = ""
    decimals: int = 1
    options: tuple[str, ...] = ()

    @property
    def tolerance(self) -> float:
        """How far a right number may be off: by hand, from what the lesson prints, rounded on the way."""
        return {1: 0.15, 2: 0.006}[self.decimals] if self.kind == "number" else 0.0


class StopError(DataError):
    """Ends a run of cells without a traceback: IPython shows what `_render_traceback_` returns."""

    def __init__(self, problem: Problem, language: Language) -> None:
        super().__init__([problem])
        self.language = language

    def __str__(self) -> str:
        return self.message(self.language)

    def _render_traceback_(self) -> list[str]:
        return [str(self)]
