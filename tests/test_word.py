"""The Word document: its structure, the ledger inside, the forms filled or dotted."""

import io
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from datetime import date

import docx as word_files
import pytest
from lxml import etree
from matplotlib import pyplot as plt

from evalkit import word
from evalkit.documents import Document, Picture, read_markdown

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
SOURCE = """\
# Mở đầu {.unnumbered}

## Bối cảnh

Xem [x](#table-did){.ref}, [y](#figure-levels){.ref}: tăng [12,8]{#n00001 .number} điểm,
[tăng có ý nghĩa]{#c1 .claim}.

# Kết quả

## Mức

### Chi tiết

| Đơn vị | Mức |
|:--|--:|
| <script>xã & A | [60,2]{#n00002 .number} |
| xã B | [72,9]{#n00003 .number} |

: Chênh lệch kép {#table-did}

Sau bảng.

![Mức trước và sau](figures/levels.svg){#figure-levels}

# Phiếu hỏi {.appendix}

## Phần một

# Quyết định {.appendix}
"""
FORM = {
    "date": date(2026, 2, 5),
    "place": "Hậu Giang",
    "parent": "Tỉnh ủy Hậu Giang",
    "code": "ĐT-07",
    "leader": "Nguyễn Thị Mẫu",
    "members": ["Trần Văn Thử"],
    "begun": date(2019, 1, 7),
    "products": [{"name": "Báo cáo tổng hợp", "unit": "bản", "ordered": "1", "delivered": "1", "quality": "đạt"}],
    "abbreviations": [{"short": "UBND", "meaning": "Ủy ban nhân dân"}],
    "recipients": ["Hội đồng nghiệm thu"],
}


def picture(width=3, height=2):
    stream = io.BytesIO()
    plt.figure(figsize=(width, height)).savefig(stream, format="png", dpi=100)
    plt.close()
    return Picture(b"<svg/>", stream.getvalue(), 'Thí điểm: 60,2 rồi 72,9 & "đối chứng"')


LEVELS = picture()


def document(source=SOURCE, **changes):
    parts = {
        "language": "vi",
        "title": "Mô hình <thân thiện>",
        "kind": "Báo cáo khảo sát",
        "organisation": "Trường Chính trị",
        "simulated": False,
        "tree": read_markdown(source),
        "pictures": {"levels": LEVELS},
        "ledger": '{"numbers": [{"shown": "12,8 ≥ «x» ]]>"}]}\r\n'.encode(),
        "fingerprint": "3F2A-91C4",
    }
    return Document(**parts | changes)


def opened(data):
    return word_files.Document(io.BytesIO(data))


def words(data):
    """All text of the body, tabs as tabs."""
    body = opened(data).element.body
    return "\n".join("".join(t.text or "\t" for t in p.iter(f"{W}t", f"{W}tab")) for p in body.iter(f"{W}p"))


def bookmarks(data):
    body = opened(data).element.body
    return {mark.get(f"{W}name"): mark.get(f"{W}id") for mark in body.iter(f"{W}bookmarkStart")}


def headers(data):
    """For each section the text of the header on its first page, and of that on the others."""
    shown = []
    for section in opened(data).sections:
        first = section.first_page_header if section.different_first_page_header_footer else section.header
        both = [
            [part._p.xpath("string(.)").strip() for part in header.paragraphs] for header in (first, section.header)
        ]
        shown.append(tuple(" ".join(filter(None, one)) for one in both))
    return shown


@pytest.fixture(scope="module")
def volume():
    return word.docx(document(form=FORM))


def test_the_same_document_gives_the_same_bytes_and_no_clock(volume):
    assert word.docx(document(form=FORM)) == volume
    with zipfile.ZipFile(io.BytesIO(volume)) as parts:
        assert {part.date_time for part in parts.infolist()} == {(2000, 1, 1, 0, 0, 0)}
    properties = opened(volume).core_properties
    assert (properties.title, properties.author) == ("Mô hình <thân thiện>", "Trường Chính trị")
    assert properties.created.date() == properties.modified.date() == FORM["date"]


