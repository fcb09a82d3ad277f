"""Tables in a Word document: widths that fit the page, no row parted, wide ones in landscape."""

from __future__ import annotations

from math import ceil
from typing import Any

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt

from evalkit.language import unparted
from evalkit.word_styles import LANDSCAPE_WIDTH, THIN, WIDTH, section

_LETTER, _DIGIT = 0.56, 0.5  # width of a letter of Times New Roman bold and of a digit, in ems
_PADDING = 220  # twips, both sides of a cell
_POWERS = (0, 0.25, 0.5, 0.75)
_SIZES = (
    (10.5, WIDTH, "TableText"), (9, WIDTH, "TableTextSmall"),
    (10.5, LANDSCAPE_WIDTH, "TableText"), (9, LANDSCAPE_WIDTH, "TableTextSmall"),
)  # fmt: skip
# A cell of more lines than this is hard to read in a column of so few letters; so is such a header.
_MOST_LINES, _MOST_HEADER, _NARROW = 4, 6, 24
_BETWEEN = ("đến", "to", "/", "–")  # the ends of a range
_TOGETHER = 16  # lines: a table of so many stays on one page


def lay_out(body: Any) -> None:
    """Fit every table that pandoc wrote to the page, in place.

    body: the `w:body`. A table gets the first of these in which its longest words fit and no narrow column has cells
    of many lines: 10.5 points, 9 points, a page of its own in landscape, the same with 9 points. Short tables stay on
    one page, and no page begins with the last row of a table. Tables that have fixed widths already stay.

        lay_out(document.element.body)
    """
    for table in list(body.iter(qn("w:tbl"))):
        if table.find(f"{qn('w:tblPr')}/{qn('w:tblW')}").get(qn("w:type")) != "dxa":
            _lay_out(table)
            _space_after(table)


def _lay_out(table: Any) -> None:
    rows = [row.findall(qn("w:tc")) for row in table.findall(qn("w:tr"))]
    texts = [["".join(part.text or "" for part in cell.iter(qn("w:t"))) for cell in row] for row in rows]
    for size in _SIZES:
        widths, lines, fits = _fit(texts, size[0], size[1])
        if fits:
            break
    _write_widths(table, rows, widths, size[2])
    parts = list(table.iter(qn("w:t")))
    for before, part, after in zip(parts, parts[1:], parts[2:], strict=False):
        if part.text in _BETWEEN and before.text == after.text == " ":  # also a range behind another number
            before.text = after.text = "\N{NO-BREAK SPACE}"
    _keep_together(rows, [max(row) for row in lines])
    if size[1] == LANDSCAPE_WIDTH and table.getparent().tag == qn("w:body"):
        _turn(table)


def _fit(texts: list[list[str]], points: float, width: int) -> tuple[list[int], list[list[int]], bool]:
    """Widths of columns in type of a size on a page of a width, the lines of each cell, whether all is readable."""
    sized = [[len(cell) * _LETTER for cell in row] for row in texts]
    words = [
        max((_ems(word) for cell in column for word in unparted(cell)), default=_DIGIT)
        for column in zip(*texts, strict=True)
    ]
    # What stands in the header may break, into three lines or so.
    wholes = [max(column[0] / 3, *column[1:], 0) for column in zip(*sized, strict=True)]
    least, most = _widths(words, points), _widths(wholes, points)
    squeeze = min(1.0, width / sum(least))  # only words too long even for a landscape page are broken
    ways = [_shared([one * squeeze for one in least], most, width, power) for power in _POWERS]
    cells = [_widths(row, points) for row in sized]
    widths = min(ways, key=lambda way: sum(map(max, _lines(cells, way))))
    lines = _lines(cells, widths)
    return widths, lines, squeeze == 1 and not _crowded(lines, widths, points)


def _crowded(lines: list[list[int]], widths: list[int], points: float) -> bool:
    """Whether a narrow column holds cells of many lines."""
    narrow = [width < _widths([_NARROW * _LETTER], points)[0] for width in widths]
    return any(
        count > (_MOST_LINES if at else _MOST_HEADER)
        for at, row in enumerate(lines)
        for count, tight in zip(row, narrow, strict=True)
        if tight
    )


