"""Cells as text, as the readers of all formats give them; the waves of a study; the bytes of a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from evalkit.errors import DataError, Problem

HEAD = 1 << 20  # bytes that show what a file is
SEARCHED = 20  # rows from the top among which a header is sought
TYPED = "\u2060"  # an invisible mark after a number that a cell held as a number: its decimal sign is certain


@dataclass(frozen=True)
class Grid:
    """The cells of a sheet as the text that stands in the file.

    cells: one column a column of the file, numbered from 0, each a pandas categorical of text ("" where empty); the
        index `line` is the line as Excel counts, or an editor for csv. Rows without any text are left out.
    notices: what a reader of the file should know and nobody needs to mend, such as hidden rows.
    """

    cells: pd.DataFrame
    notices: tuple[Problem, ...] = ()

    @classmethod
    def of(cls, rows: list[tuple[int, list[str]]], notices: tuple[Problem, ...] = ()) -> Grid:
        """A grid of lines and their cells; short rows are filled with empty cells."""
        rows = [(line, cells) for line, cells in rows if any(cell.strip() for cell in cells)]
        width = max((len(cells) for _, cells in rows), default=0)
        columns = zip(*(cells + [""] * (width - len(cells)) for _, cells in rows), strict=True)
        lines = pd.Index([line for line, _ in rows], name="line")
        cells = {at: pd.Categorical(column) for at, column in enumerate(columns)}
        return cls(pd.DataFrame(cells, index=lines), notices)


@dataclass(frozen=True)
class Raw:
    """The raw rows of a study's waves, and what a reader of them should know.

    frames: by wave, one column a variable, each a pandas categorical of text as it stands in the file; the index
        `line` is the row's line as Excel counts it, or an editor for csv.
    """

    frames: Mapping[str, pd.DataFrame]
    notices: tuple[Problem, ...] = ()


def file_start(path: Path, name: str) -> bytes:
    """The first bytes of a file, enough to see what it is; errors as from `file_bytes`."""
    return file_bytes(path, name, most=HEAD)


def file_bytes(path: Path, name: str, *, most: int = -1) -> bytes:
    """The bytes of a file, with a clear error where it is missing, a folder, locked or empty."""
    try:
        with path.open("rb") as file:
            data = file.read(most)
    except FileNotFoundError:
        raise DataError([Problem(name, "file_missing")]) from None
    except OSError as error:
        raise DataError([Problem(name, "file_unreadable", {"reason": error.strerror})]) from None
    if not data.strip() and len(data) != most:
        raise DataError([Problem(name, "file_empty")])
    return data
