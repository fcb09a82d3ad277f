"""Numerals that nobody answers for: in what evalkit writes, each is a traced result or stands in a declared text."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from string import Formatter
from typing import Any

import pandas as pd
from pydantic import BaseModel

from evalkit.encodings import normal_form
from evalkit.language import LANGUAGES, catalogue, plain
from evalkit.tracing import Span

_NUMERAL = re.compile(r"\d+(?:[.,]\d+)*")
_ROWS = 2000  # a longer frame holds records, which no report shows one by one


def stray_numerals(words: str, spans: Iterable[Span], declared: Mapping[str, set[str]]) -> list[str]:
    """The numerals in words, with their context, that are neither traced nor part of a declared text there.

    declared: of `declared_numerals`.
    """
    covered = [(span.start, span.end) for span in spans if span.origin.kind != "claim"]
    words = words.replace("\n", " ")
    known: dict[str, list[tuple[int, int]]] = {}
    strays = []
    for found in _NUMERAL.finditer(words):
        if any(start <= found.start() and found.end() <= end for start, end in covered):
            continue
        if found[0] not in known:
            known[found[0]] = [place for one in declared.get(found[0], ()) for place in _places(one, words)]
        if not any(start <= found.start() and found.end() <= end for start, end in known[found[0]]):
            strays.append(
                f"{words[max(found.start() - 30, 0) : found.start()]}▸{words[found.start() : found.end() + 20]}"
            )
    return strays


def declared_numerals(*sources: Any) -> dict[str, set[str]]:
    """By numeral, the texts that hold it: of the message catalogue, and of anything a study declares.

    sources: strings, models, dataclasses, frames, mappings and sequences, at any depth.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for one in (*_catalogue_texts(), *(words for source in sources for words in _strings(source))):
        for numeral in _NUMERAL.findall(one):
            found[numeral] |= {one, plain(one)}
    return found


def _places(one: str, words: str) -> Iterator[tuple[int, int]]:
    at = words.find(one)
    while at >= 0:
        yield at, at + len(one)
        at = words.find(one, at + 1)


@cache
def _catalogue_texts() -> tuple[str, ...]:
    """What stands between the names to be filled in, where it holds a numeral."""
    pieces = {
        piece
        for texts in catalogue().values()
        for language in LANGUAGES
        for piece, *_ in Formatter().parse(texts[language])
        if _holds_numeral(piece)
    }
    return tuple(sorted(pieces))


def _holds_numeral(words: str) -> bool:
    """Whether words hold a numeral and more: a numeral alone would answer for every one like it."""
    return any(letter.isdigit() for letter in words) and any(letter.isalpha() for letter in words)


def _strings(source: Any) -> Iterator[str]:
    """All texts with a numeral within an object."""
    if isinstance(source, str):
        if _holds_numeral(source):
            yield " ".join(normal_form(source).split())
    elif isinstance(source, pd.DataFrame):
        yield from _strings([*map(str, source.columns)])
        if len(source) <= _ROWS:
            for column in source:
                yield from _strings([one for one in source[column].dropna().unique() if isinstance(one, str)])
    elif isinstance(source, pd.Series):
        yield from _strings(source.to_frame())
    elif isinstance(source, Mapping):
        for key, value in source.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(source, (list, tuple, set, frozenset)):
        for value in source:
            yield from _strings(value)
    elif isinstance(source, BaseModel):
        for name in type(source).model_fields:
            yield from _strings(getattr(source, name))
    elif is_dataclass(source):
        for one in fields(source):
            yield from _strings(getattr(source, one.name))
