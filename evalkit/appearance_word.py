"""What in a Word file could show something else than its words: parts elsewhere, fields, alternatives, shapes."""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator

from evalkit.language import LANGUAGES, text
from evalkit.ledger_check import Finding
from evalkit.visibility import W, unseen

# Where every Word file has its parts: whoever reads them there must not be shown others.
_USUAL = {"officeDocument": "document.xml"} | {
    name: f"{name}.xml" for name in ("styles", "numbering", "footnotes", "endnotes", "settings")
}
_FIELDS = {"TOC", "PAGEREF", "REF", "SEQ", "PAGE", "NUMPAGES", "HYPERLINK", "NOTEREF", "STYLEREF"}
# Of drawings: what Word and LibreOffice write themselves, and can show.
_KNOWN = {"wps", "wpg", "wpc", "wpi", "wp14", "w14", "w15", "w16se", "w16cid", "a14", "v"}
_SHAPES = ("picture", "wordprocessingShape", "wordprocessingGroup", "wordprocessingCanvas")
_CHANGING = re.compile(r"<w:(altChunk|dataBinding|gridBefore|gridAfter|gridSpan|bidiVisual|bdo|rtl|framePr|object)\b")
_FLOATING = re.compile(r"<wp:anchor\b|<v:(?:shape|rect|line|oval)\b|<w:tblpPr\b")
_LISTED = ("object",)


def foreign(data: bytes) -> Iterator[Finding]:
    """What evalkit and word processors do not write into a report by themselves."""
    package = zipfile.ZipFile(io.BytesIO(data))
    doubled = [name for name, count in Counter(package.namelist()).items() if count > 1]
    parts = {
        name: package.read(name).decode("utf-8", "replace")
        for name in package.namelist()
        if name.endswith((".xml", ".rels")) and not name.startswith("customXml/")
    }
    found = [*doubled, *_relations(parts)]
    floating = 0
    for name in sorted(parts):
        if re.fullmatch(r"word/(?:document|footnotes|endnotes|header\d*|footer\d*)\.xml", name):
            found += _body(parts[name])
            floating += len(_FLOATING.findall(parts[name]))
    found += _tables(parts.get("word/styles.xml", "<none/>"))
    found += _numbering(parts.get("word/numbering.xml", ""))
    for one in dict.fromkeys(found):
        yield Finding("document_foreign", "", new=one, fails=one not in _LISTED)
    if floating:
        yield Finding("document_floating", "", new=str(floating), fails=False)


def _relations(parts: dict[str, str]) -> Iterator[str]:
    """Relations with one name, and parts that are not where they usually are."""
    for name, xml in parts.items():
        if name.endswith(".rels"):
            yield from (key for key, count in Counter(re.findall(r'\bId="([^"]*)"', xml)).items() if count > 1)
            for link in re.findall(r"<Relationship\b[^>]*>", xml):
                kind = re.search(r'\bType="[^"]*/(\w+)"', link)
                target = re.search(r'\bTarget="/?([^"]*)"', link)
                usual = _USUAL.get(kind[1]) if kind else None
                if usual and target and target[1].removeprefix("word/") != usual:
                    yield target[1]


def _body(xml: str) -> Iterator[str]:
    yield from _CHANGING.findall(xml)
    codes = re.findall(r"<w:instrText\b[^>]*>([^<]*)<", xml) + re.findall(
        r'<w:fldSimple\b[^>]*w:instr="([^"]*)"', xml
    )
    starts = len(re.findall(r'w:fldCharType="begin"', xml))
    separated = len(re.findall(r'w:fldCharType="separate"', xml))
    yield from sorted({code.split()[0] for code in codes if code.split()} - _FIELDS - _continued(codes))
    if starts != separated:
        yield "fldChar"
    if re.search(r'w:dirty="(?:1|true|on)"', xml):
        yield "dirty"
    for wanted in re.findall(r'<mc:Choice\b[^>]*Requires="([^"]*)"', xml):
        yield from sorted(set(wanted.split()) - _KNOWN)
    for uri in re.findall(r'<a:graphicData\b[^>]*uri="([^"]*)"', xml):
        kind = uri.rpartition("/")[2]
        if kind not in _SHAPES:
            yield kind


def _continued(codes: list[str]) -> set[str]:
    """Second halves of codes that a word processor has cut: «\\h», «_Ref12»."""
    return {code.split()[0] for code in codes if code.split() and code.split()[0][0] in '\\"_'}


def _tables(xml: str) -> Iterator[str]:
    """Styles of tables in which text is not seen."""
    from lxml import etree

    styles = etree.fromstring(xml.encode("utf-8"), etree.XMLParser(resolve_entities=False, no_network=True))
    for style in styles.iter(f"{W}style"):
        if style.get(f"{W}type") == "table" and any(unseen(one) for one in style.iter(f"{W}rPr")):
            yield str(style.get(f"{W}styleId"))


def _numbering(xml: str) -> Iterator[str]:
    """Numbers of headings and lists that say more than a number."""
    names = {text(key, one).casefold() for key in ("word_chapter", "word_appendix") for one in LANGUAGES}
    for level in re.findall(r'<w:lvlText\b[^>]*w:val="([^"]*)"', xml):
        said = re.sub(r"%\d", "", level).casefold()
        if re.search(r"\d", said) or re.search(r"[^\W\d_]{2,}", re.sub("|".join(names), "", said)):
            yield level
