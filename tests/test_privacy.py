"""Privacy: personal data are found by name and by content, counted, and never shown."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from evalkit.errors import DataError
from evalkit.privacy import KINDS, check_columns, search

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"


def kinds(*cells, title="Ghi chú"):
    return {finding.kind for finding in search({title: cells})}


# Invented numbers and names.
@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("gọi lại chị Lan 0900000001", {"name", "phone"}),
        ("anh Nguyễn Văn A", {"name"}),
        ("NGUYỄN VĂN KHÔNG THẬT", {"name"}),
        ("Lê Thị Ví Dụ", {"name"}),
        ("Tran Van Thu noi cham", {"name"}),
        ("Huỳnh Mẫu", {"name"}),
        ("nhà bà Tư cuối ấp", {"name"}),
        ("+84 900 000 001", {"phone"}),
        ("84900000001", {"phone"}),
        ("0900.000.001 (Zalo)", {"phone"}),
        ("024 3800 0000", {"phone"}),
        ("số CCCD 001099000001", {"identity"}),
        ("CMND: 012345678", {"identity"}),
        ("thu.nghiem@example.vn", {"email"}),
        ("số nhà 12, ấp 3", {"address"}),
        ("12/3 đường Trần Phú", {"address"}),
        ("45 Nguyễn Huệ", {"address"}),
        ("12 Main Street", {"address"}),
        ("sinh ngày 12/03/1975", {"birth_date"}),
        ("10.0333 105.7833 0 0", {"gps"}),
        ("10.03330, 105.78330", {"gps"}),
        ("collect:aBcDeFgH12345678", {"device"}),
        ("356938035643809", {"device"}),
        ("1699999999999.jpg", {"media"}),
        ("ghi_am_01.m4a", {"media"}),
        ("https://example.org/attachment/original?file=1", {"media"}),
    ],
)
def test_found_by_content(cell, expected):
    assert kinds("tốt", cell) == expected


@pytest.mark.parametrize(
    "cell",
    [
        "Hài lòng", "Rất hài lòng", "Hồ sơ đầy đủ", "Hồ Sơ Đầy Đủ", "HỒ SƠ ĐẦY ĐỦ", "Cao", "Cao đẳng", "Lý do khác",
        "đường Trần Phú ngập", "xã Lê Minh Xuân", "Phường Nguyễn Thái Bình", "trường Phan Bội Châu", "Mai sau",
        "ông bà",
        "Ông Bà", "cô giáo", "anh em trong ấp", "Ấp 2", "thôn 3 xã Tân Lập", "Kim ngạch", "Thái độ", "Lê Lợi",
        "Dương tính",
        "120000000", "1.200.000", "0.8912345678", "162.037037", "2023-04-10T12:35:34.812+03:00", "02/01/2020", "P001",
        "05/01/2026 08:30:12", "3d2f0900000001ab", "12 tháng", "15 phút", "10.5 20.25", "www.xa.gov.vn",
        "trang web @xa",
        "42.6769900000000", "1699999999999", "Không", "", "Bà Rịa", "Hoàng hôn", "Do cán bộ", "Ho Chi", "Van Mai",
    ],
)  # fmt: skip
def test_plain_answers_are_not_taken_for_persons(cell):
    assert kinds(*["tốt", cell]) == set()


@pytest.mark.parametrize(
    ("title", "kind"),
    [
        ("Họ và tên", "name"), ("HỌ TÊN NGƯỜI TRẢ LỜI", "name"), ("ho_ten", "name"), ("Tên chủ hộ", "name"),
        ("Điều tra viên", "name"), ("full_name", "name"), ("respondentName", "name"), ("Điện thoại", "phone"),
        ("SĐT", "phone"),
        ("so_dien_thoai", "phone"), ("Phone number", "phone"), ("Số CMND/CCCD", "identity"), ("can_cuoc", "identity"),
        ("Email", "email"), ("Thư điện tử", "email"), ("Địa chỉ", "address"), ("so nha", "address"), ("Chỗ ở",
        "address"),
        ("Ngày sinh", "birth_date"), ("Ngày tháng năm sinh", "birth_date"), ("DOB", "birth_date"),
        ("_gps_latitude", "gps"), ("_nha_longitude", "gps"), ("Tọa độ nhà", "gps"), ("Vĩ độ", "gps"),
        ("deviceid", "device"),
        ("imei", "device"), ("simserial", "device"), ("audit", "media"), ("photo_URL", "media"), ("Chữ ký", "media"),
        ("username", "username"), ("_submitted_by", "username"),
    ],
)  # fmt: skip
def test_found_by_name(title, kind):
    (finding,) = search({title: ["x", "y", ""]})
    assert (finding.kind, finding.by, finding.count) == (kind, "name", 2)


@pytest.mark.parametrize(
    "title",
    ["Đơn vị do xã quản lý", "Tên xã", "Năm sinh", "Tuổi", "Trình độ", "q2_03 image", "Ông/bà có điện thoại không?",
     "Mức độ hài lòng về đường dây điện thoại của xã", "Đã đến bộ phận một cửa", "interview_type",
     "phone_service_rating", "Câu 1"],
)  # fmt: skip
def test_titles_that_only_sound_alike(title):
    assert search({title: ["x"]}) == []


def test_cells_are_counted_with_their_repetitions_and_names_are_found_in_decomposed_text():
    (finding,) = search({"Ghi chú": ["Nguye\u0302\u0303n Va\u0306n A"] * 3 + ["tốt", "0"]})
    assert (finding.kind, finding.count, finding.by) == ("name", 3, "content")


def test_dates_far_apart_are_births_and_those_of_interviews_are_not():
    births = [f"{day:02d}/03/{year}" for day, year in zip(range(1, 21), range(1950, 2010, 3), strict=True)]
    assert search({"Ngày": births})[0].kind == "birth_date"
    assert search({"Ngày": [f"{day:02d}/03/2020" for day in range(1, 21)]}) == []


@dataclass(frozen=True)
class Declared:
    column: str
    type: str


NOTE, NUMBER = "0900000001", "001099000001"


@pytest.mark.parametrize(
    ("type_", "title", "cells", "expected"),
    [
        ("text", "Ghi chú", [NOTE, "x"], ["phone"]),
        ("identifier", "Ghi chú", [NOTE], []),
        ("ignore", "Ghi chú", [NOTE], []),
        ("key", "Mã hộ", [NOTE, NUMBER], []),
        ("key", "Tổ", ["số nhà 12"], ["address"]),
        ("scale", "Câu 1", [NOTE], []),
        ("number", "Thu nhập", [NUMBER], []),
        ("number", "Điện thoại", [NOTE], ["phone"]),
        ("date", "Ngày", ["01/02/1950", "01/02/1970", "01/02/1990"], ["birth_date"]),
    ],
)
def test_notices_by_type(type_, title, cells, expected):
    raw = {"truoc": pd.DataFrame({"v": pd.Categorical(cells)})}
    notices = check_columns(raw, {"v": Declared(title, type_)}, {"truoc": "raw/x.csv"})
    assert [notice.key.startswith("personal_by_") for notice in notices] == [True] * len(expected)
    shown = DataError(notices).message("en") + DataError(notices).message("vi")
    assert all(cell not in shown for cell in cells if len(cell) > 1)


def test_the_notice_names_file_column_and_count():
    raw = {"truoc": pd.DataFrame({"v": [NOTE] * 12 + ["x"], "unknown": ["a@b.vn"] * 13})}
    first, second = check_columns(raw, {"v": Declared("Ghi chú", "text")}, {"truoc": "raw/x.csv"})
    assert first.message("en") == (
        'raw/x.csv, "Ghi chú": 12 cells look like phone numbers; if they are, declare type = identifier '
        "(dropped before coding) or ignore in codebook.csv."
    )
    assert "«Ghi chú»: 12 ô trông như số điện thoại" in first.message("vi")
    assert second.column == "unknown" and "13 cells look like e-mail addresses" in second.message("en")


def test_every_kind_has_its_words():
    for kind in KINDS:
        raw = {"w": pd.DataFrame({"v": ["x"]})}
        titles = {"name": "Họ tên", "phone": "SĐT", "identity": "CCCD", "email": "Email", "address": "Địa chỉ"}
        titles |= {
            "birth_date": "Ngày sinh",
            "gps": "GPS",
            "device": "IMEI",
            "media": "audit",
            "username": "username",
        }
        (notice,) = check_columns(raw, {"v": Declared(titles[kind], "text")}, {"w": "x.csv"})
        assert "{" not in notice.message("vi") + notice.message("en")


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data are not here")
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("kcmo_resident_survey/kcmo_mar_2022_safe_nozip.csv", set()),
        ("bayesvl_vietnam/1042data.csv", set()),
        ("durham_2022/durham_2022_noloc.csv", set()),
        ("utilityr_kobo/raw.csv", {"interviewer"}),
        ("papi_pci_vietnam/papi.csv", set()),
        ("municipal_cases/BPIC15_1_cases.csv", set()),
        ("packages/survey_nhanes.csv", set()),
    ],
)
def test_files_without_persons_raise_no_alarm(file, expected):
    frame = pd.read_csv(SHARED / file, dtype=str, keep_default_na=False)
    assert {finding.column for finding in search({name: frame[name] for name in frame})} == expected


def test_the_invented_persons_of_nga_bay_are_found():
    file = Path(__file__).resolve().parents[1] / "data/nga-bay/raw/khao_sat_truoc.csv"
    frame = pd.read_csv(file, dtype=str, keep_default_na=False, sep=";")
    found = search({str(at): frame.iloc[:, at] for at in range(frame.shape[1])})
    assert [(one.column, one.kind, one.count) for one in found] == [("1", "name", 1083), ("2", "phone", 1083)]
