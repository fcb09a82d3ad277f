"""The acceptance council: refused rules, ratings against a plain reading, nobody's grade shown."""

import importlib.util
import itertools
from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import council_files, council_tables
from evalkit.council_rules import RULES, needed, read_rule, rule_names
from evalkit.errors import DataError, in_words
from evalkit.proceedings import Amount, Ballot, Council, Dossier, Product, Seat, Session, decide, member_grade

KD, D, XS = "khong_dat", "dat", "xuat_sac"
TT11, TT33, BGD, TNMT = "tt-11-2014", "tt-33-2014", "bgddt-11-2016", "tnmt-26-2018"
WHOLE = ("nnptnt-3369-2010", "vinh-phuc")
LABELS = {"vi": "Sản phẩm", "en": "Product"}
SEATS = ("chair", "vice_chair", "reviewer", "reviewer", "secretary", "member", "member", "member", "member")


def load(name, **options):
    return read_rule(RULES / f"{name}.toml", f"{name}.toml", **options)


def council(name, ballots, *, absent=(), size=9, products=(), rule=None, seats=None, **session):
    """A council of the first `size` seats, those at the places `absent` not there."""
    rounding = session.get("rounding")
    rule = rule or load(name, rounding=rounding)
    session = {"counters": ("a", "b", "c"), **session}
    session = Session(rule=name, day=date(2021, 2, 24), attendance="a", ballots="b", products=products, **session)
    seats = seats or [Seat(f"{role} {at}", role, at not in absent) for at, role in enumerate(SEATS[:size])]
    return Council(rule, session, tuple(seats), tuple(ballots))


def product(code="P1", **amounts):
    amounts = {name: Amount(ordered=100, delivered=part) for name, part in amounts.items()}
    return Product(code=code, label=LABELS, amounts=amounts)


ONE = (product(so_luong=80, khoi_luong=80),)


def alike(grade):
    """A ballot of TT 11/2014 on one product that agrees with itself."""
    marks = dict.fromkeys(("P1.so_luong", "P1.khoi_luong", "P1.chat_luong"), grade)
    return Ballot({**marks, "report": D if grade != KD else KD, "overall": grade})


BLANK = Ballot({})


def said(verdict, key):
    return [step for step in verdict.steps if step.key == key]


def test_shipped_rules_load_and_say_what_was_verified():
    assert set(rule_names()) == {TT11, TT33, BGD, TNMT, *WHOLE}
    for name in rule_names():
        rule = load(name, rounding="half_up" if name in WHOLE else None)
        assert rule.invalid.status == "unverified", "no text was read on invalid ballots"
    assert load(TT11).votes.status == load(TT11).quorum.status == load(TT11).late.status == "unverified"
    assert load(TT11).member.status == load(BGD).votes.status == "verified"


