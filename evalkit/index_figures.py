"""Published series over the years and points beside points: pictures that return their Axes."""

from __future__ import annotations

from itertools import cycle, product
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

from evalkit.figures import AFTER, BEFORE, COMPARISON, INK, PILOT, marked
from evalkit.index_tables import area_label, shown_nodes
from evalkit.indices import Definition, Family, Published, series
from evalkit.language import Language, label, number, text
from evalkit.study import Study

_LOOKS = list(product(("", "white"), [(AFTER, "o"), (PILOT, "s"), (COMPARISON, "^"), (BEFORE, "D")]))
_HALO = [withStroke(linewidth=3, foreground="white")]  # keeps the line from striking the value


def published(wanted: Published, family: Family, language: Language) -> Axes | None:
    """Published values over the years, one line an area and node, each line stopping at a break in the series.

    None where nothing was published. Values are those of official sources, also in a study of simulated data.
    """
    labels = {code: words for definition in family.definitions for code, words in definition.labels().items()}
    lines = {}
    for node in shown_nodes(wanted, family):
        for area in wanted.areas:
            rows = series(family, node=node, area=area).dropna(subset="value")
            if len(rows):
                lines[f"{label(labels[node], language)}, {area_label(area, language)}"] = rows
    if not lines:
        return None
    axes = plt.subplots(figsize=(7.2, 3.6))[1]
    for (words, rows), (inside, (colour, mark)) in zip(lines.items(), cycle(_LOOKS), strict=False):
        for at, (_, part) in enumerate(rows.groupby("segment")):
            # A year without a value parts the line: nothing is interpolated.
            values = part.set_index("year")["value"].reindex(range(part["year"].min(), part["year"].max() + 1))
            axes.plot(values.index, values, color=colour, marker=mark, markerfacecolor=inside or colour,
                      label=("_" if at else "") + words)  # fmt: skip
        for row in rows.to_dict("records") if len(lines) == 1 else ():  # of several lines they would cover each other
            value = number(row["value"], row["decimals"], language)
            axes.annotate(value, (row["year"], row["value"]), (0, 7), textcoords="offset points",
                          ha="center", fontsize=8, color=INK, path_effects=_HALO)  # fmt: skip
    years = pd.concat(lines)["year"]
    for broken in family.breaks(int(years.min()), int(years.max())):
        axes.axvline(broken.year - 0.5, color=INK, linestyle=":", linewidth=1)
        axes.annotate(text("index_break_mark", language, year=broken.year), (broken.year - 0.5, 1),
                      (3, -2), xycoords=("data", "axes fraction"), textcoords="offset points", va="top",
                      fontsize=8, color=INK)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))  # no quarters: one decimal is shown
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 1, language)))
    axes.margins(x=0.08, y=0.22)
    axes.set_xlabel(text("axis_index_year", language))
    units = {node.unit for one in family.definitions for node in one.node if node.code in shown_nodes(wanted, family)}
    unit = next(iter(units)) if len(units) == 1 else None
    words = label(unit, language) if unit else text("context_points_unit", language)
    axes.set_ylabel(text("axis_index_value", language, unit=words), fontsize=8)
    axes.figure.legend(loc="outside upper left", ncols=2, frameon=False)
    return axes


def points(found: pd.DataFrame, definition: Definition, study: Study, language: Language) -> Axes | None:
    """Appraised less self-scored points of each criterion, one point a place and year; `found` of `read_points`.

    None where no criterion has both.
    """
    rows = found[(found["status"] == "scored") & found["difference"].notna()]
    if rows.empty:
        return None
    codes = [node.code for node in definition.node if node.code in set(rows["criterion"])]
    axes = plt.subplots(figsize=(7.2, 0.55 * len(codes) + 1.3))[1]
    for at, code in enumerate(codes):
        # Equal differences stand beside each other, else many points would look like one.
        for value, part in rows[rows["criterion"] == code].groupby("difference"):
            spread = 0.11 * (np.arange(len(part)) - (len(part) - 1) / 2)
            squeezed = spread * min(1, 0.7 / max(np.ptp(spread), 1e-9))
            axes.plot(np.full(len(part), value), at + squeezed, "o", color=AFTER, markersize=4, label="_")
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_yticks(range(len(codes)), [fill(label(definition.labels()[code], language), 44) for code in codes])
    axes.set_ylim(len(codes) - 0.4, -0.6)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 1, language, sign=True)))
    if np.ptp(rows["difference"]) <= 6:
        axes.xaxis.set_major_locator(MultipleLocator(0.5))  # points are given in halves
    axes.set_xlabel(text("axis_index_points", language))
    return marked(axes, study, language)
