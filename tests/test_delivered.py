"""What a reader of a document sees is read, and nothing else; foreign files are refused with their name."""

from __future__ import annotations

import io
import zipfile

import pytest

from evalkit.delivered import read_blocks
from evalkit.delivered_word import MOST_BYTES
from evalkit.errors import DataError

SPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
)


def docx(body, **others):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("word/document.xml", f"<w:document {SPACES}><w:body>{body}</w:body></w:document>")
        for name, text in others.items():
            package.writestr(f"word/{name}.xml", text.replace("SPACES", SPACES))
    return out.getvalue()


def run(words, marks=""):
    return f'<w:r>{marks}<w:t xml:space="preserve">{words}</w:t></w:r>'


BOX = "<w:p>" + run("trong khung 5") + "</w:p>"


@pytest.mark.parametrize(
    ("inside", "texts"),
    [
        (run("tăng ") + run("3,") + run("2\u00a0%"), ["tăng 3,2 %"]),
        (run("−2,5") + "<w:r><w:tab/></w:r>" + run("«a»"), ['-2,5 "a"']),
        (run("hài") + "<w:r><w:softHyphen/></w:r>" + run(" lo\u0300ng"), ["hài lòng"]),
        ("<w:del><w:r><w:delText>3</w:delText></w:r></w:del><w:ins>" + run("4") + "</w:ins>", ["4"]),
        ("<w:moveFrom>" + run("3") + "</w:moveFrom><w:moveTo>" + run("3 và") + "</w:moveTo>", ["3 và"]),
        (run("thấy") + run(" ẩn", "<w:rPr><w:vanish/></w:rPr>"), ["thấy"]),
        (run("rõ", '<w:rPr><w:vanish w:val="0"/></w:rPr>'), ["rõ"]),
        (
            "<w:r><w:instrText>SEQ Bảng</w:instrText></w:r><w:hyperlink>" + run("Bảng 1") + "</w:hyperlink>",
            ["Bảng 1"],
        ),
        ("<w:sdt><w:sdtContent>" + run("trong ô nhập 7") + "</w:sdtContent></w:sdt>", ["trong ô nhập 7"]),
        (run("a ") + "<m:oMath><m:r><m:t>x=1</m:t></m:r></m:oMath>" + run("b"), ["a b", "x=1"]),
        (
            f"<w:r><mc:AlternateContent><mc:Choice><w:txbxContent>{BOX}</w:txbxContent></mc:Choice>"
            f"<mc:Fallback><w:pict><w:txbxContent>{BOX}</w:txbxContent></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
            + run("ngoài"),
            ["ngoài", "trong khung 5"],
        ),
        (run("chữ") + '<w:r><w:footnoteReference w:id="2"/></w:r>', ["chữ", "chú thích 9"]),
    ],
)
def test_what_word_shows_is_read(inside, texts):
    notes = f'<w:footnotes SPACES><w:footnote w:id="2"><w:p>{run("chú thích 9")}</w:p></w:footnote></w:footnotes>'
    pieces = read_blocks(docx(f"<w:p>{inside}</w:p>", footnotes=notes), "docx")
    assert [piece.text for piece in pieces if piece.kind != "hidden"] == texts


@pytest.mark.parametrize(
    "marks",
    [
        "<w:strike/>",
        "<w:dstrike/>",
        '<w:color w:val="FFFFFF"/>',
        '<w:color w:val="F2F2F2"/><w:shd w:fill="FFFFFF"/>',
        '<w:color w:val="1F3864"/><w:shd w:fill="1F3864"/>',
        '<w:sz w:val="2"/>',
        '<w:w w:val="1"/>',
        '<w:rStyle w:val="ẩn"/>',
        '<w:rStyle w:val="con"/>',
    ],
)
def test_what_nobody_can_see_in_word_is_not_read(marks):
    hidden = '<w:style w:styleId="ẩn"><w:name w:val="x"/><w:rPr><w:vanish/></w:rPr></w:style>'
    child = '<w:style w:styleId="con"><w:name w:val="y"/><w:basedOn w:val="ẩn"/></w:style>'
    styles = f"<w:styles SPACES>{hidden}{child}</w:styles>"
    shown = '<w:rPr><w:color w:val="FFFFFF"/><w:shd w:fill="1F3864"/><w:sz w:val="20"/></w:rPr>'  # white on dark
    body = f"<w:p>{run('thấy', shown)}{run(' 7', f'<w:rPr>{marks}</w:rPr>')}</w:p>" + STYLED.format("con", run("8"))
    pieces = read_blocks(docx(body, styles=styles), "docx")
    assert [piece.text for piece in pieces if piece.kind != "hidden"] == ["thấy"]
    struck = "strike" in marks
    assert [piece.text for piece in pieces if piece.kind == "hidden"] == (["8"] if struck else ["7", "8"])


