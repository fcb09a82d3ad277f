"""The team's own text: safe to read, its values bound, its typed numbers listed, its folder untouched."""

import io
import json
import re
import shutil
from datetime import date
from pathlib import Path

import docx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.declaration import Form, parse
from evalkit.documents import pandoc, read_markdown
from evalkit.effects import make_effects
from evalkit.errors import DataError
from evalkit.ledger import Entries, passages
from evalkit.sample import BETWEEN, CHANGE, DID
from evalkit.team_numbers import bind
from evalkit.team_text import form_of, read_team_text

NGA_BAY = Path(__file__).resolve().parents[1] / "data" / "nga-bay"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f000500"
    "01ff56c7e28b0000000049454e44ae426082"
)


@pytest.fixture
def folder(tmp_path):
    """The example study without its own texts."""
    target = tmp_path / "nga-bay"
    shutil.copytree(NGA_BAY, target, ignore=shutil.ignore_patterns("text", "*.py"))
    (target / "text").mkdir()
    return target


def effects(n=100):
    """What four groups of the main indicator could show: levels, changes, a difference; `n` answers in HL."""
    rows = []
    for group, before, after, size in (
        ("pilot", 60.17, 72.93, 260),
        ("comparison", 60.8, 62.2, 780),
        ("HL", 59.3, 75.5, n),
        ("NB", 61.0, 70.3, 100),
    ):
        for estimand, contrast, value in (
            ("level", "before", before),
            ("level", "after", after),
            ("change", CHANGE, after - before),
        ):
            rows.append([group, estimand, contrast, "linearised", value, size])
    rows += [[BETWEEN, "did", DID, method, 11.42, 1040] for method in ("linearised", "unit t", "placebo")]
    keys = ("group", "estimand", "contrast", "method", "estimate", "n_before")
    return make_effects(
        dict(zip(keys, row, strict=True))
        | {
            "indicator": "hai_long",
            "unit": "points (0-100)",
            "n_after": row[-1],
            "conf_low": row[4] - 3.04,
            "conf_high": row[4] + 3.04,
            "p_adjusted": 0.0123,
        }
        for row in rows
    )


def bound(folder, language="vi", n=100, **texts):
    """A study with these texts, `name_vi` for name.vi.md, bound."""
    for name, words in texts.items():
        (folder / "text" / f"{name.replace('_', '.')}.md").write_text(words, encoding="utf-8")
    study = ek.open_study(folder)
    return bind(read_team_text(study, language), effects(n), study, language)


def entered(found, name):
    """The section as the report takes it, its plain words, and its numbers in the ledger."""
    entries = Entries()
    tree = read_markdown(entries.enter(*found.sections[name], name, 0))
    return tree, " ".join(one["text"] for one in passages(tree)), entries.numbers


def wrong(folder, **texts):
    """What is said to be wrong with these texts, in English."""
    with pytest.raises(DataError) as error:
        bound(folder, **texts)
    return error.value.message("en").splitlines()


@pytest.mark.parametrize(
    ("name", "vi", "en"),
    [
        ("hai_long.pilot.level.before", "60,2", "60.2"),
        ("hai_long.pilot.change", "+12,8", "+12.8"),
        ("hai_long.pilot.change.conf_low", "+9,7", "+9.7"),
        ("hai_long.between.did", "+11,4", "+11.4"),
        ("hai_long.between.did.p_adjusted", "0,012", "0.012"),
        ("hai_long.HL.level.after.n_after", "100", "100"),
        ("n.before", "1.040", "1,040"),  # 260 + 780 answers
    ],
)
def test_values_by_name_are_traced_numbers(folder, name, vi, en):
    for language, shown in (("vi", vi), ("en", en)):
        found = bound(folder, language, **{f"introduction_{language}": f"# A\n\nX ({{{name}}}), **{{{name}}}**."})
        _, words, numbers = entered(found, "introduction")
        assert words == f"X ({shown}), {shown}."
        assert [one["shown"] for one in numbers] == [shown] * 2 and found.titles == {"introduction": "A"}
        assert found.numerals.empty and found.notices == ()


