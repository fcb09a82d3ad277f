"""Scores to effects: levels, changes and differences-in-differences, each a contrast of domain means."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from evalkit.calibration import Calibration, rake
from evalkit.declaration import Plan
from evalkit.effects import make_effects, with_adjustment, with_intervals, with_tests
from evalkit.estimation import DomainMeans
from evalkit.ordinal_effects import ordinal_effects
from evalkit.panel_effects import panel_effects
from evalkit.sample import BETWEEN, CHANGE, DID, Coefficients, Row, Sample, answers, contrasts, estimated
from evalkit.study import PERIODS, Design, Index
from evalkit.unit_effects import unit_effects

FIXED, RAKED = "linearised, fixed composition", "linearised, raked"
JUDGED = ("linearised", FIXED, RAKED, "unit t")
BANDS = 4  # a number that describes respondents is raked by the quarters of its values before
FEWEST = 10  # margins of fewer people bend weights more than they mend


def compare(scores: pd.DataFrame, design: Design, plan: Plan, index: Index) -> pd.DataFrame:
    """Effects of all indicators: levels before and after, changes, and differences-in-differences.

    Groups are the units and, where arms are declared, `pilot` and `comparison`, in which each unit counts once
    (mean of unit means); without arms, `all` pools the respondents. A period with several waves is the mean of
    its waves. Methods of changes: `linearised`, design-based for these units (`estimation.domain_means`);
    `linearised, fixed composition`, of `all` had each unit the same share of the people in both periods;
    `linearised, raked`, had those asked after the make-up of those asked before. Rows on units, ordered answers and
    panels that lost people: see `unit_effects`, `ordinal_effects`, `panel_effects`. Outcomes of one role are adjusted
    together. Raises ValueError for a plan that names an indicator the scores do not have, and for a respondent twice
    in a wave or in two units.

        effects = ek.compare(scores, study.design, study.plan, study.index)
    """
    _check(scores, plan, index)
    sample = Sample(scores, design, index)
    means, pooled = sample.means(), sample.means(pooled=True)
    rows: list[Row] = []
    for group, units in sample.groups.items():
        rows += _group_rows(sample, pooled if group == "all" else means, group, units)
    if "all" in sample.groups:
        rows += _change_rows(sample, means, "all", list(design.arms), sample.fixed_change, FIXED)
    rows += _raked_rows(sample, plan.primary[0])
    rows += unit_effects(sample, means, plan)
    rows += ordinal_effects(sample, means, pooled)
    rows += panel_effects(sample)
    effects = with_intervals(make_effects(rows), plan.confidence_level)
    tested = effects["estimand"].isin(["change", "did", "pre-period did"])
    effects = with_tests(effects, tested & (effects["method"] != "placebo"))
    effects.loc[effects["std_error"] == 0, "note"] = "constant"
    return with_adjustment(effects, _families(effects, design, plan), screened=plan.screening)


def _check(scores: pd.DataFrame, plan: Plan, index: Index) -> None:
    """What `clean` and `open_study` have made sure of, where scores come from elsewhere."""
    for name in plan.outcomes:
        if name not in index or name not in scores:
            raise ValueError(f"the plan names {name!r}, which the scores do not have")
    if "respondent" in scores:
        known = scores.dropna(subset=["respondent"])
        again = known[known.duplicated(["wave", "respondent"])]
        if len(again):
            raise ValueError(f"respondent {again['respondent'].iloc[0]!r} stands twice in a wave")
        places = known.groupby("respondent")["unit"].nunique()
        if (places > 1).any():
            raise ValueError(f"respondent {places.index[places > 1][0]!r} stands in two units")


def _group_rows(sample: Sample, means: DomainMeans, group: str, units: list[str]) -> list[Row]:
    wanted = [(period, sample.period(period, units)) for period in PERIODS]
    if len(sample.design.periods) > 2:
        wanted += [(wave, {f"{unit}|{wave}": 1 / len(units) for unit in units}) for wave in sample.design.periods]
    levels = contrasts(means, [chosen for _, chosen in wanted])
    rows = []
    for row, (contrast, _) in enumerate(wanted):
        counts = answers(sample, means, units, contrast)
        rows += [
            sample.row(name, group, "level", contrast)
            | {period: count[item] for period, count in counts.items()}
            | estimated(levels, row, item)
            for item, name in enumerate(sample.items)
        ]
    return rows + _change_rows(sample, means, group, units, sample.change(units))


def _change_rows(
    sample: Sample,
    means: DomainMeans,
    group: str,
    units: list[str],
    chosen: Coefficients,
    method: str = "linearised",
    estimand: str = "change",
) -> list[Row]:
    result, counts = contrasts(means, [chosen]), answers(sample, means, units)
    return [
        sample.row(name, group, estimand, CHANGE if estimand == "change" else DID, method)
        | {period: count[item] for period, count in counts.items()}
        | estimated(result, 0, item)
        for item, name in enumerate(sample.items)
    ]


def _raked_rows(sample: Sample, first: str) -> list[Row]:
    """Changes had those asked after the make-up of those asked before; none unless the scores describe people.

    The design effect of the raked weights stands with the first indicator.
    """
    if not sample.describes:
        return []
    try:
        calibration = raked(sample)
    except ValueError:
        keys = product(sample.joint_groups, sample.items)
        return [sample.row(name, group, "change", CHANGE, RAKED) | {"note": "not_raked"} for group, name in keys]
    means, pooled = (sample.means(pooled=of_all, calibration=calibration) for of_all in (False, True))
    rows = []
    for group, units in sample.joint_groups.items():
        of = pooled if group == "all" else means
        rows += _change_rows(sample, of, group, units, sample.change(units), RAKED)
    if sample.design.has_comparison:
        both = sample.groups["pilot"] + sample.groups["comparison"]
        rows += _change_rows(sample, means, BETWEEN, both, sample.did, RAKED, "did")
    effect = sample.row(first, next(iter(sample.joint_groups)), "design effect", "raked", "raking")
    return [row | {"weights": "raked"} for row in [*rows, effect | {"estimate": calibration.design_effect}]]


def raked(sample: Sample) -> Calibration:
    """Weights that give the waves after the make-up of the waves before: units, and each variable within arms.

    No answer, and one that fewer than ten people of an arm gave in a period, count with the most frequent one.
    """
    scores = sample.scores
    before = scores["wave"].map(sample.design.periods) == "before"
    arm = scores["unit"].map(sample.design.arms).fillna("all")
    margins = [scores["unit"]]
    for name in sample.describes:
        values = scores[name]
        if values.nunique() > 2 * BANDS:
            edges = values[before].quantile(np.arange(1, BANDS) / BANDS)
            values = pd.Series(np.searchsorted(edges, values, side="right"), values.index).where(values.notna())
        labels = arm + "|" + values.astype(str)
        least = np.minimum(*(labels.map(labels[part].value_counts()).fillna(0) for part in (before, ~before)))
        known = values.notna() & (least >= FEWEST)
        frequent = labels[known].groupby(arm).agg(lambda found: found.mode().iloc[0])
        margins.append(labels.where(known, arm.map(frequent)).fillna(arm))
    return rake(scores["weight"], [(labels, before) for labels in margins])


def _families(effects: pd.DataFrame, design: Design, plan: Plan) -> pd.Series:
    """Which rows are judged together: one role of the plan, estimand and method, in one arm or over all units."""
    role = effects["indicator"].map({name: role for role, names in plan.families.items() for name in names})
    kind = effects["group"].isin(list(design.arms)).map({True: "unit", False: "arm"})
    judged = effects["estimand"].isin(["change", "did"]) & effects["method"].isin(JUDGED) & role.notna()
    group = kind.where(kind == "unit", effects["group"])
    return (role + "|" + effects["estimand"] + "|" + effects["method"] + "|" + group).where(judged)
