"""Which responses may leave with a report: the declared ones where nobody stands out, else simulated ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from evalkit.chance import generator
from evalkit.cleaning import Survey
from evalkit.codebook import COLUMNS, RULE_COLUMNS, SCALE_COLUMNS
from evalkit.contents import text_contents
from evalkit.errors import Problem, nearest, raise_any
from evalkit.study import BOOK, Study

SEED = 20_261
MARK = "simulated_data"  # the first column of what was drawn
_ROLES = ("cluster", "stratum", "weight")  # whose variables stand in responses under these names


def smallest_combination(responses: pd.DataFrame, quasi_identifiers: Sequence[str]) -> int:
    """How many people the smallest combination of wave, unit and quasi-identifiers has.

    responses: one row a form, with `wave`, `unit`, the quasi-identifiers and, where people are known, `respondent`:
    then people are counted, not forms. An empty answer is a value like others.

    >>> forms = pd.DataFrame({"wave": "w", "unit": "A", "sex": [1, 1, 2], "respondent": ["a", "a", "b"]})
    >>> smallest_combination(forms, ["sex"])
    1
    """
    groups = responses.groupby(["wave", "unit", *quasi_identifiers], dropna=False, observed=True)
    people = groups["respondent"].nunique() if "respondent" in responses else groups.size()
    return int(people.min()) if len(people) else 0


def shared_responses(survey: Survey, study: Study) -> pd.DataFrame | None:
    """The responses that may leave, or None where they may not.

    They may where `[privacy]` says `share_responses`, declares `quasi_identifiers`, and every combination of these
    within wave and unit has `minimum_cell` people. Returned: wave, unit, the quasi-identifiers, the items of the
    index; everything else stays, and the rows are sorted by what is in them, so that no line leads back to a form.
    Raises DataError for a quasi-identifier that is no variable of the responses.
    """
    privacy = study.declared.privacy
    role_of = {getattr(study.declared.design, role): role for role in _ROLES}
    quasi = [role_of.get(name, name) for name in privacy.quasi_identifiers]
    place, known = "privacy.quasi_identifiers", survey.responses.columns
    raise_any(
        Problem("study.toml", "variable_unknown", {"found": name, "expected": nearest(name, known)}, column=place)
        for name, column in zip(privacy.quasi_identifiers, quasi, strict=True)
        if column not in known
    )
    allowed = privacy.share_responses and quasi
    if not allowed or smallest_combination(survey.responses, quasi) < privacy.minimum_cell:
        return None
    items = [item for node in study.index.values() for item in node.items]
    columns = list(dict.fromkeys(["wave", "unit", *quasi, *items]))
    return survey.responses[columns].sort_values(columns, ignore_index=True)


def simulated_study(survey: Survey, study: Study) -> dict[str, bytes]:
    """A study folder of the same schema whose answers are drawn, each column by itself; its files by their names.

    Answers come from their frequencies in the wave, those rarer than `minimum_cell` left out; numbers from between
    their 5th and 95th percentile; keys, dates and times are made up; texts are empty. The rules that tie answers
    to each other are left out. Everything evalkit does with the study it does with this one.
    """
    contents = _contents(study)
    assert contents.study and contents.index and contents.codebook
    declared = {key: value for key, value in contents.study.items() if key != "report"}
    declared["study"] = declared["study"] | {"simulated": True}
    declared["waves"] = [
        {key: value for key, value in wave.items() if key not in _OF_THE_FILE}
        | {"file": f"raw/simulated_{wave['code']}.csv", "decimal": "."}
        for wave in declared["waves"]
    ]
    rows = [{"variable": MARK, "column": MARK, "type": "ignore"}, *contents.codebook]
    codebook = pd.DataFrame(rows).reindex(columns=[*COLUMNS, *RULE_COLUMNS])
    files = {
        "study.toml": _toml(declared),
        "index.toml": _toml(contents.index),
        "codebook.csv": _csv(codebook.assign(relevant="", constraint="")),
        "scales.csv": _csv(pd.DataFrame(contents.scales, columns=["line", *SCALE_COLUMNS])[list(SCALE_COLUMNS)]),
    }
    random = generator(SEED)
    for wave in study.declared.waves:
        forms = survey.responses[survey.responses["wave"] == wave.code]
        files[f"raw/simulated_{wave.code}.csv"] = _csv(_draw(forms, study, wave.field_start, random))
    return files


_OF_THE_FILE = ("file", "sheet", "where", "encoding", "decimal", "dates", "issued", "returned")


def _draw(rows: pd.DataFrame, study: Study, day: date, random: np.random.Generator) -> pd.DataFrame:
    """As many forms as a wave has, under the codebook's titles; the first column says that they are simulated."""
    roles, count = study.declared.design, len(rows)
    units = random.permutation(rows["unit"].to_numpy(dtype=object))
    drawn: dict[str, Any] = {MARK: ["1"] * count}
    for name, variable in study.codebook.items():
        if name == roles.unit:
            cells: Any = units
        elif name == roles.respondent:
            within = pd.Series(units).groupby(units).cumcount()
            cells = [f"{unit}-S{at:05d}" for unit, at in zip(units, within + 1, strict=True)]
        elif name == roles.cluster:
            many = rows.groupby("unit", observed=True)["cluster"].nunique()
            cells = [f"{unit}-{random.integers(many[unit]) + 1}" for unit in units]
        elif name == roles.stratum:
            cells = ["1"] * count
        elif variable.type == "key":
            cells = [f"K{at:02d}" for at in random.integers(1, 10, count)]
        elif variable.type == "date":
            cells = [day.isoformat()] * count
        elif variable.type == "time":
            cells = [f"{day.isoformat()} {'08:30' if name == roles.ended else '08:00'}:00"] * count
        elif variable.type in ("scale", "multiple", "number"):
            column = "weight" if name == roles.weight else name
            least = study.declared.privacy.minimum_cell
            cells = _marginal(rows[column], variable.type == "number", least, random)
        else:
            cells = [""] * count
        drawn[variable.header] = cells
    return pd.DataFrame(drawn)


def _marginal(column: pd.Series, is_number: bool, least: int, random: np.random.Generator) -> list[str]:
    """A column drawn from its own distribution, without what is rare; empty answers as often as they are."""
    known, count = column.dropna(), len(column)
    if is_number:
        if len(known) < least:
            return [""] * count
        values = np.quantile(known, random.uniform(0.05, 0.95, count))
        values = np.round(values, 0 if (known % 1 == 0).all() else 4)
    else:
        often = known.value_counts().sort_index()
        often = often[often >= least]
        if often.empty:
            return [""] * count
        values = random.choice(often.index.to_numpy(), count, p=often / often.sum())
    empty = random.random(count) < 1 - len(known) / max(count, 1)
    return ["" if none else f"{value:.15g}" for value, none in zip(values, empty, strict=True)]


def _contents(study: Study) -> Any:
    if (study.folder / BOOK).exists():
        from evalkit.studybook import read_studybook

        return read_studybook(study.folder / BOOK, BOOK)
    return text_contents(study.folder)


def _csv(table: pd.DataFrame) -> bytes:
    return table.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _toml(content: Mapping[str, Any]) -> bytes:
    """What `tomllib` read as toml again, one line a key; a json string is a toml string."""
    return "".join(f"{key} = {_toml_value(value)}\n" for key, value in content.items()).encode("utf-8")


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return value.isoformat() if isinstance(value, date) else json.dumps(value, ensure_ascii=False)
