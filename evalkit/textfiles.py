"""Delimited text files as Excel and exports write them: encoding, delimiter, and the line of every row."""

from __future__ import annotations

import codecs
import csv
import io
import re
import tomllib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.encodings import decode, normal_form, undecodable_lines
from evalkit.errors import DataError, Problem, raise_any
from evalkit.grid import HEAD, Grid, file_bytes, file_start

MOST_BYTES = 1_500_000_000
# As many as a sheet of Excel has.
MOST_COLUMNS = 16_384

_MAGIC = {b"PK\x03\x04": "xlsx / ods", b"\xd0\xcf\x11\xe0": "xls", b"%PDF": "pdf", b"$FL2": "sav"}
_SIGNS = ";,\t"
_BLOCK = 1 << 20
_ROWS_AT_ONCE = 1_000
# Longer than any row that the fast way reads, so that both ways refuse the same files.
_LONGEST_LINE = 64 * _BLOCK


@dataclass(frozen=True)
class Row:
    """One row of a file: its line, as an editor counts, and its cells, as text."""

    line: int
    cells: list[str]


def read_rows(path: Path, name: str) -> list[Row]:
    """Rows of a csv file (`,`, `;` or tab), wholly empty ones left out, every cell as text.

    `name` is how errors call the file. The delimiter is the one that most lines use equally often; the encoding
    is UTF-8, UTF-16 with a byte-order mark, or Windows-1258.
    """
    data = file_bytes(path, name)
    _refuse_other_formats(data, name)
    decoded = decode(data)
    if decoded is None:
        raise DataError([Problem(name, "file_not_text")])
    rows = list(_rows(io.StringIO(decoded.text, newline=""), name, _delimiter(decoded.text, _SIGNS)))
    if not rows:
        raise DataError([Problem(name, "file_empty")])
    return rows


def read_table(path: Path, name: str, columns: tuple[str, ...], *, optional: tuple[str, ...] = ()) -> list[dict]:
    """Rows of a csv file whose header must be known: one dict a row, `line` beside the columns.

    A column of `optional` may be missing from the header and then reads as "".
    Raises DataError naming unknown, repeated and missing columns and ragged rows, all at once.
    """
    header, *rows = read_rows(path, name)
    known = columns + optional
    names = [cell.strip().lower() for cell in header.cells]
    while names and not names[-1]:
        names.pop()
    unknown = {"expected": ", ".join(known)}
    wrong = [("column_unknown", {"found": found} | unknown) for found in names if found not in known]
    wrong += [("column_twice", {"found": found}) for found in known if names.count(found) > 1]
    wrong += [("column_missing", {"found": column}) for column in columns if column not in names]
    problems = [Problem(name, key, values, header.line) for key, values in wrong]
    for row in rows:
        if any(cell.strip() for cell in row.cells[len(names) :]):
            problems.append(Problem(name, "row_ragged", {"found": len(row.cells), "expected": len(names)}, row.line))
    raise_any(problems)
    blank = dict.fromkeys(known, "")
    return [blank | dict(zip(names, map(normal_form, row.cells), strict=False)) | {"line": row.line} for row in rows]


def read_toml(path: Path, name: str) -> dict[str, Any]:
    """The content of a toml file; DataError where it is no text or no toml. `name` is how errors call the file."""
    decoded = decode(file_bytes(path, name))
    if decoded is None:
        raise DataError([Problem(name, "file_not_text")])
    try:
        return tomllib.loads(decoded.text)
    except tomllib.TOMLDecodeError as error:
        raise DataError([Problem(name, "toml_broken", {"reason": error})]) from None


