"""Small cells hidden so that nobody can reckon them from what is shown (counts only)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack, identity, vstack


def suppress(
    table: pd.DataFrame,
    minimum: int,
    *,
    total_row: bool = True,
    total_column: bool = True,
    known: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Which cells of a table of counts to hide: the small ones, and as few others as keep them hidden.

    table: persons counted, whole numbers, as it will be shown; its last row and last column are the totals where
    `total_row` and `total_column` say so, also totals that stand only elsewhere. minimum: a count above zero and
    below it is small. known: True for cells that cannot be hidden, such as totals that another table shows. Returns
    True for cells to hide, shape of the table. Totals can be hidden like other cells; zeros are shown, for often
    everybody knows that nobody can be there.

    A small cell is safe when the cells shown, the totals and the fact that no count is negative leave it a range of
    at least `minimum`; in one row that is: the hidden cells together hold so many people. Of all choices that make
    every small cell safe the one that hides the smallest sum of counts is taken, exactly, as a mixed integer program
    (the cell suppression problem: Fischetti & Salazar-González 2001, Management Science 47(7), for an attacker who
    knows no more than what is shown). Raises ValueError for counts that are negative, not whole, or do not add up to
    the totals, and where with the cells that are known no choice is safe.

    >>> counts = pd.DataFrame({"yes": [2, 9, 30, 41], "no": [40, 20, 8, 68], "total": [42, 29, 38, 109]})
    >>> suppress(counts, 5).to_numpy().astype(int).tolist()
    [[1, 1, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]]
    """
    counts = table.to_numpy(dtype=float)
    sums = _sums(counts.shape, total_row, total_column)
    n = counts.ravel()
    may = (n > 0) if known is None else (n > 0) & ~known.to_numpy().ravel()
    if (n < 0).any() or (n != np.round(n)).any() or (sums @ n).any():
        raise ValueError("a table of counts must hold whole numbers that add up to its totals")
    small = np.flatnonzero((n > 0) & (n < minimum)).tolist()
    if not may[small].all():
        raise ValueError("a small cell is known")
    guarded: list[int] = []
    hidden = np.isin(np.arange(n.size), small)
    # Ranges are whole numbers: the equations are those of a network.
    while open_ones := [at for at in small if _range(at, n, hidden, sums, minimum) < minimum - 0.5]:
        guarded += open_ones
        hidden = _fewest(guarded, small, n, sums, minimum, may)
    return pd.DataFrame(hidden.reshape(counts.shape), table.index, table.columns)


def suppress_groups(sizes: pd.DataFrame, minimum: int, *, pools: Mapping[Any, Any] | None = None) -> pd.Series:
    """Which rows of a table by group to hide as a whole: the small ones, and others from which they would follow.

    sizes: people each row rests on, one row a group, one column a period or several; a row is small where any size
    is above zero and below `minimum`. pools: the pool of each row, whose mean or total is shown as well (the arm of a
    unit); all rows are one pool without it. A mean that is left out follows from that of the pool and the others', so
    in every period the hidden rows of a pool with a small one together hold at least `minimum` people, the smallest
    others hidden first; where there are not so many, all rows of the pool are hidden. Returns True for rows to hide.

    >>> sizes = pd.DataFrame({"before": [3, 40, 50, 60], "after": [30, 45, 55, 8]}, index=["A", "B", "C", "D"])
    >>> suppress_groups(sizes, 5).tolist()
    [True, True, False, False]
    """
    small = (sizes > 0) & (sizes < minimum)
    hidden = small.any(axis=1)
    pool = pd.Series([None if pools is None else pools[name] for name in sizes.index], sizes.index, dtype=object)
    for _, rows in sizes.groupby(pool, dropna=False, sort=False):
        for period in sizes.columns[small.loc[rows.index].any()]:
            size = rows[period]
            while size[hidden[rows.index]].sum() < minimum:
                others = size[~hidden[rows.index] & (size > 0)]
                if others.empty:
                    hidden[rows.index] = True
                    break
                hidden[others.idxmin()] = True
    return hidden


