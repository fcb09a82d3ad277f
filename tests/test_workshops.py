"""The workshop of nga-bay, everything that may be wrong with one, and no words stronger than the design."""

import dataclasses
import importlib.util
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest
from conftest import ROOT, cases

import evalkit as ek
from evalkit import workshop_figures, workshop_files, workshop_tables, workshops
from evalkit.language import text

FOLDER = ROOT / "data/nga-bay"

TOML = """\
[workshop]
title = { vi = "Hội thảo thử", en = "A trial workshop" }
held = 2026-06-01
received = 3
draft = { vi = "Dự thảo", en = "Draft" }

[files]
papers = { file = "bai.csv" }
themes = { file = "ma.csv" }
solutions = { file = "gp.csv" }
opinions = { file = "yk.csv" }

[[kinds]]
code = "so"
vi = "Sở"
en = "Department"

[[kinds]]
code = "xa"
vi = "Xã"
en = "Commune"

[[themes]]
code = "mc"
vi = "Một cửa"
en = "One-stop"

[[themes]]
code = "dt"
vi = "Đối thoại"
en = "Dialogue"

[[groups]]
code = "tren"
vi = "Cấp trên"
en = "Levels above"

[[groups]]
code = "xa"
vi = "Cấp xã"
en = "Communes"
"""
PAPERS = """\
DANH MỤC THAM LUẬN,,,,,
Mã bài,Tên tham luận,Tác giả,Cơ quan,Loại cơ quan,Đã trình bày
1,Một cửa điện tử,Nguyễn Văn An,Sở Nội vụ,Sở,Có
2,Đối thoại với dân,Trần Thị Bình,UBND xã Thuận Hòa,xa,không
3,Đường lối của Đảng,Lê Văn Cường,SỞ NỘI VỤ,so,Không
"""
THEMES = """\
Mã bài,Người mã hóa,Chủ đề
1,Hương,mc
1,Lan,Một cửa|Đối thoại
2,Hương,dt
2,Lan,doi
3,Hương,dt; mc
""".replace("doi", "Đối thoại")
SOLUTIONS = """\
Mã giải pháp,Nội dung,Các bài đề xuất,Nhóm giải pháp,Căn cứ,Đã thực hiện trong thí điểm,Chỉ số
A,Niêm yết thủ tục,1; 3,xa,Thẩm quyền,Có,thai_do
B,Mua máy,2,tren,scope,Không,thai_do
C,Học tập,2,xa,Chức năng,Có,
"""
OPINIONS = """\
Mã ý kiến,Cơ quan,Loại cơ quan,Chủ đề,Mục của dự thảo,Nội dung,Kết quả tiếp thu,Giải trình,Dự thảo trước,Dự thảo sau
a,Sở Tư pháp,so,mc,Mục 1,Thêm hạn,Tiếp thu,,Trả kết quả,Trả kết quả trong 5 ngày
b,Sở Tài chính,so,mc,Mục 1,Nêu rõ hạn,Tiếp thu một phần,Chỉ nêu hạn chung,Trả kết quả,Trả kết quả trong 5 ngày
c,UBND xã Thuận Hòa,Xã,dt,Mục 2,Bỏ mục này,Không tiếp thu,Cần giữ,Đối thoại,Đối thoại
"""
NAMES = {
    "toml": "workshop.toml",
    "papers": "bai.csv",
    "themes": "ma.csv",
    "solutions": "gp.csv",
    "opinions": "yk.csv",
}
CONTENT = {"toml": TOML, "papers": PAPERS, "themes": THEMES, "solutions": SOLUTIONS, "opinions": OPINIONS}


@pytest.fixture
def study_with(make_study):
    def make(**replaced):
        folder = make_study()
        for key, content in CONTENT.items():
            old, new = replaced.get(key, ("", ""))
            assert old in content, f"{key} has no {old!r} to replace"
            (folder / NAMES[key]).write_text(content.replace(old, new) if old else content, encoding="utf-8")
        return ek.open_study(folder)

    return make


@pytest.fixture(scope="module")
def bay(nga_bay):
    return workshop_files.read_workshop(nga_bay)


def problems(study, language="en"):
    with pytest.raises(ek.DataError) as error:
        workshop_files.read_workshop(study)
    return error.value.message(language).split("\n")


def test_a_study_without_the_file_has_no_workshop(make_study):
    assert workshop_files.read_workshop(ek.open_study(make_study())) is None


