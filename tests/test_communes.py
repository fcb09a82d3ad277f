import tomllib
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.communes import MERGER, check_units, match, predecessors, successors
from evalkit.declaration import Declaration, UnitName, parse
from evalkit.language import LANGUAGES

ROOT = Path(__file__).resolve().parents[1]
YESTERDAY, TODAY = date(2025, 6, 30), date(2025, 7, 1)
LIST = (ROOT / "evalkit" / "lists" / "communes.csv").read_text(encoding="utf-8").splitlines()[1:]
OLD_CODES = [line.split(",")[1] for line in LIST if line.startswith("old")]
NEW_CODES = [line.split(",")[1] for line in LIST if line.startswith("new")]


def wave(year, month=3):
    return SimpleNamespace(code=str(year), field_start=date(year, month, 1), field_end=date(year, month, 20))


def unit(*names):
    return SimpleNamespace(code="NB", names=tuple(UnitName(en="-", **name) for name in names))


def keys(*names, waves):
    problems, notices = check_units([unit(*names)], waves)
    assert {found.column for found in (*problems, *notices)} <= {"units.NB"}
    for found in (*problems, *notices):
        assert all("{" not in found.message(language) for language in LANGUAGES)
    return [found.key for found in problems], [found.key for found in notices]


def test_the_lists_are_as_long_as_the_reform_was():
    # 10,035 communes became 3,321; of them Cần Thơ has 31 phường and 72 xã (resolution 1668/NQ-UBTVQH15).
    assert (len(set(OLD_CODES)), len(set(NEW_CODES)), len(LIST)) == (10_035, 3_321, 13_356)
    can_tho = [line.split(",")[2] for line in LIST if line.startswith("new") and "Thành phố Cần Thơ" in line]
    assert [sum(name.startswith(rank) for name in can_tho) for rank in ("Phường", "Xã")] == [31, 72]
    # An official code belongs to one unit a list; 123 of 2025 differ between the public lists.
    assert sum(line.endswith(",1") for line in LIST) == 123


def test_every_unit_has_a_successor_or_predecessor_and_both_ways_agree():
    for code in OLD_CODES:
        assert successors(code)
        assert all(code in {old.code for old in predecessors(new.code)} for new in successors(code))
    # Five island districts had no communes.
    assert sum(not predecessors(code) for code in NEW_CODES) == 5
    assert successors("99999") == predecessors("99999") == ()


def test_what_became_of_nga_bay():
    # phường Hiệp Lợi, xã Tân Thành, xã Đại Thành → phường Đại Thành; three phường → a new phường Ngã Bảy.
    assert [new.name for new in successors("31344")] == ["Phường Đại Thành"]
    assert {old.code for old in predecessors("31411")} == {"31344", "31411", "31414"}
    assert [old.name for old in predecessors("31340")] == ["Phường Ngã Bảy", "Phường Lái Hiếu", "Phường Hiệp Thành"]


@pytest.mark.parametrize(
    ("name", "on", "codes"),
    [
        ("phường Ngã Bảy", YESTERDAY, ["31340"]),
        ("NGÃ BẢY", YESTERDAY, ["31340"]),
        ("P. Ngã Bảy", TODAY, ["31340"]),
        ("phường Hiệp Lợi", YESTERDAY, ["31344"]),
        ("xã Hiệp Lợi", YESTERDAY, []),
        ("phường Hiệp Lợi", TODAY, []),
        ("xã đối chứng A", YESTERDAY, []),
    ],
)
def test_match(name, on, codes):
    assert [found.code for found in match(name, on=on)] == codes


def test_match_knows_spellings_numbered_wards_and_namesakes():
    assert match("phường Hoà Bình", on=YESTERDAY) == match("Phường Hòa  Bình", on=YESTERDAY) != ()
    quarter = match("Phường 5", on=YESTERDAY)
    assert match("P. 05", on=YESTERDAY) == quarter
    assert len({(found.province, found.district) for found in quarter}) == len(quarter) > 1


def test_validity_is_what_the_lists_can_know():
    (old,), (new,) = match("phường Ngã Bảy", on=YESTERDAY), match("phường Ngã Bảy", on=TODAY)
    assert (old.valid_from, old.valid_to) == (None, YESTERDAY)
    assert (new.valid_from, new.valid_to) == (TODAY, None) == (MERGER, None)


