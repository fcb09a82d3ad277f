"""What could make a document show something else than its words is named; a document as it was made holds nothing."""

import io
import json
import re
import zipfile
from datetime import date
from hashlib import sha256
from importlib.metadata import version

import pytest
from matplotlib import pyplot as plt
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText
from pypdf.generic import NameObject, RectangleObject, StreamObject

from evalkit import pdf, webpage, word
from evalkit.appearance import appearances
from evalkit.documents import Document, Picture, read_markdown

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20"/></svg>'
ABOUT = {
    "language": "vi", "simulated": True, "software": {"evalkit": version("evalkit")},
    "pictures": [{"svg_sha256": sha256(SVG).hexdigest()}],
}  # fmt: skip
SOURCE = """
# Kết quả

Tăng [12,8]{#n1 .number} điểm[^1]; $p = 0{,}05$; `mã`; ~~bỏ~~; [web](https://a.vn).

[^1]: Chú thích.

| Đơn vị | Mức |
|:-------|----:|
| xã A | [60,2]{#n2 .number} |

: Mức theo đơn vị {#table-levels}

![Mức trước và sau](figures/levels.svg){#figure-levels}

1. Một
"""


@pytest.fixture(scope="module")
def documents():
    figure, png = plt.figure(figsize=(8, 4)), io.BytesIO()
    figure.savefig(png, dpi=100)
    plt.close(figure)
    made = Document(
        language="vi", title="Báo cáo thử", kind="Báo cáo", organisation="Trường", simulated=True,
        tree=read_markdown(SOURCE), ledger=json.dumps(ABOUT).encode(), fingerprint="3F2A-91C4-0000-0000",
        day=date(2020, 12, 4), form={},
        pictures={"levels": Picture(SVG, png.getvalue(), "Mức")},
    )  # fmt: skip
    return {"html": webpage.html(made).encode(), "docx": word.docx(made), "pdf": pdf.pdf(made)}


def found(data, kind, **changes):
    return [(one.reason, one.new, one.fails) for one in appearances(data, kind, ABOUT | changes)]


@pytest.mark.parametrize("kind", ["html", "docx", "pdf"])
def test_a_document_as_it_was_made_shows_its_words(documents, kind):
    assert found(documents[kind], kind) == []


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("<main", "<script>document.write(9)</script><main", "script"),
        ("<main", '<script src="https://a.vn/x.js"></script><main', "script"),
        ("<main", '<iframe srcdoc="9"></iframe><main', "iframe"),
        ("<main", "<input value=9><main", "input"),
        ("<main", "<main onclick='f()'", "main onclick"),
        ("<main", "<main style='display:none'", "main style"),
        ("<main", '<main class="skip"', "main class=skip"),
        ("</main>", '<div class="banner">khác</div></main>', "div class=banner"),
        ('class="number"', 'class="skip"', "span class=skip"),
        ("<tbody>\n<tr>", "<tbody>\n<tr>90,2", "tr text"),
        ("<tbody>\n<tr>", "<tbody>\n<tr><p>90,2</p>", "tr p"),
        ("<td ", '<td colspan="2" ', "td colspan"),
        ("</main>", '<img src="data:image/png;base64,AAAA" alt=""></main>', "img"),
        ("</nav>", "<del>Tăng</del></nav>", "del"),
        ('href="https://a.vn"', 'href="javascript:f()"', "a href"),
        ("<img ", '<img srcset="x.png 2x" ', "img srcset"),
        ('<meta http-equiv="Content', '<meta name="Content', "meta"),
        ("<head>", '<head><meta http-equiv="refresh" content="0; url=https://a.vn">', "meta"),
        ("<head>", '<head><link rel="stylesheet" href="https://a.vn/x.css">', "link"),
    ],
)
def test_what_evalkit_does_not_write_into_a_page_is_named(documents, old, new, part):
    page = documents["html"].decode()
    assert old in page
    assert ("document_foreign", part, True) in found(page.replace(old, new, 1).encode(), "html")


def test_other_styles_are_named_and_fail_where_the_version_is_this_one(documents):
    page = documents["html"].decode().replace("</style>", ".number { visibility: hidden }</style>").encode()
    assert found(page, "html") == [("document_style", "style", True)]
    assert found(page, "html", software={"evalkit": "0.0"}) == [("document_style", "style", False)]


def repacked(data, change):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as parts, zipfile.ZipFile(out, "w") as target:
        for name in parts.namelist():
            target.writestr(name, change(name, parts.read(name).decode("utf-8", "surrogateescape")).encode(
                "utf-8", "surrogateescape"))  # fmt: skip
    return out.getvalue()


def unmarked(name, part):
    return part.replace("DỮ LIỆU MÔ PHỎNG", "Dữ liệu") if re.match(r"word/header\d", name) else part


def hidden(name, part):
    return part.replace("<w:t>DỮ", '<w:rPr><w:color w:val="FFFFFF"/></w:rPr><w:t>DỮ') if "header" in name else part


