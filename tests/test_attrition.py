"""Attrition against R, published figures, brute force, and populations whose truth is known."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.attrition import (
    lee_bounds,
    retention_weights,
    standardised_difference,
    worst_case_bounds,
)

TESTS = Path(__file__).parent
REFERENCE = pd.read_csv(TESTS / "reference/attrition.csv").query("case != 'versions'")
CARD_KRUEGER = TESTS / "../../shared/data/card_krueger/card-krueger.csv"


def reference(case):
    return REFERENCE[REFERENCE["case"] == case].set_index("quantity")["value"].astype(float).to_dict()


def panel():
    frame = pd.read_csv(TESTS / "reference/panel.csv")
    before = frame[frame["wave"] == "before"]
    return before, before["respondent"].isin(frame.loc[frame["wave"] == "after", "respondent"])


@pytest.fixture(scope="module")
def stores():
    """Card & Krueger's stores that stated their employment in the first wave: before, after, New Jersey."""
    if not CARD_KRUEGER.exists():
        pytest.skip("card_krueger: not part of the repository")
    frame = pd.read_csv(CARD_KRUEGER).pivot(index=["id", "nj"], columns="d", values="fte").reset_index()
    frame = frame[frame[0].notna()]
    return frame[[0]].to_numpy(), frame[[1]].to_numpy(), frame["nj"].to_numpy() == 1


# Who was lost


answers = st.none() | st.integers(0, 4)
people = st.lists(  # two scores before, seen again, unit, weight
    st.tuples(answers, answers, st.booleans(), st.sampled_from("AB"), st.integers(1, 3)), min_size=1, max_size=12
)


def by_hand(found):
    """Mean and variance of (score, weight); the variance with n − 1."""
    n, total = len(found), sum(w for _, w in found)
    mean = sum(Fraction(w) * y for y, w in found) / total if n else None
    variance = sum(w * (y - mean) ** 2 for y, w in found) / total * Fraction(n, n - 1) if n > 1 else None
    return mean, variance


@settings(deadline=None)
@given(rows=people)
def test_standardised_difference_by_hand(rows):
    first, second, seen, _, weight = (list(column) for column in zip(*rows, strict=True))
    values = np.array([first, second], dtype=float).T
    result = standardised_difference(values, ~np.array(seen), weight=weight)
    for item in (0, 1):
        groups = [[(r[item], r[4]) for r in rows if r[2] == kept and r[item] is not None] for kept in (True, False)]
        (m_seen, v_seen), (m_lost, v_lost) = (by_hand(group) for group in groups)
        if v_seen is None or v_lost is None:
            expected = np.nan
        elif v_seen + v_lost == 0:
            expected = 0 if m_seen == m_lost else np.inf if m_lost > m_seen else -np.inf
        else:
            expected = float(m_lost - m_seen) / float((v_seen + v_lost) / 2) ** 0.5
        assert result[item] == pytest.approx(expected, nan_ok=True, abs=1e-12)


def test_nothing_varies():
    found = standardised_difference(
        [[0.1, 5, 7], [0.1, 5, 7], [0.1, 6, 2], [0.1, 6, 2]], [0, 0, 1, 1], weight=[1, 2, 3, 4]
    )
    assert found.tolist() == [0, np.inf, -np.inf]


# Weights for those who stayed


@pytest.mark.parametrize("weighted", [True, False])
def test_probabilities_agree_with_r(weighted):
    before, seen = panel()
    weight = before["weight"].to_numpy() if weighted else None
    items = before[["satisfaction", "waiting", "fees"]]
    found = retention_weights(items, seen, before["unit"], weight=weight)
    expected = reference(f"panel {'weighted' if weighted else 'unweighted'} probability")
    assert items.isna().any().all() and found.units and found.unrepresented == 0
    assert dict(zip(before["respondent"], found.probability, strict=True)) == pytest.approx(expected, rel=1e-8)
    base = np.ones(len(seen)) if weight is None else weight
    assert np.isnan(found.weight[~seen]).all()
    ratio = (found.weight * found.probability / base)[seen]
    assert ratio == pytest.approx(np.full(seen.sum(), ratio[0]))
    assert found.weight[seen].sum() == pytest.approx(base[seen].sum())


