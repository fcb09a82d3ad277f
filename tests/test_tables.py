"""Tables: rounded, in the reader's language, small cells suppressed, cells never markup."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import evalkit as ek


def test_flow_counts_close(survey, scores, nga_bay):
    counts = ek.record_tables.flow_counts(survey, scores, nga_bay)
    assert (counts["returned"] == counts["valid"] + counts["dropped"]).all()
    assert (counts["analysed"] <= counts["valid"]).all()
    assert counts["returned"].sum() == len(survey.coded)


def test_the_response_rate_is_that_of_valid_forms(survey, scores, nga_bay):
    table = ek.record_tables.flow(survey, scores, nga_bay, "en")
    counts = ek.record_tables.flow_counts(survey, scores, nga_bay)
    assert table["Valid/issued (%)"].tolist() == [f"{100 * valid / 150:.1f}" for valid in counts["valid"]]
    # A commune that became a ward between the surveys is called as on the day.
    assert table["Place"][[0, 8]].tolist() == ["Hiệp Lợi commune", "Hiệp Lợi ward"]


def test_effects_in_vietnamese(effects, nga_bay):
    table = ek.tables.effects(effects, nga_bay, "vi", groups=["HL"], indicators=["hai_long", "ty_le_hai_long"])
    assert list(table.columns) == [
        "Chỉ số", "Đơn vị", "Số trả lời trước / sau", "Trước", "Sau", "Chênh lệch",
        "Khoảng tin cậy của chênh lệch", "Đơn vị tính",
    ]  # fmt: skip
    assert table["Đơn vị"].tolist() == ["xã Hiệp Lợi"] * 2
    # Percent and percentage points are not the same thing.
    assert table["Đơn vị tính"].tolist() == ["điểm", "%; chênh lệch: điểm phần trăm"]
    assert table["Chênh lệch"].str.match(r"^[+−]\d+,\d$").all()


def test_without_licence_no_difference_is_shown(effects, nga_bay):
    table = ek.tables.effects(effects, nga_bay, "en", groups=["HL"], indicators=["cchc"], changes=False)
    assert not {"Difference", "Interval of the difference"} & set(table.columns)


def test_small_cells_are_suppressed(effects, nga_bay):
    few = effects.assign(n_before=4.0)
    table = ek.tables.effects(few, nga_bay, "en", groups=["HL", "A"], indicators=["cchc"])
    assert (table[["Answers before / after", "Before", "After", "Difference"]] == "hidden (groups under 5)").all(
        axis=None
    )


def test_did_shows_both_intervals_and_the_placebo_p(effects, nga_bay):
    table = ek.tables.did(effects, nga_bay, "en", indicators=["hai_long"])
    assert table.loc[0, "Placebo p"] == "0.036"
    assert table.loc[0, "Interval for these units"] != table.loc[0, "Unit-level interval"]


def test_decisions_give_their_reasons(nga_bay):
    table = ek.record_tables.decisions(nga_bay, "vi")
    assert len(table) == len(nga_bay.corrections) == 4
    assert table["Giá trị cũ"].tolist().count("340") == 1
    assert (table["Lý do"].str.len() > 10).all()


def test_record_sentence_closes(survey, nga_bay):
    assert ek.record_tables.record_sentence(survey, nga_bay, "en").startswith(
        "2,162 rows were read from the raw files: 2,160 kept, 2 dropped; 2 decisions on single answers."
    )


def test_tree_names_roles_and_items(nga_bay):
    table = ek.record_tables.tree(nga_bay, "en")
    assert table["Role"].tolist() == ["primary", *["secondary"] * 6, *["for information"] * 7]


@pytest.mark.parametrize(
    ("cell", "aligned"),
    [("−2,5", "---:"), ("1.234 / 56", "---:"), ("12/01/2020 – 17/01/2020", ":---"), ("a", ":---")],
)
def test_numbers_stand_right(cell, aligned):
    assert ek.tables.markdown(pd.DataFrame({"x": [cell]})).splitlines()[1] == f"|{aligned}|"


def test_a_bar_in_a_cell_does_not_break_the_table():
    assert ek.tables.markdown(pd.DataFrame({"x": ["a|b\nc"]})).splitlines()[2] == "| a\\|b c |"


def replanned(study, **plan):
    """The study under another plan."""
    return replace(study, declared=study.declared.model_copy(update={"plan": study.plan.model_copy(update=plan)}))


def test_screened_outcomes_are_called_so(nga_bay):
    study = replanned(nga_bay, secondary=(), screening=("cchc",))
    assert ek.record_tables.tree(study, "en")["Role"].tolist()[:2] == ["primary", "screened"]


class TestComposition:
    def test_shows_the_numbers_of_the_frame(self, survey, nga_bay):
        frame = ek.comparability.composition(survey.responses, nga_bay)
        table = ek.tables.composition(frame, nga_bay, "en")
        assert len(table) == len(frame)
        many = frame[["n_before", "n_after"]].min(axis=1) >= 5
        for column, words in (("before", "Before"), ("after", "After")):
            assert table.loc[many, words].tolist() == [f"{value:.1f}" for value in frame.loc[many, column]]
        # Said once a variable, not with every answer.
        shown = table["Standardised difference"][table["Standardised difference"] != ""]
        first = frame.drop_duplicates(["group", "variable"])["standardised_difference"]
        assert shown.index.tolist() == first.index.tolist()
        assert shown.astype(float).tolist() == pytest.approx(first.tolist(), abs=0.0051)

    @pytest.mark.parametrize(("before", "after"), [(4, 90), (90, 4), (4, 0), (0, 4), (1, 1)])
    def test_a_cell_of_few_people_is_hidden_whatever_stands_beside_it(self, survey, nga_bay, before, after):
        frame = ek.comparability.composition(survey.responses, nga_bay).head(1)
        frame = frame.assign(before=12.3, after=45.6, n_before=before, n_after=after)
        table = ek.tables.composition(frame, nga_bay, "en")
        assert table.loc[0, ["Before", "After"]].tolist() == ["hidden (groups under 5)"] * 2

    def test_a_cell_of_nobody_or_of_five_is_shown(self, survey, nga_bay):
        frame = ek.comparability.composition(survey.responses, nga_bay).head(1)
        for before, after in ((5, 90), (0, 90), (0, 0)):
            shown = ek.tables.composition(frame.assign(n_before=before, n_after=after), nga_bay, "en")
            assert not shown.loc[0, "Before"].startswith("hidden")


def test_ordinal_rows_hold_the_chance_the_pairs_and_the_checks(effects, nga_bay):
    table = ek.tables.ordinal(effects, nga_bay, "en", indicators=["hai_long", "cchc"])
    key = {"indicator": "hai_long", "group": "pilot"}
    rows = effects[(effects["indicator"] == "hai_long") & (effects["group"] == "pilot")].set_index("estimand")
    first = table.iloc[0]
    chance = rows.loc["superiority"]
    assert first["Chance of a higher answer after, %"] == (
        f"{chance['estimate']:.1f} ({chance['conf_low']:.1f} to {chance['conf_high']:.1f})"
    )
    pairs = [rows.loc[f"pairs {side}", "estimate"] for side in ("higher", "lower")]
    assert first["Same people: higher / lower, %"] == "{:.1f} / {:.1f}".format(*pairs)
    assert first["p, same distribution"] in (f"{rows.loc['homogeneity', 'p_value']:.3f}", "< 0.001")
    # An index of several questions has no one distribution.
    assert table.iloc[-1][["Under every scoring", "p, same distribution", "Log odds ratio"]].tolist() == ["–"] * 3
    few = effects.assign(n_before=4.0)
    assert ek.tables.ordinal(few, nga_bay, "en", indicators=[key["indicator"]]).empty


def test_methods_stand_beside_each_other_with_their_own_intervals(effects, nga_bay):
    table = ek.tables.methods(effects, nga_bay, "en", indicator="hai_long").set_index("Method")
    rows = effects[(effects["indicator"] == "hai_long") & (effects["estimand"] == "did")].set_index("method")
    assert len(table) == len(rows) == 7
    for words, method in (("units, placebo", "placebo"), ("units, t test (Donald and Lang 2007)", "unit t")):
        row = rows.loc[method]
        low, high = (f"{row[end]:+.1f}".replace("-", "−") for end in ("conf_low", "conf_high"))
        assert table.loc[words, "p"] == f"{row['p_value']:.3f}"
        assert table.loc[words, "Interval of the difference"].replace("+", "") == f"{low} to {high}".replace("+", "")


def test_an_interval_without_ends_is_called_unbounded(effects, nga_bay):
    endless = effects["method"] == "placebo"
    effects = effects.assign(
        conf_low=effects["conf_low"].mask(endless, -np.inf), conf_high=effects["conf_high"].mask(endless, np.inf)
    )
    for language, word in (("en", "unbounded"), ("vi", "không giới hạn")):
        table = ek.tables.methods(effects, nga_bay, language, indicator="hai_long")
        assert (table.iloc[:, 2] == word).sum() == 1
        assert not table.map(lambda cell: "inf" in cell or "∞" in cell).any(axis=None)


def test_shocks_are_told_with_their_interval_and_where_the_conclusion_falls(effects, nga_bay):
    known, falls = ek.tables.shock_sentences(effects, nga_bay, "en", indicator="hai_long")
    rows = effects[effects["indicator"] == "hai_long"].set_index("estimand")
    for column in ("estimate", "conf_low", "conf_high"):
        assert f"{rows.loc['shock sd', column]:.1f}" in known
    breaks = rows.loc["breaking shock", "estimate"]
    assert f"{breaks:.1f}" in falls
    assert rows.loc["shock sd", "estimate"] < breaks < rows.loc["shock sd", "conf_high"]
    assert "do not rule that out" in falls
    for size, words in ((0.5, "put it below"), (2, "That is beyond")):
        other = effects.assign(
            **{
                name: effects[name].mask(effects["estimand"] == "shock sd", size * breaks)
                for name in ("estimate", "conf_high")
            }
        )
        assert words in ek.tables.shock_sentences(other, nga_bay, "en", indicator="hai_long")[1]


def test_a_shock_that_cannot_be_told_is_not_given_as_a_number(effects, nga_bay):
    here = effects["estimand"] == "shock sd"
    unknown = effects.assign(
        estimate=effects["estimate"].mask(here), conf_high=effects["conf_high"].mask(here, np.inf)
    )
    known, *_ = ek.tables.shock_sentences(unknown, nga_bay, "en", indicator="hai_long")
    assert "cannot be estimated" in known and "inf" not in known and "nan" not in known


def test_steps_before_the_pilot_are_named_and_rounded():
    study = ek.open_study(ROOT / "data/organ-donations")
    scores = ek.score(ek.clean(ek.read(study), study).responses, study.index, study.codebook)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    table = ek.tables.pre_period(effects, study, "en", indicators=["rate"])
    assert table["Between waves"].tolist() == ["Q4 2010 → Q1 2011", "Q1 2011 → Q2 2011"]
    found = effects[(effects["estimand"] == "pre-period did") & (effects["method"] == "placebo")]
    assert table["Placebo p"].tolist() == [f"{p:.3f}" for p in found["p_value"]]
    shown = table["Difference in differences"].str.replace("−", "-").astype(float)
    assert shown.tolist() == pytest.approx(found["estimate"].tolist(), abs=5.1e-5)


def test_a_panel_says_whether_people_were_sought_again(scores, nga_bay):
    twice = scores.groupby("respondent")["wave"].nunique().eq(2).sum()
    (sentence,) = ek.tables.panel_sentences(scores, nga_bay, "en")
    assert f"{twice:,} answered both times" in sentence


class TestWhatIsHiddenCannotBeReckoned:
    def test_the_smallest_other_unit_of_the_arm_is_hidden_too(self, effects, nga_bay):
        few = effects.assign(n_after=effects["n_after"].mask(effects["group"] == "C", 4.0))
        table = ek.tables.effects(few, nga_bay, "en", groups=list(nga_bay.design.arms), indicators=["cchc"])
        hidden = table["Before"] == "hidden (groups under 5)"
        rows = few[(few["indicator"] == "cchc") & (few["estimand"] == "change") & (few["method"] == "linearised")]
        others = rows.set_index("group").loc[["A", "B", "D", "E", "F"], "n_after"]
        names = [nga_bay.unit_label(unit, "en") for unit in ("C", others.idxmin())]
        assert sorted(table.loc[hidden, "Place"]) == sorted(names)

    def test_nothing_between_arms_is_shown_where_one_is_hidden(self, effects, nga_bay):
        few = effects.assign(n_before=effects["n_before"].mask(effects["group"] == "pilot", 4.0))
        table = ek.tables.did(few, nga_bay, "en", indicators=["hai_long"])
        assert (
            table.columns.tolist() == ek.tables.did(effects, nga_bay, "en", indicators=["hai_long"]).columns.tolist()
        )
        assert (table.iloc[0, 1:] == "hidden (groups under 5)").all()

    def test_two_rare_answers_of_too_few_people_hide_a_third(self, survey, nga_bay):
        frame = ek.comparability.composition(survey.responses, nga_bay)
        education = frame[(frame["group"] == "pilot") & (frame["variable"] == "hoc_van")].index
        rare = frame.copy()
        rare.loc[education, "n_before"] = [1, 2, 40, 9, 70]
        table = ek.tables.composition(rare, nga_bay, "en")
        assert (table.loc[education, "Before"] == "hidden (groups under 5)").tolist() == [
            True,
            True,
            False,
            True,
            False,
        ]

    def test_a_rare_answer_is_not_counted_by_its_spellings(self, survey, nga_bay):
        sex = survey.mapping["variable"] == "gioi_tinh"
        counts = survey.mapping["count"].where(~(sex & (survey.mapping["code"] == 1)), 0)
        counts[counts[sex].idxmin()] = 3
        table = ek.record_tables.spellings(
            replace(survey, mapping=survey.mapping.assign(count=counts)), nga_bay, "en"
        )
        assert table.iloc[:2, -1].tolist() == ["hidden (groups under 5)"] * 2
        assert not table.iloc[2:, -1].str.startswith("hidden").any()
