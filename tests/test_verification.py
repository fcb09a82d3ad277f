"""A verifier that cannot fail is worth nothing: every change is caught and named, and honest ones pass."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from base64 import b64encode
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import docx
import pandas as pd
import pytest
import yaml
from conftest import ROOT
from pypdf import PdfWriter
from pypdf.generic import NameObject, StreamObject
from typer.testing import CliRunner

import evalkit as ek
from evalkit import recomputation, verdicts, verification
from evalkit.cli import app
from evalkit.language import LANGUAGES, catalogue, text
from evalkit.ledger import fingerprint
from evalkit.ledger_check import Finding
from evalkit.verification import Verdict, verify

SOFFICE = shutil.which("soffice")
RAISED = {"Q32011,0.2636": "Q32011,0.5636", "Q42011,0.2607": "Q42011,0.5607", "Q12012,0.2641": "Q12012,0.5641"}
CLAIM = "Mức thay đổi ở đơn vị thí điểm cao hơn ở đơn vị đối chứng"
IN_TEXT, IN_TABLE = "0,5628", "+0,2915"


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """The organ donations with California's rates raised, so that one statement says «cao hơn»."""
    folder = tmp_path_factory.mktemp("nghiên cứu") / "hiến tạng"
    shutil.copytree(ROOT / "data" / "organ-donations", folder)
    retype(folder / "raw" / "organ_donations.csv", RAISED)
    return folder


@pytest.fixture(scope="session")
def made(study, tmp_path_factory):
    return ek.run(study, tmp_path_factory.mktemp("báo cáo"), language="vi")


@pytest.fixture
def report(made, tmp_path):
    """A copy to tamper with, without what takes long to read."""
    left_out = shutil.ignore_patterns("*.pdf", "summary*", "one-page*", "letter*", "figures", "tables", "notebooks")
    return shutil.copytree(made, tmp_path / "bản sao", ignore=left_out)


@pytest.fixture
def as_made(made, monkeypatch):
    """The run comes out as it did, without the time that it takes: what is compared is the report's."""

    def compose(study, output, language, progress):
        for table in made.glob("*.csv"):
            shutil.copy(table, output)
        return SimpleNamespace(ledger=(made / "ledger.json").read_bytes())

    def remake(study, document):
        return {path.name: path.read_bytes() for kind in ("html", "docx", "pdf") for path in made.glob(f"*.{kind}")}

    monkeypatch.setattr(verification, "compose", compose)
    monkeypatch.setattr(verification, "remake", remake)
    monkeypatch.setattr(verification, "disturbed", lambda study: iter(()))


def retype(path, changes):
    content = path.read_bytes().decode()
    for old, new in changes.items():
        assert old in content, old
        content = content.replace(old, new)
    path.write_bytes(content.encode())


def parts(path, change):
    """Rewrite a docx, each of its parts by change(name, bytes)."""
    with zipfile.ZipFile(path) as package:
        held = {name: package.read(name) for name in package.namelist()}
    with zipfile.ZipFile(path, "w") as package:
        for name, data in held.items():
            package.writestr(name, change(name, data))


def runs(book, where):
    cells = (paragraph for table in book.tables for cell in table._cells for paragraph in cell.paragraphs)
    return (run for paragraph in (cells if where == "table" else book.paragraphs) for run in paragraph.runs)


def typed(old, new, where="text"):
    """What somebody does in Word: types over the first place, or everywhere."""

    def change(path):
        book = docx.Document(path)
        found = [run for run in runs(book, where) if old in run.text]
        assert found, old
        found[0].text = found[0].text.replace(old, new, 1)
        book.save(path)

    return change


def deleted(path):
    book = docx.Document(path)
    paragraph = next(one for one in book.paragraphs if CLAIM in one.text)
    paragraph._p.getparent().remove(paragraph._p)
    book.save(path)


def redrawn(path):
    """One pixel of the first figure."""
    from PIL import Image

    def change(name, data):
        if name != first:
            return data
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        picture.putpixel((40, 40), (255, 0, 0))
        saved = io.BytesIO()
        picture.save(saved, "png")
        return saved.getvalue()

    first = pictures(path)[0]
    parts(path, change)


def pictures(path):
    with zipfile.ZipFile(path) as package:
        return sorted(name for name in package.namelist() if name.startswith("word/media/"))


