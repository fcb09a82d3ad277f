"""A study with known truth (nga_bay), and the smallest study folder, to break one thing at a time."""

import re
import sys
import unicodedata
from pathlib import Path

import openpyxl
import pytest

import evalkit as ek
from evalkit.tracing import tracing

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def untraced():
    """A paper that writes a report traces all numbers of its process, which here is that of many tests, as are the
    figures that stay open."""
    with tracing(False):
        yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


STUDY = """\
[study]
title = { vi = "Khảo sát thử", en = "A trial survey" }
organisation = { vi = "Ủy ban nhân dân xã", en = "People's committee" }
language = "vi"
simulated = true
row = "questionnaire"

[[units]]
code = "TD"
arm = "pilot"
names = [{ vi = "xã Thí Điểm", en = "pilot commune" }]

[[units]]
code = "007"
arm = "comparison"
names = [{ vi = "xã Đối Chứng Bảy", en = "comparison commune seven" }]

[[units]]
code = "DC"
arm = "comparison"
names = [{ vi = "xã Thuận Hòa", en = "comparison commune" }]

[[waves]]
code = "truoc"
period = "before"
label = { vi = "Trước", en = "Before" }
file = "raw/truoc.csv"
field_start = 2026-01-05
field_end = 2026-01-30

[[waves]]
code = "sau"
period = "after"
label = { vi = "Sau", en = "After" }
file = "raw/sau.csv"
field_start = 2026-11-02
field_end = 2026-11-27
issued = { TD = 10 }
returned = { TD = 2 }

[design]
unit = "don_vi"
cluster = "ap"
respondent = "ma_ho"

[plan]
primary = ["thai_do"]
confidence_level = 0.95
"""

CODEBOOK = """\
variable,column,type,scale,minimum,maximum,label_vi,label_en,reverse
ho_ten,Họ tên,identifier,,,,Họ tên,Name,
ma_ho,Mã hộ,key,,,,Mã hộ,Household,
don_vi,Đơn vị,key,,,,Đơn vị,Unit,
ap,Ấp,key,,,,Ấp,Village,
ngay,Ngày,date,,,,Ngày phỏng vấn,Date,
tuoi,Tuổi,number,,18,100,Tuổi,Age,
q1,Câu 1,scale,hoa_nha,,,Cán bộ hòa nhã,Officials are courteous,
q2,Câu 2,scale,hoa_nha,,,Cán bộ gắt gỏng,Officials are harsh,1
"""

SCALES = """\
scale,code,label_vi,label_en,synonyms,missing
hoa_nha,1,Chưa hòa nhã,Not courteous,CHN,
hoa_nha,2,Bình thường,Neutral,BT|Tạm,
hoa_nha,3,Hòa nhã,Courteous,HN|Lịch sự,
hoa_nha,98,Từ chối trả lời,Refused,,refused
hoa_nha,99,Không biết,Don't know,KB,dont_know
"""

INDEX = """\
[[node]]
code = "thai_do"
label = { vi = "Thái độ", en = "Courtesy" }
aggregate = "mean"
items = ["q1", "q2"]
minimum_answered = 0.5
"""

CORRECTIONS = "row_id,variable,action,old_value,new_value,reason\n"

WAVE = """\
Họ tên,Mã hộ,Đơn vị,Ấp,Ngày,Tuổi,Câu 1,Câu 2
Nguyễn Mẫu,H1,TD,Ấp 1,{day},41,Hòa nhã,1
Trần Thử,H2,xã Thí Điểm,Ấp 2,{day},52,Bình thường,KB
Lê Ví Dụ,H3,007,Ấp 1,{day},63,HN,2
Phạm Nháp,H4,Xã đối chứng bảy,Ấp 2,{day},34,3,
Võ Không Thật,H5,XÃ THUẬN HOÀ,Ấp 1,{day},25,CHN,98
Đặng Mô Phỏng,H6,DC,Ấp 2,{day},76,Tạm,Lịch sự
"""

FILES = {
    "study": ("study.toml", STUDY),
    "codebook": ("codebook.csv", CODEBOOK),
    "scales": ("scales.csv", SCALES),
    "index": ("index.toml", INDEX),
    "corrections": ("corrections.csv", CORRECTIONS),
    "truoc": ("raw/truoc.csv", WAVE.format(day="05/01/2026")),
    "sau": ("raw/sau.csv", WAVE.format(day="02/11/2026")),
}


def cases(**tables):
    """Parameters (file, old, new, messages) from blocks: «old => new», below it the messages, indented.

    The keyword is the file as in FILES; lines indented twice go on; \\n is a line end.
    """
    found = []
    for file, table in tables.items():
        for block in re.split(r"\n(?=\S)", table.strip()):
            change, *expected = re.sub(r"\n {8}", " ", block).split("\n    ")
            old, new = (part.strip(" ").replace(r"\n", "\n") for part in change.split("=>"))
            name = f"{file}: {expected[0].rpartition(': ')[2][:40]}"
            found.append(pytest.param(file, old, new, expected, id=name))
    return found


@pytest.fixture(scope="session")
def nga_bay():
    return ek.open_study(ROOT / "data/nga-bay")


@pytest.fixture(scope="session")
def survey(nga_bay):
    return ek.clean(ek.read(nga_bay), nga_bay)


@pytest.fixture(scope="session")
def scores(nga_bay, survey):
    return ek.score(survey.responses, nga_bay.index, nga_bay.codebook, keep=nga_bay.design.composition)


@pytest.fixture(scope="session")
def effects(nga_bay, scores):
    return ek.compare(scores, nga_bay.design, nga_bay.plan, nga_bay.index)


@pytest.fixture
def make_study(tmp_path):
    """Writes the folder, with files replaced: make_study(index=…, truoc=…), keys as in FILES.

    A tuple (old, new) or a list of them replaces text, a function of the text makes another one, text or bytes
    are the whole file, None leaves it out.
    """

    def make(folder="study", **replaced):
        assert replaced.keys() <= FILES.keys()
        for key, (name, content) in FILES.items():
            change = replaced.get(key, content)
            for old, new in [change] if isinstance(change, tuple) else change if isinstance(change, list) else []:
                assert old in content, f"{name} has no {old!r} to replace"
                content = content.replace(old, new)
            if isinstance(change, str | bytes | None):
                content = change
            elif callable(change):
                content = change(content)
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return tmp_path / folder

    return make


@pytest.fixture(scope="session")
def messages():
    """The messages of every problem in a study folder."""

    def found(folder, language="en"):
        try:
            ek.check(folder)
        except ek.DataError as error:
            return error.message(language).split("\n")
        return []

    return found


@pytest.fixture(scope="session")
def cp1258():
    """Text as Windows-1258: the tone a character of its own where the code page has none composed."""

    def encode(text):
        encoded = b""
        for character in unicodedata.normalize("NFC", text):
            try:
                encoded += character.encode("cp1258")
            except UnicodeEncodeError:
                marks = unicodedata.normalize("NFD", character)
                tone = next(mark for mark in marks if mark in "\u0300\u0301\u0303\u0309\u0323")
                encoded += (unicodedata.normalize("NFC", marks.replace(tone, "")) + tone).encode("cp1258")
        return encoded

    return encode


@pytest.fixture(scope="session")
def write_workbook():
    """Writes an xlsx file: write_workbook(path, sheet=rows of cells, …)."""

    def write(path, **sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for title, rows in sheets.items():
            sheet = book.create_sheet(title)
            for row in rows:
                sheet.append(row)
        book.save(path)
        return path

    return write
