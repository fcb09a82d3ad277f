"""Every change of a delivered document that matters is named; re-saving, moving and editing prose is not one."""

from __future__ import annotations

import base64
import copy
import hashlib
import io
import json
import random
import re
import shutil
import subprocess
import time
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.image import imsave

from evalkit.delivered import read_blocks
from evalkit.document_changes import FAILS, Difference, differing
from evalkit.document_check import compare
from evalkit.documents import pandoc, read_markdown
from evalkit.errors import DataError
from evalkit.language import LANGUAGES
from evalkit.pieces import Piece

SOURCE = """
# Kết quả

[Mức hài lòng tăng có ý nghĩa, từ [60,2]{#n1 .number} lên [72,9]{#n2 .number} điểm]{#c1 .claim}. Khảo sát năm 2019.

Nhóm nghiên cứu gặp người dân ở bộ phận một cửa và nghe họ kể.

| Đơn vị | Trước | Sau |
|---|--:|--:|
| Ngã Bảy | [58,4]{#n3 .number} | [71,3]{#n4 .number} |
| Hiệp Lợi | [61,0]{#n5 .number} | [74,6]{#n6 .number} |
| Đại Thành | [59,7]{#n7 .number} | [70,8]{#n8 .number} |

: Điểm theo đơn vị, [1.240]{#n9 .number} phiếu {#table-units}

![Điểm trước và sau](figures/levels.svg){#figure-levels}

## Đối chứng

Ở nhóm đối chứng, điểm thay đổi [−0,5]{#n10 .number} điểm (p [< 0,05]{#n11 .number}).

| Đơn vị | Trước | Sau |
|---|--:|--:|
| Ngã Bảy | [48,4]{#n12 .number} | [41,3]{#n13 .number} |

: Điểm đối chứng {#table-control}

![Thay đổi của từng đơn vị, lớn nhất [14,2]{#n14 .number}](figures/changes.svg){#figure-changes}
"""


def drawn(shade):
    out = io.BytesIO()
    imsave(out, np.full((200, 200), shade), vmin=0, vmax=1, format="png")
    return out.getvalue()


PICTURES = {"levels": drawn(0.2), "changes": drawn(0.7)}


def walk(node, kind):
    """All nodes of one kind in a tree, in order."""
    if isinstance(node, list):
        for part in node:
            yield from walk(part, kind)
    elif isinstance(node, dict):
        if node.get("t") == kind:
            yield node
        yield from walk(node.get("c", []), kind)


def plain(inlines):
    words = {"Str": lambda node: node["c"], "Space": lambda _: " ", "SoftBreak": lambda _: " "}
    spans = {"Span": lambda node: plain(node["c"][1])}
    return "".join((words | spans).get(node["t"], lambda _: "")(node) for node in inlines)


def ledger_of(tree):
    """What a run would write down for a tree."""
    blocks, numbers, claims, pictures = [], [], [], []

    def add(kind, inlines, under, **more):
        key = f"b{len(blocks):04d}"
        spans = [(node["c"][0][0], node["c"][0][1], plain(node["c"][1])) for node in walk(inlines, "Span")]
        own = [{"id": i, "shown": words, "block": key} for i, classes, words in spans if "number" in classes]
        claims.extend({"id": i, "text": words, "block": key} for i, classes, words in spans if "claim" in classes)
        numbers.extend(own)
        ids = [number["id"] for number in own]
        blocks.append({"id": key, "kind": kind, "text": plain(inlines), "numbers": ids, "under": under, **more})
        return key

    under = ""
    for block in tree["blocks"]:
        content = block["c"]
        if block["t"] == "Header":
            under = plain(content[2])
            add("heading", content[2], "")
        elif block["t"] == "Para":
            add("text", content, under)
        elif block["t"] == "Table":
            add("caption", content[1][1][0]["c"], under)
            rows = [*content[3][1], *(row for body in content[4] for row in body[3])]
            for at, row in enumerate(rows):
                for column, cell in enumerate(row[1]):
                    place = {"table": content[0][0], "row": at, "column": column}
                    add("cell", [i for p in cell[4] for i in p["c"]], under, **place)
        elif block["t"] == "Figure":
            name = next(walk(content[2], "Image"))["c"][2][0].removeprefix("figures/").removesuffix(".svg")
            caption = add("caption", content[1][1][0]["c"], under)
            digest = hashlib.sha256(PICTURES[name]).hexdigest()
            pictures.append({"name": name, "png_sha256": digest, "svg_sha256": "", "block": caption})
    return {"blocks": blocks, "numbers": numbers, "claims": claims, "pictures": pictures, "front": ["T"]}


