from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit.estimation import domain_means

TESTS = Path(__file__).parent
REFERENCE = pd.read_csv(TESTS / "reference/estimation.csv").query("case != 'versions'")
DESIGNS = {  # case of estimation.R, without what follows of OPTIONS: file, domain, weight, cluster, stratum
    "apiclus1": ("survey_apiclus1.csv", "stype", "pw", "dnum", None),
    "apiclus1 years": ("survey_apiclus1.csv", "year", "pw", "dnum", None),
    "apiclus2": ("survey_apiclus2.csv", "stype", "pw", "dnum", None),
    "apistrat": ("survey_apistrat.csv", "comp.imp", "pw", None, "stype"),
    "apistrat state": ("survey_apistrat.csv", "state", "pw", None, "stype"),
    "apistrat stype": ("survey_apistrat.csv", "stype", "pw", None, "stype"),
    "nhanes": ("survey_nhanes.csv", "agecat", "WTMEC2YR", "psu", "SDMVSTRA"),
    "nhanes race": ("survey_nhanes.csv", "race", "WTMEC2YR", "psu", "SDMVSTRA"),
    "panel villages": ("panel.csv", "domain", "weight", "village", "unit"),
    "panel respondents": ("panel.csv", "domain", "weight", "respondent", "unit"),
    "panel unweighted": ("panel.csv", "domain", None, "village", None),
    "panel pooled": ("panel.csv", "wave", "weight", "village", "unit"),
    "panel alone": ("panel.csv", "domain", "weight", "village", "alone"),
    "panel alone pooled": ("panel.csv", "wave", "weight", "village", "alone"),
}
OPTIONS = {"fpc", "ratio", "adjust", "certainty"}
POPULATION = {"A": 40, "B": 9, "C": 6, "alone": 3}  # villages of panel.csv's strata
DID = {"A|after": 1, "A|before": -1, "B|after": -0.5, "B|before": 0.5, "C|after": -0.5, "C|before": 0.5}


def shared(file):
    path = TESTS / "../../shared/data" / file
    if not path.exists():
        pytest.skip(f"{file}: not part of the repository, its licence does not allow it")
    return pd.read_csv(path)


def estimate(case, items):
    options = [word for word in case.split() if word in OPTIONS]
    file, domain, *roles = DESIGNS[case.removesuffix(" ".join(options)).strip()]
    frame = pd.read_csv(TESTS / "reference/panel.csv") if file == "panel.csv" else shared(f"packages/{file}")
    if domain == "domain":
        frame["domain"] = frame["unit"] + "|" + frame["wave"]
    if domain == "year":
        frame = frame.melt(["dnum", "pw", "fpc"], ["api00", "api99"], var_name="year", value_name="api")
    if "psu" in roles:  # numbered anew in each stratum
        frame["psu"] = frame["SDMVSTRA"] * 100 + frame["SDMVPSU"]
    if domain == "state":
        frame["state"] = "California"
    if "alone" in roles:
        frame["alone"] = frame["unit"].mask(frame["village"] == "v16", "alone")
    weight, cluster, stratum = (frame[role] if role else None for role in roles)
    frame[domain] = frame[domain].astype(str).str.removesuffix(".0")
    values, size, population, single_cluster = frame[[name for name in items if "/" not in name]], None, None, "error"
    if "ratio" in options:
        above, below = (frame[[name.split("/")[part] for name in items]].to_numpy(float) for part in (0, 1))
        values, size = above / below, np.nan_to_num(below)
    if "fpc" in options:
        population = frame["fpc"] if "fpc" in frame else stratum.map(POPULATION)
    if "adjust" in options or "certainty" in options:
        single_cluster = "center" if "adjust" in options else "certainty"
    return domain_means(
        values,
        frame[domain],
        weight=weight,
        cluster=cluster,
        stratum=stratum,
        population=population,
        size=size,
        single_cluster=single_cluster,
    )


@pytest.mark.parametrize("case", REFERENCE["case"].unique())
def test_agrees_with_r_survey(case):
    values = REFERENCE[REFERENCE["case"] == case].set_index(["item", "quantity"])["value"]
    expected, found = values.astype(float).to_dict(), {}
    items = list(dict.fromkeys(item for item, _ in expected))
    means = estimate(case, items)
    for item, quantity in expected:
        contrast, _, name = quantity.rpartition(": ")
        chosen = DID if contrast == "did" else dict(zip(contrast.split(" - "), (1, -1), strict=False))
        L, at = [chosen.get(label, 0) for label in means.domain], items.index(item)
        _, _, other = name.partition("covariance with ")
        found[item, quantity] = (
            means.covariance(L)[at, items.index(other)] if other else getattr(means.contrast(L), name)[0, at]
        )
    assert found == pytest.approx(expected, rel=1e-8)


