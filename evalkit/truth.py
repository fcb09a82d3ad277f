"""Three-valued truth over the rows of a survey: whatever needs an answer that nobody wrote down is unknown.

Each function gives a way to work out one part of a condition for all rows at once, out of the ways for its parts:
numbers, or truth as a pandas array of booleans with NA. `expressions` builds them while it reads a condition.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

THIS = "."
_EPOCH, _DAY = np.datetime64("1970-01-01"), np.timedelta64(1, "D")


class Numbers(NamedTuple):
    """Numbers of all rows, NaN where empty, and where the emptiness says nothing about the answer."""

    values: np.ndarray
    unknown: np.ndarray


@dataclass(frozen=True)
class Rows:
    """The coded columns of a survey; the others as in `expressions.Expression.evaluate`."""

    frame: Mapping[str, Any]
    this: str | None
    answers: Mapping[str, Mapping[float, str]]
    empty: Mapping[str, np.ndarray]

    @property
    def index(self) -> pd.Index:
        """The index that all columns share."""
        return self.frame[next(iter(self.frame))].index

    def whole(self, name: str) -> str:
        """The variable that a name means."""
        return str(self.this) if name == THIS else name

    def choices(self, name: str) -> list[Numbers]:
        """The columns of a question: one for each answer that it can take at once, or its only one."""
        columns = self.answers.get(self.whole(name), {}).values()
        return [self.numbers(name, column) for column in columns] or [self.numbers(name)]

    def numbers(self, name: str, column: str = "") -> Numbers:
        """The codes of a variable, or of one of its columns; dates as days since 1970."""
        cells = self.frame[column or self.whole(name)]
        if cells.dtype.kind == "M":
            values = (cells.to_numpy() - _EPOCH) / _DAY
        else:
            values = cells.to_numpy(dtype=float, na_value=np.nan)
        empty = self.empty.get(self.whole(name), False)
        return Numbers(values, np.isnan(values) & ~np.asarray(empty))

    def constant(self, value: float) -> Numbers:
        """The same number in every row."""
        length = len(self.index)
        return Numbers(np.full(length, value, dtype=float), np.zeros(length, dtype=bool))


Number = Callable[[Rows], Numbers]
Truth = Callable[[Rows], Any]


def constant(value: float) -> Number:
    """A number that stands in the condition."""
    return lambda rows: rows.constant(value)


def variable(name: str) -> Number:
    """The codes of a variable."""
    return lambda rows: rows.numbers(name)


def reckoned(first: Number, steps: Sequence[tuple[Callable, Number]]) -> Number:
    """A sum or product: a number, then operations with other numbers in turn; `0 div 0` is unknown."""

    def run(rows: Rows) -> Numbers:
        result = first(rows)
        for reckon, other in steps:
            right = other(rows)
            values = reckon(result.values, right.values)
            without_value = np.isnan(values) & ~np.isnan(result.values) & ~np.isnan(right.values)
            result = Numbers(values, result.unknown | right.unknown | without_value)
        return result

    return run


def coalesced(first: Number, second: Number) -> Number:
    """The first number, the second where the first is empty."""

    def run(rows: Rows) -> Numbers:
        a, b = first(rows), second(rows)
        return Numbers(np.where(np.isnan(a.values), b.values, a.values), np.isnan(a.values) & b.unknown)

    return run


def chosen(condition: Truth, then: Number, otherwise: Number) -> Number:
    """One number where a condition holds, another where it does not."""

    def run(rows: Rows) -> Numbers:
        holds, yes, no = condition(rows), then(rows), otherwise(rows)
        true, undecided = holds.to_numpy(dtype=bool, na_value=False), holds.isna()
        values = np.where(true, yes.values, no.values)
        unknown = np.where(true, yes.unknown, no.unknown)
        return Numbers(np.where(undecided, np.nan, values), unknown | undecided)

    return run


def count_selected(name: str) -> Number:
    """How many answers of a question are chosen."""

    def run(rows: Rows) -> Numbers:
        choices = rows.choices(name)
        if rows.whole(name) not in rows.answers:
            choices = [Numbers(np.where(np.isnan(one.values), np.nan, 1.0), one.unknown) for one in choices]
        count = np.nansum([choice.values for choice in choices], axis=0)
        return Numbers(count, np.any([choice.unknown for choice in choices], axis=0))

    return run


def selected(name: str, code: float) -> Truth:
    """Whether an answer of a question is chosen."""

    def run(rows: Rows) -> Any:
        columns = rows.answers.get(rows.whole(name))
        if columns is None:
            return _compare(operator.eq, rows.numbers(name), rows.constant(code))
        return _compare(operator.eq, rows.numbers(name, columns[code]), rows.constant(1.0))

    return run


def compared(compare: Callable, left: Number, right: Number) -> Truth:
    """Whether two numbers stand in a relation."""
    return lambda rows: _compare(compare, left(rows), right(rows))


def is_empty(number: Number) -> Truth:
    """Whether there is no number; this is never unknown."""
    return lambda rows: _known(np.isnan(number(rows).values))


def is_unanswered(name: str) -> Truth:
    """Whether no column of a question has an answer; this is never unknown."""
    return lambda rows: _known(np.all([np.isnan(column.values) for column in rows.choices(name)], axis=0))


def negated(truth: Truth) -> Truth:
    """Whether a condition does not hold."""
    return lambda rows: ~truth(rows)


def joined(join: Callable, parts: Sequence[Truth]) -> Truth:
    """Conditions joined by Kleene's `and` or `or`."""
    return lambda rows: reduce(join, (part(rows) for part in parts))


def _compare(compare: Callable, left: Numbers, right: Numbers) -> Any:
    # NaN compares in NumPy as in XPath: equal to nothing, neither above nor below.
    return pd.arrays.BooleanArray(compare(left.values, right.values), left.unknown | right.unknown)


def _known(truth: np.ndarray) -> Any:
    return pd.arrays.BooleanArray(truth, np.zeros(len(truth), dtype=bool))
