"""Reading and coding a large survey, side by side with pandas in the same run.

    .venv/bin/python benchmarks/reading.py [--rows N] [--runs N]

Reading: a csv file of 40 Vietnamese label columns, generated with a seed in a temporary folder (1,000,000 rows:
0.7 GB), by `read_text` and by `pandas.read_csv(engine="pyarrow")`, in turns; medians, and their ratio. Peak memory is
that of a process that reads the file once and does nothing else. The file is in the system's cache for both.

Coding: as many rows of labels to codes by `ek.clean`, with mapping, missing kinds, log and all its checks, beside the
bare `Series.map(dict)` of the same columns. Memory as tracemalloc counts it, numpy's arrays included.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

import evalkit as ek
from evalkit.grid import Raw
from evalkit.study import Study

ITEMS, ROWS_AT_ONCE = 40, 10_000
LABELS = [
    "Rất hài lòng",
    "Hài lòng",
    "Bình thường",
    "Không hài lòng",
    "Rất không hài lòng",
    "Không biết",
    "Không trả lời",
]
READERS = {
    "read_text": "from pathlib import Path; from evalkit.textfiles import read_text\n"
    "def read(path): return read_text(Path(path), 'survey.csv')",
    "pandas": "import pandas as pd\ndef read(path): return pd.read_csv(path, engine='pyarrow')",
}
STUDY = """
[study]
title = { vi = "x", en = "x" }
organisation = { vi = "x", en = "x" }
language = "vi"
simulated = true
row = "questionnaire"
[[units]]
code = "U"
names = [{ vi = "U", en = "U" }]
[[waves]]
code = "b"
period = "before"
label = { vi = "x", en = "x" }
file = "raw.csv"
field_start = 2026-01-05
field_end = 2026-01-30
[[waves]]
code = "a"
period = "after"
label = { vi = "x", en = "x" }
file = "raw.csv"
field_start = 2026-11-05
field_end = 2026-11-30
[design]
unit = "xa"
[plan]
primary = ["x"]
confidence_level = 0.95
"""
PEAK = """
import re, sys
def most(): return re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]
start = most()
kept = read(sys.argv[1])
print(start, most())
"""


def write_survey(path: Path, rows: int) -> None:
    """A header and rows of labels."""
    rng = np.random.default_rng(1)
    labels = np.array(LABELS, dtype=object)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(f"Câu {item + 1}" for item in range(ITEMS)) + "\n")
        for _ in range(0, rows, ROWS_AT_ONCE):
            answers = labels[rng.integers(0, len(LABELS), (ROWS_AT_ONCE, ITEMS))]
            file.writelines(",".join(row) + "\n" for row in answers.tolist())


def seconds_of(readers: dict, path: Path, runs: int) -> dict[str, float]:
    """Median seconds of each reader, in turns, after one round that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for _ in range(runs + 1):
        for name, read in readers.items():
            start = time.perf_counter()
            read(path)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(found[1:]) for name, found in seconds.items()}


def peak_megabytes(source: str, path: Path) -> tuple[int, int]:
    """What a process of its own takes before and at most while it reads the file (Linux only)."""
    result = subprocess.run(
        [sys.executable, "-c", source + PEAK, str(path)], stdout=subprocess.PIPE, text=True, check=True
    )
    start, peak = map(int, result.stdout.split())
    return start // 1024, peak // 1024


def reading(rows: int, runs: int) -> None:
    """Print seconds and memory of reading."""
    readers = {}
    for name, source in READERS.items():
        found: dict = {}
        exec(source, found)
        readers[name] = found["read"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.csv"
        write_survey(path, rows)
        print(f"{rows:,} rows × {ITEMS}, {path.stat().st_size / 1e6:,.0f} MB, medians of {runs} runs in turns")
        seconds = seconds_of(readers, path, runs)
        for name, source in READERS.items():
            start, peak = peak_megabytes(source, path)
            print(f"{name:>10} {seconds[name]:7.3f} s, peak {peak:6,} MB (imports {start:,} MB)")
    print(f"{'ratio':>10} {seconds['read_text'] / seconds['pandas']:7.2f}")


def coding(rows: int, runs: int) -> None:
    """Print seconds and memory of coding labels with the whole record, beside `Series.map(dict)`."""
    with tempfile.TemporaryDirectory() as folder:
        study = write_study(Path(folder))
        frames = label_frames(rows)
        codes = {label: code for code, label in enumerate(LABELS, start=1)}
        coders = {
            "clean": lambda: ek.clean(Raw({w: f.astype("category") for w, f in frames.items()}), study),
            "map": lambda: [frame[name].map(codes) for frame in frames.values() for name in frame if name != "xa"],
        }
        print(f"{rows:,} rows × {ITEMS} labels to codes, medians of {runs} runs in turns")
        seconds = seconds_of({name: lambda _, code=code: code() for name, code in coders.items()}, Path(), runs)
        size = sum(frame.memory_usage(deep=True).sum() for frame in frames.values()) / 1e6
        tracemalloc.start()
        kept = coders["clean"]()
        held, peak = (taken / 1e6 for taken in tracemalloc.get_traced_memory())
        tracemalloc.stop()
        assert len(kept.responses) == rows
    print(f"{'clean':>10} {seconds['clean']:7.3f} s, holds {held:,.0f}, peak {peak:,.0f}, frame {size:,.0f} MB")
    print(f"{'map':>10} {seconds['map']:7.3f} s")
    print(f"{'ratio':>10} {seconds['clean'] / seconds['map']:7.2f}")


def label_frames(rows: int) -> dict[str, pd.DataFrame]:
    """Two waves of labels as pandas reads them."""
    rng = np.random.default_rng(2)
    labels, half = np.array(LABELS, dtype=object), rows // 2
    frames = {}
    for wave in ("b", "a"):
        columns = {f"q{item}": pd.Series(rng.choice(labels, half), dtype="str") for item in range(ITEMS)}
        frame = pd.DataFrame({"xa": pd.Series(["U"] * half, dtype="str"), **columns})
        frames[wave] = frame.set_axis(range(2, half + 2))
    return frames


def write_study(folder: Path) -> Study:
    """A study of one unit with 40 questions on one scale."""
    questions = "".join(f"q{item},,scale,s,,,x,x,\n" for item in range(ITEMS))
    answers = "".join(f"s,{code},{label},{label},,\n" for code, label in enumerate(LABELS, start=1))
    header = "variable,column,type,scale,minimum,maximum,label_vi,label_en,reverse\n"
    (folder / "codebook.csv").write_text(f"{header}xa,,key,,,,x,x,\n{questions}", encoding="utf-8")
    (folder / "scales.csv").write_text(f"scale,code,label_vi,label_en,synonyms,missing\n{answers}", encoding="utf-8")
    (folder / "index.toml").write_text(
        '[[node]]\ncode = "x"\nlabel = { vi = "x", en = "x" }\naggregate = "mean"\nitems = ["q0"]\n', encoding="utf-8"
    )
    (folder / "raw.csv").write_text("x", encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return ek.open_study(folder)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    reading(options.rows, options.runs)
    coding(options.rows, options.runs)


main()
