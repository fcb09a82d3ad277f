"""Pictures of the registers: on-time shares before and after, and what was received month by month."""

from __future__ import annotations

from datetime import date
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evalkit.figures import marked
from evalkit.language import Language, day, number, text
from evalkit.register_files import KINDS, Registers
from evalkit.register_tables import on_time, quiet_kinds, share_label
from evalkit.study import Study
from evalkit.values import group_label

# Okabe & Ito's blue and vermilion as in the other figures; grey lightness and marker tell them apart as well.
_COLOURS = {"before": "#56B4E9", "after": "#004D7A", "pilot": "#D55E00", "comparison": "#4D4D4D", "all": "#004D7A"}
_MARKERS = {"before": "o", "after": "D"}
_LINES = {"pilot": "-", "comparison": "--", "all": "-"}
_INK = "#222222"


def shares(effects: pd.DataFrame, study: Study, language: Language) -> Axes | None:
    """On-time shares of each kind and arm with their intervals; None where no share may be shown."""
    groups = [group for group in ("pilot", "comparison", "all") if (effects["group"] == group).any()]
    found = effects[effects["estimand"] == "level"]
    levels = {(kind, at): on_time(found, kind).query("group == @at") for kind in KINDS for at in groups}
    rows = [key for key, level in levels.items() if len(level) and not level["note"].any()]
    if not rows:
        return None
    figure, axes = plt.subplots(figsize=(7.2, 0.42 * len(rows) + 1.5))
    for at, (kind, group) in enumerate(rows):
        for offset, period in ((-0.13, "before"), (0.13, "after")):
            for row in levels[kind, group].query("contrast == @period").itertuples():
                reach = [[row.estimate - row.conf_low], [row.conf_high - row.estimate]]
                axes.errorbar(
                    row.estimate, at + offset, xerr=reach, fmt=_MARKERS[period], color=_COLOURS[period],
                    markersize=5, capsize=2, label=("_" if at else "") + text(f"period_{period}", language),
                )  # fmt: skip
    names = [
        fill(f"{text(f'register_kind_{kind}', language)} – {group_label(study, group, language)}", 40)
        for kind, group in rows
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_xlim(0, 100)
    share = "on_time_" + levels[rows[0]]["indicator"].iloc[0].partition("_on_time_")[2]
    axes.set_xlabel(f"{share_label(share, language)} (%)")
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return marked(axes, study, language)


def months(frame: pd.DataFrame, registers: Registers, study: Study, language: Language) -> Axes | None:
    """Items received a month, mean of a unit of each arm, a panel a kind; `frame` from `registers.monthly`.

    Kinds with months of too few items are left out (`register_tables.quiet_kinds`); None where that leaves none.
    """
    quiet = quiet_kinds(frame, study)
    kinds = [kind for kind in KINDS if kind not in quiet and (frame["kind"] == kind).any()]
    if not kinds:
        return None
    figure, panels = plt.subplots(len(kinds), 1, figsize=(7.2, 1.7 * len(kinds) + 1), sharex=True, squeeze=False)
    arm = frame["unit"].map(study.design.arms).fillna("all")
    for axes, kind in zip(panels[:, 0], kinds, strict=True):
        here = frame[frame["kind"] == kind]
        means = here.groupby([arm, "month"])["received"].mean().unstack("month")
        for group in [name for name in _LINES if name in means.index]:
            axes.plot(
                means.columns, means.loc[group], _LINES[group], color=_COLOURS[group], linewidth=1.5,
                label=("_" if kind != kinds[0] else "") + group_label(study, group, language),
            )  # fmt: skip
        if registers.rules.launch:
            axes.axvline(_launch_at(frame, registers.rules.launch), color=_INK, linewidth=0.8, linestyle=":")
        axes.set_ylim(0, max(1.0, float(np.nanmax(means.to_numpy())) * 1.1))
        axes.set_title(text(f"register_kind_{kind}", language), loc="left", fontsize=9)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 0, language)))
    last = panels[-1, 0]
    ticks = sorted(frame["month"].unique())[::6]
    last.set_xticks(ticks, [f"{pd.Timestamp(tick):%m/%Y}" for tick in ticks])
    last.set_xlabel(text("axis_register_month", language))
    if registers.rules.launch:
        top = panels[0, 0]
        place = (float(date2num(_launch_at(frame, registers.rules.launch))), 0.04)
        top.annotate(
            text("register_launch", language), place, xycoords=top.get_xaxis_transform(), xytext=(3, 0),
            textcoords="offset points", fontsize=7.5, color=_INK,
            label="_" + day(registers.rules.launch, language),
        )  # fmt: skip
    figure.supylabel(text("axis_register_items", language), fontsize=9)
    figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return marked(last, study, language)


def _launch_at(frame: pd.DataFrame, launch: date) -> pd.Timestamp:
    """Midway between the last month before the launch and the first after it."""
    earlier, later = (frame.loc[frame["period"] == period, "month"] for period in ("before", "after"))
    if earlier.empty or later.empty:
        return pd.Timestamp(launch)
    return earlier.max() + (later.min() - earlier.max()) / 2
