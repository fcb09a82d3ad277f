"""A drafted codebook: what the source says is in it, what it cannot say is named, and evalkit can read it."""

import csv
import tomllib
from dataclasses import replace
from pathlib import Path

import openpyxl
import pandas as pd
import pyreadstat
import pytest

from evalkit.codebook import read_codebook
from evalkit.contents import text_contents
from evalkit.drafting import draft
from evalkit.drafts import draft_index, write
from evalkit.errors import DataError
from evalkit.study import open_study

KOBO = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "utilityr_kobo"
HEADER = ["type", "name", "label::Vietnamese (vi)", "label::English (en)", "relevant", "constraint", "parameters"]
SURVEY = [
    ["start", "start"],
    ["deviceid", "deviceid"],
    ["begin_group", "chung", "Chung", "General"],
    ["text", "ho_ten", "Họ và tên", "Full name"],
    ["integer", "sdt", "Số điện thoại", "Phone number"],
    ["integer", "tuoi", "Tuổi", "Age", "", ". >= 18 and . <= 100"],
    ["integer", "con", "Số con", "Children", "", ".>-1 and .<20 or . = 99"],
    ["decimal", "gia", "Giá", "Price", "", ". > 0 and . <= 9.5"],
    ["range", "diem", "Điểm", "Mark", "", "", "start=0 end=10 step=1"],
    ["end group"],
    ["select_one co_khong", "mot_cua", "Đã đến một cửa?", "Been to the one-stop shop?"],
    ["begin group", "hoi", "Hỏi", "Ask", "${mot_cua} = 'co'"],
    ["select_one hai_long", "q1", "Hài lòng <b>chung</b>?", "Satisfied?"],
    ["select_multiple ly_do or_other", "q2", "Lý do", "Reasons", "${q1} <= 2", "count-selected(.) <= 2"],
    ["text", "q2_1", "Lý do khác", "Other reason", "selected(${q2}, 'cho_lau')"],
    ["select_one hai_long", "q3", "Thái độ", "Manner", "selected(${q2}, 'cho_lau') and ${tuoi} > 20"],
    ["select_one hai_long", "q4", "Phí", "Fees", "regex(${ho_ten}, 'x')"],
    ["end_group"],
    ["date", "ngay", "Ngày", "Day", "", ". <= today()"],
    ["dateTime", "luc", "Lúc", "Moment"],
    ["note", "cam_on", "Cảm ơn", "Thank you"],
    ["calculate", "tong"],
    ["geopoint", "noi", "Nơi", "Place"],
    ["image", "anh", "Ảnh", "Picture"],
    ["begin_repeat", "nguoi", "Người", "Persons"],
    ["integer", "tuoi_con", "Tuổi con", "Age of child"],
    ["end_repeat"],
]
CHOICES = [
    ["co_khong", "co", "Có", "Yes"],
    ["co_khong", "khong", "Không", "No"],
    ["hai_long", "1", "Kém", "Bad"],
    ["hai_long", "2", "Tốt", "Good"],
    ["hai_long", "99", "Không biết", "Don't know"],
    ["ly_do", "cho_lau", "Chờ lâu", "Long wait"],
    ["ly_do", "tu_choi", "Từ chối trả lời", "Refused"],
]


