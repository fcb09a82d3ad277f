import unicodedata
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import CODEBOOK, CORRECTIONS, FILES, cases
from hypothesis import given
from hypothesis import strategies as st

import evalkit as ek
from evalkit.cleaning import derive_log
from evalkit.coding import code_text

CELLS = r"""
Bình thường,KB => Binh thuong,KB
    raw/sau.csv, line 3, "Câu 1": the answer "Binh thuong" is not in the scale (Officials are courteous); nearest:
        "Bình thường" → 2? Add it to the synonyms in scales.csv, or write the decision into corrections.csv (row_id
        sau-3, variable q1).
34,3, => 34,7,
    raw/sau.csv, line 5, "Câu 1": the code 7 is outside the scale (Officials are courteous); codes: 1, 2, 3, 98, 99.
        Look at the form and write the decision into corrections.csv (row_id sau-5, variable q1).
34,3, => 134,3,
    raw/sau.csv, line 5, "Tuổi": the number 134 is outside 18–100 (Age); look at the form and write the decision into
        corrections.csv (row_id sau-5, variable tuoi).
34,3, => 34.000,3,
    raw/sau.csv, line 5, "Tuổi": the number "34.000" can be read in two ways (decimals or thousands); declare decimal
        = "," or "." for this wave in study.toml.
34,3, => ba tư,3,
    raw/sau.csv, line 5, "Tuổi": "ba tư" is not a number (Age); look at the form and write the decision into
        corrections.csv (row_id sau-5, variable tuoi).
02/11/2026,34 => 02/12/2026,34
    raw/sau.csv, line 5, "Ngày": the date 02/12/2026 is outside the days in the field 02/11/2026–27/11/2026; look at
        the form and write the decision into corrections.csv (row_id sau-5, variable ngay).
02/11/2026,34 => 11/27/2026,34
    raw/sau.csv, line 5, "Ngày": "11/27/2026" is a date only with the month first; if the whole column is so, declare
        dates = "mdy" for this wave, else correct it in corrections.csv (valid: 02/11/2026–27/11/2026).
H6,DC => H6,xã Thuận Hưng
    raw/sau.csv, line 7, "Đơn vị": the unit "xã Thuận Hưng" is not in study.toml; nearest: xã Thuận Hòa. Add the
        spelling at the end of the unit's names, or write the decision into corrections.csv (row_id sau-7, variable
        don_vi).
H6,DC,Ấp 2 => H6,DC,
    raw/sau.csv, line 7, "Ấp": the cell is empty; a value is needed.
H2,xã => H1,xã
    raw/sau.csv, line 3, "Mã hộ": this respondent is already on line 2 of the same wave; write into corrections.csv
        which form is dropped.
H4,Xã đối chứng bảy => H4,DC
    raw/sau.csv, line 5, "Mã hộ": this respondent is of DC here and of 007 in row truoc-5; if every place numbers
        anew, join place and household code, or leave out the key respondent in study.toml.
Võ Không Thật,H5,XÃ THUẬN HOÀ,Ấp 1,02/11/2026,25,CHN,98\nĐặng Mô Phỏng,H6,DC,Ấp 2,02/11/2026,76,Tạm,Lịch sự\n =>
    raw/sau.csv: the unit "DC" has no form in this wave; every unit needs data in every wave, or is left out of
        study.toml.
"""
COUNTS = r"""
issued = { TD = 10 } => issued = { TD = 1 }
    study.toml, "waves[2].issued": study.toml declares 1 issued forms for TD, but 2 forms are left after dropping.
returned = { TD = 2 } => returned = { TD = 3 }
    study.toml, "waves[2].returned": study.toml declares 3 returned forms for TD, but the raw file has 2 rows.
"""
DECISIONS = r"""
sau-9,tuoi,set,41,42,Xem phiếu =>
    corrections.csv, line 2, "row_id": there is no row "sau-9"; a row_id is the wave's code, a dash and the line in
        the raw file, for example truoc-2.
sau-2,tuoi,set,40,42,Xem phiếu =>
    corrections.csv, line 2, "old_value": the old value "40" is not what the raw file holds (code now: 41); check the
        line and the question.
sau-5,q2,set,KB,1,Xem phiếu =>
    corrections.csv, line 2, "old_value": the old value "KB" is not what the raw file holds (code now: ); check the
        line and the question.
sau-2,tuoi,set,41,42,Xem phiếu\nsau-2,tuoi,blank,41,,Xem phiếu =>
    corrections.csv, line 3, "row_id": the row "sau-2" already has another decision on the same answer; keep one.
sau-2,tuoii,set,41,42,Xem phiếu =>
    corrections.csv, line 2, "variable": there is no variable "tuoii"; nearest: tuoi.
sau-2,tuoi,set,41,410,Xem phiếu =>
    corrections.csv, line 2, "new_value": the number 410 is outside 18–100 (Age); look at the form and write the
        decision into corrections.csv (row_id sau-2, variable tuoi).
sau-2,q1,set,3,Hòa nhả,Xem phiếu =>
    corrections.csv, line 2, "new_value": the answer "Hòa nhả" is not in the scale (Officials are courteous); nearest:
        "Hòa nhã" → 3? Add it to the synonyms in scales.csv, or write the decision into corrections.csv (row_id sau-2,
        variable q1).
sau-2,tuoi,set,41,42,Xem phiếu\nsau-2,,drop_row,,,Phiếu trùng =>
    corrections.csv, line 3, "row_id": the row "sau-2" already has another decision on the same answer; keep one.
"""


