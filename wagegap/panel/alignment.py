"""Values given beside the data: a series is aligned on its index, anything else stands in the order of the rows.

The labels of a row are those that the frame had when it was given; a panel, whose frame numbers its rows anew, knows
both. Nothing is taken by position that has labels of other rows, and no label that is absent becomes a missing value.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import DataError, DuplicateKeyError, listing

__all__ = ["align"]


def align(values: Any, labels: pd.Index[Any], numbers: pd.Index[Any] | None, what: str) -> Any:
    """Return the values of a series in the order of the rows; what is no series is returned as it is.

    Parameters
    ----------
    values : Series, or anything else
        Given beside the data, of any length that has all rows.
    labels : Index, n rows
        Labels of the rows in the frame that was given.
    numbers : Index, n rows, or None
        Labels of the rows in the panel's own frame, where the caller can have seen it.
    what : str
        What the values are, for messages.

    Raises
    ------
    DataError
        Where rows have no label among those of the series, or labels could be meant in two ways.
    DuplicateKeyError
        Where a label stands for several values.

    Examples
    --------
    >>> weights = pd.Series([1.0, 2.0, 3.0], index=["a", "b", "c"])
    >>> align(weights, pd.Index(["c", "a"]), None, "weights").tolist()
    [3.0, 1.0]
    """
    if not isinstance(values, pd.Series) or values.index.equals(labels):
        return _without_index(values) if isinstance(values, pd.Series) else values
    given, cure = values.index, "name their column instead, or pass .to_numpy() if they stand in the order of the rows"
    if numbers is not None and given.equals(numbers):
        if given.is_(numbers) or len(labels.difference(given)):  # made from the panel's frame itself, or not from both
            return _without_index(values)
        raise DataError(
            f"the index of the {what} is that of panel.frame, and also, in another order, that of the frame which the "
            f"panel was read from: {cure}."
        )
    if given.has_duplicates:
        twice = given[given.duplicated()].unique().tolist()
        raise DuplicateKeyError(
            f"the index of the {what} has {len(twice):,} labels that several values share, such as {twice[0]!r}, "
            f"so that they cannot be aligned with the {len(labels):,} rows: {cure}."
        )
    place = given.get_indexer(labels)
    absent = labels[place < 0]
    if len(absent):
        raise DataError(
            f"{len(given):,} {what} for {len(labels):,} rows: their index lacks {len(absent):,} of the labels of these "
            f"rows, such as {listing(map(repr, absent[:3].tolist()))}. Give one number for each row with its label; or "
            f"{cure}."
        )
    return _without_index(values.iloc[place])


def _without_index(values: pd.Series[Any]) -> Any:
    """Values of a series in their own type: categories and nullable numbers stay what they are."""
    return values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array
