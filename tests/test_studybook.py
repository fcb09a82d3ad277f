"""study.xlsx says what the text files say, every problem names its cell, and nothing in it is ever a formula."""

import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.utils.cell import column_index_from_string, coordinate_from_string
from python_calamine import CalamineWorkbook

import evalkit
from evalkit.bookplaces import retold
from evalkit.codebook import read_codebook
from evalkit.contents import CORRECTION_COLUMNS, text_contents
from evalkit.declaration import Declaration, Tree, parse
from evalkit.encodings import fold
from evalkit.errors import DataError, Problem
from evalkit.language import catalogue
from evalkit.studybook import read_cells, read_studybook
from evalkit.studybook_writing import template_studybook, write_studybook

ROOT = Path(__file__).resolve().parents[1]
NGA_BAY = ROOT / "data" / "nga-bay"
CALC = Path(shutil.which("soffice") or "soffice").resolve().parent / "libsclo.so"
STUDIES = [NGA_BAY, ROOT / "data" / "organ-donations", ROOT / "tests" / "studies" / "kcmo"]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("book") / "study.xlsx"
    write_studybook(path, text_contents(NGA_BAY))
    return path


@pytest.fixture
def folder(tmp_path):
    """A study folder with the raw files alone."""
    shutil.copytree(NGA_BAY / "raw", tmp_path / "study" / "raw")
    return tmp_path / "study"


@pytest.fixture(scope="module")
def cells(book):
    pages = openpyxl.load_workbook(book).worksheets
    return {p.title: {(c.row, c.column): c.value for r in p for c in r if c.value is not None} for p in pages}


def edited(cells, *edits):
    """The cells with some replaced, each said as `sheet`, `C4`, value."""
    copy = {sheet: dict(found) for sheet, found in cells.items()}
    for sheet, at, value in edits:
        letter, row = coordinate_from_string(placed(cells, at))
        copy[sheet][row, column_index_from_string(letter)] = value
    return copy


def placed(cells, words):
    """Words in which `G<q1_1>` means column G in the row of a variable."""
    rows = {value: row for (row, column), value in cells["bang_ma"].items() if column == 1}
    return re.sub(r"<(\w+)>", lambda found: str(rows[found[1]]), words)


def everything(contents):
    """The contents as evalkit uses them; lines are left out, they are places."""
    rows, scales = contents.codebook, contents.scales
    variables, problems = read_codebook([row | {"line": 0} for row in rows], [row | {"line": 0} for row in scales])
    assert not problems
    corrections = [{key: row[key] for key in CORRECTION_COLUMNS} for row in contents.corrections]
    declared = parse(contents.study, "study.toml", Declaration)
    return declared, parse(contents.index, "index.toml", Tree), variables, corrections


def found_in(cells):
    """What is wrong with edited cells, in English: of the workbook itself, else of what it declares, located."""
    try:
        book = read_cells(cells)
    except DataError as error:
        return [problem.message("en") for problem in error.problems]
    problems = []
    for read in (
        lambda: parse(book.study, "study.toml", Declaration),
        lambda: parse(book.index, "index.toml", Tree),
    ):
        try:
            read()
        except DataError as error:
            problems += error.problems
    problems += read_codebook(book.codebook, book.scales)[1]
    return [book.locate(problem).message("en") for problem in problems]


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_a_workbook_says_what_the_text_files_say(folder, tmp_path):
    contents = text_contents(folder)
    write_studybook(tmp_path / "study.xlsx", contents)
    assert everything(read_studybook(tmp_path / "study.xlsx")) == everything(contents)


def test_the_template_can_be_read_and_has_a_text_for_every_key(tmp_path):
    template_studybook(tmp_path / "study.xlsx", NGA_BAY)
    template = read_studybook(tmp_path / "study.xlsx")
    declared, tree, variables, corrections = everything(template)
    assert [unit.code for unit in declared.units] == ["TD1", "DC1", "DC2"]
    assert (len(tree.node), len(variables), corrections) == (14, len(text_contents(NGA_BAY).codebook), [])
    assert [notice.key for notice in template.notices] == ["placeholder_left"] * 2


def test_headers_are_unique_and_may_be_the_keys_of_the_text_files(book):
    workbook = openpyxl.load_workbook(book)
    for page in workbook:
        headers = [fold(cell.value) for cell in page[1]]
        assert len(set(headers)) == len(headers)
        for cell in page[1]:
            if cell.comment:
                cell.value = cell.comment.text.partition("[")[2].rstrip("]")
    found = {p.title: {(c.row, c.column): c.value for r in p for c in r if c.value is not None} for p in workbook}
    assert everything(read_cells(found)) == everything(text_contents(NGA_BAY))


