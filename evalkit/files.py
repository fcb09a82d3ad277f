"""One file of any format to a grid of cells, told by its content; repeat groups joined to their forms."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pandas as pd

from evalkit.encodings import mojibake, repair
from evalkit.errors import DataError, Problem, raise_any
from evalkit.grid import SEARCHED, Grid, file_bytes, file_start
from evalkit.statfiles import is_statfile, read_statfile
from evalkit.textfiles import read_text
from evalkit.workbooks import is_workbook, read_workbook, sheet_names

PACKED = (b"PK", b"\xd0\xcf\x11\xe0")  # zip and OLE, of which workbooks are made
MARKUP = (b"<!doctype", b"<html", b"<head", b"<meta", b"<table", b"<?xml")  # which some portals call .xls
FORM, PARENT, TABLE = "_index", "_parent_index", "_parent_table_name"  # how KoboToolbox ties repeat groups to forms
LONGEST_SHEET = 31  # letters that Excel lets a sheet's name have


def read_grid(
    path: Path, name: str, *, sheet: str | None = None, encoding: str | None = None, decimal: str | None = None
) -> Grid:
    """The cells of a file: csv, xlsx, xls, ods, sav or dta, told by its content, whatever it is called.

    name: how errors call the file. sheet: of a workbook with several. encoding: of a text file or old sav file, where
    it is not found rightly; of a workbook whose cells were typed for an old font. decimal: how typed numbers of a
    workbook are written as text, `.` unless given. Raises DataError where the file cannot be read.

        read_grid(Path("raw/sau.xlsx"), "raw/sau.xlsx", sheet="Trang 1")
    """
    start = file_start(path, name)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(MARKUP):
        raise DataError([Problem(name, "workbook_is_markup")])
    if start.startswith(PACKED) and is_workbook(file_bytes(path, name)):
        return _read_sheet(path, name, sheet, encoding, decimal)
    if is_statfile(start):
        return read_statfile(path, name, encoding=encoding)
    return read_text(path, name, encoding=encoding)


def _read_sheet(
    path: Path, name: str, sheet: str | None, encoding: str | None, decimal: str | None, below: tuple[str, ...] = ()
) -> Grid:
    """A sheet; of a KoboToolbox repeat group, each row with the columns of the form that it belongs to."""
    grid = _without_old_fonts(read_workbook(path, name, sheet=sheet, decimal=decimal), name, encoding)
    rows = _from_title(grid, PARENT)
    titles = list(rows.iloc[0]) if len(rows) > 1 else []
    if TABLE in titles:
        parent = str(rows.iloc[1, titles.index(TABLE)])[:LONGEST_SHEET]
        if parent not in below:
            forms = _read_sheet(path, name, parent, encoding, decimal, (*below, parent))
            forms = Grid(forms.cells, grid.notices + forms.notices)
            return _with_forms(rows, forms, Problem(name, "repeat_parent", {"expected": parent}, sheet=sheet))
    repeats = []
    if not below and len(_from_title(grid, FORM)):
        repeats = [other for other in sheet_names(path, name) if other != sheet and _is_repeat(path, name, other)]
    notices = (Problem(name, "repeat_sheets", {"found": ", ".join(repeats)}),) if repeats else ()
    return Grid(grid.cells, grid.notices + notices)


def _from_title(grid: Grid, title: str) -> pd.DataFrame:
    """The rows of a sheet from the one that has a title in it; none where no row near the top has it."""
    found = (grid.cells.iloc[:SEARCHED].astype("str") == title).any(axis=1)
    return grid.cells.loc[found.idxmax() :] if found.any() else grid.cells.iloc[:0]


def _is_repeat(path: Path, name: str, sheet: str) -> bool:
    try:
        return len(_from_title(read_workbook(path, name, sheet=sheet), PARENT)) > 0
    except DataError:  # what is wrong with a sheet that nobody asked for
        return False


def _with_forms(rows: pd.DataFrame, forms: Grid, wrong: Problem) -> Grid:
    """The rows of a repeat group, titles first, each with those columns of its form that they do not have."""
    above = _from_title(forms, FORM)
    numbers = list(above[list(above.iloc[0]).index(FORM)]) if len(above) else []
    places = {number: at for at, number in enumerate(numbers) if at}
    known, asked = Counter(numbers), rows[list(rows.iloc[0]).index(PARENT)].iloc[1:]
    raise_any(
        replace(wrong, values=wrong.values | {"found": number}, line=line, column=PARENT)
        for line, number in asked.items()
        if known[number] != 1
    )
    added = above[[at for at, title in above.iloc[0].items() if title not in set(rows.iloc[0])]]
    added = added.iloc[[0, *map(places.__getitem__, asked)]].set_axis(rows.index)
    cells = pd.concat([rows, added], axis=1)
    return Grid(cells.set_axis(range(cells.shape[1]), axis=1), forms.notices)


def _without_old_fonts(grid: Grid, name: str, encoding: str | None) -> Grid:
    """The grid in Unicode where its cells were typed for a font of an old code page, as «TiÕng ViÖt» in .VnTime."""
    texts = {text for column in grid.cells for text in grid.cells[column].cat.categories}
    found = encoding or mojibake(sorted(texts))
    if found in (None, "utf-8", "utf-16"):
        return grid
    cells = grid.cells.apply(lambda column: column.map(lambda text: repair(text, found)).astype("category"))
    return Grid(cells, (*grid.notices, Problem(name, "old_font", {"found": found})))
