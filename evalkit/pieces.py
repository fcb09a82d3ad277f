"""What a document says, piece by piece, in the form in which the same words are equal."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.encodings import normal_form

_FOLDED = str.maketrans(
    {**dict.fromkeys("−–—‑‒", "-"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’", "'"), "…": "..."}
)


@dataclass(frozen=True)
class Piece:
    """A paragraph, a table row, a picture, or the words of a page.

    kind: heading, paragraph, contents (a line of a list of contents), row, picture (its words are its text
        alternative), formula or page. cells: a row's cells, else the one text. under: the heading above it. page:
        from 1, where the file says it. table: number of the table. digests: sha256 of a picture's bytes, of both
        where a vector picture has a second one for old programs; "" for one that is cropped or too small to see.
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


def normal_words(raw: str) -> str:
    """Text in which dashes, quotes and spaces are of one kind each, composed, without soft hyphens.

    >>> normal_words("«−2,5\\u00a0%»")
    '"-2,5 %"'
    """
    return normal_form(raw.translate(_FOLDED))