def swapped(path):
    one, other = pictures(path)[:2]
    with zipfile.ZipFile(path) as package:
        held = {one: package.read(other), other: package.read(one)}
    parts(path, lambda name, data: held.get(name, data))


def ledger_in_docx(path, ledger):
    """Another ledger, None for none."""
    inside = f'<ledger xmlns="urn:evalkit:ledger">{b64encode(ledger).decode()}</ledger>' if ledger else "<none/>"
    parts(path, lambda name, data: inside.encode() if name == "customXml/item1.xml" else data)


def ledger_in_html(path, ledger):
    page = path.read_text(encoding="utf-8")
    inside = ledger.decode().replace("<", "\\u003c") if ledger else ""
    script = f'<script type="application/json" id="ledger">{inside}</script>' if ledger else ""
    found = re.subn(r'<script type="application/json" id="ledger">.*?</script>', lambda _: script, page, flags=re.S)
    assert found[1] == 1
    path.write_text(found[0], encoding="utf-8")


def ledger_in_pdf(path, ledger):
    writer = PdfWriter(clone_from=path)
    del writer._root_object["/Names"]["/EmbeddedFiles"]
    if "/AF" in writer._root_object:
        del writer._root_object["/AF"]
    if ledger:
        writer.add_attachment("ledger.json", ledger)
    writer.write(path)


LEDGER_IN = {"docx": ledger_in_docx, "html": ledger_in_html, "pdf": ledger_in_pdf}


def tampered(report, **changes):
    """The ledger's bytes with the first number that is shown as 0,5628 changed."""
    ledger = json.loads((report / "ledger.json").read_text(encoding="utf-8"))
    next(one for one in ledger["numbers"] if one["shown"] == IN_TEXT).update(changes)
    return ek.ledger.ledger_bytes(ledger)


def found(verdict):
    return {one.reason: one for one in reversed(verdict.findings) if one.fails}


# Documents by themselves


@pytest.mark.parametrize("name", ["report.docx", "report.html", ""])
def test_the_untouched_report_passes(report, name):
    verdict = verify(report / name, recompute=False)
    assert (verdict.outcome, verdict.findings, verdict.holds) == ("unaltered", [], True)
    plan = [] if name else ["verdict_plan_none"]  # the study is at hand
    assert verdict.evidence == ["verdict_saw_documents", "verdict_not_recomputed", *plan]


def test_a_plan_changed_since_it_was_frozen_is_said_without_a_run(report, study):
    folder = shutil.copytree(study, report.parent / "study")
    ek.freezing.freeze(ek.open_study(folder), on=date(2020, 1, 2), late=True)
    assert verify(report, data=folder, recompute=False).evidence[-1] == "verdict_plan_same"
    lock = json.loads((folder / "plan.lock").read_text(encoding="utf-8"))
    lock["parts"]["plan"] = "0"
    (folder / "plan.lock").write_text(json.dumps(lock), encoding="utf-8")
    verdict = verify(report, data=folder, recompute=False)
    assert verdict.outcome == "unaltered" and verdict.evidence[-1] == "verdict_plan_changed"
    assert [(one.reason, one.new, one.fails) for one in verdict.findings] == [("plan_changed", "plan", False)]


def test_an_excerpt_says_of_which_report(made):
    whole = fingerprint((made / "ledger.json").read_bytes())
    verdict = verify(made / "letter.docx", recompute=False, known_fingerprint=whole)
    assert verdict.excerpt_of == whole != verdict.fingerprint  # a name that anybody may write into a ledger
    assert verdict.outcome == "unmatched" and set(found(verdict)) == {"fingerprint_known"}
    said = verdicts.in_words(verdict, "vi")
    assert f"bản trích của báo cáo có mã kiểm chứng {whole}" in said and "hãy kiểm chứng cả báo cáo đó" in said
    own = verify(made / "letter.docx", recompute=False, known_fingerprint=verdict.fingerprint)
    assert own.outcome == "unaltered" and "verdict_saw_fingerprint" in own.evidence
    assert verify(made, recompute=False).excerpt_of == ""


def test_the_untouched_report_with_its_pdf_and_its_shorter_versions_passes(made):
    for path in (made, *made.glob("*.pdf"), *made.glob("*.docx")):
        verdict = verify(path, recompute=False)
        assert verdict.outcome == "unaltered" and found(verdict) == {}, path.name


