"""What the registers show, as tables and sentences; counts of too few items are left out."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from evalkit.effects import select
from evalkit.language import Language, day, listing, number, plain, text
from evalkit.register_files import COUNTS, KINDS, Registers
from evalkit.registers import FEW, PERSONAL, comparability, compared_months, licence
from evalkit.sample import BETWEEN
from evalkit.study import PERIODS, Study
from evalkit.tracing import as_name
from evalkit.units import compare_units
from evalkit.values import group_label, shown, shown_p, suppressed, titled


def received(months: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """What was received, resolved and on time by kind, arm and period; `months` from `registers.monthly`.

    All months of a period. Numbers that no column of the registers gives are an en dash. Where fewer items of a
    `PERSONAL` kind than the study's smallest cell are within competence or judged, nothing more is told of them;
    where fewer were received, only that.
    """
    rows = []
    arm = months["unit"].map(study.design.arms).fillna("all")
    for (kind, group, period), found in _sorted(months.assign(group=arm)[months["period"] != ""]):
        sums = found[[*COUNTS, "judged", "open"]].sum(min_count=len(found))
        row = {"kind": text(f"register_kind_{kind}", language), "unit": group_label(study, group, language)}
        row |= {"period": text(f"period_{period}", language), "months": shown(found["month"].nunique(), 0, language)}
        names = ("received", "within_competence", "resolved", "open", "judged", "on_time")
        few = {name: kind in PERSONAL and 0 < sums[name] < study.declared.privacy.minimum_cell for name in names}
        part = few["received"] or few["within_competence"] or few["judged"]
        small = suppressed(study, language)
        hidden = {name: few["received"] if name == "received" else part for name in names}
        row |= {name: small if hidden[name] else shown(sums[name], 0, language) for name in names}
        rows.append({f"register_{name}": value for name, value in row.items()})
    return titled(rows, language)


def shares(effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Shares of each arm before and after with intervals, and the difference; `effects` from `register_effects`."""
    rows = []
    for kind, share, found in _indicators(effects):
        for group in [name for name in ("pilot", "comparison", "all") if (found["group"] == name).any()]:
            row = {"register_kind": text(f"register_kind_{kind}", language)}
            row |= {"register_measure": share_label(share, language)}
            row |= {"group": group_label(study, group, language)}
            levels = {period: _one(found, group, "level", contrast=period) for period in PERIODS}
            row |= {period: _estimate(one, study, language) for period, one in levels.items()}
            row["register_change"] = _estimate(_one(found, group, "change"), study, language, signed=True)
            did, placebo = ({}, {}) if group != "pilot" else (_did(found, method) for method in ("unit t", "placebo"))
            row["register_did"] = _estimate(did, study, language, signed=True)
            row["register_placebo"] = shown_p(placebo["p_value"], language) if placebo else "–"
            rows.append(row)
    frame = titled(rows, language)
    return frame.loc[:, [(frame[name] != "–").any() for name in frame]] if len(frame) else frame


def months_sentence(months: pd.DataFrame, language: Language, *, table: Literal["all", "same"]) -> str:
    """Which months a table counts: `all` of a period, or the `same` of both; empty where both are one.

    months: from `registers.monthly`.
    """
    compared = compared_months(months)
    if len(compared) == len(months):
        return ""
    calendar = sorted(compared["month"].dt.month.unique())
    words = listing([as_name(month) for month in calendar], language)
    if len(calendar) > 2 and calendar[-1] - calendar[0] == len(calendar) - 1:
        words = as_name(f"{calendar[0]}–{calendar[-1]}")
    return text(f"register_{table}_months", language, months=words)


def units(effects: pd.DataFrame, study: Study, language: Language, *, kind: str) -> pd.DataFrame:
    """On-time shares of each unit before and after, with n/N; empty where there is none."""
    found = on_time(effects, kind)
    found = found[found["estimand"] == "level"]
    codes = [code for code in study.design.arms if (found["group"] == code).any()]
    rows = []
    for code in codes:
        row = {"register_unit": group_label(study, code, language)}
        for period in PERIODS:
            level = _one(found, code, "level", contrast=period)
            row[period] = _estimate(level, study, language)
            if level and not level["note"]:
                n = level[f"n_{period}"]
                hits = number(level["estimate"] * n / 100, 0, language)
                row[period] += f"; {hits}/{number(n, 0, language)}"
        rows.append(row)
    return titled(rows, language)


