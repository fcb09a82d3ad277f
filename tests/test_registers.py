"""Registers: what is refused, what is counted, what is judged when, and what may be said."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import evalkit as ek
from evalkit import register_figures, register_files, register_tables, registers

ROOT = Path(__file__).parent.parent
REFERENCE = pd.read_csv(ROOT / "tests/reference/registers.csv", index_col="what")
TOML = """\
data_start = 2025-01-01
launch = 2026-01-01
data_cut = 2026-12-31
on_time = "of_due"

[[reporting]]
since = 2025-01-01
version = "1"

"""
ITEMS = """\
[[items]]
file = "items.csv"
columns = { item = "Mã", unit = "Đơn vị", kind = "Loại", received = "Nhận", \
competence = "Thuộc", due = "Hạn", closed = "Xong" }
"""
COUNTS = """\
[[counts]]
file = "counts.csv"
columns = { unit = "Đơn vị", month = "Tháng", kind = "Loại", received = "Nhận", \
resolved = "Xong", due = "Hạn", on_time = "Đúng hạn" }
"""
HEADER = "Mã,Đơn vị,Loại,Nhận,Thuộc,Hạn,Xong\n"
COUNT_HEADER = "Đơn vị,Tháng,Loại,Nhận,Xong,Hạn,Đúng hạn\n"
ROWS = """\
K1,TD,Khiếu nại,05/03/2025,có,20/03/2025,20/03/2025
K2,xã Thí Điểm,KHIẾU NẠI,06/03/2025,có,20/03/2025,21/03/2025
K3,TD,Khiếu nại,07/03/2025,có,20/03/2025,
K4,TD,Khiếu nại,20/12/2025,có,10/01/2026,05/01/2026
K5,TD,Khiếu nại,08/03/2025,không,,
K6,TD,Khiếu nại,01/03/2026,có,20/03/2026,10/03/2026
K7,TD,Khiếu nại,20/12/2026,có,20/01/2027,
"""


@pytest.fixture
def read(make_study, tmp_path):
    """A study and its registers: read(ITEMS, items=HEADER + …), read(COUNTS, counts=…)."""

    def made(files=ITEMS, *, toml=TOML, study=(), **texts):
        folder = make_study(study=list(study)) if study else make_study()
        (folder / "registers.toml").write_text(toml + files, encoding="utf-8")
        for name, content in texts.items():
            (folder / f"{name}.csv").write_text(content, encoding="utf-8")
        opened = ek.open_study(folder)
        return register_files.read_registers(opened), opened

    return made


@pytest.fixture(scope="module")
def example(nga_bay):
    found = register_files.read_registers(nga_bay)
    return found, registers.monthly(found, nga_bay), registers.register_effects(found, nga_bay)


def rows(count, hits, year, unit="TD", late=40, tag="K"):
    """Items received on 1 March, due on 31 March, so many in time, the others late by days."""
    day = pd.Timestamp(year, 3, 1)
    closed = [10] * hits + [30 + late] * (count - hits)
    return "".join(
        f"{tag}{unit}{year}-{at},{unit},petition,{day:%d/%m/%Y},1,31/03/{year},"
        f"{day + pd.Timedelta(days=days):%d/%m/%Y}\n"
        for at, days in enumerate(closed)
    )


def test_no_registers_is_no_error(make_study):
    assert register_files.read_registers(ek.open_study(make_study())) is None


def test_open_items_are_censored_and_periods_judged_on_their_own_last_day(read):
    found, study = read(items=HEADER + ROWS)
    months = registers.monthly(found, study).query("unit == 'TD' and received > 0").set_index("month")
    # By hand. March 2025: four received, K5 not ours; due K1 to K3, in time only K1; K3 open. December: K4 is due
    # after the last day before the launch and was resolved after it. December 2026: K7 is not due at the cut.
    expected = {
        "2025-03": (4, 3, 2, 3, 1, 1),
        "2025-12": (1, 1, 0, 0, 0, 1),
        "2026-03": (1, 1, 1, 1, 1, 0),
        "2026-12": (1, 1, 0, 0, 0, 1),
    }
    columns = ["received", "within_competence", "resolved", "judged", "on_time", "open"]
    assert {f"{month:%Y-%m}": tuple(row) for month, row in months[columns].iterrows()} == expected


def test_definitions_of_the_on_time_share_differ(read):
    items = HEADER + ROWS.replace("Khiếu nại", "promise").replace("KHIẾU NẠI", "promise")
    of_due, study = read(items=items)
    of_resolved, _ = read(items=items, toml=TOML.replace("of_due", "of_resolved"))
    shares = {}
    for found in (of_due, of_resolved):
        effects = registers.register_effects(found, study).query("group == 'TD' and contrast == 'before'")
        shares |= effects.set_index("indicator")["estimate"].to_dict()
    assert shares["register_promise_on_time_of_due"] == pytest.approx(100 / 3)
    assert shares["register_promise_on_time_of_resolved"] == pytest.approx(50)


def test_items_not_yet_due_change_no_share(read):
    more = "".join(f"N{at},TD,petition,{at + 1:02d}/12/2026,1,15/01/2027,\n" for at in range(20))
    base = HEADER + rows(20, 12, 2025) + rows(20, 15, 2026) + "D1,TD,petition,01/12/2025,1,05/12/2025,02/12/2025\n"
    found = [registers.register_effects(*read(items=base + extra)) for extra in ("", more)]
    on_time = [one[one["indicator"].str.contains("on_time")] for one in found]
    pd.testing.assert_frame_equal(*on_time)


def test_shares_of_resolved_items_flatter_and_those_of_due_items_do_not(read):
    # Truth: 70 % in time, late ones take another 300 days or so; many are open at the cut.
    rng = np.random.default_rng(5)
    lines = []
    for at in range(4000):
        received = pd.Timestamp(2026, 1, 1) + pd.Timedelta(days=int(rng.integers(0, 340)))
        due = received + pd.Timedelta(days=20)
        took = rng.integers(1, 21) if rng.random() < 0.7 else 21 + int(rng.exponential(300))
        closed = received + pd.Timedelta(days=int(took))
        shown = f"{closed:%d/%m/%Y}" if closed <= pd.Timestamp(2026, 12, 31) else ""
        lines.append(f"S{at},TD,petition,{received:%d/%m/%Y},1,{due:%d/%m/%Y},{shown}\n")
    share = {}
    for on_time in ("of_due", "of_resolved"):
        toml = TOML.replace("of_due", on_time).replace("launch = 2026-01-01\n", "")
        effects = registers.register_effects(*read(items=HEADER + "".join(lines), toml=toml))
        share[on_time] = effects.query(f"group == 'TD' and indicator == 'register_petition_on_time_{on_time}'").iloc[
            0
        ]
    assert share["of_due"]["conf_low"] < 70 < share["of_due"]["conf_high"]
    assert share["of_resolved"]["estimate"] > 78


def test_intervals_are_those_of_r_and_of_the_literature(read):
    found, study = read(items=HEADER + rows(80, 48, 2025) + rows(70, 56, 2026))
    effects = registers.register_effects(found, study)
    pilot = effects[(effects["group"] == "pilot") & effects["indicator"].str.contains("on_time")].set_index(
        "estimand"
    )
    levels = pilot.loc["level"].set_index("contrast")
    columns = ["estimate", "conf_low", "conf_high"]
    for row, name in ((levels.loc["before"], "48/80"), (levels.loc["after"], "56/70")):
        assert row[columns].to_numpy(float) / 100 == pytest.approx(REFERENCE.loc[f"wilson {name}"].to_numpy(float))
    change = pilot.loc["change", columns].to_numpy(float) / 100
    assert change == pytest.approx(REFERENCE.loc["newcombe 56/70 48/80"].to_numpy(float))
    assert change == pytest.approx([0.2, 0.0524, 0.3339], abs=5e-5)  # Newcombe 1998, Table II, method 10, case (a)


def test_median_durations_are_those_of_survival(read):
    days = [2, 3, 3, 5, 8, 9, 12, 15, 15, 20, 21, 30]
    done = [1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0]
    cut = pd.Timestamp(2026, 12, 31)
    lines = ""
    for at, (took, closed) in enumerate(zip(days, done, strict=True)):
        received = cut - pd.Timedelta(days=took)
        shown = f"{cut:%d/%m/%Y}" if closed else ""
        lines += f"M{at},TD,Tố cáo,{received:%d/%m/%Y},có,{cut:%d/%m/%Y},{shown}\n"
    row = registers.durations(*read(items=HEADER + lines)).iloc[0]
    assert row[["median", "conf_low", "conf_high"]].to_list() == REFERENCE.loc["median"].to_list()
    assert (row["n"], row["resolved"], row["period"]) == (12, 8, "after")


def test_counts_give_the_same_shares_as_items(read):
    items, study = read(items=HEADER + rows(80, 48, 2025) + rows(70, 56, 2026))
    lines = "TD,3/2025,petition,80,80,80,48\nTD,2026-03,Kiến nghị phản ánh,70,70,70,56\n"
    toml = TOML + '[kinds]\npetition = ["kiến nghị phản ánh"]\n\n'
    counts, _ = read(COUNTS, toml=toml, counts=COUNT_HEADER + lines)
    both = [registers.register_effects(one, study) for one in (items, counts)]
    on_time = [one[one["indicator"].str.contains("on_time")].reset_index(drop=True) for one in both]
    pd.testing.assert_frame_equal(*on_time)
    missing = [notice.values["count"] for notice in counts.notices if notice.key == "register_months_missing"]
    assert missing == [22, 24, 24]
    assert counts.notices[0].message("en").startswith("registers.toml: Petition: the unit TD lacks 22 of 24 months")


def test_workbooks_are_read_too(read, write_workbook, tmp_path):
    cells = [line.split(",") for line in (HEADER + ROWS).splitlines()]
    plain, _ = read(items=HEADER + ROWS)
    write_workbook(tmp_path / "study/items.xlsx", items=[["SỔ THEO DÕI"], *cells])
    found, _ = read(ITEMS.replace("items.csv", "items.xlsx"))
    pd.testing.assert_frame_equal(found.items, plain.items)


PERSONAL = [
    ("Nội dung đơn", "đất đai", "register_personal_title"),
    ("Người bị tố cáo", "x", "register_personal_title"),
    ("Họ và tên", "x", "register_personal_title"),
    ("Người gửi", "x", "register_personal_title"),
    ("Số điện thoại", "x", "register_personal_title"),
    ("Ghi chú", "x", "register_column_unasked"),
]


@pytest.mark.parametrize(("title", "cell", "key"), PERSONAL)
def test_columns_nobody_asked_for_are_refused(read, title, cell, key):
    with pytest.raises(ek.DataError) as error:
        read(items=HEADER.strip() + f",{title}\n" + ROWS.replace("\n", f",{cell}\n"))
    assert [problem.key for problem in error.value.problems] == [key]


@pytest.mark.parametrize("column", ["K1", "TD", "Khiếu nại", "05/03/2025", "có"])
@pytest.mark.parametrize("secret", ["Nguyễn Văn Mẫu", "0912 345 678"])
def test_personal_cells_are_refused_and_not_repeated(read, column, secret):
    with pytest.raises(ek.DataError) as error:
        read(items=HEADER + ROWS.replace(column, secret, 1))
    assert {problem.key for problem in error.value.problems} == {"register_personal_cells"}
    assert secret not in error.value.message("vi") + error.value.message("en")


WRONG = [
    ("TD,Khiếu nại,05/03", "XX,Khiếu nại,05/03", "register_unit_unknown", 2, "Đơn vị"),
    ("TD,Khiếu nại,05/03", "TD,Khen,05/03", "register_kind_unknown", 2, "Loại"),
    ("TD,Khiếu nại,05/03", "TD,,05/03", "text_wanted", 2, "Loại"),
    ("05/03/2025,có,20/03/2025,20", "05/13/2025,có,20/03/2025,20", "register_date_unknown", 2, "Nhận"),
    ("05/03/2025,có", "05/03/2024,có", "register_date_outside", 2, "Nhận"),
    ("05/03/2025,có", "hôm qua,có", "register_date_unknown", 2, "Nhận"),
    ("05/03/2025,có,20/03/2025", "05/03/2025,có,01/03/2025", "register_day_order", 2, "Hạn"),
    ("20/03/2025,20/03/2025", "20/03/2025,20/02/2025", "register_day_order", 2, "Xong"),
    ("20/03/2025,20/03/2025", "20/03/2025,20/03/2027", "register_date_outside", 2, "Xong"),
    ("có,20/03/2025,20/03/2025", "tùy,20/03/2025,20/03/2025", "register_competence_unknown", 2, "Thuộc"),
    ("K2,", "K1,", "register_row_twice", 3, "Mã"),
    ("K2,", "tranh chấp đất,", "register_item_unknown", 3, "Mã"),
    ("K2,", ",", "text_wanted", 3, "Mã"),
]


@pytest.mark.parametrize(("old", "new", "key", "line", "column"), WRONG)
def test_rows_that_cannot_be_are_named(read, old, new, key, line, column):
    assert old in ROWS
    with pytest.raises(ek.DataError) as error:
        read(items=HEADER + ROWS.replace(old, new, 1))
    (found,) = error.value.problems
    assert found.key in (key, "register_date_month_first") and (found.line, found.column) == (line, column)
    assert "hôm qua" not in error.value.message("vi")


WRONG_COUNTS = [
    ("TD,3/2025,petition,10,9,8,9", "register_part_larger"),
    ("TD,3/2025,petition,10,7,8,8", "register_part_larger"),
    ("TD,3/2025,petition,10,11,8,7", "register_resolved_larger"),
    ("TD,3/2025,petition,-3,0,0,0", "register_count_unknown"),
    ("TD,13/2025,petition,10,9,8,7", "register_month_unknown"),
    ("TD,3/2024,petition,10,9,8,7", "register_month_unknown"),
    ("TD,3/2025,petition,10.5,9,8,7", "register_count_unknown"),
    ("TD,3/2025,petition,,9,8,7", "text_wanted"),
    ("TD,3/2025,petition,9,9,8,7\nTD,2025-03-01,petition,9,9,8,7", "register_row_twice"),
]


@pytest.mark.parametrize(("lines", "key"), WRONG_COUNTS)
def test_counts_that_cannot_be_are_named(read, lines, key):
    with pytest.raises(ek.DataError) as error:
        read(COUNTS, counts=COUNT_HEADER + lines + "\n")
    assert [problem.key for problem in error.value.problems] == [key]


def test_what_was_carried_over_may_be_resolved(read):
    files = COUNTS.replace('file = "counts.csv"', 'file = "counts.csv"\ncarried_over = true')
    found, _ = read(files, counts=COUNT_HEADER + "TD,3/2025,petition,10,11,8,7\n")
    assert found.counts["resolved"].to_list() == [11]


def test_all_problems_of_all_files_at_once(read):
    items = HEADER + ROWS.replace("TD,", "XX,", 1).replace("06/03/2025", "x", 1)
    with pytest.raises(ek.DataError) as error:
        read(ITEMS + COUNTS, items=items, counts=COUNT_HEADER + "TD,x,petition,1,1,1,1\n")
    keys = ["register_unit_unknown", "register_date_unknown", "register_month_unknown"]
    assert [problem.key for problem in error.value.problems] == keys


def test_where_personal_data_stands_nothing_else_is_said(read):
    items = HEADER + ROWS.replace("K1,", "Nguyễn Văn Mẫu,", 1)
    with pytest.raises(ek.DataError) as error:
        read(ITEMS + COUNTS, items=items, counts=COUNT_HEADER + "TD,x,petition,1,1,1,1\n")
    assert [problem.key for problem in error.value.problems] == ["register_personal_cells"]


TOMLS = [
    ("data_cut = 2026-12-31", "data_cut = 2024-12-31", ["register_cut_early", "key_value"]),
    ("launch = 2026-01-01", "launch = 2027-01-01", ["key_value"]),
    ('"of_due"', '"always"', ["key_value"]),
    ('"of_due"', '"of_due', ["toml_broken"]),
    ('due = "Hạn", ', "", []),
    (', closed = "Xong"', "", ["key_missing"]),
    ("items.csv", "../../x.csv", ["path_outside"]),
    ("items.csv", "none.csv", ["file_missing"]),
    ('item = "Mã"', 'item = "Số"', ["register_column_unasked", "column_missing"]),
    (ITEMS, "", ["register_no_file"]),
    (ITEMS, ITEMS + COUNTS, ["register_kind_twice"]),
]


@pytest.mark.parametrize(("old", "new", "keys"), TOMLS)
def test_declarations_that_cannot_be(read, old, new, keys):
    content = (TOML + ITEMS).replace(old, new)
    texts = {"items": HEADER + ROWS, "counts": COUNT_HEADER + "TD,3/2025,complaint,1,1,1,1\n"}
    if not keys:
        keys, texts["items"] = ["register_column_unasked"], HEADER + ROWS
    with pytest.raises(ek.DataError) as error:
        read(content, toml="", **texts)
    assert [problem.key for problem in error.value.problems] == keys


REPORTING = [
    ("", [], "changed_more"),
    ('[[reporting]]\nsince = 2026-06-01\nversion = "2"\n', ["register_reporting_differs"], "describe"),
    ('[[reporting]]\nsince = 2026-06-01\nversion = "1"\n', [], "changed_more"),
    ('[[reporting]]\nsince = 2027-06-01\nversion = "2"\n', [], "changed_more"),
]


@pytest.mark.parametrize(("more", "reasons", "words"), REPORTING)
def test_only_the_same_rules_of_counting_compare(read, more, reasons, words):
    lines = "".join(
        rows(20, 10 + 5 * (year == 2026), year, unit) for year in (2025, 2026) for unit in ("TD", "007", "DC")
    )
    found, study = read(more + ITEMS, items=HEADER + lines)
    assert registers.comparability(found) == reasons and registers.licence(found, study) == words
    effects = registers.register_effects(found, study)
    assert set(effects["estimand"]) == ({"level"} if reasons else {"level", "change", "did"})
    said = " ".join(register_tables.about_sentences(found, study, "en"))
    assert ("cannot be compared" in said) == bool(reasons)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("launch = 2026-01-01\n", "", "register_no_launch"),
        ("since = 2025-01-01", "since = 2025-02-01", "register_no_reporting"),
    ],
)
def test_what_is_not_declared_does_not_compare(read, old, new, reason):
    found, _ = read(items=HEADER + ROWS, toml=TOML.replace(old, new))
    assert registers.comparability(found) == [reason]


def test_without_comparison_units_no_difference_is_shown(read):
    alone = [('arm = "comparison"', 'arm = "pilot"')]
    lines = "".join(
        rows(40, 10 + 25 * (year == 2026), year, unit) for year in (2025, 2026) for unit in ("TD", "007", "DC")
    )
    found, study = read(items=HEADER + lines, study=alone)
    effects = registers.register_effects(found, study)
    assert set(effects["estimand"]) == {"level", "change"} and registers.licence(found, study) == "changed"
    (said,) = register_tables.sentences(effects, found, study, "en")
    assert "The share rose by 62.5 percentage points" in said and "comparison" not in said


@pytest.mark.parametrize(("test", "words"), [("placebo", "does not show that"), ("unit t", "percentage points more")])
def test_more_is_said_only_where_the_unit_test_of_the_plan_agrees(read, test, words):
    # Three units: no placebo p is below 1/3, however clear the difference.
    hits = {"TD": (10, 34), "007": (20, 20), "DC": (20, 21)}
    lines = "".join(rows(40, hits[unit][year - 2025], year, unit) for unit in hits for year in (2025, 2026))
    plan = [("confidence_level = 0.95", f'confidence_level = 0.95\nunit_test = "{test}"')]
    found, study = read(items=HEADER + lines, study=plan)
    (said,) = register_tables.sentences(registers.register_effects(found, study), found, study, "en")
    assert words in said and "58.8" in said  # 60 − (0 + 2.5)/2 = 58.75
    assert ("does not allow" in said) == (test == "unit t") and "0.333" in said  # one of three units: 1/3


def test_a_study_without_arms_is_one_group(read):
    arms = [('arm = "pilot"\n', ""), ('arm = "comparison"\n', "")]
    lines = "".join(rows(20, 10 + 5 * (year == 2026), year, unit) for year in (2025, 2026) for unit in ("TD", "007"))
    found, study = read(items=HEADER + lines, study=arms)
    effects, months = registers.register_effects(found, study), registers.monthly(found, study)
    assert set(effects["group"]) == {"all", "TD", "007"}
    assert len(register_tables.received(months, study, "vi")) == 2
    assert register_tables.shares(effects, study, "en")["Group"].to_list() == ["All", "All"]
    assert len(register_tables.units(effects, study, "en", kind="petition")) == 2
    assert register_figures.shares(effects, study, "vi") and register_figures.months(months, found, study, "vi")


def test_only_calendar_months_of_both_periods_are_compared(read):
    summer = "".join(f"E{at},TD,petition,01/07/2025,1,10/07/2025,30/07/2025\n" for at in range(30))
    base = HEADER + rows(20, 12, 2025) + rows(20, 15, 2026)
    found, study = read(items=base + summer, toml=TOML.replace("data_cut = 2026-12-31", "data_cut = 2026-06-30"))
    effects = registers.register_effects(found, study)
    before = effects.query("group == 'pilot' and contrast == 'before' and indicator.str.contains('on_time')")
    assert before["estimate"].to_list() == [60.0]


def test_the_month_in_which_the_pilot_began_counts_in_no_period(read):
    found, study = read(items=HEADER + ROWS, toml=TOML.replace("2026-01-01", "2026-03-15"))
    months = registers.monthly(found, study).set_index("month")["period"]
    assert set(months["2026-03-01"]) == {""} and set(months["2026-02-01"]) == {"before"}
    assert set(months["2026-04-01"]) == {"after"}


def test_the_example_holds_its_truth(example, nga_bay):
    found, months, effects = example
    did = effects.query("estimand == 'did' and method == 'unit t'").set_index("indicator")
    petition = did.loc["register_petition_on_time_of_due"]
    assert petition["conf_low"] < 18 < petition["conf_high"] and petition["conf_low"] > 0  # registers/truth.toml: kn
    raw = pd.read_csv(ROOT / "data/nga-bay/registers/don_thu_cam_ket.csv")
    items = months[months["kind"].isin(["promise", "petition", "complaint", "denunciation"])]
    assert items["received"].sum() == len(raw) and not found.notices
    assert did.loc["register_denunciation_on_time_of_due", "note"] == "few_items"
    for language, words in (("vi", "cao hơn 16,6"), ("en", "16.6 percentage points more")):
        said = register_tables.sentences(effects, found, nga_bay, language)
        assert words in said[1] and len(said) == 3
        assert " ".join(said).count(ek.language.text("register_not_attributed", language)) == 1
        assert register_tables.months_sentence(months, language, table="all")


def test_the_dialogues_are_those_of_the_solution_that_the_pilot_tried(example, nga_bay):
    solutions = pd.read_csv(ROOT / "data/nga-bay/workshop/giai_phap.csv", header=1, index_col=0)
    assert "đối thoại hằng tháng" in solutions.loc["GP03", "Nội dung"]
    held = example[1].query("kind == 'dialogue' and period == 'after'").groupby("unit")["received"].sum()
    assert {unit: int(count) for unit, count in held.items()} == dict.fromkeys("ABCDEF", 4) | {"HL": 11, "NB": 11}


def test_no_row_that_goes_out_tells_of_few_persons(example, nga_bay):
    effects = example[2][example[2]["indicator"].str.split("_").str[1].isin(registers.PERSONAL)]
    hidden = effects[effects["note"] == registers.FEW]
    numbers = hidden.select_dtypes(float).drop(columns=["n_clusters", "conf_level"])
    assert len(hidden) > 20 and numbers.isna().all(axis=None)
    shown = effects.query("estimand == 'level' and note == ''")
    shown = shown.assign(n=shown["n_before"].fillna(shown["n_after"]))
    assert (shown["n"] >= 5).all()
    for _, rows in shown.groupby(["indicator", "contrast"]):
        n = rows.set_index("group")["n"]
        for arm in {"pilot", "comparison"} & set(n.index):  # less what the units shown hold
            rest = n[arm] - n[[unit for unit in n.index if nga_bay.design.arms.get(unit) == arm]].sum()
            assert rest == 0 or rest >= 5


def test_the_example_is_written_the_same_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["simulate_registers.py", str(tmp_path)])
    runpy.run_path(str(ROOT / "data/nga-bay/simulate_registers.py"), run_name="__main__")
    written = sorted(path.name for path in (tmp_path / "registers").iterdir())
    assert written == sorted(path.name for path in (ROOT / "data/nga-bay/registers").iterdir())
    for name in written:
        committed = ROOT / "data/nga-bay/registers" / name
        assert (tmp_path / "registers" / name).read_bytes() == committed.read_bytes()


@pytest.mark.parametrize("language", ["vi", "en"])
def test_tables_hide_what_rests_on_too_few(example, nga_bay, language):
    found, months, effects = example
    small = ek.language.text("suppressed", language, minimum=5)
    received = register_tables.received(months, nga_bay, language)
    assert (received.iloc[21] == small).sum() == 6  # denunciations in the pilot units after: 4
    shares = register_tables.shares(effects, nga_bay, language)
    assert (shares.iloc[-2] == small).sum() == 2 and len(shares) == 14
    units = register_tables.units(effects, nga_bay, language, kind="complaint")
    assert (units == small).any(axis=1).sum() == 2
    assert units.iloc[0, 1].endswith("; 11/19")  # 57.9 %
    denunciation = ek.language.text("register_kind_denunciation", language)
    assert denunciation in register_tables.quiet_shares_sentence(effects, nga_bay, language)
    durations = register_tables.durations(registers.durations(found, nga_bay), nga_bay, language)
    assert (durations == small).any(axis=1).sum() == 1
    assert ek.language.text("register_kind_complaint", language) in register_tables.quiet_sentence(
        months, nga_bay, language
    )


def test_figures_draw_what_was_computed(example, nga_bay):
    found, months, effects = example
    axes = register_figures.shares(effects, nga_bay, "vi")
    drawn = {round(float(line.get_xdata()[0]), 6) for line in axes.lines if len(line.get_xdata()) == 1}
    shown = effects.query(
        "estimand == 'level' and group in ['pilot', 'comparison'] and indicator.str.contains('on_time')"
    )
    assert {round(x, 6) for x in shown.loc[shown["indicator"].str.contains("petition"), "estimate"]} <= drawn
    assert len(axes.get_yticks()) == 7  # denunciations in the pilot units rest on too few
    axes = register_figures.months(months, found, nga_bay, "en")
    titles = [one.get_title(loc="left") for one in axes.figure.axes]
    assert titles == ["Reception of citizens", "Dialogue", "Promise made at a dialogue", "Petition"]
    mean = months.query("kind == 'petition' and unit in ['HL', 'NB']").groupby("month")["received"].mean()
    assert np.allclose(axes.figure.axes[-1].lines[0].get_ydata(), mean)
    assert register_figures.months(months[months["kind"] == "complaint"], found, nga_bay, "vi") is None
    assert register_figures.shares(effects[:0], nga_bay, "vi") is None
