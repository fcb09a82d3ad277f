"""What a design carries: whether the surveys compare, indicator by indicator, and the strongest words allowed."""

from __future__ import annotations

from typing import Literal

from evalkit.study import Study

Licence = Literal["describe", "changed", "changed_more", "effect"]
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
    arms = list(study.design.arms.values())
    chosen = study.declared.design.pilot_units_chosen
    # Units picked for their scores move towards the mean by themselves, so a comparison would mislead.
    compared = "pilot" in arms and arms.count("comparison") >= 2 and chosen not in SCORED
    randomised = chosen == "randomised" and arms.count("pilot") >= 2
    return GATE[not comparability(study, indicator), compared, randomised]
