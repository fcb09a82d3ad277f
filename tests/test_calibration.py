from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.calibration import rake
from evalkit.estimation import domain_means

TESTS = Path(__file__).parent
REFERENCE = pd.read_csv(TESTS / "reference/calibration.csv").query("case != 'versions'")
KNOWN = REFERENCE[~REFERENCE["case"].str.contains("to before")]
DID = {"A|after": 1, "A|before": -1, "B|after": -0.5, "B|before": 0.5, "C|after": -0.5, "C|before": 0.5}
TYPES = ("stype", {"E": 4421, "H": 755, "M": 1018})
TARGETS = ("sch.wide", {"No": 1072, "Yes": 5122})
SEXES = ("wave sex", {"before f": 510, "before m": 490, "after f": 540, "after m": 460})
AGES = (
    "wave age",
    {"before young": 300, "before middle": 320, "before old": 380}
    | {"after young": 280, "after middle": 330, "after old": 390},
)


def read(case):
    """Rows of the case with the columns domain, weight, cluster and stratum."""
    if case.startswith("panel"):
        frame = pd.read_csv(TESTS / "reference/panel.csv")
        number = frame["respondent"].str[1:].astype(int)
        frame["sex"] = np.where(number % 2 == 1, "f", "m")
        frame["age"] = number.map(lambda one: ["old", "young", "middle"][one % 3])
        for name in ("sex", "age"):
            frame[f"wave {name}"] = frame["wave"] + " " + frame[name]
        frame["domain"] = frame["wave"] if case.endswith("pooled") else frame["unit"] + "|" + frame["wave"]
        cluster = frame["village" if "villages" in case else "respondent"]
        return frame.assign(cluster=cluster, stratum=frame["unit"])
    path = TESTS / "../../shared/data/packages/survey_apiclus1.csv"
    if not path.exists():
        pytest.skip("survey_apiclus1.csv: not part of the repository, its licence does not allow it")
    frame = pd.read_csv(path).assign(state="California")
    domain = next((name for name in ("stype", "comp.imp") if case.endswith(name)), "state")
    return frame.assign(domain=frame[domain], weight=frame["pw"], cluster=frame["dnum"], stratum="")


def calibrate(case, frame):
    margins = (SEXES, AGES) if case.startswith("panel") else (TYPES, TARGETS)
    if "to before" in case:
        margins = [(name, frame["wave"] == "before") for name in ("sex", "age")]
    if "poststratified" in case or "one margin" in case:
        margins = margins[:1]
    return rake(frame["weight"], [(frame[label], totals) for label, totals in margins])


def estimate(case, items):
    frame = read(case)
    calibration = calibrate(case, frame)
    population = frame["fpc"] if "fpc" in case else None
    return domain_means(
        frame[items],
        frame["domain"],
        weight=calibration.weight,
        cluster=frame["cluster"],
        stratum=frame["stratum"],
        population=population,
        calibration=calibration,
    )


def against(case, reference):
    """What R found and what we find, by item and quantity."""
    values = reference[(reference["case"] == case) & (reference["item"] != "weights")]
    expected = values.set_index(["item", "quantity"])["value"].astype(float).to_dict()
    items, found = list(dict.fromkeys(item for item, _ in expected)), {}
    means = estimate(case, items)
    for item, quantity in expected:
        contrast, _, name = quantity.rpartition(": ")
        chosen = DID if contrast == "did" else dict(zip(contrast.split(" - "), (1, -1), strict=False))
        result = means.contrast([chosen.get(label, 0) for label in means.domain])
        found[item, quantity] = getattr(result, name)[0, items.index(item)]
    return found, expected


@pytest.mark.parametrize("case", KNOWN.query("item != 'weights'")["case"].unique())
def test_agrees_with_r_survey(case):
    found, expected = against(case, KNOWN)
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("case", KNOWN.query("item == 'weights'")["case"].unique())
def test_weights_are_those_of_r_survey(case):
    frame = read(case)
    result = calibrate(case, frame)
    margins = (SEXES, AGES) if case.startswith("panel") else (TYPES, TARGETS)
    if case.startswith("panel") and case.endswith("poststratified"):
        margins = margins[:1]
    cell = frame[[name for name, _ in margins]].agg(" ".join, axis=1)
    values = KNOWN[(KNOWN["case"] == case) & (KNOWN["item"] == "weights")]
    values = values.set_index("quantity")["value"].astype(float)
    found = pd.Series(result.weight).groupby(cell + ": total").sum()
    assert result.design_effect == pytest.approx(values.pop("design_effect"), rel=1e-8)
    assert found.to_dict() == pytest.approx(values.to_dict(), rel=1e-8)


