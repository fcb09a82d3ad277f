"""SPSS and Stata files: what pyreadstat writes comes back as text; damage is an error of the file."""

import datetime as dt
import faulthandler
import multiprocessing
import random
import signal
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from evalkit import readstat, statfiles
from evalkit.encodings import encode_as
from evalkit.errors import DataError
from evalkit.statfiles import is_statfile, read_described, read_statfile

NAMES = ["q1", "ngay", "luc", "ten", "gia", "gio"]
CASES = [
    ["1", "2026-11-02", "2026-11-02 10:30:00", "Nguyễn", "1.5", "10:30:00"],
    ["4", "", "", "", "2", ""],
    ["99", "1999-01-01", "2026-11-02 00:00:00", "b", "1000000000000000", "00:00:00"],
    ["", "2024-02-29", "2026-11-02 10:30:05", "c", "0.1", "01:02:03"],
]
LABELS = ["Hài lòng", "Ngày", "", "Tên", "Giá", "Giờ"]


def frame(second=99.0):
    return pd.DataFrame(
        {
            "q1": pd.Series([1.0, 4.0, second, None], dtype=object if isinstance(second, str) else float),
            "ngay": [dt.date(2026, 11, 2), None, dt.date(1999, 1, 1), dt.date(2024, 2, 29)],
            "luc": [
                dt.datetime(2026, 11, 2, 10, 30),
                None,
                dt.datetime(2026, 11, 2),
                dt.datetime(2026, 11, 2, 10, 30, 5),
            ],
            "ten": ["Nguyễn", "", "b", "c"],
            "gia": [1.5, 2, 1e15, 0.1],
            "gio": [dt.time(10, 30), None, dt.time(0), dt.time(1, 2, 3)],
        }
    )


def write_sav(path, compress=False):
    pyreadstat.write_sav(
        frame(),
        path,
        compress=compress,
        column_labels=LABELS,
        variable_value_labels={"q1": {1: "Kém", 4: "Tốt", 99: "KB"}, "ten": {"b": "Bê"}},
        missing_ranges={"q1": [{"lo": 98, "hi": 99}], "gia": [7], "ten": ["c"]},
    )
    return path


def write_dta(path, version=15):
    options = {"missing_user_values": {"q1": ["a"]}} if version == 15 else {}
    labels = {"q1": {1: "Kem", 4: "Tot"} | ({"a": "KB"} if version == 15 else {})}
    data = frame("a" if version == 15 else 99.0)
    data["ten"] = data["ten"].replace("Nguyễn", "Nguyen")
    pyreadstat.write_dta(data, path, version=version, column_labels=LABELS, variable_value_labels=labels, **options)
    return path


WRITERS = {
    "a.sav": write_sav,
    "a.zsav": lambda path: write_sav(path, compress=True),
    "a.dta": write_dta,
    "old.dta": lambda path: write_dta(path, version=8),
}


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    folder = tmp_path_factory.mktemp("statfiles")
    return {name: read_described(write(folder / name), name) for name, write in WRITERS.items()}


@pytest.mark.parametrize("name", WRITERS)
def test_cells_are_codes_as_text(read, name):
    grid, _ = read[name]
    expected = [list(case) for case in CASES]
    if name == "a.dta":
        expected[2][0] = ".a"
    if name.endswith("dta"):
        expected[0][3] = "Nguyen"
    assert grid.cells.astype(str).to_numpy().tolist() == [NAMES, *expected]
    assert grid.cells.index.tolist() == [1, 2, 3, 4, 5]


def test_what_spss_and_stata_say_about_variables(read):
    spss = {variable.name: variable for variable in read["a.sav"][1]}
    assert [variable.type for variable in spss.values()] == ["number", "date", "time", "text", "number", "text"]
    assert [variable.label for variable in spss.values()] == LABELS
    assert spss["q1"].value_labels == {"1": "Kém", "4": "Tốt", "99": "KB"}
    assert (spss["q1"].missing_codes, spss["q1"].missing_ranges) == ((), ((98.0, 99.0),))
    assert (spss["gia"].missing_codes, spss["ten"].missing_codes) == (("7",), ("c",))
    stata = read["a.dta"][1][0]
    assert stata.value_labels == {"1": "Kem", "4": "Tot", ".a": "KB"}
    assert stata.missing_codes == (".a",)


@pytest.mark.parametrize("encoding", ["tcvn3", "cp1258", "utf-8"])
def test_an_encoding_that_the_file_does_not_declare(tmp_path, encoding):
    # Stata 8 wrote bytes without saying which; the placeholder is as long as the Vietnamese text.
    written = encode_as("hài lòng, rất tốt", encoding)
    path = tmp_path / "cu.dta"
    pyreadstat.write_dta(pd.DataFrame({"q": ["x" * len(written), "b"]}), path, version=8)
    path.write_bytes(path.read_bytes().replace(b"x" * len(written), written))
    assert read_statfile(path, "cu.dta", encoding=encoding).cells[0].tolist() == ["q", "hài lòng, rất tốt", "b"]
    if encoding != "utf-8":
        with pytest.raises(DataError, match="do not fit their encoding"):
            read_statfile(path, "cu.dta", encoding="utf-8")


