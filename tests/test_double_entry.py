"""Two entries of the same forms: what differs, how often, and a file in which nothing is left open."""

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.double_entry import (
    compare_entries,
    error_rates,
    read_lookup,
    resolved,
    write_agreed,
    write_lookup,
)
from evalkit.workbooks import read_workbook

COLUMNS = ["so_phieu", "nguoi_nhap", "ma_ho", "don_vi", "ap", "ngay", "tuoi", "q1", "q2"]
ONE = [
    ["001", "N1", "H1", "TD", "Ấp 1", "05/01/2026", "41", "Hòa nhã", "1"],
    ["002", "N1", "H5", "DC", "Ấp 2", "06/01/2026", "52", "", "99"],
    ["P3", "N2", "H3", "007", "Ấp 1", "07/01/2026", "63", "2", ""],
]
# The same meaning in other words, but for three cells: age and q2 of 001, q1 of P3.
OTHER = [
    ["p3", "N3", "h3", "xã Đối chứng bảy", "ấp  1", "2026-01-07", "63", "Hòa nhã", ""],
    ["001", "N3", "H1", "xã thí điểm", "Ấp 1", "2026-01-05", "14", "HN", "2"],
    ["002", "N3", "H5", "Xã Thuận Hoà", "Ấp 2", "6/1/2026", "52,0", "", "KB"],
]


def frame(rows):
    index = pd.RangeIndex(2, len(rows) + 2, name="line")
    return pd.DataFrame(rows, columns=COLUMNS, index=index, dtype="str").astype("category")


@pytest.fixture
def study(make_study):
    return ek.open_study(make_study())


@pytest.fixture
def found(study):
    return compare_entries(frame(ONE), frame(OTHER), study, wave="truoc")


def fill(path, **values):
    """The list with values typed in: form_variable = value."""
    book = openpyxl.load_workbook(path)
    for row in book.active.iter_rows(min_row=2):
        row[3].value = values.get(f"_{row[0].value}_{row[1].value}", row[3].value)
    book.save(path)


def lookup(found, path, **values):
    write_lookup(found, path)
    fill(path, **values)
    return read_lookup(read_workbook(path, path.name), found, path.name)


RIGHT = {"_001_tuoi": "41", "_001_q2": "3", "_P3_q1": "Hòa nhã"}


def test_cells_differ_only_if_they_mean_something_else(found):
    cells = found.differences
    assert list(cells[["form", "variable"]].itertuples(index=False, name=None)) == [
        ("001", "tuoi"),
        ("001", "q2"),
        ("P3", "q1"),
    ]
    first = cells.iloc[0].to_dict()
    assert (first["first_line"], first["second_line"], first["first_text"], first["second_text"]) == (
        2,
        3,
        "41",
        "14",
    )
    # 3 forms × 7 cells, of which q1 of 002 and q2 of P3 are empty in both.
    assert found.overall[["compared", "different"]].to_numpy().tolist() == [[19, 3]]
    assert found.by_item.set_index("variable")["compared"].to_dict()["q1"] == 2


def test_intervals_are_exact(found):
    # R 4.3: binom.test(3, 19)$conf.int 0.03383 0.39578; zero of n: 1 - 0.025^(1/n), here n = 3.
    overall = found.overall.iloc[0]
    assert overall["conf_low"] == pytest.approx(0.03383, abs=1e-5)
    assert overall["conf_high"] == pytest.approx(0.39578, abs=1e-5)
    home = found.by_item.set_index("variable").loc["ma_ho"]
    assert home["conf_low"] == 0 and home["conf_high"] == pytest.approx(1 - 0.025 ** (1 / 3))


def test_disagreement_by_pairs_of_typists(found):
    pairs = found.by_typists.set_index(["first_typist", "second_typist"])[["compared", "different"]]
    assert pairs.loc[("N1", "N3")].tolist() == [13, 2] and pairs.loc[("N2", "N3")].tolist() == [6, 1]


def test_forms_that_cannot_be_compared_are_listed(study):
    one = [*ONE, ["004", *ONE[0][1:]], ["", *ONE[0][1:]], ["005", *ONE[0][1:]], ["005", *ONE[0][1:]]]
    other = [*OTHER, ["005", *ONE[0][1:]], ["006", *ONE[0][1:]]]
    found = compare_entries(frame(one), frame(other), study, wave="truoc")
    rows = found.unmatched[["form", "file", "line", "reason"]].itertuples(index=False, name=None)
    assert list(rows) == [
        ("004", "first", 5, "only_here"),
        ("", "first", 6, "no_number"),
        ("005", "first", 7, "twice"),
        ("005", "first", 8, "twice"),
        ("005", "second", 5, "twice"),
        ("006", "second", 6, "only_here"),
    ]
    assert found.overall["compared"].item() == 19


def test_the_list_shows_neither_entry_and_no_names(found, tmp_path):
    write_lookup(found, tmp_path / "a.xlsx")
    rows = list(openpyxl.load_workbook(tmp_path / "a.xlsx").active.iter_rows(values_only=True))
    assert rows[0][0] == "Số phiếu" and rows[1] == ("001", "tuoi", "Tuổi: Tuổi", None, 2, 3)
    first = (tmp_path / "a.xlsx").read_bytes()
    write_lookup(found, tmp_path / "a.xlsx")
    assert (tmp_path / "a.xlsx").read_bytes() == first


