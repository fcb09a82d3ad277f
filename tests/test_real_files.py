"""Files that nobody here wrote, as they were published, through reading and cleaning: the counts that are known."""

from pathlib import Path

import pandas as pd
import pytest

import evalkit as ek
from evalkit.codebook import COLUMNS, RULE_COLUMNS, read_codebook

STUDIES = Path(__file__).parent / "studies"
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_shared = pytest.mark.skipif(
    not SHARED.exists(), reason="the shared working data are not part of the repository"
)
pytestmark = needs_shared


def one_survey(name):
    """A study of which there is one survey so far."""
    survey = ek.check(STUDIES / name, allow_outside=True)[1]
    assert survey.notices[0].key == "period_missing"
    return survey


def codebook(**columns):
    """A codebook of variables, each its column and its type."""
    blank = dict.fromkeys((*COLUMNS, *RULE_COLUMNS), "")
    rows = [
        blank | {"variable": name, "column": column, "type": kind, "label_vi": name, "label_en": name, "line": 2}
        for name, (column, kind) in columns.items()
    ]
    found, problems = read_codebook(rows, [])
    assert problems == []
    return found


def test_durham_has_the_published_counts():
    """SOURCES.md: Q3[06] 136, 409, 190, 112, 22, and 22 do not know; 62.7 % satisfied."""
    survey = one_survey("durham")
    life = survey.responses["q3_06"]
    assert life.value_counts().to_dict() == {5: 136, 4: 409, 3: 190, 2: 112, 1: 22}
    unknown = survey.missing[survey.missing["variable"] == "q3_06"]
    assert unknown["kind"].value_counts().to_dict() == {"dont_know": 22}
    assert round((life.dropna() >= 4).mean() * 100, 1) == 62.7
    assert len(survey.responses) == 891
    assert {notice.key for notice in survey.notices[1:]} == {"same_answers"}


def test_the_log_accounts_for_every_row_that_the_cleaned_kobo_file_lacks():
    """utilityR: raw.csv has 771 forms, clean.csv 756; 13 are of one interviewer."""
    survey = one_survey("utilityr-kobo")
    published = pd.read_csv(SHARED / "utilityr_kobo/clean.csv", dtype="str")
    raw = pd.read_csv(SHARED / "utilityr_kobo/raw.csv", dtype="str")
    forms = raw["_uuid"].to_numpy()[survey.responses["row_id"].str.removeprefix("2023-").astype(int) - 2]
    assert len(survey.coded) == 771 and sorted(forms) == sorted(published["uuid"])
    assert survey.log["action"].tolist() == ["drop_row"] * 15
    assert survey.log["reason"].value_counts().tolist() == [13, 1, 1]
    assert survey.flow[["returned", "dropped", "valid"]].sum().tolist() == [771, 15, 756]
    (tool,) = (notice for notice in survey.notices if notice.key == "tool_columns")
    assert tool.values["found"].split(", ")[:2] == ["_uuid", "_submission_time"]


@pytest.mark.parametrize(
    ("variable", "column"),
    [
        ("b7_vehicle_fuel_1", "b7_vehicle_fuel/petrol_vehicles"),
        ("b7_1_heating_fuel_4", "b7_1_heating_fuel/firewood_heating"),
        ("b17_access_stores_9", "b17_access_stores/air_alert"),
    ],
)
def test_answers_to_questions_with_several_are_those_of_the_file(variable, column):
    """Counted by pandas in raw.csv."""
    survey = one_survey("utilityr-kobo")
    raw = pd.read_csv(SHARED / "utilityr_kobo/raw.csv", dtype="str")[column]
    assert survey.coded[variable].value_counts().to_dict() == raw.astype(float).value_counts().to_dict()


def test_papi_holds_63_provinces_with_their_published_scores():
    """papi.csv holds the same scores, collected by others; province names there have no marks."""
    survey = ek.check(STUDIES / "papi", allow_outside=True)[1]
    study = ek.open_study(STUDIES / "papi", allow_outside=True)
    tidy = pd.read_csv(SHARED / "papi_pci_vietnam/papi.csv").set_index(["prov", "year"])
    assert survey.flow["valid"].sum() == 126 and len(survey.log) == 2
    english = {unit.code: unit.names[0].en for unit in study.declared.units}
    for wave, rows in survey.responses.groupby("wave"):
        rows = rows.assign(prov=rows["unit"].map(english)).set_index("prov")
        published = tidy.xs(int(wave), level="year")
        same = rows.index.intersection(published.index)
        assert len(same) >= 58  # «TP. Ho Chi Minh» and the like are spelled in several ways
        for dimension in ("participation", "procedures", "service"):
            expected = published.loc[same, f"papi_{dimension}"]
            pd.testing.assert_series_equal(rows.loc[same, dimension], expected, check_names=False, atol=1e-6)


@pytest.mark.parametrize(
    ("year", "sheet", "land"),
    [
        (2012, "Tiep can dat dai", "Chỉ số thành phần 2"),
        (2013, "Tiếp cận đất đai", "Sub-Index2"),
        (2014, "Tiếp cận đất đai", "Sub-Index2"),
        (2015, "Tiếp cận đất đai", "Chỉ số thành phần2"),
        (2016, "Tiếp cận đất đai", "Chỉ số thành phần2"),
    ],
)
def test_pci_scores_are_read_whatever_the_header_of_the_year(year, sheet, land):
    """pci.csv holds the same scores, but for 2013 and for provinces that it spells otherwise."""
    path = SHARED / f"papi_pci_vietnam/PCI_{year}.xlsx"
    with pytest.raises(ek.DataError) as error:
        ek.read_responses(path, codebook(province=("Tỉnh", "key"), land=(land, "number")), sheet=sheet)
    others = [problem.values["found"] for problem in error.value.problems if problem.key == "raw_column_unknown"]
    ignored = {f"x{at}": (column, "ignore") for at, column in enumerate(others)}
    book = codebook(province=("Tỉnh", "key"), land=(land, "number"), **ignored)
    frame, _ = ek.read_responses(path, book, sheet=sheet)
    scored = frame[pd.to_numeric(frame["land"].astype("str"), errors="coerce").notna()]
    assert scored["province"].nunique() >= 63
    hanoi = float(scored.loc[scored["province"] == "Hà Nội", "land"].iloc[0])
    tidy = pd.read_csv(SHARED / "papi_pci_vietnam/pci.csv").set_index(["prov", "year"])["pci_land"]
    expected = {2013: 5.344862}.get(year) or tidy["Ha Noi", year]
    assert hanoi == pytest.approx(expected, abs=1e-6)


def test_the_hospital_survey_has_1042_patients():
    """Data 2019 4(2):57."""
    path = SHARED / "bayesvl_vietnam/1042data.csv"
    titles = path.read_text(encoding="utf-8-sig").splitlines()[0].split(",")
    kinds = {"ID": "key", "Age": "number", "SatIns": "text"}
    frame, notices = ek.read_responses(path, codebook(**{f"v_{t}": (t, kinds.get(t, "ignore")) for t in titles}))
    assert len(frame) == frame["v_ID"].nunique() == 1042 and notices == ()
    assert list(frame) == ["v_ID", "v_Age", "v_SatIns"]