@pytest.mark.parametrize(
    ("run_marks", "paragraph_marks", "cell_marks"),
    [
        ('<w:rStyle w:val="ẩn"/><w:vanish w:val="0"/>', "", ""),  # the nearest setting is the one that holds
        ('<w:rStyle w:val="trắng"/><w:color w:val="000000"/>', "", ""),
        ('<w:color w:val="FFFFFF"/><w:highlight w:val="black"/>', "", ""),
        ('<w:color w:val="FFFFFF"/>', '<w:shd w:val="clear" w:fill="1F3864"/>', ""),
        ('<w:color w:val="FFFFFF"/>', "", '<w:shd w:val="clear" w:fill="1F3864"/>'),
        ("<w:webHidden/>", "", ""),  # of web layout only; Word's lists of contents have it
        ('<w:sz w:val="13pt"/><w:color w:val="red"/>', "", ""),
    ],
)
def test_what_word_does_show_is_read(run_marks, paragraph_marks, cell_marks):
    style = '<w:style w:styleId="{}"><w:rPr>{}</w:rPr></w:style>'
    styles = style.format("ẩn", "<w:vanish/>") + style.format("trắng", '<w:color w:val="FFFFFF"/>')
    inside = f"<w:p><w:pPr>{paragraph_marks}</w:pPr>{run('7', f'<w:rPr>{run_marks}</w:rPr>')}</w:p>"
    body = f"<w:tbl><w:tr><w:tc><w:tcPr>{cell_marks}</w:tcPr>{inside}</w:tc></w:tr></w:tbl>"
    (piece,) = read_blocks(docx(body, styles=f"<w:styles SPACES>{styles}</w:styles>"), "docx")
    assert (piece.kind, piece.text) == ("row", "7")


@pytest.mark.parametrize(
    "marks",
    [
        '<w:ind w:left="30000"/>',
        '<w:spacing w:line="100" w:lineRule="exact"/>',
        '<w:shd w:val="solid" w:color="000000"/><w:rPr/>',
    ],
)
def test_a_paragraph_off_the_page_or_under_a_bar_is_hidden(marks):
    dark = '<w:rPr><w:color w:val="000000"/></w:rPr>'
    pieces = read_blocks(docx(f"<w:p><w:pPr>{marks}</w:pPr>{run('7', dark)}</w:p>"), "docx")
    assert [(piece.kind, piece.text) for piece in pieces] == [("hidden", "7")]


def test_a_comment_in_the_file_cuts_no_word():
    assert read_blocks(docx("<w:p><w:r><w:t>60,2<!-- x -->9</w:t></w:r></w:p>"), "docx")[0].text == "60,29"


@pytest.mark.parametrize(
    ("row", "cell", "texts"),
    [
        ("", "", ["1 | 2"]),
        ("", '<w:vMerge w:val="restart"/>', ["1 | 2"]),
        ("", "<w:vMerge/>", ["1"]),
        ("<w:hidden/>", "", []),
        ('<w:trHeight w:val="20" w:hRule="exact"/>', "", []),
    ],
)
def test_folded_rows_and_covered_cells_are_not_read(row, cell, texts):
    cells = f"<w:tc><w:p>{run('1')}</w:p></w:tc><w:tc><w:tcPr>{cell}</w:tcPr><w:p>{run('2')}</w:p></w:tc>"
    table = f"<w:tbl><w:tr><w:trPr>{row}</w:trPr>{cells}</w:tr></w:tbl>"
    pieces = read_blocks(docx(table), "docx")
    assert [piece.text for piece in pieces if piece.kind == "row" and any(piece.cells)] == texts


