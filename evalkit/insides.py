"""What calamine leaves out of a sheet: error cells and formulas never calculated, hidden rows, number formats."""

from __future__ import annotations

import io
import posixpath
import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import product
from xml.etree import ElementTree
from xml.parsers import expat

MOST_COLUMNS = 5_000
MOST_CELLS = 10_000_000
STREAMS = tuple(name.encode("utf-16-le") for name in ("Workbook\0", "Book\0"))  # that an xls may have its sheets in

# 000, and T0001 from the format "T"0000: literals before and after one run of zeros, colours aside.
_LITERALS = r'((?:"[^"]*"|\\.)*)'
PADDED = re.compile(rf"(?:\[[^\]]*\])*{_LITERALS}(0{{2,}}){_LITERALS}")
_PERCENTAGES = {9: "0%", 10: "0.00%"}  # the formats that every workbook knows by number
_EXCEL_ERRORS = {0: "#NULL!", 7: "#DIV/0!", 15: "#VALUE!", 23: "#REF!", 29: "#NAME?", 36: "#NUM!", 42: "#N/A"}

Cell = tuple[int, int]


@dataclass
class Inside:
    """What calamine does not tell about a sheet; rows and columns count from 0.

    errors: the cells of each kind of error. formats: of the numbers that do not read as they are stored. merged: the
    first and last cell of each area, for ods alone.
    """

    height: int = 0
    width: int = 0
    errors: dict[str, list[Cell]] = field(default_factory=lambda: defaultdict(list))
    uncalculated: list[Cell] = field(default_factory=list)
    hidden_rows: list[range] = field(default_factory=list)
    hidden_columns: list[range] = field(default_factory=list)
    formats: dict[Cell, str] = field(default_factory=dict)
    merged: list[tuple[Cell, Cell]] = field(default_factory=list)

    @property
    def too_large(self) -> bool:
        """Whether it would fill the memory; a forgotten cell far away is enough for that."""
        return self.width > MOST_COLUMNS or self.height * self.width > MOST_CELLS

    def reach(self, row: int, column: int) -> None:
        """Note a cell with content."""
        self.height, self.width = max(self.height, row + 1), max(self.width, column + 1)


def _telling(code: str) -> bool:
    """Whether a number format shows another number than the stored one: a percentage, or leading zeros."""
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", code)
    return "%" in bare or PADDED.fullmatch(code) is not None


# --- xlsx ---

_COLUMN_LETTERS = re.compile(rb'<c r="([A-Z]+)')
_ROW_NUMBER = re.compile(rb'<c r="[A-Z]+(\d+)')
# What calamine leaves out, and names with a prefix, which the searches for cells and formulas would miss.
_UNUSUAL = (b'hidden="1', b'hidden="t', b't="e', b"<f", b":f", b":c")


def xlsx_sheets(parts: Mapping[str, bytes]) -> dict[str, str]:
    """The part of a package that holds each sheet, by the sheet's name."""
    targets = {
        relation.attrib["Id"]: posixpath.normpath(posixpath.join("/xl", relation.attrib["Target"])).lstrip("/")
        for relation in ElementTree.fromstring(parts["xl/_rels/workbook.xml.rels"])
    }
    return {
        sheet.attrib["name"]: targets[value]
        for sheet in ElementTree.fromstring(parts["xl/workbook.xml"]).iterfind(".//{*}sheet")
        for key, value in sheet.attrib.items()
        if key.endswith("}id") and value in targets
    }


def xlsx_formats(styles: bytes) -> dict[str, str]:
    """Number formats that change how a number reads, by the style number of a cell; `styles`: a package's part."""
    root = ElementTree.fromstring(styles)
    codes = {str(number): code for number, code in _PERCENTAGES.items()}
    codes |= {found.attrib["numFmtId"]: found.attrib["formatCode"] for found in root.iterfind(".//{*}numFmt")}
    found = [codes.get(style.get("numFmtId", ""), "") for style in root.iterfind("{*}cellXfs/*")]
    return {str(at): code for at, code in enumerate(found) if _telling(code)}


