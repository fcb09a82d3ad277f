"""The course's engine: data by code, answers checked, progress kept, notebooks generated, a class summed up."""

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
import unicodedata
from dataclasses import replace
from decimal import Decimal
from importlib import import_module
from itertools import count
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
from evalkit.course_data import make, seed_of, telling
from evalkit.course_summary import summarise
from evalkit.errors import DataError
from evalkit.exercises import UNCHANGED, Exercise, Work
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


@pytest.fixture(scope="module")
def drawn():
    """The first pilot of a code that tells what it should."""
    draw = runpy.run_path(str(ROOT / "data/nga-bay/simulate.py"))["draw"]
    return next(pilot for seed in count(seed_of("SV01")) if telling(pilot := draw(seed)))


def test_a_pilot_in_which_chance_hides_the_effects_is_drawn_again(drawn):
    truth = drawn.truth.set_index("indicator")
    for indicator, realised in (("hai_long", 2.9), (UNCHANGED, 1.6)):
        truth.loc[indicator, "realised"], before = realised, truth.loc[indicator, "realised"]
        assert not telling(replace(drawn, truth=truth.reset_index()))
        truth.loc[indicator, "realised"] = before
    assert telling(replace(drawn, truth=truth.reset_index()))


def test_a_pilot_in_which_a_mistake_comes_near_the_answer_is_drawn_again(drawn):
    neighbours = ~drawn.answers["unit"].isin(["HL", "NB"])
    still = drawn.answers.copy()
    still.loc[neighbours, "q7"] = 3.0  # nothing changed there: taking the neighbours away changes nothing
    assert not telling(replace(drawn, answers=still))


@pytest.mark.parametrize("code", ["SV 01", "Lê", "", "A" * 21, "a/b", "..", ..., None, 1.5])
def test_another_code_stops_without_a_traceback(tmp_path, code):
    with pytest.raises(DataError) as stopped:
        course.start(code, tmp_path)
    assert "mã học viên gồm chữ cái không dấu" in "".join(stopped.value._render_traceback_())
    assert not list(tmp_path.iterdir())


def test_small_letters_and_numbers_are_the_same_code(made, capsys):
    assert course.start(" sv01 ", made.folder.parent).folder == made.folder
    assert capsys.readouterr().out.count("\n") == 1


# {right} is exercise 1.1 (points, within 0.15) or 1.2 (a count) of the student's own data.
READ = [
    ("1.1", lambda right: right), ("1.1", lambda right: round(right, 1)), ("1.1", lambda right: f"{right:.2f}"),
    ("1.1", lambda right: f"{right:.2f}".replace(".", ",")),
    ("1.1", lambda right: f" {right:.1f} điểm trên thang 0–100"),
    ("1.1", lambda right: f"{right:.1f} điểm"), ("1.1", lambda right: [right]), ("1.1", np.float32),
    ("1.1", lambda right: pd.Series([right])), ("1.1", lambda right: np.array(right)), ("1.1", Decimal),
    ("1.1", lambda right: f"{right:.1f} points"), ("4.1", lambda right: f"{right:.1f} %"),
    ("4.1", lambda right: f"{right:.1f} phần trăm"), ("4.1", lambda right: f"{right:.1f} per cent"),
    ("4.2", lambda right: f"{right:.1f} điểm phần trăm"), ("4.2", lambda right: f"{right:.1f} percentage points"),
    ("1.2", np.int64), ("1.2", float), ("1.2", str), ("1.2", lambda right: f"{right} xã"),
    ("3.6", lambda right: f" «{right.upper()}»."),
    ("3.3", lambda right: ", ".join(right)), ("3.3", list), ("3.3", lambda right: pd.Series(list(right))),
    ("2.4", lambda right: " và ".join(right)), ("2.4", lambda right: [" and ".join(right)]),
    ("2.4", lambda right: unicodedata.normalize("NFD", " VÀ ".join(right))),
    ("6.2", lambda right: tuple(map(int, right))),
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
    ("1.1", (4, 8), '`4.8` hoặc `"4,8"`'), ("1.1", (-4, 0), "tách ra hai số"),
    ("1.2", (2, 134), "ở đây có 2"), ("1.1", (1.234, 5), "ở đây có 2"),
    ("1.1", "7,6 %", "đơn vị «điểm trên thang 0–100»"), ("4.2", "7,6%", "đơn vị «điểm phần trăm»"),
    ("4.2", "7.6 percent", "đơn vị «điểm phần trăm»"), ("4.1", "7,6 điểm phần trăm", "đơn vị «%»"),
    ("1.2", "50%", "không hỏi phần trăm"), ("2.3", "84 phần trăm", "không hỏi phần trăm"),
    ("3.6", "z", '`"a"`, `"b"`'), ("3.6", 3, '`"a"`'), ("3.6", {}, '`"a"`'), ("3.6", "...", "Chưa có câu trả lời"),
    ("3.3", [], "Chưa có câu trả lời"), ("3.3", "", "Chưa có câu trả lời"), ("3.3", "...", "Chưa có câu trả lời"),
    ("9.9", 1, "Không có bài tập «9.9»"), (None, 1, "Không có bài tập"),
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
     ("3,2.", "number", 3.2), (",5", "number", 0.5), ("+4", "count", 4), ("12.", "count", 12)],
)  # fmt: skip
def test_numbers_are_read_as_either_language_writes_them(typed, kind, value):
    exercise = next(one for one in EXERCISES if one.kind == kind)
    assert course.read_answer(exercise, typed) == value


