"""What a page of a browser says to its reader."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from evalkit.pieces import Piece, normal_words

_BLOCKS = re.compile("p|li|dt|dd|h[1-6]|figcaption|caption|blockquote|div|section|figure|body|pre")
_UNREAD = ("script", "style", "template", "head", "noscript", "del", "s", "strike")
_NOTE = re.compile(r"\d{1,3}")  # the number of a footnote
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")


def read_pieces(data: bytes) -> Iterator[Piece]:
    """Its pieces in order, of what its reader can see."""
    from lxml import html

    root = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    words: list[str] = []
    yield from _pieces(root, words, Counter())
    yield Piece("paragraph", ("".join(words),))


def _pieces(element: Any, words: list[str], tables: Counter[str]) -> Iterator[Piece]:
    """The pieces in an element; `words` gathers the text since the last block began."""

    def flush(kind: str = "paragraph") -> Piece:
        piece = Piece(kind, ("".join(words),))
        words.clear()
        return piece

    kind = "heading" if re.fullmatch(r"h[1-6]", str(element.tag)) else "paragraph"
    block = _BLOCKS.fullmatch(str(element.tag)) is not None
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
            yield Piece("picture", (child.get("alt", ""),), digests=(embedded(child.get("src", "")),))
        elif child.tag == "br":
            words.append(" ")
        elif child.tag == "math":
            yield Piece("formula", ("".join(child.itertext()),))
        elif child.get("class") == "footnote-back":
            pass
        elif child.tag == "nav":
            yield flush()
            yield from (replace(piece, kind="contents") for piece in _pieces(child, words, tables))
        elif not _hidden(child) and not _refers(child):
            yield from _pieces(child, words, tables)
        words.append(child.tail or "")
    if block:
        yield flush(kind)


def _cell(cell: Any) -> Iterator[Piece]:
    words: list[str] = []
    yield from _pieces(cell, words, Counter())
    yield Piece("paragraph", ("".join(words),))


def _hidden(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in _UNREAD:
        return True
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style", "")))


def _refers(element: Any) -> bool:
    """Whether it is the raised number of a footnote, which is no word of the passage, and nothing else."""
    words = "".join(element.itertext())
    raised = [child.tag for child in element] == ["sup"] and words == "".join(element[0].itertext())
    return element.get("class") == "footnote-ref" and raised and _NOTE.fullmatch(words) is not None


def embedded(address: str) -> str:
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


def read_headers(data: bytes) -> list[tuple[str, str]]:
    """The words of each banner."""
    from lxml import html

    root = html.document_fromstring(data, parser=html.HTMLParser(encoding="utf-8"))
    return [("banner", normal_words(found.text_content())) for found in root.find_class("banner")]
