"""No sentence is stronger than its design: every design × every result × every declaration, in both languages."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from matplotlib import pyplot as plt

import evalkit as ek
from evalkit.claims import claims, design_sentences, paragraphs
from evalkit.comparison import FIXED
from evalkit.declaration import Node
from evalkit.effects import KEY, make_effects
from evalkit.licence import GATE, comparability, licence
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.study import Study
from evalkit.tracing import resolve, tracing

CAUSAL = {"vi": ("nhờ mô hình", "mô hình làm", "tác động"), "en": ("because", "the pilot raised", "effect")}
COMPARED = {"vi": ("cao hơn", "thấp hơn"), "en": ("above", "below")}
CHANGED = {"vi": ("tăng", "giảm", "thay đổi"), "en": ("higher", "lower", "change")}
DIRECTED = {"vi": ("tăng từ", "giảm từ"), "en": ("higher after", "lower after")}
LANGUAGES = ("vi", "en")
ARMS = {
    "two pilots alone": ("pilot", "pilot"),
    "one comparison unit": ("pilot", "comparison"),
    "six comparison units": ("pilot", "pilot", *["comparison"] * 6),
    "one pilot unit": ("pilot", *["comparison"] * 7),
    "no arms": (None,) * 8,
}
WORDINGS = {"same": ("1", "1"), "differs": ("1", "2"), "undeclared": ("1", None)}
ROLES = ("primary", "secondary", "screening")
# Ends of the adjusted intervals, the placebo p, and the p of the unit-level t test, both adjusted.
RESULTS = {
    "higher": (2, 8, 0.036, 0.01),
    "lower": (-8, -2, 0.036, 0.01),
    "none": (-2, 8, 0.5, 0.4),
    "intervalwithoutplacebo": (2, 8, 0.071, 0.01),
    "nointerval": (np.nan, np.nan, 0.5, np.nan),
}
CASES = {"_".join(case): case for case in product(RESULTS, ROLES, WORDINGS) if "same" in case or "higher" in case}


def restudied(study: Study, **changes):
    """The study with parts of study.toml replaced: plan=…, design=…, units=…, waves=…."""
    parts = {
        name: value if isinstance(value, tuple) else getattr(study.declared, name).model_copy(update=value)
        for name, value in changes.items()
    }
    return replace(study, declared=study.declared.model_copy(update=parts))


def redesigned(study: Study, *, chosen="other", arms=ARMS["six comparison units"], mode="face_to_face", **waves):
    """The study under another design; `mode` None leaves it undeclared, a pair differs between the waves."""
    declared = study.declared
    units = [unit.model_copy(update={"arm": arm}) for unit, arm in zip(declared.units, arms, strict=False)]
    modes = mode if isinstance(mode, tuple) else (mode, mode)
    surveys = [
        wave.model_copy(update={"mode": found, **waves}) for wave, found in zip(declared.waves, modes, strict=True)
    ]
    design = {"pilot_units_chosen": chosen}
    return restudied(study, units=tuple(units), waves=tuple(surveys), design=design, plan={"secondary": ()})


def with_every_case(study: Study, unit_test="placebo"):
    """The study with one indicator a result, role and wording; each is made of one item of its own name."""
    words = {"vi": "chỉ số", "en": "indicator"}
    index = {case: Node(code=case, label=words, aggregate="mean", items=(case,)) for case in CASES}
    plan = {role: tuple(case for case, parts in CASES.items() if parts[1] == role) for role in ROLES}
    waves = tuple(
        wave.model_copy(
            update={"wording": {case: versions[at] for case, (_, _, kind) in CASES.items()
                                for versions in [WORDINGS[kind]] if versions[at]}}
        )
        for at, wave in enumerate(study.declared.waves)
    )  # fmt: skip
    return replace(restudied(study, plan=plan | {"unit_test": unit_test}, waves=waves), index=index)


def results(name, low, high, placebo_p, unit_p):
    """Effects of one indicator whose adjusted intervals are [low, high]."""
    middle = {"indicator": name, "unit": "points (0-100)", "conf_level": 0.95, "adjustment": "sidak, holm (2)"}
    middle |= {"n_before": 100, "n_after": 100, "n_clusters": 8}
    ends = {"estimate": (low + high) / 2, "conf_low_adjusted": low, "conf_high_adjusted": high}
    ends |= {"conf_low": low, "conf_high": high, "p_adjusted": unit_p}
    rows = []
    for group in ("pilot", "comparison", "all"):
        for period in ("before", "after"):
            rows.append(middle | {"group": group, "estimand": "level", "contrast": period, "method": "linearised",
                                  "estimate": 60.0})  # fmt: skip
        rows.append(
            middle | ends | {"group": group, "estimand": "change", "contrast": CHANGE, "method": "linearised"}
        )
    rows.append(rows[-1] | {"method": FIXED})
    did = middle | {"group": BETWEEN, "estimand": "did", "contrast": DID}
    rows += [did | ends | {"method": "unit t"}, did | ends | {"method": "placebo", "p_adjusted": placebo_p}]
    rows.append(did | {"estimand": "smallest p", "method": "placebo", "estimate": 0.036, "unit": "p"})
    return rows


EVERY = make_effects(row for case, (result, _, _) in CASES.items() for row in results(case, *RESULTS[result]))
HIGHER = make_effects(results("hai_long", *RESULTS["higher"]))


def said(found):
    """The words of claims, without their numbers, in small letters."""
    return re.sub("<[^>]*>", "", " ".join(claim.text for claim in found)).lower()


def uses(sentence, words):
    return any(word in sentence for word in words)


@pytest.mark.parametrize("mode", ["face_to_face", None, ("face_to_face", "online")])
@pytest.mark.parametrize("chosen", ["randomised", "volunteered", "low_scores", "high_scores", "other", None])
@pytest.mark.parametrize("arms", ARMS)
def test_no_sentence_is_stronger_than_its_design(nga_bay, arms, chosen, mode):
    one_sided = {"two pilots alone": {"pilot"}, "one comparison unit": {"pilot", "comparison"}, "no arms": {"all"}}
    effects = EVERY[EVERY["group"].isin(one_sided.get(arms, {"pilot", "comparison", BETWEEN}))]
    design = redesigned(nga_bay, chosen=chosen, arms=ARMS[arms], mode=mode)
    compares = arms in ("six comparison units", "one pilot unit") and chosen not in ("low_scores", "high_scores")
    causes = arms == "six comparison units" and chosen == "randomised"
    tests = ("placebo", "unit t") if compares and mode == "face_to_face" else ("placebo",)
    for language, unit_test in product(LANGUAGES, tests):
        study = with_every_case(design, unit_test)
        found = claims(effects, study, language)
        for case, (result, role, wording) in CASES.items():
            about = [claim for claim in found if claim.indicator == case]
            words, did = said(about), [claim for claim in about if claim.estimand == "did"]
            told = (case, arms, chosen, mode, language, unit_test, words)
            assert about and all(claim.text for claim in about), told
            comparable = mode == "face_to_face" and wording == "same"
            # What may not be said.
            assert not uses(words, CHANGED[language]) or comparable, told
            assert not uses(words, CAUSAL[language]) or (comparable and causes), told
            assert not uses(words, COMPARED[language]) or (comparable and compares), told
            assert bool(did) == (comparable and compares), told
            if role == "screening" or result in ("none", "nointerval"):
                assert not uses(words, (*DIRECTED[language], *COMPARED[language], "raised", "làm tăng")), told
                assert {claim.direction for claim in about} == {"none"}, told
            # What is said where it may be.
            elif comparable:
                assert about[0].direction == ("lower" if result == "lower" else "higher"), told
                assert uses(said(about[:1]), DIRECTED[language]), told
                supported = unit_test == "unit t" or RESULTS[result][2] <= 0.05
                assert all((claim.direction != "none") == supported for claim in did), told


@pytest.mark.parametrize(("unit_test", "placebo_p", "unit_p"), [("placebo", 0.051, 0.01), ("unit t", 0.036, 0.051)])
def test_above_needs_the_p_that_the_plan_fixes_beside_the_interval(nga_bay, unit_test, placebo_p, unit_p):
    """Holm's p of a family can exceed 0.05 where Šidák's interval just leaves out zero."""
    study = restudied(redesigned(nga_bay), plan={"unit_test": unit_test})
    effects = make_effects(row for row in results("hai_long", 2, 8, placebo_p, unit_p) if row["group"] != "all")
    did = claims(effects, study, "en")[-1]
    assert (did.estimand, did.direction) == ("did", "none") and not uses(said([did]), COMPARED["en"])


@pytest.mark.parametrize("chosen", ["randomised", "volunteered", "other", None])
@pytest.mark.parametrize("arms", ["six comparison units", "one pilot unit"])
def test_the_p_is_named_after_what_was_drawn(nga_bay, arms, chosen):
    """«Exact randomisation» is what units drawn by lot give; everything else is a placebo comparison."""
    drawn = chosen == "randomised" and arms == "six comparison units"
    effects = HIGHER[HIGHER["group"] != "all"]
    names = {"vi": ("p ngẫu nhiên hóa chính xác", "p hoán vị"), "en": ("exact randomisation p", "placebo p")}
    for language, (exact, placebo) in names.items():
        study = redesigned(nga_bay, chosen=chosen, arms=ARMS[arms])
        words = said(claims(effects, study, language)), " ".join(design_sentences(effects, study, language))
        for spoken in words:
            assert (exact in spoken, placebo in spoken) == (drawn, not drawn)


def test_the_gate_names_every_design_and_pilots_alone_never_pass_changed():
    assert set(GATE) == set(product((False, True), repeat=3))
    assert {words for (_, compared, _), words in GATE.items() if not compared} == {"describe", "changed"}
    assert [design for design, words in GATE.items() if words == "effect"] == [(True, True, True)]


@pytest.mark.parametrize("name", ["target_population", "frame", "selection", "mode"])
def test_an_undeclared_wave_blocks_comparison(nga_bay, name):
    study = redesigned(nga_bay, **{name: None})
    assert comparability(study) == comparability(study, "hai_long") == [f"undeclared_{name}"]
    assert licence(study) == licence(study, "hai_long") == "describe"
    assert "says nothing about change" in " ".join(design_sentences(HIGHER, study, "en"))


@pytest.mark.parametrize("selection", ["quota", "convenience"])
def test_samples_without_known_chances_are_only_described(nga_bay, selection):
    assert licence(redesigned(nga_bay, selection=selection)) == "describe"


WORDED = {
    "differs": ({"all": "1", "q2_3": "1"}, {"all": "1", "q2_3": "2"}),
    "undeclared": ({"all": "1"}, {"q7": "1"}),
}


def reworded(study, kind):
    """Grassroots democracy in other words (`differs`), or nothing declared of all items but q7 in the second wave."""
    waves = zip(study.declared.waves, WORDED[kind], strict=True)
    return restudied(study, waves=tuple(wave.model_copy(update={"wording": words}) for wave, words in waves))


@pytest.mark.parametrize("kind", WORDED)
def test_a_question_in_other_words_blocks_what_it_touches_and_nothing_else(nga_bay, effects, kind):
    study = reworded(nga_bay, kind)
    blocked = {"dan_chu"} if kind == "differs" else set(study.plan.secondary)
    assert {code for code in study.plan.outcomes if licence(study, code) == "describe"} == blocked
    assert comparability(study, "dan_chu") == [f"{kind}_wording"] and comparability(study) == []
    for language in LANGUAGES:
        sentences = " ".join(design_sentences(effects, study, language))
        assert study.index["dan_chu"].label.model_dump()[language] in sentences
        for claim in claims(effects, study, language):
            assert not (claim.indicator in blocked and uses(said([claim]), CHANGED[language]))
            assert claim.indicator in blocked or claim.estimand != "level"
    table = ek.tables.effects(effects, study, "en", groups=["pilot"], indicators=list(study.plan.outcomes))
    assert dict(zip(study.plan.outcomes, table["Difference"] == "not compared", strict=True)) == {
        code: code in blocked for code in study.plan.outcomes
    }


def test_a_blocked_indicator_is_drawn_without_a_line_from_before_to_after(nga_bay, effects):
    study, planned = reworded(nga_bay, "differs"), list(nga_bay.plan.secondary)
    with plt.rc_context():
        axes = ek.figures.levels(effects, study, "en", indicators=planned, groups=["pilot"])
    found = effects[(effects["group"] == "pilot") & (effects["estimand"] == "level")].set_index("indicator")
    joined = {
        code
        for code in planned
        for line in axes.lines
        if np.array_equal(line.get_xdata(), found.loc[code, "estimate"].to_numpy())
    }
    assert joined == set(planned) - {"dan_chu"}


@pytest.mark.parametrize("chosen", ["low_scores", "high_scores"])
def test_pilots_picked_for_scores_get_the_regression_to_the_mean_and_no_comparison(nga_bay, scores, chosen):
    study = restudied(nga_bay, design={"pilot_units_chosen": chosen, "composition": ()}, plan={"secondary": ()})
    effects = ek.compare(scores, study.design, study.plan, {"hai_long": study.index["hai_long"]})
    before = scores[scores["wave"] == "truoc"].groupby("unit")["hai_long"].mean()
    gap = before.drop(["HL", "NB"]).mean() - before[["HL", "NB"]].mean()
    expected = [f"{share * gap:+.1f}".replace("-", "−") for share in (0.5, 0.3, 0.1)]
    sentences = " ".join(design_sentences(effects, study, "en"))
    (told,) = re.findall(r"by about (.*?) points, if the surveys correlate at (.*?)\.(?:\s|$)", sentences)
    assert re.sub("<[^>]*>", "", told[0]) == f"{expected[0]}, {expected[1]} or {expected[2]}"
    assert told[1] == "0.5, 0.7 or 0.9"
    assert not [claim for claim in claims(effects, study, "en") if claim.estimand == "did"]


def test_the_demonstration_pilot_says_more_than_comparison_and_no_reason(effects, nga_bay):
    found = {(claim.indicator, claim.estimand): claim for claim in claims(effects, nga_bay, "vi")}
    assert found["hai_long", "did"].direction == "higher"
    assert "cao hơn ở đơn vị đối chứng" in found["hai_long", "did"].text
    assert found["cham_lo", "did"].direction == "none"
    assert "smallest placebo p" in " ".join(design_sentences(effects, nga_bay, "en"))


def test_one_pilot_unit_is_said_to_be_one(nga_bay):
    study = redesigned(nga_bay, arms=("pilot", *["comparison"] * 7))
    assert "There is one pilot unit" in " ".join(design_sentences(HIGHER, study, "en"))


def test_every_number_in_a_sentence_is_bound_to_an_effect(effects, nga_bay):
    for language in LANGUAGES:
        with tracing():
            found = ek.claims.claims(effects, nga_bay, language)
            words, spans = resolve(" ".join(claim.text for claim in found))
        stated = [span for span in spans if span.origin.kind == "claim"]
        assert [span.origin.about["direction"] for span in stated] == [claim.direction for claim in found]
        for span in [span for span in spans if span.origin.kind == "number"]:
            *key, column = span.origin.about["effect"].split("|")
            row = effects[(effects[list(KEY)] == key).all(axis=1)]
            assert len(row) == 1 and np.isfinite(row.iloc[0][column])
            words = words[: span.start] + "#" * (span.end - span.start) + words[span.end :]
        assert not any(character.isdigit() for character in words)


def test_paragraphs_stand_under_primary_and_secondary_outcomes(effects, nga_bay):
    found = paragraphs(claims(effects, nga_bay, "en"), nga_bay, "en")
    assert found[0] == "### Primary outcome" and found[1].startswith("**Overall satisfaction.**")
    assert found[2] == "### Secondary outcomes" and len(found) == 3 + len(nga_bay.plan.secondary)