def test_the_ledger_knows_the_effect_behind_a_name(folder):
    _, _, (number,) = entered(bound(folder, model_vi="{hai_long.pilot.change}"), "model")
    assert number["effect"] == f"hai_long|pilot|change|{CHANGE}|linearised|estimate"
    assert number["value"] == pytest.approx(12.76) and number["id"] == "n00001"


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_example_texts_are_bound_and_nothing_is_written(language):
    before = {path: path.stat().st_mtime_ns for path in NGA_BAY.rglob("*")}
    study = ek.open_study(NGA_BAY)
    team = read_team_text(study, language)
    assert list(team.sections) == ["introduction", "conclusions"] and team.notices == ()
    found = bind(team, effects(), study, language)
    assert [len(origins) for _, origins in found.sections.values()] == [2, 12]
    assert list(found.numerals["numeral"]) == ["1"]
    assert before == {path: path.stat().st_mtime_ns for path in NGA_BAY.rglob("*")}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("<script>alert(7)</script>", "<script>alert(7)</script>"),
        ("a\n\n```{=openxml}\n<w:p/>\n```", "a {=openxml} <w:p/>"),
        ("a `<w:p/>`{=openxml} b", "a <w:p/>{=openxml} b"),
        (r"\input{/etc/passwd2} \textbf{a} $x$", r"\input{/etc/passwd2} \textbf{a} $x$"),
        ('<span class="number" id="0">x</span>', "x"),
        ('[x]{.number #n00001} `<span class="number" id="0">`', 'x <span class="number" id="0">'),
        ('    <span class="claim" id="0">', '<span class="claim" id="0">'),
        ("[x](javascript:alert) [y](../raw)", "x y"),
        ("x\U000f0000y", "xy"),
    ],
)
def test_what_is_planted_stays_words(folder, source, shown):
    found = bound(folder, model_vi=source + "\n\n{n.after}")
    markdown, origins = found.sections["model"]
    tree, words, numbers = entered(found, "model")
    assert words == f"{shown} 1.040" and len(origins) == len(numbers) == 1
    kinds = set(re.findall(r'"t": "(\w+)"', json.dumps(tree)))
    assert not kinds & {"RawBlock", "RawInline", "Link", "Image", "Code", "CodeBlock", "Div"}
    assert json.dumps(tree).count('"number"') == 1 and "n00002" not in markdown


@pytest.mark.parametrize("target", ["../raw/x.png", "https://example.org/x.png", "/etc/x.png"])
def test_pictures_are_left_out_with_a_notice(folder, target):
    found = bound(folder, model_vi=f"một\n\n![hình]({target})\n\nhai ![]({target})")
    assert entered(found, "model")[1] == "một hai" and target not in found.sections["model"][0]
    assert [(one.key, one.line) for one in found.notices] == [("team_picture", 3)] * 2


def word_file(folder):
    """A Word file with headings, a list, a footnote, a table with merged cells, a picture, raw XML and a script."""
    source = (
        "# Mô hình\n\n## Cách làm\n\n1.  một\n2.  hai[^1] <script>x</script>\n\n[^1]: chú thích\n\n"
        "| A | B |\n|---|---|\n| {n.before} | y |\n\n```{=openxml}\n<w:p><w:r><w:t>raw</w:t></w:r></w:p>\n```\n"
    )
    data = pandoc(source.encode(), "--from=markdown-raw_html", "--to=docx", "--output=-")
    document = docx.Document(io.BytesIO(data))
    table = document.add_table(2, 2)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "gộp"
    table.cell(1, 1).text = "z"
    document.add_picture(io.BytesIO(PNG))
    document.save(folder / "text" / "model.docx")


def test_word_keeps_tables_lists_and_footnotes(folder):
    word_file(folder)
    found = bound(folder)
    tree, words, numbers = entered(found, "model")
    assert found.titles["model"] == "Mô hình"
    assert words == "Cách làm một hai <script>x</script> A B 1.040 y raw gộp z"
    kinds = [block["t"] for block in tree["blocks"]]
    assert kinds == ["Header", "OrderedList", "Table", "Para", "Table"]
    assert '"Note"' in json.dumps(tree) and len(numbers) == 1
    assert [one.key for one in found.notices] == ["team_cells_merged", "team_picture"]
    assert [block["c"][0][0] for block in tree["blocks"] if block["t"] == "Table"] == [
        "table-team_model_1",
        "table-team_model_2",
    ]


