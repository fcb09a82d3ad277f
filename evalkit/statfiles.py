"""SPSS and Stata files: the cases as text, and what the file says about its variables.

The C library behind pyreadstat can crash on a damaged file, so the file is parsed in a process of its own: what ends
that process is an error of the file, not the end of the session.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import DataError, Problem
from evalkit.grid import Grid, file_start

MOST_SECONDS = 600
_OLD_STATA = (104, 105, 108, 110, 111, 113, 114, 115)


@dataclass(frozen=True)
class StatVariable:
    """What the file says about one variable.

    type: `number`, `date`, `time` (a day with a time of day) or `text`. value_labels: code, as text, to label.
    missing_codes: single codes that the file declares missing (`99`, Stata's `.a`). missing_ranges: lowest and
    highest of a range of such codes.
    """

    name: str
    label: str
    type: str
    value_labels: Mapping[str, str]
    missing_codes: tuple[str, ...]
    missing_ranges: tuple[tuple[float, float], ...]


def is_statfile(start: bytes) -> str | None:
    """`sav`, `zsav` or `dta` from the first bytes of a file, whatever its ending; None for other files.

    >>> is_statfile(b"$FL2@(#) SPSS DATA FILE"), is_statfile(b"<stata_dta><header>"), is_statfile(b"q1;q2")
    ('sav', 'dta', None)
    """
    if start.startswith(b"<stata_dta>"):
        return "dta"
    if len(start) > 2 and start[0] in _OLD_STATA and start[1] in (1, 2) and start[2] == 1:
        return "dta"
    return {b"$FL2": "sav", b"$FL3": "zsav"}.get(start[:4])


def read_statfile(path: Path, name: str, *, encoding: str | None = None) -> Grid:
    """The cases of an SPSS (.sav, .zsav) or Stata (.dta) file; its first row holds the names of the variables.

    Cells are the codes as text, not their labels: `4`, `2026-11-02`, `2026-11-02 10:30:00`; "" where the system
    has no value, codes declared missing as they stand (`99`, `.a`). The line is the number of the case plus 1.
    `name` is how errors call the file. `encoding` is `tcvn3`, `vni` or the name of a Python codec, for a file that
    declares no encoding or a wrong one. Raises DataError where the file is missing, damaged, too large, of another
    format, or its texts do not fit the encoding. Damage that leaves a valid file, a code changed into another code,
    cannot be seen.

        grid = read_statfile(Path("raw/truoc.sav"), "truoc.sav")
    """
    return read_described(path, name, encoding=encoding)[0]


def read_described(path: Path, name: str, *, encoding: str | None = None) -> tuple[Grid, list[StatVariable]]:
    """The cases, and what the file says about its variables, in its own order; arguments and errors of read_statfile.

    read_described(Path("raw/truoc.sav"), "truoc.sav")[1][0].value_labels
    """
    parsed = _parse_apart(path, name, encoding)
    variables = []
    for variable in parsed["variables"]:
        missing = {"missing_codes": tuple(variable["missing_codes"])}
        missing["missing_ranges"] = tuple((low, high) for low, high in variable["missing_ranges"])
        variables.append(StatVariable(**variable | missing))
    cases = zip(*parsed["columns"], strict=True)
    header = (1, [variable.name for variable in variables])
    return Grid.of([header, *((line, list(case)) for line, case in enumerate(cases, start=2))]), variables


def _parse_apart(path: Path, name: str, encoding: str | None) -> dict[str, Any]:
    if is_statfile(file_start(path, name)) is None:
        raise DataError([Problem(name, "statfile_other_format")])
    command = [sys.executable, "-P", "-m", "evalkit.readstat", str(path.resolve()), encoding or ""]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    try:
        child = subprocess.run(command, capture_output=True, timeout=MOST_SECONDS, env=environment, check=False)
        parsed = json.loads(child.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        raise DataError([Problem(name, "statfile_damaged", {"found": "–"})]) from None
    if "key" in parsed:
        raise DataError([Problem(name, parsed["key"], parsed["values"])])
    return parsed
