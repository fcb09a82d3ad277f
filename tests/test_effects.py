from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit.effects import COLUMNS, bind, differences, make_effects, with_adjustment, with_intervals, with_tests
from evalkit.estimation import domain_means

WORDS = ["indicator", "group", "estimand", "contrast", "method", "unit", "adjustment", "weights", "note"]
ORDER = [
    *("indicator", "group", "estimand", "contrast", "method", "unit"),
    *("estimate", "std_error", "conf_low", "conf_high", "conf_level", "statistic", "df", "p_value"),
    *("conf_low_adjusted", "conf_high_adjusted", "p_adjusted", "adjustment"),
    *("n_before", "n_after", "n_clusters", "weights", "note"),
]
ROWS = [
    {"indicator": "A1", "group": "u1", "estimand": "change", "method": "linearised", "unit": "points (0-100)"},
    {"indicator": "A1", "group": "u2", "estimand": "change", "method": "linearised"},
    {"indicator": "A2", "group": "u1", "estimand": "change", "method": "linearised"},
]
NUMBERS = [
    {"estimate": 2.5, "std_error": 1.0, "df": 7, "n_before": 60},
    {"estimate": -4.0, "std_error": 1.2, "df": 1, "note": "thin"},
    {"estimate": 0.3, "std_error": np.nan, "df": np.nan, "note": "one_cluster"},
]
EFFECTS = make_effects(row | numbers for row, numbers in zip(ROWS, NUMBERS, strict=True))


@pytest.mark.parametrize("table", [EFFECTS, make_effects([]), bind(), with_intervals(make_effects([]), 0.95)])
def test_every_table_has_all_columns_in_order_and_typed(table):
    assert list(table.columns) == ORDER == list(COLUMNS)
    assert all(table[name].dtype == ("str" if name in WORDS else "float64") for name in table)


def test_what_is_absent_is_nan_or_empty():
    first = EFFECTS.iloc[0]
    assert (first["estimate"], first["n_before"], first["df"]) == (2.5, 60.0, 7.0)
    assert (first["note"], first["contrast"]) == ("", "")
    assert first[["conf_low", "p_value", "n_after"]].isna().all()
    assert make_effects([{"note": None, "estimate": None}])[["note", "estimate"]].isna().values.tolist() == [
        [False, True]
    ]


def test_refuses_unknown_columns_and_a_key_twice():
    with pytest.raises(ValueError, match=r"not columns of effects: \['mean', 'se'\]"):
        make_effects([{"indicator": "A1", "se": 1.0, "mean": 2.0}])
    with pytest.raises(ValueError, match=r"a key twice: .*'A1', 'u1', 'change', '', 'linearised'"):
        make_effects([ROWS[0], ROWS[0] | {"estimate": 3.0, "unit": "percent"}])
    with pytest.raises(ValueError, match="a key twice"):
        bind(EFFECTS, EFFECTS.tail(1))


@pytest.mark.parametrize("column", ["indicator", "group", "estimand", "contrast", "method"])
def test_rows_that_differ_in_one_column_of_the_key_are_two(column):
    assert len(make_effects([ROWS[0], ROWS[0] | {column: "other"}])) == 2


def test_bind_puts_tables_one_below_the_other():
    pd.testing.assert_frame_equal(bind(EFFECTS[:1], make_effects([]), EFFECTS[1:]), EFFECTS)


@settings(deadline=None)
@given(
    sample=st.lists(st.integers(-9, 9), min_size=2, max_size=12).filter(lambda found: np.ptp(found) > 0),
    level=st.sampled_from([0.5, 0.9, 0.95, 0.99]),
)
def test_intervals_and_tests_are_those_of_one_sample(sample, level):
    row = {"estimate": np.mean(sample), "std_error": stats.sem(sample), "df": len(sample) - 1}
    effects = with_tests(with_intervals(make_effects([row]), level), pd.Series([True]))
    test = stats.ttest_1samp(sample, 0)
    found = effects.loc[0, ["conf_low", "conf_high", "conf_level", "statistic", "p_value"]].tolist()
    expected = [*test.confidence_interval(level), level, test.statistic, test.pvalue]
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_no_error_no_interval_and_no_test():
    rows = [{"indicator": "x", "estimate": 1.0, "std_error": 0.0, "df": 5}]
    rows += [{"indicator": "y", "estimate": 1.0, "std_error": 2.0, "df": 0}, {"indicator": "z", "estimate": 1.0}]
    effects = with_tests(with_intervals(make_effects(rows), 0.95), pd.Series([True] * 3))
    assert effects["conf_low"].tolist() == pytest.approx([np.nan, np.nan, np.nan], nan_ok=True)
    assert effects[["statistic", "p_value"]].isna().all(axis=None)


