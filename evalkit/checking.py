"""What is wrong with a study folder: everything at once, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evalkit.cleaning import Survey, clean
from evalkit.errors import DataError, Problem, raise_any
from evalkit.parts import read_parts
from evalkit.reading import read
from evalkit.study import Study, open_study


def check(folder: str | Path, *, allow_outside: bool = False) -> tuple[Study, Survey]:
    """Open, read and clean a study and read its parts, without analysing it.

    Raises DataError with every problem of the declarations; where these are sound, every problem of the raw
    files' columns; where these are sound, every problem of single answers. Beside these stand the problems of the
    parts.

        study, survey = ek.check("data/nga-bay")
    """
    study = open_study(folder, allow_outside=allow_outside)
    problems: list[Problem] = []
    survey, parts = None, {}
    try:
        survey = clean(read(study), study)
    except DataError as error:
        problems += error.problems
    try:
        parts = read_parts(study)
    except DataError as error:
        problems += error.problems
    raise_any(problems)
    assert survey is not None
    notices = [notice for part in parts.values() for notice in getattr(part, "notices", ())]
    return study, replace(survey, notices=(*survey.notices, *notices))
