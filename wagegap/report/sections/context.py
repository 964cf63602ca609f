"""What carrying out a section may look at: the study's file, and what earlier sections gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wagegap._display.spec import plain
from wagegap.errors import ReliabilityError, StudyError, WagegapError
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.report.shipped import source_of
from wagegap.report.study_file import StudyFile, check_call

__all__ = ["Context", "call", "estimates_in", "label_of", "source_in", "title_of"]


@dataclass(frozen=True, slots=True)
class Context:
    """A study while it is carried out.

    Attributes
    ----------
    read : StudyFile
        Its file.
    results : dict of str to dict of str to object
        Results so far, by kind of section and name.
    refused : dict of str to str
        What was found of the links that are refused, by name.
    """

    read: StudyFile
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def watch(self) -> list[str]:
        """Codes of the countries watched."""
        return self.read.watch

    @property
    def seed(self) -> int:
        """Seed of random orders."""
        return self.read.seed

    @property
    def folder(self) -> Path:
        """Where paths start from."""
        return self.read.folder

    def keep(self, kind: str, name: str, result: Any) -> None:
        """Keep a result for later sections."""
        self.results.setdefault(kind, {})[name] = result

    def result(self, kind: str, name: str, where: str) -> Any:
        """Return what an earlier section gave.

        Raises
        ------
        StudyError
            Where it gave nothing, as a link that was refused.
        """
        there = self.results.get(kind, {})
        if name not in there:
            raise StudyError(f"{where}: {kind} {name!r} gave no result that could be asked.")
        return there[name]

    def entries(self, kind: str, name: str) -> Mapping[str, Any]:
        """Return what the file says of a section that has a name."""
        sections = self.read.content.get(kind, {})
        if isinstance(sections, Mapping):
            return dict(sections.get(name, {}))
        return next((dict(entries) for entries in sections if entries.get("name") == name), {})


def call(where: str, function: Callable[..., Any], *given: Any, **entries: Any) -> Any:
    """Call a function with the entries of a section; what is wrong is said with the section's name."""
    check_call(where, function, len(given), entries)
    try:
        return function(*given, **entries)
    except ReliabilityError:
        raise  # a finding, not a slip
    except WagegapError as error:
        raise type(error)(f"{where}: {error}") from error


def estimates_in(result: Any) -> Estimates:
    """Return the estimates of a result."""
    estimates: Estimates = result.estimates if isinstance(result, Result) else result
    return estimates


def label_of(entries: Mapping[str, Any], name: str) -> str:
    """Return what a section is called in sentences."""
    return plain(entries.get("label", name))


def source_in(entries: Mapping[str, Any]) -> str:
    """Say where a section's data come from: as its file does, or as what it takes from the package is known to."""
    stated = plain(entries.get("source", ""))
    return stated or (source_of(entries["shipped"]) if "shipped" in entries else "")


def title_of(entries: Mapping[str, Any], name: str) -> str:
    """Return the heading of a section."""
    return plain(entries.get("title", "")) or label_of(entries, name)
