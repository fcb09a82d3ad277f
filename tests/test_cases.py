"""Case files: what is read of them, and what is refused."""

import unicodedata
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from evalkit import case_series
from evalkit.cases import FLAWS, REPORT_COLUMNS, quality, read_cases
from evalkit.errors import DataError
from evalkit.study import open_study

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "municipal_cases"
TOML = """\
data_start = 2026-01-01
data_cut = 2026-06-30
launch = 2026-04-01
definition = "C"
[[sources]]
file = "cases.csv"
[sources.columns]
number = "Mã hồ sơ"
unit = "Đơn vị"
received = "Ngày nhận"
due = "Ngày hẹn"
released = "Ngày xong"
status = "Tình trạng"
[sources.status]
"Đã xong" = "released"
"Đang làm" = "processing"
"""
HEADER = "Mã hồ sơ,Đơn vị,Ngày nhận,Ngày hẹn,Ngày xong,Tình trạng\n"
GOOD = "H1,TD,05/01/2026,10/01/2026,09/01/2026,Đã xong\nH2,xã thuận hoà,2026-02-05,2026-02-10,,Đang làm\n"


@pytest.fixture
def study(make_study):
    """A study folder with cases: study(toml=…, rows=…)."""

    def make(rows=GOOD, toml=TOML, header=HEADER):
        folder = make_study()
        (folder / "cases.toml").write_text(toml, encoding="utf-8")
        (folder / "cases.csv").write_text(header + rows, encoding="utf-8")
        return open_study(folder)

    return make


def keys(study):
    with pytest.raises(DataError) as error:
        read_cases(study)
    for language in ("vi", "en"):
        assert error.value.message(language)
    return [(problem.key, problem.line) for problem in error.value.problems]


def test_a_study_without_cases_has_none(make_study):
    assert read_cases(open_study(make_study())) is None


def test_dates_units_and_words_are_read(study):
    frame = read_cases(study()).frame
    assert frame["unit"].tolist() == ["TD", "DC"] and frame["status"].tolist() == ["released", "processing"]
    assert frame["received"].tolist() == [pd.Timestamp("2026-01-05"), pd.Timestamp("2026-02-05")]
    assert frame["released"].isna().tolist() == [False, True] and (frame["flaw"] == "").all()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("5/1/2026", "2026-01-05"),
        ("05-01-2026", "2026-01-05"),
        ("2026-01-05T23:30:00+07:00", "2026-01-05"),
        ("2026-01-05 08:00", "2026-01-05"),
        ("46027", "2026-01-05"),  # Excel's number of that day
    ],
)
def test_a_day_may_be_written_in_many_ways(study, text, day):
    frame = read_cases(study(f"H1,TD,{text},10/01/2026,,Đang làm\n")).frame
    assert frame["received"].item() == pd.Timestamp(day)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("H9,TD,05/01/2026,04/01/2026,,Đang làm", "case_due_before_received"),
        ("H9,TD,05/01/2026,10/01/2026,01/07/2026,Đã xong", "case_in_future"),
        ("H9,TD,05/07/2026,10/07/2026,,Đang làm", "case_in_future"),
        ("H9,TD,05/01/2026,10/01/2026,04/01/2026,Đã xong", "case_released_before_received"),
        ("H9,TD,05/01/2026,10/01/2026,,Đã xong", "case_release_missing"),
        ("H9,TD,,10/01/2026,09/01/2026,Đã xong", "case_received_missing"),
        ("H1,TD,05/01/2026,10/01/2026,09/01/2026,Đã xong", "case_twice"),
        (",TD,05/01/2026,10/01/2026,09/01/2026,Đã xong", "case_number_missing"),
        ("H9,TD,05/01/2026,10/01/2026,09/01/2026,Xong rồi", "case_status_unknown"),
        ("H9,Xã Lạ,05/01/2026,10/01/2026,09/01/2026,Đã xong", "case_unit_unknown"),
        ("H9,TD,hôm qua,10/01/2026,,Đang làm", "case_date_unknown"),
        ("H9,TD,31/02/2026,10/03/2026,,Đang làm", "case_date_unknown"),
        ("H9,TD,31/02/2026,10/01/2026,09/01/2026,Đã xong", "case_date_unknown"),
        ("H9,TD,05/01/2026,10/01/2026,31/02/2026,Đã xong", "case_date_unknown"),
        ("H9,TD,05/09/2026,10/01/2026,09/01/2026,Đã xong", "case_in_future"),
        ("H9,TD,05/03/2026,10/01/2026,09/01/2026,Đã xong", "case_due_before_received"),
        ("H9,TD,05/01/2026,10/01/2918,09/01/2026,Đã xong", "case_far_off"),
        ("H9,TD,05/01/1995,10/01/2026,09/01/2026,Đã xong", "case_far_off"),
        ("H9,TD,05/01/2026,10/01/2026,,", "case_status_missing"),
        ("H9,,05/01/2026,10/01/2026,,Đang làm", "case_unit_missing"),
        ("h 1 ,TD,05/01/2026,10/01/2026,,Đang làm", "case_twice_alike"),
    ],
)
def test_a_bad_cell_is_named_once_with_its_line(study, row, expected):
    assert keys(study(f"{GOOD}{row}\n")) == [(expected, 4)]


