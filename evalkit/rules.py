"""What answers must fulfil: ranges, codes, skips and constraints of the codebook; forms that came twice.

Everything here is evidence, one row a finding: nothing is changed or dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import pandas as pd

from evalkit.codebook import Answer, Codebook, Variable
from evalkit.encodings import fold
from evalkit.errors import Problem, nearest
from evalkit.expressions import THIS, Expression, ExpressionError, as_number, parse
from evalkit.language import LANGUAGES, text

RULES = ("range", "codes", "relevant", "constraint")
FEWEST_ANSWERS = 10
_CODED = ("scale", "number", "date", "time")
_EXPRESSIONS = ("relevant", "constraint")
_TOTALS = {"tổng", "tổng cộng", "tổng số", "tổng số phiếu", "cộng", "total", "totals", "grand total", "sum"}
_NO_WORDS = re.compile(r"[\W\d_]+")


def check_rules(codebook: Codebook, *, apart: Collection[str] = ()) -> list[Problem]:
    """What is wrong with the rules of a codebook: expressions that cannot be read or ask for what is not there.

    apart: variables that do not stand among the responses under their own name, such as the weight. A problem each:
    an expression that cannot be parsed; a variable that is unknown, or whose answers are not coded (texts, keys,
    identifiers); an answer that its scale does not have; skips that wait for each other.
    """
    problems = []
    questions = _questions(codebook)
    for column in _EXPRESSIONS:
        for variable in _first_of_each(codebook):
            rule = getattr(variable, column)
            if not rule:
                continue
            try:
                expression = _parsed(rule)
            except ExpressionError as error:
                expected = {language: text(error.expected, language) for language in LANGUAGES}
                values = {"found": error.found or rule, "position": error.position, "expected": expected}
                key = "rule_unreadable" if error.found else "rule_unfinished"
                problems.append(Problem("codebook.csv", key, values, variable.line, column))
                continue
            for key, found in _misread(expression, variable, codebook, questions, apart):
                problems.append(Problem("codebook.csv", key, found, variable.line, column))
    for circle in _circles(_waits_for(codebook)):
        variable = next(one for one in _first_of_each(codebook) if (one.question or one.name) == circle[0])
        values = {"found": " → ".join([*circle, circle[0]])}
        problems.append(Problem("codebook.csv", "rule_circle", values, variable.line, "relevant"))
    return problems


def violations(frame: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """The answers that break a rule of the codebook.

    frame: coded responses, `row_id` and one column a variable, numbers or dates, NaN for missing. Variables without
        a column are passed over.
    Returns `row_id, variable, rule`, by row, then in the codebook's order; rule is `range` (below the minimum or
    above the maximum), `codes` (not a code of the scale), `relevant` (answered although the question certainly did
    not apply) or `constraint` (certainly not fulfilled). An empty cell breaks no rule, and a rule that would need an
    answer that is missing is not broken. Of a question with several answers each answered cell is a row.
    The codebook's rules must be sound (`check_rules`).
    """
    skipped = _skipped(frame, codebook)
    answers = _questions(codebook)
    found = []
    for at, variable in enumerate(codebook.values()):
        if variable.name not in frame or variable.type not in _CODED:
            continue
        cells, this = frame[variable.name], variable.question or variable.name
        broken = {"range": _out_of_range(cells, variable), "codes": _off_scale(cells, variable)}
        broken["relevant"] = skipped.get(this)
        if variable.constraint:
            fulfilled = _parsed(variable.constraint).evaluate(frame, this, answers=answers)
            broken["constraint"] = _false(fulfilled)
        for rule, rows in broken.items():
            if rows is not None:
                rows = np.flatnonzero(rows & cells.notna().to_numpy())
                found += [(rows, np.full(len(rows), at), np.full(len(rows), RULES.index(rule)))]
    return _cells(frame, codebook, found, rule=RULES)


def not_applicable(frame: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """The cells that are empty because the question certainly did not apply, by `relevant`.

    frame: as for `violations`. Returns `row_id, variable`, by row, then in the codebook's order. Where a question
    hangs on one that did not apply itself, that one counts as empty, as in XLSForm: no answer equals it.
    """
    skipped = _skipped(frame, codebook)
    found = []
    for at, variable in enumerate(codebook.values()):
        rows = skipped.get(variable.question or variable.name)
        if rows is not None and variable.name in frame:
            rows = np.flatnonzero(rows & frame[variable.name].isna().to_numpy())
            found.append((rows, np.full(len(rows), at)))
    return _cells(frame, codebook, found)


def duplicates(raw: Mapping[str, pd.DataFrame], coded: pd.DataFrame, items: Sequence[str]) -> pd.DataFrame:
    """Forms that came again within their wave, each with the first one that it repeats.

    raw: one frame a wave, cells as text, index `line`. coded: `row_id`, `wave` and the items as codes, in the order
        of the waves and lines.
    Returns `row_id, kind, other`, one row a later form, in the order of `coded`; kind is the first that holds of
    `exact` (every cell equal, ten or more of them filled) and `answers` (all items equal, ten or more answered and
    not all alike: two straight lines are no copy).
    """
    answers = coded[["row_id", "wave", *items]].set_index("row_id")
    answered = answers[list(items)].notna().sum(axis=1).to_numpy()
    spread = answers[list(items)].max(axis=1).to_numpy() > answers[list(items)].min(axis=1).to_numpy()
    found = []
    for wave, frame in raw.items():
        frame = frame.set_axis(pd.Index([f"{wave}-{line}" for line in frame.index]))
        filled = (frame != "").sum(axis=1).to_numpy()
        found.append(_repeated(frame[filled >= FEWEST_ANSWERS], "exact"))
    found.append(_repeated(answers[(answered >= FEWEST_ANSWERS) & spread], "answers"))
    again = pd.concat(found).drop_duplicates("row_id")
    place = pd.Series(range(len(coded)), coded["row_id"].to_numpy())
    return again.sort_values("row_id", key=lambda rows: rows.map(place), ignore_index=True)


def foreign_rows(raw: pd.DataFrame, codebook: Codebook) -> pd.DataFrame:
    """The rows of a wave's raw frame that are no forms: the header again, or a line of totals.

    raw: cells as text by variable, index `line`. Returns `line, kind`, by line; kind is `header` (more than half of
    the filled cells are the titles of their columns) or `total` (the first cell with words says «tổng cộng», «total»
    or the like, and no other key or identifier is filled).
    """
    filled, titles = np.zeros(len(raw), dtype=int), np.zeros(len(raw), dtype=int)
    says_total = np.zeros(len(raw), dtype=bool)
    for name in raw:
        title = fold(codebook[name].column)
        filled += _by_text(raw[name], lambda cell: bool(cell.strip())).to_numpy(dtype=bool)
        titles += _by_text(raw[name], partial(_folds_to, title)).to_numpy(dtype=bool)
        says_total |= _by_text(raw[name], _says_total).to_numpy(dtype=bool)
    header = titles > filled / 2
    keys = [name for name in raw if codebook[name].type in ("key", "identifier")]
    kinds = dict.fromkeys(raw.index[header], "header")
    for line, row in raw[says_total & ~header].iterrows():
        first = next(name for name in raw if _NO_WORDS.sub("", row[name]))
        if _says_total(row[first]) and not any(row[name].strip() for name in keys if name != first):
            kinds[line] = "total"
    lines = sorted(kinds)
    return pd.DataFrame({"line": pd.Series(lines, dtype=int), "kind": pd.Series(map(kinds.get, lines), dtype="str")})


def foreign_problems(found: pd.DataFrame, wave: str, file: str) -> list[Problem]:
    """A problem for each of `foreign_rows`, proposing the line of corrections.csv that drops it."""
    return [
        Problem(file, f"foreign_{row.kind}", {"row": f"{wave}-{row.line}"}, int(row.line))
        for row in found.itertuples()
    ]


@cache
def _parsed(rule: str) -> Expression:
    return parse(rule)


def _questions(codebook: Codebook) -> dict[str, dict[float, str]]:
    """The questions that take several answers: the column of each code."""
    found: dict[str, dict[float, str]] = {}
    for variable in codebook.values():
        if variable.question and variable.choice:
            found.setdefault(variable.question, {})[variable.choice.code] = variable.name
    return found


def _first_of_each(codebook: Codebook) -> list[Variable]:
    """One variable a line of codebook.csv: the answers of one question share their rules."""
    found: dict[str, Variable] = {}
    for variable in codebook.values():
        found.setdefault(variable.question or variable.name, variable)
    return list(found.values())


def _misread(
    expression: Expression,
    variable: Variable,
    codebook: Codebook,
    questions: Mapping[str, Mapping[float, str]],
    apart: Collection[str],
) -> Iterable[tuple[str, dict[str, Any]]]:
    """What an expression asks for and the codebook does not have: message keys and their values."""
    this = variable.question or variable.name
    readable = [name for name in codebook if codebook[name].type in _CODED and name not in apart]
    refused = set()
    for name in expression.variables:
        whole = this if name == THIS else name
        if whole in questions:
            if name in expression.numbers:
                yield "rule_several_answers", {"found": whole}
                refused.add(name)
        elif whole not in codebook:
            yield "rule_variable_unknown", {"found": whole, "expected": nearest(whole, [*readable, *questions])}
            refused.add(name)
        elif whole not in readable:
            yield "rule_variable_uncoded", {"found": whole, "type": codebook[whole].type}
            refused.add(name)
    for name, code in expression.codes:
        if name in refused:
            continue
        whole = this if name == THIS else name
        answers = _answers(whole, codebook)
        value = as_number(code)
        if not answers and np.isnan(value):
            yield "rule_text_for_number", {"found": code, "variable": whole}
        elif answers and value not in [answer.code for answer in answers]:
            meant = [answer for answer in answers if fold(code) in map(fold, answer.words)]
            expected = ", ".join(f"{answer.code:g}" for answer in meant or answers)
            yield "rule_code_unknown", {"found": code, "variable": whole, "expected": expected}


def _answers(name: str, codebook: Codebook) -> Sequence[Answer]:
    """The answers of a scale, or those that a question can take at once."""
    scale = codebook[name].scale if name in codebook else None
    choices = [variable.choice for variable in codebook.values() if variable.question == name and variable.choice]
    return scale.answers if scale else choices


def _waits_for(codebook: Codebook) -> dict[str, list[str]]:
    """The questions that each question's `relevant` reads."""
    found = {}
    for variable in _first_of_each(codebook):
        try:
            names = _parsed(variable.relevant).variables if variable.relevant else ()
        except ExpressionError:
            continue
        this = variable.question or variable.name
        whole = [this if name == THIS else name for name in names]
        found[this] = [codebook[name].question or name if name in codebook else name for name in whole]
    return found


