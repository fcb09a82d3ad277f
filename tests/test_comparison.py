"""Effects against known truth, published figures and other people's code."""

import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import evalkit as ek
from evalkit.comparison import RAKED
from evalkit.declaration import Node, Plan
from evalkit.effects import COLUMNS
from evalkit.sample import CHANGE, DID
from evalkit.study import Design

ROOT = Path(__file__).resolve().parent.parent
KCMO = ROOT / "tests" / "studies" / "kcmo"
SHARED = ROOT.parent / "shared" / "data"


def one(effects, indicator, group, estimand, contrast, method="linearised"):
    key = {"indicator": indicator, "group": group, "estimand": estimand, "contrast": contrast, "method": method}
    found = effects[np.logical_and.reduce([effects[name] == value for name, value in key.items()])]
    assert len(found) == 1
    return found.iloc[0]


def frame(rows):
    """Scores of one indicator x: rows of (wave, unit, cluster, respondent, x)."""
    scores = pd.DataFrame(rows, columns=["wave", "unit", "cluster", "respondent", "x"])
    scores.insert(0, "row_id", [f"r{i}" for i in range(len(scores))])
    return scores.assign(stratum="1", weight=1.0)[
        ["row_id", "wave", "unit", "respondent", "cluster", "stratum", "weight", "x"]
    ]


INDEX = {"x": Node(code="x", label={"vi": "x", "en": "x"}, aggregate="mean", items=("q", "r"))}
PLAN = Plan(primary=("x",), confidence_level=0.95)


class TestNgaBay:
    """The simulated pilot: estimates against truth.toml."""

    truth = {
        row["code"]: row
        for row in tomllib.loads((ROOT / "data/nga-bay/truth.toml").read_text(encoding="utf-8"))["indicator"]
    }

    @pytest.mark.parametrize("indicator", sorted(truth))
    def test_realised_did_lies_in_the_respondent_interval(self, effects, indicator):
        row = one(effects, indicator, "pilot - comparison", "did", DID)
        assert row["conf_low_adjusted"] <= self.truth[indicator]["realised"] <= row["conf_high_adjusted"]
        assert abs(row["estimate"] - self.truth[indicator]["realised"]) < 3 * row["std_error"]

    @pytest.mark.parametrize("indicator", sorted(truth))
    def test_structural_did_lies_in_the_unit_interval(self, effects, indicator):
        row = one(effects, indicator, "pilot - comparison", "did", DID, "unit t")
        assert row["conf_low_adjusted"] <= self.truth[indicator]["structural"] <= row["conf_high_adjusted"]

    def test_unit_intervals_cover_the_changes_drawn(self, effects):
        covered = [
            row["conf_low"] <= change <= row["conf_high"]
            for indicator, truth in self.truth.items()
            for unit, change in truth["unit_change"].items()
            for row in [one(effects, indicator, unit, "change", CHANGE)]
        ]
        assert len(covered) == 56 and 49 <= sum(covered)

    def test_the_group_without_effect_is_not_called_changed(self, effects):
        assert self.truth["cham_lo"]["effect"] == 0
        row = one(effects, "cham_lo", "pilot - comparison", "did", DID, "unit t")
        assert row["conf_low_adjusted"] < 0 < row["conf_high_adjusted"]

    def test_contract(self, effects, nga_bay):
        assert list(effects.columns) == list(COLUMNS)
        assert set(effects["indicator"]) == set(nga_bay.index)
        assert set(effects.loc[effects["weights"] != "none", "method"]) == {RAKED, "raking"}

    def test_arm_levels_are_means_of_unit_levels(self, effects, nga_bay):
        units = [unit for unit, arm in nga_bay.design.arms.items() if arm == "comparison"]
        levels = [one(effects, "cchc", unit, "level", "after")["estimate"] for unit in units]
        assert one(effects, "cchc", "comparison", "level", "after")["estimate"] == pytest.approx(np.mean(levels))

    def test_rows_shuffled_give_the_same_effects(self, scores, nga_bay, effects):
        shuffled = scores.sample(frac=1, random_state=1)
        again = ek.compare(shuffled, nga_bay.design, nga_bay.plan, nga_bay.index)
        # The cumulative logit is fitted by iteration, which stops a little earlier or later.
        loose = effects["estimand"] == "log odds ratio"
        pd.testing.assert_frame_equal(again[~loose], effects[~loose], rtol=1e-10)
        pd.testing.assert_frame_equal(again[loose], effects[loose], rtol=1e-5)


