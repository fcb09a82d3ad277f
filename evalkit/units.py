"""Claims about units rest on units: the change of each commune, and how unusual the pilots' is. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True)
class UnitComparison:
    """Difference of the mean change of pilot and comparison units.

    `std_error`, `df`, `p_value`: t test on unit changes with a common variance; NaN where no df is left or the
    changes do not vary. `placebo_p`: share of the ways to call as many units «pilot» that differ at least as
    much; `smallest_p` is the least that this number of units can give.
    """

    estimate: float
    std_error: float
    df: float
    p_value: float
    placebo_p: float
    smallest_p: float
    assignments: int


MOST_ASSIGNMENTS = 100_000


def compare_units(change: ArrayLike, pilot: ArrayLike, *, seed: int = 0) -> UnitComparison:
    """Compare the changes of pilot and comparison units, one number a unit.

    change (G,): after − before of each unit. pilot (G,): true for pilot units. The t test is that of Donald &
    Lang (2007, Review of Economics and Statistics 89(2)); it takes unit changes as exchangeable with one
    variance. The placebo distribution goes over all assignments, above 100,000 over a seeded sample of them,
    whose p is (b+1)/(m+1). Raises ValueError where a change is missing, an arm is empty or lengths differ.

    >>> result = compare_units([5.0, 6.0, 1.0, 0.0, 2.0, 1.0], [1, 1, 0, 0, 0, 0])
    >>> result.estimate, round(result.smallest_p, 3), round(result.placebo_p, 3)
    (4.5, 0.067, 0.067)
    """
    delta, treated = np.asarray(change, dtype=float), np.asarray(pilot, dtype=bool)
    if delta.shape != treated.shape or delta.ndim != 1:
        raise ValueError(f"change {delta.shape} and pilot {treated.shape} must be (G,) both")
    if np.isnan(delta).any():
        raise ValueError("a unit has no change")
    pilots, others = int(treated.sum()), int((~treated).sum())
    if not pilots or not others:
        raise ValueError("pilot and comparison units are both needed")
    estimate = delta[treated].mean() - delta[~treated].mean()
    std_error = p_value = np.nan
    df = pilots + others - 2
    scale = np.abs(delta).max()
    if df > 0 and np.ptp(delta) > 1e-12 * scale:
        squares = sum(((delta[arm] - delta[arm].mean()) ** 2).sum() for arm in (treated, ~treated))
        std_error = np.sqrt(squares / df * (1 / pilots + 1 / others))
        std_error = std_error if std_error > 1e-9 * scale else 0.0  # rounding is no variation
        p_value = 2 * stats.t.sf(abs(estimate / std_error), df) if std_error > 0 else np.nan
    statistic, assignments, sampled = _placebo(delta, pilots, seed)
    # Ties count; rounding in the last digits must not break them.
    extreme = np.abs(statistic) >= abs(estimate) - 1e-9 * scale
    placebo_p = (extreme.sum() + 1) / (len(statistic) + 1) if sampled else extreme.mean()
    twins = 2 if pilots == others else 1
    smallest = 1 / (len(statistic) + 1) if sampled else twins / assignments
    return UnitComparison(
        float(estimate), float(std_error), float(df), float(p_value), float(placebo_p), smallest, assignments
    )


def _placebo(delta: NDArray[np.float64], pilots: int, seed: int) -> tuple[NDArray[np.float64], int, bool]:
    count, assignments = len(delta), comb(len(delta), pilots)
    if sampled := assignments > MOST_ASSIGNMENTS:
        order = np.random.default_rng(seed).permuted(np.tile(np.arange(count), (MOST_ASSIGNMENTS, 1)), axis=1)
        chosen = order[:, :pilots]
    else:
        chosen = np.array(list(combinations(range(count), pilots)))
    inside = delta[chosen].sum(axis=1)
    return inside / pilots - (delta.sum() - inside) / (count - pilots), assignments, sampled
