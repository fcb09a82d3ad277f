"""Notebooks → documents: run them on a study, and write what they show as a whole report or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalkit.assembly import Assembly
from evalkit.bundle import write_bundle
from evalkit.checking import check
from evalkit.documents import Document
from evalkit.effects import read_effects
from evalkit.errors import DataError, Problem, raise_any
from evalkit.excerpts import letter, sheet, summary
from evalkit.execution import execute, relative_path
from evalkit.language import Language, plain, text
from evalkit.licence import compares, licence
from evalkit.paper import SHOWN, Paper
from evalkit.parts import parts_of
from evalkit.response import ledger_changes, response_table, submitted_ledger
from evalkit.study import Study
from evalkit.team_numbers import bind
from evalkit.team_text import TeamText, read_team_text

__all__ = ["CHAPTERS", "Paper", "report_file", "run"]
TEAM = "the team's text"
CHAPTERS = {  # notebooks and the team's sections in their order; the part of the study that a notebook is about
    "report": None,
    "introduction": TEAM,
    "background": TEAM,
    "setting": TEAM,
    "model": TEAM,
    "01_cleaning": None,
    "02_indicators": None,
    "03_before_after": None,
    "05_planning": None,
    "06_indices": "context",
    "07_cases": "cases",
    "08_training": "training",
    "09_council": "council",
    "10_workshop": "workshop",
    "11_registers": "registers",
    "discussion": TEAM,
    "solutions": TEAM,
    "12_results": None,
    "conclusions": TEAM,
    "04_robustness": None,
    "13_annexes": None,
}
OF_ONE_UNIT = ("report", "01_cleaning", "02_indicators", "03_before_after", "12_results", "13_annexes")
UNNUMBERED = ("report", "introduction", "conclusions")
APPENDICES = ("04_robustness", "13_annexes")
REFUSED = "bundle-refused.txt"
FORMATS = ("html", "docx", "pdf")


def report_file(simulated: bool, language: Language, name: str) -> str:
    """The name of a document's file; one made of simulated data says so."""
    stem, _, kind = name.rpartition(".")
    return f"{stem}-{text('file_simulated', language)}.{kind}" if simulated else name


def run(
    folder: str | Path,
    reports: str | Path = "reports",
    *,
    language: Language | None = None,
    allow_outside: bool = False,
    only: str = "",
    progress: Callable[..., None] | None = None,
) -> Path:
    """Run the notebooks on a study folder and write `<reports>/<study>/`; returns that folder.

    only: a unit to report on alone, into `<reports>/<unit>/`.

    It holds the report as web page, Word document and PDF, its ledger.json, the tables of results (effects.csv …),
    log.csv, mapping.csv, figures/, tables/ and the executed notebooks/. The folder is replaced as a whole when
    everything has worked, else the last report stays. Raises DataError for what is wrong with the study, or where a
    file of the last report is held open.

        ek.run("data/nga-bay")
    """
    study, _ = check(folder, allow_outside=allow_outside)  # what is wrong is said before any notebook runs
    study = replace(study, only=only)
    raise_any(notice for notice in study.notices if notice.key == "period_missing")
    language = language or study.language
    target = Path(reports) / (only or Path(folder).resolve().name)
    with _replaced(target) as new:
        document = compose(study, new, language, progress)
        origin = {
            "study": relative_path(study.folder, target),
            "language": language,
            "allow_outside": allow_outside,
            "unit": only,
        }
        (new / "run.json").write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8", newline="\n")
        for name, data in documents(study, document).items():
            (new / name).write_bytes(data)
        try:
            write_bundle(study, new)
        except DataError as refused:  # the report stays in the house; what must not leave it is named
            (new / REFUSED).write_text(refused.message(language) + "\n", encoding="utf-8", newline="\n")
    return target


def compose(study: Study, output: Path, language: Language, progress: Callable[..., None] | None = None) -> Document:
    """Run a study's notebooks in the folder `output`, and make of what they show one document with its ledger."""
    wanted = [name for name, part in CHAPTERS.items() if part is None or part in parts_of(study)]
    wanted = [name for name in wanted if name in OF_ONE_UNIT] if study.only else wanted
    document = _document(study, output, execute(study, wanted, output, language, progress), language)
    (output / "ledger.json").write_bytes(document.ledger)
    return document


def documents(study: Study, document: Document) -> dict[str, bytes]:
    """All documents of a report by their files' names: the report, its excerpts, the response to the council."""
    made = written(document) | written_excerpts(document) | _written_response(study, document)
    return {report_file(document.simulated, document.language, name): data for name, data in made.items()}


def written(document: Document) -> dict[str, bytes]:
    """A document in all formats, by the names of their files."""
    from evalkit.pdf import pdf
    from evalkit.webpage import html
    from evalkit.word import docx

    return {
        "report.html": html(document).encode("utf-8"),
        "report.docx": docx(document),
        "report.pdf": pdf(document),
    }