def test_two_bad_cells_of_a_case_are_both_named(study):
    found = keys(study("H9,Lạ,hôm qua,10/01/2918,09/08/2026,Khác\n"))
    assert sorted(key for key, _ in found) == [
        "case_date_unknown", "case_far_off", "case_in_future", "case_status_unknown", "case_unit_unknown",
    ]  # fmt: skip


def test_case_numbers_in_other_tone_forms_are_the_same(study):
    row = ",TD,05/01/2026,10/01/2026,,Đang làm\n"
    spelled = ["Hoà-1", "HÒA-1", unicodedata.normalize("NFD", "hòa - 1"), "Hoa-1"]
    assert keys(study("".join(name + row for name in spelled))) == [("case_twice_alike", 3), ("case_twice_alike", 4)]


@pytest.mark.parametrize("word", ["", "WAITING"])
def test_what_a_blank_status_or_a_word_of_ours_means_may_be_declared(study, word):
    toml = TOML.replace('"Đang làm" =', f'"{word}" = "processing"\n"Đang làm" =')
    rows = f"H9,TD,05/01/2026,10/01/2026,,{word.lower()}\n"
    assert read_cases(study(rows, toml)).frame["status"].tolist() == ["processing"]


def test_all_problems_come_at_once(study):
    rows = "H1,TD,05/01/2026,04/01/2026,,Đang làm\nH1,Lạ,05/01/2026,10/01/2026,01/08/2026,Khác\n"
    found = [key for key, _ in keys(study(rows))]
    assert sorted(found) == [
        "case_due_before_received", "case_in_future", "case_status_unknown", "case_twice", "case_unit_unknown",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("launch = 2026-04-01", "launch = 2027-04-01", "case_launch_outside"),
        ("data_cut = 2026-06-30", "data_cut = 2025-06-30", "case_cut_before_start"),
        ('definition = "C"', 'definition = "E"', "key_value"),
        ('unit = "Đơn vị"\n', "", "key_missing"),
        ('unit = "Đơn vị"', 'unit = "Xã"', "case_column_missing"),
        ('file = "cases.csv"', 'file = "../cases.csv"', "path_outside"),
        ('file = "cases.csv"', 'file = "cases.csv"\nunit = "X"', "unit_code_unknown"),
        ('file = "cases.csv"', 'file = "none.csv"', "file_missing"),
        ('"Đã xong" = "released"', '"Đã xong" = "done"', "key_value"),
        ("data_start = 2026-01-01", "data_start = ", "toml_broken"),
    ],
)
def test_a_declaration_that_cannot_be(study, old, new, key):
    assert old in TOML
    assert key in [found for found, _ in keys(study(toml=TOML.replace(old, new)))]