def test_stata_floats_have_seven_digits():
    assert readstat._text(0.10000000149011612, "float") == "0.1"
    assert readstat._text(0.10000000149011612, "double") == "0.10000000149011612"


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"$FL2@(#) SPSS", "sav"),
        (b"$FL3@(#) SPSS", "zsav"),
        (b"<stata_dta><header>", "dta"),
        (b"\x71\x02\x01\x00", "dta"),
        (b"q1;q2", None),
        (b"", None),
        (b"PK\x03\x04", None),
    ],
)
def test_the_kind_is_told_by_the_content(start, kind):
    assert is_statfile(start) == kind


@pytest.mark.parametrize(
    ("data", "key"),
    [
        (None, "file_missing"),
        (b"", "file_empty"),
        (b"q1;q2\n1;2\n", "statfile_other_format"),
        (b"$FL2@(#) SPSS DATA FILE", "statfile_damaged"),
        (b"<stata_dta><header><release>118</release>", "statfile_damaged"),
    ],
)
def test_what_cannot_be_read_is_an_error_of_the_file(tmp_path, data, key):
    path = tmp_path / "x.sav"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(DataError) as error:
        read_statfile(path, "x.sav")
    assert [problem.key for problem in error.value.problems] == [key]


def test_a_file_that_crashes_the_c_library_is_an_error_and_not_the_end(tmp_path, monkeypatch):
    # Stands for ReadStat's own crash, which the slow test meets: the child dies without a word.
    path = write_sav(tmp_path / "a.sav")
    monkeypatch.setattr(statfiles.sys, "executable", "/bin/false")
    with pytest.raises(DataError, match="damaged"):
        read_statfile(path, "a.sav")


def test_an_absurd_size_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(readstat, "MOST_CELLS", 23)  # 4 cases of 6 variables are 24 cells
    parsed = readstat.parse(str(write_sav(tmp_path / "a.sav")), None)
    assert parsed == {"key": "statfile_too_large", "values": {"found": 24, "expected": 23}}


def test_a_date_beyond_the_year_9999(tmp_path):
    path = tmp_path / "a.sav"
    pyreadstat.write_sav(pd.DataFrame({"d": [1e13]}), path, variable_format={"d": "DATE11"})
    with pytest.raises(DataError, match="after the year 9999"):
        read_statfile(path, "a.sav")


def mutated(data, rng):
    """Cut short, single bytes, absurd lengths, pieces doubled."""
    data = bytearray(data)
    kind, at = rng.randrange(4), rng.randrange(len(data))
    if kind == 0:
        return bytes(data[:at])
    if kind == 1:
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif kind == 2:
        at %= 700
        data[at : at + 4] = rng.choice([b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\0\0\0\0"])
    else:
        data[at:at] = data[at : at + rng.randrange(64)]
    return bytes(data)


def parse_many(path, data, seeds, done):
    """In a process of its own: parse mutations until one ends the process."""
    faulthandler.disable()  # a crash is what is counted here
    for seed in seeds:
        path.write_bytes(mutated(data, random.Random(seed)))
        found = readstat.parse(str(path), None)
        assert found.keys() in ({"variables", "columns"}, {"key", "values"}), seed
        done.value += 1


@pytest.mark.slow
@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork to try quickly")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pytest's own threads at fork
@pytest.mark.parametrize("name", WRITERS)
def test_damage_never_gives_anything_but_an_error(tmp_path, name):
    data = WRITERS[name](tmp_path / name).read_bytes()
    fork = multiprocessing.get_context("fork")
    tried, crashed = 0, []
    while tried < 3000:
        done = fork.Value("i", 0)
        child = fork.Process(target=parse_many, args=(tmp_path / "m", data, range(tried, 3000), done))
        child.start()
        child.join(300)
        assert not child.is_alive(), f"mutation {tried + done.value} hangs"
        tried += done.value
        if child.exitcode:
            assert child.exitcode in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS), (tried, child.exitcode)
            crashed.append(tried)
            tried += 1
    print(f"{name}: {tried} mutations, {len(crashed)} crashed the C library")
    for seed in crashed[:3]:
        Path(tmp_path / "m").write_bytes(mutated(data, random.Random(seed)))
        try:
            read_statfile(tmp_path / "m", "m")
        except DataError as error:
            assert [problem.key for problem in error.problems] in (["statfile_damaged"], ["statfile_other_format"])
