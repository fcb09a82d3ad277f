"""What may be said: sentences derived from effects and design, never typed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from math import comb
from typing import Literal

import pandas as pd

from evalkit.comparison import FIXED
from evalkit.language import Language, day, label, plain, text
from evalkit.licence import Licence, comparability_notices, compares, licence, quoted
from evalkit.panel_effects import REWEIGHTED
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import Study
from evalkit.tracing import trace
from evalkit.unit_effects import RELIABILITIES
from evalkit.units import MOST_ASSIGNMENTS
from evalkit.values import Values, exactly, hidden_groups, unit_words

Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Claim:
    """One sentence, in Markdown, and what it says: the direction that its effect's adjusted interval supports."""

    indicator: str
    group: str
    estimand: str
    direction: Direction
    text: str


def direction(effect: pd.Series) -> Direction:
    """`higher` or `lower` only where the adjusted interval excludes zero; a missing interval excludes nothing."""
    if effect["conf_low_adjusted"] > 0:
        return "higher"
    if effect["conf_high_adjusted"] < 0:
        return "lower"
    return "none"


def design_sentences(effects: pd.DataFrame, study: Study, language: Language) -> list[str]:
    """What the design is, and which words it therefore carries."""
    arms = list(study.design.arms.values())
    pilots, others = arms.count("pilot"), arms.count("comparison")
    words = licence(study)
    sentences = []
    if pilots:
        chosen = text(f"chosen_{study.declared.design.pilot_units_chosen or 'undeclared'}", language)
        sentences.append(text("design_units", language, pilots=pilots, others=others, chosen=chosen))
    else:
        sentences.append(text("design_no_arms", language, units=len(arms)))
    sentences += comparability_notices(study, language) + _renamed_sentences(study, language)
    values = Values(effects, study, language)
    if study.design.picked:
        sentences.append(text("regression_to_the_mean", language))
        sentences += _expected_sentences(values)
    sentences.append(text(f"licence_{words}", language))
    if pilots == 1:
        sentences.append(text("one_pilot_unit", language))
    if compares(study):
        smallest = values.row(study.plan.primary[0], BETWEEN, "smallest p", DID, "placebo")
        level, test = 1 - study.plan.confidence_level, unit_test(study, language)
        permuted = _permuted(study, language)
        rule = "more_rule_t" if study.plan.unit_test == "unit t" else "more_rule"
        sentences.append(text(rule, language, level=exactly(level, language), test=test))
        sentences.append(text("smallest_p", language, p=values.shown(smallest), test=permuted))
        if smallest["estimate"] > level + 1e-12 and study.plan.unit_test == "placebo":
            sentences.append(text("smallest_p_too_large", language))
    return sentences


def _renamed_sentences(study: Study, language: Language) -> list[str]:
    """Units whose name or status changed between the surveys: that change cannot be told from the pilot."""
    first = min(wave.field_start for wave in study.declared.waves)
    last = max(wave.field_end for wave in study.declared.waves)
    return [
        text("unit_renamed", language, before=plain(label(earlier, language)), after=plain(label(later, language)),
             day=day(later.valid_from, language))
        for unit in study.declared.units
        for earlier, later in pairwise(sorted(unit.names, key=lambda name: name.valid_from))
        if first < later.valid_from <= last
    ]  # fmt: skip


def unit_test(study: Study, language: Language) -> str:
    """The name of the p-value that the plan fixes for claims about units."""
    if study.plan.unit_test == "unit t":
        return text("test_unit_t", language)
    return _permuted(study, language)


def _permuted(study: Study, language: Language) -> str:
    """What the p over units is: exact only where these were randomised and every assignment is looked at."""
    if licence(study) != "effect":
        return text("test_placebo", language)
    arms = list(study.design.arms.values())
    every = comb(len(arms), arms.count("pilot")) <= MOST_ASSIGNMENTS
    return text("test_randomisation" if every else "test_randomisation_sampled", language)


