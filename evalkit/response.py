"""After the vote: what was done about each conclusion of the council, and which numbers are others now."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Annotated, Any

import pandas as pd
from pydantic import Field

from evalkit.declaration import Declared, Labels, Words, parse
from evalkit.errors import DataError, Problem, raise_any
from evalkit.language import Language, label, plain
from evalkit.study import Study
from evalkit.textfiles import file_bytes, read_toml
from evalkit.values import titled

FILE = "response.toml"


class Reply(Declared):
    """`[[reply]]`: a conclusion of the council, what was changed for it or why nothing, and on which page."""

    conclusion: Labels
    change: Labels
    place: Labels


class Response(Declared):
    """All of `response.toml`. `submitted`: the ledger.json of the report on which the council voted."""

    submitted: Words | None = None
    reply: Annotated[tuple[Reply, ...], Field(min_length=1, strict=False)]


def read_response(study: Study) -> Response | None:
    """What `response.toml` of the study folder says; None where there is no such file. DataError for wrong keys."""
    path = study.folder / FILE
    if not path.exists():
        return None
    response = parse(read_toml(path, FILE), FILE, Response)
    raise_any(
        Problem(FILE, "response_name", {"found": found}, column=f"reply[{at}].{key}")
        for at, reply in enumerate(response.reply, 1)
        for key in ("conclusion", "change", "place")
        for found in re.findall(r"\{[\w.]+\}", str(getattr(reply, key)))
    )
    return response


def response_table(study: Study, language: Language) -> pd.DataFrame:
    """Conclusion → change → page, for the report on what was taken over; empty without `response.toml`."""
    response = read_response(study)
    keys = ("conclusion", "change", "place")
    rows = [
        {f"response_{key}": plain(label(getattr(reply, key), language)) for key in keys}
        for reply in (response.reply if response else ())
    ]
    return titled(rows, language)


def submitted_ledger(study: Study) -> dict[str, Any] | None:
    """The ledger of the submitted report, where `response.toml` names one; DataError where it is none."""
    response = read_response(study)
    if response is None or response.submitted is None:
        return None
    found = {"found": response.submitted}
    if study.outside(response.submitted):
        raise DataError([Problem(FILE, "path_outside", found, column="submitted")])
    if not (path := study.folder / response.submitted).is_file():
        raise DataError([Problem(FILE, "response_ledger_missing", found, column="submitted")])
    try:
        ledger = json.loads(file_bytes(path, response.submitted))
        for one in ledger["numbers"]:
            _place_of(one), one["shown"] + ""
        return ledger
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError([Problem(FILE, "response_ledger_broken", found, column="submitted")]) from None


def ledger_changes(old: dict[str, Any], new: dict[str, Any], language: Language) -> pd.DataFrame:
    """The shown numbers in which two ledgers differ.

    Numbers of an effect are compared by its key. The others are compared in the order in which a cell of a notebook
    shows them; where numbers came or went among them, the rest is matched by what they show.

    Returns titled columns place, old, new: one row a number; an en dash where one report has no such number.

        ledger_changes(submitted_ledger(study), json.loads(document.ledger), "vi")
    """
    before, after = _by_place(old), _by_place(new)
    rows = []
    for place in [*after, *(place for place in before if place not in after)]:
        was, now = before.get(place, []), after.get(place, [])
        for kind, first, last, start, end in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
            if kind != "equal":
                rows += [
                    {"ledger_place": plain(place), "ledger_old": plain(one), "ledger_new": plain(other)}
                    for one, other in zip_longest(was[first:last], now[start:end], fillvalue="–")
                ]
    return titled(rows, language)


def _by_place(ledger: dict[str, Any]) -> dict[str, list[str]]:
    """What is shown, by place; that of an effect once, however often the report says it."""
    found: dict[str, list[str]] = defaultdict(list)
    for one in ledger["numbers"]:
        place = _place_of(one)
        if "effect" not in one or one["shown"] not in found[place]:
            found[place].append(one["shown"])
    return dict(found)


def _place_of(entry: dict[str, Any]) -> str:
    return str(entry["effect"]) if "effect" in entry else f"{entry['notebook']}, {int(entry['cell']) + 1}"
