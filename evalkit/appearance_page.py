"""What in a page could show something else than its words: whatever evalkit does not write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from evalkit.delivered_page import embedded
from evalkit.language import Language
from evalkit.ledger_check import Finding
from evalkit.webpage import stylesheet

# What the pages of evalkit are built of; team text adds formulas and code.
_TAGS = re.compile(
    "html|head|meta|title|style|body|a|div|header|main|nav|section|article|h[1-6]|p|ul|ol|li|dl|dt|dd|table|caption"
    "|colgroup|col|thead|tbody|tfoot|tr|th|td|figure|figcaption|img|span|strong|em|u|del|sub|sup|code|pre|blockquote"
    "|br|hr|q|script|math|semantics|annotation|m(?:row|i|n|o|text|space|sup|sub|subsup|frac|sqrt|root|over|under"
    "|underover|table|tr|td)"
)
_ATTRIBUTES = re.compile(
    "id|class|href|lang|role|scope|tabindex|alt|src|style|type|start|aria-[a-z]+|display|xmlns|encoding"
    "|mathvariant|stretchy|form|accent|columnalign|columnspacing|rowspacing|separator"
)
_VALUES = {
    "href": re.compile(r"(?:#|https?:|mailto:)\S*"),
    "src": re.compile(r"data:image/(?:svg\+xml|png);base64,[\w+/=\s]*"),
    "style": re.compile(r"text-align: ?\w+;?"),
}
_PLACED = {"skip": ("a", "body"), "banner": ("div", "body")}  # classes that lay an element elsewhere: only there
_WITHIN = {"tr": ("td", "th"), "thead": ("tr",), "tbody": ("tr",), "tfoot": ("tr",), "colgroup": ("col",)}
_WITHIN |= {"table": ("caption", "colgroup", "thead", "tbody", "tfoot")}


def foreign(data: bytes, language: Language, ledger: dict[str, Any]) -> Iterator[Finding]:
    """Parts, attributes, pictures and styles that are not evalkit's."""
    from lxml import html

    parser = html.HTMLParser(encoding="utf-8")
    root = html.document_fromstring(data, parser=parser)
    template = (files("evalkit") / "templates" / "report.html").read_text(encoding="utf-8")
    own = [dict(meta.attrib) for meta in html.document_fromstring(template).iter("meta")]
    drawn = {one.get("svg_sha256") for one in ledger.get("pictures", ())} | {
        one.get("png_sha256") for one in ledger.get("pictures", ())
    }
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        foreign = [] if _TAGS.fullmatch(element.tag) else [element.tag]
        attributes = dict(element.attrib)
        if element.tag == "script" and attributes != {"type": "application/json", "id": "ledger"}:
            foreign.append("script")
        if element.tag == "img" and embedded(element.get("src", "")) not in drawn:
            foreign.append("img")
        if element.tag == "del" and (len(element) or next(element.iterancestors("nav", "table"), None) is not None):
            foreign.append("del")
        for name, value in attributes.items() if element.tag != "meta" else ():
            wide = element.tag == "col" and name == "style" and re.fullmatch(r"width: ?[\d.]+%;?", value)
            known = _ATTRIBUTES.fullmatch(name) and (name != "display" or element.tag == "math")
            if not known or (name in _VALUES and not _VALUES[name].fullmatch(value) and not wide):
                foreign.append(f"{element.tag} {name}")
        for placed in set(element.get("class", "").split()) & _PLACED.keys():
            around = element.getparent()
            if (element.tag, around.tag if around is not None else "") != _PLACED[placed] or len(element):
                foreign.append(f"{element.tag} class={placed}")
        if element.tag in _WITHIN:
            foreign += [f"{element.tag} {one.tag}" for one in element if one.tag not in _WITHIN[element.tag]]
            if any((words or "").strip() for words in (element.text, *(one.tail for one in element))):
                foreign.append(f"{element.tag} text")
        yield from (Finding("document_foreign", "", new=one) for one in dict.fromkeys(foreign))
    if [dict(meta.attrib) for meta in root.iter("meta")] != own:
        yield Finding("document_foreign", "head", "", "meta")
    styles = "\n".join(style.text or "" for style in root.iter("style"))
    if styles.split() != stylesheet(language, simulated=ledger["simulated"]).split():
        same = ledger["software"].get("evalkit") == version("evalkit")
        yield Finding("document_style", "head", "", "style", same)
