"""Counts, rates, charts, durations and breaks of one-stop cases, against hand counts, R and known truth."""

import re
import warnings
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

import evalkit as ek
from evalkit import case_figures, case_series, case_tables
from evalkit.case_series import COUNTS, interrupted, on_time, reporting_periods
from evalkit.cases import Cases, Records, Reporting, Source, read_cases

REFERENCE = pd.read_csv(Path(__file__).parent / "reference/cases.csv").set_index("name")["value"]
SOURCE = Source(file="x.csv")
JANUARY = pd.DataFrame({"start": [pd.Timestamp("2026-01-01")], "end": [pd.Timestamp("2026-01-31")]})


def made(rows, *, start=date(2026, 1, 1), cut=date(2026, 6, 30), launch=None, reporting=Reporting()):  # noqa: B008
    """Cases from (received, due, extended, released, status)."""
    frame = pd.DataFrame(rows, columns=["received", "due", "extended", "released", "status"])
    for name in ("received", "due", "extended", "released"):
        frame[name] = pd.to_datetime(frame[name]).astype("datetime64[s]")
    frame = frame.assign(unit="U", field="x", procedure="", elsewhere=False, flaw="", file="x.csv")
    declared = Records(
        data_start=start, data_cut=cut, launch=launch, definition="C", reporting=reporting, sources=(SOURCE,)
    )
    return Cases(declared, frame)


# What each adds to January 2026, by hand.
BY_HAND = [
    (("2026-01-05", "2026-01-10", None, "2026-01-09", "released"), "received released early"),
    (("2026-01-05", "2026-01-10", None, "2026-01-10", "finished"), "received released on_time"),
    (("2026-01-05", "2026-01-10", None, "2026-01-11", "released"), "received released late"),
    (("2026-01-05", "2026-01-10", "2026-01-20", "2026-01-11", "released"), "received released early"),
    (("2026-01-05", None, None, "2026-01-11", "released"), "received released no_due"),
    (("2026-01-05", "2026-01-10", None, "2026-01-06", "unresolved"), "received released unresolved"),
    (("2025-12-20", "2026-01-02", None, "2026-01-05", "released"), "carried released late"),
    (("2025-12-20", "2025-12-24", None, None, "processing"), "carried open open_late"),
    (("2025-12-20", "2025-12-24", None, "2025-12-31", "released"), ""),
    (("2026-01-30", "2026-02-10", None, "2026-02-11", "released"), "received open"),
    (("2026-01-20", "2026-01-30", None, "2026-02-11", "released"), "received open open_late"),
    (("2026-01-20", "2026-01-31", None, None, "processing"), "received open"),
    (("2026-01-20", "2026-01-22", None, None, "waiting"), "received open"),
    (("2026-01-20", None, None, None, "denied"), "never"),
    (("2026-02-01", "2026-02-03", None, "2026-02-02", "released"), ""),
]


@pytest.mark.parametrize(("row", "counted"), BY_HAND)
def test_each_case_is_counted_where_it_belongs(row, counted):
    found = case_series.series(made([row]), periods=JANUARY).iloc[0]
    assert [name for name in COUNTS if found[name]] == [name for name in COUNTS if name in counted.split()]


@pytest.mark.parametrize(
    ("definition", "numerator", "denominator", "percent"),
    [  # of BY_HAND: 2 early, 1 on the day, 2 late, 1 undated, 1 refused; 2 carried, 10 received, 2 open over time
        ("A", 4, 7, 57.0),
        ("B", 8, 12, 200 / 3),
        ("C", 3, 5, 60.0),
        ("D", 4, 9, 400 / 9),
    ],
)
def test_the_four_definitions_on_the_same_cases(definition, numerator, denominator, percent):
    counts = case_series.series(made([row for row, _ in BY_HAND]), periods=JANUARY)
    found = on_time(counts, definition).iloc[0]
    assert (found["numerator"], found["denominator"]) == (numerator, denominator)
    assert found["percent"] == pytest.approx(percent)


