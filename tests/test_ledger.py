"""The ledger: passages of a document, ids of its numbers and claims, and what each number must look like."""

import json

import pandas as pd
import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import evalkit as ek
from evalkit.documents import read_markdown
from evalkit.language import MINUS, number, plain, text
from evalkit.ledger import Entries, fingerprint, identifiers, ledger_bytes, make_ledger, passages, shown_again
from evalkit.paper import spanned, told_origins
from evalkit.tracing import add, as_name, resolve, trace, tracing


def entered(source, entries, cell=0):
    """Traced Markdown as the report takes it."""
    words, spans = resolve(source, escaped=plain)
    return entries.enter(spanned(words, spans), told_origins(spans), "01_cleaning", cell)


SOURCE = """\
# Đầu mục *nghiêng*

Đoạn với **đậm**, `mã`, ~~bỏ~~, H~2~O, "ngoặc", [liên kết](a.html), ![ảnh](b.png) và {a}.

> Trích {b}

- gạch {c}

    1. trong {d}

| dòng {e}
| hai

Thuật ngữ {f}

:   nghĩa {g}

::: {{.note}}
Khối {h}
:::

```
mã 5
```

-----

Nhóm   Trước
------ -----
A      {i}

: Bảng {j} {{#table-levels}}

![Hình {k}](figures/levels.svg){{#figure-levels}}
"""
PASSAGES = [
    ("heading", "Đầu mục nghiêng", {}),
    ("text", "Đoạn với đậm, mã, , H2O, \"ngoặc\", liên kết, và 1.", {}),
    ("text", "Trích 2", {}), ("text", "gạch 3", {}), ("text", "trong 4", {}),
    ("text", "dòng 5", {}), ("text", "hai", {}), ("text", "Thuật ngữ 6", {}), ("text", "nghĩa 7", {}),
    ("text", "Khối 8", {}),
    ("caption", "Bảng 10", {"table": "levels"}),
    ("cell", "Nhóm", {"table": "levels", "row": 0, "column": 0}),
    ("cell", "Trước", {"table": "levels", "row": 0, "column": 1}),
    ("cell", "A", {"table": "levels", "row": 1, "column": 0}),
    ("cell", "9", {"table": "levels", "row": 1, "column": 1}),
    ("caption", "Hình 11", {"figure": "levels"}),
]  # fmt: skip


@pytest.fixture(scope="module")
def document():
    with tracing():
        entries = Entries()
        numbers = {name: number(at, 0, "vi") for at, name in enumerate("abcdefghijk", start=1)}
        table_first = SOURCE.format(**{name: f"%{name}%" for name in numbers})
        for name, traced in numbers.items():
            table_first = table_first.replace(f"%{name}%", entered(traced, entries))
        return read_markdown(table_first), entries


def test_passages_of_every_kind_of_block(document):
    found = passages(document[0])
    own = ("id", "kind", "text", "numbers", "claims", "under")
    assert [(one["kind"], one["text"], {k: v for k, v in one.items() if k not in own}) for one in found] == PASSAGES
    assert [one["id"] for one in found] == [f"b{at:05d}" for at in range(1, len(PASSAGES) + 1)]
    assert {one["under"] for one in found} == {"Đầu mục nghiêng"}
    held = [name for one in found for name in one["numbers"]]
    assert sorted(held) == sorted(identifiers(document[0])) == [f"n{at:05d}" for at in range(1, 12)]
    assert not any(one["claims"] for one in found)


def test_a_ledger_names_the_passage_of_each_number_and_the_words_of_each_picture(document):
    tree, entries = document
    pictures = [{"name": "levels", "alt": "Mức:\n 1 đến 2", "drawn": [1.5]}]
    ledger = make_ledger(tree, entries, pictures, study="thử")
    kinds = [one["kind"] for one in ledger["blocks"]]
    assert ledger["study"] == "thử" and kinds[-2:] == ["alt", "caption"]
    assert ledger["blocks"][-2]["text"] == "Mức: 1 đến 2"
    places = {one["id"]: one for one in ledger["blocks"]}
    for one in ledger["numbers"]:
        assert one["id"] in places[one["block"]]["numbers"] and one["shown"] in places[one["block"]]["text"]
    assert ledger["pictures"][0]["block"] == ledger["blocks"][-1]["id"]
    assert ledger_bytes(ledger) == ledger_bytes(json.loads(ledger_bytes(ledger)))


