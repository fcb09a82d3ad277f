"""Where shown numbers come from: while a report is written, every number carries its raw value with it, unseen.

A traced number is followed by one character of Unicode's private planes, the index of what it was made of. So it
keeps its origin through sentences, tables and labels, none of which need to know of it, until `resolve` takes it off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_FIRST, _LAST = 0xF0000, 0x10FFFD
_MARK = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


@dataclass
class Origin:
    """What a traced string was made of: kind `number` (value and rounding rule), `name` (a numeral that is no
    result, such as a date or a code) or `claim`; about: what else is known, such as the key of its effect."""

    kind: str
    shown: str
    value: Any = None
    rule: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Span:
    """A traced string in words without marks: from `start` to `end`."""

    start: int
    end: int
    origin: Origin


_origins: list[Origin] | None = None


def start_tracing() -> None:
    """Trace all numbers made from now on in this process."""
    global _origins
    _origins = [] if _origins is None else _origins


@contextmanager
def tracing(on: bool = True) -> Iterator[None]:
    """Trace the numbers made within the block, or, with `on` false, none of them."""
    global _origins
    before = _origins
    _origins = ([] if before is None else before) if on else None
    try:
        yield
    finally:
        _origins = before


def trace(kind: str, shown: str, value: Any = None, rule: dict[str, Any] | None = None, **about: Any) -> str:
    """A string with its origin, or as it is where nothing is traced."""
    if _origins is None:
        return shown
    _origins.append(Origin(kind, shown, value, rule or {}, about))
    return shown + chr(_FIRST + len(_origins) - 1)


def as_name(words: Any) -> str:
    """Words whose numerals are no results: a code, a number in a register, an answer as it was written."""
    return trace("name", str(words), str(words))


def add(traced: str, **about: Any) -> str:
    """Say more about the number that a string ends with."""
    if _origins is not None and (mark := _MARK.match(traced[-1:])):
        _origins[ord(mark[0]) - _FIRST].about |= about
    return traced


def unmarked(words: str) -> str:
    """Words without marks."""
    return _MARK.sub("", words)


def resolve(words: str, *, escaped: Any = None) -> tuple[str, list[Span]]:
    """Words without marks, and the traced strings in them, outer ones before inner ones.

    escaped: how a string may have been changed since it was traced, such as by escaping Markdown.
    """
    clean, spans, at = "", [], 0
    for mark in _MARK.finditer(words):
        clean += words[at : mark.start()]
        at = mark.end()
        origin = _origins[ord(mark[0]) - _FIRST]  # type: ignore[index]
        shown = unmarked(origin.shown)
        for form in (escaped(shown) if escaped else shown, shown):
            if clean.endswith(form):
                spans.append(Span(len(clean) - len(form), len(clean), origin))
                break
        else:
            raise ValueError(f"a traced string was cut: {shown!r} in {clean[-80:]!r}")
    return clean + words[at:], sorted(spans, key=lambda span: (span.start, -span.end))


def told_origins(spans: list[Span]) -> list[dict[str, Any]]:
    """What traced strings were made of, as `ledger.Entries.enter` takes it."""
    return [
        {"kind": span.origin.kind, "shown": unmarked(span.origin.shown), "value": span.origin.value}
        | {"rule": span.origin.rule}
        | span.origin.about
        for span in spans
    ]


def spanned(words: str, spans: list[Span]) -> str:
    """Words with a span about each traced number and claim, which carries its place in their order."""
    cuts = []
    for at, span in enumerate(spans):
        if span.origin.kind != "name":
            cuts.append((span.start, 1, -span.end, at, f'<span class="{span.origin.kind}" id="{at}">'))
            cuts.append((span.end, 0, -span.start, -at, "</span>"))
    out, last = "", 0
    for place, *_, tag in sorted(cuts):
        out += words[last:place] + tag
        last = place
    return out + words[last:]