def durations(found: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Median days until resolved with intervals; `found` from `registers.durations`, rows of too few items hidden."""
    rows = []
    small = suppressed(study, language)
    for row in found.to_dict("records"):
        few = np.isnan(row["n"])
        median = shown(row["median"], 0, language)
        if np.isfinite([row["median"], row["conf_low"], row["conf_high"]]).all():
            median += f" ({number(row['conf_low'], 0, language)}–{number(row['conf_high'], 0, language)})"
        rows.append(
            {
                "register_kind": text(f"register_kind_{row['kind']}", language),
                "group": group_label(study, row["group"], language),
                "register_period": text(f"period_{row['period']}", language),
                "register_items": small if few else number(row["n"], 0, language),
                "register_resolved": small if few else number(row["resolved"], 0, language),
                "register_median": small if few else median,
            }
        )
    return titled(rows, language)


def about_sentences(registers: Registers, study: Study, language: Language) -> list[str]:
    """What the registers cover, how the on-time share is defined, and whether before and after may be compared."""
    rules = registers.rules
    sentences = [
        text("register_scope", language, start=day(rules.data_start, language), cut=day(rules.data_cut, language)),
        text(f"register_definition_{rules.on_time}", language),
    ]
    reasons = [text(reason, language) for reason in comparability(registers)]
    if reasons:
        sentences.append(text("register_not_comparable", language, reasons=listing(reasons, language)))
    return sentences


def sentences(effects: pd.DataFrame, registers: Registers, study: Study, language: Language) -> list[str]:
    """What may be said of each on-time share, one paragraph a kind, in the strongest words that are licensed.

    Of a difference to comparison units "more" or "less" is said only where the unit-level interval leaves out zero
    and, if the plan's unit test is the placebo, its p-value is small enough as well.
    """
    words, paragraphs, first = licence(registers, study), [], True
    for kind, share, found in _indicators(effects):
        if not share.startswith("on_time"):
            continue
        group = "pilot" if (found["group"] == "pilot").any() else "all"
        levels = {period: _one(found, group, "level", contrast=period) for period in PERIODS}
        if not all(one and not one["note"] for one in levels.values()):
            continue
        values = {period: f"{number(one['estimate'], 1, language)}%" for period, one in levels.items()}
        values |= {
            f"hits_{period}": text("register_of", language, n=number(one[f"n_{period}"], 0, language))
            for period, one in levels.items()
        }
        names = {"kind": text(f"register_kind_{kind}", language), "share": share_label(share, language)}
        names |= {"group": plain(group_label(study, group, language))}
        paragraph = [text("register_level", language, **names, **values)]
        did = _did(found, "unit t")
        tall = found.loc[found["estimand"] == "did", "note"]
        if words in ("changed_more", "effect") and len(tall) and not did:
            minimum = study.declared.privacy.minimum_cell
            paragraph.append(text("register_too_few", language, minimum=minimum))
        elif words in ("changed_more", "effect") and did and np.isfinite(did["conf_low"]):
            placebo = _did(found, "placebo")["p_value"]
            sure = study.plan.unit_test == "unit t" or placebo <= 1 - study.plan.confidence_level + 1e-12
            paragraph.append(_said("more", did, study, language, sure=bool(sure), p=shown_p(placebo, language)))
            if words != "effect" and sure and (did["conf_low"] > 0 or did["conf_high"] < 0):
                paragraph.append(text("register_not_attributed", language))
            if first:
                paragraph.append(_smallest_p(study, language))
                first = False
        elif words != "describe" and (change := _one(found, group, "change")):
            paragraph.append(_said("changed", change, study, language, sure=True))
        paragraphs.append(" ".join(paragraph))
    return paragraphs


def on_time(effects: pd.DataFrame, kind: str) -> pd.DataFrame:
    """The effects of a kind's on-time share, whichever its definition."""
    return effects[effects["indicator"].str.startswith(f"register_{kind}_on_time_")]


def share_label(share: str, language: Language) -> str:
    """A share in words, the on-time share with what it is a share of."""
    return text(f"register_share_{share}", language)


def quiet_kinds(months: pd.DataFrame, study: Study) -> list[str]:
    """Kinds with a month in which an arm received some items but fewer than the smallest cell: not shown by month."""
    arm = months["unit"].map(study.design.arms).fillna("all")
    totals = months.groupby(["kind", arm, "month"])["received"].sum()
    few = totals[(totals > 0) & (totals < study.declared.privacy.minimum_cell)]
    return [kind for kind in PERSONAL if kind in few.index.get_level_values("kind")]


def quiet_sentence(months: pd.DataFrame, study: Study, language: Language) -> str:
    """Which kinds are not drawn by month, and why; empty where all are."""
    kinds = [text(f"register_kind_{kind}", language) for kind in quiet_kinds(months, study)]
    minimum = study.declared.privacy.minimum_cell
    return text("register_hidden_kinds", language, kinds=listing(kinds, language), minimum=minimum) if kinds else ""


def quiet_shares_sentence(effects: pd.DataFrame, study: Study, language: Language) -> str:
    """Which on-time shares of arms the figure leaves out, and why; empty where it has all."""
    hidden = []
    for kind in KINDS:
        levels = on_time(effects, kind).query("estimand == 'level'")
        for group in ("pilot", "comparison", "all"):
            rows = levels[levels["group"] == group]
            if (rows["note"] == FEW).any():
                hidden.append(f"{text(f'register_kind_{kind}', language)} – {group_label(study, group, language)}")
    minimum = study.declared.privacy.minimum_cell
    return text("register_hidden_shares", language, rows=listing(hidden, language), minimum=minimum) if hidden else ""


def _smallest_p(study: Study, language: Language) -> str:
    """The least p that the placebo test can give with these units."""
    pilot = [arm == "pilot" for arm in study.design.arms.values()]
    smallest = compare_units(range(len(pilot)), pilot).smallest_p
    return text("smallest_p", language, p=shown_p(smallest, language), test=text("test_placebo", language))


def _sorted(months: pd.DataFrame) -> Any:
    """Groups of rows by kind, arm and period in the order in which they are read."""
    order = {"kind": list(KINDS), "group": ["pilot", "comparison", "all"], "period": list(PERIODS)}
    typed = {name: pd.Categorical(months[name], categories=values) for name, values in order.items()}
    return months.assign(**typed).groupby(list(order), observed=True)


def _indicators(effects: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Kind, share and rows of each indicator that the effects have."""
    found: list[tuple[str, str, pd.DataFrame]] = []
    for kind in KINDS:
        for share in ("on_time_of_due", "on_time_of_resolved", "within_competence"):
            rows = effects[effects["indicator"] == f"register_{kind}_{share}"]
            if len(rows):
                found.append((kind, share, rows))
    return found


def _one(found: pd.DataFrame, group: str, estimand: str, **where: str) -> dict[str, Any]:
    """The row of an estimate; empty where there is none."""
    rows = select(found, group=group, estimand=estimand, **where)
    return rows.iloc[0].to_dict() if len(rows) else {}


def _did(found: pd.DataFrame, method: str) -> dict[str, Any]:
    """The comparison with other units; empty where there is none, or one of them has too few items."""
    return _one(found, BETWEEN, "did", method=method, note="")


def _estimate(row: dict[str, Any], study: Study, language: Language, *, signed: bool = False) -> str:
    """An estimate with its interval; an en dash where there is none."""
    if row and row["note"] == FEW:
        return suppressed(study, language)
    if not row or not np.isfinite(row["estimate"]):
        return "–"
    words = number(row["estimate"], 1, language, sign=signed)
    if np.isfinite(row["conf_low"]):
        low, high = (number(row[name], 1, language, sign=signed) for name in ("conf_low", "conf_high"))
        words += f" ({text('range', language, low=low, high=high)})"
    return words


def _said(kind: str, row: dict[str, Any], study: Study, language: Language, *, sure: bool, **values: str) -> str:
    up, down = row["conf_low"] > 0 and sure, row["conf_high"] < 0 and sure
    change = abs(row["estimate"]) if up or down else row["estimate"]
    values |= {"change": number(change, 1, language, sign=not (up or down))}
    values |= {name: number(row[f"conf_{name}"], 1, language, sign=True) for name in ("low", "high")}
    values |= {"level": number(100 * study.plan.confidence_level, 0, language)}
    return text(f"register_{kind}_{'up' if up else 'down' if down else 'unclear'}", language, **values)
