"""Ordered answers before and after: superiority, tests of equal distributions, dominance. Arrays only."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from statsmodels.miscmodels.ordinal_model import OrderedModel
from statsmodels.stats.contingency_tables import mcnemar

from evalkit.estimation import Contrasts, DomainMeans, Floats, domain_means

ROUNDING = 1e-9  # shares that differ by less are equal, and so are values, relative to the largest
MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Homogeneity:
    """Wald test of equal distributions: `statistic` is F with `df1` and `df2`; NaN where there is no test."""

    statistic: float
    df1: float
    df2: float
    p_value: float


@dataclass(frozen=True)
class PairedHomogeneity:
    """McNemar's or Stuart and Maxwell's test: `statistic` is χ² with `df`; `exact_p` NaN above two categories."""

    statistic: float
    df: float
    p_value: float
    exact_p: float


@dataclass(frozen=True)
class CumulativeLogit:
    """Log odds ratios of p regressors, positive where answers are higher: arrays (p,); all NaN unless `converged`.

    `df` is infinite without clusters, else clusters less one.
    """

    estimate: Floats
    std_error: Floats
    p_value: Floats
    df: float
    log_likelihood: float
    converged: bool


def superiority(
    values: ArrayLike, domain: ArrayLike, before: Mapping[Any, float], after: Mapping[Any, float], **design: Any
) -> Contrasts:
    """Chance that an answer drawn after exceeds one drawn before, ties counting half, of k items.

    values (n, k): ordered codes or scores, NaN where not answered. domain (n,): labels. before, after: coefficients
    of domain labels, none below zero and each set adding up to 1: a period's distribution is that mixture of its
    domains. design: weight, cluster and the other keywords of `domain_means`.

    θ = Σ_c p_after(c)·[P_before(< c) + ½·p_before(c)], in arrays (1, k), is 0.5 where neither is higher. It is about
    the two marginal distributions, whoever was asked twice: how many people rose is another question, see
    `transitions`. The influence of an answer on θ is its position in the other period's distribution (Brunner &
    Munzel 2000, Biometrical Journal 42), so domain means of positions have exactly the delta-method error. NaN as in
    `DomainMeans.contrast`; distributions that do not overlap have a standard error of zero.

    Raises ValueError for coefficients that are not such, a label without rows or in both periods, and as
    `domain_means`.

    >>> result = superiority([[1.0], [2.0], [2.0], [3.0]], ["a", "a", "b", "b"], {"a": 1}, {"b": 1})
    >>> result.estimate.item()
    0.875
    """
    y, rows = np.asarray(values, dtype=float), np.asarray(domain)
    plain = _sample(y, rows, design)
    L = _periods(plain.domain, before, after)
    code = pd.Index(plain.domain).get_indexer(rows)
    weight = design["calibration"].weight if design.get("calibration") else design.get("weight")
    w = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    position = np.full(y.shape, np.nan)
    for item, column in enumerate(y.T):
        answered = np.flatnonzero(~np.isnan(column))
        level, own = _levels(column[answered]), code[answered]
        mass = w[answered] / np.bincount(own, w[answered], minlength=len(plain.domain))[own]
        shares = [np.bincount(level, mass * coefficient[own]) for coefficient in L]
        below_before, below_after = ((np.cumsum(share) - share / 2)[level] for share in shares)
        position[answered, item] = np.where(L[0, own] > 0, 1 - below_after, below_before)
    # The positions of either period average θ; that of both periods together moves as θ does.
    both = domain_means(position, rows, **design).contrast(L.sum(axis=0))
    return replace(both, estimate=both.estimate / 2)


def homogeneity(
    values: ArrayLike, domain: ArrayLike, before: Mapping[Any, float], after: Mapping[Any, float], **design: Any
) -> Homogeneity:
    """Test whether the distribution of one item is the same before and after, for any design.

    values (n,): codes of at most 50 categories, NaN where not answered; the others as in `superiority`.
    With W = d'V⁻¹d of the differences d of q + 1 shares and f the df of their contrasts (the least of them),
    F = W·(f − q + 1)/(f·q) has q and f − q + 1 df (Korn & Graubard 1990, American Statistician 44; R's
    `svychisq(statistic="adjWald")` adjusts alike). A category that nobody chose is left out, and so is whatever sum
    of categories neither varies nor differs: q is the rank of V. NaN where one differs that does not vary, where no
    df are left, and where `DomainMeans.contrast` knows no standard error.

    Raises ValueError for more than 50 categories and as `superiority`.

    >>> test = homogeneity([1, 1, 2, 1, 2, 2], list("aaabbb"), {"a": 1}, {"b": 1}, cluster=[1, 2, 3, 1, 2, 3])
    >>> round(test.statistic, 9), test.df1, test.df2
    (1.0, 1.0, 2.0)
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 1:
        raise ValueError(f"values must be (n,), got {y.ndim} dimensions")
    L = _periods(_sample(y[:, None], domain, design).domain, before, after)
    answered = ~np.isnan(y)
    level = _levels(y[answered], MOST_CATEGORIES)
    chosen = np.full((len(y), level.max(initial=0) + 1), np.nan)
    chosen[answered] = level[:, None] == np.arange(chosen.shape[1])
    means, coefficients = domain_means(chosen, domain, **design), L[1] - L[0]
    change = means.contrast(coefficients)
    if np.isnan(change.std_error).any():
        return Homogeneity(np.nan, np.nan, np.nan, np.nan)
    wald, rank = _wald(change.estimate[0], means.covariance(coefficients))
    f = change.df.min()
    df = f - rank + 1
    if not (rank and df > 0):
        return Homogeneity(np.nan, float(rank), np.nan, np.nan)
    statistic = wald * df / (f * rank)
    return Homogeneity(float(statistic), float(rank), float(df), float(stats.f.sf(statistic, rank, df)))


