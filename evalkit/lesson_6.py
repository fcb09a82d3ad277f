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
from statistics import mode
from typing import Any

import numpy as np
import pandas as pd

from evalkit import figures
from evalkit.assembly import Assembly
from evalkit.case_series import COUNTS, DEFINITIONS, on_time, series
from evalkit.cases import Cases, Definition, read_cases
from evalkit.claims import claims, design_sentences, direction
from evalkit.council_rules import RULES, needed, read_rule
from evalkit.declaration import Labels
from evalkit.documents import Document, Picture, pandoc
from evalkit.errors import Problem
from evalkit.exercises import ASKED, GROUPS, UNCHANGED, Exercise, StopError, Work, effect
from evalkit.language import Language, label, number, plain, text
from evalkit.proceedings import Ballot, Council, Product, Seat, Session, decide
from evalkit.sample import BETWEEN
from evalkit.tables import effects as effects_table
from evalkit.tables import markdown
from evalkit.tracing import resolve, spanned, told_origins, tracing
from evalkit.word import docx

FIGURES = ("1", "2", "3")
FAULTS = ("a", "b", "c")  # a cause is named; it is said of other places; no difference seen is taken for none
RECORDS = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
LAW, SESSION = "tt-11-2014", date(2021, 2, 24)
MONTH = ("2020-12-01", "2020-12-31")
APART = 0.5  # percentage points
_SEATS = ("chair", "vice_chair", "reviewer", "reviewer", "secretary", "member", "member", "member", "member")


@dataclass(frozen=True)
class Planted:
    """What is wrong in the student's report, drawn by her code.

    dropped: the group left out. changed: the group whose number was changed, and `by` how many points. swapped: the
    figures in each other's place. blamed: the group of which too much is said, as the sentence `overclaim` of
    `order`, the sentences in the order in which they stand; fault: in what it says too much, one of FAULTS.
    definition: by which the on-time rate is printed.
    """

    dropped: str
    changed: str
    by: float
    swapped: tuple[str, str]
    blamed: str
    fault: str
    order: tuple[str, ...]
    definition: Definition

    def place(self, sentence: str) -> str:
        """The number of a sentence of the conclusion."""
        return f"k{self.order.index(sentence) + 1}"


def report(work: Work) -> Path:
    """Write the student's report as it was handed to the council, five errors in it; returns the Word file.

    Some ten seconds. The file stands beside her data and is written anew each time. Raises DataError, shown without a
    traceback, where Word holds it open.

        verdict = ek.verify(report(work))
    """
    document = _written(work)
    path = work.folder.parent / f"{text('course_6_file', work.language)}_{work.code}.docx"
    try:
        path.write_bytes(_meddled(docx(document, template="short"), work))
    except PermissionError:
        raise StopError(Problem(str(path.parent), "report_open", {"file": path.name}), work.language) from None
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


def one_month(work: Work) -> pd.DataFrame:
    """The counts of the pilot communes' cases in the month of the report: one row, COUNTS of `case_series`."""
    month = pd.DataFrame({"start": MONTH[:1], "end": MONTH[1:]}, dtype="datetime64[s]")
    counts = series(records(work), by=("unit",), periods=month)
    pilots = counts["unit"].astype(str).map(work.study.design.arms) == "pilot"
    return counts.loc[pilots, list(COUNTS)].sum().to_frame().T


def council(work: Work, vote: str) -> Council:
    """The session on the report: those present, the ballots of the others, drawn by code, and the student's own.

    vote: `xuat_sac`, `dat` or `khong_dat`; her ballot is the last one.
    """
    rng = _draws(work, 2)
    absent, story = int(rng.integers(3)), int(rng.integers(3))
    rule = read_rule(RULES / f"{LAW}.toml", f"{LAW}.toml")
    seats = tuple(Seat(role, role, not 5 <= at < 5 + absent) for at, role in enumerate(_SEATS))
    present = len(seats) - absent
    enough, failing = needed("at_least", "3/4", present), needed("more_than", "1/3", present)
    ballots = [
        # One too few find it excellent, and another says so whose own grade of the quality is lower.
        [_ballot("xuat_sac")] * (enough - 1) + [_ballot("xuat_sac", quality="dat")],
        [_ballot("xuat_sac")] * min(enough, present - 2) + [_ballot("khong_dat")],
        [_ballot("khong_dat")] * failing,
    ][story]
    ballots += [_ballot("dat")] * (present - 1 - len(ballots))
    shuffled = [ballots[at] for at in rng.permutation(len(ballots))] + [_ballot(vote)]
    product = Product(code="P1", label=Labels(vi="Báo cáo tổng hợp", en="Full report"))
    session = Session(rule=LAW, day=SESSION, attendance="-", ballots="-", products=(product,), counters=tuple("123"))
    return Council(rule, session, seats, tuple(replace(one, line=at) for at, one in enumerate(shuffled, 1)))


