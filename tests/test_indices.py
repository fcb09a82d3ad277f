"""Definitions, published figures and points; the reproduction of PCI and PAPI on the values that were published."""

import dataclasses
import re
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest import approx

import evalkit as ek
from evalkit import index_figures, index_tables, indices
from evalkit.declaration import Band, IndexNode, Labels
from evalkit.indicators import evaluate, judge_targets, reproduce

ROOT = Path(__file__).resolve().parents[1]
REAL = ROOT.parent / "shared" / "data" / "papi_pci_vietnam"
real = pytest.mark.skipif(not REAL.exists(), reason="PAPI and PCI by province lie outside the repository")
SHIPPED = sorted(path.stem for path in (indices.DATA / "indices").glob("*.toml"))
FAMILIES = sorted(path.stem for path in (indices.DATA / "published").glob("*.csv"))
WORDS = Labels(vi="từ", en="word")
NAN = np.nan
HEAD = "definition,area,year,node,value,decimals,source\n"
DEFINITION = """\
[index]
code = "x"
label = { vi = "X", en = "X" }
source = { vi = "thử", en = "a test" }
status = "found"
scope = "province"
composite = "x"
first_year = 2010
last_year = 2012

[[series_break]]
year = 2012
reason = { vi = "đổi câu hỏi", en = "the questions changed" }

[[node]]
code = "x"
label = { vi = "X", en = "X" }
aggregate = "weighted_mean"
items = ["a", "b"]
weights = { a = 25.0, b = 75.0 }
"""
MORE = '\n[[node]]\ncode = "{code}"\nlabel = {{ vi = "Y", en = "Y" }}\naggregate = "{aggregate}"\n{keys}\n'


def node(aggregate, **keys):
    return IndexNode(code="x", label=WORDS, aggregate=aggregate, **keys)


def value(made, **columns):
    return evaluate([made], pd.DataFrame(columns))["x"].tolist()


def real_table(name, composite):
    table = pd.read_csv(REAL / f"{name}.csv").rename(columns=lambda column: column.removeprefix(f"{name}_"))
    return table.rename(columns={"prov": "area", composite: name})


def defined(tmp_path, text=DEFINITION):
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    return indices.read_definition(path)


def published(tmp_path, rows, definition):
    path = tmp_path / "x.csv"
    path.write_text(HEAD + rows, encoding="utf-8")
    return indices.read_published(path, "x.csv", [definition])


def problems(read, *arguments):
    with pytest.raises(ek.DataError) as error:
        read(*arguments)
    assert error.value.message("vi")  # every message can be said in both languages
    return error.value.message("en").split("\n")


# Calculated by hand.
@pytest.mark.parametrize(
    ("made", "columns", "expected"),
    [
        (node("mean", items=["a", "b"]), {"a": [1.0, 2], "b": [3.0, NAN]}, [2, NAN]),
        (node("mean", items=["a", "b"], minimum_answered=0.5), {"a": [1.0, 2], "b": [3.0, NAN]}, [2, 2]),
        (node("sum", items=["a", "b"]), {"a": [1.0, 2], "b": [3.0, NAN]}, [4, NAN]),
        (node("sum", items=["a", "absent"]), {"a": [1.0]}, [NAN]),
        (node("weighted_mean", items=["a", "b"], weights={"a": 20.0, "b": 80.0}), {"a": [1.0], "b": [6.0]}, [5]),
        (node("weighted_mean", items=["a", "b"], weights={"b": 80.0, "a": 20.0}, factor=10.0),
         {"a": [1.0], "b": [6.0]}, [50]),
        (node("weighted_mean", items=["a", "b"], weights={"a": 20.0, "b": 80.0}, minimum_answered=0.5),
         {"a": [1.0, NAN], "b": [NAN, 6.0]}, [1, 6]),
        (node("pooled", items=["a", "b"], of=["n"]), {"a": [30.0, 0], "b": [20.0, 0], "n": [80.0, 0]}, [62.5, NAN]),
        # Decision 766: (all − not satisfied − overdue) / all; those who said nothing count as satisfied.
        (node("pooled", items=["n"], less=["a", "b"], of=["n"]), {"n": [50.0], "a": [3.0], "b": [2.0]}, [90]),
        (node("minmax", items=["a"]), {"a": [2.0, 4, 3]}, [1, 10, 5.5]),
        (node("minmax", items=["a"], direction="lower"), {"a": [2.0, 4, 3]}, [10, 1, 5.5]),
        (node("minmax", items=["a"]), {"a": [2.0, 4, 5, 9], "year": [1, 1, 2, 2]}, [1, 10, 1, 10]),
        (node("minmax", items=["a"], low=0.0, high=10.0), {"a": [2.0, 10]}, [2.8, 10]),
        (node("minmax", items=["a"]), {"a": [2.0, 2.0]}, [NAN, NAN]),
        (node("points", items=["a"], maximum=20.0), {"a": [12.0, 25, NAN]}, [12, 20, NAN]),
    ],
)  # fmt: skip
def test_each_aggregate_by_hand(made, columns, expected):
    assert value(made, **columns) == approx(expected, nan_ok=True)