def read_text(path: Path, name: str, *, encoding: str | None = None) -> Grid:
    """All rows of a raw survey file, header and titles above it among them, every cell as the text in the file.

    path: a file with `,`, `;`, tab or `|` between the cells. name: how errors call it. encoding: one of `ENCODINGS`
    where the user declares it; else it is found, and a notice says which was, unless it is UTF-8.
    A regular file (as many cells in each row, no line breaks in cells) is read by Arrow, any other by the module csv;
    both give the same grid.

    Returns a Grid as wide as the longest row; categories stand in the order in which they first appear.
    Raises DataError where the file is missing, empty, no text, or too large; for lines with NUL characters or in
    another encoding than the rest (all of them); for broken quoting; and for absurdly long lines or rows.

        grid = read_text(Path("data/pilot/raw/sau.csv"), "raw/sau.csv")
        grid.cells.loc[1].tolist()
    """
    _refuse_large(path, name)
    head = file_start(path, name)
    _refuse_other_formats(head, name)
    notices: tuple[Problem, ...] = ()
    cells = _regular(path, head) if encoding in (None, "utf-8") else None
    if cells is None:
        data = file_bytes(path, name)
        read, notices = _as_utf8(data, name, encoding)
        cells = _regular(read, read[:HEAD]) if read is not data else None
        if cells is None:
            cells = _irregular(read, name)
    if cells.empty:
        raise DataError([Problem(name, "file_empty")])
    return Grid(cells, notices)


def _refuse_large(path: Path, name: str) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        return  # file_bytes says what is wrong.
    if size > MOST_BYTES:
        values = {"found": size // 1_000_000, "expected": MOST_BYTES // 1_000_000}
        raise DataError([Problem(name, "textfile_large", values)])


def _refuse_other_formats(data: bytes, name: str) -> None:
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise DataError([Problem(name, "file_not_csv", {"kind": kind})])


def _as_utf8(data: bytes, name: str, encoding: str | None) -> tuple[bytes, tuple[Problem, ...]]:
    """The file in UTF-8, the same object if it is already, and what to say about its encoding."""
    marked = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    if b"\0" in data and not marked:
        wide = _unmarked_utf16(data) if encoding in (None, "utf-16") else None
        if wide is None:
            _refuse_nul(data, name)
        else:
            return wide.encode(), () if encoding else (Problem(name, "textfile_wide"),)
    decoded = decode(data, encoding)
    if decoded is None:
        _refuse_undecodable(data, name, encoding)
        raise DataError([Problem(name, "file_not_text")])
    if decoded.encoding == "utf-8":
        return data, ()
    notices = []
    if encoding is None and decoded.confidence < 1:
        values = {"found": decoded.encoding.upper(), "confidence": int(100 * decoded.confidence)}
        notices.append(Problem(name, "textfile_encoding", values | {"other": decoded.runner_up or "utf-8"}))
    return decoded.text.encode(), tuple(notices)


def _unmarked_utf16(data: bytes) -> str | None:
    """The text of a UTF-16 file without its mark: every second byte of digits, delimiters and line ends is NUL."""
    pairs = data[:HEAD][::2], data[:HEAD][1::2]
    for codec, (low, high) in {"utf-16-le": pairs, "utf-16-be": pairs[::-1]}.items():
        if b"\0" not in low and 4 * high.count(0) > len(high):
            try:
                text = data.decode(codec)
            except UnicodeError:
                continue
            if "\n" in text and "\0" not in text:
                return text
    return None


def _refuse_nul(data: bytes, name: str) -> None:
    if 4 * data.count(0) > len(data):
        raise DataError([Problem(name, "file_not_text")])
    lines = {line: "textfile_nul" for line, cells in enumerate(data.splitlines(), start=1) if b"\0" in cells}
    mixed = dict.fromkeys(undecodable_lines(data), "textfile_mixed")
    raise DataError(Problem(name, key, line=line) for line, key in sorted([*lines.items(), *mixed.items()]))


def _refuse_undecodable(data: bytes, name: str, encoding: str | None) -> None:
    if encoding in (None, "utf-8"):
        raise_any(Problem(name, "textfile_mixed", line=line) for line in undecodable_lines(data))
    if encoding:
        raise DataError([Problem(name, "textfile_not_encoding", {"found": encoding})])


def _regular(source: Path | bytes, head: bytes) -> pd.DataFrame | None:
    """The cells of a UTF-8 file with one row a line and equally many cells in each row; None if it is otherwise."""
    import pyarrow as pa
    from pyarrow import compute
    from pyarrow import csv as arrow_csv

    delimiter = _delimiter(head.decode("utf-8-sig", "ignore"), _SIGNS + "|")
    width = _first_width(head, delimiter)
    if not 0 < width <= MOST_COLUMNS or not _is_sound(source, delimiter):
        return None
    text = pa.dictionary(pa.int32(), pa.string())
    try:
        with _opened(source) as file:
            table = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=2 * _BLOCK),
                # A blank line is then a row too few cells wide, or an empty row: the position of a row is its line.
                arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False),
                arrow_csv.ConvertOptions(
                    column_types={f"f{at}": text for at in range(width)}, null_values=[], strings_can_be_null=False
                ),
            )
    except (pa.ArrowException, OSError):
        return None
    columns = []
    for column in table.unify_dictionaries().columns:
        texts = column.chunk(0).dictionary
        if compute.max(compute.binary_length(texts)).as_py() > csv.field_size_limit():
            return None
        codes = np.concatenate([chunk.indices.to_numpy() for chunk in column.chunks])
        columns.append((codes, pd.Index(texts.to_pandas())))
    return _without_blank_rows(columns)


