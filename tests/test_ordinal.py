from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import SquareTable

from evalkit.calibration import rake
from evalkit.estimation import domain_means
from evalkit.ordinal import (
    cumulative_logit,
    dominance,
    homogeneity,
    paired_homogeneity,
    superiority,
    transitions,
)

TESTS = Path(__file__).parent
REFERENCE = pd.read_csv(TESTS / "reference/ordinal.csv", keep_default_na=False).query("case != 'versions'")
PANEL = pd.read_csv(TESTS / "reference/panel.csv")
ITEMS = ["satisfaction", "waiting", "fees"]
DESIGNS = {  # of ordinal.R: weight, cluster, stratum
    "villages": ("weight", "village", "unit"),
    "respondents": ("weight", "respondent", "unit"),
    "unweighted": (None, "village", None),
    "rows": (None, None, None),
    "pooled": ("weight", "village", "unit"),
}
BEFORE, AFTER = {"b": 1}, {"a": 1}


def expected(case, item=""):
    rows = REFERENCE[(REFERENCE["case"] == case) & (REFERENCE["item"] == item)]
    return rows.set_index("quantity")["value"].astype(float).to_dict()


def panel_design(name):
    return {
        role: PANEL[column]
        for role, column in zip(("weight", "cluster", "stratum"), DESIGNS[name], strict=True)
        if column
    }


def panel_arguments(case):
    name, group = case.split(": ")
    shares = {"mixture": {"A": 0.5, "B": 0.3, "C": 0.2}}.get(group, {group: 1})
    before, after = ({f"{unit}|{wave}": share for unit, share in shares.items()} for wave in ("before", "after"))
    domain = PANEL["unit"] + "|" + PANEL["wave"]
    if group == "waves":
        domain, before, after = PANEL["wave"], {"before": 1}, {"after": 1}
    return (domain, before, after), panel_design(name)


def from_table(counts):
    """A table of pairs as answers in rows: values, domain, respondent."""
    first, second = (np.repeat(codes.ravel(), np.ravel(counts)) for codes in np.indices(np.shape(counts)))
    people = np.arange(len(first))
    return np.r_[first, second].astype(float), np.repeat(["b", "a"], len(first)), np.r_[people, people]


def two_samples(before, after):
    values = np.r_[before, after].astype(float)
    return values[:, None], np.repeat(["b", "a"], [len(before), len(after)])


@pytest.mark.parametrize("case", [case for case in REFERENCE["case"].unique() if case.split(":")[0] in DESIGNS])
def test_superiority_and_homogeneity_agree_with_r_survey(case):
    arguments, design = panel_arguments(case)
    found = superiority(PANEL[ITEMS], *arguments, **design)
    for column, item in enumerate(ITEMS):
        r = expected(case, item)
        theta = [getattr(found, name)[0, column] for name in ("estimate", "std_error", "df")]
        assert theta == pytest.approx([r["superiority"], r["std_error"], r["df"]], rel=1e-8)
        test = homogeneity(PANEL[item], *arguments, **design)
        assert vars(test) == pytest.approx({name: r[name] for name in vars(test)}, rel=1e-8)


def by_shares(y, domain, before, after, **design):
    """Superiority and its error from the shares of every category in every domain and all their covariances."""
    cells = [(label, category) for label in (*before, *after) for category in np.unique(y[~np.isnan(y)])]
    indicators = np.column_stack([np.where((domain == d) & ~np.isnan(y), y == c, np.nan) for d, c in cells])
    means = domain_means(indicators, np.full(len(y), "all"), **design)
    share, gradient = means.estimate[0], np.zeros(len(cells))
    for i, (d, c) in enumerate(cells):
        for j, (e, other) in enumerate(cells):
            if d in after and e in before:
                chance = after[d] * before[e] * ((other < c) + 0.5 * (other == c))
                gradient[i] += chance * share[j]
                gradient[j] += chance * share[i]
    return gradient @ share / 2, np.sqrt(max(gradient @ means.covariance([1.0]) @ gradient, 0))


