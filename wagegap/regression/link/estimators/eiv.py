"""Errors in variables: the moment estimator with a known error covariance of premiums and rates.

Observed p = P + v and y = Y + e with Y = P b + Z g + u. With M annihilating Z, the moments of what is observed differ
from those of what is true by the known covariance, so

    b = (p'M p - tr(M V_pp))^-1 (p'M y - tr(M V_py)).

The covariance is the sandwich of the corrected scores of the rows; where sampling errors are correlated across rows,
their known covariance is added. That sum may have a direction of negative variance, where known covariances take away
more than the scores have: it is repaired in the metric of its terms, and said.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.1.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import CovarianceWarning, IdentificationError, ReliabilityError, warn
from wagegap.estimation.covariance.definite import repair_covariance
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.estimator import LinkFit, Options, cluster_scores, jackknife_errors
from wagegap.regression.link.estimators.moments import corrected_moments
from wagegap.regression.link.problem import LinkProblem, without_deletions

__all__ = [
    "EivFit",
    "coefficients_of",
    "eiv_params",
    "estimate",
    "fit_eiv",
    "fit_moments",
    "slopes_without",
    "solve_moments",
    "solve_params",
]


_NO_VARIANCE = 1e-3  # variance after a repair, relative to the size of its terms, that is none


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
    cov = solve_moments((problem,), np.eye(1), problem.v_y[None, None], groups)[1]
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
    """Coefficients without each row, or group of rows, shape (m, k); NaN where none exist."""
    deletions = corrected_moments(problem, np.ones(problem.n), groups).coefficients(problem)[1:]
    if not np.isfinite(deletions).all(axis=1).any():
        raise IdentificationError(without_deletions(problem, len(deletions)))
    return deletions


def eiv_params(problem: LinkProblem) -> FloatArray:
    """Coefficients alone."""
    moments = corrected_moments(problem, np.ones(problem.n), deletions=False)
    if not moments.exists[0]:
        raise ReliabilityError(
            "the premiums vary no more than their sampling errors: the corrected slope does not exist. "
            "More workers or countries are needed; the naive slope is in .naive()."
        )
    return np.asarray(moments.coefficients(problem)[0])


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
    sums = cluster_scores(scores, groups)[0]
    factor = 1.0 if groups is None else len(sums) / (len(sums) - 1)
    return params, bread @ (sums.T @ sums) @ bread / n**2 * factor


def coefficients_of(equations: Sequence[LinkProblem], b: FloatArray) -> list[FloatArray]:
    """Coefficients of each equation."""
    return list(np.split(b, np.cumsum([e.k for e in equations])[:-1]))


def solve_moments(
    equations: Sequence[LinkProblem], weights: FloatArray, v_y: FloatArray, groups: AnyArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Corrected, weighted normal equations of one link or several, and the sandwich of their scores.

    Parameters
    ----------
    equations : sequence of LinkProblem
        J links of the same n cells and the same premiums.
    weights : ndarray, shape (J, J)
        Weights of the equations.
    v_y : ndarray, shape (J, J, n, n)
        Error covariance of the outcomes.
    groups : ndarray, shape (n,), optional
        Clusters of rows.

    Returns
    -------
    tuple of ndarray
        Coefficients of all equations, shape (K,), and their covariance, (K, K).
    """
    n, ends = equations[0].n, np.cumsum([0, *(e.k for e in equations)])
    moments, right = _corrected(equations, weights)
    bread = np.linalg.inv(moments.sum(axis=0))
    b = np.asarray(bread @ right.sum(axis=0))
    # V = B (S'S + meat of other cells) B', the scores of each equation with the root of its small-sample factor
    parts = [cluster_scores(part, groups) for part in np.split(right - moments @ b, ends[1:-1], axis=1)]
    scores = np.hstack([np.sqrt(factor) * sums for sums, factor in parts])
    same = np.eye(n, dtype=bool) if groups is None else groups[:, None] == groups
    own = scores.T @ scores
    across = _known(equations, weights, b, v_y, ~same)
    if not across.any():
        return b, bread @ own @ bread.T
    # S'S + D'(Omega - Omega_same) D, whose terms are S'S, D'Omega D and D'Omega_same D
    metric = own + across + 2 * _known(equations, weights, b, v_y, same)
    repaired = repair_covariance(own + across, metric)
    cov = np.asarray(bread @ repaired.matrix @ bread.T)
    if repaired.metric is not None:
        gone = np.diag(cov) <= _NO_VARIANCE * np.einsum("ij,jk,ik->i", bread, metric, bread)
        cov[gone, gone] = np.nan
        _warn_repaired(repaired.lowest, repaired.n_directions, len(b))
    return b, cov


