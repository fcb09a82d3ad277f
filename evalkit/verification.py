"""Run again from raw and compare: does the report still follow from the data?"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.effects import differences, read_effects
from evalkit.errors import DataError, Problem
from evalkit.indicators import score
from evalkit.parts import read_parts
from evalkit.reading import read
from evalkit.reliability_effects import reliability_effects
from evalkit.robustness import specifications
from evalkit.study import Study, open_study


def report_language(report: str | Path) -> str:
    """The language a report was written in, empty where it does not say."""
    try:
        return json.loads((Path(report) / "run.json").read_text(encoding="utf-8"))["language"]
    except (OSError, ValueError, KeyError):
        return ""


def verify(report: str | Path) -> tuple[pd.DataFrame, int]:
    """Compute the effects of a report folder again from the study's raw files and compare with its effects.csv and
    specifications.csv.

    Returns the differences as of `effects.differences`, with the `file` they are in (none where all agree), and how
    many effects were compared.
    Raises DataError where the folder is no report or the study is no longer sound.

        different, count = ek.verify("reports/nga-bay")
    """
    folder = Path(report)
    for name in ("run.json", "effects.csv", "specifications.csv", "reliability.csv"):
        if not (folder / name).is_file():
            raise DataError([Problem(str(report), "report_missing", {"file": name})])
    origin = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    study = open_study(folder / origin["study"], allow_outside=origin["allow_outside"])
    survey = clean(read(study), study)
    scores = score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = compare(scores, study.design, study.plan, study.index)
    again = {"effects.csv": effects, "specifications.csv": specifications(survey, study)} | _others(survey, study)
    different = [differences(_saved(folder / name), table).assign(file=name) for name, table in again.items()]
    return pd.concat(different, ignore_index=True), sum(map(len, again.values()))


def _others(survey: Survey, study: Study) -> dict[str, pd.DataFrame]:
    """The tables of effects beside the survey's own, by file."""
    level, parts = study.plan.confidence_level, read_parts(study)
    found = {
        "reliability.csv": reliability_effects(
            survey.responses, study.design, study.index, study.codebook, level=level
        )
    }
    if "cases" in parts and parts["cases"].declared.launch:
        from evalkit.case_series import launch_effects

        found["case_effects.csv"] = launch_effects(parts["cases"], study)
    if "training" in parts:
        from evalkit.training import training_effects

        found["training_effects.csv"] = training_effects(parts["training"], level=level)
    if "workshop" in parts:
        from evalkit.workshops import agreement

        if len(rows := agreement(parts["workshop"], confidence=level)):
            found["workshop_agreement.csv"] = rows
    if "registers" in parts:
        from evalkit.registers import register_effects

        found["register_effects.csv"] = register_effects(parts["registers"], study)
    return found


def _saved(path: Path) -> pd.DataFrame:
    try:
        return read_effects(path)
    except ValueError:
        raise DataError([Problem(path.name, "effects_unreadable")]) from None