def written_excerpts(document: Document) -> dict[str, bytes]:
    """The shorter documents by their names: short report and letter in Word, the one-page sheet also as PDF."""
    from evalkit.pdf import pdf
    from evalkit.word import docx

    page = sheet(document)
    return {
        "summary.docx": docx(summary(document), template="short"),
        "one-page.docx": docx(page, template="sheet"),
        "one-page.pdf": pdf(page, sheet=True),
        "letter.docx": docx(letter(document), template="letter"),
    }


def _written_response(study: Study, document: Document) -> dict[str, bytes]:
    """After the vote: what was done with each conclusion of the council, and which numbers differ from before."""
    from evalkit.word import docx

    replies = response_table(study, document.language)
    if replies.empty:
        return {}
    made, title = Assembly(study, document.language), text("team_section_response", document.language)
    made.section(title, "", [], "response", "unnumbered")
    made.table(replies, text("table_response", document.language), "response")
    if submitted := submitted_ledger(study):
        changes = ledger_changes(submitted, json.loads(document.ledger), document.language)
        caption = text("table_ledger_changes" if len(changes) else "no_ledger_changes", document.language)
        if len(changes):
            made.table(changes, caption, "ledger_changes")
        else:
            made.blocks.append(caption)
    return {"response.docx": docx(made.document(title, response_to=document.fingerprint), template="short")}


@contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    """A new folder that takes the target's place when the block has ended well, and is gone when it has not."""
    target.parent.mkdir(parents=True, exist_ok=True)
    _refuse_held_open(target)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    new, old = work / "new", work / "old"
    new.mkdir()
    try:
        yield new
        _refuse_held_open(target)
        try:
            if target.exists():
                target.rename(old)
            new.rename(target)
        except OSError:
            if old.exists() and not target.exists():
                old.rename(target)
            held = next((path.name for path in sorted(target.glob("report*.*"))), target.name)
            raise DataError([Problem(str(target), "report_open", {"file": held})]) from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _refuse_held_open(target: Path) -> None:
    """Raise DataError where another program holds a file of the last report, as Word with its `~$` lock beside it."""
    files = sorted(path for path in target.glob("*.*") if path.is_file())
    for path in files:
        held = None
        if path.name.startswith("~$"):
            held = next((file.name for file in files if file.name.endswith(path.name[2:]) and file != path), None)
        else:
            try:
                path.open("r+b").close()
            except PermissionError:
                held = path.name
        if held:
            raise DataError([Problem(str(target), "report_open", {"file": held})])


def _document(study: Study, output: Path, notebooks: dict[str, Any], language: Language) -> Document:
    """What the executed notebooks show and the team wrote as one document, with its ledger."""
    made, tags = Assembly(study, language, output), {language, *_traits(study)}
    written = TeamText({}, ()) if study.only else read_team_text(study, language)  # which is about the whole
    team = bind(written, read_effects(output / "effects.csv"), study, language)
    for name in CHAPTERS:
        kind = "unnumbered" if name in UNNUMBERED else "appendix" if name in APPENDICES else ""
        if name in notebooks:
            for part in _parts(notebooks[name], tags):
                made.part(part, name, kind)
        elif name in team.sections:
            title = team.titles[name] or text(f"team_section_{name}", language)
            source, origins = team.sections[name]
            made.section(title, f"*{text('team_wrote', language)}*\n\n{source}", origins, name, kind)
        if name == "conclusions" and study.declared.report and study.declared.report.references:
            cited = [f"[{at}] {plain(one)}" for at, one in enumerate(study.declared.report.references, 1)]
            made.section(text("word_references", language), "\n\n".join(cited), [], "references", "unnumbered")
    if len(team.numerals):
        made.section(text("team_unchecked_title", language), "", [], "unchecked", "appendix")
        made.table(team.unchecked(language), text("table_team_unchecked", language), "team_unchecked")
    return made.document(text(f"report_kind_{study.declared.study.row}", language))


def _traits(study: Study) -> set[str]:
    """What a study has that some text of the notebooks speaks of; such text is tagged with it."""
    traits: set[str] = {study.declared.study.row, *parts_of(study)}
    if any(node.target is not None for node in study.index.values()):
        traits.add("targets")
    if compares(study):
        traits.add("comparison")
    if len(study.declared.waves) > 2:
        traits.add("series")
    traits.add("described" if licence(study) == "describe" else "changes")
    if study.design.followed:
        traits.add("panel")
    if any(unit.population for unit in study.declared.units):
        traits.add("population")
    if study.declared.report and study.declared.report.products:
        traits.add("products")
    if study.declared.costs and any(arm != "pilot" for arm in study.design.arms.values()):
        traits.add("costs")
    return traits


def _parts(notebook: Any, tags: set[str]) -> Iterator[dict[str, Any]]:
    """What a notebook shows, in order: its text as far as all its tags are wanted, and its cells' outputs."""
    for at, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and set(cell.metadata["tags"]) <= tags:
            yield {"kind": "text", "body": cell.source, "cell": at}
        for displayed in cell.get("outputs", []):
            if SHOWN in displayed.get("metadata", {}):
                body = displayed["data"].get("text/markdown", "")
                yield displayed["metadata"][SHOWN] | {"body": body, "cell": at}
