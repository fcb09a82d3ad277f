"""A first codebook from what exists: a form, an SPSS or Stata file, a table of answers; and what it cannot know."""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from evalkit.drafts import HIGHEST_CODE, Choice, Draft, OpenDraft, choices_of
from evalkit.encodings import fold, mojibake, normal_form, repair
from evalkit.errors import DataError, Problem
from evalkit.grid import SEARCHED, Grid, file_bytes
from evalkit.guessing import (
    bare,
    digits,
    is_age,
    is_key,
    is_number,
    is_personal,
    is_personal_text,
    is_short,
    is_vietnamese,
    missing_code,
    missing_kind,
    number_in,
    ordered_codes,
    snake,
)
from evalkit.privacy import search
from evalkit.statfiles import StatVariable, is_statfile, read_described
from evalkit.textfiles import read_text
from evalkit.workbooks import is_workbook, read_workbook, sheet_names
from evalkit.xlsforms import EXPORT_COLUMNS, add_form

MOST_TEXTS = 12  # answers of a scale that is only seen
ALIKE = 0.9  # of two spellings, by difflib's ratio
RARE = 5  # times as often stands the answer of which another may be a misspelling
AGES = (18, 100)
SHOWN = 3  # titles that a message names

_DAY = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[/.-]\d{1,2}[/.-]\d{4}")
_CLOCK = re.compile(r"[ T]\d{1,2}:\d{2}.*")
_NUMBERED_ANSWER = re.compile(r"(\d{1,2})\s*(?:[.):=–—-]\s*\D|$)")
_CODES_OF_MISSING = {"dont_know": 99, "refused": 98, "not_applicable": 97}
_NO_DATA = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"%PDF", b"{\\rtf", b"PK\x03\x04", b"\xd0\xcf\x11\xe0",
)  # fmt: skip


def draft(path: Path) -> Draft:
    """A codebook drafted from a form, an SPSS or Stata file, or a table of answers.

    path: an XLSForm workbook (sheets `survey` and `choices`); its `survey.csv` with `choices.csv` beside it; a .sav,
    .zsav or .dta file; or a csv file or workbook of answers. Nothing that the file does not say is taken for known:
    what was guessed or is missing stands in `unknown`, as notices. Raises DataError where the file cannot be read.

        draft(Path("form.xlsx")).unknown[0].message("en")
    """
    name = path.name
    data = file_bytes(path, name)
    begun = OpenDraft(name)
    if is_statfile(data[:16]):
        _add_statfile(path, begun)
        return begun.finished()
    kind = is_workbook(data)
    picture = data[8:12] == b"WEBP" or data[4:8] == b"ftyp" or (data.startswith(b"BM") and data[6:10] == bytes(4))
    if not kind and (picture or data.startswith(_NO_DATA)):
        raise DataError([Problem(name, "drafting_no_data")])
    sheets = sheet_names(path, name) if kind else []

    def sheet(title: str) -> Grid | None:
        if title in sheets:
            return read_workbook(path, name, sheet=title)
        beside = path.with_name(f"{title}.csv")
        return read_text(beside, beside.name) if not sheets and beside.exists() else None

    if "survey" in sheets:
        first = read_workbook(path, name, sheet="survey")
    else:
        first = read_workbook(path, name) if sheets else read_text(path, name)
    if {"type", "name"} <= {cell.strip().lower() for cell in first.cells.iloc[0].astype(str)}:
        add_form(first, sheet("choices"), sheet("settings"), begun)
    else:
        _add_answers(first, begun)
    return begun.finished()


def _add_statfile(path: Path, begun: OpenDraft) -> None:
    grid, variables = read_described(path, begun.file)
    cells = grid.cells.iloc[1:]
    encoding = mojibake([t for v in variables for t in (v.label, *v.value_labels.values())])

    def words(text: str) -> str:
        return normal_form(repair(text, encoding) if encoding else text)

    vietnamese = is_vietnamese(words(t) for v in variables for t in (v.label, *v.value_labels.values()))
    _say_one_language(vietnamese, [words(v.label) or v.name for v in variables], begun)
    unlabelled = []
    for at, variable in enumerate(variables):
        label = words(variable.label)
        if not label:
            unlabelled.append(variable.name)
        label = label or variable.name
        counts = Counter(cells[at]) if at in cells else Counter()
        counts.pop("", None)
        _add_stat_variable(variable, label, {c: words(w) for c, w in variable.value_labels.items()}, counts, begun)
    if unlabelled:
        begun.say("drafting_unlabelled", found=", ".join(unlabelled))


