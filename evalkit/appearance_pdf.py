"""What in a PDF could show something else than its words, as far as that can be told without drawing its pages."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from evalkit.ledger_check import Finding


def foreign(data: bytes) -> Iterator[Finding]:
    """What acts, hides or lies on the pages of a PDF, and what was appended to it."""
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    names: Any = reader.root_object.get("/Names", {})
    acting = [name for name in ("/OpenAction", "/AA", "/AcroForm") if name in reader.root_object]
    acting += ["/JavaScript"] if "/JavaScript" in names.get_object() else []
    if acting:
        yield Finding("document_foreign", "", "", ", ".join(acting), fails=acting != ["/AcroForm"])
    for at, page in enumerate(reader.pages, start=1):
        contents = page.get_contents()
        if re.search(rb"\b[37] Tr\b", contents.get_data() if contents is not None else b""):
            yield Finding("document_foreign", str(at), "", "Tr")
        if page.cropbox != page.mediabox or page.get("/Rotate") or "/UserUnit" in page or "/AA" in page:
            yield Finding("document_foreign", str(at), "", "CropBox")
        annotations = [note.get_object() for note in page.get("/Annots", ())]
        notes = {
            str(note.get("/Subtype")) for note in annotations if "/AP" in note or note.get("/Subtype") != "/Link"
        }
        if notes:
            yield Finding("document_floating", str(at), "", ", ".join(sorted(notes)), False)
    if data.count(b"startxref") > 1:
        yield Finding("document_appended", "", "", "", False)
