"""What a team writes for its report: its own text, from Word or Markdown, and the form on its task. Only read."""

from __future__ import annotations

import io
import json
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.declaration import Labels
from evalkit.documents import READER, pandoc
from evalkit.encodings import decode
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.language import LANGUAGES, Language, label
from evalkit.study import Study
from evalkit.textfiles import file_bytes
from evalkit.tracing import unmarked
from evalkit.trees import leaves, string, table_rows, words

FOLDER = "text"
SECTIONS = ("introduction", "background", "setting", "model", "discussion", "conclusions", "solutions", "response")
KINDS = (".md", ".docx")
UNTITLED = "\ue000"  # stands for the title of a table without one, for pandoc writes no name without a title
PERSONS = ("leader", "members")
MOST_BYTES = 200_000_000  # of a Word file, unpacked
PLAIN: tuple[str, list[str], list[str]] = ("", [], [])  # attributes of an element that has none
_DECORATED = ("Emph", "Strong", "Underline", "Strikeout", "Superscript", "Subscript", "SmallCaps")


@dataclass(frozen=True)
class Section:
    """A section as a team wrote it: its file, a title of its own, and pandoc's tree of what is safe in it.

    source: the Markdown, to find lines in; empty for Word.
    """

    file: str
    title: str
    tree: dict[str, Any]
    source: str = ""

    def lines(self, words: str) -> list[int | None]:
        """The lines of the file in which words stand; of a Word file nobody knows."""
        return [at for at, line in enumerate(self.source.splitlines(), 1) if words in line] or [None]


@dataclass(frozen=True)
class TeamText:
    """The sections that a team wrote, by their names in the order of `SECTIONS`, and what it should know of them."""

    sections: Mapping[str, Section]
    notices: tuple[Problem, ...] = ()


def form_of(study: Study, language: Language) -> dict[str, Any]:
    """What `[report]` of study.toml declares, in one language and without what is absent; simulated persons left out.

    form_of(study, "vi")["products"][0]["name"]
    """
    if study.declared.report is None:
        return {}
    left_out = PERSONS if study.declared.study.simulated else ()
    said = _in_language(dict(study.declared.report), language)
    return {key: value for key, value in said.items() if value not in (None, []) and key not in left_out}


def read_team_text(study: Study, language: Language) -> TeamText:
    """The team's own text in a language, from `text/<section>.<language>.md` or `.docx` of the study folder.

    A file without a language is in the study's. Raw HTML, XML and TeX stay text or are left out; pictures, code,
    identifiers and classes are left out; tables keep one cell a place. A first heading of level 1, if it is the only
    one, is the section's title; the others move to level 2 and below.

    Returns the sections found. Notices: pictures left out, formulas as text, merged cells, files that are no section,
    sections that only the other language has. Raises DataError for two files of one section, files outside the
    folder, and files that cannot be read.

        team = read_team_text(study, "vi")
    """
    files, notices, problems = _files(study, language)
    sections = {}
    for name, path in files.items():
        try:
            sections[name], found = _read(path, name)
            notices += found
        except DataError as error:
            problems += error.problems
    raise_any(problems)
    return TeamText(sections, tuple(notices))


def _in_language(declared: Any, language: Language) -> Any:
    if isinstance(declared, Labels):
        return label(declared, language)
    if isinstance(declared, tuple):
        return [_in_language(one if isinstance(one, (str, Labels)) else dict(one), language) for one in declared]
    if isinstance(declared, dict):
        return {key: _in_language(value, language) for key, value in declared.items()}
    return declared


def _files(study: Study, language: Language) -> tuple[dict[str, Path], list[Problem], list[Problem]]:
    """The file of each section in a language, notices, and problems."""
    found: dict[tuple[str, str], Path] = {}
    notices, problems = [], []
    folder = study.folder / FOLDER
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = f"{FOLDER}/{path.name}"
        name, _, written = path.stem.partition(".")
        if path.name.startswith((".", "~$")):
            continue
        if path.suffix not in KINDS or name not in SECTIONS or written not in ("", *LANGUAGES):
            notices.append(Problem(file, "team_file_unknown", {"expected": nearest(name, SECTIONS)}))
        elif study.outside(file):
            problems.append(Problem(file, "team_file_outside"))
        elif (key := (name, written or study.language)) in found:
            problems.append(Problem(file, "team_file_twice", {"found": found[key].name}))
        else:
            found[key] = path
    files = {name: found[name, language] for name in SECTIONS if (name, language) in found}
    for (name, _), path in found.items():
        if name not in files:
            notices.append(
                Problem(f"{FOLDER}/{path.name}", "team_language_missing", {"expected": f"{name}.{language}"})
            )
    return files, notices, problems


