"""The acceptance council as people read it: minutes of the count, and why the result is what it is."""

from __future__ import annotations

from collections import Counter
from datetime import date
from fractions import Fraction
from typing import Any

import pandas as pd

from evalkit.language import Language, day, label, listing, number, plain, text
from evalkit.proceedings import Council, Step, Verdict
from evalkit.tracing import as_name
from evalkit.values import titled


def sentences(verdict: Verdict, council: Council, language: Language) -> list[str]:
    """The result with its standing, why, the rule, what of it is unverified, and what the ballots tell of persons."""
    rule = council.rule
    words = {"rating": plain(label(rule.grade_label(verdict.rating), language))} if verdict.rating else {}
    found = [text(f"council_result_{verdict.outcome}", language, basis=_basis(verdict, language), **words)]
    found += _because(verdict, council, language)
    named = {"title": plain(label(rule.title, language)), "source": plain(label(rule.source, language))}
    found.append(text("council_rule_named", language, **named))
    if any(step.status == "unverified" for step in verdict.steps):
        found.append(text("council_rule_unverified", language))
    return [*found, text(f"council_{rule.ballot}", language)]


def minutes(council: Council, language: Language) -> list[str]:
    """When the council met, how many were there, and which members, by role, counted the votes."""
    present = sum(seat.present for seat in council.seats)
    met = {"day": day(council.session.day, language), "members": number(len(council.seats), 0, language)}
    found = [text("council_met", language, present=number(present, 0, language), **met)]
    if council.session.counters:
        counters = listing([plain(counter) for counter in council.session.counters], language)
        found.append(text("council_counted_by", language, counters=counters))
    return found


def why(verdict: Verdict, council: Council, language: Language) -> pd.DataFrame:
    """Every step that led to the result: what was looked at, whether it held, and what the clause rests on."""
    rows = [
        {
            "council_step": number(at, 0, language),
            "council_looked_at": step_sentence(step, council, language),
            "council_held": _held(step, council, language),
            "council_text": text(f"council_status_{str(step.status).lower()}", language),
        }
        for at, step in enumerate(verdict.steps, start=1)
    ]
    return titled(rows, language)


def step_sentence(step: Step, council: Council, language: Language) -> str:
    """One step in words; shares as `3/4`, means as exact as two decimals show them."""
    return text(f"council_step_{step.key}", language, **_words(step, council, language))


def attendance(council: Council, language: Language) -> pd.DataFrame:
    """How many members of each role were appointed and present."""
    appointed = Counter(seat.role for seat in council.seats)
    here = Counter(seat.role for seat in council.seats if seat.present)
    rows = [(text(f"council_role_{role}", language), appointed[role], here[role]) for role in appointed]
    rows.append((text("council_total", language), appointed.total(), here.total()))
    names = ("council_role", "council_appointed", "council_present")
    shown = [[_shown(cell, language) for cell in row] for row in rows]
    return titled([dict(zip(names, row, strict=True)) for row in shown], language)


def ballots(verdict: Verdict, language: Language) -> pd.DataFrame:
    """How many ballots were issued, returned, valid and invalid."""
    rows = [
        {"council_kind": text(f"council_count_{kind}", language), "council_count": number(count, 0, language)}
        for kind, count in verdict.ballots.items()
    ]
    return titled(rows, language)


def tally(verdict: Verdict, council: Council, language: Language) -> pd.DataFrame:
    """Valid ballots by overall grade; empty where points are given."""
    rows = [
        {
            "council_grade": label(council.rule.grade_label(row["grade"]), language),
            "council_count": number(row["count"], 0, language),
        }
        for row in verdict.tally[verdict.tally["item"] == "overall"].to_dict("records")
    ]
    return titled(rows, language)