@pytest.mark.parametrize(
    ("template", "numbered", "appendix"),
    [
        ("volume", ["Chương %1.", "%1.%2.", "%1.%2.%3."], "Phụ lục %1."),
        ("short", ["%1.", "%1.%2.", "%1.%2.%3."], "Phụ lục %1."),
        ("letter", ["%1.", "%2.", "%3)"], "Phụ lục %1."),
    ],
)
def test_headings_are_native_and_numbered_by_word(template, numbered, appendix):
    book = opened(word.docx(document(), template=template))
    found = [(p.style.name, p.text, p._p.pPr.numPr) for p in book.paragraphs if p.style.name.startswith("Heading")]
    numbers = [None if number is None else number.numId.val for _, _, number in found]
    names = ["Mở đầu", "Bối cảnh", "Kết quả", "Mức", "Chi tiết", "Phiếu hỏi", "Phần một", "Quyết định"]
    assert [name for _, name, _ in found] == names
    assert [style for style, _, _ in found] == [f"Heading {level}" for level in (1, 2, 1, 2, 3, 1, 2, 1)]
    assert numbers == [0, 0, None, None, None, 2002, 2002, 2002]  # 0: no number; None: that of the style
    numbering = book.part.numbering_part.element
    shown = {
        one.get(f"{W}abstractNumId"): [level.get(f"{W}val") for level in one.iter(f"{W}lvlText")]
        for one in numbering.iter(f"{W}abstractNum")
    }
    assert shown["2001"][:3] == numbered
    assert shown["2002"][0] == appendix
    assert book.styles["Heading 2"].element.pPr.numPr.ilvl.val == 1


def test_captions_have_fields_and_references_say_what_they_name(volume):
    text = words(volume)
    assert "Xem Bảng 1, Hình 1: tăng 12,8 điểm" in text
    captions = [p for p in opened(volume).paragraphs if p.style.name in {"Table Caption", "Image Caption"}]
    assert [p.text for p in captions] == ["Bảng 1. Chênh lệch kép", "Hình 1. Mức trước và sau"]
    codes = [code.text.strip() for code in opened(volume).element.body.iter(f"{W}instrText")]
    assert [code for code in codes if code.startswith("SEQ")] == ["SEQ Bảng \\* ARABIC", "SEQ Hình \\* ARABIC"]
    named = bookmarks(volume)
    pointed = {code.split()[1] for code in codes if code.startswith(("REF", "PAGEREF"))}
    assert pointed
    assert pointed <= named.keys()
    assert len(set(named.values())) == len(named)


def test_every_field_is_opened_parted_and_closed(volume):
    for root in [opened(volume).element, *(section.header._element for section in opened(volume).sections)]:
        depth = 0
        for mark in root.iter(f"{W}fldChar"):
            depth += {"begin": 1, "separate": 0, "end": -1}[mark.get(f"{W}fldCharType")]
            assert depth >= 0
            assert mark.get(f"{W}dirty") is None
        assert depth == 0


def test_the_lists_read_before_word_brings_them_up_to_date(volume):
    lines = words(volume).split("\n")
    for line in (
        "Mở đầu",
        "Chương 1. Kết quả",
        "1.1. Mức",
        "1.1.1. Chi tiết",
        "Phụ lục A. Phiếu hỏi",
        "A.1. Phần một",
        "Phụ lục B. Quyết định",
        "Bảng 1. Chênh lệch kép",
        "Hình 1. Mức trước và sau",
    ):
        assert any(one.startswith(f"{line}\t") for one in lines), line  # fmt: skip
    assert b"updateFields" not in zipfile.ZipFile(io.BytesIO(volume)).read("word/settings.xml")


def test_ids_of_numbers_claims_tables_and_figures_are_bookmarks(volume):
    assert {"n00001", "n00002", "n00003", "c1", "table-did", "figure-levels"} <= bookmarks(volume).keys()
    body = opened(volume).element.body
    (start,) = body.xpath(".//w:bookmarkStart[@w:name='n00003']")
    assert start.getnext().xpath("string(.)") == "72,9"


