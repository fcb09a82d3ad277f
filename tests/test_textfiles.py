import csv
import io
import random
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.encodings import encode_as
from evalkit.errors import DataError
from evalkit.language import text
from evalkit.textfiles import MOST_BYTES, read_table, read_text

TABLE = "Đơn vị,Câu 1\nXã A,Rất hài lòng\nXã B,Không biết\n"
BROKEN = TABLE.encode() * 40 + b"X\xe3 C,H\xe0i l\xf2ng\n" + TABLE.encode()
CLASSIC = "Đơn vị,Ý kiến của người dân\n" + "Xã Hòa Thuận,Rất hài lòng với thái độ phục vụ của cán bộ\n" * 20
EMPTY = "raw.csv: the file is empty; it must have a header row and data."
NOT_TEXT = "raw.csv: the content is not readable text; a csv file in UTF-8 is needed."
NUL = (
    "raw.csv, line {}: the line holds a NUL character (the file is damaged or was not copied to its end); export or "
    "copy it again."
)
MIXED = (
    "raw.csv, line {}: the line is not UTF-8 while the rest of the file is; files of two encodings were joined, or "
    "the line is damaged: type it again or export the file again."
)
WIDE = (
    "raw.csv, line 1: the row has {} cells, more than the 16384 that a sheet can hold; check the delimiters and line "
    "breaks."
)
QUOTING = "raw.csv, line {}: the csv quoting is broken ({}); correct this line."
DECLARED = (
    'raw.csv: the file is not in the declared encoding "{}"; correct the key encoding of the wave in study.toml, or '
    "leave it out and have it found."
)


@pytest.fixture
def read(tmp_path):
    def reader(content, **options):
        path = tmp_path / "raw.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_text(path, "raw.csv", **options)

    return reader


def expected(text, delimiter=","):
    """What the module csv gives: the line where each row begins, and its cells."""
    file = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, start = {}, 1
    for cells in file:
        if any(cell.strip() for cell in cells):
            rows[start] = cells
        start = file.line_num + 1
    width = max(map(len, rows.values()))
    return {line: cells + [""] * (width - len(cells)) for line, cells in rows.items()}


def table_of(grid):
    return {
        line: list(cells) for line, cells in zip(grid.cells.index, grid.cells.to_numpy(dtype=object), strict=True)
    }


def in_order_of_appearance(cells):
    return all(list(cells[at].cat.categories) == list(cells[at].unique()) for at in cells)


CELLS = st.text(alphabet='ab ế"\n\r,;\t|\u00a0\u2028', max_size=4) | st.sampled_from(
    ["", "Có", "NA", "null", '"', " x "]
)
TABLES = st.lists(st.lists(CELLS, min_size=1, max_size=4), min_size=1, max_size=6) | st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=6)
)


@settings(max_examples=200, deadline=None)
@given(TABLES, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans(), st.integers(0, 3), st.data())
def test_every_table_reads_as_written(tmp_path_factory, rows, end, quoted, blank, data):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator=end, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    # A head of plain rows, so that no other delimiter is as likely.
    writer.writerows([["a", "b", "c", "d"][: max(2, len(rows[0]))]] * 20)
    for row in rows:
        file.write(end * (blank and data.draw(st.integers(0, blank))))
        writer.writerow(row)
    text = file.getvalue().removesuffix(end if data.draw(st.booleans()) else "\0")
    path = tmp_path_factory.mktemp("table") / "raw.csv"
    path.write_bytes(data.draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text.encode())
    grid = read_text(path, "raw.csv")
    assert table_of(grid) == expected(text)
    assert in_order_of_appearance(grid.cells)


