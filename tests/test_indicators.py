import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

import evalkit as ek
from evalkit.codebook import Answer, Scale, Variable
from evalkit.declaration import Labels, Node
from evalkit.indicators import answer_shares, scale_ends

NAN = np.nan
WORDS = Labels(vi="từ", en="word")
# Codes need not start at 1; those of a missing kind are no ends.
SCALE = Scale("s", (*(Answer(code, {}, (), None) for code in (0, 1, 2, 4)), Answer(9, {}, (), "dont_know")))
PERIODS = {"w1": "before", "w2": "after"}


def variable(name, reverse=False, scale=SCALE):
    return Variable(name, name, "scale" if scale else "number", scale, None, None, {}, reverse, 1)


CODEBOOK = {name: variable(name) for name in ("a", "b", "c")} | {
    "r": variable("r", reverse=True),
    "n": variable("n", scale=None),
}


def scored(frame, *nodes):
    rows = pd.DataFrame({"row_id": [f"w1-{n}" for n in range(len(frame))], "wave": "w1", "unit": "U", "weight": 1.0})
    index = {node["code"]: Node(**{"label": WORDS, "aggregate": "mean"} | node) for node in nodes}
    return ek.score(rows.join(frame), index, CODEBOOK)


def test_items_run_from_0_to_100():
    scores = scored(pd.DataFrame({"a": [0, 1, 2, 4, NAN]}), {"code": "x", "items": ("a",)})
    assert scores["x"].tolist() == approx([0, 25, 50, 100, NAN], nan_ok=True)
    assert scale_ends(SCALE) == (0, 4)


def test_a_reversed_item_counts_the_other_way():
    frame = pd.DataFrame({"a": [4, 0, 1], "r": [0, 4, 1]})
    scores = scored(frame, {"code": "x", "items": ("r",)}, {"code": "y", "items": ("a", "r")})
    assert scores["x"].tolist() == approx([100, 0, 75])
    assert scores["y"].tolist() == approx([100, 0, 50])


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [(0, [50, 50, 100, NAN]), (0.5, [50, 50, NAN, NAN]), (2 / 3, [50, 50, NAN, NAN]), (1, [50, NAN, NAN, NAN])],
)
def test_too_few_answers_give_no_score(minimum, expected):
    frame = pd.DataFrame({"a": [0, 0, 4, NAN], "b": [2, 4, NAN, NAN], "c": [4, NAN, NAN, NAN]})
    node = {"code": "x", "items": ("a", "b", "c"), "minimum_answered": float(minimum)}
    assert scored(frame, node)["x"].tolist() == approx(expected, nan_ok=True)


def test_a_share_is_100_from_the_code_on():
    node = {"code": "x", "aggregate": "share", "items": ("a",), "at_least": 2.0}
    scores = scored(pd.DataFrame({"a": [0, 1, 2, 4, NAN]}), node)
    assert scores["x"].tolist() == approx([0, 0, 100, 100, NAN], nan_ok=True)


def test_a_value_keeps_its_unit():
    node = {"code": "x", "aggregate": "value", "items": ("n",), "unit": WORDS}
    assert scored(pd.DataFrame({"n": [12.5, NAN, 400]}), node)["x"].tolist() == approx([12.5, NAN, 400], nan_ok=True)


def test_a_pooled_percentage_is_of_the_answers_given_and_says_how_many():
    frame = pd.DataFrame({"a": [0, 4, NAN, NAN], "b": [2, 4, 1, NAN], "r": [0, NAN, 4, NAN]})
    node = {"code": "x", "aggregate": "pooled", "items": ("a", "b", "r"), "at_least": 2.0}
    scores = scored(frame, node)
    # Of the reversed item the answers 0, 1 and 2 are as good as 4, 3 and 2.
    assert scores["x"].tolist() == approx([200 / 3, 100, 0, NAN], nan_ok=True)
    assert scores["x/answers"].tolist() == [3, 2, 2, 0]


def test_children_count_alike_whatever_their_items():
    frame = pd.DataFrame({"a": [0, NAN], "b": [4, 4], "c": [4, 4]})
    nodes = [
        {"code": "x", "items": ("a",)},
        {"code": "y", "items": ("b", "c")},
        {"code": "all", "children": ("x", "y")},
        {"code": "half", "children": ("x", "y"), "minimum_answered": 0.5},
    ]
    scores = scored(frame, *nodes)
    assert scores["all"].tolist() == approx([50, NAN], nan_ok=True)
    assert scores["half"].tolist() == approx([50, 100])


@given(st.lists(st.tuples(*[st.sampled_from([0, 1, 2, 4, NAN])] * 3), min_size=1, max_size=20))
def test_scores_stay_within_0_and_100_and_turn_with_the_scale(rows):
    frame = pd.DataFrame(rows, columns=["a", "b", "r"], dtype=float)
    node = {"code": "x", "items": ("a", "b", "r"), "minimum_answered": 0.5}
    scores = scored(frame, node)["x"]
    assert scores.dropna().between(0, 100).all()
    assert (scores.notna() == (frame.notna().sum(axis=1) >= 2)).all()


def test_the_design_comes_first_and_responses_are_left_as_they_were(survey, nga_bay):
    before = survey.responses.copy()
    scores = ek.score(survey.responses, nga_bay.index, nga_bay.codebook, keep=("tuoi", "q7"))
    design = ["row_id", "wave", "unit", "respondent", "interviewer", "cluster", "stratum", "weight"]
    nodes = [
        column for code, node in nga_bay.index.items()
        for column in ([code, f"{code}/answers"] if node.aggregate == "pooled" else [code])
    ]  # fmt: skip
    assert scores.columns.tolist() == [*design, "tuoi", "q7", *nodes]
    pd.testing.assert_frame_equal(scores[["tuoi", "q7"]], before[["tuoi", "q7"]])
    pd.testing.assert_frame_equal(survey.responses, before)
    pd.testing.assert_frame_equal(scores[design], before[design])


