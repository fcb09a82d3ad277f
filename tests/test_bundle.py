"""What leaves with a report, and what is let in from elsewhere."""

import io
import json
import re
import shutil
import stat
import tomllib
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from rocrate.rocrate import ROCrate

import evalkit as ek
from evalkit import bundle
from evalkit.bundle import bundle_differences, open_bundle, write_bundle
from evalkit.declaration import Privacy
from evalkit.provenance import inputs
from evalkit.sharing import shared_responses, simulated_study, smallest_combination

SHARED = ("[plan]\n", '[privacy]\nshare_responses = true\nquasi_identifiers = ["tuoi"]\n{more}\n[plan]\n')


def sharing(more=""):
    return (SHARED[0], SHARED[1].format(more=more))


@pytest.fixture
def reported(make_study, tmp_path):
    """A study and a report folder on it with what a bundle needs, as `reported(study=…)` makes it."""

    def make(**replaced):
        study = ek.open_study(make_study(**replaced))
        report = tmp_path / "report"
        (report / "notebooks").mkdir(parents=True, exist_ok=True)
        software = {"evalkit": "1.0"}
        ledger = {"study": "study", "language": "vi", "inputs": inputs(study), "software": software}
        where = "../study"
        cell = {"cell_type": "code", "source": [f"folder = {where!r}\n"], "text": [f"{bundle.ROOT}/evalkit/x.py:1"]}
        contents = {
            "ledger.json": json.dumps(ledger),
            "run.json": json.dumps({"study": where, "language": "vi"}),
            "report.html": "<p>Thái độ: 66,7</p><script>0912345678</script>",
            "effects.csv": "indicator,estimate,low\nthai_do,12.34567,10.23456\n",
            "notebooks/report.ipynb": json.dumps({"cells": [cell]}, ensure_ascii=False),
            "verdict.json": "{}",
        }
        for name, content in contents.items():
            (report / name).write_text(content, encoding="utf-8")
        return study, report

    return make


def names(path):
    return zipfile.ZipFile(path).namelist()


def test_a_bundle_is_a_crate_that_opens_again(reported):
    study, report = reported()
    path = write_bundle(study, report)
    first = path.read_bytes()
    assert write_bundle(study, report).read_bytes() == first
    with open_bundle(path) as folder:
        assert bundle_differences(folder) == []
        assert (folder / "effects.csv").read_bytes() == (report / "effects.csv").read_bytes()
        assert json.loads((folder / "run.json").read_text())["study"] == "study"
        crate = ROCrate(folder)
        run = crate.get("#run")
        assert run.type == "CreateAction" and run["instrument"].id == "#evalkit"
        raw = {one["name"]: one["sha256"] for one in run["object"] if one.id.startswith("#input")}
        assert raw == {name: inputs(study)[name] for name in ("raw/truoc.csv", "raw/sau.csv")}
        assert {one.id for one in crate.data_entities} == set(names(path)) - {"ro-crate-metadata.json"}
        everything = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert not folder.exists()
    for told in (str(report.parent), str(bundle.ROOT), "Nguyễn Mẫu", "H1,"):
        assert told.encode() not in everything, told
    assert not {"study/raw/truoc.csv", "verdict.json", "bundle.zip"} & set(names(path))


@pytest.mark.parametrize(
    ("more", "leaves"),
    [("minimum_cell = 1", True), ("minimum_cell = 2", False), ("", False)],
)
def test_responses_leave_only_where_nobody_stands_out(reported, more, leaves):
    study, report = reported(study=sharing(more))
    found = names(write_bundle(study, report))
    assert ("responses/shared.csv" in found) == leaves
    assert any(name.startswith("simulated/") for name in found) != leaves
    shared = shared_responses(ek.clean(ek.read(study), study), study)
    assert (shared is not None) == leaves
    if leaves:
        assert list(shared) == ["wave", "unit", "tuoi", "q1", "q2"]


