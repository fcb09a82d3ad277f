"""Scores and design as the estimator wants them: domains, clusters, strata, coefficients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from evalkit.calibration import Calibration
from evalkit.estimation import Contrasts, DomainMeans, domain_means
from evalkit.study import ANSWERS, PERIODS, Design, Index

CHANGE = "after - before"
BETWEEN = "pilot - comparison"
DID = "(after - before) pilot - (after - before) comparison"
Coefficients = Mapping[str, float]
Row = dict[str, Any]  # of effects, by column


@dataclass(frozen=True)
class Sample:
    """Scores with their design: who stands in which domain, cluster and stratum.

    A domain is `unit|wave`, or `all|wave` where respondents are pooled. Units are strata, for clusters are drawn
    within each, unless they are the clusters themselves. Villages between which a respondent moved are one cluster.
    Where all villages of a unit were surveyed they are strata, and the respondents are the clusters.
    """

    scores: pd.DataFrame
    design: Design
    index: Index

    @cached_property
    def items(self) -> list[str]:
        """The indicators, in the order of the index."""
        return [code for code in self.index if code in self.scores]

    @property
    def describes(self) -> list[str]:
        """The variables that describe the respondents, as far as `score` kept them."""
        return [name for name in self.design.composition if name in self.scores]

    @cached_property
    def values(self) -> np.ndarray:
        """The scores (n, items)."""
        return self.scores[self.items].to_numpy(dtype=float)

    @cached_property
    def sizes(self) -> np.ndarray | None:
        """What pooled percentages are ratios to (n, items), ones for the others; None without such."""
        names = [code + ANSWERS for code in self.items]
        if not any(name in self.scores for name in names):
            return None
        return np.column_stack([self.scores.get(name, pd.Series(1.0, self.scores.index)) for name in names])

    @cached_property
    def weights(self) -> str:
        """The name of what rows are weighted by."""
        return "none" if (self.scores["weight"] == 1).all() else "weight"

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Every group as the units whose means it averages; `all` is pooled over respondents."""
        arms = {arm: [unit for unit, found in self.design.arms.items() if found == arm] for arm in ARMS}
        joint = {arm: units for arm, units in arms.items() if units} or {"all": ["all"]}
        return joint | {unit: [unit] for unit in self.design.arms}

    @property
    def joint_groups(self) -> dict[str, list[str]]:
        """The groups that are no single units: the arms, or all."""
        return {group: units for group, units in self.groups.items() if group not in self.design.arms}

    @cached_property
    def notes(self) -> dict[str, str]:
        """How each unit's clusters were taken, where more is declared of them: unit → message key."""
        frame = self.scores[["unit", "wave", "cluster"]].drop_duplicates()
        found = {}
        for unit, whole in self.design.clusters.items():
            seen = [set(part["cluster"]) for _, part in frame[frame["unit"] == unit].groupby("wave")]
            if not seen:
                continue
            if len(set.union(*seen)) > whole:
                found[unit] = "more_clusters_than_declared"
            elif any(names != seen[0] for names in seen):
                found[unit] = "fpc_other_clusters"
            elif len(seen[0]) < whole:
                found[unit] = "fpc_used" if self.design.whole_clusters else "fpc_not_whole"
            else:
                found[unit] = "census" if self.design.whole_clusters else "clusters_are_strata"
        return found

    @cached_property
    def _drawn(self) -> dict[str, np.ndarray]:
        """Cluster, stratum and population of every row."""
        scores, unit = self.scores, self.scores["unit"]
        cluster = unit + "|" + scores["cluster"]
        wandered = len(moved(scores)) > 0
        if wandered:
            cluster = _joined(cluster, unit + "|" + scores["respondent"])
        stratum = scores["stratum"].astype(str)
        if not self.design.units_are_clusters:
            stratum = unit + "|" + stratum
        if wandered:
            stratum = _joined(stratum, cluster)
        population = pd.Series(np.inf, scores.index)
        for name, note in self.notes.items():
            here = unit == name
            if note == "clusters_are_strata":
                person = scores.get("respondent", scores["row_id"]).fillna(scores["row_id"])
                stratum = stratum.where(~here, cluster)
                cluster = cluster.where(~here, unit + "|" + person)
            if note == "fpc_used":
                population = population.where(~here, self.design.clusters[name])
        return {"cluster": cluster.to_numpy(), "stratum": stratum.to_numpy(), "population": population.to_numpy()}

    @cached_property
    def arguments(self) -> dict[str, Any]:
        """What `estimation.domain_means` is told of the design."""
        single = self.design.single_cluster or "unknown"
        return {"weight": self.scores["weight"].to_numpy(), "single_cluster": single} | self._drawn

    def domain(self, *, pooled: bool = False) -> np.ndarray:
        """The domain of each row."""
        return (("all" if pooled else self.scores["unit"]) + ("|" + self.scores["wave"])).to_numpy()

    def means(
        self, values: np.ndarray | None = None, *, pooled: bool = False, calibration: Calibration | None = None
    ) -> DomainMeans:
        """Domain means of the scores, or of other values (n, k) of the same rows."""
        values, size = (self.values, self.sizes) if values is None else (values, None)
        arguments = self.arguments if calibration is None else self.arguments | calibration.arguments
        return domain_means(values, self.domain(pooled=pooled), size=size, **arguments)

    def period(self, period: str, units: list[str], sign: float = 1.0) -> dict[str, float]:
        """Coefficients of a period's mean over units and waves, each counted once."""
        waves = [wave for wave, found in self.design.periods.items() if found == period]
        return {f"{unit}|{wave}": sign / len(units) / len(waves) for unit in units for wave in waves}

    def change(self, units: list[str], sign: float = 1.0) -> dict[str, float]:
        """Coefficients of the change of units."""
        return self.period("after", units, sign) | self.period("before", units, -sign)

    @property
    def did(self) -> dict[str, float]:
        """Coefficients of the pilots' change less that of the comparison units."""
        return self.change(self.groups["pilot"]) | self.change(self.groups["comparison"], -1.0)

    @cached_property
    def shares(self) -> pd.Series:
        """Each unit's share of the people."""
        weight = self.scores.groupby("unit")["weight"].sum()
        return weight.reindex(list(self.design.arms), fill_value=0.0) / weight.sum()

    @property
    def fixed_change(self) -> dict[str, float]:
        """The change of all had each unit the same share of the people in both periods.

        Pooled means move when the sample shifts between units, even where no unit changed.
        """
        steps = {unit: self.change([unit], self.shares[unit]) for unit in self.design.arms}
        return {label: coefficient for step in steps.values() for label, coefficient in step.items()}

    def row(self, name: str, group: str, estimand: str, contrast: str, method: str = "linearised") -> Row:
        """The words of a row of effects."""
        unit = _unit(self.index, name, estimand)
        words = {"indicator": name, "group": group, "estimand": estimand, "contrast": contrast, "method": method}
        return words | {"unit": unit, "weights": self.weights}


