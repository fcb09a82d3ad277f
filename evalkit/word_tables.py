"""Tables in a Word document: widths that fit the page, no row parted, wide ones in landscape."""

from __future__ import annotations

from math import ceil
from typing import Any

from docx.oxml import parse_xml
from docx.oxml.ns import nsdecls, qn
from docx.shared import Pt

from evalkit.word_styles import LANDSCAPE_WIDTH, WIDTH, section

_LETTER = 0.56  # width of a letter of Times New Roman bold, in ems
_PADDING = 220  # twips, both sides of a cell
_POWERS = (0, 0.25, 0.5, 0.75)
_SIZES = ((10.5, WIDTH, "TableText"), (9, WIDTH, "TableTextSmall"), (10.5, LANDSCAPE_WIDTH, "TableText"))


def lay_out(body: Any) -> None:
    """Fit every table that pandoc wrote to the page, in place.

    body: the `w:body`. A table whose longest words fit at 10.5 points gets that size, else 9 points, else a page of
    its own in landscape. Tables that have fixed widths already stay.

        lay_out(document.element.body)
    """
    for table in list(body.iter(qn("w:tbl"))):
        if table.find(f"{qn('w:tblPr')}/{qn('w:tblW')}").get(qn("w:type")) != "dxa":
            _lay_out(table)
            _space_after(table)


def _lay_out(table: Any) -> None:
    rows = [row.findall(qn("w:tc")) for row in table.findall(qn("w:tr"))]
    texts = [["".join(part.text or "" for part in cell.iter(qn("w:t"))) for cell in row] for row in rows]
    columns = list(zip(*texts, strict=True))
    words = [max((len(word) for cell in column for word in cell.split()), default=1) for column in columns]
    # What stands in the header may break, into three lines or so.
    wholes = [max([len(column[0]) // 3, *map(len, column[1:])]) for column in columns]
    points, width, style = next((size for size in _SIZES if sum(_widths(words, size[0])) <= size[1]), _SIZES[-1])
    least, most = _widths(words, points), _widths(wholes, points)
    squeeze = min(1.0, width / sum(least))  # only words too long even for a landscape page are broken
    least = [one * squeeze for one in least]
    ways = [_shared(least, most, width, power) for power in _POWERS]
    lengths = [_widths([len(cell) for cell in row], points) for row in texts]
    _write_widths(table, rows, min(ways, key=lambda widths: _lines(lengths, widths)), style)
    if width == LANDSCAPE_WIDTH and table.getparent().tag == qn("w:body"):
        _turn(table)


def _widths(letters: list[int], points: float) -> list[float]:
    return [_PADDING + count * points * 20 * _LETTER for count in letters]


def _shared(least: list[float], most: list[float], width: int, power: float) -> list[int]:
    """Widths between least and most: 0 shares alike among those that want more, 1 by how much they want."""
    low, high = 0.0, float(width)
    for _ in range(40):
        level = (low + high) / 2
        wanted = [max(one, min(other, level * other**power)) for one, other in zip(least, most, strict=True)]
        low, high = (level, high) if sum(wanted) <= width else (low, level)
    return [int(max(one, min(other, low * other**power))) for one, other in zip(least, most, strict=True)]


def _lines(lengths: list[list[float]], widths: list[int]) -> int:
    """How many lines the table takes, or nearly."""
    return sum(max(ceil(cell / width) for cell, width in zip(row, widths, strict=True)) for row in lengths)


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
    small = '<w:spacing w:before="0" w:after="0" w:line="20" w:lineRule="exact"/>'
    return parse_xml(f"<w:p {nsdecls('w')}><w:pPr>{small}{section(landscape=landscape)}</w:pPr></w:p>")
