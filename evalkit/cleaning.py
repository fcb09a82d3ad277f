"""Raw frames to responses: coding, decisions, and the record of both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from evalkit.codebook import Variable
from evalkit.coding import Coder, code_text, line_of
from evalkit.encodings import fold
from evalkit.errors import Problem, nearest, raise_any
from evalkit.grid import Raw
from evalkit.language import LANGUAGES, listing, text
from evalkit.privacy import check_columns, search
from evalkit.rules import RULES, duplicates, foreign_problems, foreign_rows, not_applicable, violations
from evalkit.study import Study

LOG_COLUMNS = ("row_id", "variable", "action", "old_value", "new_value", "rule", "reason")


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
    notices: what nobody needs to mend and everybody should know, of reading and cleaning.
    """

    responses: pd.DataFrame
    missing: pd.DataFrame
    mapping: pd.DataFrame
    coded: pd.DataFrame
    log: pd.DataFrame
    flow: pd.DataFrame
    identifiers: tuple[str, ...]
    notices: tuple[Problem, ...] = ()


def clean(raw: Raw, study: Study) -> Survey:
    """Code the raw frames by the codebook, apply the decisions of corrections.csv, then the rules of the codebook.

    Raises DataError with every text that the codebook does not know, answer that breaks a rule and is not to be
    blanked, unknown unit, respondent twice in a wave, form twice, header or totals row among the forms, weight not
    above zero, and correction that does not fit, each with its place.

        survey = ek.clean(ek.read(study), study)
    """
    coder = Coder(study)
    coded, kinds = coder.code(raw.frames)
    kept, kept_kinds, decisions, problems = _apply_corrections(coded, kinds, study, coder)
    kept, kept_kinds, blanked, broken = _apply_rules(kept, kept_kinds, study)
    kept_kinds = _with_not_applicable(kept, kept_kinds, study)
    log = pd.concat([decisions, blanked], ignore_index=True)
    strange, notices = _check_forms(raw, kept, log, study)
    problems += coder.open_problems(log, strange) + broken
    problems += _check_rows(kept, study, coder)
    problems += _check_counts(coded, kept, study)
    raise_any(map(study.locate, problems))
    survey = Survey(
        responses=kept.reset_index(drop=True),
        missing=_missing(kept, kept_kinds),
        mapping=coder.mapping(),
        coded=coded.reset_index(drop=True),
        log=log,
        flow=_flow(coded, kept, study),
        identifiers=tuple(v.column for v in study.codebook.values() if v.type == "identifier"),
        notices=(*study.notices, *raw.notices, *coder.notices, *notices, *personal_reasons(study)),
    )
    _hold_contracts(survey)
    return _of_unit(survey, study.only) if study.only else survey


def _of_unit(survey: Survey, unit: str) -> Survey:
    """The survey of one unit. How texts were coded stays that of all, for it was decided once.

    A form is of the unit that it has after corrections; one that was dropped, of that which stood on it.
    """
    kept, coded = survey.responses, survey.coded
    dropped = coded[~coded["row_id"].isin(kept["row_id"])]
    rows = {row for frame in (kept, dropped) for row in frame.loc[frame["unit"] == unit, "row_id"]}
    return replace(
        survey,
        **{
            name: frame[frame["row_id"].isin(rows)].reset_index(drop=True)
            for name in ("responses", "missing", "coded", "log")
            for frame in [getattr(survey, name)]
        },
        flow=survey.flow[survey.flow["unit"] == unit].reset_index(drop=True),
    )


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


