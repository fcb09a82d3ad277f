"""Domain means of clustered, stratified, weighted samples, and linear contrasts of them. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contrasts:
    """Contrasts of domain means, each array (C, k): C contrasts, k items."""

    estimate: Floats
    std_error: Floats
    df: Floats
    clusters: NDArray[np.int64]


@dataclass(frozen=True)
class DomainMeans:
    """Means of k items in D domains: `domain` (D,), the others (D, k).

    `clusters` is the number of clusters with valid answers that an estimate rests on.
    """

    domain: NDArray
    n: NDArray[np.int64]
    estimate: Floats
    std_error: Floats
    df: Floats
    clusters: NDArray[np.int64]
    _influence: Floats  # (pairs, k): influence totals of each cluster in each domain where it has members
    _valid: NDArray[np.bool_]  # (pairs, k)
    _pair_domain: NDArray[np.int64]
    _pair_cluster: NDArray[np.int64]
    _stratum: NDArray[np.int64]  # (clusters,)
    _scale: Floats  # (k,): largest absolute value, against which rounding is told from variation

    def contrast(self, L: ArrayLike) -> Contrasts:
        """Linear contrasts: `L` (C, D) holds one row of coefficients a contrast.

        Where a coefficient is not zero, a domain without a valid answer makes the contrast NaN; a domain that
        rests on one cluster, a stratum that has one, or df below 1 make the standard error NaN, never a silent
        zero. Constant values give a standard error of exactly zero.
        """
        L = np.atleast_2d(np.asarray(L, dtype=float))
        if L.shape[1] != len(self.domain):
            raise ValueError(f"L has {L.shape[1]} columns for {len(self.domain)} domains")
        size = np.bincount(self._stratum)
        lonely = size[self._stratum] < 2
        own_clusters = np.zeros(self.estimate.shape, dtype=np.int64)
        np.add.at(own_clusters, self._pair_domain, self._valid)
        shape = (len(L), self.estimate.shape[1])
        estimate, std_error, df = (np.full(shape, np.nan) for _ in range(3))
        clusters = np.zeros(shape, dtype=np.int64)
        for row, coefficients in enumerate(L):
            used = coefficients != 0
            estimate[row] = coefficients[used] @ self.estimate[used]
            pairs = used[self._pair_domain]
            cluster, weight = self._pair_cluster[pairs], coefficients[self._pair_domain[pairs], None]
            totals = np.zeros((len(self._stratum), shape[1]))
            np.add.at(totals, cluster, weight * self._influence[pairs])
            present = np.zeros(totals.shape, dtype=bool)
            np.logical_or.at(present, cluster, self._valid[pairs])
            squares = np.zeros((len(size), shape[1]))
            sums = squares.copy()
            np.add.at(sums, self._stratum, totals)
            np.add.at(squares, self._stratum, (totals - (sums / size[:, None])[self._stratum]) ** 2)
            variance = (squares * (size / np.maximum(size - 1, 1))[:, None]).sum(axis=0)
            strata = np.zeros((len(size), shape[1]), dtype=bool)
            np.logical_or.at(strata, self._stratum, present)
            clusters[row] = present.sum(axis=0)
            df[row] = clusters[row] - strata.sum(axis=0)
            unknown = (present & lonely[:, None]).any(axis=0) | (own_clusters[used] < 2).any(axis=0)
            unknown |= np.isnan(estimate[row]) | (df[row] < 1)
            rounding = 1e-12 * np.abs(coefficients).sum() * self._scale
            std_error[row] = np.where(unknown, np.nan, np.where(variance > rounding**2, np.sqrt(variance), 0.0))
        return Contrasts(estimate, std_error, df, clusters)


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
    counted among clusters with valid answers.

    Raises ValueError for infinite values, weights that are not positive, a cluster in two strata, lengths that
    differ, and missing domain, cluster or stratum labels.

    >>> means = domain_means([[1.0], [3.0], [4.0], [8.0]], ["a", "a", "b", "b"])
    >>> means.estimate.ravel().tolist(), means.contrast([[-1, 1]]).estimate.item()
    ([2.0, 6.0], 4.0)
    """
    y = np.asarray(values, dtype=float)
    if y.ndim != 2:
        raise ValueError(f"values must be (n, k), got {y.ndim} dimensions")
    if np.isinf(y).any():
        raise ValueError("values must be finite or NaN")
    n = len(y)
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

    valid = ~np.isnan(y)
    filled = np.where(valid, y, 0.0)
    shape = (len(domains), y.shape[1])
    total, size = np.zeros(shape), np.zeros(shape)
    count = np.zeros(shape, dtype=np.int64)
    np.add.at(size, domain_code, w[:, None] * valid)
    np.add.at(total, domain_code, w[:, None] * filled)
    np.add.at(count, domain_code, valid)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / np.where(count > 0, size, 1), np.nan)
    pair = domain_code * clusters + cluster_code
    pairs, pair_code = np.unique(pair, return_inverse=True)
    deviation = np.where(valid, (filled - mean[domain_code]) * w[:, None], 0.0)
    influence = np.zeros((len(pairs), y.shape[1]))
    np.add.at(influence, pair_code, deviation / np.where(size > 0, size, 1)[domain_code])
    answered = np.zeros(influence.shape, dtype=bool)
    np.logical_or.at(answered, pair_code, valid)

    parts = (
        influence,
        answered,
        pairs // max(clusters, 1),
        pairs % max(clusters, 1),
        stratum_of,
        np.abs(filled).max(axis=0, initial=0),
    )
    empty = np.full(shape, np.nan)
    bare = DomainMeans(domains, count, mean, empty, empty, count, *parts)
    own = bare.contrast(np.eye(len(domains)))
    return DomainMeans(domains, count, mean, own.std_error, own.df, own.clusters, *parts)


def _codes(labels: ArrayLike, name: str, n: int) -> tuple[NDArray, NDArray[np.int64]]:
    array = np.asarray(labels)
    if array.shape != (n,):
        raise ValueError(f"{name} must be ({n},), got {array.shape}")
    if pd.isna(array).any():
        raise ValueError(f"{name} has missing labels")
    found, codes = np.unique(array, return_inverse=True)
    return found, codes.astype(np.int64)
