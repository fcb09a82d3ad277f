"""Scores to effects: levels, changes and differences-in-differences, each a contrast of domain means."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.declaration import Plan
from evalkit.effects import make_effects, with_adjustment, with_intervals, with_tests
from evalkit.estimation import Contrasts, DomainMeans, domain_means
from evalkit.study import DESIGN_COLUMNS, PERIODS, Design, Index
from evalkit.units import compare_units

CHANGE = "after - before"
FIXED = "linearised, fixed composition"
# Unit-level tests take all units as equally variable. Pilots up to this much noisier keep false alarms under .067
# (two pilots among 8 to 20 units; 1.5 gives .084, 4.5 gives .23); see tests/test_long.py.
NOISIER = 1.2
DID = "(after - before) pilot - (after - before) comparison"


def compare(scores: pd.DataFrame, design: Design, plan: Plan, index: Index) -> pd.DataFrame:
    """Effects of all indicators: levels before and after, changes, and differences-in-differences.

    Groups are the units and, where arms are declared, `pilot` and `comparison`, in which each unit counts once
    (mean of unit means); without arms, `all` pools the respondents. A period with several waves is the mean of
    its waves. Method `linearised`: design-based for these units, see `estimation.domain_means`; the units are
    strata, since clusters are drawn within each. Method `linearised, fixed composition`: the change of `all` had
    each unit the same share of the people in both periods. Methods `unit t` and `placebo`: the change of units, see
    `units.compare_units`; differences-in-differences need two comparison units. Secondary outcomes are adjusted
    together, primary ones together.

        effects = ek.compare(scores, study.design, study.plan, study.index)
    """
    items = [name for name in scores.columns if name not in DESIGN_COLUMNS]
    by_unit = _estimate(scores, design, items, pooled=False)
    weights = "none" if (scores["weight"] == 1).all() else "weight"
    groups, rows = _groups(design), []
    for group, units in groups.items():
        means = _estimate(scores, design, items, pooled=True) if group == "all" else by_unit
        rows += _group_rows(means, design, group, units, items, index, weights)
    if "all" in groups:
        rows += _fixed_rows(by_unit, scores, design, items, index, weights)
    if "pilot" in design.arms.values() and list(design.arms.values()).count("comparison") >= 2:
        rows += _did_rows(by_unit, design, items, index, weights)
    effects = with_intervals(make_effects(rows), plan.confidence_level)
    effects = with_tests(effects, effects["estimand"].isin(["change", "did"]) & (effects["method"] != "placebo"))
    effects.loc[effects["std_error"] == 0, "note"] = "constant"
    return with_adjustment(effects, _families(effects, design, plan))


def _waves(design: Design, period: str) -> list[str]:
    return [wave for wave, found in design.periods.items() if found == period]


def _coefficients(labels: np.ndarray, weights: dict[str, float]) -> np.ndarray:
    return np.array([weights.get(label, 0.0) for label in labels])


def _period_weights(design: Design, period: str, units: list[str], sign: float = 1.0) -> dict[str, float]:
    waves = _waves(design, period)
    return {f"{unit}|{wave}": sign / len(units) / len(waves) for unit in units for wave in waves}


def _change_weights(design: Design, units: list[str], sign: float = 1.0) -> dict[str, float]:
    return _period_weights(design, "after", units, sign) | _period_weights(design, "before", units, -sign)


def _estimate(scores: pd.DataFrame, design: Design, items: list[str], *, pooled: bool) -> DomainMeans:
    """Domain means by unit × wave, or by wave alone; units are the strata unless they are the clusters."""
    unit = pd.Series("all", scores.index) if pooled else scores["unit"]
    stratum = scores["stratum"].astype(str)
    if not design.units_are_clusters:
        stratum = scores["unit"] + "|" + stratum
    return domain_means(
        scores[items].to_numpy(),
        (unit + "|" + scores["wave"]).to_numpy(),
        weight=scores["weight"].to_numpy(),
        cluster=(scores["unit"] + "|" + scores["cluster"]).to_numpy(),
        stratum=stratum.to_numpy(),
    )


def _groups(design: Design) -> dict[str, list[str]]:
    """Every group as the units whose means it averages; `all` is pooled over respondents."""
    groups = {}
    for arm in ("pilot", "comparison"):
        members = [unit for unit, found in design.arms.items() if found == arm]
        if members:
            groups[arm] = members
    if not groups:
        groups["all"] = ["all"]
    return groups | {unit: [unit] for unit in design.arms}


def _group_rows(
    means: DomainMeans,
    design: Design,
    group: str,
    units: list[str],
    items: list[str],
    index: Index,
    weights: str,
) -> list[dict]:
    wanted = [
        ("level", "before", _period_weights(design, "before", units)),
        ("level", "after", _period_weights(design, "after", units)),
        ("change", CHANGE, _change_weights(design, units)),
    ]
    if len(design.periods) > 2:
        wanted += [("level", wave, {f"{unit}|{wave}": 1 / len(units) for unit in units}) for wave in design.periods]
    result = means.contrast([_coefficients(means.domain, chosen) for *_, chosen in wanted])
    return [
        _described(index, name, group, estimand, contrast, weights)
        | {period: count[item] for period, count in counts.items()}
        | _linearised(result, row, item)
        for row, (estimand, contrast, _) in enumerate(wanted)
        for counts in [_answers(means, design, units, contrast)]
        for item, name in enumerate(items)
    ]


def _described(index: Index, name: str, group: str, estimand: str, contrast: str, weights: str) -> dict:
    """The words of a row."""
    return {
        "indicator": name,
        "group": group,
        "estimand": estimand,
        "contrast": contrast,
        "unit": _unit(index, name, estimand),
        "weights": weights,
    }


def _linearised(result: Contrasts, row: int, item: int) -> dict:
    unknown = np.isnan(result.std_error[row, item])
    return {
        "method": "linearised",
        "estimate": result.estimate[row, item],
        "std_error": result.std_error[row, item],
        "df": result.df[row, item],
        "n_clusters": result.clusters[row, item],
        "note": "one_cluster" if unknown else "",
    }


def _answers(means: DomainMeans, design: Design, units: list[str], contrast: str = "") -> dict[str, np.ndarray]:
    """Valid answers of these units before and after, one count an item: of one wave where the row is about one."""
    if contrast in design.periods and contrast not in PERIODS:
        chosen = {design.periods[contrast]: [f"{unit}|{contrast}" for unit in units]}
    else:
        chosen = {period: list(_period_weights(design, period, units)) for period in PERIODS}
    return {f"n_{period}": means.n[np.isin(means.domain, labels)].sum(axis=0) for period, labels in chosen.items()}


def _fixed_rows(
    means: DomainMeans, scores: pd.DataFrame, design: Design, items: list[str], index: Index, weights: str
) -> list[dict]:
    """The change of `all` had each unit the same share of the people in both periods.

    Pooled means move when the sample shifts between units, even where no unit changed.
    """
    share = scores.groupby("unit")["weight"].sum() / scores["weight"].sum()
    chosen: dict[str, float] = {}
    for unit in design.arms:
        one = _change_weights(design, [unit])
        chosen |= {label: coefficient * share[unit] for label, coefficient in one.items()}
    result = means.contrast(_coefficients(means.domain, chosen))
    whole = _answers(means, design, list(design.arms))
    return [
        _described(index, name, "all", "change", CHANGE, weights)
        | {period: count[item] for period, count in whole.items()}
        | _linearised(result, 0, item)
        | {"method": FIXED}
        for item, name in enumerate(items)
    ]


def _did_rows(means: DomainMeans, design: Design, items: list[str], index: Index, weights: str) -> list[dict]:
    groups = _groups(design)
    pilot, comparison = groups["pilot"], groups["comparison"]
    both = pilot + comparison
    chosen = _change_weights(design, pilot) | _change_weights(design, comparison, -1.0)
    linear = means.contrast(_coefficients(means.domain, chosen))
    changes = means.contrast([_coefficients(means.domain, _change_weights(design, [unit])) for unit in both])
    counts = _answers(means, design, both)
    noisy = _noise(means, design, pilot) > NOISIER * _noise(means, design, comparison)
    rows = []
    for item, name in enumerate(items):
        shared = _described(index, name, "pilot - comparison", "did", DID, weights)
        shared |= {period: count[item] for period, count in counts.items()}
        rows.append(shared | _linearised(linear, 0, item))
        delta = changes.estimate[:, item]
        answered = not np.isnan(delta).any()
        found = compare_units(delta if answered else range(len(both)), [unit in pilot for unit in both])
        shared |= {"n_clusters": len(both), "note": "unequal_precision" if noisy[item] else ""}
        if answered:
            shared |= {"estimate": found.estimate}
            rows.append(shared | {"method": "unit t", "std_error": found.std_error, "df": found.df})
            rows.append(shared | {"method": "placebo", "p_value": found.placebo_p})
        else:
            rows += [shared | {"method": method, "note": "no_answers"} for method in ("unit t", "placebo")]
        smallest = {
            "note": "",
            "estimand": "smallest p",
            "method": "placebo",
            "unit": "p",
            "estimate": found.smallest_p,
        }
        rows.append(shared | smallest)
    return rows


def _noise(means: DomainMeans, design: Design, units: list[str]) -> np.ndarray:
    """The sampling part of a unit's variance as its answers make it: the mean of 1/n before + 1/n after."""
    counts = [list(_answers(means, design, [unit]).values()) for unit in units]
    with np.errstate(divide="ignore"):
        return (1 / np.array(counts, dtype=float)).sum(axis=1).mean(axis=0)


def _unit(index: Index, name: str, estimand: str) -> str:
    node = index[name]
    if node.unit is not None:
        return node.unit.en
    if node.aggregate == "share":
        return "percent" if estimand == "level" else "percentage points"
    return "points (0-100)"


def _families(effects: pd.DataFrame, design: Design, plan: Plan) -> pd.Series:
    """Which rows are judged together: one role of the plan, estimand and method, in one arm or over all units."""
    role = effects["indicator"].map(
        dict.fromkeys(plan.primary, "primary") | dict.fromkeys(plan.secondary, "secondary")
    )
    kind = effects["group"].isin(list(design.arms)).map({True: "unit", False: "arm"})
    judged = effects["estimand"].isin(["change", "did"]) & (effects["method"] != "placebo") & role.notna()
    group = kind.where(kind == "unit", effects["group"])
    return (role + "|" + effects["estimand"] + "|" + effects["method"] + "|" + group).where(judged)
