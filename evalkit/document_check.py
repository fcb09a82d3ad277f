"""A delivered document against the ledger of the run: which numbers, claims and pictures were changed afterwards."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from typing import Any

from evalkit.document_changes import FAILS, Change, Difference, changes_between
from evalkit.document_pages import page_differences
from evalkit.document_passages import Passage, bound_in, passages_of
from evalkit.document_words import NUMBERING, bare, key_of, key_of_piece, masked_words, numerals, plain_words, sort_of
from evalkit.errors import DataError, Problem
from evalkit.pieces import Piece

ALIKE = 0.5  # of its words a passage must still have to be taken for the same one
TWIN = 0.9  # of its words a passage shares with one that it repeats with other numbers
LEAST_WORDS = 6  # of a passage that is known again by its words
_PAGE = re.compile(r"[\s.]+\d+$")
_FINGERPRINT = re.compile(r"\b[0-9A-F]{4}(?:-[0-9A-F]{4}){3}\b")  # of the ledger, as documents print it


def compare(pieces: Sequence[Piece], ledger: dict[str, Any]) -> list[Difference]:
    """What differs between a delivered document and the ledger, what fails first, else in the document's order.

    Paragraphs and rows that stand elsewhere are listed as moved; a row must stay in its table, a table and a picture
    with their captions. What a computation says is a claim in all its words. A table that shows a bound number is the
    run's: none of its words may change, no row be put in. A passage that repeats one of the run with other numbers is
    a changed number wherever it stands. Of cover, lists and footnotes what the ledger's `front` and `notes` lack is
    listed. In a pdf the words are compared as one stream; pictures and text alternatives are not.

    pieces: from `delivered.read_blocks`. ledger: with `blocks`, `numbers`, `claims` and `pictures`; those of `blocks`
        that are cells say their `table`, `row` and `column`.
    Raises DataError where the ledger is no such thing.

    >>> ledger = {"blocks": [{"id": "b1", "kind": "text", "text": "Tăng 3,2 điểm.", "numbers": ["n1"]}],
    ...           "numbers": [{"id": "n1", "shown": "3,2"}], "claims": [], "pictures": []}
    >>> [(d.kind, d.old, d.new) for d in compare([Piece("paragraph", ("Tăng 3,7 điểm.",))], ledger)]
    [('number', '3,2', '3,7')]
    """
    try:
        units = passages_of(ledger)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise DataError([Problem("ledger.json", "document_ledger", {"found": repr(error)})]) from error
    if any(piece.kind == "page" for piece in pieces):
        found = list(page_differences(units, pieces))
    else:
        found = _Comparison(units, list(pieces), ledger).differences()
    return sorted(found, key=lambda difference: not difference.fails)


class _Comparison:
    """Passages of the ledger and pieces of the document: who is whom, and what differs between them."""

    def __init__(self, units: list[Passage], pieces: list[Piece], ledger: dict[str, Any]) -> None:
        pieces = [replace(piece, cells=_trimmed(piece.cells)) for piece in pieces]
        self.units, self.pieces, self.ledger = units, pieces, ledger
        self.old = [key_of(unit.kind, unit.cells) for unit in units]
        known = set(self.old)
        self.new = [key_of_piece(piece, known) for piece in pieces]
        self.place: dict[int, int] = {}  # unit → piece
        self.free: set[int] = set()  # pieces that nobody is
        self.found: list[Difference] = []

    def differences(self) -> list[Difference]:
        matcher = SequenceMatcher(None, self.old, self.new, autojunk=False)
        gaps = []
        for kind, i1, i2, j1, j2 in matcher.get_opcodes():
            if kind == "equal":
                self.place |= dict(zip(range(i1, i2), range(j1, j2), strict=True))
            else:
                gaps.append((range(i1, i2), range(j1, j2)))
        self.free = set(range(len(self.pieces))) - set(self.place.values())
        self.moved()
        self.pair(gaps)
        for i, unit in enumerate(self.units):
            if i in self.place and (self.old[i] != self.new[self.place[i]] or not unit.sound):
                self.edited(unit, self.pieces[self.place[i]])
        for i, unit in enumerate(self.units):
            if i not in self.place:
                self.lost(unit, i)
        self.captions()
        self.pictures()
        self.added()
        return self.found

    def moved(self) -> None:
        """Passages that stand unchanged elsewhere; a row within its own table only."""
        votes: dict[Any, Counter[Any]] = defaultdict(Counter)
        tables = defaultdict(set)
        for key, unit in zip(self.old, self.units, strict=True):
            tables[key].add(unit.table)
        for j, piece in enumerate(self.pieces):
            votes[piece.table].update(tables[self.new[j]] - {None} if piece.kind == "row" else ())
        for i, j in self.place.items():
            votes[self.pieces[j].table][self.units[i].table] += len(self.units)
        self.table = {table: count.most_common(1)[0][0] for table, count in votes.items() if count}
        where = defaultdict(list)
        for j in sorted(self.free, reverse=True):
            where[self.new[j], self.table.get(self.pieces[j].table)].append(j)
        for i, unit in enumerate(self.units):
            if i not in self.place and (waiting := where[self.old[i], unit.table]):
                self.take(i, waiting.pop())
                head = unit.strict and unit.kind == "row" and self.units[i - 1].table != unit.table
                self.note("label" if head else "moved", unit.text, "", self.pieces[self.place[i]])

    def pair(self, gaps: list[tuple[range, range]]) -> None:
        """Passages that were edited: the most alike first, among neighbours and among those that share rare words."""
        gap_of = {i: news for olds, news in gaps for i in olds}
        words = {j: Counter(masked_words(self.pieces[j].text)) for j in self.free}
        holders = defaultdict(list)
        for j, counted in words.items():
            for word in counted:
                holders[word].append(j)
        scored = []
        for i in sorted(gap_of.keys() - self.place.keys()):
            unit = self.units[i]
            own = Counter(masked_words(unit.text))
            shared = Counter(j for word in own if len(holders[word]) <= 20 for j in holders[word])
            near = [j for j in gap_of[i] if j in self.free]
            for j in {*(near if len(near) <= 50 else ()), *(j for j, _ in shared.most_common(5))}:
                piece = self.pieces[j]
                if sort_of(unit.kind) != sort_of(piece.kind):
                    continue
                if unit.kind == "row" and self.table.get(piece.table, unit.table) != unit.table:
                    continue
                score = 2 * (own & words[j]).total() / (own.total() + words[j].total() or 1)
                score += 0.1 * (j in gap_of[i]) - 0.001 * abs((i - gap_of[i].start) - (j - gap_of[i].start))
                if score >= ALIKE:
                    scored.append((-score, i, j))
        for _, i, j in sorted(scored):
            if i not in self.place and j in self.free:
                self.take(i, j)

    def take(self, i: int, j: int) -> None:
        self.place[i] = j
        self.free.discard(j)

    def note(self, kind: str, old: str, new: str, piece: Piece | None, **more: Any) -> None:
        where = {"under": piece.under, "page": piece.page} if piece else {}
        self.found.append(Difference(kind, old, new, **where | more))

    def edited(self, unit: Passage, piece: Piece) -> None:
        """What differs between a passage and its piece, cell by cell."""
        if unit.kind == "alt":
            kind = "prose" if numerals(unit.text) == numerals(piece.text) else "number"
            changes: list[Change] = [(kind, unit.text, piece.text, ())]
        elif unit.kind != "row":
            said = NUMBERING.sub("", piece.text, count=1) if unit.kind == "caption" else piece.text
            changes = changes_between(unit.cells[0], said, unit.numbers[0], unit.claims[0], strict=unit.strict)
            if any(kind in FAILS for kind, *_ in changes):
                changes = self.split(unit, piece, changes)
        elif len(unit.cells) == len(piece.cells):
            rows = zip(unit.cells, piece.cells, unit.numbers, unit.claims, strict=True)
            changes = [change for row in rows for change in changes_between(*row, strict=unit.strict)]
        else:
            changes = changes_between(unit.text, piece.text, *bound_in(unit), strict=unit.strict)
        for kind, old, new, ids in changes:
            self.note(kind, old, new, piece, passage=piece.text, ids=ids)

    def split(self, unit: Passage, piece: Piece, changes: list[Change]) -> list[Change]:
        """The changes of a passage, fewer of them where it was only cut in two or more paragraphs."""
        first = last = next(j for j, other in enumerate(self.pieces) if other is piece)
        while first - 1 in self.free and self.pieces[first - 1].kind == piece.kind:
            first -= 1
        while last + 1 in self.free and self.pieces[last + 1].kind == piece.kind:
            last += 1
        joined = " ".join(other.text for other in self.pieces[first : last + 1])
        together = changes_between(unit.cells[0], joined, unit.numbers[0], unit.claims[0], strict=unit.strict)
        if any(kind in FAILS for kind, *_ in together):
            return changes
        self.free -= set(range(first, last + 1))
        return together

    def lost(self, unit: Passage, i: int) -> None:
        """A passage that is nowhere: perhaps it was only joined to its neighbour."""
        for other in (i - 1, i + 1) if unit.kind != "row" and unit.bound else ():
            piece = self.pieces[self.place[other]] if other in self.place else None
            if piece is None or piece.kind in ("row", "picture"):
                continue
            both = [self.units[at] for at in sorted((i, other))]
            changes = changes_between(" ".join(part.text for part in both), piece.text, *bound_in(*both))
            if not any(kind in FAILS for kind, *_ in changes):
                self.found = [found for found in self.found if found.passage != piece.text]
                return self.note("prose", unit.text, piece.text, piece)
        kind = "missing" if unit.bound else "prose"
        return self.note(kind, unit.text, "", None, under=unit.under, ids=unit.bound)

    def captions(self) -> None:
        """Tables must stand by their own captions."""
        first: dict[Any, int] = {}
        for at, unit in enumerate(self.units):
            if unit.kind == "row":
                first.setdefault(unit.table, at)
        ends: dict[Any, list[int]] = defaultdict(list)
        for j, piece in enumerate(self.pieces):
            if piece.kind == "row" and piece.table in self.table:
                ends[self.table[piece.table]].append(j)
        for table, at in first.items():
            caption = at - 1
            if caption in self.place and self.units[caption].kind == "caption" and ends[table]:
                above, below = self.beside(min(ends[table]), -1), self.beside(max(ends[table]), 1)
                if self.place[caption] not in (above, below):
                    other = self.pieces[above]
                    self.note("number", self.units[caption].text, other.text, other)

    def beside(self, j: int, step: int) -> int:
        """The piece next to one, past what somebody wrote in between."""
        j += step
        while j in self.free and self.pieces[j].kind not in ("picture", "row"):
            j += step
        return j

    def pictures(self) -> None:
        """Each picture must be the one that was drawn, above its own caption."""
        name_of = {
            picture[key]: picture["name"]
            for picture in self.ledger.get("pictures", ())
            for key in ("png_sha256", "svg_sha256")
            if picture.get(key)
        }
        names = {
            j: names.pop() if len(names := {name_of.get(digest, "") for digest in piece.digests}) == 1 else ""
            for j, piece in enumerate(self.pieces)
            if piece.kind == "picture"
        }
        unit_of = {key: i for i, unit in enumerate(self.units) for key in unit.ids}
        for picture in self.ledger.get("pictures", ()):
            name, i = picture["name"], unit_of.get(picture.get("block"))
            at = self.place.get(i) if i is not None else None
            if at is None:
                if name not in names.values():
                    self.note("missing", name, "", None)
                continue
            above = names.get(self.beside(at, -1))
            if name == above:
                continue
            if above is None and name not in names.values():
                self.note("missing", name, "", self.pieces[at], passage=self.pieces[at].text)
            else:
                self.note("picture", name, above or "", self.pieces[at], passage=self.pieces[at].text)

    def added(self) -> None:
        """What the document has and the ledger has not."""
        around = (*self.ledger.get("front", ()), *self.ledger.get("notes", ()))
        texts = {bare(key) for key in self.old} | {_line(line) for line in around}
        start = min(self.place.values(), default=0)
        declared = {tuple(masked_words(line)) for line in self.ledger.get("front", ()) if numerals(line)}
        results = {unit.table for unit in self.units if unit.strict} - {None}
        twins = _Twins(self.units)
        formulas = [piece for piece in self.pieces if piece.kind == "formula"]
        surplus = len(formulas) > self.ledger.get("formulas", 0)
        for j in sorted(self.free):
            piece = self.pieces[j]
            numbers = numerals(_FINGERPRINT.sub("", piece.text))
            listed = _PAGE.sub("", NUMBERING.sub("", piece.text))  # as it stands in a list of contents
            if piece.kind == "hidden":
                self.note("hidden", "", piece.text, piece)
            elif piece.kind == "row" and self.table.get(piece.table) in results and numbers:
                self.note("number", "", piece.text, piece)
            elif {_line(piece.text), _line(listed)} & texts or texts >= {_line(cell) for cell in piece.cells if cell}:
                continue
            elif j < start and any(
                numerals(cell) and _line(cell) not in texts and tuple(masked_words(cell)) in declared
                for cell in piece.cells
            ):
                self.note("number", "", piece.text, piece)
            elif piece.kind not in ("picture", "formula") and (twin := twins.of(listed)) and numbers:
                self.note("number", twin.text, piece.text, piece, ids=twin.bound)
            elif piece.kind != "formula" or surplus:
                self.note("added" if numbers else "written", "", piece.text, piece)


def _line(words: str) -> str:
    """What is equal in two lines that say the same, but for the fingerprint."""
    return bare(key_of("", [_FINGERPRINT.sub("", words)]))


class _Twins:
    """The passages with bound numbers, to be known again by their words where somebody repeats them."""

    def __init__(self, units: Iterable[Passage]) -> None:
        self.known = [(Counter(plain_words(unit.text)), unit) for unit in units if unit.bound]

    def of(self, words: str) -> Passage | None:
        """The passage whose words these are, its numbers apart."""
        own = Counter(plain_words(words))
        if own.total() < LEAST_WORDS:
            return None
        shared = [(2 * (own & said).total() / (own.total() + said.total()), unit) for said, unit in self.known]
        best, twin = max(shared, key=lambda pair: pair[0], default=(0.0, None))
        return twin if best >= TWIN else None


def _trimmed(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Cells without the empty ones at the end, which a ledger does not know."""
    full = [at for at, cell in enumerate(cells, start=1) if cell]
    return cells[: max(full, default=0)]
