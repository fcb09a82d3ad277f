"""A report as one page for the browser: readable without network and without script, its ledger inside."""

from __future__ import annotations

import json
from base64 import b64encode
from importlib.resources import as_file, files
from typing import Any

from evalkit.documents import Document, pandoc
from evalkit.language import Language, text
from evalkit.trees import Element, captioned, placed, prepared, string, walk, words


def html(document: Document) -> str:
    """The document as one self-contained page; the same document gives the same text.

    Nothing in it acts: the only script element holds the ledger as data, and the page's own policy lets the browser
    load nothing from elsewhere. Tables and figures scroll inside themselves and can be reached by the keyboard.
    Raises ValueError for an image that is not one of the document's pictures.

        Path("report.html").write_text(html(document), encoding="utf-8", newline="\\n")
    """
    language = document.language
    blocks = prepared(document)
    names = captioned(blocks, language)
    meta = {
        "title": document.title,
        "pagetitle": document.title,
        "author": document.organisation,
        "kind": document.kind,
        "lang": language,
        "toc-title": text("contents", language),
        "skip": text("webpage_skip", language),
        "placed": placed(document),
        "fingerprint": text("word_fingerprint", language, fingerprint=document.fingerprint),
        "banner": text("simulated", language) if document.simulated else "",
    }
    tree = document.tree | {
        "meta": {key: {"t": "MetaString", "c": value} for key, value in meta.items() if value},
        "blocks": walk(_numbered(blocks, language), lambda element: _shown(element, document, names)),
    }
    styles = stylesheet(language, simulated=document.simulated)
    tree["meta"]["styles"] = {"t": "MetaInlines", "c": [{"t": "RawInline", "c": ["html", styles]}]}
    with as_file(files("evalkit") / "templates" / "report.html") as template:
        page = pandoc(
            json.dumps(tree).encode("utf-8"),
            "--from=json",
            "--to=html5",
            "--standalone",
            "--toc",
            "--toc-depth=3",
            "--mathml",
            "--wrap=none",
            "--syntax-highlighting=none",
            f"--template={template}",
        ).decode("utf-8")
    # Not through pandoc, which would lay the ledger out anew; text of the report cannot hold this comment unescaped.
    ledger = document.ledger.decode("utf-8").replace("<", "\\u003c")
    page = page.replace("<!--ledger-->", f'<script type="application/json" id="ledger">{ledger}</script>')
    if read_ledger(page) != document.ledger:
        raise ValueError("the ledger does not survive in a page: it is no JSON of evalkit")
    return page


def stylesheet(language: Language, *, simulated: bool) -> str:
    """How a page looks on screen and on paper."""
    styles = (files("evalkit") / "templates" / "report.css").read_text(encoding="utf-8")
    if simulated:  # on every sheet of paper
        styles += f'@page {{ @top-right {{ content: "{text("simulated", language)}"; color: #8c1d18; }} }}\n'
    return styles


def read_ledger(page: str) -> bytes | None:
    """The ledger inside a page, None where it has none or more than one."""
    from lxml.html import document_fromstring

    found = document_fromstring(page).xpath("//script[@id='ledger']")
    return (found[0].text or "").replace("\\u003c", "<").encode("utf-8") if len(found) == 1 else None


def _numbered(blocks: list[Element], language: Language) -> list[Element]:
    """Headings one level lower, for the page's title is the first, with their numbers before their words."""
    counts = [0] * 10
    lettered = False

    def numbered(element: Element) -> Element:
        nonlocal counts, lettered
        if element["t"] != "Header":
            return element
        level, attributes, content = element["c"]
        if "unnumbered" not in attributes[1]:
            if "appendix" in attributes[1] and not lettered:
                counts, lettered = [0] * 10, True
            counts = [*counts[: level - 1], counts[level - 1] + 1, *[0] * (10 - level)]
            parts = [str(count) for count in counts[:level]]
            if lettered:
                parts[0] = chr(ord("A") + counts[0] - 1)
            if lettered and level == 1:
                parts[0] = f"{text('word_appendix', language)} {parts[0]}"
            number = {"t": "Span", "c": [["", ["header-section-number"], []], [string(".".join(parts))]]}
            content = [number, {"t": "Space"}, *content]
        return {"t": "Header", "c": [min(level + 1, 6), attributes, content]}

    return walk(blocks, numbered)


def _shown(element: Element, document: Document, names: dict[str, str]) -> Element:
    kind: str = element["t"]
    content: Any = element.get("c")
    if kind in ("Table", "Figure") and (name := names.get(content[0][0])):
        first = content[1][1][0]
        first["c"] = [{"t": "Span", "c": [["", ["caption"], []], [string(f"{name}. "), *first["c"]]]}]
    if kind == "Image":
        svg = document.pictures[content[2][0].removeprefix("figures/").removesuffix(".svg")].svg
        content[2][0] = "data:image/svg+xml;base64," + b64encode(svg).decode("ascii")
        content[1] = []
    if kind in ("Table", "Figure"):
        label = words(content[1][1]) or text(f"webpage_{kind.lower()}", document.language)
        if kind == "Table":
            _with_headers(content)
            return _scrolled("table", label, [element])
        content[2] = [_scrolled("drawing", label, content[2])]
    return element


def _scrolled(name: str, label: str, blocks: list[Element]) -> Element:
    """Blocks that scroll inside themselves, also by the keyboard."""
    return {"t": "Div", "c": [["", [name], [["role", "region"], ["tabindex", "0"], ["aria-label", label]]], blocks]}


def _with_headers(table: list[Any]) -> None:
    """Name the cells that head a column, and, where the first column holds words, those that head a row."""
    for row in table[3][1]:
        for cell in row[1]:
            cell[0][2] = [["scope", "col"]]
    if table[2][0][0]["t"] in ("AlignLeft", "AlignDefault") and len(table[2]) > 1:
        for body in table[4]:
            body[1] = 1
            for row in body[3]:
                row[1][0][0][2] = [["scope", "row"]]
