"""Pilots with known truth: for `data/nga-bay`, for the tests, and for a course with a seed for each student.

Each answer is a latent normal value, rounded and clipped to the codes 1 to 5:
unit baseline - item difficulty + trend + effect + unit-by-wave shock + village + person + noise.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]

ARMS = ("pilot", "comparison")
WAVES = ("before", "after")
REFUSED, DONT_KNOW = 98, 99
CUTS = np.array([1.5, 2.5, 3.5, 4.5])  # between the codes 1|2, 2|3, 3|4 and 4|5


@dataclass(frozen=True)
class UnitModel:
    """One commune: its code, its arm ('pilot' or 'comparison') and its latent level before the pilot."""

    code: str
    arm: str
    baseline: float


@dataclass(frozen=True)
class GroupModel:
    """The items of one indicator: `effect` raises the latent value, `difficulty` (one an item) lowers it."""

    code: str
    items: tuple[str, ...]
    effect: float = 0.0
    difficulty: tuple[float, ...] = ()


@dataclass(frozen=True)
class PilotModel:
    """All parameters of a simulated pilot: two waves, two arms, items on a scale from 1 to 5.

    Baselines, difficulties, effects, the trend and the standard deviations (`*_sd`) are on the latent
    scale, where 1 is one answer category, at most 25 points of 100. Rates and shares lie between 0 and 1;
    ranges include both ends. A shock strikes one unit in one wave in one group of items; village and person
    effects strike all items alike and persist over the waves. `panel_share` is a share of the unit's
    smaller wave.

    Raises ValueError for an arm without a unit, an unknown arm, a unit, group or item named twice, and a wrong number
    of difficulties.
    """

    units: tuple[UnitModel, ...]
    groups: tuple[GroupModel, ...]
    trend: float = 0.06
    shock_sd: float = 0.08
    village_sd: float = 0.15
    person_sd: float = 0.55
    noise_sd: float = 0.75
    respondents: tuple[int, int] = (120, 150)
    villages: tuple[int, int] = (6, 8)
    panel_share: float = 0.40
    dont_know_rate: float = 0.02
    refused_rate: float = 0.005
    blank_rate: float = 0.01
    ages: tuple[int, int] = (18, 79)
    education_shares: tuple[float, ...] = (0.30, 0.31, 0.22, 0.10, 0.07)
    onestop_share: float = 0.60
    waiting_median: float = 25.0  # minutes
    waiting_log_sd: float = 0.5

    def __post_init__(self) -> None:
        """Refuse a model without a comparison, or with ambiguous names."""
        arms = {unit.arm for unit in self.units}
        if arms != set(ARMS):
            raise ValueError(f"units: the arms are {sorted(arms)}; give at least one unit to each of {ARMS}")
        names = {
            "unit": [unit.code for unit in self.units],
            "group": [group.code for group in self.groups],
            "item": [item for group in self.groups for item in group.items],
        }
        for what, values in names.items():
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise ValueError(f"{what} {', '.join(twice)}: named more than once; names must differ")
        for group in self.groups:
            if group.difficulty and len(group.difficulty) != len(group.items):
                got = f"{len(group.difficulty)} difficulties for {len(group.items)} items"
                raise ValueError(f"group {group.code}: {got}; give one an item, or none")


@dataclass(frozen=True)
class Pilot:
    """A simulated pilot.

    answers: one row an interview: `wave` ('before' or 'after'), `unit`, `village` (1, 2, ... within the unit),
    `respondent` (the same in both waves for the panel), `age` (years), `sex` (1, 2), `education` (1, 2, ...),
    `used_onestop` (0, 1), `waiting` (minutes, NaN where the one-stop was not used), then one column an item: 1 to 5,
    98 refused, 99 don't know, NaN blank.
    truth: one row an indicator, in points of 0-100, every unit counted once in its arm: `indicator`; `effect`, what
    the pilot adds in the pilot units, without shocks; `structural`, the difference-in-differences without shocks;
    `realised`, the same with the shocks drawn; `pilot_change` and `comparison_change`, whose difference it is. Equal
    latent trends from unequal baselines are unequal on a bounded scale: `structural` may differ slightly from
    `effect`.
    unit_truth: one row an indicator and unit, with the shocks drawn: `indicator`, `unit`, `arm`, `before`, `after`
    (scores, 0-100) and `change` (points).
    """

    answers: pd.DataFrame
    truth: pd.DataFrame
    unit_truth: pd.DataFrame


def expected_score(mean: npt.ArrayLike, sd: float) -> Floats:
    """Mean score of the answers clip(round(x), 1, 5) where x is normal, in closed form.

    An answer is 1 plus the number of cuts 1.5, ..., 4.5 below x; its mean is 1 plus their probabilities. mean: latent
    means, any shape. sd: latent standard deviation, above 0. Returns 25 * (mean answer - 1), in points of 0-100, of
    the shape of `mean`.

    >>> expected_score([1, 3, 3.5], sd=0.9).round(1).tolist()
    [8.5, 50.0, 62.2]
    """
    return 25 * ndtr((np.asarray(mean)[..., None] - CUTS) / sd).sum(axis=-1)


def simulate_pilot(model: PilotModel, *, seed: int) -> Pilot:
    """Draw the interviews of both waves, and compute what a perfect survey would have found.

    Villages, persons and noise are integrated out of the truth. Rows come wave by wave, unit by unit. The same model
    and seed give the same pilot.

    >>> model = PilotModel(
    ...     units=(UnitModel("P", "pilot", 3.4), UnitModel("C", "comparison", 3.4)),
    ...     groups=(GroupModel("service", ("q1", "q2"), effect=0.3), GroupModel("care", ("q3",))),
    ...     shock_sd=0.02,
    ... )
    >>> pilot = simulate_pilot(model, seed=1)
    >>> pilot.truth[["indicator", "effect", "structural", "realised"]].round(1)
      indicator  effect  structural  realised
    0   service     7.0         7.0       7.7
    1      care     0.0         0.0      -1.1
    >>> pilot.answers.groupby(["wave", "unit"], sort=False).size().tolist()
    [139, 143, 137, 122]
    """
    rng = np.random.default_rng(seed)
    sizes = [len(group.items) for group in model.groups]
    shocks = rng.normal(0, model.shock_sd, (len(model.units), len(WAVES), len(model.groups)))
    structural = _latent_means(model, treated=True)
    realised = structural + shocks.repeat(sizes, axis=-1)

    frames = [_interviews(model, unit, latent, rng) for unit, latent in zip(model.units, realised, strict=True)]
    answers = pd.concat([frame for wave in zip(*frames, strict=True) for frame in wave], ignore_index=True)

    in_pilot = np.array([unit.arm == "pilot" for unit in model.units])
    without, with_effect, scores = (
        _indicators(model, latent) for latent in (_latent_means(model, treated=False), structural, realised)
    )
    change = scores[:, 1] - scores[:, 0]
    pilot_change, comparison_change = change[in_pilot].mean(axis=0), change[~in_pilot].mean(axis=0)
    parallel = with_effect[:, 1] - with_effect[:, 0]
    codes = [group.code for group in model.groups]
    truth = pd.DataFrame(
        {
            "indicator": codes,
            "effect": (with_effect - without)[in_pilot, 1].mean(axis=0),
            "structural": parallel[in_pilot].mean(axis=0) - parallel[~in_pilot].mean(axis=0),
            "realised": pilot_change - comparison_change,
            "pilot_change": pilot_change,
            "comparison_change": comparison_change,
        }
    )
    unit_truth = pd.DataFrame(
        {
            "indicator": np.repeat(codes, len(model.units)),
            "unit": [unit.code for unit in model.units] * len(codes),
            "arm": [unit.arm for unit in model.units] * len(codes),
            "before": scores[:, 0].T.ravel(),
            "after": scores[:, 1].T.ravel(),
            "change": change.T.ravel(),
        }
    )
    return Pilot(answers=answers, truth=truth, unit_truth=unit_truth)


def _latent_means(model: PilotModel, *, treated: bool) -> Floats:
    """Latent means by unit, wave and item, without shocks."""
    sizes = [len(group.items) for group in model.groups]
    difficulty = np.concatenate([group.difficulty or np.zeros(len(group.items)) for group in model.groups])
    effect = np.repeat([group.effect for group in model.groups], sizes)
    gets_effect = np.array([treated and unit.arm == "pilot" for unit in model.units])
    before = np.array([[unit.baseline] for unit in model.units]) - difficulty
    return np.stack([before, before + model.trend + np.outer(gets_effect, effect)], axis=1)


def _indicators(model: PilotModel, latent: Floats) -> Floats:
    """Expected scores by unit, wave and indicator: the mean over the items of the group."""
    sizes = np.array([len(group.items) for group in model.groups])
    total_sd = np.sqrt(model.village_sd**2 + model.person_sd**2 + model.noise_sd**2)
    starts = np.cumsum(sizes) - sizes
    return np.add.reduceat(expected_score(latent, total_sd), starts, axis=-1) / sizes


def _interviews(
    model: PilotModel, unit: UnitModel, latent: Floats, rng: np.random.Generator
) -> tuple[pd.DataFrame, ...]:
    """The unit's interviews, one frame a wave; `latent` holds its means by wave and item."""
    n_before, n_after = rng.integers(*model.respondents, size=2, endpoint=True)
    n = n_before + n_after - round(model.panel_share * min(n_before, n_after))
    village_effect = rng.normal(0, model.village_sd, rng.integers(*model.villages, endpoint=True))
    village = rng.integers(len(village_effect), size=n)
    level = village_effect[village] + rng.normal(0, model.person_sd, n)
    persons = pd.DataFrame(
        {
            "unit": unit.code,
            "village": village + 1,
            "respondent": [f"{unit.code}-{number:03d}" for number in rng.permutation(n) + 1],
            "age": rng.integers(*model.ages, size=n, endpoint=True),
            "sex": rng.integers(1, 2, size=n, endpoint=True),
            "education": rng.choice(len(model.education_shares), size=n, p=model.education_shares) + 1,
        }
    )
    items = [item for group in model.groups for item in group.items]
    missing_up_to = np.cumsum([model.dont_know_rate, model.refused_rate, model.blank_rate])
    waves = []
    # The first n_before persons answer before, the last n_after after: those in the middle are the panel.
    for w, asked in enumerate((slice(0, n_before), slice(n - n_after, n))):
        frame = persons[asked].reset_index(drop=True)
        frame.insert(0, "wave", WAVES[w])
        frame["age"] += w
        frame["used_onestop"] = (rng.random(len(frame)) < model.onestop_share).astype(int)
        minutes = rng.lognormal(np.log(model.waiting_median), model.waiting_log_sd, len(frame))
        frame["waiting"] = np.where(frame["used_onestop"] == 1, np.rint(2 * minutes) / 2, np.nan)
        noise = rng.normal(0, model.noise_sd, (len(frame), len(items)))
        codes = np.clip(np.rint(latent[w] + level[asked, None] + noise), 1, 5)
        kind = np.searchsorted(missing_up_to, rng.random(codes.shape), side="right")
        codes = np.choose(kind, [DONT_KNOW, REFUSED, np.nan, codes])
        waves.append(pd.concat([frame, pd.DataFrame(codes, columns=items)], axis=1))
    return tuple(waves)
