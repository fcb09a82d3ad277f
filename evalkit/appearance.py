"""What a delivered document may show beside its words: what acts, hides or covers, and the mark of simulated data."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from evalkit.delivered import Kind, read_headers
from evalkit.language import Language, text
from evalkit.ledger_check import Finding
from evalkit.pieces import normal_words
from evalkit.webpage import stylesheet

# What the pages of evalkit are built of; team text adds formulas and code.
_TAGS = re.compile(
    "html|head|meta|title|style|body|a|div|header|main|nav|section|article|h[1-6]|p|ul|ol|li|dl|dt|dd|table|caption"
    "|colgroup|col|thead|tbody|tfoot|tr|th|td|figure|figcaption|img|span|strong|em|u|del|sub|sup|code|pre|blockquote"
    "|br|hr|q|script|math|semantics|annotation|m(?:row|i|n|o|text|space|sup|sub|subsup|frac|sqrt|root|over|under"
    "|underover|table|tr|td)"
)
_ATTRIBUTES = re.compile(
    "id|class|href|lang|role|scope|tabindex|alt|src|style|type|start|colspan|rowspan|aria-[a-z]+|display|xmlns|encoding"
    "|mathvariant|stretchy|form|accent|columnalign|columnspacing|rowspacing|separator"
)
_VALUES = {
    "href": re.compile(r"(?:#|https?:|mailto:)\S*"),
    "src": re.compile(r"data:image/(?:svg\+xml|png);base64,[\w+/=\s]*"),
    "style": re.compile(r"(?:text-align: ?\w+|width: ?[\d.]+%);?"),
}
_ONCE = ("skip", "banner")  # the classes that place an element elsewhere


def appearances(data: bytes, kind: Kind, ledger: dict[str, Any]) -> Iterator[Finding]:
    """What makes a document show something else than the words in it.

    A page may hold nothing but what evalkit writes: no script, no frame, no other style, its own policy. The mark of
    simulated data stands in every header. What floats above a Word document's text or is written on a pdf's pages
    may cover something, and is listed: stamps and signatures are there too.

    data: of a document that `read_blocks` could read. kind: docx, html or pdf.

    >>> page = b"<title>A</title><p onclick='f()'>3</p><script>f()</script>"
    >>> ledger = {"language": "en", "simulated": False, "software": {}}
    >>> [one.new for one in appearances(page, "html", ledger) if one.reason == "document_foreign"]
    ['p onclick', 'script', 'meta']
    """
    language: Language = ledger["language"]
    if ledger["simulated"]:
        mark = normal_words(text("simulated", language))
        headers = read_headers(data, kind)
        bare = [place for place, words in headers if mark not in words]
        if bare or not headers:
            yield Finding("document_unmarked", ", ".join(bare[:5]), mark, "–")
    if kind == "html":
        yield from _html(data, language, ledger)
    elif kind == "docx":
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            document = package.read("word/document.xml").decode("utf-8", "replace")
        floating = len(re.findall(r"<wp:anchor\b|<v:(?:shape|rect|line|oval)\b|<w:framePr\b", document))
        if floating:
            yield Finding("document_floating", "", "", str(floating), False)
    else:
        yield from _pdf(data)


def _html(data: bytes, language: Language, ledger: dict[str, Any]) -> Iterator[Finding]:
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8")
    root = html.document_fromstring(data, parser=parser)
    template = (files("evalkit") / "templates" / "report.html").read_text(encoding="utf-8")
    own = [dict(meta.attrib) for meta in html.document_fromstring(template).iter("meta")]
    seen: set[str] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        foreign = [] if _TAGS.fullmatch(element.tag) else [element.tag]
        attributes = dict(element.attrib)
        if element.tag == "script" and attributes != {"type": "application/json", "id": "ledger"}:
            foreign.append("script")
        for name, value in attributes.items() if element.tag != "meta" else ():
            if not _ATTRIBUTES.fullmatch(name) or (name in _VALUES and not _VALUES[name].fullmatch(value)):
                foreign.append(f"{element.tag} {name}")
            placed = {one for one in value.split() if one in _ONCE} if name == "class" else set()
            foreign += [f"{element.tag} class={one}" for one in sorted(placed & seen)]
            seen |= placed
        yield from (Finding("document_foreign", "", new=one) for one in dict.fromkeys(foreign))
    if [dict(meta.attrib) for meta in root.iter("meta")] != own:
        yield Finding("document_foreign", "head", "", "meta")
    styles = "\n".join(style.text or "" for style in root.iter("style"))
    if styles.split() != stylesheet(language, simulated=ledger["simulated"]).split():
        same = ledger["software"].get("evalkit") == version("evalkit")
        yield Finding("document_style", "head", "", "style", same)


def _pdf(data: bytes) -> Iterator[Finding]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    acting = [name for name in ("/OpenAction", "/AA") if name in reader.root_object]
    if acting:
        yield Finding("document_foreign", "", "", ", ".join(acting))
    for at, page in enumerate(reader.pages, start=1):
        contents = page.get_contents()
        if re.search(rb"\b[37] Tr\b", contents.get_data() if contents is not None else b""):
            yield Finding("document_foreign", str(at), "", "Tr")
        if page.cropbox != page.mediabox:
            yield Finding("document_foreign", str(at), "", "CropBox")
        notes = {str(note.get_object().get("/Subtype")) for note in page.get("/Annots", ())} - {"/Link"}
        if notes:
            yield Finding("document_floating", str(at), "", ", ".join(sorted(notes)), False)
    if data.count(b"startxref") > 1:
        yield Finding("document_appended", "", "", "", False)
