"""Importing the package costs nothing, kernels see arrays alone, and the lowest versions tested are those declared."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import wagegap as wg

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("formulaic", "matplotlib", "pandas", "pyarrow", "scipy.stats", "statsmodels")
# Declared for those who work on the package: what they do with it does not depend on the versions of its environment.
LINTERS = {"import-linter", "mypy", "pandas-stubs", "pytest-cov", "ruff", "scipy-stubs", "types-tqdm"}
RELEASE = {"cyclonedx-bom", "packaging", "pip-audit"}
SITE = {"furo", "myst-nb", "numpydoc", "sphinx", "sphinx-copybutton", "sphinx-design"}


def run(code):
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


def seconds(code):
    """Processor time of a child that runs the code: unlike the clock, it does not count waiting for others."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def loaded(imports):
    names = json.loads(run(f"import json, sys\n{imports}\nprint(json.dumps(sorted(sys.modules)))"))
    return [heavy for heavy in HEAVY if heavy in names]


def test_importing_takes_no_time():
    """The least of several runs each, in turn: what else the machine does can only add to a run."""
    pairs = [(seconds("pass"), seconds("import wagegap")) for _ in range(9)]
    bare, ours = (min(column) for column in zip(*pairs, strict=True))
    assert ours - bare < 0.05


def test_importing_loads_nothing_heavy():
    assert loaded("import wagegap") == []
    assert loaded("import wagegap.__main__") == []
    assert loaded("import wagegap.errors, wagegap._typing") == []


def numerics():
    """Modules that the contract on numerics names: `setup.cfg` is the one list."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / "setup.cfg")
    return contracts["importlinter:contract:numerics"]["source_modules"].split()


def test_numerics_load_neither_frames_nor_models_nor_figures():
    modules = numerics()
    assert len(modules) >= 30
    found = loaded("\n".join(f"import {name}" for name in modules))
    assert set(found) <= {"scipy.stats"}


def test_every_public_name_is_there():
    for name in wg.__all__:
        assert getattr(wg, name) is not None
    assert set(wg.__all__) <= set(dir(wg))
    with pytest.raises(AttributeError, match="Did you mean 'fit_premiums'"):
        _ = wg.fit_premium


def test_the_lowest_versions_tested_are_those_declared():
    here = Path(__file__).resolve().parents[1]
    project = tomllib.loads((here.parent / "pyproject.toml").read_text())["project"]
    declared = dict(
        line.split(">=") for line in sum(project["optional-dependencies"].values(), project["dependencies"])
    )
    lowest = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (here / "lowest.txt").read_text(), re.MULTILINE))
    assert set(declared) - set(lowest) == LINTERS | RELEASE | SITE
    for name in set(declared) - LINTERS - RELEASE - SITE:
        assert re.sub(r"(\.0)+$", "", lowest[name]) == re.sub(r"(\.0)+$", "", declared[name])