def test_the_small_workshop_by_hand(study_with):
    found = workshop_files.read_workshop(study_with())
    # Paper 1: both say mc, one of two says dt, which is not more than half. Paper 3 has one coder, who counts alone.
    assert workshop_files.settled(found).values.tolist() == [["1", "mc"], ["2", "dt"], ["3", "mc"], ["3", "dt"]]
    covered = [["mc", "so", 2, 1], ["mc", "xa", 0, 0], ["dt", "so", 1, 0], ["dt", "xa", 1, 0]]
    assert workshops.coverage(found).values.tolist() == covered
    # Sở Nội vụ is written in two ways and is one organisation.
    assert workshops.received(found).values.tolist() == [["so", 1, 2, 1], ["xa", 1, 1, 0]]
    assert workshops.links(found).drop(columns="text").values.tolist() == [
        ["tren", "scope", "B", 1, 1, False, "thai_do"],
        ["xa", "function", "C", 1, 1, True, ""],
        ["xa", "authority", "A", 2, 1, True, "thai_do"],
    ]  # fmt: skip
    assert workshops.decisions(found).values.tolist() == [["mc", 1, 1, 0], ["dt", 0, 0, 1]]
    assert workshops.changes(found).values.tolist() == [
        ["Mục 1", "Trả kết quả", "Trả kết quả trong 5 ngày", ("a", "b")]
    ]
    assert [notice.message("en") for notice in found.notices] == [
        "bai.csv, line 2: columns not read: Tác giả; columns with people's names do not go into any result.",
        "ma.csv: coder 2 coded only 2 of 3 papers; agreement is reckoned over papers that two or more coded.",
    ]


def test_agreement_by_hand(study_with):
    effects = workshops.agreement(workshop_files.read_workshop(study_with()))
    main = effects[effects["group"] == "main"].set_index("method")["estimate"]
    # Papers 1 and 2 coded twice, alike, with different main themes: nothing disagrees.
    assert main.to_dict() == {"percent agreement": 100, "Krippendorff alpha": 1, "Cohen kappa": 1}
    dialogue = effects[effects["group"] == "dt"].set_index("method")["estimate"]
    # Paper 1: no, yes; paper 2: yes, yes. One of two the same; Cohen: p_o = .5, p_e = .5·1 + .5·0 = .5.
    # Alpha: D_o = 2/4, codes no yes yes yes: D_e = 2·1·3/(4·3) = .5.
    assert dialogue.to_dict() == pytest.approx({"percent agreement": 50, "Krippendorff alpha": 0, "Cohen kappa": 0})


def test_what_the_coders_settled_goes_before_the_majority_and_is_no_coder(study_with):
    files = ("[files]\n", '[files]\nagreed = "Thống nhất"\n')
    more = ("1,Lan,Một cửa|Đối thoại", "1,Lan,Đối thoại\n1,THỐNG NHẤT,dt")
    before = workshop_files.read_workshop(study_with(themes=("1,Lan,Một cửa|Đối thoại", "1,Lan,Đối thoại")))
    assert workshop_files.unsettled(before) == ["1"]
    assert before.notices[-1].message("en").startswith("ma.csv: the coders share no theme for papers 1;")
    after = workshop_files.read_workshop(study_with(toml=files, themes=more))
    assert workshop_files.unsettled(after) == []
    assert workshop_files.settled(after).values.tolist()[0] == ["1", "dt"]
    pd.testing.assert_frame_equal(workshops.agreement(after), workshops.agreement(before))


def test_one_coder_gives_a_notice_and_no_agreement(study_with):
    found = workshop_files.read_workshop(
        study_with(themes=(THEMES, "Mã bài,Người mã hóa,Chủ đề\n1,A,mc\n2,A,dt\n3,A,dt\n"))
    )
    assert "only one person coded" in found.notices[-1].message("en")
    assert workshops.agreement(found).empty
    assert workshop_tables.agreement_sentence(workshops.agreement(found), "en").startswith("There was one coder")