def paired_homogeneity(table: ArrayLike) -> PairedHomogeneity:
    """Test whether the distribution is the same before and after in unweighted, unclustered pairs.

    table (c, c): counts of pairs, before in rows, after in columns. Two categories: McNemar's test without
    continuity correction and the exact one; more: Stuart and Maxwell's (Stuart 1955, Biometrika 42; Maxwell 1970,
    British Journal of Psychiatry 116), whose df are the rank of the covariance, so that categories which nobody
    entered or left do not count. NaN where nobody moved. Raises ValueError for a table that is not square and for
    counts that are negative or broken.

    >>> test = paired_homogeneity([[794, 150], [86, 570]])
    >>> round(test.statistic, 4), round(test.exact_p, 7)
    (17.3559, 3.72e-05)
    """
    given = np.asarray(table, dtype=float)
    counts = np.round(given)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not len(counts):
        raise ValueError(f"table must be (c, c), got {counts.shape}")
    if not ((counts >= 0) & (np.abs(given - counts) <= ROUNDING * np.maximum(counts, 1))).all():
        raise ValueError("table must hold whole counts, none below zero")
    pairs = max(counts.sum(), 1)
    left, entered = counts.sum(axis=1), counts.sum(axis=0)
    # Of statsmodels, SquareTable fails where categories fall into groups between which nobody moves.
    covariance = np.diag(left + entered) - counts - counts.T
    statistic, df = _wald((entered - left) / pairs, covariance / pairs**2)
    exact_p = mcnemar(counts, exact=True).pvalue if len(counts) == 2 else np.nan
    return PairedHomogeneity(statistic, float(df), float(stats.chi2.sf(statistic, df)), float(exact_p))


