"""Conditions in XLSForm's notation, such as `${q1} = 1 and . <= 30`: read by a small parser, never run as code."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from evalkit import truth
from evalkit.truth import THIS, Number, Rows, Truth

DEEPEST = 20
_COMPARISONS: dict[str, Callable] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: dict[str, Callable] = {"+": np.add, "-": np.subtract, "*": np.multiply, "div": np.divide, "mod": np.fmod}
_STRAIGHT_QUOTES = str.maketrans("‘’“”", "''\"\"")
_TOKEN = re.compile(
    r"""(?P<space>\s+) | \$\{\s*(?P<name>[^\W\d][\w.-]*)\s*\} | (?P<number>[0-9]+(?:\.[0-9]*)?|\.[0-9]+)
    | (?P<text>'[^']*'|"[^"]*") | (?P<sign>!=|<=|>=|[=<>+*(),.-]) | (?P<word>[^\W\d][\w:-]*)""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """Where an expression cannot be read: the sign counted from 1, what stands there, what was expected.

    `found` is "" at the end of the expression; `expected` is a key of the message catalogue.
    """

    def __init__(self, position: int, found: str, expected: str) -> None:
        self.position, self.found, self.expected = position, found, expected
        super().__init__(f"{position}: {found!r}, {expected}")


@dataclass(frozen=True)
class Expression:
    """A condition on the variables of a form.

    variables: the names it reads, in order, `.` for the variable that the condition belongs to.
    numbers: those of them that it reads as a number, not only through selected, count-selected or `= ''`.
    codes: name and code of every answer that it asks for, as written: `${q} = 2`, `selected(${q}, '2')`.
    """

    text: str
    variables: tuple[str, ...]
    numbers: tuple[str, ...]
    codes: tuple[tuple[str, str], ...]
    _truth: Truth

    def evaluate(
        self,
        frame: Mapping[str, Any],
        this: str | None = None,
        *,
        answers: Mapping[str, Mapping[float, str]] | None = None,
        empty: Mapping[str, np.ndarray] | None = None,
    ) -> pd.Series:
        """Whether the condition holds, row by row: True, False, or NA where an answer that it needs is missing.

        frame: coded columns, numbers or dates, by variable; dates count as days since 1970. this: the variable that
            `.` means. answers: for a question that takes several answers, the column (1 chosen, 0 not) of each code.
            empty: by variable, the rows whose cell is empty for certain, because the question did not apply.

        XLSForm takes every empty cell as '', equal to nothing. On paper an empty cell may be an answer that nobody
        wrote down, so here a comparison with it is unknown and `and`, `or`, `not` are Kleene's; only `= ''` and
        coalesce see that it is empty. A cell in `empty` counts as in XLSForm. `0 div 0` is unknown.
        Raises KeyError where a column is missing.

        >>> parse("${age} >= 18 or . = ''").evaluate({"age": pd.Series([20, 3, np.nan])}, "age").tolist()
        [True, False, True]
        """
        rows = Rows(frame, this, answers or {}, empty or {})
        with np.errstate(all="ignore"):
            return pd.Series(self._truth(rows), rows.index)


def parse(text: str) -> Expression:
    """The condition that a text means, with XPath's precedence: or, and, comparison, + -, * div mod, minus.

    Raises ExpressionError, also for what XLSForm allows and would surprise: `1 < . < 3`, a number as a condition,
    today(), which means another day on every run.

    >>> parse("selected(${q5}, '2') and ${q1} > 3").variables
    ('q5', 'q1')
    """
    return _Parser(text).expression()


def rename(text: str, names: Mapping[str, str], codes: Mapping[str, Mapping[str, str]]) -> str:
    """The same condition on variables that have other names and codes than in the form that it comes from.

    names: the new name of every variable but `.`. codes: by old name, `.` too, the new code of each answer, both as
    text; answers of other variables must be numbers and stay. Raises ExpressionError as parse does, also where the
    size of a code matters that becomes another; KeyError for a variable or an answer that is not given.

    >>> rename("selected(${do}, 'yes') and ${age} > 3", {"do": "q1", "age": "q2"}, {"do": {"yes": "1"}})
    "selected(${q1}, '1') and ${q2} > 3"
    """
    parser = _Parser(text)
    parser.expression()
    for name, token in parser.sized.items():
        if any(old != new for old, new in codes.get(name, {}).items()):
            raise ExpressionError(token.position, token.text, "expression_code")
    written = {token: f"${{{names[token.value]}}}" for token in parser.names if token.value != THIS}
    for name, literal, quote in parser.asked:
        if name not in codes and np.isnan(as_number(literal.value)):
            raise KeyError(literal.value)
        code = codes[name][literal.value] if name in codes else literal.value
        written[literal] = f"{quote}{code}{quote}"
    for token in sorted(written, key=lambda token: -token.position):
        end = token.position - 1 + len(token.text)
        text = text[: token.position - 1] + written[token] + text[end:]
    return text


def as_number(literal: str) -> float:
    """The number that a literal of an expression means, with a decimal point; NaN for words.

    >>> as_number("2"), as_number("yes")
    (2.0, nan)
    """
    return float(literal) if re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)", literal) else np.nan


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    value: str
    position: int


@dataclass(frozen=True)
class _Node:
    """A part of an expression: `number` or `truth`, how to work it out, and its name or literal where it is one."""

    kind: str
    run: Callable[[Rows], Any]
    start: _Token
    name: str | None = None
    literal: _Token | None = None


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.token = next(self.tokens)
        self.depth = 0
        self.names: list[_Token] = []
        self.numbers: dict[str, None] = {}
        self.sized: dict[str, _Token] = {}  # variables that are compared by size or reckoned with
        self.asked: list[tuple[str, _Token, str]] = []  # variable, literal, the quotes that it must have

    def expression(self) -> Expression:
        holds = self.condition(self.disjunction())
        if self.token.kind != "end":
            raise self.unexpected("expression_operator")
        variables = dict.fromkeys(token.value for token in self.names)
        codes = dict.fromkeys((name, literal.value) for name, literal, _ in self.asked)
        return Expression(self.text, tuple(variables), tuple(self.numbers), tuple(codes), holds)

    def disjunction(self) -> _Node:
        return self.joined("or", self.conjunction, operator.or_)

    def conjunction(self) -> _Node:
        return self.joined("and", self.comparison, operator.and_)

    def joined(self, word: str, part: Callable[[], _Node], join: Callable) -> _Node:
        first = part()
        if self.token.text != word:
            return first
        parts = [self.condition(first)]
        while self.token.text == word:
            self.advance()
            parts.append(self.condition(part()))
        return _Node("truth", truth.joined(join, parts), first.start)

    def comparison(self) -> _Node:
        left = self.sum()
        sign = self.token.text
        if sign not in _COMPARISONS:
            return left
        self.advance()
        right = self.sum()
        if self.token.text in _COMPARISONS:
            raise self.unexpected("expression_chain")
        return _Node("truth", self.compared(left, sign, right), left.start)

    def compared(self, left: _Node, sign: str, right: _Node) -> Truth:
        if sign in ("=", "!="):
            for one, other in ((left, right), (right, left)):
                if other.literal and not other.literal.value:
                    empty = truth.is_unanswered(one.name) if one.name else truth.is_empty(self.number(one))
                    return empty if sign == "=" else truth.negated(empty)
                if one.name and other.literal:
                    self.asked.append((one.name, other.literal, ""))
                    self.numbers[one.name] = None
                    return truth.compared(_COMPARISONS[sign], one.run, other.run)
        return truth.compared(_COMPARISONS[sign], self.number(left), self.number(right))

    def sum(self) -> _Node:
        return self.reckoned(("+", "-"), self.product)

    def product(self) -> _Node:
        return self.reckoned(("*", "div", "mod"), self.signed)

    def reckoned(self, signs: tuple[str, ...], part: Callable[[], _Node]) -> _Node:
        first = part()
        if self.token.text not in signs:
            return first
        number, steps = self.number(first), []
        while (sign := self.token.text) in signs:
            self.advance()
            steps.append((_ARITHMETIC[sign], self.number(part())))
        return _Node("number", truth.reckoned(number, steps), first.start)

    def signed(self) -> _Node:
        start, factor = self.token, 1.0
        while self.token.text == "-":
            self.advance()
            factor = -factor
        node = self.atom()
        if start is node.start:
            return node
        steps = [(np.multiply, self.number(node))]
        return _Node("number", truth.reckoned(truth.constant(factor), steps), start)

    def atom(self) -> _Node:
        token = self.token
        if token.kind == "literal":
            self.advance()
            return _Node("number", truth.constant(as_number(token.value)), token, literal=token)
        if token.kind == "name":
            self.advance()
            self.names.append(token)
            return _Node("number", truth.variable(token.value), token, name=token.value)
        if token.kind == "word" and token.text in _FUNCTIONS:
            self.advance()
            count, function = _FUNCTIONS[token.text]
            kind, run = function(self, *self.arguments(count))
            return _Node(kind, run, token)
        if token.text == "(":
            (node,) = self.arguments(1)
            return _Node(node.kind, node.run, token, node.name, node.literal)
        if token.text == "today":
            raise self.unexpected("expression_today")
        raise self.unexpected("expression_function" if token.kind == "word" else "expression_value")

    def arguments(self, count: int) -> list[_Node]:
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.unexpected("expression_deep")
        self.take("(", "expression_open")
        found = [self.disjunction()]
        while len(found) < count:
            self.take(",", "expression_comma")
            found.append(self.disjunction())
        self.take(")", "expression_close")
        self.depth -= 1
        return found

    def selected(self, question: _Node, answer: _Node) -> tuple[str, Truth]:
        name, code = self.name(question), answer.literal
        if not code or not code.value:
            raise _refused(answer, "expression_code")
        self.asked.append((name, code, "'"))
        return "truth", truth.selected(name, as_number(code.value))

    def count_selected(self, question: _Node) -> tuple[str, Number]:
        return "number", truth.count_selected(self.name(question))

    def negated(self, node: _Node) -> tuple[str, Truth]:
        return "truth", truth.negated(self.condition(node))

    def chosen(self, condition: _Node, then: _Node, otherwise: _Node) -> tuple[str, Number]:
        return "number", truth.chosen(self.condition(condition), self.number(then), self.number(otherwise))

    def coalesced(self, first: _Node, second: _Node) -> tuple[str, Number]:
        return "number", truth.coalesced(self.number(first), self.number(second))

    def day(self, literal: _Node) -> tuple[str, Number]:
        try:
            day = date.fromisoformat(literal.literal.value if literal.literal else "")
        except ValueError:
            raise _refused(literal, "expression_date") from None
        return "number", truth.constant((day - date(1970, 1, 1)).days)

    def condition(self, node: _Node) -> Truth:
        if node.kind != "truth":
            raise _refused(node, "expression_condition")
        return node.run

    def number(self, node: _Node) -> Number:
        if node.kind != "number":
            raise _refused(node, "expression_value")
        if node.literal and node.literal.value and np.isnan(as_number(node.literal.value)):
            raise _refused(node, "expression_number")
        if node.name is not None:
            self.numbers[node.name] = None
            self.sized.setdefault(node.name, node.start)
        return node.run

    def name(self, node: _Node) -> str:
        if node.name is None:
            raise _refused(node, "expression_name")
        return node.name

    def advance(self) -> None:
        self.token = next(self.tokens)

    def take(self, sign: str, expected: str) -> None:
        if self.token.text != sign:
            raise self.unexpected(expected)
        self.advance()

    def unexpected(self, expected: str) -> ExpressionError:
        token = self.token
        around = self.text[token.position - 2 : token.position + 1]
        if token.text == "," and re.fullmatch("[0-9],[0-9]", around):
            expected = "expression_point"
        return ExpressionError(token.position, token.text, expected)


_FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "selected": (2, _Parser.selected),
    "count-selected": (1, _Parser.count_selected),
    "not": (1, _Parser.negated),
    "if": (3, _Parser.chosen),
    "coalesce": (2, _Parser.coalesced),
    "date": (1, _Parser.day),
}


def _tokens(text: str) -> Iterator[_Token]:
    text = text.translate(_STRAIGHT_QUOTES)
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            expected = {"'": "expression_quote", '"': "expression_quote", "$": "expression_name"}
            raise ExpressionError(at + 1, text[at], expected.get(text[at], "expression_sign"))
        kind, value = str(found.lastgroup), found[str(found.lastgroup)]
        if kind == "text":
            kind, value = "literal", value[1:-1].strip()
        elif kind == "number":
            kind = "literal"
        elif value == THIS:
            kind = "name"
        if kind != "space":
            yield _Token(kind, found[0], value, at + 1)
        at = found.end()
    yield _Token("end", "", "", len(text) + 1)


def _refused(node: _Node, expected: str) -> ExpressionError:
    return ExpressionError(node.start.position, node.start.text, expected)
