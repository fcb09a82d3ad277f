"""The record of the data as people read it: what came, how it was coded, what was decided, what looks strange."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from evalkit.cleaning import Survey, personal_in_reasons
from evalkit.codebook import MISSING_KINDS
from evalkit.coding import OUTSIDE, code_text
from evalkit.disclosure import suppress_groups
from evalkit.encodings import fold
from evalkit.errors import in_words
from evalkit.language import Language, day, label, number, plain, text
from evalkit.privacy import search
from evalkit.study import Study
from evalkit.tracing import as_name
from evalkit.values import shown, suppressed, titled

# What the team may mend in its declarations is no matter of the report.
FOR_THE_TEAM = ("communes_", "personal_", "reason_personal", "placeholder_", "period_missing", "studybook_")


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
    return titled(rows, language)


def _versions(study: Study, wording: Mapping[str, str], language: Language) -> str:
    """The wording versions of a wave: the common one, then the questions that have another."""
    if not wording:
        return text("undeclared", language)
    found = {name: text("wording_version", language, version=as_name(version)) for name, version in wording.items()}
    own = [f"{study.codebook[name].column}: {words}" for name, words in found.items() if name != "all"]
    return "; ".join([*([found["all"]] if "all" in found else []), *own])


def flow(survey: Survey, scores: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Forms by wave and unit: issued, returned, dropped, valid, analysed for the first primary outcome, rate."""
    rows = []
    for row in flow_counts(survey, scores, study).itertuples():
        wave = study.wave(row.wave)
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
    return titled(rows, language)


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

    Values are shown where they are an answer of the scale, a number or a date, for anything else may be a name or a
    respondent's code; reasons unless they seem to hold personal data, see `personal_reasons`.
    """
    rows, personal = [], set(personal_in_reasons(study).index)
    for at, row in study.corrections.iterrows():
        old, new = (_answer(row, row[f"{which}_value"], study, language) for which in ("old", "new"))
        rows.append(
            {
                "row_id": as_name(row["row_id"]),
                "question": study.codebook[row["variable"]].column if row["variable"] else "–",
                "action": text(f"action_{row['action']}", language),
                "old": as_name(old),
                "new": as_name(new),
                "reason": text("not_shown", language) if at in personal else row["reason"],
            }
        )
    return titled(rows, language)


def _answer(row: pd.Series, value: str, study: Study, language: Language) -> str:
    """A value of corrections.csv, where it is certain to be an answer and nothing about a person."""
    if not value:
        return "–"
    variable = study.codebook[row["variable"]]
    if variable.type in ("key", "identifier", "ignore", "text"):
        return text("not_shown", language)
    waves = {wave.code: wave for wave in study.declared.waves}
    key = code_text(value, variable, waves[row["row_id"].rpartition("-")[0]])[2]
    # A telephone number has lost its first zero where Excel took it for a number.
    personal = key is not None and search({"": [value, f"0{value}"]})
    known = key is None or key in OUTSIDE or key == "number_ambiguous"
    return value if known and not personal else text("not_shown", language)


def spellings(survey: Survey, study: Study, language: Language) -> pd.DataFrame:
    """How the answers of each scale were spelt in the raw files: examples, and how often the answer was given.

    Small counts are suppressed, and those from which they would follow.
    """
    counts = survey.mapping.groupby(["variable", "text"], sort=False)["count"].sum()
    rows = []
    scales = {v.scale.name: v.scale for v in study.codebook.values() if v.scale is not None}
    for scale in scales.values():
        members = [v.name for v in study.codebook.values() if v.scale is scale and v.name in counts.index]
        texts = counts.loc[members].groupby("text").sum().sort_values(ascending=False, kind="stable")
        spelt = scale.spellings
        spelt_as = {
            answer.code: texts[[spelt.get(fold(written)) is answer for written in texts.index]]
            for answer in scale.answers
        }
        counted = pd.DataFrame({"count": {code: found.sum() for code, found in spelt_as.items()}}, dtype=float)
        hidden = suppress_groups(counted, study.declared.privacy.minimum_cell)
        for answer in scale.answers:
            found = spelt_as[answer.code]
            if len(found):
                examples = "; ".join(f"«{as_name(written)}»" for written in found.index[:4])
                examples += " …" if len(found) > 4 else ""
                count = number(found.sum(), 0, language)
                count = suppressed(study, language) if hidden[answer.code] else count
                rows.append({"answer": label(answer.labels, language), "spellings": examples, "count": count})
    return titled(rows, language)


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
    return titled(rows, language)


def _item(study: Study, item: str, language: Language) -> str:
    words = label(study.codebook[item].labels, language)
    return text("reversed", language, item=words) if study.codebook[item].reverse else words


def missing_kinds(survey: Survey, study: Study, language: Language) -> pd.DataFrame:
    """How many questions were answered and why the others were not, by wave; scales and numbers only."""
    asked = [v.name for v in study.codebook.values() if v.scale or v.type == "number"]
    asked = [name for name in asked if name in survey.responses]
    waves = survey.responses["wave"]
    kinds = survey.missing[survey.missing["variable"].isin(asked)]
    kinds = kinds.merge(survey.responses[["row_id", "wave"]], on="row_id")
    counts = kinds.groupby(["wave", "kind"]).size()
    rows = []
    for wave in study.declared.waves:
        cells = int((waves == wave.code).sum()) * len(asked)
        missed = {kind: int(counts.get((wave.code, kind), 0)) for kind in MISSING_KINDS}
        found = {"answered": cells - sum(missed.values()), **missed}
        shares = {
            kind: f"{number(n, 0, language)} ({number(100 * n / cells, 1, language)}%)" for kind, n in found.items()
        }
        rows.append({"wave": label(wave.label, language), "cells": number(cells, 0, language), **shares})
    return titled(rows, language)


def rules(survey: Survey, study: Study, language: Language) -> pd.DataFrame:
    """The codebook's rules beyond ranges and codes, what happens where one is broken, and how often it was."""
    lines = {variable.line: variable for variable in study.codebook.values()}
    blanked = survey.log["rule"].value_counts()
    rows = []
    for line, variable in sorted(lines.items()):
        written = [rule for rule in (variable.relevant, variable.constraint) if rule]
        if written or variable.otherwise == "blank":
            rows.append(
                {
                    "question": plain(variable.labels[language] or variable.column),
                    "rule": " · ".join(as_name(_in_titles(rule, study)) for rule in written)
                    or text("rule_range", language),
                    "otherwise": text(f"otherwise_{variable.otherwise}", language),
                    "blanked": number(int(blanked.get(f"codebook.csv:{line}", 0)), 0, language),
                }
            )
    return titled(rows, language)


