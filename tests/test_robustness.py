"""The result in every way of analysis: the ways by hand, and a study on which it hangs on one choice."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import CORRECTIONS, ROOT
from test_comparison import one

import evalkit as ek
from evalkit.robustness import SPECIFICATION, specifications
from evalkit.sample import BETWEEN, DID


@pytest.fixture(scope="module")
def found(survey, nga_bay):
    return specifications(survey, nga_bay)


def ways(found):
    """Estimates by way, in words."""
    rows = found[found["estimand"] == SPECIFICATION]
    return dict(zip(rows["contrast"] + "|" + rows["method"], rows["estimate"], strict=True))


def robustness_words(found, study, language):
    return " ".join(ek.tables.robustness_sentences(found, study, language))


def counts(found):
    every = (found["method"] == "specification curve") & (found["contrast"] == "all")
    rows = found[every].set_index("estimand")["estimate"]
    return rows["specifications agreeing"], rows["specifications"]


def test_the_first_way_is_what_the_plan_tests(found, effects):
    planned = one(effects, "hai_long", BETWEEN, "did", DID, "unit t")
    for column in ("estimate", "std_error", "df", "conf_low", "conf_high"):
        assert found.loc[0, column] == pytest.approx(planned[column], rel=1e-12)
    assert (found.loc[0, "contrast"], found.loc[0, "method"]) == ("cleaned|missing|units|mean", "units")


def test_other_ways_of_nga_bay_are_those_of_compare(found, effects):
    people = found.set_index(["contrast", "method"])
    for words, method in (
        ("cleaned|missing|units|mean", "linearised"),
        ("cleaned|missing|raked|mean", "linearised, raked"),
    ):
        expected = one(effects, "hai_long", BETWEEN, "did", DID, method)
        row = people.loc[(words, "people")]
        assert row[["estimate", "std_error"]].tolist() == pytest.approx(expected[["estimate", "std_error"]].tolist())
    above = [one(effects, "hai_long", arm, "superiority", "after against before") for arm in ("pilot", "comparison")]
    ordinal = people.loc[("cleaned|missing|units|ordinal", "people")]
    # Twice the superiority less one, arm less arm; the arms are different people.
    assert ordinal["estimate"] == pytest.approx(2 * (above[0]["estimate"] - above[1]["estimate"]))
    assert ordinal["std_error"] == pytest.approx(2 * np.hypot(above[0]["std_error"], above[1]["std_error"]))


def test_every_choice_is_crossed_with_every_other(found):
    """Four data × two readings of don't-know × three scores, by units in 2 and by people in 3 weightings."""
    assert counts(found)[1] == len(ways(found)) == 4 * 2 * 3 * (2 + 3)
    parts = found[found["estimand"] == SPECIFICATION]["contrast"].str.split("|", expand=True)
    assert [set(parts[at]) for at in range(4)] == [
        {"cleaned", "uncorrected", "unflagged", "complete"}, {"missing", "middle"}, {"units", "people", "raked"},
        {"mean", "share", "ordinal"},
    ]  # fmt: skip


def test_agreement_is_an_interval_on_the_same_side_of_zero(found):
    rows = found[found["estimand"] == SPECIFICATION]
    assert found.loc[0, "conf_low"] > 0
    assert counts(found)[0] == (rows["conf_low"] > 0).sum() < len(rows)


NO_ARMS = [
    ('arm = "pilot"\n', ""),
    ('arm = "comparison"\n', ""),
    ("issued = { TD = 10 }\nreturned = { TD = 2 }\n", ""),
]


def small(make_study, *changes, **files):
    """The smallest study without arms: q1 alone is the outcome; 1 = 0, 2 = 50, 3 = 100 points."""
    index = ('items = ["q1", "q2"]\nminimum_answered = 0.5', 'items = ["q1"]')
    return ek.check(make_study(index=index, study=[*NO_ARMS, *changes], **files))


def wave(day, answers, second="1"):
    """A raw file: one line an answer to q1, two villages in each of three communes."""
    places = ["TD,Ấp 1", "TD,Ấp 2", "007,Ấp 1", "007,Ấp 2", "DC,Ấp 1", "DC,Ấp 2"]
    lines = [
        f"Người {i},H{i},{places[i % 6]},{day},41,{answer},{second if i else 'KB'}"
        for i, answer in enumerate(answers)
    ]
    return "Họ tên,Mã hộ,Đơn vị,Ấp,Ngày,Tuổi,Câu 1,Câu 2\n" + "\n".join(lines) + "\n"


BEFORE, AFTER = "05/01/2026", "02/11/2026"


def points(answers):
    return np.mean([{"1": 0.0, "2": 50.0, "3": 100.0}[one] for one in answers if one != "KB"])


