"""Multinomial logit by maximum likelihood: several outcomes of which one happens.

With index x'b_j of outcome j and zero for the base, outcome j has the probability exp(x'b_j) / sum_l exp(x'b_l). The
log likelihood is concave, so that Newton's method (`newton.maximise`) reaches the maximum if there is one. Where a
direction separates an outcome from the others there is none: the likelihood rises along it for
ever, and the error says which columns make it, and for which outcomes.

References
----------
McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In P. Zarembka (ed.), Frontiers in
Econometrics. Academic Press.
Albert, A. and J. Anderson (1984). On the existence of maximum likelihood estimates in logistic regression models.
Biometrika 71, 1-10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import DataError, IdentificationError, listing
from wagegap.estimation.least_squares.lstsq import Collinear
from wagegap.estimation.likelihood.newton import (
    MOST_MOVED,
    Ascent,
    Derivatives,
    invert_information,
    maximise,
    uphill_step,
)
from wagegap.estimation.likelihood.working_columns import WorkingColumns, check_weights, named_columns, working_columns

__all__ = ["MultinomialFit", "fit_multinomial", "softmax"]

_STEPS = 60


@dataclass(frozen=True, slots=True, eq=False)
class MultinomialFit:
    """A multinomial logit fit with J outcomes, the first of them the base.

    Attributes
    ----------
    params : ndarray, shape (J - 1, k)
        Coefficients of every outcome but the base; NaN for a column left out.
    bread : ndarray, shape ((J - 1) k, (J - 1) k)
        Inverse of the information, outcome after outcome, zero for columns left out.
    probabilities : ndarray, shape (n, J)
        Fitted probabilities.
    residuals : ndarray, shape (n, J - 1)
        1 where the outcome happened, less its probability.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    loglik : float
        Weighted log likelihood.
    kept : ndarray of bool, shape (k,)
        Columns with coefficients.
    collinear : tuple of Collinear
        Columns left out as collinear.
    steps : int
        Newton steps taken.
    """

    params: FloatArray
    bread: FloatArray
    probabilities: FloatArray
    residuals: FloatArray
    weights: FloatArray | None
    loglik: float
    kept: BoolArray
    collinear: tuple[Collinear, ...]
    steps: int

    def scores(self, x: FloatArray) -> FloatArray:
        """Return the derivative of each row's weighted log likelihood in the coefficients, shape (n, (J - 1) k)."""
        weighted = self.residuals if self.weights is None else self.residuals * self.weights[:, None]
        return np.asarray((weighted[:, :, None] * x[:, None, :]).reshape(len(x), -1))

    def influence(self, x: FloatArray) -> FloatArray:
        """Return the influence of each row on the coefficients, shape (n, (J - 1) k)."""
        return self.scores(x) @ self.bread


def softmax(index: FloatArray) -> FloatArray:
    """Return probabilities of all outcomes, shape (n, J), from indices of all but the base, shape (n, J - 1).

    >>> softmax(np.log([[2.0, 5.0]]))
    array([[0.125, 0.25 , 0.625]])
    """
    return np.asarray(special.softmax(np.column_stack([np.zeros(len(index)), index]), axis=1))


