"""A student's own pilot: the demonstration pilot, drawn anew by her code."""

from __future__ import annotations

import re
import runpy
import shutil
import tempfile
from hashlib import sha256
from itertools import count
from pathlib import Path

import pandas as pd

from evalkit.exercises import UNCHANGED
from evalkit.language import Language
from evalkit.simulation import Pilot

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
NEAR_NOTHING, VISIBLE = 1.5, 3.0  # points, as the shocks of `data/nga-bay` leave them
APART = 0.35  # points
_DECLARED = ("index.toml", "codebook.csv", "scales.csv")


def make(code: str, folder: Path, language: Language) -> None:
    """Write a study folder with a student's simulated pilot: declarations, raw files and corrections, no truth.

    code: of the student; the same code gives the same files. folder: a new one; it appears when all is written.
    language: of the study. Units, questions and effects are those of `data/nga-bay`; persons, villages, chance and
    the faults in the files are her own.

        make("SV01", Path("du-lieu_SV01"), "vi")
    """
    simulator = runpy.run_path(str(EXAMPLE / "simulate.py"))
    drawn = ((seed, simulator["draw"](seed)) for seed in count(seed_of(code)))
    seed, pilot = next((seed, pilot) for seed, pilot in drawn if telling(pilot))
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as beside:
        target = Path(beside) / folder.name
        simulator["write_survey"](pilot, target, seed)
        for name in _DECLARED:
            shutil.copyfile(EXAMPLE / name, target / name)
        declared = (EXAMPLE / "study.toml").read_text("utf-8")
        spoken = re.sub(r"^language = .*$", f'language = "{language}"', declared, count=1, flags=re.MULTILINE)
        (target / "study.toml").write_text(spoken, encoding="utf-8", newline="\n")
        target.replace(folder)


def seed_of(code: str) -> int:
    """The seed of a student's code.

    >>> seed_of("SV01") == seed_of("sv01") != seed_of("SV02")
    True
    """
    return int(sha256(code.upper().encode()).hexdigest()[:8], 16)


def telling(pilot: Pilot) -> bool:
    """Whether chance left the pilot's effects to be seen, none where there is none, and mistakes that differ.

    So that no typical mistake of lesson 1 comes near its right answer, in the forms as drawn the neighbours changed,
    stood apart from the pilot communes before, one rose more than the next, and the group without an effect still
    differs a little by chance.
    """
    realised = pilot.truth.set_index("indicator")["realised"]
    if abs(realised[UNCHANGED]) > NEAR_NOTHING or (realised.drop(UNCHANGED) <= VISIBLE).any():
        return False
    arms = pilot.unit_truth.groupby("unit")["arm"].first()
    satisfied, care = _levels(pilot, "q7"), _levels(pilot, "q6")
    before = satisfied["before"].groupby(arms).mean()
    neighbours = (satisfied["after"] - satisfied["before"])[arms == "comparison"]
    cared = (care["after"] - care["before"]).groupby(arms).mean()
    gaps = (
        neighbours.mean(),
        before.diff().iloc[-1],
        neighbours.nlargest(2).diff().iloc[-1] / 2,
        cared.diff().iloc[-1],
    )
    return all(abs(gap) >= APART for gap in gaps)


def _levels(pilot: Pilot, items: str) -> pd.DataFrame:
    """Mean score of every commune in the questions that begin so: unit by wave, 0–100."""
    codes = pilot.answers.filter(regex=f"^{items}")
    score = 25 * (codes.where(codes <= 5).mean(axis=1) - 1)
    return score.groupby([pilot.answers["unit"], pilot.answers["wave"]]).mean().unstack()