def test_tables_fit_repeat_their_header_and_keep_rows_whole(volume):
    table = next(t for t in opened(volume).tables if "Đơn vị" in t.cell(0, 0).text)
    rows = table._tbl.findall(f"{W}tr")
    assert [len(row.findall(f"{W}trPr/{W}tblHeader")) for row in rows] == [1, 0, 0]
    assert all(row.find(f"{W}trPr/{W}cantSplit") is not None for row in rows)
    assert {p.style.name for row in table.rows for cell in row.cells for p in cell.paragraphs} == {"Table Text"}
    assert table._tbl.tblPr.find(f"{W}tblCaption").get(f"{W}val") == "Chênh lệch kép"
    assert table.cell(1, 0).text == "<script>xã & A"


@pytest.mark.parametrize(
    ("columns", "word_length", "style", "landscape"),
    [(7, 6, "Table Text", False), (12, 5, "Table Text Small", False), (12, 8, "Table Text", True),
     (13, 9, "Table Text Small", True), (20, 30, "Table Text Small", True)],
)  # fmt: skip
def test_wide_tables_get_smaller_type_then_a_page_in_landscape(columns, word_length, style, landscape):
    lines = ["| " + " | ".join([cell] * columns) + " |" for cell in ("M" * word_length, "---", "1 2")]
    source = "\n".join(["# A", "", "Trước.", "", *lines, "", ": Rộng {#table-wide}", "", "Sau."])
    book = opened(word.docx(document(source), template="short"))
    assert book.tables[0].cell(0, 0).paragraphs[0].style.name == style
    room = [section.page_width - section.left_margin - section.right_margin for section in book.sections]
    sides = [section.page_width > section.page_height for section in book.sections]
    assert sides == [False, False, True, False] if landscape else [False, False]
    widths = [int(column.get(f"{W}w")) for column in book.tables[0]._tbl.tblGrid]
    assert sum(widths) * 635 <= max(room)
    if landscape:  # the caption turns with its table
        turned = [p.text for p in book.paragraphs]
        assert turned.index("Bảng 1. Rộng") > turned.index("Trước.")
        ends = [at for at, p in enumerate(book.paragraphs) if p._p.find(f"{W}pPr/{W}sectPr") is not None]
        assert ends[1] == turned.index("Trước.") + 1


def test_columns_of_short_texts_do_not_break_beside_a_long_one():
    lines = ["| Đơn vị | Căn cứ | Số |", "|---|---|--:|"] + [f"| đơn vị đối chứng B | {'từ ' * 30} | 12,5 |"] * 5
    book = opened(word.docx(document("\n".join([*lines, "", ": T {#table-t}"])), template="short"))
    first, second, third = (int(column.get(f"{W}w")) for column in book.tables[0]._tbl.tblGrid)
    assert third < first < second
    assert first + second + third <= 9072
    assert first > 18 * 0.45 * 10.5 * 20  # 18 letters of 10.5 points, 0.45 em each


def table_of(rows, simulated=False):
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    source = "\n".join(["# A", "", "Trước.", "", *lines, "", ": T {#table-t}", "", "Sau."])
    return opened(word.docx(document(source, simulated=simulated), template="short"))


def test_a_range_stands_in_one_line():
    ranged = ["Cải cách thủ tục hành chính", "điểm phần trăm của câu trả lời", "+16,6 đến +31,0"]
    book = table_of([["Chỉ số của kế hoạch", "Đơn vị tính", "Khoảng tin cậy"], *[ranged] * 3])
    widths = [int(column.get(f"{W}w")) for column in book.tables[0]._tbl.tblGrid]
    assert widths[2] > 15 * 0.5 * 10.5 * 20 + 140  # 15 signs of 10.5 points, 0.5 em each, and the cell's margins
    bound = "[69,7]{#n1 .number} ([52,7]{#n2 .number} đến [82,6]{#n3 .number})"
    assert table_of([["A", "B"], ["x", bound]]).tables[0].cell(1, 1).text == "69,7 (52,7\u00a0đến\u00a082,6)"


