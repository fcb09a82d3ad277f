"""What a Word document says to its reader, whoever saved it last."""

from __future__ import annotations

import hashlib
import io
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from evalkit.errors import DataError, Problem
from evalkit.pieces import Piece, normal_words
from evalkit.visibility import LOWEST, Styles, fill, folded, hides, number, struck

MOST_BYTES = 500_000_000  # unpacked; a report of 60 pictures has 15 million

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# Deleted, moved away, shown a second time for old programs, in a box of its own, a formula.
_UNREAD = {_W + "del", _W + "moveFrom", "Fallback", "txbxContent", "oMath", _W + "pPr", _W + "rPr"}
_BREAKS = {_W + "tab", _W + "br", _W + "cr"}
_CROPPED = 1_000  # a hundredth, as drawings count: of a picture's side
_SHORTEST = 1_800_000  # five centimetres, as drawings count: of a picture that can be read


def _package(data: bytes) -> tuple[zipfile.ZipFile, Callable[[str], Any]]:
    """A Word file, and how to read one of its parts: an empty element where it has no such part."""
    from lxml import etree

    package = zipfile.ZipFile(io.BytesIO(data))
    if sum(entry.file_size for entry in package.infolist()) > MOST_BYTES:
        raise DataError([Problem("docx", "document_too_large", {"found": len(data), "expected": MOST_BYTES})])
    names = set(package.namelist())

    def part(name: str) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(package.read(name), parser) if name in names else etree.Element("none")

    return package, part


def read_pieces(data: bytes) -> Iterator[Piece]:
    """Its pieces in order, of what its reader can see."""
    package, part = _package(data)
    names = set(package.namelist())
    media = {
        link.get("Id"): package.read(target)
        for link in part("word/_rels/document.xml.rels")
        if link.get("TargetMode") != "External"
        and (target := posixpath.normpath(posixpath.join("word", link.get("Target")))) in names
        and link.get("Type", "").endswith("/image")
    }
    notes = {
        (kind, note.get(_W + "id")): note
        for kind in ("footnote", "endnote")
        for note in part(f"word/{kind}s.xml").iter(_W + kind)
    }
    if "word/document.xml" not in names:
        raise KeyError("word/document.xml")
    document = part("word/document.xml")
    paged = next(document.iter(_W + "lastRenderedPageBreak"), None) is not None
    return _Docx(media, Styles(part("word/styles.xml")), notes, paged).pieces(document)


class _Docx:
    """Walks through the body of a Word document."""

    def __init__(
        self, media: dict[str, bytes], styles: Styles, notes: dict[tuple[str, str], Any], paged: bool
    ) -> None:
        self.media, self.styles, self.notes = media, styles, notes
        self.page = 1 if paged else None
        self.tables = 0
        self.paper = "auto"  # the colour of the cell in which the walk is

    def pieces(self, element: Any) -> Iterator[Piece]:
        for child in element:
            if child.tag == _W + "p":
                yield from self.paragraph(child)
            elif child.tag == _W + "tbl":
                self.tables += 1
                yield from self.rows(child, self.tables)
            elif _local(child) == "oMath":
                yield self.formula(child)
            elif child.tag not in _UNREAD and _local(child) not in _UNREAD:
                yield from self.pieces(child)

    def rows(self, table: Any, number: int) -> Iterator[Piece]:
        for row in table.iter(_W + "tr"):
            if next(row.iterancestors(_W + "tbl")) is table and not _folded(row.find(_W + "trPr")):
                own = (cell for cell in row.iter(_W + "tc") if next(cell.iterancestors(_W + "tr")) is row)
                cells = [list(self.cell(cell)) for cell in own if not _covered(cell)]
                texts = tuple(" ".join(p.text for p in cell if p.kind in _WORDS) for cell in cells)
                yield Piece("row", texts, page=self.page, table=number)
                yield from (piece for cell in cells for piece in cell if piece.kind not in _WORDS)

    def cell(self, cell: Any) -> Iterator[Piece]:
        outside, self.paper = self.paper, fill(cell.find(f"{_W}tcPr/{_W}shd"))
        for paragraph in cell.iter(_W + "p"):
            yield from self.paragraph(paragraph)
        self.paper = outside

    def paragraph(self, paragraph: Any) -> Iterator[Piece]:
        words: list[str] = []
        hidden: list[str] = []
        after: list[Piece] = []
        self.walk(paragraph, paragraph, words, hidden, after)
        name = self.styles.name(paragraph)
        kind = "heading" if name.startswith("heading ") else "contents" if _CONTENTS.match(name) else "paragraph"
        if folded(self.styles.of_paragraph(paragraph)):
            words, hidden = [], [*words, *hidden]
        yield from (piece for piece in after if piece.kind == "picture")
        yield Piece(kind, ("".join(words),), page=self.page)
        yield Piece("hidden", ("".join(hidden),), page=self.page)
        yield from (piece for piece in after if piece.kind != "picture")

    def walk(self, element: Any, paragraph: Any, words: list[str], hidden: list[str], after: list[Piece]) -> None:
        for child in element:
            name = _local(child)
            if child.tag == _W + "r":
                run = self.styles.of_run(child, paragraph)
                unseen = hides(run, self.styles.of_paragraph(paragraph), self.paper)
                said = [] if struck(run) else hidden if unseen else words
                self.walk(child, paragraph, said, hidden, after)
            elif child.tag == _W + "t":
                words.append("".join(child.itertext("*")))
            elif child.tag in _BREAKS:
                words.append(" ")
            elif child.tag == _W + "noBreakHyphen":
                words.append("-")
            elif child.tag == _W + "sym":
                words.append(chr(int(child.get(_W + "char", "20"), 16)))
            elif child.tag == _W + "lastRenderedPageBreak":
                self.page = (self.page or 0) + 1
            elif name in ("footnoteReference", "endnoteReference"):
                after.extend(self.pieces(self.notes.get((name[:-9], child.get(_W + "id")), ())))
            elif name == "txbxContent":
                after.extend(self.pieces(child))
            elif name == "oMath":
                after.append(self.formula(child))
            elif name in ("inline", "anchor", "pict"):
                after.extend(self.picture(child))
                self.walk(child, paragraph, words, hidden, after)
            elif child.tag not in _UNREAD and name not in _UNREAD:
                self.walk(child, paragraph, words, hidden, after)

    def formula(self, element: Any) -> Piece:
        return Piece("formula", ("".join(element.itertext()),), page=self.page)

    def picture(self, drawing: Any) -> Iterator[Piece]:
        links = [e.get(_R + "embed") or e.get(_R + "id") for e in drawing.iter() if _local(e) in _BLIPS]
        alt = next((e.get("descr", "") for e in drawing.iter() if _local(e) == "docPr"), "")
        if links:
            held = [self.media.get(link, b"") for link in links]
            spoilt = _spoilt(drawing)
            digests = tuple("" if spoilt else hashlib.sha256(one).hexdigest() for one in held)
            yield Piece("picture", (alt,), page=self.page, digests=digests)


