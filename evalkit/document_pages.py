"""The words of a PDF against those of a ledger, in one stream: a page knows no paragraphs and no tables."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from evalkit.document_changes import Difference, Opcodes, changes_between, mapped
from evalkit.document_passages import Passage, bound_in
from evalkit.document_words import numerals, tokens
from evalkit.pieces import Piece

# «Bảng 3 :», «2.1», a page number
_NUMBERED = re.compile(r"[.:]? ?(?:(?:\w+ ){0,2}[\dA-Z]+(?:\.\d+)*|[A-Z](?: \. \d+)+)?(?: ?[.:])?")
_LEADERS = re.compile(r"(?: ?\. \.)+(?: \.)?(?: \d+)?")  # the dots of a list of contents, and the page they lead to
_PDF_ANCHOR = 4  # words in a row that stand once in both
_PDF_GAP = 3_000  # words, above which a gap is aligned by its rarer words only


def page_differences(units: list[Passage], pieces: Sequence[Piece]) -> Iterator[Difference]:
    """The words of all pages against the words of the ledger, in one stream."""
    units = [unit for unit in units if unit.kind != "alt"]
    before = [(word, at) for at, unit in enumerate(units) for cell in unit.cells for word in tokens(cell)]
    after = [(word, piece.page) for piece in pieces if piece.kind == "page" for word in tokens(piece.text)]
    old, new = [word for word, _ in before], [word for word, _ in after]
    starts: dict[int, int] = {}
    for at, (_, unit_at) in enumerate(before):
        starts.setdefault(unit_at, at)
    opcodes = _aligned(old, new)
    there = mapped(opcodes)
    edits = _between(opcodes, there, old, new, {*starts.values(), len(old)})
    touched = {before[at][1] for _, i1, i2, _, _ in edits for at in range(max(i1 - 1, 0), min(i2 + 1, len(before)))}
    touched |= {at for at, unit in enumerate(units) if at in starts and not _holds_its_numbers(unit)}
    for at in sorted(touched):
        unit, first = units[at], starts[at]
        last = starts.get(at + 1, len(before))
        span = sorted({j for i in range(first, last) for j in there[i]})
        equal = sum(len(there[i]) == 1 and old[i] == new[there[i][0]] for i in range(first, last))
        where: dict[str, Any] = {"under": unit.under, "page": after[span[0]][1] if span else None}
        if not span or max(equal / 0.3, len(span) / 0.5) < last - first:
            yield Difference("missing" if unit.bound else "prose", unit.text, "", ids=unit.bound, **where)
            continue
        now = " ".join(new[span[0] : span[-1] + 1])
        strict = unit.strict and unit.kind == "row"
        changes = changes_between(" ".join(old[first:last]), now, *bound_in(unit), strict=strict)
        for kind, was, became, ids in changes:
            if kind != "added" or equal < last - first:  # else only a numbering stands between
                yield Difference(kind, was, became, unit.text, ids=ids, **where)
    known = " ".join(old)
    front = next((starts[at] for at, unit in enumerate(units) if unit.kind != "heading"), 0)
    for kind, i1, _, j1, j2 in edits:
        words = _LEADERS.sub("", " ".join(new[j1:j2]))
        own = kind == "insert" and i1 > front and not _NUMBERED.fullmatch(words) and numerals(words)
        if own and words not in known:  # the head of a table is said again on its next page
            yield Difference("added", "", words, page=after[j1][1])
    for note in pieces:
        if note.kind != "page" and numerals(note.text) and " ".join(tokens(note.text)) not in known:
            yield Difference("added", "", note.text, page=note.page)


def _between(
    opcodes: Opcodes, there: dict[int, list[int]], old: list[str], new: list[str], starts: set[int]
) -> Opcodes:
    """The edits; what was put in between two passages is moved there, past words equal to its own, in `there` too.

    The head of a table on its next page may end in the same word as the row above it.
    """
    edits = []
    for kind, i, i2, j1, j2 in opcodes:
        for sign in (1, -1) if kind == "insert" else ():
            steps = 0
            while i + sign * steps not in starts:
                at = steps if sign > 0 else -steps - 1
                first, last = j1 + at, j2 + at
                if (
                    there.get(i + at) != [last if sign > 0 else first]
                    or new[first : first + 1] != new[last : last + 1]
                ):
                    break
                if old[i + at] != new[first]:
                    break
                steps += 1
            else:
                for step in range(steps):
                    at = step if sign > 0 else -step - 1
                    there[i + at] = [j1 + at if sign > 0 else j2 + at]
                i, i2, j1, j2 = (value + sign * steps for value in (i, i2, j1, j2))
                break
        if kind != "equal":
            edits.append((kind, i, i2, j1, j2))
    return edits


def _holds_its_numbers(unit: Passage) -> bool:
    """Whether a passage of the ledger says the numbers that the ledger binds to it."""
    return all(shown in cell for cell, bound in zip(unit.cells, unit.numbers, strict=False) for _, shown in bound)


def _aligned(old: list[str], new: list[str]) -> Opcodes:
    """Opcodes between two long lists of words, held fast by short phrases that stand once in both."""
    anchors = []
    for words in (old, new):
        phrases = [" ".join(words[at : at + _PDF_ANCHOR]) for at in range(len(words) - _PDF_ANCHOR + 1)]
        counted = Counter(phrases)
        anchors.append([(phrase, at) for at, phrase in enumerate(phrases) if counted[phrase] == 1])
    both = {phrase for phrase, _ in anchors[0]} & {phrase for phrase, _ in anchors[1]}
    left, right = ([(phrase, at) for phrase, at in side if phrase in both] for side in anchors)
    matcher = SequenceMatcher(None, [phrase for phrase, _ in left], [phrase for phrase, _ in right], autojunk=False)
    pairs = {
        left[block.a + step][1] + k: right[block.b + step][1] + k
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
        for k in range(_PDF_ANCHOR)
    }
    opcodes: Opcodes = []
    i = j = 0
    for a, b in [*sorted(pairs.items()), (len(old), len(new))]:
        if a < i or b < j:
            continue
        junk = max(a - i, b - j) > _PDF_GAP
        gap = SequenceMatcher(None, old[i:a], new[j:b], autojunk=junk).get_opcodes()
        opcodes += [(kind, i + i1, i + i2, j + j1, j + j2) for kind, i1, i2, j1, j2 in gap]
        if a < len(old):
            opcodes.append(("equal", a, a + 1, b, b + 1))
        i, j = a + 1, b + 1
    return opcodes
