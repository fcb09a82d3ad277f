"""The README's lines of use run."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_the_lines_of_use_run(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code.replace('"data/nga-bay"', repr(str(ROOT / "data" / "nga-bay"))), {})
    assert "hai_long pilot - comparison did higher" in capsys.readouterr().out
    assert (tmp_path / "changes.png").stat().st_size > 10_000