def coded(variable, study, text, decimal=None):
    """A cell's code, or the name of its missing kind, or the key of the problem."""
    wave = study.declared.waves[0].model_copy(update={"decimal": decimal})
    code, kind, problem, _ = code_text(text, variable, wave)
    return problem or kind or code


@pytest.mark.parametrize(
    ("expected", "texts"),
    {
        5: ["Rất hài lòng", "Very satisfied", "RHL", "5", "5.0", "5,0", " rất HÀI  lòng\u200b"],
        "dont_know": ["Không biết", "Don't know", "Không rõ", "99"],
        "refused": ["Từ chối trả lời", "98"],
        "blank": ["", " \u200b\u00a0"],
        "code_outside": ["6", "0", "4,5", "-1"],
        "answer_unknown": ["hài", "rât hài lòng", "hài long", "5 điểm"],
    }.items(),
)
def test_an_answer_is_coded_by_label_synonym_or_code(nga_bay, expected, texts):
    assert {coded(nga_bay.codebook["q7"], nga_bay, text) for text in texts} == {expected}


@given(
    data=st.data(),
    case=st.sampled_from([str, str.lower, str.upper, str.title, str.swapcase]),
    form=st.sampled_from(["NFC", "NFD"]),
    gaps=st.lists(st.sampled_from([" ", "  ", "\u00a0", "\t", " \u200b"]), min_size=9, max_size=9),
)
def test_spelling_never_changes_a_code(nga_bay, data, case, form, gaps):
    variable = data.draw(st.sampled_from([v for v in nga_bay.codebook.values() if v.scale]))
    answer = data.draw(st.sampled_from(variable.scale.answers))
    words = data.draw(st.sampled_from([*answer.labels.values(), *answer.synonyms])).split()
    text = "".join(gap + word for gap, word in zip(gaps, words, strict=False)) + gaps[-1]
    assert coded(variable, nga_bay, unicodedata.normalize(form, case(text))) == (answer.missing or answer.code)


def test_tone_placement_never_changes_a_code(make_study):
    study = ek.open_study(make_study())
    texts = ["Hòa nhã", "Hoà nhã", "HOÀ NHÃ", unicodedata.normalize("NFD", "hoà nhã")]
    assert {coded(study.codebook["q1"], study, text) for text in texts} == {3}


@pytest.mark.parametrize(
    ("decimal", "readings"),
    [
        (None, {"12,5": 12.5, "12.5": 12.5, "1.234,5": 1234.5, "1,234.5": 1234.5, " 45 ": 45}),
        (None, {"0,125": 0.125, "1234,567": 1234.567, "-1.234,5": -1234.5, "1 234 567": 1234567, "": "blank"}),
        (None, {"1.234": "number_ambiguous", "1,234": "number_ambiguous", "12,345": "number_ambiguous"}),
        (".", {"1.234": 1.234, "1,234": 1234, "1,234.5": 1234.5, "1.234,5": "cell_not_a_number"}),
        (",", {"1.234": 1234, "1,234": 1.234, "1.234,5": 1234.5, "12.5": "cell_not_a_number"}),
        (None, dict.fromkeys(["12,5 phút", "1,5,6", "12,34.5", "1.2345,6", "12,", "~5", "nan"], "cell_not_a_number")),
        (None, {"1.234.567": 1234567, "1,234,567": 1234567}),
        (None, {"30 35": "cell_not_a_number", "1 234": 1234}),
    ],
)
def test_numbers_are_read_in_both_styles_and_never_guessed(nga_bay, decimal, readings):
    unbounded = replace(nga_bay.codebook["cho"], minimum=None, maximum=None)
    assert {text: coded(unbounded, nga_bay, text, decimal) for text in readings} == readings


