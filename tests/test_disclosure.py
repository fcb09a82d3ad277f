"""Disclosure: what is hidden cannot be reckoned, nothing more is hidden than needed."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from evalkit.disclosure import suppress, suppress_groups


def with_totals(cells):
    cells = np.asarray(cells)
    cells = np.vstack([cells, cells.sum(axis=0)])
    return pd.DataFrame(np.column_stack([cells, cells.sum(axis=1)]))


def ranges(table, hidden):
    """Least and greatest possible count of every hidden cell of a table with totals, by linear programming.

    Unknowns are the inner cells alone; every cell shown, total or not, is one equation on them.
    """
    rows, columns = (size - 1 for size in table.shape)
    shown, known, hidden_sums = [], [], []
    for i, j in product(range(rows + 1), range(columns + 1)):
        inside = np.zeros((rows, columns))
        inside[i if i < rows else slice(None), j if j < columns else slice(None)] = 1
        if hidden.iloc[i, j]:
            hidden_sums.append(((i, j), inside.ravel()))
        else:
            shown.append(inside.ravel())
            known.append(table.iloc[i, j])
    equal = {"A_eq": np.array(shown), "b_eq": known} if shown else {}
    found = {}
    for at, sum_ in hidden_sums:
        low, high = (linprog(sign * sum_, bounds=(0, 10_000), **equal).fun * sign for sign in (1, -1))
        found[at] = (low, high)
    return found


def safe(table, hidden, minimum):
    n = table.to_numpy()
    small = {(int(i), int(j)) for i, j in np.argwhere((n > 0) & (n < minimum))}
    found = ranges(table, hidden)
    return small <= found.keys() and all(found[at][1] - found[at][0] >= minimum - 1e-6 for at in small)


@given(
    st.tuples(st.integers(1, 5), st.integers(1, 4)).flatmap(
        lambda shape: st.lists(
            st.lists(st.integers(0, 12), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
        )
    ),
    st.integers(1, 6),
)
@settings(max_examples=15, deadline=None)
def test_no_small_count_can_be_reckoned(cells, minimum):
    table = with_totals(cells)
    hidden = suppress(table, minimum)
    assert safe(table, hidden, minimum)
    assert not hidden.to_numpy()[table.to_numpy() == 0].any()
    assert hidden.equals(suppress(table, minimum))
    if not ((table > 0) & (table < minimum)).any(axis=None):
        assert not hidden.any(axis=None)


@pytest.mark.parametrize("cells", [[[3, 9], [20, 30]], [[3, 1], [2, 8]], [[4, 0], [0, 9]], [[2, 30], [40, 3]]])
def test_no_choice_of_a_smaller_sum_is_safe(cells):
    """Against every way of hiding the nine cells of a 2 × 2 table and its totals."""
    table = with_totals(cells)
    n = table.to_numpy()
    hidden = suppress(table, 5).to_numpy()
    cost = n[hidden].sum() + hidden.sum()
    choices = (np.reshape(bits, (3, 3)) for bits in product([False, True], repeat=9))
    cheaper = [one for one in choices if n[one].sum() + one.sum() < cost and one[(n > 0) & (n < 5)].all()]
    assert cheaper and not any(safe(table, pd.DataFrame(one), 5) for one in cheaper)
    assert safe(table, pd.DataFrame(hidden), 5)


def test_primary_suppression_alone_would_be_reckoned():
    table = with_totals([[3, 9, 40], [20, 30, 40]])
    alone = (table > 0) & (table < 5)
    assert ranges(table, alone) == {(0, 0): (3, 3)}
    assert not safe(table, alone, 5)


def test_one_row_of_counts_with_its_total():
    def hidden(*counts, **options):
        return suppress(pd.DataFrame({"n": [*counts, sum(counts)]}), 5, total_column=False).iloc[:, 0].tolist()

    assert hidden(3, 40, 9, 0) == [True, False, True, False, False]
    # Two small ones that hold fewer than five together would be a small group themselves.
    assert hidden(1, 2, 40, 9) == [True, True, False, True, False]
    assert hidden(3, 2, 40, 9) == [True, True, False, False, False]
    assert hidden(3, 0, 0) == [True, False, False, True]
    assert hidden(0, 5, 6) == [False] * 4


def test_a_table_without_totals_hides_only_the_small_cells():
    table = pd.DataFrame([[3, 9], [20, 30]])
    assert suppress(table, 5, total_row=False, total_column=False).to_numpy().tolist() == [[True, False], [False] * 2]


@pytest.mark.parametrize("cells", [[[1, 2], [3, 4]], [[-1, -1], [-1, -1]], [[0.5, 0.5], [0.5, 0.5]]])
def test_what_is_no_table_of_counts_is_refused(cells):
    with pytest.raises(ValueError, match="add up"):
        suppress(pd.DataFrame(cells), 5)


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from("ab")), min_size=1, max_size=9),
    st.integers(1, 8),
)
def test_hidden_units_cannot_be_told_apart_from_their_arm(rows, minimum):
    sizes = pd.DataFrame([row[:2] for row in rows], columns=["before", "after"])
    arms = dict(enumerate(row[2] for row in rows))
    hidden = suppress_groups(sizes, minimum, pools=arms)
    small = (sizes > 0) & (sizes < minimum)
    assert hidden[small.any(axis=1)].all()
    for arm in set(arms.values()):
        members = [unit for unit in arms if arms[unit] == arm]
        for period in sizes:
            held = sizes.loc[members, period][hidden[members]]
            if small.loc[members, period].any():
                assert held.sum() >= minimum or hidden[members].all()
        if not small.loc[members].any(axis=None):
            assert not hidden[members].any()


def test_the_smallest_other_unit_of_the_same_arm_is_hidden():
    sizes = pd.DataFrame({"before": [3, 50, 60, 7], "after": [40, 50, 45, 70]}, index=list("ABCD"))
    arms = {"A": "pilot", "B": "pilot", "C": "pilot", "D": "comparison"}
    assert suppress_groups(sizes, 5, pools=arms).tolist() == [True, True, False, False]
    assert suppress_groups(sizes, 5).tolist() == [True, False, False, True]
    assert suppress_groups(sizes, 3, pools=arms).tolist() == [False] * 4
    # A mean that is left out: one hidden unit of its arm is what the arm's mean leaves.
    means = np.array([10.0, 70.0, 80.0])
    assert 3 * means.mean() - means[1:].sum() == pytest.approx(means[0])


def test_totals_that_another_table_shows_are_not_counted_on():
    """Of one row and one column the attacker knows the totals, so that a cycle of four cells must be hidden."""
    table = with_totals([[3, 9, 40], [20, 30, 40]])
    known = pd.DataFrame(False, table.index, table.columns)
    known.iloc[-1], known.iloc[:, -1] = True, True
    hidden = suppress(table, 5, known=known)
    assert hidden.to_numpy().tolist() == [[True, True, False, False]] * 2 + [[False] * 4] and safe(table, hidden, 5)
    # Without such a cycle, or with a small total that is known, nothing is safe.
    for cells in ([[3, 0], [0, 9]], [[3, 0], [20, 9]]):
        table = with_totals(cells)
        known = pd.DataFrame(np.add.outer([0, 0, 1], [0, 0, 1]) > 0)
        with pytest.raises(ValueError, match=r"safe|known"):
            suppress(table, 5, known=known)
