"""Vietnamese text: bytes to characters, old code pages, one normal form, one placement of tone marks."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import islice

ENCODINGS = ("utf-8", "utf-16", "cp1258", "tcvn3", "vni", "viscii")

_LEGACY = ENCODINGS[2:]
_SAMPLE = 50_000
_EMPTY = "\ufffe"
_ESCAPED = re.compile("[\udc80-\udcff]")
_SURE = 0.9
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))
_TONES = "\u0300\u0301\u0303\u0309\u0323"
# In an open syllable with oa, oe or uy the tone stands on the first vowel (hòa, thủy); q takes the u (quý).
_MOVED_TONE = re.compile(rf"(?:(o)([ae])|(?<!q)(u)(y))([{_TONES}])(?!\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Decoded:
    """Text out of bytes.

    encoding: one of ENCODINGS. confidence: 0–1, how probable it is that this and no other encoding is meant.
    runner_up: the next best of the code pages, None where nothing had to be guessed.
    """

    text: str
    encoding: str
    confidence: float
    runner_up: str | None = None


def decode(data: bytes, encoding: str | None = None) -> Decoded | None:
    """Text of a file that Excel, Notepad or an old office may have written; None where it is not text.

    UTF-8 with or without byte-order mark and UTF-16 with one are recognised for certain. All else is read in each
    Vietnamese code page, and the one that gives Vietnamese syllables is taken: its `confidence` should be looked at.
    None also where single lines of a UTF-8 file are broken, see `undecodable_lines`.

    data: the bytes of a file. encoding: one of ENCODINGS where the user declared it; nothing is guessed then.

    >>> decode(b"Ti\\xd5ng Vi\\xd6t r\\xcat hay, x\\xb7 h\\xe9i ch\\xf1 ngh\\xdca").encoding
    'tcvn3'
    """
    if encoding is None and data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    try:
        text = decode_as(data, encoding or "utf-8")
        return None if "\x00" in text else Decoded(text, encoding or "utf-8", 1.0)
    except UnicodeError:
        if encoding or b"\x00" in data or data.startswith(codecs.BOM_UTF8) or undecodable_lines(data):
            return None
    return _guess(data)


def undecodable_lines(data: bytes) -> list[int]:
    """The numbers (from 1) of the lines that are not UTF-8, in a file most of whose other accented lines are.

    Empty where the whole file is UTF-8, and where it is as a whole in another encoding.

    >>> undecodable_lines("hài lòng\\nđã rõ\\n".encode() + b"ch\\xf1 ngh\\xdca\\n")
    [3]
    """
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    accented = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if not line.isascii()]
    broken = [number for number, line in accented if _ESCAPED.search(line)]
    return broken if len(accented) > 2 * len(broken) else []


def decode_as(data: bytes, encoding: str) -> str:
    """The text of bytes in one of ENCODINGS, composed where the code page writes marks apart; else UnicodeError.

    TCVN3 (ABC) has no capitals with tones: its fonts for capitals show the same bytes as «Ế» and «ế». Such bytes
    become small letters; `fold` makes the difference harmless.

    >>> decode_as(b"Tie\\xe1ng Vie\\xe4t", "vni"), decode_as(b"Ti\\xd5ng Vi\\xd6t", "tcvn3")
    ('Tiếng Việt', 'Tiếng Việt')
    """
    if encoding not in _LEGACY:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    if encoding == "cp1258":
        return unicodedata.normalize("NFC", data.decode("cp1258"))
    text = _decode_charmap(data, encoding)
    if encoding == "vni":
        return _VNI_WRITTEN.sub(_from_vni, text)
    return unicodedata.normalize("NFC", text)


def encode_as(text: str, encoding: str) -> bytes:
    """Bytes of a text in one of ENCODINGS; UnicodeError where it has no such character.

    Capitals with tones become small letters in TCVN3, as they do in the files of its time.

    >>> encode_as("Tiếng Việt rất hay", "tcvn3").decode("cp1252")
    'TiÕng ViÖt rÊt hay'
    """
    if encoding not in _LEGACY:
        return text.encode(encoding)
    written = _WRITTEN[encoding]
    text = "".join(written.get(character, character) for character in unicodedata.normalize("NFC", text))
    return text.encode("cp1258") if encoding == "cp1258" else _encode_charmap(text, encoding)


def mojibake(texts: Iterable[str]) -> str | None:
    """The encoding in which texts were written that some program has read as Windows-1252; None where they are sound.

    So look cells typed in a .VnTime or VNI font («TiÕng ViÖt», «Tieáng Vieät»), and UTF-8 opened wrongly («Viá»‡t»).

    texts: for instance all headers and cells of one column; distinct ones are looked at, and accented words decide.

    >>> mojibake(["§ång ý", "Kh«ng ®ång ý", "RÊt ®ång ý"]), mojibake(["Đồng ý", "Không đồng ý"])
    ('tcvn3', None)
    """
    misread: dict[bytes, None] = {}
    sound: dict[str, None] = {}
    accented = (text for text in dict.fromkeys(texts) if not text.isascii())
    for text in islice(accented, _SAMPLE):
        try:
            misread |= dict.fromkeys(_words(_encode_charmap(text, "cp1252")))
        except UnicodeError:
            # Never read as Windows-1252: its words can only be as they are.
            words = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text))
            sound |= {word: None for word in words if not word.isascii()}
    readings = {
        encoding: [_reading(word, encoding) for word in misread]
        + [word if encoding == _AS_IS else "" for word in sound]
        for encoding in (_AS_IS, "utf-8", *_LEGACY)
    }
    best, confidence, _ = _ranked(readings)
    return best if best != _AS_IS and confidence >= _SURE else None


def repair(text: str, encoding: str) -> str:
    """The text that was typed, of one that was read as Windows-1252; unchanged where it cannot be such a text.

    text: a header or cell; encoding: what `mojibake` found for the sheet or column.

    >>> repair("TiÕng ViÖt", "tcvn3"), repair("Tieáng Vieät", "vni"), repair("Tiếng Việt", "vni")
    ('Tiếng Việt', 'Tiếng Việt', 'Tiếng Việt')
    """
    try:
        return text if text.isascii() else decode_as(_encode_charmap(text, "cp1252"), encoding)
    except UnicodeError:
        return text


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
    if raw.isascii():
        return " ".join(raw.casefold().split())
    text = normal_form(raw).casefold()
    # Only the tone is taken off its vowel: ơ, â, ê keep their own marks.
    spread = "".join(_split_tone(character) for character in text)
    moved = _MOVED_TONE.sub(lambda m: (m[1] or m[3]) + m[5] + (m[2] or m[4]), spread)
    return unicodedata.normalize("NFC", moved)


@cache
def _split_tone(character: str) -> str:
    decomposed = unicodedata.normalize("NFD", character)
    tone = "".join(mark for mark in decomposed if mark in _TONES)
    if not tone:
        return character
    return unicodedata.normalize("NFC", "".join(m for m in decomposed if m not in _TONES)) + tone


# TCVN 5712:1993 VN3, what the fonts .VnTime, .VnArial … show: 0xA1 to 0xFE, "·" where the table is empty. The five
# marks at 0xB0 are combining ones. Same as VN1 (iconv: TCVN5712-1) without its capitals with tones.
_TCVN3 = (
    "ĂÂÊÔƠƯĐăâêôơưđ·"
    "\u0300\u0309\u0303\u0301\u0323àảãáạ·ằẳẵắ·"
    "······ặầẩẫấậè·ẻẽ"
    "éẹềểễếệìỉ···ĩíịò"
    "·ỏõóọồổỗốộờởỡớợù"
    "·ủũúụừửữứựỳỷỹýỵ·"
)
# VISCII 1.1 (RFC 1456): 0x80 to 0xFF, and six capitals in place of control characters.
_VISCII = (
    "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲÕắằặấầẩậẽẹếềểễệốồổỗỠƠộờởịỰỨỪỬơớƯ"
    "ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳĐứÒÓÔạỷừửÙÚỹỵÝỡưàáâãảăữẫèéêẻìíĩỉđựòóôõỏọụùúũủýợỮ"
)
_VISCII_CONTROL = {0x02: "Ẳ", 0x05: "Ẵ", 0x06: "Ẫ", 0x14: "Ỷ", 0x19: "Ỹ", 0x1E: "Ỵ"}
# VNI for Windows: a vowel, then a sign for its marks, both of the same case; signs and letters as Windows-1252 shows
# them. Where a vowel has a letter of its own (ơ, ư, and all of i, ỵ, đ), that letter takes the vowel's place.
_VNI_LETTERS = {"ô": "ơ", "ö": "ư", "í": "í", "ì": "ì", "æ": "ỉ", "ó": "ĩ", "ò": "ị", "î": "ỵ", "ñ": "đ"}
_VNI_SIGNS = {
    "a": ("ùøûõïâáàåãäêéèúüë", "áàảãạâấầẩẫậăắằẳẵặ"),
    "e": ("ùøûõïâáàåãä", "éèẻẽẹêếềểễệ"),
    "o": ("ùøûõïâáàåãä", "óòỏõọôốồổỗộ"),
    "ô": ("ùøûõï", "ớờởỡợ"),
    "u": ("ùøûõï", "úùủũụ"),
    "ö": ("ùøûõï", "ứừửữự"),
    "y": ("ùøûõ", "ýỳỷỹ"),
}
_VNI = _VNI_LETTERS.copy()
for _base, (_signs, _letters) in _VNI_SIGNS.items():
    _VNI |= {_base + sign: letter for sign, letter in zip(_signs, _letters, strict=True)}
_VNI |= {written.upper(): letter.upper() for written, letter in _VNI.items()}
# Some keyboards wrote a small sign after a capital.
_VNI |= {written[0] + written[1:].lower(): letter for written, letter in _VNI.items()}
_VNI_WRITTEN = re.compile("[AEOUYÔÖaeouyôö][ÙØÛÕÏÂÁÀÅÃÄÊÉÈÚÜËùøûõïâáàåãäêéèúüë]|[À-ÿ]")

_ASCII = bytes(range(0x80)).decode("ascii")
_HIGH = bytes(range(0x80, 0x100)).decode("cp1252", "replace")
_TABLES = {
    "tcvn3": _ASCII + _HIGH[:0x21].replace("\ufffd", _EMPTY) + _TCVN3.replace("·", _EMPTY),
    "vni": _ASCII + _HIGH.replace("\ufffd", _EMPTY),
    "viscii": _ASCII.translate(_VISCII_CONTROL) + _VISCII,
    # As most programs show it: the five empty places as control characters.
    "cp1252": _ASCII + "".join(chr(at) if shown == "\ufffd" else shown for at, shown in enumerate(_HIGH, start=0x80)),
}
_CHARMAPS = {name: codecs.charmap_build(table) for name, table in _TABLES.items()}
_TONED = [unicodedata.normalize("NFC", vowel + tone) for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY" for tone in _TONES]
_IN_CP1258 = bytes(range(0x100)).decode("cp1258", "ignore")
# How a character stands in a code page that has not all of them: a small letter, a VNI pair, vowel and tone apart.
_WRITTEN: dict[str, dict[str, str]] = {
    "tcvn3": {letter: letter.lower() for letter in _TONED},
    "vni": dict.fromkeys(_HIGH[0x40:], "\ufffd") | {letter: written for written, letter in reversed(_VNI.items())},
    "cp1258": {letter: _split_tone(letter) for letter in _TONED if letter not in _IN_CP1258},
    "viscii": {},
}


def _decode_charmap(data: bytes, table: str) -> str:
    return codecs.charmap_decode(data, "strict", _TABLES[table])[0]


def _encode_charmap(text: str, table: str) -> bytes:
    return codecs.charmap_encode(text, "strict", _CHARMAPS[table])[0]


def _from_vni(written: re.Match[str]) -> str:
    if written[0] not in _VNI:
        raise UnicodeError(f"{written[0]!r} is no letter of VNI, or has no vowel before it")
    return _VNI[written[0]]


# An accented word in bytes; VISCII has letters among the control characters.
_LETTER = rb"[A-Za-z\x02\x05\x06\x14\x19\x1e\x80-\xff]"
_ACCENTED = re.compile(_LETTER + rb"*?[\x80-\xff]" + _LETTER + rb"*")
_PUNCTUATION = "“”‘’«»‹›…–—·•°\xa0"
_AS_IS = "cp1252"


def _words(data: bytes) -> list[bytes]:
    """The distinct accented words at the beginning of the data."""
    return list(dict.fromkeys(found[0] for found in islice(_ACCENTED.finditer(data), _SAMPLE)))


def _guess(data: bytes) -> Decoded | None:
    """The text in the most probable of the code pages in which it can be read at all."""
    words = _words(data)
    readings = {encoding: [_reading(word, encoding) for word in words] for encoding in _LEGACY}
    while readings:
        best, confidence, runner_up = _ranked(readings)
        try:
            return Decoded(decode_as(data, best), best, confidence, runner_up)
        except UnicodeError:
            del readings[best]
    return None


def _reading(word: bytes, encoding: str) -> str:
    """What an encoding makes of one word; nothing where it cannot be."""
    try:
        return _decode_charmap(word, "cp1252") if encoding == _AS_IS else decode_as(word, encoding)
    except UnicodeError:
        return ""


def _ranked(readings: dict[str, list[str]]) -> tuple[str, float, str | None]:
    """The reading that is most probably meant, its probability, and the next best.

    Bayes' rule with equal chances before: in the right encoding nine accented words of ten are possible Vietnamese
    syllables, in a wrong one few are; in a text that is not Vietnamese three of ten happen to be. Readings that give
    the same text do not compete.
    """
    syllables = {name: [_is_syllable(word, name) for word in words] for name, words in readings.items()}
    scores = {name: sum(math.log(0.9 if ok else 0.1) for ok in found) for name, found in syllables.items()}
    best, *others = sorted(scores, key=lambda name: -scores[name])
    foreign = sum(math.log(0.3 if ok else 0.7) for ok in syllables[best])
    rivals = [foreign, *(scores[name] for name in others if readings[name] != readings[best])]
    confidence = 1 / (1 + sum(math.exp(min(rival - scores[best], 700)) for rival in rivals))
    return best, confidence, next(iter(others), None)


# Nucleus, without its tone: what may follow it ("" is nothing).
_RIMES = {
    "a": "|i|o|u|y|c|ch|m|n|ng|nh|p|t",
    "oa": "|i|o|y|c|ch|m|n|ng|nh|p|t",
    "ă oă": "c|m|n|ng|p|t",
    "â uâ": "c|m|n|ng|p|t|u|y",
    "e oe": "|c|m|n|ng|o|p|t",
    "ê uê": "|c|ch|m|n|nh|p|t|u",
    "i": "|a|ch|m|n|nh|p|t|u",
    "iê yê uyê": "c|m|n|ng|p|t|u",
    "y uy": "|a|ch|n|nh|p|t|u",
    "o ô": "|c|i|m|n|ng|p|t",
    "oo": "c|ng",
    "ơ uơ": "|i|m|n|p|t",
    "u": "|a|c|i|m|n|ng|p|t",
    "uô": "c|i|m|n|ng|t",
    "ư": "|a|c|i|m|n|ng|t|u",
    "ươ": "c|i|m|n|ng|p|t|u",
}
_SYLLABLE = re.compile(
    "(?:ngh?|nh|ch|gh|gi?|kh|ph|qu|th|tr|[bcdđhklmnrstvx])?(?:"
    + "|".join(f"(?:{nuclei.replace(' ', '|')})(?:{codas})" for nuclei, codas in _RIMES.items())
    + ")"
)


def _is_syllable(word: str, encoding: str) -> bool:
    """Whether a word can be a Vietnamese syllable: onset, nucleus, coda, at most one tone.

    A final stop allows two tones only. Capitals stand at the beginning or everywhere, but TCVN3 mixes them.
    """
    if word and not any(character.isalpha() for character in word):
        return True  # A dash or a degree sign speaks against nothing.
    word = word.strip(_PUNCTUATION)
    small = word.lower()
    if encoding != "tcvn3" and word not in (small, word.upper(), small.capitalize()):
        return False
    spread = "".join(map(_split_tone, small))
    tones = [mark for mark in spread if mark in _TONES]
    toneless = unicodedata.normalize("NFC", spread.translate(dict.fromkeys(map(ord, _TONES))))
    if len(tones) > 1 or (toneless.endswith(("c", "ch", "p", "t")) and tones not in (["\u0301"], ["\u0323"])):
        return False
    return _SYLLABLE.fullmatch(toneless) is not None
