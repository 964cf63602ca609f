"""Every input that an earlier version answered wrongly has a test through the public door, with its right value."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]


def _cases(node: ast.FunctionDef) -> list[str]:
    """Cases that a test is marked with."""
    calls = [mark for mark in node.decorator_list if isinstance(mark, ast.Call)]
    return [ast.literal_eval(mark.args[0]) for mark in calls if ast.unparse(mark.func) == "pytest.mark.public_case"]


@pytest.fixture(scope="module")
def marked() -> dict[str, list[str]]:
    """Tests by the case whose value they hold."""
    tests: dict[str, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for case in _cases(node) if isinstance(node, ast.FunctionDef) else []:
                tests.setdefault(case, []).append(f"{path.name}::{node.name}")
    return tests


def test_every_case_has_its_test(marked: dict[str, list[str]], facts: Callable[[str], dict[str, Any]]):
    listed = facts("public_cases")
    assert sorted(set(listed) - set(marked)) == []
    assert sorted(set(marked) - set(listed)) == []
