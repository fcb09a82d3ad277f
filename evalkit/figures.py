"""Effects and counts → what people read: every figure returns its Axes, every number was computed before."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.optimize import isotonic_regression

from evalkit.comparison import FIXED
from evalkit.disclosure import suppress, suppress_groups
from evalkit.indicators import alike
from evalkit.language import Language, label, number, text
from evalkit.licence import licence
from evalkit.ordinal import transitions as transition_shares
from evalkit.prospects import RESPONDENTS, arms, design_label
from evalkit.robustness import SPECIFICATION, choices
from evalkit.sample import ARMS, BETWEEN, CHANGE, DID, Sample, pairs
from evalkit.study import Study
from evalkit.tracing import as_name
from evalkit.units import shock_curve
from evalkit.values import Values, group_label, hidden_differences, unit_words, visible

# Okabe & Ito's blue and vermilion: told apart by colour-blind people, and in grey by lightness and by shape.
BEFORE, AFTER, PILOT, COMPARISON, INK = "#56B4E9", "#004D7A", "#D55E00", "#4D4D4D", "#222222"
_LOW, _HIGH = ("#B35806", "#F1A340"), ("#92B4D8", "#2B5C8F")
_NEUTRAL, _MISSING, _PEOPLE = "#E6E6E6", "#BDBDBD", "#8A8A8A"
_STAGES = ("issued", "returned", "valid", "analysed")
_DASHED: dict[str, Any] = {"color": INK, "linewidth": 0.8, "linestyle": (0, (4, 3))}
_RAMP = mpl.colors.LinearSegmentedColormap.from_list
_SHADES = _RAMP("", ["white", AFTER])
UNLIKE = 0.1  # standardised differences above this are commonly called an imbalance (Austin 2009)

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
    """Forms issued → returned → valid → analysed, before and after; `counts` from `record_tables.flow_counts`."""
    periods = counts["wave"].map(study.design.periods)
    # Where a unit's count was not declared, no total can be shown for the stage.
    totals = counts.groupby(periods)[list(_STAGES)].agg(lambda column: column.sum(skipna=False))
    stages = [stage for stage in _STAGES if totals[stage].notna().any()]
    axes = _axes(0.62 * len(stages) + 1.2)
    for offset, (period, colour) in enumerate((("before", BEFORE), ("after", AFTER))):
        at = np.arange(len(stages)) + (offset - 0.5) * 0.38
        counted = totals.loc[period, stages]
        bars = axes.barh(at, counted.astype(float), 0.36, color=colour, label=text(f"period_{period}", language))
        shown = [number(count, 0, language) if count == count else "" for count in counted]
        axes.bar_label(bars, shown, padding=3)
    axes.set_yticks(range(len(stages)), [text(f"column_{stage}", language) for stage in stages])
    axes.set_ylim(len(stages) - 0.5, -0.5)  # bars of unknown length do not count for the limits
    axes.set_xlabel(text("axis_forms", language))
    axes.margins(x=0.12)
    return _finished(axes, study, language)


def answers(shares: dict[str, pd.DataFrame], study: Study, language: Language) -> Axes:
    """Answers before and after as diverging bars around the middle answer, don't-know beside them.

    `shares`: item → `indicators.answer_shares`, items of one scale and direction, see `indicators.alike`. The worst
    answer stands on the left: of reversed items that is the highest code. Answers of too few people, and those from
    which they would follow, are one dotted part: at the left end where all are on that side, else at the right.
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
    left, right = 0.0, 134.0
    rows, labels = [], []
    few = {item: _few_answers(shares[item], study) for item in items}
    suppressed = text("suppressed", language, minimum=study.declared.privacy.minimum_cell)
    for position, item in enumerate(items):
        for offset, period in enumerate(("before", "after")):
            at = position + (offset - 0.5) * 0.42
            name = f"_{label(study.codebook[item].labels, language)}\t"
            found = shares[item][shares[item]["period"] == period]
            valid = found[found["kind"] == "answer"].set_index("code")["share"].reindex(codes)
            unseen = few[item].reindex(codes)
            together, worst = valid[unseen].sum(), not unseen.iloc[len(codes) // 2 :].any()
            valid = valid.mask(unseen, 0.0)
            start = -valid.iloc[: len(codes) // 2].sum() - (valid.iloc[len(codes) // 2] / 2 if len(codes) % 2 else 0)
            left = min(left, start - together * worst)
            outside = start - together
            for answer, colour in zip(ordered, colours, strict=True):
                code = answer.code
                axes.barh(at, valid[code], height, left=start, color=colour, edgecolor="white", linewidth=0.6,
                          label="" if unseen[code] else name + label(answer.labels, language))  # fmt: skip
                if valid[code] >= 7:
                    ink = "white" if _dark(colour) else INK
                    axes.text(start + valid[code] / 2, at, number(valid[code], 0, language), ha="center", va="center",
                              fontsize=7.5, color=ink)  # fmt: skip
                start += valid[code]
            if together:
                place = outside if worst else start
                axes.barh(at, together, height, left=place, facecolor="none", edgecolor=INK, linestyle=":",
                          label=name + suppressed)  # fmt: skip
            unsure = found[found["kind"] == "dont_know"]
            unknown = _few_people(unsure["n"], study)
            unsure = unsure.loc[~unknown, "share"].sum()
            right = max(right, 126 + unsure)
            axes.barh(at, unsure, height, left=118, color=_MISSING, hatch="////", edgecolor="white",
                      label="" if unknown.any() else name + text("kind_dont_know", language))  # fmt: skip
            axes.text(
                119 + unsure, at, "·" if unknown.any() else number(unsure, 0, language), va="center", fontsize=7.5
            )
            rows.append(at)
            labels.append(text(f"period_{period}", language))
        wrapped = fill(label(study.codebook[item].labels, language), 40)
        axes.text(-0.14, position, wrapped, transform=axes.get_yaxis_transform(), ha="right", va="center")
    axes.set_yticks(rows, labels, fontsize=7.5)
    axes.tick_params(axis="y", length=0)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=0)
    axes.set_ylim(len(items) - 0.4, -0.6)
    axes.set_xlim(max(-100, 10 * np.floor(left / 10) - 5), right)
    ticks = [tick for tick in range(-100, 101, 25) if tick >= axes.get_xlim()[0]]
    axes.set_xticks(ticks, [str(abs(tick)) for tick in ticks])
    axes.set_xlabel(text("axis_answers", language))
    handles = [Patch(color=colour) for colour in colours]
    handles.append(Patch(facecolor=_MISSING, hatch="////", edgecolor="white"))
    names = [label(answer.labels, language) for answer in ordered] + [text("kind_dont_know", language)]
    if any(hidden.any() for hidden in few.values()):
        handles.append(Patch(facecolor="none", edgecolor=INK, linestyle=":"))
        names.append(suppressed)
    axes.figure.legend(handles, names, loc="outside upper right", ncols=3, frameon=False, fontsize=8)
    return marked(axes, study, language)


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
    found = visible(effects, study)
    found = found[(found["estimand"] == "level") & found["contrast"].isin(["before", "after"])]
    rows = [(indicator, group) for indicator in indicators for group in groups]
    axes = _axes(0.42 * len(rows) + 1.3)
    names = []
    for at, (indicator, group) in enumerate(rows):
        pair = found[(found["indicator"] == indicator) & (found["group"] == group)].set_index("contrast")
        estimates = pair.loc[["before", "after"], "estimate"]
        compared = changes and licence(study, indicator) != "describe"
        if compared:
            axes.plot(estimates, [at - 0.13, at + 0.13], color=INK, linewidth=1, zorder=1)
        for period, marker, colour, offset in (("before", "o", BEFORE, -0.13), ("after", "s", AFTER, 0.13)):
            row = pair.loc[period]
            if compared:
                ends = [row["conf_low"], row["conf_high"]]
                axes.plot(ends, [at + offset] * 2, color=colour, linewidth=2.2, alpha=0.8,
                          label=f"_{text(f'period_{period}', language)}")  # fmt: skip
            face = "white" if period == "before" else colour
            name = ("_" if at else "") + text(f"period_{period}", language)
            axes.plot(row["estimate"], at + offset, marker, markersize=6, color=colour, markerfacecolor=face,
                      markeredgewidth=1.6, zorder=3, label=name)  # fmt: skip
        one_each = set(groups) <= set(study.design.arms)
        parts = [label(study.index[indicator].label, language)] * (len(indicators) > 1 or not one_each)
        parts += [group_label(study, group, language)] * (len(groups) > 1 or one_each)
        names.append(" – ".join(parts))
    _rows(axes, names)
    unit = found.loc[found["indicator"] == indicators[0], "unit"].iloc[0]
    points = unit == "points (0-100)"
    axes.set_xlabel(text("axis_points", language) if points else unit_words(study, indicators[0], unit, language))
    return _finished(axes, study, language)


def changes(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> Axes:
    """Changes (forest): pilot and comparison units, and their difference; intervals are simultaneous where there are
    several outcomes of a role, and single for screened ones.
    """
    kinds = [
        ("pilot", "change", CHANGE, "linearised", "o", PILOT),
        ("comparison", "change", CHANGE, "linearised", "s", COMPARISON),
        ("all", "change", CHANGE, "linearised", "o", AFTER),
        ("pilot - comparison", "did", DID, "unit t", "D", INK),
    ]
    present = [kind for kind in kinds if ((effects["group"] == kind[0]) & (effects["estimand"] == kind[1])).any()]
    axes = _axes((0.3 + 0.24 * len(present)) * len(indicators) + 1.3)
    effects = visible(effects, study)
    for order, (group, estimand, contrast, method, marker, colour) in enumerate(present):
        chosen = effects[
            (effects["group"] == group) & (effects["estimand"] == estimand)
            & (effects["contrast"] == contrast) & (effects["method"] == method)
        ].set_index("indicator")  # fmt: skip
        at = np.arange(len(indicators)) + (order - (len(present) - 1) / 2) * 0.24
        rows = chosen.loc[indicators]
        ends = [rows[f"conf_{end}_adjusted"].fillna(rows[f"conf_{end}"]) for end in ("low", "high")]
        axes.hlines(at, *ends, color=colour, linewidth=1.6, label=f"_{group_label(study, group, language)}")
        face = "white" if estimand == "did" else colour
        axes.plot(rows["estimate"], at, marker, color=colour, markersize=6, markerfacecolor=face,
                  markeredgewidth=1.4, label=group_label(study, group, language))  # fmt: skip
    axes.axvline(0, **_DASHED)
    _rows(axes, [label(study.index[indicator].label, language) for indicator in indicators])
    unit = effects.loc[(effects["indicator"] == indicators[0]) & (effects["estimand"] == "change"), "unit"].iloc[0]
    axes.set_xlabel(text("axis_change", language, unit=unit_words(study, indicators[0], unit, language)))
    return _finished(axes, study, language)


def unit_changes(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> Axes:
    """The change of every unit, sorted: is the pilots' change unusual among units?"""
    effects = visible(effects, study)
    rows = effects[(effects["indicator"] == indicator) & (effects["estimand"] == "change")]
    rows = rows[rows["group"].isin(list(study.design.arms))]
    rows = rows.sort_values(["estimate", "group"], ascending=[False, True])
    axes = _axes(0.21 * len(rows) + 1.5)
    pilot = (rows["group"].map(study.design.arms) == "pilot").to_numpy()
    at = np.arange(len(rows))
    for arm, marker, colour, chosen in (("pilot", "D", PILOT, pilot), ("comparison", "o", COMPARISON, ~pilot)):
        name, own = text(f"group_{arm}", language), rows[chosen]
        axes.hlines(at[chosen], own["conf_low_adjusted"], own["conf_high_adjusted"], color="#999999", linewidth=1.2,
                    label=f"_{name}")  # fmt: skip
        axes.plot(own["estimate"], at[chosen], marker, color=colour, markersize=6, linestyle="none", label=name)
    axes.axvline(0, **_DASHED)
    _rows(axes, [group_label(study, group, language) for group in rows["group"]])
    unit = unit_words(study, indicator, rows["unit"].iloc[0], language)
    axes.set_xlabel(text("axis_change", language, unit=unit))
    return _finished(axes, study, language)


def series(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> Axes:
    """The level wave by wave: the mean of each arm, or of all, and every unit that is no pilot in grey."""
    waves = study.declared.waves
    order = [wave.code for wave in waves]
    found = visible(effects, study, waves=True)
    found = found[(found["indicator"] == indicator) & (found["estimand"] == "level")]
    at_waves = found[found["contrast"].isin(order)]
    table = at_waves.pivot(index="contrast", columns="group", values="estimate").loc[order]
    axes = _axes(3.6)
    for unit, arm in study.design.arms.items():
        if arm != "pilot":
            axes.plot(range(len(order)), table[unit], color="#C8C8C8", linewidth=0.8, zorder=1,
                      label=f"_{group_label(study, unit, language)}")  # fmt: skip
    for group, marker, colour in (("comparison", "o", COMPARISON), ("all", "o", AFTER), ("pilot", "D", PILOT)):
        if group not in table:
            continue
        axes.plot(range(len(order)), table[group], marker=marker, color=colour, linewidth=2,
                  label=group_label(study, group, language))  # fmt: skip
    start = next(at for at, wave in enumerate(waves) if wave.period == "after") - 0.5
    axes.axvline(start, **_DASHED)
    axes.set_xticks(range(len(order)), [label(wave.label, language) for wave in waves])
    axes.set_ylabel(unit_words(study, indicator, found["unit"].iloc[0], language))
    _decimals(axes.yaxis, language)
    _legend(axes)
    return marked(axes, study, language)


def composition(frame: pd.DataFrame, study: Study, language: Language) -> Axes:
    """Standardised differences of the two periods' respondents; `frame` from `comparability.composition`."""
    shown = frame["standardised_difference"].mask(hidden_differences(frame, study))
    once = frame.assign(shown=shown).drop_duplicates(["group", "variable"])
    table = once.pivot(index="variable", columns="group", values="shown")
    names = list(study.design.composition)
    axes = _axes(0.42 * len(names) + 1.5)
    kinds = (("pilot", "D", PILOT), ("comparison", "o", COMPARISON), ("all", "o", AFTER))
    for order, (group, marker, colour) in enumerate([kind for kind in kinds if kind[0] in table]):
        at = np.arange(len(names)) + (order - 0.5) * 0.2 * (len(table.columns) > 1)
        axes.plot(table[group].reindex(names).abs(), at, marker, color=colour, markersize=6, linestyle="none",
                  label=group_label(study, group, language))  # fmt: skip
    axes.axvline(UNLIKE, **_DASHED)
    _rows(axes, [label(study.codebook[name].labels, language) for name in names])
    axes.set_xlim(0, max(0.16, 1.15 * np.nan_to_num(table.abs().to_numpy(), posinf=0).max()))
    axes.set_xlabel(text("axis_standardised", language))
    return _finished(axes, study, language)


def transitions(scores: pd.DataFrame, study: Study, language: Language, *, indicator: str, group: str) -> Axes | None:
    """Of the same people in one group: the answer before (rows) and after (columns) to one question, in percent.

    Small cells are hidden, and those from which they would follow with the totals of rows and columns. None for an
    indicator that is not one question on a scale, without a panel, and with fewer pairs than the smallest cell shown.
    """
    node, sample = study.index[indicator], Sample(scores, study.design, {indicator: study.index[indicator]})
    scale = study.codebook[node.items[0]].scale if len(node.items) == 1 and node.aggregate == "mean" else None
    found = pairs(sample)
    if scale is None or found is None:
        return None
    here = (scores["unit"].map(study.design.arms) == group).to_numpy() | (group not in study.design.arms.values())
    found = found[here[found["before"]] & ~np.isnan(sample.values[found.to_numpy()].sum(axis=(1, 2)))]
    if len(found) < study.declared.privacy.minimum_cell or (group == "all") == any(study.design.arms.values()):
        return None
    answers = scale.valid[::-1] if study.codebook[node.items[0]].reverse else scale.valid
    codes = np.array([answer.code for answer in answers], dtype=float)
    points = 100 * np.abs(codes - codes[0]) / abs(codes[-1] - codes[0])
    first, second = (np.round(sample.values[found[period], 0], 6) for period in ("before", "after"))
    shares = 100 * transition_shares(first, second, np.round(points, 6).tolist())
    few = _few_pairs(np.round(shares * len(found) / 100).astype(int), study)
    if few is None:
        return None
    axes = _axes(3.4)
    axes.imshow(np.where(few, 0, shares), cmap=_SHADES, vmin=0, aspect="auto")
    for row, column in np.ndindex(shares.shape):
        dark = shares[row, column] > 0.55 * shares.max()
        shown = "·" if few[row, column] else number(float(shares[row, column]), 0, language)
        axes.text(column, row, shown, ha="center", va="center",
                  color="white" if dark else INK, weight="bold" if row == column else None)  # fmt: skip
    names = [fill(label(answer.labels, language), 14) for answer in answers]
    axes.set_xticks(range(len(names)), names)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    axes.set_xlabel(text("axis_answer_after", language, pairs=number(len(found), 0, language)))
    axes.set_ylabel(text("axis_answer_before", language))
    return marked(axes, study, language)


def shocks(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> Axes:
    """How wide the interval would be for any size of shocks to units, and where it reaches zero."""
    values = Values(effects, study, language)
    moves = effects[(effects["indicator"] == indicator) & (effects["estimand"] == "shock sd")].iloc[0]
    group = moves["group"]
    keys = {BETWEEN: ("did", DID, "linearised"), "all": ("change", CHANGE, FIXED)}
    main = values.row(indicator, group, *keys.get(group, ("change", CHANGE, "linearised")))
    breaking = values.find(indicator, group, "breaking shock").iloc[0]
    falls = breaking["estimate"]
    arms, periods = list(study.design.arms.values()), list(study.design.periods.values())
    pilots, others = (arms.count(arm) for arm in ARMS)
    known = np.isfinite(main["std_error"])
    # The interval of the shocks may run off the figure; what is asked of it is where the conclusion falls.
    ends = [value for value in (2 * falls, 2 * moves["estimate"], main["std_error"]) if np.isfinite(value)]
    grid = np.linspace(0, max(*ends, 1e-9), 200)
    half = shock_curve(
        main["std_error"] ** 2 if known else 0.0, main["df"] if known else np.inf,
        pilots if group != "all" else breaking["n_clusters"], others if group == BETWEEN else 0, shock_sd=grid,
        waves=(periods.count("before"), periods.count("after")), level=main["conf_level"],
    )  # fmt: skip
    axes = _axes(3.4)
    axes.fill_between(grid, main["estimate"] - half, main["estimate"] + half, color=BEFORE, alpha=0.35,
                      label=text("legend_interval", language))  # fmt: skip
    axes.axhline(main["estimate"], color=AFTER, linewidth=2, label=text("legend_estimate", language))
    axes.axhline(0, **_DASHED)
    axes.axvline(falls, color=PILOT, linewidth=1.4, label=text("legend_falls", language))
    if np.isfinite(moves["estimate"]):
        low, high = axes.get_ylim()
        at = low + 0.06 * (high - low)
        name = text("legend_shock", language)
        axes.hlines(at, moves["conf_low"], min(moves["conf_high"], grid[-1]), color=COMPARISON, linewidth=2,
                    label=f"_{name}")  # fmt: skip
        axes.plot(moves["estimate"], at, "D", color=COMPARISON, markersize=6, label=name)
        axes.set_ylim(low, high)
    unit = unit_words(study, indicator, moves["unit"], language)
    axes.set_xlim(0, grid[-1])
    axes.set_xlabel(text("axis_shock", language, unit=unit))
    axes.set_ylabel(text("axis_change", language, unit=unit))
    _decimals(axes.xaxis, language)
    _decimals(axes.yaxis, language)
    _legend(axes)
    return marked(axes, study, language)


def robustness(found: pd.DataFrame, study: Study, language: Language) -> Axes:
    """The specification curve: the estimate in every way of analysis, sorted, and below it which way it was."""
    ways = found[found["estimand"] == SPECIFICATION].reset_index(drop=True)
    parts = choices(ways)
    order = ways.sort_values(["estimate", "contrast", "method"]).index
    at = np.empty(len(ways), dtype=int)
    at[order] = np.arange(len(ways))
    made = [(name, value) for name in parts for value in dict.fromkeys(parts[name]) if parts[name].nunique() > 1]
    height = 2.6 + 0.2 * len(made)
    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(7.2, height + 0.8), sharex=True, height_ratios=[2.6, max(0.2 * len(made), 0.2)]
    )
    for scoring, marker, colour in (("mean", "o", AFTER), ("share", "s", PILOT), ("ordinal", "D", COMPARISON)):
        chosen = (parts["scoring"] == scoring).to_numpy()
        if chosen.any():
            words = text(f"scoring_{scoring}", language)
            top.vlines(at[chosen], ways["conf_low"][chosen], ways["conf_high"][chosen], color=colour, alpha=0.45,
                       label=f"_{words}")  # fmt: skip
            top.plot(at[chosen], ways["estimate"][chosen], marker, color=colour, markersize=3.6, label=words)
    top.plot(at[0], ways["estimate"][0], "o", markersize=9, markerfacecolor="none", markeredgecolor=INK,
             markeredgewidth=1.2, label=text("legend_planned", language))  # fmt: skip
    top.axhline(0, **_DASHED)
    top.set_ylabel(text("axis_specification", language))
    _decimals(top.yaxis, language)
    top.tick_params(axis="x", length=0)
    for row, (name, value) in enumerate(made):
        chosen = (parts[name] == value).to_numpy()
        bottom.plot(at[chosen], np.full(chosen.sum(), row), "|", color=INK, markersize=5)
    _rows(bottom, [text(f"way_{name}_{value}", language) for name, value in made])
    bottom.grid(visible=False)
    bottom.set_xticks([])
    for below in range(1, len(made)):
        if made[below][0] != made[below - 1][0]:
            bottom.axhline(below - 0.5, color="#BBBBBB", linewidth=0.6)
    figure.legend(loc="outside upper left", ncols=4, frameon=False)
    return marked(top, study, language)


def planning(frame: pd.DataFrame, study: Study, language: Language, *, respondents: int) -> Axes:
    """The minimum detectable change by respondents a unit and wave: one line a design; `frame` from `prospects`.

    Coloured lines are about units, with the largest of their shocks, their floors dashed; grey ones about these
    people. The study's own design stands out, marked at the `respondents` it had. What is out of reach is left out.
    """
    axes = _axes(4.8)
    reached = frame[(frame["change"] <= frame["room"]) & np.isfinite(frame["change"])]
    people = reached[reached["claim"] == "people"]
    units = reached[reached["shock_sd"] == frame["shock_sd"].max()]
    for _, line in people.groupby(["pilots", "comparisons"]):
        axes.plot(line["respondents"], line["change"], color=_PEOPLE, linewidth=1.2,
                  label=f"_{text('plan_for_people', language)}")  # fmt: skip
    ends = [(people.loc[people["respondents"] == people["respondents"].max(), "change"].mean(), _PEOPLE)]
    words = [fill(text("plan_for_people", language), 18)]
    for (pilots, others), line in units.groupby(["pilots", "comparisons"]):
        own = (pilots, others) == arms(study)
        colour = PILOT if own else AFTER
        words.append(design_label(pilots, others, language))
        axes.plot(line["respondents"], line["change"], color=colour, linewidth=2.4 if own else 1.4, zorder=3,
                  label=f"_{words[-1]}, {text('plan_for_units', language)}")  # fmt: skip
        axes.axhline(line["floor"].iloc[0], color=colour, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1,
                     label=f"_{words[-1]}, {text('plan_floor', language)}")  # fmt: skip
        ends.append((line["change"].iloc[-1], colour))
        if own:
            here = line[line["respondents"] == respondents]
            axes.plot(here["respondents"], here["change"], "D", color=colour, markersize=6, zorder=4)
    axes.set_ylim(0, None)
    axes.set_xscale("log")
    axes.set_xticks(RESPONDENTS, [number(size, 0, language) for size in RESPONDENTS])
    axes.minorticks_off()
    _end_labels(axes, words, ends)
    unit = unit_words(study, study.plan.primary[0], frame["unit"].iloc[0], language)
    axes.set_xlabel(text("axis_respondents", language))
    axes.set_ylabel(text("axis_detectable", language, unit=unit))
    _decimals(axes.yaxis, language)
    axes.grid(axis="y", color="#DDDDDD", linewidth=0.6)
    if len(units):
        handles = [Line2D([], [], color=INK), Line2D([], [], **_DASHED)]
        names = [text(f"plan_{name}", language) for name in ("for_units", "floor")]
        axes.figure.legend(handles, names, loc="outside upper left", ncols=2, frameon=False)
    return marked(axes, study, language)


def _end_labels(axes: Axes, words: list[str], ends: list[tuple[float, str]]) -> None:
    """Words beside the right ends of lines, in their colours, moved no further than needed not to overlap."""
    low, high = axes.get_ylim()
    order = sorted(range(len(ends)), key=[end for end, _ in ends].__getitem__)
    height = 0.042 * (high - low) * np.array([words[at].count("\n") + 1 for at in order])
    stacked = np.cumsum(height) - height / 2  # where the words stand one upon the other
    places = stacked + isotonic_regression(np.array([ends[at][0] for at in order]) - stacked).x
    for at, place in zip(order, places, strict=True):
        end, colour = ends[at]
        axes.annotate(
            words[at], (1, end), (1.06, place), xycoords=axes.get_yaxis_transform(), va="center", color=colour,
            fontsize=8, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "relpos": (0, 0.5)},
        )  # fmt: skip


def _few_answers(shares: pd.DataFrame, study: Study) -> pd.Series:
    """By code: which answers are not drawn."""
    counts = shares[shares["kind"] == "answer"].pivot(index="code", columns="period", values="n")
    return suppress_groups(counts, study.declared.privacy.minimum_cell) & (study.declared.study.row != "record")


def _few_people(counts: pd.Series, study: Study) -> pd.Series:
    few = (counts > 0) & (counts < study.declared.privacy.minimum_cell)
    return few & (study.declared.study.row != "record")


def _few_pairs(counts: np.ndarray, study: Study) -> np.ndarray | None:
    """Which cells are not drawn; None where no choice is safe.

    In a panel without losses the totals are the answers that `answers` draws, except those hidden there.
    """
    minimum = study.declared.privacy.minimum_cell
    table = np.vstack([counts, counts.sum(axis=0)])
    table = np.column_stack([table, table.sum(axis=1)])
    drawn = ~suppress_groups(pd.DataFrame({"before": table[:-1, -1], "after": table[-1, :-1]}), minimum).to_numpy()
    known = np.zeros(table.shape, dtype=bool)
    known[:-1, -1] = known[-1, :-1] = drawn
    known[-1, -1] = True
    try:
        return suppress(pd.DataFrame(table), minimum, known=pd.DataFrame(known)).to_numpy()[:-1, :-1]
    except ValueError:
        return None


def _axes(height: float) -> Axes:
    return plt.subplots(figsize=(7.2, height))[1]


def _rows(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), [fill(name, 48) for name in names])
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#DDDDDD", linewidth=0.6)


def _legend(axes: Axes) -> None:
    axes.figure.legend(loc="outside upper left", ncols=2, frameon=False)


def _decimals(axis: mpl.axis.Axis, language: Language) -> None:
    ticks = axis.get_ticklocs()
    step = np.diff(ticks).min() if len(ticks) > 1 else 1
    decimals = next((digits for digits in range(8) if abs(round(step, digits) - step) < 1e-9), 8)
    axis.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: number(value, decimals, language)))