def test_survey_package_vignette():
    """Means and change of 15 of 757 districts; the mean of a stratified sample of all schools."""
    means = estimate("apiclus1 years fpc", ["api"])
    assert means.estimate.ravel().round(5).tolist() == [644.16940, 606.97814]
    assert means.std_error.ravel().round(5).tolist() == [23.54224, 24.22504]
    change = means.contrast([1, -1])
    assert change.estimate.round(6).item() == 37.191257 and change.std_error.round(4).item() == 3.0852
    found = stats.t.interval(0.95, change.df, change.estimate, change.std_error)
    assert np.ravel(found).round(5).tolist() == [30.57417, 43.80835]
    state = estimate("apistrat state fpc", ["enroll"])
    assert (state.estimate.round(6).item(), state.std_error.round(6).item()) == (595.282137, 18.508511)


def test_card_krueger_1994_table_3():
    """Full-time equivalents: rows 1 and 2 of all stores, row 4 of the 384 seen twice (AER 84(4))."""
    frame = shared("card_krueger/card-krueger.csv").dropna(subset="fte")
    frame["state"], frame["store"] = frame["nj"].map({1: "NJ", 0: "PA"}), 2 * frame["id"] + frame["nj"]
    twice = frame[frame.groupby("store")["id"].transform("size") == 2]
    everyone, balanced = (
        domain_means(f[["fte"]], f["state"] + f["d"].astype(str), cluster=f["store"], stratum=f["state"])
        for f in (frame, twice)
    )
    assert everyone.domain.tolist() == ["NJ0", "NJ1", "PA0", "PA1"]
    assert everyone.estimate.ravel().round(2).tolist() == [20.44, 21.03, 23.33, 21.17]
    assert everyone.std_error.ravel().round(2).tolist() == [0.51, 0.52, 1.35, 0.94]
    changes = balanced.contrast([[0, 0, -1, 1], [-1, 1, 0, 0], [-1, 1, 1, -1]])
    assert changes.clusters[2, 0] == 384
    assert changes.estimate.ravel().round(2).tolist() == [-2.28, 0.47, 2.75]
    assert changes.std_error.ravel().round(2).tolist() == [1.25, 0.48, 1.34]


def by_hand(rows, stratum_of, contrast, population=None, single_cluster="unknown"):
    """One item, one contrast, as the docstring of `domain_means` says it: estimate, standard error, df."""
    answers = {d: [(c, w * m, y) for c, e, w, m, y in rows if e == d and m and y is not None] for d in contrast}
    present = {c for found in answers.values() for c, _, _ in found}
    df = len(present) - len({stratum_of[c] for c in present})
    if not all(answers.values()):
        return np.nan, np.nan, df
    size = {d: sum(w for _, w, _ in found) for d, found in answers.items()}
    mean = {d: sum(w * y for _, w, y in found) / size[d] for d, found in answers.items()}
    scores = [(c, L * w * (y - mean[d]) / size[d]) for d, L in contrast.items() for c, w, y in answers[d]]
    unknown, spread = df < 1 or any(len({c for c, _, _ in found}) < 2 for found in answers.values()), []
    for h in set(stratum_of):
        clusters = {c for c, *_ in rows if stratum_of[c] == h}
        u = [sum(score for owner, score in scores if owner == c) for c in clusters]
        if len(u) > 1:
            one = sum((one - sum(u) / len(u)) ** 2 for one in u) * len(u) / (len(u) - 1)
        else:
            unknown |= single_cluster == "unknown" and clusters <= present and len(u) == 1
            one = sum(u) ** 2 if single_cluster == "center" else 0.0
        left = 1 - len(u) / population[h] if population else 1
        spread.append((one * left, max(len(clusters & present) - 1, 0)))
    variance = sum(one for one, _ in spread)
    if fair := sum(one**2 / (free + 2) for one, free in spread):  # very unequal strata: Satterthwaite
        least = sum(one**2 / max(free, 1) for one, free in spread)
        df = variance**2 / least if variance**2 / fair < 0.6 * df and variance**2 / least < 30 else df
    return sum(L * mean[d] for d, L in contrast.items()), np.nan if unknown else np.sqrt(variance), df


answer = st.none() | st.integers(1, 5)
size = st.sampled_from([0, 1, 1, 2, 30])
row = st.tuples(
    st.integers(0, 6), st.sampled_from("abc"), st.sampled_from([0.25, 1.0, 1.7, 40.0]), answer, answer, size, size
)
samples = st.lists(row, min_size=2, max_size=40)  # cluster, domain, weight, two items and their sizes
strata = st.lists(st.integers(0, 2), min_size=7, max_size=7)
treatments = st.sampled_from(["unknown", "center", "certainty"])