def _apply_corrections(
    coded: pd.DataFrame, kinds: pd.DataFrame, study: Study, coder: Coder
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[Problem]]:
    """What is left of the coded frame and its missing kinds, the log, and decisions that do not fit."""
    kept, kinds, problems, changes = coded.copy(), kinds.copy(), [], []
    waves = {wave.code: wave for wave in study.declared.waves}
    items = {variable.name: variable for variable in coder.items}
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
        if row.variable in coder.keys:
            column, wave = coder.keys[row.variable], waves[row.row_id.rpartition("-")[0]]
            before, old = coded.loc[row.row_id, column], coder.key(column, row.old_value, wave)[0]
            new, missed, known = coder.key(column, row.new_value, wave)
            if not new:
                values = {"found": row.new_value, "row": row.row_id, "variable": row.variable}
                problem(missed, "new_value", **values | known)
            elif (None if pd.isna(before) else before) != (old or None):
                problem("old_value_differs", "old_value", found=row.old_value, expected=_shown(before))
            else:
                for filled in coder.columns_of(row.variable):
                    kept.loc[row.row_id, filled] = new
                    change = _change(coded.loc[row.row_id, filled], new)
                    changes.append((row.row_id, filled, *change, rule, row.reason))
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


def _check_forms(
    raw: Raw, kept: pd.DataFrame, log: pd.DataFrame, study: Study
) -> tuple[dict[str, Problem], list[Problem]]:
    """Rows that are no form of their own (a header or totals row, a form twice), and notices.

    Forms that are alike in everything are one form entered twice only where something in them tells people apart.
    """
    strange: dict[str, Problem] = {}
    notices = check_columns(raw.frames, study.codebook, {wave.code: wave.file for wave in study.declared.waves})
    personal = [v.name for v in study.codebook.values() if v.type in ("identifier", "time")]
    personal += [name for name in (study.declared.design.respondent,) if name]
    items = [name for name, variable in study.codebook.items() if variable.scale or variable.type == "number"]
    items = [name for name in items if name in kept]
    dropped, stayed = set(log.loc[log["action"] == "drop_row", "row_id"]), {}
    for wave in study.declared.waves:
        frame = raw.frames[wave.code]
        for problem in foreign_problems(foreign_rows(frame, study.codebook), wave.code, wave.file):
            strange[problem.values["row"]] = problem
        stayed[wave.code] = frame[[f"{wave.code}-{line}" not in dropped for line in frame.index]]
    for row in duplicates(stayed, kept, items).itertuples():
        wave, line, other = row.row_id.rpartition("-")[0], *map(line_of, (row.row_id, row.other))
        values = {"row": row.row_id, "other": other}
        if row.kind == "exact" and personal:
            strange[row.row_id] = study.wave(wave).problem("row_exact", values, line)
        else:
            notices.append(study.wave(wave).problem("same_answers", values, line))
    return {row: problem for row, problem in strange.items() if row not in dropped}, notices


def personal_reasons(study: Study) -> list[Problem]:
    """Notices of reasons in corrections.csv that seem to hold personal data: the report leaves such a reason out."""
    rows = study.corrections
    return [
        study.locate(Problem("corrections.csv", "reason_personal", {"what": what}, int(rows["line"][at]), "reason"))
        for at, what in personal_in_reasons(study).items()
    ]


def personal_in_reasons(study: Study) -> pd.Series:
    """By row of corrections.csv, what the reason seems to hold, in both languages."""
    found = {}
    for at, reason in study.corrections["reason"].items():
        if held := [f"personal_kind_{finding.kind}" for finding in search({"": [reason]})]:
            found[at] = {
                language: listing([text(kind, language) for kind in held], language) for language in LANGUAGES
            }
    return pd.Series(found, dtype=object)


