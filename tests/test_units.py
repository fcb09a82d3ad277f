from fractions import Fraction
from itertools import combinations
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.regression.linear_model import OLS

from evalkit.units import (
    breaking_point,
    cluster_robust,
    compare_units,
    intraclass_correlation,
    max_t,
    precision_ratio,
    shock_curve,
    shocks,
    unequal_precision,
    wild_bootstrap,
)

TESTS = Path(__file__).parent
ORGANS = TESTS.parent / "data/organ-donations/raw/organ_donations.csv"
REFERENCE = pd.read_csv(TESTS / "reference/units.csv").query("case != 'versions'").astype({"value": float})
PANEL = pd.read_csv(TESTS / "reference/panel.csv").assign(
    after=lambda frame: (frame["wave"] == "after") * 1.0,
    pilot=lambda frame: (frame["unit"] == "A") * 1.0,
    did=lambda frame: frame["after"] * frame["pilot"],
)
numbers = st.integers(-6, 6)
# Changes in whole numbers tie often; the first `pilots` of them are the pilot units.
arms = st.tuples(st.lists(numbers, min_size=1, max_size=4), st.lists(numbers, min_size=1, max_size=5))


def compare(pilots, others, **options):
    return compare_units([*pilots, *others], [True] * len(pilots) + [False] * len(others), **options)


def reference(case, item):
    """What units.R found, by quantity."""
    rows = REFERENCE[(REFERENCE["case"] == case) & (REFERENCE["item"] == item)]
    return dict(zip(rows["quantity"], rows["value"], strict=True))


def village_changes(item):
    """Change and sampling variance of each village seen twice, as units.R takes them."""
    by_wave = PANEL.groupby(["village", "wave"])[item].agg(["mean", "var", "count"]).unstack("wave")
    frame = pd.DataFrame(
        {
            "change": by_wave["mean"]["after"] - by_wave["mean"]["before"],
            "noise": (by_wave["var"] / by_wave["count"]).sum(axis=1, skipna=False) / 4,
            "pilot": PANEL.groupby("village")["pilot"].max() == 1,
        }
    )
    return frame.dropna()


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
    assert found.placebo_low < 0 < found.placebo_high
    # At 80 % one in five may be as extreme: zero, as extreme as 5 of 27, falls out.
    assert compare_units(change, change.index == "California", level=0.8).placebo_high < 0


def test_two_units_have_no_error():
    found = compare([3.0], [1.0])
    assert (found.estimate, found.df, found.placebo_p, found.smallest_p) == (2.0, 0.0, 1.0, 1.0)
    assert np.isnan([found.std_error, found.p_value]).all()


def test_no_t_test_where_nothing_varies_within_arms():
    assert np.isnan(compare([0.1] * 3, [0.3] * 4).p_value)


def test_equal_changes_are_not_unusual():
    assert compare([0.1], [0.1] * 7).placebo_p == 1


@settings(deadline=None, max_examples=200)
@given(arms=arms, level=st.sampled_from([0.5, 0.75, 0.8, 0.9, 0.95]), data=st.data())
def test_placebo_interval_holds_what_the_test_does_not_reject(arms, level, data):
    """The p-value of an effect is that of the changes less the effect."""
    pilots, others = np.array(arms[0], dtype=float), arms[1]
    assume(np.ptp(pilots) > 0 or np.ptp(others) > 0)
    found = compare(pilots, others, level=level)
    low, high = found.placebo_low, found.placebo_high
    assert low <= found.estimate <= high
    assert (np.isinf(low), np.isinf(high)) == (found.smallest_p > 1 - level + 1e-9,) * 2
    effects = data.draw(st.lists(st.integers(-40, 40), min_size=3, max_size=3))
    ends = [end + step for end in (low, high) if np.isfinite(end) for step in (-1e-6, 1e-6)]
    for effect in [*ends, *effects]:
        kept = compare(pilots - effect, others).placebo_p > 1 - level + 1e-9
        assert kept == (low <= effect <= high), effect


def test_placebo_interval_of_sampled_assignments():
    rng = np.random.default_rng(5)
    pilots, others = rng.normal(1, 1, 6), rng.normal(0, 1, 24)
    found = compare(pilots, others, level=0.9)
    assert found.assignments > 100_000
    for end, out in ((found.placebo_low, -1e-6), (found.placebo_high, 1e-6)):
        assert (
            compare(pilots - (end - out), others).placebo_p > 0.1 >= compare(pilots - (end + out), others).placebo_p
        )
    t = stats.ttest_ind(pilots, others).confidence_interval(0.9)
    assert (found.placebo_low, found.placebo_high) == pytest.approx(t, abs=0.1)


