"""Effects, flow and record as tables of words: localised, rounded, small cells suppressed."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from evalkit.cleaning import Survey
from evalkit.comparison import FIXED, RAKED
from evalkit.encodings import fold
from evalkit.language import Language, day, label, listing, number, plain, text
from evalkit.licence import compares, licence
from evalkit.panel_effects import REWEIGHTED, SEEN
from evalkit.planning import Survey as SurveyModel
from evalkit.prospects import arms, design_label, observed_design_effect
from evalkit.robustness import SPECIFICATION, agreeing, shared_choices
from evalkit.sample import BETWEEN, CHANGE, DID, Sample, moved, pairs
from evalkit.study import Study
from evalkit.values import Values, exactly, group_label, shown, shown_p, too_few, unit_words

_NUMERIC = re.compile(r"–|(< )?[+−]?[\d.,]+( (đến|to|/) [+−]?[\d.,]+)?")


def _titled(rows: list[dict[str, str]], language: Language) -> pd.DataFrame:
    """Rows with message keys as columns → a frame with titled columns."""
    frame = pd.DataFrame(rows)
    return frame.rename(columns=lambda key: text(f"column_{key}", language))


def about(study: Study, language: Language) -> pd.DataFrame:
    """The declarations a reader needs first: one row a wave."""
    rows = []
    for wave in study.declared.waves:
        undeclared = text("undeclared", language)
        rows.append(
            {
                "wave": label(wave.label, language),
                "field": f"{day(wave.field_start, language)} – {day(wave.field_end, language)}",
                "target": label(wave.target_population, language) if wave.target_population else undeclared,
                "frame": label(wave.frame, language) if wave.frame else undeclared,
                "selection": text(f"selection_{wave.selection}", language) if wave.selection else undeclared,
                "mode": text(f"mode_{wave.mode}", language) if wave.mode else undeclared,
                "wording": _versions(study, wave.wording, language),
            }
        )
    return _titled(rows, language)


def _versions(study: Study, wording: Mapping[str, str], language: Language) -> str:
    """The wording versions of a wave: the common one, then the questions that have another."""
    if not wording:
        return text("undeclared", language)
    found = {name: text("wording_version", language, version=version) for name, version in wording.items()}
    own = [f"{study.codebook[name].column}: {words}" for name, words in found.items() if name != "all"]
    return "; ".join([*([found["all"]] if "all" in found else []), *own])


def flow(survey: Survey, scores: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Forms by wave and unit: issued, returned, dropped, valid, analysed for the first primary outcome, rate."""
    rows = []
    for row in flow_counts(survey, scores, study).itertuples():
        wave = next(wave for wave in study.declared.waves if wave.code == row.wave)
        rows.append(
            {
                "wave": label(wave.label, language),
                "commune": study.unit_label(row.unit, language, on=wave.field_start),
                **{
                    stage: shown(getattr(row, stage), 0, language)
                    for stage in ("issued", "returned", "dropped", "valid", "analysed")
                },
                "response": shown(100 * row.valid / row.issued if row.issued else np.nan, 1, language),
            }
        )
    return _titled(rows, language)


def flow_counts(survey: Survey, scores: pd.DataFrame, study: Study) -> pd.DataFrame:
    """`survey.flow` with `analysed`: the forms that have a score on the first primary outcome."""
    scored = scores[scores[study.plan.primary[0]].notna()].groupby(["wave", "unit"]).size()
    counts = survey.flow.set_index(["wave", "unit"])
    return counts.assign(analysed=scored.reindex(counts.index, fill_value=0)).reset_index()


def record_sentence(survey: Survey, study: Study, language: Language) -> str:
    """Rows read = rows kept + rows dropped, and what was changed and taken away, in one sentence."""
    dropped = len(survey.coded) - len(survey.responses)
    return text(
        "record",
        language,
        read=number(len(survey.coded), 0, language),
        kept=number(len(survey.responses), 0, language),
        dropped=number(dropped, 0, language),
        decided=number(len(study.corrections) - dropped, 0, language),
        names=", ".join(f"«{plain(name)}»" for name in survey.identifiers) or "–",
    )


def source_sentences(study: Study, language: Language) -> list[str]:
    """Where the data come from, who answers for them and what the respondents agreed to, as far as declared."""
    privacy, sentences = study.declared.privacy, []
    if study.declared.study.source:
        sentences.append(text("source", language, source=plain(label(study.declared.study.source, language))))
    if privacy.controller:
        sentences.append(text("controller", language, controller=plain(label(privacy.controller, language))))
    if privacy.retain_until:
        sentences.append(text("retained", language, until=day(privacy.retain_until, language)))
    if privacy.consent:
        sentences.append(text("consent", language, consent=plain(label(privacy.consent, language))))
    return sentences