TREE = read_markdown(SOURCE)
LEDGER = ledger_of(TREE)


def write(kind):
    tree = copy.deepcopy(TREE)
    for image in walk(tree["blocks"], "Image"):
        name = image["c"][2][0].removeprefix("figures/").removesuffix(".svg")
        image["c"][2][0] = "data:image/png;base64," + base64.b64encode(PICTURES[name]).decode()
    options = ["--standalone", "--metadata=title=T"] if kind == "html" else []
    return pandoc(json.dumps(tree).encode(), "--from=json", f"--to={kind}", "--output=-", *options)


@pytest.fixture(scope="module")
def documents():
    return {kind: write(kind) for kind in ("docx", "html")}


def parts(docx):
    with zipfile.ZipFile(io.BytesIO(docx)) as package:
        return {name: package.read(name) for name in package.namelist()}


def packed(entries):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        for name, data in entries.items():
            package.writestr(name, data)
    return out.getvalue()


def edit(data, kind, change):
    """The document with its text changed by a function of its XML or HTML."""
    if kind == "html":
        return change(data.decode()).encode()
    entries = parts(data)
    entries["word/document.xml"] = change(entries["word/document.xml"].decode()).encode()
    return packed(entries)


def checked(data, kind, ledger=LEDGER):
    return compare(read_blocks(data, kind), ledger)


def swap(text, a, b):
    assert a in text and b in text
    return text.replace(a, "\0").replace(b, a).replace("\0", b)


def block(text, tags, word):
    """The first block with a word in it, as it stands in the XML or the HTML."""
    return next(b for tag in tags for b in re.findall(rf"<{tag}[ >].*?</{tag}>", text, re.DOTALL) if word in b)


def caption(text, word):
    return block(text, ("w:p", "caption"), word)


def row(text, word):
    return block(text, ("w:tr", "tr"), word)


def paragraph(text, word):
    return block(text, ("w:p", "p"), word)


@pytest.mark.parametrize("kind", ["docx", "html"])
def test_untouched(documents, kind):
    assert checked(documents[kind], kind) == []


PASSAGE = "Mức hài lòng tăng có ý nghĩa, từ 60,2 lên 72,9 điểm. Khảo sát năm 2019."

