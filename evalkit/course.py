"""A student's side of the course: her data made for her, her answers checked against them, her progress kept.

Right answers are computed when they are asked for, by the lesson's exercises and from the student's data.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from numbers import Number
from pathlib import Path
from typing import Annotated, Any
from unicodedata import normalize

import numpy as np
import pandas as pd
from IPython import get_ipython
from IPython.display import display
from pydantic import BaseModel, Field, NonNegativeInt

from evalkit.course_data import make
from evalkit.errors import DataError, Problem
from evalkit.exercises import Exercise, StopError, Work
from evalkit.language import LANGUAGES, MINUS, Language, number, plain, text

HINTS = 3
NEAR = 5  # tolerances: so far off, rounding may be why
CODE = r"[A-Za-z0-9]{1,20}"
GREEN = "#1B7837"
_THOUSANDS = r"\d{1,3}(?P<mark>[.,])\d{3}(?:(?P=mark)\d{3})*"
_ANSWER = re.compile(rf"([-+{MINUS}]?[\d.,]*\d)\.?(%.*|[^\W\d].*)?")
_PERCENT = re.compile(r"phầntrăm|percent(?!age)")
_BETWEEN = re.compile(r"[\s,;&+]+")
_LETTER = re.compile(r"[\"'«»“”‘’().,;:\s]+")


class Tried(BaseModel):
    """What a student has done with one exercise; nothing is counted any more when it is solved."""

    solved: bool = False
    attempts: NonNegativeInt = 0
    hints: NonNegativeInt = 0
    mistakes: dict[str, NonNegativeInt] = {}


class Progress(BaseModel):
    """What a student has done: the content of the progress file."""

    code: Annotated[str, Field(pattern=rf"^{CODE}$")]
    exercises: dict[str, Tried] = {}


@dataclass(frozen=True)
class _Session:
    """The student's pilot, and her progress file beside the notebook."""

    work: Work
    path: Path


