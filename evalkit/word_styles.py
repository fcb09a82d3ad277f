"""How a Word document looks: type, paragraphs, page, numbered headings, as Nghị định 30/2020 and form BM17 ask."""

from __future__ import annotations

from typing import Any

from evalkit.language import Language, text

FONT = "Times New Roman"
WIDTH, LANDSCAPE_WIDTH = 9072, 13948  # twips between the margins: 160 and 246 mm
_PORTRAIT = 'w:w="11906" w:h="16838"'
_LANDSCAPE = 'w:w="16838" w:h="11906" w:orient="landscape"'
_LOCALE = {"vi": "vi-VN", "en": "en-GB"}
_CENTRE, _LEFT, _JUSTIFIED, _RIGHT = "center", "left", "both", "right"
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'

# name: based on, points, look (b bold, i italic, C capitals), alignment, points before, after, more properties
_STYLES = {
    "Normal": ("", 13, "", "", 0, 0, ""),
    "Body Text": ("Normal", 13, "", _JUSTIFIED, 0, 6, '<w:ind w:firstLine="567"/>'),
    "First Paragraph": ("Body Text", 13, "", "", 0, 6, ""),
    "Compact": ("Body Text", 13, "", "", 0, 3, '<w:ind w:firstLine="0"/>'),
    "Block Text": ("Body Text", 13, "i", "", 0, 6, '<w:ind w:left="567" w:firstLine="0"/>'),
    "heading 1": ("Normal", 14, "bC", _CENTRE, 12, 12, "<w:outlineLvl w:val='0'/>"),
    "heading 2": ("Normal", 13, "b", _LEFT, 12, 6, "<w:outlineLvl w:val='1'/>"),
    "heading 3": ("Normal", 13, "bi", _LEFT, 9, 6, "<w:outlineLvl w:val='2'/>"),
    "heading 4": ("Normal", 13, "i", _LEFT, 6, 6, "<w:outlineLvl w:val='3'/>"),
    "caption": ("Normal", 12, "b", _CENTRE, 9, 6, ""),
    "Table Caption": ("caption", 12, "b", _CENTRE, 9, 6, ""),
    "Image Caption": ("caption", 12, "b", _CENTRE, 3, 12, ""),
    "Captioned Figure": ("Normal", 13, "", _CENTRE, 6, 0, ""),
    "Table Text": ("Normal", 10.5, "", "", 1, 1, ""),
    "Table Text Small": ("Normal", 9, "", "", 1, 1, ""),
    "TOC Heading": ("Normal", 14, "b", _CENTRE, 0, 12, ""),
    "toc 1": ("Normal", 13, "", _LEFT, 3, 3, "entry"),
    "toc 2": ("Normal", 13, "", _LEFT, 0, 2, "entry284"),
    "toc 3": ("Normal", 13, "i", _LEFT, 0, 2, "entry567"),
    "table of figures": ("Normal", 13, "", _LEFT, 0, 3, "entry"),
    "Form": (
        "Normal",
        13,
        "",
        _LEFT,
        2,
        2,
        f'<w:tabs><w:tab w:val="right" w:leader="dot" w:pos="{WIDTH}"/></w:tabs>',
    ),
    "Form Heading": ("Normal", 13, "b", _LEFT, 9, 4, ""),
    "Cover": ("Normal", 14, "", _CENTRE, 0, 6, ""),
    "Cover Strong": ("Normal", 14, "b", _CENTRE, 0, 6, ""),
    "Cover Kind": ("Normal", 16, "b", _CENTRE, 120, 18, ""),
    "Cover Title": ("Normal", 20, "b", _CENTRE, 0, 60, ""),
    "Cover Place": ("Normal", 14, "b", _CENTRE, 260, 6, ""),
    "Cover Place Sub": ("Normal", 14, "b", _CENTRE, 60, 6, ""),
    "Letter Head": ("Normal", 13, "", _CENTRE, 0, 0, ""),
    "Recipients": ("Normal", 11, "", _LEFT, 0, 0, ""),
    "header": ("Normal", 13, "", _CENTRE, 0, 0, ""),
    "Notice": ("Normal", 12, "b", _CENTRE, 0, 0, ""),
}
_SPACED = {
    "Body Text",
    "First Paragraph",
    "Compact",
    "Block Text",
    "heading 1",
    "heading 2",
    "heading 3",
    "heading 4",
}
_KEPT = {"Table Caption", "Captioned Figure", "heading 1", "heading 2", "heading 3", "heading 4", "TOC Heading"}
_KEPT |= {"Form Heading"}
_GRID = "".join(
    f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="000000"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV")
)
_TABLE = f"""<w:style {_W} w:type="table" w:customStyle="1" w:styleId="Table"><w:name w:val="Table"/><w:qFormat/>
<w:tblPr><w:tblBorders>{_GRID}</w:tblBorders><w:tblCellMar><w:left w:w="70" w:type="dxa"/>
<w:right w:w="70" w:type="dxa"/></w:tblCellMar></w:tblPr>
<w:tblStylePr w:type="firstRow"><w:rPr><w:b/><w:bCs/></w:rPr>
<w:tcPr><w:shd w:val="clear" w:color="auto" w:fill="EDEDED"/>
<w:vAlign w:val="center"/></w:tcPr></w:tblStylePr></w:style>"""

