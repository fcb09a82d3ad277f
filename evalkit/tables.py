"""Effects, flow and record as tables of words: localised, rounded, small cells suppressed."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from evalkit.cleaning import Survey
from evalkit.comparison import CHANGE, DID
from evalkit.encodings import fold
from evalkit.language import Language, day, label, number, plain, text
from evalkit.study import Study
from evalkit.values import Values, group_label, shown, shown_p, too_few, unit_words

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
            }
        )
    return _titled(rows, language)


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
        plan = "primary" if code in study.plan.primary else "secondary" if code in study.plan.secondary else "other"
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
                "change": values.shown(change),
                "interval": _interval(values, change, language),
                "unit": _row_unit(study, change, language),
            }
            rows.append(row | {name: cells[name] for name in shown_columns})
    return _titled(rows, language)


def _row_unit(study: Study, change: pd.Series, language: Language) -> str:
    """The unit of a row that holds levels and their difference: of shares these are two."""
    if change["unit"] == "percentage points":
        return text("unit_share_row", language)
    return unit_words(study, change["indicator"], change["unit"], language)


def did(effects: pd.DataFrame, study: Study, language: Language, *, indicators: list[str]) -> pd.DataFrame:
    """The difference of changes between pilot and comparison units, for these people and for units like these."""
    values = Values(effects, study, language)
    rows = []
    for indicator in indicators:
        linear, unit_t, placebo = (
            values.row(indicator, "pilot - comparison", "did", DID, method)
            for method in ("linearised", "unit t", "placebo")
        )
        rows.append(
            {
                "indicator": label(study.index[indicator].label, language),
                "did": values.shown(unit_t),
                "interval_people": _interval(values, linear, language),
                "interval_units": _interval(values, unit_t, language),
                "placebo_p": shown_p(placebo["p_value"], language),
                "unit": unit_words(study, indicator, unit_t["unit"], language),
            }
        )
    return _titled(rows, language)


def _interval(values: Values, effect: pd.Series, language: Language) -> str:
    if np.isnan(effect["conf_low_adjusted"] if effect["adjustment"] else effect["conf_low"]):
        return text(f"note_{effect['note']}", language) if effect["note"] else "–"
    ends = ("conf_low_adjusted", "conf_high_adjusted") if effect["adjustment"] else ("conf_low", "conf_high")
    return text("range", language, low=values.shown(effect, ends[0]), high=values.shown(effect, ends[1]))


def markdown(frame: pd.DataFrame) -> str:
    """A table as a Markdown pipe table, first column left, numbers right."""
    if frame.empty:
        return ""
    cells = [[str(cell) for cell in row] for row in frame.to_numpy()]
    right = [all(_NUMERIC.fullmatch(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str, frame.columns)) + " |"]
    lines.append("|" + "|".join("---:" if numeric else ":---" for numeric in right) + "|")
    return "\n".join([*lines, *("| " + " | ".join(map(plain, row)) + " |" for row in cells)]) + "\n"
