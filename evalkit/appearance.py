"""What a delivered document may show beside its words: what acts, hides or covers, and the mark of simulated data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from evalkit import appearance_page, appearance_pdf, appearance_word
from evalkit.delivered import Kind, read_headers
from evalkit.language import Language, text
from evalkit.ledger_check import Finding
from evalkit.pieces import normal_words


def appearances(data: bytes, kind: Kind, ledger: dict[str, Any]) -> Iterator[Finding]:
    """What makes a document show something else than the words in it.

    A page may hold nothing but what evalkit writes: no script, no frame, no other style, its own policy. The mark of
    simulated data stands in every header. What floats above a Word document's text or is written on a pdf's pages
    may cover something, and is listed: stamps and signatures are there too.

    data: of a document that `read_blocks` could read. kind: docx, html or pdf.

    >>> page = b"<title>A</title><p onclick='f()'>3</p><script>f()</script>"
    >>> ledger = {"language": "en", "simulated": False, "software": {}}
    >>> [one.new for one in appearances(page, "html", ledger) if one.reason == "document_foreign"]
    ['p onclick', 'script', 'meta']
    """
    language: Language = ledger["language"]
    mark = normal_words(text("simulated", language)) if ledger["simulated"] else ""
    headers = read_headers(data, kind)
    bare = [place for place, words in headers if mark not in words]
    if mark and (bare or not headers):
        yield Finding("document_unmarked", ", ".join(bare[:5]), mark, "–")
    if kind == "docx":
        for place, words in headers:
            if said := words.replace(mark, "").strip(" 0123456789"):
                yield Finding("document_written", place, new=said, fails=False)
        yield from appearance_word.foreign(data)
    elif kind == "html":
        yield from appearance_page.foreign(data, language, ledger)
    else:
        yield from appearance_pdf.foreign(data)
