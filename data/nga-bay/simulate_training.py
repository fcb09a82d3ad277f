"""Writes the simulated training class of this pilot: registration, attendance, two tests, and the form at the end.

Run as `python data/nga-bay/simulate_training.py [output folder]`; without a folder it writes beside itself. One class
of 45 on three days before the launch, 20 questions before and after. Question c17 was keyed wrongly on purpose; c03
nearly everybody knows before; those who know less before leave more often.
"""

import csv
import io
import sys
from pathlib import Path

import numpy as np
from openpyxl import Workbook

from evalkit.spreadsheets import save_workbook

HERE = Path(__file__).parent
SEED = 20200218
CLASS_SIZE = 45
QUESTIONS = 20
OPTIONS = "ABCD"
UNITS = ["xã Hiệp Lợi", "phường Ngã Bảy", *(f"xã đối chứng {letter}" for letter in "ABCDEF")]
ELSEWHERE = "UBND thị xã"
POSTS = ("Công chức", "Cán bộ", "Người hoạt động không chuyên trách")
LEARNED = 1.1  # what the class adds to what a trainee knows, on the logistic scale of the questions
WRONG_KEY, KNOWN_BEFORE = 16, 2
FAMILY = ("Nguyễn", "Trần", "Lê", "Phạm", "Huỳnh", "Võ", "Đặng")
GIVEN = ("Mẫu", "Thử", "Ví Dụ", "Giả Định", "Mô Phỏng", "Tưởng Tượng", "Không Thật", "Nháp")
SATISFIED = ("Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng")
TITLE = "DANH SÁCH ĐĂNG KÝ LỚP TẬP HUẤN CHÍNH QUYỀN THÂN THIỆN (DỮ LIỆU MÔ PHỎNG)"


def key() -> list[str]:
    """The right answers: A, B, C, D in turn, moved so that no two tests of this example look alike."""
    return [OPTIONS[(3 * number + number // 4) % 4] for number in range(QUESTIONS)]


def declared_key() -> list[str]:
    """The right answers as training.toml declares them: one of them is wrong."""
    found = key()
    found[WRONG_KEY] = OPTIONS[(OPTIONS.index(found[WRONG_KEY]) + 1) % 4]
    return found


def write(folder: Path) -> None:
    """Write the five files into `folder`/training."""
    rng = np.random.default_rng(SEED)
    codes = [f"HV{number:03d}" for number in range(1, CLASS_SIZE + 1)]
    places = [UNITS[number % len(UNITS)] for number in range(40)] + [ELSEWHERE] * (CLASS_SIZE - 40)
    women = rng.random(CLASS_SIZE) < 0.45
    posts = rng.choice(POSTS, CLASS_SIZE, p=(0.55, 0.25, 0.2))
    ability = rng.normal(0, 0.9, CLASS_SIZE)
    hardness = rng.normal(0.1, 0.8, QUESTIONS)
    hardness[KNOWN_BEFORE] = -3.5
    leaves = rng.random(CLASS_SIZE) < 1 / (1 + np.exp(0.9 + 0.9 * ability))
    present = np.ones((CLASS_SIZE, 3), dtype=bool)
    present[leaves, rng.integers(1, 3, leaves.sum())] = False
    present[leaves, 2] = False
    attended = present.sum(axis=1) / 3

    registered = [["Mã học viên", "Họ và tên", "Điện thoại", "Đơn vị công tác", "Giới tính", "Chức danh"]]
    for at, code in enumerate(codes):
        middle = "Thị" if women[at] else "Văn"
        name = f"{FAMILY[at % 7]} {middle} {GIVEN[at % 8]} {at + 1}"
        registered.append([code, name, f"0900 001 {at + 1:03d}", places[at], "Nữ" if women[at] else "Nam", posts[at]])
    book = Workbook()
    sheet = book.active
    sheet.title = "dang_ky"
    for row in ([TITLE], [], *registered):
        sheet.append(row)
    target = folder / "training"
    target.mkdir(parents=True, exist_ok=True)
    save_workbook(book, target / "dang_ky.xlsx")

    marks = [[code, *("x" if here else "v" for here in present[at])] for at, code in enumerate(codes)]
    _write(target / "diem_danh.csv", [["Mã học viên", "Ngày 1", "Ngày 2", "Ngày 3"], *marks])

    titles = ["Mã học viên", *(f"Câu {number}" for number in range(1, QUESTIONS + 1))]
    for name, learned, sat in (("truoc", 0.0, np.ones(CLASS_SIZE, dtype=bool)), ("sau", LEARNED, present[:, 2])):
        logit = (ability + learned * attended)[:, None] - hardness
        knows = rng.random((CLASS_SIZE, QUESTIONS)) < 0.25 + 0.75 / (1 + np.exp(-1.3 * logit))
        slip, empty = rng.integers(1, 4, knows.shape), rng.random(knows.shape) < 0.02
        rows = [
            [
                codes[at],
                *(
                    ""
                    if empty[at, q]
                    else OPTIONS[(OPTIONS.index(key()[q]) + (0 if knows[at, q] else slip[at, q])) % 4]
                    for q in range(QUESTIONS)
                ),
            ]
            for at in np.flatnonzero(sat)
        ]
        _write(target / f"kiem_tra_{name}.csv", [titles, *rows])

    likes = rng.normal(0, 0.6, int(present[:, 2].sum()))
    liking = (1.0, 0.9, 0.5, 0.2, 1.1)
    answers = np.clip(np.round(3.1 + np.array(liking) + likes[:, None] + rng.normal(0, 0.7, (len(likes), 5))), 1, 5)
    forms = [[SATISFIED[int(code) - 1] for code in row] for row in answers]
    order = rng.permutation(len(forms))
    _write(target / "phieu_danh_gia.csv", [[f"Ý {number}" for number in range(1, 6)], *(forms[at] for at in order)])


def _write(path: Path, rows: list[list[str]]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter=";", lineterminator="\r\n").writerows(rows)
    path.write_bytes(b"\xef\xbb\xbf" + stream.getvalue().encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
