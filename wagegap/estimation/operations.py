"""Arithmetic, comparisons and logic of columns: what the marks of an expression mean.

Arithmetic is that of floats, whatever the type of a column, so that small whole numbers do not overflow. Logic knows
true, false and missing. Text and numbers are not compared with one another, since none of them can be equal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import FormulaError
from wagegap.estimation.column_types import as_numbers, held_by

__all__ = ["ARITHMETIC", "as_number", "compared", "kind_of", "logical", "short", "truth"]


def as_number(value: Any, what: str = "") -> Any:
    """A value as floats: a number, or a column of numbers."""
    if isinstance(value, pd.Series):
        return pd.Series(as_numbers(value, what or f"{value.name!r}"), index=value.index, name=value.name)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.astype(float)
    if isinstance(value, bool | int | float):
        return np.float64(value)
    raise FormulaError(f"{what or 'an argument'} is {kind_of(value)}, where a column of numbers is needed.")


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow,
}  # fmt: skip


def truth(value: Any) -> Any:
    """True or false, missing where unknown: of comparisons, and of columns of 0 and 1."""
    if isinstance(value, bool | np.bool_):
        return np.bool_(value)
    if isinstance(value, pd.Series):
        if value.dtype == bool or value.dtype == "boolean":
            return value
        numbers = as_numbers(value, f"{value.name!r}")
        if np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
            return pd.Series(pd.array(numbers == 1, dtype="boolean"), index=value.index).mask(np.isnan(numbers))
    shown = f"{value.name!r}" if isinstance(value, pd.Series) and value.name else kind_of(value)
    raise FormulaError(f"{shown} is neither true nor false: compare it with something, such as {shown} == 1.")


def logical(level: str, values: Sequence[Any]) -> Any:
    """All of several values, or any, row by row; missing where that is not known.

    >>> logical("or", [pd.Series([True, False]), pd.Series([0, 0], name="ai")]).tolist()
    [True, False]
    """
    result = truth(values[0])
    for value in values[1:]:
        result = result & truth(value) if level == "and" else result | truth(value)
    return result


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def compared(mark: str, left: Any, right: Any) -> Any:
    """A comparison, or whether a column is one of a list."""
    if mark in ("==", "!=") and isinstance(right, list):
        mark = "in" if mark == "==" else "not in"
    if mark in ("in", "not in"):
        inside = _inside(left, right)
        return ~inside if mark == "not in" else inside
    if isinstance(left, list) or isinstance(right, list):
        raise FormulaError(f"a list is compared by 'in' alone, not by {mark!r}.")
    for one, other in ((left, right), (right, left)):
        _check_kinds(one, [other])
    try:
        return _COMPARISONS[mark](left, right)
    except (TypeError, ValueError) as error:
        sides = " and ".join(kind_of(value) for value in (left, right))
        raise FormulaError(f"{sides} cannot be compared by {mark!r}: {str(error).splitlines()[0][:120]}.") from error


def _inside(column: Any, items: Any) -> Any:
    if not isinstance(items, list) or not isinstance(column, pd.Series):
        raise FormulaError("'in' stands between a column and a list, such as iso3 in ['KOR', 'USA'].")
    _check_kinds(column, items)
    return column.isin([item for item in items if not isinstance(item, list)])


def _check_kinds(column: Any, others: Sequence[Any]) -> None:
    """Raise where text is compared with numbers, none of which can be equal."""
    if not isinstance(column, pd.Series) or not others or any(isinstance(other, pd.Series) for other in others):
        return
    text, number = all(isinstance(o, str) for o in others), all(isinstance(o, int | float) for o in others)
    plain = column.cat.categories.to_series() if isinstance(column.dtype, pd.CategoricalDtype) else column
    held = held_by(plain)
    if held == "text" and number:
        raise FormulaError(
            f"{column.name!r} is text and is compared with the number {others[0]!r}: write it in quotes, "
            f"{str(others[0])!r}."
        )
    if held == "numbers" and text and plain.notna().any():
        raise FormulaError(f"{column.name!r} holds numbers and is compared with the text {short(others[0], 40)!r}.")


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, pd.Series):
        return f"{value.name!r} ({value.dtype})" if value.name else f"a column ({value.dtype})"
    if isinstance(value, str):
        return f"the text {short(value, 40)!r}"
    return "a list" if isinstance(value, list) else "nothing" if value is None else f"{type(value).__name__} {value!r}"


def short(text: str, most: int = 80) -> str:
    """The beginning of a text.

    >>> short("log(pay)", 5)
    'log(p...'
    """
    return text if len(text) <= most else f"{text[:most]}..."