def test_three_hints_and_then_the_way(made, said):
    told = [said("1.1", 1000 + attempt) for attempt in range(6)]
    for number, words in enumerate(told[:3], start=1):
        assert f"Gợi ý {number}/3." in words
    assert all(text("course_1_1_way", "vi") in words for words in told[3:])
    assert kept(made)["1.1"] == {"solved": False, "attempts": 6, "hints": 4, "mistakes": {}}
    said("1.1", course.find("1.1").answer(made))
    said("1.1", 1000)
    assert kept(made)["1.1"] == {"solved": True, "attempts": 7, "hints": 4, "mistakes": {}}


def test_how_near_is_told_where_the_answer_is_near_and_that_counts_are_whole(said, made):
    right = course.find("1.1").answer(made)
    assert "lệch không quá 0,15" in said("1.1", right + 0.2) and "lệch" not in said("1.1", right + 99)
    assert "✔" in said("1.1", right - 0.14)
    whole = said("3.4", 2.134)
    assert "không có phần lẻ" in whole and "lệch" not in whole


def test_a_mistake_made_twice_gets_a_hint_as_well(made, said):
    key, wrong = next(iter(course.find("1.1").mistakes.items()))
    first, second = (said("1.1", wrong(made)) for _ in range(2))
    own = text(f"course_{key}", "vi")
    assert own in first and "Gợi ý" not in first and own in second and "Gợi ý 1/3." in second
    assert kept(made)["1.1"]["mistakes"] == {key: 2}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda one: one.code)
def test_every_exercise_knows_its_answer_its_mistakes_and_its_texts(made, said, exercise):
    assert exercise.mistakes
    right = exercise.answer(made)
    for mistake, wrong in exercise.mistakes.items():
        if not course.matches(exercise, wrong(made), right):
            plain = re.sub(r"\*\*|\\(?=\W)", "", text(f"course_{mistake}", "vi"))
            assert plain in said(exercise.code, wrong(made)), mistake
    assert "✔" in said(exercise.code, right)
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
    assert "teacher/" not in "".join(cell.source for cell in start.cells)
    shutil.copy(tmp_path / "vi/9_trial.ipynb", tmp_path / "vi/8_old.ipynb")
    nbformat.write(source(CELLS[0], CELLS[1], ("", "1 + 1"), *CELLS[2:]), tmp_path / "source/9_trial.ipynb")
    assert len(course_notebooks.stale(tmp_path)) == 5
    course_notebooks.make(tmp_path)
    assert course_notebooks.stale(tmp_path) == [] and not (tmp_path / "vi/8_old.ipynb").exists()


