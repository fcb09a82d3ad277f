"""Before a pilot: what a design can show, how many people, clusters and units it takes, and what replication costs.

Changes, standard deviations and shocks are in points of 0-100; for a share of p percent the standard deviation of
one person is √(p·(100 − p)) percentage points.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from scipy import special, stats

EVERYBODY = 10**10  # more than there are people: what so many cannot show, no number can


@dataclass(frozen=True)
class Survey:
    """The survey of one unit, the same in every unit and in both waves.

    respondents: people asked in a unit and wave (`math.inf`: the limit). sd: of one person's score within a unit,
    points. clusters: villages they are drawn from, None where they are drawn from the whole unit. icc: share of sd²
    that lies between clusters. cluster_correlation: of a cluster's level in both waves, None where the waves visit
    different clusters. overlap: share of the respondents asked in both waves. person_correlation: between the two
    answers of one of them, within the cluster. weighting_effect: 1 + cv² of the weights (Kish 1965).

    Raises ValueError for a number outside its range, fewer respondents than clusters, an icc without clusters, and
    respondents asked twice in clusters visited once.
    """

    respondents: float
    sd: float
    clusters: int | None = None
    icc: float = 0.0
    cluster_correlation: float | None = 0.0
    overlap: float = 0.0
    person_correlation: float = 0.0
    weighting_effect: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no survey can be."""
        for name in ("icc", "overlap", "person_correlation"):
            _require(name, getattr(self, name), 0, 1)
        _require("cluster_correlation", self.cluster_correlation or 0.0, 0, 1)
        _require("sd", self.sd, 0)
        _require("weighting_effect", self.weighting_effect, 1)
        _require("clusters", 1 if self.clusters is None else self.clusters, 1)
        _require("respondents", self.respondents, self.clusters or 1)
        if self.clusters is None and self.icc > 0:
            raise ValueError(f"icc is {self.icc} without clusters")
        if self.cluster_correlation is None and self.overlap > 0:
            raise ValueError(f"overlap is {self.overlap} where the waves visit different clusters")


@dataclass(frozen=True)
class Detectable:
    """What a design can show: `change`, the minimum detectable change, and what it follows from.

    `std_error` (points) and `df` are those of the estimate. `floor` is the minimum detectable change with
    infinitely many respondents in the same clusters and units: below it no number of respondents helps. `change`
    and `floor` are infinite where the design calls no change one, however great.
    """

    change: float
    std_error: float
    df: float
    floor: float


def minimum_detectable_change(
    survey: Survey,
    pilots: int,
    comparisons: int = 0,
    *,
    shock_sd: float | None = None,
    power: float = 0.80,
    level: float = 0.95,
    placebo: bool = True,
) -> Detectable:
    """The least true change that the two-sided t test of 1 − `level` finds, on its right side, with this power.

    pilots, comparisons: number of units; without comparison units the mean change of the pilots, else its difference
    to theirs, each unit counted once. shock_sd None: the change of these people; variance
    2·sd²·[icc·(1 − ρ_cluster)/clusters + (1 − icc)·weighting_effect·(1 − overlap·ρ_person)/respondents] a unit
    (Teerenstra et al. 2012, Statistics in Medicine 31(20)), df as `estimation.domain_means` has them, Satterthwaite's
    between unequal arms. shock_sd a number: the change of units like these; it is the standard deviation, points, of
    what strikes a whole unit in one wave, adds 2·shock_sd² a unit, and the units give the df, as in
    `units.compare_units`. There a
    difference counts only where the placebo comparison can reach 1 − level, unless not `placebo`: with two pilots not
    before seven units. Where it hardly can, the sentence that needs both has less power than the t test: .72 for two
    pilots of eight units, .63 for four of eight. Power is that of the noncentral t distribution (Cohen 1988,
    Statistical Power Analysis, ch. 2).

    Raises ValueError for less than one pilot, negative comparisons or shock_sd, a level or power outside (0, 1) and a
    power that is not above 1 − level.

    >>> survey = Survey(respondents=120, sd=20, clusters=6, icc=0.05)
    >>> people = minimum_detectable_change(survey, pilots=2, comparisons=6)
    >>> units = minimum_detectable_change(survey, pilots=2, comparisons=6, shock_sd=4)
    >>> round(people.change, 1), round(units.change, 1), round(units.floor, 1)
    (8.7, 18.4, 17.1)
    """
    _require("pilots", pilots, 1)
    _require("comparisons", comparisons, 0)
    _require("shock_sd", shock_sd or 0.0, 0)
    _require_share("level", level)
    if not 1 - level < power < 1:
        raise ValueError(f"power is {power}, not between 1 − level and 1")
    floor, *_ = _change(replace(survey, respondents=math.inf), pilots, comparisons, shock_sd, power, level, placebo)
    return Detectable(*_change(survey, pilots, comparisons, shock_sd, power, level, placebo), floor=floor)


