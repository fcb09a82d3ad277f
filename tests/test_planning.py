import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit.estimation import domain_means
from evalkit.planning import (
    Survey,
    clusters_needed,
    comparisons_needed,
    design_effect,
    minimum_detectable_change,
    pilots_needed,
    replication_cost,
    respondents_needed,
    sample_size_share,
    yamane,
)
from evalkit.units import compare_units

REFERENCE = pd.read_csv(Path(__file__).parent / "reference/planning.csv").query("quantity != 'R'")
COMMUNE = Survey(
    respondents=120, sd=20, clusters=6, icc=0.05, cluster_correlation=0.5, overlap=0.4, person_correlation=0.6
)
shares = st.floats(0, 1)
surveys = st.builds(
    Survey,
    respondents=st.integers(12, 400),
    sd=st.floats(1, 50),
    clusters=st.integers(2, 12),
    icc=shares,
    cluster_correlation=shares,
    overlap=shares,
    person_correlation=st.floats(0, 0.95),
    weighting_effect=st.floats(1, 3),
)
shocks = st.none() | st.floats(0, 10)


def change(*args, **options):
    return minimum_detectable_change(*args, **options).change


# Against R and against published tables


def reference(quantity):
    return REFERENCE[REFERENCE["quantity"] == quantity].dropna(axis=1).drop(columns="quantity").to_dict("records")


def test_a_panel_in_one_unit_agrees_with_r():
    for row in reference("paired"):
        survey = Survey(row["respondents"], row["sd"], overlap=1, person_correlation=row["person_correlation"])
        found = change(survey, row["pilots"], power=row["power"], level=row["level"])
        assert found == pytest.approx(row["value"], rel=1e-6)
    for row in reference("respondents"):
        survey = Survey(2, row["sd"], overlap=1, person_correlation=row["person_correlation"])
        assert respondents_needed(row["target"], survey, 1) == row["value"]


def units_as_clusters(row):
    """One cluster a unit: what Teerenstra et al. call a cluster."""
    return Survey(
        row["respondents"],
        row["sd"],
        clusters=1,
        icc=row["icc"],
        cluster_correlation=row["cluster_correlation"],
        overlap=1,
        person_correlation=row["person_correlation"],
    )


def test_compared_units_agree_with_r():
    for row in reference("units"):
        found = change(units_as_clusters(row), row["pilots"], row["comparisons"], shock_sd=0)
        assert found == pytest.approx(row["value"], rel=1e-6)
    for row in reference("pilots"):
        assert pilots_needed(row["target"], units_as_clusters(row), shock_sd=0) == row["value"]


def test_sample_sizes_of_shares_agree_with_r():
    for row in reference("share"):
        options = {name: row[name] for name in ("error", "level", "share", "design_effect")}
        assert sample_size_share(row["population"], **options) == row["value"]


@pytest.mark.parametrize(
    ("population", "size"), [(10, 10), (100, 80), (500, 217), (1000, 278), (2000, 322), (10_000, 370), (75_000, 382)]
)
def test_sample_sizes_of_krejcie_and_morgan(population, size):
    """1970, Educational and Psychological Measurement 30, table 1, rounded to the nearest; ours are rounded up."""
    assert sample_size_share(population) in (size, size + 1)


@pytest.mark.parametrize(
    ("population", "size"),
    [(500, 223), (700, 255), (2000, 334), (9435, 384), (10_000, 385), (20_000, 393), (10**9, 400)],
)
def test_yamane_as_it_is_used(population, size):
    """500 and 700: the manual of R's RSamplingz. 2,000 (333.3): Israel 1992, fact sheet PEOD-6, Univ. of Florida.

    9,435 and 20,000: as communes in Vietnam compute it; 400 is 1/e², however many people.
    """
    assert yamane(population) == size


@given(population=st.integers(1, 10**7), error=st.floats(0.01, 0.2))
def test_yamane_is_the_share_of_one_half_at_two_standard_errors(population, error):
    level = stats.norm.cdf(2) - stats.norm.cdf(-2)
    assert sample_size_share(population, error, level=level) - yamane(population, error) in (0, 1)
    assert yamane(population, error) <= min(population, math.ceil(1 / error**2 + 1e-9))