@pytest.fixture(scope="module")
def form(tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("form")
    book = openpyxl.Workbook()
    for name, header, rows in (
        ("survey", HEADER, SURVEY),
        ("choices", ["list_name", "name", *HEADER[2:4]], CHOICES),
    ):
        sheet = book.create_sheet(name)
        for row in [header, *rows]:
            sheet.append(row)
    del book["Sheet"]
    book.save(tmp_path / "form.xlsx")
    return draft(tmp_path / "form.xlsx")


def by_name(drafted):
    return {row["variable"]: row for row in drafted.codebook_rows}


def said(drafted):
    for problem in drafted.unknown:
        assert problem.message("vi") and problem.message("en").isprintable()
    return {problem.key for problem in drafted.unknown}


STUDY = """
[study]
title = {{ vi = "T", en = "T" }}
organisation = {{ vi = "T", en = "T" }}
language = "vi"
simulated = true
row = "questionnaire"
[design]
unit = "xa"
[plan]
primary = ["{outcome}"]
confidence_level = 0.95
[[units]]
code = "X"
names = [{{ vi = "X", en = "X" }}]
""" + "".join(
    f"""
[[waves]]
code = "{period}"
period = "{period}"
label = {{{{ vi = "{period}", en = "{period}" }}}}
file = "codebook.csv"
field_start = {year}-01-01
field_end = {year}-01-02
"""
    for period, year in (("before", 2025), ("after", 2026))
)


def written(drafted, folder):
    """The codebook of a folder that evalkit opens, with the drafted index, and a key `xa` added for the unit.

    Codes that the draft left empty are counted, as a person would write them.
    """
    rows = [row | {"code": row["code"] or str(n)} for n, row in enumerate(drafted.scale_rows, start=1000)]
    write(replace(drafted, scale_rows=rows), folder)
    codebook, problems = read_codebook(text_contents(folder).codebook, text_contents(folder).scales)
    assert problems == []
    index = draft_index(drafted.codebook_rows, drafted.scale_rows)
    nodes = tomllib.loads(index).get("node", [])
    with (folder / "codebook.csv").open("a", encoding="utf-8", newline="") as file:
        file.write("xa;cột của đơn vị;key;;;;Xã;Commune;;;;;\r\n")
    (folder / "index.toml").write_text(index, encoding="utf-8")
    outcome = nodes[0]["code"] if nodes else "none"
    (folder / "study.toml").write_text(STUDY.format(outcome=outcome), encoding="utf-8")
    if nodes:
        assert list(open_study(folder).index) == [node["code"] for node in nodes]
    else:
        with pytest.raises(DataError) as error:
            open_study(folder)
        assert {(p.file, p.column) for p in error.value.problems} == {("index.toml", "node")}
    return codebook


def test_the_types_of_a_form(form):
    types = {name: row["type"] for name, row in by_name(form).items() if not name.startswith("_")}
    assert types == {
        "start": "time", "deviceid": "identifier", "ho_ten": "identifier", "sdt": "identifier", "tuoi": "number",
        "con": "number", "gia": "number", "diem": "number", "mot_cua": "scale", "q1": "scale", "q2": "multiple",
        "q2_1_2": "text", "q2_other": "text", "q3": "scale", "q4": "scale", "ngay": "date", "luc": "time",
        "cam_on": "ignore", "tong": "ignore", "noi": "identifier", "anh": "identifier", "tuoi_con": "ignore",
    }  # fmt: skip
    assert by_name(form)["q1"]["label_vi"] == "Hài lòng chung ?"
    # q2 has an answer q2_1 of its own, so the text below it has another name and its old column.
    assert by_name(form)["q2_1_2"]["column"] == "q2_1"


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("tuoi", {"minimum": "18", "maximum": "100", "constraint": ""}),
        ("con", {"minimum": "0", "maximum": "19", "missing": "99=dont_know", "constraint": ""}),
        ("gia", {"minimum": "", "maximum": "9.5", "constraint": ". > 0"}),
        ("diem", {"minimum": "0", "maximum": "10"}),
        ("q1", {"relevant": "${mot_cua} = 1"}),
        ("q2", {"relevant": "(${mot_cua} = 1) and (${q1} <= 2)", "constraint": "count-selected(.) <= 2"}),
        ("q3", {"relevant": "(${mot_cua} = 1) and (selected(${q2}, '1') and ${tuoi} > 20)"}),
        ("q4", {"relevant": "${mot_cua} = 1"}),
        ("ngay", {"constraint": ""}),  # today() is another day on every run
    ],
)
def test_the_rules_of_a_form(form, variable, expected):
    assert by_name(form)[variable] | expected == by_name(form)[variable]


