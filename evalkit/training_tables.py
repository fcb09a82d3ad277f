"""Training classes as tables and sentences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from evalkit.effects import select
from evalkit.language import Language, day, label, listing, number, plain, text
from evalkit.panel_effects import SEEN
from evalkit.sample import CHANGE
from evalkit.study import PERIODS, Study
from evalkit.training_files import Class, Training
from evalkit.values import exactly, shown, suppressed, titled

EASY, HARD = 0.90, 0.30  # shares right beyond which a question tells little: Ebel & Frisbie 1991, chapter 13
POINTS, COEFFICIENT = 1, 2  # decimals


def attendance(training: Training, one: Class, language: Language) -> pd.DataFrame:
    """How many registered, came on each day, sat each test and finished; counts of everybody."""
    people = training.people[training.people["class"] == one.code]
    came = training.attendance[(training.attendance["class"] == one.code) & training.attendance["present"]]
    counts = {text("training_registered", language): len(people)}
    for date in one.days:
        counts[text("training_day", language, day=day(date, language))] = int((came["day"] == date).sum())
    for period in PERIODS if one.test else ():
        counts[text(f"training_sat_{period}", language)] = int(people[period].sum())
    counts[text("training_finished", language)] = int(people["finished"].sum())
    rows = []
    for step, n in counts.items():
        share = _share(n / len(people), language)
        rows.append({"training_step": step, "training_people": number(n, 0, language), "training_share": share})
    return titled(rows, language)


def finished_means(one: Class, language: Language) -> str:
    """What it takes to have finished a class."""
    days, every = (number(count, 0, language) for count in (one.complete_days or len(one.days), len(one.days)))
    key = "training_means_finished_tested" if one.test else "training_means_finished"
    return text(key, language, days=days, all=every)


def satisfied_means(study: Study, one: Class, language: Language) -> str:
    """Which answers of the form count as satisfied; nothing without a form."""
    form = one.satisfaction
    scales = {variable.scale.name: variable.scale for variable in study.codebook.values() if variable.scale}
    if form is None:
        return ""
    good = [a.labels[language] for a in scales[form.scale].answers if not a.missing and a.code >= form.at_least]
    quoted = [f"«{words}»" if language == "vi" else f'"{words}"' for words in good]
    return text("training_means_satisfied", language, answers=plain(listing(quoted, language)))


def results(effects: pd.DataFrame, study: Study, one: Class, language: Language) -> pd.DataFrame:
    """The test before and after, the paired change, its bounds, the normalised gain.

    effects: of `training_effects`. Suppressed where fewer people than the study's minimum cell sat both tests, and
    what would tell of fewer who sat one.
    """
    rows = []
    for name, estimand, contrast, method in _RESULTS:
        found = _one(effects, one, estimand, contrast, method)
        if found is None:
            continue
        decimals = COEFFICIENT if found["unit"] == "ratio" else POINTS
        signed = estimand == "change"
        cells = {
            "training_people": "–" if np.isnan(_people(found)) else number(_people(found), 0, language),
            "value": shown(found["estimate"], decimals, language, sign=signed),
            "training_interval": _range(found["conf_low"], found["conf_high"], decimals, language, sign=signed),
        }
        if _small(effects, study, one) or _follows(effects, study, one, estimand, contrast, method):
            cells = dict.fromkeys(cells, suppressed(study, language))
        rows.append({"quantity": text(f"training_result_{name}", language)} | cells)
    return titled(rows, language)


_RESULTS = (
    ("before", "level", "before", "linearised"),
    ("after", "level", "after", "linearised"),
    ("change", "change", CHANGE, SEEN),
    ("lowest", "change", CHANGE, "worst case, lower"),
    ("highest", "change", CHANGE, "worst case, upper"),
    ("gain", "normalised_gain", CHANGE, "linearised"),
    ("alpha_before", "alpha", "before", "linearised"),
    ("alpha_after", "alpha", "after", "linearised"),
)


def sentences(effects: pd.DataFrame, study: Study, one: Class, language: Language) -> list[str]:
    """What the class knew more after than before, and what those who left would have changed; none without a test."""
    change = _one(effects, one, "change", CHANGE, SEEN)
    gain, lost = (
        _one(effects, one, *key) for key in (("normalised_gain", CHANGE), ("lost difference", "lost - seen again"))
    )
    if change is None or np.isnan(change["estimate"]):
        return []
    if _small(effects, study, one):
        return [text("training_too_few", language, minimum=study.declared.privacy.minimum_cell)]
    low, high = change["conf_low"], change["conf_high"]
    verdict = "unclear" if not (low > 0 or high < 0) else "more" if low > 0 else "less"
    size = shown(abs(change["estimate"]), POINTS, language)
    words = {"change": size if verdict != "unclear" else shown(change["estimate"], POINTS, language, sign=True)}
    words |= {"low": shown(low, POINTS, language, sign=True), "high": shown(high, POINTS, language, sign=True)}
    words |= {"n": number(_people(change), 0, language), "level": exactly(100 * change["conf_level"], language)}
    found = [text(f"training_change_{verdict}", language, **words)]
    if gain is not None and np.isfinite(gain["estimate"]):
        found.append(text("training_gain", language, gain=shown(gain["estimate"], COEFFICIENT, language)))
    people = [change["n_before"], lost["n_before"] if lost is not None else np.nan]
    gone = people[1] - people[0]
    if lost is not None and gone >= study.declared.privacy.minimum_cell:
        apart = "below" if lost["estimate"] < 0 else "above"
        numbers = {"difference": shown(abs(lost["estimate"]), POINTS, language), "n": number(gone, 0, language)}
        found.append(text(f"training_lost_{apart}", language, **numbers))
    return found


def questions(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> pd.DataFrame:
    """Share right and discrimination of each question, before and after; `frame` of `question_analysis`."""
    found, rows = frame[frame["class"] == one.code], []
    small = suppressed(study, language)
    for item in one.test.items if one.test else ():
        row = {"question": f"{item.column}. {label(item.label, language)}"}
        for period in PERIODS:
            part = found[(found["item"] == item.code) & (found["period"] == period)]
            names = [f"training_{name}_{period}" for name in ("right", "upper_lower", "item_rest")]
            if part.empty:
                row |= dict.fromkeys(names, "–")
                continue
            numbers = part.iloc[0]
            cells = [_share(numbers["share"], language)]
            cells += [shown(numbers[name], COEFFICIENT, language) for name in ("discrimination", "item_rest")]
            hidden = numbers["n"] < study.declared.privacy.minimum_cell
            row |= dict.fromkeys(names, small) if hidden else dict(zip(names, cells, strict=True))
        rows.append(row)
    return titled(rows, language)


def question_sentences(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> list[str]:
    """Questions that tell little, or whose key may be wrong.

    The key is doubted where the interval of the share right lies below that of guessing, or the interval of the
    item-rest correlation below 0, before or after; a correlation below 0 whose interval includes 0 is said apart.
    """
    found = frame[(frame["class"] == one.code) & (frame["n"] >= study.declared.privacy.minimum_cell)]
    if found.empty or one.test is None:
        return []
    guessing = 1 / len(one.test.options)
    guessed = set(found.loc[found["high"] < guessing, "item"])
    reverse = set(found.loc[found["rest_high"] < 0, "item"])
    negative = set(found.loc[found["item_rest"] < 0, "item"]) - guessed - reverse
    before, after = (found[found["period"] == period].set_index("item")["share"] for period in PERIODS)
    names = {item.code: item.column for item in one.test.items}
    chosen = {
        "guess": [code for code in names if code in guessed],
        "reversed": [code for code in names if code in reverse],
        "negative": [code for code in names if code in negative],
        "easy": [code for code in before.index if before[code] >= EASY],
        "hard": [code for code in after.index if after[code] < HARD and code not in guessed | reverse],
    }
    limits = {"guessing": guessing, "easy": EASY, "hard": HARD}
    shown_limits = {name: exactly(round(100 * limit, 1), language) for name, limit in limits.items()}
    found_ones = {kind: [names[code] for code in codes] for kind, codes in chosen.items() if codes}
    return [
        text(f"training_questions_{kind}", language, questions=plain(listing(titles, language)), **shown_limits)
        for kind, titles in found_ones.items()
    ]


def leavers(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> pd.DataFrame:
    """Those who did not finish beside those who did; `frame` of `training.leavers`.

    A variable is hidden where anything in it rests on fewer people than the study's minimum cell.
    """
    minimum, sizes, rows = study.declared.privacy.minimum_cell, ["n_finished", "n_left"], []
    small = suppressed(study, language)
    for variable, part in frame[frame["class"] == one.code].groupby("variable", sort=False):
        counts = part[sizes].to_numpy()
        hidden = bool(((counts > 0) & (counts < minimum)).any())
        for row in part.to_dict("records"):
            test = row["value"] == "" and variable == "test"
            name = text("training_score_before", language) if test else f"{variable}: {row['value'] or '–'}"
            cells = {
                "training_n_finished_left": " / ".join(number(row[name], 0, language) for name in sizes),
                "training_of_finished": shown(row["finished"], POINTS, language),
                "training_of_left": shown(row["left"], POINTS, language),
                "training_standardised": shown(row["difference"], COEFFICIENT, language, sign=True),
            }
            rows.append({"training_trait": name} | (dict.fromkeys(cells, small) if hidden else cells))
    return titled(rows, language)


def satisfaction(frame: pd.DataFrame, study: Study, one: Class, language: Language) -> pd.DataFrame:
    """The share satisfied with its interval, one row a question of the form; `frame` of `training.satisfied`."""
    items = {item.code: item.label for item in one.satisfaction.items} if one.satisfaction else {}
    rows = []
    for row in frame[frame["class"] == one.code].to_dict("records"):
        cells = {
            "training_answers": number(row["n"], 0, language),
            "training_satisfied": _share(row["share"], language),
            "training_interval": _range(100 * row["low"], 100 * row["high"], POINTS, language),
        }
        if row["n"] < study.declared.privacy.minimum_cell:
            cells = dict.fromkeys(cells, suppressed(study, language))
        rows.append({"question": label(items[row["item"]], language)} | cells)
    return titled(rows, language)


def _one(
    effects: pd.DataFrame, one: Class, estimand: str, contrast: str, method: str = "linearised"
) -> pd.Series | None:
    found = select(effects, group=one.code, estimand=estimand, contrast=contrast, method=method)
    return found.iloc[0] if len(found) else None


def _small(effects: pd.DataFrame, study: Study, one: Class) -> bool:
    """Whether too few people sat both tests."""
    change = _one(effects, one, "change", CHANGE, SEEN)
    return change is None or not change["n_before"] >= study.declared.privacy.minimum_cell


def _follows(effects: pd.DataFrame, study: Study, one: Class, estimand: str, contrast: str, method: str) -> bool:
    """Whether the few who sat only one test would follow from a number beside those of the people who sat both."""
    change = _one(effects, one, "change", CHANGE, SEEN)
    level = _one(effects, one, "level", contrast if estimand == "level" else "before")
    bounds = estimand == "change" and method != SEEN
    if change is None or level is None or not (estimand == "level" or bounds):
        return False
    return bool(0 < _people(level) - change["n_before"] < study.declared.privacy.minimum_cell)


def _people(effect: pd.Series) -> float:
    """How many people a result rests on: of one test those who sat it, of a change those who sat both."""
    if effect["estimand"] == "level":
        return float(effect[f"n_{effect['contrast']}"])
    return float(effect[["n_before", "n_after"]].astype(float).min())


def _share(share: float, language: Language) -> str:
    return shown(100 * share, POINTS, language)


def _range(low: float, high: float, decimals: int, language: Language, *, sign: bool = False) -> str:
    if not np.isfinite(low):
        return "–"
    ends = [shown(end, decimals, language, sign=sign) for end in (low, high)]
    return text("range", language, low=ends[0], high=ends[1])
