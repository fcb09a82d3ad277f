"""Writes the simulated raw files of this pilot, the truth behind them, and the corrections decided on them.

Run as `python data/nga-bay/simulate.py [output folder]`; without a folder it writes beside itself. The
answers come from `evalkit.simulation`; this script adds the disorder of real files, in which a spelling
never changes a code.
"""

import csv
import io
import sys
import tomllib
import unicodedata
import zipfile
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from openpyxl import Workbook
from openpyxl.xml.constants import ARC_CORE
from openpyxl.xml.functions import tostring

from evalkit.simulation import DONT_KNOW, GroupModel, Pilot, PilotModel, UnitModel, simulate_pilot

HERE = Path(__file__).parent

# The date of the workshop. Its shocks leave the realised effect on cham_lo within 1.5 points of 0 and every
# other one above 3 points; other seeds need not.
SEED = 20191218

BASELINE = {"HL": 3.40, "NB": 3.52, "A": 3.30, "B": 3.48, "C": 3.38, "D": 3.62, "E": 3.34, "F": 3.46}
EFFECT = {
    "hai_long": 0.30,
    "cchc": 0.42,
    "dan_chu": 0.20,
    "van_hoa": 0.50,
    "tiep_dan": 0.28,
    "cntt": 0.36,
    "cham_lo": 0.0,
}
DIFFICULTY = {
    "hai_long": (-0.05,),
    "cchc": (-0.10, 0.10, 0.05, 0.15, -0.20),
    "dan_chu": (-0.05, 0.05, 0.15, 0.10),
    "van_hoa": (0.05, 0.00, -0.15, -0.10, 0.25, -0.05),
    "tiep_dan": (-0.05, 0.10, 0.15, 0.05, 0.20),
    "cntt": (0.10, 0.20, 0.25, 0.05),
    "cham_lo": (-0.15, 0.05, -0.20, 0.15, -0.10),
}

NUMBERED = tuple(str(number) for number in range(1, 9))
NAMED = ("Hòa Thuận", "Thạnh Hóa", "Thủy Lợi", "Mỹ Hòa", "Tân Thạnh", "Hòa Bình", "Phú Thủy", "Long Khánh")
# Several units have an «Ấp 1», two have an «Ấp Hòa Thuận»: a village is known by unit and name.
VILLAGES = {
    "HL": ("Ấp", NUMBERED),
    "NB": ("Khu vực", NUMBERED),
    "A": ("Ấp", NAMED),
    "B": ("Ấp", NUMBERED),
    "C": ("Ấp", NUMBERED),
    "D": ("Ấp", NAMED[::-1]),
    "E": ("Ấp", NUMBERED),
    "F": ("Ấp", NUMBERED),
}
OTHER_TONE_PLACEMENT = {"òa": "oà", "óa": "oá", "ủy": "uỷ"}

# Nobody's names and numbers.
FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Võ", "Đặng")
MIDDLE = {1: "Văn", 2: "Thị"}
GIVEN = ("Mẫu", "Thử", "Ví Dụ", "Giả Định", "Mô Phỏng", "Tưởng Tượng", "Không Thật", "Nháp")

TITLE = "PHIẾU KHẢO SÁT Ý KIẾN NGƯỜI DÂN – ĐỢT 2 (DỮ LIỆU MÔ PHỎNG)"
FIRST_LINE = {"truoc": 2, "sau": 4}  # where the first form stands, as Excel counts lines
STAMP = datetime(2020, 12, 1)
HABITS = {"label": 0.75, "synonym": 0.13, "code": 0.12}
SPELLINGS = {
    "kept": 0.70,
    "lower": 0.08,
    "upper": 0.06,
    "trailing": 0.06,
    "doubled": 0.04,
    "decomposed": 0.06,
}

CORRECTION_COLUMNS = ("row_id", "variable", "action", "old_value", "new_value", "reason")
TWICE = "Phiếu nhập hai lần, giữ phiếu nhập trước"
EMPTY = "Phiếu không ghi câu trả lời nào, không đưa vào phân tích"
RIGHT_AGE, WRONG_AGE, AGE = 34, 340, "Nhập thừa chữ số 0; đối chiếu phiếu giấy: 34 tuổi"
RIGHT_CODE, WRONG_CODE, CODE = 5, 55, "Nhập lặp chữ số; đối chiếu phiếu giấy: mức 5 (Rất hài lòng)"

