"""What could make a document show something else than its words is named; a document as it was made holds nothing."""

import io
import json
import re
import zipfile
from datetime import date
from importlib.metadata import version

import pytest
from matplotlib import pyplot as plt
from pypdf import PdfReader, PdfWriter
from pypdf.annotations import FreeText
from pypdf.generic import NameObject, RectangleObject, StreamObject

from evalkit import pdf, webpage, word
from evalkit.appearance import appearances
from evalkit.documents import Document, Picture, read_markdown

ABOUT = {"language": "vi", "simulated": True, "software": {"evalkit": version("evalkit")}}
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
    figure, saved = plt.figure(figsize=(2, 1)), {kind: io.BytesIO() for kind in ("svg", "png")}
    for kind, out in saved.items():
        figure.savefig(out, format=kind)
    plt.close(figure)
    made = Document(
        language="vi", title="Báo cáo thử", kind="Báo cáo", organisation="Trường", simulated=True,
        tree=read_markdown(SOURCE), ledger=json.dumps(ABOUT).encode(), fingerprint="3F2A-91C4-0000-0000",
        day=date(2020, 12, 4), form={},
        pictures={"levels": Picture(*(out.getvalue() for out in saved.values()), "Mức")},
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
        ("<main", '<div class="banner">khác</div><main', "div class=banner"),
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
