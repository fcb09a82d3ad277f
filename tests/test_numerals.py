"""Numerals that nobody answers for."""

from dataclasses import dataclass

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from evalkit.language import number
from evalkit.numerals import declared_numerals, stray_numerals
from evalkit.tracing import resolve, tracing


@dataclass
class Held:
    words: str


class Model(BaseModel):
    words: str


TABLE = [
    ("Nghị định 30/2020 và 12 xã", ["Nghị định 30/2020"], ["Nghị định 30/2020 và ▸12 xã"]),
    ("Câu 4 và câu 5", ["Câu 4"], ["Câu 4 và câu ▸5"]),
    ("12 xã, 12 phường", ["12 xã"], ["12 xã, ▸12 phường"]),
    ("30 xã", ["Nghị định 30/2020"], ["▸30 xã"]),  # its numeral, but not its words
    ("45", ["45"], ["▸45"]),  # a bare numeral answers for none like it
    ("112 xã", ["12 xã"], ["▸112 xã"]),  # only the tail of the numeral stands there
    ("1.234,5 điểm", [], ["▸1.234,5 điểm"]),
    ("dòng 1\nlà Câu 4", ["Câu 4"], ["dòng ▸1 là Câu 4"]),
    ("q1_2 \\[x\\]", ["q1_2 [x]"], ["q▸1_2 \\[x\\]", "q1_▸2 \\[x\\]"]),
    ("q1\\_2 \\[x\\]", ["q1_2 [x]"], []),  # as Markdown shows it
    ("không có số", [], []),
]


@pytest.mark.parametrize(("words", "declared", "expected"), TABLE)
def test_strays_are_found_with_their_context(words, declared, expected):
    assert stray_numerals(words, [], declared_numerals(*declared)) == expected


@pytest.mark.parametrize("source", [
    "Mẫu  2C\u0301", Held("Mẫu 2Ć"), Model(words="Mẫu 2Ć"), {"a": ["Mẫu 2Ć"]}, {"Mẫu 2Ć": 1}, ({"Mẫu 2Ć"},),
    pd.DataFrame({"a": ["Mẫu 2Ć", None, 3]}), pd.DataFrame({"Mẫu 2Ć": [1]}), pd.Series(["Mẫu 2Ć"], name="a"),
])  # fmt: skip
def test_declared_texts_are_found_at_any_depth(source):
    declared = declared_numerals(source)
    assert stray_numerals("theo Mẫu 2Ć", [], declared) == []
    assert stray_numerals("theo Mẫu 2D", [], declared) == ["theo Mẫu ▸2D"]


def test_records_do_not_answer_for_numerals():
    answers = pd.DataFrame({"a": [f"Ấp {at}" for at in range(2001)]})
    assert stray_numerals("Ấp 7", [], declared_numerals(answers)) == ["Ấp ▸7"]
    assert stray_numerals("Ấp 7", [], declared_numerals(answers[:2000])) == []


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans()), min_size=1, max_size=6))
def test_each_numeral_is_traced_or_stray(pieces):
    told = []
    with tracing():
        for value, traced in pieces:
            with tracing(traced):
                told.append(number(value, 2, "vi"))
        words, spans = resolve(" và ".join(told))
    assert len(stray_numerals(words, spans, {})) == sum(not traced for _, traced in pieces)
