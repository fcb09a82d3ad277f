"""Every kind of row that stands beside the main ones, against direct calls, by hand and by other people's code."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from test_comparison import SHARED, one

import evalkit as ek
from evalkit.attrition import lee_bounds, retention_weights, worst_case_bounds
from evalkit.calibration import rake
from evalkit.comparison import RAKED
from evalkit.declaration import Node, Plan
from evalkit.effects import with_adjustment
from evalkit.estimation import domain_means
from evalkit.ordinal import superiority
from evalkit.panel_effects import REWEIGHTED, SEEN
from evalkit.sample import BETWEEN, CHANGE, DID, Sample
from evalkit.study import Design
from evalkit.units import cluster_robust, max_t, shock_curve, wild_bootstrap

ROOT = Path(__file__).resolve().parent.parent
CARD_KRUEGER = ROOT / "tests/studies/card-krueger"
WORDS = {"vi": "x", "en": "x"}
COMPARISON = ["A", "B", "C", "D", "E", "F"]
PILOTS = ["HL", "NB"]


def design_of(scores, population=None):
    """What the estimator is told of nga-bay: villages within communes."""
    place = scores["unit"] + "|" + scores["cluster"]
    return {"cluster": place.to_numpy(), "stratum": scores["unit"].to_numpy()}


def labels(units, before=-1.0, after=1.0):
    return {f"{u}|{w}": c / len(units) for u in units for w, c in (("truoc", before), ("sau", after)) if c}


def row_of(means, coefficients):
    return [[coefficients.get(label, 0.0) for label in means.domain]]


def unit_changes(scores, name, waves=("truoc", "sau")):
    """The change of every unit's mean, pilots first, and which are pilots."""
    means = scores.pivot_table(name, "unit", "wave").loc[[*PILOTS, *COMPARISON]]
    return means, (means[waves[1]] - means[waves[0]]).to_numpy(), np.arange(8) < 2


def raked_by_hand(scores, study):
    """Raking written out for what nga-bay declares: units, and within arms sex, quarter of age, education, use.

    Who did not answer, or as fewer than ten in a period, counts with the most frequent answer.
    """
    before = scores["wave"] == "truoc"
    quarters = scores.loc[before, "tuoi"].quantile([0.25, 0.5, 0.75])
    age = sum((scores["tuoi"] >= edge).astype(float) for edge in quarters).where(scores["tuoi"].notna())
    margins = [scores["unit"]]
    for column in (scores["gioi_tinh"], age, scores["hoc_van"], scores["mot_cua"]):
        labels = pd.Series("", scores.index)
        for arm in ("pilot", "comparison"):
            here = scores["unit"].map(study.design.arms) == arm
            counts = [column[here & period].value_counts() for period in (before, ~before)]
            usual = [code for code in set(column[here].dropna()) if min(n.get(code, 0) for n in counts) >= 10]
            most = max(usual, key=lambda code: sum(n[code] for n in counts))
            labels[here] = [f"{arm}{code if code in usual else most}" for code in column[here]]
        margins.append(labels)
    return rake(scores["weight"], [(margin, before) for margin in margins])


