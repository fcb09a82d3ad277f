"""What a report ends with: its results in one table, the questionnaire, the software."""

from __future__ import annotations

import pandas as pd

from evalkit.claims import Claim
from evalkit.language import Language, label, text
from evalkit.licence import compares, licence
from evalkit.paper_forms import questions
from evalkit.provenance import software as versions
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import Study
from evalkit.tracing import as_name
from evalkit.values import Values, hidden_groups, main_group, titled, unit_words


def results(effects: pd.DataFrame, claims: list[Claim], study: Study, language: Language) -> pd.DataFrame:
    """Every outcome of the plan in one row: before, after, difference, and what may be said of it.

    claims: of `claims.claims`. The group is that of the conclusion: the pilot units where there are any, else all;
    the difference to the comparison units beside it. Hidden groups stay hidden.
    """
    values, rows = Values(effects, study, language), []
    group = "all" if main_group(effects, study, study.plan.primary[0]) == "all" else "pilot"
    for indicator in study.plan.outcomes:
        hidden = hidden_groups(effects, study, indicator)
        said = {claim.group: claim.direction for claim in claims if claim.indicator == indicator}
        row = {"indicator": label(study.index[indicator].label, language)}
        small = text("suppressed", language, minimum=study.declared.privacy.minimum_cell)
        for period in ("before", "after"):
            level = values.row(indicator, group, "level", period, "linearised")
            row[period] = small if hidden[group] else values.shown(level)
        change = values.row(indicator, group, "change", CHANGE, "linearised")
        row["unit"] = unit_words(study, indicator, change["unit"], language)
        if licence(study, indicator) == "describe":
            rows.append(row | {"change": text("not_compared", language), "may_say": text("may_say_each", language)})
            continue
        row["change"] = small if hidden[group] else values.shown(change)
        row["may_say"] = text(f"may_say_{said.get(group, 'none')}", language)
        if compares(study, indicator):
            did = values.row(indicator, BETWEEN, "did", DID, "unit t")
            row["did"] = small if hidden[BETWEEN] else values.shown(did)
            row["may_say_did"] = text(f"may_say_did_{said.get(BETWEEN, 'none')}", language)
        rows.append(row)
    columns = ("indicator", "unit", "before", "after", "change", "may_say", "did", "may_say_did")
    present = [column for column in columns if any(column in row for row in rows)]
    return titled([{column: row.get(column, "–") for column in present} for row in rows], language)


def products(study: Study, language: Language) -> pd.DataFrame:
    """What was ordered and what was delivered, as `[report]` of study.toml declares it; empty where it does not."""
    form = study.declared.report
    rows = [
        {
            "product": label(product.name, language),
            "product_unit": label(product.unit, language) if product.unit else "–",
            "ordered": as_name(product.ordered),
            "delivered": as_name(product.delivered),
            "quality": label(product.quality, language) if product.quality else "–",
        }
        for product in (form.products if form else ())
    ]
    return titled(rows, language)


def questionnaire(study: Study, language: Language) -> pd.DataFrame:
    """The questions as they are asked, numbered as on paper, with their answers."""
    rows = []
    for question in questions(study):
        scale = question.first.scale
        answers = [label(one.labels, language) for one in scale.valid] if scale else []
        if question.first.choice is not None:
            answers = [label(one.choice.labels, language) for one in question.variables if one.choice]
        rows.append(
            {
                "number": as_name(question.number),
                "question": as_name(question.words(language)),
                "answers": as_name("; ".join(answers) or text(f"answer_{question.first.type}", language)),
            }
        )
    return titled(rows, language)


def software(language: Language) -> pd.DataFrame:
    """The software that computed the report, with its versions."""
    rows = [{"software": name, "version": as_name(number)} for name, number in versions().items()]
    return titled(rows, language)
