"""After the vote: the table of replies, and the numbers that differ from the submitted ledger."""

import json
import shutil
from pathlib import Path

import pytest

import evalkit as ek
from evalkit.errors import DataError
from evalkit.response import ledger_changes, response_table, submitted_ledger

NGA_BAY = Path(__file__).resolve().parents[1] / "data" / "nga-bay"
REPLY = """
[[reply]]
conclusion = { vi = "Làm rõ <b>mẫu</b>", en = "Explain the sample" }
change = { vi = "Đã bổ sung mục 2", en = "Section 2 was added" }
place = { vi = "Trang 12", en = "Page 12" }
"""


@pytest.fixture
def folder(tmp_path):
    target = tmp_path / "nga-bay"
    shutil.copytree(NGA_BAY, target, ignore=shutil.ignore_patterns("text", "*.py", "response.toml"))
    return target


def ledger(*numbers):
    """A ledger of numbers: what is shown, and the effect or the cell (of notebook `a`) that it is of."""
    return {
        "numbers": [
            {"id": f"n{at:05}", "shown": shown, "notebook": "a", "cell": of if isinstance(of, int) else 0}
            | ({"effect": of} if isinstance(of, str) else {})
            for at, (shown, of) in enumerate(numbers, 1)
        ]
    }


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ([("1", "x|y"), ("5", 3)], [("1", "x|y"), ("1", "x|y"), ("5", 3)], []),  # said once more
        ([("1", "x|y")], [("2", "x|y"), ("2", "x|y")], [("x\\|y", "1", "2")]),
        ([("5", 3), ("6", 3), ("7", 3)], [("5", 3), ("7", 3)], [("a, 4", "6", "–")]),
        ([("5", 3)], [("5", 3), ("8", 4)], [("a, 5", "–", "8")]),
        ([("5", 3), ("6", 3)], [("5", 3), ("9", 3)], [("a, 4", "6", "9")]),
        ([("5", "gone")], [], [("gone", "5", "–")]),
    ],
)
def test_numbers_that_differ(old, new, expected):
    assert list(ledger_changes(ledger(*old), ledger(*new), "vi").itertuples(index=False, name=None)) == expected


def test_replies_in_both_languages(folder):
    assert response_table(ek.open_study(folder), "vi").empty and submitted_ledger(ek.open_study(folder)) is None
    (folder / "response.toml").write_text(f'submitted = "nop/ledger.json"\n{REPLY}', encoding="utf-8")
    (folder / "nop").mkdir()
    (folder / "nop" / "ledger.json").write_text(json.dumps(ledger(("5", 3))), encoding="utf-8")
    study = ek.open_study(folder)
    assert response_table(study, "en").to_dict("records") == [
        {
            "The council's conclusion": "Explain the sample",
            "What was changed, or why not": "Section 2 was added",
            "Page, section": "Page 12",
        }
    ]
    assert response_table(study, "vi").iloc[0, 0] == r"Làm rõ \<b\>mẫu\</b\>"
    assert submitted_ledger(study) == ledger(("5", 3))


def test_names_of_values_are_refused_where_nothing_fills_them(folder):
    replies = REPLY.replace("Section 2 was added", "{hai_long.pilot.change} points")
    (folder / "response.toml").write_text(replies, encoding="utf-8")
    with pytest.raises(DataError, match=r"reply\[1\]\.change.*is not replaced by a value"):
        submitted_ledger(ek.open_study(folder))


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ('submitted = "../ledger.json"', "leaves the study folder"),
        ('submitted = "no.json"', "is not there"),
        ('submitted = "study.toml"', "is no ledger.json"),
        ('submitted = "list.json"', "is no ledger.json"),
        ('submited = "x"', "did you mean: submitted"),
    ],
)
def test_a_submitted_ledger_that_is_none(folder, declared, expected):
    (folder / "list.json").write_text('{"numbers": [{"shown": 5, "effect": "x"}]}', encoding="utf-8")
    (folder / "response.toml").write_text(f"{declared}\n{REPLY}", encoding="utf-8")
    with pytest.raises(DataError, match=expected):
        submitted_ledger(ek.open_study(folder))