def _first_width(head: bytes, delimiter: str) -> int:
    first = re.split(rb"[\r\n]", head.removeprefix(codecs.BOM_UTF8), maxsplit=1)[0]
    try:
        return len(next(csv.reader([first.decode("utf-8", "ignore")], delimiter=delimiter, strict=True), []))
    except csv.Error:
        return 0


def _opened(source: Path | bytes) -> Any:
    import pyarrow as pa

    return pa.BufferReader(source) if isinstance(source, bytes) else pa.OSFile(str(source))


def _is_sound(source: Path | bytes, delimiter: str) -> bool:
    """Whether no cell has a NUL or a line break in it and no quoting can be read in two ways."""
    quoted = False
    with _opened(source) as file:
        while block := file.read(_BLOCK):
            if b"\0" in block:
                return False
            quoted = quoted or b'"' in block
    return not quoted or _is_well_quoted(source, delimiter)


def _is_well_quoted(source: Path | bytes, delimiter: str) -> bool:
    """Whether every quoted cell begins and ends at a delimiter and within its line."""
    with _opened(source) as file:
        if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
            file.seek(0)
        rest = b""
        while block := file.read(_BLOCK):
            block = rest + block
            cut = (block.rfind(b"\n") + 1) or (block.rfind(b"\r") + 1)
            if not cut or not _are_well_quoted(block[:cut], delimiter):
                return False
            rest = block[cut:]
    return _are_well_quoted(rest, delimiter)


def _are_well_quoted(lines: bytes, delimiter: str) -> bool:
    signs = np.frombuffer(b"\n" + lines + b"\n", np.uint8)
    quotes = np.flatnonzero(signs == ord('"'))
    if len(quotes) % 2:
        return False
    # A doubled quotation mark closes and opens again, so quotation marks are neighbours that may stand there too.
    allowed = np.isin(np.arange(256), list(map(ord, f'{delimiter}\r\n"')))
    neighbours = np.concatenate([quotes[::2] - 1, quotes[1::2] + 1])
    ends = np.flatnonzero((signs == ord("\n")) | (signs == ord("\r")))
    return bool(allowed[signs[neighbours]].all() and not (np.searchsorted(quotes, ends) % 2).any())


