"""Names by which sections of a study refer to one another, and those that nothing is called by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wagegap.report.study_file.arguments import Arguments
from wagegap.report.study_file.faults import Fault, Place
from wagegap.report.study_file.parts import defined, short

__all__ = ["Names", "files_named", "names_of", "reference_faults"]

_RESULTS = ("premiums", "rates", "links", "systems", "curves", "gaps", "exits", "flows", "models", "questions")
"""Kinds of sections whose results a table or figure shows, or answer the question."""
_FITTED_BESIDES = {"without_cross_block": "no_cross", "leave_out": "without", "sensitivity": "sensitivity"}
"""What a link is fitted to besides, and how that is called, by the entry that asks for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Names:
    """What the sections of a study are called.

    Attributes
    ----------
    sections : mapping of str to mapping of str to mapping
        Entries of sections by kind and name; of links also those that are fitted besides.
    """

    sections: Mapping[str, Mapping[str, Mapping[str, Any]]]

    @property
    def results(self) -> list[str]:
        """Names of all sections that have results, each once."""
        return list(dict.fromkeys(name for kind in _RESULTS for name in self.sections.get(kind, {})))

    def of_countries(self, link: object) -> bool:
        """Whether the cells of a link are countries, as far as its file tells."""
        entries = self._entries("links", link)
        premiums = self._entries("premiums", entries.get("premiums"))
        return "by" not in premiums and self._entries("panels", premiums.get("panel")).get("country_names") != "keep"

    def _entries(self, kind: str, name: object) -> Mapping[str, Any]:
        return self.sections.get(kind, {}).get(name, {}) if isinstance(name, str) else {}


def names_of(places: Sequence[Place]) -> Names:
    """Return what the sections of a study are called."""
    sections: dict[str, dict[str, Mapping[str, Any]]] = {}
    for place in places:
        sections.setdefault(place.kind.name, {}).update(dict.fromkeys(files_named(place), place.entries))
    return Names(sections)


def files_named(place: Place) -> list[str]:
    """Return the names by which files of a section are called: its own, and of what a link is fitted to besides."""
    kind, entries = place.kind, place.entries
    if not kind.listed:
        return [str(place.address[-1])]
    name = entries.get("name")
    if not isinstance(name, str):
        return []
    if kind.name != "links":
        return [name]
    return [name, *(f"{name}_{ending}" for entry, ending in _FITTED_BESIDES.items() if entries.get(entry))]


def reference_faults(place: Place, entries: Mapping[str, Any], arguments: Arguments, names: Names) -> Iterator[Fault]:
    """Give the names that nothing in the study is called by."""
    for entry, kind in place.kind.refers.items():
        if entry in entries and arguments.refers(entry):
            there = list(names.sections.get(kind, {}))
            yield from _unknown(place, entry, entries[entry], there, kind)
    if "of" in entries and "of" in place.kind.takes:
        yield from _unknown(place, "of", entries["of"], names.results, "")


def _unknown(place: Place, entry: str, value: Any, there: Sequence[str], kind: str) -> Iterator[Fault]:
    """Names of an entry that are not there."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        of = f" of a section [{kind}.NAME]" if kind else "s of sections"
        yield place.fault(f": {entry} = {short(value)} must be the name{of}.", entry)
        return
    for name in given:
        yield from place.caught(defined, f"{place.where}: {entry}", there, name, entry=entry)
