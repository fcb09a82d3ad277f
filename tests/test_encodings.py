import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.encodings import decode, fold, normal_form

TEXT = "Thủ tục; Hoà Thuận, quý mến, Đặng Ưỡng: «không» ý kiến\r\n"
LETTERS = "aăâeêioôơuưyđghnqtAĂÂEÊOÔƠUƯYĐGHQ"
VIETNAMESE = st.text(LETTERS + "\u0300\u0301\u0303\u0309\u0323\u0302\u0306\u031b \u00a0\u200b1")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1258"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_decode_reads_what_excel_and_notepad_write(encoding, form, cp1258):
    text = unicodedata.normalize(form, TEXT)
    data = cp1258(text) if encoding == "cp1258" else text.encode(encoding)
    assert unicodedata.normalize("NFC", decode(data)) == TEXT


def test_decode_reads_utf16_of_either_byte_order():
    marked = "\ufeff" + TEXT
    assert decode(marked.encode("utf-16-be")) == decode(marked.encode("utf-16-le")) == TEXT


@pytest.mark.parametrize(
    "data",
    [TEXT.encode("utf-16-le"), b"\xff\xfea", b"\x00\x01\x02", "Rất".encode() + b"\x8a"],
    ids=["utf-16 without mark", "half a character", "zeros", "not in cp1258"],
)
def test_decode_refuses_what_is_not_text(data):
    assert decode(data) is None


def test_windows_1258_has_no_composed_characters_for_most_tones(cp1258):
    with pytest.raises(UnicodeEncodeError):
        "Rất".encode("cp1258")
    decoded = decode(cp1258("Rất hài lòng"))
    assert decoded != "Rất hài lòng"
    assert normal_form(decoded) == "Rất hài lòng"


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        (unicodedata.normalize("NFD", "Rất hài lòng"), "Rất hài lòng"),
        ("  Rất\u00a0hài \t\n lòng ", "Rất hài lòng"),
        ("\ufeffRất\u200b hài lò\u00adng\u2060", "Rất hài lòng"),
        ("Hoà", "Hoà"),
        (" \u200b ", ""),
    ],
)
def test_normal_form(raw, normal):
    assert normal_form(raw) == normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hoà", "hòa"),
        ("hoá", "hóa"),
        ("thuỷ", "thủy"),
        ("khoẻ", "khỏe"),
        ("tuỳ", "tùy"),
        ("loè", "lòe"),
        ("HOÀ  THUẬN", "Hòa thuận"),
        ("Uỷ ban", "ỦY BAN"),
        ("Xã Thuỷ Hoà, ấp 2", "xã Thủy Hòa, ấp 2"),
        (unicodedata.normalize("NFD", "Thuỵ"), "thụy"),
        ("ĐỒNG Ý", unicodedata.normalize("NFD", "đồng ý")),
    ],
)
def test_fold_makes_spellings_of_the_same_words_equal(one, other):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    "word", ["hoàn", "quý", "quỷ", "quà", "giỏi", "huỳnh", "suýt", "hoài", "khoảng", "ngoáy", "nguyễn", "thuở", "hòa"]
)
def test_fold_leaves_other_words_unchanged(word):
    assert fold(word) == word


@pytest.mark.parametrize(
    ("one", "other"),
    [("hòa", "hóa"), ("hòa", "hoa"), ("quý", "quí"), ("đương", "dương"), ("rất", "rât"), ("hủy", "hụy")],
)
def test_fold_keeps_different_words_apart(one, other):
    assert fold(one) != fold(other)


@pytest.mark.parametrize("function", [normal_form, fold])
@given(text=st.text() | VIETNAMESE)
def test_done_twice_is_done_once(function, text):
    assert function(function(text)) == function(text)


@given(text=VIETNAMESE)
def test_fold_does_not_depend_on_composition_spaces_and_case(text):
    decomposed = unicodedata.normalize("NFD", text)
    assert (
        fold(decomposed) == fold(unicodedata.normalize("NFC", text)) == fold(f" {text}\u200b ") == fold(text.upper())
    )
