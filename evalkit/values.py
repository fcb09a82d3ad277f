"""Numbers as a reader meets them: rounded here and nowhere else, and bound to the effect they come from."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from evalkit.effects import KEY
from evalkit.language import Language, label, number, text
from evalkit.study import Study

_UNITS = {
    "points (0-100)": "unit_points",
    "percentage points": "unit_percentage_points",
    "percent": "unit_percent",
}
P_DECIMALS = 3
SIGNED = ("change", "did", "pre-period did", "regression to the mean", "log odds ratio")


def unit_words(study: Study, indicator: str, unit: str, language: Language) -> str:
    """The unit of an effect in words: points, percentage points, percent, or what the node declares."""
    if unit in _UNITS:
        return text(_UNITS[unit], language)
    declared = study.index[indicator].unit
    return label(declared, language) if declared else unit


def alike_outcomes(effects: pd.DataFrame, study: Study) -> list[list[str]]:
    """The outcomes of the plan that one axis can hold: of one unit, screened ones apart; primary ones first."""
    units = effects[effects["estimand"] == "change"].drop_duplicates("indicator").set_index("indicator")["unit"]
    found: dict[tuple[bool, str], list[str]] = {}
    for outcome in study.plan.outcomes:
        found.setdefault((outcome in study.plan.screening, units[outcome]), []).append(outcome)
    return list(found.values())


def group_label(study: Study, group: str, language: Language) -> str:
    """A group of the effects table in words: a unit's name, an arm, all."""
    if group in study.design.arms:
        return study.unit_label(group, language)
    return text(f"group_{group.replace(' - ', '_')}", language)


def too_few(effects: pd.DataFrame, study: Study) -> pd.Series:
    """Which effects rest on fewer answers than the study's minimum cell; records are no persons."""
    if study.declared.study.row == "record":
        return pd.Series(False, effects.index)
    return effects[["n_before", "n_after"]].min(axis=1) < study.declared.privacy.minimum_cell


def shown(value: float, decimals: int, language: Language, *, sign: bool = False) -> str:
    """A number for a reader; an en dash where there is none."""
    return number(value, decimals, language, sign=sign) if np.isfinite(value) else "–"


def exactly(value: float, language: Language) -> str:
    """A declared number with the digits it has, such as a confidence level."""
    digits = f"{value:.6f}".rstrip("0").rstrip(".")
    return number(float(digits), len(digits.partition(".")[2]), language)


def shown_p(value: float, language: Language) -> str:
    """A p-value to three decimals, `< 0.001` below that."""
    least = 10**-P_DECIMALS
    return f"< {number(least, P_DECIMALS, language)}" if value < least else shown(value, P_DECIMALS, language)


@dataclass(frozen=True)
class Values:
    """Values of an effects table by name, each as Markdown that carries the key of its effect.

    Every number in the text of a report goes through here, so that it can be traced and checked.
    """

    effects: pd.DataFrame
    study: Study
    language: Language

    def row(self, indicator: str, group: str, estimand: str, contrast: str, method: str) -> pd.Series:
        """The one effect with this key; KeyError where there is none."""
        key = (indicator, group, estimand, contrast, method)
        found = self.effects.loc[(self.effects[list(KEY)] == list(key)).all(axis=1)]
        if found.empty:
            raise KeyError(key)
        return found.iloc[0]

    def find(self, indicator: str, group: str, estimand: str, contrast: str = "") -> pd.DataFrame:
        """The effects of an estimand, all methods; none where there are none."""
        wanted = {"indicator": indicator, "group": group, "estimand": estimand}
        wanted |= {"contrast": contrast} if contrast else {}
        return self.effects.loc[(self.effects[list(wanted)] == list(wanted.values())).all(axis=1)]

    def shown(self, effect: pd.Series, column: str = "estimate") -> str:
        """A column of an effect as a reader meets it."""
        value = float(effect[column])
        if column in ("n_before", "n_after", "n_clusters"):
            return number(value, 0, self.language)
        if column in ("p_value", "p_adjusted") or effect["unit"] == "p":
            return shown_p(value, self.language)
        if effect["unit"] == "ratio":
            return shown(value, 2, self.language)
        if effect["unit"] == "count":
            return number(value, 0, self.language)
        if column == "conf_level":
            return exactly(100 * value, self.language)
        decimals = self.study.index[effect["indicator"]].decimals
        return shown(value, decimals, self.language, sign=effect["estimand"] in SIGNED)

    def bound(self, effect: pd.Series, column: str = "estimate") -> str:
        """A column of an effect as Markdown, bound to the effect's key."""
        key = "|".join([*(effect[name] for name in KEY), column])
        return f'<span class="value" data-effect="{escape(key)}">{self.shown(effect, column)}</span>'
