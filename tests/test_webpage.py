"""The page in the browser: nothing in it acts or loads, everybody can reach everything, the ledger comes back."""

import re
from dataclasses import replace
from datetime import date
from itertools import pairwise

import pytest
from lxml.html import document_fromstring

from evalkit.documents import Document, Picture, read_markdown
from evalkit.webpage import html, read_ledger

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><rect width="40" height="20" fill="#00f"/></svg>'
)
LEDGER = '{"numbers": [{"id": "n1", "note": "</script><script>alert(1)</script> \u1ebf & <!--ledger-->"}]}\n'.encode()
SOURCE = """
# Tóm tắt

Tăng [12,8]{#n1 .number} điểm; xem [?](#table-did){.ref}, [?](#figure-levels){.ref}, [tệp](../x), [web](https://a.vn).

### Bỏ một cấp

| Đơn vị | Mức |
|:-------|----:|
| xã Hiệp Lợi | [60,2]{#n3 .number} |

: Chênh lệch kép {#table-did}

![Mức trước và sau](figures/levels.svg){#figure-levels}

# Lời cảm ơn {.unnumbered}

# Phiếu hỏi {.appendix}

## Người dân
"""


def made(source=SOURCE, **changes):
    document = Document(
        language="vi", title="Chính quyền <b>thân thiện</b>", kind="Báo cáo", organisation="Trường", simulated=True,
        tree=read_markdown(source), ledger=LEDGER, fingerprint="3F2A-91C4", day=date(2020, 12, 4),
        pictures={"levels": Picture(SVG, b"", 'Hai mức: 60,2 "và" 72,9')}, form={"place": "Hậu Giang"},
    )  # fmt: skip
    return replace(document, **changes)


@pytest.fixture(scope="module")
def page():
    return html(made())


def test_it_loads_nothing_and_runs_nothing(page):
    tree = document_fromstring(page)
    assert "default-src 'none'" in tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    assert [script.get("type") for script in tree.iter("script")] == ["application/json"]
    assert all(src.startswith("data:image/svg+xml;base64,") for src in tree.xpath("//@src"))
    assert all(href.startswith(("#", "https://a.vn")) for href in tree.xpath("//@href"))
    assert (
        not tree.xpath("//link|//iframe|//object|//@onclick|//@onload")
        and "url(" not in page
        and "@import" not in page
    )


def test_each_internal_link_has_its_target(page):
    tree = document_fromstring(page)
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids)) and {"n1", "n3", "table-did", "figure-levels", "main"} <= set(ids)
    assert {href[1:] for href in tree.xpath("//@href") if href.startswith("#")} <= set(ids)


def test_headings_follow_each_other_and_have_their_numbers(page):
    headings = document_fromstring(page).xpath("//h1|//h2|//h3|//h4|//h5|//h6")
    levels = [int(heading.tag[1]) for heading in headings]
    assert levels.count(1) == 1 and levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert [heading.text_content() for heading in headings[2:]] == [
        "1 Tóm tắt", "1.1 Bỏ một cấp", "Lời cảm ơn", "Phụ lục A Phiếu hỏi", "A.1 Người dân",
    ]  # fmt: skip


def test_tables_and_figures_are_named_reached_and_described(page):
    tree = document_fromstring(page)
    (region,) = tree.xpath("//div[@class='table']")
    assert (region.get("role"), region.get("tabindex"), region.get("aria-label")) == (
        "region", "0", "Bảng 1. Chênh lệch kép",
    )  # fmt: skip
    assert region.xpath(".//caption")[0].text_content() == "Bảng 1. Chênh lệch kép"
    assert [(cell.get("scope"), cell.text_content()) for cell in region.iter("th")] == [
        ("col", "Đơn vị"), ("col", "Mức"), ("row", "xã Hiệp Lợi"),
    ]  # fmt: skip
    assert tree.xpath("//img/@alt") == ['Hai mức: 60,2 "và" 72,9']
    assert tree.xpath("//figcaption")[0].text_content().strip() == "Hình 1. Mức trước và sau"
    assert "xem Bảng 1, Hình 1, tệp, web." in re.sub(r"\s+", " ", tree.text_content())
    assert tree.xpath("//html/@lang") == ["vi"] and tree.xpath("//a[@class='skip']/@href") == ["#main"]
    assert tree.xpath("//main[@id='main']") and tree.xpath("//nav/@aria-label") == ["Mục lục"]


def test_the_head_says_what_it_is(page):
    head = document_fromstring(page).xpath("//header")[0].text_content()
    for said in ("Chính quyền <b>thân thiện</b>", "Báo cáo", "Trường", "Hậu Giang, 04/12/2020", "3F2A-91C4"):
        assert said in head
    assert page.count("DỮ LIỆU MÔ PHỎNG") == 2  # on the screen, and at the head of each sheet of paper
    assert "SIMULATED" not in html(made(simulated=False, language="en"))


def test_the_ledger_comes_back_and_a_second_one_is_none(page):
    assert read_ledger(page) == LEDGER
    assert read_ledger(page.replace("</main>", '</main><script id="ledger">{}</script>')) is None
    assert read_ledger("<html><body>no</body></html>") is None
    with pytest.raises(ValueError, match="ledger"):
        html(made(ledger=b'{"a": "\\u003c"}'))


def test_the_same_document_gives_the_same_text(page):
    assert html(made()) == page


@pytest.mark.parametrize(
    "harm", ["<script>alert(1)</script>", "<img src=//a.vn onerror=alert(1)>", "$body$", "<!--ledger-->"]
)
def test_markup_in_texts_stays_text(harm):
    element = {"t": "Str", "c": harm}
    raw = {"t": "RawInline", "c": ["html", harm]}
    styled = {"t": "Span", "c": [["", [], [["onclick", "alert(1)"], ["style", "x"]]], [element]]}
    blocks = [{"t": "Header", "c": [1, [harm, [], []], [element]]}, {"t": "Para", "c": [element, raw, styled]}]
    document = made(title=harm, organisation=harm, form={"place": harm}, tree=made().tree | {"blocks": blocks})
    tree = document_fromstring(html(document))
    assert tree.text_content().count(harm) >= 8
    assert len(list(tree.iter("script"))) == 1 and not tree.xpath("//img|//@onclick|//main//@style")


@pytest.mark.parametrize("target", ["../secret.svg", "/etc/passwd", "https://example.org/a.svg", "figures/none.svg"])
def test_an_image_that_is_no_picture_of_the_report_is_refused(target):
    image = {"t": "Image", "c": [["", [], []], [], [target, ""]]}
    with pytest.raises(ValueError, match=re.escape(target)):
        html(made(tree=made().tree | {"blocks": [{"t": "Para", "c": [image]}]}))


def test_a_formula_needs_no_script():
    formula = {"t": "Math", "c": [{"t": "DisplayMath"}, "\\frac{1}{2}"]}
    page = html(made(tree=made().tree | {"blocks": [{"t": "Para", "c": [formula]}]}))
    assert "<mfrac>" in page
