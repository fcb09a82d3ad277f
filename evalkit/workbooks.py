"""Sheets of Excel and LibreOffice workbooks: every cell as text, and what a reader must know about the sheet.

calamine reads the values. It is shown only packages that were unpacked here, within limits, and looked through for
what it leaves out (`insides`).
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np
import pandas as pd
from python_calamine import CalamineSheet, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

from evalkit.encodings import decode, fold
from evalkit.errors import MOST_LINES, DataError, Problem, nearest, raise_any
from evalkit.grid import SEARCHED, TYPED, Grid, file_bytes
from evalkit.insides import (
    MOST_CELLS,
    MOST_COLUMNS,
    PADDED,
    STREAMS,
    Cell,
    Inside,
    look_ods,
    look_xls,
    look_xlsx,
    xlsx_formats,
    xlsx_sheets,
)

MOST_BYTES = 1_000_000_000
MOST_RATIO = 200
LISTS = "danh_muc"  # the drop-downs of our own entry workbook
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODS = b"application/vnd.oasis.opendocument.spreadsheet"
_DIMENSION = re.compile(rb"(<(?:\w+:)?dimension\s[^>]*?ref=[\"'])[^\"']*")
_CONTENT = re.compile(rb"<(?:\w+:)?(?:v|is|f)[\s>]")


def is_workbook(data: bytes) -> str | None:
    """The kind of workbook that the bytes of a whole file are: "xlsx" (also xlsm), "ods", "xls" or None.

    Judged by content alone. A damaged or password-protected workbook still is one: reading it says what is wrong.

    >>> is_workbook(b"a;b") is None
    True
    """
    if data.startswith(_OLE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            return "xlsx"
        return "xls" if any(stream in data for stream in STREAMS) else None
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
        read = book.values(chosen)
        rows = read.to_python(skip_empty_area=False)
        merged = inside.merged or read.merged_cell_ranges or []
    if not rows:
        raise DataError([Problem(name, "file_empty", sheet=chosen if len(book.visible) > 1 else None)])
    columns = [_texts(column, decimal or ".") for column in zip(*rows, strict=True)]
    for (row, column), code in inside.formats.items():
        if row < len(rows) and column < len(columns):
            columns[column][row] = _formatted(rows[row][column], code, decimal or ".") or columns[column][row]
    wrong = [("workbook_error_cells", found, cells) for found, cells in inside.errors.items()]
    wrong += [("workbook_uncalculated", "", inside.uncalculated)] if inside.uncalculated else []
    problems = []
    for key, found, cells in wrong:
        values = {"found": found, "cells": _listed(map(_reference, cells)), "count": len(cells)}
        problems.append(Problem(name, key, values, sheet=chosen))
    merges = []
    for first, last in sorted(merged):
        if _stands_for_several(columns, first, last):
            values = {"found": f"{_reference(first)}:{_reference(last)}", "last": last[0] + 1}
            merges.append(Problem(name, "workbook_merged", values, first[0] + 1, sheet=chosen))
    raise_any(problems + [merge for merge in merges if merge.values["last"] > SEARCHED])
    for area in merged:
        _fill(columns, *area)
    frame = _frame(columns)
    return Grid(frame, notices + tuple(merges) + tuple(_hidden(inside, frame, name, chosen)))


def refuse_merged_below(grid: Grid, header: int) -> Grid:
    """The grid without its notices about merged cells, once the header's last line is known.

    Raises DataError for those that reach below it: one answer would stand for several rows or questions.

        grid = refuse_merged_below(read_workbook(path, name), header=3)
    """
    merges = [notice for notice in grid.notices if notice.key == "workbook_merged"]
    raise_any(merge for merge in merges if merge.values["last"] > header)
    return replace(grid, notices=tuple(notice for notice in grid.notices if notice not in merges))


@dataclass(frozen=True)
class _Book:
    """An opened workbook: its sheets, and how to look through one and to read its values."""

    name: str
    visible: dict[str, bool]
    look: Callable[[str], Inside]
    values: Callable[[str], CalamineSheet]
    has_content: Callable[[str], bool]


def _open(path: Path, name: str) -> _Book:
    data = file_bytes(path, name)
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


def _open_xlsx(parts: dict[str, bytes], name: str) -> _Book:
    common = {part: content for part, content in parts.items() if "worksheets/" not in part}
    visible = _visible(CalamineWorkbook.from_object(_pack(common)))
    paths = xlsx_sheets(parts)
    formats = xlsx_formats(parts.get("xl/styles.xml", b"<none/>"))

    def values(sheet: str) -> CalamineSheet:
        # calamine refuses a whole sheet for a dimension such as "1:69", which LibreOffice has written.
        head, mark, cells = parts[paths[sheet]].partition(b"sheetData")
        content = _DIMENSION.sub(rb"\1A1", head) + mark + cells
        return CalamineWorkbook.from_object(_pack(common | {paths[sheet]: content})).get_sheet_by_name(sheet)

    return _Book(
        name,
        {sheet: shown for sheet, shown in visible.items() if paths.get(sheet) in parts},
        look=lambda sheet: look_xlsx(parts[paths[sheet]], formats),
        values=values,
        has_content=lambda sheet: _CONTENT.search(parts[paths[sheet]]) is not None,
    )


def _open_ods(parts: dict[str, bytes], name: str) -> _Book:
    if b"encryption-data" in parts.get("META-INF/manifest.xml", b""):
        raise DataError([Problem(name, "workbook_password")])
    sheets = look_ods(parts["content.xml"])
    # Before calamine unfolds them: repeated cells cost nothing in the file.
    for sheet, inside in sheets.items():
        _refuse_large(inside, name, sheet)
    book = CalamineWorkbook.from_object(_pack(parts))
    return _Book(
        name,
        _visible(book),
        look=sheets.__getitem__,
        values=book.get_sheet_by_name,
        has_content=lambda sheet: sheets[sheet].height > 0,
    )


def _open_xls(data: bytes, name: str) -> _Book:
    insides = look_xls(data)
    for inside in insides:
        _refuse_large(inside, name, None)
    book = CalamineWorkbook.from_object(io.BytesIO(data))
    return _Book(
        name,
        _visible(book),
        look=lambda sheet: insides[book.sheet_names.index(sheet)],
        values=book.get_sheet_by_name,
        has_content=lambda sheet: book.get_sheet_by_name(sheet).start is not None,
    )


def _choose(book: _Book, sheet: str | None) -> tuple[str, tuple[Problem, ...]]:
    with _damage(book.name):
        filled = [found for found in book.visible if found != LISTS and book.has_content(found)]
    hidden = [found for found in filled if not book.visible[found]]
    if sheet is None:
        chosen = next((found for found in filled if found not in hidden), filled[0] if filled else None)
        if chosen is None:
            raise DataError([Problem(book.name, "file_empty")])
    else:
        alike = [found for found in book.visible if fold(found) == fold(sheet)]
        if not alike:
            values = {"found": sheet, "expected": nearest(sheet, book.visible)}
            raise DataError([Problem(book.name, "sheet_unknown", values)])
        chosen = sheet if sheet in alike else alike[0]
    notices = []
    others = [found for found in filled if found != chosen]
    if others and sheet is None:
        values = {"others": ", ".join(others)}
        notices.append(Problem(book.name, "workbook_other_sheets", values, sheet=chosen))
    if hidden and (sheet is None or chosen in hidden):
        notices.append(Problem(book.name, "workbook_hidden_sheets", {"found": ", ".join(hidden)}))
    return chosen, tuple(notices)


def _refuse_large(inside: Inside, name: str, sheet: str | None) -> None:
    if inside.too_large:
        found = _reference((inside.height - 1, inside.width - 1))
        values = {"found": found, "columns": MOST_COLUMNS, "cells": MOST_CELLS}
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


def _formatted(cell: Any, code: str, decimal: str) -> str | None:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    if "%" in code:
        # In decimals, for 0.07 × 100 in binary is 7.000000000000001.
        return _marked(f"{(Decimal(repr(cell)) * 100).normalize():f}".replace(".", decimal), decimal, "%")
    padded = PADDED.fullmatch(code)
    if padded is None or not float(cell).is_integer() or cell < 0:
        return None
    before, zeros, after = (part.replace('"', "").replace("\\", "") for part in padded.groups())
    return f"{before}{int(cell):0{len(zeros)}d}{after}"


def _marked(digits: str, decimal: str, sign: str = "") -> str:
    """A typed 1.234 is no thousand: an invisible mark keeps it from being read as one."""
    return digits + sign + (TYPED if decimal in digits and len(digits.rpartition(decimal)[2]) == 3 else "")


def _stands_for_several(columns: list[list[str]], first: Cell, last: Cell) -> bool:
    """Whether a merged cell has a text and is not alone in its rows."""
    if first[1] >= len(columns) or first[0] >= len(columns[0]) or not columns[first[1]][first[0]].strip():
        return False
    others = columns[: first[1]] + columns[last[1] + 1 :]
    return any(cell.strip() for column in others for cell in column[first[0] : last[0] + 1])


def _fill(columns: list[list[str]], first: Cell, last: Cell) -> None:
    if first[1] < len(columns) and first[0] < len(columns[0]) and last[0] < SEARCHED:
        for column in columns[first[1] : last[1] + 1]:
            rows = len(column[first[0] : last[0] + 1])
            column[first[0] : last[0] + 1] = [columns[first[1]][first[0]]] * rows


def _frame(columns: list[list[str]]) -> pd.DataFrame:
    """The cells without empty rows, and without the columns after the last text."""
    cells = pd.DataFrame({at: pd.Categorical(column) for at, column in enumerate(columns)})
    filled = cells.apply(lambda column: column.isin([text for text in column.cat.categories if text.strip()]))
    cells = cells.loc[filled.any(axis=1), : filled.columns[filled.any()].max()]
    cells.index = pd.Index(cells.index + 1, name="line")
    return cells.apply(lambda column: column.cat.remove_unused_categories())


def _hidden(inside: Inside, cells: pd.DataFrame, name: str, sheet: str) -> Iterator[Problem]:
    """Notices of the hidden rows and columns that hold anything."""
    lines, width = set(cells.index), cells.shape[1]
    rows = [str(at + 1) for hidden in inside.hidden_rows for at in hidden if at + 1 in lines]
    places = [at for hidden in inside.hidden_columns for at in hidden[:width] if at < width]
    columns = [_letters(at) for at in places if (cells[at] != "").any()]
    for key, found in (("workbook_hidden_rows", rows), ("workbook_hidden_columns", columns)):
        if found:
            yield Problem(name, key, {"count": len(found), "found": _listed(found)}, sheet=sheet)


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:MOST_LINES]) + (" …" if len(names) > MOST_LINES else "")


def _reference(cell: Cell) -> str:
    return f"{_letters(cell[1])}{cell[0] + 1}"


def _letters(column: int) -> str:
    before, last = divmod(column, 26)
    return (_letters(before - 1) if before else "") + chr(65 + last)
