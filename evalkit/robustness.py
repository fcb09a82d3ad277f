"""The primary result under every reasonable way to clean, weight, score and compare: does it hang on one of them?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from evalkit.calibration import Calibration
from evalkit.cleaning import Survey, replay
from evalkit.comparison import raked
from evalkit.effects import make_effects, with_intervals
from evalkit.estimation import Contrasts, domain_means
from evalkit.indicators import scale_ends, score
from evalkit.licence import compares, items_of
from evalkit.ordinal import superiority
from evalkit.sample import ARMS, Sample, contrasts
from evalkit.screening import FORM_RULES, flagged, screen
from evalkit.study import PERIODS, Study
from evalkit.unit_effects import concluded
from evalkit.units import compare_units

SPECIFICATION = "specification"
EVERY = slice(None)


@dataclass(frozen=True)
class Way:
    """One way to analyse: which forms, what a don't-know is worth, who counts how much, the scale, and the test."""

    data: str
    dont_know: str
    weighting: str
    scoring: str
    estimator: str

    @property
    def words(self) -> str:
        """The way as the contrast of its effect."""
        return "|".join((self.data, self.dont_know, self.weighting, self.scoring))


def specifications(survey: Survey, study: Study) -> pd.DataFrame:
    """Effects: the result on the first primary outcome in every way of `Way`, the planned one first.

    data: `cleaned`; `uncorrected` (neither a decision of corrections.csv nor a rule of the codebook), `unruled` (the
    decisions only); `unflagged` (without any form that screening flags); `complete` (every item answered).
    dont_know: `missing` or `middle` of the scale. weighting: `units` or `people` count once, or `raked`. scoring:
    `mean` (or the native value), `share` of scores above the middle of the scale, `ordinal` (twice the superiority
    less one, in percent). estimator: `people` (linearised) or `units` (t). Estimand `specification`; the last rows
    count them and those that agree with the first, see `agreeing`, all and by estimator. Zero rows where the planned
    analysis gives no interval.

        found = ek.robustness.specifications(survey, study)
    """
    rows: list[dict[str, Any]] = []
    name, frames = study.plan.primary[0], {}
    suspicious = _flagged(survey, study)
    ways = list(_ways(survey, study, suspicious))
    for way in ways:
        if (way.data, way.dont_know) not in frames:
            sample = _sample(survey, study, way, suspicious)
            frames[way.data, way.dont_know] = sample, _calibration(sample)
        sample, calibration = frames[way.data, way.dont_know]
        found = _result(sample, way, calibration)
        if found is not None:
            group = concluded(sample)[0]
            unit = sample.row(name, group, "change", "")["unit"]
            words = {"indicator": name, "group": group, "estimand": SPECIFICATION, "contrast": way.words}
            unit = unit if way.scoring == "mean" else "percentage points"
            answered = (
                sample.scores.loc[sample.scores[name].notna(), "wave"].map(sample.design.periods).value_counts()
            )
            n = {f"n_{period}": int(answered.get(period, 0)) for period in PERIODS}
            rows.append(words | {"method": way.estimator, "unit": unit} | n | found)
    # Ways that give the very same numbers are one way.
    effects = make_effects(rows)
    same = effects[["estimate", "std_error", "df"]].round(9).duplicated()
    effects = with_intervals(effects[~same].reset_index(drop=True), study.plan.confidence_level)
    if effects.empty or effects.loc[0, "contrast"] != ways[0].words:
        return make_effects([])
    words |= {"method": "specification curve", "unit": "count"}
    agree, counts = agreeing(effects), []
    for kind in ("all", *sorted(set(effects["method"]))):
        part = agree[(effects["method"] == kind) | (kind == "all")]
        shared = words | {"contrast": kind}
        counts.append(shared | {"estimand": "specifications", "estimate": len(part)})
        counts.append(shared | {"estimand": "specifications agreeing", "estimate": part.sum()})
    return pd.concat([effects, make_effects(counts)], ignore_index=True)


def agreeing(ways: pd.DataFrame) -> pd.Series:
    """Which ways agree with the first: an interval on the same side of zero, or one that includes it too."""
    side = (ways["conf_low"] > 0).astype(int) - (ways["conf_high"] < 0).astype(int)
    return side == side.iloc[0]


def choices(ways: pd.DataFrame) -> pd.DataFrame:
    """The choices of each way, one column a dimension of `Way`."""
    names = [one.name for one in fields(Way)]
    return ways["contrast"].str.split("|", expand=True).assign(estimator=ways["method"]).set_axis(names, axis=1)


def shared_choices(found: pd.DataFrame) -> list[tuple[str, str]]:
    """What all ways that disagree have in common, and others have not: dimension and choice."""
    ways = found[found["estimand"] == SPECIFICATION]
    apart = choices(ways)[~agreeing(ways)]
    every = choices(ways)
    return [(name, apart[name].iloc[0]) for name in apart if apart[name].nunique() == 1 and every[name].nunique() > 1]


def _ways(survey: Survey, study: Study, suspicious: set[str]) -> Iterator[Way]:
    """All ways that differ on this study, the planned one first."""
    node, items = study.index[study.plan.primary[0]], items_of(study, study.plan.primary[0])
    compared = compares(study)
    first = "units" if any(study.design.arms.values()) else "people"
    kinds = survey.missing[survey.missing["variable"].isin(items)]["kind"]
    data = ["cleaned", *(["uncorrected"] if len(survey.log) else [])]
    data += ["unruled"] if 0 < _by_rules(survey).sum() < len(survey.log) else []
    data += ["unflagged"] if suspicious else []
    data += ["complete"] if study.declared.study.row == "questionnaire" else []
    unsure = ["missing", *(["middle"] if node.aggregate == "mean" and (kinds == "dont_know").any() else [])]
    weighting = [first, "people" if first == "units" else "units", *(["raked"] if study.design.composition else [])]
    weighting = weighting if study.declared.study.row == "questionnaire" else [first]
    scoring = ["mean", "share", "ordinal"] if node.aggregate == "mean" else ["mean"]
    estimator = ["units", "people"] if compared else ["people"]
    for way in product(estimator, data, unsure, weighting, scoring):
        if way[0] == "people" or way[3] != "people":
            yield Way(*way[1:], way[0])