def test_each_document_says_that_its_data_are_simulated(documents):
    marked = {
        "docx": (repacked(documents["docx"], unmarked), repacked(documents["docx"], hidden)),
        "html": (re.sub('<div class="banner">.*?</div>', "", documents["html"].decode()).encode(),),
        "pdf": (first_page_blanked(documents["pdf"]),),
    }
    for kind, changed in marked.items():
        for data in changed:
            assert ("document_unmarked", "–", True) in found(data, kind), kind
            assert "document_unmarked" not in {reason for reason, *_ in found(data, kind, simulated=False)}


def first_page_blanked(data):
    writer = PdfWriter(clone_from=io.BytesIO(data))
    writer.pages[0][NameObject("/Contents")] = writer._add_object(StreamObject())
    return written(writer)


def written(writer):
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


IN_BODY = {
    "altChunk": '<w:altChunk r:id="rId9"/>',
    "dataBinding": '<w:sdt><w:sdtPr><w:dataBinding w:xpath="/a"/></w:sdtPr></w:sdt>',
    "TITLE": '<w:p><w:fldSimple w:instr=" TITLE "><w:r><w:t>60,2</w:t></w:r></w:fldSimple></w:p>',
    "QUOTE": "<w:p><w:r><w:instrText> QUOTE 9 </w:instrText></w:r></w:p>",
    "khác": '<mc:AlternateContent xmlns:mc="urn:x"><mc:Choice Requires="khác"/></mc:AlternateContent>',
    "chart": '<w:p><a:graphicData xmlns:a="urn:y" uri="http://schemas.openxmlformats.org/drawingml/2006/chart"/></w:p>',
    "bdo": '<w:p><w:bdo w:val="rtl"><w:r><w:t>2,06</w:t></w:r></w:bdo></w:p>',
    "gridSpan": '<w:p><w:gridSpan w:val="2"/></w:p>',
}


@pytest.mark.parametrize("part", IN_BODY)
def test_what_word_would_show_in_place_of_the_words_is_named(documents, part):
    def change(name, xml):
        return xml.replace("<w:body>", "<w:body>" + IN_BODY[part], 1) if name == "word/document.xml" else xml

    assert ("document_foreign", part, True) in found(repacked(documents["docx"], change), "docx")


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("_rels/.rels", '"word/document.xml"', '"word/document2.xml"', "word/document2.xml"),
        ("word/_rels/document.xml.rels", '"styles.xml"', '"styles2.xml"', "styles2.xml"),
        ("word/numbering.xml", 'w:lvlText w:val="%1."', 'w:lvlText w:val="%1. Giảm 9,9"', "%1. Giảm 9,9"),
        ("word/numbering.xml", 'w:lvlText w:val="%1."', 'w:lvlText w:val="Không đúng"', "Không đúng"),
    ],
)
def test_parts_elsewhere_and_numbers_that_say_more_are_named(documents, file, old, new, part):
    def change(name, xml):
        if name == file:
            assert old in xml
        return xml.replace(old, new, 1) if name == file else xml

    assert ("document_foreign", part, True) in found(repacked(documents["docx"], change), "docx")


def test_headers_count_where_a_section_refers_to_them_and_what_was_added_to_them_is_listed(documents):
    def unreferred(name, xml):
        return re.sub("<w:headerReference[^>]*>", "", xml) if name == "word/document.xml" else xml

    def longer(name, xml):
        return xml.replace("MÔ PHỎNG", "MÔ PHỎNG, tăng 9,9 điểm") if name == "word/header1.xml" else xml

    assert ("document_unmarked", "–", True) in found(repacked(documents["docx"], unreferred), "docx")
    assert {("document_written", ", tăng 9,9 điểm", False)} == set(found(repacked(documents["docx"], longer), "docx"))


def test_what_floats_above_the_text_of_word_is_listed(documents):
    shape = '<w:r><w:pict><v:rect xmlns:v="urn:schemas-microsoft-com:vml" style="position:absolute"/></w:pict></w:r>'
    data = repacked(
        documents["docx"],
        lambda name, part: part.replace("</w:p>", shape + "</w:p>", 1) if name == "word/document.xml" else part,
    )
    assert found(data, "docx") == [("document_floating", "1", False)]


def test_what_a_pdf_was_given_afterwards_is_named(documents):
    writer = PdfWriter(clone_from=io.BytesIO(documents["pdf"]))
    writer.add_annotation(0, FreeText(text="99", rect=(50, 50, 200, 100)))
    assert ("document_floating", "/FreeText", False) in found(written(writer), "pdf")
    writer = PdfWriter(clone_from=io.BytesIO(documents["pdf"]))
    writer.pages[1].cropbox = RectangleObject((0, 0, 100, 100))
    assert ("document_foreign", "CropBox", True) in found(written(writer), "pdf")
    writer = PdfWriter(clone_from=io.BytesIO(documents["pdf"]))
    content = StreamObject()
    content.set_data(PdfReader(io.BytesIO(documents["pdf"])).pages[1].get_contents().get_data() + b"\nBT 3 Tr ET")
    writer.pages[1][NameObject("/Contents")] = writer._add_object(content)
    assert ("document_foreign", "Tr", True) in found(written(writer), "pdf")
    signed = io.BytesIO(documents["pdf"])
    writer = PdfWriter(signed, incremental=True)
    writer.add_metadata({"/Title": "A"})
    writer.write(signed)
    assert ("document_appended", "", False) in found(signed.getvalue(), "pdf")