def look_xlsx(xml: bytes, formats: Mapping[str, str]) -> Inside:
    """Most sheets have nothing to tell: the slow walk is only for those where a quick search finds it."""
    expat.ParserCreate().Parse(xml, True)  # Well-formed, so that a search sees what calamine will see.
    letters = _COLUMN_LETTERS.findall(xml)
    height = max(map(int, set(_ROW_NUMBER.findall(xml))), default=0)
    inside = Inside(height, max(map(_column_number, set(letters)), default=0))
    # calamine makes room for the whole rectangle at once and ends the program where there is none: miss no cell.
    cells = xml.count(b"<c", xml.find(b"sheetData"), xml.rfind(b"sheetData"))
    unsure = len(letters) != cells or inside.too_large
    return _walk_xlsx(xml, formats) if unsure or formats or any(mark in xml for mark in _UNUSUAL) else inside


def _walk_xlsx(xml: bytes, formats: Mapping[str, str]) -> Inside:
    inside = Inside()
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
            inside.errors[value or "#"].append((row, column))
        elif formula and not value and kind != "str":
            inside.uncalculated.append((row, column))
        elif style in formats and kind == "n" and value:
            inside.formats[row, column] = formats[style]

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler, parser.EndElementHandler = start, text, end
    parser.Parse(xml, True)
    return inside


def _column_number(letters: bytes) -> int:
    return reduce(lambda number, letter: 26 * number + letter - 64, letters.upper(), 0)


# --- ods ---

_TABLE, _OFFICE, _TEXT = (
    f"{{urn:oasis:names:tc:opendocument:xmlns:{part}:1.0}}" for part in ("table", "office", "text")
)
_CELLS = (_TABLE + "table-cell", _TABLE + "covered-table-cell")


def look_ods(xml: bytes) -> dict[str, Inside]:
    """Every sheet of an ods file, by its name; `xml`: the package's content.xml."""
    sheets: dict[str, Inside] = {}
    inside = Inside()
    row = column = 0
    for event, element in ElementTree.iterparse(io.BytesIO(xml), ("start", "end")):
        if event == "start":
            if element.tag == _TABLE + "table":
                inside, row, column = sheets.setdefault(element.attrib[_TABLE + "name"], Inside()), 0, 0
            continue
        hidden = element.get(_TABLE + "visibility") in ("collapse", "filter")
        if element.tag == _TABLE + "table-column":
            columns = _repeated(element, "columns")
            if hidden:
                inside.hidden_columns.append(range(column, column + columns))
            column += columns
        elif element.tag == _TABLE + "table-row":
            column, rows = 0, _repeated(element, "rows")
            if hidden:
                inside.hidden_rows.append(range(row, row + rows))
            for cell in element:
                if cell.tag in _CELLS:
                    columns = _repeated(cell, "columns")
                    _note_ods_cell(inside, (row, column), (rows, columns), cell)
                    column += columns
            row += rows
            element.clear()
    return sheets


def _note_ods_cell(inside: Inside, at: Cell, repeated: Cell, cell: ElementTree.Element) -> None:
    kind, formula = cell.get(_OFFICE + "value-type"), cell.get(_TABLE + "formula") is not None
    shown = "".join(paragraph.text or "" for paragraph in cell.iter(_TEXT + "p"))
    spans = [int(cell.get(f"{_TABLE}number-{what}-spanned", 1)) for what in ("rows", "columns")]
    if kind or shown or formula:
        inside.reach(at[0] + repeated[0] - 1, at[1] + repeated[1] - 1)
    if spans != [1, 1]:
        inside.merged.append((at, (at[0] + spans[0] - 1, at[1] + spans[1] - 1)))
    # The format knows no errors: LibreOffice marks them in a namespace of its own, others show them only.
    marked = any(key.endswith("calcext:1.0}value-type") and value == "error" for key, value in cell.items())
    if marked or (formula and (shown in _EXCEL_ERRORS.values() or re.fullmatch(r"(Err|Lỗi):\d+", shown))):
        inside.errors[shown or "#"].append(at)
    elif formula and not kind and not shown:
        inside.uncalculated.append(at)
    elif kind == "percentage" and repeated[0] * repeated[1] <= MOST_CELLS:
        cells = product(range(at[0], at[0] + repeated[0]), range(at[1], at[1] + repeated[1]))
        inside.formats |= dict.fromkeys(cells, "0%")


