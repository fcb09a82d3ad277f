"""Responses to flags on suspicious questionnaires: evidence for a person who looks, never a deletion.

Fixed thresholds of the literature flag many honest forms where people agree with each other, as satisfied people do.
So each one is only a floor: a form must also stand apart from the others of its wave, beyond Tukey's (1977) outer
fence or a one in a thousand bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from evalkit.codebook import Variable
from evalkit.resemblance import Nearest, agreement, kappa, nearest, within_agreement
from evalkit.study import Study

COLUMNS = ("row_id", "rule", "value", "threshold", "other", "source", "wave", "unit", "interviewer")
KINDS = {
    "long_run": "pattern",
    "same_answer": "pattern",
    "variability": "pattern",
    "even_odd": "consistency",
    "antonyms": "consistency",
    "outlier": "consistency",
    "fast": "time",
    "overlapping": "time",
    "unanswered": "unanswered",
    "near_copy": "copy",
    "copy_across": "copy",
    "repeated": "copy",
    "busy_day": "interviewer",
    "fast_interviewer": "interviewer",
    "agreement": "interviewer",
}
FORM_RULES = tuple(rule for rule, kind in KINDS.items() if kind != "interviewer")
ITEMS = 6  # a run or a spread of fewer answers says nothing
COMPARED = 20  # items that two forms must both have answered before they may be called copies
GROUPS, PAIRS = 8, 6  # fewer halves or opposites can hardly correlate less than honest ones may
FORMS = 8  # of fewer, quartiles are no fence
PER_ITEM = 5  # forms an item, for distances that rest on all correlations
FORMS_EACH = 5  # of an interviewer, before the interviewer is judged
TAIL = float(stats.norm.isf(0.001))


def screen(responses: pd.DataFrame, study: Study, *, missing: pd.DataFrame | None = None) -> pd.DataFrame:
    """Flags on suspicious questionnaires, by every rule that the study has data for; see `rules`.

    Args:
        responses: one row a form, as `clean` returns it.
        study: for the codebook, the index, and which columns hold interviewer, start, end and duration.
        missing: `row_id, variable, kind`, for the share of questions that were not answered.

    Returns:
        One row a flag, in the order of forms and rules: `row_id`, missing where a flag is about an interviewer;
        `rule`; `value` and the `threshold` beyond which it lies; `other`, the row_id of the form that it resembles
        or overlaps; `source`, the key of a text that says where the threshold comes from; `wave`, `unit`,
        `interviewer`.

        flags = ek.screen(survey.responses, study, missing=survey.missing)
    """
    forms = _Forms(responses.reset_index(drop=True), study, missing)
    found = []
    for rule, (lacking, find) in _RULES.items():
        if lacking(forms) is None:
            flags = find(forms)
            # One flag a form and rule, the clearest: a form may cross a threshold on several scales.
            flags = flags.sort_values("row", kind="stable").drop_duplicates(["row", "interviewer", "day"])
            found.append(flags.assign(rule=rule, source=f"screening_source_{rule}"))
    columns = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _DTYPES.items()})
    flags = pd.concat([flags for flags in found if len(flags)] or [columns], ignore_index=True)
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
    forms = _Forms(responses.reset_index(drop=True), study, missing)
    rows = []
    for rule, (lacking, _) in _RULES.items():
        reason = lacking(forms)
        reason = "" if reason is None else f"screening_lacks_{reason}"
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


def longest_run(codes: npt.NDArray[np.float64], *, of: float | None = None) -> npt.NDArray[np.int64]:
    """The longest run of one answer in each row of codes (n, items), or of the answer `of`.

    A missing answer does not end a run.

    >>> longest_run(np.array([[4, 4, np.nan, 4, 2], [1, 2, 3, 4, 5]])).tolist()
    [3, 1]
    """
    longest, run = (np.zeros(len(codes), dtype=int) for _ in range(2))
    last = np.full(len(codes), np.nan)
    for answer in codes.T:
        given = ~np.isnan(answer)
        run = np.where(given, np.where(answer == last, run + 1, 1), run)
        last = np.where(given, answer, last)
        longest = np.maximum(longest, run if of is None else np.where(answer == of, run, 0))
    return longest


def row_correlation(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The correlation of each row of one array with the same row of the other (n, columns), over columns in both.

    NaN where fewer than two columns are answered in both, or one of them does not vary.
    """
    both = ~np.isnan(first) & ~np.isnan(second)
    count = np.maximum(both.sum(axis=1, keepdims=True), 1)
    first, second = (np.where(both, side, 0.0) for side in (first, second))
    first, second = (np.where(both, side - side.sum(axis=1, keepdims=True) / count, 0.0) for side in (first, second))
    spread = np.sqrt((first**2).sum(axis=1) * (second**2).sum(axis=1))
    product = (first * second).sum(axis=1)
    return np.clip(np.divide(product, spread, out=np.full(len(first), np.nan), where=spread > 1e-12), -1, 1)


