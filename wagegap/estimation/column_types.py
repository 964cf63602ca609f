"""Columns as numbers: one rule for outcomes, regressors, weights, events and published figures.

Numbers are numbers of any kind: floats and whole ones, truth values (1 and 0), nullable and Arrow's, decimals and
fractions of Python, and categories whose levels are numbers. Text is never read as numbers, since digits may be codes
and a comma may be a decimal point or not; dates and durations have no unit in which they are numbers; complex numbers
have no order. These are refused with what to do.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, OptionError, shown

__all__ = [
    "LARGEST",
    "LARGEST_WEIGHT",
    "LEAST",
    "LEAST_WEIGHT",
    "Held",
    "as_numbers",
    "fault_of",
    "given_numbers",
    "held_by",
    "in_order",
    "mostly_digits",
    "number_or_nan",
    "refuse_sizes",
]

Held: TypeAlias = Literal["numbers", "text", "dates", "durations", "complex", "category", "mixed", "objects"]
"""What a column holds; "mixed" is numbers and text."""

LEAST, LARGEST = 1e-100, 1e100
"""Sums of squares and products of larger numbers are no numbers (a float ends at 1.8e308); of smaller ones, 0."""
LEAST_WEIGHT, LARGEST_WEIGHT = 1e-100, 1e50
"""Weights between these can be squared together with the largest numbers, and divided by."""
_DIGITS = re.compile(r"\s*[+-]?(\d[\d.,' ]*|[.,]\d+)(e[+-]?\d+)?\s*%?\s*", re.IGNORECASE)
_INFERRED: dict[str, Held] = {
    "string": "text", "empty": "numbers", "floating": "numbers", "integer": "numbers", "boolean": "numbers",
    "decimal": "numbers", "mixed-integer-float": "numbers", "complex": "complex", "datetime": "dates",
    "datetime64": "dates", "date": "dates", "period": "dates", "timedelta": "durations", "timedelta64": "durations",
}  # fmt: skip


def held_by(column: pd.Series[Any]) -> Held:
    """Say what a column holds.

    >>> held_by(pd.Series([1, 2])), held_by(pd.Series(["1", "2"])), held_by(pd.Series(pd.to_timedelta(["1D"])))
    ('numbers', 'text', 'durations')
    """
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_complex_dtype(kind):
        return "complex"
    if pd.api.types.is_numeric_dtype(kind) and getattr(kind, "kind", "O") not in "mM":
        return "numbers"
    inferred = pd.api.types.infer_dtype(column, skipna=True)
    if inferred in _INFERRED:
        return "numbers" if inferred == "string" and column.isna().all() else _INFERRED[inferred]
    known = [value for value in column.dropna().tolist() if not _is_real(value)]
    if not known:
        return "numbers"
    if all(isinstance(value, complex) for value in known):
        return "complex"
    return "mixed" if all(isinstance(value, str) for value in known) else "objects"


def as_numbers(column: pd.Series[Any], what: str, error: type[DataError] = DataError) -> FloatArray:
    """Return a column as floats, shape (n,), NaN where it is missing.

    Parameters
    ----------
    column : Series, n rows
        Any column.
    what : str
        What it is, for messages: "'pay'", "weights 'w'".
    error : type of error
        What is raised.

    Raises
    ------
    DataError
        Where it holds what is no number.

    Examples
    --------
    >>> as_numbers(pd.Series([True, None]), "'ai'").tolist()
    [1.0, nan]
    >>> as_numbers(pd.Series(["12.5", "20"]), "'pay'")
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: 'pay' is text in 2 of 2 rows, first '12.5': turn it into numbers with ...
    """
    fault = fault_of(column)
    if fault:
        raise error(f"{what} {fault}.")
    return number_or_nan(column)


def refuse_sizes(values: FloatArray, what: str, n: int, *, least: float = 0.0, most: float = LARGEST) -> None:
    """Raise where numbers, shape (m,), are so large or small that their squares are no numbers any more.

    >>> refuse_sizes(np.array([1e308, 2.0]), "'pay'", 2)
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: 'pay' is beyond 1e+100 in 1 of 2 rows, first 1e+308: ...
    """
    sizes = np.abs(values)
    for bad, said in ((sizes > most, f"beyond {most:g}"), (sizes < least, f"below {least:g} and not zero")):
        if bad.any():
            verb = "is" if what.startswith("'") else "are"
            raise DataError(
                f"{what} {verb} {said} in {int(bad.sum()):,} of {n:,} rows, first {values[bad][0]:g}: sums of squares "
                "of such numbers cannot be had. Look whether they are what they should be, or take another unit."
            )


def given_numbers(name: str, given: Any, *, finite: bool = True) -> FloatArray:
    """Return what an option was given as numbers of whatever shape, finite ones unless others may stand there.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> given_numbers("at", [1, 2]).tolist()
    [1.0, 2.0]
    """
    try:
        numbers = np.asarray(given, dtype=float)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name}={shown(given)} must hold numbers alone.") from error
    if finite and not np.isfinite(numbers).all():
        raise OptionError(f"{name}={shown(given)} must hold finite numbers.")
    return numbers


def number_or_nan(column: pd.Series[Any]) -> FloatArray:
    """Return a column as floats, shape (n,), NaN where it holds no number: digits in text are none.

    >>> number_or_nan(pd.Series([1, "2", None])).tolist()
    [1.0, nan, nan]
    """
    plain = _levels_as_such(column)
    held = held_by(plain)
    if held == "numbers" and pd.api.types.is_numeric_dtype(plain):
        return np.asarray(plain.to_numpy(dtype=float, na_value=np.nan))
    if held in ("numbers", "mixed", "objects"):
        return np.array([float(value) if _is_real(value) else np.nan for value in plain.astype(object)], dtype=float)
    return np.full(len(plain), np.nan)


def fault_of(column: pd.Series[Any]) -> str:
    """Say why a column is no column of numbers, and what to do; nothing where it is one.

    >>> fault_of(pd.Series([1.5, 2.5]))
    ''
    """
    plain = _levels_as_such(column)
    held = held_by(plain)
    if held == "numbers":
        return ""
    if held == "dates":
        return (
            f"holds dates ({plain.dtype}), not numbers: take what is meant of them, such as .dt.year, or the days "
            "since some day, (column - day).dt.days"
        )
    if held == "durations":
        return f"holds durations ({plain.dtype}), not numbers: give them in a unit, such as .dt.total_seconds() / 86400"
    if held == "complex":
        return "holds complex numbers: take their real part"
    bad = _no_numbers(plain)
    first = plain[bad].iloc[0]
    if not isinstance(first, str):
        return f"holds {type(first).__name__} in {int(bad.sum()):,} of {len(plain):,} rows, first {first}, not numbers"
    return (
        f"is text in {int(bad.sum()):,} of {len(plain):,} rows, first {first!r}: turn it into numbers with "
        "pandas.to_numeric, or filter these rows out"
    )


def mostly_digits(column: pd.Series[Any]) -> int:
    """Return in how many rows text is digits, where that is most of those that are known, else 0.

    >>> mostly_digits(pd.Series(["3.0", "12", "."])), mostly_digits(pd.Series(["2019Q4", "cs"]))
    (2, 0)
    """
    counts = column.value_counts()
    digits = sum(int(count) for value, count in counts.items() if _DIGITS.fullmatch(str(value)))
    return digits if 2 * digits > counts.sum() else 0


def in_order(values: Iterable[Any]) -> list[Any]:
    """Distinct values in their order; those that have none together by their types, and by what they read.

    >>> in_order(["USA", "KOR", "USA"]), in_order([2, "a", 1])
    (['KOR', 'USA'], [1, 2, 'a'])
    """
    distinct = list(dict.fromkeys(values))
    for key in (None, lambda value: (str(type(value)), value), lambda value: (str(type(value)), str(value))):
        try:
            return sorted(distinct, key=key)
        except TypeError:
            continue
    return distinct


def _is_real(value: object) -> bool:
    return isinstance(value, numbers.Real | Decimal | np.bool_) and bool(value == value)


def _no_numbers(column: pd.Series[Any]) -> BoolArray:
    """Rows that are known and hold no number."""
    real = np.array([_is_real(value) for value in column.astype(object)], dtype=bool)
    return np.asarray(column.notna().to_numpy() & ~real)


def _levels_as_such(column: pd.Series[Any]) -> pd.Series[Any]:
    """A category as what its levels are."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column
    numeric = pd.api.types.is_numeric_dtype(column.cat.categories.dtype)
    return column.astype(float if numeric else object)