answer = st.none() | st.integers(1, 5) | st.integers(100, 500).map(lambda score: score / 100)
row = st.tuples(st.integers(0, 6), st.sampled_from("abcd"), st.sampled_from([0.25, 1.0, 1.7, 40.0]), answer)


@settings(deadline=None, max_examples=100)
@given(rows=st.lists(row, min_size=8, max_size=40), strata=st.lists(st.integers(0, 1), min_size=7, max_size=7))
def test_superiority_is_the_delta_method_on_shares(rows, strata):
    cluster, domain, weight, y = (np.array(column) for column in zip(*rows, strict=True))
    y, before, after = y.astype(float), {"a": 0.7, "b": 0.3}, {"c": 1.0}
    design = {"weight": weight, "cluster": cluster, "stratum": np.array(strata)[cluster], "single_cluster": "unknown"}
    if not set("abc") <= set(domain):
        return
    found = superiority(y[:, None], domain, before, after, **design)
    if any(np.isnan(y[domain == label]).all() for label in "abc"):
        assert np.isnan(found.estimate).all() and np.isnan(found.std_error).all()
        return
    theta, error = by_shares(y, domain, before, after, **design)
    assert found.estimate.item() == pytest.approx(theta, abs=1e-9)
    assert np.isnan(found.std_error.item()) or found.std_error.item() == pytest.approx(error, abs=1e-8)


def test_superiority_under_calibration_is_the_delta_method_on_shares():
    """The weights are those of the calibration, and so is the variance."""
    arguments, design = panel_arguments("villages: mixture")
    design["calibration"] = rake(design.pop("weight"), [(PANEL["unit"], PANEL["wave"] == "before")])
    found = superiority(PANEL[["waiting"]], *arguments, **design)
    theta, error = by_shares(PANEL["waiting"].to_numpy(), *map(np.asarray, arguments[:1]), *arguments[1:], **design)
    assert [found.estimate.item(), found.std_error.item()] == pytest.approx([theta, error], rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_superiority_of_two_samples_is_brunner_and_munzels(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(1, 6, 30), np.r_[rng.integers(2, 7, 30), rng.normal(3, 1, 20)]
    values, domain = two_samples(first, second)
    found = superiority(values, domain, BEFORE, AFTER, stratum=domain)
    statistic = (found.estimate - 0.5) / found.std_error
    assert statistic.item() == pytest.approx(stats.brunnermunzel(first, second).statistic, rel=1e-10)


@settings(deadline=None)
@given(data=st.data(), power=st.sampled_from([0.2, 1, 3]))
def test_superiority_of_the_other_direction_and_of_rescaled_answers(data, power):
    answers = st.lists(st.integers(1, 5), min_size=2, max_size=12)
    values, domain = two_samples(data.draw(answers), data.draw(answers))
    one, other = superiority(values, domain, BEFORE, AFTER), superiority(values, domain, AFTER, BEFORE)
    rescaled = superiority(values**power - 7, domain, BEFORE, AFTER)
    np.testing.assert_allclose([other.estimate, other.std_error], [1 - one.estimate, one.std_error], atol=1e-12)
    np.testing.assert_allclose(
        [rescaled.estimate, rescaled.std_error], [one.estimate, one.std_error], rtol=1e-12, atol=1e-12
    )
    moved = dominance(
        *(np.bincount(values[domain == d, 0].astype(int), minlength=6) / (domain == d).sum() for d in "ba")
    )
    theta = one.estimate.item()
    assert {"higher": theta > 0.5, "lower": theta < 0.5, "equal": theta == pytest.approx(0.5), "none": True}[moved]


def test_values_that_differ_by_rounding_are_ties():
    values, domain = two_samples([0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2])
    assert superiority(values, domain, BEFORE, AFTER).estimate.item() == 0.5
    assert homogeneity([1 / 3, 1 / 3, 1, 1, 1 - 2 / 3, 1], list("bbbaaa"), BEFORE, AFTER).df1 == 1


def test_superiority_that_cannot_be_known_or_does_not_vary():
    nan = np.nan
    values = [[1, 1, 3, 1], [2, nan, 3, 2], [3, 2, 3, nan], [4, 2, 3, nan]]
    found = superiority(values, list("bbaa"), BEFORE, AFTER)
    assert found.estimate.ravel().tolist() == pytest.approx([1, 1, 0.5, nan], nan_ok=True)
    assert found.std_error.ravel().tolist() == pytest.approx([0, nan, 0, nan], nan_ok=True)


def test_what_is_outside_both_periods_does_not_count():
    values, domain = two_samples([1, 2, 3, 3, 5], [2, 3, 5, 4])
    stratum = np.zeros(11)
    first = superiority(values, domain, BEFORE, AFTER)
    values, domain = np.r_[values, [[9], [0]]], np.r_[domain, ["x", "x"]]
    weight = np.r_[np.ones(9), 100, 100]
    second = superiority(values, domain, BEFORE | {"x": 0}, AFTER, weight=weight, stratum=stratum)
    assert first.estimate == second.estimate and first.df == second.df
    test = homogeneity(values.ravel(), domain, BEFORE, AFTER, weight=weight)
    assert (test.df1, test.df2) == (4, 9 - 1 - 4 + 1)


@pytest.mark.parametrize("function", [superiority, homogeneity])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"before": {"c": 1}}, "before names 'c', a domain without rows"),
        ({"after": {"a": 0.9}}, "coefficients of after must .* add up to 1, got {'a': 0.9}"),
        ({"after": {"a": 1.5, "b": -0.5}}, "coefficients of after must not be below zero"),
        ({"after": {"a": np.nan}}, "coefficients of after"),
        ({"before": {}}, "coefficients of before"),
        ({"before": {"a": 1}}, "'a' is before and after"),
        ({"size": [1, 1, 1, 1]}, "size belongs to ratios"),
        ({"domain": ["a", "b"]}, r"domain must be \(4,\)"),
        ({"weight": [1, 1]}, "weight must be"),
        ({"values": [1, 2, np.inf, 3]}, "values must be finite"),
        ({"cluster": [1, 2, 3, 3], "stratum": [1, 1, 2, 2]}, "stratum .*2.* has one cluster"),
    ],
)
def test_refuses_what_is_no_pair_of_distributions(function, changed, message):
    arguments = {"values": [1, 2, 3, 4], "domain": list("bbaa"), "before": BEFORE, "after": AFTER} | changed
    if function is superiority:
        arguments["values"] = np.array(arguments["values"], dtype=float)[:, None]
    with pytest.raises(ValueError, match=message):
        function(**arguments)


