"""A report as PDF: PDF/A-3a and PDF/UA-1, its ledger inside."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from importlib.resources import as_file, files
from io import BytesIO
from itertools import groupby
from math import ceil
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from evalkit.documents import Document, pandoc
from evalkit.language import text, unparted
from evalkit.trees import Element, elements, placed, prepared, table_rows, walk, words

STANDARDS = ["a-3a", "ua-1"]
LEDGER = "ledger.json"
PLACES = "places.json"
NEAR, HEIGHT = 1, 12  # points: from where a number was put, to the side and down to its baseline
# Points: what a line of a table may take, portrait and landscape, and the sizes of type to try in this order.
PORTRAIT, LANDSCAPE = 453, 700
SIZES = [(PORTRAIT, 10.5), (PORTRAIT, 9.5), (PORTRAIT, 8.5), (LANDSCAPE, 9.5), (LANDSCAPE, 8.5), (LANDSCAPE, 7.5)]
LETTER, PADDING = 0.52, 8  # width of a letter of Libertinus Serif in sizes of type; points beside a cell's text
MOST_LINES = 4  # that the fullest row of a table should take
TOGETHER = 20  # lines: a table of so many stays on one page


def pdf(document: Document, *, sheet: bool = False) -> bytes:
    """The document as PDF/A-3a and PDF/UA-1, as Typst's own checks confirm; the same document gives the same bytes.

    It has bookmarks, a text alternative for each figure and formula, and two attachments: the ledger, and the place
    of each bound number. sheet: the body without cover and lists. Only fonts that Typst builds in are used; nothing
    is read from disk or network. Raises ValueError for an image that is not one of the document's pictures,
    RuntimeError with Typst's words for whatever it warns of, as a letter that no font has.

        Path("report.pdf").write_bytes(pdf(document))
    """
    import typst

    blocks = prepared(document)
    sources = {
        "main": _source(document, blocks),
        "about.json": json.dumps(_about(document, blocks) | {"sheet": sheet}, ensure_ascii=False).encode("utf-8"),
        LEDGER: document.ledger,
        **{f"figures/{name}.svg": picture.svg for name, picture in document.pictures.items()},
    }
    made = datetime.combine(document.form.get("date") or document.day or date(1980, 1, 1), datetime.min.time(), UTC)
    with TemporaryDirectory() as empty:  # the folder whose files Typst could read
        try:
            compiler: Any = cast(Any, typst).Compiler(  # its stubs know no sources in memory
                sources, root=empty, package_path=empty, package_cache_path=empty, ignore_system_fonts=True
            )
            result, warnings = compiler.compile_with_warnings(
                format="pdf", pdf_standards=STANDARDS, timestamp=int(made.timestamp())
            )
        except typst.TypstError as error:
            raise RuntimeError(f"typst: {error}") from error
    if warnings:
        raise RuntimeError("typst: " + "; ".join(warning.message for warning in warnings))
    return result


def read_ledger(file: bytes) -> bytes | None:
    """The ledger inside a PDF, None where it has none or more than one."""
    return _attachment(file, LEDGER)


def read_numbers(file: bytes) -> dict[str, tuple[int, str]]:
    """What stands now where each bound number was put: its id → page, from 1, and the text.

    The text is empty where nothing stands there. Raises ValueError where the file has lost its list of places.

        read_numbers(Path("report.pdf").read_bytes())["n00001"]  # (8, "0,036")
    """
    from pypdf import PdfReader

    listed = _attachment(file, PLACES)
    if listed is None:
        raise ValueError(f"no {PLACES} in this file")
    pages = PdfReader(BytesIO(file)).pages
    found: dict[str, tuple[int, str]] = {}
    pieces: dict[int, list[tuple[float, float, str]]] = {}
    for name, (page, x, y) in json.loads(listed).items():
        if page not in pieces:
            pieces[page] = _pieces(pages[page - 1]) if page <= len(pages) else []
        at = [
            (base - y, said)
            for left, base, said in pieces[page]
            if abs(left - x) < NEAR and -NEAR < base - y < HEIGHT
        ]
        found[name] = page, min(at)[1] if at else ""
    return found


def _pieces(page: Any) -> list[tuple[float, float, str]]:
    """The texts of a page, each with the points from the left and the upper edge where its baseline begins."""
    pieces: list[tuple[float, float, str]] = []

    def visit(text: str, matrix: list[float], line: list[float], *_: Any) -> None:
        if text.strip():
            x, y = line[4] * matrix[0] + matrix[4], line[5] * matrix[3] + matrix[5]
            pieces.append((x, float(page.mediabox.height) - y, text.strip()))

    page.extract_text(visitor_text=visit)
    return pieces


def _attachment(file: bytes, name: str) -> bytes | None:
    from pypdf import PdfReader

    found = PdfReader(BytesIO(file)).attachments.get(name, [])
    return found[0] if len(found) == 1 else None


def _source(document: Document, blocks: list[Element]) -> bytes:
    """The whole as Typst's source. Everything that acts in it comes from the template or from `_marked`."""
    tree = document.tree | {"meta": {}, "blocks": walk(_boxed(_with_appendix(blocks)), _marked)}
    with as_file(files("evalkit") / "templates" / "report.typ") as template:
        return pandoc(
            json.dumps(tree).encode("utf-8"),
            "--from=json",
            "--to=typst",
            "--wrap=none",
            "--syntax-highlighting=none",
            f"--template={template}",
        )


