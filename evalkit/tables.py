"""Effects as tables of words: localised, rounded, small cells suppressed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from evalkit.comparison import FIXED, RAKED
from evalkit.effects import select
from evalkit.language import Language, counted, label, listing, number, plain, text
from evalkit.licence import licence
from evalkit.panel_effects import REWEIGHTED, SEEN
from evalkit.robustness import SPECIFICATION, agreeing, shared_choices
from evalkit.sample import BETWEEN, CHANGE, DID, Sample, moved, pairs
from evalkit.study import Study
from evalkit.tracing import unmarked
from evalkit.values import (
    Values,
    group_label,
    hidden_answers,
    hidden_differences,
    hidden_groups,
    hidden_panel,
    main_group,
    main_hidden,
    shown,
    shown_p,
    suppressed,
    titled,
    too_few,
    unit_words,
)

_NUMERIC = re.compile(r"–|(< )?[+−]?[\d.,]+( (đến|to|/) [+−]?[\d.,]+)?")


def effects(
    effects: pd.DataFrame,
    study: Study,
    language: Language,
    *,
    groups: list[str],
    indicators: list[str],
    changes: bool = True,
) -> pd.DataFrame:
    """Levels before and after and, unless not `changes`, their difference with its adjusted interval.

    One row an indicator and group; one indicator alone is not named in every row. A row that rests on fewer
    answers than the study's minimum cell is suppressed, with it the units from which it would follow; not in
    studies of records.
    """
    place = "commune" if set(groups) <= set(study.design.arms) else "group"
    answers = f"n_{study.declared.study.row}"
    shown_columns = [answers, "before", "after", *(["change", "interval"] if changes else []), "unit"]
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
        hidden = hidden_groups(effects, study, indicator)
        for group in groups:
            before, after = (values.row(indicator, group, "level", p, "linearised") for p in ("before", "after"))
            change = values.row(indicator, group, "change", CHANGE, "linearised")
            compared = licence(study, indicator) != "describe"
            row = {place: group_label(study, group, language)}
            if len(indicators) > 1:
                row = {"indicator": label(study.index[indicator].label, language)} | row
            if hidden[group]:
                rows.append(row | dict.fromkeys(shown_columns, suppressed(study, language)))
                continue
            cells = {
                answers: f"{values.shown(change, 'n_before')} / {values.shown(change, 'n_after')}",
                "before": values.shown(before),
                "after": values.shown(after),
                "change": values.shown(change) if compared else text("not_compared", language),
                "interval": _interval(values, change, language) if compared else "–",
                "unit": _row_unit(study, change if changes else before, language),
            }
            rows.append(row | {name: cells[name] for name in shown_columns})
    return titled(rows, language)


def _row_unit(study: Study, change: pd.Series, language: Language) -> str:
    """The unit of a row that holds levels and their difference: of shares these are two."""
    if change["unit"] == "percentage points":
        return text("unit_share_row", language)
    return unit_words(study, change["indicator"], change["unit"], language)


def did(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """The difference of changes between pilot and comparison units, for these people and for units like these.

    p-values are adjusted with those of the outcomes of the same role. Suppressed where an arm is.
    """
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
        if hidden_groups(effects, study, indicator)[BETWEEN]:
            shown_columns = ("did", "interval_people", "interval_units", "p_units", "placebo_p", "unit")
            name = label(study.index[indicator].label, language)
            rows.append({"indicator": name, **dict.fromkeys(shown_columns, suppressed(study, language))})
            continue
        linear, unit_t, placebo = (
            values.row(indicator, BETWEEN, "did", DID, method) for method in ("linearised", "unit t", "placebo")
        )
        rows.append(
            {
                "indicator": label(study.index[indicator].label, language),
                "did": values.shown(unit_t),
                "interval_people": _interval(values, linear, language),
                "interval_units": _interval(values, unit_t, language),
                "p_units": shown_p(unit_t["p_adjusted"], language),
                "placebo_p": shown_p(placebo["p_adjusted"], language),
                "unit": unit_words(study, indicator, unit_t["unit"], language),
            }
        )
    return titled(rows, language)


def _interval(values: Values, effect: pd.Series, language: Language) -> str:
    """The simultaneous interval where a family has one, else the single one; or why there is none."""
    adjusted = effect["adjustment"] != "" and np.isfinite(effect["conf_low_adjusted"])
    ends = ("conf_low_adjusted", "conf_high_adjusted") if adjusted else ("conf_low", "conf_high")
    if np.isinf(effect[ends[0]]):
        return text("unbounded", language)
    if np.isnan(effect[ends[0]]):
        return text(f"note_{effect['note']}", language) if effect["note"] else "–"
    return text("range", language, low=values.shown(effect, ends[0]), high=values.shown(effect, ends[1]))


def composition(frame: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Who answered in each period; `frame` from `comparability.composition`. Small cells are suppressed."""
    small = suppressed(study, language)
    hidden, unlike = hidden_answers(frame, study), hidden_differences(frame, study)
    rows = []
    for row in frame.itertuples():
        variable = study.codebook[row.variable]
        words = label(variable.labels, language)
        if variable.scale is not None:
            answer = next(one for one in variable.scale.valid if one.code == row.code)
            words += f": {label(answer.labels, language)}"
        kind = "percent" if row.kind == "scale" else "mean"
        first = row.Index == 0 or tuple(frame.loc[row.Index - 1, ["group", "variable"]]) != (row.group, row.variable)
        cells = {
            "characteristic": f"{words} ({text(f'composition_{kind}', language)})",
            "before": small if hidden[row.Index] else shown(row.before, 1, language),
            "after": small if hidden[row.Index] else shown(row.after, 1, language),
            "standardised": "",
        }
        if first:
            difference = shown(row.standardised_difference, 2, language)
            cells["standardised"] = small if unlike[row.Index] else difference
        group = {"group": group_label(study, row.group, language)} if frame["group"].nunique() > 1 else {}
        rows.append(group | cells)
    return titled(rows, language)


