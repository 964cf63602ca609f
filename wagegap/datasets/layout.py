"""What the columns of a publisher's table hold, and reading them as that: one check for all readers.

Each reader names its columns by what they hold. A copy that holds something else, such as years in words or pay as
dates, is refused by name, so that no arithmetic ever meets it; what passes is made plain: numbers are floats or whole
numbers of numpy, whatever library or file they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import ColumnError, DataError, EmptyDataError, did_you_mean, listing
from wagegap.estimation.column_types import fault_of, held_by, number_or_nan

__all__ = ["Holds", "Layout", "Others", "as_laid_out", "layout"]

Holds: TypeAlias = Literal["text", "code", "number", "bound", "year", "flag", "answer", "figure", "entry"]
"""What a column holds.

Text; codes, which are text too, with the zeros they begin with; numbers; bounds, numbers that may be infinite; years;
flags, true or false in each row; answers, flags that may be missing; figures, in whose place a mark may stand, which is
then missing; entries, text or numbers, as they are.
"""
Layout: TypeAlias = Mapping[str, Holds]
"""What each column of a table that a reader needs holds."""
Others: TypeAlias = Callable[[str], Holds | None]

_EXPECTED: Mapping[Holds, str] = MappingProxyType(
    {
        "text": "text", "code": "codes", "number": "numbers", "bound": "numbers", "year": "years",
        "flag": "true or false", "answer": "true or false", "figure": "numbers, or marks in their place",
        "entry": "text or numbers",
    }
)  # fmt: skip
_LARGEST = 1e30
"""No figure of a publisher is larger; products of larger ones would be infinite."""
_YEARS = (1500, 2500)
_BYTES = 8


def layout(
    *,
    year: Iterable[str] = (),
    text: Iterable[str] = (),
    code: Iterable[str] = (),
    number: Iterable[str] = (),
    bound: Iterable[str] = (),
    flag: Iterable[str] = (),
    answer: Iterable[str] = (),
    figure: Iterable[str] = (),
) -> dict[str, Holds]:
    """Return what each of some columns holds, the columns named by that.

    >>> layout(text=["iso3"], year=["year"], number=["pop"])
    {'year': 'year', 'iso3': 'text', 'pop': 'number'}
    """
    named: dict[Holds, Iterable[str]] = {
        "year": year, "text": text, "code": code, "number": number, "bound": bound, "flag": flag, "answer": answer,
        "figure": figure,
    }  # fmt: skip
    return {name: holds for holds, names in named.items() for name in names}


def as_laid_out(frame: pd.DataFrame, columns: Layout, what: str, others: Others | None = None) -> pd.DataFrame:
    """Return a table whose columns hold what they should, as plain types.

    Parameters
    ----------
    frame : DataFrame
        A copy of the table, as read.
    columns : mapping of column to kind
        Columns that are needed, and what each holds.
    what : str
        What the copy is called, and of which table it should be one, for messages.
    others : function, optional
        What any other column holds, by its name; None for columns that are not used.

    Raises
    ------
    ColumnError
        Where a column is missing, or named twice.
    EmptyDataError
        Where there are no rows.
    DataError
        Where columns hold something else; all of them are counted, the first is explained.

    Examples
    --------
    >>> table = pd.DataFrame({"iso3": ["KOR"], "year": ["in 2019"]})
    >>> as_laid_out(table, layout(text=["iso3"], year=["year"]), "copy.csv is no copy of income.csv")
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: copy.csv is no copy of income.csv: 'year' should hold years, and is text in 1 of 1 ...
    """
    lost = [column for column in columns if column not in frame]
    if lost:
        raise ColumnError(
            f"{what}: it lacks {listing(lost)}.{did_you_mean(lost[0], frame.columns)} It has "
            f"{listing(frame.columns, 12)}."
        )
    if frame.empty:
        raise EmptyDataError(f"{what}: it has no rows.")
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ColumnError(f"{what}: several columns are named {listing(map(repr, twice.unique()))}. Rename them.")
    further = {} if others is None else {name: holds for name in map(str, frame) if (holds := others(name)) is not None}
    held = {**further, **columns}
    faults = {name: fault for name, holds in held.items() if (fault := _fault(frame[name], holds))}
    if faults:
        first, *wrong = faults
        also = f" Others of its columns are wrong too: {listing(map(repr, wrong))}." if wrong else ""
        raise DataError(f"{what}: {first!r} should hold {_EXPECTED[held[first]]}, and {faults[first]}.{also}")
    changed = {name: _plain(frame[name], holds) for name, holds in held.items() if not _is_plain(frame[name], holds)}
    return frame.assign(**changed) if changed else frame


def _fault(column: pd.Series[Any], holds: Holds) -> str:
    """What is wrong with a column that should hold something; nothing where it does."""
    if holds in ("text", "code", "entry", "figure"):
        fault = _no_words(column, numbers=holds in ("entry", "figure"))
        if not fault and (holds == "figure" or (holds == "entry" and pd.api.types.is_numeric_dtype(column))):
            return _no_number(_plain(column, "figure").to_numpy(dtype=float, na_value=np.nan), holds)
        lost = fault and holds == "code" and held_by(column) == "numbers"
        return f"{fault}, without the zeros that codes begin with: keep them as text" if lost else fault
    fault = fault_of(column)
    return fault or _no_number(number_or_nan(column), holds)


def _no_number(values: FloatArray, holds: Holds) -> str:
    """What is wrong with numbers that should be something more."""
    missing = np.isnan(values)
    if holds in ("flag", "answer"):
        bad, said = ~np.isin(values, (0, 1)) & ~missing, "is something else"
    elif holds == "year":
        bad, said = ~((values >= _YEARS[0]) & (values <= _YEARS[1]) & (values == np.round(values))), "is no year"
    else:
        large = abs(values) > _LARGEST
        bad, said = large & ~np.isinf(values) if holds == "bound" else large, f"is infinite or above {_LARGEST:g}"
    if holds in ("flag", "year") and missing.any():
        bad, said = missing, "is missing"
    first = f", first {values[bad][0]:.10g}" if bad.any() and not missing[bad].any() else ""
    return f"{said} in {int(bad.sum()):,} of {len(bad):,} rows{first}" if bad.any() else ""


def _no_words(column: pd.Series[Any], *, numbers: bool) -> str:
    """What is wrong with a column that should hold text, or also numbers where these may stand there."""
    levels = column.cat.categories.to_series() if isinstance(column.dtype, pd.CategoricalDtype) else column
    held = held_by(levels)
    if held == "text" or (numbers and held in ("numbers", "mixed")) or levels.isna().all():
        return ""
    known = levels.dropna()
    odd = known[[not isinstance(value, str) for value in known]]
    kind = type(odd.iloc[0]).__name__ if held in ("objects", "mixed") else held
    return f"holds {kind} in {len(odd):,} of {len(levels):,} values"


def _is_plain(column: pd.Series[Any], holds: Holds) -> bool:
    """Whether a column that holds what it should has a plain type already."""
    kind = column.dtype
    if holds in ("text", "code", "entry"):
        return holds == "entry" or not pd.api.types.is_numeric_dtype(kind)
    if holds in ("flag", "answer"):
        return bool(kind == (np.dtype(bool) if holds == "flag" else pd.BooleanDtype()))
    kinds = "i" if holds == "year" else "if"
    return isinstance(kind, np.dtype) and kind.kind in kinds and kind.isnative and kind.itemsize <= _BYTES


def _plain(column: pd.Series[Any], holds: Holds) -> pd.Series[Any]:
    """A column that holds what it should, in a plain type; truth values that may be missing are nullable."""
    if holds in ("text", "code"):
        return column.astype(object)  # of text that is missing throughout
    if holds == "figure":
        return pd.Series(pd.to_numeric(column.astype(object), errors="coerce"))
    values = pd.Series(number_or_nan(column), index=column.index)
    if holds == "answer":
        return values.astype("Int8").astype("boolean")
    return values.astype({"flag": bool, "year": np.int64}.get(holds, float))
