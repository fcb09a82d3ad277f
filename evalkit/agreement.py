"""How far coders agree who sorted the same things: Cohen, Fleiss, Krippendorff (arrays only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Level = Literal["nominal", "ordinal"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """A coefficient of agreement: 1 is perfect, 0 what chance alone would give; NaN where it is not defined.

    units: things that it rests on. coders: how many coders it compares.
    """

    estimate: float
    units: int
    coders: int
    std_error: float = float("nan")
    conf_low: float = float("nan")
    conf_high: float = float("nan")


def percent_agreement(codes: ArrayLike) -> float:
    """The percentage of pairs of codes of one thing that are equal, each thing counted once; NaN without pairs.

    codes: (units, coders), NaN where a coder did not code.

    >>> percent_agreement([[1, 1], [2, 1], [3, np.nan]])
    50.0
    """
    counts = _counts(_coded(codes))
    size = counts.sum(axis=1)
    paired = counts[size > 1]
    if not len(paired):
        return float("nan")
    size = paired.sum(axis=1)
    return float(100 * ((paired * (paired - 1)).sum(axis=1) / (size * (size - 1))).mean())


def cohen(codes: ArrayLike, *, confidence: float = 0.95) -> Agreement:
    """Cohen's kappa of two coders over the things that both coded, with its analytic interval (statsmodels).

    codes: (units, 2), NaN where a coder did not code. The standard error is that of Fleiss, Cohen & Everitt (1969,
    Psychological Bulletin 72); it is for large samples, so that the interval is too short for few things.

    >>> round(cohen([[1, 1], [1, 1], [2, 2], [1, 2]]).estimate, 3)
    0.5
    """
    values = _coded(codes)
    if values.shape[1] != 2:
        raise ValueError(f"two coders wanted, found {values.shape[1]}")
    both = values[~np.isnan(values).any(axis=1)]
    table = _crossed(both)
    if len(table) < 2:
        return Agreement(float("nan"), len(both), 2)
    from statsmodels.stats.inter_rater import cohens_kappa

    with np.errstate(invalid="ignore", divide="ignore"):  # where a coder gave one code only
        found = cohens_kappa(table)
    spread = float(found.std_kappa) if found.std_kappa > 0 else float("nan")
    reach = stats.norm.ppf((1 + confidence) / 2) * spread
    estimate = float(found.kappa)
    return Agreement(estimate, len(both), 2, spread, estimate - reach, min(estimate + reach, 1.0))


def fleiss(codes: ArrayLike, *, confidence: float = 0.95) -> Agreement:
    """Fleiss' kappa over the things that all coders coded (statsmodels), with its jackknife interval over things.

    codes: (units, coders), NaN where a coder did not code. Fleiss (1971), Psychological Bulletin 76. The interval is
    as in `krippendorff`.
    """
    values = _coded(codes)
    whole = values[~np.isnan(values).any(axis=1)]
    if len(whole) < 2 or values.shape[1] < 2 or len(np.unique(whole)) < 2:
        return Agreement(float("nan"), len(whole), values.shape[1])
    from statsmodels.stats.inter_rater import aggregate_raters

    table, _ = aggregate_raters(whole)
    without = np.array([_fleiss(np.delete(table, at, axis=0)) for at in range(len(table))])
    return _agreement(_fleiss(table), without, confidence, values.shape[1])


def krippendorff(codes: ArrayLike, *, level: Level = "nominal", confidence: float = 0.95) -> Agreement:
    """Krippendorff's alpha of any number of coders of whom each may have coded only some things.

    codes: (units, coders), NaN where a coder did not code; things that fewer than two coded do not count. level:
    whether any two codes differ alike, or by the ranks between them. Krippendorff (2011), Computing Krippendorff's
    Alpha-Reliability. The interval is that of the delete-one jackknife over things, with t and one degree of freedom
    fewer than things, up to 1 (Efron & Stein 1981, Annals of Statistics 9); there is none where a coefficient hangs
    on a single thing, or where nobody disagreed.

    >>> round(krippendorff([[1, 1], [2, 2], [3, 3], [3, 2], [np.nan, 1]]).estimate, 3)
    0.667
    """
    values = _coded(codes)
    counts = _counts(values[(~np.isnan(values)).sum(axis=1) > 1])
    size = counts.sum(axis=1)
    # What each thing brings to the coincidences of two codes.
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= counts[:, :, None] * np.eye(counts.shape[1])
    coincidences = pairs / (size - 1)[:, None, None]
    estimate = _alpha(coincidences.sum(axis=0)[None], level)[0]
    without = _alpha(coincidences.sum(axis=0) - coincidences, level)
    return _agreement(float(estimate), without, confidence, values.shape[1])


def _alpha(coincidences: Floats, level: Level) -> Floats:
    """Alpha of tables of coincidences (tables, values, values)."""
    sums = coincidences.sum(axis=2)
    total = sums.sum(axis=1)
    if level == "nominal":
        distance = 1.0 - np.eye(sums.shape[1])[None]
    else:
        middle = sums.cumsum(axis=1) - sums / 2
        distance = (middle[:, :, None] - middle[:, None, :]) ** 2
    observed = (coincidences * distance).sum(axis=(1, 2))
    expected = (sums[:, :, None] * sums[:, None, :] * distance).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(expected > 0, 1 - (total - 1) * observed / expected, np.nan)


def _fleiss(table: NDArray) -> float:
    from statsmodels.stats.inter_rater import fleiss_kappa

    return float(fleiss_kappa(table)) if (table.sum(axis=0) > 0).sum() > 1 else float("nan")


def _agreement(estimate: float, without: Floats, confidence: float, coders: int) -> Agreement:
    """With spread and interval by the coefficients `without` each of the things in turn."""
    units = len(without)
    if np.isnan(estimate) or np.isnan(without).any() or np.ptp(without) < 1e-12:
        return Agreement(estimate, units, coders)
    spread = float(np.sqrt((units - 1) * without.var()))
    reach = stats.t.ppf((1 + confidence) / 2, units - 1) * spread
    return Agreement(estimate, units, coders, spread, estimate - reach, min(estimate + reach, 1.0))


def _coded(codes: ArrayLike) -> Floats:
    values = np.asarray(codes, dtype=float)
    if values.ndim != 2:
        raise ValueError(f"codes by things and coders wanted, found {values.ndim} dimensions")
    return values


def _counts(values: Floats) -> Floats:
    """How many coders gave each thing each value: (units, values)."""
    known = np.unique(values[~np.isnan(values)])
    return (values[:, :, None] == known).sum(axis=1).astype(float)


def _crossed(both: Floats) -> Floats:
    known = np.unique(both)
    first, second = np.searchsorted(known, both).T
    table = np.zeros((len(known), len(known)))
    np.add.at(table, (first, second), 1)
    return table
