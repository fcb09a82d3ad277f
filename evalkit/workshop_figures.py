"""The coverage of a workshop's themes as a picture."""

from __future__ import annotations

from textwrap import fill

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from evalkit.figures import AFTER, INK, PILOT, marked
from evalkit.language import Language, number, text
from evalkit.study import Study
from evalkit.workshop_files import Workshop, labels
from evalkit.workshops import coverage as counts_of


def coverage(workshop: Workshop, study: Study, language: Language) -> Axes:
    """How many papers of each kind of organisation speak of each theme; themes that no paper covers stand out.

    Each cell holds its number, so that nothing hangs on the shade; a theme without a paper is hatched.
    """
    themes, kinds = (labels(part, language) for part in (workshop.declared.themes, workshop.declared.kinds))
    counts = counts_of(workshop).pivot(index="theme", columns="kind", values="papers")
    counts = counts.loc[list(themes), list(kinds)]
    axes = plt.subplots(figsize=(7.2, 0.42 * len(themes) + 1.8))[1]
    ramp = mpl.colors.LinearSegmentedColormap.from_list("", ["white", AFTER])
    most = max(int(counts.to_numpy().max()), 1)
    axes.imshow(counts, cmap=ramp, vmin=0, vmax=most, aspect="auto")
    for (row, column), count in np.ndenumerate(counts.to_numpy()):
        if count:
            axes.text(column, row, number(float(count), 0, language), ha="center", va="center",
                      color="white" if count > 0.55 * most else INK)  # fmt: skip
    for row in np.flatnonzero(counts.sum(axis=1) == 0):
        axes.barh(row, len(kinds), 1, left=-0.5, facecolor="none", edgecolor=PILOT, hatch="///", linewidth=0)
        axes.text((len(kinds) - 1) / 2, row, text("workshop_no_paper", language), ha="center", va="center", color=INK,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 2})  # fmt: skip
    axes.set_xticks(range(len(kinds)), [fill(name, 12) for name in kinds.values()], fontsize=8)
    axes.set_yticks(range(len(themes)), [fill(name, 32) for name in themes.values()])
    axes.set_xlim(-0.5, len(kinds) - 0.5)
    axes.set_ylim(len(themes) - 0.5, -0.5)
    axes.set_xticks(np.arange(len(kinds) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(themes) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#DDDDDD", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    return marked(axes, study, language)