# How the levels of headings are numbered; %1 stands for the number of the first level.
_LEVELS = {
    "volume": (("decimal", "{chapter} %1."), ("decimal", "%1.%2."), ("decimal", "%1.%2.%3."), ("none", "")),
    "short": (("decimal", "%1."), ("decimal", "%1.%2."), ("decimal", "%1.%2.%3."), ("none", "")),
    "letter": (("upperRoman", "%1."), ("decimal", "%2."), ("lowerLetter", "%3)"), ("none", "")),
    "appendix": (("upperLetter", "{appendix} %1."), ("decimal", "%1.%2."), ("decimal", "%1.%2.%3."), ("none", "")),
    "letter appendix": (("upperRoman", "{appendix} %1."), ("decimal", "%2."), ("lowerLetter", "%3)"), ("none", "")),
}
THIN = '<w:spacing w:before="0" w:after="0" w:line="20" w:lineRule="exact"/>'  # of a paragraph that nobody shall see
CHAPTERS, APPENDICES = 2001, 2002  # ids of the two lists that number headings; pandoc's own begin with 1000


def section(*, landscape: bool = False) -> str:
    """A section's properties in Word's XML: A4, margins 30 mm left, 20 mm right, 25 mm top, 20 mm bottom."""
    size = _LANDSCAPE if landscape else _PORTRAIT
    return (
        f'<w:sectPr {_W}><w:type w:val="nextPage"/><w:pgSz {size}/><w:pgMar w:top="1418" w:right="1134" '
        'w:bottom="1134" w:left="1701" w:header="567" w:footer="567" w:gutter="0"/></w:sectPr>'
    )


def dress(docx: Any, language: Language, *, template: str) -> None:
    """Give a python-docx document that pandoc wrote the styles, language and heading numbers of a template.

    dress(docx.Document("pandoc.docx"), "vi", template="volume")
    """
    from docx.oxml import parse_xml

    styles = docx.styles.element
    named = {style.find("w:name", styles.nsmap).get(_q("val")): style for style in styles.findall(_q("style"))}
    for name, style in named.items():
        if style.get(_q("type")) in {"paragraph", "character"} and name not in _STYLES:
            for tag in ("color", "rFonts"):
                for found in style.findall(f"{_q('rPr')}/{_q(tag)}"):
                    found.getparent().remove(found)
    for name in [*_STYLES, "Table"]:
        old = named.get(name, named.get(name.capitalize()))
        new = parse_xml(_TABLE if name == "Table" else _style(name, template))
        if old is None:
            styles.append(new)
        else:
            new.set(_q("styleId"), old.get(_q("styleId")))
            if old.get(_q("default")):
                new.set(_q("default"), "1")
            styles.replace(old, new)
    code = named["Verbatim Char"]
    code.get_or_add_rPr().insert(0, parse_xml(f"<w:rFonts {_W} {_fonts('Courier New')}/>"))
    defaults = styles.find(f"{_q('docDefaults')}/{_q('rPrDefault')}/{_q('rPr')}")
    defaults.getparent().replace(
        defaults,
        parse_xml(
            f'<w:rPr {_W}><w:rFonts {_fonts(FONT)}/><w:sz w:val="26"/><w:szCs w:val="26"/>'
            f'<w:lang w:val="{_LOCALE[language]}" w:eastAsia="{_LOCALE[language]}" w:bidi="ar-SA"/></w:rPr>'
        ),
    )
    docx.settings.element.find(_q("themeFontLang")).set(_q("val"), _LOCALE[language])
    docx.settings.element.find(_q("decimalSymbol")).set(_q("val"), "," if language == "vi" else ".")
    docx.settings.element.find(_q("listSeparator")).set(_q("val"), ";" if language == "vi" else ",")
    _number_headings(docx, language, template)


