"""Responses to flags on suspicious questionnaires: evidence for a person who looks, never a deletion.

Fixed thresholds of the literature flag many honest forms where people agree with each other, as satisfied people do.
So each one is only a floor: a form must also stand apart from the others of its wave, beyond Tukey's (1977) outer
fence or a one in a thousand bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from evalkit.careless import longest_run, mahalanobis, row_correlation, stepped_up
from evalkit.forms import COMPARED, ITEMS, Forms
from evalkit.resemblance import agreement, kappa, within_agreement
from evalkit.study import Study

COLUMNS = ("row_id", "rule", "value", "threshold", "other", "source", "wave", "unit", "interviewer")
KINDS = {
    **dict.fromkeys(("long_run", "same_answer", "variability"), "pattern"),
    **dict.fromkeys(("even_odd", "antonyms", "outlier"), "consistency"),
    **dict.fromkeys(("fast", "overlapping"), "time"),
    "unanswered": "unanswered",
    **dict.fromkeys(("near_copy", "copy_across", "repeated"), "copy"),
    **dict.fromkeys(("busy_day", "fast_interviewer", "agreement"), "interviewer"),
}
FORM_RULES = tuple(rule for rule, kind in KINDS.items() if kind != "interviewer")
GROUPS, PAIRS = 8, 6  # fewer halves or opposites can hardly correlate less than honest ones may
FORMS = 8  # of fewer, quartiles are no fence
PER_ITEM = 5  # forms an item, for distances that rest on all correlations
FORMS_EACH = 5  # of an interviewer, before the interviewer is judged
TAIL = float(stats.norm.isf(0.001))


def screen(responses: pd.DataFrame, study: Study, *, missing: pd.DataFrame | None = None) -> pd.DataFrame:
    """Flags on suspicious questionnaires, by every rule that the study has data for; see `rules`.

    responses: one row a form, as `clean` returns it. study: for the codebook, the index, and which columns hold
    interviewer, start, end and duration. missing: `row_id, variable, kind`, for the share of questions that were not
    answered. Returns one row a flag, in the order of forms and rules: `row_id`, missing where a flag is about an
    interviewer; `rule`; `value` and the `threshold` beyond which it lies; `other`, the row_id of the form that it
    resembles or overlaps; `source`, the key of a text that says where the threshold comes from; `wave`, `unit`,
    `interviewer`.

        flags = ek.screen(survey.responses, study, missing=survey.missing)
    """
    forms = Forms(responses.reset_index(drop=True), study, missing)
    found = []
    for rule, (find, *needs) in _RULES.items():
        if _lacking(forms, needs) is None:
            flags = find(forms)
            # One flag a form and rule, the clearest: a form may cross a threshold on several scales.
            flags = flags.sort_values("row", kind="stable").drop_duplicates(["row", "interviewer", "day"])
            found.append(flags.assign(rule=rule, source=f"screening_source_{rule}"))
    flags = pd.concat([flags for flags in found if len(flags)] or [_empty()], ignore_index=True)
    flags["order"] = flags["rule"].map(list(_RULES).index)
    flags = flags.sort_values(["row", "order"], kind="stable", na_position="last", ignore_index=True)
    about = forms.frame[["row_id", "wave", "unit"]].assign(interviewer=forms.interviewer)
    own = about.reindex(flags["row"]).reset_index(drop=True)
    flags["row_id"], flags["unit"] = own["row_id"], own["unit"]
    for name in ("wave", "interviewer"):
        flags[name] = own[name].astype(object).where(flags["row"].notna(), flags[name])
    flags["other"] = about["row_id"].reindex(flags["other"]).to_numpy()
    return flags[list(COLUMNS)]


def rules(responses: pd.DataFrame, study: Study, *, missing: pd.DataFrame | None = None) -> pd.DataFrame:
    """Which rules `screen` runs on these data, and why not the others.

    Returns `rule, kind, run, reason, source`, one row a rule; `reason`, empty where it is run, and `source` are keys
    of texts.

        ek.screening.rules(survey.responses, study, missing=survey.missing)
    """
    forms = Forms(responses.reset_index(drop=True), study, missing)
    rows = []
    for rule, (_, *needs) in _RULES.items():
        lacking = _lacking(forms, needs)
        reason = "" if lacking is None else f"screening_lacks_{lacking}"
        rows.append((rule, KINDS[rule], not reason, reason, f"screening_source_{rule}"))
    return pd.DataFrame(rows, columns=["rule", "kind", "run", "reason", "source"])


def flagged(flags: pd.DataFrame, *, rules: Iterable[str] | None = None) -> set[str]:
    """The forms that an analysis may be repeated without, to see whether its result stands.

    By default forms with evidence of two kinds (see `KINDS`), and near-copies within a wave: one kind alone has
    honest explanations. Of a form and its copy nobody knows which is which, so both are named. With `rules`, every
    form flagged by one of them; `rules=FORM_RULES` takes every form with any flag.

    >>> flags = pd.DataFrame({"row_id": ["a-2", "a-2", "a-3"], "rule": ["fast", "outlier", "fast"]})
    >>> flagged(flags), sorted(flagged(flags, rules=["fast"]))
    ({'a-2'}, ['a-2', 'a-3'])
    """
    flags = flags[flags["row_id"].notna()]
    if rules is not None:
        return set(flags.loc[flags["rule"].isin(list(rules)), "row_id"])
    kinds = flags["rule"].map(KINDS).groupby(flags["row_id"]).nunique()
    return set(kinds.index[kinds >= 2]) | set(flags.loc[flags["rule"] == "near_copy", "row_id"])


_DTYPES = {"row": float, "rule": object, "value": float, "threshold": float, "other": float, "source": object,
           "wave": object, "interviewer": object, "day": object}  # fmt: skip


def _flags(
    rows: npt.ArrayLike, value: npt.ArrayLike, threshold: npt.ArrayLike, beyond: npt.ArrayLike, other: object = np.nan
) -> pd.DataFrame:
    """Flags on the rows for which `beyond` is true."""
    chosen = np.asarray(beyond, dtype=bool)
    frame = pd.DataFrame({"row": np.asarray(rows, dtype=float), "value": value, "threshold": threshold})
    frame = frame.astype(float).assign(other=other, wave=None, interviewer=None, day=None)
    return frame[chosen]


def _about(wave: object, interviewer: object, value: float, threshold: float, day: object = None) -> pd.DataFrame:
    """A flag on an interviewer."""
    flag = {"row": np.nan, "value": value, "threshold": threshold, "other": np.nan, "wave": wave}
    return pd.DataFrame([flag | {"interviewer": interviewer, "day": day}])


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    parts = [part for part in parts if len(part)]
    return pd.concat(parts or [_empty().drop(columns=["rule", "source"])], ignore_index=True)


def _empty() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _DTYPES.items()})


def _beyond(forms: Forms, value: npt.NDArray[np.float64], limit: Callable, *, sign: int = 1) -> pd.DataFrame:
    """Flags on the forms above the threshold that `limit` gives for the rows of a wave; below it for sign -1."""
    found = []
    for rows in forms.waves.values():
        threshold = limit(rows)
        found.append(_flags(rows, value[rows], threshold, sign * value[rows] > sign * threshold))
    return _joined(found)


def _fence(values: npt.NDArray[np.float64], floor: float, *, few: float = np.inf) -> float:
    """The outer fence, three interquartile ranges above the upper quartile, not below the floor.

    `few` is what counts where the values are too few for quartiles.
    """
    values = values[np.isfinite(values)]
    if len(values) < FORMS:
        return few
    low, high = np.quantile(values, (0.25, 0.75))
    return max(floor, high + 3 * (high - low))


def _bound(correlation: npt.NDArray[np.float64], pairs: npt.NDArray[np.int64], sign: int) -> npt.NDArray[np.float64]:
    """Beyond which correlation a form like the middle one comes once in a thousand (Fisher's z), by its pairs."""
    if np.isfinite(correlation).sum() < FORMS:
        return np.full(len(correlation), sign * np.inf)
    middle = np.arctanh(np.clip(np.nanmedian(correlation), -0.99, 0.99))
    return np.tanh(middle + sign * TAIL / np.sqrt(np.maximum(pairs - 3, 1e-9)))


def _long_run(forms: Forms) -> pd.DataFrame:
    found = []
    for rows in forms.waves.values():
        for grid in forms.grids:
            answers = forms.points[np.ix_(rows, grid)]
            # Each answer has a fence of its own: where most people say 5, a long run of 5 is no sign, one of 3 is.
            # Runs lengthen by factors, hence the logarithm.
            for answer in np.unique(answers[~np.isnan(answers)]):
                run = longest_run(answers, of=answer)
                threshold = max(float(np.exp(_fence(np.log(np.maximum(run, 1)), 0))), len(grid) / 2)
                found.append(_flags(rows, run, threshold, run > threshold))
    return _joined(found).sort_values("value", ascending=False, kind="stable")


def _same_answer(forms: Forms) -> pd.DataFrame:
    found = []
    rows = np.arange(len(forms.frame))
    for grid in forms.mixed:
        answers = forms.points[:, grid]
        straight, reversed_ = (~np.isnan(answers[:, forms.reverse[grid] == turned]) for turned in (False, True))
        enough = (~np.isnan(answers)).sum(axis=1) >= ITEMS
        enough &= straight.any(axis=1) & reversed_.any(axis=1)
        highest, lowest = (np.nan_to_num(answers, nan=none) for none in (-np.inf, np.inf))
        different = 1 + (highest.max(axis=1) > lowest.min(axis=1))
        found.append(_flags(rows, different, 2, enough & (different < 2)))
    return _joined(found)


def _variability(forms: Forms) -> pd.DataFrame:
    answered = (~np.isnan(forms.points)).sum(axis=1)
    count = np.maximum(answered, 1)
    mean = np.nansum(forms.points, axis=1) / count
    spread = np.sqrt(np.nansum((forms.points - mean[:, None]) ** 2, axis=1) / count)
    spread[answered < ITEMS] = np.nan
    high = _beyond(forms, spread, lambda rows: _fence(spread[rows], -np.inf))
    low = _beyond(forms, spread, lambda rows: -_fence(-spread[rows], -np.inf), sign=-1)
    return _joined([high, low])


def _even_odd(forms: Forms) -> pd.DataFrame:
    aligned = np.where(forms.reverse, 1 - forms.points, forms.points)
    halves = [np.column_stack([_row_mean(aligned[:, group[at::2]]) for group in forms.groups]) for at in (0, 1)]
    correlation = row_correlation(*halves)
    pairs = (~np.isnan(halves[0]) & ~np.isnan(halves[1])).sum(axis=1)
    correlation[pairs < GROUPS] = np.nan

    def limit(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.minimum(0.30, stepped_up(_bound(correlation[rows], pairs[rows], -1)))

    return _beyond(forms, stepped_up(correlation), limit, sign=-1)


def _antonyms(forms: Forms) -> pd.DataFrame:
    first, second = (forms.points[:, list(side)] for side in zip(*forms.opposites, strict=True))
    correlation = row_correlation(first, second)
    pairs = (~np.isnan(first) & ~np.isnan(second)).sum(axis=1)
    correlation[pairs < PAIRS] = np.nan
    return _beyond(forms, correlation, lambda rows: np.maximum(0, _bound(correlation[rows], pairs[rows], 1)))


def _outlier(forms: Forms) -> pd.DataFrame:
    found = []
    for rows in forms.waves.values():
        if len(rows) < PER_ITEM * forms.points.shape[1]:
            continue
        distance, dimensions = mahalanobis(forms.points[rows])
        # Answers of few categories are not normal: the chi-square is moved and stretched to the wave's own distances,
        # where the cube root of Wilson and Hilferty (1931) is normal.
        width = 2 / (9 * np.maximum(dimensions, 1))
        score = (np.cbrt(distance / np.maximum(dimensions, 1)) - 1 + width) / np.sqrt(width)
        if np.isfinite(score).sum() < FORMS:
            continue
        low, middle, high = np.nanquantile(score, (0.25, 0.5, 0.75))
        bound = max(middle, 0) + TAIL * max((high - low) / (2 * stats.norm.ppf(0.75)), 1)
        threshold = dimensions * (1 - width + bound * np.sqrt(width)) ** 3
        found.append(_flags(rows, distance, threshold, score > bound))
    return _joined(found)


def _fast(forms: Forms) -> pd.DataFrame:
    assert forms.minutes is not None
    minutes = forms.minutes.to_numpy()

    def limit(rows: npt.NDArray[np.int64]) -> float:
        return np.nanmedian(minutes[rows]) / 3 if np.isfinite(minutes[rows]).sum() >= FORMS else -np.inf

    return _beyond(forms, minutes, limit, sign=-1)


def _overlapping(forms: Forms) -> pd.DataFrame:
    started, ended = forms.role("started"), forms.role("ended")
    assert started is not None and forms.minutes is not None
    if ended is None:
        ended = started + pd.to_timedelta(forms.minutes, unit="min")
    frame = pd.DataFrame({"interviewer": forms.interviewer, "started": started, "ended": ended}).dropna()
    frame = frame.sort_values(["interviewer", "started"], kind="stable")
    last = frame.groupby("interviewer").shift()
    overlap = (last["ended"] - frame["started"]).dt.total_seconds() / 60
    other = pd.Series(frame.index, frame.index).groupby(frame["interviewer"]).shift()
    return _flags(frame.index, overlap, 0, overlap > 0, other.to_numpy())


def _unanswered(forms: Forms) -> pd.DataFrame:
    assert forms.missing is not None
    names = [question.name for question in forms.questions]
    kinds = forms.missing[forms.missing["variable"].isin(names)]
    counts = pd.crosstab(kinds["row_id"], kinds["kind"]).reindex(forms.frame["row_id"], fill_value=0)
    asked = len(names) - counts.get("not_applicable", pd.Series(0, counts.index)).to_numpy()
    refused = sum(counts.get(kind, pd.Series(0, counts.index)).to_numpy() for kind in ("dont_know", "refused"))
    share = np.where(asked >= ITEMS, refused / np.maximum(asked, 1), np.nan)
    return _beyond(forms, share, lambda rows: _fence(share[rows], 0.2))


def _copies(forms: Forms, *, across: bool) -> pd.DataFrame:
    codes, found = forms.compared, []
    closest = forms.nearest[across]
    for rows in forms.waves.values():
        has = rows[closest.position[rows] >= 0]
        other, share = closest.position[has], closest.share[has]
        threshold = _fence(share, 0.85, few=0.85)
        found.append(_flags(has, share, threshold, (share > threshold) & _alike(codes, has, other), other))
    return _joined(found)


def _alike(codes: npt.NDArray[np.float64], rows: npt.NDArray[np.int64], other: npt.NDArray[np.int64]) -> npt.NDArray:
    """Whether forms agree beyond what their own habits bring: two people who always say 4 are no copies."""
    return kappa(codes[rows], codes[other]) > 0.6


def _repeated(forms: Forms) -> pd.DataFrame:
    earlier, later = forms.again.T
    codes = forms.compared
    both = (~np.isnan(codes[earlier]) & ~np.isnan(codes[later])).sum(axis=1) >= COMPARED
    earlier, later = earlier[both], later[both]
    share = agreement(codes[earlier], codes[later])
    threshold = _fence(share, 0.85, few=0.85)
    return _flags(later, share, threshold, (share > threshold) & _alike(codes, later, earlier), earlier)


def _busy_day(forms: Forms) -> pd.DataFrame:
    started = forms.role("started")
    assert started is not None
    frame = pd.DataFrame({"interviewer": forms.interviewer, "day": started.dt.date, "wave": forms.frame["wave"]})
    counts = frame.dropna().groupby(["wave", "interviewer", "day"], sort=True).size()
    threshold = _fence(counts.to_numpy(dtype=float), 10)
    busy = counts[counts > threshold]
    return _joined([_about(wave, who, n, threshold, day) for (wave, who, day), n in busy.items()])


def _fast_interviewer(forms: Forms) -> pd.DataFrame:
    assert forms.minutes is not None
    found = []
    for wave, rows in forms.waves.items():
        minutes = forms.minutes.iloc[rows].dropna()
        who = forms.interviewer.reindex(minutes.index)
        for name, own in minutes.groupby(who, sort=True):
            others = minutes[who.ne(name) & who.notna()]
            if len(own) >= FORMS_EACH and len(others) >= FORMS and own.median() < others.median() / 2:
                found.append(_about(wave, name, own.median(), others.median() / 2))
    return _joined(found)


def _agreement(forms: Forms) -> pd.DataFrame:
    known = np.flatnonzero(forms.interviewer.notna())
    who = pd.MultiIndex.from_arrays([forms.frame["wave"].iloc[known], forms.interviewer.iloc[known]])
    group, names = who.factorize()
    stratum = forms.frame.iloc[known].groupby(["wave", "unit"], sort=False).ngroup().to_numpy()
    found = within_agreement(forms.compared[known], group, stratum)
    # Interviewers do differ a little honestly: what counts is a difference that is large, not only certain.
    threshold = found.expected + np.maximum(TAIL * found.sd, 0.1)
    judged = (np.bincount(group, minlength=len(names)) >= FORMS_EACH) & (found.sd > 1e-9)
    chosen = np.flatnonzero(judged & (found.observed > threshold))
    return _joined([_about(names[at][0], names[at][1], found.observed[at], threshold[at]) for at in chosen])


def _row_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    count = (~np.isnan(values)).sum(axis=1)
    return np.divide(np.nansum(values, axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def _lacking(forms: Forms, needs: Iterable[_Need]) -> str | None:
    """The first thing that a rule needs and these forms do not have."""
    return next((reason for reason, has in needs if not has(forms)), None)


_Need = tuple[str, Callable[[Forms], object]]
_ENOUGH: _Need = ("forms", lambda forms: any(len(rows) >= FORMS for rows in forms.waves.values()))
_PEOPLE: _Need = (
    "forms",
    lambda forms: max(map(len, forms.waves.values()), default=0) >= PER_ITEM * len(forms.questions),
)
_GRIDS: _Need = ("questions", lambda forms: forms.grids)
_QUESTIONS: _Need = ("questions", lambda forms: len(forms.questions) >= ITEMS)
_DIRECTIONS: _Need = ("directions", lambda forms: forms.mixed)
_OPPOSITES: _Need = ("directions", lambda forms: len(forms.opposites) >= PAIRS)
_GROUPS: _Need = ("groups", lambda forms: len(forms.groups) >= GROUPS)
_MINUTES: _Need = ("times", lambda forms: forms.minutes is not None)
_STARTED: _Need = ("times", lambda forms: forms.role("started") is not None)
_INTERVIEWER: _Need = ("interviewer", lambda forms: forms.role("interviewer") is not None)
_KNOWN: _Need = ("interviewer", lambda forms: forms.interviewer.notna().any())
_MISSING: _Need = ("missing", lambda forms: forms.missing is not None)
_COMPARED: _Need = ("items", lambda forms: forms.compared.shape[1] >= COMPARED)
_WAVES: _Need = ("waves", lambda forms: len(forms.waves) > 1)
_PANEL: _Need = ("panel", lambda forms: len(forms.again))

# How each rule finds its flags, and what it needs.
_RULES: dict[str, tuple] = {
    "long_run": (_long_run, _GRIDS, _ENOUGH),
    "same_answer": (_same_answer, _DIRECTIONS),
    "variability": (_variability, _QUESTIONS, _ENOUGH),
    "even_odd": (_even_odd, _GROUPS, _ENOUGH),
    "antonyms": (_antonyms, _OPPOSITES, _ENOUGH),
    "outlier": (_outlier, _QUESTIONS, _PEOPLE),
    "fast": (_fast, _MINUTES, _ENOUGH),
    "overlapping": (_overlapping, _INTERVIEWER, _STARTED, _MINUTES),
    "unanswered": (_unanswered, _MISSING, _QUESTIONS, _ENOUGH),
    "near_copy": (partial(_copies, across=False), _COMPARED),
    "copy_across": (partial(_copies, across=True), _COMPARED, _WAVES),
    "repeated": (_repeated, _COMPARED, _PANEL),
    "busy_day": (_busy_day, _INTERVIEWER, _STARTED),
    "fast_interviewer": (_fast_interviewer, _INTERVIEWER, _MINUTES, _ENOUGH),
    "agreement": (_agreement, _KNOWN, _COMPARED),
}