@pytest.mark.parametrize(("text", "expected"), {"05/01/2020": 5, "5/1/2020": 5, "2020-01-05": 5}.items())
def test_dates_are_read_day_first(nga_bay, text, expected):
    assert coded(nga_bay.codebook["ngay"], nga_bay, text) == pd.Timestamp(2020, 1, expected)


@pytest.mark.parametrize(("file", "old", "new", "expected"), cases(sau=CELLS, study=COUNTS))
def test_what_does_not_fit_is_named(make_study, messages, file, old, new, expected):
    assert messages(make_study(**{file: (old, new)})) == expected


@pytest.mark.parametrize(("file", "rows", "_", "expected"), cases(corrections=DECISIONS))
def test_a_decision_that_does_not_fit_is_named(make_study, messages, file, rows, _, expected):
    assert messages(make_study(**{file: CORRECTIONS + rows})) == expected


def test_all_that_does_not_fit_is_named_at_once(make_study, messages):
    change = {"truoc": ("34,3", "134,7"), "sau": ("H6,DC", "H1,XX")}
    found = messages(make_study(**change), "vi")
    assert [message.partition(": ")[0] for message in found] == [
        "raw/truoc.csv, dòng 5, «Tuổi»",
        "raw/truoc.csv, dòng 5, «Câu 1»",
        "raw/sau.csv, dòng 7, «Đơn vị»",
        "raw/sau.csv, dòng 7, «Mã hộ»",
    ]
    assert found[0].endswith(
        "; hãy đối chiếu phiếu gốc và ghi quyết định vào corrections.csv (row_id truoc-5, variable tuoi)."
    )


def test_a_wrong_decision_hides_no_wrong_answer(make_study, messages):
    assert len(messages(make_study(sau=("34,3", "34,7"), corrections=CORRECTIONS + "sau-9,,drop_row,,,Trùng\n"))) == 2


def weighted(*weights):
    """Changes that give every form of the second wave a weight."""

    def column(text, cells):
        return "".join(f"{row},{cell}\n" for row, cell in zip(text.splitlines(), ["Trọng số", *cells], strict=True))

    return {
        "codebook": lambda text: text + "trong_so,Trọng số,number,,,,Trọng số,Weight,\n",
        "study": ('respondent = "ma_ho"', 'respondent = "ma_ho"\nweight = "trong_so"'),
        "truoc": lambda text: column(text, ["1"] * 6),
        "sau": lambda text: column(text, weights),
    }


def test_weights_are_above_zero(make_study, messages):
    survey = ek.check(make_study(**weighted('"1,5"', "2", "0.5", "1", "1", "1")))[1]
    assert survey.responses["weight"].tolist() == [1] * 6 + [1.5, 2, 0.5, 1, 1, 1]
    assert messages(make_study(**weighted("0", "-2", "", "1", "1", "1"))) == [
        f'raw/sau.csv, line {line}, "Trọng số": the weight "{found}" must be above zero.'
        for line, found in ((2, "0"), (3, "-2"), (4, ""))
    ]


BLANK, DAYS = float("nan"), (pd.Timestamp("2026-11-02"), pd.Timestamp("2026-11-03"))


@pytest.mark.parametrize(
    ("sau", "row", "value", "kind", "logged"),
    [
        ([], "sau-2,tuoi,set,41,42,Xem phiếu", 42, None, ("set", 41, 42)),
        ([], "sau-2,tuoi,blank,41,,Xem phiếu", BLANK, "blank", ("blank", 41, BLANK)),
        ([], "sau-2,q1,set,Hòa nhã,KB,Xem phiếu", BLANK, "dont_know", ("blank", 3, BLANK)),
        ([], "sau-3,q2,set,không biết,2,Xem phiếu", 2, None, ("set", BLANK, 2)),
        ([("34,3,", "34,33,")], "sau-5,q1,set,33,3,Xem phiếu", 3, None, ("set", 33, 3)),
        ([("Bình thường,KB", "Tàm tạm,KB")], "sau-3,q1,set,Tàm tạm,BT,Xem phiếu", 2, None, ("set", BLANK, 2)),
        ([(",34,", ",bốn,")], "sau-5,tuoi,blank,bốn,,Xem phiếu", BLANK, "blank", None),
        ([], "sau-2,ngay,set,02/11/2026,03/11/2026,Xem phiếu", DAYS[1], None, ("set", *DAYS)),
        ([], "sau-2,ngay,blank,02/11/2026,,Xem phiếu", BLANK, "blank", ("blank", DAYS[0], BLANK)),
    ],
)
def test_a_decision_changes_one_answer(make_study, sau, row, value, kind, logged):
    survey = ek.check(make_study(sau=sau, corrections=CORRECTIONS + row))[1]
    cell = tuple(row.split(",")[:2])
    answer = survey.responses.set_index("row_id").loc[cell]
    assert answer == value or (pd.isna(answer) and pd.isna(value))
    assert survey.missing.set_index(["row_id", "variable"])["kind"].get(cell) == kind
    pd.testing.assert_frame_equal(derive_log(survey.coded, survey.responses), survey.log.iloc[:, :5])
    rows = [] if logged is None else [(*cell, *logged, "corrections.csv:2", "Xem phiếu")]
    pd.testing.assert_frame_equal(survey.log, pd.DataFrame(rows, columns=survey.log.columns, dtype=object))