ARMS = ("pilot", "comparison")


def contrasts(means: DomainMeans, chosen: Iterable[Coefficients]) -> Contrasts:
    """Contrasts of domain means from coefficients by domain label; NaN where a domain has no rows."""
    wanted = list(chosen)
    found = means.contrast([[one.get(label, 0.0) for label in means.domain] for one in wanted])
    absent = np.array([[not set(one) <= set(means.domain)] for one in wanted])
    estimate, std_error = (np.where(absent, np.nan, numbers) for numbers in (found.estimate, found.std_error))
    return replace(found, estimate=estimate, std_error=std_error)


def estimated(result: Contrasts, row: int, item: int) -> Row:
    """The numbers of one contrast and item as columns of effects."""
    note = "one_cluster" if np.isnan(result.std_error[row, item]) else ""
    return {
        "estimate": result.estimate[row, item],
        "std_error": result.std_error[row, item],
        "df": result.df[row, item],
        "n_clusters": result.clusters[row, item],
        "note": "no_answers" if np.isnan(result.estimate[row, item]) else note,
    }


def answers(sample: Sample, means: DomainMeans, units: list[str], wave: str = "") -> dict[str, np.ndarray]:
    """Valid answers of units, `n_before` and `n_after`, one count an item; of one wave where the row is about one."""
    periods = sample.design.periods
    if wave in periods and wave not in PERIODS:
        chosen = {periods[wave]: [f"{unit}|{wave}" for unit in units]}
    else:
        chosen = {period: list(sample.period(period, units)) for period in PERIODS}
    return {f"n_{period}": means.n[np.isin(means.domain, labels)].sum(axis=0) for period, labels in chosen.items()}


def moved(responses: pd.DataFrame) -> pd.DataFrame:
    """The respondents who were seen in more than one cluster of their unit: `respondent, unit, clusters`.

    responses: as `clean` gives them. `clusters` are tuples, in the order of the rows; the list is sorted by unit and
    respondent, and empty where the study knows no respondents.

    >>> rows = {"respondent": ["R1", "R2", "R1"], "unit": ["A", "A", "A"], "cluster": ["ấp 1", "ấp 1", "ấp 2"]}
    >>> moved(pd.DataFrame(rows)).values.tolist()
    [['R1', 'A', ('ấp 1', 'ấp 2')]]
    """
    columns = ["respondent", "unit", "clusters"]
    if "respondent" not in responses:
        return pd.DataFrame(columns=columns)
    places = responses.drop_duplicates(["unit", "respondent", "cluster"]).groupby(["unit", "respondent"])["cluster"]
    rows = [(person, unit, tuple(found)) for (unit, person), found in places if len(found) > 1]
    return pd.DataFrame(rows, columns=columns)


def pairs(sample: Sample) -> pd.DataFrame | None:
    """Rows of the same person before and after: `before`, `after`, positions in the scores; None without a panel.

    Of studies with one wave before and one after.
    """
    if "respondent" not in sample.scores or len(sample.design.periods) != 2:
        return None
    rows = sample.scores[["respondent"]].assign(
        period=sample.scores["wave"].map(sample.design.periods), row=np.arange(len(sample.scores))
    )
    found = rows.dropna(subset=["respondent"]).pivot(index="respondent", columns="period", values="row")
    found = found.reindex(columns=list(PERIODS)).dropna().astype(int)
    return found if len(found) else None


def _unit(index: Index, name: str, estimand: str) -> str:
    if estimand in _UNITS:
        return _UNITS[estimand]
    node = index[name]
    if node.unit is not None:
        return node.unit.en
    if node.aggregate in ("share", "pooled"):
        return "percent" if estimand == "level" else "percentage points"
    return "points (0-100)"


_UNITS = {
    **dict.fromkeys(("superiority", "pairs higher", "pairs lower", "lost"), "percent"),
    "log odds ratio": "log odds",
    "homogeneity": "test statistic",
    "dominance": "sign",
    "design effect": "ratio",
    "smallest p": "p",
}


def _joined(groups: pd.Series, members: pd.Series) -> pd.Series:
    """Groups that share a member as one, named after the first of them."""
    group, member = (pd.factorize(column, sort=True)[0] for column in (groups, members))
    known = member >= 0
    shape = (group.max() + 1, member.max() + 1)
    links = sparse.csr_array((np.ones(known.sum()), (group[known], member[known])), shape)
    component = connected_components(links @ links.T, directed=False)[1][group]
    return groups.groupby(component).transform("min")
