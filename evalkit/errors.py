"""What is wrong with the user's files: where, what was found, what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from evalkit.encodings import fold
from evalkit.language import Language, text

MOST_LINES = 8
MOST_NAMES = 10


@dataclass(frozen=True)
class Problem:
    """One thing wrong, at one place in the user's own files.

    `key` names the message in the catalogue, `values` fills it, labels in both languages. The place is a file and,
    as far as they are known, a sheet, a cell (C4), a line as the user's editor or Excel counts it, a column or key.
    """

    file: str
    key: str
    values: dict[str, Any] = field(default_factory=dict)
    line: int | None = None
    column: str | None = None
    sheet: str | None = None
    cell: str | None = None

    def message(self, language: Language) -> str:
        """The problem in one line.

        >>> Problem("codebook.csv", "file_empty", line=3).message("en")
        'codebook.csv, line 3: the file is empty; it must have a header row and data.'
        """
        place = [self.file]
        for part in ("sheet", "cell", "line", "column"):
            if getattr(self, part) is not None:
                place.append(text(f"place_{part}", language, **{part: getattr(self, part)}))
        values = {name: v[language] if isinstance(v, Mapping) else v for name, v in self.values.items()}
        return f"{', '.join(place)}: {text(self.key, language, **values)}"


class DataError(Exception):
    """The user's files are not as they must be; `problems` says everything that was found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.message("en"))

    def message(self, language: Language) -> str:
        """All problems, as `in_words` says them."""
        return in_words(self.problems, language)


def in_words(problems: Iterable[Problem], language: Language) -> str:
    """Problems or notices, one a line; what one cause repeats over many places is said once, with the places."""
    groups: dict[Any, list[Problem]] = {}
    for problem in problems:
        alike = (problem.file, problem.sheet, problem.key, problem.column, str(problem.values.get("found")))
        placed = problem.line is not None or problem.cell is not None
        groups.setdefault(alike if placed else id(problem), []).append(problem)
    lines = []
    for first, *others in groups.values():
        line = first.message(language)
        if others:
            shown = ", ".join(str(other.cell or other.line) for other in others[:MOST_LINES])
            more = " …" if len(others) > MOST_LINES else ""
            line += " " + text("same_problem", language, count=len(others), lines=shown + more)
        lines.append(line)
    return "\n".join(lines)


@contextmanager
def gathered(problems: list[Problem]) -> Iterator[None]:
    """What is wrong within the block is added to the problems found so far, and the block is left."""
    try:
        yield
    except DataError as error:
        problems += error.problems


def raise_any(problems: Iterable[Problem]) -> None:
    """Raise one DataError for all problems, if there are any."""
    problems = list(problems)
    if problems:
        raise DataError(problems)


def nearest(found: str, known: Iterable[str]) -> str:
    """The known name most like what was found, for a proposal; where none is alike the first of all."""
    names = {fold(str(name)): str(name) for name in known}
    close = difflib.get_close_matches(fold(found), names, n=1, cutoff=0.6)
    if close:
        return names[close[0]]
    more = " …" if len(names) > MOST_NAMES else ""
    return ", ".join(list(names.values())[:MOST_NAMES]) + more or "–"
