"""Will it come to others? Whether the slope differs with a trait of countries, such as ageing.

    Y = a + b P + c m + d P (m - mean) + g'x + u

The interaction of an estimated premium with an exact trait is an estimate too, with error v (m - mean): premium and
interaction are corrected together, by moments, with their joint covariance (not where the link is least squares, which
takes premiums as exact). Intervals use the larger of sandwich and jackknife, and t(n - k).

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.1.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import PALETTE, literal, new_axes
from wagegap._display.scatter import line_band
from wagegap._typing import Alpha, AxesLike, ColumnName, FloatArray, FrameLike
from wagegap.errors import (
    DataError,
    ReliabilityError,
)
from wagegap.estimation.reliability import (
    REFUSED_BELOW,
    annihilator,
    noise_in_words,
    reliability,
    reliability_in_words,
)
from wagegap.regression.link.estimators.eiv import fit_eiv
from wagegap.regression.link.fitted import Answer, FittedLink, slope_scale, t_test
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.trait import trait_of

__all__ = ["Moderation", "moderate"]


@dataclass(frozen=True, slots=True, eq=False)
class Moderation(Answer):
    """How the slope differs with a trait of countries.

    Attributes
    ----------
    trait : str
        The trait.
    difference, std_error, low, high, p_value : float
        Difference of the slope between the upper and the lower quartile of the trait.
    at : tuple of float
        Lower and upper quartile.
    slopes, slope_errors : tuple of float
        Slopes there, with standard errors.
    df : float
        n - k.
    reliability : float or None
        Share of the interaction's spread, given all else, that is not sampling error; None where premiums are taken as
        exact: under least squares, or with unknown errors.
    alpha : float
        One minus the coverage.
    values : ndarray, shape (n,)
        The trait of each cell.
    link : Link
        The link without the interaction.
    """

    trait: str
    difference: float
    std_error: float
    low: float
    high: float
    p_value: float
    at: tuple[float, float]
    slopes: tuple[float, float]
    slope_errors: tuple[float, float]
    df: float
    reliability: float | None
    alpha: Alpha
    values: FloatArray
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return the slope at both quartiles and their difference, a row each."""
        at = "lower quartile", "upper quartile", "difference"
        b, errors = (*self.slopes, self.difference), (*self.slope_errors, self.std_error)
        rows = [
            (self.trait, name, slope, error, *t_test(slope, error, self.df, self.alpha)[:2])
            for name, slope, error in zip(at, b, errors, strict=True)
        ]
        return pd.DataFrame(rows, columns=["trait", "at", "estimate", "std_error", "conf_low", "conf_high"])

    def in_words(self) -> str:
        """Say whether the slope differs, per step of premium."""
        cells = self.link.cells
        scale = slope_scale(cells)
        settled = (
            "these data do not say whether the association differs"
            if self.low <= 0 <= self.high
            else "the association differs more than sampling error explains"
        )
        exact = "" if self.reliability is not None else " Premiums are taken as exact here."
        return (
            f"Per {scale.step} of premium, {cells.outcome_in_words} differs by {scale.signed(self.slopes[0])} where "
            f"{self.trait} is {self.at[0]:.3g} and by {scale.signed(self.slopes[1])} where it is {self.at[1]:.3g}; the "
            f"difference is {scale.factor * self.difference:+.3g} ({100 * (1 - self.alpha):g} % interval "
            f"{scale.between(self.low, self.high)}, {cells.counted()}): {settled}.{exact}"
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw countries by half of the trait, with the line at either quartile."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        p, y, upper = cells.p[:, 0], cells.y, self.values > np.median(self.values)
        at = np.linspace(p.min(), p.max(), 40)
        nothing = np.full_like(at, np.nan)
        halves = ((~upper, PALETTE[0], "o", "up to"), (upper, PALETTE[1], "s", "above"))
        for slope, (rows, color, marker, where) in zip(self.slopes, halves, strict=True):
            label = literal(f"{self.trait} {where} the median")
            ax.plot(p[rows], y[rows], marker, color=color, markersize=4.5, linestyle="none", label=label)
            ax = line_band(ax, at, y.mean() + slope * (at - p.mean()), nothing, nothing, color=color)
        room = 0.2 * float(np.ptp(y))
        ax.set_ylim(float(y.min()) - room, float(y.max()) + room)
        ax.legend(frameon=False, fontsize=8)
        return cells.label_axes(ax)


@public
def moderate(
    link: FittedLink, trait: ColumnName, *, data: FrameLike | None = None, alpha: Alpha = 0.05, force: bool = False
) -> Moderation:
    """Ask whether the slope differs with a trait of countries.

    Parameters
    ----------
    link : Link
        With one premium.
    trait : str
        Column of the link's data, or of `data`, as it stands: no expression such as `log(gdp)`.
    data : DataFrame, optional
        Where the trait is, if not among the link's covariates; a row for each cell.
    alpha : float
        One minus the coverage of intervals.
    force : bool
        Answer however low the reliability of the interaction.

    Raises
    ------
    ColumnError, MissingValueError, DataError, OptionError
    ReliabilityError
        When less than half of what is left of the interaction is more than sampling error.

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("kaggle")
    >>> link = wg.fit_link("net_migration ~ premium", net, premiums, method="ols", data=wg.datasets.income())
    >>> answer = moderate(link, "gdp_per_head")
    >>> answer.low < answer.difference < answer.high
    True
    """
    link.check_premium("moderate", single=True)
    m = trait_of(link, trait, data)
    lower, upper = (float(q) for q in np.quantile(m, [0.25, 0.75]))
    if upper == lower:
        raise DataError(f"{trait!r} is {lower:g} in at least half of the cells: its quartiles do not differ.")
    scaled = (m - 0.5 * (lower + upper)) / (upper - lower)
    corrects = link.cells.known(1) and link.method != "ols"
    problem = _with_interaction(link.setup.problem, scaled, known=corrects)
    share = _check_reliability(problem, trait, force=force) if corrects else None
    fit = fit_eiv(problem)
    # Sandwich, scaled up where the jackknife says more
    scale = np.maximum(fit.jackknife / np.sqrt(np.diag(fit.cov)), 1.0)
    cov = fit.cov * np.outer(scale, scale)
    # b + d m at m = -1/2, 1/2, the quartiles, and d
    rows = np.zeros((3, problem.k))
    rows[:, problem.estimated] = [[1.0, -0.5], [1.0, 0.5], [0.0, 1.0]]
    first, second, d = (rows @ fit.params).tolist()
    first_error, second_error, error = np.sqrt(np.einsum("ij,jk,ik->i", rows, cov, rows)).tolist()
    df = float(problem.n - problem.k)
    return Moderation(
        trait, d, error, *t_test(d, error, df, alpha), (lower, upper), (first, second), (first_error, second_error), df,
        share, alpha, m, link,
    )  # fmt: skip


def _with_interaction(problem: LinkProblem, m: FloatArray, *, known: bool) -> LinkProblem:
    """The problem with the trait and the interaction as further columns; unknown errors stand as none."""
    j, n, k = problem.estimated[0], problem.n, problem.k
    x = np.column_stack([problem.x, m, problem.x[:, j] * m])
    names = (*problem.names, "trait", "premium x trait")
    collinear = np.linalg.norm(annihilator(problem.x) @ m) <= 1e-8 * np.linalg.norm(m - m.mean())
    keep = [c for c in range(k + 2) if c != k or not collinear]
    blocks, cross = np.zeros((2, 2, n, n)), np.zeros((2, n, n))
    if known:
        # The errors of p and of p m are v and m v: their blocks D_i V D_j with D = I, diag(m)
        scale = np.stack([np.ones(n), m])
        blocks = scale[:, None, :, None] * problem.v_x[0, 0] * scale[None, :, None, :]
        cross = scale[:, :, None] * problem.v_xy[0]
    return LinkProblem.build(
        problem.y, x[:, keep], estimated=(j, keep.index(k + 1)), v_y=problem.v_y, v_x=blocks, v_xy=cross,
        names=tuple(names[c] for c in keep),
    )  # fmt: skip


def _check_reliability(problem: LinkProblem, trait: str, *, force: bool) -> float:
    j = problem.estimated[1]
    share = reliability(problem.x[:, j], problem.v_x[1, 1], np.delete(problem.x, j, axis=1))
    if share < REFUSED_BELOW and not force:
        raise ReliabilityError(
            f"given premium and {trait!r}, {noise_in_words(share, 'what is left of their interaction')} (reliability "
            f"{reliability_in_words(share)}): whether the slope differs cannot be told. force=True reports it anyway."
        )
    return share