class TestOrganDonations:
    """Kessler & Roth's pilot: two-way fixed effects give −.0225 (published: −0.022)."""

    def test_difference_in_differences(self):
        study = ek.open_study(ROOT / "data/organ-donations")
        survey = ek.clean(ek.read(study), study)
        effects = ek.compare(
            ek.score(survey.responses, study.index, study.codebook), study.design, study.plan, study.index
        )
        for method in ("linearised", "unit t", "placebo"):
            assert one(effects, "rate", "pilot - comparison", "did", DID, method)["estimate"] == pytest.approx(
                -0.022459, abs=5e-7
            )
        # One state is one cluster: from within it there is no standard error, and none is made up.
        for group in ("CA", "pilot", "comparison"):
            row = one(effects, "rate", group, "change", CHANGE)
            assert np.isnan(row["std_error"]) and row["note"] == "one_cluster"
        assert one(effects, "rate", "pilot - comparison", "did", DID, "placebo")["p_value"] == pytest.approx(5 / 27)
        assert one(effects, "rate", "pilot - comparison", "smallest p", DID, "placebo")["estimate"] == 1 / 27


@pytest.mark.skipif(not SHARED.is_dir(), reason="the Kansas City survey may not be shipped and is not beside us")
def test_kansas_city_means_and_counts():
    study, survey = ek.check(KCMO, allow_outside=True)
    scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    change = one(effects, "q2_01", "all", "change", CHANGE)
    assert round(one(effects, "q2_01", "all", "level", "before")["estimate"], 3) == 3.196
    assert round(one(effects, "q2_01", "all", "level", "after")["estimate"], 3) == 3.319
    assert (change["n_before"], change["n_after"]) == (1018, 976)
    # No clusters, nobody twice: for one district this is the two-sample comparison of R's survey, n/(n−1) included.
    district = one(effects, "q2_01", "1", "change", CHANGE)
    parts = [scores.loc[(scores["unit"] == "1") & (scores["wave"] == w), "q2_01"].dropna() for w in ("2021", "2022")]
    pooled = sum(len(p) for p in parts)
    total = len(scores[scores["unit"] == "1"])
    expected = np.sqrt(sum(p.var(ddof=0) / len(p) for p in parts) * total / (total - 1))
    assert district["std_error"] == pytest.approx(expected)
    assert district["df"] == pooled - 1


def test_a_pure_panel_is_the_paired_t_test():
    rng = np.random.default_rng(3)
    before, gain = rng.normal(50, 10, 30), rng.normal(3, 5, 30)
    rows = [("b", "U", f"R{i}", f"R{i}", before[i]) for i in range(30)]
    rows += [("a", "U", f"R{i}", f"R{i}", before[i] + gain[i]) for i in range(30)]
    effects = ek.compare(frame(rows), Design({"U": None}, {"b": "before", "a": "after"}), PLAN, INDEX)
    change = one(effects, "x", "U", "change", CHANGE)
    expected = stats.ttest_1samp(gain, 0)
    assert change["statistic"] == pytest.approx(expected.statistic)
    assert change["p_value"] == pytest.approx(expected.pvalue)


def test_villages_of_one_name_in_two_communes_are_two_clusters(survey, effects):
    villages = survey.responses.groupby("unit")["cluster"].nunique()
    assert survey.responses["cluster"].nunique() < villages.sum()
    assert one(effects, "hai_long", "pilot - comparison", "did", DID)["n_clusters"] == villages.sum()


def test_constant_answers_have_no_p_value():
    rows = [(w, "U", f"c{i % 5}", f"{w}{i}", 75.0) for w in ("b", "a") for i in range(20)]
    effects = ek.compare(frame(rows), Design({"U": None}, {"b": "before", "a": "after"}), PLAN, INDEX)
    change = one(effects, "x", "U", "change", CHANGE)
    assert change["estimate"] == 0 and np.isnan(change["p_value"]) and change["note"] == "constant"


def test_no_answer_in_one_wave_is_a_noted_row():
    rows = [(w, "U", f"c{i % 5}", f"{w}{i}", np.nan if w == "a" else float(i)) for w in ("b", "a") for i in range(20)]
    effects = ek.compare(frame(rows), Design({"U": None}, {"b": "before", "a": "after"}), PLAN, INDEX)
    change = one(effects, "x", "U", "change", CHANGE)
    assert np.isnan(change["estimate"]) and change["n_after"] == 0 and change["note"]
