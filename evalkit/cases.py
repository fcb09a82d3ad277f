"""One-stop case records: what cases.toml declares, the exports it names, and what is contradictory in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.declaration import Code, Declared, Labels, Words, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, gathered, nearest, raise_any
from evalkit.files import read_grid
from evalkit.grid import SEARCHED, Grid
from evalkit.study import Study
from evalkit.textfiles import read_table, read_toml

FILE = "cases.toml"
DATES = ("received", "due", "extended", "released", "finished")
HAPPENED = ("received", "released", "finished")  # the other dates may lie ahead
Status = Literal["receiving", "processing", "waiting", "released", "finished", "unresolved", "denied", "cancelled"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED = ("released", "finished", "unresolved")  # have a result, if only a refusal
NEVER = ("denied", "cancelled")  # not taken in, or taken back: no result is ever due
# From this day people file at any commune of their province (decree 118/2025/NĐ-CP).
ANYWHERE = np.datetime64("2025-07-01")
FLAWS = ("received_missing", "release_missing", "in_future", "far_off", "due_before_received",
         "released_before_received", "finished_before_released")  # fmt: skip
FAR = 10  # years before the first and after the last day of the records: our choice, and no rule
# The columns of OpenCPS's monthly report, in their order; its header takes five rows, then one with 1 … 24.
REPORT_COLUMNS = (
    "place", "total", "refused", "withdrawn", "to_process", "carried", "received", "received_counter",
    "received_online", "released", "early", "on_time", "late", "late_inside", "late_outside", "handed_over",
    "not_handed_over", "unresolved", "open", "open_in_time", "open_late", "open_elsewhere", "paused", "percent",
)  # fmt: skip
_SUMS = {"received": ("received_counter", "received_online"), "to_process": ("carried", "received"),
         "late": ("late_inside", "late_outside")}  # fmt: skip
_LAYOUTS: dict[str, dict[str, str]] = {
    "own": {},
    "opencps": {
        "number": "dossierNo", "unit": "govAgencyName", "field": "domainName", "procedure": "serviceName",
        "received": "receiveDate", "due": "dueDate", "extended": "extendDate", "released": "releaseDate",
        "finished": "finishDate", "status": "dossierStatus",
    },
    "epar": {
        "number": "C_RECORD_NO", "received": "C_RECEIVE_DATE", "due": "C_RETURN_DATE", "released": "C_CLEAR_DATE",
    },
}  # fmt: skip
_TOTAL = re.compile(r"(tổng|cộng|total)\b.*")
_TALLEST, _SHOWN, _MOST = 3, 50, 1000

Definition = Literal["A", "B", "C", "D"]
Column = Literal["number", "unit", "field", "procedure", "received", "due", "extended", "released", "finished",
                 "status", "origin"]  # fmt: skip


class Reporting(Declared):
    """`[reporting]`: periods of so many months that begin on a day of a month, such as 15 December."""

    months: Literal[1, 3, 6, 12] = 1
    first_month: Annotated[int, Field(ge=1, le=12)] = 1
    first_day: Annotated[int, Field(ge=1, le=28)] = 1


class Source(Declared):
    """`[[sources]]`: one export of cases; `columns` and `status` say what its titles and words mean.

    unit: where the whole file is of one unit. contradictions: whether impossible dates stop the reading, or are
    reported and their cases left out of every number.
    """

    file: Words
    sheet: str | None = None
    layout: Literal["own", "opencps", "epar"] = "own"
    unit: Code | None = None
    dates: Literal["dmy", "mdy"] = "dmy"
    columns: Mapping[Column, Words] = {}
    status: Mapping[str, Status] = {}
    contradictions: Literal["refuse", "report"] = "refuse"

    @property
    def titles(self) -> dict[str, str]:
        """The title of each column that is read."""
        return {**_LAYOUTS[self.layout], **{str(column): title for column, title in self.columns.items()}}


class Report(Declared):
    """`[[reports]]`: one printed monthly report of OpenCPS, its 24 columns, and the days it covers."""

    file: Words
    sheet: str | None = None
    start: date
    end: date


class Records(Declared):
    """All of cases.toml: since when and until when the records are complete, and what is meant by on time.

    checklist: a csv file of procedures; checklist_rule: what made the team write "reviewed" and "posted" in it.
    """

    data_start: date
    data_cut: date
    launch: date | None = None
    definition: Definition
    reporting: Reporting = Reporting()
    sources: Annotated[tuple[Source, ...], Field(min_length=1, strict=False)]
    reports: Annotated[tuple[Report, ...], Field(strict=False)] = ()
    checklist: str | None = None
    checklist_rule: Labels | None = None


@dataclass(frozen=True)
class Cases:
    """The cases of a study.

    frame: one row a case: `file, line, number, unit, field, procedure, received, due, extended, released, finished,
    status, elsewhere, flaw`; dates are days (the clock of the place), NaT where there is none; `elsewhere`: of a
    person from another commune, since 1/7/2025; `flaw`: one of FLAWS, or "".
    reports: one row a line of a printed report, REPORT_COLUMNS and `file, start, end`. checklist: `unit, procedure,
    period, reviewed, posted`; both None where not declared.
    """

    declared: Records
    frame: pd.DataFrame
    reports: pd.DataFrame | None = None
    checklist: pd.DataFrame | None = None
    notices: tuple[Problem, ...] = ()

    @property
    def sound(self) -> pd.DataFrame:
        """The cases without contradiction."""
        return self.frame[self.frame["flaw"] == ""]


def read_cases(study: Study) -> Cases | None:
    """The one-stop cases of a study folder; None where it has no cases.toml.

    Raises DataError, all at once: keys of cases.toml, titles not found, units and words of status that are unknown,
    dates that cannot be read, a case number twice (however written), and (unless `contradictions = "report"`) a due
    date before the day received, a result before it, hand-over before the result, anything that happened after
    `data_cut`, a date FAR years off, and a case with a result but without its date or the day received. A cell is
    named once: what follows from a bad date is not told again. Only the declared columns are read.

        cases = ek.cases.read_cases(ek.open_study("data/nga-bay"))
    """
    if not (study.folder / FILE).exists():
        return None
    declared = parse(read_toml(study.folder / FILE, FILE), FILE, Records)
    raise_any(_check(declared, study))
    problems: list[Problem] = []
    notices: list[Problem] = []

    parts, printed, checklist = [], [], None
    for source in declared.sources:
        with gathered(problems):
            parts.append(_Export(source, declared, study, problems, notices).frame())
    for report in declared.reports:
        with gathered(problems):
            printed.append(_read_report(report, study, notices))
    if declared.checklist:
        with gathered(problems):
            checklist = _read_checklist(declared.checklist, study)
    frame = _joined(parts) if parts else pd.DataFrame()
    problems += _twice(frame) if parts else []
    raise_any(problems)
    reports = pd.concat(printed, ignore_index=True) if printed else None
    return Cases(declared, frame, reports, checklist, tuple(notices))


def quality(cases: Cases) -> pd.DataFrame:
    """How many cases each file has: `file, read, ended, open, never, elsewhere`, and one column a flaw."""
    frame = cases.frame
    sound = frame["flaw"] == ""
    never = frame["status"].isin(NEVER)
    columns = {
        "read": pd.Series(True, frame.index),
        "ended": sound & ~never & frame["released"].notna(),
        "open": sound & ~never & frame["released"].isna(),
        "never": sound & never,
        "elsewhere": sound & frame["elsewhere"],
        **{flaw: frame["flaw"] == flaw for flaw in FLAWS},
    }
    return pd.DataFrame(columns).groupby(frame["file"].astype("str"), sort=False).sum().reset_index()


def _check(declared: Records, study: Study) -> Iterator[Problem]:
    if declared.data_cut <= declared.data_start:
        values: dict[str, Any] = {"found": declared.data_cut, "first": declared.data_start}
        yield Problem(FILE, "case_cut_before_start", values, column="data_cut")
    if declared.launch and not declared.data_start < declared.launch <= declared.data_cut:
        values = {"found": declared.launch, "expected": f"{declared.data_start} – {declared.data_cut}"}
        yield Problem(FILE, "case_launch_outside", values, column="launch")
    units = [unit.code for unit in study.declared.units]
    for at, source in enumerate(declared.sources, start=1):
        place = f"sources[{at}]"
        for wanted in ("number", "received", "released", *(() if source.unit else ("unit",))):
            if wanted not in source.titles:
                yield Problem(FILE, "key_missing", column=f"{place}.columns.{wanted}")
        if source.unit and source.unit not in units:
            values = {"found": source.unit, "expected": nearest(source.unit, units)}
            yield Problem(FILE, "unit_code_unknown", values, column=f"{place}.unit")
    files = [*(source.file for source in declared.sources), *(report.file for report in declared.reports)]
    for name in [*files, *([declared.checklist] if declared.checklist else [])]:
        if study.outside(name):
            yield Problem(FILE, "path_outside", {"found": name}, column="file")


class _Export:
    """One export on its way to cases: its cells, and those of them that a message names already."""

    def __init__(
        self, source: Source, declared: Records, study: Study, problems: list[Problem], notices: list[Problem]
    ) -> None:
        self.source, self.declared, self.problems, self.notices = source, declared, problems, notices
        grid = read_grid(study.folder / source.file, source.file, sheet=source.sheet)
        notices += [notice for notice in grid.notices if notice.key != "workbook_merged"]
        cells = _below_header(grid, source)
        total = _are_totals(cells)
        notices += [self._problem("totals_row", line) for line in cells.index[total]]
        self.cells = cells[~total]
        self.codes = [unit.code for unit in study.declared.units]
        self.units = {name: at for at, unit in enumerate(study.declared.units) for name in unit.spellings}
        self.told = {name: np.zeros(len(self.cells), dtype=bool) for name in ("number", "unit", "status", *DATES)}

    def frame(self) -> pd.DataFrame:
        """One row a case, as `Cases` says."""
        count = len(self.cells)
        number = self.cells["number"].astype("str").str.strip()
        self._refuse("number", (number == "").to_numpy())
        unit = self.source.unit
        at = np.full(count, self.codes.index(unit)) if unit else self._known("unit", self.units)
        days = {name: self._days(name) for name in DATES}
        frame = pd.DataFrame(
            {
                "file": pd.Categorical.from_codes(np.zeros(count, dtype=np.int8), [self.source.file]),
                "line": self.cells.index.to_numpy(),
                "number": number.array,
                "unit": pd.Categorical.from_codes(at, self.codes),
                "field": self._words("field"),
                "procedure": self._words("procedure"),
                **days,
                "status": pd.Categorical.from_codes(self._status(days["released"]), list(STATUSES)),
                "elsewhere": self._elsewhere(at, days["received"]),
            }
        )
        frame["flaw"], found = self._flaws(frame)
        (self.problems if self.source.contradictions == "refuse" else self.notices).extend(found)
        return frame

    def _problem(self, what: str, line: int, column: str = "", **values: Any) -> Problem:
        title = self.source.titles.get(column)
        return Problem(self.source.file, f"case_{what}", values, int(line), title, self.source.sheet)

    def _refuse(self, column: str, wrong: np.ndarray, names: Iterable[str] = ()) -> None:
        """A problem for each cell that is blank or unknown, of each text the first lines."""
        self.told[column] |= wrong
        texts = self.cells[column][wrong].astype("str")
        for line, cell in texts.groupby(texts).head(_SHOWN).iloc[:_MOST].items():
            found = normal_form(cell)[:40]
            what = f"{column}_missing" if not found else f"{'date' if column in DATES else column}_unknown"
            self.problems.append(self._problem(what, line, column, found=found, expected=nearest(found, names)))

    def _known(self, column: str, names: dict[str, int]) -> np.ndarray:
        """What each cell means; -1 and a problem where that is not known."""
        at = self._meant(column, names)
        self._refuse(column, at < 0, names)
        return at

    def _meant(self, column: str, names: dict[str, int]) -> np.ndarray:
        texts = self.cells[column].cat
        known = {fold(name): at for name, at in reversed(names.items())}  # of two that fold alike the first
        return np.array([known.get(fold(text), -1) for text in texts.categories], dtype=int)[texts.codes]

    def _words(self, name: str) -> pd.Categorical:
        """Words as the file has them, spaces and invisible signs put in order, spellings that fold alike as one."""
        if name not in self.cells:
            return pd.Categorical.from_codes(np.zeros(len(self.cells), dtype=np.int8), [""])
        shown: dict[str, str] = {}
        column = self.cells[name].cat.remove_unused_categories().cat
        words = [shown.setdefault(fold(text), normal_form(text)) for text in column.categories]
        codes, kept = pd.factorize(pd.Series(words, dtype="str"))
        return pd.Categorical.from_codes(codes[column.codes], kept)

    def _days(self, name: str) -> np.ndarray:
        """The day of each cell by the clock of the place: an offset from UTC is not reckoned with."""
        if name not in self.cells:
            return np.full(len(self.cells), np.datetime64("NaT"), dtype="datetime64[s]")
        column = self.cells[name].cat
        texts = pd.Series(column.categories, dtype="str").str.strip()
        heads = texts.where(texts.str.len() <= 10, texts.str.replace(r"[T ].*$", "", regex=True))
        codes, distinct = pd.factorize(heads)
        plain = pd.Series(distinct, dtype="str").str.replace(r"[.\-]", "/", regex=True)
        order = "%d/%m/%Y" if self.source.dates == "dmy" else "%m/%d/%Y"
        days = pd.to_datetime(plain, format="%Y/%m/%d", errors="coerce")
        days = days.fillna(pd.to_datetime(plain, format=order, errors="coerce"))
        serial = pd.to_numeric(plain.where(plain.str.fullmatch(r"\d{5}")), errors="coerce")
        days = days.fillna(pd.Timestamp("1899-12-30") + pd.to_timedelta(serial, unit="D"))
        found = days.to_numpy().astype("datetime64[s]")[codes]
        self._refuse(name, (np.isnat(found) & (texts != "").to_numpy())[column.codes])
        return found[column.codes]

    def _status(self, released: np.ndarray) -> np.ndarray:
        if "status" not in self.cells:
            return np.where(np.isnat(released), STATUSES.index("processing"), STATUSES.index("released"))
        names = {text: STATUSES.index(status) for text, status in self.source.status.items()}
        for at, status in enumerate(STATUSES):
            names.setdefault(status, at)
        return self._known("status", names)

    def _elsewhere(self, unit: np.ndarray, received: np.ndarray) -> np.ndarray:
        """Cases of people who live in another commune; before 1/7/2025 a commune had none."""
        if "origin" not in self.cells:
            return np.zeros(len(self.cells), dtype=bool)
        home = self._meant("origin", self.units | {"": -2})  # a blank cell says nothing
        return (home != -2) & (home != unit) & (received >= ANYWHERE)

    def _flaws(self, frame: pd.DataFrame) -> tuple[pd.Categorical, list[Problem]]:
        """The first contradiction of each case, and a problem for each; of cells named before nothing is said."""
        cut, far = pd.Timestamp(self.declared.data_cut), pd.DateOffset(years=FAR)
        first, last = pd.Timestamp(self.declared.data_start) - far, cut + far
        span = f"{first:%d/%m/%Y} – {last:%d/%m/%Y}"
        received, released = frame["received"], frame["released"]
        # Flaw, column, whether it has it, and what would be right: in words, or not before another column.
        checks = [
            ("received_missing", "received", received.isna(), ""),
            *(("in_future", name, frame[name] > cut, f"{cut:%d/%m/%Y}") for name in HAPPENED),
            *(("far_off", name, (frame[name] < first) | (frame[name] > last), span) for name in DATES),
            ("release_missing", "released", frame["status"].isin(ENDED) & released.isna(), ""),
            *(("due_before_received", name, frame[name] < received, "received") for name in ("due", "extended")),
            ("released_before_received", "released", released < received, "received"),
            ("finished_before_released", "finished", frame["finished"] < released, "released"),
        ]  # fmt: skip
        codes = np.zeros(len(frame), dtype=np.int8)
        problems = []
        for flaw, column, has, right in checks:
            rows = has.to_numpy() & ~self.told[column]
            if right in DATES:  # either of the two may be the bad one, and both are named
                rows &= ~self.told[right]
                self.told[right] |= rows
            self.told[column] |= rows
            codes[rows & (codes == 0)] = 1 + FLAWS.index(flaw)
            for row in np.flatnonzero(rows):
                found, limit = frame[column][row], f"{frame[right][row]:%d/%m/%Y}" if right in DATES else right
                values = {"found": f"{found:%d/%m/%Y}", "expected": limit} if pd.notna(found) else {}
                problems.append(self._problem(flaw, frame["line"][row], column, **values))
        return pd.Categorical.from_codes(codes, ["", *FLAWS]), problems


def _below_header(grid: Grid, source: Source) -> pd.DataFrame:
    """The cells below the header, one column a declared title; a row of column numbers under it is left out."""
    wanted = {fold(title): column for column, title in source.titles.items()}
    top = grid.cells.iloc[:SEARCHED].astype(object).to_numpy()
    best: tuple[dict[str, int], int] = ({}, 0)
    for height in range(1, _TALLEST + 1):
        for start in range(len(top) - height + 1):
            found: dict[str, int] = {}
            for at, column in enumerate(top[start : start + height].T):
                parts = [cell for cell in column if cell.strip()]
                names = {fold(parts[-1]), fold(" / ".join(dict.fromkeys(parts)))} if parts else set()
                for name in names & wanted.keys():
                    found.setdefault(wanted[name], at)
            if len(found) > len(best[0]):
                best = (found, start + height)
    places, below = best
    titles = source.titles
    # A layout names what such exports may have; what the study itself declares must be there.
    needed = {*source.columns, "number", "received", "released", *(() if source.unit else ("unit",))}
    line = int(grid.cells.index[below - 1]) if below else None
    raise_any(
        Problem(source.file, "case_column_missing", {"found": titles[column]}, line, sheet=source.sheet)
        for column in titles
        if column in needed and column not in places
    )
    if below < len(grid.cells) and _is_numbering(grid.cells.iloc[below]):
        below += 1
    return grid.cells.iloc[below:, list(places.values())].set_axis(list(places), axis=1)


def _is_numbering(row: pd.Series) -> bool:
    """Whether a row only numbers the columns: (1), (2), (3) …"""
    numbers = [cell.strip().strip("()") for cell in row if cell.strip()]
    return len(numbers) > 1 and numbers == [str(at) for at in range(1, len(numbers) + 1)]


def _are_totals(cells: pd.DataFrame) -> np.ndarray:
    total = (cells["received"] == "").to_numpy(copy=True)
    words = cells.loc[total, [column for column in ("number", "unit", "field") if column in cells]].astype("str")
    total[total] = words.map(lambda text: bool(_TOTAL.fullmatch(fold(text[:40])))).any(axis=1)
    return total


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    joined = pd.concat(parts, ignore_index=True)
    for name in ("file", "field", "procedure"):
        joined[name] = pd.api.types.union_categoricals([part[name].array for part in parts])
    return joined


def _twice(frame: pd.DataFrame) -> list[Problem]:
    """A problem for each case number that stood before, in whatever capitals, spaces and tone forms."""
    alike = frame["number"].str.lower().str.replace(r"\s", "", regex=True)
    accented = ~alike.str.isascii()
    alike[accented] = alike[accented].map(fold)
    again = alike.duplicated() & (alike != "")
    rows = frame[["file", "line", "number"]].assign(alike=alike)[alike.isin(alike[again])]
    pairs = rows[again.loc[rows.index]].merge(rows.drop_duplicates("alike"), on="alike", suffixes=("", "_first"))
    return [
        Problem(row.file, "case_twice" if row.number == row.number_first else "case_twice_alike",
                {"found": row.number, "other": row.number_first, "file": row.file_first, "first": row.line_first},
                row.line)
        for row in pairs.itertuples()
    ]  # fmt: skip


def _read_report(report: Report, study: Study, notices: list[Problem]) -> pd.DataFrame:
    """The rows of a printed report of 24 columns, with notices where its sums do not hold."""
    grid = read_grid(study.folder / report.file, report.file, sheet=report.sheet)
    notices += [notice for notice in grid.notices if notice.key != "workbook_merged"]
    rows = [at for at in range(min(SEARCHED, len(grid.cells))) if _is_numbering(grid.cells.iloc[at])]
    width = sum(bool(cell.strip()) for cell in grid.cells.iloc[rows[0]]) if rows else 0
    if width != len(REPORT_COLUMNS):
        values = {"found": width, "expected": len(REPORT_COLUMNS)}
        raise DataError([Problem(report.file, "case_report_columns", values, sheet=report.sheet)])
    cells = grid.cells.iloc[rows[0] + 1 :, :width].astype("str").set_axis(list(REPORT_COLUMNS), axis=1)
    plain = cells[list(REPORT_COLUMNS[1:])].apply(lambda column: column.str.strip().str.removesuffix("%"))
    counts = plain.iloc[:, :-1].apply(lambda column: column.str.replace(r"[.,\s]", "", regex=True))
    percent = plain["percent"].str.replace(",", ".", regex=False)
    numbers = pd.concat([counts, percent], axis=1).apply(pd.to_numeric, errors="coerce")
    missing = numbers.isna()
    raise_any(
        Problem(report.file, "case_report_number", {"found": plain.at[line, column]}, int(line), column, report.sheet)
        for line, column in missing.stack()[lambda found: found].index
    )
    total = cells["place"].map(lambda text: bool(_TOTAL.fullmatch(fold(text))))
    sums = [("case_report_sum", numbers[whole], numbers[list(parts)].sum(axis=1)) for whole, parts in _SUMS.items()]
    for column in REPORT_COLUMNS[1:-1]:
        printed = numbers.loc[total, column]
        sums.append(("case_report_total", printed, 0 * printed + numbers.loc[~total, column].sum()))
    notices += [
        Problem(report.file, key, {"found": int(found[line]), "expected": int(right[line])}, int(line),
                str(found.name), report.sheet)
        for key, found, right in sums
        for line in found.index[found != right]
    ]  # fmt: skip
    kept = pd.concat([cells["place"].map(normal_form), numbers], axis=1)[~total].reset_index(names="line")
    return kept.assign(file=report.file, start=pd.Timestamp(report.start), end=pd.Timestamp(report.end))


def _read_checklist(name: str, study: Study) -> pd.DataFrame:
    """Which procedures were reviewed and posted publicly, one row a unit, procedure and period."""
    rows = read_table(study.folder / name, name, columns=("unit", "procedure", "period", "reviewed", "posted"))
    names = {name: unit.code for unit in study.declared.units for name in unit.spellings}
    known = {fold(name): code for name, code in names.items()}
    problems = []
    for row in rows:
        if fold(row["unit"]) not in known:
            values = {"found": row["unit"], "expected": nearest(row["unit"], names)}
            problems.append(Problem(name, "case_unit_unknown", values, row["line"], "unit"))
        for column, allowed in (("period", ("before", "after")), ("reviewed", ("0", "1")), ("posted", ("0", "1"))):
            if row[column] not in allowed:
                values = {"found": row[column], "expected": ", ".join(allowed)}
                problems.append(Problem(name, "case_checklist_value", values, row["line"], column))
    frame = pd.DataFrame(rows)
    again = frame.duplicated(["unit", "procedure", "period"])
    problems += [
        Problem(name, "case_checklist_twice", {"found": row.procedure}, row.line, "procedure")
        for row in frame[again].itertuples()
    ]
    raise_any(problems)
    frame["unit"] = frame["unit"].map(lambda text: known[fold(text)])
    return frame.astype({"reviewed": int, "posted": int}).drop(columns="line")