def ballot_table(session: Council, language: Language) -> pd.DataFrame:
    """The ballots of a session in words, one row each."""
    titles = {f"P1.{one.code}": label(one.label, language) for one in session.rule.criteria}
    titles |= {key: text(f"course_6_column_{key}", language) for key in ("report", "overall")}
    grades = {grade.code: label(grade.label, language) for grade in session.rule.grades}
    rows = [{titles[item]: grades[mark] for item, mark in ballot.marks.items()} for ballot in session.ballots]
    return pd.DataFrame(rows, range(1, len(rows) + 1))


@lru_cache(maxsize=2)
def planted(work: Work) -> Planted:
    """Which errors the student's report has."""
    rng = _draws(work, 1)
    dropped, changed, *others = (str(one) for one in rng.permutation(GROUPS[:-1]))
    first, second = sorted(str(one) for one in rng.permutation(FIGURES)[:2])
    order = tuple(str(one) for one in rng.permutation(["change", "did", "uncertain", "other", "overclaim"]))
    by = float(rng.choice([one for one in (3.0, 4.0, 5.0, 6.0) if abs(one - _change(work, changed)) > 1]))
    letters = _definitions(work)
    definition = letters[int(rng.integers(len(letters)))]
    seen = direction(_difference(work, UNCHANGED)) != "none"
    fault = str(rng.choice(FAULTS[:2] if seen else FAULTS))
    blamed = UNCHANGED if fault == "c" else max(others, key=lambda group: _difference(work, group)["estimate"])
    return Planted(dropped, changed, by, (first, second), blamed, fault, order, definition)


def _draws(work: Work, part: int) -> np.random.Generator:
    return np.random.default_rng([6, part, *work.code.encode()])


def _rate(work: Work, letter: Definition) -> float:
    return float(on_time(one_month(work), letter)["percent"].iloc[0])


def _definitions(work: Work) -> list[Definition]:
    """The definitions whose rate is told apart from that of the declared one; where none is, the farthest."""
    away = {letter: abs(_rate(work, letter) - _declared_rate(work)) for letter in DEFINITIONS}
    return [letter for letter in DEFINITIONS if away[letter] > APART] or [max(away, key=lambda letter: away[letter])]


def _declared_rate(work: Work) -> float:
    return _rate(work, records(work).declared.definition)


def _change(work: Work, indicator: str) -> float:
    return float(effect(work, "pilot", "change", indicator=indicator)["estimate"])


def _difference(work: Work, indicator: str) -> pd.Series:
    return effect(work, BETWEEN, "did", indicator=indicator)


def _ballot(overall: str, *, quality: str = "") -> Ballot:
    marks = dict.fromkeys(("P1.so_luong", "P1.khoi_luong", "P1.chat_luong", "report", "overall"), overall)
    return Ballot(marks | {"P1.chat_luong": quality or overall})


def _written(work: Work) -> Document:
    """The report before anybody changed it by hand: with too few groups, too strong words, another definition."""
    study, language, wrong = work.study, work.language, planted(work)
    kept = [ASKED, *(group for group in GROUPS if group != wrong.dropped)]
    made = Assembly(study, language)
    made.pictures = _pictures(work, kept)
    made.figures = [
        {"name": name, "png_sha256": sha256(one.png).hexdigest(), "alt": one.alt, "drawn": []}
        for name, one in made.pictures.items()
    ]

    def say(heading: str, *paragraphs: str) -> None:
        words, spans = resolve("\n\n".join(paragraphs), escaped=plain)
        made.section(text(heading, language), spanned(words, spans), told_origins(spans), "lesson_6")

    with tracing():
        table = effects_table(work.effects, study, language, groups=["pilot"], indicators=kept)
        rows = markdown(table.drop(columns=text("column_group", language)))
        shown = [f"{rows}\n: {text('course_6_caption_table', language)} {{#table-results}}"]
        for name, picture in made.pictures.items():  # words between two pictures tell whose caption is whose
            image = f"![{picture.alt}](figures/{name}.svg){{#figure-{name}}}"
            shown += [text(f"course_6_before_{name}", language), image]
        say("course_6_heading_survey", *design_sentences(work.effects, study, language), *shown)
        rate = number(_rate(work, wrong.definition), 1, language)
        declared = records(work).declared.definition
        say("course_6_heading_cases", text("course_6_on_time", language, rate=rate, definition=declared))
        said = [f"**K{place}.** {sentence}" for place, sentence in enumerate(_conclusion(work, wrong), 1)]
        say("course_6_heading_conclusion", *said)
        return made.document(text("course_6_kind", language))