def test_contradictions_may_be_reported_and_are_then_left_out_and_counted(study):
    toml = TOML.replace('file = "cases.csv"', 'file = "cases.csv"\ncontradictions = "report"')
    cases = read_cases(study(f"{GOOD}H3,TD,05/01/2026,04/01/2026,,Đang làm\n", toml))
    assert [notice.key for notice in cases.notices] == ["case_due_before_received"]
    assert len(cases.frame) == 3 and len(cases.sound) == 2
    assert quality(cases)[["read", "ended", "open", "due_before_received"]].values.tolist() == [[3, 1, 1, 1]]
    assert case_series.series(cases)["received"].sum() == 2


def test_titles_numbering_and_totals_are_no_cases(study):
    cases = read_cases(
        study(f"(1),(2),(3),(4),(5),(6)\n{GOOD}Tổng số: 2,,,,,\n", header=f"SỔ THEO DÕI,,,,,\n{HEADER}")
    )
    assert cases.frame["number"].tolist() == ["H1", "H2"]
    assert [(notice.key, notice.line) for notice in cases.notices] == [("case_totals_row", 6)]


def test_only_declared_columns_are_read(study):
    header = HEADER.replace("\n", ",Họ tên\n")
    frame = read_cases(study(GOOD.replace("\n", ",Nguyễn Mẫu\n"), header=header)).frame
    assert not frame.astype(str).apply(lambda column: column.str.contains("Mẫu")).any(axis=None)


def test_people_from_elsewhere_are_counted_apart_since_july_2025(study):
    toml = TOML.replace('status = "Tình trạng"', 'status = "Tình trạng"\norigin = "Nơi ở"')
    toml = toml.replace("2026-01-01", "2025-01-01").replace("2026-04-01", "2025-07-01").replace("2026-06", "2025-12")
    rows = (
        "1,TD,05/06/2025,10/06/2025,,Đang làm,xã Khác\n2,TD,05/07/2025,10/07/2025,,Đang làm,xã Khác\n"
        "3,TD,05/07/2025,10/07/2025,,Đang làm,xã thí điểm\n4,TD,05/07/2025,10/07/2025,,Đang làm,\n"
    )
    cases = read_cases(study(rows, toml, HEADER.replace("\n", ",Nơi ở\n")))
    assert cases.frame["elsewhere"].tolist() == [False, True, False, False]
    counts = case_series.series(cases)
    assert counts["received"].sum() == 3 and counts["from_elsewhere"].sum() == 1
    apart = case_series.series(cases, by=("elsewhere",)).groupby("elsewhere")["received"].sum()
    assert apart.to_dict() == {False: 3, True: 1}


def test_a_checklist_says_what_is_posted_and_refuses_what_it_cannot_mean(study):
    opened = study(toml=f'checklist = "thu_tuc.csv"\n{TOML}')
    head = "unit,procedure,period,reviewed,posted\n"
    (opened.folder / "thu_tuc.csv").write_text(
        f"{head}TD,P1,before,1,0\nTD,P2,before,0,0\nTD,P1,after,1,1\n", encoding="utf-8"
    )
    found = case_series.posted(read_cases(opened)).values.tolist()
    assert found == [["TD", "before", 2, 1, 0], ["TD", "after", 1, 1, 1]]
    (opened.folder / "thu_tuc.csv").write_text(
        f"{head}TD,P1,before,1,0\nTD,P1,before,1,0\nX,P1,then,2,0\n", encoding="utf-8"
    )
    assert sorted(keys(opened)) == sorted([
        ("case_checklist_value", 4), ("case_checklist_value", 4), ("case_unit_unknown", 4),
        ("case_checklist_twice", 3),
    ])  # fmt: skip


