"""Scores with their design: which rows are one cluster, what is a stratum, and where a correction is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evalkit as ek
from evalkit.declaration import Node, Plan
from evalkit.estimation import domain_means
from evalkit.sample import CHANGE, Sample, moved
from evalkit.study import Design

REFERENCE = Path(__file__).parent / "reference"
WORDS = {"vi": "x", "en": "x"}
PERIODS = {"b": "before", "a": "after"}
PLAN = Plan(primary=("x",), confidence_level=0.95)
INDEX = {"x": Node(code="x", label=WORDS, aggregate="mean", items=("q", "r"))}
RATIO = {"x": Node(code="x", label=WORDS, aggregate="pooled", items=("q", "r"), at_least=2.0)}
COLUMNS = ["row_id", "wave", "unit", "respondent", "cluster", "stratum", "weight", "x"]


def people(units=("U", "V"), villages=4, each=6):
    """Scores of `each` people in the villages v0, v1, … of each unit; half of them are asked in both waves."""
    rng, rows = np.random.default_rng(7), []
    for wave in PERIODS:
        for unit in units:
            for village in range(villages):
                for person in range(each):
                    name = f"{unit}{village}{person}" + ("" if person < each // 2 else wave)
                    rows.append(
                        (wave, unit, f"v{village}", name, 40 + 9 * village * (wave == "a") + rng.normal(0, 9))
                    )
    scores = pd.DataFrame(rows, columns=["wave", "unit", "cluster", "respondent", "x"])
    return scores.assign(row_id=[f"r{i}" for i in scores.index], stratum="1", weight=1.0)[COLUMNS]


def change(scores, group="U", index=INDEX, **design):
    effects = ek.compare(scores, Design(dict.fromkeys(scores["unit"].unique()), PERIODS, **design), PLAN, index)
    found = effects[(effects["group"] == group) & (effects["estimand"] == "change")]
    return found[(found["contrast"] == CHANGE) & (found["method"] == "linearised")].iloc[0]


def note(scores, **design):
    return Sample(scores, Design({"U": None, "V": None}, PERIODS, **design), INDEX).notes


class TestNumberOfClusters:
    """What a unit's declared number of clusters does: four villages are in the sample."""

    PLAIN = change(people())

    def test_a_share_of_whole_villages_shrinks_the_error(self):
        found = change(people(), clusters={"U": 10}, whole_clusters=True)
        assert found["std_error"] == pytest.approx(self.PLAIN["std_error"] * np.sqrt(1 - 4 / 10))
        assert (found["df"], found["estimate"]) == (self.PLAIN["df"], self.PLAIN["estimate"])
        # It is U's number; V, of which nothing is declared, keeps its error.
        apart = change(people(), "V", clusters={"U": 10}, whole_clusters=True)
        assert apart["std_error"] == change(people(), "V")["std_error"]

    @pytest.mark.parametrize(
        ("key", "whole", "declared"),
        [
            ("fpc_not_whole", False, 10),
            ("more_clusters_than_declared", True, 3),
            ("more_clusters_than_declared", False, 3),
            ("census", True, 4),
        ],
    )
    def test_where_it_may_not_be_used_the_error_stays(self, key, whole, declared):
        design = {"clusters": {"U": declared}, "whole_clusters": whole}
        assert note(people(), **design) == {"U": key}
        assert change(people(), **design)["std_error"] == self.PLAIN["std_error"] > 0

    def test_other_villages_after_than_before_are_no_share(self):
        scores = people()
        scores.loc[(scores["wave"] == "a") & (scores["cluster"] == "v3"), "cluster"] = "v9"
        design = {"clusters": {"U": 10}, "whole_clusters": True}
        assert note(scores, **design) == {"U": "fpc_other_clusters"}
        assert change(scores, **design)["std_error"] == change(scores)["std_error"]

    def test_where_all_villages_were_surveyed_they_are_strata_and_people_the_clusters(self):
        scores = people()
        assert note(scores, clusters={"U": 4}) == {"U": "clusters_are_strata"}
        assert note(scores, clusters={"U": 10}, whole_clusters=True) == {"U": "fpc_used"}
        found, here = change(scores, clusters={"U": 4}), scores[scores["unit"] == "U"]
        means = domain_means(here[["x"]], here["wave"], cluster=here["respondent"], stratum=here["cluster"])
        expected = means.contrast([[1, -1] if means.domain[0] == "a" else [-1, 1]])
        for column in ("estimate", "std_error", "df"):
            assert found[column] == pytest.approx(getattr(expected, column).item())
        assert found["n_clusters"] == here["respondent"].nunique()
        assert abs(found["std_error"] / self.PLAIN["std_error"] - 1) > 0.05

    def test_without_respondents_rows_are_what_was_drawn(self):
        scores = people().drop(columns="respondent")
        here = scores[scores["unit"] == "U"]
        found = change(scores, clusters={"U": 4})
        means = domain_means(here[["x"]], here["wave"], stratum=here["cluster"])
        assert found["std_error"] == pytest.approx(means.contrast([[1, -1]]).std_error.item())

    @pytest.mark.parametrize("language", ["vi", "en"])
    def test_the_report_says_which(self, nga_bay, scores, language):
        villages = scores[scores["unit"] == "HL"]["cluster"].nunique()
        for key, declared in (("fpc_not_whole", villages + 5), ("clusters_are_strata", villages),
                              ("more_clusters_than_declared", villages - 1)):  # fmt: skip
            units = tuple(
                unit.model_copy(update={"clusters": declared if unit.code == "HL" else None})
                for unit in nga_bay.declared.units
            )
            declaration = nga_bay.declared.model_copy(update={"units": units})
            study = type(nga_bay)(nga_bay.folder, declaration, nga_bay.codebook, nga_bay.index, nga_bay.corrections)
            name = study.unit_label("HL", language)
            assert ek.language.text(key, language, units=name) in ek.tables.drawing_sentences(scores, study, language)