def test_decisions_fill_what_was_open(found, tmp_path):
    assert found.agreed.set_index("so_phieu").loc["001", ["tuoi", "q1", "q2"]].tolist() == ["", "Hòa nhã", ""]
    decisions = lookup(found, tmp_path / "a.xlsx", _001_tuoi="41", _P3_q1="(trống)")
    filled = resolved(found, decisions).set_index("so_phieu")
    assert filled.loc["001", ["tuoi", "q2"]].tolist() == ["41", ""] and filled.loc["P3", "q1"] == ""
    with pytest.raises(ek.DataError, match="1 cells in which"):
        write_agreed(found, decisions, tmp_path / "b.xlsx")
    with pytest.raises(ek.DataError, match="1 cells in which"):
        error_rates(found, decisions)


def test_errors_are_known_when_the_paper_was_seen(found, tmp_path):
    rates = error_rates(found, lookup(found, tmp_path / "a.xlsx", **RIGHT)).set_index(["file", "typist"])
    # Age: N3 wrong. q2 of 001, really 3: both wrong. q1 of P3: N2 wrong.
    assert rates["different"].to_dict() == {("first", "N1"): 1, ("first", "N2"): 1, ("second", "N3"): 2}
    assert rates["compared"].to_dict() == {("first", "N1"): 13, ("first", "N2"): 6, ("second", "N3"): 19}


def test_the_agreed_file_is_a_raw_file(found, make_study, tmp_path):
    folder = make_study("typed", study=("raw/truoc.csv", "raw/truoc.xlsx"), truoc=None)
    decisions = lookup(found, tmp_path / "a.xlsx", **RIGHT)
    path = folder / "raw/truoc.xlsx"
    write_agreed(found, decisions, path)
    first = path.read_bytes()
    write_agreed(found, decisions, path)
    assert path.read_bytes() == first
    book = openpyxl.load_workbook(path)
    book.active.delete_cols(1)  # the codebook of this study has no form number
    book.save(path)
    study = ek.open_study(folder)
    before = ek.clean(ek.read(study), study).responses.query("wave == 'truoc'")
    assert before["tuoi"].tolist() == [41, 52, 63] and before["unit"].tolist() == ["TD", "DC", "007"]
    assert before["q2"].isna().tolist() == [False, True, True] and before["q2"].iloc[0] == 3


def test_forms_typed_once_are_not_taken(study, tmp_path):
    found = compare_entries(frame(ONE), frame([OTHER[0]]), study, wave="truoc")
    decisions = lookup(found, tmp_path / "a.xlsx", _P3_q1="2")
    with pytest.raises(ek.DataError, match="2 rows could not be compared"):
        write_agreed(found, decisions, tmp_path / "b.xlsx")


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda page: page.delete_cols(4), 'lacks the column "Value on paper"'),
        (
            lambda page: page.append(["001", "tuoi", "", "42"]),
            'variable "tuoi" of this form was decided otherwise in line 2',
        ),
        (
            lambda page: page.append(["001", "q1", "", "2"]),
            'not among the cells in which the two entries differ (variable "q1")',
        ),
        (lambda page: page.append(["009", "tuoi", "", "2"]), "not among the cells"),
        (lambda page: page.cell(2, 4, "bốn mốt"), 'value "bốn mốt" of tuoi is not understood'),
    ],
)
def test_a_list_that_does_not_fit_is_refused(found, tmp_path, change, message):
    path = tmp_path / "a.xlsx"
    write_lookup(found, path)
    fill(path, **RIGHT)
    book = openpyxl.load_workbook(path)
    change(book.active)
    book.save(path)
    with pytest.raises(ek.DataError) as error:
        read_lookup(read_workbook(path, "a.xlsx"), found, "a.xlsx")
    assert message in str(error.value) and "001" not in str(error.value)


def test_entries_without_form_numbers_are_refused(study):
    with pytest.raises(ek.DataError, match=r"^mot.xlsx: there is no column of form numbers"):
        one = frame(ONE).drop(columns="so_phieu")
        compare_entries(one, frame(OTHER), study, wave="truoc", files=("mot.xlsx", "hai.xlsx"))
    with pytest.raises(ek.DataError, match="no form number stands in both"):
        compare_entries(frame(ONE), frame([["9", *OTHER[0][1:]]]), study, wave="truoc")


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(3)), wrong=st.sets(st.tuples(st.integers(0, 2), st.integers(6, 8))))
def test_planted_differences_are_found_whatever_the_order(order, wrong, tmp_path_factory):
    study = _STUDY.setdefault("study", None) or _study(tmp_path_factory)
    other = [list(row) for row in ONE]
    for row, column in wrong:
        other[row][column] = "77" if column == 6 else "Tạm" if ONE[row][column] != "2" else "1"
    found = compare_entries(frame(ONE), frame([other[at] for at in order]), study, wave="truoc")
    planted = {(ONE[row][0], COLUMNS[column]) for row, column in wrong}
    assert set(found.differences[["form", "variable"]].itertuples(index=False, name=None)) == planted
    assert found.by_item["different"].sum() == len(wrong) == found.by_typists["different"].sum()


_STUDY = {}


def _study(factory):
    from conftest import FILES

    folder = factory.mktemp("study")
    for name, content in FILES.values():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    _STUDY["study"] = ek.open_study(folder)
    return _STUDY["study"]
