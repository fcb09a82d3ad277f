"""Indices of careless answering: runs of one answer, correlations within a form, distances (arrays only)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd


def longest_run(codes: npt.NDArray[np.float64], *, of: float | None = None) -> npt.NDArray[np.int64]:
    """The longest run of one answer in each row of codes (n, items), or of the answer `of`.

    A missing answer does not end a run.

    >>> longest_run(np.array([[4, 4, np.nan, 4, 2], [1, 2, 3, 4, 5]])).tolist()
    [3, 1]
    """
    longest, run = (np.zeros(len(codes), dtype=int) for _ in range(2))
    last = np.full(len(codes), np.nan)
    for answer in codes.T:
        given = ~np.isnan(answer)
        run = np.where(given, np.where(answer == last, run + 1, 1), run)
        last = np.where(given, answer, last)
        longest = np.maximum(longest, run if of is None else np.where(answer == of, run, 0))
    return longest


def row_correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The correlation of each row of one array with the same row of the other (n, columns), over columns in both.

    NaN where fewer than two columns are answered in both, or one of them does not vary.
    """
    both = ~np.isnan(first) & ~np.isnan(second)
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    first, second = (np.where(both, side, 0.0) for side in (first, second))
    first, second = (np.where(both, side - side.sum(axis=1, keepdims=True) / count, 0.0) for side in (first, second))
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    product = (first * second).sum(axis=1)
    return np.clip(np.divide(product, spread, out=np.full(len(first), np.nan), where=spread > 1e-12), -1, 1)


def stepped_up(correlation: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A correlation of halves as that of wholes (Spearman-Brown), not below -1."""
    r = np.asarray(correlation, dtype=float)
    return np.maximum(np.divide(2 * r, 1 + r, out=np.where(np.isnan(r), np.nan, -1.0), where=r > -1), -1)


def mahalanobis(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Squared distances of the rows of values (n, items) from their mean, and how many dimensions each rests on.

    Missing answers are left out: means and covariances are those of all who answered, and each row is judged on what
    it has. Dimensions without variance do not count.
    """
    mean = np.divide(np.nansum(values, axis=0), np.maximum((~np.isnan(values)).sum(axis=0), 1))
    covariance = pd.DataFrame(values).cov().fillna(0).to_numpy()
    distance, dimensions = np.full(len(values), np.nan), np.zeros(len(values), dtype=int)
    patterns, which = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(patterns) + 1))
    for pattern, (start, stop) in zip(patterns, pairwise(ends), strict=True):
        if not pattern.any():
            continue
        rows = order[start:stop]
        variance, axes = np.linalg.eigh(covariance[np.ix_(pattern, pattern)])
        kept = variance > 1e-8 * max(variance[-1], 1e-300)
        turned = (values[np.ix_(rows, np.flatnonzero(pattern))] - mean[pattern]) @ axes[:, kept]
        distance[rows], dimensions[rows] = (turned**2 / variance[kept]).sum(axis=1), kept.sum()
    return np.where(dimensions > 0, distance, np.nan), dimensions
