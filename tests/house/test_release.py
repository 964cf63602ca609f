"""What cannot run here is right at least: the public workflow, hooks and issue forms agree with the project."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml", reason="the extra test is not installed")

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WORKFLOW = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
CI = yaml.safe_load(WORKFLOW)
GATE = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
PAGES += [ROOT / "tools" / "README.md", ROOT / ".github" / "pull_request_template.md"]


def commands(job):
    return [step["run"] for step in CI["jobs"][job]["steps"] if "run" in step]


def test_the_suite_runs_on_three_systems_and_every_python_that_is_declared():
    matrix = CI["jobs"]["suite"]["strategy"]["matrix"]
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert matrix["python"] == declared == ["3.11", "3.12", "3.13", "3.14"]
    assert PROJECT["requires-python"] == f">={declared[0]}"
    assert {name.partition("-")[0] for name in matrix["system"]} == {"ubuntu", "macos", "windows"}


def test_the_suite_is_the_readmes():
    (command,) = re.findall(r"^python3 -m venv .*pytest.*$", README, re.MULTILINE)
    install, suite = (part.partition("python ")[2] for part in command.split(" && ")[1:])
    assert commands("suite") == [f"python {install.replace(chr(39), chr(34))}", f"python {suite}"]


def test_the_lowest_versions_are_installed_as_the_gate_installs_them():
    gate = re.search(r"pip install -q (-c tests/lowest.txt .*?)\n}", GATE, re.DOTALL)[1].replace("\\\n", "").split()
    install, suite = commands("lowest")
    assert install.split() == ["python", "-m", "pip", "install", *gate]
    assert suite == commands("suite")[1]
    assert CI["jobs"]["lowest"]["steps"][1]["with"]["python-version"] == PROJECT["requires-python"].removeprefix(">=")


def test_the_audit_is_the_gates_command():
    assert "python tools/audit.py bom.json" in commands("audit")
    assert "python tools/audit.py" in GATE
    assert "|| code=$?" in GATE  # there 3 is no failure; here every code but 0 is
    assert "||" not in "".join(commands("audit"))


def test_the_workflow_may_read_the_repository_and_nothing_else():
    assert CI["permissions"] == {"contents": "read"}
    assert "secrets" not in WORKFLOW
    for job in CI["jobs"].values():
        assert "permissions" not in job
        assert job["timeout-minutes"] <= 90
        checkout = job["steps"][0]
        assert checkout["with"] == {"persist-credentials": False}


def test_actions_are_pinned_to_a_commit_and_say_its_version():
    actions = re.findall(r"uses: (.+)", WORKFLOW)
    assert len(actions) >= 2 * len(CI["jobs"])
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in actions)
    assert len(set(actions)) == len({action.partition("@")[0] for action in actions})


def test_hooks_are_the_commands_of_style_types_and_contracts():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = [hook["entry"].removesuffix(" --force-exclude") for hook in hooks]
    assert [command.split(" --check")[0].removesuffix(" .") for command in commands("style")[1:]] == entries


def test_forms_ask_for_what_a_wrong_number_needs():
    forms = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in FORMS}
    assert set(forms) == {"config", "error", "idea", "wrong_number"}
    assert forms.pop("config") == {"blank_issues_enabled": False}
    for form in forms.values():
        assert {"name", "description", "body"} <= set(form)
    asked = {part["id"]: part for part in forms["wrong_number"]["body"] if "id" in part}
    assert all(asked[name]["validations"]["required"] for name in ("call", "printed", "reference", "software"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_between_pages_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
