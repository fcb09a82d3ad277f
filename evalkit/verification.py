"""The verdict on a report: is the document what the run wrote, and does the run come out the same again?"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.chance import other_draws
from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.delivered import Piece, read_blocks
from evalkit.document_check import compare as document_differences
from evalkit.effects import COLUMNS, differences, read_effects
from evalkit.errors import DataError, Problem
from evalkit.freezing import PlanState, plan_state
from evalkit.grid import Raw
from evalkit.indicators import score
from evalkit.language import LANGUAGES, Language
from evalkit.ledger import fingerprint, shown_again
from evalkit.ledger_check import differing_passages, differing_pictures, differing_tables, inconsistencies
from evalkit.parts import read_parts
from evalkit.provenance import provenance
from evalkit.reading import read
from evalkit.reliability_effects import reliability_effects
from evalkit.report import FORMATS, compose
from evalkit.robustness import specifications
from evalkit.study import Study, open_study

Outcome = Literal["reproduced", "below_rounding", "partly", "not", "unaltered", "altered", "unmatched"]
_PRINTED = re.compile(r"\b[0-9A-F]{4}(?:-\s?[0-9A-F]{4}){3}\b")  # a line may end after a hyphen
_CODE = re.compile("[0-9A-Fa-f]{16}")
_ENTRIES = {  # what the parts of a ledger hold; a ledger that somebody hands in may be anything
    "numbers": {"id", "shown", "value", "rule", "notebook", "cell", "block"},
    "claims": {"id", "text", "direction", "indicator", "group", "estimand", "notebook", "cell", "block"},
    "blocks": {"id", "kind", "text", "numbers", "claims", "under"},
    "pictures": {"name", "drawn", "block"},
}
TOLERANCE = 1e-9  # relative; a number that differs by more but is shown alike differs below its rounding


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was: a coded reason, where, what stood there, what stands or comes out now."""

    reason: str
    place: str
    old: str = ""
    new: str = ""
    fails: bool = True


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
    except (OSError, ValueError, KeyError):
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
        own = json.loads((path / "run.json").read_text(encoding="utf-8"))
        origin = own | {"study": data or path / own["study"]}
    else:
        stored = next((inside for _, _, inside in documents if inside), None)
    if stored is None:
        raise DataError([Problem(subject, "ledger_missing")])
    ledger = _ledger(stored, subject)
    verdict = Verdict(subject, ledger["study"], ledger["language"], ledger["simulated"], fingerprint(stored))
    verdict.excerpt_of = str(ledger.get("excerpt_of", ""))
    verdict.counts = {part: len(ledger[part]) for part in ("numbers", "claims", "pictures")}
    verdict.evidence.append("verdict_saw_documents" if documents else "verdict_saw_ledger")
    verdict.findings += _document_findings(documents, stored, ledger)
    verdict.findings += _fingerprint_findings(verdict, known_fingerprint)
    if (path / "ro-crate-metadata.json").is_file():
        from evalkit.bundle import bundle_differences

        verdict.findings += [Finding("bundle_differs", problem.file) for problem in bundle_differences(path)]
    if recompute and origin["study"]:
        _recompute(verdict, ledger, _study(origin), path if path.is_dir() else None, progress)
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


def _documents(path: Path) -> list[tuple[str, list[Piece], bytes | None]]:
    """Name, pieces and own ledger of the documents of a report folder, or of a single one."""
    files = [path] if path.is_file() else sorted(file for kind in FORMATS for file in path.glob(f"*.{kind}"))
    files = [file for file in files if not file.name.startswith(("verdict", "~$"))]
    found = []
    for file in files:
        kind = file.suffix.removeprefix(".")
        if kind not in FORMATS:
            raise DataError([Problem(file.name, "verify_kind", {"found": file.suffix or "–"})])
        content = file.read_bytes()
        pieces = read_blocks(content, kind, file=file.name)  # type: ignore[arg-type]
        found.append((file.name, pieces, _own_ledger(content, file.suffix)))
    return found


