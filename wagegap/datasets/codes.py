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
from wagegap.datasets.local import carried, keep_rows
from wagegap.panel.countries import country_code

__all__ = ["iso3_or_none", "with_countries"]

_FORMER: Mapping[str, str] = MappingProxyType({"NAU": "NRU", "SIN": "SGP"})
"""Codes that tables use for countries of today, beside ISO's."""


def iso3_or_none(codes: pd.Series[Any]) -> AnyArray:
    """Return today's code of three letters for each, None where it is missing or no country.

    >>> iso3_or_none(pd.Series(["ROM", "KR", "World", None])).tolist()
    ['ROU', 'KOR', None, None]
    """
    places, values = pd.factorize(codes)
    words = [str(value).strip() for value in values]
    found = [_FORMER.get(word) or country_code(word) for word in words]
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
    named = carried(frame.drop(columns=[old for old in columns if old not in coded]).assign(**coded), frame)
    few = ", ".join(dict.fromkeys(odd[:4]))
    return keep_rows(named, known, f"{what}{f' ({few})' if few else ''}")