def _without_blank_rows(columns: list[tuple[np.ndarray, pd.Index]]) -> pd.DataFrame:
    blank = np.ones(len(columns[0][0]), dtype=bool)
    for codes, texts in columns:
        if blank.any():
            blank &= np.array([not text.strip() for text in texts])[codes]
    if blank.any():
        kept = [(pd.factorize(codes[~blank]), texts) for codes, texts in columns]
        columns = [(codes, texts[used]) for (codes, used), texts in kept]
    return _frame(columns, np.flatnonzero(~blank) + 1)


def _frame(columns: Iterable[tuple[np.ndarray, pd.Index]], lines: np.ndarray) -> pd.DataFrame:
    cells = {at: pd.Categorical.from_codes(codes, texts) for at, (codes, texts) in enumerate(columns)}
    return pd.DataFrame(cells, index=pd.Index(lines, dtype="int64", name="line"))


def _irregular(data: bytes, name: str) -> pd.DataFrame:
    """The cells of a UTF-8 file of any shape, row by row."""
    delimiter = _delimiter(data[:HEAD].decode("utf-8-sig", "ignore"), _SIGNS + "|")
    rows = _rows(_lines(data, name), name, delimiter)
    lines = array("q")
    texts: list[defaultdict[str, int]] = []
    codes: list[array] = []
    longest, filled = Row(0, []), 0
    while batch := list(islice(rows, _ROWS_AT_ONCE)):
        longest = max(longest, *batch, key=lambda row: len(row.cells))
        filled += sum(len(row.cells) for row in batch)
        _refuse_wide(longest, len(lines) + len(batch), filled, name)
        for _ in range(len(texts), len(longest.cells)):
            # A text that is new gets the next number.
            texts.append(defaultdict(count().__next__))
            codes.append(array("i", [texts[-1][""]] * len(lines) if lines else []))
        lines.extend(row.line for row in batch)
        padded = [batch[0].cells + [""] * (len(texts) - len(batch[0].cells)), *(row.cells for row in batch[1:])]
        for known, numbers, column in zip(texts, codes, zip_longest(*padded, fillvalue=""), strict=True):
            numbers.extend(map(known.__getitem__, column))
    columns = (
        (np.frombuffer(numbers, np.intc), pd.Index(list(known), dtype="str"))
        for known, numbers in zip(texts, codes, strict=True)
    )
    return _frame(columns, np.array(lines))


def _refuse_wide(longest: Row, rows: int, filled: int, name: str) -> None:
    width = len(longest.cells)
    if width > MOST_COLUMNS:
        raise DataError([Problem(name, "textfile_columns", {"found": width, "expected": MOST_COLUMNS}, longest.line)])
    # One endless row among short ones would fill the memory with empty cells.
    if width * rows > 10 * filled + 10_000_000:
        values = {"found": width, "expected": round(filled / rows)}
        raise DataError([Problem(name, "row_ragged", values, longest.line)])


def _lines(data: bytes, name: str) -> Iterator[str]:
    file = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8-sig", newline="")
    for number, line in enumerate(file, start=1):
        if len(line) > _LONGEST_LINE:
            values = {"found": len(line) // 1_000_000, "expected": _LONGEST_LINE // 1_000_000}
            raise DataError([Problem(name, "textfile_line_long", values, number)])
        yield line


def _rows(lines: Iterable[str], name: str, delimiter: str) -> Iterator[Row]:
    """Rows with any text; DataError at the line where a row begins whose quoting is broken."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield Row(start, cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError([Problem(name, "file_broken_csv", {"reason": error}, line=start)]) from None


def _delimiter(text: str, signs: str) -> str:
    """The sign that cuts most rows into equally many cells, more cells winning a tie."""
    found = {}
    for sign in signs:
        rows = islice(csv.reader(io.StringIO(text[:20_000], newline=""), delimiter=sign), 50)
        widths = Counter(len(cells) for cells in rows if len(cells) > 1)
        found[sign] = max(((often, width) for width, often in widths.items()), default=(0, 0))
    return max(found, key=lambda sign: found[sign])
