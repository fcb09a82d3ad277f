"""Do the items of an index hang together: alpha, omega total, item-rest correlations. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import approx_fprime

from evalkit.estimation import Floats

FEWEST = 3  # people; with fewer there is no correlation to speak of
STEP = 1e-6  # of a covariance, in units of the mean variance of the items


@dataclass(frozen=True)
class Reliability:
    """How k items hang together, over the n people who answered all of them.

    alpha, omega: of the sum of the items; omega is NaN for two items, and where one factor does not fit (`improper`).
    item_rest (k,): each item with the sum of the others. influence (rows, 2 + k): what each row contributes to
    alpha, omega and the item-rest correlations, NaN where an item is missing: the standard error of a coefficient
    is that of the mean of its column, by whatever design the rows were drawn.
    """

    n: int
    alpha: float
    omega: float
    item_rest: Floats
    improper: bool
    influence: Floats


def reliability(items: ArrayLike, *, weight: ArrayLike | None = None) -> Reliability:
    """Alpha, omega total and item-rest correlations of items that point the same way.

    items (rows, k), k ≥ 2: NaN where not answered; rows with a missing item are left out. weight (rows,) or None:
    ones. alpha is Cronbach's (1951, Psychometrika 16). omega total is McDonald's (1999, Test Theory), 1 −
    Σψ/Var(sum), ψ the part of an item's variance that one common factor leaves, fitted to the correlations by
    least squares (as R's psych::omega with one factor does, on standardised items). Influences are gradients by
    the covariances (Maydeu-Olivares, Coffman & Hartmann 2007, Psychological Methods 12(2), for alpha).
    Coefficients are NaN where fewer than three people answered all items or an item does not vary. Raises
    ValueError for fewer than two items, infinite values and weights that are not positive.

    >>> found = reliability([[1, 2], [2, 1], [3, 4], [4, 3]])
    >>> round(found.alpha, 3), found.item_rest.round(3).tolist()
    (0.75, [0.6, 0.6])
    """
    x = np.asarray(items, dtype=float)
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"items must be (rows, k) with k of 2 or more, got {x.shape}")
    if np.isinf(x).any():
        raise ValueError("items must be finite or NaN")
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    if w.shape != (len(x),) or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be (rows,), finite and above zero")
    k, known = x.shape[1], ~np.isnan(x).any(axis=1)
    influence = np.full((len(x), 2 + k), np.nan)
    answers, w = x[known], w[known]
    if len(answers) < FEWEST or (np.ptp(answers, axis=0) == 0).any():
        return Reliability(len(answers), np.nan, np.nan, np.full(k, np.nan), False, influence)
    centred = answers - np.average(answers, axis=0, weights=w)
    centred /= np.sqrt(np.average(centred**2, weights=w, axis=0).mean())
    covariance = (centred * w[:, None]).T @ centred / w.sum()
    rows, columns = np.tril_indices(k)

    def coefficients(lower: Floats) -> Floats:
        S = np.zeros((k, k))
        S[rows, columns] = S[columns, rows] = lower
        return _coefficients(S)

    lower = covariance[rows, columns]
    found = coefficients(lower)
    improper = k > 2 and bool(np.isnan(found[1]))
    influence[known] = (centred[:, rows] * centred[:, columns]) @ approx_fprime(lower, coefficients, STEP).T
    return Reliability(len(answers), float(found[0]), float(found[1]), found[2:], improper, influence)


def interval(estimate: float, std_error: float, df: float, *, level: float, correlation: bool = False) -> tuple:
    """Confidence limits of a reliability, or of a correlation, that cannot leave its range.

    By Student's t on log(1 − reliability) (Bonett 2002, Journal of Educational and Behavioral Statistics 27(4)), for
    correlations on Fisher's atanh. NaN without a standard error above zero or without df.

    >>> [round(end, 3) for end in interval(0.8, 0.05, 60, level=0.95)]
    [0.67, 0.879]
    """
    if not (std_error > 0 and df > 0) or (correlation and abs(estimate) >= 1) or estimate >= 1:
        return np.nan, np.nan
    reach = float(stats.t.ppf((1 + level) / 2, df)) * std_error
    if correlation:
        reach /= 1 - estimate**2
        return float(np.tanh(np.arctanh(estimate) - reach)), float(np.tanh(np.arctanh(estimate) + reach))
    reach /= 1 - estimate
    return float(1 - (1 - estimate) * np.exp(reach)), float(1 - (1 - estimate) * np.exp(-reach))


def _coefficients(S: Floats) -> Floats:
    """Alpha, omega total and item-rest correlations from the covariances of the items."""
    k, variance, total, sums = len(S), np.diag(S), S.sum(), S.sum(axis=0)
    alpha = k / (k - 1) * (1 - variance.sum() / total)
    rest = total - 2 * sums + variance
    item_rest = (sums - variance) / np.sqrt(variance * rest)
    unique = _uniqueness(S / np.sqrt(np.outer(variance, variance))) if k > 2 else np.full(k, np.nan)
    return np.array([alpha, 1 - (unique * variance).sum() / total, *item_rest])


def _uniqueness(correlations: Floats) -> NDArray[np.float64]:
    """The part of each item that one factor leaves; NaN where it would be negative (a Heywood case)."""
    # Costs most of a second, and only this needs it.
    from statsmodels.multivariate.factor import Factor

    # Squared multiple correlations, the usual start, do not exist where items are sums of each other.
    fit = Factor(corr=correlations, n_factor=1, method="pa", smc=False, nobs=2).fit(maxiter=5000, tol=1e-12)
    unique = np.asarray(fit.uniqueness)
    return np.maximum(unique, 0) if (unique > -1e-9).all() else np.full(len(unique), np.nan)
