"""The words of passages, as they are compared: numerals with their signs, keys of what says the same."""

from __future__ import annotations

import re
from collections.abc import Iterable

from evalkit.pieces import Piece, normal_words

# A numeral with its sign, comparison and per cent sign is one word: «< 0,05» is not «> 0,05».
_TOKEN = re.compile(
    r"(?:[<>≤≥≈±~]\s?)?(?:(?<![\w.,)])[+-])?\d+(?:[.,]\d+)*\w*(?:\s?[%‰])?|[^\W\d]\w*|[^\w\s]",
)
_AROUND = "<>≤≥≈±~+-%‰"
NUMBERING = re.compile(r"^(?:\w+ (?:\w+ )?)?[\dA-Z]+(?:\.\d+)*[.:]?\s+(?=\S)")

Bound = list[tuple[str, str]]  # id and words of numbers or claims


def tokens(words: str) -> list[str]:
    """Its words, numerals and signs, without spaces."""
    return [re.sub(r"\s", "", word) for word in _TOKEN.findall(normal_words(words))]


def inner(word: str) -> str:
    """A numeral without its sign, comparison and per cent sign."""
    return word.strip(_AROUND) or word


def is_numeral(word: str) -> bool:
    """Whether a token is a numeral."""
    return inner(word)[:1].isdecimal()


def numerals(words: str) -> list[str]:
    """The numerals in a text."""
    return [word for word in tokens(words) if is_numeral(word)]


def masked(words: list[str]) -> list[str]:
    """Tokens, `#` for each numeral."""
    return ["#" if is_numeral(word) else word for word in words]


def masked_words(passage: str) -> list[str]:
    """Its words, all numerals alike."""
    return masked([word for word in tokens(passage) if word not in "|.,;:()"])


def plain_words(passage: str) -> list[str]:
    """Its words without its numerals."""
    return [word for word in masked_words(passage) if word != "#"]


def sort_of(kind: str) -> str:
    """The sort of place that a passage or piece takes: rows are compared with rows, text with text."""
    if kind in ("row", "picture", "contents", "formula", "hidden"):
        return kind
    return {"cell": "row", "alt": "picture"}.get(kind, "text")


def key_of(kind: str, cells: Iterable[str]) -> str:
    """What is equal in two passages that say the same in the same sort of place."""
    return f"{sort_of(kind)}:" + " | ".join(" ".join(tokens(cell)) for cell in cells)


def bare(key: str) -> str:
    """A key without its sort of place."""
    return key.partition(":")[2]


def key_of_piece(piece: Piece, known: set[str]) -> str:
    """Its key; without the numbering that the document's format put before a heading or caption."""
    key = key_of(piece.kind, piece.cells)
    if key not in known and piece.kind not in ("row", "picture"):
        bare = key_of(piece.kind, [NUMBERING.sub("", piece.text, count=1)])
        return bare if bare in known else key
    return key