@pytest.mark.parametrize("case", REFERENCE[REFERENCE["case"].str.contains("to before")]["case"].unique())
def test_margins_of_an_earlier_wave_are_estimates(case):
    """With two margins the script's residuals are from means by other weights: those after raking."""
    found, expected = against(case, REFERENCE)
    assert found == pytest.approx(expected, rel=1e-8 if "one margin" in case else 1e-3)


def test_margins_taken_as_known_have_another_error():
    """The guard of the test above: an error that leaves out the margins' own is far outside its tolerance."""
    frame = read("panel villages")
    before, waiting = frame["wave"] == "before", ["waiting"]
    share = frame[before].groupby("age")["weight"].sum()
    fixed = {f"{wave} {age}": total for wave in ("before", "after") for age, total in share.items()}
    joint = rake(frame["weight"], [(frame["age"], before)])
    known = rake(frame["weight"], [(frame["wave age"], fixed)])
    assert joint.weight == pytest.approx(known.weight, rel=1e-9)
    roles = {"cluster": frame["cluster"], "stratum": frame["stratum"]}
    errors = [
        domain_means(frame[waiting], frame["domain"], weight=one.weight, calibration=one, **roles).contrast(
            [0, 0, 0, 0, 1, -1]
        )
        for one in (joint, known)
    ]
    assert errors[0].estimate == pytest.approx(errors[1].estimate)
    assert abs(errors[1].std_error / errors[0].std_error - 1) > 0.01


def simulated(seed, rows=40):
    """A sample whose margins, domains, weights and values are all related."""
    rng = np.random.default_rng(seed)
    age, sex = rng.integers(0, 3, rows), rng.integers(0, 2, rows)
    age[:6], sex[:6] = [0, 0, 1, 1, 2, 2], [0, 1] * 3  # no empty cell
    frame = pd.DataFrame({"age": age, "sex": sex, "cluster": rng.integers(0, 9, rows)})
    frame["domain"] = np.where(rng.random(rows) < 0.3 + 0.2 * age, "a", "b")
    frame["weight"] = rng.gamma(4, 0.25 + 0.2 * sex) + 0.05
    frame["y"] = np.round(3 + age - sex + rng.normal(0, 1, rows), 1)
    frame.loc[rng.random(rows) < 0.15, "y"] = np.nan
    frame["stratum"] = frame["cluster"] % 2
    return frame.astype({"age": str, "sex": str})


def derivative(frame, margins, contrast, reference=None, rounds=1):
    """Of the calibrated contrast by the weight of each row, and its value.

    Weights are moved along the imaginary axis, one row a column: the imaginary part is the derivative without
    rounding or step size. Margins are lists of rows and the total they are to have.
    """
    start = frame["weight"].to_numpy()[:, None] + 1e-30j * np.eye(len(frame))
    adjusted, w = np.ones(len(frame), bool) if reference is None else ~reference, start.copy()
    for _ in range(rounds):
        for rows, total in margins:
            goal = start[rows & ~adjusted].sum(axis=0) if total is None else total
            w[rows & adjusted] *= goal / w[rows & adjusted].sum(axis=0)
    value, y = 0.0, frame["y"].to_numpy()
    for label, coefficient in contrast.items():
        rows = (frame["domain"] == label).to_numpy() & ~np.isnan(y)
        value = value + coefficient * (w[rows] * y[rows, None]).sum(axis=0) / w[rows].sum(axis=0)
    return value[0].real, value.imag / 1e-30


def written_out(frame, influence):
    """The standard error of the sum of weight · influence over clusters in strata."""
    u = (frame["weight"] * influence).groupby([frame["stratum"], frame["cluster"]]).sum()
    return np.sqrt(sum(len(one) * one.var() for _, one in u.groupby(level=0)))