def _add_stat_variable(
    variable: StatVariable, label: str, labels: dict[str, str], counts: Counter[str], begun: OpenDraft
) -> None:
    def is_missing(code: str) -> bool:
        number = number_in(code)
        within = number is not None and any(low <= number <= high for low, high in variable.missing_ranges)
        return code in variable.missing_codes or within

    declared = {code: missing_kind("", labels.get(code, "")) for code in [*labels, *counts] if is_missing(code)}
    real = {code: text for code, text in labels.items() if code not in declared and not missing_kind("", text)}
    column, others = variable.name, {}
    if real and not (is_key(column) or is_key(label)) and _findings(column, list(real.values())):
        begun.say("drafting_personal_inside", column)
        real = {}
    type = variable.type
    if real:
        extra = [code for code in counts if code not in labels and code not in declared]
        # Unlabelled words may be names of people: they become no answers and are not shown.
        if len(extra) > MOST_TEXTS or any(number_in(code) is None for code in extra):
            begun.say("drafting_codes_unlabelled", column, count=len(extra))
            real = {}
        elif extra:
            begun.say("drafting_codes_without_label", column, found=", ".join(sorted(extra, key=_sorting)))
            labels = labels | {code: code for code in extra}
    if real:
        codes = [*labels, *(code for code in declared if code not in labels)]
        if variable.type == "number":
            codes.sort(key=_sorting)
        answers = choices_of({code: (labels.get(code, code),) * 2 for code in codes})
        for answer in answers:
            if answer.name in declared and not answer.missing:
                answer.missing = "blank"
        others["scale"] = begun.add_scale(column, answers)
        type = "scale"
    elif type == "number" and not is_personal(column, label, label, numeric=True):
        missing = {code: kind or "blank" for code, kind in declared.items()}
        missing |= {code: kind for code, text in labels.items() if (kind := missing_kind("", text))}
        others["missing"] = "|".join(f"{code}={kind}" for code, kind in missing.items())
        if others["missing"]:
            begun.say("drafting_missing_number", column, found=others["missing"])
    elif type in ("text", "number") and is_personal(column, label, label, numeric=type == "number"):
        type = "identifier"
    begun.add(column, column, type, label, label, **others)


def _sorting(code: str) -> tuple[bool, float, str]:
    number = number_in(code)
    return number is None, number or 0.0, code


def _add_answers(grid: Grid, begun: OpenDraft) -> None:
    rows = grid.cells.astype(str).to_numpy().tolist()
    at = _header_row(grid, rows)
    line, header, below = int(grid.cells.index[at]), rows[at], rows[at + 1 :]
    header_words = [normal_form(cell) for cell in header]
    _say_one_language(is_vietnamese(header_words), list(filter(None, header_words)), begun)
    columns: list[tuple[str, list[str], str]] = []
    choices = _choice_columns(header_words)
    singles = {f"{question}/{choice}" for question, found in choices.items() for choice in found}
    for number, column in enumerate(header_words):
        if column in singles:
            continue
        texts = list(filter(None, (normal_form(cells[number]) for cells in below)))
        if not column:
            if texts:
                begun.say("drafting_column_unnamed", line=line, found=number + 1)
            continue
        if column in choices:
            columns.append((column, texts, "multiple"))
        elif column in EXPORT_COLUMNS:
            columns.append((column, texts, "ignore"))
        else:
            columns.append((column, texts, _answers_type(column, texts, begun)))
    if spelled := [column for column, texts, type in columns if type == "text" and _is_often_spelled(texts)]:
        begun.say("drafting_spellings", found=", ".join(spelled))
    if empty := [column for column, texts, type in columns if not texts and type == "ignore"]:
        begun.say("drafting_columns_empty", found=", ".join(empty))
    scales = _shared_scales([(column, texts) for column, texts, type in columns if type == "scale"], begun)
    for number, (column, texts, type) in enumerate(columns, start=1):
        others = {"scale": scales[column]} if type == "scale" else {}
        if type == "multiple":
            listed = choices.get(column) or _chosen_together(texts)
            answers = choices_of({choice: (choice, choice) for choice in listed})
            others["scale"] = begun.add_scale(snake(column), answers)
            if column not in choices:
                begun.say("drafting_several", column, count=len(listed), found="; ".join(listed))
        if type == "number":
            others["missing"] = _missing_numbers(texts)
            if others["missing"]:
                begun.say("drafting_missing_number", column, found=others["missing"])
            others |= _age_bounds(column, texts, others["missing"], begun)
        begun.add(snake(column) or f"c{number}", column, type, column, column, **others)
    repeated = [column for column, count in Counter(map(fold, filter(None, header_words))).items() if count > 1]
    if repeated:
        begun.say("drafting_header_twice", line=line, found=", ".join(repeated))