def solve_params(equations: Sequence[LinkProblem], weights: FloatArray) -> FloatArray:
    """Coefficients of corrected, weighted normal equations alone, shape (K,)."""
    moments, right = (part.sum(axis=0) for part in _corrected(equations, weights))
    return np.asarray(np.linalg.solve(moments, right))


def _corrected(equations: Sequence[LinkProblem], weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Corrected moments of each cell, shape (n, K, K), and right-hand sides, (n, K)."""
    n, ends = equations[0].n, np.cumsum([0, *(e.k for e in equations)])
    # Of each cell a: A_ij = w_ij (x_i x_j' - (M_i V_pp)_aa), r_i = sum_j w_ij (x_i y_j - (M_i V_py_j)_aa), the errors
    # for premiums alone; b = (sum_a A)^-1 sum_a r, and the scores are s = r - A b
    moments, right = np.zeros((n, ends[-1], ends[-1])), np.zeros((n, ends[-1]))
    for i, a in enumerate(equations):
        m, rows = annihilator(a.controls), slice(ends[i], ends[i + 1])
        noise = np.einsum("ab,jlba->ajl", m, a.v_x)
        for j, c in enumerate(equations):
            block, side = a.x[:, :, None] * c.x[:, None, :], a.x * c.y[:, None]
            block[:, np.array(a.estimated)[:, None], np.array(c.estimated)] -= noise
            side[:, list(a.estimated)] -= np.einsum("ab,jba->aj", m, c.v_xy)
            moments[:, rows, ends[j] : ends[j + 1]] = weights[i, j] * block
            right[:, rows] += weights[i, j] * side
    return moments, right


def _warn_repaired(lowest: float, directions: int, size: int) -> None:
    warn(
        f"corrected moments: known covariances of cells that share workers leave {directions} of {size} directions of "
        f"the coefficients a negative variance (smallest eigenvalue {lowest:.2g} of the size of its terms). It is "
        "repaired in the metric of the terms, and errors are larger than the sum says; a coefficient without variance "
        "has no error.",
        CovarianceWarning,
    )


def _known(
    equations: Sequence[LinkProblem], weights: FloatArray, b: FloatArray, v_y: FloatArray, pairs: BoolArray
) -> FloatArray:
    """Known covariance of the deviations of some pairs of cells in the meat."""
    designs = [np.hstack([w * a.x for w, a in zip(column, equations, strict=True)]) for column in weights.T]
    slopes = [part[list(e.estimated)] for e, part in zip(equations, coefficients_of(equations, b), strict=True)]
    meat = np.zeros((len(b), len(b)))
    for i, a in enumerate(equations):
        for j, c in enumerate(equations):
            # D_i' Omega_ij D_j, Omega_ij = V_yy,ij + b_i' V_pp b_j - b_i' V_py_j - V_yp_i b_j
            omega = v_y[i, j] + np.einsum("j,l,jlab->ab", slopes[i], slopes[j], a.v_x)
            omega -= np.einsum("j,jab->ab", slopes[i], c.v_xy) + np.einsum("l,lab->ba", slopes[j], a.v_xy)
            meat += designs[i].T @ np.where(pairs, omega, 0.0) @ designs[j]
    return meat
