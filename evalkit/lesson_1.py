"""Lesson 1: what a before/after comparison can show, and what it cannot."""

from __future__ import annotations

import pandas as pd

from evalkit.exercises import UNCHANGED, Exercise, Work, effect, unit_changes
from evalkit.sample import BETWEEN

NOWHERE = "0"
PAIR = 2  # as many as there are pilot communes


def _neighbours(work: Work) -> pd.Series:
    return unit_changes(work, "comparison")["estimate"]


def _pilot_change(work: Work) -> float:
    return effect(work, "pilot", "change")["estimate"]


def _relative_change(work: Work) -> float:
    return 100 * _pilot_change(work) / effect(work, "pilot", "level", contrast="before")["estimate"]


def _only_after(work: Work) -> float:
    pilot, comparison = (effect(work, arm, "level", contrast="after") for arm in ("pilot", "comparison"))
    return pilot["estimate"] - comparison["estimate"]


def _risen(work: Work, *arms: str) -> int:
    return int((unit_changes(work, *arms)["estimate"] > 0).sum())


def _places(work: Work, *, changed: bool) -> set[str]:
    """The communes in which the interval of the change excludes 0, or the others; NOWHERE where there is none."""
    found = unit_changes(work)
    excludes = (found["conf_low_adjusted"] > 0) | (found["conf_high_adjusted"] < 0)
    return set(found.index[excludes == changed]) or {NOWHERE}


def _risen_places(work: Work) -> set[str]:
    found = unit_changes(work)
    return set(found.index[found["estimate"] > 0])


def _ends(work: Work) -> list[float]:
    """How far from 0 the ends of the interval lie, the nearer one first."""
    found = effect(work, BETWEEN, "did", indicator=UNCHANGED)
    return sorted((abs(found["conf_low_adjusted"]), abs(found["conf_high_adjusted"])))


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "1.1",
        "number",
        _pilot_change,
        unit="course_1_unit",
        mistakes={
            "1_before_minus_after": lambda work: -_pilot_change(work),
            "1_percent_for_points": _relative_change,
        },
    ),
    Exercise(
        "1.2",
        "count",
        lambda work: _risen(work, "comparison"),
        mistakes={"1_pilots_counted": _risen},
    ),
    Exercise(
        "1.3",
        "number",
        lambda work: _neighbours(work).nlargest(PAIR).mean(),
        unit="course_1_unit",
        mistakes={
            "1_mean_of_all": lambda work: _neighbours(work).mean(),
            "1_largest_alone": lambda work: _neighbours(work).max(),
        },
    ),
    Exercise(
        "1.4",
        "number",
        lambda work: effect(work, BETWEEN, "did")["estimate"],
        unit="course_1_unit",
        mistakes={
            "1_pilots_only": _pilot_change,
            "1_after_only": _only_after,
            "1_added": lambda work: _pilot_change(work) + _neighbours(work).mean(),
        },
    ),
    Exercise(
        "1.5",
        "codes",
        lambda work: _places(work, changed=True),
        mistakes={
            "1_pilots_assumed": lambda work: set(unit_changes(work, "pilot").index),
            "1_signs_read": _risen_places,
            "1_unclear_named": lambda work: _places(work, changed=False),
        },
    ),
    Exercise(
        "1.6",
        "number",
        lambda work: _ends(work)[1],
        unit="course_1_unit",
        mistakes={
            "1_absence_shown": lambda work: 0.0,
            "1_interval_ignored": lambda work: abs(effect(work, BETWEEN, "did", indicator=UNCHANGED)["estimate"]),
            "1_nearer_end": lambda work: _ends(work)[0],
            "1_width": lambda work: sum(_ends(work)),
            "1_sign_kept": lambda work: -_ends(work)[1],
        },
    ),
)
