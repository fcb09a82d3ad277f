"""Each rule catches what was planted and not its honest neighbours; indices agree with insufficient-effort.

Honest forms: a person's level, an item's difficulty and noise, rounded to 1–5.
"""

import csv
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalkit.careless import longest_run, mahalanobis, row_correlation, stepped_up
from evalkit.codebook import Answer, Scale, Variable
from evalkit.language import catalogue
from evalkit.resemblance import kappa, nearest, within_agreement
from evalkit.screening import COLUMNS, FORM_RULES, KINDS, flagged, rules, screen
from evalkit.simulation import GroupModel, PilotModel, UnitModel, simulate_pilot

BFI = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "packages" / "psychTools_bfi.csv"
BFI_REVERSED = {"A1", "C4", "C5", "E1", "E2", "O2", "O5"}  # keys of psychTools::bfi, ?bfi
GRID, LEVEL = 36, Scale("muc", tuple(Answer(float(c), {"vi": str(c), "en": str(c)}, (), None) for c in range(1, 6)))


def declared(items=GRID, reverse=(), groups=9, scale=LEVEL, **roles):
    """A study of so many questions in equal groups."""
    names = [f"q{at}" for at in range(items)] if isinstance(items, int) else items

    def variable(name, kind, scale=None):
        return Variable(name, name, kind, scale, None, None, {"vi": name, "en": name}, name in reverse, 1)

    codebook = {name: variable(name, "scale", scale) for name in names}
    codebook |= {name: variable(name, "number") for name in ("phut",)}
    size = max(len(names) // groups, 1)
    nodes = {f"n{at}": SimpleNamespace(items=tuple(names[at : at + size])) for at in range(0, len(names), size)}
    design = SimpleNamespace(composition=(), weight=None, **roles)
    return SimpleNamespace(codebook=codebook, index=nodes, declared=SimpleNamespace(design=design))


def honest(forms, seed, reverse=(), waves=("w1",), group_sd=0.0, items=GRID):
    """Responses of people who differ, wave by wave, in two units and by four interviewers."""
    rng = np.random.default_rng(seed)
    parts = []
    for wave in waves:
        latent = (
            3.2 + rng.normal(0, 0.5, (forms, 1)) - np.linspace(-0.5, 0.5, items) + rng.normal(0, 0.8, (forms, items))
        )
        latent += np.repeat(rng.normal(0, group_sd, (forms, 9)), items // 9, axis=1)
        codes = pd.DataFrame(np.clip(np.rint(latent), 1, 5), columns=[f"q{at}" for at in range(items)])
        for name in reverse:
            codes[name] = 6 - codes[name]
        number = np.arange(forms)
        about = {
            "row_id": [f"{wave}-{at + 2}" for at in number],
            "wave": wave,
            "unit": np.where(number % 2, "A", "B"),
        }
        codes.insert(0, "interviewer", [f"I0{at}" for at in rng.integers(1, 5, forms)])
        parts.append(pd.concat([pd.DataFrame(about), codes], axis=1))
    return pd.concat(parts, ignore_index=True)


QUESTIONS = [f"q{at}" for at in range(GRID)]
MIXED = tuple(f"q{at}" for at in range(0, GRID, 2))


def caught(frame, study, rule, **options):
    flags = screen(frame, study, **options)
    return flags.loc[flags["rule"] == rule, "row_id"].tolist()


def a_run(frame, rng):
    frame.loc[0, QUESTIONS[3:33]] = 4


def one_answer(frame, rng):
    frame.loc[0, QUESTIONS] = 5


def extremes(frame, rng):
    frame.loc[0, QUESTIONS] = rng.choice([1, 5], GRID)


def halves_apart(frame, rng):
    frame.loc[0, QUESTIONS] = np.tile([1, 5, 1, 5, 5, 1, 5, 1], 5)[:GRID]


def never_opposed(frame, rng):
    frame.loc[0, QUESTIONS] = np.repeat(np.tile([1, 5], GRID // 4), 2)


def shuffled(frame, rng):
    frame.loc[0, QUESTIONS] = np.tile([1, 5, 2, 4], 9)


def a_copy(frame, rng):
    frame.loc[0, QUESTIONS] = frame.loc[5, QUESTIONS]
    frame.loc[0, ["q1", "q9"]] = 6 - frame.loc[0, ["q1", "q9"]]


@pytest.mark.parametrize(
    ("rule", "plant", "reverse", "group_sd", "expected"),
    [
        ("long_run", a_run, (), 0, ["w1-2"]),
        ("same_answer", one_answer, MIXED, 0, ["w1-2"]),
        ("variability", extremes, (), 0, ["w1-2"]),
        ("even_odd", halves_apart, (), 1.2, ["w1-2"]),
        ("antonyms", never_opposed, MIXED, 1.2, ["w1-2"]),
        ("outlier", shuffled, (), 0, ["w1-2"]),
        ("near_copy", a_copy, (), 0, ["w1-2", "w1-7"]),
    ],
)
def test_a_planted_form_is_caught_and_its_honest_neighbours_are_not(rule, plant, reverse, group_sd, expected):
    study, frame = declared(reverse=reverse), honest(300, 1, reverse, group_sd=group_sd)
    before = caught(frame, study, rule)
    plant(frame, np.random.default_rng(2))
    found = caught(frame, study, rule)
    assert set(expected) <= set(found) and set(found) - set(before) <= set(expected) and len(before) <= 1


def test_copies_of_others_in_another_wave_and_of_oneself_are_told_apart():
    study, frame = declared(), honest(100, 3, waves=("w1", "w2"))
    frame["respondent"] = [f"R{at}" for at in (*range(100), *range(50, 150))]
    frame.loc[100, QUESTIONS] = frame.loc[50, QUESTIONS]  # R50 twice
    frame.loc[160, QUESTIONS] = frame.loc[0, QUESTIONS]  # R110 as R0
    flags = screen(frame, study)[["row_id", "rule", "other"]].to_records(index=False).tolist()
    assert ("w2-2", "repeated", "w1-52") in flags
    assert [flag for flag in flags if flag[1] == "copy_across"] == [
        ("w1-2", "copy_across", "w2-62"),
        ("w2-62", "copy_across", "w1-2"),
    ]
    assert sum(rule == "repeated" for _, rule, _ in flags) == 1


def test_people_who_always_say_the_same_are_no_copies_of_each_other():
    study, frame = declared(), honest(100, 4)
    frame.loc[[0, 1], QUESTIONS] = 4
    assert caught(frame, study, "near_copy") == [] and "w1-2" in caught(frame, study, "long_run")


def test_times_of_forms_and_interviewers():
    """By hand: 40 forms of 30 minutes, four a day; I05 takes 12 minutes on each of 6 forms."""
    study, frame = declared(interviewer="dtv", started="bat_dau", ended="ket_thuc"), honest(46, 5)
    frame["interviewer"] = ["I01"] * 20 + ["I02"] * 20 + ["I05"] * 6
    day = pd.Timestamp("2026-01-05")
    frame["bat_dau"] = [day + pd.Timedelta(days=at // 4, hours=8 + at % 4) for at in range(46)]
    frame["ket_thuc"] = frame["bat_dau"] + pd.to_timedelta([30] * 40 + [12] * 6, unit="min")
    frame.loc[3, "ket_thuc"] = frame.loc[3, "bat_dau"] + pd.Timedelta(minutes=9)
    frame.loc[6, "bat_dau"] = frame.loc[5, "ket_thuc"] - pd.Timedelta(minutes=10)
    frame.loc[6, "ket_thuc"] = frame.loc[6, "bat_dau"] + pd.Timedelta(minutes=30)
    frame.loc[9, ["bat_dau", "ket_thuc"]] = pd.NaT
    flags = screen(frame, study)
    fast = flags[flags["rule"] == "fast"]
    assert fast[["row_id", "value", "threshold"]].to_numpy().tolist() == [["w1-5", 9, 10]]
    overlap = flags[flags["rule"] == "overlapping"]
    assert overlap[["row_id", "value", "other"]].to_numpy().tolist() == [["w1-8", 10, "w1-7"]]
    slow = flags[flags["rule"] == "fast_interviewer"]
    assert slow[["interviewer", "value", "threshold"]].to_numpy().tolist() == [["I05", 12, 15]]
    assert slow["row_id"].isna().all() and flagged(flags, rules=["fast_interviewer"]) == set()
    assert "busy_day" not in set(flags["rule"])
    frame["bat_dau"] = frame["bat_dau"].mask(frame["interviewer"] == "I02", day)
    busy = screen(frame, study).query("rule == 'busy_day'")
    assert busy[["interviewer", "value"]].to_numpy().tolist() == [["I02", 20]]


def test_a_declared_duration_counts_without_a_clock():
    study, frame = declared(duration="phut"), honest(30, 6).assign(phut=25.0)
    frame.loc[4, "phut"] = 8
    assert caught(frame, study, "fast") == ["w1-6"]


def test_the_share_not_answered_leaves_out_what_did_not_apply():
    """By hand: 12 of 36 and 6 of 24 asked; 6 of 36 is below a fifth."""
    study, frame = declared(), honest(60, 7)
    rows = [("w1-2", q, "dont_know") for q in QUESTIONS[:12]] + [("w1-3", q, "refused") for q in QUESTIONS[:6]]
    rows += [("w1-3", q, "not_applicable") for q in QUESTIONS[6:18]] + [("w1-4", q, "refused") for q in QUESTIONS[:6]]
    missing = pd.DataFrame(rows, columns=["row_id", "variable", "kind"])
    flags = screen(frame, study, missing=missing).query("rule == 'unanswered'")
    assert dict(zip(flags["row_id"], flags["value"], strict=True)) == pytest.approx({"w1-2": 12 / 36, "w1-3": 6 / 24})


def test_an_interviewer_who_invents_is_found_beside_honest_ones_in_the_same_unit():
    study, frame = declared(interviewer="dtv"), honest(200, 8)
    assert caught(frame, study, "agreement") == []
    mine = frame["interviewer"] == "I03"
    pattern = np.random.default_rng(9).integers(2, 5, GRID)
    invented = np.where(
        np.random.default_rng(1).random((mine.sum(), GRID)) < 0.5, pattern, frame.loc[mine, QUESTIONS]
    )
    frame.loc[mine, QUESTIONS] = invented
    flags = screen(frame, study).query("rule == 'agreement'")
    assert flags["interviewer"].tolist() == ["I03"] and flags["value"].iloc[0] > flags["threshold"].iloc[0]


@pytest.mark.parametrize("satisfied", [0, 1.2])
def test_honest_surveys_have_few_flags_even_where_almost_all_are_satisfied(satisfied):
    frame = honest(600, 10, waves=("w1", "w2"))
    frame[QUESTIONS] = np.clip(frame[QUESTIONS] + round(satisfied), 1, 5)
    flags = screen(frame, declared())
    assert flags["rule"].value_counts().max() <= 0.01 * len(frame) and len(flagged(flags)) <= 0.005 * len(frame)


@pytest.mark.parametrize("forms", [0, 1, 2, 3, 30])
@pytest.mark.parametrize("items", [0, 1, GRID])
@pytest.mark.parametrize("empty", [False, True])
def test_small_and_empty_surveys_pass_without_flags_or_warnings(forms, items, empty):
    study = declared(QUESTIONS[:items], interviewer="dtv", started="luc", duration="phut", reverse=("q0", "q5"))
    frame = honest(forms, 11, waves=("w1", "w2")).drop(columns=QUESTIONS[items:])
    frame["luc"] = pd.Timestamp("2026-01-05") + pd.to_timedelta(np.arange(len(frame)), unit="D")
    frame["phut"] = 20.0
    if empty:
        frame[[*QUESTIONS[:items], "phut"]] = np.nan
        frame["luc"], frame["interviewer"] = pd.NaT, None
    missing = pd.DataFrame(columns=["row_id", "variable", "kind"])
    flags = screen(frame, study, missing=missing)
    assert list(flags) == list(COLUMNS) and len(flags) <= 2
    assert set(rules(frame, study, missing=missing)["rule"]) == set(KINDS)


def test_what_cannot_be_run_is_said_in_both_languages():
    frame = honest(20, 12)
    found = rules(frame, declared()).set_index("rule")
    reasons = {
        "same_answer": "directions",
        "antonyms": "directions",
        "outlier": "forms",
        "fast": "times",
        "overlapping": "interviewer",
        "unanswered": "missing",
        "copy_across": "waves",
        "repeated": "panel",
        "busy_day": "interviewer",
        "fast_interviewer": "interviewer",
        "agreement": "interviewer",
    }
    assert found.loc[~found["run"], "reason"].to_dict() == {k: f"screening_lacks_{v}" for k, v in reasons.items()}
    assert set(found["source"]) | set(found.loc[~found["run"], "reason"]) <= set(catalogue())
    assert {f"screening_rule_{rule}" for rule in KINDS} <= set(catalogue())


def test_the_same_answers_give_the_same_flags_whatever_the_order_of_columns():
    study, frame = declared(interviewer="dtv"), honest(80, 13)
    a_copy(frame, None)
    pd.testing.assert_frame_equal(screen(frame, study), screen(frame[frame.columns[::-1]], study))
    assert list(screen(frame, study)["row_id"][:2]) == ["w1-2", "w1-7"]


def test_forms_left_out_have_two_kinds_of_evidence_or_are_copies():
    rows = [
        ("a", "fast"),
        ("a", "overlapping"),
        ("b", "fast"),
        ("b", "long_run"),
        ("c", "near_copy"),
        (None, "agreement"),
    ]
    flags = pd.DataFrame(rows, columns=["row_id", "rule"])
    assert flagged(flags) == {"b", "c"} and flagged(flags, rules=("overlapping",)) == {"a"}


@given(
    arrays(float, st.tuples(st.integers(2, 9), st.just(5)), elements=st.sampled_from([1.0, 2, 3, np.nan])), st.data()
)
@settings(max_examples=60, deadline=None)
def test_nearest_agrees_with_comparing_all_pairs(codes, data):
    n = len(codes)
    group, person = (np.array(data.draw(st.lists(st.integers(-1, 2), min_size=n, max_size=n))) for _ in range(2))
    best = [[(-1, np.nan)] * n for _ in range(2)]
    for a, b in permutations(range(n), 2):
        both = ~np.isnan(codes[a]) & ~np.isnan(codes[b])
        if both.sum() < 3 or person[a] == person[b] >= 0:
            continue
        share = (codes[a][both] == codes[b][both]).mean()
        side = best[int(group[a] != group[b])]
        if not share <= side[a][1] + 1e-9:
            side[a] = (b, share)
    for found, expected in zip(nearest(codes, group, person, minimum=3), best, strict=True):
        assert found.position.tolist() == [position for position, _ in expected]
        np.testing.assert_allclose(found.share, [share for _, share in expected])


def test_agreement_within_groups_by_hand():
    """Group 0: pairs share 2, 1, 1 of 2 answers, one of them missing: 4 of 5. Group 1: none of 2."""
    codes = np.array([[1.0, 1], [1, 1], [1, np.nan], [1, 2], [2, 1]])
    found = within_agreement(codes, np.array([0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1]))
    assert found.observed == pytest.approx([4 / 4, 0]) and found.sd == pytest.approx([0, 0])
    # Cohen's kappa of 3 of 4 agreeing, margins (2, 2) and (3, 1): (.75 - .5) / .5
    assert kappa(np.array([[1.0, 1, 2, 2]]), np.array([[1.0, 1, 2, 1]])) == pytest.approx([0.5])


needs_bfi = pytest.mark.skipif(not BFI.exists(), reason="shared data are not here: psychTools_bfi.csv")


@needs_bfi
def test_indices_agree_with_insufficient_effort_on_real_answers():
    ier = pytest.importorskip("ier")
    frame = pd.read_csv(BFI).iloc[:, :25].astype(float)
    values = frame.to_numpy()
    assert longest_run(values).tolist() == ier.longstring_scores(values).tolist()
    aligned = np.where([name in BFI_REVERSED for name in frame], 7 - values, values)
    blocks = [aligned[:, at : at + 5] for at in range(0, 25, 5)]
    odd, even = (
        pd.concat([pd.DataFrame(block[:, half::2]).mean(axis=1) for block in blocks], axis=1) for half in (0, 1)
    )
    theirs = ier.evenodd(aligned, [5] * 5, method="halves")
    np.testing.assert_allclose(stepped_up(row_correlation(odd.to_numpy(), even.to_numpy())), theirs, atol=1e-9)
    complete = values[~np.isnan(values).any(axis=1)]
    np.testing.assert_allclose(np.sqrt(mahalanobis(complete)[0]), ier.mahad(complete), rtol=1e-9)
    # Opposites within pairs, their own way of finding them switched to ours: every pair of two columns.
    pairs = values[:, [0, 1, 3, 1, 5, 8, 6, 9]]
    ours = row_correlation(pairs[:, ::2], pairs[:, 1::2])
    hers = [np.corrcoef(row[::2][ok], row[1::2][ok])[0, 1] if (ok := ~np.isnan(row[::2] + row[1::2])).sum() > 1
            and np.ptp(row[::2][ok]) and np.ptp(row[1::2][ok]) else np.nan for row in pairs[:300]]  # fmt: skip
    np.testing.assert_allclose(ours[:300], hers, atol=1e-9)


@needs_bfi
def test_a_real_questionnaire_has_few_flags_and_its_planted_forms_are_found():
    with BFI.open(encoding="utf-8") as file:
        items = next(csv.reader(file))[:25]
    six = Scale("sau", tuple(Answer(float(c), {"vi": str(c), "en": str(c)}, (), None) for c in range(1, 7)))
    frame = pd.read_csv(BFI)[items].astype(float)
    frame.insert(0, "row_id", [f"w-{at + 2}" for at in range(len(frame))])
    frame = frame.assign(wave="w", unit="A")
    study = declared(items, reverse=BFI_REVERSED, groups=5, scale=six)
    flags = screen(frame, study)
    assert flags["rule"].value_counts().max() <= 0.02 * len(frame)
    spread = flags[flags["rule"] == "variability"].set_index("row_id")["value"]
    theirs = pytest.importorskip("ier").irv(frame[items].to_numpy()) / 5
    assert len(spread) and spread.to_dict() == pytest.approx(
        pd.Series(theirs, frame["row_id"]).loc[spread.index].to_dict()
    )
    frame.loc[0, items] = 6.0
    frame.loc[1, items] = frame.loc[2, items]
    after = screen(frame, study)
    assert {"same_answer", "variability"} <= set(after.loc[after["row_id"] == "w-2", "rule"])
    assert {"w-3", "w-4"} <= flagged(after)


def pilot(level, seed, *, mixed):
    """A pilot of 36 questions, 8 communes with 4 interviewers each, and how long every interview took."""
    difficulty = (-0.3, -0.1, 0.1, 0.3)
    groups = tuple(
        GroupModel(
            f"g{at}", tuple(f"q{4 * at + n}" for n in range(4)), 0.2, tuple(d + (at % 3 - 1) / 4 for d in difficulty)
        )
        for at in range(9)
    )
    units = tuple(UnitModel(f"U{at}", "comparison" if at else "pilot", level) for at in range(8))
    rng = np.random.default_rng(seed)
    frame = simulate_pilot(PilotModel(units, groups), seed=seed).answers
    kinds = frame[QUESTIONS].melt(ignore_index=False)
    kinds["kind"] = kinds["value"].map({98: "refused", 99: "dont_know"}).fillna("blank")
    frame[QUESTIONS] = frame[QUESTIONS].where(frame[QUESTIONS] < 98)
    frame["row_id"] = [f"w-{at}" for at in range(len(frame))]
    missing = kinds.join(frame["row_id"])[kinds["value"].isna() | (kinds["value"] > 5)][
        ["row_id", "variable", "kind"]
    ]
    if mixed:
        frame[list(MIXED)] = 6 - frame[list(MIXED)]
    frame["interviewer"] = frame["unit"] + pd.Series(rng.integers(1, 5, len(frame)).astype(str))
    frame["phut"] = rng.lognormal(np.log(25), 0.35, len(frame))
    turn = frame.groupby(["wave", "interviewer"]).cumcount()
    frame["luc"] = pd.Timestamp("2026-01-05 08:00") + pd.to_timedelta(turn // 6, unit="D")
    before = frame.groupby(["wave", "interviewer", "luc"])["phut"].cumsum() - frame["phut"]
    frame["luc"] += pd.to_timedelta(before + 10 * (turn % 6), unit="min")
    frame["luc"] += pd.to_timedelta(np.where(frame["wave"] == "after", 300, 0), unit="D")
    return frame, missing


def spoil(frame, rng):
    """2 % each: one answer throughout, answers at random, a tenth of another form changed, a fifth of the time."""
    planted = {}
    rows = rng.permutation(len(frame))
    size = len(frame) // 50
    for at, kind in enumerate(("straight", "random", "copy", "speed")):
        chosen = rows[at * size : (at + 1) * size]
        planted[kind] = set(frame["row_id"].iloc[chosen])
        if kind == "straight":
            frame.loc[chosen, QUESTIONS] = np.repeat(rng.integers(3, 6, (size, 1)), GRID, axis=1).astype(float)
        elif kind == "random":
            frame.loc[chosen, QUESTIONS] = rng.integers(1, 6, (size, GRID)).astype(float)
        elif kind == "copy":
            for row in chosen:
                same = np.flatnonzero((frame["wave"] == frame["wave"].iloc[row]).to_numpy())
                source = rng.choice(np.setdiff1d(same, rows[: 4 * size]))
                planted.setdefault("copied", set()).add(frame["row_id"].iloc[source])
                answers = frame.loc[source, QUESTIONS].to_numpy(dtype=float, copy=True)
                changed = rng.choice(GRID, 4, replace=False)
                answers[changed] = rng.integers(1, 6, 4)
                frame.loc[row, QUESTIONS] = answers
        else:
            frame.loc[chosen, "phut"] = 5.0
    return planted


@pytest.mark.slow
def test_false_flags_and_sensitivity_on_simulated_pilots(capsys):
    lines = ["rule: honest forms flagged, % (2 levels x one direction, both directions), then planted forms found, %"]
    conditions = [(level, mixed) for level in (3.2, 4.4) for mixed in (False, True)]
    sets = {"flagged": None, "any": FORM_RULES}
    false, found = {}, {}
    for level, mixed in conditions:
        study = declared(reverse=MIXED if mixed else (), interviewer="dtv", started="luc", duration="phut")
        counts, sums, forms = {}, {}, 0
        for seed in range(5):
            frame, missing = pilot(level, seed, mixed=mixed)
            flags = screen(frame, study, missing=missing)
            forms += len(frame)
            for rule in KINDS:
                counts[rule] = counts.get(rule, 0) + int((flags["rule"] == rule).sum())
            for name, chosen in sets.items():
                counts[name] = counts.get(name, 0) + len(flagged(flags, rules=chosen))
            planted = spoil(frame, np.random.default_rng(seed))
            flags = screen(frame, study, missing=missing)
            for kind in ("straight", "random", "copy", "speed"):
                for rule in (*KINDS, "flagged", "any"):
                    hit = flagged(flags, rules=sets.get(rule, (rule,)))
                    sums.setdefault((kind, rule), []).append(100 * len(hit & planted[kind]) / len(planted[kind]))
        false[level, mixed] = {rule: 100 * count / forms for rule, count in counts.items()}
        found[level, mixed] = {key: np.mean(rates) for key, rates in sums.items()}
    for rule in (*KINDS, "flagged", "any"):
        row = [f"{false[c][rule]:.2f}" for c in conditions]
        for kind in ("straight", "random", "copy", "speed"):
            row += [f"{kind} " + " ".join(f"{found[c][kind, rule]:.0f}" for c in conditions)]
        lines.append(f"| {rule} | " + " | ".join(row) + " |")
    with capsys.disabled():
        print("", *lines, sep="\n")
    assert all(rate <= 1 for rates in false.values() for rate in rates.values())
    assert all(rates["flagged"] <= 0.3 for rates in false.values())
    assert all(rates["speed", "fast"] > 95 for rates in found.values())
    assert found[3.2, False]["straight", "long_run"] > 95 and found[4.4, True]["straight", "same_answer"] > 95
    assert found[3.2, False]["copy", "near_copy"] > 70 and found[3.2, True]["random", "outlier"] > 50
