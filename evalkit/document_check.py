"""A delivered document against the ledger of the run: which numbers, claims and pictures were changed afterwards."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from itertools import chain
from typing import Any

from evalkit.delivered import Piece, normal_words
from evalkit.errors import DataError, Problem
from evalkit.language import Language, text

FAILS = ("number", "claim", "missing", "picture")
ALIKE = 0.5  # of its words a passage must still have to be taken for the same one
AROUND = 5  # words that are shown on each side of a change
SHOWN = 160  # characters of a passage that a message shows

# A numeral with its sign, comparison and per cent sign is one word: «< 0,05» is not «> 0,05».
_TOKEN = re.compile(
    r"(?:[<>≤≥≈±~]\s?)?(?:(?<![\w.,)])[+-])?\d+(?:[.,]\d+)*\w*(?:\s?[%‰])?|[^\W\d]\w*|[^\w\s]",
)
_AROUND = "<>≤≥≈±~+-%‰"
_NUMBERING = re.compile(r"^(?:\w+ (?:\w+ )?)?[\dA-Z]+(?:\.\d+)*[.:]?\s+(?=\S)")
_PAGE = re.compile(r"[\s.]+\d+$")
# «Bảng 3 :», «2.1», a page number
_NUMBERED = re.compile(r"[.:]? ?(?:(?:\w+ ){0,2}[\dA-Z]+(?:\.\d+)*|[A-Z](?: \. \d+)+)?(?: ?[.:])?")
_FINGERPRINT = re.compile(r"\b[0-9A-F]{4}(?:-[0-9A-F]{4}){3}\b")  # of the ledger, as documents print it
_LEADERS = re.compile(r"(?: ?\. \.)+(?: \.)?(?: \d+)?")  # the dots of a list of contents, and the page they lead to
_PDF_ANCHOR = 4  # words in a row that stand once in both
_PDF_GAP = 3_000  # words, above which a gap is aligned by its rarer words only


@dataclass(frozen=True)
class Difference:
    """One thing that the document says otherwise than the run did.

    kind: number, claim, missing, picture (these fail), prose, added or moved (these are only listed). old, new: what
    the ledger says and what the document says, "" where nothing. passage: where it stands, in its own words.
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
        shown = {"old": _short(old) or "–", "new": _short(new) or "–"}
        known = {("picture", True): "picture_swapped", ("prose", False): "prose_removed"}
        line = text(f"document_{known.get((self.kind, bool(self.new)), self.kind)}", language, **shown)
        if self.passage and self.passage not in (self.old, self.new):
            line += " " + text("document_passage", language, passage=_short(self.passage))
        place = self.place(language)
        return f"{place}: {line}" if place else line

    def place(self, language: Language) -> str:
        """Where it stands: page and heading as far as they are known."""
        place = [text("document_page", language, page=self.page)] if self.page else []
        place += [text("document_under", language, heading=_short(self.under))] if self.under else []
        return ", ".join(place)


def compare(pieces: Sequence[Piece], ledger: dict[str, Any]) -> list[Difference]:
    """What differs between a delivered document and the ledger, what fails first, else in the document's order.

    Paragraphs and rows that stand elsewhere are listed as moved; a row must stay in its table, a table and a picture
    with their captions. What stands before the ledger's first passage (cover, lists of contents) is not compared.
    In a pdf the words are compared as one stream; pictures and text alternatives are not compared.

    pieces: from `delivered.read_blocks`. ledger: with `blocks`, `numbers`, `claims` and `pictures`; those of `blocks`
        that are cells say their `table`, `row` and `column`.
    Raises DataError where the ledger is no such thing.

    >>> ledger = {"blocks": [{"id": "b1", "kind": "text", "text": "Tăng 3,2 điểm.", "numbers": ["n1"]}],
    ...           "numbers": [{"id": "n1", "shown": "3,2"}], "claims": [], "pictures": []}
    >>> [(d.kind, d.old, d.new) for d in compare([Piece("paragraph", ("Tăng 3,7 điểm.",))], ledger)]
    [('number', '3,2', '3,7')]
    """
    try:
        units = _units(ledger)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise DataError([Problem("ledger.json", "document_ledger", {"found": repr(error)})]) from error
    if any(piece.kind == "page" for piece in pieces):
        found = list(_stream(units, pieces))
    else:
        found = _Comparison(units, list(pieces), ledger).differences()
    return sorted(found, key=lambda difference: not difference.fails)


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


