"""The simulated pilot: what cleaning keeps of it, and what it must not let through."""

import importlib.util
import subprocess
import sys
import tomllib
import zipfile

import pandas as pd
import pytest
from conftest import ROOT

import evalkit as ek
from evalkit.cleaning import derive_log, replay
from evalkit.encodings import fold
from evalkit.grid import Raw

FOLDER = ROOT / "data/nga-bay"
KEY = ["wave", "respondent"]
KINDS = {98: "refused", 99: "dont_know"}
VARIABLES = {"sex": "gioi_tinh", "age": "tuoi", "education": "hoc_van", "used_onestop": "mot_cua", "waiting": "cho"}


def test_the_contracts_hold(survey):
    pd.testing.assert_frame_equal(replay(survey.coded, survey.log), survey.responses)
    derived, by = derive_log(survey.coded, survey.responses), ["row_id", "variable"]
    pd.testing.assert_frame_equal(
        derived.sort_values(by, ignore_index=True), survey.log[derived.columns].sort_values(by, ignore_index=True)
    )
    assert survey.log["action"].value_counts().to_dict() == {"set": 2, "drop_row": 2}
    assert len(survey.coded) == len(survey.responses) + 2 == survey.flow["returned"].sum()
    assert (survey.flow["returned"] == survey.flow["dropped"] + survey.flow["valid"]).all()


def test_a_tampered_log_or_answer_is_seen(survey):
    log = survey.log.copy()
    log.loc[log["variable"] == "tuoi", "new_value"] = 35.0
    assert not replay(survey.coded, log).equals(survey.responses)
    assert not replay(survey.coded, survey.log.iloc[1:]).equals(survey.responses)
    touched = survey.responses.copy()
    touched.loc[7, "q7"] = 5.0 if touched.loc[7, "q7"] != 5 else 4.0
    assert len(derive_log(survey.coded, touched)) == len(survey.log) + 1


def test_the_mapping_has_each_text_once_and_counts_every_cell(nga_bay, survey):
    assert not survey.mapping.duplicated(["variable", "text"]).any()
    scales = [variable.name for variable in nga_bay.codebook.values() if variable.type == "scale"]
    counts = survey.mapping.groupby("variable")["count"].sum()
    assert counts[scales].eq(len(survey.coded)).all()
    assert survey.mapping.groupby(["variable", survey.mapping["text"].map(fold)])["code"].nunique().max() == 1


def test_respondents_and_answers_do_not_depend_on_the_order_of_rows(nga_bay, survey):
    frames = {wave: frame.sample(frac=1, random_state=1) for wave, frame in ek.read(nga_bay).frames.items()}
    again = ek.clean(Raw(frames), nga_bay)
    rows = again.responses.set_index("row_id").loc[survey.responses["row_id"]].reset_index()
    pd.testing.assert_frame_equal(rows[survey.responses.columns], survey.responses)
    pd.testing.assert_frame_equal(again.mapping, survey.mapping)
    numbers = sorted(survey.coded["respondent"].unique())
    assert numbers == [f"R{number:04d}" for number in range(1, len(numbers) + 1)]


def cells_of(*frames):
    return {fold(str(cell)) for frame in frames for name in frame for cell in frame[name].unique()} - {""}


def test_identifiers_appear_in_no_output(nga_bay, survey, scores, effects):
    raw = pd.concat(ek.read(nga_bay).frames.values())
    names, keys = cells_of(raw[["so_phieu", "ho_ten", "dien_thoai"]]), cells_of(raw[["ma_ho"]])
    frames = (
        survey.responses,
        survey.missing,
        survey.mapping,
        survey.coded,
        survey.log,
        survey.flow,
        scores,
        effects,
    )
    shown = "\n".join(cells_of(*frames))
    assert [name for name in names if name in shown] == []
    assert keys & cells_of(*frames) == set()
    assert len(names) > 3000 and len(keys) > 1500
    leaked = "\n".join(cells_of(survey.responses.assign(note=raw["ho_ten"].iloc[0])))
    assert any(name in leaked for name in names)
    assert survey.identifiers == ("Số phiếu", "Họ và tên", "Điện thoại")


@pytest.fixture(scope="module")
def truth():
    """The answers that simulate.py wrote down before it spoiled them, one row a respondent and wave."""
    spec = importlib.util.spec_from_file_location("simulate", FOLDER / "simulate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    study, index = (tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8")) for name in ("study", "index"))
    answers = module.simulate_pilot(module.build_model(study, index), seed=module.SEED).answers
    codes = sorted(answers["respondent"].unique(), key=fold)
    answers["respondent"] = answers["respondent"].map({code: f"R{n:04d}" for n, code in enumerate(codes, start=1)})
    answers["wave"] = answers["wave"].map({"before": "truoc", "after": "sau"})
    return answers.rename(columns=VARIABLES).set_index(KEY)


@pytest.fixture(scope="module")
def straight_liner(truth):
    """Who, by simulate.py, answered everything alike in the second wave."""
    return ("sau", truth.loc["sau"].query("unit == 'E'").index[20])


def test_cleaned_answers_are_the_simulated_truth(survey, truth, straight_liner):
    found = survey.responses.set_index(KEY)
    assert set(found.index) == set(truth.index)
    assert found.loc[straight_liner].filter(regex="^q").eq(4).all()
    truth, found = (
        truth.drop(index=straight_liner),
        found.drop(index=straight_liner).loc[truth.index.drop(straight_liner)],
    )
    places = pd.DataFrame(
        {"cluster": found["unit"] + found["cluster"], "place": truth["unit"] + truth["village"].astype(str)}
    )
    assert len(places.drop_duplicates()) == places["cluster"].nunique() == places["place"].nunique()
    items = found.filter(regex="^q").columns
    expected = truth.assign(**truth[items].mask(truth[items].isin(list(KINDS))))
    asked = ["unit", *found.loc[:, "gioi_tinh":]]
    pd.testing.assert_frame_equal(found[asked], expected[asked], check_dtype=False)


def test_missing_kinds_are_the_simulated_ones(survey, truth, straight_liner):
    cells = truth.drop(columns=["unit", "village"]).drop(index=straight_liner).melt(ignore_index=False)
    kinds = (
        cells["value"].map(KINDS).where(cells["variable"].str.startswith("q")).mask(cells["value"].isna(), "blank")
    )
    not_asked = (cells["variable"] == "cho") & cells.index.isin(truth.index[truth["mot_cua"] == 0])
    wanted = cells.assign(kind=kinds.mask(not_asked, "not_applicable")).dropna(subset="kind")
    found = survey.missing.join(survey.responses.set_index("row_id")[KEY], on="row_id").set_index(KEY)
    columns = ["variable", "kind"]
    assert set(found[columns].drop(index=straight_liner, errors="ignore").itertuples(name=None)) == set(
        wanted[columns].itertuples(name=None)
    )
    assert set(wanted["kind"]) == {"dont_know", "refused", "not_applicable", "blank"}


def members(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def test_the_simulation_writes_the_committed_files_again(tmp_path):
    subprocess.run([sys.executable, FOLDER / "simulate.py", tmp_path], check=True)
    written = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(map(str, written)) == sorted(
        ["corrections.csv", "raw/khao_sat_sau.xlsx", "raw/khao_sat_truoc.csv", "truth.toml"]
    )
    for name in written:
        read = members if name.suffix == ".xlsx" else type(name).read_bytes
        assert read(tmp_path / name) == read(FOLDER / name), name
