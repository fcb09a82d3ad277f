"""Responses to scores: the indicator tree evaluated for each respondent, and the answers behind it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from evalkit.codebook import MISSING_KINDS, Codebook, Scale, Variable
from evalkit.declaration import Node
from evalkit.study import ANSWERS, DESIGN_COLUMNS, Index


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
        answered = parts.notna().mean(axis=1)
        enough = (answered > 0) & (answered >= node.minimum_answered - 1e-12)
        scores[code] = parts.mean(axis=1).where(enough)
    return scores


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
    frame = pd.DataFrame(
        {
            "period": responses["wave"].map(periods),
            "code": responses[variable.name],
            "weight": responses["weight"],
            "kind": responses["row_id"].map(
                missing[missing["variable"] == variable.name].set_index("row_id")["kind"]
            ),
        }
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
