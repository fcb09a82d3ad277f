"""Raw files to raw frames: one a wave, every cell as the text that stands in the file."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pandas as pd
from openpyxl import load_workbook
from python_calamine import CalamineError, CalamineWorkbook

from evalkit.codebook import Codebook
from evalkit.declaration import Wave
from evalkit.encodings import fold
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.study import Study
from evalkit.textfiles import Row, file_bytes, read_rows

_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods")
_WORKBOOK_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def read(study: Study) -> dict[str, pd.DataFrame]:
    """The raw frame of each wave, by wave code.

    Returns one DataFrame a wave: columns are the codebook's variables (those of type `ignore` left out), the
    index `line` is the row's line as Excel counts it, or an editor for csv; cells are text as it stands in the file.
    Raises DataError naming, for all waves at once, files that are missing, empty or of another format, columns
    that the codebook asks for and the file lacks, columns that the codebook does not know, and repeated ones.

        raw = ek.read(study)
        raw["truoc"].loc[2, "q1_1"]
    """
    frames: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    for wave in study.declared.waves:
        try:
            frames[wave.code] = _read_wave(study.raw_path(wave), wave, study.codebook)
        except DataError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    raise_any(problems)
    return frames


def _read_wave(path: Path, wave: Wave, codebook: Codebook) -> pd.DataFrame:
    rows = _workbook_rows(path, wave) if path.suffix.lower() in _WORKBOOKS else read_rows(path, wave.file)
    known = {fold(variable.column): variable for variable in codebook.values()}
    header = _find_header(rows, set(known), wave.file)
    columns = [fold(cell) for cell in header.cells]
    while columns and not columns[-1]:
        columns.pop()
    wanted = [variable for variable in codebook.values() if variable.type != "ignore"]
    needed = {variable.name: variable for variable in wanted}
    if wave.where:
        apart = known[fold(wave.where.column)]
        needed[apart.name] = apart
    problems = [
        Problem(
            wave.file,
            "raw_column_missing",
            {"found": variable.column, "variable": variable.name},
            header.line,
        )
        for variable in needed.values()
        if fold(variable.column) not in columns
    ]
    problems += [
        Problem(
            wave.file,
            "raw_column_unknown",
            {
                "found": header.cells[at].strip(),
                "expected": nearest(column, [variable.column for variable in codebook.values()]),
            },
            header.line,
        )
        for at, column in enumerate(columns)
        if column not in known
    ]
    problems += [
        Problem(wave.file, "column_twice", {"found": known[column].column}, header.line)
        for column in dict.fromkeys(columns)
        if column in known and columns.count(column) > 1
    ]
    below = [row for row in rows if row.line > header.line]
    for row in below:
        if any(cell.strip() for cell in row.cells[len(columns) :]):
            ragged = {"found": len(row.cells), "expected": len(columns)}
            problems.append(Problem(wave.file, "row_ragged", ragged, row.line))
    if not below:
        problems.append(Problem(wave.file, "no_rows", line=header.line))
    raise_any(problems)
    width = len(columns)
    cells = pd.DataFrame(
        [(row.cells + [""] * width)[:width] for row in below],
        index=pd.Index([row.line for row in below], name="line"),
        columns=columns,
        dtype="str",
    )
    if wave.where:
        cells = cells[cells[fold(wave.where.column)].map(fold) == fold(wave.where.equals)]
        if cells.empty:
            values = {"column": wave.where.column, "found": wave.where.equals}
            raise DataError([Problem(wave.file, "where_empty", values)])
    return cells[[fold(variable.column) for variable in wanted]].set_axis([v.name for v in wanted], axis=1)


def _find_header(rows: list[Row], known: set[str], file: str) -> Row:
    """The header is the row among the first twenty that names most of the codebook's columns: titles stand above."""
    best = max(rows[:20], key=lambda row: len(known & {fold(cell) for cell in row.cells}))
    if not known & {fold(cell) for cell in best.cells}:
        values = {"found": " | ".join(cell.strip() for cell in rows[0].cells if cell.strip())[:80]}
        raise DataError([Problem(file, "header_missing", values)])
    return best


def _workbook_rows(path: Path, wave: Wave) -> list[Row]:
    if not file_bytes(path, wave.file).startswith(_WORKBOOK_MAGIC):
        raise DataError([Problem(wave.file, "file_not_xlsx")])
    try:
        book = CalamineWorkbook.from_path(str(path))
        if wave.sheet and wave.sheet not in book.sheet_names:
            values = {"found": wave.sheet, "expected": nearest(wave.sheet, book.sheet_names)}
            raise DataError([Problem(wave.file, "sheet_unknown", values)])
        sheet = book.get_sheet_by_name(wave.sheet) if wave.sheet else book.get_sheet_by_index(0)
        grid = sheet.to_python(skip_empty_area=False)
        _refuse_error_cells(path, sheet.name, wave.file)
    except CalamineError:
        raise DataError([Problem(wave.file, "file_not_xlsx")]) from None
    rows = [
        Row(line, [_cell_text(cell, wave.decimal or ".") for cell in cells])
        for line, cells in enumerate(grid, start=1)
    ]
    rows = [row for row in rows if any(cell.strip() for cell in row.cells)]
    if not rows:
        raise DataError([Problem(wave.file, "file_empty")])
    return rows


def _refuse_error_cells(path: Path, sheet: str, file: str) -> None:
    """Raise DataError naming the cells that hold an Excel error such as #N/A: they read as if nobody had answered."""
    if path.suffix.lower() not in (".xlsx", ".xlsm"):
        return
    with ZipFile(path) as archive:
        if not any(b't="e"' in archive.read(name) for name in archive.namelist() if "worksheets/" in name):
            return
    cells = (cell for row in load_workbook(path, read_only=True, data_only=True)[sheet].iter_rows() for cell in row)
    raise_any(
        Problem(file, "excel_error", {"found": cell.value, "cell": cell.coordinate}, cell.row)
        for cell in cells
        if cell.data_type == "e"
    )


def _cell_text(cell: Any, decimal: str) -> str:
    """A typed Excel cell as the text that means the same and nothing else."""
    if isinstance(cell, bool):
        return str(cell)
    if isinstance(cell, float):
        if cell.is_integer():
            return str(int(cell))
        digits = np.format_float_positional(cell).replace(".", decimal)
        # A typed 1.234 is no thousand: a fourth decimal keeps it from being read as one.
        return digits + "0" if len(digits.rpartition(decimal)[2]) == 3 else digits
    if isinstance(cell, datetime):
        return f"{cell:%d/%m/%Y}" if cell.time() == datetime.min.time() else f"{cell:%d/%m/%Y %H:%M:%S}"
    if isinstance(cell, date):
        return f"{cell:%d/%m/%Y}"
    return str(cell)
