"""Frames and matrices by their names: levels of an index that stand for columns, and matrices in an order of names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import OptionError, listing

__all__ = ["by_name", "with_index_columns"]


def with_index_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame in which the named levels of the index are columns, unless it has columns of these names.

    The labels stay and lose their names, so that a key is never both a column and a level of the index.

    >>> rows = pd.DataFrame({"b": [0.1, 0.2]}, index=pd.Index(["KOR", "USA"], name="iso3"))
    >>> with_index_columns(rows).columns.tolist()
    ['b', 'iso3']
    """
    named = [level for level, name in enumerate(frame.index.names) if name is not None]
    if not named:
        return frame
    levels = {frame.index.names[level]: frame.index.get_level_values(level) for level in named}
    plain = frame.set_axis(frame.index.set_names([None] * frame.index.nlevels), axis=0).copy(deep=False)
    for name, level in levels.items():
        if name not in plain:
            plain[name] = level.to_series().set_axis(plain.index)
    return plain


def by_name(values: Any, orders: Sequence[Sequence[Any]], what: str) -> Any:
    """Return a matrix or vector in an order of names, where it has them; anything without names is returned as it is.

    Parameters
    ----------
    values : DataFrame, Series, or anything else
        A frame's columns, and its rows where they have the same names, are brought into the order.
    orders : sequence of sequences of names
        Names that the entries may have, in their order.
    what : str
        What the values are, for messages.

    Raises
    ------
    OptionError
        Where the names are others.

    Examples
    --------
    >>> by_name(pd.Series({"b": 2.0, "a": 1.0}), [["a", "b"]], "reference").tolist()
    [1.0, 2.0]
    """
    if not isinstance(values, pd.DataFrame | pd.Series):
        return values
    given = values.columns if isinstance(values, pd.DataFrame) else values.index
    if given.equals(pd.RangeIndex(len(given))) or any(list(given) == list(names) for names in orders):
        square = isinstance(values, pd.DataFrame) and set(values.index) == set(given)
        return np.asarray(values.loc[list(given)] if square else values)
    for names in orders:
        if given.is_unique and len(given) == len(names) and set(given) == set(names):
            both = isinstance(values, pd.DataFrame) and set(values.index) == set(names)
            ordered = values[list(names)]
            return np.asarray(ordered.loc[list(names)] if both else ordered)
    raise OptionError(
        f"{what} is given by the names {listing(given, 6)}, which are not those of its entries "
        f"({listing(orders[0], 6)}): name it so, or pass .to_numpy() if it stands in their order."
    )