@pytest.mark.parametrize(
    ("end", "quoting"), [("\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_MINIMAL)]
)
def test_the_shape_of_one_row_changes_no_other(read, end, quoting):
    """A line break in the last row sends the file the other way; beyond several blocks nothing else may differ."""
    rng = np.random.default_rng(4)
    labels = np.array(["Rất hài lòng" * 9, 'gọi là "tốt"' * 9, "xã, phường", "", " ", "Không"], dtype=object)
    rows = [["mã", *"abcdefgh"], *([str(at), *labels[rng.integers(0, 6, 8)]] for at in range(6_000)), [""] * 9]
    grids = []
    for last in ([["hết"] + [""] * 8], [[f"hết{end}rồi"] + [""] * 8]):
        file = io.StringIO()
        csv.writer(file, lineterminator=end, quoting=quoting).writerows(rows + last)
        grids.append(read(file.getvalue()).cells)
    regular, irregular = grids
    assert regular.index[-1] == irregular.index[-1] == 6_003
    pd.testing.assert_frame_equal(
        *(frame.iloc[:-1].apply(lambda column: column.cat.remove_unused_categories()) for frame in grids)
    )
    assert in_order_of_appearance(regular)
    assert in_order_of_appearance(irregular)


@pytest.mark.parametrize(
    ("content", "cells"),
    [
        ("a,b\n", {1: ["a", "b"]}),
        ("a\nb\n\nc", {1: ["a"], 2: ["b"], 4: ["c"]}),
        ("a;b,c\n1;2,5\n2;3,5\n", {1: ["a", "b,c"], 2: ["1", "2,5"], 3: ["2", "3,5"]}),
        ("a|b\n1|2\n", {1: ["a", "b"], 2: ["1", "2"]}),
        ("a\tb\n1\t2\n", {1: ["a", "b"], 2: ["1", "2"]}),
        ("PHIẾU\n\na,b\n1,2,3\n", {1: ["PHIẾU", "", ""], 3: ["a", "b", ""], 4: ["1", "2", "3"]}),
        ('a,b\n"1\n2",3\n , \n4,5\n', {1: ["a", "b"], 2: ["1\n2", "3"], 5: ["4", "5"]}),
        ('a,b\n5" ,x"y\n', {1: ["a", "b"], 2: ['5" ', 'x"y']}),
    ],
)
def test_cells_and_lines_are_those_of_an_editor(read, content, cells):
    grid = read(content)
    assert table_of(grid) == cells
    assert grid.cells.index.name == "line"
    assert grid.notices == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [TABLE, '"tên",\n' + TABLE, "\n" + TABLE])
def test_unicode_in_every_form_gives_the_same(read, encoding, text):
    grid = read(text.encode(encoding))
    assert table_of(grid) == expected(text)
    assert [notice.key for notice in grid.notices] == ["textfile_wide"] * encoding.endswith("e")


@pytest.mark.parametrize("encoding", ["tcvn3", "vni", "viscii", "cp1258"])
def test_an_old_encoding_is_found_and_said_unless_declared(read, encoding):
    data = encode_as(CLASSIC, encoding)
    found, declared = read(data), read(data, encoding=encoding)
    assert [cell.lower() for cell in found.cells[1]] == [row[1].lower() for row in expected(CLASSIC).values()]
    pd.testing.assert_frame_equal(found.cells, declared.cells)
    assert declared.notices == ()
    (notice,) = found.notices
    assert f"raw.csv: read as {encoding.upper()} (confidence " in notice.message("en")
    assert 50 <= notice.values["confidence"] <= 100


@pytest.mark.parametrize(
    ("content", "problems"),
    [
        (b"", EMPTY),
        (b" \r\n,,\r\n", EMPTY),
        (b"\xef\xbb\xbf", EMPTY),
        ("\ufeff".encode("utf-16-le"), EMPTY),
        (b"a\0b\0", NOT_TEXT),
        (b"\xff\xfea\0\0\0", NOT_TEXT),
        (b"PK\x03\x04", "raw.csv: " + text("file_not_csv", "en", kind="xlsx / ods")),
        (TABLE.encode() + b"Xa\0 C,1\nX,2\n" + b"\0" * 5, [NUL.format(4), NUL.format(6)]),
        (TABLE.encode() + b"Xa\0 C,1\nX,\xe0\n", [NUL.format(4), MIXED.format(5)]),
        (BROKEN, MIXED.format(121)),
        (TABLE + '"Xã C","1\nXã D,2\n', QUOTING.format(4, "unexpected end of data")),
        (TABLE + '"Xã "C"",1\n', QUOTING.format(4, "',' expected after '\"'")),
        (TABLE + "x" * 200_000 + ",1\n", QUOTING.format(4, "field larger than field limit (131072)")),
        ("," * 20_000 + "a\n", WIDE.format(20_001)),
        (",".join("ab" * 20_000) + "\n1\n", WIDE.format(40_000)),
        ("1,2\n" * 3_000 + "1," * 9_999 + "1\n", "raw.csv, line 3001: the row has 10000 cells, the header 5 columns; "
         "check the delimiters."),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_line(read, content, problems):
    with pytest.raises(DataError) as caught:
        read(content)
    assert [problem.message("en") for problem in caught.value.problems] == (
        [problems] if isinstance(problems, str) else problems
    )


@pytest.mark.parametrize(
    ("encoding", "content", "problem"),
    [("utf-8", encode_as(CLASSIC, "tcvn3"), DECLARED.format("utf-8")), ("utf-8", BROKEN, MIXED.format(121)),
     ("utf-16", b"abc", DECLARED.format("utf-16"))],
)  # fmt: skip
def test_a_declared_encoding_must_fit(read, encoding, content, problem):
    with pytest.raises(DataError) as caught:
        read(content, encoding=encoding)
    assert [problem.message("en") for problem in caught.value.problems] == [problem]


def test_files_that_cannot_be_read_are_named(tmp_path):
    huge = tmp_path / "huge.csv"
    with huge.open("wb") as file:
        file.truncate(MOST_BYTES + 500_000_000)  # a hole: nothing is written, and nothing may be read
    start = time.perf_counter()
    for path, message in [
        (huge, "huge.csv: the file has 2000 MB, more than the 1500 MB that are read"),
        (tmp_path / "none.csv", "none.csv: the file is not there"),
        (tmp_path, f"{tmp_path.name}: the file cannot be opened"),
    ]:
        with pytest.raises(DataError, match="^" + message):
            read_text(path, path.name)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("last", ["", pytest.param("1,2\n", marks=pytest.mark.slow)])
def test_ten_thousand_columns_are_read(read, last):
    grid = read((",".join(f"c{at}" for at in range(10_000)) + "\n") * 3 + last)
    assert grid.cells.shape == (3 + bool(last), 10_000)
    assert grid.cells.iloc[1, 9_999] == "c9999"
    assert not last or grid.cells.iloc[3, :3].tolist() == ["1", "2", ""]


def test_one_endless_line_is_refused(read):
    for cell, message in [("x", "line 1: the line has 80 million characters"), ("1,", "the row has|the line has")]:
        with pytest.raises(DataError, match=message):
            read(cell * (80_000_000 // len(cell)))


def test_optional_columns_may_be_missing(tmp_path):
    path = tmp_path / "codebook.csv"
    path.write_text("a,c\n1,2\n", encoding="utf-8")
    assert read_table(path, "codebook.csv", ("a",), optional=("b", "c")) == [{"a": "1", "b": "", "c": "2", "line": 2}]
    path.write_text("b,d,b\n1,2,3\n", encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_table(path, "codebook.csv", ("a",), optional=("b", "c"))
    assert [problem.message("en") for problem in caught.value.problems] == [
        'codebook.csv, line 1: unknown column "d"; the columns are: a, b, c.',
        'codebook.csv, line 1: the column "b" occurs twice; keep one.',
        'codebook.csv, line 1: the column "a" is missing.',
    ]


@pytest.mark.slow
def test_random_bytes_give_a_grid_or_a_clear_error(tmp_path):
    rng = random.Random(7)
    path = tmp_path / "rubbish.csv"
    pieces = [b",", b";", b"\t", b"|", b"\n", b"\r\n", b"\r", b'"', b'""', b"\0", b"\xef\xbb\xbf", b"\xff\xfe", b"a",
              b" ", "Rất hài lòng".encode(), "hài".encode("utf-16-le"), b"\xe0", b"\xb5\xd2", b"\x1a"]  # fmt: skip
    grids = 0
    for at in range(12_000):
        if at % 3 == 0:
            data = rng.randbytes(rng.randrange(300))
        elif at % 3 == 1:
            data = b"".join(rng.choices(pieces, k=rng.randrange(60)))
        else:
            data = bytearray((TABLE * 5).encode(rng.choice(["utf-8", "utf-16", "utf-8-sig", "utf-16-le"])))
            for _ in range(rng.randrange(4)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        start = time.perf_counter()
        try:
            grid = read_text(path, "rubbish.csv")
        except DataError as error:
            assert error.message("vi")
        else:
            grids += 1
            assert not grid.cells.empty
            assert in_order_of_appearance(grid.cells)
        assert time.perf_counter() - start < 10
    assert 2_000 < grids < 11_000
