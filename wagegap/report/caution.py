"""The worked caution: what a few published numbers can and cannot show.

The association of published premiums with one year's rates, with the exact permutation test, without one country, and
with every other year beside it, because the choice of year and country may make the result. What is said of it is read
off these numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.session import Shown
from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, DuplicateKeyError, listing
from wagegap.estimation.countries.columns import meet_countries
from wagegap.estimation.estimates import Estimates
from wagegap.regression.link.permutation import correlation, permute

__all__ = ["Caution", "examine"]


@dataclass(frozen=True, slots=True, eq=False)
class Caution(Shown):
    """Correlations of premiums with rates, year by year.

    Attributes
    ----------
    year : int
        Year of the headline.
    countries : tuple of str
        Countries with both numbers.
    without : str
        Country left out.
    label, outcome : str
        What the premiums and the rates are called; empty for nothing.
    table : DataFrame
        year (or "mean"), r, r_without, p_value (exact, where all orders can be tried), orders; r and p_value are
        missing where premiums or rates do not vary.
    absent : tuple of str
        Countries with a premium that lack a rate in some year.
    """

    year: int
    countries: tuple[str, ...]
    without: str
    label: str
    table: pd.DataFrame
    outcome: str = "net migration"
    absent: tuple[str, ...] = ()

    def in_words(self) -> str:
        """Say the headline and what it rests on, computed from the table."""
        years: dict[str, dict[str, Any]] = self.table.set_index("year").to_dict("index")  # type: ignore[assignment]
        head, mean = years[str(self.year)], years.pop("mean")
        others = ", ".join(f"{_short(row['r'])} ({year})" for year, row in years.items() if row is not head)
        premiums = f'Premiums of "{self.label}"' if self.label else "Premiums"
        sentences = [
            f"{premiums} against {self.outcome or 'rates'} of {self.year}, {len(self.countries)} countries: "
            f"r = {_short(head['r'])}, permutation p = {_short(head['p_value'])} of {head['orders']} orders, ties "
            f"counted; without {self.without} r = {_short(head['r_without'])}",
            f"Other years: {others}; mean of years {_short(mean['r'])}" if others else "",
            f"Without {self.without} the association of {self.year} {_change(head['r'], head['r_without'])}; "
            f"{_rejections([row['p_value'] for row in years.values()])}",
            f"Left out, without a number in every year: {listing(self.absent)}" if self.absent else "",
        ]
        return " ".join(f"{sentence}." for sentence in sentences if sentence)


def examine(
    premiums: Estimates, flows: pd.DataFrame, *, year: int, without: str, label: str = "",
    outcome: str = "net migration",
) -> Caution:  # fmt: skip
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
    label, outcome : str
        What the premiums and the rates are called; empty for nothing.

    Raises
    ------
    DataError, DuplicateKeyError

    Examples
    --------
    >>> import wagegap as wg
    >>> flows = wg.datasets.talent_migration_by_year("ai")
    >>> caution = examine(wg.datasets.published_premiums(), flows, year=2019, without="KOR")
    >>> caution.table.query("year == '2019'")[["r", "p_value", "r_without"]].round(2).values.tolist()
    [[0.43, 0.4, -0.11]]
    """
    premiums = replace(premiums, labels=meet_countries(flows[["iso3"]], premiums.labels)[1])
    _check_keys(premiums, flows)
    every = flows.set_index(["iso3", "year"])["net"].unstack("year")  # noqa: PD010
    wide = every.dropna()
    premium = pd.Series(premiums.values, index=premiums.labels["iso3"].astype(str))
    shared = [iso3 for iso3 in premium.index if iso3 in wide.index]
    if year not in wide.columns or without not in shared or len(shared) < 4:
        raise DataError(f"the caution needs the year {year}, {without} and at least four countries with both numbers.")
    wide = wide.loc[shared].rename(columns=str).assign(mean=lambda years: years.mean(axis=1))
    x: FloatArray = np.asarray(premium[shared], dtype=np.float64)
    keep = np.array(shared) != without
    rows = [(name, *_associated(x, wide[name].to_numpy(dtype=np.float64), keep)) for name in wide]
    table = pd.DataFrame(rows, columns=["year", "r", "r_without", "p_value", "orders"])
    absent = tuple(iso3 for iso3 in premium.index if iso3 not in wide.index)
    return Caution(year, tuple(shared), without, label, table, outcome, absent)


def _check_keys(premiums: Estimates, flows: pd.DataFrame) -> None:
    """Raise unless there is one premium of each country, and one rate of each country and year."""
    if "iso3" not in premiums.labels:
        raise DataError(f"the caution is about countries, key iso3; the premiums are by {listing(premiums.by)}.")
    for frame, keys, what in ((premiums.labels, ["iso3"], "premiums"), (flows, ["iso3", "year"], "rates")):
        twice = frame.duplicated(keys)
        if twice.any():
            raise DuplicateKeyError(
                f"the caution takes one number of each {' and '.join(keys)}: {int(twice.sum())} {what} are further "
                f"ones, such as {frame.loc[twice, keys].iloc[0].tolist()}. Select one."
            )


def _associated(x: FloatArray, y: FloatArray, keep: BoolArray) -> tuple[float, float, float, int]:
    """Correlation of all, of those kept, and p-value of the first among so many orders; NaN where nothing varies."""
    r, without = _correlation(x, y), _correlation(x[keep], y[keep])
    if np.isnan(r):
        return r, without, np.nan, 0
    test = permute(lambda order: correlation(x, y[order]), len(x))
    return r, without, test.p_value, test.orders


def _correlation(x: FloatArray, y: FloatArray) -> float:
    return correlation(x, y) if np.ptp(x) > 0 and np.ptp(y) > 0 else np.nan


def _change(r: float, without: float) -> str:
    """What becomes of a correlation without a country."""
    said = f"({_short(r)} to {_short(without)})"
    if np.isnan(r) or np.isnan(without):
        return "cannot be told, as premiums or rates do not vary"
    if abs(r - without) < 0.005:
        return f"stays as it is ({_short(without)})"
    if r * without < 0:
        return f"changes its sign {said}"
    if abs(without) > abs(r):
        return f"is larger {said}"
    kept = "loses more than half of its size" if abs(without) < abs(r) / 2 else "keeps at least half of its size"
    return f"{kept} {said}"


def _rejections(p_values: list[float]) -> str:
    """In how many years a test rejects."""
    known = [p for p in p_values if np.isfinite(p)]
    unknown = len(p_values) - len(known)
    more = f", and is not defined in {unknown}" if unknown else ""
    return f"the test rejects at 5 % in {sum(p <= 0.05 for p in known)} of {len(p_values)} years{more}"


def _short(value: float) -> str:
    """Two decimals without the leading zero: .43, -.11; what is not defined is said.

    >>> _short(0.428), _short(float("nan"))
    ('.43', 'undefined')
    """
    return "undefined" if np.isnan(value) else re.sub(r"^(-?)0\.", r"\1.", f"{value:.2f}")