@settings(deadline=None)
@given(arms=arms, effect=st.integers(-1000, 1000), shift=st.integers(-1000, 1000))
def test_placebo_interval_moves_with_the_effect(arms, effect, shift):
    pilots, others = map(np.array, arms)

    def interval(*arms):
        found = compare(*arms, level=0.75)
        return np.array([found.placebo_low, found.placebo_high])

    first = interval(pilots, others)
    assert interval(pilots + effect + shift, others + shift) == pytest.approx(first + effect, abs=1e-4, nan_ok=True)
    assert interval(-pilots, -others) == pytest.approx(-first[::-1], abs=1e-4, nan_ok=True)
    assert interval(others, pilots) == pytest.approx(-first[::-1], abs=1e-4, nan_ok=True)


def test_no_placebo_interval_where_nothing_varies_within_arms():
    found = compare([1.0, 1.0], [0.0] * 8)
    assert np.isnan([found.placebo_low, found.placebo_high]).all()
    assert compare([1.0, 1.0], [0.0] * 2).placebo_high == np.inf


@pytest.mark.parametrize("item", ["satisfaction", "waiting"])
def test_agrees_with_r(item):
    frame = village_changes(item)
    found = compare_units(frame["change"], frame["pilot"])
    assert vars(found) | reference("unit t", item) == pytest.approx(vars(found), rel=1e-10)
    found = shocks(frame["change"], frame["pilot"], frame["noise"])
    assert vars(found) == pytest.approx(reference("shocks", item), rel=1e-10)
    assert reference("shocks", item)["sd"] > 0
    found = shocks(frame["change"], frame["pilot"], frame["noise"], waves=(3, 2))
    assert vars(found) == pytest.approx(reference("waves", item), rel=1e-10)


def test_max_t_agrees_with_r():
    first, second = village_changes("satisfaction"), village_changes("waiting")
    both = pd.DataFrame({"satisfaction": first["change"], "waiting": second["change"]}).dropna()
    pilot = first.loc[both.index, "pilot"]
    for item, p in zip(both, max_t(both, pilot), strict=True):
        found, expected = compare_units(both[item], pilot), reference("max t", item)
        assert [found.assignments, found.placebo_p, p] == pytest.approx(list(expected.values()), rel=1e-10)


@settings(deadline=None)
@given(data=st.data(), pilots=st.integers(1, 3), others=st.integers(1, 4), outcomes=st.integers(1, 3))
def test_max_t_by_brute_force(data, pilots, others, outcomes):
    units = pilots + others
    row = st.lists(numbers, min_size=units, max_size=units)
    changes = np.array(data.draw(st.lists(row, min_size=outcomes, max_size=outcomes)), dtype=float).T
    pilot = np.arange(units) < pilots
    found = max_t(changes, pilot)
    ways = [np.isin(range(units), chosen) for chosen in combinations(range(units), pilots)]
    differences = np.array([abs(changes[way].mean(axis=0) - changes[~way].mean(axis=0)) for way in ways])
    spread = np.sqrt((differences**2).mean(axis=0))
    statistic = np.divide(differences, spread, out=np.zeros_like(differences), where=np.ptp(changes, axis=0) > 0)
    expected = [np.mean(statistic.max(axis=1) >= statistic[0, k] - 1e-9) for k in range(outcomes)]
    assert found == pytest.approx(expected)
    raw = [compare_units(changes[:, k], pilot).placebo_p for k in range(outcomes)]
    assert (found >= np.array(raw) - 1e-12).all()
    assert max_t(changes[:, :1], pilot) == pytest.approx(raw[:1])
    assert max_t(changes * ([1000, 0.01, 7][:outcomes]) + 50, pilot) == pytest.approx(found)
    constant = np.column_stack([changes, np.full(units, 0.1)])
    assert max_t(constant, pilot) == pytest.approx([*found, 1])


def test_max_t_of_sampled_assignments():
    changes = np.random.default_rng(2).normal(0, 1, (30, 3)) + 0.8 * (np.arange(30) < 6)[:, None]
    pilot = np.arange(30) < 6
    raw = np.array([compare_units(column, pilot, seed=3).placebo_p for column in changes.T])
    assert max_t(changes[:, :1], pilot, seed=3) == pytest.approx(raw[:1])
    assert (max_t(changes, pilot, seed=3) > raw).all()