def _header_row(grid: Grid, rows: list[list[str]]) -> int:
    """The row near the top with most distinct texts that are neither numbers nor often repeated below.

    A merged title stands over all columns and is one text; answers return below.
    """
    often = [grid.cells[column].value_counts().to_dict() for column in grid.cells]

    def titles(at: int) -> tuple[int, int]:
        below = len(rows) - at - 1
        found = {
            fold(cell)
            for cell, counts in zip(rows[at], often, strict=True)
            if cell.strip() and not is_number(cell.strip()) and not _DAY.fullmatch(_CLOCK.sub("", cell.strip()))
            if not is_personal_text(cell.strip()) and counts[cell] - 1 <= 0.1 * below
        }
        return len(found), sum(bool(cell.strip()) for cell in rows[at])

    return max(range(min(len(rows), SEARCHED)), key=titles)


def _say_one_language(vietnamese: bool, titles: list[str], begun: OpenDraft) -> None:
    shown = ", ".join(titles[:SHOWN]) + (" …" if len(titles) > SHOWN else "")
    begun.say("drafting_only_vi" if vietnamese else "drafting_only_en", found=shown)


def _choice_columns(header: list[str]) -> dict[str, list[str]]:
    """The choices of questions that take several answers, where an export has a column for each (`fuel/petrol`)."""
    found: dict[str, list[str]] = {}
    for column in header:
        question, _, choice = column.partition("/")
        if choice and question in header:
            found.setdefault(question, []).append(choice)
    return {question: choices for question, choices in found.items() if len(choices) > 1}


def _answers_type(column: str, texts: list[str], begun: OpenDraft) -> str:
    """A guess from the header and the cells."""
    distinct = set(map(fold, texts))
    answers = distinct - _misspelled(Counter(map(fold, texts))).keys()
    repeated = 0 < len(answers) <= MOST_TEXTS and len(texts) >= 2 * len(distinct)
    named = is_personal(column, column, column) and (is_short(column) or not repeated)
    if named or _mostly(texts, is_personal_text):
        begun.say("drafting_personal", column)
        return "identifier"
    if not texts:
        return "ignore"
    if _mostly(texts, lambda text: _DAY.fullmatch(_CLOCK.sub("", text))):
        return "time" if any(_CLOCK.search(text) for text in texts) else "date"
    if _mostly(texts, is_number):
        if others := sum(not is_number(text) for text in texts):
            begun.say("drafting_not_numbers", column, count=others)
        if grouped := sum(number_in(text) is None for text in texts) - others:
            begun.say("drafting_thousands", column, count=grouped)
        return "number"
    if is_key(column):
        begun.say("drafting_key", column)
        return "key"
    if findings := _findings(column, texts):
        if max(findings) >= 0.8 * len(texts):
            begun.say("drafting_personal", column)
            return "identifier"
        begun.say("drafting_personal_inside", column)
        return "text"
    if _chosen_together(texts):
        return "multiple"
    return "scale" if repeated else "text"


def _findings(column: str, texts: list[str]) -> list[int]:
    """How many cells hold personal data, by kind."""
    return [finding.count for finding in search({column: texts}) if finding.by == "content"]


def _misspelled(counts: Counter[str]) -> dict[str, str]:
    """Folded answers that are probably others misspelled: nearly alike and rare, or only without their marks."""
    if len(counts) > 3 * MOST_TEXTS:
        return {}
    found: dict[str, str] = {}
    often = [answer for answer, _ in counts.most_common()]
    plain = {answer: bare(answer) for answer in often}
    for at, rare in enumerate(often):
        for meant in often[:at]:
            if meant in found or re.findall(r"\d", rare) != re.findall(r"\d", meant):
                continue
            seldom = RARE * counts[rare] <= counts[meant]
            alike = seldom and difflib.SequenceMatcher(None, rare, meant).ratio() >= ALIKE
            if plain[rare] == plain[meant] or (alike and not ordered_codes([rare, meant])):
                found[rare] = meant
                break
    return found


def _chosen_together(texts: list[str]) -> list[str]:
    """The answers of a question that takes several, where a cell holds them all (`A, B`); none for other columns.

    Fewer parts than texts, none twice in a cell, at least half of them also alone: «Có, nhưng chậm» is one answer.
    """
    for separator in ("; ", ", "):
        cells = [[part.strip() for part in text.split(separator)] for text in texts]
        counts = Counter(fold(part) for cell in cells for part in cell)
        alone = {fold(cell[0]) for cell in cells if len(cell) == 1}
        distinct = {frozenset(map(fold, cell)) for cell in cells}
        if (
            1 < len(counts) <= MOST_TEXTS
            and "" not in counts
            and len(counts) < len(distinct)
            and 2 * len(alone) >= len(counts)
            and counts.total() >= 2 * len(counts)
            and all(len(set(map(fold, cell))) == len(cell) for cell in cells)
        ):
            parts = {fold(part): part for cell in reversed(cells) for part in reversed(cell)}
            return [parts[folded] for folded in counts]
    return []


