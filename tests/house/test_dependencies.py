"""What is declared is what is imported: core and extras, at the top of a module or on use."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FOR_PEOPLE = {
    "test",
    "dev",
    "docs",
    "notebooks",
    "release",
}  # extras of those who work on the package or read its notebooks
MODULES = {"python_docx": "docx"}  # modules that are not called like what brings them
NOT_YET = {"statsmodels"}  # its models are fitted from the version that brings `from_model`


def names(requirements):
    found = (re.match(r"[\w-]+", line)[0].lower().replace("-", "_") for line in requirements)
    return {MODULES.get(name, name) for name in found}


def imported():
    """First parts of what is imported, also by `import_module`, or by pandas through the name of an engine."""
    for path in sorted((ROOT / "wagegap").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=aliases):
                    yield from (alias.name for alias in aliases)
                case ast.ImportFrom(module=str(module), level=0):
                    yield module
                case ast.Call(func=ast.Name(id="import_module"), args=[ast.Constant(value=str(module)), *_]):
                    yield module
                case ast.keyword(arg="engine", value=ast.Constant(value=str(module))):
                    yield module


def test_what_is_declared_is_what_is_imported():
    extras = {name: names(lines) for name, lines in PROJECT["optional-dependencies"].items() if name not in FOR_PEOPLE}
    core = names(PROJECT["dependencies"])
    declared = core.union(*extras.values())
    found = {module.partition(".")[0].lower() for module in imported()} - set(sys.stdlib_module_names) - {"wagegap"}
    assert found - declared == set()
    assert declared - found == NOT_YET
    assert all(core.isdisjoint(extra) for extra in extras.values())


def test_the_tests_have_every_extra():
    extras = PROJECT["optional-dependencies"]
    wanted = set().union(*(names(extras[name]) for name in extras if name not in FOR_PEOPLE))
    assert wanted <= names(extras["test"])


def test_the_audit_lists_the_extras_of_users():
    """`tools/audit.py` names them: an extra that is none of those who work on the package belongs into the bill."""
    listed = re.search(r"^EXTRAS = (.*)$", (ROOT / "tools" / "audit.py").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed is not None
    assert set(ast.literal_eval(listed[1])) == set(PROJECT["optional-dependencies"]) - FOR_PEOPLE
