"""The course's engine: data by code, answers checked, progress kept, notebooks generated, a class summed up."""

import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from importlib import import_module
from pathlib import Path

import nbformat
import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from typer.testing import CliRunner

from evalkit import course, course_notebooks
from evalkit.cli import app
from evalkit.course_data import UNCHANGED, make, seed_of, telling
from evalkit.course_summary import summarise
from evalkit.errors import DataError
from evalkit.exercises import Work
from evalkit.language import catalogue, text

COURSE = ROOT / "notebooks/course"
LESSONS = sorted(path.stem for path in (ROOT / "evalkit").glob("lesson_[0-9].py"))
SOURCES = sorted((COURSE / "source").glob("[0-9]_*.ipynb"))
EXERCISES = [one for lesson in LESSONS for one in import_module(f"evalkit.{lesson}").EXERCISES]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The data of a student, made once."""
    folder = tmp_path_factory.mktemp("student")
    return course.start("SV01", folder)


@pytest.fixture
def said(made, capsys):
    """Answers an exercise as a student whose progress begins anew; returns what she is told."""
    for path in made.folder.parent.glob("tien-do*"):
        path.unlink()
    course.start("SV01", made.folder.parent)
    capsys.readouterr()

    def check(exercise, answer):
        course.check(exercise, answer)
        return capsys.readouterr().out

    return check


def kept(made):
    return json.loads((made.folder.parent / "tien-do_SV01.json").read_text("utf-8"))["exercises"]


def test_a_code_gives_the_same_files_and_another_code_others(made, tmp_path):
    make("SV01", tmp_path / "again", "vi")
    make("SV02", tmp_path / "other", "en")
    files = [path.relative_to(made.folder) for path in made.folder.rglob("*") if path.is_file()]
    assert {str(path) for path in files} == {
        "study.toml", "index.toml", "codebook.csv", "scales.csv", "corrections.csv", "raw/khao_sat_truoc.csv",
        "raw/khao_sat_sau.xlsx",
    }  # fmt: skip
    assert all((made.folder / path).read_bytes() == (tmp_path / "again" / path).read_bytes() for path in files)
    changed = {str(p) for p in files if (made.folder / p).read_bytes() != (tmp_path / "other" / p).read_bytes()}
    assert changed == {"study.toml", "corrections.csv", "raw/khao_sat_truoc.csv", "raw/khao_sat_sau.xlsx"}
    assert seed_of("sv01") == seed_of("SV01") != seed_of("SV02")


def test_a_pilot_in_which_chance_hides_the_effects_is_drawn_again():
    truth = pd.DataFrame({"indicator": ["hai_long", UNCHANGED], "realised": [3.1, -1.4]})
    assert telling(truth)
    assert not telling(truth.assign(realised=[2.9, 0.0])) and not telling(truth.assign(realised=[9.0, 1.6]))


@pytest.mark.parametrize("code", ["SV 01", "Lê", "", "A" * 21, "a/b", "..", ..., None, 1.5])
def test_another_code_stops_without_a_traceback(tmp_path, code):
    with pytest.raises(DataError) as stopped:
        course.start(code, tmp_path)
    assert "mã học viên gồm chữ cái không dấu" in "".join(stopped.value._render_traceback_())
    assert not list(tmp_path.iterdir())


def test_small_letters_and_numbers_are_the_same_code(made, capsys):
    assert course.start(" sv01 ", made.folder.parent).folder == made.folder
    assert capsys.readouterr().out.count("\n") == 1


# {right} is exercise 1.1 (points, within 0.06) or 1.2 (a count) of the student's own data.
READ = [
    ("1.1", lambda right: right), ("1.1", lambda right: round(right, 1)), ("1.1", lambda right: f"{right:.2f}"),
    ("1.1", lambda right: f"{right:.2f}".replace(".", ",")), ("1.1", lambda right: f" {right:.1f} % "),
    ("1.1", lambda right: f"{right:.1f} điểm"), ("1.1", lambda right: [right]), ("1.1", np.float32),
    ("1.1", lambda right: pd.Series([right])), ("1.1", lambda right: np.array(right)), ("1.1", Decimal),
    ("1.2", np.int64), ("1.2", float), ("1.2", str), ("1.5", lambda right: f" «{right.upper()}»."),
    ("3.3", lambda right: ", ".join(right)), ("3.3", list), ("3.3", lambda right: pd.Series(list(right))),
]  # fmt: skip


@pytest.mark.parametrize(("code", "given"), READ, ids=range(len(READ)))
def test_a_right_answer_is_right_in_every_shape(made, said, code, given):
    assert "✔ Đúng." in said(code, given(course.find(code).answer(made)))
    assert kept(made)[code] == {"solved": True, "attempts": 1, "hints": 0, "mistakes": {}}


UNREAD = [
    ("1.1", None, "Chưa có câu trả lời"), ("1.1", ..., "Chưa có câu trả lời"), ("1.1", " ... ", "Chưa có câu"),
    ("1.1", "nhiều", "cần một con số"), ("1.1", "1/3", "cần một con số"), ("1.1", "1,2,3.4.5x9", "cần một con số"),
    ("1.1", True, "cần một con số"), ("1.1", 1j, "cần một con số"), ("1.1", {}, "cần một con số"),
    ("1.1", pd.NA, "cần một con số"), ("1.1", object(), "cần một con số"), ("1.1", float("nan"), "không cho ra"),
    ("1.1", np.inf, "không cho ra con số"), ("1.1", [1, 2], "ở đây có 2"), ("1.1", [], "ở đây có 0"),
    ("1.1", pd.DataFrame({"a": [1]}), "cả một bảng"), ("1.1", len, "ngoặc `()`"), ("1.1", int, "ngoặc `()`"),
    ("1.5", "z", '`"a"`, `"b"`'), ("1.5", 3, '`"a"`'), ("1.5", {}, '`"a"`'), ("3.3", [], "Chưa có câu trả lời"),
    ("3.3", "", "Chưa có câu trả lời"), ("9.9", 1, "Không có bài tập «9.9»"), (None, 1, "Không có bài tập"),
    (["1.1"], 1, "Không có bài tập"), ("1.1.1", 1, "Không có bài tập"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "answer", "words"), UNREAD, ids=range(len(UNREAD)))
def test_what_is_no_answer_gets_kind_words_and_counts_for_nothing(made, said, code, answer, words):
    assert words in said(code, answer)
    assert not (made.folder.parent / "tien-do_SV01.json").exists()


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [("3,2", "number", 3.2), ("−3,2", "number", -3.2), ("1.234,5", "number", 1234.5), ("1,234.5", "number", 1234.5),
     ("1,234", "number", 1.234), ("2.134", "count", 2134), ("2 134", "count", 2134), ("12,0", "count", 12),
     ("3,2%", "number", 3.2), (",5", "number", 0.5), ("+4", "count", 4), ("12.", "count", 12)],
)  # fmt: skip
def test_numbers_are_read_as_either_language_writes_them(typed, kind, value):
    exercise = next(one for one in EXERCISES if one.kind == kind)
    assert course.read_answer(exercise, typed) == value


def test_three_hints_and_then_the_way(made, said):
    told = [said("1.1", 1000 + attempt) for attempt in range(5)]
    for count, words in enumerate(told[:3], start=1):
        assert f"Gợi ý {count}/3." in words and "lệch không quá 0,06" in words
    assert all(text("course_1_1_way", "vi") in words for words in told[3:])
    assert kept(made)["1.1"] == {"solved": False, "attempts": 5, "hints": 5, "mistakes": {}}
    said("1.1", course.find("1.1").answer(made))
    said("1.1", 1000)
    assert kept(made)["1.1"] == {"solved": True, "attempts": 6, "hints": 5, "mistakes": {}}


def test_a_mistake_made_twice_gets_a_hint_as_well(made, said):
    mistake = course.find("1.1").mistakes[0]
    first, second = (said("1.1", mistake.answer(made)) for _ in range(2))
    own = text(f"course_{mistake.key}", "vi")
    assert own in first and "Gợi ý" not in first and own in second and "Gợi ý 1/3." in second
    assert kept(made)["1.1"]["mistakes"] == {mistake.key: 2}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.code)
def test_every_exercise_knows_its_answer_its_mistakes_and_its_texts(made, said, exercise):
    assert exercise.mistakes
    for mistake in exercise.mistakes:
        own = text(f"course_{mistake.key}", "vi")
        plain = re.sub(r"\*\*|\\(?=\W)", "", own)
        assert plain in said(exercise.code, mistake.answer(made)), mistake.key
    assert "✔" in said(exercise.code, exercise.answer(made))
    key = f"course_{exercise.code.replace('.', '_')}"
    assert {f"{key}_{part}" for part in ("hint_1", "hint_2", "hint_3", "way")} <= catalogue().keys()
    assert not exercise.unit or exercise.unit in catalogue()


def test_progress_survives_a_restart_and_a_broken_file_is_put_aside(made, said, capsys):
    said("1.2", course.find("1.2").answer(made))
    said("1.1", 1000)
    course.start("SV01", made.folder.parent)
    assert "Đã giải: 1.2." in capsys.readouterr().out
    path = made.folder.parent / "tien-do_SV01.json"
    path.write_text('{"code": "SV01", "exercises": {"1.1"', encoding="utf-8")
    assert "tien-do_SV01.json.1" in said("1.1", 1000)
    assert path.with_name("tien-do_SV01.json.1").read_text("utf-8").endswith('{"1.1"')
    assert kept(made)["1.1"]["attempts"] == 1
    path.write_text('{"code": "=1+1", "exercises": {"1.1": {"attempts": -2}}}', encoding="utf-8")
    course.start("SV01", made.folder.parent)
    assert "tien-do_SV01.json.2" in capsys.readouterr().out


def test_trouble_is_told_in_words(made, said, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(PermissionError(13, "denied")))
    assert "Chưa lưu được tiến độ" in said("1.1", 1000)
    monkeypatch.undo()
    folder = tmp_path / "en"
    folder.mkdir()
    course.start("X1", folder)
    (folder / "data_X1/index.toml").write_text("[[node", encoding="utf-8")
    capsys.readouterr()
    course.check("1.1", 3)
    assert "no longer as it was made" in capsys.readouterr().out
    (folder / "data_X1/raw/khao_sat_sau.xlsx").unlink()
    monkeypatch.setattr(course, "find", lambda _: 1 / 0)
    course.check("1.1", 3)
    assert "(ZeroDivisionError)" in capsys.readouterr().out
    monkeypatch.setattr(course, "_session", None)
    course.check("1.1", 3)
    assert "Chưa có dữ liệu" in capsys.readouterr().out


def test_the_generated_notebooks_are_what_make_would_write():
    assert course_notebooks.stale() == []


def source(*cells):
    made = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for number, (tag, content) in enumerate(cells):
        new = nbformat.v4.new_code_cell if tag in ("exercise", "solution", "") else nbformat.v4.new_markdown_cell
        made.cells.append(new(content, id=f"c{number}", metadata={"tags": [tag] if tag else []}))
    return made


CELLS = [
    ("vi", "# Bài 9"), ("en", "# Lesson 9"), ("", "work = course.start(code)"),
    ("exercise", 'answer = ...\ncourse.check("9.1", answer)'),
    ("solution", 'answer = 3\ncourse.check("9.1", answer)'),
]  # fmt: skip


def test_a_source_becomes_four_notebooks_and_staleness_is_seen(tmp_path):
    (tmp_path / "source").mkdir()
    nbformat.write(source(*CELLS), tmp_path / "source/9_trial.ipynb")
    assert len(course_notebooks.stale(tmp_path)) == 5
    assert len(course_notebooks.make(tmp_path)) == 5 and course_notebooks.stale(tmp_path) == []
    student, teacher = (
        nbformat.read(tmp_path / part / "9_trial.ipynb", as_version=4).cells for part in ("en", "teacher/vi")
    )
    started = 'work = course.start(code, language="{}")'
    assert [cell.source for cell in student] == ["# Lesson 9", started.format("en"), CELLS[3][1]]
    assert [cell.source for cell in teacher] == ["# Bài 9", started.format("vi"), CELLS[4][1]]
    for cell in (student[-1], teacher[-1]):  # as nbgrader's MetadataValidatorV3 wants it
        assert cell.metadata["nbgrader"] == {
            "cell_type": "code", "grade": True, "grade_id": "exercise-9-1", "locked": False, "points": 1,
            "schema_version": 3, "solution": True, "task": False,
        }  # fmt: skip
    start = nbformat.read(tmp_path / "start.ipynb", as_version=4)
    assert "[Bài 9](vi/9_trial.ipynb)" in start.cells[0].source and "[Lesson 9](en/9_" in start.cells[1].source
    (tmp_path / "en/9_trial.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "vi/8_old.ipynb").write_text("{}", encoding="utf-8")
    assert course_notebooks.stale(tmp_path) == ["en/9_trial.ipynb", "vi/8_old.ipynb"]
    course_notebooks.make(tmp_path)
    assert course_notebooks.stale(tmp_path) == []


@pytest.mark.parametrize(
    "cells", [CELLS[:4], CELLS[4:], [*CELLS, CELLS[3]], [CELLS[4], CELLS[3]], [("exercise", "x")]]
)
def test_an_exercise_without_its_solution_is_refused(tmp_path, cells):
    (tmp_path / "source").mkdir()
    nbformat.write(source(*cells), tmp_path / "source/9_trial.ipynb")
    with pytest.raises(DataError, match="has not exactly one cell `exercise`"):
        course_notebooks.make(tmp_path)


def test_the_sources_define_no_functions_and_check_every_exercise_of_their_lesson():
    for path in SOURCES:
        cells = nbformat.read(path, as_version=4).cells
        asked = re.findall(r'course\.check\("([\d.]+)"', "\n".join(c.source for c in cells if c.cell_type == "code"))
        assert sorted(set(asked)) == [one.code for one in EXERCISES if one.code[0] == path.name[0]], path.name
        assert not re.search(r"^ *def |lambda", "\n".join(c.source for c in cells if c.cell_type == "code"), re.M)
        assert all(cell.get("outputs", []) == [] for cell in cells), path.name


def progress(folder, code, exercises):
    (folder / f"tien-do_{code}.json").write_text(json.dumps({"code": code, "exercises": exercises}), encoding="utf-8")


def test_a_class_is_summed_up_by_code(tmp_path):
    wrong = {"solved": False, "attempts": 3, "hints": 1, "mistakes": {"1_percent_for_points": 2, "unknown": 1}}
    progress(tmp_path, "A1", {"1.1": {"solved": True, "attempts": 2, "mistakes": {"1_percent_for_points": 1}}})
    progress(tmp_path, "B2", {"1.1": wrong, "1.2": {"solved": True, "attempts": 1}})
    (tmp_path / "en").mkdir()
    again = {"code": "A1", "exercises": {"1.1": {"solved": False, "attempts": 5}}}
    (tmp_path / "en/progress_A1.json").write_text(json.dumps(again), encoding="utf-8")
    progress(tmp_path, "=C", {})
    result = CliRunner().invoke(app, ["course", "summary", str(tmp_path), "--language", "en"])
    assert result.exit_code == 0
    assert "tien-do_=C.json: this progress file could not be read" in result.stdout
    assert "code A1 has several progress files" in result.stdout
    sheets = {sheet.title: list(sheet.values) for sheet in openpyxl.load_workbook(tmp_path / "course-summary.xlsx")}
    assert sheets == {
        "Students": [
            ("Student code", "Tried", "Solved", "Attempts", "Hints", "Tried, not solved"),
            ("A1", 1, 1, 7, 0, None), ("B2", 2, 1, 4, 1, "1.1"),
        ],
        "Exercises": [
            ("Exercise", "Tried", "Solved", "Attempts", "Hints"), ("1.1", 2, 1, 10, 1), ("1.2", 1, 1, 1, 0),
        ],
        "Common mistakes": [
            ("Exercise", "Students", "Times", "What the student was told"),
            ("1.1", 2, 3, text("course_1_percent_for_points", "en")),
        ],
    }  # fmt: skip
    first = (tmp_path / "course-summary.xlsx").read_bytes()
    assert summarise(tmp_path, "en")[0].read_bytes() == first


def test_a_folder_without_progress_is_said(tmp_path):
    result = CliRunner().invoke(app, ["course", "summary", str(tmp_path)])
    assert result.exit_code == 1 and "không có tệp tiến độ nào" in result.stderr


def test_an_empty_progress_file_makes_empty_sheets(tmp_path):
    progress(tmp_path, "A1", {})
    path, notices = summarise(tmp_path)
    assert notices == [] and [sheet.max_row for sheet in openpyxl.load_workbook(path)] == [1, 1, 1]


def run(path, folder):
    """A notebook run in a folder; the words of its checks."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, resources=resources, kernel_name="python3", record_timing=False).execute()
    told = [
        "".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
        if "course.check(" in cell.source
    ]
    errors = [
        output for cell in notebook.cells for output in cell.get("outputs", []) if output.get("name") == "stderr"
    ]
    assert errors == [], path
    return notebook, told


