import csv
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.encodings import (
    ENCODINGS,
    Decoded,
    decode,
    decode_as,
    encode_as,
    fold,
    mojibake,
    normal_form,
    repair,
    undecodable_lines,
)

TEXT = "Thủ tục; Hoà Thuận, quý mến, Đặng Ưỡng: «không» ý kiến\r\n"
LETTERS = "aăâeêioôơuưyđghnqtAĂÂEÊOÔƠUƯYĐGHQ"
VIETNAMESE = st.text(LETTERS + "\u0300\u0301\u0303\u0309\u0323\u0302\u0306\u031b \u00a0\u200b1")


LETTERS_OF_THE_ALPHABET = "".join(
    unicodedata.normalize("NFC", vowel + tone)
    for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
    for tone in ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
)
LETTERS_OF_THE_ALPHABET += "bcdđghklmnpqrstvxBCDĐGHKLMNPQRSTVX"
TEXTS_IN_LETTERS = st.text(LETTERS_OF_THE_ALPHABET + " ,;.0123456789\r\n")
LEGACY = ["cp1258", "tcvn3", "vni", "viscii"]
REFERENCE = Path(__file__).parent / "reference" / "encodings.csv"
# A header and three rows, as an old office might send them.
SURVEY = """Mã phiếu;Đơn vị;Thời gian giải quyết hồ sơ;Thái độ của công chức;Mức độ hài lòng chung
1;xã Hiệp Lợi;Đúng hẹn;Rất tốt;Hài lòng
2;phường Ngã Bảy;Trễ hẹn;Bình thường;Không hài lòng
3;xã Đại Thành;Sớm hơn hẹn;Tốt;Rất hài lòng
"""


def iconv():
    """The reference table: one dict a byte, what glibc's iconv reads there."""
    return list(csv.DictReader(REFERENCE.read_text(encoding="utf-8").splitlines()[1:]))


def as_tcvn3_keeps_it(text):
    """TCVN3 has no capitals with tones."""
    return "".join(
        letter.lower()
        if set(unicodedata.normalize("NFD", letter)) & set("\u0300\u0301\u0303\u0309\u0323")
        else letter
        for letter in text
    )


def test_there_are_12_vowels_in_6_tones_and_17_consonants_in_both_cases():
    assert len(set(LETTERS_OF_THE_ALPHABET)) == len(LETTERS_OF_THE_ALPHABET) == 2 * (12 * 6 + 17)


@pytest.mark.parametrize("encoding", LEGACY)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_letter_survives_every_code_page(encoding, form):
    expected = as_tcvn3_keeps_it(LETTERS_OF_THE_ALPHABET) if encoding == "tcvn3" else LETTERS_OF_THE_ALPHABET
    assert decode_as(encode_as(unicodedata.normalize(form, LETTERS_OF_THE_ALPHABET), encoding), encoding) == expected


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS_IN_LETTERS)
def test_round_trip(encoding, text):
    back = decode_as(encode_as(text, encoding), encoding)
    assert back == (as_tcvn3_keeps_it(text) if encoding == "tcvn3" else text)


@pytest.mark.parametrize(
    ("encoding", "column"), [("viscii", "viscii"), ("tcvn3", "tcvn5712_1"), ("cp1258", "cp1258")]
)
def test_bytes_are_read_as_iconv_reads_them(encoding, column):
    compared = 0
    for row in iconv():
        byte, expected = bytes.fromhex(row["byte"]), row[column]
        if encoding == "tcvn3" and (byte < b"\xa1" or as_tcvn3_keeps_it(expected) != expected):
            continue  # VN1 has capitals with tones and letters below 0xA1, VN3 has not.
        if expected:
            assert decode_as(byte, encoding) == expected
            compared += 1
    assert compared == {"viscii": 134, "tcvn3": 79, "cp1258": 119}[encoding]


@pytest.mark.parametrize(
    ("encoding", "seen"),
    [("tcvn3", "TiÕng ViÖt rÊt hay"), ("vni", "Tieáng Vieät raát hay"), ("vni", "TIEÁNG VIEÄT RAÁT HAY")],
)
def test_what_the_font_of_an_old_document_showed(encoding, seen):
    assert (
        decode_as(seen.encode("cp1252"), encoding).lower() == repair(seen, encoding).lower() == "tiếng việt rất hay"
    )


def test_vni_takes_a_small_sign_after_a_capital():
    assert decode_as("AÁp Aáp ÔÛ Ôû".encode("cp1252"), "vni") == "Ấp Ấp Ở Ở"


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("tcvn3", "ß"),
        ("vni", "Ø"),
        ("vni", "ç"),
        ("viscii", "€"),
        ("cp1258", "中"),
        ("vni", "\ufffe"),
        ("tcvn3", "\ufffe"),
    ],
)
def test_encode_refuses_what_the_code_page_has_not(encoding, text):
    with pytest.raises(UnicodeError):
        encode_as(text, encoding)


