"""Training classes: what they knew before and after, which questions tell, who was lost, what they thought of it.

The statistics are those of surveys: `comparison` for the change, `attrition` for who was lost, `reliability` for
the test. Only the normalised gain and the discrimination by groups are of this place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from evalkit.attrition import standardised_difference
from evalkit.comparison import compare
from evalkit.declaration import Labels, Node, Plan
from evalkit.effects import bind, make_effects
from evalkit.estimation import Floats, domain_means
from evalkit.panel_effects import REWEIGHTED, SEEN
from evalkit.reliability import interval, reliability
from evalkit.sample import CHANGE
from evalkit.study import PERIODS, Design
from evalkit.training_files import Class, Training

TEST = "test"  # the indicator in the rows of effects: percent of the questions answered rightly
KEPT = ("level", "change", "lost", "lost difference")
EXTREME = 0.27  # of the class at either end: Kelley 1939, Journal of Educational Psychology 30


def training_effects(training: Training, *, level: float) -> pd.DataFrame:
    """Effects of the tests, one group a class: levels, changes, who was lost, the normalised gain, reliability.

    The indicator is `test`, percent of the questions answered rightly. `level`, `change`, `lost` and `lost
    difference` as from `comparison.compare`, each trainee a person met twice: the paired change is the method
    `linearised, seen twice`, its `worst case` bounds are those had the others answered everything wrongly or
    rightly after. `normalised_gain` of those who sat both tests: (after − before)/(100 − before) of the class
    means (Hake 1998, American Journal of Physics 66), by linearisation, its interval on log(1 − gain); it has a
    top but no bottom, and classes that knew more before tend to gain more by it (Nissen et al. 2018, Physical
    Review Physics Education Research 14). `alpha` of the test, before and after.
    """
    return bind(make_effects([]), *(_class_effects(training, one, level) for one in training.classes if one.test))


def question_analysis(training: Training, *, level: float) -> pd.DataFrame:
    """How hard each question was, and whether it tells those who know from those who do not, before and after.

    Returns `class, item, period, n`; `share`, answered rightly, 0 to 1, with `low`, `high` (Wilson 1927, JASA 22);
    `discrimination`, the share in the upper 27 % of the class by total score less that in the lower 27 % (Kelley
    1939), those with equal scores at the edge counted in part; `item_rest`, the point-biserial correlation with
    the rest of the test, with `rest_low`, `rest_high`. NaN where everybody or nobody was right.
    """
    columns = ["class", "item", "period", "n", "share", "low", "high", "discrimination"]
    columns += ["item_rest", "rest_low", "rest_high"]
    rows = []
    for one in training.classes:
        for period in PERIODS:
            right = _right(training, one, period)
            if right.empty:
                continue
            n, correct = len(right), right.sum().to_numpy()
            low, high = proportion_confint(correct, n, alpha=1 - level, method="wilson")
            apart = _discrimination(right.to_numpy())
            varying = right.loc[:, right.nunique() > 1]
            rest = dict.fromkeys(right, (np.nan, np.nan, np.nan))
            if varying.shape[1] > 1 and n > 2:
                found = reliability(varying)
                errors, df = _errors(found.influence)
                for at, item in enumerate(varying, start=2):
                    estimate = float(found.item_rest[at - 2])
                    rest[item] = (estimate, *interval(estimate, errors[at], df, level=level, correlation=True))
            for at, item in enumerate(right):
                numbers = (n, correct[at] / n, low[at], high[at], apart[at], *rest[item])
                rows.append((one.code, item, period, *numbers))
    return pd.DataFrame(rows, columns=columns)


def leavers(training: Training) -> pd.DataFrame:
    """Those who did not finish beside those who did: the score before, and each trait.

    Returns `class, variable, value, n_finished, n_left, finished, left, difference`: for the score (`variable` is
    `test`, `value` empty) means in percent; for each value of a trait counts, and shares in percent. `difference`
    is that of `attrition.standardised_difference`, left less finished.
    """
    rows = []
    for one in training.classes:
        people = training.people[training.people["class"] == one.code].set_index("trainee")
        left = ~people["finished"].to_numpy(dtype=bool)
        described: list[tuple[str, str, Floats]] = []
        if one.test:
            described.append((TEST, "", training.scores(one.code)["before"].reindex(people.index).to_numpy(float)))
        traits = training.traits[training.traits["class"] == one.code]
        for variable, found in traits.groupby("variable", sort=False):
            value = found.set_index("trainee")["value"].reindex(people.index)
            described += [(str(variable), words, 100.0 * (value == words).to_numpy()) for words in sorted(set(value))]
        for variable, name, numbers in described:
            known = ~np.isnan(numbers)
            counted = known if variable == TEST else known & (numbers > 0)
            apart = standardised_difference(numbers[:, None], left)[0] if left.any() else np.nan
            means = [numbers[known & part].mean() if (known & part).any() else np.nan for part in (~left, left)]
            rows.append((one.code, variable, name, (counted & ~left).sum(), (counted & left).sum(), *means, apart))
    columns = ["class", "variable", "value", "n_finished", "n_left", "finished", "left", "difference"]
    return pd.DataFrame(rows, columns=columns)


def satisfied(training: Training, *, level: float) -> pd.DataFrame:
    """The share of valid answers that are satisfied, one row a question of the form at the end.

    Returns `class, item, n, share, low, high`, shares 0 to 1, the interval Wilson's (1927, JASA 22). It is about
    trainees like these; of the forms of this class the share is exact.
    """
    rows = []
    for one in training.classes:
        for item in one.satisfaction.items if one.satisfaction else ():
            found = training.opinions
            codes = found.loc[(found["class"] == one.code) & (found["item"] == item.code), "code"].dropna()
            n, good = len(codes), int((codes >= one.satisfaction.at_least).sum())  # type: ignore[union-attr]
            low, high = proportion_confint(good, n, alpha=1 - level, method="wilson") if n else (np.nan, np.nan)
            rows.append((one.code, item.code, n, good / n if n else np.nan, low, high))
    return pd.DataFrame(rows, columns=["class", "item", "n", "share", "low", "high"])


def _class_effects(training: Training, one: Class, level: float) -> pd.DataFrame:
    found = training.scores(one.code).stack().rename(TEST).reset_index()
    assert one.test is not None
    items = tuple(item.code for item in one.test.items)
    design_columns = {"row_id": found["period"] + "-" + found["trainee"], "wave": found["period"], "unit": one.code}
    design_columns |= dict.fromkeys(("respondent", "cluster"), found["trainee"]) | {"stratum": "1", "weight": 1.0}
    scores = pd.DataFrame(design_columns | {TEST: found[TEST]})
    scores = scores.sort_values("wave", ascending=False, kind="stable", ignore_index=True)
    index = {TEST: Node(code=TEST, label=Labels(vi=TEST, en=TEST), aggregate="mean", items=items)}
    design = Design(arms={one.code: None}, periods=dict(zip(PERIODS, PERIODS, strict=True)), followed=True)
    effects = compare(scores, design, Plan(primary=(TEST,), confidence_level=level), index)
    linear = effects["method"].str.startswith(("linearised", "worst case")) & ~effects["method"].str.contains("fixed")
    kept = effects[(effects["group"] == "all") & effects["estimand"].isin(KEPT) & linear].assign(group=one.code)
    twice = kept["method"].isin([SEEN, REWEIGHTED])
    kept.loc[twice, ["n_before", "n_after"]] = len(training.scores(one.code).dropna())
    extra = [_gain(training, one, level), *(_test_alpha(training, one, period, level) for period in PERIODS)]
    own = [{"indicator": TEST, "group": one.code, "unit": "ratio", "weights": "none", **row} for row in extra]
    return bind(kept, make_effects(own))


def _gain(training: Training, one: Class, level: float) -> dict[str, Any]:
    """Hake's gain of the class means, among those who sat both tests."""
    both = training.scores(one.code).dropna()
    words = {"estimand": "normalised_gain", "contrast": CHANGE, "method": "linearised", "conf_level": level}
    words |= {"n_before": len(both), "n_after": len(both)}
    room = 100 - both["before"]
    if not room.sum() > 0:
        return words | {"note": "no_answers" if both.empty else "constant"}
    gain = (both["after"] - both["before"]).sum() / room.sum()
    influence = (both["after"] - both["before"] - gain * room) / room.mean()
    (error,), df = _errors(influence.to_numpy()[:, None])
    low, high = interval(gain, error, df, level=level)
    numbers = {"estimate": gain, "std_error": error, "df": df, "conf_low": low, "conf_high": high}
    return words | numbers | {"n_clusters": len(both)}


