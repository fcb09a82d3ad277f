"""Domain means of clustered, stratified, weighted samples, and linear contrasts of them. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Floats = NDArray[np.float64]
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
    _scale: Floats  # (k,): mean absolute value, against which rounding is told from variation

    def contrast(self, L: ArrayLike) -> Contrasts:
        """Linear contrasts: `L` (C, D) holds one row of coefficients a contrast.

        Where a coefficient is not zero, a domain without a valid answer makes the contrast NaN; a domain that
        rests on one cluster, a stratum that has one, or df below 1 make the standard error NaN, never a silent
        zero. Constant values give a standard error of exactly zero.
        """
        L = np.atleast_2d(np.asarray(L, dtype=float))
        if L.shape[1] != len(self.domain):
            raise ValueError(f"L has {L.shape[1]} columns for {len(self.domain)} domains")
        chosen = sparse.csr_array(L)
        used = sparse.csr_array(L != 0, dtype=float)
        estimate = chosen @ np.nan_to_num(self.estimate)
        estimate[used @ np.isnan(self.estimate).astype(float) > 0] = np.nan

        # Rows: one for each cluster with members in a domain of a contrast; from there to strata, then contrasts.
        row, pair = (chosen.tocsc()[:, self._pair_domain]).nonzero()
        count = len(self._stratum)
        rows, row_of = np.unique(row * count + self._pair_cluster[pair], return_inverse=True)
        weight = L[row, self._pair_domain[pair]]
        shape = (len(rows), len(self._pair_domain))
        totals = sparse.csr_array((weight, (row_of, pair)), shape) @ self._influence
        present = sparse.csr_array((np.ones(len(pair)), (row_of, pair)), shape) @ self._valid.astype(float) > 0
        strata = self._stratum.max(initial=-1) + 1
        cells, cell_of = np.unique(rows // count * strata + self._stratum[rows % count], return_inverse=True)
        gather = _indicator(cell_of, len(cells))
        size = np.bincount(self._stratum, minlength=strata)[cells % strata, None]
        sums, squares, members = gather @ totals, gather @ totals**2, gather @ present.astype(float)
        # Clusters of the stratum without members here have a total of zero and count all the same.
        spread = np.maximum(squares - sums**2 / size, 0) * size / np.maximum(size - 1, 1)
        collect = _indicator(cells // strata, len(L))
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
        unknown = (used @ (own < 2).astype(float) > 0) | (collect @ ((members > 0) & (size < 2)).astype(float) > 0)
        rounding = 1e-12 * np.abs(L).sum(axis=1, keepdims=True) * self._scale
        std_error = np.where(variance > rounding**2, np.sqrt(variance), 0.0)
        std_error[unknown | np.isnan(estimate) | (df < 1)] = np.nan
        return Contrasts(estimate, std_error, df, clusters.astype(np.int64))


def domain_means(
    values: ArrayLike,
    domain: ArrayLike,
    *,
    weight: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    stratum: ArrayLike | None = None,
) -> DomainMeans:
    """Means of items in domains, with linearised (Taylor) standard errors.

    values (n, k): float, NaN where not answered; each item uses its own valid rows. domain (n,): labels.
    weight, cluster, stratum (n,) or None: ones, each row its own cluster, one stratum. Clusters are taken as
    drawn with replacement within their stratum; one that has no member in a domain still counts there.
    The variance of Σ_d L_d·mean_d is Σ_h n_h/(n_h−1) Σ_c (u_hc − ū_h)², u the cluster totals of
    w·(y − mean)/Σw (Särndal, Swensson & Wretman 1992, §5.8; Binder 1983); df are clusters less strata,
    counted among clusters with valid answers, or Satterthwaite's where strata contribute very unequally.

    Raises ValueError for infinite values, weights that are not positive, a cluster in two strata, lengths that
    differ, and missing domain, cluster or stratum labels.

    >>> means = domain_means([[1.0], [3.0], [4.0], [8.0]], ["a", "a", "b", "b"])
    >>> means.estimate.ravel().tolist(), means.contrast([[-1, 1]]).estimate.item()
    ([2.0, 6.0], 4.0)
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 2:
        raise ValueError(f"values must be (n, k), got {y.ndim} dimensions")
    n, k = y.shape
    domains, domain_code = _codes(domain, "domain", n)
    cluster_code = np.arange(n) if cluster is None else _codes(cluster, "cluster", n)[1]
    stratum_code = np.zeros(n, dtype=np.int64) if stratum is None else _codes(stratum, "stratum", n)[1]
    w = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
    if w.shape != (n,) or not (np.isfinite(w) & (w > 0)).all():
        raise ValueError("weight must be (n,), finite and above zero")
    clusters = cluster_code.max(initial=-1) + 1
    stratum_of = np.full(clusters, -1)
    stratum_of[cluster_code] = stratum_code
    if (stratum_of[cluster_code] != stratum_code).any():
        raise ValueError("a cluster lies in two strata")

    code, pair_code = pd.factorize(domain_code * max(clusters, 1) + cluster_code)[::-1]
    rank = np.argsort(code)
    pairs, pair_code = code[rank], np.argsort(rank)[pair_code]
    pair_domain, pair_cluster = pairs // max(clusters, 1), pairs % max(clusters, 1)
    weigh, by_domain = _indicator(pair_code, len(pairs), w), _indicator(pair_domain, len(domains))
    rows_of_pair = np.bincount(pair_code, minlength=len(pairs))[:, None]
    weight_of_pair = np.bincount(pair_code, w, minlength=len(pairs))[:, None]

    shape = (len(domains), k)
    number, mean = np.zeros(shape, dtype=np.int64), np.full(shape, np.nan)
    influence, answered, scale = np.zeros((len(pairs), k)), np.zeros((len(pairs), k), dtype=bool), np.zeros(k)
    for start in range(0, k, BLOCK):
        part = slice(start, start + BLOCK)
        block = y[:, part].copy()
        row, item = np.nonzero(np.isnan(block))
        block[row, item] = 0.0
        scale[part] = np.ones(n) @ np.abs(block) / max(n, 1)
        if not np.isfinite(scale[part]).all():
            raise ValueError("values must be finite or NaN")
        # Answers are many and gaps are few: what a cell lacks is taken from the whole.
        gap, cells = pair_code[row] * block.shape[1] + item, (len(pairs), block.shape[1])
        counted = rows_of_pair - np.bincount(gap, minlength=cells[0] * cells[1]).reshape(cells)
        size = weight_of_pair - np.bincount(gap, w[row], minlength=cells[0] * cells[1]).reshape(cells)
        size[counted == 0] = 0.0
        # Sums of deviations from a middle value keep the digits that sums of values would lose.
        middle = block[:SAMPLE].mean(axis=0) if n else np.zeros(block.shape[1])
        block -= middle
        block[row, item] = 0.0
        total = weigh @ block
        number[:, part] = by_domain @ counted
        domain_size = by_domain @ size
        known = number[:, part] > 0
        shift = np.divide(by_domain @ total, domain_size, out=np.full(known.shape, np.nan), where=known)
        mean[:, part] = shift + middle
        safe = np.where(known, domain_size, 1.0)
        influence[:, part] = (total - np.nan_to_num(shift)[pair_domain] * size) / safe[pair_domain]
        answered[:, part] = counted > 0
    empty = np.full(shape, np.nan)
    parts = (influence, answered, pair_domain, pair_cluster, stratum_of, scale)
    own = DomainMeans(domains, number, mean, empty, empty, number, *parts).contrast(np.eye(len(domains)))
    return DomainMeans(domains, number, mean, own.std_error, own.df, own.clusters, *parts)


def _indicator(group: NDArray[np.int64], groups: int, weight: Floats | None = None) -> sparse.csc_array:
    """The (groups, n) matrix that adds up rows by group, weighted."""
    entries = np.ones(len(group)) if weight is None else weight
    return sparse.csc_array((entries, group, np.arange(len(group) + 1)), (groups, len(group)))


def _codes(labels: ArrayLike, name: str, n: int) -> tuple[NDArray, NDArray[np.int64]]:
    """The distinct labels, sorted, and each row's position among them."""
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} must be ({n},), got {array.shape}")
    codes, found = pd.factorize(array, sort=True)
    if (codes < 0).any():
        raise ValueError(f"{name} has missing labels")
    return np.asarray(found), codes.astype(np.int64)
