"""The notebooks run, and are what their paired scripts say."""

from __future__ import annotations

from pathlib import Path

import pytest

jupytext = pytest.importorskip("jupytext")
nbclient = pytest.importorskip("nbclient")

NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent / "notebooks").glob("*.py"))


@pytest.mark.parametrize("script", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_notebook_runs_and_matches_its_script(script, tmp_path):
    book = jupytext.read(script)
    committed = jupytext.read(script.with_suffix(".ipynb"))
    assert [c.source for c in book.cells] == [c.source for c in committed.cells]
    assert any(cell.get("outputs") for cell in committed.cells if cell.cell_type == "code")
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(book, timeout=240, kernel_name="python3", resources=where).execute()
    codes = [cell for cell in book.cells if cell.cell_type == "code"]
    assert sum(any("image/png" in out.get("data", {}) for out in cell.outputs) for cell in codes) == 3
