"""Is this country off the line of the others? Fit without it, and ask how far its rate is from where they put it.

With the line of the other countries, the deviation of the left-out one is

    d = y_c - x_c'b,    var d = tau^2 + V_y - 2 b V_py + b^2 V_p + x_c' V_b x_c,

the spread of true rates, the country's own sampling errors, and the error of the line. Of these tau^2 is estimated with
few degrees of freedom and the rest is known, so the reference is t with degrees that weigh the two (Satterthwaite).
Where errors are unknown it is the externally studentised residual with t(n - 1 - k), exactly.

References
----------
Cook, R. D. and S. Weisberg (1982). Residuals and Influence in Regression. Chapman & Hall, chapter 2.
Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin 2,
110-114.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.axes import PALETTE, new_axes
from wagegap._display.numbers import format_number
from wagegap._display.scatter import ellipses
from wagegap._typing import FloatArray, IntArray
from wagegap.errors import OptionError, check_option, public
from wagegap.regression.link.answer import Answer, cell_at, level_of, named, setup_of
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.setup import Setup

if TYPE_CHECKING:
    from wagegap.regression.link.result import Link

__all__ = ["Outlier", "outlier"]


@dataclass(frozen=True, slots=True, eq=False)
class Outlier(Answer):
    """A country against the line of the others.

    Attributes
    ----------
    country : str
        The cell.
    rate : float
        Its rate.
    expected, low, high : float
        Rate that the others' line gives it, with the interval in which it should lie.
    deviation : float
        Deviation over its standard deviation.
    df : float
        Degrees of freedom of the reference t.
    p_value : float
        Of a country named in advance.
    p_if_picked : float
        The same for a country picked because it looked odd: times the number of countries, at most one.
    slope : float
        Slope without the country.
    alpha : float
        One minus the coverage.
    link : Link
        The link with the country.
    """

    country: str
    rate: float
    expected: float
    low: float
    high: float
    deviation: float
    df: float
    p_value: float
    p_if_picked: float
    slope: float
    alpha: float
    link: Link

    def tidy(self) -> pd.DataFrame:
        """Return one row."""
        names = (
            "country", "rate", "expected", "low", "high", "deviation", "df", "p_value", "p_if_picked", "slope",
        )  # fmt: skip
        return pd.DataFrame([{name: getattr(self, name) for name in names}])

    def in_words(self) -> str:
        """Say where the country is, and whether that is more than the others' own scatter."""
        factor, unit = level_of(self.link.cells.units[0])
        span = f"{format_number(factor * self.low)} and {format_number(factor * self.high)}{f' {unit}' if unit else ''}"
        inside = self.low <= self.rate <= self.high
        said = (
            "which is inside: these data do not show it to be an exception"
            if inside
            else "which is outside: it does not follow the pattern of the others"
        )
        return (
            f"From the {self.link.cells.n - 1} other countries one would expect {named(self.country)}'s "
            f"{self.link.cells.outcome.replace('_', ' ')} between {span}; it is {factor * self.rate:.4g}, {said} "
            f"(p = {self.p_value:.2f} if the country was named in advance, {self.p_if_picked:.2f} if it was picked for "
            "looking odd)."
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the others, their line, and the interval for the country."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        i = cells.names.index(self.country)
        groups = ["this country" if k == i else "others" for k in range(cells.n)]
        order = np.argsort([g == "this country" for g in groups], kind="stable")
        p, y = cells.p[order, 0], cells.y[order]
        ax = ellipses(
            ax, p, y, np.zeros((cells.n, 2, 2)), [cells.names[k] for k in order],
            groups=[groups[k] for k in order],
        )  # fmt: skip
        at = np.array([p.min(), p.max()])
        ax.plot(at, self.expected + self.slope * (at - cells.p[i, 0]), color=PALETTE[3], linewidth=1.2)
        ax.plot([cells.p[i, 0]] * 2, [self.low, self.high], color=PALETTE[1], linewidth=1.8, alpha=0.8)
        low, high = min(float(y.min()), self.low), max(float(y.max()), self.high)
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        ax.set_xlabel(f"premium ({cells.units[1]})")
        ax.set_ylabel(f"{cells.outcome.replace('_', ' ')} ({cells.units[0]})")
        return ax


@public
def outlier(link: Link, country: str, *, alpha: float = 0.05) -> Outlier:
    """Ask whether a country is off the line of the others.

    Parameters
    ----------
    link : Link
        With a premium, linear in it.
    country : str
        The cell.
    alpha : float
        One minus the coverage of the interval.

    Raises
    ------
    DataError
        No such cell, or too few others.
    OptionError
        A link that is not linear.

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> answer = outlier(link, "KOR")
    >>> answer.low < answer.rate < answer.high
    True
    """
    setup = setup_of(link)
    check_option("method of the link", link.method, ("ols", "meta", "eiv", "ml", "york", "simex", "split", "bootstrap"))
    i = cell_at(link, country)
    others = np.delete(np.arange(link.cells.n), i)
    known = link.cells.known(1)
    if link.cells.n - 1 <= setup.x.shape[1]:
        raise OptionError(f"without {country} there are {link.cells.n - 1} cells for {setup.x.shape[1]} coefficients.")
    corrected = known and len(setup.estimated) == 1 and link.method != "ols"
    b, cov, spread, own, typical = (_corrected if corrected else _naive)(setup, others, i)
    x, y = setup.x[i], link.cells.y
    total = spread + own
    free = link.cells.n - 1 - setup.x.shape[1]
    degrees = free * (total / (spread + typical)) ** 2 if corrected else float(free)
    deviation = float(y[i] - x @ b)
    error = float(np.sqrt(total + x @ cov @ x))
    half = float(stats.t.isf(alpha / 2, degrees)) * error
    p = float(2 * stats.t.sf(abs(deviation) / error, degrees))
    expected = float(x @ b)
    return Outlier(
        link.cells.names[i], float(y[i]), expected, expected - half, expected + half, deviation / error, float(degrees),
        p, min(1.0, link.cells.n * p), float(b[setup.estimated[0]]), alpha, link,
    )  # fmt: skip


def _naive(setup: Setup, others: IntArray, i: int) -> tuple[FloatArray, FloatArray, float, float, float]:
    """Line of the others, its covariance, and the variance of a new deviation: least squares."""
    del i
    x, y = setup.x[others], setup.cells.y[others]
    bread = np.asarray(np.linalg.pinv(x.T @ x))
    b = bread @ (x.T @ y)
    rest = y - x @ b
    variance = float(rest @ rest) / (len(y) - np.linalg.matrix_rank(x))
    return b, variance * bread, variance, 0.0, 0.0


def _corrected(setup: Setup, others: IntArray, i: int) -> tuple[FloatArray, FloatArray, float, float, float]:
    """The same by maximum likelihood; variance beyond sampling, of the country's own errors, and typical of theirs."""
    whole = setup.problem()
    fit = fit_ml(whole.take(others))
    noise = _deviation_noise(whole, float(fit.params[setup.estimated[0]]))
    return fit.params, fit.cov, fit.tau2, float(noise[i]), float(noise[others].mean())


def _deviation_noise(problem: LinkProblem, slope: float) -> FloatArray:
    """Sampling variance of y - b p in every row."""
    return np.asarray(
        np.diag(problem.v_y) + slope**2 * np.diag(problem.v_x[0, 0]) - 2 * slope * np.diag(problem.v_xy[0])
    )
