"""The PDF: what it declares, what it carries, what it refuses, and that text of a study stays text."""

import json
import re
from dataclasses import replace
from datetime import date
from io import BytesIO

import pytest
from pypdf import PdfReader

from evalkit.documents import Document, Picture, read_markdown
from evalkit.pdf import pdf, read_ledger, read_numbers

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="#00f"/></svg>'
)
LEDGER = '{"numbers": [{"id": "n1", "shown": "12,8", "note": "</script> \u1ebf"}]}\n'.encode()
SOURCE = """
# Tóm tắt

Tăng [12,8]{#n1 .number} điểm (khoảng [−8,3]{#n2 .number} đến 17): [cao hơn]{#c1 .claim}; xem
[?](#table-did){.ref}, [?](#figure-levels){.ref}.

### Bỏ một cấp

| Đơn vị | Mức |
|:-------|----:|
| xã Hiệp Lợi | [60,2]{#n3 .number} |
| phường Ngã Bảy | [72,9]{#n4 .number} |

: Chênh lệch kép {#table-did}

![Mức trước và sau](figures/levels.svg){#figure-levels}

# Lời cảm ơn {.unnumbered}

# Phiếu hỏi {.appendix}

## Người dân
"""


def made(source=SOURCE, **changes):
    document = Document(
        language="vi", title="Chính quyền thân thiện: ế ữ ₫ − – «» ≥ ²", kind="Báo cáo kết quả",
        organisation="Trường",
        simulated=True, tree=read_markdown(source), ledger=LEDGER, fingerprint="3F2A-91C4", day=date(2020, 12, 4),
        pictures={"levels": Picture(SVG, b"", "Hai mức: 60,2 và 72,9")},
    )  # fmt: skip
    return replace(document, **changes)


def inserted(element):
    """The document with an element as a paragraph's content."""
    document = made()
    return replace(document, tree=document.tree | {"blocks": [{"t": "Para", "c": [element]}]})


def words(file):
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in PdfReader(BytesIO(file)).pages))


@pytest.fixture(scope="module")
def file():
    return pdf(made(form={"place": "Hậu Giang", "parent": "Tỉnh ủy", "code": "ĐT-01"}))


def test_it_declares_the_standards_its_language_and_its_tags(file):
    reader = PdfReader(BytesIO(file))
    xmp = reader.xmp_metadata
    assert (xmp.pdfaid_part, xmp.pdfaid_conformance) == ("3", "A")
    assert re.search(rb"pdfuaid:part>1<|pdfuaid:part=\"1\"", reader.root_object["/Metadata"].get_object().get_data())
    assert reader.root_object["/MarkInfo"]["/Marked"] and reader.root_object["/Lang"].startswith("vi")
    assert reader.metadata.title.startswith("Chính quyền thân thiện") and reader.metadata.creation_date.year == 2020


def test_figures_and_formulas_have_their_alternative_and_headings_their_tags(file):
    def tags(node):
        node = node.get_object()
        if isinstance(node, list):
            for part in node:
                yield from tags(part)
        elif hasattr(node, "get"):
            yield node.get("/S"), node.get("/Alt")
            yield from tags(node["/K"]) if "/K" in node else ()

    found = list(tags(PdfReader(BytesIO(file)).root_object["/StructTreeRoot"]["/K"]))
    assert ("/Figure", "Hai mức: 60,2 và 72,9") in found
    assert {"/H1", "/H2", "/Table", "/TH", "/TD", "/Caption", "/TOC"} <= {tag for tag, _ in found}
    formula = {"t": "Math", "c": [{"t": "InlineMath"}, "\\bar x"]}
    assert ("/Formula", "\\bar x") in list(
        tags(PdfReader(BytesIO(pdf(inserted(formula)))).root_object["/StructTreeRoot"]["/K"])
    )


def test_the_cover_the_lists_the_headings_and_the_banner(file):
    pages = [page.extract_text() for page in PdfReader(BytesIO(file)).pages]
    for said in ("TỈNH ỦY", "TRƯỜNG", "ĐT-01", "BÁO CÁO KẾT QUẢ", "Hậu Giang, 04/12/2020", "3F2A-91C4"):
        assert said in pages[0]
    assert all("DỮ LIỆU MÔ PHỎNG" in page for page in pages)
    said = words(file)
    for part in ("Mục lục", "Danh mục bảng", "Danh mục hình", "Bảng 1. Chênh lệch kép",
                 "Hình 1. Mức trước và sau", "xem Bảng 1, Hình 1.", "1 Tóm tắt",
                 "1.1 Bỏ một cấp", "Phụ lục A Phiếu hỏi", "A.1 Người dân"):  # fmt: skip
        assert part in said
    outline = [item.title for item in PdfReader(BytesIO(file)).outline if not isinstance(item, list)]
    assert "Lời cảm ơn" in outline and any("Tóm tắt" in title for title in outline)
    plain = words(pdf(made("# A", simulated=False, language="en")))
    assert "SIMULATED" not in plain and "List of" not in plain and "Contents" in plain


def test_the_ledger_comes_back_and_the_numbers_stand_where_they_were_put(file):
    assert read_ledger(file) == LEDGER
    relation = PdfReader(BytesIO(file)).root_object["/AF"][0].get_object()["/AFRelationship"]
    assert relation == "/Data"
    found = read_numbers(file)
    assert {name: said for name, (_, said) in found.items()} == {
        "n1": "12,8",
        "n2": "−8,3",
        "n3": "60,2",
        "n4": "72,9",
    }
    assert {page for page, _ in found.values()} == {3}


