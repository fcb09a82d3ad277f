"""It is true what we say: coverage and false alarms on simulated surveys. `make test-slow` prints the tables."""

import runpy
import tomllib
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

import evalkit as ek
from evalkit.effects import make_effects, with_intervals
from evalkit.estimation import domain_means
from evalkit.sample import DID, Sample
from evalkit.simulation import CUTS, expected_score
from evalkit.unit_effects import unit_effects
from evalkit.units import NOISIER, compare_units, unequal_precision

pytestmark = pytest.mark.slow

NGA_BAY = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
SHOCKS = (0.0, 0.15, 0.30, 0.60)
ALPHA = 0.05 + 1e-12  # a placebo p of 1/20 counts as .05
# Variances on the latent scale: they add up to 1, and villages, half of them anew in each wave, make an ICC of .05.
VILLAGE, VILLAGE_WAVE, PERSON, NOISE = 0.025, 0.025, 0.35, 0.60


@pytest.fixture
def show(capsys):
    """Prints past pytest, so that the tables stand in the output of `make test-slow`."""

    def lines(*texts):
        with capsys.disabled():
            print(*texts, sep="\n", flush=True)

    return lines


def rate(share):
    return f"{share:.3f}".removeprefix("0")


def row(*cells):
    return f"| {' | '.join(rate(cell) if isinstance(cell, float) else str(cell) for cell in cells)} |"


def error(share, repetitions):
    return f"Monte Carlo error {rate(sqrt(share * (1 - share) / repetitions))}, {repetitions:,} repetitions a cell"


def survey(sizes, overlap):
    """Two waves of `sizes` answers in each village, a share of them from the same persons: village, wave, person."""
    found, first = [], 0
    for village, size in enumerate(sizes):
        new = size - round(overlap * size)
        found += [(village, wave, first + wave * new + number) for wave in (0, 1) for number in range(size)]
        first += size + new
    return np.array(found).T


def answers(latent, village, wave, person, repetitions, rng):
    """Likert answers on 0-100, one column a repetition: clip(round(latent + village + person + noise), 1, 5)."""

    def normal(variance, group):
        return rng.normal(0, sqrt(variance), (group.max() + 1, repetitions))[group]

    drawn = normal(VILLAGE, village) + normal(VILLAGE_WAVE, 2 * village + wave) + normal(PERSON, person)
    drawn += latent[:, None] + rng.normal(0, sqrt(NOISE), drawn.shape)
    return 25 * (np.clip(np.rint(drawn), 1, 5) - 1)


def covers(found, truth, df=None):
    """Which 95 % intervals hold the truth."""
    reach = stats.t.ppf(0.975, found.df if df is None else df) * found.std_error
    return np.abs(found.estimate - truth) <= reach


