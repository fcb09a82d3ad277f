import re
import shutil
import tomllib
from importlib.resources import files

import pytest
from conftest import CORRECTIONS, ROOT, cases

import evalkit as ek
from evalkit.declaration import Declaration, parse

DECLARED = r"""
[plan] => [plan
    study.toml: the file is not valid TOML: Expected ']' at the end of a table declaration (at line 46, column 6).
simulated = true => simulated = true\nsorce = 1
    study.toml, "study.sorce": evalkit has no such key; did you mean: source?
primary => primry
    study.toml, "plan.primary": this key is missing.
    study.toml, "plan.primry": evalkit has no such key; did you mean: primary?
language = "vi"\n =>
    study.toml, "study.language": this key is missing.
"vi"\n => "fr"\n
    study.toml, "study.language": the value 'fr' is not valid; expected: 'vi' or 'en'.
2026-01-05 => "5/1/2026"
    study.toml, "waves[1].field_start": the value '5/1/2026' is not valid; expected: a date, year-month-day
        without quotes, such as 2026-01-30.
TD = 10 => TD = "10"
    study.toml, "waves[2].issued.TD": the value '10' is not valid; expected: 0, 1, 2 ….
code = "DC" => code = "Đ C"
    study.toml, "units[3].code": the value 'Đ C' is not valid; expected: A–Z a–z 0–9 _.
{ vi = "Trước", en = "Before" } => "Trước"
    study.toml, "waves[1].label": the value 'Trước' is not valid; expected: { vi = "…", en = "…" }.
["thai_do"] => ["thai_dọ"]
    study.toml, "plan.primary": there is no indicator "thai_dọ" in index.toml; nearest: thai_do.
issued = { TD => issued = { XX
    study.toml, "waves[2].issued": there is no unit with code "XX"; nearest: TD, 007, DC.
code = "DC" => code = "007"
    study.toml, "units": the code "007" is used twice; each may be used once.
2026-01-30 => 2026-01-03
    study.toml, "waves[1].field_end": the last day 2026-01-03 is before the first 2026-01-05.
raw/sau.csv => raw/đợt sau.csv
    study.toml, "waves[2].file": the raw file "raw/đợt sau.csv" is not there; copy it into the study folder.
code = "DC"\narm = "comparison" => code = "DC"
    study.toml, "units": units DC declare no arm; declare pilot or comparison for every unit, or for none.
"pilot" => "comparison"
    study.toml, "units": there are comparison units but no pilot unit (arm = "pilot").
cluster = "ap" => cluster = "apx"
    study.toml, "design.cluster": there is no variable "apx"; nearest: ap.
cluster = "ap" => cluster = "tuoi"
    study.toml, "design.cluster": the variable "tuoi" has type "number"; this role needs type "key" in codebook.csv.
raw/sau.csv" => raw/sau.csv"\nwhere = { column = "ngàyy", equals = "2" }
    study.toml, "waves[2].where.column": there is no variable "ngàyy"; nearest: Ngày.
xã Thí Điểm", => xã Thí Điểm", valid_form = 2020-01-01,
    study.toml, "units[1].names[1].valid_form": evalkit has no such key; did you mean: valid_from?
"""
CODEBOOK = r"""
tuoi,Tuổi,number => tuoi,Tuổi,numeric
    codebook.csv, line 7, "type": there is no type "numeric"; the types are: scale, multiple, number, date, time, key,
        text, identifier, ignore.
q1,Câu 1,scale,hoa_nha => q1,Câu 1,scale,hoa_nhã
    codebook.csv, line 8, "scale": the scale "hoa_nhã" is not declared in scales.csv; nearest: hoa_nha.
tuoi,Tuổi, => q1,Tuổi,
    codebook.csv, line 8, "variable": the variable "q1" is declared twice; keep one row.
tuoi,Tuổi, => tuoi,CÂU 1,
    codebook.csv, line 8, "column": two variables point at the column "Câu 1"; a column belongs to one variable.
tuoi,Tuổi, => 1 tuổi,Tuổi,
    codebook.csv, line 7, "variable": "1 tuổi" is not a variable name; use letters, digits and underscore, a letter
        first.
harsh,1 => harsh,yes
    codebook.csv, line 9, "reverse": "yes" is not valid; leave empty, or 1 for a reversed item.
18,100 => mười tám,100
    codebook.csv, line 7, "minimum": "mười tám" is not a number.
Tuổi,Age => Tuổi,
    codebook.csv, line 7, "label_vi, label_en": "tuoi" lacks its Vietnamese or English label.
variable,column,type => variable,colum,type
    codebook.csv, line 1: unknown column "colum"; the columns are: variable, column, type, scale, minimum, maximum,
        label_vi, label_en, reverse, missing, relevant, constraint, otherwise.
    codebook.csv, line 1: the column "column" is missing.
harsh,1 => harsh,1,2
    codebook.csv, line 9: the row has 10 cells, the header 9 columns; check the delimiters.
"""
SCALES = r"""
CHN => CHN|bình  THƯỜNG
    scales.csv, line 3: the spelling "bình thường" stands for code 1 and for code 2; it may mean only one.
hoa_nha,2,Bình thường,Neutral,BT|Tạm => hoa_nha,1,Bình thường,Neutral,
    scales.csv, line 3, "code": the code "1" is declared twice in the scale "hoa_nha".
hoa_nha,2 => hoa_nha,hai
    scales.csv, line 3, "code": "hai" is not a number.
,dont_know => ,dontknow
    scales.csv, line 6, "missing": there is no missing kind "dontknow"; the kinds are: dont_know, refused,
        not_applicable, blank.
"""
INDEX = r"""
items = ["q1", "q2"] => items = ["q1", "q22"]
    index.toml, "node thai_do": there is no variable "q22"; nearest: q2.
items = ["q1", "q2"] => items = ["q1", "tuoi"]
    index.toml, "node thai_do": the variable "tuoi" has type "number" and cannot be scored; type scale is needed (or
        number with aggregate = "value").
items = ["q1", "q2"] => items = []
    index.toml, "node thai_do": exactly one of items and children is needed, and not empty.
items = ["q1", "q2"] => children = ["sau_nay"]
    index.toml, "node thai_do": the child "sau_nay" is not declared above; declare children first.
"mean" => "share"
    index.toml, "node thai_do": aggregate = "share" needs exactly one item, found 2.
    index.toml, "node thai_do": the key at_least goes with aggregate = "share" or "pooled", and only with them.
[[node]] => [[nodes]]
    index.toml, "node": this key is missing.
    index.toml, "nodes": evalkit has no such key; did you mean: node?
answered = 0.5 => answered = 0.5\n[[node]]\ncode = "thai_do"\nlabel = {vi="a",en="b"}\naggregate="mean"\nitems=["q1"]
    index.toml, "node thai_do": the code "thai_do" is used twice; each may be used once.
"mean" => "median"
    index.toml, "node[1].aggregate": the value 'median' is not valid; expected: 'mean', 'weighted_mean', 'share',
        'pooled' or 'value'.
"""
DECISIONS = r"""
sau-2,tuoi,change,41,42,Xem phiếu =>
    corrections.csv, line 2, "action": there is no action "change"; the actions are: set, blank, drop_row.
sau-2,tuoi,set,41,42, =>
    corrections.csv, line 2, "reason": the reason is missing; every decision on data has one.
sau-2,tuoi,drop_row,,,Xem phiếu =>
    corrections.csv, line 2, "variable": variable is needed to change an answer and stays empty with action =
        drop_row.
"""


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    cases(study=DECLARED, codebook=CODEBOOK, scales=SCALES, index=INDEX),
)
def test_what_is_wrong_is_said(make_study, messages, file, old, new, expected):
    assert messages(make_study(**{file: (old, new)})) == expected