# What was done, what must be said about it: (kind, old, new) of what fails.
EDITS = {
    "digit in text": (lambda x: x.replace("60,2", "66,2"), [("number", "60,2", "66,2")]),
    "digit in a cell": (lambda x: x.replace("71,3", "77,3"), [("number", "71,3", "77,3")]),
    "digit in a table's caption": (lambda x: x.replace("1.240", "1.840"), [("number", "1.240", "1.840")]),
    "digit in a figure's caption": (lambda x: x.replace("14,2", "44,2"), [("number", "14,2", "44,2")]),
    "sign": (lambda x: x.replace("−0,5", "0,5"), [("number", "-0,5", "0,5")]),
    "comparison": (lambda x: re.sub(r"&lt;(?=\s0,05)", "&gt;", x), [("number", "< 0,05", ">0,05")]),
    "decimals": (lambda x: x.replace("72,9", "73"), [("number", "72,9", "73")]),
    "two numbers of a sentence": (
        lambda x: swap(x, "60,2", "72,9"),
        [("number", "60,2", "72,9"), ("number", "72,9", "60,2")],
    ),
    "two cells of a row": (
        lambda x: swap(x, "61,0", "74,6"),
        [("number", "61,0", "74,6"), ("number", "74,6", "61,0")],
    ),
    "two cells of a column": (
        lambda x: swap(x, "61,0", "59,7"),
        [("number", "61,0", "59,7"), ("number", "59,7", "61,0")],
    ),
    "two rows of different tables": (
        lambda x: swap(swap(x, "58,4", "48,4"), "71,3", "41,3"),
        [("number", *two) for a, b in (("58,4", "48,4"), ("71,3", "41,3")) for two in ((a, b), (b, a))],
    ),
    "number added to a cell": (lambda x: x.replace("61,0", "61,0 (80,0)"), [("number", "61,0", "61,0 (80,0)")]),
    "direction of a claim": (lambda x: x.replace("tăng có", "giảm có"), "claim"),
    "negation of a claim": (lambda x: x.replace("tăng có", "tăng không có"), "claim"),
    "negation before a claim": (lambda x: x.replace("Mức hài", "Không đúng là Mức hài"), "claim"),
    "number in an empty cell": (lambda x: x.replace("Đơn vị<", "Đơn vị 9<", 1), [("number", "Đơn vị", "Đơn vị 9")]),
    "columns under each other's heads": (lambda x: swap(x, "Trước<", "Sau<"), "label"),
    "rows under each other's names": (lambda x: swap(x, "Hiệp Lợi", "Đại Thành"), "number"),
    "name of a row": (lambda x: x.replace("Đại Thành", "Xã Đại Thành"), [("label", "Đại Thành", "Xã Đại Thành")]),
    "row put in": (
        lambda x: x.replace(
            row(x, "Đại"), row(x, "Đại") + row(x, "Đại").replace("Đại", "Tân").replace("59,7", "9,1")
        ),
        [("number", "", "Tân Thành | 9,1 | 70,8")],
    ),
    "passage said again with another number": (
        lambda x: x.replace(paragraph(x, "kể."), paragraph(x, "Mức hài").replace("72,9", "92,9")),
        [("number", PASSAGE, PASSAGE.replace("72,9", "92,9"))],
    ),
    "captions of two tables": (lambda x: swap(x, caption(x, "Điểm theo"), caption(x, "Điểm đối")), "number"),
}


@pytest.mark.parametrize("kind", ["docx", "html"])
@pytest.mark.parametrize("name", EDITS)
def test_what_changes_a_result_fails(documents, kind, name):
    change, expected = EDITS[name]
    found = checked(edit(documents[kind], kind, change), kind)
    failing = [(d.kind, d.old, d.new) for d in found if d.fails]
    if isinstance(expected, str):
        assert {kind for kind, _, _ in failing} == {expected}
    else:
        assert sorted(failing) == sorted(expected)


@pytest.mark.parametrize("kind", ["docx", "html"])
@pytest.mark.parametrize(
    ("of", "word", "ids"),
    [
        (paragraph, "Mức hài", ("n1", "n2", "c1")),
        (row, "Hiệp Lợi", ("n5", "n6")),
        (caption, "1.240", ("n9",)),
    ],
)
def test_a_removed_passage_is_named(documents, kind, of, word, ids):
    found = checked(edit(documents[kind], kind, lambda x: x.replace(of(x, word), "")), kind)
    assert [(d.kind, d.ids) for d in found if d.fails] == [("missing", ids)]
    assert word in found[0].old and found[0].under == "Kết quả"


@pytest.mark.parametrize("kind", ["docx", "html"])
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda x: x.replace("kể.", "kể lại nhiều điều."), {"prose"}),
        (lambda x: x.replace("kể.", "kể 35 chuyện."), {"added"}),
        (lambda x: x.replace("2019", "2018"), {"added"}),
        (lambda x: x.replace("điểm thay đổi", "điểm số chỉ thay đổi"), {"prose"}),
        (lambda x: x.replace(". Khảo sát", ". Đợt khảo sát"), {"prose"}),
        (lambda x: x.replace(paragraph(x, "kể."), ""), {"prose"}),
        (lambda x: swap(x, paragraph(x, "kể."), paragraph(x, "Mức hài")), {"moved"}),
        (lambda x: swap(x, row(x, "Hiệp Lợi"), row(x, "Đại Thành")), {"moved"}),
    ],
)
def test_what_passes_is_listed(documents, kind, change, expected):
    found = checked(edit(documents[kind], kind, change), kind)
    assert {d.kind for d in found} == expected and not any(d.fails for d in found)


