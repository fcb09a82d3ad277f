"""Responses as the rules of screening want them: waves, people, interviewers, answers on one footing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from evalkit.codebook import Variable
from evalkit.resemblance import Nearest, nearest
from evalkit.study import Study

ITEMS = 6  # a run or a spread of fewer answers says nothing
COMPARED = 20  # items that two forms must both have answered before they may be called copies


@dataclass(frozen=True)
class Forms:
    """Responses with what the rules need of them; rows are numbered from 0."""

    frame: pd.DataFrame
    study: Study
    missing: pd.DataFrame | None

    def role(self, name: str) -> pd.Series | None:
        """The column that plays a part in the design, None without one; interviewers' column has the part's name."""
        variable = getattr(self.study.declared.design, name, None)
        column = "interviewer" if name == "interviewer" else variable
        return self.frame[column] if variable is not None and column in self.frame else None

    @cached_property
    def waves(self) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of each wave."""
        return {str(wave): np.asarray(rows) for wave, rows in self.frame.groupby("wave", sort=False).indices.items()}

    @cached_property
    def wave(self) -> npt.NDArray[np.int64]:
        """The number of each form's wave."""
        return pd.factorize(self.frame["wave"])[0]

    @cached_property
    def person(self) -> npt.NDArray[np.int64]:
        """The number of each form's respondent, -1 where unknown."""
        if "respondent" not in self.frame:
            return np.full(len(self.frame), -1)
        return pd.factorize(self.frame["respondent"])[0]

    @cached_property
    def interviewer(self) -> pd.Series:
        """Who filled in each form, missing where unknown."""
        found = self.role("interviewer")
        return pd.Series(None, index=self.frame.index, dtype=object) if found is None else found.astype(object)

    @cached_property
    def minutes(self) -> pd.Series | None:
        """How long each form took."""
        found = self.role("duration")
        if found is not None:
            return found.astype(float)
        started, ended = self.role("started"), self.role("ended")
        return None if started is None or ended is None else (ended - started).dt.total_seconds() / 60

    @cached_property
    def questions(self) -> list[Variable]:
        """The questions with three answers or more, in questionnaire order, without those that describe people."""
        left_out = set(self.study.declared.design.composition)
        return [
            variable
            for variable in self.study.codebook.values()
            if variable.scale is not None and len(variable.scale.valid) > 2
            if variable.name in self.frame and variable.name not in left_out
        ]

    @cached_property
    def points(self) -> npt.NDArray[np.float64]:
        """Answers to the questions from 0 to 1, by code (n, questions): reversed ones are not turned round."""
        answers = self.frame[[question.name for question in self.questions]].to_numpy(dtype=float)
        codes = [[answer.code for answer in question.scale.valid] for question in self.questions if question.scale]
        low, high = (np.array([end(found) for found in codes]) for end in (min, max))
        return (answers - low) / (high - low)

    @cached_property
    def reverse(self) -> npt.NDArray[np.bool_]:
        """Which questions are reversed."""
        return np.array([question.reverse for question in self.questions], dtype=bool)

    @cached_property
    def grids(self) -> list[npt.NDArray[np.int64]]:
        """The positions of questions that share a scale, where they are enough for runs."""
        names = [question.scale.name for question in self.questions if question.scale is not None]
        found = [np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)]
        return [grid for grid in found if len(grid) >= ITEMS]

    @cached_property
    def mixed(self) -> list[npt.NDArray[np.int64]]:
        """The grids that ask in both directions."""
        return [grid for grid in self.grids if 0 < self.reverse[grid].sum() < len(grid)]

    @cached_property
    def groups(self) -> list[npt.NDArray[np.int64]]:
        """The positions of each indicator's questions, of those that have two or more."""
        place = {question.name: at for at, question in enumerate(self.questions)}
        found = [[place[name] for name in node.items if name in place] for node in self.study.index.values()]
        return [np.array(sorted(group)) for group in found if len(group) > 1]

    @cached_property
    def opposites(self) -> list[tuple[int, int]]:
        """Pairs of questions of one indicator that ask in opposite directions, each question in one pair."""
        found: list[tuple[int, int]] = []
        for group in self.groups:
            turned = self.reverse[group]
            found += zip(group[~turned].tolist(), group[turned].tolist(), strict=False)
        return list(dict.fromkeys(found))

    @cached_property
    def compared(self) -> npt.NDArray[np.float64]:
        """The answers by which forms are compared (n, items): all questions, and numbers with few enough values."""
        roles = self.study.declared.design
        left_out = {getattr(roles, name, None) for name in ("weight", "started", "ended", "duration", "interviewer")}
        names = [
            variable.name
            for variable in self.study.codebook.values()
            if variable.name in self.frame and variable.name not in left_out
            if variable.type == "scale" or (variable.type == "number" and self.frame[variable.name].nunique() <= 100)
        ]
        return self.frame[names].to_numpy(dtype=float)

    @cached_property
    def nearest(self) -> tuple[Nearest, Nearest]:
        """The form most like each, in its wave and in other waves."""
        return nearest(self.compared, self.wave, self.person, minimum=COMPARED)

    @cached_property
    def again(self) -> npt.NDArray[np.int64]:
        """The rows of one respondent's form and that of the next wave (pairs, 2)."""
        known = np.flatnonzero(self.person >= 0)
        order = known[np.lexsort((self.wave[known], self.person[known]))]
        same = (self.person[order][1:] == self.person[order][:-1]) & (self.wave[order][1:] != self.wave[order][:-1])
        return np.column_stack([order[:-1][same], order[1:][same]])
