"""The numbers in a team's own text: those it takes by name from the results, and those it typed."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from evalkit.documents import READER, pandoc
from evalkit.effects import select
from evalkit.encodings import fold
from evalkit.errors import Problem, nearest, raise_any
from evalkit.language import Language, label, number, plain, text
from evalkit.sample import BETWEEN
from evalkit.study import Study
from evalkit.team_text import UNTITLED, Section, TeamText
from evalkit.tracing import resolve, spanned, told_origins, tracing, unmarked
from evalkit.trees import elements, leaves, words
from evalkit.values import Values, titled, visible

ESTIMANDS = ("level", "change", "did")
COLUMNS = (
    "estimate", "conf_low", "conf_high", "conf_low_adjusted", "conf_high_adjusted", "p_adjusted", "n_before",
    "n_after", "n_clusters",
)  # fmt: skip
NEAR = 0.02  # of a result: closer than this, a number that is not it looks like it
_NAME = re.compile(r"\{([\w.]+)\}")
_LEFT = re.compile(r"(\\\w+)?\{([\w.\s-]+)\}")  # braces that hold a name, or would like to; not those of TeX


@dataclass(frozen=True)
class BoundText:
    """A team's sections with its values filled in.

    sections: name → Markdown with a span about each number, and the origins of the numbers, for `Entries.enter`.
    titles: name → the title that the team gave, may be empty.
    numerals: what the team typed and nobody checked: `file, section, numeral, sentence`.
    notices: of `read_team_text`, and one a section with such numerals.
    """

    sections: dict[str, tuple[str, list[dict[str, Any]]]]
    titles: dict[str, str]
    numerals: pd.DataFrame
    notices: tuple[Problem, ...] = ()

    def unchecked(self, language: Language) -> pd.DataFrame:
        """The typed numbers as a table for readers."""
        rows = [
            {
                "team_section": text(f"team_section_{row.section}", language),
                "team_numeral": plain(row.numeral),
                "team_sentence": plain(row.sentence),
            }
            for row in self.numerals.itertuples()
        ]
        return titled(rows, language)


def bind(team: TeamText, effects: pd.DataFrame, study: Study, language: Language) -> BoundText:
    """A team's text with the values it names filled in and traced, and the numbers it typed found.

    Names stand in braces: `{indicator.group.estimand}`, as in `{hai_long.pilot.change}`; a level also says when,
    `{hai_long.HL.level.before}`, or in which wave; another column than the estimate comes last,
    `{hai_long.between.did.conf_low}`. `group`: a unit, `pilot`, `comparison`, `all`, or `between` for the difference
    between arms, whose interval is that of units and whose `p_adjusted` is that of the plan's test. `{n.before}` and
    `{n.after}` are how many answers the primary outcome rests on.

    A typed number is no result of ours and only listed. It is an error where it could be taken for one: its sentence
    names an indicator, it is written with as many decimals as that indicator's results, no other thing than points or
    percent is counted, and it differs from a level, change or difference of the arms (or of a unit that the sentence
    names) by no more than one in the last digit or 2 %. Dates, years, legal references, numbering, and what stands in
    quotation marks are no numbers.

    effects: of `compare`. Raises DataError for unknown names, names of hidden results and names in footnotes, and for
    typed numbers that resemble a result and differ from it.

        bound = bind(read_team_text(study, "vi"), effects, study, "vi")
    """
    values = Values(effects, study, language)
    known, hidden = _named(values)
    nearby = _headlines(effects, study)
    problems: list[Problem] = []
    sections, titles, typed = {}, {}, []
    with tracing():
        shown = {name: values.shown(row, column) for name, (row, column) in known.items()} | _counts(values)
        for name, section in team.sections.items():
            tree = copy.deepcopy(section.tree)
            wrong = []
            for passage in _filled(tree["blocks"], shown):
                wrong += _wrong_names(passage, shown, hidden, section)
                found = list(_typed(passage, language))
                typed += [(section.file, name, numeral, sentence) for numeral, _, sentence in found]
                wrong += [
                    Problem(section.file, "team_number_resembles", like | {"found": numeral}, line)
                    for numeral, after, sentence in found
                    if (like := _resembles(numeral, after, sentence, nearby, study, language))
                    for line in section.lines(numeral)[:1]
                ]
            problems += wrong
            if not wrong:
                sections[name] = _written(tree, name)
            titles[name] = section.title
    raise_any(problems)
    numerals = pd.DataFrame(typed, columns=["file", "section", "numeral", "sentence"])
    notices = [
        Problem(str(file), "team_numbers_unchecked", {"count": len(rows), "found": ", ".join(rows["numeral"][:8])})
        for file, rows in numerals.groupby("file", sort=False)
    ]
    return BoundText(sections, titles, numerals, (*team.notices, *notices))


def _named(values: Values) -> tuple[dict[str, tuple[pd.Series, str]], set[str]]:
    """Name → effect and column, and the names whose values rest on too few answers to be shown."""
    effects, study = values.effects, values.study
    rows = effects[effects["estimand"].isin(ESTIMANDS)]
    seen = visible(effects, study, waves=len(study.declared.waves) > 2).loc[rows.index]
    found: dict[str, tuple[pd.Series, str]] = {}
    hidden: set[str] = set()
    for (_, raw), (_, row) in zip(rows.iterrows(), seen.iterrows(), strict=True):
        did = row["estimand"] == "did"
        if row["method"] not in (("unit t", study.plan.unit_test) if did else ("linearised",)):
            continue
        stem = _stem(row)
        for column in COLUMNS:
            if did and row["method"] != (study.plan.unit_test if column == "p_adjusted" else "unit t"):
                continue
            names = [f"{stem}.{column}", *([stem] if column == "estimate" else [])]
            if np.isfinite(row[column]) and np.isfinite(row["estimate"]):
                found |= dict.fromkeys(names, (row, column))
            elif np.isfinite(raw[column]):
                hidden.update(names)
    return found, hidden


def _counts(values: Values) -> dict[str, str]:
    """`n.before` and `n.after`: answers of the primary outcome, over all arms."""
    rows = select(values.effects, indicator=values.study.plan.primary[0], estimand="change", method="linearised")
    rows = rows[rows["group"].isin(["all"] if "all" in set(rows["group"]) else ["pilot", "comparison"])]
    return {
        f"n.{period}": number(total, 0, values.language)
        for period in ("before", "after")
        if np.isfinite(total := float(rows[f"n_{period}"].sum(min_count=1)))
    }


def _filled(blocks: list[Any], shown: Mapping[str, str]) -> Iterator[str]:
    """Each passage of blocks after its names were replaced; footnotes, where no name is, follow it."""
    for inlines in leaves(blocks):
        _fill(inlines, shown)
        yield words(inlines)
        yield from (words(leaf) for note in elements(inlines, "Note") for leaf in leaves(note["c"]))


def _fill(inlines: list[Any], shown: Mapping[str, str]) -> None:
    for inline in inlines:
        if inline["t"] == "Str":
            inline["c"] = _NAME.sub(lambda found: shown.get(found[1], found[0]), inline["c"])
        elif inline["t"] not in ("Space", "SoftBreak", "LineBreak", "Note"):
            _fill(inline["c"][1] if inline["t"] == "Link" else inline["c"], shown)


def _wrong_names(passage: str, known: Mapping[str, str], hidden: set[str], section: Section) -> list[Problem]:
    """What is still in braces."""
    problems = []
    stems = [one for one in known if not one.endswith(COLUMNS)]
    for found in _LEFT.finditer(passage):
        if found[1]:
            continue
        name = found[2]
        why = "in_note" if name in known else "hidden" if name in hidden else "unknown"
        key, values = f"team_value_{why}", {"found": name}
        values |= {"expected": nearest(name, stems)} if why == "unknown" else {}
        problems += [Problem(section.file, key, values, line) for line in section.lines(f"{{{name}}}")]
    return list({(problem.line, problem.key, str(problem.values)): problem for problem in problems}.values())


def _written(tree: dict[str, Any], name: str) -> tuple[str, list[dict[str, Any]]]:
    """Markdown with numbered spans, and their origins. Footnotes bear the name of their section."""
    # Pipe tables, since in the others columns are places in the line, which spans move.
    writer = READER + "-simple_tables-multiline_tables-grid_tables"
    written = pandoc(json.dumps(tree).encode("utf-8"), "--from=json", f"--to={writer}", "--wrap=none").decode("utf-8")
    words, spans = resolve(written.replace(f": {UNTITLED} {{#", ": {#"), escaped=plain)
    words = spanned(words, spans)
    return re.sub(r"\[\^(\d+)\]", rf"[^{name}-\1]", words), told_origins(spans)


_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_APART = re.compile(  # numerals that are no numbers
    rf"""
    «[^»]*» | “[^”]*” | "[^"]*"
    | https?://\S+ | \S+@\S+
    | \d+[a-z]?/\d{{4}}/[\w-]+ | \d+[-/][A-ZĐ]{{2,}}[\w/-]*                        # 30/2020/NĐ-CP, 27-NQ/TW
    | \d{{1,2}}[/.-]\d{{1,2}}[/.-]\d{{4}} | \d{{4}}-\d\d-\d\d | \b\d{{1,2}}/\d{{4}}
    | \b\d{{1,2}}\s(?:{_MONTHS})(?:\s\d{{4}})? | (?:{_MONTHS})\s\d{{1,4}}(?:,\s\d{{4}})?
    | \b(?:[Nn]gày|[Tt]háng|[Qq]uý|[Gg]iai\ đoạn|[Nn]hiệm\ kỳ|[Kk]hóa)\s\d[\d/–-]*
    | \b(?:Article|Clause|Section|Chapter|Table|Figure|Appendix)\s\d[\d.]*
    | \b(?:Decree|Resolution|Circular|Decision|Nos?\.)\s\d[\d.]*
    | \b(?:[Đđ]iều|[Kk]hoản|[Mm]ục|[Cc]hương|[Pp]hần|[Bb]ảng|[Hh]ình|[Bb]iểu|[Pp]hụ\ lục|[Ss]ố|[Cc]âu)\s\d[\d.]*
    | \[\d+(?:[,;–-]\s?\d+)*\] | \(\d+\) | ^\s*\d+(?:\.\d+)*[.)]?\s
    | (?<![\d.,])(?:19|20)\d\d(?:\s?[-–/]\s?(?:19|20)\d\d)?(?![.,]?\d|\s?%)
    """,
    re.VERBOSE,
)
_NUMERAL = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_SENTENCE = re.compile(r"(?<=[.!?])(?<!\b[Cc]âu\s\d\.)(?<!\b[Cc]âu\s\d\d\.)\s+")  # «Câu 1. Thái độ» is one name
_OTHER_THINGS = re.compile(  # what else is counted; after such a word the number is no result of an indicator
    r"\s?(?:triệu|tỷ|tỉ|nghìn|ngàn|đồng|người|phiếu|hộ|lượt|hồ sơ|cán bộ|xã|phường|ấp|năm|tháng|tuần|ngày|giờ|phút|"
    r"tuổi|km|lần|câu|tiêu chí|million|billion|thousand|people|persons|forms|households|communes|wards|villages|"
    r"years|months|weeks|days|hours|minutes|times|files|VND|USD)\b",
    re.IGNORECASE,
)


def _typed(passage: str, language: Language) -> Iterator[tuple[str, str, str]]:
    """The numbers of a passage that its writer typed, what follows each, and its sentence as a reader meets it."""
    words, spans = resolve(passage)
    apart = [(span.start, span.end) for span in spans] + [found.span() for found in _APART.finditer(words)]
    ends = [found.end() for found in _SENTENCE.finditer(words)]
    for found in _NUMERAL.finditer(words):
        if any(start <= found.start() and found.end() <= end for start, end in apart):
            continue
        start = max([0, *(end for end in ends if end <= found.start())])
        end = min([len(words), *(end for end in ends if end > found.start())])
        yield found[0], words[found.end() : end], words[start:end].strip()


def _headlines(effects: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The results that readers remember: levels, changes and differences, not those that are hidden."""
    found = select(visible(effects, study), method="linearised")
    return found[found["estimand"].isin(ESTIMANDS) & found["estimate"].notna()]


