"""The verdict on a report in words: for the terminal, and on a page for the council's file."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from dataclasses import asdict
from html import escape
from importlib.resources import files
from pathlib import Path

from evalkit.document_changes import differing
from evalkit.documents import READER, pandoc
from evalkit.language import Language, listing, number, plain, text
from evalkit.ledger_check import Finding
from evalkit.verification import Verdict

CODES = {  # L ledger, D documents, S numbers, P plan and provenance; in the order in which they are shown
    "ledger_stripped": "L1",
    "ledger_differs": "L2",
    "ledger_inconsistent": "L3",
    "fingerprint_printed": "L4",
    "fingerprint_known": "L5",
    "document_number": "D1",
    "document_claim": "D2",
    "document_missing": "D3",
    "document_picture": "D4",
    "document_label": "D8",
    "document_foreign": "D9",
    "document_style": "D10",
    "document_unmarked": "D11",
    "document_hidden": "D18",
    "document_added": "D5",
    "document_moved": "D6",
    "document_prose": "D7",
    "document_floating": "D12",
    "document_appended": "D13",
    "document_gone": "D14",
    "document_remade": "D15",
    "document_written": "D16",
    "document_unread": "D17",
    "document_apart": "D19",
    "number_differs": "S1",
    "number_gone": "S2",
    "number_new": "S3",
    "claim_differs": "S4",
    "picture_differs": "S5",
    "picture_gone": "S6",
    "picture_new": "S7",
    "effect_differs": "S8",
    "table_differs": "S9",
    "table_gone": "S10",
    "table_new": "S11",
    "number_below_rounding": "S12",
    "depends_on_order": "S13",
    "depends_on_chance": "S14",
    "inputs_changed": "P1",
    "software_changed": "P2",
    "lock_changed": "P3",
    "bundle_differs": "P4",
    "plan_changed": "P5",
    "plan_late": "P6",
    "ledger_empty": "L6",
    "passage_differs": "S15",
    "picture_bytes": "S16",
}
MOST = 15  # findings that are shown; verdict.json has all
_EDITED = ("document_prose", "document_added", "document_written", "document_moved")
_COMPUTED = ("effect_differs", "number_below_rounding", "depends_on_order", "depends_on_chance")
_PYTHON = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SHOWN = 90  # characters of a text in the table
_SPECIFICATION = "https://codecheck.org.uk/spec/config/1.0/"
_DOTS = "…" * 24


def in_words(verdict: Verdict, language: Language) -> str:
    """The verdict for the terminal: outcome, what was looked at, what agrees, findings by their codes.

    print(in_words(ek.verify("reports/nga-bay"), "vi"))
    """
    lines = [text("simulated", language)] if verdict.simulated else []
    lines += [_outcome(verdict, language), *(f"- {line}" for line in _about(verdict, language))]
    shown = _shown(verdict)
    for key, findings in _groups(shown):
        lines.append(text(key, language))
        for one in findings:
            code, place, *change = _cells(one, language)
            lines.append(f"  {code}  {place}" + (f": {' → '.join(change)}" if change != ["–", "–"] else ""))
    return "\n".join([*lines, *_more(verdict, language), *_legend(verdict, language)])


def write_verdict(verdict: Verdict, folder: str | Path, language: Language) -> list[Path]:
    """Write verdict.json, verdict.html, verdict.docx and codecheck.yml; returns the files, in this order.

    The json has every finding, the page the first 15, failing ones first. codecheck.yml is a CODECHECK
    configuration file (version 1.0) in which the reviewer fills in name, report and time. A verdict on simulated
    data says so in its file names. The same verdict gives the same bytes.

        write_verdict(ek.verify("reports/nga-bay"), "reports/nga-bay", "vi")
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"verdict-{text('file_simulated', language)}" if verdict.simulated else "verdict"
    contents = {
        f"{name}.json": _json(verdict),
        f"{name}.html": _html(verdict, language),
        f"{name}.docx": _docx(verdict, language),
        "codecheck.yml": _codecheck(verdict, folder, language),
    }
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return [folder / file for file in contents]


def _outcome(verdict: Verdict, language: Language) -> str:
    return text(f"verdict_outcome_{verdict.outcome}", language)


