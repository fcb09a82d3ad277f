"""Before any change: who answered in each survey, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from evalkit.attrition import standardised_difference
from evalkit.codebook import Scale
from evalkit.study import GROUPS, Study

COMPOSITION_COLUMNS = (
    "group", "variable", "code", "kind", "before", "after", "n_before", "n_after", "standardised_difference",
)  # fmt: skip


def composition(responses: pd.DataFrame, study: Study) -> pd.DataFrame:
    """The two periods side by side, in the variables that describe the respondents (`design.composition`).

    responses: as `clean` gives them. Returns `group, variable, code, kind, before, after, n_before, n_after,
    standardised_difference`. Groups are `pilot` and `comparison` where arms are declared, else `all`; a group pools
    the respondents of its units, a period those of its waves. A variable of kind `scale` has one row a code: the
    share in percent of the weight of valid answers, and how many gave it. One of kind `number` has one row: the
    weighted mean, and how many answered. What nobody answered in a period is NaN.

    Standardised differences, one value a variable: of numbers as `attrition.standardised_difference`; of scales
    √(tᵀS⁻¹t), t the differences of the shares and S the mean of both multinomial covariance matrices (Yang &
    Dalton 2012, SAS Global Forum, paper 335), infinite where the periods share no answer. Above 0.1 the
    surveys are commonly called unlike.

        who = composition(survey.responses, study)
    """
    design, rows = study.design, []
    period, arm = responses["wave"].map(design.periods), responses["unit"].map(design.arms)
    for group in [group for group in GROUPS if group in design.arms.values()] or ["all"]:
        for name in design.composition:
            answered = ((arm == group) | (group == "all")) & responses[name].notna()
            values, after = responses.loc[answered, name], period[answered] == "after"
            weight, scale = responses.loc[answered, "weight"], study.codebook[name].scale
            found = _number(values, after, weight) if scale is None else _shares(values, after, weight, scale)
            rows += [{"group": group, "variable": name, **row} for row in found]
    return pd.DataFrame(rows, columns=list(COMPOSITION_COLUMNS))


def _number(values: pd.Series, after: pd.Series, weight: pd.Series) -> list[dict[str, Any]]:
    mean = [np.average(values[rows], weights=weight[rows]) if rows.any() else np.nan for rows in (~after, after)]
    difference = standardised_difference(values.to_numpy()[:, None], after, weight=weight)[0]
    return [_row(np.nan, "number", mean, [(~after).sum(), after.sum()], difference)]


def _shares(values: pd.Series, after: pd.Series, weight: pd.Series, scale: Scale) -> list[dict[str, Any]]:
    codes = np.array([answer.code for answer in scale.valid])
    gave = values.to_numpy()[:, None] == codes
    number = np.array([gave[rows].sum(axis=0) for rows in (~after, after)])
    total = np.array([weight[rows].to_numpy() @ gave[rows] for rows in (~after, after)])
    whole = total.sum(axis=1, keepdims=True)
    share = np.divide(total, whole, out=np.full(total.shape, np.nan), where=whole > 0)
    difference = _multinomial_difference(*share)
    return [
        _row(code, "scale", 100 * share[:, at], number[:, at], difference)
        for at, code in enumerate(codes)
    ]  # fmt: skip


def _row(code: float, kind: str, value: Any, number: Any, difference: float) -> dict[str, Any]:
    both = {"before": value[0], "after": value[1], "n_before": int(number[0]), "n_after": int(number[1])}
    return {"code": code, "kind": kind, **both, "standardised_difference": float(difference)}


def _multinomial_difference(before: np.ndarray, after: np.ndarray) -> float:
    """The distance between two distributions over the same answers, in their joint standard deviations."""
    if np.isnan([before, after]).any():
        return np.nan
    if not (before * after).any():
        return np.inf
    given = before + after > 0
    # The shares add up to one, so one answer follows from the others.
    first, second = before[given][1:], after[given][1:]
    joint = sum(np.diag(share) - np.outer(share, share) for share in (first, second)) / 2
    gap = second - first
    return float(np.sqrt(max(gap @ np.linalg.solve(joint, gap), 0.0)))
