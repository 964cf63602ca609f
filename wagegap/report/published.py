"""Published figures of a table: what a section of premiums or rates with `path` is given to."""

from __future__ import annotations

from typing import Annotated, Any

import pandas as pd

from wagegap._typing import ColumnName, ColumnNames
from wagegap.estimation.estimates import Estimates
from wagegap.panel.countries import country_code, normalise_countries
from wagegap.panel.load import read_panel

__all__ = ["published"]


def published(  # noqa: PLR0913
    data: Any,
    *,
    by: ColumnNames = ("iso3",),
    estimate: ColumnName = "b",
    std_error: ColumnName | None = None,
    term: str | None = None,
    unit: str | None = None,
    comparison: str | None = None,
    as_stated: bool = False,
    encoding: str | None = None,
    sep: Annotated[str, "one character"] | None = None,
    decimal: Annotated[str, "one character, '.' or ','"] | None = None,
    thousands: Annotated[str, "one character"] | None = None,
    sheet: str | int | None = None,
) -> Estimates:
    """Read published figures, with what is known of their errors.

    Parameters
    ----------
    data : path, or data frame
        The table.
    by : str or sequence of str
        Columns of cell keys. One that holds nothing but countries, by name or code, is read as their ISO codes.
    estimate : str
        Column of the figures.
    std_error : str, optional
        Column of their standard errors, "se" where there is one; a missing one is unknown, never zero.
    term, unit, comparison : str, optional
        A column's name, or one value for all rows. A difference of logs (0.110) has the unit `log`; log points are a
        hundred of them (11.0).
    as_stated : bool
        Affirm that numbers declared log points are log points, even where all of them are below 1 in size.
    encoding, sep, decimal, thousands, sheet
        How the file is written, as in `read_panel`.

    Returns
    -------
    Estimates

    Raises
    ------
    DataError, ColumnError, DuplicateKeyError, UnitError

    Examples
    --------
    >>> figures = pd.DataFrame({"country": ["South Korea", "USA"], "premium": [6.0, 25.0]})
    >>> published(figures, by="country", estimate="premium", unit="per cent").params.to_dict()
    {'KOR': 6.0, 'USA': 25.0}
    """
    frame = read_panel(data, encoding=encoding, sep=sep, decimal=decimal, thousands=thousands, sheet=sheet).frame
    keys = [by] if isinstance(by, str) else list(by)
    frame = frame.assign(**{key: normalise_countries(frame[key]) for key in keys if _are_countries(frame, key)})
    return Estimates.from_table(
        frame, by=keys, estimate=estimate, std_error="se" if std_error is None and "se" in frame else std_error,
        term=term, unit=unit, comparison=comparison, as_stated=as_stated,
    )  # fmt: skip


def _are_countries(frame: pd.DataFrame, key: str) -> bool:
    """Whether a column holds nothing but names and codes of countries."""
    if key not in frame or pd.api.types.is_numeric_dtype(frame[key]) or not len(frame):
        return False
    return all(isinstance(value, str) and country_code(value) is not None for value in frame[key].unique())