def test_only_the_rows_asked_for_are_tested():
    effects = with_tests(EFFECTS, pd.Series([False, True, True]))
    assert effects["p_value"].notna().tolist() == [False, True, False]


def adjusted(p_values, families, level=0.95, df=9, screened=False):
    """Rows with these p-values, their intervals, adjusted within families; NaN: a row without a standard error."""
    estimate = stats.t.isf(np.array(p_values) / 2, df)
    rows = [{"indicator": str(i), "estimate": one, "std_error": 1.0, "df": df} for i, one in enumerate(estimate)]
    effects = with_intervals(make_effects(rows), level)
    effects = with_tests(effects, pd.Series(True, effects.index))
    family = pd.Series(families, effects.index, dtype=object)
    return with_adjustment(effects, family, screened=set(effects["indicator"]) if screened else ())


REFERENCE = pd.read_csv(Path(__file__).parent / "reference/adjustment.csv")


def test_p_values_of_a_family_are_those_of_rs_p_adjust():
    order = [5, 0, 9, 3, 1, 7, 2, 8, 6, 4]  # a family does not come sorted
    rows = REFERENCE.iloc[order]
    for screened, method, name in ((False, "holm", "sidak, holm (10)"), (True, "bh", "bh (10)")):
        found = adjusted(rows["p"], ["one"] * 10, screened=screened)
        assert found["p_adjusted"].tolist() == pytest.approx(rows[method].tolist(), rel=1e-9)
        assert set(found["adjustment"]) == {name}


def test_families_are_adjusted_apart_and_a_row_alone_stays_as_it_is():
    p = np.array([0.001, 0.02, 0.3, 0.04, 0.04])
    found = adjusted(p, ["a", "a", "a", "b", np.nan])
    assert found["p_adjusted"][:3].tolist() == pytest.approx([0.003, 0.04, 0.3])
    reach = stats.t.ppf((1 + 0.95 ** (1 / 3)) / 2, 9)
    assert found["conf_high_adjusted"][:3].tolist() == pytest.approx(found["estimate"][:3] + reach)
    assert found["conf_low_adjusted"][:3].tolist() == pytest.approx(found["estimate"][:3] - reach)
    assert found["adjustment"].tolist() == ["sidak, holm (3)"] * 3 + ["none", ""]
    alone = found.loc[3, ["conf_low_adjusted", "conf_high_adjusted", "p_adjusted"]].tolist()
    assert alone == pytest.approx(found.loc[3, ["conf_low", "conf_high", "p_value"]].tolist())
    assert found.loc[4, ["conf_low_adjusted", "conf_high_adjusted", "p_adjusted"]].isna().all()


def test_screened_rows_have_no_simultaneous_interval_and_say_so_even_alone():
    for families in (["a", "a"], ["a", "b"]):
        found = adjusted([0.001, 0.02], families, screened=True)
        assert found[["conf_low_adjusted", "conf_high_adjusted"]].isna().all(axis=None)
        assert found["adjustment"].str.startswith("bh").all()
    assert found["p_adjusted"].tolist() == pytest.approx(found["p_value"].tolist())


def test_rows_without_a_p_value_count_in_their_family():
    found = adjusted([0.01, 0.02, np.nan], ["a"] * 3)
    assert found["p_adjusted"].tolist() == pytest.approx([0.03, 0.04, np.nan], nan_ok=True)


@settings(deadline=None)
@given(p_values=st.lists(st.floats(1e-6, 0.999), min_size=1, max_size=8))
def test_the_smallest_adjusted_p_is_bonferronis_and_its_interval_leaves_out_zero_at_least_as_often(p_values):
    found = adjusted(p_values, ["one"] * len(p_values))
    least = found.loc[found["p_value"].idxmin()]
    assert least["p_adjusted"] == pytest.approx(min(1.0, len(found) * least["p_value"]))
    assert (found["p_adjusted"] >= found["p_value"] * (1 - 1e-12)).all()
    outside = (found["conf_low_adjusted"] > 0) | (found["conf_high_adjusted"] < 0)
    assert outside[found["p_value"].idxmin()] or least["p_adjusted"] > 0.05 - 1e-9
    assert found["p_adjusted"][outside].le(len(found) * (1 - 0.95 ** (1 / len(found))) + 1e-9).all()


def test_an_estimate_of_exactly_zero_has_an_adjusted_p_of_one():
    assert adjusted([1.0, 0.5], ["a", "a"])["p_adjusted"].tolist() == pytest.approx([1.0, 1.0])


