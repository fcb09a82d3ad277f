"""One-stop case records: what cases.toml declares, the exports it names, and what is contradictory in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.declaration import Code, Declared, Words, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.files import read_grid
from evalkit.grid import SEARCHED, Grid
from evalkit.study import Study
from evalkit.textfiles import read_table, read_toml

FILE = "cases.toml"
DATES = ("received", "due", "extended", "released", "finished")
STATUSES = (
    "receiving", "processing", "waiting", "released", "finished", "unresolved", "denied", "cancelled",
)  # fmt: skip
ENDED = ("released", "finished", "unresolved")  # have a result, if only a refusal
NEVER = ("denied", "cancelled")  # not taken in, or taken back: no result is ever due
# From this day people file at any commune of their province (decree 118/2025/NĐ-CP).
ANYWHERE = np.datetime64("2025-07-01")
FLAWS = ("received_missing", "release_missing", "due_before_received", "released_before_received",
         "finished_before_released", "in_future")  # fmt: skip
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
_TALLEST, _SHOWN = 3, 50
_FIRST_DAY = np.datetime64("1990-01-01")

Definition = Literal["A", "B", "C", "D"]
Column = Literal["number", "unit", "field", "procedure", "received", "due", "extended", "released", "finished",
                 "status", "origin"]  # fmt: skip
Status = Literal["receiving", "processing", "waiting", "released", "finished", "unresolved", "denied", "cancelled"]


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
    """All of cases.toml: since when and until when the records are complete, and what is meant by on time."""

    data_start: date
    data_cut: date
    launch: date | None = None
    definition: Definition
    reporting: Reporting = Reporting()
    sources: Annotated[tuple[Source, ...], Field(min_length=1, strict=False)]
    reports: Annotated[tuple[Report, ...], Field(strict=False)] = ()
    checklist: str | None = None


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
    dates that cannot be read, a case number twice, and (unless `contradictions = "report"`) a due date before
    the day received, a result before it, hand-over before the result, any date after `data_cut`, and a case
    with a result but without its date or the day received. Only the declared columns are read.

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
        try:
            parts.append(_read_source(source, declared, study, problems, notices))
        except DataError as error:
            problems += error.problems
    for report in declared.reports:
        try:
            printed.append(_read_report(report, study, notices))
        except DataError as error:
            problems += error.problems
    if declared.checklist:
        try:
            checklist = _read_checklist(declared.checklist, study)
        except DataError as error:
            problems += error.problems
    frame = _joined(parts) if parts else pd.DataFrame()
    if parts:
        problems += _twice(frame)
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


def _read_source(
    source: Source, declared: Records, study: Study, problems: list[Problem], notices: list[Problem]
) -> pd.DataFrame:
    grid = read_grid(study.folder / source.file, source.file, sheet=source.sheet)
    notices += [notice for notice in grid.notices if notice.key != "workbook_merged"]
    cells = _below_header(grid, source)
    cells = _without_totals(cells, source, notices)
    wrong: list[Problem] = []

    def refuse(key: str, column: str, rows: np.ndarray, found: str, **values: Any) -> None:
        title = source.titles.get(column)
        for line in cells.index[rows][:_SHOWN]:
            wrong.append(Problem(source.file, key, {"found": found, **values}, int(line), title, source.sheet))

    taken: dict[str, Any] = {
        "file": pd.Categorical.from_codes(np.zeros(len(cells), dtype=np.int8), [source.file]),
        "line": cells.index.to_numpy(),
        "number": cells["number"].astype("str").str.strip(),
    }
    blank = (taken["number"] == "").to_numpy()
    refuse("case_number_missing", "number", blank, "")
    taken["unit"] = _units(cells, source, study, refuse)
    for name in ("field", "procedure"):
        taken[name] = _texts(cells.get(name), len(cells), source.file)
    for name in DATES:
        taken[name] = _days(cells.get(name), len(cells), source, lambda rows, found, name=name: refuse(
            "case_date_unknown", name, rows, found))  # fmt: skip
    taken["status"] = _status(cells, taken, source, refuse)
    taken["elsewhere"] = _elsewhere(cells, taken, study)
    frame = pd.DataFrame({name: np.asarray(part) if name in ("line", *DATES) else getattr(part, "array", part)
                          for name, part in taken.items()})  # fmt: skip
    frame["flaw"], found = _flaws(frame, declared, source)
    problems += wrong
    if source.contradictions == "refuse":
        problems += found
    else:
        notices += found
    return frame


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


def _without_totals(cells: pd.DataFrame, source: Source, notices: list[Problem]) -> pd.DataFrame:
    total = (cells["received"] == "").to_numpy(copy=True)
    words = cells.loc[total, [column for column in ("number", "unit", "field") if column in cells]].astype("str")
    total[total] = words.map(lambda text: bool(_TOTAL.fullmatch(fold(text[:40])))).any(axis=1)
    notices += [
        Problem(source.file, "case_totals_row", {}, int(line), sheet=source.sheet) for line in cells.index[total]
    ]
    return cells[~total]


def _units(cells: pd.DataFrame, source: Source, study: Study, refuse: Any) -> pd.Categorical:
    codes = [unit.code for unit in study.declared.units]
    if source.unit:
        return pd.Categorical.from_codes(np.full(len(cells), codes.index(source.unit)), codes)
    known = {fold(name): codes.index(unit.code) for unit in study.declared.units for name in unit.spellings}
    texts = cells["unit"].cat
    at = np.array([known.get(fold(text), -1) for text in texts.categories])
    for category in np.flatnonzero(at < 0):
        name = normal_form(texts.categories[category])
        expected = nearest(name, [name for unit in study.declared.units for name in unit.spellings])
        refuse("case_unit_unknown", "unit", texts.codes.to_numpy() == category, name, expected=expected)
    return pd.Categorical.from_codes(at[texts.codes], codes)


def _texts(column: pd.Series | None, rows: int, file: str) -> pd.Categorical:
    """Words as the file has them, spaces and invisible characters put in order, spellings that fold alike as one."""
    if column is None:
        return pd.Categorical.from_codes(np.zeros(rows, dtype=np.int8), [""])
    shown: dict[str, str] = {}
    column = column.cat.remove_unused_categories()
    words = [shown.setdefault(fold(text), normal_form(text)) for text in column.cat.categories]
    codes, kept = pd.factorize(pd.Series(words, dtype="str"))
    return pd.Categorical.from_codes(codes[column.cat.codes], kept)


def _days(column: pd.Series | None, rows: int, source: Source, refuse: Any) -> np.ndarray:
    """The day of each cell by the clock of the place: an offset from UTC is not reckoned with."""
    if column is None:
        return np.full(rows, np.datetime64("NaT"), dtype="datetime64[s]")
    texts = pd.Series(column.cat.categories, dtype="str").str.strip()
    heads = texts.where(texts.str.len() <= 10, texts.str.replace(r"[T ].*$", "", regex=True))
    codes, distinct = pd.factorize(heads)
    plain = pd.Series(distinct, dtype="str").str.replace(r"[.\-]", "/", regex=True)
    order = "%d/%m/%Y" if source.dates == "dmy" else "%m/%d/%Y"
    days = pd.to_datetime(plain, format="%Y/%m/%d", errors="coerce")
    days = days.fillna(pd.to_datetime(plain, format=order, errors="coerce"))
    serial = pd.to_numeric(plain.where(plain.str.fullmatch(r"\d{5}")), errors="coerce")
    days = days.fillna(pd.Timestamp("1899-12-30") + pd.to_timedelta(serial, unit="D"))
    days = days.where(days >= _FIRST_DAY).to_numpy().astype("datetime64[s]")
    for category in np.flatnonzero(np.isnat(days)[codes] & (texts != "").to_numpy()):
        refuse(column.cat.codes.to_numpy() == category, normal_form(texts[category])[:40])
    return days[codes][column.cat.codes]


def _status(cells: pd.DataFrame, taken: Mapping[str, Any], source: Source, refuse: Any) -> pd.Categorical:
    ended = ~np.isnat(taken["released"])
    by_date = np.where(ended, STATUSES.index("released"), STATUSES.index("processing"))
    if "status" not in cells:
        return pd.Categorical.from_codes(by_date, list(STATUSES))
    known = {fold(status): at for at, status in enumerate(STATUSES)}
    known |= {fold(text): STATUSES.index(status) for text, status in source.status.items()}
    texts = cells["status"].cat
    at = np.array([known.get(fold(text), -1) for text in texts.categories])
    for category in np.flatnonzero(at < 0):
        word = normal_form(texts.categories[category])
        rows = texts.codes.to_numpy() == category
        refuse("case_status_unknown", "status", rows, word, expected=nearest(word, [*source.status, *STATUSES]))
    return pd.Categorical.from_codes(at[texts.codes], list(STATUSES))


def _elsewhere(cells: pd.DataFrame, taken: Mapping[str, Any], study: Study) -> np.ndarray:
    """Cases of people who live in another commune; before 1/7/2025 a commune had none."""
    if "origin" not in cells:
        return np.zeros(len(cells), dtype=bool)
    codes = [unit.code for unit in study.declared.units]
    known = {fold(name): codes.index(unit.code) for unit in study.declared.units for name in unit.spellings}
    texts = cells["origin"].cat
    home = np.array([known.get(fold(text), -1) for text in texts.categories])[texts.codes]
    told = np.array([bool(text.strip()) for text in texts.categories])[texts.codes]
    return told & (home != np.asarray(taken["unit"].codes)) & (taken["received"] >= ANYWHERE)


def _flaws(frame: pd.DataFrame, declared: Records, source: Source) -> tuple[pd.Categorical, list[Problem]]:
    """The first contradiction of each case, by FLAWS, and a problem for each."""
    received, released, due = frame["received"], frame["released"], frame["due"]
    cut = pd.Timestamp(declared.data_cut)
    conditions = {
        "received_missing": (received.isna(), "received", received),
        "release_missing": (frame["status"].isin(ENDED) & released.isna(), "released", released),
        "due_before_received": ((due < received) | (frame["extended"] < received), "due", due),
        "released_before_received": (released < received, "released", released),
        "finished_before_released": (frame["finished"] < released, "finished", frame["finished"]),
        "in_future": (frame[["received", "released", "finished"]].gt(cut).any(axis=1), "released", released),
    }
    codes = np.zeros(len(frame), dtype=np.int8)
    problems = []
    for at, flaw in enumerate(FLAWS, start=1):
        rows, column, shown = conditions[flaw]
        rows = rows.to_numpy() & (codes == 0)
        codes[rows] = at
        limit = declared.data_cut if flaw == "in_future" else None
        for row in np.flatnonzero(rows):
            if flaw == "in_future" and not shown[row] > cut:
                column, value = ("received", received[row]) if received[row] > cut else (
                    "finished", frame["finished"][row])  # fmt: skip
            else:
                value = shown[row]
            start = received[row]
            values = {
                "found": f"{value:%d/%m/%Y}" if pd.notna(value) else "–",
                "expected": f"{limit:%d/%m/%Y}" if limit else f"{start:%d/%m/%Y}" if pd.notna(start) else "–",
            }
            title = source.titles.get(column)
            problems.append(
                Problem(source.file, f"case_{flaw}", values, int(frame["line"][row]), title, source.sheet)
            )
    return pd.Categorical.from_codes(codes, ["", *FLAWS]), problems


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    joined = pd.concat(parts, ignore_index=True)
    for name in ("file", "field", "procedure"):
        joined[name] = pd.api.types.union_categoricals([part[name].array for part in parts])
    return joined


def _twice(frame: pd.DataFrame) -> list[Problem]:
    twice = frame["number"].duplicated() & (frame["number"] != "")
    if not twice.any():
        return []
    first = frame[frame["number"].isin(frame.loc[twice, "number"])].drop_duplicates("number").set_index("number")
    return [
        Problem(row.file, "case_twice",
                {"found": row.number, "file": first.at[row.number, "file"], "first": first.at[row.number, "line"]},
                row.line)
        for row in frame[twice].itertuples()
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
    for column, parts in _SUMS.items():
        wrong = numbers[column] != numbers[list(parts)].sum(axis=1)
        notices += [_sum_notice(report, line, column, numbers, list(parts)) for line in numbers.index[wrong]]
    for line in numbers.index[total]:
        for column in REPORT_COLUMNS[1:-1]:
            if numbers.at[line, column] != numbers.loc[~total, column].sum():
                values = {"found": int(numbers.at[line, column]), "expected": int(numbers.loc[~total, column].sum())}
                notices.append(Problem(report.file, "case_report_total", values, int(line), column, report.sheet))
    kept = pd.concat([cells["place"].map(normal_form), numbers], axis=1)[~total].reset_index(names="line")
    return kept.assign(file=report.file, start=pd.Timestamp(report.start), end=pd.Timestamp(report.end))


def _sum_notice(report: Report, line: int, column: str, numbers: pd.DataFrame, parts: list[str]) -> Problem:
    values = {"found": int(numbers.at[line, column]), "expected": int(numbers.loc[line, parts].sum())}
    return Problem(report.file, "case_report_sum", values, int(line), column, report.sheet)


def _read_checklist(name: str, study: Study) -> pd.DataFrame:
    """Which procedures were reviewed and posted publicly, one row a unit, procedure and period."""
    columns = ("unit", "procedure", "period", "reviewed", "posted")
    rows = read_table(study.folder / name, name, columns=columns)
    known = {fold(word): unit.code for unit in study.declared.units for word in unit.spellings}
    problems = []
    for row in rows:
        if fold(row["unit"]) not in known:
            values = {"found": row["unit"], "expected": nearest(row["unit"], known)}
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