def test_villages_of_a_respondent_who_moved_are_one_cluster():
    scores, merged = people(), people()
    scores.loc[(scores["respondent"] == "U00") & (scores["wave"] == "a"), "cluster"] = "v1"
    merged["cluster"] = merged["cluster"].where((merged["unit"] != "U") | (merged["cluster"] != "v1"), "v0")
    assert moved(scores).values.tolist() == [["U00", "U", ("v0", "v1")]]
    found, expected = change(scores), change(merged)
    for column in ("estimate", "std_error", "df", "n_clusters"):
        assert found[column] == pytest.approx(expected[column])
    assert found["n_clusters"] == 3 and found["std_error"] != change(people())["std_error"]
    assert change(scores, "V")["n_clusters"] == 4


def test_villages_of_one_name_in_two_communes_are_two_clusters():
    same = people()
    apart = same.assign(cluster=same["unit"] + same["cluster"])
    for group in ("U", "all"):
        found, expected = change(same, group), change(apart, group)
        assert (
            found[["std_error", "df", "n_clusters"]].tolist() == expected[["std_error", "df", "n_clusters"]].tolist()
        )
    assert found["n_clusters"] == 8


@pytest.mark.parametrize("single", [None, "center", "certainty"])
def test_a_stratum_with_one_village_means_what_is_declared(single):
    scores = people()
    scores["stratum"] = np.where(scores["cluster"] == "v0", "1", "2")
    found, here = change(scores, single_cluster=single), scores
    means = domain_means(
        here[["x"]], here["unit"] + here["wave"], cluster=here["unit"] + here["cluster"],
        stratum=here["unit"] + here["stratum"], single_cluster=single or "unknown",
    )  # fmt: skip
    expected = means.contrast([[{"Ua": 1, "Ub": -1}.get(label, 0) for label in means.domain]])
    assert found["std_error"] == pytest.approx(expected.std_error.item(), nan_ok=True)
    assert (found["note"] == "one_cluster") == (single is None) == np.isnan(found["std_error"])


class TestPooled:
    """A pooled percentage is a ratio of sums: who answered more questions counts for more."""

    def test_by_hand(self, nga_bay, survey):
        """The percentage of satisfied answers to five questions, of all answers given, commune by commune."""
        index = {"tl_cchc": nga_bay.index["tl_cchc"]}
        scores = ek.score(survey.responses, index, nga_bay.codebook)
        plan = Plan(primary=("tl_cchc",), confidence_level=0.95)
        effects = ek.compare(scores, Design(nga_bay.design.arms, nga_bay.design.periods), plan, index)
        answers = survey.responses[["q1_1", "q1_2", "q1_3", "q1_4", "q1_5"]]
        here = (survey.responses["unit"] == "HL") & (survey.responses["wave"] == "sau")
        level = effects[(effects["group"] == "HL") & (effects["contrast"] == "after")].iloc[0]
        share = (answers[here] >= 4).sum().sum() / answers[here].notna().sum().sum()
        assert level["estimate"] == pytest.approx(100 * share)
        assert share != pytest.approx(((answers[here] >= 4).sum(axis=1) / answers[here].notna().sum(axis=1)).mean())
        assert level["unit"] == "percent" and 0 < level["conf_low"] < level["conf_high"] < 100

    def test_agrees_with_rs_svyratio(self):
        """Waiting per fee in the villages of panel.csv, as estimation.R reckons it: fees stand for the answers."""
        panel = pd.read_csv(REFERENCE / "panel.csv")
        scores = panel.rename(columns={"village": "cluster"})[["wave", "unit", "cluster", "weight"]].assign(
            row_id=[f"r{i}" for i in range(len(panel))], stratum="1", x=100 * panel["waiting"] / panel["fees"]
        )
        scores["x/answers"] = panel["fees"].where(scores["x"].notna(), 0.0)
        design = Design(dict.fromkeys(panel["unit"].unique()), {"before": "before", "after": "after"})
        effects = ek.compare(scores, design, PLAN, RATIO)
        rows = pd.read_csv(REFERENCE / "estimation.csv").query("case == 'panel villages ratio'")
        reference = dict(zip(rows["quantity"], rows["value"].astype(float), strict=True))
        for unit in sorted(panel["unit"].unique()):
            found = effects[(effects["group"] == unit) & (effects["estimand"] == "level")].set_index("contrast")
            for wave in ("before", "after"):
                for column in ("estimate", "std_error"):
                    expected = 100 * reference[f"{unit}|{wave}: {column}"]
                    assert found.loc[wave, column] == pytest.approx(expected, rel=1e-9)
