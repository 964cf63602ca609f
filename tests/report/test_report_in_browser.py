"""The report where it is read: in a browser, wide and narrow, light and dark, on paper, and by a screen reader."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

_BOXES = """
const blocks = 'main h1, main h2, main h3, main p, main figure, main li, main dl, main summary';
const boxes = [...document.querySelectorAll(blocks)].filter(one => one.checkVisibility())
  .map(one => ({one: one, box: one.getBoundingClientRect()})).filter(x => x.box.width > 0 && x.box.height > 0);
const over = [];
for (const a of boxes) for (const b of boxes) {
  if (a === b || a.one.contains(b.one) || b.one.contains(a.one)) continue;
  const x = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
  const y = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
  if (x > 1 && y > 1) over.push(a.one.textContent.slice(0, 40) + ' | ' + b.one.textContent.slice(0, 40));
}
const root = document.documentElement;
const answer = document.querySelector('.answer').getBoundingClientRect();
document.title = 'FOUND' + JSON.stringify({
  wider: root.scrollWidth - window.innerWidth, over: over.slice(0, 5), bottom: answer.bottom, boxes: boxes.length,
  broken: [...document.images].filter(one => one.complete && one.naturalWidth === 0).length,
});
"""


@pytest.fixture(scope="session")
def chromium():
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("WAGEGAP_CHROMIUM") == "required":
            pytest.fail("chromium is required here and not installed")
        pytest.skip("no chromium to open the report with")
    return found


def opened(chromium, folder, tmp_path, script, *flags, width=1280):
    """What a script finds on the page, which is let run beside the page's own; and what the browser complained of."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"script-src '[^']*'", "script-src 'unsafe-inline'", page, count=1)
    probe = tmp_path / "report.html"
    probe.write_text(page.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"  # of its own: two browsers of one profile wait for each other
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", profile,
               f"--window-size={width},1000", *flags, "--dump-dom", probe.as_uri()]  # fmt: skip
    ran = subprocess.run(command, capture_output=True, timeout=180, text=True)
    assert ran.returncode == 0, ran.stderr[-500:]
    found = re.search(r"<title>FOUND(.*?)</title>", ran.stdout, re.DOTALL)
    assert found, ran.stderr[-500:]
    return json.loads(html.unescape(found.group(1))), [line for line in ran.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1600, 1280, 820, 500])
def test_nothing_overlaps_and_nothing_is_wider_than_the_window(chromium, folder, tmp_path, width):
    found, complaints = opened(chromium, folder, tmp_path, _BOXES, width=width)
    assert complaints == []
    assert found["wider"] <= 0
    assert found["over"] == []
    assert found["boxes"] > 60
    assert found["broken"] == 0
    assert found["bottom"] < 1000  # the answer stands on the first screen


def test_an_overlap_is_found(chromium, folder, tmp_path):
    script = f"document.querySelector('.lead').style.marginTop = '-60px';{_BOXES}"
    found, _ = opened(chromium, folder, tmp_path, script)
    assert any("AI talent" in pair for pair in found["over"])


def test_a_click_sorts_a_table(chromium, folder, tmp_path):
    script = """
    const table = document.querySelector('#s-premiums_published table');
    const names = () => [...table.tBodies[0].rows].map(row => row.cells[0].textContent.trim());
    const before = names();
    const buttons = [...table.querySelectorAll('thead button')];
    buttons.find(one => one.textContent === 'estimate').click();
    const once = names();
    document.title = 'FOUND' + JSON.stringify({
      before: before, once: once, sort: table.querySelector('[aria-sort]').getAttribute('aria-sort'),
    });
    """
    found, complaints = opened(chromium, folder, tmp_path, script)
    assert complaints == []
    assert found["before"][0] == "United States"
    assert found["once"][0] == "South Korea"
    assert found["once"] == found["before"][::-1] or set(found["once"]) == set(found["before"])
    assert found["sort"] == "ascending"


@pytest.mark.parametrize("flags", [(), ("--force-dark-mode",)])
@pytest.mark.parametrize("width", [1280, 500])
def test_no_barrier_to_a_screen_reader_is_known(chromium, folder, tmp_path, width, flags):
    script = os.environ.get("WAGEGAP_AXE", "")
    if not Path(script).is_file():
        pytest.skip("WAGEGAP_AXE names no axe.min.js to examine the report with")
    levels = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']"
    run = (
        f"{Path(script).read_text(encoding='utf-8')}\nfor (const one of document.querySelectorAll('details')) "
        f"one.open = true; axe.run({{runOnly: {levels}}}).then(found => {{ document.title = 'FOUND' + JSON.stringify("
        "{passes: found.passes.length, violations: found.violations.map(one => [one.id, one.nodes[0].html])}); });"
    )
    found, _ = opened(chromium, folder, tmp_path, run.replace("</script", "<\\/script"), "--virtual-time-budget=60000",
                      *flags, width=width)  # fmt: skip
    assert found["violations"] == []
    assert found["passes"] > 15


def test_the_report_prints_on_paper(chromium, folder, tmp_path):
    target = tmp_path / "report.pdf"
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
               "--no-pdf-header-footer", f"--print-to-pdf={target}", (folder / "report.html").as_uri()]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=180, check=True)
    content = target.read_bytes()
    assert content.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", content))
    assert 8 < pages < 40
