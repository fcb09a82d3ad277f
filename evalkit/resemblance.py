"""How much forms resemble each other: the nearest other form, and the agreement within groups (arrays only)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from evalkit.chance import generator

Floats = npt.NDArray[np.float64]
BLOCK = 512  # forms compared with all others at once: 512 × 20,000 shares take 41 MB


@dataclass(frozen=True)
class Nearest:
    """Of each form (n,): the position of the form most like it, -1 without any, and the share of same answers."""

    position: npt.NDArray[np.int64]
    share: Floats


def nearest(
    codes: Floats, group: npt.NDArray[np.int64], person: npt.NDArray[np.int64], *, minimum: int
) -> tuple[Nearest, Nearest]:
    """The nearest other form within the form's own group, and in all other groups (Kuriakose & Robbins 2016).

    codes: answers (n, items), NaN where there is none. group (n,): number of the group, such as the wave.
    person (n,): number of the person, negative where unknown; forms of one person are not compared. minimum: pairs
    with fewer items answered by both are not compared. The share, NaN where there is none, is of the items that both
    forms answered. Of equally near forms the first counts.

    >>> codes = np.array([[1.0, 2, 3], [1, 2, 1], [3, 3, 1]])
    >>> within, across = nearest(codes, np.array([0, 0, 1]), np.array([-1, -1, -1]), minimum=2)
    >>> within.position.tolist(), across.position.tolist()
    ([1, 0, -1], [2, 2, 1])
    """
    n = len(codes)
    chosen, answered = _indicators(codes)
    everywhere = bool(answered.all())
    found = [Nearest(np.full(n, -1), np.full(n, np.nan)) for _ in range(2)]
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        share = chosen[rows] @ chosen.T
        if everywhere:
            share /= max(codes.shape[1], 1)
            if codes.shape[1] < minimum:
                share[:] = -1
        else:
            both = answered[rows] @ answered.T
            np.divide(share, both, out=share, where=both >= max(minimum, 1))
            share[both < max(minimum, 1)] = -1
        share[rows - start, rows] = -1
        share[(person[rows, None] == person) & (person[rows, None] >= 0)] = -1
        same = group[rows, None] == group
        for result, outside in zip(found, (~same, same), strict=True):
            candidates = np.where(outside, np.float32(-1), share)
            best = candidates.argmax(axis=1)
            value = candidates[rows - start, best]
            result.position[rows] = np.where(value >= 0, best, -1)
            result.share[rows] = np.where(value >= 0, value.astype(float), np.nan)
    # Shares were compared in single precision; what is handed out is exact.
    for result in found:
        has = result.position >= 0
        result.share[has] = agreement(codes[has], codes[result.position[has]])
    return found[0], found[1]


def agreement(first: Floats, second: Floats) -> Floats:
    """The share of identical answers among items answered in both (n,), row by row; NaN where there are none."""
    both = ~np.isnan(first) & ~np.isnan(second)
    count = both.sum(axis=1)
    return np.divide((first == second).sum(axis=1), count, out=np.full(len(first), np.nan), where=count > 0)


def kappa(first: Floats, second: Floats) -> Floats:
    """Agreement beyond what both forms' own use of the codes brings by chance (n,), row by row (Cohen 1960).

    Two forms of one answer each agree wholly and by chance: their kappa is 0.

    >>> kappa(np.array([[4.0, 4, 4], [1, 2, 3]]), np.array([[4.0, 4, 4], [1, 2, 3]])).tolist()
    [0.0, 1.0]
    """
    both = ~np.isnan(first) & ~np.isnan(second)
    count = np.maximum(both.sum(axis=1), 1)
    chance = np.zeros(len(first))
    for code in np.unique(np.concatenate([first[both], second[both]])):
        chance += ((first == code) & both).sum(axis=1) / count * ((second == code) & both).sum(axis=1) / count
    room = 1 - chance
    shared = np.nan_to_num(agreement(first, second))
    return np.divide(shared - chance, room, out=np.zeros(len(first)), where=room > 1e-12)


@dataclass(frozen=True)
class WithinAgreement:
    """Of each group (g,): its mean agreement, and the mean and standard deviation of it under permutation."""

    observed: Floats
    expected: Floats
    sd: Floats


def within_agreement(
    codes: Floats,
    group: npt.NDArray[np.int64],
    stratum: npt.NDArray[np.int64],
    *,
    permutations: int = 199,
    seed: int = 0,
) -> WithinAgreement:
    """The share of identical answers over all pairs of forms in a group, beside what exchanging forms would give.

    Forms change their group at random within their stratum, as if another interviewer of the same place had filled
    them in. All pairs are counted from frequencies: c(c - 1)/2 of them share an answer that c forms gave.

    codes: answers (n, items), NaN where there is none. group (n,): 0, 1, ..., such as the interviewer in a wave.
    stratum (n,): such as the wave and unit. NaN for groups without a pair.

    >>> codes = np.array([[1.0, 1], [1, 1], [1, 2], [2, 1]])
    >>> within_agreement(codes, np.array([0, 0, 1, 1]), np.zeros(4, dtype=int)).observed.tolist()
    [1.0, 0.0]
    """
    matrix = tuple(part.astype(float) for part in _indicators(codes))
    groups = int(group.max()) + 1 if len(group) else 0
    observed = _pair_share(matrix, group, groups)
    rng = generator(seed)
    order = np.argsort(stratum, kind="stable")
    drawn = np.empty((permutations, groups))
    for turn in range(permutations):
        exchanged = np.empty_like(group)
        exchanged[order] = group[np.lexsort((rng.random(len(group)), stratum))]
        drawn[turn] = _pair_share(matrix, exchanged, groups)
    return WithinAgreement(observed, drawn.mean(axis=0), drawn.std(axis=0))


def _pair_share(matrix: tuple[npt.NDArray, ...], group: npt.NDArray[np.int64], groups: int) -> Floats:
    members = sparse.csr_array((np.ones(len(group)), (group, np.arange(len(group)))), (groups, len(group)))
    same, both = ((counts * (counts - 1)).sum(axis=1) for counts in (members @ part for part in matrix))
    return np.divide(same, both, out=np.full(groups, np.nan), where=both > 0)


def _indicators(codes: Floats) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """One column an item and answer that two forms or more gave (n, answers), and which items have one (n, items)."""
    columns = []
    for item in codes.T:
        values, counts = np.unique(item[~np.isnan(item)], return_counts=True)
        columns += [item == value for value in values[counts > 1]]
    chosen = np.array(columns, dtype=np.float32).reshape(len(columns), len(codes)).T
    return np.ascontiguousarray(chosen), (~np.isnan(codes)).astype(np.float32)
