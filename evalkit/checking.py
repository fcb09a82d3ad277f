"""What is wrong with a study folder: everything at once, before anything runs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.errors import Problem, gathered, raise_any
from evalkit.freezing import plan_notices
from evalkit.indicators import score
from evalkit.parts import read_parts
from evalkit.reading import read
from evalkit.response import read_response, submitted_ledger
from evalkit.study import Study, open_study
from evalkit.team_numbers import bind
from evalkit.team_text import read_team_text


def check(folder: str | Path, *, allow_outside: bool = False) -> tuple[Study, Survey]:
    """Open, read and clean a study and read its parts; analysed only for what the team's own text takes from it.

    Raises DataError with every problem of the declarations; where these are sound, every problem of the raw
    files' columns; where these are sound, every problem of single answers. Beside these stand the problems of the
    parts. Where there are none, those of the team's text: names of values that there are not, typed numbers that
    look like a result and are another.

        study, survey = ek.check("data/nga-bay")
    """
    study = open_study(folder, allow_outside=allow_outside)
    problems: list[Problem] = []
    survey = None
    found: list[Any] = []
    with gathered(problems):
        survey = clean(read(study), study)
    for read_more in (read_parts, _response, partial(read_team_text, language=study.language)):
        with gathered(problems):
            found.append(read_more(study))
    raise_any(problems)
    assert survey is not None
    parts, _, team = found
    if team.sections and not any(notice.key == "period_missing" for notice in study.notices):
        scores = score(survey.responses, study.index, study.codebook, keep=study.design.composition)
        team = bind(team, compare(scores, study.design, study.plan, study.index), study, study.language)
    notices = [notice for part in (*parts.values(), team) for notice in getattr(part, "notices", ())]
    return study, replace(survey, notices=(*survey.notices, *notices, *plan_notices(study)))


def _response(study: Study) -> None:
    read_response(study)
    submitted_ledger(study)