def test_card_krueger_weighted_changes(stores):
    before, after, nj = stores
    expected = reference("card-krueger")
    found = retention_weights(before, ~np.isnan(after[:, 0]), nj)
    change, seen = (after - before)[:, 0], ~np.isnan(after[:, 0])
    for state, name in ((0, "PA"), (1, "NJ")):
        rows = (nj == state) & seen
        weighted = np.average(change[rows], weights=found.weight[rows])
        assert weighted == pytest.approx(expected[f"weighted change {name}"], rel=1e-8)
        assert found.probability[nj == state].sum() == pytest.approx(rows.sum())


@settings(deadline=None, max_examples=50)
@given(rows=people)
def test_those_seen_again_stand_for_all(rows):
    """With one yes/no score each kind of people gets back the weight it had."""
    rows = [*rows, *((score, None, seen, "A", 1) for score, *_ in rows for seen in (True, False))]
    score, seen, weight = (np.array([row[at] for row in rows], dtype=float) for at in (0, 2, 4))
    kind = np.where(np.isnan(score), 2, score % 2)
    found = retention_weights(np.where(kind == 2, np.nan, kind)[:, None], seen, ["A"] * len(rows), weight=weight)
    for one in set(kind):
        share = np.nansum(found.weight[kind == one]) / np.nansum(found.weight)
        assert share == pytest.approx(weight[kind == one].sum() / weight.sum(), rel=1e-6)


@settings(deadline=None, max_examples=200)
@given(rows=people)
def test_the_fit_is_at_its_maximum_even_where_the_limit_is_infinite(rows):
    """There the people expected are the people seen: in all, by unit, by missing score, and in sum of scores."""
    first, second, seen, unit, weight = (list(column) for column in zip(*rows, strict=True))
    assume(any(seen))
    before = np.array([first, second], dtype=float).T
    found = retention_weights(before, seen, unit, weight=weight)
    excess = np.array(weight) * (np.array(seen) - found.probability)
    counted = [np.ones(len(rows)), *np.isnan(before).T, *np.nan_to_num(before).T]
    if found.units:
        counted.append(np.array(unit) == "A")
    assert np.array(counted) @ excess == pytest.approx(0, abs=1e-4)
    assert np.isfinite(found.weight[seen]).all() and (found.weight[seen] > 0).all()
    assert ((found.probability >= 0) & (found.probability <= 1)).all()


def test_an_item_asked_twice_tells_nothing_new():
    before, seen = panel()
    once = before[["waiting", "fees"]].to_numpy()
    found, again = (retention_weights(items, seen, before["unit"]) for items in (once, np.hstack([once, 2 * once])))
    np.testing.assert_allclose(again.probability, found.probability, rtol=1e-8)


def test_weights_undo_the_loss_that_scores_explain():
    """The dissatisfied leave, and the dissatisfied improve most: those who stay understate the change of 6."""
    rng = np.random.default_rng(5)
    before = rng.normal(60, 15, 40_000)
    change = 6 - 0.4 * (before - 60) + rng.normal(0, 5, before.size)
    seen = rng.random(before.size) < 1 / (1 + np.exp(-(0.5 + 0.05 * (before - 60))))
    found = retention_weights(before[:, None], seen, np.zeros(before.size))
    assert change[seen].mean() < 5
    assert np.average(change[seen], weights=found.weight[seen]) == pytest.approx(6, abs=0.25)


def test_separation_is_reported():
    """Everybody above 50 stayed, everybody below left: nobody like the lost was seen, and nothing is reweighted."""
    score, weight = np.array([[90.0], [80.0], [70.0], [30.0], [20.0]]), np.array([1.0, 2, 3, 4, 5])
    found = retention_weights(score, score[:, 0] > 50, list("AABBB"), weight=weight)
    assert found.unrepresented == 2
    assert found.weight[:3] == pytest.approx(weight[:3])


def test_only_those_never_seen_are_unrepresented():
    """Who had no score before was always lost, or always seen; the others are weighted as without them."""
    score, seen = [[1.0], [1.0], [0.0], [0.0], [0.0], [np.nan], [np.nan]], np.array([1, 0, 1, 1, 0, 0, 0])
    lost = retention_weights(score, seen, ["A"] * 7)
    assert lost.unrepresented == 2
    assert lost.weight[[0, 2]] == pytest.approx(np.array([2, 1.5]) * 3 / 5)
    stayed = retention_weights(score, np.maximum(seen, [0, 0, 0, 0, 0, 1, 1]), ["A"] * 7)
    assert stayed.unrepresented == 0
    assert stayed.weight[[0, 2, 5]] == pytest.approx(np.array([2, 1.5, 1]) * 5 / 7)


