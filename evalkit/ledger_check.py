"""A ledger against itself, and its passages against those of another run: what was changed beside the numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from typing import Any

Found = tuple[str, str, str, str, bool]  # reason, place, old, new, whether it fails


def inconsistencies(ledger: dict[str, Any]) -> Iterator[Found]:
    """Numbers and claims that do not stand in the passage which the ledger names; a ledger that binds nothing."""
    if not ledger["numbers"] or not ledger["blocks"]:
        yield "ledger_empty", "ledger.json", "", "", True
    blocks = {block["id"]: block for block in ledger["blocks"]}
    for part, words in (("numbers", "shown"), ("claims", "text")):
        for entry in ledger[part]:
            block = blocks.get(entry["block"])
            if block is None or entry["id"] not in block[part] or entry[words] not in block["text"]:
                yield "ledger_inconsistent", entry["id"], entry[words], block["text"][:80] if block else "–", True


def differing_passages(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Found]:
    """Passages that read otherwise when the report is made again, apart from their numbers, which are compared."""
    old, new = (list(_masked(one)) for one in (ledger, again))
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            before, after = (" | ".join(text for _, text in side)[:200] for side in (old[i1:i2], new[j1:j2]))
            yield "passage_differs", ledger["blocks"][min(i1, len(old) - 1)]["under"], before, after, True


def _masked(ledger: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Kind and text of each passage, `#` for each of its numbers."""
    shown = {entry["id"]: entry["shown"] for entry in ledger["numbers"]}
    for block in ledger["blocks"]:
        text = block["text"]
        for name in block["numbers"]:
            text = text.replace(shown.get(name, "\0"), "#", 1)
        if block["kind"] == "alt":  # told from the numbers drawn, which are compared
            text = re.sub(r"[+−<]? ?\d[\d.,]*", "#", text)
        yield block["kind"], text


def differing_pictures(ledger: dict[str, Any], again: dict[str, Any], report: Path | None) -> Iterator[Found]:
    """Pictures whose bytes are others although the same software draws the same numbers; those saved beside, too."""
    now = {one["name"]: one for one in again["pictures"]}
    same_software = ledger.get("software") == again["software"]
    for picture in ledger["pictures"]:
        for kind in ("svg", "png"):
            key, name = f"{kind}_sha256", f"figures/{picture['name']}.{kind}"
            other = now.get(picture["name"], {}).get(key)
            if other and picture[key] != other:
                yield "picture_bytes", name, picture[key][:12], other[:12], same_software
            saved = report / name if report else None
            if saved and saved.is_file() and sha256(saved.read_bytes()).hexdigest() != picture[key]:
                yield "picture_bytes", name, picture[key][:12], "–", True


def differing_tables(before: Path, after: Path) -> Iterator[Found]:
    """Saved tables for Excel that are not those of the new run; one that was not handed over misleads nobody."""
    for old in sorted((before / "tables").glob("*.csv")):
        new = after / "tables" / old.name
        if not new.is_file() or old.read_bytes() != new.read_bytes():
            yield "table_differs", f"tables/{old.name}", "", "", True
