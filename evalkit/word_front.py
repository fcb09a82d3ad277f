"""What stands before and after the body of a Word document: cover, forms, lists, the head and foot of a letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape, unescape

from evalkit.documents import Document
from evalkit.language import day, number, text
from evalkit.tracing import tracing
from evalkit.word_styles import THIN, WIDTH, section

DOTS = "…………"
_LEFT = 3500  # twips, the left column of a letter's head
# The tables of the statistical report: their columns after the running number, in twips; amounts stand right.
_TABLES = {
    "funds": {"source": 4672, "planned": 1900, "spent": 1900},
    "progress": {"work": 4672, "planned": 1900, "done": 1900},
    "partners": {"name": 3472, "task": 3500, "result": 1500},
    "products": {"name": 3572, "unit": 1200, "ordered": 1200, "delivered": 1200, "quality": 1300},
}
_AMOUNTS = {"funds": ("planned", "spent"), "products": ("ordered", "delivered")}
_NUMERALS = ("I", "II", "III", "IV", "V", "VI")
_FIXED = f'<w:tblW w:w="{WIDTH}" w:type="dxa"/><w:tblLayout w:type="fixed"/>'
_WHOLE = "<w:trPr><w:cantSplit/></w:trPr>"
_PAGE = '<w:p><w:r><w:br w:type="page"/></w:r></w:p>'


@dataclass(frozen=True)
class Entry:
    """One line of a list of contents, tables or figures: what it says, where it leads, its level from 1."""

    words: str
    bookmark: str
    level: int = 1


def runs(words: str, look: str = "") -> str:
    """A text as a run of Word's XML; a tab is a tab."""
    marks = f"<w:rPr>{look}</w:rPr>" if look else ""
    parts = f'<w:t xml:space="preserve">{escape(words)}</w:t>'.replace(
        "\t", '</w:t><w:tab/><w:t xml:space="preserve">'
    )
    return f"<w:r>{marks}{parts}</w:r>"


