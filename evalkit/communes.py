"""Communes before and after the merger of 1/7/2025: their names, official codes, and what became of whom."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

from evalkit.encodings import fold
from evalkit.errors import Problem, nearest

# On this day 10,035 communes became 3,321 and districts ceased to exist (resolutions of 16/6/2025, such as
# 1668/NQ-UBTVQH15 for Cần Thơ). A code of the old list may stand again in the new one, for another unit.
MERGER = date(2025, 7, 1)
_EVE = date(2025, 6, 30)
_FILE = "study.toml"
_MOST_SHOWN = 3
_RANK = re.compile(r"(?:(xã|phường|thị trấn|đặc khu)\s+|(x|p|tt)\.\s*)")
_SHORT_RANKS = {"x": "xã", "p": "phường", "tt": "thị trấn"}


@dataclass(frozen=True)
class Commune:
    """A commune, ward, township or special zone of one of the two lists; code and list together identify it.

    valid_from: None in the old list, which says who existed on 30/6/2025, not since when. successors: codes of the
    new list, more than one where the unit was divided. disputed: public lists give this unit different codes.
    """

    code: str
    name: str
    district: str
    province: str
    valid_from: date | None
    valid_to: date | None
    successors: tuple[str, ...] = ()
    disputed: bool = False


def match(name: str, *, on: date) -> tuple[Commune, ...]:
    """All communes that bore a name on a day, whatever the spelling; with its rank (xã, phường …) only those of it.

    name: as people write it. on: before 1/7/2025 the list of 30/6/2025 answers, so earlier mergers and changes of
    rank are not known.

    >>> [(found.code, found.province) for found in match("P. Ngã Bảy", on=date(2024, 5, 1))]
    [('31340', 'Tỉnh Hậu Giang')]
    """
    rank, short = _parts(name)
    named = _by_name(on >= MERGER).get(short, ())
    return tuple(commune for commune_rank, commune in named if rank in (None, commune_rank))


def successors(code: str) -> tuple[Commune, ...]:
    """The units of today in which a commune of 30/6/2025 has gone up, by its code; empty for an unknown one.

    >>> [found.name for found in successors("31344")]
    ['Phường Đại Thành']
    """
    old = _list(after=False).get(code)
    return tuple(_list(after=True)[new] for new in old.successors) if old else ()


def predecessors(code: str) -> tuple[Commune, ...]:
    """The communes of 30/6/2025 of which a unit of today is made, whole or in part, by its code.

    >>> [found.name for found in predecessors("31340")]
    ['Phường Ngã Bảy', 'Phường Lái Hiếu', 'Phường Hiệp Thành']
    """
    return _predecessors().get(code, ())


def check_units(units: Iterable[Any], waves: Iterable[Any]) -> tuple[list[Problem], list[Problem]]:
    """What the merger of 2025 does to the declared units: (problems, notices).

    A problem is one name with one official code that stands for surveys on both sides of 1/7/2025, although the unit
    was merged or divided that day. Notices: the same joined on purpose by two names; a code that belongs to another
    name, or to none; a real name without a code. Names that no list knows, and surveys all on one side of the day,
    cause nothing.

    units: with `code` and `names`, each name with `vi`, `official_code`, `valid_from`, `valid_to`.
    waves: with `field_start`, `field_end`. Example: `check_units(declaration.units, declaration.waves)`.
    """
    problems: list[Problem] = []
    notices: list[Problem] = []
    waves = list(waves)
    for unit in units:
        place = f"units.{unit.code}"
        before = [name for name in unit.names if _serves(name, waves, after=False)]
        after = [name for name in unit.names if _serves(name, waves, after=True)]
        for code in dict.fromkeys(name.official_code for name in before if name.official_code):
            old = _list(after=False).get(code)
            if old and after and not _unchanged(old):
                if any(name.official_code == code and name in after for name in before):
                    problems.append(Problem(_FILE, "communes_merged", _merger(old), column=place))
                else:
                    notices.append(Problem(_FILE, "communes_joined", _merger(old), column=place))
        for name in unit.names:
            if name.official_code is None:
                spans = name in before and name in after
                if spans and any(not _unchanged(found) for found in match(name.vi, on=_EVE)):
                    notices.append(Problem(_FILE, "communes_no_code", {"found": name.vi}, column=place))
            # Before its end the old list proves nothing: names and ranks changed in 2019–2020 and 2023–2025 too.
            elif name in before and name.valid_to >= _EVE:
                notices += _code_problems(name, place, on=_EVE)
            elif name in after:
                notices += _code_problems(name, place, on=MERGER)
    return problems, notices


def _serves(name: Any, waves: list[Any], *, after: bool) -> bool:
    """Whether a name was valid in any survey on that side of the merger."""
    start, end = (MERGER, date.max) if after else (date.min, _EVE)
    return any(
        max(name.valid_from, wave.field_start, start) <= min(name.valid_to, wave.field_end, end) for wave in waves
    )


def _unchanged(old: Commune) -> bool:
    """Whether a commune went through the merger whole and alone, under its name."""
    return (
        len(old.successors) == 1
        and predecessors(old.successors[0]) == (old,)
        and _parts(successors(old.code)[0].name)[1] == _parts(old.name)[1]
    )


def _merger(old: Commune) -> dict[str, str]:
    new = successors(old.code)
    parts = dict.fromkeys(part.name for unit in new for part in predecessors(unit.code))
    return {
        "found": f"{old.name} ({old.code})",
        "new": "; ".join(f"{unit.name} ({unit.code})" for unit in new),
        "parts": ", ".join(parts),
    }


def _code_problems(name: Any, place: str, *, on: date) -> list[Problem]:
    """A code that on that day belonged to no unit, or to one with another name."""
    units = _list(on >= MERGER)
    known = units.get(name.official_code)
    if known and (known.disputed or _parts(known.name)[1] == _parts(name.vi)[1]):
        return []
    alike = match(name.vi, on=on)
    if any(unit.disputed for unit in alike):
        return []
    shown = "; ".join(f"{unit.code} {_described(unit)}" for unit in alike[:_MOST_SHOWN])
    shown += " …" if len(alike) > _MOST_SHOWN else ""
    values = {
        "found": name.official_code,
        "name": name.vi,
        "list": {"vi": f"{on:%d/%m/%Y}", "en": f"{on.day} {on:%B %Y}"},
        "expected": shown or nearest(name.vi, {unit.name for unit in units.values()}),
    }
    if known is None:
        return [Problem(_FILE, "communes_code_unknown", values, column=place)]
    return [Problem(_FILE, "communes_code_name", values | {"unit": _described(known)}, column=place)]


def _described(unit: Commune) -> str:
    return ", ".join(filter(None, (unit.name, unit.district, unit.province)))


@cache
def _list(after: bool) -> dict[str, Commune]:
    """One of the two lists, by code: that of 30/6/2025 or that of the day after."""
    text = files("evalkit").joinpath("lists", "communes.csv").read_text(encoding="utf-8")
    return {
        row["code"]: Commune(
            **{name: row[name] for name in ("code", "name", "district", "province")},
            valid_from=MERGER if after else None,
            valid_to=None if after else _EVE,
            successors=tuple(row["successors"].split()),
            disputed=row["disputed"] == "1",
        )
        for row in csv.DictReader(text.splitlines())
        if row["list"] == ("new" if after else "old")
    }


@cache
def _predecessors() -> dict[str, tuple[Commune, ...]]:
    found: dict[str, tuple[Commune, ...]] = {}
    for old in _list(after=False).values():
        for new in old.successors:
            found[new] = (*found.get(new, ()), old)
    return found


@cache
def _by_name(after: bool) -> dict[str, list[tuple[str | None, Commune]]]:
    found: dict[str, list[tuple[str | None, Commune]]] = {}
    for commune in _list(after).values():
        rank, short = _parts(commune.name)
        found.setdefault(short, []).append((rank, commune))
    return found


def _parts(name: str) -> tuple[str | None, str]:
    """Rank and bare name, folded; a rank that is not written is None, «Phường 05» is called 5."""
    folded = fold(name.replace("’", "'"))
    rank = _RANK.match(folded)
    short = re.sub(r"\b0+(?=\d)", "", folded[rank.end() if rank else 0 :])
    return (rank[1] or _SHORT_RANKS[rank[2]] if rank else None), short