def test_narrow_columns_of_many_lines_go_to_landscape_where_every_header_says_what_is_simulated():
    rows = [[f"Cột {at}" for at in range(8)], *[["từ ngữ khá dài " * 6] * 8] * 2]
    book = table_of(rows, simulated=True)
    sides = [section.page_width > section.page_height for section in book.sections]
    assert sides == [False, False, True, False]
    assert [section.header.paragraphs[-1].text for section in book.sections] == ["DỮ LIỆU MÔ PHỎNG"] * 4
    one_wide = table_of([["Mã", "Lời"], ["1", "từ ngữ khá dài " * 60]])
    assert [section.page_width > section.page_height for section in one_wide.sections] == [False, False]


@pytest.mark.parametrize(("count", "kept"), [(5, [True] * 5), (40, [True, True, *[False] * 36, True, True])])
def test_no_page_holds_the_end_of_a_table_alone(count, kept):
    table = table_of([["A", "B"], *[[str(at), "x"] for at in range(count)]]).tables[0]
    found = [all(p.paragraph_format.keep_with_next for c in row.cells for p in c.paragraphs) for row in table.rows]
    assert found == [*kept, False]
    assert len(found) == count + 1


def test_pictures_have_words_keep_their_caption_and_fit(volume):
    body = opened(volume).element.body
    (drawn,) = body.iter("{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}docPr")
    assert drawn.get("descr") == LEVELS.alt
    assert b"base64" not in etree.tostring(body)
    styles = [p.style for p in opened(volume).paragraphs]
    (at,) = [at for at, style in enumerate(styles) if style.name == "Captioned Figure"]
    assert styles[at + 1].name == "Image Caption"
    assert styles[at].paragraph_format.keep_with_next
    assert opened(volume).styles["Table Caption"].paragraph_format.keep_with_next


@pytest.mark.parametrize(("size", "width"), [((30, 10), 148.0), ((3, 2), 25.4), ((10, 60), 34.2)])
def test_pictures_are_no_larger_than_the_page(size, width):
    # At 300 dpi a picture of 300 pixels is 25.4 mm wide; 148 mm and 205 mm are the most.
    data = word.docx(document(pictures={"levels": picture(*size)}), template="short")
    (extent,) = opened(data).inline_shapes
    assert extent.width / 36000 == pytest.approx(width, abs=0.2)


def test_a_picture_that_the_document_does_not_hold_stops():
    for target in ("figures/other.svg", "https://example.org/a.png", "../../etc/passwd"):
        with pytest.raises(RuntimeError):
            word.docx(document(f"![x]({target})"), template="short")


@pytest.mark.parametrize(("language", "shown"), [("vi", "0,5+1,25×0,05"), ("en", "0.5+1.25×0.05")])
def test_formulas_are_native_with_the_decimal_sign_of_the_language(language, shown):
    tree = read_markdown("# A")
    tree["blocks"] += [{"t": "Para", "c": [{"t": "Math", "c": [{"t": "InlineMath"}, "0{,}5 + 1.25 \\times 0.05"]}]}]
    data = word.docx(document(language=language, tree=tree), template="short")
    (formula,) = opened(data).element.body.iter(f"{M}oMath")
    assert "".join(part.text for part in formula.iter(f"{M}t")) == shown


@pytest.mark.parametrize(
    ("template", "simulated", "shown"),
    [
        ("volume", False, [("", ""), ("PAGE 1", "PAGE 1")]),
        ("volume", True, [("DỮ LIỆU MÔ PHỎNG",) * 2, ("PAGE 1 DỮ LIỆU MÔ PHỎNG",) * 2]),
        ("short", True, [("DỮ LIỆU MÔ PHỎNG",) * 2, ("PAGE 1 DỮ LIỆU MÔ PHỎNG",) * 2]),
        ("letter", False, [("", "PAGE 1")]),
        ("letter", True, [("DỮ LIỆU MÔ PHỎNG", "PAGE 1 DỮ LIỆU MÔ PHỎNG")]),
    ],
)
def test_page_numbers_stand_on_top_but_not_on_the_cover_and_simulated_on_every_page(template, simulated, shown):
    data = word.docx(document(simulated=simulated), template=template)
    assert [tuple(re.sub(r"\s+", " ", one) for one in both) for both in headers(data)] == shown