def test_footnotes_of_two_sections_do_not_meet(folder):
    found = bound(folder, model_vi="a[^1]\n\n[^1]: một", setting_vi="b[^1]\n\n[^1]: hai")
    source = "\n\n".join(markdown for markdown, _ in found.sections.values())
    assert list(found.sections) == ["setting", "model"] and json.dumps(read_markdown(source)).count('"Note"') == 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "x\n\n{hai_long.pilot.chnge}",
            ', line 3: there is no value named "hai_long.pilot.chnge"; nearest: hai_long.pilot.change.',
        ),
        ("{hai long}", ', line 1: there is no value named "hai long"'),
        ("x[^1]\n\n[^1]: {n.before}", ', line 3: the value "n.before" cannot stand in a footnote'),
        ("{hai_long.HL.change}", ', line 1: the value "hai_long.HL.change" rests on too few answers'),
    ],
)
def test_names_that_cannot_be_filled_in(folder, source, expected):
    found = wrong(folder, model_vi=source, n=3)
    assert len(found) == 1 and f"text/model.vi.md{expected}" in found[0]


@pytest.mark.parametrize(
    ("sentence", "like"),
    [
        ("Hài lòng chung sau thí điểm là 72,8 điểm.", "72,9"),  # one in the last digit
        ("Hài lòng chung sau thí điểm là 72.8.", "72,9"),  # written as in English
        ("Hài lòng chung đạt 72,0.", "72,9"),  # within 2 %
        ("Hài lòng chung tăng 12,9 điểm.", "+12,8"),
        ("Ở phường Hiệp Lợi, hài lòng chung là 75,1 điểm.", "75,5"),
        ("Hài lòng chung là 72,9 điểm.", None),  # the result itself
        ("Hài lòng chung là 73 điểm.", None),  # the same, rounded
        ("Hài lòng chung là 75,1 điểm.", None),  # a commune that is not named
        ("Hài lòng chung, cử 72,8 triệu đồng.", None),  # another thing is counted
        ("Nguồn khác: 72,8 điểm.", None),  # no indicator is named
        ("Hài lòng chung theo báo cáo cũ «72,8 điểm».", ""),
        ("Hài lòng chung là 40,0 điểm.", None),
    ],
)
def test_typed_numbers_that_resemble_a_result(folder, sentence, like):
    if like:
        (found,) = wrong(folder, discussion_vi=sentence)
        assert f"looks like the computed result {like} " in found and "{hai_long." in found
    else:
        assert len(bound(folder, discussion_vi=sentence).numerals) == (like is None)


def test_a_question_with_its_number_is_one_name(folder):
    index = folder / "index.toml"
    content = index.read_text(encoding="utf-8")
    assert 'vi = "Hài lòng chung"' in content
    index.write_text(content.replace('vi = "Hài lòng chung"', 'vi = "Câu 1. Hài lòng"'), encoding="utf-8")
    (found,) = wrong(folder, discussion_vi="Câu 1. Hài lòng tăng lên 72,8 điểm.")
    assert "looks like the computed result 72,9" in found


@pytest.mark.parametrize(
    ("language", "words", "numerals"),
    [
        (
            "vi",
            "Nghị định số 30/2020/NĐ-CP ngày 05/3/2020, Nghị quyết 27-NQ/TW, Điều 5 khoản 2, năm 2021, 2016–2021",
            [],
        ),
        (
            "vi",
            "Ngày 5 tháng 3 năm 2020, quý 2, Bảng 3, Hình 1.2, mục 2.1, [3], “12 người”, BM17, https://a.vn/12",
            [],
        ),
        ("vi", "1.2. Tổ chức 12 lớp cho 1.250 người, đạt 98,5% trong 3 năm", ["12", "1.250", "98,5", "3"]),
        ("en", "On 5 March 2020, Decree 30, Table 3, in 2021, March 2021", []),
        ("en", "We trained 12 classes of 1,250 people, 98.5 percent", ["12", "1,250", "98.5"]),
    ],
)
def test_typed_numbers_are_listed(folder, language, words, numerals):
    found = bound(folder, language, **{f"solutions_{language}": words})
    assert list(found.numerals["numeral"]) == numerals
    assert [one.key for one in found.notices] == ["team_numbers_unchecked"] * bool(numerals)
    assert list(found.unchecked(language).iloc[:, 1]) == numerals if numerals else found.unchecked(language).empty


