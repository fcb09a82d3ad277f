"""The analysis plan, frozen before the second survey."""

import json
from datetime import date

import pytest

import evalkit as ek
from evalkit.freezing import LOCK, freeze, plan_state

HEADER = "Họ tên,Mã hộ,Đơn vị,Ấp,Ngày,Tuổi,Câu 1,Câu 2\n"
DAY = date(2026, 2, 1)


def test_a_plan_is_frozen_while_the_second_file_is_empty(make_study):
    study = ek.open_study(make_study(sau=HEADER))
    assert plan_state(study).state == "none"
    path = freeze(study, on=DAY)
    first = path.read_bytes()
    assert b"2026-02-01" in first and json.loads(first)["late"] is False
    assert freeze(study, on=date(2027, 1, 1)) == path and path.read_bytes() == first, "the day stays"
    later = ek.open_study(make_study())  # with the answers
    assert (plan_state(later).state, plan_state(later).on, plan_state(later).changed) == ("same", DAY, ())


def test_after_the_answers_it_is_refused_or_says_so(make_study):
    study = ek.open_study(make_study())
    with pytest.raises(ek.DataError, match=r'raw/sau\.csv: the wave "sau" already has 6 forms'):
        freeze(study, on=DAY)
    assert not (study.folder / LOCK).exists()
    freeze(study, on=DAY, late=True)
    assert plan_state(study).late


def test_a_wave_declared_later_changes_nothing(make_study):
    after = '[[waves]]\ncode = "sau"'

    def before_only(text):
        return text[: text.index(after)] + text[text.index("[design]") :]

    freeze(ek.open_study(make_study(study=before_only)), on=DAY)
    assert plan_state(ek.open_study(make_study())).state == "same"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"study": ("confidence_level = 0.95", "confidence_level = 0.9")}, ("plan",)),
        ({"index": ("minimum_answered = 0.5", "minimum_answered = 1")}, ("index",)),
        ({"index": ('aggregate = "mean"', 'aggregate = "mean"\ntarget = 70')}, ("index",)),
        ({"codebook": ("Officials are harsh,1", "Officials are harsh,")}, ("codebook",)),
        ({"scales": ("98,Từ chối trả lời,Refused,,refused", "98,Từ chối trả lời,Refused,,dont_know")}, ("codebook",)),
        ({"study": ('respondent = "ma_ho"', 'respondent = "ma_ho"\nfollowed = true')}, ("design",)),
        ({"study": ('code = "DC"\narm = "comparison"', 'code = "DC"\narm = "pilot"')}, ("design",)),
        ({"study": ("field_start = 2026-01-05", 'selection = "quota"\nfield_start = 2026-01-05')}, ("wave truoc",)),
        ({"study": ("Khảo sát thử", "Khảo sát")}, ()),
        ({"index": ("Courtesy", "Politeness")}, ()),
        ({"scales": ("BT|Tạm", "BT|Tạm|Thường")}, ()),
        ({"study": ("issued = { TD = 10 }", "issued = { TD = 12 }")}, ()),
    ],
)
def test_what_changed_is_named(make_study, change, parts):
    freeze(ek.open_study(make_study()), on=DAY, late=True)
    changed = ek.open_study(make_study(**change))
    state = plan_state(changed)
    assert (state.state, state.changed) == ("changed" if parts else "same", parts)
    if parts:
        with pytest.raises(ek.DataError, match=f"frozen on 2026-02-01; what differs: {parts[0]}"):
            freeze(changed, on=DAY, late=True)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"frozen_on": 1}', '{"frozen_on": "2026-02-01", "parts": 1}'])
def test_a_damaged_freeze_is_no_freeze(make_study, content):
    study = ek.open_study(make_study())
    (study.folder / LOCK).write_text(content)
    with pytest.raises(ek.DataError, match="the frozen plan cannot be read"):
        plan_state(study)


def test_an_unreadable_second_file_is_not_taken_for_empty(make_study):
    with pytest.raises(ek.DataError, match=r"sau\.csv"):
        freeze(ek.open_study(make_study(sau="a,b\n1,2\n")), on=DAY)
