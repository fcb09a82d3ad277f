"""A draft of codebook.csv, scales.csv and index.toml, and what a person must still say or check."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count, groupby
from pathlib import Path
from textwrap import fill, shorten

from evalkit.codebook import COLUMNS, DESIGN_COLUMNS, RULE_COLUMNS, SCALE_COLUMNS
from evalkit.encodings import fold
from evalkit.errors import DataError, Problem
from evalkit.guessing import (
    LONGEST_NAME,
    digits,
    has_role,
    identifier,
    is_demographic,
    is_other,
    missing_code,
    missing_kind,
    number_in,
)
from evalkit.language import LANGUAGES, catalogue, text

SHORTEST_BLOCK = 2
LONGEST_LABEL = 60
HIGHEST_CODE = 20  # 98 and 99 are missing codes only where all others stay below
_ROLES = {"unit": "key", "respondent": "key", "interviewer": "key", "started": "time", "ended": "time"}


@dataclass(frozen=True)
class Draft:
    """Rows for codebook.csv and scales.csv, one dict a row; notices of what is unknown, and of who has which role.

    roles: one notice for each part of [design] in study.toml that a variable probably plays.
    """

    codebook_rows: list[dict[str, str]]
    scale_rows: list[dict[str, str]]
    unknown: list[Problem]
    roles: list[Problem]


def write(draft: Draft, folder: Path) -> None:
    """Write codebook.csv and scales.csv as a Vietnamese Excel opens them: `;`, UTF-8 with byte-order mark.

    Raises DataError where one of them is already there.

        write(draft(Path("form.xlsx")), Path("my-study"))
    """
    files = {
        "codebook.csv": ((*COLUMNS, *RULE_COLUMNS), draft.codebook_rows),
        "scales.csv": (SCALE_COLUMNS, draft.scale_rows),
    }
    if there := [name for name in files if (folder / name).exists()]:
        raise DataError([Problem(name, "drafting_file_there") for name in there])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (columns, rows) in files.items():
        with (folder / name).open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, columns, delimiter=";")
            writer.writeheader()
            writer.writerows(rows)


def draft_index(codebook_rows: list[dict[str, str]], scale_rows: list[dict[str, str]]) -> str:
    """The text of an index.toml to start from: a mean for each block of questions with one ordered scale.

    codebook_rows, scale_rows: as a Draft has them. A block is two or more questions in a row whose scale has at least
    three answers. Where there is none, the first question with such a scale whose order is known is an indicator;
    without any, the file says what is to be written. Gender, education and the like are never indicators, nor is a
    question with two answers.

        draft_index(drafted.codebook_rows, drafted.scale_rows)
    """
    valid = Counter(row["scale"] for row in scale_rows if not row["missing"])
    uncoded = {row["scale"] for row in scale_rows if not row["code"]}
    asked = [row for row in codebook_rows if row["type"] != "ignore" and not _is_demographic(row)]
    runs = [list(run) for _, run in groupby(asked, lambda row: (row["type"], row["scale"]))]
    runs = [run for run in runs if run[0]["type"] == "scale" and valid[run[0]["scale"]] > 2]
    blocks = [run for run in runs if len(run) >= SHORTEST_BLOCK]
    if not blocks:
        blocks = [run[:1] for run in runs if run[0]["scale"] not in uncoded][:1]
    names = {row["variable"] for row in codebook_rows}
    letter = "block" if any(f"b{number}" in names for number in range(1, len(blocks) + 1)) else "b"
    key = "drafting_index" if blocks else "drafting_index_empty"
    comments = [fill(text(key, language), 118, initial_indent="# ", subsequent_indent="# ") for language in LANGUAGES]
    nodes = [_node(f"{letter}{number}", block) for number, block in enumerate(blocks, start=1)]
    return "\n\n".join(["\n".join(comments), *nodes]) + "\n"


def _is_demographic(row: dict[str, str]) -> bool:
    return any(is_demographic(row[title]) for title in ("column", "label_vi", "label_en"))


def _node(code: str, block: list[dict[str, str]]) -> str:
    labels = {
        language: shorten(block[0][f"label_{language}"], LONGEST_LABEL, placeholder=" …") for language in LANGUAGES
    }
    # A JSON string is a TOML string.
    label = ", ".join(f"{language} = {json.dumps(words, ensure_ascii=False)}" for language, words in labels.items())
    items = ", ".join(f'"{row["variable"]}"' for row in block)
    return (
        f'[[node]]\ncode = "{code}"\nlabel = {{ {label} }}\naggregate = "mean"\nitems = [{items}]\n'
        "minimum_answered = 0.5"
    )


@dataclass
class Choice:
    """An answer on its way into scales.csv; `name` is how the source writes it, code NaN: nobody knows it."""

    name: str
    code: float
    vi: str
    en: str
    missing: str = ""


def choices_of(labels: Mapping[str, tuple[str, str]]) -> list[Choice]:
    """Answers from their names and labels: a name that is a number is the code, others are counted."""
    codes: dict[str, float] = {}
    for name in labels:
        code = number_in(name)
        if code is not None and code not in codes.values():
            codes[name] = code
    numbered = all(number_in(name) is not None for name in labels)
    real = [code for code in codes.values() if not missing_code(code)]
    last = max(real, default=0)
    for name in labels:
        if name not in codes:
            last = next(code for code in count(last + 1) if code not in codes.values())
            codes[name] = last
    found = []
    for name, (vi, en) in labels.items():
        missing = missing_kind(name, vi, en)
        if not missing and numbered and max(map(abs, real), default=0) < HIGHEST_CODE and not is_other(f"{vi} {en}"):
            missing = missing_code(codes[name])
        found.append(Choice(name, codes[name], vi, en, missing))
    return found


@dataclass
class OpenDraft:
    """The rows so far, under names that do not clash."""

    file: str
    rows: list[dict[str, str]] = field(default_factory=list)
    scales: dict[str, list[Choice]] = field(default_factory=dict)
    unknown: list[Problem] = field(default_factory=list)
    names: set[str] = field(default_factory=lambda: set(DESIGN_COLUMNS))

    def say(self, key: str, column: str | None = None, line: int | None = None, **values: object) -> None:
        """Note once what is not known."""
        problem = Problem(self.file, key, dict(values), line, column)
        if problem not in self.unknown:
            self.unknown.append(problem)

    def add(self, wanted: str, column: str, type: str, vi: str, en: str, **others: str) -> dict[str, str]:
        """One row of codebook.csv; the answers of a question that takes several reserve their names too."""
        answers = self.scales.get(others.get("scale", ""), []) if type == "multiple" else []
        base = identifier(wanted)
        for number in count(1):
            name = base if number == 1 else f"{base[: LONGEST_NAME - 4]}_{number}"
            endings = [digits(answer.code).replace("-", "m").replace(".", "_") for answer in answers]
            taken = {name, *(f"{name}_{ending}" for ending in endings)}
            if not taken & self.names:
                break
        self.names |= taken
        row = dict.fromkeys((*COLUMNS, *RULE_COLUMNS), "")
        row |= {"variable": name, "column": column, "type": type, "label_vi": vi, "label_en": en, **others}
        self.rows.append(row)
        return row

    def add_scale(self, wanted: str, answers: list[Choice]) -> str:
        """The name under which the answers stand in scales.csv; equal answers stand there once."""
        for name, known in self.scales.items():
            if known == answers:
                return name
        name = base = identifier(wanted)
        while name in self.scales:
            name = f"{base}_{len(self.scales)}"
        self.scales[name] = answers
        if guessed := [f"{answer.vi} → {answer.missing}" for answer in answers if answer.missing]:
            self.say("drafting_missing_guessed", scale=name, found="; ".join(guessed))
        return name

    def finished(self) -> Draft:
        """The draft, with what no file can say."""
        scale_rows = [row for name, answers in self.scales.items() for row in _scale_rows(name, answers)]
        if scaled := sum(row["type"] == "scale" for row in self.rows):
            self.say("drafting_direction", count=scaled)
        roles = _roles(self.rows)
        units = [role.values["found"] for role in roles if role.column == "design.unit"]
        for row in self.rows:
            if row["variable"] in units and row["type"] == "scale":
                answers = (f"{one.name} = {one.vi}" for one in self.scales[row["scale"]] if not one.missing)
                self.say("drafting_units", row["column"], found="; ".join(answers))
        guessed = {role.column for role in roles}
        asked = [role for role in ("unit", "cluster", "respondent", "interviewer") if f"design.{role}" not in guessed]
        names = {lang: ", ".join(catalogue()[f"drafting_the_{role}"][lang] for role in asked) for lang in LANGUAGES}
        self.say("drafting_roles", found=names)
        return Draft(self.rows, scale_rows, self.unknown, roles)


def _scale_rows(scale: str, answers: list[Choice]) -> list[dict[str, str]]:
    """Rows of scales.csv in which every spelling means one answer."""
    meant = {words: answer.name for answer in answers for words in (f"{answer.code:g}", f"{answer.code:.1f}")}
    rows = []
    for answer in answers:
        labels = {}
        for language, label in (("label_vi", answer.vi), ("label_en", answer.en)):
            if meant.setdefault(fold(label), answer.name) != answer.name:
                label = f"{label} ({answer.name})"
                meant[fold(label)] = answer.name
            labels[language] = label
        known = {f"{answer.code:g}", f"{answer.code:.1f}", *map(fold, labels.values())}
        synonym = answer.name if "|" not in answer.name and fold(answer.name) not in known else ""
        if meant.setdefault(fold(synonym), answer.name) != answer.name:
            synonym = ""
        row = {"scale": scale, "code": digits(answer.code), **labels, "synonyms": synonym, "missing": answer.missing}
        rows.append(row)
    return rows


def _roles(rows: list[dict[str, str]]) -> list[Problem]:
    """For each role the first variable whose title speaks of it; keys before questions that could become keys."""
    found = []
    for role, wanted in _ROLES.items():
        for type in (wanted, "scale") if wanted == "key" else (wanted,):
            asked = (row for row in rows if row["type"] == type)
            titles = ("column", "label_vi", "label_en")
            named = next((row for row in asked if any(has_role(role, row[title]) for title in titles)), None)
            if named:
                key = "drafting_role" if type == wanted else "drafting_role_type"
                values = {"found": named["variable"], "type": type, "expected": wanted}
                found.append(Problem("study.toml", key, values, column=f"design.{role}"))
                break
    return found