@pytest.mark.parametrize("template", ["volume", "letter", "short"])
def test_nobody_signs_what_is_simulated(template):
    shown = words(word.docx(document(form=FORM), template=template))
    invented = words(word.docx(document(form=FORM, simulated=True), template=template))
    for name in (
        "CỘNG HÒA",
        "Độc lập",
        "Nguyễn Thị Mẫu",
        "Trần Văn Thử",
        "ghi rõ họ tên",
        "NGƯỜI KÝ",
        "CHỦ NHIỆM NHIỆM VỤ",
    ):
        assert name not in invented
    assert {"volume": "Nguyễn Thị Mẫu", "letter": "CỘNG HÒA", "short": "3F2A-91C4"}[template] in shown
    assert "3F2A-91C4" in invented


@pytest.mark.parametrize(
    ("day", "shown"),
    [
        (date(2026, 2, 5), "Hậu Giang, ngày 05 tháng 02 năm 2026"),
        (
            date(2026, 3, 15),
            "Hậu Giang, ngày 15 tháng 3 năm 2026",
        ),  # a zero before days under 10, months 1 and 2 only
    ],
)
def test_a_letter_is_dated_as_the_decree_writes_dates(day, shown):
    text = words(word.docx(document(form=FORM | {"date": day}), template="letter"))
    assert shown in text
    for part in ("TỈNH ỦY HẬU GIANG", "TRƯỜNG CHÍNH TRỊ", "BÁO CÁO", "Nơi nhận:", "- Hội đồng nghiệm thu;"):
        assert part in text


def test_the_form_shows_funds_progress_partners_and_evaluation_where_they_are_declared():
    more = {
        "funds": [{"source": "Ngân sách", "planned": 300_000_000, "spent": 280_500_000},
                  {"source": "Nguồn khác", "planned": 20_000_000, "spent": 0}],
        "progress": [{"work": "Khảo sát trước", "planned": "01/2020", "done": "02/2020"}],
        "partners": [{"name": "UBND thị xã", "task": "Tổ chức điều tra"}],
        "evaluation": ["Đạt mục tiêu đề ra"],
    }  # fmt: skip
    data = word.docx(document(form=FORM | more))
    titles = [line for line in words(data).split("\n") if re.match(r"[IV]+\. [A-Z]", line)]
    assert [title.partition(".")[0] for title in titles] == ["I", "II", "III", "IV", "V", "VI"]
    rows = [[cell.text for cell in row.cells] for table in opened(data).tables for row in table.rows]
    assert ["1", "Ngân sách", "300.000.000", "280.500.000"] in rows
    assert ["", "Tổng cộng", "320.000.000", "280.500.000"] in rows
    assert ["1", "Khảo sát trước", "01/2020", "02/2020"] in rows
    assert ["1", "UBND thị xã", "Tổ chức điều tra", "…………"] in rows
    assert "- Đạt mục tiêu đề ra" in words(data)
    plain = words(word.docx(document(form=FORM))).split("\n")
    assert [line for line in plain if re.match(r"[IV]+\. [A-Z]", line)] == [
        "I. THÔNG TIN CHUNG", "II. SẢN PHẨM SO VỚI ĐẶT HÀNG",
    ]  # fmt: skip


def test_the_form_says_what_was_declared_and_stays_dotted_where_nothing_was(volume):
    text = words(volume)
    for line in (
        "Mã số nhiệm vụ: ĐT-07",
        "Chủ nhiệm nhiệm vụ: Nguyễn Thị Mẫu",
        "Ngày bắt đầu: 07/01/2019",
        "Ngày kết thúc: \t",
        "Báo cáo tổng hợp",
        "UBND: Ủy ban nhân dân",
        "Hậu Giang, năm 2026",
    ):
        assert line in text  # fmt: skip
    empty = words(word.docx(document()))
    for line in ("Mã số nhiệm vụ: \t", "Ngày bắt đầu: \t", "…………, năm ……"):
        assert line in empty
    assert not {"DANH MỤC CHỮ VIẾT TẮT", "None"} & set(empty.split("\n"))
    assert "DANH MỤC" not in words(word.docx(document(form=FORM), template="short"))


