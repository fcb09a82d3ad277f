"""Workbooks: what is read, what is announced, what is refused; the PCI and PAPI files; damaged bytes."""

import datetime as dt
import io
import re
import struct
import time
import zipfile
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.errors import DataError
from evalkit.workbooks import is_workbook, read_workbook, refuse_merged_below, sheet_names

PCI = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "papi_pci_vietnam"
needs_pci = pytest.mark.skipif(not PCI.exists(), reason="the PCI and PAPI workbooks are not in this repository")

ODS = """<?xml version="1.0" encoding="UTF-8"?><office:document-content
 xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" office:version="1.3">
<office:body><office:spreadsheet><table:table table:name="A">%s</table:table></office:spreadsheet></office:body>
</office:document-content>"""
HEADER = "<table:table-row><table:table-cell %s><text:p>Câu 1</text:p></table:table-cell></table:table-row>"
HEADER %= 'office:value-type="string"'


def package(**members):
    """A zip of members; `__` stands for a slash, `_` for a dot."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return made.getvalue()


def ods(cells):
    manifest = '<manifest xmlns="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"/>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    content = zipfile.ZipInfo("mimetype")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(content, kind)
        archive.writestr("content.xml", ODS % (HEADER + cells))
        archive.writestr("META-INF/manifest.xml", manifest)
    return made.getvalue()


def ods_row(attributes, shown="", row=""):
    paragraph = f"<text:p>{shown}</text:p>" if shown else ""
    return f"<table:table-row {row}><table:table-cell {attributes}>{paragraph}</table:table-cell></table:table-row>"


def xlsx(change=lambda sheet: None, rows=()):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "A"
    for row in rows:
        sheet.append(row)
    change(sheet)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


def edited(data, member, edit):
    """The package with one member's bytes changed, or added."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in dict.fromkeys([*old.namelist(), member]):
            content = old.read(name) if name in old.namelist() else b""
            new.writestr(name, edit(content) if name == member else content)
    return made.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
SMALL = xlsx(rows=[["Mã", "Câu 1"], ["007", 3], ["H2", "Hài lòng"]])


@pytest.fixture
def read(tmp_path):
    def read(data, **options):
        path = tmp_path / "book.xlsx"
        path.write_bytes(data)
        return read_workbook(path, "book.xlsx", **options)

    return read


@pytest.fixture
def refusal(read):
    def refusal(data, **options):
        with pytest.raises(DataError) as caught:
            read(data, **options)
        assert caught.value.message("vi")
        return caught.value.message("en")

    return refusal


def formatted(value, code):
    def change(sheet):
        sheet["A2"] = value
        sheet["A2"].number_format = code

    return change


# What the cell means, told by hand: Excel shows the value so, or with fewer digits.
@pytest.mark.parametrize(
    ("value", "code", "decimal", "expected"),
    [
        (3, "General", ".", "3"),
        (3.0, "General", ".", "3"),
        (True, "General", ".", "True"),
        (0.75, "General", ",", "0,75"),
        (1.234, "General", ".", "1.234\u2060"),
        (1e15, "General", ".", "1000000000000000"),
        (-0.0000001, "General", ".", "-0.0000001"),
        ("007", "General", ".", "007"),
        ("1.0", "General", ".", "1.0"),
        (dt.date(2026, 11, 2), "dd/mm/yyyy", ".", "2026-11-02"),
        (dt.datetime(2026, 11, 2, 10, 30), "dd/mm/yyyy hh:mm", ".", "2026-11-02 10:30:00"),
        (dt.time(10, 30), "hh:mm", ".", "10:30:00"),
        (dt.timedelta(hours=30), "[h]:mm", ".", "30:00:00"),
        (0.8266, "0.00%", ".", "82.66%"),
        (0.8266, "0.00%", ",", "82,66%"),
        (0.07, "0%", ".", "7%"),
        (1, "0%", ".", "100%"),
        (82, '0"%"', ".", "82"),
        (7, "000", ".", "007"),
        (7.5, "000", ".", "7.5"),
    ],
)
def test_a_cell_becomes_the_text_that_means_the_same(read, value, code, decimal, expected):
    grid = read(xlsx(formatted(value, code), [["x"]]), decimal=decimal)
    assert grid.cells.loc[2, 0] == expected
    assert not grid.notices