def test_units_are_used_where_each_kept_and_lost_people():
    nothing = np.full((7, 1), 3.0)
    both = retention_weights(nothing, [1, 0, 1, 1, 1, 0, 0], list("AABBBBB"))
    assert both.units and both.probability == pytest.approx([0.5] * 2 + [0.6] * 5)
    kept_all = retention_weights(nothing, [1, 1, 1, 1, 1, 0, 0], list("AABBBBB"))
    assert not kept_all.units and kept_all.probability == pytest.approx(5 / 7)


def test_nobody_lost_keeps_the_weights():
    found = retention_weights([[1.0], [np.nan]], [True, True], ["A", "B"], weight=[2.0, 3.0])
    assert (found.weight.tolist(), found.unrepresented) == ([2, 3], 0)


# Whatever the lost would have answered


pairs = st.lists(st.tuples(answers, answers, st.integers(1, 3)), min_size=1, max_size=7)


@settings(deadline=None)
@given(rows=pairs)
def test_worst_case_by_trying_every_answer(rows):
    assume(sum(after is None for _, after, _ in rows) <= 4)
    before, after, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = worst_case_bounds(before[:, None], after[:, None], low=0, high=4, weight=weight)
    asked = [row for row in rows if row[0] is not None]
    possible = []
    for guess in itertools.product(range(5), repeat=sum(after is None for _, after, _ in asked)):
        left = iter(guess)
        filled = [(w, (next(left) if y is None else y) - x) for x, y, w in asked]
        possible.append(sum(w * d for w, d in filled) / sum(w for w, _ in filled) if asked else np.nan)
    assert [found.lower.item(), found.upper.item()] == pytest.approx([min(possible), max(possible)], nan_ok=True)
    assert (found.n.item(), found.n_lost.item()) == (len(asked), sum(y is None for _, y, _ in asked))
    seen = [(y - x, w) for x, y, w in asked if y is not None]
    mean = sum(d * w for d, w in seen) / sum(w for _, w in seen) if seen else np.nan
    assert found.estimate.item() == pytest.approx(mean, nan_ok=True)


def test_items_are_bounded_one_by_one():
    before, after = np.array([[50.0, np.nan], [70.0, 10.0]]), np.array([[60.0, 20.0], [np.nan, 20.0]])
    found = worst_case_bounds(before, after)
    assert (found.lower.tolist(), found.upper.tolist()) == ([-30, 10], [20, 10])
    assert (found.estimate.tolist(), found.n_lost.tolist()) == ([10, 10], [1, 0])


def test_card_krueger_worst_case(stores):
    before, after, nj = stores
    expected = reference("card-krueger")
    for state, name, published in ((0, "PA", -2.283), (1, "NJ", 0.467)):
        found = worst_case_bounds(before[nj == state], after[nj == state], high=85)
        assert round(found.estimate.item(), 3) == published
        ends = [expected[f"{name} lower"], expected[f"{name} upper"]]
        assert [found.lower.item(), found.upper.item()] == pytest.approx(ends)


# One arm lost more


def slowly(rows):
    """Everybody as often as it takes for the excess to be whole copies: rows of (change, pilot, seen, weight)."""
    size = {arm: sum(w for _, p, _, w in rows if p == arm) for arm in (True, False)}
    kept = {arm: [(y, w) for y, p, seen, w in rows if p == arm and seen] for arm in (True, False)}
    number = {arm: sum(w for _, w in kept[arm]) for arm in kept}
    ends = {}
    for arm, other in ((True, False), (False, True)):
        copies = sorted(y for y, w in kept[arm] for _ in range(w * size[other] * number[arm]))
        # The other arm's share of this arm's people, in copies.
        least = min(number[arm] * size[other] * number[arm], number[other] * size[arm] * number[arm])
        mean = [Fraction(sum(part), least) for part in (copies[:least], copies[len(copies) - least :])]
        ends[arm] = mean
    return float(ends[True][0] - ends[False][1]), float(ends[True][1] - ends[False][0])