def _about(verdict: Verdict, language: Language) -> list[str]:
    """What the outcome means, what was looked at, what agrees, and the fingerprint; a line each."""
    counts, recomputed = verdict.counts, "numbers_same" in verdict.counts
    failing = {one.reason.partition("_")[0] for one in verdict.findings if one.fails}
    only_documents = recomputed and failing and failing <= {"document", "ledger", "fingerprint"}
    lines = [text("verdict_means_documents" if only_documents else f"verdict_means_{verdict.outcome}", language)]
    if edited := sum(one.reason in _EDITED and not one.fails for one in verdict.findings):
        lines.append(text("verdict_edited", language, count=number(edited, 0, language)))
    lines += (text(key, language) for key in verdict.evidence)
    if not recomputed and "verdict_saw_fingerprint" not in verdict.evidence:
        lines.append(text("verdict_compare_fingerprint", language))
    different = {
        "claims": {one.place for one in verdict.findings if one.reason == "claim_differs" and one.old != "–"},
        "pictures": {one.place for one in verdict.findings if one.reason in ("picture_differs", "picture_gone")},
        "rows": {one.place.rpartition(" [")[0] for one in verdict.findings if one.reason == "effect_differs"},
    }
    agree = []
    for part in ("numbers", "claims", "pictures", "rows"):
        total = counts.get(part, 0)
        same = counts.get("numbers_same", 0) if part == "numbers" else total - len(different[part])
        share = f"{number(same, 0, language)}/" if recomputed else ""
        if total:
            agree.append(text(f"verdict_count_{part}", language, count=share + number(total, 0, language)))
    key = "verdict_agree" if recomputed else "verdict_holds_numbers"
    lines.append(text(key, language, counts=listing(agree, language)))
    if verdict.excerpt_of:
        lines.append(text("verdict_excerpt", language, fingerprint=verdict.excerpt_of))
    about = {"study": verdict.study, "subject": verdict.subject, "fingerprint": verdict.fingerprint}
    return [*lines, text("verdict_subject", language, **about)]


def _shown(verdict: Verdict) -> list[Finding]:
    order = list(CODES)
    return sorted(verdict.findings, key=lambda one: (not one.fails, order.index(one.reason)))[:MOST]


def _groups(shown: list[Finding]) -> list[tuple[str, list[Finding]]]:
    both = {
        "verdict_failing": [one for one in shown if one.fails],
        "verdict_listed": [one for one in shown if not one.fails],
    }
    return [(key, findings) for key, findings in both.items() if findings]


def _more(verdict: Verdict, language: Language) -> list[str]:
    left = len(verdict.findings) - MOST
    return [text("verdict_more", language, count=number(left, 0, language))] if left > 0 else []


def _legend(verdict: Verdict, language: Language) -> list[str]:
    """What the codes mean, and how many findings each has."""
    counts = Counter(one.reason for one in verdict.findings)
    return [
        f"{code} ({number(counts[reason], 0, language)}): {text(f'verdict_reason_{reason}', language)}"
        for reason, code in CODES.items()
        if reason in counts
    ]


def _cells(one: Finding, language: Language) -> list[str]:
    """Code, place, what stood there and what does now, as the page shows them; verdict.json has all of it."""
    place, old, new = one.place, *differing(one.old, one.new)
    if one.reason in _COMPUTED:
        old, new = _figure(old, language), _figure(new, language)
    if one.reason in ("depends_on_order", "depends_on_chance"):
        place += ": " + text("verdict_moved", language, count=old, size=new)
        old = new = ""
    return [CODES[one.reason], _short(place), _short(old) or "–", _short(new) or "–"]


def _figure(words: str, language: Language) -> str:
    """A number as Python writes it, as the language does: 5.6e-07 is 5,6·10⁻⁷ in Vietnamese."""
    if not _PYTHON.fullmatch(words):
        return words.replace("nan", "–")
    digits, _, power = words.partition("e")
    shown = number(float(digits), len(digits.partition(".")[2]), language)
    return f"{shown}·10{str(int(power)).translate(_RAISED)}" if power else shown


def _short(words: str) -> str:
    return words if len(words) <= _SHOWN else words[:_SHOWN].rstrip() + " …"