@dataclass
class _Unit:
    """A paragraph or a row of the ledger."""

    kind: str
    ids: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    numbers: list[list[tuple[str, str]]] = field(default_factory=list)  # of each cell: id, shown
    claims: list[list[tuple[str, str]]] = field(default_factory=list)  # of each cell: id, text
    under: str = ""
    table: Any = None

    @property
    def text(self) -> str:
        return " | ".join(self.cells)

    @property
    def sound(self) -> bool:
        """Whether the ledger agrees with itself: each of its numbers and claims stands in its own text."""
        cells = zip(self.cells, self.numbers, self.claims, strict=True)
        return all(part in cell for cell, *parts in cells for _, part in chain(*parts))

    @property
    def bound(self) -> tuple[str, ...]:
        return tuple(key for cell in (*self.numbers, *self.claims) for key, _ in cell)


def _units(ledger: dict[str, Any]) -> list[_Unit]:
    shown = {number["id"]: number["shown"] for number in ledger["numbers"]}
    claims: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for claim in ledger["claims"]:
        claims[claim["block"]].append((claim["id"], claim["text"]))
    units: list[_Unit] = []
    last = None
    for block in filter(lambda block: block["text"], ledger["blocks"]):
        row = (block["table"], block["row"]) if block["kind"] == "cell" else None
        if row is None or row != last:
            kind = "row" if row else block["kind"]
            units.append(_Unit(kind, under=block.get("under", ""), table=row and row[0]))
        last, unit = row, units[-1]
        column = block["column"] if row else 0
        while len(unit.cells) <= column:
            unit.cells.append("")
            unit.numbers.append([])
            unit.claims.append([])
        unit.ids.append(block["id"])
        unit.cells[column] = normal_words(f"{unit.cells[column]} {block['text']}")
        unit.numbers[column] += [(key, normal_words(shown[key])) for key in block.get("numbers", ())]
        unit.claims[column] += [(key, normal_words(words)) for key, words in claims[block["id"]]]
    return units


_Bound = list[tuple[str, str]]


def _bound_in(*units: _Unit) -> tuple[_Bound, _Bound]:
    """All numbers and all claims of passages."""
    numbers = [pair for unit in units for pair in chain(*unit.numbers)]
    return numbers, [pair for unit in units for pair in chain(*unit.claims)]


class _Comparison:
    """Passages of the ledger and pieces of the document: who is whom, and what differs between them."""

    def __init__(self, units: list[_Unit], pieces: list[Piece], ledger: dict[str, Any]) -> None:
        pieces = [replace(piece, cells=_trimmed(piece.cells)) for piece in pieces]
        self.units, self.pieces, self.ledger = units, pieces, ledger
        self.old = [_key(unit.kind, unit.cells) for unit in units]
        known = set(self.old)
        self.new = [_piece_key(piece, known) for piece in pieces]
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
                self.note("moved", unit.text, "", self.pieces[self.place[i]])

    def pair(self, gaps: list[tuple[range, range]]) -> None:
        """Passages that were edited: the most alike first, among neighbours and among those that share rare words."""
        gap_of = {i: news for olds, news in gaps for i in olds}
        words = {j: Counter(_words(self.pieces[j].text)) for j in self.free}
        holders = defaultdict(list)
        for j, counted in words.items():
            for word in counted:
                holders[word].append(j)
        scored = []
        for i in sorted(gap_of.keys() - self.place.keys()):
            unit = self.units[i]
            own = Counter(_words(unit.text))
            shared = Counter(j for word in own if len(holders[word]) <= 20 for j in holders[word])
            near = [j for j in gap_of[i] if j in self.free]
            for j in {*(near if len(near) <= 50 else ()), *(j for j, _ in shared.most_common(5))}:
                piece = self.pieces[j]
                if _sort(unit.kind) != _sort(piece.kind):
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

    def edited(self, unit: _Unit, piece: Piece) -> None:
        """What differs between a passage and its piece, cell by cell."""
        if unit.kind != "row":
            changes = _changes(unit.cells[0], piece.text, unit.numbers[0], unit.claims[0])
            if any(kind in FAILS for kind, *_ in changes):
                changes = self.split(unit, piece, changes)
        elif len(unit.cells) == len(piece.cells):
            rows = zip(unit.cells, piece.cells, unit.numbers, unit.claims, strict=True)
            changes = [change for row in rows for change in _changes(*row, strict=True)]
            changes += self.relabelled(unit, piece)
        else:
            changes = _changes(unit.text, piece.text, *_bound_in(unit), strict=True)
        for kind, old, new, ids in changes:
            self.note(kind, old, new, piece, passage=piece.text, ids=ids)

    def split(self, unit: _Unit, piece: Piece, changes: list[_Change]) -> list[_Change]:
        """The changes of a passage, fewer of them where it was only cut in two or more paragraphs."""
        first = last = next(j for j, other in enumerate(self.pieces) if other is piece)
        while first - 1 in self.free and self.pieces[first - 1].kind == piece.kind:
            first -= 1
        while last + 1 in self.free and self.pieces[last + 1].kind == piece.kind:
            last += 1
        joined = " ".join(other.text for other in self.pieces[first : last + 1])
        together = _changes(unit.cells[0], joined, unit.numbers[0], unit.claims[0])
        if any(kind in FAILS for kind, *_ in together):
            return changes
        self.free -= set(range(first, last + 1))
        return together

    def relabelled(self, unit: _Unit, piece: Piece) -> list[_Change]:
        """A row, or the head of a column, that took the name of another one of its table."""
        column = {
            (at, _key("text", [cell]))
            for other in self.units
            if other.kind == "row" and other.table == unit.table
            for at, cell in enumerate(other.cells)
        }
        heads = {_key("text", [cell]) for cell in unit.cells}
        for at, (old, new) in enumerate(zip(unit.cells, piece.cells, strict=True)):
            key = _key("text", [new])
            changed = key != _key("text", [old]) and _words(new) and not unit.numbers[at]
            if changed and ((at, key) in column or key in heads):
                return [("number", unit.text, piece.text, unit.bound)]
        return []

    def lost(self, unit: _Unit, i: int) -> None:
        """A passage that is nowhere: perhaps it was only joined to its neighbour."""
        for other in (i - 1, i + 1) if unit.kind != "row" and unit.bound else ():
            piece = self.pieces[self.place[other]] if other in self.place else None
            if piece is None or piece.kind in ("row", "picture"):
                continue
            both = [self.units[at] for at in sorted((i, other))]
            changes = _changes(" ".join(part.text for part in both), piece.text, *_bound_in(*both))
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
        while j in self.free and self.pieces[j].kind != "picture":
            j += step
        return j

    def pictures(self) -> None:
        """Each picture must be the one that was drawn, above or below its own caption."""
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
            above, below = names.get(self.beside(at, -1)), names.get(self.beside(at, 1))
            if name in (above, below):
                continue
            if above is None and name not in names.values():
                self.note("missing", name, "", self.pieces[at], passage=self.pieces[at].text)
            else:
                self.note("picture", name, above or "", self.pieces[at], passage=self.pieces[at].text)

    def added(self) -> None:
        """Passages with numerals that are not from the run, after its first passage."""
        start = min(self.place.values(), default=0)
        texts = {_bare(key) for key in self.old}
        for j in sorted(self.free):
            piece = self.pieces[j]
            listed = _PAGE.sub("", _NUMBERING.sub("", piece.text))  # as it stands in a list of contents
            repeated = {_bare(_key("", [words])) for words in (piece.text, listed)} & texts
            if j > start and not repeated and _numerals(_FINGERPRINT.sub("", piece.text)):
                self.note("added", "", piece.text, piece)


