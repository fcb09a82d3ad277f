"""Run again from raw and compare: does the report still follow from the data?"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from evalkit.cleaning import clean
from evalkit.comparison import compare
from evalkit.effects import differences, read_effects
from evalkit.errors import DataError, Problem
from evalkit.indicators import score
from evalkit.reading import read
from evalkit.study import open_study


def report_language(report: str | Path) -> str:
    """The language a report was written in, empty where it does not say."""
    try:
        return json.loads((Path(report) / "run.json").read_text(encoding="utf-8"))["language"]
    except (OSError, ValueError, KeyError):
        return ""


def verify(report: str | Path) -> tuple[pd.DataFrame, int]:
    """Compute the effects of a report folder again from the study's raw files and compare with its effects.csv.

    Returns the differences as of `effects.differences` (none where all agree) and how many effects were compared.
    Raises DataError where the folder is no report or the study is no longer sound.

        different, count = ek.verify("reports/nga-bay")
    """
    folder = Path(report)
    for name in ("run.json", "effects.csv"):
        if not (folder / name).is_file():
            raise DataError([Problem(str(report), "report_missing", {"file": name})])
    origin = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    study = open_study(folder / origin["study"], allow_outside=origin["allow_outside"])
    survey = clean(read(study), study)
    scores = score(survey.responses, study.index, study.codebook)
    again = compare(scores, study.design, study.plan, study.index)
    return differences(read_effects(folder / "effects.csv"), again), len(again)
