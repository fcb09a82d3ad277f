"""The same answers in every format that the tools of the world write give the same survey as in a plain csv file."""

import csv
import datetime as dt
import io
import shutil
import subprocess
import zipfile
from xml.sax.saxutils import escape

import openpyxl
import pandas as pd
import pyreadstat
import pytest
from conftest import STUDY

import evalkit as ek
from evalkit.encodings import encode_as

# The same answer as a label, as the name that an XLSForm gives it, and as a code.
COURTESY = {1: ("Chưa hòa nhã", "chua"), 2: ("Bình thường", "binh_thuong"), 3: ("Hòa nhã", "co"),
            98: ("Từ chối trả lời", "tu_choi"), 99: ("Không biết", "khong_biet")}  # fmt: skip
SOURCES = {1: ("Loa truyền thanh", "loa"), 2: ("Cán bộ, người quen", "can_bo"), 3: ("Mạng xã hội", "mang")}
TITLES = {
    "ho_ten": "Họ tên", "ma_ho": "Mã hộ", "don_vi": "Đơn vị", "ap": "Ấp", "ngay": "Ngày phỏng vấn", "tuoi": "Tuổi",
    "q1": "Cán bộ có hòa nhã không?", "q2": "Cán bộ có gắt gỏng không?", "nguon": "Ông/bà biết tin từ đâu?",
}  # fmt: skip
NAMES = {name: name for name in TITLES}
FORMS = [
    ("Nguyễn Mẫu", "H1", "TD", "Ấp 1", dt.date(2026, 11, 2), 41, 3, 1, (1, 2)),
    ("Trần Thử", "H2", "xã Thí Điểm", "Ấp 2", dt.date(2026, 11, 13), 52, 2, 99, (3,)),
    ("Lê Ví Dụ", "H3", "007", "Ấp 1", dt.date(2026, 11, 14), 63, 3, 2, ()),
    ("Phạm Nháp", "H4", "Xã đối chứng bảy", "Ấp 2", dt.date(2026, 11, 15), 34, 3, None, (1, 2, 3)),
    ("Võ Không Thật", "H5", "Xã Thuận Hòa", "Ấp 1", dt.date(2026, 11, 26), 25, 1, 98, (2,)),
    ("Đặng Mô Phỏng", "H6", "DC", "Ấp 2", dt.date(2026, 11, 27), None, 2, 3, (1,)),
]
STAMPED = [(dt.datetime(2026, 11, 28, 8, 30, second), f"a{second}@example.org") for second in range(len(FORMS))]


def rows(kind="label", joined=", ", style="%d/%m/%Y", columns=None):
    """The forms as cells: labels, names or codes; the answers that a question takes joined, or one column each."""
    written = []
    for *start, day, age, q1, q2, chosen in FORMS:
        at = ("label", "name").index(kind) if kind != "code" else None
        shown = [value if value is None or at is None else COURTESY[value][at] for value in (q1, q2)]
        several = [SOURCES[code][at or 0] for code in chosen]
        row = [*start, day if style is None else day.strftime(style), age, *shown, joined.join(several)]
        if columns:
            row = row[:-1] + [columns[code in chosen] if chosen else None for code in SOURCES]
        written.append(["" if cell is None else cell for cell in row])
    return written


def csv_bytes(lines, delimiter=",", encoding="utf-8"):
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter).writerows(lines)
    return encode_as(file.getvalue(), encoding) if encoding in ("tcvn3", "vni", "viscii", "cp1258") else (
        file.getvalue().encode(encoding)
    )  # fmt: skip


