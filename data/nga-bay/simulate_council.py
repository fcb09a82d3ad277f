"""Writes the simulated attendance and ballots of the council that accepted the task: DỮ LIỆU MÔ PHỎNG.

Run as `python data/nga-bay/simulate_council.py [output folder]`; without a folder it writes beside itself. Who graded
how is invented; only the rating «Đạt» is that of the published notice. Ballots are secret: they stand in an order
drawn by chance and say nothing of who filled them in.
"""

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SEED = 20210224  # the day of the session
TITLE = "DỮ LIỆU MÔ PHỎNG"

SEATS = (
    "Chủ tịch",
    "Phó Chủ tịch",
    "Ủy viên phản biện 1",
    "Ủy viên phản biện 2",
    "Thư ký khoa học",
    "Ủy viên 1",
    "Ủy viên 2",
    "Ủy viên 3",
    "Ủy viên 4",
)
PRODUCTS = ("P1", "P2", "P3", "P4", "P5")
CRITERIA = ("số lượng", "khối lượng", "chất lượng")
LOW, MIDDLE, HIGH = "Không đạt", "Đạt", "Xuất sắc"
EXCELLENT = 3  # ballots that find everything excellent; too few for the council to


def ballot(generator: np.random.Generator, number: int) -> list[str]:
    """The grades of one ballot, product by product, then report and overall."""
    if number < EXCELLENT:
        return [HIGH] * len(PRODUCTS) * len(CRITERIA) + [MIDDLE, HIGH]
    grades = generator.choice([MIDDLE, HIGH], size=len(PRODUCTS) * len(CRITERIA), p=[0.7, 0.3]).tolist()
    if number == EXCELLENT:
        # The training material has fewer pages than ordered.
        grades[PRODUCTS.index("P2") * len(CRITERIA) + CRITERIA.index("khối lượng")] = LOW
    return [*grades, MIDDLE, MIDDLE]


def write(path: Path, rows: list[list[str]]) -> None:
    """A csv file under the title that says what it is."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[TITLE], *rows])


def main(folder: Path) -> None:
    """Write council/diem_danh.csv and council/phieu.csv into a study folder."""
    generator = np.random.default_rng(SEED)
    (folder / "council").mkdir(parents=True, exist_ok=True)
    write(folder / "council" / "diem_danh.csv", [["Chức danh", "Có mặt"], *([seat, "x"] for seat in SEATS)])
    titles = [f"{product} {criterion}" for product in PRODUCTS for criterion in CRITERIA]
    ballots = [ballot(generator, number) for number in range(len(SEATS))]
    shuffled = [ballots[at] for at in generator.permutation(len(ballots))]
    write(folder / "council" / "phieu.csv", [[*titles, "Báo cáo tổng hợp", "Xếp loại"], *shuffled])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
