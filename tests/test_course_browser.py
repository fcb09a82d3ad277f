"""JupyterLab as `evalkit lab` starts it, with its token, and as a student meets it in headless Chromium."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress

import nbformat
import pytest
from conftest import ROOT

from evalkit import course

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal"),
]
in_browser = pytest.mark.skipif(
    CHROMIUM is None or sync_playwright is None,
    reason="no Chromium or no playwright here (make test-browser installs both)",
)
LESSON = "1_before_after.ipynb"
PICTURES = os.environ.get("EVALKIT_SCREENSHOTS")


@contextmanager
def laboratory(folder, *arguments):
    """`evalkit lab` on a machine without settings of its own: its address and token; ended by Ctrl-C."""
    own = {name: str(folder / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    command = [sys.executable, "-m", "evalkit", "lab", "--no-browser", "--port=0", "--allow-root", *arguments]
    terminal, its_end = os.openpty()  # JupyterLab minds Ctrl-C where it was started in a terminal
    with (folder / "lab.log").open("w", encoding="utf-8") as log:
        lab = subprocess.Popen(command, stdin=its_end, stdout=log, stderr=log, env=os.environ | own)
    try:
        yield found(folder / "lab.log")
        lab.send_signal(signal.SIGINT)
        lab.wait(30)
    finally:
        lab.kill()
        lab.wait()
        os.close(terminal)
        os.close(its_end)
    said = (folder / "lab.log").read_text("utf-8")
    assert lab.returncode == 0 and "Traceback" not in said, said


def found(log):
    """The address and the token that the log names, when the server answers."""
    named = re.compile(r"(http://127\.0\.0\.1:\d+)/lab/tree/course/start\.ipynb\?token=(\w{40,})")
    for _ in range(600):
        if place := named.search(log.read_text("utf-8")):
            with suppress(urllib.error.URLError), urllib.request.urlopen(f"{place[1]}/api"):
                return place.groups()
        time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8"))


def test_the_lab_listens_on_loopback_with_a_token_and_ends_on_ctrl_c(tmp_path):
    with laboratory(tmp_path) as (address, token):
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{address}/api/contents")
        with urllib.request.urlopen(f"{address}/api/contents/course/start.ipynb?token={token}") as answer:
            assert json.load(answer)["name"] == "start.ipynb"
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A copy of the notebooks, JupyterLab on it, and a browser: the folder, the page's address, the browser."""
    folder = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "notebooks", folder / "notebooks", ignore=shutil.ignore_patterns("source", "teacher"))
    (folder / "data").symlink_to(ROOT / "data")
    with (
        laboratory(folder, "--folder", str(folder / "notebooks")) as (address, token),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield (
            folder / "notebooks",
            lambda name, path: f"{address}/lab/workspaces/{name}/tree/{path}?token={token}",
            browser,
        )
        browser.close()


def picture(page, name):
    """A screenshot, to be looked at."""
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}.png")


def choose(page, menu, entry):
    page.get_by_role("menuitem", name=menu, exact=True).click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile(f"^{re.escape(entry)}")).first.click()


def saved(page, path, done):
    """The notebook on disk, when it is `done`."""
    for _ in range(120):
        page.keyboard.press("Control+s")
        page.wait_for_timeout(1000)
        notebook = nbformat.read(path, as_version=4)
        if done(notebook):
            return notebook
    raise AssertionError(path.name)


def all_ran(notebook):
    return all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")


def scroll_to(page, words):
    """The code cell that holds these words; JupyterLab draws only the cells in sight."""
    cell = page.locator(".jp-CodeCell", has_text=words).first
    page.locator(".jp-WindowedPanel-outer:visible").hover()
    page.mouse.wheel(0, -100_000)
    for _ in range(60):
        if cell.count() and cell.is_visible():
            cell.scroll_into_view_if_needed()
            return cell
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(150)
    raise AssertionError(words)


@in_browser
def test_a_student_gets_from_the_start_page_to_a_tick_that_survives_a_restart(desk, tmp_path):
    folder, at, browser = desk
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(at("student", "course/start.ipynb"))
    page.get_by_role("link", name=re.compile("^Bài 1")).click()
    page.locator(".jp-Notebook", has_text="Bài tập 1.1").wait_for(timeout=60_000)
    picture(page, "1_lesson")
    choose(page, "Run", "Run All Cells")
    path = folder / "course/vi" / LESSON
    notebook = saved(page, path, all_ran)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    told = [output.data["text/plain"] for output in outputs if "text/markdown" in output.get("data", {})]
    assert "Chưa giải bài tập nào." in told[0] and sum("Chưa có câu trả lời" in words for words in told) >= 4

    right = course.find("1.2").answer(course.start("SV01", path.parent, "vi"))
    cell = scroll_to(page, 'course.check("1.2"')
    picture(page, "2_exercise")
    line = cell.locator(".cm-line", has_text="answer = ...")
    line.click()
    page.keyboard.press("End")
    for _ in "...":
        page.keyboard.press("Backspace")
    page.keyboard.type(str(right))
    page.keyboard.press("Shift+Enter")
    cell.get_by_text("✔").wait_for(timeout=30_000)
    colour = cell.get_by_text("✔").first.evaluate("element => getComputedStyle(element).color")
    assert colour == "rgb(27, 120, 55)"
    picture(page, "3_tick")

    choose(page, "Kernel", "Restart Kernel and Run All Cells")
    page.locator(".jp-Dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    page.wait_for_timeout(1000)
    saved(page, path, lambda made: all_ran(made) and "Đã giải: 1.2." in json.dumps(made, ensure_ascii=False))
    scroll_to(page, "course.start(code")
    picture(page, "4_restarted")
    page.close()


@in_browser
def test_a_notebook_of_the_demonstration_pilot_runs(desk):
    folder, at, browser = desk
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(at("demonstration", "03_before_after.ipynb"))
    page.locator(".jp-Notebook:visible").first.wait_for(timeout=60_000)
    path = folder / "03_before_after.ipynb"
    before = path.read_bytes()
    choose(page, "Edit", "Clear Outputs of All Cells")
    saved(page, path, lambda made: path.read_bytes() != before and not all_ran(made))
    choose(page, "Run", "Run All Cells")
    notebook = saved(page, path, all_ran)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    picture(page, "5_demonstration")
    page.close()


@in_browser
@pytest.mark.parametrize(("name", "width", "height"), [("phone", 390, 844), ("projector", 1024, 768)])
def test_a_lesson_can_be_read_at_the_width_of(desk, name, width, height):
    _, at, browser = desk
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(at(name, f"course/en/{LESSON}"))
    page.locator(".jp-Notebook").wait_for(state="attached", timeout=60_000)
    page.wait_for_timeout(2000)
    if width < 600:
        page.locator("li[title^='File Browser']").click()  # folds the list of files away
    text = page.locator(".jp-RenderedMarkdown p:visible").first
    text.wait_for(timeout=60_000)
    page.wait_for_timeout(1000)
    picture(page, f"6_{name}")
    box = text.bounding_box()
    assert box["width"] >= 150 and box["x"] + box["width"] <= width + 1, box
    page.close()
