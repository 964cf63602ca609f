"""The values of other software: where they come from is said, every file is read by a test, and all of it is small."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
THEMES = sorted((TESTS / "reference").glob("*.json"))
TABLES = sorted((TESTS / "reference" / "data").glob("*.json"))
HEAD = ("theme", "software", "version", "call", "data", "tolerance", "reason")


@pytest.mark.parametrize("path", THEMES, ids=lambda path: path.stem)
def test_every_theme_says_where_its_values_come_from(path):
    content = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda name: pytest.fail(f"{name} in {path}"))
    assert set(content) - {"notes"} == {*HEAD, "values"}
    assert all(isinstance(content[name], str) and content[name] for name in HEAD)
    assert content["values"]
    assert "wagegap" not in content["software"]


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_has_a_source_and_few_rows(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["source"]
    assert len({len(column) for column in content["columns"].values()}) == 1
    assert max(map(len, content["columns"].values())) < 100


def test_every_file_is_read_and_the_folder_is_small():
    tests = "".join(path.read_text(encoding="utf-8") for path in TESTS.rglob("*.py"))
    for fixture, paths in (("facts", THEMES), ("typed", TABLES)):
        unread = [path.stem for path in paths if f'{fixture}("{path.stem}")' not in tests]
        if fixture == "facts":
            unread = [name for name in unread if f'getfixturevalue("facts")("{name}")' not in tests]
        assert not unread
    assert sum(path.stat().st_size for path in (*THEMES, *TABLES)) < 300_000
