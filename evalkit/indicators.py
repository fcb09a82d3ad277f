"""Parts to indicators: the tree evaluated for each respondent, or for each area and year of a published index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from evalkit.codebook import DESIGN_COLUMNS, MISSING_KINDS, Codebook, Scale, Variable
from evalkit.declaration import IndexNode, Node, TreeNode
from evalkit.effects import select
from evalkit.indices import AREA_YEAR, Definition
from evalkit.study import ANSWERS, Index

FINDINGS = ("follows", "differs", "parts_missing", "not_published", "outside_validity")


def score(responses: pd.DataFrame, index: Index, codebook: Codebook, *, keep: tuple[str, ...] = ()) -> pd.DataFrame:
    """Scores: the rows of responses, design columns first, then one column an indicator of the tree.

    `mean` nodes run from 0 (worst answer) to 100 (best), `share` nodes are 0 or 100, `value` nodes keep their
    own unit. A node is NaN where a smaller part of its items than `minimum_answered` was answered. `pooled` nodes are
    the percentage of a respondent's answers; how many these were stands in the column `<code>/answers`. Variables in
    `keep`, such as those that describe the respondents, stand beside the design columns.

        scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    """
    scores = responses[[name for name in (*DESIGN_COLUMNS, *keep) if name in responses]].copy()
    for code, node in index.items():
        if node.aggregate == "pooled":
            satisfied = pd.DataFrame({item: _reaches(responses[item], node, codebook[item]) for item in node.items})
            scores[code], scores[code + ANSWERS] = satisfied.mean(axis=1), satisfied.notna().sum(axis=1)
            continue
        parts = scores[list(node.children)] if node.children else _items(responses, node, codebook)
        scores[code] = _combine(node, parts)
    return scores


def evaluate(nodes: Iterable[TreeNode], values: pd.DataFrame) -> pd.DataFrame:
    """The nodes of a tree on rows that need no scale: one column a node, the rows of `values`.

    values: one column an item, a number or NaN, and `year` where nodes hold for certain years or take the least and
    the greatest value of a year. A column that is not there is missing in all rows. Children must come first.
    Bands are the code of the grade, all else numbers: in the years in which a node does not hold, and where fewer
    parts than `minimum_answered` are there, nothing.

    >>> node = IndexNode(code="x", label={"vi": "x", "en": "x"}, aggregate="sum", items=["a", "b"])
    >>> evaluate([node], pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, None]}))["x"].tolist()
    [4.0, nan]
    """
    found: dict[str, pd.Series] = {}
    for node in nodes:
        table = pd.DataFrame(found, index=values.index) if node.children else values
        held = _holds(node, values)
        column = _combine(node, table.reindex(columns=list(node.parts)).where(held), values).where(held)
        found[node.code] = found[node.code].where(~held, column) if node.code in found else column
    return pd.DataFrame(found, index=values.index)


def reproduce(definition: Definition, published: pd.DataFrame, *, tolerance: float = 1e-4) -> pd.DataFrame:
    """Published composites computed again from their published parts: which follow from them and which do not.

    published: one row an `area` and `year`, one column an item or node as the definition names them. Every node that
    is published beside its parts is compared, in the tolerance of its own unit.

    Returns `area, year, node, published, computed, difference, finding`, one row a node, area and year, sorted;
    finding is one of `FINDINGS`. A value with missing parts is never said to follow: a composite of 0 without parts
    is such a one.

        found = reproduce(read_definition("pci"), table)
        found[found["finding"] == "differs"]
    """
    recomputed = _from_published(definition.node, published)
    valid = definition.covers(published["year"])
    rows = []
    for code in (code for code in recomputed if code in published and code not in definition.graded):
        held = np.any([_holds(node, published) for node in definition.node if node.code == code], axis=0)
        value, computed = published[code].astype(float), recomputed[code].astype(float)
        gap = value - computed
        finding = pd.Series("follows", published.index).mask(gap.abs() > tolerance, "differs")
        finding = finding.mask(value.isna(), "not_published").mask(computed.isna(), "parts_missing")
        finding = finding.where(held & valid, "outside_validity")
        numbers = {"published": value, "computed": computed, "difference": gap}
        rows.append(published[list(AREA_YEAR)].assign(node=code, **numbers, finding=finding))
    columns = [*AREA_YEAR, "node", "published", "computed", "difference", "finding"]
    found = pd.concat(rows) if rows else pd.DataFrame(columns=columns)
    return found.sort_values(["node", "year", "area"], ignore_index=True)[columns]


def judge_targets(effects: pd.DataFrame, index: Index) -> pd.DataFrame:
    """Whether the targets of the tree were reached before and after, judged by the interval of the level.

    effects: of `compare`. Returns `indicator, group, period, estimate, conf_low, conf_high, target, verdict`: `met`
    where the whole interval is on the target's good side or on it, `not_met` where it is wholly on the other,
    `undecided` where it reaches over both or where there is none.
    """
    aims = {code: node for code, node in index.items() if node.target is not None}
    levels = select(effects, estimand="level", method="linearised")
    levels = levels[levels["contrast"].isin(["before", "after"]) & levels["indicator"].isin(list(aims))]
    numbers = ["estimate", "conf_low", "conf_high"]
    found = levels[["indicator", "group", "contrast", *numbers]].rename(columns={"contrast": "period"})
    found["target"] = found["indicator"].map({code: node.target for code, node in aims.items()}).astype(float)
    lower = found["indicator"].map({code: node.direction == "lower" for code, node in aims.items()}).astype(bool)
    above, below = found["conf_low"] >= found["target"], found["conf_high"] < found["target"]
    met = above.where(~lower, found["conf_high"] <= found["target"])
    missed = below.where(~lower, found["conf_low"] > found["target"])
    found["verdict"] = np.select([met, missed], ["met", "not_met"], "undecided")
    return found.reset_index(drop=True)


def _combine(node: TreeNode, parts: pd.DataFrame, values: pd.DataFrame | None = None) -> pd.Series:
    """One node from its parts, a column each; `values` are the rows they come from."""
    answered = parts.notna().mean(axis=1)
    enough = (answered > 0) & (answered >= node.minimum_answered - 1e-12)
    if isinstance(node, IndexNode) and node.aggregate not in ("mean", "value"):
        assert values is not None
        return _combine_published(node, parts, values).where(enough)
    if node.aggregate == "weighted_mean":
        return _weighted(parts, node.weights).where(enough)
    return parts.mean(axis=1).where(enough)


def _combine_published(node: IndexNode, parts: pd.DataFrame, values: pd.DataFrame) -> pd.Series:
    total = parts.sum(axis=1, skipna=node.minimum_answered < 1)
    if node.aggregate == "weighted_mean":
        return node.factor * _weighted(parts, node.weights)
    if node.aggregate == "pooled":
        counts = values.reindex(columns=[*node.less, *node.of])
        less, of = (counts[list(names)].sum(axis=1, skipna=False) for names in (node.less, node.of))
        return 100 * (total - less) / of.where(of > 0)
    if node.aggregate == "points":
        return total.clip(upper=node.maximum)
    if node.aggregate == "minmax":
        return _minmax(node, parts.iloc[:, 0], values)
    if node.aggregate == "bands":
        return _graded(node, parts.iloc[:, 0])
    return total


def _weighted(parts: pd.DataFrame, weights: Mapping[str, float]) -> pd.Series:
    """The weighted mean of what is there."""
    weight = pd.Series(weights)[list(parts.columns)]
    return parts.mul(weight).sum(axis=1) / parts.notna().mul(weight).sum(axis=1).replace(0, np.nan)


def _minmax(node: IndexNode, column: pd.Series, values: pd.DataFrame) -> pd.Series:
    """9·(x − min)/(max − min) + 1, of an item where less is better 11 − that (PCI handbook)."""
    year = values["year"] if "year" in values else pd.Series(0, values.index)
    grouped = column.groupby(year)
    low = node.low if node.low is not None else grouped.transform("min")
    high = node.high if node.high is not None else grouped.transform("max")
    spread = pd.Series(high - low, column.index)
    scaled = 9 * (column - low) / spread.where(spread > 0) + 1
    return 11 - scaled if node.direction == "lower" else scaled


def _graded(node: IndexNode, column: pd.Series) -> pd.Series:
    """The code of the half-open band in which each value lies."""
    bands = sorted(node.bands, key=lambda band: -np.inf if band.at_least is None else band.at_least)
    edges = [*(-np.inf if band.at_least is None else band.at_least for band in bands), np.inf]
    graded = pd.cut(column, edges, right=False, labels=[band.code for band in bands])
    return graded.astype(object).where(column.notna())


def _holds(node: TreeNode, values: pd.DataFrame) -> pd.Series:
    """In which rows a node holds: those of its years."""
    first, last = getattr(node, "first_year", None), getattr(node, "last_year", None)
    if first is None and last is None:
        return pd.Series(True, values.index)
    return values["year"].between(-np.inf if first is None else first, np.inf if last is None else last)


def _from_published(nodes: Iterable[IndexNode], published: pd.DataFrame) -> dict[str, pd.Series]:
    """Each node from its parts: as published where they are, so that a difference is reported once, where it is."""
    table = published.copy()
    found: dict[str, pd.Series] = {}
    for node in nodes:
        flat = node.model_copy(update={"items": node.parts, "children": ()})
        column, held = evaluate([flat], table)[node.code], _holds(node, published)
        found[node.code] = found[node.code].where(~held, column) if node.code in found else column
        if node.code not in published:
            table[node.code] = found[node.code]
    return found


def _items(responses: pd.DataFrame, node: Node, codebook: Codebook) -> pd.DataFrame:
    if node.aggregate == "value":
        return responses[list(node.items)]
    if node.aggregate == "share":
        return _reaches(responses[node.items[0]], node, codebook[node.items[0]]).to_frame()
    return pd.DataFrame({item: _rescale(responses[item], codebook[item]) for item in node.items})


def _reaches(answers: pd.Series, node: Node, variable: Variable) -> pd.Series:
    """100 where an answer is at least as good as the code `at_least`, else 0; of reversed items its mirror image."""
    low, high = scale_ends(variable.scale)
    assert node.at_least is not None
    good = answers <= low + high - node.at_least if variable.reverse else answers >= node.at_least
    return good.astype(float).mul(100).where(answers.notna())


def _rescale(answers: pd.Series, variable: Variable) -> pd.Series:
    """An item's codes on 0–100, 100 the best answer."""
    low, high = scale_ends(variable.scale)
    share = 100 * (answers - low) / (high - low)
    return 100 - share if variable.reverse else share


