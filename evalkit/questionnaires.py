"""The questionnaire as a Word document to print and fill in by hand."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import docx
from docx.enum.table import WD_ALIGN_VERTICAL, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_TAB_ALIGNMENT, WD_TAB_LEADER
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Pt

from evalkit.archives import DAY, without_times
from evalkit.codebook import MOMENTS, Answer, Scale, Variable
from evalkit.language import Language, day, label, text
from evalkit.paper_forms import Question, bounds, form_number, head, plain_skip, questions
from evalkit.study import Study

_BOX = "☐"
_DOTS = WD_TAB_LEADER.DOTS
_FEWEST = 3  # questions in a row with the same answers make a table
_WIDEST = 9  # answers that fit beside the statements


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
        self._fields([(v.labels[self.language] or v.column, v.type) for v in head(self.study)])
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
        path.write_bytes(without_times(saved))

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
        properties.author, properties.title = "evalkit", label(self.study.declared.study.title, self.language)
        properties.created = properties.modified = DAY
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
        organisation.add_run(label(about.organisation, self.language)).bold = True
        box = table.rows[0].cells[1].paragraphs[0]
        box.add_run(f"{self.text('paper_form_number')}: ………")
        _border(table.rows[0].cells[1])
        part = self.text("paper_answers" if self._named_people() else "paper_heading")
        title = self._line(part, bold=True, size=15, before=6)
        name = self._line(label(about.title, self.language), bold=True, after=6)
        title.alignment = name.alignment = WD_ALIGN_PARAGRAPH.CENTER

    def _consent(self) -> None:
        privacy = self.study.declared.privacy
        open_line = self.text("paper_consent_open", line="…" * 40)
        consent = label(privacy.consent, self.language) if privacy.consent else open_line
        controller = label(privacy.controller, self.language) if privacy.controller else "…" * 25
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
            scale = question.first.scale if question.first.choice is None else None
            return scale.name if scale and len(scale.answers) <= _WIDEST else question.number, question.first.relevant

        yield from (list(block) for _, block in groupby(self.questions, key=alike))

    def _table(self, block: list[Question]) -> None:
        scale = block[0].first.scale
        assert scale is not None
        answers = _ordered(scale)
        self._skip(block[0].first.relevant, "paper_only_if_block")
        longest = [max(map(len, answer.labels[self.language].split())) for answer in answers]
        wide = [max(1.35, 0.175 * letters + 0.2) for letters in longest]
        wide = [width * min(1, 11 / sum(wide)) for width in wide]
        table = self._grid(1 + len(block), (1.1, 16.4 - sum(wide), *wide))
        _narrow_margins(table)
        top = table.rows[0]
        _mark(top, "tblHeader")
        for at, words in enumerate((self.text("paper_number"), self.text("paper_statement"))):
            self._centred(top.cells[at], words, bold=True)
        for at, answer in enumerate(answers, start=2):
            self._centred(top.cells[at], self._answer(answer), size=9, bold=True)
        for row, question in zip(table.rows[1:], block, strict=True):
            self._centred(row.cells[0], question.number)
            statement = row.cells[1].paragraphs[0]
            statement.add_run(question.words(self.language))
            row.cells[1].vertical_alignment = WD_ALIGN_VERTICAL.CENTER
            statement.paragraph_format.space_before = statement.paragraph_format.space_after = Pt(3)
            for at in range(2, len(answers) + 2):
                self._centred(row.cells[at], _BOX, size=14)
        for row in table.rows:
            _mark(row, "cantSplit")
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
            self._boxes(line, [self._answer(answer) for answer in _ordered(variable.scale)])
        elif variable.type in MOMENTS:
            line.add_run(f": {self.text(f'paper_{variable.type}')}")
        elif variable.type == "number":
            within = bounds(variable.minimum, variable.maximum, self.language)
            line.add_run(": ……………… " + (f"({within})" if within else ""))
            kinds = {code: self.text(f"paper_missing_{kind}") for code, kind in variable.missing.items()}
            self._boxes(line, [f"{words} ({code})" for code, words in kinds.items()])
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
            quoted = "«{}»" if self.language == "vi" else '"{}"'
            answers = f" {self.text('paper_or')} ".join(quoted.format(self._answer(a)) for a in skip.answers)
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


def _symbol(run: Any, size: float) -> None:
    """Times New Roman has no box."""
    run.font.name, run.font.size = "Segoe UI Symbol", Pt(size)
    run._element.rPr.rFonts.set(qn("w:eastAsia"), "Segoe UI Symbol")


def _ordered(scale: Scale) -> list[Answer]:
    return [*scale.valid, *(answer for answer in scale.answers if answer.missing)]


def _element(name: str, *parts: Any, **attributes: str) -> Any:
    element = OxmlElement(f"w:{name}")
    for key, value in attributes.items():
        element.set(qn(f"w:{key}"), value)
    element.extend(parts)
    return element


def _mark(row: Any, name: str) -> None:
    row._tr.get_or_add_trPr().append(_element(name))


def _narrow_margins(table: Any) -> None:
    margins = _element("tblCellMar", *(_element(side, w="50", type="dxa") for side in ("left", "right")))
    _insert(table._tbl.tblPr, margins, before="w:tblLook")


def _shade(cell: Any) -> None:
    shade = _element("shd", val="clear", color="auto", fill="EDEDED")
    _insert(cell._tc.get_or_add_tcPr(), shade, before="w:vAlign")


def _border(cell: Any) -> None:
    sides = [_element(side, val="single", sz="8", color="000000") for side in ("top", "left", "bottom", "right")]
    _insert(cell._tc.get_or_add_tcPr(), _element("tcBorders", *sides), before="w:vAlign")


def _insert(properties: Any, element: Any, *, before: str) -> None:
    """Word wants the properties of tables and cells in the order of its schema."""
    later = properties.find(qn(before))
    properties.append(element) if later is None else later.addprevious(element)


def _add_field(paragraph: Any, name: str) -> None:
    shown = _element("t")
    shown.text = "1"
    paragraph._p.append(_element("fldSimple", _element("r", shown), instr=name))