def from_rows(rows, stratum_of, relabel=str, scale=1.0, sized=True, population=None, single_cluster="unknown"):
    cluster, domain, weight, *items = zip(*rows, strict=True)
    stratum = [stratum_of[c] for c in cluster]
    population = population and [population[h] for h in stratum]
    roles = (domain, cluster, stratum)
    domain, cluster, stratum = ([relabel(str(label)) for label in labels] for labels in roles)
    values, size, weight = np.array(items[:2], dtype=float).T, np.array(items[2:]).T, scale * np.array(weight)
    return domain_means(
        values,
        domain,
        weight=weight,
        cluster=cluster,
        stratum=stratum,
        population=population,
        size=size if sized else None,
        single_cluster=single_cluster,
    )


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=300)
@given(
    rows=samples,
    stratum_of=strata,
    L=st.tuples(*3 * [st.sampled_from([-1, 0, 0.5, 1])]),
    sized=st.booleans(),
    beyond=st.none() | st.lists(st.sampled_from([1, 4, 1000]), min_size=3, max_size=3),
    single_cluster=treatments,
)
def test_agrees_with_the_formula_written_out(rows, stratum_of, L, sized, beyond, single_cluster):
    drawn = [len({c for c, *_ in rows if stratum_of[c] == h}) for h in range(3)]
    population = beyond and [count + more for count, more in zip(drawn, beyond, strict=True)]
    means = from_rows(rows, stratum_of, sized=sized, population=population, single_cluster=single_cluster)
    wanted = [{label: 1} for label in means.domain]
    wanted.append({label: c for label, c in zip(means.domain, L, strict=False) if c} or {means.domain[0]: 2})
    result = means.contrast([[chosen.get(label, 0) for label in means.domain] for chosen in wanted])
    for item in (0, 1):
        one = [(c, d, w, more[2 + item] if sized else 1, more[item]) for c, d, w, *more in rows]
        expected = np.array([by_hand(one, stratum_of, chosen, population, single_cluster) for chosen in wanted])
        assert_same(np.c_[result.estimate, result.std_error, result.df][:, item::2], expected)
        assert_same(np.c_[means.estimate, means.std_error, means.df][:, item::2], expected[:-1])


@settings(deadline=None)
@given(rows=samples, stratum_of=strata)
def test_a_stratum_with_one_cluster_is_named(rows, stratum_of):
    drawn = {h: {c for c, *_ in rows if stratum_of[c] == h} for h in range(3)}
    alone = [str(h) for h, clusters in drawn.items() if len(clusters) == 1]
    if alone:
        with pytest.raises(ValueError, match=f"stratum '{alone[0]}' has one cluster"):
            from_rows(rows, stratum_of, single_cluster="error")
    else:
        first, second = (from_rows(rows, stratum_of, single_cluster=how) for how in ("error", "center"))
        assert_same(first.std_error, second.std_error)


@settings(deadline=None)
@given(rows=samples, stratum_of=strata, single_cluster=treatments)
def test_covariance_is_that_of_sums(rows, stratum_of, single_cluster):
    """The variance of a + b is V(a) + V(b) + 2·Cov(a, b), and a variance is a covariance with oneself."""
    cluster, domain, weight, *items = zip(*rows, strict=True)
    a, b = np.nan_to_num(np.array(items[:2], dtype=float))
    means = domain_means(
        np.c_[a, b, a + b],
        domain,
        weight=weight,
        cluster=cluster,
        stratum=[stratum_of[c] for c in cluster],
        single_cluster=single_cluster,
    )
    L = [1, -1, 0.5][: len(means.domain)]
    V, std_error = means.covariance(L), means.contrast(L).std_error[0]
    assert V.shape == (3, 3)
    assert_same([V[2, 2], *V[2]], [V[0, 0] + V[1, 1] + 2 * V[0, 1], *V[:2].sum(axis=0)])
    known = ~np.isnan(std_error)
    assert_same(np.diag(V)[known], std_error[known] ** 2)


@settings(deadline=None)
@given(rows=samples, stratum_of=strata)
def test_a_ratio_with_sizes_of_one_is_a_mean(rows, stratum_of):
    ones = [(*one[:5], 1, 1) for one in rows]
    ratio, mean = (from_rows(ones, stratum_of, sized=sized) for sized in (True, False))
    for name in ("n", "estimate", "std_error", "df", "clusters"):
        assert_same(getattr(ratio, name), getattr(mean, name))


@settings(deadline=None)
@given(rows=samples, stratum_of=strata, data=st.data(), scale=st.sampled_from([1e-3, 0.3, 7.0, 1e6]))
def test_order_labels_and_scale_of_weights_do_not_matter(rows, stratum_of, data, scale):
    backwards = dict(zip("abc0123456", "zyxwvutsrq", strict=True))
    first = from_rows(rows, stratum_of)
    second = from_rows(data.draw(st.permutations(rows)), stratum_of, backwards.get, scale)
    assert second.domain[::-1].tolist() == [backwards[label] for label in first.domain]
    for name in ("n", "estimate", "std_error", "df", "clusters"):
        assert_same(getattr(second, name)[::-1], getattr(first, name))