def change_coverage(sizes, overlap, rng, *, level=3.3, rates=None, repetitions=5_000, chunk=500):
    """How often the interval of after − before holds the expected change.

    With `rates`, villages lie in two strata sampled at unequal rates, the second with higher answers that rise
    more, and persons have unequal weights: who leaves the weights out misses the truth.
    """
    village, wave, person = survey(sizes, overlap)
    stratum, weight = np.zeros_like(village), np.ones(len(village))
    if rates:
        stratum = village % 2
        weight = np.array(rates)[stratum] * rng.lognormal(0, 0.4, person.max() + 1)[person]
    latent = level + 0.2 * wave + 0.4 * stratum + 0.3 * stratum * wave
    before, after = (
        np.average(expected_score(latent[wave == period], 1), weights=weight[wave == period]) for period in (0, 1)
    )
    found = []
    for _ in range(repetitions // chunk):
        values = answers(latent, village, wave, person, chunk, rng)
        means = domain_means(values, wave, weight=weight, cluster=village, stratum=stratum)
        found.append(covers(means.contrast([[-1, 1]]), after - before).mean())
    return float(np.mean(found))


OVERLAPS = {"panel": 1.0, "cross-section": 0.0, "40 % overlap": 0.4}
CLUSTERS = (5, 8, 40)


def equal(clusters):
    return [20] * clusters


def spread(smallest, largest):
    return lambda clusters: np.geomspace(smallest, largest, clusters).round().astype(int)


def test_intervals_of_a_change_cover_it(show):
    rng = np.random.default_rng(2026)
    cases = {
        "plain": (equal, {}),
        "weights 1 : 2": (equal, {"rates": (1, 2)}),
        "villages of 10 to 40": (spread(10, 40), {}),
        "ceiling: 87 to 90 of 100": (equal, {"level": 4.75}),
    }
    show(
        f"\nCoverage of 95 % intervals of a change; {error(0.95, 5_000)}; 20 answers a village and wave",
        row("", "", *(f"{clusters} clusters" for clusters in CLUSTERS)),
        "|---|---|---|---|---|",
    )
    shares = []
    for design, overlap in OVERLAPS.items():
        for case, (sizes, options) in cases.items():
            shares.append([change_coverage(sizes(clusters), overlap, rng, **options) for clusters in CLUSTERS])
            show(row(design, case, *shares[-1]))
    few, many = np.array(shares)[:, :2], np.array(shares)[:, 2]
    assert few.min() >= 0.92 and few.max() <= 0.97
    assert many.min() >= 0.94 and many.max() <= 0.96


def test_where_intervals_of_a_change_reach_their_limit(show):
    """A few villages of very unequal size, or one stratum that weighs most.

    Less stands behind the variance than its clusters − strata say; R's survey counts the same.
    """
    rng = np.random.default_rng(2026)
    cases = {
        "villages of 4 to 80": (spread(4, 80), {}),
        "weights 1 : 5": (equal, {"rates": (1, 5)}),
    }
    show("\nThe same, where it falls short with few clusters")
    for case, (sizes, options) in cases.items():
        five, eight, forty = (change_coverage(sizes(clusters), 0.4, rng, **options) for clusters in CLUSTERS)
        show(row("40 % overlap", case, five, eight, forty))
        assert 0.85 <= five < 0.92 and five < eight < 0.94
        assert 0.93 <= forty <= 0.96


def test_a_unit_has_the_degrees_of_freedom_of_its_own_villages(show):
    """8 units of 8 villages: all 64 would claim more than a unit's own 8 can tell."""
    rng, covered = np.random.default_rng(64), []
    village, wave, person = survey([20] * 64, 0.0)
    unit = village // 8
    truth = np.diff(expected_score(np.array([3.3, 3.5]), 1)).item()
    for _ in range(10):
        values = answers(3.3 + 0.2 * wave, village, wave, person, 500, rng)
        means = domain_means(values, 2 * unit + wave, cluster=village, stratum=unit)
        found = means.contrast(np.kron(np.eye(8), [-1, 1]))
        assert (found.df == 7).all()
        covered.append([covers(found, truth).mean(), covers(found, truth, df=56).mean()])
    own, whole = np.mean(covered, axis=0).tolist()
    show(f"\nOne unit with 8 villages among 64: coverage {rate(own)} with its own 7 df, {rate(whole)} with 56")
    assert 0.94 <= own <= 0.96
    assert whole == pytest.approx(0.913, abs=0.006)


def test_a_first_stage_correction_needs_complete_villages(show):
    """6 of 8 villages, 18 of 300 persons in each: corrected for villages alone, the interval forgets the persons."""
    rng, covered = np.random.default_rng(18), []
    for _ in range(20):
        drawn = np.repeat(np.arange(8), 300)
        people = answers(np.full(2400, 3.3), drawn, np.zeros_like(drawn), np.arange(2400), 250, rng)
        asked = (drawn < 6) & (np.arange(2400) % 300 < 18)
        truth, values, cluster = people.mean(axis=0), people[asked], drawn[asked]
        domain = np.zeros_like(cluster)
        plain = domain_means(values, domain, cluster=cluster)
        corrected = domain_means(values, domain, cluster=cluster, population=np.full(len(cluster), 8))
        covered.append([covers(means, truth).mean() for means in (plain, corrected)])
    without, with_correction = np.mean(covered, axis=0).tolist()
    show(
        f"\n6 of 8 villages, 18 of 300 persons in each: coverage {rate(without)}, "
        f"with a first-stage correction {rate(with_correction)}"
    )
    assert without >= 0.95
    assert with_correction == pytest.approx(0.85, abs=0.03)


def unit_means(latent, people, rng):
    """Means of `people` (G,) Likert answers about `latent` (repetitions, G): their counts are multinomial."""
    share = np.diff(ndtr(CUTS - latent[..., None]), axis=-1, prepend=0, append=1)
    return rng.multinomial(people, share) @ np.arange(1, 6) / people


def no_effect(people, shock, repetitions, rng):
    """Unit changes (repetitions, G) where nobody had an effect: units differ, and each wave has its shocks."""
    unit = 3.3 + rng.normal(0, 0.30, (repetitions, len(people)))
    before, after = (unit_means(unit + rng.normal(0, shock, unit.shape), people, rng) for _ in range(2))
    return after - before


def alarms(changes, pilot):
    """Shares of repetitions with p ≤ .05: unit t, placebo, both (the rule behind "above" and "below")."""
    found = [compare_units(change, pilot) for change in changes]
    unit_t, placebo = (np.array([getattr(one, p) for one in found]) <= ALPHA for p in ("p_value", "placebo_p"))
    return [float(fired.mean()) for fired in (unit_t, placebo, unit_t & placebo)], found[0].smallest_p


def test_no_effect_is_rarely_called_one(show):
    rng, repetitions = np.random.default_rng(2026), 2_000
    sizes = {"1:1": (60, 60), "1:10": (30, 300), "10:1": (300, 30)}
    methods = ("unit t", "placebo", "both")
    show(
        f"\nFalse alarms at .05; {error(0.05, repetitions)}; in brackets: withheld, the rate if it were not",
        "Sizes: respondents a unit and wave in pilots : comparisons, 60:60, 30:300, 300:30",
        row("units", "pilots", "sizes", *(f"{method}, shock sd 0 .15 .30 .60" for method in methods), "a sentence?"),
        "|---|---|---|---|---|---|---|",
    )
    judged = []
    for units in (3, 4, 6, 8, 12, 20):
        for pilots in (1, 2):
            for size, (many, few) in sizes.items():
                pilot = np.arange(units) < pilots
                people = np.where(pilot, many, few)
                withheld = ""
                if units - pilots < 2:
                    withheld = "one comparison unit"
                elif unequal_precision(2 / people, pilot):
                    withheld = "unequal precision"
                cells = [alarms(no_effect(people, shock, repetitions, rng), pilot) for shock in SHOCKS]
                rates, smallest = np.array([shares for shares, _ in cells]), cells[0][1]
                silent = smallest > ALPHA
                columns = [" ".join(map(rate, column)) for column in rates.T]
                sentence = f"no: smallest p {rate(smallest)}" if silent else "yes"
                if withheld:
                    columns, sentence = [f"({column})" for column in columns], f"withheld: {withheld}"
                show(row(units, pilots, size, *columns, sentence))
                assert not (silent and rates[:, 1:].any())
                assert not (size == "1:1" and units >= 6 and withheld)
                # Where no p can be small enough, unit t backs no sentence; equal sizes must hold all the same.
                if not withheld:
                    judged.append(rates)
    judged = np.concatenate(judged)
    largest, mean = judged.max(axis=0), judged.mean(axis=0)
    show(f"Largest and mean of {len(judged)} cells:", *map(row, methods, largest.tolist(), mean.tolist()))
    assert largest.max() <= 0.067
    assert mean.max() <= 0.052


def test_the_bound_on_noisier_pilots_is_the_one_that_simulation_supports(show):
    """Pilots whose changes vary more, by the bound and by 4.5 (30 answers against 135)."""
    rng, repetitions, sizes = np.random.default_rng(7), 4_000, (8, 12, 20)
    show(
        f"\nFalse alarms of both, two pilots that vary more; {error(0.05, repetitions)}",
        row("variance ratio", *(f"{units} units" for units in sizes)),
        "|---|---|---|---|",
    )
    for ratio in (NOISIER, 4.5):
        rates = []
        for units in sizes:
            pilot = np.arange(units) < 2
            changes = rng.normal(0, np.where(pilot, sqrt(ratio), 1.0), (repetitions, units))
            rates.append(alarms(changes, pilot)[0][2])
        show(row(str(ratio), *rates))
        assert (max(rates) <= 0.067) == (ratio == NOISIER)


def test_intervals_cover_the_truth_of_re_simulated_pilots(nga_bay, show):
    """Respondent intervals cover the realised difference, unit intervals the structural one."""
    repetitions = 500
    declared, tree = (
        tomllib.loads((NGA_BAY / name).read_text(encoding="utf-8")) for name in ("study.toml", "index.toml")
    )
    model = runpy.run_path(str(NGA_BAY / "simulate.py"))["build_model"](declared, tree)
    index = {code: node for code, node in nga_bay.index.items() if node.aggregate == "mean"}
    covered = {"linearised": [], "unit t": []}
    for seed in range(repetitions):
        pilot = ek.simulation.simulate_pilot(model, seed=seed)
        forms = pilot.answers.assign(
            row_id=[str(number) for number in range(len(pilot.answers))],
            wave=pilot.answers["wave"].map({"before": "truoc", "after": "sau"}),
            cluster=pilot.answers["village"].astype(str),
            stratum="1",
            weight=1.0,
        )
        scores = ek.score(forms.mask(forms.isin([98, 99])), index, nga_bay.codebook)
        sample = Sample(scores, nga_bay.design, index)  # of what compare gives, only the rows on units
        effects = with_intervals(make_effects(unit_effects(sample, sample.means(), nga_bay.plan)), 0.95)
        did = effects[effects["contrast"] == DID]
        truth = pilot.truth.set_index("indicator")
        for method, kind in (("linearised", "realised"), ("unit t", "structural")):
            rows = did[did["method"] == method].set_index("indicator").reindex(truth.index)
            covered[method].append(rows["conf_low"].le(truth[kind]) & rows["conf_high"].ge(truth[kind]))
    show(f"\nCoverage on {repetitions} re-simulated pilots of data/nga-bay, {len(index)} indicators")
    for method, found in covered.items():
        by_pilot = np.mean(found, axis=1)  # the indicators of a pilot share their villages
        show(row(method, float(by_pilot.mean()), f"± {rate(by_pilot.std() / sqrt(repetitions))}"))
        assert 0.92 <= by_pilot.mean() <= 0.98
