"""Partial pooling of premiums and rates, for display: what each country's figures become in the light of the others.

Under the fitted link, true premium and rate of a country are jointly normal around the line; given all figures and the
covariance of their errors, the best predictor moves each point towards the line, the further the noisier it is: with
the slope, the variance of true premiums and that of rates beyond them as the link's own estimator has them. Rates whose
errors are unknown say nothing of how far they are to be moved, nor how much they know of the premiums: these are then
pooled among themselves, and rates not at all. What is shown is never fed into a regression: a slope through pooled
points would count the pattern twice.

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
from wagegap._display.axes import FAINT, PALETTE, apply_style, new_axes
from wagegap._display.facts import note_level, note_stroke, note_words
from wagegap._display.intervals import intervals
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike, FloatArray
from wagegap.errors import CovarianceError, ReliabilityError
from wagegap.estimation.reliability import true_variance
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import Answer, FittedLink, level_of
from wagegap.regression.link.lines import given_controls, label_link, seen_cells, write_legend
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.deviations import line_of, moments_line

__all__ = ["Pooled", "pool"]


@dataclass(frozen=True, slots=True, eq=False)
class Pooled(Answer):
    """Premiums and rates before and after pooling.

    Attributes
    ----------
    frame : DataFrame
        cell, premium, premium_error, rate, rate_error, and pooled_premium, pooled_premium_error, pooled_rate,
        pooled_rate_error, rates' errors and pooled rates NaN where the errors of rates are unknown.
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
        f, cells = self.frame, self.link.cells
        level = level_of(cells.units[1])
        change = 100 * (f["pooled_premium"].std() / f["premium"].std() - 1)
        most = f.iloc[int(np.argmax(np.abs(f["pooled_premium"] - f["premium"])))]
        alone = (
            "" if cells.known(0) else " The error of the rates is unknown: they are not pooled, and move no premium."
        )
        which = "" if self.link.settled else " Slope and spreads are those of the weighted moments."
        return say(
            "Seen together, the premiums of {cells} spread {size} % {more} than each seen alone; {most} moves most, "
            "from {before} to {after}.{which}{alone} Pooled figures are for looking at, not for regressions.",
            cells=cells.counted(), size=f"{abs(change):.0f}", more="less" if change <= 0 else "more",
            most=cells.name_of(most["cell"]), before=level.level(most["premium"]),
            after=level.level(most["pooled_premium"]), which=which, alone=alone,
        )  # fmt: skip

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw an arrow from each country's own figures to the pooled ones, with the line."""
        f, cells = self.frame, self.link.cells
        f = f.assign(pooled_rate=f["pooled_rate"].fillna(f["rate"]))
        ax = new_axes(6.3, 4.6) if ax is None else ax
        p, y = seen_cells(self.link)
        moved = {"premium": p - cells.p[:, 0], "rate": y - cells.y}  # by what the controls explain
        for name, change in moved.items():
            f = f.assign(**{name: f[name] + change, f"pooled_{name}": f[f"pooled_{name}"] + change})
        at = np.linspace(float(f["premium"].min()), float(f["premium"].max()), 40)
        (line,) = ax.plot(at, self.link.parts[0].line(at)[0], color=PALETTE[3], linewidth=1.2)
        for row in f.itertuples(index=False):
            ax.annotate(
                "", (row.pooled_premium, row.pooled_rate), (row.premium, row.rate),
                arrowprops={"arrowstyle": "->", "color": FAINT, "linewidth": 0.8},
            )  # fmt: skip
        (own,) = ax.plot(f["premium"], f["rate"], "o", color=PALETTE[0], markersize=4, markerfacecolor="none")
        (pooled,) = ax.plot(f["pooled_premium"], f["pooled_rate"], "o", color=PALETTE[1], markersize=4)
        title = ESTIMATORS[self.link.parts[0].method].title.split(",")[0]
        write_legend(apply_style(ax), [(own, "own figures"), (pooled, "pooled"), (line, title)])
        note_stroke(ax, "line", title)
        room = 0.1 * float(np.ptp(y))
        ax.set_ylim(float(y.min()) - room, float(y.max()) + room)
        note_words(ax, f"An arrow leads from the figures of each {cells.noun} to the pooled ones")
        return label_link(ax, self.link, given_controls(self.link))

    def plot_caterpillar(self, ax: AxesLike = None) -> Any:
        """Draw the premiums with their intervals before and after, largest first."""
        f = self.frame.sort_values("pooled_premium", ascending=False)
        ax = new_axes(6.3, 0.9 + 0.26 * len(f)) if ax is None else ax
        b = np.concatenate([f["premium"], f["pooled_premium"]])
        half = stats.norm.isf(self.alpha / 2) * np.concatenate([f["premium_error"], f["pooled_premium_error"]])
        names, groups = [*f["cell"], *f["cell"]], ["own figures"] * len(f) + ["pooled"] * len(f)
        ax = intervals(ax, names, b, b - half, b + half, groups=groups, sizes="equal")
        note_level(ax, 1 - self.alpha)
        scale = level_of(self.link.cells.units[1])
        return scale_axis(
            ax, "x", self.link.cells.premium_in_words, scale, note=f", {100 * (1 - self.alpha):g} % intervals"
        )


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
    ReliabilityError
        When the premiums vary no more than their errors.

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
    known = link.cells.known(0)
    values, errors = _predicted(problem, *_structure(link.parts[0], problem), of_rates=known)
    (premium, rate), (premium_error, rate_error) = values.reshape(2, -1), errors.reshape(2, -1)
    unknown = np.full(problem.n, np.nan)
    frame = pd.DataFrame(
        {
            "cell": list(link.cells.names), "premium": link.cells.p[:, 0],
            "premium_error": np.sqrt(np.diag(problem.v_x[0, 0])), "rate": problem.y,
            "rate_error": np.sqrt(np.diag(problem.v_y)) if known else unknown, "pooled_premium": premium,
            "pooled_premium_error": premium_error, "pooled_rate": rate if known else unknown,
            "pooled_rate_error": rate_error if known else unknown,
        }
    )  # fmt: skip
    return Pooled(frame, alpha, link)


