"""Lesson 6: on the council. The student's own report with five errors planted in it, her vote, and the rating."""

from __future__ import annotations

import io
import runpy
import tempfile
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from evalkit.case_series import DEFINITIONS, on_time, series
from evalkit.cases import Cases, Definition, read_cases
from evalkit.claims import claims, design_sentences
from evalkit.council_rules import RULES, needed, read_rule
from evalkit.declaration import Labels
from evalkit.documents import Document, Picture, pandoc, read_markdown
from evalkit.effects import select
from evalkit.exercises import Exercise, Mistake, Work
from evalkit.figures import levels, unit_changes
from evalkit.language import label, number, plain, text
from evalkit.ledger import Entries, fingerprint, ledger_bytes, make_ledger
from evalkit.paper import spanned, told_origins
from evalkit.proceedings import Ballot, Council, Product, Seat, Session, decide
from evalkit.sample import BETWEEN
from evalkit.tables import effects as effects_table
from evalkit.tables import markdown
from evalkit.tracing import resolve, tracing
from evalkit.word import docx

ASKED, UNCHANGED = "hai_long", "cham_lo"  # overall satisfaction; the group on which the simulated model has no effect
GROUPS = ("cchc", "dan_chu", "van_hoa", "tiep_dan", "cntt", "cham_lo")
FIGURES = ("1", "2", "3")
RECORDS = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
LAW = "tt-11-2014"
_SEATS = ("chair", "vice_chair", "reviewer", "reviewer", "secretary", "member", "member", "member", "member")


@dataclass(frozen=True)
class Planted:
    """What is wrong in the student's report, drawn by her code.

    dropped: the group left out. changed: the group whose number was changed, and `by` how many points. swapped: the
    figures in each other's place. blamed: the group of which too much is said, as the sentence `overclaim` of
    `order`, the sentences in the order in which they stand. definition: by which the on-time rate is printed.
    """

    dropped: str
    changed: str
    by: float
    swapped: tuple[str, str]
    blamed: str
    order: tuple[str, ...]
    definition: Definition

    def place(self, sentence: str) -> str:
        """The number of a sentence of the conclusion."""
        return f"k{self.order.index(sentence) + 1}"


def report(work: Work) -> Path:
    """Write the student's report as it was handed to the council, five errors in it; returns the Word file.

    Some ten seconds. The file stands in her folder and is written anew each time.

        verdict = ek.verify(report(work))
    """
    document = _written(work)
    path = work.folder / f"{text('course_6_file', work.language)}.docx"
    path.write_bytes(_meddled(docx(document, template="short"), work))
    return path


def page(path: Path) -> str:
    """A Word file as a web page, for reading in the notebook."""
    return pandoc(path.read_bytes(), "--from=docx", "--to=html", "--embed-resources").decode("utf-8")


@lru_cache(maxsize=2)
def records(work: Work) -> Cases:
    """The one-stop cases of the student's communes: those of `data/nga-bay`, drawn anew by her code."""
    simulator = runpy.run_path(str(RECORDS / "simulate_cases.py"))
    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder:
        target = Path(folder)
        simulator["main"](target, seed=[6, *work.code.encode()])
        (target / "cases.toml").write_bytes((RECORDS / "cases.toml").read_bytes())
        found = read_cases(replace(work.study, folder=target))
    assert found
    return found


def since_launch(work: Work) -> pd.DataFrame:
    """The counts of the pilot communes' cases from the launch to the data cut: one row, COUNTS of `case_series`."""
    cases = records(work)
    span = pd.DataFrame({"start": [cases.declared.launch], "end": [cases.declared.data_cut]}, dtype="datetime64[s]")
    counts = series(cases, by=("unit",), periods=span)
    pilots = counts["unit"].map(work.study.design.arms) == "pilot"
    return counts[pilots].drop(columns=["unit", "start", "end"]).sum().to_frame().T


