"""study.xlsx, written: with explanations and drop-downs, from the contents of the text files."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from evalkit import declaration
from evalkit.bookcells import cell_name
from evalkit.booksheets import FIRST_ROW, FORM_ROWS, REFERENCE, Field, Sheet, sheets
from evalkit.contents import Contents, text_contents
from evalkit.errors import raise_any
from evalkit.language import text
from evalkit.spreadsheets import save_workbook

_LAST_ROW = 1000  # as far down as the drop-downs reach
_WIDTHS = {"text": 20, "list": 30, "date": 15, "whole": 14, "number": 14, "yes": 12, "choice": 20, "figure": 12}
_PAIR_WIDTHS = {"item": 34, "value": 44, "english": 44, "note": 70}
_PAGE = 230  # widths that still can be read on one page
_LINE = 1.36  # height of a line for one point of its letters
_FORMATS = {"text": "@", "list": "@", "choice": "@", "yes": "@", "date": "dd/mm/yyyy", "whole": "#,##0"}
_FONT = Font(name="Calibri", size=11)
_BOLD = Font(name="Calibri", size=11, bold=True)
_WHITE = Font(name="Calibri", size=11, bold=True, color="FFFFFF")
_NOTE = Font(name="Calibri", size=9, italic=True, color="595959")
_HEADER = PatternFill("solid", fgColor="1F4E79")
_LEFT = Alignment(horizontal="left", vertical="top", wrap_text=True)
# Where a cell takes codes that another sheet declares.
_REFERENCES = {
    **{f"design.{role}": "bang_ma" for role in ("unit", "respondent", "cluster", "stratum", "weight")},
    **{"scale": "thang_do", "wave": "dot", "unit": "don_vi"},
}


def template_studybook(path: Path, example: Path) -> None:
    """Write the workbook of a new study: the template's declarations and the questionnaire of an example study.

    example: the folder whose index, codebook and scales are shown, as in `starting.start`.

        template_studybook(Path("data/my-pilot/study.xlsx"), Path("data/nga-bay"))
    """
    template = files("evalkit").joinpath("templates", "study.toml").read_text(encoding="utf-8")
    shown = text_contents(example)
    write_studybook(path, replace(shown, study=tomllib.loads(template), corrections=[]))


def write_studybook(path: Path, content: Contents) -> None:
    """Write a workbook with explanations and drop-downs from the contents of the text files.

    The same content gives the same bytes. Text is written as text, also where it begins with `=`. Raises DataError
    where a file could not be read, or study or index are not as `declaration` wants them.

        write_studybook(Path("data/my-pilot/study.xlsx"), text_contents(Path("data/my-pilot")))
    """
    raise_any(content.problems)
    study, index = content.study or {}, content.index or {}
    declaration.parse(study, "study.toml", declaration.Declaration)
    declaration.parse(index, "index.toml", declaration.Tree)
    rows = _study_rows(study) | {
        "bang_ma": content.codebook or [],
        "thang_do": content.scales or [],
        "chi_so": index["node"],
        "sua_so_lieu": content.corrections or [],
    }
    book = Workbook()
    book.remove(book.active)
    for sheet in sheets():
        page = book.create_sheet(sheet.name)
        if sheet.pairs:
            _write_pairs(page, sheet, study)
        else:
            _write_rows(page, sheet, rows[sheet.name])
        _lay_out(page)
    save_workbook(book, path)


def _study_rows(study: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The rows of the sheets of study.toml that have one table a row."""
    units, forms, items = [], [], []
    for unit in study["units"]:
        for at, name in enumerate(unit["names"], start=1):
            first = unit if at == 1 else {"code": unit["code"]}
            units.append(first | {"names": name, "name_number": at if len(unit["names"]) > 1 else None})
    for wave in study["waves"]:
        code, issued, returned = wave["code"], wave.get("issued", {}), wave.get("returned", {})
        for unit in dict.fromkeys([*issued, *returned]):
            forms.append({"wave": code, "unit": unit, "issued": issued.get(unit), "returned": returned.get(unit)})
        for variable, version in wave.get("wording", {}).items():
            if variable != "all":
                items.append({"wave": code, "variable": variable, "wording": version})
    form = study.get("report", {})
    lists = {name: form.get(key, []) for key, name in FORM_ROWS.items()}
    lists["tai_lieu"] = [{REFERENCE: words} for words in lists["tai_lieu"]]
    lists |= {"don_vi": units, "dot": study["waves"], "so_phieu": forms, "loi_hoi": items}
    return lists | {"chi_phi": study.get("costs", [])}


def _write_rows(page: Any, sheet: Sheet, rows: list[Mapping[str, Any]]) -> None:
    for column, field in enumerate(sheet.fields, start=1):
        header, note = sheet.words(field, "vi")
        english = ": ".join(part for part in sheet.words(field, "en") if part)
        top = _write_head(page, column, header)
        top.comment = Comment(f"{english}\n[{field.key}]", "evalkit", width=320, height=110)
        _write_note(page.cell(2, column), ("# " if column == 1 else "") + note)
        long = field.key.rpartition(".")[2].removeprefix("label_") in ("vi", "en", "reason")
        letter = get_column_letter(column)
        page.column_dimensions[letter].width = 38 if long else _WIDTHS[field.kind]
        page.column_dimensions[letter].number_format = _FORMATS.get(field.kind, "General")
        page.column_dimensions[letter].alignment = _LEFT
        for row, content in enumerate(rows, start=FIRST_ROW):
            _write_value(page.cell(row, column), field, _get(content, field.key))
        _offer(page, sheet, field, f"{letter}{FIRST_ROW}:{letter}{_LAST_ROW}")
    page.freeze_panes = cell_name(FIRST_ROW, 2)


