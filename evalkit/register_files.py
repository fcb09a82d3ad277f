"""The files of the registers: declared, read without content or names, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.codebook import Variable
from evalkit.coding import UNREAD, code_text
from evalkit.declaration import Declared, Labels, Wave, Words, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import Problem, gathered, nearest, raise_any
from evalkit.files import read_grid
from evalkit.grid import SEARCHED, Grid
from evalkit.language import LANGUAGES, catalogue
from evalkit.privacy import search
from evalkit.study import Study
from evalkit.textfiles import read_toml
from evalkit.workbooks import refuse_merged_below

FILE = "registers.toml"
Kind = Literal["reception", "dialogue", "promise", "petition", "complaint", "denunciation"]
KINDS: tuple[Kind, ...] = get_args(Kind)
COUNTS = ("received", "within_competence", "resolved", "due", "on_time")
_ANSWERS = dict.fromkeys(("có", "x", "1", "thuộc thẩm quyền", "yes"), True)
_ANSWERS |= dict.fromkeys(("không", "0", "không thuộc thẩm quyền", "no"), False)
_MONTH = re.compile(r"(?:tháng )?(?:(\d{1,2})[-/. ](\d{4})|(\d{4})[-/.](\d{1,2})(?:[-/.]0?1(?: 00:00:00)?)?)")
_ITEM = re.compile(r"(?=.*\d)\S{1,40}")  # a number under which nobody can be known: no words
# What no register for an evaluation may hold; by the folded title, diacritics kept.
_CONTENT = re.compile(
    r"nội dung|trích yếu|tóm tắt|lý do (?:khiếu nại|tố cáo)|đối tượng bị|bị (?:khiếu nại|tố cáo|đơn)|bị đơn"
    r"|người (?:khiếu nại|tố cáo|kiến nghị|phản ánh|gửi|nộp|đứng|làm) ?|nguyên đơn|đương sự|công dân$"
    r"|\b(?:content|subject|summary|complainant|accused|petitioner|denouncer|respondent)\b"
)


class Reporting(Declared):
    """`[[reporting]]`: from which day which version of the rules of counting held, and where they are written."""

    since: date
    version: Words
    source: Labels | None = None


class ItemColumns(Declared):
    """The titles of the columns of a file of items; `competence` says yes or no."""

    kind: Words
    unit: Words
    received: Words
    item: Words | None = None
    competence: Words | None = None
    due: Words | None = None
    closed: Words | None = None


class CountColumns(Declared):
    """The titles of the columns of a file of counts."""

    unit: Words
    month: Words
    kind: Words
    received: Words
    within_competence: Words | None = None
    resolved: Words | None = None
    due: Words | None = None
    on_time: Words | None = None


class ItemFile(Declared):
    """`[[items]]`: a file with one row an item, under a number that names nobody."""

    file: Words
    columns: ItemColumns
    sheet: str | None = None
    dates: Literal["dmy", "mdy"] | None = None


class CountFile(Declared):
    """`[[counts]]`: a file with one row a unit, month and kind.

    carried_over: whether what was resolved in a month may have been received in an earlier one.
    """

    file: Words
    columns: CountColumns
    sheet: str | None = None
    carried_over: bool = False


class RegisterRules(Declared):
    """All of `registers.toml`.

    data_start, data_cut: first and last day that the registers cover. launch: first day of the pilot. on_time: what
    the share is of: `of_due`, items whose day came within the period, or `of_resolved`, items resolved (open ones do
    not count, however late). kinds: further spellings of a kind in the files.
    """

    data_start: date
    data_cut: date
    on_time: Literal["of_due", "of_resolved"]
    launch: date | None = None
    reporting: Annotated[tuple[Reporting, ...], Field(strict=False)] = ()
    items: Annotated[tuple[ItemFile, ...], Field(strict=False)] = ()
    counts: Annotated[tuple[CountFile, ...], Field(strict=False)] = ()
    kinds: Mapping[Kind, Annotated[tuple[Words, ...], Field(strict=False)]] = {}

    @property
    def months(self) -> pd.DatetimeIndex:
        """The first days of all months that the registers cover."""
        months = pd.period_range(self.data_start, self.data_cut, freq="M")
        return months.to_timestamp().as_unit("s")


_File = ItemFile | CountFile
_Coded = tuple[Any, str, dict[str, Any]]  # a code, or why there is none: message key and values
_Read = Callable[[str], _Coded]


@dataclass(frozen=True)
class Registers:
    """The registers of a study, read and checked.

    items: item, kind, unit, received, due, closed (NaT where there is none), within_competence (True where no column
    says), one row an item. counts: unit, month (its first day), kind and `COUNTS`, NaN where no column says. notices:
    what a reader should know.
    """

    rules: RegisterRules
    items: pd.DataFrame
    counts: pd.DataFrame
    notices: tuple[Problem, ...] = ()


def read_registers(study: Study) -> Registers | None:
    """The registers that `registers.toml` in the study folder declares; None where there is no such file.

    Only the declared columns may stand in the files: any other is refused, by name where it holds content or
    persons, and so is every column whose cells look like personal data. Raises DataError with every problem of all
    files; where personal data was found with these only, and without what was found.

        registers = read_registers(study)
    """
    if not (study.folder / FILE).exists():
        return None
    rules = parse(read_toml(study.folder / FILE, FILE), FILE, RegisterRules)
    raise_any(_check_rules(rules))
    reader = _Reader(study, rules)
    items_of = [(file, reader.sheet(file)) for file in rules.items]
    counts_of = [(file, reader.sheet(file)) for file in rules.counts]
    raise_any([problem for problem in reader.problems if problem.key.startswith("register_personal")])
    items = [reader.items(file, sheet) for file, sheet in items_of if sheet is not None]
    counts = [reader.counts(file, sheet) for file, sheet in counts_of if sheet is not None]
    raise_any(reader.problems)
    found = Registers(rules, _stacked(items, _ITEM_TYPES), _stacked(counts, _COUNT_TYPES))
    both = sorted(set(found.items["kind"]) & set(found.counts["kind"]))
    raise_any(Problem(FILE, "register_kind_twice", {"found": _kind_words(kind)}, column="items") for kind in both)
    return replace(found, notices=(*reader.notices, *_missing_months(found, study)))


_DAYS = dict.fromkeys(("received", "due", "closed"), "datetime64[s]")
_ITEM_TYPES = {"item": "str", "kind": "str", "unit": "str", **_DAYS, "within_competence": "bool"}
_COUNT_TYPES = {"unit": "str", "month": "datetime64[s]", "kind": "str", **dict.fromkeys(COUNTS, "float")}


def _check_rules(rules: RegisterRules) -> Iterator[Problem]:
    if not rules.items and not rules.counts:
        yield Problem(FILE, "register_no_file", column="items")
    if rules.data_cut <= rules.data_start:
        values = {"found": rules.data_cut, "expected": rules.data_start}
        yield Problem(FILE, "register_cut_early", values, column="data_cut")
    if rules.launch is not None and not rules.data_start < rules.launch <= rules.data_cut:
        expected = f"{rules.data_start} – {rules.data_cut}"
        yield Problem(FILE, "key_value", {"found": str(rules.launch), "expected": expected}, column="launch")
    for at, file in enumerate(rules.counts, start=1):
        base = "due" if rules.on_time == "of_due" else "resolved"
        if file.columns.on_time and not getattr(file.columns, base):
            yield Problem(FILE, "key_missing", column=f"counts[{at}].columns.{base}")
    for at, one in enumerate(rules.items, start=1):
        for needed in ("due", "closed"):
            if one.columns.due and not getattr(one.columns, needed):
                yield Problem(FILE, "key_missing", column=f"items[{at}].columns.{needed}")


class _Reader:
    """Reads the files one after the other and remembers everything that is wrong."""

    def __init__(self, study: Study, rules: RegisterRules) -> None:
        self.study, self.rules = study, rules
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []
        self.units = {fold(name): unit.code for unit in study.declared.units for name in unit.spellings}
        self.kinds = {fold(word): kind for kind in KINDS for word in (kind, *_kind_words(kind).values())}
        self.kinds |= {fold(word): kind for kind, words in rules.kinds.items() for word in words}
        self.seen: dict[tuple[Any, ...], tuple[str, int]] = {}

    def sheet(self, file: _File) -> pd.DataFrame | None:
        """The rows of a file, one column a declared name; None where its columns are not as declared."""
        path = self.study.folder / file.file
        if self.study.outside(file.file):
            self.problems.append(Problem(FILE, "path_outside", {"found": file.file}))
            return None
        with gathered(self.problems):
            return self._rows(read_grid(path, file.file, sheet=file.sheet), file)
        return None

    def _rows(self, grid: Grid, file: _File) -> pd.DataFrame:
        wanted = {name: title for name, title in file.columns.model_dump().items() if title is not None}
        titles = {fold(title): name for name, title in wanted.items()}
        head = grid.cells.head(SEARCHED).astype("str").map(fold)
        header = head.isin(list(titles)).sum(axis=1).idxmax()
        grid = refuse_merged_below(grid, int(header))
        self.notices.extend(grid.notices)
        row = grid.cells.loc[header].astype("str").map(normal_form)
        cells = grid.cells.loc[grid.cells.index > header].astype("str")
        columns = {at: title for at, title in row.items() if title or (cells[at].map(normal_form) != "").any()}
        problems = []

        def problem(key: str, line: int | None = None, column: str | None = None, **values: Any) -> None:
            problems.append(Problem(file.file, key, values, line, column, file.sheet))

        for title in columns.values():
            if fold(title) in titles:
                continue
            content = _CONTENT.search(fold(title)) or search({title: ["x"]})
            problem("register_personal_title" if content else "register_column_unasked", int(header), found=title)
        found = [fold(title) for title in columns.values()]
        for title, name in titles.items():
            if found.count(title) != 1:
                problem("column_twice" if title in found else "column_missing", int(header), found=wanted[name])
        named = {at: titles[fold(title)] for at, title in columns.items() if fold(title) in titles}
        for at, name in named.items():
            texts = cells[at]
            known = self.units if name == "unit" else self.kinds if name == "kind" else {}
            for one in search({"x": texts[~texts.map(fold).isin(list(known))]}):
                if one.kind != "birth_date" or name not in _DAYS:
                    what = catalogue()[f"personal_kind_{one.kind}"]
                    problem("register_personal_cells", column=columns[at], count=one.count, what=what)
        if cells.empty:
            problem("no_rows")
        raise_any(problems)
        return cells[list(named)].rename(columns=named)

    def items(self, file: ItemFile, rows: pd.DataFrame) -> pd.DataFrame:
        """A file of items: texts to codes, and whether each row can be true."""
        coded = {name: self._column(file, rows, name, getattr(self, f"_{name}")) for name in ("kind", "unit")}
        for name in _DAYS:
            read = partial(self._day, name=name, file=file)
            coded[name] = self._column(file, rows, name, read, pd.NaT, name != "received")
        coded["within_competence"] = self._column(file, rows, "competence", self._competent, True)
        lines = pd.Series([str(line) for line in rows.index], rows.index)
        coded["item"] = self._column(file, rows, "item", self._item) if "item" in rows else lines
        frame = pd.DataFrame(coded)
        for name in ("due", "closed"):
            for line in frame.index[frame[name] < frame["received"]]:
                found, expected = (f"{frame.loc[line, column]:%d/%m/%Y}" for column in (name, "received"))
                self._problem(file, "register_day_order", line, name, found=found, expected=expected)
        if "item" in rows:
            for line, *key in frame[["kind", "item"]].dropna().itertuples():
                self._once(file, line, "item", tuple(key))
        return frame

    def counts(self, file: CountFile, rows: pd.DataFrame) -> pd.DataFrame:
        """A file of counts: texts to codes, and whether each row can be true."""
        keys = ("unit", "month", "kind")
        coded = {name: self._column(file, rows, name, getattr(self, f"_{name}")) for name in keys}
        for name in COUNTS:
            coded[name] = self._column(file, rows, name, self._count, np.nan, name != "received")
        frame = pd.DataFrame(coded)
        limits = [("within_competence", "received"), ("on_time", "resolved")]
        limits += [("on_time", "due")] if self.rules.on_time == "of_due" else []
        limits += [] if file.carried_over else [("resolved", "received")]
        for part, whole in limits:
            for line in frame.index[frame[part] > frame[whole]]:
                found, expected = (int(frame.loc[line, name]) for name in (part, whole))
                key = "register_resolved_larger" if part == "resolved" else "register_part_larger"
                values = {"found": found, "whole": getattr(file.columns, whole), "expected": expected}
                self._problem(file, key, line, part, **values)
        for line, *key in frame[list(keys)].dropna().itertuples():
            self._once(file, line, "month", tuple(key))
        return frame

    def _column(
        self, file: _File, rows: pd.DataFrame, name: str, read: _Read, absent: Any = None, may_be_empty: bool = False
    ) -> pd.Series:
        """A column's codes, each distinct text read once; `absent` where there is no column or an empty cell."""
        if name not in rows:
            return pd.Series([absent] * len(rows), rows.index)
        texts = rows[name].map(normal_form)
        codes: dict[str, Any] = {}
        for text in texts.unique():
            code, key, values = read(text) if text else (absent, "" if may_be_empty else "text_wanted", {})
            codes[text] = absent if key else code
            for line in texts.index[texts == text] if key else ():
                self._problem(file, key, line, name, **values)
        return pd.Series([codes[text] for text in texts], rows.index)

    def _problem(self, file: _File, key: str, line: Any, name: str, **values: Any) -> None:
        title = getattr(file.columns, name)
        self.problems.append(Problem(file.file, key, values, int(line), title, file.sheet))

    def _once(self, file: _File, line: Any, name: str, key: tuple[Any, ...]) -> None:
        here = (file.file, int(line))
        first = self.seen.setdefault(key, here)
        if first != here:
            self._problem(file, "register_row_twice", line, name, other=first[0], first=first[1])

    def _item(self, text: str) -> _Coded:
        return text, "" if _ITEM.fullmatch(text) else "register_item_unknown", {}

    def _unit(self, text: str) -> _Coded:
        names = [name for unit in self.study.declared.units for name in unit.spellings]
        found = self.units.get(fold(text))
        return found, "" if found else "register_unit_unknown", {"expected": nearest(text, names)}

    def _kind(self, text: str) -> _Coded:
        found = self.kinds.get(fold(text))
        words = {language: "; ".join(_kind_words(kind)[language] for kind in KINDS) for language in LANGUAGES}
        return found, "" if found else "register_kind_unknown", {"expected": words}

    def _competent(self, text: str) -> _Coded:
        answer = _ANSWERS.get(fold(text))
        return answer, "register_competence_unknown" if answer is None else "", {}

    def _month(self, text: str) -> _Coded:
        match = _MONTH.fullmatch(text.lower())
        month, year = (match[1] or match[4], match[2] or match[3]) if match else ("0", "0")
        expected = {"expected": f"{self.rules.data_start:%m/%Y} – {self.rules.data_cut:%m/%Y}"}
        known = {(day.month, day.year): day for day in self.rules.months}
        value = known.get((int(month), int(year)), pd.NaT)
        return value, "register_month_unknown" if value is pd.NaT else "", expected

    def _count(self, text: str) -> _Coded:
        whole = re.fullmatch(r"\d{1,6}", text)
        return (float(text), "", {}) if whole else (np.nan, "register_count_unknown", {"found": _shown(text)})

    def _day(self, text: str, name: str, file: ItemFile) -> _Coded:
        low = self.rules.data_start if name == "received" else date(1990, 1, 1)
        high = date(2100, 1, 1) if name == "due" else self.rules.data_cut
        variable = Variable(name, name, "date", None, low, high, {}, False, 0)
        words: dict[str, Any] = {"code": name, "period": "before", "label": Labels(vi=name, en=name)}
        wave = Wave(**words, file=file.file, dates=file.dates, field_start=low, field_end=high)
        value, _, key, values = code_text(text, variable, wave)
        return value, f"register_{key}" if key else "", {"found": _shown(text), **values}


def _stacked(parts: list[pd.DataFrame], types: Mapping[str, str]) -> pd.DataFrame:
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(types))
    return frame[list(types)].astype(dict(types))


def _kind_words(kind: str) -> Mapping[str, str]:
    return catalogue()[f"register_kind_{kind}"]


def _shown(text: str) -> str:
    """Digits as they stand; of words only that there are some, for they may be a name."""
    return UNREAD if re.search(r"[^\W\d_]", text) else text


def _missing_months(registers: Registers, study: Study) -> Iterator[Problem]:
    """Months that a unit did not report: no zero, but unknown."""
    months = len(registers.rules.months)
    reported = registers.counts.groupby(["kind", "unit"]).size()
    for kind in [kind for kind in KINDS if kind in reported]:
        for code in study.design.arms:
            if missing := months - int(reported.get((kind, code), 0)):
                values = {"kind": _kind_words(kind), "unit": code, "count": missing, "expected": months}
                yield Problem(FILE, "register_months_missing", values)
