"""Rows of effects about ordered answers: what holds whatever points are given to them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.estimation import DomainMeans
from evalkit.ordinal import (
    MOST_CATEGORIES,
    cumulative_logit,
    dominance,
    homogeneity,
    paired_homogeneity,
    superiority,
    transitions,
)
from evalkit.sample import CHANGE, Row, Sample, answers, contrasts, estimated, pairs
from evalkit.study import PERIODS

SUPERIORITY = "after against before"
_SIGNS = {"higher": 1.0, "lower": -1.0, "equal": 0.0, "none": np.nan}


def ordinal_effects(sample: Sample, means: DomainMeans, pooled: DomainMeans) -> list[Row]:
    """Rows for the arms, or all: superiority, pairs; of single items homogeneity, dominance, log odds ratio.

    None for a group of which a unit is missing in a wave.
    """
    rows = []
    for group, units in sample.joint_groups.items():
        of = pooled if group == "all" else means
        if not set(sample.change(units)) <= set(of.domain):
            continue
        rows += _superiority_rows(sample, of, group, units)
        rows += _pair_rows(sample, of, group, units)
        for item, name in enumerate(sample.items):
            node = sample.index[name]
            counts = {period: count[item] for period, count in answers(sample, of, units).items()}
            answered = of.n[np.isin(of.domain, list(sample.change(units))), item].all()
            one_question = node.aggregate == "mean" and len(node.items) == 1 and answered
            if one_question and len(np.unique(sample.values[:, item])) <= MOST_CATEGORIES:
                found = _distribution_rows(sample, group, units, item) + _logit_rows(sample, group, units, item)
                rows += [row | counts for row in found]
    return rows


def _superiority_rows(sample: Sample, means: DomainMeans, group: str, units: list[str]) -> list[Row]:
    items = [item for item, name in enumerate(sample.items) if sample.index[name].aggregate == "mean"]
    before, after = (sample.period(period, units) for period in PERIODS)
    domain = sample.domain(pooled=group == "all")
    found = superiority(100 * sample.values[:, items], domain, before, after, **sample.arguments)
    counts = answers(sample, means, units)
    return [
        sample.row(sample.items[item], group, "superiority", SUPERIORITY)
        | {period: count[item] for period, count in counts.items()}
        | estimated(found, 0, at)
        | {"estimate": 100 * found.estimate[0, at], "std_error": 100 * found.std_error[0, at]}
        for at, item in enumerate(items)
    ]


def _pair_rows(sample: Sample, means: DomainMeans, group: str, units: list[str]) -> list[Row]:
    """The share of the same people whose answer rose, and fell, of those who answered both times."""
    found = pairs(sample)
    if found is None:
        return []
    change = np.full(sample.values.shape, np.nan)
    change[found["before"]] = sample.values[found["after"]] - sample.values[found["before"]]
    rows = []
    for estimand, sign in (("pairs higher", 1), ("pairs lower", -1)):
        share = np.where(np.isnan(change), np.nan, 100.0 * (sign * change > 1e-9))
        parts = sample.means(share, pooled=group == "all")
        result = contrasts(parts, [sample.period("before", units)])
        counts = answers(sample, parts, units)["n_before"]
        for item, name in enumerate(sample.items):
            if sample.index[name].aggregate == "mean":
                n = {"n_before": counts[item], "n_after": counts[item]}
                rows.append(sample.row(name, group, estimand, CHANGE) | n | estimated(result, 0, item))
    return rows


def _distribution_rows(sample: Sample, group: str, units: list[str], item: int) -> list[Row]:
    """Of one question: is the distribution the same, and does the one after dominate?"""
    name, scores, pooled = sample.items[item], sample.values[:, item], group == "all"
    domain, (before, after) = sample.domain(pooled=pooled), (sample.period(period, units) for period in PERIODS)
    answered = np.isin(domain, [*before, *after]) & ~np.isnan(scores)
    levels = np.unique(scores[answered])
    if pooled and (table := _whole_panel(sample, item, levels)) is not None:
        paired, method = paired_homogeneity(table), "McNemar" if len(levels) == 2 else "Stuart-Maxwell"
        test = {"statistic": paired.statistic, "df": paired.df, "p_value": paired.p_value}
    else:
        wald = homogeneity(scores, domain, before, after, **sample.arguments)
        method = "Wald F" if np.isnan(wald.df1) else f"Wald F, {wald.df1:g} numerator df"
        test = {"statistic": wald.statistic, "df": wald.df2, "p_value": wald.p_value}
    row = sample.row(name, group, "homogeneity", CHANGE, method)
    note = "one_cluster" if np.isnan(test["statistic"]) else ""
    rows = [row | test | {"estimate": test["statistic"], "note": note}]
    chosen = np.where(np.isnan(scores)[:, None], np.nan, scores[:, None] == levels)
    shares = contrasts(sample.means(chosen, pooled=pooled), [before, after]).estimate
    if not np.isnan(shares).any():
        sign = dominance(*shares)
        row = sample.row(name, group, "dominance", CHANGE, "cumulative shares")
        rows.append(row | {"estimate": _SIGNS[sign], "note": f"dominance_{sign}"})
    return rows


def _logit_rows(sample: Sample, group: str, units: list[str], item: int) -> list[Row]:
    """The change of one question by a cumulative logit with units, a check by another model."""
    domain = sample.domain(pooled=group == "all")
    here = np.isin(domain, list(sample.change(units))) & ~np.isnan(sample.values[:, item])
    late = (sample.scores["wave"][here].map(sample.design.periods) == "after").to_numpy(dtype=float)
    places = pd.get_dummies(sample.scores["unit"][here], drop_first=True, dtype=float)
    found = cumulative_logit(
        sample.values[here, item], np.column_stack([late, places]), cluster=sample.arguments["cluster"][here]
    )
    row = sample.row(sample.items[item], group, "log odds ratio", CHANGE, "cumulative logit")
    numbers = {"estimate": found.estimate[0], "std_error": found.std_error[0], "df": found.df}
    return [row | numbers | {"note": "" if found.converged else "no_convergence"}]


def _whole_panel(sample: Sample, item: int, levels: np.ndarray) -> np.ndarray | None:
    """Counts of pairs by answer before and after, where everybody was asked twice and drawn one by one."""
    found = pairs(sample)
    if found is None or sample.weights != "none" or len(sample.scores) != 2 * len(found):
        return None
    if len(set(sample.arguments["cluster"])) != len(found):
        return None
    first, second = (sample.values[found[period], item] for period in PERIODS)
    pairs_answered = (~np.isnan(first) & ~np.isnan(second)).sum()
    return transitions(first, second, levels.tolist()) * pairs_answered if pairs_answered else None