@pytest.mark.parametrize(("file", "row", "_", "expected"), cases(corrections=DECISIONS))
def test_what_is_wrong_with_a_decision_is_said(make_study, messages, file, row, _, expected):
    assert messages(make_study(**{file: CORRECTIONS + row})) == expected


def test_the_smallest_study_is_sound_with_arms_or_without(make_study, messages):
    assert messages(make_study()) == []
    assert messages(make_study(study=[('arm = "pilot"', ""), ('arm = "comparison"', "")])) == []


@pytest.mark.parametrize("file", ["study.toml", "codebook.csv", "index.toml"])
def test_declarations_must_be_there(make_study, messages, file):
    expected = f"{file}: the file is not there; put it into the study folder."
    assert expected in messages(make_study(**{file.partition(".")[0]: None}))


def test_scales_and_corrections_may_be_left_out():
    assert ek.open_study(ROOT / "data/organ-donations").corrections.empty


def test_the_folder_must_be_there(messages, tmp_path):
    folder = tmp_path / "khảo sát"
    assert messages(folder) == [
        f'{folder}: there is no such folder; name the study folder (not a file in it) or run "evalkit new".'
    ]


@pytest.mark.parametrize("link", [False, True])
def test_outside_is_refused_unless_allowed(make_study, messages, link):
    file = "raw/sau.csv" if link else "../sau.csv"
    folder = make_study(study=("raw/sau.csv", file))
    shutil.move(folder / "raw/sau.csv", folder / "../sau.csv")
    if link:
        (folder / file).symlink_to(folder / "../sau.csv")
    expected = (
        f'study.toml, "waves[2].file": the path "{file}" leaves the study folder; copy the file into raw/, or run'
    )
    assert messages(folder) == [f"{expected} with --allow-outside."]
    assert len(ek.check(folder, allow_outside=True)[1].responses) == 12


def test_a_wave_in_august_2025_meets_another_phuong_nga_bay(tmp_path, messages):
    folder = shutil.copytree(ROOT / "data/nga-bay", tmp_path / "study")
    study = (folder / "study.toml").read_text(encoding="utf-8")
    late = study.replace("2020-11-02", "2025-08-04").replace("2020-11-27", "2025-08-29")
    (folder / "study.toml").write_text(late, encoding="utf-8")
    of_hiep_loi, of_nga_bay = messages(folder)
    assert of_hiep_loi == of_nga_bay.replace("NB", "HL")
    assert of_nga_bay == (
        'study.toml, "units.NB": the unit has no name valid on 2025-08-04 (wave "sau"); add the name, code and '
        "validity dates, or declare another unit."
    )
    assert messages(folder, "vi")[1] == (
        "study.toml, «units.NB»: đơn vị không có tên còn hiệu lực vào ngày 2025-08-04 (đợt «sau»); hãy bổ sung tên, "
        "mã và thời hạn hiệu lực, hoặc khai báo đơn vị khác."
    )


