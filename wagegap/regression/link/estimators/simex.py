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

from wagegap._typing import FloatArray, IntArray, RngLike
from wagegap.errors import check_option, listing
from wagegap.estimation.covariance.definite import repair_covariance
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
    params, cov, metric, _ = _fit(problem, naive, draws=options.draws, rng=options.rng)
    size = rounding_of(1 + np.abs(problem.x @ params), problem.x)
    negative = np.diag(cov) < -(size**2)
    cov, n_repaired = _without_negative(cov, metric, np.flatnonzero(~negative))
    below = listing(problem.names[i] for i in np.flatnonzero(negative))
    notes = {
        f"The variance of {below} extrapolates below zero: the curve does not hold for errors so large, and the "
        "standard error is unknown.": negative.any(),
        f"The extrapolated covariance gave {n_repaired} combination{'s' * (n_repaired > 1)} of coefficients a negative "
        "variance, which is set to zero: more draws=, or method='eiv', has a covariance of its own.": n_repaired > 0,
    }
    few = min(options.draws, _DRAWS_WITHOUT)
    without = delete_groups(problem, lambda part, _: fit_simex(part, naive, draws=few, rng=options.rng)[0])
    return LinkFit(
        params, unknown_below(cov, size), f"{options.draws:,} draws of errors at each of {len(GRID)} sizes, quadratic",
        without=without[:, problem.estimated[0]], problem=problem,
        notes=tuple(note for note, holds in notes.items() if holds),
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
    params, cov, _, means = _fit(problem, naive, draws=draws, extrapolant=extrapolant, rng=rng)
    return params, cov, means


def _fit(
    problem: LinkProblem, naive: Naive, *, draws: int, extrapolant: Extrapolant = "quadratic", rng: RngLike = 0
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Coefficients, covariance V+ - V-, its size V+ + V-, and the mean coefficients at each multiple."""
    check_option("extrapolant", extrapolant, ("quadratic", "linear", "rational"))
    # Draws of (e, v_1, ..., v_p), shape (draws, 1 + p, n), with mean exactly zero
    errors = paired_draws(problem.joint(), draws, np.random.default_rng(rng))
    errors = errors.reshape(-1, 1 + len(problem.estimated), problem.n)
    scales = np.concatenate([[0.0], GRID])
    fits = [naive(*_worsened(problem, errors[:1] if c == 0 else errors, float(np.sqrt(c)))) for c in scales]
    means = np.array([b.mean(axis=0) for b, _ in fits])
    # N_s the mean naive covariance, S_s that of the draws, w_s the weights of the end of the curve in its points:
    #   V = sum over s of w_s (N_s - S_s),   M = sum over s of |w_s| (N_s + S_s)
    naives = np.array([v.mean(axis=0) for _, v in fits])
    drawn = np.array([np.cov(b, rowvar=False) if len(b) > 1 else np.zeros_like(v[0]) for b, v in fits])
    params = extrapolate(scales, means, extrapolant)
    curve: Extrapolant = "linear" if extrapolant == "linear" else "quadratic"
    flat = extrapolate(scales, (naives - drawn).reshape(len(scales), -1), curve)
    weights = extrapolate(scales, np.eye(len(scales)), curve)
    metric = np.einsum("s,sij->ij", np.abs(weights), naives + drawn)
    return params, flat.reshape(naives.shape[1:]), metric, means


def _without_negative(cov: FloatArray, metric: FloatArray, among: IntArray) -> tuple[FloatArray, int]:
    """Covariance in which no combination of some coefficients has a negative variance, and how many had one."""
    block = np.ix_(among, among)
    repaired = repair_covariance(cov[block], metric[block])
    if not repaired.n_directions:
        return cov, 0
    out = cov.copy()
    out[block] = repaired.matrix
    return out, repaired.n_directions


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