def _circles(waits_for: dict[str, list[str]]) -> list[list[str]]:
    circles = []
    while True:
        try:
            TopologicalSorter(waits_for).prepare()
        except CycleError as error:
            circle = error.args[1][:-1]
            circles.append(circle)
            waits_for = waits_for | {circle[0]: []}
        else:
            return circles


def _skipped(frame: pd.DataFrame, codebook: Codebook) -> dict[str, np.ndarray]:
    """The rows for which each question with a skip certainly did not apply."""
    answers = _questions(codebook)
    relevant = {variable.question or variable.name: variable for variable in codebook.values() if variable.relevant}
    skipped: dict[str, np.ndarray] = {}
    empty: dict[str, np.ndarray] = {}
    for name in TopologicalSorter(_waits_for(codebook)).static_order():
        if name not in relevant or relevant[name].name not in frame:
            continue
        truth = _parsed(relevant[name].relevant).evaluate(frame, name, answers=answers, empty=empty)
        skipped[name] = _false(truth)
        empty |= dict.fromkeys([name, *answers.get(name, {}).values()], skipped[name])
    return skipped


def _false(truth: pd.Series) -> np.ndarray:
    return (~truth).to_numpy(dtype=bool, na_value=False)


def _out_of_range(cells: pd.Series, variable: Variable) -> np.ndarray | None:
    low, high = variable.minimum, variable.maximum
    if low is None and high is None:
        return None
    values = cells.dt.normalize() if cells.dtype.kind == "M" else cells
    low, high = (pd.Timestamp(bound) if isinstance(bound, date) else bound for bound in (low, high))
    outside = np.zeros(len(cells), dtype=bool) if low is None else (values < low).to_numpy()
    return outside if high is None else outside | (values > high).to_numpy()


