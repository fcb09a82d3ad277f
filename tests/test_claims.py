"""No sentence is stronger than its design: every design × every result, in both languages."""

import re
from itertools import product

import numpy as np
import pytest

import evalkit as ek
from evalkit.claims import GATE, claims, comparability, design_sentences, licence, paragraphs
from evalkit.comparison import CHANGE, DID, FIXED
from evalkit.effects import make_effects
from evalkit.study import Study

CAUSAL = {"vi": ("nhờ mô hình", "mô hình làm", "tác động"), "en": ("because", "the pilot raised", "effect")}
COMPARED = {"vi": ("cao hơn", "thấp hơn"), "en": ("above", "below")}
CHANGED = {"vi": ("tăng", "giảm", "thay đổi"), "en": ("higher", "lower", "change")}
LANGUAGES = ("vi", "en")


def redesigned(
    study: Study, *, chosen="other", arms=("pilot", "pilot", *["comparison"] * 6), mode="face_to_face", **waves
):
    """The study under another design; `mode` None leaves it undeclared, a pair differs between the waves."""
    declared = study.declared
    units = [unit.model_copy(update={"arm": arm}) for unit, arm in zip(declared.units, arms, strict=False)]
    modes = mode if isinstance(mode, tuple) else (mode, mode)
    surveys = [
        wave.model_copy(update={"mode": found, **waves}) for wave, found in zip(declared.waves, modes, strict=True)
    ]
    design = declared.design.model_copy(update={"pilot_units_chosen": chosen})
    plan = declared.plan.model_copy(update={"secondary": ()})
    update = {"units": tuple(units), "waves": tuple(surveys), "design": design, "plan": plan}
    return Study(study.folder, declared.model_copy(update=update), study.codebook, study.index, study.corrections)


def results(low, high, p):
    """Effects of `hai_long` whose adjusted intervals are [low, high] and whose placebo p is p."""
    middle = {"indicator": "hai_long", "unit": "points (0-100)", "conf_level": 0.95, "adjustment": "none"}
    middle |= {"n_before": 100, "n_after": 100, "n_clusters": 8}
    rows = []
    for group in ("pilot", "comparison", "all"):
        for period in ("before", "after"):
            rows.append(middle | {"group": group, "estimand": "level", "contrast": period, "method": "linearised",
                                  "estimate": 60.0})  # fmt: skip
        rows.append(middle | {"group": group, "estimand": "change", "contrast": CHANGE, "method": "linearised"})
    rows.append(rows[-1] | {"method": FIXED})
    did = {"group": "pilot - comparison", "estimand": "did", "contrast": DID}
    rows += [middle | did | {"method": "unit t"}, middle | did | {"method": "placebo", "p_value": p}]
    rows.append(middle | did | {"estimand": "smallest p", "method": "placebo", "estimate": 0.036, "unit": "p"})
    effects = make_effects(rows)
    shown = effects["estimand"].isin(["change", "did"])
    effects.loc[shown, ["estimate", "conf_low_adjusted", "conf_high_adjusted"]] = [(low + high) / 2, low, high]
    return effects


