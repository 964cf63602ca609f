"""Checking a study from the command line: everything that is wrong, or what carrying it out would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wagegap.errors import listing
from wagegap.report.begin.begin import MARK
from wagegap.report.kinds import KINDS
from wagegap.report.study_file import faults, read_study

__all__ = ["checked", "schema_text"]

_FAULTY = 2


def checked(path: str) -> tuple[str, int]:
    """Return what is wrong with a study, a line for each fault, or what it would do; and the exit code."""
    odd = faults(path)
    undecided = _undecided(Path(path))
    said = [*undecided, *(f"{_place(path, fault.line)}: {fault.text}" for fault in odd)]
    waits = ["Sections that wait for this have '# ' before each line: take it away once it is decided."] * bool(
        undecided
    )
    if odd:
        said.append(f"{len(odd)} fault{'s' if len(odd) > 1 else ''}. Mend {'them' if len(odd) > 1 else 'it'}, then: "
                    f"wagegap check {path}")  # fmt: skip
        return "\n".join([*said, *waits]), _FAULTY
    done = [f"nothing wrong: {_does(read_study(path).content)}", *waits, f"Next: wagegap run {path}"]
    return "\n".join([*said, *done]), 0


def _place(path: str, line: int) -> str:
    return f"{path}:{line}" if line else path


def _undecided(path: Path) -> list[str]:
    """Lines of the study that wait for a person, with their numbers."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        return []
    said = []
    for i, line in enumerate(lines):
        if line.startswith(MARK):
            more = [one.removeprefix("#").strip() for one in _following(lines[i + 1 :])]
            said.append(f"{path}:{i + 1}: to decide: {' '.join([line.removeprefix(MARK), *more])}")
    return said


def _following(lines: list[str]) -> list[str]:
    """Lines that go on with a comment."""
    n = next((i for i, line in enumerate(lines) if not line.startswith("#   ")), len(lines))
    return lines[:n]


def _does(content: Mapping[str, Any]) -> str:
    """What carrying out a study would do, by kinds of sections."""
    parts = []
    for kind in KINDS:
        held = content.get(kind, {})
        named = [str(one.get("name") or one.get("ask", "")) for one in held] if isinstance(held, list) else list(held)
        if named:
            parts.append(f"{len(named)} {kind if len(named) > 1 else _one(kind)} ({listing(named, 4)})")
    return f"it has {listing(parts, 20)}."


def _one(kind: str) -> str:
    """A kind of section in the singular.

    >>> _one("premiums"), _one("covariates")
    ('premium', 'covariate')
    """
    return kind.removesuffix("s")


def schema_text() -> str:
    """Return the JSON schema of studies, as text."""
    from wagegap.report.study_file.json_schema import schema

    return json.dumps(schema(), indent=2, ensure_ascii=False)
