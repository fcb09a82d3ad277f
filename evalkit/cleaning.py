"""Raw frames to responses: coding, decisions, and the record of both."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from evalkit.codebook import Variable
from evalkit.encodings import fold, normal_form
from evalkit.errors import Problem, nearest, raise_any
from evalkit.study import Study, Wave

LOG_COLUMNS = ("row_id", "variable", "action", "old_value", "new_value", "rule", "reason")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")
_TIME = re.compile(r"\d \d{1,2}:\d{2}(:\d{2})?\s*$")  # a form's time stamp; the day counts
_SPACED = re.compile(r"[+-]?\d{1,3}( \d{3})+([.,]\d+)?")  # thousands set apart by spaces


@dataclass(frozen=True)
class Survey:
    """A cleaned survey and the record of its cleaning.

    responses: one row a returned form that stayed: `row_id`, `wave`, `unit`, `respondent` (where the study has
        one), `cluster`, `stratum`, `weight`, then items as numeric codes, NaN for missing.
    missing: `row_id, variable, kind`, kind one of dont_know, refused, not_applicable, blank.
    mapping: `variable, text, code, count`, one row a distinct text of a coded variable.
    coded: all rows as they were coded, before any decision.
    log: `row_id, variable, action, old_value, new_value, rule, reason`, one row a change of `coded`.
    flow: `wave, unit, issued, returned, dropped, valid`, counts of forms; issued is NaN where not declared.
    identifiers: the raw columns that were dropped because they identify people.
    """

    responses: pd.DataFrame
    missing: pd.DataFrame
    mapping: pd.DataFrame
    coded: pd.DataFrame
    log: pd.DataFrame
    flow: pd.DataFrame
    identifiers: tuple[str, ...]


def clean(raw: dict[str, pd.DataFrame], study: Study) -> Survey:
    """Code the raw frames by the codebook and apply the decisions of corrections.csv.

    Raises DataError with every text that the codebook does not know, value out of range, unknown unit,
    respondent twice in a wave, weight not above zero, and correction that does not fit, each with its place.

        survey = ek.clean(ek.read(study), study)
    """
    coder = _Coder(study)
    coded, kinds = coder.code(raw)
    kept, kept_kinds, log, problems = _apply_corrections(coded, kinds, study, coder)
    problems += coder.open_problems(log)
    problems += _check_rows(kept, study, coder)
    problems += _check_counts(coded, kept, study)
    raise_any(problems)
    survey = Survey(
        responses=kept.reset_index(drop=True),
        missing=_missing(kept, kept_kinds),
        mapping=coder.mapping(),
        coded=coded.reset_index(drop=True),
        log=log,
        flow=_flow(coded, kept, study),
        identifiers=tuple(v.column for v in study.codebook.values() if v.type == "identifier"),
    )
    _hold_contracts(survey)
    return survey


def replay(coded: pd.DataFrame, log: pd.DataFrame) -> pd.DataFrame:
    """The responses that follow from the coded frame when every logged change is made again."""
    result = coded.set_index("row_id", drop=False)
    result = result.drop(index=log.loc[log["action"] == "drop_row", "row_id"])
    for change in log[log["action"] != "drop_row"].itertuples():
        result.loc[change.row_id, change.variable] = change.new_value
    return result.reset_index(drop=True)


def derive_log(coded: pd.DataFrame, responses: pd.DataFrame) -> pd.DataFrame:
    """The changes that turn `coded` into `responses`: row_id, variable, action, old_value, new_value."""
    before, after = (frame.set_index("row_id", drop=False) for frame in (coded, responses))
    dropped = before.index.difference(after.index, sort=False)
    rows = [(row, "", "drop_row", np.nan, np.nan) for row in dropped]
    common = before.drop(index=dropped)
    for variable in common.columns:
        old, new = common[variable], after[variable].reindex(common.index)
        changed = (old != new) & ~(old.isna() & new.isna())
        for row in common.index[changed]:
            rows.append((row, variable, *_change(old[row], new[row])))
    return pd.DataFrame(rows, columns=list(LOG_COLUMNS[:5]), dtype=object)


def _change(old: Any, new: Any) -> tuple[str, Any, Any]:
    """Action, old and new value as the log holds them: NaN for every kind of nothing."""
    old, new = (np.nan if pd.isna(value) else value for value in (old, new))
    return "blank" if pd.isna(new) else "set", old, new


class _Coder:
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
        spellings = variable.scale.spellings()
        answer = spellings.get(fold(text)) or spellings.get(fold(text).replace(",", "."))
        if answer is not None:
            return (np.nan, answer.missing, None, {}) if answer.missing else (answer.code, None, None, {})
        value = _parse_number(text, wave.decimal)
        words = [word for known in variable.scale.answers for word in known.words]
        codes = ", ".join(f"{known.code:g}" for known in variable.scale.answers)
        if isinstance(value, float):
            return value, None, "code_outside", {"expected": codes}
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


def _apply_corrections(
    coded: pd.DataFrame, kinds: pd.DataFrame, study: Study, coder: _Coder
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[Problem]]:
    """What is left of the coded frame and its missing kinds, the log, and decisions that do not fit."""
    kept, kinds, problems, changes = coded.copy(), kinds.copy(), [], []
    waves = {wave.code: wave for wave in study.declared.waves}
    seen: set[tuple[str, str]] = set()
    for row in study.corrections.itertuples():

        def problem(key: str, column: str, line: int = row.line, **values: Any) -> None:
            problems.append(Problem("corrections.csv", key, values, line, column))

        rule = f"corrections.csv:{row.line}"
        if row.row_id not in coded.index:
            problem("row_unknown", "row_id", found=row.row_id, expected=nearest(row.row_id, coded.index[:1]))
            continue
        others = {variable for known, variable in seen if known == row.row_id}
        if row.variable in others or "" in others or (others and not row.variable):
            problem("correction_twice", "row_id", found=row.row_id)
            continue
        seen.add((row.row_id, row.variable))
        if row.action == "drop_row":
            kept, kinds = kept.drop(index=row.row_id), kinds.drop(index=row.row_id)
            changes.append((row.row_id, "", "drop_row", np.nan, np.nan, rule, row.reason))
            continue
        items = {variable.name: variable for variable in coder.items}
        if row.variable in coder.keys:
            column, lookup = coder.keys[row.variable]
            before, old = coded.loc[row.row_id, column], lookup(row.old_value)[0]
            new, missed, known = lookup(row.new_value)
            if not new:
                problem(missed, "new_value", found=row.new_value, **known)
            elif (None if pd.isna(before) else before) != (old or None):
                problem("old_value_differs", "old_value", found=row.old_value, expected=_shown(before))
            else:
                kept.loc[row.row_id, column] = new
                changes.append((row.row_id, column, *_change(before, new), rule, row.reason))
            continue
        if row.variable not in items:
            expected = nearest(row.variable, [*items, *coder.keys])
            problem("variable_unknown", "variable", found=row.variable, expected=expected)
            continue
        variable, wave = items[row.variable], waves[row.row_id.rpartition("-")[0]]
        old, old_kind, _, _ = code_text(row.old_value, variable, wave)
        before, known_kind = coded.loc[row.row_id, row.variable], kinds.loc[row.row_id, row.variable]
        same = (pd.isna(old) and pd.isna(before)) or old == before
        same = same and old_kind == (None if pd.isna(known_kind) else known_kind)
        if not same or coder.unread(row.row_id, row.variable) not in (None, fold(row.old_value)):
            problem("old_value_differs", "old_value", found=row.old_value, expected=_shown(before))
            continue
        new, kind, key, values = code_text(row.new_value, variable, wave)
        if key:
            values |= {"label": variable.labels, "row": row.row_id, "variable": row.variable}
            problem(key, "new_value", found=row.new_value, **values)
            continue
        kinds.loc[row.row_id, row.variable] = kind
        if (pd.isna(new) and pd.isna(before)) or new == before:
            continue
        kept.loc[row.row_id, row.variable] = new
        changes.append((row.row_id, row.variable, *_change(before, new), rule, row.reason))
    return kept, kinds, pd.DataFrame(changes, columns=list(LOG_COLUMNS), dtype=object), problems


def _shown(value: Any) -> str:
    return "" if pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _check_rows(kept: pd.DataFrame, study: Study, coder: _Coder) -> list[Problem]:
    problems = []
    roles, files = study.declared.design, {wave.code: wave.file for wave in study.declared.waves}

    def problem(row: str, key: str, variable: str, **values: Any) -> None:
        wave, _, line = row.rpartition("-")
        column = study.codebook[variable].column
        problems.append(Problem(files[wave], key, values, int(line), column))

    if roles.respondent:
        named = kept[kept["respondent"].notna()]
        again = named.duplicated(["wave", "respondent"])
        first = named.drop_duplicates(["wave", "respondent"]).set_index(["wave", "respondent"])["row_id"]
        for row in named[again].itertuples():
            other = first[row.wave, row.respondent].rpartition("-")[2]
            problem(row.row_id, "respondent_twice", roles.respondent, other=other)
        placed = named[named["unit"].notna()]
        home = placed.drop_duplicates("respondent").set_index("respondent")
        for row in placed.itertuples():
            other = home.loc[row.respondent]
            if other["unit"] != row.unit:
                values = {"found": row.unit, "other": other["row_id"], "expected": other["unit"]}
                problem(row.row_id, "respondent_two_units", roles.respondent, **values)
    if roles.cluster and roles.stratum:
        strata = kept.groupby(["unit", "cluster"])["stratum"].transform("nunique")
        for row in kept[strata > 1].itertuples():
            problem(row.row_id, "cluster_two_strata", roles.stratum, found=row.stratum)
    if roles.weight:
        for row in kept[~(kept["weight"] > 0)].itertuples():
            if coder.unread(row.row_id, roles.weight) is not None:
                continue
            problem(row.row_id, "weight_not_positive", roles.weight, found=_shown(row.weight))
    return problems


def _forms(coded: pd.DataFrame, kept: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Forms returned and valid by wave and unit; a unit that was corrected counts as corrected."""
    unit = coded["unit"].where(~coded.index.isin(kept.index), kept["unit"].reindex(coded.index))
    return coded.groupby(["wave", unit]).size(), kept.groupby(["wave", "unit"]).size()


