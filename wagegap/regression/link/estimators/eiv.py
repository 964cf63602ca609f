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
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["EivFit", "eiv_params", "fit_eiv", "fit_moments"]


@dataclass(frozen=True, slots=True, eq=False)
class EivFit:
    """A regression corrected for errors in variables.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k)
        Sandwich covariance.
    jackknife : ndarray, shape (k,)
        Standard errors of the delete-one jackknife, beside the sandwich.
    """

    params: FloatArray
    cov: FloatArray
    jackknife: FloatArray


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
    n, k = problem.x.shape
    labels = np.arange(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    sums = np.zeros((int(labels.max()) + 1, k))
    np.add.at(sums, labels, scores)
    m = len(sums)
    factor = n / (n - k) if groups is None else m / (m - 1) * (n - 1) / (n - k)
    meat = factor * (sums.T @ sums) + _across(problem, params, labels)
    cov = bread @ meat @ bread.T
    parts = delete_groups(problem, eiv_params, groups)
    kept = parts[np.isfinite(parts).all(axis=1)]
    spread = kept - kept.mean(axis=0)
    return EivFit(params, cov, np.sqrt((len(kept) - 1) / len(kept) * np.sum(spread**2, axis=0)))


def eiv_params(problem: LinkProblem) -> FloatArray:
    """Coefficients alone."""
    p, z = problem.premiums, problem.controls
    m = annihilator(z)
    noise, cross = _noise(problem, m)
    inside = p.T @ m @ p - noise
    if np.linalg.eigvalsh(inside).min() <= 0:
        raise ReliabilityError(
            "the premiums vary no more than their sampling errors: the corrected slope does not exist. "
            "More workers or countries are needed; the naive slope is in .naive()."
        )
    slope = np.linalg.solve(inside, p.T @ m @ problem.y - cross)
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
    n, k = x.shape
    centred = x - x.mean(axis=0)
    if reliability is not None:
        error = np.diag((1 - reliability) * np.mean(centred**2, axis=0))
    bread = np.linalg.inv(x.T @ x / n - error)
    params = bread @ (x.T @ y) / n
    scores = x * (y - x @ params)[:, None] + error @ params
    if reliability is not None:
        scores = scores + (1 - reliability) * params * centred**2 - error @ params
    if groups is not None:
        codes = np.unique(groups, return_inverse=True)[1]
        sums = np.zeros((int(codes.max()) + 1, k))
        np.add.at(sums, codes, scores)
        m = len(sums)
        return params, bread @ (sums.T @ sums) @ bread / n**2 * (m / (m - 1))
    return params, bread @ (scores.T @ scores) @ bread / n**2


def _noise(problem: LinkProblem, m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """tr(M V_jl) for every pair of premiums, and tr(M V_jy)."""
    return np.einsum("ab,jlba->jl", m, problem.v_x), np.einsum("ab,jba->j", m, problem.v_xy)


def _scores(problem: LinkProblem, params: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corrected score of each row, shape (n, k), and the inverse of the corrected moments."""
    z, p = problem.controls, problem.premiums
    m = annihilator(z)
    slope = params[list(problem.estimated)]
    own = np.einsum("ab,jlba->ajl", m, problem.v_x)
    cross = np.einsum("ab,jba->aj", m, problem.v_xy)
    residual = problem.y - problem.x @ params
    scores = np.zeros((problem.n, problem.k))
    scores[:, list(problem.estimated)] = p * residual[:, None] + own @ slope - cross
    scores[:, list(problem.exact)] = z * residual[:, None]
    moments = problem.x.T @ problem.x
    grid = np.ix_(list(problem.estimated), list(problem.estimated))
    moments[grid] -= _noise(problem, m)[0]
    return scores, np.asarray(np.linalg.inv(moments), dtype=np.float64)


def _across(problem: LinkProblem, params: FloatArray, labels: AnyArray) -> FloatArray:
    """Known covariance of the deviations of different rows, in the meat."""
    slope = params[list(problem.estimated)]
    omega = problem.v_y + np.einsum("j,l,jlab->ab", slope, slope, problem.v_x)
    cross = np.einsum("j,jab->ab", slope, problem.v_xy)
    omega = np.where(labels[:, None] == labels[None, :], 0.0, omega - cross - cross.T)
    return np.asarray(problem.x.T @ omega @ problem.x)