def _conclusion(work: Work, wrong: Planted) -> list[str]:
    """The sentences of the conclusion: what the design carries, and one that it does not."""
    said = {(one.indicator, one.group): one.text for one in claims(work.effects, work.study, work.language)}
    other = next(group for group in GROUPS if group not in (wrong.dropped, wrong.blamed, wrong.changed))
    over = _difference(work, wrong.blamed)
    ends = {"did": over["estimate"], "low": over["conf_low_adjusted"], "high": over["conf_high_adjusted"]}
    words: dict[str, Any] = {key: number(one, 1, work.language, sign=True) for key, one in ends.items()}
    words["units"] = len(work.study.design.arms)
    sentences = {
        "change": (ASKED, said[ASKED, "pilot"]),
        "did": (ASKED, said[ASKED, BETWEEN]),
        "uncertain": (UNCHANGED, said[UNCHANGED, "pilot" if wrong.blamed == UNCHANGED else BETWEEN]),
        "other": (other, said[other, BETWEEN]),
        "overclaim": (wrong.blamed, text(f"course_6_overclaim_{wrong.fault}", work.language, **words)),
    }
    return [
        f"{plain(label(work.study.index[indicator].label, work.language))}: {sentence}"
        for indicator, sentence in (sentences[key] for key in wrong.order)
    ]


def _pictures(work: Work, kept: list[str]) -> dict[str, Picture]:
    study, language, found = work.study, work.language, {}
    figures.use_style()
    with tracing(False):
        drawn: tuple[Any, ...] = (
            figures.levels(work.effects, study, language, indicators=kept, groups=["pilot"]),
            figures.levels(work.effects, study, language, indicators=kept, groups=["comparison"]),
            figures.unit_changes(work.effects, study, language, indicator=ASKED),
        )
        for name, axes in zip(FIGURES, drawn, strict=True):
            stream = io.BytesIO()
            axes.figure.savefig(stream, format="png", dpi=300, metadata={"Software": None})
            figures.plt.close(axes.figure)  # else a notebook shows it, right caption and all
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


def _most_votes(work: Work) -> str:
    return mode(ballot.marks["overall"] for ballot in council(work, "dat").ballots)


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "6.1",
        "number",
        lambda work: _change(work, planted(work).changed),
        unit="course_6_unit_points",
        mistakes={
            "6_as_printed": lambda work: _change(work, planted(work).changed) + planted(work).by,
            "6_by_how_much": lambda work: planted(work).by,
        },
    ),
    Exercise(
        "6.2",
        "codes",
        lambda work: set(planted(work).swapped),
        mistakes={
            "6_one_figure": lambda work: {planted(work).swapped[0]},
            "6_all_figures": lambda work: set(FIGURES),
        },
    ),
    Exercise(
        "6.3",
        "choice",
        lambda work: planted(work).dropped,
        options=GROUPS,
        mistakes={
            "6_lowest_group": lambda work: UNCHANGED,
            "6_changed_group": lambda work: planted(work).changed,
        },
    ),
    Exercise(
        "6.4",
        "codes",
        lambda work: {planted(work).place("overclaim"), planted(work).fault},
        mistakes={
            "6_reason_missing": lambda work: {planted(work).place("overclaim")},
            "6_no_cause": lambda work: {planted(work).place("overclaim"), "a"},
            "6_no_other_place": lambda work: {planted(work).place("overclaim"), "b"},
            "6_no_absence": lambda work: {planted(work).place("overclaim"), "c"},
            "6_change_is_allowed": lambda work: {planted(work).place("change"), "a"},
            "6_difference_is_allowed": lambda work: {planted(work).place("did"), "a"},
            "6_nothing_found": lambda work: {planted(work).place("uncertain"), "c"},
        },
    ),
    Exercise(
        "6.5",
        "number",
        _declared_rate,
        unit="course_6_unit_percent",
        mistakes={
            "6_printed_rate": lambda work: _rate(work, planted(work).definition),
            "6_share_for_percent": lambda work: _declared_rate(work) / 100,
        },
    ),
    Exercise(
        "6.6",
        "choice",
        lambda work: decide(council(work, "dat")).rating,
        options=("xuat_sac", "dat", "khong_dat"),
        mistakes={"6_most_votes": _most_votes},
    ),
)
