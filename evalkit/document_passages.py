"""The passages of a ledger, as a document must say them: paragraphs, captions, rows of tables."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from evalkit.document_words import Bound
from evalkit.pieces import normal_words


@dataclass
class Passage:
    """A paragraph or a row of the ledger."""

    kind: str
    ids: list[str] = field(default_factory=list)
    cells: list[str] = field(default_factory=list)
    numbers: list[list[tuple[str, str]]] = field(default_factory=list)  # of each cell: id, shown
    claims: list[list[tuple[str, str]]] = field(default_factory=list)  # of each cell: id, text
    under: str = ""
    table: Any = None
    of: str = ""  # the table or figure to which it belongs
    strict: bool = False  # a row or the caption of a table of the run's, the caption of a figure

    @property
    def text(self) -> str:
        """Its words in one line."""
        return " | ".join(self.cells)

    @property
    def sound(self) -> bool:
        """Whether the ledger agrees with itself: each of its numbers and claims stands in its own text."""
        cells = zip(self.cells, self.numbers, self.claims, strict=True)
        return all(part in cell for cell, *parts in cells for _, part in chain(*parts))

    @property
    def bound(self) -> tuple[str, ...]:
        """Ids of its numbers and claims."""
        return tuple(key for cell in (*self.numbers, *self.claims) for key, _ in cell)


def passages_of(ledger: dict[str, Any]) -> list[Passage]:
    """The passages of a ledger in order, cells gathered to rows."""
    shown = {number["id"]: number["shown"] for number in ledger["numbers"]}
    claims: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for claim in ledger["claims"]:
        claims[claim["block"]].append((claim["id"], claim["text"]))
    units: list[Passage] = []
    last = None
    for block in filter(lambda block: block["text"], ledger["blocks"]):
        row = (block["table"], block["row"]) if block["kind"] == "cell" else None
        if row is None or row != last:
            kind = "row" if row else block["kind"]
            units.append(Passage(kind, under=block.get("under", ""), table=row and row[0]))
        last, unit = row, units[-1]
        column = block["column"] if row else 0
        while len(unit.cells) <= column:
            unit.cells.append("")
            unit.numbers.append([])
            unit.claims.append([])
        unit.ids.append(block["id"])
        unit.cells[column] = normal_words(f"{unit.cells[column]} {block['text']}")
        unit.numbers[column] += [(key, normal_words(shown[key])) for key in block.get("numbers", ())]
        stated = claims[block["id"]] or ([(block["id"], block["text"])] if block.get("computed") else [])
        unit.claims[column] += [(key, normal_words(words)) for key, words in stated]
        unit.of = str(block.get("table", block.get("figure", "")))
    bound = {unit.of for unit in units if unit.kind == "row" and unit.bound} | set(ledger.get("tables", ()))
    bound |= {str(picture["name"]) for picture in ledger.get("pictures", ())}
    for unit in units:
        unit.strict = unit.kind in ("row", "caption") and unit.of in bound
    return units


def bound_in(*units: Passage) -> tuple[Bound, Bound]:
    """All numbers and all claims of passages."""
    numbers = [pair for unit in units for pair in chain(*unit.numbers)]
    return numbers, [pair for unit in units for pair in chain(*unit.claims)]
