"""Figures are tested by the numbers they draw."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib import pyplot as plt

import evalkit as ek
from evalkit.comparison import CHANGE, DID

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
    counts = ek.tables.flow_counts(survey, scores, nga_bay)
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
        ek.figures.flow(ek.tables.flow_counts(survey, scores, nga_bay), nga_bay, language),
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
