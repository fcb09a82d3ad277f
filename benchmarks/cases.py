"""One-stop case records from csv to monthly series.

    .venv/bin/python benchmarks/cases.py [--rows N] [--runs N]

A csv file of cases (dates with and without a clock time, generated with a seed in a temporary folder) is read by
`cases.read_cases` with all its checks and counted by month, unit and field by `case_series.series`; medians of
seconds. The file is in the system's cache.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import evalkit as ek
from evalkit import case_series
from evalkit.cases import read_cases

ROOT = Path(__file__).resolve().parent.parent
DECLARED = """
data_start = 2018-02-01
data_cut = 2021-01-31
launch = 2020-02-01
definition = "C"
[[sources]]
file = "cases.csv"
layout = "opencps"
"""


def write_cases(path: Path, rows: int, units: list[str]) -> None:
    """A header and rows; a tenth of the cases is late, a hundredth open."""
    rng = np.random.default_rng(1)
    received = np.datetime64("2018-02-01") + rng.integers(0, 1060, rows)
    due = received + 5
    released = received + np.where(rng.random(rows) < 0.9, rng.integers(0, 6, rows), rng.integers(6, 35, rows))
    is_open = rng.random(rows) < 0.01
    stamp = pd.Series(received.astype(str)) + pd.Series(rng.integers(7, 17, rows).astype(str)).radd(" ") + ":30:00"
    frame = pd.DataFrame(
        {
            "dossierNo": [f"MP-{at:08d}" for at in range(rows)],
            "govAgencyName": rng.choice(units, rows),
            "domainName": rng.choice(["Hộ tịch", "Chứng thực", "Đất đai", "Bảo trợ xã hội"], rows),
            "receiveDate": stamp,
            "dueDate": due.astype(str),
            "releaseDate": np.where(is_open, "", released.astype(str)),
            "dossierStatus": np.where(is_open, "processing", "released"),
        }
    )
    frame.to_csv(path, index=False)


def main() -> None:
    """Print the seconds of both steps."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    study = ek.open_study(ROOT / "data/nga-bay")
    with tempfile.TemporaryDirectory() as folder:
        write_cases(Path(folder) / "cases.csv", options.rows, [unit.names[0].vi for unit in study.declared.units])
        (Path(folder) / "cases.toml").write_text(DECLARED, encoding="utf-8")
        moved = type(study)(Path(folder), study.declared, study.codebook, study.index, study.corrections)
        reading, counting = [], []
        for _ in range(options.runs):
            start = time.perf_counter()
            cases = read_cases(moved)
            between = time.perf_counter()
            counts = case_series.series(cases, by=("unit", "field"))
            reading.append(between - start)
            counting.append(time.perf_counter() - between)
        assert counts["received"].sum() == len(cases.frame) == options.rows
    print(f"{options.rows:,} cases, medians of {options.runs} runs")
    print(f"{'read':>8} {statistics.median(reading):6.2f} s")
    print(f"{'count':>8} {statistics.median(counting):6.2f} s")
    print(f"{'both':>8} {statistics.median(np.add(reading, counting)):6.2f} s")


main()
