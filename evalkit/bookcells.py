"""What the cells of a workbook hold: texts, numbers, dates, and what Excel made of them."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from typing import Any

from openpyxl.utils import get_column_letter

from evalkit.encodings import normal_form

EXCEL_ERRORS = ("#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!")
_DATE_TEXT = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")


def cell_name(row: int, column: int) -> str:
    """The name of a cell.

    >>> cell_name(4, 3)
    'C4'
    """
    return f"{get_column_letter(column)}{row}"


def is_filled(value: Any) -> bool:
    """Whether a cell holds more than spaces."""
    return value is not None and not (isinstance(value, str) and not normal_form(value))


def padded(value: Any, number_format: str) -> Any:
    """A number that a format of zeros shows with leading zeros, as that text; other values as they are.

    >>> padded(7, "000"), padded(7, "General")
    ('007', 7)
    """
    zeros = re.fullmatch(r"0{2,}", number_format) and isinstance(value, int) and not isinstance(value, bool)
    return str(value).zfill(len(number_format)) if zeros and value >= 0 else value


def digits(value: Any) -> str:
    """A text as it is, a number as its digits without exponent.

    >>> digits(31344.0), digits(0.1), digits("007")
    ('31344', '0.1', '007')
    """
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    return str(value)


def shown(value: Any) -> str:
    """A date as Vietnamese write it, other values as Python does.

    >>> shown(date(2026, 1, 30))
    '30/01/2026'
    """
    return value.strftime("%d/%m/%Y") if isinstance(value, date) and value.year >= 1000 else str(value)


def day(value: Any) -> Any:
    """A date cell, or text dd/mm/yyyy or yyyy-mm-dd, as a date; anything else as it is.

    >>> day("30/1/2026"), day("31/2/2026")
    (datetime.date(2026, 1, 30), '31/2/2026')
    """
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else str(value)
    if not isinstance(value, str):
        return value
    words = normal_form(value)
    try:
        if found := _DATE_TEXT.fullmatch(words):
            return date(int(found[3]), int(found[2]), int(found[1]))
        return date.fromisoformat(words)
    except ValueError:
        return words


def figure(value: Any, *, whole: bool) -> Any:
    """A number; also text that can only be one number; anything else as it is.

    >>> figure("0,5", whole=False), figure("45.000", whole=True), figure(3.0, whole=True)
    (0.5, '45.000', 3)
    """
    if isinstance(value, str):
        words = normal_form(value)
        if not re.fullmatch(r"-?[0-9]{1,15}([.,][0-9]{1,2})?", words):
            return words
        value = float(words.replace(",", "."))
    if isinstance(value, float) and value.is_integer() and whole:
        return int(value)
    return value
