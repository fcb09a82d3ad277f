"""Raw files to raw frames: one a wave, every cell as the text that stands in the file."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pandas as pd

from evalkit.codebook import Codebook
from evalkit.errors import DataError, Problem, raise_any
from evalkit.files import read_grid
from evalkit.grid import Grid, Raw
from evalkit.headers import take_columns
from evalkit.study import Study

FEWEST = 10  # rows; fewer may be alike by chance


def read(study: Study) -> Raw:
    """The raw frames of all waves.

    Raises DataError naming, for all waves at once, files that are missing, empty, damaged or the same for two waves,
    columns that the codebook asks for and the file lacks, columns that it does not know, and repeated ones.

        raw = ek.read(study)
        raw.frames["truoc"].loc[2, "q1_1"]
    """
    frames: dict[str, pd.DataFrame] = {}
    problems: list[Problem] = []
    notices: list[Problem] = []
    grids: dict[tuple, Grid] = {}
    for wave in study.declared.waves:
        source = (wave.file, wave.sheet, wave.encoding, wave.decimal)
        where = (wave.where.column, wave.where.equals) if wave.where else None
        try:
            if source not in grids:
                options = {"sheet": wave.sheet, "encoding": wave.encoding, "decimal": wave.decimal}
                grids[source] = read_grid(study.raw_path(wave), wave.file, **options)
            frames[wave.code], found = take_columns(grids[source], study.codebook, wave.file, where=where)
            notices += [notice for notice in found if notice not in notices]
        except DataError as error:
            problems += [problem for problem in error.problems if problem not in problems]
    for (first, one), (second, other) in combinations(frames.items(), 2):
        if len(one) == len(other) >= FEWEST and all(one[name].tolist() == other[name].tolist() for name in one):
            file = study.wave(second).file
            problems.append(Problem(file, "wave_twice", {"found": study.wave(first).file}))
    raise_any(map(study.locate, problems))
    return Raw(frames, tuple(notices))


def read_responses(
    path: str | Path,
    codebook: Codebook,
    *,
    sheet: str | None = None,
    encoding: str | None = None,
    decimal: str | None = None,
    where: tuple[str, str] | None = None,
) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """One raw file as a frame of text, and notices: csv, xlsx, xls, ods, sav or dta, recognised by its content.

    sheet: of a workbook with several. encoding: of a text file or old sav file, where it is not found rightly.
    decimal: how typed numbers of a workbook are written as text, `.` unless given. where: a column and the text that
    its rows must have. The frame is as in `grid.Raw`; errors as in `read`.

        frame, notices = ek.read_responses("data/nga-bay/raw/khao_sat_sau.xlsx", study.codebook)
    """
    path = Path(path)
    return take_columns(
        read_grid(path, path.name, sheet=sheet, encoding=encoding, decimal=decimal), codebook, path.name, where=where
    )