@pytest.mark.slow
def test_max_t_keeps_the_family_error():
    """Three correlated outcomes of very different scale, no effect: any adjusted p ≤ .1 in 10 % of 2,000."""
    rng, pilot = np.random.default_rng(11), np.arange(10) < 2
    chol = np.linalg.cholesky(0.5 + 0.5 * np.eye(3)) * [[1], [100], [0.01]]
    smallest = [max_t(rng.normal(size=(10, 3)) @ chol.T, pilot).min() for _ in range(2000)]
    rate = np.mean(np.array(smallest) <= 0.1)
    print(f"family error {rate:.4f} ± {np.sqrt(0.09 / 2000):.4f}")
    assert 0.06 < rate < 0.1 + 3 * np.sqrt(0.09 / 2000)


def test_shocks_need_units_that_can_differ():
    found = shocks([1.0, 5.0], [1, 0], [1.0, 1.0])
    assert np.isnan(found.sd)
    assert (found.low, found.high, found.df) == (0, np.inf, 0)
    one_arm = shocks([1.0, 5.0, 3.0], [0, 0, 0], [1.0, 2.0, 3.0])
    assert (one_arm.sd, one_arm.df) == (pytest.approx(np.sqrt((4 - 2) / 2)), 2)
    # A unit that is alone in its arm has nothing to differ from: its sampling variance does not count.
    assert shocks([9.0, 1.0, 5.0, 3.0], [1, 0, 0, 0], [7.0, 1.0, 2.0, 3.0]) == one_arm


def test_no_shocks_seen_is_not_no_shocks():
    found = shocks([0.0, 3.0, 1.0], [0, 0, 0], [4.0, 4.0, 4.0])
    assert found.sd == found.low == 0 < found.high


@pytest.mark.slow
@pytest.mark.parametrize(("pilots", "others"), [(2, 6), (0, 5), (1, 19), (4, 4)])
@pytest.mark.parametrize("tau", [0.15, 0.3, 0.6])
def test_shocks_coverage(pilots, others, tau):
    """Sampling variances that differ up to threefold and are themselves estimated from 60 answers."""
    rng, repetitions, units = np.random.default_rng(100 * pilots + others), 4000, pilots + others
    noise = np.linspace(0.02, 0.06, units)
    covered = 0
    for _ in range(repetitions):
        change = rng.normal(0, np.sqrt(2 * tau**2 + noise)) + 0.4 * (np.arange(units) < pilots)
        seen = noise * rng.chisquare(59, units) / 59
        found = shocks(change, np.arange(units) < pilots, seen)
        covered += found.low <= tau <= found.high
    rate = covered / repetitions
    print(f"{pilots} + {others} units, sd {tau}: {rate:.4f} ± {np.sqrt(0.05 * 0.95 / repetitions):.4f}")
    assert 0.94 < rate < 0.96