def _test_alpha(training: Training, one: Class, period: str, level: float) -> dict[str, Any]:
    """Alpha (of 0 and 1: Kuder & Richardson's formula 20) of the questions that not everybody got right or wrong."""
    right = _right(training, one, period)
    right = right.loc[:, right.nunique() > 1]
    words = {"estimand": "alpha", "contrast": period, "method": "linearised", "conf_level": level}
    words |= {f"n_{period}": len(right)}
    if right.shape[1] < 2 or len(right) < 3:
        return words | {"note": "constant" if len(right) else "no_answers"}
    found = reliability(right)
    errors, df = _errors(found.influence[:, :1])
    low, high = interval(found.alpha, errors[0], df, level=level)
    return words | {"estimate": found.alpha, "std_error": errors[0], "df": df, "conf_low": low, "conf_high": high}


def _errors(influence: Floats) -> tuple[Floats, float]:
    """Standard errors of coefficients from what each trainee contributes, and their degrees of freedom."""
    found = domain_means(influence, np.zeros(len(influence)))
    return found.std_error[0], float(found.df[0, 0])


def _right(training: Training, one: Class, period: str) -> pd.DataFrame:
    """Right or not (1, 0), one row a trainee who sat the test, one column a question."""
    found = training.answers
    found = found[(found["class"] == one.code) & (found["period"] == period)]
    items = [item.code for item in one.test.items] if one.test else []
    return found.pivot(index="trainee", columns="item", values="right").reindex(columns=items)


def _discrimination(right: Floats) -> Floats:
    """Share right in the upper less that in the lower 27 % by total score; equal scores at the edge count in part."""
    total, count = right.sum(axis=1), EXTREME * len(right)
    ends = []
    for score in (total, -total):
        better = (score[None, :] > score[:, None]).sum(axis=1)
        equal = (score[None, :] == score[:, None]).sum(axis=1)
        ends.append(np.clip((count - better) / equal, 0, 1) @ right / count)
    found: Floats = ends[0] - ends[1]
    return np.where(np.ptp(right, axis=0) > 0, found, np.nan)
