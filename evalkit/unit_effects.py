"""Rows of effects about units: differences-in-differences, and how far units move by themselves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from statsmodels.regression.linear_model import OLS

from evalkit.declaration import Plan
from evalkit.estimation import DomainMeans, Floats
from evalkit.sample import BETWEEN, DID, Coefficients, Row, Sample, answers, contrasts, estimated
from evalkit.study import PERIODS
from evalkit.units import (
    breaking_point,
    cluster_robust,
    compare_units,
    intraclass_correlation,
    max_t,
    shocks,
    unequal_precision,
    wild_bootstrap,
)

RELIABILITIES = (0.5, 0.7, 0.9)


def unit_effects(sample: Sample, means: DomainMeans, plan: Plan) -> list[Row]:
    """Rows on the pilot units against two or more comparison units, also before the pilot, and on shocks.

    Methods: `linearised` for these people; `unit t`, `placebo` and its `smallest p` for units like these
    (`units.compare_units`), with `cluster-robust CR2`, `wild bootstrap` and `unit ANCOVA` beside them.
    """
    rows = _shock_rows(sample, means, plan.confidence_level)
    if not sample.design.has_comparison:
        return rows
    both = sample.groups["pilot"] + sample.groups["comparison"]
    noise, per_unit = _noise(sample, both), {unit: sample.change([unit]) for unit in both}
    rows += _compared(sample, means, plan, "did", DID, per_unit, noise)
    rows += _sensitivity_rows(sample, means, both)
    earlier = [wave for wave, period in sample.design.periods.items() if period == "before"]
    for first, second in pairwise(earlier):
        step = {unit: {f"{unit}|{second}": 1.0, f"{unit}|{first}": -1.0} for unit in both}
        contrast = f"({second} - {first}) pilot - ({second} - {first}) comparison"
        rows += _compared(sample, means, plan, "pre-period did", contrast, step, noise)
    return rows


def _compared(
    sample: Sample,
    means: DomainMeans,
    plan: Plan,
    estimand: str,
    contrast: str,
    per_unit: Mapping[str, Coefficients],
    noise: Floats,
) -> list[Row]:
    """One comparison of pilot and comparison units, every indicator and method."""
    units = list(per_unit)
    pilot = np.array([sample.design.arms[unit] == "pilot" for unit in units])
    share = np.where(pilot, 1 / pilot.sum(), -1 / (~pilot).sum())
    whole: dict[str, float] = {}
    for unit, one in per_unit.items():
        whole |= {label: share[units.index(unit)] * coefficient for label, coefficient in one.items()}
    linear, changes = contrasts(means, [whole]), contrasts(means, per_unit.values())
    counts = answers(sample, means, units)
    noisy = unequal_precision(noise, pilot)
    adjusted = _adjusted(sample, changes.estimate, pilot, plan)
    rows = []
    for item, name in enumerate(sample.items):
        shared = sample.row(name, BETWEEN, estimand, contrast)
        shared |= {period: count[item] for period, count in counts.items()}
        rows.append(shared | estimated(linear, 0, item))
        delta = changes.estimate[:, item]
        note = "" if not np.isnan(delta).any() else "no_answers"
        found = compare_units(np.nan_to_num(delta), pilot, level=plan.confidence_level)
        shared |= {"n_clusters": len(units), "note": note or ("unequal_precision" if noisy[item] else "")}
        t, placebo = shared | {"method": "unit t"}, shared | {"method": "placebo"}
        if not note:
            t |= {"estimate": found.estimate, "std_error": found.std_error, "df": found.df}
            placebo |= {"estimate": found.estimate, "p_value": found.placebo_p}
            placebo |= {"conf_low": found.placebo_low, "conf_high": found.placebo_high}
            placebo |= adjusted.get(name, {})
        smallest = sample.row(name, BETWEEN, "smallest p", contrast, "placebo")
        rows += [t, placebo, shared | smallest | {"estimate": found.smallest_p, "note": ""}]
    return rows


def _noise(sample: Sample, units: list[str]) -> Floats:
    """The sampling variance of each unit's change (G, items) by its answers, clusters and weights, up to a factor.

    In each period weighting·(1 − ρ)/answers + ρ/clusters, ρ the intraclass correlation over all units (Kish 1965).
    """
    scores, cluster = sample.scores, sample.arguments["cluster"]
    rho = intraclass_correlation(sample.values, sample.domain(), cluster)
    period, weight = scores["wave"].map(sample.design.periods), scores["weight"].to_numpy(dtype=float)[:, None]
    known, noise = ~np.isnan(sample.values), np.zeros((len(units), len(sample.items)))
    for at, unit in enumerate(units):
        for one in PERIODS:
            here = ((scores["unit"] == unit) & (period == one)).to_numpy()
            answered = known[here]
            clusters = pd.DataFrame(answered).groupby(cluster[here]).any().sum(axis=0).to_numpy()
            given = np.where(answered, weight[here], 0.0)
            with np.errstate(divide="ignore", invalid="ignore"):
                people = (given**2).sum(axis=0) / given.sum(axis=0) ** 2
                part = (1 - rho) * people + rho / clusters
            noise[at] += np.where(answered.any(axis=0), part, np.inf)
    return noise


def _adjusted(sample: Sample, changes: np.ndarray, pilot: np.ndarray, plan: Plan) -> dict[str, Row]:
    """Placebo p-values of each family of the plan, adjusted together."""
    found: dict[str, Row] = {}
    for family in plan.families.values():
        known = [name for name in family if not np.isnan(changes[:, sample.items.index(name)]).any()]
        if known:
            p = max_t(changes[:, [sample.items.index(name) for name in known]], pilot)
            words = f"max-T ({len(known)})" if len(known) > 1 else "none"
            found |= {name: {"p_adjusted": one, "adjustment": words} for name, one in zip(known, p, strict=True)}
    return found


def _sensitivity_rows(sample: Sample, means: DomainMeans, units: list[str]) -> list[Row]:
    """The same difference by other models of units, and what would be expected of units picked for their scores."""
    pilot = np.array([sample.design.arms[unit] == "pilot" for unit in units])
    before, after = (contrasts(means, [sample.period(p, [u]) for u in units]).estimate for p in PERIODS)
    change = contrasts(means, [sample.change([unit]) for unit in units]).estimate
    rows = []
    for item, name in enumerate(sample.items):
        if np.isnan(change[:, item]).any():
            continue
        shared = sample.row(name, BETWEEN, "did", DID) | {"n_clusters": len(units)}
        design = np.column_stack([np.ones(len(units)), pilot])
        robust = cluster_robust(change[:, item], design, units, coefficient=1)
        numbers = {"estimate": robust.estimate, "std_error": robust.std_error, "df": robust.df}
        alone = "" if pilot.sum() > 1 else "one_pilot"  # its own variance cannot be told from its change
        rows.append(shared | {"method": "cluster-robust CR2", "note": alone} | numbers)
        wild = {"estimate": robust.estimate, "p_value": wild_bootstrap(change[:, item], pilot)}
        rows.append(shared | {"method": "wild bootstrap", "note": alone} | wild)
        with_before = np.column_stack([design, before[:, item]])
        if len(units) > 3 and np.linalg.matrix_rank(with_before) == 3:
            fit = OLS(after[:, item], with_before).fit()
            numbers = {"estimate": fit.params[1], "std_error": fit.bse[1], "df": fit.df_resid}
            rows.append(shared | {"method": "unit ANCOVA"} | numbers)
        if sample.design.picked:
            gap = before[~pilot, item].mean() - before[pilot, item].mean()
            for reliability in RELIABILITIES:
                contrast = f"correlation {reliability}"
                shared = sample.row(name, "pilot", "regression to the mean", contrast, "expected")
                rows.append(shared | {"estimate": (1 - reliability) * gap, "n_clusters": len(units)})
    return rows


def _shock_rows(sample: Sample, means: DomainMeans, level: float) -> list[Row]:
    """How far units move by themselves, and how far they would have to for the conclusion to fall."""
    group, pilots, others, whole = concluded(sample)
    arms, periods = sample.design.arms, list(sample.design.periods.values())
    pilot = [arm == "pilot" for arm in arms.values()]
    waves = (periods.count("before"), periods.count("after"))
    changes = contrasts(means, [sample.change([unit]) for unit in arms])
    linear, rows = contrasts(means, [whole]), []
    for item, name in enumerate(sample.items):
        delta, noise = changes.estimate[:, item], changes.std_error[:, item] ** 2
        if np.isnan(delta).any():
            continue
        found = shocks(delta, pilot, np.nan_to_num(noise), waves=waves, level=level)
        # Whole populations have no sampling part; where it cannot be told, shocks include it.
        note = "with_sampling" if np.isnan(noise).any() else ""
        shared = sample.row(name, group, "shock sd", "unit by wave", "moments")
        numbers = {"estimate": found.sd, "df": found.df, "conf_low": found.low, "conf_high": found.high}
        rows.append(shared | numbers | {"n_clusters": len(arms), "note": note})
        variance, df = np.nan_to_num(linear.std_error[0, item] ** 2), linear.df[0, item]
        df, estimate = df if variance > 0 else np.inf, linear.estimate[0, item]
        falls = breaking_point(estimate, variance, df, pilots, others, waves=waves, level=level)
        shared = sample.row(name, group, "breaking shock", "unit by wave", "linearised and shocks")
        rows.append(shared | {"estimate": falls, "n_clusters": pilots + others})
    return rows


def concluded(sample: Sample) -> tuple[str, float, float, Coefficients]:
    """The comparison that a study concludes from: its group, pilot and other units, and its coefficients.

    Units of unequal part count as many as equal ones that would average shocks as well.
    """
    pilot = sample.groups.get("pilot", [])
    if not pilot:
        return "all", float(1 / (sample.shares**2).sum()), 0, sample.fixed_change
    if not sample.design.compared:
        return "pilot", len(pilot), 0, sample.change(pilot)
    return BETWEEN, len(pilot), len(sample.groups["comparison"]), sample.did