_Change = tuple[str, str, str, tuple[str, ...]]


def _changes(old: str, new: str, numbers: _Bound, claims: _Bound, *, strict: bool = False) -> list[_Change]:
    """What differs between two versions of a passage; `strict` where no numeral may be added, as in a cell."""
    before, after = _tokens(old), _tokens(new)
    bound = _spans(before, numbers)
    stated = _spans(before, claims)
    lost: list[_Change] = [("number", shown, "", (key,)) for key, shown, at in bound if not at]
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
        exact = SequenceMatcher(None, _masked(before), _masked(after), autojunk=False).get_opcodes()
        there = _mapped(exact)
        for key, shown, span in bound:
            now = [after[j] for at in span for j in there[at]]
            if [before[at] for at in span] != now:
                now = list(dict.fromkeys(word for word in now if len(span) > 1 or _is_numeral(word)))
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
    surplus = Counter(word for _, _, added in edits for word in added if _is_numeral(word)) - replaced
    if strict and surplus and not any(kind == "number" for kind, *_ in changes) and numbers:
        changes.append(("number", old, new, tuple(key for key, _ in numbers)))
    if not changes:
        changes.append(("added" if surplus else "prose", old, new, ()))
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
    words = [word for word in added if not _is_numeral(word)]
    if i1 == i2:
        if i1 == span.start:
            return bool(words) and words[-1] not in _SENTENCE_ENDS
        if i1 == span.stop:
            return bool(words) and before[i1 - 1] not in _SENTENCE_ENDS and words[0] not in _SENTENCE_ENDS
        return i1 in span and bool(added)
    touched = set(range(i1, i2)) & set(span)
    return bool(touched - inside) or bool(touched and words)


_SENTENCE_ENDS = (".", "!", "?", ";", ":")