@pytest.mark.parametrize(
    ("change", "reason", "old", "new"),
    [
        (typed(IN_TEXT, "0,5638"), "document_number", IN_TEXT, "0,5638"),
        (typed(IN_TABLE, "+0,3915", "table"), "document_number", IN_TABLE, "+0,3915"),
        (typed("cao hơn ở đơn vị", "thấp hơn ở đơn vị"), "document_claim", CLAIM, CLAIM.replace("cao", "thấp")),
        (deleted, "document_missing", CLAIM, ""),
        (redrawn, "document_picture", "", ""),
        (swapped, "document_picture", "levels_rate", "shocks"),
    ],
    ids=["number", "cell", "higher to lower", "passage deleted", "figure redrawn", "figures swapped"],
)
def test_a_change_in_word_is_caught_and_named(report, change, reason, old, new):
    change(report / "report.docx")
    for verdict in (verify(report / "report.docx", recompute=False), verify(report, recompute=False)):
        assert verdict.outcome == "altered" and not verdict.holds
        one = found(verdict)[reason]
        assert old in one.old and new in one.new
        assert set(found(verdict)) == {reason}
        assert one.place.startswith("report.docx: ") and "mục «" in one.place


@pytest.mark.parametrize(
    ("change", "reason", "old", "new"),
    [
        ((f">{IN_TEXT}</span>", ">0,5638</span>"), "document_number", IN_TEXT, "0,5638"),
        (("cao hơn ở đơn vị đối chứng: ", "thấp hơn ở đơn vị đối chứng: "), "document_claim", "cao hơn", "thấp hơn"),
        (("data:image/svg+xml;base64,", "data:image/svg+xml;base64,IA=="), "document_picture", "_rate", ""),
    ],
    ids=["number", "claim", "picture"],
)
def test_a_change_of_the_page_is_caught_and_named(report, change, reason, old, new):
    page = (report / "report.html").read_text(encoding="utf-8")
    body, mark, ledger = page.partition('<script type="application/json"')
    front, body = body[: body.index("<main")], body[body.index("<main") :]
    assert change[0] in body
    (report / "report.html").write_text(front + body.replace(*change, 1) + mark + ledger, encoding="utf-8")
    verdict = verify(report / "report.html", recompute=False)
    one = found(verdict)[reason]
    assert verdict.outcome == "altered" and old in one.old and new in one.new
    assert one.place.startswith("report.html: ")


def test_edited_prose_passes_and_is_listed(report):
    typed("Câu chữ do chương trình viết", "Lời văn của báo cáo")(report / "report.docx")
    verdict = verify(report / "report.docx", recompute=False)
    assert verdict.outcome == "unaltered"
    assert {(one.reason, one.fails) for one in verdict.findings} == {("document_prose", False)}
    assert "Lời văn" in verdict.findings[0].new
    assert "D7" in verdicts.in_words(verdict, "vi")


# The ledger


@pytest.mark.parametrize("kind", LEDGER_IN)
@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"value": 0.6628}, {"ledger_inconsistent", "fingerprint_printed"}),
        ({"shown": "0,6628"}, {"ledger_inconsistent", "fingerprint_printed", "document_number"}),
        ({"value": 0.6628, "shown": "0,6628"}, {"ledger_inconsistent", "fingerprint_printed", "document_number"}),
    ],
    ids=["value", "shown", "both"],
)
def test_a_ledger_changed_inside_a_document_is_caught(made, report, kind, changes, reasons):
    shutil.copy(made / f"report.{kind}", report)
    LEDGER_IN[kind](report / f"report.{kind}", tampered(report, **changes))
    verdict = verify(report / f"report.{kind}", recompute=False)
    assert verdict.outcome == "altered" and set(found(verdict)) == reasons
    if kind == "docx":
        beside = found(verify(report, recompute=False))["ledger_differs"]
        assert (beside.place, beside.old) == ("report.docx", fingerprint((report / "ledger.json").read_bytes()))


@pytest.mark.parametrize("kind", LEDGER_IN)
def test_a_stripped_ledger_is_caught(made, report, kind):
    for other in report.glob("report.*"):
        other.unlink()
    shutil.copy(made / f"report.{kind}", report)
    LEDGER_IN[kind](report / f"report.{kind}", None)
    with pytest.raises(ek.DataError, match="the file holds no ledger"):
        verify(report / f"report.{kind}", recompute=False)
    assert found(verify(report, recompute=False))["ledger_stripped"].place == f"report.{kind}"


