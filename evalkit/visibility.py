"""Whether a reader of a Word document sees a run of text: what its properties and all its styles come to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_OFF = ("0", "false", "off", "none")
_DARK = {"black", "darkBlue", "darkCyan", "darkGreen", "darkMagenta", "darkRed", "darkGray", "blue", "red"}
_PALE_THEME = {"background1", "bg1", "light1", "lt1"}
# What Word's own text effects may be without hiding anything.
_LETTERFORMS = {"ligatures", "numForm", "numSpacing", "stylisticSets", "cntxtAlts"}
LEAST_CONTRAST = 0.3  # of luminance, between text and what it stands on
SMALLEST = 10  # half points, of type
LOWEST = 200  # twentieths of a point, of an exact line or row
FARTHEST = 7_000  # twentieths of a point, of an indent: most of a page's width
TIGHTEST, HIGHEST, NARROWEST = -60, 40, 33  # of letters: spacing, position, per cent of their width

Properties = dict[str, Any]


class Styles:
    """The styles of a document, and what a paragraph or run comes to by them."""

    def __init__(self, part: Any) -> None:
        self._styles = {style.get(W + "styleId"): style for style in part.iter(W + "style")}
        self._defaults = _children(part.find(f"{W}docDefaults/{W}rPrDefault/{W}rPr"))
        self._known: dict[tuple[str, str], Properties] = {}

    def name(self, paragraph: Any) -> str:
        """The name of a paragraph's style, in small letters."""
        for style in self._chain(paragraph.find(f"{W}pPr/{W}pStyle")):
            named = style.find(W + "name")
            if named is not None:
                return str(named.get(W + "val", "")).casefold()
        return ""

    def of_paragraph(self, paragraph: Any) -> Properties:
        """Its own properties above those of its styles."""
        return self._styled("pPr", paragraph.find(f"{W}pPr/{W}pStyle")) | _children(paragraph.find(W + "pPr"))

    def of_run(self, run: Any, paragraph: Any) -> Properties:
        """Its own properties above those of its style, of its paragraph's style and of the document."""
        own = run.find(W + "rPr")
        styles = (paragraph.find(f"{W}pPr/{W}pStyle"), own.find(W + "rStyle") if own is not None else None)
        return self._defaults | self._styled("rPr", styles[0]) | self._styled("rPr", styles[1]) | _children(own)

    def _styled(self, kind: str, named: Any) -> Properties:
        """What a style and those that it is based on say, the nearest last."""
        key = (kind, named.get(W + "val", "") if named is not None else "")
        if key not in self._known:
            found: Properties = {}
            for style in reversed(list(self._chain(named))):
                found |= _children(style.find(W + kind))
            self._known[key] = found
        return self._known[key]

    def _chain(self, named: Any) -> Iterator[Any]:
        key, seen = named.get(W + "val") if named is not None else None, set[str]()
        while key is not None and key in self._styles and key not in seen:
            seen.add(key)
            style = self._styles[key]
            yield style
            base = style.find(W + "basedOn")
            key = base.get(W + "val") if base is not None else None


def hides(run: Properties, paragraph: Properties, cell: str) -> bool:
    """Whether a run with these properties is nothing that its reader sees as said; cell: the colour it stands on."""
    if _value(run, "vanish", "0") not in _OFF:
        return True
    letters = (number(_value(run, "spacing"), 0), number(_value(run, "position"), 0), number(_value(run, "w"), 100))
    if number(_value(run, "sz"), 99) <= SMALLEST or letters[0] <= TIGHTEST or letters[2] < NARROWEST:
        return True
    effects = {name for name, one in run.items() if "office/word/2010" in one.tag} - _LETTERFORMS
    return abs(letters[1]) > HIGHEST or bool(effects) or _same_colour(run, paragraph, cell)


def unseen(properties: Any) -> bool:
    """Whether an element of run properties hides text by itself."""
    return hides(_children(properties), {}, "auto")


def struck(run: Properties) -> bool:
    """Whether a run with these properties is struck out."""
    return any(_value(run, name, "0") not in _OFF for name in ("strike", "dstrike"))


def folded(paragraph: Properties) -> bool:
    """Whether a paragraph's lines are too low to be read, or stand off the page."""
    line, indent = paragraph.get("spacing"), paragraph.get("ind")
    if line is not None and line.get(W + "lineRule") == "exact" and number(line.get(W + "line"), 240) < LOWEST:
        return True
    sides = [number(side, 0) for side in indent.attrib.values()] if indent is not None else [0]
    return max(map(abs, sides)) > FARTHEST


def number(value: str | None, default: float) -> float:
    """A measure, `default` where it is none: 26, 13pt, 80%."""
    digits = (value or "").rstrip("%ptcmindx ")
    try:
        return float(digits)
    except ValueError:
        return default


def fill(shading: Any) -> str:
    """The colour that a shading lays under its text, `auto` for that of the paper."""
    if shading is None:
        return "auto"
    return str(shading.get(W + ("color" if shading.get(W + "val") == "solid" else "fill"), "auto"))


def _same_colour(run: Properties, paragraph: Properties, cell: str) -> bool:
    marked = _value(run, "highlight", "none")
    papers = [fill(run.get("shd")), fill(paragraph.get("shd")), cell]
    paper = next((one for one in papers if one != "auto"), "FFFFFF")
    colour = run.get("color")
    value = colour.get(W + "val", "auto") if colour is not None else "auto"
    if colour is not None and colour.get(W + "themeColor") in _PALE_THEME:
        value = "FFFFFF"
    if marked != "none":
        paper = "000000" if marked in _DARK else "FFFFFF"
    elif value == "auto":  # Word writes white on dark by itself
        return False
    return abs(_luminance("000000" if value == "auto" else value) - _luminance(paper)) < LEAST_CONTRAST


def _luminance(colour: str) -> float:
    try:
        red, green, blue = bytes.fromhex(colour)
    except ValueError:
        return 0.0 if colour != "white" else 1.0
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _children(properties: Any) -> Properties:
    if properties is None:
        return {}
    return {one.tag.rpartition("}")[2]: one for one in properties if isinstance(one.tag, str)}


def _value(properties: Mapping[str, Any], name: str, default: str = "") -> str:
    """The value of a property, `1` for one that only stands there, `default` where it does not."""
    one = properties.get(name)
    return default if one is None else str(one.get(W + "val", "1"))
