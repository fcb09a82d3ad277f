"""The parts of a study beside its survey: each is declared in a file of its own, and is there when that file is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from evalkit.errors import Problem, gathered, raise_any
from evalkit.study import Study

PARTS = ("context", "cases", "training", "council", "workshop", "registers")


def parts_of(study: Study) -> list[str]:
    """The parts that a study folder declares, in the order of the report; of one unit alone there are none."""
    return [] if study.only else [part for part in PARTS if (study.folder / f"{part}.toml").exists()]


def read_parts(study: Study) -> dict[str, Any]:
    """Every declared part, read and checked, by its name; see the modules of the parts for what each is.

    Raises DataError with the problems of all parts at once.

        read_parts(ek.open_study("data/nga-bay"))["council"]
    """
    problems: list[Problem] = []
    found = {}
    for part in parts_of(study):
        with gathered(problems):
            found[part] = _reader(part)(study)
    raise_any(problems)
    return found


def _reader(part: str) -> Any:
    """The function that reads a part; its module is loaded only for studies that have the part."""
    read: Callable[[Study], Any]
    if part == "context":
        from evalkit.indices import read_context as read
    elif part == "cases":
        from evalkit.cases import read_cases as read
    elif part == "training":
        from evalkit.training_files import read_training as read
    elif part == "council":
        from evalkit.council_files import read_council as read
    elif part == "workshop":
        from evalkit.workshop_files import read_workshop as read
    else:
        from evalkit.register_files import read_registers as read
    return read
