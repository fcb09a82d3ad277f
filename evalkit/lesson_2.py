"""Lesson 2: from six groups of criteria to items; do they hang together; two bad ones found and one out of place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from evalkit.exercises import GROUPS, Exercise, Work
from evalkit.language import Language, label, text
from evalkit.reliability import reliability
from evalkit.reliability_tables import LEAST_ITEM_REST
from evalkit.simulation import DONT_KNOW, REFUSED
from evalkit.study import Study

WORST, BEST = 1, 5  # of the one scale on which all items of the pilot are answered
# Items that nobody would look for in the groups beside them.
_ELSEWHERE = {
    "q3_1": ("cchc", "cham_lo", "cntt"),
    "q3_3": ("dan_chu", "cham_lo", "cntt"),
    "q5_2": ("dan_chu", "van_hoa", "cham_lo"),
    "q5_3": ("dan_chu", "van_hoa", "cham_lo"),
    "q6_2": ("cntt", "van_hoa", "cchc"),
    "q6_3": ("cntt", "van_hoa", "cchc"),
}
_ENOUGH = 5  # with fewer items a reversed one drags the correlations of the others down with it


@dataclass(frozen=True)
class Trial:
    """A questionnaire tried out, with three faults in it: an item in a wrong group, one reversed, one stray.

    questions: `question, group, item`, one row a question in the order of the form. answers: one column a question,
    one row a form, codes as typed: 98 refused, 99 don't know, NaN blank. group: one without faults. row: a form that
    answers one of its questions with 99.
    """

    questions: pd.DataFrame
    answers: pd.DataFrame
    group: str
    row: int

    @property
    def form(self) -> pd.Series:
        """The codes that one person gave to the questions of `group`."""
        return self.answers.loc[self.row, self.of(self.group)].astype(int)

    @property
    def valid(self) -> pd.DataFrame:
        """The answers without refused and don't know."""
        return self.answers.where(self.answers <= BEST)

    def of(self, group: str) -> list[str]:
        """The questions that the form lists under a group."""
        return self.questions.loc[self.questions["group"] == group, "question"].tolist()

    def table(self, study: Study, language: Language) -> pd.DataFrame:
        """The form as it is read: group and wording of every question."""
        columns = {
            "group": [label(study.index[group].label, language) for group in self.questions["group"]],
            "question": [label(study.codebook[item].labels, language) for item in self.questions["item"]],
        }
        table = pd.DataFrame(columns, index=self.questions["question"].rename(None))
        return table.rename(columns=lambda name: text(f"course_2_column_{name}", language))


def trial(work: Work) -> Trial:
    """The student's questionnaire: the first survey's forms of the pilot communes, with faults drawn by her code."""
    rng = np.random.default_rng(list(work.code.encode()))
    members = {group: list(work.study.index[group].items) for group in GROUPS}
    moved = rng.choice(list(_ELSEWHERE))
    home = next(group for group in GROUPS if moved in members[group])
    target = rng.choice(_ELSEWHERE[moved])
    members[home].remove(moved)
    members[target].insert(rng.integers(1, len(members[target])), moved)
    sound = [group for group in GROUPS if group not in (home, target)]
    first = rng.choice([group for group in sound if len(members[group]) >= _ENOUGH])
    second, clean = rng.permutation([group for group in sound if group != first])[:2]
    reversed_, stray = rng.choice(_missed_if_dropped(work, str(first))), rng.choice(members[second])

    typed = _as_typed(work)
    typed[reversed_] = typed[reversed_].mask(typed[reversed_] <= BEST, WORST + BEST - typed[reversed_])
    typed[stray] = rng.permutation(typed[stray])
    part = typed[members[clean]]
    mean = part.where(part <= BEST).mean(axis=1)
    # Neither all worst nor all best: there some of the wrong ways to score give the right result.
    telling = (part == DONT_KNOW).sum(axis=1).eq(1) & (part <= BEST).sum(axis=1).eq(len(part.columns) - 1)
    row = int(part.index[telling & mean.between(WORST + 0.5, BEST - 0.5)][0])

    listed = [(group, str(item)) for group, items in members.items() for item in items]
    questions = pd.DataFrame(listed, columns=["group", "item"])
    questions.insert(0, "question", [f"c{number:02d}" for number in range(1, len(listed) + 1)])
    answers = typed[questions["item"]].set_axis(questions["question"].tolist(), axis=1)
    return Trial(questions, answers, str(clean), row)


def item_rest(answers: pd.DataFrame, questions: pd.DataFrame) -> pd.Series:
    """Every question's correlation with the sum of the others of its group: question → correlation.

    answers: `Trial.valid`, or that with some columns mended or left out. questions: `Trial.questions`.
    """
    groups = questions[questions["question"].isin(answers)].groupby("group", sort=False)["question"]
    return pd.concat([pd.Series(reliability(answers[list(part)]).item_rest, list(part)) for _, part in groups])


