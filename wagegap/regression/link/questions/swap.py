"""Would another source of premiums say the same? The link with premiums of another source, on the same countries.

Both links are fitted on the cells that both sources have, so that they differ in the source alone; the difference of
their slopes has a standard error by the paired jackknife, which knows that they share the rates.

References
----------
Efron, B. and C. Stein (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.axes import new_axes
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_number
from wagegap.errors import DataError, UnitError, public
from wagegap.regression.link.answer import Answer, call_of, scale_of, setup_of, step_of
from wagegap.regression.link.cells import estimates_of

if TYPE_CHECKING:
    from wagegap.regression.link.result import Link

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
    first: Link
    second: Link
    difference: float
    std_error: float
    low: float
    high: float
    correlation: float
    alpha: float

    def tidy(self) -> pd.DataFrame:
        """Return both slopes and their difference, a row each."""
        rows = []
        for name, link in zip(self.names, (self.first, self.second), strict=True):
            low, high = link.slope_interval(self.alpha)
            rows.append(
                {"source": name, "method": link.method, "estimate": link.slope, "conf_low": low, "conf_high": high,
                 "reliability": link.reliability}
            )  # fmt: skip
        last = {"source": "difference", "method": "paired jackknife", "estimate": self.difference}
        return pd.DataFrame([*rows, {**last, "conf_low": self.low, "conf_high": self.high}])

    def in_words(self) -> str:
        """Say whether the two sources agree."""
        factor, unit = scale_of(self.first.cells.units[0])
        step, what = step_of(self.first.cells.units[1])
        scale, tail = factor * step, f" {unit}" if unit else ""
        agree = "cannot be told apart" if self.low <= 0 <= self.high else "disagree beyond sampling error"
        return (
            f"On the {self.first.cells.n} countries that both sources have (their premiums correlate "
            f"{self.correlation:.2f}), {what} more premium go with {scale * self.first.slope:+.3g}{tail} "
            f"according to {self.names[0]} and {scale * self.second.slope:+.3g}{tail} according to {self.names[1]}: "
            f"the two {agree} "
            f"(difference {format_number(scale * self.low)} to {format_number(scale * self.high)})."
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw both slopes with their intervals."""
        ax = new_axes(6.3, 1.6) if ax is None else ax
        frame = self.tidy().iloc[:2]
        low, high = (frame[c].where(np.isfinite(frame[c])).to_numpy(dtype=float) for c in ("conf_low", "conf_high"))
        ax = intervals(ax, frame["source"].tolist(), frame["estimate"].to_numpy(dtype=float), low, high)
        ax.set_xlabel(f"slope, {100 * (1 - self.alpha):g} % intervals")
        return ax


@public
def swap(
    link: Link,
    premiums: Any,
    *,
    names: tuple[str, str] = ("the first source", "the second source"),
    alpha: float = 0.05,
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
    setup_of(link)
    call = call_of(link)
    if len(link.cells.premiums) > 1:
        raise DataError("swap takes a link with one premium.")
    name, own = link.cells.premiums[0], _only(call.premiums)
    mine, other = estimates_of(own, "premiums"), estimates_of(premiums, "premiums")
    if mine.unit != other.unit:
        raise UnitError(f"the sources are in {mine.unit!r} and {other.unit!r}: convert one of them first.")
    keys = list(link.cells.keys.columns)
    both = link.cells.keys.merge(other.labels[keys].drop_duplicates(), on=keys, how="inner")
    if len(both) <= setup_of(link).x.shape[1]:
        raise DataError(
            f"the sources share {len(both)} countries: too few for {setup_of(link).x.shape[1]} coefficients."
        )
    first, second = (
        call.again(premiums={name: _among(est, both, keys)}, force=force or call.options.get("force", False))
        for est in (mine, other)
    )
    parts = second.leave_one_out["slope"].to_numpy(dtype=float) - first.leave_one_out["slope"].to_numpy(dtype=float)
    parts = parts[np.isfinite(parts)]
    n = len(parts)
    error = float(np.sqrt((n - 1) / n * np.sum((parts - parts.mean()) ** 2)))
    difference = second.slope - first.slope
    half = float(stats.t.isf(alpha / 2, n - 1)) * error
    r = float(np.corrcoef(first.cells.p[:, 0], second.cells.p[:, 0])[0, 1])
    return Swap(names, first, second, difference, error, difference - half, difference + half, r, alpha)


def _only(premiums: Any) -> Any:
    return next(iter(premiums.values())) if isinstance(premiums, Mapping) else premiums


def _among(estimates: Any, cells: pd.DataFrame, keys: list[str]) -> Any:
    """Estimates of the cells given."""
    there = estimates.labels[keys].merge(cells, on=keys, how="left", indicator=True)["_merge"].eq("both").to_numpy()
    return estimates.select(there)
