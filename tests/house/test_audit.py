"""The audit: what it lists, what it says of advisories, and that nothing checked is never taken for nothing found.

Packages and tools are planted in a folder that comes before all others: `wagegap` with two requirements and extras, and
modules under the names of the tools that say what a test wants. The last test asks the tools themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AUDIT = ROOT / "tools" / "audit.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLEAN, FOUND, BROKEN, OUT_OF_REACH = 0, 1, 2, 3

PACKAGES = {
    "wagegap": [
        "alpha>=1", 'gamma; extra == "hdfe"', 'delta[fast]; extra == "data"', 'alpha; extra == "data"',
        'only-for-tests; extra == "test"', 'elsewhere; sys_platform == "plan9"',
    ],
    "alpha": ["Beta_B", 'nowhere; extra == "docs"'],
    "beta-b": ["alpha"],
    "gamma": ["delta"],
    "delta": ['epsilon; extra == "fast"', 'only-for-tests; extra == "slow"'],
    "epsilon": [],
    "only-for-tests": [],
}  # fmt: skip
LISTED = ["alpha", "beta-b", "delta", "epsilon", "gamma"]

DESCRIBER = """
import json
from importlib.metadata import distributions
names = {}
for one in distributions():
    names.setdefault(one.metadata["Name"], one.version)
print(json.dumps({
    "bomFormat": "CycloneDX",
    "metadata": {"component": {"bom-ref": "root-component", "name": "wagegap"}},
    "components": [{"bom-ref": f"{name}=={number}", "name": name, "version": number} for name, number in names.items()],
    "dependencies": [],
}))
"""
LOGGED = """
import sys
print("ERROR:pip_audit._cli:no feed", "ERROR:pip_audit._cli:Tip: ...", sep="\\n", file=sys.stderr)
sys.exit(1)
"""
AUDITOR = """
import json, sys
pins = open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()
said = [{"name": pin.split("==")[0], "version": pin.split("==")[1], "vulns": []} for pin in pins]
"""
ANSWER = """
open(sys.argv[sys.argv.index("--output") + 1], "w").write(json.dumps({"dependencies": said}))
"""


@pytest.fixture
def audit(tmp_path):
    """Run the command where packages and tools are planted; `auditor` is what the latter does."""

    def run(auditor, describer=DESCRIBER, packages=PACKAGES, version=PROJECT["version"], file="bom.json"):
        for name, requires in packages.items():
            info = tmp_path / f"{name.replace('-', '_')}-{version if name == 'wagegap' else '1.5'}.dist-info"
            info.mkdir()
            number = info.name.removesuffix(".dist-info").rpartition("-")[2]
            lines = [f"Name: {name}", f"Version: {number}", *(f"Requires-Dist: {line}" for line in requires)]
            (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, ""]), encoding="utf-8")
        for module, code in (("cyclonedx_py", describer), ("pip_audit", auditor)):
            (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
        return command(tmp_path / file, tmp_path)

    return run


def command(file, planted="", **variables):
    environment = {**os.environ, "PYTHONPATH": str(planted), **variables}
    return subprocess.run(
        [sys.executable, str(AUDIT), str(file)],
        capture_output=True, text=True, encoding="utf-8", timeout=600, check=False, env=environment,
    )  # fmt: skip


def test_all_checked_and_nothing_known(audit, tmp_path):
    done = audit(AUDITOR + ANSWER)
    assert (done.returncode, done.stderr) == (CLEAN, "")
    first, last = done.stdout.splitlines()
    assert first.endswith("with 5 dependencies, 3 of them by the extras data, tables and hdfe alone")
    assert last == "no known advisory against any of the 5 dependencies"


def test_the_bill_lists_what_the_package_requires_and_who_brings_it(audit, tmp_path):
    audit(AUDITOR + ANSWER)
    bill = json.loads((tmp_path / "bom.json").read_text(encoding="utf-8"))
    components = {one["name"]: one for one in bill["components"]}
    assert list(components) == LISTED
    assert {name: one["scope"] for name, one in components.items()} == {
        "alpha": "required", "beta-b": "required", "delta": "optional", "epsilon": "optional", "gamma": "optional",
    }  # fmt: skip
    brought = {name: [pair["value"] for pair in one.get("properties", [])] for name, one in components.items()}
    assert brought == {"alpha": [], "beta-b": [], "delta": ["data", "hdfe"], "epsilon": ["data"], "gamma": ["hdfe"]}
    assert {one["ref"]: one["dependsOn"] for one in bill["dependencies"]} == {
        "root-component": ["alpha==1.5", "delta==1.5", "gamma==1.5"],
        "alpha==1.5": ["beta-b==1.5"], "beta-b==1.5": ["alpha==1.5"], "gamma==1.5": ["delta==1.5"],
        "delta==1.5": ["epsilon==1.5"], "epsilon==1.5": [],
    }  # fmt: skip


def test_advisories_are_a_line_each(audit):
    known = """
