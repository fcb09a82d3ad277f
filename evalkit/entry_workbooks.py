"""The workbook to type the answered forms into, with what Excel can check while somebody types."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from evalkit.codebook import CHOSEN, MOMENTS, Variable
from evalkit.language import text
from evalkit.paper_forms import (
    FORM_NUMBER,
    NEVER_ASKED,
    TYPIST,
    bounds,
    form_number,
    plain_skip,
    questions,
    with_entry_columns,
)
from evalkit.spreadsheets import save_workbook, write_text
from evalkit.study import Study
from evalkit.workbooks import LISTS

SHEET = "nhap_lieu"
ROWS = 1000  # rows of the workbook that are prepared for typing
_HEAD_FILL = PatternFill("solid", fgColor="DCE6F1")
_RED, _GREY = PatternFill("solid", bgColor="F4B6B6"), PatternFill("solid", bgColor="BFBFBF")
_FORMATS = {"key": "@", "text": "@", "identifier": "@", "date": "dd/mm/yyyy", "time": "dd/mm/yyyy hh:mm"}


def write_entry_workbook(study: Study, path: Path, *, wave: str | None = None, rows: int = ROWS) -> None:
    """Write the workbook into which the forms are typed, one row a form; the same study gives the same bytes.

    Its columns are those of the codebook, so the file can be put into raw/ as it is; before them stand the typist
    and the form number (`with_entry_columns`), names and other identifiers are left out. Answers can be chosen by
    their Vietnamese label or typed as codes. Numbers and dates must lie in their range, dates without one in the
    wave's days in the field (of all waves unless `wave` is given). A question that does not apply turns grey, and
    red where it is answered all the same. rows: how many rows are prepared; they stay empty.

        write_entry_workbook(ek.open_study("data/nga-bay"), Path("nhap_lieu.xlsx"), wave="sau")
    """
    _Entry(study, wave, rows).write(path)


class _Entry:
    def __init__(self, study: Study, wave: str | None, rows: int) -> None:
        self.study, self.last = study, rows + 1
        waves = study.declared.waves if wave is None else (study.wave(wave),)
        self.start = min(wave.field_start for wave in waves)
        self.end = max(wave.field_end for wave in waves)
        self.codebook = with_entry_columns(study.codebook)
        self.number = form_number(self.codebook) or FORM_NUMBER
        self.variables = [self.codebook[name] for name in (TYPIST, self.number) if name in self.codebook]
        self.variables += [v for v in study.codebook.values() if v.type not in NEVER_ASKED and v.name != self.number]
        self.letters = {v.name: get_column_letter(at) for at, v in enumerate(self.variables, start=1)}
        self.numbers = {v.name: question for question in questions(study) for v in question.variables}
        self.book = Workbook()
        self.page = self.book.active
        self.page.title = SHEET
        self.listed: list[list[str | float]] = []

    def write(self, path: Path) -> None:
        for at, variable in enumerate(self.variables, start=1):
            self._head(at, variable)
            self._column(variable)
            self._skip(variable)
        self.page.row_dimensions[1].height = 48
        self.page.freeze_panes = "C2"
        self.page.page_setup.orientation = "landscape"
        self.page.print_title_rows = "1:1"
        save_workbook(self.book, path)

    def cells(self, variable: Variable) -> str:
        letter = self.letters[variable.name]
        return f"{letter}2:{letter}{self.last}"

    def _head(self, at: int, variable: Variable) -> None:
        cell = self.page.cell(1, at)
        write_text(cell, variable.header)
        cell.font, cell.fill = Font(name="Times New Roman", bold=True), _HEAD_FILL
        cell.alignment = Alignment(horizontal="center", vertical="center", wrap_text=True)
        cell.comment = Comment(self._note(variable), "evalkit", width=340, height=150)
        dimension = self.page.column_dimensions[get_column_letter(at)]
        dimension.width = 20 if variable.scale or variable.type in ("key", "text", "time") else 13
        dimension.number_format = _FORMATS.get(variable.type, "General")
        dimension.font = Font(name="Times New Roman", size=12)

    def _note(self, variable: Variable) -> str:
        if variable.name == TYPIST:
            return text("paper_typist_note", "vi")
        if variable.name == self.number:
            return text("paper_form_number_note", "vi")
        question = self.numbers.get(variable.name)
        lines = [f"{question.number}. {variable.labels['vi']}" if question else variable.labels["vi"]]
        codes = {code: text(f"paper_missing_{kind}", "vi") for code, kind in variable.missing.items()}
        if variable.scale is not None:
            codes = {f"{answer.code:g}": answer.labels["vi"] for answer in variable.scale.answers}
        if codes:
            shown = "; ".join(f"{code} = {words}" for code, words in codes.items())
            lines.append(text("paper_entry_codes", "vi", codes=shown))
        if variable.type in MOMENTS:
            lines.append(self._days(variable))
        else:
            lines.append(bounds(variable.minimum, variable.maximum, "vi"))
        return "\n".join(filter(None, [*lines, variable.relevant]))

    def _column(self, variable: Variable) -> None:
        roles = self.study.declared.design
        first = f"{self.letters[variable.name]}2"
        if variable.name == self.number:
            letter = self.letters[variable.name]
            count = f"COUNTIF(${letter}$2:${letter}${self.last},{first})"
            self._allow(variable, "custom", f"{count}=1", text("paper_entry_twice", "vi"), style="warning")
            self._colour(variable, f'AND({first}<>"",{count}>1)', _RED)
        elif variable.scale is not None:
            answers = variable.scale.answers
            self._offer(variable, [*(a.labels["vi"] for a in answers), *(a.code for a in answers)])
        elif variable.name == roles.unit:
            codes = [unit.code for unit in self.study.declared.units]
            self._offer(variable, [self.study.unit_label(code, "vi", on=self.end) or code for code in codes])
        elif variable.type == "number":
            self._number(variable, first)
        elif variable.type in MOMENTS:
            low, high = self._window(variable)
            tests = [f"ISNUMBER({first})"]
            tests += [f"{first}>={_serial(low)}"] if low is not None else []
            tests += [f"{first}<{_serial(high + timedelta(days=1))}"] if high is not None else []
            self._allow(variable, "custom", f"AND({','.join(tests)})", self._days(variable))

    def _window(self, variable: Variable) -> tuple[Any, Any]:
        return (variable.minimum, variable.maximum) if variable.bounded else (self.start, self.end)

    def _days(self, variable: Variable) -> str:
        return text(f"paper_entry_{variable.type}", "vi", range=bounds(*self._window(variable), "vi"))

    def _number(self, variable: Variable, first: str) -> None:
        tests = [f"ISNUMBER({first})"]
        tests += [f"{first}>={variable.minimum:.15g}"] if variable.minimum is not None else []
        tests += [f"{first}<={variable.maximum:.15g}"] if variable.maximum is not None else []
        missing = [f'{first}="{code}"' if code.startswith(".") else f"{first}={code}" for code in variable.missing]
        inside = f"AND({','.join(tests)})"
        within = bounds(variable.minimum, variable.maximum, "vi")
        message = text("paper_entry_number", "vi", range=within) if within else text("paper_entry_any_number", "vi")
        self._allow(variable, "custom", f"OR({','.join([inside, *missing])})", message)

    def _offer(self, variable: Variable, choices: list[str | float]) -> None:
        """A drop-down through a hidden sheet: in a formula of its own no label may have a comma."""
        if LISTS not in self.book.sheetnames:
            self.book.create_sheet(LISTS).sheet_state = "hidden"
        if choices not in self.listed:
            self.listed.append(choices)
            for row, choice in enumerate(choices, start=1):
                cell = self.book[LISTS].cell(row, len(self.listed), choice)
                if isinstance(choice, str):
                    write_text(cell, choice)
        letter = get_column_letter(self.listed.index(choices) + 1)
        formula = f"{LISTS}!${letter}$1:${letter}${len(choices)}"
        self._allow(variable, "list", formula, text("paper_entry_list", "vi"))

    def _allow(self, variable: Variable, kind: str, formula: str, message: str, style: str = "stop") -> None:
        rule = DataValidation(kind, formula1=formula, allow_blank=True, errorStyle=style, showErrorMessage=True)
        rule.errorTitle, rule.error = text("paper_entry_title", "vi"), message
        self.page.add_data_validation(rule)
        rule.add(self.cells(variable))

    def _skip(self, variable: Variable) -> None:
        skip = plain_skip(variable.relevant, self.study.codebook)
        if skip is None:
            return
        several = [v for v in self.study.codebook.values() if v.question == skip.variable]
        given, answered = [], []
        for other in several or [self.study.codebook[skip.variable]]:
            cell = f"${self.letters[other.name]}2"
            answered.append(f'{cell}<>""')
            if several and other.choice in skip.answers:
                given += [f"{cell}=1", f'{cell}="{CHOSEN.answers[1].labels["vi"]}"']
            elif not several:
                for answer in skip.answers:
                    label = answer.labels["vi"].replace('"', '""')
                    given += [f"{cell}={answer.code:.15g}", f'{cell}="{label}"']
        first = f"{self.letters[variable.name]}2"
        apart = f"OR({','.join(answered)}),NOT(OR({','.join(given)}))"
        self._colour(variable, f'AND({apart},{first}<>"")', _RED, stopIfTrue=True)
        self._colour(variable, f"AND({apart})", _GREY)

    def _colour(self, variable: Variable, formula: str, fill: PatternFill, **options: bool) -> None:
        self.page.conditional_formatting.add(self.cells(variable), FormulaRule([formula], fill=fill, **options))


def _serial(value: date) -> str:
    return f"DATE({value.year},{value.month},{value.day})"