def _keep_together(rows: list[list[Any]], lines: list[int]) -> None:
    """Keep the header with the first row, the last three rows, and all rows of a short table on one page."""
    short = sum(lines) <= _TOGETHER
    for at, row in enumerate(rows[:-1]):
        if short or at < 2 or at >= len(rows) - 3:
            for cell in row:
                for paragraph in cell.iter(qn("w:p")):
                    paragraph.get_or_add_pPr().get_or_add_keepNext()


def _ems(word: str) -> float:
    return len(word) * (_DIGIT if any(map(str.isdigit, word)) else _LETTER)


def _widths(ems: list[float], points: float) -> list[float]:
    return [_PADDING + count * points * 20 for count in ems]


def _shared(least: list[float], most: list[float], width: int, power: float) -> list[int]:
    """Widths between least and most: 0 shares alike among those that want more, 1 by how much they want."""
    low, high = 0.0, float(width)
    for _ in range(40):
        level = (low + high) / 2
        wanted = [max(one, min(other, level * other**power)) for one, other in zip(least, most, strict=True)]
        low, high = (level, high) if sum(wanted) <= width else (low, level)
    return [int(max(one, min(other, low * other**power))) for one, other in zip(least, most, strict=True)]


def _lines(cells: list[list[float]], widths: list[int]) -> list[list[int]]:
    """How many lines the cells take, or nearly; cells: how wide they would be in one line."""
    return [[ceil(cell / width) for cell, width in zip(row, widths, strict=True)] for row in cells]


def _write_widths(table: Any, rows: list[list[Any]], widths: list[int], style: str) -> None:
    properties = table.find(qn("w:tblPr"))
    properties.find(qn("w:tblW")).set(qn("w:type"), "dxa")
    properties.find(qn("w:tblW")).set(qn("w:w"), str(sum(widths)))
    for old in [*properties.findall(qn("w:jc")), *properties.findall(qn("w:tblLayout"))]:
        properties.remove(old)
    after = properties.find(qn("w:tblW"))
    after.addnext(parse_xml(f'<w:tblLayout {nsdecls("w")} w:type="fixed"/>'))
    after.addnext(parse_xml(f'<w:jc {nsdecls("w")} w:val="center"/>'))
    for column, width in zip(table.find(qn("w:tblGrid")), widths, strict=True):
        column.set(qn("w:w"), str(width))
    for row in table.findall(qn("w:tr")):
        row.get_or_add_trPr().insert(0, parse_xml(f"<w:cantSplit {nsdecls('w')}/>"))
    for row in rows:
        for cell, width in zip(row, widths, strict=True):
            cell.width = width * 635  # twips to English metric units
    for name in table.iter(qn("w:pStyle")):
        name.set(qn("w:val"), style)


def _space_after(table: Any) -> None:
    following = table.getnext()
    while following is not None and following.tag == qn("w:bookmarkEnd"):
        following = following.getnext()
    if following is not None and following.tag == qn("w:p") and following.style in {"BodyText", "FirstParagraph"}:
        following.get_or_add_pPr().get_or_add_spacing().before = Pt(8)


def _turn(table: Any) -> None:
    """Put a table with its caption into a section of its own, in landscape."""
    first = table
    while (before := first.getprevious()) is not None and (
        before.tag == qn("w:bookmarkStart")
        or before.find(f"{qn('w:pPr')}/{qn('w:pStyle')}[@{qn('w:val')}='TableCaption']") is not None
    ):
        first = before
    first.addprevious(_end_of_section(landscape=False))
    table.addnext(_end_of_section(landscape=True))


def _end_of_section(*, landscape: bool) -> Any:
    return parse_xml(f"<w:p {nsdecls('w')}><w:pPr>{THIN}{section(landscape=landscape)}</w:pPr></w:p>")