def test_bands_are_half_open():
    bands = [Band(code=code, label=WORDS, at_least=at) for code, at in (("A", 90.0), ("B", 80.0), ("C", None))]
    found = value(node("bands", items=["a"], bands=bands), a=[90.0, 89.9999, 80, 79.9, -5, 1000, NAN])
    assert found[:6] == ["A", "B", "B", "C", "C", "A"] and pd.isna(found[6])


@given(st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=2, max_size=20, unique=True))
def test_minmax_runs_from_1_to_10_and_turns(numbers):
    up = np.array(value(node("minmax", items=["a"]), a=numbers))
    down = np.array(value(node("minmax", items=["a"], direction="lower"), a=numbers))
    assert up.min() == approx(1) and up.max() == approx(10)
    assert up + down == approx(np.full(len(numbers), 11))


def test_a_node_holds_in_its_years_only():
    nodes = [
        node("sum", items=["a"], last_year=2015),
        node("sum", items=["b"], first_year=2016, last_year=2017),
    ]
    found = evaluate(nodes, pd.DataFrame({"year": [2015, 2016, 2018], "a": [1.0, 1, 1], "b": [2.0, 2, 2]}))
    assert found["x"].tolist() == approx([1, 2, NAN], nan_ok=True)


@real
def test_pci_follows_from_its_parts_in_all_years_but_2011():
    found = reproduce(indices.read_definition("pci"), real_table("pci", "weighted"))
    counts = found.groupby(["year", "finding"]).size().to_dict()
    follows = {year: 64 if year < 2009 else 63 for year in range(2006, 2017) if year != 2011}
    assert counts == {(2005, "outside_validity"): 42, (2011, "differs"): 63} | {
        (year, "follows"): count for year, count in follows.items()
    }
    assert found.loc[found["finding"] == "differs", "difference"].abs().max() == approx(0.5519, abs=1e-4)


@real
def test_papi_follows_from_its_sub_dimensions_and_a_province_without_parts_does_not():
    found = reproduce(indices.read_definition("papi_2011"), real_table("papi", "unweighted"))
    assert set(found["finding"]) == {"follows", "parts_missing"}
    assert found[found["finding"] == "follows"].groupby("node").size().to_dict() == dict.fromkeys(
        ("participation", "transparency", "accountability", "corruption", "procedures", "service", "papi"), 376
    )
    missing = found[found["finding"] == "parts_missing"]
    assert set(missing["year"]) == {2014} and len(missing) == 14
    assert (missing.loc[missing["node"] == "papi", "published"] == 0).all()  # the file says 0 where nothing is known


