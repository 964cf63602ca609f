"""What an estimator of the link is given and gives, and the sums over clusters that several of them share.

An estimator is a function from the arrays of a link, a `LinkProblem`, and its `Options` to a `LinkFit`. A new one is a
file beside this one and a line in `table.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray, MetaTest, RngLike, Tau2Method
from wagegap.regression.link.problem import LinkProblem

__all__ = ["Estimator", "LinkFit", "Options", "cluster_scores", "jackknife_errors"]


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """What an estimator may need beside the data.

    Attributes
    ----------
    groups : ndarray, shape (n,), or None
        Cluster of each cell.
    tau2, test : str
        Options of the meta-regression.
    draws : int
        Draws of a simulation.
    rng : Generator, int or None
        Their source.
    instruments : ndarray, shape (n, l), or None
        Excluded instruments.
    halves : ndarray, shape (S, 2, 2, n), or None
        Rates and premiums of both halves of S random halvings of the workers; NaN where a half has none.
    jackknife_df : float or None
        Degrees of freedom of a jackknife; None for cells less columns.
    force : bool
        Whether a slope is wanted though its interval does not exist.
    """

    groups: AnyArray | None = None
    tau2: Tau2Method = "REML"
    test: MetaTest = "knha"
    draws: int = 1
    rng: RngLike = 0
    instruments: FloatArray | None = None
    halves: FloatArray | None = None
    jackknife_df: float | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class LinkFit(Shown):
    """What an estimator of the link gives.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k), or None
        Their covariance; None asks for the robust covariance of least squares.
    covariance : str
        How it was found.
    df : float or None
        Degrees of freedom; None for cells less columns, or clusters less one.
    notes : tuple of str
        What a reader should know.
    without : ndarray, shape (n,), or None
        Slope of the first premium without each cell; NaN where the others do not identify it.
    problem : LinkProblem or None
        Arrays behind a fit that corrects for errors of the premiums.
    sigma2 : float or None
        Variance of true premiums given the controls.
    tau2 : float or None
        Variance of the rates beyond premiums, controls and sampling error.
    tau2_interval : tuple of float or None
        Its 95 % interval.
    p_value : float or None
        Of a slope of zero, where it is not that of a t test.
    p_at : callable or None
        From another slope to its p-value, where there is a `p_value`.
    interval : tuple of float or None
        95 % interval of the slope, where it is not a number of standard errors.
    interval_at : callable or None
        From `alpha=` to that interval.
    slopes : ndarray or None
        Bootstrap draws of the slope.
    half_weight : ndarray, shape (n, n), or None
        W^(1/2) of weighted least squares, where `cov` is None; equal weights where absent.
    naive : LinkFit or None
        The fit that takes premiums as exact, where that is not least squares.
    unit : str or None
        Unit of the coefficients, where it is not that of the rates.
    statistics : mapping of str to float
        What else `glance` shows.
    boundary : mapping of str to str
        Parameters that are estimated on the boundary of what they can be, such as "tau = 0": what that means, in words.
    """

    params: FloatArray
    cov: FloatArray | None
    covariance: str = ""
    df: float | None = None
    notes: tuple[str, ...] = ()
    without: FloatArray | None = None
    problem: LinkProblem | None = None
    sigma2: float | None = None
    tau2: float | None = None
    tau2_interval: tuple[float, float] | None = None
    p_value: float | None = None
    p_at: Callable[[float], float] | None = None
    interval: tuple[float, float] | None = None
    interval_at: Callable[..., tuple[float, float]] | None = None
    slopes: FloatArray | None = None
    half_weight: FloatArray | None = None
    naive: LinkFit | None = None
    unit: str | None = None
    statistics: Mapping[str, float] = field(default_factory=dict)
    boundary: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimator:
    """A line of the table of estimators.

    Attributes
    ----------
    fit : callable
        The estimator.
    title : str
        Its name in words.
    corrects : bool
        Whether it needs the error covariance of the premiums.
    needs_premium : bool
        Whether it makes no sense without one.
    draws : int
        Draws where none are asked for.
    scale : str or None
        What the slope changes where the link is not linear.
    beside : str or None
        Estimator that is shown beside it.
    """

    fit: Callable[[LinkProblem, Options], LinkFit]
    title: str
    corrects: bool = False
    needs_premium: bool = True
    draws: int = 1
    scale: str | None = None
    beside: str | None = None


def cluster_scores(scores: FloatArray, groups: AnyArray | None) -> tuple[FloatArray, float]:
    """Scores summed by cluster, and the small-sample factor of their sandwich: n / (n - k) without clusters.

    >>> import numpy as np
    >>> sums, factor = cluster_scores(np.array([[1.0], [2.0], [4.0]]), np.array(["a", "b", "a"]))
    >>> sums.ravel(), factor
    (array([5., 2.]), 2.0)
    """
    n, k = scores.shape
    if groups is None:
        return scores, n / (n - k)
    codes = np.unique(groups, return_inverse=True)[1]
    sums = np.zeros((int(codes.max()) + 1, k))
    np.add.at(sums, codes, scores)
    # m / (m - 1) (n - 1) / (n - k) for m clusters
    return sums, len(sums) / (len(sums) - 1) * (n - 1) / (n - k)


def jackknife_errors(parts: FloatArray) -> FloatArray:
    """Standard errors from estimates without each of m parts: ((m - 1) / m sum_i (b_i - mean b)^2)^(1/2).

    >>> import numpy as np
    >>> float(jackknife_errors(np.array([1.0, 2.0, 3.0])).round(3))
    1.155
    """
    return np.asarray(np.sqrt((len(parts) - 1) * np.var(parts, axis=0)))[()]