surveyed = st.lists(
    st.tuples(st.integers(-4, 4), st.booleans(), st.booleans(), st.integers(1, 3)), min_size=2, max_size=14
)


def bounds(rows):
    change, pilot, seen, weight = (np.array(column) for column in zip(*rows, strict=True))
    return lee_bounds(np.where(seen, change, np.nan), pilot, seen, weight=weight)


@settings(deadline=None)
@given(rows=surveyed, data=st.data())
def test_lee_bounds_by_counting_copies(rows, data):
    assume({pilot for _, pilot, seen, _ in rows if seen} == {True, False})
    found = bounds(rows)
    assert (found.lower, found.upper) == pytest.approx(slowly(rows), abs=1e-9)
    assert found.lower - 1e-9 <= found.estimate <= found.upper + 1e-9
    shuffled = bounds(data.draw(st.permutations(rows)))
    flipped = bounds([(y, not p, seen, w) for y, p, seen, w in rows])
    assert (shuffled.lower, shuffled.upper) == pytest.approx((found.lower, found.upper), abs=1e-9)
    assert (-flipped.upper, -flipped.lower) == pytest.approx((found.lower, found.upper), abs=1e-9)
    least, most = sorted([found.seen_pilot, found.seen_comparison])
    assert found.trimmed == pytest.approx(1 - least / most, abs=1e-12)
    assert (found.arm == "") == (found.trimmed == 0)


@settings(deadline=None)
@given(
    always=st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=1, max_size=8),
    gained=st.lists(st.integers(-4, 4), max_size=5),
    never=st.integers(0, 3),
    in_pilot=st.booleans(),
)
def test_the_truth_lies_within(always, gained, never, in_pilot):
    """Everybody lives once in each arm. `always` are seen in both, with a change in each; `gained` in one alone."""
    everybody = len(always) + len(gained) + never
    arms = {}
    for pilot in (True, False):
        seen = [pair[pilot] for pair in always] + (gained if pilot == in_pilot else [])
        arms[pilot] = [*seen, *[np.nan] * (everybody - len(seen))]
    change = np.array([*arms[True], *arms[False]])
    found = lee_bounds(change, [1] * everybody + [0] * everybody, ~np.isnan(change))
    truth = np.mean([pilot - other for other, pilot in always])
    assert found.lower - 1e-9 <= truth <= found.upper + 1e-9
    own = [pair[in_pilot] for pair in always]
    if gained and (min(gained) >= max(own) or max(gained) <= min(own)):  # the bounds are sharp
        assert min(abs(found.lower - truth), abs(found.upper - truth)) < 1e-9


def test_published_trimming_bounds():
    """R's attrition 1.0 prints these; it keeps whole persons only: 348 and 349, where the share is 348.67 of 417."""
    counts = reference("estimator_trim")
    rows = [(arm == "pilot", int(y)) for key, n in counts.items() for arm, y in [key.split()] for _ in range(int(n))]
    pilot, answer = np.array(rows).T
    found = lee_bounds(answer, pilot, answer > 0)
    assert (found.seen_pilot, found.seen_comparison) == pytest.approx((0.81286550, 0.67967146), abs=1e-8)
    assert (found.arm, found.trimmed) == ("pilot", pytest.approx(0.16385742, abs=1e-8))
    keep = 417 * (1 - 0.16385742)
    low = (348 * 2.95114943 + (keep - 348) * 4) / keep
    high = (349 * 3.57593123 - (349 - keep) * 2) / keep
    assert (found.lower, found.upper) == pytest.approx((low - 2.93353474, high - 2.93353474), abs=1e-7)
    assert (found.lower, found.upper) == pytest.approx((0.01761468, 0.64239649), abs=0.004)


def test_card_krueger_lee_bounds(stores):
    """Pennsylvania kept 75 of 77 stores, New Jersey 309 of 321; without trimming 2.750."""
    before, after, nj = stores
    change = (after - before)[:, 0]
    seen = ~np.isnan(change)
    found = lee_bounds(change, nj, seen)
    assert (round(found.estimate, 3), found.arm) == (2.75, "comparison")
    assert found.trimmed == pytest.approx(1 - (309 / 321) / (75 / 77))
    cents = [
        (round(100 * c) if kept else 0, bool(p), bool(kept), 1) for c, p, kept in zip(change, nj, seen, strict=True)
    ]
    assert (100 * found.lower, 100 * found.upper) == pytest.approx(slowly(cents), abs=1e-9)


