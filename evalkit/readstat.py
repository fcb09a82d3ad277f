"""The program that `statfiles` runs apart: an SPSS or Stata file as JSON, or what is wrong with it.

It starts for every file that is read, so it imports nothing that takes time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyreadstat

from evalkit.encodings import decode_as

MOST_CELLS = 20_000_000


def parse(path: str, encoding: str | None) -> dict[str, Any]:
    """`variables` and `columns` of a file, or `key` and `values` of what is wrong with it.

    path, encoding: as for `statfiles.read_statfile`. A damaged file may end the process.

        parse("raw/truoc.sav", None)["variables"][0]["name"]
    """
    try:
        return _parse(path, encoding)
    except OverflowError:
        return {"key": "statfile_date", "values": {}}
    except (UnicodeError, LookupError) as error:
        if isinstance(error, IndexError | KeyError):
            return {"key": "statfile_damaged", "values": {"found": type(error).__name__}}
        return {"key": "statfile_encoding", "values": {"found": encoding or "–"}}
    except Exception as error:  # pyreadstat raises whatever the damage leads to
        key = "statfile_encoding" if "encoding" in str(error) else "statfile_damaged"
        found = encoding or "–" if key == "statfile_encoding" else str(error) or type(error).__name__
        return {"key": key, "values": {"found": found}}


def _parse(path: str, encoding: str | None) -> dict[str, Any]:
    with Path(path).open("rb") as file:
        spss = file.read(3) == b"$FL"
    read: Callable[..., Any] = pyreadstat.read_sav if spss else pyreadstat.read_dta
    # Read byte for byte and decoded here: iconv's Vietnamese tables hold the last letter of a cell back for the next.
    options = {"output_format": "dict"} | ({"encoding": "ISO-8859-1"} if encoding else {})
    _, about = read(path, metadataonly=True, **options)
    width = max(about.number_columns, 1)
    most = MOST_CELLS // width
    if (about.number_rows or 0) > most:
        return {"key": "statfile_too_large", "values": {"found": about.number_rows * width, "expected": MOST_CELLS}}
    cells, about = read(path, user_missing=True, row_limit=most, **options)

    def decoded(text: str | None) -> str:
        return decode_as((text or "").encode("latin-1"), encoding) if encoding else text or ""

    variables, columns = [], []
    for name, values in cells.items():
        storage = about.readstat_variable_types[name]
        texts = [_text(value, storage) for value in values]
        columns.append([decoded(text) for text in texts] if storage == "string" else texts)
        labels = about.variable_value_labels.get(name, {})
        ranges = [(r["lo"], r["hi"]) for r in about.missing_ranges.get(name, [])]
        codes = [low for low, high in ranges if low == high] + list(about.missing_user_values.get(name, []))
        variables.append(
            {
                "name": decoded(name),
                "label": decoded(about.column_names_to_labels.get(name)),
                "type": _type(values, storage),
                "value_labels": {decoded(_text(code, storage)): decoded(label) for code, label in labels.items()},
                "missing_codes": [decoded(_text(code, storage)) for code in codes],
                "missing_ranges": [] if storage == "string" else [pair for pair in ranges if pair[0] != pair[1]],
            }
        )
    if not variables or len({len(column) for column in columns}) > 1:
        raise ValueError("columns of different lengths")
    return {"variables": variables, "columns": columns}


def _text(value: Any, storage: str) -> str:
    """A value as the text that means the same and nothing else."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value if storage == "string" else f".{value}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, time):
        return value.isoformat("seconds")
    if isinstance(value, date):
        return value.isoformat()
    # Stata's float has seven digits: 0.1 and not 0.10000000149011612.
    return np.format_float_positional(np.float32(value) if storage == "float" else value, trim="-")


def _type(values: list[Any], storage: str) -> str:
    if storage == "string":
        return "text"
    kinds = {type(value) for value in values} - {type(None), str}
    for kind, called in ((datetime, "time"), (date, "date"), (time, "text")):
        if kind in kinds:
            return called
    return "number"


if __name__ == "__main__":
    print(json.dumps(parse(sys.argv[1], sys.argv[2] or None)))
