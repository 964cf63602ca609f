"""Country codes as tables write them, turned into ISO 3166 codes of three letters.

Old codes of countries that go on (Romania's ROM, Zaire's ZAR) and codes of the World Bank's own become today's. What is
a region, an income group or a state that is no more has no code here; the readers leave it out and say how many rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray
from wagegap.datasets.local import Years, carried, keep_rows, within_years
from wagegap.panel.countries import country_code

__all__ = ["coded_table", "iso3_or_none", "with_countries"]

_FORMER: Mapping[str, str] = MappingProxyType({"NAU": "NRU", "SIN": "SGP"})
"""Codes that tables use for countries of today, beside ISO's."""
_ISO3: Mapping[str, str] = MappingProxyType({"iso3": "iso3"})


def iso3_or_none(codes: pd.Series[Any]) -> AnyArray:
    """Return today's code of three letters for each, None where it is missing or no country.

    >>> iso3_or_none(pd.Series(["ROM", "KR", "World", None])).tolist()
    ['ROU', 'KOR', None, None]
    """
    places, values = pd.factorize(codes)
    written = [str(value).strip() for value in values]
    codes_of_today = [_FORMER.get(text) or country_code(text) for text in written]
    return np.array([*codes_of_today, None], dtype=object)[places]


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


def coded_table(
    frame: pd.DataFrame,
    values: Mapping[Any, str] | Iterable[Any],
    *,
    countries: Mapping[str, str] = _ISO3,
    keys: Sequence[str] = (),
    years: Years = None,
    what: str = "no country",
) -> pd.DataFrame:
    """Return countries, year, further keys and values of a publisher's table, in the order of the keys.

    Parameters
    ----------
    frame : DataFrame
        As read, with its ledger.
    values : mapping of old to new name, or names
        Columns of values.
    countries : mapping of old to new name
        Columns of countries; rows without a country of today, and of a country with itself, are left out.
    keys : sequence of str
        Further keys.
    years : (int, int), optional
        First and last year, both included.
    what : str
        What those are that are no country, for the ledger.

    Raises
    ------
    OptionError, EmptyDataError
    """
    names = dict(values) if isinstance(values, Mapping) else {name: name for name in values}
    coded = with_countries(within_years(frame, years).rename(columns=names), countries, what=what)
    if len(countries) == 2:
        coded = keep_rows(coded, coded["origin"] != coded["destination"], "a country with itself")
    dated = ["year"] if "year" in coded else []
    ordered = [*countries.values(), *dated, *keys]
    table = coded[[*ordered, *names.values()]].astype(dict.fromkeys(dated, np.int64))
    return carried(table.sort_values(ordered, ignore_index=True), coded)
