"""Vietnamese text: bytes to characters, one normal form, one placement of tone marks."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_TONES = "\u0300\u0301\u0303\u0309\u0323"
# In an open syllable with oa, oe or uy the tone stands on the first vowel (hòa, thủy); q takes the u (quý).
_MOVED_TONE = re.compile(rf"(?:(o)([ae])|(?<!q)(u)(y))([{_TONES}])(?!\w)", re.IGNORECASE)


def decode(data: bytes) -> str | None:
    """Text of a file that Excel, Notepad or an export may have written; None where it is not text.

    UTF-8 with or without byte-order mark, UTF-16 with one, else Windows-1258 (Vietnamese).
    """
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ["utf-16"] if marked else ["utf-8-sig", "cp1258"]:
        try:
            decoded = data.decode(encoding)
        except UnicodeError:
            continue
        return None if "\x00" in decoded else decoded
    return None


def normal_form(raw: str) -> str:
    """Composed characters (NFC), no invisible ones, single spaces, none at the ends.

    >>> normal_form("  Ra\u0302\u0301t   hài lòng ")
    'Rất hài lòng'
    """
    return " ".join(unicodedata.normalize("NFC", raw.translate(_INVISIBLE)).split())


def fold(raw: str) -> str:
    """The form in which two spellings of the same Vietnamese words are equal.

    Normal form, lower case, and tone marks of open syllables on the first vowel.

    >>> fold("HOÀ  Thuận") == fold("Hòa thuận"), fold("quý"), fold("hoàn"), fold("thuỷ")
    (True, 'quý', 'hoàn', 'thủy')
    """
    text = normal_form(raw).casefold()
    # Only the tone is taken off its vowel: ơ, â, ê keep their own marks.
    spread = "".join(_split_tone(character) for character in text)
    moved = _MOVED_TONE.sub(lambda m: (m[1] or m[3]) + m[5] + (m[2] or m[4]), spread)
    return unicodedata.normalize("NFC", moved)


def _split_tone(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    tone = "".join(mark for mark in decomposed if mark in _TONES)
    if not tone:
        return character
    return unicodedata.normalize("NFC", "".join(m for m in decomposed if m not in _TONES)) + tone
