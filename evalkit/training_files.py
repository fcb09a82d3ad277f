"""Training classes as a study declares them: registration, attendance over days, tests, the form at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from evalkit.codebook import Scale, Variable
from evalkit.declaration import Code, Declared, Labels, Words, parse
from evalkit.encodings import fold, normal_form
from evalkit.errors import DataError, Problem, nearest, raise_any
from evalkit.reading import read_responses
from evalkit.study import PERIODS, Study
from evalkit.textfiles import read_toml

FILE = "training.toml"
# Beside the codes of questions, which cannot have such signs.
PERSON, NUMBER, UNIT, TRAIT, IGNORED = "@trainee", "@number", "@unit", "@trait {}", "@ignored {}"


class Table(Declared):
    """A file of a class: where it lies, and what stands in which column.

    trainee: the title of the column that says who it is, a code or a name, which never leaves reading. ignore:
    columns that are not read, such as telephone numbers.
    """

    file: Words
    sheet: str | None = None
    trainee: Words
    ignore: Annotated[tuple[Words, ...], Field(strict=False)] = ()


class Registration(Table):
    """`[classes.registration]`: who signed up.

    unit: the column of the place of work; others: places that are no unit of the study. describe: columns that
    describe the trainees, by which those who finished are compared with the others.
    """

    unit: Words | None = None
    others: Annotated[tuple[Words, ...], Field(strict=False)] = ()
    describe: Annotated[tuple[Words, ...], Field(strict=False)] = ()


class Attendance(Table):
    """`[classes.attendance]`: one column a day, and which marks mean that somebody was there or not."""

    days: Annotated[tuple[Words, ...], Field(strict=False, min_length=1)]
    present: Annotated[tuple[Words, ...], Field(strict=False, min_length=1)]
    absent: Annotated[tuple[str, ...], Field(strict=False)] = ("",)


class Question(Declared):
    """`[[classes.test.items]]`: a question of the test, its column in the files, and the right answer."""

    code: Code
    column: Words
    key: Words
    label: Labels


class Test(Declared):
    """`[classes.test]`: the same questions before and after. options: all answers that may be given."""

    __test__ = False  # no test of pytest

    before: Table
    after: Table
    options: Annotated[tuple[Words, ...], Field(strict=False, min_length=2)]
    items: Annotated[tuple[Question, ...], Field(strict=False, min_length=2)]


class Opinion(Declared):
    """`[[classes.satisfaction.items]]`: a question of the form at the end."""

    code: Code
    column: Words
    label: Labels


class Satisfaction(Declared):
    """`[classes.satisfaction]`: the form at the end, without names; satisfied are answers of at least `at_least`."""

    file: Words
    sheet: str | None = None
    ignore: Annotated[tuple[Words, ...], Field(strict=False)] = ()
    scale: Words
    at_least: float
    items: Annotated[tuple[Opinion, ...], Field(strict=False, min_length=1)]


class Class(Declared):
    """`[[classes]]`: a class.

    complete_days: on how many days one must have been there to have finished; all unless given.
    """

    code: Code
    label: Labels
    days: Annotated[tuple[date, ...], Field(strict=False, min_length=1)]
    complete_days: Annotated[int, Field(ge=1)] | None = None
    registration: Registration
    attendance: Attendance
    test: Test | None = None
    satisfaction: Satisfaction | None = None


class Classes(Declared):
    """All of `training.toml`."""

    classes: Annotated[tuple[Class, ...], Field(strict=False, min_length=1)]


@dataclass(frozen=True)
class Training:
    """The classes of a study, trainees numbered T01, T02 … within their class.

    people: one row a trainee: `class, trainee, unit` (empty: none), `days` attended, `before`, `after` (sat the
    test), `finished` (there on enough days and, where there was a test, sat the one after). traits: `class,
    trainee, variable, value`, as in the file. attendance: `class, trainee, day, present`. answers: one row a
    trainee, test and question: `class, trainee, period, item, answer, right` (1, 0); a question left open is not
    right. opinions: `class, form, item, code`.
    """

    classes: tuple[Class, ...]
    people: pd.DataFrame
    traits: pd.DataFrame
    attendance: pd.DataFrame
    answers: pd.DataFrame
    opinions: pd.DataFrame
    notices: tuple[Problem, ...] = ()

    def scores(self, code: str) -> pd.DataFrame:
        """The percent of right answers of each trainee of a class: index `trainee`, columns `before`, `after`."""
        found = self.answers[self.answers["class"] == code]
        return found.pivot_table(index="trainee", columns="period", values="right").reindex(columns=PERIODS) * 100


def read_training(study: Study) -> Training | None:
    """The training classes that training.toml declares; None where the study has no such file.

    Raises DataError with all problems of the file and of the tables it names: keys and columns that are missing,
    trainees who are not registered or stand twice, marks, answers and places that nobody declared. No message
    shows who somebody is.

            training = read_training(study)
    """
    if not (study.folder / FILE).exists():
        return None
    declared = parse(read_toml(study.folder / FILE, FILE), FILE, Classes)
    raise_any(_check(declared, study))
    problems: list[Problem] = []
    parts = [_Reader(one, study, problems).read() for one in declared.classes]
    raise_any(problems)
    frames = {
        name: pd.concat([part[name] for part in parts], ignore_index=True)
        for name in ("people", "traits", "attendance", "answers", "opinions")
    }
    notices = tuple(notice for part in parts for notice in part["notices"])
    return Training(declared.classes, **frames, notices=notices)


def _scales(study: Study) -> dict[str, Scale]:
    return {variable.scale.name: variable.scale for variable in study.codebook.values() if variable.scale}


def _check(declared: Classes, study: Study) -> Iterable[Problem]:
    """What the keys of training.toml say against each other and against the study."""
    codes = [one.code for one in declared.classes]
    problems = [Problem(FILE, "code_repeated", {"found": c}, column="classes") for c in _twice(codes)]
    for one in declared.classes:

        def problem(key: str, place: str, code: str = one.code, **values: Any) -> None:
            problems.append(Problem(FILE, key, values, column=f"classes.{code}.{place}"))

        days = len(one.days)
        if len(one.attendance.days) != days:
            problem("training_days_differ", "attendance.days", found=len(one.attendance.days), expected=days)
        if (one.complete_days or 1) > days:
            problem("training_complete_days", "complete_days", found=one.complete_days, expected=days)
        if both := set(map(fold, one.attendance.present)) & set(map(fold, one.attendance.absent)):
            problem("training_mark_both", "attendance", found=", ".join(sorted(both)))
        if one.test:
            for found in _twice([item.code for item in one.test.items]):
                problem("code_repeated", "test.items", found=found)
            for item in one.test.items:
                if fold(item.key) not in map(fold, one.test.options):
                    options = ", ".join(one.test.options)
                    problem("training_key_outside", f"test.items.{item.code}", found=item.key, expected=options)
        if one.satisfaction:
            for found in _twice([opinion.code for opinion in one.satisfaction.items]):
                problem("code_repeated", "satisfaction.items", found=found)
            if one.satisfaction.scale not in (scales := _scales(study)):
                values = {"found": one.satisfaction.scale, "expected": nearest(one.satisfaction.scale, scales)}
                problem("training_scale_unknown", "satisfaction.scale", **values)
        for place, table in _tables(one).items():
            if study.outside(table.file):
                problem("path_outside", f"{place}.file", found=table.file)
    return problems


def _twice(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _tables(one: Class) -> dict[str, Any]:
    tables: dict[str, Any] = {"registration": one.registration, "attendance": one.attendance}
    tables |= {f"test.{period}": getattr(one.test, period) for period in PERIODS} if one.test else {}
    return tables | ({"satisfaction": one.satisfaction} if one.satisfaction else {})


# The columns of these files are declared in training.toml, not in the codebook.
_COLUMN_KEYS = {
    "raw_column_unknown": "training_column_unknown",
    "raw_column_unknown_many": "training_column_unknown",
    "raw_column_missing": "training_column_missing",
    "raw_column_missing_many": "training_column_missing",
}


class _Reader:
    """Reads the files of one class; problems are added to the others."""

    def __init__(self, one: Class, study: Study, problems: list[Problem]) -> None:
        self.one, self.study, self.problems = one, study, problems
        self.notices: list[Problem] = []
        self.codes: dict[str, str] = {}

    def read(self) -> dict[str, Any]:
        """The frames of `Training`, of this class."""
        people, traits = self._registered()
        attendance, answers = self._attended(), self._tested()
        present = attendance[attendance["present"]].groupby("trainee").size()
        people["days"] = people["trainee"].map(present).fillna(0).astype(int)
        for period in PERIODS:
            people[period] = people["trainee"].isin(answers.loc[answers["period"] == period, "trainee"])
        wanted = self.one.complete_days or len(self.one.days)
        people["finished"] = (people["days"] >= wanted) & (people["after"] | (self.one.test is None))
        absent = int(((people["days"] == 0) & people["after"]).sum())
        if absent and self.one.test:
            self.notices.append(Problem(self.one.test.after.file, "training_tested_absent", {"count": absent}))
        frames = {"people": people, "traits": traits, "attendance": attendance, "answers": answers}
        frames["opinions"] = self._opinions()
        for frame in frames.values():
            frame.insert(0, "class", self.one.code)
        return frames | {"notices": tuple(self.notices)}

    def _frame(self, table: Any, wanted: dict[str, str]) -> pd.DataFrame:
        """The wanted columns of a file as text, index `line`; empty where it cannot be read."""
        kinds = dict.fromkeys(wanted, "key") | {IGNORED.format(at): "ignore" for at in range(len(table.ignore))}
        titles = wanted | {IGNORED.format(at): title for at, title in enumerate(table.ignore)}
        book = {
            name: Variable(name, title, kinds[name], None, None, None, {"vi": title, "en": title}, False, 0)
            for name, title in titles.items()
        }
        try:
            frame, notices = read_responses(self.study.folder / table.file, book, sheet=table.sheet)
        except DataError as error:
            self.problems += [
                replace(problem, file=table.file, key=_COLUMN_KEYS.get(problem.key, problem.key))
                for problem in error.problems
            ]
            return pd.DataFrame(columns=list(wanted), index=pd.Index([], name="line"), dtype=str)
        self.notices += [replace(notice, file=table.file) for notice in notices]
        return frame.astype("str").map(normal_form)

    def _people(self, table: Table, wanted: dict[str, str], *, register: bool = False) -> pd.DataFrame:
        """The rows of a file with the number of each trainee; those of unknown ones are left out."""
        frame = self._frame(table, {PERSON: table.trainee} | wanted)
        keys = frame[PERSON].map(fold)
        if register:
            known = sorted(set(keys) - {""})
            width = max(2, len(str(len(known))))
            self.codes = {key: f"T{at:0{width}d}" for at, key in enumerate(known, start=1)}
        again = keys.duplicated() & (keys != "")
        for line, key in keys.items():
            problem = "training_trainee_missing" if not key else "training_trainee_twice" if again[line] else ""
            problem = problem or ("" if key in self.codes else "training_trainee_unknown")
            # Where the registration could not be read, everybody would be unknown.
            if problem and (self.codes or problem != "training_trainee_unknown"):
                self._problem(table, problem, int(line), table.trainee)
        frame.insert(0, NUMBER, keys.map(self.codes))
        return frame[frame[NUMBER].notna() & ~again]

    def _problem(self, table: Any, key: str, line: int, column: str, **values: Any) -> None:
        self.problems.append(Problem(table.file, key, values, line, column, table.sheet))

    def _registered(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        table = self.one.registration
        wanted = {TRAIT.format(at): title for at, title in enumerate(table.describe)}
        wanted |= {UNIT: table.unit} if table.unit else {}
        frame = self._people(table, wanted, register=True)
        units = {fold(name): unit.code for unit in self.study.declared.units for name in unit.spellings}
        units |= {fold(name): "" for name in (*table.others, "")}
        places = frame[UNIT] if table.unit else pd.Series("", frame.index)
        names = [name for unit in self.study.declared.units for name in unit.spellings]
        for line, place in places.items():
            if fold(place) not in units:
                values = {"found": place, "expected": nearest(place, [*names, *table.others])}
                self._problem(table, "training_unit_unknown", int(line), table.unit or "", **values)
        people = pd.DataFrame({"trainee": frame[NUMBER], "unit": places.map(fold).map(units)})
        told = [
            (code, title, value)
            for at, title in enumerate(table.describe)
            for code, value in zip(frame[NUMBER], frame[TRAIT.format(at)], strict=True)
        ]
        traits = pd.DataFrame(told, columns=["trainee", "variable", "value"])
        return people.sort_values("trainee", ignore_index=True), traits

    def _attended(self) -> pd.DataFrame:
        table = self.one.attendance
        frame = self._people(table, {f"day_{at}": title for at, title in enumerate(table.days)})
        marks = dict.fromkeys(map(fold, table.absent), False) | dict.fromkeys(map(fold, table.present), True)
        rows = []
        for at, day in enumerate(self.one.days[: len(table.days)]):
            for line, code, mark in zip(frame.index, frame[NUMBER], frame[f"day_{at}"], strict=True):
                if fold(mark) not in marks:
                    expected = ", ".join(filter(None, (*table.present, *table.absent)))
                    self._problem(table, "training_mark_unknown", line, table.days[at], found=mark, expected=expected)
                rows.append((code, day, marks.get(fold(mark), False)))
        return pd.DataFrame(rows, columns=["trainee", "day", "present"]).astype({"present": bool})

    def _tested(self) -> pd.DataFrame:
        test, rows = self.one.test, []
        for period in PERIODS if test else ():
            table, items = getattr(test, period), test.items  # type: ignore[union-attr]
            options = {fold(option): option for option in test.options} | {"": ""}  # type: ignore[union-attr]
            frame = self._people(table, {item.code: item.column for item in items})
            for item in items:
                for line, code, answer in zip(frame.index, frame[NUMBER], frame[item.code], strict=True):
                    if fold(answer) not in options:
                        values = {"found": answer, "expected": ", ".join(filter(None, options.values()))}
                        self._problem(table, "training_option_unknown", line, item.column, **values)
                    right = float(fold(answer) == fold(item.key))
                    rows.append((code, period, item.code, options.get(fold(answer), ""), right))
        return pd.DataFrame(rows, columns=["trainee", "period", "item", "answer", "right"])

    def _opinions(self) -> pd.DataFrame:
        form, rows = self.one.satisfaction, []
        if form:
            scale = _scales(self.study)[form.scale]
            frame = self._frame(form, {item.code: item.column for item in form.items})
            for item in form.items:
                for at, (line, words) in enumerate(frame[item.code].items(), start=1):
                    answer = scale.spellings.get(fold(words))
                    if words and answer is None:
                        expected = ", ".join(one.labels[self.study.language] for one in scale.answers)
                        place = (int(line), item.column)
                        self._problem(form, "training_answer_unknown", *place, found=words, expected=expected)
                    rows.append((at, item.code, answer.code if answer and not answer.missing else np.nan))
        return pd.DataFrame(rows, columns=["form", "item", "code"])
