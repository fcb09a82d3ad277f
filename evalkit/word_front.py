"""What stands before and after the body of a Word document: cover, forms, lists, the head and foot of a letter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from xml.sax.saxutils import escape

from evalkit.documents import Document
from evalkit.language import day, text
from evalkit.word_styles import WIDTH, section

DOTS = "…………"
_LEFT = 3500  # twips, the left column of a letter's head
_PRODUCTS = (600, 3000, 1272, 1400, 1400, 1400)  # twips, the columns of the table of products
_FIXED = f'<w:tblW w:w="{WIDTH}" w:type="dxa"/><w:tblLayout w:type="fixed"/>'
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


def paragraph(words: str, style: str, look: str = "") -> str:
    """A paragraph of Word's XML."""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/></w:pPr>{runs(words, look)}</w:p>'


def cover(document: Document, *, template: str) -> str:
    """The cover, and with a volume the sub-cover; they end their section, which has no page numbers."""
    pages = [_cover(document, sub=False, template=template)]
    if template == "volume":
        pages += [_PAGE, _cover(document, sub=True, template=template)]
    return "".join(pages) + f"<w:p><w:pPr>{section()}</w:pPr></w:p>"


def statistics(document: Document) -> str:
    """The statistical report on the project, a form: what nobody declared stays a dotted line."""
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
    parts = [
        paragraph(text("word_statistics", language), "TOCHeading"),
        paragraph(text("word_general", language), "FormHeading"),
        *(
            paragraph(f"{number}. {text(f'word_form_{key}', language)}: {value or chr(9)}", "Form")
            for number, (key, value) in enumerate(lines, 1)
        ),
        paragraph(text("word_products", language), "FormHeading"),
        _products(document),
    ]
    if not document.simulated:
        parts += [paragraph("", "Form"), _signatures(document)]
    return "".join(parts)


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
        + paragraph("", "Recipients")
    )


def fingerprint(document: Document) -> str:
    """The line that names the ledger's fingerprint."""
    return text("word_fingerprint", document.language, fingerprint=document.fingerprint)


def written_on(document: Document) -> date | None:
    """The date that the report bears."""
    return document.form.get("date") or document.day


def _cover(document: Document, *, sub: bool, template: str) -> str:
    language, form = document.language, document.form
    lines = [paragraph(form["parent"].upper(), "Cover")] if form.get("parent") else []
    lines += [paragraph(document.organisation.upper(), "CoverStrong")]
    if document.simulated:
        lines += [paragraph(text("simulated", language), "CoverStrong")]
    lines += [paragraph(document.kind.upper(), "CoverKind")]
    if template == "short":
        lines += [paragraph(f"({text('word_short', language)})", "Cover")]
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
    lines += [paragraph(fingerprint(document), "Cover", '<w:sz w:val="22"/>')]
    return "".join(lines)


def _products(document: Document) -> str:
    language = document.language
    keys = ("no", "name", "unit", "ordered", "delivered", "quality")
    products = document.form.get("products") or [{}]
    rows = [[text(f"word_product_{key}", language) for key in keys]]
    rows += [
        [str(number), *(str(one.get(key, "") or "…………") for key in keys[1:])]
        for number, one in enumerate(products, 1)
    ]
    header = "<w:trPr><w:cantSplit/><w:tblHeader/></w:trPr>"
    cells = [
        f"<w:tr>{header if at == 0 else ''}"
        + "".join(
            f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{paragraph(one, "TableText")}</w:tc>'
            for one, width in zip(row, _PRODUCTS, strict=True)
        )
        + "</w:tr>"
        for at, row in enumerate(rows)
    ]
    look = '<w:tblLook w:val="0020" w:firstRow="1" w:lastRow="0" w:firstColumn="0" w:lastColumn="0"/>'
    caption = f'<w:tblCaption w:val="{escape(text("word_products", language))}"/>'
    return _table(f'<w:tblStyle w:val="Table"/>{_FIXED}{look}{caption}', _PRODUCTS, "".join(cells))


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
    cells = "".join(
        f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/></w:tcPr>{"".join(side)}</w:tc>'
        for side, width in zip((left, right), widths, strict=True)
    )
    return _table(_FIXED, widths, f"<w:tr>{cells}</w:tr>")


def _table(properties: str, widths: Iterable[int], rows: str) -> str:
    grid = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return f"<w:tbl><w:tblPr>{properties}</w:tblPr><w:tblGrid>{grid}</w:tblGrid>{rows}</w:tbl>"