@pytest.fixture
def forged(report):
    """A document changed together with its ledger and the fingerprint printed in it; that of the original."""
    original = (report / "ledger.json").read_bytes()
    ledger = original.decode().replace(IN_TEXT, "0,5638").replace("0.5628", "0.5638").encode()
    book = docx.Document(report / "report.docx")
    for old, new in ((IN_TEXT, "0,5638"), (fingerprint(original), fingerprint(ledger))):
        for run in (*runs(book, "text"), *runs(book, "table")):
            if old in run.text:
                run.text = run.text.replace(old, new)
    book.save(report / "report.docx")
    ledger_in_docx(report / "report.docx", ledger)
    return report / "report.docx", fingerprint(original), ledger


def test_document_and_ledger_changed_together_pass_alone_and_it_is_said(forged):
    verdict = verify(forged[0], recompute=False)
    assert verdict.outcome == "unaltered" and verdict.evidence == ["verdict_saw_documents", "verdict_not_recomputed"]
    said = verdicts.in_words(verdict, "en")
    assert "altered together with its ledger is not caught this way" in said and "does not show" in said


def test_document_and_ledger_changed_together_are_caught_by_the_fingerprint(forged):
    document, known, ledger = forged
    verdict = verify(document, recompute=False, known_fingerprint=known.lower().replace("-", " "))
    assert verdict.outcome == "unmatched" and not verdict.holds and "verdict_saw_fingerprint" in verdict.evidence
    one = found(verdict)["fingerprint_known"]
    assert (one.old, one.new) == (known.lower().replace("-", " "), fingerprint(ledger))
    assert "is not caught this way" not in verdicts.in_words(verdict, "en")


def test_document_and_ledger_changed_together_are_caught_beside_the_report_folder(forged):
    verdict = verify(forged[0].parent, recompute=False)
    assert {"ledger_differs", "document_number"} == set(found(verdict))


@pytest.mark.parametrize("part", ["excerpt_of", "response_to"])
def test_a_forged_report_that_says_to_be_another_document_is_caught_by_the_run(forged, study, as_made, part):
    document, known, ledger = forged
    other = ledger.replace(b'"study"', f'"{part}": "{known}",\n "study"'.encode(), 1)
    ledger_in_docx(document, other)
    renamed = document.rename(document.with_name("bao-cao.docx"))
    assert renamed.name in {one.place for one in verify(document.parent, recompute=False).findings}
    verdict = verify(document.parent, data=study)
    assert found(verdict)["number_differs"].place.startswith("bao-cao.docx: ")


def test_files_that_look_like_documents_and_are_not_read_are_listed(report):
    shutil.copy(report / "report.docx", report / "report-2.DOCX")
    shutil.copy(report / "report.html", report / "verdict-report.html")
    verdict = verify(report, recompute=False)
    assert verdict.holds and [one.place for one in verdict.findings] == ["report-2.DOCX"]


def test_document_and_ledger_changed_together_are_caught_by_the_run(forged, study, as_made):
    verdict = verify(forged[0], data=study)
    one = found(verdict)["number_differs"]
    assert verdict.outcome == "partly" and (one.old, one.new) == ("0,5638", IN_TEXT)
    assert one.place.endswith("rate|pilot|level|after|linearised|estimate")


# Computed again


def test_a_pdf_with_the_same_words_and_another_look_is_caught_by_the_run(made, report, study, as_made):
    shutil.copy(made / "report.pdf", report)
    assert "document_remade" not in found(verify(report, data=study))
    writer = PdfWriter(clone_from=report / "report.pdf")
    cover = StreamObject()
    cover.set_data(writer.pages[-1].get_contents().get_data() + b"\nq 1 g 0 0 600 400 re f Q")
    writer.pages[-1][NameObject("/Contents")] = writer._add_object(cover)
    writer.write(report / "report.pdf")
    assert found(verify(report, recompute=False)) == {}
    assert found(verify(report, data=study))["document_remade"].place == "report.pdf"


def test_an_excerpt_changed_together_with_its_ledger_is_caught_by_the_run(made, report, study, as_made):
    shutil.copy(made / "letter.docx", report)
    path = report / "letter.docx"
    own = ek.word.read_ledger(path.read_bytes())
    ledger = own.replace("thí điểm".encode(), "thí nghiệm".encode())
    assert ledger != own
    ledger_in_docx(path, ledger)
    assert found(verify(report, data=study))["passage_differs"].place.startswith("letter.docx: ")