def test_files_that_are_not_as_they_must_be(folder, tmp_path):
    text = folder / "text"
    (text / "model.md").write_text("một", encoding="utf-8")
    (text / "model.vi.md").write_text("hai", encoding="utf-8")
    (tmp_path / "secret.md").write_text("ba", encoding="utf-8")
    (text / "setting.md").symlink_to(tmp_path / "secret.md")
    (text / "solutions.docx").write_bytes(b"PK no word file")
    found = wrong(folder)
    assert len(found) == 3 and "leads out" in found[1] and "cannot be read" in found[2]
    assert found[0].startswith('text/model.vi.md: this section stands in "model.md" already')


def test_notices_of_files_that_are_not_read(folder):
    (folder / "text" / "conclusion.md").write_text("x", encoding="utf-8")
    found = bound(folder, "en", model_vi="một", setting="hai")
    assert found.sections == {}
    assert [(one.file, one.key) for one in found.notices] == [
        ("text/conclusion.md", "team_file_unknown"),
        ("text/model.vi.md", "team_language_missing"),
        ("text/setting.md", "team_language_missing"),
    ]


def test_the_form_in_both_languages(folder):
    study = ek.open_study(folder)
    vi, en = form_of(study, "vi"), form_of(study, "en")
    assert (vi["level"], en["level"]) == ("Cấp tỉnh (mô phỏng)", "Provincial (simulated)")
    assert vi["date"] == date(2026, 10, 30) and vi["references"] == en["references"]
    assert en["products"][0] == {
        "name": "Theory and practice",
        "unit": "paper",
        "ordered": "1",
        "delivered": "1",
        "quality": "Simulated",
    }
    assert vi["abbreviations"][0] == {"short": "UBND", "meaning": "Ủy ban nhân dân"} and "code" not in vi


def test_persons_stand_in_the_form_only_where_they_are_real(folder):
    study = ek.open_study(folder)
    form = {"leader": "Họ Tên", "members": ["Một", "Hai"]}
    declared = study.declared.model_copy(update={"report": parse(form, "study.toml", Form)})
    object.__setattr__(study, "declared", declared)
    assert form_of(study, "vi") == {}
    about = declared.study.model_copy(update={"simulated": False})
    object.__setattr__(study, "declared", declared.model_copy(update={"study": about}))
    assert form_of(study, "vi") == form


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"leder": "x"}, '"leder": evalkit has no such key; did you mean: leader?'),
        ({"date": "2020-01-01"}, "a date, year-month-day"),
        (
            {"products": [{"name": {"vi": "a", "en": "b"}, "ordered": 1.5, "delivered": 1}]},
            '"products[1].ordered": the value 1.5',
        ),
    ],
)
def test_a_form_that_is_not_as_it_must_be(form, expected):
    with pytest.raises(DataError, match=re.escape(expected)):
        parse(form, "study.toml", Form)


ALPHABET = [*"ab 1,.<>[](){}|`*_^~$#@\\!:;-+=\"'/&\n\t«»đế\U000f0000\ue000",
    "{n.before}", "\n\n", "\n| a | b |\n|---|---|\n| {hai_long.pilot.change} |", "[^1]", "\n[^1]: x\n", "```",
    '<span class="number" id="0">', "{#n00001 .number}", "![](x)", "\n\n1. ", "\n- ", "\n> ",
    "\n    ", "\n: ", "$$", "<!--", "\n---\n", "\n+---+\n",
]  # fmt: skip


def test_check_names_a_value_that_there_is_not_before_anything_runs(make_study, messages):
    folder = make_study()
    (folder / "text").mkdir()
    (folder / "text" / "introduction.vi.md").write_text("# Mở đầu\n\nTăng {khong_co.all.change}.\n", encoding="utf-8")
    (found,) = messages(folder)
    assert found.startswith("text/introduction.vi.md, line 3: ") and "khong_co.all.change" in found


@pytest.mark.slow
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.lists(st.sampled_from(ALPHABET), max_size=25).map("".join))
def test_any_text_is_bound_or_refused_with_its_place(folder, source):
    try:
        found = bound(folder, model_vi=source, setting_vi="a[^1] {n.after}\n\n[^1]: x")
    except DataError as error:
        assert all(one.file.startswith("text/") for one in error.problems)
        return
    entries = Entries()
    tree = read_markdown("\n\n".join(entries.enter(*one, name, 0) for name, one in found.sections.items()))
    ids = [one for passage in passages(tree) for one in passage["numbers"] + passage["claims"]]
    assert ids == [one["id"] for one in entries.numbers] and not entries.claims
    assert not set(re.findall(r'"t": "(\w+)"', json.dumps(tree))) & {"RawBlock", "RawInline", "Image", "Figure"}
