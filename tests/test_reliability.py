"""Reliability against R, a published interval, hand calculation, and populations whose truth is known."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.declaration import Labels, Node
from evalkit.effects import make_effects
from evalkit.estimation import domain_means
from evalkit.language import text
from evalkit.reliability import interval, reliability
from evalkit.reliability_effects import reliability_effects
from evalkit.reliability_tables import reliability as reliability_table
from evalkit.reliability_tables import reliability_items, reliability_sentences

TESTS = Path(__file__).resolve().parent
REFERENCE = pd.read_csv(TESTS / "reference/reliability.csv").query("case != 'versions'")
BFI = TESTS.parents[1] / "shared/data/packages/psychTools_bfi.csv"
needs_bfi = pytest.mark.skipif(not BFI.exists(), reason="shared/data/packages is not there")
REVERSED = {"A": ["A1"], "C": ["C4", "C5"], "E": ["E1", "E2"], "N": [], "O": ["O2", "O5"]}


def reference(case):
    return REFERENCE[REFERENCE["case"] == case].set_index("quantity")["value"].astype(float)


def bfi(scale, rows=None):
    x = pd.read_csv(BFI, nrows=rows)[[f"{scale}{number}" for number in range(1, 6)]]
    x[REVERSED[scale]] = 7 - x[REVERSED[scale]]
    return x


def errors(found):
    known = found.influence[~np.isnan(found.influence[:, 0])]
    return domain_means(np.nan_to_num(known), np.zeros(len(known))).std_error[0]


@pytest.mark.parametrize("case", ["attitude", *(pytest.param(f"bfi_{one}", marks=needs_bfi) for one in REVERSED)])
def test_coefficients_are_those_of_r(case):
    x = pd.read_csv(TESTS / "reference/attitude.csv") if case == "attitude" else bfi(case[-1])
    found, expected = reliability(x), reference(case)
    rest = expected[[f"rest{at}" for at in range(1, x.shape[1] + 1)]]
    np.testing.assert_allclose(
        [found.n, found.alpha, *found.item_rest], [*expected[["n", "alpha"]], *rest], rtol=1e-9
    )
    assert found.omega == pytest.approx(expected["omega"], abs=2e-6)
    standardised = reliability((x.dropna() - x.dropna().mean()) / x.dropna().std())
    np.testing.assert_allclose(
        [standardised.alpha, standardised.omega],
        expected[["standardised_alpha", "standardised_omega"]],
        atol=2e-6,
    )


def test_published_omega_of_attitude():
    x = pd.read_csv(TESTS / "reference/attitude.csv")
    assert reliability(x).alpha == pytest.approx(0.843143, abs=5e-7)
    assert reliability((x - x.mean()) / x.std()).omega == pytest.approx(0.850992, abs=5e-7)  # psych::omega


@needs_bfi
@pytest.mark.parametrize(
    ("scale", "published"), [("A", 0.703), ("C", 0.727), ("E", 0.762), ("N", 0.814), ("O", 0.600)]
)
def test_alphas_of_the_bfi_as_published(scale, published):
    # psych takes pairs of items where we take those who answered all.
    assert reliability(bfi(scale)).alpha == pytest.approx(published, abs=0.003)


@needs_bfi
def test_interval_of_alpha_as_r_package_alphaci_publishes_it():
    # README of alphaci 1.0.1, agreeableness, asymptotically distribution-free: .6828923 to .7246195, symmetric.
    found = reliability(bfi("A"))
    assert found.alpha == pytest.approx(0.7037559, abs=5e-8)
    error = errors(found)[0]
    np.testing.assert_allclose(
        [found.alpha - 1.959964 * error, found.alpha + 1.959964 * error], [0.6828923, 0.7246195], atol=2e-6
    )


@needs_bfi
def test_standard_errors_are_close_to_the_jackknife():
    found, expected = reliability(bfi("N", 300)), reference("bfi_N_300")
    jackknife = expected[["se_alpha", "se_omega", *(f"se_rest{at}" for at in range(1, 6))]]
    np.testing.assert_allclose(errors(found), jackknife, rtol=0.015)


def test_two_items_by_hand():
    # Covariance 1, variances 5/3 and 5/3: alpha = 2·(1 − (10/3)/(10/3 + 2)) = 0.75, correlation 1/(5/3) = 0.6.
    found = reliability([[1, 2], [2, 1], [3, 4], [4, 3]])
    assert (found.alpha, *found.item_rest) == pytest.approx((0.75, 0.6, 0.6))
    assert np.isnan(found.omega)
    assert not found.improper


def test_weights_count_as_so_many_people():
    rng = np.random.default_rng(1)
    x, times = rng.integers(1, 6, (40, 4)) + rng.integers(0, 3, (40, 1)), rng.integers(1, 4, 40)
    weighted, repeated = reliability(x, weight=times), reliability(np.repeat(x, times, axis=0))
    assert (weighted.alpha, weighted.omega) == pytest.approx((repeated.alpha, repeated.omega))
    assert weighted.item_rest == pytest.approx(repeated.item_rest)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-50, 50))
def test_unit_and_origin_do_not_matter(seed, unit, origin):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(30, 4)) + rng.normal(size=(30, 1))
    one, other = reliability(x), reliability(unit * x + origin)
    assert other.alpha == pytest.approx(one.alpha, abs=1e-9)
    assert other.item_rest == pytest.approx(one.item_rest, abs=1e-9)
    assert np.nanmean(one.influence[:, 0]) == pytest.approx(0, abs=1e-4)  # no unit: its gradient is 0 along itself


@pytest.mark.parametrize(
    ("items", "message"),
    [([[1.0], [2.0]], "2 or more"), ([[1.0, np.inf], [2.0, 1.0]], "finite")],
)
def test_refusals(items, message):
    with pytest.raises(ValueError, match=message):
        reliability(items)
    with pytest.raises(ValueError, match="above zero"):
        reliability([[1, 2], [2, 1]], weight=[0, 1])


def test_nothing_is_made_up_where_nothing_is_known():
    constant = reliability([[1, 2, 3], [1, 3, 2], [1, 1, 1], [1, 2, 2]])
    assert np.isnan([constant.alpha, constant.omega, *constant.item_rest]).all()
    assert np.isnan(reliability([[1, 2], [2, np.nan], [2, 1]]).alpha)
    apart = np.array([[1, 1, 0.0], [0, 0, 0], [1, 0, 1], [0, 0, 0], [2, 1, 1], [0, 1, -1]])  # first = second + third
    assert reliability(apart).improper
    assert interval(1.0, 0.1, 10, level=0.95) == pytest.approx((np.nan, np.nan), nan_ok=True)


@pytest.mark.slow
def test_intervals_hold_what_they_promise_in_villages():
    # 400 samples of 16 villages × 12: answers on five steps from one factor, villages apart. Truth from 400,000.
    rng = np.random.default_rng(7)

    def answers(villages, people):
        shared = 0.4 * rng.normal(size=(villages, 1, 1)) + rng.normal(size=(villages, people, 1))
        return np.clip(np.round(3 + 0.7 * shared + rng.normal(size=(villages, people, 4))), 1, 5).reshape(-1, 4)

    truth = reliability(answers(20_000, 20))
    held = np.zeros(3)
    for _ in range(400):
        found = reliability(answers(16, 12))
        means = domain_means(found.influence, np.zeros(192), cluster=np.repeat(np.arange(16), 12))
        for at, (one, whole) in enumerate(
            [(found.alpha, truth.alpha), (found.omega, truth.omega), (found.item_rest[0], truth.item_rest[0])]
        ):
            low, high = interval(one, means.std_error[0, at], means.df[0, at], level=0.95, correlation=at == 2)
            held[at] += low <= whole <= high
    assert (held / 400 >= 0.92).all(), held / 400


@pytest.fixture(scope="module")
def found(nga_bay, survey):
    return reliability_effects(
        survey.responses, nga_bay.design, nga_bay.index, nga_bay.codebook, level=nga_bay.plan.confidence_level
    )


class TestEffects:
    def test_rows_are_those_of_the_arrays(self, found, nga_bay, survey):
        assert set(found["indicator"]) == {"cchc", "dan_chu", "van_hoa", "tiep_dan", "cntt", "cham_lo"}
        before = survey.responses[survey.responses["wave"] == "truoc"]
        expected = reliability(before[list(nga_bay.index["cchc"].items)])
        rows = found[(found["indicator"] == "cchc") & found["contrast"].str.startswith("truoc")]
        assert rows["estimate"].tolist() == pytest.approx([expected.alpha, expected.omega, *expected.item_rest])
        assert rows["n_before"].tolist() == [expected.n] * 7
        assert (found["conf_low"] < found["estimate"]).all()
        assert (found["conf_high"] > found["estimate"]).all()

    def test_reversed_and_wider_scales_are_put_on_one(self, nga_bay, survey):
        from dataclasses import replace

        turned = survey.responses.assign(q2_1=6 - survey.responses["q2_1"])
        codebook = {**nga_bay.codebook, "q2_1": replace(nga_bay.codebook["q2_1"], reverse=True)}
        rows = [
            reliability_effects(frame, nga_bay.design, nga_bay.index, book, level=0.95)
            for frame, book in ((survey.responses, nga_bay.codebook), (turned, codebook), (turned, nga_bay.codebook))
        ]
        pd.testing.assert_frame_equal(rows[0], rows[1])
        assert not np.allclose(rows[0]["estimate"], rows[2]["estimate"])

    def test_an_item_that_does_not_belong_is_named(self, nga_bay, survey):
        rng = np.random.default_rng(3)
        noise = survey.responses.assign(
            q2_2=6 - survey.responses["q2_2"], q2_3=rng.integers(1, 6, len(survey.responses))
        )
        index = {"dan_chu": nga_bay.index["dan_chu"]}
        effects = reliability_effects(noise, nga_bay.design, index, nga_bay.codebook, level=0.95)
        sentences = reliability_sentences(effects, nga_bay, "en")
        assert any(one.startswith('The items of "Grassroots democracy" do not hang together') for one in sentences)
        named = [label.en if hasattr(label, "en") else label["en"] for label in
                 (nga_bay.codebook[item].labels for item in ("q2_2", "q2_3"))]  # fmt: skip
        assert all(any(name in one for one in sentences) for name in named)

    def test_what_is_said_and_what_is_not(self, found, nga_bay):
        sentences = reliability_sentences(found, nga_bay, "vi")
        assert sentences and all(one.startswith("Chưa chắc") for one in sentences)  # .67 to .69, intervals reach .70
        good = found[found["indicator"] == "van_hoa"]
        (only,) = reliability_sentences(good, nga_bay, "en")
        assert only.startswith("In every wave, alpha of every indicator made of several items is 0.70 or more")
        assert reliability_sentences(make_effects([]), nga_bay, "en") == []
        assert reliability_table(make_effects([]), nga_bay, "en").empty

    def test_tables(self, found, nga_bay):
        table = reliability_table(found, nga_bay, "en")
        assert table.shape == (12, 7)
        first = found.iloc[0]
        expected = f"{first['estimate']:.2f} ({first['conf_low']:.2f} to {first['conf_high']:.2f})"
        assert table.loc[0, "Alpha (interval)"] == expected
        items = reliability_items(found, nga_bay, "vi")
        assert items.shape == (29, 4) and reliability_items(make_effects([]), nga_bay, "vi").empty
        first = found[found["estimand"] == "item_rest"].iloc[0]
        ends = [f"{first[end]:.2f}".replace(".", ",") for end in ("estimate", "conf_low", "conf_high")]
        assert items.iloc[0, 2] == "{} ({} đến {})".format(*ends)
        few = reliability_table(found.assign(n_before=3.0), nga_bay, "en")
        assert (few["Alpha (interval)"] == text("suppressed", "en", minimum=5)).any()

    def test_notes(self, nga_bay, survey):
        index = {"x": Node(code="x", label=Labels(vi="x", en="x"), aggregate="mean", items=("q2_1", "q2_2", "q2_3"))}
        for change, note in (({"q2_1": 3.0}, "constant"), ({"q2_1": np.nan}, "no_answers")):
            frame = survey.responses.assign(**change)
            rows = reliability_effects(frame, nga_bay.design, index, nga_bay.codebook, level=0.95)
            assert set(rows["note"]) == {note}
            assert rows["estimate"].isna().all()