def _is_often_spelled(texts: list[str]) -> bool:
    """Too many texts for a scale, too few for free text: answers in many spellings."""
    distinct = len(set(map(fold, texts)))
    return MOST_TEXTS < distinct <= 3 * MOST_TEXTS and len(texts) >= 10 * distinct


def _shared_scales(columns: list[tuple[str, list[str]]], begun: OpenDraft) -> dict[str, str]:
    """The scale of each column: columns with mostly the same answers, or of one ordered set, share one."""
    groups: list[tuple[list[str], dict[str, str], Counter[str]]] = []
    for column, texts in columns:
        first = {fold(text): text for text in reversed(texts)}
        counts = Counter(map(fold, texts))
        answers = {folded: first[folded] for folded in counts}
        for members, known, often in groups:
            common = len(answers.keys() & known.keys())
            mostly = common >= 2 and 2 * common >= min(len(answers), len(known))
            if mostly or _is_one_set(answers.values(), known.values()):
                members.append(column)
                known |= {folded: text for folded, text in answers.items() if folded not in known}
                often.update(counts)
                break
        else:
            groups.append(([column], answers, counts))
    scales: dict[str, str] = {}
    for members, known, often in groups:
        wrong = _misspelled(often)
        key, choices = _coded([text for folded, text in known.items() if folded not in wrong])
        scale = begun.add_scale(snake(members[0]) or f"s{len(begun.scales) + 1}", choices)
        shown = "; ".join(f"{digits(answer.code)} = {answer.vi}".removeprefix(" = ") for answer in choices)
        if key:
            begun.say(key, members[0], scale=scale, found=shown)
        if wrong:
            pairs = "; ".join(f"«{known[rare]}» → {known[meant]}?" for rare, meant in wrong.items())
            begun.say("drafting_misspelled", members[0], scale=scale, found=pairs)
        scales |= dict.fromkeys(members, scale)
    return scales


def _is_one_set(answers: Iterable[str], known: Iterable[str]) -> bool:
    """Whether answers of two columns belong to one ordered set, each of them to a part of it."""
    parts = [[text for text in texts if not missing_kind(text)] for texts in (answers, known)]
    return all(map(ordered_codes, parts)) and bool(ordered_codes(dict.fromkeys(parts[0] + parts[1])))


def _coded(texts: list[str]) -> tuple[str, list[Choice]]:
    """Answers with the codes that their own numbers or a usual order give them, and the key of what to say about it.

    Three or more answers in no known order have no codes: any order would look as if it were meant.
    """
    kinds = {text: missing_kind(text) for text in texts}
    real = [text for text, kind in kinds.items() if not kind]
    numbers = {text: float(found[1]) for text in texts if (found := _NUMBERED_ANSWER.match(text))}
    usual = ordered_codes(real)
    if len(set(numbers.values())) == len(texts):
        contrary = usual and sorted(real, key=usual.__getitem__) != sorted(real, key=numbers.__getitem__)
        key, codes = "drafting_order_contrary" if contrary else "", numbers
    elif usual:
        key, codes = "drafting_order_known", usual
    elif len(real) <= 2:
        key, codes = "drafting_order_seen", {text: float(code) for code, text in enumerate(real, start=1)}
    else:
        key, codes = "drafting_order_unknown", dict.fromkeys(real, math.nan)
    for text, kind in kinds.items():
        if text not in codes:
            free = _CODES_OF_MISSING[kind]
            codes[text] = float(next(code for code in range(free, 0, -1) if code not in codes.values()))
    ordered = sorted(texts, key=lambda text: -1 if math.isnan(codes[text]) else codes[text])
    return key, [Choice(text, codes[text], text, text, kinds[text]) for text in ordered]


def _age_bounds(column: str, texts: list[str], missing: str, begun: OpenDraft) -> dict[str, str]:
    """18 to 100 for a column of ages where all values lie within."""
    codes = {part.partition("=")[0] for part in missing.split("|")}
    ages = [number_in(text) for text in texts if text not in codes]
    if not is_age(column) or not ages or not all(age is not None and AGES[0] <= age <= AGES[1] for age in ages):
        return {}
    begun.say("drafting_ages", column, low=AGES[0], high=AGES[1])
    return {"minimum": str(AGES[0]), "maximum": str(AGES[1])}


def _missing_numbers(texts: list[str]) -> str:
    """Codes such as 99 that stand far above all other numbers, with a proposed kind."""
    values = {value for text in texts if (value := number_in(text)) is not None}
    codes = {value for value in values if missing_code(value)}
    if not codes or max(values - codes, default=99.0) >= HIGHEST_CODE:
        return ""
    return "|".join(f"{digits(code)}={missing_code(code)}" for code in sorted(codes))


def _mostly(texts: list[str], test: Callable[[str], object]) -> bool:
    return bool(texts) and sum(bool(test(text)) for text in texts) >= 0.8 * len(texts)