def _read(path: Path, name: str) -> tuple[Section, list[Problem]]:
    """One section from its file, and notices."""
    file, source = f"{FOLDER}/{path.name}", ""
    data = file_bytes(path, file)
    if path.suffix == ".docx":
        _refuse_large(data, file)
    else:
        decoded = decode(data)
        if decoded is None:
            raise DataError([Problem(file, "file_not_text")])
        source = unicodedata.normalize("NFC", decoded.text)
        data = source.encode("utf-8")
    try:
        # What pandoc warns of, such as a picture that is missing in a Word file, need not be mended.
        reader = READER if source or path.suffix == ".md" else "docx"
        tree = json.loads(pandoc(data, f"--from={reader}", "--to=json", "--quiet"))
        cleaning = _Cleaning(file, name)
        blocks = cleaning.blocks(tree["blocks"])
    except RuntimeError as error:  # also of text nested too deeply
        raise DataError([Problem(file, "team_file_broken", {"reason": str(error)[:200]})]) from None
    title, blocks = _titled(blocks)
    section = Section(file, title, {**tree, "meta": {}, "blocks": blocks}, source)
    notices = [
        Problem(file, key, {"found": found}, line)
        for key, found in cleaning.found
        for line in section.lines(found)[:1]
    ]
    return section, notices


def _refuse_large(data: bytes, file: str) -> None:
    try:
        size = sum(entry.file_size for entry in zipfile.ZipFile(io.BytesIO(data)).infolist())
    except zipfile.BadZipFile:
        raise DataError([Problem(file, "team_file_broken", {"reason": "zip"})]) from None
    if size > MOST_BYTES:
        raise DataError([Problem(file, "document_too_large", {"found": size, "expected": MOST_BYTES})])


def _titled(blocks: list[Any]) -> tuple[str, list[Any]]:
    """The section's own title, and its blocks with headings from level 2."""
    headings = [block for block in blocks if block["t"] == "Header"]
    title = ""
    if (
        headings
        and blocks[0] is headings[0]
        and [one["c"][0] for one in headings].count(1) == 1 == headings[0]["c"][0]
    ):
        title = words(headings.pop(0)["c"][2])
        blocks = blocks[1:]
    highest = min((one["c"][0] for one in headings), default=2)
    for heading in headings:
        heading["c"][0] += 2 - highest
    return title, blocks


