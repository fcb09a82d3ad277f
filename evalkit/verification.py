"""The verdict on a report: is the document what the run wrote, and does the run come out the same again?"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from evalkit.appearance import appearances
from evalkit.delivered import Kind, read_blocks
from evalkit.document_check import compare as document_differences
from evalkit.errors import DataError, Problem
from evalkit.freezing import PlanState, plan_state
from evalkit.language import Language
from evalkit.ledger import fingerprint, shown_again
from evalkit.ledger_check import (
    Finding,
    differing_claims,
    differing_drawings,
    differing_numbers,
    differing_passages,
    differing_pictures,
    differing_provenance,
    inconsistencies,
)
from evalkit.ledger_form import is_ledger
from evalkit.pieces import Piece
from evalkit.provenance import provenance
from evalkit.recomputation import differing_results, differing_tables, disturbed
from evalkit.report import FORMATS, compose
from evalkit.report import documents as remake
from evalkit.study import Study, open_study

Outcome = Literal["reproduced", "below_rounding", "partly", "not", "unaltered", "altered", "unmatched"]
_PRINTED = re.compile(r"\b[0-9A-F]{4}(?:-\s?[0-9A-F]{4}){3}\b")  # a line may end after a hyphen
_CODE = re.compile("[0-9A-Fa-f]{16}")
# What this installation writes, and what else looks like a document: the latter is not read.
_VERDICTS = re.compile(r"verdict(?:-[A-Z-]+)?\.(?:docx|html)")
_OTHERS = (".docx", ".docm", ".doc", ".odt", ".rtf", ".pdf", ".html", ".htm")
_PARTS = {"excerpt_of", "response_to"}  # of ledgers of documents that are not the report itself


@dataclass
class Verdict:
    """What verification found about one report.

    outcome: with the data, `reproduced`, `below_rounding` (every number is shown alike, some differ unrounded),
    `partly` or `not` (fewer than half of the numbers come out); a document by itself is `unaltered` or `altered`;
    `unmatched` where nothing fails but the fingerprint that the reviewer gave. excerpt_of: of a document that is part
    of a report, the fingerprint of that report's ledger.
    evidence: what was looked at, as message keys. counts: how many numbers, claims and pictures the ledger has; with
    the data also how many numbers agree (`numbers_same`) and how many rows of tables were compared (`rows`).
    """

    subject: str
    study: str
    language: Language
    simulated: bool = False
    fingerprint: str = ""
    outcome: Outcome = "unaltered"
    evidence: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    excerpt_of: str = ""

    @property
    def holds(self) -> bool:
        """Whether everything that was looked at is as it should be."""
        return self.outcome in ("reproduced", "below_rounding", "unaltered")


def report_language(report: str | Path) -> str:
    """The language a report folder was written in, empty where it does not say."""
    try:
        return json.loads((Path(report) / "run.json").read_text(encoding="utf-8"))["language"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def verify(
    report: str | Path,
    *,
    data: str | Path | None = None,
    recompute: bool = True,
    known_fingerprint: str = "",
    progress: Callable[..., None] | None = None,
) -> Verdict:
    """Whether a report is what was computed: a report folder, a bundle, or a single docx, pdf or html file.

    Each document is compared with the ledger; every number of the ledger with its raw value. With the study's data
    (those that the report folder names, or `data`) the report is computed again by the notebooks of this
    installation, never by those of the report, and every number, claim, picture and table of results compared; then
    once more with the rows in another order and with other random draws. known_fingerprint: as on the cover or in
    the council's minutes. Raises DataError where there is no report, where the study is no longer sound, and for a
    fingerprint that is none.

        ek.verify("reports/nga-bay").outcome
    """
    path = Path(report)
    if not path.exists():
        raise DataError([Problem(str(path), "verify_nothing")])
    if known_fingerprint and not _CODE.fullmatch(re.sub(r"[\s-]", "", known_fingerprint)):
        raise DataError([Problem("--fingerprint", "verify_fingerprint", {"found": known_fingerprint})])
    if path.suffix == ".zip":
        from evalkit.bundle import open_bundle

        with open_bundle(path) as folder:
            return _verify(folder, path.name, data, recompute and data is not None, known_fingerprint, progress)
    return _verify(path, path.name, data, recompute, known_fingerprint, progress)


def _verify(
    path: Path,
    subject: str,
    data: str | Path | None,
    recompute: bool,
    known_fingerprint: str,
    progress: Callable[..., None] | None,
) -> Verdict:
    documents = _documents(path)
    origin: dict[str, Any] = {"study": data, "language": "", "allow_outside": True}
    if path.is_dir():
        if not (path / "run.json").is_file() or not (path / "ledger.json").is_file():
            missing = "run.json" if not (path / "run.json").is_file() else "ledger.json"
            raise DataError([Problem(str(path), "report_missing", {"file": missing})])
        stored: bytes | None = (path / "ledger.json").read_bytes()
        origin = _origin(path)
        origin |= {"study": data} if data else {}
    else:
        stored = next((one.ledger for one in documents if one.ledger), None)
    if stored is None:
        raise DataError([Problem(subject, "ledger_missing")])
    ledger = _ledger(stored, subject)
    verdict = Verdict(subject, ledger["study"], ledger["language"], ledger["simulated"], fingerprint(stored))
    verdict.excerpt_of = str(ledger.get("excerpt_of", ""))
    verdict.counts = {part: len(ledger[part]) for part in ("numbers", "claims", "pictures")}
    verdict.evidence.append("verdict_saw_documents" if documents else "verdict_saw_ledger")
    verdict.evidence += ["verdict_saw_pdf"] if any(one.kind == "pdf" for one in documents) else []
    verdict.findings += [*_document_findings(documents, stored, ledger), *_unread(path)]
    verdict.findings += _fingerprint_findings(verdict, known_fingerprint)
    if (path / "ro-crate-metadata.json").is_file():
        from evalkit.bundle import bundle_differences

        verdict.findings += [Finding("bundle_differs", problem.file) for problem in bundle_differences(path)]
    if recompute and origin["study"]:
        _recompute(verdict, ledger, documents, _study(origin), path if path.is_dir() else None, progress)
    else:
        verdict.evidence.append("verdict_not_recomputed")
        if path.is_dir():
            _declared_plan(verdict, origin)
        verdict.outcome = "altered" if any(one.fails for one in verdict.findings) else "unaltered"
    if {one.reason for one in verdict.findings if one.fails} == {"fingerprint_known"}:
        verdict.outcome = "unmatched"
    return verdict


def _declared_plan(verdict: Verdict, origin: dict[str, Any]) -> None:
    """What became of the plan, where the study is at hand: it needs no run, and the documents do not depend on it."""
    try:
        plan = plan_state(_study(origin))
    except (DataError, OSError):
        return
    verdict.findings += [replace(one, fails=False) for one in _plan_findings(plan)]
    verdict.evidence.append(f"verdict_plan_{plan.state}")


def _study(origin: dict[str, Any]) -> Study:
    return open_study(origin["study"], allow_outside=bool(origin["allow_outside"]), only=str(origin.get("unit", "")))


@dataclass(frozen=True)
class _Delivered:
    """A document as it came: its name, bytes and pieces, and the ledger inside it."""

    name: str
    content: bytes
    pieces: list[Piece]
    ledger: bytes | None

    @property
    def kind(self) -> Kind:
        return self.name.rpartition(".")[2]  # type: ignore[return-value]


def _documents(path: Path) -> list[_Delivered]:
    """The documents of a report folder, or a single one."""
    files = [path] if path.is_file() else [file for file in sorted(path.iterdir()) if _is_document(file)]
    found = []
    for file in files:
        kind = file.suffix.removeprefix(".")
        if kind not in FORMATS:
            raise DataError([Problem(file.name, "verify_kind", {"found": file.suffix or "–"})])
        content = file.read_bytes()
        pieces = read_blocks(content, kind, file=file.name)  # type: ignore[arg-type]
        found.append(_Delivered(file.name, content, pieces, _own_ledger(content, kind)))
    return found


def _is_document(file: Path) -> bool:
    ours = file.is_file() and not _VERDICTS.fullmatch(file.name) and not file.name.startswith("~$")
    return ours and file.suffix.removeprefix(".") in FORMATS


def _unread(path: Path) -> Iterator[Finding]:
    """What in a report folder looks like a document and is none of those that are read."""
    for file in sorted(path.iterdir()) if path.is_dir() else ():
        ours = _is_document(file) or _VERDICTS.fullmatch(file.name) or file.name.startswith("~$")
        if file.suffix.lower() in _OTHERS and not ours:
            yield Finding("document_unread", file.name, fails=False)


def _own_ledger(content: bytes, kind: str) -> bytes | None:
    if kind == "docx":
        from evalkit.word import read_ledger

        return read_ledger(content)
    if kind == "pdf":
        from evalkit.pdf import read_ledger as read_pdf

        return read_pdf(content)
    from evalkit.webpage import read_ledger as read_page

    return read_page(content.decode("utf-8", "replace"))


def _ledger(stored: bytes, name: str) -> dict[str, Any]:
    try:
        ledger = json.loads(stored)
    except (ValueError, RecursionError):
        ledger = None
    if not is_ledger(ledger):
        raise DataError([Problem(name, "ledger_unreadable")])
    return ledger


def _origin(path: Path) -> dict[str, Any]:
    """What run.json of a report folder says of the study."""
    try:
        own = json.loads((path / "run.json").read_text(encoding="utf-8"))
        return own | {"study": path / own["study"]}
    except (ValueError, TypeError, KeyError):
        raise DataError([Problem(str(path / "run.json"), "run_unreadable")]) from None


def _document_findings(documents: list[_Delivered], stored: bytes, ledger: dict[str, Any]) -> Iterator[Finding]:
    """Each document against its ledger, that of the report and the printed fingerprint; the ledger against itself."""
    for document in documents:
        name, own = document.name, document.ledger or stored
        inside = ledger if own == stored else _ledger(own, name)
        held = inside if inside.keys() & _PARTS and not name.startswith("report") else ledger
        for one in document_differences(document.pieces, held):
            place = f"{name}: {one.place(ledger['language'])}".removesuffix(": ")
            yield Finding(f"document_{one.kind}", place, one.old, one.new, one.fails)
        for shown in appearances(document.content, document.kind, held):
            yield replace(shown, place=f"{name}: {shown.place}".removesuffix(": "))
        if document.ledger is None:
            yield Finding("ledger_stripped", name)
        elif own != stored and (held is ledger or not _is_part(held, ledger, stored)):
            yield Finding("ledger_differs", name, fingerprint(stored), fingerprint(own))
        elif own != stored:
            yield from _ledger_findings(held)
            if "response_to" in held:
                yield Finding("document_apart", name, fails=False)
        printed = {re.sub(r"\s", "", found) for piece in document.pieces for found in _PRINTED.findall(piece.text)}
        if not printed or printed - {fingerprint(own), *(held.get(part) for part in _PARTS)}:
            yield Finding("fingerprint_printed", name, fingerprint(own), ", ".join(sorted(printed)) or "–")
    yield from _ledger_findings(ledger)


def _ledger_findings(ledger: dict[str, Any]) -> Iterator[Finding]:
    """A ledger against itself, and what it shows against its raw values and rules."""
    yield from inconsistencies(ledger)
    for entry in ledger["numbers"]:
        try:
            again = shown_again(entry, ledger["language"])
        except (KeyError, TypeError, ValueError):
            again = "–"
        if again != entry["shown"]:
            yield Finding("ledger_inconsistent", entry["id"], entry["shown"], again)


def _is_part(excerpt: dict[str, Any], ledger: dict[str, Any], stored: bytes) -> bool:
    """Whether the ledger of a shorter document holds nothing but entries and passages of the report's."""
    if "excerpt_of" not in excerpt:
        return excerpt["response_to"] == fingerprint(stored)
    whole = {entry["id"]: entry for entry in (*ledger["numbers"], *ledger["claims"])}
    same = ("shown", "value", "rule", "text", "direction")
    said = {block["text"] for block in ledger["blocks"]}
    return (
        excerpt["excerpt_of"] == fingerprint(stored)
        and all(
            all(entry.get(key) == whole.get(entry["id"], {}).get(key) for key in same)
            for entry in (*excerpt["numbers"], *excerpt["claims"])
        )
        and not any(
            re.search(r"\d", _PRINTED.sub("", block["text"]).replace(ledger.get("title", ""), ""))
            for block in excerpt["blocks"]
            if block["text"] not in said
        )
    )


