"""Texts to codes: each distinct text once, by the codebook, never by guessing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from evalkit.codebook import MISSING_KINDS, MOMENTS, Scale, Variable
from evalkit.declaration import Wave
from evalkit.encodings import fold, normal_form
from evalkit.errors import Problem, nearest
from evalkit.grid import TYPED
from evalkit.study import Study

_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_SPACED = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?")  # thousands set apart by spaces
_SERIAL = re.compile(r"\d{5}(\.\d+)?")  # a date that Excel saved as the number of its day
VIETNAM = timedelta(hours=7)
_EXCEL_ZERO = datetime(1899, 12, 30)
_DAY = re.compile(r"(\d{1,4})([-/.])(\d{1,2})\2(\d{1,4})", re.IGNORECASE)
# 8:05, 08:05:33.250, 8:05:33 SA GMT+7; SA and CH are the Vietnamese AM and PM.
_CLOCK = re.compile(
    r"(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?(?: ?(sa|ch|am|pm))?(?: ?(?:z|(?:gmt|utc)?[+-]\d{1,2}(?::?\d{2})?))?"
)
LONGEST = 1e7  # from eight digits on, a number out of bounds may be somebody's
UNREAD = "[?]"  # stands in the mapping for texts that are no answers
ROLES = ("unit", "respondent", "interviewer", "cluster", "stratum")
OUTSIDE = ("number_outside", "code_outside", "date_outside")  # what a rule of the codebook may blank
_NUMBERED = {"respondent": ("R{:04d}", "respondent_missing"), "interviewer": ("I{:02d}", "interviewer_missing")}
_NOT_A_MOMENT = {"date": "date_unknown", "time": "time_unknown"}


class Coder:
    """Texts to codes, once per distinct text; remembers what it mapped and what it could not."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.roles = study.declared.design
        self.unit_names = [name for unit in study.declared.units for name in unit.spellings]
        self.people: dict[str, dict[str, str]] = {}
        self.notices: list[Problem] = []
        self._units = {wave.code: _units_on(study, wave) for wave in study.declared.waves}
        self._mapped: dict[tuple[str, str], list[Any]] = {}
        self._problems: dict[tuple[str, str], Problem] = {}
        # Key variables and the role by which each is coded: a unit that is also the cluster counts as unit.
        self.keys = {getattr(self.roles, role): role for role in reversed(ROLES) if getattr(self.roles, role)}
        skipped = ("key", "text", "identifier", "ignore")
        self.items = [v for v in study.codebook.values() if v.type not in skipped and v.name != self.roles.weight]

    def code(self, raw: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """All waves coded, one below the other, and the missing kind of every empty cell."""
        for role, (style, _) in _NUMBERED.items():
            if variable := getattr(self.roles, role):
                corrected = self.study.corrections["variable"] == variable
                found = {text for frame in raw.values() for text in frame[variable].cat.categories}
                found |= set(self.study.corrections.loc[corrected, "new_value"])
                folded = sorted({fold(text) for text in found} - {""})
                self.people[role] = {key: style.format(number) for number, key in enumerate(folded, start=1)}
        parts = [self._code_wave(raw[wave.code], wave) for wave in self.study.declared.waves]
        return pd.concat([part[0] for part in parts]), pd.concat([part[1] for part in parts])

    def _code_wave(self, raw: pd.DataFrame, wave: Wave) -> tuple[pd.DataFrame, pd.DataFrame]:
        row_ids = pd.Index([f"{wave.code}-{line}" for line in raw.index], name="row_id", dtype="str")
        raw = raw.set_axis(row_ids)
        coded = {"row_id": row_ids.to_series(), "wave": pd.Series(wave.code, row_ids, dtype="str")}
        for role in ROLES:
            variable = getattr(self.roles, role)
            if variable:
                coded[role] = self._code_key(raw[variable], self.keys[variable], variable, wave)
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

    def columns_of(self, variable: str) -> list[str]:
        """The columns that a key variable fills; without villages each respondent is a cluster."""
        filled = [role for role in ROLES if getattr(self.roles, role) == variable]
        return filled + (["cluster"] if "respondent" in filled and not self.roles.cluster else [])

    def key(self, role: str, text: str, wave: Wave) -> tuple[str | None, str, dict]:
        """The code of a key variable's text, None with the problem's key and values where it has none.

        The name of a cluster or stratum is folded; «ấp 1» exists in every commune, so it counts within its unit.
        """
        if role == "unit":
            key = "unit_unknown" if fold(text) else "unit_missing"
            return self._units[wave.code].get(fold(text)), key, {"expected": nearest(text, self.unit_names)}
        if role in self.people:
            return self.people[role].get(fold(text)), _NUMBERED[role][1], {}
        return fold(text) or None, "text_wanted", {}

    def _code_key(self, texts: pd.Series, role: str, name: str, wave: Wave) -> pd.Series:
        found = [self.key(role, text, wave) for text in texts.cat.categories]
        for at, (code, key, values) in enumerate(found):
            if code:
                continue
            shown = "" if role in self.people else normal_form(texts.cat.categories[at])
            if role == "interviewer":
                continue
            for row in texts.index[texts.cat.codes == at]:
                told = values | {"found": shown, "row": row, "variable": name}
                column = self.study.codebook[name].column
                self._problems[row, name] = wave.problem(key, told, line_of(row), column)
        codes = pd.Series([code for code, _, _ in found], dtype="str")
        return codes.take(texts.cat.codes).set_axis(texts.index)

    def _code_cells(self, raw: pd.DataFrame, variable: Variable, wave: Wave) -> tuple[pd.Series, pd.Series]:
        texts = raw[variable.name]
        at = texts.cat.codes.to_numpy()
        counts = np.bincount(at, minlength=len(texts.cat.categories))
        found = [code_text(text, variable, wave) for text in texts.cat.categories]
        for number, (text, (code, _, key, values)) in enumerate(zip(texts.cat.categories, found, strict=True)):
            if variable.type == "scale" or key:
                # What is no answer may be a name: it is counted, not shown.
                shown = normal_form(text) if not key or (key in OUTSIDE and pd.notna(code)) else UNREAD
                row = self._mapped.setdefault((variable.name, shown), [code, 0])
                row[1] += int(counts[number])
            if key:
                values = {"found": normal_form(text), "label": variable.labels, **values}
                for row_id in texts.index[at == number]:
                    values = values | {"row": row_id, "variable": variable.name}
                    place = (line_of(row_id), variable.column)
                    self._problems[row_id, variable.name] = wave.problem(key, values, *place)
        if variable.type in MOMENTS:
            self._announce_dates(texts.cat.categories, counts, variable, wave)
        dtype = "datetime64[s]" if variable.type in MOMENTS else float
        codes = pd.Series([code for code, _, _, _ in found], dtype=dtype).to_numpy()
        kinds = np.array([MISSING_KINDS.index(kind) if kind else -1 for _, kind, _, _ in found], dtype=np.int8)
        kind = pd.Categorical.from_codes(kinds[at], categories=list(MISSING_KINDS))
        return pd.Series(codes[at], texts.index), pd.Series(kind, texts.index)

    def _announce_dates(self, texts: pd.Index, counts: np.ndarray, variable: Variable, wave: Wave) -> None:
        """Say so where dates are Excel's day numbers, or could all as well be month first."""
        serial = sum(int(count) for text, count in zip(texts, counts, strict=True) if _SERIAL.fullmatch(text.strip()))
        if serial:
            self.notices.append(wave.problem("date_serial", {"count": serial}, column=variable.column))
        if wave.dates:
            return
        unsure = 0
        swapped = wave.model_copy(update={"dates": "mdy"})
        for text, count in zip(texts, counts, strict=True):
            value, _, problem, _ = code_text(text, variable, wave)
            other, _, wrong, _ = code_text(text, variable, swapped)
            if wrong and not problem:
                return
            unsure += int(count) * (not problem and pd.notna(value) and value != other)
        if unsure:
            self.notices.append(wave.problem("date_ambiguous", {"count": unsure}, column=variable.column))

    def open_problems(self, log: pd.DataFrame, strange: Mapping[str, Problem]) -> list[Problem]:
        """What could not be coded and no correction decided; of `strange` rows only what is strange about them."""
        dropped = set(log.loc[log["action"] == "drop_row", "row_id"])
        decided = set(self.study.corrections[["row_id", "variable"]].itertuples(index=False, name=None))
        whole_rows = self._keyless(decided) | dict(strange)
        blanked = {v.name for v in self.items if v.otherwise == "blank" and (v.type not in MOMENTS or v.bounded)}
        open_ones = [
            problem
            for (row, variable), problem in self._problems.items()
            if row not in dropped
            and (row, variable) not in decided
            and row not in whole_rows
            and not (variable in blanked and problem.key in OUTSIDE)
        ]
        open_ones += [problem for row, problem in whole_rows.items() if row not in dropped]
        files = [wave.file for wave in self.study.declared.waves]
        return sorted(open_ones, key=lambda problem: (files.index(problem.file), problem.line or 0))

    def _keyless(self, decided: set[tuple[str, str]]) -> dict[str, Problem]:
        """Rows without unit and without any other key: totals, signatures; one problem each."""
        found = {}
        for row, variable in self._problems:
            keys = [key for key, role in self.keys.items() if role != "interviewer"]
            if any((row, key) in decided for key in keys):
                continue
            keyless = len(keys) > 1 and all((row, key) in self._problems for key in keys)
            if variable == self.roles.unit and keyless:
                unit = self._problems[row, variable]
                found[row] = Problem(unit.file, "row_without_keys", {"row": row}, unit.line, sheet=unit.sheet)
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


def _units_on(study: Study, wave: Wave) -> dict[str, str]:
    """The unit of each folded spelling in a wave; where two units bore one name in turn, the one of those days."""
    found: dict[str, str] = {}
    for current in (False, True):
        for unit in study.declared.units:
            for name in unit.names:
                if current == (name.valid_from <= wave.field_end and wave.field_start <= name.valid_to):
                    spellings = (unit.code, name.vi, name.en, name.official_code or unit.code)
                    found |= {fold(spelling): unit.code for spelling in spellings}
    return found


def line_of(row_id: str) -> int:
    """The line in the raw file that a `row_id` names."""
    return int(row_id.rpartition("-")[2])


def code_text(text: str, variable: Variable, wave: Wave) -> tuple[Any, str | None, str | None, dict]:
    """One cell's text as code, missing kind, and the problem's key and values where it is neither."""
    if not normal_form(text):
        return (pd.NaT if variable.type in MOMENTS else np.nan), "blank", None, {}
    if variable.type in MOMENTS:
        return _code_moment(normal_form(text), variable, wave)
    if variable.scale is not None:
        spellings = variable.scale.spellings
        answer = spellings.get(fold(text)) or spellings.get(fold(text).replace(",", "."))
        if answer is not None:
            return (np.nan, answer.missing, None, {}) if answer.missing else (answer.code, None, None, {})
        value = _parse_number(text, wave.decimal)
        known = [answer for answer in variable.scale.answers if answer.code == value]
        if known:
            return (np.nan, known[0].missing, None, {}) if known[0].missing else (value, None, None, {})
        if isinstance(value, float):
            codes = ", ".join(f"{known.code:g}" for known in variable.scale.answers)
            return *_held(value), "code_outside", {"expected": codes}
        return np.nan, "blank", "answer_unknown", {"expected": _proposal(text, variable.scale)}
    if fold(text) in variable.missing:
        return np.nan, variable.missing[fold(text)], None, {}
    value = _parse_number(text, wave.decimal)
    if not isinstance(value, float):
        return np.nan, "blank", "cell_not_a_number" if value == "not_a_number" else value, {}
    if f"{value:.15g}" in variable.missing:
        return np.nan, variable.missing[f"{value:.15g}"], None, {}
    low, high = variable.minimum, variable.maximum
    if (low is not None and value < low) or (high is not None and value > high):  # type: ignore[operator]
        return *_held(value), "number_outside", {"expected": f"{_bound(low)}–{_bound(high)}"}
    return value, None, None, {}


def _held(value: float) -> tuple[float, str | None]:
    """A value that is out of bounds, and its missing kind; one that may be a telephone or card number is not held."""
    return (np.nan, "blank") if abs(value) >= LONGEST else (value, None)


def _proposal(text: str, scale: Scale) -> dict[str, str]:
    """The answer most like a text, with its code, in both languages; it is proposed, never taken."""
    words = {word: answer.code for answer in scale.answers for word in answer.words}
    found = nearest(text, words)
    code = f" → {words[found]:g}?" if found in words else ""
    return {"vi": f"«{found}»{code}", "en": f'"{found}"{code}'}


def _bound(value: Any) -> str:
    return "…" if value is None else f"{value:%d/%m/%Y}" if isinstance(value, date) else f"{value:g}"


def _parse_number(text: str, decimal: str | None) -> float | str:
    """A number in Vietnamese or English style, or the key of what is wrong with it.

    «12,5» and «12.5» are both twelve and a half, «82,66%» is 82.66, «1.234,5» is over a thousand; «1.234» alone
    could be either, so it is refused unless the wave declares its decimal sign or the cell held a number.
    """
    if TYPED in text:
        decimal = "," if "," in text else "."
    digits = normal_form(text).removesuffix("%").rstrip()
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


def _code_moment(text: str, variable: Variable, wave: Wave) -> tuple[Any, str | None, str | None, dict]:
    """A date, of a time stamp its day; or for type `time` a moment, by the clock of the place.

    Without bounds of its own it must lie in the wave's days in the field.
    """
    low, high = variable.minimum, variable.maximum
    if not variable.bounded:
        low, high = wave.field_start, wave.field_end
    expected = {"expected": f"{_bound(low)}–{_bound(high)}"}
    if _SERIAL.fullmatch(text):
        value = _EXCEL_ZERO + timedelta(days=float(text))
        return _bounded_moment(value if variable.type == "time" else datetime(*value.timetuple()[:3]), low, high)
    written = re.sub(r"(?<=\d)t(?=\d)", " ", text.lower().removeprefix("ngày "), count=1)
    head, _, clock = written.partition(" ")
    day = _DAY.fullmatch(head)
    hours = _CLOCK.fullmatch(clock)
    if not day or (clock and not hours) or (variable.type == "time" and not hours):
        return pd.NaT, "blank", _NOT_A_MOMENT[variable.type], expected
    first, second, third = int(day[1]), int(day[3]), int(day[4])
    year, month, number = (first, second, third) if len(day[1]) == 4 else (third, second, first)
    if len(day[1]) < 3 and wave.dates == "mdy":
        month, number = number, month
    try:
        value = datetime(year if len(day[1]) == 4 or len(day[4]) == 4 else 0, month, number)
    except ValueError:
        swapped = len(day[1]) < 3 and second > 12 and not wave.dates
        return pd.NaT, "blank", "date_month_first" if swapped else _NOT_A_MOMENT[variable.type], expected
    if hours and variable.type == "time":
        hour, most = int(hours[1]), 12 if hours[4] else 23
        if hour > most or int(hours[2]) > 59 or int(hours[3] or 0) > 59:
            return pd.NaT, "blank", "time_unknown", expected
        hour = hour % 12 + 12 * (hours[4] in ("ch", "pm")) if hours[4] else hour
        value = value.replace(hour=hour, minute=int(hours[2]), second=int(hours[3] or 0))
        if clock.endswith("z"):  # ISO's sign for UTC; with an offset the clock is already that of the place
            value += VIETNAM
    return _bounded_moment(value, low, high)


def _bounded_moment(value: datetime, low: Any, high: Any) -> tuple[Any, str | None, str | None, dict]:
    inside = (low is None or low <= value.date()) and (high is None or value.date() <= high)
    expected = {"expected": f"{_bound(low)}–{_bound(high)}"}
    return pd.Timestamp(value).as_unit("s"), None, None if inside else "date_outside", expected
