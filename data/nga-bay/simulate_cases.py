"""Writes the simulated one-stop case records of this pilot: cases/, and the truth behind them.

Run as `python data/nga-bay/simulate_cases.py [output folder]`; without a folder it writes beside itself. The
pilot raises the chance of a result in time, by EFFECT on the logit scale, from the launch on in its two units.
"""

import csv
import io
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from openpyxl import Workbook

from evalkit.cases import REPORT_COLUMNS
from evalkit.spreadsheets import save_workbook

HERE = Path(__file__).parent
SEED = 20200201
START, LAUNCH, CUT = date(2018, 2, 1), date(2020, 2, 1), date(2021, 1, 31)
UNITS = {
    "HL": "xã Hiệp Lợi", "NB": "phường Ngã Bảy", "A": "xã đối chứng A", "B": "xã đối chứng B", "C": "xã đối chứng C",
    "D": "xã đối chứng D", "E": "xã đối chứng E", "F": "xã đối chứng F",
}  # fmt: skip
PILOTS = ("HL", "NB")
BASELINE = {"HL": 1.35, "NB": 1.60, "A": 1.30, "B": 1.55, "C": 1.45, "D": 1.75, "E": 1.40, "F": 1.50}
TREND, EFFECT, SEASON, UNIT_MONTH_SD = 0.004, 0.75, 0.15, 0.15
CASES_A_MONTH = 30
# Field, working title of its procedure, code, and the days allowed; None: no date is promised.
FIELDS = (
    ("Chứng thực", "Chứng thực bản sao", "MP.0001", 1),
    ("Hộ tịch", "Đăng ký khai sinh", "MP.0002", 3),
    ("Bảo trợ xã hội", "Xác nhận đối tượng bảo trợ", "MP.0003", 10),
    ("Đất đai", "Hòa giải tranh chấp đất đai", "MP.0004", 30),
    ("Người có công", "Xác nhận hồ sơ người có công", "MP.0005", None),
)
WEIGHTS = (0.42, 0.30, 0.15, 0.08, 0.05)
WORDS = {"released": "Đã có kết quả", "finished": "Đã trả", "processing": "Đang giải quyết", "waiting": "Chờ bổ sung",
         "unresolved": "Từ chối giải quyết", "denied": "Từ chối tiếp nhận", "cancelled": "Công dân rút"}  # fmt: skip
MARK = "DỮ LIỆU MÔ PHỎNG"


def simulate_cases(seed: int | list[int] = SEED) -> list[dict]:
    """All cases, one dict each, in the order of their receipt."""
    rng = np.random.default_rng(seed)
    months = [(year, month) for year in (2018, 2019, 2020, 2021) for month in range(1, 13)]
    months = [(year, month) for year, month in months if START <= date(year, month, 1) <= CUT]
    cases = []
    for at, (year, month) in enumerate(months):
        first = date(year, month, 1)
        length = ((first + timedelta(days=32)).replace(day=1) - first).days
        for unit in UNITS:
            eta = BASELINE[unit] + TREND * at + SEASON * np.sin(2 * np.pi * month / 12)
            eta += EFFECT * (unit in PILOTS and first >= LAUNCH) + rng.normal(0, UNIT_MONTH_SD)
            for _ in range(rng.poisson(CASES_A_MONTH)):
                received = first + timedelta(days=int(rng.integers(length)))
                field = int(rng.choice(len(FIELDS), p=WEIGHTS))
                cases.append(one_case(rng, unit, received, field, 1 / (1 + np.exp(-eta))))
    cases.sort(key=lambda case: (case["received"], case["unit"]))
    for number, case in enumerate(cases, start=1):
        case["number"] = f"MP-{case['received']:%y%m%d}-{number:05d}"
    return cases