class TestRaked:
    @pytest.fixture(scope="class")
    @classmethod
    def calibration(cls, scores, nga_bay):
        return raked_by_hand(scores, nga_bay)

    @pytest.mark.parametrize("name", ["hai_long", "cchc"])
    def test_raked_rows_are_those_of_rake_and_domain_means(self, scores, effects, calibration, name):
        domain = (scores["unit"] + "|" + scores["wave"]).to_numpy()
        means = domain_means(scores[[name]], domain, calibration=calibration, **design_of(scores))
        cases = {
            ("pilot", "change", CHANGE): labels(PILOTS),
            ("comparison", "change", CHANGE): labels(COMPARISON),
            (BETWEEN, "did", DID): labels(PILOTS) | labels(COMPARISON, 1.0, -1.0),
        }
        for (group, estimand, contrast), coefficients in cases.items():
            found = one(effects, name, group, estimand, contrast, RAKED)
            expected = means.contrast(row_of(means, coefficients))
            for column in ("estimate", "std_error", "df"):
                assert found[column] == pytest.approx(getattr(expected, column).item(), rel=1e-9)
            assert found["weights"] == "raked"

    def test_the_design_effect_of_the_weights_is_kishs(self, effects, scores, calibration):
        w = calibration.weight[(scores["wave"] == "sau").to_numpy()]
        found = one(effects, "hai_long", "pilot", "design effect", "raked", "raking")
        assert found["estimate"] == pytest.approx(len(w) * (w**2).sum() / w.sum() ** 2)

    def test_a_composition_that_cannot_be_met_is_a_noted_row(self):
        """Before, men live in A and women in B; after, the other way round, and no weights bring both back."""
        rows = pd.DataFrame(
            [(w, u, float((u == "A") != (w == "a")), 10.0 * (i % 7)) for w, u, n in
             (("b", "A", 30), ("b", "B", 10), ("a", "A", 20), ("a", "B", 20)) for i in range(n)],
            columns=["wave", "unit", "sex", "x"],
        )  # fmt: skip
        rows = rows.assign(
            row_id=[f"r{i}" for i in rows.index], stratum="1", weight=1.0, cluster=rows.index.astype(str)
        )
        design = Design({"A": None, "B": None}, {"b": "before", "a": "after"}, composition=("sex",))
        effects = ek.compare(rows, design, PANEL_PLAN, PANEL_INDEX)
        found = effects[effects["method"] == RAKED]
        assert found["note"].tolist() == ["not_raked"] and found["estimate"].isna().all()


@pytest.fixture(scope="module")
def organ():
    study = ek.open_study(ROOT / "data/organ-donations")
    survey = ek.clean(ek.read(study), study)
    scores = ek.score(survey.responses, study.index, study.codebook)
    return study, scores, ek.compare(scores, study.design, study.plan, study.index)


class TestOrganDonations:
    """One state of 27 took the pilot; three quarters before, three after."""

    RATES = pd.read_csv(ROOT / "data/organ-donations/raw/organ_donations.csv").pivot(
        index="State", columns="Quarter", values="Rate"
    )

    @pytest.mark.parametrize(
        ("first", "second", "codes"),
        [("Q42010", "Q12011", ("2010q4", "2011q1")), ("Q12011", "Q22011", ("2011q1", "2011q2"))],
    )
    def test_pre_period_steps_by_hand(self, organ, first, second, codes):
        step = self.RATES[second] - self.RATES[first]
        others = step.drop("California")
        contrast = "({1} - {0}) pilot - ({1} - {0}) comparison".format(*codes)
        expected = step["California"] - others.mean()
        for method in ("linearised", "unit t", "placebo"):
            found = one(organ[2], "rate", BETWEEN, "pre-period did", contrast, method)
            assert found["estimate"] == pytest.approx(expected, abs=1e-12)
        t = one(organ[2], "rate", BETWEEN, "pre-period did", contrast, "unit t")
        test = stats.ttest_ind([step["California"]], others, equal_var=True)
        assert (t["df"], t["p_value"]) == pytest.approx((25, test.pvalue))
        extreme = sum(abs(one - step.drop(state).mean()) >= abs(expected) - 1e-12 for state, one in step.items())
        assert found["p_value"] == pytest.approx(extreme / 27)

    def test_there_are_as_many_steps_as_pairs_of_earlier_waves(self, organ, effects):
        assert organ[2].loc[organ[2]["estimand"] == "pre-period did", "contrast"].nunique() == 2
        assert "pre-period did" not in set(effects["estimand"])

    def test_the_shocks_are_the_scatter_of_changes_within_arms(self, organ):
        """Whole states have no sampling error, so all scatter of their changes is shock: τ²(1/3 + 1/3)."""
        before, after = (self.RATES[list(quarters)].mean(axis=1) for quarters in
                         (("Q42010", "Q12011", "Q22011"), ("Q32011", "Q42011", "Q12012")))  # fmt: skip
        change = (after - before).drop("California")
        found = one(organ[2], "rate", BETWEEN, "shock sd", "unit by wave", "moments")
        assert found["estimate"] == pytest.approx(change.std() / np.sqrt(2 / 3))
        ends = change.std() * np.sqrt(25 / stats.chi2.ppf([0.975, 0.025], 25)) / np.sqrt(2 / 3)
        assert found[["conf_low", "conf_high", "df"]].tolist() == pytest.approx([*ends, 25])
        assert found["note"] == "with_sampling"

    def test_at_the_breaking_shock_the_interval_touches_zero(self, organ):
        falls = one(organ[2], "rate", BETWEEN, "breaking shock", "unit by wave", "linearised and shocks")
        did = one(organ[2], "rate", BETWEEN, "did", DID)["estimate"]
        # No sampling variance: 1.96·τ·√((1/3 + 1/3)(1 + 1/26)) reaches the estimate.
        assert falls["estimate"] == pytest.approx(abs(did) / stats.norm.ppf(0.975) / np.sqrt(2 / 3 * (1 + 1 / 26)))