def products(verdict: Verdict, council: Council, language: Language) -> pd.DataFrame:
    """Valid ballots by grade for every product and criterion, and for the report; empty where there are none."""
    named = {"report": (text("council_item_report", language), "–")} | {
        f"{product.code}.{criterion.code}": (label(product.label, language), label(criterion.label, language))
        for product in council.session.products
        for criterion in council.rule.criteria
    }
    rows = []
    for item, counts in verdict.tally[verdict.tally["item"] != "overall"].groupby("item", sort=False):
        product, criterion = named[item]
        row = {
            text("column_council_product", language): product,
            text("column_council_criterion", language): criterion,
        }
        for grade, count in zip(counts["grade"], counts["count"], strict=True):
            row[label(council.rule.grade_label(grade), language)] = number(count, 0, language)
        rows.append(row)
    return pd.DataFrame(rows)


def products_sentence(council: Council, language: Language) -> str:
    """Whether the grades by product enter the rule."""
    checked = {"invalid": "checked", "derived": "derived", "ticked": "apart"}[council.rule.invalid.disagreement]
    return text(f"council_products_{checked if council.rule.member else 'apart'}", language)


def points(verdict: Verdict, council: Council, language: Language) -> pd.DataFrame:
    """Mean points of the valid ballots by criterion; empty where grades are given."""
    labels = {criterion.code: label(criterion.label, language) for criterion in council.rule.criteria}
    rows = [
        {
            "council_criterion": labels[row["criterion"]],
            "council_maximum": _shown(row["maximum"], language),
            "council_mean": _shown(row["mean"], language),
        }
        for row in verdict.points.to_dict("records")
    ]
    return titled(rows, language)


def _basis(verdict: Verdict, language: Language) -> str:
    """How many of the conditions that were looked at are still to be compared with the original text."""
    known = [step.status for step in verdict.steps if step.status]
    if not known:
        return text("council_basis_untested", language)
    counts = {"open": known.count("unverified"), "conditions": len(known)}
    return text("council_basis", language, **{name: number(n, 0, language) for name, n in counts.items()})


def _because(verdict: Verdict, council: Council, language: Language) -> list[str]:
    """One sentence from rule and tally: where ratings tried before fell short, what the rating rests on."""
    if verdict.outcome not in ("rated", "undecided"):
        return []
    reasons = []
    if verdict.ballots["valid"] < verdict.ballots["present"]:
        reasons.append(text("council_because_few", language, **verdict.ballots))
    for step in verdict.steps:
        if step.key in ("at_least", "more_than", "at_most"):
            if step.passed and step.values["rating"] != verdict.rating:
                continue  # another condition is why this rating does not hold
            key = f"council_because_{step.key}_{str(step.passed).lower()}"
            reasons.append(text(key, language, **_words(step, council, language)))
    if not reasons:
        return []
    joined = "; ".join(reasons)
    words = {"reasons": joined[0].upper() + joined[1:]}
    if verdict.rating:
        words["rating"] = _quoted(verdict.rating, council, language)
    return [text(f"council_because_{verdict.outcome}", language, **words)]


def _held(step: Step, council: Council, language: Language) -> str:
    """Whether a condition held; for the lowest rating, that it does not is no failure."""
    lowest = step.values.get("rating") == council.rule.grades[0].code
    if lowest and step.key in ("at_least", "more_than", "at_most"):
        rating = _quoted(step.values["rating"], council, language)
        return text(f"council_held_{'fallen' if step.passed else 'avoided'}", language, rating=rating)
    return text(f"council_held_{str(step.passed).lower()}", language)


def _words(step: Step, council: Council, language: Language) -> dict[str, Any]:
    words: dict[str, Any] = {name: _shown(value, language) for name, value in step.values.items()}
    if "rating" in words:
        words["rating"] = _quoted(step.values["rating"], council, language)
    if "grades" in words:
        words["grades"] = "/".join(_quoted(code, council, language) for code in step.values["grades"])
    return words


def _quoted(grade: str, council: Council, language: Language) -> str:
    return text("council_quoted", language, words=label(council.rule.grade_label(grade), language))


def _shown(value: Any, language: Language) -> str:
    if value is None:
        return "–"
    if isinstance(value, date):
        return day(value, language)
    if isinstance(value, Fraction):
        return number(float(value), 0 if value.denominator == 1 else 2, language)
    return number(value, 0, language) if isinstance(value, int) else as_name(value)