def test_published_rate_of_a_province_is_definition_c():
    """Lâm Đồng, first quarter of 2020: 635,593 of 643,272 in time, published as 98.81 %."""
    counts = pd.DataFrame({name: [0] for name in COUNTS}).assign(early=635_593, late=643_272 - 635_593)
    assert round(on_time(counts, "C")["percent"].item(), 2) == 98.81


def test_with_nothing_to_count_only_the_software_says_zero():
    counts = pd.DataFrame({name: [0] for name in COUNTS})
    assert on_time(counts, "A")["percent"].item() == 0
    assert all(np.isnan(on_time(counts, letter)["percent"].item()) for letter in "BCD")


@given(st.lists(st.tuples(*[st.integers(0, 170)] * 3, st.booleans()), min_size=1, max_size=40))
@settings(max_examples=30, deadline=None)
def test_cases_are_kept_from_month_to_month(drawn):
    first = pd.Timestamp("2026-01-01")
    rows = [
        (first + pd.Timedelta(days=a), first + pd.Timedelta(days=a + b), None,
         first + pd.Timedelta(days=a + c) if ended and a + c < 181 else None, "processing")
        for a, b, c, ended in drawn
    ]  # fmt: skip
    counts = case_series.series(made(rows))
    assert (counts["carried"] + counts["received"] - counts["released"] == counts["open"]).all()
    assert (counts["open"].iloc[:-1].to_numpy() == counts["carried"].iloc[1:].to_numpy()).all()
    assert counts["received"].sum() == len(rows) and (counts["open_late"] <= counts["open"]).all()
    assert (counts[["early", "on_time", "late", "no_due", "unresolved"]].sum(axis=1) == counts["released"]).all()


@pytest.mark.parametrize(
    ("reporting", "first", "last", "count"),
    [
        (Reporting(), ("2019-12-01", "2019-12-31"), ("2020-11-01", "2020-11-30"), 12),
        # The quarter of a province: 1 December to 29 February.
        (Reporting(months=3, first_month=12), ("2019-12-01", "2020-02-29"), ("2020-09-01", "2020-11-30"), 4),
        (Reporting(first_day=15), ("2019-12-15", "2020-01-14"), ("2020-10-15", "2020-11-14"), 11),
        (Reporting(months=6, first_month=12), ("2019-12-01", "2020-05-31"), ("2020-06-01", "2020-11-30"), 2),
    ],
)  # fmt: skip
def test_reporting_periods_need_not_be_calendar_months(reporting, first, last, count):
    found = reporting_periods(date(2019, 12, 1), date(2020, 11, 30), reporting)
    ends = [tuple(f"{day:%Y-%m-%d}" for day in found.iloc[at]) for at in (0, -1)]
    assert ends == [first, last] and len(found) == count
    assert (found["start"].iloc[1:].to_numpy() - found["end"].iloc[:-1].to_numpy() == np.timedelta64(1, "D")).all()


class TestCharts:
    def test_limits_of_single_values_by_hand(self):
        """Mean 12, moving ranges 2, 4, 2: their mean 8/3, times 2.66 (3/1.128 to three digits) 7.09."""
        chart = case_series.individuals_chart([11, 13, 9, 11, 30], baseline=[1, 1, 1, 1, 0])
        assert chart["centre"].iloc[0] == 11 and chart["high"].iloc[0] == pytest.approx(11 + 2.66 * 8 / 3, abs=0.01)
        assert chart["outside"].tolist() == [False] * 4 + [True]

    def test_limits_of_shares_are_those_of_r(self):
        chart = case_series.share_chart(
            [88, 90, 79, 95, 91, 84, 97, 80], [100, 102, 95, 104, 99, 98, 105, 96]
        )  # fmt: skip
        assert chart["sigma_z"].iloc[0] == pytest.approx(REFERENCE["sigma_z"])
        assert chart[["low", "high"]].iloc[0].tolist() == pytest.approx([REFERENCE["low"], REFERENCE["high"]])

    def test_overdispersed_months_are_not_all_called_strange(self):
        rng = np.random.default_rng(3)
        count = np.full(36, 5000)
        share = np.clip(0.85 + rng.normal(0, 0.03, 36), 0, 1)
        numerator = rng.binomial(count, share)
        chart = case_series.share_chart(numerator, count)
        naive = np.abs(numerator / count - 0.85) > 3 * np.sqrt(0.85 * 0.15 / 5000)
        assert naive.sum() > 10 and chart["outside"].sum() <= 1

    @pytest.mark.parametrize(("numerator", "denominator"), [([1, 2], [0, 3]), ([1], [2])])
    def test_what_has_no_limits_is_refused(self, numerator, denominator):
        with pytest.raises(ValueError):
            case_series.share_chart(numerator, denominator)