def test_a_dropped_form_is_counted(make_study):
    survey = ek.check(make_study(sau=("34,3", "340,9"), corrections=CORRECTIONS + "sau-5,,drop_row,,,Phiếu hỏng"))[1]
    assert set(survey.coded["row_id"]) - set(survey.responses["row_id"]) == {"sau-5"}
    row = survey.flow.set_index(["wave", "unit"]).loc[("sau", "007")]
    assert row[["returned", "dropped", "valid"]].tolist() == [2, 1, 1]


def test_a_line_of_totals_may_be_dropped(make_study, messages):
    decision = CORRECTIONS + "sau-8,,drop_row,,,Dòng tổng cộng"
    assert messages(make_study(sau=lambda text: text + "Tổng cộng,,,,,350,,\n", corrections=decision)) == []


def test_the_old_value_of_an_unknown_answer_is_compared(make_study, messages):
    change = {"sau": ("Bình thường,KB", "Tàm tạm,KB"), "corrections": CORRECTIONS + "sau-3,q1,set,Khá,2,Xem phiếu"}
    assert len(messages(make_study(**change))) == 1


@pytest.mark.parametrize(
    ("sau", "decision", "column", "value"),
    [
        (("H6,DC", "H6,XX"), "sau-7,don_vi,set,XX,DC,Xem phiếu", "unit", "DC"),
        (("H2,xã Thí Điểm,Ấp 2", "H2,xã Thí Điểm,"), "sau-3,ap,set,,Ấp 2,Xem phiếu", "cluster", "ấp 2"),
        (("H2,xã", ",xã"), "sau-3,ma_ho,set,,H2,Xem phiếu", "respondent", "R0002"),
    ],
)
def test_a_decision_may_mend_a_key(make_study, messages, sau, decision, column, value):
    assert len(messages(make_study(sau=sau))) >= 1
    survey = ek.check(make_study(sau=sau, corrections=CORRECTIONS + decision))[1]
    row = decision.partition(",")[0]
    assert survey.responses.set_index("row_id").loc[row, column] == value
    assert survey.log["variable"].tolist() == [column]


RULED = CODEBOOK.replace("label_en,reverse", "label_en,reverse,relevant,otherwise").replace(
    "q1,Câu 1,scale,hoa_nha,,,Cán bộ hòa nhã,Officials are courteous,",
    "q1,Câu 1,scale,hoa_nha,,,Cán bộ hòa nhã,Officials are courteous,,,blank",
).replace("Officials are harsh,1", "Officials are harsh,1,${q1} = 3,blank")  # fmt: skip


def ruled(make_study, **files):
    return ek.check(make_study(codebook=RULED, **files))[1]


@pytest.mark.parametrize("above", ["HN,1", "BT,1"])
def test_a_rule_never_hangs_on_another_form(make_study, above):
    """Row 3 has the code 7 in q1, blanked; whether q2 applied is then unknown: its 2 stays, whatever row 2 says."""
    found = ruled(make_study, sau=[("Hòa nhã,1", above), ("Bình thường,KB", "7,2")])
    row = found.responses.set_index("row_id").loc["sau-3"]
    assert np.isnan(row["q1"]) and row["q2"] == 2
    kinds = found.missing.set_index(["row_id", "variable"])["kind"]
    assert kinds["sau-3", "q1"] == "blank" and ("sau-3", "q2") not in kinds
    assert (("sau-2", "q2") in kinds) == (above == "BT,1")
    if above == "BT,1":
        assert kinds["sau-2", "q2"] == "not_applicable"
        assert ["sau-2", "q2", "blank", 1.0] in found.log[
            ["row_id", "variable", "action", "old_value"]
        ].values.tolist()


