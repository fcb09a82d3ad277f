"""What is wrong with a study folder: everything at once, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.cleaning import Survey, clean
from evalkit.errors import DataError, Problem, raise_any
from evalkit.freezing import plan_notices
from evalkit.parts import read_parts
from evalkit.reading import read
from evalkit.response import read_response
from evalkit.study import Study, open_study
from evalkit.team_text import read_team_text


def check(folder: str | Path, *, allow_outside: bool = False) -> tuple[Study, Survey]:
    """Open, read and clean a study and read its parts, without analysing it.

    Raises DataError with every problem of the declarations; where these are sound, every problem of the raw
    files' columns; where these are sound, every problem of single answers. Beside these stand the problems of the
    parts.

        study, survey = ek.check("data/nga-bay")
    """
    study = open_study(folder, allow_outside=allow_outside)
    problems: list[Problem] = []
    survey = None
    found: list[Any] = []
    try:
        survey = clean(read(study), study)
    except DataError as error:
        problems += error.problems
    for read_more in (read_parts, read_response, partial(read_team_text, language=study.language)):
        try:
            found.append(read_more(study))
        except DataError as error:
            problems += error.problems
    raise_any(problems)
    assert survey is not None
    parts, _, team = found
    notices = [notice for part in (*parts.values(), team) for notice in getattr(part, "notices", ())]
    return study, replace(survey, notices=(*survey.notices, *notices, *plan_notices(study)))