def _off_scale(cells: pd.Series, variable: Variable) -> np.ndarray | None:
    if variable.scale is None:
        return None
    return ~np.isin(cells.to_numpy(), [answer.code for answer in variable.scale.valid])


def _cells(
    frame: pd.DataFrame, codebook: Codebook, found: Sequence[tuple[np.ndarray, ...]], **others: Sequence[str]
) -> pd.DataFrame:
    """Cells by the positions of row and variable, and of what else is told of them; in the order of these."""
    names = {"row_id": frame["row_id"], "variable": list(codebook), **others}
    nothing = (np.empty(0, dtype=int),) * len(names)
    columns = [np.concatenate(column) for column in zip(nothing, *found, strict=True)]
    order = np.lexsort(columns[::-1])
    texts = zip(names.items(), columns, strict=True)
    return pd.DataFrame({name: np.array(of, dtype=object)[at[order]] for (name, of), at in texts}, dtype="str")


def _repeated(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The rows that equal an earlier one: row_id, kind, other."""
    alike = rows[rows.duplicated(keep=False)]
    ids = pd.Series(alike.index, dtype="str")
    if alike.empty:
        first = ids
    else:
        group = alike.groupby(list(alike), sort=False, dropna=False, observed=True).ngroup()
        first = ids.groupby(group.to_numpy()).transform("first")
    later = ids != first
    return pd.DataFrame({"row_id": ids[later], "kind": kind, "other": first[later]})


def _by_text(cells: pd.Series, read: Callable[[str], Any]) -> pd.Series:
    """What each distinct text of a column reads as."""
    return cells.astype("category").map(read)


def _folds_to(title: str, cell: str) -> bool:
    return fold(cell) == title


def _says_total(cell: str) -> bool:
    return _NO_WORDS.sub(" ", fold(cell)).strip() in _TOTALS