def test_drop_downs_offer_words_that_are_read_and_fit_into_excel(book):
    offers = [offer for page in openpyxl.load_workbook(book) for offer in page.data_validations.dataValidation]
    lists = [offer.formula1.strip('"').split(",") for offer in offers if offer.formula1.startswith('"')]
    assert ["thí điểm", "đối chứng"] in lists and ["có", "không"] in lists
    assert all(len(offer.formula1) <= 257 for offer in offers)  # Excel's limit is 255 and the quotes
    assert all(len(set(map(fold, words))) == len(words) for words in lists)


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([("don_vi", "H3", "pilot"), ("khao_sat", "B4", "Vietnamese"), ("dot", "B3", " TRƯỚC ")], None),
        ([("dot", "L3", datetime(2020, 1, 2)), ("dot", "M3", "17/1/2020"), ("ke_hoach", "B6", "0,95")], None),
        ([("dot", "L3", "2020-01-02"), ("ke_hoach", "B6", "0.95"), ("so_phieu", "C3", 150.0)], None),
        ([("khao_sat", "B5", True), ("chi_so", "E4", "q1_1; q1_2;q1_3\nq1_4,q1_5,")], None),
        ([("don_vi", "A40", "  "), ("chi_so", "C40", None)], None),
        ([("don_vi", "A2", "Ghi chú khác")], 'sheet "don_vi", cell A2, "Mã đơn vị": the value'),
        ([("khao_sat", "C2", None)], 'sheet "khao_sat", cell C2, "Tên đề tài": this cell is empty; fill it in.'),
        ([("dot", "E4", None)], 'sheet "dot", cell E4, "Tệp số liệu": this cell is empty; fill it in.'),
        ([("dot", "C4", None), ("dot", "D4", None)], 'sheet "dot", cell C4, "Tên đợt tiếng Việt": this cell is'),
        (
            [("dot", "L4", "31/2/2020")],
            'sheet "dot", cell L4, "Ngày bắt đầu": the value \'31/2/2020\' is not valid; '
            "expected: a date, day/month/year, such as 30/01/2026.",
        ),
        ([("dot", "L4", datetime(2020, 1, 2, 8))], "cell L4, \"Ngày bắt đầu\": the value '2020-01-02 08:00:00'"),
        (
            [("don_vi", "H3", "thí nghiệm"), ("don_vi", "H4", None)],
            "cell H3, \"Nhóm\": the value 'thí nghiệm' is not valid; expected: pilot, comparison.",
        ),
        ([("don_vi", "I3", "9.435")], "cell I3, \"Dân số\": the value '9.435' is not valid; expected: 0, 1, 2 …"),
        ([("don_vi", "D4", None)], 'sheet "don_vi", cell D4, "Tên tiếng Anh": this cell is empty'),
        ([("don_vi", "A5", "Đ C")], 'sheet "don_vi", cell A5, "Mã đơn vị": the value \'Đ C\' is not valid'),
        ([("don_vi", "A6", "HL")], 'sheet "don_vi", cell A6: the code "HL" stands in two rows;'),
        ([("don_vi", "H4", "đối chứng")], 'sheet "don_vi", cell H4: the unit "HL" is declared otherwise above'),
        ([("so_phieu", "C4", "nhiều")], 'sheet "so_phieu", cell C4, "Số phiếu phát ra": the value \'nhiều\''),
        ([("so_phieu", "A4", "truóc")], 'sheet "so_phieu", cell A4: there is no wave "truóc" in the sheet dot;'),
        ([("so_phieu", "B4", "HL")], 'sheet "so_phieu", cell B4: the row for "truoc, HL" occurs twice'),
        ([("so_phieu", "B4", None)], 'sheet "so_phieu", cell B4: this cell is empty'),
        ([("thiet_ke", "A3", "Biến người")], 'sheet "thiet_ke", cell A3: there is no entry "Biến người"; nearest: '),
        ([("thiet_ke", "A3", "Biến đơn vị")], 'sheet "thiet_ke", cell A3: the entry "Biến đơn vị" has two rows'),
        ([("ke_hoach", "A2", None)], 'sheet "ke_hoach", cell B2: this cell stands outside'),
        ([("bang_ma", "C4", "sốo")], 'sheet "bang_ma", cell C4, "Loại": there is no type "sốo"; the types are: '),
        ([("bang_ma", "G<q1_1>", None)], 'sheet "bang_ma", cell G<q1_1>, "Nội dung câu hỏi": "q1_1" lacks its'),
        ([("bang_ma", "E<tuoi>", datetime(2026, 2, 1))], 'cell E<tuoi>, "Nhỏ nhất": "01/02/2026" is not a number'),
        ([("thang_do", "B4", "hai")], 'sheet "thang_do", cell B4, "Mã": "hai" is not a number.'),
        ([("thang_do", "B4", 1)], 'sheet "thang_do", cell B4, "Mã": the code "1" is declared twice'),
        (
            [("chi_so", "D4", "tổng")],
            "cell D4, \"Cách tính\": the value 'tổng' is not valid; expected: mean, weighted mean, share,",
        ),
        (
            [("chi_so", "A4", date(2020, 1, 2))],
            'sheet "chi_so", cell A4, "Mã chỉ số": the cell wants text but Excel made it "02/01/2020"',
        ),
        ([("bang_ma", "A1", "Tên bến")], 'sheet "bang_ma", cell A1: unknown column "Tên bến"; the columns are:'),
        ([("bang_ma", "B1", "Tên biến")], 'sheet "bang_ma", cell B1: the column "Tên biến" occurs twice'),
        ([("bang_ma", "Z9", "ghi chú")], 'sheet "bang_ma", cell Z9: this cell stands outside the headed columns'),
        ([("chi_phi", "D4", "#REF!")], 'sheet "chi_phi", cell D4, "Số lượng": the cell holds the error #REF!'),
    ],
)
def test_every_problem_names_its_cell(cells, edits, expected):
    found = found_in(edited(cells, *edits))
    if expected is None:
        assert found == []
        assert everything(read_cells(edited(cells, *edits))) == everything(text_contents(NGA_BAY))
    else:
        assert any(placed(cells, expected) in line and line.startswith("study.xlsx, sheet ") for line in found), found


