"""Measure the house: statements by room, longest bodies, longest lists of parameters, circles of imports.

Run `python tools/house.py`: one line a figure. `tests/house/test_house.py` holds the limits.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "wagegap"


def trees(package: Path = PACKAGE) -> dict[Path, ast.Module]:
    """Syntax tree of every module, by path within the package."""
    return {path.relative_to(package): ast.parse(path.read_text()) for path in sorted(package.rglob("*.py"))}


def is_docstring(node: ast.AST) -> bool:
    """Whether a statement is a bare string."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def statements(tree: ast.Module) -> int:
    """Statements of a module, docstrings not counted."""
    return sum(isinstance(node, ast.stmt) and not is_docstring(node) for node in ast.walk(tree))


def functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions and methods of a module."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def body_lines(function: ast.FunctionDef) -> int:
    """Lines of a body, its docstring not counted."""
    body = function.body[1:] if is_docstring(function.body[0]) else function.body
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def parameters(function: ast.FunctionDef) -> int:
    """Parameters, `self` and `cls` not counted."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return sum(name not in ("self", "cls") for name in names) + bool(given.vararg) + bool(given.kwarg)


def is_door(function: ast.FunctionDef) -> bool:
    """Whether the function is a public call, whose options are its users'."""
    return not function.name.startswith("_")


def circles() -> list[list[str]]:
    """Groups of modules that import one another, in whatever way round."""
    import grimp
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    sys.path.insert(0, str(PACKAGE.parent))
    graph = grimp.build_graph("wagegap", cache_dir=None)
    names = sorted(graph.modules)
    at = {name: i for i, name in enumerate(names)}
    arrows = [(at[a], at[b]) for a in names for b in graph.find_modules_directly_imported_by(a)]
    matrix = sparse.coo_array((([1] * len(arrows)), tuple(zip(*arrows, strict=True))), shape=(len(names),) * 2)
    number, group = connected_components(matrix, directed=True, connection="strong")
    found = [[name for name, g in zip(names, group, strict=True) if g == one] for one in range(number)]
    return [members for members in found if len(members) > 1]


def main() -> None:
    """Print the figures."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = trees()
    rooms = Counter({str(path.parent): 0 for path in found})
    for path, tree in found.items():
        rooms[str(path.parent)] += statements(tree)
    print(f"{rooms.total():>7,} statements")
    for room, count in rooms.most_common():
        print(f"{count:>7,} {room}")
    for path, tree in found.items():
        for function in functions(tree):
            if body_lines(function) > 40:
                print(f"body of {body_lines(function)} lines: {path}:{function.lineno} {function.name}")
            if parameters(function) > 8 and not is_door(function):
                print(f"{parameters(function)} parameters: {path}:{function.lineno} {function.name}")
    for members in circles():
        print(f"circle of {len(members)}: {', '.join(members)}")


if __name__ == "__main__":
    main()
