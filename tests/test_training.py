"""Training classes against hand calculation, scipy, the simulation's truth, and files that are wrong."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import evalkit as ek
from evalkit import training_figures, training_tables
from evalkit.panel_effects import SEEN
from evalkit.training import leavers, question_analysis, satisfied, training_effects
from evalkit.training_files import read_training

matplotlib.use("Agg")
ROOT = Path(__file__).resolve().parents[1]

TOML = """\
[[classes]]
code = "L1"
label = { vi = "Lớp", en = "Class" }
days = [2026-02-02, 2026-02-03]
attendance = { file = "diem_danh.csv", trainee = "Họ tên", days = ["N1", "N2"], present = ["x"], absent = ["v", ""] }

[classes.registration]
file = "dang_ky.csv"
trainee = "Họ tên"
unit = "Đơn vị"
others = ["Huyện"]
describe = ["Giới"]
ignore = ["Điện thoại"]

[classes.test]
options = ["A", "B"]
before = { file = "truoc.csv", trainee = "Họ tên" }
after = { file = "sau.csv", trainee = "Họ tên" }
items = [
    { code = "c1", column = "Câu 1", key = "A", label = { vi = "một", en = "one" } },
    { code = "c2", column = "Câu 2", key = "B", label = { vi = "hai", en = "two" } },
]