def test_the_breaking_shock_of_nga_bay_is_where_the_curve_meets_zero(effects):
    did = one(effects, "hai_long", BETWEEN, "did", DID)
    falls = one(effects, "hai_long", BETWEEN, "breaking shock", "unit by wave", "linearised and shocks")["estimate"]
    half = shock_curve(did["std_error"] ** 2, did["df"], 2, 6, shock_sd=[0.0, falls])
    assert half[0] == pytest.approx(did["conf_high"] - did["estimate"])
    assert half[1] == pytest.approx(abs(did["estimate"])) and falls > 0


@pytest.mark.parametrize("name", ["hai_long", "cham_lo", "tl_cchc"])
def test_did_rows_beside_the_t_test_are_those_of_units_and_statsmodels(effects, scores, nga_bay, name):
    if name.startswith("tl_"):  # a ratio of sums
        answers = scores[f"{name}/answers"]
        sums = (scores[name] * answers).groupby([scores["unit"], scores["wave"]]).sum().unstack()
        means = (sums / answers.groupby([scores["unit"], scores["wave"]]).sum().unstack()).loc[[*PILOTS, *COMPARISON]]
        change, pilot = (means["sau"] - means["truoc"]).to_numpy(), np.arange(8) < 2
    else:
        means, change, pilot = unit_changes(scores, name)
    constant = np.column_stack([np.ones(8), pilot])
    found = {method: one(effects, name, BETWEEN, "did", DID, method)
             for method in ("unit t", "cluster-robust CR2", "wild bootstrap", "unit ANCOVA")}  # fmt: skip
    test = stats.ttest_ind(change[pilot], change[~pilot], equal_var=True)
    assert found["unit t"]["p_value"] == pytest.approx(test.pvalue)
    robust = cluster_robust(change, constant, np.arange(8), coefficient=1)
    for column in ("estimate", "std_error", "df", "p_value"):
        assert found["cluster-robust CR2"][column] == pytest.approx(getattr(robust, column))
    assert found["wild bootstrap"]["p_value"] == wild_bootstrap(change, pilot)
    line = OLS(means["sau"].to_numpy(), np.column_stack([constant, means["truoc"]])).fit()
    assert found["unit ANCOVA"][["estimate", "std_error", "df", "p_value"]].tolist() == pytest.approx(
        [line.params[1], line.bse[1], 5, line.pvalues[1]]
    )


def test_placebo_p_values_of_a_family_are_adjusted_by_max_t(effects, scores, nga_bay):
    names = list(nga_bay.plan.secondary)
    changes = np.column_stack([unit_changes(scores, name)[1] for name in names])
    rows = [one(effects, name, BETWEEN, "did", DID, "placebo") for name in names]
    assert [row["p_adjusted"] for row in rows] == pytest.approx(max_t(changes, np.arange(8) < 2).tolist())
    assert {row["adjustment"] for row in rows} == {"max-T (6)"}
    alone = one(effects, "hai_long", BETWEEN, "did", DID, "placebo")
    assert (alone["p_adjusted"], alone["adjustment"]) == (alone["p_value"], "none")


def test_families_are_those_of_the_plan_one_role_estimand_and_method(effects, nga_bay):
    judged = effects[effects["adjustment"].str.startswith("sidak")]
    sizes = judged.groupby(["estimand", "method", judged["group"].isin(list(nga_bay.design.arms))]).size()
    # Six secondary outcomes; of units six times eight, and the eight of the one primary outcome.
    assert sizes["change", "linearised", True] == 6 * 8 + 8
    assert set(judged.loc[judged["group"].isin(list(nga_bay.design.arms)), "adjustment"]) == {
        "sidak, holm (48)", "sidak, holm (8)",
    }  # fmt: skip
    assert set(judged.loc[judged["group"] == BETWEEN, "adjustment"]) == {"sidak, holm (6)"}
    again = effects[(effects["group"] == BETWEEN) & (effects["method"] == "unit t")
                    & effects["indicator"].isin(nga_bay.plan.secondary)]  # fmt: skip
    expected = with_adjustment(again.assign(p_adjusted=np.nan), pd.Series("one", again.index))
    assert again["p_adjusted"].tolist() == pytest.approx(expected["p_adjusted"].tolist())