@pytest.mark.parametrize(
    ("file", "place", "line", "values", "sheet", "cell"),
    [
        ("study.toml", "units.NB", None, {}, "don_vi", "A5"),
        ("study.toml", "units", None, {"found": "NB"}, "don_vi", "A5"),
        ("study.toml", "units", None, {}, "don_vi", None),
        ("study.toml", "units[1].names[2].vi", None, {}, "don_vi", "C4"),
        ("study.toml", "units[2].arm", None, {}, "don_vi", "H5"),
        ("study.toml", "waves[2].field_end", None, {}, "dot", "M4"),
        ("study.toml", "waves[1].where.column", None, {}, "dot", "G3"),
        ("study.toml", "waves[2].issued", None, {"found": "B"}, "so_phieu", "C14"),
        ("study.toml", "waves[2].returned", None, {"found": "B"}, "dot", "A4"),
        ("study.toml", "waves[1].wording", None, {"found": "q9"}, "dot", "T3"),
        ("study.toml", "design.composition[3]", None, {}, "thiet_ke", "B11"),
        ("study.toml", "plan", None, {"found": "cchc"}, "ke_hoach", None),
        ("study.toml", "plan.primary", None, {"found": "x"}, "ke_hoach", "B2"),
        ("study.toml", "costs[2].per", None, {}, "chi_phi", "C4"),
        ("study.toml", "study.row", None, {}, "khao_sat", "B6"),
        ("study.toml", "something else", None, {}, "khao_sat", None),
        ("index.toml", "node cchc", None, {"found": "q9"}, "chi_so", "A4"),
        ("index.toml", "node[2].items[5]", None, {}, "chi_so", "E4"),
        ("index.toml", "node nothing", None, {}, "chi_so", None),
        ("codebook.csv", "label_vi, label_en", 15, {}, "bang_ma", "G15"),
        ("codebook.csv", None, 15, {}, "bang_ma", "A15"),
        ("codebook.csv", None, None, {}, "bang_ma", None),
        ("scales.csv", "missing", 8, {}, "thang_do", "F8"),
        ("corrections.csv", "reason", 4, {}, "sua_so_lieu", "F4"),
    ],
)
def test_places_of_text_files_are_found_in_the_workbook(cells, file, place, line, values, sheet, cell):
    problem = read_cells(cells).locate(Problem(file, "file_empty", values, line, place))
    assert (problem.file, problem.sheet, problem.cell, problem.line) == ("study.xlsx", sheet, cell, None)


