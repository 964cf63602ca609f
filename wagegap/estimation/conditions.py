"""Conditions on rows: a text of the closed grammar, or a callable of the data frame, to a value for each row.

A text names columns and functions alone, wherever it comes from. A callable is code: it comes from Python, never from a
file, and is given a copy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import Condition
from wagegap.errors import DataError, FormulaError, WagegapError, no_column, shown
from wagegap.estimation.expressions import value_of
from wagegap.estimation.formula import check_attributes
from wagegap.estimation.functions import check_functions
from wagegap.estimation.grammar import columns_in, functions_in, parse_condition

__all__ = ["asks_for_missing", "condition_values", "used_columns"]

_OF_MISSING = {"isna", "isnull", "notna", "notnull", "fillna", "isnan", "np.isnan"}


def condition_values(frame: pd.DataFrame, condition: Condition, purpose: str) -> Any:
    """Return what a condition, or an expression, gives for each row.

    Parameters
    ----------
    frame : DataFrame, n rows
        Columns that it may name.
    condition : str or callable
        `"ai == 1 and age < 60"`, or a callable that is given a copy of the frame.
    purpose : str
        What it is for, for messages.

    Returns
    -------
    Series of n rows
        Of a text without columns its one value.

    Raises
    ------
    FormulaError, ColumnError, DataError

    Examples
    --------
    >>> condition_values(pd.DataFrame({"age": [20, 45]}), "age > 30", "for filter").tolist()
    [False, True]
    """
    if callable(condition):
        return _asked(frame, condition, purpose)
    tree = parse_condition(condition)
    check_functions(tree, condition, in_side=False)
    names = columns_in(tree)
    check_attributes(names, frame)
    for name in names:
        if name not in frame.columns:
            raise no_column(name, frame.columns, purpose)
    value = value_of(tree, {name: frame[name] for name in names}, {})
    if isinstance(value, str | list) or value is None:
        raise FormulaError(f"{shown(condition)} gives {shown(value)} {purpose}, where each row needs a value.")
    return value


def asks_for_missing(condition: str) -> bool:
    """Whether an expression says itself what it is where a column is missing.

    >>> asks_for_missing("field.notna() and ai == 1"), asks_for_missing("ai == 1")
    (True, False)
    """
    return bool(functions_in(parse_condition(condition)) & _OF_MISSING)


def used_columns(condition: str) -> list[str]:
    """Return the columns that an expression names.

    >>> used_columns("ai == 1 and `years at work` > 2")
    ['ai', 'years at work']
    """
    return columns_in(parse_condition(condition))


def _asked(frame: pd.DataFrame, condition: Callable[[pd.DataFrame], Any], purpose: str) -> Any:
    """Value of a callable for each row."""
    try:
        values = condition(frame.copy())
    except WagegapError:
        raise
    except Exception as error:  # the user's own code
        said = (str(error).strip().splitlines() or [""])[0][:120]
        raise DataError(f"the callable {purpose} failed: {type(error).__name__}: {said}.") from error
    if not isinstance(values, pd.Series | np.ndarray | list) or len(values) != len(frame):
        given = f"{len(values):,} values" if hasattr(values, "__len__") else type(values).__name__
        raise DataError(f"the callable {purpose} must give a value for each of the {len(frame):,} rows, not {given}.")
    return values if isinstance(values, pd.Series) else pd.Series(values, index=frame.index)
