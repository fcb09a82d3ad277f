"""Which column of a file is which variable: titles above, headers over several rows, groups, answers as columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from evalkit.codebook import Codebook, Variable
from evalkit.encodings import fold
from evalkit.errors import MOST_NAMES, DataError, Problem, nearest, raise_any
from evalkit.grid import SEARCHED, Grid
from evalkit.workbooks import refuse_merged_below

TALLEST = 3  # rows that a header may have
# What KoboToolbox, ODK, Google Forms and our entry workbook add; read only where the codebook names it.
_OF_THE_TOOL = re.compile(
    r"start|end|today|audit|username|deviceid|subscriberid|simserial|phonenumber|key|parent_key|status|reviewstate"
    r"|submissiondate|submitter(id|name)|attachments(present|expected)|edits|formversion|formdef_version|instanceid"
    r"|completiondate|_(_version_|version|version__\d+|id|uuid|submission_time|submission__\w+|validation_status|notes"
    r"|status|submitted_by|tags|index|parent_table_name|parent_index|attachments|geolocation|xform_id_string)_?"
    r"|_.+_(latitude|longitude|altitude|precision)|.+-(latitude|longitude|altitude|accuracy)|meta[-/]\w+|formhub/uuid"
    r"|timestamp|dấu thời gian|người nhập|số phiếu|email address|địa chỉ email|score|điểm số"
)


@dataclass(frozen=True)
class Header:
    """The header of a grid: its lines, the text over every column, and the variables of each column."""

    lines: tuple[int, ...]
    texts: tuple[str, ...]
    meanings: tuple[tuple[str, ...], ...]

    @cached_property
    def positions(self) -> dict[str, list[int]]:
        """Where each variable stands."""
        found: dict[str, list[int]] = {}
        for position, names in enumerate(self.meanings):
            for name in names:
                found.setdefault(name, []).append(position)
        return found


def find_header(grid: Grid, codebook: Codebook, file: str) -> Header:
    """The rows near the top that name most of the codebook's columns: of equally good ones the fewest, the first.

    A header over several rows reads «upper / lower» over each column; merged cells reach over all their columns. A
    column is known by the codebook's `column`, with or without the groups before it (`group/name`). Raises DataError
    where no row names any column.
    """
    known = _Known(codebook)
    top = grid.cells.iloc[:SEARCHED].astype(object).to_numpy()
    best = None
    for height in range(1, TALLEST + 1):
        for start in range(len(top) - height + 1):
            texts = tuple(_joined(column) for column in top[start : start + height].T.tolist())
            lines = tuple(grid.cells.index[start : start + height])
            header = Header(lines, texts, tuple(known.meaning(text) for text in texts))
            if best is None or len(header.positions) > len(best.positions):
                best = header
    if best is None or not best.positions:
        first = top[0] if len(top) else ()
        values = {"found": " | ".join(cell.strip() for cell in first if cell.strip())[:80]}
        raise DataError([Problem(file, "header_missing", values)])
    return best


def take_columns(
    grid: Grid, codebook: Codebook, file: str, *, where: tuple[str, str] | None = None
) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
    """The rows below the header with one column a variable (type `ignore` left out), and notices.

    where: a column and the text that rows must have in it, folded.
    A question of type `multiple` may stand as one column an answer (`question/answer`) or as one column of answers.
    Raises DataError naming columns that are missing, unknown or there twice, and rows longer than the header.
    """
    header = find_header(grid, codebook, file)
    line = header.lines[-1]
    grid = refuse_merged_below(grid, line)
    width = max(at for at, text in enumerate(header.texts) if text) + 1
    cells = grid.cells.loc[grid.cells.index > line]
    problems: list[Problem] = []
    taken: dict[str, pd.Series] = {}
    for variable in codebook.values():
        places = header.positions.get(variable.name, [])
        single = [at for at in places if header.meanings[at] == (variable.name,)]
        if variable.question and not single:
            single = places
        if len(single) > 1:
            problems.append(Problem(file, "column_twice", {"found": variable.column}, line))
        elif single and variable.type != "ignore":
            column = cells[single[0]]
            split = variable.question and header.meanings[single[0]] != (variable.name,)
            taken[variable.name] = _chosen(column, variable, codebook) if split else column
        elif variable.type not in ("ignore", "identifier"):
            values = {"found": variable.header, "variable": variable.question or variable.name}
            problems.append(Problem(file, "raw_column_missing", values, line))
    left = [at for at in range(width) if not header.meanings[at]]
    tool = [at for at in left if _OF_THE_TOOL.fullmatch(fold(header.texts[at]))]
    titles = [variable.column for variable in codebook.values()]
    unknown = [header.texts[at] for at in left if at not in tool]
    problems += [
        Problem(file, "raw_column_unknown", {"found": text, "expected": nearest(text, titles)}, line)
        for text in unknown[: MOST_NAMES + 1]
    ]
    problems = _gathered(problems, "raw_column_missing", "raw_column_missing_many")
    problems = _gathered(problems, "raw_column_unknown", "raw_column_unknown_many", len(unknown))
    for at in range(width, grid.cells.shape[1]):
        longer = cells.index[cells[at].astype("str").str.strip() != ""]
        found = [Problem(file, "row_ragged", {"found": at + 1, "expected": width}, found) for found in longer]
        problems += found
    if cells.empty:
        problems.append(Problem(file, "no_rows", line=line))
    mine = [at for at, text in enumerate(header.texts) if where and fold(text) == fold(where[0])]
    if where and not mine:
        problems.append(Problem(file, "raw_column_missing", {"found": where[0], "variable": "where"}, line))
    raise_any(problems)
    notices = grid.notices
    if tool:
        values = {"found": ", ".join(header.texts[at] for at in tool)}
        notices += (Problem(file, "tool_columns", values, line),)
    frame = pd.DataFrame(taken)
    if where:
        frame = frame[cells[mine[0]].map(fold) == fold(where[1])]
        if frame.empty:
            raise DataError([Problem(file, "where_empty", {"column": where[0], "found": where[1]})])
    return frame.apply(lambda column: column.cat.remove_unused_categories()), notices


def _gathered(problems: list[Problem], single: str, many: str, count: int = 0) -> list[Problem]:
    """The problems, those with the key `single` as one where they are too many to be read one by one."""
    alike = [problem for problem in problems if problem.key == single]
    if len(alike) <= MOST_NAMES:
        return problems
    names = [problem.values["found"] for problem in alike[:MOST_NAMES]]
    quoted = {"vi": ", ".join(f"«{name}»" for name in names), "en": ", ".join(f'"{name}"' for name in names)}
    values = {"count": count or len(alike), "found": quoted}
    return [*(problem for problem in problems if problem.key != single), replace(alike[0], key=many, values=values)]


def _joined(texts: list[str]) -> str:
    """The texts over one column, from top to bottom, each once."""
    return " / ".join(dict.fromkeys(" ".join(text.split()) for text in texts if text.strip()))


def _parts(text: str) -> list[str]:
    return [part.strip() for part in fold(text).split("/")]


class _Known:
    """The variables by what may stand over their columns."""

    def __init__(self, codebook: Codebook) -> None:
        self.columns: dict[str, tuple[str, ...]] = {}
        self.answers: dict[tuple[str, str], str] = {}
        for variable in codebook.values():
            column = "/".join(_parts(variable.column))
            self.columns[column] = (*self.columns.get(column, ()), variable.name)
            for words in variable.choice.spellings if variable.choice else ():
                self.answers[column, "/".join(_parts(words))] = variable.name

    def meaning(self, text: str) -> tuple[str, ...]:
        """The variables that stand under a text: one, or all answers of a question in one column; none if unknown."""
        for tail in _tails(text):
            if tail in self.columns:
                return self.columns[tail]
            parts = tail.split("/")
            for at in range(1, len(parts)):
                answer = self.answers.get(("/".join(parts[:at]), "/".join(parts[at:])))
                if answer:
                    return (answer,)
        return ()


def _tails(text: str) -> Iterator[str]:
    """A text whole, then without one, two … of the groups before its last part."""
    parts = _parts(text)
    for at in range(len(parts)):
        yield "/".join(parts[at:])
    if re.fullmatch(r"[\w-]+(/[\w-]+)?", text):  # ODK Central joins groups by a hyphen
        groups, slash, answer = fold(text).partition("/")
        for at in range(1, groups.count("-") + 1):
            yield "-".join(groups.split("-")[at:]) + slash + answer


def _chosen(column: pd.Series, variable: Variable, codebook: Codebook) -> pd.Series:
    """Whether one answer is among those of each cell: 1, 0, or nothing where the question was not answered.

    A cell that names something else stays as it is for the first answer, so that coding says so.
    """
    asked = [other for other in codebook.values() if other.question == variable.question]
    choices = {fold(words): other.name for other in asked if other.choice for words in other.choice.spellings}
    said = []
    for text in column.cat.categories:
        names, rest = _answers(text, choices)
        chosen = ("1" if variable.name in names else "0") if names else ""
        said.append(text if rest and variable is asked[0] else chosen)
    return pd.Series(pd.Categorical(pd.Series(said, dtype="str").take(column.cat.codes)), index=column.index)


def _answers(text: str, choices: dict[str, str]) -> tuple[set[str], str]:
    """The answers named in a cell, longest names first, and what is left over: «a b», «a, b» or «a; b»."""
    names, rest = set(), fold(text)
    for spelling in sorted(choices, key=lambda spelling: (-len(spelling), spelling)):
        pattern = rf"(?<![^\s,;|]){re.escape(spelling)}(?![^\s,;|])"
        if re.search(pattern, rest):
            names.add(choices[spelling])
            rest = re.sub(pattern, " ", rest)
    return names, rest.strip(" ,;|")