def test_scores_of_the_pilot_by_hand(scores, survey):
    answers = survey.responses
    assert scores["hai_long"].tolist() == approx((25 * (answers["q7"] - 1)).tolist(), nan_ok=True)
    assert scores["ty_le_hai_long"].dropna().mean() == approx(100 * (answers["q7"].dropna() >= 4).mean())
    items = answers[[f"q2_{n}" for n in range(1, 5)]]
    by_hand = (25 * (items.mean(axis=1) - 1)).where(items.notna().sum(axis=1) >= 2)
    assert scores["dan_chu"].tolist() == approx(by_hand.tolist(), nan_ok=True)


def shares(codes, kinds, weights):
    rows = [f"w{1 + (n >= 4)}-{n}" for n in range(len(codes))]
    responses = pd.DataFrame({"row_id": rows, "wave": [row[:2] for row in rows], "a": codes, "weight": weights})
    missing = pd.DataFrame({"row_id": rows, "variable": "a", "kind": kinds}).dropna()
    other = pd.DataFrame({"row_id": rows, "variable": "b", "kind": "refused"})
    return answer_shares(responses, pd.concat([missing, other]), CODEBOOK["a"], PERIODS).set_index(["period", "kind"])


def test_answer_shares_are_weighted_and_kinds_counted():
    codes = [4, 4, 0, NAN, 1, NAN, NAN, NAN]
    kinds = [None, None, None, "dont_know", None, "refused", "blank", "blank"]
    found = shares(codes, kinds, [1, 2, 1, 4, 1, 1, 1, 1])
    assert found.loc[("before", "answer"), "code"].tolist() == [0, 1, 2, 4]
    assert found.loc[("before", "answer"), "n"].tolist() == [1, 0, 0, 2]
    assert found.loc[("before", "answer"), "share"].tolist() == approx([25, 0, 0, 75])
    assert found.loc[("before", "dont_know"), ["n", "share"]].tolist() == [1, 50]
    assert found.loc["after", "n"].tolist() == [0, 1, 0, 0, 0, 1, 0, 2]
    assert found.loc["after", "share"].tolist() == approx([0, 100, 0, 0, 0, 25, 0, 50])


def test_nobody_answering_gives_no_share():
    found = shares([NAN] * 5, ["refused"] * 5, [1] * 5)
    assert found.loc[("before", "answer"), "share"].isna().all()
    assert found.loc[("before", "refused"), "share"] == 100


def test_answer_shares_of_the_pilot_sum_to_100(survey, nga_bay):
    for variable in nga_bay.codebook.values():
        if variable.scale:
            found = answer_shares(survey.responses, survey.missing, variable, nga_bay.design.periods)
            answers = found[found["kind"] == "answer"].groupby("period")["share"].sum()
            assert answers.to_dict() == approx({"before": 100, "after": 100})
            assert found["n"].sum() == len(survey.responses)


def test_a_scale_of_one_answer_cannot_be_scored(make_study, messages):
    others = [("BT|Tạm,", "BT|Tạm,not_applicable"), ("HN|Lịch sự,", "HN|Lịch sự,not_applicable")]
    assert messages(make_study(scales=others)) != []


def test_weights_count_and_are_of_what_was_answered():
    frame = pd.DataFrame({"a": [4, 4, NAN], "b": [0, NAN, NAN]})
    node = {"code": "x", "aggregate": "weighted_mean", "items": ("a", "b"), "weights": {"a": 25.0, "b": 75.0}}
    assert scored(frame, node)["x"].tolist() == approx([25, NAN, NAN], nan_ok=True)
    assert scored(frame, node | {"minimum_answered": 0.5})["x"].tolist() == approx([25, 100, NAN], nan_ok=True)


def test_weights_of_children():
    nodes = [
        {"code": "x", "items": ("a",)},
        {"code": "y", "items": ("b",)},
        {"code": "all", "aggregate": "weighted_mean", "children": ("x", "y"), "weights": {"y": 90.0, "x": 10.0}},
    ]
    assert scored(pd.DataFrame({"a": [4], "b": [0]}), *nodes)["all"].tolist() == approx([10])


MORE_NODES = """
[[node]]
code = "tren"
label = { vi = "Trên", en = "Above" }
aggregate = "weighted_mean"
children = ["thai_do", "duoi"]
weights = { thai_do = 60.0, duoi = 30.0 }

[[node]]
code = "duoi"
label = { vi = "Dưới", en = "Below" }
aggregate = "mean"
children = ["tren"]

[[node]]
code = "hai_lan"
label = { vi = "Hai lần", en = "Twice" }
aggregate = "mean"
items = ["q1", "q1"]
"""


def test_weights_cycles_and_items_twice_are_all_said_by_check(make_study, messages):
    assert messages(make_study(index=lambda text: text + MORE_NODES)) == [
        'index.toml, "node tren": the child "duoi" is itself made of this node (a cycle); remove one of the two '
        "directions.",
        'index.toml, "node tren": the weights sum to 90; they must sum to 100.',
        'index.toml, "node hai_lan": "q1" is counted twice in this node; each part may be counted once.',
    ]