@pytest.mark.parametrize("case", ["vision", "approval"])
def test_homogeneity_of_pairs_is_bhapkars_up_to_n_minus_1(case):
    values, domain, person = from_table(vision() if case == "vision" else [[794, 150], [86, 570]])
    test, n = homogeneity(values, domain, BEFORE, AFTER, cluster=person), len(person) / 2
    wald = test.statistic * (n - 1) * test.df1 / test.df2
    assert test.df2 == n - 1 - test.df1 + 1
    assert wald == pytest.approx(expected(case)["bhapkar"] * (n - 1) / n, rel=1e-10)


def vision():
    return np.array(list(expected("vision", "count").values()), dtype=int).reshape(4, 4)


def test_paired_homogeneity_agrees_with_r():
    """Published: 11.957 (Stuart 1955); 17.36 with exact p 3.716e-5 (Agresti 2002, 10.1, and R's binom.test)."""
    for case, table in (("vision", vision()), ("approval", [[794, 150], [86, 570]])):
        found, r = vars(paired_homogeneity(table)), expected(case)
        assert {name: found[name] for name in r if name in found} == pytest.approx(
            {name: r[name] for name in r if name in found}, rel=1e-8
        )
    assert np.isnan(paired_homogeneity(vision()).exact_p)


def test_homogeneity_of_two_categories_is_the_t_test_of_one_share():
    domain, before, after = panel_arguments("villages: B")[0]
    design, agree = panel_design("villages"), PANEL["waiting"].ge(4).where(PANEL["waiting"].notna()).astype(float)
    test = homogeneity(agree, domain, before, after, **design)
    means = domain_means(agree.to_numpy()[:, None], domain, **design)
    change = means.contrast([(label in after) * 1.0 - (label in before) for label in means.domain])
    t, df = (change.estimate / change.std_error).item(), change.df.item()
    assert vars(test) == pytest.approx(
        {"statistic": t**2, "df1": 1, "df2": df, "p_value": 2 * stats.t.sf(abs(t), df)}, rel=1e-9
    )


