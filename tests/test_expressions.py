"""Expressions of relevant and constraint: what they mean, row by row, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from evalkit.expressions import ExpressionError, parse
from evalkit.language import LANGUAGES, text

NA = None
FORMS = pd.DataFrame(
    {
        "a": [1.0, 2.0, np.nan],
        "b": [0.0, 5.0, 5.0],
        "day": pd.to_datetime(["2026-01-05", "2026-02-01", None]),
        "q5_1": [1.0, 0.0, np.nan],
        "q5_2": [1.0, 0.0, np.nan],
    }
)
QUESTIONS = {"q5": {1.0: "q5_1", 2.0: "q5_2"}}
SURVEYS = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "utilityr_kobo" / "survey.csv"


def evaluate(expression, this="a", **known):
    found = parse(expression).evaluate(FORMS, this, answers=QUESTIONS, **known)
    return [NA if value is pd.NA else value for value in found]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # by hand: a = 1, 2, missing; b = 0, 5, 5
        ("${a} = 1", [True, False, NA]),
        (". != 1", [False, True, NA]),
        ("${a}>1 and ${b}>1", [False, True, NA]),
        ("${a} > 1 or ${b} = 5", [False, True, True]),
        ("${a} = 1 or ${a} = 2 and ${b} = 0", [True, False, NA]),  # and binds closer
        ("not(. = 1) and ${b} = 0", [False, False, False]),
        ("1 + 2 * ${a} = 3", [True, False, NA]),
        ("10 - 4 - ${a} = 5", [True, False, NA]),
        ("8 div 2 div ${a} = 4", [True, False, NA]),
        ("-7 mod 3 = -${a}", [True, False, NA]),  # the remainder has the sign of the dividend, as in XPath
        ("- -${a} >= .5", [True, True, NA]),
        ("${a} div ${b} > 100", [True, False, NA]),  # 1 div 0 is infinite, as in XPath
        ("(${b} * 0) div ${b} = 0", [NA, True, True]),  # 0 div 0 has no value
        (". = ''", [False, False, True]),
        ("'' != .", [True, True, False]),
        ("coalesce(., '') = ''", [False, False, True]),
        ("${q5} = ''", [False, False, True]),
        ("coalesce(${a}, ${b}) = 5", [False, False, True]),
        ("if(${a} = 1, 10, ${b}) = 5", [False, True, NA]),
        ("selected(${a}, '1')", [True, False, NA]),
        ("selected(${a}, 1)", [True, False, NA]),
        ("selected(${q5}, '2')", [True, False, NA]),
        ("count-selected(${q5}) = 2", [True, False, NA]),
        ("count-selected(.) = 1", [True, True, NA]),
        ("${day} > date('2026-01-05')", [False, True, NA]),
        ("${day} - date('2026-01-01') = 4 * ${a}", [True, False, NA]),
        ("${a} = ‘1’ or ${a} = “2”", [True, True, NA]),  # quotes as Word types them
    ],
)
def test_meaning(expression, expected):
    assert evaluate(expression) == expected


@pytest.mark.parametrize(
    ("expression", "last"),
    [
        ("${a} = 1", False),
        ("${a} != 1", True),
        ("${a} < 1", False),
        ("${a} + 1 > 0", False),
        ("not(selected(${a}, '1'))", True),
        ("count-selected(${a}) = 0", True),
        ("count-selected(${q5}) = 0", True),
        ("not(selected(${q5}, '2'))", True),
        ("${a} = ''", True),
    ],
)
def test_a_cell_that_is_empty_for_certain_counts_as_in_xlsform(expression, last):
    certain = np.array([False, False, True])
    assert evaluate(expression, empty={"a": certain, "q5": certain})[2] == last


def test_what_an_expression_reads():
    found = parse("selected(${q5}, '2') and (. + ${a} > 1 or ${b} = '3' or ${c} = '' or count-selected(${d}) > 1)")
    assert found.variables == ("q5", ".", "a", "b", "c", "d")
    assert set(found.numbers) == {".", "a", "b"}
    assert found.codes == (("q5", "2"), ("b", "3"))


@pytest.mark.parametrize(
    ("expression", "position", "found", "expected"),
    [
        ("", 1, "", "value"),
        ("${a} =", 7, "", "value"),
        ("${a}", 1, "${a}", "condition"),
        ("not(${a})", 5, "${a}", "condition"),
        ("if(${a}, 1, 2) = 1", 4, "${a}", "condition"),
        ("(. = 1) + 1 = 2", 1, "(", "value"),
        ("(. = 1) = 1", 1, "(", "value"),
        ("1 < . < 3", 7, "<", "chain"),
        (". = 1 . = 2", 7, ".", "operator"),
        (". > 2,5", 6, ",", "point"),
        ("selected(${a}, 2,5)", 17, ",", "point"),
        ("if(. > 1, 2, 3,5) = 2", 15, ",", "point"),
        (". <= today()", 6, "today", "today"),
        ("regex(., '[0-9]+')", 1, "regex", "function"),
        ("string-length(.) = 10", 1, "string-length", "function"),
        ("yes = .", 1, "yes", "function"),
        ("selected(., ${a})", 13, "${a}", "code"),
        ("selected(., '')", 13, "''", "code"),
        ("selected(1, '1')", 10, "1", "name"),
        ("selected(.)", 11, ")", "comma"),
        ("not . = 1", 5, ".", "open"),
        ("(. = 1", 7, "", "close"),
        (". = 'abc", 5, "'", "quote"),
        ("${a b} = 1", 1, "$", "name"),
        (". ≥ 3", 3, "≥", "sign"),
        (". == 3", 4, "=", "value"),
        (". < 'abc'", 5, "'abc'", "number"),
        (". >= '2026-01-31'", 6, "'2026-01-31'", "number"),
        (". = date('31/01/2026')", 10, "'31/01/2026'", "date"),
        (". = date('2026-02-30')", 10, "'2026-02-30'", "date"),
        ("(" * 21 + ". = 1" + ")" * 21, 21, "(", "deep"),
        ("-" * 3000 + "(" * 3000, 3021, "(", "deep"),
        ("not(" * 3000, 84, "(", "deep"),
    ],
)
def test_refusals(expression, position, found, expected):
    with pytest.raises(ExpressionError) as error:
        parse(expression)
    assert (error.value.position, error.value.found, error.value.expected) == (
        position,
        found,
        f"expression_{expected}",
    )
    assert all(text(error.value.expected, language) for language in LANGUAGES)


@pytest.mark.parametrize(
    ("part", "join", "rest"), [("${a} = 1", " and ", ""), ("${a} = 1", " or ", ""), ("${a}", " + ", " = 5000")]
)
def test_long_expressions_need_no_depth(part, join, rest):
    assert evaluate(join.join([part] * 5000) + rest) == [True, False, NA]


LAWS = [
    ("not(P and Q)", "not(P) or not(Q)"),
    ("not(P or Q)", "not(P) and not(Q)"),
    ("P and Q", "Q and P"),
    ("P or (Q and R)", "(P or Q) and (P or R)"),
    ("P and (Q or R)", "(P and Q) or (P and R)"),
    ("P and (P or Q)", "P"),
    ("not(not(P))", "P"),
    ("P and P", "P"),
]


@pytest.mark.parametrize(("one", "other"), LAWS)
def test_laws_of_kleene_for_all_truth_values(one, other):
    states = [1.0, 0.0, np.nan]
    frame = pd.DataFrame([(p, q, r) for p in states for q in states for r in states], columns=list("PQR"))
    found = []
    for law in (one, other):
        for name in "PQR":
            law = law.replace(name, f"(${{{name}}} = 1)")
        found.append(parse(law).evaluate(frame))
    pd.testing.assert_series_equal(*found)


# Plain Python, one row at a time: a value is a float or None, a truth True, False or None.


def arithmetic(sign, left, right):
    if left is None or right is None:
        return None
    with np.errstate(all="ignore"):
        left, right = np.float64(left), np.float64(right)
        if sign in ("div", "mod"):
            found = left / right if sign == "div" else np.fmod(left, right)
        else:
            found = {"+": left + right, "-": left - right, "*": left * right}[sign]
    return None if np.isnan(found) else float(found)


def compare(sign, left, right):
    if left is None or right is None:
        return None
    above, equal = left > right, left == right
    signs = {
        "=": equal,
        "!=": not equal,
        "<": not (above or equal),
        "<=": not above,
        ">": above,
        ">=": above or equal,
    }
    return signs[sign]


def kleene_and(p, q):
    return False if False in (p, q) else None if None in (p, q) else True


def kleene_not(p):
    return None if p is None else not p


def binary(signs, parts, work):
    return st.builds(
        lambda p, s, q: (f"({p[0]} {s} {q[0]})", lambda row: work(s, p[1](row), q[1](row))),
        parts,
        st.sampled_from(signs),
        parts,
    )


names = st.sampled_from("ab").map(lambda name: (f"${{{name}}}", lambda row: row[name]))
constants = st.sampled_from([0, 1, 2, 2.5]).map(lambda value: (f"{value}", lambda row: float(value)))
numbers = st.recursive(
    names | constants,
    lambda parts: st.one_of(
        binary(["+", "-", "*", "div", "mod"], parts, arithmetic),
        parts.map(lambda p: (f"-{p[0]}", lambda row: arithmetic("*", -1, p[1](row)))),
        st.builds(
            lambda p, q: (f"coalesce({p[0]}, {q[0]})", lambda row: q[1](row) if p[1](row) is None else p[1](row)),
            parts,
            parts,
        ),
    ),
    max_leaves=5,
)
leaves = st.one_of(
    binary(["=", "!=", "<", "<=", ">", ">="], numbers, compare),
    names.map(lambda n: (f"{n[0]} = ''", lambda row: n[1](row) is None)),
    names.map(lambda n: (f"selected({n[0]}, '1')", lambda row: compare("=", n[1](row), 1))),
)
truths = st.recursive(
    leaves,
    lambda parts: st.one_of(
        binary(["and"], parts, lambda _, p, q: kleene_and(p, q)),
        binary(["or"], parts, lambda _, p, q: kleene_not(kleene_and(kleene_not(p), kleene_not(q)))),
        parts.map(lambda p: (f"not({p[0]})", lambda row: kleene_not(p[1](row)))),
    ),
    max_leaves=6,
)
cells = st.none() | st.sampled_from([0.0, 1.0, 2.0, 2.5, -3.0])


@given(truths, st.lists(st.fixed_dictionaries({"a": cells, "b": cells}), min_size=1, max_size=8))
@settings(deadline=None)
def test_evaluation_equals_plain_python_row_by_row(truth, rows):
    expression, by_hand = truth
    try:
        parsed = parse(expression)
    except ExpressionError as error:
        assume(error.expected != "expression_deep")
        raise
    found = parsed.evaluate(pd.DataFrame(rows, columns=["a", "b"], dtype=float))
    assert [NA if value is pd.NA else value for value in found] == [by_hand(row) for row in rows]


PIECES = [
    "${a}",
    ".",
    "1",
    "2,5",
    "'x'",
    "''",
    "(",
    ")",
    ",",
    "=",
    "!=",
    "<",
    ">=",
    "+",
    "-",
    "*",
    " and ",
    " or ",
    " div ",
]
PIECES += [
    " mod ",
    "not(",
    "selected(",
    "count-selected(",
    "if(",
    "coalesce(",
    "date(",
    "date('2026-01-05')",
    "‘",
    "$",
    "{",
]
scraps = st.text(max_size=40) | st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def only_expression_errors(scrap):
    try:
        found = parse(scrap)
    except ExpressionError as error:
        assert 1 <= error.position <= len(scrap) + 1
        assert all(text(error.expected, language) for language in LANGUAGES)
    else:
        frame = pd.DataFrame({name: [1.0, np.nan] for name in {"this", *found.variables}})
        assert found.evaluate(frame, "this").dtype == "boolean"


@given(scraps)
@settings(max_examples=200, deadline=None)
def test_any_text_parses_or_says_what_is_wrong(scrap):
    only_expression_errors(scrap)


@pytest.mark.slow
@given(scraps)
@settings(max_examples=20_000, deadline=None)
def test_any_text_parses_or_says_what_is_wrong_long(scrap):
    only_expression_errors(scrap)


@pytest.mark.skipif(not SURVEYS.exists(), reason="the Kobo form lies outside the repository")
def test_expressions_of_a_real_form():
    with SURVEYS.open(encoding="utf-8-sig", newline="") as file:
        rules = [row[column] for row in csv.DictReader(file) for column in ("relevant", "constraint") if row[column]]
    assert len(rules) > 40
    assert all(parse(rule).variables for rule in rules)
