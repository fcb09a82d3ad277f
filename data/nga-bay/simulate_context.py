"""DỮ LIỆU MÔ PHỎNG: điểm tự chấm và điểm thẩm định của tám đơn vị. Simulated self-scored and appraised points."""

import csv
from pathlib import Path

import numpy as np

SEED = 20201218
UNITS = ("HL", "NB", "A", "B", "C", "D", "E", "F")
MAXIMA = {"c21": 20, "c22": 25, "c23": 20, "c24": 15, "c25": 20}
NO_EVIDENCE = {("C", 2019, "c24"), ("E", 2020, "c23")}
REASONS = ("MÔ PHỎNG: minh chứng chưa đầy đủ", "MÔ PHỎNG: thời điểm minh chứng ngoài năm đánh giá")


def rows() -> list[list[str]]:
    """One row a unit, year and criterion: points in halves, the appraisal at most a little higher."""
    rng = np.random.default_rng(SEED)
    found = []
    for unit in UNITS:
        for year in (2019, 2020):
            for criterion, maximum in MAXIMA.items():
                own = round(2 * maximum * rng.uniform(0.78, 0.98)) / 2
                lower = float(rng.choice([0, 0, 0.5, 1, 1.5]))
                reason = str(rng.choice(REASONS)) if lower else ""
                proof = "không" if (unit, year, criterion) in NO_EVIDENCE else "có"
                found.append([unit, str(year), criterion, f"{own:g}", f"{own - lower:g}", proof, reason])
    return found


def main() -> None:
    """Write context/tu_cham_diem.csv beside this file."""
    path = Path(__file__).parent / "context/tu_cham_diem.csv"
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["unit", "year", "criterion", "self_points", "appraised_points", "evidence", "reason"])
        writer.writerows(rows())


if __name__ == "__main__":
    main()
