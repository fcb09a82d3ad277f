"""Lesson 5: two communes and their neighbours; a thousand pilots without any effect, and who raises the alarm."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.claims import claims
from evalkit.exercises import ASKED, UNCHANGED, Exercise, Work, unit_changes
from evalkit.sample import BETWEEN
from evalkit.simulation import CUTS, PilotModel
from evalkit.units import UnitComparison, compare_units

PILOTS, RESPONDENTS, MANY = 1000, 135, 540
BLOCK = 100  # pilots drawn at a time
ALARM = 0.05
APART = 0.5  # points
_SWING, _LEVEL = PilotModel.shock_sd, 3.4  # on the latent scale of `simulation`, where 1 is one answer


def without_effect(work: Work, *, respondents: int = RESPONDENTS) -> pd.DataFrame:
    """A thousand pilots in which nobody did anything, drawn by the student's code.

    The communes are those of her study. In each survey every commune stands a little higher or lower than it usually
    does, and `respondents` of its people answer one question on the scale from 1 to 5. Returns one row a pilot:
    `usual_p`, of the t test between all answers of the pilot communes before and after (Student 1908, Biometrika 6),
    then the change of each commune, in points of 0–100.

        without_effect(work)
    """
    return _without_effect(work.code, tuple(work.study.design.arms.items()), respondents).copy()


@lru_cache(maxsize=8)
def _without_effect(code: str, arms: tuple[tuple[str, str], ...], respondents: int) -> pd.DataFrame:
    rng = np.random.default_rng([5, *code.encode()])
    pilot = np.array([arm == "pilot" for _, arm in arms])
    spread = np.hypot(PilotModel.person_sd, PilotModel.noise_sd)
    found = []
    for _ in range(PILOTS // BLOCK):
        level = _LEVEL + rng.normal(0, _SWING, (2, BLOCK, len(arms), 1))
        answers = 25.0 * np.searchsorted(CUTS, rng.normal(level, spread, (2, BLOCK, len(arms), respondents)))
        before, after = answers[:, :, pilot].reshape(2, BLOCK, -1)
        change = np.subtract(*answers.mean(axis=-1)[::-1])
        found.append(np.column_stack([stats.ttest_ind(before, after, axis=1).pvalue, change]))
    columns = ["usual_p", *(unit for unit, _ in arms)]
    return pd.DataFrame(np.concatenate(found), pd.RangeIndex(1, PILOTS + 1, name="pilot"), columns)


def is_pilot(work: Work) -> np.ndarray:
    """Which communes of the study are pilots, in its order."""
    return np.array([arm == "pilot" for arm in work.study.design.arms.values()])


def neighbours_p(pilots: pd.DataFrame, work: Work) -> pd.Series:
    """Of every pilot the p of `units.compare_units`: the pilot communes' changes against their neighbours'."""
    units = pilots[list(work.study.design.arms)].to_numpy()
    return pd.Series([compare_units(row, is_pilot(work)).p_value for row in units], pilots.index)


def false_alarm(work: Work) -> pd.Series:
    """The changes of the communes, in points, in a pilot of the thousand in which the usual test raises the alarm.

    The first one in which the neighbours changed, and the two pilots otherwise than they: so are the ways to compare
    them told apart.

        false_alarm(work)
    """
    pilots = without_effect(work)
    units = pilots[list(work.study.design.arms)]
    ours, others = (units.loc[:, mask].mean(axis=1) for mask in (is_pilot(work), ~is_pilot(work)))
    told_apart = (others.abs() > APART) & ((ours - others).abs() > APART)
    return units[(pilots["usual_p"] < ALARM) & told_apart].iloc[0].rename(None)


def every_pair(work: Work) -> pd.DataFrame:
    """The difference to all others if these two communes had been the pilots: `first, second, difference`, points."""
    change = unit_changes(work, indicator=UNCHANGED)["estimate"]
    pairs = pd.DataFrame(combinations(change.index, 2), columns=["first", "second"])
    both = change[pairs["first"]].to_numpy() + change[pairs["second"]].to_numpy()
    return pairs.assign(difference=both / 2 - (change.sum() - both) / (len(change) - 2))


def _usual(work: Work, respondents: int = RESPONDENTS) -> float:
    """Per cent of the pilots in which the usual test raises the alarm."""
    return 100 * (without_effect(work, respondents=respondents)["usual_p"] < ALARM).mean()


def _usual_improved(work: Work) -> float:
    pilots = without_effect(work)
    risen = pilots[np.array(list(work.study.design.arms))[is_pilot(work)]].mean(axis=1) > 0
    return 100 * ((pilots["usual_p"] < ALARM) & risen).mean()


@lru_cache(maxsize=8)
def _ours(work: Work, respondents: int = RESPONDENTS) -> float:
    return 100 * (neighbours_p(without_effect(work, respondents=respondents), work) < ALARM).mean()


def _pilots_alone(work: Work) -> float:
    return false_alarm(work)[is_pilot(work)].mean()


def _difference(work: Work) -> float:
    return compare_units(false_alarm(work), is_pilot(work)).estimate


def _compared(work: Work) -> UnitComparison:
    return compare_units(unit_changes(work, indicator=UNCHANGED)["estimate"], is_pilot(work))


def _alike(work: Work) -> int:
    """Of how many pairs of communes the difference is at least as large as that of the real pilots."""
    found = _compared(work)
    return round(found.placebo_p * found.assignments)


def _alike_same_sign(work: Work) -> int:
    estimate = _compared(work).estimate
    differences = every_pair(work)["difference"] * np.sign(estimate)
    return int((differences >= abs(estimate) - 1e-9).sum())


def _said(work: Work) -> str:
    """What design and result let one say of overall satisfaction: the direction of the claim on the difference."""
    found = next(
        claim
        for claim in claims(work.effects, work.study, work.language)
        if (claim.indicator, claim.group, claim.estimand) == (ASKED, BETWEEN, "did")
    )
    return {"higher": "b", "none": "c", "lower": "d"}[found.direction]


def _percent(code: str, answer: Callable[[Work], float], mistakes: dict[str, Callable[[Work], float]]) -> Exercise:
    """An exercise that asks for how many per cent of the pilots."""
    known = {"5_share_for_percent": lambda work: answer(work) / 100} | mistakes
    return Exercise(code, "number", answer, known, "course_5_unit_percent")


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "5.1",
        "number",
        _difference,
        unit="course_5_unit_points",
        mistakes={
            "5_pilots_only": _pilots_alone,
            "5_turned_round": lambda work: -_difference(work),
            "5_added": lambda work: 2 * _pilots_alone(work) - _difference(work),
        },
    ),
    _percent("5.2", _usual, {"5_only_improved": _usual_improved, "5_no_alarm": lambda work: 100 - _usual(work)}),
    _percent("5.3", _ours, {"5_usual_again": _usual, "5_no_alarm": lambda work: 100 - _ours(work)}),
    _percent(
        "5.4",
        lambda work: _usual(work, MANY),
        {"5_as_many_as_before": _usual, "5_neighbours_used": lambda work: _ours(work, MANY)},
    ),
    Exercise(
        "5.5",
        "count",
        _alike,
        mistakes={
            "5_own_left_out": lambda work: _alike(work) - 1,
            "5_one_side": _alike_same_sign,
            "5_share_for_count": lambda work: _compared(work).placebo_p,
        },
    ),
    Exercise(
        "5.6",
        "choice",
        _said,
        options=("a", "b", "c", "d", "e"),
        mistakes={"5_cause_claimed": lambda work: "a", "5_nothing_said": lambda work: "e"},
    ),
)