def _check_counts(coded: pd.DataFrame, kept: pd.DataFrame, study: Study) -> list[Problem]:
    """Declared counts of forms against the rows that came; a row dropped as a duplicate was no form."""
    returned, valid = _forms(coded, kept)
    problems = []
    for position, wave in enumerate(study.declared.waves, start=1):
        for unit in study.declared.units:
            came, stayed = (int(counts.get((wave.code, unit.code), 0)) for counts in (returned, valid))

            def differs(key: str, declared: str, found: int, position: int = position, **values: Any) -> None:
                place = f"waves[{position}].{declared}"
                problems.append(Problem("study.toml", key, {"found": found, **values}, column=place))

            if unit.code in wave.returned and not stayed <= wave.returned[unit.code] <= came:
                differs("returned_differs", "returned", came, unit=unit.code, expected=wave.returned[unit.code])
            if unit.code in wave.issued and wave.issued[unit.code] < stayed:
                differs("more_than_issued", "issued", stayed, unit=unit.code, expected=wave.issued[unit.code])
            if not came:
                problems.append(Problem(wave.file, "unit_without_rows", {"found": unit.code}))
    return problems


def _missing(kept: pd.DataFrame, kinds: pd.DataFrame) -> pd.DataFrame:
    long = kinds.loc[kept.index].reset_index().melt("row_id", var_name="variable", value_name="kind")
    return long.dropna(subset="kind").reset_index(drop=True)


def _flow(coded: pd.DataFrame, kept: pd.DataFrame, study: Study) -> pd.DataFrame:
    returned, valid = _forms(coded, kept)
    rows = []
    for wave in study.declared.waves:
        for unit in study.declared.units:
            key = (wave.code, unit.code)
            came, stayed = int(returned.get(key, 0)), int(valid.get(key, 0))
            rows.append((*key, float(wave.issued.get(unit.code, np.nan)), came, came - stayed, stayed))
    return pd.DataFrame(rows, columns=["wave", "unit", "issued", "returned", "dropped", "valid"])


def _hold_contracts(survey: Survey) -> None:
    """The invariants of the log; one that does not hold is our mistake, not the user's."""
    again = replay(survey.coded, survey.log)
    pd.testing.assert_frame_equal(again, survey.responses)
    derived = derive_log(survey.coded, survey.responses)
    by = ["row_id", "variable"]
    pd.testing.assert_frame_equal(
        derived.sort_values(by, ignore_index=True),
        survey.log[list(LOG_COLUMNS[:5])].sort_values(by, ignore_index=True),
    )
    if len(survey.coded) != len(survey.responses) + (survey.log["action"] == "drop_row").sum():
        raise AssertionError("rows read are not rows kept plus rows dropped")
