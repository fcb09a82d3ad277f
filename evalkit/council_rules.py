"""How an authority rates a task: the rules of acceptance councils as data, checked when they are loaded."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from evalkit.declaration import Code, Declared, Labels, parse
from evalkit.errors import Problem, nearest, raise_any
from evalkit.textfiles import read_toml

RULES = Path(__file__).resolve().parent.parent / "data" / "councils"
Share = Annotated[str, Field(pattern=r"^\d+/[1-9]\d*$")]
Items = Annotated[int, Field(ge=1)]


class Clause(Declared):
    """A part of a rule: found in a page that cites the text, or recalled and to be compared with it."""

    status: Literal["verified", "unverified"]


class Grade(Declared):
    """A grade that a ballot or the council can give."""

    code: Code
    label: Labels


class Criterion(Declared):
    """What every product is graded on, or what points are given for; `amount` may fall short to some extent."""

    code: Code
    label: Labels
    kind: Literal["amount", "quality"] = "quality"
    maximum: Items | None = None


class Composition(Clause):
    """How many members a council has, reviewers among them."""

    members: Items
    reviewers: Annotated[int, Field(ge=0)]


class Quorum(Clause):
    """Who must be present: at least this share of the members, chair or authorised vice-chair, so many reviewers."""

    share: Share
    chair_or_vice: bool
    reviewers: Annotated[int, Field(ge=0)]


class Committee(Clause):
    """How many members count the votes."""

    members: Items


class Member(Clause):
    """How a member's grade follows from the product grades; shares as `3/4`."""

    amounts: Share
    delivered: Share


class Invalid(Clause):
    """What becomes of a ballot that contradicts itself, and of the ballots of a member who handed in several."""

    disagreement: Literal["invalid", "derived", "ticked"]
    repeated: Literal["none", "one_if_alike"]


class Late(Clause):
    """From how many days after the term a dossier is late, and the grade it then gets; None where no text says."""

    days: Annotated[int, Field(ge=0)]
    grade: Code | None = None


class Dishonest(Clause):
    """The grade of a task whose dossier, documents or data are dishonest."""

    grade: Code


class Condition(Declared):
    """A bound on the share of the members present who gave one of these grades."""

    grades: Annotated[tuple[Code, ...], Field(min_length=1, strict=False)]
    comparison: Literal["at_least", "more_than", "at_most"]
    share: Share


class Rating(Declared):
    """A grade of the council and the conditions that must all hold for it; one at least asks for votes."""

    grade: Code
    conditions: Annotated[tuple[Condition, ...], Field(strict=False)]


class Votes(Clause):
    """Ratings in the order in which they are tried; the first that holds is the council's."""

    ratings: Annotated[tuple[Rating, ...], Field(min_length=1, strict=False)]


class Band(Declared):
    """The mean points that make a grade."""

    grade: Code
    low: int
    high: int
    low_included: bool = True
    high_included: bool = True

    def holds(self, mean: Fraction) -> bool:
        """Whether a mean lies in the band."""
        above = mean >= self.low if self.low_included else mean > self.low
        return above and (mean <= self.high if self.high_included else mean < self.high)


class Points(Clause):
    """Bands of the mean of the valid ballots' points."""

    maximum: Items
    bands: Annotated[tuple[Band, ...], Field(min_length=1, strict=False)]


class Rule(Declared):
    """All of a file of `data/councils`: how one authority rates a task. A part that is absent is not checked."""

    title: Labels
    source: Labels
    ballot: Literal["secret", "signed"]
    grades: Annotated[tuple[Grade, ...], Field(min_length=2, strict=False)]
    criteria: Annotated[tuple[Criterion, ...], Field(strict=False)] = ()
    report: bool = False
    invalid: Invalid
    composition: Composition | None = None
    quorum: Quorum | None = None
    committee: Committee | None = None
    member: Member | None = None
    late: Late | None = None
    dishonest: Dishonest | None = None
    votes: Votes | None = None
    points: Points | None = None

    @property
    def ranks(self) -> dict[str, int]:
        """Grade → place, 0 the lowest."""
        return {grade.code: place for place, grade in enumerate(self.grades)}

    def grade_label(self, code: str) -> Labels:
        """A grade in words."""
        return next(grade.label for grade in self.grades if grade.code == code)


def rule_names() -> list[str]:
    """The names of the rules that come with evalkit.

    >>> "tt-11-2014" in rule_names()
    True
    """
    return sorted(path.stem for path in RULES.glob("*.toml"))


