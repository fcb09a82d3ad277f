"""Weights that make a sample agree with known or earlier margins, and what its variance needs to know of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Totals = Mapping[str, float] | ArrayLike
EPSILON, ROUNDS = 1e-10, 1_000


@dataclass(frozen=True)
class Calibration:
    """Calibrated weights (n,), how many rounds they took, and Kish's design effect n·Σw²/(Σw)² of the rows adjusted.

    `indicators` (n, m) says which categories a row belongs to; `reference` (n,) which rows the totals were counted
    in, none where they are known; `start` (n,) what rows weighed before.
    """

    weight: Floats
    rounds: int
    design_effect: float
    indicators: sparse.csr_array
    reference: NDArray[np.bool_]
    start: Floats

    @property
    def arguments(self) -> dict[str, Any]:
        """What `estimation.domain_means` is told of it."""
        return {"weight": self.weight, "calibration": self}


def rake(weight: ArrayLike, margins: Sequence[tuple[ArrayLike, Totals]]) -> Calibration:
    """Weights whose sums agree with the totals of every margin (raking; with one margin, post-stratification).

    weight (n,): above zero. margins: pairs of labels (n,), None where a row takes no part, and totals: a mapping
    of each label to its population total, or a mask (n,) of reference rows in which they are counted, such as those
    of an earlier wave; these keep their weight, and their sampling variance is added to what is estimated. Every
    margin has the same reference. Margins are met within `EPSILON` of their size (Deming & Stephan 1940, Annals of
    Mathematical Statistics 11). No weight is trimmed.

    Raises ValueError for a label that only one side has, margins that contradict each other or cannot be met in
    `ROUNDS`, naming the worst, and weights that are not positive.

    >>> result = rake([1.0, 1.0, 1.0, 1.0], [(["m", "m", "m", "f"], {"m": 2.0, "f": 2.0})])
    >>> [round(float(one), 3) for one in result.weight]
    [0.667, 0.667, 0.667, 2.0]
    """
    start = np.asarray(weight, dtype=float)
    if start.ndim != 1 or not (np.isfinite(start) & (start > 0)).all():
        raise ValueError("weight must be (n,), finite and above zero")
    if not margins:
        raise ValueError("margins: at least one is needed")
    none = np.zeros(len(start), dtype=bool)
    references = [none if isinstance(totals, Mapping) else np.asarray(totals, dtype=bool) for _, totals in margins]
    reference = references[0]
    if any(not np.array_equal(other, reference) for other in references):
        raise ValueError("every margin must have the same reference rows, or none")
    parts, wanted, names = zip(
        *(_margin(labels, totals, start, reference) for labels, totals in margins), strict=True
    )
    current, worst = start.copy(), ""
    for done in range(1, ROUNDS + 1):
        for part, target in zip(parts, wanted, strict=True):
            sums = part.T @ np.where(reference, 0.0, current)
            factor = part @ (target / sums)
            current = np.where(reference | (factor == 0), current, current * factor)
        gaps = [
            np.abs(part.T @ np.where(reference, 0.0, current) / target - 1)
            for part, target in zip(parts, wanted, strict=True)
        ]
        if max(gap.max() for gap in gaps) <= EPSILON:
            x = sparse.hstack(parts, format="csr")
            touched = current[~reference & (np.diff(x.indptr) > 0)]
            effect = len(touched) * (touched**2).sum() / touched.sum() ** 2
            return Calibration(current, done, float(effect), x, reference, start)
        gap, label = max((gap.max(), names[at][gap.argmax()]) for at, gap in enumerate(gaps))
        worst = f"'{label}' is off by {100 * gap:.3g} %"
    raise ValueError(f"the margins cannot be met in {ROUNDS} rounds: {worst}")


def _margin(
    labels: ArrayLike, totals: Totals, weight: Floats, reference: NDArray[np.bool_]
) -> tuple[sparse.csr_array, Floats, list[str]]:
    """Indicators (n, categories), the totals they are to have, and their names."""
    codes, names = pd.factorize(np.asarray(labels, dtype=object), sort=True)
    if codes.shape != weight.shape or reference.shape != weight.shape:
        raise ValueError(f"labels and reference rows must be {weight.shape}")
    rows = np.flatnonzero(codes >= 0)
    part = sparse.csr_array((np.ones(len(rows)), (rows, codes[rows])), (len(weight), len(names)))
    has = part.T @ (~reference).astype(float) > 0
    if isinstance(totals, Mapping):
        unmet = sorted(set(totals) ^ set(names))
        wanted = np.array([float(totals.get(name, np.nan)) for name in names])
    else:
        wanted = part.T @ np.where(reference, weight, 0.0)
        unmet = [name for name, here, there in zip(names, has, wanted > 0, strict=True) if here != there]
    if unmet:
        raise ValueError(f"category {unmet[0]!r} has rows or a total, and not both")
    if not (np.isfinite(wanted) & (wanted > 0)).all():
        raise ValueError("totals must be finite and above zero")
    return part, wanted, list(names)
