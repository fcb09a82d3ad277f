"""Lesson 4: change with its uncertainty: paired, unpaired, overlapping; percent and points; many indicators."""

from __future__ import annotations

import pandas as pd

from evalkit.estimation import domain_means
from evalkit.exercises import Exercise, Work, effect
from evalkit.study import PERIODS

COMMUNE = "HL"
SCORE, SHARE = "cchc", "tl_cchc"  # administrative procedures: the score, and the share of answers that are satisfied
SECONDARY = "van_hoa"  # one of the six secondary indicators


def two_waves(work: Work) -> pd.DataFrame:
    """The commune's people, one row each: their score `before` and `after`, NaN where they were not asked."""
    scores = work.scores[work.scores["unit"] == COMMUNE]
    scores = scores.assign(period=scores["wave"].map(work.study.design.periods))
    return scores.pivot(index="respondent", columns="period", values=SCORE)[list(PERIODS)]


def _share(work: Work, period: str) -> float:
    return effect(work, COMMUNE, "level", indicator=SHARE, contrast=period)["estimate"]


def _share_of_all_asked(work: Work) -> float:
    """The wrong denominator: answers that were not given count as not satisfied."""
    responses, node = work.survey.responses, work.study.index[SHARE]
    asked = responses["wave"].map(work.study.design.periods) == "after"
    answers = responses.loc[asked & (responses["unit"] == COMMUNE), list(node.items)]
    return 100 * (answers >= node.at_least).to_numpy().mean()


def _points(work: Work) -> float:
    return _share(work, "after") - _share(work, "before")


def _std_error(people: pd.DataFrame) -> float:
    """Of the change, each person a cluster of one or two forms."""
    forms = people.stack().dropna().rename("score").reset_index()
    means = domain_means(forms[["score"]], forms["period"], cluster=forms["respondent"])
    return means.contrast([[1.0, -1.0]]).std_error.item()


def _of_strangers(people: pd.DataFrame) -> float:
    """The standard error as if nobody had been asked twice."""
    return (people["after"].sem() ** 2 + people["before"].sem() ** 2) ** 0.5


def _pairs(work: Work) -> pd.DataFrame:
    return two_waves(work).dropna()


def _bound(work: Work, column: str) -> float:
    return effect(work, "pilot", "change", indicator=SECONDARY)[column]


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "4.1",
        "number",
        lambda work: _share(work, "after"),
        unit="course_4_unit_percent",
        mistakes={
            "4_divided_by_all": _share_of_all_asked,
            "4_share_as_fraction": lambda work: _share(work, "after") / 100,
            "4_first_survey": lambda work: _share(work, "before"),
        },
    ),
    Exercise(
        "4.2",
        "number",
        _points,
        unit="course_4_unit_percentage_points",
        mistakes={
            "4_percent_for_points": lambda work: 100 * _points(work) / _share(work, "before"),
            "4_before_minus_after": lambda work: -_points(work),
            "4_points_as_fraction": lambda work: _points(work) / 100,
        },
    ),
    Exercise(
        "4.3",
        "count",
        lambda work: len(_pairs(work)),
        mistakes={
            "4_forms_added": lambda work: int(two_waves(work).notna().to_numpy().sum()),
            "4_everybody": lambda work: len(two_waves(work).dropna(how="all")),
        },
    ),
    Exercise(
        "4.4",
        "number",
        lambda work: _std_error(_pairs(work)),
        decimals=2,
        unit="course_4_unit_points",
        mistakes={
            "4_unpaired_on_pairs": lambda work: _of_strangers(_pairs(work)),
            "4_spread_for_error": lambda work: _std_error(_pairs(work)) * len(_pairs(work)) ** 0.5,
        },
    ),
    Exercise(
        "4.5",
        "number",
        lambda work: _std_error(two_waves(work)),
        decimals=2,
        unit="course_4_unit_points",
        mistakes={
            "4_overlap_forgotten": lambda work: _of_strangers(two_waves(work)),
            "4_errors_added": lambda work: two_waves(work).sem().sum(),
        },
    ),
    Exercise(
        "4.6",
        "number",
        lambda work: _bound(work, "conf_low_adjusted"),
        unit="course_4_unit_points",
        mistakes={
            "4_single_interval": lambda work: _bound(work, "conf_low"),
            "4_upper_end": lambda work: _bound(work, "conf_high_adjusted"),
        },
    ),
)
