"""Near-copies in a large survey: every form compared with every other one.

    .venv/bin/python benchmarks/screening.py

Generated answers 1–5 to 40 questions, 5 % missing, two waves, 40 interviewers. Each size runs in its own process,
so that its peak memory is its own; the floor is the process with the answers and without the comparison.
"""

import resource
import subprocess
import sys
import time

import numpy as np

from evalkit.resemblance import nearest, within_agreement

ITEMS = 40


def child(rows: int) -> None:
    """Print seconds of both comparisons, and memory before and after in MB."""
    rng = np.random.default_rng(1)
    codes = rng.integers(1, 6, (rows, ITEMS)).astype(float)
    codes[rng.random(codes.shape) < 0.05] = np.nan
    wave, interviewer = rng.integers(0, 2, rows), rng.integers(0, 40, rows)
    floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    nearest(codes, wave, np.full(rows, -1), minimum=20)
    copies = time.perf_counter() - start
    start = time.perf_counter()
    within_agreement(codes, interviewer, np.zeros(rows, dtype=int))
    agreement = time.perf_counter() - start
    print(copies, agreement, floor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Print the table."""
    if len(sys.argv) > 1:
        child(int(sys.argv[1]))
        return
    print(f"{'rows':>7} {'near-copies s':>14} {'agreement s':>12} {'peak MB':>8} {'floor MB':>9}")
    for rows in (2_000, 20_000):
        run = subprocess.run(
            [sys.executable, __file__, str(rows)], stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
        )
        copies, agreement, floor, peak = map(float, run.stdout.split())
        print(f"{rows:7,} {copies:14.2f} {agreement:12.2f} {peak:8.0f} {floor:9.0f}")


main()
