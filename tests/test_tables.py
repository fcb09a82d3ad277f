"""Tables: rounded, in the reader's language, small cells suppressed, cells never markup."""

import pandas as pd
import pytest

import evalkit as ek


def test_flow_counts_close(survey, scores, nga_bay):
    counts = ek.tables.flow_counts(survey, scores, nga_bay)
    assert (counts["returned"] == counts["valid"] + counts["dropped"]).all()
    assert (counts["analysed"] <= counts["valid"]).all()
    assert counts["returned"].sum() == len(survey.coded)


def test_the_response_rate_is_that_of_valid_forms(survey, scores, nga_bay):
    table = ek.tables.flow(survey, scores, nga_bay, "en")
    counts = ek.tables.flow_counts(survey, scores, nga_bay)
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
    assert (table[["Answers before / after", "Before", "After", "Difference"]] == "hidden (under 5)").all(axis=None)


def test_did_shows_both_intervals_and_the_placebo_p(effects, nga_bay):
    table = ek.tables.did(effects, nga_bay, "en", indicators=["hai_long"])
    assert table.loc[0, "Placebo p"] == "0.036"
    assert table.loc[0, "Interval for these units"] != table.loc[0, "Unit-level interval"]


def test_decisions_give_their_reasons(nga_bay):
    table = ek.tables.decisions(nga_bay, "vi")
    assert len(table) == len(nga_bay.corrections) == 4
    assert table["Giá trị cũ"].tolist().count("340") == 1
    assert (table["Lý do"].str.len() > 10).all()


def test_record_sentence_closes(survey, nga_bay):
    assert ek.tables.record_sentence(survey, nga_bay, "en").startswith(
        "2,162 rows were read from the raw files: 2,160 kept, 2 dropped; 2 decisions on single answers."
    )


def test_tree_names_roles_and_items(nga_bay):
    table = ek.tables.tree(nga_bay, "en")
    assert table["Role"].tolist() == ["primary", *["secondary"] * 6, "for information"]


@pytest.mark.parametrize(
    ("cell", "aligned"),
    [("−2,5", "---:"), ("1.234 / 56", "---:"), ("12/01/2020 – 17/01/2020", ":---"), ("a", ":---")],
)
def test_numbers_stand_right(cell, aligned):
    assert ek.tables.markdown(pd.DataFrame({"x": [cell]})).splitlines()[1] == f"|{aligned}|"


def test_a_bar_in_a_cell_does_not_break_the_table():
    assert ek.tables.markdown(pd.DataFrame({"x": ["a|b\nc"]})).splitlines()[2] == "| a\\|b c |"