@pytest.mark.parametrize(
    ("change", "fails"),
    [
        (lambda x: x.replace("tăng có ý nghĩa", "tăng</w:t></w:r></w:p><w:p><w:r><w:t>có ý nghĩa"), []),
        (lambda x: x.replace("tăng có ý nghĩa", "tăng</w:t></w:r></w:p><w:p><w:r><w:t>không có ý nghĩa"), ["claim"]),
    ],
)
def test_a_paragraph_cut_in_two(documents, change, fails):
    found = checked(edit(documents["docx"], "docx", change), "docx")
    assert [d.kind for d in found if d.fails] == fails


def joined(pieces, at):
    both = Piece("paragraph", (f"{pieces[at].text} {pieces[at + 1].text}",), pieces[at].under)
    return [*pieces[:at], both, *pieces[at + 2 :]]


def test_two_paragraphs_joined(documents):
    pieces = read_blocks(documents["docx"], "docx")
    at = next(j for j, piece in enumerate(pieces) if "60,2" in piece.text)
    assert not any(d.fails for d in compare(joined(pieces, at), LEDGER))
    spoilt = [Piece(p.kind, tuple(c.replace("60,2", "60,7") for c in p.cells)) for p in joined(pieces, at)]
    assert ("number", "60,2", "60,7") in [(d.kind, d.old, d.new) for d in compare(spoilt, LEDGER)]


def test_a_new_paragraph_with_numbers_is_listed(documents):
    new = "<w:p><w:r><w:t>Đã cấp 1.500 thẻ.</w:t></w:r></w:p>"
    found = checked(edit(documents["docx"], "docx", lambda x: x.replace("<w:tbl>", new + "<w:tbl>", 1)), "docx")
    assert [(d.kind, d.new, d.fails) for d in found] == [("added", "Đã cấp 1.500 thẻ.", False)]


def pictures_changed(docx, change):
    entries = parts(docx)
    names = [name for name in sorted(entries) if name.startswith("word/media/")]
    return packed(entries | change(names, [entries[name] for name in names]))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda n, d: dict(zip(n, d[::-1], strict=True)), [("levels", "changes"), ("changes", "levels")]),
        (lambda n, d: {n[0]: drawn(0.5)}, [("levels", "")]),
    ],
)
def test_a_picture_replaced_or_swapped_is_named(documents, change, expected):
    found = checked(pictures_changed(documents["docx"], change), "docx")
    assert sorted((d.kind, d.old, d.new) for d in found) == sorted(("picture", *names) for names in expected)


def test_what_a_computation_says_is_a_claim_in_all_its_words():
    said = {"id": "b1", "kind": "text", "text": "Kết quả là «Đạt».", "computed": True}
    ledger = {"blocks": [said, {"id": "b2", "kind": "text", "text": "Lời văn."}], "numbers": [], "claims": []}
    written = ("Kết quả là “Xuất sắc”.", "Lời văn khác.")
    found = compare([Piece("paragraph", (words,)) for words in written], ledger)
    assert [(d.kind, d.ids) for d in found] == [("claim", ("b1",)), ("prose", ())]
    longer = compare(
        [Piece("paragraph", ("Kết quả là «Đạt». Hội đồng nhất trí.",)), Piece("paragraph", ("Lời văn.",))], ledger
    )
    assert [d.kind for d in longer] == ["prose"]


def test_a_declared_number_around_the_body_is_guarded_and_an_open_line_may_be_filled():
    body = {"id": "b1", "kind": "heading", "text": "Kết quả"}
    front = ["Kinh phí", "450.000.000", "Số: /BC"]
    ledger = {"blocks": [body], "numbers": [], "claims": [], "pictures": [], "front": front}

    def kinds(*lines):
        rows = [Piece("row", line, table=1) for line in lines]
        return [d.kind for d in compare([*rows, Piece("heading", ("Kết quả",))], ledger)]

    assert kinds(("Kinh phí", "450.000.000"), ("Số: /BC",)) == []
    assert kinds(("Kinh phí", "480.000.000")) == ["number"]
    assert kinds(("Số: 12/BC",)) == ["added"]


