"""The worked caution: what six published numbers can and cannot show.

The association of published premiums with one year's net migration, with the exact permutation test, without one
country, and with every other year beside it, because the choice of year and country makes the result.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import DataError
from wagegap.estimation.estimates import Estimates
from wagegap.regression.link.questions.permutation import PermutationTest, correlation, permute

__all__ = ["Caution", "examine"]

_NUMBERS = ("r", "r_without", "p_value", "orders")


@dataclass(frozen=True, slots=True, eq=False)
class Caution:
    """Correlations of premiums with rates, year by year.

    Attributes
    ----------
    year : int
        Year of the headline.
    countries : tuple of str
        Countries with both numbers.
    without : str
        Country left out.
    table : DataFrame
        year (or "mean"), r, r_without, p_value (exact, where all orders can be tried), orders.
    """

    year: int
    countries: tuple[str, ...]
    without: str
    table: pd.DataFrame

    def in_words(self) -> str:
        """Say the headline and what it rests on."""
        r, without, p, orders = (dict(zip(self.table["year"], self.table[c], strict=True)) for c in _NUMBERS)
        head = str(self.year)
        beside = ", ".join(f"{_short(value)} ({year})" for year, value in r.items() if year not in (head, "mean"))
        return (
            f"Published premiums against net migration of {head}, {len(self.countries)} countries: "
            f"r = {_short(r[head])}, permutation p = {_short(p[head])} of {orders[head]} orders, ties counted; "
            f"without {self.without} r = {_short(without[head])}. Other years: {beside}; mean of years "
            f"{_short(r['mean'])}. One country and one year carry the association."
        )


def examine(premiums: Estimates, flows: pd.DataFrame, *, year: int, without: str) -> Caution:
    """Correlate premiums with the rates of every year.

    Parameters
    ----------
    premiums : Estimates
        One number for each country, key iso3.
    flows : DataFrame
        iso3, year, net.
    year : int
        Year of the headline.
    without : str
        Country to leave out.

    Raises
    ------
    DataError

    Examples
    --------
    >>> import wagegap as wg
    >>> flows = wg.datasets.talent_migration_by_year("ai")
    >>> caution = examine(wg.datasets.published_premiums(), flows, year=2019, without="KOR")
    >>> caution.table.query("year == '2019'")[["r", "p_value", "r_without"]].round(2).values.tolist()
    [[0.43, 0.4, -0.11]]
    """
    wide = flows.set_index(["iso3", "year"])["net"].unstack("year").dropna()  # noqa: PD010
    p = pd.Series(premiums.values, index=premiums.labels["iso3"].astype(str))
    shared = [iso3 for iso3 in p.index if iso3 in wide.index]
    if year not in wide.columns or without not in shared or len(shared) < 4:
        raise DataError(f"the caution needs the year {year}, {without} and at least four countries with both numbers.")
    x: FloatArray = np.asarray(p[shared], dtype=np.float64)
    keep = np.array([iso3 != without for iso3 in shared])
    columns: dict[str, FloatArray] = {str(y): np.asarray(wide.loc[shared, y], dtype=np.float64) for y in wide.columns}
    columns["mean"] = np.asarray(wide.loc[shared].mean(axis=1), dtype=np.float64)
    rows = []
    for name, y in columns.items():
        test = _test(x, y)
        rows.append((name, correlation(x, y), correlation(x[keep], y[keep]), test.p_value, test.orders))
    table = pd.DataFrame(rows, columns=["year", "r", "r_without", "p_value", "orders"])
    return Caution(year, tuple(shared), without, table)


def _test(x: FloatArray, y: FloatArray) -> PermutationTest:
    return permute(lambda order: correlation(x, y[order]), len(x))


def _short(value: float) -> str:
    """Two decimals without the leading zero: .43, -.11."""
    return f"{value:.2f}".replace("0.", ".", 1)
