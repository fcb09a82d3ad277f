"""Registers of reception, dialogue and petitions: what they count by month, durations, on-time shares compared.

What goes out and what does not: a register counts cases, not people surveyed, but behind a reception, petition,
complaint or denunciation stands somebody who came or wrote, and in a commune two denunciations tell who. Of these
kinds (`PERSONAL`) every row that rests on fewer items than the study's smallest cell leaves `register_effects` and
`durations` empty, and so do others from which it would follow. Dialogues and the promises made there are public acts
of the authority and are never hidden. `monthly` is whole: it is reckoned with, and is not written to a report.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from statsmodels.duration.survfunc import SurvfuncRight
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from evalkit.disclosure import suppress_groups
from evalkit.effects import make_effects, with_intervals
from evalkit.licence import GATE, Licence
from evalkit.register_files import COUNTS, KINDS, RegisterRules, Registers
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import PERIODS, Study
from evalkit.units import compare_units

PERSONAL = ("reception", "petition", "complaint", "denunciation")  # somebody stands behind each item
FEW = "few_items"  # note of rows that rest on too few
SHARES = {"within_competence": "received", "on_time": "judged"}  # share → what it is a share of
_NO_COMPETENCE = ("promise", "dialogue")  # a unit makes and holds its own


def monthly(registers: Registers, study: Study) -> pd.DataFrame:
    """What was received, within competence, resolved, due and on time, by month, unit and kind.

    Returns month (first day), period (`before`, `after`, empty for the month in which the pilot began within the
    month), unit, kind, `COUNTS`, judged (what on_time is a share of) and open. Items stand in the month in which
    they were received; only those within competence are resolved, due or open. Each period is judged on its own
    last day: what was resolved or fell due later counts as open, neither kept nor failed. Counts stand as reported,
    their open ones unknown (NaN). A month of a kind that comes as items and has none counts zero.

        monthly(registers, study).groupby(["kind", "period"])["received"].sum()
    """
    counts = registers.counts.assign(open=np.nan)
    base = "due" if registers.rules.on_time == "of_due" else "resolved"
    counts["judged"] = counts[base].where(counts["on_time"].notna())
    parts = [_item_months(registers, study), counts]
    found = pd.concat([part for part in parts if len(part)] or parts[1:], ignore_index=True)
    found["period"] = _periods(found["month"], registers.rules)
    found = found.sort_values(["kind", "unit", "month"], key=_kind_order, ignore_index=True)
    return found[["month", "period", "unit", "kind", *COUNTS, "judged", "open"]]


def durations(registers: Registers, study: Study) -> pd.DataFrame:
    """Days from receipt to resolution by kind, group and period: Kaplan & Meier's median, open items censored.

    Returns kind, group (`pilot`, `comparison` or `all`), period, n, resolved, median, conf_low, conf_high (days; NaN
    where never reached; a row of few items is empty, see the head of this module). Items within competence; those
    received before the launch are followed to the day before it, later ones to the cut. The interval (log-log;
    Brookmeyer & Crowley 1982, Biometrics 38) is about these items and takes them as independent.

        durations(registers, study)
    """
    items = registers.items[registers.items["within_competence"]].copy()
    items["period"] = _periods(_month(items["received"]), registers.rules)
    ends = pd.to_datetime(items["period"].map(_period_ends(registers.rules)))
    items["done"] = (items["closed"] <= ends).astype(int)
    items["days"] = (items["closed"].where(items["done"] == 1, ends) - items["received"]).dt.days
    rows = []
    for kind, group, period in product(KINDS, groups := _groups(study), PERIODS):
        here = items[(items["kind"] == kind) & (items["period"] == period) & items["unit"].isin(groups[group])]
        if here.empty:
            continue
        row = {"kind": kind, "group": group, "period": period, "n": len(here), "resolved": here["done"].sum()}
        if kind in PERSONAL and len(here) < study.declared.privacy.minimum_cell:
            rows.append(row | {"n": np.nan, "resolved": np.nan})
            continue
        curve = SurvfuncRight(here["days"], here["done"])
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = curve.quantile_ci(0.5, alpha=1 - study.plan.confidence_level)
        rows.append(row | {"median": curve.quantile(0.5), "conf_low": low, "conf_high": high})
    numbers = ["n", "resolved", "median", "conf_low", "conf_high"]
    frame = pd.DataFrame(rows, columns=["kind", "group", "period", *numbers])
    return frame.assign(**frame[numbers].astype(float).replace(np.inf, np.nan))


def comparability(registers: Registers) -> list[str]:
    """Why before and after may not be compared: message keys, none where they may.

    The launch must be declared, the rules of counting known for all days, and one version must hold throughout.
    """
    rules = registers.rules
    if rules.launch is None:
        return ["register_no_launch"]
    known = sorted(rules.reporting, key=lambda one: one.since)
    if not known or known[0].since > rules.data_start:
        return ["register_no_reporting"]
    versions = [one.version for one in known if one.since <= rules.data_cut]
    ends = [*(one.since for one in known[1:]), date.max]
    held = {version for version, end in zip(versions, ends, strict=False) if end > rules.data_start}
    return ["register_reporting_differs"] if len(held) > 1 else []


def licence(registers: Registers, study: Study) -> Licence:
    """The strongest words that the registers and the design carry, by `licence.GATE`."""
    return GATE[not comparability(registers), study.design.compared, study.design.randomised]


def register_effects(registers: Registers, study: Study) -> pd.DataFrame:
    """Shares within competence and on time as rows of effects, in percent; their names by `indicator`.

    Levels of units and groups before and after pool their items (`wilson`: Wilson 1927, JASA 22), changes of groups
    too (`newcombe`: Newcombe 1998, Statistics in Medicine 17): their intervals are about these items, taken as
    independent. The difference-in-differences counts every unit once (`unit t`, `placebo`: `units.compare_units`).
    Where the pilot began is known, only calendar months that both periods have are compared, so that seasons do not
    pass for change; changes and differences only where `comparability` has no objection, differences only where
    there are comparison units that may be set against the pilots. Note `few_items`: too few items in a period. Rows
    of `PERSONAL` kinds are then empty, and with them their difference, from which they would follow; of other kinds
    only the difference has the note, since the share of such a unit says little.

        register_effects(registers, study).query("estimand == 'did'")
    """
    months = compared_months(monthly(registers, study))
    may, level = not comparability(registers), study.plan.confidence_level
    units = {code: [code] for code in study.design.arms}
    rows: list[dict[str, Any]] = []
    for kind in _present(months):
        for share, base in SHARES.items():
            here = months[(months["kind"] == kind) & months[base].notna() & months[share].notna()]
            sums = here.groupby(["unit", "period"])[[share, base]].sum()
            if not (sums[base] > 0).any() or (share == "within_competence" and kind in _NO_COMPETENCE):
                continue
            name, found = indicator(kind, share, registers), []
            for group, members in (units | _groups(study)).items():
                pooled = {period: _pooled(sums, members, period) for period in PERIODS}
                found += _group_rows(name, group, len(members), pooled, may and group not in units, level)
            if may and study.design.compared:
                found += _did_rows(name, sums.rename(columns={share: "hits", base: "n"}), study)
            rows += _withheld(found, share, study) if kind in PERSONAL else found
    return with_intervals(make_effects(rows), level) if rows else make_effects([])


def indicator(kind: str, share: str, registers: Registers) -> str:
    """The name of a share in the effects; that of the on-time share says what it is a share of."""
    return f"register_{kind}_{share}" + (f"_{registers.rules.on_time}" if share == "on_time" else "")


def compared_months(months: pd.DataFrame) -> pd.DataFrame:
    """The rows of `monthly` of calendar months that both periods have; all months where there is one period."""
    inside = months[months["period"] != ""]
    calendar = inside["month"].dt.month
    both = [set(calendar[inside["period"] == period]) for period in PERIODS]
    return inside[calendar.isin(both[0] & both[1])] if all(both) else inside


def _month(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.to_timestamp().astype("datetime64[s]")


def _kind_order(column: pd.Series) -> pd.Series:
    return column.map(KINDS.index) if column.name == "kind" else column


def _present(frame: pd.DataFrame) -> list[str]:
    return [kind for kind in KINDS if (frame["kind"] == kind).any()]


def _withheld(rows: list[dict[str, Any]], share: str, study: Study) -> list[dict[str, Any]]:
    """The rows of a share without the numbers that rest on few items, or of few within competence."""
    minimum, sizes = study.declared.privacy.minimum_cell, {}
    for row in rows:
        if row["estimand"] == "level":
            n = row[f"n_{row['contrast']}"]
            hits = round(row["estimate"] * n / 100)
            sizes[row["group"], row["contrast"]] = hits if share == "within_competence" and hits else n
    table = pd.Series(sizes).unstack(fill_value=0).reindex(columns=list(PERIODS), fill_value=0)
    few = (table > 0) & (table < minimum)
    units = table.index.isin(list(study.design.arms))
    few[units] |= suppress_groups(table[units], minimum, pools=study.design.arms).to_numpy()[:, None]
    kept = ("indicator", "group", "estimand", "contrast", "method", "unit", "n_clusters", "weights")
    found = []
    for row in rows:
        hidden = few if row["estimand"] == "did" else few.loc[row["group"]]
        hidden = hidden[row["contrast"]] if row["estimand"] == "level" else hidden.to_numpy().any()
        found.append({name: row[name] for name in kept} | {"note": FEW} if hidden else row)
    return found


def _groups(study: Study) -> dict[str, list[str]]:
    """The units of each arm, or all where there are no arms."""
    arms = study.design.arms
    found = {arm: [code for code, of in arms.items() if of == arm] for arm in ("pilot", "comparison")}
    return {arm: codes for arm, codes in found.items() if codes} or {"all": list(arms)}


def _periods(months: pd.Series, rules: RegisterRules) -> pd.Series:
    """The period of each month; empty for the one in which the pilot began, unless on its first day."""
    if rules.launch is None:
        return pd.Series("before", months.index, dtype="str")
    launch = pd.Timestamp(rules.launch)
    after = np.where(months >= launch, "after", "")
    return pd.Series(np.where(months < launch.replace(day=1), "before", after), months.index, dtype="str")


def _period_ends(rules: RegisterRules) -> dict[str, pd.Timestamp]:
    """The day on which the items of a period are judged."""
    before = rules.data_cut if rules.launch is None else rules.launch - timedelta(days=1)
    return {"before": pd.Timestamp(before), "": pd.Timestamp(rules.data_cut), "after": pd.Timestamp(rules.data_cut)}


def _item_months(registers: Registers, study: Study) -> pd.DataFrame:
    items = registers.items.assign(month=_month(registers.items["received"]))
    ends = pd.to_datetime(_periods(items["month"], registers.rules).map(_period_ends(registers.rules)))
    own = items["within_competence"]
    done, due = own & (items["closed"] <= ends), own & (items["due"] <= ends)
    judged = due if registers.rules.on_time == "of_due" else done & items["due"].notna()
    flags = pd.DataFrame({"received": True, "within_competence": own, "resolved": done, "due": due, "judged": judged})
    flags["on_time"] = judged & (items["closed"] <= ends.where(ends < items["due"], items["due"]))
    flags["open"] = own & ~done
    counted = flags.astype(float).groupby([items["unit"], items["month"], items["kind"]]).sum()
    keys = [list(study.design.arms), registers.rules.months, _present(items)]
    every = pd.MultiIndex.from_product(keys, names=["unit", "month", "kind"])
    return counted.reindex(every, fill_value=0.0).reset_index()


def _pooled(sums: pd.DataFrame, members: list[str], period: str) -> tuple[int, int]:
    """How many of how many, over the units of a group in a period."""
    here = sums[sums.index.get_level_values("unit").isin(members) & (sums.index.get_level_values("period") == period)]
    hits, n = here.sum().astype(int)
    return int(hits), int(n)


def _group_rows(
    name: str, group: str, units: int, pooled: Mapping[str, tuple[int, int]], compare: bool, level: float
) -> list[dict[str, Any]]:
    shared = {"indicator": name, "group": group, "n_clusters": units, "weights": "items", "conf_level": level}
    rows = []
    for period, (hits, n) in pooled.items():
        if n:
            low, high = proportion_confint(hits, n, alpha=1 - level, method="wilson")
            level_row = shared | {"estimand": "level", "contrast": period, "method": "wilson", "unit": "percent"}
            level_row |= {"estimate": 100 * hits / n, "conf_low": 100 * low, "conf_high": 100 * high}
            rows.append(level_row | {f"n_{period}": n})
    (before, n_before), (after, n_after) = pooled["before"], pooled["after"]
    if compare and n_before and n_after:
        low, high = confint_proportions_2indep(after, n_after, before, n_before, method="newcomb", alpha=1 - level)
        change = shared | {"estimand": "change", "contrast": CHANGE, "method": "newcombe"}
        change |= {"unit": "percentage points", "estimate": 100 * (after / n_after - before / n_before)}
        change |= {"conf_low": 100 * low, "conf_high": 100 * high, "n_before": n_before, "n_after": n_after}
        rows.append(change)
    return rows


def _did_rows(name: str, sums: pd.DataFrame, study: Study) -> list[dict[str, Any]]:
    """Pilot against comparison units, each unit once; none where a unit has nothing to judge in a period."""
    arms = study.design.arms
    wide = sums.unstack("period").reindex(list(arms))
    if any((part, period) not in wide for part in ("hits", "n") for period in PERIODS):
        return []
    shares = 100 * wide["hits"] / wide["n"].where(wide["n"] > 0)
    change = (shares["after"] - shares["before"]).to_numpy(dtype=float)
    shared: dict[str, Any]
    shared = {"indicator": name, "group": BETWEEN, "estimand": "did", "contrast": DID, "unit": "percentage points"}
    shared |= {"n_before": wide["n", "before"].sum(), "n_after": wide["n", "after"].sum(), "weights": "units"}
    shared |= {"n_clusters": len(arms)}
    if np.isnan(change).any():
        return [shared | {"method": "unit t", "note": "no_answers"}]
    fewest = wide["n"][list(PERIODS)].to_numpy().min()
    shared |= {"note": FEW if fewest < study.declared.privacy.minimum_cell else ""}
    found = compare_units(change, [arm == "pilot" for arm in arms.values()], level=study.plan.confidence_level)
    t = {"std_error": found.std_error, "df": found.df, "p_value": found.p_value}
    placebo = {"p_value": found.placebo_p, "conf_low": found.placebo_low, "conf_high": found.placebo_high}
    shared |= {"estimate": found.estimate}
    return [shared | {"method": "unit t"} | t, shared | {"method": "placebo"} | placebo]
