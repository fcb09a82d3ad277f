"""Claims about units rest on units: the change of each commune, and how unusual the pilots' is. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, product
from math import comb, floor, inf, nan, sqrt

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse, stats

from evalkit.chance import generator

Floats = NDArray[np.float64]
MOST_ASSIGNMENTS, MOST_SIGNS = 100_000, 14
# Unit-level tests take all units as equally variable. Pilots up to this much noisier keep false alarms under .067
# (two pilots among 8 to 20 units; 1.5 gives .084, 4.5 gives .23); see tests/test_simulations.py.
NOISIER = 1.2


@dataclass(frozen=True)
class UnitComparison:
    """Difference of the mean change of pilot and comparison units.

    `std_error`, `df`, `p_value`: t test on unit changes with a common variance; NaN where no df is left or the
    changes do not vary. `placebo_p`: share of the ways to call as many units «pilot» that differ at least as
    much; `smallest_p` is the least that this number of units can give. `placebo_low`, `placebo_high`: the effects
    that the placebo test does not reject; infinite where it can reject none, NaN where nothing varies in the arms.
    """

    estimate: float
    std_error: float
    df: float
    p_value: float
    placebo_p: float
    smallest_p: float
    assignments: int
    placebo_low: float
    placebo_high: float


@dataclass(frozen=True)
class Shocks:
    """Standard deviation of what moves a whole unit in one wave, with its interval and degrees of freedom."""

    sd: float
    low: float
    high: float
    df: float


@dataclass(frozen=True)
class ClusterRobust:
    """A regression coefficient with its bias-reduced cluster-robust standard error and Satterthwaite df."""

    estimate: float
    std_error: float
    df: float
    p_value: float


def compare_units(change: ArrayLike, pilot: ArrayLike, *, level: float = 0.95, seed: int = 0) -> UnitComparison:
    """Compare the changes of pilot and comparison units, one number a unit.

    change (G,): after − before of each unit. pilot (G,): true for pilot units. The t test is that of Donald &
    Lang (2007, Review of Economics and Statistics 89(2)); it takes unit changes as exchangeable with one
    variance. The placebo distribution goes over all assignments, above 100,000 over a seeded sample of them,
    whose p is (b+1)/(m+1); its interval of this `level` holds the effects it does not reject (Rosenbaum 2002,
    Observational Studies, ch. 2). Raises ValueError where a change is missing, an arm is empty, lengths differ
    or the level is not between 0 and 1.

    >>> result = compare_units([5.0, 6.0, 1.0, 0.0, 2.0, 1.0], [1, 1, 0, 0, 0, 0], level=0.9)
    >>> result.estimate, round(result.smallest_p, 3), round(result.placebo_p, 3)
    (4.5, 0.067, 0.067)
    >>> round(result.placebo_low, 6), round(result.placebo_high, 6)
    (3.0, 6.0)
    """
    delta = np.asarray(change, dtype=float)
    if delta.ndim != 1:
        raise ValueError(f"change must be (G,), got {delta.shape}")
    treated = _both_arms(pilot, delta)
    _check_level(level)
    pilots, others = int(treated.sum()), int((~treated).sum())
    estimate = delta[treated].mean() - delta[~treated].mean()
    std_error = p_value = np.nan
    df = pilots + others - 2
    scale = np.abs(delta).max()
    if df > 0 and np.ptp(delta) > 1e-12 * scale:
        std_error = np.sqrt(_within(delta, treated)[0] / df * (1 / pilots + 1 / others))
        std_error = std_error if std_error > 1e-9 * scale else 0.0  # rounding is no variation
        p_value = 2 * stats.t.sf(abs(estimate / std_error), df) if std_error > 0 else np.nan
    chosen, assignments, sampled = _assignments(len(delta), pilots, seed)
    statistic, slope = _differences(delta, chosen), _differences(treated.astype(float), chosen)
    # Ties count; rounding in the last digits must not break them.
    tie = 1e-9 * scale
    placebo_p = _share(np.abs(statistic) >= abs(estimate) - tie, sampled)
    twins = 2 if pilots == others else 1
    smallest = 1 / (len(statistic) + 1) if sampled else twins / assignments
    low, high = _not_rejected(estimate, statistic, slope, tie, sampled, level)
    if np.isfinite(low) and not std_error > 0:
        low = high = nan
    test = (float(estimate), float(std_error), float(df), float(p_value))
    return UnitComparison(*test, placebo_p, smallest, assignments, low, high)


def max_t(changes: ArrayLike, pilot: ArrayLike, *, seed: int = 0) -> Floats:
    """Placebo p-values of several outcomes, adjusted together: (k,), single-step max-T.

    changes (G, k): after − before of each unit in k outcomes. pilot (G,): true for pilot units. An outcome's p
    is the share of assignments whose largest |difference| over all outcomes reaches its own (Westfall & Young
    1993, Resampling-Based Multiple Testing, ch. 2). To be comparable, each is divided by the standard deviation
    of its changes over all units: up to a factor that of the difference over all assignments. Being the same for
    every assignment, it leaves one outcome alone with `placebo_p` of `compare_units`. An outcome that does not
    vary has p = 1. Raises ValueError where a change is missing, an arm is empty or lengths differ.

    >>> changes = [[5.0, 1.0], [6.0, 0.0], [1.0, 2.0], [0.0, 1.0], [2.0, 3.0], [1.0, 2.0]]
    >>> max_t(changes, [1, 1, 0, 0, 0, 0]).round(3).tolist()
    [0.067, 0.267]
    """
    delta = np.asarray(changes, dtype=float)
    if delta.ndim != 2 or not delta.shape[1]:
        raise ValueError(f"changes must be (G, k) with an outcome, got {delta.shape}")
    treated = _both_arms(pilot, delta)
    scale = np.abs(delta).max(axis=0)
    spread = np.where(np.ptp(delta, axis=0) > 1e-12 * scale, delta.std(axis=0), inf)
    standard = (delta - delta.mean(axis=0)) / spread
    chosen, _, sampled = _assignments(len(delta), int(treated.sum()), seed)
    largest = np.max([np.abs(_differences(outcome, chosen)) for outcome in standard.T], axis=0)
    own = np.abs(standard[treated].mean(axis=0) - standard[~treated].mean(axis=0)) - 1e-9 * scale / spread
    return np.array([_share(largest >= one, sampled) for one in own])


def shocks(
    change: ArrayLike,
    pilot: ArrayLike,
    sampling_variance: ArrayLike,
    *,
    waves: tuple[int, int] = (1, 1),
    level: float = 0.95,
) -> Shocks:
    """How far whole units move from wave to wave beyond what sampling explains.

    change (G,): after − before of each unit. pilot (G,): its arm; one arm is enough. sampling_variance (G,): that
    of each change, taken as known. waves: how many are averaged before and after. By the method of moments: the
    variance of changes within arms is τ²(1/before + 1/after) + sampling variance (Donald & Lang 2007, Review of
    Economics and Statistics 89(2)). τ and its χ² interval are truncated at 0; an estimate of 0 is no evidence of
    no shocks, `high` says how large they may be. Without two units in an arm: sd NaN, between 0 and infinity.
    Raises ValueError for missing or negative sampling variances, missing changes, lengths that differ, waves
    below 1, and a level that is not between 0 and 1.

    >>> found = shocks([5.0, 1.0, 2.0, 4.0, 0.0], [1, 1, 0, 0, 0], [1.0] * 5)
    >>> round(found.sd, 3), round(found.low, 3), round(found.high, 3), found.df
    (1.472, 0.596, 6.047, 3.0)
    """
    delta, noise = np.asarray(change, dtype=float), np.asarray(sampling_variance, dtype=float)
    if delta.ndim != 1 or noise.shape != delta.shape:
        raise ValueError(f"change {delta.shape} and sampling_variance {noise.shape} must be (G,) both")
    if not (np.isfinite(noise) & (noise >= 0)).all():
        raise ValueError("sampling_variance must be finite and not below zero")
    _check_level(level)
    factor = _shock_factor(waves)
    squares, counts, df = _within(delta, _arms(pilot, delta))
    if not df:
        return Shocks(nan, 0.0, inf, 0.0)
    tails = stats.chi2.ppf([(1 + level) / 2, (1 - level) / 2], df)
    variances = squares / np.array([df, *tails]) - (counts * noise).sum() / df
    sd, low, high = np.sqrt(np.maximum(variances, 0) / factor).tolist()
    return Shocks(sd, low, high, float(df))


def shock_curve(
    sampling_variance: float,
    df: float,
    pilots: float,
    others: float,
    *,
    shock_sd: ArrayLike,
    waves: tuple[int, int] = (1, 1),
    level: float = 0.95,
) -> Floats:
    """Half the width of the interval of a difference-in-differences if shocks had these standard deviations.

    sampling_variance, df: of the linearised estimate. pilots, others: numbers of units, unequal ones counted as
    the equal ones that average shocks as well; others=0 is for the pilots' own change. shock_sd: any shape, that
    of the result. waves: how many are averaged before and after.
    It is t·√(V + τ²(1/before + 1/after)(1/pilots + 1/others)), the variance of Donald & Lang (2007, Review of
    Economics and Statistics 89(2)), t with the df of V: at τ = 0 the linearised interval. A supposed τ brings
    variance and no doubt about it, so t errs on the wide side for τ > 0; with df that grew, the intervals of few
    clusters would shrink as shocks grow. Raises ValueError for a variance or sd that is missing or below 0, df
    not above 0, no pilot, waves below 1, and a level that is not between 0 and 1.

    >>> shock_curve(4.0, 30, 2, 4, shock_sd=[0.0, 2.0]).round(3).tolist()
    [4.085, 6.458]
    """
    tau = np.asarray(shock_sd, dtype=float)
    if not (tau >= 0).all():
        raise ValueError("shock_sd must not be missing or below zero")
    t, per_shock = _shock_terms(sampling_variance, df, pilots, others, waves, level)
    return t * np.sqrt(sampling_variance + tau**2 * per_shock)


def breaking_point(
    estimate: float,
    sampling_variance: float,
    df: float,
    pilots: float,
    others: float,
    *,
    waves: tuple[int, int] = (1, 1),
    level: float = 0.95,
) -> float:
    """The shock sd at which the interval of `shock_curve` around the estimate reaches zero.

    0 where it includes zero without any shocks; never infinite. Arguments, formula and errors are those of
    `shock_curve`, and ValueError where the estimate is not finite.

    >>> round(breaking_point(10.0, 4.0, 30, 2, 4), 3)
    3.649
    """
    if not np.isfinite(estimate):
        raise ValueError(f"estimate must be finite, got {estimate}")
    t, per_shock = _shock_terms(sampling_variance, df, pilots, others, waves, level)
    return sqrt(max((estimate / t) ** 2 - sampling_variance, 0.0) / per_shock)


def precision_ratio(noise: ArrayLike, pilot: ArrayLike) -> Floats:
    """How many times noisier the pilots' changes are than a usual comparison unit's.

    noise (G,) or (G, k): the sampling variance of each unit's change up to a common factor, such as 1/before +
    1/after of its numbers of answers; infinite where it has none. pilot (G,): true for pilot units. The ratio, () or
    (k,), of the pilots' mean to the median of the others, which one small comparison unit does not move; infinite
    where a unit has no answers. Raises ValueError for noise that is missing or not above 0, an empty arm, or lengths
    that differ.

    >>> precision_ratio([2 / 30, 2 / 300, 2 / 300], [1, 0, 0]).round(6).item()
    10.0
    """
    variance = np.asarray(noise, dtype=float)
    if not (variance > 0).all():
        raise ValueError("noise must be above zero, and none missing")
    known = np.where(np.isinf(variance), 1.0, variance)
    treated = _both_arms(pilot, known)
    ratio = known[treated].mean(axis=0) / np.median(known[~treated], axis=0)
    return np.where(np.isinf(variance).any(axis=0), inf, ratio)


def unequal_precision(noise: ArrayLike, pilot: ArrayLike) -> NDArray[np.bool_]:
    """Whether units are measured too unequally for the unit-level tests to be believed.

    Arguments, shapes and errors are those of `precision_ratio`. True where the pilots are noisier than `NOISIER`, and
    where the comparison units are and are no more than the pilots: the fewer units must not be the noisier ones.

    >>> unequal_precision([2 / 30, 2 / 30, 2 / 300, 2 / 300, 2 / 300], [0, 0, 1, 1, 1]).item()
    True
    """
    ratio, treated = precision_ratio(noise, pilot), np.asarray(pilot, dtype=bool)
    return (ratio > NOISIER) | ((ratio < 1 / NOISIER) & ((~treated).sum() <= treated.sum()))


def variance_components(values: ArrayLike, cell: ArrayLike, cluster: ArrayLike) -> tuple[Floats, Floats]:
    """The variance between clusters within cells, and within clusters, by analysis of variance: (k,) each.

    values (n, k): NaN where not answered. cell (n,): what is not to count, such as unit and wave. cluster (n,):
    labels within their cell. The between part is truncated at 0; 0 where no cell has two clusters or no cluster two
    answers (Donner 1986, International Statistical Review 54(1)). Raises ValueError for lengths that differ.

    >>> between, within = variance_components([[1.0], [2.0], [7.0], [9.0]], list("aaaa"), [1, 1, 2, 2])
    >>> between.tolist(), within.tolist()
    ([20.5], [1.25])
    """
    y = np.asarray(values, dtype=float)
    cells, places = pd.factorize(np.asarray(cell))[0], pd.factorize(np.asarray(cluster))[0]
    if y.ndim != 2 or cells.shape != (len(y),) or places.shape != (len(y),):
        raise ValueError(
            f"values must be (n, k), cell and cluster (n,), got {y.shape}, {cells.shape}, {places.shape}"
        )
    pair, pair_of_row = np.unique(cells * (places.max(initial=0) + 1) + places, return_inverse=True)
    cell_of_pair = pair // (places.max(initial=0) + 1)
    rows = sparse.csr_array((np.ones(len(y)), (pair_of_row, np.arange(len(y)))), (len(pair), len(y)))
    pairs = sparse.csr_array((np.ones(len(pair)), (cell_of_pair, np.arange(len(pair)))))
    known = ~np.isnan(y)
    centre = np.where(known, y, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    y = np.where(known, y - centre, 0.0)  # squares of deviations keep the digits that squares of values would lose
    size, total = rows @ known.astype(float), rows @ y
    n, whole, squares = pairs @ size, pairs @ total, y**2
    per_pair = np.divide(total**2, size, out=np.zeros(size.shape), where=size > 0)
    per_cell = np.divide(whole**2, n, out=np.zeros(n.shape), where=n > 0)
    present = (size > 0).sum(axis=0)
    within_df, between_df = n.sum(axis=0) - present, present - (n > 0).sum(axis=0)
    within = np.maximum(squares.sum(axis=0) - per_pair.sum(axis=0), 0) / np.maximum(within_df, 1)
    between = np.maximum(per_pair.sum(axis=0) - per_cell.sum(axis=0), 0) / np.maximum(between_df, 1)
    uneven = np.divide(pairs @ size**2, n, out=np.zeros(n.shape), where=n > 0).sum(axis=0)
    typical = (n.sum(axis=0) - uneven) / np.maximum(between_df, 1)
    told = (within_df > 0) & (between_df > 0)
    return np.where(told, np.maximum(between - within, 0) / np.maximum(typical, 1e-300), 0.0), within


def intraclass_correlation(values: ArrayLike, cell: ArrayLike, cluster: ArrayLike) -> Floats:
    """The share of variance that lies between clusters within cells, by analysis of variance: (k,), from 0 to 1.

    values (n, k): NaN where not answered. cell (n,): what is not to count, such as unit and wave. cluster (n,):
    labels within their cell. 0 where nothing varies; parts and errors as in `variance_components`.

    >>> intraclass_correlation([[1.0], [2.0], [7.0], [9.0]], list("aaaa"), [1, 1, 2, 2]).round(3).tolist()
    [0.943]
    """
    between, within = variance_components(values, cell, cluster)
    whole = between + within
    return np.divide(between, whole, out=np.zeros(whole.shape), where=whole > 0)


def cluster_robust(y: ArrayLike, X: ArrayLike, cluster: ArrayLike, *, coefficient: int) -> ClusterRobust:
    """One coefficient of a least-squares regression, its errors correlated within clusters in any way.

    y (n,): outcome. X (n, p): all regressors, with constant and dummies; other columns may depend on each other.
    cluster (n,): labels. coefficient: its column in X. The variance is CR2, unbiased for independent errors of
    one variance, with Satterthwaite's df (Bell & McCaffrey 2002, Survey Methodology 28(2); for dummies of
    clusters Pustejovsky & Tipton 2018, Journal of Business & Economic Statistics 36(4)). Standard error, df and p
    are NaN where one cluster alone determines the coefficient, as a single pilot unit does: no residual tells of
    its variance. Raises ValueError for values that are not finite, lengths that differ, a column that is not
    there or depends on the others, missing labels, and fewer than two clusters.

    >>> y, X = [1, 2, 2, 4, 6, 5, 7, 8], [[1, 0]] * 4 + [[1, 1]] * 4
    >>> found = cluster_robust(y, X, list("aabbccdd"), coefficient=1)
    >>> round(found.estimate, 3), round(found.std_error, 3), round(found.df, 3)
    (4.25, 1.25, 2.0)
    """
    values, design, labels = np.asarray(y, dtype=float), np.asarray(X, dtype=float), np.asarray(cluster)
    if design.ndim != 2 or not values.shape == labels.shape == design.shape[:1]:
        raise ValueError(f"y {values.shape}, X {design.shape}, cluster {labels.shape} must be (n,), (n, p), (n,)")
    if not (np.isfinite(values).all() and np.isfinite(design).all()):
        raise ValueError("y and X must be finite")
    if not 0 <= coefficient < design.shape[1]:
        raise ValueError(f"X has no column {coefficient}")
    code, names = pd.factorize(labels)
    if (code < 0).any() or len(names) < 2:
        raise ValueError("cluster must name two clusters, and none missing")
    Q, size, turned = np.linalg.svd(design, full_matrices=False)
    kept = size > size.max() * max(design.shape) * np.finfo(float).eps
    Q, target = Q[:, kept], turned[kept, coefficient]
    if target @ target < 1 - 1e-9:
        raise ValueError(f"column {coefficient} of X depends on the others")
    pull = Q @ (target / size[kept])
    estimate, residual = float(pull @ values), values - Q @ (Q.T @ values)
    score, length, load = np.zeros(len(names)), np.zeros(len(names)), np.zeros((len(names), Q.shape[1]))
    for group in range(len(names)):
        rows = code == group
        # (I − H)^−½ of a cluster differs from I only along the singular vectors of its rows of Q. Where these are
        # fitted without residual there is no inverse: no loss for its dummy, but for the coefficient itself.
        vectors, singular, _ = np.linalg.svd(Q[rows], full_matrices=False)
        part, left = vectors.T @ pull[rows], np.maximum(1 - singular**2, 0)
        fitted = left < 1e-10
        if (part[fitted] ** 2).sum() > 1e-9 * (pull @ pull):
            return ClusterRobust(estimate, nan, nan, nan)
        adjusted = pull[rows] + vectors @ ((~fitted / np.sqrt(left + fitted) - 1) * part)
        score[group], length[group], load[group] = adjusted @ residual[rows], adjusted @ adjusted, adjusted @ Q[rows]
    products = np.diag(length) - load @ load.T
    df = float(np.trace(products) ** 2 / (products**2).sum())
    std_error = sqrt(score @ score)
    if std_error <= 1e-12 * sqrt((pull @ pull) * (values @ values)):  # rounding is no variation
        return ClusterRobust(estimate, 0.0, df, nan)
    return ClusterRobust(estimate, std_error, df, float(2 * stats.t.sf(abs(estimate / std_error), df)))


def wild_bootstrap(change: ArrayLike, pilot: ArrayLike, *, seed: int = 0) -> float:
    """p-value of the difference of mean change by the wild cluster bootstrap, no difference imposed.

    change (G,): after − before of each unit. pilot (G,): true for pilot units. The deviations of changes from their
    mean get random signs; p is the share of sign patterns whose t, with each arm's own variance, is at least as
    large (Cameron, Gelbach & Miller 2008, Review of Economics and Statistics 90(3)): of all patterns up to 2^14, else
    of a seeded sample, then (b+1)/(m+1). NaN where an arm has one unit, whose variance cannot be told from its
    change, and where nothing varies. Raises ValueError where a change is missing, an arm is empty or lengths differ.

    >>> wild_bootstrap([5.0, 6.0, 1.0, 0.0, 2.0, 1.0], [1, 1, 0, 0, 0, 0])
    0.03125
    """
    delta = np.asarray(change, dtype=float)
    treated = _both_arms(pilot, delta)
    apart = delta - delta.mean()
    if min(treated.sum(), (~treated).sum()) < 2 or np.ptp(delta) <= 1e-12 * np.abs(delta).max():
        return nan
    if sampled := len(delta) > MOST_SIGNS:
        signs = generator(seed).choice([-1.0, 1.0], (MOST_ASSIGNMENTS, len(delta)))
    else:
        signs = np.array(list(product((1.0, -1.0), repeat=len(delta))))

    def t(values: Floats) -> Floats:
        arms = [values[..., arm] for arm in (treated, ~treated)]
        variance = sum(arm.var(axis=-1) / arm.shape[-1] for arm in arms)
        gap = arms[0].mean(axis=-1) - arms[1].mean(axis=-1)
        return np.abs(gap) / np.sqrt(np.maximum(variance, 1e-24 * np.abs(delta).max() ** 2))

    return _share(t(signs * apart) >= t(delta) * (1 - 1e-9), sampled)


def _arms(pilot: ArrayLike, values: Floats) -> NDArray[np.bool_]:
    treated = np.asarray(pilot, dtype=bool)
    if treated.shape != values.shape[:1]:
        raise ValueError(f"pilot must be (G,) with G = {len(values)}, got {treated.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a unit has no change")
    return treated


def _both_arms(pilot: ArrayLike, values: Floats) -> NDArray[np.bool_]:
    treated = _arms(pilot, values)
    if not treated.any() or treated.all():
        raise ValueError("pilot and comparison units are both needed")
    return treated


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")


def _within(delta: Floats, treated: NDArray[np.bool_]) -> tuple[float, Floats, int]:
    """Squares around the means of the arms, how much of each unit's variance they hold, and their df."""
    arms = [arm for arm in (treated, ~treated) if arm.any()]
    squares = sum(((delta[arm] - delta[arm].mean()) ** 2).sum() for arm in arms)
    held = sum(arm * (1 - 1 / arm.sum()) for arm in arms)
    return squares, held, len(delta) - len(arms)


