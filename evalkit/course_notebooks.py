"""The lessons as students and teachers get them, in both languages, from one source each; and the start page."""

from __future__ import annotations

import re
from copy import deepcopy
from hashlib import sha256
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_markdown_cell, new_notebook

from evalkit.errors import Problem, raise_any
from evalkit.execution import NOTEBOOKS
from evalkit.language import LANGUAGES, Language, text

COURSE = NOTEBOOKS / "course"
SOURCE, TEACHER, START = "source", "teacher", "start.ipynb"
MADE = "evalkit_made"  # of a notebook's metadata: the SHA-256 of its cells
_CHECKED = re.compile(r'course\.check\("(\d+\.\d+)"')


def make(course: Path = COURSE) -> list[Path]:
    """Write the start page and every lesson's student and teacher version in both languages; returns the paths.

    course: the folder that holds `source/`; notebooks there that have no source any more are taken away. Raises
    DataError, and writes nothing, where an exercise has not one cell to answer in and one with the solution, or a
    notebook there was changed since it was made: it may hold somebody's answers.

        make()
    """
    pages = _pages(course)
    there = _there(course)
    own = sorted(path.relative_to(course).as_posix() for path in there if not _as_made(path))
    raise_any(Problem(path, "course_changed_since") for path in own)
    for path in there - pages.keys():
        path.unlink()
    for path, content in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="\n")
    return list(pages)


def stale(course: Path = COURSE) -> list[str]:
    """The generated notebooks that are not what `make` would write, as paths in `course`."""
    pages = _pages(course)
    old = {path for path, content in pages.items() if not path.exists() or path.read_text("utf-8") != content}
    return sorted(path.relative_to(course).as_posix() for path in old | (_there(course) - pages.keys()))


def lesson(source: Any, language: Language, *, teacher: bool) -> Any:
    """A lesson's notebook out of its source: one language, the cells to answer in or the solutions, no outputs.

    Cells to answer in carry the metadata by which nbgrader knows them (nbgraderformat, schema version 3).
    """
    other = next(one for one in LANGUAGES if one != language)
    left_out = {other, "exercise" if teacher else "solution"}
    made = new_notebook(metadata={name: source.metadata[name] for name in ("kernelspec",) if name in source.metadata})
    for cell in deepcopy(source.cells):
        tags = set(cell.metadata.get("tags", []))
        if tags & left_out:
            continue
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
            cell.source = cell.source.replace("course.start(code)", f'course.start(code, language="{language}")')
        if tags & {"exercise", "solution"}:
            cell.metadata["nbgrader"] = {
                "cell_type": "code",
                "grade": True,
                "grade_id": f"exercise-{_CHECKED.findall(cell.source)[0].replace('.', '-')}",
                "locked": False,
                "points": 1,
                "schema_version": 3,
                "solution": True,
                "task": False,
            }
        made.cells.append(cell)
    return made


def _pages(course: Path) -> dict[Path, str]:
    """What every generated notebook must hold."""
    sources = {path: nbformat.read(path, as_version=4) for path in sorted((course / SOURCE).glob("[0-9]_*.ipynb"))}
    raise_any(problem for path, source in sources.items() for problem in _unpaired(path.name, source))
    pages = {course / START: _written(_start_page(sources))}
    for path, source in sources.items():
        for language in LANGUAGES:
            pages[course / language / path.name] = _written(lesson(source, language, teacher=False))
            pages[course / TEACHER / language / path.name] = _written(lesson(source, language, teacher=True))
    return pages


def _there(course: Path) -> set[Path]:
    """The generated notebooks that stand there."""
    folders = (course / START, *(course / part / one for part in ("", TEACHER) for one in LANGUAGES))
    return {path for folder in folders for path in ([folder] if folder.is_file() else folder.glob("[0-9]_*.ipynb"))}


def _unpaired(name: str, source: Any) -> list[Problem]:
    """Exercises that have not exactly one cell of each kind."""
    found: dict[str, list[str]] = {}
    for number, cell in enumerate(source.cells):
        for kind in {"exercise", "solution"} & set(cell.metadata.get("tags", [])):
            for code in _CHECKED.findall(cell.source) or [f"[{number}]"]:
                found.setdefault(code, []).append(kind)
    wrong = [code for code, kinds in found.items() if kinds != ["exercise", "solution"]]
    return [Problem(name, "course_exercise_broken", {"found": code}) for code in wrong]


def _start_page(sources: dict[Path, Any]) -> Any:
    """Both languages below each other, with a link to every lesson."""
    cells = []
    for language in LANGUAGES:
        links = [f"- [{_title(source, language)}]({language}/{path.name})" for path, source in sources.items()]
        page = f"{text('course_start_page', language).strip()}\n\n" + "\n".join(links)
        cells.append(new_markdown_cell(page, id=f"start-{language}"))
    return new_notebook(cells=cells, metadata={"kernelspec": next(iter(sources.values())).metadata["kernelspec"]})


def _title(source: Any, language: Language) -> str:
    first = next(cell for cell in source.cells if language in cell.metadata.get("tags", []))
    return first.source.splitlines()[0].lstrip("# ")


def _as_made(path: Path) -> bool:
    """Whether the cells of a notebook, run or not, still say what they said when `make` wrote it."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, OSError, nbformat.ValidationError):
        return False
    return bool(notebook.metadata.get(MADE) == _digest(notebook))


def _digest(notebook: Any) -> str:
    return sha256("\0".join(cell.source for cell in notebook.cells).encode()).hexdigest()


def _written(notebook: Any) -> str:
    notebook.metadata[MADE] = _digest(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"