def test_claims_keep_their_words_and_the_numbers_within():
    with tracing():
        entries = Entries()
        inner = add(number(-2.25, 1, "vi"), effect="x/all/did")
        claim = trace("claim", f"giảm {inner} so với {as_name('Ấp 3')}", rule={"is": "fall"}, effects=["x/all/did"])
        source = entered(f"Số A {claim}.", entries, cell=4) + "\n\n" + entered(number(7, 0, "vi"), entries, cell=5)
    ledger = make_ledger(read_markdown(source), entries, [])
    (told,) = ledger["claims"]
    assert told == {"id": "c00001", "effects": ["x/all/did"], "notebook": "01_cleaning", "cell": 4,
                    "text": f"giảm {MINUS}2,2 so với Ấp 3", "block": "b00001"}  # fmt: skip
    first, second = ledger["numbers"]
    assert (first["id"], first["shown"], first["value"], first["effect"]) == (
        "n00001",
        f"{MINUS}2,2",
        -2.25,
        "x/all/did",
    )
    assert (second["id"], second["block"], second["cell"]) == ("n00002", "b00002", 5)


def test_a_number_that_did_not_reach_the_document_is_missed(document):
    tree, _ = document
    with tracing():
        entries = Entries()
        for value in range(12):
            entered(number(value, 0, "vi"), entries)
    with pytest.raises(KeyError, match="n00012"):
        make_ledger(tree, entries, [{"name": "levels", "alt": "Mức"}])


@given(st.floats(-1e9, 1e9), st.integers(0, 6), st.booleans(), st.sampled_from(["vi", "en"]))
def test_a_number_is_shown_again_by_value_and_rule(value, decimals, sign, language):
    with tracing():
        shown, (span,) = resolve(number(value, decimals, language, sign=sign))
    entry = json.loads(json.dumps({"value": span.origin.value, "rule": span.origin.rule}))
    assert shown_again(entry, language) == shown


@given(st.integers(-(10**12), 10**12), st.sampled_from(["vi", "en"]))
def test_a_count_is_shown_again(value, language):
    with tracing():
        words, spans = resolve(text("picture_others", language, count=value, least="", most=""))
    (entry,) = told_origins(spans)
    assert shown_again(entry, language) == entry["shown"] and entry["shown"] in words


@pytest.mark.parametrize(("value", "below", "expected"), [
    (0.0004, 0.001, "< 0,001"), (0.001, 0.001, ""), (0.02, 0.001, ""), (0.004, 0.01, "< 0,01"),
])  # fmt: skip
def test_what_is_below_a_bound_is_shown_so(value, below, expected):
    assert shown_again({"value": value, "rule": {"below": below}}, "vi") == expected


@pytest.mark.parametrize("language", ["vi", "en"])
def test_each_number_of_a_real_report_is_shown_again(language):
    """Tables, sentences and claims of organ-donations (Kessler & Roth, published)."""
    study = ek.open_study(ROOT / "data/organ-donations")
    scores = ek.score(ek.clean(ek.read(study), study).responses, study.index, study.codebook)
    effects = ek.compare(scores, study.design, study.plan, study.index)
    rates = list(study.index)
    with tracing():
        entries = Entries()
        frames = [
            ek.tables.effects(effects, study, language, indicators=rates, groups=["pilot", "comparison"]),
            ek.tables.did(effects, study, language, indicators=rates),
        ]
        frames.append(ek.tables.effects(effects, study, language, indicators=rates, groups=list(study.design.arms)))
        sentences = ek.tables.shock_sentences(effects, study, language, indicator=rates[0])
        source = "\n\n".join([*(entered(ek.tables.markdown(frame), entries) for frame in frames),
                              *(entered(words, entries) for words in sentences)])  # fmt: skip
    ledger = json.loads(ledger_bytes(make_ledger(read_markdown(source), entries, [])))
    assert len(ledger["numbers"]) > 30
    again = pd.Series({one["id"]: shown_again(one, language) for one in ledger["numbers"]})
    assert again.to_dict() == {one["id"]: one["shown"] for one in ledger["numbers"]}
    changed = [one | {"value": one["value"] + 10} for one in ledger["numbers"] if "below" not in one["rule"]]
    assert not any(shown_again(one, language) == one["shown"] for one in changed)


@given(st.binary(), st.binary())
def test_a_fingerprint_can_be_read_out_and_tells_bytes_apart(one, other):
    assert len(fingerprint(one)) == 19 and (fingerprint(one) == fingerprint(other)) == (one == other)


def test_what_is_no_number_has_no_place_in_a_ledger():
    with pytest.raises(ValueError, match="JSON"):
        ledger_bytes({"value": float("nan")})