def _stream(units: list[_Unit], pieces: Sequence[Piece]) -> Iterator[Difference]:
    """The words of all pages against the words of the ledger, in one stream."""
    units = [unit for unit in units if unit.kind != "alt"]
    before = [(word, at) for at, unit in enumerate(units) for cell in unit.cells for word in _tokens(cell)]
    after = [(word, piece.page) for piece in pieces if piece.kind == "page" for word in _tokens(piece.text)]
    old, new = [word for word, _ in before], [word for word, _ in after]
    starts: dict[int, int] = {}
    for at, (_, unit_at) in enumerate(before):
        starts.setdefault(unit_at, at)
    opcodes = _aligned(old, new)
    there = _mapped(opcodes)
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
        for kind, was, became, ids in _changes(" ".join(old[first:last]), now, *_bound_in(unit)):
            if kind != "added" or equal < last - first:  # else only a numbering stands between
                yield Difference(kind, was, became, unit.text, ids=ids, **where)
    known = " ".join(old)
    front = next((starts[at] for at, unit in enumerate(units) if unit.kind != "heading"), 0)
    for kind, i1, _, j1, j2 in edits:
        words = _LEADERS.sub("", " ".join(new[j1:j2]))
        own = kind == "insert" and i1 > front and not _NUMBERED.fullmatch(words) and _numerals(words)
        if own and words not in known:  # the head of a table is said again on its next page
            yield Difference("added", "", words, page=after[j1][1])
    for note in pieces:
        if note.kind != "page" and _numerals(note.text) and " ".join(_tokens(note.text)) not in known:
            yield Difference("added", "", note.text, page=note.page)


def _between(
    opcodes: _Opcodes, there: dict[int, list[int]], old: list[str], new: list[str], starts: set[int]
) -> _Opcodes:
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


def _holds_its_numbers(unit: _Unit) -> bool:
    """Whether a passage of the ledger says the numbers that the ledger binds to it."""
    return all(shown in cell for cell, bound in zip(unit.cells, unit.numbers, strict=False) for _, shown in bound)


_Opcodes = list[tuple[str, int, int, int, int]]


def _aligned(old: list[str], new: list[str]) -> _Opcodes:
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
    opcodes: _Opcodes = []
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


def _mapped(opcodes: Iterable[tuple[str, int, int, int, int]]) -> dict[int, list[int]]:
    """For each old word the new ones in its place."""
    there: dict[int, list[int]] = defaultdict(list)
    for kind, i1, i2, j1, j2 in opcodes:
        for i in range(i1, i2):
            if kind == "equal":
                there[i] = [j1 + i - i1]
            else:
                there[i] = [j1 + i - i1] if i2 - i1 == j2 - j1 else list(range(j1, j2))
    return there


def _spans(words: list[str], parts: list[tuple[str, str]]) -> list[tuple[str, str, range]]:
    """Where each part stands among the words, one after the other; an empty range where it does not."""
    spans = []
    after = 0
    for key, part in parts:
        wanted = [_inner(word) for word in _tokens(part)]
        found = range(0)
        for start in (*range(after, len(words)), *range(after)):
            if [_inner(word) for word in words[start : start + len(wanted)]] == wanted and wanted:
                found = range(start, start + len(wanted))
                after = found.stop
                break
        spans.append((key, part, found))
    return spans


def _inner(word: str) -> str:
    return word.strip(_AROUND) or word


def _tokens(words: str) -> list[str]:
    return [re.sub(r"\s", "", word) for word in _TOKEN.findall(normal_words(words))]


def _is_numeral(word: str) -> bool:
    return _inner(word)[:1].isdecimal()


def _numerals(words: str) -> list[str]:
    return [word for word in _tokens(words) if _is_numeral(word)]


def _masked(words: list[str]) -> list[str]:
    return ["#" if _is_numeral(word) else word for word in words]


def _words(passage: str) -> list[str]:
    """Its words, all numerals alike."""
    return _masked([word for word in _tokens(passage) if word not in "|.,;:()"])


def _key(kind: str, cells: Iterable[str]) -> str:
    """What is equal in two passages that say the same in the same sort of place."""
    return f"{_sort(kind)}:" + " | ".join(" ".join(_tokens(cell)) for cell in cells)


def _bare(key: str) -> str:
    return key.partition(":")[2]


def _piece_key(piece: Piece, known: set[str]) -> str:
    """Its key; without the numbering that the document's format put before a heading or caption."""
    key = _key(piece.kind, piece.cells)
    if key not in known and piece.kind not in ("row", "picture"):
        bare = _key(piece.kind, [_NUMBERING.sub("", piece.text, count=1)])
        return bare if bare in known else key
    return key


def _trimmed(cells: tuple[str, ...]) -> tuple[str, ...]:
    """Cells without the empty ones at the end, which a ledger does not know."""
    full = [at for at, cell in enumerate(cells, start=1) if cell]
    return cells[: max(full, default=0)]


def _sort(kind: str) -> str:
    return {"row": "row", "cell": "row", "picture": "picture", "alt": "picture"}.get(kind, "text")


def _short(words: str) -> str:
    return words if len(words) <= SHOWN else words[:SHOWN].rstrip() + " …"