@pytest.mark.parametrize("changed", ["stripped", "planted"])
def test_a_ledger_taken_out_or_planted_beside_is_no_ledger(file, changed):
    from pypdf import PdfWriter

    writer = PdfWriter(clone_from=BytesIO(file))
    if changed == "stripped":
        del writer.root_object["/Names"]["/EmbeddedFiles"]
    else:
        writer.add_attachment("ledger.json", b"{}")
    stream = BytesIO()
    writer.write(stream)
    assert read_ledger(stream.getvalue()) is None
    if changed == "stripped":
        with pytest.raises(ValueError, match=r"places\.json"):
            read_numbers(stream.getvalue())


def test_the_same_document_gives_the_same_bytes():
    assert pdf(made()) == pdf(made())
    assert pdf(made(day=None)) == pdf(made(day=None))


@pytest.mark.parametrize("harm", [
    '#read("/etc/hostname")', '#import "@preview/x:1.0.0"', "] #panic()", "$x$ @nowhere <nowhere> \\u{41}",
    '"); #panic("',
    "// gone /* gone", "= no heading", "#set page(width: 1pt)", "`#panic()`", "<script>alert(1)</script>",
])  # fmt: skip
def test_typst_in_texts_stays_text(harm):
    document = made(simulated=False, title=harm, organisation=harm, form={"place": harm})
    element = {"t": "Str", "c": harm}
    tree = document.tree | {
        "blocks": [{"t": "Header", "c": [1, [harm, [], []], [element]]}, {"t": "Para", "c": [element]}]
    }
    number = {"t": "Span", "c": [[harm, ["number"], []], [{"t": "Str", "c": "7"}]]}
    tree["blocks"].append({"t": "Para", "c": [number]})
    pictures = {"levels": Picture(SVG, b"", harm)}
    picture = {"t": "Image", "c": [["", [], []], [], ["figures/levels.svg", ""]]}
    tree["blocks"].append({"t": "Para", "c": [picture]})
    found = pdf(replace(document, tree=tree, pictures=pictures))
    assert words(found).replace(" ", "").count(harm.replace(" ", "")) >= 3
    assert read_numbers(found)[harm][1] == "7"


@pytest.mark.parametrize("element", [
    {"t": "RawInline", "c": ["typst", "#panic()"]},
    {"t": "Span", "c": [["", [], [["typst:text:fill", "panic()"]]], [{"t": "Str", "c": "#panic()"}]]},
    {"t": "Link", "c": [["", [], []], [{"t": "Str", "c": "#panic()"}], ["#nowhere", ""]]},
    {"t": "Link", "c": [["", [], []], [{"t": "Str", "c": "#panic()"}], ["javascript:alert(1)", ""]]},
])  # fmt: skip
def test_what_a_tree_would_let_act_only_stands_there(element):
    assert "#panic()" in words(pdf(inserted(element)))


@pytest.mark.parametrize("target", ["../secret.svg", "/etc/passwd", "https://example.org/a.svg", "figures/none.svg"])
def test_an_image_that_is_no_picture_of_the_report_is_refused(target):
    with pytest.raises(ValueError, match=re.escape(target)):
        pdf(inserted({"t": "Image", "c": [["", [], []], [], [target, ""]]}))


@pytest.mark.parametrize(("changes", "reason"), [
    ({"title": "漢字"}, "font"),
    ({"pictures": {"levels": Picture(b"<svg", b"", "a")}}, "SVG|svg"),
])  # fmt: skip
def test_a_letter_no_font_has_and_a_broken_picture_stop(changes, reason):
    with pytest.raises(RuntimeError, match=reason):
        pdf(made(**changes))


def test_a_table_too_wide_for_the_page_is_turned_and_nothing_leaves_the_page():
    head = "|" + "|".join(f"Cột số {n}" for n in range(16)) + "|\n|" + "---|" * 16
    rows = "\n".join("|" + "|".join(f"[1.234,{n}]{{#m{k}x{n} .number}}" for n in range(16)) + "|" for k in range(60))
    file = pdf(made(f"{head}\n{rows}\n\n: Rộng {{#table-wide}}\n"))
    pages = PdfReader(BytesIO(file)).pages
    turned = [page for page in pages if page.mediabox.width > page.mediabox.height]
    assert len(turned) > 1 and all("Cột" in page.extract_text() for page in turned)  # the header on each
    places = json.loads(PdfReader(BytesIO(file)).attachments["places.json"][0])
    assert len(places) == 960 and max(x for _, x, _ in places.values()) < 842 - 57 - 25
    assert all(said == f"1.234,{name.partition('x')[2]}" for name, (_, said) in read_numbers(file).items())


def test_no_line_ends_between_a_number_and_its_signs():
    source = " ".join(f"{'x' * (n % 7)} ([{n}]{{#s{n} .number}}%)" for n in range(400))
    lines = [
        line for page in PdfReader(BytesIO(pdf(made(source)))).pages for line in page.extract_text().splitlines()
    ]
    assert len(lines) > 30 and not any(line.startswith(("%", ")")) or line.rstrip().endswith("(") for line in lines)


@pytest.mark.parametrize("above", [26, 28])  # paragraphs, after which part of the table would fit
def test_a_short_table_stays_on_one_page_and_its_ranges_in_one_line(above):
    ranged = "+16,6 đến +31,0"
    rows = ["| Chỉ số | Khoảng |", "|:--|--:|", *[f"| hàng {at} {'từ ngữ ' * 8}| {ranged} |" for at in range(8)]]
    source = "\n".join(["# A", *["\nĐoạn văn.\n"] * above, *rows, "", ": T {#table-t}"])
    pages = [page.extract_text() for page in PdfReader(BytesIO(pdf(made(source)))).pages]
    assert [page.count(ranged) for page in pages if ranged in page] == [8]