def decisions(study: Study, language: Language) -> pd.DataFrame:
    """Every decision of corrections.csv: row, question, what stood there and what counts instead, and the reason.

    Codes of respondents are not shown.
    """
    rows = []
    for row in study.corrections.to_dict("records"):
        hidden = row["variable"] == study.declared.design.respondent
        rows.append(
            {
                "row_id": row["row_id"],
                "question": study.codebook[row["variable"]].column if row["variable"] else "–",
                "action": text(f"action_{row['action']}", language),
                "old": "–" if hidden else row["old_value"] or "–",
                "new": "–" if hidden else row["new_value"] or "–",
                "reason": row["reason"],
            }
        )
    return _titled(rows, language)


def spellings(survey: Survey, study: Study, language: Language) -> pd.DataFrame:
    """How the answers of each scale were spelt in the raw files: examples, and how often the answer was given."""
    counts = survey.mapping.groupby(["variable", "text"], sort=False)["count"].sum()
    rows = []
    scales = {v.scale.name: v.scale for v in study.codebook.values() if v.scale is not None}
    for scale in scales.values():
        members = [v.name for v in study.codebook.values() if v.scale is scale and v.name in counts.index]
        texts = counts.loc[members].groupby("text").sum().sort_values(ascending=False, kind="stable")
        spelt = scale.spellings
        for answer in scale.answers:
            found = texts[[spelt.get(fold(written)) is answer for written in texts.index]]
            if len(found):
                examples = "; ".join(f"«{written}»" for written in found.index[:4]) + (" …" if len(found) > 4 else "")
                count = number(found.sum(), 0, language)
                words = label(answer.labels, language)
                rows.append({"answer": words, "spellings": examples, "count": count})
    return _titled(rows, language)


def tree(study: Study, language: Language) -> pd.DataFrame:
    """The indicator tree: each indicator, what it is made of, how, and its part in the plan."""
    rows = []
    for code, node in study.index.items():
        plan = next((role for role, outcomes in study.plan.families.items() if code in outcomes), "other")
        parts = [label(study.index[child].label, language) for child in node.children]
        parts += [_item(study, item, language) for item in node.items]
        rows.append(
            {
                "indicator": label(node.label, language),
                "role": text(f"role_{plan}", language),
                "aggregate": text(f"aggregate_{node.aggregate}", language),
                "parts": "; ".join(parts),
            }
        )
    return _titled(rows, language)


