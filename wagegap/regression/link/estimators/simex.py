"""Simulation and extrapolation: make the errors worse by known amounts, and extrapolate to none.

Pseudo-errors with covariance c V are added to premiums and rates, jointly, and the naive estimator is averaged over
many draws, for c on a grid of positive numbers. As total error covariance is (1 + c) V, the curve is extended to
c = -1. The variance is extended in the same way: the mean of the naive covariances less the spread of the draws.

References
----------
Cook, J. R. and L. A. Stefanski (1994). Simulation-extrapolation estimation in parametric measurement error models.
Journal of the American Statistical Association 89, 1314-1328.
Stefanski, L. A. and J. R. Cook (1995). Simulation-extrapolation: the measurement error jackknife. Journal of the
American Statistical Association 90, 1247-1256.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wagegap._typing import FloatArray, RngLike
from wagegap.errors import check_option, listing
from wagegap.estimation.likelihood.simex import GRID, Extrapolant, extrapolate, paired_draws
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.estimators.exact import rounding_of, unknown_below
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["Naive", "estimate", "extrapolated", "fit_simex", "least_squares"]

_DRAWS_WITHOUT = 200
"""Draws, at most, for each deletion."""

Naive = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""From outcomes (R, n) and regressors (R, n, k) to coefficients (R, k) and covariances (R, k, k)."""


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Simulation and extrapolation of least squares as an estimator of the link."""
    return extrapolated(problem, least_squares, options)


def extrapolated(problem: LinkProblem, naive: Naive, options: Options) -> LinkFit:
    """Simulation and extrapolation of any naive estimator."""
    params, cov, _ = fit_simex(problem, naive, draws=options.draws, rng=options.rng)
    size = rounding_of(1 + np.abs(problem.x @ params), problem.x)
    negative = np.diag(cov) < -(size**2)
    below = listing(problem.names[i] for i in np.flatnonzero(negative))
    said = (
        f"The variance of {below} extrapolates below zero: the curve does not hold for errors so large, and the "
        "standard error is unknown."
    )
    few = min(options.draws, _DRAWS_WITHOUT)
    without = delete_groups(problem, lambda part, _: fit_simex(part, naive, draws=few, rng=options.rng)[0])
    return LinkFit(
        params, unknown_below(cov, size), f"{options.draws:,} draws of errors at each of {len(GRID)} sizes, quadratic",
        without=without[:, problem.estimated[0]], problem=problem,
        notes=(said,) if negative.any() else (),
    )  # fmt: skip


def fit_simex(
    problem: LinkProblem,
    naive: Naive,
    *,
    draws: int = 2_000,
    extrapolant: Extrapolant = "quadratic",
    rng: RngLike = 0,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit by simulation and extrapolation.

    Parameters
    ----------
    problem : LinkProblem
        Data and error covariance.
    naive : callable
        Estimator that takes the regressors as exact, for many data sets at once.
    draws : int
        Pseudo-errors at each multiple.
    extrapolant : {"quadratic", "linear", "rational"}
        Curve that is extended; "rational" is exact for a line through equal errors, and falls back to the quadratic
        where it does not fit.
    rng : Generator, int or None
        Source of pseudo-errors; one set of them serves every multiple.

    Returns
    -------
    tuple of ndarray
        Extrapolated coefficients (k,) and covariance (k, k), and the mean coefficients (1 + s, k) with no errors added,
        then at each of the s multiples of `GRID`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.arange(6.0), np.ones(6)])
    >>> fit_simex(LinkProblem.build(2 * x[:, 0] + 1, x), least_squares, draws=10)[0].round(10)
    array([2., 1.])
    """
    check_option("extrapolant", extrapolant, ("quadratic", "linear", "rational"))
    # Draws of (e, v_1, ..., v_p), shape (draws, 1 + p, n), with mean exactly zero
    errors = paired_draws(problem.joint(), draws, np.random.default_rng(rng))
    errors = errors.reshape(-1, 1 + len(problem.estimated), problem.n)
    scales = np.concatenate([[0.0], GRID])
    fits = [naive(*_worsened(problem, errors[:1] if c == 0 else errors, float(np.sqrt(c)))) for c in scales]
    means = np.array([b.mean(axis=0) for b, _ in fits])
    # mean naive covariance less the covariance of the draws
    spreads = np.array([v.mean(axis=0) - (np.cov(b, rowvar=False) if len(b) > 1 else 0.0) for b, v in fits])
    params = extrapolate(scales, means, extrapolant)
    flat = extrapolate(scales, spreads.reshape(len(scales), -1), "linear" if extrapolant == "linear" else "quadratic")
    return params, flat.reshape(spreads.shape[1:]), means


def least_squares(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Least squares with its classical covariance, for many data sets at once."""
    # b_r = (X_r'X_r)^-1 X_r'y_r, V_r = e_r'e_r / (n - k) (X_r'X_r)^-1
    bread = np.linalg.inv(np.swapaxes(x, 1, 2) @ x)
    b = np.einsum("rjk,rnk,rn->rj", bread, x, y)
    residuals = y - np.einsum("rnk,rk->rn", x, b)
    return b, bread * (np.sum(residuals**2, axis=1) / (x.shape[1] - x.shape[2]))[:, None, None]


def _worsened(problem: LinkProblem, errors: FloatArray, scale: float) -> tuple[FloatArray, FloatArray]:
    """Data sets with errors added."""
    x = np.repeat(problem.x[None], len(errors), axis=0)
    x[:, :, list(problem.estimated)] += scale * np.swapaxes(errors[:, 1:], 1, 2)
    return problem.y + scale * errors[:, 0], x
