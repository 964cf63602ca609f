"""What reading a study and carrying it out share: its sections, calls of its entries, countries, files, names."""

from __future__ import annotations

import glob
import inspect
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pandas as pd

from wagegap._arguments import flaw_of
from wagegap.errors import CountryError, StudyError, WagegapError, check_known, listing
from wagegap.estimation.countries.spellings import names as country_names
from wagegap.estimation.countries.spellings import near_name
from wagegap.panel.countries import country_code, normalise_countries

__all__ = ["check_call", "countries", "defined", "files_of", "section", "short", "without"]


def section(content: Mapping[str, Any], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the sections of a kind with their names."""
    tables = content.get(kind, {})
    if not isinstance(tables, Mapping) or not all(isinstance(value, Mapping) for value in tables.values()):
        raise StudyError(f"[{kind}] must hold tables such as [{kind}.NAME].")
    return list(tables.items())


def check_call(where: str, function: Callable[..., Any], n_given: int, entries: Mapping[str, Any]) -> None:
    """Raise unless entries are what a function takes beyond its first arguments, all that it needs, of their kinds."""
    parameters = dict(list(inspect.signature(function).parameters.items())[n_given:])
    required = [name for name, value in parameters.items() if value.default is value.empty]
    check_entries(where, entries, parameters, required)
    for name, value in entries.items():
        flaw = flaw_of(function, name, value)
        if flaw:
            raise StudyError(f"{where}: {flaw}")


def check_entries(where: str, entries: Iterable[str], known: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise `StudyError` for an entry that is not known, or a needed one that is not there."""
    check_known(entries, known, lambda name, hint: StudyError(f"{where} has an unknown entry {short(name)}.{hint}"))
    check_known(needed, entries, lambda name, _: StudyError(f"{where} lacks {name!r}."))


def defined(kind: str, known: Iterable[str], name: Any) -> None:
    """Raise `StudyError` unless a part of the study is called by a name."""
    there = list(known)
    check_known(
        [name], there,
        lambda _, hint: StudyError(f"{kind} {short(name)} is not defined.{hint} Defined: {listing(there) or 'none'}."),
    )  # fmt: skip


def without(entries: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return entries but for some."""
    return {name: value for name, value in entries.items() if name not in names}


def countries(name: str, value: object, where: str = "") -> list[str]:
    """Return the codes of countries that an entry names, by code or name.

    Raises
    ------
    StudyError, CountryError
        For something that is no list of names, or a name that is no country's.
    """
    begins = f"{where}: " if where else ""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(one, str) for one in names):
        raise StudyError(f"{begins}{name} = {short(value)} must be a list of countries, such as ['KOR', 'USA'].")
    try:
        return [str(iso3) for iso3 in normalise_countries(pd.Series(list(names), name=name, dtype=object))]
    except WagegapError as error:
        odd = next((one for one in names if country_code(one) is None), "")
        raise CountryError(
            f"{begins}{name!r} names no country by {short(odd)}.{_meant(odd)} Give its English name or its ISO code."
        ) from error


def _meant(odd: str) -> str:
    """Which countries a name that is no country's may have been meant for.

    >>> _meant("Frence"), _meant("Nigera"), _meant("Atlantis")
    (" Did you mean 'France'?", " Did you mean 'Nigeria' or 'Niger'?", '')
    """
    one = near_name(odd)
    near = [one] if one else get_close_matches(odd.title(), country_names().values(), 3, 0.7)
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def files_of(path: str, folder: Path) -> list[str]:
    """Return the files that a path or a pattern of paths names."""
    text = str(folder / path)
    return [text] if os.path.exists(text) else sorted(glob.glob(text))


def short(value: object) -> str:
    """Return a value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