def council(work: Work, vote: str) -> Council:
    """The session on the report: those present, the ballots of the others, drawn by code, and the student's own.

    vote: `xuat_sac`, `dat` or `khong_dat`. She is the last of the members.
    """
    rng = _draws(work, 2)
    absent = int(rng.integers(3))
    rule = read_rule(RULES / f"{LAW}.toml", f"{LAW}.toml")
    seats = [Seat(role, role, not 5 <= at < 5 + absent) for at, role in enumerate(_SEATS)]
    others = len(_SEATS) - 1 - absent
    best = needed("at_least", "3/4", others + 1) - int(rng.integers(2))  # as many as it takes, or one fewer
    overall = ["xuat_sac"] * best + ["dat"] * (others - 1 - best) + ["xuat_sac"]
    ballots = [_ballot(grade) for grade in overall]
    ballots[-1].marks["P1.chat_luong"] = "dat"  # type: ignore[index]
    ballots = [ballots[at] for at in rng.permutation(others)] + [_ballot(vote)]
    product = Product(code="P1", label=Labels(vi="Báo cáo tổng hợp", en="Full report"))
    session = Session(rule=LAW, day=date(2021, 2, 24), attendance="-", ballots="-", counters=("1", "2", "3"),
                      products=(product,))  # fmt: skip
    return Council(rule, session, tuple(seats), tuple(replace(one, line=at) for at, one in enumerate(ballots, 1)))


def ballot_table(session: Council) -> pd.DataFrame:
    """The ballots of a session, one row each."""
    return pd.DataFrame([dict(ballot.marks) for ballot in session.ballots], range(1, len(session.ballots) + 1))


def planted(work: Work) -> Planted:
    """Which errors the student's report has."""
    rng = _draws(work, 1)
    dropped, changed, blamed = (str(one) for one in rng.permutation(GROUPS[:-1])[:3])
    first, second = sorted(str(one) for one in rng.permutation(FIGURES)[:2])
    order = tuple(str(one) for one in rng.permutation(["change", "did", "uncertain", "other", "overclaim"]))
    printed = {letter: round(_rate(work, letter), 1) for letter in DEFINITIONS}
    others = [letter for letter in DEFINITIONS if list(printed.values()).count(printed[letter]) == 1 and letter != "C"]
    by = float(rng.choice([3.0, 4.0, 5.0, 6.0]))
    return Planted(dropped, changed, by, (first, second), blamed, order, others[int(rng.integers(len(others)))])


def _draws(work: Work, part: int) -> np.random.Generator:
    return np.random.default_rng([6, part, *work.code.encode()])


def _rate(work: Work, letter: Definition) -> float:
    return float(on_time(since_launch(work), letter)["percent"].iloc[0])


def _change(work: Work, indicator: str) -> float:
    rows = select(work.effects, indicator=indicator, group="pilot", estimand="change", method="linearised")
    return float(rows["estimate"].iloc[0])


def _ballot(overall: str) -> Ballot:
    items = ("P1.so_luong", "P1.khoi_luong", "P1.chat_luong", "report")
    return Ballot({**dict.fromkeys(items, overall), "overall": overall})


