"""Spreadsheets: no text becomes a formula, numbers stay, what was written can be read back."""

import csv
import io
import time
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.spreadsheets import neutral, restored, safe_csv, save_workbook, write_text

DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
TEXTS = st.text(st.sampled_from("=+-@'\t\r\n;, \"a1.|＝＠"), max_size=8)


# The first six from OWASP's page "CSV Injection".
@pytest.mark.parametrize(
    "text",
    ["=1+2", '=1+2";=1+2', "=1+2'\" ;,=1+2", "@SUM(1+1)*cmd|' /C calc'!A0", "-2+3+cmd|' /C calc'!D2", "\t=1+2",
     "+1|A0", "\r=1", "\n=1", " =1", "\xa0=1", "＝1+2", "-", "--1", "+84=1", "'=1", "-1e5x"],
)  # fmt: skip
def test_what_would_be_computed_is_quoted(text):
    assert neutral(text).startswith("'")
    assert restored(neutral(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "Hài lòng", "-2.5", "+3,1", "−2,5", "-1.2e-07", "+1,2 đến +3,4", "-1.0 to +2.0", "+0.45 (-0.12 to +0.70)",
     "12 / 13", "-5%", "a=b", "5-7", "'quoted'", "a; b"],
)  # fmt: skip
def test_numbers_and_plain_words_stay(text):
    assert neutral(text) == text == restored(text)


@given(TEXTS)
def test_quoting_can_be_undone(text):
    assert restored(neutral(text)) == text


@given(st.lists(st.tuples(TEXTS, st.floats(allow_nan=False)), min_size=1), st.sampled_from(",;\t"))
def test_no_cell_is_live_whatever_separator_a_program_takes(rows, separator):
    data = safe_csv(pd.DataFrame(rows, columns=["=x", "y"])).decode()
    cells = [cell for row in csv.reader(io.StringIO(data, newline=""), delimiter=separator) for cell in row]
    live = [cell for cell in cells if cell.lstrip(" \xa0").startswith(DANGEROUS[:4])]
    # What stays is a number, or one followed by the rest of its line where the comma does not separate.
    assert all(cell.replace(",", "").replace(".", "")[1:2].isdigit() or cell.startswith("-inf") for cell in live)


def test_numbers_come_back_exactly_and_texts_restored():
    values = np.random.default_rng(1).normal(size=50) * 10.0 ** np.arange(-25, 25)
    frame = pd.DataFrame({"x": values, "text": ["=1", "b"] * 25, "kind": pd.Categorical(["-a", "b"] * 25)})
    found = pd.read_csv(io.BytesIO(safe_csv(frame)))
    assert (found["x"] == frame["x"]).all()
    assert found["text"].map(restored).tolist() == frame["text"].tolist()
    assert found["kind"].tolist() == ["'-a", "b"] * 25


def test_without_texts_the_bytes_are_those_of_pandas():
    frame = pd.DataFrame({"a": [0.1, np.nan], "b": [1, -2], "c": ["x", None], "d": ["−1", "+2,5"]})
    assert safe_csv(frame) == frame.to_csv(index=False, lineterminator="\n").encode()
    assert safe_csv(frame, encoding="utf-8-sig").startswith(b"\xef\xbb\xbfa,b")
    assert safe_csv(frame[[]].iloc[:0]) == frame[[]].iloc[:0].to_csv(index=False, lineterminator="\n").encode()


def test_a_workbook_holds_text_and_no_formula(tmp_path):
    book = openpyxl.Workbook()
    book.active["A1"] = "=1+1"
    write_text(book.active["A2"], "=1+1")
    book.save(tmp_path / "book.xlsx")
    found = openpyxl.load_workbook(tmp_path / "book.xlsx").active
    assert [found[name].data_type for name in ("A1", "A2")] == ["f", "s"]
    assert found["A2"].value == "=1+1" and found["A2"].quotePrefix


def test_a_saved_workbook_has_no_clock_time(tmp_path, monkeypatch):
    for name, year in (("a.xlsx", "2001"), ("b.xlsx", "2031")):
        monkeypatch.setattr("time.localtime", lambda *_, year=year: time.strptime(year, "%Y"))
        book = openpyxl.Workbook()
        book.active["A1"] = 1
        save_workbook(book, tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.xlsx") as parts:
        assert {part.date_time for part in parts.infolist()} == {(2000, 1, 1, 0, 0, 0)}
        assert parts.read("docProps/core.xml").count(b"2000-01-01T00:00:00Z") == 2
    assert openpyxl.load_workbook(tmp_path / "a.xlsx").active["A1"].value == 1
