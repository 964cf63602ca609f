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
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import PALETTE, new_axes
from wagegap._display.scatter import ellipses
from wagegap._typing import Alpha, AxesLike, FloatArray, IntArray
from wagegap.errors import DataError, OptionError, check_option
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.fitted import Answer, FittedLink, level_of, one_row, t_test
from wagegap.regression.link.problem import LinkProblem

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
    alpha: Alpha
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return one row."""
        return one_row(self, "alpha", "link")

    def in_words(self) -> str:
        """Say where the country is, and whether that is more than the others' own scatter."""
        cells = self.link.cells
        scale = level_of(cells.units[0])
        said = (
            "which is inside: these data do not show it to be an exception"
            if self.low <= self.rate <= self.high
            else "which is outside: it does not follow the pattern of the others"
        )
        return (
            f"From the {cells.counted(cells.n - 1, 'other')} one would expect {cells.name_of(self.country)}'s "
            f"{cells.outcome_in_words} between {scale.between(self.low, self.high, 'and')}; it is "
            f"{scale.factor * self.rate:.4g}, {said} "
            f"(p = {self.p_value:.2f} if the {cells.noun} was named in advance, {self.p_if_picked:.2f} if it was "
            "picked for looking odd)."
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the others, their line, and the interval for the country."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        i = cells.names.index(self.country)
        order = [*np.delete(np.arange(cells.n), i), i]
        p, y = cells.p[order, 0], cells.y[order]
        groups = ["others"] * (cells.n - 1) + [f"this {cells.noun}"]
        ax = ellipses(ax, p, y, np.zeros((cells.n, 2, 2)), [cells.names[k] for k in order], groups=groups)
        at = np.array([p.min(), p.max()])
        ax.plot(at, self.expected + self.slope * (at - cells.p[i, 0]), color=PALETTE[3], linewidth=1.2)
        ax.plot([cells.p[i, 0]] * 2, [self.low, self.high], color=PALETTE[1], linewidth=1.8, alpha=0.8)
        low, high = min(float(y.min()), self.low), max(float(y.max()), self.high)
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        return cells.label_axes(ax)


@public
def outlier(link: FittedLink, country: str, *, alpha: Alpha = 0.05) -> Outlier:
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
    link.check_premium("outlier")
    link.check_deviations("outlier")
    check_option("method of the link", link.method, ("ols", "meta", "eiv", "ml", "york", "simex", "split", "bootstrap"))
    cells, problem, i = link.cells, link.setup.problem, link.cell_at(country)
    others, df = np.delete(np.arange(cells.n), i), cells.n - 1 - problem.k
    if df <= 0:
        raise OptionError(f"without {country} there are {cells.n - 1} cells for {problem.k} coefficients.")
    corrected = cells.known(1) and len(problem.estimated) == 1 and link.method != "ols"
    b, cov, spread, noise = (_corrected if corrected else _naive)(problem, others)
    # var d = tau^2 + noise_c + x_c'V_b x_c; Satterthwaite's df (n - k) (total / (tau^2 + mean noise of the others))^2
    x, y, total = problem.x[i], float(cells.y[i]), spread + float(noise[i])
    degrees = float(df * (total / (spread + float(noise[others].mean()))) ** 2 if corrected else df)
    expected, error = float(x @ b), float(np.sqrt(total + x @ cov @ x))
    if not (np.isfinite(error) and error > 1e-12 * abs(y)):
        raise DataError(f"without {country} no deviation can be weighed: {_no_scale(error, cells.n - 1)}.")
    low, high, _ = t_test(expected, error, degrees, alpha)
    p = t_test(y - expected, error, degrees, alpha)[2]
    return Outlier(
        cells.names[i], y, expected, low, high, (y - expected) / error, degrees, p, min(1.0, cells.n * p),
        float(b[problem.estimated[0]]), alpha, link,
    )  # fmt: skip


def _no_scale(error: float, n: int) -> str:
    """Why the deviation of a country has no standard deviation."""
    if np.isfinite(error):
        return f"the {n} other cells lie on a line exactly"
    return f"the premiums of the {n} other cells might all be equal, so that they give no line"


def _naive(problem: LinkProblem, others: IntArray) -> tuple[FloatArray, FloatArray, float, FloatArray]:
    """Line of the others by least squares, its covariance, the variance of their deviations, and no sampling errors."""
    x, y = problem.x[others], problem.y[others]
    bread = np.asarray(np.linalg.pinv(x.T @ x))
    b = bread @ (x.T @ y)
    variance = float(np.sum((y - x @ b) ** 2)) / (len(y) - np.linalg.matrix_rank(x))
    return b, variance * bread, variance, np.zeros(problem.n)


def _corrected(problem: LinkProblem, others: IntArray) -> tuple[FloatArray, FloatArray, float, FloatArray]:
    """The same by maximum likelihood, with the sampling variance of y - b p in every row."""
    fit = fit_ml(problem.checked().take(others))
    slope = float(fit.params[problem.estimated[0]])
    # V_y + b^2 V_p - 2 b V_py
    noise = np.diag(problem.v_y) + slope**2 * np.diag(problem.v_x[0, 0]) - 2 * slope * np.diag(problem.v_xy[0])
    return fit.params, fit.cov, fit.tau2, noise
