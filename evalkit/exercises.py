"""What an exercise of the course is: the right answer is computed from a student's own data, never stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.grid import Raw
from evalkit.indicators import score
from evalkit.language import Language
from evalkit.reading import read
from evalkit.study import Study, open_study


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


@dataclass(frozen=True)
class Mistake:
    """A typical wrong answer, computed as the student would have: its hint is the text `course_<key>`."""

    key: str
    answer: Callable[[Work], Any]


@dataclass(frozen=True)
class Exercise:
    """One exercise: `code` as in «3.2», how its right answer is computed, and which mistakes are known.

    kind: `number` (within `tolerance` of the answer, in the unit of the text `unit`), `count` (exactly), `choice`
    (one of `options`), `codes` (a set of codes in any order). Texts: `course_<lesson>_<n>_hint_1` to `_hint_3`, and
    `course_<lesson>_<n>_way` for the way when the hints are used up.
    """

    code: str
    kind: Literal["number", "count", "choice", "codes"]
    answer: Callable[[Work], Any]
    tolerance: float = 0.0
    unit: str = ""
    options: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
