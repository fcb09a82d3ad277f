"""A new study folder to fill in: the example's questionnaire and indicators, and empty sheets for the answers."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path

from evalkit.errors import DataError, Problem
from evalkit.study import CORRECTION_COLUMNS
from evalkit.textfiles import read_rows

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
WAVES = ("khao_sat_truoc.csv", "khao_sat_sau.csv")


def start(folder: str | Path) -> None:
    """Write a study folder with study.toml, codebook, scales, index, corrections and an empty sheet a wave.

    The csv files are written as a Vietnamese Excel opens them: `;`, UTF-8 with byte-order mark. Raises
    DataError where the folder already holds files.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise DataError([Problem(str(folder), "folder_not_empty")])
    (folder / "raw").mkdir(parents=True)
    template = files("evalkit").joinpath("templates", "study.toml").read_text(encoding="utf-8")
    (folder / "study.toml").write_text(template, encoding="utf-8")
    index = (EXAMPLE / "index.toml").read_text(encoding="utf-8")
    (folder / "index.toml").write_text(index, encoding="utf-8")
    codebook = [row.cells for row in read_rows(EXAMPLE / "codebook.csv", "codebook.csv")]
    scales = [row.cells for row in read_rows(EXAMPLE / "scales.csv", "scales.csv")]
    _write(folder / "codebook.csv", codebook)
    _write(folder / "scales.csv", scales)
    _write(folder / "corrections.csv", [list(CORRECTION_COLUMNS)])
    column = codebook[0].index("column")
    for name in WAVES:
        _write(folder / "raw" / name, [[row[column] for row in codebook[1:]]])


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
