"""Tables for Excel and LibreOffice in which no text is taken for a formula."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.xml.functions import tostring

from evalkit.archives import DAY, without_times

_SIGNS = "=+\\-@＝＋－＠"
# A cell also begins after these for a program that splits by another separator than the comma.
_BEGIN = r"(?:\A|(?<=[;\t\r\n]))"
_LIVE = rf"'*[ \xa0]*[{_SIGNS}]"
_ACTIVE = re.compile(rf"\A(?='*[\t\r\n])|{_BEGIN}(?={_LIVE})")
_QUIET = re.compile(rf"\A'(?='*[\t\r\n])|{_BEGIN}'(?={_LIVE})")
_NUMBER = r"[+\-−]?\d[\d.,]*(?:[eE][+\-]?\d+)?%?"
_RANGE = rf"{_NUMBER}(?: (?:to|đến|/|–) {_NUMBER})?"
_HARMLESS = re.compile(rf"{_RANGE}(?: \({_RANGE}\))?")


def neutral(text: str) -> str:
    """A text that a spreadsheet shows and does not compute: an apostrophe before what would begin a formula.

    text: one cell. Cells that begin with = + - @, a tab or a line break are meant (OWASP, CSV Injection), also in
    full width and after spaces, and the same signs after `;`, tab or line break within the cell. Numbers and ranges
    of numbers stay. `restored` undoes it.

    >>> neutral("=1+1"), neutral("-2.5"), neutral("a;=1+1"), neutral("Hài lòng")
    ("'=1+1", '-2.5', "a;'=1+1", 'Hài lòng')
    """
    return text if _HARMLESS.fullmatch(text) else _ACTIVE.sub("'", text)


def restored(text: str) -> str:
    """The text that `neutral` was given.

    >>> restored(neutral("=1+1")), restored("'quoted'")
    ('=1+1', "'quoted'")
    """
    return _QUIET.sub("", text)


def safe_csv(frame: pd.DataFrame, *, encoding: str = "utf-8") -> bytes:
    """A frame as csv in which no cell and no column name begins a formula; numbers have all their digits.

    frame: any columns; the index is not written. encoding: `utf-8-sig` for files that people open in Excel.

    >>> safe_csv(pd.DataFrame({"text": ["=1+1", "-2.5"], "code": [-1.0, 0.1]}))
    b"text,code\\n'=1+1,-1.0\\n-2.5,0.1\\n"
    """
    texts = [dtype.kind not in "biufMm" if hasattr(dtype, "kind") else True for dtype in frame.dtypes]
    columns = [frame.iloc[:, at].map(_cell) if free else frame.iloc[:, at] for at, free in enumerate(texts)]
    safe = pd.concat(columns, axis=1) if columns else frame
    return safe.set_axis(map(_cell, frame.columns), axis=1).to_csv(index=False, lineterminator="\n").encode(encoding)


def write_text(cell: Cell, text: str) -> None:
    """Put a text into a cell of a workbook so that Excel never reads it as a formula, nor after it was edited.

    cell: of openpyxl. Raises openpyxl's IllegalCharacterError for control characters.

        write_text(sheet.cell(2, 1), "=1+1")
    """
    cell.value = text
    cell.data_type = "s"
    cell.quotePrefix = True


def save_workbook(book: Workbook, path: Path) -> None:
    """Save a workbook without author and clock time: the same content gives the same bytes.

    save_workbook(book, Path("study.xlsx"))
    """
    saved = io.BytesIO()
    book.save(saved)
    book.properties.creator, book.properties.lastModifiedBy = "evalkit", None
    book.properties.created = book.properties.modified = DAY
    path.write_bytes(without_times(saved, {"docProps/core.xml": tostring(book.properties.to_tree())}))


def _cell(value: Any) -> Any:
    return neutral(value) if isinstance(value, str) else value
