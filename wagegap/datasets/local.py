"""Local copies of tables that are not shipped: where they are, and reading them as what they should be.

`WAGEGAP_DATA` names the folder that holds local copies; every reader also takes a path. A file that lacks the columns
of its table is refused by name, so that one table is never read as another.

Country codes, as tables write them, are turned into ISO 3166 codes of three letters. Old codes of countries that go on
(Romania's ROM, Zaire's ZAR) and codes of the World Bank's own become today's. What is a region, an income group or a
state that is no more has no code here; the readers leave it out and say how many rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, FloatArray
from wagegap.datasets.layout import Layout, Others, as_laid_out
from wagegap.errors import DataError, EmptyDataError, OptionError, did_you_mean, shown
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.named import with_index_columns
from wagegap.panel.countries import country_code
from wagegap.panel.file_contents import check_path
from wagegap.panel.files import read_file

__all__ = [
    "PathLike",
    "Years",
    "carried",
    "checked_years",
    "coded_table",
    "indicator",
    "iso3_or_none",
    "keep_rows",
    "local_file",
    "local_table",
    "named_table",
    "whole_table",
    "with_countries",
    "within_years",
    "zero_one",
]

PathLike: TypeAlias = str | os.PathLike[str]
Years: TypeAlias = Annotated[tuple[int, int], "the first and the last year, such as (2010, 2018)"] | None

_FORMER: Mapping[str, str] = MappingProxyType({"NAU": "NRU", "SIN": "SGP"})
"""Codes that tables use for countries of today, beside ISO's."""
_ISO3: Mapping[str, str] = MappingProxyType({"iso3": "iso3"})


def local_file(path: PathLike | None, name: str) -> Path:
    """Return the path of a local copy: the one given, or `name` in the folder that WAGEGAP_DATA names.

    Raises
    ------
    DataError
        Where there is no such file.
    """
    if path is not None:
        if not isinstance(path, str | os.PathLike):
            raise OptionError(f"path must be the path of a copy of {name}, not {type(path).__name__}.")
        given = Path(check_path(path))
        try:
            there = given.is_file()
        except OSError as error:
            raise DataError(f"no file {shown(str(given))}: {error.strerror}. It should be a copy of {name}.") from error
        if not there:
            hint = did_you_mean(given, given.parent.glob("*"))
            raise DataError(f"no file {str(given)!r}.{hint} It should be a copy of {name}.")
        return given
    folder = os.environ.get("WAGEGAP_DATA")
    if folder is None:
        raise DataError(f"no local copy of {name}: give its path, or set WAGEGAP_DATA to the folder that holds it.")
    copy = Path(folder) / name
    if not copy.exists():
        raise DataError(f"no file {name} in the folder that WAGEGAP_DATA names ({folder}).")
    return copy


def whole_table(path: PathLike | None, name: str, columns: Layout, *, others: Others | None = None) -> pd.DataFrame:
    """Read a local copy, and check that it has rows, and the columns of its table, which hold what they should.

    Raises
    ------
    DataError, ColumnError, EmptyDataError
    """
    copy = local_file(path, name)
    frame = with_index_columns(read_file(str(copy))).reset_index(drop=True)
    return as_laid_out(frame, columns, f"{copy.name} is no copy of {name}", others)


def local_table(path: PathLike | None, name: str, columns: Layout, *, others: Others | None = None) -> pd.DataFrame:
    """Read a local copy as `whole_table` does, and make its types plain.

    Categories become plain objects and single precision double, so that means and products keep their digits.

    Raises
    ------
    DataError, ColumnError, EmptyDataError
    """
    frame = whole_table(path, name, columns, others=others)
    texts = [isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_string_dtype(kind) for kind in frame.dtypes]
    single = frame.dtypes == np.float32
    frame = frame.astype(dict.fromkeys(frame.columns[texts], object) | dict.fromkeys(frame.columns[single], np.float64))
    frame.attrs["ledger"] = Ledger(len(frame), float(len(frame)))
    return frame


