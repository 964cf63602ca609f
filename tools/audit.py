"""What the package runs on: a bill of materials, and known advisories against what it lists.

Usage: python tools/audit.py [FILE]      from an environment with `.[data,hdfe,release]`; FILE is bom.json by default

Dependencies are those that the installed package declares, and theirs, in the environment that runs this: what is there
for tests or for the tools is no part of it. cyclonedx-bom describes each of them (version, licence, package address),
and pip-audit asks the advisories of PyPI about each. FILE is a CycloneDX bill in JSON; a component's `scope` is
"required", or "optional" where only extras bring it, which `wagegap:extra` names.

Ends with
    0   every dependency was looked up, and none has a known advisory
    1   advisories, a line each
    2   the bill could not be made, or a tool is missing: nothing was checked
    3   no advisories within reach for some or all dependencies: the bill is written, and they were not checked
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
EXTRAS = ("data", "tables", "hdfe")
"""Extras of those who use the package; the others are for those who work on it."""

CLEAN, FOUND, BROKEN, OUT_OF_REACH = 0, 1, 2, 3
_SECONDS = 600


class Dependencies(NamedTuple):
    """What the package runs on.

    Attributes
    ----------
    versions : dict
        Version by name.
    requires : dict
        Names that each name requires, the package itself among them.
    extras : dict
        Extras that bring a name which is not there without them.
    """

    versions: dict[str, str]
    requires: dict[str, set[str]]
    extras: dict[str, list[str]]


def main() -> int:
    parser = argparse.ArgumentParser(description="Write a bill of materials and look up known advisories.")
    parser.add_argument("file", nargs="?", type=Path, default=Path("bom.json"), help="the bill (default: bom.json)")
    file = parser.parse_args().file
    package = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    check_installed(package["name"], package["version"])
    dependencies = resolve(package["name"])
    bill = cut(describe(), package["name"], dependencies)
    write(file, json.dumps(bill, indent=2) + "\n")
    print(f"{file}: {package['name']} {package['version']} with {counted(dependencies.versions, dependencies.extras)}")
    return report(dependencies.versions, *look_up(dependencies.versions))


def check_installed(name: str, version: str) -> None:
    """Refuse to describe an installation of another version, whose dependencies may be others."""
    installed = version_of(name)
    if installed != version:
        end(f"{name} {installed} is installed, and this is {version}; {advice()}.")


def resolve(package: str) -> Dependencies:
    """Follow the requirements of the installed package, as their markers hold here."""
    core = follow(package, ())
    by_extra = {extra: set(follow(package, (extra,))) - set(core) for extra in EXTRAS}
    requires = follow(package, EXTRAS)
    return Dependencies(
        versions={name: version_of(name) for name in sorted(requires) if name != package},
        requires=requires,
        extras={
            name: [extra for extra in EXTRAS if name in by_extra[extra]]
            for name in sorted(set().union(*by_extra.values()))
        },
    )


def follow(package: str, extras: Iterable[str]) -> dict[str, set[str]]:
    """Names that each dependency of a package requires, the package's own among them."""
    requires: dict[str, set[str]] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(package, extra) for extra in ("", *extras)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        requires.setdefault(name, set())
        for line in requirements_of(name):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                required = canonicalize_name(requirement.name)
                requires[name].add(required)
                waiting += [(required, further) for further in ("", *requirement.extras)]
    return {name: names - {name} for name, names in requires.items()}