@pytest.mark.parametrize("name", ["hai_long", "cchc"])
def test_superiority_rows_are_those_of_ordinal(effects, scores, name):
    domain = (scores["unit"] + "|" + scores["wave"]).to_numpy()
    parts = labels(PILOTS, 1.0, 0.0), labels(PILOTS, 0.0, 1.0)
    expected = superiority(scores[[name]], domain, *parts, **design_of(scores))
    found = one(effects, name, "pilot", "superiority", "after against before")
    assert found[["estimate", "std_error", "df"]].tolist() == pytest.approx(
        [100 * expected.estimate.item(), 100 * expected.std_error.item(), expected.df.item()]
    )
    assert 0 < found["conf_low"] < found["estimate"] < found["conf_high"] < 100


def test_pairs_that_rose_and_fell_by_hand(effects, scores):
    """Of the people of one pilot commune who answered twice: each commune counts once, here there are two."""
    wide = scores[scores["unit"].isin(PILOTS)].pivot(index=["unit", "respondent"], columns="wave", values="hai_long")
    both = wide.dropna()
    assert 0 < len(both) < len(wide)
    for estimand, gain in (
        ("pairs higher", both["sau"] > both["truoc"]),
        ("pairs lower", both["sau"] < both["truoc"]),
    ):
        found = one(effects, "hai_long", "pilot", estimand, CHANGE)
        assert found["estimate"] == pytest.approx(100 * gain.groupby("unit").mean().mean())
        assert found["n_before"] == found["n_after"] == len(both)


def test_expected_regression_to_the_mean_by_hand(scores, nga_bay):
    """A third of units is picked for low scores: what they lack of the others comes back by 1 − correlation."""
    design = Design(nga_bay.design.arms, nga_bay.design.periods, pilot_units_chosen="low_scores")
    index = {"hai_long": nga_bay.index["hai_long"]}
    effects = ek.compare(scores, design, Plan(primary=("hai_long",), confidence_level=0.95), index)
    means, _, pilot = unit_changes(scores, "hai_long")
    gap = means["truoc"][~pilot].mean() - means["truoc"][pilot].mean()
    for correlation, share in ((0.5, 0.5), (0.7, 0.3), (0.9, 0.1)):
        contrast = f"correlation {correlation}"
        found = one(effects, "hai_long", "pilot", "regression to the mean", contrast, "expected")
        assert found["estimate"] == pytest.approx(share * gap)


# A panel: 12 households in each of 2 pilot and 2 comparison communes. Seven are not found again, two in a pilot.
PANEL = pd.DataFrame(
    [
        (unit, f"{unit}{i}", 10.0 * ((3 * i + 2 * at) % 8) + at**2, 10.0 * ((5 * i + at) % 9))
        for at, unit in enumerate("PQAB")
        for i in range(12)
    ],
    columns=["unit", "respondent", "before", "after"],
).assign(found=lambda frame: ~frame["respondent"].isin(["P3", "Q7", "A1", "A5", "A8", "B0", "B2"]))
PANEL_DESIGN = Design(
    dict.fromkeys("PQ", "pilot") | dict.fromkeys("AB", "comparison"), {"b": "before", "a": "after"}, followed=True
)
PANEL_INDEX = {"x": Node(code="x", label=WORDS, aggregate="mean", items=("q", "r"))}
PANEL_PLAN = Plan(primary=("x",), confidence_level=0.95)


def long(panel, **columns):
    """Scores of a panel: a row a household and wave, each its own cluster."""
    waves = [
        panel.assign(wave="b", x=panel["before"]),
        panel[panel["found"]].assign(wave="a", x=lambda f: f["after"]),
    ]
    rows = pd.concat(waves, ignore_index=True)
    rows = rows.assign(row_id=rows["wave"] + rows["respondent"], cluster=rows["respondent"], stratum="1", weight=1.0)
    columns = {name: column.to_numpy() if hasattr(column, "to_numpy") else column for name, column in columns.items()}
    names = ["row_id", "wave", "unit", "respondent", "cluster", "stratum", "weight", "x"]
    return rows[names].assign(**columns)