def scale_ends(scale: Scale | None) -> tuple[float, float]:
    """The lowest and highest code that count as answers."""
    assert scale is not None
    codes = [answer.code for answer in scale.valid]
    return min(codes), max(codes)


def answer_shares(
    responses: pd.DataFrame, missing: pd.DataFrame, variable: Variable, periods: Mapping[str, str]
) -> pd.DataFrame:
    """How the answers to one item are distributed before and after, over the rows given.

    Returns `period, kind, code, n, share`: one row an answer of the scale (kind `answer`, share in percent of
    the weight of valid answers) and one a missing kind (share in percent of all forms).
    """
    assert variable.scale is not None
    kinds = missing[missing["variable"] == variable.name].set_index("row_id")["kind"]
    frame = responses[["weight"]].assign(
        period=responses["wave"].map(periods), code=responses[variable.name], kind=responses["row_id"].map(kinds)
    )
    rows = []
    for period, part in frame.groupby("period", sort=False):
        valid = part["code"].notna()
        total = part.loc[valid, "weight"].sum()
        for answer in variable.scale.valid:
            chosen = part["code"] == answer.code
            share = 100 * part.loc[chosen, "weight"].sum() / total if total else np.nan
            rows.append((period, "answer", answer.code, int(chosen.sum()), share))
        for kind in MISSING_KINDS:
            chosen = part["kind"] == kind
            share = 100 * part.loc[chosen, "weight"].sum() / part["weight"].sum()
            rows.append((period, kind, np.nan, int(chosen.sum()), share))
    return pd.DataFrame(rows, columns=["period", "kind", "code", "n", "share"])


def alike(items: tuple[str, ...], codebook: Codebook) -> list[list[str]]:
    """The items in groups that share a scale and a direction, so that one legend holds for each group."""
    groups: dict[tuple[str, bool], list[str]] = {}
    for item in items:
        variable = codebook[item]
        assert variable.scale is not None
        groups.setdefault((variable.scale.name, variable.reverse), []).append(item)
    return list(groups.values())