@pytest.mark.parametrize(
    "privacy",
    ['quasi_identifiers = ["tuoi"]', "share_responses = true", ""],
)
def test_without_both_declarations_nothing_leaves(make_study, privacy):
    study = ek.open_study(make_study(study=("[plan]\n", f"[privacy]\nminimum_cell = 1\n{privacy}\n[plan]\n")))
    assert shared_responses(ek.clean(ek.read(study), study), study) is None


@pytest.mark.parametrize("name", ["khong_co", "ho_ten"])
def test_a_quasi_identifier_must_be_known(make_study, name):
    study = ek.open_study(make_study(study=(SHARED[0], SHARED[1].format(more="").replace("tuoi", name))))
    with pytest.raises(ek.DataError, match=f"privacy.quasi_identifiers.*{name}"):
        shared_responses(ek.clean(ek.read(study), study), study)


@given(
    some.lists(some.tuples(*[some.sampled_from("ab")] * 3, some.sampled_from([1.0, 2.0, None])), min_size=1),
    some.booleans(),
)
def test_the_smallest_combination_is_the_smallest(rows, with_people):
    responses = pd.DataFrame(rows, columns=["wave", "unit", "sex", "age"])
    people = [at // 2 for at in range(len(rows))]
    if with_people:
        responses["respondent"] = people
    counted = {row: set() for row in rows}
    for at, row in enumerate(rows):
        counted[row].add(people[at] if with_people else at)
    assert smallest_combination(responses, ["sex", "age"]) == min(map(len, counted.values()))


@given(
    some.lists(some.sampled_from(["gioi_tinh", "tuoi", "hoc_van", "mot_cua", "ap"]), max_size=3, unique=True),
    some.integers(1, 2160),
    some.integers(1, 8),
)
@example(["gioi_tinh"], 2160, 8)
def test_no_shared_combination_is_below_the_minimum(nga_bay, survey, quasi, count, least):
    privacy = Privacy(share_responses=True, quasi_identifiers=quasi, minimum_cell=least)
    study = replace(nga_bay, declared=nga_bay.declared.model_copy(update={"privacy": privacy}))
    shared = shared_responses(replace(survey, responses=survey.responses.sample(count, random_state=1)), study)
    assert shared is not None or (quasi, count, least) != (["gioi_tinh"], 2160, 8), "something is shared at all"
    if shared is not None:
        columns = ["cluster" if name == "ap" else name for name in quasi]
        assert quasi and shared.value_counts(["wave", "unit", *columns], dropna=False).min() >= least
        assert not set(shared) & ({"row_id", "respondent", "interviewer", "cluster"} - set(columns))


def test_the_simulated_study_runs_and_has_nobody_in_it(tmp_path, nga_bay, survey):
    files = simulated_study(survey, nga_bay)
    assert files == simulated_study(survey, nga_bay)
    assert tomllib.loads(files["study.toml"].decode())["study"]["simulated"] is True
    (tmp_path / "raw").mkdir()
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    again = ek.open_study(tmp_path)
    drawn = ek.clean(ek.read(again), again)
    scores = ek.score(drawn.responses, again.index, again.codebook, keep=again.design.composition)
    assert len(ek.compare(scores, again.design, again.plan, again.index))
    counts = drawn.responses.groupby(["wave", "unit"]).size()
    assert counts.equals(survey.responses.groupby(["wave", "unit"]).size()), "which the report shows anyway"
    # Drawn column by column: answers that go together no longer do.
    answers = ["q1_1", "q1_2"]
    assert survey.responses[answers].corr().iloc[0, 1] > 0.2 > abs(drawn.responses[answers].corr().iloc[0, 1])
    shares = [frame["q1_1"].value_counts(normalize=True) for frame in (survey.responses, drawn.responses)]
    assert (shares[0] - shares[1]).abs().max() < 0.05
    cells = {cell for name, data in files.items() if "raw/" in name for cell in re.split("[,\n]", data.decode())}
    raw = ek.read(nga_bay).frames
    for name, variable in nga_bay.codebook.items():
        if variable.type in ("identifier", "time") or name in ("ma_ho", "ap", "dtv"):
            assert not cells & {text for frame in raw.values() for text in frame[name] if text}


@pytest.mark.parametrize(
    ("file", "content", "place"),
    [
        ("report.html", "<p>Gọi <b>0912 345 678</b></p>", "report.html: .*: phone numbers \\(1"),
        ("log.csv", "a,b\nx,y\nz,Nguyễn Văn Thử\n", "log.csv, line 3: .*: names of persons \\(1"),
        ("tables/t.csv", "a\nai@vi-du.vn\n", "tables/t.csv, line 2: .*: e-mail addresses \\(1"),
        ("notebooks/x.ipynb", '{"a":\n"chị Lan nói"}', "notebooks/x.ipynb, line 2: .*: names of persons \\(1"),
    ],
)
def test_personal_data_stop_the_bundle(reported, file, content, place):
    study, report = reported()
    (report / file).parent.mkdir(exist_ok=True)
    (report / file).write_text(content, encoding="utf-8")
    with pytest.raises(ek.DataError, match=place) as refused:
        write_bundle(study, report)
    assert not (report / "bundle.zip").exists()
    assert not any(told in str(refused.value) for told in ("0912", "Nguyễn", "Lan", "vi-du"))


def test_the_text_of_the_team_goes_along_and_is_searched(reported):
    study, report = reported()
    text = study.folder / "text" / "introduction.md"
    text.parent.mkdir()
    (text.parent / "~$duction.docx").write_bytes(b"held open")
    for words, refused in (("Bài viết sạch.", False), ("Gọi 0912 345 678.", True)):
        text.write_text(words, encoding="utf-8")
        ledger = json.loads((report / "ledger.json").read_text()) | {"inputs": inputs(study)}
        (report / "ledger.json").write_text(json.dumps(ledger))
        if refused:
            with pytest.raises(ek.DataError, match=r"study/text/introduction\.md, line 1: .*phone numbers"):
                write_bundle(study, report)
        else:
            found = [name for name in names(write_bundle(study, report)) if "text/" in name]
            assert found == ["study/text/introduction.md"]


def test_personal_data_in_word_stop_it_and_the_leader_named_as_such_does_not(reported):
    import docx

    leader = '[report]\nleader = "TS. Nguyễn Thị Mẫu"\n\n[plan]\n'
    study, report = reported(study=("[plan]\n", leader))
    document = docx.Document()
    document.add_paragraph("Chủ nhiệm: TS. Nguyễn Thị Mẫu")
    document.save(report / "report.docx")
    write_bundle(study, report)
    document.add_paragraph("Bà ").add_run("Trần Thị Thử")
    document.save(report / "report.docx")
    with pytest.raises(ek.DataError, match=r"report.docx: .*: names of persons \(1"):
        write_bundle(study, report)


@pytest.mark.parametrize("name", ["raw/sau.csv", "corrections.csv"])
def test_a_study_changed_since_the_report_is_refused(reported, name):
    study, report = reported()
    with (study.folder / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(ek.DataError, match=f"{name}: this file is not the one the report was made from"):
        write_bundle(study, report)


def test_a_folder_without_ledger_is_no_report(reported):
    study, report = reported()
    (report / "ledger.json").unlink()
    with pytest.raises(ek.DataError, match=r"ledger\.json"):
        write_bundle(study, report)


def crate(*files):
    listed = [{"@id": name, "@type": "File", "sha256": "0"} for name in files]
    return json.dumps({"@graph": listed}).encode()


METADATA = "ro-crate-metadata.json"
BAD_METADATA = (b"", b"[]", b'{"@graph": [1]}', b'{"@graph": []}', crate("a").replace(b'"0"', b"[]"), b"[" * 9999)
SOUND = {METADATA: crate("a"), "ledger.json": b"{}", "run.json": b"{}"}


def zipped(*more, without=(), compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in [*((n, d) for n, d in SOUND.items() if n not in without), *more]:
            archive.writestr(name, data)
    return buffer.getvalue()


def link(name):
    entry = zipfile.ZipInfo(name)
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return entry


def flagged(data, flag):
    """The zip with a flag set in the directory and in the header of its last file."""
    at = data.rindex(b"PK\x01\x02")
    local = data.rindex(b"PK\x03\x04")
    return data[: local + 6] + bytes([flag]) + data[local + 7 : at + 8] + bytes([flag]) + data[at + 9 :]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no zip file"),
        (b"PK\x03\x04 nothing", "no zip file"),
        (zipped(("x", b"x" * 999))[:600], "no zip file"),
        (zipped(("x", b"sound")).replace(b"sound", b"other"), "damaged"),
        (zipped(("../x", b"")), 'the path "../x"'),
        (zipped(("a/../../x", b"")), "leads out"),
        (zipped(("/etc/x", b"")), 'the path "/etc/x"'),
        (zipped(("C:x", b"")), 'the path "C:x"'),
        (zipped(("..\\x", b"")), "leads out"),
        (zipped(("a//x", b"")), "leads out"),
        (zipped((link("x"), b"/etc/passwd")), '"x" in the bundle is a link'),
        (flagged(zipped(("x", b"x")), 1), '"x" in the bundle is encrypted'),
        (zipped(("x1", b""), ("x2", b"")).replace(b"x2", b"x1"), '"x1" is in the bundle twice'),
        (zipped(("x", b"1"), ("X", b"2")), '"X" is in the bundle twice'),
        (zipped(("x", bytes(3_000_000)), compression=zipfile.ZIP_DEFLATED), '"x" in the bundle unpacks to far more'),
        (zipped(*((f"x{at}", b"") for at in range(bundle.MOST_FILES))), "at most 2000 are allowed"),
        *((zipped(without=(name,)), f"lacks the file {name}") for name in SOUND),
        *((zipped((METADATA, bad), without=(METADATA,)), "metadata.json cannot be read") for bad in BAD_METADATA),
    ],
)  # fmt: skip
def test_a_bundle_from_elsewhere_is_refused_in_words(tmp_path, data, message):
    path = tmp_path / "in" / "bundle.zip"
    path.parent.mkdir()
    path.write_bytes(data)
    with pytest.raises(ek.DataError, match=f"bundle.zip: .*(?:{message})") as refused, open_bundle(path):
        pytest.fail("it was opened")
    assert refused.value.message("vi")
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["bundle.zip"]


def test_too_much_in_all_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "MOST_BYTES", 2_000_000)
    path = tmp_path / "bundle.zip"
    path.write_bytes(zipped(("x", bytes(1_500_000)), ("y", bytes(1_500_000))))
    with pytest.raises(ek.DataError, match="unpacks to 3 MB; at most 2 MB"), open_bundle(path):
        pass


def test_no_file_no_bundle(tmp_path):
    with pytest.raises(ek.DataError, match="there is no such file"), open_bundle(tmp_path / "bundle.zip"):
        pass


def test_what_differs_from_the_metadata_is_named(reported, tmp_path):
    study, report = reported()
    with open_bundle(write_bundle(study, report)) as folder:
        copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "effects.csv").write_text("indicator\n")
    (copy / "report.html").unlink()
    (copy / "more.txt").write_text("")
    found = {(problem.file, problem.key) for problem in bundle_differences(copy)}
    assert found == {
        ("effects.csv", "bundle_part_differs"),
        ("report.html", "bundle_part_missing"),
        ("more.txt", "bundle_part_unnamed"),
    }
