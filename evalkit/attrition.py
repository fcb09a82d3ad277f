"""Panels lose people: who was lost, weights for those who stayed, what the lost could change. Arrays only."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from evalkit.estimation import Floats, codes_of, weights_of

NEVER_SEEN = 1e-6  # a fitted probability below this stands for zero: the fit stops short of it


@dataclass(frozen=True)
class RetentionWeights:
    """Weights with which those seen again stand for all: `weight` and `probability` (n,).

    `units`: whether the probability differs by unit. `unrepresented`: how many of the lost had no like among
    those seen again, so that no weight stands for them.
    """

    weight: Floats
    probability: Floats
    units: bool
    unrepresented: int


@dataclass(frozen=True)
class WorstCase:
    """The mean change of k items if the lost had answered at either end, each array (k,).

    `estimate` is the mean change of those seen again, `n` counts all who answered before, `n_lost` those of them
    who did not answer after.
    """

    n: NDArray[np.int64]
    n_lost: NDArray[np.int64]
    estimate: Floats
    lower: Floats
    upper: Floats


@dataclass(frozen=True)
class LeeBounds:
    """Bounds of the difference of mean change, pilot less comparison, among people seen again in either arm.

    `estimate` is the difference without trimming. `seen_pilot`, `seen_comparison`: shares seen again, 0 to 1.
    `arm`: the one that was trimmed, empty where both kept the same share; `trimmed`: the share of its answers.
    """

    estimate: float
    lower: float
    upper: float
    seen_pilot: float
    seen_comparison: float
    arm: str
    trimmed: float


def standardised_difference(values: ArrayLike, second: ArrayLike, *, weight: ArrayLike | None = None) -> Floats:
    """The mean of the second group less that of the first, in standard deviations, item by item.

    values (n, k): NaN where not answered. second (n,): true for the second group. weight (n,) or None: ones.
    Returns (k,) values of (m₂ − m₁)/√((s₁² + s₂²)/2) (Austin 2009, Statistics in Medicine 28), s² being
    Σw(y − m)²/Σw · n/(n−1) as in R's survey::svyvar. Where neither group varies it is 0 for equal means and else
    infinite; NaN where a group has fewer than two answers. Raises ValueError for infinite values, weights that
    are not positive, and lengths that differ.

    >>> standardised_difference([[1.0], [3.0], [2.0], [4.0]], [0, 0, 1, 1]).round(4).tolist()
    [0.7071]
    """
    y, w = _values(values, "values"), weights_of(weight, len(np.asarray(values)))
    other = _flags(second, "second", len(y))
    (m1, v1), (m2, v2) = (_moments(y[rows], w[rows]) for rows in (~other, other))
    gap, spread = m2 - m1, np.sqrt((v1 + v2) / 2)
    rounding = 1e-12 * np.maximum(np.abs(m1), np.abs(m2))
    gap = np.where(np.abs(gap) <= rounding, 0.0, gap)
    same = np.where(gap == 0, 0.0, np.copysign(np.inf, gap))
    same[np.isnan(gap) | np.isnan(spread)] = np.nan
    return np.divide(gap, spread, out=same, where=spread > rounding)


def retention_weights(
    before: ArrayLike, seen_again: ArrayLike, unit: ArrayLike, *, weight: ArrayLike | None = None
) -> RetentionWeights:
    """Inverse-probability weights: those seen again stand for the lost who were like them before.

    before (n, k): scores of everybody asked before, NaN where not answered. seen_again (n,): true for those with
    an answer after. unit (n,): labels. weight (n,) or None: ones. The probability p of being seen again comes
    from a logistic regression, weighted, on the scores (where missing: their mean, with an indicator of missing)
    and, if every unit both kept and lost people, on the units. `weight` is weight/p, scaled to the sum of
    the weights of those seen again; NaN for the lost (Seaman & White 2013, Statistical Methods in Medical Research
    22(3)). They correct for what the scores and units tell, and for nothing else.

    Where scores or units separate the two groups, p is the limit of the fit, 0 or 1: those always seen keep
    their weight, and the never seen are counted in `unrepresented`. Raises ValueError where nobody was seen
    again, for infinite scores, weights that are not positive, missing unit labels, and lengths that differ.

    >>> before, seen_again = [[90.0], [90.0], [90.0], [30.0], [30.0]], [1, 1, 1, 1, 0]
    >>> retention_weights(before, seen_again, ["A"] * 5).weight.round(3).tolist()
    [0.8, 0.8, 0.8, 1.6, nan]
    """
    # Costs most of a second, and only these weights need it.
    from statsmodels.genmod.generalized_linear_model import GLM, families

    y = _values(before, "before")
    w, seen = weights_of(weight, len(y)), _flags(seen_again, "seen_again", len(y))
    if not seen.any():
        raise ValueError("nobody was seen again")
    missing = np.isnan(y)
    middle = np.where(missing, 0.0, y).sum(axis=0) / np.maximum((~missing).sum(axis=0), 1)
    centred = np.where(missing, 0.0, y - middle)
    spread = centred.std(axis=0)
    scores = centred / np.where(spread > 1e-12 * np.abs(middle), spread, np.inf)
    parts = [np.ones((len(y), 1)), scores, missing[:, missing.any(axis=0)]]
    labels, code = codes_of(unit, "unit", len(y))
    kept = np.bincount(code, seen)
    if units := bool(((kept > 0) & (kept < np.bincount(code))).all()):
        parts.append(code[:, None] == np.arange(1, len(labels)))
    probability = np.ones(len(y))
    if not seen.all():
        # The fit depends on what the columns span alone; a column that others make up would break it.
        axes, length, _ = np.linalg.svd(np.hstack(parts).astype(float), full_matrices=False)
        basis = axes[:, length > 1e-10 * length[0]] * math.sqrt(len(y))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of separation, which `unrepresented` reports
            model = GLM(seen, basis, families.Binomial(), freq_weights=w / w.mean())
            probability = np.asarray(model.fit(tol=1e-10).fittedvalues)
    result = np.full(len(y), np.nan)
    result[seen] = w[seen] / probability[seen]
    result *= w[seen].sum() / result[seen].sum()
    return RetentionWeights(result, probability, units, int((probability < NEVER_SEEN).sum()))


def worst_case_bounds(
    before: ArrayLike, after: ArrayLike, *, low: float = 0, high: float = 100, weight: ArrayLike | None = None
) -> WorstCase:
    """Bounds of the mean change of all who answered before, whatever the lost would have answered after.

    before, after (n, k): scores between `low` and `high`, NaN where not answered; a row is a person. Those without
    an answer before are left out, item by item. weight (n,) or None: ones. The bounds put `low` or `high` for
    every missing answer after and assume nothing else (Manski 1990, American Economic Review 80(2)); sampling
    error comes on top. NaN where nobody answered before. Raises ValueError for scores outside the ends, ends
    that are not in order, weights that are not positive, and shapes that differ.

    >>> found = worst_case_bounds([[50.0], [50.0], [70.0], [30.0]], [[60.0], [60.0], [60.0], [np.nan]])
    >>> found.lower.tolist(), found.estimate.round(3).tolist(), found.upper.tolist()
    ([-5.0], [3.333], [20.0])
    """
    first, second = _values(before, "before"), _values(after, "after")
    if first.shape != second.shape:
        raise ValueError(f"before {first.shape} and after {second.shape} must have one shape")
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high}")
    w = weights_of(weight, len(first))
    for name, scores in (("before", first), ("after", second)):
        if (outside := (scores < low) | (scores > high)).any():
            raise ValueError(f"{name} has {scores[outside][0]:g}, outside {low:g} to {high:g}")
    asked, lost = ~np.isnan(first), np.isnan(second)
    estimate, lower, upper = (
        _moments(np.where(lost, end, second) - first, w)[0] for end in (np.nan, float(low), float(high))
    )
    return WorstCase(asked.sum(axis=0), (asked & lost).sum(axis=0), estimate, lower, upper)


def lee_bounds(
    change: ArrayLike, pilot: ArrayLike, seen_again: ArrayLike, *, weight: ArrayLike | None = None
) -> LeeBounds:
    """Bounds of pilot less comparison in mean change, when one arm lost more people than the other.

    change (n,): after − before of everybody asked before; what stands for the lost is not looked at. pilot (n,):
    true in pilot units. seen_again (n,): true for those with an answer after. weight (n,) or None: ones.
    The arm that kept the larger share q of its people is trimmed from above and from below to the
    smaller share q′: 1 − q′/q of its answers (Lee 2009, Review of Economic Studies 76(3)). A person at the edge is
    kept in part, so neither ties nor the order of rows matter.

    The bounds hold for people who would be seen again in either arm, if the arms were alike before and monotone:
    being in the pilot made some people stay or made some leave, not both. Sampling error comes on top. Raises
    ValueError where an arm has nobody seen again, somebody seen again has no change, for weights that are not
    positive, and lengths that differ.

    >>> found = lee_bounds([1, 2, 3, 4, 0, 2, np.nan, np.nan], [1] * 4 + [0] * 4, [1] * 6 + [0] * 2)
    >>> found.lower, found.estimate, found.upper, found.arm, found.trimmed
    (0.5, 1.5, 2.5, 'pilot', 0.5)
    """
    delta = np.asarray(change, dtype=float)
    if delta.ndim != 1:
        raise ValueError(f"change must be (n,), got {delta.ndim} dimensions")
    w, treated = weights_of(weight, len(delta)), _flags(pilot, "pilot", len(delta))
    seen = _flags(seen_again, "seen_again", len(delta))
    if not np.isfinite(delta[seen]).all():
        raise ValueError("somebody seen again has no change")
    arms = {"pilot": treated, "comparison": ~treated}
    for name, arm in arms.items():
        if not (arm & seen).any():
            raise ValueError(f"nobody was seen again in the {name} arm")
    kept = [float(w[arm & seen].sum() / w[arm].sum()) for arm in arms.values()]
    least, most = min(kept), max(kept)
    even = math.isclose(least, most, rel_tol=1e-12)
    ends = []
    for arm, share in zip(arms.values(), kept, strict=True):
        keep = 1.0 if even else least / share
        values, weights = delta[arm & seen], w[arm & seen]
        lowest, highest = (sign * _lowest_mean(sign * values, weights, keep) for sign in (1, -1))
        ends.append((lowest, float(np.average(values, weights=weights)), highest))
    (low1, mean1, high1), (low0, mean0, high0) = ends
    return LeeBounds(
        estimate=mean1 - mean0,
        lower=low1 - high0,
        upper=high1 - low0,
        seen_pilot=kept[0],
        seen_comparison=kept[1],
        arm="" if even else list(arms)[kept.index(most)],
        trimmed=0.0 if even else 1 - least / most,
    )


def _lowest_mean(values: Floats, weight: Floats, share: float) -> float:
    """The mean of the lowest share of the weight; the row at the edge counts in part."""
    order = np.argsort(values)
    sorted_weight = weight[order]
    before = np.cumsum(sorted_weight) - sorted_weight
    taken = np.clip(share * weight.sum() - before, 0, sorted_weight)
    return float(np.average(values[order], weights=taken))


def _moments(values: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of each column, over its valid rows."""
    known = ~np.isnan(values)
    n, total = known.sum(axis=0), weight @ known
    nothing = np.full(values.shape[1], np.nan)
    mean = np.divide(weight @ np.where(known, values, 0.0), total, out=nothing.copy(), where=n > 0)
    squares = weight @ np.where(known, values - mean, 0.0) ** 2
    return mean, np.divide(squares * n, total * (n - 1), out=nothing, where=n > 1)


def _values(values: ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=float)
    if array.ndim != 2:
        raise ValueError(f"{name} must be (n, k), got {array.ndim} dimensions")
    if np.isinf(array).any():
        raise ValueError(f"{name} must be finite or NaN")
    return array


def _flags(flags: ArrayLike, name: str, n: int) -> NDArray[np.bool_]:
    array = np.asarray(flags)
    if array.shape != (n,):
        raise ValueError(f"{name} must be ({n},), got {array.shape}")
    if pd.isna(array).any() or not np.isin(array, (0, 1)).all():
        raise ValueError(f"{name} must be true or false")
    return array.astype(bool)
