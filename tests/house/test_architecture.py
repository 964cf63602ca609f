"""The page of the architecture shows the imports that there are, and its picture has a place for each of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

pytest.importorskip("grimp", reason="import-linter is not installed")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "tools" / "draw_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(tool):
    return tool.imports()


def test_the_page_lists_the_imports(tool, found):
    page = tool.PAGE.read_text(encoding="utf-8")
    assert tool.written(page) == tool.listed(found), "run python tools/draw_architecture.py"
    assert tool.with_list(page, found) == page


def test_the_picture_has_a_route_for_every_arrow(tool, found, tmp_path):
    assert set(tool.arrows(found)) <= set(tool.ROUTES)
    first, second = tmp_path / "first.svg", tmp_path / "second.svg"
    for path in (first, second):
        tool.draw(found, path)
    assert first.read_text() == second.read_text()
    assert tool.PICTURE.read_text(encoding="utf-8").startswith("<?xml")


def test_every_layer_of_the_contract_is_drawn_or_stands_below(tool):
    contract = (ROOT / "setup.cfg").read_text(encoding="utf-8").split("layers =")[1].split("\n\n")[0]
    assert set(re.findall(r"\w+", contract)) == {*tool.LAYERS, *tool.GROUND} - {"wagegap"}
    assert set(tool.BOXES) == set(tool.LAYERS)


PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]
NOT_YET = {"wagegap/regression/medians/medians.py", "tests/regression/test_medians.py"}
"""Files that the reader of CONTRIBUTING.md makes."""


@pytest.mark.parametrize("page", PAGES)
def test_links_of_pages_exist(page):
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", (ROOT / page).read_text(encoding="utf-8"))
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"])
def test_files_that_pages_name_exist(page):
    """Paths in code quotes, from the root, the package or one of its rooms."""
    named = re.findall(r"`((?:[\w.]+/)+[\w.]*)`", (ROOT / page).read_text(encoding="utf-8"))
    places = [ROOT, ROOT / "wagegap", *(path for path in (ROOT / "wagegap").iterdir() if path.is_dir())]
    assert [path for path in named if path not in NOT_YET and not any((at / path).exists() for at in places)] == []