class TestPanel:
    @pytest.fixture(scope="class")
    @classmethod
    def rows(cls):
        return ek.compare(long(PANEL), PANEL_DESIGN, PANEL_PLAN, PANEL_INDEX)

    def test_who_was_lost(self, rows):
        for arm, units in (("pilot", "PQ"), ("comparison", "AB")):
            parts = [PANEL[PANEL["unit"] == unit] for unit in units]
            lost = one(rows, "x", arm, "lost", "before")
            assert lost["estimate"] == pytest.approx(100 * np.mean([(~part["found"]).mean() for part in parts]))
            gap = one(rows, "x", arm, "lost difference", "lost - seen again")
            means = [part.groupby("found")["before"].mean() for part in parts]
            assert gap["estimate"] == pytest.approx(np.mean([part[False] - part[True] for part in means]))
            seen = sum(part["found"].sum() for part in parts)
            assert (lost["n_before"], lost["n_after"]) == (24, seen)

    def test_the_change_of_those_seen_twice_is_the_paired_t_test(self, rows):
        seen = PANEL[PANEL["found"]]
        gain = {unit: (part["after"] - part["before"]) for unit, part in seen.groupby("unit")}
        found = one(rows, "x", "pilot", "change", CHANGE, SEEN)
        assert found["estimate"] == pytest.approx(np.mean([gain[unit].mean() for unit in "PQ"]))
        # Households that were lost are clusters of the stratum without a share in the change.
        parts = [gain[unit].var(ddof=0) / len(gain[unit]) * 12 / 11 for unit in "PQ"]
        assert found["std_error"] == pytest.approx(np.sqrt(sum(parts)) / 2)

    def test_reweighted_rows_are_those_of_retention_weights(self, rows):
        weights = retention_weights(PANEL[["before"]], PANEL["found"], PANEL["unit"]).weight
        gain = (PANEL["after"] - PANEL["before"]).where(PANEL["found"])
        seen = PANEL.assign(w=weights, gain=gain)[PANEL["found"]]
        parts = [seen[seen["unit"] == unit] for unit in "AB"]
        expected = [np.average(part["gain"], weights=part["w"]) for part in parts]
        found = one(rows, "x", "comparison", "change", CHANGE, REWEIGHTED)
        assert found["estimate"] == pytest.approx(np.mean(expected), rel=1e-9)
        assert found["estimate"] != pytest.approx(one(rows, "x", "comparison", "change", CHANGE, SEEN)["estimate"])

    def test_bounds_are_those_of_attrition(self, rows):
        after = PANEL["after"].where(PANEL["found"])
        for end in ("lower", "upper"):
            parts = [worst_case_bounds(part[["before"]], after[part.index].to_frame()) for _, part in
                     PANEL[PANEL["unit"].isin(["P", "Q"])].groupby("unit")]  # fmt: skip
            found = one(rows, "x", "pilot", "change", CHANGE, f"worst case, {end}")
            assert found["estimate"] == pytest.approx(np.mean([getattr(part, end)[0] for part in parts]))
            expected = lee_bounds(after - PANEL["before"], PANEL["unit"].isin(["P", "Q"]), PANEL["found"])
            found = one(rows, "x", BETWEEN, "did", DID, f"Lee, {end}")
            assert found["estimate"] == pytest.approx(getattr(expected, end))

    def test_without_followed_there_are_none(self):
        design = Design(PANEL_DESIGN.arms, PANEL_DESIGN.periods)
        rows = ek.compare(long(PANEL), design, PANEL_PLAN, PANEL_INDEX)
        assert not {"lost", "lost difference"} & set(rows["estimand"])
        assert not rows["method"].str.contains("twice|worst|Lee").any()

    def test_where_nobody_was_lost_those_seen_twice_are_all(self):
        """Also for a pooled percentage, whose answers differ from household to household."""
        whole = PANEL.assign(found=True)
        node = Node(code="x", label=WORDS, aggregate="pooled", items=("q", "r"), at_least=2.0)
        answered = [1 + int(one[1:]) % 2 for one in [*whole["respondent"], *whole["respondent"]]]
        for index, columns in ((PANEL_INDEX, {}), ({"x": node}, {"x/answers": answered})):
            rows = ek.compare(long(whole, **columns), PANEL_DESIGN, PANEL_PLAN, index)
            every = one(rows, "x", "pilot", "change", CHANGE)
            for method in (SEEN, REWEIGHTED):
                found = one(rows, "x", "pilot", "change", CHANGE, method)
                assert found[["estimate", "std_error"]].tolist() == pytest.approx(
                    every[["estimate", "std_error"]].tolist()
                )


