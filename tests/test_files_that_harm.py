"""Damaged, hostile and mistaken files, through the whole study: each is refused in words a lecturer can follow."""

import io
import time
import unicodedata
import zipfile

import openpyxl
import pytest
from conftest import FILES

import evalkit as ek

AFTER = FILES["sau"][1]
LINES = AFTER.splitlines()


def book(change=lambda sheet: None):
    """The second wave as xlsx, changed."""
    made, workbook = io.BytesIO(), openpyxl.Workbook()
    for line in LINES:
        workbook.active.append(line.split(","))
    change(workbook.active)
    workbook.save(made)
    return made.getvalue()


def repacked(data, change):
    """The package with its sheet changed."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(old.read(name)) if name.endswith("sheet1.xml") else old.read(name))
    return made.getvalue()


def entities(sheet):
    lol = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    return sheet.replace(b"<worksheet", lol + b"<worksheet", 1)


def locked():
    """The start of what Excel writes with a password: an OLE file that holds an encrypted package."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(512)


def wide(text):
    titles = ",".join(f"Cột {number}" for number in range(10_000))
    return text.replace("Câu 2\n", f"Câu 2,{titles}\n")


def row(sheet, value, code="General"):
    sheet["E3"] = value
    sheet["E3"].number_format = code


MANY = "\n".join([LINES[0], *(f"N{n},H{n},{'TD'},Ấp 1,,{20 + n},{n % 3 + 1},{n % 2 + 1}" for n in range(30))])
FIRST = ", ".join(f"«Cột {number}»" for number in range(10))
QUOTED = FIRST.replace("«", '"').replace("»", '"')
DAMAGED = (
    "sổ tính bị hỏng hoặc chưa được chép đầy đủ; hãy chép lại từ bản gốc, hoặc mở bằng Excel và lưu lại dạng .xlsx.",
    "the workbook is damaged or was not copied completely; copy it again from the original, or open it in Excel and "
    "save it as .xlsx.",
)
OUTSIDE = (
    "dòng 3, «Ngày»: ngày {} nằm ngoài thời gian khảo sát 02/11/2026–27/11/2026; hãy đối chiếu "
    "phiếu gốc và ghi quyết "
    "định vào corrections.csv (row_id sau-3, variable ngay).",
    'line 3, "Ngày": the date {} is outside the days in the field 02/11/2026–27/11/2026; look at the form and write '
    "the decision into corrections.csv (row_id sau-3, variable ngay).",
)

