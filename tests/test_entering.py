"""Two entry files from the command line to the agreed file."""

import openpyxl
import pytest
from typer.testing import CliRunner

from evalkit.cli import app

HEADER = ["Số phiếu", "Mã hộ", "Đơn vị", "Ấp", "Ngày", "Tuổi", "Câu 1", "Câu 2", "Người nhập"]
ROWS = [[f"P{n}", f"H{n}", "TD", "Ấp 1", "05/01/2026", "41", "Hòa nhã", "1"] for n in range(1, 7)]


def written(path, write_workbook, typist, **changes):
    """An entry file: changes are form → (column, text), None drops the form."""
    rows = []
    for row in ROWS:
        row, change = [*row, typist], changes.get(row[0], ())
        if change is None:
            continue
        if change:
            row[HEADER.index(change[0])] = change[1]
        rows.append(row)
    return write_workbook(path, nhap_lieu=[HEADER, *rows])


@pytest.fixture
def double(make_study, write_workbook, tmp_path):
    folder = make_study()
    first = written(tmp_path / "a.xlsx", write_workbook, "A", P2=("Tuổi", "14"))
    second = written(tmp_path / "b.xlsx", write_workbook, "B", P3=("Câu 1", "HN"), P6=None)

    def run(*more, files=(first, second)):
        arguments = ["double", str(folder), *map(str, files), "--wave", "truoc", "--language", "en", *map(str, more)]
        return CliRunner().invoke(app, arguments)

    return folder, run, first


def test_what_differs_and_what_has_no_partner_is_told(double):
    """Of six forms P2 has another age; P6 is in one file; «HN» is «Hòa nhã»."""
    folder, run, _ = double
    result = run()
    assert result.exit_code == 0, result.output
    assert "differ in 1 of 35 cells" in result.output
    assert 'a.xlsx, line 7: form "P6": only in this file.' in result.output
    listed = openpyxl.load_workbook(folder / "tra_lai.xlsx").active
    assert [cell.value for cell in listed[2]][:2] == ["P2", "tuoi"] and listed.max_row == 2


def test_one_file_given_twice_is_refused(double):
    _, run, first = double
    result = run(files=(first, first))
    assert result.exit_code == 1 and "one file was given twice" in result.output


def test_a_wrong_path_or_wave_is_named(double, tmp_path):
    _, run, first = double
    assert "there is no such file" in run(files=(first, tmp_path / "c.xlsx")).output
    assert "waves: truoc, sau" in run("--wave", "giua").output


def test_the_agreed_file_is_written_when_all_is_looked_up(make_study, write_workbook, tmp_path, double):
    folder, run, first = double
    second = written(tmp_path / "c.xlsx", write_workbook, "C")
    assert run(files=(first, second)).exit_code == 0
    path = folder / "tra_lai.xlsx"
    book = openpyxl.load_workbook(path)
    open_yet = run("--decided", path, files=(first, second))
    assert open_yet.exit_code == 1 and "1 cells" in open_yet.output
    book.active.cell(2, 4).value = "41"
    book.save(path)
    result = run("--decided", path, files=(first, second))
    assert result.exit_code == 0 and "Typist A: 1 of 42 cells wrong" in result.output
    agreed = [[cell.value for cell in row] for row in openpyxl.load_workbook(folder / "nhap_thong_nhat.xlsx").active]
    assert agreed[0][:2] == ["Số phiếu", "Mã hộ"] and agreed[2][agreed[0].index("Tuổi")] == "41" and len(agreed) == 7