def drawing_sentences(scores: pd.DataFrame, study: Study, language: Language) -> list[str]:
    """How clusters were drawn, as far as it bears on the intervals, and who was met in two of them."""
    sample, sentences = Sample(scores, study.design, study.index), []
    for note in sorted(set(sample.notes.values())):
        units = [study.unit_label(unit, language) for unit, found in sample.notes.items() if found == note]
        sentences.append(text(note, language, units=listing(units, language)))
    wanderers = moved(scores)
    if len(wanderers):
        people = ", ".join(wanderers["respondent"])
        sentences.append(text("moved", language, count=number(len(wanderers), 0, language), people=people))
    return sentences


def panel_sentences(scores: pd.DataFrame, study: Study, language: Language) -> list[str]:
    """Whether the people of the first survey were sought again, and how many answered both times."""
    if study.declared.design.respondent is None:
        return [text("no_respondents", language)]
    found = pairs(Sample(scores, study.design, study.index))
    count = number(0 if found is None else len(found), 0, language)
    return [] if study.design.followed else [text("not_followed", language, pairs=count)]


def pre_period(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """How pilot and comparison units already moved apart from wave to wave before the pilot.

    Suppressed where an arm is in any wave.
    """
    values, waves = Values(effects, study, language), {wave.code: wave for wave in study.declared.waves}
    small = suppressed(study, language)
    rows = []
    for indicator in indicators:
        hidden = hidden_groups(effects, study, indicator, waves=True)[BETWEEN]
        found = values.find(indicator, BETWEEN, "pre-period did")
        for contrast in found["contrast"].unique():
            unit_t, placebo = (
                values.row(indicator, BETWEEN, "pre-period did", contrast, method) for method in ("unit t", "placebo")
            )
            second, first = contrast.partition(")")[0].strip("(").split(" - ")
            rows.append(
                {
                    "indicator": label(study.index[indicator].label, language),
                    "step": " → ".join(label(waves[wave].label, language) for wave in (first, second)),
                    "did": small if hidden else values.shown(unit_t),
                    "interval_units": small if hidden else _interval(values, unit_t, language),
                    "placebo_p": small if hidden else shown_p(placebo["p_value"], language),
                }
            )
    return titled(rows, language)


def panel(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """Who was lost between the surveys, and the change under several assumptions about them.

    Where few were lost, or few met again, only how many; see `values.hidden_panel`.
    """
    values = Values(effects, study, language)
    small = suppressed(study, language)
    rows = []
    for indicator in [code for code in indicators if licence(study, code) != "describe"]:
        groups = select(effects, indicator=indicator, estimand="lost")["group"]
        hidden = hidden_groups(effects, study, indicator)
        for group in groups[~groups.isin(hidden.index[hidden])]:
            lost, gap = (values.find(indicator, group, estimand).iloc[0] for estimand in ("lost", "lost difference"))
            change = {row["method"]: row for _, row in values.find(indicator, group, "change", CHANGE).iterrows()}
            worst = [change.get(f"worst case, {end}") for end in ("lower", "upper")]
            bounds = "–"
            if worst[0] is not None and worst[1] is not None:
                bounds = text("range", language, low=values.shown(worst[0]), high=values.shown(worst[1]))
            row = {
                "indicator": label(study.index[indicator].label, language),
                "group": group_label(study, group, language),
                "lost": values.shown(lost),
                "lost_difference": f"{values.shown(gap)} ({_interval(values, gap, language)})",
                "change_all": values.shown(change["linearised"]),
                "change_seen": values.shown(change[SEEN]),
                "change_reweighted": values.shown(change[REWEIGHTED]),
                "worst_case": bounds,
            }
            if hidden_panel(effects, study, indicator, group):
                row |= dict.fromkeys(("lost_difference", "change_seen", "change_reweighted", "worst_case"), small)
            rows.append(row)
    return titled(rows, language)


def ordinal(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """What holds whatever points are given to the answers: superiority, pairs, dominance, tests."""
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
        hidden = hidden_groups(effects, study, indicator)
        for _, above in select(effects, indicator=indicator, estimand="superiority").iterrows():
            group = above["group"]
            if hidden.get(group, False) or too_few(above.to_frame().T, study).item():
                continue

            def cell(estimand: str, group: str = group, indicator: str = indicator) -> pd.Series | None:
                found = values.find(indicator, group, estimand)
                return found.iloc[0] if len(found) else None

            up, down, same = cell("pairs higher"), cell("pairs lower"), cell("homogeneity")
            sign, odds = cell("dominance"), cell("log odds ratio")
            pairs = f"{values.shown(up)} / {values.shown(down)}" if up is not None and down is not None else "–"
            if up is not None and up["n_before"] and too_few(up.to_frame().T, study).item():
                pairs = suppressed(study, language)
            rows.append(
                {
                    "indicator": label(study.index[indicator].label, language),
                    "group": group_label(study, group, language),
                    "superiority": f"{values.shown(above)} ({_interval(values, above, language)})",
                    "pairs": pairs,
                    "dominance": "–" if sign is None else text(f"note_{sign['note']}", language),
                    "homogeneity": "–" if same is None else shown_p(same["p_value"], language),
                    "log_odds": "–"
                    if odds is None
                    else f"{values.shown(odds)} ({_interval(values, odds, language)})",
                }
            )
    return titled(rows, language)


_METHODS = {
    "linearised": "people",
    FIXED: "fixed",
    RAKED: "raked",
    SEEN: "seen",
    REWEIGHTED: "reweighted",
    "unit t": "unit_t",
    "placebo": "placebo",
    "cluster-robust CR2": "cr2",
    "wild bootstrap": "wild",
    "unit ANCOVA": "ancova",
}


def methods(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> pd.DataFrame:
    """The main comparison of one indicator by every method: estimate, single interval and p-value.

    Suppressed where its group is, see `values.hidden_groups`; of a panel that lost few people, what sets them apart.
    """
    values, group = Values(effects, study, language), main_group(effects, study, indicator)
    found = values.find(indicator, group, *(("did", DID) if group == BETWEEN else ("change", CHANGE)))
    apart = hidden_panel(effects, study, indicator, group)
    small = suppressed(study, language)
    hidden = dict.fromkeys(found["method"], main_hidden(effects, study, indicator))
    hidden |= dict.fromkeys((SEEN, REWEIGHTED), True) if apart else {}
    rows = [
        {
            "method": text(f"method_{_METHODS[effect['method']]}", language),
            "estimate": values.shown(effect),
            "interval": _interval(values, effect.where(effect.index != "adjustment", ""), language),
            "p": "–" if np.isnan(effect["p_value"]) else shown_p(effect["p_value"], language),
        }
        | (dict.fromkeys(("estimate", "interval", "p"), small) if hidden[effect["method"]] else {})
        for _, effect in found[found["method"].isin(list(_METHODS))]
        .sort_values("method", key=lambda names: names.map(list(_METHODS).index), kind="stable")
        .iterrows()
    ]
    return titled(rows, language)


def shock_sentences(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> list[str]:
    """How far units move by themselves, and how far they would have to for the conclusion to fall."""
    values = Values(effects, study, language)
    found = select(effects, indicator=indicator, estimand="shock sd")
    if found.empty or main_hidden(effects, study, indicator):
        return []
    moves = found.iloc[0]
    falls = values.find(indicator, moves["group"], "breaking shock").iloc[0]
    unit = plain(unit_words(study, indicator, moves["unit"], language))
    high = text("without_bound", language) if np.isinf(moves["conf_high"]) else values.shown(moves, "conf_high")
    filled = {"unit": unit, "low": values.shown(moves, "conf_low"), "high": high}
    filled |= {"level": values.shown(moves, "conf_level"), "units": values.shown(moves, "n_clusters")}
    if np.isnan(moves["estimate"]):
        return [text("shock_unknown", language)]
    # Nothing moves by more than the scale is wide: such an upper end says that nothing is known.
    vague = not moves["conf_high"] < (100 if study.index[indicator].aggregate != "value" else np.inf)
    known = text("shock_sd_vague" if vague else "shock_sd", language, sd=values.shown(moves), **filled)
    if falls["estimate"] == 0:
        key = "shock_none"
    elif moves["estimate"] >= falls["estimate"]:
        key = "shock_beyond"
    else:
        key = "shock_possible" if moves["conf_high"] >= falls["estimate"] else "shock_breaks"
    return [known, text(key, language, breaks=values.shown(falls), unit=unit)]


def raking_sentence(effects: pd.DataFrame, study: Study, language: Language) -> str:
    """What raking to the first survey's composition cost in precision; empty where nothing was raked."""
    values = Values(effects, study, language)
    found = select(effects, estimand="design effect")
    return text("raking", language, effect=values.shown(found.iloc[0])) if len(found) else ""


def robustness_sentences(found: pd.DataFrame, study: Study, language: Language) -> list[str]:
    """In how many of how many ways of analysis the result holds, and what those have in common in which it does not.

    `found` from `robustness.specifications`.
    """
    values, indicator = Values(found, study, language), study.plan.primary[0]
    if found.empty:
        return [text("robustness_unknown", language)]
    ways = found[found["estimand"] == SPECIFICATION]
    if len(ways) == 1:
        return [text("robustness_single", language)]
    group, name = found["group"].iloc[0], plain(label(study.index[indicator].label, language))

    def counts(kind: str) -> dict[str, str]:
        rows = (values.find(indicator, group, e, kind) for e in ("specifications agreeing", "specifications"))
        return dict(zip(("holds", "ways"), (values.shown(row.iloc[0]) for row in rows), strict=True))

    sentences = [text("robustness", language, indicator=name, **counts("all"))]
    if (ways["method"] == "units").any():
        sentences.append(text("robustness_units", language, **counts("units")))
    elif "pilot" in study.design.arms.values():
        sentences.append(text("robustness_no_units", language))
    if common := shared_choices(found):
        words = [f"«{text(f'way_{dimension}_{choice}', language)}»" for dimension, choice in common]
        forms = ways.loc[~agreeing(ways), ["n_before", "n_after"]].sum(axis=1)
        most = number(ways[["n_before", "n_after"]].sum(axis=1).max(), 0, language)
        used = text("range", language, low=number(forms.min(), 0, language), high=number(forms.max(), 0, language))
        used = number(forms.min(), 0, language) if forms.min() == forms.max() else used
        sentences.append(text("robustness_where", language, choices=listing(words, language), used=used, most=most))
    return sentences


def method_sentence(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> str:
    """Which other methods for units do not agree with the planned one; empty where all do or there are none."""
    values = Values(effects, study, language)
    did = values.find(indicator, BETWEEN, "did")
    planned = did[did["method"] == ("unit t" if study.plan.unit_test == "unit t" else "placebo")]
    others = did[did["method"].isin(["cluster-robust CR2", "wild bootstrap", "unit ANCOVA"]) & did["p_value"].notna()]
    if planned.empty or others.empty or hidden_groups(effects, study, indicator)[BETWEEN]:
        return ""
    alpha = 1 - study.plan.confidence_level + 1e-12
    apart = others[(others["p_value"] <= alpha) != (planned["p_value"].iloc[0] <= alpha)]
    reading = text("methods_reading", language)
    if apart.empty:
        return reading
    names = [f"«{text(f'method_{_METHODS[method]}', language)}»" for method in apart["method"]]
    return f"{reading} {text('methods_apart', language, methods=listing(names, language))}"


def markdown(frame: pd.DataFrame) -> str:
    """A table as a Markdown pipe table, first column left, numbers right."""
    if frame.empty:
        return ""
    cells = [[str(counted(cell)) for cell in row] for row in frame.to_numpy()]
    right = [all(_NUMERIC.fullmatch(unmarked(cell)) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |"]
    lines.append("|" + "|".join("---:" if numeric else ":---" for numeric in right) + "|")
    return "\n".join([*lines, *("| " + " | ".join(map(plain, row)) + " |" for row in cells)]) + "\n"