def _spoilt(drawing: Any) -> bool:
    """Whether a drawing shows its picture otherwise than as it is: cropped, turned, tinted, too small."""
    for one in drawing.iter():
        name = _local(one)
        if name in ("srcRect", "fillRect") and any(abs(number(side, 0)) > _CROPPED for side in one.attrib.values()):
            return True
        if name == "xfrm" and any(one.get(turn, "0") not in ("0", "false") for turn in ("rot", "flipH", "flipV")):
            return True
        if name == "blip" and (one.get(_R + "link") or any(_local(child) != "extLst" for child in one)):
            return True
    size = next((one for one in drawing if _local(one) == "extent"), None)
    if size is None:
        return False
    return number(size.get("cx"), 0) < _SHORTEST


def _folded(properties: Any) -> bool:
    """Whether a table's row is deleted, hidden or too low to be seen."""
    if properties is None:
        return False
    height = properties.find(_W + "trHeight")
    low = height is not None and height.get(_W + "hRule") == "exact" and number(height.get(_W + "val"), 0) < LOWEST
    return low or any(properties.find(_W + name) is not None for name in ("del", "hidden"))


def _covered(cell: Any) -> bool:
    """Whether the cell above one stands over it."""
    merged = cell.find(f"{_W}tcPr/{_W}vMerge")
    return merged is not None and merged.get(_W + "val", "continue") == "continue"


_CONTENTS = re.compile(r"toc \d|table of figures")
_WORDS = ("paragraph", "heading", "contents")
_BLIPS = ("blip", "svgBlip", "imagedata")


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def read_headers(data: bytes) -> list[tuple[str, str]]:
    """Place and words of the page headers of each section: of its pages, and of its first where that is another."""
    from lxml import etree

    _, part = _package(data)
    targets = {link.get("Id"): link.get("Target") for link in part("word/_rels/document.xml.rels")}
    reader = _Docx({}, Styles(part("word/styles.xml")), {}, False)
    kinds = ["default", *(["even"] if part("word/settings.xml").find(_W + "evenAndOddHeaders") is not None else [])]
    current: dict[str, str] = {}
    found: dict[str, str] = {}
    for at, section in enumerate(part("word/document.xml").iter(_W + "sectPr"), start=1):
        for link in section.findall(_W + "headerReference"):
            current[link.get(_W + "type", "default")] = targets.get(link.get(_R + "id"), "")
        first = section.find(_W + "titlePg")
        own = ["first"] if first is not None and first.get(_W + "val", "1") not in ("0", "false") else []
        for kind in (*kinds, *own):
            name = current.get(kind, "")
            header = part(f"word/{name}") if name else etree.Element("none")
            words = " ".join(piece.text for piece in reader.pieces(header) if piece.kind in _WORDS)
            found[f"{at} {kind} {name}".strip()] = normal_words(words)
    return list(found.items())