def log(survey: Survey, study: Study) -> pd.DataFrame:
    """The log as the report saves it, without reasons that seem to hold personal data."""
    rules = {f"corrections.csv:{study.corrections['line'][at]}" for at in personal_in_reasons(study).index}
    hidden = survey.log["rule"].isin(rules)
    return survey.log.assign(reason=survey.log["reason"].mask(hidden, text("not_shown", study.language)))


def _in_titles(rule: str, study: Study) -> str:
    """A rule with the titles of columns in place of variables' names."""
    titles = {variable.question or variable.name: variable.column for variable in study.codebook.values()}
    return re.sub(r"\$\{(\w+)\}", lambda found: f"«{titles.get(found[1], found[1])}»", rule)


def notices(survey: Survey, language: Language) -> str:
    """What readers of the files should know, as a Markdown list."""
    read = [notice for notice in survey.notices if not notice.key.startswith(FOR_THE_TEAM)]
    if not read:
        return text("notices_none", language)
    return "\n".join(f"- {plain(line)}" for line in in_words(read, language).splitlines())


def screening_sentence(flags: pd.DataFrame, survey: Survey, language: Language) -> str:
    """How many forms have a flag, and that none was dropped for it."""
    forms = flags["row_id"].nunique()
    counts = {"forms": number(forms, 0, language), "all": number(len(survey.responses), 0, language)}
    return text("screening_flagged", language, **counts) if forms else text("no_flags", language)


def flags(found: pd.DataFrame, study: Study, language: Language) -> pd.DataFrame:
    """Suspicious questionnaires, one row a flag, for somebody to look at; `found` from `screen`."""
    waves = {wave.code: label(wave.label, language) for wave in study.declared.waves}
    rows = [
        {
            "screening_form": as_name(words["row_id"]),
            "wave": waves.get(row["wave"], "–"),
            "commune": "–" if pd.isna(row["unit"]) else study.unit_label(row["unit"], language),
            "screening_interviewer": as_name(words["interviewer"]),
            "screening_rule": text(f"screening_rule_{row['rule']}", language),
            "screening_value": shown(row["value"], 2, language),
            "screening_threshold": shown(row["threshold"], 2, language),
            "screening_other": as_name(words["other"]),
        }
        for row, words in zip(found.to_dict("records"), found.fillna("–").to_dict("records"), strict=True)
    ]
    return titled(rows, language)


def screening_rules(rules: pd.DataFrame, found: pd.DataFrame, language: Language) -> pd.DataFrame:
    """Every rule: how many flags it gave, or why it was not run, and where its threshold comes from.

    `rules` from `screening.rules`, `found` from `screen`.
    """
    counts = found["rule"].value_counts()
    rows = [
        {
            "screening_rule": text(f"screening_rule_{row['rule']}", language),
            "screening_run": text(row["reason"] or "screening_run", language),
            "screening_flags": number(counts.get(row["rule"], 0), 0, language) if row["run"] else "–",
            "screening_source": text(row["source"], language),
        }
        for row in rules.to_dict("records")
    ]
    return titled(rows, language)