def respondents_needed(target: float, survey: Survey, pilots: int, comparisons: int = 0, **options: Any) -> float:
    """The fewest respondents a unit and wave, in as many clusters as `survey` has, whose change is at most `target`.

    target: points, above 0; the others, and options, as in `minimum_detectable_change`. Returns a whole number, or
    `math.inf` where no number is enough. Raises ValueError as there, and for a target that is not above 0.

    >>> survey = Survey(respondents=120, sd=20, clusters=6, icc=0.05)
    >>> respondents_needed(9, survey, 2, 6), respondents_needed(9, survey, 2, 6, shock_sd=4)
    (108, inf)
    """

    def change(respondents: int) -> float:
        size = replace(survey, respondents=respondents)
        return minimum_detectable_change(size, pilots, comparisons, **options).change

    return _fewest(change, target, survey.clusters or 1)


def clusters_needed(target: float, survey: Survey, pilots: int, comparisons: int = 0, **options: Any) -> float:
    """The fewest clusters a unit, with as many people in each as `survey` has, whose change is at most `target`.

    Arguments, result and errors as in `respondents_needed`; ValueError for a survey without clusters.

    >>> clusters_needed(7, Survey(respondents=120, sd=20, clusters=6, icc=0.05), 2, 6)
    9
    """
    if survey.clusters is None:
        raise ValueError("clusters is None: the survey has none")
    people = survey.respondents / survey.clusters

    def change(clusters: int) -> float:
        size = replace(survey, clusters=clusters, respondents=people * clusters)
        return minimum_detectable_change(size, pilots, comparisons, **options).change

    return _fewest(change, target)


def comparisons_needed(target: float, survey: Survey, pilots: int, **options: Any) -> float:
    """The fewest comparison units beside these pilots whose detectable difference is at most `target`.

    Arguments and errors as in `respondents_needed`. Returns `math.inf` where a thousand are not enough. Beside few
    pilots with few clusters, more units may also cost degrees of freedom: the first number that is enough counts.

    >>> survey = Survey(respondents=120, sd=20, clusters=6, icc=0.05)
    >>> comparisons_needed(18, survey, 2, shock_sd=4), comparisons_needed(10, survey, 2, shock_sd=4)
    (7, inf)
    """
    _require_target(target)
    changes = (
        (units, minimum_detectable_change(survey, pilots, units, **options).change) for units in range(1, 1001)
    )
    return next((units for units, change in changes if change <= target), math.inf)


def pilots_needed(target: float, survey: Survey, comparisons_per_pilot: int = 1, **options: Any) -> float:
    """The fewest pilot units, each with so many comparison units (0: none), whose change is at most `target`.

    Arguments, result and errors as in `respondents_needed`.

    >>> pilots_needed(10, Survey(respondents=120, sd=20, clusters=6, icc=0.05), shock_sd=4)
    9
    """

    def change(units: int) -> float:
        others = comparisons_per_pilot * units
        return minimum_detectable_change(survey, units, others, **options).change

    return _fewest(change, target)