STYLE = '<w:style w:styleId="{}"><w:name w:val="{}"/></w:style>'
STYLED = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr>{}</w:p>'


def test_headings_pages_and_nested_tables():
    styles = f"<w:styles SPACES>{STYLE.format('u1', 'heading 1')}{STYLE.format('m1', 'TOC 1')}</w:styles>"
    cell = "<w:tc><w:p>{}</w:p></w:tc>"
    inner = f"<w:tbl><w:tr>{cell.format(run('2'))}</w:tr></w:tbl>"
    table = f"<w:tbl><w:tr>{cell.format(run('A'))}<w:tc>{inner}<w:p/></w:tc>{cell.format('')}</w:tr></w:tbl>"
    body = STYLED.format("m1", run("Kết quả 2")) + STYLED.format("u1", run("Kết quả"))
    body += "<w:p><w:r><w:lastRenderedPageBreak/></w:r>" + run("1") + "</w:p>" + table
    contents, heading, text, row = read_blocks(docx(body, styles=styles), "docx")
    assert (contents.kind, contents.text) == ("contents", "Kết quả 2")
    assert (heading.kind, heading.page, text.under, text.page) == ("heading", 1, "Kết quả", 2)
    assert (row.kind, row.cells, row.table) == ("row", ("A", "2", ""), 1)


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("<p>a <b>3,2</b>&nbsp;%<br>b</p>c", ["a 3,2 % b", "c"]),
        ("<nav>1. Mục lục</nav><script>9</script><style>9</style><p hidden>8</p><p>x</p>", ["1. Mục lục", "x"]),
        ("<p>a <s>9</s><del>8</del>b</p>", ["a b"]),
        ("<p>a <math><mn>0,5</mn></math> b</p>", ["0,5", "a b"]),
        ('<p>a<span style="display: none">7</span>b</p>', ["ab"]),
        ("<ul><li>một</li><li>hai<p>ba</p></li></ul>", ["một", "hai", "ba"]),
        ("<table><caption>Bảng</caption><tr><th>a</th><td>1</td></tr></table>", ["Bảng", "a | 1"]),
        (
            '<figure><img alt="cột" src="data:image/png;base64,AAAA"><figcaption>Hình</figcaption></figure>',
            ["cột", "Hình"],
        ),
    ],
)
def test_what_a_browser_shows_is_read(page, texts):
    assert [piece.text for piece in read_blocks(page.encode(), "html")] == texts


REFERENCE = '<a href="#fn1" class="footnote-ref">{}</a>'


@pytest.mark.parametrize(
    ("mark", "words"), [("<sup>1</sup>", "3 điểm."), ("1", "3 điểm.1"), ("<sup>1</sup>0", "3 điểm.10")]
)
def test_the_number_of_a_footnote_is_no_word_of_the_page(mark, words):
    assert read_blocks(f"<p>3 điểm.{REFERENCE.format(mark)}</p>".encode(), "html")[0].text == words


def test_a_picture_elsewhere_has_no_digest():
    assert read_blocks(b'<img alt="a" src="https://example.org/a.png">', "html")[0].digests == ("",)


ENTITY = '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/hostname">]>'


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"", "docx"), (b"PK\x03\x04 nonsense", "docx"), (b"", "html"), (b"%PDF-1.7 nonsense", "pdf"), (b"abc", "pdf")],
)
def test_a_file_that_is_no_document_is_refused(data, kind):
    with pytest.raises(DataError) as caught:
        read_blocks(data, kind, file="bao-cao.x")
    assert "bao-cao.x" in caught.value.message("vi") and "tệp đã hỏng" in caught.value.message("vi")


def test_a_package_that_unpacks_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("evalkit.delivered_word.MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"a\.docx.*100"):
        read_blocks(docx(f"<w:p>{run('a' * 200)}</w:p>"), "docx", file="a.docx")
    assert MOST_BYTES > 10**8


def test_no_entity_is_followed():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr(
            "word/document.xml",
            f"{ENTITY}<w:document {SPACES}><w:body><w:p>{run('a&e;')}</w:p></w:body></w:document>",
        )
    assert [piece.text for piece in read_blocks(out.getvalue(), "docx")] in ([], ["a"])
