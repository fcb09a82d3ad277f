"""What starting costs: `import evalkit` and `evalkit --help` against `import pandas`, whole processes.

.venv/bin/python benchmarks/start.py
"""

import statistics
import subprocess
import sys
import time

COMMANDS = {
    "import pandas": [sys.executable, "-c", "import pandas"],
    "import evalkit": [sys.executable, "-c", "import evalkit"],
    "evalkit --help": [sys.executable, "-m", "evalkit", "--help"],
}
RUNS = 15


def main() -> None:
    """Print medians of interleaved runs and the ratio to pandas."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS + 1):
        for name, command in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    pandas = statistics.median(seconds["import pandas"][1:])
    for name, found in seconds.items():
        median = statistics.median(found[1:])
        print(f"{name:16} {median:6.3f} s  {median / pandas:5.2f} × import pandas")


main()