def test_lines_are_those_of_excel_and_true_is_not_one(read):
    grid = read(xlsx(rows=[["a", "b"], [None, None], [True, 1], [1, "1"], ["  ", None]]))
    assert grid.cells.index.tolist() == [1, 3, 4]
    assert grid.cells.index.name == "line"
    assert grid.cells.to_numpy().tolist() == [["a", "b"], ["True", "1"], ["1", "1"]]


def test_the_only_filled_visible_sheet_is_read_and_others_are_announced(read, refusal, tmp_path):
    def change(sheet):
        book = sheet.parent
        book.create_sheet("Trống")
        book.create_sheet("Trang 2")["B2"] = 5
        book.create_sheet("Ẩn")["A1"] = "x"
        book["Ẩn"].sheet_state = "hidden"
        book.move_sheet("A", 2)

    data = xlsx(change, [["a"], [1]])
    (tmp_path / "book.xlsx").write_bytes(data)
    assert sheet_names(tmp_path / "book.xlsx", "book.xlsx") == ["Trống", "Trang 2", "A", "Ẩn"]
    grid = read(data)
    assert grid.cells.index.tolist() == [2]
    assert [notice.message("en") for notice in grid.notices] == [
        'book.xlsx, sheet "Trang 2": only this sheet is read; others have content too: A, Ẩn.'
        " If another is meant, name it as sheet in study.toml.",
        "book.xlsx: sheets are hidden in Excel: Ẩn.",
    ]
    assert read(data, sheet="TRANG  2").cells.equals(grid.cells)
    assert not read(data, sheet="A").notices
    assert refusal(data, sheet="Trang 3") == 'book.xlsx: there is no sheet "Trang 3"; sheets: Trang 2.'
    assert "the file is empty" in refusal(data, sheet="Trống")


def test_hidden_and_filtered_rows_and_columns_are_announced(read):
    def change(sheet):
        for line in (2, 4, 40):
            sheet.row_dimensions[line].hidden = True
        sheet.column_dimensions["B"].hidden = True
        sheet.column_dimensions["Z"].hidden = True

    grid = read(xlsx(change, [["a", "b"], [1, 2], [3, 4], [5, 6]]))
    assert len(grid.cells) == 4
    assert [notice.message("en") for notice in grid.notices] == [
        'book.xlsx, sheet "A": rows hidden or filtered in Excel are read all the same (count: 2): 2, 4.',
        'book.xlsx, sheet "A": columns hidden in Excel are read all the same (count: 1): B.',
    ]


def test_errors_and_formulas_without_result_are_named_together(refusal):
    rows = [["a", "b"], ["#N/A", 1], ["#N/A", "=1+1"], ["#REF!", 2]]
    assert refusal(xlsx(rows=rows)).splitlines() == [
        'book.xlsx, sheet "A": the error #N/A stands in the cells A2, A3 (count: 2); mend it in Excel and save.',
        'book.xlsx, sheet "A": the error #REF! stands in the cells A4 (count: 1); mend it in Excel and save.',
        'book.xlsx, sheet "A": formulas without a result stand in the cells B3 (count: 1);'
        " open the file in Excel, which calculates them, and save.",
    ]


def test_a_calculated_formula_is_its_result(read):
    def calculated(xml):
        xml = xml.replace(b"<f>1+1</f><v></v>", b"<f>1+1</f><v>2</v>").replace(
            b"<f>1+1</f><v />", b"<f>1+1</f><v>2</v>"
        )
        assert b"<v>2</v>" in xml
        return xml.replace(b'<c r="B2">', b'<c r="B2" t="str">', 1)

    data = edited(xlsx(rows=[["a", "b"], ["=1+1", '=""']]), SHEET, calculated)
    assert read(data).cells.to_numpy().tolist() == [["a", "b"], ["2", ""]]


