"""What the files of a study folder say, before anything is checked: the same from text files and from a workbook."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from evalkit import codebook
from evalkit.errors import Problem, gathered
from evalkit.textfiles import read_table, read_toml

CORRECTION_COLUMNS = ("row_id", "variable", "action", "old_value", "new_value", "reason")
CORRECTION_ACTIONS = ("set", "blank", "drop_row")


@dataclass(frozen=True)
class Contents:
    """What a study folder's files say; None for a file that cannot be read, whose problems stand beside.

    study, index: as `tomllib` gives study.toml and index.toml. codebook, scales, corrections: one dict a row, every
    cell as text, as `textfiles.read_table` gives; `line` is the row's line. scales, corrections: empty where there is
    no such file.
    """

    study: dict[str, Any] | None
    index: dict[str, Any] | None
    codebook: list[dict[str, Any]] | None
    scales: list[dict[str, Any]] | None
    corrections: list[dict[str, Any]] | None
    problems: tuple[Problem, ...] = ()
    notices: tuple[Problem, ...] = ()

    def locate(self, problem: Problem) -> Problem:
        """A problem at its place in the user's files."""
        return problem


def text_contents(folder: Path) -> Contents:
    """What study.toml, index.toml, codebook.csv, scales.csv and corrections.csv say, all their problems collected."""
    problems: list[Problem] = []

    def collected(read: Callable[..., Any], name: str, **arguments: Any) -> Any:
        with gathered(problems):
            return read(folder / name, name, **arguments)

    def table(name: str, columns: tuple[str, ...], optional: tuple[str, ...] = (), *, wanted: bool = False) -> Any:
        if not wanted and not (folder / name).exists():
            return []
        return collected(read_table, name, columns=columns, optional=optional)

    study = collected(read_toml, "study.toml")
    scales = table("scales.csv", codebook.SCALE_COLUMNS)
    variables = table("codebook.csv", codebook.COLUMNS, codebook.RULE_COLUMNS, wanted=True)
    index = collected(read_toml, "index.toml")
    corrections = table("corrections.csv", CORRECTION_COLUMNS)
    return Contents(study, index, variables, scales, corrections, tuple(problems), placeholders(study))


def placeholders(study: dict[str, Any] | None) -> tuple[Problem, ...]:
    """Notices of words of the template that nobody replaced, and that would be printed."""
    path = files("evalkit").joinpath("templates", "study.toml")
    template = tomllib.loads(path.read_text(encoding="utf-8"))["study"]
    declared = (study or {}).get("study", {})
    return tuple(
        Problem("study.toml", "placeholder_left", {"found": template[key]["vi"]}, column=f"study.{key}")
        for key in ("title", "organisation")
        if declared.get(key) == template[key]
    )
