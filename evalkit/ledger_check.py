"""A ledger against itself, and against that of another run: numbers, claims, passages, pictures, provenance."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-9  # relative; a number that differs by more but is shown alike differs below its rounding


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was: a coded reason, where, what stood there, what stands or comes out now."""

    reason: str
    place: str
    old: str = ""
    new: str = ""
    fails: bool = True


def inconsistencies(ledger: dict[str, Any]) -> Iterator[Finding]:
    """Numbers and claims that do not stand in the passage which the ledger names; a ledger that binds nothing."""
    if not ledger["blocks"] or not (ledger["numbers"] or "response_to" in ledger):
        yield Finding("ledger_empty", "ledger.json")
    blocks = {block["id"]: block for block in ledger["blocks"]}
    for part, words in (("numbers", "shown"), ("claims", "text")):
        for entry in ledger[part]:
            block = blocks.get(entry["block"])
            if block is None or entry["id"] not in block[part] or entry[words] not in block["text"]:
                yield Finding("ledger_inconsistent", entry["id"], entry[words], block["text"][:80] if block else "–")


def differing_numbers(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding | None]:
    """None for a number that comes out the same."""
    blocks = {block["id"]: block for one in (ledger, again) for block in one["blocks"]}
    for old, new in _paired(ledger["numbers"], again["numbers"]):
        present = old or new
        place = _place(blocks.get(present["block"]), present)
        if old is None or new is None:
            yield Finding("number_gone" if new is None else "number_new", place, *_shown(old, new))
        elif old["shown"] != new["shown"]:
            yield Finding("number_differs", place, old["shown"], new["shown"])
        elif not np.isclose(old["value"], new["value"], rtol=TOLERANCE, atol=1e-12):
            yield Finding("number_below_rounding", place, repr(old["value"]), repr(new["value"]), fails=False)
        else:
            yield None


def differing_claims(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding]:
    """Claims that state another direction."""
    for old, new in _paired(ledger["claims"], again["claims"]):
        before, after = (one["direction"] if one else "–" for one in (old, new))
        if before != after:
            one = old or new
            yield Finding(
                "claim_differs", " / ".join((one["indicator"], one["group"], one["estimand"])), before, after
            )


def _paired(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Entries of two ledgers that one notebook cell made, in their order; None where one has no such entry."""
    sides: dict[tuple[str, int], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for at, entries in enumerate((before, after)):
        for entry in entries:
            sides[entry["notebook"], entry["cell"]][at].append(entry)
    for first, second in sides.values():
        for at in range(max(len(first), len(second))):
            yield first[at] if at < len(first) else None, second[at] if at < len(second) else None


def _shown(old: Any, new: Any) -> tuple[str, str]:
    return old["shown"] if old else "–", new["shown"] if new else "–"


def _place(block: dict[str, Any] | None, entry: dict[str, Any]) -> str:
    named = entry.get("effect", "") or (block["text"][:80] if block else "")
    return " / ".join(part for part in ((block or {}).get("under", ""), named) if part)


def differing_drawings(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding]:
    """Figures by the numbers they draw, for pixels depend on fonts and versions."""
    before, after = ({one["name"]: one for one in side["pictures"]} for side in (ledger, again))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Finding("picture_gone" if name in before else "picture_new", name)
            continue
        old, new = before[name]["drawn"], after[name]["drawn"]
        if len(old) != len(new) or not np.allclose(old, new, rtol=1e-6, atol=1e-6):
            yield Finding("picture_differs", name)


def differing_passages(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding]:
    """Passages that read otherwise when the report is made again, apart from their numbers, which are compared."""
    old, new = (list(_masked(one)) for one in (ledger, again))
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            before, after = (" | ".join(text for _, text in side)[:200] for side in (old[i1:i2], new[j1:j2]))
            yield Finding("passage_differs", ledger["blocks"][min(i1, len(old) - 1)]["under"], before, after)


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


def differing_pictures(ledger: dict[str, Any], again: dict[str, Any], report: Path | None) -> Iterator[Finding]:
    """Pictures whose bytes are others although the same software draws the same numbers; those saved beside, too."""
    now = {one["name"]: one for one in again["pictures"]}
    same_software = ledger.get("software") == again["software"]
    for picture in ledger["pictures"]:
        for kind in ("svg", "png"):
            key, name = f"{kind}_sha256", f"figures/{picture['name']}.{kind}"
            other = now.get(picture["name"], {}).get(key)
            if other and picture[key] != other:
                yield Finding("picture_bytes", name, picture[key][:12], other[:12], same_software)
            saved = report / name if report else None
            if saved and saved.is_file() and sha256(saved.read_bytes()).hexdigest() != picture[key]:
                yield Finding("picture_bytes", name, picture[key][:12], "–")


def differing_provenance(ledger: dict[str, Any], now: dict[str, Any]) -> Iterator[Finding]:
    """Files of the study and versions of software that are others now; whether that matters, the numbers decide."""
    for part in ("inputs", "software"):
        before, after = ledger.get(part, {}), now[part]
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                old, new = (str(side.get(name, "–"))[:12] for side in (before, after))
                yield Finding(f"{part}_changed", name, old, new, fails=False)
    if ledger.get("lock") != now["lock"]:
        yield Finding(
            "lock_changed", "requirements.lock", str(ledger.get("lock"))[:12], now["lock"][:12], fails=False
        )
