"""pandoc's syntax tree made ready for a page: nothing in it can act, headings and captions are numbered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from evalkit.documents import Document
from evalkit.language import Language, day, text

Element = dict[str, Any]


def walk(node: Any, change: Callable[[Element], Element | list[Element]]) -> Any:
    """A tree with each of its elements put through `change`, inner ones first; a list given back takes its place.

    >>> walk([{"t": "Str", "c": "a"}], lambda e: [e, e])
    [{'t': 'Str', 'c': 'a'}, {'t': 'Str', 'c': 'a'}]
    """
    if isinstance(node, list):
        changed = []
        for item in node:
            new = walk(item, change)
            changed.extend(new if isinstance(item, dict) and isinstance(new, list) else [new])
        return changed
    if isinstance(node, dict):
        inner = node | {"c": walk(node["c"], change)} if "c" in node else node
        return change(inner) if "t" in node else inner
    return node


def elements(node: Any, *kinds: str) -> Iterator[Element]:
    """The elements of these kinds, or of all, in the order of the document."""
    if isinstance(node, list):
        for item in node:
            yield from elements(item, *kinds)
    elif isinstance(node, dict):
        if "t" in node and (not kinds or node["t"] in kinds):
            yield node
        yield from elements(node.get("c"), *kinds)


def words(node: Any) -> str:
    """What an element or a list of elements says, as plain text; footnotes are no part of it.

    >>> words([{"t": "Str", "c": "hai"}, {"t": "Space"}, {"t": "Strong", "c": [{"t": "Str", "c": "lòng"}]}])
    'hai lòng'
    """
    if isinstance(node, list):
        return "".join(words(item) for item in node)
    if not isinstance(node, dict) or node.get("t") == "Note":
        return ""
    if node.get("t") in ("Space", "SoftBreak", "LineBreak"):
        return " "
    if node.get("t") in ("Str", "Code", "Math"):
        return node["c"] if isinstance(node["c"], str) else node["c"][1]
    return words(node.get("c"))


def string(words: str) -> Element:
    """An element that says these words."""
    return {"t": "Str", "c": words}


def table_rows(table: list[Any]) -> list[Any]:
    """The rows of a table, given as its content: head, body, foot."""
    _, _, _, head, bodies, foot = table
    return [*head[1], *(row for body in bodies for row in (*body[2], *body[3])), *foot[1]]


def leaves(blocks: list[Any]) -> Iterator[list[Any]]:
    """The lists of inlines in blocks, each once, in their order: paragraphs, headings, table cells, captions."""
    for block in blocks:
        content = block.get("c")
        match block["t"]:
            case "Para" | "Plain":
                yield content
            case "Header":
                yield content[2]
            case "BlockQuote":
                yield from leaves(content)
            case "LineBlock":
                yield from content
            case "BulletList":
                for item in content:
                    yield from leaves(item)
            case "OrderedList":
                for item in content[1]:
                    yield from leaves(item)
            case "DefinitionList":
                for term, meanings in content:
                    yield term
                    for meaning in meanings:
                        yield from leaves(meaning)
            case "Table":
                yield from leaves(content[1][1])
                for row in table_rows(content):
                    for cell in row[1]:
                        yield from leaves(cell[4])


def prepared(document: Document) -> list[Element]:
    """The blocks of a document as both kinds of page want them.

    Raw pieces become text; attributes go, for writers obey some of them; links lead to the web or to a place in the
    document, else only their words stay; headings leave out no level; columns have the width of what stands in them;
    figures get their text alternative. A link of class `ref` to a table or figure says its name and number.
    Raises ValueError for an image that is not one of the document's pictures.
    """
    level = 0

    def safe(element: Element) -> Element | list[Element]:
        nonlocal level
        kind: str = element["t"]
        content: Any = element.get("c")
        if kind in ("RawBlock", "RawInline"):
            return {"t": "CodeBlock" if kind == "RawBlock" else "Code", "c": [["", [], []], content[1]]}
        if kind == "ColWidth":
            return {"t": "ColWidthDefault"}
        if kind == "Header":
            level = min(content[0], level + 1)
            return {"t": kind, "c": [level, *content[1:]]}
        if kind == "Image":
            content[0][2] = [["alt", _alt(document, content[2][0])]]
        if kind == "Link":
            target = content[2][0]
            name = names.get(target.removeprefix("#"))
            if "ref" in content[0][1] and name:
                content[1] = [{"t": "Str", "c": name}]
            if target.removeprefix("#") not in places and not target.startswith(("https://", "http://", "mailto:")):
                return content[1]
        return element

    blocks = _without_attributes(document.tree["blocks"])
    names = captioned(blocks, document.language)
    places = set(_identifiers(blocks))
    return walk(blocks, safe)


def captioned(blocks: list[Element], language: Language) -> dict[str, str]:
    """Identifier → «Bảng 3», «Hình 1» of each table and figure with a caption; one without identifier gets one."""
    names: dict[str, str] = {}
    counted = {"Table": 0, "Figure": 0}
    for element in elements(blocks, "Table", "Figure"):
        kind, (attributes, caption, *_) = element["t"], element["c"]
        if caption[1]:
            counted[kind] += 1
            attributes[0] = attributes[0] or f"{kind.lower()}-{counted[kind]}"
            names[attributes[0]] = text(f"caption_{kind.lower()}", language, n=counted[kind]).rstrip(".")
    return names


def placed(document: Document) -> str:
    """Place and date of a report as its cover says them, as far as they are declared."""
    written = document.form.get("date") or document.day
    said = [document.form.get("place"), day(written, document.language) if written else None]
    return ", ".join(part for part in said if part)


def _alt(document: Document, target: str) -> str:
    name = target.removeprefix("figures/").removesuffix(".svg")
    if target != f"figures/{name}.svg" or name not in document.pictures:
        raise ValueError(f"{target}: not one of the document's pictures")
    return document.pictures[name].alt


def _is_attributes(node: list[Any]) -> bool:
    """Whether a list is pandoc's identifier, classes and pairs."""
    return len(node) == 3 and isinstance(node[0], str) and isinstance(node[1], list) and isinstance(node[2], list)


def _without_attributes(node: Any) -> Any:
    """Identifiers and classes stay; `typst:…`, `style` and the like go."""
    if isinstance(node, dict):
        return {key: _without_attributes(value) for key, value in node.items()}
    if isinstance(node, list):
        return [node[0], node[1], []] if _is_attributes(node) else [_without_attributes(item) for item in node]
    return node


def _identifiers(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        yield from _identifiers(node.get("c"))
    elif isinstance(node, list) and _is_attributes(node):
        yield node[0]
    elif isinstance(node, list):
        for item in node:
            yield from _identifiers(item)