def _own_ledger(content: bytes, suffix: str) -> bytes | None:
    if suffix == ".docx":
        from evalkit.word import read_ledger

        return read_ledger(content)
    if suffix == ".pdf":
        from evalkit.pdf import read_ledger as read_pdf

        return read_pdf(content)
    from evalkit.webpage import read_ledger as read_page

    return read_page(content.decode("utf-8", "replace"))


def _ledger(stored: bytes, name: str) -> dict[str, Any]:
    try:
        ledger = json.loads(stored)
        sound = ledger["language"] in LANGUAGES and {"study", "simulated"} <= ledger.keys()
        sound &= all(keys <= entry.keys() for part, keys in _ENTRIES.items() for entry in ledger[part])
        sound &= all(isinstance(entry["value"], int | float) for entry in ledger["numbers"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise DataError([Problem(name, "ledger_unreadable")])
    return ledger


def _document_findings(
    documents: list[tuple[str, list[Piece], bytes | None]], stored: bytes, ledger: dict[str, Any]
) -> Iterator[Finding]:
    """Each document against the ledger, its own ledger and the printed fingerprint; the ledger against itself."""
    for name, pieces, own in documents:
        excerpt = _ledger(own, name) if own not in (None, stored) else {}
        excerpt = excerpt if "excerpt_of" in excerpt else {}
        for one in document_differences(pieces, excerpt or ledger):
            place = f"{name}: {one.place(ledger['language'])}".removesuffix(": ")
            yield Finding(f"document_{one.kind}", place, one.old, one.new, one.fails)
        if own is None:
            yield Finding("ledger_stripped", name)
        elif own != stored and not (excerpt and _is_part(excerpt, ledger, stored)):
            yield Finding("ledger_differs", name, fingerprint(stored), fingerprint(own))
        printed = {re.sub(r"\s", "", found) for piece in pieces for found in _PRINTED.findall(piece.text)}
        allowed = {fingerprint(own or stored), (excerpt or ledger).get("excerpt_of")}
        if not printed or printed - allowed:
            yield Finding("fingerprint_printed", name, fingerprint(own or stored), ", ".join(sorted(printed)) or "–")
    yield from (Finding(*one) for one in inconsistencies(ledger))
    for entry in ledger["numbers"]:
        try:
            again = shown_again(entry, ledger["language"])
        except (KeyError, TypeError, ValueError):
            again = "–"
        if again != entry["shown"]:
            yield Finding("ledger_inconsistent", entry["id"], entry["shown"], again)


def _is_part(excerpt: dict[str, Any], ledger: dict[str, Any], stored: bytes) -> bool:
    """Whether the ledger of a shorter document holds nothing but entries and passages of the report's."""
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
    if given == verdict.excerpt_of.replace("-", ""):  # which anybody may write into a ledger
        verdict.evidence.append("verdict_saw_excerpt")
        return
    verdict.evidence.append("verdict_saw_fingerprint")
    if given != verdict.fingerprint.replace("-", ""):
        yield Finding("fingerprint_known", verdict.subject, known, verdict.fingerprint)


def _recompute(
    verdict: Verdict,
    ledger: dict[str, Any],
    study: Study,
    report: Path | None,
    progress: Callable[..., None] | None,
) -> None:
    """Run again from raw, in new processes and an empty folder, and compare all there is."""
    verdict.evidence.append("verdict_recomputed")
    with tempfile.TemporaryDirectory(prefix="evalkit-") as work:
        again = json.loads(compose(study, Path(work), verdict.language, progress).ledger)
        plan = plan_state(study)
        verdict.findings += [*_provenance_findings(ledger, provenance(study)), *_plan_findings(plan)]
        verdict.evidence.append(f"verdict_plan_{plan.state}")
        same, below = 0, 0
        for one in _number_findings(ledger, again):
            if one is None:
                same += 1
            else:
                below += one.reason == "number_below_rounding"
                verdict.findings.append(one)
        verdict.findings += _claim_findings(ledger, again)
        verdict.findings += _picture_findings(ledger, again)
        verdict.findings += [Finding(*one) for one in differing_passages(ledger, again)]
        verdict.findings += [Finding(*one) for one in differing_pictures(ledger, again, report)]
        rows = 0
        if report is not None:
            rows, found = _table_findings(report, Path(work))
            verdict.findings += [*found, *(Finding(*one) for one in differing_tables(report, Path(work)))]
    verdict.findings += _disturbed(study)
    verdict.evidence.append("verdict_disturbed")
    total = len(ledger["numbers"])
    verdict.counts |= {"numbers_same": same + below, "rows": rows}
    failing = any(one.fails for one in verdict.findings)
    if failing:
        verdict.outcome = "partly" if 2 * (same + below) >= total else "not"
    else:
        verdict.outcome = "below_rounding" if below else "reproduced"


def _provenance_findings(ledger: dict[str, Any], now: dict[str, Any]) -> Iterator[Finding]:
    """Files of the study and versions of software that are others now; whether that matters, the numbers decide."""
    for part in ("inputs", "software"):
        before, after = ledger.get(part, {}), now[part]
        for name in sorted(before.keys() | after.keys()):
            if before.get(name) != after.get(name):
                old, new = (str(side.get(name, "–"))[:12] for side in (before, after))
                yield Finding(f"{part}_changed", name, old, new, fails=False)
    if ledger.get("lock") != now["lock"]:
        yield Finding(
            "lock_changed", "requirements.lock", str(ledger.get("lock"))[:12], now["lock"][:12], fails=False
        )


def _plan_findings(found: PlanState) -> Iterator[Finding]:
    """Whether the analysis plan is still the one that was frozen before the second wave."""
    if found.state == "changed":
        yield Finding("plan_changed", "plan.lock", str(found.on), ", ".join(found.changed))
    elif found.state == "same" and found.late:
        yield Finding("plan_late", "plan.lock", str(found.on), fails=False)


def _paired(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Entries of two ledgers that one notebook cell made, in their order; None where one has no such entry."""
    sides: dict[tuple[str, int], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for at, entries in enumerate((before, after)):
        for entry in entries:
            sides[entry["notebook"], entry["cell"]][at].append(entry)
    for first, second in sides.values():
        for at in range(max(len(first), len(second))):
            yield first[at] if at < len(first) else None, second[at] if at < len(second) else None


def _number_findings(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding | None]:
    """None for a number that comes out the same."""
    blocks = {block["id"]: block for one in (ledger, again) for block in one["blocks"]}
    for old, new in _paired(ledger["numbers"], again["numbers"]):
        present = old or new
        place = _place(blocks.get(present["block"]), present)
        if old is None or new is None:
            yield Finding("number_gone" if new is None else "number_new", place, *_shown(old, new))
        elif old["shown"] != new["shown"]:
            yield Finding("number_differs", place, old["shown"], new["shown"])
        elif not np.isclose(old["value"], new["value"], rtol=TOLERANCE, atol=1e-12):
            yield Finding("number_below_rounding", place, repr(old["value"]), repr(new["value"]), fails=False)
        else:
            yield None


def _shown(old: Any, new: Any) -> tuple[str, str]:
    return old["shown"] if old else "–", new["shown"] if new else "–"


def _place(block: dict[str, Any] | None, entry: dict[str, Any]) -> str:
    named = entry.get("effect", "") or (block["text"][:80] if block else "")
    return " / ".join(part for part in ((block or {}).get("under", ""), named) if part)


def _claim_findings(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding]:
    for old, new in _paired(ledger["claims"], again["claims"]):
        before, after = (one["direction"] if one else "–" for one in (old, new))
        if before != after:
            one = old or new
            yield Finding(
                "claim_differs", " / ".join((one["indicator"], one["group"], one["estimand"])), before, after
            )


def _picture_findings(ledger: dict[str, Any], again: dict[str, Any]) -> Iterator[Finding]:
    """Figures by the numbers they draw, for pixels depend on fonts and versions."""
    before, after = ({one["name"]: one for one in side["pictures"]} for side in (ledger, again))
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield Finding("picture_gone" if name in before else "picture_new", name)
            continue
        old, new = before[name]["drawn"], after[name]["drawn"]
        if len(old) != len(new) or not np.allclose(old, new, rtol=1e-6, atol=1e-6):
            yield Finding("picture_differs", name)


def _table_findings(before: Path, after: Path) -> tuple[int, list[Finding]]:
    """Every table of effects that the report saved; how many rows were compared."""
    rows, found = 0, []
    for file in sorted({path.name for folder in (before, after) for path in folder.glob("*.csv")}):
        if not (before / file).is_file() or not (after / file).is_file():
            found.append(Finding("table_gone" if (before / file).is_file() else "table_new", file))
            continue
        if list(pd.read_csv(after / file, nrows=0).columns) != list(COLUMNS):
            if (before / file).read_bytes() != (after / file).read_bytes():
                found.append(Finding("table_differs", file))
            continue
        try:
            saved = read_effects(before / file)
        except ValueError:
            raise DataError([Problem(file, "effects_unreadable")]) from None
        rows += len(saved)
        for row in differences(saved, read_effects(after / file)).to_dict("records"):
            place = f"{file}: " + " / ".join(str(row[key]) for key in ("indicator", "group", "estimand", "method"))
            found.append(
                Finding("effect_differs", f"{place} [{row['column']}]", str(row["first"]), str(row["second"]))
            )
    return rows, found


def _disturbed(study: Study) -> Iterator[Finding]:
    """What depends on the order of the rows, or on which random draws were made: neither may be much."""
    raw = read(study)
    plain = _tables(raw, study)
    frames = {name: frame.sample(frac=1, random_state=1) for name, frame in raw.frames.items()}
    yield from _moved("depends_on_order", plain, _tables(Raw(frames, raw.notices), study))
    with other_draws():
        yield from _moved("depends_on_chance", plain, _tables(raw, study))


def _moved(reason: str, plain: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> Iterator[Finding]:
    for name, table in plain.items():
        found = differences(table, other[name], tolerance=TOLERANCE)
        if len(found):
            both = found[["first", "second"]].apply(pd.to_numeric, errors="coerce")
            most = (both["first"] - both["second"]).abs().max()
            yield Finding(reason, name, str(len(found)), f"{most:.3g}", fails=False)


def _tables(raw: Raw, study: Study) -> dict[str, pd.DataFrame]:
    """All tables of effects of a study, by the file in which a report keeps them."""
    survey = clean(raw, study)
    scores = score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = compare(scores, study.design, study.plan, study.index)
    return {"effects.csv": effects, "specifications.csv": specifications(survey, study)} | _others(survey, study)


def _others(survey: Survey, study: Study) -> dict[str, pd.DataFrame]:
    """The tables of effects beside the survey's own."""
    level, parts = study.plan.confidence_level, read_parts(study)
    found = {
        "reliability.csv": reliability_effects(
            survey.responses, study.design, study.index, study.codebook, level=level
        )
    }
    if "cases" in parts and parts["cases"].declared.launch:
        from evalkit.case_series import launch_effects

        found["case_effects.csv"] = launch_effects(parts["cases"], study)
    if "training" in parts:
        from evalkit.training import training_effects

        found["training_effects.csv"] = training_effects(parts["training"], level=level)
    if "workshop" in parts:
        from evalkit.workshops import agreement

        if len(rows := agreement(parts["workshop"], confidence=level)):
            found["workshop_agreement.csv"] = rows
    if "registers" in parts:
        from evalkit.registers import register_effects

        found["register_effects.csv"] = register_effects(parts["registers"], study)
    return found
