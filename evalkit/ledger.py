"""The ledger of a report: every number it shows with its raw value, every claim, every passage that holds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from evalkit.language import Language, number

_ID = re.compile(r'<span class="(number|claim)" id="(\d+)">')
MOST_DECIMALS = 12  # that a number is shown with; a ledger that says otherwise is none of ours
_PREFIX = {"number": "n", "claim": "c"}


class Entries:
    """The numbers and claims of a report in the order in which they are shown, each with its id."""

    def __init__(self) -> None:
        self.numbers: list[dict[str, Any]] = []
        self.claims: list[dict[str, Any]] = []

    def enter(self, source: str, origins: list[dict[str, Any]], notebook: str, cell: int) -> str:
        """Markdown of one notebook output with the ids that its numbers and claims have in the whole report."""

        def entered(found: re.Match[str]) -> str:
            kind, origin = found[1], origins[int(found[2])]
            entries = self.numbers if kind == "number" else self.claims
            name = f"{_PREFIX[kind]}{len(entries) + 1:05d}"
            about = {key: value for key, value in origin.items() if key not in ("kind", "shown")}
            if kind == "claim":
                about = {key: value for key, value in about.items() if key not in ("value", "rule")}
            shown = {} if kind == "claim" else {"shown": origin["shown"]}
            entries.append({"id": name, **shown, **about, "notebook": notebook, "cell": cell})
            return f'<span class="{kind}" id="{name}">'

        return _ID.sub(entered, source)


def passages(tree: dict[str, Any]) -> list[dict[str, Any]]:
    """The passages of a document in order: headings, paragraphs, table cells, captions.

    tree: pandoc's. Returns rows of id, kind, text (plain, single spaces), the ids of the numbers and claims in it,
    and the heading it stands under; `computed` where all of its words are what a computation says.
    """
    found: list[dict[str, Any]] = []
    under = ""
    for kind, inlines, place in _walk(tree["blocks"]):
        text = " ".join("".join(_words(inlines)).split())
        if not text:
            continue
        if kind == "heading":
            under = text
        held = list(_ids(inlines))
        found.append(
            {
                "id": f"b{len(found) + 1:05d}",
                "kind": kind,
                "text": text,
                "numbers": [name for name, _ in held if name.startswith("n")],
                "claims": [name for name, _ in held if name.startswith("c")],
                "under": under,
                **({"computed": True} if _is_computed(inlines[0]) else {}),
                **place,
            }
        )
    return found


def _is_computed(inline: dict[str, Any]) -> bool:
    return inline["t"] == "Span" and "computed" in inline["c"][0][1]


def identifiers(tree: dict[str, Any]) -> set[str]:
    """The ids of the numbers and claims that stand in a document."""
    return {name for _, inlines, _ in _walk(tree["blocks"]) for name, _ in _ids(inlines)}


def make_ledger(
    tree: dict[str, Any], entries: Entries, pictures: list[dict[str, Any]], **about: Any
) -> dict[str, Any]:
    """The ledger of a document: what `about` says of study and software; its numbers, claims, passages, pictures."""
    alts = {one["name"]: one["alt"] for one in pictures}
    blocks = []
    for block in passages(tree):
        if "figure" in block and block["kind"] == "caption":  # the picture and its words stand above its caption
            alt = {"id": f"a{block['id'][1:]}", "kind": "alt", "text": " ".join(alts[block["figure"]].split())}
            blocks.append(alt | {"numbers": [], "claims": [], "under": block["under"]})
        blocks.append(block)
    where = {name: block["id"] for block in blocks for name in (*block["numbers"], *block["claims"])}
    captions = {block["figure"]: block["id"] for block in blocks if "figure" in block}
    said = {name: words for _, inlines, _ in _walk(tree["blocks"]) for name, words in _ids(inlines)}
    return {
        **about,
        "numbers": [one | {"block": where[one["id"]]} for one in entries.numbers],
        "claims": [one | {"text": said[one["id"]], "block": where[one["id"]]} for one in entries.claims],
        "blocks": blocks,
        "pictures": [one | {"block": captions.get(one["name"])} for one in pictures],
        "notes": list(_notes(tree["blocks"])),
        "formulas": json.dumps(tree["blocks"]).count('{"t": "Math"'),
    }


def ledger_bytes(ledger: dict[str, Any]) -> bytes:
    """The ledger as it is stored and fingerprinted: the same content, the same bytes."""
    return (json.dumps(ledger, ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


def fingerprint(data: bytes) -> str:
    """Sixteen digits of the SHA-256 of a ledger's bytes, in groups that can be read out.

    >>> fingerprint(b"")
    'E3B0-C442-98FC-1C14'
    """
    digest = sha256(data).hexdigest()[:16].upper()
    return "-".join(digest[at : at + 4] for at in range(0, 16, 4))


def shown_again(entry: dict[str, Any], language: Language) -> str:
    """What a ledger's number must look like by its raw value and rounding rule."""
    rule, value = entry["rule"], entry["value"]
    if not 0 <= rule.get("decimals", 0) <= MOST_DECIMALS:
        raise ValueError(rule)
    if "below" in rule:
        return f"< {number(rule['below'], len(str(rule['below'])) - 2, language)}" if value < rule["below"] else ""
    if rule.get("plain"):
        return str(value)
    return number(value, rule["decimals"], language, sign=rule["sign"])