def read_rule(path: Path, name: str, *, rounding: str | None = None) -> Rule:
    """A rule from its toml file; `name` is how errors call it, `rounding` how the council rounds a mean, if it does.

    Raises DataError for unknown keys and grades, for ratings that need nobody's vote, and for bands of points that
    overlap or leave a gap: each named. Where means are rounded, bands need to cover whole points only.

    >>> read_rule(RULES / "tt-11-2014.toml", "tt-11-2014.toml").quorum.share
    '2/3'
    """
    rule = parse(read_toml(path, name), name, Rule)
    raise_any(_check_rule(rule, name, rounding))
    return rule


def needed(comparison: str, share: str, of: int) -> int:
    """How many of `of` members make a share: the least number that reaches it, or the most that keeps within it.

    >>> needed("at_least", "3/4", 9), needed("more_than", "1/3", 9), needed("at_most", "0/1", 9)
    (7, 4, 0)
    """
    exact = Fraction(share) * of
    return ceil(exact) if comparison == "at_least" else floor(exact) + (comparison == "more_than")


def _check_rule(rule: Rule, name: str, rounding: str | None) -> list[Problem]:
    problems = []
    clauses = {"late.grade": rule.late, "dishonest.grade": rule.dishonest}
    named = {place: clause.grade for place, clause in clauses.items() if clause}
    if (rule.votes is None) == (rule.points is None):
        problems.append(Problem(name, "council_one_way", column="votes, points"))
    if rule.member and len(rule.grades) != 3:
        problems.append(Problem(name, "council_three_grades", {"found": len(rule.grades)}, column="member"))
    for kind, codes in (("grades", list(rule.ranks)), ("criteria", [c.code for c in rule.criteria])):
        entries = len(getattr(rule, kind))
        problems += [Problem(name, "code_repeated", {"found": kind}, column=kind)] * (len(set(codes)) < entries)
    if rule.votes:
        for at, rating in enumerate(rule.votes.ratings, start=1):
            place = f"votes.ratings[{at}]"
            named[place] = rating.grade
            named |= {f"{place}.conditions ({g})": g for c in rating.conditions for g in c.grades}
            if not any(c.comparison != "at_most" and needed(c.comparison, c.share, 1) for c in rating.conditions):
                problems.append(Problem(name, "council_unvoted", {"found": rating.grade}, column=place))
    if rule.points:
        if not rule.criteria:
            problems.append(Problem(name, "council_no_criteria", column="criteria"))
        named |= {f"points.bands[{at}]": band.grade for at, band in enumerate(rule.points.bands, start=1)}
        problems += _check_bands(rule.points, name, rounding)
        maxima = [criterion.maximum for criterion in rule.criteria]
        if None not in maxima and sum(filter(None, maxima)) != rule.points.maximum:
            values = {"found": sum(filter(None, maxima)), "expected": rule.points.maximum}
            problems.append(Problem(name, "council_maxima", values, column="criteria"))
    for place, grade in named.items():
        if grade is not None and grade not in rule.ranks:
            known = {"found": grade, "expected": nearest(grade, rule.ranks)}
            problems.append(Problem(name, "council_grade_unknown", known, column=place))
    return problems


def _check_bands(points: Points, name: str, rounding: str | None) -> list[Problem]:
    """Gaps and overlaps; a rounded mean is a whole number, so that only these need a band."""

    def problem(key: str, found: str) -> Problem:
        return Problem(name, key, {"found": found}, column="points.bands")

    problems = [problem("council_band_empty", f"{b.low}–{b.high}") for b in points.bands if b.low > b.high]
    if rounding:
        for mean in range(points.maximum + 1):
            held = sum(band.holds(Fraction(mean)) for band in points.bands)
            if held != 1:
                problems.append(problem("council_band_overlap" if held else "council_band_gap", str(mean)))
        return problems
    bands = sorted(points.bands, key=lambda band: (band.low, band.high))
    if bands[0].low > 0 or not bands[0].low_included:
        problems.append(problem("council_band_gap", f"0–{bands[0].low}"))
    for lower, upper in pairwise(bands):
        touching = lower.high_included + upper.low_included
        if lower.high < upper.low or (lower.high == upper.low and touching == 0):
            problems.append(problem("council_band_gap", f"{lower.high}–{upper.low}"))
        elif lower.high > upper.low or touching == 2:
            problems.append(problem("council_band_overlap", f"{upper.low}–{lower.high}"))
    if bands[-1].high < points.maximum or not bands[-1].high_included:
        problems.append(problem("council_band_gap", f"{bands[-1].high}–{points.maximum}"))
    return problems
