"""Values of an event for every row: a 0/1 column, a share, an expression of columns, or a callable of the data frame.

An event is missing where a column of its expression is, unless the expression itself asks for missing values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import Condition, FloatArray
from wagegap.errors import ColumnError, DataError, OptionError, UnitError, check_column, listing, no_column, refuse_rows
from wagegap.estimation.column_types import as_numbers, fault_of, held_by, number_or_nan
from wagegap.estimation.conditions import asks_for_missing, condition_values, used_columns
from wagegap.estimation.design import check_keys
from wagegap.estimation.units import check_share
from wagegap.panel.panel import Panel
from wagegap.panel.transitions import NEXT_OF_ROLES

__all__ = ["column_of", "event_values", "known_numbers"]


def column_of(panel: Panel, name: str, purpose: str) -> pd.Series[Any]:
    """Return a column whose values tell rows apart: numbers, text, dates.

    Raises
    ------
    ColumnError, DataError

    Examples
    --------
    >>> from wagegap.panel.panel import as_panel
    >>> column_of(as_panel({"place": ["home", "away"]}), "place", "for alternative").tolist()
    ['home', 'away']
    """
    check_column(name, panel.frame.columns, purpose)
    check_keys(panel.frame, [name])
    return panel.frame[name]


def known_numbers(frame: pd.DataFrame, name: str) -> FloatArray:
    """Return a column as floats, NaN where it is missing.

    Raises
    ------
    DataError
        Where it holds what is no number: text, dates, lists.

    Examples
    --------
    >>> known_numbers(pd.DataFrame({"flow": pd.array([3, None], dtype="Int64")}), "flow").tolist()
    [3.0, nan]
    """
    check_keys(frame, [name])
    return as_numbers(frame[name], repr(name))


def event_values(panel: Panel, name: str, column: Condition) -> FloatArray:
    """Values of an event for every row: of a column, an expression, or a callable; NaN where unknown."""
    if callable(column):
        return _values_of(condition_values(panel.frame, column, f"for event {name!r}"), name, "a callable")
    if not isinstance(column, str):
        raise OptionError(f"event {name!r} must be a column, an expression of columns, or a callable, not {column!r}.")
    if column in panel.frame:
        raw = panel.frame[column]
    elif column.isidentifier():
        raise _no_event(name, column, panel)
    else:
        raw = _evaluated(panel.frame, name, column)
    return _values_of(raw, name, column)


def _no_event(name: str, column: str, panel: Panel) -> ColumnError:
    """The error for an event that is no column: where it is one that transitions make, how it is made."""
    role = next((role for role, (_, outcome) in NEXT_OF_ROLES.items() if outcome == column), None)
    if role is None:
        return no_column(column, panel.frame.columns, f"for event {name!r}")
    roles = panel.roles.declared()
    needed = [wanted for wanted in ("worker", "period", role) if wanted not in roles]
    first = f" Declare {listing(f'{one}=' for one in needed)} in read_panel first." if needed else ""
    return ColumnError(
        f"no column {column!r} for event {name!r}: panel.transitions() makes it, of what each worker does a period "
        f"later; rates are then fit_rates(panel.transitions(), {column!r}).{first}"
    )


def _values_of(raw: pd.Series[Any], name: str, column: str) -> FloatArray:
    """Values of an event, checked."""
    held = held_by(raw)
    if held in ("dates", "durations", "complex"):
        raise DataError(f"{column!r} {fault_of(raw)}.")
    values = number_or_nan(raw)
    text = np.isnan(values) & raw.notna().to_numpy()
    refuse_rows(text, UnitError, f"event {name!r} ({column}) is text in ", " rows: make it 0/1.")
    codes = np.unique(values[~np.isnan(values)])
    if len(codes) == 2 and codes[1] > 1:
        raise UnitError(
            f"event {name!r} ({column}) has two values, {codes[0]:g} and {codes[1]:g}, and an event is 0 or 1: say "
            f"which is the event, such as '{column} == {codes[1]:g}'."
        )
    check_share(values, "share", f"event {name!r}")
    return values


def _evaluated(frame: pd.DataFrame, name: str, expression: str) -> pd.Series[Any]:
    """Value of an expression; missing where a column in it is, unless it asks for missing values itself."""
    value = condition_values(frame, expression, f"for event {name!r}, {expression!r}")
    values = value if isinstance(value, pd.Series) else pd.Series(value, index=frame.index)
    if asks_for_missing(expression):
        return values
    known = frame[used_columns(expression)].notna().all(axis=1).to_numpy()
    return values.astype(object).where(known, np.nan)