def reading_sentence(study: Study, language: Language) -> str:
    """How to read the p-value that the plan fixes."""
    key = "reading_t" if study.plan.unit_test == "unit t" else "reading_placebo"
    return text(key, language, test=unit_test(study, language))


def _expected_sentences(values: Values) -> list[str]:
    """What units picked for their scores would have changed by without any pilot."""
    sentences = []
    for indicator in values.study.plan.primary:
        if hidden_groups(values.effects, values.study, indicator).get("pilot", False):
            continue
        expected = [
            row.iloc[0]
            for reliability in RELIABILITIES
            for row in [values.find(indicator, "pilot", "regression to the mean", f"correlation {reliability}")]
            if len(row)
        ]
        if expected:
            filled = {f"at_{at}": values.shown(row) for at, row in enumerate(expected)}
            unit = plain(unit_words(values.study, indicator, expected[0]["unit"], values.language))
            name = quoted(values.study, indicator, values.language)
            filled |= {f"r_{at}": exactly(one, values.language) for at, one in enumerate(RELIABILITIES)}
            sentences.append(text("expected_regression", values.language, indicator=name, unit=unit, **filled))
    return sentences


def claims(effects: pd.DataFrame, study: Study, language: Language) -> list[Claim]:
    """The sentences about every outcome of the plan, primary ones first, no stronger than the design carries.

    With licence `describe` each survey is described by itself. Else one sentence a group of units on its change;
    with `changed_more` or `effect` one more on the difference to the comparison units, which says "above"
    or "below" only where the unit-level adjusted interval excludes zero, the p-value that the plan fixes is at most
    1 − level and the pilots do not rest on far fewer answers. Screened outcomes never get a direction.
    """
    values, found = Values(effects, study, language), []
    for indicator in study.plan.outcomes:
        words, hidden = licence(study, indicator), hidden_groups(effects, study, indicator)
        groups = set(effects.loc[effects["indicator"] == indicator, "group"])
        for group in [name for name in ("pilot", "comparison", "all") if name in groups]:
            found.append(_change_claim(values, indicator, group, words, hidden[group]))
        if compares(study, indicator) and BETWEEN in groups:
            found.append(_did_claim(values, indicator, words, hidden[BETWEEN]))
    return [replace(claim, text=_traced(claim)) for claim in found]


def _traced(claim: Claim) -> str:
    about = {name: getattr(claim, name) for name in ("indicator", "group", "estimand", "direction")}
    return trace("claim", claim.text, **about)


def paragraphs(claims: list[Claim], study: Study, language: Language) -> list[str]:
    """The claims as Markdown: primary and secondary outcomes under their headings, one paragraph an indicator."""
    found = []
    for role, outcomes in study.plan.families.items():
        if outcomes:
            found.append(f"### {text(f'outcomes_{role}', language)}")
        for outcome in outcomes:
            sentences = " ".join(claim.text for claim in claims if claim.indicator == outcome)
            found.append(f"**{plain(label(study.index[outcome].label, language))}.** {sentences}")
    return found


def _change_claim(values: Values, indicator: str, group: str, words: Licence, hidden: bool) -> Claim:
    language, study = values.language, values.study

    def claim(key: str, estimand: str = "change", **filled: str) -> Claim:
        return Claim(indicator, group, estimand, "none", text(key, language, **filled))

    before, after = (values.row(indicator, group, "level", period, "linearised") for period in ("before", "after"))
    change = values.row(indicator, group, "change", CHANGE, "linearised")
    if hidden:
        return claim("claim_hidden", "level", group=text(f"in_group_{group}", language))
    filled = {
        "group": text(f"in_group_{group}", language),
        "before": values.shown(before),
        "after": values.shown(after),
        "level_unit": plain(unit_words(study, indicator, before["unit"], language)),
        "n_before": values.shown(before, "n_before"),
        "n_after": values.shown(after, "n_after"),
        "rows": text(f"rows_{study.declared.study.row}", language),
    }
    if words == "describe":
        return claim("claim_described", "level", **filled)
    if pd.isna(change["estimate"]):
        return claim("claim_no_answers", group=filled["group"])
    filled |= {"change": values.shown(change), "unit": plain(unit_words(study, indicator, change["unit"], language))}
    if indicator in study.plan.screening:
        return claim("claim_screened", **filled | _screened(values, change))
    if pd.isna(change["conf_low_adjusted"]):
        return claim("claim_no_interval", **filled)
    verdict = direction(change)
    also = values.find(indicator, group, "change", CHANGE)
    also = also[also["method"].isin([FIXED, REWEIGHTED])]
    apart = verdict != "none" and any(_side(row) != verdict for _, row in also.iterrows())
    filled |= _interval(values, change)
    sentence = text(f"claim_change_{'none' if apart else verdict}", language, **filled)
    if apart:
        sentence += " " + text("claim_apart", language)
    return Claim(indicator, group, "change", "none" if apart else verdict, sentence)


