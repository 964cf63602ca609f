"""Country names as ISO 3166 codes, from a shipped table of names and spellings that common sources use."""

from __future__ import annotations

import csv
import unicodedata
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray
from wagegap.errors import CountryError, MissingValueError, did_you_mean, listing

__all__ = ["country_name", "normalise_countries"]


def normalise_countries(names: pd.Series[str]) -> AnyArray:
    """Return ISO3 codes for codes (two or three letters) and names, whatever their case and accents.

    Raises
    ------
    MissingValueError, CountryError

    Examples
    --------
    >>> normalise_countries(pd.Series(["Korea, Rep.", "us", "Türkiye"])).tolist()
    ['KOR', 'USA', 'TUR']
    """
    missing = int(names.isna().sum())
    if missing:
        raise MissingValueError(
            f"{names.name!r} has no country in {missing:,} of {len(names):,} rows: filter them out."
        )
    codes, values = pd.factorize(names.astype(str))
    known = _spellings()
    found = [known.get(_folded(value)) for value in values]
    unknown = [i for i, code in enumerate(found) if code is None]
    if unknown:
        rows = int(np.isin(codes, unknown).sum())
        words = [f"{values[i]!r}{did_you_mean(values[i], _names().values())}" for i in unknown]
        raise CountryError(
            f"{names.name!r} has {len(unknown)} names in {rows:,} of {len(names):,} rows that are no known country: "
            f"{listing(words)} Correct them, filter them out, or read with country_names='keep'."
        )
    return np.array(found, dtype=object)[codes]


def country_name(iso3: str) -> str:
    """Return the English short name of a code; a code that is not known stays as it is.

    >>> country_name("KOR")
    'South Korea'
    """
    return _names().get(iso3, iso3)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(plain.lower().replace(".", " ").replace(",", " ").replace("&", " and ").split())


@cache
def _rows() -> tuple[dict[str, str], ...]:
    with files("wagegap.panel").joinpath("countries.csv").open(encoding="utf-8") as handle:
        return tuple(csv.DictReader(handle))


@cache
def _names() -> dict[str, str]:
    return {row["iso3"]: row["name"] for row in _rows()}


@cache
def _spellings() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in _rows():
        spellings = [row["iso3"], row["iso2"], row["name"], *filter(None, row["aliases"].split("|"))]
        found.update({_folded(spelling): row["iso3"] for spelling in spellings})
    return found
