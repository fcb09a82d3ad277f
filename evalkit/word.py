"""A report as a Word document: pandoc writes the body, python-docx finishes it; the ledger travels inside."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5

from evalkit import word_front as front
from evalkit.archives import without_times
from evalkit.documents import Document, Picture, pandoc
from evalkit.language import text
from evalkit.trees import elements, string, words

Template = Literal["volume", "letter", "short", "sheet"]
NAMESPACE = "urn:evalkit:ledger"
MOST_LEDGER = 200_000_000  # bytes; a part that is larger when unpacked is none of ours
_EPOCH = date(1980, 1, 1)  # of a document without a date
_WIDEST, _HIGHEST = 148.0, 205.0  # mm, of a picture: pandoc makes none wider; the caption needs room below
_FIRST_BOOKMARK = 1_000_000  # pandoc counts its own from below
_LABELS = {"Table": "word_table", "Figure": "word_figure"}


def docx(document: Document, *, template: Template = "volume") -> bytes:
    """The report as a Word document; the same document gives the same bytes.

    template: `volume`, the scientific report (form BM17 of Thông tư 12/2009: cover, sub-cover, statistical report,
    contents, lists, body); `short`, the cover and the body; `sheet`, the body; `letter`, that of Nghị định 30/2020.
    Ids of numbers and statements are bookmarks, formulas Word's own, and `read_ledger` takes the ledger out. The
    lists say everything but pages: only a word processor knows these, and fills them in when fields are updated
    (Ctrl+A, F9).
    Raises RuntimeError with pandoc's words, for instance for a picture that the document does not hold.

        Path("report.docx").write_bytes(docx(document))
    """
    body = _Body(document, template)
    written = pandoc(json.dumps(body.tree).encode("utf-8"), "--from=json", "--to=docx", "--output=-")
    return _finished(written, document, template, body)


def read_ledger(data: bytes) -> bytes | None:
    """The ledger inside a Word document, as `docx` put it there; None where there is none.

    data: the file's bytes, which may be anybody's: what is no archive, or too large, holds no ledger.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            for part in sorted(parts.infolist(), key=lambda part: part.filename):
                if not re.fullmatch(r"customXml/item\d+\.xml", part.filename) or part.file_size > MOST_LEDGER:
                    continue
                root = etree.fromstring(parts.read(part), parser)
                if root.tag == f"{{{NAMESPACE}}}ledger":
                    return b64decode(root.text or "", validate=False)
    except (zipfile.BadZipFile, etree.XMLSyntaxError, ValueError, NotImplementedError, RuntimeError):
        return None
    return None