class TestDurations:
    def test_the_median_is_that_of_r(self):
        at = np.arange(1, 201)
        days, ended = at * 7 % 31 + at % 3, at % 4 != 0
        cut = pd.Timestamp("2026-06-30")
        rows = [
            (cut - pd.Timedelta(days=int(d)) - pd.Timedelta(days=100 * e), None, None,
             cut - pd.Timedelta(days=100) if e else None, "released" if e else "processing")
            for d, e in zip(days, ended.astype(int), strict=True)
        ]  # fmt: skip
        assert case_series.durations(made(rows))["median"].item() == REFERENCE["median"]

    def test_the_mean_of_closed_cases_is_biased_by_open_ones_and_the_median_here_is_not(self):
        """Nothing changes at the launch: exponential with mean 60 days, median 41.6, all along."""
        rng = np.random.default_rng(11)
        first, cut = pd.Timestamp("2024-01-01"), pd.Timestamp("2026-06-30")
        received = first + pd.to_timedelta(rng.integers(0, 911, 6000), unit="D")
        released = received + pd.to_timedelta(rng.exponential(60, 6000).round(), unit="D")
        rows = [
            (a, None, None, b if b <= cut else None, "processing") for a, b in zip(received, released, strict=True)
        ]
        cases = made(rows, start=date(2024, 1, 1), cut=cut.date(), launch=date(2026, 4, 1))
        found = case_series.durations(cases).set_index("period")
        truth = 60 * np.log(2)
        assert found.loc["before", "mean_closed"] - found.loc["after", "mean_closed"] > 20  # a pilot that did nothing
        assert found["median"].to_numpy() == pytest.approx(truth, abs=4)
        assert (found["low"] <= truth + 0.5).all() and (found["high"] >= truth - 0.5).all()

    def test_where_less_than_half_have_a_result_there_is_no_median(self):
        rows = [("2026-05-01", None, None, None, "processing")] * 3 + [
            ("2026-05-01", None, None, "2026-05-03", "released")
        ]
        found = case_series.durations(made(rows)).iloc[0]
        assert np.isnan(found["median"]) and found["n"] == 4


def series_of(rho, draws, rng, months=36):
    return lfilter([1], [1, -rho], rng.standard_normal((draws, months + 50)), axis=1)[:, 50:]