def _by_rules(survey: Survey) -> pd.Series:
    """Which changes of the log the codebook's rules made."""
    return survey.log["rule"].str.startswith("codebook.csv")


def _flagged(survey: Survey, study: Study) -> set[str]:
    """The forms with any flag of screening."""
    if study.declared.study.row != "questionnaire":
        return set()
    return flagged(screen(survey.responses, study, missing=survey.missing), rules=FORM_RULES)


def _sample(survey: Survey, study: Study, way: Way, suspicious: set[str]) -> Sample:
    """The scores of the primary outcome in one way to clean."""
    name = study.plan.primary[0]
    frame = survey.responses
    if way.data == "uncorrected":
        coded = survey.coded
        drawn = coded[["unit", "cluster", "stratum"]].notna().all(axis=1) & (coded["weight"] > 0)
        frame = coded[drawn].reset_index(drop=True)
    if way.data == "unruled":
        frame = replay(survey.coded, survey.log[~_by_rules(survey)])
    if way.data == "unflagged":
        frame = frame[~frame["row_id"].isin(suspicious)].reset_index(drop=True)
    if way.dont_know == "middle":
        frame = frame.copy()
        unsure = survey.missing[survey.missing["kind"] == "dont_know"]
        for item in items_of(study, name):
            rows = frame["row_id"].isin(unsure.loc[unsure["variable"] == item, "row_id"])
            frame.loc[rows, item] = sum(scale_ends(study.codebook[item].scale)) / 2
    if way.data == "complete":
        planned = sorted({item for code in study.plan.outcomes for item in items_of(study, code)})
        frame = frame.dropna(subset=planned).reset_index(drop=True)
    needed = _below(study, name)
    scores = score(frame, {code: study.index[code] for code in study.index if code in needed}, study.codebook,
                   keep=study.design.composition)  # fmt: skip
    return Sample(scores, study.design, {name: study.index[name]})


def _calibration(sample: Sample) -> Calibration | None:
    try:
        return raked(sample) if sample.describes else None
    except ValueError:
        return None


def _below(study: Study, code: str) -> set[str]:
    """An indicator and all that it is made of."""
    return {code}.union(*(_below(study, child) for child in study.index[code].children))


def _result(sample: Sample, way: Way, calibration: Calibration | None) -> dict[str, Any] | None:
    """Estimate, standard error and df in one way; None where it cannot be made."""
    arms = {arm: units for arm, units in sample.groups.items() if arm in ARMS} or {"all": list(sample.design.arms)}
    arguments, domain = dict(sample.arguments), sample.domain()
    if way.weighting == "raked":
        if calibration is None:
            return None
        arguments |= calibration.arguments
    if way.weighting == "people":
        arm_of = {unit: arm for arm, units in arms.items() for unit in units}
        domain = (sample.scores["unit"].map(arm_of) + "|" + sample.scores["wave"]).to_numpy()
        arms = {arm: [arm] for arm in arms}
    values, sizes = sample.values, sample.sizes
    if not {label for units in arms.values() for label in sample.change(units)} <= set(domain):
        return None
    if way.scoring == "share":
        values = np.where(np.isnan(values), np.nan, 100.0 * (values > 50 + 1e-9))

    def superior(units: list[str], rows: slice | np.ndarray = EVERY, **design: Any) -> Contrasts:
        found = superiority(values[rows], domain[rows], *(sample.period(p, units) for p in PERIODS), **design)
        return replace(found, estimate=200 * found.estimate - 100, std_error=200 * found.std_error)

    if way.estimator == "units":
        units = [unit for arm in ARMS for unit in arms[arm]]
        if way.scoring == "ordinal":
            places = sample.scores["unit"].to_numpy()
            changes = [
                superior([unit], here, weight=arguments["weight"][here], single_cluster="unknown").estimate.item()
                for unit in units
                for here in [places == unit]
            ]
        else:
            means = domain_means(values, domain, size=sizes, **arguments)
            changes = contrasts(means, [sample.change([unit]) for unit in units]).estimate.ravel().tolist()
        if np.isnan(changes).any():
            return None
        found = compare_units(changes, [unit in arms["pilot"] for unit in units])
        if not found.std_error > 0:
            return None
        return {"estimate": found.estimate, "std_error": found.std_error, "df": found.df}
    if way.scoring == "ordinal":
        parts = [superior(units, **arguments) for units in arms.values()]
    else:
        means = domain_means(values, domain, size=sizes, **arguments)
        parts = [contrasts(means, [sample.change(units)]) for units in arms.values()]
    numbers = [(part.estimate.item(), part.std_error.item(), part.df.item()) for part in parts]
    estimate, std_error, df = numbers[0]
    if sample.design.compared:
        # The arms are other people in other strata; df by Satterthwaite.
        other, other_error, other_df = numbers[1]
        total = std_error**2 + other_error**2
        df = total**2 / (std_error**4 / df + other_error**4 / other_df) if total > 0 else df
        estimate, std_error = estimate - other, np.sqrt(total)
    return None if not std_error > 0 else {"estimate": estimate, "std_error": std_error, "df": df}
