"""The analysis plan before anybody saw the answers: frozen by its SHA-256 and day, and later compared."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from evalkit.errors import DataError, Problem, raise_any
from evalkit.language import Language, day, listing, text
from evalkit.reading import read
from evalkit.study import Study

LOCK = "plan.lock"
PARTS = ("plan", "index", "codebook", "design")
_OF_A_WAVE = {"code", "period", "target_population", "frame", "selection", "mode", "wording"}


@dataclass(frozen=True)
class PlanState:
    """What became of a frozen plan: `none` was frozen, it is the `same`, or it has `changed`.

    changed: the parts that did, as `plan_parts` names them. on: the day of the freeze. late: whether answers of the
    after survey were there already.
    """

    state: Literal["none", "same", "changed"]
    changed: tuple[str, ...] = ()
    on: date | None = None
    late: bool = False


def plan_parts(study: Study) -> dict[str, str]:
    """SHA-256 of each part of the analysis plan: plan, index, codebook, design, and `wave <code>` for every wave.

    Each is taken of what was declared, as json with sorted keys, whatever the files look like: labels, spellings and
    file names may be mended without a trace, codes, directions, targets and wordings may not.
    """
    declared, index = study.declared, study.index.values()
    roles = declared.design.model_dump(mode="json")
    wanted = {item for node in index for item in node.items} | set(declared.design.composition)
    arms = {unit.code: [unit.arm, unit.clusters] for unit in declared.units}
    parts: dict[str, Any] = {
        "plan": declared.plan.model_dump(mode="json"),
        "index": [node.model_dump(mode="json", exclude={"label", "unit", "decimals"}) for node in index],
        "codebook": {name: _meaning(study, name) for name in wanted},
        "design": {"roles": roles, "units": arms},
    }
    for wave in declared.waves:
        parts[f"wave {wave.code}"] = wave.model_dump(mode="json", include=_OF_A_WAVE)
    return {name: _digest(part) for name, part in parts.items()}


def freeze(study: Study, *, on: date, late: bool = False) -> Path:
    """Write the SHA-256 of the analysis plan, and the day, into `plan.lock` of the study folder; returns its path.

    Freezing the same plan again changes nothing. Raises DataError where another plan is frozen, and where the after
    survey has answers already, unless `late`, which the file then says.

        freeze(ek.open_study("data/nga-bay"), on=date(2020, 1, 2))
    """
    path, state = study.folder / LOCK, plan_state(study)
    if state.state == "same":
        return path
    if state.state == "changed":
        values = {"day": str(state.on), "parts": ", ".join(state.changed)}
        raise DataError([Problem(LOCK, "freeze_other", values)])
    if not late:
        raise_any(_answered(study))
    content = {"frozen_on": on.isoformat(), "late": late, "parts": plan_parts(study)}
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")
    return path


def plan_state(study: Study) -> PlanState:
    """Whether the plan is still the one that was frozen; a wave declared since then changes nothing.

    Raises DataError where plan.lock cannot be read.
    """
    path = study.folder / LOCK
    if not path.exists():
        return PlanState("none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        on, frozen, late = date.fromisoformat(content["frozen_on"]), dict(content["parts"]), content["late"] is True
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError([Problem(LOCK, "freeze_unreadable")]) from None
    parts = plan_parts(study)
    changed = tuple(name for name in dict.fromkeys((*PARTS, *frozen)) if frozen.get(name) != parts.get(name))
    return PlanState("changed" if changed else "same", changed, on, late)


def plan_sentence(study: Study, language: Language) -> str:
    """What a report says of the plan: frozen before the later survey, late, changed since then, or not at all."""
    found = plan_state(study)
    if found.on is None:
        return text("plan_sentence_none", language)
    said = text(f"plan_sentence_{'late' if found.late else 'same'}", language, day=day(found.on, language))
    if found.state == "changed":
        parts = listing([text(f"plan_part_{part}", language) for part in found.changed if part in PARTS], language)
        said += " " + text("plan_sentence_changed", language, parts=parts or text("plan_part_design", language))
    return said


def plan_notices(study: Study) -> list[Problem]:
    """A notice where the plan is no longer the frozen one."""
    found = plan_state(study)
    if found.state != "changed":
        return []
    return [Problem(LOCK, "plan_no_longer", {"day": str(found.on), "parts": ", ".join(found.changed)})]


def _meaning(study: Study, name: str) -> dict[str, Any]:
    variable = study.codebook[name]
    scale = variable.scale.answers if variable.scale else ()
    return {
        "type": variable.type,
        "reverse": variable.reverse,
        "bounds": [str(variable.minimum), str(variable.maximum)],
        "answers": [[answer.code, answer.missing] for answer in scale],
        "rules": [variable.relevant, variable.constraint, variable.otherwise],
        "missing": dict(variable.missing),
    }


def _digest(part: Any) -> str:
    return sha256(json.dumps(part, sort_keys=True, ensure_ascii=False).encode("utf-8")).hexdigest()


def _answered(study: Study) -> list[Problem]:
    """The after waves that have answers already; an empty file prepared for them has none."""
    problems = []
    for wave in study.declared.waves:
        if wave.period == "after":
            alone = replace(study, declared=study.declared.model_copy(update={"waves": (wave,)}))
            try:
                count = len(read(alone).frames[wave.code])
            except DataError as error:
                if {problem.key for problem in error.problems} <= {"no_rows", "file_empty"}:
                    continue
                raise
            problems.append(wave.problem("freeze_late", {"wave": wave.code, "count": count}))
    return problems
