"""What is wrong with a study: everything that its file alone shows, section by section.

Each check gives the faults it finds and goes on, so that all are told at once. What an entry may hold comes from the
annotations of the estimator that it is an argument of, or from the table of a study's own entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wagegap.errors import did_you_mean, listing
from wagegap.report.folder import same_file, unfit_name
from wagegap.report.kinds import CAUTION, KINDS, Kind
from wagegap.report.study_file.arguments import Arguments, arguments_of, held_by_shipped
from wagegap.report.study_file.columns import column_faults
from wagegap.report.study_file.entries import OF_THE_STUDY, own_flaw
from wagegap.report.study_file.faults import Fault, Place, named
from wagegap.report.study_file.parts import countries, defined, short
from wagegap.report.study_file.references import Names, files_named, names_of, outcome_faults, reference_faults
from wagegap.report.study_file.sources import source_faults
from wagegap.report.study_file.texts import text_faults

__all__ = ["DEEPEST", "VERSIONS", "content_faults"]

VERSIONS = ("0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
"""Versions of this package whose studies it reads; a study that names none is read like one of the first."""

DEEPEST = 20
"""Tables within tables."""
_STUDY = Kind("study", "The study itself.", {})
_NO_RESULT = ("panels", "covariates", "questions", "tables", "figures")
"""Kinds of sections that need another beside them."""


def content_faults(content: Mapping[str, Any], folder: Path) -> Iterator[Fault]:
    """Give everything that is wrong with the content of a study, whose paths start from a folder."""
    study = Place(_STUDY, "the study", (), content)
    depth = list(_depth_faults(study))
    if depth:
        yield from depth
        return
    yield from _top_faults(study)
    places = []
    for kind in (*KINDS.values(), CAUTION):
        found, shape = _places(kind, content)
        yield from shape
        yield from _name_faults(kind, found)
        places += found
    names = names_of(places)
    yield from _answer_faults(study, names)
    for place in places:
        yield from _section_faults(place, names, folder)
    yield from column_faults(places, folder)


def _depth_faults(study: Place) -> Iterator[Fault]:
    """Tables and lists that are nested deeper than any study is, or keys that are no text."""
    level: list[Any] = [study.entries]
    for _ in range(DEEPEST):
        tables = [item for item in level if isinstance(item, Mapping)]
        if not all(isinstance(key, str) for table in tables for key in table):
            yield Fault(0, study.where, "a study's entries have names that are text.")
            return
        inside = [value for table in tables for value in table.values()]
        level = inside + [value for item in level if isinstance(item, list | tuple) for value in item]
        if not level:
            return
    yield Fault(0, study.where, f"the study is not one: tables or lists are nested more than {DEEPEST} deep.")


def _top_faults(study: Place) -> Iterator[Fault]:
    """What is wrong with the entries above all sections, and with there being no sections."""
    content, known = study.entries, (*OF_THE_STUDY, *KINDS, CAUTION.name)
    for name in content:
        if name not in known:
            yield study.fault(f" has an unknown entry {short(name)}.{did_you_mean(name, known)}", name)
    if str(content.get("version", VERSIONS[0])) not in VERSIONS:
        yield study.fault(
            f" says version = {short(content['version'])}; this version of wagegap reads studies of "
            f"{listing(VERSIONS)}. Write version = {VERSIONS[-1]!r} and run it again: what it does not know, it names.",
            "version",
        )
    results = [kind for kind in KINDS if kind not in _NO_RESULT]
    asks = any(isinstance(one, Mapping) and one.get("ask") == "power" for one in _listed(content.get("questions")))
    if not any(content.get(kind) for kind in results) and not asks:
        yield study.fault(
            f" defines neither [premiums.NAME] nor [rates.NAME] (nor {listing(results[2:])}), nothing that has a result"
            ": there is nothing to do."
        )
    for name, entry in OF_THE_STUDY.items():
        flaw = own_flaw(entry, name, content[name]) if name in content and name != "version" else ""
        if flaw:
            yield study.fault(f": {flaw}", name)
        elif name == "watch" and name in content:
            yield from study.caught(countries, name, content[name], entry=name)


def _answer_faults(study: Place, names: Names) -> Iterator[Fault]:
    """An answer that no section gives."""
    answer = study.entries.get("answer")
    if isinstance(answer, str):
        yield from study.caught(defined, "the study: answer", names.results, answer, entry="answer")


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _places(kind: Kind, content: Mapping[str, Any]) -> tuple[list[Place], list[Fault]]:
    """Sections of a kind, and what is wrong with how they are written."""
    name, value = kind.name, content.get(kind.name)
    if value is None:
        return [], []
    if kind is CAUTION:
        if isinstance(value, Mapping):
            return [Place(kind, "[caution]", (name,), value)], []
        return [], [Fault(0, "[caution]", f"[caution] must be a table with {listing(kind.needs)}.", (name,))]
    if kind.listed:
        if isinstance(value, list | tuple) and all(isinstance(one, Mapping) for one in value):
            places = [Place(kind, named(kind, one.get("name"), i), (name, i), one) for i, one in enumerate(value)]
            return places, []
        return [], [Fault(0, f"[[{name}]]", f"{name} must be tables, each headed [[{name}]].", (name,))]
    if isinstance(value, Mapping) and all(isinstance(one, Mapping) for one in value.values()):
        return [Place(kind, f"[{name}.{key}]", (name, key), one) for key, one in value.items()], []
    return [], [Fault(0, f"[{name}]", f"[{name}] must hold tables such as [{name}.NAME].", (name,))]


# names ---------------------------------------------------------------------------------------------------------------


def _name_faults(kind: Kind, places: Sequence[Place]) -> Iterator[Fault]:
    """Names that cannot be part of a file's, or are one to a disk."""
    where = f"[[{kind.name}]]" if kind.listed else f"[{kind.name}]"
    seen: dict[str, str] = {}
    for place in places if kind is not CAUTION else ():
        for name in files_named(place):
            why = unfit_name(name)
            if why:
                said = f"{where}: {short(name)} cannot be a name, as files are called so: {why}."
                yield Fault(0, where, said, place.address)
                continue
            alike = seen.get(same_file(name))
            if alike is not None:
                same = f"the same name, {name!r}" if alike == name else (
                    f"names that some disks take for one, {alike!r} and {name!r}"
                )  # fmt: skip
                yield Fault(0, where, f"{where}: two have {same}; rename one of them.", place.address)
            seen.setdefault(same_file(name), name)