# What is in the second wave's file, and what is said of it.
CASES = {
    "truncated": (book()[:-900], *DAMAGED),
    "password": (
        locked(),
        "sổ tính có mật khẩu; hãy mở bằng Excel, bỏ mật khẩu mở tệp rồi lưu lại.",
        "the workbook has a password; open it in Excel, remove the password to open and save it.",
    ),
    "entities": (
        repacked(book(), entities),
        "sổ tính chứa khai báo DOCTYPE, điều mà Excel không bao giờ ghi; tệp này không được đọc để bảo đảm an toàn. "
        "Hãy mở bằng Excel và lưu lại dạng .xlsx.",
        "the workbook holds a DOCTYPE declaration, which Excel never writes; for safety it is not read. Open it in "
        "Excel and save it as .xlsx.",
    ),
    "a web page": (
        b"<html><table><tr><td>1</td></tr></table></html>",
        "nội dung là trang HTML hoặc XML, không phải sổ tính như đuôi tệp cho biết; hãy mở bằng "
        "Excel và lưu lại dạng "
        ".xlsx.",
        "the content is an HTML or XML page, no workbook as the ending says; open it in Excel and save it as .xlsx.",
    ),
    "merged answers": (
        book(lambda sheet: sheet.merge_cells("G4:G6")),
        "trang «Sheet», dòng 4: các ô gộp G4:G6 có một giá trị cho nhiều ô; hãy bỏ gộp ô và ghi giá trị vào từng ô.",
        'sheet "Sheet", line 4: the merged cells G4:G6 hold one value for several cells; unmerge them and write the '
        "value into each cell.",
    ),
    "a day of 1899 in a workbook": (
        book(lambda sheet: row(sheet, "14/03/1899")),
        *(words.format("14/03/1899") for words in OUTSIDE),
    ),
    "a day of 1900 typed": (
        book(lambda sheet: row(sheet, 59, "dd/mm/yyyy")),
        *(words.format("1900-02-28") for words in OUTSIDE),
    ),
    "a day of 1899 in csv": (
        AFTER.replace("02/11/2026,52", "14/03/1899,52"),
        *(words.format("14/03/1899") for words in OUTSIDE),
    ),
    "ragged": (
        AFTER.replace("52,Bình thường,KB", "52,Bình thường,KB,,x"),
        "dòng 3: dòng có 10 ô, trong khi tiêu đề có 8 cột; hãy kiểm tra dấu phân cách.",
        "line 3: the row has 10 cells, the header 8 columns; check the delimiters.",
    ),
    "NUL": (
        AFTER.replace("Bình thường", "Bình\0thường"),
        "dòng 3: dòng có ký tự NUL (tệp hỏng hoặc chép dở dang); hãy xuất hoặc chép lại tệp.",
        "line 3: the line holds a NUL character (the file is damaged or was not copied to its end); export or copy "
        "it again.",
    ),
    "two encodings": (
        AFTER.encode().replace("Bình thường".encode(), b"B\xd7nh th\xad\xeang"),
        "dòng 3: dòng không phải mã UTF-8 trong khi phần còn lại của tệp là UTF-8; có thể hai tệp khác bảng mã đã bị "
        "ghép hoặc dòng bị hỏng: hãy gõ lại dòng này hoặc xuất lại tệp.",
        "line 3: the line is not UTF-8 while the rest of the file is; files of two encodings were "
        "joined, or the line "
        "is damaged: type it again or export the file again.",
    ),
    "ten thousand columns": (
        wide(AFTER),
        f"dòng 1: có 10000 cột không có trong codebook.csv: {FIRST} …; hãy khai báo, dùng type = "
        "ignore cho cột không "
        "cần, hoặc bỏ các cột đó khi xuất tệp.",
        f"line 1: 10000 columns are not in codebook.csv: {QUOTED} …; declare them, with type = ignore where not "
        "needed, or leave them out when exporting the file.",
    ),
    "the header again": (
        AFTER.replace("Lê Ví Dụ", LINES[0] + "\nLê Ví Dụ"),
        "dòng 4: dòng này lặp lại tiêu đề cột; hãy ghi vào corrections.csv: row_id sau-4, action "
        "drop_row, kèm lý do.",
        "line 4: this row repeats the column titles; write into corrections.csv: row_id sau-4, action drop_row, with "
        "the reason.",
    ),
    "totals": (
        AFTER + "Tổng cộng,,,,,291,,\n",
        "dòng 8: dòng này là dòng tổng cộng, không phải phiếu; hãy ghi vào corrections.csv: row_id sau-8, action "
        "drop_row, kèm lý do.",
        "line 8: this row is a line of totals, not a form; write into corrections.csv: row_id "
        "sau-8, action drop_row, "
        "with the reason.",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_file_is_refused_in_words(make_study, name):
    content, *words = CASES[name]
    with pytest.raises(ek.DataError) as error:
        ek.check(make_study(sau=content))
    for language, said in zip(("vi", "en"), words, strict=True):
        apart = ", " if said.startswith(("dòng", "line", "trang", "sheet")) else ": "
        assert error.value.message(language) == f"raw/sau.csv{apart}{said}"


def test_a_zip_bomb_is_not_unpacked(make_study, messages):
    """200 MB of blanks are refused by what the package declares; the size is wrong where it is below half a MB."""
    bomb = repacked(book(), lambda sheet: sheet.replace(b"</sheetData>", b" " * 200_000_000 + b"</sheetData>"))
    (found,) = messages(make_study(sau=bomb))
    assert "would unpack to 200 MB; for safety it is not read." in found


def test_two_gigabytes_are_refused_at_once(make_study, messages):
    folder = make_study()
    with (folder / "raw/sau.csv").open("r+b") as file:
        file.truncate(2_000_000_000)
    start = time.perf_counter()
    assert messages(folder) == [
        "raw/sau.csv: the file has 2000 MB, more than the 1500 MB that are read; write one file a wave or leave out "
        "columns that are not needed."
    ]
    assert time.perf_counter() - start < 1


def test_a_wave_delivered_twice_is_named(make_study, messages):
    """As a copy in another format, too."""
    folder = make_study(truoc=MANY, sau=None)
    workbook = openpyxl.Workbook()
    for line in MANY.splitlines():
        workbook.active.append(line.split(","))
    workbook.save(folder / "raw/sau.csv")
    assert messages(folder, "vi") == [
        "raw/sau.csv: tệp này giống hệt raw/truoc.csv: cùng một đợt được nộp hai lần; hãy lấy đúng tệp của đợt này."
    ]


@pytest.mark.parametrize("composed", [("sau", "truoc"), ("study", "codebook", "scales", "index")])
def test_composed_and_decomposed_letters_are_the_same(make_study, composed):
    forms = {key: unicodedata.normalize("NFD", FILES[key][1]) for key in composed}
    assert ek.check(make_study("nfd", **forms))[1].responses.equals(ek.check(make_study())[1].responses)


@pytest.mark.slow
def test_a_million_empty_formatted_rows_are_no_forms(make_study):
    study = make_study(sau=book(lambda sheet: sheet.cell(1_048_576, 8).__setattr__("number_format", "0.00")))
    assert len(ek.check(study)[1].responses) == 12


def test_many_missing_columns_are_one_problem(make_study, messages):
    """A file or sheet of another survey lacks all columns, which is one mistake and not twelve."""
    more = "".join(f"z{number},Mục {number},scale,hoa_nha,,,Mục,Item,\n" for number in range(12))
    found = messages(make_study(codebook=lambda text: text + more), "vi")
    names = ", ".join(f"«Mục {number}»" for number in range(10))
    assert found == [
        f"raw/{wave}.csv, dòng 1: thiếu 12 cột mà codebook.csv yêu cầu: {names} …; hãy kiểm tra xem đây có đúng là "
        "tệp và trang của đợt này không, rồi bổ sung cột hoặc sửa cột column trong codebook.csv."
        for wave in ("truoc", "sau")
    ]