@pytest.mark.parametrize(
    ("encoding", "data"), [("tcvn3", b"\xff"), ("vni", b"b\xf9"), ("vni", b"\xdf"), ("cp1258", b"\x8a")]
)
def test_decode_as_refuses_empty_places(encoding, data):
    with pytest.raises(UnicodeError):
        decode_as(data, encoding)
    assert decode(data, encoding) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_decode_is_certain_of_unicode(encoding, form):
    text = unicodedata.normalize(form, TEXT)
    assert decode(text.encode(encoding)) == Decoded(text, encoding.removesuffix("-sig"), 1.0)


def test_decode_reads_utf16_of_either_byte_order():
    marked = "\ufeff" + TEXT
    assert decode(marked.encode("utf-16-be")).text == decode(marked.encode("utf-16-le")).text == TEXT


@pytest.mark.parametrize("encoding", LEGACY)
@pytest.mark.parametrize("text", [SURVEY, SURVEY.splitlines()[0], SURVEY.upper()], ids=["file", "header", "capitals"])
def test_decode_tells_the_code_pages_apart(encoding, text):
    found = decode(encode_as(text, encoding))
    assert (found.encoding, found.text) == (encoding, as_tcvn3_keeps_it(text) if encoding == "tcvn3" else text)
    assert found.confidence > 0.95
    assert found.runner_up in LEGACY


@pytest.mark.parametrize(
    "words",
    [
        "đ",
        "Rất",
        "25 °C",
        "Größe schön für Mädchen über Straße",
        "très bien, château, garçon, élève",
        "mañana está aquí",
    ],
)
def test_decode_says_that_it_does_not_know(words):
    assert (
        decode(
            encode_as(words, "viscii") if words == "Rất" else words.encode("cp1252" if words != "đ" else "cp1258")
        ).confidence
        < 0.9
    )


@pytest.mark.parametrize("words", ["don’t know", "25 °C ± 3", "yes – no", "«agree»"])
def test_typographic_signs_of_an_english_file_are_kept(words):
    assert decode(words.encode("cp1252")).text == words


def test_a_declared_encoding_is_not_guessed():
    assert decode("Tieáng".encode("cp1252"), "tcvn3").encoding == "tcvn3"
    assert decode(encode_as("Rất", "vni"), "utf-8") is None


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-16-le"),
        b"\xff\xfea",
        b"\x00\x01\x02",
        b"\xef\xbb\xbfRa\xc1t",
        b"\x81\xff\xd9\xf9\x8a" * 3 + b"\x00",
    ],
    ids=["utf-16 without mark", "half a character", "zeros", "mark but not utf-8", "binary"],
)
def test_decode_refuses_what_is_not_text(data):
    assert decode(data) is None


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_of_another_encoding_are_named(end):
    lines = [line.encode() for line in SURVEY.splitlines()]
    lines[2] = encode_as("2;phường Ngã Bảy", "tcvn3")
    assert decode(end.join(lines)) is None
    assert undecodable_lines(end.join(lines)) == [3]


@pytest.mark.parametrize("encoding", ["utf-8", *LEGACY])
def test_a_file_of_one_encoding_has_no_undecodable_lines(encoding):
    assert undecodable_lines(encode_as(SURVEY, encoding)) == []


@pytest.mark.parametrize("encoding", ["utf-8", *LEGACY])
def test_mojibake_is_seen_and_repaired(encoding):
    # Some programs show the five empty places of Windows-1252 as control characters.
    shown = {at: bytes([at]).decode("cp1252", "replace").replace("\ufffd", chr(at)) for at in range(0x80, 0x100)}
    cells = [
        encode_as(cell, encoding).decode("latin-1").translate(shown) for cell in SURVEY.replace("\n", ";").split(";")
    ]
    assert mojibake(cells) == encoding
    assert fold(";".join(repair(cell, encoding) for cell in cells)) == fold(SURVEY.replace("\n", ";"))


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["yes", "no"],
        SURVEY.split(";"),
        ["à", "là"],
        ["très bien", "garçon", "élève"],
        ["≥ 5", "–"],
        ["RÊt", *SURVEY.split()],
    ],
)
def test_sound_texts_are_no_mojibake(texts):
    assert mojibake(texts) is None


@given(text=st.text() | TEXTS_IN_LETTERS)
def test_repair_never_fails_and_leaves_unicode_alone(text):
    for encoding in ENCODINGS:
        repaired = repair(text, encoding)
        assert repaired == text or not text.isascii()
    assert repair("Đã rõ: " + text, "vni") == "Đã rõ: " + text


HEADS = st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", encode_as(SURVEY, "vni"), SURVEY.encode()])


@given(data=st.builds(bytes.__add__, HEADS, st.binary(max_size=300)), encoding=st.sampled_from([None, *ENCODINGS]))
def test_any_bytes_give_text_or_none(data, encoding):
    found = decode(data, encoding)
    assert undecodable_lines(data) == sorted(set(undecodable_lines(data)))
    if found is not None:
        assert 0 <= found.confidence <= 1
        assert found.encoding in ENCODINGS
        assert found.text == decode_as(data, found.encoding)


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
