"""Lesson 1: what a before/after comparison can show, and what it cannot."""

from __future__ import annotations

import pandas as pd

from evalkit.claims import direction
from evalkit.effects import select
from evalkit.exercises import Exercise, Mistake, Work
from evalkit.licence import GATE, comparability
from evalkit.sample import BETWEEN

ASKED, UNCHANGED = "hai_long", "cham_lo"  # overall satisfaction; the group on which the simulated model has no effect
PAIR = 2  # as many as there are pilot communes


def effect(work: Work, group: str, estimand: str, *, indicator: str = ASKED, contrast: str = "") -> pd.Series:
    """The row of the effects that a lesson asks for; of differences-in-differences the one on communes."""
    method = "unit t" if estimand == "did" else "linearised"
    key = {"contrast": contrast} if contrast else {}
    return select(work.effects, indicator=indicator, group=group, estimand=estimand, method=method, **key).iloc[0]


def neighbours(work: Work) -> pd.Series:
    """The change of every comparison commune, in points."""
    units = [unit for unit, arm in work.study.design.arms.items() if arm == "comparison"]
    return pd.Series({unit: effect(work, unit, "change")["estimate"] for unit in units})


def _pilot_change(work: Work) -> float:
    return effect(work, "pilot", "change")["estimate"]


def _relative_change(work: Work) -> float:
    return 100 * _pilot_change(work) / effect(work, "pilot", "level", contrast="before")["estimate"]


def _only_after(work: Work) -> float:
    pilot, comparison = (effect(work, arm, "level", contrast="after") for arm in ("pilot", "comparison"))
    return pilot["estimate"] - comparison["estimate"]


def _risen(work: Work, arms: tuple[str, ...]) -> int:
    units = [unit for unit, arm in work.study.design.arms.items() if arm in arms]
    return int(sum(effect(work, unit, "change")["estimate"] > 0 for unit in units))


def _said_of_pilots(work: Work) -> str:
    """What the two pilot communes alone carry, as if nobody had asked anywhere else."""
    changed = GATE[not comparability(work.study, ASKED), False, False] == "changed"
    return "b" if changed and direction(effect(work, "pilot", "change")) != "none" else "c"


def _said_of_unchanged(work: Work) -> str:
    shown = direction(effect(work, BETWEEN, "did", indicator=UNCHANGED))
    return {"none": "b", "higher": "c", "lower": "d"}[shown]


def _by_sign(work: Work) -> str:
    return "c" if effect(work, BETWEEN, "did", indicator=UNCHANGED)["estimate"] > 0 else "d"


ROUNDED = 0.06  # points: the answer may be rounded to one decimal

EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "1.1",
        "number",
        _pilot_change,
        tolerance=ROUNDED,
        unit="course_1_unit",
        mistakes=(
            Mistake("1_before_minus_after", lambda work: -_pilot_change(work)),
            Mistake("1_percent_for_points", _relative_change),
        ),
    ),
    Exercise(
        "1.2",
        "count",
        lambda work: _risen(work, ("comparison",)),
        mistakes=(Mistake("1_pilots_counted", lambda work: _risen(work, ("pilot", "comparison"))),),
    ),
    Exercise(
        "1.3",
        "number",
        lambda work: neighbours(work).nlargest(PAIR).mean(),
        tolerance=ROUNDED,
        unit="course_1_unit",
        mistakes=(
            Mistake("1_mean_of_all", lambda work: neighbours(work).mean()),
            Mistake("1_largest_alone", lambda work: neighbours(work).max()),
        ),
    ),
    Exercise(
        "1.4",
        "number",
        lambda work: effect(work, BETWEEN, "did")["estimate"],
        tolerance=ROUNDED,
        unit="course_1_unit",
        mistakes=(
            Mistake("1_pilots_only", _pilot_change),
            Mistake("1_after_only", _only_after),
            Mistake("1_added", lambda work: _pilot_change(work) + neighbours(work).mean()),
        ),
    ),
    Exercise(
        "1.5",
        "choice",
        _said_of_pilots,
        options=("a", "b", "c", "d"),
        mistakes=(Mistake("1_cause_claimed", lambda work: "a"), Mistake("1_carried_over", lambda work: "d")),
    ),
    Exercise(
        "1.6",
        "choice",
        _said_of_unchanged,
        options=("a", "b", "c", "d"),
        mistakes=(Mistake("1_absence_shown", lambda work: "a"), Mistake("1_interval_ignored", _by_sign)),
    ),
)