class TestNgaBay:
    def test_the_records_are_what_the_script_writes(self, nga_bay, tmp_path):
        import runpy

        script = runpy.run_path(str(nga_bay.folder / "simulate_cases.py"))
        script["main"](tmp_path)
        for path in sorted((tmp_path / "cases").iterdir()):
            assert path.read_bytes() == (nga_bay.folder / "cases" / path.name).read_bytes(), path.name

    def test_the_printed_report_agrees_with_the_cases(self, nga_bay):
        """The script counted them case by case; only it calls a case without due date early."""
        cases = read_cases(nga_bay)
        counts = case_series.series(cases, by=("field",))
        month = counts[counts["start"] == "2020-12-01"].astype({"field": "str"}).set_index("field")
        printed = cases.reports.set_index("place").loc[month.index]
        assert (printed["early"] == month["early"] + month["no_due"]).all()
        same = ["received", "carried", "released", "on_time", "late", "unresolved", "open"]
        pd.testing.assert_frame_equal(printed[same], month[same], check_dtype=False, check_names=False)
        rate = case_series.on_time(month, "A")["percent"]
        assert (rate == printed["percent"]).all()

    def test_a_report_whose_sums_do_not_hold_is_named(self, nga_bay, make_study):
        folder = make_study()
        book = openpyxl.load_workbook(nga_bay.folder / "cases/bao_cao_2020_12.xlsx")
        sheet = book.active
        total = sheet.max_row
        sheet.cell(total, REPORT_COLUMNS.index("released") + 1).value += 1
        sheet.cell(total - 1, REPORT_COLUMNS.index("late_inside") + 1).value += 1
        book.save(folder / "r.xlsx")
        report = '[[reports]]\nfile = "r.xlsx"\nstart = 2026-01-01\nend = 2026-01-31\n'
        (folder / "cases.toml").write_text(f"{TOML}{report}", encoding="utf-8")
        (folder / "cases.csv").write_text(HEADER + GOOD, encoding="utf-8")
        found = [(notice.key, notice.column) for notice in read_cases(open_study(folder)).notices]
        assert found == [
            ("case_report_sum", "late"), ("case_report_total", "released"), ("case_report_total", "late_inside"),
        ]  # fmt: skip
        sheet.delete_cols(24)
        book.save(folder / "r.xlsx")
        assert [key for key, _ in keys(open_study(folder))] == ["case_report_columns"]


@pytest.mark.skipif(not SHARED.exists(), reason="the municipal case records are not part of the project")
@pytest.mark.parametrize(
    ("name", "count"), [("BPIC15_1", 1199), ("BPIC15_2", 832), ("CoSeLoG_WABO_1", 937), ("CoSeLoG_WABO_2", 645)]
)
def test_real_records_lose_no_row_silently(make_study, name, count):
    """Mixed UTC offsets, ends that are missing, results before receipt: each in one column of `quality`."""
    folder = make_study()
    raw = pd.read_csv(SHARED / f"{name}_cases.csv", dtype=str)
    (folder / "c.csv").write_bytes((SHARED / f"{name}_cases.csv").read_bytes())
    planned = 'due = "case:endDatePlanned"\n' if "case:endDatePlanned" in raw else ""
    (folder / "cases.toml").write_text(
        'data_start = 2009-01-01\ndata_cut = 2015-12-31\ndefinition = "C"\n[[sources]]\nfile = "c.csv"\nunit = "TD"\n'
        'contradictions = "report"\n[sources.columns]\nnumber = "case_id"\nreceived = "case:startDate"\n'
        f'released = "case:endDate"\n{planned}',
        encoding="utf-8",
    )
    cases = read_cases(open_study(folder))
    found = quality(cases).iloc[0]
    assert found["read"] == len(raw) == count
    assert found[["ended", "open", "never", *FLAWS]].sum() == count
    start, end = (raw[f"case:{column}"].str[:10] for column in ("startDate", "endDate"))
    assert (cases.frame["flaw"] == "released_before_received").sum() <= (end < start).sum()
    assert found[["released_before_received", "due_before_received"]].sum() >= (end < start).sum()
    assert cases.frame["released"].isna().sum() == end.isna().sum()