def test_homogeneity_takes_the_least_df_of_its_shares():
    """Six clusters carry most of what is known of one category: Satterthwaite's df differ."""
    rng = np.random.default_rng(5)
    village = np.repeat(np.arange(30), 20)
    values, domain, few = rng.integers(1, 3, 600).astype(float), np.tile(["b", "a"], 300), village < 6
    values[few & (rng.random(600) < 0.4)] = 3
    design = {"weight": np.where(few, 2.0, 1.0), "cluster": village, "stratum": few}
    change = domain_means(values[:, None] == [1, 2, 3], domain, **design).contrast([1, -1])
    test = homogeneity(values, domain, BEFORE, AFTER, **design)
    assert np.ptp(change.df) > 1 and (test.df1, test.df2) == pytest.approx((2, change.df.min() - 1))


tables = st.integers(2, 5).flatmap(lambda c: st.lists(st.integers(1, 30), min_size=c * c, max_size=c * c))


@settings(deadline=None)
@given(cells=tables, empty=st.integers(0, 2), loyal=st.integers(0, 50))
def test_paired_homogeneity_is_statsmodels_whatever_nobody_enters_or_leaves(cells, empty, loyal):
    table = np.reshape(cells, (int(len(cells) ** 0.5), -1))
    known = SquareTable(table, shift_zeros=False).homogeneity()
    found = paired_homogeneity(np.pad(table, empty) + np.diag([loyal] * (len(table) + 2 * empty)))
    assert found.df == len(table) - 1
    assert [found.statistic, found.p_value] == pytest.approx([known.statistic, known.pvalue], rel=1e-7, abs=1e-9)


def test_paired_homogeneity_of_groups_between_which_nobody_moves_is_their_sum():
    one, two = [[5, 9], [2, 7]], [[3, 1, 4], [6, 2, 2], [1, 8, 3]]
    both = np.zeros((5, 5))
    both[:2, :2], both[2:, 2:] = one, two
    parts, found = [paired_homogeneity(one), paired_homogeneity(two)], paired_homogeneity(both)
    assert (found.statistic, found.df) == pytest.approx((sum(part.statistic for part in parts), 3))


def test_paired_homogeneity_takes_shares_times_pairs_as_counts():
    table = vision() / vision().sum()
    assert vars(paired_homogeneity(table * 7477)) == pytest.approx(vars(paired_homogeneity(vision())), nan_ok=True)


def test_paired_homogeneity_without_movement():
    found = paired_homogeneity([[8, 0], [0, 3]])
    assert found.df == 0 and found.exact_p == 1 and np.isnan([found.statistic, found.p_value]).all()


@pytest.mark.parametrize("table", [[1, 2], [[1, 2, 3], [4, 5, 6]], [[1.5, 2], [3, 4]], [[1, -2], [3, 4]], [[]]])
def test_paired_homogeneity_refuses(table):
    with pytest.raises(ValueError, match="table must"):
        paired_homogeneity(table)


def test_homogeneity_leaves_out_what_neither_varies_nor_differs():
    """Three people always say 9: as Stuart and Maxwell's test, one category less."""
    table = np.array([[4, 7, 0], [3, 6, 0], [0, 0, 3]])
    values, domain, person = from_table(table)
    test = homogeneity(values, domain, BEFORE, AFTER, cluster=person)
    share = np.diff([7 / 23, 11 / 23]).item()
    variance = (10 / 23 - share**2) / 22
    assert (test.df1, test.df2) == (1, 22)
    assert test.statistic == pytest.approx(share**2 / variance)


