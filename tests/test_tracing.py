"""Traced strings: any sentence of them gives back its words and where each number came from."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.language import number, plain
from evalkit.numerals import stray_numerals
from evalkit.tracing import add, as_name, resolve, start_tracing, trace, tracing, unmarked

WORDS = st.text(st.characters(exclude_categories=["Cs", "Co"]), max_size=12)
SIZES = st.floats(-1e9, 1e9) | st.just(math.nan)
PIECES = st.lists(st.tuples(WORDS, SIZES, st.integers(0, 6)), max_size=8)


@given(PIECES, WORDS, st.sampled_from(["vi", "en"]))
def test_any_sentence_of_traced_numbers_resolves_to_itself_and_its_origins(pieces, end, language):
    with tracing(False):
        expected = "".join(words + number(value, digits, language) for words, value, digits in pieces) + end
    with tracing():
        sentence = "".join(words + number(value, digits, language) for words, value, digits in pieces) + end
        words, spans = resolve(sentence)
    assert words == unmarked(sentence) == expected
    assert [(span.origin.value, span.origin.rule["decimals"]) for span in spans] == [
        (pytest.approx(value, rel=0, abs=0, nan_ok=True), digits) for _, value, digits in pieces
    ]
    for span in spans:
        assert words[span.start : span.end] == unmarked(span.origin.shown)
    assert all(one.end <= other.start for one, other in pairwise(spans))


@given(st.lists(SIZES, min_size=1, max_size=4), WORDS)
def test_claims_hold_their_numbers_outer_before_inner(values, end):
    with tracing():
        inner = ", ".join(number(value, 1, "en") for value in values)
        claim = trace("claim", f"rose by {inner}", rule={"is": "rise"})
        words, spans = resolve(f"It {claim}.{end}")
    assert [span.origin.kind for span in spans] == ["claim"] + ["number"] * len(values)
    assert words[spans[0].start : spans[0].end] == f"rose by {unmarked(inner)}"
    assert all(spans[0].start <= span.start and span.end <= spans[0].end for span in spans)


@given(st.lists(st.tuples(WORDS, st.booleans()), max_size=6))
def test_escaped_strings_are_found_escaped_or_as_they_were(pieces):
    with tracing():
        sentence = "".join(plain(as_name(words)) if escaped else as_name(words) for words, escaped in pieces)
        words, spans = resolve(sentence, escaped=plain)
    assert words == "".join(plain(words) if escaped else words for words, escaped in pieces)
    assert sorted(span.origin.value for span in spans) == sorted(words for words, _ in pieces)


@pytest.mark.parametrize("cut", [lambda traced: "9" + traced[-1:], lambda traced: traced[:-2] + traced[-1:],
                                 lambda traced: traced[1:], lambda traced: traced[-1:]])  # fmt: skip
def test_a_cut_string_is_refused(cut):
    with tracing(), pytest.raises(ValueError, match=r"a traced string was cut: '12\.5'"):
        resolve("It was " + cut(number(12.5, 1, "en")))


def test_more_is_said_of_the_number_that_a_string_ends_with_and_of_nothing_else():
    with tracing():
        shown = add(number(1.25, 1, "en"), key="a/b")
        assert resolve(shown)[1][0].origin.about == {"key": "a/b"}
        assert add("no number", key="c") == "no number" and add("", key="c") == ""


def test_what_is_traced_is_traced_until_its_block_ends():
    assert number(3, 0, "en") == "3"
    with tracing():
        outer = number(3, 0, "en")
        with tracing(False):
            assert number(4, 0, "en") == "4"
        with tracing():
            inner = number(5, 0, "en")
        start_tracing()  # goes on with the same numbers
        assert [span.origin.value for span in resolve(f"{outer} {inner} {number(6, 0, 'en')}")[1]] == [3, 5, 6]
    assert number(3, 0, "en") == "3"


def test_a_name_answers_for_its_numerals_and_a_claim_for_none():
    with tracing():
        words, spans = resolve(trace("claim", f"class {as_name('7A')} had 31"))
    assert stray_numerals(words, spans, {}) == ["class 7A had ▸31"]
