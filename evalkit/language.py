"""Vietnamese and English: the message catalogue, numbers and dates as each language writes them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from numbers import Integral
from typing import Any, Literal

from evalkit.tracing import trace

Language = Literal["vi", "en"]
LANGUAGES: tuple[Language, ...] = ("vi", "en")
MINUS = "\N{MINUS SIGN}"
_TIED = re.compile(r"(?<=\d) (đến|to|/|–) (?=[+−]?\d)")  # the ends of a range, or two counts side by side


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """Every text that evalkit shows: key → {"vi": …, "en": …}, from the files of `messages/`."""
    found: dict[str, dict[str, str]] = {}
    for file in sorted(files("evalkit").joinpath("messages").iterdir(), key=lambda file: file.name):
        texts = tomllib.loads(file.read_text(encoding="utf-8"))
        if twice := found.keys() & texts.keys():
            raise KeyError(f"{file.name}: {sorted(twice)}")
        found |= texts
    return found


def text(key: str, language: Language, **values: Any) -> str:
    """The catalogue's text for a key, its `{names}` filled in.

    Raises KeyError for an unknown key: a missing text is a bug, not something to show.

    >>> text("period_before", "vi"), text("period_before", "en")
    ('trước', 'before')
    """
    counts = {name: counted(value) for name, value in values.items()}
    return catalogue()[key][language].format(**counts)


def counted(value: Any) -> Any:
    """A count in words, traced; anything else as it is."""
    counts = isinstance(value, Integral) and not isinstance(value, bool)
    return trace("number", str(value), int(value), {"plain": True}) if counts else value


def label(labels: Mapping[str, str] | Any, language: Language) -> str:
    """One language out of a pair declared as `{ vi = …, en = … }`."""
    return labels[language] if isinstance(labels, Mapping) else getattr(labels, language)


_MARKUP = re.compile(r"([\\`*_\[\]<>#|~^$@!])")


def plain(words: str) -> str:
    """Words from a study's files as Markdown that shows them and does nothing else.

    >>> plain("a_b <i>")
    'a\\\\_b \\\\<i\\\\>'
    """
    return _MARKUP.sub(r"\\\1", words.replace("\n", " "))


def number(value: float, decimals: int, language: Language, *, sign: bool = False) -> str:
    """A number as the language writes it, rounded half to even at the last decimal shown.

    >>> number(1234.56, 1, "vi"), number(1234.56, 1, "en"), number(-2.5, 1, "vi", sign=True)
    ('1.234,6', '1,234.6', '−2,5')
    """
    from babel.numbers import format_decimal

    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    shown = format_decimal(abs(value), format=pattern, locale=language)
    if any(digit in shown for digit in "123456789"):
        shown = (MINUS if value < 0 else "+" if sign else "") + shown
    return trace("number", shown, float(value), {"decimals": decimals, "sign": sign})


def day(value: date, language: Language) -> str:
    """A date as the language writes it.

    >>> day(date(2019, 11, 4), "vi"), day(date(2019, 11, 4), "en")
    ('04/11/2019', '4 November 2019')
    """
    from babel.dates import format_date

    shown = format_date(value, "dd/MM/yyyy" if language == "vi" else "d MMMM yyyy", locale=language)
    return trace("name", shown, value.isoformat())


def unparted(words: str) -> list[str]:
    """The pieces of a text between which a line may end: words, and both ends of a range together.

    >>> unparted("72,9 (66,8 đến 79,0) điểm")
    ['72,9', '(66,8 đến 79,0)', 'điểm']
    """
    return [piece.replace("\0", " ") for piece in _TIED.sub("\0\\1\0", words).split()]


def listing(items: list[str], language: Language) -> str:
    """Items joined as a sentence lists them.

    >>> listing(["A", "B", "C"], "vi")
    'A, B và C'
    """
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {text('and', language)} {items[-1]}"
