"""Where the data of a section come from: a panel, something shipped, files; and what is wrong with these."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wagegap._arguments import argument_types, flaw_in
from wagegap.errors import StudyError, did_you_mean, listing
from wagegap.panel.files import SUFFIXES
from wagegap.panel.panel import Panel
from wagegap.report.kinds import CAUTION, COMMON
from wagegap.report.shipped import SHIPPED, check_shipped
from wagegap.report.study_file.arguments import Arguments, held_by_shipped
from wagegap.report.study_file.faults import Fault, Place
from wagegap.report.study_file.parts import files_of, short, without

__all__ = ["source_faults"]

_SAYS = {"panel": 'panel = "NAME"', "shipped": 'shipped = "NAME"', "path": 'path = "FILE"'}


def source_faults(place: Place, entries: Mapping[str, Any], arguments: Arguments, folder: Path) -> Iterator[Fault]:
    """Give what is wrong with where the data of a section come from."""
    if place.kind is CAUTION:
        yield from _flow_faults(place, entries)
        return
    given = [name for name in place.kind.places if name in place.entries]
    if place.kind.places and not given:
        yield place.fault(f" needs {_choices(place.kind.places)}.")
    if "shipped" in given and held_by_shipped(place.entries["shipped"]) != "CrossProducts":
        yield from _shipped_faults(place, entries, arguments)
    elif len(given) > 1:
        yield place.fault(f" takes its data from one of {listing(place.kind.places)}, not from {' and '.join(given)}.")
    if "path" in entries and "path" in given and "shipped" not in given:
        yield from place.caught(check_path, place.where, entries["path"], folder, entry="path")
    if isinstance(entries.get("transitions"), Mapping) and "transitions" in place.kind.takes:
        yield from _transition_faults(place, entries["transitions"])


def _choices(places: tuple[str, ...]) -> str:
    """What a section may say of where its data come from."""
    says = [_SAYS[name] for name in places]
    says = [f"{one}, of {listing(SHIPPED)}" if one == _SAYS["shipped"] else one for one in says]
    return says[0] if len(says) == 1 else f"{says[0]} (or {'; or '.join(says[1:])})"


def _shipped_faults(place: Place, entries: Mapping[str, Any], arguments: Arguments) -> Iterator[Fault]:
    """What is not shipped, or of another kind than the section's; entries that a shipped table does not take."""
    spec, wanted = entries.get("shipped"), "covariates" if place.kind.name == "covariates" else "estimates"
    if spec is None:
        return
    odd = list(place.caught(check_argument, place.where, spec, entry="shipped"))
    yield from odd
    held = "" if odd else held_by_shipped(spec)
    if wanted == "estimates" and held == "DataFrame":
        said = ": what is shipped under this name is a table of covariates, not estimates."
        yield place.fault(said, "shipped")
    elif wanted == "covariates" and held not in ("DataFrame", ""):
        said = ": what is shipped under this name is no table of covariates, such as 'income'."
        yield place.fault(said, "shipped")
    elif held:
        what = "a shipped table does" if wanted == "covariates" else "shipped estimates do"
        further = [name for name in without(place.entries, "shipped", *COMMON) if name in arguments.known]
        if further:
            yield place.fault(f" has entries that {what} not take: {listing(further)}.", further[0])


def check_argument(where: str, spec: str) -> None:
    """Raise `StudyError` where a study asks for something that is not shipped, or for a part that it does not have."""
    check_shipped(where, spec)
    name, _, argument = spec.partition(":")
    for parameter, annotation in argument_types(SHIPPED[name][0]).items():
        flaw = flaw_in(annotation, parameter, argument) if argument else ""
        if flaw:
            raise StudyError(f"{where}: shipped = {spec!r}: {flaw}")


def check_path(where: str, path: str, folder: Path) -> None:
    """Raise `StudyError` unless a path names files that are there, of a kind that is read."""
    if not path.lower().endswith(SUFFIXES):
        raise StudyError(f"{where}: path = {short(path)} names no file of a kind that is read: {listing(SUFFIXES)}.")
    try:
        found = files_of(path, folder)
    except (OSError, ValueError) as error:
        raise StudyError(f"{where}: path = {short(path)} cannot be one: {error}.") from error
    if not found:
        beside = (folder / path).parent
        near = did_you_mean(folder / path, beside.iterdir()) if os.path.isdir(beside) else ""
        raise StudyError(f"{where}: no file {str(folder / path)!r}.{near}")
    odd = [name for name in found if not os.path.isfile(name)]
    if odd:
        raise StudyError(f"{where}: {odd[0]!r} is no file.")


def _flow_faults(place: Place, entries: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with the yearly rates of a caution."""
    if "flows" in entries:
        odd = list(place.caught(check_argument, place.where, entries["flows"], entry="flows"))
        yield from odd
        if not odd and held_by_shipped(entries["flows"]) != "DataFrame":
            yield place.fault(": flows must be yearly, such as 'talent_migration_by_year:ai'.", "flows")


def _transition_faults(place: Place, options: Mapping[str, Any]) -> Iterator[Fault]:
    """Entries of a table of transitions that are not known, or hold what they cannot."""
    types = argument_types(Panel.transitions)
    known = [name for name in types if name != "self"]
    for name, value in options.items():
        if name not in known:
            said = f": transitions has an unknown entry {short(name)}.{did_you_mean(name, known)}"
            yield place.fault(f"{said} Known: {listing(known)}.", "transitions", name)
        elif flaw_in(types[name], name, value):
            yield place.fault(f": transitions: {flaw_in(types[name], name, value)}", "transitions", name)