@pytest.mark.skipif(not SHARED.is_dir(), reason="the stores of Card and Krueger may not be shipped")
class TestCardAndKrueger:
    """American Economic Review 84(4), table 3: all stores, and the balanced sample of stores with both interviews.

    Every store has a row in both waves; where it closed or refused, its employment is missing.
    """

    @pytest.fixture(scope="class")
    @classmethod
    def stores(cls):
        study, survey = ek.check(CARD_KRUEGER, allow_outside=True)
        scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
        wide = scores.pivot(index=["unit", "respondent"], columns="wave", values="employment")
        return wide, ek.compare(scores, study.design, study.plan, study.index)

    @pytest.mark.parametrize(
        ("group", "every", "balanced"), [("pilot", 0.588, 0.467), ("comparison", -2.166, -2.283)]
    )
    def test_published_changes(self, stores, group, every, balanced):
        rows = stores[1]
        assert one(rows, "employment", group, "change", CHANGE)["estimate"] == pytest.approx(every, abs=5e-4)
        assert one(rows, "employment", group, "change", CHANGE, SEEN)["estimate"] == pytest.approx(balanced, abs=5e-4)

    def test_lee_bounds(self, stores):
        wide, rows = stores
        asked = wide[wide["feb1992"].notna()]
        gain = asked["nov1992"] - asked["feb1992"]
        expected = lee_bounds(gain, asked.index.get_level_values("unit") == "1", gain.notna())
        for end in ("lower", "upper"):
            found = one(rows, "employment", BETWEEN, "did", DID, f"Lee, {end}")
            assert found["estimate"] == pytest.approx(getattr(expected, end))

    def test_a_value_without_ends_has_no_worst_case(self, stores):
        assert not stores[1]["method"].str.startswith("worst").any()


def test_where_nobody_was_lost_there_is_no_difference_to_the_lost():
    rows = ek.compare(long(PANEL.assign(found=True)), PANEL_DESIGN, PANEL_PLAN, PANEL_INDEX)
    lost = one(rows, "x", "pilot", "lost", "before")
    gap = one(rows, "x", "pilot", "lost difference", "lost - seen again")
    assert lost["estimate"] == 0 and np.isnan(gap["estimate"])


def test_the_sample_lists_its_groups_as_units(scores, nga_bay):
    groups = Sample(scores, nga_bay.design, nga_bay.index).groups
    assert groups["pilot"] == PILOTS and groups["comparison"] == COMPARISON and groups["HL"] == ["HL"]


def test_pilots_of_few_villages_support_no_conclusion():
    """As many answers everywhere, but three villages a pilot against ten: .106 false alarms at ICC .10."""
    rng = np.random.default_rng(5)
    rows = []
    for unit in ("P", "Q", *"ABCDEF"):
        villages = 3 if unit in "PQ" else 10
        for wave in "ba":
            village = np.arange(150) % villages
            score = 60 + 6 * rng.normal(size=villages)[village] + 18 * rng.normal(size=150)
            rows.append(pd.DataFrame({"wave": wave, "unit": unit, "cluster": village.astype(str), "x": score}))
    scores = pd.concat(rows, ignore_index=True).assign(stratum="1", weight=1.0)
    scores["row_id"] = scores.index.astype(str)
    design = Design(
        {unit: "pilot" if unit in "PQ" else "comparison" for unit in "PQABCDEF"}, {"b": "before", "a": "after"}
    )
    index = {"x": Node(code="x", label={"vi": "x", "en": "x"}, aggregate="mean", items=("x",))}
    plan = Plan(primary=["x"], confidence_level=0.95)
    for frame, note in ((scores, "unequal_precision"), (scores.assign(cluster=scores["row_id"]), "")):
        effects = ek.compare(frame, design, plan, index)
        did = effects[(effects["estimand"] == "did") & (effects["method"] == "unit t")]
        assert did["note"].tolist() == [note]
