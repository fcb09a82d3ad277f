"""What the next survey is planned from: the survey at hand, the designs beside it, and what they cost."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import cases
from matplotlib import pyplot as plt
from matplotlib.text import Text
from test_planning import answers, drawn

import evalkit as ek
from evalkit.declaration import Node
from evalkit.planning import Survey, design_effect, minimum_detectable_change, yamane
from evalkit.prospects import (
    RESPONDENTS,
    arms,
    asked,
    costs,
    designs,
    needed,
    observed,
    observed_design_effect,
    prospects,
    sample_sizes,
)
from evalkit.sample import Sample
from evalkit.study import Design

TESTS = Path(__file__).parent
REFERENCE = pd.read_csv(TESTS / "reference/prospects.csv").query("item != 'versions'")
PERIODS = {"before": "before", "after": "after"}


def sampled(frame, **options):
    """A sample with one indicator x, from columns wave, unit, cluster, x and what else there is."""
    index = {"x": Node(code="x", label={"vi": "x", "en": "x"}, aggregate="value", items=("q",))}
    frame = frame.assign(row_id=[f"r{row}" for row in range(len(frame))])
    for name, value in {"stratum": "1", "weight": 1.0}.items():
        frame[name] = frame.get(name, value)
    options = {"periods": PERIODS} | options
    return Sample(frame, Design(dict.fromkeys(frame["unit"].unique(), "pilot"), **options), index)


@pytest.fixture(scope="module")
def sample(nga_bay, scores):
    return Sample(scores, nga_bay.design, nga_bay.index)


@pytest.fixture(scope="module")
def frame(effects, sample, nga_bay):
    return prospects(effects, sample, nga_bay)


def redeclared(base, **update):
    declared = base.declared.model_copy(update=update)
    return type(base)(base.folder, declared, base.codebook, base.index, base.corrections)


def with_arms(study, pilots, comparisons):
    """The study with its first units only, in these arms."""
    names = ["pilot"] * pilots + ["comparison"] * comparisons
    units = [unit.model_copy(update={"arm": arm}) for unit, arm in zip(study.declared.units, names, strict=False)]
    return redeclared(study, units=tuple(units))


def shocked(effects, estimate, conf_high=5.0):
    """Effects whose shocks are these."""
    of = effects["estimand"] == "shock sd"
    return effects.assign(
        estimate=effects["estimate"].mask(of, estimate), conf_high=effects["conf_high"].mask(of, conf_high)
    )


# What the survey was like


@pytest.mark.parametrize("item", ["satisfaction", "waiting", "fees", "unsteady"])
def test_the_survey_agrees_with_r(item):
    panel = pd.read_csv(TESTS / "reference/panel.csv").rename(columns={"village": "cluster"})
    moved = panel["cluster"].str[1:].astype(int) % 3 - 1
    panel["unsteady"] = panel["satisfaction"] + moved.where(panel["wave"] == "after", 0)
    found = observed(sampled(panel.assign(x=panel[item])), "x")
    expected = REFERENCE[REFERENCE["item"] == item].set_index("quantity")["value"]
    assert len(expected) == 8
    assert {name: getattr(found, name) for name in expected.index} == pytest.approx(expected.to_dict())


TRUTHS = {
    "villages and a panel": Survey(80, 20, 8, 0.08, 0.5, overlap=0.4, person_correlation=0.6),
    "villages kept, others asked": Survey(60, 15, 6, 0.15, 1.0),
    "other villages": Survey(60, 15, 6, 0.1, None),
    "no villages": Survey(40, 20, overlap=0.6, person_correlation=0.5),
}


@pytest.mark.parametrize("surveys", [12, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", TRUTHS)
def test_known_parameters_are_recovered_and_planned_with(name, surveys):
    """Averages over surveys of 30 units, within four Monte-Carlo errors; so is the standard error planned."""
    truth, rng = TRUTHS[name], np.random.default_rng(5)
    rows = answers(truth, 30)
    values = drawn(rng, truth, rows, surveys)
    columns = rows.assign(wave=rows["wave"].map({0: "before", 1: "after"}), respondent=rows["person"].astype(str))
    columns["unit"], columns["cluster"] = "U" + columns["unit"].astype(str), columns["cluster"].astype(str)
    found = [observed(sampled(columns.assign(x=column)), "x") for column in values.T]
    assert {(asked(one), one.clusters, one.weighting_effect) for one in found} == {
        (truth.respondents, truth.clusters, 1.0)
    }
    assert [one.overlap for one in found] == pytest.approx([truth.overlap] * surveys)
    assert {one.cluster_correlation is None for one in found} == {truth.cluster_correlation is None}
    planned = [minimum_detectable_change(one, 2, 6).std_error for one in found]
    measured = {
        name: [getattr(one, name) for one in found]
        for name in ("sd", "icc", "person_correlation", "cluster_correlation")
        if getattr(truth, name)
    }
    expected = {name: getattr(truth, name) for name in measured}
    measured["planned"], expected["planned"] = planned, minimum_detectable_change(truth, 2, 6).std_error
    for name, numbers in measured.items():
        error = np.std(numbers, ddof=1) / np.sqrt(surveys)
        slack = 0.02 if expected[name] == 1 else 0.0  # what is cut off above 1 is missing from the average
        assert np.mean(numbers) == pytest.approx(expected[name], abs=4 * error + slack), name


def simple(**columns):
    """Two units, two waves, two villages, four people each, nobody asked twice; columns replace others."""
    rows = pd.DataFrame(
        [(wave, unit, village) for wave in PERIODS for unit in "AB" for village in ("v1", "v2") for _ in range(4)],
        columns=["wave", "unit", "cluster"],
    )
    return rows.assign(**{"x": np.random.default_rng(1).normal(50, 10, len(rows))} | columns)


def test_numbers_of_answers_are_harmonic_means():
    """What is planned is a unit of average precision: 20 and 4 answers are worth 2 · 20 · 4 / 24 each."""
    rows = pd.concat([simple().query("unit == 'A'")] + [simple().query("unit == 'B'")] * 5)
    rows = rows.assign(x=np.random.default_rng(2).normal(50, 10, len(rows))).sort_values("unit")
    assert observed(sampled(rows), "x").respondents == pytest.approx(2 / (1 / 8 + 1 / 40))
    assert observed(sampled(simple(x=np.tile([1.0, 2.0, 3.0, np.nan], 8))), "x").respondents == 6


def test_weights_count_as_kish_says():
    rows = simple(weight=np.tile([1.0, 3.0], 16))
    assert observed(sampled(rows), "x").weighting_effect == pytest.approx(1.25)


def test_only_the_waves_next_to_the_pilot_count():
    rows = simple()
    early = rows[rows["wave"] == "before"].assign(wave="early", x=lambda one: 10 * one["x"])
    periods = {"early": "before"} | PERIODS
    assert observed(sampled(pd.concat([early, rows]), periods=periods), "x") == observed(sampled(rows), "x")


def test_an_icc_below_zero_is_zero():
    """Every village holds the same four scores: the villages are more alike than chance would have them."""
    found = observed(sampled(simple(x=np.tile([10.0, 20.0, 30.0, 40.0], 8))), "x")
    assert (found.icc, found.cluster_correlation) == (0, 0)
    assert found.sd == pytest.approx(np.sqrt(8 * 500 / (32 - 4)))


def test_villages_that_are_strata_are_no_clusters():
    """All villages surveyed: what differs between them is no chance, neither in the sd nor in the clusters."""
    rows = simple(
        x=lambda one: one.groupby(["wave", "unit", "cluster"]).cumcount() * 2 + (one["cluster"] == "v2") * 50
    )
    drew, all_ = (observed(sampled(rows, clusters=clusters), "x") for clusters in ({}, {"A": 2, "B": 2}))
    assert (drew.clusters, all_.clusters) == (2, None)
    assert drew.icc > 0.95 and all_.icc == 0
    assert all_.sd == pytest.approx(np.std([0, 2, 4, 6], ddof=1))
    assert observed(sampled(rows, clusters={"A": 2}), "x").clusters == 2  # those of B


def test_what_cannot_be_told_is_zero_or_none():
    one_village = observed(sampled(simple(cluster="v1")), "x")
    assert (one_village.clusters, one_village.icc, one_village.cluster_correlation) == (1, 0, 0)
    constant = observed(sampled(simple(x=3.0)), "x")
    assert (constant.sd, constant.icc, constant.person_correlation) == (0, 0, 0)
    people = [str(row % 16) for row in range(32)]
    same = observed(sampled(simple(x=3.0, respondent=people)), "x")
    assert (same.overlap, same.person_correlation) == (1, 0)
    silent = observed(sampled(simple(x=lambda one: np.where(one["wave"] == "after", np.nan, np.arange(32.0)))), "x")
    assert silent.overlap == 0 and silent.cluster_correlation is None
    single = simple().drop_duplicates(["wave", "unit"])
    assert observed(sampled(single), "x") is None
    assert observed(sampled(simple(x=np.nan)), "x") is None


# Designs


def test_prospects_are_those_of_planning(frame, sample, effects, nga_bay):
    survey = observed(sample, "hai_long")
    shock = effects.loc[(effects["estimand"] == "shock sd") & (effects["indicator"] == "hai_long"), "estimate"].item()
    assert set(zip(frame["pilots"], frame["comparisons"], strict=True)) == set(designs(nga_bay))
    assert {(2, 0), (2, 6), (2, 18), (4, 4), (8, 8)} <= set(designs(nga_bay))
    assert set(frame["respondents"]) == {*RESPONDENTS, asked(survey)}
    for row in frame.to_dict("records"):
        shock_sd = shock if row["claim"] == "units" else None
        found = minimum_detectable_change(
            replace(survey, respondents=row["respondents"]), row["pilots"], row["comparisons"], shock_sd=shock_sd
        )
        assert (row["change"], row["floor"], row["df"]) == (found.change, found.floor, found.df)
        assert row["shock_sd"] == shock if shock_sd else np.isnan(row["shock_sd"])
    before = effects.query("indicator == 'hai_long' & group == 'pilot' & estimand == 'level' & contrast == 'before'")
    assert frame["room"].unique() == pytest.approx(100 - before["estimate"].unique())


def test_the_plan_fixes_the_level(effects, sample, nga_bay, frame):
    strict = redeclared(nga_bay, plan=nga_bay.plan.model_copy(update={"confidence_level": 0.99}))
    assert (prospects(effects, sample, strict)["change"] > frame["change"]).all()


def test_shocks_of_zero_are_no_evidence_of_none(effects, sample, nga_bay, frame):
    """Their upper end stands beside them; shocks that cannot be told leave nothing to say about units."""
    units = prospects(shocked(effects, 0.0, 4.5), sample, nga_bay).query("claim == 'units'")
    assert units["shock_sd"].unique().tolist() == [0, 4.5]
    assert frame.query("claim == 'units'")["shock_sd"].nunique() == 1
    unknown = prospects(shocked(effects, np.nan, np.inf), sample, nga_bay)
    assert set(unknown["claim"]) == {"people"}
    assert ek.planning_tables.planning_sentences(unknown, nga_bay, "en", respondents=130)[0].endswith(
        "estimated here."
    )
    assert (ek.planning_tables.planning(unknown, nga_bay, "en", respondents=130)["For units like these"] == "–").all()
    largest = ek.figures.planning(
        prospects(shocked(effects, 0.0, 4.5), sample, nga_bay), nga_bay, "en", respondents=130
    )
    assert drawn_by(largest, units.query("pilots == 8 & shock_sd == 4.5"))


def test_fewer_respondents_than_clusters_are_no_design(effects, nga_bay, scores):
    many = scores.assign(cluster=scores["cluster"] + (scores.groupby(["wave", "unit"]).cumcount() % 10).astype(str))
    sample = Sample(many.drop(columns="respondent"), nga_bay.design, nga_bay.index)
    assert observed(sample, "hai_long").clusters in range(61, 121)
    assert prospects(effects, sample, nga_bay)["respondents"].min() == 120


def test_without_arms_all_units_are_pilots(nga_bay):
    units = tuple(unit.model_copy(update={"arm": None}) for unit in nga_bay.declared.units)
    assert arms(redeclared(nga_bay, units=units)) == (8, 0)
    assert arms(nga_bay) == (2, 6)


def test_records_have_no_survey(effects, sample, nga_bay):
    about = nga_bay.declared.study.model_copy(update={"row": "record"})
    records = redeclared(nga_bay, study=about)
    for found in (
        prospects(effects, sample, records), needed(effects, sample, records), sample_sizes(sample, records)
    ):  # fmt: skip
        assert found.empty and len(found.columns)


def test_needed_is_enough(effects, sample, nga_bay):
    survey, found = observed(sample, "hai_long"), needed(effects, sample, nga_bay)
    assert found["target"].tolist() == [5, 5, 10, 10]
    finite = 0
    for row in found.to_dict("records"):
        shock_sd = row["shock_sd"] if row["claim"] == "units" else None
        per_village = survey.respondents / survey.clusters
        ways = {
            "respondents": lambda n: (replace(survey, respondents=n), 2, 6),
            "clusters": lambda n, m=per_village: (replace(survey, clusters=int(n), respondents=m * n), 2, 6),
            "comparisons": lambda n: (survey, 2, int(n)),
            "pilots": lambda n: (survey, int(n), int(n)),
        }
        for name, design in ways.items():
            if np.isfinite(row[name]):
                finite += 1
                for count, enough in ((row[name], True), (row[name] - 1, False)):
                    change = minimum_detectable_change(*design(count), shock_sd=shock_sd).change
                    assert (change <= row["target"]) == enough, (name, count)
    assert finite == 12
    minutes = dict(nga_bay.index)
    minutes["hai_long"] = minutes["hai_long"].model_copy(update={"aggregate": "value"})
    own = type(nga_bay)(nga_bay.folder, nga_bay.declared, nga_bay.codebook, minutes, nga_bay.corrections)
    assert needed(effects, sample, own).empty


# Tables


def test_two_pilots_alone_are_out_of_reach(frame, nga_bay, sample):
    respondents = asked(observed(sample, "hai_long"))
    for language, words in (("vi", "không đạt được"), ("en", "out of reach")):
        table = ek.planning_tables.planning(frame, nga_bay, language, respondents=respondents)
        assert table.iloc[0, 0].startswith("2 ") and table.iloc[0, 3] == words
        assert not (table.iloc[1:] == words).any(axis=None)
    alone = frame.query("comparisons == 0 & claim == 'units'")
    assert alone["change"].max() > alone["room"].iloc[0]
    sentences = ek.planning_tables.planning_sentences(frame, nga_bay, "en", respondents=respondents)
    floor = f"{alone['floor'].iloc[0]:.1f}"
    assert f"no change below {floor} points can be detected" in sentences[0]
    assert f"room for {alone['room'].iloc[0]:.1f} points" in sentences[1]
    own = frame.query("pilots == 2 & comparisons == 6 & claim == 'units' & respondents == @respondents")
    assert f"is {own['change'].item():.1f} points" in sentences[2]
    assert f"below {own['floor'].item():.1f} points" in sentences[2]


@pytest.mark.parametrize(("pilots", "comparisons"), [(1, 0), (2, 4), (1, 5)])
def test_designs_that_can_never_be_told_say_so(effects, nga_bay, scores, pilots, comparisons):
    """One pilot has no degree of freedom; 2 of 6 and 1 of 6 cannot reach p .05 by assignment."""
    study = with_arms(nga_bay, pilots, comparisons)
    units = list(study.design.arms)
    sample = Sample(scores[scores["unit"].isin(units)], study.design, study.index)
    found = prospects(effects, sample, study)
    table = ek.planning_tables.planning(found, study, "en", respondents=asked(observed(sample, "hai_long")))
    own = table[table["Units"] == ek.prospects.design_label(pilots, comparisons, "en")]
    assert own["For units like these"].item() == "out of reach"
    said = ek.planning_tables.planning_sentences(found, study, "en", respondents=asked(observed(sample, "hai_long")))
    assert ("no change that the scale has room for can be detected" if comparisons else "no change can be") in said[
        -1
    ] + said[0]


def test_assumptions_are_those_of_the_survey(frame, nga_bay, sample):
    model = observed(sample, "hai_long")
    table = ek.planning_tables.assumptions(model, frame, nga_bay, "en").set_index("Quantity")["Value"]
    assert table["Respondents a unit and wave"] == "130" and table["Clusters a unit"] == "7"
    assert table["Intracluster correlation (ICC)"] == f"{model.icc:.3f}"
    assert table["Design effect of clusters and weights"] == f"{observed_design_effect(model):.2f}"
    other = ek.planning_tables.assumptions(replace(model, cluster_correlation=None, overlap=0), frame, nga_bay, "en")
    assert "the waves visited different clusters" in other["Value"].tolist()
    without = set(table.index) - set(ek.planning_tables.assumptions(Survey(50, 20), frame, nga_bay, "en")["Quantity"])
    assert without == {
        "Clusters a unit",
        "Intracluster correlation (ICC)",
        "Correlation over the waves of a cluster's level",
        "Correlation of one person's two answers",
    }


def test_observed_design_effect_has_both_parts():
    survey = Survey(120, 20, 6, 0.05, weighting_effect=1.2)
    assert observed_design_effect(survey) == pytest.approx(1.2 * design_effect(20, 0.05))
    assert observed_design_effect(Survey(120, 20)) == 1


def test_sample_sizes_stand_beside_who_answered(nga_bay, sample, scores):
    found = sample_sizes(sample, nga_bay)
    populations = {unit.code: unit.population for unit in nga_bay.declared.units if unit.population}
    assert dict(zip(found["unit"], found["population"], strict=True)) == populations
    assert found["yamane"].tolist() == [yamane(one) for one in populations.values()]
    assert (found["share"] < found["yamane"]).all() and (found["corrected"] > found["yamane"]).all()
    counted = scores[scores["hai_long"].notna() & (scores["wave"] == "truoc")].groupby("unit").size()
    assert found["before"].tolist() == counted[found["unit"]].tolist()
    assert "without Ngã Bảy ward, whose" in ek.planning_tables.unsized_sentence(nga_bay, "en")
    table = ek.planning_tables.sample_sizes(found, nga_bay, "vi")
    assert table.iloc[0].tolist()[:3] == ["xã Hiệp Lợi", "9.435", "384"]


def test_needed_is_shown_with_its_goal(effects, sample, nga_bay):
    table = ek.planning_tables.needed(needed(effects, sample, nga_bay), nga_bay, "vi")
    assert table.iloc[1].tolist()[:4] == ["5 điểm", "cho các đơn vị tương tự", "2,2", "không đạt được"]


# Costs


def test_declared_costs_add_up(nga_bay):
    found = costs(nga_bay, 6, years=2, interviews=250)
    by_hand = [2 * 45e6, 6 * 38e6, 6 * 2 * 15e6, 6 * 2 * 6e6, 6 * 250 * 60e3]
    assert found["cost"].tolist() == by_hand
    table = ek.planning_tables.costs(found, nga_bay, "vi", units=6)
    shown = [int(cell.replace(".", "")) for cell in table["Thành tiền (đồng)"]]
    assert shown[:-2] == by_hand and shown[-2:] == [sum(by_hand), round(sum(by_hand) / 6)]
    assert table["Khoản mục"].tolist()[-2:] == ["Tổng cộng", "Bình quân một đơn vị"]
    assert set(table["Nguồn"]) == {"số liệu minh họa, không phải giá thật", "–"}


def test_a_study_without_costs_or_sources_shows_none(nga_bay):
    assert costs(redeclared(nga_bay, costs=()), 6).empty
    bare = redeclared(
        nga_bay, costs=tuple(cost.model_copy(update={"source": None}) for cost in nga_bay.declared.costs)
    )
    assert list(ek.planning_tables.costs(costs(bare, 6), bare, "en", units=6)) == [
        "Item", "For each", "Quantity", "Unit cost (VND)", "Cost (VND)",
    ]  # fmt: skip


COST = r"""
per = "unit" => per = "month"
    study.toml, "costs[1].per": the value 'month' is not valid; expected: 'once', 'unit', 'unit_year' or 'interview'.
