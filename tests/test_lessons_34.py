"""Lessons 3 and 4: right answers computed again by pandas from the files as they came; mistakes told apart."""

import unicodedata
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from evalkit import lesson_3, lesson_4
from evalkit.exercises import Work
from evalkit.language import LANGUAGES, text

pytestmark = pytest.mark.slow  # a student's data and report are made for each

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "data" / "nga-bay"
EXERCISES = {exercise.code: exercise for lesson in (lesson_3, lesson_4) for exercise in lesson.EXERCISES}
PROCEDURES = [f"q1_{number}" for number in range(1, 6)]


@pytest.fixture(scope="module")
def work():
    return Work("SV01", FOLDER)


def tidy(cell):
    return " ".join(unicodedata.normalize("NFC", cell).split())


@pytest.fixture(scope="module")
def typed():
    """The cells of both files as texts, by the names of the codebook."""
    names = pd.read_csv(FOLDER / "codebook.csv").set_index("column")["variable"]
    before = pd.read_csv(FOLDER / "raw/khao_sat_truoc.csv", sep=";", dtype=str, encoding="utf-8-sig")
    after = pd.read_excel(FOLDER / "raw/khao_sat_sau.xlsx", header=2, dtype=str, engine="openpyxl")
    frames = {"truoc": (before, 2), "sau": (after, 4)}
    return pd.concat(
        [
            frame.rename(columns=names).fillna("").map(tidy)
            .assign(wave=wave, row_id=[f"{wave}-{first + row}" for row in range(len(frame))])
            for wave, (frame, first) in frames.items()
        ],
        ignore_index=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def coded(typed):
    """Codes by the words of scales.csv, NaN where they stand for no answer; the mistyped age and code mended."""
    scale = pd.read_csv(FOLDER / "scales.csv", dtype=str, keep_default_na=False).query("scale == 'hai_long'")
    codes = {
        word.lower(): np.nan if row.missing else float(row.code)
        for row in scale.itertuples()
        for word in (row.code, row.label_vi, row.label_en, *row.synonyms.split("|"))
        if word
    }
    codes |= {"55": 5.0}
    questions = [name for name in typed if name.startswith("q")]
    forms = typed.assign(unit=typed["ma_ho"].str.split("-").str[0], tuoi=pd.to_numeric(typed["tuoi"]))
    forms["tuoi"] = forms["tuoi"].replace(340, 34)
    forms[questions] = typed[questions].map(lambda cell: codes.get(cell.lower(), np.nan) if cell else np.nan)
    return forms


@pytest.fixture(scope="module")
def kept(coded):
    """One form a person and survey, none without any answer."""
    questions = [name for name in coded if name.startswith("q")]
    return coded[~coded.duplicated(["wave", "ma_ho"]) & coded[questions].notna().any(axis=1)]


def test_cleaning_by_hand(work, typed, coded, kept):
    questions = [name for name in coded if name.startswith("q")]
    first = kept[kept["wave"] == "truoc"]
    mistyped = typed.loc[typed["tuoi"] == "340", "row_id"].item()
    place = coded.set_index("row_id").loc[mistyped, "unit"]
    alike = coded[coded[questions].notna().all(axis=1) & coded[questions].nunique(axis=1).eq(1)]
    decided = pd.read_csv(FOLDER / "corrections.csv")["row_id"]
    expected = {
        "3.1": typed.loc[coded["q7"] == 4, "q7"].nunique(),
        "3.2": first["q1_3"].mean(),
        "3.3": set(coded.loc[coded.duplicated(["wave", "ma_ho"]), "row_id"]),
        "3.4": len(kept),
        "3.5": first.loc[first["unit"] == place, "tuoi"].mean(),
    }
    for code, value in expected.items():
        found = EXERCISES[code].answer(work)
        assert found == (value if isinstance(value, set | int) else pytest.approx(value)), code
    assert len(alike) == 1
    assert not alike["row_id"].isin(decided).any()
    assert EXERCISES["3.6"].answer(work) == "d"


@pytest.mark.parametrize(("action", "option"), [("drop_row", "a"), ("blank", "b"), ("set", "c")])
def test_the_fate_of_the_form_is_read_from_the_log(work, action, option):
    row = pd.DataFrame({"row_id": lesson_3.answered_alike(work)["row_id"], "action": action})
    other = Work("SV02", FOLDER)
    other.__dict__["survey"] = replace(work.survey, log=pd.concat([work.survey.log, row]))
    assert EXERCISES["3.6"].answer(other) == option


def test_change_by_hand(work, kept):
    here = kept[kept["unit"] == "HL"].set_index("wave")
    answers = here[PROCEDURES]
    share = 100 * (answers >= 4).groupby("wave").sum().sum(axis=1) / answers.notna().groupby("wave").sum().sum(axis=1)
    people = pd.concat(
        {wave: score(here.loc[[wave]].set_index("ma_ho"), PROCEDURES) for wave in ("truoc", "sau")}, axis=1
    )
    pairs = people.dropna()
    influence = ((people - people.mean()) / people.count() * [-1, 1]).sum(axis=1)
    expected = {
        "4.1": share["sau"],
        "4.2": share["sau"] - share["truoc"],
        "4.3": len(pairs),
        "4.4": (pairs["sau"] - pairs["truoc"]).std() / len(pairs) ** 0.5,
        "4.5": (len(people) / (len(people) - 1) * (influence**2).sum()) ** 0.5,
    }
    assert {code: EXERCISES[code].answer(work) for code in expected} == pytest.approx(expected)


def test_a_simultaneous_interval_by_hand(work, kept):
    """Mean of two communes' changes; villages are drawn within communes; Šidák's level for six indicators."""
    pilot = kept[kept["unit"].isin(["HL", "NB"])].assign(village=kept["ap"].str.lower())
    pilot["y"] = score(pilot, [f"q3_{number}" for number in range(1, 7)])
    pilot = pilot.dropna(subset="y")
    cell = pilot.groupby(["unit", "wave"])["y"]
    sign = pilot["wave"].map({"truoc": -0.5, "sau": 0.5})
    total = (
        (sign * (pilot["y"] - cell.transform("mean")) / cell.transform("size"))
        .groupby([pilot["unit"], pilot["village"]])
        .sum()
    )
    by_unit = total.groupby("unit")
    error = (by_unit.size() * by_unit.var()).sum() ** 0.5
    change = cell.mean().unstack().eval("sau - truoc").mean()
    reach = stats.t.ppf((1 + 0.95 ** (1 / 6)) / 2, len(total) - 2) * error
    assert EXERCISES["4.6"].answer(work) == pytest.approx(change - reach)


def score(forms, items):
    """0–100, of those who answered half of the items or more."""
    answers = forms[items]
    return (25 * (answers.mean(axis=1) - 1)).where(answers.notna().mean(axis=1) >= 0.5)


@pytest.mark.parametrize("code", EXERCISES)
def test_mistakes_are_told_apart_and_have_their_texts(work, code):
    exercise = EXERCISES[code]
    answers = [exercise.answer(work), *(wrong(work) for wrong in exercise.mistakes.values())]
    for one, other in combinations(answers, 2):
        apart = abs(one - other) > 2 * exercise.tolerance if exercise.kind in ("number", "count") else one != other
        assert apart, (one, other)
    keys = [f"course_{key}" for key in exercise.mistakes] + [exercise.unit] * bool(exercise.unit)
    lesson, number = code.split(".")
    keys += [f"course_{lesson}_{number}_{part}" for part in ("hint_1", "hint_2", "hint_3", "way")]
    assert all(text(key, language) for key in keys for language in LANGUAGES)


@pytest.mark.parametrize("name", ["3_cleaning", "4_change"])
def test_every_exercise_has_its_cell_and_its_solution(name):
    cells = nbformat.read(ROOT / "notebooks" / "course" / "source" / f"{name}.ipynb", as_version=4).cells
    asked = [(tag, code) for cell in cells for code in EXERCISES if f'check("{code}"' in cell.source
             for tag in cell.metadata["tags"]]  # fmt: skip
    codes = [code for code in EXERCISES if code[0] == name[0]]
    assert asked == [(tag, code) for code in codes for tag in ("exercise", "solution")]