def test_an_excerpt_by_itself_is_compared_with_the_same_excerpt_made_again(made, study, as_made):
    verdict = verify(made / "letter.docx", data=study)
    assert verdict.outcome == "reproduced" and verdict.counts["numbers_same"] == verdict.counts["numbers"] > 0


def test_a_document_that_was_not_handed_over_is_listed(report, study, as_made):
    verdict = verify(report, data=study)
    gone = {one.place for one in verdict.findings if one.reason == "document_gone"}
    assert verdict.holds and gone == {"letter.docx", "one-page.docx", "one-page.pdf", "report.pdf", "summary.docx"}


def edit_ledger(part, at, **changes):
    def change(report):
        path = report / "ledger.json"
        ledger = json.loads(path.read_text(encoding="utf-8"))
        ledger[part][at].update({key: new(ledger[part][at][key]) for key, new in changes.items()})
        path.write_bytes(ek.ledger.ledger_bytes(ledger))

    return change


def edit_number(**changes):
    return lambda report: (report / "ledger.json").write_bytes(tampered(report, **changes))


def drop(part, at):
    def change(report):
        path = report / "ledger.json"
        ledger = json.loads(path.read_text(encoding="utf-8"))
        del ledger[part][at]
        path.write_bytes(ek.ledger.ledger_bytes(ledger))

    return change


def edit_table(report):
    table = pd.read_csv(report / "specifications.csv")
    table.loc[3, "estimate"] += 1e-6
    table.to_csv(report / "specifications.csv", index=False)


def shift(drawn):
    return [drawn[0] + 0.01, *drawn[1:]]


