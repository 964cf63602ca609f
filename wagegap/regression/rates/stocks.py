"""Stocks abroad as a share of those abroad and at home, from published counts.

R = a / (a + d), with var R = (d^2 var a + a^2 var d) / (a + d)^4 where errors of the counts are stated.

References
----------
Docquier, F. and A. Marfouk (2006). International migration by educational attainment, 1990-2000. In Ozden and Schiff
(eds.), International Migration, Remittances and the Brain Drain. World Bank.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wagegap._arguments import public
from wagegap._typing import ColumnName, ColumnNames, FloatArray, FrameLike
from wagegap.errors import (
    CovarianceError,
    DuplicateKeyError,
    MissingValueError,
    OptionError,
    UnitError,
    check_column,
    listing,
    refuse_rows,
)
from wagegap.estimation.column_types import LARGEST_WEIGHT, refuse_sizes
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.design import check_keys
from wagegap.estimation.estimates import Estimates
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import cell_keys
from wagegap.regression.rates.mobility import Rates

__all__ = ["stock_rates"]


@public
def stock_rates(
    table: FrameLike,
    *,
    abroad: ColumnName = "abroad",
    domestic: ColumnName = "domestic",
    by: ColumnNames = "iso3",
    abroad_error: ColumnName | None = None,
    domestic_error: ColumnName | None = None,
    source: str = "stocks",
) -> Rates:
    """Return stocks abroad as a share of those abroad and at home, R = a / (a + d).

    Parameters
    ----------
    table : DataFrame
        A row for each cell: emigrants counted in the countries they went to, and residents.
    abroad, domestic : str
        Columns of counts.
    by : str or sequence of str
        Columns of cell keys.
    abroad_error, domestic_error : str, optional
        Columns of standard errors of the counts, independent of each other. Without either, errors are unknown, never
        zero; with the first alone the count at home is taken as exact, such as a census.
    source : str
        Who states the figures.

    Returns
    -------
    Rates
        Event `stock_abroad`, in shares; var R = (d^2 var a + a^2 var d) / (a + d)^4.

    Raises
    ------
    ColumnError, OptionError, CovarianceError, DataError, DuplicateKeyError, EmptyDataError, MissingValueError
    UnitError

    Examples
    --------
    >>> import pandas as pd
    >>> stocks = pd.DataFrame({"iso3": ["KOR"], "abroad": [160.0], "domestic": [840.0]})
    >>> stock_rates(stocks).params.tolist()
    [0.16]
    """
    panel = as_panel(table)
    table, keys = panel.frame, cell_keys(panel, by)
    _check_keys(table, keys, by)
    if abroad == domestic:
        raise OptionError(f"abroad and domestic are both {abroad!r}: two columns of counts are needed.")
    for name in [abroad, domestic, *(n for n in (abroad_error, domestic_error) if n)]:
        check_column(name, table.columns, "in the table of stocks")
    a, d = _counts(table, keys, abroad, domestic)
    a_error, d_error = _errors(table, abroad_error, domestic_error)
    # var R = (d^2 var a + a^2 var d) / (a + d)^4
    variance = (d**2 * a_error**2 + a**2 * d_error**2) / (a + d) ** 4
    stated = StatedSource(
        source, np.diag(variance), np.inf, "stated errors of counts" if abroad_error else "errors unknown"
    )
    cells, event = table[keys].reset_index(drop=True), "stock_abroad"
    labels = cells.assign(term=event, unit="share", comparison="")
    estimates = Estimates(labels, a / (a + d), (stated,), (np.eye(len(a)),), title="Stock abroad")
    return Rates(estimates, (event,), "everyone counted", cells.assign(event=event, n=a + d, happened=a, weight=a + d))


def _check_keys(table: FrameLike, keys: Sequence[str], by: object) -> None:
    """Raise unless every row is one cell."""
    if not keys:
        raise OptionError(f"by={by!r} names no column: stocks are of cells, such as countries.")
    missing = table[list(keys)].isna().any(axis=1)
    refuse_rows(missing, MissingValueError, f"{listing(keys)} is missing in ", " rows of stocks: fill it in.")
    check_keys(table, keys)
    twice = table.duplicated(list(keys)).to_numpy()
    first = listing(table.loc[twice, list(keys)].iloc[0]) if twice.any() else ""
    advice = f"first {first}: add them up, or name what tells them apart in by=."
    refuse_rows(twice, DuplicateKeyError, "", f" rows of stocks have the {listing(keys)} of another, {advice}")


def _counts(table: FrameLike, keys: Sequence[str], abroad: str, domestic: str) -> tuple[FloatArray, FloatArray]:
    """Counts abroad and at home, checked."""
    a, d = (known_numbers(table, name) for name in (abroad, domestic))
    bad = ~(np.isfinite(a) & np.isfinite(d)) | (a < 0) | (d < 0) | (a + d <= 0)
    first = listing(table.loc[bad, [*keys, abroad, domestic]].iloc[0]) if bad.any() else ""
    refuse_rows(
        bad, UnitError, "stocks must be counts that are not negative, nor both zero: ", f" rows are not, first {first}."
    )  # fmt: skip
    for name, counts in ((abroad, a), (domestic, d)):
        refuse_sizes(counts, repr(name), len(table), most=LARGEST_WEIGHT)
    return a, d


def _errors(table: FrameLike, abroad: str | None, domestic: str | None) -> list[FloatArray]:
    """Standard errors of both counts: unknown where neither is given; at home exact where the other alone is."""
    errors = [
        np.full(len(table), np.nan) if name is None else known_numbers(table, name) for name in (abroad, domestic)
    ]
    stated = np.concatenate(errors)
    for fault, bad in (("negative", stated < 0), ("infinite: leave unknown ones missing", np.isinf(stated))):
        if bad.any():
            raise CovarianceError(f"{int(bad.sum())} standard errors of stocks are {fault}.")
    refuse_sizes(stated[np.isfinite(stated)], "standard errors of stocks", len(stated), most=LARGEST_WEIGHT)
    return [errors[0], np.zeros(len(table)) if abroad is not None and domestic is None else errors[1]]