RESULTS = {
    "higher": results(2, 8, 0.036),
    "lower": results(-8, -2, 0.036),
    "none": results(-2, 8, 0.5),
    "interval without placebo": results(2, 8, 0.071),
    "no interval": results(np.nan, np.nan, 0.5),
}
ARMS = {
    "two pilots alone": ("pilot", "pilot"),
    "one comparison unit": ("pilot", "comparison"),
    "six comparison units": ("pilot", "pilot", *["comparison"] * 6),
    "no arms": (None,) * 8,
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", ["face_to_face", None, ("face_to_face", "online")])
@pytest.mark.parametrize("chosen", ["randomised", "volunteered", "low_scores", "other", None])
@pytest.mark.parametrize("arms", ARMS)
@pytest.mark.parametrize("result", RESULTS)
def test_no_sentence_is_stronger_than_its_design(nga_bay, result, arms, chosen, mode, language):
    study = redesigned(nga_bay, chosen=chosen, arms=ARMS[arms], mode=mode)
    groups = {"pilot", "comparison", "pilot - comparison"} if "comparison" in ARMS[arms] else {"pilot", "all"}
    effects = RESULTS[result][RESULTS[result]["group"].isin(groups)]
    found = claims(effects, study, language)
    said = re.sub("<[^>]*>", "", " ".join(claim.text for claim in found)).lower()
    may_cause = chosen == "randomised" and arms == "six comparison units" and mode == "face_to_face"
    if not may_cause:
        assert not [word for word in CAUSAL[language] if word in said]
    if arms != "six comparison units" or chosen == "low_scores":
        assert not [word for word in COMPARED[language] if word in said]
    if mode != "face_to_face":
        assert not [word for word in CHANGED[language] if word in said]
    if result in ("none", "no interval"):
        assert {claim.direction for claim in found} == {"none"}
    if result == "interval without placebo":
        assert all(claim.direction == "none" for claim in found if claim.estimand == "did")
    assert found and all(claim.text for claim in found)


def test_the_gate_names_every_design_and_pilots_alone_never_pass_changed():
    assert set(GATE) == set(product((False, True), repeat=3))
    assert {words for (_, compared, _), words in GATE.items() if not compared} == {"describe", "changed"}
    assert [design for design, words in GATE.items() if words == "effect"] == [(True, True, True)]


@pytest.mark.parametrize("name", ["target_population", "frame", "selection", "mode"])
def test_an_undeclared_wave_blocks_comparison(nga_bay, name):
    study = redesigned(nga_bay, **{name: None})
    assert comparability(study) == [f"undeclared_{name}"]
    assert licence(study) == "describe"
    assert "not" in " ".join(design_sentences(RESULTS["higher"], study, "en"))


@pytest.mark.parametrize("selection", ["quota", "convenience"])
def test_samples_without_known_chances_are_only_described(nga_bay, selection):
    assert licence(redesigned(nga_bay, selection=selection)) == "describe"


def test_the_demonstration_pilot_says_more_than_comparison_and_no_reason(effects, nga_bay):
    found = {(claim.indicator, claim.estimand): claim for claim in claims(effects, nga_bay, "vi")}
    assert found["hai_long", "did"].direction == "higher"
    assert "cao hơn ở đơn vị đối chứng" in found["hai_long", "did"].text
    assert found["cham_lo", "did"].direction == "none"
    assert "smallest placebo p" in " ".join(design_sentences(effects, nga_bay, "en"))


def test_one_pilot_unit_is_said_to_be_one(nga_bay):
    study = redesigned(nga_bay, arms=("pilot", *["comparison"] * 7))
    assert "There is one pilot unit" in " ".join(design_sentences(RESULTS["none"], study, "en"))


def test_every_number_in_a_sentence_is_bound_to_an_effect(effects, nga_bay):
    from html.parser import HTMLParser

    class Outside(HTMLParser):
        depth, text = 0, ""

        def handle_starttag(self, tag, attrs):
            key = dict(attrs)["data-effect"].split("|")
            assert len(key) == 6
            row = effects[(effects["indicator"] == key[0]) & (effects["group"] == key[1])
                          & (effects["estimand"] == key[2]) & (effects["contrast"] == key[3])
                          & (effects["method"] == key[4])]  # fmt: skip
            assert len(row) == 1 and np.isfinite(row.iloc[0][key[5]])
            self.depth += 1

        def handle_endtag(self, tag):
            self.depth -= 1

        def handle_data(self, data):
            self.text += data if not self.depth else ""

    for language in LANGUAGES:
        reader = Outside()
        reader.feed(" ".join(claim.text for claim in ek.claims.claims(effects, nga_bay, language)))
        assert not any(character.isdigit() for character in reader.text)


def test_paragraphs_stand_under_primary_and_secondary_outcomes(effects, nga_bay):
    found = paragraphs(claims(effects, nga_bay, "en"), nga_bay, "en")
    assert found[0] == "### Primary outcome" and found[1].startswith("**Overall satisfaction.**")
    assert found[2] == "### Secondary outcomes" and len(found) == 3 + len(nga_bay.plan.secondary)
