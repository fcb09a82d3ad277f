"""Domain means of clustered, stratified, weighted samples, and linear contrasts of them. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from evalkit.calibration import Calibration

Floats = NDArray[np.float64]
SingleCluster = Literal["error", "unknown", "center", "certainty"]
# Effective degrees of freedom are used below this share of clusters − strata, where they are few enough to matter.
UNEVEN, FEW = 0.6, 30
BLOCK, SAMPLE = 16, 1000  # items taken at a time, to leave memory alone; rows that give a middle value


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of domain means, each array (C, k): C contrasts, k items.

    `clusters` is the number of clusters with valid answers that an estimate rests on.
    """

    estimate: Floats
    std_error: Floats
    df: Floats
    clusters: NDArray[np.int64]


@dataclass(frozen=True)
class DomainMeans:
    """Means of k items in D domains: `domain` (D,), the others (D, k).

    Kept for contrasts: the influence totals of each cluster in each domain where it has members, from which any
    contrast and its variance follow.
    """

    domain: NDArray
    n: NDArray[np.int64]
    estimate: Floats
    std_error: Floats
    df: Floats
    clusters: NDArray[np.int64]
    _influence: Floats  # (pairs, k), a pair being a cluster in a domain
    _valid: NDArray[np.bool_]  # (pairs, k)
    _pair_domain: NDArray[np.int64]
    _pair_cluster: NDArray[np.int64]
    _stratum: NDArray[np.int64]  # (clusters,)
    _drawn: Floats  # (strata,): the part of a stratum's variance that its sampling fraction leaves
    _single: SingleCluster
    _calibrated: tuple[Floats, Floats]  # (clusters, m) totals of the margins, (D, m, k) their coefficients
    _scale: Floats  # (k,): mean absolute value, against which rounding is told from variation

    def contrast(self, L: ArrayLike) -> Contrasts:
        """Linear contrasts: `L` (C, D) holds one row of coefficients a contrast.

        Where a coefficient is not zero, a domain without a valid answer makes the contrast NaN; a domain that
        rests on one cluster, a stratum that has one (`single_cluster="unknown"`), or df below 1 make the standard
        error NaN, never a silent zero. Constant values give a standard error of exactly zero.
        """
        L = np.atleast_2d(np.asarray(L, dtype=float))
        if L.shape[1] != len(self.domain):
            raise ValueError(f"L has {L.shape[1]} columns for {len(self.domain)} domains")
        used = sparse.csr_array(L != 0, dtype=float)
        estimate = sparse.csr_array(L) @ np.nan_to_num(self.estimate)
        estimate[used @ np.isnan(self.estimate).astype(float) > 0] = np.nan

        # Rows: one for each cluster with a share in a contrast; from there to strata (cells), then to contrasts.
        contrast, cluster, totals, present = self._cluster_totals(L)
        strata = len(self._drawn)
        cells, cell_of = np.unique(contrast * strata + self._stratum[cluster], return_inverse=True)
        gather, collect = _indicator(cell_of, len(cells)), _indicator(cells // strata, len(L))
        size, factor, centred = (column[cells % strata, None] for column in self._spread())
        sums, squares, members = gather @ totals, gather @ totals**2, gather @ present.astype(float)
        # Clusters of the stratum without members here have a total of zero and count all the same.
        spread = np.maximum(squares - sums**2 * centred, 0) * factor
        variance, clusters = collect @ spread, collect @ members
        free = np.where(members > 0, members - 1, 0.0)
        df = collect @ free
        # Where a few strata carry most of the variance, fewer degrees of freedom stand behind it (Satterthwaite
        # 1946). Equal strata keep clusters − strata: they are told by V²/(ν+2), unbiased for a stratum's V²/ν.
        least, fair = (
            np.divide(variance**2, carried, out=df.copy(), where=carried > 0)
            for carried in (collect @ (spread**2 / np.maximum(free, 1)), collect @ (spread**2 / (free + 2)))
        )
        df = np.where((fair < UNEVEN * df) & (least < FEW), least, df)

        own = _indicator(self._pair_domain, len(self.domain)) @ self._valid.astype(float)
        unknown = used @ (own < 2).astype(float) > 0
        if self._single == "unknown":
            unknown |= collect @ ((members > 0) & (size < 2)).astype(float) > 0
        rounding = 1e-12 * np.abs(L).sum(axis=1, keepdims=True) * self._scale
        std_error = np.where(variance > rounding**2, np.sqrt(variance), 0.0)
        std_error[unknown | np.isnan(estimate) | (df < 1)] = np.nan
        return Contrasts(estimate, std_error, df, clusters.astype(np.int64))

    def covariance(self, coefficients: ArrayLike) -> Floats:
        """Covariance (k, k) between the items of one contrast, `coefficients` (D,)."""
        _, cluster, totals, _ = self._cluster_totals(np.atleast_2d(np.asarray(coefficients, dtype=float)))
        stratum = self._stratum[cluster]
        sums = _indicator(stratum, len(self._drawn)) @ totals
        _, factor, centred = self._spread()
        return totals.T @ (totals * factor[stratum, None]) - sums.T @ (sums * (factor * centred)[:, None])

    def _cluster_totals(self, L: Floats) -> tuple[NDArray, NDArray, Floats, NDArray]:
        """Contrast, cluster, influence total (rows, k) of each cluster that has a share, and its valid items."""
        count = max(len(self._stratum), 1)
        row, pair = (sparse.csc_array(L)[:, self._pair_domain]).nonzero()
        key, (margin, coefficient) = row * count + self._pair_cluster[pair], self._calibrated
        moved = np.flatnonzero((np.abs(L) @ np.abs(coefficient).sum(axis=(1, 2))) > 0)
        reached = np.flatnonzero(margin.any(axis=1))
        rows, row_of = np.unique(np.r_[key, np.add.outer(moved * count, reached).ravel()], return_inverse=True)
        row_of, shape = row_of[: len(key)], (len(rows), len(self._pair_domain))
        weight = L[row, self._pair_domain[pair]]
        totals = sparse.csr_array((weight, (row_of, pair)), shape) @ self._influence
        present = sparse.csr_array((np.ones(len(pair)), (row_of, pair)), shape) @ self._valid.astype(float) > 0
        contrast, cluster = rows // count, rows % count
        for one in moved:
            totals[contrast == one] += margin[cluster[contrast == one]] @ np.tensordot(L[one], coefficient, 1)
        return contrast, cluster, totals, present

    def _spread(self) -> tuple[Floats, Floats, Floats]:
        """By stratum: its clusters, what a sum of squares about the mean is multiplied by, how far it is centred."""
        size = np.bincount(self._stratum, minlength=len(self._drawn)).astype(float)
        alone = size < 2
        centred = np.where(alone & (self._single == "center"), 0.0, 1 / np.maximum(size, 1))
        return size, self._drawn * size / np.where(alone, 1, size - 1), centred


def domain_means(
    values: ArrayLike,
    domain: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
    population: ArrayLike | None = None,
    size: ArrayLike | None = None,
    single_cluster: SingleCluster = "error",
    calibration: Calibration | None = None,
) -> DomainMeans:
    """Means of items in domains, with linearised (Taylor) standard errors.

    values (n, k): float, NaN where not answered; each item uses its own valid rows. domain (n,): labels.
    weight, cluster, stratum (n,) or None: ones, each row its own cluster, one stratum. Clusters are taken as
    drawn with replacement within their stratum; one that has no member in a domain still counts there.
    population (n,): how many clusters the row's stratum has in all, where they were drawn without replacement and
    everybody in them was asked. size (n, k): denominators of ratios; with values num/den and size den the estimate
    is the ratio of sums Σw·num / Σw·den. calibration: from `calibration.rake`, whose weights are then used.
    single_cluster: what a stratum with one cluster means: an `error`, an `unknown` standard error, its squared
    distance from the mean of all (`center`), or no variance (`certainty`).

    The variance of Σ_d L_d·mean_d is Σ_h (1−n_h/N_h)·n_h/(n_h−1) Σ_c (u_hc − ū_h)², u the cluster totals of
    w·(y − mean)/Σw (Särndal, Swensson & Wretman 1992, §5.8; Binder 1983); of calibrated weights u are residuals from
    the margins. df are clusters less strata, counted among clusters with valid answers, or Satterthwaite's where
    strata contribute very unequally.

    Raises ValueError for infinite values, weights that are not positive, a cluster in two strata, lengths that
    differ, missing labels, a stratum with one cluster, and a population that does not exceed the clusters drawn.

    >>> means = domain_means([[1.0], [3.0], [4.0], [8.0]], ["a", "a", "b", "b"])
    >>> means.estimate.ravel().tolist(), means.contrast([[-1, 1]]).estimate.item()
    ([2.0, 6.0], 4.0)
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 2:
        raise ValueError(f"values must be (n, k), got {y.ndim} dimensions")
    n, k = y.shape
    domains, domain_code = codes_of(domain, "domain", n)
    cluster_code = np.arange(n) if cluster is None else codes_of(cluster, "cluster", n)[1]
    strata, stratum_code = codes_of(np.zeros(n) if stratum is None else stratum, "stratum", n)
    if calibration is not None:
        if weight is not None and not np.array_equal(weight, calibration.weight):
            raise ValueError("weight differs from that of the calibration")
        weight = calibration.weight
    w = weights_of(weight, n)
    sizes = None if size is None else np.asarray(size, dtype=float)
    if sizes is not None and (sizes.shape != y.shape or not (np.isfinite(sizes) & (sizes >= 0)).all()):
        raise ValueError("size must be (n, k), finite and not below zero")
    clusters = cluster_code.max(initial=-1) + 1
    stratum_of = np.full(clusters, -1)
    stratum_of[cluster_code] = stratum_code
    if (stratum_of[cluster_code] != stratum_code).any():
        raise ValueError("a cluster lies in two strata")
    drawn = np.bincount(stratum_of, minlength=len(strata))
    if single_cluster not in get_args(SingleCluster):
        raise ValueError(f"single_cluster must be one of {get_args(SingleCluster)}, got {single_cluster!r}")
    if single_cluster == "error" and (drawn == 1).any():
        raise ValueError(f"stratum '{strata[drawn == 1][0]}' has one cluster: its variance cannot be estimated")
    left = _fraction_left(population, stratum_code, strata, drawn)

    code, pair_code = pd.factorize(domain_code * max(clusters, 1) + cluster_code)[::-1]
    rank = np.argsort(code)
    pairs, pair_code = code[rank], np.argsort(rank)[pair_code]
    pair_domain, pair_cluster = pairs // max(clusters, 1), pairs % max(clusters, 1)
    weigh, by_domain = _indicator(pair_code, len(pairs), w), _indicator(pair_domain, len(domains))
    rows_of_pair = np.bincount(pair_code, minlength=len(pairs))[:, None]
    weight_of_pair = np.bincount(pair_code, w, minlength=len(pairs))[:, None]
    margins = _Margins(calibration, w, domain_code, cluster_code, len(domains), clusters)

    shape = (len(domains), k)
    number, mean = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    influence, answered, scale = np.zeros((len(pairs), k)), np.zeros((len(pairs), k), dtype=bool), np.zeros(k)
    coefficient = np.zeros((len(domains), margins.count, k))
    for start in range(0, k, BLOCK):
        part = slice(start, start + BLOCK)
        block = y[:, part].copy()
        missing = np.flatnonzero(np.isnan(block))
        row = missing // block.shape[1]
        block.reshape(-1)[missing] = 0.0
        scale[part] = np.ones(n) @ np.abs(block) / max(n, 1)
        if not np.isfinite(scale[part]).all():
            raise ValueError("values must be finite or NaN")
        # Sums of deviations from a middle value keep the digits that sums of values would lose.
        middle = block[:SAMPLE].mean(axis=0) if n else np.zeros(block.shape[1])
        block -= middle
        block.reshape(-1)[missing] = 0.0
        cells = (len(pairs), block.shape[1])
        if sizes is None:
            # Answers are many and gaps are few: what a cell lacks is taken from the whole.
            gap = (pair_code[row] - row) * block.shape[1] + missing
            counted = rows_of_pair - np.bincount(gap, minlength=cells[0] * cells[1]).reshape(cells)
            whole = weight_of_pair - np.bincount(gap, w[row], minlength=cells[0] * cells[1]).reshape(cells)
            whole[counted == 0] = 0.0
        else:
            part_of = sizes[:, part].copy()
            part_of.reshape(-1)[missing] = 0.0
            block *= part_of
            whole, counted = weigh @ part_of, _indicator(pair_code, len(pairs)) @ (part_of > 0).astype(np.int64)
        total = weigh @ block
        number[:, part] = by_domain @ counted
        domain_size = by_domain @ whole
        known = number[:, part] > 0
        shift = np.divide(by_domain @ total, domain_size, out=np.full(known.shape, np.nan), where=known)
        mean[:, part] = shift + middle
        shift, safe = np.nan_to_num(shift), np.where(known, domain_size, 1.0)
        influence[:, part] = (total - shift[pair_domain] * whole) / safe[pair_domain]
        answered[:, part] = counted > 0
        if margins.count:
            if sizes is None:
                part_of = np.ones(block.shape)
                part_of.reshape(-1)[missing] = 0.0
            coefficient[:, :, part] = margins.coefficients(block, part_of, shift, safe)
    empty = np.full(shape, np.nan)
    calibrated = (margins.totals, coefficient)
    parts = (influence, answered, pair_domain, pair_cluster, stratum_of, left, single_cluster, calibrated, scale)
    own = DomainMeans(domains, number, mean, empty, empty, number, *parts).contrast(np.eye(len(domains)))
    return DomainMeans(domains, number, mean, own.std_error, own.df, own.clusters, *parts)


class _Margins:
    """The margins that weights were calibrated to, as far as a variance needs them.

    A mean moves with the sums of its residuals from the margins and, where the margins were themselves counted in
    reference rows of the sample, with these (Deville & Särndal 1992).
    """

    def __init__(
        self, calibration: Calibration | None, weight: Floats, domain: NDArray, cluster: NDArray, domains: int,
        clusters: int,
    ) -> None:  # fmt: skip
        self.count = 0 if calibration is None else calibration.indicators.shape[1]
        self.totals = np.zeros((clusters, self.count))
        if calibration is None:
            return
        x, reference = calibration.indicators, calibration.reference
        by_cluster = _indicator(cluster, clusters, np.where(reference, calibration.start, -weight))
        self.totals = (by_cluster @ x).toarray()
        # Residuals from a regression with the weights as they were before, as R's calibrate.
        adjusted = sparse.diags_array(np.where(reference, 0.0, calibration.start)) @ x
        self._inverse = np.linalg.pinv((adjusted.T @ x).toarray(), rcond=1e-12, hermitian=True)
        rows, columns = adjusted.nonzero()
        cell = domain[rows] * self.count + columns
        self._cells = sparse.csr_array((adjusted[rows, columns], (cell, rows)), (domains * self.count, len(domain)))

    def coefficients(self, deviation: Floats, size: Floats, shift: Floats, domain_size: Floats) -> Floats:
        """(D, m, items): of each domain's influence on the margins."""
        shape = (len(shift), self.count, deviation.shape[1])
        total, whole = ((self._cells @ part).reshape(shape) for part in (deviation, size))
        return self._inverse @ ((total - shift[:, None] * whole) / domain_size[:, None])


def _fraction_left(population: ArrayLike | None, code: NDArray, strata: NDArray, drawn: NDArray) -> Floats:
    """By stratum, 1 − n_h/N_h; ones without a population."""
    if population is None:
        return np.ones(len(strata))
    declared = np.asarray(population, dtype=float)
    if declared.shape != code.shape:
        raise ValueError(f"population must be {code.shape}, got {declared.shape}")
    whole = np.full(len(strata), np.nan)
    whole[code] = declared
    for name, here, count in zip(strata, whole, drawn, strict=True):
        if not here > count:
            raise ValueError(
                f"stratum '{name}' has a population of {here:g} clusters and {count} were drawn: the population must"
                " be larger; where all were drawn, take the clusters as strata"
            )
    if (whole[code] != declared).any():
        raise ValueError("population differs within a stratum")
    return 1 - drawn / whole


def _indicator(group: NDArray[np.int64], groups: int, weight: Floats | None = None) -> sparse.csc_array:
    """The (groups, n) matrix that adds up rows by group, weighted."""
    entries = np.ones(len(group)) if weight is None else weight
    return sparse.csc_array((entries, group, np.arange(len(group) + 1)), (groups, len(group)))


def codes_of(labels: ArrayLike, name: str, n: int) -> tuple[NDArray, NDArray[np.int64]]:
    """The distinct labels, sorted, and each row's position among them; ValueError where one is missing."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} must be ({n},), got {array.shape}")
    codes, found = pd.factorize(array, sort=True)
    if (codes < 0).any():
        raise ValueError(f"{name} has missing labels")
    return np.asarray(found), codes.astype(np.int64)


def weights_of(weight: ArrayLike | None, n: int) -> Floats:
    """The weights of n rows, ones where there are none; ValueError where one is missing or not above zero."""
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
    if w.shape != (n,) or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be (n,), finite and above zero")
    return w
