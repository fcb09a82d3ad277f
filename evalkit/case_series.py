"""One-stop cases → counts by reporting period, on-time rates, control charts, durations, interrupted time series."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter

from evalkit.cases import NEVER, Cases, Definition, Reporting
from evalkit.chance import generator
from evalkit.effects import make_effects, with_intervals
from evalkit.study import Study
from evalkit.units import compare_units

DEFINITIONS: tuple[Definition, ...] = ("A", "B", "C", "D")
LEAST_BEFORE, LEAST_AFTER = 24, 12  # months that a model with seasons needs
RHO = (0.0, 0.2, 0.4, 0.6)  # the autocorrelations among which the test must hold
DRAWS, SEED = 1999, 5
SURE = 0.01  # how improbable an estimated autocorrelation must be for a greater true one to be put aside
COUNTS = ("received", "from_elsewhere", "never", "released", "early", "on_time", "late", "no_due", "unresolved",
          "carried", "open", "open_late")  # fmt: skip
_MOVING_RANGE = 1.128  # expected range of two normal values in standard deviations (d2)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interruption:
    """What an interrupted time series says of one term: `level` right at the launch, or `slope` a period after it.

    rho: first-order autocorrelation as estimated. critical: how many standard errors the interval reaches. p_value,
    low, high: NaN where nothing varies, or where the series depends more on itself than the test was made for.
    """

    term: str
    estimate: float
    std_error: float
    statistic: float
    critical: float
    p_value: float
    low: float
    high: float
    rho: float


def reporting_periods(start: date, end: date, reporting: Reporting) -> pd.DataFrame:
    """The whole reporting periods between two days: `start`, `end` (both included), named by the month of `end`.

    >>> reporting_periods(date(2019, 11, 1), date(2020, 3, 31), Reporting(months=3, first_month=12))
           start        end
    0 2019-12-01 2020-02-29
    """
    first = pd.Timestamp(start.year - 1, reporting.first_month, reporting.first_day)
    count = 12 // reporting.months * (end.year - start.year + 3)
    starts = pd.DatetimeIndex([first + pd.DateOffset(months=reporting.months * at) for at in range(count)])
    frame = pd.DataFrame({"start": starts[:-1], "end": starts[1:] - pd.Timedelta(days=1)})
    whole = (frame["start"] >= pd.Timestamp(start)) & (frame["end"] <= pd.Timestamp(end))
    return frame[whole].reset_index(drop=True)


def series(cases: Cases, *, by: tuple[str, ...] = (), periods: pd.DataFrame | None = None) -> pd.DataFrame:
    """Counts of cases by reporting period and, of what `by` names, `unit`, `field`, `procedure` or `elsewhere`.

    periods: one row a period, `start` and `end`; without them the whole ones of cases.toml. Returns the columns
    of `by`, `start`, `end` and COUNTS: received, given a result (early, on the day, late, without due date, or
    refused), open before and at the end of the period, and of these over time. Cases not taken in or taken back
    (`never`) and those of people from elsewhere are counted beside and in nothing else, unless `by` names
    `elsewhere`. Results are judged on the day they were ready, not when fetched; an extended date takes the place of
    the due one.

        ek.case_series.series(cases, by=("unit",))
    """
    declared = cases.declared
    if periods is None:
        periods = reporting_periods(declared.data_start, declared.data_cut, declared.reporting)
    frame, count = cases.sound, len(periods)
    edges = np.append(periods["start"].to_numpy(), (periods["end"] + pd.Timedelta(days=1)).to_numpy()[-1:])
    edges = edges.astype("datetime64[s]")
    if by:
        # Whole combinations as they occur; a category that no case has gives no row.
        keys = frame.groupby(list(by), observed=True)
        group, names = keys.ngroup().to_numpy(), keys.size().index.to_frame(index=False)
    else:
        group, names = np.zeros(len(frame), dtype=int), pd.DataFrame(index=[0])
    slots = count + 2  # before the first period, in each, after the last or never

    def counted(days: NDArray[Any], rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        at = np.searchsorted(edges, days[rows], side="right")
        at[np.isnat(days[rows])] = count + 1
        found = np.bincount(group[rows] * slots + at, minlength=len(names) * slots)
        return found.reshape(len(names), slots)[:, :-1]

    columns = ("received", "due", "extended", "released")
    received, due, extended, released = (frame[name].to_numpy().astype("datetime64[s]") for name in columns)
    due = np.where(np.isnat(extended), due, extended)
    never = frame["status"].isin(NEVER).to_numpy()
    away = frame["elsewhere"].to_numpy() & ("elsewhere" not in by)
    own = ~never & ~away
    refused = (frame["status"] == "unresolved").to_numpy() & own
    solved, dated = own & ~refused, ~np.isnat(due)
    overdue = own & dated & ~(released <= due) & (frame["status"] != "waiting").to_numpy()
    day = np.timedelta64(1, "D").astype("timedelta64[s]")
    turned = np.where(due + day > received, due + day, received)
    came, went = counted(received, own).cumsum(axis=1), counted(released, own).cumsum(axis=1)
    became, ceased = counted(turned, overdue).cumsum(axis=1), counted(released, overdue).cumsum(axis=1)
    found = {
        "received": counted(received, own)[:, 1:],
        "from_elsewhere": counted(received, frame["elsewhere"].to_numpy() & ~never)[:, 1:],
        "never": counted(received, never & ~away)[:, 1:],
        "released": counted(released, own)[:, 1:],
        "early": counted(released, solved & dated & (released < due))[:, 1:],
        "on_time": counted(released, solved & dated & (released == due))[:, 1:],
        "late": counted(released, solved & dated & (released > due))[:, 1:],
        "no_due": counted(released, solved & ~dated)[:, 1:],
        "unresolved": counted(released, refused)[:, 1:],
        "carried": (came - went)[:, :-1],
        "open": (came - went)[:, 1:],
        "open_late": (became - ceased)[:, 1:],
    }
    rows = names.loc[np.repeat(np.arange(len(names)), count)].reset_index(drop=True)
    spans = pd.concat([periods[["start", "end"]]] * len(names), ignore_index=True)
    counts = pd.DataFrame({name: found[name].ravel() for name in COUNTS})
    return pd.concat([rows, spans, counts], axis=1)


def on_time(counts: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """`counts` of `series` with `numerator`, `denominator` and `percent` on time under a named definition.

    A, OpenCPS: before or on the due date, or without one, of all with a result, refusals included; cut to a whole
    percent; 0 where none has a result. B, a provincial portal: 100 less the late, done or still open, of all to
    process (carried over and received). C, provincial reports: before or on the due date of the cases solved that had
    one. D, after decision 766, whose own denominator was not found: before or on the due date, or without one, of all
    with a result and those open over time. NaN where there is nothing to count. The four differ: print the letter
    with the number.

    >>> one = pd.DataFrame({name: [0] for name in COUNTS}).assign(released=3, early=2, late=1, open_late=1)
    >>> on_time(one, "A")["percent"].item(), on_time(one, "D")["percent"].item()
    (66.0, 50.0)
    """
    in_time = counts["early"] + counts["on_time"]
    numerator, denominator = {
        "A": (in_time + counts["no_due"], counts["released"]),
        "B": (
            counts["carried"] + counts["received"] - counts["late"] - counts["open_late"],
            counts["carried"] + counts["received"],
        ),
        "C": (in_time, in_time + counts["late"]),
        "D": (in_time + counts["no_due"], counts["released"] + counts["open_late"]),
    }[definition]
    percent = 100 * numerator / denominator.where(denominator > 0)
    if definition == "A":
        percent = (100 * numerator // denominator.where(denominator > 0)).fillna(0)
    return counts.assign(numerator=numerator, denominator=denominator, percent=percent.astype(float))


def individuals_chart(values: ArrayLike, *, baseline: ArrayLike | None = None) -> pd.DataFrame:
    """XmR chart of single values: `value, centre, low, high, outside`, centre ± 2.66 mean moving ranges.

    values (n,): in order of time. baseline (n,): true for those from which the limits come, by default all
    (Shewhart's chart for individuals; Montgomery, Introduction to Statistical Quality Control, ch. 6.4). Raises
    ValueError for fewer than two values in the baseline.
    """
    y, base = _baseline(values, baseline)
    centre, reach = y[base].mean(), 3 * _moving_range(y, base) / _MOVING_RANGE
    return _chart(y, np.full(len(y), centre), np.full(len(y), reach))


def share_chart(numerator: ArrayLike, denominator: ArrayLike, *, baseline: ArrayLike | None = None) -> pd.DataFrame:
    """Laney's p' chart of percents: `value, centre, low, high, outside` and `sigma_z`.

    numerator, denominator (n,): cases, in order of time. The limits of a p chart assume that months differ by the
    drawing of cases alone; these are widened by `sigma_z`, the spread of the standardised values by their moving
    range (Laney 2002, Quality Engineering 14(4)), which is 1 where that holds. Raises ValueError as
    `individuals_chart` does, and for a denominator that is 0.
    """
    count = np.asarray(denominator, dtype=float)
    if (count <= 0).any():
        raise ValueError("a period has no cases")
    share, base = _baseline(np.asarray(numerator, dtype=float) / count, baseline)
    centre = (share * count)[base].sum() / count[base].sum()
    sd = np.sqrt(centre * (1 - centre) / count)
    z = np.divide(share - centre, sd, out=np.zeros_like(sd), where=sd > 0)
    sigma = _moving_range(z, base) / _MOVING_RANGE
    chart = _chart(100 * share, np.full(len(share), 100 * centre), 300 * sd * sigma)
    return chart.assign(low=chart["low"].clip(0), high=chart["high"].clip(upper=100), sigma_z=sigma)


def durations(cases: Cases, *, groups: pd.Series | None = None, level: float = 0.95) -> pd.DataFrame:
    """Days from receipt to result by group and period, open cases counted as unfinished and not as absent.

    groups: of each row of `cases.frame`; without them one group `all`. Returns `group, period, n, ended, median, low,
    high, mean_closed`: medians and intervals by Kaplan & Meier (statsmodels' `SurvfuncRight`), NaN where less than
    half had a result. `before`: received from `data_start` to the launch and followed to it, what they waited later
    does not count; `after`: received since and followed to the data cut; without a launch `all`. `mean_closed`
    leaves open cases out and is biased, the more the shorter the follow-up: it is there to be seen beside.
    """
    from statsmodels.duration.survfunc import SurvfuncRight

    rows = []
    for group, period, days, ended in _followed(cases, groups):
        median, low, high = _median(SurvfuncRight(days, ended.astype(int)), level) if ended.any() else [np.nan] * 3
        rows.append({"group": group, "period": period, "n": len(days), "ended": int(ended.sum()),
                     "median": median, "low": low, "high": high,
                     "mean_closed": days[ended].mean() if ended.any() else np.nan})  # fmt: skip
    columns = ["group", "period", "n", "ended", "median", "low", "high", "mean_closed"]
    return pd.DataFrame(rows, columns=columns)


def interrupted(values: ArrayLike, before: int, *, level: float = 0.95) -> tuple[Interruption, Interruption]:
    """Level and slope at the launch of a monthly series, with a yearly season (one wave) and a trend before.

    values (n,): one a month, the first `before` of them before the launch. Fitted by statsmodels' GLSAR (first-order
    autocorrelation, two steps). Its usual t values raise false alarms in short series (.08
    to .25 at 24 + 12 months), so p and interval come from what the same fit gives on simulated series without any
    change: DRAWS each of autocorrelation RHO, the least favourable counting (Dufour 2006, Journal of Econometrics
    133(2)) of those under which an autocorrelation as low as the estimated one has a chance of SURE, which p then
    bears too (Berger & Boos 1994, JASA 89).
    Raises ValueError with less than 24 months before or 12 after, and for missing values.
    """
    y = np.asarray(values, dtype=float)
    if before < LEAST_BEFORE or len(y) - before < LEAST_AFTER:
        raise ValueError(
            f"{LEAST_BEFORE} months before and {LEAST_AFTER} after are needed, got {before}, {len(y) - before}"
        )
    if not np.isfinite(y).all():
        raise ValueError("a month has no value")
    design = _design(before, len(y) - before)
    null, rhos = _null(before, len(y) - before)
    varies = bool(np.abs(y - design @ np.linalg.lstsq(design, y)[0]).max() > 1e-9 * max(np.abs(y).max(), 1))
    estimates, errors, rho = _fit(y, design)
    possible = (rhos <= rho).mean(axis=1) >= SURE
    possible[0] = True
    null = null[possible]
    varies = varies and rho <= np.quantile(rhos[-1], 1 - SURE)
    found = []
    for at, term in enumerate(("level", "slope")):
        critical = np.quantile(null[:, :, at], level + SURE, axis=1).max()
        statistic = estimates[at] / errors[at] if varies else np.nan
        p = SURE + (1 + (null[:, :, at] >= abs(statistic)).sum(axis=1)).max() / (1 + DRAWS)
        reach = critical * errors[at] if varies else np.nan
        found.append(
            Interruption(term, float(estimates[at]), float(errors[at]) if varies else 0.0, float(statistic),
                         float(critical), min(1.0, float(p)) if varies else np.nan, float(estimates[at] - reach),
                         float(estimates[at] + reach), float(rho))
        )  # fmt: skip
    return found[0], found[1]


def same_months(frame: pd.DataFrame, launch: date) -> pd.DataFrame:
    """Means before and after over the same calendar months: `group, before, after, change, months`.

    frame: `group, end, percent`, one row a month. For a series too short for a model with seasons: only calendar
    months that stand on both sides count, each side's years averaged first, so that a group's season falls
    out of `change`. Groups that have no month on both sides are left out.
    """
    side = np.where(frame["end"] < pd.Timestamp(launch), "before", "after")
    means = frame.groupby(["group", frame["end"].dt.month.rename("month"), side], observed=True)["percent"].mean()
    both = means.unstack().reindex(columns=["before", "after"]).dropna()
    found = both.groupby("group", observed=True).agg(["mean", "size"])
    result = pd.DataFrame({"before": found[("before", "mean")], "after": found[("after", "mean")]})
    result["change"] = result["after"] - result["before"]
    return result.assign(months=found[("before", "size")]).reset_index()


def launch_effects(cases: Cases, study: Study, *, definition: Definition | None = None) -> pd.DataFrame:
    """What changed at the launch, as rows of effects: on-time rate and days to a result.

    definition: of the on-time rate, by default that of cases.toml. Rows: `level break` and `slope break` of every
    unit, of the pilots, of the comparison units and of their difference (method `interrupted series`; each unit
    counts once a month), and how the pilots' own breaks differ from the others' (methods `unit t`, `placebo`). Where
    months are too few: `change` over the same calendar months in place of them. `change` of the median days to a
    result. None where no launch is declared.
    """
    declared = cases.declared
    if declared.launch is None:
        return make_effects([])
    letter = definition or declared.definition
    rates = on_time(series(cases, by=("unit",)), letter)
    wide = rates.pivot(index="end", columns="unit", values="percent")
    wide.columns = wide.columns.astype("str")
    wide = wide[[unit for unit in study.design.arms if unit in wide]]
    before = int((wide.index < pd.Timestamp(declared.launch)).sum())
    # A period that the launch cuts in two is neither before nor after.
    starts = rates.drop_duplicates("end").set_index("end")["start"]
    cut = (starts < pd.Timestamp(declared.launch)) & (starts.index >= pd.Timestamp(declared.launch))
    wide = wide[~cut.reindex(wide.index).to_numpy()]
    groups, level = _groups(wide, study), study.plan.confidence_level
    base = {"indicator": f"cases_on_time_{letter}", "contrast": "after - before", "unit": "percentage points",
            "n_before": before, "n_after": len(wide) - before, "conf_level": level}  # fmt: skip
    if before >= LEAST_BEFORE and len(wide) - before >= LEAST_AFTER and declared.reporting.months == 1:
        rows, base["estimand"] = _breaks(groups, before, base), "level break"
    else:
        rows, base["estimand"] = _month_changes(groups, declared.launch, base), "change"
    found = {row["group"]: row["estimate"] for row in rows if row["estimand"] == base["estimand"]}
    rows += _between_units(pd.Series({unit: found.get(unit) for unit in study.design.arms}, dtype=float), study, base)
    return with_intervals(make_effects(rows + _median_changes(cases, study, level)), level)


def posted(cases: Cases) -> pd.DataFrame:
    """Procedures by unit and period: `unit, period, procedures, reviewed, posted`; none without a checklist."""
    columns = ["unit", "period", "procedures", "reviewed", "posted"]
    if cases.checklist is None:
        return pd.DataFrame(columns=columns)
    groups = cases.checklist.groupby(["unit", "period"], sort=False)
    found = groups.agg(procedures=("procedure", "size"), reviewed=("reviewed", "sum"), posted=("posted", "sum"))
    return found.reset_index()[columns]


def survival(cases: Cases, *, groups: pd.Series | None = None) -> pd.DataFrame:
    """The share without result: `group, period, day` since receipt, `share`; cases as in `durations`."""
    from statsmodels.duration.survfunc import SurvfuncRight

    parts = [
        pd.DataFrame({"group": group, "period": period, "day": [0.0, *curve.surv_times],
                      "share": [1.0, *curve.surv_prob]})
        for group, period, days, ended in _followed(cases, groups)
        if ended.any()
        for curve in [SurvfuncRight(days, ended.astype(int))]
    ]  # fmt: skip
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["group", "period", "day", "share"])


def _followed(cases: Cases, groups: pd.Series | None) -> Iterator[tuple[str, str, Floats, NDArray[np.bool_]]]:
    """Group, period, days followed, and whether there was a result then."""
    declared, frame = cases.declared, cases.sound
    frame = frame[~frame["status"].isin(NEVER) & ~frame["elsewhere"]]
    frame = frame[frame["received"] >= pd.Timestamp(declared.data_start)]
    label = pd.Series("all", frame.index) if groups is None else groups.reindex(frame.index)
    cut, launch = pd.Timestamp(declared.data_cut), declared.launch and pd.Timestamp(declared.launch)
    spans = {"all": (frame["received"] <= cut, cut)}
    if launch is not None:
        early = frame["received"] < launch
        spans = {"before": (early, launch - pd.Timedelta(days=1)), "after": (~early, cut)}
    for period, (chosen, until) in spans.items():
        for group, part in frame[chosen].groupby(label[chosen], observed=True):
            ended = (part["released"] <= until).to_numpy()
            days = (part["released"].where(ended, until) - part["received"]).dt.days.to_numpy().astype(float)
            yield str(group), period, days, ended


def _median(curve: Any, level: float) -> tuple[float, float, float]:
    median = float(curve.quantile(0.5))
    with np.errstate(all="ignore"):  # the ends of the curve have no log
        low, high = curve.quantile_ci(0.5, alpha=1 - level)
    # Days are whole: where no step of the curve lies within the band, the band has no other day than the median's.
    return (median, median, median) if np.isnan(low) else (median, float(low), float(high))


def _baseline(values: ArrayLike, baseline: ArrayLike | None) -> tuple[Floats, NDArray[np.bool_]]:
    y = np.asarray(values, dtype=float)
    base = np.ones(len(y), dtype=bool) if baseline is None else np.asarray(baseline, dtype=bool)
    if base.sum() < 2:
        raise ValueError("limits need two values or more")
    return y, base


def _moving_range(y: Floats, base: NDArray[np.bool_]) -> float:
    return float(np.abs(np.diff(y[base])).mean())


def _chart(value: Floats, centre: Floats, reach: Floats) -> pd.DataFrame:
    frame = pd.DataFrame({"value": value, "centre": centre, "low": centre - reach, "high": centre + reach})
    return frame.assign(outside=(value < frame["low"] - 1e-9) | (value > frame["high"] + 1e-9))


def _design(before: int, after: int) -> Floats:
    """Constant, trend, level and slope at the launch, one wave a year; where the year begins makes no difference."""
    t = np.arange(before + after, dtype=float)
    later = (t >= before).astype(float)
    year = 2 * np.pi * t / 12
    return np.column_stack([np.ones_like(t), t, later, later * (t - before), np.sin(year), np.cos(year)])


def _fit(y: Floats, design: Floats) -> tuple[Floats, Floats, float]:
    """Estimates and standard errors of level and slope, and the autocorrelation that they assume."""
    from statsmodels.regression.linear_model import GLSAR

    model = GLSAR(y, design, rho=1)
    fit = model.iterative_fit(maxiter=2)
    return fit.params[2:4], fit.bse[2:4], float(np.ravel(model.rho)[0])


@lru_cache(maxsize=16)
def _null(before: int, after: int) -> tuple[Floats, Floats]:
    """Of series without any change: |t| of level and slope, (len(RHO), DRAWS, 2), and estimated autocorrelations."""
    design, rng = _design(before, after), generator(SEED)
    statistics, rhos = np.empty((len(RHO), DRAWS, 2)), np.empty((len(RHO), DRAWS))
    for at, rho in enumerate(RHO):
        noise = rng.standard_normal((DRAWS, before + after + 50))
        for draw, y in enumerate(lfilter([1.0], [1.0, -rho], noise, axis=1)[:, 50:]):
            estimates, errors, rhos[at, draw] = _fit(y, design)
            statistics[at, draw] = np.abs(estimates / errors)
    return statistics, rhos


def _groups(wide: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Units and, as means over them, arms and their difference; one column a group."""
    arms, found = study.design.arms, wide.copy()
    for arm in ("pilot", "comparison"):
        units = [unit for unit in wide if arms[unit] == arm]
        if units:
            found[arm] = wide[units].mean(axis=1, skipna=False)
    if study.design.compared and {"pilot", "comparison"} <= set(found):
        found["pilot - comparison"] = found["pilot"] - found["comparison"]
    if not any(arms.values()):
        found["all"] = wide.mean(axis=1, skipna=False)
    return found


def _breaks(groups: pd.DataFrame, before: int, base: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for group, values in groups.dropna(axis=1).items():
        for found in interrupted(values, before, level=base["conf_level"]):
            rows.append(
                {**base, "group": group, "estimand": f"{found.term} break", "method": "interrupted series",
                 "unit": base["unit"] if found.term == "level" else f"{base['unit']} a month",
                 "estimate": found.estimate, "std_error": found.std_error, "conf_low": found.low,
                 "conf_high": found.high, "statistic": found.statistic, "p_value": found.p_value,
                 "note": f"rho {found.rho:.2f}"}
            )  # fmt: skip
    return rows


def _month_changes(groups: pd.DataFrame, launch: date, base: dict[str, Any]) -> list[dict[str, Any]]:
    long = groups.rename_axis(columns="group").stack().rename("percent").reset_index()
    return [
        {**base, "group": row.group, "estimand": "change", "method": "same months", "estimate": row.change,
         "note": f"{row.months} calendar months"}
        for row in same_months(long, launch).itertuples()
    ]  # fmt: skip


def _between_units(estimates: pd.Series, study: Study, base: dict[str, Any]) -> list[dict[str, Any]]:
    """How the pilots' estimates differ from the others'; nothing where a unit has none."""
    if not study.design.compared or estimates.isna().any():
        return []
    pilot = [study.design.arms[unit] == "pilot" for unit in estimates.index]
    test = compare_units(estimates.to_numpy(), pilot, level=base["conf_level"])
    key = {**base, "group": "pilot - comparison", "estimate": test.estimate, "n_clusters": len(estimates)}
    return [
        {**key, "method": "unit t", "std_error": test.std_error, "df": test.df, "p_value": test.p_value},
        {**key, "method": "placebo", "p_value": test.placebo_p, "conf_low": test.placebo_low,
         "conf_high": test.placebo_high},
    ]  # fmt: skip


def _median_changes(cases: Cases, study: Study, level: float) -> list[dict[str, Any]]:
    medians = durations(cases, groups=cases.frame["unit"].astype("str"), level=level)
    wide = medians.pivot(index="group", columns="period", values=["median", "n"])
    both = pd.MultiIndex.from_product([["median", "n"], ["before", "after"]])
    wide = wide.reindex(index=list(study.design.arms), columns=both)
    base = {"indicator": "cases_days", "estimand": "change", "contrast": "after - before", "unit": "days"}
    change = wide[("median", "after")] - wide[("median", "before")]
    rows: list[dict[str, Any]] = [
        {**base, "group": unit, "method": "kaplan-meier", "estimate": change[unit],
         "n_before": wide.loc[unit, ("n", "before")], "n_after": wide.loc[unit, ("n", "after")]}
        for unit in change.index
    ]  # fmt: skip
    # Medians of whole days are far from normal: the placebo only.
    return rows + _between_units(change, study, {**base, "conf_level": level})[1:]
