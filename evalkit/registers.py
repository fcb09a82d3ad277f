"""Registers of reception, dialogue and petitions: read without content or names, counted, compared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalkit.codebook import Variable
from evalkit.coding import UNREAD, code_text
from evalkit.declaration import Declared, Labels, Wave, Words, parse
from evalkit.effects import make_effects, with_intervals
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.files import read_grid
from evalkit.grid import SEARCHED, Grid
from evalkit.language import catalogue
from evalkit.licence import GATE, Licence
from evalkit.privacy import search
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import PERIODS, Study
from evalkit.textfiles import read_toml
from evalkit.units import compare_units
from evalkit.workbooks import refuse_merged_below

FILE = "registers.toml"
Kind = Literal["reception", "dialogue", "promise", "petition", "complaint", "denunciation"]
KINDS: tuple[Kind, ...] = ("reception", "dialogue", "promise", "petition", "complaint", "denunciation")
COUNTS = ("received", "within_competence", "resolved", "due", "on_time")
SHARES = {"within_competence": "received", "on_time": "judged"}  # share → what it is a share of
_NO_COMPETENCE = ("promise", "dialogue")  # a unit makes and holds its own
_YES, _NO = ("có", "x", "1", "thuộc thẩm quyền", "yes"), ("không", "0", "không thuộc thẩm quyền", "no")
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
    """`[[counts]]`: a file with one row a unit, month and kind."""

    file: Words
    columns: CountColumns
    sheet: str | None = None


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


_File = ItemFile | CountFile


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
    found = Registers(rules, _stacked(items, _ITEM_TYPES), _stacked(counts, _COUNT_TYPES), tuple(reader.notices))
    both = sorted(set(found.items["kind"]) & set(found.counts["kind"]))
    raise_any(Problem(FILE, "register_kind_twice", {"found": _kind_words(kind)}, column="items") for kind in both)
    return Registers(rules, found.items, found.counts, (*found.notices, *_missing_months(found, study)))


def monthly(registers: Registers, study: Study) -> pd.DataFrame:
    """What was received, within competence, resolved, due and on time, by month, unit and kind.

    Returns month (first day), period (`before`, `after`, empty for the month in which the pilot began within the
    month), unit, kind, `COUNTS`, judged (what on_time is a share of) and open. Items stand in the month in which
    they were received; only those within competence are resolved, due or open. Each period is judged on its own
    last day: what was resolved or fell due later counts as open, neither kept nor failed. Counts stand as reported,
    their open ones unknown (NaN). A month of a kind that comes as items and has none counts zero.

        monthly(registers, study).groupby(["kind", "period"])["received"].sum()
    """
    counts = registers.counts.assign(open=np.nan)
    base = "due" if registers.rules.on_time == "of_due" else "resolved"
    counts["judged"] = counts[base].where(counts["on_time"].notna())
    parts = [_item_months(registers, study), counts]
    found = pd.concat([part for part in parts if len(part)] or parts[1:], ignore_index=True)
    found["period"] = _periods(found["month"], registers.rules)
    found = found.sort_values(["kind", "unit", "month"], key=_kind_order, ignore_index=True)
    return found[["month", "period", "unit", "kind", *COUNTS, "judged", "open"]]


def durations(registers: Registers, study: Study) -> pd.DataFrame:
    """Days from receipt to resolution by kind, group and period: Kaplan & Meier's median, open items censored.

    Returns kind, group (`pilot`, `comparison` or `all`), period, n, resolved, median, conf_low, conf_high (days; NaN
    where never reached). Items within competence; those received before the launch are followed to the day before
    it, later ones to the cut. The interval (log-log; Brookmeyer & Crowley 1982, Biometrics 38) is about these
    items and takes them as independent.

        durations(registers, study)
    """
    items = registers.items[registers.items["within_competence"]].copy()
    items["period"] = _periods(_month(items["received"]), registers.rules)
    ends = pd.to_datetime(items["period"].map(_period_ends(registers.rules)))
    items["done"] = (items["closed"] <= ends).astype(int)
    items["days"] = (items["closed"].where(items["done"] == 1, ends) - items["received"]).dt.days
    rows = []
    for kind in _present(items):
        for group, units in _groups(study).items():
            for period in PERIODS:
                here = (items["kind"] == kind) & (items["period"] == period) & items["unit"].isin(units)
                if not here.any():
                    continue
                curve = SurvfuncRight(items.loc[here, "days"], items.loc[here, "done"])
                with np.errstate(divide="ignore", invalid="ignore"):
                    low, high = curve.quantile_ci(0.5, alpha=1 - study.plan.confidence_level)
                row = {"kind": kind, "group": group, "period": period, "n": int(here.sum())}
                row |= {"resolved": int(items.loc[here, "done"].sum()), "median": float(curve.quantile(0.5))}
                rows.append(row | {"conf_low": float(low), "conf_high": float(high)})
    columns = ["kind", "group", "period", "n", "resolved", "median", "conf_low", "conf_high"]
    frame = pd.DataFrame(rows, columns=columns)
    bounds = ["median", "conf_low", "conf_high"]
    return frame.assign(**{name: frame[name].replace(np.inf, np.nan).astype(float) for name in bounds})


def comparability(registers: Registers) -> list[str]:
    """Why before and after may not be compared: message keys, none where they may.

    The launch must be declared, the rules of counting known for all days, and one version must hold throughout.
    """
    rules = registers.rules
    if rules.launch is None:
        return ["register_no_launch"]
    known = sorted(rules.reporting, key=lambda one: one.since)
    if not known or known[0].since > rules.data_start:
        return ["register_no_reporting"]
    versions = [one.version for one in known if one.since <= rules.data_cut]
    ends = [*(one.since for one in known[1:]), date.max]
    held = {version for version, end in zip(versions, ends, strict=False) if end > rules.data_start}
    return ["register_reporting_differs"] if len(held) > 1 else []


def licence(registers: Registers, study: Study) -> Licence:
    """The strongest words that the registers and the design carry, by `licence.GATE`."""
    design = study.design
    randomised = design.pilot_units_chosen == "randomised" and list(design.arms.values()).count("pilot") > 1
    return GATE[not comparability(registers), design.compared, randomised]


def register_effects(registers: Registers, study: Study) -> pd.DataFrame:
    """Shares within competence and on time as rows of effects, in percent; their names by `indicator`.

    Levels of units and groups before and after pool their items (`wilson`: Wilson 1927, JASA 22), changes of groups
    too (`newcombe`: Newcombe 1998, Statistics in Medicine 17): their intervals are about these items, taken as
    independent. The difference-in-differences counts every unit once (`unit t`, `placebo`: `units.compare_units`).
    Where the pilot began is known, only calendar months that both periods have are compared, so that seasons do not
    pass for change; changes and differences only where `comparability` has no objection, differences only where
    there are comparison units that may be set against the pilots. Note `few_items`: a unit has fewer items in a
    period than the study's smallest cell, so that its share says little.

        register_effects(registers, study).query("estimand == 'did'")
    """
    months = compared_months(monthly(registers, study))
    may, level = not comparability(registers), study.plan.confidence_level
    units = {code: [code] for code in study.design.arms}
    rows: list[dict[str, Any]] = []
    for kind in _present(months):
        for share, base in SHARES.items():
            here = months[(months["kind"] == kind) & months[base].notna() & months[share].notna()]
            sums = here.groupby(["unit", "period"])[[share, base]].sum()
            if not (sums[base] > 0).any() or (share == "within_competence" and kind in _NO_COMPETENCE):
                continue
            name = indicator(kind, share, registers)
            for group, members in (units | _groups(study)).items():
                pooled = {period: _pooled(sums, members, period) for period in PERIODS}
                rows += _group_rows(name, group, len(members), pooled, may and group not in units, level)
            if may and study.design.compared:
                rows += _did_rows(name, sums.rename(columns={share: "hits", base: "n"}), study)
    return with_intervals(make_effects(rows), level) if rows else make_effects([])


def indicator(kind: str, share: str, registers: Registers) -> str:
    """The name of a share in the effects; that of the on-time share says what it is a share of."""
    return f"register_{kind}_{share}" + (f"_{registers.rules.on_time}" if share == "on_time" else "")


def compared_months(months: pd.DataFrame) -> pd.DataFrame:
    """The rows of `monthly` of calendar months that both periods have; all months where there is one period."""
    inside = months[months["period"] != ""]
    calendar = inside["month"].dt.month
    both = [set(calendar[inside["period"] == period]) for period in PERIODS]
    return inside[calendar.isin(both[0] & both[1])] if all(both) else inside


_ITEM_TYPES = {
    "item": "str",
    "kind": "str",
    "unit": "str",
    "received": "datetime64[s]",
    "due": "datetime64[s]",
    "closed": "datetime64[s]",
    "within_competence": "bool",
}
_COUNT_TYPES = {"unit": "str", "month": "datetime64[s]", "kind": "str", **dict.fromkeys(COUNTS, "float")}


def _check_rules(rules: RegisterRules) -> Iterator[Problem]:
    if not rules.items and not rules.counts:
        yield Problem(FILE, "register_no_file", column="items")
    if rules.data_cut <= rules.data_start:
        yield Problem(
            FILE, "register_cut_early", {"found": rules.data_cut, "expected": rules.data_start}, column="data_cut"
        )
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
        try:
            return self._rows(read_grid(path, file.file, sheet=file.sheet), file)
        except DataError as error:
            self.problems.extend(error.problems)
            return None

    def _rows(self, grid: Grid, file: _File) -> pd.DataFrame:
        wanted = {name: title for name, title in file.columns.model_dump().items() if title is not None}
        titles = {fold(title): name for name, title in wanted.items()}
        head = grid.cells.head(SEARCHED).astype("str")
        header = (head.apply(lambda column: column.map(fold)).isin(list(titles))).sum(axis=1).idxmax()
        grid = refuse_merged_below(grid, int(header))
        self.notices.extend(grid.notices)
        row = grid.cells.loc[header].astype("str").map(normal_form)
        cells = grid.cells.loc[grid.cells.index > header].astype("str")
        columns = {at: title for at, title in row.items() if title or (cells[at].map(normal_form) != "").any()}
        problems = []

        def problem(key: str, line: int | None = None, **values: Any) -> None:
            problems.append(Problem(file.file, key, values, line, sheet=file.sheet))

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
                if one.kind != "birth_date" or name not in ("received", "due", "closed"):
                    what = catalogue()[f"personal_kind_{one.kind}"]
                    values = {"count": one.count, "what": what}
                    problems.append(
                        Problem(file.file, "register_personal_cells", values, column=columns[at], sheet=file.sheet)
                    )
        if cells.empty:
            problem("no_rows")
        raise_any(problems)
        return cells[list(named)].rename(columns=named)

    def items(self, file: ItemFile, rows: pd.DataFrame) -> pd.DataFrame:
        """A file of items: texts to codes, and whether each row can be true."""
        coded = {
            "kind": self._column(file, rows, "kind", self._kind),
            "unit": self._column(file, rows, "unit", self._unit),
        }
        for name in ("received", "due", "closed"):
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
        coded = {
            "unit": self._column(file, rows, "unit", self._unit),
            "month": self._column(file, rows, "month", self._month),
            "kind": self._column(file, rows, "kind", self._kind),
        }
        for name in COUNTS:
            coded[name] = self._column(file, rows, name, self._count, np.nan, name != "received")
        frame = pd.DataFrame(coded)
        limits = [("within_competence", "received"), ("on_time", "resolved")]
        limits += [("on_time", "due")] if self.rules.on_time == "of_due" else []
        for part, whole in limits:
            for line in frame.index[frame[part] > frame[whole]]:
                found, expected = (int(frame.loc[line, name]) for name in (part, whole))
                title = getattr(file.columns, whole)
                self._problem(file, "register_part_larger", line, part, found=found, whole=title, expected=expected)
        for line, *key in frame[["unit", "month", "kind"]].dropna().itertuples():
            self._once(file, line, "month", tuple(key))
        return frame

    def _column(
        self,
        file: _File,
        rows: pd.DataFrame,
        name: str,
        read: Callable[[str], tuple[Any, str, dict[str, Any]]],
        absent: Any = None,
        may_be_empty: bool = False,
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

    def _item(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        return text, "" if _ITEM.fullmatch(text) else "register_item_unknown", {}

    def _unit(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        names = [name for unit in self.study.declared.units for name in unit.spellings]
        found = self.units.get(fold(text))
        return found, "" if found else "register_unit_unknown", {"expected": nearest(text, names)}

    def _kind(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        found = self.kinds.get(fold(text))
        words = {language: "; ".join(_kind_words(kind)[language] for kind in KINDS) for language in ("vi", "en")}
        return found, "" if found else "register_kind_unknown", {"expected": words}

    def _competent(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        word = fold(text)
        known = word in (*map(fold, _YES), *map(fold, _NO))
        return word in map(fold, _YES), "" if known else "register_competence_unknown", {}

    def _month(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        match = _MONTH.fullmatch(text.lower())
        month, year = (match[1] or match[4], match[2] or match[3]) if match else ("0", "0")
        expected = {"expected": f"{self.rules.data_start:%m/%Y} – {self.rules.data_cut:%m/%Y}"}
        if not 1 <= int(month) <= 12:
            return pd.NaT, "register_month_unknown", expected
        value = pd.Timestamp(int(year), int(month), 1).as_unit("s")
        inside = _first(self.rules.data_start) <= value <= _first(self.rules.data_cut)
        return value, "" if inside else "register_month_unknown", expected

    def _count(self, text: str) -> tuple[Any, str, dict[str, Any]]:
        whole = re.fullmatch(r"\d{1,6}", text)
        return (float(text), "", {}) if whole else (np.nan, "register_count_unknown", {"found": _shown(text)})

    def _day(self, text: str, name: str, file: ItemFile) -> tuple[Any, str, dict[str, Any]]:
        low = self.rules.data_start if name == "received" else date(1990, 1, 1)
        high = date(2100, 1, 1) if name == "due" else self.rules.data_cut
        variable = Variable(name, name, "date", None, low, high, {}, False, 0)
        label = Labels(vi=name, en=name)
        wave = Wave(
            code=name, period="before", label=label, file=file.file, dates=file.dates, field_start=low, field_end=high
        )
        value, _, key, values = code_text(text, variable, wave)
        return value, f"register_{key}" if key else "", {"found": _shown(text), **values}


def _stacked(parts: Sequence[pd.DataFrame], types: Mapping[str, str]) -> pd.DataFrame:
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(types))
    return frame[list(types)].astype(dict(types))


def _kind_words(kind: str) -> Mapping[str, str]:
    return catalogue()[f"register_kind_{kind}"]


def _shown(text: str) -> str:
    """Digits as they stand; of words only that there are some, for they may be a name."""
    return UNREAD if re.search(r"[^\W\d_]", text) else text


def _first(day: date) -> pd.Timestamp:
    return pd.Timestamp(day.year, day.month, 1)


def _month(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.to_timestamp().astype("datetime64[s]")


def _kind_order(column: pd.Series) -> pd.Series:
    return column.map(KINDS.index) if column.name == "kind" else column


def _present(frame: pd.DataFrame) -> list[str]:
    return [kind for kind in KINDS if (frame["kind"] == kind).any()]


def _groups(study: Study) -> dict[str, list[str]]:
    """The units of each arm, or all where there are no arms."""
    arms = study.design.arms
    found = {arm: [code for code, of in arms.items() if of == arm] for arm in ("pilot", "comparison")}
    return {arm: codes for arm, codes in found.items() if codes} or {"all": list(arms)}


def _periods(months: pd.Series, rules: RegisterRules) -> pd.Series:
    """The period of each month; empty for the one in which the pilot began, unless on its first day."""
    if rules.launch is None:
        return pd.Series("before", months.index, dtype="str")
    launch = pd.Timestamp(rules.launch)
    after = np.where(months >= launch, "after", "")
    return pd.Series(np.where(months < _first(rules.launch), "before", after), months.index, dtype="str")


def _period_ends(rules: RegisterRules) -> dict[str, pd.Timestamp]:
    """The day on which the items of a period are judged."""
    before = rules.data_cut if rules.launch is None else rules.launch - timedelta(days=1)
    return {"before": pd.Timestamp(before), "": pd.Timestamp(rules.data_cut), "after": pd.Timestamp(rules.data_cut)}


def _item_months(registers: Registers, study: Study) -> pd.DataFrame:
    items = registers.items.assign(month=_month(registers.items["received"]))
    ends = pd.to_datetime(_periods(items["month"], registers.rules).map(_period_ends(registers.rules)))
    own = items["within_competence"]
    done, due = own & (items["closed"] <= ends), own & (items["due"] <= ends)
    judged = due if registers.rules.on_time == "of_due" else done & items["due"].notna()
    flags = pd.DataFrame({"received": True, "within_competence": own, "resolved": done, "due": due})
    flags["judged"], flags["on_time"] = (
        judged,
        judged & (items["closed"] <= ends.where(ends < items["due"], items["due"])),
    )
    flags["open"] = own & ~done
    counted = flags.astype(float).groupby([items["unit"], items["month"], items["kind"]]).sum()
    months = pd.date_range(_first(registers.rules.data_start), registers.rules.data_cut, freq="MS").astype(
        "datetime64[s]"
    )
    every = pd.MultiIndex.from_product(
        [list(study.design.arms), months, _present(items)], names=["unit", "month", "kind"]
    )
    return counted.reindex(every, fill_value=0.0).reset_index()


def _missing_months(registers: Registers, study: Study) -> Iterator[Problem]:
    """Months that a unit did not report: no zero, but unknown."""
    months = len(pd.date_range(_first(registers.rules.data_start), registers.rules.data_cut, freq="MS"))
    for kind in _present(registers.counts):
        reported = registers.counts[registers.counts["kind"] == kind].groupby("unit").size()
        for code in study.design.arms:
            if missing := months - int(reported.get(code, 0)):
                values = {"kind": _kind_words(kind), "unit": code, "count": missing, "expected": months}
                yield Problem(FILE, "register_months_missing", values)


def _pooled(sums: pd.DataFrame, members: list[str], period: str) -> tuple[int, int]:
    """How many of how many, over the units of a group in a period."""
    here = sums[sums.index.get_level_values("unit").isin(members) & (sums.index.get_level_values("period") == period)]
    hits, n = here.sum().astype(int)
    return int(hits), int(n)


def _group_rows(
    name: str, group: str, units: int, pooled: Mapping[str, tuple[int, int]], compare: bool, level: float
) -> list[dict[str, Any]]:
    shared = {"indicator": name, "group": group, "n_clusters": units, "weights": "items", "conf_level": level}
    rows = []
    for period, (hits, n) in pooled.items():
        if n:
            low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
            level_row = shared | {"estimand": "level", "contrast": period, "method": "wilson", "unit": "percent"}
            level_row |= {"estimate": 100 * hits / n, "conf_low": 100 * low, "conf_high": 100 * high}
            rows.append(level_row | {f"n_{period}": n})
    (before, n_before), (after, n_after) = pooled["before"], pooled["after"]
    if compare and n_before and n_after:
        low, high = confint_proportions_2indep(after, n_after, before, n_before, method="newcomb", alpha=1 - level)
        change = shared | {
            "estimand": "change",
            "contrast": CHANGE,
            "method": "newcombe",
            "unit": "percentage points",
        }
        change |= {"estimate": 100 * (after / n_after - before / n_before)}
        change |= {"conf_low": 100 * low, "conf_high": 100 * high, "n_before": n_before, "n_after": n_after}
        rows.append(change)
    return rows


def _did_rows(name: str, sums: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    """Pilot against comparison units, each unit once; none where a unit has nothing to judge in a period."""
    arms = study.design.arms
    wide = sums.unstack("period").reindex(list(arms))
    if any((part, period) not in wide for part in ("hits", "n") for period in PERIODS):
        return []
    shares = {
        period: 100 * wide["hits", period] / wide["n", period].where(wide["n", period] > 0) for period in PERIODS
    }
    change = (shares["after"] - shares["before"]).to_numpy(dtype=float)
    shared: dict[str, Any]
    shared = {"indicator": name, "group": BETWEEN, "estimand": "did", "contrast": DID, "unit": "percentage points"}
    shared |= {"n_before": wide["n", "before"].sum(), "n_after": wide["n", "after"].sum(), "weights": "units"}
    shared |= {"n_clusters": len(arms)}
    if np.isnan(change).any():
        return [shared | {"method": "unit t", "note": "no_answers"}]
    fewest = wide["n"][list(PERIODS)].to_numpy().min()
    shared |= {"note": "few_items" if fewest < study.declared.privacy.minimum_cell else ""}
    found = compare_units(change, [arm == "pilot" for arm in arms.values()], level=study.plan.confidence_level)
    t = {"std_error": found.std_error, "df": found.df, "p_value": found.p_value}
    placebo = {"p_value": found.placebo_p, "conf_low": found.placebo_low, "conf_high": found.placebo_high}
    shared |= {"estimate": found.estimate}
    return [shared | {"method": "unit t"} | t, shared | {"method": "placebo"} | placebo]
