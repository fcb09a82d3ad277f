"""The council that accepts a task: its ballots, the rating, and why it came out so."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import floor
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import Field

from evalkit.council_rules import Criterion, Items, Rule, needed
from evalkit.declaration import Code, Declared, Labels
from evalkit.encodings import fold
from evalkit.errors import Problem

CHAIR, VICE, REVIEWER = "chair", "vice_chair", "reviewer"


class Amount(Declared):
    """How much of a product was ordered and delivered, in whole units."""

    ordered: Items
    delivered: Annotated[int, Field(ge=0)]


class Product(Declared):
    """A product of the task; `amounts` by criterion, needed where a ballot finds that criterion short."""

    code: Code
    label: Labels
    criteria: Annotated[tuple[Code, ...], Field(strict=False)] | None = None
    amounts: dict[str, Amount] = Field(default_factory=dict)


class Dossier(Declared):
    """When the dossier was due and came, and whether the council found it dishonest."""

    due: date
    received: date
    dishonest: bool = False


class Session(Declared):
    """All of `council.toml`. `rule`: a name of `data/councils`, or a toml file in the study folder.

    `returned`: how many ballots came back by the minutes; those without a row in the file came back blank.
    """

    rule: Annotated[str, Field(min_length=1)]
    day: date
    attendance: Annotated[str, Field(min_length=1)]
    ballots: Annotated[str, Field(min_length=1)]
    returned: Annotated[int, Field(ge=0)] | None = None
    counters: Annotated[tuple[str, ...], Field(strict=False)] = ()
    vice_chair_authorised: bool = False
    rounding: Literal["half_up", "down"] | None = None
    dossier: Dossier | None = None
    products: Annotated[tuple[Product, ...], Field(strict=False)] = ()


@dataclass(frozen=True)
class Seat:
    """A member as the list of members has it: the words for the role, the role, whether present."""

    words: str
    role: str
    present: bool


@dataclass(frozen=True)
class Ballot:
    """One ballot: grade or points by item (`P1.so_luong`, `report`, `overall`), None where blank.

    Several grades at one item are several marks, as a tuple. `seat`: who signed, None where ballots are secret.
    `line`: where it stands in the file.
    """

    marks: Mapping[str, Any]
    seat: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Council:
    """A session ready to be decided."""

    rule: Rule
    session: Session
    seats: tuple[Seat, ...]
    ballots: tuple[Ballot, ...]
    notices: tuple[Problem, ...] = ()

    @property
    def items(self) -> tuple[str, ...]:
        """What a ballot must fill in, the overall grade last."""
        if self.rule.points:
            return tuple(criterion.code for criterion in self.rule.criteria)
        graded = [f"{p.code}.{c.code}" for p in self.session.products for c in criteria_of(p, self.rule)]
        return (*graded, *(["report"] if self.rule.report else []), "overall")


@dataclass(frozen=True)
class Step:
    """One thing looked at: message key, what fills it, whether it held (None: for information), clause status."""

    key: str
    values: Mapping[str, Any]
    passed: bool | None = None
    status: str | None = None


@dataclass(frozen=True)
class Verdict:
    """What a council decided: the grade's code, None where there is none, and every step that led there.

    outcome: `rated`, `late`, `dishonest`; or, without a rating, `no_quorum`, `void`, `undecided`, `late_open`.
    ballots: counts `present, returned, valid, invalid`. tally: one row an item and grade, `item, grade, count`, of
    the valid ballots. points: one row a criterion, `criterion, maximum, ballots, mean`, the mean an exact fraction.
    No part of it says who gave which grade.
    """

    rating: str | None
    outcome: str
    steps: tuple[Step, ...]
    ballots: Mapping[str, int]
    tally: pd.DataFrame
    points: pd.DataFrame


def decide(council: Council) -> Verdict:
    """The rating by the council's rule, with every step that led to it, in exact fractions.

    A ballot is invalid where an item is blank, has two marks or points out of range, where it comes from an absent
    member or a member who handed in several, or, as the rule says, where its overall grade does not follow from its
    product grades. Shares are of the members present, so that an invalid ballot counts for no grade.

        decide(council).rating
    """
    steps = list(_quorum_steps(council))
    present = sum(seat.present for seat in council.seats)
    counts = {"present": present, "returned": len(council.ballots), "valid": 0, "invalid": 0}
    empty = _tally([], council), _means([], council)
    if any(step.passed is False for step in steps):
        return Verdict(None, "no_quorum", tuple(steps), counts, *empty)
    steps.append(Step("returned", dict(counts), counts["returned"] <= present))
    if counts["returned"] > present:
        return Verdict(None, "void", tuple(steps), counts, *empty)
    valid, apart = _sort_ballots(council)
    counts |= {"valid": len(valid), "invalid": counts["returned"] - len(valid)}
    for key, lines in sorted(apart.items()):
        steps.append(Step(key, {"count": len(lines), "lines": tuple(lines)}, status=council.rule.invalid.status))
    if valid:
        rating = (_rate_points if council.rule.points else _rate_votes)(valid, council, present, steps)
    else:
        rating = None
        steps.append(Step("no_valid", {}, False))
    rating, outcome = _override(rating, council, steps)
    return Verdict(rating, outcome, tuple(steps), counts, _tally(valid, council), _means(valid, council))


def member_grade(ballot: Ballot, council: Council) -> str:
    """The overall grade that follows from a ballot's product grades by the rule's clause `member`.

    Needs a rule with three grades and this clause, a ballot without blanks, and the amounts of what it finds short.
    The highest where all product grades are and the report is not the lowest; the middle one where quality holds
    everywhere, enough amounts hold and the others were delivered to the part named, and the report is not the lowest;
    else the lowest.
    """
    rule, ranks = council.rule, council.rule.ranks
    assert rule.member
    low, middle, high = (grade.code for grade in rule.grades)
    if rule.report and ranks[ballot.marks["report"]] == 0:
        return low
    graded = [
        (ballot.marks[f"{product.code}.{criterion.code}"], product, criterion)
        for product in council.session.products
        for criterion in criteria_of(product, rule)
    ]
    if graded and all(mark == high for mark, _, _ in graded):
        return high
    if any(ranks[mark] == 0 and criterion.kind == "quality" for mark, _, criterion in graded):
        return low
    amounts = [entry for entry in graded if entry[2].kind == "amount"]
    short = [(product, criterion) for mark, product, criterion in amounts if ranks[mark] == 0]
    enough = len(amounts) - len(short) >= Fraction(rule.member.amounts) * len(amounts)
    delivered = (product.amounts[criterion.code] for product, criterion in short)
    near = all(Fraction(a.delivered, a.ordered) >= Fraction(rule.member.delivered) for a in delivered)
    return middle if enough and near else low


def criteria_of(product: Product, rule: Rule) -> tuple[Criterion, ...]:
    """The criteria by which a product is graded."""
    return tuple(c for c in rule.criteria if product.criteria is None or c.code in product.criteria)


def _quorum_steps(council: Council) -> Iterator[Step]:
    rule, seats = council.rule, council.seats
    here = [seat.role for seat in seats if seat.present]
    if rule.quorum is None:
        yield Step("no_quorum_rule", {"present": len(here), "members": len(seats)})
    else:
        status = rule.quorum.status
        values: dict[str, Any] = {"present": len(here), "members": len(seats), "share": rule.quorum.share}
        values["needed"] = needed("at_least", rule.quorum.share, len(seats))
        yield Step("quorum", values, len(here) >= values["needed"], status)
        if rule.quorum.chair_or_vice:
            if CHAIR in here:
                yield Step("chair", {}, True, status)
            elif VICE in here:
                authorised = council.session.vice_chair_authorised
                yield Step("vice_authorised" if authorised else "vice_not_authorised", {}, authorised, status)
            else:
                yield Step("no_chair", {}, False, status)
        wanted = {"present": here.count(REVIEWER), "needed": rule.quorum.reviewers}
        wanted["appointed"] = [seat.role for seat in seats].count(REVIEWER)
        yield Step("reviewers", wanted, wanted["present"] >= wanted["needed"], status)
    if rule.committee:
        count = len(council.session.counters)
        values = {"count": count, "needed": rule.committee.members}
        yield Step("committee", values, count == rule.committee.members, rule.committee.status)


def _sort_ballots(council: Council) -> tuple[list[Ballot], dict[str, list[int | None]]]:
    """The valid ballots with the overall grade that counts; by reason the lines of those not taken as they are."""
    policy = council.rule.invalid.disagreement
    counted, apart = _one_each(council)
    valid = []
    for ballot in counted:
        if fault := _fault(ballot, council):
            apart[f"invalid_{fault}"].append(ballot.line)
            continue
        ticked = ballot.marks.get("overall")
        grade = member_grade(ballot, council) if council.rule.member else ticked
        if grade != ticked:
            apart["invalid_disagreeing" if policy == "invalid" else f"overruled_{policy}"].append(ballot.line)
        if grade == ticked or policy != "invalid":
            valid.append(Ballot({**ballot.marks, "overall": grade}) if policy == "derived" else ballot)
    return valid, apart


def _one_each(council: Council) -> tuple[list[Ballot], dict[str, list[int | None]]]:
    """The ballots without those of absent members and of members who handed in several; the lines of these."""
    present = {fold(seat.words) for seat in council.seats if seat.present}
    handed: dict[str, list[Ballot]] = defaultdict(list)
    counted = [ballot for ballot in council.ballots if ballot.seat is None]
    apart: dict[str, list[int | None]] = defaultdict(list)
    for ballot in council.ballots:
        if ballot.seat is not None:
            handed[fold(ballot.seat)].append(ballot)
    for seat, ballots in handed.items():
        alike = all(ballot.marks == ballots[0].marks for ballot in ballots)
        kept = len(ballots) == 1 or (alike and council.rule.invalid.repeated == "one_if_alike")
        if seat in present and kept:
            counted.append(ballots.pop(0))
        if ballots:
            apart["invalid_repeated" if seat in present else "invalid_absent"] += [each.line for each in ballots]
    return counted, apart


def _fault(ballot: Ballot, council: Council) -> str | None:
    marks = [ballot.marks.get(item) for item in council.items]
    if None in marks:
        return "blank"
    if any(isinstance(mark, tuple) for mark in marks):
        return "two_marks"
    if points := council.rule.points:
        given = [Fraction(mark) for mark in marks if mark is not None]
        most = [criterion.maximum or points.maximum for criterion in council.rule.criteria]
        within = all(0 <= mark <= top for mark, top in zip(given, most, strict=True))
        return None if within and sum(given) <= points.maximum else "out_of_range"
    return None


def _rate_votes(valid: list[Ballot], council: Council, present: int, steps: list[Step]) -> str | None:
    assert council.rule.votes
    given = Counter(ballot.marks["overall"] for ballot in valid)
    for rating in council.rule.votes.ratings:
        held = True
        for condition in rating.conditions:
            values: dict[str, Any] = {"rating": rating.grade, "grades": condition.grades}
            values |= {"share": condition.share, "present": present}
            values["count"] = count = sum(given[grade] for grade in condition.grades)
            values["needed"] = bound = needed(condition.comparison, condition.share, present)
            passed = count <= bound if condition.comparison == "at_most" else count >= bound
            steps.append(Step(condition.comparison, values, passed, council.rule.votes.status))
            held &= passed
        if held:
            return rating.grade
    return None


def _rate_points(valid: list[Ballot], council: Council, present: int, steps: list[Step]) -> str | None:
    points, rounding = council.rule.points, council.session.rounding
    assert points
    total = sum((Fraction(mark) for ballot in valid for mark in ballot.marks.values()), Fraction())
    mean = total / len(valid)
    steps.append(Step("mean", {"total": total, "ballots": len(valid), "mean": mean}, status=points.status))
    if rounding:
        mean = Fraction(floor(mean + Fraction(1, 2)) if rounding == "half_up" else floor(mean))
        steps.append(Step(f"rounded_{rounding}", {"mean": mean}))
    band = next(band for band in points.bands if band.holds(mean))
    values = {"rating": band.grade, "low": band.low, "high": band.high}
    ends = f"{'from' if band.low_included else 'above'}_{'to' if band.high_included else 'below'}"
    steps.append(Step(f"band_{ends}", values, True, points.status))
    return band.grade


def _override(rating: str | None, council: Council, steps: list[Step]) -> tuple[str | None, str]:
    """The rating after what overrides the ballots: a dishonest or a late dossier."""
    dossier, rule = council.session.dossier, council.rule
    outcome = "rated" if rating else "undecided"
    if dossier is None:
        return rating, outcome
    days = (dossier.received - dossier.due).days
    values: dict[str, Any] = {"days": days, "due": dossier.due, "received": dossier.received}
    if rule.late:
        values["limit"] = rule.late.days
        if days <= 0:
            steps.append(Step("in_time", values, True, rule.late.status))
        else:
            late = days > rule.late.days
            steps.append(Step("late" if late else "late_within", values, not late, rule.late.status))
            if late:
                rating, outcome = rule.late.grade, "late" if rule.late.grade else "late_open"
    elif days > 0:
        steps.append(Step("late_unruled", values))
    if dossier.dishonest and rule.dishonest:
        steps.append(Step("dishonest", {"rating": rule.dishonest.grade}, False, rule.dishonest.status))
        rating, outcome = rule.dishonest.grade, "dishonest"
    return rating, outcome


def _tally(valid: list[Ballot], council: Council) -> pd.DataFrame:
    items = () if council.rule.points else council.items
    rows = [
        (item, grade.code, sum(ballot.marks[item] == grade.code for ballot in valid))
        for item in items
        for grade in reversed(council.rule.grades)
    ]
    return pd.DataFrame(rows, columns=["item", "grade", "count"])


def _means(valid: list[Ballot], council: Council) -> pd.DataFrame:
    rows = []
    for criterion in council.rule.criteria if council.rule.points else ():
        total = sum((Fraction(ballot.marks[criterion.code]) for ballot in valid), Fraction())
        mean = total / len(valid) if valid else None
        rows.append((criterion.code, criterion.maximum, len(valid), mean))
    return pd.DataFrame(rows, columns=["criterion", "maximum", "ballots", "mean"], dtype=object)