def transitions(
    before: ArrayLike, after: ArrayLike, categories: Sequence[float], weight: ArrayLike | None = None
) -> Floats:
    """Shares (c, c) of complete pairs by answer before (rows) and after (columns).

    before, after (n,): the answers of the same people, NaN where not answered. categories (c,): all codes, in
    order. weight (n,) or None. Above the diagonal stand those whose answer rose: within pairs, which the marginal
    distributions and `superiority` do not tell. NaN without a complete pair. Raises ValueError for an answer that
    is not among the categories, weights that are not positive and lengths that differ.

    >>> transitions([1, 1, 2, 2], [1, 2, 2, float("nan")], [1, 2]).round(3).tolist()
    [[0.333, 0.333], [0.0, 0.333]]
    """
    first, second = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    w = np.ones(first.shape) if weight is None else np.asarray(weight, dtype=float)
    if first.ndim != 1 or not first.shape == second.shape == w.shape:
        raise ValueError(f"before {first.shape}, after {second.shape} and weight {w.shape} must be (n,) all")
    if not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be finite and above zero")
    index = pd.Index(np.asarray(categories, dtype=float))
    row, column = index.get_indexer(first), index.get_indexer(second)
    for answers, found in ((first, row), (second, column)):
        if (unknown := ~np.isnan(answers) & (found < 0)).any():
            raise ValueError(f"{answers[unknown][0]:g} is not among the categories")
    pair = (row >= 0) & (column >= 0)
    if not pair.any():
        return np.full((len(index), len(index)), np.nan)
    cell = row[pair] * len(index) + column[pair]
    share = np.bincount(cell, w[pair], minlength=len(index) ** 2) / w[pair].sum()
    return share.reshape(len(index), len(index))


def dominance(before_shares: ArrayLike, after_shares: ArrayLike) -> Literal["higher", "lower", "equal", "none"]:
    """Whether the answers after are higher, or lower, under every monotone rescaling of the categories.

    before_shares, after_shares (c,): of the categories, in ascending order. First-order stochastic dominance (Lehmann
    1955, Annals of Mathematical Statistics 26): the cumulative shares never cross; `none` where they do. It
    describes the shares as they are and says nothing of their errors. Raises ValueError for shares that are not.

    >>> dominance([0.5, 0.3, 0.2], [0.4, 0.3, 0.3]), dominance([0.5, 0.3, 0.2], [0.6, 0.1, 0.3])
    ('higher', 'none')
    """
    before, after = np.asarray(before_shares, dtype=float), np.asarray(after_shares, dtype=float)
    if before.ndim != 1 or before.shape != after.shape:
        raise ValueError(f"before_shares {before.shape} and after_shares {after.shape} must be (c,) both")
    for shares in (before, after):
        if not (shares >= -ROUNDING).all() or not abs(shares.sum() - 1) <= ROUNDING:
            raise ValueError(f"shares must not be below zero and add up to 1, got {shares.tolist()}")
    gap = np.cumsum(before) - np.cumsum(after)
    up, down = bool((gap > ROUNDING).any()), bool((gap < -ROUNDING).any())
    if up and down:
        return "none"
    return "higher" if up else "lower" if down else "equal"