def test_problems_of_other_files_stay_where_they_are_and_name_the_sheets(cells):
    locate = read_cells(cells).locate
    assert locate(problem := Problem("raw/sau.csv", "file_empty", line=3)) == problem
    values = {"found": "HLL", "label": "…", "expected": "HL.", "row": "sau-3", "variable": "q7"}
    located = locate(Problem("raw/sau.csv", "answer_unknown", values, line=3, column="Câu 7"))
    assert located.message("vi") == (
        "raw/sau.csv, dòng 3, «Câu 7»: câu trả lời «HLL» không có trong thang đo (…); gần nhất: HL. Hãy thêm vào cột "
        "«Cách viết khác» của trang thang_do, hoặc ghi quyết định vào trang sua_so_lieu («Phiếu» sau-3, «Biến» q7)."
    )
    assert located.message("en").endswith("into the sheet sua_so_lieu (row_id sau-3, variable q7).")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_problem_names_a_text_file_and_none_loses_a_value(language):
    for key, words in catalogue().items():
        told = retold(key, language)
        assert not re.search(r"(study|index)\.toml|(codebook|scales|corrections)\.csv", told), key
        if f"studybook_says_{key}" not in catalogue():
            assert re.findall(r"{\w*}", told) == re.findall(r"{\w*}", words[language]), key


def test_a_study_folder_may_hold_a_workbook_instead(book, folder):
    shutil.copy(book, folder / "study.xlsx")
    studies = [evalkit.open_study(folder), evalkit.open_study(NGA_BAY)]
    for names in ("declared", "index"):
        assert getattr(studies[0], names) == getattr(studies[1], names)
    one, other = ({name: replace(found, line=0) for name, found in s.codebook.items()} for s in studies)
    assert one == other
    surveys = [evalkit.clean(evalkit.read(study), study) for study in studies]
    for table in ("responses", "missing", "mapping", "log"):
        one, other = (getattr(survey, table).drop(columns="rule", errors="ignore") for survey in surveys)
        pd.testing.assert_frame_equal(one, other)  # a rule of the log names the line of its correction


MISTYPED = """
dot!L4 = 31/2/2020
    «dot», ô L4, «Ngày bắt đầu»: giá trị '31/2/2020' không hợp lệ; cần: ngày dạng ngày/tháng/năm, ví dụ
    30/01/2026.
dot!M4 = 1/11/2020
    «dot», ô M4, «Ngày kết thúc»: ngày kết thúc 01/11/2020 trước ngày bắt đầu 02/11/2020.
dot!E3 = raw/truoc.csv
    «dot», ô E3, «Tệp số liệu»: không tìm thấy tệp dữ liệu thô «raw/truoc.csv»; hãy chép tệp vào thư mục khảo
    sát.
dot!I3 = utf8
    «dot», ô I3, «Bảng mã»: giá trị 'utf8' không hợp lệ; cần: utf-8, utf-16, cp1258, tcvn3, vni, viscii.
so_phieu!B4 =
    «so_phieu», ô B4: ô này còn trống; hãy điền.
so_phieu!C3 = 1,5
    «so_phieu», ô C3, «Số phiếu phát ra»: giá trị 1.5 không hợp lệ; cần: 0, 1, 2 ….
don_vi!H5 = thí nghiệm
    «don_vi», ô H5, «Nhóm»: giá trị 'thí nghiệm' không hợp lệ; cần: thí điểm, đối chứng.
don_vi!H5 =
    «don_vi», ô A5: các đơn vị NB chưa khai báo «Nhóm»; hãy khai báo «thí điểm» hoặc «đối chứng» cho mọi đơn vị,
    hoặc bỏ hẳn.
don_vi!D4 =
    «don_vi», ô D4, «Tên tiếng Anh»: ô này còn trống; hãy điền.
don_vi!A4 = Hiệp Lợi
    «don_vi», ô A4, «Mã đơn vị»: giá trị 'Hiệp Lợi' không hợp lệ; cần: chữ không dấu (A–Z, a–z), số và dấu gạch
    dưới.
don_vi!A6 = NB
    «don_vi», ô A6: mã «NB» có ở hai dòng; nếu là tên khác của cùng đơn vị, hãy ghi 2, 3… vào cột «Tên thứ»; nếu
    là đơn vị khác, hãy dùng mã khác.
bang_ma!D<q1_1> = hailong
    «bang_ma», ô D<q1_1>, «Thang đo»: thang đo «hailong» chưa được khai báo trong trang thang_do; gần nhất:
    hai_long.
bang_ma!C<don_vi> = số
    «thiet_ke», ô B2, «Biến đơn vị»: biến «don_vi» có loại «số»; vai trò này cần loại «mã» trong trang bang_ma.
thang_do!B7 = 5a
    «thang_do», ô B7, «Mã»: «5a» không phải là số.
chi_so!E4 = q1_1, q1_9
    «chi_so», ô E4, «Câu hỏi»: không có biến «q1_9»; gần nhất: q1_5.
chi_so!D4 = tỷ lệ
    «chi_so», ô A4: «Cách tính» là «tỷ lệ» cần đúng một câu hỏi, hiện có 5.
ke_hoach!B2 = hailong
    «ke_hoach», ô B2, «Chỉ số chính»: không có chỉ số «hailong» trong trang chi_so; gần nhất: hai_long.
sua_so_lieu!C4 = sua lai
    «sua_so_lieu», ô C4, «Việc làm»: hành động «sua lai» không có; các hành động: sửa, để trống, loại phiếu.
sua_so_lieu!F4 =
    «sua_so_lieu», ô F4, «Lý do»: thiếu lý do; mỗi quyết định về dữ liệu phải có lý do.
"""