def yamane(population: int, error: float = 0.05) -> int:
    """Yamane's sample size n = N/(1 + N·e²), rounded up, as survey teams use it.

    population: N people. error: e, half the width of the interval, as a share. It holds for a share near one half in
    a simple random sample at two standard errors, and for nothing else: see `sample_size_share` (Yamane 1967,
    Statistics: An Introductory Analysis, 2nd ed., p. 886). Raises ValueError for a population below 1 and an error
    outside (0, 1).

    >>> yamane(2000), yamane(10_000)
    (334, 385)
    """
    _require("population", population, 1)
    _require_share("error", error)
    return _round_up(population / (1 + population * error**2))


def sample_size_share(
    population: float, error: float = 0.05, *, level: float = 0.95, share: float = 0.5, design_effect: float = 1.0
) -> int:
    """Sample size that estimates a share to ± `error` in a population of this size, rounded up.

    population: N people, or `math.inf`. error, share: as shares, so 0.05 is 5 percentage points. design_effect: of
    clusters and weights, against a simple random sample of the same size without replacement. n solves
    e² = z²·design_effect·p·(1 − p)/n·(N − n)/(N − 1), which is Cochran's n₀/(1 + (n₀ − 1)/N) (1977, Sampling
    Techniques, §4.4) with n₀ = z²·design_effect·p·(1 − p)/e². Raises ValueError for a population below 1, a design
    effect that is not above 0, and an error, level or share outside (0, 1).

    >>> sample_size_share(10_000), sample_size_share(10_000, design_effect=design_effect(20, 0.05))
    (370, 697)
    """
    _require("population", population, 1)
    for name, value in (("error", error), ("level", level), ("share", share)):
        _require_share(name, value)
    if not 0 < design_effect < math.inf:
        raise ValueError(f"design_effect is {design_effect}, not above 0")
    large = stats.norm.isf((1 - level) / 2) ** 2 * design_effect * share * (1 - share) / error**2
    return _round_up(large / (1 + (large - 1) / population))


def design_effect(cluster_size: float, icc: float, *, cluster_cv: float = 0.0) -> float:
    """How many times the variance of a simple random sample a clustered one has: 1 + ((1 + cv²)·m − 1)·icc.

    cluster_size: mean number of respondents m in a cluster. icc: intracluster correlation. cluster_cv: coefficient of
    variation of the cluster sizes (Kish 1965, Survey Sampling, §5.4; Eldridge, Ashby & Kerry 2006, International
    Journal of Epidemiology 35(5)). Raises ValueError for a size below 1, an icc outside [0, 1] or a negative cv.

    >>> round(design_effect(20, 0.05), 2)
    1.95
    """
    _require("cluster_size", cluster_size, 1)
    _require("icc", icc, 0, 1)
    _require("cluster_cv", cluster_cv, 0)
    return 1 + ((1 + cluster_cv**2) * cluster_size - 1) * icc