def stepped_up(correlation: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A correlation of halves as that of wholes (Spearman-Brown), not below -1."""
    r = np.asarray(correlation, dtype=float)
    return np.maximum(np.divide(2 * r, 1 + r, out=np.where(np.isnan(r), np.nan, -1.0), where=r > -1), -1)


def mahalanobis(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Squared distances of the rows of values (n, items) from their mean, and how many dimensions each rests on.

    Missing answers are left out: means and covariances are those of all who answered, and each row is judged on what
    it has. Dimensions without variance do not count.
    """
    mean = np.divide(np.nansum(values, axis=0), np.maximum((~np.isnan(values)).sum(axis=0), 1))
    covariance = pd.DataFrame(values).cov().fillna(0).to_numpy()
    distance, dimensions = np.full(len(values), np.nan), np.zeros(len(values), dtype=int)
    patterns, which = np.unique(~np.isnan(values), axis=0, return_inverse=True)
    order = np.argsort(which, kind="stable")
    ends = np.searchsorted(which[order], np.arange(len(patterns) + 1))
    for pattern, (start, stop) in zip(patterns, pairwise(ends), strict=True):
        if not pattern.any():
            continue
        rows = order[start:stop]
        variance, axes = np.linalg.eigh(covariance[np.ix_(pattern, pattern)])
        kept = variance > 1e-8 * max(variance[-1], 1e-300)
        turned = (values[np.ix_(rows, np.flatnonzero(pattern))] - mean[pattern]) @ axes[:, kept]
        distance[rows], dimensions[rows] = (turned**2 / variance[kept]).sum(axis=1), kept.sum()
    return np.where(dimensions > 0, distance, np.nan), dimensions


@dataclass(frozen=True)
class _Forms:
    """Responses with what the rules need of them; rows are numbered from 0."""

    frame: pd.DataFrame
    study: Study
    missing: pd.DataFrame | None

    def role(self, name: str) -> pd.Series | None:
        """The column that plays a part in the design, None without one; interviewers' column has the part's name."""
        variable = getattr(self.study.declared.design, name, None)
        column = "interviewer" if name == "interviewer" else variable
        return self.frame[column] if variable is not None and column in self.frame else None

    @cached_property
    def waves(self) -> dict[str, npt.NDArray[np.int64]]:
        """The rows of each wave."""
        return {str(wave): np.asarray(rows) for wave, rows in self.frame.groupby("wave", sort=False).indices.items()}

    @cached_property
    def wave(self) -> npt.NDArray[np.int64]:
        """The number of each form's wave."""
        return pd.factorize(self.frame["wave"])[0]

    @cached_property
    def person(self) -> npt.NDArray[np.int64]:
        """The number of each form's respondent, -1 where unknown."""
        if "respondent" not in self.frame:
            return np.full(len(self.frame), -1)
        return pd.factorize(self.frame["respondent"])[0]

    @cached_property
    def interviewer(self) -> pd.Series:
        """Who filled in each form, missing where unknown."""
        found = self.role("interviewer")
        return pd.Series(None, index=self.frame.index, dtype=object) if found is None else found.astype(object)

    @cached_property
    def minutes(self) -> pd.Series | None:
        """How long each form took."""
        found = self.role("duration")
        if found is not None:
            return found.astype(float)
        started, ended = self.role("started"), self.role("ended")
        return None if started is None or ended is None else (ended - started).dt.total_seconds() / 60

    @cached_property
    def questions(self) -> list[Variable]:
        """The questions with three answers or more, in questionnaire order, without those that describe people."""
        left_out = set(self.study.declared.design.composition)
        return [
            variable
            for variable in self.study.codebook.values()
            if variable.scale is not None and len(variable.scale.valid) > 2
            if variable.name in self.frame and variable.name not in left_out
        ]

    @cached_property
    def points(self) -> npt.NDArray[np.float64]:
        """Answers to the questions from 0 to 1, by code (n, questions): reversed ones are not turned round."""
        columns = []
        for question in self.questions:
            assert question.scale is not None
            codes = [answer.code for answer in question.scale.valid]
            columns.append((self.frame[question.name].to_numpy(dtype=float) - min(codes)) / (max(codes) - min(codes)))
        return np.array(columns).reshape(len(columns), len(self.frame)).T

    @cached_property
    def reverse(self) -> npt.NDArray[np.bool_]:
        """Which questions are reversed."""
        return np.array([question.reverse for question in self.questions], dtype=bool)

    @cached_property
    def grids(self) -> list[npt.NDArray[np.int64]]:
        """The positions of questions that share a scale, where they are enough for runs."""
        names = [question.scale.name for question in self.questions if question.scale is not None]
        found = [np.flatnonzero(np.array(names) == name) for name in dict.fromkeys(names)]
        return [grid for grid in found if len(grid) >= ITEMS]

    @cached_property
    def mixed(self) -> list[npt.NDArray[np.int64]]:
        """The grids that ask in both directions."""
        return [grid for grid in self.grids if 0 < self.reverse[grid].sum() < len(grid)]

    @cached_property
    def groups(self) -> list[npt.NDArray[np.int64]]:
        """The positions of each indicator's questions, of those that have two or more."""
        place = {question.name: at for at, question in enumerate(self.questions)}
        found = [[place[name] for name in node.items if name in place] for node in self.study.index.values()]
        return [np.array(sorted(group)) for group in found if len(group) > 1]

    @cached_property
    def opposites(self) -> list[tuple[int, int]]:
        """Pairs of questions of one indicator that ask in opposite directions, each question in one pair."""
        found: list[tuple[int, int]] = []
        for group in self.groups:
            turned = self.reverse[group]
            found += zip(group[~turned].tolist(), group[turned].tolist(), strict=False)
        return list(dict.fromkeys(found))

    @cached_property
    def compared(self) -> npt.NDArray[np.float64]:
        """The answers by which forms are compared (n, items): all questions, and numbers with few enough values."""
        roles = self.study.declared.design
        left_out = {getattr(roles, name, None) for name in ("weight", "started", "ended", "duration", "interviewer")}
        names = [
            variable.name
            for variable in self.study.codebook.values()
            if variable.name in self.frame and variable.name not in left_out
            if variable.type == "scale" or (variable.type == "number" and self.frame[variable.name].nunique() <= 100)
        ]
        return self.frame[names].to_numpy(dtype=float)

    @cached_property
    def nearest(self) -> tuple[Nearest, Nearest]:
        """The form most like each, in its wave and in other waves."""
        return nearest(self.compared, self.wave, self.person, minimum=COMPARED)

    @cached_property
    def again(self) -> npt.NDArray[np.int64]:
        """The rows of one respondent's form and that of the next wave (pairs, 2)."""
        known = np.flatnonzero(self.person >= 0)
        order = known[np.lexsort((self.wave[known], self.person[known]))]
        same = (self.person[order][1:] == self.person[order][:-1]) & (self.wave[order][1:] != self.wave[order][:-1])
        return np.column_stack([order[:-1][same], order[1:][same]])


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
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _DTYPES.items()})
    return pd.concat(parts, ignore_index=True) if parts else empty.drop(columns=["rule", "source"])


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