@real
def test_a_wrong_weight_and_a_changed_value_are_found():
    definition, table = indices.read_definition("pci"), real_table("pci", "weighted").query("year == 2016")
    changed = table.assign(pci=table["pci"].where(table["area"] != "An Giang", table["pci"] + 0.001))
    found = reproduce(definition, changed).query("finding == 'differs'")
    assert found["area"].tolist() == ["An Giang"] and found["difference"].tolist() == approx([0.001], abs=1e-4)
    weights = definition.node[-1].weights | {"entry": 20.0, "labor": 5.0}
    wrong = definition.model_copy(update={"node": (definition.node[-1].model_copy(update={"weights": weights}),)})
    assert (reproduce(wrong, table)["finding"] == "differs").all()


def test_the_sub_dimensions_of_2023_sum_to_the_dimension():
    # PAPI report 2023, table 3.6, Hà Nội.
    parts = dict(zip(("health", "primary", "infrastructure", "law"), (1.7029, 1.9570, 2.2548, 1.9339), strict=True))
    row = {"area": "Hà Nội", "year": 2023, "service": 7.8486} | {f"service_{part}": x for part, x in parts.items()}
    found = reproduce(indices.read_definition("papi_2018"), pd.DataFrame([row])).set_index("node")
    assert found.loc["service", "finding"] == "follows"


def test_a_family_with_its_parts_says_which_years_do_not_follow(tmp_path):
    # By hand: (25·2 + 75·6)/100 = 5; in 2011 4.9 was published, and rounding explains at most 0.55 of one decimal.
    definition = defined(tmp_path)
    values = [(2010, "x", 5.04), (2011, "x", 4.4), *((year, item, at) for year in (2010, 2011) for item, at in
              (("a", 2), ("b", 6))), (2012, "x", 5)]  # fmt: skip
    rows = "".join(f"x,P,{year},{code},{at},1,s\n" for year, code, at in values)
    family = indices.Family("x", (definition,), published(tmp_path, rows, definition))
    shown = index_tables.reproduction(family, "en")
    assert shown["Finding"].tolist() == ["follows from its parts", "does not follow from its parts"]
    assert index_tables.reproduction(indices.read_family("sipas"), "en").empty


def test_the_silence_of_decision_766_stands_beside_every_number():
    definition = indices.read_definition("qd_766")
    said = {code: words.vi for code, words in definition.labels().items()} | {"index": definition.index.label.vi}
    assert {code for code, words in said.items() if "im lặng" in words} == {
        "satisfaction", "feedback_satisfied", "total", "index",
    }  # fmt: skip


def test_published_values_without_composite_parts_or_validity(tmp_path):
    definition = defined(tmp_path)
    table = pd.DataFrame(
        {"area": list("pqrs"), "year": [2010, 2010, 2010, 2013], "a": [1.0, 1, NAN, 1], "b": [5.0, 5, 5, 5],
         "x": [4.0, NAN, 0, 4]}
    )  # fmt: skip
    found = reproduce(definition, table)
    assert found["finding"].tolist() == ["follows", "not_published", "parts_missing", "outside_validity"]


@pytest.mark.parametrize("code", SHIPPED)
def test_shipped_definitions_are_sound_and_say_where_they_stand(code):
    definition = indices.read_definition(code)
    assert definition.index.code == code and len(definition.index.source.vi) > 10
    first, last = definition.index.first_year, definition.index.last_year or 9999
    assert first >= 2025 or last < 2025 or 2025 in {b.year for b in definition.series_break}


@pytest.mark.parametrize("code", FAMILIES)
def test_shipped_series_are_sound(code):
    family = indices.read_family(code)
    assert family.published["source"].ne("").all() and (family.published["value"].dropna() > 0).all()


