"""The notebooks run, and are what their paired scripts say."""

from __future__ import annotations

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("*.py"))


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_notebook_runs_and_matches_its_script(script, tmp_path, request, monkeypatch):
    if "WAGEGAP_DATA" in script.read_text(encoding="utf-8"):  # it reads local copies: skipped where there are none
        monkeypatch.setenv("WAGEGAP_DATA", str(request.getfixturevalue("data_folder").resolve()))
    book = jupytext.read(script)
    committed = jupytext.read(script.with_suffix(".ipynb"))
    assert [c.source for c in book.cells] == [c.source for c in committed.cells]
    assert any(cell.get("outputs") for cell in committed.cells if cell.cell_type == "code")
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(book, timeout=240, kernel_name="python3", resources=where).execute()
    figures = [_figures(one) for one in (book, committed)]
    assert figures[0] == figures[1]
    assert figures[0] > 0


def _figures(book):
    """How many cells draw a figure."""
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    return sum(any("image/png" in out.get("data", {}) for out in cell.get("outputs", [])) for cell in codes)