def _fingerprint_findings(verdict: Verdict, known: str) -> Iterator[Finding]:
    if not known:
        return
    given = re.sub(r"[\s-]", "", known.upper())
    of_report = given == verdict.excerpt_of.replace("-", "")  # which anybody may write into a ledger
    verdict.evidence.append("verdict_saw_excerpt" if of_report else "verdict_saw_fingerprint")
    if given != verdict.fingerprint.replace("-", ""):
        yield Finding("fingerprint_known", verdict.subject, known, verdict.fingerprint)


def _recompute(
    verdict: Verdict,
    ledger: dict[str, Any],
    documents: list[_Delivered],
    study: Study,
    report: Path | None,
    progress: Callable[..., None] | None,
) -> None:
    """Run again from raw, in new processes and an empty folder, and compare all there is."""
    verdict.evidence.append("verdict_recomputed")
    verdict.findings = [one for one in verdict.findings if one.reason != "document_apart"]
    with tempfile.TemporaryDirectory(prefix="evalkit-") as work:
        composed = compose(study, Path(work), verdict.language, progress)
        remade = [
            _Delivered(name, content, [], _own_ledger(content, name.rpartition(".")[2]))
            for name, content in remake(study, composed).items()
        ]
        again = _same_part(ledger, [composed.ledger, *(one.ledger for one in remade if one.ledger)])
        plan = plan_state(study)
        verdict.findings += [*differing_provenance(ledger, provenance(study)), *_plan_findings(plan)]
        verdict.evidence.append(f"verdict_plan_{plan.state}")
        same, below = 0, 0
        for one in differing_numbers(ledger, again):
            if one is None:
                same += 1
            else:
                below += one.reason == "number_below_rounding"
                verdict.findings.append(one)
        verdict.findings += differing_claims(ledger, again)
        verdict.findings += differing_drawings(ledger, again)
        verdict.findings += differing_passages(ledger, again)
        verdict.findings += _remade_findings(documents, remade, ledger, whole=report is not None)
        verdict.findings += differing_pictures(ledger, again, report)
        rows = 0
        if report is not None:
            rows, found = differing_results(report, Path(work))
            verdict.findings += [*found, *differing_tables(report, Path(work))]
    verdict.findings += disturbed(study)
    verdict.evidence.append("verdict_disturbed")
    total = len(ledger["numbers"])
    verdict.counts |= {"numbers_same": same + below, "rows": rows}
    failing = any(one.fails for one in verdict.findings)
    if failing:
        verdict.outcome = "partly" if 2 * (same + below) >= total else "not"
    else:
        verdict.outcome = "below_rounding" if below else "reproduced"


