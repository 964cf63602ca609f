"""Columns that a study names, held against the headings of its files before any row is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wagegap.errors import WagegapError, did_you_mean, listing
from wagegap.panel.csv_dialects import CsvDialect, check_dialect
from wagegap.panel.files import FileOptions, read_columns
from wagegap.panel.transitions import NEXT_OF_ROLES
from wagegap.report.study_file.arguments import Arguments, arguments_of
from wagegap.report.study_file.faults import Fault, Place
from wagegap.report.study_file.parts import files_of, short
from wagegap.report.study_file.texts import columns_of_texts, flaw_of_expression

__all__ = ["column_faults"]

_DIALECT = ("encoding", "sep", "decimal", "thousands")
_ROLES = ("worker", "country", "period", "wage", "field", "occupation", "weight", "cluster", "strata")
_TABLES = ("panels", "covariates", "premiums", "rates")
"""Kinds of sections that can have a file."""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Columns of a section's data.

    Attributes
    ----------
    file : str
        Where they stand.
    names : tuple of str
        Columns that later sections may name.
    unread : tuple of str
        Further columns of the file, which it is told not to read.
    """

    file: str
    names: tuple[str, ...]
    unread: tuple[str, ...] = ()


def column_faults(places: Sequence[Place], folder: Path) -> Iterator[Fault]:
    """Give the columns that sections name and their files lack; files whose headings cannot be read."""
    panels: dict[object, _Columns] = {}
    for place in places:
        if place.kind.name in _TABLES and isinstance(place.entries.get("path"), str) and "shipped" not in place.entries:
            try:
                there = _columns(place, folder)
            except WagegapError as error:
                yield place.fault(f": {error}", "path")
                continue
            if there is None:
                continue
            if place.kind.name == "panels":
                panels[place.address[-1]] = there
            yield from _absent(place, there)
    for place in places:
        name = place.entries.get("panel")
        if isinstance(name, str) and name in panels and "panel" in place.kind.places:
            yield from _absent(place, panels[name])


def _columns(place: Place, folder: Path) -> _Columns | None:
    """Columns of a section's files; None where they are not there, or the section does not say how they are written."""
    entries = place.entries
    marks = [entries.get(name) for name in (*_DIALECT, "sheet")]
    if not all(mark is None or isinstance(mark, str | int) for mark in marks) or "\0" in entries["path"]:
        return None
    options = FileOptions(CsvDialect(*marks[:-1]), marks[-1])
    files = [path for path in files_of(entries["path"], folder) if Path(path).is_file()]
    if not files:
        return None
    check_dialect(options.csv)
    names = tuple(dict.fromkeys(name for path in files for name in read_columns(path, options)))
    if place.kind.name not in ("panels", "covariates"):
        return _Columns(entries["path"], names)
    read = tuple(name for name in names if _is_read(name, entries))
    return _Columns(
        entries["path"], (*read, *_made(entries)), tuple(name for name in names if name not in read)
    )  # fmt: skip


def _is_read(name: str, entries: Mapping[str, Any]) -> bool:
    """Whether a column of a file is read: all are, unless `columns` are chosen."""
    if "columns" not in entries:
        return True
    pattern = entries.get("replicate_weights")
    chosen = [entries.get(entry) for entry in (*_ROLES, "columns", "replicate_weights", "units")]
    if any(name == one or (not isinstance(one, str) and one is not None and name in one) for one in chosen):
        return True
    return isinstance(pattern, str) and _matches(pattern, [name])


def _made(entries: Mapping[str, Any]) -> list[str]:
    """Columns that `transitions` makes."""
    if entries.get("transitions", False) is False:
        return []
    made = [name for role, names in NEXT_OF_ROLES.items() if role in entries for name in names]
    return [*made, "gap"]


def _absent(place: Place, there: _Columns) -> Iterator[Fault]:
    """Columns that a section names and its data do not have."""
    arguments, _ = arguments_of(place)
    for entry, value in place.entries.items():
        if entry in arguments.by_entry and not arguments.flaw(entry, value):
            for name in _named(arguments, entry, value, there):
                if name not in there.names and name not in _known_besides(place):
                    yield place.fault(_said(entry, name, there), entry)
    for entry, default in arguments.defaults().items():
        for name in columns_of_texts(arguments, entry, default, there.names):
            yield place.fault(
                f": without {entry}, it is {name!r}, and {there.file} has no such column.{_near(name, there)}"
            )


def _named(arguments: Arguments, entry: str, value: Any, there: _Columns) -> list[str]:
    """Columns that an entry names."""
    if entry == "units":
        return [str(name) for name in value]
    if entry == "replicate_weights" and isinstance(value, str):
        return [] if _matches(value, there.names) else [value]
    if entry == "weights" and isinstance(value, str):
        return [value]
    if entry in ("term", "unit", "comparison"):
        return []
    return columns_of_texts(arguments, entry, value, there.names)


def _matches(pattern: str, names: Sequence[str]) -> bool:
    """Whether the beginning of a name matches a regular expression, which reading judges where it is none."""
    try:
        return any(re.match(pattern, name) for name in names)
    except re.error:
        return True


def _known_besides(place: Place) -> tuple[str, ...]:
    """Names in a formula that are no columns of the data: what an estimator merges to it."""
    premiums = place.entries.get("premiums")
    if place.kind.name != "exits" or premiums is None:
        return ()
    return ("premium", *(premiums if isinstance(premiums, Mapping) else ()))


def _said(entry: str, name: str, there: _Columns) -> str:
    if name in there.unread:
        return f": {entry} names {short(name)}, which columns = [...] of the panel leaves out: add it there."
    flaw = flaw_of_expression(name)
    if flaw:
        return f": {entry}: {flaw}"
    return f": {entry} names {short(name)}, and {there.file} has no such column.{_near(name, there)}"


def _near(name: str, there: _Columns) -> str:
    return did_you_mean(name, there.names) or f" There are: {listing(there.names, 12)}."
