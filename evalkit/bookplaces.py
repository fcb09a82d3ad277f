"""Problems of a study at their place in study.xlsx and in its words."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from evalkit.booksheets import TABLES, Field, Sheet, sheet, sheets
from evalkit.contents import Contents
from evalkit.errors import Problem
from evalkit.language import LANGUAGES, Language, catalogue, day


@dataclass(frozen=True)
class Place:
    """Where a key of a text file stands in the workbook."""

    sheet: str
    cell: str | None = None
    header: str | None = None
    field: Field | None = None


@dataclass(frozen=True)
class Studybook(Contents):
    """A workbook, read: its contents, the place of each key, and what the user should know.

    places: file and place as errors name it (`waves[2].field_start`, `node cchc`) → place in the workbook. columns:
    sheet → key → column letter. notices: numbers that stand where text was wanted.
    """

    name: str = ""
    places: Mapping[tuple[str, str], Place] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)

    def locate(self, problem: Problem) -> Problem:
        """A problem of a text file, at its place in the workbook; of other files in the words of the workbook.

        book.locate(Problem("study.toml", "key_missing", column="waves[1].file"))
        """
        values = _values_in_words(problem)
        standing = [sheet for sheet in sheets() if sheet.file == problem.file]
        if not standing:
            same = all(retold(problem.key, language) == catalogue()[problem.key][language] for language in LANGUAGES)
            return problem if same else _Retold(**vars(problem) | {"values": values})
        table = problem.file in TABLES
        place = self._table_place(standing[0], problem) if table else self._key_place(standing, problem)
        key = problem.key
        if place.field is not None and place.field.kind in ("choice", "yes") and "expected" in values:
            words = place.field.words.values()
            values["expected"] = {language: ", ".join(word[language] for word in words) for language in LANGUAGES}
        elif place.field is not None and key == "key_value":
            asked = "code" if place.field.key == "code" else place.field.kind
            values["expected"] = catalogue().get(f"studybook_expected_{asked}", values["expected"])
        if key == "key_missing" and place.cell is not None:
            key = "studybook_cell_empty"
        return _Retold(self.name, key, values, column=place.header, sheet=place.sheet, cell=place.cell)

    def _table_place(self, sheet: Sheet, problem: Problem) -> Place:
        if problem.line is None:
            return Place(sheet.name)
        key = (problem.column or "").partition(",")[0]
        letter = self.columns[sheet.name].get(key)
        known = next((field for field in sheet.fields if field.key == key and letter), None)
        header = sheet.words(known, "vi")[0] if known else None
        return Place(sheet.name, f"{letter or 'A'}{problem.line}", header, known)

    def _key_place(self, standing: list[Sheet], problem: Problem) -> Place:
        """The place of a dotted key, of what was found under it, or of the nearest key above."""
        at = problem.column or ""
        below = [f"{at}.{problem.values[name]}" for name in ("found", "unit") if name in problem.values]
        for tried in (*below, *_upward(at)):
            if (problem.file, tried) in self.places:
                return self.places[problem.file, tried]
        return Place(standing[0].name)


def _upward(place: str) -> Iterator[str]:
    """A dotted place and those above it: a[1].b, a[1], a."""
    while place:
        yield place
        place = place[: max(place.rfind("."), place.rfind("["), 0)]


class _Retold(Problem):
    """A problem whose sentence names sheets and headers where its text names files and keys."""

    def message(self, language: Language) -> str:
        """The problem in one line."""
        values = {name: day(v, language) if isinstance(v, date) else v for name, v in self.values.items()}
        values |= {name: v[language] for name, v in self.values.items() if isinstance(v, Mapping)}
        said = {"said": retold(self.key, language).format(**values)}
        place = {"line": self.line, "column": self.column, "sheet": self.sheet, "cell": self.cell}
        return Problem(self.file, "studybook_said", said, **place).message(language)  # type: ignore[arg-type]


# Keys that texts name, and where the workbook asks for them.
_KEYS = {
    "names": ("don_vi", "names.vi"),
    "arm": ("don_vi", "arm"),
    "official_code": ("don_vi", "names.official_code"),
    "valid_from": ("don_vi", "names.valid_from"),
    "valid_to": ("don_vi", "names.valid_to"),
    "period": ("dot", "period"),
    "sheet": ("dot", "sheet"),
    "encoding": ("dot", "encoding"),
    "decimal": ("dot", "decimal"),
    "dates": ("dot", "dates"),
    "respondent": ("thiet_ke", "design.respondent"),
    "followed": ("thiet_ke", "design.followed"),
    "single_cluster": ("thiet_ke", "design.single_cluster"),
    "column": ("bang_ma", "column"),
    "type": ("bang_ma", "type"),
    "missing": ("bang_ma", "missing"),
    "otherwise": ("bang_ma", "otherwise"),
    "synonyms": ("thang_do", "synonyms"),
    "aggregate": ("chi_so", "aggregate"),
    "items": ("chi_so", "items"),
    "children": ("chi_so", "children"),
    "at_least": ("chi_so", "at_least"),
    "unit": ("chi_so", "unit.vi"),
    "row_id": ("sua_so_lieu", "row_id"),
    "variable": ("sua_so_lieu", "variable"),
    "action": ("sua_so_lieu", "action"),
    "new_value": ("sua_so_lieu", "new_value"),
}
_NAMED = re.compile(rf"(?<![{{\w])(?:design\.)?({'|'.join(_KEYS)})\b( =)?")
# Values of a problem that are words of a drop-down.
_CHOSEN = {
    ("role_type", "found"): "type",
    ("role_type", "expected"): "type",
    ("item_type", "type"): "type",
    ("rule_variable_uncoded", "type"): "type",
    ("one_item", "aggregate"): "aggregate",
    ("children_mean", "aggregate"): "aggregate",
    ("period_missing", "found"): "period",
}


def retold(key: str, language: Language) -> str:
    """The text of a problem with the sheets instead of the files and, in Vietnamese, the headers instead of the keys.

    The English text keeps the keys: they may stand as headers, and every header shows its own.

    >>> retold("scale_unknown", "en")
    'the scale "{found}" is not declared in the sheet thang_do; nearest: {expected}.'
    """
    own = f"studybook_says_{key}"
    words = catalogue()[own if own in catalogue() else key][language]
    named = [_KEYS[found[1]][0] for found in _NAMED.finditer(words)]
    asked = next((name for name in named if sheet(name).file == "study.toml"), None)
    if language == "vi":
        words = _with_headers(words).replace("khóa", "mục")
    the = {"vi": "trang", "en": "the sheet"}[language]
    files = {known.file: f"{the} {known.name}" for known in sheets() if known.file != "study.toml"}
    files["study.toml"] = f"{the} {asked}" if asked and language == "vi" else "study.xlsx"
    return re.sub("|".join(map(re.escape, files)), lambda found: files[found[0]], words)


def _with_headers(words: str) -> str:
    """A Vietnamese text with «headers» for the keys and the words of their drop-downs for the values."""
    fields = {found[1]: sheet(_KEYS[found[1]][0]).field(_KEYS[found[1]][1]) for found in _NAMED.finditer(words)}
    headers = {key: sheet(_KEYS[key][0]).words(field, "vi")[0] for key, field in fields.items()}
    words = _NAMED.sub(lambda found: f"«{headers[found[1]]}»" + (" là" if found[2] else ""), words)
    for field in fields.values():
        words = _with_offered(words, {value: word["vi"] for value, word in field.words.items()})
    return re.sub(r'"(\{\w+\})"', r"«\1»", words) if fields else words


def _with_offered(words: str, offered: Mapping[str, str]) -> str:
    if not offered:
        return words
    values = "|".join(map(re.escape, sorted(offered, key=len, reverse=True)))
    pattern = rf'"({values})"|(?<![{{\w])(?=\w)({values})(?![\w}}])'
    return re.sub(pattern, lambda found: f"«{offered[found[1] or found[2]]}»", words)


def _values_in_words(problem: Problem) -> dict[str, Any]:
    """The values of a problem, those of drop-downs in the words that they offer."""
    values = dict(problem.values)
    for name in values:
        if key := _CHOSEN.get((problem.key, name)):
            words = sheet(_KEYS[key][0]).field(_KEYS[key][1]).words
            parts = str(values[name]).split(", ")
            values[name] = {
                language: ", ".join(words[part][language] if part in words else part for part in parts)
                for language in LANGUAGES
            }
    return values