class TestInterruption:
    def test_estimates_are_those_of_the_design(self):
        t = np.arange(36)
        noise = 0.01 * series_of(0.3, 1, np.random.default_rng(0))[0]
        y = 80 + 0.1 * t + 5 * (t >= 24) - 0.3 * (t >= 24) * (t - 24) + 3 * np.sin(2 * np.pi * (t + 5) / 12) + noise
        level, slope = interrupted(y, 24)
        assert level.estimate == pytest.approx(5, abs=0.05) and slope.estimate == pytest.approx(-0.3, abs=0.01)
        assert level.p_value < 0.05 and level.low < 5 < level.high

    @pytest.mark.parametrize("y", [np.full(36, 90.0), np.arange(36) * 0.5])
    def test_where_nothing_varies_there_is_no_p(self, y):
        assert all(np.isnan(found.p_value) and np.isnan(found.low) for found in interrupted(y, 24))

    def test_a_series_that_wanders_gets_no_p(self):
        walk = np.random.default_rng(4).standard_normal((40, 72)).cumsum(axis=1)
        found = [interrupted(y, 36)[0] for y in walk]
        assert any(np.isnan(one.p_value) for one in found)
        assert all(np.isnan(one.p_value) == np.isnan(one.low) for one in found)

    @pytest.mark.parametrize(("months", "before"), [(35, 23), (35, 24)])
    def test_short_series_are_refused(self, months, before):
        with pytest.raises(ValueError, match="24 months before and 12 after"):
            interrupted(np.random.default_rng(0).standard_normal(months), before)

    def test_a_missing_month_is_refused(self):
        with pytest.raises(ValueError, match="no value"):
            interrupted([np.nan] * 36, 24)

    @pytest.mark.slow
    @pytest.mark.parametrize("rho", [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    def test_false_alarms_stay_below_065_at_24_and_12_months(self, rho):
        rng = np.random.default_rng(100 + int(10 * rho))
        p = np.array([[found.p_value for found in interrupted(y, 24)] for y in series_of(rho, 3000, rng)])
        assert ((p < 0.05).mean(axis=0) <= 0.065).all(), (p < 0.05).mean(axis=0)

    @pytest.mark.slow
    @pytest.mark.parametrize("rho", [0.4, 0.6])
    def test_the_usual_standard_errors_do_not_pass_that_test(self, rho):
        design = case_series._design(24, 12)
        alarms = {"gls": 0, "newey-west": 0}
        for y in series_of(rho, 500, np.random.default_rng(7)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                alarms["gls"] += sm.GLSAR(y, design, rho=1).iterative_fit(maxiter=2).pvalues[2] < 0.05
                robust = sm.OLS(y, design).fit(
                    cov_type="HAC", cov_kwds={"maxlags": 3, "use_correction": True}, use_t=True
                )
                alarms["newey-west"] += robust.pvalues[2] < 0.05
        assert min(alarms.values()) > 0.1 * 500


@pytest.fixture(scope="module")
def cases(nga_bay):
    return read_cases(nga_bay)


@pytest.fixture(scope="module")
def breaks(cases, nga_bay):
    return case_series.launch_effects(cases, nga_bay)


class TestNgaBay:
    def test_the_breaks_hold_the_truth(self, breaks, nga_bay):
        import tomllib

        truth = tomllib.loads((nga_bay.folder / "cases/truth.toml").read_text(encoding="utf-8"))["percentage_points"]
        found = breaks[(breaks["method"] == "interrupted series") & (breaks["estimand"] == "level break")]
        found = found.set_index("group")
        for unit, effect in truth.items():
            assert found.loc[unit, "conf_low"] < effect < found.loc[unit, "conf_high"]
        both = np.mean(list(truth.values()))
        assert found.loc["pilot - comparison", "conf_low"] < both < found.loc["pilot - comparison", "conf_high"]
        assert {"unit t", "placebo"} <= set(breaks["method"])

    def test_a_short_series_is_compared_over_the_same_months_and_gets_no_model(self, cases, nga_bay):
        short = replace(cases, declared=cases.declared.model_copy(update={"data_start": date(2019, 2, 1)}))
        found = case_series.launch_effects(short, nga_bay)
        assert "interrupted series" not in set(found["method"])
        months = found[found["method"] == "same months"].set_index("group")
        assert months.loc["HL", "note"] == "12 calendar months" and np.isnan(months["p_value"]).all()
        rates = on_time(case_series.series(short, by=("unit",)), "C")
        rates = rates[rates["unit"] == "HL"].set_index("end")["percent"]
        assert months.loc["HL", "estimate"] == pytest.approx(rates.iloc[12:].mean() - rates.iloc[:12].mean())
        assert case_tables.launch_sentences(found, short, nga_bay, "en")[0].startswith("The series is shorter")

    @pytest.mark.parametrize("language", ["vi", "en"])
    def test_no_rate_stands_without_the_letter_of_its_definition(self, cases, nga_bay, breaks, language):
        tables = [case_tables.rates(cases, nga_bay, language, by=by).iloc[:, [2, 4]] for by in ("unit", "field")]
        tables.append(case_tables.definitions(cases, language).iloc[:, [-1]])
        shown = pd.concat([table.stack() for table in tables], ignore_index=True)
        none = ek.language.text("case_none_counted", language)  # of a field without due dates
        assert (shown == none).sum() == 2
        assert shown[~shown.isin(["–", none])].str.fullmatch(r"[\d.,]+ \([ABCD]\)").all()
        words = case_tables.launch_sentences(breaks, cases, nga_bay, language)
        assert len(words) == 3 and all("C)" in sentence for sentence in words)
        for table in (case_tables.quality(cases, language), case_tables.launch(breaks, nga_bay, language),
                      case_tables.duration_table(cases, nga_bay, language),
                      case_tables.checklist(cases, nga_bay, language)):  # fmt: skip
            assert len(table)
        read = case_tables.read_sentence(cases, language)
        assert "8" in read and not re.search(r"\b0 ", read)
        assert "OpenCPS" in case_tables.source_sentence(cases, nga_bay, language)
        own = cases.declared.sources[1].model_copy(update={"file": cases.declared.sources[0].file})
        alike = cases.declared.model_copy(update={"sources": (own, cases.declared.sources[1])})
        assert case_tables.source_sentence(replace(cases, declared=alike), nga_bay, language) == ""
        spread = case_tables.definition_spread(cases, language)
        assert "(D)" in spread and "(B)" in spread  # 2440/2857 = 85.4 and 2504/2892 = 86.6; A is 85.5 before its cut
        assert "95%" in "".join(case_tables.launch(breaks, nga_bay, language).columns)
        caveat = ek.language.text("case_break_caveat", language)
        assert " ".join(words).count(caveat) <= 1
        mark = {"vi": "CHƯA KIỂM CHỨNG", "en": "UNVERIFIED"}[language]
        assert mark in case_tables.checklist_sentence(cases, language)
        silent = cases.declared.model_copy(update={"checklist_rule": None})
        assert "checklist_rule" in case_tables.checklist_sentence(replace(cases, declared=silent), language)

    def test_figures_draw_what_was_computed(self, cases, nga_bay):
        ek.figures.use_style()
        rates = on_time(case_series.series(cases, by=("unit",)), "C")
        pilots = rates[rates["unit"].isin(["HL", "NB"])].groupby("end")["percent"].mean()
        axes = case_figures.rates(cases, nga_bay, "vi")
        assert axes.lines[0].get_ydata() == pytest.approx(pilots.to_numpy())
        assert axes.lines[2].get_xdata()[0] == pd.Timestamp("2020-02-14 12:00")  # between 31 January and 29 February
        axes = case_figures.control(cases, nga_bay, "en", unit="HL")
        assert axes.lines[1].get_ydata() == pytest.approx(rates.loc[rates["unit"] == "HL", "percent"].to_numpy())
        received = case_series.series(cases, by=("unit",)).set_index("unit").loc["HL", "received"].to_numpy()
        ring = case_figures.load(cases, nga_bay, "vi", unit="HL").lines[2]
        assert len(ring.get_ydata()) == 0
        # Ten times the cases in one month after the launch: that point gets the diamond, the limits stay.
        many = cases.frame["unit"].eq("HL") & cases.frame["received"].between("2020-06-01", "2020-06-30")
        crowd = pd.concat([cases.frame, *[cases.frame[many]] * 9], ignore_index=True)
        axes = case_figures.load(replace(cases, frame=crowd), nga_bay, "en", unit="HL")
        assert axes.lines[2].get_ydata().tolist() == [10 * received[28]] and axes.lines[2].get_marker() == "D"
        ranges = np.abs(np.diff(received[:24])).mean()
        assert axes.lines[0].get_ydata()[0] == pytest.approx(received[:24].mean())
        top = axes.collections[0].get_paths()[0].vertices[:, 1].max()
        assert top == pytest.approx(received[:24].mean() + 3 / 1.128 * ranges)
        axes = case_figures.waiting(cases, nga_bay, "vi")
        assert len(axes.lines) == 4 and axes.lines[0].get_ydata()[0] == 100
