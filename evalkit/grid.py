"""Cells as text: one sheet of any file, as the readers of all formats give it; and the waves of a study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from evalkit.errors import Problem

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