def test_the_scales_of_a_form_and_what_is_unknown(form, tmp_path):
    codebook = written(form, tmp_path / "study")
    answers = {
        (row["scale"], row["code"]): (row["label_en"], row["synonyms"], row["missing"]) for row in form.scale_rows
    }
    assert answers == {
        ("co_khong", "1"): ("Yes", "co", ""),
        ("co_khong", "2"): ("No", "khong", ""),
        ("hai_long", "1"): ("Bad", "", ""),
        ("hai_long", "2"): ("Good", "", ""),
        ("hai_long", "99"): ("Don't know", "", "dont_know"),
        ("ly_do_or_other", "1"): ("Long wait", "cho_lau", ""),
        ("ly_do_or_other", "2"): ("Refused", "tu_choi", "refused"),
        ("ly_do_or_other", "3"): ("Other", "", ""),
    }
    assert codebook["mot_cua"].scale.spellings["co"].code == 1
    assert said(form) == {
        "drafting_rule_dropped", "drafting_repeat", "drafting_calculated", "drafting_missing_guessed",
        "drafting_missing_number", "drafting_order_form", "drafting_direction", "drafting_roles",
    }  # fmt: skip
    dropped = [problem for problem in form.unknown if problem.key == "drafting_rule_dropped"]
    assert [(problem.column, problem.line, problem.values["found"]) for problem in dropped] == [
        ("q4", 18, "regex(${ho_ten}, 'x')"),
        ("ngay", 20, ". <= today()"),
    ]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ("${a}='yes'", "${a}=1"),
        ("'no' != ${a}", "2 != ${a}"),
        ("not(selected(${a}, \"yes\"))", "not(selected(${a}, '1'))"),
        ("${a} = ''", "${a} = ''"),
        ("${b} >= 3 or ${a} = 'no'", "${b} >= 3 or ${a} = 2"),
        ("${b} = '3'", "${b} = 3"),
        ("${a} = 'perhaps'", ""),
        ("${a} > 1", ""),  # the names yes and no have no order; their codes would give one
        ("${a} + 1 = 2", ""),
        ("${c} = 'x'", ""),
        ("${nowhere} = 1", ""),
        ("count(${b}) > 1", ""),
        ("${a} = 'yes' #", ""),
        ("${a} = ‘yes’ or ('no') = ${a}", "${a} = 1 or (2) = ${a}"),
        ("if(${b} > 1, 1, 0) = 1 and ${b} < 5", "if(${b} > 1, 1, 0) = 1 and ${b} < 5"),
        ("${a} = ${b}", ""),
        ("${m} = 'yes'", ""),
        ("${m} > 1", ""),
        ("selected(${m}, 'no') and count-selected(${m}) > 1", "selected(${m}, '2') and count-selected(${m}) > 1"),
        ("${day} > date('2026-01-31')", "${day} > date('2026-01-31')"),
        ("${day} = '2026-01-31'", ""),
    ],
)  # fmt: skip
def test_only_plain_rules_are_rewritten(tmp_path, rule, kept):
    types = {"a": "select_one yn", "b": "integer", "c": "text", "m": "select_multiple yn", "day": "date"}
    rows = [*([type, name, ""] for name, type in types.items()), ["integer", "d", rule]]
    with (tmp_path / "survey.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["type", "name", "relevant"], *rows])
    (tmp_path / "choices.csv").write_text("list_name,name,label\nyn,yes,Yes\nyn,no,No\n", encoding="utf-8")
    drafted = draft(tmp_path / "survey.csv")
    assert by_name(drafted)["d"]["relevant"] == kept
    assert ("drafting_rule_dropped" in said(drafted)) == (kept == "")
    written(drafted, tmp_path / "study")


@pytest.mark.skipif(not KOBO.exists(), reason="needs the Kobo form and export in shared/data/utilityr_kobo")
def test_a_real_kobo_form_accounts_for_its_export(tmp_path):
    form = draft(KOBO / "survey.csv")
    codebook = written(form, tmp_path)
    rows = by_name(form)
    assert rows["b1_food"]["label_en"] == "B1_Food"
    assert {"drafting_no_vi", "drafting_list_long"} <= said(form)
    columns = {row["column"]: row for row in form.codebook_rows}
    # The survey has 61 rows besides its groups, Kobo adds ten columns; four questions take 5, 6, 11 and 9 answers.
    assert (len(form.codebook_rows), sum(v.question is not None for v in codebook.values())) == (61 + 10, 31)
    with (KOBO / "raw.csv").open(encoding="utf-8-sig", newline="") as file:
        header = next(csv.reader(file))
    left = []
    for column in header:
        question, _, choice = column.partition("/")
        choosing = choice and question in columns and columns[question]["type"] == "multiple"
        if not (column in columns or choosing):
            left.append(question)
    # Questions of earlier versions of the form, and the column that the publisher added.
    assert set(left) == {
        "b3_warm_clothes", "b4_fuel", "b5_medication", "b6_coal_price", "b7_regular_fuel", "b7_coal_possible_buy",
        "b8_firewood_price", "b9_firewood_possible_buy", "b10_access_stores", "b11_financial_factors",
        "b15_access_stores", "b16_financial_factors", "interviewer",
    }  # fmt: skip
    assert draft(KOBO / "survey.csv") == form
    assert not [problem for problem in form.unknown if problem.key == "drafting_rule_dropped"]
    raw = draft(KOBO / "raw.csv")
    types = {row["column"]: row["type"] for row in raw.codebook_rows}
    assert (types["b7_vehicle_fuel"], types["start"], types["_uuid"]) == ("multiple", "time", "ignore")
    written(raw, tmp_path / "raw")


def test_spss_and_stata(tmp_path):
    data = pd.DataFrame({"q1": [1.0, 3, 99, 2], "tuoi": [30.0, 99, 41, 52], "ten": ["A", "B", "C", "D"]})
    data["ai"] = ["chu_ho", "Người Thật", "chu_ho", "chu_ho"]
    pyreadstat.write_sav(
        data,
        tmp_path / "a.sav",
        column_labels=["Hài lòng", "Tuổi", "Họ và tên", "Ai trả lời"],
        variable_value_labels={
            "ai": {"chu_ho": "Chủ hộ"},
            "q1": {1: "Kém", 3: "Tốt", 99: "Không trả lời"},
            "tuoi": {99: "Không biết"},
        },
        missing_ranges={"q1": [99], "tuoi": [{"lo": 97, "hi": 99}]},
    )
    drafted = draft(tmp_path / "a.sav")
    codebook = written(drafted, tmp_path)
    assert {name: variable.type for name, variable in codebook.items()} == {
        "q1": "scale",
        "tuoi": "number",
        "ten": "identifier",
        "ai": "text",
    }
    assert "Thật" not in " ".join(problem.message("vi") for problem in drafted.unknown)
    assert [(a.code, a.labels["vi"], a.missing) for a in codebook["q1"].scale.answers] == [
        (1, "Kém", None),
        (2, "2", None),
        (3, "Tốt", None),
        (99, "Không trả lời", "refused"),
    ]
    assert codebook["tuoi"].missing == {"99": "dont_know"}
    assert {"drafting_only_vi", "drafting_codes_without_label", "drafting_missing_number"} <= said(drafted)
    pyreadstat.write_dta(
        pd.DataFrame(
            {
                "q": pd.Series([1.0, "a", 2.0], dtype=object),
                "n": pd.Series([7.5, "b", 1.0], dtype=object),
                "m": pd.Series(["c", 3.0, "d"], dtype=object),
            }
        ),
        tmp_path / "b.dta",
        variable_value_labels={"q": {1: "Poor", 2: "Good", "a": "Refused"}, "m": {"c": "Don't know", "d": "N/A"}},
        missing_user_values={"q": ["a"], "n": ["b"], "m": ["c", "d"]},
    )
    stata = draft(tmp_path / "b.dta")
    assert [(row["code"], row["synonyms"], row["missing"]) for row in stata.scale_rows] == [
        ("1", "", ""),
        ("2", "", ""),
        ("3", ".a", "refused"),
    ]
    assert {name: row["missing"] for name, row in by_name(stata).items()} == {
        "q": "",
        "n": ".b=blank",
        "m": ".c=dont_know|.d=not_applicable",
    }
    listed = {p.column: p.values["found"] for p in stata.unknown if p.key == "drafting_missing_number"}
    assert listed == {name: row["missing"] for name, row in by_name(stata).items() if row["missing"]}
    assert written(stata, tmp_path / "stata")["m"].missing == {".c": "dont_know", ".d": "not_applicable"}
    assert {"drafting_only_en", "drafting_unlabelled"} <= said(stata)


def test_a_table_of_answers(tmp_path):
    likert = ["Hài lòng", "Không hài lòng", "Không biết", "hài lòng"] * 3
    pd.DataFrame(
        {
            "Dấu thời gian": ["02/11/2026 10:30:00"] * 12,
            "Họ và tên": [f"Người {n}" for n in range(12)],
            "Liên lạc": [f"0900 000 0{n:02}" for n in range(12)],
            "Xã/phường": ["Xã A", "Xã B"] * 6,
            "1. Ông/bà có hài lòng về thời gian chờ?": likert,
            "2. Ông/bà có hài lòng về thái độ?": likert[::-1],
            "Giới tính": ["1. Nam", "2. Nữ"] * 6,
            "Tuổi": [str(20 + n) for n in range(12)],
            "Số lần": ["1", "2", "99", "3"] * 3,
            "Ý kiến": [f"Ý kiến thứ {n}" for n in range(12)],
            "Trống": [""] * 12,
        }
    ).to_csv(tmp_path / "raw.csv", index=False)
    drafted = draft(tmp_path / "raw.csv")
    codebook = written(drafted, tmp_path / "study")
    assert {name: variable.type for name, variable in codebook.items()} == {
        "dau_thoi_gian": "time", "ho_va_ten": "identifier", "lien_lac": "identifier", "xa_phuong": "key",
        "c1_ong_ba_co_hai_long_ve_thoi": "scale", "c2_ong_ba_co_hai_long_ve_thai_do": "scale", "gioi_tinh": "scale",
        "tuoi": "number", "so_lan": "number", "y_kien": "text", "trong": "ignore",
    }  # fmt: skip
    first, second = (codebook[name].scale for name in codebook if name.startswith("c"))
    assert first == second
    assert [(a.code, a.labels["vi"], a.missing) for a in first.answers] == [
        (2, "Không hài lòng", None),
        (4, "Hài lòng", None),
        (99, "Không biết", "dont_know"),
    ]
    assert codebook["gioi_tinh"].scale.spellings["2. nữ"].code == 2
    assert codebook["so_lan"].missing == {"99": "dont_know"}
    assert said(drafted) == {
        "drafting_only_vi", "drafting_personal", "drafting_key", "drafting_order_known", "drafting_missing_guessed",
        "drafting_missing_number", "drafting_columns_empty", "drafting_direction", "drafting_roles", "drafting_ages",
    }  # fmt: skip
    shown = " ".join(problem.message("vi") for problem in drafted.unknown)
    assert "Người" not in shown and "0900" not in shown


@pytest.mark.parametrize("there", ["codebook.csv", "scales.csv"])
def test_nothing_is_overwritten(form, tmp_path, there):
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(DataError, match="already in the folder"):
        write(form, tmp_path)
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


def test_files_are_as_a_vietnamese_excel_opens_them(form, tmp_path):
    write(form, tmp_path)
    assert (tmp_path / "codebook.csv").read_bytes().startswith(b"\xef\xbb\xbfvariable;column;type;scale;")


def test_a_label_language_that_is_neither(tmp_path):
    (tmp_path / "survey.csv").write_text("type,name,label::Français\ninteger,a,Âge\n", encoding="utf-8")
    drafted = draft(tmp_path / "survey.csv")
    assert by_name(drafted)["a"]["label_vi"] == by_name(drafted)["a"]["label_en"] == "Âge"
    assert "drafting_other_language" in said(drafted)


def nodes_of(drafted):
    return tomllib.loads(draft_index(drafted.codebook_rows, drafted.scale_rows)).get("node", [])


def roles_of(drafted):
    assert all(p.message("vi") and p.file == "study.toml" for p in drafted.roles)
    return {p.column: (p.values["found"], p.key) for p in drafted.roles}


def draft_survey(folder, *rows, choices=""):
    with (folder / "survey.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["type", "name", "label"], *rows])
    if choices:
        (folder / "choices.csv").write_text(f"list_name,name,label\n{choices}", encoding="utf-8")
    return draft(folder / "survey.csv")


def test_an_index_to_start_from(tmp_path):
    long = 'Cán bộ có "thân thiện" và giải thích rõ ràng cho người dân khi đến làm thủ tục hay không?'
    drafted = draft_survey(
        tmp_path,
        ["select_one sat", "b1", long], ["note", "n", "Nghỉ"], ["select_one sat", "q2", "Phí"],
        ["select_one yn", "q3", "Có?"], ["select_one yn", "q4", "Có nữa?"], ["integer", "age", "Tuổi"],
        ["select_one sat", "q5", "Chung"],
        ["select_one use", "q6", "Mạng"], ["select_one use", "q7", "Đò"], ["select_one use", "q8", "Xe"],
        choices="sat,1,Kém\nsat,2,Vừa\nsat,3,Tốt\nyn,1,Có\nyn,2,Không\n"
        "use,1,Hiếm\nuse,2,Ít\nuse,3,Thường\nuse,9,Không biết\n",
    )  # fmt: skip
    # b1 is a question; yes and no are no ordered scale; a single question is no block.
    assert [(node["code"], node["items"]) for node in nodes_of(drafted)] == [
        ("block1", ["b1", "q2"]),
        ("block2", ["q6", "q7", "q8"]),
    ]
    assert nodes_of(drafted)[0]["label"]["vi"] == 'Cán bộ có "thân thiện" và giải thích rõ ràng cho người dân …'
    written(drafted, tmp_path / "study")


@pytest.mark.parametrize(
    ("rows", "items"),
    [
        ([["select_one yn", "q3", "Có?"], ["integer", "age", "Tuổi"]], []),
        ([["select_one sat", "q3", "Có tốt không?"], ["integer", "age", "Tuổi"]], [["q3"]]),
        ([["select_one sat", "q1", "Trình độ học vấn"], ["select_one sat", "q2", "Thu nhập"]], []),
        ([["integer", "age", "Tuổi"]], []),
    ],
)
def test_an_index_without_any_block(tmp_path, rows, items):
    drafted = draft_survey(tmp_path, *rows, choices="yn,1,Có\nyn,2,Không\nsat,1,Kém\nsat,2,Vừa\nsat,3,Tốt\n")
    assert [node["items"] for node in nodes_of(drafted)] == items
    written(drafted, tmp_path / "study")


def test_who_may_play_which_role(form, tmp_path):
    assert roles_of(form) == {"design.started": ("start", "drafting_role")}
    drafted = draft_survey(
        tmp_path,
        ["start", "start", ""], ["end", "end", ""], ["select_one xa", "q1", "Xã"],
        ["text", "q2", "Cán bộ xã phường có thân thiện hay không?"], choices="xa,1,A\nxa,2,B\n",
    )  # fmt: skip
    assert roles_of(drafted) == {
        "design.unit": ("q1", "drafting_role_type"),
        "design.started": ("start", "drafting_role"),
        "design.ended": ("end", "drafting_role"),
    }


@pytest.mark.parametrize(
    ("cells", "type", "answers"),
    [
        (["Zalo", "Loa, Zalo", "Báo", "Loa", "Zalo, Báo, Loa"], "multiple", ["Zalo", "Loa", "Báo"]),
        (["Zalo", "Loa, xã; Zalo", "Báo", "Loa, xã", "zalo; Báo"], "multiple", ["Zalo", "Loa, xã", "Báo"]),
        (["Có", "Không", "Có, nhưng chậm", "Không, vì xa", "Có"], "scale", None),
        (["Ấp 1, Xã A", "Ấp 2, Xã A", "Ấp 1, Xã B", "Ấp 2, Xã B", "Ấp 3, Xã B", "Ấp 3, Xã A"], "scale", None),
        (["Zalo", "Zalo, Zalo", "Loa, Zalo", "Loa", "Loa, Loa"], "scale", None),
    ],
)
def test_several_answers_in_a_cell(tmp_path, cells, type, answers):
    pd.DataFrame({"Kênh nào?": cells * 4}).to_csv(tmp_path / "raw.csv", index=False, quoting=csv.QUOTE_ALL)
    drafted = draft(tmp_path / "raw.csv")
    assert drafted.codebook_rows[0]["type"] == type
    codebook = written(drafted, tmp_path / "study")
    assert ("drafting_several" in said(drafted)) == (type == "multiple")
    if answers:
        assert [variable.choice.labels["vi"] for variable in codebook.values()] == answers


def scale_of(folder, cells, title="Ông/bà thấy thế nào?"):
    """Codes by answer of a column of cells, and the draft."""
    pd.DataFrame({title: cells}).to_csv(folder / "raw.csv", index=False, quoting=csv.QUOTE_ALL)
    drafted = draft(folder / "raw.csv")
    return {row["label_vi"]: row["code"] for row in drafted.scale_rows}, drafted


@pytest.mark.parametrize(
    ("low_to_high", "codes"),
    [
        ("Rất không hài lòng|Không hài lòng|Bình thường|Hài lòng|Rất hài lòng", "1 2 3 4 5"),
        ("Chưa hài lòng|Trung lập|Hài lòng|Rất hài lòng", "2 3 4 5"),
        ("Không hài lòng|Tạm được|Rất hài lòng", "2 3 5"),
        ("1 - Rất không hài lòng|3 - Bình thường|5 - Rất hài lòng", "1 3 5"),
        ("1. Rất tệ|2|3|4|5. Rất tốt", "1 2 3 4 5"),
        ("Hoàn toàn không đồng ý|Không đồng ý|Không ý kiến|Đồng ý|Hoàn toàn đồng ý", "1 2 3 4 5"),
        ("Không ủng hộ|Phân vân|Ủng hộ", "2 3 4"),
        ("Rất kém|Kém|Trung bình|Tốt|Rất tốt", "1 2 3 4 5"),
        ("Kém|Trung bình|Khá|Tốt|Xuất sắc", "1 2 3 4 5"),
        ("Rất chậm|Chậm|Bình thường|Nhanh", "1 2 3 4"),
        ("Không bao giờ|Hiếm khi|Thỉnh thoảng|Thường xuyên|Luôn luôn", "1 2 3 4 5"),
        ("Hiếm khi|Thường xuyên|Luôn luôn", "2 4 5"),
        ("Ít|Nhiều|Rất nhiều", "2 4 5"),
        ("Tiểu học|THCS|THPT|Trung cấp/Cao đẳng|Đại học|Sau đại học", "1 2 3 4 5 6"),
        ("Tiểu học (lớp 1–5)|Trung học phổ thông|Trung cấp|Cao đẳng|Đại học", "1 3 4 5 6"),
        ("Very dissatisfied|Dissatisfied|Neither satisfied nor dissatisfied|Satisfied|Very satisfied", "1 2 3 4 5"),
        ("Strongly disagree|Disagree|Neutral|Agree|Strongly agree", "1 2 3 4 5"),
        ("Poor|Fair|Good|Very good|Excellent", "1 2 3 4 5"),
        ("Never|Rarely|Sometimes|Often|Always", "1 2 3 4 5"),
        ("Very unlikely|Likely|Very likely", "1 4 5"),
        ("Không|Có", "0 1"),
        ("No|Yes", "0 1"),
        ("Nam|Nữ", "1 2"),
    ],
)
def test_usual_answers_are_ordered_by_what_they_say(tmp_path, low_to_high, codes):
    answers = low_to_high.split("|")
    # By appearance the order would be the reverse; a single rare answer stays one.
    cells = answers[::-1] if answers != ["Nam", "Nữ"] else answers
    found, drafted = scale_of(tmp_path, [*cells * 6, *cells[:1] * 30])
    assert found == dict(zip(answers, codes.split(), strict=True))
    assert "drafting_order_unknown" not in said(drafted)


def test_numbers_in_the_answers_that_run_the_other_way_are_said(tmp_path):
    found, drafted = scale_of(tmp_path, ["1. Rất hài lòng", "2. Hài lòng", "3. Bình thường", "9. Không biết"] * 4)
    assert list(found.values()) == ["1", "2", "3", "9"]
    assert "drafting_order_contrary" in said(drafted)
    assert "drafting_order_contrary" not in said(scale_of(tmp_path, ["1. Kém", "2. Tốt"] * 4)[1])


@pytest.mark.parametrize(
    "answers",
    [
        ["Nông dân", "Công nhân", "Buôn bán"],
        ["Hài lòng", "Bình thường", "Khó nói"],
        ["Hài lòng", "Bình thường", "Trung lập"],  # two that stand in the middle
        ["Tốt", "Đồng ý", "Hài lòng"],
    ],
)
def test_answers_in_no_known_order_have_no_codes(tmp_path, answers):
    found, drafted = scale_of(tmp_path, [*answers, "Không biết"] * 5)
    assert found == dict.fromkeys(answers, "") | {"Không biết": "99"}
    shown = [p.values["found"] for p in drafted.unknown if p.key == "drafting_order_unknown"]
    assert shown == ["; ".join([*answers, "99 = Không biết"])]
    assert nodes_of(drafted) == []
    written(drafted, tmp_path / "study")


def test_columns_of_one_ordered_set_share_a_scale(tmp_path):
    pd.DataFrame(
        {
            "Q1?": ["Hài lòng", "Rất hài lòng"] * 5,
            "Q2?": ["Không hài lòng", "Bình thường"] * 5,
            "Q3?": ["Có", "Không"] * 5,
        }
    ).to_csv(tmp_path / "raw.csv", index=False)
    drafted = draft(tmp_path / "raw.csv")
    rows = by_name(drafted)
    assert rows["q1"]["scale"] == rows["q2"]["scale"] != rows["q3"]["scale"]
    assert [row["code"] for row in drafted.scale_rows] == ["2", "3", "4", "5", "0", "1"]
    assert [node["items"] for node in nodes_of(drafted)] == [["q1", "q2"]]


@pytest.mark.parametrize(
    ("cells", "pairs", "answers"),
    [
        (["Rất hài lòng"] * 20 + ["Hài lòng"] * 9 + ["Rất hài lng"], "«Rất hài lng» → Rất hài lòng?", 2),
        (["Hài lòng"] * 20 + ["hai long"] * 9 + ["Không hài lòng"], "«hai long» → Hài lòng?", 2),
        (["Very satisfied"] * 20 + ["Very dissatisfied"], None, 2),
        (["Dưới 1 triệu đồng"] * 20 + ["Dưới 2 triệu đồng"], None, 2),
        (["Rất hài lòng"] * 4 + ["Rất hài lng"], None, 2),  # not rare enough to be sure
    ],
)  # fmt: skip
def test_a_misspelled_answer_is_no_answer_of_its_own(tmp_path, cells, pairs, answers):
    found, drafted = scale_of(tmp_path, cells)
    assert len(found) == answers
    assert next((p.values["found"] for p in drafted.unknown if p.key == "drafting_misspelled"), None) == pairs


def test_a_title_over_all_columns_is_no_header(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet["A1"] = "KẾT QUẢ KHẢO SÁT XÃ HIỆP LỢI"
    sheet.merge_cells("A1:D1")
    sheet.append(["Ngày", "", "", "01/02/2026"])
    sheet.append(["Mã", "Họ và tên", "Liên hệ", "Đánh giá"])
    for n in range(30):
        sheet.append([f"P{n}", f"Nguyễn Văn {'ABCDE'[n % 5]}n", "0912 345 678", ["Tốt", "Kém", "Trung bình"][n % 3]])
    book.save(tmp_path / "a.xlsx")
    drafted = draft(tmp_path / "a.xlsx")
    assert [(row["column"], row["type"]) for row in drafted.codebook_rows] == [
        ("Mã", "text"), ("Họ và tên", "identifier"), ("Liên hệ", "identifier"), ("Đánh giá", "scale"),
    ]  # fmt: skip
    assert [(row["label_vi"], row["code"]) for row in drafted.scale_rows] == [
        ("Kém", "2"), ("Trung bình", "3"), ("Tốt", "4"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "type", "key"),
    [
        (["Nguyễn Văn An", "Trần Thị Bé", "Lê Văn Cò"] * 9, "identifier", "drafting_personal"),
        (["Tốt", "Kém", "gọi lại chị Lan 0912 345 678"] * 9, "text", "drafting_personal_inside"),
        (["Tốt", "Kém", "Vừa"] * 9, "scale", "drafting_order_known"),
    ],
)
def test_personal_data_never_become_answers(tmp_path, cells, type, key):
    found, drafted = scale_of(tmp_path, cells)
    assert (drafted.codebook_rows[0]["type"], bool(found)) == (type, type == "scale")
    assert key in said(drafted)
    assert "Nguyễn" not in " ".join(p.message("vi") for p in drafted.unknown)


def test_labels_of_a_statistics_file_that_are_persons_become_no_answers(tmp_path):
    labels = {"nguoi": {1: "Nguyễn Văn An", 2: "Trần Thị Bé"}}
    pyreadstat.write_sav(pd.DataFrame({"nguoi": [1.0, 2, 1]}), tmp_path / "a.sav", variable_value_labels=labels)
    drafted = draft(tmp_path / "a.sav")
    assert drafted.scale_rows == [] and "drafting_personal_inside" in said(drafted)


@pytest.mark.parametrize(
    ("title", "cells", "row", "keys"),
    [
        ("Phí (đồng)", ["1.234,5", "20.000", "500"], {"type": "number", "maximum": ""}, {"drafting_thousands"}),
        ("Phí", ["1,234.5", "500", "7"], {"type": "number"}, {"drafting_thousands"}),
        ("Phí", ["1", "2", "3", "4", "không rõ"], {"type": "number"}, {"drafting_not_numbers"}),
        ("Phí", ["1.23.4", "a", "b"], {"type": "text"}, set()),
        ("Tuổi", ["18", "19", "99"], {"minimum": "18", "missing": "99=dont_know"}, {"drafting_ages"}),
        ("Tuổi", ["17", "35", "80"], {"type": "number", "minimum": "", "maximum": ""}, set()),
        ("Age", ["19", "20"], {"minimum": "18", "maximum": "100"}, {"drafting_ages"}),
        ("Số lần", ["19", "20"], {"minimum": "", "maximum": ""}, set()),
    ],
)  # fmt: skip
def test_columns_of_numbers(tmp_path, title, cells, row, keys):
    _, drafted = scale_of(tmp_path, cells, title)
    assert drafted.codebook_rows[0] | row == drafted.codebook_rows[0]
    assert said(drafted) & {"drafting_thousands", "drafting_not_numbers", "drafting_ages"} == keys


def test_the_labels_of_units_are_listed(tmp_path):
    data = pd.DataFrame({"xa": [1.0, 2, 9], "q": [1.0, 2, 1]})
    labels = {"xa": {1: "Hiệp Lợi", 2: "Đại Thành", 9: "Không trả lời"}, "q": {1: "Kém", 2: "Tốt"}}
    pyreadstat.write_sav(data, tmp_path / "a.sav", column_labels=["Xã", "Chất lượng"], variable_value_labels=labels)
    drafted = draft(tmp_path / "a.sav")
    assert [(p.column, p.values["found"]) for p in drafted.unknown if p.key == "drafting_units"] == [
        ("xa", "1 = Hiệp Lợi; 2 = Đại Thành")
    ]
    unknown = [p.values["found"]["en"] for p in drafted.unknown if p.key == "drafting_roles"]
    assert unknown == ["the cluster, the respondent, the interviewer"]


def test_what_has_one_language_is_named_by_its_titles(tmp_path):
    _, drafted = scale_of(tmp_path, ["Có", "Không"] * 4, "Có thuận tiện không?")
    line = next(p.message("vi") for p in drafted.unknown if p.key == "drafting_only_vi")
    assert line.startswith("raw.csv: ") and line.count("raw.csv") == 1 and "Có thuận tiện không?" in line


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9),
        ("a.jpg", b"\xff\xd8\xff\xe0" + bytes(range(256)) * 9),
        ("a.heic", b"\0\0\0\x18ftypheic" + bytes(99)),
        ("a.docx", b"PK\x03\x04" + b"word/document.xml\n" * 99),
        ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99)),
        ("a.pdf", b"%PDF-1.7\n\xff\xfe\n"),
    ],
)
def test_what_is_no_data_file_is_one_problem(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError) as error:
        draft(tmp_path / name)
    assert [(p.file, p.key) for p in error.value.problems] == [(name, "drafting_no_data")]
    (tmp_path / "ok.csv").write_text("BMI,PK\n20,3\n21,4\n", encoding="utf-8")
    assert len(draft(tmp_path / "ok.csv").codebook_rows) == 2
