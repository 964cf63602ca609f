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
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike
from wagegap.errors import DataError, UnitError
from wagegap.regression.link.cells import estimates_of, in_cells, single_premium
from wagegap.regression.link.estimators.estimator import jackknife_errors
from wagegap.regression.link.fitted import Answer, FittedLink, draw_slopes, slope_scale, slopes_of, t_test
from wagegap.regression.link.verdict import hull

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
        Second slope minus first, with a paired jackknife; where either is not settled NaN, and the hull of the
        differences by moments and by likelihood.
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
        agree = "the two do not differ significantly" if self.low <= 0 <= self.high else "the two differ significantly"
        together = "" if self.first.settled and self.second.settled else ", moments and likelihood together"
        return say(
            "On the {cells} that both sources have (their premiums correlate {r}), {step} more premium {goes} with "
            "{first} according to {name} and {second} according to {other}: {agree} ({other} minus {name}: {interval}"
            "{together}).",
            cells=cells.counted(), r=f"{self.correlation:.2f}", step=scale.step,
            goes=scale.goes, first=self._slope(self.first),
            name=self.names[0], second=self._slope(self.second), other=self.names[1], agree=agree,
            interval=scale.interval(self.low, self.high, bare=False), together=together,
        )  # fmt: skip

    def _slope(self, link: FittedLink) -> str:
        """A slope, or the hull where it is not settled."""
        scale = slope_scale(link.cells)
        if link.settled:
            return scale.signed(link.slope)
        return say("{hull} (not settled)", hull=scale.interval(*link.slope_interval(self.alpha), bare=False))

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw both slopes with their intervals; of one that is not settled those of both estimators."""
        rows = slopes_of(dict(zip(self.names, (self.first, self.second), strict=True)), self.alpha)
        return draw_slopes(rows, "name", ax, height=0.8 + 0.4 * len(rows), cells=self.first.cells,
                           alpha=self.alpha)  # fmt: skip


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
    shared = cells.keys[in_cells(cells.keys, sources[1].labels[sources[1].by].drop_duplicates())]
    if len(shared) <= k:
        raise DataError(f"the sources share {len(shared)} countries: too few for {k} coefficients.")
    first, second = (
        link.call.again(
            premiums={cells.premiums[0]: source.select(in_cells(source.labels, shared))},
            force=force or link.call.arguments["force"],
        )
        for source in sources
    )
    pairs = _pairs(first, second)
    found = [_differed(*pair, alpha) for pair in pairs]
    low, high = hull(*(ends for *_, ends in found))
    difference, error = found[0][:2] if len(pairs) == 1 else (np.nan, np.nan)
    r = float(np.corrcoef(first.cells.p[:, 0], second.cells.p[:, 0])[0, 1])
    return Swap(names, first, second, difference, error, low, high, r, alpha)


def _pairs(first: FittedLink, second: FittedLink) -> list[tuple[FittedLink, FittedLink]]:
    """Fits by the same estimator: one, or moments and likelihood where either link is not settled."""
    if first.settled and second.settled:
        return [(first, second)]
    both = (first.moments, second.moments), (first.likelihood, second.likelihood)
    return [(one, other) for one, other in both if one is not None and other is not None]


def _differed(first: FittedLink, second: FittedLink, alpha: Alpha) -> tuple[float, float, tuple[float, float]]:
    """Second slope minus first, its paired jackknife error, and the interval."""
    parts = (second.leave_one_out["slope"] - first.leave_one_out["slope"]).dropna().to_numpy(dtype=float)
    difference, error = second.slope - first.slope, float(jackknife_errors(parts))
    low, high, _ = t_test(difference, error, len(parts) - 1, alpha)
    return difference, error, (low, high)
