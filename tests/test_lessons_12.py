"""Lessons 1 and 2: right answers again by hand, typical mistakes apart from them, faults that can be found."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest

from evalkit.effects import select
from evalkit.exercises import Work
from evalkit.language import catalogue
from evalkit.lesson_1 import EXERCISES as FIRST
from evalkit.lesson_2 import EXERCISES as SECOND
from evalkit.lesson_2 import item_rest, trial

pytestmark = pytest.mark.slow  # a student's data and report are made for each

ROOT = Path(__file__).resolve().parent.parent
STUDY, SOURCES = ROOT / "data" / "nga-bay", ROOT / "notebooks" / "course" / "source"
EXERCISES = {exercise.code: exercise for exercise in (*FIRST, *SECOND)}
CODES = ("SV01", "LOP3A07", "20231145")


@pytest.fixture(scope="module")
def work():
    return Work("SV01", STUDY)


@pytest.fixture(scope="module")
def works(work):
    """Students who share the survey and have faults of their own in the form."""
    found = [Work(code, STUDY) for code in CODES]
    for one in found:
        one.__dict__.update(study=work.study, survey=work.survey, effects=work.effects)
    return found


def near(exercise, one, other):
    if exercise.kind in ("number", "count"):
        return abs(one - other) <= exercise.tolerance
    return one == other


@pytest.fixture(scope="module")
def levels(work):
    answers = work.survey.responses
    return (25 * (answers["q7"] - 1)).groupby([answers["unit"], answers["wave"]]).mean().unstack()


@pytest.mark.parametrize(
    ("code", "by_hand"),
    [
        ("1.1", lambda change: (change["HL"] + change["NB"]) / 2),
        ("1.2", lambda change: sum(change[unit] > 0 for unit in "ABCDEF")),
        ("1.3", lambda change: sum(sorted(change[list("ABCDEF")])[-2:]) / 2),
        ("1.4", lambda change: (change["HL"] + change["NB"]) / 2 - sum(change[unit] for unit in "ABCDEF") / 6),
    ],
)
def test_lesson_1_again_from_the_answers(work, levels, code, by_hand):
    assert EXERCISES[code].answer(work) == pytest.approx(by_hand(levels["sau"] - levels["truoc"]))


def test_mistakes_of_lesson_1_again_from_the_answers(work, levels):
    pilots, others = levels.loc[["HL", "NB"]].mean(), levels.loc[list("ABCDEF")].mean()
    rise = pilots["sau"] - pilots["truoc"]
    expected = {
        "1_before_minus_after": -rise,
        "1_percent_for_points": 100 * rise / pilots["truoc"],
        "1_pilots_counted": sum(levels["sau"] > levels["truoc"]),
        "1_mean_of_all": others["sau"] - others["truoc"],
        "1_largest_alone": (levels["sau"] - levels["truoc"])[list("ABCDEF")].max(),
        "1_pilots_only": rise,
        "1_after_only": pilots["sau"] - others["sau"],
        "1_added": rise + others["sau"] - others["truoc"],
    }
    found = {key: wrong(work) for exercise in FIRST[:4] for key, wrong in exercise.mistakes.items()}
    assert found == pytest.approx(expected)


def shifted(work, **columns):
    """The student's work with other effects."""
    other = Work("SV01", STUDY)
    other.__dict__.update(study=work.study, effects=work.effects.assign(**columns))
    return other


EVERY = {"HL", "NB", "A", "B", "C", "D", "E", "F"}


@pytest.mark.parametrize(
    ("low", "high", "places", "open_to"), [(1, 9, EVERY, 9), (-9, -1, EVERY, 9), (-1, 9, {"0"}, 9), (-7, 2, {"0"}, 7)]
)
def test_what_is_allowed_and_what_is_open_follow_the_interval(work, low, high, places, open_to):
    other = shifted(work, conf_low_adjusted=low, conf_high_adjusted=high)
    assert [EXERCISES[code].answer(other) for code in ("1.5", "1.6")] == [places, open_to]


def test_mistakes_in_reading_intervals(work, levels):
    other = shifted(work, conf_low_adjusted=-7.0, conf_high_adjusted=2.0)
    found = {key: wrong(other) for code in ("1.5", "1.6") for key, wrong in EXERCISES[code].mistakes.items()}
    care = select(work.effects, indicator="cham_lo", estimand="did", method="unit t")["estimate"].item()
    assert found == {
        "1_pilots_assumed": {"HL", "NB"}, "1_signs_read": set(levels.index[levels["sau"] > levels["truoc"]]),
        "1_unclear_named": EVERY, "1_absence_shown": 0, "1_interval_ignored": abs(care), "1_nearer_end": 2,
        "1_width": 9, "1_sign_kept": -7,
    }  # fmt: skip


def alpha(answers):
    """Cronbach 1951: k / (k - 1) times one less the sum of variances by the variance of the sum."""
    answers, k = answers.dropna(), len(answers.columns)
    return k / (k - 1) * (1 - answers.var().sum() / answers.sum(axis=1).var())


