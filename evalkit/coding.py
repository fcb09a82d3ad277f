"""Texts to codes: each distinct text once, by the codebook, never by guessing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from evalkit.codebook import Variable
from evalkit.declaration import Wave
from evalkit.encodings import fold, normal_form
from evalkit.errors import Problem, nearest
from evalkit.study import Study

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_TIME = re.compile(r"\d \d{1,2}:\d{2}(:\d{2})?\s*$")  # a form's time stamp; the day counts
_SPACED = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?")  # thousands set apart by spaces


class Coder:
    """Texts to codes, once per distinct text; remembers what it mapped and what it could not."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.roles = study.declared.design
        self.units = {fold(name): unit.code for unit in study.declared.units for name in unit.spellings}
        self.unit_names = [name for unit in study.declared.units for name in unit.spellings]
        self.respondents: dict[str, str] = {}
        self._mapped: dict[tuple[str, str], list[Any]] = {}
        self._problems: dict[tuple[str, str], Problem] = {}
        # Key variables: the column that each becomes, and how its text is coded.
        self.keys: dict[str, tuple[str, Callable[[str], tuple[Any, str, dict]]]] = {}
        for role, lookup in (("cluster", self.name), ("stratum", self.name), ("respondent", self.respondent)):
            if getattr(self.roles, role):
                self.keys[getattr(self.roles, role)] = (role, lookup)
        self.keys[self.roles.unit] = ("unit", self.unit)
        skipped = ("key", "text", "identifier", "ignore")
        self.items = [v for v in study.codebook.values() if v.type not in skipped and v.name != self.roles.weight]

    def code(self, raw: dict[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All waves coded, one below the other, and the missing kind of every empty cell."""
        if self.roles.respondent:
            corrected = self.study.corrections["variable"] == self.roles.respondent
            found = [frame[self.roles.respondent] for frame in raw.values()]
            found.append(self.study.corrections.loc[corrected, "new_value"])
            folded = sorted({fold(key) for key in pd.concat(found)} - {""})
            self.respondents = {key: f"R{number:04d}" for number, key in enumerate(folded, start=1)}
        parts = [self._code_wave(raw[wave.code], wave) for wave in self.study.declared.waves]
        return pd.concat([part[0] for part in parts]), pd.concat([part[1] for part in parts])

    def _code_wave(self, raw: pd.DataFrame, wave: Wave) -> tuple[pd.DataFrame, pd.DataFrame]:
        row_ids = pd.Index([f"{wave.code}-{line}" for line in raw.index], name="row_id")
        raw = raw.set_axis(row_ids)
        coded = {"row_id": row_ids.to_series(), "wave": pd.Series(wave.code, row_ids)}
        for role in ("unit", "respondent", "cluster", "stratum"):
            variable = getattr(self.roles, role)
            if variable:
                coded[role] = self._code_key(raw, variable, wave)
            elif role == "cluster":
                coded[role] = coded["respondent" if self.roles.respondent else "row_id"]
            elif role == "stratum":
                coded[role] = pd.Series("1", row_ids, dtype="str")
        kinds = {}
        weight = self.study.codebook[self.roles.weight] if self.roles.weight else None
        coded["weight"] = self._code_cells(raw, weight, wave)[0] if weight else pd.Series(1.0, row_ids)
        for variable in self.items:
            coded[variable.name], kinds[variable.name] = self._code_cells(raw, variable, wave)
        return pd.DataFrame(coded), pd.DataFrame(kinds, index=row_ids)

    def unit(self, text: str) -> tuple[Any, str, dict]:
        """A unit's code from its code or any of its names."""
        return self.units.get(fold(text)), "unit_unknown", {"expected": nearest(text, self.unit_names)}

    def respondent(self, text: str) -> tuple[Any, str, dict]:
        """A respondent's number."""
        return self.respondents.get(fold(text)), "respondent_missing", {}

    def name(self, text: str) -> tuple[Any, str, dict]:
        """The name of a cluster or stratum, folded; «ấp 1» exists in every commune, so it counts within its unit."""
        return fold(text), "text_wanted", {}

    def _code_key(self, raw: pd.DataFrame, name: str, wave: Wave) -> pd.Series:
        coded = {}
        variable = self.study.codebook[name]
        for row, text in raw[name].items():
            code, key, values = self.keys[name][1](text)
            coded[row] = code or None
            if not code:
                shown = "" if name == self.roles.respondent else normal_form(text)
                self._problems[row, name] = Problem(
                    wave.file, key, {"found": shown, **values}, int(row.rpartition("-")[2]), variable.column
                )
        return pd.Series(coded, dtype="str")

    def _code_cells(self, raw: pd.DataFrame, variable: Variable, wave: Wave) -> tuple[pd.Series, pd.Series]:
        texts = raw[variable.name]
        codes, kinds = {}, {}
        for text, count in texts.value_counts(sort=False).items():
            code, kind, key, values = code_text(text, variable, wave)
            codes[text], kinds[text] = code, kind
            if variable.type == "scale" or key:
                row = self._mapped.setdefault((variable.name, normal_form(text)), [code, 0])
                row[1] += count
            if key:
                for row_id in texts.index[texts == text]:
                    values = {"found": normal_form(text), "label": variable.labels, **values}
                    values |= {"row": row_id, "variable": variable.name}
                    line = int(row_id.rpartition("-")[2])
                    self._problems[row_id, variable.name] = Problem(wave.file, key, values, line, variable.column)
        dtype = "datetime64[s]" if variable.type == "date" else float
        return texts.map(codes).astype(dtype), texts.map(kinds).astype(object)

    def open_problems(self, log: pd.DataFrame) -> list[Problem]:
        """What could not be coded and no correction decided."""
        dropped = set(log.loc[log["action"] == "drop_row", "row_id"])
        decided = set(self.study.corrections[["row_id", "variable"]].itertuples(index=False, name=None))
        keyless = self._keyless()
        open_ones = [
            problem
            for (row, variable), problem in self._problems.items()
            if row not in dropped and (row, variable) not in decided and row not in keyless
        ]
        open_ones += [problem for row, problem in keyless.items() if row not in dropped]
        files = [wave.file for wave in self.study.declared.waves]
        return sorted(open_ones, key=lambda problem: (files.index(problem.file), problem.line or 0))

    def _keyless(self) -> dict[str, Problem]:
        """Rows without unit and without any other key: totals, signatures; one problem each."""
        found = {}
        for row, variable in self._problems:
            keyless = len(self.keys) > 1 and all((row, key) in self._problems for key in self.keys)
            if variable == self.roles.unit and keyless:
                unit = self._problems[row, variable]
                found[row] = Problem(unit.file, "row_without_keys", {"row": row}, unit.line)
        return found

    def unread(self, row: str, variable: str) -> str | None:
        """The folded text of a cell that could not be coded, None for others."""
        problem = self._problems.get((row, variable))
        return fold(problem.values["found"]) if problem else None

    def mapping(self) -> pd.DataFrame:
        """variable, text, code, count: in the codebook's order, most frequent text first."""
        rows = [(variable, text, code, count) for (variable, text), (code, count) in self._mapped.items()]
        frame = pd.DataFrame(rows, columns=["variable", "text", "code", "count"])
        order = {variable.name: at for at, variable in enumerate(self.items)}
        frame["at"] = frame["variable"].map(order)
        frame = frame.sort_values(["at", "count", "text"], ascending=[True, False, True], ignore_index=True)
        return frame.drop(columns="at")


def code_text(text: str, variable: Variable, wave: Wave) -> tuple[Any, str | None, str | None, dict]:
    """One cell's text as code, missing kind, and the problem's key and values where it is neither."""
    if not normal_form(text):
        return np.nan, "blank", None, {}
    if variable.type == "date":
        return _code_date(text, wave)
    if variable.scale is not None:
        spellings = variable.scale.spellings
        answer = spellings.get(fold(text)) or spellings.get(fold(text).replace(",", "."))
        if answer is not None:
            return (np.nan, answer.missing, None, {}) if answer.missing else (answer.code, None, None, {})
        value = _parse_number(text, wave.decimal)
        if isinstance(value, float):
            codes = ", ".join(f"{known.code:g}" for known in variable.scale.answers)
            return value, None, "code_outside", {"expected": codes}
        words = [word for known in variable.scale.answers for word in known.words]
        return np.nan, "blank", "answer_unknown", {"expected": nearest(text, words)}
    value = _parse_number(text, wave.decimal)
    if not isinstance(value, float):
        return np.nan, "blank", value, {}
    low, high = variable.minimum, variable.maximum
    if (low is not None and value < low) or (high is not None and value > high):
        return value, None, "number_outside", {"expected": f"{_bound(low)}–{_bound(high)}"}
    return value, None, None, {}


def _bound(value: float | None) -> str:
    return "…" if value is None else f"{value:g}"


def _parse_number(text: str, decimal: str | None) -> float | str:
    """A number in Vietnamese or English style, or the key of what is wrong with it.

    «12,5» and «12.5» are both twelve and a half, «1.234,5» is over a thousand; «1.234» alone could be either, so
    it is refused unless the wave declares its decimal sign.
    """
    digits = normal_form(text)
    if _SPACED.fullmatch(digits):
        digits = digits.replace(" ", "")
    if not _NUMBER.fullmatch(digits):
        return "not_a_number"
    signs = [sign for sign in digits if sign in ",."]
    if not signs:
        return float(digits)
    point = decimal or signs[-1]
    if decimal is None and len(set(signs)) == 1:
        if len(signs) > 1:
            point = ""
        elif re.fullmatch(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", digits):
            return "number_ambiguous"
    if point and digits.count(point) > 1:
        return "not_a_number"
    whole, _, fraction = digits.partition(point) if point else (digits, "", "")
    groups = re.split("[.,]", whole.lstrip("+-"))
    if len(groups) > 1 and (len(groups[0]) > 3 or any(len(group) != 3 for group in groups[1:])):
        return "not_a_number"
    if not fraction.isdigit() and fraction:
        return "not_a_number"
    return float(f"{whole.replace('.', '').replace(',', '')}.{fraction or 0}")


def _code_date(text: str, wave: Wave) -> tuple[Any, str | None, str | None, dict]:
    expected = {"expected": f"{wave.field_start:%d/%m/%Y}–{wave.field_end:%d/%m/%Y}"}
    day = normal_form(text).partition(" ")[0] if _TIME.search(text) else normal_form(text)
    for style in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            value = datetime.strptime(day, style)
        except ValueError:
            continue
        inside = wave.field_start <= value.date() <= wave.field_end
        return pd.Timestamp(value), None, None if inside else "date_outside", expected
    return pd.NaT, "blank", "date_unknown", expected