def replication_cost(costs: pd.DataFrame, units: int, *, years: float = 1, interviews: int = 0) -> pd.DataFrame:
    """What it costs to carry a pilot over to more units, from declared unit costs.

    costs: one row an item with `item`, `per` ("once", "unit", "unit_year" or "interview"), `amount`, how many are
    needed each time, and `unit_cost`, in one currency. units: to carry over to. years: of running costs. interviews:
    in a unit, all waves together. Returns one row an item: `item, per, quantity, unit_cost, cost`; the sum of `cost`
    is the total. Raises ValueError for a column or cost that is missing, a negative number and an unknown `per`.

    >>> costs = pd.DataFrame(
    ...     [["training class", "once", 2, 30], ["counter", "unit", 3, 20], ["assistant", "unit_year", 0.5, 80]],
    ...     columns=["item", "per", "amount", "unit_cost"],
    ... )
    >>> replication_cost(costs, units=8, years=2)["cost"].tolist()
    [60.0, 480.0, 640.0]
    """
    _require("units", units, 1)
    _require("years", years, 0)
    _require("interviews", interviews, 0)
    absent = [name for name in ("item", "per", "amount", "unit_cost") if name not in costs]
    if absent:
        raise ValueError(f"costs has no column {', '.join(absent)}")
    times = {"once": 1, "unit": units, "unit_year": units * years, "interview": units * interviews}
    for row in costs.to_dict("records"):
        if row["per"] not in times:
            raise ValueError(f"{row['item']}: per is {row['per']!r}, not one of {', '.join(times)}")
        for name in ("amount", "unit_cost"):
            _require(f"{row['item']}: {name}", row[name], 0)
    result = costs[["item", "per"]].copy()
    result["quantity"] = costs["amount"].astype(float) * costs["per"].map(times)
    result["unit_cost"] = costs["unit_cost"].astype(float)
    return result.assign(cost=result["quantity"] * result["unit_cost"])


def _change(
    survey: Survey, pilots: int, comparisons: int, shock_sd: float | None, power: float, level: float, placebo: bool
) -> tuple[float, float, float]:
    """Minimum detectable change, standard error and df."""
    arms = [1 / size for size in (pilots, comparisons) if size]
    between = 0.0 if survey.clusters is None else survey.icc / survey.clusters
    within = (1 - survey.icc) * survey.weighting_effect / survey.respondents
    between *= 1 - (survey.cluster_correlation or 0.0)
    within *= 1 - survey.overlap * survey.person_correlation
    variance = 2 * survey.sd**2 * (between + within)
    if shock_sd is None:
        df = _unit_df(survey) * sum(arms) ** 2 / sum(arm**3 for arm in arms)
        called = True
    else:
        variance += 2 * shock_sd**2
        df = float(pilots + comparisons - len(arms))
        smallest = (2 if pilots == comparisons else 1) / special.comb(pilots + comparisons, pilots)
        called = not placebo or not comparisons or smallest <= 1 - level + 1e-12
    std_error = math.sqrt(variance * sum(arms))
    if df <= 0 or not called:
        return math.inf, std_error, df
    noncentrality = special.nctdtrinc(df, 1 - power, stats.t.isf((1 - level) / 2, df))
    return float(noncentrality) * std_error, std_error, df


def _unit_df(survey: Survey) -> float:
    """Clusters of a unit less one, or respondents; those of both waves, each counted once."""
    if survey.clusters is None:
        first, both = survey.respondents, survey.respondents * (2 - survey.overlap)
    else:
        first = survey.clusters
        both = first * (2 if survey.cluster_correlation is None else 1)
    return both - 1 if first >= 2 else 0.0


def _fewest(change: Callable[[int], float], target: float, least: int = 1) -> float:
    """The smallest number from `least` on whose detectable change is at most `target`; infinite where none is."""
    _require_target(target)
    numbers = range(least, EVERYBODY + 1)
    found = bisect_left(numbers, True, key=lambda number: change(number) <= target)
    return numbers[found] if found < len(numbers) else math.inf


def _require_target(target: float) -> None:
    if not 0 < target < math.inf:
        raise ValueError(f"target is {target}, not above 0")


def _require(name: str, value: float, low: float, high: float = math.inf) -> None:
    if not low <= value <= high:  # NaN too
        wanted = f"{low} or more" if high == math.inf else f"in [{low}, {high}]"
        raise ValueError(f"{name} is {value}, not {wanted}")


def _require_share(name: str, value: float) -> None:
    if not 0 < value < 1:
        raise ValueError(f"{name} is {value}, not between 0 and 1")


def _round_up(number: float) -> int:
    return math.ceil(round(number, 9))  # a last digit of floating point is no person
