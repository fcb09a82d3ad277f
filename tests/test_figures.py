"""Figures are tested by the numbers they draw."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

import evalkit as ek
from evalkit.sample import CHANGE, DID

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def styled():
    with plt.rc_context():
        ek.figures.use_style()
        yield
    plt.close("all")


def drawn(axes):
    """All x values of the lines and markers of an Axes."""
    return np.concatenate([np.asarray(line.get_xdata(), dtype=float).ravel() for line in axes.lines])


def said(axes):
    """Every text on the figure."""
    axes.figure.canvas.draw()
    legends = [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]
    ticks = [text.get_text() for text in [*axes.get_yticklabels(), *axes.get_xticklabels(), *axes.texts]]
    return [*legends, *ticks, axes.get_xlabel(), axes.figure.get_supxlabel()]


def rows(effects, **key):
    return effects[np.logical_and.reduce([effects[name] == value for name, value in key.items()])]


def test_flow_draws_the_counts(survey, scores, nga_bay):
    counts = ek.record_tables.flow_counts(survey, scores, nga_bay)
    axes = ek.figures.flow(counts, nga_bay, "vi")
    before = counts[counts["wave"] == "truoc"]
    widths = [bar.get_width() for bar in axes.containers[0]]
    assert widths == [before[stage].sum() for stage in ("issued", "returned", "valid", "analysed")]
    assert "1.083" in said(axes)


def test_answers_draw_the_shares_around_the_middle(survey, nga_bay):
    item = nga_bay.codebook["q7"]
    shares = ek.indicators.answer_shares(survey.responses, survey.missing, item, nga_bay.design.periods)
    axes = ek.figures.answers({"q7": shares}, nga_bay, "vi")
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert len(bars) == 2 * 6
    for period, drawn_bars in (("before", bars[:6]), ("after", bars[6:])):
        found = shares[shares["period"] == period]
        valid = found.loc[found["kind"] == "answer", "share"].tolist()
        assert [width for _, width in drawn_bars[:5]] == pytest.approx(valid)
        # The neutral answer is centred on zero; don't-know stands apart.
        assert drawn_bars[2][0] + drawn_bars[2][1] / 2 == pytest.approx(0)
        assert drawn_bars[5][1] == pytest.approx(found.loc[found["kind"] == "dont_know", "share"].item())


def test_levels_draw_both_levels_and_their_intervals(effects, nga_bay):
    groups = list(nga_bay.design.arms)
    axes = ek.figures.levels(effects, nga_bay, "vi", indicators=["cchc"], groups=groups)
    found = rows(effects, indicator="cchc", estimand="level")
    found = found[found["group"].isin(groups)]
    for column in ("estimate", "conf_low", "conf_high"):
        assert all(np.isclose(drawn(axes), value).any() for value in found[column])
    assert "xã Hiệp Lợi" in said(axes) and "trước" in said(axes)


def test_changes_draw_the_adjusted_intervals(effects, nga_bay):
    planned = [*nga_bay.plan.primary, *nga_bay.plan.secondary]
    axes = ek.figures.changes(effects, nga_bay, "vi", indicators=planned)
    ends = np.concatenate([np.asarray(part)[:, 0] for lines in axes.collections for part in lines.get_segments()])
    for group, estimand, method in (("pilot", "change", "linearised"), ("pilot - comparison", "did", "unit t")):
        found = rows(effects, group=group, estimand=estimand, method=method).set_index("indicator").loc[planned]
        assert all(np.isclose(drawn(axes), value).any() for value in found["estimate"])
        for column in ("conf_low_adjusted", "conf_high_adjusted"):
            assert all(np.isclose(ends, value).any() for value in found[column])
    low, high = axes.get_xlim()
    assert low <= ends.min() and ends.max() <= high


def test_unit_changes_are_sorted_and_mark_the_pilots(effects, nga_bay):
    axes = ek.figures.unit_changes(effects, nga_bay, "vi", indicator="hai_long")
    found = rows(effects, indicator="hai_long", estimand="change", contrast=CHANGE)
    found = found[found["group"].isin(list(nga_bay.design.arms))].sort_values("estimate", ascending=False)
    pilots = found[found["group"].map(nga_bay.design.arms) == "pilot"]["estimate"]
    assert axes.lines[0].get_xdata() == pytest.approx(pilots)
    assert axes.get_yticklabels()[0].get_text() == "xã Hiệp Lợi"


def test_series_draws_every_wave():
    study = ek.open_study(ROOT / "data" / "organ-donations")
    survey = ek.clean(ek.read(study), study)
    scores = ek.score(survey.responses, study.index, study.codebook)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    axes = ek.figures.series(effects, study, "en", indicator="rate")
    california = scores[scores["unit"] == "CA"].set_index("wave")["rate"]
    pilot = next(line for line in axes.lines if line.get_label() == "Pilot")
    assert list(pilot.get_ydata()) == pytest.approx(california[[w.code for w in study.declared.waves]].tolist())
    assert "SIMULATED DATA" not in said(axes)


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_figure_of_a_simulated_study_says_so(survey, scores, effects, nga_bay, language):
    planned = list(nga_bay.plan.primary)
    shares = ek.indicators.answer_shares(
        survey.responses, survey.missing, nga_bay.codebook["q7"], nga_bay.design.periods
    )
    figures = [
        ek.figures.flow(ek.record_tables.flow_counts(survey, scores, nga_bay), nga_bay, language),
        ek.figures.answers({"q7": shares}, nga_bay, language),
        ek.figures.levels(effects, nga_bay, language, indicators=planned, groups=["pilot"]),
        ek.figures.changes(effects, nga_bay, language, indicators=planned),
        ek.figures.unit_changes(effects, nga_bay, language, indicator="hai_long"),
    ]
    for axes in figures:
        assert ek.language.text("simulated", language) in said(axes)


def test_figures_have_a_glyph_for_every_letter(effects, nga_bay):
    # A missing glyph is a warning of Matplotlib, and warnings are errors here.
    axes = ek.figures.levels(effects, nga_bay, "vi", indicators=["van_hoa"], groups=list(nga_bay.design.arms))
    axes.set_xlabel("ĂÂĐÊÔƠƯ ăâđêôơư ằẳẵặầẩẫậềểễệồổỗộờởỡợừửữự ỳỷỹỵ ₫ “”«»–")
    axes.figure.savefig(BytesIO(), format="png")


def test_the_did_is_drawn_only_where_there_is_one(effects, nga_bay):
    alone = effects[~effects["group"].isin(["comparison", "pilot - comparison"])]
    axes = ek.figures.changes(alone, nga_bay, "en", indicators=["hai_long"])
    assert rows(effects, contrast=DID)["estimate"].iloc[0] not in drawn(axes)
    assert "Pilot against comparison" not in said(axes)


def test_composition_draws_the_standardised_differences(survey, nga_bay):
    who = ek.comparability.composition(survey.responses, nga_bay)
    axes = ek.figures.composition(who, nga_bay, "vi")
    found = who.drop_duplicates(["group", "variable"])
    for group, line in zip(("pilot", "comparison"), axes.lines, strict=False):
        expected = found[found["group"] == group].set_index("variable")["standardised_difference"].abs()
        assert list(line.get_xdata()) == pytest.approx(expected[list(nga_bay.design.composition)].tolist())
    assert axes.lines[2].get_xdata() == [0.1, 0.1]
    assert axes.get_xlim()[1] > found["standardised_difference"].abs().max()
    few = who.assign(standardised_difference=np.inf)
    assert np.isfinite(ek.figures.composition(few, nga_bay, "vi").get_xlim()).all()


class TestTransitions:
    def test_cells_are_shares_of_the_same_people(self, scores, survey, nga_bay):
        axes = ek.figures.transitions(scores, nga_bay, "vi", indicator="hai_long", group="pilot")
        answers = survey.responses[survey.responses["unit"].isin(["HL", "NB"])]
        both = answers.pivot(index="respondent", columns="wave", values="q7").dropna()
        shares = 100 * pd.crosstab(both["truoc"], both["sau"]).reindex(index=range(1, 6), columns=range(1, 6))
        expected = (shares.fillna(0) / len(both)).to_numpy()
        small = (expected > 0) & (expected * len(both) / 100 < 4.5)  # fewer than five people
        few = np.array([text.get_text() == "·" for text in axes.texts]).reshape(expected.shape)
        assert small.any() and few[small].all() and not few[expected == 0].any()
        assert axes.images[0].get_array().data == pytest.approx(np.where(few, 0, expected))
        shown = zip(few.ravel(), expected.ravel(), strict=True)
        assert [text.get_text() for text in axes.texts] == [
            "·" if hidden else f"{share:.0f}" for hidden, share in shown
        ]

    def test_fewer_pairs_than_the_smallest_cell_are_not_drawn(self, scores, nga_bay):
        pilots = scores[scores["unit"].isin(["HL", "NB"])]
        both = pilots.dropna(subset="hai_long").groupby("respondent")["wave"].nunique().loc[lambda n: n == 2].index
        drawn = {
            count: ek.figures.transitions(
                pilots[pilots["respondent"].isin(both[:count])].reset_index(drop=True),
                nga_bay, "vi", indicator="hai_long", group="pilot",
            )
            for count in (4, 5)
        }  # fmt: skip
        assert drawn[4] is None and drawn[5] is not None

    def test_an_index_of_several_questions_has_none(self, scores, nga_bay):
        assert ek.figures.transitions(scores, nga_bay, "vi", indicator="cchc", group="pilot") is None


def meets_zero(axes):
    """Where the drawn interval first includes zero, and where the line of the conclusion's fall stands."""
    band = axes.collections[0].get_paths()[0].vertices
    grid = np.unique(band[:, 0])
    ends = np.array([[band[band[:, 0] == x, 1].min(), band[band[:, 0] == x, 1].max()] for x in grid])
    covers = (ends[:, 0] <= 0) & (ends[:, 1] >= 0)
    return grid[covers.argmax()], axes.lines[2].get_xdata()[0], grid[1] - grid[0]


