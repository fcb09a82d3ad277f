"""What a class has done in the course, for its teacher: by student code, without names."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from evalkit.course import HINTS, Progress, find
from evalkit.errors import DataError, Problem
from evalkit.language import LANGUAGES, Language, text
from evalkit.spreadsheets import save_workbook, write_text

WIDTHS = {"code": 22, "unsolved": 40, "mistake": 110}
_COLUMNS = ["code", "exercise", "solved", "attempts", "hints"]
_MISTAKES = ["code", "exercise", "mistake", "times"]


def summarise(folder: str | Path, language: Language = "vi") -> tuple[Path, list[Problem]]:
    """Write a workbook on all progress files in a folder and below; returns its path and what was left out.

    Sheets: students (exercises tried and solved, attempts, hints, what is tried and unsolved), exercises (how many
    students tried and solved them), mistakes (how many students made each, what they were told). Raises DataError
    where there is no progress file, or no attempt in any.

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
    times`, one row a student and mistake; and notices on files that cannot be read, exercises that do not exist, and
    codes with files that differ: of each exercise the one with the most attempts counts. Raises DataError where there
    is no progress file, or no attempt in any.
    """
    names = [text("course_progress_name", language) for language in LANGUAGES]
    found: dict[str, list[Progress]] = defaultdict(list)
    notices = []
    paths = sorted(path for name in names for path in folder.rglob(f"{name}_*.json"))
    for path in paths:
        place = path.relative_to(folder).as_posix()
        try:
            read = Progress.model_validate_json(path.read_bytes())
        except (ValueError, OSError):
            notices.append(Problem(place, "course_summary_broken"))
            continue
        if unknown := [one for one in read.exercises if find(one) is None]:
            notices.append(Problem(place, "course_summary_unknown", {"found": ", ".join(unknown)}))
        if read not in found[read.code]:  # a copy says nothing new
            found[read.code].append(read)
    notices += [
        Problem(str(folder), "course_summary_twice", {"found": code})
        for code, several in found.items()
        if several[1:]
    ]
    rows, made = [], []
    for code, several in found.items():
        for exercise in sorted({one for read in several for one in read.exercises}):
            if known := find(exercise):
                each = [read.exercises[exercise] for read in several if exercise in read.exercises]
                tried = max(each, key=lambda one: (one.attempts, one.solved))
                solved = any(one.solved for one in each)
                rows.append((code, exercise, solved, tried.attempts, min(tried.hints, HINTS + 1)))
                made += [(code, exercise, *one) for one in tried.mistakes.items() if one[0] in known.mistakes]
    if not rows:
        raise DataError([*notices, Problem(str(folder), "course_summary_empty" if paths else "course_summary_none")])
    return pd.DataFrame(rows, columns=_COLUMNS), pd.DataFrame(made, columns=_MISTAKES), notices


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
