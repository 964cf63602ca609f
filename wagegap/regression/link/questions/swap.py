"""Would another source of premiums say the same? The link with premiums of another source, on the same countries.

Both links are fitted on the cells that both sources have, so that they differ in the source alone; the difference of
their slopes has a standard error by the paired jackknife, which knows that they share the rates.

References
----------
Efron, B. and C. Stein (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.numbers import format_number
from wagegap._typing import Alpha, AxesLike
from wagegap.errors import DataError, UnitError
from wagegap.regression.link.cells import estimates_of, positions, single_premium
from wagegap.regression.link.estimators.estimator import jackknife_errors
from wagegap.regression.link.fitted import Answer, FittedLink, draw_slopes, slope_scale, t_test

__all__ = ["Swap", "swap"]


@dataclass(frozen=True, slots=True, eq=False)
class Swap(Answer):
    """One link under two sources of premiums.

    Attributes
    ----------
    names : tuple of str
        The sources.
    first, second : Link
        Links on the countries that both have.
    difference, std_error, low, high : float
        Second slope minus first, with a paired jackknife.
    correlation : float
        Of the two sources' premiums over those countries.
    alpha : float
        One minus the coverage.
    """

    names: tuple[str, str]
    first: FittedLink
    second: FittedLink
    difference: float
    std_error: float
    low: float
    high: float
    correlation: float
    alpha: Alpha

    def tidy(self) -> pd.DataFrame:
        """Return both slopes and their difference, a row each."""
        columns = "source", "method", "estimate", "conf_low", "conf_high", "reliability"
        rows = [
            (name, link.method, link.slope, *link.slope_interval(self.alpha), link.reliability)
            for name, link in zip(self.names, (self.first, self.second), strict=True)
        ]
        last = "difference", "paired jackknife", self.difference, self.low, self.high, np.nan
        return pd.DataFrame([*rows, last], columns=columns)

    def in_words(self) -> str:
        """Say whether the two sources agree."""
        cells, scale = self.first.cells, slope_scale(self.first.cells)
        low, high = (format_number(scale.factor * end) for end in (self.low, self.high))
        agree = "the two do not differ significantly" if self.low <= 0 <= self.high else "the two differ significantly"
        return (
            f"On the {cells.counted()} that both sources have (their premiums correlate {self.correlation:.2f}), "
            f"{scale.step} more premium go with {scale.signed(self.first.slope)} according to {self.names[0]} and "
            f"{scale.signed(self.second.slope)} according to {self.names[1]}: {agree} (difference {low} to {high})."
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw both slopes with their intervals."""
        label = f"slope, {100 * (1 - self.alpha):g} % intervals"
        return draw_slopes(self.tidy().iloc[:2], "source", ax, height=1.6, label=label)


@public
def swap(
    link: FittedLink,
    premiums: Any,
    *,
    names: tuple[str, str] = ("the first source", "the second source"),
    alpha: Alpha = 0.05,
    force: bool = False,
) -> Swap:
    """Fit the link with another source of premiums, on the countries that both have.

    Parameters
    ----------
    link : Link
        With one premium.
    premiums : Premiums or Estimates
        The other source, in the same unit.
    names : tuple of str
        Of the first source and the other.
    alpha : float
        One minus the coverage.
    force : bool
        Fit however low the reliability of either.

    Raises
    ------
    DataError, UnitError, ReliabilityError

    Examples
    --------
    >>> import wagegap as wg
    >>> net, first = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    >>> link = wg.fit_link("net_migration ~ premium", net, first, method="ols")
    >>> answer = swap(link, wg.datasets.country_premiums("kaggle"))
    >>> answer.first.cells.names == answer.second.cells.names
    True
    """
    link.check_premium("swap", single=True)
    cells, k = link.cells, link.setup.problem.k
    sources = (
        estimates_of(single_premium(link.call.arguments["premiums"]), "premiums"),
        estimates_of(premiums, "premiums"),
    )
    if sources[0].unit != sources[1].unit:
        raise UnitError(
            f"the sources are in {sources[0].unit!r} and {sources[1].unit!r}: bring one of them into the other's "
            "unit by .in_unit(...)."
        )
    shared = cells.keys[positions(cells.keys, sources[1].labels[list(cells.keys.columns)].drop_duplicates()) >= 0]
    if len(shared) <= k:
        raise DataError(f"the sources share {len(shared)} countries: too few for {k} coefficients.")
    first, second = (
        link.call.again(
            premiums={cells.premiums[0]: source.select(positions(source.labels[list(shared.columns)], shared) >= 0)},
            force=force or link.call.arguments["force"],
        )
        for source in sources
    )
    parts = (second.leave_one_out["slope"] - first.leave_one_out["slope"]).dropna().to_numpy(dtype=float)
    difference, error = second.slope - first.slope, float(jackknife_errors(parts))
    low, high, _ = t_test(difference, error, len(parts) - 1, alpha)
    r = float(np.corrcoef(first.cells.p[:, 0], second.cells.p[:, 0])[0, 1])
    return Swap(names, first, second, difference, error, low, high, r, alpha)
