"""Pictures of training classes: the questions of the test before and after, and what the trainees thought."""

from __future__ import annotations

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from evalkit.figures import marked
from evalkit.language import Language, label, number, text
from evalkit.study import PERIODS, Study
from evalkit.training_files import Class

# Okabe & Ito's blue, light and dark as in the other figures: told apart in grey by lightness, and by shape.
_COLOURS = {"before": "#56B4E9", "after": "#004D7A"}
_MARKERS = {"before": "o", "after": "D"}
_INK = "#222222"


def questions(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> Axes | None:
    """The share of right answers to each question, before → after; the dotted line is blind guessing.

    frame: of `training.question_analysis`. What was known least before comes first. None where too few sat a test.
    """
    found = frame[(frame["class"] == one.code) & (frame["n"] >= study.declared.privacy.minimum_cell)]
    table = 100 * found.pivot(index="item", columns="period", values="share").reindex(columns=PERIODS)
    if one.test is None or table.dropna(how="all").empty:
        return None
    table = table.sort_values(list(PERIODS), kind="stable")
    labels = {item.code: f"{item.column}. {label(item.label, language)}" for item in one.test.items}
    axes = _axes(0.31 * len(table) + 1.3, [labels[code] for code in table.index])
    at = np.arange(len(table))
    axes.hlines(at, table.min(axis=1), table.max(axis=1), color="#999999", linewidth=1.2, zorder=1)
    for period in PERIODS:
        axes.plot(table[period], at, _MARKERS[period], color=_COLOURS[period], markersize=6, linestyle="none",
                  label=text(f"period_{period}", language))  # fmt: skip
    axes.axvline(100 / len(one.test.options), color=_INK, linewidth=0.9, linestyle=":",
                 label=text("training_guessing", language))  # fmt: skip
    return _finish(axes, study, language, text("training_axis_right", language), columns=3)


def satisfaction(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> Axes | None:
    """The share satisfied with each thing asked, with its interval; `frame` of `training.satisfied`.

    None where too few answered.
    """
    found = frame[(frame["class"] == one.code) & (frame["n"] >= study.declared.privacy.minimum_cell)]
    if one.satisfaction is None or found.empty:
        return None
    labels = {item.code: label(item.label, language) for item in one.satisfaction.items}
    axes = _axes(0.42 * len(found) + 1.0, [labels[code] for code in found["item"]])
    share, low, high = (100 * found[name].to_numpy() for name in ("share", "low", "high"))
    axes.errorbar(share, np.arange(len(found)), xerr=[share - low, high - share], fmt="D", color=_COLOURS["after"],
                  markersize=6, capsize=3, linestyle="none", label="_")  # fmt: skip
    return _finish(axes, study, language, text("training_axis_satisfied", language))


def _axes(height: float, names: list[str]) -> Axes:
    axes = plt.subplots(figsize=(7.2, height))[1]
    axes.set_yticks(range(len(names)), [fill(name, 48) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)
    axes.set_xlim(-2, 102)
    return axes


def _finish(axes: Axes, study: Study, language: Language, title: str, *, columns: int = 0) -> Axes:
    axes.set_xlabel(title)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 0, language)))
    if columns:
        axes.figure.legend(loc="outside upper left", ncols=columns, frameon=False)
    return marked(axes, study, language)
