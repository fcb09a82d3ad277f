"""What a design carries: whether the surveys compare, indicator by indicator, and the strongest words allowed."""

from __future__ import annotations

from typing import Literal

from evalkit.language import Language, label, listing, plain, text
from evalkit.study import Study

Licence = Literal["describe", "changed", "changed_more", "effect"]
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


def comparability(study: Study, indicator: str = "") -> list[str]:
    """Why the waves may not be compared: message keys, none where they may.

    Each wave must declare target population, frame, selection and mode; all must be the same in every wave; and
    the selection must be one that stands for the population (probability or census). So must the wording of the
    items of the indicator; without one, it counts only where no outcome of the plan can be compared.
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
    wordings = [_wording(study, code) for code in ([indicator] if indicator else study.plan.outcomes)]
    return [*reasons, wordings[0]] if all(wordings) else reasons


def _wording(study: Study, indicator: str) -> str:
    """Why an indicator's wording forbids to compare: a message key, empty where it does not."""
    versions = [
        [wave.wording.get(item, wave.wording.get("all")) for wave in study.declared.waves]
        for item in items_of(study, indicator)
    ]
    if any(None in found for found in versions):
        return "undeclared_wording"
    return "differs_wording" if any(len(set(found)) > 1 for found in versions) else ""


def items_of(study: Study, indicator: str) -> list[str]:
    """The items that an indicator is made of, through its children."""
    node = study.index[indicator]
    return [*node.items, *(item for child in node.children for item in items_of(study, child))]


def licence(study: Study, indicator: str = "") -> Licence:
    """The strongest words that the design carries for an indicator; without one, for any outcome of the plan."""
    return GATE[not comparability(study, indicator), study.design.compared, study.design.randomised]


def compares(study: Study, indicator: str = "") -> bool:
    """Whether the pilots may be set against the comparison units, in an indicator or in any outcome of the plan."""
    return licence(study, indicator) in ("changed_more", "effect")


def comparability_sentence(study: Study, language: Language) -> str:
    """Whether the waves may be compared by what is declared, and if not, why."""
    reasons = [text(reason, language) for reason in comparability(study)]
    if reasons:
        return text("not_comparable", language, reasons=listing(reasons, language))
    return " ".join([text("comparable", language), *_wording_sentences(study, language)])


def comparability_notices(study: Study, language: Language) -> list[str]:
    """What may not be compared, and why; none where everything may."""
    return [comparability_sentence(study, language)] if comparability(study) else _wording_sentences(study, language)


def _wording_sentences(study: Study, language: Language) -> list[str]:
    """Which outcomes may not be compared although the surveys may: their wording."""
    reasons = {code: comparability(study, code) for code in study.plan.outcomes}
    return [
        text(f"{reason}_of", language, indicators=listing(names, language))
        for reason in ("undeclared_wording", "differs_wording")
        if (names := [quoted(study, code, language) for code, found in reasons.items() if reason in found])
    ]


def quoted(study: Study, indicator: str, language: Language) -> str:
    """An indicator's name within a sentence."""
    return f"«{plain(label(study.index[indicator].label, language))}»"