@pytest.mark.parametrize(
    ("before", "after", "cluster", "df1"),
    [
        ([1, 1, 1], [1, 1, 1], [1, 2, 3], 0),  # one category
        ([1, 1, 1], [2, 2, 2], [1, 2, 3], 0),  # all differ, nothing varies
        ([1, 2, 3], [2, 3, 3], [1, 2, 2], 1),  # two clusters move, and not alike
        ([1, 2, 3], [2, 3, 3], [1, 1, 1], np.nan),  # one cluster
        ([1, 2, 3], [np.nan] * 3, [1, 2, 3], np.nan),
        ([np.nan] * 3, [np.nan] * 3, [1, 2, 3], np.nan),
    ],
)
def test_homogeneity_without_a_test(before, after, cluster, df1):
    values, domain = two_samples(before, after)
    test = homogeneity(values[:, 0], domain, BEFORE, AFTER, cluster=cluster * 2, single_cluster="unknown")
    assert np.isnan([test.statistic, test.p_value]).all() and test.df1 == pytest.approx(df1, nan_ok=True)


def test_too_many_categories():
    values = np.arange(51.0)
    for refused in (
        lambda: homogeneity(values, ["a"] * 20 + ["b"] * 31, BEFORE, AFTER),
        lambda: cumulative_logit(values, values % 2),
    ):
        with pytest.raises(ValueError, match="values have 51 categories; at most 50"):
            refused()
    with pytest.raises(ValueError, match=r"values must be \(n,\), got 2"):
        homogeneity(values[:, None], ["a"] * 20 + ["b"] * 31, BEFORE, AFTER)


@settings(deadline=None)
@given(pairs=st.lists(st.tuples(*2 * [st.none() | st.integers(1, 4)], st.floats(0.1, 9)), min_size=1))
def test_transitions_are_pandas_crosstab_of_complete_pairs(pairs):
    frame = pd.DataFrame(pairs, columns=["before", "after", "weight"]).astype(float)
    found, whole = transitions(frame["before"], frame["after"], [1, 2, 3, 4], frame["weight"]), frame.dropna()
    if whole.empty:
        assert np.isnan(found).all()
        return
    known = pd.crosstab(whole["before"], whole["after"], whole["weight"], aggfunc="sum").fillna(0)
    known = known.reindex(index=range(1, 5), columns=range(1, 5), fill_value=0) / whole["weight"].sum()
    np.testing.assert_allclose(found, known, atol=1e-12)


def test_within_pairs_is_another_question_than_superiority():
    """Two in three rise by one, and yet the answers after are lower: one in three fell from the top."""
    before, after = np.array([1, 2, 3]), np.array([2, 3, 1])
    table = transitions(before, after, [1, 2, 3])
    assert np.triu(table, 1).sum() == pytest.approx(2 / 3) and np.tril(table, -1).sum() == pytest.approx(1 / 3)
    values, domain = two_samples(before, after)
    assert superiority(values, domain, BEFORE, AFTER).estimate.item() == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1, 7], [1, 2]), "7 is not among the categories"),
        (([1, 2], [1], [1, 2]), r"before \(2,\), after \(1,\)"),
        (([1, 2], [1, 2], [1, 2], [1, 0]), "weight must be finite and above zero"),
        (([1, 2], [1, 2], [1, 2], [1]), r"weight \(1,\) must be"),
    ],
)
def test_transitions_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        transitions(*arguments)


counts = st.lists(st.integers(0, 6), min_size=4, max_size=4).filter(any)


@settings(max_examples=300)
@given(before=counts, after=counts, steps=st.lists(st.floats(0, 100), min_size=4, max_size=4))
def test_dominance_is_the_sign_of_the_change_under_every_rescaling(before, after, steps):
    p, q = (np.array(count) / sum(count) for count in (before, after))
    # Every ascending scale is a sum of steps: "at least the c-th category" decides for all.
    changes = [q[c:].sum() - p[c:].sum() for c in range(1, 4)]
    up, down = any(change > 1e-9 for change in changes), any(change < -1e-9 for change in changes)
    found = dominance(p, q)
    assert found == {(1, 0): "higher", (0, 1): "lower", (0, 0): "equal", (1, 1): "none"}[up, down]
    change = (q - p) @ np.cumsum(steps)
    assert {"higher": change >= -1e-6, "lower": change <= 1e-6, "equal": abs(change) < 1e-6, "none": True}[found]