def fit_multinomial(
    outcome: IntArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    *,
    start: FloatArray | None = None,
    names: Sequence[str] | None = None,
    outcomes: Sequence[str] | None = None,
) -> MultinomialFit:
    """Fit the probabilities of several outcomes by maximum likelihood.

    Parameters
    ----------
    outcome : ndarray of int, shape (n,)
        Which outcome happened, 0 (the base) to J - 1.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    weights : ndarray, shape (n,), optional
        Weights, not negative.
    start : ndarray, shape (J - 1, k), optional
        Coefficients to start from.
    names, outcomes : sequence of str, optional
        Names of the columns and of the J outcomes, for messages; the latter say how many there are.

    Returns
    -------
    MultinomialFit

    Raises
    ------
    DataError
        When an outcome never happens, or weights are negative or sum to zero.
    IdentificationError
        Where outcomes are separated.

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_multinomial(np.array([0, 0, 1, 2, 2, 2]), np.ones((6, 1)))
    >>> fit.probabilities[0].round(6)
    array([0.333333, 0.166667, 0.5     ])
    """
    count = len(outcomes) if outcomes is not None else int(outcome.max()) + 1
    _check(outcome, weights, count, outcomes)
    columns = working_columns(x, weights)
    w = np.ones(len(x)) if weights is None else weights
    problem = _Problem(np.eye(count)[outcome], columns.x, w / w.mean())
    begin = columns.into(start, count - 1).reshape(1, -1)
    ascent = maximise(problem.evaluate, begin, steps=_STEPS, direction=uphill_step)
    last = ascent.last.reshape(count - 1, -1)
    if not ascent.converged[0] or np.abs(problem.x[w > 0] @ last.T).max() > MOST_MOVED:
        raise IdentificationError(_describe(problem, last, ascent.steps, columns, names, outcomes))
    return _finish(problem, ascent, columns, weights, float(w.mean()))


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Outcomes as indicators (n, J), columns (n, r) and weights (n,)."""

    happened: FloatArray
    x: FloatArray
    weights: FloatArray

    def index(self, params: FloatArray) -> FloatArray:
        """Indices of all outcomes, zero for the base, shape (n, J), from coefficients (J - 1, r) or as one vector."""
        index = self.x @ params.reshape(-1, self.x.shape[1]).T
        return np.column_stack([np.zeros(len(index)), index])

    def evaluate(self, params: FloatArray, fits: IntArray) -> Derivatives:
        """Log likelihood of the one fit with its derivatives, outcome after outcome."""
        del fits
        index, w = self.index(params), self.weights
        log_total = special.logsumexp(index, axis=1)
        # L = sum_i w_i [x_i'b_(y_i) - log sum_l exp(x_i'b_l)]
        value = float(w @ ((index * self.happened).sum(axis=1) - log_total))
        p = np.exp(index[:, 1:] - log_total[:, None])
        # dL / db_j = sum_i w_i (1{y_i = j} - p_ij) x_i
        gradient = ((self.happened[:, 1:] - p) * w[:, None]).T @ self.x
        # -d2L / db_j db_l' = sum_i w_i p_ij (1{j = l} - p_il) x_i x_i'
        m, r = gradient.shape
        information = np.empty((m, r, m, r))
        for j in range(m):
            for other in range(j, m):
                block = (self.x.T * (w * p[:, j] * ((j == other) - p[:, other]))) @ self.x
                information[j, :, other], information[other, :, j] = block, block
        return Derivatives.of_one(value, gradient.ravel(), information.reshape(m * r, m * r))


def _finish(
    problem: _Problem, ascent: Ascent, columns: WorkingColumns, weights: FloatArray | None, scale: float
) -> MultinomialFit:
    """Evaluate once more where the steps ended, in the units of the columns."""
    at = problem.evaluate(ascent.params, np.arange(1))
    params = columns.out_of(ascent.params.reshape(-1, problem.x.shape[1]), np.nan)
    bread = columns.bread(invert_information(at.information[0])) / scale
    p = np.asarray(special.softmax(problem.index(ascent.params), axis=1))
    return MultinomialFit(
        params, bread, p, problem.happened[:, 1:] - p[:, 1:], weights, float(at.value[0]) * scale, columns.kept,
        columns.collinear, ascent.steps,
    )  # fmt: skip


def _check(outcome: IntArray, weights: FloatArray | None, count: int, outcomes: Sequence[str] | None) -> None:
    check_weights(weights)
    times = np.bincount(outcome, weights=weights, minlength=count)
    never = named_columns(np.flatnonzero(times == 0), outcomes, "outcome")
    if never:
        raise DataError(f"{listing(never)} never happens in {len(outcome):,} rows: leave it out, or pool outcomes.")
    if count < 2:
        raise DataError("a single outcome happens in all rows: there is nothing to explain.")


def _describe(
    problem: _Problem,
    last: FloatArray,
    steps: int,
    columns: WorkingColumns,
    names: Sequence[str] | None,
    outcomes: Sequence[str] | None,
) -> str:
    """Say which columns separate which outcomes, or that the steps ran out."""
    used = problem.weights > 0
    change, happened = problem.index(last)[used], problem.happened[used]
    size = float(np.abs(change).max())
    # separated: no index moves up by more than that of the outcome that happened
    if ((change * happened).sum(axis=1) < change.max(axis=1) - 1e-2 * size).any():
        return (
            f"the multinomial logit did not converge in {steps} steps: rescale regressors of very different size, "
            "or leave out those that hardly vary."
        )
    moving = columns.moving(last)
    named = named_columns(np.flatnonzero(moving.any(axis=0)), names)
    which = named_columns(1 + np.flatnonzero(moving.any(axis=1)), outcomes, "outcome")
    verb, noun = ("predicts", "column") if len(named) == 1 else ("predict", "columns")
    rows = int((np.ptp(change, axis=1) > 1e-2 * size).sum())
    return (
        f"the outcomes are separated: {listing(named)} {verb} {listing(which)} or its absence in {rows:,} of "
        f"{len(change):,} rows perfectly, so that no finite coefficients fit best. Leave out the {noun} or the rows, "
        "or merge levels or outcomes."
    )
