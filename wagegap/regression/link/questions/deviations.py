"""The line by the link's own estimator, and how cells deviate from it.

A cell deviates from the line by d = y - x'b = u + e - b v. Its sampling part has the known variance N = V_y + b^2 V_p -
2 b V_py; the spread of true rates beyond the line, tau_c^2, may grow with the size of the errors, and is averaged over
a grid (`spreads`). With the line linear in the rates, b = A y, deviations r of the cells that made it have E r_i^2 =
sum_k (I - X A)_ik^2 (tau_k^2 + N_k): a noisy cell that pulls the line puts its own variance into the deviations of the
precise ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wagegap._typing import FloatArray, IntArray
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.estimators.moments import corrected_moments, precision_weights
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.spreads import Spreads, spread_grid

__all__ = ["Line", "as_taken", "line_of", "moments_line", "noise_of", "weights_of"]

_LEAST_ROOM = 0.05  # share of a cell's own variance that is left in its deviation


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line, and the deviations of the cells that made it.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients; NaN where there is no line.
    of_rates : ndarray, shape (k, n), or None
        A, where the line is linear in the rates.
    cov : ndarray, shape (k, k)
        Covariance of the coefficients, where it is not; else zero.
    weights : ndarray, shape (n,)
        Weights of the cells in it.
    tau2 : float or None
        Variance of true rates beyond the line, where the estimator has one.
    problem : LinkProblem
        The cells.
    """

    params: FloatArray
    of_rates: FloatArray | None
    cov: FloatArray
    weights: FloatArray
    tau2: float | None
    problem: LinkProblem

    @property
    def slope(self) -> float:
        """Coefficient of the first premium."""
        return float(self.params[self.problem.estimated[0]])

    def squares(self) -> tuple[FloatArray, FloatArray]:
        """Squared deviations, and the shares B of every cell's variance in each, shape (n, n)."""
        residuals, x = self.problem.y - self.problem.x @ self.params, self.problem.x
        if self.of_rates is not None:
            return residuals**2, (np.eye(self.problem.n) - x @ self.of_rates) ** 2
        # Not linear: 1 - 2 h_i of its own variance, and the line's own error
        bread = np.linalg.pinv((x.T * self.weights) @ x, hermitian=True)
        leverage = self.weights * np.einsum("ij,jk,ik->i", x, bread, x)
        return residuals**2, np.diag(np.maximum(1 - 2 * leverage, _LEAST_ROOM))

    def error_at(self, row: FloatArray) -> tuple[FloatArray, float]:
        """Shares of the cells' variances in the line's error at some regressors, and the variance that is known."""
        shares = np.zeros(self.problem.n) if self.of_rates is None else (row @ self.of_rates) ** 2
        return shares, float(row @ self.cov @ row)

    def spreads(self, errors: FloatArray) -> Spreads:
        """Variances of true rates beyond the line, for all cells of which `errors` holds the error variances.

        The cells that made the line are the first of them.
        """
        observed, shares = self.squares()
        n, x = self.problem.n, self.problem.x
        own = np.einsum("ij,jk,ik->i", x, self.cov, x)
        grid = spread_grid(float(observed.mean()), errors)
        expected = (grid.variances[:, :n] + noise_of(self.problem, self.params)) @ shares.T + own
        # n squares with n - k degrees of freedom
        fit = np.sum(np.log(expected) + observed / expected, axis=1)
        return grid.weighted(-0.5 * (n - self.problem.k) / n * fit)

    def spread(self) -> float:
        """One variance of true rates beyond the line: the estimator's, or by moments with its weights."""
        if self.tau2 is not None:
            return self.tau2
        observed, shares = self.squares()
        # sum w r^2 = sum w B (tau^2 + N)
        total = self.weights @ shares
        return max(
            float(self.weights @ observed - total @ noise_of(self.problem, self.params)) / float(total.sum()), 0.0
        )


def noise_of(problem: LinkProblem, params: FloatArray) -> FloatArray:
    """Known variances of y - p b: V_y + b'V_pp b - 2 b'V_py, shape (n,)."""
    b = params[list(problem.estimated)]
    of_premiums = np.einsum("j,jlnn,l->n", b, problem.v_x, b)
    return np.asarray(np.diag(problem.v_y) + of_premiums - 2 * np.einsum("j,jnn->n", b, problem.v_xy))


def as_taken(link: FittedLink) -> LinkProblem:
    """Arrays of a link, without errors of premiums where its estimator takes them as exact."""
    problem = link.setup.problem
    if ESTIMATORS[link.method].corrects:
        return problem
    return replace(problem, v_x=np.zeros_like(problem.v_x), v_xy=np.zeros_like(problem.v_xy))


def line_of(link: FittedLink, rows: IntArray | None = None) -> Line:
    """Line of some cells, all where none are named, by the estimator of the link, with the weights it has there."""
    problem = as_taken(link)
    rows = np.arange(problem.n) if rows is None else rows
    part = problem.take(rows)
    if link.method in ("ml", "york"):
        return _likelihood_line(part)
    return moments_line(part, weights_of(link)[rows])


def weights_of(link: FittedLink) -> FloatArray:
    """Weights of the cells in the moments of a link, mean one: by precision, those of a meta-regression, or equal ones.

    A likelihood weighs by precision too, and where it cannot be asked so do the moments that stand for it.
    """
    problem = as_taken(link)
    if link.method in ("moments", "ml", "york"):
        return precision_weights(problem)
    if link.method == "meta":
        weights = 1 / np.maximum(np.diag(problem.v_y) + (link.tau2 or 0.0), np.finfo(float).tiny)
        return np.asarray(weights / weights.mean())
    return np.ones(problem.n)


def _likelihood_line(part: LinkProblem) -> Line:
    fit = fit_ml(part.checked())
    weights = 1 / np.maximum(fit.tau2 + noise_of(part, fit.params), np.finfo(float).tiny)
    return Line(fit.params, None, fit.cov, weights / weights.mean(), fit.tau2, part)


def moments_line(part: LinkProblem, weights: FloatArray) -> Line:
    """Weighted corrected moments, which are linear in the rates."""
    moments = corrected_moments(part, weights, deletions=False)
    nothing = np.zeros((part.k, part.k))
    if not moments.exists[0]:
        return Line(np.full(part.k, np.nan), np.zeros((part.k, part.n)), nothing, weights, None, part)
    # b = (p'M_w p - ..)^-1 p'M_w y, g = (Z'W Z)^-1 Z'W (y - p b)
    slopes = np.linalg.solve(moments.inside[0], moments.within[0])
    of_rates = np.empty((part.k, part.n))
    of_rates[list(part.estimated)] = slopes
    of_rates[list(part.exact)] = moments.of_controls[0] @ (np.eye(part.n) - part.premiums @ slopes)
    return Line(moments.coefficients(part)[0], of_rates, nothing, weights, None, part)
