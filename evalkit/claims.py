"""What may be said: sentences derived from effects and design, never typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd

from evalkit.comparison import CHANGE, DID, FIXED
from evalkit.language import Language, label, listing, plain, text
from evalkit.study import Study
from evalkit.values import Values, exactly, too_few, unit_words

Licence = Literal["describe", "changed", "changed_more", "effect"]
Direction = Literal["higher", "lower", "none"]

SCORED = ("low_scores", "high_scores")
# Are the surveys comparable? Are there two or more comparison units, and were the pilots not picked for their
# scores? Are there two or more pilots, chosen at random? → the strongest words that the design carries. Two pilot
# communes without comparison units never reach more than "changed".
GATE: dict[tuple[bool, bool, bool], Licence] = {
    (False, False, False): "describe",
    (False, False, True): "describe",
    (False, True, False): "describe",
    (False, True, True): "describe",
    (True, False, False): "changed",
    (True, False, True): "changed",
    (True, True, False): "changed_more",
    (True, True, True): "effect",
}
_DECLARED = ("target_population", "frame", "selection", "mode")


def comparability(study: Study) -> list[str]:
    """Why the waves may not be compared: message keys, none where they may.

    Each wave must declare target population, frame, selection and mode; all must be the same in every wave; and
    the selection must be one that stands for the population (probability or census).
    """
    reasons = []
    for name in _DECLARED:
        declared = [getattr(wave, name) for wave in study.declared.waves]
        if None in declared:
            reasons.append(f"undeclared_{name}")
        elif any(value != declared[0] for value in declared):
            reasons.append(f"differs_{name}")
    if any(wave.selection in ("quota", "convenience") for wave in study.declared.waves):
        reasons.append("not_probability")
    return reasons


def licence(study: Study) -> Licence:
    """The strongest words that the study's design carries."""
    arms = list(study.design.arms.values())
    chosen = study.declared.design.pilot_units_chosen
    # Units picked for their scores move towards the mean by themselves, so a comparison would mislead.
    compared = "pilot" in arms and arms.count("comparison") >= 2 and chosen not in SCORED
    randomised = chosen == "randomised" and arms.count("pilot") >= 2
    return GATE[not comparability(study), compared, randomised]


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
    if comparability(study):
        sentences.append(comparability_sentence(study, language))
    if study.declared.design.pilot_units_chosen in SCORED:
        sentences.append(text("regression_to_the_mean", language))
    sentences.append(text(f"licence_{words}", language))
    if pilots == 1:
        sentences.append(text("one_pilot_unit", language))
    if words in ("changed_more", "effect"):
        values = Values(effects, study, language)
        smallest = values.row(study.plan.primary[0], "pilot - comparison", "smallest p", DID, "placebo")
        level = 1 - study.plan.confidence_level
        sentences.append(text("more_rule", language, level=exactly(level, language)))
        sentences.append(text("smallest_p", language, p=values.bound(smallest)))
        if smallest["estimate"] > level + 1e-12:
            sentences.append(text("smallest_p_too_large", language))
    return sentences


def comparability_sentence(study: Study, language: Language) -> str:
    """Whether the waves may be compared by what is declared, and if not, why."""
    reasons = [text(reason, language) for reason in comparability(study)]
    return (
        text("not_comparable", language, reasons=listing(reasons, language))
        if reasons
        else text("comparable", language)
    )


def claims(effects: pd.DataFrame, study: Study, language: Language) -> list[Claim]:
    """The sentences about every outcome of the plan, primary ones first, no stronger than the design carries.

    With licence `describe` each survey is described by itself. Else one sentence a group of units on its change;
    with `changed_more` or `effect` one more on the difference to the comparison units, which says "above"
    or "below" only where the unit-level adjusted interval excludes zero, the placebo p-value is at most 1 − level and
    the pilots do not rest on far fewer answers.
    """
    values, words = Values(effects, study, language), licence(study)
    found = []
    for indicator in (*study.plan.primary, *study.plan.secondary):
        groups = set(effects.loc[effects["indicator"] == indicator, "group"])
        for group in [name for name in ("pilot", "comparison", "all") if name in groups]:
            found.append(_change_claim(values, indicator, group, words))
        if words in ("changed_more", "effect") and "pilot - comparison" in groups:
            found.append(_did_claim(values, indicator, words))
    return found