def _notes(node: Any) -> Iterator[str]:
    """The paragraphs of footnotes, in words."""
    if isinstance(node, dict) and node.get("t") == "Note":
        yield from (" ".join("".join(_words(inlines)).split()) for _, inlines, _ in _walk(node["c"]))
    elif isinstance(node, dict):
        yield from _notes(node.get("c"))
    elif isinstance(node, list):
        for one in node:
            yield from _notes(one)


_Passage = tuple[str, list[Any], dict[str, Any]]


def _walk(blocks: list[Any], kind: str = "text", place: dict[str, Any] | None = None) -> Iterator[_Passage]:
    """Inlines of a tree's blocks, what they are (heading, text, cell, caption), and of which table or figure."""
    place = place or {}
    for block in blocks:
        content = block.get("c")
        match block["t"]:
            case "Header":
                yield "heading", content[2], place
            case "Para" | "Plain":
                yield kind, content, place
            case "LineBlock":
                for line in content:
                    yield kind, line, place
            case "Div" | "OrderedList" | "BulletList" | "BlockQuote" as name:
                inner = content if name in ("BulletList", "BlockQuote") else content[1]
                for item in inner if name.endswith("List") else [inner]:
                    yield from _walk(item, kind, place)
            case "DefinitionList":
                for term, meanings in content:
                    yield kind, term, place
                    for meaning in meanings:
                        yield from _walk(meaning, kind, place)
            case "Figure":
                yield from _walk(content[1][1], "caption", {"figure": content[0][0].removeprefix("figure-")})
            case "Table":
                yield from _walk_table(content)


def _walk_table(content: list[Any]) -> Iterator[_Passage]:
    (name, *_), caption, _, head, bodies, foot = content
    name = name.removeprefix("table-")
    yield from _walk(caption[1], "caption", {"table": name})
    rows = [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]
    for at, row in enumerate(rows):
        for column, cell in enumerate(row[1]):
            yield from _walk(cell[4], "cell", {"table": name, "row": at, "column": column})


_SPACES = ("Space", "SoftBreak", "LineBreak")


def _words(inlines: list[Any]) -> Iterator[str]:
    for inline in inlines:
        kind, content = inline["t"], inline.get("c")
        if kind == "Str":
            yield content
        elif kind in _SPACES:
            yield " "
        elif kind == "Code":
            yield content[1]
        elif kind == "Quoted":
            marks = "‘’" if content[0]["t"] == "SingleQuote" else "“”"
            yield marks[0] + "".join(_words(content[1])) + marks[1]
        elif kind in ("Span", "Link", "Cite"):
            yield from _words(content[1])
        elif kind not in ("Image", "Math", "Note", "RawInline", "Strikeout"):
            yield from _words(content)


def _ids(inlines: list[Any]) -> Iterator[tuple[str, str]]:
    """Ids of numbers and claims in inlines, and the words they hold."""
    for inline in inlines:
        kind, content = inline["t"], inline.get("c")
        if kind == "Span" and set(content[0][1]) & {"number", "claim"}:
            yield content[0][0], " ".join("".join(_words(content[1])).split())
        if kind in ("Span", "Link", "Cite", "Quoted"):
            yield from _ids(content[1])
        elif isinstance(content, list) and kind not in ("Code", "Math", "Image", "Note", "RawInline"):
            yield from _ids(content)