ANSWERS = [[f"{line}.{column}" for column in range(3)] for line in range(30)]


@pytest.mark.parametrize(
    ("area", "header", "refused"),
    [
        ("A1:C1", 1, False),  # the header row
        ("A2:A3", 3, False),  # a header of two rows
        ("B2:C2", 3, False),
        ("A10:A11", 3, True),  # below the header, within the first twenty rows
        ("A10:B10", 3, True),
        ("A3:A10", 3, True),
        ("A10:A11", None, False),  # a notice, as the header is not known
        ("A19:A21", None, True),
        ("B25:C25", None, True),
    ],
)
def test_merged_cells_are_filled_in_a_header_and_refused_in_data(read, refusal, area, header, refused):
    data = xlsx(lambda sheet: sheet.merge_cells(area), ANSWERS)
    if refused and header is None:
        assert f"the merged cells {area} hold one value for several cells" in refusal(data)
        return
    grid = read(data)
    (first, *others) = [grid.cells.loc[c.row, c.column - 1] for row in openpyxl.Workbook().active[area] for c in row]
    assert first and set(others) == {first}
    if refused:
        with pytest.raises(DataError, match=f"the merged cells {area}"):
            refuse_merged_below(grid, header)
    elif header is None:
        assert [notice.key for notice in grid.notices] == ["workbook_merged"] * (area != "A1:C1")
    else:
        assert not refuse_merged_below(grid, header).notices


def test_merged_empty_cells_below_the_data_are_nothing(read):
    assert read(xlsx(lambda sheet: sheet.merge_cells("A8:B9"), rows=[["a", "b"], ["1", "2"]])).cells.shape == (2, 2)


@pytest.mark.parametrize("area", ["A31:C31", "A31:C33", "A10:A11"])
def test_a_merged_note_alone_in_its_rows_is_harmless(read, area):
    def change(sheet):
        sheet.delete_rows(10, 2) if area == "A10:A11" else None
        sheet.insert_rows(10, 2) if area == "A10:A11" else None
        sheet[area.split(":")[0]] = "Ghi chú"
        sheet.merge_cells(area)

    assert not read(xlsx(change, ANSWERS)).notices


DOCTYPE = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'