def correlations(tried):
    known = tried.answers.mask(tried.answers > 5)
    rest = {}
    for _, part in tried.questions.groupby("group"):
        full = known[part["question"]].dropna()
        rest |= {question: full[question].corr(full.drop(columns=question).sum(axis=1)) for question in full}
    return pd.Series(rest)


@pytest.mark.parametrize("at", range(len(CODES)))
def test_lesson_2_again_from_the_forms(works, at):
    work = works[at]
    tried = trial(work)
    rest, right = correlations(tried), {code: EXERCISES[code].answer(work) for code in EXERCISES if code > "2"}
    assert item_rest(tried.valid, tried.questions).sort_index().to_numpy() == pytest.approx(rest.sort_index())
    own = {item: code for code, node in work.study.index.items() if node.aggregate == "mean" for item in node.items}
    (misplaced,) = (row.question for row in tried.questions.itertuples() if own[row.item] != row.group)
    assert right["2.1"] == {misplaced}
    given = [code for code in tried.form if code <= 5]
    assert len(given) == len(tried.form) - 1 and list(tried.form).count(99) == 1
    assert right["2.2"] == pytest.approx(sum(25 * (code - 1) for code in given) / len(given))
    assert right["2.3"] == pytest.approx(alpha(tried.answers[tried.form.index].where(lambda codes: codes < 90)))
    assert right["2.4"] == set(rest.sort_values().index[:2])
    group = tried.questions.set_index("question").loc[rest.idxmin(), "group"]
    full = tried.valid[tried.questions.loc[tried.questions["group"] == group, "question"]]
    full[rest.idxmin()] = full[rest.idxmin()].map({1: 5, 2: 4, 3: 3, 4: 2, 5: 1})
    assert right["2.5"] == pytest.approx(alpha(full))
    assert right["2.6"] == "c"


def test_the_faults_stand_apart_from_sound_questions_and_differ_between_students(works):
    rest = [correlations(trial(work)).sort_values() for work in works]
    assert all(one.iloc[0] < -0.3 < one.iloc[1] < 0.15 and one.iloc[2] > one.iloc[1] + 0.05 for one in rest)
    assert len({tuple(one.index[:2]) for one in rest}) == len(works)
    pd.testing.assert_frame_equal(trial(works[1]).answers, trial(Work(CODES[1], STUDY)).answers)


def test_answers_of_the_form_are_those_of_the_first_survey_but_for_the_two_bad_questions(works):
    tried, study, survey = trial(works[0]), works[0].study, works[0].survey
    first = survey.responses[(survey.responses["wave"] == "truoc") & survey.responses["unit"].isin(["HL", "NB"])]
    kinds = survey.missing[survey.missing["row_id"].isin(first["row_id"])]
    bad = EXERCISES["2.4"].answer(works[0])
    for row in tried.questions.itertuples():
        typed = tried.answers[row.question]
        if row.question not in bad:
            assert typed.where(typed <= 5).tolist() == pytest.approx(first[row.item].tolist(), nan_ok=True)
        asked = kinds[kinds["variable"] == row.item]["kind"].value_counts()
        assert [(typed == 98).sum(), (typed == 99).sum()] == [asked.get("refused", 0), asked.get("dont_know", 0)]
    assert list(tried.table(study, "en").columns) == ["Group", "Question"]


@pytest.mark.parametrize("code", EXERCISES)
def test_mistakes_are_neither_the_right_answer_nor_each_other(works, code):
    exercise = EXERCISES[code]
    for work in works[:2]:
        answers = [exercise.answer(work), *(wrong(work) for wrong in exercise.mistakes.values())]
        alike = [(a, b) for at, a in enumerate(answers) for b in answers[at + 1 :] if near(exercise, a, b)]
        assert not alike, (work.code, alike)
        assert exercise.kind != "choice" or set(answers) <= set(exercise.options)


def test_every_text_is_there_and_no_other():
    wanted = {f"course_{key}" for exercise in EXERCISES.values() for key in exercise.mistakes}
    wanted |= {exercise.unit for exercise in EXERCISES.values() if exercise.unit}
    for code in EXERCISES:
        wanted |= {f"course_{code.replace('.', '_')}_{part}" for part in ("hint_1", "hint_2", "hint_3", "way")}
    here = {key for key in catalogue() if key.startswith(("course_1_", "course_2_"))}
    assert here - wanted == {"course_2_column_group", "course_2_column_question", "course_2_axis"} and wanted <= here


@pytest.mark.parametrize(("name", "exercises"), [("1_before_after", FIRST), ("2_questionnaire", SECOND)])
def test_each_exercise_has_its_cell_and_its_solution(name, exercises):
    cells = nbformat.read(SOURCES / f"{name}.ipynb", as_version=4).cells
    tags = [set(cell.metadata.get("tags", [])) for cell in cells]
    at = [number for number, found in enumerate(tags) if "exercise" in found]
    dots = {"number": "...", "count": "...", "choice": '"..."', "codes": '"..."'}
    asked = [f'answer = {dots[one.kind]}\ncourse.check("{one.code}", answer)' for one in exercises]
    assert [cells[number].source for number in at] == asked
    assert all("solution" in tags[number + 1] for number in at)
    assert sum("vi" in found for found in tags) == sum("en" in found for found in tags)