def _assignments(count: int, pilots: int, seed: int) -> tuple[NDArray[np.int64], int, bool]:
    """Who would be a pilot (m, pilots), how many ways there are, and whether this is a sample of them."""
    assignments = comb(count, pilots)
    if sampled := assignments > MOST_ASSIGNMENTS:
        order = generator(seed).permuted(np.tile(np.arange(count), (MOST_ASSIGNMENTS, 1)), axis=1)
        return order[:, :pilots], assignments, sampled
    return np.array(list(combinations(range(count), pilots))), assignments, sampled


def _differences(values: Floats, chosen: NDArray[np.int64]) -> Floats:
    pilots, inside = chosen.shape[1], values[chosen].sum(axis=1)
    return inside / pilots - (values.sum() - inside) / (len(values) - pilots)


def _share(extreme: NDArray[np.bool_], sampled: bool) -> float:
    """A sample of assignments is counted with the one that was made, so that p is never 0."""
    return float((extreme.sum() + sampled) / (len(extreme) + sampled))


def _not_rejected(
    estimate: float, statistic: Floats, slope: Floats, tie: float, sampled: bool, level: float
) -> tuple[float, float]:
    """The effects τ for which more than 1 − level of the assignments reach |D_a − τ·s_a| ≥ |D − τ| − tie.

    As |s_a| < 1, an assignment does so between two crossing points, one on each side of the estimate; the
    assignment that was made, and its mirror image, everywhere.
    """
    crosses = np.abs(slope) < 1 - 1e-9
    count = floor((1 - level) * (len(slope) + sampled) + 1e-9) + 1 - (~crosses).sum() - sampled
    if count < 1:
        return -inf, inf
    D, s, ends = statistic[crosses], slope[crosses], []
    for side in (-1, 1):
        reach = side * estimate + tie
        crossing = np.maximum((reach + D) / (1 + side * s), (reach - D) / (1 - side * s))
        ends.append(float(side * np.sort(crossing)[-count]))
    return ends[0], ends[1]


def _shock_factor(waves: tuple[int, int]) -> float:
    if min(waves) < 1:
        raise ValueError(f"waves must be 1 or more before and after, got {waves}")
    return 1 / waves[0] + 1 / waves[1]


def _shock_terms(
    sampling_variance: float, df: float, pilots: float, others: float, waves: tuple[int, int], level: float
) -> tuple[float, float]:
    """Student's t, and the variance of the difference per shock variance."""
    _check_level(level)
    if not (sampling_variance >= 0 and df > 0):
        raise ValueError(f"sampling_variance must not be below 0 and df be above 0, got {sampling_variance} and {df}")
    if pilots < 1 or others < 0:
        raise ValueError(f"pilots must be 1 or more and others 0 or more, got {pilots} and {others}")
    units = 1 / pilots + (1 / others if others else 0)
    return float(stats.t.ppf((1 + level) / 2, df)), _shock_factor(waves) * units
