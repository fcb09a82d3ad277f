"""The reports in headless Chromium, at the width of a desk and of a phone: nothing overflows."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import evalkit as ek

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here (Debian: apt-get install chromium)"),
]
# The report stands in a frame of the width under test; the frame's own script measures it when it has loaded.
MEASURE = """<body style="margin:0"><iframe style="width:{width}px;height:900px;border:0" srcdoc="{page}"></iframe>
<pre id="found"></pre><script>
document.querySelector("iframe").addEventListener("load", event => {{
  const page = event.target.contentDocument, wide = [];
  for (const element of page.querySelectorAll("body *")) {{
    const scrolls = element.closest(".table, .drawing");
    if (!scrolls && element.getBoundingClientRect().right > {width} + 1) wide.push(element.tagName);
  }}
  const pictures = [...page.images].filter(image => !image.complete || !image.naturalWidth).length;
  document.getElementById("found").textContent =
    JSON.stringify([page.documentElement.scrollWidth, wide.length, pictures, page.images.length]);
}});
</script>"""


@pytest.fixture(scope="module", params=["nga-bay", "organ-donations"])
def report(request, tmp_path_factory):
    return ek.run(ROOT / "data" / request.param, tmp_path_factory.mktemp("reports"))


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_overflows_and_every_picture_shows(report, width, tmp_path):
    page = next(report.glob("report*.html")).read_text(encoding="utf-8")
    frame = tmp_path / "frame.html"
    frame.write_text(MEASURE.format(width=width, page=html.escape(page, quote=True)), encoding="utf-8")
    result = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
         "--window-size=1400,1000", "--virtual-time-budget=10000", "--dump-dom", frame.as_uri()],
        capture_output=True, encoding="utf-8", timeout=120, check=True,
    )  # fmt: skip
    found = re.search(r'<pre id="found">\[(\d+),(\d+),(\d+),(\d+)\]</pre>', result.stdout)
    assert found, "the page was not measured"
    scroll_width, too_wide, broken, images = map(int, found.groups())
    assert scroll_width <= width and too_wide == 0
    assert broken == 0 and images == len(list((report / "figures").glob("*.svg")))
