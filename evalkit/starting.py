"""A new study folder to fill in: declarations, indicators, empty sheets for the answers, forms to print."""

from __future__ import annotations

import csv
import re
import tomllib
from importlib.resources import files
from pathlib import Path

from evalkit.contents import CORRECTION_COLUMNS, text_contents
from evalkit.drafting import draft
from evalkit.drafts import draft_index, write
from evalkit.entry_workbooks import write_entry_workbook
from evalkit.errors import DataError, Problem, raise_any
from evalkit.questionnaires import write_questionnaire
from evalkit.study import BOOK, open_study
from evalkit.studybook_writing import template_studybook, write_studybook
from evalkit.textfiles import read_rows

EXAMPLE = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
WAVES = ("khao_sat_truoc.csv", "khao_sat_sau.csv")
FORMS = ("phieu_khao_sat.docx", "nhap_lieu.xlsx")


def start(folder: str | Path, *, excel: bool = False, source: str | Path | None = None) -> list[Problem]:
    """Write a study folder with declarations, an empty sheet a wave, a printable questionnaire and an entry workbook.

    excel: one workbook study.xlsx instead of text files. source: an XLSForm, a .sav or .dta file or a table of
    answers from which codebook.csv and scales.csv are drafted, instead of the example's; what could not be known is
    returned. The csv files are written as a Vietnamese Excel opens them: `;`, UTF-8 with byte-order mark. Raises
    DataError where the folder already holds files.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise DataError([Problem(str(folder), "folder_not_empty")])
    if source and not Path(source).is_file():
        raise DataError([Problem(str(source), "path_missing")])
    drafted = draft(Path(source)) if source else None
    (folder / "raw").mkdir(parents=True)
    if excel and not drafted:
        template_studybook(folder / BOOK, EXAMPLE)
    else:
        template = files("evalkit").joinpath("templates", "study.toml").read_text(encoding="utf-8")
        index = draft_index(drafted.codebook_rows, drafted.scale_rows) if drafted else ""
        declared = _with_outcomes(template, index) if drafted else template
        (folder / "study.toml").write_text(declared, encoding="utf-8")
        _write(folder / "corrections.csv", [list(CORRECTION_COLUMNS)])
    if drafted:
        write(drafted, folder)
        (folder / "index.toml").write_text(index, encoding="utf-8")
        columns = [row["column"] or row["variable"] for row in drafted.codebook_rows]
        if excel:
            _into_one_workbook(folder)
    else:
        codebook, scales = ([row.cells for row in read_rows(EXAMPLE / f, f)] for f in ("codebook.csv", "scales.csv"))
        columns = [row[codebook[0].index("column")] for row in codebook[1:]]
        if not excel:
            (folder / "index.toml").write_text((EXAMPLE / "index.toml").read_text("utf-8"), encoding="utf-8")
            _write(folder / "codebook.csv", codebook)
            _write(folder / "scales.csv", scales)
    for name in WAVES:
        _write(folder / "raw" / name, [columns])
    if not drafted:
        print_forms(folder)
    return [*drafted.unknown, *drafted.roles] if drafted else []


def _into_one_workbook(folder: Path) -> None:
    """Put study.xlsx in the place of the text files."""
    contents = text_contents(folder)
    write_studybook(folder / BOOK, contents)
    for name in ("study.toml", "index.toml", "codebook.csv", "scales.csv", "corrections.csv"):
        (folder / name).unlink()


def _with_outcomes(template: str, index: str) -> str:
    """The template's declarations with the drafted indicators as outcomes, and without the example's respondents."""
    codes = [node["code"] for node in tomllib.loads(index).get("node", [])]
    quoted = [f'"{code}"' for code in codes]
    declared = re.sub(r"^primary = .*$", f"primary = [{', '.join(quoted[:1])}]", template, flags=re.MULTILINE)
    declared = re.sub(r"^secondary = .*$", f"secondary = [{', '.join(quoted[1:])}]", declared, flags=re.MULTILINE)
    return re.sub(r"^(cluster|respondent) = ", r"# \1 = ", declared, flags=re.MULTILINE)


def print_forms(folder: str | Path) -> list[Path]:
    """Write the questionnaire to print and the workbook to type it into, by the codebook; returns both paths.

    Raises DataError where one of them is there already, for it may be filled in.
    """
    folder = Path(folder)
    paths = [folder / name for name in FORMS]
    raise_any([Problem(str(path), "forms_there") for path in paths if path.exists()][:1])
    study = open_study(folder)
    write_questionnaire(study, paths[0])
    write_entry_workbook(study, paths[1])
    return paths


def _write(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
