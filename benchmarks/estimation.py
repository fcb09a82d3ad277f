"""Domain means of a large survey, side by side with peers in one run.

    .venv/bin/python benchmarks/estimation.py [--svy PYTHON] [--r]

Generated answers: Likert 1–5, 5 % missing, 40 items, 50 units × 2 waves as domains, 1,250 clusters in 50 strata,
weights. Peers run where they are found: `--svy` is a Python that has the package svy (`pip install svy`), `--r` uses
Rscript with the package survey, on 20,000 rows because of the time it takes. The floor is one pass over the data,
`np.nansum(values, 0)`. Medians of five runs, peers once.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit.estimation import domain_means

ITEMS, UNITS, CLUSTERS = 40, 50, 25

SVY = """
import sys, time
import polars as pl, svy
frame = pl.read_csv(sys.argv[1])
items = [name for name in frame.columns if name.startswith("q")]
sample = svy.Sample(frame, svy.Design(stratum="stratum", psu="cluster", wgt="weight"))
start = time.perf_counter()
found = [sample.estimation.mean(item, by="domain", drop_nulls=True) for item in items]
seconds = time.perf_counter() - start
print(seconds)
"""
R = """
suppressMessages(library(survey)); frame <- read.csv(commandArgs(TRUE)[1])
design <- svydesign(id = ~cluster, strata = ~stratum, weights = ~weight, data = frame)
items <- grep("^q", names(frame), value = TRUE)
seconds <- system.time(for (item in items) {
  part <- design[!is.na(frame[[item]]), ]
  svyby(as.formula(paste0("~", item)), ~domain, part, svymean)
})[["elapsed"]]
cat(seconds)
"""


def survey(rows: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Answers (rows, items) and the design columns."""
    rng = np.random.default_rng(1)
    values = rng.integers(1, 6, (rows, ITEMS)).astype(float)
    values[rng.random((rows, ITEMS)) < 0.05] = np.nan
    unit = rng.integers(0, UNITS, rows)
    cluster = unit * CLUSTERS + rng.integers(0, CLUSTERS, rows)
    domain = unit * 2 + rng.integers(0, 2, rows)
    weight = rng.uniform(0.5, 2, rows)
    return values, pd.DataFrame({"stratum": unit, "cluster": cluster, "domain": domain, "weight": weight})


def ours(values: np.ndarray, design: pd.DataFrame) -> None:
    """One call for all items and domains."""
    domain_means(
        values,
        design["domain"].to_numpy(),
        weight=design["weight"].to_numpy(),
        cluster=design["cluster"].to_numpy(),
        stratum=design["stratum"].to_numpy(),
    )


def median(call, runs: int = 5) -> float:
    """Median seconds of several runs, after one that is not counted."""
    seconds = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def peer(interpreter: str, source: str, values: np.ndarray, design: pd.DataFrame) -> float:
    """Seconds that a peer reports for the same data, read from a csv file outside the clock."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.csv"
        frame = pd.concat([design, pd.DataFrame(values).add_prefix("q")], axis=1)
        frame.to_csv(path, index=False)
        script = Path(folder) / "peer"
        script.write_text(source, encoding="utf-8")
        result = subprocess.run([interpreter, str(script), str(path)], stdout=subprocess.PIPE, text=True, check=True)
    return float(result.stdout.split()[-1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--svy", help="a Python with the package svy")
    parser.add_argument("--r", action="store_true", help="time R's survey")
    options = parser.parse_args()
    print(f"{'rows':>9} {'ours s':>8} {'floor s':>8} {'ours/floor':>10} {'peak/input':>10}")
    for rows in (20_000, 200_000, 2_000_000):
        values, design = survey(rows)
        mine = median(lambda values=values, design=design: ours(values, design), 5 if rows < 1e6 else 3)
        floor = median(lambda values=values: np.nansum(values, 0), 5 if rows < 1e6 else 3)
        tracemalloc.start()
        ours(values, design)
        peak = (tracemalloc.get_traced_memory()[1] + values.nbytes) / values.nbytes
        tracemalloc.stop()
        print(f"{rows:9,} {mine:8.3f} {floor:8.3f} {mine / floor:10.1f} {peak:10.2f}")
        if options.r and rows == 20_000:
            seconds = peer("Rscript", R, values, design)
            print(f"          R survey, {rows:,} rows: {seconds:.1f} s, {seconds / mine:.0f} × ours")
        if options.svy and rows == 200_000:
            seconds = peer(options.svy, SVY, values, design)
            print(f"          svy, {rows:,} rows: {seconds:.1f} s, {seconds / mine:.0f} × ours")


main()