def _structure(link: FittedLink, problem: LinkProblem) -> tuple[float, float, float]:
    """Slope, variance of true premiums and of rates beyond them, by the estimator of the link.

    One that takes premiums as exact has neither: these are then by moments without weights.
    """
    line = line_of(link) if ESTIMATORS[link.method].corrects else moments_line(problem, np.ones(problem.n))
    if not np.isfinite(line.slope):
        raise ReliabilityError(
            "the premiums vary no more than their sampling errors: nothing of their spread is left to be pooled."
        )
    sigma2 = link.fit.sigma2
    if sigma2 is None:
        sigma2 = true_variance(problem.premiums[:, 0], problem.v_x[0, 0], problem.others)
    return line.slope, sigma2, line.spread()


def _predicted(
    problem: LinkProblem, slope: float, sigma2: float, tau2: float, *, of_rates: bool
) -> tuple[FloatArray, FloatArray]:
    """Best linear unbiased predictors of (P, Y) and their errors, the error of the means included.

    Without errors of rates these are not used, and have none.
    """
    # G = var(P, Y) = [[s, b s], [b s, b^2 s + t]] x I, O = G + V
    spreads = np.array([[1.0, slope], [slope, slope**2]]) * sigma2 + np.diag([0.0, tau2])
    true = np.kron(spreads, np.eye(problem.n))
    v_py = problem.v_xy[0]
    errors = np.block([[problem.v_x[0, 0], v_py], [v_py.T, problem.v_y]])
    observed = np.concatenate([problem.premiums[:, 0], problem.y])
    x = np.kron(np.eye(2), problem.controls)
    # BLUP: X m + G O^-1 (obs - X m), m = (X'O^-1 X)^-1 X'O^-1 obs
    inverse = np.zeros_like(true)
    used = slice(None) if of_rates else slice(problem.n)
    inverse[used, used] = np.linalg.pinv((true + errors)[used, used], hermitian=True)
    bread = np.linalg.pinv(x.T @ inverse @ x, hermitian=True)
    means = x @ (bread @ (x.T @ inverse @ observed))
    gain = true @ inverse
    # error variance G - G O^-1 G + D (X'O^-1 X)^-1 D', D = X - G O^-1 X
    moved = x - gain @ x
    spread = true - gain @ true + moved @ bread @ moved.T
    return means + gain @ (observed - means), np.sqrt(np.maximum(np.diag(spread), 0.0))
