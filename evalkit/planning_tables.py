"""What another survey could show and what it would cost, as tables and sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.language import Language, label, listing, number, plain, text
from evalkit.planning import Survey as SurveyModel
from evalkit.prospects import arms, design_label, observed_design_effect
from evalkit.study import Study
from evalkit.values import exactly, shown, titled, unit_words


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
    return titled(rows, language)


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
    return titled(rows, language)


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
    return titled(rows, language)


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
    return titled(rows, language)


def unsized_sentence(study: Study, language: Language) -> str:
    """Which units the table of sample sizes leaves out, for want of a declared population; empty where none."""
    units = [study.unit_label(unit.code, language) for unit in study.declared.units if not unit.population]
    return text("sample_sizes_left_out", language, units=listing(units, language)) if units else ""


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
    return titled(rows, language)
