"""From the survey at hand to the next one: what it was like, what other designs could show, and what they cost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from evalkit.effects import select
from evalkit.language import Language, number, text
from evalkit.planning import (
    Survey,
    clusters_needed,
    comparisons_needed,
    design_effect,
    minimum_detectable_change,
    pilots_needed,
    replication_cost,
    respondents_needed,
    sample_size_share,
    yamane,
)
from evalkit.sample import Sample
from evalkit.study import Study
from evalkit.units import variance_components
from evalkit.values import main_hidden

RESPONDENTS = (30, 60, 120, 240, 480)
MORE = (6, 12, 18)  # comparison units beside the pilots of the study
TIMES = (2, 4)  # as many pilots, each with a comparison unit
TARGETS = (5.0, 10.0)  # points; an outcome in its own unit has none
PROSPECTS = ["pilots", "comparisons", "respondents", "claim", "shock_sd", "change", "floor", "df", "room", "unit"]
NEEDED = ["target", "claim", "shock_sd", "respondents", "clusters", "comparisons", "pilots", "unit"]
SIZES = ["unit", "population", "yamane", "share", "corrected", "before", "after"]


def observed(sample: Sample, indicator: str) -> Survey | None:
    """What the survey at hand was like, for units on average: the next one is planned as another of its kind.

    sample: scores and design. indicator: a column of the scores. Of several waves, the last before and the first
    after count; valid answers only. respondents and clusters are harmonic means over units and waves, for these give
    the variance. sd and icc are within unit, stratum and wave, by analysis of variance (Donner 1986, International
    Statistical Review 54(1)), the icc not below 0. person_correlation is that of pairs within their cluster;
    cluster_correlation the covariance of cluster means over waves, less what people asked twice contribute, by the
    variance between clusters. Neither is above 1, nor below 0, which is also what cannot be told. Clusters are None
    where respondents are the clusters; where only some units drew clusters, the numbers are those of these units.
    Returns None where no unit and wave has two answers, as in records.

    >>> from evalkit.declaration import Node
    >>> from evalkit.study import Design
    >>> design = Design(arms={"A": "pilot"}, periods={"w1": "before", "w2": "after"})
    >>> rows = [["w1", "1", 40], ["w1", "2", 60], ["w2", "1", 60], ["w2", "2", 80]]
    >>> scores = pd.DataFrame(rows, columns=["wave", "respondent", "x"])
    >>> scores = scores.assign(row_id=range(4), unit="A", cluster=scores["respondent"], stratum="1", weight=1.0)
    >>> index = {"x": Node(code="x", label={"vi": "x", "en": "x"}, aggregate="value", items=("q",))}
    >>> found = observed(Sample(scores, design, index), "x")
    >>> found.respondents, round(found.sd, 1), found.overlap, found.person_correlation
    (2.0, 14.1, 1.0, 1.0)
    """
    frame = _answers(sample, indicator)
    cell = ["wave", "unit", "stratum"]
    sizes = frame.groupby(["wave", "unit"])["score"].agg("size")
    total_df = len(frame) - frame.groupby(cell).ngroups
    if not total_df:
        return None
    clustered = bool(frame.duplicated(["wave", "cluster"]).any())
    cells = frame.groupby(cell)["score"]
    between, within = 0.0, float(((frame["score"] - cells.transform("mean")) ** 2).sum()) / total_df
    if clustered:
        parts = variance_components(frame[["score"]], cells.ngroup(), frame["cluster"])
        if parts[0].item():
            between, within = (part.item() for part in parts)
    icc = between / (between + within) if between else 0.0
    pairs = frame[~frame["after"]].merge(
        frame[frame["after"]], on=["unit", "stratum", "cluster", "person"], suffixes=("_before", "_after")
    )
    asked = frame.groupby("unit").size()
    overlap = (2 * pairs.groupby("unit").size().reindex(asked.index, fill_value=0) / asked).mean()
    person = _correlation(pairs, ["unit", "stratum", *(["cluster"] if clustered else [])])
    counts = frame.groupby(["wave", "unit"])["cluster"].nunique()
    clusters = round(stats.hmean(counts)) if clustered else None
    weight = frame.groupby(["wave", "unit"])["weight"]
    kish = (sizes * weight.agg(lambda w: (w**2).sum()) / weight.sum() ** 2).mean()
    return Survey(
        respondents=max(float(stats.hmean(sizes)), clusters or 1),
        sd=float(np.sqrt(between + within)),
        clusters=clusters,
        icc=icc,
        cluster_correlation=_cluster_correlation(frame, pairs, between, within * person) if clustered else 0.0,
        overlap=float(overlap),
        person_correlation=person,
        weighting_effect=max(float(kish), 1.0),
    )


def _answers(sample: Sample, indicator: str) -> pd.DataFrame:
    """One row an answer of the two waves that count: where it was drawn, by whom it was given."""
    scores, periods = sample.scores, sample.design.periods
    waves = [
        [wave for wave, found in periods.items() if found == "before"][-1],
        next(wave for wave, found in periods.items() if found == "after"),
    ]
    frame = scores[["wave", "unit"]].assign(
        **{name: sample.arguments[name] for name in ("cluster", "stratum", "weight")},
        after=scores["wave"] == waves[1],
        person=scores["respondent"].fillna(scores["row_id"]) if "respondent" in scores else scores["row_id"],
        score=scores[indicator],
    )
    frame = frame[frame["wave"].isin(waves)].dropna(subset=["score"])
    shared = frame.duplicated(["wave", "cluster"], keep=False).groupby(frame["unit"]).transform("any")
    return frame[shared] if shared.any() else frame


def _correlation(pairs: pd.DataFrame, group: list[str]) -> float:
    """The correlation of both answers of a person around the means of groups, in [0, 1]; 0 where it has none."""
    both = pairs[["score_before", "score_after"]]
    before, after = (both - both.groupby([pairs[name] for name in group]).transform("mean")).to_numpy().T
    scale = np.sqrt((before**2).sum() * (after**2).sum())
    return float(np.clip(before @ after / scale, 0, 1)) if scale > 0 else 0.0


def _cluster_correlation(frame: pd.DataFrame, pairs: pd.DataFrame, between: float, shared: float) -> float | None:
    """The correlation of a cluster's level in both waves, times the share of clusters that both waves visited.

    between: the variance between clusters. shared: the covariance of the two answers of one person.
    """
    place = ["unit", "stratum", "cluster"]
    means = frame.groupby([*place, "after"])["score"].agg(["mean", "size"]).unstack("after")
    means = means.reindex(columns=pd.MultiIndex.from_product([["mean", "size"], [False, True]]))
    seen = means.dropna()
    if seen.empty:
        return None
    cell = seen["mean"].groupby(level=["unit", "stratum"])
    df = len(seen) - cell.ngroups
    if not df or not between:
        return 0.0
    persons = pairs.groupby(place).size().reindex(seen.index, fill_value=0) * shared
    persons /= seen["size"].prod(axis=1)
    deviation = seen["mean"] - cell.transform("mean")
    expected = (1 - 1 / cell.transform("size")) * persons  # c clusters have c − 1 degrees of freedom
    covariance = (deviation.prod(axis=1).sum() - expected.sum()) / df
    kept = 2 * len(seen) / means["size"].notna().to_numpy().sum()
    return float(np.clip(covariance / between, 0, 1) * kept)


def designs(study: Study) -> list[tuple[int, int]]:
    """Numbers of pilot and comparison units: the study's pilots alone, with its comparison units, and larger ones.

    Without declared arms all units are pilots.
    """
    pilots, comparisons = arms(study)
    more = [(pilots, others) for others in sorted({0, comparisons, *MORE})]
    return more + [(times * pilots, times * pilots) for times in TIMES]


def design_label(pilots: int, comparisons: int, language: Language) -> str:
    """A design as its numbers of units."""
    key = "design_arms" if comparisons else "design_pilots"
    counts = {"pilots": number(pilots, 0, language), "others": number(comparisons, 0, language)}
    return text(key, language, **counts)


def arms(study: Study) -> tuple[int, int]:
    """How many pilot and comparison units the study has; without arms all are pilots."""
    found = list(study.design.arms.values())
    return found.count("pilot") or len(found), found.count("comparison")


def prospects(effects: pd.DataFrame, sample: Sample, study: Study) -> pd.DataFrame:
    """What designs like the study's could show of its first primary outcome, with power .80 at the plan's level.

    effects: of `compare`. Returns one row a design, number of respondents and claim: `pilots, comparisons,
    respondents` (a unit and wave); `claim`, of these `people` or of `units` like these; `shock_sd`, of what strikes
    a whole unit in one wave, as the study estimates it, NaN for people, and where that is 0 the upper end of its
    interval in rows of its own; `change`, `floor` and `df` as `planning.Detectable`; `room`, how far the scale goes
    beyond the level before; `unit`, of the change. No rows for records, none about units where shocks cannot be
    told, none with fewer respondents than clusters, none at all where the group of the conclusion is hidden, see
    `values.hidden_groups`. The change of units is that of the t test: with the placebo
    comparison, which the sentence needs too, its power is below .80, see `planning.minimum_detectable_change`.

        frame = ek.prospects.prospects(effects, sample, study)
    """
    survey = _surveyed(sample, study)
    if survey is None or main_hidden(effects, study, study.plan.primary[0]):
        return pd.DataFrame(columns=PROSPECTS)
    room, unit = _room(effects, study), _unit(effects, study)
    sizes = sorted({size for size in RESPONDENTS if size >= (survey.clusters or 1)} | {asked(survey)})
    rows = []
    for pilots, comparisons in designs(study):
        for size in sizes:
            for claim, shock in _scenarios(effects, study):
                model = replace(survey, respondents=size)
                found = minimum_detectable_change(model, pilots, comparisons, shock_sd=shock, **_test(study))
                numbers = (np.nan if shock is None else shock, found.change, found.floor, found.df, room, unit)
                rows.append((pilots, comparisons, size, claim, *numbers))
    return pd.DataFrame(rows, columns=PROSPECTS)


def needed(effects: pd.DataFrame, sample: Sample, study: Study) -> pd.DataFrame:
    """What it takes to detect a change of `TARGETS` points in the first primary outcome, one thing changed at a time.

    Returns one row a target, claim and shock_sd, as in `prospects`: `respondents` a unit and wave in as many
    clusters; `clusters` a unit, as many people in each (NaN without clusters); `comparisons`, units beside the
    study's pilots; `pilots`, each with one comparison unit. Infinite where no number is enough. No rows for records
    and for outcomes in a unit of their own.
    """
    survey, indicator = _surveyed(sample, study), study.plan.primary[0]
    targets = () if survey is None or study.index[indicator].aggregate == "value" else TARGETS
    (pilots, comparisons), test = arms(study), _test(study)
    rows, unit = [], _unit(effects, study)
    for target in targets:
        for claim, shock in _scenarios(effects, study):
            assert survey is not None
            here = (target, survey, pilots, comparisons)
            numbers = (
                respondents_needed(*here, shock_sd=shock, **test),
                clusters_needed(*here, shock_sd=shock, **test) if survey.clusters else np.nan,
                comparisons_needed(target, survey, pilots, shock_sd=shock, **test),
                pilots_needed(target, survey, shock_sd=shock, **test),
            )
            rows.append((target, claim, np.nan if shock is None else shock, *numbers, unit))
    return pd.DataFrame(rows, columns=NEEDED)


def sample_sizes(sample: Sample, study: Study, *, error: float = 0.05) -> pd.DataFrame:
    """How many people to ask in each unit with a declared population, beside how many answered.

    Returns `unit, population`; `yamane`, as teams compute it; `share`, for a share to ± `error` at the plan's level
    in a simple random sample; `corrected`, with the design effect of clusters and weights as the first primary
    outcome shows it; `before, after`, who answered it. No rows for records.
    """
    survey, indicator = _surveyed(sample, study), study.plan.primary[0]
    if survey is None:
        return pd.DataFrame(columns=SIZES)
    level, effect = study.plan.confidence_level, observed_design_effect(survey)
    period = sample.scores["wave"].map(sample.design.periods)
    answered = sample.scores[sample.scores[indicator].notna()].groupby(["unit", period]).size()
    rows = []
    for unit in study.declared.units:
        if unit.population:
            share, corrected = (
                sample_size_share(unit.population, error, level=level, design_effect=one) for one in (1.0, effect)
            )
            counts = [int(answered.get((unit.code, one), 0)) for one in ("before", "after")]
            rows.append((unit.code, unit.population, yamane(unit.population, error), share, corrected, *counts))
    return pd.DataFrame(rows, columns=SIZES)


def costs(study: Study, units: int, *, years: float = 1, interviews: int = 0) -> pd.DataFrame:
    """What the declared `[[costs]]` come to for so many units: `planning.replication_cost`; no rows without them."""
    if not study.declared.costs:
        return pd.DataFrame(columns=["item", "per", "quantity", "unit_cost", "cost"])
    declared = [
        {"item": cost.item.en, "per": cost.per, "amount": cost.amount, "unit_cost": cost.unit_cost}
        for cost in study.declared.costs
    ]
    return replication_cost(pd.DataFrame(declared), units, years=years, interviews=interviews)


def asked(survey: Survey) -> int:
    """How many respondents a unit and wave had, as a whole number."""
    return round(survey.respondents)


def observed_design_effect(survey: Survey) -> float:
    """The design effect of clusters and weights in a survey."""
    clustered = design_effect(survey.respondents / survey.clusters, survey.icc) if survey.clusters else 1.0
    return clustered * survey.weighting_effect


def _surveyed(sample: Sample, study: Study) -> Survey | None:
    """The survey of the first primary outcome; records are none."""
    return None if study.declared.study.row == "record" else observed(sample, study.plan.primary[0])


def _test(study: Study) -> dict[str, Any]:
    """The level, and the p-value that the plan fixed, as options of `planning`."""
    return {"level": study.plan.confidence_level, "placebo": study.plan.unit_test == "placebo"}


def _scenarios(effects: pd.DataFrame, study: Study) -> list[tuple[str, float | None]]:
    """Claims with their shock sd: of these people; of units with shocks as estimated, or as large as they may be."""
    rows = select(effects, indicator=study.plan.primary[0], estimand="shock sd")
    shocks = rows[["estimate", "conf_high"]].to_numpy(dtype=float).ravel()
    known = [float(sd) for sd in (shocks if len(shocks) and shocks[0] == 0 else shocks[:1]) if np.isfinite(sd)]
    return [("people", None), *(("units", sd) for sd in known)]


def _room(effects: pd.DataFrame, study: Study) -> float:
    """How far the first primary outcome of the pilots, or of all, can rise: infinitely in a unit of its own."""
    indicator = study.plan.primary[0]
    if study.index[indicator].aggregate == "value":
        return np.inf
    levels = select(effects, indicator=indicator, estimand="level", contrast="before").set_index("group")["estimate"]
    return 100 - float(levels["pilot" if "pilot" in levels else "all"])


def _unit(effects: pd.DataFrame, study: Study) -> str:
    """The unit of a change of the first primary outcome."""
    return str(select(effects, indicator=study.plan.primary[0], estimand="change")["unit"].iloc[0])