def _q(name: str) -> str:
    from docx.oxml.ns import qn

    return str(qn(f"w:{name}"))


def _fonts(name: str) -> str:
    return " ".join(f'w:{script}="{name}"' for script in ("ascii", "hAnsi", "cs", "eastAsia"))


def _style(name: str, template: str) -> str:
    based, size, look, align, before, after, more = _STYLES[name]
    if more.startswith("entry"):
        indent = more.removeprefix("entry") or "0"
        more = f'<w:tabs><w:tab w:val="right" w:leader="dot" w:pos="{WIDTH}"/></w:tabs>'
        ends = f'<w:ind w:left="{indent}" w:right="567"/>'
    else:
        ends = ""
    line = 312 if name in _SPACED and template != "letter" else 264 if name in _SPACED else 240
    tabs, rest = (more, ends) if "<w:tabs>" in more else ("", more)
    outline, rest = (rest, "") if "outlineLvl" in rest else ("", rest)
    paragraph = "".join(
        [
            "<w:keepNext/>" if name in _KEPT else "",
            "<w:keepLines/>" if "eading" in name or "aption" in name else "",
            "<w:pageBreakBefore/>" if name == "TOC Heading" or (name == "heading 1" and template == "volume") else "",
            tabs,
            f'<w:spacing w:before="{before * 20}" w:after="{after * 20}" w:line="{line}" w:lineRule="auto"/>',
            rest,
            f'<w:jc w:val="{align}"/>' if align else "",
            outline,
        ]
    )
    marks = {"b": "<w:b/><w:bCs/>", "i": "<w:i/><w:iCs/>", "C": "<w:caps/>"}
    half = round(size * 2)
    run = "".join(marks[mark] for mark in look) + f'<w:sz w:val="{half}"/><w:szCs w:val="{half}"/>'
    above = f'<w:basedOn w:val="{_identifier(based)}"/>' if based else ""
    return (
        f'<w:style {_W} w:type="paragraph" w:styleId="{_identifier(name)}">'
        f'<w:name w:val="{name}"/>{above}<w:qFormat/>'
        f"<w:pPr>{paragraph}</w:pPr><w:rPr>{run}</w:rPr></w:style>"
    )


def _identifier(name: str) -> str:
    """pandoc's identifiers of styles, and ours: Heading1, TOCHeading, toc1."""
    if name.startswith("heading") or name == "caption":
        name = name.capitalize()
    return name.replace(" ", "")


def _number_headings(docx: Any, language: Language, template: str) -> None:
    from docx.oxml import parse_xml

    words = {"chapter": text("word_chapter", language), "appendix": text("word_appendix", language)}
    appendix = "letter appendix" if template == "letter" else "appendix"
    numbering = docx.part.numbering_part.element
    for identifier, levels in ((CHAPTERS, _LEVELS[template]), (APPENDICES, _LEVELS[appendix])):
        parts = [
            f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
            + (f'<w:pStyle w:val="Heading{level + 1}"/>' if identifier == CHAPTERS else "")
            + f'<w:suff w:val="{"space" if shown else "nothing"}"/><w:lvlText w:val="{shown.format(**words)}"/>'
            '<w:lvlJc w:val="left"/><w:pPr><w:ind w:left="0" w:firstLine="0"/></w:pPr></w:lvl>'
            for level, (kind, shown) in enumerate(levels)
        ]
        numbering.insert(
            0,
            parse_xml(
                f'<w:abstractNum {_W} w:abstractNumId="{identifier}"><w:multiLevelType w:val="multilevel"/>'
                f"{''.join(parts)}</w:abstractNum>"
            ),
        )
        numbering.append(
            parse_xml(f'<w:num {_W} w:numId="{identifier}"><w:abstractNumId w:val="{identifier}"/></w:num>')
        )
    for level in range(3):
        style = docx.styles[f"Heading {level + 1}"].element
        style.get_or_add_pPr().get_or_add_numPr().append(parse_xml(f'<w:ilvl {_W} w:val="{level}"/>'))
        style.pPr.numPr.append(parse_xml(f'<w:numId {_W} w:val="{CHAPTERS}"/>'))
