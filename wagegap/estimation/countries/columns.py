"""Which column of a frame holds countries, and how two of them meet: by what they hold, whatever their headings.

A column holds countries where it is called so (`iso3`, `Country`, `cntry`, `nation`, ...), or where it holds nothing
but codes of three letters and names. Codes of two letters say so only under such a heading: `AI` is a field as well as
Anguilla. Two columns that write the same countries differently meet by their codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from wagegap._display.numbers import format_key
from wagegap.errors import did_you_mean
from wagegap.estimation.countries.spellings import code_of, names, near_name

__all__ = [
    "country_code",
    "country_key",
    "country_name",
    "hold_countries",
    "level_meant",
    "levels_meant",
    "meet_countries",
    "near_country",
    "to_read",
    "with_names",
]

_CALLED_SO = frozenset(
    "country countries countrycode countryname countryiso countryiso2 countryiso3 cntry cntryname ctry nation nations "
    "nationname iso iso2 iso3 isocode isoa2 isoa3 iso3c iso2c".split()
)
"""Headings of columns of countries, in small letters without punctuation."""
_SHORT_NAMES = frozenset({"UK", "US"})
"""Names of two letters that stand among longer ones."""


def country_code(word: str) -> str | None:
    """Return the code of three letters of a code or English name, None where the table has none.

    >>> country_code("Korea, Republic of"), country_code("Elsewhere")
    ('KOR', None)
    """
    return code_of(word)


def country_name(iso3: str) -> str:
    """Return the English short name of a code; a code that is not known stays as it is.

    >>> country_name("KOR")
    'South Korea'
    """
    return names().get(iso3, iso3)


def hold_countries(keys: pd.DataFrame) -> bool:
    """Say whether cells are countries: they have one key, called so or with nothing but countries.

    >>> hold_countries(pd.DataFrame({"where": ["KOR", "USA"]})), hold_countries(pd.DataFrame({"field": ["law", "CHE"]}))
    (True, False)
    """
    return keys.shape[1] == 1 and _holds(keys.iloc[:, 0])


def country_key(keys: pd.DataFrame) -> str | None:
    """Return the one column that holds countries, whatever its name; None where none does, or several do.

    A column that is called so comes before one that only holds them.

    >>> country_key(pd.DataFrame({"year": [2020], "nation": ["KOR"]}))
    'nation'
    >>> country_key(pd.DataFrame({"origin": ["KOR"], "destination": ["USA"]})) is None
    True
    """
    called = [str(name) for name in keys.columns if _called_so(name)]
    holding = called or [str(name) for i, name in enumerate(keys.columns) if _holds(keys.iloc[:, i])]
    return holding[0] if len(holding) == 1 or called else None


def meet_countries(keys: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Return two frames whose countries meet: under one heading, and by their codes where they are written differently.

    Parameters
    ----------
    keys : DataFrame
        Keys of cells; the heading of its countries is kept.
    other : DataFrame
        Keys, or keys and other columns.

    Returns
    -------
    keys, other : DataFrame
        As they were, but for the countries.
    heading : str
        What those of the other were called, where that was not the same; else empty.

    Examples
    --------
    >>> rates, premiums = pd.DataFrame({"iso3": ["KOR"]}), pd.DataFrame({"Nation": ["South Korea"]})
    >>> meet_countries(rates, premiums)[1:]
    (  iso3
    0  KOR, 'Nation')
    """
    key = country_key(keys)
    if key is None or keys.empty or other.empty or not other.columns.is_unique:
        return keys, other, ""
    heading = key if key in other.columns else country_key(other[_text_columns(other)])
    if heading is None or (heading != key and heading in keys.columns) or not _holds(other[heading]):
        return keys, other, ""
    renamed = other.rename(columns={heading: key})
    if not _levels(keys[key]) or not _levels(renamed[key]):
        return keys, renamed, heading if heading != key else ""
    first, second = _codes(keys[key]), _codes(renamed[key])
    if len(_shared(first, second)) > len(_shared(keys[key], renamed[key])):
        keys, renamed = keys.assign(**{key: first}), renamed.assign(**{key: second})
    return keys, renamed, heading if heading != key else ""


