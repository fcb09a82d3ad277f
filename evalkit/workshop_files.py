"""The files of a workshop: papers and their themes, solutions, opinions on a draft scheme, read and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.declaration import Code, Declared, Labels, Words, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, gathered, nearest, raise_any
from evalkit.files import read_grid
from evalkit.grid import SEARCHED
from evalkit.language import LANGUAGES, Language, catalogue, label, text
from evalkit.privacy import search
from evalkit.study import Study
from evalkit.textfiles import read_toml

FILE = "workshop.toml"
LEVELS = ("function", "task", "scope", "authority")
DECISIONS = ("accepted", "partly", "not_accepted")
ANSWERS = ("yes", "no")
FIELDS = {
    "papers": ("paper", "title", "organisation", "kind", "presented"),
    "themes": ("paper", "coder", "themes"),
    "solutions": ("solution", "text", "papers", "group", "level", "piloted", "indicators"),
    "opinions": (
        "opinion", "organisation", "kind", "theme", "place", "text", "decision", "explanation",
        "draft_before", "draft_after",
    ),
}  # fmt: skip
MAIN = "main"
AGREED = 0

_OPTIONAL = ("indicators", "explanation", "draft_before", "draft_after")
_WRITTEN = ("title", "text", "explanation", "draft_before", "draft_after")
# Fields whose cells hold one of some words of the catalogue: their prefix there, and the codes.
_CHOICES = {
    "presented": ("workshop_answer", ANSWERS),
    "piloted": ("workshop_answer", ANSWERS),
    "level": ("workshop_level", LEVELS),
    "decision": ("workshop_decision", DECISIONS),
}
_YOUTH = re.compile("Đoàn Thanh [Nn]iên")  # reads like a family name and a middle name


class About(Declared):
    """`[workshop]`: what it was about, its day, and how many papers it says it received and heard."""

    title: Labels
    held: date
    received: Annotated[int, Field(ge=0)] | None = None
    presented: Annotated[int, Field(ge=0)] | None = None
    draft: Labels | None = None


class Table(Declared):
    """A table of the workshop: its file, and its sheet where the file is a workbook."""

    file: Words
    sheet: str | None = None


class Files(Declared):
    """`[files]`: where the tables stand.

    agreed: what the column of coders says in rows that hold the codes which the coders settled together.
    """

    papers: Table
    themes: Table
    solutions: Table | None = None
    opinions: Table | None = None
    agreed: Words | None = None


class Named(Labels):
    """A code and what it stands for."""

    code: Code


Several = Annotated[tuple[Named, ...], Field(min_length=1, strict=False)]


class Declaration(Declared):
    """All of `workshop.toml`: kinds of organisation, themes, and the groups that solutions are put into."""

    workshop: About
    files: Files
    kinds: Several
    themes: Several
    groups: Annotated[tuple[Named, ...], Field(strict=False)] = ()


@dataclass(frozen=True)
class Workshop:
    """A workshop, read and checked; no frame holds names of persons, columns of authors are not read.

    papers: `paper, title, organisation, kind, presented`. themes: one row a paper, coder and theme: `paper, coder,
    theme, main`; coders are numbered from 1 as they first appear, 0 is what they settled together, `main` the theme
    named first. solutions: `solution, text, papers, group, level, piloted, indicators`, of which papers and
    indicators are tuples. opinions: `opinion, organisation, kind, theme, place, text, decision, explanation,
    draft_before, draft_after`. The index `line` of each is the line in its file.
    """

    declared: Declaration
    papers: pd.DataFrame
    themes: pd.DataFrame
    solutions: pd.DataFrame
    opinions: pd.DataFrame
    notices: tuple[Problem, ...] = ()

    @property
    def coders(self) -> int:
        """How many people coded themes by themselves."""
        return int(self.themes.loc[self.themes["coder"] != AGREED, "coder"].nunique())


def read_workshop(study: Study) -> Workshop | None:
    """The workshop of a study folder; None where it has no workshop.toml.

    Raises DataError with all that is wrong in workshop.toml and its tables: missing columns, codes twice, unknown
    kinds, themes, papers and indicators, papers without a theme, opinions answered without an explanation or without
    the change in the draft that they had, names of persons as organisations. Notices: columns that were not
    read, coders who coded only some papers, papers whose coders settled no theme, texts that seem to name persons.

        workshop = read_workshop(study)
    """
    if not (study.folder / FILE).exists():
        return None
    declared = parse(read_toml(study.folder / FILE, FILE), FILE, Declaration)
    raise_any(_check_declared(declared))
    problems: list[Problem] = []
    notices: list[Problem] = []
    frames: dict[str, pd.DataFrame] = {}
    for name in FIELDS:
        table = getattr(declared.files, name)
        with gathered(problems):
            frames[name] = _table(study, table, name, notices) if table else pd.DataFrame(columns=FIELDS[name])
    raise_any(problems)
    reader = _Reader(study, declared, problems)
    papers = reader.papers(frames["papers"])
    themes = reader.themes(frames["themes"], papers)
    solutions = reader.solutions(frames["solutions"], papers)
    opinions = reader.opinions(frames["opinions"])
    raise_any(problems)
    found = Workshop(declared, papers, themes, solutions, opinions)
    return replace(found, notices=(*notices, *_coder_notices(found)))


def settled(workshop: Workshop) -> pd.DataFrame:
    """The themes of each paper, `paper, theme`: what its coders settled, else what more than half gave it."""
    themes = workshop.themes
    together = themes[themes["coder"] == AGREED]
    apart = themes[(themes["coder"] != AGREED) & ~themes["paper"].isin(together["paper"])]
    coders = apart.groupby("paper")["coder"].nunique()
    votes = apart.groupby(["paper", "theme"]).size().reset_index(name="votes")
    most = votes[votes["votes"] > votes["paper"].map(coders) / 2]
    found = pd.concat([together[["paper", "theme"]], most[["paper", "theme"]]])
    return in_order(found, {"paper": list(workshop.papers["paper"]), "theme": codes_of(workshop.declared.themes)})


def unsettled(workshop: Workshop) -> list[str]:
    """The papers that their coders gave themes, but no theme by more than half of them."""
    found = set(settled(workshop)["paper"])
    return [paper for paper in workshop.papers["paper"] if paper not in found]


def labels(named: Iterable[Named], language: Language) -> dict[str, str]:
    """The words of the codes that workshop.toml declares."""
    return {one.code: label(one, language) for one in named}


def codes_of(named: Iterable[Named]) -> list[str]:
    """The codes that workshop.toml declares, in its order."""
    return [one.code for one in named]


def in_order(frame: pd.DataFrame, orders: Mapping[str, list[str]]) -> pd.DataFrame:
    """Rows in the declared order of their codes, numbered anew."""
    return frame.sort_values(
        list(orders), key=lambda column: column.map(orders[column.name].index), kind="stable", ignore_index=True
    )


def _check_declared(declared: Declaration) -> list[Problem]:
    problems = []
    for name in ("kinds", "themes", "groups"):
        used = codes_of(getattr(declared, name))
        problems += [
            Problem(FILE, "code_repeated", {"found": code}, column=name)
            for code in sorted({code for code in used if used.count(code) > 1})
        ]
    if MAIN in codes_of(declared.themes):
        problems.append(Problem(FILE, "name_reserved", {"found": MAIN}, column="themes"))
    if declared.files.solutions and not declared.groups:
        problems.append(Problem(FILE, "key_missing", column="groups"))
    if declared.files.opinions and not declared.workshop.draft:
        problems.append(Problem(FILE, "key_missing", column="workshop.draft"))
    return problems


def _table(study: Study, table: Table, name: str, notices: list[Problem]) -> pd.DataFrame:
    """The known columns of a table as text in normal form, by field; the index is the line."""
    path = study.folder / table.file
    if study.outside(table.file):
        raise DataError([Problem(FILE, "path_outside", {"found": table.file}, column=f"files.{name}.file")])
    grid = read_grid(path, table.file, sheet=table.sheet)
    notices += grid.notices
    cells = grid.cells.astype(object).map(normal_form)
    titles = {fold(spelling): field for field in FIELDS[name] for spelling in _titles(field)}
    # The row that has most of the titles: lines above it are headings.
    header = cells.head(SEARCHED).map(lambda cell: titles.get(fold(cell))).nunique(axis=1).idxmax()
    fields = {at: titles.get(fold(cell)) for at, cell in cells.loc[header].items()}
    found = [field for field in fields.values() if field]
    place: dict[str, Any] = {"line": int(header), "sheet": table.sheet}
    missing = [field for field in FIELDS[name] if field not in (*_OPTIONAL, *found)]
    twice = [field for field in FIELDS[name] if found.count(field) > 1]
    raise_any(
        Problem(table.file, key, {"found": _titles(field)[1]}, **place)
        for key, fields_of in (("column_missing", missing), ("column_twice", twice))
        for field in fields_of
    )
    other = [cells.loc[header, at] for at, field in fields.items() if not field and cells.loc[header, at]]
    if other:
        notices.append(Problem(table.file, "workshop_not_read", {"found": ", ".join(other)}, **place))
    below = cells.loc[cells.index > header]
    frame = pd.DataFrame({field: below[at] for at, field in fields.items() if field}, index=below.index)
    frame = frame.reindex(columns=list(FIELDS[name]), fill_value="").astype(object)
    for column in (column for column in _WRITTEN if column in frame):
        count = sum(one.count for one in search({"": frame[column]}))
        if count:
            values = {"count": count}
            notices.append(Problem(table.file, "workshop_person_in_text", values, column=_titles(column)[1]))
    return frame.loc[(frame != "").any(axis=1)]


def _titles(field: str) -> tuple[str, ...]:
    """What a column may be called: the name of the field, its Vietnamese and its English title."""
    return (field, *(text(f"workshop_field_{field}", language) for language in LANGUAGES))


@dataclass(frozen=True)
class _Reader:
    """Turns text into codes, noting what is wrong."""

    study: Study
    declared: Declaration
    problems: list[Problem]

    def papers(self, frame: pd.DataFrame) -> pd.DataFrame:
        file = self.declared.files.papers
        self._filled(frame, file, ("paper", "title", "organisation"))
        self._unique(frame, file, "paper")
        self._no_persons(frame, file)
        found = frame.assign(
            kind=self._chosen(frame, file, "kind", _spellings(self.declared.kinds)),
            presented=self._chosen(frame, file, "presented", _words("presented")) == "yes",
        )
        about = self.declared.workshop
        for key, declared, count in (
            ("received", about.received, len(found)),
            ("presented", about.presented, int(found["presented"].sum())),
        ):
            if declared is not None and declared != count:
                values = {"found": declared, "expected": count, "file": file.file}
                self.problems.append(Problem(FILE, f"workshop_count_{key}", values, column=f"workshop.{key}"))
        return found

    def themes(self, frame: pd.DataFrame, papers: pd.DataFrame) -> pd.DataFrame:
        file = self.declared.files.themes
        self._filled(frame, file, ("paper", "coder"))
        known = {fold(paper): paper for paper in papers["paper"] if paper}
        agreed = fold(self.declared.files.agreed or "")
        numbers: dict[str, int] = {agreed: AGREED} if agreed else {}
        spelled = _spellings(self.declared.themes)
        rows: list[dict[str, Any]] = []
        seen: dict[tuple[str, int], Any] = {}
        for line, row in frame.iterrows():
            coder = numbers.setdefault(fold(row["coder"]), len(numbers) + (not agreed))
            paper = self._one(row["paper"], known, file, line, "paper")
            if paper and seen.setdefault((paper, coder), line) != line:
                self._wrong(file, "workshop_coded_twice", line, "paper", found=paper, first=seen[paper, coder])
                continue
            themes = [self._one(part, spelled, file, line, "themes") for part in _parts(row["themes"])]
            if not themes:
                self._wrong(file, "workshop_no_theme_given", line, "themes", found=row["paper"])
            for at, theme in enumerate(dict.fromkeys(themes)):
                if paper and theme:
                    rows.append({"line": line, "paper": paper, "coder": coder, "theme": theme, "main": at == 0})
        mentioned = {fold(paper) for paper in frame["paper"]}
        for line, paper in papers["paper"].items():
            if paper and fold(paper) not in mentioned:
                where = self.declared.files.papers
                self._wrong(where, "workshop_no_theme", line, "paper", found=paper, file=file.file)
        return pd.DataFrame(rows, columns=["line", "paper", "coder", "theme", "main"]).set_index("line")

    def solutions(self, frame: pd.DataFrame, papers: pd.DataFrame) -> pd.DataFrame:
        file = self.declared.files.solutions
        if file is None:
            return frame
        self._filled(frame, file, ("solution", "text", "papers"))
        self._unique(frame, file, "solution")
        known = {fold(paper): paper for paper in papers["paper"]}
        indicators = {fold(code): code for code in self.study.index}
        return frame.assign(
            papers=self._several(frame, file, "papers", known),
            group=self._chosen(frame, file, "group", _spellings(self.declared.groups)),
            level=self._chosen(frame, file, "level", _words("level")),
            piloted=self._chosen(frame, file, "piloted", _words("piloted")) == "yes",
            indicators=self._several(frame, file, "indicators", indicators),
        )

    def opinions(self, frame: pd.DataFrame) -> pd.DataFrame:
        file = self.declared.files.opinions
        if file is None:
            return frame
        self._filled(frame, file, ("opinion", "organisation", "place", "text"))
        self._unique(frame, file, "opinion")
        self._no_persons(frame, file)
        found = frame.assign(
            kind=self._chosen(frame, file, "kind", _spellings(self.declared.kinds)),
            theme=self._chosen(frame, file, "theme", _spellings(self.declared.themes)),
            decision=self._chosen(frame, file, "decision", _words("decision")),
        )
        changed = found["draft_before"] != found["draft_after"]
        unexplained = found["decision"].isin(["partly", "not_accepted"]) & (found["explanation"] == "")
        self._say(found[unexplained], file, "workshop_no_explanation", "explanation")
        had = found["decision"].isin(["accepted", "partly"])
        self._say(found[had & ~changed], file, "workshop_no_change", "draft_after")
        unasked = (found["decision"] == "not_accepted") & changed
        self._say(found[unasked], file, "workshop_change_unasked", "draft_after")
        return found

    def _wrong(self, file: Table, key: str, line: Any, field: str, /, **values: Any) -> None:
        self.problems.append(Problem(file.file, key, values, int(line), _titles(field)[1], file.sheet))

    def _say(self, rows: pd.DataFrame, file: Table, key: str, field: str) -> None:
        for line in rows.index:
            self._wrong(file, key, line, field)

    def _filled(self, frame: pd.DataFrame, file: Table, fields: Sequence[str]) -> None:
        for field in fields:
            self._say(frame[frame[field] == ""], file, "workshop_empty", field)

    def _unique(self, frame: pd.DataFrame, file: Table, field: str) -> None:
        again = frame[frame[field].map(fold).duplicated() & (frame[field] != "")]
        for line, found in again[field].items():
            self._wrong(file, "code_repeated", line, field, found=found)

    def _no_persons(self, frame: pd.DataFrame, file: Table) -> None:
        cells = frame["organisation"].map(lambda cell: _YOUTH.sub("", cell))
        held = [any(found.kind == "name" for found in search({"": [cell]})) for cell in cells]
        self._say(frame[np.array(held, dtype=bool)], file, "workshop_person", "organisation")

    def _one(self, cell: str, known: Mapping[str, str], file: Table, line: Any, field: str) -> str:
        """The code that a cell stands for; noted as a problem, and empty, where it stands for none."""
        if fold(cell) in known:
            return known[fold(cell)]
        if cell or field != "paper":  # an empty one was noted as such
            expected = _wanted(field, cell, dict.fromkeys(known.values()))
            self._wrong(file, "workshop_unknown", line, field, found=cell, expected=expected)
        return ""

    def _chosen(self, frame: pd.DataFrame, file: Table, field: str, known: Mapping[str, str]) -> pd.Series:
        found = [self._one(cell, known, file, line, field) for line, cell in frame[field].items()]
        return pd.Series(found, frame.index, dtype=object)

    def _several(self, frame: pd.DataFrame, file: Table, field: str, known: Mapping[str, str]) -> pd.Series:
        found = [
            tuple(dict.fromkeys(self._one(part, known, file, line, field) for part in _parts(cell)))
            for line, cell in frame[field].items()
        ]
        return pd.Series(found, frame.index, dtype=object)


def _parts(cell: str) -> list[str]:
    return [part.strip() for part in re.split(r"[|;]", cell) if part.strip()]


def _spellings(named: Iterable[Named]) -> dict[str, str]:
    return {fold(spelling): one.code for one in named for spelling in (one.vi, one.en, one.code)}


def _words(field: str) -> dict[str, str]:
    """What may stand in a field of a choice: the words of the catalogue, and the codes."""
    prefix, codes = _CHOICES[field]
    return {fold(words): code for code in codes for words in (*catalogue()[f"{prefix}_{code}"].values(), code)}


def _wanted(field: str, cell: str, codes: Iterable[str]) -> Any:
    """What would be right: the words of a choice, else the code most like what was found."""
    if field not in _CHOICES:
        return nearest(cell, codes)
    return {
        language: ", ".join(text(f"{_CHOICES[field][0]}_{code}", language) for code in _CHOICES[field][1])
        for language in LANGUAGES
    }


def _coder_notices(workshop: Workshop) -> list[Problem]:
    """Coders who coded only some papers, a coder alone, and papers whose coders settled no theme."""
    file, themes = workshop.declared.files.themes, workshop.themes
    apart = themes[themes["coder"] != AGREED]
    coded, received = apart.groupby("coder")["paper"].nunique(), len(workshop.papers)
    told: list[tuple[str, dict[str, Any]]] = [
        ("workshop_coded_some", {"coder": coder, "count": count, "papers": received})
        for coder, count in coded.items()
        if count < received
    ]
    told += [("workshop_one_coder", {})] if len(coded) < 2 else []
    if papers := unsettled(workshop):
        told.append(("workshop_unsettled", {"found": ", ".join(papers)}))
    return [Problem(file.file, key, values, sheet=file.sheet) for key, values in told]
