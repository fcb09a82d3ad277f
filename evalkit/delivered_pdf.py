"""What the pages of a PDF say to their reader."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from evalkit.pieces import Piece, normal_words

_NOTE = re.compile(r"\d{1,3}")  # the number of a footnote


def read_pieces(data: bytes) -> Iterator[Piece]:
    """The words of each page, without running titles, and those of its footnotes."""
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


def read_headers(data: bytes) -> list[tuple[str, str]]:
    """Number and words of each whole page."""
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(data)).pages
    return [(str(at), normal_words(page.extract_text())) for at, page in enumerate(pages, start=1)]