TRUTH_HEADER = f"""\
# DỮ LIỆU MÔ PHỎNG: the truth behind raw/, written by simulate.py. In points of the 0–100 scale; an indicator
# is the mean over its items of 25 × (code − 1). Every unit counts once in its arm; villages, persons and
# noise are integrated out. A shock is what struck one unit in one wave by chance.
#   effect             what the pilot adds in the pilot units, without shocks
#   structural         change of the pilots − change of the comparisons, without shocks; not quite `effect`,
#                      since equal trends on the latent scale are not equal on a scale with two ends
#   realised           the same with the shocks drawn: what a survey without sampling error would have found
#   pilot_change       mean change, after − before, of the pilot units, with the shocks drawn
#   comparison_change  the same of the comparison units
#   unit_change        change of each unit, with the shocks drawn
seed = {SEED}
"""


def main(target: Path) -> None:
    """Write the raw files, the corrections and the truth into `target`."""
    pilot = draw(SEED)
    write_survey(pilot, target, SEED)
    (target / "truth.toml").write_text(truth_toml(pilot), encoding="utf-8", newline="\n")


def draw(seed: int) -> Pilot:
    """The pilot of a seed; the course draws one for each student."""
    return simulate_pilot(build_model(*declared()), seed=seed)


def write_survey(pilot: Pilot, target: Path, seed: int) -> None:
    """Write the raw files of a pilot into `target`, with the disorder of real ones, and the corrections to them."""
    study, _ = declared()
    codebook = pd.read_csv(HERE / "codebook.csv", dtype=str).set_index("variable")
    scales = pd.read_csv(HERE / "scales.csv", dtype=str, keep_default_na=False)
    rng = np.random.default_rng([seed, 1])

    (target / "raw").mkdir(parents=True, exist_ok=True)
    corrections = []
    before, after = (fill_in(pilot, study, wave, rng) for wave in study["waves"])
    for wave, forms in zip(study["waves"], (spoil_before(before), spoil_after(after, before)), strict=True):
        forms = forms.sort_values(["unit", "ngay"], kind="stable", ignore_index=True)
        forms = go_from_door_to_door(forms, np.random.default_rng([seed, 2, FIRST_LINE[wave["code"]]]))
        forms["so_phieu"] = [f"{wave['code'][0].upper()}{number:04d}" for number in range(1, len(forms) + 1)]
        corrections += decide(forms, wave["code"])
        texts = type_in(forms, codebook, scales, rng)
        if wave["file"].endswith(".csv"):
            write_csv(texts, codebook, target / wave["file"])
        else:
            write_xlsx(texts, codebook, target / wave["file"], rng)

    with (target / "corrections.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([CORRECTION_COLUMNS, *corrections])


def declared() -> tuple[dict[str, Any], dict[str, Any]]:
    """What study.toml and index.toml say."""
    study, index = (tomllib.loads((HERE / name).read_text("utf-8")) for name in ("study.toml", "index.toml"))
    return study, index


def build_model(study: dict[str, Any], index: dict[str, Any]) -> PilotModel:
    """Units and indicators as study.toml and index.toml declare them, parameters from this script."""
    return PilotModel(
        units=tuple(UnitModel(unit["code"], unit["arm"], BASELINE[unit["code"]]) for unit in study["units"]),
        groups=tuple(
            GroupModel(node["code"], tuple(node["items"]), EFFECT[node["code"]], DIFFICULTY[node["code"]])
            for node in index["node"]
            if node["code"] in EFFECT
        ),
        trend=0.065,
        shock_sd=0.08,
        village_sd=0.15,
        person_sd=0.55,
        noise_sd=0.75,
    )


def fill_in(pilot: Pilot, study: dict[str, Any], wave: dict[str, Any], rng: np.random.Generator) -> pd.DataFrame:
    """The forms of a wave, faultless, by variable of codebook.csv; `unit` keeps the order of study.toml."""
    answers = pilot.answers[pilot.answers["wave"] == wave["period"]].reset_index(drop=True)
    number = answers["respondent"].map({code: n for n, code in enumerate(pilot.answers["respondent"].unique())})
    names = {
        unit["code"]: name["vi"]
        for unit in study["units"]
        for name in unit["names"]
        if name.get("valid_from", date.min) <= wave["field_start"] <= name.get("valid_to", date.max)
    }
    days = rng.integers((wave["field_end"] - wave["field_start"]).days, size=len(answers), endpoint=True)
    forms = answers.rename(
        columns={
            "respondent": "ma_ho",
            "sex": "gioi_tinh",
            "age": "tuoi",
            "education": "hoc_van",
            "used_onestop": "mot_cua",
            "waiting": "cho",
        }
    )
    forms["unit"] = pd.Categorical(answers["unit"], [unit["code"] for unit in study["units"]])
    forms["ho_ten"] = [
        f"{FAMILY[n % len(FAMILY)]} {MIDDLE[sex]} {GIVEN[n % len(GIVEN)]}"
        for n, sex in zip(number, answers["sex"], strict=True)
    ]
    forms["dien_thoai"] = [f"0900 {n // 1000:03d} {n % 1000:03d}" for n in number]
    forms["don_vi"] = answers["unit"].map(names)
    forms["ap"] = [
        f"{VILLAGES[unit][0]} {VILLAGES[unit][1][village - 1]}"
        for unit, village in zip(answers["unit"], answers["village"], strict=True)
    ]
    forms["ngay"] = [wave["field_start"] + timedelta(days=int(day)) for day in days]
    return forms


def spoil_before(forms: pd.DataFrame) -> pd.DataFrame:
    """Mistype one age, and enter one form of commune C a second time."""
    forms = forms.copy()
    forms.loc[forms.index[forms["tuoi"] == RIGHT_AGE][0], "tuoi"] = WRONG_AGE
    return pd.concat([forms, forms[forms["unit"] == "C"].iloc[[10]]])


def spoil_after(forms: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Mistype one code in Hiệp Lợi, let somebody in E answer everything alike, add a blank form in D."""
    forms = forms.copy()
    items, asked = question_columns(forms)
    forms.loc[forms.index[(forms["unit"] == "HL") & (forms["q3_2"] == RIGHT_CODE)][0], "q3_2"] = WRONG_CODE
    forms.loc[forms.index[forms["unit"] == "E"][20], items] = 4
    gone = before[(before["unit"] == "D") & ~before["ma_ho"].isin(forms["ma_ho"])].iloc[[0]]
    blank = gone.assign(ngay=forms.loc[forms["unit"] == "D", "ngay"].iloc[0], **dict.fromkeys(asked, np.nan))
    return pd.concat([forms, blank])


def go_from_door_to_door(forms: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Who asked, when each interview began and ended: three interviewers a unit, who start at half past seven."""
    forms = forms.copy()
    clock: dict[tuple[str, date], datetime] = {}
    met: dict[str, tuple[str, datetime, datetime]] = {}
    for row in forms.itertuples():
        if row.ma_ho in met:
            continue
        interviewer = f"ĐTV {row.unit}{rng.integers(1, 4)}"
        began = clock.get((interviewer, row.ngay), datetime(row.ngay.year, row.ngay.month, row.ngay.day, 7, 30))
        took, way = (
            timedelta(minutes=int(minutes)) for minutes in (rng.lognormal(3.0, 0.25), 5 + rng.exponential(8))
        )
        clock[interviewer, row.ngay] = began + took + way
        met[row.ma_ho] = interviewer, began, began + took
    _, asked = question_columns(forms)
    blank = forms[asked].isna().all(axis=1)
    for at, variable in enumerate(("dtv", "bat_dau", "ket_thuc")):
        forms[variable] = forms["ma_ho"].map({code: found[at] for code, found in met.items()})
    forms.loc[blank, ["bat_dau", "ket_thuc"]] = pd.NaT
    return forms


def question_columns(forms: pd.DataFrame) -> tuple[list[str], list[str]]:
    """The items, and all that the respondent is asked."""
    items = forms.columns[forms.columns.str.startswith("q")].tolist()
    return items, ["gioi_tinh", "tuoi", "hoc_van", "mot_cua", "cho", *items]


def decide(forms: pd.DataFrame, wave: str) -> list[tuple[str, ...]]:
    """The corrections to the forms of a wave, by line; the person who answered everything alike stays in."""
    items, asked = question_columns(forms)
    row_id = [f"{wave}-{FIRST_LINE[wave] + position}" for position in range(len(forms))]
    corrections: list[tuple[str, ...]] = []
    for row in np.flatnonzero(forms.duplicated("ma_ho")):
        corrections.append((row_id[row], "", "drop_row", "", "", TWICE))
    for row in np.flatnonzero(forms[asked].isna().all(axis=1)):
        corrections.append((row_id[row], "", "drop_row", "", "", EMPTY))
    for row in np.flatnonzero(forms["tuoi"] == WRONG_AGE):
        corrections.append((row_id[row], "tuoi", "set", str(WRONG_AGE), str(RIGHT_AGE), AGE))
    for row, column in np.argwhere(forms[items] == WRONG_CODE):
        corrections.append((row_id[row], items[column], "set", str(WRONG_CODE), str(RIGHT_CODE), CODE))
    return corrections


def type_in(
    forms: pd.DataFrame, codebook: pd.DataFrame, scales: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """The texts of the cells; whoever typed a form was used to labels, to abbreviations or to codes."""
    habits = [str(habit) for habit in rng.choice(list(HABITS), size=len(forms), p=list(HABITS.values()))]
    texts = {}
    for variable, kind, scale in zip(codebook.index, codebook["type"], codebook["scale"], strict=True):
        codes = scales[scales["scale"] == scale]
        labels = dict(zip(codes["code"], codes["label_vi"], strict=True))
        synonyms = {
            code: text.split("|") for code, text in zip(codes["code"], codes["synonyms"], strict=True) if text
        }
        column = []
        for value, habit in zip(forms[variable], habits, strict=True):
            if pd.isna(value):
                text = ""
            elif kind == "date":
                text = f"{value:%d/%m/%Y}"
            elif kind == "time":
                text = f"{value:%d/%m/%Y %H:%M}"
            elif kind == "number":
                text = f"{value:g}".replace(".", ",")
            elif kind == "scale":
                text = f"{value:g}"
                as_code = habit == "code" or (value == DONT_KNOW and rng.random() < 0.5)
                if text in labels and not as_code:
                    words = synonyms.get(text, []) if habit == "synonym" else []
                    text = respell(str(rng.choice(words or [labels[text]])), rng)
            else:
                text = respell(value, rng) if variable in ("don_vi", "ap") else value
            column.append(text)
        texts[variable] = column
    return pd.DataFrame(texts)


def respell(text: str, rng: np.random.Generator) -> str:
    """The text in one of the spellings that people and machines leave in a cell."""
    if rng.random() < 0.5:
        for usual, other in OTHER_TONE_PLACEMENT.items():
            text = text.replace(usual, other)
    spellings = {
        "kept": text[0].upper() + text[1:],
        "lower": text.lower(),
        "upper": text.upper(),
        "trailing": f"{text.lower()} ",
        "doubled": text.replace(" ", "  "),
        "decomposed": unicodedata.normalize("NFD", text),
    }
    return spellings[str(rng.choice(list(SPELLINGS), p=list(SPELLINGS.values())))]


def write_csv(texts: pd.DataFrame, codebook: pd.DataFrame, path: Path) -> None:
    """As Excel saves it under Vietnamese settings: UTF-8 with a byte order mark, semicolons, CRLF."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\r\n")
        writer.writerow(codebook["column"])
        writer.writerows(texts.itertuples(index=False))


def write_xlsx(texts: pd.DataFrame, codebook: pd.DataFrame, path: Path, rng: np.random.Generator) -> None:
    """A title, an empty row, the header, the forms; about half of the forms hold real dates and numbers."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Đợt 2"
    sheet.append([TITLE])
    sheet.append([])
    sheet.append(list(codebook["column"]))
    kinds = list(codebook["type"])
    for form in texts.itertuples(index=False):
        kept_as_text = rng.random() < 0.5
        sheet.append(
            [(text or None) if kept_as_text else native(text, kind) for text, kind in zip(form, kinds, strict=True)]
        )
    for row in sheet.iter_rows():
        for cell in row:
            if cell.is_date:
                cell.number_format = "dd/mm/yyyy hh:mm" if cell.value.__class__ is datetime else "dd/mm/yyyy"
    save(book, path)


def native(text: str, kind: str) -> str | int | float | date | None:
    """The cell as Excel keeps a text that it takes for a date or a number."""
    if kind == "date":
        return datetime.strptime(text, "%d/%m/%Y").date()
    if kind == "time" and text:
        return datetime.strptime(text, "%d/%m/%Y %H:%M")
    if kind == "number" and text:
        return float(text.replace(",", "."))
    if kind == "scale" and text.isdigit():
        return int(text)
    return text or None


def save(book: Workbook, path: Path) -> None:
    """Save without the clock: openpyxl stamps the workbook and each member of the zip."""
    book.properties.created = STAMP
    saved = io.BytesIO()
    book.save(saved)
    book.properties.modified = STAMP
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = tostring(book.properties.to_tree()) if name == ARC_CORE else source.read(name)
            member = zipfile.ZipInfo(name, STAMP.timetuple()[:6])
            member.create_system = 0  # the same bytes on every system
            target.writestr(member, content, zipfile.ZIP_DEFLATED)


def truth_toml(pilot: Pilot) -> str:
    """The truth as TOML, one table an indicator."""
    changes = pilot.unit_truth.pivot(index="indicator", columns="unit", values="change")
    units = pilot.unit_truth["unit"].unique()
    lines = [TRUTH_HEADER]
    for row in pilot.truth.to_dict("records"):
        code = row.pop("indicator")
        lines += ["[[indicator]]", f'code = "{code}"']
        lines += [f"{name} = {value:z.3f}" for name, value in row.items()]
        lines += [
            f"unit_change = {{ {', '.join(f'{unit} = {changes.at[code, unit]:z.3f}' for unit in units)} }}",
            "",
        ]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