@pytest.mark.parametrize(("unit", "estimate"), [("points (0-100)", 40.0), ("percent", 40.0), ("percent", 0.0)])
def test_an_interval_that_stands_there_stays(unit, estimate):
    row = {"indicator": "x", "unit": unit, "estimate": estimate, "std_error": 2.0, "df": 9, "n_clusters": 10}
    found = with_intervals(make_effects([row | {"conf_low": -np.inf, "conf_high": 47.0}]), 0.95).iloc[0]
    assert (found["conf_low"], found["conf_high"], found["conf_level"]) == (-np.inf, 47.0, 0.95)


def test_equal_tables_have_no_differences():
    shuffled = EFFECTS.iloc[::-1].reset_index(drop=True)
    nearly = EFFECTS.assign(estimate=EFFECTS["estimate"] * (1 + 1e-12))
    for second in (EFFECTS, shuffled, nearly):
        assert differences(EFFECTS, second).empty
    assert differences(make_effects([]), make_effects([])).empty


def test_differences_name_the_place():
    changed = EFFECTS.copy()
    changed.loc[0, "estimate"] = 2.5001
    changed.loc[1, "note"] = ""
    changed.loc[2, "std_error"] = 0.1
    found = differences(EFFECTS, changed).set_index(["indicator", "group", "column"])[["first", "second"]]
    assert found.loc["A1", "u1", "estimate"].tolist() == [2.5, 2.5001]
    assert found.loc["A1", "u2", "note"].tolist() == ["thin", ""]
    assert found.loc["A2", "u1", "std_error"].tolist() == pytest.approx([np.nan, 0.1], nan_ok=True)
    assert len(found) == 3
    assert differences(EFFECTS, changed, tolerance=1e-3)["column"].tolist() == ["note", "std_error"]


def test_differences_list_rows_that_one_table_lacks():
    for first, second, expected in (
        (EFFECTS, EFFECTS[:2], ["present", "absent"]),
        (EFFECTS[:2], EFFECTS, ["absent", "present"]),
    ):
        found = differences(first, second)
        assert found[["indicator", "group", "column"]].values.tolist() == [["A2", "u1", "row"]]
        assert found.loc[0, ["first", "second"]].tolist() == expected
    assert len(differences(make_effects([]), EFFECTS)) == 3


SHARES = pd.read_csv(Path(__file__).parent / "reference/shares.csv").query("at_least != 'versions'")


def test_levels_of_shares_agree_with_r_svyciprop():
    panel = pd.read_csv(Path(__file__).parent / "reference/panel.csv").dropna(subset="satisfaction")
    domain = panel["unit"] + "|" + panel["wave"]
    for at_least, expected in SHARES.groupby("at_least"):
        values = (panel[["satisfaction"]] >= int(at_least)).astype(float) * 100
        means = domain_means(values, domain, weight=panel["weight"], cluster=panel["village"], stratum=panel["unit"])
        rows = {"estimate": means.estimate[:, 0], "std_error": means.std_error[:, 0], "df": means.df[:, 0]}
        level = make_effects(
            pd.DataFrame(rows).assign(indicator="x", group=means.domain, unit="percent").to_dict("records")
        )
        found = with_intervals(level, 0.95).set_index("group").loc[expected["domain"]]
        for column, name in (("estimate", "share"), ("conf_low", "low"), ("conf_high", "high")):
            assert found[column].tolist() == pytest.approx((100 * expected[name].astype(float)).tolist(), rel=1e-6)


@given(share=st.floats(0, 100), error=st.floats(0.1, 60), df=st.integers(1, 200), level=st.floats(0.9, 0.99))
def test_intervals_of_shares_stay_inside(share, error, df, level):
    row = {"indicator": "x", "unit": "percent", "estimate": share, "std_error": error, "df": df, "n_clusters": df + 1}
    found = with_intervals(make_effects([row]), level).iloc[0]
    assert 0 <= found["conf_low"] <= share <= found["conf_high"] <= 100


def test_a_share_of_all_or_none_is_bounded_by_its_clusters():
    rows = [{"indicator": n, "unit": "percent", "estimate": v, "std_error": 0, "df": 7, "n_clusters": 8} for n, v in
            (("none", 0.0), ("all", 100.0))]  # fmt: skip
    found = with_intervals(make_effects(rows), 0.95)
    exact = [stats.binomtest(successes, 8).proportion_ci(0.95, method="exact") for successes in (0, 8)]
    assert found["conf_low"].tolist() == pytest.approx([100 * interval.low for interval in exact])
    assert found["conf_high"].tolist() == pytest.approx([100 * interval.high for interval in exact])