@pytest.mark.parametrize(
    ("change", "reason", "place", "outcome"),
    [
        (lambda report: None, None, "", "reproduced"),
        (edit_number(value=0.5628001), "number_below_rounding", "rate|pilot|level|after", "below_rounding"),
        (edit_number(value=0.5638, shown="0,5638"), "number_differs", "rate|pilot|level|after", "partly"),
        (edit_ledger("claims", 2, direction=lambda _: "lower"), "claim_differs", "rate / pilot - ", "partly"),
        (edit_ledger("pictures", 1, drawn=shift), "picture_differs", "series_rate", "partly"),
        (drop("numbers", -1), "number_new", "", "partly"),
        (drop("pictures", 0), "picture_new", "levels_rate", "partly"),
        (edit_table, "effect_differs", "specifications.csv: rate / ", "partly"),
        (lambda report: (report / "effects.csv").unlink(), "table_new", "effects.csv", "partly"),
        (lambda report: (report / "old.csv").write_text("a"), "table_gone", "old.csv", "partly"),
        (lambda report: (report / "log.csv").write_text("a"), "table_differs", "log.csv", "partly"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_what_does_not_come_out_again_is_named(report, study, as_made, change, reason, place, outcome):
    for document in report.glob("report.*"):
        document.unlink()
    change(report)
    verdict = verify(report, data=study)
    assert verdict.outcome == outcome
    follows = {"document_gone"}  # from the documents that were left out, and from a number that was changed
    follows |= {"ledger_inconsistent", "passage_differs"} if reason else set()
    assert {one.reason for one in verdict.findings} - follows == {reason} - {None}
    assert all(place in one.place for one in verdict.findings if one.reason == reason)
    assert verdict.evidence == [
        "verdict_saw_ledger", "verdict_recomputed", "verdict_plan_none", "verdict_disturbed"
    ]  # fmt: skip
    assert verdict.holds == (outcome in ("reproduced", "below_rounding"))


def test_a_report_of_which_little_comes_out_is_not_reproduced(report, study, as_made):
    ledger = json.loads((report / "ledger.json").read_text(encoding="utf-8"))
    for number in ledger["numbers"][:150]:
        number["shown"] += "9"
    (report / "ledger.json").write_bytes(ek.ledger.ledger_bytes(ledger))
    verdict = verify(report, data=study)
    assert verdict.outcome == "not" and verdict.counts["numbers_same"] == len(ledger["numbers"]) - 150


def test_other_software_and_other_files_are_listed(report, study, tmp_path, as_made, monkeypatch):
    monkeypatch.setattr("evalkit.provenance.version", lambda name: "9.9" if name == "numpy" else "1.0")
    monkeypatch.setattr("evalkit.provenance.LOCK", tmp_path / "none.lock")
    other = shutil.copytree(study, tmp_path / "other")
    retype(other / "README.md", {"o": "0"})
    verdict = verify(report, data=other)
    listed = {(one.reason, one.place): one for one in verdict.findings}
    assert verdict.outcome == "reproduced" and found(verdict) == {}
    assert listed["software_changed", "numpy"].new == "9.9"
    assert ("lock_changed", "requirements.lock") in listed and ("inputs_changed", "README.md") in listed
    assert "P2" in verdicts.in_words(verdict, "vi")


def test_what_depends_on_the_order_of_rows_is_listed(made, study, monkeypatch):
    effects = ek.effects.read_effects(made / "effects.csv")

    def first_row(raw, study):
        return {"effects.csv": effects.assign(estimate=float(next(iter(raw.frames.values())).index[0]))}

    monkeypatch.setattr(recomputation, "_tables", first_row)
    (one,) = recomputation.disturbed(ek.open_study(study))
    assert (one.reason, one.place, one.old) == ("depends_on_order", "effects.csv", str(len(effects)))
    assert not one.fails


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_the_untouched_report_is_reproduced(made, tmp_path):
    result = call("verify", made, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "không chạy mã lệnh nào đi kèm báo cáo" in lines[0] and lines[1] == "TÁI LẬP ĐƯỢC"
    said = json.loads((tmp_path / "out" / "verdict.json").read_text(encoding="utf-8"))
    assert said["outcome"] == "reproduced" and not [one for one in said["findings"] if one["fails"]]
    total = said["counts"]["numbers"]
    assert total > 150 and f"Khớp: {total}/{total} con số, 3/3 nhận định, 6/6 hình" in result.stdout


def test_one_cell_of_the_raw_data_is_caught_and_named(report, study, tmp_path):
    other = shutil.copytree(study, tmp_path / "other")
    retype(other / "raw" / "organ_donations.csv", {"California,Q32011,0.5636": "California,Q32011,0.5736"})
    result = call("verify", report, "--data", other, "--language", "en")
    assert result.exit_code == 1, result.output
    said = json.loads((report / "verdict.json").read_text(encoding="utf-8"))
    found = {(one["reason"], one["old"], one["new"]) for one in said["findings"]}
    assert ("number_differs", IN_TEXT, "0,5661") in found  # the mean of three quarters rises by 0.01 / 3
    changed = [one["place"] for one in said["findings"] if one["reason"] == "inputs_changed"]
    assert changed == ["raw/organ_donations.csv"]
    assert {"effect_differs", "picture_differs"} <= {reason for reason, *_ in found}
    assert said["outcome"] in ("partly", "not") and "S1" in result.stdout


@pytest.mark.slow
def test_rows_in_another_order_are_reproduced(report, study, tmp_path):
    other = shutil.copytree(study, tmp_path / "other")
    raw = other / "raw" / "organ_donations.csv"
    head, *rows = raw.read_text(encoding="utf-8").splitlines(keepends=True)
    raw.write_text(head + "".join(reversed(rows)), encoding="utf-8")
    verdict = verify(report, data=other)
    assert verdict.holds and found(verdict) == {}
    assert ("inputs_changed", "raw/organ_donations.csv") in {(one.reason, one.place) for one in verdict.findings}


@pytest.mark.slow
@pytest.mark.skipif(not SOFFICE, reason="LibreOffice is not installed")
def test_a_document_that_libreoffice_saved_again_passes(report, tmp_path):
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [SOFFICE, profile, "--headless", "--convert-to", "docx", "--outdir", tmp_path, report / "report.docx"]
    subprocess.run(command, check=True, capture_output=True)
    shutil.move(tmp_path / "report.docx", report / "report.docx")
    for path in (report, report / "report.docx"):
        assert found(verify(path, recompute=False)) == {}


# What cannot be verified


def without(name):
    return lambda report: (report / name).unlink()


def written(name, content):
    return lambda report: (report / name).write_bytes(content)


def bad_ledger(ledger):
    return lambda report: ledger_in_docx(report / "report.docx", ledger)


def foreign(report):
    docx.Document().save(report / "report.docx")


PART = b'{"language": "vi", "study": "x", "simulated": false, "numbers": [{"id": "n1"}]}'


@pytest.mark.parametrize(
    ("change", "subject", "message"),
    [
        (without("run.json"), "", r"has no run\.json"),
        (without("ledger.json"), "", r"has no ledger\.json"),
        (written("run.json", b"[]"), "", r"run\.json: this file is damaged"),
        (written("run.json", b'{"study": 5}'), "", r"run\.json: this file is damaged"),
        (written("run.json", "{}".encode("utf-16")), "", r"run\.json: this file is damaged"),
        (foreign, "report.docx", r"report\.docx: the file holds no ledger"),
        (written("report.docx", b"PK\3\4" + bytes(99)), "report.docx", "cannot be read as docx"),
        (written("report.pdf", b"%PDF-1.7"), "report.pdf", "cannot be read as pdf"),
        (written("report.txt", b"3,2"), "report.txt", r'this file is "\.txt"'),
        (lambda report: None, "no such report", "no such file or folder"),
        (lambda report: None, "nothere.docx", r"nothere\.docx: there is no such file"),
        (lambda report: None, "nothere.zip", r"nothere\.zip: there is no such file"),
        (bad_ledger(b"\xff"), "report.docx", "its ledger is damaged"),
        (bad_ledger(b"[]"), "report.docx", "its ledger is damaged"),
        (bad_ledger(PART), "report.docx", "its ledger is damaged"),
    ],
)
def test_what_cannot_be_verified_is_said_and_ends_with_2(report, change, subject, message):
    change(report)
    result = call("verify", report / subject, "--no-run", "--language", "en")
    assert result.exit_code == 2 and re.search(message, result.stderr), result.output
    assert "Traceback" not in result.output
    with pytest.raises(ek.DataError) as error:
        verify(report / subject, recompute=False)
    assert error.value.message("vi")


@pytest.mark.parametrize("code", ["4C93-EA71", "4C93-EA71-2C7C-352G", "4C93-EA71-2C7C-3522-0", " "])
def test_what_is_no_fingerprint_is_refused(report, code):
    result = call("verify", report, "--no-run", "--fingerprint", code)
    assert result.exit_code == 2 and "mã kiểm chứng gồm 16 ký tự" in result.stderr


def test_a_fingerprint_that_does_not_match_ends_with_1_and_does_not_say_altered(report):
    result = call("verify", report / "report.docx", "--no-run", "--fingerprint", "4c93ea71 2c7c-3522")
    assert result.exit_code == 1 and "MÃ KIỂM CHỨNG KHÔNG KHỚP" in result.stdout and "mã gõ sai" in result.stdout
    assert "ĐÃ BỊ SỬA" not in result.stdout


def test_an_altered_document_ends_with_1(report):
    typed(IN_TEXT, "0,5638")(report / "report.docx")
    result = call("verify", report / "report.docx", "--no-run")
    assert result.exit_code == 1 and "VĂN BẢN ĐÃ BỊ SỬA" in result.stdout
    assert f"{IN_TEXT} → 0,5638" in result.stdout
    assert not (report / "verdict.json").exists()


# The verdict


FOUND = [
    Finding("software_changed", "numpy", "2.4.6", "2.5.0", fails=False),
    Finding("document_number", "report.docx: trang 5", "3,2", "4,2"),
    Finding("inputs_changed", "raw/<script>|**x**.csv", "82302b40410e", "82302b40410f", fails=False),
]
VERDICT = Verdict(
    "nga-bay", "nga-bay", "vi", True, "E3B0-C442-98FC-1C14", "partly", ["verdict_recomputed"], FOUND,
    {"numbers": 3120, "numbers_same": 3119, "claims": 44, "pictures": 20, "rows": 812},
)  # fmt: skip


def words(path):
    book = docx.Document(path)
    cells = (cell.text for table in book.tables for cell in table._cells)
    header = (paragraph.text for paragraph in book.sections[0].header.paragraphs)
    return "\n".join([*header, *(paragraph.text for paragraph in book.paragraphs), *cells])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "outcome", ["reproduced", "below_rounding", "partly", "not", "unaltered", "altered", "unmatched"]
)
def test_every_outcome_has_its_words(outcome, language):
    said = verdicts.in_words(replace(VERDICT, outcome=outcome), language)
    lines = said.splitlines()
    assert lines[:2] == [text("simulated", language), text(f"verdict_outcome_{outcome}", language)]
    assert ("3.119/3.120" if language == "vi" else "3,119/3,120") in said
    assert said.index("D1  report.docx: trang 5: 3,2 → 4,2") < said.index("P2  numpy: 2.4.6 → 2.5.0")


@pytest.mark.parametrize(
    ("finding", "vi", "en"),
    [
        (
            Finding("depends_on_chance", "effects.csv", "3", "5.6e-07", fails=False),
            "S14  effects.csv: 3 giá trị thay đổi, nhiều nhất 5,6·10⁻⁷",
            "S14  effects.csv: values that change: 3, by at most 5.6·10⁻⁷",
        ),
        (Finding("effect_differs", "e.csv", "0.446", "-1234.5"), "S8  e.csv: 0,446 → −1.234,5", "0.446 → −1,234.5"),
        (Finding("effect_differs", "e.csv", "nan", "pilot"), "S8  e.csv: – → pilot", "– → pilot"),
    ],
)
def test_numbers_that_were_computed_are_written_as_the_language_does(finding, vi, en):
    for language, line in (("vi", vi), ("en", en)):
        assert line in verdicts.in_words(replace(VERDICT, findings=[finding]), language)


def test_a_changed_claim_is_shown_where_it_changed():
    old = f"{'Lời dẫn rất dài. ' * 12}Mức hài lòng tăng rõ.{' Lời kết rất dài.' * 12}"
    claim = Finding("document_claim", "report.docx", old, old.replace("tăng", "giảm"))
    (line,) = (
        line for line in verdicts.in_words(replace(VERDICT, findings=[claim]), "vi").splitlines() if "  D2" in line
    )
    assert line.count("Mức hài lòng") == 2 and "tăng rõ. Lời kết" in line and "giảm rõ. Lời kết" in line


def test_every_reason_has_a_code_and_words():
    reasons = {key.removeprefix("verdict_reason_") for key in catalogue() if key.startswith("verdict_reason_")}
    assert reasons == set(verdicts.CODES) and len(set(verdicts.CODES.values())) == len(reasons)
    source = (ROOT / "evalkit" / "verification.py").read_text(encoding="utf-8")
    assert set(re.findall(r'Finding\(\s*"(\w+)"', source)) <= reasons


def test_the_verdict_on_simulated_data_says_so_everywhere(tmp_path):
    files = verdicts.write_verdict(VERDICT, tmp_path, "vi")
    names = [f"verdict-DU-LIEU-MO-PHONG.{kind}" for kind in ("json", "html", "docx")]
    assert [file.name for file in files] == [*names, "codecheck.yml"]
    page, said = files[1].read_text(encoding="utf-8"), words(files[2])
    for shown in (page, said):
        assert "DỮ LIỆU MÔ PHỎNG" in shown and "CHỈ TÁI LẬP ĐƯỢC MỘT PHẦN" in shown and "Chữ ký: ……" in shown
    assert "<script" not in page and "raw/<script>|**x**.csv" in said
    assert json.loads(files[0].read_text(encoding="utf-8"))["findings"][1] | {"code": "D1"} == {
        "code": "D1", "reason": "document_number", "place": "report.docx: trang 5", "old": "3,2", "new": "4,2",
        "fails": True,
    }  # fmt: skip


def test_a_long_verdict_shows_the_first_and_counts_the_rest(tmp_path):
    many = [Finding("effect_differs", f"effects.csv: m{at} [estimate]", "1", "2") for at in range(200)]
    files = verdicts.write_verdict(replace(VERDICT, findings=FOUND + many, simulated=False), tmp_path, "en")
    said = words(files[2])
    assert said.count("effects.csv: m") == 14 and "Findings not shown here: 188" in said and "S8 (200): " in said
    assert files[2].name == "verdict.docx" and "SIMULATED" not in said
    assert len(json.loads(files[0].read_text(encoding="utf-8"))["findings"]) == 203


def test_the_same_verdict_gives_the_same_bytes(tmp_path):
    first, again = (verdicts.write_verdict(VERDICT, tmp_path / name, "vi") for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]


def test_codecheck_yml_follows_its_specification(report):
    verdicts.write_verdict(replace(VERDICT, simulated=False), report, "vi")
    content = yaml.safe_load((report / "codecheck.yml").read_text(encoding="utf-8"))
    assert content["version"] == "https://codecheck.org.uk/spec/config/1.0/"
    assert content["paper"] == {"title": "nga-bay"} and content["summary"].startswith("CHỈ TÁI LẬP ĐƯỢC MỘT PHẦN")
    files = [entry["file"] for entry in content["manifest"]]
    assert {"report.docx", "report.html", "ledger.json", "effects.csv"} <= set(files)
    assert all((report / file).is_file() for file in files)
    assert {"codechecker", "report"} <= content.keys() and "check_time" not in content