@pytest.mark.parametrize(("language", "locale"), [("vi", "vi-VN"), ("en", "en-GB")])
def test_type_language_and_margins_are_those_of_the_decree(language, locale):
    book = opened(word.docx(document(language=language)))
    defaults = book.styles.element.find(f"{W}docDefaults")
    assert next(defaults.iter(f"{W}lang")).get(f"{W}val") == locale
    fonts = {fonts.get(f"{W}ascii") for fonts in book.styles.element.iter(f"{W}rFonts")}
    assert fonts == {"Times New Roman", "Courier New"}
    for section in book.sections:
        assert [round(side.mm) for side in (section.left_margin, section.right_margin)] == [30, 20]
        assert [round(side.mm) for side in (section.top_margin, section.bottom_margin)] == [25, 20]
        assert (round(section.page_width.mm), round(section.page_height.mm)) == (210, 297)
    body = book.styles["Body Text"]
    assert (body.font.size.pt, body.paragraph_format.space_after.pt) == (13, 6)
    assert body.paragraph_format.line_spacing == pytest.approx(1.3)
    assert body.paragraph_format.first_line_indent.cm == pytest.approx(1, abs=0.01)


def test_the_tree_is_left_as_it_was():
    given = document(form=FORM)
    word.docx(given)
    assert given == document(form=FORM)


# --- the ledger ---


def test_the_ledger_comes_back_byte_by_byte(volume):
    assert word.read_ledger(volume) == document().ledger
    binary = bytes(range(256))
    assert word.read_ledger(word.docx(replace(document("# A"), ledger=binary), template="short")) == binary


def _archive(parts):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as target:
        for name, data in parts.items():
            target.writestr(name, data)
    return stream.getvalue()


OTHER_PREFIX = '<l:ledger xmlns:l="urn:evalkit:ledger">e30=</l:ledger>'
ENTITY = '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><ledger xmlns="urn:evalkit:ledger">&e;</ledger>'


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", None),
        (b"no archive", None),
        (_archive({"word/document.xml": "<a/>"}), None),
        (_archive({"customXml/item1.xml": "<a"}), None),
        (_archive({"customXml/item1.xml": "<b:Sources xmlns:b='urn:b'/>"}), None),
        (_archive({"customXml/item1.xml": '<ledger xmlns="urn:evalkit:ledger">A</ledger>'}), None),
        (_archive({"customXml/item1.xml": ENTITY}), b""),
        (_archive({"customXml/item1.xml": "<a/>", "customXml/item2.xml": OTHER_PREFIX}), b"{}"),
    ],
)  # fmt: skip
def test_what_holds_no_ledger_gives_none_and_entities_are_not_read(data, found):
    assert word.read_ledger(data) == found


def test_too_large_a_part_is_not_unpacked(volume, monkeypatch):
    monkeypatch.setattr(word, "MOST_LEDGER", 10)
    assert word.read_ledger(volume) is None


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
def test_ledger_and_bookmarks_outlive_libreoffice(volume, tmp_path):
    (tmp_path / "a.docx").write_bytes(volume)
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "docx", "--outdir", str(tmp_path / "out")]
    subprocess.run([*command, str(tmp_path / "a.docx")], check=True, capture_output=True, timeout=120)
    saved = (tmp_path / "out" / "a.docx").read_bytes()
    assert word.read_ledger(saved) == document().ledger
    kept = {"n00001", "n00002", "n00003", "c1", "table-did", "figure-levels"}
    assert kept <= bookmarks(saved).keys()
    shown = re.findall(r"12,8|60,2|72,9", words(saved))
    assert sorted(set(shown)) == ["12,8", "60,2", "72,9"]
