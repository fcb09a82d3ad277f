"""The questionnaire says all that the codebook asks; what is typed into the workbook is read back as typed."""

import re
import zipfile
from datetime import date, datetime

import docx
import openpyxl
import pytest

import evalkit as ek
from evalkit.entry_workbooks import write_entry_workbook
from evalkit.paper_forms import form_number, plain_skip, questions, with_entry_columns
from evalkit.questionnaires import write_questionnaire
from evalkit.workbooks import read_workbook

MORE = """\
kenh,Kênh,multiple,kenh,,,Biết tin qua đâu,How do you hear,,,,
loa,Nghe loa,number,,0,,Số lần nghe loa,Times,,99=dont_know,"{relevant}",
gop_y,Góp ý,text,,,,Góp ý thêm,Anything else,,,,
"""
CHANNELS = 'kenh,1,Loa,Speaker,,\nkenh,2,"Bảng tin, tờ rơi",Notice board,,\nkenh,3,=1+1,Formula,,\n'


@pytest.fixture
def make_form(make_study):
    """The small study with a number that is asked under a condition, and a question with several answers."""

    def make(relevant="selected(${kenh}, '1')", **replaced):
        def longer(text):
            header, *rows = text.splitlines()
            lines = [f"{header},missing,relevant,constraint", *(f"{row},,," for row in rows)]
            return "\n".join(lines) + "\n" + MORE.format(relevant=relevant)

        return ek.open_study(make_study(codebook=longer, scales=lambda text: text + CHANNELS, **replaced))

    return make