def _about(document: Document, blocks: list[Element]) -> dict[str, Any]:
    language, form = document.language, document.form
    captions = {element["t"] for element in elements(blocks, "Table", "Figure") if element["c"][1][1]}
    about: dict[str, Any] = {
        "title": document.title,
        "kind": document.kind,
        "organisation": document.organisation,
        "parent": form.get("parent"),
        "code": text("pdf_code", language, code=form["code"]) if form.get("code") else None,
        "placed": placed(document) or None,
        "banner": text("simulated", language) if document.simulated else None,
        "language": language,
        "region": {"vi": "VN", "en": "GB"}[language],
        "fingerprint": text("word_fingerprint", language, fingerprint=document.fingerprint),
        "words": {
            "appendix": text("word_appendix", language),
            "contents": text("contents", language),
            "ledger": text("pdf_ledger", language),
            "places": text("pdf_places", language),
        },
        "lists": [
            {"kind": kind, "title": text(f"pdf_{kind}s", language)}
            for kind in ("table", "figure")
            if kind.title() in captions
        ],
    }
    return {key: value for key, value in about.items() if value is not None}


def _with_appendix(blocks: list[Element]) -> list[Element]:
    """The blocks, Typst told before the first appendix that headings are lettered from there."""
    for place, block in enumerate(blocks):
        if block["t"] == "Header" and "appendix" in block["c"][1][1]:
            return [*blocks[:place], _typst("RawBlock", "#show: appendix"), *blocks[place:]]
    return blocks


def _boxed(node: Any) -> Any:
    """Each number in one box with the signs around it: no line ends in it, and its place is that of the box."""
    if isinstance(node, dict):
        return node | {"c": _boxed(node["c"])} if "c" in node else node
    if not isinstance(node, list):
        return node
    boxed: list[Any] = []
    for sticks, run in groupby(
        node, lambda item: isinstance(item, dict) and (item.get("t") == "Str" or _is_number(item))
    ):
        items = list(run)
        if sticks and any(map(_is_number, items)):
            boxed += _between("#box[", items)
        else:
            boxed += map(_boxed, items)
    return boxed


def _is_number(element: Element) -> bool:
    return element.get("t") == "Span" and bool(element["c"][0][0]) and "number" in element["c"][0][1]


def _marked(element: Element) -> Element | list[Element]:
    """An element between the pieces of Typst that bind, describe or size it."""
    kind: str = element["t"]
    content: Any = element.get("c")
    if kind == "Span" and content[0][0] and (_is_number(element) or "claim" in content[0][1]):
        role = "number" if _is_number(element) else "claim"
        return _between(f"#{role}({_quoted(content[0][0])})[", content[1])
    if kind == "Image":
        alt = dict(content[0][2])["alt"]
        return _typst("RawInline", f"#image({_quoted(content[2][0])}, alt: {_quoted(alt)});")
    if kind == "Math":
        return _between(f"#formula({_quoted(content[1])})[", [element])
    if kind == "Table":
        line, size, shares, lines = _fit(element)
        for column, share in zip(content[2], shares or [], strict=False):
            column[1] = {"t": "ColWidth", "c": share}
        turned = "#set page(flipped: true)\n" if line == LANDSCAPE else ""
        kept = "#show figure: set block(breakable: false)\n" if lines <= TOGETHER else ""
        opening = f"#[{turned}{kept}#show table: set text(size: {size}pt)"
        return [_typst("RawBlock", opening), element, _typst("RawBlock", "]")]
    return element


def _between(opening: str, content: list[Element]) -> list[Element]:
    return [_typst("RawInline", opening), *content, _typst("RawInline", "];")]


def _typst(kind: str, source: str) -> Element:
    return {"t": kind, "c": ["typst", source]}


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fit(table: Element) -> tuple[int, float, list[float] | None, int]:
    """How a table fits: width of a line, size of type, columns as shares of the line where they must wrap, its lines.

    A column that must wrap gets room by the root of its fullest cell, so that short ones keep to one line.
    """
    head, *body = [[cell[4] for cell in row[1]] for row in table_rows(table["c"])] or [[]]
    columns = [[words(cell) for cell in column] for column in zip(*body, strict=False)] or [[] for _ in head]
    titles = [words(cell) for cell in head]
    least = [max((len(word) for cell in [title, *column] for word in unparted(cell)), default=1)
             for title, column in zip(titles, columns, strict=False)]  # fmt: skip
    most = [max(low, len(title) / 3, *map(len, column))
            for low, title, column in zip(least, titles, columns, strict=False)]  # fmt: skip
    for line, size in SIZES:
        room = (line - PADDING * len(most)) / (LETTER * size)  # in letters
        if sum(map(max, most, map(len, titles))) <= room:
            return line, size, None, 1 + len(body)
        low, high = 0.0, float(max(most))
        for _ in range(30):
            middle = (low + high) / 2
            widths = np.clip(middle * np.sqrt(most), least, most)
            low, high = (middle, high) if widths.sum() <= room else (low, middle)
        wish = np.maximum(list(map(len, titles)) - widths, 0)
        widths = widths + wish * min(1, max(room - widths.sum(), 0) / (wish.sum() or 1))
        lines = np.maximum(most, list(map(len, titles))) / widths
        if widths.sum() <= room + 1 and lines.max() <= MOST_LINES:
            break
    taken = LETTER * size * widths + PADDING
    count = sum(max(ceil(len(words(cell)) / width) for cell, width in zip(row, widths, strict=False))
                for row in [head, *body])  # fmt: skip
    return line, size, [float(share) for share in taken / max(taken.sum(), line)], count