def test_pictures_next_to_each_other_cannot_change_places():
    blocks = [{"id": name, "kind": "caption", "text": f"Hình của {name}"} for name in ("một", "hai")]
    pictures = [{"name": name, "png_sha256": name, "block": name} for name in ("một", "hai")]
    ledger = {"blocks": blocks, "numbers": [], "claims": [], "pictures": pictures}

    def pieces(*names):
        captions = (Piece("paragraph", (block["text"],)) for block in blocks)
        drawings = (Piece("picture", ("",), digests=(name,)) for name in names)
        return [piece for pair in zip(drawings, captions, strict=True) for piece in pair]

    assert compare(pieces("một", "hai"), ledger) == []
    swapped = [(d.kind, d.old, d.new) for d in compare(pieces("hai", "một"), ledger)]
    assert swapped == [("picture", "một", "hai"), ("picture", "hai", "một")]


def test_the_numbers_of_a_text_alternative_are_guarded():
    alt = {"id": "a1", "kind": "alt", "text": "Cột 1: 60,2; cột 2: 72,9."}
    ledger = {"blocks": [alt], "numbers": [], "claims": [], "pictures": []}
    for words, kinds in (
        (alt["text"], []),
        ("Cột 1: 60,2; cột 2: 79,9.", ["number"]),
        ("Số 1: 60,2; số 2: 72,9.", ["prose"]),
    ):
        assert [d.kind for d in compare([Piece("picture", (words,))], ledger)] == kinds


def test_a_picture_removed_is_named(documents):
    without = edit(documents["html"], "html", lambda x: re.sub("<img[^>]*>", "", x, count=1))
    assert [(d.kind, d.old) for d in checked(without, "html")] == [("missing", "levels")]


def test_a_ledger_that_disagrees_with_itself_fails(documents):
    other = copy.deepcopy(LEDGER)
    other["numbers"][0]["shown"] = "66,2"
    assert [(d.kind, d.old, d.ids) for d in checked(documents["docx"], "docx", other)] == [
        ("number", "66,2", ("n1",))
    ]


