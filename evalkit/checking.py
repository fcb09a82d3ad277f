"""What is wrong with a study folder: everything at once, before anything runs."""

from __future__ import annotations

from pathlib import Path

from evalkit.cleaning import Survey, clean
from evalkit.reading import read
from evalkit.study import Study, open_study


def check(folder: str | Path, *, allow_outside: bool = False) -> tuple[Study, Survey]:
    """Open, read and clean a study without analysing it.

    Raises DataError with every problem of the declarations; where these are sound, every problem of the raw
    files' columns; where these are sound, every problem of single answers.

        study, survey = ek.check("data/nga-bay")
    """
    study = open_study(folder, allow_outside=allow_outside)
    return study, clean(read(study), study)