def test_yamane_where_the_quotient_is_whole():
    """1,600 / (1 + 1,600 · 0.175²) is 32, which a last digit of floating point must not make 33."""
    assert (yamane(10_000, 0.01), yamane(300, 0.1), yamane(1600, 0.175)) == (5000, 75, 32)


# A slow second way to the variance


def covariance(survey, units, shock_sd):
    """Every answer of a small survey in two waves: its labels, and the covariance of any two, pair by pair."""
    people = int(survey.respondents / survey.clusters)
    stayed = round(survey.overlap * people)
    rows = [
        (unit, wave, village, person + (people if wave and person >= stayed else 0))
        for unit in range(units)
        for wave in (0, 1)
        for village in range(survey.clusters)
        for person in range(people)
    ]
    matrix = np.zeros((len(rows), len(rows)))
    for i, (unit, wave, village, person) in enumerate(rows):
        for j, (unit_j, wave_j, village_j, person_j) in enumerate(rows):
            if unit != unit_j:
                continue
            if wave == wave_j:
                matrix[i, j] += shock_sd**2
            if village == village_j:
                matrix[i, j] += survey.sd**2 * survey.icc * (1 if wave == wave_j else survey.cluster_correlation)
                if person == person_j:
                    same = 1 if wave == wave_j else survey.person_correlation
                    matrix[i, j] += survey.sd**2 * (1 - survey.icc) * same
    return rows, matrix


@settings(max_examples=30, deadline=None)
@given(
    stayed=st.integers(0, 4),
    villages=st.integers(1, 3),
    icc=shares,
    kept=shares,
    person=shares,
    shock=st.floats(0, 9),
)
def test_standard_errors_from_the_covariance_of_all_answers(stayed, villages, icc, kept, person, shock):
    survey = Survey(4 * villages, 15, villages, icc, kept, overlap=stayed / 4, person_correlation=person)
    rows, matrix = covariance(survey, 3, shock)
    for pilots, comparisons in ((1, 0), (3, 0), (1, 2)):
        weight = {unit: 1 / pilots if unit < pilots else -1 / comparisons for unit in range(pilots + comparisons)}
        L = np.array([weight.get(unit, 0) * (2 * wave - 1) / survey.respondents for unit, wave, *_ in rows])
        found = minimum_detectable_change(survey, pilots, comparisons, shock_sd=shock)
        assert found.std_error == pytest.approx(np.sqrt(L @ matrix @ L), abs=1e-9)


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12), icc=shares)
def test_design_effect_from_the_covariance_of_all_answers(sizes, icc):
    village = np.repeat(np.arange(len(sizes)), sizes)
    matrix = icc * (village[:, None] == village) + (1 - icc) * np.eye(len(village))
    clustered = matrix.mean()  # the variance of the mean
    found = design_effect(np.mean(sizes), icc, cluster_cv=np.std(sizes) / np.mean(sizes))
    assert found == pytest.approx(clustered * len(village))


@given(survey=surveys, shock=shocks, power=st.floats(0.1, 0.99), pilots=st.integers(1, 4))
def test_the_noncentral_t_has_the_power_that_was_asked_for(survey, shock, power, pilots):
    found = minimum_detectable_change(survey, pilots, 20, shock_sd=shock, power=power)
    assume(found.std_error > 0)
    beyond = stats.nct.sf(stats.t.ppf(0.975, found.df), found.df, found.change / found.std_error)
    assert beyond == pytest.approx(power, abs=1e-6)


def test_degrees_of_freedom_are_those_of_the_estimates():
    """Clusters less strata, with equal arms; other clusters, and respondents, are counted in both waves."""
    for survey in (
        replace(COMMUNE, respondents=30),
        replace(COMMUNE, respondents=30, cluster_correlation=None, overlap=0),
        Survey(30, 20, overlap=0.4),
    ):
        found = minimum_detectable_change(survey, 4, 4)
        frame = answers(survey, 8)
        rng = np.random.default_rng(3)
        result = estimate(frame, rng.normal(size=(len(frame), 1)), pilots=4, units=8)[1]
        assert found.df == result.df.item()