def _same_part(ledger: dict[str, Any], remade: list[bytes]) -> dict[str, Any]:
    """The ledger made again that an excerpt, or the report, is to be compared with: the one that says the same."""
    said = {block["text"] for block in ledger["blocks"]}
    if not ledger.keys() & _PARTS:
        return json.loads(remade[0])
    ledgers = [json.loads(one) for one in remade]
    return max(ledgers, key=lambda one: sum(2 * (b["text"] in said) - 1 for b in one["blocks"]) / len(one["blocks"]))


def _remade_findings(
    documents: list[_Delivered], remade: list[_Delivered], ledger: dict[str, Any], *, whole: bool
) -> Iterator[Finding]:
    """Each document against the one made again: excerpts by their passages and numbers, a PDF by its bytes."""
    new = {one.name: one for one in remade}
    for name in sorted(new.keys() - {one.name for one in documents}) if whole else ():
        yield Finding("document_gone", name, fails=False)
    ledgers = [one.ledger for one in remade if one.ledger]
    for document in documents:
        inside = _ledger(document.ledger, document.name) if document.ledger else ledger
        again = new.get(document.name)
        if again and document.kind == "pdf" and document.ledger == again.ledger:
            if not document.content.startswith(again.content):
                same = inside["software"] == json.loads(again.ledger or b"{}")["software"]
                yield Finding("document_remade", document.name, fails=same)
        elif inside.keys() & _PARTS and inside != ledger:
            now = _same_part(inside, ledgers)
            changed = [*differing_passages(inside, now), *filter(None, differing_numbers(inside, now))]
            yield from (replace(one, place=f"{document.name}: {one.place}") for one in changed)


def _plan_findings(found: PlanState) -> Iterator[Finding]:
    """Whether the analysis plan is still the one that was frozen before the second wave."""
    if found.state == "changed":
        yield Finding("plan_changed", "plan.lock", str(found.on), ", ".join(found.changed))
    elif found.state == "same" and found.late:
        yield Finding("plan_late", "plan.lock", str(found.on), fails=False)