def test_card_krueger_as_a_study():
    """The declared study gives the published means: table 3 of Card & Krueger (1994)."""
    if not CARD_KRUEGER.exists():
        pytest.skip("card_krueger: not part of the repository")
    study = ek.open_study(TESTS / "studies/card-krueger", allow_outside=True)
    survey = ek.clean(ek.read(study), study)
    scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    levels = effects[effects["estimand"] == "level"].set_index(["group", "contrast"])["estimate"].round(3)
    assert levels["comparison"].to_dict() == {"before": 23.331, "after": 21.166}
    assert levels["pilot"].to_dict() == {"before": 20.439, "after": 21.027}
    assert len(survey.responses) == 820 and survey.responses["respondent"].nunique() == 410


# Refusals


GOOD = {
    standardised_difference: {"values": [[1.0], [2.0], [3.0]], "second": [0, 1, 1]},
    retention_weights: {"before": [[1.0], [2.0], [3.0]], "seen_again": [0, 1, 1], "unit": ["A", "A", "B"]},
    worst_case_bounds: {"before": [[1.0], [2.0], [3.0]], "after": [[1.0], [2.0], [np.nan]]},
    lee_bounds: {"change": [1.0, 2.0, np.nan], "pilot": [1, 0, 0], "seen_again": [1, 1, 0]},
}


@pytest.mark.parametrize("function", GOOD, ids=lambda function: function.__name__)
@pytest.mark.parametrize("weight", [[1, 1], [1, 0, 1], [1, -1, 1], [1, np.nan, 1], [1, np.inf, 1]])
def test_refuses_weights(function, weight):
    with pytest.raises(ValueError, match="weight must be"):
        function(**GOOD[function], weight=weight)


@pytest.mark.parametrize(
    ("function", "changed", "message"),
    [
        (standardised_difference, {"values": [1.0, 2.0]}, r"values must be \(n, k\), got 1 dimensions"),
        (standardised_difference, {"second": [0, 1]}, r"second must be \(3,\), got \(2,\)"),
        (standardised_difference, {"second": [0, 1, 2]}, "second must be true or false"),
        (retention_weights, {"before": [[1.0], [np.inf], [2.0]]}, "before must be finite or NaN"),
        (retention_weights, {"unit": ["A", "B"]}, r"unit must be \(3,\), got \(2,\)"),
        (retention_weights, {"seen_again": [0, np.nan, 1]}, "seen_again must be true or false"),
        (retention_weights, {"seen_again": [0, 0, 0]}, "nobody was seen again"),
        (retention_weights, {"unit": ["A", None, "B"]}, "unit has missing labels"),
        (worst_case_bounds, {"after": [[1.0], [2.0]]}, r"before \(3, 1\) and after \(2, 1\) must have one shape"),
        (worst_case_bounds, {"low": 5, "high": 5}, "low must be below high, got 5 and 5"),
        (worst_case_bounds, {"after": [[1.0], [101.0], [2.0]]}, "after has 101, outside 0 to 100"),
        (worst_case_bounds, {"before": [[1.0], [-1.0], [2.0]]}, "before has -1, outside 0 to 100"),
        (lee_bounds, {"change": [[1.0], [2.0], [3.0]]}, r"change must be \(n,\), got 2 dimensions"),
        (lee_bounds, {"seen_again": [1, 1, 1]}, "somebody seen again has no change"),
        (lee_bounds, {"seen_again": [0, 1, 0]}, "nobody was seen again in the pilot arm"),
        (lee_bounds, {"pilot": [1, 1, 1]}, "nobody was seen again in the comparison arm"),
    ],
)
def test_refuses(function, changed, message):
    with pytest.raises(ValueError, match=message):
        function(**GOOD[function] | changed)


@pytest.mark.parametrize("function", GOOD, ids=lambda function: function.__name__)
def test_what_the_refusals_start_from_is_accepted(function):
    function(**GOOD[function])
