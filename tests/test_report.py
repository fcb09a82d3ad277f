"""The report as its readers meet it: whole or not at all, the same bytes, one language, nobody's name."""

import base64
import csv
import json
import re
import shutil
import signal
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import matplotlib.image
import nbformat
import numpy as np
import pytest

import evalkit as ek

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"
VIETNAMESE = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
ENGLISH = {"the", "and", "of", "to", "with", "for", "before", "after", "unit", "units", "mean", "share", "table",
           "figure", "change", "higher", "lower", "none", "nan", "interval", "answers", "forms"}  # fmt: skip
EVIL = "Rate <script>alert(1)</script> ![x](http://example.org/x.png) **b**"


class Page(HTMLParser):
    """The words, pictures and links of a page; code is nobody's language."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words, self.images, self.scripts, self._skipped = "", [], [], 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "script":
            self.scripts.append(dict(attrs).get("type"))
        self._skipped += tag in ("style", "code", "script")
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag):
        self._skipped -= tag in ("style", "code", "script")

    def handle_data(self, data):
        self.words += "" if self._skipped else data + " "


@pytest.fixture(scope="session")
def nga_bay_report(tmp_path_factory):
    return ek.run(ROOT / "data" / "nga-bay", tmp_path_factory.mktemp("báo cáo thử"))


@pytest.fixture(scope="session")
def organ_study(tmp_path_factory):
    """The real study in a folder with spaces and diacritics, one of its labels an attack."""
    folder = tmp_path_factory.mktemp("nghiên cứu") / "hiến tạng"
    shutil.copytree(ROOT / "data" / "organ-donations", folder)
    index = folder / "index.toml"
    declared = index.read_text(encoding="utf-8")
    assert "Organ donor registration rate" in declared
    index.write_text(declared.replace("Organ donor registration rate", EVIL), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def organ_report(organ_study, tmp_path_factory):
    return ek.run(organ_study, tmp_path_factory.mktemp("reports"))


def page(report: Path) -> Page:
    """The page without the numbers of its sections."""
    html = next(report.glob("report*.html")).read_text(encoding="utf-8")
    return Page(re.sub(r'<span class="(?:header|toc)-section-number">[^<]*</span>', "", html))


def unlike(first: Path, second: Path) -> list[str]:
    """The files of two reports that are not the same bytes; notebooks, run.json and so the bundle name the place."""
    files = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    kinds = (".csv", ".png", ".svg", ".html", ".docx", ".pdf")
    same = [file for file in files if file.suffix in kinds or file.name == "ledger.json"]
    assert {path.suffix for path in same} == {*kinds, ".json"}
    return [str(file) for file in same if (first / file).read_bytes() != (second / file).read_bytes()]


# By default test_verification makes a report again and compares tables, pictures and PDFs byte by byte.
@pytest.mark.slow
def test_a_second_run_gives_the_same_bytes(organ_study, organ_report, tmp_path):
    assert unlike(ek.run(organ_study, tmp_path), organ_report) == []


@pytest.mark.slow
def test_a_second_run_of_all_parts_gives_the_same_bytes(nga_bay_report, tmp_path):
    assert unlike(ek.run(ROOT / "data" / "nga-bay", tmp_path), nga_bay_report) == []


def test_the_vietnamese_report_is_vietnamese(nga_bay_report):
    words = page(nga_bay_report).words
    assert ENGLISH & set(re.findall(r"[^\W\d_]+", words.lower())) == set()
    assert "\N{REPLACEMENT CHARACTER}" not in words and not re.search(r"(?<![\d.])\d\d\.\d(?![\d.])", words)
    for name in ("Tóm tắt", "Mục lục", "Hài lòng chung", "xã Hiệp Lợi", "điểm phần trăm"):
        assert name in words


def test_the_english_report_is_english(organ_report):
    assert VIETNAMESE.search(page(organ_report).words) is None


def test_simulated_data_say_so_on_the_page_and_under_every_figure_and_table(nga_bay_report, organ_report):
    found = page(nga_bay_report)
    assert "DỮ LIỆU MÔ PHỎNG" in found.words
    captions = re.findall(r"(?:Hình|Bảng) \d+\. .*", found.words)
    declared = ("Số liệu công bố", "Sản phẩm", "Phiếu hỏi", "Phần mềm", "Số liệu của nhóm")
    real = [caption for caption in captions if any(words in caption for words in declared)]
    assert len(real) > 4 and not any("dữ liệu mô phỏng" in caption for caption in real)
    assert all("dữ liệu mô phỏng" in caption for caption in captions if caption not in real)
    assert "SIMULATED" not in page(organ_report).words


def test_every_figure_has_a_text_and_stands_in_the_page(nga_bay_report):
    images = page(nga_bay_report).images
    assert len(images) == len(list((nga_bay_report / "figures").glob("*.svg")))
    for image in images:
        assert image["alt"] and image["src"].startswith("data:image/svg+xml;base64,")
        assert b"<svg" in base64.b64decode(image["src"].partition(",")[2])


def test_a_label_is_data_never_markup(organ_report):
    found = page(organ_report)
    assert EVIL in found.words
    assert found.scripts == ["application/json"]  # the ledger, which runs nowhere
    assert not [image for image in found.images if not image["src"].startswith("data:")]


def test_one_pilot_unit_is_named_in_the_report(organ_report):
    words = page(organ_report).words
    assert "There is one pilot unit" in words and "−0.0225" in words and "0.185" in words


def test_nobody_is_named(nga_bay_report):
    with (ROOT / "data/nga-bay/raw/khao_sat_truoc.csv").open(encoding="utf-8-sig", newline="") as file:
        forms = list(csv.DictReader(file, delimiter=";"))
    private = {form[column] for form in forms for column in ("Họ và tên", "Điện thoại", "Mã hộ")}
    private = {word for word in private if len(word) > 5}
    assert len(private) > 500
    heads = {word[:6] for word in private}  # few, and most of them nowhere
    for path in nga_bay_report.rglob("*"):
        if path.suffix in (".csv", ".html", ".ipynb", ".json", ".svg"):
            # Pictures in base64 are most of these files, and no words.
            text = re.sub(r"[A-Za-z0-9+/=]{500,}", "", path.read_text(encoding="utf-8"))
            begun = tuple(head for head in heads if head in text)
            assert not [word for word in private if word.startswith(begun) and word in text], path.name


def test_no_path_of_this_machine_is_left_in_a_report(nga_bay_report):
    # Notebooks and run.json say where the study lies as seen from the report: here, across the whole disk.
    for path in nga_bay_report.rglob("*"):
        if path.is_file() and path.suffix not in (".ipynb", ".json"):
            assert str(ROOT).encode() not in path.read_bytes(), path.name
    origin = json.loads((nga_bay_report / "run.json").read_text(encoding="utf-8"))
    assert not Path(origin["study"]).is_absolute()


def test_verify_says_what_is_missing(tmp_path):
    with pytest.raises(ek.DataError, match=r'this folder has no run\.json; run "evalkit run" first'):
        ek.verify(tmp_path)


@pytest.fixture
def last_report(tmp_path):
    """A report of an earlier run that must survive."""
    folder = tmp_path / "organ-donations"
    folder.mkdir()
    (folder / "report.html").write_text("the last report", encoding="utf-8")
    return folder


def assert_untouched(last: Path) -> None:
    assert (last / "report.html").read_text(encoding="utf-8") == "the last report"
    assert [path.name for path in last.parent.iterdir()] == [last.name], "a half report was left"


def test_ctrl_c_leaves_the_last_report(last_report):
    def stop(completed, total):
        if completed == 3:
            signal.raise_signal(signal.SIGINT)

    # As in a terminal; notebooks that other tests ran may have left another handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            ek.run(ROOT / "data" / "organ-donations", last_report.parent, progress=stop)
    finally:
        signal.signal(signal.SIGINT, before)
    assert_untouched(last_report)


def test_a_report_held_open_by_word_stays(last_report):
    (last_report / "report.docx").write_bytes(b"")
    lock = last_report / "~$port.docx"
    lock.write_bytes(b"")
    with pytest.raises(ek.DataError) as error:
        ek.run(ROOT / "data" / "organ-donations", last_report.parent)
    assert "hãy đóng report.docx trong Word rồi chạy lại" in error.value.message("vi")
    assert_untouched(last_report)


@pytest.mark.slow
def test_a_folder_that_cannot_be_moved_stays(last_report, monkeypatch):
    def refuse(self, target):
        raise PermissionError(13, "used by another process")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ek.DataError, match=r"close report\.html in Word and run again"):
        ek.run(ROOT / "data" / "organ-donations", last_report.parent)
    monkeypatch.undo()
    assert_untouched(last_report)


def untraced(source: str | None) -> str | None:
    """What a notebook shows without the spans that bind its numbers to the ledger."""
    return source and re.sub(r'<span class="(?:number|claim)" id="\d+">|</span>', "", source)


def differences(committed, executed) -> list[str]:
    """Where a committed notebook's outputs differ from those of a run: texts, and figures by their pixels."""
    found = []
    for old, new in zip(committed.cells, executed.cells, strict=True):
        before, after = old.get("outputs", []), new.get("outputs", [])
        if len(before) != len(after):
            found.append(f"{old.id}: {len(before)} outputs, {len(after)} when run")
            continue
        for first, second in zip(before, after, strict=True):
            if first.data.get("text/markdown") != untraced(second.data.get("text/markdown")):
                found.append(f"{old.id}: another text")
            pictures = [matplotlib.image.imread(BytesIO(base64.b64decode(output.data["image/png"])), format="png")
                        for output in (first, second) if "image/png" in output.data]  # fmt: skip
            if len(pictures) == 2:
                same = pictures[0].shape == pictures[1].shape
                if not same or np.abs(pictures[0] - pictures[1]).mean() > 0.002:
                    found.append(f"{old.id}: another figure")
            elif pictures:
                found.append(f"{old.id}: a figure on one side only")
    return found


