"""The command line as its user meets it: words, exit codes, consoles that are not UTF-8."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from evalkit.cli import app

ROOT = Path(__file__).resolve().parent.parent


def call(*arguments: str):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_check_says_that_all_is_well():
    result = call("check", ROOT / "data" / "nga-bay")
    assert result.exit_code == 0
    first, *notices = result.stdout.splitlines()
    assert first == "Không có lỗi: 2162 dòng dữ liệu, 8 đơn vị, 2 đợt khảo sát."
    assert notices[0].startswith("Nên biết")
    assert all(line.startswith(("cases/", "workshop/", "text/")) for line in notices[1:])


def test_check_speaks_the_language_of_the_study_or_the_one_asked_for():
    assert "No problem" in call("check", ROOT / "data" / "organ-donations").stdout
    assert "No problem" in call("check", ROOT / "data" / "nga-bay", "--language", "en").stdout
    assert call("check", ROOT / "data" / "nga-bay", "--language", "fr").exit_code == 2


def test_a_new_study_waits_for_its_answers_and_nothing_else(tmp_path):
    folder = tmp_path / "khảo sát mới"
    assert call("new", folder).exit_code == 0
    result = call("check", folder)
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Có 2 lỗi:",
        "raw/khao_sat_truoc.csv, dòng 1: dưới dòng tiêu đề không có dữ liệu.",
        "raw/khao_sat_sau.csv, dòng 1: dưới dòng tiêu đề không có dữ liệu.",
    ]
    # As a Vietnamese Excel opens it: byte-order mark and semicolons.
    assert (folder / "codebook.csv").read_bytes().startswith("\ufeffvariable;column;type;".encode())
    again = call("new", folder)
    assert again.exit_code == 1 and "thư mục đã có tệp" in again.stderr


@pytest.mark.parametrize("command", ["check", "run", "verify"])
def test_a_wrong_folder_is_one_line_and_no_traceback(command, tmp_path):
    result = call(command, tmp_path / "no such folder")
    assert result.exit_code == (2 if command == "verify" else 1)
    assert len(result.stderr.splitlines()) == 1 and "Traceback" not in result.output


def test_run_on_a_broken_study_leaves_nothing(tmp_path):
    folder = tmp_path / "study"
    call("new", folder)
    result = call("run", folder, "--reports", tmp_path / "reports")
    assert result.exit_code == 1 and "không có dữ liệu" in result.stderr
    assert not (tmp_path / "reports").exists()


def test_a_console_of_cp1252_gets_letters_without_marks(tmp_path):
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    result = subprocess.run(
        [sys.executable, "-m", "evalkit", "check", str(tmp_path / "thư mục trống")],
        capture_output=True, env=environment, check=False,
    )  # fmt: skip
    assert result.returncode == 1
    said = result.stderr.decode("cp1252")
    assert "thu muc trong: không có thu muc này; hãy chi dúng thu muc khao sát" in said


def test_help_names_the_five_commands():
    result = call("--help")
    assert result.exit_code == 0
    for command in ("new", "check", "run", "verify", "lab"):
        assert command in result.stdout