def test_sipas_is_two_series_and_differences_are_percentage_points():
    sipas = indices.read_family("sipas")
    rows = indices.series(sipas, node="overall", area="Cả nước")
    assert rows.groupby("segment")["year"].agg(list).to_dict() == {0: [2017, 2018, 2019, 2020], 1: [2022, 2023, 2024]}
    change = indices.published_change(sipas, node="overall", area="Cả nước", first=2022, last=2023)
    assert change == approx(2.58)  # 82.66 − 80.08
    assert problems(
        lambda: indices.published_change(sipas, node="overall", area="Cả nước", first=2020, last=2022)
    ) == [
        "published/sipas.csv: the years 2020 and 2022 cannot be compared: the series is broken in 2022 (up to 2021 "
        "users of public services were asked; from 2022 on citizens drawn at random, about policies and services)."
    ]
    assert "was published for 2021" in problems(
        lambda: indices.published_change(sipas, node="overall", area="Cả nước", first=2019, last=2021)
    )[0]  # fmt: skip
    wanted = indices.Published(family="sipas", areas=["Cả nước"], nodes=["overall"])
    sentences = " ".join(index_tables.context_sentences(wanted, sipas, "vi"))
    assert "từ 2023 (82,66) đến 2024 (83,94), chênh lệch +1,28 điểm phần trăm" in sentences
    assert "không tìm được nguồn công bố cho năm 2021;" in sentences
    # The factors of 2023 do not average to the overall.
    parts = [indices.series(sipas, node=part, area="Cả nước").set_index("year")["value"][2023]
             for part in ("access", "procedures", "officials", "results", "feedback")]  # fmt: skip
    assert np.mean(parts) == approx(82.888)  # by hand; the overall of 2023 is 82.66


def test_two_neighbouring_values_across_a_break_get_no_difference(tmp_path):
    definition = defined(tmp_path)
    family = indices.Family(
        "x", (definition,), published(tmp_path, "x,P,2011,x,4,0,s\nx,P,2012,x,6,0,s\n", definition)
    )
    wanted = indices.Published(family="x", areas=["P"])
    assert index_tables.context_sentences(wanted, family, "en")[-1] == (
        "X, P: no difference is given between 2011 and 2012, because the questions changed."
    )


