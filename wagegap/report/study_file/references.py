"""Names by which sections of a study refer to one another, and those that nothing is called by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wagegap.errors import did_you_mean, listing
from wagegap.report.study_file.arguments import Arguments
from wagegap.report.study_file.faults import Fault, Place
from wagegap.report.study_file.parts import defined, short

__all__ = ["Names", "files_named", "names_of", "outcome_faults", "reference_faults"]

_RESULTS = ("premiums", "rates", "links", "systems", "curves", "gaps", "exits", "flows", "models", "questions")
"""Kinds of sections whose results a table or figure shows, or answer the question."""
_OUTCOMES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "links": ("formula",), "systems": ("formulas",), "curves": ("outcome",),
})  # fmt: skip
"""Entries that begin with, or are, the name of a rate."""
_DATA = ("panels", "covariates")
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
        return self._of_kinds(_RESULTS)

    def shown_by(self, kind: str) -> dict[str, list[str]]:
        """Names of all sections that a table or figure may show, with their kinds: a figure also data, as they are."""
        kinds = (*_RESULTS, *_DATA) if kind == "figures" else _RESULTS
        return {name: [kind for kind in kinds if name in self.sections.get(kind, {})] for name in self._of_kinds(kinds)}

    def events(self, rates: object) -> list[str]:
        """Names of the rates of a section, as far as its file tells them; none where it does not."""
        events = self._entries("rates", rates).get("events", ())
        names = [events] if isinstance(events, str) else events
        return [str(name) for name in names] if isinstance(names, Mapping | list | tuple) else []

    def _of_kinds(self, kinds: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(name for kind in kinds for name in self.sections.get(kind, {})))

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
        yield from _shown_faults(place, entries["of"], names.shown_by(place.kind.name))


def outcome_faults(place: Place, entries: Mapping[str, Any], names: Names) -> Iterator[Fault]:
    """Give the outcomes of links that are none of the rates these are of, where the study says what the rates are."""
    there = names.events(entries.get("rates"))
    for entry in _OUTCOMES.get(place.kind.name, ()) if there else ():
        value = entries.get(entry, ())
        for formula in [value] if isinstance(value, str) else value:
            outcome, tilde, _ = formula.partition("~") if isinstance(formula, str) else ("", "", "")
            if outcome.strip() not in there and (tilde or entry == "outcome"):
                said = f": the outcome {short(outcome.strip())} is none of the rates {entries['rates']!r}."
                near = did_you_mean(outcome.strip(), there)
                yield place.fault(f"{said}{near} They are: {listing(there)}.", entry)


def _shown_faults(place: Place, value: Any, there: Mapping[str, Sequence[str]]) -> Iterator[Fault]:
    """Names of what is shown that are not there, or of several sections none of which is a link."""
    full = [f"{kind}.{name}" for name, kinds in there.items() for kind in kinds]
    for name in [value] if isinstance(value, str) else value:
        kinds = there.get(name, ())
        if len(kinds) > 1 and "links" not in kinds:
            meant = " or ".join(repr(f"{kind}.{name}") for kind in kinds)
            yield place.fault(f": of {short(name)} is the name of {len(kinds)} sections: write {meant}.", "of")
        elif name not in full:
            yield from place.caught(defined, f"{place.where}: of", there, name, entry="of")


def _unknown(place: Place, entry: str, value: Any, there: Sequence[str], kind: str) -> Iterator[Fault]:
    """Names of an entry that are not there."""
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) for name in given):
        of = f" of a section [{kind}.NAME]" if kind else "s of sections"
        yield place.fault(f": {entry} = {short(value)} must be the name{of}.", entry)
        return
    for name in given:
        yield from place.caught(defined, f"{place.where}: {entry}", there, name, entry=entry)