class _UnreadError(Exception):
    """The answer is none that could be compared: `args[0]` is the key of what to say."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.values = values


_session: _Session | None = None


def start(code: str, folder: str | Path | None = None, language: Language | None = None) -> Work:
    """The student's pilot; its data are made on first use, and one line says where they are.

    In a notebook, tables show numbers as the lesson's language writes them.

    code: up to 20 letters without diacritics and digits, not a name; capital or small is the same. folder: where data
    and progress are kept, beside the notebook unless told. language: of the lesson, Vietnamese unless told or the
    folder is called `en`. Raises DataError, shown without a traceback, for another code and a folder that cannot be
    written.

        work = course.start("SV01")
    """
    global _session
    place = Path(folder or ".").resolve()
    language = language or ("en" if place.name == "en" else "vi")
    written = str(code).strip().upper()
    if not isinstance(code, str | int) or not re.fullmatch(CODE, written):
        raise StopError(Problem(f"code = {code!r}", "course_code"), language)
    data = place / f"{text('course_data_name', language)}_{written}"
    if not data.exists():
        try:
            make(written, data, language)
        except OSError as error:
            raise StopError(
                Problem(str(place), "course_not_written", {"reason": str(error.strerror)}), language
            ) from None
    path = place / f"{text('course_progress_name', language)}_{written}.json"
    work = Work(written, data, language)
    if get_ipython():
        pd.set_option("display.float_format", partial(_in_table, language=language))
    # The same pilot again keeps what has been computed of it.
    _session = _Session(_session.work if _session and _session.work == work else work, path)
    progress, moved = _read(path, written)
    solved = sorted((one for one, tried in progress.exercises.items() if tried.solved))
    said = text("course_solved", language, exercises=", ".join(solved)) if solved else text("course_begin", language)
    _tell(text("course_started", language, code=written, folder=data.name, solved=said), *_of_moved(moved, language))
    return _session.work


def check(exercise: str, answer: Any) -> None:
    """Say whether an answer is right; if not, what the typical mistake is, else the next hint, at last the way.

    exercise: as in "3.2". answer: a number, a count, the letter of a choice, or several codes; also a text such as
    "3,2", "3,2 %" or "c01, c05". A number is right within the exercise's tolerance, in its unit. Whatever the answer
    is, nothing is raised. The attempt is kept in the progress file unless nothing was answered.

        course.check("3.2", 3.46)
    """
    if _session is None:
        _tell(*(text("course_not_started", language) for language in LANGUAGES))
        return
    language = _session.work.language
    try:
        said = _checked(_session, exercise, answer)
    except DataError as error:
        said = [text("course_data_broken", language, folder=_session.work.folder.name), error.message(language)]
    except Exception as error:  # whatever it is, a student should not meet a traceback
        said = [text("course_failed", language, folder=_session.work.folder.name, kind=type(error).__name__)]
    _tell(*said)


def find(code: Any) -> Exercise | None:
    """The exercise of a code such as "3.2", None where there is none."""
    lesson = str(code).partition(".")[0]
    if not re.fullmatch(r"[0-9]", lesson) or not find_spec(f"evalkit.lesson_{lesson}"):
        return None
    exercises = import_module(f"evalkit.lesson_{lesson}").EXERCISES
    return next((one for one in exercises if one.code == str(code)), None)


def matches(exercise: Exercise, given: Any, other: Any) -> bool:
    """Whether two answers are the same: numbers within the tolerance, codes in any case, all others exactly."""
    if exercise.kind == "number":
        return math.isclose(given, other, rel_tol=1e-9, abs_tol=exercise.tolerance)
    if exercise.kind == "codes":
        given, other = ({one.casefold() for one in codes} for codes in (given, other))
    return bool(given == other)


def read_answer(exercise: Exercise, answer: Any) -> Any:
    """The answer as the exercise compares it: a float, an int, a letter or a set of codes.

    Raises an exception for `check` where it cannot be read.
    """
    if answer is None or answer is ... or (isinstance(answer, str) and answer.strip(" .") == ""):
        raise _UnreadError("course_nothing")
    if callable(answer):
        raise _UnreadError("course_brackets")
    if isinstance(answer, pd.DataFrame):
        raise _UnreadError("course_table")
    if isinstance(answer, np.ndarray | pd.Series | pd.Index | list | tuple | set | frozenset):
        several = list(np.ravel(answer)) if isinstance(answer, np.ndarray) else list(answer)
        if exercise.kind == "codes":
            return _codes(several)
        if exercise.kind == "number" and isinstance(answer, tuple) and [type(one) for one in answer] == [int, int]:
            raise _UnreadError("course_decimal_comma", whole=str(answer[0]), decimals=str(answer[1]))
        if len(several) != 1:
            raise _UnreadError("course_several", count=len(several))
        return read_answer(exercise, several[0])
    if exercise.kind == "codes":
        return _codes([answer])
    return _letter(exercise, answer) if exercise.kind == "choice" else _number(exercise, answer)


def _checked(session: _Session, code: str, answer: Any) -> list[str]:
    """What to say to an answer; the progress file has been written."""
    work, language = session.work, session.work.language
    exercise = find(code)
    if exercise is None:
        return [text("course_unknown", language, exercise=plain(str(code)[:20]))]
    try:
        given = read_answer(exercise, answer)
    except _UnreadError as unread:
        values = {key: text(one, language) if key == "unit" and one else one for key, one in unread.values.items()}
        return [text(unread.args[0], language, **values)]
    right = exercise.answer(work)
    solves = matches(exercise, given, right)
    wrong = {key: one(work) for key, one in exercise.mistakes.items()} if not solves else {}
    mistake = next(
        (k for k, w in wrong.items() if matches(exercise, given, w) and not matches(exercise, w, right)), ""
    )

    progress, moved = _read(session.path, work.code)
    tried = progress.exercises.setdefault(exercise.code, Tried())
    again = mistake in tried.mistakes
    if not tried.solved:
        tried.attempts += 1
        tried.solved = solves
        tried.hints = min(tried.hints + (not solves and (again or not mistake)), HINTS + 1)
        if mistake:
            tried.mistakes[mistake] = tried.mistakes.get(mistake, 0) + 1
    shown = _shown(exercise, given, language)
    if solves:
        said = [f'<span style="color:{GREEN}">✔ **{text("course_right", language)}**</span> {shown}']
    else:
        said = [text("course_wrong", language, answer=shown)]
        said += [text(f"course_{mistake}", language)] if mistake else []
        said += [_hint(exercise, max(tried.hints, 1), language)] if again or not mistake else []
        said += _near(exercise, given, right, language)
    return [*said, *_write(session.path, progress, language), *_of_moved(moved, language)]


def _hint(exercise: Exercise, count: int, language: Language) -> str:
    key = exercise.code.replace(".", "_")
    if count > HINTS:
        return text(f"course_{key}_way", language)
    return text("course_hint", language, count=count, of=HINTS, hint=text(f"course_{key}_hint_{count}", language))


def _near(exercise: Exercise, given: Any, right: Any, language: Language) -> list[str]:
    """How near a number must come, where it came near; and that counts are whole."""
    if exercise.kind == "count" and given != int(given):
        return [text("course_whole", language)]
    if exercise.kind != "number" or abs(given - right) > NEAR * exercise.tolerance:
        return []
    return [text("course_tolerance", language, tolerance=_digits(exercise.tolerance, language))]


def _shown(exercise: Exercise, given: Any, language: Language) -> str:
    """An answer as it was read, with its unit."""
    if exercise.kind == "codes":
        return ", ".join(plain(one) for one in sorted(given))
    if exercise.kind == "choice":
        return plain(given)
    unit = text(exercise.unit, language) if exercise.unit else ""
    return f"{_digits(given, language)} {unit}".strip()


def _digits(value: float, language: Language) -> str:
    decimals = len(f"{value:.3f}".rstrip("0").partition(".")[2])
    return number(value, decimals, language)


def _in_table(value: float, language: Language) -> str:
    """A number as tables show it, with a minus that Python reads when it is copied."""
    return number(value, 2 if value % 1 else 0, language).replace(MINUS, "-")


def _codes(several: list[Any]) -> set[str]:
    words = normalize("NFC", " ".join(str(one) for one in several))
    codes = {one.strip("\"'«»“”‘’()[]{}") for one in _BETWEEN.split(words)} - {"", "."}
    codes = {one for one in codes if one.casefold() not in {text("and", language) for language in LANGUAGES}}
    if not codes:
        raise _UnreadError("course_nothing")
    return codes


def _letter(exercise: Exercise, answer: Any) -> str:
    letter = _LETTER.sub("", str(answer)).casefold()
    if letter not in exercise.options:
        raise _UnreadError("course_choose", options=", ".join(f'`"{one}"`' for one in exercise.options))
    return letter


def _number(exercise: Exercise, answer: Any) -> float | int:
    """A number, also out of a text with a decimal comma and the unit behind it."""
    if isinstance(answer, str):
        digits = _ANSWER.fullmatch(re.sub(r"\s", "", normalize("NFC", answer)))
        if digits is None:
            raise _UnreadError("course_no_number")
        answer = _parsed(digits[1].replace(MINUS, "-"), whole=exercise.kind == "count")
        if not _fits(digits[2] or "", exercise.unit):
            raise _UnreadError("course_unit" if exercise.unit else "course_no_percent", unit=exercise.unit)
    if isinstance(answer, bool | np.bool_) or not isinstance(answer, Number) or isinstance(answer, complex):
        raise _UnreadError("course_no_number")
    value = float(answer)  # type: ignore[arg-type]
    if not math.isfinite(value):
        raise _UnreadError("course_empty")
    if exercise.kind == "count" and value == int(value):
        return int(value)
    return value


def _fits(typed: str, unit: str) -> bool:
    """Whether a unit as typed may stand for that of an exercise, in either language: the whole or its beginning."""
    typed = _PERCENT.sub("%", typed.casefold())
    if not unit:
        return not typed.startswith("%")
    units = (_PERCENT.sub("%", re.sub(r"\s", "", text(unit, language)).casefold()) for language in LANGUAGES)
    return any(one.startswith(typed) or typed.startswith(one) for one in units)


def _parsed(digits: str, *, whole: bool) -> float:
    """Digits as either language writes them; in a count, a mark before three digits parts thousands."""
    if whole and re.fullmatch(rf"[-+]?{_THOUSANDS}", digits):
        return float(re.sub("[.,]", "", digits))
    found = re.fullmatch(rf"(?P<whole>[-+]?(?:\d*|{_THOUSANDS}))(?:[.,](?P<decimals>\d+))?", digits)
    if found is None:
        raise _UnreadError("course_no_number")
    return float(f"{re.sub('[.,]', '', found['whole'])}.{found['decimals'] or 0}")


def _read(path: Path, code: str) -> tuple[Progress, str]:
    """The progress so far, and the name under which a file that cannot be read was put aside."""
    try:
        return Progress.model_validate_json(path.read_bytes()), ""
    except FileNotFoundError:
        return Progress(code=code), ""
    except ValueError:
        aside = next(one for n in range(1, 1000) if not (one := path.with_name(f"{path.name}.{n}")).exists())
        return Progress(code=code), path.replace(aside).name


def _write(path: Path, progress: Progress, language: Language) -> list[str]:
    """Write the progress, whole or not at all; returns what to say where that was not possible."""
    part = path.with_name(f"{path.name}.tmp")
    try:
        part.write_text(progress.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
        part.replace(path)
    except OSError as error:
        return [text("course_not_saved", language, path=path.name, reason=plain(str(error.strerror)))]
    return []


def _of_moved(aside: str, language: Language) -> list[str]:
    return [text("course_progress_broken", language, path=aside)] if aside else []


def _tell(*paragraphs: str) -> None:
    """Show paragraphs of Markdown in a notebook, print them elsewhere."""
    words = "\n".join(re.sub(r"</?span[^>]*>|\*\*|\\(?=[\W_])", "", one) for one in paragraphs)
    if get_ipython():
        display({"text/markdown": "\n\n".join(paragraphs), "text/plain": words}, raw=True)
    else:
        print(words)
