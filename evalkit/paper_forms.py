"""The survey on paper: a questionnaire to print, and a workbook to type the answered forms into."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby, product
from pathlib import Path
from typing import Any

import docx
import pandas as pd
from docx.enum.table import WD_ALIGN_VERTICAL, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.formatting.rule import FormulaRule
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from evalkit.codebook import CHOSEN, MOMENTS, Answer, Codebook, Variable
from evalkit.encodings import fold
from evalkit.expressions import Expression, parse
from evalkit.language import LANGUAGES, Language, day, text
from evalkit.spreadsheets import save_workbook, write_text
from evalkit.study import Study

FORM_NUMBER, TYPIST = "so_phieu", "nguoi_nhap"
SHEET, LISTS = "nhap_lieu", "danh_muc"
ROWS = 1000  # rows of the workbook that are prepared for typing
_FIXED = datetime(2000, 1, 1)  # the day on every document, so that the same study gives the same bytes
_BOX = "☐"
_DOTS = WD_TAB_LEADER.DOTS
_FEWEST = 3  # questions in a row with the same answers make a table
_WIDEST = 9  # answers that fit beside the statements
_MOST_CHOICES = 10
_OWN_NUMBER = re.compile(r"(?:câu|question|q)\s*(\d+(?:[._]\d+)*[a-zđ]?)\.?", re.IGNORECASE)
_FORM_WORDS = re.compile(r"(so|ma)_?(phieu|bang_hoi)|form_?(no|number|id)?|(số|mã) phiếu|form number")
_HEAD_FILL = PatternFill("solid", fgColor="DCE6F1")
_RED, _GREY = PatternFill("solid", bgColor="F4B6B6"), PatternFill("solid", bgColor="BFBFBF")
_FORMATS = {"key": "@", "text": "@", "identifier": "@", "date": "dd/mm/yyyy", "time": "dd/mm/yyyy hh:mm"}
_NEVER_ASKED = ("identifier", "ignore")


@dataclass(frozen=True)
class Skip:
    """When a question is asked, in a form that words and spreadsheets can say: one of these answers was given."""

    variable: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Question:
    """One question on paper: its variables (one for each answer where several can be chosen) and its number."""

    number: str
    variables: tuple[Variable, ...]

    @property
    def first(self) -> Variable:
        """The variable, or the first of several."""
        return self.variables[0]

    def words(self, language: Language) -> str:
        """The question as it is asked; for one answer of several, without the answer."""
        whole = self.first.labels[language]
        if self.first.choice is not None:
            whole = whole.removesuffix(f": {self.first.choice.labels[language]}")
        return whole or self.first.column


# --- what both say ---


def form_number(codebook: Codebook) -> str | None:
    """The identifier that numbers the forms, by its name or label; None where the codebook has none.

    form_number(study.codebook)  # "so_phieu"
    """
    for variable in codebook.values():
        if variable.type in ("identifier", "key"):
            names = (variable.name, variable.column, *variable.labels.values())
            if any(_FORM_WORDS.fullmatch(fold(name)) for name in names):
                return variable.name
    return None


def with_entry_columns(codebook: Codebook) -> Codebook:
    """The codebook and the two columns that the workbook has besides: form number and typist, as identifiers.

    Identifiers may be missing from a file and never reach the responses, so any raw file can be read with it.

        frame, notices = ek.read_responses("nhap_lieu.xlsx", with_entry_columns(study.codebook))
        frame["nguoi_nhap"]
    """
    found = dict(codebook)
    columns = {fold(variable.column) for variable in codebook.values()}
    for name, key in ((FORM_NUMBER, "paper_form_number"), (TYPIST, "paper_typist")):
        wanted = name == TYPIST or form_number(codebook) is None
        if wanted and name not in found and fold(text(key, "vi")) not in columns:
            labels: dict[str, str] = {language: text(key, language) for language in LANGUAGES}
            found[name] = Variable(name, labels["vi"], "identifier", None, None, None, labels, False, 0)
    return found


def questions(study: Study) -> list[Question]:
    """The questions in the order of the codebook, without identifiers, keys, weight and what stands above them.

    A number that stands in `column` («Câu 1.2») is kept; the others are counted, A1, A2 … where some have their own.
    """
    head = {variable.name for variable in _head(study)}
    asked = [
        variable
        for variable in study.codebook.values()
        if variable.type not in _NEVER_ASKED
        and variable.name not in head
        and variable.name != study.declared.design.weight
    ]
    groups = [tuple(group) for _, group in groupby(asked, key=lambda variable: variable.question or variable.name)]
    own = [_OWN_NUMBER.fullmatch(variables[0].column) for variables in groups]
    prefix = "A" if any(own) else ""
    found, count = [], 0
    for variables, match in zip(groups, own, strict=True):
        count += match is None
        found.append(Question(match[1].replace("_", ".") if match else f"{prefix}{count}", variables))
    return found


def plain_skip(relevant: str, codebook: Codebook) -> Skip | None:
    """The condition as «one of these answers was given to one question», None where it is anything else.

    It is tried out on every answer that the question can have, so any way of writing it will do.

        plain_skip("${mot_cua} = 1", study.codebook).answers[0].labels["vi"]  # "Có"
    """
    if not relevant:
        return None
    expression = parse(relevant)
    if len(expression.variables) != 1:
        return None
    (name,) = expression.variables
    choices = [variable for variable in codebook.values() if variable.question == name]
    if choices:
        return _skip_of_several(expression, name, choices)
    variable = codebook.get(name)
    if variable is None or variable.scale is None:
        return None
    answers = variable.scale.valid
    frame = {name: pd.Series([answer.code for answer in answers], dtype=float)}
    holds = expression.evaluate(frame).fillna(False).astype(bool)
    given = tuple(answer for answer, asked in zip(answers, holds, strict=True) if asked)
    return Skip(name, given) if 0 < len(given) < len(answers) else None


def _skip_of_several(expression: Expression, name: str, choices: list[Variable]) -> Skip | None:
    answers = [variable.choice for variable in choices if variable.choice is not None]
    if len(answers) > _MOST_CHOICES:
        return None
    rows = pd.DataFrame(list(product((0.0, 1.0), repeat=len(answers))), columns=[v.name for v in choices])
    rows = rows[rows.any(axis=1)].reset_index(drop=True)
    columns = {name: {answer.code: variable.name for answer, variable in zip(answers, choices, strict=True)}}
    holds = expression.evaluate(rows, answers=columns).fillna(False).astype(bool)
    alone = rows.sum(axis=1) == 1
    asked = [variable for variable in choices if (holds & alone & (rows[variable.name] == 1)).any()]
    if not asked or not (holds == rows[[variable.name for variable in asked]].any(axis=1)).all():
        return None
    return Skip(name, tuple(variable.choice for variable in asked if variable.choice is not None))


def _head(study: Study) -> list[Variable]:
    """What stands above the questions: who was asked where, when and by whom."""
    roles = study.declared.design
    named = {roles.unit, roles.respondent, roles.cluster, roles.stratum, roles.interviewer}
    named |= {roles.started, roles.ended, roles.duration}
    found, above = [], True
    for variable in study.codebook.values():
        above &= variable.type in (*_NEVER_ASKED, "key", *MOMENTS) or variable.name == roles.weight
        if variable.type in _NEVER_ASKED or variable.name in (roles.weight, form_number(study.codebook)):
            continue
        if variable.name in named or variable.type == "key" or (above and variable.type in MOMENTS):
            found.append(variable)
    return found


# --- the questionnaire ---


def write_questionnaire(study: Study, path: Path, *, language: Language | None = None) -> None:
    """Write the questionnaire as a Word document to print on A4; the same study gives the same bytes.

    Names and other identifiers stand on a first part to be cut off, which shares only the form number with the
    answers. Skips are said in words where they ask for answers of one question, else as they stand in the codebook.
    What the study does not declare about consent is a line to fill in. language: of the study unless given.

        write_questionnaire(ek.open_study("data/nga-bay"), Path("phieu_khao_sat.docx"))
    """
    _Paper(study, language or study.language).write(path)


class _Paper:
    def __init__(self, study: Study, language: Language) -> None:
        self.study, self.language = study, language
        self.document = docx.Document()
        self.questions = questions(study)
        self.numbers = {
            v.question or v.name: question.number for question in self.questions for v in question.variables
        }
        self._lay_out()

    def text(self, key: str, **values: Any) -> str:
        return text(key, self.language, **values)

    def write(self, path: Path) -> None:
        self._identity()
        self._opening()
        self._consent()
        self._fields([(v.labels[self.language] or v.column, v.type) for v in _head(self.study)])
        self._line(self.text("paper_how"), italic=True, before=6, after=4, keep=True)
        for block in self._blocks():
            if len(block) >= _FEWEST:
                self._table(block)
            else:
                for question in block:
                    self._question(question)
        thanks = self._line(self.text("paper_thanks"), bold=True, before=8)
        thanks.alignment = WD_ALIGN_PARAGRAPH.CENTER
        saved = io.BytesIO()
        self.document.save(saved)
        path.write_bytes(_fixed_times(saved.getvalue()))

    def _lay_out(self) -> None:
        section = self.document.sections[0]
        section.page_width, section.page_height = Cm(21), Cm(29.7)
        section.left_margin, section.right_margin = Cm(2), Cm(1.5)
        section.top_margin = section.bottom_margin = Cm(1.5)
        section.header_distance = section.footer_distance = Cm(0.8)
        style = self.document.styles["Normal"]
        style.font.name, style.font.size = "Times New Roman", Pt(12)
        style.element.rPr.rFonts.set(qn("w:eastAsia"), "Times New Roman")
        style.paragraph_format.space_after = style.paragraph_format.space_before = Pt(0)
        properties = self.document.core_properties
        properties.author, properties.title = "evalkit", self.study.declared.study.title.model_dump()[self.language]
        properties.created = properties.modified = _FIXED
        properties.comments = properties.last_modified_by = ""
        if self.study.declared.study.simulated:
            above = section.header.paragraphs[0]
            above.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            above.add_run(self.text("paper_simulated")).bold = True
        below = section.footer.paragraphs[0]
        below.add_run(f"{self.text('paper_form_number')}: ……………………\t{self.text('paper_page')} ")
        _add_field(below, "PAGE")
        below.add_run("/")
        _add_field(below, "NUMPAGES")

    def _identity(self) -> None:
        """The part with the names, to be cut off; none where nothing identifies anybody."""
        named = self._named_people()
        if not named:
            return
        heading = self._line(self.text("paper_identity"), bold=True)
        heading.paragraph_format.tab_stops.add_tab_stop(Cm(17.5), WD_TAB_ALIGNMENT.RIGHT)
        heading.add_run(f"\t{self.text('paper_form_number')}: ……………………")
        self._line(self.text("paper_identity_note"), italic=True, size=11, after=2)
        for variable in named:
            self._dotted(variable.labels[self.language] or variable.column)
        cut = self._line(
            f"✂  –  –  –  –  –  –  –  –  –  {self.text('paper_cut')}  –  –  –  –  –  –  –  –  –", before=4, after=6
        )
        cut.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def _named_people(self) -> list[Variable]:
        number = form_number(self.study.codebook)
        return [v for v in self.study.codebook.values() if v.type == "identifier" and v.name != number]

    def _opening(self) -> None:
        about = self.study.declared.study
        table = self._grid(1, (13.0, 4.5), bordered=False)
        organisation = table.rows[0].cells[0].paragraphs[0]
        organisation.add_run(about.organisation.model_dump()[self.language]).bold = True
        box = table.rows[0].cells[1].paragraphs[0]
        box.add_run(f"{self.text('paper_form_number')}: ………")
        _border(table.rows[0].cells[1])
        part = self.text("paper_answers") if self._named_people() else self.text("paper_heading")
        title = self._line(part, bold=True, size=15, before=6)
        name = self._line(about.title.model_dump()[self.language], bold=True, after=6)
        title.alignment = name.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def _consent(self) -> None:
        privacy = self.study.declared.privacy
        dots = "…" * 40
        consent = (
            privacy.consent.model_dump()[self.language]
            if privacy.consent
            else self.text("paper_consent_open", line=dots)
        )
        controller = privacy.controller.model_dump()[self.language] if privacy.controller else "…" * 25
        until = day(privacy.retain_until, self.language) if privacy.retain_until else self.text("paper_date")
        line = self._line("", after=3)
        line.add_run(self.text("paper_consent") + " ").bold = True
        line.add_run(consent + " ")
        line.add_run(self.text("paper_controller", controller=controller, day=until))
        self._boxes(self._line("", after=4), [self.text("paper_agreed"), self.text("paper_declined")])

    def _fields(self, fields: list[tuple[str, str]]) -> None:
        """Labels with a line to write on, two beside each other."""
        if not fields:
            return
        table = self._grid((len(fields) + 1) // 2, (9.0, 8.5), bordered=False)
        for at, (name, kind) in enumerate(fields):
            paragraph = table.rows[at // 2].cells[at % 2].paragraphs[0]
            paragraph.paragraph_format.space_after = Pt(3)
            if kind in MOMENTS:
                paragraph.add_run(f"{name}: {self.text(f'paper_{kind}')}")
            else:
                # A letter is about 2 mm wide and a dotted sign 4.2 mm.
                paragraph.add_run(f"{name}: {'…' * max(8, int((7.6 - 0.2 * len(name)) / 0.42))}")

    def _blocks(self) -> Iterator[list[Question]]:
        """Consecutive questions with the same scale and the same skip."""

        def alike(question: Question) -> tuple:
            variable = question.first
            single = len(question.variables) == 1 and variable.scale is not None and variable.choice is None
            fits = single and variable.scale is not None and len(variable.scale.answers) <= _WIDEST
            return (variable.scale.name if fits and variable.scale else question.number, variable.relevant)

        for _, block in groupby(self.questions, key=alike):
            yield list(block)

    def _table(self, block: list[Question]) -> None:
        scale = block[0].first.scale
        assert scale is not None
        answers = [*scale.valid, *(answer for answer in scale.answers if answer.missing)]
        self._skip(block[0].first.relevant, "paper_only_if_block")
        longest = [max(map(len, answer.labels[self.language].split())) for answer in answers]
        wide = [max(1.35, 0.175 * letters + 0.2) for letters in longest]
        wide = [width * min(1, 11 / sum(wide)) for width in wide]
        table = self._grid(1 + len(block), (1.1, 16.4 - sum(wide), *wide))
        _narrow_margins(table)
        head = table.rows[0]
        _mark(head, "w:tblHeader")
        for at, words in enumerate((self.text("paper_number"), self.text("paper_statement"))):
            self._centred(head.cells[at], words, bold=True)
        for at, answer in enumerate(answers, start=2):
            self._centred(head.cells[at], f"{answer.labels[self.language]} ({answer.code:g})", size=9, bold=True)
        for row, question in zip(table.rows[1:], block, strict=True):
            self._centred(row.cells[0], question.number)
            row.cells[1].paragraphs[0].add_run(question.words(self.language))
            row.cells[1].vertical_alignment = WD_ALIGN_VERTICAL.CENTER
            row.cells[1].paragraphs[0].paragraph_format.space_before = Pt(3)
            row.cells[1].paragraphs[0].paragraph_format.space_after = Pt(3)
            for at in range(2, len(answers) + 2):
                self._centred(row.cells[at], _BOX, size=14)
        for row in table.rows:
            _mark(row, "w:cantSplit")
            for at, answer in enumerate(answers, start=2):
                if answer.missing:
                    _shade(row.cells[at])
        self._line("", size=4)

    def _question(self, question: Question) -> None:
        variable = question.first
        self._skip(variable.relevant, "paper_only_if")
        line = self._line("", before=2, after=3)
        line.paragraph_format.keep_together = True
        line.add_run(f"{question.number}. ").bold = True
        line.add_run(question.words(self.language))
        if variable.choice is not None:
            line.add_run(f" ({self.text('paper_several')})").italic = True
            self._boxes(line, [self._answer(v.choice) for v in question.variables if v.choice is not None])
        elif variable.scale is not None:
            answers = [*variable.scale.valid, *(answer for answer in variable.scale.answers if answer.missing)]
            self._boxes(line, [self._answer(answer) for answer in answers])
        elif variable.type in MOMENTS:
            line.add_run(f": {self.text(f'paper_{variable.type}')}")
        elif variable.type == "number":
            bounds = _range(variable, self.language)
            line.add_run(": ……………… " + (f"({bounds})" if bounds else ""))
            self._boxes(
                line, [f"{self.text(f'paper_missing_{kind}')} ({code})" for code, kind in variable.missing.items()]
            )
        else:
            for _ in range(2):
                self._dotted("")

    def _answer(self, answer: Answer) -> str:
        return f"{answer.labels[self.language]} ({answer.code:g})"

    def _skip(self, relevant: str, key: str) -> None:
        """When to ask, in words; a condition that is no list of answers stands as it was declared."""
        if not relevant:
            return
        skip = plain_skip(relevant, self.study.codebook)
        if skip is not None and skip.variable in self.numbers:
            given = [
                f"«{self._answer(a)}»" if self.language == "vi" else f'"{self._answer(a)}"' for a in skip.answers
            ]
            answers = f" {self.text('paper_or')} ".join(given)
            words = self.text(key, number=self.numbers[skip.variable], answers=answers)
        else:
            shown = re.sub(r"\$\{\s*([\w.-]+)\s*\}", self._named, relevant)
            words = self.text("paper_condition", condition=shown)
        self._line(f"→ {words}", italic=True, before=2, keep=True)

    def _named(self, match: re.Match) -> str:
        number = self.numbers.get(match[1])
        return self.text("paper_question", number=number) if number else match[0]

    def _boxes(self, line: Any, answers: list[str]) -> None:
        for answer in answers:
            line.add_run("    ")
            _symbol(line.add_run(_BOX), 13)
            # An answer does not break away from its box.
            line.add_run("\N{NO-BREAK SPACE}" + answer.replace(" ", "\N{NO-BREAK SPACE}"))

    def _line(
        self,
        words: str,
        *,
        bold: bool = False,
        italic: bool = False,
        size: float = 12,
        before: float = 0,
        after: float = 0,
        keep: bool = False,
    ) -> Any:
        line = self.document.add_paragraph()
        run = line.add_run(words)
        run.bold, run.italic, run.font.size = bold, italic, Pt(size)
        line.paragraph_format.space_before, line.paragraph_format.space_after = Pt(before), Pt(after)
        line.paragraph_format.keep_with_next = keep
        return line

    def _dotted(self, label: str) -> None:
        line = self._line(f"{label}: \t" if label else "\t", after=3)
        line.paragraph_format.tab_stops.add_tab_stop(Cm(17.5), WD_TAB_ALIGNMENT.RIGHT, _DOTS)

    def _grid(self, rows: int, widths: tuple[float, ...], *, bordered: bool = True) -> Any:
        table = self.document.add_table(rows, len(widths), style="Table Grid" if bordered else None)
        table.alignment, table.autofit = WD_TABLE_ALIGNMENT.CENTER, False
        for row in table.rows:
            for cell, width in zip(row.cells, widths, strict=True):
                cell.width = Cm(width)
        for column, width in zip(table.columns, widths, strict=True):
            column.width = Cm(width)
        return table

    def _centred(self, cell: Any, words: str, *, size: float = 12, bold: bool = False) -> None:
        cell.vertical_alignment = WD_ALIGN_VERTICAL.CENTER
        paragraph = cell.paragraphs[0]
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        run = paragraph.add_run(words)
        run.bold, run.font.size = bold, Pt(size)
        if words == _BOX:
            _symbol(run, size)


def _range(variable: Variable, language: Language) -> str:
    low, high = (_bound(value) for value in (variable.minimum, variable.maximum))
    if low and high:
        return text("paper_range", language, low=low, high=high)
    if low:
        return text("paper_at_least", language, low=low)
    return text("paper_at_most", language, high=high) if high else ""


def _bound(value: float | date | None) -> str:
    return "" if value is None else f"{value:%d/%m/%Y}" if isinstance(value, date) else f"{value:g}"


def _symbol(run: Any, size: float) -> None:
    """Times New Roman has no box."""
    run.font.name, run.font.size = "Segoe UI Symbol", Pt(size)
    run._element.rPr.rFonts.set(qn("w:eastAsia"), "Segoe UI Symbol")


def _mark(row: Any, name: str) -> None:
    row._tr.get_or_add_trPr().append(OxmlElement(name))


def _narrow_margins(table: Any) -> None:
    margins = OxmlElement("w:tblCellMar")
    for side in ("left", "right"):
        margin = OxmlElement(f"w:{side}")
        margin.set(qn("w:w"), "50")
        margin.set(qn("w:type"), "dxa")
        margins.append(margin)
    properties = table._tbl.tblPr
    look = properties.find(qn("w:tblLook"))
    properties.append(margins) if look is None else look.addprevious(margins)


def _shade(cell: Any) -> None:
    shade = OxmlElement("w:shd")
    for name, value in (("val", "clear"), ("color", "auto"), ("fill", "EDEDED")):
        shade.set(qn(f"w:{name}"), value)
    _before_alignment(cell, shade)


def _border(cell: Any) -> None:
    borders = OxmlElement("w:tcBorders")
    for side in ("top", "left", "bottom", "right"):
        line = OxmlElement(f"w:{side}")
        for name, value in (("val", "single"), ("sz", "8"), ("color", "000000")):
            line.set(qn(f"w:{name}"), value)
        borders.append(line)
    _before_alignment(cell, borders)


def _before_alignment(cell: Any, element: Any) -> None:
    """Word wants borders and shades of a cell after its width and before its alignment."""
    properties = cell._tc.get_or_add_tcPr()
    alignment = properties.find(qn("w:vAlign"))
    properties.append(element) if alignment is None else alignment.addprevious(element)


def _add_field(paragraph: Any, name: str) -> None:
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), name)
    run = OxmlElement("w:r")
    shown = OxmlElement("w:t")
    shown.text = "1"
    run.append(shown)
    field.append(run)
    paragraph._p.append(field)


def _fixed_times(data: bytes) -> bytes:
    """The same archive without clock times."""
    fixed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as parts, zipfile.ZipFile(fixed, "w", zipfile.ZIP_DEFLATED) as target:
        for part in parts.infolist():
            entry = zipfile.ZipInfo(part.filename, _FIXED.timetuple()[:6])
            target.writestr(entry, parts.read(part), zipfile.ZIP_DEFLATED)
    return fixed.getvalue()


# --- the workbook to type into ---


def header_of(variable: Variable) -> str:
    """What stands over the column of a variable; one answer of several has its question before it.

    header_of(study.codebook["q5_1"])  # "Câu 5/Loa phát thanh"
    """
    return f"{variable.column}/{variable.choice.labels['vi']}" if variable.choice else variable.column


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
        number = form_number(self.codebook)
        self.number = number or FORM_NUMBER
        self.variables = [
            self.codebook[name] for name in dict.fromkeys((TYPIST, self.number)) if name in self.codebook
        ]
        self.variables += [v for v in study.codebook.values() if v.type not in _NEVER_ASKED and v.name != self.number]
        self.letters = {v.name: get_column_letter(at) for at, v in enumerate(self.variables, start=1)}
        self.numbers = {v.name: question for question in questions(study) for v in question.variables}
        self.book = Workbook()
        self.page = self.book.active
        self.page.title = SHEET
        self.lists: Any = None
        self._listed: dict[int, list[str | float]] = {}

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
        write_text(cell, header_of(variable))
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
        if variable.scale is not None:
            codes = "; ".join(f"{answer.code:g} = {answer.labels['vi']}" for answer in variable.scale.answers)
            lines.append(text("paper_entry_codes", "vi", codes=codes))
        elif variable.missing:
            codes = "; ".join(
                f"{code} = {text(f'paper_missing_{kind}', 'vi')}" for code, kind in variable.missing.items()
            )
            lines.append(text("paper_entry_codes", "vi", codes=codes))
        if variable.type in MOMENTS:
            lines.append(self._days(variable))
        elif bounds := _range(variable, "vi"):
            lines.append(bounds)
        return "\n".join(filter(None, [*lines, variable.relevant]))

    def _column(self, variable: Variable) -> None:
        roles = self.study.declared.design
        first = f"{self.letters[variable.name]}2"
        if variable.name == self.number:
            letter = self.letters[variable.name]
            column = f"${letter}$2:${letter}${self.last}"
            twice = f"COUNTIF({column},{first})>1"
            self._allow(
                variable, "custom", f"COUNTIF({column},{first})=1", text("paper_entry_twice", "vi"), style="warning"
            )
            self.page.conditional_formatting.add(
                self.cells(variable), FormulaRule([f'AND({first}<>"",{twice})'], fill=_RED)
            )
        elif variable.scale is not None:
            answers = variable.scale.answers
            self._offer(variable, [*(a.labels["vi"] for a in answers), *(a.code for a in answers)])
        elif variable.name == roles.unit:
            units = self.study.declared.units
            self._offer(
                variable, [self.study.unit_label(unit.code, "vi", on=self.end) or unit.code for unit in units]
            )
        elif variable.type == "number":
            self._number(variable, first)
        elif variable.type in MOMENTS:
            low, high = self._window(variable)
            tests = ["ISNUMBER({0})"]
            tests += [f"{{0}}>={_serial(low)}"] if isinstance(low, date) else []
            tests += [f"{{0}}<{_serial(high + timedelta(days=1))}"] if isinstance(high, date) else []
            self._allow(variable, "custom", f"AND({','.join(tests)})".format(first), self._days(variable))

    def _window(self, variable: Variable) -> tuple[Any, Any]:
        return (variable.minimum, variable.maximum) if variable.bounded else (self.start, self.end)

    def _days(self, variable: Variable) -> str:
        low, high = self._window(variable)
        bounds = _range(replace(variable, minimum=low, maximum=high), "vi")
        return text(f"paper_entry_{variable.type}", "vi", range=bounds)

    def _number(self, variable: Variable, first: str) -> None:
        tests = [f"ISNUMBER({first})"]
        tests += [f"{first}>={variable.minimum:.15g}"] if variable.minimum is not None else []
        tests += [f"{first}<={variable.maximum:.15g}"] if variable.maximum is not None else []
        missing = [f'{first}="{code}"' if code.startswith(".") else f"{first}={code}" for code in variable.missing]
        inside = f"AND({','.join(tests)})"
        formula = f"OR({','.join([inside, *missing])})"
        bounds = _range(variable, "vi")
        message = text("paper_entry_number", "vi", range=bounds) if bounds else text("paper_entry_any_number", "vi")
        self._allow(variable, "custom", formula, message)

    def _offer(self, variable: Variable, choices: list[str | float]) -> None:
        """A drop-down through a hidden sheet: in a formula of its own no label may have a comma."""
        if self.lists is None:
            self.lists = self.book.create_sheet(LISTS)
            self.lists.sheet_state = "hidden"
        column = next((at for at, known in self._listed.items() if known == choices), len(self._listed) + 1)
        if column not in self._listed:
            self._listed[column] = choices
            for row, choice in enumerate(choices, start=1):
                if isinstance(choice, str):
                    write_text(self.lists.cell(row, column), choice)
                else:
                    self.lists.cell(row, column, choice)
        letter = get_column_letter(column)
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
        rules = self.page.conditional_formatting
        rules.add(self.cells(variable), FormulaRule([f'AND({apart},{first}<>"")'], fill=_RED, stopIfTrue=True))
        rules.add(self.cells(variable), FormulaRule([f"AND({apart})"], fill=_GREY))


def _serial(value: date) -> str:
    return f"DATE({value.year},{value.month},{value.day})"