@settings(deadline=None)
@given(
    estimate=st.floats(-30, 30),
    variance=st.floats(0, 20),
    df=st.floats(1, 200),
    pilots=st.integers(1, 5),
    others=st.integers(0, 20),
    waves=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_breaking_point_is_where_the_curve_reaches_the_estimate(estimate, variance, df, pilots, others, waves):
    design = (variance, df, pilots, others)

    def margin(shock_sd):
        return abs(estimate) - shock_curve(*design, shock_sd=shock_sd, waves=waves)

    found = breaking_point(estimate, *design, waves=waves)
    if margin(0.0) <= 0:
        assert found == pytest.approx(0, abs=1e-6)
    else:
        assert found == pytest.approx(optimize.brentq(margin, 0, 1000), abs=1e-6)


def test_shock_curve_starts_at_the_linearised_interval_and_rises():
    curve = shock_curve(4.0, 6, 2, 0, shock_sd=[[0.0, 1.0], [2.0, 9.0]])
    assert curve.shape == (2, 2)
    assert curve[0, 0] == pytest.approx(stats.t.interval(0.95, 6, 0, 2)[1])
    assert (np.diff(curve.ravel()) > 0).all()
    assert shock_curve(4.0, 6, 2, 0, shock_sd=3.0, level=0.9) < shock_curve(4.0, 6, 2, 0, shock_sd=3.0)


def test_shock_curve_without_sampling_is_the_unit_t_test():
    """Changes whose variance within the arms is exactly 2: shocks of sd 1, once before and once after."""
    found = compare([1.0, 3.0, 2.0, 2.0], [5.0, 7.0])
    assert found.df * 0.5 == 2  # squares 2 + 2 over 4 df
    half = stats.t.ppf(0.975, found.df) * found.std_error
    assert shock_curve(0.0, found.df, 4, 2, shock_sd=np.sqrt(0.5)) == pytest.approx(half)


@pytest.mark.slow
@pytest.mark.parametrize("df", [4, 14])
@pytest.mark.parametrize("share", [0.0, 1.0, 4.0])
def test_shock_curve_covers_at_least(df, share):
    """Estimates with a sampling variance of 1, estimated with few df, and shocks of known variance."""
    rng, repetitions = np.random.default_rng(df), 4000
    estimate = rng.normal(0, np.sqrt(1 + share), repetitions)
    seen = rng.chisquare(df, repetitions) / df
    sd = np.sqrt(share)  # one pilot, three waves on each side and two others: 2/3 · 3/2 = 1
    half = [shock_curve(variance, df, 1, 2, shock_sd=sd, waves=(3, 3)).item() for variance in seen]
    rate = np.mean(np.abs(estimate) <= half)
    print(f"df {df}, shock share {share}: {rate:.4f} ± {np.sqrt(0.05 * 0.95 / repetitions):.4f}")
    assert rate > 0.94 if share else 0.94 < rate < 0.96


@settings(deadline=None)
@given(data=st.data(), pilots=st.integers(1, 3), others=st.integers(1, 4))
def test_precision_ratio_by_brute_force(data, pilots, others):
    answers = data.draw(st.lists(st.integers(1, 400), min_size=pilots + others, max_size=pilots + others))
    pilot, noise = np.arange(pilots + others) < pilots, [Fraction(2, one) for one in answers]
    expected = sum(noise[:pilots]) / pilots / median(noise[pilots:])
    found = precision_ratio(np.array(noise, dtype=float), pilot)
    assert found == pytest.approx(float(expected))
    both = precision_ratio(np.column_stack([noise, noise[::-1]]).astype(float), pilot)
    assert both[0] == pytest.approx(float(expected))


def test_one_small_comparison_unit_does_not_make_a_small_pilot_usual():
    """One pilot of 60 among comparisons of 10 and six times 300: the t test alone would reject .115."""
    people = np.array([60, 10, *[300] * 6])
    assert unequal_precision(2 / people, people == 60).item()
    assert not unequal_precision(2 / np.array([300, 10, *[300] * 6]), np.arange(8) == 0).item()


def test_the_fewer_units_must_not_be_the_noisier_ones():
    """Pilots of 300 against comparisons of 30: .081 with two of each, .025 and less with four or more."""
    for others, withheld in ((2, True), (4, False)):
        people = np.array([300, 300, *[30] * others])
        assert unequal_precision(2 / people, people == 300).item() == withheld


@pytest.mark.parametrize("empty", [0, 2])
def test_a_unit_without_answers_is_infinitely_noisy(empty):
    noise = np.full((3, 2), 0.1)
    noise[empty, 1] = np.inf
    assert precision_ratio(noise, [1, 0, 0]).tolist() == [1, np.inf]


def test_intraclass_correlation_agrees_with_r():
    """R's aov on panel.csv, from prospects.R: villages within unit and wave."""
    reference = pd.read_csv(TESTS / "reference/prospects.csv").query("quantity == 'icc'").set_index("item")["value"]
    items = [name for name in reference.index if name in PANEL]
    found = intraclass_correlation(PANEL[items], PANEL["unit"] + PANEL["wave"], PANEL["village"])
    assert found == pytest.approx(reference[items].to_numpy(), abs=1e-10)


@pytest.mark.parametrize("item", ["satisfaction", "waiting", "fees"])
@pytest.mark.parametrize("case", ["levels after", "interaction", "village effects", "respondent effects"])
def test_cluster_robust_agrees_with_clubsandwich(case, item):
    frame = PANEL.dropna(subset=item)
    if case == "levels after":
        frame = frame[frame["after"] == 1]
    names = ["pilot"] if case == "levels after" else ["did", "after"]
    names += ["pilot"] if case == "interaction" else []
    dummies = pd.get_dummies(frame[case.split()[0]]) if case.endswith("effects") else pd.Series(1.0, frame.index)
    X = np.column_stack([frame[names], dummies]).astype(float)
    found = cluster_robust(frame[item], X, frame["village"], coefficient=0)
    assert vars(found) == pytest.approx(reference(case, item), rel=1e-8)


def slow_cluster_robust(y, X, cluster, coefficient):
    """Bell & McCaffrey's formulas with n × n matrices; inverse roots by eigenvalues, those of zero left out."""
    residual_maker = np.eye(len(y)) - X @ np.linalg.pinv(X)
    weights = np.linalg.pinv(X)[coefficient]
    variance, columns = 0.0, []
    for label in np.unique(cluster):
        rows = np.flatnonzero(cluster == label)
        values, vectors = np.linalg.eigh(residual_maker[np.ix_(rows, rows)])
        root = sum(np.outer(v, v) / np.sqrt(e) for e, v in zip(values, vectors.T, strict=True) if e > 1e-8)
        adjusted = root @ weights[rows]
        variance += (adjusted @ (residual_maker @ y)[rows]) ** 2
        columns.append(residual_maker[:, rows] @ adjusted)
    eigenvalues = np.linalg.eigvalsh(np.array(columns) @ np.array(columns).T)
    return weights @ y, np.sqrt(variance), eigenvalues.sum() ** 2 / (eigenvalues**2).sum()


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), clusters=st.integers(5, 12), effects=st.booleans(), shift=st.floats(-50, 50))
def test_cluster_robust_by_slow_formulas(seed, clusters, effects, shift):
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), rng.integers(2, 6, clusters))
    X = np.column_stack([np.ones(len(cluster)), rng.normal(size=(len(cluster), 2))])
    if effects:
        X = np.column_stack([X, cluster[:, None] == np.arange(clusters)]).astype(
            float
        )  # the constant depends on them
    y = rng.normal(size=len(cluster)) + rng.normal(size=clusters)[cluster]
    found = cluster_robust(y, X, cluster, coefficient=1)
    expected = slow_cluster_robust(y, X, cluster, 1)
    assert (found.estimate, found.std_error, found.df) == pytest.approx(expected, rel=1e-6)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.estimate / found.std_error), found.df))
    order = rng.permutation(len(y))
    moved = cluster_robust((y + shift)[order], X[order], cluster[order].astype(str), coefficient=1)
    assert vars(moved) == pytest.approx(vars(found), rel=1e-6)