def mistyped():
    """(cell, what is typed, what is said) from the blocks above."""
    for found in re.finditer(r"^(\S+) =(.*)\n((?: {4}.*\n)+)", MISTYPED, re.MULTILINE):
        yield found[1], found[2].strip() or None, " ".join(found[3].split())


@pytest.mark.parametrize(("at", "value", "expected"), list(mistyped()))
def test_what_a_lecturer_mistypes(cells, folder, monkeypatch, at, value, expected):
    book = edited(cells, (*at.split("!"), value))
    monkeypatch.setattr("evalkit.studybook.read_studybook", lambda path, name: read_cells(book, name))
    (folder / "study.xlsx").touch()
    with pytest.raises(DataError) as error:
        evalkit.open_study(folder)
    assert f"study.xlsx, trang {placed(cells, expected)}" in error.value.message("vi").splitlines()
    assert "codebook" not in error.value.message("en")


def test_a_correction_of_an_unknown_row_and_a_wrong_count_name_their_cells(cells, folder, monkeypatch):
    book = edited(cells, ("sua_so_lieu", "A4", "truoc-9999"), ("so_phieu", "C4", 10))
    monkeypatch.setattr("evalkit.studybook.read_studybook", lambda path, name: read_cells(book, name))
    (folder / "study.xlsx").touch()
    study = evalkit.open_study(folder)
    with pytest.raises(DataError) as error:
        evalkit.clean(evalkit.read(study), study)
    told = error.value.message("vi")
    assert (
        "study.xlsx, trang «sua_so_lieu», ô A4, «Phiếu»: không có dòng «truoc-9999»; «Phiếu» có dạng mã đợt" in told
    )
    assert "trang «so_phieu», ô C4, «Số phiếu phát ra»: study.xlsx khai báo 10 phiếu phát ra cho NB" in told


def test_codes_that_excel_made_numbers(book, tmp_path):
    workbook = openpyxl.load_workbook(book)
    page = workbook["don_vi"]
    for at, value, shown in (("E3", 344, "00000"), ("E4", 31344, "General"), ("E5", 31340.0, "General")):
        page[at], page[at].number_format = value, shown
    workbook.save(tmp_path / "study.xlsx")
    found = read_studybook(tmp_path / "study.xlsx")
    codes = [name["official_code"] for unit in found.study["units"][:2] for name in unit["names"]]
    assert codes == ["00344", "31344", "31340"]
    (notice,) = found.notices
    assert notice.message("en").startswith('study.xlsx, sheet "don_vi", cell E4, "Mã hành chính": 2 cells of this')