def _with_not_applicable(kept: pd.DataFrame, kinds: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The missing kinds, `not_applicable` where a question was left out because it did not apply."""
    kinds = kinds.copy()
    for variable, rows in not_applicable(kept, study.codebook).groupby("variable")["row_id"]:
        rows = rows[kinds.loc[rows, variable].to_numpy() == "blank"]
        kinds.loc[rows, variable] = "not_applicable"
    return kinds


def _apply_rules(
    kept: pd.DataFrame, kinds: pd.DataFrame, study: Study
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, list[Problem]]:
    """Answers that break a rule blanked where the codebook says so, their log; the others as problems.

    An answer that a line of corrections.csv confirms breaks no rule. A blanked answer may free others of a rule, so
    the rules are applied one kind after the other, as in `rules.RULES`, until nothing more is to be blanked.
    """
    kept, kinds, changes = kept.copy(), kinds.copy(), []
    decided = pd.MultiIndex.from_frame(study.corrections[["row_id", "variable"]])
    while True:
        found = violations(kept, study.codebook)
        found = found[~pd.MultiIndex.from_frame(found[["row_id", "variable"]]).isin(decided)]
        blank = found[found["variable"].map(lambda name: study.codebook[name].otherwise == "blank")]
        if blank.empty:
            break
        for row in blank[blank["rule"] == min(blank["rule"], key=RULES.index)].itertuples():
            variable = study.codebook[row.variable]
            changes.append(
                (row.row_id, row.variable, *_change(kept.loc[row.row_id, row.variable], np.nan),
                 f"codebook.csv:{variable.line}", _rule(variable, row.rule))
            )  # fmt: skip
            kept.loc[row.row_id, row.variable] = np.nan
            kinds.loc[row.row_id, row.variable] = "not_applicable" if row.rule == "relevant" else "blank"
    problems = []
    for row in found[found["rule"].isin(["relevant", "constraint"])].itertuples():
        variable = study.codebook[row.variable]
        wave, _, line = row.row_id.rpartition("-")
        values: dict[str, Any] = {"found": _shown(kept.loc[row.row_id, row.variable])}
        values |= {"expected": _rule(variable, row.rule), "label": variable.labels}
        values |= {"row": row.row_id, "variable": row.variable}
        problems.append(study.wave(wave).problem(f"rule_{row.rule}", values, int(line), variable.column))
    return kept, kinds, pd.DataFrame(changes, columns=list(LOG_COLUMNS), dtype=object), problems


def _rule(variable: Variable, rule: str) -> str:
    """A rule as the codebook writes it."""
    if rule == "range":
        return f"{_shown(variable.minimum)}–{_shown(variable.maximum)}"
    if rule == "codes":
        return ", ".join(f"{answer.code:g}" for answer in variable.scale.answers) if variable.scale else ""
    return getattr(variable, rule)


def _shown(value: Any) -> str:
    if isinstance(value, date):
        return f"{value:%d/%m/%Y}"
    return "" if value is None or pd.isna(value) else f"{value:g}" if isinstance(value, float) else str(value)


def _check_rows(kept: pd.DataFrame, study: Study, coder: Coder) -> list[Problem]:
    problems = []
    roles = study.declared.design

    def problem(row: str, key: str, variable: str, **values: Any) -> None:
        wave, _, line = row.rpartition("-")
        column = study.codebook[variable].column
        problems.append(study.wave(wave).problem(key, values, int(line), column))

    if roles.respondent:
        named = kept[kept["respondent"].notna()]
        again = named.duplicated(["wave", "respondent"])
        first = named.drop_duplicates(["wave", "respondent"]).set_index(["wave", "respondent"])["row_id"]
        for row in named[again].itertuples():
            other = first[row.wave, row.respondent].rpartition("-")[2]
            problem(row.row_id, "respondent_twice", roles.respondent, other=other)
        placed = named[named["unit"].notna()]
        home = placed.drop_duplicates("respondent").set_index("respondent")
        for row in placed[placed["unit"] != placed["respondent"].map(home["unit"])].itertuples():
            other = home.loc[row.respondent]
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
    unit = kept["unit"].reindex(coded.index).fillna(coded["unit"])
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
            if not stayed:
                problems.append(Problem(wave.file, "unit_without_rows", {"found": unit.code}))
    return problems


def _missing(kept: pd.DataFrame, kinds: pd.DataFrame) -> pd.DataFrame:
    kinds = kinds.loc[kept.index]
    parts = [
        pd.DataFrame({"row_id": kind.index, "variable": name, "kind": kind.astype("str").to_numpy()})
        for name, kind in ((name, kinds[name].dropna()) for name in kinds)
    ]
    return pd.concat(parts, ignore_index=True)


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