def _finished(axes: Axes, study: Study, language: Language) -> Axes:
    _decimals(axes.xaxis, language)
    _legend(axes)
    return marked(axes, study, language)


def _diverging(count: int) -> list[str]:
    """Dark to light on either side of a neutral middle."""
    steps = np.linspace(0, 1, count // 2)
    low, high = ([mpl.colors.to_hex(_RAMP("", ends)(x)) for x in steps] for ends in (_LOW, _HIGH))
    return [*low, *([_NEUTRAL] * (count % 2)), *high]


def _dark(colour: str) -> bool:
    return bool(np.dot(mpl.colors.to_rgb(colour), (0.299, 0.587, 0.114)) < 0.5)


def marked(axes: Axes, study: Study, language: Language) -> Axes:
    """The axes, with the mark of simulated data below where the study is simulated."""
    if study.declared.study.simulated:
        words = text("simulated", language)
        axes.figure.supxlabel(words, x=0.99, ha="right", fontsize=8, color="#A33", weight="bold")
    return axes


def screening(flags: pd.DataFrame, study: Study, language: Language) -> Axes | None:
    """How many flags of each rule in each unit and interviewer, so that a person can look; `flags` from `screen`.

    None where nothing was flagged.
    """
    if flags.empty:
        return None
    places = flags[["unit", "interviewer"]].astype(object)
    places = list(places.where(places.notna(), None).itertuples(index=False, name=None))
    rules = sorted(set(flags["rule"]))
    rows = sorted(set(places), key=lambda place: (place[0] is None, place[0] or "", place[1] or ""))
    counts = np.zeros((len(rows), len(rules)))
    np.add.at(counts, ([rows.index(place) for place in places], [rules.index(rule) for rule in flags["rule"]]), 1)
    axes = _axes(0.32 * len(rows) + 2.6)
    axes.imshow(counts, cmap=_SHADES, vmin=0, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axes.text(column, row, number(float(count), 0, language), ha="center", va="center",
                      color="white" if count > 0.55 * counts.max() else INK)  # fmt: skip
    names = [fill(text(f"screening_rule_{rule}", language), 18) for rule in rules]
    axes.set_xticks(range(len(rules)), names, rotation=90 if len(rules) > 4 else 0)
    labels = [(study.unit_label(unit, language) if unit else "", as_name(who or "")) for unit, who in rows]
    axes.set_yticks(range(len(rows)), [" – ".join(filter(None, parts)) or "–" for parts in labels])
    axes.tick_params(length=0)
    return marked(axes, study, language)