def _long_run(forms: _Forms) -> pd.DataFrame:
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


def _same_answer(forms: _Forms) -> pd.DataFrame:
    found = []
    rows = np.arange(len(forms.frame))
    for grid in forms.mixed:
        answers = forms.points[:, grid]
        straight, reversed_ = (~np.isnan(answers[:, forms.reverse[grid] == turned]) for turned in (False, True))
        enough = (~np.isnan(answers)).sum(axis=1) >= ITEMS
        enough &= straight.any(axis=1) & reversed_.any(axis=1)
        different = 1 + (
            np.nan_to_num(answers, nan=-np.inf).max(axis=1) > np.nan_to_num(answers, nan=np.inf).min(axis=1)
        )
        found.append(_flags(rows, different, 2, enough & (different < 2)))
    return _joined(found)


def _variability(forms: _Forms) -> pd.DataFrame:
    found = []
    answered = (~np.isnan(forms.points)).sum(axis=1)
    count = np.maximum(answered, 1)
    mean = np.nansum(forms.points, axis=1) / count
    spread = np.sqrt(np.nansum((forms.points - mean[:, None]) ** 2, axis=1) / count)
    spread[answered < ITEMS] = np.nan
    for rows in forms.waves.values():
        here = spread[rows]
        for sign in (1, -1):
            threshold = sign * _fence(sign * here, -np.inf)
            found.append(_flags(rows, here, threshold, sign * here > sign * threshold))
    return _joined(found)