@settings(deadline=None, max_examples=50)
@given(L=st.lists(st.integers(1, 9), min_size=12, max_size=12).map(np.array))
def test_contrasts_are_linear(L):
    means = estimate("panel villages", ["satisfaction", "waiting"])
    a, b = L[:6], L[6:] + 10  # no coefficient of a - b is zero: that would leave a domain out
    result = means.contrast([a, b, a + b, a - b, -2 * a])
    (one, two, total, gap, minus), variance = result.estimate, result.std_error**2
    assert_same([total, gap, minus], [one + two, one - two, -2 * one])
    assert_same([variance[2] + variance[3], variance[4]], [2 * (variance[0] + variance[1]), 4 * variance[0]])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": [1.0, 2.0, 3.0]}, r"values must be \(n, k\), got 1 dimensions"),
        ({"domain": ["a"] * 2}, r"domain must be \(3,\), got \(2,\)"),
        ({"cluster": [1, np.nan, 2]}, "cluster has missing labels"),
        ({"domain": pd.array(["a", pd.NA, "b"])}, "domain has missing labels"),
        ({"values": [[1.0], [np.inf], [3.0]]}, "values must be finite"),
        ({"stratum": ["a", "a", None]}, "stratum has missing labels"),
        *[({"weight": w}, "weight must be") for w in ([1, 1], [1, 0, 1], [1, -1, 1], [1, np.nan, 1])],
        ({"cluster": [1, 1, 2], "stratum": [1, 2, 2]}, "a cluster lies in two strata"),
        ({"stratum": ["x", "y", "x"]}, "stratum 'y' has one cluster"),
        ({"population": [9, 8, 9]}, "population differs within a stratum"),
        ({"population": [2, 2, 2]}, "population of 2 clusters and 3 were drawn"),
        ({"population": [3, 3, 3]}, "population of 3 clusters and 3 were drawn.*take the clusters as strata"),
        ({"population": [np.nan] * 3}, "population"),
        ({"population": [9, 9]}, r"population must be \(3,\), got \(2,\)"),
        ({"size": [[1.0], [-1.0], [1.0]]}, "size must be"),
        ({"size": [[1.0], [np.nan], [1.0]]}, "size must be"),
        ({"size": [1.0, 1.0, 1.0]}, r"size must be \(n, k\)"),
        ({"single_cluster": "ignore"}, "single_cluster"),
        ({"L": [1, -1, 0]}, "L has 3 columns for 2 domains"),
    ],
)
def test_refuses(changed, message):
    arguments = {"values": [[1.0], [2.0], [3.0]], "domain": ["a", "a", "b"], "L": [1, -1]} | changed
    L = arguments.pop("L")
    with pytest.raises(ValueError, match=message):
        domain_means(**arguments).contrast(L)


def test_one_cluster_or_no_answer_is_not_a_number():
    values = [[1.0], [2.0], [4.0], [5.0], [7.0], [np.nan]]
    means = domain_means(values, list("aabbcd"), cluster=[1, 2, 3, 3, 2, 1])
    assert_same(means.estimate.ravel(), [1.5, 4.5, 7.0, np.nan])
    assert_same(means.std_error.ravel(), [np.sqrt(3 / 2 * 2 * 0.25**2), np.nan, np.nan, np.nan])
    assert means.clusters.ravel().tolist() == [2, 1, 1, 0]
    assert np.isnan(means.contrast([[1, -1, 0, 0], [1, 0, 0, -1]]).std_error).all()


@pytest.mark.parametrize("divisor", [1, 7])
def test_constant_answers_have_no_error(divisor):
    values, domain, weight = np.full((12, 1), 75.0), np.repeat(["a", "b"], 6), np.arange(1, 13) / divisor
    change = domain_means(values, domain, weight=weight).contrast([-1, 1])
    assert change.estimate.item() == pytest.approx(0, abs=1e-12) and change.std_error.item() == 0


def test_two_answers_of_each_person_give_the_paired_t():
    """R's datasets::sleep: t −4.0621, p .002833. A person is a cluster, so pairs need no case of their own."""
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    values, drug = np.array([*first, *second])[:, None], ["1"] * 10 + ["2"] * 10
    change = domain_means(values, drug, cluster=[*range(10)] * 2).contrast([[1, -1]])
    t = (change.estimate / change.std_error).item()
    assert round(t, 4) == -4.0621
    assert round(2 * stats.t.sf(abs(t), change.df.item()), 6) == 0.002833