class _Cleaning:
    """A section while what is not safe or cannot be shown leaves it; `found` says what left, as key and words."""

    def __init__(self, file: str, name: str) -> None:
        self.file, self.name = file, name
        self.found: list[tuple[str, str]] = []
        self.tables = 0

    def blocks(self, blocks: list[Any]) -> list[Any]:
        """Blocks of the kinds that the report knows, without attributes."""
        kept: list[Any] = []
        for block in blocks:
            kind, content = block["t"], block.get("c")
            match kind:
                case "Para" | "Plain":
                    if inlines := self.inlines(content):
                        kept.append({"t": kind, "c": inlines})
                case "Header":
                    kept.append({"t": kind, "c": [content[0], PLAIN, self.inlines(content[2])]})
                case "BlockQuote":
                    kept.append({"t": kind, "c": self.blocks(content)})
                case "LineBlock":
                    kept.append({"t": kind, "c": [self.inlines(line) for line in content]})
                case "BulletList":
                    kept.append({"t": kind, "c": [self.blocks(item) for item in content]})
                case "OrderedList":
                    kept.append({"t": kind, "c": [content[0], [self.blocks(item) for item in content[1]]]})
                case "DefinitionList":
                    items = [[self.inlines(term), [self.blocks(one) for one in said]] for term, said in content]
                    kept.append({"t": kind, "c": items})
                case "Div":
                    kept += self.blocks(content[1])
                case "CodeBlock":  # as words: what is code would be written without escaping
                    kept.append({"t": "LineBlock", "c": [[_string(line)] for line in content[1].splitlines()]})
                case "Table":
                    kept.append(self.table(content))
                case "Figure":
                    self.inlines([one for leaf in leaves(content[2]) for one in leaf])
        return kept

    def inlines(self, inlines: list[Any]) -> list[Any]:
        """Inlines of the kinds that the report knows, without attributes."""
        kept: list[Any] = []
        for inline in inlines:
            kind, content = inline["t"], inline.get("c")
            match kind:
                case "Str":
                    kept.append(_string(content))
                case "Space" | "SoftBreak" | "LineBreak":
                    kept.append(inline)
                case "Code":
                    kept.append(_string(content[1]))
                case "Math":
                    self.found.append(("team_formula", content[1]))
                    kept.append(_string(content[1]))
                case "Quoted":
                    first, last = "‘’" if content[0]["t"] == "SingleQuote" else "“”"
                    kept += [_string(first), *self.inlines(content[1]), _string(last)]
                case "Link":
                    kept += self.link(content)
                case "Image":
                    self.found.append(("team_picture", content[2][0]))
                case "Note":
                    kept.append({"t": kind, "c": self.blocks(content)})
                case "Span" | "Cite":
                    kept += self.inlines(content[1])
                case _ if kind in _DECORATED:
                    kept.append({"t": kind, "c": self.inlines(content)})
        return kept

    def link(self, content: list[Any]) -> list[Any]:
        """A link to a page or an address; of any other its words."""
        _, linked, (target, _) = content
        safe = target.startswith(("https://", "http://", "mailto:")) and not set(target) & set(' <>"\\`\n')
        inlines = self.inlines(linked)
        return [{"t": "Link", "c": [PLAIN, inlines, [unmarked(target), ""]]}] if safe else inlines

    def table(self, content: list[Any]) -> dict[str, Any]:
        """A table with a title row and one cell a place, as all tables of a report are."""
        _, caption, columns, *_ = content
        rows, width = table_rows(content), len(columns)
        self.tables += 1
        cells: dict[tuple[int, int], list[Any]] = {}
        for at, row in enumerate(rows):
            column = 0
            for _, _, down, across, blocks in row[1]:
                while (at, column) in cells:
                    column += 1
                for below in range(at, min(at + down, len(rows))):
                    cells |= {(below, right): [] for right in range(column, min(column + across, width))}
                cells[at, column] = self.cell(blocks)
                if down > 1 or across > 1:
                    self.found.append(("team_cells_merged", words(cells[at, column])))
        made = [[PLAIN, [_cell(cells.get((at, column), [])) for column in range(width)]] for at in range(len(rows))]
        title = self.cell(caption[1])
        parts = [
            (f"table-team_{self.name}_{self.tables}", [], []),
            [None, [{"t": "Plain", "c": title or [_string(UNTITLED)]}]],
            [[align, {"t": "ColWidthDefault"}] for align, _ in columns],
            [PLAIN, made[:1]],
            [[PLAIN, 0, [], made[1:]]],
            [PLAIN, []],
        ]
        return {"t": "Table", "c": parts}

    def cell(self, blocks: list[Any]) -> list[Any]:
        """The blocks of a cell or caption in one line."""
        line: list[Any] = []
        for leaf in leaves(self.blocks(blocks)):
            line += [{"t": "Space"}] if line else []
            line += [{"t": "Space"} if one["t"] in ("SoftBreak", "LineBreak") else one for one in leaf]
        return line


def _cell(inlines: list[Any]) -> list[Any]:
    return [PLAIN, {"t": "AlignDefault"}, 1, 1, [{"t": "Plain", "c": inlines}] if inlines else []]


def _string(words: str) -> dict[str, Any]:
    """Words without the unseen marks by which evalkit knows its own numbers."""
    return string(unmarked(words).replace("\n", " "))