[classes.satisfaction]
file = "phieu.csv"
scale = "hoa_nha"
at_least = 3
items = [{ code = "y1", column = "Ý 1", label = { vi = "Nội dung", en = "Content" } }]
"""
FILES = {
    "training.toml": TOML,
    "dang_ky.csv": "Họ tên,Điện thoại,Đơn vị,Giới\nNguyễn Mẫu,0900,TD,Nam\nTrần Thử,0901,xã Thuận Hòa,Nữ\n"
    "Lê Ví Dụ,0902,Huyện,Nam\nPhạm Nháp,0903,007,Nữ\n",
    "diem_danh.csv": "Họ tên,N1,N2\nNguyễn Mẫu,x,x\nTRẦN THỬ,x,x\nLê Ví Dụ,x,v\nPhạm Nháp,x,x\n",
    "truoc.csv": "Họ tên,Câu 1,Câu 2\nNguyễn Mẫu,A,A\nTrần Thử,b,\nLê Ví Dụ,B,A\nPhạm Nháp,A,B\n",
    "sau.csv": "Họ tên,Câu 1,Câu 2\nPhạm Nháp,A,B\nNguyễn Mẫu,A,B\nTrần Thử,B,B\n",
    "phieu.csv": "Ý 1\nHòa nhã\nBT\nHN\nKhông biết\n",
}


@pytest.fixture
def small(make_study):
    """Opens a study with the small class; small({file: (old, new)}) replaces text in its files."""

    def make(changes=()):
        folder = make_study()
        for name, content in FILES.items():
            old, new = dict(changes).get(name, ("", ""))
            assert old in content
            (folder / name).write_text(content.replace(old, new, 1) if old else content, encoding="utf-8")
        return ek.open_study(folder)

    return make


@pytest.fixture(scope="module")
def training(nga_bay):
    return read_training(nga_bay)


@pytest.fixture(scope="module")
def found(training):
    return training_effects(training, level=0.95)


def row(effects, estimand, contrast, method="linearised"):
    rows = effects.query("estimand == @estimand and contrast == @contrast and method == @method")
    assert len(rows) == 1
    return rows.iloc[0]


def test_no_file_no_training(make_study):
    assert read_training(ek.open_study(make_study())) is None


def test_codes_of_questions_are_free(small):
    changed = TOML.replace('code = "c1"', 'code = "trainee"').replace('code = "c2"', 'code = "code"')
    assert set(read_training(small({"training.toml": (TOML, changed)})).answers["item"]) == {"trainee", "code"}


def test_what_is_read(small):
    found = read_training(small())
    # Trainees in the order of their folded names: Lê, Nguyễn, Phạm, Trần.
    assert found.people.to_dict("list") == {
        "class": ["L1"] * 4,
        "trainee": ["T01", "T02", "T03", "T04"],
        "unit": ["", "TD", "007", "DC"],
        "days": [1, 2, 2, 2],
        "before": [True] * 4,
        "after": [False, True, True, True],
        "finished": [False, True, True, True],
    }
    assert found.scores("L1").fillna(-1).to_numpy().tolist() == [[0, -1], [50, 100], [100, 100], [0, 50]]
    assert found.opinions["code"].fillna(0).tolist() == [3, 2, 3, 0]  # don't know is no answer
    frames = (found.people, found.traits, found.attendance, found.answers, found.opinions)
    written = "".join(frame.to_csv() for frame in frames)
    assert not any(name in written for name in ("Nguyễn", "Trần", "Mẫu", "Thử", "Nháp", "0900"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("truoc.csv", "Trần Thử,b", "Ai Khác,b", 'truoc.csv, line 3, "Họ tên": the trainee of this row is not'),
        ("truoc.csv", "Trần Thử,b", ",b", 'truoc.csv, line 3, "Họ tên": this row does not say'),
        ("sau.csv", "Trần Thử,B", "Phạm Nháp,B", 'sau.csv, line 4, "Họ tên": the trainee of this row sta'),
        ("dang_ky.csv", "Trần Thử", "Nguyễn Mẫu", 'dang_ky.csv, line 3, "Họ tên": the trainee of this row sta'),
        ("dang_ky.csv", "xã Thuận Hòa", "xã Thuận", 'line 3, "Đơn vị": the place of work "xã Thuận" is no unit'),
        ("diem_danh.csv", "Lê Ví Dụ,x,v", "Lê Ví Dụ,x,?", 'diem_danh.csv, line 4, "N2": the attendance mark "?"'),
        ("sau.csv", "Nguyễn Mẫu,A", "Nguyễn Mẫu,C", 'sau.csv, line 3, "Câu 1": the answer "C" is no option'),
        ("phieu.csv", "BT", "tốt", 'phieu.csv, line 3, "Ý 1": the answer "tốt" is not on the scale'),
        ("sau.csv", "Câu 2", "Câu hai", "sau.csv, line 1: column declared in training.toml is missing: Câu 2."),
        ("dang_ky.csv", "Giới", "Giới,Email", "dang_ky.csv, line 1: column not declared in training.toml: Email."),
        ("training.toml", 'key = "B"', 'key = "D"', 'classes.L1.test.items.c2": the key "D" is not among'),
        ("training.toml", '["N1", "N2"]', '["N1"]', "1 attendance columns are declared for 2 days"),
        ("training.toml", 'absent = ["v"', 'absent = ["X"', 'the mark "x" means both present and absent'),
        ("training.toml", '"hoa_nha"', '"hoa_nhe"', 'uses the scale "hoa_nhe"; nearest: hoa_nha'),
        ("training.toml", 'code = "c2"', 'code = "c1"', 'the code "c1" is used twice'),
        ("training.toml", "days = [", "complete_days = 3\ndays = [", "asks for 3 days, but the class has 2"),
        ("training.toml", '"phieu.csv"', '"../phieu.csv"', "classes.L1.satisfaction.file"),
        ("training.toml", 'options = ["A", "B"]', "options = [", "training.toml: "),
        ("training.toml", "present =", "presents =", "classes[1].attendance"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_without_names(small, file, old, new, message):
    with pytest.raises(ek.DataError) as error:
        read_training(small({file: (old, new)}))
    text = error.value.message("en")
    assert message in text
    assert not any(name in text for name in ("Ai Khác", "Nguyễn", "Trần", "Phạm", "Lê"))
    error.value.message("vi")


def test_all_at_once(small):
    with pytest.raises(ek.DataError) as error:
        read_training(small({"sau.csv": ("A,B", "C,D"), "truoc.csv": ("A,A", "X,A"), "phieu.csv": ("BT", "tốt")}))
    assert sorted(problem.file for problem in error.value.problems) == [
        "phieu.csv",
        "sau.csv",
        "sau.csv",
        "truoc.csv",
    ]


def test_tested_but_never_there_is_a_notice(small):
    (notice,) = read_training(small({"diem_danh.csv": ("Nguyễn Mẫu,x,x", "Nguyễn Mẫu,v,v")})).notices
    assert notice.message("en").startswith("sau.csv: 1 trainees sat the test after")


def test_two_classes_keep_their_trainees_apart(small):
    second = TOML.replace('code = "L1"', 'code = "L2"')
    found = read_training(small({"training.toml": (TOML, TOML + "\n" + second)}))
    assert found.people.groupby("class").size().to_dict() == {"L1": 4, "L2": 4}
    effects = training_effects(found, level=0.95)
    one, other = (effects[effects["group"] == code].drop(columns="group") for code in ("L1", "L2"))
    pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_paired_change_is_scipys_paired_t(training, found):
    both = training.scores("L1").dropna()
    change, expected = row(found, "change", "after - before", SEEN), stats.ttest_rel(both["after"], both["before"])
    interval = expected.confidence_interval(0.95)
    # Those who left stay in the sample as zeros: n/(n − 1) is of 45 instead of 35 people.
    factor = np.sqrt(45 / 44 * 34 / 35)
    mean = (both["after"] - both["before"]).mean()
    numbers = [change[name] for name in ("estimate", "statistic", "df", "conf_low", "conf_high")]
    ends = [mean + (end - mean) * factor for end in interval]
    assert numbers == pytest.approx([mean, expected.statistic / factor, expected.df, *ends])
    assert (change["n_before"], change["n_after"]) == (len(both), len(both))


def test_gain_by_hand_and_its_error_by_the_jackknife(training, found):
    both = training.scores("L1").dropna()
    gain = row(found, "normalised_gain", "after - before")
    before, after = both.mean()[["before", "after"]]
    assert gain["estimate"] == pytest.approx((after - before) / (100 - before))  # Hake 1998, eq. 1

    def hake(part):
        return (part["after"] - part["before"]).mean() / (100 - part["before"]).mean()

    left_out = np.array([hake(both.drop(person)) for person in both.index])
    jackknife = np.sqrt((len(both) - 1) ** 2 / len(both)) * left_out.std(ddof=1)
    assert gain["std_error"] == pytest.approx(jackknife, rel=0.1)
    assert gain["conf_low"] < gain["estimate"] < gain["conf_high"] < 1


def test_test_alpha_is_kuder_and_richardson(training, found):
    right = training.answers.query("period == 'before'").pivot(index="trainee", columns="item", values="right")
    k, p = right.shape[1], right.mean()
    expected = k / (k - 1) * (1 - (p * (1 - p)).sum() / right.sum(axis=1).var(ddof=0))
    assert row(found, "alpha", "before")["estimate"] == pytest.approx(expected)


def test_questions_by_hand_and_scipy(training):
    table = question_analysis(training, level=0.95).set_index(["item", "period"])
    right = training.answers.query("period == 'before'").pivot(index="trainee", columns="item", values="right")
    item = table.loc[("c02", "before")]
    assert item["share"] == right["c02"].mean()
    wilson = stats.binomtest(int(right["c02"].sum()), len(right)).proportion_ci(method="wilson")
    assert (item["low"], item["high"]) == pytest.approx((wilson.low, wilson.high))
    rest = stats.pointbiserialr(right["c02"], right.drop(columns="c02").sum(axis=1)).statistic
    assert item["item_rest"] == pytest.approx(rest)
    assert item["rest_low"] < rest < item["rest_high"]


def test_discrimination_by_hand(small):
    # 27 % of 4 is 1.08 people. Before, totals 0 (Lê), 1 (Nguyễn), 2 (Phạm), 0 (Trần). Upper: Phạm and .08 Nguyễn, all
    # right on c1: 1. Lower: Lê and Trần half each, wrong on c1: 0. On c2 Nguyễn is wrong: 1/1.08.
    table = question_analysis(read_training(small()), level=0.95).set_index(["item", "period"])["discrimination"]
    assert table["c1", "before"] == pytest.approx(1)
    assert table["c2", "before"] == pytest.approx(1 / 1.08)
    assert np.isnan(table["c2", "after"])  # everybody right


def test_the_simulated_flaws_are_found(nga_bay, training):
    table = question_analysis(training, level=0.95)
    sentences = training_tables.question_sentences(table, nga_bay, training.classes[0], "en")
    assert [one.split(":")[0] for one in sentences] == [
        "Check the key of Câu 17",
        "The item-rest correlation is below 0, before or after, for Câu 15 and Câu 16, but the interval includes "
        "0, so this may be chance; read the wording again.",
        "Already before the class 90% or more answered Câu 3 rightly",
    ]


def test_the_key_is_doubted_for_one_stated_reason(nga_bay, training):
    table, one = question_analysis(training, level=0.95), training.classes[0]
    table.loc[table["item"] == "c05", "rest_high"] = -0.1
    guess, reverse = training_tables.question_sentences(table, nga_bay, one, "en")[:2]
    assert guess.startswith("Check the key of Câu 17: fewer right answers than guessing gives (25%)")
    assert reverse.startswith("Check the key of Câu 5: the better trainees were wrong more often")


def test_what_words_mean_is_said_from_the_declaration(nga_bay, training, small):
    one = training.classes[0]
    said = training_tables.finished_means(one, "en")
    assert said.endswith("present on at least 2 of 3 days, and sat the test after the class.")
    assert "«Hài lòng» và «Rất hài lòng»" in training_tables.satisfied_means(nga_bay, one, "vi")
    bare = one.model_copy(update={"test": None, "satisfaction": None, "complete_days": None})
    assert training_tables.finished_means(bare, "en").endswith("at least 3 of 3 days.")
    assert training_tables.satisfied_means(nga_bay, bare, "vi") == ""


def test_leavers_and_satisfaction_by_hand(small):
    training = read_training(small())
    table = leavers(training).set_index(["variable", "value"])
    assert table.loc[("test", ""), ["finished", "left"]].tolist() == [50, 0]  # (50 + 100 + 0)/3; Lê alone
    assert table.loc[("Giới", "Nam"), ["n_finished", "n_left"]].tolist() == [1, 1]
    one = satisfied(training, level=0.95).iloc[0]
    assert (one["n"], one["share"]) == (3, pytest.approx(2 / 3))
    wilson = stats.binomtest(2, 3).proportion_ci(method="wilson")
    assert (one["low"], one["high"]) == pytest.approx((wilson.low, wilson.high))


@pytest.mark.parametrize("language", ["vi", "en"])
def test_small_classes_are_hidden(small, language):
    study = small()
    training = read_training(study)
    one, effects = training.classes[0], training_effects(training, level=0.95)
    tables = [
        training_tables.results(effects, study, one, language),
        training_tables.questions(question_analysis(training, level=0.95), study, one, language),
        training_tables.leavers(leavers(training), study, one, language),
        training_tables.satisfaction(satisfied(training, level=0.95), study, one, language),
    ]
    hidden = ek.language.text("suppressed", language, minimum=5)
    for table in tables:
        assert (table.iloc[:, 1:] == hidden).all(axis=None)
    (sentence,) = training_tables.sentences(effects, study, one, language)
    assert sentence == ek.language.text("training_too_few", language, minimum=5)
    assert training_figures.questions(question_analysis(training, level=0.95), study, one, language) is None


def test_few_who_left_cannot_be_reckoned_from_the_means(nga_bay, training, found):
    one = training.classes[0]
    seen = (found["method"] == SEEN).to_numpy()
    few = found.assign(n_before=found["n_before"].mask(seen, 43), n_after=found["n_after"].mask(seen, 43))
    hidden = ek.language.text("suppressed", "en", minimum=5)
    table = training_tables.results(few, nga_bay, one, "en").set_index("Quantity")["Value"]
    assert table["Score before, everybody who sat it (%)"] == hidden
    assert table["Change had those who left answered everything wrongly after"] == hidden
    assert table["Change of those who sat both (percentage points)"] != hidden
    assert len(training_tables.sentences(few, nga_bay, one, "en")) == 2  # nothing on the two who left


@pytest.mark.parametrize(
    ("low", "high", "start"),
    [(1, 9, "The 35 trainees"), (-9, -1, "The 35 trainees who sat both tests answered 4.0 percentage points less"),
     (-1, 9, "Whether the trainees know more is not clear")],
)  # fmt: skip
def test_the_sentence_follows_the_interval(nga_bay, training, found, low, high, start):
    rows = (found["method"] == SEEN).to_numpy()
    changed = {"estimate": 4.0 if high > 0 else -4.0, "conf_low": low, "conf_high": high}
    effects = found.assign(**{name: found[name].mask(rows, value) for name, value in changed.items()})
    assert training_tables.sentences(effects, nga_bay, training.classes[0], "en")[0].startswith(start)


def test_figures_draw_the_numbers(nga_bay, training):
    one, questions = training.classes[0], question_analysis(training, level=0.95)
    axes = training_figures.questions(questions, nga_bay, one, "vi")
    before = axes.lines[0].get_xdata()
    expected = questions.query("period == 'before'")["share"] * 100
    assert sorted(before) == pytest.approx(sorted(expected))
    axes = training_figures.satisfaction(satisfied(training, level=0.95), nga_bay, one, "en")
    assert axes.lines[0].get_xdata() == pytest.approx(satisfied(training, level=0.95)["share"] * 100)


def test_a_class_without_test_and_form(small):
    bare = TOML.partition("\n[classes.test]")[0]
    study = small({"training.toml": (TOML, bare)})
    training = read_training(study)
    assert training.people["finished"].tolist() == [False, True, True, True]
    assert training_effects(training, level=0.95).empty
    assert question_analysis(training, level=0.95).empty
    assert training_tables.attendance(training, training.classes[0], "en").shape == (4, 3)
    assert training_tables.sentences(training_effects(training, level=0.95), study, training.classes[0], "en") == []


def test_simulated_class_is_the_script_s(tmp_path, training):
    subprocess.run([sys.executable, ROOT / "data/nga-bay/simulate_training.py", tmp_path], check=True)
    written = sorted(path.name for path in (tmp_path / "training").iterdir())
    assert written == sorted(path.name for path in (ROOT / "data/nga-bay/training").iterdir())
    for name in written:
        assert (tmp_path / "training" / name).read_bytes() == (ROOT / "data/nga-bay/training" / name).read_bytes()
    assert len(training.people) == 45
    assert replace(training).notices == ()