def _sums(shape: tuple[int, int], total_row: bool, total_column: bool) -> csr_array:
    """One row an equation: the cells of a line of the table minus its total are zero."""
    at = np.arange(shape[0] * shape[1]).reshape(shape)
    lines = [*(at.T if total_row else ()), *(at if total_column else ())]
    equations = np.zeros((len(lines), at.size))
    for row, line in enumerate(lines):
        equations[row, line] = 1
        equations[row, line[-1]] = -1
    return csr_array(equations)


def _range(cell: int, n: np.ndarray, hidden: np.ndarray, sums: csr_array, most: int) -> float:
    """How far apart the least and the greatest count are that a hidden cell may have, up to twice `most`."""
    bounds = np.column_stack([np.where(hidden, np.maximum(n - most, 0), n), np.where(hidden, n + most, n)])
    aim = np.zeros(n.size)
    aim[cell] = 1
    equal: dict[str, Any] = {"A_eq": sums, "b_eq": np.zeros(sums.shape[0])} if sums.shape[0] else {}
    low, high = (sign * linprog(sign * aim, bounds=bounds, **equal).fun for sign in (1, -1))
    return high - low


def _fewest(
    guarded: list[int], small: list[int], n: np.ndarray, sums: csr_array, minimum: int, may: np.ndarray
) -> np.ndarray:
    """The hidden cells of least sum that contain the small ones and leave each guarded cell a range of `minimum`.

    Unknowns: hidden or not, one a cell; then for each guarded cell two tables that agree where nothing is hidden and
    lie `minimum` apart in that cell.
    """
    cells = n.size
    tables = 2 * len(guarded)
    none = csr_array((sums.shape[0], cells))
    rules: list[tuple[Any, Any, Any]] = []
    for number, cell in enumerate(guarded):
        for table in (2 * number, 2 * number + 1):
            place = np.zeros(tables)
            place[table] = 1
            rules.append((_blocks(none, sums, place), 0.0, 0.0))
            # No count moves by more than `minimum`, and none that is shown.
            shift = minimum * identity(cells, format="csr")
            rules.append((_blocks(shift, identity(cells, format="csr"), place), n, np.inf))
            rules.append((_blocks(-shift, identity(cells, format="csr"), place), -np.inf, n))
        apart = np.zeros((1, cells * (1 + tables)))
        apart[0, cells * (1 + 2 * number) + cell] = 1
        apart[0, cells * (2 + 2 * number) + cell] = -1
        rules.append((csr_array(apart), float(minimum), float(minimum)))
    matrix = vstack([rule for rule, _, _ in rules], format="csr")
    ends = [np.concatenate([np.broadcast_to(rule[end], rule[0].shape[0]) for rule in rules]) for end in (1, 2)]
    least = np.zeros(cells)
    least[small] = 1
    most = may.astype(int)
    size = cells * tables
    # A whole cell is dearer than the people in it, so that of equal sums the one of fewer cells is taken.
    cost = np.concatenate([n + 1, np.zeros(size)])
    found = milp(
        cost,
        integrality=np.repeat([1, 0], [cells, size]),
        bounds=Bounds(np.concatenate([least, np.zeros(size)]), np.concatenate([most, np.full(size, np.inf)])),
        constraints=LinearConstraint(matrix, *ends),
        options={"mip_rel_gap": 0},
    )
    if found.x is None:
        raise ValueError("no choice of cells to hide is safe")
    return found.x[:cells] > 0.5


def _blocks(first: csr_array, each: csr_array, place: np.ndarray) -> csr_array:
    """A block of rules: one matrix for the cells hidden, another for the tables that `place` names."""
    return hstack([first, *(each * weight for weight in place)], format="csr")
