"""A delivered report read back: what a docx, html or pdf says to its reader, whoever saved it last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from evalkit import delivered_page, delivered_pdf, delivered_word
from evalkit.errors import DataError, Problem
from evalkit.pieces import Piece, normal_words

Kind = Literal["docx", "html", "pdf"]
_READERS = {"docx": delivered_word, "html": delivered_page, "pdf": delivered_pdf}


def read_blocks(data: bytes, kind: Kind, *, file: str = "") -> list[Piece]:
    """What a delivered document says, in its order, in the form in which re-saved text is equal.

    Results of fields, accepted and proposed insertions, text boxes, links, footnotes and endnotes are read. What its
    reader cannot see is not: deleted, hidden, struck, white or tiny text, whether by itself or by its style; nor are
    page headers. Of a pdf the words of each page are read, without running titles; its pictures are not.

    data: the bytes of the file. file: its name for messages.
    Raises DataError where the file is no such document or is too large when unpacked.

    >>> read_blocks(b"<h1>A</h1><p>3,2&nbsp;%</p>", "html")[1]
    Piece(kind='paragraph', cells=('3,2 %',), under='A', page=None, table=None, digests=())
    """
    try:
        return _placed(_READERS[kind].read_pieces(data))
    except DataError as error:
        raise DataError(replace(problem, file=file or kind) for problem in error.problems) from None
    except Exception as error:  # the parsers of three formats raise what they like on files that are not theirs
        raise DataError([Problem(file or kind, "document_unreadable", {"kind": kind})]) from error


def read_headers(data: bytes, kind: Kind) -> list[tuple[str, str]]:
    """Place and words of each page header of a docx, of the banner of an html, of each whole page of a pdf."""
    return _READERS[kind].read_headers(data)


def _placed(pieces: Iterator[Piece]) -> list[Piece]:
    """Pieces with words or pictures, each under its heading."""
    placed, under = [], ""
    for piece in pieces:
        piece = replace(piece, cells=tuple(map(normal_words, piece.cells)), under=under)
        if any(piece.cells) or piece.digests:
            placed.append(piece)
            under = piece.text if piece.kind == "heading" else under
    return placed