def test_cluster_robust_of_single_rows_is_hc2_and_of_equal_arms_the_unit_t():
    rng = np.random.default_rng(4)
    X = np.column_stack([np.ones(30), rng.normal(size=30)])
    y = rng.normal(size=30)
    hc2 = OLS(y, X).fit(cov_type="HC2").bse[1]
    assert cluster_robust(y, X, np.arange(30), coefficient=1).std_error == pytest.approx(hc2)
    unit, pilot = np.repeat(np.arange(6), 5), np.repeat([1.0, 0.0], 15)
    found = cluster_robust(y, np.column_stack([np.ones(30), pilot]), unit, coefficient=1)
    means = compare_units(y.reshape(6, 5).mean(axis=1), pilot[::5])
    assert vars(found) == pytest.approx({name: getattr(means, name) for name in vars(found)})


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("effects", [True, False])
def test_cluster_robust_does_not_speak_for_a_single_pilot(seed, effects):
    """Its part of the variance has no residual; R's clubSandwich then gives the comparison units' part alone."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(7), rng.integers(4, 90, 7))
    after = rng.integers(0, 2, len(unit))
    did = (unit == 3) * after
    dummies = unit[:, None] == np.arange(7) if effects else (unit == 3)[:, None]
    X = np.column_stack([did, after, np.ones(len(unit)), dummies]).astype(float)
    y = rng.normal(size=len(unit))
    found = cluster_robust(y, X, unit, coefficient=0)
    assert found.estimate == pytest.approx(np.linalg.lstsq(X, y)[0][0])
    assert np.isnan([found.std_error, found.df, found.p_value]).all()
    assert cluster_robust(y, X, unit, coefficient=1).std_error > 0


def test_cluster_robust_without_errors_has_no_p():
    X = np.column_stack([np.ones(12), np.arange(12) % 5])
    found = cluster_robust(X @ [0.1, 0.3], X, np.arange(12) // 3, coefficient=1)
    assert (found.std_error, np.isnan(found.p_value)) == (0, True)


@pytest.mark.parametrize(
    ("change", "pilot", "message"),
    [
        ([1.0, np.nan, 2.0], [1, 0, 0], "a unit has no change"),
        ([1.0, 2.0], [1, 1], "pilot and comparison units are both needed"),
        ([1.0, 2.0], [0, 0], "pilot and comparison units are both needed"),
    ],
)
def test_refuses(change, pilot, message):
    for call in (
        lambda: compare_units(change, pilot),
        lambda: max_t(np.transpose([change, change]), pilot),
    ):
        with pytest.raises(ValueError, match=message):
            call()


FLAT = [[1.0]] * 4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_units([1.0, 2.0], [1, 0, 0]), r"pilot must be \(G,\) with G = 2"),
        (lambda: compare_units([[1.0], [2.0]], [1, 0]), "change must be"),
        (lambda: compare_units([1.0, 2.0], [1, 0], level=95), "level must be between 0 and 1, got 95"),
        (lambda: max_t([1.0, 2.0], [1, 0]), "changes must be"),
        (lambda: max_t(np.zeros((2, 0)), [1, 0]), "changes must be"),
        (lambda: shocks([1.0, 2.0], [1, 1], [1.0, np.nan]), "sampling_variance must be finite"),
        (lambda: shocks([1.0, 2.0], [1, 1], [1.0, -1.0]), "sampling_variance must be finite"),
        (lambda: shocks([1.0, 2.0], [1, 1], [1.0]), "must be"),
        (lambda: shocks([1.0, np.nan], [1, 1], [1.0, 1.0]), "a unit has no change"),
        (lambda: shocks([1.0, 2.0], [1, 1], [1.0, 1.0], waves=(0, 1)), "waves must be 1 or more"),
        (lambda: shocks([1.0, 2.0], [1, 1], [1.0, 1.0], level=1), "level must be between"),
        (lambda: shock_curve(np.nan, 5, 2, 2, shock_sd=1.0), "sampling_variance must not be below 0"),
        (lambda: shock_curve(1.0, 0, 2, 2, shock_sd=1.0), "df be above 0"),
        (lambda: shock_curve(1.0, 5, 0, 2, shock_sd=1.0), "pilots must be 1 or more"),
        (lambda: shock_curve(1.0, 5, 2, 2, shock_sd=[1.0, np.nan]), "shock_sd must not be missing"),
        (lambda: breaking_point(np.nan, 1.0, 5, 2, 2), "estimate must be finite"),
        (lambda: breaking_point(1.0, 1.0, 5, 2, 2, waves=(1, 0)), "waves must be 1 or more"),
        (lambda: precision_ratio([1, 0], [1, 0]), "above zero"),
        (lambda: precision_ratio([1, np.nan], [1, 0]), "above zero"),
        (lambda: precision_ratio([1, 1], [1, 1]), "both needed"),
        (lambda: intraclass_correlation([1.0, 2.0], [1, 1], [1, 1]), "values must be"),
        (lambda: cluster_robust([1, 2, 3], FLAT, list("aabb"), coefficient=0), "must be"),
        (lambda: cluster_robust([1, 2, 3, np.nan], FLAT, list("aabb"), coefficient=0), "must be finite"),
        (lambda: cluster_robust([1, 2, 3, 4], FLAT, list("aabb"), coefficient=1), "X has no column 1"),
        (lambda: cluster_robust([1, 2, 3, 4], FLAT, list("aaaa"), coefficient=0), "two clusters"),
        (lambda: cluster_robust([1, 2, 3, 4], FLAT, ["a", "a", "b", None], coefficient=0), "none missing"),
        (lambda: cluster_robust([1, 2, 3, 4], FLAT * np.ones(2), list("aabb"), coefficient=0), "depends on"),
    ],
)
def test_refuses_what_has_no_meaning(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("item", ["satisfaction", "waiting"])
def test_wild_bootstrap_agrees_with_all_sign_patterns_in_r(item):
    frame = village_changes(item).sort_index()
    few = pd.concat([frame[frame["pilot"]].head(3), frame[~frame["pilot"]].head(8)])
    expected = reference("wild bootstrap", item)["p_value"]
    assert wild_bootstrap(few["change"], few["pilot"]) == expected
    assert wild_bootstrap(few["change"][::-1], few["pilot"][::-1]) == expected
    assert 0 < expected < 1 and expected * 2**11 == round(expected * 2**11)