def _repeated(element: ElementTree.Element, what: str) -> int:
    times = int(element.get(f"{_TABLE}number-{what}-repeated", 1))
    if not 1 <= times <= 1 << 24:
        raise ValueError(times)
    return times


# --- xls ---


def look_xls(data: bytes) -> list[Inside]:
    """Every sheet of an xls file, in the order of the tabs; `data`: the whole file."""
    stream = _ole_stream(data)
    offsets, formats = _xls_globals(stream)
    return [_walk_xls(stream, offset, formats) for offset in offsets]


def _ole_stream(data: bytes) -> bytes:
    """The workbook's stream out of its compound file (format: MS-CFB, sections 2.2 to 2.6)."""

    def number(at: int, source: bytes = data) -> int:
        return struct.unpack_from("<I", source, at)[0]

    def numbers(source: bytes) -> tuple[int, ...]:
        return struct.unpack(f"<{len(source) // 4}I", source)

    def chain(at: int, pieces: Sequence[bytes], following: Sequence[int]) -> bytes:
        found: list[bytes] = []
        while at < len(pieces) and len(found) <= len(pieces):
            found.append(pieces[at])
            at = following[at]
        return b"".join(found)

    size = 1 << struct.unpack_from("<H", data, 30)[0]
    sectors = [data[at : at + size] for at in range(size, len(data), size)]
    table_sectors, more = list(numbers(data[76:512])), number(68)
    while more < len(sectors) and len(table_sectors) < len(data):
        *found, more = numbers(sectors[more])
        table_sectors += found
    table = [entry for at in table_sectors if at < len(sectors) for entry in numbers(sectors[at])]
    directory = chain(number(48), sectors, table)
    for at in range(0, len(directory), 128):
        entry = directory[at : at + 128]
        if entry[: struct.unpack_from("<H", entry, 64)[0]] in STREAMS:
            first, length = struct.unpack_from("<II", entry, 116)
            if length >= number(56):
                return chain(first, sectors, table)[:length]
            small = chain(number(116, directory), sectors, table)
            pieces = [small[at : at + 64] for at in range(0, len(small), 64)]
            return chain(first, pieces, numbers(chain(number(60), sectors, table)))[:length]
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
    """Where each sheet begins, and the telling number formats by the style number of a cell."""
    offsets, styles, codes = [], [], dict(_PERCENTAGES)
    for kind, body in _records(stream, 0):
        if kind == 0x0085:
            offsets.append(struct.unpack_from("<I", body)[0])
        elif kind == 0x041E:
            codes[struct.unpack_from("<H", body)[0]] = body[5:].replace(b"\0", b"").decode("latin-1")
        elif kind == 0x00E0:
            styles.append(struct.unpack_from("<H", body, 2)[0])
    found = {at: codes.get(style, "") for at, style in enumerate(styles)}
    return offsets, {at: code for at, code in found.items() if _telling(code)}


def _walk_xls(stream: bytes, offset: int, formats: Mapping[int, str]) -> Inside:
    inside = Inside()
    for kind, body in _records(stream, offset):
        if kind == 0x0208 and body[12] & 0x20:
            row = struct.unpack_from("<H", body)[0]
            inside.hidden_rows.append(range(row, row + 1))
        elif kind == 0x007D and body[8] & 1:
            first, last = struct.unpack_from("<HH", body)
            inside.hidden_columns.append(range(first, last + 1))
        elif kind in (0x0006, 0x0203, 0x0204, 0x0205, 0x027E, 0x00BD, 0x00D6, 0x00FD):
            row, column = struct.unpack_from("<HH", body)
            several = range(4, len(body) - 2, 6) if kind == 0x00BD else (4,)
            for at, style in enumerate((struct.unpack_from("<H", body, place)[0] for place in several), start=column):
                inside.reach(row, at)
                if style in formats:
                    inside.formats[row, at] = formats[style]
            failed = kind == 0x0006 and body[6] == 2 and body[12:14] == b"\xff\xff"
            if failed or (kind == 0x0205 and body[7]):
                inside.errors[_EXCEL_ERRORS.get(body[8 if failed else 6], "#")].append((row, column))
    return inside