class TestShocks:
    def test_the_interval_meets_zero_where_the_conclusion_falls(self, effects, nga_bay):
        axes = ek.figures.shocks(effects, nga_bay, "vi", indicator="hai_long")
        crossing, falls, step = meets_zero(axes)
        shown = rows(effects, indicator="hai_long", estimand="breaking shock")["estimate"].item()
        assert falls == pytest.approx(shown) and crossing == pytest.approx(falls, abs=1.5 * step)
        sd = rows(effects, indicator="hai_long", estimand="shock sd").iloc[0]
        assert axes.lines[3].get_xdata()[0] == pytest.approx(sd["estimate"])
        ends = np.concatenate([part[:, 0] for part in axes.collections[1].get_segments()])
        assert ends == pytest.approx([sd["conf_low"], min(sd["conf_high"], axes.get_xlim()[1])])

    def test_also_of_places_without_arms_and_of_unequal_size(self, nga_bay, scores):
        """What falls is the change at fixed composition, of places that count by their people."""
        units = tuple(unit.model_copy(update={"arm": None}) for unit in nga_bay.declared.units)
        design = nga_bay.declared.design.model_copy(update={"composition": ()})
        declared = nga_bay.declared.model_copy(update={"units": units, "design": design})
        study = type(nga_bay)(nga_bay.folder, declared, nga_bay.codebook, nga_bay.index, nga_bay.corrections)
        few = scores["unit"].isin(["A", "B", "C", "D"]) & (scores["row_id"].str[-1] > "1")
        thin = scores[~few].reset_index(drop=True)
        effects = ek.compare(thin, study.design, study.plan, study.index)
        crossing, falls, step = meets_zero(ek.figures.shocks(effects, study, "vi", indicator="hai_long"))
        assert falls > 0 and crossing == pytest.approx(falls, abs=1.5 * step)


def test_the_specification_curve_draws_every_way_sorted_and_marks_the_planned_one(survey, nga_bay):
    found = ek.robustness.specifications(survey, nga_bay)
    ways = found[found["estimand"] == "specification"]
    axes = ek.figures.robustness(found, nga_bay, "vi")
    points = np.concatenate([np.column_stack(line.get_data()) for line in axes.lines[:3]])
    drawn = points[points[:, 0].argsort()]
    assert drawn[:, 0].tolist() == list(range(len(ways)))
    assert drawn[:, 1] == pytest.approx(np.sort(ways["estimate"]))
    planned = axes.lines[3]
    assert planned.get_ydata()[0] == pytest.approx(ways["estimate"].iloc[0])
    ends = np.concatenate([part[:, 1] for lines in axes.collections for part in lines.get_segments()])
    assert np.sort(ends) == pytest.approx(np.sort(ways[["conf_low", "conf_high"]].to_numpy().ravel()))
    # Below, every way has one mark a dimension that differs.
    below = axes.figure.axes[1]
    marks = np.concatenate([line.get_xdata() for line in below.lines if line.get_marker() == "|"])
    assert np.bincount(marks.astype(int)).tolist() == [5] * len(ways)