# What must hold of any design


@settings(deadline=None)
@given(survey=surveys, shock=shocks, arms=st.sampled_from([(2, 0), (2, 5), (2, 6), (4, 4)]))
def test_more_never_hurts(survey, shock, arms):
    first = minimum_detectable_change(survey, *arms, shock_sd=shock)
    assert first.floor <= first.change
    larger = replace(survey, respondents=2 * survey.respondents)
    villages = replace(survey, clusters=2 * survey.clusters, respondents=2 * survey.respondents)
    for other in (larger, villages, replace(survey, person_correlation=0.99), replace(survey, sd=survey.sd / 2)):
        assert change(other, *arms, shock_sd=shock) <= first.change * (1 + 1e-9)
    assert minimum_detectable_change(larger, *arms, shock_sd=shock).floor == pytest.approx(first.floor)
    assert change(survey, *(2 * arm for arm in arms), shock_sd=shock) <= first.change * (1 + 1e-9)
    assert change(survey, *arms, shock_sd=shock, power=0.9) >= first.change
    assert change(survey, *arms, shock_sd=shock, level=0.9) <= first.change * (1 + 1e-9)
    assert change(survey, *arms, shock_sd=(shock or 0) + 1) >= change(survey, *arms, shock_sd=shock or 0)


@settings(deadline=None, max_examples=50)
@given(survey=surveys, shock=shocks, target=st.floats(0.5, 40))
def test_needed_is_enough_and_one_less_is_not(survey, shock, target):
    options = {"shock_sd": shock}
    people = survey.respondents / survey.clusters
    for needed, at, least in (
        (
            respondents_needed(target, survey, 2, 6, **options),
            lambda n: change(replace(survey, respondents=n), 2, 6, **options),
            survey.clusters,
        ),
        (
            clusters_needed(target, survey, 2, 6, **options),
            lambda n: change(replace(survey, clusters=n, respondents=people * n), 2, 6, **options),
            1,
        ),
        (pilots_needed(target, survey, 2, **options), lambda n: change(survey, n, 2 * n, **options), 1),
        (comparisons_needed(target, survey, 2, **options), lambda n: change(survey, 2, n, **options), 1),
    ):
        if math.isinf(needed):
            assert at(1000) > target
        else:
            assert at(needed) <= target
            assert needed == least or at(needed - 1) > target


def test_what_no_number_of_respondents_can_buy():
    """Two pilots, alone and beside six comparison units: the floor is met by a million and undercut by none."""
    for comparisons in (0, 6):
        found = minimum_detectable_change(COMMUNE, 2, comparisons, shock_sd=4)
        million = replace(COMMUNE, respondents=10**6)
        assert change(million, 2, comparisons, shock_sd=4) == pytest.approx(found.floor, rel=1e-4)
        assert respondents_needed(found.floor * 0.999, COMMUNE, 2, comparisons, shock_sd=4) == math.inf
        assert respondents_needed(found.floor * 1.001, COMMUNE, 2, comparisons, shock_sd=4) < 10**6


def test_two_pilots_alone_have_one_degree_of_freedom():
    """The shocks alone: t with 1 df crosses 12.7, and 16.3 standard errors reach it four times in five (R)."""
    found = minimum_detectable_change(replace(COMMUNE, sd=0), 2, shock_sd=4)
    assert (found.df, found.std_error) == (1, 4)
    assert found.change == found.floor == pytest.approx(4 * 16.334009, rel=1e-5)


def test_a_survey_without_clusters_has_no_floor_for_these_people():
    assert minimum_detectable_change(Survey(50, 20), 2, 6).floor == 0


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_infinite_where_the_placebo_comparison_cannot_reach_the_level(level):
    for pilots in range(1, 5):
        for comparisons in range(1, 25):
            units = np.arange(pilots + comparisons)
            smallest = compare_units(units.astype(float), units < pilots).smallest_p
            found = change(COMMUNE, pilots, comparisons, shock_sd=4, level=level)
            assert math.isinf(found) == (smallest > 1 - level + 1e-12)
    assert comparisons_needed(60, COMMUNE, 2, shock_sd=0) == 5


