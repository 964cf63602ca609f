"""Partial pooling of premiums and rates, for display: what each country's figures become in the light of the others.

Under the fitted link, true premium and rate of a country are jointly normal around the line; given all figures and the
covariance of their errors, the best predictor moves each point towards the line, the further the noisier it is. What is
shown is never fed into a regression: a slope through pooled points would count the pattern twice.

References
----------
Robinson, G. K. (1991). That BLUP is a good thing: the estimation of random effects. Statistical Science 6, 15-32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public
from wagegap._display.axes import FAINT, PALETTE, name_axes, new_axes
from wagegap._display.intervals import intervals
from wagegap._typing import Alpha, AxesLike, FloatArray
from wagegap.errors import CovarianceError
from wagegap.estimation.units import unit_in_heading
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.fitted import Answer, FittedLink
from wagegap.regression.link.problem import LinkProblem

__all__ = ["Pooled", "pool"]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled(Answer):
    """Premiums and rates before and after pooling.

    Attributes
    ----------
    frame : DataFrame
        cell, premium, premium_error, rate, rate_error, and pooled_premium, pooled_premium_error, pooled_rate,
        pooled_rate_error.
    alpha : float
        One minus the coverage of intervals drawn.
    link : Link
        The link.
    """

    frame: pd.DataFrame
    alpha: Alpha
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return one row for each cell."""
        return self.frame

    def in_words(self) -> str:
        """Say which country moves most, and how much of the spread was noise."""
        f = self.frame
        before, after = f["premium"].std(), f["pooled_premium"].std()
        most = f.iloc[int(np.argmax(np.abs(f["pooled_premium"] - f["premium"])))]
        cells, change = self.link.cells, 100 * (after / before - 1)
        than = f"{abs(change):.0f} % {'less' if change <= 0 else 'more'} than"
        return (
            f"Seen together, the premiums of {cells.counted()} spread {than} each seen alone; "
            f"{cells.name_of(most['cell'])} moves most, from {most['premium']:.3g} to "
            f"{most['pooled_premium']:.3g}{unit_in_heading(cells.units[1])}. Pooled figures are for looking at, not "
            "for regressions."
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw an arrow from each country's own figures to the pooled ones, with the line."""
        f, cells = self.frame, self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        at = np.linspace(float(f["premium"].min()), float(f["premium"].max()), 40)
        ax.plot(at, self.link.line(at)[0], color=PALETTE[3], linewidth=1.2)
        for row in f.itertuples(index=False):
            ax.annotate(
                "", (row.pooled_premium, row.pooled_rate), (row.premium, row.rate),
                arrowprops={"arrowstyle": "->", "color": FAINT, "linewidth": 0.8},
            )  # fmt: skip
        ax.plot(
            f["premium"], f["rate"], "o", color=PALETTE[0], markersize=4, label="own figures", markerfacecolor="none"
        )
        ax.plot(f["pooled_premium"], f["pooled_rate"], "o", color=PALETTE[1], markersize=4, label="pooled")
        ax.legend(frameon=False, fontsize=8)
        return cells.label_axes(ax)

    def plot_caterpillar(self, ax: AxesLike = None) -> Any:
        """Draw the premiums with their intervals before and after, largest first."""
        f = self.frame.sort_values("pooled_premium", ascending=False)
        ax = new_axes(6.3, 0.9 + 0.26 * len(f)) if ax is None else ax
        b = np.concatenate([f["premium"], f["pooled_premium"]])
        half = stats.norm.isf(self.alpha / 2) * np.concatenate([f["premium_error"], f["pooled_premium_error"]])
        names, groups = [*f["cell"], *f["cell"]], ["own figures"] * len(f) + ["pooled"] * len(f)
        ax = intervals(ax, names, b, b - half, b + half, groups=groups, sizes="equal")
        unit = unit_in_heading(self.link.cells.units[1])
        return name_axes(ax, x=f"premium{unit}, {100 * (1 - self.alpha):g} % intervals")


@public
def pool(link: FittedLink, *, alpha: Alpha = 0.05) -> Pooled:
    """Pool premiums and rates under the link, for display.

    Parameters
    ----------
    link : Link
        With one premium whose errors are known.
    alpha : float
        One minus the coverage of intervals drawn.

    Raises
    ------
    CovarianceError
        When the premiums' errors are unknown.

    Examples
    --------
    >>> import wagegap as wg
    >>> both = wg.datasets.stem_graduates()
    >>> link = wg.fit_link("outside ~ premium", both.select(term="outside"), both.select(term="premium"), method="ols")
    >>> frame = pool(link).frame
    >>> bool((frame["pooled_premium_error"] <= frame["premium_error"] + 1e-12).all())
    True
    """
    link.check_premium("pool", single=True)
    if not link.cells.known(1):
        raise CovarianceError("pooling weighs each premium by its error, and the errors are unknown.")
    problem = link.setup.problem.checked()
    fit = fit_ml(problem)
    values, errors = _predicted(problem, float(fit.params[problem.estimated[0]]), fit.sigma2, fit.tau2)
    (premium, rate), (premium_error, rate_error) = values.reshape(2, -1), errors.reshape(2, -1)
    frame = pd.DataFrame(
        {
            "cell": list(link.cells.names), "premium": link.cells.p[:, 0],
            "premium_error": np.sqrt(np.diag(problem.v_x[0, 0])), "rate": problem.y,
            "rate_error": np.sqrt(np.diag(problem.v_y)), "pooled_premium": premium,
            "pooled_premium_error": premium_error, "pooled_rate": rate, "pooled_rate_error": rate_error,
        }
    )  # fmt: skip
    return Pooled(frame, alpha, link)


def _predicted(problem: LinkProblem, slope: float, sigma2: float, tau2: float) -> tuple[FloatArray, FloatArray]:
    """Best linear unbiased predictors of (P, Y) and their errors, the error of the means included."""
    # G = var(P, Y) = [[s, b s], [b s, b^2 s + t]] x I, O = G + V
    spreads = np.array([[1.0, slope], [slope, slope**2]]) * sigma2 + np.diag([0.0, tau2])
    true = np.kron(spreads, np.eye(problem.n))
    v_py = problem.v_xy[0]
    errors = np.block([[problem.v_x[0, 0], v_py], [v_py.T, problem.v_y]])
    observed = np.concatenate([problem.premiums[:, 0], problem.y])
    x = np.kron(np.eye(2), problem.controls)
    # BLUP: X m + G O^-1 (obs - X m), m = (X'O^-1 X)^-1 X'O^-1 obs
    inverse = np.linalg.pinv(true + errors, hermitian=True)
    bread = np.linalg.pinv(x.T @ inverse @ x, hermitian=True)
    means = x @ (bread @ (x.T @ inverse @ observed))
    gain = true @ inverse
    # error variance G - G O^-1 G + D (X'O^-1 X)^-1 D', D = X - G O^-1 X
    moved = x - gain @ x
    spread = true - gain @ true + moved @ bread @ moved.T
    return means + gain @ (observed - means), np.sqrt(np.maximum(np.diag(spread), 0.0))