@lru_cache(maxsize=8)
def _missed_if_dropped(work: Work, group: str) -> list[str]:
    """The half of a group's items without which its alpha changes most: to drop one of them is not to turn it."""
    answers = _as_typed(work)[list(work.study.index[group].items)]
    answers = answers.where(answers <= BEST)
    alpha = {item: reliability(answers.drop(columns=item)).alpha for item in answers}
    return (pd.Series(alpha) - reliability(answers).alpha).abs().nlargest(len(alpha) // 2).index.tolist()


def _as_typed(work: Work) -> pd.DataFrame:
    """The first survey's answers of the pilot communes, with the codes of those who refused or did not know."""
    study, responses = work.study, work.survey.responses
    first = responses["wave"] == study.declared.waves[0].code
    here = first & (responses["unit"].map(study.design.arms) == "pilot")
    answers = responses[here].set_index("row_id")[[item for group in GROUPS for item in study.index[group].items]]
    missing = work.survey.missing[work.survey.missing["row_id"].isin(answers.index)]
    codes = missing.assign(code=missing["kind"].map({"dont_know": DONT_KNOW, "refused": REFUSED}))
    return answers.fillna(codes.pivot(index="row_id", columns="variable", values="code")).reset_index(drop=True)


def _misplaced(work: Work) -> set[str]:
    rows = trial(work).questions
    own = {item: group for group in GROUPS for item in work.study.index[group].items}
    return set(rows.loc[rows["item"].map(own) != rows["group"], "question"])


def _lowest_means(work: Work, count: int) -> set[str]:
    tried = trial(work)
    return set(tried.valid.drop(columns=[*_misplaced(work), *_bad(work)]).mean().nsmallest(count).index)


def _score(work: Work, *, known: int = BEST, all_items: bool = False) -> float:
    """The score of the one form; with `known` 99 that code counts, with `all_items` missing ones count as worst."""
    form = trial(work).form
    points = (form[form <= known] - WORST) * 100 / (BEST - WORST)
    return points.sum() / (len(form) if all_items else len(points))


def _mean_code(work: Work) -> float:
    form = trial(work).form
    return form[form <= BEST].mean()


def _alpha(work: Work, *, typed: bool = False) -> float:
    tried = trial(work)
    return reliability((tried.answers if typed else tried.valid)[tried.of(tried.group)]).alpha


def _mean_correlation(work: Work) -> float:
    tried = trial(work)
    correlations = tried.valid[tried.of(tried.group)].corr().to_numpy()
    return correlations[np.triu_indices_from(correlations, 1)].mean()


@lru_cache(maxsize=2)
def _found(work: Work) -> pd.Series:
    """The two lowest correlations of all, the lower one first."""
    tried = trial(work)
    return item_rest(tried.valid, tried.questions).nsmallest(2)


def _bad(work: Work) -> set[str]:
    return set(_found(work).index)


def _alpha_mended(work: Work, how: str) -> float:
    """Alpha of the group with the most negative item: `turned`, `dropped`, or `left` as it is."""
    tried, bad = trial(work), _found(work).index[0]
    group = tried.questions.set_index("question").loc[bad, "group"]
    answers = tried.valid[tried.of(group)]
    if how == "turned":
        answers = answers.assign(**{bad: WORST + BEST - answers[bad]})
    return reliability(answers.drop(columns=bad) if how == "dropped" else answers).alpha


def _remedy(work: Work) -> str:
    """Turn an item around where it goes clearly against the others; take it out where it goes with nothing."""
    against = (_found(work) < -LEAST_ITEM_REST).sum()
    return {2: "a", 0: "b"}.get(against, "c")


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "2.1",
        "codes",
        _misplaced,
        mistakes={"2_low_mark": lambda work: _lowest_means(work, 1)},
    ),
    Exercise(
        "2.2",
        "number",
        _score,
        unit="course_2_unit",
        mistakes={
            "2_counted_99": lambda work: _score(work, known=DONT_KNOW),
            "2_divided_by_all": lambda work: _score(work, all_items=True),
            "2_mean_of_codes": _mean_code,
            "2_times_twenty": lambda work: 100 * _mean_code(work) / BEST,
        },
    ),
    Exercise(
        "2.3",
        "number",
        _alpha,
        decimals=2,
        mistakes={
            "2_alpha_with_99": lambda work: _alpha(work, typed=True),
            "2_mean_correlation": _mean_correlation,
        },
    ),
    Exercise(
        "2.4",
        "codes",
        _bad,
        mistakes={
            "2_only_negative": lambda work: set(_found(work).index[:1]),
            "2_only_stray": lambda work: set(_found(work).index[1:]),
            "2_low_marks": lambda work: _lowest_means(work, 2),
        },
    ),
    Exercise(
        "2.5",
        "number",
        lambda work: _alpha_mended(work, "turned"),
        decimals=2,
        mistakes={
            "2_not_turned": lambda work: _alpha_mended(work, "left"),
            "2_dropped_not_turned": lambda work: _alpha_mended(work, "dropped"),
        },
    ),
    Exercise(
        "2.6",
        "choice",
        _remedy,
        options=("a", "b", "c", "d"),
        mistakes={
            "2_turned_both": lambda work: "a",
            "2_dropped_both": lambda work: "b",
            "2_many_questions": lambda work: "d",
        },
    ),
)