def _even_odd(forms: _Forms) -> pd.DataFrame:
    aligned = np.where(forms.reverse, 1 - forms.points, forms.points)
    halves = [np.column_stack([_row_mean(aligned[:, group[at::2]]) for group in forms.groups]) for at in (0, 1)]
    correlation = row_correlation(*halves)
    pairs = (~np.isnan(halves[0]) & ~np.isnan(halves[1])).sum(axis=1)
    correlation[pairs < GROUPS] = np.nan
    value = stepped_up(correlation)
    found = []
    for rows in forms.waves.values():
        threshold = np.minimum(0.30, stepped_up(_bound(correlation[rows], pairs[rows], -1)))
        found.append(_flags(rows, value[rows], threshold, value[rows] < threshold))
    return _joined(found)


def _antonyms(forms: _Forms) -> pd.DataFrame:
    first, second = (forms.points[:, list(side)] for side in zip(*forms.opposites, strict=True))
    correlation = row_correlation(first, second)
    pairs = (~np.isnan(first) & ~np.isnan(second)).sum(axis=1)
    correlation[pairs < PAIRS] = np.nan
    found = []
    for rows in forms.waves.values():
        threshold = np.maximum(0, _bound(correlation[rows], pairs[rows], 1))
        found.append(_flags(rows, correlation[rows], threshold, correlation[rows] > threshold))
    return _joined(found)


def _outlier(forms: _Forms) -> pd.DataFrame:
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


def _fast(forms: _Forms) -> pd.DataFrame:
    assert forms.minutes is not None
    found = []
    for rows in forms.waves.values():
        minutes = forms.minutes.to_numpy()[rows]
        if np.isfinite(minutes).sum() >= FORMS:
            threshold = float(np.nanmedian(minutes)) / 3
            found.append(_flags(rows, minutes, threshold, minutes < threshold))
    return _joined(found)


