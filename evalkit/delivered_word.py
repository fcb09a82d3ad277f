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

MOST_BYTES = 500_000_000  # unpacked; a report of 60 pictures has 15 million

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# Struck out, moved away, shown a second time for old programs, in a box of its own, a formula.
_UNREAD = {_W + "del", _W + "moveFrom", "Fallback", "txbxContent", "oMath", _W + "pPr", _W + "rPr"}
_BREAKS = {_W + "tab", _W + "br", _W + "cr"}
_UNSEEN = (
    "vanish",
    "webHidden",
    "specVanish",
    "strike",
    "dstrike",
)  # what makes a run of Word no text of its reader's
_SMALLEST = 8  # half points, of type that can be read; eighty twentieths of a point, of a line
_PALE = 0.85  # of white; text in such a colour, on paper
_CROPPED = 1_000  # a hundredth, as drawings count: of a picture's side
_SHORTEST = 360_000  # a centimetre, as drawings count: of a picture that can be seen


def _package(data: bytes) -> tuple[zipfile.ZipFile, Callable[[str], Any]]:
    """A Word file, and how to read one of its parts: an empty element where it has no such part."""
    from lxml import etree

    package = zipfile.ZipFile(io.BytesIO(data))
    if sum(entry.file_size for entry in package.infolist()) > MOST_BYTES:
        raise DataError([Problem("docx", "document_too_large", {"found": len(data), "expected": MOST_BYTES})])
    names = set(package.namelist())

    def part(name: str) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(package.read(name), parser) if name in names else etree.Element("none")

    return package, part


def _styles(part: Callable[[str], Any]) -> dict[str, Any]:
    return {style.get(_W + "styleId"): style for style in part("word/styles.xml").iter(_W + "style")}


