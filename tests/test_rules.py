"""Rules of the codebook and forms that came twice: each finding at its place, and nothing else found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.codebook import read_codebook
from evalkit.contents import text_contents
from evalkit.rules import check_rules, duplicates, foreign_problems, foreign_rows, not_applicable, violations

CODEBOOK = """variable,column,type,scale,minimum,maximum,label_vi,label_en,reverse,relevant,constraint,otherwise
xa,Xã,key,,,,,,,,,
ten,Họ tên,identifier,,,,,,,,,
den,Đã đến,scale,co_khong,,,Đã đến,Came,,,,
lan,Số lần,number,,1,30,Số lần,Visits,,${den} = 1,,
muc,Mức,scale,muc5,,,Mức,Level,,${lan} >= 2,,
qua,Qua đâu,multiple,kenh,,,Qua đâu,Which way,,${den} = 1,,
web,Tên cổng,text,,,,,,,"selected(${qua}, '2')",,
cong,Hài lòng với cổng,scale,muc5,,,Cổng,Portal,,"selected(${qua}, 2)",,
nop,Ngày nộp,date,,2026-01-01,2026-12-31,Ngày nộp,Filed,,,,
tra,Ngày trả,date,,,,Ngày trả,Returned,,,. >= ${nop},
tong,Tổng,number,,,,Tổng,Sum,,,. = ${lan} + ${den},
"""
SCALES = """scale,code,label_vi,label_en,synonyms,missing
co_khong,1,Có,Yes,,
co_khong,2,Không,No,,
co_khong,9,Không nhớ,Do not know,,dont_know
muc5,1,Kém,Poor,,
muc5,2,Vừa,Fair,,
muc5,3,Tốt,Good,,
kenh,1,Trực tiếp,In person,,
kenh,2,Trực tuyến,Online,,
"""


@pytest.fixture(scope="module")
def codebook(tmp_path_factory):
    folder = tmp_path_factory.mktemp("codebook")

    def read(*changes, columns=CODEBOOK):
        for old, new in changes:
            assert old in columns
            columns = columns.replace(old, new)
        (folder / "codebook.csv").write_text(columns, encoding="utf-8")
        (folder / "scales.csv").write_text(SCALES, encoding="utf-8")
        found, problems = read_codebook(text_contents(folder).codebook, text_contents(folder).scales)
        assert not problems, problems
        return found

    return read


def forms(**columns):
    """Forms in which everything is answered as the rules want, but for the columns given."""
    size = len(next(iter(columns.values())))
    right = {"den": 1.0, "lan": 2.0, "muc": 3.0, "qua_1": 1.0, "qua_2": 1.0, "cong": 2.0, "tong": 3.0}
    dates = {"nop": "2026-03-01", "tra": "2026-03-05"}
    frame = {"row_id": [f"truoc-{line}" for line in range(2, size + 2)], "wave": "truoc", "unit": "A"}
    frame |= {name: np.array(columns.get(name, [value] * size), dtype=float) for name, value in right.items()}
    frame |= {name: pd.to_datetime(pd.Series(columns.get(name, [value] * size))) for name, value in dates.items()}
    return pd.DataFrame(frame)


def rows(frame):
    return [tuple(row) for row in frame.itertuples(index=False)]


def test_sound_rules_are_no_problem(codebook):
    assert check_rules(codebook()) == []


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "column", "part"),
    [
        ("${den} = 1,,\nmuc", "${den} =,,\nmuc", "rule_unfinished", 5, "relevant", "breaks off"),
        ("${den} = 1,,\nmuc", "today() = 1,,\nmuc", "rule_unreadable", 5, "relevant", 'character 1 is "today"'),
        ("${den} = 1,,\nmuc", "${dem} = 1,,\nmuc", "rule_variable_unknown", 5, "relevant", "nearest: den"),
        ("${den} = 1,,\nmuc", "${xa} = 1,,\nmuc", "rule_variable_uncoded", 5, "relevant", "of type key"),
        ("${den} = 1,,\nmuc", "${den} = 3,,\nmuc", "rule_code_unknown", 5, "relevant", "expected: 1, 2, 9"),
        ("${den} = 1,,\nmuc", "${den} = 'Có',,\nmuc", "rule_code_unknown", 5, "relevant", "expected: 1."),
        (
            "${den} = 1,,\nmuc",
            "${tong} = 'ba',,\nmuc",
            "rule_text_for_number",
            5,
            "relevant",
            'tong with the text "ba"',
        ),
        ("${den} = 1,,\nmuc", "${qua} = 1,,\nmuc", "rule_several_answers", 5, "relevant", "selected(${qua}, '1')"),
        ("selected(${qua}, 2)", "selected(${qua}, 3)", "rule_code_unknown", 9, "relevant", "expected: 1, 2"),
        (". = ${lan} + ${den}", '". = ${lan} + 2,5"', "rule_unreadable", 12, "constraint", "decimal point"),
        ("${den} = 1,,\nmuc", "${muc} = 1,,\nmuc", "rule_circle", 5, "relevant", "lan → muc → lan"),
        ("${den} = 1,,\nmuc", ". = 1,,\nmuc", "rule_circle", 5, "relevant", "lan → lan"),
        ("${den} = 1,,\nweb", "${cong} = 1,,\nweb", "rule_circle", 7, "relevant", "qua → cong → qua"),
    ],
)
def test_problems_of_rules(codebook, old, new, key, line, column, part):
    found = check_rules(codebook((old, new)))
    assert [(p.key, p.line, p.column) for p in found] == [(key, line, column)]
    for problem in found:
        assert part in problem.message("en")
        assert problem.message("vi")


def test_a_variable_kept_apart_cannot_be_read(codebook):
    (problem,) = check_rules(codebook(), apart=["nop"])
    assert (problem.key, problem.values["found"], problem.line) == ("rule_variable_uncoded", "nop", 11)


def test_all_circles_are_found(codebook):
    found = check_rules(codebook(("Đã đến,Came,,,", "Đã đến,Came,,${lan} = 1,"), ("${lan} >= 2", "${muc} = 2")))
    assert [problem.values["found"] for problem in found] == ["den → lan → den", "muc → muc"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"lan": [2]}, []),
        ({"lan": [0, 1, 30, 31, np.nan], "tong": [1, 2, 31, 32, 3], "muc": [np.nan] * 2 + [1] * 3},
         [("truoc-2", "lan", "range"), ("truoc-5", "lan", "range")]),
        ({"muc": [1, 4, 2.5, np.nan]}, [("truoc-3", "muc", "codes"), ("truoc-4", "muc", "codes")]),
        ({"qua_1": [1, 0, 2]}, [("truoc-4", "qua_1", "codes")]),
        ({"nop": ["2025-12-31", "2026-12-31", None], "tra": ["2027-01-01"] * 3}, [("truoc-2", "nop", "range")]),
        # returned before filed; filed or returned unknown
        ({"tra": ["2026-02-28", "2026-03-01", None]}, [("truoc-2", "tra", "constraint")]),
        ({"nop": ["2026-03-06", None]}, [("truoc-2", "tra", "constraint")]),
        ({"tong": [3, 4, np.nan]}, [("truoc-3", "tong", "constraint")]),
        # who did not come has no visits; who did not say whether may have
        ({"den": [2, np.nan], "tong": [4, 3]},
         [("truoc-2", "lan", "relevant"), ("truoc-2", "qua_1", "relevant"), ("truoc-2", "qua_2", "relevant")]),
        ({"qua_2": [0, np.nan]}, [("truoc-2", "cong", "relevant")]),
        ({"lan": [31], "tong": [1], "muc": [7]},
         [("truoc-2", "lan", "range"), ("truoc-2", "muc", "codes"), ("truoc-2", "tong", "constraint")]),
        ({"lan": [0], "tong": [1]}, [("truoc-2", "lan", "range"), ("truoc-2", "muc", "relevant")]),
    ],
)  # fmt: skip
def test_violations(codebook, columns, expected):
    found = violations(forms(**columns), codebook())
    assert list(found) == ["row_id", "variable", "rule"]
    assert rows(found) == expected


def test_empty_cells_of_questions_that_did_not_apply(codebook):
    nothing = [np.nan, np.nan, np.nan]
    frame = forms(den=[2, 1, np.nan], lan=nothing, muc=nothing, qua_1=nothing, qua_2=nothing, cong=nothing)
    found = not_applicable(frame, codebook())
    # The first did not come: also what hangs on the number of visits and the portal does not apply.
    # The second left its answers blank, of the third nobody knows.
    assert rows(found) == [("truoc-2", name) for name in ("lan", "muc", "qua_1", "qua_2", "cong")]
    assert rows(violations(frame, codebook())) == []


def test_no_rows_and_no_rules(codebook):
    plain = codebook(columns=CODEBOOK.splitlines()[0] + "\nq,q,number,,,,q,q,,,,\n")
    for frame in (forms(lan=[]), pd.DataFrame({"row_id": ["a-2"], "q": [1.0]})):
        for book in (codebook(), plain):
            assert len(violations(frame[["row_id"]], book)) == len(not_applicable(frame[["row_id"]], book)) == 0
    assert len(violations(forms(lan=[]), codebook())) == 0


@given(st.lists(st.tuples(*[st.sampled_from([1.0, 2.0, np.nan])] * 2), min_size=1, max_size=10))
@settings(max_examples=25, deadline=None)
def test_a_cell_is_never_both_answered_and_not_applicable(codebook, answers):
    den, lan = zip(*answers, strict=True)
    book = codebook()
    frame = forms(den=den, lan=lan)
    broken = violations(frame, book)
    skipped = set(rows(not_applicable(frame, book)))
    assert not skipped & set(rows(broken[["row_id", "variable"]]))
    # by hand: not having come (2) settles the number of visits, and nothing else does
    by_hand = {(f"truoc-{at}", "lan") for at, (d, n) in enumerate(answers, start=2) if d == 2 and np.isnan(n)}
    assert {cell for cell in skipped if cell[1] == "lan"} == by_hand


def raw_frame(*lines, columns=("xa", "so", *"abcdefghij")):
    return pd.DataFrame(
        [[*line[:2], *line[2]] for line in lines],
        columns=list(columns),
        index=range(2, len(lines) + 2),
        dtype="category",
    )


def coded_frame(raw):
    items = list("abcdefghij")
    parts = []
    for wave, frame in raw.items():
        part = frame[items].apply(lambda cells: pd.to_numeric(cells.astype(str), errors="coerce"))
        parts.append(part.assign(row_id=[f"{wave}-{line}" for line in frame.index], wave=wave))
    return pd.concat(parts, ignore_index=True), items


FORM, OTHER = "1234512345", "5432154321"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([("A", "1", FORM), ("A", "2", OTHER)], []),
        ([("A", "1", FORM), ("A", "2", OTHER), ("A", "1", FORM), ("A", "1", FORM)],
         [("t-4", "exact", "t-2"), ("t-5", "exact", "t-2")]),
        ([("A", "1", FORM), ("B", "2", FORM)], [("t-3", "answers", "t-2")]),
        ([("A", "1", "4" * 10), ("B", "2", "4" * 10)], []),  # two straight lines
        ([("A", "1", [*FORM[:9], ""]), ("B", "2", [*FORM[:9], ""])], []),  # nine answers are too few
        ([("A", "1", [*FORM[:9], ""]), ("B", "2", [*FORM[:9], "5"])], []),
    ],
)  # fmt: skip
def test_duplicates(lines, expected):
    raw = {"t": raw_frame(*lines)}
    coded, items = coded_frame(raw)
    found = duplicates(raw, coded, items)
    assert list(found) == ["row_id", "kind", "other"]
    assert rows(found) == expected


def test_the_same_form_in_two_waves_is_no_duplicate():
    raw = {"truoc": raw_frame(("A", "1", FORM)), "sau": raw_frame(("A", "1", FORM))}
    assert len(duplicates(raw, *coded_frame(raw))) == 0


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (["Xã", "Họ tên", "Đã đến", "Số lần"], "header"),
        (["XÃ", "", "đã đến ", ""], "header"),
        (["Tổng cộng", "", "120", "340"], "total"),
        (["", "TỔNG", "120", ""], "total"),
        (["", "", "Total:", "340"], "total"),
        (["", "", "Tổng số phiếu: 120", ""], "total"),
        (["Hòa Thuận", "", "Tổng", "3"], None),  # a place is filled: a form
        (["Tổng cộng", "Lê A", "1", "3"], None),  # a name is filled
        (["Xã", "Lê A", "1", "3"], None),
        (["", "", "12", "340"], None),
        (["Tổng Văn An", "", "1", "3"], None),
    ],
)
def test_foreign_rows(codebook, line, kind):
    form = ["Hòa Thuận", "Lê B", "1", "2"]
    raw = pd.DataFrame([form, line, form], columns=["xa", "ten", "den", "lan"], index=[5, 6, 7], dtype="category")
    found = foreign_rows(raw, codebook())
    assert rows(found) == ([(6, kind)] if kind else [])
    for problem in foreign_problems(found, "truoc", "raw/truoc.csv"):
        assert problem.message("en").startswith("raw/truoc.csv, line 6: this row")
        assert "row_id truoc-6, action drop_row" in problem.message("vi")
