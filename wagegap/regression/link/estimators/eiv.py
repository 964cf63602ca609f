"""Errors in variables: the moment estimator with a known error covariance of premiums and rates.

Observed p = P + v and y = Y + e with Y = P b + Z g + u. With M annihilating Z, the moments of what is observed differ
from those of what is true by the known covariance, so

    b = (p'M p - tr(M V_pp))^-1 (p'M y - tr(M V_py)).

The covariance is the sandwich of the corrected scores of the rows; where sampling errors are correlated across rows,
their known covariance is added.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.1.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import ReliabilityError
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.estimator import LinkFit, Options, cluster_scores, jackknife_errors
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["EivFit", "eiv_params", "estimate", "fit_eiv", "fit_moments", "slopes_without"]


@dataclass(frozen=True, slots=True, eq=False)
class EivFit:
    """A regression corrected for errors in variables.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k)
        Sandwich covariance.
    deletions : ndarray, shape (m, k)
        Coefficients without each row, or cluster; NaN where the others do not identify them.
    """

    params: FloatArray
    cov: FloatArray
    deletions: FloatArray

    @property
    def jackknife(self) -> FloatArray:
        """Standard errors of the delete-one jackknife, beside the sandwich, shape (k,)."""
        return jackknife_errors(self.deletions[np.isfinite(self.deletions).all(axis=1)])


def fit_eiv(problem: LinkProblem, *, groups: AnyArray | None = None) -> EivFit:
    """Fit by corrected moments.

    Parameters
    ----------
    problem : LinkProblem
        Data and error covariance.
    groups : ndarray, shape (n,), optional
        Clusters of rows, for the sandwich and the jackknife.

    Raises
    ------
    ReliabilityError
        When the premiums spread no more than their errors would.
    """
    params = eiv_params(problem)
    scores, bread = _scores(problem, params)
    sums, factor = cluster_scores(scores, groups)
    labels = np.arange(problem.n) if groups is None else np.asarray(groups)
    # Across clusters the known covariance of the deviations, within them their scores:
    # Omega = V_yy + b' V_pp b - b' V_py - V_yp b
    slope = params[list(problem.estimated)]
    cross = np.einsum("j,jab->ab", slope, problem.v_xy)
    omega = problem.v_y + np.einsum("j,l,jlab->ab", slope, slope, problem.v_x) - cross - cross.T
    omega[labels[:, None] == labels] = 0.0
    # V = B (c sum_g s_g s_g' + X' Omega X) B'
    cov = bread @ (factor * sums.T @ sums + problem.x.T @ omega @ problem.x) @ bread.T
    return EivFit(params, cov, _deletions(problem, groups))


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Corrected moments as an estimator of the link."""
    fit, j = fit_eiv(problem, groups=options.groups), problem.estimated[0]
    return LinkFit(
        fit.params, fit.cov, "sandwich of corrected scores", problem=problem,
        notes=(f"Jackknife error of the slope: {fit.jackknife[j]:.4g}.",),
        without=fit.deletions[:, j] if options.groups is None else slopes_without(problem),
    )  # fmt: skip


def slopes_without(problem: LinkProblem) -> FloatArray:
    """Corrected slope without each row, shape (n,)."""
    return _deletions(problem)[:, problem.estimated[0]]


def _deletions(problem: LinkProblem, groups: AnyArray | None = None) -> FloatArray:
    return delete_groups(problem, lambda rows: eiv_params(problem.take(rows)), groups, required=True)


def eiv_params(problem: LinkProblem) -> FloatArray:
    """Coefficients alone."""
    p, z = problem.premiums, problem.controls
    m = annihilator(z)
    # (p'M p - tr(M V_pp)) b = p'M y - tr(M V_py)
    inside = p.T @ m @ p - np.einsum("ab,jlba->jl", m, problem.v_x)
    if np.linalg.eigvalsh(inside).min() <= 0:
        raise ReliabilityError(
            "the premiums vary no more than their sampling errors: the corrected slope does not exist. "
            "More workers or countries are needed; the naive slope is in .naive()."
        )
    slope = np.linalg.solve(inside, p.T @ m @ problem.y - np.einsum("ab,jba->j", m, problem.v_xy))
    params = np.empty(problem.k)
    params[list(problem.estimated)] = slope
    params[list(problem.exact)] = np.linalg.lstsq(z, problem.y - p @ slope, rcond=None)[0]
    return params


def fit_moments(
    y: FloatArray,
    x: FloatArray,
    error: FloatArray,
    *,
    reliability: FloatArray | None = None,
    groups: AnyArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Moment estimator with one error covariance for all rows, by the convention of R's eivtools::eivreg.

    X'X/n is corrected as a whole, without the degrees of freedom that the annihilator takes into account.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors.
    error : ndarray, shape (k, k)
        Error covariance of the regressors.
    reliability : ndarray, shape (k,), optional
        Instead of the covariance: 1 for columns without error; error variance (1 - r) times the variance, divisor n.
    groups : ndarray, shape (n,), optional
        Clusters.

    Returns
    -------
    tuple of ndarray
        Coefficients (k,) and covariance (k, k).
    """
    n = len(y)
    centred = x - x.mean(axis=0)
    if reliability is not None:
        error = np.diag((1 - reliability) * np.mean(centred**2, axis=0))
    # b = (X'X / n - S)^-1 X'y / n, s_i = x_i (y_i - x_i'b) + S b; with reliabilities S depends on the data too
    bread = np.linalg.inv(x.T @ x / n - error)
    params = bread @ (x.T @ y) / n
    scores = x * (y - x @ params)[:, None] + error @ params
    if reliability is not None:
        scores = scores + (1 - reliability) * params * centred**2 - error @ params
    if groups is None:
        return params, bread @ (scores.T @ scores) @ bread / n**2
    sums = cluster_scores(scores, groups)[0]
    m = len(sums)
    return params, bread @ (sums.T @ sums) @ bread / n**2 * (m / (m - 1))


def _scores(problem: LinkProblem, params: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corrected score of each row, shape (n, k), and the inverse of the corrected moments."""
    m, at = annihilator(problem.controls), list(problem.estimated)
    # s_a = x_a (y_a - x_a'b) + (M V_pp)_aa b - (M V_py)_aa, the last two for premiums alone
    noise = np.einsum("ab,jlba->ajl", m, problem.v_x)
    scores = problem.x * (problem.y - problem.x @ params)[:, None]
    scores[:, at] += noise @ params[at] - np.einsum("ab,jba->aj", m, problem.v_xy)
    # B = (X'X - tr(M V_pp))^-1
    moments = problem.x.T @ problem.x
    moments[np.ix_(at, at)] -= noise.sum(axis=0)
    return scores, np.asarray(np.linalg.inv(moments), dtype=np.float64)
