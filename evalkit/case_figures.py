"""Pictures of one-stop cases: every figure returns its Axes, every number was computed before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from evalkit.case_series import individuals_chart, on_time, series, share_chart, survival
from evalkit.cases import Cases
from evalkit.figures import COMPARISON, INK, PILOT, marked
from evalkit.language import Language, day, number, text
from evalkit.study import Study

_STYLES = {"pilot": (PILOT, "-", "o"), "comparison": (COMPARISON, "--", "s"), "all": (PILOT, "-", "o")}


def rates(cases: Cases, study: Study, language: Language) -> Axes:
    """The on-time rate by reporting period, mean over the units of each arm, and the launch."""
    letter = cases.declared.definition
    found = on_time(series(cases, by=("unit",)), letter)
    arms = found["unit"].astype("str").map(study.design.arms).fillna("all")
    means = found.groupby([arms.rename("arm"), "end"])["percent"].mean()
    axes = _axes()
    for arm in (arm for arm in _STYLES if arm in means.index.get_level_values("arm")):
        colour, line, marker = _STYLES[arm]
        axes.plot(means[arm].index, means[arm], line, color=colour, marker=marker, markersize=3.5,
                  label=text(f"case_group_{arm}", language))  # fmt: skip
    ends = means.index.get_level_values("end").unique()
    _launch(axes, cases, language, ends)
    _months(axes, ends)
    axes.set_ylabel(text("case_axis_percent", language, definition=letter))
    axes.figure.legend(loc="outside upper left", ncols=3, frameon=False)
    return _finish(axes, study, language)


def control(cases: Cases, study: Study, language: Language, *, unit: str) -> Axes | None:
    """Laney's p' chart of a unit, limits from before the launch; None where a period has no cases or they are few."""
    definition = cases.declared.definition
    found = on_time(series(cases, by=("unit",)), definition)
    found = found[found["unit"] == unit]
    before = _before(cases, found)
    if (found["denominator"] <= 0).any() or before.sum() < 2:
        return None
    chart = share_chart(found["numerator"], found["denominator"], baseline=before)
    words = text("case_axis_percent", language, definition=definition)
    return _control(chart.set_axis(found["end"]), cases, study, language, unit=unit, words=words)


def load(cases: Cases, study: Study, language: Language, *, unit: str) -> Axes | None:
    """XmR chart of the cases a unit received, limits from before the launch; None where periods are few."""
    found = series(cases, by=("unit",))
    found = found[found["unit"] == unit]
    before = _before(cases, found)
    if before.sum() < 2:
        return None
    chart = individuals_chart(found["received"], baseline=before).assign(low=lambda frame: frame["low"].clip(0))
    words = text("case_axis_received", language)
    return _control(chart.set_axis(found["end"]), cases, study, language, unit=unit, words=words)


def waiting(cases: Cases, study: Study, language: Language) -> Axes:
    """The share of cases without result by days since receipt, before (thin) and after (thick), by arm."""
    arms = cases.frame["unit"].astype("str").map(study.design.arms).fillna("all")
    curves = survival(cases, groups=arms)
    axes = _axes()
    for (arm, period), curve in curves.groupby(["group", "period"], sort=False):
        colour, line, _ = _STYLES[arm]
        words = [text(f"case_group_{arm}", language)]
        words += [text(f"period_{period}", language)] if period != "all" else []
        axes.step(curve["day"], 100 * curve["share"], line, where="post", color=colour,
                  linewidth=0.9 if period == "before" else 2, label=", ".join(words))  # fmt: skip
    axes.set_xlim(0, max(curves.loc[curves["share"] > 0.01, "day"].max(), 1))
    axes.set_ylim(0, 100)
    axes.set_xlabel(text("case_axis_days", language))
    axes.set_ylabel(text("case_axis_open", language))
    axes.figure.legend(loc="outside upper left", ncols=2, frameon=False)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    return _finish(axes, study, language)


def _before(cases: Cases, found: pd.DataFrame) -> np.ndarray:
    """Which periods end before the launch: all where there is none."""
    if cases.declared.launch is None:
        return np.ones(len(found), dtype=bool)
    return (found["end"] < pd.Timestamp(cases.declared.launch)).to_numpy()


def _control(chart: pd.DataFrame, cases: Cases, study: Study, language: Language, *, unit: str, words: str) -> Axes:
    """Limits as an area, centre as a line, what lies outside ringed by a diamond; `chart` by the ends of periods."""
    axes, at = _axes(), pd.DatetimeIndex(chart.index)
    centre = text("case_centre" if cases.declared.launch else "case_centre_all", language)
    axes.fill_between(
        at, chart["low"], chart["high"], step="mid", color="#E6E6E6", label=text("case_limits", language)
    )
    axes.plot(at, chart["centre"], color=INK, linewidth=0.8, label=centre)
    axes.plot(at, chart["value"], color=PILOT if study.design.arms[unit] == "pilot" else COMPARISON, marker="o",
              markersize=3.5, label="_")  # fmt: skip
    strange = chart.loc[chart["outside"], "value"]
    axes.plot(strange.index, strange, "D", color=INK, markersize=7, fillstyle="none",
              label=text("case_outside", language))  # fmt: skip
    _launch(axes, cases, language, at)
    _months(axes, at)
    axes.set_ylabel(words)
    axes.figure.legend(loc="outside upper left", ncols=4, frameon=False)
    return _finish(axes, study, language)


def _axes() -> Axes:
    return plt.subplots(figsize=(7.2, 3.4))[1]


def _launch(axes: Axes, cases: Cases, language: Language, ends: pd.DatetimeIndex) -> None:
    """A line midway between the last period before the launch and the first that ends after it."""
    if cases.declared.launch:
        at = pd.Timestamp(cases.declared.launch)
        earlier, later = ends[ends < at], ends[ends >= at]
        if len(earlier) and len(later):
            at = earlier.max() + (later.min() - earlier.max()) / 2
        axes.axvline(at, color=INK, linewidth=0.8, linestyle=":")
        axes.text(at, 1.0, f" {text('case_launch', language)}", transform=axes.get_xaxis_transform(), va="bottom",
                  fontsize=8, label="_" + day(cases.declared.launch, language))  # fmt: skip


def _months(axes: Axes, ends: Sequence[pd.Timestamp]) -> None:
    """Some ten periods by the month in which they end."""
    every = ends[:: max(1, len(ends) // 9)]
    axes.set_xticks(every, [f"{end:%m/%Y}" for end in every], fontsize=8)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)


def _finish(axes: Axes, study: Study, language: Language) -> Axes:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 0, language)))
    return marked(axes, study, language)