def _overlapping(forms: _Forms) -> pd.DataFrame:
    started, ended = _clock(forms)
    frame = pd.DataFrame({"interviewer": forms.interviewer, "started": started, "ended": ended}).dropna()
    frame = frame.sort_values(["interviewer", "started"], kind="stable")
    last = frame.groupby("interviewer").shift()
    overlap = (last["ended"] - frame["started"]).dt.total_seconds() / 60
    other = pd.Series(frame.index, frame.index).groupby(frame["interviewer"]).shift()
    return _flags(frame.index, overlap, 0, overlap > 0, other.to_numpy())


def _clock(forms: _Forms) -> tuple[pd.Series, pd.Series]:
    """When each form began and ended."""
    started, ended = forms.role("started"), forms.role("ended")
    assert started is not None
    if ended is None:
        assert forms.minutes is not None
        ended = started + pd.to_timedelta(forms.minutes, unit="min")
    return started, ended


def _unanswered(forms: _Forms) -> pd.DataFrame:
    assert forms.missing is not None
    names = [question.name for question in forms.questions]
    kinds = forms.missing[forms.missing["variable"].isin(names)]
    counts = pd.crosstab(kinds["row_id"], kinds["kind"]).reindex(forms.frame["row_id"], fill_value=0)
    asked = len(names) - counts.get("not_applicable", pd.Series(0, counts.index)).to_numpy()
    refused = sum(counts.get(kind, pd.Series(0, counts.index)).to_numpy() for kind in ("dont_know", "refused"))
    share = np.where(asked >= ITEMS, refused / np.maximum(asked, 1), np.nan)
    found = []
    for rows in forms.waves.values():
        threshold = _fence(share[rows], 0.2)
        found.append(_flags(rows, share[rows], threshold, share[rows] > threshold))
    return _joined(found)


def _copies(forms: _Forms, *, across: bool) -> pd.DataFrame:
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


def _near_copy(forms: _Forms) -> pd.DataFrame:
    return _copies(forms, across=False)


def _copy_across(forms: _Forms) -> pd.DataFrame:
    return _copies(forms, across=True)


def _repeated(forms: _Forms) -> pd.DataFrame:
    earlier, later = forms.again.T
    codes = forms.compared
    both = (~np.isnan(codes[earlier]) & ~np.isnan(codes[later])).sum(axis=1) >= COMPARED
    earlier, later = earlier[both], later[both]
    share = agreement(codes[earlier], codes[later])
    threshold = _fence(share, 0.85, few=0.85)
    return _flags(later, share, threshold, (share > threshold) & _alike(codes, later, earlier), earlier)


def _busy_day(forms: _Forms) -> pd.DataFrame:
    started = forms.role("started")
    assert started is not None
    frame = pd.DataFrame({"interviewer": forms.interviewer, "day": started.dt.date, "wave": forms.frame["wave"]})
    counts = frame.dropna().groupby(["wave", "interviewer", "day"], sort=True).size()
    threshold = _fence(counts.to_numpy(dtype=float), 10)
    busy = counts[counts > threshold]
    return _joined([_about(wave, who, n, threshold, day) for (wave, who, day), n in busy.items()])


def _fast_interviewer(forms: _Forms) -> pd.DataFrame:
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


def _agreement(forms: _Forms) -> pd.DataFrame:
    known = np.flatnonzero(forms.interviewer.notna())
    who = pd.MultiIndex.from_arrays([forms.frame["wave"].iloc[known], forms.interviewer.iloc[known]])
    group, names = who.factorize()
    stratum = forms.frame.iloc[known].groupby(["wave", "unit"], sort=False).ngroup().to_numpy()
    found = within_agreement(forms.compared[known], group, stratum)
    # Interviewers do differ a little honestly: what counts is a difference that is large, not only certain.
    threshold = found.expected + np.maximum(TAIL * found.sd, 0.1)
    judged = (np.bincount(group, minlength=len(names)) >= FORMS_EACH) & (found.sd > 1e-9)
    chosen = np.flatnonzero(judged & (found.observed > threshold))
    about = [(*names[at], found.observed[at], threshold[at]) for at in chosen]
    return _joined([_about(wave, name, share, bound) for wave, name, share, bound in about])