def test_a_notebook_with_answers_is_never_written_over(tmp_path):
    (tmp_path / "source").mkdir()
    nbformat.write(source(*CELLS), tmp_path / "source/9_trial.ipynb")
    course_notebooks.make(tmp_path)
    ran, answered = tmp_path / "en/9_trial.ipynb", tmp_path / "vi/9_trial.ipynb"
    for path, answer in ((ran, "..."), (answered, "4")):
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[-1] |= {"source": notebook.cells[-1].source.replace("...", answer), "execution_count": 3}
        nbformat.write(notebook, path)
    (tmp_path / "vi/8_own.ipynb").write_text("{}", encoding="utf-8")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")}
    with pytest.raises(DataError, match="may hold a student's answers") as refused:
        course_notebooks.make(tmp_path)
    assert [one.file for one in refused.value.problems] == ["vi/8_own.ipynb", "vi/9_trial.ipynb"]
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.ipynb")} == before
    answered.unlink()
    (tmp_path / "vi/8_own.ipynb").unlink()
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
    wrong = {"solved": False, "attempts": 9, "hints": 7, "mistakes": {"1_percent_for_points": 2, "unknown": 1}}
    progress(tmp_path, "A1", {"1.1": {"solved": True, "attempts": 2, "mistakes": {"1_percent_for_points": 1}}})
    progress(tmp_path, "B2", {"1.1": wrong, "1.2": {"solved": True, "attempts": 1}, "9.9": {"attempts": 3}})
    for name in ("en", "copied"):
        (tmp_path / name).mkdir()
    again = {"code": "A1", "exercises": {"1.1": {"solved": False, "attempts": 5}}}
    (tmp_path / "en/progress_A1.json").write_text(json.dumps(again), encoding="utf-8")
    shutil.copy(tmp_path / "tien-do_B2.json", tmp_path / "copied")
    progress(tmp_path, "=C", {})
    result = CliRunner().invoke(app, ["course", "summary", str(tmp_path), "--language", "en"])
    assert result.exit_code == 0
    assert "tien-do_=C.json: this progress file could not be read" in result.stdout
    assert "code A1 has several progress files that differ" in result.stdout and "code B2" not in result.stdout
    assert "tien-do_B2.json: the course has no exercise 9.9; it is not counted." in result.stdout
    sheets = {sheet.title: list(sheet.values) for sheet in openpyxl.load_workbook(tmp_path / "course-summary.xlsx")}
    assert sheets == {
        "Students": [
            ("Student code", "Tried", "Solved", "Attempts", "Hints", "Tried, not solved"),
            ("A1", 1, 1, 5, 0, None), ("B2", 2, 1, 10, 4, "1.1"),
        ],
        "Exercises": [
            ("Exercise", "Tried", "Solved", "Attempts", "Hints"), ("1.1", 2, 1, 14, 4), ("1.2", 1, 1, 1, 0),
        ],
        "Common mistakes": [
            ("Exercise", "Students", "Times", "What the student was told"),
            ("1.1", 1, 2, text("course_1_percent_for_points", "en")),
        ],
    }  # fmt: skip
    first = (tmp_path / "course-summary.xlsx").read_bytes()
    assert summarise(tmp_path, "en")[0].read_bytes() == first


@pytest.mark.parametrize(
    ("exercises", "words"),
    [
        (None, "không có tệp tiến độ nào"),
        ({}, "chưa có lần thử bài tập nào"),
        ({"9.9": {}}, "khóa học không có bài tập 9.9"),
    ],
)
def test_a_folder_without_attempts_is_said_and_no_workbook_written(tmp_path, exercises, words):
    if exercises is not None:
        progress(tmp_path, "A1", exercises)
    result = CliRunner().invoke(app, ["course", "summary", str(tmp_path)])
    assert result.exit_code == 1 and words in result.stderr
    assert not list(tmp_path.glob("*.xlsx"))


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


def as_printed(exercise: Exercise, value: float) -> float:
    """A number as the lesson prints it, by a student who rounds it."""
    return round(value, exercise.decimals)


@pytest.mark.slow
@pytest.mark.parametrize("score", range(10))
def test_every_code_gives_exercises_that_can_be_solved(score, tmp_path):
    told = dict.fromkeys((mistake for one in EXERCISES for mistake in one.mistakes), 0)
    for code in (f"SV{20 * score + number:03d}" for number in range(20)):
        make(code, tmp_path / code, "vi")
        work = Work(code, tmp_path / code)
        for exercise in EXERCISES:
            right = exercise.answer(work)
            asked = sorted(right) if exercise.kind == "codes" else right
            assert course.matches(exercise, course.read_answer(exercise, asked), right), (code, exercise.code)
            found = {mistake: one(work) for mistake, one in exercise.mistakes.items()}
            wrong = {mistake for mistake, one in found.items() if not course.matches(exercise, one, right)}
            assert wrong, (code, exercise.code)
            # A number that a student rounds stays on the side on which it is: right, or this mistake.
            if exercise.kind == "number":
                assert wrong == set(found), (code, exercise.code)
                assert course.matches(exercise, as_printed(exercise, right), right)
                for one in found.values():
                    assert not course.matches(exercise, as_printed(exercise, one), right), (code, exercise.code)
            for mistake in wrong:
                told[mistake] += 1
        assert course.find("1.4").answer(work) > 0 and len(work.survey.responses) > 1500, code
        shutil.rmtree(tmp_path / code)
    assert min(told.values()) > 0, [mistake for mistake, count in told.items() if not count]
