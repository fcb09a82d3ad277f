"""One-stop cases as people read them: every on-time rate with the letter of its definition."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from evalkit.case_series import DEFINITIONS, durations, on_time, posted, series
from evalkit.cases import FLAWS, Cases, Definition
from evalkit.cases import quality as case_quality
from evalkit.language import Language, day, label, listing, number, text
from evalkit.sample import BETWEEN
from evalkit.study import Study
from evalkit.values import shown, shown_p, titled


def quality(cases: Cases, language: Language) -> pd.DataFrame:
    """What each file held: cases read, with result, open, never taken in, from elsewhere, contradictory."""
    rows = []
    for row in case_quality(cases).to_dict("records"):
        counts = {name: row[name] for name in ("read", "ended", "open", "never", "elsewhere")}
        counts["flawed"] = sum(row[flaw] for flaw in FLAWS)
        rows.append(
            {"case_file": row["file"]} | {f"case_{name}": number(n, 0, language) for name, n in counts.items()}
        )
    return titled(rows, language)


def read_sentence(cases: Cases, language: Language) -> str:
    """How many cases were read and how they stand, in words."""
    counts = case_quality(cases).drop(columns="file").sum()
    shown_counts = {name: number(float(counts[name]), 0, language) for name in ("read", "ended", "open", "never")}
    said = [text("case_read_sentence", language, cut=day(cases.declared.data_cut, language), **shown_counts)]
    for name, count in (("flawed", counts[list(FLAWS)].sum()), ("elsewhere", counts["elsewhere"])):
        if count:
            said.append(text(f"case_{name}_some", language, count=number(float(count), 0, language)))
        else:
            said.append(text(f"case_{name}_none", language))
    return " ".join(said)


def source_sentence(cases: Cases, study: Study, language: Language) -> str:
    """That pilot and comparison units record cases in different ways; empty where they do not."""
    arms = cases.frame["unit"].astype("str").map(study.design.arms)
    sources = {source.file: source for source in cases.declared.sources}
    files = cases.frame.groupby(arms)["file"].unique()
    if not {"pilot", "comparison"} <= set(files.index):
        return ""
    used = {arm: [sources[file] for file in files[arm]] for arm in ("pilot", "comparison")}
    ways = [{(source.layout, tuple(sorted(source.titles.items()))) for source in used[arm]} for arm in used]
    if ways[0] == ways[1]:
        return ""
    words = {
        arm: listing(
            [text(f"case_layout_{one}", language) for one in dict.fromkeys(each.layout for each in found)], language
        )
        for arm, found in used.items()
    }
    return text("case_sources_differ", language, **words)


def definition_sentence(definition: Definition, language: Language) -> str:
    """What a definition counts."""
    return text(f"case_definition_{definition}", language) + "."


def definitions(cases: Cases, language: Language) -> pd.DataFrame:
    """The on-time rate of the whole time since the launch (else of all records) under A, B, C and D."""
    rows = []
    for letter, found in _whole(cases).items():
        rows.append(
            {"case_definition": text(f"case_definition_{letter}", language),
             "case_numerator": number(found["numerator"], 0, language),
             "case_denominator": number(found["denominator"], 0, language),
             "case_percent": _percent(found["percent"], letter, language)}
        )  # fmt: skip
    return titled(rows, language)


def definition_spread(cases: Cases, language: Language) -> str:
    """How far the definitions lie apart on the same cases, in words; empty where there is nothing to count."""
    found = {
        letter: 100 * row["numerator"] / row["denominator"]
        for letter, row in _whole(cases).items()
        if row["denominator"] > 0
    }
    if not found:
        return ""
    ends = {"low": min(found, key=lambda letter: found[letter]), "high": max(found, key=lambda letter: found[letter])}
    values = {end: number(found[letter], 1, language) for end, letter in ends.items()}
    values |= {f"{end}_letter": letter for end, letter in ends.items()}
    return text("case_definition_spread", language, **values)


def rates(cases: Cases, study: Study, language: Language, *, by: str) -> pd.DataFrame:
    """Cases received and on-time rate before and after the launch, by `unit` or `field`.

    Where the denominator is 0 or below the study's smallest cell, the table says so in place of the rate.
    """
    letter = cases.declared.definition
    parts = {
        period: on_time(series(cases, by=(by,), periods=span), letter).set_index(by)
        for period, span in _spans(cases).items()
    }
    rows = []
    for key in dict.fromkeys(key for part in parts.values() for key in part.index):
        name = study.unit_label(key, language) if by == "unit" else str(key) or "–"
        row = {"case_place": name}
        for period, part in parts.items():
            found = part.loc[key] if key in part.index else None
            row[f"case_received_{period}"] = number(found["received"], 0, language) if found is not None else "–"
            if found is None:
                shown_rate = "–"
            elif not found["denominator"]:
                shown_rate = text("case_none_counted", language)
            elif found["denominator"] < (minimum := study.declared.privacy.minimum_cell):
                shown_rate = text("suppressed", language, minimum=minimum)
            else:
                shown_rate = _percent(found["percent"], letter, language)
            row[f"case_percent_{period}"] = shown_rate
        rows.append(row)
    return titled(rows, language)


def duration_table(cases: Cases, study: Study, language: Language) -> pd.DataFrame:
    """Median days to a result by unit and time of receipt, open cases counted as open."""
    rows = []
    found = durations(cases, groups=cases.frame["unit"].astype("str"), level=study.plan.confidence_level)
    order = {unit: at for at, unit in enumerate(study.design.arms)}
    for row in found.sort_values("group", key=lambda group: group.map(order), kind="stable").to_dict("records"):
        period = text(f"period_{row['period']}", language) if row["period"] != "all" else "–"
        rows.append(
            {"commune": study.unit_label(row["group"], language), "case_period": period,
             "case_cases": number(row["n"], 0, language),
             "case_open": number(row["n"] - row["ended"], 0, language),
             "case_median": shown(row["median"], 0, language),
             "case_interval": _interval(row["low"], row["high"], 0, language),
             "case_mean_closed": shown(row["mean_closed"], 1, language)}
        )  # fmt: skip
    return titled(rows, language)


def launch(effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """The changes at the launch, of arms and their difference; `effects` from `case_series.launch_effects`."""
    rows = []
    arms = effects[~effects["group"].isin(list(study.design.arms))]
    for row in arms.to_dict("records"):
        rows.append(
            {"group": _group(row["group"], study, language),
             "case_estimand": text(f"case_estimand_{_quantity(row)}", language),
             "case_method": text(f"case_method_{row['method'].replace(' ', '_').replace('-', '_')}", language),
             "case_estimate": shown(row["estimate"], 1, language, sign=True),
             "case_interval": _interval(row["conf_low"], row["conf_high"], 1, language, sign=True),
             "case_p": shown_p(row["p_value"], language) if np.isfinite(row["p_value"]) else "–"}
        )  # fmt: skip
    level = number(100 * study.plan.confidence_level, 0, language)
    interval = text("case_interval_level", language, level=level)
    return titled(rows, language).rename(columns={text("column_case_interval", language): interval})


def launch_sentences(effects: pd.DataFrame, cases: Cases, study: Study, language: Language) -> list[str]:
    """What the interrupted series of the arms show; that a change is shown needs an interval without zero."""
    found = effects[(effects["estimand"] == "level break") & (effects["method"] == "interrupted series")]
    found = found[~found["group"].isin(list(study.design.arms))]
    if found.empty:
        return [text("case_series_short", language)]
    sentences, unclear = [], -1
    for at, row in enumerate(found.to_dict("records")):
        values = {
            "group": _group(row["group"], study, language), "definition": cases.declared.definition,
            "estimate": shown(row["estimate"], 1, language, sign=True),
            "low": shown(row["conf_low"], 1, language, sign=True),
            "high": shown(row["conf_high"], 1, language, sign=True),
        }  # fmt: skip
        if not np.isfinite(row["p_value"]):
            sentences.append(text("case_break_no_p", language, **values))
        elif row["conf_low"] > 0 or row["conf_high"] < 0:
            sentences.append(text("case_break_shown", language, p=shown_p(row["p_value"], language), **values))
        else:
            key = "case_break_between_not_shown" if row["group"] == BETWEEN else "case_break_not_shown"
            sentences.append(text(key, language, p=shown_p(row["p_value"], language), **values))
            unclear = at
    if unclear >= 0:
        sentences[unclear] += " " + text("case_break_caveat", language)
    return sentences


def checklist(cases: Cases, study: Study, language: Language) -> pd.DataFrame:
    """Procedures reviewed and posted publicly, before and after, by unit."""
    rows = [
        {"commune": study.unit_label(row["unit"], language), "case_time": text(f"period_{row['period']}", language),
         **{f"case_{name}": number(row[name], 0, language) for name in ("procedures", "reviewed", "posted")}}
        for row in posted(cases).to_dict("records")
    ]  # fmt: skip
    return titled(rows, language)


def checklist_sentence(cases: Cases, language: Language) -> str:
    """Where the words reviewed and posted come from, and what the team declares to mean by them."""
    declared = cases.declared.checklist_rule
    if declared:
        rule = text("case_checklist_declared", language, rule=label(declared, language))
    else:
        rule = text("case_checklist_undeclared", language)
    return text("case_checklist_meaning", language, rule=rule)


def span(cases: Cases, language: Language) -> dict[str, str]:
    """The first and last day of `definitions`, in words."""
    start = cases.declared.launch or cases.declared.data_start
    return {"start": day(start, language), "end": day(cases.declared.data_cut, language)}


def _spans(cases: Cases) -> dict[str, pd.DataFrame]:
    declared = cases.declared
    split = declared.launch or declared.data_cut + timedelta(days=1)
    spans = {"before": (declared.data_start, split - timedelta(days=1)), "after": (split, declared.data_cut)}
    return {
        period: pd.DataFrame({"start": [pd.Timestamp(start)], "end": [pd.Timestamp(end)]})
        for period, (start, end) in spans.items()
        if start <= end
    }


def _whole(cases: Cases) -> dict[Definition, dict[str, float]]:
    period = list(_spans(cases).values())[-1]
    counts = series(cases, periods=period)
    return {letter: on_time(counts, letter).iloc[0].to_dict() for letter in DEFINITIONS}


def _percent(value: float, definition: Definition, language: Language) -> str:
    """The rate and the letter of its definition; A has no fractions."""
    return f"{shown(value, 0 if definition == 'A' else 1, language)} ({definition})" if np.isfinite(value) else "–"


def _interval(low: float, high: float, decimals: int, language: Language, *, sign: bool = False) -> str:
    if not (np.isfinite(low) or np.isfinite(high)):
        return "–"
    ends = [shown(end, decimals, language, sign=sign) if np.isfinite(end) else "…" for end in (low, high)]
    return text("range", language, low=ends[0], high=ends[1])


def _quantity(row: Mapping[Hashable, Any]) -> str:
    """The estimand as a key; a change is one of days or of percentage points."""
    if row["estimand"] != "change":
        return str(row["estimand"]).replace(" ", "_")
    return "days" if row["unit"] == "days" else "points"


def _group(group: str, study: Study, language: Language) -> str:
    if group in study.design.arms:
        return study.unit_label(group, language)
    return text(f"case_group_{group.replace(' - ', '_')}", language)
