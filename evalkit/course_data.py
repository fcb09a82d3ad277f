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

from evalkit.language import Language

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
UNCHANGED = "cham_lo"  # the indicator on which the simulated model has no effect
NEAR_NOTHING, VISIBLE = 1.5, 3.0  # points, as the shocks of `data/nga-bay` leave them
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
    seed, pilot = next((seed, pilot) for seed, pilot in drawn if telling(pilot.truth))
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


def telling(truth: pd.DataFrame) -> bool:
    """Whether chance left the pilot's effects to be seen, and none to be seen where there is none.

    truth: `simulation.Pilot.truth`.
    """
    realised = truth.set_index("indicator")["realised"]
    return bool(abs(realised[UNCHANGED]) <= NEAR_NOTHING and (realised.drop(UNCHANGED) > VISIBLE).all())
