"""Long runs (make test-slow): readers fed with rubbish."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import evalkit as ek
from evalkit.textfiles import read_rows

NGA_BAY = Path(__file__).resolve().parent.parent / "data" / "nga-bay"
pytestmark = pytest.mark.slow


@settings(max_examples=10_000, deadline=10_000)
@given(content=st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_a_csv_reader_fed_with_rubbish_gives_rows_or_a_clear_error(content, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "rubbish.csv"
    path.write_bytes(content)
    try:
        rows = read_rows(path, "rubbish.csv")
    except ek.DataError as error:
        assert error.message("vi") and error.message("en")
    else:
        assert rows and all(row.line >= 1 for row in rows)


@settings(max_examples=1_000, deadline=10_000)
@given(data=st.data())
def test_a_study_with_a_bent_byte_is_sound_or_clearly_not(data, tmp_path_factory):
    """One byte of one declaration replaced: the study opens, or says what is wrong."""
    name = data.draw(st.sampled_from(["study.toml", "codebook.csv", "scales.csv", "index.toml", "corrections.csv"]))
    content = bytearray((NGA_BAY / name).read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.getbasetemp() / "bent"
    for path in NGA_BAY.rglob("*"):
        if path.is_file() and path.suffix in (".toml", ".csv", ".xlsx"):
            target = folder / path.relative_to(NGA_BAY)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.name == name or not target.exists() or target.stat().st_size != path.stat().st_size:
                target.write_bytes(path.read_bytes())
    (folder / name).write_bytes(content)
    try:
        ek.open_study(folder)
    except ek.DataError as error:
        assert error.message("vi") and error.message("en")
    finally:
        (folder / name).write_bytes((NGA_BAY / name).read_bytes())