def _json(verdict: Verdict) -> bytes:
    findings = [{"code": CODES[one.reason]} | asdict(one) for one in verdict.findings]
    content = asdict(verdict) | {"holds": verdict.holds, "findings": findings}
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _markdown(verdict: Verdict, language: Language) -> str:
    """The page as Markdown; what comes from the report is escaped."""

    def said(key: str) -> str:
        return plain(text(key, language))

    blocks = [
        f"# {said('verdict_title')}",
        _styled("Cover Strong", plain(_outcome(verdict, language))),
        "\n".join(f"- {plain(line)}" for line in _about(verdict, language)),
    ]
    for key, findings in _groups(_shown(verdict)):
        heads = ("verdict_code", "verdict_place", "verdict_old", "verdict_new")
        rows = ["| " + " | ".join(map(said, heads)) + " |", "|---|----------|------|------|"]
        for one in findings:
            rows.append("| " + " | ".join(map(plain, _cells(one, language))) + " |")
        blocks += [f"## {said(key)}", "\n".join(rows)]
    blocks += [_styled("Recipients", plain(line)) for line in _more(verdict, language)]
    if legend := _legend(verdict, language):
        blocks.append(_styled("Recipients", plain("; ".join(legend))))
    lines = ("verdict_opinion", "verdict_name", "verdict_day", "verdict_sign")
    blocks += [f"## {said('verdict_review')}", *(_styled("Form", f"{said(key)} {_DOTS}") for key in lines)]
    return "\n\n".join(blocks) + "\n"


def _styled(style: str, line: str) -> str:
    """A paragraph with the name of a style of Word's, which is a class of the page."""
    return f'::: {{custom-style="{style}" .{style.casefold().replace(" ", "-")}}}\n{line}\n:::'


def _html(verdict: Verdict, language: Language) -> bytes:
    options = (f"--from={READER}", "--to=html5", "--columns=40", "--wrap=none")
    body = pandoc(_markdown(verdict, language).encode("utf-8"), *options).decode("utf-8")
    styles = (files("evalkit") / "templates" / "report.css").read_text(encoding="utf-8")
    banner = f'<div class="banner">{text("simulated", language)}</div>\n' if verdict.simulated else ""
    title = f"{text('verdict_title', language)}: {verdict.subject}"
    return (
        f'<!DOCTYPE html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>\n{styles}h1, .cover-strong {{ text-align: center; }}\n"
        ".cover-strong { font-size: 1.6rem; font-weight: bold; }\n</style>\n</head>\n"
        f"<body>\n{banner}<article>\n{body}</article>\n</body>\n</html>\n"
    ).encode()


def _docx(verdict: Verdict, language: Language) -> bytes:
    import docx
    from docx.oxml import parse_xml
    from docx.shared import Pt

    from evalkit import word_styles, word_tables
    from evalkit.archives import DAY, without_times

    options = (f"--from={READER}", "--to=docx", "--columns=40", "--output=-")
    book = docx.Document(io.BytesIO(pandoc(_markdown(verdict, language).encode("utf-8"), *options)))
    word_styles.dress(book, language, template="short")
    body = book.element.body
    body.replace(body.sectPr, parse_xml(word_styles.section()))
    word_tables.lay_out(body)
    for name in ("Heading 1", "Heading 2"):
        book.styles[name].element.pPr.remove(book.styles[name].element.pPr.numPr)
    book.styles["Compact"].paragraph_format.line_spacing = 1.0
    for paragraph in book.paragraphs:
        if paragraph.style.name == "Cover Strong":
            for run in paragraph.runs:
                run.font.size = Pt(18)
    if verdict.simulated:
        header = book.sections[0].header
        header.is_linked_to_previous = False
        header.paragraphs[0].style = "Notice"
        header.paragraphs[0].add_run(text("simulated", language))
    properties = book.core_properties
    properties.title, properties.identifier = text("verdict_title", language), verdict.fingerprint
    properties.author = properties.last_modified_by = "evalkit"
    properties.created = properties.modified = DAY
    saved = io.BytesIO()
    book.save(saved)
    return without_times(saved)


def _codecheck(verdict: Verdict, folder: Path, language: Language) -> bytes:
    """YAML whose texts are quoted as JSON quotes them, which YAML understands."""
    patterns = ("report*.html", "report*.docx", "report*.pdf", "ledger.json", "*.csv")
    outputs = [path.name for pattern in patterns for path in sorted(folder.glob(pattern))] or [verdict.subject]

    def quoted(words: str) -> str:
        return json.dumps(words, ensure_ascii=False)

    summary = [_outcome(verdict, language), *_about(verdict, language)]
    lines = [
        "%YAML 1.1",
        "---",
        f"version: {_SPECIFICATION}",
        "paper:",
        f"  title: {quoted(verdict.study)}",
        "manifest:",
        *(f"  - file: {quoted(name)}" for name in outputs),
        f"summary: {quoted(' '.join(summary))}",
        f"# {text('verdict_fill_in', language)}",
        "codechecker:",
        f"  - name: {quoted('…')}",
        f"report: {quoted('…')}",
        f"# check_time: {quoted('…')}",
        f"# repository: {quoted('…')}",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8")
