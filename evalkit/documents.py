"""A report ready to be written: pandoc's syntax tree, its pictures, its ledger, and what stands on its cover."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from evalkit.language import Language

# Raw HTML and TeX stay off: a label from a study file is data, never markup.
READER = "markdown-raw_html-raw_tex-raw_attribute-tex_math_dollars-citations-yaml_metadata_block-smart"


@dataclass(frozen=True)
class Picture:
    """A figure: `svg` for pages and print, `png` (300 dpi) for Word; `alt` says in words what it shows."""

    svg: bytes
    png: bytes
    alt: str


@dataclass(frozen=True)
class Document:
    """What a report says, before it has a format.

    tree: pandoc's JSON. In it, a number is a Span of class `number` whose identifier is its id in the ledger; a
    statement about an effect a Span of class `claim`; a table and a figure carry their name as identifier
    (`table-did`, `figure-levels`); a figure's image has the name of its picture as target, `figures/<name>.svg`.
    Headings of class `unnumbered` have no number, those of class `appendix` are lettered.
    form: what `[report]` of study.toml declares for the cover and the statistical report on the project.
    of_report: the fingerprint of the report that a shorter document or a response goes with; empty for the report.
    """

    language: Language
    title: str
    kind: str
    organisation: str
    simulated: bool
    tree: dict[str, Any]
    pictures: dict[str, Picture]
    ledger: bytes
    fingerprint: str
    day: date | None = None
    form: dict[str, Any] = field(default_factory=dict)
    of_report: str = ""


def pandoc(source: bytes, *options: str) -> bytes:
    """Run pandoc in its sandbox, where it opens no file and no address; its words as RuntimeError."""
    import pypandoc

    command = [pypandoc.get_pandoc_path(), "--sandbox", *options]
    result = subprocess.run(command, input=source, capture_output=True, check=False)
    if result.returncode or result.stderr:
        raise RuntimeError(f"pandoc: {result.stderr.decode('utf-8', 'replace')}")
    return result.stdout


def read_markdown(source: str) -> dict[str, Any]:
    """Markdown as pandoc's syntax tree; raw HTML, XML and TeX in it stay text."""
    return json.loads(pandoc(source.encode("utf-8"), f"--from={READER}", "--to=json"))