def calibrated(frame, calibration, values=("y",)):
    return domain_means(
        frame[list(values)],
        frame["domain"],
        weight=calibration.weight,
        cluster=frame["cluster"],
        stratum=frame["stratum"],
        calibration=calibration,
    )


def kish(weight):
    return 1 + (weight.std() / weight.mean()) ** 2


SEEDS = given(seed=st.integers(0, 2**32 - 1))
CONTRASTS = [{"a": 1}, {"b": 1}, {"a": 1, "b": -1}]


def assert_exact(frame, calibration, margins, **options):
    means = calibrated(frame, calibration)
    for contrast in CONTRASTS:
        value, influence = derivative(frame, margins, contrast, **options)
        L = [contrast.get(label, 0) for label in means.domain]
        found = means.contrast(L)
        assert found.estimate.item() == pytest.approx(value, rel=1e-8)
        assert found.std_error.item() == pytest.approx(written_out(frame, influence), rel=1e-7)
        assert means.covariance(L).item() == pytest.approx(found.std_error.item() ** 2)


@settings(deadline=None, max_examples=50)
@SEEDS
def test_post_stratification_agrees_with_its_derivative(seed):
    frame = simulated(seed)
    totals = {"0": 120.0, "1": 300.0, "2": 77.0}
    margins = [((frame["age"] == label).to_numpy(), total) for label, total in totals.items()]
    assert_exact(frame, rake(frame["weight"], [(frame["age"], totals)]), margins)


@settings(deadline=None, max_examples=50)
@SEEDS
def test_raking_to_what_the_sample_has_agrees_with_its_derivative(seed):
    """Where raking need not move a weight, residuals by the weights before and after are the same."""
    frame = simulated(seed)
    totals = {name: frame.groupby(name)["weight"].sum().to_dict() for name in ("age", "sex")}
    result = rake(frame["weight"], [(frame[name], known) for name, known in totals.items()])
    assert result.weight == pytest.approx(frame["weight"].to_numpy())
    margins = [
        ((frame[name] == label).to_numpy(), one) for name, known in totals.items() for label, one in known.items()
    ]
    assert_exact(frame, result, margins, rounds=300)


@settings(deadline=None, max_examples=50)
@SEEDS
def test_a_margin_counted_in_other_rows_agrees_with_its_derivative(seed):
    frame = simulated(seed, rows=60)
    reference = np.arange(60) % 2 == seed % 2
    reference[:6] = [True, True, True, False, False, False]
    frame.loc[[0, 1, 2, 3, 4, 5], "age"] = ["0", "1", "2"] * 2
    result = rake(frame["weight"], [(frame["age"], reference)])
    assert (result.weight[reference] == frame["weight"][reference]).all()
    assert result.design_effect == pytest.approx(kish(result.weight[~reference]))
    margins = [((frame["age"] == label).to_numpy(), None) for label in "012"]
    assert_exact(frame, result, margins, reference=reference)


@settings(deadline=None, max_examples=50)
@SEEDS
def test_rows_without_a_label_take_no_part(seed):
    frame = simulated(seed)
    aside = np.arange(40) % 3 == 0
    aside[:6] = False
    totals = {"0": 40.0, "1": 30.0, "2": 50.0}
    result = rake(frame["weight"], [(frame["age"].where(~aside, None), totals)])
    assert (result.weight[aside] == frame["weight"][aside]).all()
    assert result.design_effect == pytest.approx(kish(result.weight[~aside]))
    margins = [((frame["age"] == label).to_numpy() & ~aside, total) for label, total in totals.items()]
    assert_exact(frame, result, margins)


@settings(deadline=None, max_examples=50)
@SEEDS
def test_margins_are_met_and_weights_are_products(seed):
    """Raked weights are the old ones times a factor of each label: no interaction is added."""
    frame = simulated(seed)
    totals = {"age": {"0": 120.0, "1": 300.0, "2": 80.0}, "sex": {"0": 270.0, "1": 230.0}}
    result = rake(frame["weight"], [(frame[name], known) for name, known in totals.items()])
    for name, known in totals.items():
        assert pd.Series(result.weight).groupby(frame[name]).sum().to_dict() == pytest.approx(known, rel=1e-9)
    factor = (result.weight / frame["weight"]).groupby([frame["age"], frame["sex"]]).agg(["min", "max"])
    assert factor["max"].to_numpy() == pytest.approx(factor["min"].to_numpy())
    ratio = factor["min"].unstack()
    assert (ratio["0"] / ratio["1"]).to_numpy() == pytest.approx(3 * [ratio.iloc[0, 0] / ratio.iloc[0, 1]])
    assert result.design_effect == pytest.approx(kish(result.weight))


