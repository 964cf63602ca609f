"""Examples of the readers in `wagegap.datasets` find small made-up copies of the tables, where users have theirs."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent
TABLES = ROOT / "tests" / "datasets" / "test_broken_copies.py"
CARDS = ROOT / "wagegap" / "datasets" / "sources.toml"


@pytest.fixture(scope="session")
def made_up_copies(tmp_path_factory):
    """A folder with a copy of every public table, of the publisher's form, under the name that its card gives."""
    import pandas as pd

    spec = importlib.util.spec_from_file_location("made_up_tables", TABLES)
    tables = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tables)
    folder = tmp_path_factory.mktemp("copies")
    cards = tomllib.loads(CARDS.read_text(encoding="utf-8"))
    for name, columns in tables.TABLES.items():
        path = folder / cards[name]["file"]
        path.parent.mkdir(exist_ok=True)
        table = pd.DataFrame(columns)
        table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return folder


@pytest.fixture(autouse=True)
def _copies_of_examples(request, monkeypatch):
    if isinstance(request.node, pytest.DoctestItem) and request.node.name.startswith("wagegap.datasets."):
        monkeypatch.setenv("WAGEGAP_DATA", str(request.getfixturevalue("made_up_copies")))