def _side(effect: pd.Series) -> Direction:
    """`direction` by the adjusted interval where the row has one, else by its own."""
    ends = {f"conf_{end}_adjusted": effect[f"conf_{end}"] for end in ("low", "high")}
    return direction(effect if pd.notna(effect["conf_low_adjusted"]) else pd.Series(ends))


def _did_claim(values: Values, indicator: str, words: Licence, hidden: bool) -> Claim:
    language, study = values.language, values.study
    unit_t, placebo = (values.row(indicator, BETWEEN, "did", DID, method) for method in ("unit t", "placebo"))
    by_t = study.plan.unit_test == "unit t"
    alpha = 1 - unit_t["conf_level"] + 1e-12
    decisive = unit_t if by_t else placebo
    supported = decisive["p_adjusted"] <= alpha
    if hidden or pd.isna(unit_t["estimate"]):
        why = text("claim_hidden" if hidden else "claim_no_answers", language, group=text("in_comparison", language))
        return Claim(indicator, BETWEEN, "did", "none", why)
    noisy = unit_t["note"] == "unequal_precision"
    verdict: Direction = direction(unit_t) if supported and not noisy else "none"
    filled = {
        "change": values.shown(unit_t),
        "unit": plain(unit_words(study, indicator, unit_t["unit"], language)),
        "units": values.shown(unit_t, "n_clusters"),
        "test": unit_test(study, language),
        "p": values.shown(decisive, "p_adjusted"),
    }
    if indicator in study.plan.screening:
        filled |= _screened(values, unit_t)
        return Claim(indicator, BETWEEN, "did", "none", text("claim_screened_did", language, **filled))
    filled |= _interval(values, unit_t)
    kind = "effect" if words == "effect" else "more"
    sentence = text(f"claim_{kind}_{verdict}", language, **filled)
    if noisy:
        sentence += " " + text("claim_noisy", language)
    elif direction(unit_t) == "none" and decisive["p_adjusted"] <= alpha:
        sentence += " " + text("claim_p_alone", language)
    elif direction(unit_t) != "none" and not supported:
        sentence += " " + text("claim_interval_alone", language)
    return Claim(indicator, BETWEEN, "did", verdict, sentence)


def _screened(values: Values, effect: pd.Series) -> dict[str, str]:
    """The single interval and the p-value adjusted for the false discovery rate."""
    ends = {end: values.shown(effect, f"conf_{end}") for end in ("low", "high")}
    interval = text("interval_single", values.language, level=values.shown(effect, "conf_level"), **ends)
    return {"interval": interval, "p": values.shown(effect, "p_adjusted")}


def _interval(values: Values, effect: pd.Series) -> dict[str, str]:
    key = "interval_simultaneous" if effect["adjustment"] != "none" else "interval_single"
    columns = {"level": "conf_level", "low": "conf_low_adjusted", "high": "conf_high_adjusted"}
    filled = {name: values.shown(effect, column) for name, column in columns.items()}
    return {"interval": text(key, values.language, **filled)}