def _write_pairs(page: Any, sheet: Sheet, content: Mapping[str, Any]) -> None:
    names = ["item", "value", "english", "note"] if sheet.note_column == 4 else ["item", "value", "note"]
    for column, name in enumerate(names, start=1):
        _write_head(page, column, text(f"studybook_pair_{name}", "vi"))
        page.column_dimensions[get_column_letter(column)].width = _PAIR_WIDTHS[name]
    lines = {stem: line for line, stem in enumerate(dict.fromkeys(map(sheet.stem, sheet.fields)), start=2)}
    for field in sheet.fields:
        line, english = lines[sheet.stem(field)], field.key.endswith(".en")
        cell = page.cell(line, 3 if english else 2)
        _write_value(cell, field, _get(content, field.key))
        _offer(page, sheet, field, cell.coordinate)
        if not english:
            header, note = sheet.words(field, "vi")
            label = page.cell(line, 1, header)
            label.font, label.alignment = _BOLD, _LEFT
            second = ": ".join(part for part in sheet.words(field, "en") if part)
            _write_note(page.cell(line, sheet.note_column), f"{note}\n{second}".strip())
    page.freeze_panes = "B2"


def _write_head(page: Any, column: int, header: str) -> Any:
    cell = page.cell(1, column, header)
    cell.font, cell.fill, cell.alignment = _WHITE, _HEADER, _LEFT
    return cell


def _write_note(cell: Any, note: str) -> None:
    cell.value, cell.data_type = note, "s"
    cell.font, cell.alignment = _NOTE, _LEFT


def _write_value(cell: Any, field: Field, value: Any) -> None:
    """A value as the reader of the workbook expects it; text is never a formula."""
    cell.number_format, cell.alignment, cell.font = _FORMATS.get(field.kind, "General"), _LEFT, _FONT
    if value is None or value == "":
        return
    if field.kind == "yes":
        value = field.words["true" if value else "false"]["vi"]
    elif field.kind == "choice":
        value = field.words[value]["vi"] if value in field.words else value
    elif field.kind == "list":
        value = ", ".join(value)
    elif field.kind == "date" and value.year <= 1900:  # Excel's calendar begins in 1900, with a day that never was
        value = value.strftime("%d/%m/%Y").rjust(10, "0")
    elif field.kind == "figure" and re.fullmatch(r"-?(0|[1-9][0-9]{0,14})", str(value)):
        value = int(value)
    if isinstance(value, str):
        cell.value, cell.data_type = value, "s"
        cell.quotePrefix = value.startswith(("=", "+", "-", "@", "'"))
    else:
        cell.value = value


def _offer(page: Any, sheet: Sheet, field: Field, cells: str) -> None:
    """A drop-down of the words of a field, or of the codes of another sheet; others are let in with a warning."""
    words = [words["vi"] for words in field.words.values()]
    formula = '"' + ",".join(words) + '"' if words else None
    if field.key in _REFERENCES and sheet.name != _REFERENCES[field.key]:
        formula = f"{_REFERENCES[field.key]}!$A${FIRST_ROW}:$A${_LAST_ROW}"
    if formula is None:
        return
    told = bool(words)
    offer = DataValidation("list", formula1=formula, allow_blank=True, errorStyle="warning", showErrorMessage=told)
    page.add_data_validation(offer)
    offer.add(cells)


def _lay_out(page: Any) -> None:
    """Rows as high as what they hold, and pages of paper that can be read."""
    widths = {
        column: page.column_dimensions[get_column_letter(column)].width for column in range(1, page.max_column + 1)
    }
    for row in page.iter_rows():
        height = max(_LINE * cell.font.size * _lines(cell, widths[cell.column]) for cell in row)
        if height > _LINE * _FONT.size:
            page.row_dimensions[row[0].row].height = height
    page.page_setup.orientation = "landscape"
    page.page_setup.paperSize = page.PAPERSIZE_A4
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.page_setup.fitToWidth = math.ceil(sum(widths.values()) / _PAGE)
    page.page_setup.fitToHeight = 0
    page.print_title_rows, page.print_title_cols = "1:1", "A:A"


def _lines(cell: Any, width: float) -> int:
    """How many lines a text takes; small letters need less room, bold ones more."""
    if not isinstance(cell.value, str):
        return 1
    room = width * 11 / cell.font.size * (0.85 if cell.font.bold else 0.95)
    return sum(max(1, math.ceil(len(part) / room)) for part in cell.value.split("\n"))


def _get(content: Mapping[str, Any], key: str) -> Any:
    found: Any = content
    for part in key.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