def field(code: str, shown: str) -> str:
    """A field of Word's and the result that stands there until Word computes it anew.

    >>> "SEQ Hình" in field("SEQ Hình", "1")
    True
    """
    kinds = [f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")]
    instruction = f'<w:r><w:instrText xml:space="preserve"> {escape(code)} </w:instrText></w:r>'
    return kinds[0] + instruction + kinds[1] + runs(shown) + kinds[2]


def paragraph(words: str, style: str, look: str = "", *, side: str = "") -> str:
    """A paragraph of Word's XML; side: `right`, else that of its style."""
    aligned = f'<w:jc w:val="{side}"/>' if side else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{aligned}</w:pPr>{runs(words, look)}</w:p>'


def cover(document: Document, *, template: str) -> str:
    """The cover, and with a volume the sub-cover; they end their section, which has no page numbers."""
    pages = [_cover(document, sub=False)]
    if template == "volume":
        pages += [_PAGE, _cover(document, sub=True)]
    return "".join(pages) + f"<w:p><w:pPr>{section()}</w:pPr></w:p>"


def statistics(document: Document) -> str:
    """The statistical report on the project, a form: of its general part and products, which every task has, what
    nobody declared stays a dotted line; funds, progress, partners and evaluation stand in it where they are declared.
    """
    language, form = document.language, document.form
    lines: list[tuple[str, object]] = [
        ("title", document.title),
        ("code", form.get("code")),
        ("level", form.get("level")),
    ]
    lines += [("parent", form.get("parent")), ("organisation", document.organisation)]
    lines += [("ordered_by", form.get("ordered_by"))]
    if not document.simulated:
        lines += [("leader", form.get("leader")), ("members", "; ".join(form.get("members", [])))]
    lines += [(key, day(form[key], language) if form.get(key) else None) for key in ("begun", "ended")]
    parts = {
        "general": "".join(
            paragraph(f"{at}. {text(f'word_form_{key}', language)}: {value or chr(9)}", "Form")
            for at, (key, value) in enumerate(lines, 1)
        ),
        **{name: _declared(document, name) for name in _TABLES},
        "evaluation": "".join(paragraph(f"- {one}", "Form") for one in form.get("evaluation", [])),
    }
    shown = paragraph(text("word_statistics", language), "TOCHeading")
    for numeral, (name, part) in zip(_NUMERALS, ((name, part) for name, part in parts.items() if part), strict=False):
        shown += paragraph(f"{numeral}. {text(f'word_{name}', language)}", "FormHeading") + part
    return shown if document.simulated else shown + paragraph("", "Form") + _signatures(document)


def abbreviations(document: Document) -> str:
    """The list of abbreviations, or nothing where none is declared."""
    if not (known := document.form.get("abbreviations")):
        return ""
    lines = (paragraph(f"{one['short']}: {one['meaning']}", "Form") for one in known)
    return paragraph(text("word_abbreviations", document.language), "TOCHeading") + "".join(lines)


def listing(title: str, code: str, entries: Sequence[Entry], *, style: str = "") -> str:
    """A list that Word can bring up to date: its title, and a field with the entries filled in.

    code: the field's, `TOC \\c "Bảng"`. style: of the entries; without it that of their level.
    """
    if not entries:
        return ""
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + (
        f'<w:r><w:instrText xml:space="preserve"> {escape(code)} </w:instrText></w:r>'
        '<w:r><w:fldChar w:fldCharType="separate"/></w:r>'
    )
    lines = []
    for at, entry in enumerate(entries):
        link = (
            f'<w:hyperlink w:anchor="{entry.bookmark}" w:history="1">{runs(entry.words + chr(9))}'
            f"{field(f'PAGEREF {entry.bookmark} ' + chr(92) + 'h', ' ')}</w:hyperlink>"
        )
        name = style or f"toc{entry.level}"
        lines.append(f'<w:p><w:pPr><w:pStyle w:val="{name}"/></w:pPr>{begin if at == 0 else ""}{link}</w:p>')
    end = '<w:p><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>'
    return paragraph(title, "TOCHeading") + "".join(lines) + end


def letter_head(document: Document) -> str:
    """What Nghị định 30/2020 puts above a letter: bodies, Quốc hiệu, number, place and date, type, subject."""
    language, form = document.language, document.form
    bold = "<w:b/><w:bCs/>"
    left = [paragraph(form["parent"].upper(), "LetterHead")] if form.get("parent") else []
    left += [paragraph(document.organisation.upper(), "LetterHead", bold), _rule(_LEFT, 40)]
    left += [paragraph(text("word_letter_number", language), "LetterHead")]
    right = [] if document.simulated else [
        paragraph(text("word_nation", language), "LetterHead", bold + '<w:sz w:val="24"/>'),
        paragraph(text("word_motto", language), "LetterHead", bold),
        _rule(WIDTH - _LEFT, 55),
    ]  # fmt: skip
    right += [paragraph(_place_and_day(document), "LetterHead", "<w:i/><w:iCs/>")]
    return "".join(
        [
            _columns(left, right, (_LEFT, WIDTH - _LEFT)),
            paragraph("", "LetterHead"),
            paragraph(text("word_letter_type", language), "LetterHead", bold + '<w:sz w:val="28"/>'),
            paragraph(f"{document.kind}: {document.title}", "LetterHead", bold),
            _rule(WIDTH, 30),
            paragraph("", "LetterHead"),
        ]
    )


def letter_foot(document: Document) -> str:
    """Recipients, and the room to sign in; nobody signs what is simulated."""
    language = document.language
    left = [paragraph(text("word_recipients", language), "Recipients", '<w:b/><w:i/><w:sz w:val="24"/>')]
    left += [paragraph(f"- {one};", "Recipients") for one in document.form.get("recipients") or [DOTS]]
    left += [paragraph(f"- {text('word_file_copy', language)}", "Recipients")]
    right = [] if document.simulated else [
        paragraph(text("word_signer", language), "LetterHead", "<w:b/><w:bCs/>"),
        paragraph(text("word_sign_seal", language), "LetterHead", "<w:i/><w:iCs/>"),
    ]  # fmt: skip
    return (
        paragraph(fingerprint(document), "Form", '<w:i/><w:iCs/><w:sz w:val="22"/>')
        + _columns(left, right or [paragraph("", "LetterHead")], (WIDTH // 2, WIDTH - WIDTH // 2))
        + f"<w:p><w:pPr>{THIN}</w:pPr></w:p>"  # a table cannot end a page without a paragraph
    )


def fingerprint(document: Document) -> str:
    """The line that names the ledger's fingerprint; that of the report, and no other, goes into the minutes."""
    key = "word_fingerprint_part" if document.of_report else "word_fingerprint"
    return text(key, document.language, fingerprint=document.fingerprint)


def lines(document: Document) -> list[str]:
    """What stands around the body of a document, whatever its template or format, in words; a ledger keeps it."""
    with tracing(False):
        return _lines(document)


def _lines(document: Document) -> list[str]:
    language = document.language
    xml = cover(document, template="volume") + statistics(document) + abbreviations(document)
    xml += letter_head(document) + letter_foot(document)
    elements = (re.findall(rf"<w:{name}[ >].*?</w:{name}>", xml, re.DOTALL) for name in ("p", "tc"))
    found = [_words(one) for some in elements for one in some]
    titles = ("word_contents", "word_tables", "word_figures", "contents", "webpage_skip", "simulated")
    found += [document.title, document.kind, document.organisation, *(text(one, language) for one in titles)]
    found += [text("word_fingerprint", language, fingerprint=""), fingerprint(document), _place_and_day(document)]
    found += [", ".join(part for part in (document.form.get("place"), _day(document)) if part)]
    return sorted({" ".join(one.split()) for one in found} - {""})


def _words(xml: str) -> str:
    said = re.sub(r"<w:(?:tab|br)\b[^>]*>|</w:p>", " ", xml)
    return unescape("".join(re.findall(r">([^<>]+)<", f">{said}<")))


def _day(document: Document) -> str:
    written = written_on(document)
    return day(written, document.language) if written else ""


def written_on(document: Document) -> date | None:
    """The date that the report bears."""
    return document.form.get("date") or document.day


def _cover(document: Document, *, sub: bool) -> str:
    language, form = document.language, document.form
    lines = [paragraph(form["parent"].upper(), "Cover")] if form.get("parent") else []
    lines += [paragraph(document.organisation.upper(), "CoverStrong")]
    if document.simulated:
        lines += [paragraph(text("simulated", language), "CoverStrong")]
    lines += [paragraph(document.kind.upper(), "CoverKind")]
    lines += [paragraph(document.title, "CoverTitle")]
    if form.get("code") or sub:
        lines += [paragraph(f"{text('word_form_code', language)}: {form.get('code') or DOTS}", "Cover")]
    if sub:
        lines += [
            paragraph(f"{text(f'word_form_{key}', language)}: {form[key]}", "Cover")
            for key in ("level", "ordered_by", "leader")
            if form.get(key) and not (key == "leader" and document.simulated)
        ]
    if sub and not document.simulated:
        lines += [paragraph("", "Cover"), _signatures(document)]
    written = written_on(document)
    year = text("word_year", language, year=written.year if written else "……")
    lines += [
        paragraph(
            f"{form.get('place') or DOTS}, {year}",
            "CoverPlaceSub" if sub and not document.simulated else "CoverPlace",
        )
    ]
    if document.of_report:
        known = text("word_fingerprint", language, fingerprint=document.of_report)
        lines += [paragraph(known, "Cover", '<w:sz w:val="22"/>')]
    lines += [paragraph(fingerprint(document), "Cover", '<w:sz w:val="22"/>')]
    return "".join(lines)


def _declared(document: Document, name: str) -> str:
    """A table of the statistical report, of funds with their sum; that of products also where nobody declared any."""
    language, widths = document.language, _TABLES[name]
    entries = document.form.get(name) or ([{}] if name == "products" else [])
    if not entries:
        return ""
    keys, amounts, total = list(widths), _AMOUNTS.get(name, ()), []
    if name == "funds":
        sums = {key: sum(one[key] for one in entries) for key in amounts}
        total = [["", text("word_funds_total", language), *(number(one, 0, language) for one in sums.values())]]
        entries = [one | {key: number(one[key], 0, language) for key in amounts} for one in entries]
    rows = [[text("word_column_no", language), *(text(f"word_{name}_{key}", language) for key in keys)]]
    rows += [[str(at), *(str(one.get(key) or DOTS) for key in keys)] for at, one in enumerate(entries, 1)]
    sides = ["", *("right" if key in amounts else "" for key in keys)]
    columns = [600, *widths.values()]
    lines: list[str] = []
    for row in rows + total:
        said = (paragraph(words, "TableText", side=side) for words, side in zip(row, sides, strict=True))
        header = "" if lines else "<w:tblHeader/>"
        lines.append(f"<w:tr><w:trPr><w:cantSplit/>{header}</w:trPr>{_cells(said, columns)}</w:tr>")
    look = '<w:tblLook w:val="0020" w:firstRow="1" w:lastRow="0" w:firstColumn="0" w:lastColumn="0"/>'
    caption = f'<w:tblCaption w:val="{escape(text(f"word_{name}", language))}"/>'
    return _table(f'<w:tblStyle w:val="Table"/>{_FIXED}{look}{caption}', columns, "".join(lines))


def _signatures(document: Document) -> str:
    language = document.language
    sides = [
        [paragraph(text(who, language), "LetterHead", "<w:b/><w:bCs/>"), paragraph(text(how, language), "LetterHead")]
        + [paragraph("", "LetterHead")] * 4
        for who, how in (("word_sign_leader", "word_sign_how"), ("word_sign_organisation", "word_sign_seal"))
    ]
    return _columns(sides[0], sides[1], (WIDTH // 2, WIDTH - WIDTH // 2))


def _place_and_day(document: Document) -> str:
    place, written = document.form.get("place") or DOTS, written_on(document)
    if not written:
        return text("word_letter_day", document.language, place=place, day="…", month="…", year="……")
    if document.language == "en":
        return f"{place}, {day(written, 'en')}"
    # The decree: a zero before days under 10 and before January and February.
    month = f"{written.month:02}" if written.month < 3 else str(written.month)
    return text("word_letter_day", "vi", place=place, day=f"{written.day:02}", month=month, year=written.year)


def _rule(width: int, percent: int) -> str:
    """A rule centred under a line of a column, as long as a part of it."""
    indent = width * (100 - percent) // 200
    return (
        '<w:p><w:pPr><w:pStyle w:val="LetterHead"/>'
        '<w:pBdr><w:top w:val="single" w:sz="6" w:space="1" w:color="000000"/></w:pBdr>'
        f'<w:spacing w:line="120" w:lineRule="exact"/><w:ind w:left="{indent}" w:right="{indent}"/></w:pPr></w:p>'
    )


def _columns(left: Iterable[str], right: Iterable[str], widths: tuple[int, int]) -> str:
    """Two columns without rules: a table that only lays out."""
    return _table(_FIXED, widths, f"<w:tr>{_WHOLE}{_cells(map(''.join, (left, right)), widths)}</w:tr>")


def _cells(contents: Iterable[str], widths: Iterable[int]) -> str:
    return "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{content}</w:tc>'
        for content, width in zip(contents, widths, strict=True)
    )


def _table(properties: str, widths: Iterable[int], rows: str) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
