"""A delivered report read back: what a docx, html or pdf says to its reader, whoever saved it last."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from evalkit.encodings import normal_form
from evalkit.errors import DataError, Problem

MOST_BYTES = 500_000_000  # unpacked; a report of 60 pictures has 15 million

_FOLDED = str.maketrans(
    {**dict.fromkeys("−–—‑‒", "-"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’", "'"), "…": "..."}
)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# Struck out, moved away, shown a second time for old programs, in a box of its own, a formula.
_UNREAD = {_W + "del", _W + "moveFrom", "Fallback", "txbxContent", "oMath", _W + "pPr", _W + "rPr"}
_BREAKS = {_W + "tab", _W + "br", _W + "cr"}


@dataclass(frozen=True)
class Piece:
    """A paragraph, a table row, a picture, or the words of a page.

    kind: heading, paragraph, row, picture (its words are its text alternative) or page. cells: a row's cells, else
        the one text. under: the heading above it. page: from 1, where the file says it. table: number of the table.
    digests: sha256 of a picture's bytes, of both where a vector picture has a second one for old programs.
    """

    kind: str
    cells: tuple[str, ...]
    under: str = ""
    page: int | None = None
    table: int | None = None
    digests: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its words in one line."""
        return " | ".join(self.cells)


def read_blocks(data: bytes, kind: Literal["docx", "html", "pdf"], *, file: str = "") -> list[Piece]:
    """What a delivered document says, in its order, in the form in which re-saved text is equal.

    Results of fields, accepted and proposed insertions, text boxes, links and footnotes are read; deleted and hidden
    text, lists of contents, page headers and formulas are not. Of a pdf the words of each page are read, without
    running titles; its pictures are not.

    data: the bytes of the file. file: its name for messages.
    Raises DataError where the file is no such document or is too large when unpacked.

    >>> read_blocks(b"<h1>A</h1><p>3,2&nbsp;%</p>", "html")[1]
    Piece(kind='paragraph', cells=('3,2 %',), under='A', page=None, table=None, digests=())
    """
    try:
        return _placed({"docx": _docx, "html": _html, "pdf": _pdf}[kind](data))
    except DataError as error:
        raise DataError(replace(problem, file=file or kind) for problem in error.problems) from None
    except Exception as error:  # the parsers of three formats raise what they like on files that are not theirs
        raise DataError([Problem(file or kind, "document_unreadable", {"kind": kind})]) from error


def normal_words(raw: str) -> str:
    """Text in which dashes, quotes and spaces are of one kind each, composed, without soft hyphens.

    >>> normal_words("«−2,5\\u00a0%»")
    '"-2,5 %"'
    """
    return normal_form(raw.translate(_FOLDED))


def _placed(pieces: Iterator[Piece]) -> list[Piece]:
    """Pieces with words or pictures, each under its heading."""
    placed, under = [], ""
    for piece in pieces:
        piece = replace(piece, cells=tuple(map(normal_words, piece.cells)), under=under)
        if any(piece.cells) or piece.digests:
            placed.append(piece)
            under = piece.text if piece.kind == "heading" else under
    return placed


def _docx(data: bytes) -> Iterator[Piece]:
    from lxml import etree

    package = zipfile.ZipFile(io.BytesIO(data))
    if sum(entry.file_size for entry in package.infolist()) > MOST_BYTES:
        raise DataError([Problem("docx", "document_too_large", {"found": len(data), "expected": MOST_BYTES})])
    names = set(package.namelist())

    def part(name: str) -> Any:
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        return etree.fromstring(package.read(name), parser) if name in names else etree.Element("none")

    media = {
        link.get("Id"): hashlib.sha256(package.read(target)).hexdigest()
        for link in part("word/_rels/document.xml.rels")
        if link.get("TargetMode") != "External"
        and (target := posixpath.normpath(posixpath.join("word", link.get("Target")))) in names
        and link.get("Type", "").endswith("/image")
    }
    styles = {
        style.get(_W + "styleId"): name.get(_W + "val", "").casefold()
        for style in part("word/styles.xml").iter(_W + "style")
        if (name := style.find(_W + "name")) is not None
    }
    notes = {note.get(_W + "id"): note for note in part("word/footnotes.xml").iter(_W + "footnote")}
    document = etree.fromstring(package.read("word/document.xml"), etree.XMLParser(resolve_entities=False))
    reader = _Docx(media, styles, notes, next(document.iter(_W + "lastRenderedPageBreak"), None) is not None)
    return reader.pieces(document)


