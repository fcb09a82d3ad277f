"""Delimited text files as Excel and exports write them: encoding, delimiter, and the line of every row."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evalkit.encodings import decode, normal_form
from evalkit.errors import DataError, Problem

_MAGIC = {b"PK\x03\x04": "xlsx / ods", b"\xd0\xcf\x11\xe0": "xls", b"%PDF": "pdf", b"$FL2": "sav"}


@dataclass(frozen=True)
class Row:
    """One row of a file: its line, as an editor counts, and its cells, as text."""

    line: int
    cells: list[str]


def file_bytes(path: Path, name: str) -> bytes:
    """The bytes of a file, with a clear error where it is missing, a folder, locked or empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DataError([Problem(name, "file_missing")]) from None
    except OSError as error:
        raise DataError([Problem(name, "file_unreadable", {"reason": error.strerror})]) from None
    if not data.strip():
        raise DataError([Problem(name, "file_empty")])
    return data


def read_rows(path: Path, name: str) -> list[Row]:
    """Rows of a csv file (`,`, `;` or tab), wholly empty ones left out, every cell as text.

    `name` is how errors call the file. The delimiter is the one that most lines use equally often; the encoding
    is UTF-8, UTF-16 with a byte-order mark, or Windows-1258.
    """
    data = file_bytes(path, name)
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise DataError([Problem(name, "file_not_csv", {"kind": kind})])
    decoded = decode(data)
    if decoded is None:
        raise DataError([Problem(name, "file_not_text")])
    reader = csv.reader(io.StringIO(decoded, newline=""), delimiter=_delimiter(decoded), strict=True)
    rows, start = [], 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(Row(start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError([Problem(name, "file_broken_csv", {"reason": error}, line=start)]) from None
    if not rows:
        raise DataError([Problem(name, "file_empty")])
    return rows


def _delimiter(text: str) -> str:
    """The sign that cuts most rows into equally many cells, more cells winning a tie."""
    found = {}
    for sign in ";,\t":
        rows = islice(csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=sign), 50)
        widths = Counter(len(cells) for cells in rows if len(cells) > 1)
        found[sign] = max(((often, width) for width, often in widths.items()), default=(0, 0))
    return max(found, key=lambda sign: found[sign])


def read_table(path: Path, name: str, columns: tuple[str, ...]) -> list[dict]:
    """Rows of a csv file whose header must be known: one dict a row, `line` beside the columns.

    Raises DataError naming unknown, repeated and missing columns and ragged rows, all at once.
    """
    header, *rows = read_rows(path, name)
    names = [cell.strip().lower() for cell in header.cells]
    while names and not names[-1]:
        names.pop()
    problems = [
        Problem(name, "column_unknown", {"found": found, "expected": ", ".join(columns)}, header.line)
        for found in names
        if found not in columns
    ]
    problems += [
        Problem(name, "column_twice", {"found": found}, header.line) for found in columns if names.count(found) > 1
    ]
    problems += [
        Problem(name, "column_missing", {"found": column}, header.line) for column in columns if column not in names
    ]
    for row in rows:
        if any(cell.strip() for cell in row.cells[len(names) :]):
            problems.append(Problem(name, "row_ragged", {"found": len(row.cells), "expected": len(names)}, row.line))
    if problems:
        raise DataError(problems)
    blank = dict.fromkeys(columns, "")
    return [blank | dict(zip(names, map(normal_form, row.cells), strict=False)) | {"line": row.line} for row in rows]