def level_meant(wanted: Any, levels: Sequence[Any] | pd.Series[Any]) -> Any:
    """Return the one level that is the country wanted, by its name or code; what is none of them as it is.

    >>> level_meant("South Korea", ["KOR", "USA"]), level_meant("us", ["Korea, Rep.", "United States"])
    ('KOR', 'United States')
    """
    levels = list(levels)
    code = code_of(wanted) if isinstance(wanted, str) and wanted not in levels else None
    same = [level for level in levels if code is not None and isinstance(level, str) and code_of(level) == code]
    return same[0] if len(set(same)) == 1 else wanted


def levels_meant(name: str, wanted: Sequence[Any], levels: Sequence[Any]) -> list[Any]:
    """Return levels wanted of a column; where that holds countries, those which names and codes mean.

    >>> levels_meant("nation", ["South Korea", "USA"], ["KOR", "USA"]), levels_meant("field", ["AI"], ["ai", "law"])
    (['KOR', 'USA'], ['AI'])
    """
    if all(one in levels for one in wanted) or not _holds(pd.Series(list(levels), name=name, dtype=object)):
        return list(wanted)
    return [level_meant(one, levels) for one in wanted]


def near_country(wanted: object, levels: Iterable[object]) -> str:
    """Return a hint at the country that was meant, by the names of those there are; nothing where none is near.

    >>> near_country("Frence", ["FRA", "DEU"]), near_country("Elsewhere", ["FRA"])
    (" Did you mean 'France'?", '')

    A country that is known is never taken for another:

    >>> near_country("North Korea", ["KOR", "USA"])
    ' North Korea is not among them.'
    """
    known, code = [str(level) for level in levels], code_of(str(wanted))
    if code is not None and any(map(code_of, known)):
        return f" {country_name(code)} is not among them."
    hint = did_you_mean(str(wanted), [*known, *map(country_name, known)])
    near = None if hint else near_name(str(wanted))
    return f" Did you mean {near!r}?" if near is not None else hint


def with_names(frame: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Return a frame in which countries stand by their names, for a reader; other keys stay as they are.

    >>> with_names(pd.DataFrame({"iso3": ["KOR"], "field": ["ARM"]}), ["iso3", "field"]).iloc[0].tolist()
    ['South Korea', 'ARM']
    """
    written = to_read(frame[list(keys)])
    return frame.assign(**{key: [name(value) for value in frame[key]] for key, name in written.items()})


def to_read(keys: pd.DataFrame) -> dict[str, Callable[[Any], str]]:
    """Return how the key that holds countries is written for a reader; nothing where none does.

    >>> to_read(pd.DataFrame({"nation": ["KOR"]}))["nation"]("KOR")
    'South Korea'
    """
    key = country_key(keys)
    return {} if key is None else {key: lambda value: country_name(format_key(value))}


def _called_so(name: object) -> bool:
    return re.sub(r"[^a-z0-9]", "", str(name).lower()) in _CALLED_SO


def _holds(column: pd.Series[Any]) -> bool:
    """Whether a column is called so, or holds nothing but codes of three letters and names."""
    if _called_so(column.name):
        return True
    levels = _levels(column)
    return bool(levels) and all(
        isinstance(level, str)
        and (len(level) > 2 or level in _SHORT_NAMES)
        and (level in names() or code_of(level) is not None)
        for level in levels
    )


def _levels(column: pd.Series[Any]) -> list[Any]:
    """Values of a column, each once; none where they are lists and the like, which are refused where keys are."""
    try:
        return list(column.unique())
    except TypeError:
        return []


def _text_columns(frame: pd.DataFrame) -> list[Any]:
    return [name for name, column in frame.items() if not pd.api.types.is_numeric_dtype(column)]


def _codes(column: pd.Series[Any]) -> pd.Series[Any]:
    """A column with the codes of its countries; what is none stays as it is, and so does a code that is misspelt."""
    known = {level: code_of(level) for level in column.unique() if isinstance(level, str)}
    codes = {level: code for level, code in known.items() if code is not None and code != level.strip().upper()}
    return column.astype(object).map(lambda level: codes.get(level, level) if isinstance(level, str) else level)


def _shared(one: pd.Series[Any], other: pd.Series[Any]) -> set[Any]:
    return set(one.unique()) & set(other.unique())