def test_nothing_is_detected_without_degrees_of_freedom():
    one_village, one_person = replace(COMMUNE, clusters=1), Survey(1, 20)
    for survey in (one_village, one_person):
        assert change(survey, 2, 6) == math.inf
        assert pilots_needed(50, survey) == comparisons_needed(50, survey, 2) == math.inf
    assert change(COMMUNE, 1, shock_sd=4) == math.inf


# Cost


COSTS = pd.DataFrame(
    [
        ["training class", "once", 3, 45e6],
        ["one-stop counter, equipment", "unit", 4, 30e6],
        ["assistant at the counter", "unit_year", 0.5, 96e6],
        ["interview", "interview", 1, 60e3],
    ],
    columns=["item", "per", "amount", "unit_cost"],
)


def test_cost_by_hand():
    found = replication_cost(COSTS, 10, years=2, interviews=240)
    assert list(found) == ["item", "per", "quantity", "unit_cost", "cost"]
    assert found["quantity"].tolist() == [3, 40, 10, 2400]
    assert found["cost"].tolist() == [135e6, 1200e6, 960e6, 144e6]
    assert list(COSTS) == ["item", "per", "amount", "unit_cost"]


@given(units=st.integers(1, 500), years=st.integers(0, 10), interviews=st.integers(0, 500))
def test_only_what_is_bought_once_does_not_grow_with_the_units(units, years, interviews):
    one, many = (replication_cost(COSTS, n, years=years, interviews=interviews)["cost"] for n in (1, units))
    assert many[0] == one[0]
    assert many[1:].sum() == pytest.approx(units * one[1:].sum())


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"icc": 1.1}, r"icc is 1.1, not in \[0, 1\]"),
        ({"icc": math.nan}, "icc is nan"),
        ({"overlap": -0.1}, "overlap is -0.1"),
        ({"person_correlation": 2}, "person_correlation is 2"),
        ({"cluster_correlation": -0.5}, "cluster_correlation is -0.5"),
        ({"sd": -1}, "sd is -1, not 0 or more"),
        ({"weighting_effect": 0.9}, "weighting_effect is 0.9, not 1 or more"),
        ({"clusters": 0}, "clusters is 0"),
        ({"respondents": 5}, "respondents is 5, not 6 or more"),
        ({"clusters": None}, "icc is 0.05 without clusters"),
        ({"cluster_correlation": None}, "overlap is 0.4 where the waves visit different clusters"),
    ],
)
def test_refuses_a_survey(options, message):
    with pytest.raises(ValueError, match=message):
        replace(COMMUNE, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: change(COMMUNE, 0), "pilots is 0, not 1 or more"),
        (lambda: change(COMMUNE, 2, -1), "comparisons is -1"),
        (lambda: change(COMMUNE, 2, shock_sd=-1), "shock_sd is -1"),
        (lambda: change(COMMUNE, 2, level=1), "level is 1, not between 0 and 1"),
        (lambda: change(COMMUNE, 2, power=1), "power is 1, not between"),
        (lambda: change(COMMUNE, 2, power=0.05), "power is 0.05, not between"),
        (lambda: respondents_needed(0, COMMUNE, 2), "target is 0, not above 0"),
        (lambda: comparisons_needed(math.nan, COMMUNE, 2), "target is nan"),
        (lambda: clusters_needed(5, Survey(50, 20), 2), "clusters is None"),
        (lambda: yamane(0), "population is 0, not 1 or more"),
        (lambda: yamane(100, 5), "error is 5, not between 0 and 1"),
        (lambda: sample_size_share(0.5), "population is 0.5"),
        (lambda: sample_size_share(100, share=50), "share is 50"),
        (lambda: sample_size_share(100, level=95), "level is 95"),
        (lambda: sample_size_share(100, design_effect=0), "design_effect is 0"),
        (lambda: design_effect(0, 0.1), "cluster_size is 0"),
        (lambda: design_effect(10, -0.1), "icc is -0.1"),
        (lambda: design_effect(10, 0.1, cluster_cv=-1), "cluster_cv is -1"),
        (lambda: replication_cost(COSTS, 0), "units is 0"),
        (lambda: replication_cost(COSTS, 1, years=-1), "years is -1"),
        (lambda: replication_cost(COSTS, 1, interviews=-1), "interviews is -1"),
        (lambda: replication_cost(COSTS.drop(columns="amount"), 1), "costs has no column amount"),
        (lambda: replication_cost(COSTS.assign(per="month"), 1), "training class: per is 'month', not one of once"),
        (lambda: replication_cost(COSTS.assign(unit_cost=-1), 1), "training class: unit_cost is -1"),
        (lambda: replication_cost(COSTS.assign(amount=math.nan), 1), "training class: amount is nan"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_plan_by_the_t_test_does_not_wait_for_the_placebo():
    survey = Survey(respondents=120, sd=20, clusters=6, icc=0.05)
    of_four = {"pilots": 2, "comparisons": 4, "shock_sd": 4}
    assert minimum_detectable_change(survey, **of_four).change == math.inf
    assert 0 < minimum_detectable_change(survey, **of_four, placebo=False).change < 30
    assert respondents_needed(30, survey, **of_four, placebo=False) < math.inf


# By simulation


def answers(survey, units):
    """One row an answer: unit, wave, and the labels of village, person and cluster, which the waves share or not."""
    villages = survey.clusters or 1
    people = int(survey.respondents / villages)
    grid = np.indices((units, 2, villages, people)).reshape(4, -1)
    unit, wave, village, person = grid
    new_person = (wave == 1) & (person >= round(survey.overlap * people))
    new_village = (wave == 1) & (survey.clusters is not None and survey.cluster_correlation is None)
    frame = pd.DataFrame({"unit": unit, "wave": wave})
    frame["village"] = unit * 1000 + village + 500 * new_village
    frame["person"] = frame["village"] * 10_000 + person + 5_000 * (new_person & ~new_village)
    return frame.assign(cluster=frame["village" if survey.clusters else "person"])


def drawn(rng, survey, frame, repetitions):
    """Scores (rows, repetitions) of the model: village and person, each partly kept and partly new in a wave."""

    def levels(label, kept):
        codes, wave = pd.factorize(frame[label])[0], frame["wave"].to_numpy()
        lasting, passing = (rng.normal(size=(size, repetitions)) for size in (codes.max() + 1, 2 * codes.max() + 2))
        return np.sqrt(kept) * lasting[codes] + np.sqrt(1 - kept) * passing[2 * codes + wave]

    village = np.sqrt(survey.icc) * levels("village", survey.cluster_correlation or 0) if survey.clusters else 0
    return survey.sd * (village + np.sqrt(1 - survey.icc) * levels("person", survey.person_correlation))


def estimate(frame, values, *, pilots, units, weight=None):
    """Means by unit and wave, and the difference of the mean changes of pilots and others."""
    domain = frame["unit"] * 2 + frame["wave"]
    means = domain_means(values, domain, weight=weight, cluster=frame["cluster"], stratum=frame["unit"])
    arm = np.where(np.arange(units) < pilots, 1 / pilots, -1 / max(units - pilots, 1))
    return means, means.contrast(np.column_stack([-arm, arm]).ravel())


REPETITIONS = 4_000
ERROR = math.sqrt(0.8 * 0.2 / REPETITIONS)
PANEL = replace(COMMUNE, respondents=60)
DESIGNS = {
    "no overlap": replace(PANEL, overlap=0.0),
    "40 % overlap": PANEL,
    "panel": replace(PANEL, overlap=1.0),
    "other villages": Survey(100, 20, clusters=20, icc=0.05, cluster_correlation=None),
    "no villages, 40 %": Survey(60, 20, overlap=0.4, person_correlation=0.6),
}


@pytest.mark.slow
@pytest.mark.parametrize(("pilots", "units"), [(2, 8), (2, 2), (4, 8)])
@pytest.mark.parametrize("name", DESIGNS)
def test_power_for_these_people(name, pilots, units, capsys):
    survey, rng = DESIGNS[name], np.random.default_rng(2026)
    frame = answers(survey, units)
    values = drawn(rng, survey, frame, REPETITIONS)
    planned = minimum_detectable_change(survey, pilots, units - pilots)
    values[(frame["unit"] < pilots) & (frame["wave"] == 1)] += planned.change
    found = estimate(frame, values, pilots=pilots, units=units)[1]
    power = (found.estimate / found.std_error > stats.t.ppf(0.975, found.df)).mean()
    spread = found.estimate.std()
    with capsys.disabled():
        print(f"\nthese people, {pilots} of {units}, {name}: power {power:.3f} ± {ERROR:.3f}", end="")
        print(f" at {planned.change:.2f} points; sd {spread:.3f}, formula {planned.std_error:.3f}")
    assert power == pytest.approx(0.8, abs=4 * ERROR)
    assert spread == pytest.approx(planned.std_error, rel=4 / math.sqrt(2 * REPETITIONS))


@pytest.mark.slow
@pytest.mark.parametrize("cv", [0.5, 1.0])
def test_weights_cost_what_kish_says(cv, capsys):
    """Gamma weights, the same for a person in both waves, and unrelated to the answers."""
    rng, units = np.random.default_rng(7), 8
    survey = replace(PANEL, respondents=120, weighting_effect=1 + cv**2)
    frame = answers(survey, units)
    codes = pd.factorize(frame["person"])[0]
    spreads = []
    for _ in range(20):
        weight = rng.gamma(1 / cv**2, cv**2, codes.max() + 1)[codes]
        values = drawn(rng, survey, frame, 200)
        spreads.append(estimate(frame, values, pilots=2, units=units, weight=weight)[1].estimate.var())
    found, planned = math.sqrt(np.mean(spreads)), minimum_detectable_change(survey, 2, 6).std_error
    with capsys.disabled():
        print(
            f"\nweights of cv {cv}: sd {found:.3f} ± {found / math.sqrt(2 * REPETITIONS):.3f}, formula {planned:.3f}"
        )
    assert found == pytest.approx(planned, rel=4 / math.sqrt(2 * REPETITIONS))


@pytest.mark.slow
@pytest.mark.parametrize(("pilots", "units"), [(2, 8), (4, 8), (2, 20)])
@pytest.mark.parametrize("shock", [0.0, 4.0])
@pytest.mark.parametrize("name", ["no overlap", "40 % overlap", "panel"])
def test_power_for_units_like_these(name, shock, pilots, units, capsys):
    """The t test has the power; the sentence, which the placebo comparison must also carry, has somewhat less."""
    survey, rng = DESIGNS[name], np.random.default_rng(2026)
    repetitions = 1_000 if units > 8 else REPETITIONS
    error = math.sqrt(0.8 * 0.2 / repetitions)
    frame = answers(survey, units)
    values = drawn(rng, survey, frame, repetitions)
    values += rng.normal(0, shock, (units * 2, repetitions))[frame["unit"] * 2 + frame["wave"]]
    planned = minimum_detectable_change(survey, pilots, units - pilots, shock_sd=shock)
    values[(frame["unit"] < pilots) & (frame["wave"] == 1)] += planned.change
    level = estimate(frame, values, pilots=pilots, units=units)[0].estimate
    results = [compare_units(one, np.arange(units) < pilots) for one in (level[1::2] - level[::2]).T]
    t = np.array([one.p_value <= 0.05 and one.estimate > 0 for one in results])
    placebo = np.array([one.placebo_p <= 0.05 + 1e-12 for one in results])
    with capsys.disabled():
        print(f"\nunits, {pilots} of {units}, {name}, shocks of {shock}: power {t.mean():.3f} ± {error:.3f}", end="")
        print(f" at {planned.change:.2f} points; with the placebo comparison {(t & placebo).mean():.3f}")
    assert t.mean() == pytest.approx(0.8, abs=4 * error)
    expected = {(2, 8): 0.72, (4, 8): 0.63, (2, 20): 0.78}[pilots, units]
    assert (t & placebo).mean() == pytest.approx(expected, abs=4 * error)