def keep_rows(frame: pd.DataFrame, mask: Any, reason: str) -> pd.DataFrame:
    """Keep some rows; the ledger in the frame's attributes says how many went, and why."""
    keep = np.asarray(mask, dtype=bool)
    ledger: Ledger = frame.attrs["ledger"].lose(reason, int((~keep).sum()))
    if not keep.any():
        raise EmptyDataError(f"no rows are left.\n{ledger}")
    kept = frame[keep].reset_index(drop=True)
    kept.attrs["ledger"] = ledger
    return kept


def carried(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the attributes of the one it was made from."""
    frame.attrs = dict(other.attrs)
    return frame


def named_table(frame: pd.DataFrame, names: Mapping[str, str], order: Sequence[str]) -> pd.DataFrame:
    """Return columns under new names (old name: new name), rows in the order of some of them."""
    return carried(frame.rename(columns=names)[[*names.values()]].sort_values([*order], ignore_index=True), frame)


def indicator(holds: pd.Series[bool], *asked: pd.Series[Any]) -> pd.Series[Any]:
    """Return whether a condition holds, missing where a column that it asks is.

    A missing answer is equal to no code and in no list, so that pandas takes the condition for false. Indicators are
    joined by `&`, `|` and `~`, under which false and missing is false, true and missing is missing.

    >>> field = pd.Series([5.0, 8.0, None])
    >>> indicator(field.isin([5, 6]), field).tolist()
    [True, False, <NA>]
    """
    known = np.logical_and.reduce([column.notna().to_numpy() for column in asked])
    return holds.astype("boolean").where(known, pd.NA)


def zero_one(indicator: pd.Series[Any]) -> FloatArray:
    """Return an indicator as 1 and 0, NaN where it is missing.

    >>> zero_one(pd.Series([True, False, None], dtype="boolean")).tolist()
    [1.0, 0.0, nan]
    """
    return np.asarray(indicator.astype("boolean").to_numpy(dtype=float, na_value=np.nan))


def checked_years(years: Years) -> Years:
    """Return the first and the last year; None where all are wanted.

    Raises
    ------
    OptionError
        Where they are no pair in order.
    """
    if years is None:
        return None
    if years[0] > years[1]:
        raise OptionError(f"years={years!r} must be the first and the last, such as (2010, 2018).")
    return int(years[0]), int(years[1])


def within_years(frame: pd.DataFrame, years: Years) -> pd.DataFrame:
    """Keep the years from first to last, both included; all where None.

    Raises
    ------
    OptionError
        Where the years are no pair in order, or the table has none of them.
    """
    ends = checked_years(years)
    if ends is None:
        return frame
    inside = frame["year"].between(*ends)
    if not inside.any():
        raise OptionError(f"years={years!r}: the table has {frame['year'].min():.0f} to {frame['year'].max():.0f}.")
    return keep_rows(frame, inside, f"outside {ends[0]}-{ends[1]}")


# countries -----------------------------------------------------------------------------------------------------------


def iso3_or_none(codes: pd.Series[Any]) -> AnyArray:
    """Return today's code of three letters for each, None where it is missing or no country.

    >>> iso3_or_none(pd.Series(["ROM", "KR", "World", None])).tolist()
    ['ROU', 'KOR', None, None]
    """
    places, values = pd.factorize(codes)
    written = (str(value).strip() for value in values)
    return np.array([*(_FORMER.get(text) or country_code(text) for text in written), None], dtype=object)[places]


def with_countries(frame: pd.DataFrame, columns: Mapping[str, str], *, what: str = "no country") -> pd.DataFrame:
    """Return the rows whose columns are countries, the codes under new names (old name: new name).

    The ledger counts the rows left out, with the first values that were none.
    """
    coded = {new: iso3_or_none(frame[old]) for old, new in columns.items()}
    known = np.all([pd.notna(values) for values in coded.values()], axis=0)
    odd = [str(value) for old, new in columns.items() for value in frame[old][pd.isna(coded[new])].dropna().unique()]
    few = f" ({', '.join(dict.fromkeys(odd[:4]))})" if odd else ""
    named = frame.drop(columns=[old for old in columns if old not in coded]).assign(**coded)
    return keep_rows(carried(named, frame), known, f"{what}{few}")


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