def _row_mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    count = (~np.isnan(values)).sum(axis=1)
    return np.divide(np.nansum(values, axis=1), count, out=np.full(len(values), np.nan), where=count > 0)


def _enough_forms(forms: _Forms) -> bool:
    return any(len(rows) >= FORMS for rows in forms.waves.values())


def _lacks_runs(forms: _Forms) -> str | None:
    return "questions" if not forms.grids else None if _enough_forms(forms) else "forms"


def _lacks_directions(forms: _Forms) -> str | None:
    return None if forms.mixed else "directions"


def _lacks_questions(forms: _Forms) -> str | None:
    return "questions" if len(forms.questions) < ITEMS else None if _enough_forms(forms) else "forms"


def _lacks_groups(forms: _Forms) -> str | None:
    return "groups" if len(forms.groups) < GROUPS else None if _enough_forms(forms) else "forms"


def _lacks_opposites(forms: _Forms) -> str | None:
    return "directions" if len(forms.opposites) < PAIRS else None if _enough_forms(forms) else "forms"


def _lacks_people(forms: _Forms) -> str | None:
    if len(forms.questions) < ITEMS:
        return "questions"
    return None if max(map(len, forms.waves.values()), default=0) >= PER_ITEM * len(forms.questions) else "forms"


def _lacks_minutes(forms: _Forms) -> str | None:
    return "times" if forms.minutes is None else None if _enough_forms(forms) else "forms"


def _lacks_clock(forms: _Forms) -> str | None:
    if forms.role("interviewer") is None:
        return "interviewer"
    return "times" if forms.role("started") is None or forms.minutes is None else None


def _lacks_missing(forms: _Forms) -> str | None:
    return "missing" if forms.missing is None else _lacks_questions(forms)


def _lacks_compared(forms: _Forms) -> str | None:
    return "items" if forms.compared.shape[1] < COMPARED else None


def _lacks_waves(forms: _Forms) -> str | None:
    return _lacks_compared(forms) or ("waves" if len(forms.waves) < 2 else None)


def _lacks_panel(forms: _Forms) -> str | None:
    return _lacks_compared(forms) or (None if len(forms.again) else "panel")


def _lacks_days(forms: _Forms) -> str | None:
    return (
        "interviewer" if forms.role("interviewer") is None else None if forms.role("started") is not None else "times"
    )


def _lacks_own_minutes(forms: _Forms) -> str | None:
    return "interviewer" if forms.role("interviewer") is None else _lacks_minutes(forms)


def _lacks_interviewer(forms: _Forms) -> str | None:
    return "interviewer" if forms.interviewer.isna().all() else _lacks_compared(forms)


_RULES: dict[str, tuple[Callable[[_Forms], str | None], Callable[[_Forms], pd.DataFrame]]] = {
    "long_run": (_lacks_runs, _long_run),
    "same_answer": (_lacks_directions, _same_answer),
    "variability": (_lacks_questions, _variability),
    "even_odd": (_lacks_groups, _even_odd),
    "antonyms": (_lacks_opposites, _antonyms),
    "outlier": (_lacks_people, _outlier),
    "fast": (_lacks_minutes, _fast),
    "overlapping": (_lacks_clock, _overlapping),
    "unanswered": (_lacks_missing, _unanswered),
    "near_copy": (_lacks_compared, _near_copy),
    "copy_across": (_lacks_waves, _copy_across),
    "repeated": (_lacks_panel, _repeated),
    "busy_day": (_lacks_days, _busy_day),
    "fast_interviewer": (_lacks_own_minutes, _fast_interviewer),
    "agreement": (_lacks_interviewer, _agreement),
}
