from fractions import Fraction
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit.units import compare_units

ORGANS = Path(__file__).parents[1] / "data/organ-donations/raw/organ_donations.csv"
numbers = st.integers(-6, 6)
# Changes in whole numbers tie often; the first `pilots` of them are the pilot units.
arms = st.tuples(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, min_size=1, max_size=5))


def compare(pilots, others, **options):
    return compare_units([*pilots, *others], [True] * len(pilots) + [False] * len(others), **options)


@settings(deadline=None)
@given(arms=arms)
def test_t_agrees_with_scipy(arms):
    pilots, others = arms
    assume(np.ptp(pilots) > 0 or np.ptp(others) > 0)
    found = compare(pilots, others)
    line = stats.linregress([1] * len(pilots) + [0] * len(others), [*pilots, *others])
    assert found.estimate == pytest.approx(np.mean(pilots) - np.mean(others), abs=1e-12)
    assert (found.std_error, found.p_value) == pytest.approx((line.stderr, line.pvalue), rel=1e-6)
    if np.ptp(pilots) > 0 and np.ptp(others) > 0:  # else scipy warns
        test = stats.ttest_ind(pilots, others, equal_var=True)
        assert (found.df, found.p_value) == pytest.approx((test.df, test.pvalue))
        assert found.estimate / found.std_error == pytest.approx(test.statistic)


@settings(deadline=None)
@given(arms=arms)
def test_placebo_p_by_brute_force(arms):
    pilots, others = arms
    change = [Fraction(one) for one in (*pilots, *others)]
    differences = []
    for chosen in combinations(range(len(change)), len(pilots)):
        inside = sum(change[unit] for unit in chosen)
        differences.append(abs(inside / len(pilots) - (sum(change) - inside) / len(others)))
    extreme = sum(one >= differences[0] for one in differences)  # the first assignment is the one that was made
    found = compare(pilots, others)
    assert found.assignments == len(differences)
    assert found.placebo_p == pytest.approx(extreme / len(differences))
    assert found.placebo_p >= found.smallest_p


@settings(deadline=None)
@given(arms=arms, shift=st.integers(-1000, 1000))
def test_a_common_change_cancels_and_signs_and_arms_flip(arms, shift):
    pilots, others = map(np.array, arms)
    first = compare(pilots, others)
    shifted, flipped, swapped = (pilots + shift, others + shift), (-pilots, -others), (others, pilots)
    for changed, sign in ((shifted, 1), (flipped, -1), (swapped, -1)):
        other = compare(*changed)
        assert other.estimate == pytest.approx(sign * first.estimate, abs=1e-9)
        assert other.std_error == pytest.approx(first.std_error, rel=1e-6, abs=1e-9, nan_ok=True)
        assert (other.placebo_p, other.smallest_p) == (first.placebo_p, first.smallest_p)


@pytest.mark.parametrize(("units", "smallest"), [(4, 0.333), (6, 0.067), (7, 0.048), (8, 0.036), (10, 0.022)])
def test_smallest_p_of_two_pilots(units, smallest):
    """With four units, the two others differ as much as the two pilots: each assignment has its mirror image."""
    found = compare([8, 9], [0] * (units - 2))
    assert round(found.smallest_p, 3) == smallest
    assert found.placebo_p == found.smallest_p


@pytest.mark.parametrize(("units", "ones", "sampled"), [(20, 7, False), (30, 12, True)])
def test_placebo_p_of_yes_and_no_is_hypergeometric(units, ones, sampled):
    """Six pilots, four of which changed by one, as `ones` of all units did."""
    found = compare([1, 1, 1, 1, 0, 0], [1] * (ones - 4) + [0] * (units - 2 - ones))
    drawn = np.arange(7)
    gap = np.abs(drawn / 6 - (ones - drawn) / (units - 6))
    exact = stats.hypergeom(units, ones, 6).pmf(drawn)[gap >= gap[4] - 1e-12].sum()
    assert (found.assignments > 100_000) == sampled
    error = 4 * np.sqrt(exact * (1 - exact) / 100_000) if sampled else 1e-12
    assert found.placebo_p == pytest.approx(exact, abs=error)


def test_sampled_assignments_follow_the_seed_and_never_give_zero():
    rng = np.random.default_rng(1)
    pilots, others = rng.normal(0.5, 1, 6), rng.normal(0, 1, 24)
    first, same, other = (compare(pilots, others, seed=seed).placebo_p for seed in (3, 3, 4))
    assert first == same != other
    extreme = compare(np.full(6, 1e6), others)
    assert extreme.smallest_p == 1 / 100_001 <= extreme.placebo_p < 1e-4


def test_organ_donations_in_california():
    """Kessler & Roth's data; −0.022 in Huntington-Klein, The Effect, ch. 18; −.0225 by two-way fixed effects in R."""
    frame = pd.read_csv(ORGANS)
    frame["after"] = frame["Quarter"].isin(["Q32011", "Q42011", "Q12012"])
    rates = frame.pivot_table(values="Rate", index="State", columns="after")
    change = rates[True] - rates[False]
    found = compare_units(change, change.index == "California")
    assert len(change) == 27
    assert round(found.estimate, 4) == -0.0225
    assert found.placebo_p == pytest.approx(5 / 27)
    assert found.smallest_p == pytest.approx(1 / 27)


def test_two_units_have_no_error():
    found = compare([3.0], [1.0])
    assert (found.estimate, found.df, found.placebo_p, found.smallest_p) == (2.0, 0.0, 1.0, 1.0)
    assert np.isnan([found.std_error, found.p_value]).all()


def test_no_t_test_where_nothing_varies_within_arms():
    assert np.isnan(compare([0.1] * 3, [0.3] * 4).p_value)


def test_equal_changes_are_not_unusual():
    assert compare([0.1], [0.1] * 7).placebo_p == 1


@pytest.mark.parametrize(
    ("change", "pilot", "message"),
    [
        ([1.0, np.nan, 2.0], [1, 0, 0], "a unit has no change"),
        ([1.0, 2.0], [1, 1], "pilot and comparison units are both needed"),
        ([1.0, 2.0], [0, 0], "pilot and comparison units are both needed"),
    ],
)
def test_refuses(change, pilot, message):
    with pytest.raises(ValueError, match=message):
        compare_units(change, pilot)
