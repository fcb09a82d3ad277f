"""Whether the items of an indicator hang together, as tables and sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.language import Language, label, number, plain, text
from evalkit.study import Study
from evalkit.values import Values, exactly, suppressed, titled, too_few

# Nunnally & Bernstein 1994, Psychometric Theory, pp. 264–265 and 305: rules of thumb for measures in the making.
LEAST_ALPHA, LEAST_ITEM_REST = 0.70, 0.30


def reliability(effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Alpha, omega total and the lowest item-rest correlation, one row an indicator and wave.

    effects: of `reliability_effects`. Rows of fewer people than the study's minimum cell are suppressed.
    """
    values, rows = Values(effects, study, language), []
    for (indicator, wave), found in _by_wave(effects):
        alpha, omega, rest = (found[found["estimand"] == name] for name in ("alpha", "omega", "item_rest"))
        cells = {
            "reliability_forms": number(_people(alpha.iloc[0]), 0, language),
            "reliability_alpha": _with_interval(values, alpha.iloc[0]),
            "reliability_omega": _with_interval(values, omega.iloc[0]) if len(omega) else "–",
            "reliability_weakest": _with_interval(values, rest.loc[rest["estimate"].fillna(np.inf).idxmin()]),
        }
        if too_few(alpha, study).iloc[0]:
            cells = dict.fromkeys(cells, suppressed(study, language))
        name, items = label(study.index[indicator].label, language), number(len(rest), 0, language)
        words = {"indicator": name, "wave": _wave(study, wave, language), "reliability_items": items}
        rows.append(words | cells)
    return titled(rows, language)


def reliability_items(effects: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """The item-rest correlations with their intervals, one row an item of an indicator, one column a wave."""
    values, rows = Values(effects, study, language), []
    small = suppressed(study, language)
    rest = effects[effects["estimand"] == "item_rest"]
    keys = rest["contrast"].str.partition(", ") if len(rest) else pd.DataFrame(columns=[0, 2])
    for (indicator, item), found in rest.groupby([rest["indicator"], keys[2]], sort=False):
        name, words = label(study.index[indicator].label, language), label(study.codebook[item].labels, language)
        row = {text("column_indicator", language): name, text("column_reliability_item", language): words}
        for at, effect in found.iterrows():
            shown = small if too_few(found, study)[at] else _with_interval(values, effect)
            row[_wave(study, keys.loc[at, 0], language)] = shown
        rows.append(row)
    return pd.DataFrame(rows)


def reliability_sentences(effects: pd.DataFrame, study: Study, language: Language) -> list[str]:
    """Which indicators' items do not hang together, and which items do not belong to the others.

    An alpha below .70, or an item-rest correlation below .30, is said with its interval; where the interval lies
    below altogether, the items are said not to hang together. One sentence says so where all hold; none without
    indicators of several items. Rows of too few people are left out.
    """
    shown = effects[~too_few(effects, study)] if len(effects) else effects
    values, sentences, any_known = Values(shown, study, language), [], False
    for (indicator, wave), found in _by_wave(shown):
        alpha = found[found["estimand"] == "alpha"].iloc[0]
        name, when = plain(label(study.index[indicator].label, language)), plain(_wave(study, wave, language))
        words = {"indicator": name, "wave": when}
        if np.isnan(alpha["estimate"]):
            sentences.append(text("reliability_unknown", language, **words))
            continue
        any_known = True
        if round(alpha["estimate"], 2) < LEAST_ALPHA:  # as it is shown: a rule of thumb has no third digit
            bound = {key: values.shown(alpha, column) for key, column in _COLUMNS.items()}
            bound |= {"least": number(LEAST_ALPHA, 2, language)}
            bound |= {"level": exactly(100 * alpha["conf_level"], language)}
            verdict = "apart" if alpha["conf_high"] < LEAST_ALPHA else "doubtful"
            verdict = "below" if np.isnan(alpha["conf_high"]) else verdict
            sentences.append(text(f"reliability_{verdict}", language, **words, **bound))
        if alpha["note"] == "improper":
            sentences.append(text("reliability_improper", language, **words))
        sentences += _weak_items(values, found, words)
    if any_known and not sentences:
        return [text("reliability_all_hold", language, least=number(LEAST_ALPHA, 2, language))]
    return sentences


_COLUMNS = {"alpha": "estimate", "low": "conf_low", "high": "conf_high"}


def _weak_items(values: Values, found: pd.DataFrame, words: dict[str, str]) -> list[str]:
    """The items of which too little goes with the others; of two items this says no more than alpha."""
    rest = found[found["estimand"] == "item_rest"]
    weak = rest[rest["estimate"].round(2) < LEAST_ITEM_REST] if len(rest) > 2 else rest.iloc[:0]
    sentences = []
    for _, row in weak.iterrows():
        item = values.study.codebook[row["contrast"].partition(", ")[2]]
        filled = {"item": plain(label(item.labels, values.language)), "correlation": values.shown(row)}
        filled |= {"least": number(LEAST_ITEM_REST, 2, values.language)}
        sentences.append(text("reliability_weak_item", values.language, **words, **filled))
    return sentences


def _by_wave(effects: pd.DataFrame) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """The rows of each indicator and wave, in the order of the table."""
    wave = effects["contrast"].str.partition(", ")[0] if len(effects) else effects["contrast"]
    return [(key, part) for key, part in effects.groupby([effects["indicator"], wave], sort=False)]


def _wave(study: Study, wave: str, language: Language) -> str:
    return label(study.wave(wave).label, language)


def _people(effect: pd.Series) -> float:
    return float(np.nansum([effect["n_before"], effect["n_after"]]))


def _with_interval(values: Values, effect: pd.Series) -> str:
    if np.isnan(effect["conf_low"]):
        return values.shown(effect)
    ends = {name: values.shown(effect, f"conf_{name}") for name in ("low", "high")}
    return text("reliability_with_interval", values.language, estimate=values.shown(effect), **ends)