@pytest.mark.parametrize("kind", ["docx", "html"])
@given(st.integers(0, len(LEDGER["numbers"]) - 1), st.integers(0, 9), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_digit_of_every_bound_number_is_guarded(documents, kind, number, at, step):
    pieces = read_blocks(documents[kind], kind)
    shown = LEDGER["numbers"][number]["shown"].replace("−", "-")
    digits = [i for i, character in enumerate(shown) if character.isdigit()]
    place = digits[at % len(digits)]
    changed = shown[:place] + str((int(shown[place]) + step) % 10) + shown[place + 1 :]
    other = [
        Piece(p.kind, tuple(c.replace(shown, changed) for c in p.cells), p.under, p.page, p.table, p.digests)
        for p in pieces
    ]
    found = [d for d in compare(other, LEDGER) if d.fails]
    assert {i for d in found if d.kind == "number" for i in d.ids} >= {LEDGER["numbers"][number]["id"]}


def resaved(xml):
    """What Word makes of a text that nobody edited: runs cut anywhere, marks of its own, other quotes and spaces."""
    chance = random.Random(5)

    def cut(match):
        words = match[1].replace(" ", "\u00a0") if chance.random() < 0.2 else match[1]
        at = chance.randrange(len(words) + 1)
        middle = '</w:t></w:r><w:proofErr w:type="spellStart"/><w:r w:rsidR="00AB12CD"><w:t xml:space="preserve">'
        return f'<w:t xml:space="preserve">{words[:at]}{middle}{words[at:]}</w:t>'

    xml = re.sub(r"<w:bookmark(?:Start|End)[^>]*>", "", xml)
    xml = re.sub(r"<w:t(?: [^>]*)?>([^<&]*)</w:t>", cut, xml)
    return xml.replace("<w:p>", '<w:p w:rsidR="00AB12CD" w:rsidRDefault="00EF5678">')


def test_word_may_save_it_again(documents):
    again = edit(documents["docx"], "docx", resaved)
    assert checked(again, "docx") == []
    spoilt = edit(documents["docx"], "docx", lambda x: resaved(x.replace("71,3", "71,8")))
    assert [(d.kind, d.old, d.new) for d in checked(spoilt, "docx")] == [("number", "71,3", "71,8")]


def test_tracked_changes_count_as_accepted(documents):
    run = "<w:r><w:t>{}</w:t></w:r>"
    deleted = "</w:t></w:r><w:del><w:r><w:delText>{}</w:delText></w:r></w:del><w:ins>{}</w:ins><w:r><w:t>"
    tracked = lambda x: x.replace("71,3", deleted.format("71,3", run.format("71,9")))  # noqa: E731
    assert [(d.old, d.new) for d in checked(edit(documents["docx"], "docx", tracked), "docx")] == [("71,3", "71,9")]


def test_hidden_text_does_not_stand_for_what_is_shown(documents):
    hidden = "</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>71,3</w:t></w:r><w:r><w:t>"
    found = checked(edit(documents["docx"], "docx", lambda x: x.replace("71,3", hidden)), "docx")
    assert [(d.kind, d.old, d.new) for d in found] == [("number", "71,3", ""), ("hidden", "", "71,3")]
    found = checked(edit(documents["html"], "html", lambda x: x.replace("71,3", "<b hidden>71,3</b>")), "html")
    assert [(d.kind, d.old) for d in found] == [("number", "71,3")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("soffice") is None, reason="LibreOffice is not installed")
def test_libreoffice_may_save_it_again(documents, tmp_path):
    spoilt = edit(documents["docx"], "docx", lambda x: x.replace("71,3", "71,8"))
    for name, data in (("same", documents["docx"]), ("spoilt", spoilt)):
        (tmp_path / f"{name}.docx").write_bytes(data)
        command = ["soffice", f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}", "--headless"]
        command += ["--convert-to", "docx", "--outdir", str(tmp_path / "again"), str(tmp_path / f"{name}.docx")]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    again = {name: (tmp_path / "again" / f"{name}.docx").read_bytes() for name in ("same", "spoilt")}
    assert checked(again["same"], "docx") == []
    assert [(d.kind, d.old, d.new) for d in checked(again["spoilt"], "docx")] == [("number", "71,3", "71,8")]


@pytest.mark.parametrize(
    "spoil",
    [
        {"blocks": [{"id": "b1"}]},
        {"numbers": "none"},
        {"claims": [[]]},
    ],
)
def test_what_is_no_ledger_is_refused(spoil):
    with pytest.raises(DataError, match=r"ledger\.json"):
        compare([], LEDGER | spoil)


def test_a_long_report_is_compared_quickly():
    rows = [(f"Chỉ tiêu {i}", str(i % 7), f"{i % 90},{i % 10}", "–", "0") for i in range(1000)]
    cells = [(i, at, cell) for i, row in enumerate(rows) for at, cell in enumerate(row)]
    blocks = [
        {"id": f"b{k}", "kind": "cell", "text": cell, "numbers": [], "table": i // 20, "row": i, "column": at}
        for k, (i, at, cell) in enumerate(cells)
    ]
    pieces = [Piece("row", row, table=i // 20) for i, row in enumerate(rows)]
    pieces = [p for i, p in enumerate(pieces) if i % 50] + [Piece("paragraph", ("Năm 2020.",))]
    started = time.perf_counter()
    found = compare(pieces, {"blocks": blocks, "numbers": [], "claims": [], "pictures": []})
    assert len(found) == 21 and time.perf_counter() - started < 2


def test_messages_say_the_place_in_both_languages(documents):
    changed = edit(documents["docx"], "docx", lambda x: x.replace("71,3", "77,3"))
    vi, en = (checked(changed, "docx")[0].message(language) for language in LANGUAGES)
    assert "mục «Kết quả»" in vi and "71,3 → 77,3" in vi and "under “Kết quả”" in en and "Ngã Bảy" in en


@pytest.mark.parametrize("kind", [*FAILS, "prose", "added", "moved"])
@pytest.mark.parametrize("new", ["", "b"])
def test_every_kind_has_its_words(kind, new):
    texts = {Difference(kind, "a", new, page=7).message(language) for language in LANGUAGES}
    assert len(texts) == 2 and all("7" in words for words in texts)


def pdf_of(source, folder):
    import typst

    options = ["--from=json", "--to=typst", "--standalone", "--number-sections", "--toc"]
    made = pandoc(json.dumps(source).encode(), *options)
    for name, data in PICTURES.items():
        (folder / "figures").mkdir(exist_ok=True)
        svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
        (folder / "figures" / f"{name}.svg").write_text(svg if data else "")
    (folder / "report.typ").write_bytes(made)
    return typst.compile(str(folder / "report.typ"), root=str(folder), ignore_system_fonts=True)


def retyped(old, new):
    return json.loads(
        json.dumps(TREE, ensure_ascii=False).replace(json.dumps(old, ensure_ascii=False), json.dumps(new))
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("72,9", "79,2", [("number", "72,9", "79,2")]),
        ("61,0", "67,0", [("number", "61,0", "67,0")]),
        ("14,2", "14,8", [("number", "14,2", "14,8")]),
        ("−0,5", "0,5", [("number", "-0,5", "0,5")]),
    ],
)
def test_a_pdf_is_compared_word_by_word(tmp_path, old, new, expected):
    found = checked(pdf_of(retyped(old, new), tmp_path), "pdf")
    assert [(d.kind, d.old, d.new) for d in found if d.fails] == expected
    assert all(d.page for d in found if d.fails)


def test_a_pdf_without_a_passage(tmp_path):
    tree = TREE | {"blocks": [block for block in TREE["blocks"] if "60,2" not in json.dumps(block)]}
    found = checked(pdf_of(tree, tmp_path), "pdf")
    assert [(d.kind, d.ids) for d in found if d.fails] == [("missing", ("n1", "n2", "c1"))]


def test_a_footnote_of_a_pdf_joins_no_passage(tmp_path):
    tree = copy.deepcopy(TREE)
    paragraphs = [block["c"] for block in tree["blocks"] if block["t"] == "Para"]
    for at, words in ((1, "Phiếu là phiếu mô phỏng."), (-1, "Có 7 phiếu.")):
        paragraphs[at].append({"t": "Note", "c": [{"t": "Para", "c": [{"t": "Str", "c": words}]}]})
    pieces = read_blocks(pdf_of(tree, tmp_path), "pdf")
    notes = [piece.text for piece in pieces if piece.kind == "paragraph"]
    assert " ".join(notes) == "Phiếu là phiếu mô phỏng. Có 7 phiếu."
    found = compare(pieces, LEDGER)
    assert [(d.kind, d.new) for d in found] == [("added", note) for note in notes if "7" in note]


def test_the_head_of_a_table_may_be_said_again_on_the_next_page_of_a_pdf():
    rows = [("Lĩnh vực (tên)", "Đúng hạn (%)"), ("Hộ tịch (A)", "83,7 (%)"), ("Lĩnh vực (đất)", "84,1 (%)")]
    blocks = [
        {"id": f"b{row}{column}", "kind": "cell", "text": words, "table": "t", "row": row, "column": column}
        for row, cells in enumerate(rows)
        for column, words in enumerate(cells)
    ]
    blocks[3]["numbers"], blocks[5]["numbers"] = ["n1"], ["n2"]
    numbers = [{"id": "n1", "shown": "83,7"}, {"id": "n2", "shown": "84,1"}]
    ledger = {"blocks": blocks, "numbers": numbers, "claims": [], "pictures": []}
    head, first, second = (" ".join(cells) for cells in rows)
    for last, expected in ((second, []), (second.replace("84,1", "94,1"), ["number"])):
        pages = [Piece("page", (f"{head} {first}",), page=1), Piece("page", (f"{head} {last}",), page=2)]
        assert [d.kind for d in compare(pages, ledger)] == expected


def test_a_change_is_shown_from_the_same_place_on_both_sides():
    old = "Một hai ba bốn năm sáu bảy tám tăng mười. " + "Câu sau dài lê thê. " * 9 + "Cuối cùng vẫn thế."
    for new in (old.replace("tăng", "giảm"), old.replace("tăng ", "")):
        shown = differing(old, new)
        assert shown[0] == "… bốn năm sáu bảy tám tăng mười. Câu sau dài lê …"
        assert shown[1].startswith("… bốn năm sáu bảy tám ") and shown[1].endswith(" mười. Câu sau dài lê …")
    assert differing("", new) == ("", new)
    both = differing(old, old.replace("ba", "x").replace("vẫn", "y"))
    assert both[1].startswith("Một hai x bốn") and both[1].endswith("lê thê. Cuối cùng y thế.") and " … " in both[1]