@pytest.fixture(params=sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb")))
def notebooks(request, nga_bay_report):
    committed = nbformat.read(ROOT / "notebooks" / f"{request.param}.ipynb", as_version=4)
    executed = nbformat.read(nga_bay_report / "notebooks" / f"{request.param}.ipynb", as_version=4)
    return committed, executed


def test_committed_notebooks_show_what_a_run_shows(notebooks):
    assert differences(*notebooks) == []


def test_the_guard_sees_a_stripped_output_and_a_replaced_figure(notebooks):
    committed, executed = notebooks
    shown = next(cell for cell in committed.cells if cell.get("outputs"))
    kept, shown.outputs = shown.outputs, []
    assert differences(committed, executed) == [f"{shown.id}: 0 outputs, {len(kept)} when run"]
    shown.outputs = kept
    figures = [output for cell in committed.cells for output in cell.get("outputs", []) if "image/png" in output.data]
    if figures:
        stream = BytesIO()
        matplotlib.image.imsave(stream, np.zeros((10, 10)), format="png")
        figures[0].data["image/png"] = base64.b64encode(stream.getvalue()).decode()
        assert len(differences(committed, executed)) == 1


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the Kansas City survey may not be shipped and is not beside us")
def test_kansas_city_report(tmp_path):
    report = ek.run(ROOT / "tests" / "studies" / "kcmo", tmp_path, allow_outside=True)
    words = " ".join(page(report).words.split())
    assert "3.196" in words and "3.319" in words and "1,018 / 976" in words
    assert VIETNAMESE.search(words) is None
