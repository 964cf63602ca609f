"""Country codes as tables write them, turned into ISO 3166 codes of three letters.

Old codes of countries that go on (Romania's ROM, Zaire's ZAR) and codes of the World Bank's own become today's. What is
a region, an income group or a state that is no more has no code here; the readers leave it out and say how many rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray
from wagegap.datasets.local import keep_rows
from wagegap.errors import CountryError
from wagegap.panel.countries import country_name, normalise_countries

__all__ = ["FORMER", "iso3_or_none", "with_countries"]

FORMER: Mapping[str, str] = MappingProxyType({
    "ADO": "AND", "NAU": "NRU", "ROM": "ROU", "SIN": "SGP", "TMP": "TLS", "UAE": "ARE", "WBG": "PSE", "ZAR": "COD",
    "KSV": "XKX", "OWID_KOS": "XKX",
})  # fmt: skip
"""Codes that tables use for countries of today, beside ISO's."""


def iso3_or_none(codes: pd.Series[Any]) -> AnyArray:
    """Return today's code of three letters for each, None where it is missing or no country.

    >>> iso3_or_none(pd.Series(["ROM", "KR", "World", None])).tolist()
    ['ROU', 'KOR', None, None]
    """
    places, values = pd.factorize(codes)
    found = [_one(str(value).strip()) for value in values]
    return np.array([*found, None], dtype=object)[places]


def with_countries(frame: pd.DataFrame, columns: Mapping[str, str], *, what: str = "no country") -> pd.DataFrame:
    """Return the rows whose columns are countries, the codes under new names (old name: new name).

    The ledger counts the rows left out, with the first values that were none.
    """
    coded = {new: iso3_or_none(frame[old]) for old, new in columns.items()}
    known = np.all([pd.notna(values) for values in coded.values()], axis=0)
    odd: list[str] = []
    for old, new in columns.items():
        odd += [str(value) for value in frame[old][pd.isna(coded[new])].dropna().unique()]
    frame = frame.drop(columns=[old for old in columns if old not in coded])
    named = frame.assign(**coded)
    named.attrs = dict(frame.attrs)
    few = ", ".join(dict.fromkeys(odd[:4]))
    return keep_rows(named, known, f"{what}{f' ({few})' if few else ''}")


def _one(word: str) -> str | None:
    if word in FORMER:
        return FORMER[word]
    if not word or country_name(word) != word:
        return word or None
    try:
        return str(normalise_countries([word])[0])
    except CountryError:
        return None