def test_a_unit_is_called_as_at_the_first_wave(nga_bay):
    assert [nga_bay.unit_label("HL", language) for language in ("vi", "en")] == ["xã Hiệp Lợi", "Hiệp Lợi commune"]


def test_all_problems_at_once(make_study, messages):
    folder = make_study(
        study=[("issued = { TD", "issued = { TT"), ("raw/truoc.csv", "raw/thiếu.csv")],
        codebook=("tuoi,Tuổi,number", "tuoi,Tuổi,so"),
        index=('"q2"]', '"q2"'),
        corrections=CORRECTIONS + "sau-2,tuoi,set,41,42,\n",
    )
    assert messages(folder) == [
        "index.toml: the file is not valid TOML: Unclosed array (at line 6, column 1).",
        'codebook.csv, line 7, "type": there is no type "so"; the types are: scale, multiple, number, date, time, '
        "key, text, identifier, ignore.",
        'corrections.csv, line 2, "reason": the reason is missing; every decision on data has one.',
        'study.toml, "waves[1].file": the raw file "raw/thiếu.csv" is not there; copy it into the study folder.',
        'study.toml, "waves[2].issued": there is no unit with code "TT"; nearest: TD, 007, DC.',
    ]
    assert messages(folder, "vi")[2:] == [
        "corrections.csv, dòng 2, «reason»: thiếu lý do; mỗi quyết định về dữ liệu phải có lý do.",
        "study.toml, «waves[1].file»: không tìm thấy tệp dữ liệu thô «raw/thiếu.csv»; hãy chép tệp vào thư mục khảo "
        "sát.",
        "study.toml, «waves[2].issued»: không có đơn vị mang mã «TT»; gần nhất: TD, 007, DC.",
    ]


def test_scales_hide_no_problem_of_the_codebook_and_the_index(make_study, messages):
    change = {"scales": ("hoa_nha,2", "hoa_nha,hai"), "codebook": ("18,100", "x,100"), "index": ('"q2"', '"q3"')}
    assert len(messages(make_study(**change))) == 3


@pytest.mark.parametrize("content", [",,,\n", "\ufeff"], ids=["delimiters only", "byte-order mark only"])
def test_a_file_without_text_is_empty(make_study, messages, content):
    expected = "codebook.csv: the file is empty; it must have a header row and data."
    assert messages(make_study(codebook=content)) == [expected]


@pytest.mark.parametrize(
    "change",
    [{"codebook": ("tuoi,Tuổi", "wave,Tuổi")}, {"index": ('"thai_do"', '"wave"'), "study": ('"thai_do"', '"wave"')}],
    ids=["item", "indicator"],
)
def test_names_of_design_columns_are_taken(make_study, messages, change):
    assert any('"wave"' in message and not message.startswith("raw/") for message in messages(make_study(**change)))


def test_two_units_of_one_name_are_refused(make_study, messages):
    expected = 'study.toml, "units": the code "xã Thí Điểm" is used twice; each may be used once.'
    assert messages(make_study(study=("xã Thuận Hòa", "xã Thí Điểm"))) == [expected]


@pytest.mark.parametrize(
    "change", [{"scales": ""}, {"study": ('code = "DC"', 'code = "td"')}], ids=["scales", "case"]
)
def test_each_problem_is_named_once(make_study, messages, change):
    assert len(messages(make_study(**change))) == 1


def test_a_codebook_without_rows_is_named(make_study, messages):
    assert messages(make_study(codebook=lambda text: text.splitlines()[0])) != []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"codebook": ("18,100", "100,18")}, "the minimum 100 is above the maximum 18."),
        ({"study": ("confidence_level = 0.95", "confidence_level = 95.0")}, "expected: < 1.0."),
        ({"scales": ("Hòa nhã,", ",")}, "lacks its Vietnamese or English label."),
    ],
)
def test_values_that_cannot_be_meant(make_study, messages, change, expected):
    (message,) = messages(make_study(**change))
    assert message.endswith(expected)


def test_a_name_must_be_valid_to_the_last_day_in_the_field(make_study, messages):
    study = ('en = "pilot commune"', 'en = "pilot commune", valid_to = 2026-11-10')
    assert any("has no name valid on" in message for message in messages(make_study(study=study)))


def test_the_commented_report_of_the_template_is_valid():
    written = (files("evalkit") / "templates" / "study.toml").read_text(encoding="utf-8")
    example = re.sub(r"(?m)^# ?", "", written[written.index("# [report]") :])
    declared = parse(tomllib.loads(written) | tomllib.loads(example), "study.toml", Declaration)
    assert declared.report is not None
    assert {name for name, value in declared.report if not value} == set()