@pytest.mark.slow
@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_lesson_runs_with_its_solutions_and_as_a_student_gets_it(path, language, tmp_path):
    notebook, told = run(COURSE / "teacher" / language / path.name, tmp_path)
    assert told and all(words.startswith("✔") for words in told), told
    _, told = run(COURSE / language / path.name, tmp_path)
    assert told and all(words == text("course_nothing", language) for words in told)
    if language == "vi":  # nbval: the same outputs to a student who begins anew
        (tmp_path / "tien-do_SV01.json").unlink()
        nbformat.write(notebook, tmp_path / path.name)
        arguments = ["-q", "-c", os.devnull, "--rootdir", str(tmp_path), "--nbval", "--nbval-cell-timeout=600"]
        (tmp_path / "names").write_text("[tables]\nregex: T_[0-9a-f]{5}|0x[0-9a-f]+\nreplace: T\n", encoding="utf-8")
        arguments += ["--nbval-sanitize-with", "names"]  # what pandas calls a styled table
        subprocess.run([sys.executable, "-m", "pytest", *arguments, path.name], cwd=tmp_path, check=True)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_every_code_gives_exercises_that_can_be_solved(hundred, tmp_path):
    told = dict.fromkeys((mistake.key for one in EXERCISES for mistake in one.mistakes), 0)
    codes = [f"SV{20 * hundred + number:03d}" for number in range(20)]
    for code in codes:
        make(code, tmp_path / code, "vi")
        work = Work(code, tmp_path / code)
        exercises = EXERCISES if code.endswith(("0", "5")) else [one for one in EXERCISES if one.code < "5"]
        for exercise in exercises:
            right = exercise.answer(work)
            asked = sorted(right) if exercise.kind == "codes" else right
            assert course.matches(exercise, course.read_answer(exercise, asked), right), (code, exercise.code)
            wrong = [one.key for one in exercise.mistakes if not course.matches(exercise, one.answer(work), right)]
            assert wrong, (code, exercise.code)
            for key in wrong:
                told[key] += 1
        did = course.find("1.4").answer(work)
        assert did > 0 and len(work.survey.responses) > 1500, code
    assert min(told.values()) > 0, [key for key, count in told.items() if not count]