said[0]["vulns"] = [
    {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["1.6", "2.0"], "description": "long"},
    {"id": "PYSEC-2", "fix_versions": []},
]
"""
    done = audit(AUDITOR + known + ANSWER + "\nsys.exit(1)")
    assert done.returncode == FOUND
    assert done.stdout.splitlines()[1:] == [
        "alpha 1.5: PYSEC-1 (CVE-1), fixed in 1.6, 2.0",
        "alpha 1.5: PYSEC-2, not fixed yet",
    ]


@pytest.mark.parametrize(
    ("auditor", "reason"),
    [
        ("raise OSError('no route')", "OSError: no route"),
        (LOGGED, "no feed"),
        (AUDITOR + "said = [{'name': one['name'], 'skip_reason': 'not found'} for one in said]" + ANSWER, "not found"),
        (AUDITOR + "said = []" + ANSWER, "no answer"),
        ("", "no answer"),
    ],
    ids=["traceback", "logged error", "every one skipped, as a success", "no dependencies", "silence"],
)
def test_without_advisories_one_clear_line_and_a_code_of_its_own(audit, tmp_path, auditor, reason):
    done = audit(auditor)
    assert (done.returncode, done.stderr) == (OUT_OF_REACH, "")
    assert done.stdout.splitlines()[1:] == [f"advisories not within reach: none of the dependencies checked ({reason})"]
    assert len(json.loads((tmp_path / "bom.json").read_text(encoding="utf-8"))["components"]) == 5


def test_one_dependency_that_was_not_checked_is_no_success(audit):
    skipped = "said[2] = {'name': said[2]['name'], 'skip_reason': 'not found: delta'}"
    done = audit(AUDITOR + skipped + ANSWER)
    assert done.returncode == OUT_OF_REACH
    assert done.stdout.splitlines()[1:] == [
        "advisories not within reach: 4 of 5 of the dependencies checked (not found: delta)"
    ]


def test_an_advisory_counts_more_than_what_was_not_checked(audit):
    mixed = "said[0]['vulns'] = [{'id': 'A', 'fix_versions': []}]; said[1] = {'name': 'beta-b', 'skip_reason': 'no'}"
    done = audit(AUDITOR + mixed + ANSWER)
    assert done.returncode == FOUND
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auditor": "import sys; print('unrecognized', file=sys.stderr); sys.exit(2)"}, "no audit: unrecognized"),
        ({"describer": "raise SystemExit('no environment')"}, "no bill of materials: no environment"),
        ({"describer": "import no_such"}, "no bill of materials: ModuleNotFoundError: No module named 'no_such'"),
        ({"packages": {**PACKAGES, "alpha": ["missing-one"]}}, "missing-one is not installed; run: python -m pip"),
        ({"version": "0.0.1"}, "wagegap 0.0.1 is installed, and this is"),
        ({"file": "no/folder/bom.json"}, "cannot be written: No such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(audit, options, message):
    done = audit(**{"auditor": AUDITOR + ANSWER, **options})
    assert done.returncode == BROKEN
    assert done.stdout.count("dependencies") <= 1
    (line,) = done.stderr.splitlines()
    assert message in line


def test_a_tool_that_is_not_installed_is_named(audit, tmp_path):
    blocked = "import sys; sys.exit(f'{sys.executable}: No module named cyclonedx_py')"
    done = audit("", describer=blocked)
    assert done.returncode == BROKEN
    assert done.stderr.startswith(
        "cyclonedx_py is not installed; run: python -m pip install -e '.[data,tables,hdfe,release]'"
    )


def test_with_the_tools_themselves_and_no_way_to_the_advisories(tmp_path):
    """A proxy that nobody runs: the bill is valid all the same, and one line says that nothing was checked."""
    validation = pytest.importorskip("cyclonedx.validation.json", reason="the extra release is not installed")
    schema = pytest.importorskip("cyclonedx.schema")
    pytest.importorskip("pip_audit", reason="the extra release is not installed")
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "", "no_proxy": "", "PIP_CACHE_DIR": str(tmp_path)}
    done = command(tmp_path / "bom.json", **nowhere)
    if "; run: python -m pip install" in done.stderr:
        pytest.skip(done.stderr.strip())
    assert (done.returncode, done.stderr) == (OUT_OF_REACH, "")
    first, last = done.stdout.splitlines()
    assert first.startswith(f"{tmp_path / 'bom.json'}: wagegap {PROJECT['version']} with ")
    assert last.startswith("advisories not within reach: none of the dependencies checked (")
    text = (tmp_path / "bom.json").read_text(encoding="utf-8")
    assert validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text) is None
    scopes = {one["name"]: one["scope"] for one in json.loads(text)["components"]}
    assert {scopes[name] for name in ("numpy", "pandas", "packaging")} == {"required"}
    assert {scopes[name] for name in ("pyfixest", "pooch", "urllib3")} == {"optional"}
    assert "pytest" not in scopes