@settings(deadline=None, max_examples=50)
@SEEDS
def test_what_is_calibrated_to_does_not_vary(seed):
    frame = simulated(seed).assign(domain="all")
    frame["old"] = (frame["age"] == "2").astype(float)
    result = rake(frame["weight"], [(frame["age"], {"0": 120.0, "1": 300.0, "2": 80.0})])
    means = calibrated(frame, result, ["old"])
    assert means.estimate.item() == pytest.approx(80 / 500)
    assert means.std_error.item() == pytest.approx(0, abs=1e-9)
    weighted = domain_means(
        frame[["old"]], frame["domain"], weight=result.weight, cluster=frame["cluster"], stratum=frame["stratum"]
    )
    assert weighted.std_error.item() > 1e-3


@settings(deadline=None, max_examples=50)
@SEEDS
def test_one_total_for_all_changes_nothing(seed):
    frame = simulated(seed)
    result = rake(frame["weight"], [(np.full(40, "all"), {"all": 1234.5})])
    plain = domain_means(
        frame[["y"]], frame["domain"], weight=frame["weight"], cluster=frame["cluster"], stratum=frame["stratum"]
    )
    found = calibrated(frame, result)
    for name in ("n", "estimate", "std_error", "df", "clusters"):
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-9)


ROWS = np.array(["m", "m", "f", "f"])
GROUPS = np.array(["x", "y", "x", "y"])


@pytest.mark.parametrize(
    ("weight", "margins", "message"),
    [
        ([1, 0, 1, 1], [(ROWS, {"m": 2, "f": 2})], "weight must be"),
        ([1, np.nan, 1, 1], [(ROWS, {"m": 2, "f": 2})], "weight must be"),
        ([1, 1, 1], [(ROWS, {"m": 2, "f": 2})], r"must be \(3,\)"),
        ([1, 1, 1, 1], [(ROWS, [True, False])], r"must be \(4,\)"),
        ([1, 1, 1, 1], [(ROWS, {"m": 2})], "category 'f' has rows or a total, and not both"),
        ([1, 1, 1, 1], [(ROWS, {"m": 2, "f": 2, "d": 1})], "category 'd'"),
        ([1, 1, 1, 1], [(ROWS, [True, True, True, False])], "category 'm'"),
        ([1, 1, 1, 1], [(ROWS, {"m": 4, "f": 0})], "totals must be finite and above zero"),
        ([1, 1, 1, 1], [(ROWS, {"m": np.inf, "f": 2})], "totals must be finite and above zero"),
        (
            [1, 1, 1, 1],
            [(ROWS, {"m": 2, "f": 2}), (GROUPS, {"x": 3, "y": 2})],
            "cannot be met in 1000 rounds: '[mf]' is off by 25 %",
        ),
        ([1, 1, 1, 1], [(ROWS, {"m": 2, "f": 2}), (ROWS, [True, False, True, False])], "reference"),
        ([1, 1, 1, 1], [(ROWS, np.arange(4) % 2 == 0), (GROUPS, np.arange(4) < 2)], "reference"),
        ([1, 1, 1, 1], [], "margin"),
    ],
)
def test_refuses(weight, margins, message):
    with pytest.raises(ValueError, match=message):
        rake(weight, margins)


def test_a_calibration_of_other_rows_is_refused():
    result = rake(np.ones(4), [(ROWS, {"m": 2, "f": 3})])
    for values in (np.ones((3, 1)), np.ones((5, 1))):
        with pytest.raises(ValueError, match="weight must be"):
            domain_means(values, ["a"] * len(values), calibration=result)


def test_weights_other_than_the_calibrated_are_refused():
    result = rake(np.ones(4), [(ROWS, {"m": 2, "f": 3})])
    with pytest.raises(ValueError, match="calibration"):
        domain_means(np.ones((4, 1)), ["a"] * 4, weight=np.ones(4), calibration=result)
