"""Two entry files of the same forms: compared, the list to look up written, and at last the agreed file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from evalkit.double_entry import Comparison, compare_entries, error_rates, read_lookup, write_agreed, write_lookup
from evalkit.errors import DataError, Problem, raise_any
from evalkit.language import Language, number, text
from evalkit.paper_forms import form_number, with_entry_columns
from evalkit.reading import read_responses
from evalkit.study import open_study
from evalkit.workbooks import read_workbook

LOOKUP, AGREED = "tra_lai.xlsx", "nhap_thong_nhat.xlsx"


def compare_files(folder: str | Path, first: str | Path, second: str | Path, *, wave: str) -> Comparison:
    """Compare two entry files of a wave and write tra_lai.xlsx, the cells to look up on paper, into the study folder.

    Raises DataError for what is wrong with the study or a file, or where the list is there already.

        found = compare_files("data/my-pilot", "nhap_1.xlsx", "nhap_2.xlsx", wave="sau")
    """
    found = _compare(Path(folder), Path(first), Path(second), wave)
    write_lookup(found, _free(Path(folder) / LOOKUP), language=found.study.language)
    return found


def agree_files(
    folder: str | Path, first: str | Path, second: str | Path, *, wave: str, decided: str | Path
) -> pd.DataFrame:
    """Write nhap_thong_nhat.xlsx, the forms as both entries agree or as was looked up; returns error rates by typist.

    decided: the list that `compare_files` wrote, filled in. Raises DataError while a difference is open.

        agree_files("data/my-pilot", "nhap_1.xlsx", "nhap_2.xlsx", wave="sau", decided="tra_lai.xlsx")
    """
    found = _compare(Path(folder), Path(first), Path(second), wave)
    decided = Path(decided)
    decisions = read_lookup(read_workbook(decided, decided.name), found, decided.name)
    rates = error_rates(found, decisions)
    write_agreed(found, decisions, _free(Path(folder) / AGREED))
    return rates


def unmatched(found: Comparison, first: str, second: str) -> list[Problem]:
    """Where the forms stand that could not be compared, for the team; `first` and `second` name the files."""
    files = {"first": first, "second": second}
    return [
        Problem(files[row.file], f"paper_unmatched_{row.reason}", {"form": row.form}, int(row.line))
        for row in found.unmatched.itertuples()
    ]


def rate_sentence(rates: pd.Series, key: str, language: Language, **values: str) -> str:
    """A rate with its interval, in percent: the text `key`, filled."""
    percent = {name: number(100 * rates[name], 2, language) for name in ("rate", "conf_low", "conf_high")}
    counts = {name: number(int(rates[name]), 0, language) for name in ("compared", "different")}
    return text(key, language, **percent, **counts, **values)


def _compare(folder: Path, first: Path, second: Path, wave: str) -> Comparison:
    study = open_study(folder)
    codes = [one.code for one in study.declared.waves]
    if wave not in codes:
        raise DataError([Problem(str(folder), "wave_unknown", {"found": wave, "expected": ", ".join(codes)})])
    codebook = with_entry_columns(study.codebook)
    absent = [file for file in (first, second) if not file.is_file()]
    raise_any(Problem(str(file), "path_missing") for file in absent)
    if first.read_bytes() == second.read_bytes():
        raise DataError([Problem(f"{first.name}, {second.name}", "paper_double_same")])
    try:
        one, other = (read_responses(file, codebook)[0] for file in (first, second))
    except DataError as error:
        raise DataError(map(study.locate, error.problems)) from None
    key = form_number(codebook) or "so_phieu"
    return compare_entries(one, other, study, wave=wave, key=key, files=(first.name, second.name))


def _free(path: Path) -> Path:
    if path.exists():
        raise DataError([Problem(str(path), "forms_there")])
    return path
