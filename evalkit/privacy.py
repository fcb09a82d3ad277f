"""Personal data in raw columns, found by the column's name and by what stands in its cells; counted, never shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from evalkit.errors import Problem
from evalkit.guessing import bare
from evalkit.language import catalogue

KINDS = (
    "name", "phone", "identity", "email", "address", "birth_date", "gps", "device", "media", "username",
)  # fmt: skip
_SEPARATOR = "\0"
_MOST_WORDS = 6  # longer titles are questions: «Hài lòng với đường dây điện thoại …»
_LEAST_SPREAD = 15  # years between early and late dates of a column that only births have

# By name: whole words of the title without diacritics. ^ and $ where the words mean something else within a title.
_BY_NAME = {
    "name": r"^ho (?:va )?ten\b|\bhoten\b|^ten$|^name$|\bten (?:nguoi|chu ho|cong dan|khach|dap vien|can bo)\b"
    r"|\b(?:full|first|last|middle|sur|family|given|respondent|interviewer|enumerator|contact|person|head) ?name\b"
    r"|^(?:chu ho|dieu tra vien|phong van vien|nguoi (?:phong van|tra loi|nhap lieu|khai)|enumerator|interviewer)$",
    "phone": r"\b(?:so )?dien thoai\b|\b(?:so )?(?:sdt|dtdd|dt)$|\b(?:mobile|tele)?phones?(?: (?:number|no))?$"
    r"|^(?:mobile|tel|zalo|whatsapp)\b",
    "identity": r"\b(?:so )?(?:cmnd|cccd|cmtnd|cmt)\b|\bcan cuoc\b|\bchung minh (?:thu|nhan dan)\b|\bho chieu\b"
    r"|\bdinh danh ca nhan\b|\bpassport\b|\bnational id\b|\bid card\b|\b(?:so|ma)(?: the)? bhyt\b|\bma so thue\b",
    "email": r"\be ?mail\b|\bthu dien tu\b",
    "address": r"\bdia chi\b|\bso nha\b|\b(?:noi|cho) o\b|\bthuong tru\b|\bstreet$|\b(?:home |postal )?address$",
    "birth_date": r"\bngay(?: thang(?: nam)?)? sinh\b|^sinh ngay\b|\bbirth ?(?:date|day)\b|\bdate of birth\b|^dob$",
    "gps": r"\bgps\b|\btoa do\b|^kinh do\b|^vi do\b"
    r"|\b(?:latitude|longitude|geopoint|geolocation)\b|^(?:lat|lon|lng)$",
    "device": r"\bdevice ?id\b|\bimei\b|\bsim ?(?:serial|id)\b|\bsubscriber ?id\b"
    r"|\b(?:mac|ip) address\b|\bandroid id\b",
    "media": r"\b(?:ghi am|chu ky|signature|attachments?|audio|recording)\b"
    r"|^(?:audit|photo|anh chup)(?: url)?$|\burl$",
    "username": r"\buser ?name\b|^submitted by$|\bten (?:dang nhap|tai khoan)\b|\blogin$",
}
_NAMED = {kind: re.compile(words) for kind, words in _BY_NAME.items()}

_UPPER = "A-ZÀ-ÃÈ-ÊÌÍÒ-ÕÙÚÝĂĐĨŨƠƯẠẢẤẦẨẪẬẮẰẲẴẶẸẺẼẾỀỂỄỆỈỊỌỎỐỒỔỖỘỚỜỞỠỢỤỦỨỪỬỮỰỲỴỶỸ"
_LOWER = "a-zà-ãè-êìíò-õùúýăđĩũơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"
_SYLLABLE = rf"[{_UPPER}](?:[{_LOWER}]{{1,6}}|[{_UPPER}]{{1,6}})?(?![{_UPPER}{_LOWER}\d])"
# Family names that are hardly ever another word, and those that are (Hồ sơ, Cao, Mai), which need a middle name.
_FAMILY = (
    "Nguyễn|Trần|Phạm|Huỳnh|Phan|Đặng|Bùi|Ngô|Trịnh|Đoàn(?! Thanh niên)|Đinh|Trương|Phùng|Võ|Vũ|Nguyen|Tran|Pham"
    "|Huynh|Trinh|Truong"
)
_FAMILY_OR_WORD = (
    "Lê|Hoàng|Đỗ|Hồ|Dương|Lý|Đào|Vương|Lâm|Mai|Tô|Hà|Tạ|Cao|Thái|Châu|Lương|Lưu|Thạch|Sơn|Danh|Kim|Quách|La|Tăng|Chu"
    "|Từ|Tống|Triệu|Diệp|Kiều|Nghiêm|Nông|Lò|Hứa|Le|Hoang|Do|Ho|Duong|Ly|Dang|Bui|Ngo|Phan|Vo|Vu|Dinh|Doan"
)
_MIDDLE = "Văn|Thị|Hữu|Đức|Ngọc|Quốc|Đình|Bá|Duy|Van|Thi|Huu|Duc|Ngoc|Quoc|Dinh|Kim|Minh|Thanh|Hồng|Xuân"
# «đường Trần Phú», «xã Lê Minh Xuân», «12 Nguyễn Huệ» are places.
_PLACES = (
    "đường|phố|xã|phường|quận|huyện|tỉnh|ấp|thôn|xóm|bản|khóm|buôn|trường|chợ|cầu|hẻm|ngõ|kiệt|khu|cụm|lộ|THPT|THCS"
    "|viện|viên|street|ward|commune"
)
_NOT_PLACE = "".join(rf"(?<!\b{word} )" for word in f"{_PLACES}|{_PLACES.title()}".split("|")) + r"(?<!\d )"
_START = rf"(?<![{_UPPER}{_LOWER}\d])"
_FAMILIES, _OTHERS = (f"{names}|{names.upper()}" for names in (_FAMILY, _FAMILY_OR_WORD))
_NAME = (
    rf"(?=[{_UPPER}]){_START}(?=(?:{_FAMILIES}|{_OTHERS}) [{_UPPER}]){_NOT_PLACE}"
    rf"(?:(?:{_FAMILIES})(?: {_SYLLABLE}){{1,4}}"
    rf"|(?:{_OTHERS}) (?:{_MIDDLE}|{_MIDDLE.upper()})(?: {_SYLLABLE}){{1,3}})"
)
_HONORIFIC = (
    rf"(?=[aAcCôÔbBeEtT]){_START}(?:[aA]nh|[cC]hị|[ôÔ]ng|[bB]à|[cC]ô|[cC]hú|[bB]ác|[eE]m|[tT]hầy)"
    rf" (?!Bà\b|Ông\b|Anh\b|Chị\b|Cô\b|Chú\b|Bác\b|Em\b|Rịa\b|Đen\b|Tô\b)[{_UPPER}][{_LOWER}]{{1,6}}(?![{_LOWER}])"
)
_DAY = r"(?:\d{1,2}[/.\-]\d{1,2}[/.\-](?:19|20)\d\d|(?:19|20)\d\d-\d{2}-\d{2})"
# Each pattern begins with one character and looks back from there: so it is found ten times as fast.
_BY_CONTENT = {
    "name": rf"{_NAME}|{_HONORIFIC}",
    # Mobile 0 + 9 digits, landline 02 + 9 digits, both also after +84.
    "phone": r"[08+](?<!\w[08+])(?<!\d[.,][08+])(?:(?:(?<=0)|(?<=\+)84[ .\-]?(?:\(0\) ?)?0?)"
    r"(?:[35789]\d(?:[ .\-]?\d){7}|2\d(?:[ .\-]?\d){8})|(?<=8)4[35789]\d{8})(?!\w|[.,]\d)",
    # Twelve digits begin with a province 001 to 096 (circular 59/2021/TT-BCA); sums of money end in 000.
    "identity": r"[0-3](?<![\w.,\-].)(?:(?<=0)(?:0[1-9]|[1-8]\d|9[0-6]) ?\d{3} ?\d{3} ?\d{3}"
    r"|(?!\d{5}000)\d{2} ?\d{3} ?\d{3})(?!\w|[.,]\d)",
    "email": r"@(?<=[\w.+\-]@)[\w\-]+(?:\.[\w\-]+)*\.[A-Za-z]{2,}",
    "address": r"[sSnN](?<!\w.)(?:ố nhà|o nha|hà số|ha so|n) ?\d",
    "street": rf"\d(?<![\d.,/]\d)\d*[A-Za-z]?(?:/\d+)*"
    rf"(?:,? (?:[đĐ]ường|[pP]hố|[nN]gõ|[hH]ẻm|[kK]iệt) [{_UPPER}\d]"
    rf"| (?:{_FAMILIES}|{_OTHERS}) {_SYLLABLE}| (?:[A-Z][a-z]+ ){{1,3}}(?:Street|St|Road|Rd|Avenue|Ave|Lane)\b)",
    "birth_date": rf"[sSbB](?<!\w.)(?i:inh(?: ngày)?|orn(?: on)?):? {_DAY}",
    "gps": r"\d(?<![\w.]\d)\d?\.\d{4,}[ ,]+-?\d{1,3}\.\d{4,}(?!\d)",
    "device": r"[ce135-9](?<![\w.,].)(?:(?<=c)ollect:[A-Za-z0-9]{8,}|(?<=e)e\.kobotoolbox\.org:\w{8,}"
    r"|(?<=\d)\d{14}(?![\w.,]))",
    "media": r"[.:](?:(?<=[\w\-]\.)(?i:jpe?g|png|heic|m4a|mp3|mp4|wav|amr|aac|ogg|3gpp?)\b|(?<=audit\.)csv\b"
    r"|(?<=:)//[^\s\0]*(?:attachment|media|audit))",
}
# Only texts with two capitalised words, or one after the end of a form of address, can hold a name.
_MAYBE_NAME = tuple(
    re.compile(pattern)
    for pattern in (rf"[{_UPPER}][{_LOWER}{_UPPER}]* [{_UPPER}]", rf"[hịgàôúcmy] [{_UPPER}][{_LOWER}]")
)
_HELD = {kind: re.compile(pattern) for kind, pattern in _BY_CONTENT.items()}
_WHOLE_DAY = re.compile(rf"{_DAY}(?: 00:00:00)?")


@dataclass(frozen=True)
class Finding:
    """Personal data that a column seems to hold.

    count: cells that look so, or all cells with text where the column's name says it. by: what tells.
    """

    column: str
    kind: str
    count: int
    by: Literal["name", "content"]


def search(columns: Mapping[str, Iterable[str]]) -> list[Finding]:
    """Columns that seem to hold personal data, by their name and by their cells; counts only, never a value.

    columns: the cells of each column as text, by the column's title. One finding a column and kind, kinds in the
    order of KINDS. Names of persons are those with a Vietnamese family name or after «anh», «chị», «ông» …; places
    called after persons are left out as far as a word such as «xã» or «đường» stands before them.

    >>> search({"Góp ý": ["tốt", "gọi lại chị Lan 0900 000 001"], "Họ và tên": ["–"]})
    ... # doctest: +NORMALIZE_WHITESPACE
    [Finding(column='Góp ý', kind='name', count=1, by='content'),
     Finding(column='Góp ý', kind='phone', count=1, by='content'),
     Finding(column='Họ và tên', kind='name', count=1, by='name')]
    """
    found = []
    for column, cells in columns.items():
        counts = _distinct(cells)
        filled = int(sum(count for text, count in counts.items() if text.strip()))
        named, held = _named(column), _held(counts)
        for kind in KINDS:
            if kind in held:
                found.append(Finding(column, kind, held[kind], "content"))
            elif kind in named and filled:
                found.append(Finding(column, kind, filled, "name"))
    return found


class Declared(Protocol):
    """What is asked of a variable of the codebook."""

    @property
    def column(self) -> str: ...  # noqa: D102

    @property
    def type(self) -> str: ...  # noqa: D102


def check_columns(
    raw: Mapping[str, pd.DataFrame], codebook: Mapping[str, Declared], files: Mapping[str, str]
) -> list[Problem]:
    """Notices of columns that seem to hold personal data and are not declared identifier or ignore.

    raw: the raw frame of each wave, columns by variable, cells as text. files: the file of each wave. Text columns,
    and such as the codebook does not know, are searched by name and content; numbers, dates and times by name, dates
    also for dates of birth; scales not at all, for every one of their answers is known. Keys become numbers or
    declared names before anything is computed: of them only addresses, positions and files are announced. One
    notice a file, column and kind.

        check_columns(raw, study.codebook, {"truoc": "raw/truoc.csv"})
    """
    notices = []
    for wave, frame in raw.items():
        for variable in frame.columns:
            declared = codebook.get(variable)
            kind_of = declared.type if declared else "text"
            title = declared.column if declared else variable
            held = search({title: frame[variable]}) if kind_of not in ("identifier", "ignore") else []
            for finding in [one for one in held if _announced(one, kind_of)]:
                values = {"count": finding.count, "what": catalogue()[f"personal_kind_{finding.kind}"]}
                key = "personal_by_name" if finding.by == "name" else "personal_by_content"
                notices.append(Problem(files[wave], key, values, column=title))
    return notices


def _announced(finding: Finding, kind_of: str) -> bool:
    if kind_of == "key":
        return finding.kind in ("address", "gps", "media")
    if kind_of == "scale":
        return False
    if kind_of in ("number", "date", "time"):
        # What is coded as a number or date is kept as one: a title tells more than its digits.
        return finding.by == "name" or finding.kind == "birth_date" or finding.kind in _named(finding.column)
    return True


def _distinct(cells: Iterable[str]) -> Mapping[str, int]:
    """The distinct texts of a column and how often each stands there."""
    series = cells if isinstance(cells, pd.Series) else pd.Series(list(cells), dtype="str")
    counts = series.value_counts(sort=False).to_dict()
    return {text.replace(_SEPARATOR, " "): count for text, count in counts.items() if count}


def _named(title: str) -> set[str]:
    """The kinds of which a column's title speaks."""
    split = re.sub(r"([a-z])([A-Z])", r"\1 \2", title.replace("đ", "d").replace("Đ", "D"))
    words = re.sub(r"[^a-z0-9]+", " ", bare(split)).strip()
    if len(words.split()) > _MOST_WORDS or "?" in title:
        return set()
    return {kind for kind, pattern in _NAMED.items() if pattern.search(words)}