@pytest.mark.parametrize("after", [[0.5, 0.6], [1.5, -0.5], [np.nan, 1], [1.0], [[0.5, 0.5]]])
def test_dominance_refuses(after):
    with pytest.raises(ValueError, match="shares"):
        dominance([0.5, 0.5], after)


def assert_fits(case, names, model):
    for place, name in enumerate(names):
        r = expected(case, name)
        assert model.estimate[place] == pytest.approx(r["estimate"], rel=1e-6, abs=1e-7)
        assert model.std_error[place] == pytest.approx(r["std_error"], rel=1e-5)
    assert model.converged and model.log_likelihood == pytest.approx(expected(case)["log_likelihood"], rel=1e-9)


def test_cumulative_logit_of_housing_agrees_with_ordinal_clm():
    cells = [(*quantity.split(), int(n)) for quantity, n in expected("housing", "count").items()]
    sat, infl, kind, cont = (np.repeat([cell[i] for cell in cells], [cell[4] for cell in cells]) for i in range(4))
    names = ["InflMedium", "InflHigh", "TypeApartment", "TypeAtrium", "TypeTerrace", "ContHigh"]
    regressors = {"Infl": infl, "Type": kind, "Cont": cont}
    exog = np.column_stack([regressors[name[:4]] == name[4:] for name in names])
    values = np.array([["Low", "Medium", "High"].index(label) for label in sat])
    assert len(values) == 1681
    model = cumulative_logit(values, exog)
    assert_fits("housing", names, model)
    assert -2 * model.log_likelihood == pytest.approx(3479.149299, abs=1e-6)


@pytest.mark.parametrize("case", ["wine", "wine: judges"])
def test_cumulative_logit_of_wine_agrees_with_ordinal_clm(case):
    path = TESTS / "../../shared/data/packages/ordinal_wine.csv"
    if not path.exists():
        pytest.skip(f"{path.name}: not part of the repository, its licence does not allow it")
    wine = pd.read_csv(path)
    exog = np.column_stack([wine["temp"] == "warm", wine["contact"] == "yes"])
    model = cumulative_logit(wine["rating"], exog, cluster=wine["judge"] if "judges" in case else None)
    assert_fits(case, ["tempwarm", "contactyes"], model)
    t = model.estimate / model.std_error
    assert model.df == (8 if "judges" in case else np.inf)
    assert model.p_value == pytest.approx(2 * (stats.t(8) if "judges" in case else stats.norm).sf(np.abs(t)))


@pytest.mark.parametrize("item", ITEMS)
def test_cumulative_logit_of_the_panel_agrees_with_clm_and_sandwich(item):
    after = PANEL["wave"] == "after"
    assert_fits(f"panel: {item}", ["after"], cumulative_logit(PANEL[item], after))
    clustered = cumulative_logit(PANEL[item], after, cluster=PANEL["village"])
    assert_fits(f"panel villages: {item}", ["after"], clustered)
    assert clustered.df == PANEL.dropna(subset=item)["village"].nunique() - 1


