"""Lesson 3: the same raw file cleaned by two people, and on the record."""

from __future__ import annotations

import pandas as pd

from evalkit.exercises import Exercise, Work
from evalkit.simulation import DONT_KNOW, REFUSED

SPELT, SATISFIED = "q7", 4  # the question whose spellings are counted, and the answer
ASKED = "q1_3"  # files settled on time
AGE = "tuoi"


def answered_alike(work: Work) -> pd.DataFrame:
    """The forms, as coded, that give one and the same answer to every question."""
    coded = work.survey.coded
    answers = coded[_questions(work)]
    return coded[answers.notna().all(axis=1) & (answers.nunique(axis=1) == 1)]


def _questions(work: Work) -> list[str]:
    return [name for name in work.survey.coded if name.startswith("q")]


def _first(work: Work) -> str:
    """The code of the first survey."""
    return work.study.declared.waves[0].code


def _spellings(work: Work, *, code: float | None = SATISFIED) -> pd.DataFrame:
    """The distinct texts of the question, of one answer or of all."""
    texts = work.survey.mapping[work.survey.mapping["variable"] == SPELT]
    return texts if code is None else texts[texts["code"] == code]


def _answers(work: Work) -> pd.Series:
    """The answers of the first survey by the log, by row_id."""
    responses = work.survey.responses
    return responses[responses["wave"] == _first(work)].set_index("row_id")[ASKED]


def _mean_as_typed(work: Work) -> float:
    """The mean with the codes of those who refused or did not know left in."""
    missing = work.survey.missing
    kinds = missing[missing["variable"] == ASKED].set_index("row_id")["kind"]
    answers = _answers(work)
    return answers.fillna(kinds.map({"dont_know": DONT_KNOW, "refused": REFUSED}).reindex(answers.index)).mean()


def _twice(work: Work, *, dropped: bool) -> set[str]:
    """Of the forms that carry the number of another one of their survey: those the log drops, or those it keeps."""
    coded, log = work.survey.coded, work.survey.log
    again = coded["respondent"].notna() & coded.duplicated(["wave", "respondent"], keep=False)
    gone = coded["row_id"].isin(log.loc[log["action"] == "drop_row", "row_id"])
    return set(coded.loc[again & (gone == dropped), "row_id"])


def _dropped(work: Work) -> set[str]:
    log = work.survey.log
    return set(log.loc[log["action"] == "drop_row", "row_id"])


def _mean_age(work: Work, frame: pd.DataFrame) -> float:
    """The mean age in the commune and survey in which the log sets an age right."""
    log, coded = work.survey.log, work.survey.coded
    row = log.loc[(log["variable"] == AGE) & (log["action"] == "set"), "row_id"].iloc[0]
    place = coded.set_index("row_id").loc[row]
    return frame.loc[(frame["unit"] == place["unit"]) & (frame["wave"] == place["wave"]), AGE].mean()


def _decided(work: Work) -> str:
    """What the log does with the form that is alike throughout."""
    log = work.survey.log
    actions = log.loc[log["row_id"].isin(answered_alike(work)["row_id"]), "action"]
    return {"drop_row": "a", "blank": "b", "set": "c"}[actions.iloc[0]] if len(actions) else "d"


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        "3.1",
        "count",
        lambda work: len(_spellings(work)),
        mistakes={
            "3_answers_counted": lambda work: int(_spellings(work)["count"].sum()),
            "3_every_spelling": lambda work: len(_spellings(work, code=None)),
        },
    ),
    Exercise(
        "3.2",
        "number",
        lambda work: _answers(work).mean(),
        decimals=2,
        unit="course_3_unit_level",
        mistakes={
            "3_counted_99": _mean_as_typed,
            "3_divided_by_all": lambda work: _answers(work).sum() / len(_answers(work)),
        },
    ),
    Exercise(
        "3.3",
        "codes",
        lambda work: _twice(work, dropped=True),
        mistakes={
            "3_first_form": lambda work: _twice(work, dropped=False),
            "3_both_forms": lambda work: _twice(work, dropped=True) | _twice(work, dropped=False),
            "3_every_dropped_form": _dropped,
        },
    ),
    Exercise(
        "3.4",
        "count",
        lambda work: len(work.survey.responses),
        mistakes={
            "3_all_rows": lambda work: len(work.survey.coded),
            "3_complete_forms": lambda work: len(work.survey.coded.dropna(subset=_questions(work))),
        },
    ),
    Exercise(
        "3.5",
        "number",
        lambda work: _mean_age(work, work.survey.responses),
        unit="course_3_unit_years",
        mistakes={"3_age_not_mended": lambda work: _mean_age(work, work.survey.coded)},
    ),
    Exercise(
        "3.6",
        "choice",
        _decided,
        options=("a", "b", "c", "d"),
        mistakes={
            "3_alike_dropped": lambda work: "a",
            "3_alike_blanked": lambda work: "b",
            "3_alike_changed": lambda work: "c",
        },
    ),
)