@dataclass
class _Body:
    """The tree as pandoc shall write it, with captions, references, pictures and what stands around it."""

    document: Document
    template: Template
    tree: dict[str, Any] = field(init=False)
    headings: list[tuple[int, str]] = field(default_factory=list)  # level; chapter, appendix or unnumbered
    contents: list[front.Entry] = field(default_factory=list)
    captions: dict[str, list[front.Entry]] = field(default_factory=lambda: {"Table": [], "Figure": []})
    _labels: dict[str, tuple[str, str]] = field(default_factory=dict)  # identifier → what to call it, bookmark
    _bookmarks: int = 0

    def __post_init__(self) -> None:
        self.tree = json.loads(json.dumps(self.document.tree))
        self.tree["meta"] = {}
        nodes = list(elements(self.tree["blocks"]))
        self._number_headings(nodes)
        for kind in _LABELS:
            self._caption(kind, nodes)
        for node in nodes:
            self._name_picture(node)
            self._image(node)
            self._formula(node)
            self._reference(node)
        before, after = self._around()
        self.tree["blocks"] = [_raw("RawBlock", before), *self.tree["blocks"], _raw("RawBlock", after)]

    def _number_headings(self, nodes: list[Any]) -> None:
        counts, kind = {"chapter": [0] * 7, "appendix": [0] * 7}, "chapter"
        for node in nodes:
            if node["t"] != "Header":
                continue
            level, (_, classes, _), title = node["c"]
            if level == 1:
                kind = next((one for one in ("unnumbered", "appendix") if one in classes), "chapter")
            own = "unnumbered" if "unnumbered" in classes else kind
            shown = ""
            if own in counts and level <= 3:
                count = counts[own]
                count[level - 1 :] = [count[level - 1] + 1] + [0] * (7 - level)
                shown = self._heading_number(own, count[:level])
            self.headings.append((level, own))
            name, begin, end = self._bookmark("_Toc")
            if level <= 3:
                self.contents.append(front.Entry(f"{shown}{words(title)}", name, level))
            node["c"][2] = [begin, *title, end]

    def _heading_number(self, kind: str, counts: list[int]) -> str:
        first = chr(ord("A") + (counts[0] - 1) % 26) if kind == "appendix" else str(counts[0])
        parts = [first, *map(str, counts[1:])]
        named = len(parts) == 1 and (kind == "appendix" or self.template == "volume")
        return (f"{text(f'word_{kind}', self.document.language)} " if named else "") + f"{'.'.join(parts)}. "

    def _caption(self, kind: str, nodes: list[Any]) -> None:
        label = text(_LABELS[kind], self.document.language)
        for node in nodes:
            if node["t"] != kind or not node["c"][1][1]:
                continue
            number = len(self.captions[kind]) + 1
            block = node["c"][1][1][0]
            name, begin, end = self._bookmark("_Ref")
            field_of = _raw(
                "RawInline", front.runs(f"{label} ") + front.field(f"SEQ {label} \\* ARABIC", str(number))
            )
            self._labels[node["c"][0][0]] = (f"{label} {number}", name)
            self.captions[kind].append(front.Entry(f"{label} {number}. {words(block['c'])}", name))
            block["c"] = [begin, field_of, end, _raw("RawInline", front.runs(". ")), *block["c"]]

    def _bookmark(self, prefix: str) -> tuple[str, Any, Any]:
        self._bookmarks += 1
        name, identifier = f"{prefix}{self._bookmarks:08}", _FIRST_BOOKMARK + self._bookmarks
        begin = _raw("RawInline", f'<w:bookmarkStart w:id="{identifier}" w:name="{name}"/>')
        return name, begin, _raw("RawInline", f'<w:bookmarkEnd w:id="{identifier}"/>')

    def _name_picture(self, node: Any) -> None:
        """A bookmark inside a paragraph outlives LibreOffice; one around paragraphs does not always."""
        if node["t"] == "Figure":
            images = [one for one in elements(node["c"][2]) if one["t"] == "Image"]
            if len(images) == 1:
                images[0]["c"][0][0], node["c"][0][0] = node["c"][0][0], ""

    def _image(self, node: Any) -> None:
        if node["t"] != "Image":
            return
        (identifier, classes, _), _, (target, title) = node["c"]
        picture = self.document.pictures.get(target.removeprefix("figures/").removesuffix(".svg"))
        if picture:
            data = f"data:image/png;base64,{b64encode(picture.png).decode('ascii')}"
            size = ["width", f"{_width(picture):.1f}mm"]
            node["c"] = [[identifier, classes, [size]], [string(picture.alt)], [data, title]]

    def _formula(self, node: Any) -> None:
        if node["t"] == "Math":  # pandoc takes 0{,}5 apart into three; the comma of Vietnamese comes back at the end
            node["c"][1] = re.sub(r"(?<=\d)\{,\}(?=\d)", ".", node["c"][1])

    def _reference(self, node: Any) -> None:
        if node["t"] == "Link" and "ref" in node["c"][0][1]:
            named, bookmark = self._labels.get(node["c"][2][0].removeprefix("#"), ("", ""))
            if bookmark:
                node["t"], node["c"] = "RawInline", ["openxml", front.field(f"REF {bookmark} \\h", named)]

    def _around(self) -> tuple[str, str]:
        document, language = self.document, self.document.language
        if self.template == "letter":
            return front.letter_head(document), front.letter_foot(document)
        if self.template == "sheet":
            return "", ""
        cover = front.cover(document, template=self.template)
        if self.template == "short":
            return cover, ""
        lists = [
            front.listing(text("word_contents", language), 'TOC \\o "1-3" \\h \\z', self.contents),
            front.abbreviations(document),
        ]
        for kind, key in (("Table", "word_tables"), ("Figure", "word_figures")):
            code = f'TOC \\h \\z \\c "{text(_LABELS[kind], language)}"'
            lists.append(front.listing(text(key, language), code, self.captions[kind], style="tableoffigures"))
        return "".join([cover, front.statistics(document), *lists]), ""


def _raw(kind: str, xml: str) -> dict[str, Any]:
    return {"t": kind, "c": ["openxml", xml]}


