"""Writes the simulated registers of reception, dialogue and petitions of this pilot, and the truth behind them.

Run as `python data/nga-bay/simulate_registers.py [output folder]`; without a folder it writes beside itself. In every
unit an item is resolved by its day with a chance of its own; the pilot adds an effect to it from the launch on.
Dialogues are held every quarter, in the pilot units every month from the launch on: GP03 of workshop/giai_phap.csv.
"""

import csv
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np

START, LAUNCH, CUT = date(2018, 2, 1), date(2020, 2, 1), date(2020, 12, 31)
SEED = 20200201
UNITS = {
    "HL": ("xã Hiệp Lợi", 0.66, True),
    "NB": ("phường Ngã Bảy", 0.72, True),
    "A": ("xã đối chứng A", 0.64, False),
    "B": ("xã đối chứng B", 0.70, False),
    "C": ("xã đối chứng C", 0.68, False),
    "D": ("xã đối chứng D", 0.74, False),
    "E": ("xã đối chứng E", 0.65, False),
    "F": ("xã đối chứng F", 0.69, False),
}
# Kind → items a month, days until due, what the pilot adds to the chance to be on time, share within competence. The
# days are made up: they are no legal time limits.
KINDS = {
    "Kiến nghị, phản ánh": ("KN", 9.0, 15, 0.18, 0.85),
    "Khiếu nại": ("KH", 0.9, 40, 0.05, 0.80),
    "Tố cáo": ("TC", 0.25, 50, 0.0, 0.70),
}
PROMISES, PROMISE_DAYS, PROMISE_EFFECT = 3.0, 90, 0.15


def main(folder: Path) -> None:
    """Write registers/ and the truth behind it into a folder."""
    rng = np.random.default_rng(SEED)
    months = [date(2018 + (1 + at) // 12, (1 + at) % 12 + 1, 1) for at in range(35)]
    counts, items = [], []
    for name, chance, pilot in UNITS.values():
        for month in months:
            own = spelled(name, month)
            after = pilot and month >= LAUNCH
            summer = 1 + 0.25 * np.sin(2 * np.pi * (month.month - 3) / 12)
            received = rng.poisson(24 * summer * (1.2 if after else 1.0))
            held = int(after or month.month % 3 == 0)
            shown = f"{month.month:02d}/{month.year}"
            counts += [[own, shown, "Tiếp công dân", received], [own, shown, "Đối thoại", held]]
            for kind, (code, rate, days, effect, competent) in KINDS.items():
                for _ in range(rng.poisson(rate * summer)):
                    items.append(item(rng, code, own, kind, month, days, chance + effect * after, competent))
            for _ in range(rng.poisson(PROMISES) if held else 0):
                kept = chance - 0.05 + PROMISE_EFFECT * after
                items.append(item(rng, "CK", own, "Cam kết tại đối thoại", month, PROMISE_DAYS, kept, 1.0))
    items.sort(key=lambda row: row[3])
    numbers: dict[str, int] = {}
    for row in items:
        numbers[row[0]] = numbers.get(row[0], 0) + 1
        row[0] = f"{row[0]}-{numbers[row[0]]:04d}"
        row[3], row[5], row[6] = (f"{day:%d/%m/%Y}" if day else "" for day in (row[3], row[5], row[6]))
    (folder / "registers").mkdir(parents=True, exist_ok=True)
    write(folder / "registers/tiep_dan_doi_thoai.csv", ["Đơn vị", "Tháng", "Loại việc", "Số lượt, số cuộc"], counts)
    header = ["Mã số", "Đơn vị", "Loại việc", "Ngày tiếp nhận", "Thuộc thẩm quyền", "Hạn giải quyết"]
    write(folder / "registers/don_thu_cam_ket.csv", [*header, "Ngày giải quyết xong"], items)
    effects = {code.lower(): effect for code, _, _, effect, _ in KINDS.values()} | {"ck": PROMISE_EFFECT}
    lines = ["# DỮ LIỆU MÔ PHỎNG: what the pilot adds to the chance to be on time, in percentage points."]
    lines += [f"seed = {SEED}", *(f"{code} = {100 * effect:.1f}" for code, effect in effects.items())]
    (folder / "registers/truth.toml").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def spelled(name: str, month: date) -> str:
    """The commune that became a ward on 1/2/2020 changes its name in the registers too."""
    return "phường Hiệp Lợi" if name == "xã Hiệp Lợi" and month >= date(2020, 2, 1) else name


def item(rng, code, unit, kind, month, days, on_time, competent) -> list:
    """One row: in time with the chance `on_time`, else late by up to five times as long as there was."""
    received = month + timedelta(days=int(rng.integers(0, 28)))
    due = received + timedelta(days=days)
    own = rng.random() < competent
    took = rng.integers(1, days + 1) if rng.random() < on_time else days + 1 + int(rng.exponential(days))
    closed = received + timedelta(days=int(took))
    known = own and closed <= CUT
    return [code, unit, kind, received, "có" if own else "không", due if own else None, closed if known else None]


def write(path: Path, header: list[str], rows: list[list]) -> None:
    """A csv file as Excel saves it."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