def paragraphs(claims: list[Claim], study: Study, language: Language) -> list[str]:
    """The claims as Markdown: primary and secondary outcomes under their headings, one paragraph an indicator."""
    found = []
    for role in ("primary", "secondary"):
        outcomes = getattr(study.plan, role)
        if outcomes:
            found.append(f"### {text(f'outcomes_{role}', language)}")
        for outcome in outcomes:
            sentences = " ".join(claim.text for claim in claims if claim.indicator == outcome)
            found.append(f"**{plain(label(study.index[outcome].label, language))}.** {sentences}")
    return found


def _change_claim(values: Values, indicator: str, group: str, words: Licence) -> Claim:
    language, study = values.language, values.study
    before, after = (values.row(indicator, group, "level", period, "linearised") for period in ("before", "after"))
    change = values.row(indicator, group, "change", CHANGE, "linearised")
    if too_few(change.to_frame().T, study).item():
        hidden = text("claim_hidden", language, group=text(f"in_group_{group}", language))
        return Claim(indicator, group, "level", "none", hidden)
    filled = {
        "group": text(f"in_group_{group}", language),
        "before": values.bound(before),
        "after": values.bound(after),
        "level_unit": plain(unit_words(study, indicator, before["unit"], language)),
        "n_before": values.bound(before, "n_before"),
        "n_after": values.bound(after, "n_after"),
        "rows": text(f"rows_{study.declared.study.row}", language),
    }
    if words == "describe":
        return Claim(indicator, group, "level", "none", text("claim_described", language, **filled))
    filled |= {"change": values.bound(change), "unit": plain(unit_words(study, indicator, change["unit"], language))}
    if pd.isna(change["conf_low_adjusted"]):
        return Claim(indicator, group, "change", "none", text("claim_no_interval", language, **filled))
    verdict = direction(change)
    if group == "all" and direction(values.row(indicator, group, "change", CHANGE, FIXED)) != verdict:
        verdict = "none"
    filled |= _interval(values, change)
    return Claim(indicator, group, "change", verdict, text(f"claim_change_{verdict}", language, **filled))


def _did_claim(values: Values, indicator: str, words: Licence) -> Claim:
    language, study = values.language, values.study
    unit_t = values.row(indicator, "pilot - comparison", "did", DID, "unit t")
    placebo = values.row(indicator, "pilot - comparison", "did", DID, "placebo")
    supported = placebo["p_value"] <= 1 - unit_t["conf_level"] + 1e-12
    noisy = unit_t["note"] == "unequal_precision"
    verdict: Direction = direction(unit_t) if supported and not noisy else "none"
    filled = {
        "change": values.bound(unit_t),
        "unit": plain(unit_words(study, indicator, unit_t["unit"], language)),
        "units": values.bound(unit_t, "n_clusters"),
        "p": values.bound(placebo, "p_value"),
        **_interval(values, unit_t),
    }
    kind = "effect" if words == "effect" else "more"
    sentence = text(f"claim_{kind}_{verdict}", language, **filled)
    if noisy:
        sentence += " " + text("claim_noisy", language)
    return Claim(indicator, "pilot - comparison", "did", verdict, sentence)


def _interval(values: Values, effect: pd.Series) -> dict[str, str]:
    simultaneous = "interval_simultaneous" if effect["adjustment"] != "none" else "interval_single"
    return {
        "interval": text(
            simultaneous,
            values.language,
            level=values.bound(effect, "conf_level"),
            low=values.bound(effect, "conf_low_adjusted"),
            high=values.bound(effect, "conf_high_adjusted"),
        )
    }
