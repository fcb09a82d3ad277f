"""Rows of effects on how the items of an indicator hang together, wave by wave."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.codebook import Codebook, Variable
from evalkit.effects import make_effects
from evalkit.reliability import Reliability, interval, reliability
from evalkit.sample import Row, Sample
from evalkit.study import Design, Index

ESTIMANDS = ("alpha", "omega", "item_rest")


def reliability_effects(
    responses: pd.DataFrame, design: Design, index: Index, codebook: Codebook, *, level: float
) -> pd.DataFrame:
    """Alpha, omega total and item-rest correlations of every mean of two or more items, in each wave.

    responses: as `clean` gives them; items are put on one scale, reversed ones turned around, as `score` does. All
    respondents of a wave are pooled (group `all`), those who answered every item of the indicator. Estimands
    `alpha`, `omega` (three items or more) and `item_rest`; `contrast` is the wave, of `item_rest` `<wave>,
    <item>`. Standard errors are those of `estimation.domain_means`, by the clusters, strata and weights of the
    design; intervals from `reliability.interval`. `note`: `constant` where an item does not vary, `improper`
    where one factor does not fit, `no_answers` where fewer than three people answered all items.

            effects = reliability_effects(survey.responses, study.design, study.index, study.codebook, level=0.95)
    """
    sample = Sample(responses, design, index)
    weight, rows = responses["weight"].to_numpy(dtype=float), []
    for name, node in index.items():
        if node.aggregate != "mean" or len(node.items) < 2:
            continue
        items = responses[list(node.items)].to_numpy(dtype=float) / [_step(codebook[item]) for item in node.items]
        for wave, period in design.periods.items():
            here = (responses["wave"] == wave).to_numpy()
            if not here.any():
                continue
            found = reliability(items[here], weight=weight[here])
            words: Row = {"indicator": name, "group": "all", "unit": "ratio", "weights": sample.weights}
            words |= {"note": _note(found, items[here]), "conf_level": level, f"n_{period}": found.n}
            rows += _rows(sample, here, found, words, wave, node.items, level)
    return make_effects(rows)


def _rows(
    sample: Sample, here: np.ndarray, found: Reliability, words: Row, wave: str, items: tuple[str, ...], level: float
) -> list[Row]:
    spread = np.full((len(here), found.influence.shape[1]), np.nan)
    spread[here] = found.influence
    means = sample.means(spread, pooled=True)
    at = list(means.domain).index(f"all|{wave}")
    estimates = [found.alpha, found.omega, *found.item_rest]
    names = [("alpha", wave), ("omega", wave), *(("item_rest", f"{wave}, {item}") for item in items)]
    rows = []
    for column, ((estimand, contrast), estimate) in enumerate(zip(names, estimates, strict=True)):
        if estimand == "omega" and len(items) == 2:
            continue
        std_error, df = means.std_error[at, column], means.df[at, column]
        low, high = interval(estimate, std_error, df, level=level, correlation=estimand == "item_rest")
        numbers = {"estimate": estimate, "std_error": std_error, "df": df, "conf_low": low, "conf_high": high}
        method = "one factor, least squares" if estimand == "omega" else "linearised"
        keys = {"estimand": estimand, "contrast": contrast, "method": method}
        rows.append(words | keys | numbers | {"n_clusters": means.clusters[at, column]})
    return rows


def _step(variable: Variable) -> float:
    """How far its scale reaches from the worst to the best answer."""
    assert variable.scale is not None
    codes = [answer.code for answer in variable.scale.valid]
    return (min(codes) - max(codes)) * (1 if variable.reverse else -1)


def _note(found: Reliability, items: np.ndarray) -> str:
    if found.improper:
        return "improper"
    if not np.isnan(found.alpha):
        return ""
    known = items[~np.isnan(items).any(axis=1)]
    return "constant" if len(known) > 2 else "no_answers"
