"""Bad input: a clear error or a noted row, never a warning (these are errors here), never a silent NaN."""

import numpy as np
import pandas as pd
import pytest
from conftest import CORRECTIONS, cases

import evalkit as ek
from evalkit.declaration import Node, Plan
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import Design

WORDS = {"vi": "x", "en": "x"}
PERIODS = {"b": "before", "a": "after"}
ONE, PAIR = ("U",), ("P", "Q", "A", "B")
ARMS = {"U": None, "P": "pilot", "Q": "pilot", "A": "comparison", "B": "comparison"}
PLAN = Plan(primary=("x",), confidence_level=0.95)
INDEXES = {
    "question": {"x": Node(code="x", label=WORDS, aggregate="mean", items=("q",))},
    "index": {"x": Node(code="x", label=WORDS, aggregate="mean", items=("q", "r"))},
    "share": {"x": Node(code="x", label=WORDS, aggregate="share", items=("q",), at_least=2.0)},
    "value": {"x": Node(code="x", label=WORDS, aggregate="value", items=("q",), unit=WORDS)},
}


def answers(units=ONE, people=12, clusters=4):
    """Scores of x on 0, 25, …, 100: `people` in each unit and wave, in villages, everybody asked twice."""
    rows = [(w, u, f"v{i % clusters}", f"{u}{i}", 25.0 * ((i * (1 + at) + (i // 3) * (w == "a")) % 5))
            for w in PERIODS for at, u in enumerate(units) for i in range(people)]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["wave", "unit", "cluster", "respondent", "x"])
    scores = scores.assign(row_id=scores["wave"] + scores["respondent"], stratum="1", weight=1.0)
    return scores[["row_id", "wave", "unit", "respondent", "cluster", "stratum", "weight", "x"]]


def compare(scores, kind="question", **design):
    names = [unit for unit in ARMS if unit in set(scores["unit"])] if "arms" not in design else []
    design = {"arms": {unit: ARMS[unit] for unit in names}, "periods": PERIODS} | design
    index = INDEXES[kind]
    if kind == "share":
        scores = scores.assign(x=(scores["x"] >= 50).astype(float).mul(100).where(scores["x"].notna()))
    return ek.compare(scores, Design(**design), PLAN, index)


def row(effects, group, estimand="change", method="linearised"):
    found = effects[(effects["group"] == group) & (effects["estimand"] == estimand) & (effects["method"] == method)]
    assert len(found) == 1
    return found.iloc[0]


def silent(effects):
    """Rows that lack an estimate, or the standard error that a survey estimate has, and do not say why."""
    survey = effects["method"].str.startswith("linearised") & ~effects["method"].str.endswith("shocks")
    lacking = survey & (effects["estimate"].isna() | effects["std_error"].isna())
    lacking |= survey & effects["std_error"].eq(0) & effects["conf_low"].isna()
    lacking |= effects["method"].isin(["unit t", "placebo", "cumulative logit"]) & effects["estimate"].isna()
    found = effects[lacking & (effects["note"] == "")]
    return [" ".join(key) for key in found[["group", "estimand", "method"]].values.tolist()]


@pytest.mark.parametrize("kind", INDEXES)
@pytest.mark.parametrize("units", [ONE, PAIR])
def test_sound_answers_leave_nothing_to_note(units, kind):
    """The guard for all below: on sound answers it is the notes themselves that are absent."""
    effects = compare(answers(units), kind)
    assert silent(effects) == [] and np.isfinite(effects.loc[effects["estimand"] == "change", "std_error"]).all()


def blank(scores, **where):
    chosen = np.logical_and.reduce([scores[name] == value for name, value in where.items()])
    return scores.assign(x=scores["x"].mask(chosen))


def given(scores, column, values):
    """The scores with x by wave or unit."""
    return scores.assign(x=scores[column].map(values))


def nearly_silent(scores, unit):
    """One person of the unit answers after, all others of it do not."""
    return scores.assign(x=scores["x"].mask((scores["wave"] == "a") & (scores["unit"] == unit)
                                            & (scores["respondent"] != f"{unit}2")))  # fmt: skip


SPOILT = {
    "no answer in one wave": lambda units: blank(answers(units), wave="a"),
    "no answer at all": lambda units: answers(units).assign(x=np.nan),
    "no answer of a unit in a wave": lambda units: blank(answers(units), wave="a", unit=units[-1]),
    "one answer of a unit in a wave": lambda units: nearly_silent(answers(units), units[-1]),
    "one respondent": lambda units: answers(units, people=1, clusters=1),
    "two respondents": lambda units: answers(units, people=2, clusters=2),
    "one cluster": lambda units: answers(units, clusters=1),
    "constant answers": lambda units: answers(units).assign(x=50.0),
    "constant in each wave": lambda units: given(answers(units), "wave", {"b": 25.0, "a": 50.0}),
    "constant in each unit": lambda units: given(answers(units), "unit", {u: 25.0 * i for i, u in enumerate(units)}),
    "only the worst and then only the best": lambda units: given(answers(units), "wave", {"b": 0.0, "a": 100.0}),
}


@pytest.mark.parametrize("kind", ["question", "share"])
@pytest.mark.parametrize("units", [ONE, PAIR])
@pytest.mark.parametrize("case", SPOILT)
def test_what_cannot_be_known_says_why(case, units, kind):
    effects = compare(SPOILT[case](units), kind, followed=True)
    assert silent(effects) == []
    known = effects[effects["std_error"].notna() & (effects["std_error"] > 0)]
    assert np.isfinite(known[["conf_low", "conf_high"]]).all(axis=None)


def test_constant_answers_have_no_p_value_and_a_note():
    change = row(compare(SPOILT["constant answers"](ONE)), "all")
    assert (change["estimate"], change["note"]) == (0, "constant") and np.isnan(change["p_value"])


def test_one_cluster_has_an_estimate_and_no_error():
    change = row(compare(SPOILT["one cluster"](ONE)), "U")
    assert np.isfinite(change["estimate"]) and np.isnan(change["std_error"]) and change["note"] == "one_cluster"


@pytest.mark.parametrize("kind", ["question", "value"])
@pytest.mark.parametrize("unit", ["P", "B"])
@pytest.mark.parametrize("wave", PERIODS)
def test_a_unit_in_one_wave_only_has_no_change(unit, wave, kind):
    """Neither its one level nor its absence may pass for a change, of the unit, its arm or between the arms."""
    scores = answers(PAIR)
    effects = compare(scores[(scores["unit"] != unit) | (scores["wave"] == wave)], kind)
    level = row(effects[effects["contrast"] == PERIODS["a" if wave == "b" else "b"]], unit, "level")
    assert np.isnan(level["estimate"]) and level["note"]
    for group in (unit, ARMS[unit]):
        change = row(effects, group)
        assert np.isnan(change["estimate"]) and change["note"]
    for method in ("linearised", "unit t", "placebo"):
        did = row(effects[effects["contrast"] == DID], BETWEEN, "did", method)
        assert np.isnan(did["estimate"]) and did["note"]
    assert silent(effects) == []


@pytest.mark.parametrize("arms", ["without arms", "with arms"])
def test_a_unit_without_rows_is_refused_or_noted(arms):
    scores, names = answers(PAIR), {unit: ARMS[unit] if arms == "with arms" else None for unit in PAIR}
    effects = compare(scores[scores["unit"] != "B"], arms=names, clusters={"B": 9})
    change = row(effects, "B")
    assert np.isnan(change["estimate"]) and change["note"] and silent(effects) == []


@pytest.mark.parametrize("weight", [np.nan, 0.0, -1.0, np.inf])
def test_weights_that_are_none_are_refused(weight):
    scores = answers(PAIR)
    scores.loc[3, "weight"] = weight
    with pytest.raises(ValueError, match=r"weight must be .*above zero"):
        compare(scores)


def test_a_respondent_twice_in_a_wave_is_refused_by_name():
    scores = answers(PAIR)
    scores.loc[scores["row_id"] == "aP1", "respondent"] = "P2"
    with pytest.raises(ValueError, match="P2"):
        compare(scores)


def test_a_respondent_in_two_units_is_refused_by_name():
    """Who was asked in P before and in A after makes their changes depend on each other, across arms."""
    scores = answers(PAIR)
    scores = scores[~scores["row_id"].isin(["aP1", "bA1"])]
    scores.loc[scores["row_id"] == "aA1", "respondent"] = "P1"
    with pytest.raises(ValueError, match="P1"):
        compare(scores)


@pytest.mark.parametrize("units", [ONE, PAIR])
def test_a_plan_naming_an_unknown_indicator_is_refused(units):
    plan = PLAN.model_copy(update={"secondary": ("y",)})
    with pytest.raises(ValueError, match="'y'"):
        ek.compare(answers(units), Design({unit: ARMS[unit] for unit in units}, PERIODS), plan, INDEXES["index"])


def test_a_scale_with_a_step_for_every_percent_is_compared_all_the_same():
    """A slider of 0 to 100: what needs few categories may be left out with a note, the change may not."""
    scores = answers(ONE, people=120, clusters=8)
    scores["x"] = np.arange(len(scores)) * 7.0 % 101
    effects = compare(scores)
    assert np.isfinite(row(effects, "all")["std_error"]) and silent(effects) == []


def test_units_whose_level_before_tells_their_arm_have_no_ancova():
    """Pilots all at 40 and the others all at 60 before: no regression can part level and arm."""
    scores = answers(PAIR)
    level = scores["unit"].map({"P": 40.0, "Q": 40.0, "A": 60.0, "B": 60.0})
    gain = scores["unit"].map({"P": 5.0, "Q": 8.0, "A": 1.0, "B": 2.0})
    effects = compare(scores.assign(x=level + gain.where(scores["wave"] == "a", 0.0)), "index")
    found = effects[effects["method"] == "unit ANCOVA"]
    assert found.empty or (found["std_error"].isna() & (found["note"] != "")).all()


# The same through a study folder.
DECLARED = r"""
respondent = "ma_ho" => respondent = "ma_ho"\ncomposition = ["tuoi", "q11"]
    study.toml, "design.composition[2]": there is no variable "q11"; nearest: q1.
respondent = "ma_ho" => respondent = "ma_ho"\ncomposition = ["ngay"]
    study.toml, "design.composition[1]": the variable "ngay" has type "date"; this role needs type "scale, number" in
        codebook.csv.
raw/sau.csv" => raw/sau.csv"\nwording = { q1 = "1", q3 = "1" }
    study.toml, "waves[2].wording": there is no variable "q3"; nearest: all, ho_ten, ma_ho, don_vi, ap, ngay, tuoi,
        q1, q2.
raw/sau.csv" => raw/sau.csv"\nwording = { q1 = 1 }
    study.toml, "waves[2].wording.q1": the value 1 is not valid; expected: "…".
respondent = "ma_ho" => followed = true
    study.toml, "design.followed": followed = true needs design.respondent, to know who answered the first survey.
respondent = "ma_ho" => respondent = "ma_ho"\nsingle_cluster = "centre"
    study.toml, "design.single_cluster": the value 'centre' is not valid; expected: 'center' or 'certainty'.
respondent = "ma_ho" => respondent = "ma_ho"\nwhole_clusters = "yes"
    study.toml, "design.whole_clusters": the value 'yes' is not valid; expected: true, false.
code = "DC" => code = "DC"\nclusters = 0
    study.toml, "units[3].clusters": the value 0 is not valid; expected: > 0.
code = "DC" => code = "DC"\nclusters = 2.5
    study.toml, "units[3].clusters": the value 2.5 is not valid; expected: 0, 1, 2 ….
primary = ["thai_do"] => primary = ["thai_do"]\nscreening = ["thai_doo"]
    study.toml, "plan.screening": there is no indicator "thai_doo" in index.toml; nearest: thai_do.
primary = ["thai_do"] => primary = ["thai_do"]\nscreening = ["thai_do"]
    study.toml, "plan": the code "thai_do" is used twice; each may be used once.
primary = ["thai_do"] => primary = ["thai_do"]\nunit_test = "t"
    study.toml, "plan.unit_test": the value 't' is not valid; expected: 'placebo' or 'unit t'.
"""
INDEX = r"""
"mean" => "pooled"
    index.toml, "node thai_do": the key at_least goes with aggregate = "share" or "pooled", and only with them.
aggregate = "mean"\nitems = ["q1", "q2"] => aggregate = "pooled"\nat_least = 2.0\nitems = ["q1", "tuoi"]
    index.toml, "node thai_do": the variable "tuoi" has type "number" and cannot be scored; type scale is needed (or
        number with aggregate = "value").
"""


@pytest.mark.parametrize(("file", "old", "new", "expected"), cases(study=DECLARED, index=INDEX))
def test_what_is_wrong_in_a_new_key_is_said(make_study, messages, file, old, new, expected):
    assert messages(make_study(**{file: (old, new)})) == expected


def test_a_pooled_percentage_takes_questions_and_is_no_part_of_a_mean(make_study, messages):
    more = """
[[node]]
code = "tong"
label = { vi = "Tổng", en = "Total" }
aggregate = "pooled"
at_least = 2.0
children = ["thai_do"]

[[node]]
code = "ty_le"
label = { vi = "Tỷ lệ", en = "Share" }
aggregate = "pooled"
at_least = 2.0
items = ["q1", "q2"]

[[node]]
code = "chung"
label = { vi = "Chung", en = "Overall" }
aggregate = "mean"
children = ["thai_do", "ty_le"]
"""
    found = messages(make_study(index=lambda text: text + more))
    assert found[0] == (
        'index.toml, "node tong": aggregate = "pooled" takes no children; list the questions in items.'
    )
    assert [message.split(":")[0] for message in found] == ['index.toml, "node tong"', 'index.toml, "node chung"']


def test_a_variable_that_describes_respondents_is_no_indicator(make_study, messages):
    folder = make_study(
        study=[('respondent = "ma_ho"', 'respondent = "ma_ho"\ncomposition = ["tuoi"]'), ('["thai_do"]', '["tuoi"]')],
        index=('code = "thai_do"', 'code = "tuoi"'),
    )
    assert messages(folder) == ['index.toml, "node tuoi": the name "tuoi" is evalkit\'s own; choose another.']


def dropped(rows):
    return CORRECTIONS + "".join(f"{row},,drop_row,,,Trùng phiếu\n" for row in rows)


def test_a_unit_that_lost_all_its_forms_is_refused_or_noted(make_study):
    """«DC» has two forms after the pilot; corrections.csv drops both."""
    folder = make_study(corrections=dropped(["sau-6", "sau-7"]))
    try:
        study, survey = ek.check(folder)
    except ek.DataError as error:
        assert "DC" in error.message("en")
        return
    scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    change = row(effects, "DC")
    assert np.isnan(change["estimate"]) and change["note"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"sau": lambda text: text.replace("Hòa nhã,1", "98,98").replace("Bình thường,KB", "98,98")},
        {"truoc": lambda text: "\n".join(text.split("\n")[:2] + text.split("\n")[3:])},
        {"index": ('["q1", "q2"]', '["q1"]')},
        {"study": ('cluster = "ap"\n', "")},
        {"study": ('cluster = "ap"\n', 'cluster = "don_vi"\n')},
        {"study": ('respondent = "ma_ho"', 'respondent = "ma_ho"\nfollowed = true\ncomposition = ["tuoi", "q2"]')},
    ],
)
def test_the_smallest_study_runs_through_every_stage_or_says_why_not(make_study, spoilt):
    study, survey = ek.check(make_study(**spoilt))
    scores = ek.score(survey.responses, study.index, study.codebook, keep=study.design.composition)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    assert silent(effects) == []
    found = ek.robustness.specifications(survey, study)
    for language in ("vi", "en"):
        assert ek.claims.claims(effects, study, language)
        assert ek.claims.design_sentences(effects, study, language)
        assert all(ek.tables.robustness_sentences(found, study, language))
        ek.tables.did(effects, study, language, indicators=["thai_do"])
        ek.tables.methods(effects, study, language, indicator="thai_do")
        ek.tables.shock_sentences(effects, study, language, indicator="thai_do")
    assert set(effects.loc[effects["estimand"] == "change", "contrast"]) == {CHANGE}