THEMES_WRONG = r"""
3,Hương,dt; mc\n =>
    bai.csv, line 5, "Mã bài": nobody gave paper "3" a theme; add a row for it to ma.csv.
2,Hương,dt => 2,Hương,
    ma.csv, line 4, "Chủ đề": this row for paper "2" has no theme; write at least one, or delete the row if
        the coder did not code that paper.
2,Hương,dt => 2,Hương,dtt
    ma.csv, line 4, "Chủ đề": "dtt" is not known; it must be one of the declared values, nearest: dt.
2,Hương,dt => 1,Hương,dt
    ma.csv, line 4, "Mã bài": this coder already coded paper "1" on line 2; put the themes into one row,
        with semicolons between them.
2,Hương,dt => 7,Hương,dt
    ma.csv, line 4, "Mã bài": "7" is not known; it must be one of the declared values, nearest: 1, 2, 3.
2,Hương,dt => 2,,dt
    ma.csv, line 4, "Người mã hóa": the cell is empty; fill it in.
Người mã hóa => Người
    ma.csv, line 1: the column "Người mã hóa" is missing.
Người mã hóa => Mã bài
    ma.csv, line 1: the column "Người mã hóa" is missing.
    ma.csv, line 1: the column "Mã bài" occurs twice; keep one.
"""
PAPERS_WRONG = r"""
2,Đối thoại với dân => 1,Đối thoại với dân
    bai.csv, line 4, "Mã bài": the code "1" is used twice; each may be used once.
    ma.csv, line 4, "Mã bài": "2" is not known; it must be one of the declared values, nearest: 1, 3. 1
        more: 5.
    gp.csv, line 3, "Các bài đề xuất": "2" is not known; it must be one of the declared values, nearest: 1,
        3. 1 more: 4.
Sở Nội vụ,Sở,Có => Nguyễn Văn An,Sở,Có
    bai.csv, line 3, "Cơ quan": the cell seems to hold a person's name; write the organisation only (one
        called after a person needs its kind before the name, such as school or commune in Vietnamese).
xa,không => xa,
    bai.csv, line 4, "Đã trình bày": "" is not known; it must be one of the declared values, nearest: Yes,
        No.
xa,không => ấp,không
    bai.csv, line 4, "Loại cơ quan": "ấp" is not known; it must be one of the declared values, nearest: so,
        xa.
"""
TOML_WRONG = r"""
received = 3 => received = 22
    workshop.toml, "workshop.received": 22 papers are declared as received, but bai.csv has 3; complete the
        list or correct the number.
received = 3 => presented = 10
    workshop.toml, "workshop.presented": 10 papers are declared as presented, but bai.csv has 1; correct the
        list or the number.
received = 3 => recieved = 3
    workshop.toml, "workshop.recieved": evalkit has no such key; did you mean: received?
code = "dt" => code = "mc"
    workshop.toml, "themes": the code "mc" is used twice; each may be used once.
code = "dt" => code = "main"
    workshop.toml, "themes": the name "main" is evalkit's own; choose another.
draft = { vi = "Dự thảo", en = "Draft" } =>
    workshop.toml, "workshop.draft": this key is missing.
file = "bai.csv" => file = "../bai.csv"
    workshop.toml, "files.papers.file": the path "../bai.csv" leaves the study folder; copy the file into
        raw/, or run with --allow-outside.
file = "bai.csv" => file = "khong.csv"
    khong.csv: the file is not there; put it into the study folder.
[files] => [files
    workshop.toml: the file is not valid TOML: Expected ']' at the end of a table declaration (at line 7,
        column 7).
"""
SOLUTIONS_WRONG = r"""
2,tren,scope => 9,duoi,luong
    gp.csv, line 3, "Các bài đề xuất": "9" is not known; it must be one of the declared values, nearest: 1,
        2, 3.
    gp.csv, line 3, "Nhóm giải pháp": "duoi" is not known; it must be one of the declared values, nearest:
        tren, xa.
    gp.csv, line 3, "Căn cứ": "luong" is not known; it must be one of the declared values, nearest:
        Function, Task, Scope, Authority.
Có,thai_do => Có,thaido
    gp.csv, line 2, "Chỉ số": "thaido" is not known; it must be one of the declared values, nearest:
        thai_do.
B,Mua máy => A,Mua máy
    gp.csv, line 3, "Mã giải pháp": the code "A" is used twice; each may be used once.
"""
OPINIONS_WRONG = r"""
Chỉ nêu hạn chung =>
    yk.csv, line 3, "Giải trình": the opinion was not, or only in part, accepted, and no explanation is
        given; write why.
Tiếp thu,,Trả kết quả,Trả kết quả trong 5 ngày => Tiếp thu,,Trả kết quả,Trả kết quả
    yk.csv, line 2, "Dự thảo sau": the opinion was accepted, but the draft is the same before and after;
        write what was changed, or correct the decision.
Đối thoại,Đối thoại => Đối thoại,
    yk.csv, line 4, "Dự thảo sau": the opinion was not accepted, but the draft differs before and after;
        correct one of them.
Không tiếp thu => Chưa rõ
    yk.csv, line 4, "Kết quả tiếp thu": "Chưa rõ" is not known; it must be one of the declared values,
        nearest: Accepted, Accepted in part, Not accepted.
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    cases(
        themes=THEMES_WRONG, papers=PAPERS_WRONG, toml=TOML_WRONG, solutions=SOLUTIONS_WRONG, opinions=OPINIONS_WRONG
    ),
)
def test_what_is_wrong_is_said(study_with, file, old, new, expected):
    assert problems(study_with(**{file: (old, new)})) == expected


def test_all_that_is_wrong_is_said_at_once(study_with):
    wrong = {"toml": ("received = 3", "received = 4"), "themes": ("3,Hương,dt; mc\n", "")}
    wrong |= {"solutions": ("scope", "x"), "opinions": ("Cần giữ", "")}
    found = problems(study_with(**wrong), "vi")
    assert [line.partition(",")[0] for line in found] == ["workshop.toml", "bai.csv", "gp.csv", "yk.csv"]
    found = problems(study_with(papers=("Cơ quan,", "C,"), themes=("Người mã hóa", "N")))
    assert [line.partition(",")[0] for line in found] == ["bai.csv", "ma.csv"]


def test_no_name_of_a_person_is_read(study_with):
    found = workshop_files.read_workshop(study_with())
    everything = (
        repr([found.papers.to_csv(), found.themes.to_csv(), found.notices]) + workshops.agreement(found).to_csv()
    )
    assert not re.search("An,|Bình|Cường|Hương|Lan", everything)
    text = study_with(opinions=("Thêm hạn", "Theo ông Nguyễn Văn Dũng cần thêm hạn"))
    assert "1 cells seem to hold a person's name" in " ".join(
        n.message("en") for n in workshop_files.read_workshop(text).notices
    )


def test_one_workbook_may_hold_all_tables(study_with):
    study = study_with(toml=('{ file = "bai.csv" }', '{ file = "ht.xlsx", sheet = "Bài" }'))
    book = openpyxl.Workbook()
    book.active.title = "Ghi chú"
    sheet = book.create_sheet("Bài")
    for line in PAPERS.splitlines():
        sheet.append([int(cell) if cell.isdigit() else cell for cell in line.split(",")])
    book.save(study.folder / "ht.xlsx")
    expected = workshop_files.read_workshop(study_with()).papers
    pd.testing.assert_frame_equal(workshop_files.read_workshop(study).papers, expected)


@pytest.mark.parametrize(("words", "codes"), [
    ("mot cua", ["1"]), ("MỘT CỬA", ["1"]), ("mốt cừa", ["1"]), ("doi thoai", ["2", "c"]), ("duong loi", ["3"]),
    ("an", []), ("thu tuc", ["A"]), ("", []), ("(", []), ("so noi vu", ["1", "3"]),
])  # fmt: skip
def test_search_ignores_tone_marks_and_case(study_with, words, codes):
    found = workshops.find(workshop_files.read_workshop(study_with()), words)
    assert list(found["code"]) == codes


def test_nga_bay_has_the_papers_that_the_news_counted(bay):
    # Seed 000: 21 papers of departments, faculties, divisions, the ward and the commune; 10 presented as in seed 004.
    assert len(bay.papers) == 21 and bay.papers["presented"].sum() == 10
    assert bay.papers["organisation"].str.contains("Ngã Bảy|Hiệp Lợi").sum() == 4
    assert workshops.uncovered(bay) == ["kinh_phi"]
    assert set(workshops.links(bay)["group"]) == {"cap_xa", "cap_tren"}
    assert [notice.key for notice in bay.notices] == ["workshop_coded_some"]
    assert workshops.coverage(bay)["papers"].sum() == len(workshop_files.settled(bay))


def test_the_simulated_files_are_what_the_script_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("simulate_workshop", FOLDER / "simulate_workshop.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    for path in sorted(tmp_path.iterdir()):
        assert path.read_bytes() == (FOLDER / "workshop" / path.name).read_bytes()
        assert path.read_text(encoding="utf-8-sig").startswith("DỮ LIỆU MÔ PHỎNG")


MEASURED = text("column_workshop_measured", "en")


def test_solutions_carry_what_was_measured(bay, effects, nga_bay):
    table = workshop_tables.solutions(bay, effects, nga_bay, "en")
    tried = table[table["In the pilot"] == "Yes"]
    rows = effects[(effects["estimand"] == "did") & (effects["method"] == "unit t")].set_index("indicator")[
        "estimate"
    ]
    labels = {node.label.en: code for code, node in nga_bay.index.items()}
    for _, row in tried.iterrows():
        expected = rows[labels[row["Indicator"]]]
        measured = "difference of changes: " + f"{expected:+.1f}".replace("-", "−") + " points ("
        assert row[MEASURED].startswith(measured)
    verdicts = {
        claim.indicator: claim.direction
        for claim in ek.claims.claims(effects, nga_bay, "en")
        if claim.estimand == "did"
    }
    for _, row in tried.iterrows():
        above = "above that of the comparison units" in row["What may be said"]
        assert above == (verdicts[labels[row["Indicator"]]] == "higher")
    untried = table[table["In the pilot"] == "No"]
    assert set(untried[MEASURED]) == {"–"}
    assert set(untried["What may be said"]) == {"Not part of the pilot: what was measured says nothing about it."}


STRONG = re.compile(r"because|raised|lowered|effect|làm tăng|làm giảm|tác động|thanks to")


@pytest.mark.parametrize(("comparison", "compared", "words"), [
    (False, True, "higher after|lower after|no change is shown"),
    (True, False, "No conclusion on change"),
])  # fmt: skip
def test_no_words_stronger_than_the_design(bay, nga_bay, scores, comparison, compared, words):
    declared = nga_bay.declared
    keep = [unit for unit in declared.units if comparison or unit.arm == "pilot"]
    waves = (
        declared.waves if compared else [declared.waves[0], declared.waves[1].model_copy(update={"mode": "online"})]
    )
    changed = declared.model_copy(update={"units": tuple(keep), "waves": tuple(waves)})
    study = dataclasses.replace(nga_bay, declared=changed)
    effects = ek.compare(
        scores[scores["unit"].isin([unit.code for unit in keep])], study.design, study.plan, study.index
    )
    table = workshop_tables.solutions(bay, effects, study, "en")
    said = table.loc[table["In the pilot"] == "Yes", "What may be said"]
    assert said.str.contains(words).all() and not said.str.contains(STRONG).any()
    assert not workshop_tables.solutions(bay, effects, study, "vi")["Được phép kết luận"].str.contains(STRONG).any()


def test_an_indicator_outside_the_plan_gets_no_verdict(bay, effects, nga_bay):
    solutions = bay.solutions.assign(indicators=[("tl_cchc",)] * len(bay.solutions))
    outside = workshop_files.Workshop(bay.declared, bay.papers, bay.themes, solutions, bay.opinions)
    table = workshop_tables.solutions(outside, effects, nga_bay, "en")
    said = table.loc[table["In the pilot"] == "Yes", "What may be said"]
    assert set(said) == {"The indicator is not in the plan of analysis: no conclusion."}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_tables_and_sentences_in_both_languages(bay, language):
    found = workshops.agreement(bay)
    for table, rows in (
        (workshop_tables.papers(bay, language), 21), (workshop_tables.coverage_table(bay, language), 8),
        (workshop_tables.agreement(found, bay, language), 9), (workshop_tables.opinions(bay, language), 8),
        (workshop_tables.decisions_table(bay, language), 5), (workshop_tables.changes_table(bay, language), 5),
    ):  # fmt: skip
        assert len(table) == rows and not table.isna().to_numpy().any()
    assert set(workshop_tables.agreement(found, bay, language).iloc[:, 1]) == {str(bay.coders)}
    assert "10" in workshop_tables.received_sentence(bay, language)
    theme, kind = workshop_tables.coverage_sentences(bay, language)
    assert {"vi": "Kinh phí", "en": "Funds"}[language] in theme
    assert {"vi": "Mặt trận", "en": "Front"}[language] in kind
    assert workshop_tables.opinion_sentence(bay, language).count(": ") == 1
    assert "2" in workshop_tables.solution_sentence(bay, language)


def test_the_reading_goes_by_the_lower_end(bay):
    table = workshop_tables.agreement(workshops.agreement(bay), bay, "en")
    for _, row in table.iterrows():
        low = re.search(r"\(([^ ]+) to ", row["Krippendorff's alpha (interval)"])
        expected = (
            "too little to reckon an interval" if not low
            else "reliable" if float(low[1].replace("−", "-")) >= 0.8
            else "tentative conclusions only" if float(low[1].replace("−", "-")) >= 0.667
            else "not shown to be reliable"
        )  # fmt: skip
        assert row["Reading"] == expected


def test_the_figure_draws_the_counts(bay, nga_bay):
    axes = workshop_figures.coverage(bay, nga_bay, "vi")
    drawn = np.asarray(axes.images[0].get_array())
    counts = workshops.coverage(bay)
    assert drawn.sum() == counts["papers"].sum() and drawn.shape == (8, 6)
    words = [text.get_text() for text in axes.texts]
    assert words.count("chưa có tham luận nào") == 1
    assert sum(int(word) for word in words if word.isdigit()) == counts["papers"].sum()
    axes.figure.clear()
