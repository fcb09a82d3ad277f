"""Numbers as a reader meets them: rounded here and nowhere else, and bound to the effect they come from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from evalkit.disclosure import suppress_groups
from evalkit.effects import KEY, select
from evalkit.language import Language, label, number, text
from evalkit.licence import compares
from evalkit.sample import BETWEEN, CHANGE
from evalkit.study import Study
from evalkit.tracing import add, trace, tracing

_UNITS = {
    "points (0-100)": "unit_points",
    "percentage points": "unit_percentage_points",
    "percent": "unit_percent",
}
P_DECIMALS = 3
_NUMBERS = ["estimate", "conf_low", "conf_high", "conf_low_adjusted", "conf_high_adjusted"]
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


def suppressed(study: Study, language: Language) -> str:
    """What stands in the place of a number that rests on too few."""
    return text("suppressed", language, minimum=study.declared.privacy.minimum_cell)


def too_few(effects: pd.DataFrame, study: Study) -> pd.Series:
    """Which effects rest on fewer answers than the study's minimum cell; records are no persons."""
    if study.declared.study.row == "record":
        return pd.Series(False, effects.index)
    return effects[["n_before", "n_after"]].min(axis=1) < study.declared.privacy.minimum_cell


def hidden_groups(effects: pd.DataFrame, study: Study, indicator: str, *, waves: bool = False) -> pd.Series:
    """Which groups of an indicator no table, figure or sentence shows: the only place that decides it.

    effects: of `compare`. waves: for levels wave by wave. Returns True or False by group: those that rest on too few
    answers, the units from which such a one would follow through the mean of its arm, and the difference between
    arms where an arm is hidden, since less the change of the other arm it is the hidden one.
    """
    changes = select(effects, indicator=indicator, estimand="change", contrast=CHANGE, method="linearised")
    rows = changes.set_index("group")
    few = too_few(rows, study)
    if few.any():
        few |= _with_others(rows[["n_before", "n_after"]], study).reindex(few.index, fill_value=False)
    if waves:
        few |= _hidden_by_wave(effects, study, indicator).reindex(few.index, fill_value=False)
    return pd.concat([few, pd.Series({BETWEEN: few.reindex(["pilot", "comparison"], fill_value=False).any()})])


def _hidden_by_wave(effects: pd.DataFrame, study: Study, indicator: str) -> pd.Series:
    """A group is hidden in all waves where it is in one, for the level of a period is the mean of its waves."""
    found = select(effects, indicator=indicator, estimand="level")
    found = found[found["contrast"].isin(list(study.design.periods))]
    few = too_few(found, study).groupby(found["group"]).any()
    if few.any():
        found = found.assign(n=found[["n_before", "n_after"]].min(axis=1))
        sizes = found.pivot(index="group", columns="contrast", values="n")
        few |= _with_others(sizes, study).reindex(few.index, fill_value=False)
    return few


def _with_others(sizes: pd.DataFrame, study: Study) -> pd.Series:
    """The units of few answers and those from which they would follow; `sizes` by group and period or wave."""
    arms = study.design.arms
    return suppress_groups(sizes[sizes.index.isin(list(arms))], study.declared.privacy.minimum_cell, pools=arms)


def visible(effects: pd.DataFrame, study: Study, *, waves: bool = False) -> pd.DataFrame:
    """Effects without the numbers of hidden groups, see `hidden_groups`: their rows stay, empty."""
    few = too_few(effects, study)
    for indicator, rows in effects.groupby("indicator"):
        hidden = hidden_groups(effects, study, indicator, waves=waves)
        few[rows.index] |= rows["group"].isin(hidden.index[hidden])
    return effects.assign(**effects[_NUMBERS].mask(few))


def main_group(effects: pd.DataFrame, study: Study, indicator: str) -> str:
    """The group that the conclusion on an indicator is about: the difference between arms, the pilots, or all."""
    if compares(study, indicator) and len(select(effects, indicator=indicator, estimand="did")):
        return BETWEEN
    return "pilot" if "pilot" in set(effects["group"]) else "all"


def main_hidden(effects: pd.DataFrame, study: Study, indicator: str) -> bool:
    """Whether the conclusion on an indicator rests on a hidden group, so that no way to reach it may be shown."""
    return bool(hidden_groups(effects, study, indicator).get(main_group(effects, study, indicator), False))


def hidden_panel(effects: pd.DataFrame, study: Study, indicator: str, group: str) -> bool:
    """Whether too few people of a group were lost, or met again, to show what sets them apart.

    The change of those seen twice less that of all is the share lost times their difference before.
    """
    lost = select(effects, indicator=indicator, group=group, estimand="lost")
    if lost.empty or study.declared.study.row == "record":
        return False
    asked, again = lost["n_before"].iloc[0], lost["n_after"].iloc[0]
    return any(0 < count < study.declared.privacy.minimum_cell for count in (asked - again, again))


def hidden_answers(frame: pd.DataFrame, study: Study) -> pd.Series:
    """Rows of `comparability.composition` with few people, and the answers from which such a one would follow."""
    counts, minimum = frame[["n_before", "n_after"]], study.declared.privacy.minimum_cell
    few = ((counts > 0) & (counts < minimum)).any(axis=1)
    for _, part in frame[frame["kind"] == "scale"].groupby(["group", "variable"]):
        few[part.index] = suppress_groups(counts.loc[part.index], minimum)
    return few


def hidden_differences(frame: pd.DataFrame, study: Study) -> pd.Series:
    """Rows of `comparability.composition` whose variable is hidden as a whole: its distance tells of the few too."""
    return hidden_answers(frame, study).groupby([frame["group"], frame["variable"]]).transform("all")


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
    if value >= least or not np.isfinite(value):
        return shown(value, P_DECIMALS, language)
    with tracing(False):
        below = f"< {number(least, P_DECIMALS, language)}"
    return trace("number", below, float(value), {"below": least})


@dataclass(frozen=True)
class Values:
    """Values of an effects table by name, each traced to the key of its effect."""

    effects: pd.DataFrame
    study: Study
    language: Language

    def row(self, indicator: str, group: str, estimand: str, contrast: str, method: str) -> pd.Series:
        """The one effect with this key; KeyError where there is none."""
        return self.effects.iloc[self._places[indicator, group, estimand, contrast, method]]

    @cached_property
    def _places(self) -> dict[tuple[str, ...], int]:
        return {key: at for at, key in enumerate(self.effects[list(KEY)].itertuples(index=False, name=None))}

    def find(self, indicator: str, group: str, estimand: str, contrast: str = "") -> pd.DataFrame:
        """The effects of an estimand, all methods; none where there are none."""
        wanted = {"indicator": indicator, "group": group, "estimand": estimand}
        wanted |= {"contrast": contrast} if contrast else {}
        return select(self.effects, **wanted)

    def shown(self, effect: pd.Series, column: str = "estimate") -> str:
        """A column of an effect as a reader meets it."""
        key = "|".join([*(effect[name] for name in KEY), column])
        return add(self._shown(effect, column), effect=key, unit=effect["unit"])

    def _shown(self, effect: pd.Series, column: str) -> str:
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


def titled(rows: list[dict[str, str]], language: Language) -> pd.DataFrame:
    """Rows with message keys as columns → a frame with titled columns."""
    frame = pd.DataFrame(rows)
    return frame.rename(columns=lambda key: text(f"column_{key}", language))
