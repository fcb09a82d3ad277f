"""Rows of effects on a panel that lost people: who was lost, and how far the change could hang on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.attrition import lee_bounds, retention_weights, worst_case_bounds
from evalkit.estimation import Floats, domain_means
from evalkit.sample import ARMS, BETWEEN, CHANGE, DID, Row, Sample, contrasts, estimated, pairs

SEEN, REWEIGHTED = "linearised, seen twice", "linearised, seen twice, reweighted"


@dataclass(frozen=True)
class Panel:
    """The people of the first survey: their rows (n,), and their scores (n, items) both times, NaN where none.

    `later`: the row of their second form, −1 where there is none.
    """

    row: NDArray[np.int64]
    later: NDArray[np.int64]
    before: Floats
    after: Floats
    unit: NDArray
    weight: Floats


def panel_effects(sample: Sample) -> list[Row]:
    """Rows where all respondents of the first survey were sought again (`followed`); else none.

    `lost`: the share of the first survey's people who were not found; `lost difference`: their score before less
    that of the others. `change` of those `seen twice`, the same `reweighted` by the inverse probability of being seen
    again, and its `worst case` bounds; `did` with Lee's bounds.
    """
    found = pairs(sample) if sample.design.followed else None
    if found is None:
        return []
    row = np.flatnonzero(sample.scores["wave"].map(sample.design.periods) == "before")
    second = dict(zip(found["before"], found["after"], strict=True))
    later = np.array([second.get(one, -1) for one in row])
    after = np.where((later >= 0)[:, None], sample.values[later], np.nan)
    scores = sample.scores.iloc[row]
    panel = Panel(row, later, sample.values[row], after, scores["unit"].to_numpy(), scores["weight"].to_numpy(float))
    rows = _seen_rows(sample, panel)
    for group, units in sample.joint_groups.items():
        rows += _lost_rows(sample, panel, group, units)
        rows += _bound_rows(sample, panel, group, list(sample.design.arms) if group == "all" else units)
    return rows + (_lee_rows(sample, panel) if set(ARMS) <= set(sample.groups) else [])


def _lost_rows(sample: Sample, panel: Panel, group: str, units: list[str]) -> list[Row]:
    """Item by item, the share of those who answered before and not after, and how they differed before."""
    pooled, before = group == "all", sample.period("before", units)
    everybody = np.full(sample.values.shape, np.nan)
    lost, scores = everybody.copy(), everybody.copy()
    lost[panel.row] = np.where(np.isnan(panel.before), np.nan, 100.0 * np.isnan(panel.after))
    scores[panel.row] = panel.before
    share = contrasts(sample.means(lost, pooled=pooled), [before])
    here = np.isin(panel.unit, units) | pooled
    rows = []
    for item, name in enumerate(sample.items):
        asked = here & ~np.isnan(panel.before[:, item])
        n = {"n_before": int(asked.sum()), "n_after": int((asked & ~np.isnan(panel.after[:, item])).sum())}
        kind = np.where(lost[:, item] > 0, "lost|", "stayed|") + sample.domain(pooled=pooled)
        size = None if sample.sizes is None else sample.sizes[:, [item]]
        apart = domain_means(scores[:, [item]], kind, size=size, **sample.arguments)
        gap = {f"{one}|{label}": s * c for one, s in (("lost", 1), ("stayed", -1)) for label, c in before.items()}
        rows.append(sample.row(name, group, "lost", "before") | n | estimated(share, 0, item))
        row = sample.row(name, group, "lost difference", "lost - seen again")
        rows.append(row | n | estimated(contrasts(apart, [gap]), 0, 0))
    return rows


def _seen_rows(sample: Sample, panel: Panel) -> list[Row]:
    """Item by item, the change of those who answered twice, as they are and standing for the lost like them."""
    weight = sample.scores["weight"].to_numpy(dtype=float)
    rows = []
    for item, name in enumerate(sample.items):
        asked = ~np.isnan(panel.before[:, item])
        again = ~np.isnan(panel.after[asked, item])
        if not again.any():
            continue
        likely = retention_weights(panel.before[asked], again, panel.unit[asked], weight=panel.weight[asked])
        first, second = panel.row[asked][again], panel.later[asked][again]
        stand_in = weight.copy()
        stand_in[first] = stand_in[second] = likely.weight[again]
        kept = np.full((len(weight), 1), np.nan)
        kept[np.r_[first, second], 0] = sample.values[np.r_[first, second], item]
        size = None if sample.sizes is None else sample.sizes[:, [item]]
        for group, units in sample.joint_groups.items():
            for method, weights in ((SEEN, weight), (REWEIGHTED, stand_in)):
                arguments = sample.arguments | {"weight": weights, "size": size}
                means = domain_means(kept, sample.domain(pooled=group == "all"), **arguments)
                row = sample.row(name, group, "change", CHANGE, method)
                rows.append(row | estimated(contrasts(means, [sample.change(units)]), 0, 0))
    return rows


def _bound_rows(sample: Sample, panel: Panel, group: str, units: list[str]) -> list[Row]:
    """What the change could have been, had the lost answered at either end of the scale."""
    items = [item for item, name in enumerate(sample.items) if sample.index[name].aggregate != "value"]
    parts = [panel.unit == unit for unit in units] if group != "all" else [np.isin(panel.unit, units)]
    bounds = [
        worst_case_bounds(panel.before[part][:, items], panel.after[part][:, items], weight=panel.weight[part])
        for part in parts
    ]
    rows = []
    for at, item in enumerate(items):
        for end in ("lower", "upper"):
            estimate = np.mean([getattr(one, end)[at] for one in bounds])
            row = sample.row(sample.items[item], group, "change", CHANGE, f"worst case, {end}")
            rows.append(row | {"estimate": estimate})
    return rows


def _lee_rows(sample: Sample, panel: Panel) -> list[Row]:
    """Bounds of the difference to the comparison arm if the pilot made people stay, or made people leave."""
    pilot, change, rows = np.isin(panel.unit, sample.groups["pilot"]), panel.after - panel.before, []
    for item, name in enumerate(sample.items):
        asked = ~np.isnan(panel.before[:, item])
        seen = asked & ~np.isnan(change[:, item])
        if not (seen & pilot).any() or not (seen & ~pilot).any():
            continue
        found = lee_bounds(change[asked, item], pilot[asked], seen[asked], weight=panel.weight[asked])
        for end in ("lower", "upper"):
            rows.append(sample.row(name, BETWEEN, "did", DID, f"Lee, {end}") | {"estimate": getattr(found, end)})
    return rows
