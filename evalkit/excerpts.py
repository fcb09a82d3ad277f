"""Shorter documents out of the report: summary, one-page sheet, letter; each carries its part of the ledger."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from evalkit.documents import Document, read_markdown
from evalkit.language import plain, text
from evalkit.ledger import Entries, fingerprint, identifiers, ledger_bytes, make_ledger
from evalkit.word_front import lines

SUMMARY = ("report", "03_before_after", "12_results", "conclusions")  # the chapters of the short version
RESULTS = "12_results"
Block = dict[str, Any]


def summary(document: Document) -> Document:
    """The short version: the summary, the chapter on before and after without single places, the results."""
    blocks = [block for name in SUMMARY for block in _chapter(document, name)]
    return _excerpt(document, _without_places(blocks), kind="excerpt_summary")


def sheet(document: Document) -> Document:
    """One page, numbers first: the table of results, the conclusion on the primary outcomes, the design's limits."""
    title = read_markdown(f"# {plain(document.title)} {{.unnumbered}}\n\n{plain(document.organisation)}")["blocks"]
    known = text("excerpt_full", document.language, fingerprint=document.fingerprint)
    blocks = [*title, *_results(document), *_primary(document), *_design(document), *_words(known)]
    return _excerpt(document, blocks, kind="excerpt_sheet")


def letter(document: Document) -> Document:
    """The letter that hands the report over: its main results and what may be said of them."""
    language = document.language
    opening = text("excerpt_letter", language, title=plain(document.title))
    known = text("excerpt_full", language, fingerprint=document.fingerprint)
    blocks = [*_words(opening), *_results(document), *_primary(document), *_design(document), *_words(known)]
    return _excerpt(document, blocks, kind="excerpt_letter_kind")


def _words(words: str) -> list[Block]:
    return read_markdown(words)["blocks"]


def _excerpt(document: Document, blocks: list[Block], *, kind: str) -> Document:
    """A document of some blocks of another, with the numbers, claims and pictures that stand in them."""
    tree = document.tree | {"blocks": blocks}
    whole, held = json.loads(document.ledger), identifiers(tree)
    entries = Entries()
    for name in ("numbers", "claims"):
        kept = [one for one in whole[name] if one["id"] in held]
        setattr(entries, name, [{key: value for key, value in one.items() if key != "block"} for one in kept])
    shown = {block["c"][0][0].removeprefix("figure-") for block in blocks if block["t"] == "Figure"}
    pictures = [one for one in whole["pictures"] if one["name"] in shown]
    parts = ("numbers", "claims", "blocks", "pictures", "front")
    about = {key: value for key, value in whole.items() if key not in parts} | {"excerpt_of": document.fingerprint}
    made = replace(
        document,
        kind=text(kind, document.language),
        tree=tree,
        pictures={name: picture for name, picture in document.pictures.items() if name in shown},
        fingerprint="",
        of_report=document.fingerprint,
    )
    ledger = ledger_bytes(make_ledger(tree, entries, pictures, **about, front=lines(made)))
    return replace(made, ledger=ledger, fingerprint=fingerprint(ledger))


def _chapter(document: Document, name: str) -> list[Block]:
    """The blocks of a chapter, its heading first."""
    blocks, inside = [], False
    for block in document.tree["blocks"]:
        if _level(block) == 1:
            inside = dict(block["c"][1][2]).get("chapter") == name
        if inside:
            blocks.append(block)
    return blocks


def _level(block: Block) -> int:
    return block["c"][0] if block["t"] == "Header" else 0


def _without_places(blocks: list[Block]) -> list[Block]:
    """Without the sections whose tables and figures are all on single places."""
    starts = [at for at, block in enumerate(blocks) if 0 < _level(block) <= 2]
    kept: list[Block] = blocks[: starts[0]] if starts else blocks
    for start, end in pairwise([*starts, len(blocks)]):
        shown = [block["c"][0][0] for block in blocks[start:end] if block["t"] in ("Table", "Figure")]
        if not shown or not all("-units" in name for name in shown):
            kept = kept + blocks[start:end]
    return kept


def _results(document: Document) -> list[Block]:
    return [block for block in _chapter(document, RESULTS) if block["t"] == "Table" and "results" in block["c"][0][0]]


def _primary(document: Document) -> list[Block]:
    """The paragraphs on the primary outcomes: what stands between the first two headings of third level."""
    found, headings = [], 0
    for block in _chapter(document, "report"):
        headings += _level(block) == 3
        if headings > 1 or (headings and 0 < _level(block) < 3):
            break
        if headings == 1 and block["t"] == "Para":
            found.append(block)
    return found


def _design(document: Document) -> list[Block]:
    """The sentences on what the design allows: the last paragraph of the first section."""
    section: list[Block] = []
    for block in _chapter(document, "report")[1:]:
        if _level(block) == 2 and section:
            break
        section += [block] if block["t"] == "Para" else []
    return section[-1:]