def test_cumulative_logit_of_a_two_by_two_table_is_its_log_odds_ratio():
    model = cumulative_logit(np.repeat([0, 1, 0, 1], [20, 10, 12, 18]), np.repeat([0, 1], 30))
    assert model.estimate.item() == pytest.approx(np.log(20 * 18 / (10 * 12)), rel=1e-7)
    assert model.std_error.item() == pytest.approx(np.sqrt(1 / 20 + 1 / 10 + 1 / 12 + 1 / 18), rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_cumulative_logit_turns_with_the_scale_and_knows_when_there_is_no_maximum(data):
    answers = st.lists(st.integers(1, 4), min_size=1, max_size=30)
    before, after = data.draw(answers), data.draw(answers)
    values, exog = np.r_[before, after].astype(float), np.repeat([0, 1], [len(before), len(after)])
    model, turned = cumulative_logit(values, exog), cumulative_logit(-values, exog)
    overlap = max(before) > min(after) and max(after) > min(before)
    assert model.converged == turned.converged == overlap
    assert np.isnan(model.estimate).any() == np.isnan(model.std_error).any() == (not overlap)
    if overlap:
        assert turned.estimate == pytest.approx(-model.estimate, abs=1e-5)


def test_cumulative_logit_with_gaps_and_few_clusters():
    values, exog = [1, 2, 3, np.nan, 1, 3, 3, 2], [0, 0, 0, 0, 1, 1, 1, 1]
    whole = cumulative_logit(np.delete(values, 3), np.delete(exog, 3))
    assert cumulative_logit(values, exog).estimate == pytest.approx(whole.estimate)
    one = cumulative_logit(values, exog, cluster=[1, 1, 1, 2, 1, 1, 1, 1])
    assert one.df == 0 and one.converged and np.isnan(one.std_error) and np.isnan(one.p_value)
    for nothing in ([2] * 8, [np.nan] * 8):
        assert not cumulative_logit(nothing, exog).converged


@pytest.mark.parametrize("second", [[0] * 6, [1] * 6, [0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]])
def test_cumulative_logit_of_regressors_that_say_the_same(second):
    model = cumulative_logit([1, 2, 3, 3, 2, 1], np.column_stack([[0, 1, 0, 1, 0, 1], second]))
    assert not model.converged and np.isnan(model.estimate).tolist() == [True, True]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"exog": [0, 1]}, r"values \(3,\) and exog \(2,\)"),
        ({"exog": [0, 1, np.nan]}, "exog finite"),
        ({"values": [1, 2, np.inf]}, "values must be finite"),
        ({"cluster": [1, 2]}, r"cluster must be \(3,\)"),
        ({"cluster": [1, 2, np.nan]}, "cluster must be"),
    ],
)
def test_cumulative_logit_refuses(changed, message):
    arguments = {"values": [1, 2, 3], "exog": [0, 1, 1]} | changed
    with pytest.raises(ValueError, match=message):
        cumulative_logit(**arguments)


def villages(seed, repetitions, *, count, size, shift, icc=0.05):
    """Answers 1–5 in other villages before and after: values (n, repetitions), domain, village; and the true θ."""
    rng = np.random.default_rng(seed)
    village, after = np.repeat(np.arange(2 * count), size), np.repeat([0, 1], count * size)
    place = rng.normal(0, np.sqrt(icc), (2 * count, repetitions))[village]
    cuts = np.array([-1.2, -0.4, 0.4, 1.2])
    latent = place + rng.normal(0, np.sqrt(1 - icc), (len(village), repetitions)) + shift * after[:, None]
    p, q = (np.diff(stats.norm.cdf(np.r_[-np.inf, cuts - mean, np.inf])) for mean in (0, shift))
    truth = q @ (np.cumsum(p) - p / 2)
    return np.searchsorted(cuts, latent).astype(float), np.where(after, "a", "b"), village, truth


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_intervals_of_superiority_need_the_clusters(shift):
    """8 villages of 18, intraclass correlation .05: pooled counts cover .85, clusters .95."""
    values, domain, village, truth = villages(20240701, 5000, count=8, size=18, shift=shift)
    covered = {}
    for name, cluster in (("clusters", village), ("pooled", None)):
        found = superiority(values, domain, BEFORE, AFTER, cluster=cluster)
        reach = stats.t.ppf(0.975, found.df) * found.std_error
        covered[name] = (np.abs(found.estimate - truth) <= reach).mean()
    print(f"coverage at shift {shift}: {covered}, Monte-Carlo error .003")
    assert 0.93 < covered["clusters"] < 0.965 and covered["pooled"] < 0.88


@pytest.mark.slow
def test_homogeneity_needs_the_clusters():
    """Five categories, 20 villages of 15 each time, no change: Wald's test of few clusters is slightly free."""
    repetitions = 2000
    values, domain, village, _ = villages(20240702, repetitions, count=20, size=15, shift=0.0)
    p = [homogeneity(column, domain, BEFORE, AFTER, cluster=village).p_value for column in values.T]
    pooled = [homogeneity(column, domain, BEFORE, AFTER).p_value for column in values.T]
    level, without = np.mean(np.array(p) < 0.05), np.mean(np.array(pooled) < 0.05)
    print(f"false alarms: {level} with clusters, {without} without; Monte-Carlo error .005")
    assert 0.035 < level < 0.075 < without