@pytest.mark.parametrize(
    ("name", "gaps"),
    [("nnptnt-3369-2010", ["60–61", "75–76", "90–91"]), ("vinh-phuc", ["69–70", "85–86"])],
)
def test_a_mean_that_falls_between_bands_is_refused_and_the_gap_named(name, gaps):
    with pytest.raises(DataError) as caught:
        load(name)
    assert [problem.values["found"] for problem in caught.value.problems] == gaps
    assert f"{name}.toml, " in str(caught.value)
    assert f"within {gaps[-1]} belongs to no grade" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "rounding", "old", "new", "message"),
    [
        (TNMT, None, "low = 70", "low = 71", "a mean within 70–71 belongs to no grade"),
        (TNMT, None, "low = 85", "low = 84", "a mean of 84–85 belongs to two grades"),
        (TNMT, None, "low = 70", "low = 70, low_included = false", "a mean within 70–70 belongs to no grade"),
        (TNMT, None, "high = 70, high_included = false", "high = 70", "a mean of 70–70 belongs to two grades"),
        (TNMT, None, "high = 100 }", "high = 99 }", "a mean within 99–100 belongs to no grade"),
        (TNMT, None, "low = 0", "low = 1", "a mean within 0–1 belongs to no grade"),
        (TNMT, None, "low = 0", "low = 60", "the band 60–50 has a lower end above"),
        (TNMT, "down", "low = 70", "low = 71", "a mean within 70 belongs to no grade"),
        (TNMT, "down", "low = 70", "low = 69", "a mean of 69 belongs to two grades"),
        (TNMT, None, "criteria = [", "criteria = []\nunused = [", "unused"),
        (WHOLE[0], "down", "maximum = 25", "maximum = 24", "maxima add up to 99; it must be 100"),
        (TT11, None, 'grade = "dat"\ncond', 'grade = "dt"\ncond', '"dt" is not declared in grades; nearest: dat'),
        (TT11, None, 'grades = ["xuat_sac"]', 'grades = ["tot"]', '"tot" is not declared in grades'),
        (TT11, None, "days = 30\n", 'days = 30\nnote = ""\n', "note"),
        (TT11, None, 'share = "2/3"', 'share = "0.67"', "quorum.share"),
        (TT11, None, 'share = "2/3"', 'share = "2/0"', "quorum.share"),
        (TT11, None, 'conditions = [{ grades = ["khong', 'conditions = []\n#', 'at "khong_dat" without a ballot'),
        (TT11, None, '"2/3" }]', '"0/1" }]', 'at "dat" without a ballot'),
        (TT11, None, '"at_least", share = "2/3" }]', '"at_most", share = "2/3" }]', 'at "dat" without a ballot'),
        (TT11, None, 'grades = [\n', 'grades = [\n{ code = "x", label = { vi = "X", en = "X" } },\n', "exactly 3"),
        (TT11, None, '"khoi_luong", l', '"so_luong", l', "criteria"),
        (TT11, None, "[votes]", "[points]", "votes"),
        (BGD, None, "[dishonest]\ngrade = \"khong_dat\"", "[dishonest]\ngrade = \"sai\"", '"sai" is not declared'),
    ],
)  # fmt: skip
def test_a_rule_that_cannot_decide_is_refused(tmp_path, name, rounding, old, new, message):
    content = (RULES / f"{name}.toml").read_text(encoding="utf-8")
    assert old in content
    (tmp_path / "r.toml").write_text(content.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_rule(tmp_path / "r.toml", "r.toml", rounding=rounding)
    assert message in str(caught.value)


def test_a_rule_needs_one_way_of_rating_and_a_file_that_can_be_read(tmp_path):
    content = (RULES / f"{BGD}.toml").read_text(encoding="utf-8")
    for text, message in (
        (content[: content.index("[votes]")], "exactly one way"),
        ("a = ", "r.toml"),
        ("\0", "r.t"),
    ):
        (tmp_path / "r.toml").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read_rule(tmp_path / "r.toml", "r.toml")


@pytest.mark.parametrize("of", range(1, 13))
@pytest.mark.parametrize("share", [(2, 3), (3, 4), (1, 3), (0, 1), (1, 1)])
def test_needed_is_what_counting_finds(share, of):
    part, whole = share
    text = f"{part}/{whole}"
    assert needed("at_least", text, of) == next(n for n in range(of + 1) if n * whole >= part * of)
    assert needed("more_than", text, of) == next(n for n in range(of + 2) if n * whole > part * of)
    assert needed("at_most", text, of) == max(n for n in range(of + 1) if n * whole <= part * of)


def plain_tt11(xs, d, kd, present):
    if 4 * xs >= 3 * present and kd == 0:
        return XS
    if 3 * kd > present:
        return KD
    return D if 3 * (xs + d) >= 2 * present else None


def plain_tt33(xs, d, kd, present):
    return D if 4 * d > 3 * present else KD if 4 * kd > 3 * present else None


def plain_bgd(xs, d, kd, present):
    return D if 3 * d >= 2 * present else KD if 3 * kd > present else None


@pytest.mark.parametrize(
    ("name", "plain", "size", "least"), [(TT11, plain_tt11, 9, 6), (TT33, plain_tt33, 7, 5), (BGD, plain_bgd, 9, 6)]
)
def test_every_count_of_ballots_is_rated_as_the_rule_reads(name, plain, size, least):
    rule = load(name)
    checked = 0
    for present in range(least, size + 1):
        for xs, d, kd in itertools.product(range(present + 1), repeat=3):
            if xs + d + kd > present or (xs and name != TT11):
                continue
            given = [XS] * xs + [D] * d + [KD] * kd
            ballots = [alike(g) if name == TT11 else Ballot({"overall": g}) for g in given]
            ballots += [BLANK] * (present - len(given))
            products = ONE if name == TT11 else ()
            # The last seats are plain members or, of seven, a member and the secretary.
            absent = range(present, size)
            found = decide(council(name, ballots, absent=absent, size=size, products=products, rule=rule))
            expected = plain(xs, d, kd, present) if given else None  # without a valid ballot there is no rating
            assert found.rating == expected, (present, xs, d, kd)
            if name == TT11 and len(given) == present:
                # Where all ballots are valid, as the circular was recalled: otherwise Passed.
                assert found.rating == (XS if 4 * xs >= 3 * present and not kd else KD if 3 * kd > present else D)
            assert found.ballots["invalid"] == present - len(given)
            checked += 1
    assert checked > 80


def plain_member(grades, report, delivered):
    """Circular 11/2014 word by word; grades by product (quantity, volume, quality), `delivered` in percent."""
    flat = [grade for triple in grades for grade in triple]
    if all(grade == XS for grade in flat) and report in (XS, D):
        return XS
    quality = [triple[2] for triple in grades]
    amounts = [grade for triple in grades for grade in triple[:2]]
    fulfilled = sum(grade in (XS, D) for grade in amounts)
    missing_enough = fulfilled == len(amounts) or 100 * 3 <= 4 * delivered
    if KD not in quality and 4 * fulfilled >= 3 * len(amounts) and missing_enough and report in (XS, D):
        return D
    return KD


@pytest.mark.parametrize("delivered", [74, 75])
@pytest.mark.parametrize("report", [KD, D, XS])
def test_a_members_grade_follows_from_the_products_as_the_circular_reads(delivered, report):
    products = [product(code, so_luong=delivered, khoi_luong=delivered) for code in ("P1", "P2")]
    sitting = council(TT11, [], products=tuple(products))
    names = [f"{p}.{c}" for p in ("P1", "P2") for c in ("so_luong", "khoi_luong", "chat_luong")]
    for flat in itertools.product((KD, D, XS), repeat=6):
        ballot = Ballot({**dict(zip(names, flat, strict=True)), "report": report})
        assert member_grade(ballot, sitting) == plain_member([flat[:3], flat[3:]], report, delivered), flat


GRADES = st.sampled_from([KD, D, XS])
MARKS = st.fixed_dictionaries(
    {f"P1.{c}": GRADES for c in ("so_luong", "khoi_luong", "chat_luong")} | {"report": GRADES}
)
DERIVED = load(TT11).model_copy(
    update={"invalid": load(TT11).invalid.model_copy(update={"disagreement": "derived"})}
)  # fmt: skip


def sitting(marks):
    return council(TT11, [Ballot({**m, "overall": D}) for m in marks], products=ONE, rule=DERIVED)


@given(st.lists(MARKS, min_size=9, max_size=9), st.randoms(use_true_random=False))
def test_the_order_of_ballots_changes_nothing(marks, random):
    mixed = random.sample(marks, 9)
    one, other = decide(sitting(marks)), decide(sitting(mixed))
    assert (one.rating, one.steps, one.ballots) == (other.rating, other.steps, other.ballots)
    assert one.tally.equals(other.tally)


RAISED = st.sampled_from(["P1.so_luong", "P1.chat_luong", "report"])


@settings(max_examples=60)
@given(st.lists(MARKS, min_size=9, max_size=9), st.integers(0, 8), RAISED)
def test_raising_a_grade_never_lowers_the_rating(marks, at, item):
    ranks = DERIVED.ranks
    raised = [dict(m) for m in marks]
    raised[at][item] = {KD: D, D: XS, XS: XS}[raised[at][item]]
    assert ranks[decide(sitting(raised)).rating] >= ranks[decide(sitting(marks)).rating]


@given(st.sampled_from([TT33, BGD]), st.lists(st.sampled_from([KD, D]), min_size=7, max_size=7), st.integers(0, 6))
def test_raising_a_vote_never_lowers_the_rating_of_other_rules(name, votes, at):
    order = [KD, None, D]
    raised = [*votes[:at], D, *votes[at + 1 :]]
    ratings = [decide(council(name, [Ballot({"overall": v}) for v in vs], size=7)).rating for vs in (raised, votes)]
    assert order.index(ratings[0]) >= order.index(ratings[1])


@given(st.lists(st.decimals(0, 100, places=2), min_size=1, max_size=9))
def test_points_are_rated_by_their_exact_mean(points):
    ballots = [Ballot({"tong_diem": Fraction(p)}) for p in points]
    cents = sum(int(p * 100) for p in points)
    plain = next(g for low, g in ((85, XS), (70, "kha"), (50, D), (0, KD)) if cents >= 100 * low * len(points))
    found = decide(council(TNMT, ballots))
    assert found.rating == plain
    assert found.points["mean"].tolist() == [Fraction(cents, 100 * len(points))]


@pytest.mark.parametrize(("rounding", "rating"), [("half_up", "xuat_sac"), ("down", "kha")])
def test_a_council_that_rounds_has_no_gap(rounding, rating):
    ballots = [Ballot(dict(zip(("noi_dung", "quy_mo", "hieu_qua", "trinh_bay"), p, strict=True)))
               for p in ((25, 25, 20, 15), (25, 25, 20, 16))]  # fmt: skip
    found = decide(council("vinh-phuc", ballots, rounding=rounding))
    assert found.rating == rating, "the mean is 85.5"
    assert said(found, "mean")[0].values["mean"] == Fraction(171, 2)


DOSSIER = {"due": date(2020, 12, 31), "received": date(2021, 1, 30)}
LATER = {"due": date(2020, 12, 31), "received": date(2021, 1, 31)}
FALSE = Dossier(**LATER, dishonest=True)
SEVEN = [alike(XS)] * 7


@pytest.mark.parametrize(
    ("name", "ballots", "options", "rating", "outcome", "key"),
    [
        (TT11, SEVEN, {"absent": (7, 8)}, XS, "rated", "quorum"),
        (TT11, SEVEN, {"absent": (4, 5, 6, 7)}, None, "no_quorum", "quorum"),
        (TT11, SEVEN, {"absent": (0, 1)}, None, "no_quorum", "no_chair"),
        (TT11, SEVEN, {"absent": (0,)}, None, "no_quorum", "vice_not_authorised"),
        (TT11, SEVEN, {"absent": (0,), "vice_chair_authorised": True}, XS, "rated", "vice_authorised"),
        (TT11, SEVEN, {"absent": (2,)}, XS, "rated", "reviewers"),
        (TT11, SEVEN, {"absent": (2, 3)}, None, "no_quorum", "reviewers"),
        (TT33, [Ballot({"overall": D})] * 6, {"size": 7, "absent": (2,)}, None, "no_quorum", "reviewers"),
        (TT11, SEVEN, {"counters": ("a", "b")}, None, "no_quorum", "committee"),
        (TT11, [alike(XS)] * 10, {}, None, "void", "returned"),
        (TT11, [alike(XS)] * 6 + [BLANK] * 3, {}, D, "rated", "invalid_blank"),
        (TT11, SEVEN, {"dossier": Dossier(**DOSSIER)}, XS, "rated", "late_within"),
        (TT11, SEVEN, {"dossier": Dossier(**LATER)}, KD, "late", "late"),
        (TT11, SEVEN, {"dossier": Dossier(due=date(2021, 1, 1), received=date(2021, 1, 1))}, XS, "rated", "in_time"),
        (TNMT, [Ballot({"tong_diem": 90})], {"dossier": Dossier(**DOSSIER)}, None, "late_open", "late"),
        (TNMT, [Ballot({"tong_diem": 101})], {}, None, "undecided", "invalid_out_of_range"),
        (TNMT, [Ballot({"tong_diem": 90})], {}, XS, "rated", "no_quorum_rule"),
        (TT11, [BLANK] * 9, {}, None, "undecided", "no_valid"),
        (TT11, [alike(KD)] * 3 + [BLANK] * 6, {}, None, "undecided", "invalid_blank"),
        (TT11, [alike(D)] * 5 + [alike(KD)] * 3, {}, None, "undecided", "at_least"),
        (BGD, [Ballot({"overall": D})] * 9, {"dossier": Dossier(**LATER)}, D, "rated", "late_unruled"),
        (BGD, [Ballot({"overall": D})] * 9, {"dossier": FALSE}, KD, "dishonest", "dishonest"),
        (BGD, [Ballot({"overall": D})] * 5 + [Ballot({"overall": KD})] * 3, {}, None, "undecided", "more_than"),
        (TT11, [*SEVEN, Ballot({**alike(XS).marks, "overall": D})], {}, XS, "rated", "invalid_disagreeing"),
        (TT11, [*SEVEN, Ballot({**alike(XS).marks, "report": (D, XS)})], {}, XS, "rated", "invalid_two_marks"),
    ],
)  # fmt: skip
def test_each_incident_is_decided_and_explained(name, ballots, options, rating, outcome, key):
    options = {"products": ONE if name == TT11 else (), **options}
    sat = council(name, ballots, **options)
    verdict = decide(sat)
    assert (verdict.rating, verdict.outcome) == (rating, outcome)
    assert said(verdict, key)
    for language in ("vi", "en"):
        told = council_tables.why(verdict, sat, language)
        assert len(told) == len(verdict.steps)
        assert council_tables.sentences(verdict, sat, language)


@pytest.mark.parametrize(
    ("ballots", "because"),
    [
        (
            [alike(XS)] * 8 + [alike(KD)],
            "Số phiếu «Không đạt» là 1, mà mức «Xuất sắc» chỉ cho phép tối đa 0; không quá 1/3 số thành viên có mặt "
            "chấm «Không đạt» (1/9); có 8 phiếu «Đạt»/«Xuất sắc», đủ mức ít nhất 6/9, nên xếp «Đạt».",
        ),
        (
            [alike(XS)] * 6 + [BLANK] * 3,
            "Trong 9 thành viên có mặt chỉ 6 người có phiếu hợp lệ; không đủ 7/9 phiếu «Xuất sắc» (chỉ có 6); không "
            "quá 1/3 số thành viên có mặt chấm «Không đạt» (0/9); có 6 phiếu «Đạt»/«Xuất sắc», đủ mức ít nhất 6/9, "
            "nên xếp «Đạt».",
        ),
    ],
)
def test_the_reasons_name_the_rating_that_failed_and_count_by_members_present(ballots, because):
    sat = council(TT11, ballots, products=ONE)
    assert council_tables.sentences(decide(sat), sat, "vi")[1] == because


def test_a_ballot_that_contradicts_itself_follows_the_rules_policy():
    odd = Ballot({**alike(XS).marks, "overall": KD})
    for policy, rating, key in (("invalid", D, "invalid_disagreeing"), ("derived", XS, "overruled_derived"),
                                ("ticked", D, "overruled_ticked")):  # fmt: skip
        rule = load(TT11)
        rule = rule.model_copy(update={"invalid": rule.invalid.model_copy(update={"disagreement": policy})})
        verdict = decide(council(TT11, [alike(XS)] * 6 + [odd] * 3, products=ONE, rule=rule))
        assert verdict.rating == rating
        assert said(verdict, key)[0].values["count"] == 3


@pytest.mark.parametrize(
    ("repeated", "second", "valid"), [("none", D, 5), ("one_if_alike", D, 6), ("one_if_alike", KD, 5)]
)
def test_a_member_voting_twice_and_an_absent_one_are_not_counted(repeated, second, valid):
    rule = load(BGD)
    invalid = rule.invalid.model_copy(update={"repeated": repeated})
    rule = rule.model_copy(update={"ballot": "signed", "invalid": invalid})
    ballots = [Ballot({"overall": D}, f"{SEATS[at]} {at}") for at in (0, 1, 2, 3, 4, 5, 8)]
    ballots.append(Ballot({"overall": second}, "chair 0"))
    verdict = decide(council(BGD, ballots, absent=(8,), rule=rule))
    assert (verdict.ballots["valid"], verdict.ballots["returned"]) == (valid, 8)
    assert said(verdict, "invalid_absent")[0].values["count"] == 1
    assert said(verdict, "invalid_repeated")[0].values["count"] == 7 - valid
    assert "chair" not in str(council_tables.why(verdict, council(BGD, ballots, rule=rule), "en").iloc[5:].to_numpy())


# Files

FIRST = ("Chủ tịch", "Phó chủ tịch", "Phản biện 1", "Phản biện 2", "Thư ký")
ATTENDANCE = "DỮ LIỆU MÔ PHỎNG\nChức danh,Có mặt\n" + "".join(
    f"{seat},{'vắng' if seat == 'Ủy viên 4' else 'x'}\n"
    for seat in (*FIRST, "Uỷ viên 1", "Uỷ viên 2", "Uỷ viên 3", "Ủy viên 4")
)  # fmt: skip
TOML = """\
rule = "own.toml"
day = 2021-02-24
attendance = "diem_danh.csv"
ballots = "phieu.csv"
counters = ["Thư ký", "Ủy viên 1", "Ủy viên 2"]

[[products]]
code = "P1"
label = { vi = "Tài liệu", en = "Material" }
amounts = { khoi_luong = { ordered = 10, delivered = 8 } }
"""
BALLOTS = "P1 số lượng,P1 khối lượng,P1 chất lượng,Báo cáo,Xếp loại\n" + 5 * "Đạt,Đạt,đạt,Passed,ĐẠT\n" + (
    "Xuất sắc,Xuất sắc,Xuất sắc,Đạt,Xuất sắc\nĐạt,Đạt|Xuất sắc,Đạt,Đạt,Đạt\nĐạt,Đạt,Đạt,Đạt,trắng\n"
)  # fmt: skip
SIGNED = "Chức danh," + BALLOTS.split("\n")[0] + "\n" + "".join(
    f"{seat},Đạt,Đạt,Đạt,Đạt,Đạt\n" for seat in FIRST
)  # fmt: skip


@pytest.fixture
def make_council(tmp_path, nga_bay):
    """A study whose folder holds only a council: make_council(toml=(old, new), rule=…, attendance=…, ballots=…)."""

    def make(signed=False, **changes):
        rule = (RULES / f"{TT11}.toml").read_text(encoding="utf-8")
        rule = rule.replace('ballot = "secret"', f'ballot = "{"signed" if signed else "secret"}"')
        files = {
            "toml": ("council.toml", TOML),
            "rule": ("own.toml", rule),
            "attendance": ("diem_danh.csv", ATTENDANCE),
        }
        files["ballots"] = "phieu.csv", SIGNED if signed else BALLOTS
        for key, (name, content) in files.items():
            old, new = changes.get(key, ("", ""))
            assert old in content
            (tmp_path / name).write_text(content.replace(old, new, 1) if old else content, encoding="utf-8")
        return replace(nga_bay, folder=tmp_path)

    return make


def test_a_council_is_read_from_its_files(make_council):
    sat = council_files.read_council(make_council())
    assert [seat.present for seat in sat.seats] == [True] * 8 + [False]
    verdict = decide(sat)
    assert verdict.ballots == {"present": 8, "returned": 8, "valid": 6, "invalid": 2}
    assert verdict.tally.query("item == 'overall'")["count"].tolist() == [1, 5, 0]
    assert verdict.rating == D


def test_a_study_without_council_has_none(nga_bay, tmp_path):
    assert council_files.read_council(replace(nga_bay, folder=tmp_path)) is None


def test_ballots_may_stand_in_a_workbook(make_council, write_workbook, tmp_path):
    study = make_council(toml=('"phieu.csv"', '"phieu.xlsx"'))
    write_workbook(tmp_path / "phieu.xlsx", **{"Phiếu": [line.split(",") for line in BALLOTS.splitlines()]})
    assert decide(council_files.read_council(study)).rating == D


HEAD = "P1 số lượng,"
NAMED = 'ballots = "phieu.csv"\n'


@pytest.mark.parametrize(
    ("signed", "file", "change", "message"),
    [
        (False, "toml", ('"own.toml"', '"tt-11"'), 'council.toml, "rule": there is no council rule "tt-11"'),
        (False, "toml", ('"phieu.csv"', '"../phieu.csv"'), '"ballots"'),
        (False, "toml", ('"phieu.csv"', '"p.csv"'), "p.csv: "),
        (False, "toml", ("khoi_luong =", "the_tich ="), 'no criterion "the_tich"'),
        (False, "toml", ("Ủy viên 2", "Ủy viên 4"), '"Ủy viên 4" is not present'),
        (False, "toml", ("Ủy viên 2", "Ủy viên 1"), "several times among the vote counters"),
        (False, "toml", ("[[prod", "[dossier]\ndue=2021-01-01\nreceived=2021-01-01\ndishonest=true\n[[prod"),
         "says nothing of a dishonest dossier"),
        (False, "toml", (TOML[TOML.index("[[products]]") :], ""), "grades each product"),
        (False, "attendance", ("Ủy viên 4,vắng\n", ""), "8 members; the rule asks for 9"),
        (False, "attendance", ("Phản biện 2", "Ủy viên 5"), "1 reviewers; the rule asks for 2"),
        (False, "attendance", ("Phó chủ tịch", "Chủ tịch"), 'only one "Chủ tịch"'),
        (False, "attendance", ("Thư ký,x", "Kế toán,x"), 'diem_danh.csv, line 7, "Chức danh": this role'),
        (False, "attendance", ("Thư ký,x", "Thư ký,ốm"), 'line 7, "Có mặt": "ốm" does not say'),
        (False, "attendance", ("Chức danh,", "Họ và tên,"), 'the column "Họ và tên" tells who'),
        (False, "ballots", (HEAD, "Chức danh," + HEAD), 'the column "Chức danh" tells who'),
        (False, "ballots", (HEAD, "Người chấm," + HEAD), 'the column "Người chấm" tells who'),
        (False, "ballots", (HEAD, "Ghi chú," + HEAD), 'unknown column "Ghi chú"'),
        (False, "ballots", (HEAD, "P1 khối lượng,"), 'the column "P1 số lượng" is missing'),
        (False, "ballots", (HEAD, "P1 khối lượng,"), 'the column "P1 khối lượng" occurs twice'),
        (False, "ballots", ("Passed", "Pased"), 'phieu.csv, line 2, "Báo cáo": "Pased" is no grade'),
        (False, "ballots", ("Đạt,Đạt,đạt", "Không đạt,Đạt,đạt"), "products[1].amounts.so_luong"),
        (False, "ballots", ("\nXuất", "\nĐạt,Đạt,Đạt,Đạt,Đạt\nXuất"), "9 ballots but only 8 members present"),
        (False, "toml", (NAMED, NAMED + "returned = 9\n"), "there are 9 ballots but only 8 members present"),
        (False, "toml", (NAMED, NAMED + "returned = 7\n"), '"returned": 7 ballots are declared'),
        (True, "ballots", ("Chủ tịch,Đ", ",Đ"), 'phieu.csv, line 2, "Chức danh": ballots are signed by role'),
        (True, "ballots", ("Thư ký", "Kế toán"), "line 6, \"Chức danh\": this role is not in the list"),
        (True, "ballots", ("Chức danh,", ",",), 'the column "chức danh" is missing'),
        (True, "attendance", ("Phản biện 2", "Phản biện 1"), "number them to tell them apart"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_at_its_place(make_council, signed, file, change, message):
    with pytest.raises(DataError) as caught:
        council_files.read_council(make_council(signed, **{file: change}))
    assert message in str(caught.value)
    assert caught.value.message("vi")


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ({"rule": ('share = "2/3"', 'share = "all"'), "attendance": ("Thư ký,x", "Thư ký,ốm")},
         ["own.toml", "diem_danh.csv"]),
        ({"attendance": ("Thư ký,x", "Kế toán,x"), "ballots": ("Passed", "Pased")}, ["diem_danh.csv", "phieu.csv"]),
        ({"attendance": ("Ủy viên 4,vắng\n", ""), "ballots": ("Passed", "Pased")}, ["diem_danh.csv", "phieu.csv"]),
        ({"signed": True, "attendance": ("Thư ký,x", "Kế toán,x"), "ballots": ("Chủ tịch,Đ", ",Đ")},
         ["diem_danh.csv", "phieu.csv"]),
        ({"toml": ("khoi_luong =", "the_tich ="), "attendance": ("Thư ký,x", "Thư ký,ốm")},
         ["diem_danh.csv", "council.toml"]),
    ],
)  # fmt: skip
def test_problems_of_several_files_come_at_once(make_council, changes, files):
    with pytest.raises(DataError) as caught:
        council_files.read_council(make_council(**changes))
    assert [problem.file for problem in caught.value.problems] == files


HIGH = "\nXuất sắc,"
SECOND = SIGNED + "Thư ký,Đạt,Đạt,Đạt,Đạt,Đạt\n"


@pytest.mark.parametrize(
    ("changes", "notices"),
    [
        # Line 8 has two marks at one item, line 9 a blank one; eight of nine members are present.
        ({}, ["phieu.csv: Ballots invalid because an item has two marks: 1. Lines: 8.", "left blank: 1. Lines: 9."]),
        ({"ballots": (HIGH, "\n,,,," + HIGH)}, ["line 7: an empty row between ballots"]),
        ({"ballots": ("Đạt,Đạt,Đạt,Đạt,trắng\n", ",,,,\n")}, ["8 members are present, but the file has only 7 rows"]),
        ({"ballots": ("Đạt,Đạt,Đạt,Đạt,trắng\n", ",,,,\n"), "toml": (NAMED, NAMED + "returned = 8\n")},
         ["8 ballots are declared to have come back and the file has 7 rows: the other 1 count as blank"]),
        ({"toml": ('counters = ["Thư ký", ', "counters = [")}, ["council.toml: 2 members counted the votes",
          "there is no rating and no ballot was counted"]),
        ({"attendance": ("Chủ tịch,x", "Chủ tịch,vắng"), "ballots": ("Đạt,Đạt,Đạt,Đạt,trắng\n", "")},
         ["council.toml: The chair is absent; the vice-chair is present but not authorised"]),
        ({"toml": ("[[prod", "[dossier]\ndue=2021-01-01\nreceived=2021-02-01\n[[prod")},
         ["council.toml: The dossier came on 1 February 2021, 31 days after the declared term",
          'By the declared rule, the result is "Failed" because the dossier came too late']),
        ({"signed": True, "ballots": (SIGNED, SECOND)},
         ["in several ballots (lines 6, 7); by the rule (repeated = none) none of them counts"]),
        ({"signed": True, "ballots": (SIGNED, SECOND), "rule": ('repeated = "none"', 'repeated = "one_if_alike"')},
         ["in several ballots (lines 6, 7); by the rule (repeated = one_if_alike) one counts if they are alike"]),
        ({"signed": True, "ballots": ("Thư ký,", "Ủy viên 4,")},
         ["because they bear the role of an absent member: 1. Lines: 6."]),
    ],
)  # fmt: skip
def test_what_a_session_lacked_and_what_does_not_count_is_announced(make_council, changes, notices):
    sat = council_files.read_council(make_council(**changes))
    told = in_words(sat.notices, "en")
    for notice in notices:
        assert notice in told
    assert in_words(sat.notices, "vi")


def test_ballots_that_came_back_without_a_row_count_as_blank(make_council):
    change = (NAMED, NAMED + "returned = 8\n")
    verdict = decide(council_files.read_council(make_council(toml=change, ballots=("Đạt,Đạt,Đạt,Đạt,trắng\n", ""))))
    assert verdict.ballots == {"present": 8, "returned": 8, "valid": 6, "invalid": 2}
    assert said(verdict, "invalid_blank")[0].values["count"] == 1


def test_members_who_voted_twice_are_named_where_there_are_too_many_ballots(make_council):
    everyone = (*FIRST, "Ủy viên 1", "Ủy viên 2", "Ủy viên 3", "Ủy viên 3")
    ballots = SIGNED.split("\n")[0] + "\n" + "".join(f"{seat},Đạt,Đạt,Đạt,Đạt,Đạt\n" for seat in everyone)
    with pytest.raises(DataError, match=r"only 8 members present(?s:.)*several ballots \(lines 9, 10\)"):
        council_files.read_council(make_council(True, ballots=(SIGNED, ballots)))


def joins(line, grades, language):
    """Whether a line of output holds a role and a grade."""
    roles = {
        "vi": ("chủ tịch", "phản biện", "thư ký", "ủy viên"),
        "en": ("chair", "reviewer", "secretary", "member "),
    }
    marked = any(f"{sign}{grade}" in line for grade in grades for sign in '"«')
    cell = any(f" {grade} " in f" {line} " for grade in grades)
    return (marked or cell) and any(role in line.lower() for role in roles[language])


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_output_joins_a_role_with_a_grade(make_council, signed, language):
    sat = council_files.read_council(
        make_council(signed, ballots=("Đạt,Đạt,Đạt", "Xuất sắc,Đạt,Đạt") if signed else ("", ""))
    )
    verdict = decide(sat)
    assert not {"seat", "role"} & {*verdict.tally, *verdict.points}
    frames = [
        getattr(council_tables, name)(verdict, sat, language) for name in ("why", "tally", "products", "points")
    ]
    frames += [council_tables.attendance(sat, language), council_tables.ballots(verdict, language)]
    shown = [" ".join(map(str, row)) for frame in frames for row in [frame.columns, *frame.to_numpy()]]
    shown += council_tables.sentences(verdict, sat, language) + council_tables.minutes(sat, language)
    grades = [getattr(grade.label, language) for grade in sat.rule.grades]
    assert [line for line in shown if joins(line, grades, language)] == []
    quoted = [f'"{grades[1]}"', f"«{grades[1]}»"]
    assert any(quote in line for quote in quoted for line in shown)
    role = {"vi": "Chủ tịch", "en": "Chair"}[language]
    assert joins(f"{role} 1 {quoted[language == 'vi']}", grades, language)
    assert joins(f"{role} {grades[1]}", grades, language)


def test_the_simulated_council_ends_as_the_published_notice_says(nga_bay, tmp_path):
    sat = council_files.read_council(nga_bay)
    verdict = decide(sat)
    assert (len(sat.seats), len(sat.ballots), verdict.rating) == (9, 9, D)
    first, because = council_tables.sentences(verdict, sat, "vi")[:2]
    known = [step.status for step in verdict.steps if step.status]
    standing = f"{known.count('unverified')}/{len(known)} điều kiện chưa đối chiếu với văn bản gốc"
    assert first == f"Theo quy tắc đã khai báo ({standing}), kết quả là «Đạt»."
    assert because.startswith("Không đủ 7/9 phiếu «Xuất sắc» (chỉ có ") and because.endswith(", nên xếp «Đạt».")
    assert sat.notices == ()
    assert "không rơi vào mức «Không đạt»" in set(council_tables.why(verdict, sat, "vi")["Kết luận"])
    assert "không tham gia" in council_tables.products_sentence(sat, "vi")
    assert council_tables.minutes(sat, "vi") == [
        "Hội đồng họp ngày 24/02/2021, có mặt 9/9 thành viên.",
        "Ban kiểm phiếu: Phó Chủ tịch, Thư ký khoa học và Ủy viên 1.",
    ]
    assert verdict.tally.groupby("item")["count"].sum().eq(9).all()
    spec = importlib.util.spec_from_file_location("simulate_council", ROOT / "data/nga-bay/simulate_council.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(tmp_path)
    for path in sorted((tmp_path / "council").iterdir()):
        assert path.read_bytes() == (ROOT / "data/nga-bay/council" / path.name).read_bytes()
        assert path.read_text(encoding="utf-8").startswith("DỮ LIỆU MÔ PHỎNG")