def _item(study: Study, item: str, language: Language) -> str:
    words = label(study.codebook[item].labels, language)
    return text("reversed", language, item=words) if study.codebook[item].reverse else words


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
    answers than the study's minimum cell is suppressed, except in studies of records.
    """
    place = "commune" if set(groups) <= set(study.design.arms) else "group"
    answers = f"n_{study.declared.study.row}"
    shown_columns = [answers, "before", "after", *(["change", "interval"] if changes else []), "unit"]
    values, hidden = Values(effects, study, language), too_few(effects, study)
    rows = []
    for indicator in indicators:
        for group in groups:
            before, after = (values.row(indicator, group, "level", p, "linearised") for p in ("before", "after"))
            change = values.row(indicator, group, "change", CHANGE, "linearised")
            compared = licence(study, indicator) != "describe"
            row = {place: group_label(study, group, language)}
            if len(indicators) > 1:
                row = {"indicator": label(study.index[indicator].label, language)} | row
            if hidden[change.name]:
                small = text("suppressed", language, minimum=study.declared.privacy.minimum_cell)
                rows.append(row | dict.fromkeys(shown_columns, small))
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
    return _titled(rows, language)


def _row_unit(study: Study, change: pd.Series, language: Language) -> str:
    """The unit of a row that holds levels and their difference: of shares these are two."""
    if change["unit"] == "percentage points":
        return text("unit_share_row", language)
    return unit_words(study, change["indicator"], change["unit"], language)


def did(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """The difference of changes between pilot and comparison units, for these people and for units like these.

    p-values are adjusted with those of the outcomes of the same role.
    """
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
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
    return _titled(rows, language)


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
    small, hidden = text("suppressed", language, minimum=study.declared.privacy.minimum_cell), _hidden(frame, study)
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
            "standardised": shown(row.standardised_difference, 2, language) if first else "",
        }
        group = {"group": group_label(study, row.group, language)} if frame["group"].nunique() > 1 else {}
        rows.append(group | cells)
    return _titled(rows, language)


def _hidden(frame: pd.DataFrame, study: Study) -> pd.Series:
    """Rows of fewer people than the smallest cell, and where one alone is hidden the next smallest of its variable.

    Else the one could be reckoned from the others.
    """
    counts = frame[["n_before", "n_after"]]
    few = ((counts > 0) & (counts < study.declared.privacy.minimum_cell)).any(axis=1)
    for _, part in frame[frame["kind"] == "scale"].groupby(["group", "variable"]):
        if few[part.index].sum() == 1:
            others = counts.loc[part.index[~few[part.index]]].min(axis=1)
            few[others[others > 0].idxmin() if (others > 0).any() else part.index[0]] = True
    return few


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
    """How pilot and comparison units already moved apart from wave to wave before the pilot."""
    values, waves = Values(effects, study, language), {wave.code: wave for wave in study.declared.waves}
    rows = []
    for indicator in indicators:
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
                    "did": values.shown(unit_t),
                    "interval_units": _interval(values, unit_t, language),
                    "placebo_p": shown_p(placebo["p_value"], language),
                }
            )
    return _titled(rows, language)


def panel(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """Who was lost between the surveys, and the change under several assumptions about them."""
    values = Values(effects, study, language)
    rows = []
    for indicator in [code for code in indicators if licence(study, code) != "describe"]:
        groups = values.effects.loc[
            (values.effects["estimand"] == "lost") & (values.effects["indicator"] == indicator), "group"
        ]
        for group in groups:
            lost, gap = (values.find(indicator, group, estimand).iloc[0] for estimand in ("lost", "lost difference"))
            change = {row["method"]: row for _, row in values.find(indicator, group, "change", CHANGE).iterrows()}
            worst = [change.get(f"worst case, {end}") for end in ("lower", "upper")]
            bounds = "–"
            if worst[0] is not None and worst[1] is not None:
                bounds = text("range", language, low=values.shown(worst[0]), high=values.shown(worst[1]))
            rows.append(
                {
                    "indicator": label(study.index[indicator].label, language),
                    "group": group_label(study, group, language),
                    "lost": values.shown(lost),
                    "lost_difference": f"{values.shown(gap)} ({_interval(values, gap, language)})",
                    "change_all": values.shown(change["linearised"]),
                    "change_seen": values.shown(change[SEEN]),
                    "change_reweighted": values.shown(change[REWEIGHTED]),
                    "worst_case": bounds,
                }
            )
    return _titled(rows, language)


def ordinal(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """What holds whatever points are given to the answers: superiority, pairs, dominance, tests."""
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
        for _, above in values.effects.loc[
            (values.effects["estimand"] == "superiority") & (values.effects["indicator"] == indicator)
        ].iterrows():
            group = above["group"]
            if too_few(above.to_frame().T, study).item():
                continue

            def cell(estimand: str, group: str = group, indicator: str = indicator) -> pd.Series | None:
                found = values.find(indicator, group, estimand)
                return found.iloc[0] if len(found) else None

            up, down, same = cell("pairs higher"), cell("pairs lower"), cell("homogeneity")
            sign, odds = cell("dominance"), cell("log odds ratio")
            pairs = f"{values.shown(up)} / {values.shown(down)}" if up is not None and down is not None else "–"
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
    return _titled(rows, language)


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
    """The main comparison of one indicator by every method: estimate, single interval and p-value."""
    values = Values(effects, study, language)
    found = values.find(indicator, BETWEEN, "did")
    if found.empty or not compares(study, indicator):
        found = values.find(indicator, "pilot" if "pilot" in set(effects["group"]) else "all", "change", CHANGE)
    rows = [
        {
            "method": text(f"method_{_METHODS[effect['method']]}", language),
            "estimate": values.shown(effect),
            "interval": _interval(values, effect.where(effect.index != "adjustment", ""), language),
            "p": "–" if np.isnan(effect["p_value"]) else shown_p(effect["p_value"], language),
        }
        for _, effect in found[found["method"].isin(list(_METHODS))]
        .sort_values("method", key=lambda names: names.map(list(_METHODS).index), kind="stable")
        .iterrows()
    ]
    return _titled(rows, language)


def shock_sentences(effects: pd.DataFrame, study: Study, language: Language, *, indicator: str) -> list[str]:
    """How far units move by themselves, and how far they would have to for the conclusion to fall."""
    values = Values(effects, study, language)
    found = values.effects[(values.effects["indicator"] == indicator) & (values.effects["estimand"] == "shock sd")]
    if found.empty:
        return []
    moves = found.iloc[0]
    falls = values.find(indicator, moves["group"], "breaking shock").iloc[0]
    unit = plain(unit_words(study, indicator, moves["unit"], language))
    high = text("without_bound", language) if np.isinf(moves["conf_high"]) else values.bound(moves, "conf_high")
    filled = {"unit": unit, "low": values.bound(moves, "conf_low"), "high": high}
    filled |= {"level": values.bound(moves, "conf_level"), "units": values.bound(moves, "n_clusters")}
    if np.isnan(moves["estimate"]):
        return [text("shock_unknown", language)]
    # Nothing moves by more than the scale is wide: such an upper end says that nothing is known.
    vague = not moves["conf_high"] < (100 if study.index[indicator].aggregate != "value" else np.inf)
    known = text("shock_sd_vague" if vague else "shock_sd", language, sd=values.bound(moves), **filled)
    if falls["estimate"] == 0:
        key = "shock_none"
    elif moves["estimate"] >= falls["estimate"]:
        key = "shock_beyond"
    else:
        key = "shock_possible" if moves["conf_high"] >= falls["estimate"] else "shock_breaks"
    return [known, text(key, language, breaks=values.bound(falls), unit=unit)]


def raking_sentence(effects: pd.DataFrame, study: Study, language: Language) -> str:
    """What raking to the first survey's composition cost in precision; empty where nothing was raked."""
    values = Values(effects, study, language)
    found = values.effects[values.effects["estimand"] == "design effect"]
    return text("raking", language, effect=values.bound(found.iloc[0])) if len(found) else ""


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
        return dict(zip(("holds", "ways"), (values.bound(row.iloc[0]) for row in rows), strict=True))

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
    if planned.empty or others.empty:
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
    cells = [[str(cell) for cell in row] for row in frame.to_numpy()]
    right = [all(_NUMERIC.fullmatch(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |"]
    lines.append("|" + "|".join("---:" if numeric else ":---" for numeric in right) + "|")
    return "\n".join([*lines, *("| " + " | ".join(map(plain, row)) + " |" for row in cells)]) + "\n"


def assumptions(model: SurveyModel, frame: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """What planning takes from the survey at hand; `model` from `prospects.observed`, `frame` from `prospects`."""
    decimals = study.index[study.plan.primary[0]].decimals
    shocks = frame.loc[frame["claim"] == "units", "shock_sd"].unique()
    clusters = {
        "clusters": number(model.clusters, 0, language),
        "icc": number(model.icc, 3, language),
        "cluster_correlation": text("other_clusters", language)
        if model.cluster_correlation is None
        else number(model.cluster_correlation, 2, language),
    } if model.clusters else {}  # fmt: skip
    quantities = {
        "respondents": number(model.respondents, 0, language),
        "sd": number(model.sd, decimals, language),
        **clusters,
        "overlap": number(100 * model.overlap, 0, language),
        **({"person_correlation": number(model.person_correlation, 2, language)} if model.overlap else {}),
        "design_effect": number(observed_design_effect(model), 2, language),
        "shock_sd": "; ".join(number(sd, decimals, language) for sd in shocks) or "–",
    }
    rows = [{"quantity": text(f"observed_{key}", language), "value": value} for key, value in quantities.items()]
    return _titled(rows, language)


def planning(frame: pd.DataFrame, study: Study, language: Language, *, respondents: int) -> pd.DataFrame:
    """The minimum detectable change of each design with so many respondents; `frame` from `prospects`.

    Changes that are infinite, or greater than the scale has room for, are out of reach. The floor is that of units.
    """
    rows = []
    chosen = frame[frame["respondents"] == respondents]
    for (pilots, others), design in chosen.groupby(["pilots", "comparisons"], sort=False):
        people, *_ = design[design["claim"] == "people"].to_dict("records")
        units = design[design["claim"] == "units"].to_dict("records")
        for row in units or [dict.fromkeys(("shock_sd", "change", "floor"), np.nan)]:
            rows.append(
                {
                    "design": design_label(pilots, others, language),
                    "shock": _reached(row["shock_sd"], people["room"], study, language),
                    "detectable_people": _reached(people["change"], people["room"], study, language),
                    "detectable_units": _reached(row["change"], people["room"], study, language),
                    "floor": _reached(row["floor"], people["room"], study, language),
                }
            )
    return _titled(rows, language)


def _reached(change: float, room: float, study: Study, language: Language) -> str:
    """A change, or that it is out of reach; an en dash where it is not known."""
    if change > room or np.isposinf(change):
        return text("out_of_reach", language)
    return shown(change, study.index[study.plan.primary[0]].decimals, language)


def planning_sentences(frame: pd.DataFrame, study: Study, language: Language, *, respondents: int) -> list[str]:
    """What the pilots alone cannot show however many people are asked, and what the study's own design can."""
    units = frame[(frame["claim"] == "units") & (frame["respondents"] == respondents)]
    if units.empty:
        return [text("shock_unknown", language)]
    pilots, comparisons = arms(study)
    sentences = []
    for others in sorted({0, comparisons}):
        row = units[(units["pilots"] == pilots) & (units["comparisons"] == others)].iloc[-1]
        reach = row["floor"] if others == 0 else row["change"]
        never = "_never" if reach > row["room"] or np.isinf(reach) else ""
        filled = {name: _reached(row[name], row["room"], study, language) for name in ("change", "floor")}
        filled |= {"pilots": number(pilots, 0, language), "others": number(others, 0, language)}
        filled |= {"respondents": number(respondents, 0, language)}
        filled |= {"unit": plain(unit_words(study, study.plan.primary[0], row["unit"], language))}
        sentences.append(text(f"plan_{'arms' if others else 'pilots'}{never}", language, **filled))
        if others == 0 and np.isfinite(row["room"]):
            room = shown(row["room"], study.index[study.plan.primary[0]].decimals, language)
            sentences.append(text("plan_room", language, room=room, unit=filled["unit"]))
    return sentences


def needed(frame: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """What it takes to detect a change, one thing changed at a time; `frame` from `prospects.needed`."""
    rows = []
    for row in frame.to_dict("records"):
        unit = unit_words(study, study.plan.primary[0], row["unit"], language)
        counts = {name: row[name] for name in ("respondents", "clusters", "comparisons", "pilots")}
        rows.append(
            {
                "goal": f"{exactly(row['target'], language)} {unit}",
                "for_whom": text(f"plan_for_{row['claim']}", language),
                "shock": shown(row["shock_sd"], study.index[study.plan.primary[0]].decimals, language),
                **{
                    f"needed_{name}": text("out_of_reach", language) if np.isinf(count) else shown(count, 0, language)
                    for name, count in counts.items()
                },
            }
        )
    return _titled(rows, language)


def sample_sizes(frame: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """How many people to ask in each unit, beside how many answered; `frame` from `prospects.sample_sizes`."""
    rows = [
        {
            "commune": study.unit_label(row["unit"], language),
            **{name: number(row[name], 0, language) for name in ("population", "yamane", "share", "corrected")},
            "n_questionnaire": f"{number(row['before'], 0, language)} / {number(row['after'], 0, language)}",
        }
        for row in frame.to_dict("records")
    ]
    return _titled(rows, language)


def costs(frame: pd.DataFrame, study: Study, language: Language, *, units: int) -> pd.DataFrame:
    """What carrying the pilot over to so many units costs, in VND; `frame` from `prospects.costs`.

    The last rows are the total and its part for one unit. Sources are shown where any is declared.
    """
    rows = []
    for cost, row in zip(study.declared.costs, frame.to_dict("records"), strict=True):
        rows.append(
            {
                "cost_item": label(cost.item, language),
                "per": text(f"per_{cost.per}", language),
                "quantity_needed": exactly(row["quantity"], language),
                "unit_cost": number(row["unit_cost"], 0, language),
                "cost": number(row["cost"], 0, language),
                "cost_source": label(cost.source, language) if cost.source else "–",
            }
        )
    total = frame["cost"].sum()
    for name, sum_ in (("cost_total", total), ("cost_per_unit", total / units)):
        words = {"cost_item": text(name, language), "cost": number(sum_, 0, language)}
        rows.append(dict.fromkeys(rows[0], "–") | words)
    if not any(cost.source for cost in study.declared.costs):
        rows = [{name: cell for name, cell in row.items() if name != "cost_source"} for row in rows]
    return _titled(rows, language)