per = "unit"\n =>
    study.toml, "costs[1].per": this key is missing.
amount = 1.5 => amount = 0
    study.toml, "costs[1].amount": the value 0 is not valid; expected: > 0.0.
amount = 1.5 => amount = nan
    study.toml, "costs[1].amount": the value nan is not valid; expected: 0, 0.5, 1 ….
amount = 1.5 => amount = "1,5"
    study.toml, "costs[1].amount": the value '1,5' is not valid; expected: 0, 0.5, 1 ….
unit_cost = 30 => unit_cost = -30
    study.toml, "costs[1].unit_cost": the value -30 is not valid; expected: ≥ 0.
unit_cost = 30 => unitcost = 30
    study.toml, "costs[1].unit_cost": this key is missing.
    study.toml, "costs[1].unitcost": evalkit has no such key; did you mean: unit_cost?
"""
DECLARED = """
[[costs]]
item = { vi = "Quầy", en = "Counter" }
per = "unit"
amount = 1.5
unit_cost = 30
"""


@pytest.mark.parametrize(("file", "old", "new", "expected"), cases(study=COST))
def test_wrong_costs_are_named(make_study, messages, file, old, new, expected):
    assert messages(make_study(study=lambda text: text + DECLARED)) == []
    assert messages(make_study(study=lambda text: text + DECLARED.replace(old, new))) == expected


# Figure


def drawn_by(axes, rows):
    """Whether one line of the figure goes through these rows, in order."""
    return any(
        np.array_equal(line.get_xdata(), rows["respondents"]) and np.allclose(line.get_ydata(), rows["change"])
        for line in axes.lines
    )


@pytest.mark.parametrize("language", ["vi", "en"])
def test_planning_draws_the_numbers(frame, nga_bay, language):
    with plt.rc_context():
        ek.figures.use_style()
        axes = ek.figures.planning(frame, nga_bay, language, respondents=130)
        axes.figure.canvas.draw()
        boxes = [Text.get_window_extent(note) for note in axes.texts]  # without the line that leads to it
    for (claim, pilots, others), rows in frame.groupby(["claim", "pilots", "comparisons"]):
        reached = rows[rows["change"] <= rows["room"]]
        assert drawn_by(axes, reached) == (len(reached) > 0), (claim, pilots, others)
    levels = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert sorted(levels) == pytest.approx(sorted(frame.query("claim == 'units' & change <= room")["floor"].unique()))
    own = frame.query("pilots == 2 & comparisons == 6 & claim == 'units' & respondents == 130")
    (mark,) = (line for line in axes.lines if line.get_marker() == "D")
    assert (mark.get_xdata(), mark.get_ydata()) == (130, own["change"].item())
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["30", "60", "120", "240", "480"]
    words = {note.get_text().replace("\n", " ") for note in axes.texts}
    assert words == {ek.prospects.design_label(*design, language) for design in designs(nga_bay)[1:]} | {
        ek.language.text("plan_for_people", language)
    }
    assert not any(one.overlaps(other) for at, one in enumerate(boxes) for other in boxes[:at])
    assert ek.language.text("simulated", language) == axes.figure.get_supxlabel()
