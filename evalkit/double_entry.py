"""The same forms typed twice: where the two entries differ, how often, and the answers on which they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from statsmodels.stats.proportion import proportion_confint

from evalkit.codebook import MOMENTS, Variable
from evalkit.coding import Coder, code_text
from evalkit.declaration import Wave
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, raise_any
from evalkit.grid import Grid
from evalkit.language import Language, catalogue, text
from evalkit.spreadsheets import save_workbook, write_text
from evalkit.study import Study

RATE_COLUMNS = ("compared", "different", "rate", "conf_low", "conf_high")
DIFFERENCE_COLUMNS = ("form", "variable", "column", "first_line", "second_line", "first_text", "second_text")
UNMATCHED_COLUMNS = ("form", "file", "line", "reason")
DECISION_COLUMNS = ("form", "variable", "value")
# The columns of the list to look up, and the keys of their titles.
_LOOKUP_HEADS = {
    "form": "paper_form_number",
    "variable": "paper_double_variable",
    "question": "paper_double_question",
    "value": "paper_double_value_column",
    "first": "paper_double_first_line",
    "second": "paper_double_second_line",
}
_BLANK = "blank"


@dataclass(frozen=True)
class Comparison:
    """Two entries of the same forms, compared.

    Rates have the columns `compared` (cells that at least one of the two has filled), `different`, `rate`,
    `conf_low` and `conf_high` (exact, 95 %). They are rates of disagreement, not of error: which of the two is
    right only the paper says, see `error_rates`.

    by_item: `variable` and the rates. by_typists: `first_typist`, `second_typist` and the rates; without rows where
    no typists are known. overall: one row of rates.
    differences: DIFFERENCE_COLUMNS and both typists, one row a cell. It holds form numbers and lines, for the team
    alone: neither report nor log may show it. unmatched: UNMATCHED_COLUMNS, one row a form that could not be
    compared; `file` is first or second, `reason` only_here, twice or no_number.
    agreed: one row a form, its number and the texts of the first entry, "" where the two differ.
    """

    by_item: pd.DataFrame
    by_typists: pd.DataFrame
    overall: pd.DataFrame
    differences: pd.DataFrame
    unmatched: pd.DataFrame
    agreed: pd.DataFrame
    study: Study
    wave: Wave
    key: str
    cells: pd.DataFrame


def compare_entries(
    first: pd.DataFrame,
    second: pd.DataFrame,
    study: Study,
    *,
    wave: str,
    key: str = "so_phieu",
    typist: str = "nguoi_nhap",
    files: tuple[str, str] = ("1", "2"),
) -> Comparison:
    """Compare two entries of the same forms cell by cell, as coded: «Hài lòng», «HL» and «4» agree.

    first, second: raw frames of text, one column a variable, index `line`, as `reading.read_responses` gives. wave:
    its code, for dates and decimals. key: the variable with the form number. typist: the variable with the code of
    who typed the row, if there is one. files: how errors call the two.
    Texts agree where they are equal folded, units where they are the same unit; identifiers are not compared. Forms
    whose number is missing, stands twice in a file or in one file only are left out of the rates and listed.

    The intervals are Clopper and Pearson's (Biometrika 26, 1934) and take the cells as independent; errors come in
    rows, so the truth is less certain. Two entries do not show the error that both made: Barchard et al., Comparing
    the accuracy and speed of four data-checking methods, Behavior Research Methods 52 (2020),
    doi:10.3758/s13428-019-01207-3.

    Raises DataError where there are no form numbers or none in common.

        found = compare_entries(one, other, study, wave="sau")
        found.overall["rate"]
    """
    frames = {"first": first, "second": second}
    without = [file for file, frame in zip(files, frames.values(), strict=True) if key not in frame]
    raise_any(Problem(file, "paper_double_no_key", {"found": key}) for file in without)
    forms, lines, unmatched = _matched(frames, key)
    if forms.empty:
        raise DataError([Problem(", ".join(files), "paper_double_no_match", {"found": key})])
    variables = [
        variable
        for variable in study.codebook.values()
        if variable.type not in ("identifier", "ignore")
        and variable.name not in (key, typist)
        and all(variable.name in frame for frame in frames.values())
    ]
    names = [variable.name for variable in variables]
    rows = {place: frame.loc[lines[place]].astype("str").set_axis(forms) for place, frame in frames.items()}
    meant = {place: _meanings(found, variables, study, wave) for place, found in rows.items()}
    compared = (meant["first"] != _BLANK) | (meant["second"] != _BLANK)
    different = meant["first"] != meant["second"]
    typists = {
        f"{place}_typist": (found[typist].map(normal_form) if typist in found else pd.Series("", forms)).to_numpy()
        for place, found in rows.items()
    }
    cells = pd.DataFrame(typists).assign(
        compared=compared.sum(axis=1).to_numpy(), different=different.sum(axis=1).to_numpy()
    )
    by_item = pd.DataFrame({"compared": compared.sum(), "different": different.sum()}).rename_axis("variable")
    pairs = cells[(cells["first_typist"] != "") | (cells["second_typist"] != "")]
    row, column = np.nonzero(different.to_numpy())
    differences = {
        "form": rows["first"][key].to_numpy()[row],
        "variable": different.columns[column],
        "column": [variables[at].header for at in column],
        "first_line": lines["first"][row],
        "second_line": lines["second"][row],
        "first_text": rows["first"][names].to_numpy()[row, column],
        "second_text": rows["second"][names].to_numpy()[row, column],
    }
    agreed = rows["first"][[key, *names]].copy()
    agreed[names] = agreed[names].mask(different, "")
    return Comparison(
        by_item=_rated(by_item.reset_index()),
        by_typists=_rated(pairs.groupby(["first_typist", "second_typist"], as_index=False).sum()),
        overall=_rated(cells[["compared", "different"]].sum().to_frame().T),
        differences=pd.DataFrame(differences | {name: found[row] for name, found in typists.items()}),
        unmatched=unmatched,
        agreed=agreed.reset_index(drop=True),
        study=study,
        wave=study.wave(wave),
        key=key,
        cells=cells,
    )


def _matched(frames: Mapping[str, pd.DataFrame], key: str) -> tuple[pd.Index, dict[str, np.ndarray], pd.DataFrame]:
    """The forms that stand once in each entry, their lines in both, and the rows of all others."""
    numbers = {place: frame[key].astype("str").map(fold) for place, frame in frames.items()}
    twice = {form for found in numbers.values() for form in found[found.duplicated()]} - {""}
    common = set(numbers["first"]) & set(numbers["second"])
    usable = numbers["first"].isin(common - twice - {""})
    forms = pd.Index(numbers["first"][usable], name="form")
    lines, others = {}, []
    for place, found in numbers.items():
        kept = found[found.isin(forms)]
        lines[place] = pd.Series(kept.index, kept).loc[forms].to_numpy()
        left = found[~found.isin(forms)]
        reason = np.select([left == "", left.isin(twice)], ["no_number", "twice"], "only_here")
        form = frames[place].loc[left.index, key].astype("str")
        others.append(pd.DataFrame({"form": form, "file": place, "line": left.index, "reason": reason}))
    return forms, lines, pd.concat(others, ignore_index=True)


def resolved(comparison: Comparison, decisions: pd.DataFrame) -> pd.DataFrame:
    """`agreed` with the cells filled in that were looked up on paper; others stay empty.

    decisions: DECISION_COLUMNS, as `read_lookup` gives; an empty value means that the paper is empty.

        resolved(found, read_lookup(Path("tra_lai.xlsx"), found))
    """
    filled = comparison.agreed.copy()
    at = pd.Series(filled.index, filled[comparison.key])
    for form, variable, value in decisions[list(DECISION_COLUMNS)].itertuples(index=False, name=None):
        filled.loc[at[form], variable] = value
    return filled


def error_rates(comparison: Comparison, decisions: pd.DataFrame) -> pd.DataFrame:
    """How often each typist was wrong, by what was looked up on paper: `file`, `typist` and RATE_COLUMNS.

    Both entries of a cell can be wrong, then both typists are. A cell on which they agree counts as right, so the
    rates are a lower bound; they can be had only when every difference has been decided.
    Raises DataError where one is still open.
    """
    study = comparison.study
    _refuse_open(comparison, decisions)
    coder = Coder(study)
    truth = {(form, name): value for form, name, value in decisions[list(DECISION_COLUMNS)].itertuples(index=False)}
    found = []
    for file in ("first", "second"):
        wrong = [
            _meaning(row[f"{file}_text"], variable, coder, comparison.wave)
            != _meaning(truth[row["form"], variable.name], variable, coder, comparison.wave)
            for row in comparison.differences.to_dict("records")
            for variable in [study.codebook[row["variable"]]]
        ]
        by = comparison.differences[f"{file}_typist"]
        errors = pd.Series(wrong, by.index, dtype=bool).groupby(by).sum()
        cells = comparison.cells.groupby(f"{file}_typist")["compared"].sum()
        different = errors.reindex(cells.index, fill_value=0).to_numpy()
        found.append(
            pd.DataFrame({"file": file, "typist": cells.index, "compared": cells.to_numpy(), "different": different})
        )
    return _rated(pd.concat(found, ignore_index=True))


def write_lookup(comparison: Comparison, path: Path, *, language: Language = "vi") -> None:
    """Write the list of cells to look up on paper, with an empty column for what stands there.

    The two typed values are not shown: who sees them makes them match each other rather than the paper (Barchard
    et al. 2020). The list has form numbers and is for the team alone. The same comparison gives the same bytes.

        write_lookup(found, Path("tra_lai.xlsx"))
    """
    labels = {v.name: v.labels[language] for v in comparison.study.codebook.values()}
    book = Workbook()
    page = book.active
    page.title = "tra_lai"
    for at, (key, width) in enumerate(zip(_LOOKUP_HEADS.values(), (14, 14, 70, 24, 12, 12), strict=True), start=1):
        cell = page.cell(1, at)
        write_text(cell, text(key, language))
        cell.font, cell.alignment = Font(bold=True), Alignment(wrap_text=True, vertical="center")
        page.column_dimensions[get_column_letter(at)].width = width
    for line, row in enumerate(comparison.differences.to_dict("records"), start=2):
        question = f"{row['column']}: {labels[row['variable']]}"
        for at, words in enumerate((row["form"], row["variable"], question), start=1):
            write_text(page.cell(line, at), words)
            page.cell(line, at).alignment = Alignment(wrap_text=True, vertical="top")
        page.cell(line, 4).number_format = "@"
        page.cell(line, 5, row["first_line"])
        page.cell(line, 6, row["second_line"])
    blank = text("paper_double_blank", language)
    page.oddHeader.center.text = text("paper_double_lookup_note", language, blank=blank)
    page.freeze_panes = "A2"
    page.print_title_rows = "1:1"
    page.page_setup.orientation, page.page_setup.fitToHeight = "landscape", 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    save_workbook(book, path)


def read_lookup(grid: Grid, comparison: Comparison, file: str) -> pd.DataFrame:
    """What the team found on paper: DECISION_COLUMNS, rows without a value left out as still open.

    grid: the sheet that `write_lookup` wrote, filled in, as `workbooks.read_workbook` or `textfiles.read_text` gives;
    file: how errors call it. «(trống)» or "(blank)" as a value means that the paper is empty, value "".
    Raises DataError with every missing column, row that is none of the differences, value that cannot be coded, and
    decision that contradicts another.

        decisions = read_lookup(read_workbook(path, path.name), found, path.name)
    """
    cells = grid.cells.astype("str")
    head = [fold(cell) for cell in cells.iloc[0]]
    places: dict[str, int] = {}
    for name in DECISION_COLUMNS:
        spellings = [fold(words) for words in catalogue()[_LOOKUP_HEADS[name]].values()]
        found = next((at for at, cell in enumerate(head) if cell in spellings), None)
        if found is not None:
            places[name] = found
    raise_any(
        Problem(file, "paper_double_column", {"found": catalogue()[_LOOKUP_HEADS[name]]}, 1)
        for name in DECISION_COLUMNS
        if name not in places
    )
    differences = comparison.differences[["form", "variable"]].itertuples(index=False, name=None)
    known = {(fold(form), name): form for form, name in differences}
    blanks = {fold(words) for words in catalogue()["paper_double_blank"].values()}
    coder, problems = Coder(comparison.study), []
    decided: dict[tuple[str, str], tuple[str, int]] = {}
    for line, row in cells.iloc[1:].iterrows():
        form, name = fold(row[places["form"]]), row[places["variable"]].strip()
        value = normal_form(row[places["value"]])
        if not value:
            continue
        if (form, name) not in known:
            problems.append(Problem(file, "paper_double_unknown", {"found": name}, line))
            continue
        value = "" if fold(value) in blanks else value
        variable = comparison.study.codebook[name]
        if value and _meaning(value, variable, coder, comparison.wave).startswith("?"):
            values = {"found": value, "variable": name, "blank": catalogue()["paper_double_blank"]}
            problems.append(Problem(file, "paper_double_value", values, line))
        earlier, at = decided.setdefault((known[form, name], name), (value, line))
        if earlier != value:
            problems.append(Problem(file, "paper_double_contradicts", {"found": name, "first": at}, line))
    raise_any(problems)
    rows = [(form, name, value) for (form, name), (value, _) in decided.items()]
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS), dtype="str")


def write_agreed(comparison: Comparison, decisions: pd.DataFrame, path: Path) -> None:
    """Write the forms as agreed and decided, an xlsx file ready for raw/: headers of the codebook, texts as typed.

    Raises DataError while differences are open, form numbers stand twice or are missing, or forms were typed only
    once: an empty cell would read as an answer that was not given.

        write_agreed(found, decisions, Path("data/my-pilot/raw/khao_sat_sau.xlsx"))
    """
    _refuse_open(comparison, decisions)
    if left := len(comparison.unmatched):
        raise DataError([Problem(path.name, "paper_double_single", {"count": left})])
    frame = resolved(comparison, decisions)
    book = Workbook()
    page = book.active
    page.title = "nhap_lieu"
    for at, name in enumerate(frame.columns, start=1):
        variable = comparison.study.codebook.get(name)
        write_text(page.cell(1, at), variable.header if variable else text("paper_form_number", "vi"))
        for line, value in enumerate(frame[name], start=2):
            if value:
                write_text(page.cell(line, at), value)
    page.freeze_panes = "B2"
    save_workbook(book, path)


def _refuse_open(comparison: Comparison, decisions: pd.DataFrame) -> None:
    decided = set(decisions[["form", "variable"]].itertuples(index=False, name=None))
    wanted = set(comparison.differences[["form", "variable"]].itertuples(index=False, name=None))
    if left := len(wanted - decided):
        raise DataError([Problem(comparison.wave.file, "paper_double_open", {"count": left})])


def _rated(counts: pd.DataFrame) -> pd.DataFrame:
    """Counts with their rate and exact interval; NaN where nothing was compared."""
    compared, different = (counts[name].to_numpy(dtype=float) for name in ("compared", "different"))
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = different / compared
    low, high = proportion_confint(different, np.where(compared > 0, compared, 1), method="beta")
    none = compared == 0
    return counts.assign(rate=rate, conf_low=np.where(none, np.nan, low), conf_high=np.where(none, np.nan, high))


def _meanings(frame: pd.DataFrame, variables: list[Variable], study: Study, wave: str) -> pd.DataFrame:
    """What each cell means, so that two spellings of it are equal."""
    coder, declared = Coder(study), study.wave(wave)
    found = {}
    for variable in variables:
        texts = frame[variable.name].astype("str")
        meant = {words: _meaning(words, variable, coder, declared) for words in texts.unique()}
        found[variable.name] = texts.map(meant)
    return pd.DataFrame(found, index=frame.index)


def _meaning(words: str, variable: Variable, coder: Coder, wave: Wave) -> str:
    """One cell's code or missing kind as text; what has none, folded, after a question mark."""
    if not normal_form(words):
        return _BLANK
    if variable.name == coder.roles.unit:
        unit = coder.key("unit", words, wave)[0]
        return f"={unit}" if unit else f"?{fold(words)}"
    if variable.type in ("key", "text"):
        return f"={fold(words)}"
    code, kind, problem, _ = code_text(words, variable, wave)
    if pd.isna(code):
        return f"?{fold(words)}" if problem else str(kind)
    return f"={code.isoformat()}" if variable.type in MOMENTS else f"={code:.15g}"
