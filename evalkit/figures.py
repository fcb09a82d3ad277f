"""Effects and counts → what people read: every figure returns its Axes, every number was computed before."""

from __future__ import annotations

from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from evalkit.comparison import CHANGE, DID
from evalkit.indicators import alike
from evalkit.language import Language, label, number, text
from evalkit.study import Study
from evalkit.values import group_label, too_few, unit_words

# Okabe & Ito's blue and vermilion: told apart by colour-blind people, and in grey by lightness and by shape.
BEFORE, AFTER, PILOT, COMPARISON, INK = "#56B4E9", "#004D7A", "#D55E00", "#4D4D4D", "#222222"
_LOW, _HIGH = ("#B35806", "#F1A340"), ("#92B4D8", "#2B5C8F")
_NEUTRAL, _MISSING = "#E6E6E6", "#BDBDBD"
_STAGES = ("issued", "returned", "valid", "analysed")


STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
    "hatch.linewidth": 0.6,
    "svg.hashsalt": "evalkit",
}


def use_style() -> None:
    """The look of all figures, and the salt that makes an SVG the same bytes from run to run."""
    plt.rcParams.update(STYLE)


def flow(counts: pd.DataFrame, study: Study, language: Language) -> Axes:
    """Forms issued → returned → valid → analysed, before and after; `counts` from `tables.flow_counts`."""
    periods = counts["wave"].map(study.design.periods)
    # Where a unit's count was not declared, no total can be shown for the stage.
    totals = counts.groupby(periods)[list(_STAGES)].agg(lambda column: column.sum(skipna=False))
    stages = [stage for stage in _STAGES if totals[stage].notna().any()]
    axes = _axes(0.62 * len(stages) + 1.2)
    for offset, (period, colour) in enumerate((("before", BEFORE), ("after", AFTER))):
        at = np.arange(len(stages)) + (offset - 0.5) * 0.38
        counted = totals.loc[period, stages]
        bars = axes.barh(at, counted.fillna(0), 0.36, color=colour, label=text(f"period_{period}", language))
        shown = [number(count, 0, language) if count == count else "" for count in counted]
        axes.bar_label(bars, shown, padding=3)
    axes.set_yticks(range(len(stages)), [text(f"column_{stage}", language) for stage in stages])
    axes.invert_yaxis()
    axes.set_xlabel(text("axis_forms", language))
    axes.margins(x=0.12)
    _decimals(axes, language)
    _legend(axes)
    return _finish(axes, study, language)