def _resembles(
    numeral: str, after: str, sentence: str, nearby: pd.DataFrame, study: Study, language: Language
) -> dict[str, Any] | None:
    """The result that a typed number of a sentence could be taken for, its name and indicator; None without any."""
    read = _read(numeral, language)
    if read is None or _OTHER_THINGS.match(after):
        return None
    value, decimals = read
    said = f" {fold(sentence)} "
    named = {code for code, node in study.index.items() if fold(label(node.label, language)) in said}
    units = {unit.code for unit in study.declared.units if any(fold(one) in said for one in unit.spellings[1:])}
    groups = {"pilot", "comparison", "all", BETWEEN} | units
    rows = nearby[nearby["indicator"].isin(named) & nearby["group"].isin(groups)]
    close = []
    for _, row in rows.iterrows():
        shown = round(abs(row["estimate"]), study.index[row["indicator"]].decimals)
        if shown == value or round(abs(row["estimate"]), decimals) == value:
            return None
        gap = abs(shown - value)
        near = gap <= 10**-decimals * 1.001 or gap <= NEAR * shown
        if near and decimals == study.index[row["indicator"]].decimals and (decimals or _is_share(after)):
            close.append((gap, row))
    if not close:
        return None
    _, row = min(close, key=lambda one: one[0])
    indicator = label(study.index[row["indicator"]].label, language)
    result = unmarked(Values(nearby, study, language).shown(row))
    return {"expected": result, "name": _stem(row), "indicator": indicator}


def _stem(row: pd.Series) -> str:
    """The name of an effect as teams write it: a level also says when."""
    group = "between" if row["group"] == BETWEEN else row["group"]
    return ".".join([row["indicator"], group, row["estimand"], *[row["contrast"]] * (row["estimand"] == "level")])


def _is_share(after: str) -> bool:
    """Whether points or percent follow a number."""
    return bool(re.match(r"\s?(?:%|điểm|phần trăm|points?|percent)", after))


def _read(numeral: str, language: Language) -> tuple[float, int] | None:
    """A number as the language writes it, or as the other does, and its decimals; None for anything else."""
    for thousands, point in ((".", ","), (",", ".")) if language == "vi" else ((",", "."), (".", ",")):
        whole = rf"(?:\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
        if found := re.fullmatch(rf"({whole})(?:{re.escape(point)}(\d+))?", numeral):
            decimals = found[2] or ""
            return float(f"{found[1].replace(thousands, '')}.{decimals or 0}"), len(decimals)
    return None