BOTH = [wave(2024), wave(2026)]
NGA_BAY = {"vi": "phường Ngã Bảy", "official_code": "31340"}
HIEP_LOI = {"vi": "phường Hiệp Lợi", "official_code": "31344"}


@pytest.mark.parametrize(
    ("names", "waves", "problems", "notices"),
    [
        ([NGA_BAY], BOTH, ["communes_merged"], []),
        ([NGA_BAY], [wave(2025, 3), wave(2025, 12)], ["communes_merged"], []),
        ([NGA_BAY], [wave(2023), wave(2024)], [], []),
        ([NGA_BAY], [wave(2026), wave(2027)], [], []),
        ([NGA_BAY | {"valid_to": YESTERDAY}], BOTH, [], []),
        ([NGA_BAY | {"valid_to": YESTERDAY}, NGA_BAY | {"valid_from": TODAY}], BOTH, [], ["communes_joined"]),
        ([HIEP_LOI], BOTH, ["communes_merged"], []),
        (
            [
                HIEP_LOI | {"vi": "xã Hiệp Lợi", "valid_to": date(2020, 1, 31)},
                HIEP_LOI | {"valid_from": date(2020, 2, 1)},
            ],
            [wave(2019), *BOTH],
            ["communes_merged"],
            [],
        ),
        ([HIEP_LOI | {"vi": "xã Đại Thành"}], [wave(2024)], [], ["communes_code_name"]),
        ([HIEP_LOI | {"vi": "xã Hiệp Lợi"}], [wave(2019)], [], []),
        ([HIEP_LOI | {"valid_from": TODAY}], [wave(2026)], [], ["communes_code_unknown"]),
        ([{"vi": "phường Ngã Bẩy", "official_code": "99999"}], [wave(2024)], [], ["communes_code_unknown"]),
        ([{"vi": "xã X", "official_code": "99999", "valid_to": date(2019, 12, 31)}], [wave(2019)], [], []),
        ([{"vi": "phường Ngã Bảy"}], BOTH, [], ["communes_no_code"]),
        ([{"vi": "phường Ngã Bảy"}], [wave(2024)], [], []),
        ([{"vi": "xã đối chứng A"}], BOTH, [], []),
    ],
)
def test_check_units(names, waves, problems, notices):
    assert keys(*names, waves=waves) == (problems, notices)


def test_a_unit_that_the_merger_left_alone_is_no_problem():
    untouched = [
        (old, new)
        for old in OLD_CODES
        for new in successors(old)
        if len(successors(old)) == len(predecessors(new.code)) == 1 and predecessors(new.code)[0].name == new.name
    ]
    assert "Xã Ngọc Long" in {new.name for _, new in untouched}
    for old, new in untouched:
        assert keys({"vi": new.name, "official_code": old}, waves=BOTH) == ([], [])


def test_the_message_says_what_happened_and_what_to_write():
    ((problem,), _) = check_units([unit(NGA_BAY)], BOTH)
    assert problem.message("en") == (
        'study.toml, "units.NB": since 1 July 2025 Phường Ngã Bảy (31340) belongs to Phường Ngã Bảy (31340), formed '
        "from: Phường Ngã Bảy, Phường Lái Hiếu, Phường Hiệp Thành. The unit before that day and the one after it are "
        "not the same, even under the same name and code: set valid_to = 2025-06-30 for this name, and declare what "
        "was surveyed afterwards as a unit of its own."
    )
    _, (notice,) = check_units([unit(HIEP_LOI | {"vi": "phường Ngã Bảy"})], [wave(2024)])
    assert "31344 là Phường Hiệp Lợi, Thành phố Ngã Bảy" in notice.message("vi")
    assert "31340 Phường Ngã Bảy" in notice.message("vi")


def test_the_example_study_is_quiet():
    text = (ROOT / "data" / "nga-bay" / "study.toml").read_text(encoding="utf-8")
    declared = parse(tomllib.loads(text), "study.toml", Declaration)
    assert check_units(declared.units, declared.waves) == ([], [])
    assert check_units(declared.units, [*declared.waves, wave(2026)]) == ([], [])


@given(name=st.text(), on=st.dates())
def test_any_name_is_looked_up_without_error(name, on):
    assert isinstance(match(name, on=on), tuple)