def one_case(rng: np.random.Generator, unit: str, received: date, field: int, in_time: float) -> dict:
    """A case as it stands at the data cut."""
    days = FIELDS[field][3]
    due = received + timedelta(days=days) if days else None
    allowed = days or 12
    took = rng.integers(allowed // 2, allowed + 1) if rng.random() < in_time else allowed + rng.geometric(0.12)
    extended = None
    if due and took > allowed and rng.random() < 0.1:
        extended = received + timedelta(days=int(took + 1))
    released = received + timedelta(days=int(took))
    finished = released + timedelta(days=int(rng.geometric(0.5) - 1))
    case = {"unit": unit, "field": field, "received": received, "due": due, "extended": extended,
            "released": released, "finished": finished, "status": "finished"}  # fmt: skip
    fate = rng.random()
    if fate < 0.02:
        case |= {"status": "denied" if fate < 0.01 else "cancelled", "released": None, "finished": None}
    elif released > CUT:
        case |= {"status": "waiting" if fate < 0.1 else "processing", "released": None, "finished": None}
    elif finished > CUT:
        case |= {"status": "released", "finished": None}
    elif fate < 0.03:
        case["status"] = "unresolved"
    return case


def write_opencps(cases: list[dict], path: Path) -> None:
    """The comparison units, as OpenCPS exports them: English titles, dates year first, some with a clock time."""
    titles = ("dossierNo", "govAgencyName", "domainName", "serviceName", "receiveDate", "dueDate", "extendDate",
              "releaseDate", "finishDate", "dossierStatus")  # fmt: skip
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(titles)
    for case in cases:
        field, procedure, _, _ = FIELDS[case["field"]]
        days = [case[name] for name in ("received", "due", "extended", "released", "finished")]
        stamps = [f"{day} 07:{at}0:00" if day and at in (1, 2) else day or "" for at, day in enumerate(days, start=1)]
        writer.writerow([case["number"], UNITS[case["unit"]], field, procedure, *stamps, case["status"]])
    path.write_text(file.getvalue(), encoding="utf-8", newline="\n")


def write_own(cases: list[dict], path: Path) -> None:
    """The pilot units, in a workbook with a title, a two-row header, a row of column numbers and one of totals."""
    book = Workbook()
    sheet = book.active
    sheet.title = "Theo dõi"
    sheet.append([f"SỔ THEO DÕI HỒ SƠ ({MARK})"])
    sheet.append(["STT", "Mã hồ sơ", "Đơn vị", "Lĩnh vực", "Thủ tục", "Thời gian", "", "", "", "", "Tình trạng"])
    sheet.append(["", "", "", "", "", "Ngày nhận", "Ngày hẹn trả", "Hẹn lại", "Ngày có kết quả", "Ngày trả", ""])
    sheet.merge_cells("F2:J2")
    for letter in "ABCDEK":
        sheet.merge_cells(f"{letter}2:{letter}3")
    sheet.append([f"({at})" for at in range(1, 12)])
    for at, case in enumerate(cases, start=1):
        field, procedure, _, _ = FIELDS[case["field"]]
        names = ("received", "due", "extended", "released", "finished")
        days = [f"{case[name]:%d/%m/%Y}" if case[name] else "" for name in names]
        unit = UNITS[case["unit"]] if case["received"] < LAUNCH or case["unit"] == "NB" else "P. Hiệp Lợi"
        unit = unit.replace("P. ", "phường ")
        sheet.append([at, case["number"], unit, field, procedure, *days, WORDS[case["status"]]])
    sheet.append(["", f"Tổng số: {len(cases)} hồ sơ"])
    save_workbook(book, path)


def write_report(cases: list[dict], path: Path) -> None:
    """The report of one month, 24 columns under a header of five rows, by field, as the system prints it."""
    start, end = date(2020, 12, 1), date(2020, 12, 31)
    book = Workbook()
    sheet = book.active
    sheet.title = "BaoCao"
    sheet.append([f"TÌNH HÌNH GIẢI QUYẾT HỒ SƠ THÁNG 12/2020 ({MARK})"])
    header = [[""] * 24 for _ in range(5)]
    tops = {0: "Đơn vị/Lĩnh vực", 1: "Tổng số", 2: "Từ chối tiếp nhận trong kỳ", 3: "Hồ sơ rút không giải quyết",
            4: "Nhận giải quyết", 9: "Hồ sơ đã có kết quả", 18: "Đang giải quyết",
            22: "Tạm dừng bổ sung điều kiện", 23: "% trước và đúng hạn"}  # fmt: skip
    below = {4: "Tổng số", 5: "Tồn trước", 6: "Nhận trong kỳ", 9: "Tổng số", 10: "Trước hạn", 11: "Đúng hạn",
             12: "Quá hạn", 15: "Đã trả", 16: "Chưa trả", 17: "Từ chối giải quyết", 18: "Tổng số", 19: "Còn hạn",
             20: "Quá hạn", 21: "Đang xử lý ngoài đơn vị"}  # fmt: skip
    last = {6: "Tổng số", 7: "Một cửa", 8: "Trực tuyến", 12: "Tổng số", 13: "Trong đơn vị", 14: "Ngoài đơn vị"}
    for row, words in ((0, tops), (2, below), (4, last)):
        for at, word in words.items():
            header[row][at] = word
    for row in header:
        sheet.append(row)
    for area in ("E2:I3", "J2:R3", "S2:V3", "G4:I5", "M4:O5"):
        sheet.merge_cells(area)
    sheet.append([f"({at})" for at in range(1, 25)])
    rows = [report_row(FIELDS[at][0], [case for case in cases if case["field"] == at], start, end) for at in range(5)]
    total = ["Tổng số", *(sum(column) for column in list(zip(*rows, strict=True))[1:-1])]
    total.append(percent(dict(zip(REPORT_COLUMNS, total, strict=False))))
    for row in [*rows, total]:
        sheet.append(row)
    save_workbook(book, path)


def report_row(name: str, cases: list[dict], start: date, end: date) -> list:
    """The 24 columns of a field."""
    n = dict.fromkeys(REPORT_COLUMNS, 0)
    for case in cases:
        received, released, due = case["received"], case["released"], case["extended"] or case["due"]
        if received > end:
            continue
        if case["status"] in ("denied", "cancelled"):
            n["refused" if case["status"] == "denied" else "withdrawn"] += received >= start
        elif not released or released >= start:
            n["carried" if received < start else "received"] += 1
            if released and released <= end:
                n["released"] += 1
                n["handed_over" if case["finished"] and case["finished"] <= end else "not_handed_over"] += 1
                if case["status"] == "unresolved":
                    n["unresolved"] += 1
                else:
                    n["early" if not due or released < due else "on_time" if released == due else "late"] += 1
            else:
                n["open"] += 1
                n["open_late" if due and due < end else "open_in_time"] += 1
    n["received_counter"], n["late_inside"] = n["received"], n["late"]
    n["to_process"] = n["carried"] + n["received"]
    n["total"] = n["to_process"] + n["refused"] + n["withdrawn"]
    return [name, *list(n.values())[1:-1], percent(n)]


def percent(n: dict) -> int:
    """As OpenCPS reckons it: whole percent, cut off."""
    return 100 * (n["early"] + n["on_time"]) // n["released"] if n["released"] else 0


def write_checklist(path: Path) -> None:
    """Procedures reviewed, and posted at the counter, before and after."""
    rng = np.random.default_rng(SEED + 1)
    lines = ["unit,procedure,period,reviewed,posted"]
    for unit in UNITS:
        for at in range(1, 21):
            for period, share in (("before", 0.55), ("after", 0.95 if unit in PILOTS else 0.6)):
                reviewed = int(rng.random() < share)
                lines.append(f"{unit},MP.{at:04d},{period},{reviewed},{int(reviewed and rng.random() < 0.9)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def write_truth(path: Path) -> None:
    """The effect, and what it comes to in percentage points of results in time in December 2019 + the trend."""
    lines = [f"# {MARK}: the truth behind the case records, written by simulate_cases.py.", f"seed = {SEED}"]
    lines += [
        f"effect_logit = {EFFECT}",
        f"launch = {LAUNCH}",
        "[percentage_points]  # at the launch, of solved cases",
    ]
    for unit in PILOTS:
        eta = BASELINE[unit] + TREND * 24
        chance = [100 / (1 + np.exp(-x)) for x in (eta, eta + EFFECT)]
        lines.append(f"{unit} = {chance[1] - chance[0]:.2f}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def main(folder: Path, seed: int | list[int] = SEED) -> None:
    """Write cases/ under the folder; `seed` draws the cases, and no other file."""
    target = folder / "cases"
    target.mkdir(parents=True, exist_ok=True)
    cases = simulate_cases(seed)
    write_opencps([case for case in cases if case["unit"] not in PILOTS], target / "opencps_doi_chung.csv")
    write_own([case for case in cases if case["unit"] in PILOTS], target / "so_theo_doi_thi_diem.xlsx")
    write_report(cases, target / "bao_cao_2020_12.xlsx")
    write_checklist(target / "thu_tuc.csv")
    write_truth(target / "truth.toml")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