def requirements_of(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        end(f"{name} is not installed; {advice()}.")


def version_of(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        end(f"{name} is not installed; {advice()}.")


def describe() -> dict[str, Any]:
    """Everything in the environment, as cyclonedx-bom describes it."""
    outcome = run("cyclonedx_py", "environment", "--pyproject", str(PROJECT), "--mc-type", "library", sys.executable)
    if outcome.returncode:
        end(f"no bill of materials: {reason_in(outcome.stderr)}")
    return json.loads(outcome.stdout)


def cut(bill: dict[str, Any], package: str, dependencies: Dependencies) -> dict[str, Any]:
    """Leave the dependencies in a bill of an environment, say who brings them, and who requires whom."""
    components = {canonicalize_name(one["name"]): one for one in bill["components"]}
    kept = [components[name] for name in dependencies.versions]
    for name, component in zip(dependencies.versions, kept, strict=True):
        extras = dependencies.extras.get(name, [])
        component["scope"] = "optional" if extras else "required"
        brought = [{"name": "wagegap:extra", "value": extra} for extra in extras]
        if properties := component.get("properties", []) + brought:
            component["properties"] = properties
    refs = {name: components[name]["bom-ref"] for name in dependencies.versions}
    refs[package] = bill["metadata"]["component"]["bom-ref"]
    edges = [
        {"ref": refs[name], "dependsOn": sorted(refs[required] for required in dependencies.requires[name])}
        for name in sorted(dependencies.requires)
    ]
    return {**bill, "components": kept, "dependencies": edges}


def write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        end(f"{file} cannot be written: {error.strerror}.")


def counted(versions: dict[str, str], extras: dict[str, list[str]]) -> str:
    extras_named = f"{', '.join(EXTRAS[:-1])} and {EXTRAS[-1]}"
    return f"{len(versions)} dependencies, {len(extras)} of them by the extras {extras_named} alone"


def look_up(versions: dict[str, str]) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit says of each dependency, and why there is nothing where there is nothing."""
    with tempfile.TemporaryDirectory() as folder:
        pins, answers = Path(folder, "pins.txt"), Path(folder, "answers.json")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
        outcome = run(
            "pip_audit", "--requirement", str(pins), "--no-deps", "--disable-pip", "--progress-spinner", "off",
            "--format", "json", "--output", str(answers),
        )  # fmt: skip
        if outcome.returncode == BROKEN:  # options that it does not take
            end(f"no audit: {reason_in(outcome.stderr)}")
        if not answers.exists() or not (content := answers.read_text(encoding="utf-8").strip()):
            return [], reason_in(outcome.stderr)
    return json.loads(content)["dependencies"], ""


def report(versions: dict[str, str], answers: list[dict[str, Any]], reason: str) -> int:
    """Print what the advisories say; the code to end with."""
    checked = {canonicalize_name(answer["name"]): answer for answer in answers if "skip_reason" not in answer}
    unchecked = [name for name in versions if name not in checked]
    lines = [
        f"{name} {versions[name]}: {advisory['id']}{known_as(advisory)}, {fixed_in(advisory)}"
        for name, answer in sorted(checked.items())
        for advisory in answer["vulns"]
    ]
    for line in lines:
        print(line)
    if unchecked:
        reasons = [answer["skip_reason"] for answer in answers if "skip_reason" in answer] or [reason or "no answer"]
        which = "none" if not checked else f"{len(checked)} of {len(versions)}"
        print(f"advisories not within reach: {which} of the dependencies checked ({reasons[0]})")
    elif not lines:
        print(f"no known advisory against any of the {len(versions)} dependencies")
    return FOUND if lines else OUT_OF_REACH if unchecked else CLEAN


def known_as(advisory: dict[str, Any]) -> str:
    names = advisory.get("aliases", [])
    return f" ({', '.join(names)})" if names else ""


def fixed_in(advisory: dict[str, Any]) -> str:
    versions = advisory["fix_versions"]
    return f"fixed in {', '.join(versions)}" if versions else "not fixed yet"


def run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the extra `release` in this environment."""
    command = [sys.executable, "-m", module, *options]
    try:
        outcome = subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, FOUND, "", f"no answer within {_SECONDS} seconds")
    if f"No module named {module}" in outcome.stderr:
        end(f"{module} is not installed; {advice()}.")
    return outcome


def reason_in(text: str) -> str:
    """Return the first error that a tool logged, else the last line that it printed, which ends a traceback."""
    lines = text.strip().splitlines() or ["no answer"]
    logged = [line.rpartition(":")[2] for line in lines if line.startswith("ERROR:")]
    return textwrap.shorten((logged or lines[-1:])[0], 120, placeholder=" ...")


def advice() -> str:
    return f"run: python -m pip install -e '.[{','.join(EXTRAS)},release]'"


def end(message: str) -> NoReturn:
    print(message, file=sys.stderr)
    sys.exit(BROKEN)


if __name__ == "__main__":
    sys.exit(main())
