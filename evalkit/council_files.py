"""The files of an acceptance council: council.toml, attendance and ballots, read and checked together."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from evalkit.council_rules import RULES, Rule, read_rule, rule_names
from evalkit.declaration import parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, gathered, nearest, raise_any
from evalkit.files import read_grid
from evalkit.language import LANGUAGES, day, text
from evalkit.proceedings import CHAIR, REVIEWER, VICE, Ballot, Council, Seat, Session, criteria_of, decide
from evalkit.study import Study
from evalkit.textfiles import read_toml

FILE = "council.toml"
_ROLES = {
    CHAIR: ("chủ tịch hội đồng", "chủ tịch", "chair"),
    VICE: ("phó chủ tịch hội đồng", "phó chủ tịch", "vice-chair", "vice chair"),
    REVIEWER: ("ủy viên phản biện", "phản biện", "reviewer"),
    "secretary": ("ủy viên thư ký", "thư ký khoa học", "thư ký", "scientific secretary", "secretary"),
    "member": ("ủy viên", "thành viên", "member"),
}
_TITLES = {
    "role": ("chức danh", "role"),
    "present": ("có mặt", "present"),
    "report": ("báo cáo tổng hợp", "báo cáo", "report"),
    "overall": ("xếp loại", "đánh giá chung", "overall"),
}
_PRESENCE = {True: ("x", "có", "có mặt", "1", "yes", "true"), False: ("", "vắng", "không", "0", "no", "false")}
_BLANK = ("trắng", "phiếu trắng", "blank")
_NAMING = ("họ", "tên", "name", "chức danh", "role", "chữ ký", "ký tên", "signature", "người chấm", "đơn vị công tác")


def read_council(study: Study) -> Council | None:
    """The council that `council.toml` of a study declares, with attendance and ballots; None without that file.

    Attendance has the columns «Chức danh» (role) and «Có mặt» (present), one row a member, absent ones too, and no
    names. Ballots have one column an item: `P1 số lượng` …, «Báo cáo tổng hợp» (report), «Xếp loại» (overall), or the
    criteria of points; signed ballots also «Chức danh», which must then tell members apart (Ủy viên 1, Ủy viên 2).
    Two grades in one cell stand with `|` between them; «trắng» (blank) at any item says that it was left empty. Rows
    above the header are titles. An empty row is no ballot; `returned` in council.toml tells of those that came back.

    Raises DataError with all problems: of the rule, of unknown roles or grades, of a secret ballot that says whose it
    is, of a signed one that does not, of more ballots than members present. Ballots that do not count as they are,
    empty rows, members who handed in several and what the session lacked are notices.

        council = ek.council_files.read_council(study)
        verdict = ek.proceedings.decide(council)
    """
    if not (study.folder / FILE).exists():
        return None
    session = parse(read_toml(study.folder / FILE, FILE), FILE, Session)
    files = {"attendance": session.attendance, "ballots": session.ballots}
    files |= {"rule": session.rule} if session.rule.endswith(".toml") else {}
    raise_any(Problem(FILE, "path_outside", {"found": f}, column=key) for key, f in files.items() if study.outside(f))
    problems: list[Problem] = []
    rule = _collect(problems, lambda: _named_rule(session, study.folder))
    seats = _collect(problems, lambda: _read_seats(study.folder / session.attendance, session.attendance))
    if rule is None:
        raise DataError(problems)
    if seats is not None:
        problems += _check_seats(seats, session, rule)
    if wrong := _check_session(session, rule):
        raise DataError([*problems, *wrong])
    council = Council(rule, session, seats or (), ())
    ballots, notices = _collect(problems, lambda: _read_ballots(study.folder / session.ballots, council)) or ((), ())
    raise_any([*problems, *_check_amounts(ballots, council)])
    council = replace(council, ballots=ballots)
    return replace(council, notices=(*notices, *_incidents(council)))


def _collect(problems: list[Problem], read: Callable[[], Any]) -> Any:
    with gathered(problems):
        return read()


def _named_rule(session: Session, folder: Path) -> Rule:
    own = session.rule.endswith(".toml")
    if not own and session.rule not in rule_names():
        values = {"found": session.rule, "expected": ", ".join(rule_names())}
        raise DataError([Problem(FILE, "council_rule_unknown", values, column="rule")])
    name = session.rule if own else f"{session.rule}.toml"
    return read_rule((folder if own else RULES) / name, name, rounding=session.rounding)


def _check_session(session: Session, rule: Rule) -> list[Problem]:
    problems = []
    criteria = {criterion.code: criterion for criterion in rule.criteria}
    codes = Counter(product.code for product in session.products)
    problems += [Problem(FILE, "code_repeated", {"found": c}, column="products") for c in codes if codes[c] > 1]
    if rule.votes and rule.criteria and not session.products:
        problems.append(Problem(FILE, "council_no_products", column="products"))
    for at, product in enumerate(session.products, start=1):
        for code in [*(product.criteria or ()), *product.amounts]:
            if code not in criteria:
                values = {"found": code, "expected": nearest(code, criteria)}
                problems.append(Problem(FILE, "council_criterion_unknown", values, column=f"products[{at}]"))
    if session.dossier and session.dossier.dishonest and not rule.dishonest:
        problems.append(Problem(FILE, "council_no_dishonest", column="dossier.dishonest"))
    return problems


def _check_seats(seats: tuple[Seat, ...], session: Session, rule: Rule) -> list[Problem]:
    problems = []
    roles = Counter(seat.role for seat in seats)
    if rule.composition:
        for key, found, expected in (
            ("council_size", len(seats), rule.composition.members),
            ("council_reviewers", roles[REVIEWER], rule.composition.reviewers),
        ):
            if found != expected:
                problems.append(Problem(session.attendance, key, {"found": found, "expected": expected}))
    for role in (CHAIR, VICE):
        if roles[role] > 1:
            words = next(seat.words for seat in seats if seat.role == role)
            problems.append(Problem(session.attendance, "council_role_once", {"found": words}))
    alike = Counter(fold(seat.words) for seat in seats)
    if rule.ballot == "signed":
        twice = [words for words in alike if alike[words] > 1]
        problems += [Problem(session.attendance, "council_seats_alike", {"found": words}) for words in twice]
    here = {fold(seat.words): seat.words for seat in seats if seat.present}
    for at, counter in enumerate(session.counters, start=1):
        values = {"found": counter, "expected": nearest(counter, here.values())}
        place = f"counters[{at}]"
        if fold(counter) not in here:
            problems.append(Problem(FILE, "council_counter_absent", values, column=place))
        elif [fold(other) for other in session.counters].count(fold(counter)) > alike[fold(counter)]:
            problems.append(Problem(FILE, "council_counter_twice", values, column=place))
    return problems


def _rows(path: Path, name: str, titles: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], list[tuple]]:
    """Column title by item, and rows of (line, cells by item)."""
    cells = read_grid(path, name).cells.astype(str).map(normal_form)
    meant = {fold(words): item for item, spellings in titles.items() for words in spellings}
    known = cells.map(lambda cell: fold(cell) in meant).sum(axis=1)
    header = int(known.idxmax())
    below = cells.loc[header + 1 :]
    words = {at: title for at, title in cells.loc[header].items() if title or (below[at] != "").any()}
    items = {at: meant.get(fold(title), "") for at, title in words.items()}
    problems = [Problem(name, "column_missing", {"found": titles[item][0]}, header)
                for item in titles if item not in items.values()]  # fmt: skip
    for at, item in items.items():
        if not item:
            problems.append(_strange_column(name, words[at], titles, header))
        elif list(items.values()).index(item) != list(items).index(at):
            problems.append(Problem(name, "column_twice", {"found": words[at]}, header))
    raise_any(problems)
    rows = [(line, {item: row[at] for at, item in items.items()}) for line, row in below.iterrows()]
    return {item: words[at] for at, item in items.items()}, rows


def _strange_column(name: str, found: str, titles: Mapping[str, tuple[str, ...]], line: int) -> Problem:
    if any(re.search(rf"\b{word}\b", fold(found)) for word in map(fold, _NAMING)):
        return Problem(name, "council_naming_column", {"found": found}, line)
    expected = ", ".join(words[0] for words in titles.values())
    return Problem(name, "column_unknown", {"found": found, "expected": expected}, line)


def _read_seats(path: Path, name: str) -> tuple[Seat, ...]:
    words, rows = _rows(path, name, {key: _TITLES[key] for key in ("role", "present")})
    problems, seats = [], []
    spelled = {fold(spelling): role for role, spellings in _ROLES.items() for spelling in spellings}
    presence = {fold(spelling): here for here, spellings in _PRESENCE.items() for spelling in spellings}
    for line, row in rows:
        role = spelled.get(fold(re.sub(r"\s*\d+$", "", row["role"])))
        here = presence.get(fold(row["present"]))
        if role is None:
            expected = ", ".join(spellings[0] for spellings in _ROLES.values())
            problems.append(Problem(name, "council_role_unknown", {"expected": expected}, line, words["role"]))
        if here is None:
            values = {"found": row["present"]}
            problems.append(Problem(name, "council_presence_unknown", values, line, words["present"]))
        if role and here is not None:
            seats.append(Seat(row["role"], role, here))
    raise_any(problems)
    return tuple(seats)


def _read_ballots(path: Path, council: Council) -> tuple[tuple[Ballot, ...], list[Problem]]:
    """The ballots, and what to know about their number. Roles are not compared where attendance could not be read."""
    name, rule = council.session.ballots, council.rule
    titles = _item_titles(council)
    if rule.ballot == "signed":
        titles = {"role": _TITLES["role"], **titles}
    words, rows = _rows(path, name, titles)
    problems, ballots = [], []
    seats = {fold(seat.words): seat.words for seat in council.seats}
    grades = {fold(w): g.code for g in rule.grades for w in (g.code, g.label.vi, g.label.en)}
    for line, row in rows:
        seat = row.pop("role", None)
        if seat == "":
            problems.append(Problem(name, "council_signed_without_role", {}, line, words["role"]))
        elif seat is not None and seats and fold(seat) not in seats:
            expected = nearest(seat, seats.values())
            problems.append(Problem(name, "council_seat_unknown", {"expected": expected}, line, words["role"]))
        marks = {}
        for item, cell in row.items():
            filled = bool(cell) and fold(cell) not in _BLANK
            found = [_mark(part, grades, rule) for part in cell.split("|")] if filled else [None]
            if filled and None in found:
                key = "council_points_unknown" if rule.points else "council_mark_unknown"
                expected = "0, 7.5, 10" if rule.points else ", ".join(grade.label.vi for grade in rule.grades)
                problems.append(Problem(name, key, {"found": cell, "expected": expected}, line, words[item]))
            marks[item] = tuple(found) if len(found) > 1 else found[0]
        ballots.append(Ballot(marks, seat, line))
    wrong, notices = _count_ballots(ballots, council)
    raise_any([*problems, *wrong])
    blank = (council.session.returned or len(ballots)) - len(ballots)
    return (*ballots, *[Ballot({})] * blank), notices


def _count_ballots(ballots: list[Ballot], council: Council) -> tuple[list[Problem], list[Problem]]:
    """Problems and notices of how many ballots there are: of each member, and beside those present and returned."""
    name, declared = council.session.ballots, council.session.returned
    counts = {"found": len(ballots), "present": sum(seat.present for seat in council.seats)}
    counts["returned"] = counts["found"] if declared is None else declared
    counts["blank"] = counts["returned"] - counts["found"]
    handed = defaultdict(list)
    for ballot in ballots:
        handed[fold(ballot.seat or "")].append(ballot.line)
    twice = [", ".join(map(str, lines)) for seat, lines in handed.items() if seat and len(lines) > 1]
    key = f"council_twice_{council.rule.invalid.repeated}"
    problems, notices = [], [Problem(name, key, {"lines": lines}) for lines in twice]
    most = max(counts["returned"], counts["found"])
    if council.seats and most > counts["present"]:
        # Members who handed in several may be why there are too many.
        problems += [Problem(name, "council_too_many", counts | {"found": most}), *notices]
    if counts["blank"] < 0:
        problems.append(Problem(FILE, "council_returned", counts, column="returned"))
    elif counts["blank"]:
        notices.append(Problem(name, "council_rows_blank", counts))
    elif declared is None:
        if counts["found"] < counts["present"]:
            notices.append(Problem(name, "council_rows_missing", counts))
        for above, below in pairwise(ballot.line or 0 for ballot in ballots):
            notices += [Problem(name, "council_row_empty", {}, line) for line in range(above + 1, below)]
    return problems, notices


def _incidents(council: Council) -> list[Problem]:
    """Ballots that do not count as they are, what the session lacked, and why there is no rating from the ballots."""
    found, verdict = [], decide(council)
    for step in verdict.steps:
        key, values = f"council_step_{step.key}", dict(step.values)
        for name, value in values.items():
            if isinstance(value, date):
                values[name] = {language: day(value, language) for language in LANGUAGES}
        lines = [str(line) for line in values.get("lines", ()) if line]
        if lines and step.key != "invalid_repeated":  # told already, with what the rule does
            told = {language: text(key, language, **values) for language in LANGUAGES}
            found.append(Problem(council.session.ballots, "council_lines", {"told": told, "lines": ", ".join(lines)}))
        if step.passed is False and "rating" not in values:
            found.append(Problem(FILE, key, values))
    if verdict.outcome != "rated":
        told = {language: text("council_basis_declared", language) for language in LANGUAGES}
        rating = council.rule.grade_label(verdict.rating).model_dump() if verdict.rating else ""
        found.append(Problem(FILE, f"council_result_{verdict.outcome}", {"basis": told, "rating": rating}))
    return found


def _mark(part: str, grades: Mapping[str, str], rule: Rule) -> Any:
    """A grade's code, or points as an exact fraction; None where a text is neither."""
    if rule.votes:
        return grades.get(fold(part))
    written = part.strip().replace(",", ".")
    return Fraction(written) if re.fullmatch(r"-?\d{1,4}(\.\d{1,4})?", written) else None


def _item_titles(council: Council) -> dict[str, tuple[str, ...]]:
    if council.rule.points:
        return {c.code: (c.label.vi, c.label.en, c.code) for c in council.rule.criteria}
    titles = {key: _TITLES[key] for key in council.items if key in _TITLES}
    graded = {
        f"{p.code}.{c.code}": tuple(f"{p.code} {word}" for word in (c.label.vi, c.label.en, c.code))
        for p in council.session.products
        for c in criteria_of(p, council.rule)
    }
    return graded | titles


def _check_amounts(ballots: tuple[Ballot, ...], council: Council) -> list[Problem]:
    """What was delivered must be declared where a ballot finds an amount short, for the rule asks how short."""
    lowest = council.rule.grades[0].code
    problems = []
    for at, product in enumerate(council.session.products, start=1):
        for criterion in criteria_of(product, council.rule) if council.rule.member else ():
            item = f"{product.code}.{criterion.code}"
            short = any(ballot.marks.get(item) == lowest for ballot in ballots)
            if criterion.kind == "amount" and short and criterion.code not in product.amounts:
                place = f"products[{at}].amounts.{criterion.code}"
                problems.append(Problem(FILE, "council_amount_missing", {"found": criterion.code}, column=place))
    return problems
