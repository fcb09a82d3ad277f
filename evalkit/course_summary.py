"""What a class has done in the course, for its teacher: by student code, without names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from evalkit.course import Progress, find
from evalkit.errors import DataError, Problem
from evalkit.language import LANGUAGES, Language, text
from evalkit.spreadsheets import save_workbook, write_text

WIDTHS = {"code": 22, "unsolved": 40, "mistake": 110}
_COLUMNS = ["code", "exercise", "solved", "attempts", "hints"]


def summarise(folder: str | Path, language: Language = "vi") -> tuple[Path, list[Problem]]:
    """Write a workbook on all progress files in a folder and below; returns its path and what was left out.

    Sheets: students (exercises tried and solved, attempts, hints, what is tried and unsolved), exercises (how many
    students tried and solved them), mistakes (how many students made each, what they were told). Raises DataError
    where there is no progress file.

        summarise("lop-1")
    """
    folder = Path(folder)
    tried, mistakes, notices = collect(folder)
    sheets = {"students": _students(tried), "exercises": _exercises(tried), "mistakes": _mistakes(mistakes, language)}
    book = Workbook()
    book.remove(book.active)
    for name, table in sheets.items():
        _fill(book.create_sheet(text(f"course_summary_sheet_{name}", language)), table, language)
    path = folder / text("course_summary_file", language)
    save_workbook(book, path)
    return path, notices


def collect(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """The progress files of a folder and below.

    Returns `code, exercise, solved, attempts, hints`, one row a student and exercise; `code, exercise, mistake,
    times`, one row a student and mistake; and notices on files that cannot be read, and on codes that have several.
    """
    names = [text("course_progress_name", language) for language in LANGUAGES]
    found: list[Progress] = []
    notices = []
    paths = sorted(path for name in names for path in folder.rglob(f"{name}_*.json"))
    for path in paths:
        try:
            found.append(Progress.model_validate_json(path.read_bytes()))
        except (ValueError, OSError):
            notices.append(Problem(path.relative_to(folder).as_posix(), "course_summary_broken"))
    if not paths:
        raise DataError([Problem(str(folder), "course_summary_none")])
    for code, count in Counter(one.code for one in found).items():
        if count > 1:
            notices.append(Problem(str(folder), "course_summary_twice", {"found": code}))
    rows = [
        (one.code, exercise, tried.solved, tried.attempts, tried.hints)
        for one in found
        for exercise, tried in one.exercises.items()
    ]
    made = [
        (one.code, exercise, mistake, times)
        for one in found
        for exercise, tried in one.exercises.items()
        for mistake, times in tried.mistakes.items()
        if _is_known(exercise, mistake)
    ]
    by = ["code", "exercise"]
    summed = {"solved": "max", "attempts": "sum", "hints": "sum"}
    tried = pd.DataFrame(rows, columns=_COLUMNS).groupby(by, as_index=False).agg(summed)
    mistakes = pd.DataFrame(made, columns=[*by, "mistake", "times"]).groupby([*by, "mistake"], as_index=False).sum()
    return tried, mistakes, notices


def _is_known(code: str, mistake: str) -> bool:
    exercise = find(code)
    return exercise is not None and any(one.key == mistake for one in exercise.mistakes)


def _students(tried: pd.DataFrame) -> pd.DataFrame:
    by = tried.groupby("code")
    table = by.agg(tried=("exercise", "size"), solved=("solved", "sum"), attempts=("attempts", "sum"),
                   hints=("hints", "sum"))  # fmt: skip
    unsolved = tried[~tried["solved"].astype(bool)].groupby("code")["exercise"].agg(", ".join)
    return table.assign(unsolved=unsolved.reindex(table.index).fillna("")).reset_index()


def _exercises(tried: pd.DataFrame) -> pd.DataFrame:
    by = tried.groupby("exercise")
    return by.agg(tried=("code", "size"), solved=("solved", "sum"), attempts=("attempts", "sum"),
                  hints=("hints", "sum")).reset_index()  # fmt: skip


def _mistakes(mistakes: pd.DataFrame, language: Language) -> pd.DataFrame:
    by = mistakes.groupby(["exercise", "mistake"])
    table = by.agg(students=("code", "nunique"), times=("times", "sum")).reset_index()
    table["mistake"] = [text(f"course_{key}", language) for key in table["mistake"]]
    table = table.sort_values(["students", "times"], ascending=False, kind="stable")
    return table[["exercise", "students", "times", "mistake"]]


def _fill(sheet: Any, table: pd.DataFrame, language: Language) -> None:
    """Put a table into a sheet: bold titles, texts that are never formulas, wide enough columns."""
    for at, name in enumerate(table.columns, start=1):
        title = sheet.cell(1, at)
        write_text(title, text(f"course_summary_column_{name}", language))
        title.font = Font(bold=True)
        width = WIDTHS.get(name, 14)
        sheet.column_dimensions[get_column_letter(at)].width = width
    for line, row in enumerate(table.itertuples(index=False), start=2):
        for at, value in enumerate(row, start=1):
            cell = sheet.cell(line, at)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if isinstance(value, str):
                write_text(cell, value)
            else:
                cell.value = int(value)
    sheet.freeze_panes = "B2"
