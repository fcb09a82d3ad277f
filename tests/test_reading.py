import csv
import io
import unicodedata
from datetime import date, datetime

import pandas as pd
import pytest
from conftest import CORRECTIONS, FILES, WAVE, cases

import evalkit as ek

CSV = ("codebook", "scales", "corrections", "truoc", "sau")
DECISION = CORRECTIONS + "sau-3,q1,set,Bình thường,Hòa nhã,Đối chiếu phiếu giấy\n"
AFTER = FILES["sau"][1]
ROWS = list(csv.reader(AFTER.splitlines()))
XLSX = ("raw/sau.csv", "raw/sau.xlsx")
WHERE = 'file = "raw/sau.csv"\nwhere = {{ column = "Đợt", equals = "{}" }}'

COLUMNS = r"""
Câu 2 => Câu 2b
    raw/sau.csv, line 1: the column "Câu 2" (variable q2) that codebook.csv asks for is missing; add it or correct
        codebook.csv.
    raw/sau.csv, line 1: the column "Câu 2b" is not in codebook.csv (nearest: Câu 2); declare it, with type = ignore
        if it is not needed.
Tuổi,Câu 1,Câu 2 => Tuổi,Câu 1,CÂU  1
    raw/sau.csv, line 1: the column "Câu 1" occurs twice; keep one.
    raw/sau.csv, line 1: the column "Câu 2" (variable q2) that codebook.csv asks for is missing; add it or correct
        codebook.csv.
52,Bình thường,KB => 52,Bình thường,KB,2
    raw/sau.csv, line 3: the row has 9 cells, the header 8 columns; check the delimiters.
52,Bình thường,KB => 52,"Bình thường,KB
    raw/sau.csv, line 3: the csv quoting is broken (unexpected end of data); correct this line.
Họ tên => Điện thoại,Họ tên
    raw/sau.csv, line 1: the column "Điện thoại" is not in codebook.csv (nearest: Họ tên, Mã hộ, Đơn vị, Ấp, Ngày,
        Tuổi, Câu 1, Câu 2); declare it, with type = ignore if it is not needed.
"""
EMPTY = "raw/sau.csv: the file is empty; it must have a header row and data."
NOT_CSV = (
    "raw/sau.csv: the content begins like {} but cannot be read as such (damaged, or another format); open it with "
    "the program that made it and save it as xlsx or csv."
)


@pytest.mark.parametrize(("file", "old", "new", "expected"), cases(sau=COLUMNS))
def test_columns_that_do_not_fit_are_named(make_study, messages, file, old, new, expected):
    assert messages(make_study(**{file: (old, new)})) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", EMPTY),
        (b" \r\n\r\n", EMPTY),
        (b"\xef\xbb\xbf", EMPTY),
        (b";;;\r\n;;;\r\n", EMPTY),
        (AFTER.splitlines()[0], "raw/sau.csv, line 1: there is no row below the header."),
        (
            "số,tên\n1,a\n",
            "raw/sau.csv: no header row: none of the first twenty rows has a column of codebook.csv; the first reads "
            '"số | tên".',
        ),
        (b"PK\x03\x04\x14", NOT_CSV.format("xlsx / ods")),
        (b"\xd0\xcf\x11\xe0\xa1", NOT_CSV.format("xls")),
        (b"%PDF-1.7", NOT_CSV.format("pdf")),
        (b"a\x00b\x00", "raw/sau.csv: the content is not readable text; a csv file in UTF-8 is needed."),
    ],
)
def test_a_file_that_is_no_table_is_named(make_study, messages, content, expected):
    assert messages(make_study(sau=content)) == [expected]


def test_the_content_decides_what_a_file_is_not_its_ending(make_study, messages, write_workbook):
    folder = make_study(study=XLSX, sau=None)
    (folder / "raw/sau.xlsx").write_text(AFTER, encoding="utf-8")
    assert messages(folder) == []
    folder = make_study()
    write_workbook(folder / "raw/sau.csv", S=ROWS)
    assert messages(folder) == []


def test_the_files_of_all_waves_are_read_before_stopping(make_study, messages):
    found = messages(make_study(truoc=("Câu 2", "Câu 2b"), sau=b""), "vi")
    assert found == [
        "raw/truoc.csv, dòng 1: thiếu cột «Câu 2» (biến q2) mà codebook.csv yêu cầu; hãy bổ sung cột hoặc sửa "
        "codebook.csv.",
        "raw/truoc.csv, dòng 1: cột «Câu 2b» không có trong codebook.csv (gần nhất: Câu 2); hãy khai báo, dùng type "
        "= ignore nếu không cần.",
        "raw/sau.csv: tệp rỗng; cần có dòng tiêu đề và dữ liệu.",
    ]