def test_a_missing_province_stays_missing():
    papi = indices.read_family("papi")
    rows = indices.series(papi, node="papi", area="Quảng Ninh").set_index("year")["value"]
    assert np.isnan(rows[2023]) and rows[2024] == 47.82
    wanted = indices.Published(family="papi", areas=["Quảng Ninh"])
    assert index_tables.published(wanted, papi, "vi")["Giá trị công bố"].tolist() == ["–", "47,82"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a = 25.0", "a = 35.0", 'x.toml, "node x": the weights sum to 110; they must sum to 100.'),
        ("a = 25.0, ", "", 'x.toml, "node x": weights for "b", but the parts are "a, b"'),
        ('"a", "b"]', '"a", "b", "a"]', 'x.toml, "node x": "a" is counted twice in this node'),
        ('composite = "x"', 'composite = "z"', 'x.toml, "index.composite": the definition has no node "z"'),
        ("last_year = 2012", "last_year = 2009", 'x.toml, "index.last_year": the last year 2009 is before the first'),
        ('aggregate = "weighted_mean"', 'aggregate = "mean"', 'x.toml, "node x": weights go with '),
        ('"found"', '"certain"', "x.toml, \"index.status\": the value 'certain' is not valid"),
        ("[index]", "[index", 'x.toml: '),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_definition_is_said(tmp_path, old, new, expected):
    assert DEFINITION.count(old) == 1
    assert problems(defined, tmp_path, DEFINITION.replace(old, new))[0].startswith(expected)


@pytest.mark.parametrize(
    ("aggregate", "keys", "expected"),
    [
        ("mean", 'children = ["y"]', 'the child "y" is itself made of this node (a cycle); remove one'),
        ("mean", 'children = ["zz"]', 'the child "zz" is not declared above'),
        ("sum", 'children = ["x"]\nitems = ["c"]', "exactly one of items and children"),
        ("pooled", 'items = ["c"]', "the key of (the denominator)"),
        ("points", 'items = ["c"]', 'aggregate = "points" needs the key maximum'),
        ("minmax", 'items = ["c", "d"]', 'aggregate = "minmax" needs exactly one part, found 2'),
        ("minmax", 'items = ["c"]\nlow = 2.0\nhigh = 1.0', "low = 2 must be below high = 1"),
        ("sum", 'children = ["x"]\nmaximum = 100.0', "the maxima of the criteria (bonus apart) sum to 0"),
        ("bands", 'children = ["x"]', "bands go with aggregate"),
        ("bands", 'children = ["x"]\nbands = [{ code = "A", at_least = 1.0,label = { vi="A", en="A" } }]', "bands"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_node_is_said(tmp_path, aggregate, keys, expected):
    text = DEFINITION + MORE.format(code="y", aggregate=aggregate, keys=keys)
    assert problems(defined, tmp_path, text)[0].startswith(f'x.toml, "node y": {expected}')


def test_a_long_cycle_and_a_part_counted_twice_through_its_parents(tmp_path):
    more = "".join(
        MORE.format(code=code, aggregate="mean", keys=f"children = {children}")
        for code, children in (("p", '["q"]'), ("q", '["p"]'), ("r", '["x"]'), ("s", '["x", "r"]'))
    )
    assert problems(defined, tmp_path, DEFINITION + more) == [
        'x.toml, "node p": the child "q" is itself made of this node (a cycle); remove one of the two directions.',
        'x.toml, "node s": "a" is counted twice in this node; each part may be counted once.',
        'x.toml, "node s": "b" is counted twice in this node; each part may be counted once.',
    ]


def test_all_that_is_wrong_with_published_values_is_said_at_once(tmp_path):
    rows = (
        "x,Thừa Thiên Huế,2010,x,4,0,s\n"
        "x,Thừa Thiên - Huế,2011,x,4,0,s\n"
        "x,Hà Nam,2010,x,4,0,s\nx,Hà Nội,2010,x,4,0,s\n"
        "x,Hà Nam,2010,x,4,0,s\n"
        "x,Hà Nam,2013,x,4,0,s\n"
        "x,Hà Nam,năm 2011,x,4,0,s\n"
        'x,Hà Nam,2012,x,"4,5x",0,s\n'
        "x,Hà Nam,2011,xx,4,0,s\n"
        "z,Hà Nam,2011,x,4,0,s\n"
        "x,tỉnh Hà Nam,2011,x,4,0,s\n"
        "x,Hà Nam,năm 2011,x,4,0,s\n"
    )
    assert problems(published, tmp_path, rows, defined(tmp_path)) == [
        'x.csv, line 3, "area": "Thừa Thiên - Huế" seems to be "Thừa Thiên Huế" spelled differently; spell one name '
        "one way in all years.",
        'x.csv, line 6: "Hà Nam, 2010, x" has two rows; give each value once.',
        'x.csv, line 7, "year": the year 2013 is outside the definition\'s validity (2010–2012); use the '
        'definition of that year.',
        'x.csv, line 8, "year": "năm 2011" is no year; a whole number such as 2023 is needed. 1 more: 13.',
        'x.csv, line 9, "value": "4,5x" is no number; right would be 82.66 or 82,66.',
        'x.csv, line 10, "node": the definition has no node "xx"; is it x?',
        'x.csv, line 11, "definition": there is no definition "z"; the definitions are x.',
        'x.csv, line 12, "area": "tỉnh Hà Nam" seems to be "Hà Nam" spelled differently; spell one name one way in '
        'all years.',
    ]  # fmt: skip


@real
@pytest.mark.parametrize("name", ["pci", "papi"])
def test_real_provinces_are_not_taken_for_each_other(name):
    table = real_table(name, "weighted").assign(line=1)
    assert indices.check_areas(table, name) == []
    spelled = {"Hau Giang": "HẬU GIANG", "Hoa Binh": "HOA  BINH", "Lang Son": "Lang-Son", "Can Tho": "Can Thoo"}
    other = table.assign(area=table["area"].where(table["year"] != 2012, table["area"].replace(spelled)))
    found = {problem.values["found"]: problem.values["expected"] for problem in indices.check_areas(other, name)}
    assert found == {new: old for old, new in spelled.items()}


POINTS = """\
unit,year,criterion,self_points,appraised_points,evidence,reason
xã Hiệp Lợi,2020,c21,18,17.5,có,thiếu biên bản
HL,2020,c22,"24,5",24.5,có,
HL,2020,c23,19,,không,
HL,2020,c24,15,15,có,
"""


def test_a_criterion_without_evidence_is_listed_and_not_scored(tmp_path, nga_bay):
    path, definition = tmp_path / "p.csv", indices.read_definition("bac_giang")
    path.write_text(POINTS, encoding="utf-8")
    found = indices.read_points(path, "p.csv", definition, nga_bay)
    assert found["status"].tolist() == ["scored", "scored", "no_evidence", "scored", "not_given"]
    assert found["difference"].tolist() == approx([-0.5, 0, NAN, 0, NAN], nan_ok=True)
    (total,) = indices.total_points(found, definition).to_dict("records")
    assert total == {"unit": "HL", "year": 2020, "criteria": 5, "scored": 3, "maximum": 60, "self_points": 57.5,
                     "appraised_points": 57, "band": ""}  # fmt: skip
    shown = index_tables.points(found, definition, nga_bay, "en")
    assert shown["Explanation"].tolist() == ["thiếu biên bản", "", "without evidence, not scored", "", "not given"]
    shown = index_tables.points(found, definition, nga_bay, "en", differing=True)
    assert shown["Explanation"].tolist() == ["thiếu biên bản", "without evidence, not scored", "not given"]
    totals = pd.DataFrame([total, total | {"maximum": 80}])
    shown = index_tables.totals(totals, definition, nga_bay, "en").iloc[:, -1]
    assert shown.tolist() == ["not comparable with other rows (another maximum)", ""]
    pd.read_csv(path, dtype=str).to_excel(tmp_path / "p.xlsx", index=False)
    pd.testing.assert_frame_equal(indices.read_points(tmp_path / "p.xlsx", "p.xlsx", definition, nga_bay), found)
    later = index_tables.points_sentences(found.assign(year=[2024, 2024, 2024, 2025, 2025]), definition, "vi")
    broken = "Không so sánh số liệu từ năm 2025 với các năm trước"
    assert any(line.startswith(broken) for line in later)
    assert not any(broken in line for line in index_tables.points_sentences(found, definition, "vi"))
    assert "1 criteria are listed" in " ".join(index_tables.points_sentences(found, definition, "en"))


@pytest.mark.parametrize(("initiative", "stars"), [((5, "có"), "4"), ((0, "có"), "3"), ((5, "không"), "3")])
def test_bonus_points_stand_outside_the_maximum(tmp_path, nga_bay, initiative, stars):
    own = {"information": 15, "courtesy": 15, "satisfaction": 15, "reform": 48, "initiative": initiative[0]}
    rows = [f"HL,2025,{code},{n},{n},{initiative[1] if code == 'initiative' else 'có'}" for code, n in own.items()]
    path, definition = tmp_path / "p.csv", indices.read_definition("dong_nai")
    path.write_text("unit,year,criterion,self_points,appraised_points,evidence\n" + "\n".join(rows), encoding="utf-8")
    found = indices.read_points(path, "p.csv", definition, nga_bay)
    (total,) = indices.total_points(found, definition).to_dict("records")
    assert (total["maximum"], total["band"]) == (100, stars)


def test_what_is_wrong_with_points_is_said_at_once(tmp_path, nga_bay):
    path, definition = tmp_path / "p.csv", indices.read_definition("bac_giang")
    rows = ["xã Hiệp Lơi,2020,c21,18,18,có,", "HL,2020,c99,1,1,có,", "HL,2020,c22,26,25,có,", "HL,2018,c23,1,1,có,",
            "HL,2020,c24,1,1,chắc là có,", "HL,2020,c25,một,1,có,", "HL,2020,c25,1,1,có,"]  # fmt: skip
    path.write_text(POINTS.split("\n")[0] + "\n" + "\n".join(rows), encoding="utf-8")
    found = problems(indices.read_points, path, "p.csv", definition, nga_bay)
    keys = ["unit", "criterion", "self_points", "reason", "year", "evidence", "self_points"]
    assert [re.search(r'line (\d), "(\w+)"', line).groups() for line in found[:-1]] == [
        (str(at), key) for at, key in zip([2, 3, 4, 4, 5, 6, 7], keys, strict=True)
    ]
    assert found[-1] == 'p.csv, line 8: "HL, 2020, c25" has two rows; give each value once.'


LEVELS = [(79.0, 76, 82), (85.0, 80, 90), (85.0, 80.1, 90), (70.0, 65, 79.9), (70.0, 65, 80), (90.0, NAN, NAN)]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("higher", ["undecided", "met", "met", "not_met", "undecided", "undecided"]),
        ("lower", ["undecided", "undecided", "not_met", "met", "met", "undecided"]),
    ],
)
def test_a_target_is_judged_by_the_interval_not_by_the_number(nga_bay, direction, expected):
    index = {"hai_long": nga_bay.index["hai_long"].model_copy(update={"target": 80.0, "direction": direction})}
    rows = [
        {"indicator": "hai_long", "group": f"U{at}", "estimand": "level", "contrast": "after", "method": "linearised",
         "estimate": estimate, "conf_low": low, "conf_high": high}
        for at, (estimate, low, high) in enumerate(LEVELS)
    ]  # fmt: skip
    assert judge_targets(ek.effects.make_effects(rows), index)["verdict"].tolist() == expected


def test_targets_of_the_pilot(nga_bay, effects):
    none = {code: node.model_copy(update={"target": None}) for code, node in nga_bay.index.items()}
    assert index_tables.targets(effects, dataclasses.replace(nga_bay, index=none), "vi").empty
    assert set(index_tables.targets(effects, nga_bay, "vi")["Mục tiêu"]) == {"từ 70 trở lên"}
    index = none | {"hai_long": nga_bay.index["hai_long"].model_copy(update={"target": 62.5})}
    study = dataclasses.replace(nga_bay, index=index)
    shown = index_tables.targets(effects, study, "vi")
    assert set(shown["Đánh giá trước"]) | set(shown["Đánh giá sau"]) <= {"đạt", "chưa đạt", "chưa đủ căn cứ"}
    assert shown["Mục tiêu"].unique().tolist() == ["từ 62,5 trở lên"]
    judged = judge_targets(effects, index)
    assert len(judged) == 2 * len(shown) and set(judged["period"]) == {"before", "after"}
    minimum = study.declared.model_copy(
        update={"privacy": study.declared.privacy.model_copy(update={"minimum_cell": 10**6})}
    )
    hidden = index_tables.targets(effects, dataclasses.replace(study, declared=minimum), "vi")  # fmt: skip
    assert set(hidden["Đánh giá sau"]) == {"–"} and set(hidden["Sau (khoảng tin cậy)"]) == {"–"}


def test_a_study_without_context_has_none_and_a_wrong_one_is_told(make_study):
    folder = make_study()
    study = ek.open_study(folder)
    assert indices.read_context(study) is None
    (folder / "context.toml").write_text(
        '[[published]]\nfamily = "sipas"\nareas = ["Ca nước"]\nnodes = ["overal"]\n'
        '[[self_scored]]\ndefinition = "bac_giang"\nfile = "../x.csv"\n'
        '[[self_scored]]\ndefinition = "bac_giang"\nfile = "x.csv"\n',
        encoding="utf-8",
    )
    found = problems(indices.read_context, study)
    assert [line.split(":")[0] for line in found] == [
        'context.toml, "self_scored.definition"', 'context.toml, "published[1].areas"',
        'context.toml, "published[1].nodes"', 'context.toml, "self_scored[1].file"', "x.csv",
    ]  # fmt: skip
    (folder / "published").mkdir()
    (folder / "published/y.csv").write_text(HEAD + "../x,P,2010,x,4,0,s\npcy,P,2010,x,4,0,s\n", encoding="utf-8")
    (folder / "p.csv").write_text(POINTS, encoding="utf-8")
    (folder / "context.toml").write_text(
        '[[published]]\nfamily = "sipaz"\nareas = ["P"]\n[[published]]\nfamily = "y"\nareas = ["P"]\n'
        '[[self_scored]]\ndefinition = "bac_gian"\nfile = "p.csv"\n'
        '[[self_scored]]\ndefinition = "friendly_survey"\nfile = "p.csv"\n',
        encoding="utf-8",
    )
    told = "in the folder {} of the study, nor does it come with evalkit; is it "
    found = problems(indices.read_context, study)
    assert found[0] == f'context.toml, "published[1].family": there is no "sipaz" {told.format("published")}sipas?'
    assert found[1].startswith(f'published/y.csv, line 2, "definition": there is no "../x" {told.format("indices")}')
    assert found[2].endswith("is it pci?")
    assert found[3].startswith('context.toml, "self_scored[1].definition"') and found[3].endswith("is it bac_giang?")
    assert found[4].startswith('p.csv: "friendly_survey" is no set of points')


CAUSAL = re.compile(
    r"thí điểm|mô hình|nhờ |tác động của|do đó|pilot|because of|due to|thanks to|effect|impact on|led to",
    re.IGNORECASE,
)


def linking(sentences, study):
    """Sentences that speak of the pilot, its places or causes."""
    names = [word for unit in study.declared.units for word in unit.spellings if len(word) > 2]
    return [s for s in sentences if CAUSAL.search(s) or any(name in s for name in names)]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_sentence_links_published_indices_to_the_pilot(nga_bay, language):
    for code in FAMILIES:
        family = indices.read_family(code)
        wanted = indices.Published(family=code, areas=tuple(dict.fromkeys(family.published["area"])))
        sentences = index_tables.context_sentences(wanted, family, language)
        assert len(sentences) > 1 and linking(sentences, nga_bay) == []
        assert linking(index_tables.published(wanted, family, language).astype(str).sum(axis=1), nga_bay) == []
    catalogue = ek.language.catalogue()
    texts = [pair[language] for key, pair in catalogue.items() if key.startswith("context_")]
    assert linking(texts, nga_bay) == []


def test_the_guard_sees_a_link(nga_bay):
    sentences = [
        "SIPAS tăng nhờ mô hình.",
        "SIPAS rose due to the pilot.",
        "Ở xã Hiệp Lợi SIPAS tăng.",
        "SIPAS tăng.",
    ]
    assert linking(sentences, nga_bay) == sentences[:3]


def test_the_pilots_context_and_its_figures(nga_bay, tmp_path):
    context = indices.read_context(nga_bay)
    wanted, family = context.families[0]
    axes = index_figures.published(wanted, family, "vi")
    segments = [line for line in axes.lines if len(line.get_xdata()) > 2]
    assert [list(line.get_xdata()) for line in segments] == [[2017, 2018, 2019, 2020], [2022, 2023, 2024]]
    assert [line.get_xdata()[0] for line in axes.lines if line not in segments] == [2021.5]
    gap = dataclasses.replace(family, published=family.published.query("year != 2018"))
    first = index_figures.published(wanted, gap, "vi").lines[0].get_ydata()
    assert np.isnan(first).tolist() == [False, True, False, False]  # nothing is drawn over a year without a value
    empty = wanted.model_copy(update={"areas": ("Không có",)})
    assert index_figures.published(empty, family, "vi") is None
    ((definition, points),) = context.points
    axes = index_figures.points(points, definition, nga_bay, "en")
    drawn = [x for line in axes.lines[:-1] for x in line.get_xdata()]
    assert sorted(drawn) == sorted(points.loc[points["status"] == "scored", "difference"])
    assert index_figures.points(points.assign(difference=NAN), definition, nga_bay, "en") is None
    script = runpy.run_path(str(ROOT / "data/nga-bay/simulate_context.py"))
    written = (ROOT / "data/nga-bay/context/tu_cham_diem.csv").read_text(encoding="utf-8").splitlines()
    assert [",".join(row) for row in script["rows"]()] == written[1:]
