"""Composition against R, by hand and on real surveys; who moved."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.codebook import Answer, Scale, Variable
from evalkit.comparability import COMPOSITION_COLUMNS, composition
from evalkit.sample import moved
from evalkit.study import Design

TESTS = Path(__file__).parent
SHARED = TESTS / "../../shared/data"
REFERENCE = pd.read_csv(TESTS / "reference/attrition.csv").query("case != 'versions'")
WAVES = {"before": "before", "after": "after"}
ARMS = {"A": "pilot", "B": "comparison", "C": "comparison"}
SCALE = Scale("likert", tuple(Answer(float(code), {"vi": "", "en": ""}, (), None) for code in range(1, 6)))


def declared(names, *, kind="scale", arms=ARMS, periods=WAVES):
    """What `composition` asks of a study: the design, and the variables of the codebook."""
    scale = SCALE if kind == "scale" else None
    codebook = {name: Variable(name, name, kind, scale, None, None, {}, False, 2) for name in names}
    return SimpleNamespace(design=Design(arms, periods, composition=tuple(names)), codebook=codebook)


def forms(before, after, *, weights=None):
    """Responses of one unit to one item, `q`."""
    weights = np.ones(len(before) + len(after)) if weights is None else weights
    wave = ["before"] * len(before) + ["after"] * len(after)
    return pd.DataFrame({"wave": wave, "unit": "U", "weight": weights, "q": np.array([*before, *after], dtype=float)})


def found(before, after, *, kind="scale", weights=None):
    study = declared(["q"], kind=kind, arms={"U": None})
    return composition(forms(before, after, weights=weights), study)


def difference(before, after, **options):
    (value,) = found(before, after, **options)["standardised_difference"].drop_duplicates()
    return value


@pytest.mark.parametrize("kind", ["number", "scale"])
@pytest.mark.parametrize("weighted", ["weighted", "unweighted"])
def test_standardised_differences_agree_with_r(kind, weighted):
    panel = pd.read_csv(TESTS / "reference/panel.csv")
    panel["weight"] = panel["weight"] if weighted == "weighted" else 1.0
    result = composition(panel, declared(["satisfaction", "fees"], kind=kind))
    result = result.groupby(["group", "variable"])["standardised_difference"].unique().explode()
    values = REFERENCE[REFERENCE["quantity"] == kind].set_index("case")["value"].astype(float)
    for key, value in result.items():
        assert value == pytest.approx(values[" ".join(["panel", weighted, *key])], rel=1e-8), key
    assert len(result) == 4


def test_kansas_city_agrees_with_r():
    if not (SHARED / "kcmo_resident_survey").exists():
        pytest.skip("kcmo_resident_survey: not part of the repository")
    study = ek.open_study(TESTS / "studies/kcmo", allow_outside=True)
    design = study.declared.design.model_copy(update={"composition": ("age_group", "sex")})
    study = replace(study, declared=study.declared.model_copy(update={"design": design}))
    result = composition(ek.clean(ek.read(study), study).responses, study).set_index("variable")
    assert (result["group"] == "all").all() and (result["kind"] == "scale").all()
    for variable, column in (("age_group", "q40_w"), ("sex", "q41_w")):
        expected = REFERENCE[REFERENCE["case"] == f"kcmo {column}"].set_index("quantity")["value"].astype(float)
        rows = result.loc[variable]
        shares = {f"{wave} {row.code:g}": getattr(row, wave) for row in rows.itertuples() for wave in WAVES}
        assert shares == pytest.approx(expected.drop("scale").to_dict(), rel=1e-8)
        assert rows["standardised_difference"].to_numpy() == pytest.approx(expected["scale"], rel=1e-8)


def test_shares_and_means_by_hand():
    """Weights 1, 1, 2 before and 3, 1 after; one form without an answer."""
    weights = [1, 1, 2, 1, 3, 1]
    result = found([1, 5, 5, np.nan], [5, 1], weights=weights)
    assert result.columns.tolist() == list(COMPOSITION_COLUMNS)
    assert result["code"].tolist() == [1, 2, 3, 4, 5]
    assert result["before"].tolist() == [25, 0, 0, 0, 75]
    assert result["after"].tolist() == [25, 0, 0, 0, 75]
    assert (result["n_before"].tolist(), result["n_after"].tolist()) == ([1, 0, 0, 0, 2], [1, 0, 0, 0, 1])
    (row,) = found([1, 5, 5, np.nan], [5, 1], kind="number", weights=weights).to_dict("records")
    assert (row["before"], row["after"], row["n_before"], row["n_after"]) == (4, 4, 3, 2)
    assert row["kind"] == "number" and np.isnan(row["code"]) and row["standardised_difference"] == 0


def test_published_formula_by_hand():
    """Half and half against 1 in 4: (.25)/√((.25 + .1875)/2), a number with n − 1 on its variances."""
    assert difference([1, 2, 1, 2], [1, 2, 2, 2]) == pytest.approx(0.25 / np.sqrt((0.25 + 0.1875) / 2))
    number = difference([1, 2, 1, 2], [1, 2, 2, 2], kind="number")
    assert number == pytest.approx(0.25 / np.sqrt((0.25 + 0.1875) / 2 * 4 / 3))
    assert difference([1, 2, 2, 2], [1, 2, 1, 2], kind="number") == pytest.approx(-number)


samples = st.lists(st.integers(1, 5), min_size=1, max_size=12)


@settings(deadline=None)
@given(before=samples, after=samples, order=st.permutations(range(1, 6)))
def test_codes_are_names(before, after, order):
    """Neither their order nor which wave comes first matters, and no difference means equal shares."""
    assume(set(before) & set(after))
    value = difference(before, after)
    renamed = [[order[code - 1] for code in sample] for sample in (before, after)]
    assert difference(*renamed) == pytest.approx(value, abs=1e-7)
    assert difference(after, before) == pytest.approx(value, abs=1e-7)
    equal = all(before.count(code) * len(after) == after.count(code) * len(before) for code in range(1, 6))
    assert (value < 1e-7) == equal


@settings(deadline=None)
@given(before=samples, after=samples, times=st.integers(2, 4))
def test_a_weight_is_so_many_forms(before, after, times):
    weights = [times] * len(before) + [1] * len(after)
    first, second = found(before, after, weights=weights), found(before * times, after)
    columns = ["before", "after", "standardised_difference"]
    np.testing.assert_allclose(first[columns], second[columns], atol=1e-7)
    assert (first["n_before"] * times).tolist() == second["n_before"].tolist()


@pytest.mark.parametrize("kind", ["scale", "number"])
def test_nothing_answered_is_not_a_number(kind):
    for before, after in (([1, 2, 3], [np.nan]), ([np.nan], [1, 2, 3]), ([np.nan], [np.nan])):
        result = found(before, after, kind=kind)
        assert result["standardised_difference"].isna().all()
        assert result["before"].isna().all() == np.isnan(before).all()
        assert result["after"].isna().all() == np.isnan(after).all()


@pytest.mark.parametrize("kind", ["scale", "number"])
def test_nothing_varies(kind):
    assert difference([3, 3], [3, 3, 3], kind=kind) == 0
    assert difference([3, 3], [4, 4], kind=kind) == np.inf


def test_no_answer_in_common_is_infinite():
    """Several answers each, so that shares vary in both waves."""
    assert difference([1, 2], [3, 4, 4]) == np.inf


def test_waves_of_a_period_and_units_of_an_arm_are_pooled():
    rows = forms([1, 1, 1, 2], [2, 2])
    rows["wave"], rows["unit"] = ["w1", "w1", "w2", "w2", "w3", "w3"], list("ABCACC")
    arms = {"A": "comparison", "B": "pilot", "C": "comparison"}
    study = declared(["q"], kind="number", arms=arms, periods={"w1": "before", "w2": "before", "w3": "after"})
    result = composition(rows, study)
    assert result["group"].tolist() == ["pilot", "comparison"]
    assert result[["n_before", "n_after"]].values.tolist() == [[1, 0], [3, 2]]
    assert result["before"].tolist() == pytest.approx([1, 4 / 3])


def test_nothing_declared_is_an_empty_table():
    result = composition(forms([1], [2]), declared([]))
    assert result.empty and result.columns.tolist() == list(COMPOSITION_COLUMNS)


def test_card_krueger_same_stores_in_both_waves():
    if not (SHARED / "card_krueger").exists():
        pytest.skip("card_krueger: not part of the repository")
    study = ek.open_study(TESTS / "studies/card-krueger", allow_outside=True)
    responses = ek.clean(ek.read(study), study).responses
    result = composition(responses, study).set_index(["group", "variable"])
    chains = result.loc[result["kind"] == "scale"]
    assert (chains["standardised_difference"] == 0).all()
    # Card & Krueger (1994), table 2: Burger King 41.1 % of New Jersey's stores, 44.3 % of Pennsylvania's.
    burger_king = result.query("code == 1").xs("bk", level="variable")["before"].round(1)
    assert burger_king.to_dict() == {"pilot": 41.1, "comparison": 44.3}
    # Hours open, weekday: 14.4 and 14.5 in the first wave, 14.4 and 14.7 in the second.
    hours = result.xs("hrsopen", level="variable")[["before", "after"]].round(1)
    assert hours.values.tolist() == [[14.4, 14.4], [14.5, 14.7]]
    assert moved(responses).empty


def test_moved_by_hand():
    rows = [
        ("R2", "B", "v1"), ("R1", "B", "v2"), ("R3", "A", "v1"), ("R4", "A", "v9"), (None, "A", "v1"),
        ("R2", "B", "v1"), ("R1", "B", "v1"), ("R3", "A", "v2"), ("R5", "A", "v9"), (None, "A", "v2"),
        ("R3", "A", "v1"), ("R6", "A", "v1"), ("R6", "B", "v1"), ("R6", "B", "v2"),
    ]  # fmt: skip
    result = moved(pd.DataFrame(rows, columns=["respondent", "unit", "cluster"]))
    assert result.to_dict("records") == [
        {"respondent": "R3", "unit": "A", "clusters": ("v1", "v2")},
        {"respondent": "R1", "unit": "B", "clusters": ("v2", "v1")},
        {"respondent": "R6", "unit": "B", "clusters": ("v1", "v2")},
    ]


def test_nobody_moves_where_nobody_is_known():
    result = moved(pd.DataFrame({"unit": ["A", "A"], "cluster": ["v1", "v2"]}))
    assert result.empty and result.columns.tolist() == ["respondent", "unit", "clusters"]


def test_moved_in_a_study_folder(make_study):
    """H1 of commune TD moves to village 2; «ấp 2» of another commune is another village."""
    study = ek.open_study(make_study(sau=("Nguyễn Mẫu,H1,TD,Ấp 1", "Nguyễn Mẫu,H1,TD,Ấp 2")))
    result = moved(ek.clean(ek.read(study), study).responses)
    assert result.to_dict("records") == [{"respondent": "R0001", "unit": "TD", "clusters": ("ấp 1", "ấp 2")}]