def test_text_is_never_a_formula_and_stays_as_it_is(tmp_path):
    starts = ["=1+1", "+84", "-5", "@x", "'007", '=HYPERLINK("x")', "{=1}", "#N/A x", "1e5", "007"]
    contents = text_contents(NGA_BAY)
    contents.study["study"]["title"]["vi"] = starts[0]
    contents.corrections[0]["old_value"] = starts[0]
    for row, start in zip(contents.codebook, starts, strict=False):
        row["label_vi"] = start
    write_studybook(tmp_path / "study.xlsx", contents)
    with zipfile.ZipFile(tmp_path / "study.xlsx") as parts:
        assert not any(b"<f>" in parts.read(name) for name in parts.namelist())
    again = read_studybook(tmp_path / "study.xlsx")
    assert again.study["study"]["title"]["vi"] == again.corrections[0]["old_value"] == starts[0]
    assert [row["label_vi"] for row in again.codebook[: len(starts)]] == starts
    shown = CalamineWorkbook.from_path(tmp_path / "study.xlsx").get_sheet_by_name("bang_ma").to_python()
    assert [row[6] for row in shown[2 : 2 + len(starts)]] == starts


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "expected"),
    [
        ("ke_hoach", "B6", "=1-0.05", "the cell holds a formula without a value"),
        ("bang_ma", "A5", "=A4", "the cell holds a formula without a value"),
        ("bang_ma", "A5", "#REF!", "the cell holds the error #REF!"),
    ],
)
def test_formulas_must_have_values(book, tmp_path, sheet, cell, value, expected):
    workbook = openpyxl.load_workbook(book)
    workbook[sheet][cell] = value
    workbook.save(tmp_path / "study.xlsx")
    with pytest.raises(DataError, match=f'sheet "{sheet}", cell {cell}') as error:
        read_studybook(tmp_path / "study.xlsx")
    assert expected in str(error.value)


@pytest.mark.parametrize("sheet", ["don_vi", "sua_so_lieu"])
def test_a_missing_sheet_is_named_with_the_nearest(cells, sheet):
    left = {name + (" (2)" if name == sheet else ""): found for name, found in cells.items()}
    assert f'study.xlsx, sheet "{sheet}": this sheet is missing; nearest: {sheet} (2).' in found_in(left)[0]


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", "empty"), (b"PK\x03\x04 no workbook", "no workbook that can be read"), (b"a,b", "no workbook")],
)
def test_other_files_are_refused(tmp_path, data, expected):
    (tmp_path / "study.xlsx").write_bytes(data)
    with pytest.raises(DataError, match=expected):
        read_studybook(tmp_path / "study.xlsx")


def test_only_a_valid_study_is_written(tmp_path):
    contents = text_contents(NGA_BAY)
    del contents.study["plan"]["primary"]
    with pytest.raises(DataError, match=r"plan.primary"):
        write_studybook(tmp_path / "study.xlsx", contents)


def test_the_same_contents_give_the_same_bytes(book, tmp_path):
    write_studybook(tmp_path / "again.xlsx", text_contents(NGA_BAY))
    assert (tmp_path / "again.xlsx").read_bytes() == book.read_bytes()


@pytest.mark.slow
def test_random_cells_give_contents_or_a_clear_error(cells):
    random = np.random.default_rng(20261122)
    values = [None, "", " ", "x", "=1", "#REF!", "#", "có", "7", "1,5", "-1", "9" * 20, "ế" * 300, 0, 1, -3, 1.5]
    values += [1e300, float("nan"), float("inf"), 10**30, True, False, date(1, 1, 1), datetime(2020, 1, 2)]
    values += [datetime(2020, 1, 2, 3), time(8, 30), "31/02/2020", "all", "HL", "waves[1]", "q7,q7", "{x}", "[", "."]
    sheets = list(cells)
    others = [value for found in cells.values() for value in found.values()]
    good = 0
    for _ in range(10_000):
        changed = {name: dict(found) for name, found in cells.items()}
        for _ in range(random.integers(1, 4)):
            sheet = changed[sheets[random.integers(len(sheets))]]
            spots = list(sheet)
            spot = spots[random.integers(len(spots))] if random.random() < 0.8 else tuple(random.integers(1, 45, 2))
            pool = values if random.random() < 0.6 else others
            sheet[int(spot[0]), int(spot[1])] = pool[random.integers(len(pool))]
        found = found_in(changed)
        good += not found
        assert all(line.startswith("study.xlsx, sheet ") for line in found), found
    assert 500 < good < 9_500


@pytest.mark.slow
@pytest.mark.skipif(not CALC.exists(), reason="LibreOffice Calc is not installed")
def test_a_workbook_saved_by_libreoffice_says_the_same(book, tmp_path):
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = ["soffice", "--headless", profile, "--convert-to", "xlsx", "--outdir", str(tmp_path), str(book)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    saved = read_studybook(tmp_path / "study.xlsx")
    assert everything(saved) == everything(text_contents(NGA_BAY))
    assert saved.notices == ()
