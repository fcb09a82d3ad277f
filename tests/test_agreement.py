"""Agreement of coders against R, published values, and what must hold for any codes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalkit import agreement

HERE = Path(__file__).parent / "reference"
VALUES = pd.read_csv(HERE / "agreement.csv").query("case != 'versions'")
CODES = pd.read_csv(HERE / "agreement_codes.csv")
CASES = {
    case: rows.pivot(index="thing", columns="coder", values="code").to_numpy() for case, rows in CODES.groupby("case")
}
FOUND = {
    "alpha_nominal": lambda codes: agreement.krippendorff(codes).estimate,
    "alpha_ordinal": lambda codes: agreement.krippendorff(codes, level="ordinal").estimate,
    "alpha_nominal_se": lambda codes: agreement.krippendorff(codes).std_error,
    "alpha_ordinal_se": lambda codes: agreement.krippendorff(codes, level="ordinal").std_error,
    "fleiss": lambda codes: agreement.fleiss(codes).estimate,
    "fleiss_se": lambda codes: agreement.fleiss(codes).std_error,
    "cohen": lambda codes: agreement.cohen(codes).estimate,
    "cohen_se": lambda codes: agreement.cohen(codes).std_error,
}
SOME = arrays(
    float, st.tuples(st.integers(2, 12), st.integers(2, 4)), elements=st.sampled_from([1.0, 2.0, 3.0, np.nan])
)


@pytest.mark.parametrize(("case", "quantity", "value"), VALUES.to_numpy().tolist())
def test_as_in_r(case, quantity, value):
    assert FOUND[quantity](CASES[case]) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_as_published(level, value):
    # Krippendorff (2011), example C; both values also in the examples of R's irr::kripp.alpha.
    assert agreement.krippendorff(CASES["published"], level=level).estimate == pytest.approx(value, abs=5e-4)


def test_fleiss_as_in_his_worked_example():
    # 14 raters, 10 subjects, 5 categories: 0.210 (the table that Wikipedia works through).
    counts = """0 0 0 0 14/0 2 6 4 2/0 0 3 5 6/0 3 9 2 0/2 2 8 1 1
        7 7 0 0 0/3 2 6 3 0/2 5 3 2 2/6 5 2 1 0/0 2 2 3 7""".replace("\n", "/").split("/")
    codes = [np.repeat(range(5), list(map(int, row.split()))) for row in counts]
    assert agreement.fleiss(codes).estimate == pytest.approx(0.210, abs=5e-4)


def test_percent_agreement_counts_each_thing_once():
    # 3 of 3 pairs, 1 of 3 pairs, one coder alone: (100 + 33.33) / 2.
    codes = [[1, 1, 1], [1, 1, 2], [2, np.nan, np.nan]]
    assert agreement.percent_agreement(codes) == pytest.approx(200 / 3)


@settings(max_examples=40, deadline=None)
@given(SOME)
def test_neither_the_order_of_things_nor_of_coders_nor_a_lone_code_matters(codes):
    same = np.vstack([codes[::-1, ::-1], [[2.0] + [np.nan] * (codes.shape[1] - 1)]])
    for level in ("nominal", "ordinal"):
        first, second = (agreement.krippendorff(found, level=level) for found in (codes, same))
        assert second.estimate == pytest.approx(first.estimate, abs=1e-9, nan_ok=True)
        assert first.units == second.units == ((~np.isnan(codes)).sum(axis=1) > 1).sum()
        assert np.isnan(first.estimate) or first.estimate <= 1 + 1e-12


@settings(max_examples=40, deadline=None)
@given(SOME)
def test_ordinal_alpha_is_blind_to_the_spacing_and_nominal_to_the_names(codes):
    spaced, named = codes**3 + 5, np.where(codes == 1, 9.0, codes)
    for level, other in (("ordinal", spaced), ("nominal", named)):
        first, second = (agreement.krippendorff(found, level=level).estimate for found in (codes, other))
        assert second == pytest.approx(first, nan_ok=True)


@pytest.mark.parametrize(
    "codes",
    [[[1, 1], [1, 1], [1, 1]], [[1, np.nan], [np.nan, 2]], np.empty((0, 2)), [[np.nan, np.nan]]],
    ids=["no variation", "no pairs", "nothing", "nothing coded"],
)
def test_without_variation_or_pairs_there_is_no_coefficient(codes):
    for found in (agreement.krippendorff(codes), agreement.fleiss(codes), agreement.cohen(codes)):
        assert np.isnan([found.estimate, found.std_error, found.conf_low, found.conf_high]).all()


def test_perfect_agreement_has_no_interval_for_nothing_varied():
    codes = [[1, 1], [2, 2]] * 9
    for found in (agreement.krippendorff(codes), agreement.fleiss(codes), agreement.cohen(codes)):
        assert found.estimate == 1 and np.isnan(found.conf_low)


def test_a_coefficient_that_hangs_on_one_thing_has_no_interval():
    rare = [[1.0, 1.0]] * 11 + [[2.0, 1.0]]
    found = agreement.krippendorff(rare)
    assert found.estimate == pytest.approx(0) and np.isnan(found.conf_low)


@pytest.mark.parametrize("codes", [[1.0, 2.0], [[[1.0]]]])
def test_codes_are_a_table(codes):
    with pytest.raises(ValueError, match="dimensions"):
        agreement.krippendorff(codes)


def test_a_coder_who_gave_one_code_only_agrees_as_by_chance():
    found = agreement.cohen([[1, 1], [1, 1], [2, 1]])
    assert found.estimate == pytest.approx(0) and np.isnan([found.std_error, found.conf_low]).all()


def test_cohen_takes_two_coders():
    with pytest.raises(ValueError, match="two coders"):
        agreement.cohen([[1, 2, 3]])


@pytest.mark.slow
@pytest.mark.parametrize(("coders", "error"), [(2, 0.12), (3, 0.05), (3, 0.12)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(coders, error):
    rng = np.random.default_rng(9)

    def drawn(things):
        return (rng.random(things) < 0.3)[:, None] ^ (rng.random((things, coders)) < error)

    # Of two codes of a thing: how often they differ, over how often codes of any two things do.
    share = 0.3 * (1 - error) + 0.7 * error
    truth = 1 - 2 * error * (1 - error) / (2 * share * (1 - share))
    found = [agreement.krippendorff(drawn(21)) for _ in range(1_000)]
    held = [one.conf_low <= truth <= one.conf_high for one in found if not np.isnan(one.conf_low)]
    assert 0.91 < np.mean(held) < 0.97
