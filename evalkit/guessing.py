"""What the words of a form or a file probably mean: personal data, keys, missing answers, a language."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator

from evalkit.encodings import fold, normal_form

LONGEST_NAME = 32
SHORT_TITLE = 5  # words; longer titles are questions, which may speak of a commune without being one

# Folded Vietnamese; a text without any marks is compared without them.
_PERSONAL = (
    r"\b(họ (và |& )?tên|họtên|tên (người|chủ hộ|ông)|người trả lời|(full|respondent'?s?|your|person'?s?) ?name"
    r"|name of (the )?(respondent|person|head)|điện thoại|điệnthoại|sđt|số đt|di động|phone|mobile|tel"
    r"|cccd|cmnd|căn cước|chứng minh|passport|hộ chiếu|e-?mail|thư điện tử|zalo|facebook|địa chỉ|home address"
    r"|address|ngày sinh|date of birth|số tài khoản|mã số thuế|gps|tọa độ|latitude|longitude|chữ ký|signature)\b"
)
_NAME_ALONE = ("name", "tên", "ten")
_PERSONAL_TEXT = re.compile(r"(\+84|0)[\d .]{8,12}\d|[^@\s]+@[^@\s]+\.\w+|\d{12}")
_ROLES = {
    "unit": r"xã|phường|thị trấn|đơn vị|commune|ward",
    "interviewer": r"điều tra viên|người phỏng vấn|cán bộ phỏng vấn|enumerator|interviewer",
    "respondent": r"mã hộ|mã phiếu|household id",
    "started": r"start|bắt đầu",
    "ended": r"end|kết thúc|dấu thời gian|timestamp",
}
_PLACES = r"huyện|quận|(?<!giới )tỉnh(?! trạng)|thôn|ấp|khu phố|tổ dân phố|district|province|village"
_KEY = rf"\b({'|'.join([_PLACES, _ROLES['unit'], _ROLES['interviewer'], _ROLES['respondent']])})\b"
_MISSING_WORDS = {
    "dont_know": r"(dont know|do not know|not sure|unsure|khong biet|khong ro|khong nho|chua biet)\b|(dk|kb)$",
    "refused": r"(refuse|prefer not|decline|no answer|tu choi|khong tra loi|khong muon tra loi)",
    "not_applicable": r"(not applicable|n/?a$|khong ap dung|khong lien quan|khong thuoc doi tuong)",
}
_MISSING_CODES = {99: "dont_know", 98: "refused", 88: "dont_know", 97: "not_applicable"}
_OTHER = re.compile(r"\b(other|khac)\b")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:(?:\.\d{3})+(?:,\d+)?|(?:,\d{3})+(?:\.\d+)?)")
_AGE = r"\b(tuổi|age)\b"
_DEMOGRAPHIC = (
    r"\b(giới( tính)?|tuổi|học vấn|trình độ|dân tộc|tôn giáo|nghề( nghiệp)?|hôn nhân|thu nhập|hộ nghèo"
    r"|gender|sex|age|education|ethnic\w*|religion|occupation|marital|income)\b"
)

# Answers without marks. What stands in a middle, in front of an answer, and answers opposite to each other.
_MIDDLE = (
    "binh thuong|trung binh|tam duoc|tam on|vua|vua phai|phan van|luong lu|trung lap|khong y kien|khong co y kien"
    "|neutral|undecided|average|moderate|ok|so so|no opinion"
)
_VERY = ("rat", "hoan toan", "het suc", "vo cung", "cuc ky", "very", "strongly", "completely", "totally", "extremely")
_RATHER = ("kha", "tuong doi", "phan nao", "somewhat", "rather", "fairly", "mostly", "tend to")
_NOT = ("khong ", "khong co ", "khong duoc ", "chua ", "chua duoc ", "it ", "not ", "un", "dis", "in")
_AGAINST = {
    "nhanh": ("cham",), "tot": ("kem", "te", "xau"), "cao": ("thap",), "de": ("kho",), "de dang": ("kho khan",),
    "don gian": ("phuc tap",), "hai long": ("bat man",), "dong y": ("phan doi",), "ung ho": ("phan doi",),
    "nhieu": ("it",), "good": ("bad", "poor"), "fast": ("slow",), "high": ("low",), "easy": ("difficult", "hard"),
    "support": ("oppose",),
}  # fmt: skip
_YES = ("co", "roi", "da", "dung", "yes", "true")
_NO = ("khong", "chua", "khong co", "sai", "no", "false")
_SCHOOL = (
    "khong di hoc|chua di hoc|khong biet chu|mu chu|chua tieu hoc|duoi tieu hoc|no schooling|illiterate",
    "tieu hoc|cap 1|cap i|primary|elementary", "thcs|trung hoc co so|cap 2|cap ii|lower secondary|middle",
    "thpt|trung hoc pho thong|cap 3|cap iii|upper secondary|high",
)  # fmt: skip
_UNIVERSITY = ("dai hoc|university|bachelor", "sau dai hoc|tren dai hoc|thac si|tien si|postgraduate|graduate|master")
# The lowest code, and the levels from there on. Of several orders the first counts in which each answer has its own.
_ORDERS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (1, ("rat kem|kem|rat yeu|yeu|rat te|te", "trung binh|binh thuong|tam duoc", "kha", "tot|gioi",
         "rat tot|rat gioi|xuat sac|tuyet voi")),
    (1, ("very poor|poor", "fair|average|acceptable", "good", "very good", "excellent")),
    (1, ("rat kem|rat te", "kem|yeu|te", "trung binh|binh thuong|tam duoc", "tot", "rat tot|xuat sac|tuyet voi")),
    (1, ("rat kem|rat te", "kem|te", "yeu", "trung binh|binh thuong|tam duoc", "kha", "tot|gioi", "rat tot|rat gioi",
         "xuat sac|tuyet voi")),
    (1, ("khong bao gio|chua bao gio|never", "hiem khi|it khi|rarely|seldom|hardly ever",
         "thinh thoang|doi khi|sometimes|occasionally", "thuong xuyen|thuong|often|frequently|usually",
         "luon luon|luon|rat thuong xuyen|always|very often")),
    (0, ("khong|khong co|none|not at all", "rat it|very little|very few", "it|little|a little|few|a few",
         "vua|vua phai|trung binh|binh thuong|some|moderate", "nhieu|much|many|a lot",
         "rat nhieu|very much|very many|a great deal")),
    (0, (*_SCHOOL, "trung cap cao dang|cao dang trung cap|trung cap|cao dang|so cap|hoc nghe|vocational|college",
         *_UNIVERSITY)),
    (0, (*_SCHOOL, "so cap|hoc nghe|trung cap|vocational", "cao dang|college", *_UNIVERSITY)),
    (0, (*_SCHOOL, "so cap|hoc nghe|trung cap|vocational",
         "cao dang dai hoc|dai hoc cao dang|cao dang dai hoc tro len|dai hoc cao dang tro len", _UNIVERSITY[1])),
)  # fmt: skip


def is_personal(name: str, vi: str, en: str, *, numeric: bool = False) -> bool:
    """By the words: a name, a telephone, an address. A number is only personal where its own name says so."""
    words = [name] if numeric else [name, vi, en]
    return any(_speaks_of(_PERSONAL, text) or fold(text) in _NAME_ALONE for text in words)


def is_personal_text(text: str) -> bool:
    """Whether a cell holds nothing but a telephone number, an e-mail address or an identity number."""
    return _PERSONAL_TEXT.fullmatch(text) is not None


def is_key(title: str) -> bool:
    """Whether a title is that of places, households or interviewers."""
    return is_short(title) and _speaks_of(_KEY, title)


def has_role(role: str, title: str) -> bool:
    """Whether a title is that of a role of the design: unit, interviewer, respondent, started or ended.

    >>> has_role("unit", "Xã/phường"), has_role("started", "Tên xã")
    (True, False)
    """
    return is_short(title) and _speaks_of(rf"\b({_ROLES[role]})\b", title)


def is_short(title: str) -> bool:
    """Whether a title has a few words only."""
    return len(title.split()) <= SHORT_TITLE


def missing_kind(*words: str) -> str:
    """The missing kind that one of the words names, or "".

    >>> missing_kind("9. Không biết"), missing_kind("Không hài lòng")
    ('dont_know', '')
    """
    for word in words:
        plain = re.sub(r"^\d+\s*[.):–-]\s*", "", bare(word).replace("'", ""))
        for kind, pattern in _MISSING_WORDS.items():
            if re.match(pattern, plain):
                return kind
    return ""


def missing_code(code: float) -> str:
    """The missing kind that a code such as 99 often has, or ""."""
    return _MISSING_CODES.get(abs(int(code)), "") if code == int(code) else ""


def is_other(words: str) -> bool:
    """Whether an answer is «Other»."""
    return bool(_OTHER.search(bare(words)))


def is_age(title: str) -> bool:
    """Whether a title is that of an age in years."""
    return is_short(title) and _speaks_of(_AGE, title)


def is_demographic(title: str) -> bool:
    """Whether a title says who answers and not what the person thinks: gender, education, income."""
    return is_short(title) and _speaks_of(_DEMOGRAPHIC, title)


def ordered_codes(answers: Iterable[str]) -> dict[str, float]:
    """Codes from low to high for answers that belong to one of the usual ordered sets; none for any others.

    Each answer has the code of its place in the whole set, so that a level which nobody chose shifts nothing. Yes is
    1 and no is 0.

    >>> ordered_codes(["Hài lòng", "1 - Rất không hài lòng", "Bình thường"])
    {'Hài lòng': 4.0, '1 - Rất không hài lòng': 1.0, 'Bình thường': 3.0}
    >>> ordered_codes(["Nông dân", "Công nhân", "Buôn bán"])
    {}
    """
    plain = {answer: _plain(answer) for answer in answers}
    for levels in _sets(plain.values()):
        codes = {answer: levels.get(words, math.nan) for answer, words in plain.items()}
        if len(set(codes.values())) == len(codes) > 1 and not any(map(math.isnan, codes.values())):
            return codes
    return {}


def _sets(answers: Iterable[str]) -> Iterator[dict[str, float]]:
    """The ordered sets to which answers may belong: words and their codes."""
    yield dict.fromkeys(_YES, 1.0) | dict.fromkeys(_NO, 0.0)
    in_front = "|".join((*_VERY, *_RATHER, *map(str.strip, _NOT[:7])))
    for answer in answers:
        core = re.sub(rf"^(?:(?:{in_front}) )+", "", answer)
        for wanted in (core, core.removeprefix("un"), core.removeprefix("dis"), core.removeprefix("in")):
            yield _five(wanted)
    for better in _AGAINST:
        yield _five(better)
    for lowest, levels in _ORDERS:
        yield {words: float(code) for code, level in enumerate(levels, start=lowest) for words in level.split("|")}


def _five(wanted: str) -> dict[str, float]:
    """Five levels of which the fourth is the wanted answer."""
    levels = {f"not at all {wanted}": 1.0, f"khong he {wanted}": 1.0}
    for against in (*(f"{no}{wanted}" for no in _NOT), *_AGAINST.get(wanted, ())):
        levels |= dict.fromkeys((f"{very} {against}" for very in _VERY), 1.0)
        levels |= dict.fromkeys((f"{rather} {against}" for rather in _RATHER), 2.0)
        levels |= dict.fromkeys((against, f"{against} lam"), 2.0)
    levels |= dict.fromkeys((wanted, f"{wanted} mot phan", *(f"{rather} {wanted}" for rather in _RATHER)), 4.0)
    levels |= dict.fromkeys((f"{very} {wanted}" for very in _VERY), 5.0)
    neither = (f"neither {wanted} nor {no}{wanted}" for no in ("un", "dis", "in"))
    return levels | dict.fromkeys((*_MIDDLE.split("|"), *neither), 3.0)


def _plain(answer: str) -> str:
    """Its words alone: without a leading number, brackets, and what forms of education are called."""
    words = re.sub(r"\(.*?\)", " ", re.sub(r"^\W*\d+\W+(?=[^\W\d])", "", bare(answer)))
    words = " ".join(re.findall("[a-z0-9]+", words))
    return re.sub(r"\b(?:trinh do|tot nghiep|bac|school|education|degree) ?", "", words).strip()


def is_vietnamese(texts: Iterable[str]) -> bool:
    """Whether texts have letters that only Vietnamese has."""
    return bool(re.search("[ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ]", " ".join(texts).casefold()))


def language_of(name: str) -> str | None:
    """The language that a label column is called after.

    >>> language_of("Tiếng Việt (vi)"), language_of("English"), language_of("Français")
    ('vi', 'en', None)
    """
    plain = bare(name)
    if "viet" in plain or plain in ("vi", "vn") or "(vi)" in plain:
        return "vi"
    return "en" if "english" in plain or "tieng anh" in plain or plain == "en" or "(en)" in plain else None


def number_in(text: str) -> float | None:
    """The number that a text is, with a decimal comma or point; None for other texts."""
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def is_number(text: str) -> bool:
    """Whether a text is a number, also one with signs between its thousands: «1.234,5»."""
    return bool(_NUMBER.fullmatch(text) or _GROUPED.fullmatch(text))


def digits(value: float) -> str:
    """A code as text, whole numbers without a point, "" for a code that nobody knows (NaN)."""
    return "" if math.isnan(value) else str(int(value)) if float(value).is_integer() else repr(value)


def snake(text: str) -> str:
    """A name for a variable out of a title.

    >>> snake("Ông/bà có hài lòng với thời gian chờ đợi?"), snake("2. Đã nộp hồ sơ")
    ('ong_ba_co_hai_long_voi_thoi_gian', 'c2_da_nop_ho_so')
    """
    name = "_".join(re.findall(r"[a-z0-9]+", bare(text)))
    name = f"c{name}" if name[:1].isdigit() else name
    if len(name) > LONGEST_NAME:
        name = name[: LONGEST_NAME + 1].rpartition("_")[0] or name[:LONGEST_NAME]
    return name


def identifier(wanted: str) -> str:
    """The wanted name where it can be one, else one like it."""
    return wanted if wanted.isascii() and wanted.isidentifier() else snake(wanted) or "c"


def bare(text: str) -> str:
    """Small letters without marks, `_` as a space."""
    spread = unicodedata.normalize("NFD", normal_form(text).casefold().replace("đ", "d").replace("_", " "))
    return "".join(sign for sign in spread if not unicodedata.combining(sign)).replace("’", "'")


def _speaks_of(pattern: str, text: str) -> bool:
    words = fold(text).replace("_", " ")
    return bool(re.search(bare(pattern) if words.isascii() else pattern, words))