class _Docx:
    """Walks through the body of a Word document."""

    def __init__(self, media: dict[str, str], styles: dict[str, str], notes: dict[str, Any], paged: bool) -> None:
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
            elif isinstance(child.tag, str) and not _unread(child):
                yield from self.pieces(child)

    def rows(self, table: Any, number: int) -> Iterator[Piece]:
        for row in table.iter(_W + "tr"):
            if next(row.iterancestors(_W + "tbl")) is table and row.find(f"{_W}trPr/{_W}del") is None:
                cells = [
                    [piece for paragraph in cell.iter(_W + "p") for piece in self.paragraph(paragraph)]
                    for cell in row.iter(_W + "tc")
                    if next(cell.iterancestors(_W + "tr")) is row
                ]
                texts = tuple(" ".join(p.text for p in cell if p.kind != "picture") for cell in cells)
                yield Piece("row", texts, page=self.page, table=number)
                yield from (piece for cell in cells for piece in cell if piece.kind == "picture")

    def paragraph(self, paragraph: Any) -> Iterator[Piece]:
        words: list[str] = []
        after: list[Piece] = []
        self.walk(paragraph, words, after)
        style = paragraph.find(f"{_W}pPr/{_W}pStyle")
        name = self.styles.get(style.get(_W + "val"), "") if style is not None else ""
        if _CONTENTS.match(name):
            return
        pictures = [piece for piece in after if piece.kind == "picture"]
        yield from pictures
        yield Piece("heading" if name.startswith("heading ") else "paragraph", ("".join(words),), page=self.page)
        yield from (piece for piece in after if piece.kind != "picture")

    def walk(self, element: Any, words: list[str], after: list[Piece]) -> None:
        for child in element:
            name = _local(child)
            if child.tag == _W + "t":
                words.append(child.text or "")
            elif child.tag in _BREAKS:
                words.append(" ")
            elif child.tag == _W + "noBreakHyphen":
                words.append("-")
            elif child.tag == _W + "sym":
                words.append(chr(int(child.get(_W + "char", "20"), 16)))
            elif child.tag == _W + "lastRenderedPageBreak":
                self.page = (self.page or 0) + 1
            elif child.tag == _W + "footnoteReference":
                after.extend(self.pieces(self.notes.get(child.get(_W + "id"), ())))
            elif name == "txbxContent":
                after.extend(self.pieces(child))
            elif name in ("inline", "anchor", "pict"):
                after.extend(self.picture(child))
                self.walk(child, words, after)
            elif not _unread(child):
                self.walk(child, words, after)

    def picture(self, drawing: Any) -> Iterator[Piece]:
        links = [e.get(_R + "embed") or e.get(_R + "id") for e in drawing.iter() if _local(e) in _BLIPS]
        alt = next((e.get("descr", "") for e in drawing.iter() if _local(e) == "docPr"), "")
        if links:
            yield Piece("picture", (alt,), page=self.page, digests=tuple(self.media.get(i, "") for i in links))


_CONTENTS = re.compile(r"toc \d|table of figures")
_BLIPS = ("blip", "svgBlip", "imagedata")


def _local(element: Any) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _unread(element: Any) -> bool:
    if element.tag == _W + "r":
        hidden = element.find(f"{_W}rPr/{_W}vanish")
        return hidden is not None and hidden.get(_W + "val", "1") not in ("0", "false", "off")
    return element.tag in _UNREAD or _local(element) in _UNREAD


_HTML_BLOCKS = re.compile("p|li|dt|dd|h[1-6]|figcaption|caption|blockquote|div|section|figure|body|pre")
_HTML_UNREAD = ("script", "style", "template", "nav", "head", "math", "noscript")
_NOTE = re.compile(r"\d{1,3}")  # the number of a footnote
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")


def _html(data: bytes) -> Iterator[Piece]:
    from lxml import html

    root = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    words: list[str] = []
    yield from _html_pieces(root, words, Counter())
    yield Piece("paragraph", ("".join(words),))


def _html_pieces(element: Any, words: list[str], tables: Counter[str]) -> Iterator[Piece]:
    """The pieces in an element; `words` gathers the text since the last block began."""

    def flush(kind: str = "paragraph") -> Piece:
        piece = Piece(kind, ("".join(words),))
        words.clear()
        return piece

    kind = "heading" if re.fullmatch(r"h[1-6]", str(element.tag)) else "paragraph"
    block = _HTML_BLOCKS.fullmatch(str(element.tag)) is not None
    if element.tag == "table":
        tables["table"] += 1
    if element.tag == "tr":
        yield flush()
        gathered = [list(_cell(cell)) for cell in element if cell.tag in ("td", "th") and not _hidden(cell)]
        texts = tuple(" ".join(p.text for p in cell if p.kind != "picture") for cell in gathered)
        yield Piece("row", texts, table=tables["table"])
        yield from (piece for cell in gathered for piece in cell if piece.kind == "picture")
        return
    if block:
        yield flush()
    words.append(element.text or "")
    for child in element:
        if child.tag == "img":
            yield Piece("picture", (child.get("alt", ""),), digests=(_embedded(child.get("src", "")),))
        elif child.tag == "br":
            words.append(" ")
        elif not _hidden(child) and not _refers(child):
            yield from _html_pieces(child, words, tables)
        words.append(child.tail or "")
    if block:
        yield flush(kind)