def rewritten(text, delimiter, encoding, cp1258):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(csv.reader(io.StringIO(text)))
    return cp1258(file.getvalue()) if encoding == "cp1258" else file.getvalue().encode(encoding)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_every_csv_file_may_be_saved_in_every_common_way(make_study, cp1258, delimiter, encoding):
    files = {key: FILES[key][1] for key in CSV} | {"corrections": DECISION}
    plain = ek.check(make_study("plain", **files))[1]
    saved = ek.check(make_study(**{k: rewritten(files[k], delimiter, encoding, cp1258) for k in files}))[1]
    for name in ("responses", "missing", "mapping", "flow", "coded"):
        pd.testing.assert_frame_equal(getattr(saved, name), getattr(plain, name))
    assert set(saved.responses["unit"]) == {"TD", "007", "DC"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_labels_are_composed(make_study, form):
    codebook, scales = (unicodedata.normalize(form, FILES[key][1]) for key in ("codebook", "scales"))
    assert (
        ek.open_study(make_study(codebook=codebook, scales=scales)).codebook == ek.open_study(make_study()).codebook
    )


def test_commas_in_a_text_are_no_delimiters(make_study, messages):
    row = "sau-2;tuoi;set;41;42;Hỏi lại: ông, bà, cô, chú, bác, dì, dâu, rể, con, cháu, chủ hộ, trưởng ấp\n"
    assert messages(make_study(corrections=CORRECTIONS.replace(",", ";") + row)) == []


def test_line_breaks_in_cells_hide_no_delimiter(make_study, messages):
    def broken(text):
        return text.replace(",", ";").replace("Ấp 1", '"Ấp\n1, cũ"').replace("Ấp 2", "Ấp 2, cũ")

    assert messages(make_study(truoc=broken, sau=broken)) == []


def test_cells_are_the_text_that_stands_in_the_file(make_study):
    raw = ek.read(ek.open_study(make_study())).frames
    assert raw["truoc"].loc[4].tolist() == ["Lê Ví Dụ", "H3", "007", "Ấp 1", "05/01/2026", "63", "HN", "2"]
    assert raw["sau"].index.tolist() == [2, 3, 4, 5, 6, 7]


def test_lines_of_a_csv_file_are_those_of_an_editor(make_study, messages):
    change = [("Nguyễn Mẫu", '"Nguyễn\nMẫu"'), ("Lê Ví Dụ", "\n\nLê Ví Dụ"), ("Phạm Nháp,H4", '"Phạm\r\nNháp",')]
    folder = make_study(sau=lambda text: "PHIẾU KHẢO SÁT\n\n" + edited(text, change))
    assert messages(folder) == [
        'raw/sau.csv, line 10, "Mã hộ": the respondent\'s code is missing; look it up and write it into '
        "corrections.csv, drop the form, or leave out the key respondent in study.toml if the study has none."
    ]


def edited(text, changes):
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text


def with_workbook(make_study, write_workbook, *study, **sheets):
    folder = make_study(study=[XLSX, *study], sau=None)
    write_workbook(folder / "raw/sau.xlsx", **sheets)
    return folder


def test_a_workbook_with_titles_above_and_gaps_keeps_the_lines_of_excel(make_study, write_workbook):
    lines = [[], ["PHIẾU\nKHẢO SÁT"], [], *ROWS[:3], [], *ROWS[3:]]
    raw = ek.read(ek.open_study(with_workbook(make_study, write_workbook, Phiếu=lines))).frames
    assert raw["sau"].index.tolist() == [5, 6, 8, 9, 10, 11]
    assert raw["sau"].loc[8, "don_vi"] == "007"


def test_typed_cells_are_the_text_that_means_the_same(make_study, write_workbook):
    typed = [date(2026, 11, 2), datetime(2026, 11, 2), 41, 41.5, 41.234, 0.125, 1234567.0, True, None]
    rows = [[*ROWS[1][:5], value, *ROWS[1][6:]] for value in typed]
    raw = ek.read(ek.open_study(with_workbook(make_study, write_workbook, S=[ROWS[0], *rows]))).frames
    expected = ["2026-11-02", "2026-11-02", "41", "41.5", "41.234\u2060", "0.125\u2060", "1234567", "True", ""]
    assert raw["sau"]["tuoi"].tolist() == expected


@pytest.mark.parametrize(
    ("declared", "age"),
    [("", 41.5), ("", 41.234), (".", 41.234), (",", 41), (",", 41.5)],
)
def test_a_typed_number_is_itself(make_study, write_workbook, declared, age):
    rows = [ROWS[0], [*ROWS[1][:4], date(2026, 11, 3), age, "Hòa nhã", 1], *ROWS[2:]]
    change = [('raw/sau.xlsx"', f'raw/sau.xlsx"\ndecimal = "{declared}"')] if declared else []
    survey = ek.check(with_workbook(make_study, write_workbook, *change, S=rows))[1]
    row = survey.responses.set_index("row_id").loc["sau-2"]
    assert (row["tuoi"], row["q1"], row["q2"], row["ngay"]) == (age, 3, 1, pd.Timestamp("2026-11-03"))


def test_the_sheet_is_the_first_or_the_one_declared(make_study, write_workbook, messages):
    sheets = {"Đợt 1": [["x"]], "Đợt 2": ROWS}
    assert messages(with_workbook(make_study, write_workbook, **sheets))[0].startswith("raw/sau.xlsx: no header row")
    name = ('raw/sau.xlsx"', 'raw/sau.xlsx"\nsheet = "Đợt 2"')
    assert messages(with_workbook(make_study, write_workbook, name, **sheets)) == []
    wrong = ('raw/sau.xlsx"', 'raw/sau.xlsx"\nsheet = "Đợt2"')
    assert messages(with_workbook(make_study, write_workbook, wrong, **sheets)) == [
        'raw/sau.xlsx: there is no sheet "Đợt2"; sheets: Đợt 2.'
    ]


def one_file(first, second, kind="text"):
    """Both waves in one file, told apart by a column."""
    head, *before = WAVE.format(day="05/01/2026").splitlines()
    rows = [f"{row},Đợt 1" for row in before] + [f"{row},ĐỢT  2" for row in AFTER.splitlines()[1:]]
    return {
        "codebook": lambda text: text + f"dot,Đợt,{kind},,,,,,\n",
        "study": [
            ('file = "raw/truoc.csv"', WHERE.format(first)),
            ('file = "raw/sau.csv"\nf', WHERE.format(second) + "\nf"),
        ],
        "truoc": None,
        "sau": "\n".join([f"{head},Đợt", *rows]),
    }


def test_waves_may_share_a_file(make_study, messages):
    survey = ek.check(make_study(**one_file("đợt 1", "đợt 2")))[1]
    assert survey.responses["row_id"].tolist() == [
        f"{w}-{n}" for w, s in (("truoc", 2), ("sau", 8)) for n in range(s, s + 6)
    ]
    assert messages(make_study(**one_file("đợt 1", "đợt 3"))) == ['raw/sau.csv: no row has "Đợt" = "đợt 3".']


def test_the_column_that_tells_waves_apart_must_be_there(make_study, messages):
    change = one_file("đợt 1", "đợt 2", kind="ignore")
    assert len(messages(make_study(**change | {"sau": AFTER}))) == 1


def test_paths_may_have_spaces_and_vietnamese_letters(make_study, messages):
    folder = make_study(
        "Khảo sát xã Thủy Hoà (đợt 2)", study=("raw/sau.csv", "raw/số liệu/phiếu đợt 2.CSV"), sau=None
    )
    (folder / "raw/số liệu").mkdir()
    (folder / "raw/số liệu/phiếu đợt 2.CSV").write_text(AFTER, encoding="utf-8")
    assert messages(folder) == []


def test_time_stamps_keep_their_day_and_tiny_numbers_their_size(make_study, write_workbook):
    stamped = [*ROWS[1][:4], datetime(2026, 11, 3, 10, 30), 41, "Hòa nhã", 1]
    rows = [ROWS[0], stamped, [*ROWS[2][:4], "04/11/2026 8:05", *ROWS[2][5:]], *ROWS[3:]]
    survey = ek.check(with_workbook(make_study, write_workbook, S=rows))[1]
    days = survey.responses.set_index("row_id").loc[["sau-2", "sau-3"], "ngay"]
    assert days.tolist() == [pd.Timestamp("2026-11-03"), pd.Timestamp("2026-11-04")]
    tiny = with_workbook(make_study, write_workbook, S=[ROWS[0], [*ROWS[1][:5], 1.234e-7, *ROWS[1][6:]], *ROWS[2:]])
    assert ek.read(ek.open_study(tiny)).frames["sau"].loc[2, "tuoi"] == "0.0000001234"