def cumulative_logit(values: ArrayLike, exog: ArrayLike, *, cluster: ArrayLike | None = None) -> CumulativeLogit:
    """Proportional-odds model: log odds ratio of a higher answer for each of p regressors.

    values (n,): codes of at most 50 categories, NaN where not answered. exog (n,) or (n, p): regressors without a
    constant; for a change, 1 after and 0 before. cluster (n,) or None: sandwich errors, multiplied by G/(G − 1) for
    G clusters, with Student's t; else those of the likelihood (McCullagh 1980, JRSS B 42). No weights, no strata: a
    check of what `superiority` says, not its replacement. Not `converged` where no finite maximum exists: fewer than
    two categories, regressors that are constant or collinear, distributions that do not overlap. One cluster gives no
    standard error.

    Raises ValueError for lengths that differ, values that are not finite, missing clusters, and more than 50
    categories.

    >>> result = cumulative_logit([1, 2, 2, 3, 1, 2, 3, 3], [0, 0, 0, 0, 1, 1, 1, 1])
    >>> result.estimate.round(4).tolist(), result.converged
    ([0.6529], True)
    """
    y, x = np.asarray(values, dtype=float), np.asarray(exog, dtype=float)
    x = x[:, None] if x.ndim == 1 else x
    if y.ndim != 1 or x.ndim != 2 or len(x) != len(y):
        raise ValueError(f"values {y.shape} and exog {np.shape(exog)} must be (n,) and (n,) or (n, p)")
    if np.isinf(y).any() or not np.isfinite(x).all():
        raise ValueError("values must be finite or NaN and exog finite")
    answered = ~np.isnan(y)
    level = _levels(y[answered], MOST_CATEGORIES)
    x, df, robust = x[answered], np.inf, {}
    if cluster is not None:
        groups = np.asarray(cluster)
        if groups.shape != y.shape or (groups := pd.factorize(groups)[0]).min(initial=0) < 0:
            raise ValueError(f"cluster must be {y.shape}, without missing labels")
        groups = pd.factorize(groups[answered])[0]
        df = groups.max(initial=-1)
        robust = {"cov_type": "cluster", "cov_kwds": {"groups": groups, "use_correction": False}}
    unknown = np.full(x.shape[1], np.nan)
    failed = CumulativeLogit(unknown, unknown, unknown, float(df), np.nan, converged=False)
    if level.max(initial=0) < 1 or np.linalg.matrix_rank(np.c_[np.ones(len(x)), x]) <= x.shape[1]:
        return failed
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they say is returned as `converged`
        try:
            model = OrderedModel(level, x, distr="logit").fit(method="newton", maxiter=35, disp=0, **robust)
        except np.linalg.LinAlgError:
            return failed
        estimate, std_error = model.params[: len(unknown)], model.bse[: len(unknown)]
    counts = np.bincount(level)
    # Newton's steps may run away and stop: no maximum is below the model without regressors, nor without curvature.
    found = model.mle_retvals["converged"] and model.llf >= counts @ np.log(counts / counts.sum()) - 1e-6
    if not (found and (std_error > 0).all() and np.isfinite(std_error).all() and (std_error < 1e3).all()):
        return failed
    if robust:
        std_error = std_error * np.sqrt((df + 1) / df) if df else unknown
    p_value = 2 * stats.t.sf(np.abs(estimate / std_error), df)
    return CumulativeLogit(estimate, std_error, p_value, float(df), float(model.llf), converged=True)


def _sample(values: Floats, domain: ArrayLike, design: Mapping[str, Any]) -> DomainMeans:
    """The domain means of the answers themselves; they check the sample."""
    if design.get("size") is not None:
        raise ValueError("size belongs to ratios; a distribution has none")
    return domain_means(values, domain, **design)


def _periods(domain: NDArray, before: Mapping[Any, float], after: Mapping[Any, float]) -> Floats:
    """(2, D): the coefficients of the domains before and after."""
    for name, chosen in (("before", before), ("after", after)):
        if absent := [label for label in chosen if label not in domain]:
            raise ValueError(f"{name} names {absent[0]!r}, a domain without rows")
        if not all(value >= 0 for value in chosen.values()) or not abs(sum(chosen.values()) - 1) <= ROUNDING:
            raise ValueError(f"coefficients of {name} must not be below zero and add up to 1, got {dict(chosen)}")
    if both := [label for label in before if label in after]:
        raise ValueError(f"{both[0]!r} is before and after")
    return np.array([[chosen.get(label, 0.0) for label in domain] for chosen in (before, after)])


def _levels(values: Floats, most: float = np.inf) -> NDArray[np.int64]:
    """The rank of each value among the distinct ones, from 0; what differs by rounding is one value."""
    code, distinct = pd.factorize(values, sort=True)
    step = np.diff(distinct, prepend=distinct[:1]) > ROUNDING * np.abs(distinct).max(initial=0)
    if step.sum() >= most:
        raise ValueError(f"values have {step.sum() + 1} categories; at most {most} are taken")
    return np.cumsum(step)[code]


def _wald(difference: Floats, covariance: Floats) -> tuple[float, int]:
    """d'V⁻¹d of shares and the rank of V, leaving out what does not vary; NaN where that differs all the same."""
    variance, direction = np.linalg.eigh(covariance)
    along, varies = direction.T @ difference, variance > max(1e-10 * variance[-1], ROUNDING**2)
    if not varies.any() or (np.abs(along[~varies]) > ROUNDING).any():
        return np.nan, int(varies.sum())
    return float((along[varies] ** 2 / variance[varies]).sum()), int(varies.sum())