def _cell(cell: Any) -> Iterator[Piece]:
    words: list[str] = []
    yield from _html_pieces(cell, words, Counter())
    yield Piece("paragraph", ("".join(words),))


def _hidden(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in _HTML_UNREAD:
        return True
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style", "")))


def _refers(element: Any) -> bool:
    """Whether it is the raised number of a footnote, which is no word of the passage, and nothing else."""
    words = "".join(element.itertext())
    raised = [child.tag for child in element] == ["sup"] and words == "".join(element[0].itertext())
    return element.get("class") == "footnote-ref" and raised and _NOTE.fullmatch(words) is not None


def _embedded(address: str) -> str:
    """The digest of a picture that stands in its own address, nothing for one elsewhere."""
    from urllib.parse import unquote_to_bytes

    head, _, body = address.partition(",")
    if not head.startswith("data:"):
        return ""
    try:
        raw = base64.b64decode(body, validate=True) if head.endswith(";base64") else unquote_to_bytes(body)
    except binascii.Error:
        return ""
    return hashlib.sha256(raw).hexdigest()


def _pdf(data: bytes) -> Iterator[Piece]:
    from pypdf import PdfReader

    pages, notes = zip(*(_lines(page) for page in PdfReader(io.BytesIO(data)).pages), strict=True)
    # A running title stands near the edge of most pages, with a number that counts them or without.
    edges = [{*lines[:2], *lines[-2:]} for lines in pages]
    seen = Counter(key for at, edge in enumerate(edges) for key in set().union(*(_running(e, at) for e in edge)))
    often = {key for key, count in seen.items() if count > max(len(pages) / 2, 1)}
    for at, (lines, edge) in enumerate(zip(pages, edges, strict=True)):
        kept = [line for line in lines if line not in edge or not _running(line, at) & often]
        words = re.sub(r"(\w)(?:\xad|\u2010)\n(?=\w)", r"\1", "\n".join(kept))
        yield Piece("page", (words,), page=at + 1)
        yield Piece("paragraph", (notes[at],), page=at + 1)


def _running(line: str, page: int) -> set[str]:
    """What is equal in a running title on all pages: the line, or it with numbers counted from the page's."""
    counted = re.sub(r"\d{1,4}", lambda found: f"#{int(found[0]) - page}", line)
    return {normal_words(counted)} | ({normal_words(line)} if re.search(r"[^\W\d]", line) else set())


_GLUED = re.compile(r"\w\d|\d\w")  # no space between two texts set apart, one of them a number


_Chunk = tuple[str, float, tuple[float, float]]  # words, size of type, place


def _lines(page: Any) -> tuple[list[str], str]:
    """The lines of a page, and its footnotes; pypdf alone glues the cells of a table's rows to each other."""
    chunks: list[_Chunk] = []
    last = (0.0, 0.0)

    def gather(words: str, matrix: list[float], text_matrix: list[float], _: Any, size: float) -> None:
        nonlocal last
        if words.strip():
            here = (matrix[4] + text_matrix[4], round(matrix[5] + text_matrix[5]))
            if here[1] != last[1] or here[0] < last[0]:
                chunks.append(("\n", 0, here))
            elif here != last and _GLUED.fullmatch(chunks[-1][0][-1:] + words[:1]):
                chunks.append((" ", 0, here))
            last = here
        chunks.extend([(words, size, last)] if words else [])

    page.extract_text(visitor_text=gather)
    links = [note["/Rect"] for note in page.annotations or () if note.get("/Subtype") == "/Link"]
    body, notes = _noted(chunks, [[float(edge) for edge in link] for link in links])
    return [line for line in body.split("\n") if line.strip()], notes


def _noted(chunks: list[_Chunk], links: list[list[float]]) -> tuple[str, str]:
    """The words of a page and of its footnotes, which stand below in smaller type; their numbers are links."""
    numbers = [
        at
        for at, (words, _, (x, y)) in enumerate(chunks)
        if _NOTE.fullmatch(words) and any(a - 1 <= x <= c + 1 and b - 1 <= y <= d + 1 for a, b, c, d in links)
    ]
    small = min((chunks[at][1] for at in numbers), default=0)
    start = next((at for at in numbers if chunks[at][1] == small), 0)
    end = next(
        (at for at in range(start, len(chunks)) if chunks[at][0].strip() and chunks[at][1] != small), len(chunks)
    )
    noted = {chunks[at][0] for at in numbers if start <= at < end}
    referring = {at for at in numbers if at < start and chunks[at][0] in noted and chunks[at][1] > small}
    if not referring:
        return "".join(words for words, *_ in chunks), ""
    kept = ["" if at in numbers and (at in referring or at >= start) else chunk[0] for at, chunk in enumerate(chunks)]
    return "".join(kept[:start] + kept[end:]), "".join(kept[start:end])