def test_uncorrected_complete_and_middle_by_hand(make_study):
    """One answer was corrected from 1 to 3; two people do not know before, one person left question 2 open."""
    before, after = ["1", "2", "KB", "2", "3", "1", "2", "KB"] + ["1"] * 10, ["2", "3", "1", "3", "3", "2"] * 3
    corrected = ["3", *after[1:]]
    study, survey = small(
        make_study,
        truoc=wave(BEFORE, before), sau=wave(AFTER, ["1", *after[1:]]),
        corrections=CORRECTIONS + "sau-2,q1,set,1,3,Xem phiếu\n",
    )  # fmt: skip
    found = ways(specifications(survey, study))
    change = points(corrected) - points(before)
    assert found["cleaned|missing|people|mean|people"] == pytest.approx(change)
    assert found["uncorrected|missing|people|mean|people"] == pytest.approx(
        points(["1", *after[1:]]) - points(before)
    )
    middle = points(corrected) - points(["2" if one == "KB" else one for one in before])
    assert found["cleaned|middle|people|mean|people"] == pytest.approx(middle)
    # Complete forms have all items of the plan: here only q1, so that they are those without a don't-know.
    # They are the same forms, so that they count once.
    assert not any(words.startswith("complete|missing") for words in found)
    share = 100 * (np.mean([one == "3" for one in corrected])
                   - np.mean([one == "3" for one in before if one != "KB"]))  # fmt: skip
    assert found["cleaned|missing|people|share|people"] == pytest.approx(share)
    codes = [[{"1": 1, "2": 2, "3": 3}[one] for one in wave if one != "KB"] for wave in (before, corrected)]
    above = np.mean([np.sign(late - early) for early in codes[0] for late in codes[1]])
    assert found["cleaned|missing|people|ordinal|people"] == pytest.approx(100 * above)


def test_complete_forms_answer_every_item_of_the_plan(make_study):
    """With q2 a secondary outcome, the one who left it open counts no more; without, everybody does."""
    more = (
        '[[node]]\ncode = "gat_gong"\nlabel = { vi = "Gắt gỏng", en = "Harsh" }\naggregate = "mean"\nitems = ["q2"]\n'
    )
    answers = ["3", "1", "2", "2", "3", "1"] * 3
    study, survey = ek.check(make_study(
        index=lambda text: text.replace('["q1", "q2"]\nminimum_answered = 0.5', '["q1"]') + more,
        study=[*NO_ARMS, ('["thai_do"]', '["thai_do"]\nsecondary = ["gat_gong"]')],
        truoc=wave(BEFORE, answers), sau=wave(AFTER, answers[::-1]),
    ))  # fmt: skip
    found = ways(specifications(survey, study))
    expected = points(answers[::-1][1:]) - points(answers[1:])
    assert found["complete|missing|people|mean|people"] == pytest.approx(expected)
    assert found["cleaned|missing|people|mean|people"] == pytest.approx(0)


def test_a_result_that_hangs_on_one_choice_shows_it(make_study):
    """A rise, unless the twelve who did not know before are put in the middle of the scale."""
    before, after = ["1", "1", "2", "1", "1", "1"] + ["KB"] * 12, ["1"] * 6 + ["2"] * 12
    alone = ('cluster = "ap"\n', "")  # everybody is drawn alone, or six villages would show nothing
    study, survey = small(make_study, alone, truoc=wave(BEFORE, before), sau=wave(AFTER, after))
    found = specifications(survey, study)
    agreeing, number = counts(found)
    assert agreeing < number
    rows = found[found["estimand"] == SPECIFICATION].set_index("contrast")
    mean = rows.loc[["cleaned|missing|people|mean", "cleaned|middle|people|mean"], "estimate"]
    assert mean.iloc[0] > 0 > mean.iloc[1] and found.loc[0, "conf_low"] > 0
    sentence = robustness_words(found, study, "en")
    assert f" {agreeing:.0f} of {number:.0f} " in sentence
    holds = robustness_words(found, study, "vi")
    assert f" {agreeing:.0f}" in holds


def test_without_an_interval_in_the_planned_way_there_are_no_rows(make_study):
    study, survey = small(make_study, truoc=wave(BEFORE, ["2"] * 12), sau=wave(AFTER, ["2"] * 12))
    found = specifications(survey, study)
    assert found.empty
    assert robustness_words(found, study, "en").startswith("The planned analysis gives no interval")


def test_records_have_one_sample_and_no_weighting_to_choose():
    study = ek.open_study(ROOT / "data/organ-donations")
    found = specifications(ek.clean(ek.read(study), study), study)
    assert found.loc[0, "estimate"] == pytest.approx(-0.022459, abs=5e-7)
    assert set(ways(found)) <= {"cleaned|missing|units|mean|units", "cleaned|missing|units|mean|people"}


def test_a_village_or_unit_that_a_decision_filled_in_does_not_stop_the_uncorrected_way(make_study):
    """Left blank on the form, written in by corrections.csv: without the decision the form has no place."""
    answers = ["3", "1", "2", "2", "3", "1"] * 3
    for column, blanked, new in (("ap", "TD,,", "Ấp 1"), ("don_vi", ",Ấp 1,", "TD")):
        text = wave(AFTER, answers[::-1]).replace("TD,Ấp 1,", blanked, 1)
        study, survey = small(make_study, truoc=wave(BEFORE, answers), sau=text,
                              corrections=CORRECTIONS + f"sau-2,{column},set,,{new},Xem phiếu\n")  # fmt: skip
        assert len(ways(specifications(survey, study))) > 0


def test_a_pooled_percentage_stays_a_ratio_of_sums(nga_bay, survey):
    """The planned way of `tl_cchc` is the planned effect: its denominators count in every way."""
    plan = nga_bay.plan.model_copy(update={"primary": ("tl_cchc",), "secondary": ()})
    study = replace(nga_bay, declared=nga_bay.declared.model_copy(update={"plan": plan}))
    scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    planned = one(ek.compare(scores, study.design, plan, study.index), "tl_cchc", BETWEEN, "did", DID, "unit t")
    first = specifications(survey, study).iloc[0]
    assert first[["estimate", "std_error"]].tolist() == pytest.approx(planned[["estimate", "std_error"]].tolist())