def answers(shares: dict[str, pd.DataFrame], study: Study, language: Language) -> Axes:
    """Answers before and after as diverging bars around the middle answer, don't-know beside them.

    `shares`: item → `indicators.answer_shares`, items of one scale and direction, see `indicators.alike`. The worst
    answer stands on the left: of reversed items that is the highest code.
    """
    items = list(shares)
    (same,) = alike(tuple(items), study.codebook)  # two scales would share one legend
    scale = study.codebook[same[0]].scale
    assert scale is not None
    ordered = scale.valid[::-1] if study.codebook[same[0]].reverse else scale.valid
    codes = [answer.code for answer in ordered]
    colours = _diverging(len(codes))
    height = 0.36
    axes = _axes(0.85 * len(items) + 1.6)
    left = 0.0
    rows, labels = [], []
    for position, item in enumerate(items):
        for offset, period in enumerate(("before", "after")):
            at = position + (offset - 0.5) * 0.42
            found = shares[item][shares[item]["period"] == period]
            valid = found[found["kind"] == "answer"].set_index("code")["share"].reindex(codes)
            start = -valid.iloc[: len(codes) // 2].sum() - (valid.iloc[len(codes) // 2] / 2 if len(codes) % 2 else 0)
            left = min(left, start)
            for code, colour in zip(codes, colours, strict=True):
                axes.barh(at, valid[code], height, left=start, color=colour, edgecolor="white", linewidth=0.6)
                if valid[code] >= 7:
                    ink = "white" if _dark(colour) else INK
                    axes.text(start + valid[code] / 2, at, f"{valid[code]:.0f}", ha="center", va="center",
                              fontsize=7.5, color=ink)  # fmt: skip
                start += valid[code]
            unsure = found.loc[found["kind"] == "dont_know", "share"].sum()
            axes.barh(at, unsure, height, left=118, color=_MISSING, hatch="////", edgecolor="white")
            axes.text(119 + unsure, at, f"{unsure:.0f}", va="center", fontsize=7.5)
            rows.append(at)
            labels.append(text(f"period_{period}", language))
        wrapped = fill(label(study.codebook[item].labels, language), 40)
        axes.text(-0.14, position, wrapped, transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.set_yticks(rows, labels, fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=0)
    axes.set_ylim(len(items) - 0.4, -0.6)
    axes.set_xlim(max(-100, 10 * np.floor(left / 10) - 5), 134)
    ticks = [tick for tick in range(-100, 101, 25) if tick >= axes.get_xlim()[0]]
    axes.set_xticks(ticks, [str(abs(tick)) for tick in ticks])
    axes.set_xlabel(text("axis_answers", language))
    handles = [Patch(color=colour) for colour in colours] + [
        Patch(facecolor=_MISSING, hatch="////", edgecolor="white")
    ]
    names = [label(answer.labels, language) for answer in ordered] + [text("kind_dont_know", language)]
    axes.figure.legend(handles, names, loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    return _finish(axes, study, language)


def levels(
    effects: pd.DataFrame,
    study: Study,
    language: Language,
    *,
    indicators: list[str],
    groups: list[str],
    changes: bool = True,
) -> Axes:
    """Level before → after with intervals: one row a group, or one an indicator and group (dumbbell).

    Unless `changes`, the two levels stand apart, without a line between them and without intervals.
    """
    found = _visible(effects, study)
    found = found[(found["estimand"] == "level") & found["contrast"].isin(["before", "after"])]
    rows = [(indicator, group) for indicator in indicators for group in groups]
    axes = _axes(0.42 * len(rows) + 1.3)
    names = []
    for at, (indicator, group) in enumerate(rows):
        pair = found[(found["indicator"] == indicator) & (found["group"] == group)].set_index("contrast")
        estimates = pair.loc[["before", "after"], "estimate"]
        if changes:
            axes.plot(estimates, [at - 0.13, at + 0.13], color=INK, linewidth=1, zorder=1)
        for period, marker, colour, offset in (("before", "o", BEFORE, -0.13), ("after", "s", AFTER, 0.13)):
            row = pair.loc[period]
            if changes:
                ends = [row["conf_low"], row["conf_high"]]
                axes.plot(ends, [at + offset] * 2, color=colour, linewidth=2.2, alpha=0.8)
            face = "white" if period == "before" else colour
            name = None if at else text(f"period_{period}", language)
            axes.plot(row["estimate"], at + offset, marker, markersize=6, color=colour, markerfacecolor=face,
                      markeredgewidth=1.6, zorder=3, label=name)  # fmt: skip
        parts = [label(study.index[indicator].label, language)] * (len(indicators) > 1)
        parts += [group_label(study, group, language)] * (len(groups) > 1 or len(indicators) == 1)
        names.append(" – ".join(parts))
    _rows(axes, names)
    unit = found.loc[found["indicator"] == indicators[0], "unit"].iloc[0]
    points = unit == "points (0-100)"
    axes.set_xlabel(text("axis_points", language) if points else unit_words(study, indicators[0], unit, language))
    _decimals(axes, language)
    _legend(axes)
    return _finish(axes, study, language)


def changes(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> Axes:
    """Changes with simultaneous intervals (forest): pilot and comparison units, and their difference."""
    kinds = [
        ("pilot", "change", CHANGE, "linearised", "o", PILOT),
        ("comparison", "change", CHANGE, "linearised", "s", COMPARISON),
        ("all", "change", CHANGE, "linearised", "o", AFTER),
        ("pilot - comparison", "did", DID, "unit t", "D", INK),
    ]
    present = [kind for kind in kinds if ((effects["group"] == kind[0]) & (effects["estimand"] == kind[1])).any()]
    axes = _axes((0.3 + 0.24 * len(present)) * len(indicators) + 1.3)
    for order, (group, estimand, contrast, method, marker, colour) in enumerate(present):
        chosen = effects[
            (effects["group"] == group) & (effects["estimand"] == estimand)
            & (effects["contrast"] == contrast) & (effects["method"] == method)
        ].set_index("indicator")  # fmt: skip
        at = np.arange(len(indicators)) + (order - (len(present) - 1) / 2) * 0.24
        rows = chosen.loc[indicators]
        axes.hlines(at, rows["conf_low_adjusted"], rows["conf_high_adjusted"], color=colour, linewidth=1.6)
        face = "white" if estimand == "did" else colour
        axes.plot(rows["estimate"], at, marker, color=colour, markersize=6, markerfacecolor=face,
                  markeredgewidth=1.4, label=group_label(study, group, language))  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    _rows(axes, [label(study.index[indicator].label, language) for indicator in indicators])
    unit = effects.loc[(effects["indicator"] == indicators[0]) & (effects["estimand"] == "change"), "unit"].iloc[0]
    axes.set_xlabel(text("axis_change", language, unit=unit_words(study, indicators[0], unit, language)))
    _decimals(axes, language)
    _legend(axes)
    return _finish(axes, study, language)


def unit_changes(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> Axes:
    """The change of every unit, sorted: is the pilots' change unusual among units?"""
    effects = _visible(effects, study)
    rows = effects[
        (effects["indicator"] == indicator)
        & (effects["estimand"] == "change")
        & effects["group"].isin(list(study.design.arms))
    ].sort_values(["estimate", "group"], ascending=[False, True])
    axes = _axes(0.21 * len(rows) + 1.5)
    pilot = (rows["group"].map(study.design.arms) == "pilot").to_numpy()
    at = np.arange(len(rows))
    axes.hlines(at, rows["conf_low_adjusted"], rows["conf_high_adjusted"], color="#999999", linewidth=1.2)
    for arm, marker, colour, chosen in (
        ("pilot", "D", PILOT, pilot),
        ("comparison", "o", COMPARISON, ~pilot),
    ):
        axes.plot(rows["estimate"].to_numpy()[chosen], at[chosen], marker, color=colour, markersize=6,
                  linestyle="none", label=text(f"group_{arm}", language))  # fmt: skip
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    _rows(axes, [group_label(study, group, language) for group in rows["group"]])
    unit = unit_words(study, indicator, rows["unit"].iloc[0], language)
    axes.set_xlabel(text("axis_change", language, unit=unit))
    _decimals(axes, language)
    _legend(axes)
    return _finish(axes, study, language)


def series(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> Axes:
    """The level wave by wave: the mean of each arm, or of all, and every unit that is no pilot in grey."""
    waves = study.declared.waves
    order = [wave.code for wave in waves]
    found = _visible(effects, study)
    found = found[(found["indicator"] == indicator) & (found["estimand"] == "level")]
    table = (
        found[found["contrast"].isin(order)].pivot(index="contrast", columns="group", values="estimate").loc[order]
    )
    axes = _axes(3.6)
    for unit, arm in study.design.arms.items():
        if arm != "pilot":
            axes.plot(range(len(order)), table[unit], color="#C8C8C8", linewidth=0.8, zorder=1)
    for group, marker, colour in (("comparison", "o", COMPARISON), ("all", "o", AFTER), ("pilot", "D", PILOT)):
        if group not in table:
            continue
        axes.plot(range(len(order)), table[group], marker=marker, color=colour, linewidth=2,
                  label=group_label(study, group, language))  # fmt: skip
    start = next(at for at, wave in enumerate(waves) if wave.period == "after") - 0.5
    axes.axvline(start, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xticks(range(len(order)), [label(wave.label, language) for wave in waves])
    axes.set_ylabel(unit_words(study, indicator, found["unit"].iloc[0], language))
    axes.yaxis.set_major_formatter(_formatter(axes.get_yticks(), language))
    _legend(axes)
    return _finish(axes, study, language)


def _visible(effects: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Effects without the numbers of those that rest on too few answers: their rows stay empty."""
    numbers = ["estimate", "conf_low", "conf_high", "conf_low_adjusted", "conf_high_adjusted"]
    return effects.assign(**effects[numbers].mask(too_few(effects, study)))


def _axes(height: float) -> Axes:
    return plt.subplots(figsize=(7.2, height))[1]


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [fill(name, 48) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)


def _legend(axes: Axes) -> None:
    axes.figure.legend(loc="outside upper left", ncols=2, frameon=False)


def _formatter(ticks: np.ndarray, language: Language) -> mpl.ticker.FuncFormatter:
    step = np.diff(ticks).min() if len(ticks) > 1 else 1
    decimals = next((digits for digits in range(8) if abs(round(step, digits) - step) < 1e-9), 8)
    return mpl.ticker.FuncFormatter(lambda value, _: number(value, decimals, language))


def _decimals(axes: Axes, language: Language) -> None:
    axes.xaxis.set_major_formatter(_formatter(axes.get_xticks(), language))


def _diverging(count: int) -> list[str]:
    """Dark to light on either side of a neutral middle."""
    ramp = mpl.colors.LinearSegmentedColormap.from_list
    half = count // 2
    low = [mpl.colors.to_hex(ramp("low", _LOW)(x)) for x in np.linspace(0, 1, half)]
    high = [mpl.colors.to_hex(ramp("high", _HIGH)(x)) for x in np.linspace(0, 1, half)]
    return [*low, *([_NEUTRAL] * (count % 2)), *high]


def _dark(colour: str) -> bool:
    return bool(np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5)


def _finish(axes: Axes, study: Study, language: Language) -> Axes:
    if study.declared.study.simulated:
        axes.figure.supxlabel(
            text("simulated", language), x=0.99, ha="right", fontsize=8, color="#A33", weight="bold"
        )
    return axes