def _held(counts: Mapping[str, int]) -> dict[str, int]:
    """How many cells hold each kind."""
    texts = np.array(list(counts), dtype=object)
    often = np.fromiter(counts.values(), dtype=int, count=len(counts))
    maybe = _matching(texts, *_MAYBE_NAME)
    found = {kind: _matching(texts, pattern) for kind, pattern in _HELD.items() if kind != "name"}
    found["name"] = maybe[_matching(texts[maybe], _HELD["name"])]
    found["address"] = np.union1d(found["address"], found.pop("street"))
    held = {kind: int(often[rows].sum()) for kind, rows in found.items() if len(rows)}
    if births := _births(counts):
        held["birth_date"] = births
    return held


def _matching(texts: np.ndarray, *patterns: re.Pattern[str]) -> np.ndarray:
    """The places of the texts in which any of the patterns is found."""
    # One search through all texts at once: a call for each of a million texts would cost seconds a kind.
    joined = unicodedata.normalize("NFC", _SEPARATOR.join(texts))
    ends = np.flatnonzero(np.frombuffer(joined.encode("utf-32-le"), dtype="<u4") == 0)
    at = [match.start() for pattern in patterns for match in pattern.finditer(joined)]
    return np.unique(np.searchsorted(ends, at, side="right"))


def _births(counts: Mapping[str, int]) -> int:
    """Cells of a column of dates that lie so far apart as only births do."""
    days = {text: count for text, count in counts.items() if _WHOLE_DAY.fullmatch(text.strip())}
    if len(days) < 3 or 2 * len(days) < len(counts):
        return 0
    years = np.repeat([int(re.search(r"(?:19|20)\d\d", text)[0]) for text in days], list(days.values()))  # type: ignore[index]
    early, late = np.quantile(years, [0.1, 0.9])
    return len(years) if late - early >= _LEAST_SPREAD else 0
