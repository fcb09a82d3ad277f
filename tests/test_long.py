"""Long runs (make test-slow): coverage on re-simulated pilots, and readers fed with rubbish."""

import runpy
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.comparison import DID
from evalkit.textfiles import read_rows

ROOT = Path(__file__).resolve().parent.parent
NGA_BAY = ROOT / "data" / "nga-bay"
REPETITIONS = 300
pytestmark = pytest.mark.slow


def test_intervals_cover_the_truth_of_re_simulated_pilots(nga_bay, capsys):
    """Respondent intervals cover the realised difference, unit intervals the structural one."""
    declared, tree = (
        tomllib.loads((NGA_BAY / name).read_text(encoding="utf-8")) for name in ("study.toml", "index.toml")
    )
    model = runpy.run_path(str(NGA_BAY / "simulate.py"))["build_model"](declared, tree)
    index = {code: node for code, node in nga_bay.index.items() if node.aggregate == "mean"}
    covered = {"linearised": [], "unit t": []}
    for seed in range(REPETITIONS):
        pilot = ek.simulation.simulate_pilot(model, seed=seed)
        answers = pilot.answers
        responses = answers.assign(
            row_id=[f"{row}" for row in range(len(answers))],
            wave=answers["wave"].map({"before": "truoc", "after": "sau"}),
            cluster=answers["village"].astype(str),
            stratum="1",
            weight=1.0,
        )
        responses = responses.mask(responses.isin([98, 99]))
        scores = ek.score(responses, index, nga_bay.codebook)
        effects = ek.compare(scores, nga_bay.design, nga_bay.plan, index)
        did = effects[effects["contrast"] == DID]
        truth = pilot.truth.set_index("indicator")
        for method, kind in (("linearised", "realised"), ("unit t", "structural")):
            rows = did[did["method"] == method].set_index("indicator")
            inside = (rows["conf_low"] <= truth[kind]) & (truth[kind] <= rows["conf_high"])
            covered[method].append(inside.reindex(truth.index).mean())
    for method, found in covered.items():
        share, error = np.mean(found), np.std(found) / np.sqrt(REPETITIONS)
        with capsys.disabled():
            print(f"\ncoverage, {method}: {share:.3f} ± {error:.3f} ({REPETITIONS} pilots, {len(index)} indicators)")
        assert 0.92 <= share <= 0.98


@settings(max_examples=10_000, deadline=10_000)
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_a_csv_reader_fed_with_rubbish_gives_rows_or_a_clear_error(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "rubbish.csv"
    path.write_bytes(content)
    try:
        rows = read_rows(path, "rubbish.csv")
    except ek.DataError as error:
        assert error.message("vi") and error.message("en")
    else:
        assert rows and all(row.line >= 1 for row in rows)


@settings(max_examples=1_000, deadline=10_000)
@given(data=st.data())
def test_a_study_with_a_bent_byte_is_sound_or_clearly_not(data, tmp_path_factory):
    """One byte of one declaration replaced: the study opens, or says what is wrong."""
    name = data.draw(st.sampled_from(["study.toml", "codebook.csv", "scales.csv", "index.toml", "corrections.csv"]))
    content = bytearray((NGA_BAY / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.getbasetemp() / "bent"
    for path in NGA_BAY.rglob("*"):
        if path.is_file() and path.suffix in (".toml", ".csv", ".xlsx"):
            target = folder / path.relative_to(NGA_BAY)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name == name or not target.exists() or target.stat().st_size != path.stat().st_size:
                target.write_bytes(path.read_bytes())
    (folder / name).write_bytes(content)
    try:
        ek.open_study(folder)
    except ek.DataError as error:
        assert error.message("vi") and error.message("en")
    finally:
        (folder / name).write_bytes((NGA_BAY / name).read_bytes())


@pytest.mark.parametrize("pilots", [1, 2])
def test_no_difference_is_rarely_called_one(pilots, capsys):
    """No effect at all; Likert answers, 60 a unit and wave: how often the rule behind "above" and "below" fires.

    The design of the false-alarm table: unit sd .30, shock sd on the latent scale, clip(round(.), 1, 5).
    """
    rng = np.random.default_rng(2026)
    repetitions, people, found = 2_000, 60, {}
    for units in (6, 7, 8, 12, 20):
        for shock in (0.0, 0.15, 0.30, 0.60):
            place = rng.normal(0, 0.30, (repetitions, units))
            waves = [
                np.clip(
                    np.round(
                        (3.3 + place + rng.normal(0, shock, place.shape))[..., None]
                        + rng.normal(0, 1, (*place.shape, people))
                    ),
                    1,
                    5,
                ).mean(axis=-1)
                for _ in range(2)
            ]
            results = [ek.units.compare_units(row, np.arange(units) < pilots) for row in waves[1] - waves[0]]
            alarms = [result.p_value <= 0.05 and result.placebo_p <= 0.05 + 1e-12 for result in results]
            found[units, shock] = np.mean(alarms)
    with capsys.disabled():
        print(f"\nfalse alarms, {pilots} pilot unit(s), Monte Carlo error {np.sqrt(0.05 * 0.95 / repetitions):.3f}")
        for units in (6, 7, 8, 12, 20):
            print(f"  {units:2} units:", *(f"{found[units, shock]:.3f}" for shock in (0.0, 0.15, 0.30, 0.60)))
    assert max(found.values()) <= 0.067
    assert np.mean(list(found.values())) <= 0.052


def test_the_bound_on_noisier_pilots_is_the_one_that_simulation_supports(capsys):
    """Pilots whose changes vary more, by the bound of `comparison` and by 4.5 (30 answers against 135)."""
    from evalkit.comparison import NOISIER

    rng, repetitions = np.random.default_rng(7), 4_000
    for ratio in (NOISIER, 4.5):
        found = []
        for units in (8, 12, 20):
            spread = np.where(np.arange(units) < 2, np.sqrt(ratio), 1.0)
            results = [
                ek.units.compare_units(rng.normal(0, spread), np.arange(units) < 2) for _ in range(repetitions)
            ]
            found.append(np.mean([r.p_value <= 0.05 and r.placebo_p <= 0.05 + 1e-12 for r in results]))
        with capsys.disabled():
            print(f"\nfalse alarms, pilots {ratio} × as variable, 8, 12, 20 units:", *(f"{a:.3f}" for a in found))
        assert (max(found) <= 0.071) == (ratio == NOISIER)