def workbook(path, *sheets, merged=()):
    """One sheet after the other, as (title, rows)."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in sheets:
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append([None if cell == "" else cell for cell in line])
        for area in merged:
            sheet.merge_cells(area)
    book.save(path)


def write(path, lines):
    path.write_bytes(csv_bytes(lines)) if path.suffix == ".csv" else workbook(path, ("Trang 1", lines))


def google(path, grid=False):
    titles = TITLES | ({"q1": "Ông/bà thấy cán bộ thế nào? [Hòa nhã]"} | {"q2": "Ông/bà thấy cán bộ thế nào? [Gắt]"})
    head = ["Dấu thời gian", "Địa chỉ email", *titles.values()]
    stamps = [(when.strftime("%d/%m/%Y %H:%M:%S") if path.suffix == ".csv" else when, who) for when, who in STAMPED]
    style = "%d/%m/%Y" if path.suffix == ".csv" else None
    write(path, [head, *([*stamp, *row] for stamp, row in zip(stamps, rows(style=style), strict=True))])
    return titles


def kobo(path, kind="name", group="", divided=None, both=False, hyphen=False):
    """An export of KoboToolbox, or of ODK Central (`hyphen`): what the tool adds before and behind the questions."""
    at = ("label", "name").index(kind)
    titles = (NAMES, TITLES)[kind == "label"]
    titles = {name: title if kind == "name" else title.replace("/", " hoặc ") for name, title in titles.items()}
    head = [group + title for title in titles.values()]
    before, after = ["start", "end"], ["_id", "_uuid", "_submission_time", "_validation_status", "_index"]
    place = [f"_{group}gps_{part}" for part in ("latitude", "longitude", "altitude", "precision")]
    if hyphen:
        before, after = ["SubmissionDate", "meta-instanceID"], ["KEY", "SubmitterID", "ReviewState", "FormVersion"]
        place = [f"{group}gps-{part}" for part in ("Latitude", "Longitude", "Altitude", "Accuracy")]
    lines = rows(kind, " ", "%Y-%m-%d")
    if divided:
        several = rows(kind, style="%Y-%m-%d", columns=divided)
        head += [f"{head[-1]}/{words[at]}" for words in SOURCES.values()]
        lines = [line + one[-3:] for line, one in zip(lines, several, strict=True)]
        if not both:
            head, lines = [head[:8] + head[9:], [line[:8] + line[9:] for line in lines]]
    filled = [f"2026-11-28T08:30:00.{number}+07:00" for number in range(len(FORMS))]
    lines = [
        [stamp, stamp, *line, *(9.18, 105.15, 0, 4.5)[: len(place)], number, f"u{number}", stamp, "", number]
        for number, (stamp, line) in enumerate(zip(filled, lines, strict=True), 1)
    ]
    write(path, [[*before, *head, *place, *after], *(line[: len(before + head + place + after)] for line in lines)])
    return titles


def statfile(path):
    columns = [*NAMES][:8] + [f"nguon_{code}" for code in SOURCES]
    lines = rows("code", style=None, columns=(0, 1))
    frame = pd.DataFrame(lines, columns=columns).replace({"": None})
    numbers = ["tuoi", "q1", "q2", *columns[8:]]
    frame[numbers] = frame[numbers].astype(float)
    if path.suffix == ".sav":
        pyreadstat.write_sav(
            frame, path, missing_ranges={q: [{"lo": 98, "hi": 99}] for q in ("q1", "q2")},
            variable_value_labels={q: {c: words[0] for c, words in COURTESY.items()} for q in ("q1", "q2")},
            column_labels=[*TITLES.values()][:8] + [f"Nguồn: {words[0]}" for words in SOURCES.values()],
        )  # fmt: skip
    else:
        for question in ("q1", "q2"):
            frame[question] = frame[question].astype(object).replace({98.0: "r", 99.0: "k"})
        pyreadstat.write_dta(frame, path, version=15, missing_user_values={"q1": ["k", "r"], "q2": ["k", "r"]})
    return NAMES


def old_font(path):
    """Cells typed for a font of TCVN3, which Excel holds as the Windows-1252 letters of the same bytes."""

    def typed(cell):
        return encode_as(cell, "tcvn3").decode("cp1252") if isinstance(cell, str) else cell

    write(path, [[typed(cell) for cell in line] for line in ([*TITLES.values()], *rows())])
    return TITLES


def ods(path):
    space = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
    table = "".join(
        "<table:table-row>"
        + "".join(
            f'<table:table-cell office:value-type="float" office:value="{cell}"/>'
            if isinstance(cell, int)
            else f'<table:table-cell office:value-type="string"><text:p>{escape(cell)}</text:p></table:table-cell>'
            for cell in line
        )
        + "</table:table-row>"
        for line in ([*TITLES.values()], *rows())
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {' '.join(map(space.format, ('office', 'table', 'text')))}><office:body>"
            f'<office:spreadsheet><table:table table:name="A">{table}</table:table></office:spreadsheet>'
            "</office:body></office:document-content>",
        )
        archive.writestr("META-INF/manifest.xml", "<manifest:manifest " + space.format("manifest") + "/>")
    return TITLES


def two_rows(path):
    """A title, then a header over two rows whose upper cells are merged over the columns that belong together."""
    title, upper, lower = ["PHIẾU KHẢO SÁT ĐỢT 2"], ["Người trả lời", *[""] * 5, "Cán bộ", "", "Nguồn tin"], []
    lower = ["Họ tên", "Mã hộ", "Đơn vị", "Ấp", "Ngày", "Tuổi", "Hòa nhã", "Gắt gỏng", "Biết từ đâu"]
    areas = ("A1:I1", "A3:F3", "G3:H3")
    workbook(path, ("Trang 1", [title, [], upper, lower, *rows(style=None)]), merged=areas)
    over = ["Người trả lời"] * 6 + ["Cán bộ"] * 2 + ["Nguồn tin"]
    return dict(zip(TITLES, (f"{a} / {b}" for a, b in zip(over, lower, strict=True)), strict=True))


def plain(path, encoding="utf-8", delimiter=",", above=()):
    path.write_bytes(csv_bytes([*above, [*TITLES.values()], *rows()], delimiter, encoding))
    return TITLES


FORMATS = {
    "plain.csv": plain,
    "google.csv": google,
    "google.xlsx": google,
    "kobo names.csv": kobo,
    "kobo names.xlsx": kobo,
    "kobo labels, divided.xlsx": lambda path: kobo(path, "label", divided=(0, 1)),
    "kobo names, divided.csv": lambda path: kobo(path, divided=("0", "1")),
    "kobo names, both, true and false.csv": lambda path: kobo(path, divided=("False", "True"), both=True),
    "kobo names, both, true and false.xlsx": lambda path: kobo(path, divided=(False, True), both=True),
    "kobo groups.csv": lambda path: kobo(path, group="phan_a/nhom_1/", divided=("0", "1"), both=True),
    "kobo groups, labels.xlsx": lambda path: kobo(path, "label", group="Phần A/Nhóm 1/", divided=(0, 1)),
    "odk central.csv": lambda path: kobo(path, group="phan_a-", hyphen=True),
    "odk central, divided.csv": lambda path: kobo(path, group="phan_a-", divided=("0", "1"), both=True, hyphen=True),
    "spss.sav": statfile,
    "stata.dta": statfile,
    "bom.csv": lambda path: plain(path, "utf-8-sig", ";"),
    "utf-16.csv": lambda path: plain(path, "utf-16", "\t"),
    "cp1258.csv": lambda path: plain(path, "cp1258"),
    "tcvn3.csv": lambda path: plain(path, "tcvn3"),
    "vni.csv": lambda path: plain(path, "vni"),
    "viscii.csv": lambda path: plain(path, "viscii"),
    "old font.xlsx": old_font,
    "calc.ods": ods,
    "titles above.csv": lambda path: plain(path, above=(["PHIẾU KHẢO SÁT"], [], ["Đợt 2", "", "", "", "2026"])),
    "two rows.xlsx": two_rows,
}


@pytest.fixture
def survey_of(make_study):
    """The survey of a second wave that a writer has put into raw/<name>."""

    def check(name, write, more=""):
        study = STUDY.replace('"raw/sau.csv"', f'"raw/{name}"' + more)
        folder = make_study("folder", study=study, sau=None)
        titles = write(folder / "raw" / name)
        lines = ["variable;column;type;scale;minimum;maximum;label_vi;label_en;reverse;missing"]
        types = ("identifier", *["key"] * 3, "date", "number", "scale", "scale", "multiple")
        scales = (*[""] * 6, "hoa_nha", "hoa_nha", "nguon")
        apart = name.endswith((".sav", ".dta"))
        for (variable, title), kind, scale in zip(titles.items(), types, scales, strict=True):
            if apart and kind == "multiple":
                lines += [f"nguon_{code};nguon_{code};scale;chon;;;Nguồn;Source;;" for code in SOURCES]
            else:
                lines.append(f"{variable};{title};{kind};{scale};;;{TITLES[variable]};{variable};;")
        (folder / "codebook.csv").write_text("\n".join(lines), encoding="utf-8")
        spellings = ["scale;code;label_vi;label_en;synonyms;missing"]
        kinds = {98: "refused", 99: "dont_know"}
        letters = {98: "|.r", 99: "|.k"}
        for scale, answers in (("hoa_nha", COURTESY), ("nguon", SOURCES)):
            for code, (label, word) in answers.items():
                more = word + letters.get(code, "") if scale == "hoa_nha" else word
                spellings.append(f"{scale};{code};{label};{word} (en);{more};{kinds.get(code, '')}")
        spellings += ["chon;0;Không chọn;Not chosen;;", "chon;1;Chọn;Chosen;;"]
        (folder / "scales.csv").write_text("\n".join(spellings), encoding="utf-8")
        before = [[*line[:4], "05/01/2026", *line[5:]] for line in rows()]
        head = [titles[name] for name in TITLES]
        if apart:
            head = head[:8] + [f"nguon_{code}" for code in SOURCES]
            before = [[*line[:4], "05/01/2026", *line[5:]] for line in rows(columns=(0, 1))]
        (folder / "raw/truoc.csv").write_bytes(csv_bytes([head, *before]))
        return ek.check(folder)[1]

    return check


def content(survey):
    """What the answers are, whichever line of the file they stand in."""
    place = {row: at for at, row in enumerate(survey.responses["row_id"])}
    responses = survey.responses.drop(columns="row_id")
    missing = survey.missing.assign(row_id=survey.missing["row_id"].map(place))
    return responses, missing, survey.flow, survey.log


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_survey(survey_of, name):
    expected = content(survey_of("plain.csv", plain))
    for found, wanted in zip(content(survey_of(name, FORMATS[name])), expected, strict=True):
        pd.testing.assert_frame_equal(found, wanted)


def test_the_plain_survey_is_what_was_answered(survey_of):
    """The guard for the test above: the answers are those of FORMS, in both waves."""
    responses, missing, flow, _ = content(survey_of("plain.csv", plain))
    assert responses["q1"].tolist() == [3, 2, 3, 3, 1, 2] * 2 and responses["tuoi"].isna().sum() == 2
    assert responses[["nguon_1", "nguon_2", "nguon_3"]].sum().tolist() == [6, 6, 4]
    assert missing["kind"].value_counts().to_dict() == {"blank": 10, "dont_know": 2, "refused": 2}
    assert responses["unit"].tolist() == ["TD", "TD", "007", "007", "DC", "DC"] * 2
    assert flow["valid"].sum() == 12


def repeats(path, last=6, twice=False):
    """A KoboToolbox export whose forms are households and whose repeat group are their members, on a second sheet."""
    at = list(NAMES).index("tuoi")
    lines = rows("name", " ", "%Y-%m-%d")
    forms = [[*line[:at], number, number] for number, line in enumerate(lines, 1)]
    people = [["nhóm", *line[at:], "khao_sat", number, number] for number, line in enumerate(lines, 1)]
    people[-1][-1] = last
    form_head = [*(f"phan_a/{name}" for name in [*NAMES][:at]), "_id", "_index"]
    member_head = ["lap", *(f"thanh_vien/{name}" for name in [*NAMES][at:]), "_parent_table_name", "_index"]
    member_head.append("_parent_index")
    workbook(
        path,
        ("khao_sat", [form_head, *forms, *([forms[-1]] if twice else [])]),
        ("thanh_vien", [member_head, *people]),
        ("ghi_chu", [["ghi chú"], ["không có"]]),
    )
    return NAMES


MEMBERS = '\nsheet = "thanh_vien"'


def test_the_rows_of_a_repeat_group_have_the_columns_of_their_form(survey_of):
    def write(path):
        repeats(path)
        book = openpyxl.load_workbook(path)
        book["thanh_vien"].delete_cols(1)
        book.save(path)
        return NAMES

    for found, wanted in zip(
        content(survey_of("kobo.xlsx", write, MEMBERS)), content(survey_of("plain.csv", plain)), strict=True
    ):
        pd.testing.assert_frame_equal(found, wanted)


@pytest.mark.parametrize("change", [{"last": 9}, {"twice": True}])
def test_a_row_of_a_repeat_group_without_its_form_is_named(survey_of, change):
    with pytest.raises(ek.DataError) as error:
        survey_of("kobo.xlsx", lambda path: repeats(path, **change), MEMBERS)
    number = change.get("last", 6)
    assert error.value.message("en") == (
        f'raw/kobo.xlsx, sheet "thanh_vien", line 7, "_parent_index": this row belongs to form number "{number}", '
        'but the sheet "khao_sat" does not have exactly one row with that number in the column _index; export the '
        "file from KoboToolbox again, without deleting or joining rows."
    )


def test_repeat_groups_that_are_not_read_are_named(make_study, tmp_path):
    codebook = ek.open_study(make_study()).codebook
    repeats(tmp_path / "kobo.xlsx")
    book = openpyxl.load_workbook(tmp_path / "kobo.xlsx")
    for at, title in enumerate(
        ["Họ tên", "Mã hộ", "Đơn vị", "Ấp", "Ngày", "_id", "_index", "Tuổi", "Câu 1", "Câu 2"]
    ):
        book["khao_sat"].cell(1, at + 1, title)
    book.save(tmp_path / "kobo.xlsx")
    for sheet in (None, "khao_sat"):
        _, notices = ek.read_responses(tmp_path / "kobo.xlsx", codebook, sheet=sheet)
        assert [n.values["found"] for n in notices if n.key == "repeat_sheets"] == ["thanh_vien"]


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not installed")
@pytest.mark.parametrize(
    "kind",
    [
        "ods",
        "xls",
        "xlsx",
        "csv",
    ],
)
def test_what_libreoffice_saves_gives_the_same_survey(survey_of, tmp_path, kind):
    def write(path):
        workbook(tmp_path / "given.xlsx", ("Trang 1", [[*TITLES.values()], *rows(style=None)]))
        out = ["--convert-to", kind + (":Text - txt - csv (StarCalc):44,34,76,1" if kind == "csv" else "")]
        where = ["--outdir", str(path.parent), str(tmp_path / "given.xlsx")]
        profile = f"-env:UserInstallation=file://{tmp_path}/profile"
        subprocess.run(["soffice", "--headless", profile, *out, *where], check=True, capture_output=True)
        return TITLES

    for found, wanted in zip(
        content(survey_of(f"given.{kind}", write)), content(survey_of("plain.csv", plain)), strict=True
    ):
        pd.testing.assert_frame_equal(found, wanted)
