"""Sheets of Excel and LibreOffice workbooks: every cell as text, and what a reader must know about the sheet.

calamine reads the values. It is shown only packages that were unpacked here, within limits, and looked through for
what it leaves out: error cells and formulas never calculated (it reads both as empty), hidden rows, number formats.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import ZipFile, ZipInfo

import numpy as np
import pandas as pd
from python_calamine import CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from evalkit.encodings import decode, fold
from evalkit.errors import MOST_LINES, DataError, Problem, nearest, raise_any
from evalkit.grid import SEARCHED, TYPED, Grid

"""Merged cells that end within so many rows may be a header; below them they are data."""
MOST_COLUMNS = 5_000
MOST_CELLS = 10_000_000
MOST_BYTES = 1_000_000_000
MOST_RATIO = 200

# 000, and T0001 from the format "T"0000: literals before and after one run of zeros, colours aside.
_LITERALS = r'((?:"[^"]*"|\\.)*)'
_PADDED = re.compile(rf"(?:\[[^\]]*\])*{_LITERALS}(0{{2,}}){_LITERALS}")
LISTS = "danh_muc"  # the drop-downs of our own entry workbook
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_TABLE = "urn:oasis:names:tc:opendocument:xmlns:table:1.0 "
_OFFICE = "urn:oasis:names:tc:opendocument:xmlns:office:1.0 "
_TEXT = "urn:oasis:names:tc:opendocument:xmlns:text:1.0 "
_EXCEL_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}

_Cell = tuple[int, int]


def is_workbook(data: bytes) -> str | None:
    """The kind of workbook that the bytes of a whole file are: "xlsx" (also xlsm), "ods", "xls" or None.

    Judged by content alone. A damaged or password-protected workbook still is one: reading it says what is wrong.

    >>> is_workbook(b"a;b") is None
    True
    """
    if data.startswith(_OLE):
        if _utf16("EncryptedPackage") in data:
            return "xlsx"
        return "xls" if any(_utf16(stream) in data for stream in ("Workbook\0", "Book\0")) else None
    if data.startswith(b"PK"):
        if _ODS in data[:200]:
            return "ods"
        return "xlsx" if b"xl/workbook.xml" in data or b"xl/worksheets/" in data else None
    return None


def sheet_names(path: Path, name: str) -> list[str]:
    """Names of the sheets of a workbook, hidden ones too, in the order of the tabs; charts left out.

    `name` is how errors call the file. Raises DataError where `read_workbook` would for the file as a whole.
    """
    return list(_open(path, name).visible)


def read_workbook(path: Path, name: str, *, sheet: str | None = None, decimal: str | None = None) -> Grid:
    """One sheet of an xlsx, xlsm, xls or ods file.

    path: the file; its kind is told by its content, not its ending.
    name: how errors call the file.
    sheet: the sheet to read; if none is named, the first visible one with content, and a notice names the others.
    decimal: the decimal sign of the numbers in the cells' texts, "." or ",".

    Returns a Grid whose index `line` is the row number of Excel. Each text means what the typed cell means: `3`,
    `0.75`, `2026-11-02`, `2026-11-02 10:30:00`, `True`; `82.66%` and `007` where the cell's format shows them so;
    text that looks like a number stays as it is. Hidden rows and columns are read, and a notice says so.

    Merged cells carry their text in every cell that they cover. One that covers a row below the twentieth together
    with other cells stands for several answers and is refused; one above may be a header, which only the caller can
    tell: it is a notice, and `refuse_merged_below` refuses what lies below the header. A merged cell alone in its
    rows, such as a title or a note, is harmless.

    Raises DataError for a file that is no workbook, is damaged, has a password, would unpack beyond 1 GB, declares
    XML entities or reaches beyond 5,000 columns or 10 million cells; for an unknown sheet; and, all at once, for
    error cells (#N/A …), formulas that were never calculated and merged data cells.

    Not told by the file formats as read here: formulas without a value in xls, merged cells' hidden contents.

        grid = read_workbook(Path("raw/sau.xlsx"), "raw/sau.xlsx", sheet="Trang 1", decimal=",")
        grid.cells.loc[2, 0]
    """
    book = _open(path, name)
    chosen, notices = _choose(book, sheet)
    with _damage(name):
        inside = book.look(chosen)
    _refuse_large(inside, name, chosen)
    with _damage(name):
        values = book.values(chosen)
        rows = values.to_python(skip_empty_area=False)
        merged = inside.merged if book.kind == "ods" else values.merged_cell_ranges or []
    if not rows:
        raise DataError([Problem(name, "file_empty", sheet=chosen if len(book.visible) > 1 else None)])
    columns = [_texts(column, decimal or ".") for column in zip(*rows, strict=True)]
    for (row, column), code in inside.formats.items():
        if row < len(rows) and column < len(columns):
            columns[column][row] = _formatted(rows[row][column], code, decimal or ".") or columns[column][row]
    problems = [
        _cells_problem(name, chosen, "workbook_error_cells", cells, found) for found, cells in inside.errors()
    ]
    if inside.uncalculated:
        problems.append(_cells_problem(name, chosen, "workbook_uncalculated", inside.uncalculated))
    merges = [
        Problem(
            name, "workbook_merged", {"found": _range(*area), "last": area[1][0] + 1}, area[0][0] + 1, sheet=chosen
        )
        for area in sorted(merged)
        if _stands_for_several(columns, *area)
    ]
    raise_any(problems + [merge for merge in merges if merge.values["last"] > SEARCHED])
    for area in merged:
        _fill(columns, *area)
    cells = _frame(columns)
    return Grid(cells, notices + tuple(merges) + tuple(_hidden(inside, cells, name, chosen)))


def refuse_merged_below(grid: Grid, header: int) -> Grid:
    """The grid without its notices about merged cells, once the header's last line is known.

    Raises DataError for those that reach below it: one answer would stand for several rows or questions.

        grid = refuse_merged_below(read_workbook(path, name), header=3)
    """
    merges = [notice for notice in grid.notices if notice.key == "workbook_merged"]
    raise_any(merge for merge in merges if merge.values["last"] > header)
    return replace(grid, notices=tuple(notice for notice in grid.notices if notice not in merges))


@dataclass
class _Inside:
    """What calamine does not tell about a sheet; rows and columns count from 0."""

    height: int = 0
    width: int = 0
    error_cells: list[tuple[str, _Cell]] = field(default_factory=list)
    uncalculated: list[_Cell] = field(default_factory=list)
    hidden_rows: list[range] = field(default_factory=list)
    hidden_columns: list[range] = field(default_factory=list)
    formats: dict[_Cell, str] = field(default_factory=dict)
    merged: list[tuple[_Cell, _Cell]] = field(default_factory=list)

    def reach(self, row: int, column: int) -> None:
        """Note a cell with content."""
        self.height, self.width = max(self.height, row + 1), max(self.width, column + 1)

    def errors(self) -> list[tuple[str, list[_Cell]]]:
        """The cells of each kind of error."""
        found = defaultdict(list)
        for error, cell in self.error_cells:
            found[error].append(cell)
        return list(found.items())


@dataclass(frozen=True)
class _Book:
    """An opened workbook: its sheets, and how to look through one and to read its values."""

    kind: str
    name: str
    visible: dict[str, bool]
    look: Callable[[str], _Inside]
    values: Callable[[str], CalamineSheet]
    has_content: Callable[[str], bool]


def _open(path: Path, name: str) -> _Book:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError([Problem(name, "file_missing")]) from None
    except OSError as error:
        raise DataError([Problem(name, "file_unreadable", {"reason": error.strerror})]) from None
    if not data.strip():
        raise DataError([Problem(name, "file_empty")])
    kind = is_workbook(data)
    if kind is None:
        markup = data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
        text = not data.startswith((b"PK", b"%PDF")) and decode(data) is not None
        key = "workbook_is_markup" if markup else "workbook_is_text" if text else "workbook_unknown"
        raise DataError([Problem(name, key)])
    if data.startswith(_OLE) and kind == "xlsx":
        raise DataError([Problem(name, "workbook_password")])
    with _damage(name):
        if kind == "xls":
            return _open_xls(data, name)
        parts = _unpack(data, name)
        return _open_xlsx(parts, name) if kind == "xlsx" else _open_ods(parts, name)


@contextmanager
def _damage(name: str) -> Iterator[None]:
    """Whatever the libraries raise on bytes that no program wrote is one thing to the user: a damaged file."""
    try:
        yield
    except DataError:
        raise
    except PasswordError:
        raise DataError([Problem(name, "workbook_password")]) from None
    except Exception:
        raise DataError([Problem(name, "workbook_damaged")]) from None
    except BaseException as error:
        # A panic in calamine's Rust code is no Exception.
        if type(error).__name__ == "PanicException":
            raise DataError([Problem(name, "workbook_damaged")]) from None
        raise


def _unpack(data: bytes, name: str) -> dict[str, bytes]:
    """The XML parts of a zip package. Nothing is written to disk, so a member's name cannot lead anywhere."""
    with ZipFile(io.BytesIO(data)) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith((".xml", ".rels", "mimetype"))]
        size = sum(member.file_size for member in members)
        if size > MOST_BYTES or (size > MOST_BYTES // 10 and size > MOST_RATIO * len(data)):
            limits = {"found": size // 1_000_000, "size": -(-len(data) // 1_000_000)}
            raise DataError([Problem(name, "workbook_bomb", limits)])
        if any(member.flag_bits & 1 for member in members):
            raise DataError([Problem(name, "workbook_password")])
        parts = {member.filename: _unpack_part(archive, member) for member in members}
    for part in parts.values():
        if b"<!DOCTYPE" in part or b"<!ENTITY" in part:
            raise DataError([Problem(name, "workbook_entities")])
        if b"\0" in part[:4]:
            raise ValueError("XML in UTF-16")
    return parts


def _unpack_part(archive: ZipFile, member: ZipInfo) -> bytes:
    # In pieces: a member that declares less than it holds is then cut at what it declares before it fills the memory.
    with archive.open(member) as file:
        return b"".join(iter(lambda: file.read(1 << 20), b""))


def _pack(parts: dict[str, bytes]) -> io.BytesIO:
    package = io.BytesIO()
    with ZipFile(package, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)
    package.seek(0)
    return package


def _visible(book: CalamineWorkbook) -> dict[str, bool]:
    sheets = (sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet)
    return {sheet.name: sheet.visible == SheetVisibleEnum.Visible for sheet in sheets}


# --- xlsx ---

_DIMENSION = re.compile(rb"(<(?:\w+:)?dimension\s[^>]*?ref=[\"'])[^\"']*")
_CONTENT = re.compile(rb"<(?:\w+:)?(?:v|is|f)[\s>]")
_COLUMN_LETTERS = re.compile(rb'<c r="([A-Z]+)')
_ROW_NUMBER = re.compile(rb'<c r="[A-Z]+(\d+)')
# What calamine leaves out, and names with a prefix, which the searches for cells and formulas would miss.
_UNUSUAL = (b'hidden="1', b'hidden="t', b't="e', b"<f", b":f", b":c")


def _open_xlsx(parts: dict[str, bytes], name: str) -> _Book:
    common = {part: content for part, content in parts.items() if "worksheets/" not in part}
    visible = _visible(CalamineWorkbook.from_object(_pack(common)))
    paths = _sheet_paths(parts)
    formats = _xlsx_formats(parts.get("xl/styles.xml", b"<none/>"))

    def values(sheet: str) -> CalamineSheet:
        # calamine refuses a whole sheet for a dimension such as "1:69", which LibreOffice has written.
        head, mark, cells = parts[paths[sheet]].partition(b"sheetData")
        content = _DIMENSION.sub(rb"\1A1", head) + mark + cells
        return CalamineWorkbook.from_object(_pack(common | {paths[sheet]: content})).get_sheet_by_name(sheet)

    return _Book(
        "xlsx",
        name,
        {sheet: shown for sheet, shown in visible.items() if paths.get(sheet) in parts},
        look=lambda sheet: _look_xlsx(parts[paths[sheet]], formats),
        values=values,
        has_content=lambda sheet: _CONTENT.search(parts[paths[sheet]]) is not None,
    )


def _sheet_paths(parts: dict[str, bytes]) -> dict[str, str]:
    targets = {
        relation.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", relation.attrib["Target"])).lstrip("/")
        for relation in ElementTree.fromstring(parts["xl/_rels/workbook.xml.rels"])
    }
    sheets = [
        found for found in ElementTree.fromstring(parts["xl/workbook.xml"]).iter() if _local(found.tag) == "sheet"
    ]
    return {
        sheet.attrib["name"]: targets[value]
        for sheet in sheets
        for key, value in sheet.attrib.items()
        if key.endswith("}id") and value in targets
    }


def _xlsx_formats(styles: bytes) -> dict[str, str]:
    """Number formats that change how a number reads, by the style number of a cell."""
    codes = {"9": "0%", "10": "0.00%"}
    root = ElementTree.fromstring(styles)
    codes |= {
        found.attrib["numFmtId"]: found.attrib["formatCode"] for found in root.iter() if _local(found.tag) == "numFmt"
    }
    for part in root:
        if _local(part.tag) == "cellXfs":
            found = [codes.get(style.get("numFmtId", ""), "") for style in part]
            return {str(at): code for at, code in enumerate(found) if _telling(code)}
    return {}


def _look_xlsx(xml: bytes, formats: dict[str, str]) -> _Inside:
    """Most sheets have nothing to tell: the slow walk is only for those where a quick search finds it."""
    expat.ParserCreate().Parse(xml, True)  # Well-formed, so that a search sees what calamine will see.
    letters = _COLUMN_LETTERS.findall(xml)
    height = max(map(int, set(_ROW_NUMBER.findall(xml))), default=0)
    width = max(map(_column_number, set(letters)), default=0)
    # calamine makes room for the whole rectangle at once and ends the program where there is none: miss no cell.
    cells = xml.count(b"<c", xml.find(b"sheetData"), xml.rfind(b"sheetData"))
    unsure = len(letters) != cells or width > MOST_COLUMNS or height * width > MOST_CELLS
    if unsure or formats or any(mark in xml for mark in _UNUSUAL):
        return _walk_xlsx(xml, formats)
    return _Inside(height, width)


def _walk_xlsx(xml: bytes, formats: dict[str, str]) -> _Inside:
    inside = _Inside()
    row = column = -1
    kind, style, formula, value, inline, heard = "n", "", False, "", False, False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, kind, style, formula, value, inline, heard
        tag = tag.rpartition(":")[2]
        if tag == "c":
            at = re.fullmatch(r"([A-Za-z]+)(\d+)", attributes.get("r", ""))
            row, column = (int(at[2]) - 1, _column_number(at[1].encode()) - 1) if at else (row, column + 1)
            kind, style = attributes.get("t", "n"), attributes.get("s", "")
            formula, value, inline = False, "", False
        elif tag == "row":
            row, column = int(attributes.get("r", row + 2)) - 1, -1
            if attributes.get("hidden") in ("1", "true"):
                inside.hidden_rows.append(range(row, row + 1))
        elif tag == "col" and attributes.get("hidden") in ("1", "true"):
            inside.hidden_columns.append(range(int(attributes["min"]) - 1, int(attributes["max"])))
        elif tag == "f":
            formula = True
        elif tag == "is":
            inline = True
        heard = tag == "v"

    def text(piece: str) -> None:
        nonlocal value
        if heard:
            value += piece

    def end(tag: str) -> None:
        nonlocal heard
        heard = False
        if tag.rpartition(":")[2] != "c":
            return
        if value or inline or formula:
            inside.reach(row, column)
        if kind == "e":
            inside.error_cells.append((value or "#", (row, column)))
        elif formula and not value and kind != "str":
            inside.uncalculated.append((row, column))
        elif style in formats and kind == "n" and value:
            inside.formats[row, column] = formats[style]

    _parse(xml, expat.ParserCreate(), start, text, end)
    return inside


def _parse(xml: bytes, parser: Any, start: Callable, text: Callable, end: Callable) -> None:
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
    parser.Parse(xml, True)


# --- ods ---


def _open_ods(parts: dict[str, bytes], name: str) -> _Book:
    if b"encryption-data" in parts.get("META-INF/manifest.xml", b""):
        raise DataError([Problem(name, "workbook_password")])
    sheets = _walk_ods(parts["content.xml"])
    # Before calamine unfolds them: repeated cells cost nothing in the file.
    for sheet, inside in sheets.items():
        _refuse_large(inside, name, sheet)
    book = CalamineWorkbook.from_object(_pack(parts))
    return _Book(
        "ods",
        name,
        _visible(book),
        look=sheets.__getitem__,
        values=book.get_sheet_by_name,
        has_content=lambda sheet: sheets[sheet].height > 0,
    )


def _walk_ods(xml: bytes) -> dict[str, _Inside]:
    sheets: dict[str, _Inside] = {}
    inside = _Inside()
    row = column = 0
    rows = columns = 1
    cell: dict[str, str] = {}
    shown = ""
    paragraph = False

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal inside, row, column, rows, columns, cell, shown, paragraph
        hidden = attributes.get(_TABLE + "visibility") in ("collapse", "filter")
        if tag == _TABLE + "table":
            inside = sheets.setdefault(attributes[_TABLE + "name"], _Inside())
            row = column = 0
        elif tag == _TABLE + "table-column":
            columns = _repeated(attributes, "columns")
            if hidden:
                inside.hidden_columns.append(range(column, column + columns))
            column += columns
        elif tag == _TABLE + "table-row":
            column, rows = 0, _repeated(attributes, "rows")
            if hidden:
                inside.hidden_rows.append(range(row, row + rows))
        elif tag in (_TABLE + "table-cell", _TABLE + "covered-table-cell"):
            columns, cell, shown = _repeated(attributes, "columns"), attributes, ""
        paragraph = tag == _TEXT + "p"

    def text(piece: str) -> None:
        nonlocal shown
        if paragraph:
            shown += piece

    def end(tag: str) -> None:
        nonlocal row, column
        if tag == _TABLE + "table-row":
            row += rows
        elif tag in (_TABLE + "table-cell", _TABLE + "covered-table-cell"):
            _note_ods_cell(inside, (row, column), (rows, columns), cell, shown)
            column += columns

    _parse(xml, expat.ParserCreate(namespace_separator=" "), start, text, end)
    return sheets


def _note_ods_cell(inside: _Inside, at: _Cell, repeated: _Cell, cell: dict[str, str], shown: str) -> None:
    kind, formula = cell.get(_OFFICE + "value-type"), _TABLE + "formula" in cell
    spans = [int(cell.get(_TABLE + f"number-{what}-spanned", 1)) for what in ("rows", "columns")]
    if kind or shown or formula:
        inside.reach(at[0] + repeated[0] - 1, at[1] + repeated[1] - 1)
    if spans != [1, 1]:
        inside.merged.append((at, (at[0] + spans[0] - 1, at[1] + spans[1] - 1)))
    if _is_ods_error(cell, shown):
        inside.error_cells.append((shown or "#", at))
    elif formula and not kind and not shown:
        inside.uncalculated.append(at)
    elif kind == "percentage" and repeated[0] * repeated[1] <= MOST_CELLS:
        cells = ((row, column) for row in range(repeated[0]) for column in range(repeated[1]))
        inside.formats |= {(at[0] + row, at[1] + column): "0%" for row, column in cells}


def _is_ods_error(cell: dict[str, str], shown: str) -> bool:
    """The format knows no errors: LibreOffice marks them in a namespace of its own, others show them only."""
    marked = any(key.endswith("calcext:1.0 value-type") and value == "error" for key, value in cell.items())
    calculated = _TABLE + "formula" in cell
    return marked or (
        calculated and (shown in _EXCEL_ERRORS.values() or re.fullmatch(r"(Err|Lỗi):\d+", shown) is not None)
    )


def _repeated(attributes: dict[str, str], what: str) -> int:
    times = int(attributes.get(f"{_TABLE}number-{what}-repeated", 1))
    if not 1 <= times <= 1 << 24:
        raise ValueError(times)
    return times


# --- xls ---


def _open_xls(data: bytes, name: str) -> _Book:
    stream = _ole_stream(data)
    offsets, formats = _xls_globals(stream)
    insides = [_walk_xls(stream, offset, formats) for offset in offsets]
    for inside in insides:
        _refuse_large(inside, name, None)
    book = CalamineWorkbook.from_object(io.BytesIO(data))
    at = {sheet: number for number, sheet in enumerate(book.sheet_names)}
    return _Book(
        "xls",
        name,
        _visible(book),
        look=lambda sheet: insides[at[sheet]],
        values=book.get_sheet_by_name,
        has_content=lambda sheet: book.get_sheet_by_name(sheet).start is not None,
    )


def _ole_stream(data: bytes) -> bytes:
    """The workbook's stream out of its compound file (format: MS-CFB, sections 2.2 to 2.6)."""
    size = 1 << struct.unpack_from("<H", data, 30)[0]
    sectors = [data[at : at + size] for at in range(size, len(data), size)]
    table_sectors = list(struct.unpack_from("<109I", data, 76))
    more = struct.unpack_from("<I", data, 68)[0]
    while more < len(sectors) and len(table_sectors) < len(data):
        *found, more = struct.unpack(f"<{size // 4}I", sectors[more])
        table_sectors += found
    table = [
        entry for at in table_sectors if at < len(sectors) for entry in struct.unpack(f"<{size // 4}I", sectors[at])
    ]

    def chain(at: int, pieces: Sequence[bytes], following: Sequence[int]) -> bytes:
        found: list[bytes] = []
        while at < len(pieces) and len(found) <= len(pieces):
            found.append(pieces[at])
            at = following[at]
        return b"".join(found)

    directory = chain(struct.unpack_from("<I", data, 48)[0], sectors, table)
    for at in range(0, len(directory), 128):
        entry = directory[at : at + 128]
        if entry[: struct.unpack_from("<H", entry, 64)[0]] in (_utf16("Workbook\0"), _utf16("Book\0")):
            first, length = struct.unpack_from("<II", entry, 116)
            if length >= struct.unpack_from("<I", data, 56)[0]:
                return chain(first, sectors, table)[:length]
            small = chain(struct.unpack_from("<I", directory, 116)[0], sectors, table)
            small_table = chain(struct.unpack_from("<I", data, 60)[0], sectors, table)
            pieces = [small[at : at + 64] for at in range(0, len(small), 64)]
            return chain(first, pieces, struct.unpack(f"<{len(small_table) // 4}I", small_table))[:length]
    raise ValueError("no workbook stream")


def _records(stream: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Records from a substream's start to its end (format: MS-XLS, section 2.1.4)."""
    depth = 0
    while at + 4 <= len(stream):
        kind, length = struct.unpack_from("<HH", stream, at)
        yield kind, stream[at + 4 : at + 4 + length]
        at += 4 + length
        depth += {0x0809: 1, 0x000A: -1}.get(kind, 0)
        if depth == 0:
            return


def _xls_globals(stream: bytes) -> tuple[list[int], dict[int, str]]:
    offsets: list[int] = []
    codes = {9: "0%", 10: "0.00%"}
    styles: list[int] = []
    for kind, body in _records(stream, 0):
        if kind == 0x0085:
            offsets.append(struct.unpack_from("<I", body)[0])
        elif kind == 0x041E:
            codes[struct.unpack_from("<H", body)[0]] = body[5:].replace(b"\0", b"").decode("latin-1")
        elif kind == 0x00E0:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    found = {at: codes.get(style, "") for at, style in enumerate(styles)}
    return offsets, {at: code for at, code in found.items() if _telling(code)}


def _walk_xls(stream: bytes, offset: int, formats: dict[int, str]) -> _Inside:
    inside = _Inside()
    for kind, body in _records(stream, offset):
        if kind == 0x0208 and body[12] & 0x20:
            row = struct.unpack_from("<H", body)[0]
            inside.hidden_rows.append(range(row, row + 1))
        elif kind == 0x007D and body[8] & 1:
            first, last = struct.unpack_from("<HH", body)
            inside.hidden_columns.append(range(first, last + 1))
        elif kind in (0x0006, 0x0203, 0x0204, 0x0205, 0x027E, 0x00BD, 0x00D6, 0x00FD):
            row, column = struct.unpack_from("<HH", body)
            styles = struct.unpack_from("<H", body, 4)
            if kind == 0x00BD:
                styles = tuple(struct.unpack_from("<H", body, at)[0] for at in range(4, len(body) - 2, 6))
            for at, style in enumerate(styles, start=column):
                inside.reach(row, at)
                if style in formats:
                    inside.formats[row, at] = formats[style]
            failed = kind == 0x0006 and body[6] == 2 and body[12:14] == b"\xff\xff"
            if failed or (kind == 0x0205 and body[7]):
                inside.error_cells.append((_EXCEL_ERRORS.get(body[8 if failed else 6], "#"), (row, column)))
    return inside


# --- sheets and cells ---


def _choose(book: _Book, sheet: str | None) -> tuple[str, tuple[Problem, ...]]:
    with _damage(book.name):
        filled = [found for found in book.visible if found != LISTS and book.has_content(found)]
    hidden = [found for found in filled if not book.visible[found]]
    if sheet is not None:
        if sheet not in book.visible and fold(sheet) not in map(fold, book.visible):
            values = {"found": sheet, "expected": nearest(sheet, book.visible)}
            raise DataError([Problem(book.name, "sheet_unknown", values)])
        chosen = (
            sheet if sheet in book.visible else next(found for found in book.visible if fold(found) == fold(sheet))
        )
    elif filled:
        chosen = next((found for found in filled if found not in hidden), filled[0])
    else:
        raise DataError([Problem(book.name, "file_empty")])
    notices = []
    others = [found for found in filled if found != chosen]
    if others and sheet is None:
        values = {"others": ", ".join(others)}
        notices.append(Problem(book.name, "workbook_other_sheets", values, sheet=chosen))
    if hidden and (sheet is None or chosen in hidden):
        notices.append(Problem(book.name, "workbook_hidden_sheets", {"found": ", ".join(hidden)}))
    return chosen, tuple(notices)


def _refuse_large(inside: _Inside, name: str, sheet: str | None) -> None:
    """Raise DataError for a sheet that would fill the memory; a forgotten cell far away is enough for that."""
    if inside.width > MOST_COLUMNS or inside.height * inside.width > MOST_CELLS:
        values = {
            "found": _reference(inside.height - 1, inside.width - 1),
            "columns": MOST_COLUMNS,
            "cells": MOST_CELLS,
        }
        raise DataError([Problem(name, "workbook_too_large", values, sheet=sheet)])


def _texts(column: Iterable[Any], decimal: str) -> list[str]:
    column = list(column)
    if bool in set(map(type, column)):  # True and 1.0 are equal, but not as texts.
        return [_cell_text(cell, decimal) for cell in column]
    texts = {cell: _cell_text(cell, decimal) for cell in set(column)}
    return [texts[cell] for cell in column]


def _cell_text(cell: Any, decimal: str) -> str:
    """A typed cell as the text that means the same and nothing else."""
    if isinstance(cell, float):
        return _marked(np.format_float_positional(cell, trim="-").replace(".", decimal), decimal)
    if isinstance(cell, datetime):
        # Excel counts days in binary: half past ten may be stored as 10:29:59.9999.
        cell = (cell + timedelta(milliseconds=500)).replace(microsecond=0)
        return f"{cell:%Y-%m-%d}" if cell.time() == time() else f"{cell:%Y-%m-%d %H:%M:%S}"
    if isinstance(cell, date | time):
        return cell.isoformat() if isinstance(cell, date) else f"{cell:%H:%M:%S}"
    if isinstance(cell, timedelta):
        seconds = round(cell.total_seconds())
        return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return str(cell)


def _telling(code: str) -> bool:
    """Whether a number format shows another number than the stored one: a percentage, or leading zeros."""
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", code)
    return "%" in bare or _PADDED.fullmatch(code) is not None


def _formatted(cell: Any, code: str, decimal: str) -> str | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    if "%" in code:
        # In decimals, for 0.07 × 100 in binary is 7.000000000000001.
        return _marked(f"{(Decimal(repr(cell)) * 100).normalize():f}".replace(".", decimal), decimal, "%")
    if not float(cell).is_integer() or cell < 0:
        return None
    before, zeros, after = (part.replace('"', "").replace("\\", "") for part in _PADDED.fullmatch(code).groups())  # type: ignore[union-attr]
    return f"{before}{int(cell):0{len(zeros)}d}{after}"


def _marked(digits: str, decimal: str, sign: str = "") -> str:
    """A typed 1.234 is no thousand: an invisible mark keeps it from being read as one."""
    return digits + sign + (TYPED if decimal in digits and len(digits.rpartition(decimal)[2]) == 3 else "")


def _stands_for_several(columns: list[list[str]], first: _Cell, last: _Cell) -> bool:
    """Whether a merged cell has a text and is not alone in its rows."""
    if first[1] >= len(columns) or first[0] >= len(columns[0]) or not columns[first[1]][first[0]].strip():
        return False
    return any(
        cell.strip()
        for at, column in enumerate(columns)
        if not first[1] <= at <= last[1]
        for cell in column[first[0] : last[0] + 1]
    )


def _fill(columns: list[list[str]], first: _Cell, last: _Cell) -> None:
    if first[1] < len(columns) and last[0] < SEARCHED:
        for column in columns[first[1] : last[1] + 1]:
            rows = range(first[0], min(last[0] + 1, len(column)))
            column[first[0] : last[0] + 1] = [columns[first[1]][first[0]]] * len(rows)


def _frame(columns: list[list[str]]) -> pd.DataFrame:
    cells = pd.DataFrame({at: pd.Categorical(column) for at, column in enumerate(columns)})
    texts = pd.DataFrame(
        {
            at: np.array([bool(text.strip()) for text in column.cat.categories])[column.cat.codes]
            for at, column in cells.items()
        }
    )
    cells = cells.loc[texts.any(axis=1), : texts.columns[texts.any()].max()]
    cells.index = pd.Index(cells.index + 1, name="line")
    return cells.apply(lambda column: column.cat.remove_unused_categories())


def _hidden(inside: _Inside, cells: pd.DataFrame, name: str, sheet: str) -> Iterator[Problem]:
    """Notices of the hidden rows and columns that hold anything."""
    lines = set(cells.index)
    rows = [at + 1 for hidden in inside.hidden_rows for at in hidden if at + 1 in lines]
    if rows:
        values = {"count": len(rows), "found": _listed(map(str, rows))}
        yield Problem(name, "workbook_hidden_rows", values, sheet=sheet)
    width = cells.shape[1]
    hidden = [at for span in inside.hidden_columns for at in span[:width] if at < width and (cells[at] != "").any()]
    if hidden:
        values = {"count": len(hidden), "found": _listed(map(_letters, hidden))}
        yield Problem(name, "workbook_hidden_columns", values, sheet=sheet)


def _cells_problem(name: str, sheet: str, key: str, cells: list[_Cell], found: str = "") -> Problem:
    shown = _listed(_reference(*cell) for cell in cells)
    return Problem(name, key, {"found": found, "cells": shown, "count": len(cells)}, sheet=sheet)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MOST_LINES]) + (" …" if len(names) > MOST_LINES else "")


def _range(first: _Cell, last: _Cell) -> str:
    return f"{_reference(*first)}:{_reference(*last)}"


def _reference(row: int, column: int) -> str:
    return f"{_letters(column)}{row + 1}"


def _letters(column: int) -> str:
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")