def read_pieces(data: bytes) -> Iterator[Piece]:
    """Its pieces in order, of what its reader can see."""
    package, part = _package(data)
    names = set(package.namelist())
    media = {
        link.get("Id"): hashlib.sha256(package.read(target)).hexdigest()
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
    return _Docx(media, _styles(part), notes, paged).pieces(document)


class _Docx:
    """Walks through the body of a Word document."""

    def __init__(
        self, media: dict[str, str], styles: dict[str, Any], notes: dict[tuple[str, str], Any], paged: bool
    ) -> None:
        self.media, self.styles, self.notes = media, styles, notes
        self.page = 1 if paged else None
        self.tables = 0

    def pieces(self, element: Any) -> Iterator[Piece]:
        for child in element:
            if child.tag == _W + "p":
                yield from self.paragraph(child)
            elif child.tag == _W + "tbl":
                self.tables += 1
                yield from self.rows(child, self.tables)
            elif isinstance(child.tag, str) and not self.unread(child):
                yield from self.pieces(child)

    def rows(self, table: Any, number: int) -> Iterator[Piece]:
        for row in table.iter(_W + "tr"):
            if next(row.iterancestors(_W + "tbl")) is table and not _folded(row.find(_W + "trPr")):
                cells = [
                    [piece for paragraph in cell.iter(_W + "p") for piece in self.paragraph(paragraph)]
                    for cell in row.iter(_W + "tc")
                    if next(cell.iterancestors(_W + "tr")) is row and not _covered(cell)
                ]
                texts = tuple(" ".join(p.text for p in cell if p.kind != "picture") for cell in cells)
                yield Piece("row", texts, page=self.page, table=number)
                yield from (piece for cell in cells for piece in cell if piece.kind == "picture")

    def paragraph(self, paragraph: Any) -> Iterator[Piece]:
        words: list[str] = []
        after: list[Piece] = []
        name, unseen = self.style(paragraph.find(f"{_W}pPr/{_W}pStyle"))
        line = paragraph.find(f"{_W}pPr/{_W}spacing")
        exact = line is not None and line.get(_W + "lineRule") == "exact" and int(line.get(_W + "line", 240)) <= 80
        self.walk(paragraph, words, after, unseen or exact)
        kind = "heading" if name.startswith("heading ") else "contents" if _CONTENTS.match(name) else "paragraph"
        yield from (piece for piece in after if piece.kind == "picture")
        yield Piece(kind, ("".join(words),), page=self.page)
        yield from (piece for piece in after if piece.kind != "picture")

    def walk(self, element: Any, words: list[str], after: list[Piece], unseen: bool = False) -> None:
        for child in element:
            name = _local(child)
            if child.tag == _W + "t":
                words.append("" if unseen else child.text or "")
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
                after.append(Piece("formula", ("".join(child.itertext()),), page=self.page))
            elif name in ("inline", "anchor", "pict"):
                after.extend(self.picture(child))
                self.walk(child, words, after, unseen)
            elif not self.unread(child):
                self.walk(child, words, after, unseen)

    def picture(self, drawing: Any) -> Iterator[Piece]:
        links = [e.get(_R + "embed") or e.get(_R + "id") for e in drawing.iter() if _local(e) in _BLIPS]
        alt = next((e.get("descr", "") for e in drawing.iter() if _local(e) == "docPr"), "")
        cut = any(
            int(side) > _CROPPED for e in drawing.iter() if _local(e) == "srcRect" for side in e.attrib.values()
        )
        small = any(int(side) < _SHORTEST for e in drawing if _local(e) == "extent" for side in e.attrib.values())
        if links:
            digests = tuple("" if cut or small else self.media.get(link, "") for link in links)
            yield Piece("picture", (alt,), page=self.page, digests=digests)

    def unread(self, element: Any) -> bool:
        if element.tag == _W + "r":
            properties = element.find(_W + "rPr")
            return properties is not None and (self.style(properties.find(_W + "rStyle"))[1] or _unseen(properties))
        return element.tag in _UNREAD or _local(element) in _UNREAD

    def style(self, named: Any) -> tuple[str, bool]:
        """The name of the style that an element refers to, and whether its text cannot be seen."""
        name, unseen, seen = "", False, set[str]()
        key = named.get(_W + "val") if named is not None else None
        while key in self.styles and key not in seen:
            seen.add(key)
            style = self.styles[key]
            name = name or (style.find(_W + "name").get(_W + "val", "").casefold())
            properties, base = style.find(_W + "rPr"), style.find(_W + "basedOn")
            unseen |= properties is not None and _unseen(properties)
            key = base.get(_W + "val") if base is not None else None
        return name, unseen


def _unseen(properties: Any) -> bool:
    """Whether a run with these properties is nothing that its reader sees as said."""
    value = {_local(one): one.get(_W + "val", "1") for one in properties}
    if any(value.get(name, "0") not in ("0", "false", "off") for name in _UNSEEN):
        return True
    colour, shade = value.get("color", "auto"), properties.find(_W + "shd")
    paper = shade.get(_W + "fill", "auto") if shade is not None else "auto"
    pale = colour != "auto" and min(bytes.fromhex(colour)) >= _PALE * 255
    dark = paper != "auto" and min(bytes.fromhex(paper)) < _PALE * 255
    scaled = int(value.get("w", "100").removesuffix("%"))
    return (pale and not dark) or colour == paper != "auto" or float(value.get("sz", 99)) <= _SMALLEST or scaled < 20


def _folded(properties: Any) -> bool:
    """Whether a table's row is deleted, hidden or too low to be seen."""
    if properties is None:
        return False
    height = properties.find(_W + "trHeight")
    low = height is not None and height.get(_W + "hRule") == "exact" and int(height.get(_W + "val", 0)) <= 80
    return low or any(properties.find(_W + name) is not None for name in ("del", "hidden"))


def _covered(cell: Any) -> bool:
    """Whether the cell above one stands over it."""
    merged = cell.find(f"{_W}tcPr/{_W}vMerge")
    return merged is not None and merged.get(_W + "val", "continue") == "continue"


_CONTENTS = re.compile(r"toc \d|table of figures")
_BLIPS = ("blip", "svgBlip", "imagedata")


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def read_headers(data: bytes) -> list[tuple[str, str]]:
    """Name and words of each part that is a page header."""
    package, part = _package(data)
    headers = sorted(name for name in package.namelist() if re.fullmatch(r"word/header\d*\.xml", name))
    reader = _Docx({}, _styles(part), {}, False)
    return [(name, normal_words(" ".join(p.text for p in reader.pieces(part(name))))) for name in headers]