@pytest.mark.parametrize("spelling", ["99.00", "099", "+99"])
def test_a_code_is_known_in_every_way_to_write_the_number(make_study, spelling):
    found = ruled(make_study, sau=("Bình thường,KB", f"Bình thường,{spelling}"))
    kinds = found.missing.set_index(["row_id", "variable"])["kind"]
    assert kinds["sau-3", "q2"] == "dont_know" and not (found.log["row_id"] == "sau-3").any()


def test_a_unit_that_is_also_the_cluster_is_one_cluster_however_it_is_spelt(make_study):
    found = ek.check(make_study(study=('cluster = "ap"', 'cluster = "don_vi"')))[1].responses
    assert (found["cluster"] == found["unit"]).all()


def test_a_corrected_key_reaches_every_column_that_it_fills(make_study):
    decided = ("sau-3,ma_ho,set,H2,H9", "sau-4,don_vi,set,007,TD", "truoc-4,don_vi,set,007,TD")
    corrections = CORRECTIONS + "".join(f"{decision},Ghi nhầm\n" for decision in decided)
    study = [('cluster = "ap"', 'stratum = "don_vi"'), ("returned = { TD = 2 }\n", "")]
    found = ek.check(make_study(study=study, corrections=corrections))[1]
    rows = found.responses.set_index("row_id")
    assert rows.loc["sau-3", "cluster"] == rows.loc["sau-3", "respondent"] != rows.loc["truoc-3", "respondent"]
    assert rows.loc["sau-4", ["unit", "stratum"]].tolist() == ["TD", "TD"]
    changed = found.log[found.log["row_id"] == "sau-3"]["variable"].tolist()
    assert sorted(changed) == ["cluster", "respondent"]


@pytest.mark.parametrize("cell", ["0912345678", "079123456789"])
def test_a_number_that_may_be_somebodys_reaches_no_record(make_study, cell):
    corrections = CORRECTIONS + f"sau-3,q1,set,{cell},BT,Gõ nhầm ô\nsau-3,tuoi,blank,{cell},,Gõ nhầm ô\n"
    found = ek.check(make_study(corrections=corrections, sau=("52,Bình thường,KB", f"{cell},{cell},KB")))[1]
    shown = " ".join(frame.to_csv() for frame in (found.mapping, found.log, found.coded, found.responses))
    assert cell.lstrip("0") not in shown and "[?]" in shown


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026/11/03 8:05:33 SA GMT+7", "2026-11-03 08:05:33"),
        ("03/11/2026 1:05 CH", "2026-11-03 13:05"),
        ("2026-11-03T08:05:00.000+07:00", "2026-11-03 08:05"),
        ("2026-11-03T23:30:00Z", "2026-11-04 06:30"),
        ("46329.5", "2026-11-03 12:00"),
        ("03/11/2026 13:05 SA", None),
        ("03/11/2026 10:30:75", None),
        ("03/11/2026", None),
    ],
)
def test_moments_as_forms_and_tools_write_them(make_study, messages, text, moment):
    """Excel's day 46329 is 3 November 2026."""
    codebook = CODEBOOK.replace("ngay,Ngày,date", "ngay,Ngày,time")
    before = FILES["truoc"][1].replace(",05/01/2026,", ",05/01/2026 8:00,")
    after = FILES["sau"][1].replace(",02/11/2026,", ",02/11/2026 8:00,")
    after = after.replace("Ấp 2,02/11/2026 8:00,52", f"Ấp 2,{text},52")
    folder = make_study(codebook=codebook, sau=after, truoc=before)
    if moment is None:
        assert "is no moment" in messages(folder)[0]
        return
    found = ek.check(folder)[1].responses.set_index("row_id")
    assert found.loc["sau-3", "ngay"] == pd.Timestamp(moment)


def test_a_form_belongs_to_the_unit_that_a_correction_gave_it(make_study):
    decided = "".join(f"{wave}-4,don_vi,set,007,DC,phiếu giấy\n" for wave in ("truoc", "sau"))
    moved = ek.open_study(make_study(corrections=lambda text: text + decided))
    surveys = {
        unit: ek.clean(ek.read(study), study).responses
        for unit in ("TD", "007", "DC")
        for study in [replace(moved, only=unit)]
    }
    whole = ek.clean(ek.read(moved), moved).responses
    assert {"truoc-4", "sau-4"} <= set(surveys["DC"]["row_id"])
    for unit, responses in surveys.items():
        assert set(responses["row_id"]) == set(whole.loc[whole["unit"] == unit, "row_id"])