def _written(work: Work) -> Document:
    """The report before anybody changed it by hand: with too few groups, too strong words, another definition."""
    study, language, wrong = work.study, work.language, planted(work)
    kept = [ASKED, *(group for group in GROUPS if group != wrong.dropped)]
    entries, blocks = Entries(), []

    def say(key: str, body: str = "", **values: Any) -> None:
        source = text(f"course_6_{key}", language, **values) + body if key else body
        words, spans = resolve(source, escaped=plain)
        blocks.append(entries.enter(spanned(words, spans), told_origins(spans), "lesson_6", len(blocks)))

    with tracing():
        say("heading_survey")
        for sentence in design_sentences(work.effects, study, language):
            say("", sentence)
        table = effects_table(work.effects, study, language, groups=["pilot"], indicators=kept)
        table = table.drop(columns=text("column_group", language))
        say("", f"{markdown(table)}\n: {text('course_6_caption_table', language)} {{#table-results}}")
        pictures = _pictures(work, kept)
        for name, picture in pictures.items():
            say("", f"![{picture.alt}](figures/{name}.svg){{#figure-{name}}}")
        say("heading_cases")
        rate = number(_rate(work, wrong.definition), 1, language)
        say("on_time", rate=rate, definition=records(work).declared.definition)
        say("heading_conclusion")
        for place, sentence in enumerate(_conclusion(work, wrong), 1):
            say("", f"**K{place}.** {sentence}")
        tree = read_markdown("\n\n".join(blocks))
    figures = [
        {"name": name, "png_sha256": sha256(one.png).hexdigest(), "alt": one.alt, "drawn": []}
        for name, one in pictures.items()
    ]
    about = {"study": study.folder.name, "language": language, "simulated": True}
    ledger = ledger_bytes(make_ledger(tree, entries, figures, **about))
    title, organisation = (label(words, language) for words in (study.declared.study.title, study.declared.study.organisation))
    return Document(language, title, text("course_6_kind", language), organisation, True, tree, pictures, ledger,
                    fingerprint(ledger))  # fmt: skip


def _conclusion(work: Work, wrong: Planted) -> list[str]:
    """The sentences of the conclusion: what the design carries, and one that it does not."""
    said = {(one.indicator, one.group): one.text for one in claims(work.effects, work.study, work.language)}
    other = next(group for group in GROUPS if group not in (wrong.dropped, wrong.blamed, wrong.changed))
    name = plain(label(work.study.index[wrong.blamed].label, work.language))
    change = number(_change(work, wrong.blamed), 1, work.language)
    sentences = {
        "change": said[ASKED, "pilot"],
        "did": said[ASKED, BETWEEN],
        "uncertain": said[UNCHANGED, BETWEEN],
        "other": said[other, BETWEEN],
        "overclaim": text("course_6_overclaim", work.language, indicator=name, change=change),
    }
    names = {"did": ASKED, "change": ASKED, "uncertain": UNCHANGED, "other": other}
    for key, indicator in names.items():
        sentences[key] = f"{plain(label(work.study.index[indicator].label, work.language))}: {sentences[key]}"
    return [sentences[key] for key in wrong.order]


def _pictures(work: Work, kept: list[str]) -> dict[str, Picture]:
    study, language, found = work.study, work.language, {}
    with tracing(False):
        drawn = (
            levels(work.effects, study, language, indicators=kept, groups=["pilot"]),
            levels(work.effects, study, language, indicators=kept, groups=["comparison"]),
            unit_changes(work.effects, study, language, indicator=ASKED),
        )
        for name, axes in zip(FIGURES, drawn, strict=True):
            stream = io.BytesIO()
            axes.figure.savefig(stream, format="png", dpi=150, metadata={"Software": None})
            found[name] = Picture(b"", stream.getvalue(), text(f"course_6_caption_{name}", language))
    return found


def _meddled(data: bytes, work: Work) -> bytes:
    """A Word file after somebody changed a number of the table and put two pictures in each other's place."""
    import docx as word_files
    from docx.oxml.ns import qn

    wrong, book = planted(work), word_files.Document(io.BytesIO(data))
    value = _change(work, wrong.changed)
    old, new = (number(one, 1, work.language, sign=True) for one in (value, value + wrong.by))
    name = label(work.study.index[wrong.changed].label, work.language)
    row = next(row for table in book.tables for row in table.rows if row.cells[0].text == name)
    run = next(run for cell in row.cells for line in cell.paragraphs for run in line.runs if run.text == old)
    run.text = new
    blips = [one for one in book.element.body.iter(qn("a:blip"))]
    first, second = (blips[FIGURES.index(one)] for one in wrong.swapped)
    ids = first.get(qn("r:embed")), second.get(qn("r:embed"))
    first.set(qn("r:embed"), ids[1])
    second.set(qn("r:embed"), ids[0])
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()
