"""The message catalogue: complete in both languages, with the same names to fill in, and used."""

import re
import unicodedata
from pathlib import Path

import pytest

from evalkit.language import catalogue, listing, number, text

PACKAGE = Path(__file__).resolve().parent.parent / "evalkit"
NAMES = re.compile(r"\{(\w+)\}")
VIETNAMESE = set("ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ")


@pytest.mark.parametrize("key", sorted(catalogue()))
def test_both_languages_say_the_same(key):
    pair = catalogue()[key]
    assert set(pair) == {"vi", "en"}
    assert set(NAMES.findall(pair["vi"])) == set(NAMES.findall(pair["en"]))
    assert unicodedata.is_normalized("NFC", pair["vi"])
    assert not VIETNAMESE & set(pair["en"].lower()), "Vietnamese in the English text"


def test_no_text_is_unused():
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.glob("*.py"))
    notebooks = [path.read_text(encoding="utf-8") for path in (PACKAGE.parent / "notebooks").glob("*.ipynb")]
    named = re.compile("""["']([a-z_]+)\\\\?["']""").findall(source + "".join(notebooks))
    prefixes = tuple(set(re.compile("""f["']([a-z_]+_)\\{""").findall(source)))
    assert [key for key in catalogue() if key not in named and not key.startswith(prefixes)] == []


def test_a_missing_text_is_an_error():
    with pytest.raises(KeyError):
        text("no_such_text", "vi")


@pytest.mark.parametrize(
    ("value", "decimals", "vi", "en"),
    [
        (82.66, 2, "82,66", "82.66"),
        (643272, 0, "643.272", "643,272"),
        (-0.04, 1, "0,0", "0.0"),
        (-2.25, 1, "−2,2", "−2.2"),
        (2.35, 1, "2,4", "2.4"),
    ],
)
def test_numbers_as_each_language_writes_them(value, decimals, vi, en):
    assert number(value, decimals, "vi") == vi
    assert number(value, decimals, "en") == en


def test_a_sign_is_shown_on_request_and_never_on_zero():
    assert [number(x, 1, "en", sign=True) for x in (1.0, -1.0, 0.01)] == ["+1.0", "−1.0", "0.0"]


def test_listing():
    assert listing([], "en") == ""
    assert listing(["a"], "en") == "a"
    assert listing(["a", "b"], "vi") == "a và b"
