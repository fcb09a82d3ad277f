"""One report a unit, and a summary that adds up to the whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.assembly import Assembly
from evalkit.cleaning import clean
from evalkit.comparison import compare
from evalkit.documents import Document
from evalkit.effects import read_effects, select
from evalkit.indicators import score
from evalkit.language import Language, label, number, text
from evalkit.reading import read
from evalkit.report import report_file, run, written
from evalkit.sample import CHANGE
from evalkit.study import Study, open_study
from evalkit.tracing import tracing
from evalkit.values import Values, hidden_groups, suppressed, titled

TOLERANCE = 1e-9


def run_each_unit(
    folder: str | Path,
    reports: str | Path = "reports",
    *,
    language: Language | None = None,
    allow_outside: bool = False,
    progress: Callable[..., None] | None = None,
) -> Path:
    """Write `<reports>/<study>-units/`: a folder with the report of each unit, and a summary of all; returns it.

    A unit's report knows nothing of the others. The numbers of the summary come from these reports, and are checked:
    answers add up to those of the whole study, every level and change is that of the unit in the whole. Raises
    DataError as `report.run`, RuntimeError where the parts do not make up the whole.

        run_each_unit("data/nga-bay")
    """
    whole = open_study(folder, allow_outside=allow_outside)
    language = language or whole.language
    target = Path(reports) / f"{Path(folder).resolve().name}-units"
    survey = clean(read(whole), whole)
    scores = score(survey.responses, whole.index, whole.codebook, keep=whole.design.composition)
    effects = compare(scores, whole.design, whole.plan, whole.index)
    units = [unit.code for unit in whole.declared.units]
    for at, unit in enumerate(units):
        run(
            folder,
            target,
            language=language,
            allow_outside=allow_outside,
            only=unit,
            progress=_part_of(progress, at, len(units)),
        )
    found = {unit: read_effects(target / unit / "effects.csv") for unit in units}
    _hold_together(found, effects, whole)
    document = _summary(effects, whole, language)
    for name, data in written(document).items():
        (target / report_file(document.simulated, language, name.replace("report", "units"))).write_bytes(data)
    return target


def _part_of(progress: Callable[..., None] | None, at: int, units: int) -> Callable[..., None] | None:
    if progress is None:
        return None
    return lambda completed, total: progress(completed=at * total + completed, total=units * total)


def _hold_together(found: dict[str, pd.DataFrame], effects: pd.DataFrame, whole: Study) -> None:
    """The units' own reports against the whole: the same levels and changes, answers that add up."""
    for outcome in whole.plan.outcomes:
        counts = np.zeros(2)
        for unit, own in found.items():
            for estimand, contrast in (("level", "before"), ("level", "after"), ("change", CHANGE)):
                wanted = {"indicator": outcome, "estimand": estimand, "contrast": contrast, "method": "linearised"}
                inside, alone = select(effects, group=unit, **wanted), select(own, group=unit, **wanted)
                columns = ["estimate", "n_before", "n_after"]
                if not np.allclose(inside[columns], alone[columns], rtol=TOLERANCE, equal_nan=True):
                    raise RuntimeError(f"{unit}: {outcome} {contrast} is not that of the whole study")
            counts += alone[["n_before", "n_after"]].iloc[0].to_numpy(dtype=float)
        groups = select(effects, indicator=outcome, estimand="change", contrast=CHANGE, method="linearised")
        groups = groups[groups["group"].isin(["pilot", "comparison", "all"])]
        if not np.array_equal(counts, groups[["n_before", "n_after"]].sum().to_numpy(dtype=float)):
            raise RuntimeError(f"{outcome}: the answers of the units do not add up to those of the whole study")


def _table(effects: pd.DataFrame, study: Study, outcome: str, language: Language) -> pd.DataFrame:
    """One outcome: each unit and their sum of answers; units of too few answers are hidden."""
    values, rows = Values(effects, study, language), []
    hidden, sums = hidden_groups(effects, study, outcome), np.zeros(2)
    small = suppressed(study, language)
    for unit in study.design.arms:
        before, after = (values.row(outcome, unit, "level", period, "linearised") for period in ("before", "after"))
        change = values.row(outcome, unit, "change", CHANGE, "linearised")
        sums += [change["n_before"], change["n_after"]]
        row = {"commune": study.unit_label(unit, language)}
        shown = {
            "units_answers": f"{values.shown(change, 'n_before')} / {values.shown(change, 'n_after')}",
            "before": values.shown(before),
            "after": values.shown(after),
            "change": values.shown(change),
        }
        rows.append(row | (dict.fromkeys(shown, small) if hidden[unit] else shown))
    total = small if hidden[list(study.design.arms)].any() else " / ".join(number(n, 0, language) for n in sums)
    sum_row = {"commune": text("units_sum", language), "units_answers": total}
    rows.append(sum_row | dict.fromkeys(("before", "after", "change"), "–"))
    return titled(rows, language)


def _summary(effects: pd.DataFrame, study: Study, language: Language) -> Document:
    made = Assembly(study, language)
    made.section(text("units_kind", language), text("units_intro", language), [], "units")
    with tracing():
        for outcome in study.plan.outcomes:
            caption = text("units_table", language, indicator=label(study.index[outcome].label, language))
            made.table(_table(effects, study, outcome, language), caption, outcome)
    return made.document(text("units_kind", language))