def words(path):
    """All texts of a document, cells, header and footer among them."""
    document = docx.Document(path)
    lines = [paragraph.text for paragraph in document.paragraphs]
    lines += [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    section = document.sections[0]
    lines += [p.text for part in (section.header, section.footer) for p in part.paragraphs]
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_questionnaire_of_the_example_asks_everything(nga_bay, tmp_path, language):
    write_questionnaire(nga_bay, tmp_path / "a.docx", language=language)
    shown = words(tmp_path / "a.docx")
    for variable in nga_bay.codebook.values():
        assert variable.labels[language] in shown
        for answer in variable.scale.answers if variable.scale else ():
            assert f"{answer.labels[language]} ({answer.code:g})" in shown
    declared = nga_bay.declared
    for said in (declared.study.title, declared.study.organisation, declared.privacy.consent):
        assert getattr(said, language) in shown
    assert {"vi": "DỮ LIỆU MÔ PHỎNG", "en": "SIMULATED DATA"}[language] in shown
    skip = {"vi": "Chỉ hỏi khi câu A4 trả lời «Có (1)».", "en": 'if the answer to question A4 is "Yes (1)"'}
    assert skip[language] in shown


def test_names_stand_above_the_cut_and_answers_below(nga_bay, tmp_path):
    write_questionnaire(nga_bay, tmp_path / "a.docx")
    lines = [paragraph.text for paragraph in docx.Document(tmp_path / "a.docx").paragraphs]
    cut = next(at for at, line in enumerate(lines) if "cắt theo đường này" in line)
    named = [at for at, line in enumerate(lines) if "Họ và tên" in line or "Số điện thoại" in line]
    assert len(named) == 2 and max(named) < cut < next(at for at, line in enumerate(lines) if "PHẦN B" in line)


def test_answers_of_one_scale_stand_in_one_table_with_a_header_on_each_page(nga_bay, tmp_path):
    write_questionnaire(nga_bay, tmp_path / "a.docx")
    table = docx.Document(tmp_path / "a.docx").tables[-1]
    items = [variable for variable in nga_bay.codebook.values() if variable.name.startswith("q")]
    assert [row.cells[1].text for row in table.rows[1:]] == [item.labels["vi"] for item in items]
    # Answers that are none stand at the right, whatever their codes.
    assert [cell.text.rpartition(" ")[2] for cell in table.rows[0].cells[2:]] == [
        "(1)",
        "(2)",
        "(3)",
        "(4)",
        "(5)",
        "(98)",
        "(99)",
    ]
    marks = [{child.tag.rpartition("}")[2] for child in row._tr.trPr} for row in table.rows]
    assert "tblHeader" in marks[0] and all("cantSplit" in found for found in marks)


@pytest.mark.parametrize(
    "relevant, vi",
    [
        ("selected(${kenh}, '1')", "Chỉ hỏi khi câu 3 trả lời «Loa (1)»."),
        ("selected(${kenh}, '1') or selected(${kenh}, '3')", "Chỉ hỏi khi câu 3 trả lời «Loa (1)» hoặc «=1+1 (3)»."),
        ("${q1} >= 2", "Chỉ hỏi khi câu 1 trả lời «Bình thường (2)» hoặc «Hòa nhã (3)»."),
        ("not(selected(${kenh}, '1'))", "Chỉ hỏi khi: not(selected([câu 3], '1'))"),
        ("selected(${kenh}, '1') and selected(${kenh}, '2')", "Chỉ hỏi khi: selected([câu 3], '1') and"),
        ("${tuoi} >= 60", "Chỉ hỏi khi: [câu A1] >= 60"),
        ("${q1} = 1 and ${q2} = 1", "Chỉ hỏi khi: [câu 1] = 1 and [câu 2] = 1"),
    ],
)
def test_a_skip_is_said_in_words_or_as_it_stands(make_form, tmp_path, relevant, vi):
    study = make_form(relevant)
    write_questionnaire(study, tmp_path / "a.docx")
    # q1 and q2 are «Câu 1» and «Câu 2»; the others are counted: A1 age, A2 the channels.
    assert vi.replace("câu 3", "câu A2") in words(tmp_path / "a.docx")


def test_a_skip_that_never_or_always_holds_is_no_list_of_answers(make_form):
    codebook = make_form().codebook
    assert plain_skip("${q1} > 3", codebook) is None and plain_skip("${q1} >= 1", codebook) is None
    assert plain_skip("", codebook) is None and plain_skip("${la} = 1", codebook) is None


def test_what_is_not_declared_is_a_line_to_fill_in_and_real_data_are_not_called_simulated(make_form, tmp_path):
    write_questionnaire(make_form(study=("simulated = true", "simulated = false")), tmp_path / "a.docx")
    shown = words(tmp_path / "a.docx")
    assert "chưa khai báo nội dung đồng ý" in shown and "…… / …… / …………" in shown and "MÔ PHỎNG" not in shown
    assert "có thể chọn nhiều" in shown and "Không biết (99)" in shown


def test_numbers_are_those_of_the_codebook_or_counted(make_form, nga_bay):
    assert [q.number for q in questions(make_form())] == ["A1", "1", "2", "A2", "A3", "A4"]
    assert [q.number for q in questions(nga_bay)][:7] == ["A1", "A2", "A3", "A4", "A5", "1.1", "1.2"]


def test_the_form_number_is_found_or_added(make_form, nga_bay):
    assert form_number(nga_bay.codebook) == "so_phieu" and form_number(make_form().codebook) is None
    assert set(with_entry_columns(nga_bay.codebook)) - set(nga_bay.codebook) == {"nguoi_nhap"}
    assert set(with_entry_columns(make_form().codebook)) - set(make_form().codebook) == {"so_phieu", "nguoi_nhap"}


def test_the_same_study_gives_the_same_bytes_at_any_time(nga_bay, tmp_path):
    for write, name in ((write_questionnaire, "a.docx"), (write_entry_workbook, "a.xlsx")):
        write(nga_bay, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write(nga_bay, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
        with zipfile.ZipFile(tmp_path / name) as parts:
            assert {part.date_time for part in parts.infolist()} == {(2000, 1, 1, 0, 0, 0)}
            stamps = re.findall(r"\d{4}-\d\d-\d\dT[\d:]+", parts.read("docProps/core.xml").decode())
        assert set(stamps) == {"2000-01-01T00:00:00"}


TYPED = {
    "Người nhập": "N1",
    "Số phiếu": "001",
    "Mã hộ": "0007",
    "Đơn vị": "xã Thí Điểm",
    "Ấp": "Ấp 1",
    "Ngày": date(2026, 1, 5),
    "Tuổi": 41,
    "Câu 1": "Hòa nhã",
    "Câu 2": 99,
    "Kênh/Loa": 1,
    "Kênh/Bảng tin, tờ rơi": "Không chọn",
    "Kênh/=1+1": "Chọn",
    "Nghe loa": 3,
    "Góp ý": "=HYPERLINK(1)",
}


def fill(path, *rows):
    book = openpyxl.load_workbook(path)
    page = book["nhap_lieu"]
    heads = {cell.value: cell.column for cell in page[1]}
    assert list(heads) == list(TYPED)
    for line, row in enumerate(rows, start=2):
        for head, value in row.items():
            cell = page.cell(line, heads[head], value)
            if isinstance(value, str):
                cell.data_type = "s"
    book.save(path)


def test_what_is_typed_is_read_back(make_form, tmp_path):
    study = make_form()
    path = tmp_path / "nhap_lieu.xlsx"
    write_entry_workbook(study, path, wave="truoc")
    with pytest.raises(ek.DataError, match="no row below"):
        ek.read_responses(path, with_entry_columns(study.codebook), sheet="nhap_lieu")
    fill(path, TYPED, TYPED | {"Số phiếu": "002", "Câu 1": 2})
    frame, notices = ek.read_responses(path, with_entry_columns(study.codebook), sheet="nhap_lieu")
    assert notices == () and frame.index.tolist() == [2, 3]
    row = frame.loc[2].to_dict()
    expected = {
        "so_phieu": "001",
        "nguoi_nhap": "N1",
        "ma_ho": "0007",
        "ngay": "2026-01-05",
        "q1": "Hòa nhã",
        "q2": "99",
    }
    expected |= {"kenh_1": "1", "kenh_2": "Không chọn", "kenh_3": "Chọn", "gop_y": "=HYPERLINK(1)", "tuoi": "41"}
    assert {name: row[name] for name in expected} == expected and "ho_ten" not in row


def test_a_typed_wave_goes_through_the_study(make_study, tmp_path):
    """Without typist and form number, which `with_entry_columns` adds, the file is a raw file like any other."""
    folder = make_study(study=("raw/truoc.csv", "raw/truoc.xlsx"), truoc=None)
    (folder / "raw/truoc.xlsx").touch()
    write_entry_workbook(ek.open_study(folder), folder / "raw/truoc.xlsx", wave="truoc")
    book = openpyxl.load_workbook(folder / "raw/truoc.xlsx")
    page = book["nhap_lieu"]
    lines = [
        ("H1", "xã Thí Điểm", "Hòa nhã"),
        ("H3", "xã Đối Chứng Bảy", 2),
        ("H5", "xã Thuận Hòa", "Từ chối trả lời"),
    ]
    for line, (home, unit, answer) in enumerate(lines, start=2):
        for column, value in enumerate((home, unit, "Ấp 1", datetime(2026, 1, 5), 41, answer, 1), start=3):
            page.cell(line, column, value)
    page.delete_cols(1, 2)
    book.save(folder / "raw/truoc.xlsx")
    study = ek.open_study(folder)
    responses = ek.clean(ek.read(study), study).responses
    before = responses[responses["wave"] == "truoc"]
    assert before["unit"].tolist() == ["TD", "007", "DC"] and before["q1"].tolist()[:2] == [3, 2]
    assert before["q1"].isna().tolist() == [False, False, True]


def test_the_workbook_checks_while_typing(make_form, tmp_path):
    study = make_form("selected(${kenh}, '1')")
    write_entry_workbook(study, tmp_path / "a.xlsx", wave="truoc", rows=50)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    page = book["nhap_lieu"]
    letters = {cell.value: cell.column_letter for cell in page[1]}
    rules = {str(rule.sqref): rule for rule in page.data_validations.dataValidation}

    def rule(head):
        return rules[f"{letters[head]}2:{letters[head]}51"]

    at = letters["Ngày"]
    assert rule("Ngày").formula1 == f"AND(ISNUMBER({at}2),{at}2>=DATE(2026,1,5),{at}2<DATE(2026,1,31))"
    at = letters["Tuổi"]
    assert rule("Tuổi").formula1 == f"OR(AND(ISNUMBER({at}2),{at}2>=18,{at}2<=100))"
    assert "=99" in rule("Nghe loa").formula1
    assert rule("Số phiếu").errorStyle == "warning" and rule("Câu 1").errorStyle == "stop"
    column = rule("Câu 1").formula1.partition("$")[2][0]
    offered = [cell.value for cell in book["danh_muc"][column] if cell.value is not None]
    scale = study.codebook["q1"].scale.answers
    assert offered == [answer.labels["vi"] for answer in scale] + [answer.code for answer in scale]
    assert rule("Câu 1").formula1 == rule("Câu 2").formula1 and book["danh_muc"].sheet_state == "hidden"
    skips = {str(area.sqref): [rule.formula[0] for rule in area.rules] for area in page.conditional_formatting}
    red, grey = skips[f"{letters['Nghe loa']}2:{letters['Nghe loa']}51"]
    spoken = letters["Kênh/Loa"]
    assert f'${spoken}2=1,${spoken}2="Chọn"' in grey and red.endswith('<>"")')
    assert page.freeze_panes == "C2" and page.max_row == 1
    assert "Hòa nhã" in page[f"{letters['Câu 1']}1"].comment.text


def test_no_header_or_answer_is_a_formula(make_form, tmp_path):
    write_entry_workbook(make_form(), tmp_path / "a.xlsx")
    for page in openpyxl.load_workbook(tmp_path / "a.xlsx"):
        assert all(cell.data_type != "f" for row in page.iter_rows() for cell in row)
    assert "Kênh/=1+1" in read_workbook(tmp_path / "a.xlsx", "a.xlsx", sheet="nhap_lieu").cells.iloc[0].tolist()
