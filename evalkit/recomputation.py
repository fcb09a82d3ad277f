"""The tables of results computed again: beside the saved ones, with the rows in another order, with other draws."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from evalkit.chance import other_draws
from evalkit.cleaning import Survey, clean
from evalkit.comparison import compare
from evalkit.effects import COLUMNS, differences, read_effects
from evalkit.errors import DataError, Problem
from evalkit.grid import Raw
from evalkit.indicators import score
from evalkit.ledger_check import TOLERANCE, Finding
from evalkit.parts import read_parts
from evalkit.reading import read
from evalkit.reliability_effects import reliability_effects
from evalkit.robustness import specifications
from evalkit.study import Study


def differing_results(before: Path, after: Path) -> tuple[int, list[Finding]]:
    """Every table of effects that the report saved; how many rows were compared."""
    rows, found = 0, []
    for file in sorted({path.name for folder in (before, after) for path in folder.glob("*.csv")}):
        if not (before / file).is_file() or not (after / file).is_file():
            found.append(Finding("table_gone" if (before / file).is_file() else "table_new", file))
            continue
        if list(pd.read_csv(after / file, nrows=0).columns) != list(COLUMNS):
            if (before / file).read_bytes() != (after / file).read_bytes():
                found.append(Finding("table_differs", file))
            continue
        try:
            saved = read_effects(before / file)
        except ValueError:
            raise DataError([Problem(file, "effects_unreadable")]) from None
        rows += len(saved)
        for row in differences(saved, read_effects(after / file)).to_dict("records"):
            place = f"{file}: " + " / ".join(str(row[key]) for key in ("indicator", "group", "estimand", "method"))
            found.append(
                Finding("effect_differs", f"{place} [{row['column']}]", str(row["first"]), str(row["second"]))
            )
    return rows, found


def differing_tables(before: Path, after: Path) -> Iterator[Finding]:
    """Saved tables for Excel that are not those of the new run; one that was not handed over misleads nobody."""
    for old in sorted((before / "tables").glob("*.csv")):
        new = after / "tables" / old.name
        if not new.is_file() or old.read_bytes() != new.read_bytes():
            yield Finding("table_differs", f"tables/{old.name}")


def disturbed(study: Study) -> Iterator[Finding]:
    """What depends on the order of the rows, or on which random draws were made: neither may be much."""
    raw = read(study)
    plain = _tables(raw, study)
    frames = {name: frame.sample(frac=1, random_state=1) for name, frame in raw.frames.items()}
    yield from _moved("depends_on_order", plain, _tables(Raw(frames, raw.notices), study))
    with other_draws():
        yield from _moved("depends_on_chance", plain, _tables(raw, study))


def _moved(reason: str, plain: dict[str, pd.DataFrame], other: dict[str, pd.DataFrame]) -> Iterator[Finding]:
    for name, table in plain.items():
        found = differences(table, other[name], tolerance=TOLERANCE)
        if len(found):
            both = found[["first", "second"]].apply(pd.to_numeric, errors="coerce")
            most = (both["first"] - both["second"]).abs().max()
            yield Finding(reason, name, str(len(found)), f"{most:.3g}", fails=False)


def _tables(raw: Raw, study: Study) -> dict[str, pd.DataFrame]:
    """All tables of effects of a study, by the file in which a report keeps them."""
    survey = clean(raw, study)
    scores = score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = compare(scores, study.design, study.plan, study.index)
    return {"effects.csv": effects, "specifications.csv": specifications(survey, study)} | _others(survey, study)


def _others(survey: Survey, study: Study) -> dict[str, pd.DataFrame]:
    """The tables of effects beside the survey's own."""
    level, parts = study.plan.confidence_level, read_parts(study)
    found = {
        "reliability.csv": reliability_effects(
            survey.responses, study.design, study.index, study.codebook, level=level
        )
    }
    if "cases" in parts and parts["cases"].declared.launch:
        from evalkit.case_series import launch_effects

        found["case_effects.csv"] = launch_effects(parts["cases"], study)
    if "training" in parts:
        from evalkit.training import training_effects

        found["training_effects.csv"] = training_effects(parts["training"], level=level)
    if "workshop" in parts:
        from evalkit.workshops import agreement

        if len(rows := agreement(parts["workshop"], confidence=level)):
            found["workshop_agreement.csv"] = rows
    if "registers" in parts:
        from evalkit.registers import register_effects

        found["register_effects.csv"] = register_effects(parts["registers"], study)
    return found
