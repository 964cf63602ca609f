"""The worked caution: what six published numbers can and cannot show.

The association of published premiums with one year's net migration, with the exact permutation test, without one
country, and with every other year beside it, because the choice of year and country makes the result.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError
from wagegap.estimation.estimates import Estimates
from wagegap.regression.link.permutation import correlation, permute

__all__ = ["Caution", "examine"]


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
    label : str
        What the premiums are called; empty for nothing.
    table : DataFrame
        year (or "mean"), r, r_without, p_value (exact, where all orders can be tried), orders.
    """

    year: int
    countries: tuple[str, ...]
    without: str
    label: str
    table: pd.DataFrame

    def in_words(self) -> str:
        """Say the headline and what it rests on, computed from the table."""
        years: dict[str, dict[str, Any]] = self.table.set_index("year").to_dict("index")  # type: ignore[assignment]
        head, mean = years[str(self.year)], years.pop("mean")
        others = ", ".join(f"{_short(row['r'])} ({year})" for year, row in years.items() if row is not head)
        significant = sum(row["p_value"] <= 0.05 for row in years.values())
        premiums = f'Premiums of "{self.label}"' if self.label else "Premiums"
        return (
            f"{premiums} against net migration of {self.year}, {len(self.countries)} countries: "
            f"r = {_short(head['r'])}, permutation p = {_short(head['p_value'])} of {head['orders']} orders, ties "
            f"counted; without {self.without} r = {_short(head['r_without'])}. Other years: {others}; mean of years "
            f"{_short(mean['r'])}. Without {self.without} the association of {self.year} "
            f"{_change(head['r'], head['r_without'])}; the test rejects at 5 % in {significant} of {len(years)} years."
        )


def examine(premiums: Estimates, flows: pd.DataFrame, *, year: int, without: str, label: str = "") -> Caution:
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
    label : str
        What the premiums are called; empty for nothing.

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
    premium = pd.Series(premiums.values, index=premiums.labels["iso3"].astype(str))
    shared = [iso3 for iso3 in premium.index if iso3 in wide.index]
    if year not in wide.columns or without not in shared or len(shared) < 4:
        raise DataError(f"the caution needs the year {year}, {without} and at least four countries with both numbers.")
    wide = wide.loc[shared].rename(columns=str).assign(mean=lambda years: years.mean(axis=1))
    x: FloatArray = np.asarray(premium[shared], dtype=np.float64)
    keep = np.array(shared) != without
    rows = [(name, *_associated(x, wide[name].to_numpy(dtype=np.float64), keep)) for name in wide]
    return Caution(
        year, tuple(shared), without, label, pd.DataFrame(rows, columns=["year", "r", "r_without", "p_value", "orders"])
    )


def _associated(x: FloatArray, y: FloatArray, keep: BoolArray) -> tuple[float, float, float, int]:
    """Correlation of all, of those kept, and p-value of the first among so many orders."""
    test = permute(lambda order: correlation(x, y[order]), len(x))
    return correlation(x, y), correlation(x[keep], y[keep]), test.p_value, test.orders


def _change(r: float, without: float) -> str:
    """What becomes of a correlation without a country."""
    if r * without < 0:
        return "changes its sign"
    return "loses more than half of its size" if abs(without) < abs(r) / 2 else "keeps at least half of its size"


def _short(value: float) -> str:
    """Two decimals without the leading zero: .43, -.11."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{value:.2f}")
