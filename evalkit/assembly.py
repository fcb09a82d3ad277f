"""A document in the making: what notebooks, the team's text and tables say, put together with its ledger."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from evalkit.documents import Document, Picture, read_markdown
from evalkit.errors import Problem, raise_any
from evalkit.language import Language, label, plain
from evalkit.ledger import Entries, fingerprint, ledger_bytes, make_ledger
from evalkit.provenance import provenance
from evalkit.study import Study
from evalkit.tables import markdown
from evalkit.team_text import form_of
from evalkit.tracing import resolve, spanned, told_origins
from evalkit.trees import Element, walk
from evalkit.word_front import lines


class Assembly:
    """Markdown blocks in the order of the document, and the numbers, claims and figures that stand in them."""

    def __init__(self, study: Study, language: Language, output: Path | None = None) -> None:
        self.study, self.language, self.output = study, language, output
        self.entries, self.blocks, self.strays = Entries(), list[str](), list[Problem]()
        self.tables: list[str] = []
        self.pictures: dict[str, Picture] = {}
        self.figures: list[dict[str, Any]] = []

    def part(self, part: dict[str, Any], notebook: str, kind: str = "") -> None:
        """What a notebook shows; kind: of its chapter, `unnumbered`, `appendix` or numbered."""
        self.strays += [
            Problem(f"{notebook}.ipynb", "numeral_stray", {"cell": part["cell"] + 1, "found": stray})
            for stray in part.get("strays", ())
        ]
        shown = part["caption"] if part["kind"] == "figure" else part["body"]
        source = self.entries.enter(shown, part.get("origins", []), notebook, part["cell"])
        if part["kind"] == "text":
            source = _headed(source, notebook, kind)
            if "origins" in part:  # what a computation says, beside what is said of every study
                source = f"::: computed\n{source}\n:::"
        elif part["kind"] == "table":
            caption, _, rows = source.partition("\n\n")
            self.tables.append(part["name"])
            source = _table(rows, caption.removeprefix("**").removesuffix("**"), part["name"])
        else:
            source = self._figure(part, source)
        self.blocks.append(source)

    def _figure(self, part: dict[str, Any], caption: str) -> str:
        assert self.output is not None
        stem = f"figures/{part['name']}"
        svg, png = ((self.output / f"{stem}.{kind}").read_bytes() for kind in ("svg", "png"))
        self.pictures[part["name"]] = Picture(svg, png, part["alt"])
        self.figures.append({key: part[key] for key in ("name", "svg_sha256", "png_sha256", "alt", "drawn")})
        return f"![{caption}]({stem}.svg){{#figure-{part['name']}}}"

    def section(self, title: str, source: str, origins: list[dict[str, Any]], name: str, kind: str = "") -> None:
        """A section of Markdown whose numbers are spans, with their origins."""
        self.blocks.append(_headed(f"# {plain(title)}", name, kind))
        if source:
            self.blocks.append(self.entries.enter(source, origins, name, 0))

    def table(self, frame: pd.DataFrame, caption: str, name: str) -> None:
        """A table whose numbers were traced in this process."""
        self.tables.append(name)
        words, spans = resolve(_table(markdown(frame), plain(caption), name), escaped=plain)
        self.blocks.append(self.entries.enter(spanned(words, spans), told_origins(spans), name, 0))

    def document(self, kind: str, **about: Any) -> Document:
        """The whole; raises DataError for numerals that nobody answers for.

        kind: what the document is, in words. about: what its ledger says of it beside study and software.
        """
        raise_any(self.strays)
        declared, language = self.study.declared.study, self.language
        tree = _numbered(_computed(read_markdown("\n\n".join(self.blocks))))
        about |= {"study": self.study.folder.name, "language": language}
        form, only = form_of(self.study, language), self.study.only
        title = label(declared.title, language) + (f" – {self.study.unit_label(only, language)}" if only else "")
        about |= {"title": title, "simulated": declared.simulated} | provenance(self.study)
        made = Document(
            language=language,
            title=title,
            kind=kind,
            organisation=label(declared.organisation, language),
            simulated=declared.simulated,
            tree=tree,
            pictures=self.pictures,
            ledger=b"",
            fingerprint="",
            day=form.get("date"),
            form=form,
            of_report=about.get("response_to", ""),
        )
        ledger = ledger_bytes(
            make_ledger(tree, self.entries, self.figures, **about, tables=self.tables, front=lines(made))
        )
        return replace(made, ledger=ledger, fingerprint=fingerprint(ledger))


def _computed(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree, in which each computed paragraph is one span of class `computed` instead of a block in a division."""

    def marked(element: Element) -> Element:
        if element["t"] not in ("Para", "Plain"):
            return element
        return element | {"c": [{"t": "Span", "c": [["", ["computed"], []], element["c"]]}]}

    blocks: list[Element] = []
    for block in tree["blocks"]:
        said = block["t"] == "Div" and "computed" in block["c"][0][1]
        blocks += walk(block["c"][1], marked) if said else [block]
    return tree | {"blocks": blocks}


def _numbered(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree, in which headings below one without a number have none either."""
    unnumbered = False
    for block in tree["blocks"]:
        if block["t"] == "Header":
            level, (_, classes, _), _ = block["c"]
            unnumbered = "unnumbered" in classes if level == 1 else unnumbered
            if unnumbered and "unnumbered" not in classes:
                classes.append("unnumbered")
    return tree


def _table(rows: str, caption: str, name: str) -> str:
    return f"{rows}\n: {caption} {{#table-{name}}}"


def _headed(source: str, chapter: str, kind: str) -> str:
    """A chapter's heading with the name of its source, and what it is: numbered, unnumbered, an appendix."""
    classes = f".{kind} " if kind else ""
    return re.sub(r"(?m)^# .*$", lambda found: f"{found[0]} {{{classes}chapter={chapter}}}", source)