def _width(picture: Picture) -> float:
    """Millimetres: as drawn at 300 dpi, and not more than the page has room for."""
    across, down = struct.unpack(">II", picture.png[16:24])
    return min(_WIDEST, across / 300 * 25.4, _HIGHEST * across / down)


def _finished(written: bytes, document: Document, template: Template, body: _Body) -> bytes:
    import docx as word_files
    from docx.oxml import parse_xml
    from docx.oxml.ns import qn

    from evalkit import word_styles, word_tables

    book = word_files.Document(io.BytesIO(written))
    word_styles.dress(book, document.language, template="letter" if template == "sheet" else template)
    content = book.element.body
    content.replace(content.sectPr, parse_xml(word_styles.section()))
    headings = [p for p in content.iter(qn("w:p")) if re.fullmatch(r"Heading\d", p.style or "")]
    for paragraph, (level, kind) in zip(headings, body.headings, strict=True):
        if kind != "chapter":
            numbers = paragraph.get_or_add_pPr().get_or_add_numPr()
            numbers.get_or_add_ilvl().val = level - 1
            numbers.get_or_add_numId().val = word_styles.APPENDICES if kind == "appendix" and level <= 3 else 0
    word_tables.lay_out(content)
    for name in content.iter("{*}cNvPr"):
        name.attrib.pop("descr", None)  # pandoc repeats the whole picture there
    if document.language == "vi":
        for part in content.iter("{http://schemas.openxmlformats.org/officeDocument/2006/math}t"):
            part.text = re.sub(r"(?<=\d)\.(?=\d)", ",", part.text or "")
    _head_pages(book, document, template)
    _describe(book, document)
    _put_ledger(book, document.ledger)
    saved = io.BytesIO()
    book.save(saved)
    return without_times(saved)


def _head_pages(book: Any, document: Document, template: Template) -> None:
    """Page numbers at the top of all but the first page or the cover, and on every page what is simulated."""
    sections = book.sections
    if template in ("letter", "sheet"):
        sections[0].different_first_page_header_footer = True
        plain, numbered = sections[0].first_page_header, sections[0].header
    else:
        plain, numbered = sections[0].header, sections[1].header
    for header, number in ((plain, False), (numbered, True)):
        header.is_linked_to_previous = False
        first = header.paragraphs[0]
        first.style = "header"
        if number:
            _add(first, front.field("PAGE", "1"))
        if document.simulated:
            notice = header.add_paragraph(style="Notice") if number else first
            notice.style = "Notice"
            notice.add_run(text("simulated", document.language))


def _add(paragraph: Any, xml: str) -> None:
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    for run in parse_xml(f"<w:p {nsdecls('w')}>{xml}</w:p>"):
        paragraph._p.append(run)


def _describe(book: Any, document: Document) -> None:
    properties = book.core_properties
    written = datetime.combine(front.written_on(document) or _EPOCH, datetime.min.time())
    properties.title, properties.author, properties.subject = document.title, document.organisation, document.kind
    properties.language = {"vi": "vi-VN", "en": "en-GB"}[document.language]
    properties.last_modified_by = document.organisation
    properties.created = properties.modified = written
    properties.identifier = document.fingerprint


def _put_ledger(book: Any, ledger: bytes) -> None:
    from docx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    identifier = str(uuid5(NAMESPACE_URL, f"{NAMESPACE}:{sha256(ledger).hexdigest()}")).upper()
    item = f'<ledger xmlns="{NAMESPACE}">{b64encode(ledger).decode("ascii")}</ledger>'
    schema = "http://schemas.openxmlformats.org/officeDocument/2006/customXml"
    about = (
        f'<ds:datastoreItem xmlns:ds="{schema}" ds:itemID="{{{identifier}}}">'
        f'<ds:schemaRefs><ds:schemaRef ds:uri="{NAMESPACE}"/></ds:schemaRefs></ds:datastoreItem>'
    )
    package = book.part.package
    part = Part(PackURI("/customXml/item1.xml"), CONTENT_TYPE.XML, item.encode(), package)
    properties = Part(
        PackURI("/customXml/itemProps1.xml"), CONTENT_TYPE.OFC_CUSTOM_XML_PROPERTIES, about.encode(), package
    )
    part.relate_to(properties, RELATIONSHIP_TYPE.CUSTOM_XML_PROPS)
    book.part.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_XML)