# entries -------------------------------------------------------------------------------------------------------------


def _section_faults(place: Place, names: Names, folder: Path) -> Iterator[Fault]:
    """Everything that is wrong with a section."""
    arguments, said = arguments_of(place)
    yield from said
    odd = list(_entry_faults(place, arguments))
    unknown = [fault for fault in odd if fault.address[-1] not in arguments.known]
    yield from unknown
    wrong = {fault.address[len(place.address)] for fault in odd if len(fault.address) > len(place.address)}
    sound = {name: value for name, value in place.entries.items() if name not in wrong}
    yield from _lacking(place, arguments)
    yield from source_faults(place, sound, arguments, folder)
    yield from reference_faults(place, sound, arguments, names)
    yield from text_faults(place, sound, arguments)
    yield from outcome_faults(place, sound, names)
    yield from _country_faults(place, sound, names)
    yield from (fault for fault in odd if fault not in unknown)


def _entry_faults(place: Place, arguments: Arguments) -> Iterator[Fault]:
    """Entries that are not known, or hold what they cannot."""
    for name, value in place.entries.items():
        if name not in arguments.known:
            if arguments.complete:
                yield place.fault(f" has an unknown entry {short(name)}.{arguments.hint(name)}", name)
            continue
        own = arguments.own(name)
        flaw = arguments.flaw(name, value) if own is None else own_flaw(own, name, value)
        if flaw:
            yield place.fault(f": {flaw}", name)


def _lacking(place: Place, arguments: Arguments) -> Iterator[Fault]:
    """Needed entries that are not there."""
    placeless = place.kind.places and not any(name in place.entries for name in place.kind.places)
    unknown = "shipped" in place.kind.places and "shipped" in place.entries and not held_by_shipped(
        place.entries["shipped"]
    )  # fmt: skip
    for name in () if placeless or unknown else arguments.needed:
        if name not in place.entries:
            yield place.fault(f" lacks {name!r}.")


def _country_faults(place: Place, entries: Mapping[str, Any], names: Names) -> Iterator[Fault]:
    """Countries that nobody knows."""
    asked = place.kind.name == "questions"
    for name in place.kind.countries:
        value = entries.get(name)
        if isinstance(value, str | list | tuple) and (not asked or names.of_countries(entries.get("link"))):
            yield from place.caught(countries, name, value, place.where, entry=name)
