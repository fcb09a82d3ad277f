"""What differs between two versions of a passage: numbers, claims, labels or prose."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from evalkit.document_words import Bound, inner, is_numeral, masked, tokens
from evalkit.language import Language, text

FAILS = ("number", "label", "claim", "missing", "picture", "hidden")
AROUND = 5  # words that are shown on each side of a change
SHOWN = 160  # characters of a passage that a message shows
_SENTENCE_ENDS = (".", "!", "?", ";", ":")

Opcodes = list[tuple[str, int, int, int, int]]
Change = tuple[str, str, str, tuple[str, ...]]  # kind, old, new, ids


@dataclass(frozen=True)
class Difference:
    """One thing that the document says otherwise than the run did.

    kind: number, label (what a table of results says beside its numbers), claim, missing, picture, hidden (text that
    a reader does not see; these fail), prose, added (with numerals), written or moved (these are only listed). old,
    new: what the ledger says and what the document says, "" where nothing. passage: where it stands, in its words.
    ids: of the numbers and claims concerned.
    """

    kind: str
    old: str
    new: str
    passage: str = ""
    under: str = ""
    page: int | None = None
    ids: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the document no longer says what was computed."""
        return self.kind in FAILS

    def message(self, language: Language) -> str:
        """The difference in one line, its place first.

        >>> Difference("number", "3,2", "4,2", under="Kết quả", page=5).message("en")
        'page 5, under “Kết quả”: the number was changed after the run: 3,2 → 4,2.'
        """
        old, new = differing(self.old, self.new)
        shown = {"old": shortened(old) or "–", "new": shortened(new) or "–"}
        known = {("picture", True): "picture_swapped", ("prose", False): "prose_removed"}
        line = text(f"document_{known.get((self.kind, bool(self.new)), self.kind)}", language, **shown)
        if self.passage and self.passage not in (self.old, self.new):
            line += " " + text("document_passage", language, passage=shortened(self.passage))
        place = self.place(language)
        return f"{place}: {line}" if place else line

    def place(self, language: Language) -> str:
        """Where it stands: page and heading as far as they are known."""
        place = [text("document_page", language, page=self.page)] if self.page else []
        place += [text("document_under", language, heading=shortened(self.under))] if self.under else []
        return ", ".join(place)


def differing(old: str, new: str) -> tuple[str, str]:
    """The words in which two versions of a passage differ, with some of those around them, from the same places.

    >>> differing("Ở nơi thí điểm, mức hài lòng tăng.", "Ở nơi thí điểm, mức hài lòng giảm.")
    ('… thí điểm, mức hài lòng tăng.', '… thí điểm, mức hài lòng giảm.')
    """
    before, after = old.split(), new.split()
    groups = list(SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(AROUND))
    if not (before and after and groups):
        return old, new
    ends = (groups[0][0][1] > 0, groups[-1][-1][2] < len(before))
    sides = (
        " … ".join(" ".join(before[group[0][1] : group[-1][2]]) for group in groups),
        " … ".join(" ".join(after[group[0][3] : group[-1][4]]) for group in groups),
    )
    first, last = ("… " * ends[0], " …" * ends[1])
    return f"{first}{sides[0]}{last}", f"{first}{sides[1]}{last}"


def changes_between(old: str, new: str, numbers: Bound, claims: Bound, *, strict: bool = False) -> list[Change]:
    """What differs between two versions of a passage; `strict` where no word may be another."""
    before, after = tokens(old), tokens(new)
    bound = _spans(before, numbers)
    stated = _spans(before, claims)
    lost: list[Change] = [("number", shown, "", (key,)) for key, shown, at in bound if not at]
    lost += [("claim", words, new, (key,)) for key, words, at in stated if not at]
    if before == after:
        return lost
    exact = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    inside = {at for _, _, span in bound for at in span}
    kept = {at for kind, i1, i2, _, _ in exact if kind == "equal" for at in range(i1, i2)}
    changes = [*lost]
    replaced: Counter[str] = Counter()
    if not inside <= kept or lost:
        # Numbers changed places or values: words hold the passage together, each number is compared in its place.
        exact = SequenceMatcher(None, masked(before), masked(after), autojunk=False).get_opcodes()
        there = mapped(exact)
        for key, shown, span in bound:
            now = [after[j] for at in span for j in there[at]]
            if [before[at] for at in span] != now:
                now = list(dict.fromkeys(word for word in now if len(span) > 1 or is_numeral(word)))
                replaced.update(now)
                changes.append(("number", shown, " ".join(now), (key,)))
    edits = [
        (i1, i2, after[j1:j2])
        for kind, i1, i2, j1, j2 in exact
        for i1, i2, j1, j2 in ([(i1, i2, j1, j2)] if kind != "equal" else _unequal(before, after, i1, i2, j1))
    ]
    for key, _, span in stated:
        if span and any(_in_claim(edit, span, before, inside) for edit in edits):
            changes.append(("claim", old, new, (key,)))
    surplus = Counter(word for _, _, added in edits for word in added if is_numeral(word)) - replaced
    if strict and surplus and not any(kind == "number" for kind, *_ in changes):
        changes.append(("number", old, new, tuple(key for key, _ in numbers)))
    if not changes:
        changes.append(("label" if strict else "added" if surplus else "prose", old, new, ()))
    return changes


def _unequal(before: list[str], after: list[str], i1: int, i2: int, j1: int) -> Iterator[tuple[int, int, int, int]]:
    """Within words aligned without their numerals: the numerals that differ."""
    for i in range(i1, i2):
        j = j1 + i - i1
        if before[i] != after[j]:
            yield i, i + 1, j, j + 1


def _in_claim(edit: tuple[int, int, list[str]], span: range, before: list[str], inside: set[int]) -> bool:
    """Whether an edit touches the words of a claim, those of its bound numbers apart."""
    i1, i2, added = edit
    words = [word for word in added if not is_numeral(word)]
    if i1 == i2:
        if i1 == span.start:
            return bool(words) and words[-1] not in _SENTENCE_ENDS
        if i1 == span.stop:
            return bool(words) and before[i1 - 1] not in _SENTENCE_ENDS and words[0] not in _SENTENCE_ENDS
        return i1 in span and bool(added)
    touched = set(range(i1, i2)) & set(span)
    return bool(touched - inside) or bool(touched and words)


def _spans(words: list[str], parts: list[tuple[str, str]]) -> list[tuple[str, str, range]]:
    """Where each part stands among the words, one after the other; an empty range where it does not."""
    spans = []
    after = 0
    for key, part in parts:
        wanted = [inner(word) for word in tokens(part)]
        found = range(0)
        for start in (*range(after, len(words)), *range(after)):
            if [inner(word) for word in words[start : start + len(wanted)]] == wanted and wanted:
                found = range(start, start + len(wanted))
                after = found.stop
                break
        spans.append((key, part, found))
    return spans


def mapped(opcodes: Iterable[tuple[str, int, int, int, int]]) -> dict[int, list[int]]:
    """For each old word the new ones in its place."""
    there: dict[int, list[int]] = defaultdict(list)
    for kind, i1, i2, j1, j2 in opcodes:
        for i in range(i1, i2):
            if kind == "equal":
                there[i] = [j1 + i - i1]
            else:
                there[i] = [j1 + i - i1] if i2 - i1 == j2 - j1 else list(range(j1, j2))
    return there


def shortened(words: str) -> str:
    """Words as a message shows them."""
    return words if len(words) <= SHOWN else words[:SHOWN].rstrip() + " …"
