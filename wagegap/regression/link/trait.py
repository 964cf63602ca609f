"""A trait of cells, such as ageing: a column of the link's data, or of other data, in the order of the cells."""

from __future__ import annotations

import pandas as pd
from pandas.api.types import is_numeric_dtype

from wagegap._typing import FloatArray
from wagegap.errors import ColumnError, DataError, MissingValueError, OptionError, check_column, listing, shown
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.countries.columns import meet_countries
from wagegap.estimation.design import check_keys
from wagegap.panel.panel import check_columns
from wagegap.regression.link.cells import positions
from wagegap.regression.link.fitted import FittedLink

__all__ = ["trait_of"]


def trait_of(link: FittedLink, trait: str, data: pd.DataFrame | None) -> FloatArray:
    """Values of a trait, in the order of the cells.

    Parameters
    ----------
    link : Link
        Whose cells, and whose data where none are given.
    trait : str
        Column as it stands.
    data : DataFrame, optional
        Where the trait is, if not among the data of the link; a row for each cell.

    Raises
    ------
    ColumnError, MissingValueError, DataError, OptionError
    """
    frame = as_pandas(data) if data is not None else link.call.arguments["data"]
    if frame is None:
        raise OptionError(f"where is {shown(trait)}? The link was fitted without data: pass data=.")
    keys = list(link.cells.keys.columns)
    if isinstance(trait, str) and trait not in frame and not trait.isidentifier():
        raise ColumnError(
            f"trait={shown(trait)} must be a column of data as it stands, not an expression: make the column first, "
            f"with data.assign(...), and name it. There are: {listing(frame.columns, 12)}."
        )
    check_column(trait, frame.columns, "in data")
    check_columns(frame, "data")
    frame = meet_countries(link.cells.keys, frame)[1]
    for key in keys:
        check_column(key, frame.columns, "in data for that key")
    check_keys(frame, [*keys, trait])
    one_each = frame[[*keys, trait]].drop_duplicates()
    if one_each.duplicated(keys).any():
        raise DataError(f"{trait!r} has several values in one cell: give one row for each cell.")
    at = positions(link.cells.keys, one_each, ("the link", "data"))
    values = one_each[trait].iloc[at].set_axis(link.cells.keys.index).where(at >= 0)
    missing = [name for name, lost in zip(link.cells.names, values.isna(), strict=True) if lost]
    if missing:
        raise MissingValueError(
            f"{trait!r} is missing in {len(missing)} of {link.cells.n} cells: {listing(missing)}. Fit the link "
            "without those."
        )
    if not is_numeric_dtype(values):
        raise DataError(f"{trait!r} holds {values.dtype}, not numbers: code it as 0 and 1, or take another trait.")
    return values.to_numpy(dtype=float)