def lying(data):
    """The directory of the zip says that the sheet unpacks to ten bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        size = struct.pack("<I", archive.getinfo(SHEET).file_size)
    return data.replace(size, struct.pack("<I", 10))


def declared(size):
    """The directory says that the sheet unpacks to `size` bytes."""
    at = SMALL.rindex(SHEET.encode()) - 46 + 24
    return SMALL[:at] + struct.pack("<I", size) + SMALL[at + 4 :]


def ole(stream):
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + stream.encode("utf-16-le") + bytes(600)


@pytest.mark.parametrize(
    ("data", "kind", "message"),
    [
        (b"", None, "the file is empty"),
        (b"a;b\n1;2\n", None, "the content is text"),
        (b"\xef\xbb\xbf<html><table></table></html>", None, "an HTML or XML page"),
        (b"%PDF-1.7 \x00\xff", None, "no .xlsx, .xls or .ods workbook"),
        (package(word__document_xml="<x/>"), None, "no .xlsx, .xls or .ods workbook"),
        (ole("WordDocument\0"), None, "no .xlsx, .xls or .ods workbook"),
        (ole("EncryptedPackage\0"), "xlsx", "the workbook has a password"),
        (ole("Workbook\0"), "xls", "the workbook is damaged"),
        (SMALL[: len(SMALL) // 2], "xlsx", "the workbook is damaged"),
        (edited(SMALL, SHEET, lambda xml: xml[:-40]), "xlsx", "the workbook is damaged"),
        (edited(SMALL, SHEET, lambda xml: b"\xff\xfe" + xml.decode().encode("utf-16-le")), "xlsx", "damaged"),
        (edited(SMALL, SHEET, lambda xml: DOCTYPE + xml), "xlsx", "a DOCTYPE declaration"),
        (edited(SMALL, "xl/sharedStrings.xml", lambda xml: DOCTYPE + xml), "xlsx", "a DOCTYPE declaration"),
        (edited(SMALL, "xl/deep/other.xml", lambda xml: DOCTYPE), "xlsx", "a DOCTYPE declaration"),
        (lying(SMALL), "xlsx", "the workbook is damaged"),
        (declared(2_000_000_000), "xlsx", "would unpack to 2000 MB"),
        (edited(SMALL, SHEET, lambda xml: xml + b" " * 150_000_000), "xlsx", "would unpack to 150 MB"),
        (xlsx(lambda s: s.cell(2, 5_001, 1), [["a"]]), "xlsx", "reaches to the cell GJI2; at most 5000 columns"),
        (xlsx(lambda s: s.cell(1_048_576, 11, 1), [["a"]]), "xlsx", "reaches to the cell K1048576"),
        (edited(SMALL, SHEET, lambda x: x.replace(b'r="B2"', b"r='XFD1048576'")), "xlsx", "cell XFD1048576"),
        (edited(SMALL, SHEET, lambda x: x.replace(b' r="B2"', b'\rr="XFD1048576"')), "xlsx", "cell XFD1048576"),
        (edited(SMALL, SHEET, lambda x: x.replace(b'r="B2"', b'r="B2" r="XFD1048576"')), "xlsx", "is damaged"),
        (ods('<table:table-row table:number-rows-repeated="99999999"/>'), "ods", "the workbook is damaged"),
        (ods(ods_row('table:number-columns-repeated="9999" office:value-type="string"', "x")), "ods", "cell NTO2"),
        (ods("</x>"), "ods", "the workbook is damaged"),
        (ods(ods_row('calcext:value-type="error"', "#DIV/0!")), "ods", "#DIV/0! stands in the cells A2"),
        (ods(ods_row('table:formula="of:=NA()"', "#N/A")), "ods", "#N/A stands in the cells A2"),
        (ods(ods_row('table:formula="of:=X"', "Err:508")), "ods", "Err:508 stands in the cells A2"),
        (ods(ods_row('table:formula="of:=1+1"')), "ods", "formulas without a result stand in the cells A2"),
    ],
)  # fmt: skip
def test_what_is_no_sound_workbook_is_refused(refusal, data, kind, message):
    assert is_workbook(data) == kind
    assert message in refusal(data)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, message in [(tmp_path / "none.xlsx", "the file is not there"), (tmp_path, "cannot be opened")]:
        with pytest.raises(DataError, match=message):
            sheet_names(path, "x")


@pytest.mark.parametrize(
    ("attributes", "shown", "row", "expected"),
    [
        ('office:value-type="string"', "007", "", "007"),
        ('office:value-type="float" office:value="3"', "3", "", "3"),
        ('office:value-type="percentage" office:value="0.8266"', "82.66%", "", "82.66%"),
        ('office:value-type="boolean" office:boolean-value="true"', "TRUE", "", "True"),
        ('office:value-type="date" office:date-value="2026-11-02"', "02/11/26", "", "2026-11-02"),
        ('office:value-type="date" office:date-value="2026-11-02T10:30:00"', "x", "", "2026-11-02 10:30:00"),
        ('office:value-type="float" office:value="3"', "3", 'table:visibility="filter"', "3"),
    ],
)
def test_libreoffice_cells_read_alike(read, attributes, shown, row, expected):
    grid = read(ods(ods_row(attributes, shown, row)))
    assert grid.cells.loc[2, 0] == expected
    assert [notice.values["found"] for notice in grid.notices] == ["2"] * bool(row)


def test_libreoffice_merged_cells_are_told(read):
    beside = '<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>'
    both = ods_row('table:number-rows-spanned="2" office:value-type="string"', "y").replace("</table:table-row>", "")
    under = f"<table:table-row><table:covered-table-cell/>{beside}</table:table-row>"
    grid = read(ods(f"{both}{beside}</table:table-row>{under}"))
    assert grid.cells[0].tolist() == ["Câu 1", "y", "y"]
    with pytest.raises(DataError, match="the merged cells A2:A3"):
        refuse_merged_below(grid, 1)


@pytest.mark.parametrize("last", [50_000, pytest.param(1_048_576, marks=pytest.mark.slow)])
def test_a_million_empty_formatted_rows_are_nothing(read, last):
    empty = b'<row r="%d" s="1" customFormat="1" hidden="1"><c r="A%d" s="1"/></row>'
    rows = b"".join(empty % (line, line) for line in range(4, last + 1))
    data = edited(SMALL, SHEET, lambda xml: xml.replace(b"</sheetData>", rows + b"</sheetData>"))
    start = time.process_time()
    grid = read(data)
    assert time.process_time() - start < 10
    assert grid.cells.shape == (3, 2)
    assert not grid.notices


def test_members_named_like_paths_are_only_names(read, tmp_path):
    data = edited(SMALL, "../../escaped.xml", lambda xml: b"<x/>")
    assert read(data).cells.shape == (3, 2)
    assert not list(tmp_path.parent.glob("escaped*"))


# Where the first index stands in each year's workbook: looked up by eye. Its values are those of pci.csv, which was
# made from the same workbooks by others; 42 provinces in the first year, 64 until Hà Tây joined Hà Nội, then 63.
ENTRY_COSTS = [
    ("PCI_2005.xls", "Bảng tóm tắt chỉ số", 5, 42),
    ("PCI_2006.xls", "PCI Tóm tắt", 2, 64),
    ("PCI_2007.xls", "Tóm tắt các chỉ số PCI", 4, 64),
    ("PCI_2008.xls", "Tổng hợp", 2, 64),
    ("PCI_2009.xls", "Tong Hop", 3, 63),
    ("PCI_2010.xls", "Tong hop", 2, 63),
    ("PCI_2013.xlsx", "Summary_VN", 2, 63),
    ("PCI_2014.xlsx", "Summary_VN", 2, 63),
    ("PCI_2016.xlsx", "Summary_VN", 2, 63),
]


@needs_pci
@pytest.mark.parametrize(("file", "sheet", "column", "provinces"), ENTRY_COSTS, ids=lambda value: str(value)[:13])
def test_pci_workbooks_hold_the_published_values(file, sheet, column, provinces):
    published = pd.read_csv(PCI / "pci.csv").query(f"year == {file[4:8]}")["pci_entry"].round(4)
    cells = read_workbook(PCI / file, file, sheet=sheet).cells[column].astype(str)
    found = pd.to_numeric(cells, errors="coerce").round(4)
    assert len(published) == provinces
    assert set(published) <= set(found)


@needs_pci
def test_papi_sheets_hold_63_provinces_and_the_highest():
    grid = read_workbook(PCI / "PAPI_2011-2016.xlsx", "papi", sheet="2016_PAPI")
    assert grid.cells.shape == (66, 32)
    assert grid.cells[0].tolist()[:3] == ["tinhid", "tinhid", "1"]
    assert sum(cell.isdigit() for cell in grid.cells[0]) == 64


@needs_pci
@pytest.mark.slow
@pytest.mark.parametrize("file", sorted(PCI.glob("*.xls*")), ids=lambda file: file.name)
def test_every_pci_and_papi_sheet_reads(file):
    for name in sheet_names(file, file.name):
        try:
            grid = read_workbook(file, file.name, sheet=name)
        except DataError as error:
            # Two empty title sheets, and provinces grouped by merged cells: both true of the files.
            assert (file.name, {problem.key for problem in error.problems}) in [
                ("PCI_2005.xls", {"workbook_merged"}),
                ("PCI_2006.xls", {"file_empty"}),
                ("PCI_2007.xls", {"file_empty"}),
            ]
        else:
            assert len(grid.cells) >= 42


@needs_pci
def test_an_xls_announces_what_is_hidden_and_shows_percentages():
    file = "PCI_2006.xls"
    first = read_workbook(PCI / file, file)
    # As xlrd 2.0.2 tells of the same file; its first sheet is empty.
    assert [notice.key for notice in first.notices] == ["workbook_other_sheets", "workbook_hidden_rows"]
    assert first.notices[1].values == {"count": 1, "found": "1"}
    shares = read_workbook(PCI / "PCI_2008.xls", "PCI_2008.xls", sheet="Chi phí gia nhập thị trường").cells
    assert shares[2].tolist()[3] == "6.66667%"


@needs_pci
def test_an_error_cell_of_an_xls_is_named(refusal):
    data = (PCI / "PCI_2009.xls").read_bytes()
    numbers = [m.start() for m in re.finditer(re.escape(struct.pack("<HH", 0x0203, 14)), data)]
    row, column = struct.unpack_from("<HH", data, numbers[5] + 4)
    at = numbers[5]
    broken = data[:at] + struct.pack("<H", 0x0205) + data[at + 2 : at + 10] + b"\x2a\x01" + data[at + 12 :]
    cell = openpyxl.utils.get_column_letter(column + 1) + str(row + 1)
    assert f"the error #N/A stands in the cells {cell} (count: 1)" in refusal(broken, sheet="Tong Hop")


@st.composite
def damage(draw, sources):
    """Bytes of a sound workbook, flipped, cut out, put in, or inside one of its parts."""

    def hurt(data):
        data = bytearray(data)
        for _ in range(draw(st.integers(1, 4))):
            at = draw(st.integers(0, max(len(data) - 1, 0)))
            match draw(st.integers(0, 3)):
                case 0:
                    data[at : at + 1] = bytes([draw(st.integers(0, 255))])
                case 1:
                    del data[at : at + draw(st.integers(1, 50))]
                case 2:
                    data[at:at] = draw(
                        st.one_of(st.binary(max_size=8), st.sampled_from([b"9" * 9, b'"', b"<", b"-1", b"\xff\xff"]))
                    )
                case 3:
                    data[at : at + 4] = b"\xff\xff\xff\xff"
        return bytes(data)

    data = draw(st.sampled_from(sources))
    if data.startswith(b"PK") and draw(st.integers(0, 3)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            member = draw(st.sampled_from(archive.namelist()))
        return edited(data, member, hurt)
    return hurt(data)


def fuzz_sources():
    def change(sheet):
        sheet.merge_cells("A1:B1")
        sheet.row_dimensions[3].hidden = True
        formatted(0.5, "0%")(sheet)
        sheet.parent.create_sheet("B")["C3"] = dt.datetime(2026, 1, 1)

    book = xlsx(change, [["a", "b", "c"], [1, "x", True], ["y", 2.5, "z"]])
    other = ods(
        ods_row('office:value-type="percentage" office:value="0.5"', "50%", 'table:visibility="collapse"') * 3
    )
    return [book, other]


def only_data_errors(path, data):
    path.write_bytes(data)
    try:
        for sheet in sheet_names(path, "x")[:2]:
            read_workbook(path, "x", sheet=sheet)
    except DataError as error:
        assert error.message("vi")


FUZZ = settings(deadline=10_000, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@settings(FUZZ, max_examples=8_000)
@given(damage(fuzz_sources()))
def test_damaged_packages_are_refused_and_nothing_else(tmp_path_factory, data):
    only_data_errors(tmp_path_factory.getbasetemp() / "fuzz", data)


@needs_pci
@pytest.mark.slow
@settings(FUZZ, max_examples=3_000)
@given(st.data())
def test_damaged_xls_files_are_refused_and_nothing_else(tmp_path_factory, data):
    source = [(PCI / "PCI_2005.xls").read_bytes()]
    only_data_errors(tmp_path_factory.getbasetemp() / "fuzz.xls", data.draw(damage(source)))
