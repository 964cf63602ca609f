"""The plan of the house: who may ask the data, how long a body is, how many parameters it takes, who imports whom.

Every estimator gets its rows, weights, groupings and replicates from `panel.rows.prepare`; none asks the panel itself,
so that designs, replicates and weights mean the same at every door.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest

import wagegap

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("house", ROOT / "tools" / "house.py")
assert _spec is not None
assert _spec.loader is not None
house = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(house)

TREES = house.trees()
ROOMS = ("regression", "decomposition")
FROM_ROWS = {"prepare", "cell_keys", "domain_of"}
ASKED_OF_THE_PANEL = {"groupings", "weights", "numbers", "ids"}

# Modules of the rooms that may do more than `prepare`, and why.
EXCEPTIONS = {
    "decomposition/means/oaxaca_selection.py": "several samples of one panel, weighted before they are parted",
    "decomposition/rates/kitagawa.py": "cells of factors are made before rates are fitted",
}

# Functions of many parameters that no user calls, and why.
WIDE = {
    "_display/heat.py heat": "what a figure shows is its caller's choice",
    "report/published.py published": "what a study says of a table of published figures",
}


def modules(*rooms):
    """Path and tree of every module of some rooms."""
    return [(path, tree) for path, tree in TREES.items() if path.parts[0] in rooms]


def is_panel(node):
    """Whether an expression is a panel: `panel`, `something.panel`."""
    return (isinstance(node, ast.Name) and node.id == "panel") or (
        isinstance(node, ast.Attribute) and node.attr == "panel"
    )


def asks_the_panel(node):
    """What a node asks of the panel that `prepare` answers, or nothing."""
    if isinstance(node, ast.ImportFrom) and node.module == "wagegap.panel.rows":
        return sorted({alias.name for alias in node.names} - FROM_ROWS)
    if isinstance(node, ast.Attribute) and node.attr in ASKED_OF_THE_PANEL and is_panel(node.value):
        return [f"panel.{node.attr}"]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "groupings":
        return ["groupings()"]
    if isinstance(node, ast.Attribute) and node.attr in ("iloc", "loc"):
        frames = [part for part in ast.walk(node.value) if isinstance(part, ast.Attribute) and part.attr == "frame"]
        return [f"panel.frame.{node.attr}" for part in frames if is_panel(part.value)]
    return []


def asked(tree):
    """All that a module asks of the panel itself."""
    return [what for node in ast.walk(tree) for what in asks_the_panel(node)]


def public_callables():
    """Module and qualified name of what users call: names of the package and its modules, methods of its classes."""
    public = [getattr(wagegap, name) for name in wagegap.__all__]
    public += [getattr(one, name) for one in public if inspect.ismodule(one) for name in getattr(one, "__all__", ())]
    names = {(one.__module__, one.__qualname__) for one in public if inspect.isroutine(one) or inspect.isclass(one)}
    methods = [(one, name) for one in public if inspect.isclass(one) for name in vars(one)]
    return names | {(one.__module__, f"{one.__qualname__}.{name}") for one, name in methods}


def qualified(tree, path):
    """Every function of a module with its module's and its own qualified name."""
    module = ".".join(("wagegap", *path.with_suffix("").parts)).removesuffix(".__init__")

    def inside(node, prefix):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef):
                yield (module, prefix + child.name), child
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                yield from inside(child, f"{prefix}{child.name}.")

    return list(inside(tree, ""))


def test_no_estimator_asks_the_panel_for_weights_groupings_or_frames():
    found = {str(path): asked(tree) for path, tree in modules(*ROOMS) if asked(tree) and str(path) not in EXCEPTIONS}
    assert not found


@pytest.mark.parametrize("path", EXCEPTIONS)
def test_an_exception_that_is_none_is_struck_off(path):
    assert asked(TREES[Path(path)])


def test_a_covariance_answers_for_itself():
    options = {"Robust", "Survey", "Dyadic", "Conley", "DriscollKraay", "NeweyWest", "Replicates", "Bootstrap"}
    found = {
        f"{path}:{node.lineno}"
        for path, tree in modules("regression")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance"
        if options & {part.id for part in ast.walk(node.args[1]) if isinstance(part, ast.Name)}
    }
    assert not found


def test_no_body_is_longer_than_forty_lines():
    long = {
        f"{path}:{one.lineno} {one.name}": house.body_lines(one)
        for path, tree in TREES.items()
        for one in house.functions(tree)
        if house.body_lines(one) > 40
    }
    assert not long


def test_eight_parameters_at_most_but_for_public_calls():
    doors = public_callables()
    many = {
        f"{path} {one.name}"
        for path, tree in TREES.items()
        for name, one in qualified(tree, path)
        if house.parameters(one) > 8 and name not in doors
    }
    assert many == set(WIDE)


def test_modules_do_not_import_each_other_in_circles():
    pytest.importorskip("grimp")
    assert house.circles() == []
