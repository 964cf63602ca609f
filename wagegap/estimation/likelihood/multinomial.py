"""Multinomial logit by maximum likelihood: several outcomes of which one happens.

With index x'b_j of outcome j and zero for the base, outcome j has the probability exp(x'b_j) / sum_l exp(x'b_l). The
log likelihood is concave, so that Newton steps with the exact Hessian, halved where they overshoot, reach the maximum
if there is one. Where a direction separates an outcome from the others there is none: the likelihood rises along it for
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
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq
from wagegap.estimation.likelihood.linear_systems import invert_information

__all__ = ["MultinomialFit", "fit_multinomial", "softmax"]

_TOLERANCE = 1e-12  # squared distance to the maximum, in standard errors, before the last step
_SETTLED = 0.02  # a last step that still moves an index by more is no convergence: outcomes are separated
_STEPS = 60
_HALVINGS = 30


@dataclass(frozen=True, slots=True, eq=False)
class MultinomialFit:
    """A multinomial logit fit with J outcomes, the first of them the base.

    Attributes
    ----------
    params : ndarray, shape (J - 1, k)
        Coefficients of every outcome but the base; NaN for a column set aside.
    bread : ndarray, shape ((J - 1) k, (J - 1) k)
        Inverse of the information, outcome after outcome, zero for columns set aside.
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
        Columns set aside.
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
    design = _Scaled.of(x, weights)
    happened = np.eye(count)[outcome]
    scale = 1.0 if weights is None else float(weights.mean())
    problem = _Problem(happened, design.x, np.ones(len(x)) if weights is None else weights / scale)
    begin = np.zeros((count - 1, design.x.shape[1]))
    if start is not None:
        begin = np.nan_to_num(start)[:, design.kept] * design.size[design.kept]
    path = _climb(problem, begin)
    if not path.settled:
        raise IdentificationError(_unsettled(problem, path, design, names, outcomes))
    return _finish(problem, path, design, weights, scale)


@dataclass(frozen=True, slots=True, eq=False)
class _Scaled:
    """Columns of unit length on average, those that others make set aside."""

    x: FloatArray
    size: FloatArray
    kept: BoolArray
    collinear: tuple[Collinear, ...]

    @classmethod
    def of(cls, x: FloatArray, weights: FloatArray | None) -> _Scaled:
        used = x if weights is None or (weights > 0).all() else x[weights > 0]
        fit = fit_lstsq(np.zeros(len(used)), used)
        size: FloatArray = np.sqrt(np.mean(used**2, axis=0, dtype=np.float64))
        return cls(np.ascontiguousarray(x[:, fit.kept] / size[fit.kept]), size, fit.kept, fit.collinear)


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Outcomes as indicators (n, J), columns (n, r) and weights (n,)."""

    happened: FloatArray
    x: FloatArray
    weights: FloatArray

    def probabilities(self, params: FloatArray) -> FloatArray:
        return softmax(self.x @ params.T)

    def value(self, params: FloatArray) -> float:
        index = np.column_stack([np.zeros(len(self.x)), self.x @ params.T])
        likelihood = (index * self.happened).sum(axis=1) - special.logsumexp(index, axis=1)
        return float(self.weights @ likelihood)

    def derivatives(self, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradient (J - 1, r) and information, shape ((J - 1) r, (J - 1) r)."""
        p = self.probabilities(params)[:, 1:]
        gradient = ((self.happened[:, 1:] - p) * self.weights[:, None]).T @ self.x
        m, r = gradient.shape
        information = np.empty((m, r, m, r))
        for j in range(m):
            for other in range(j, m):
                curvature = self.weights * p[:, j] * ((j == other) - p[:, other])
                block = (self.x.T * curvature) @ self.x
                information[j, :, other], information[other, :, j] = block, block
        return gradient, information.reshape(m * r, m * r)


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """Where the steps ended."""

    params: FloatArray
    last: FloatArray
    settled: bool
    steps: int


def _climb(problem: _Problem, params: FloatArray) -> _Path:
    """Newton steps until the decrement is negligible."""
    value = problem.value(params)
    for taken in range(1, _STEPS + 1):
        gradient, information = problem.derivatives(params)
        step = (invert_information(information) @ gradient.ravel()).reshape(gradient.shape)
        near = float(np.sum(step * gradient)) <= _TOLERANCE
        if near or taken == _STEPS:
            moved = float(np.abs(problem.x[problem.weights > 0] @ step.T).max())
            return _Path(params + step, step, near and moved <= _SETTLED, taken)
        for _ in range(_HALVINGS):
            found = problem.value(params + step)
            if found >= value - 1e-12 * abs(value):
                break
            step = step / 2
        params, value = params + step, found
    raise AssertionError("the last step returns")


def _finish(
    problem: _Problem, path: _Path, design: _Scaled, weights: FloatArray | None, scale: float
) -> MultinomialFit:
    """Evaluate once more where the steps ended, in the units of the columns."""
    m, k = len(path.params), len(design.kept)
    size: FloatArray = design.size[design.kept]
    params = np.full((m, k), np.nan)
    params[:, design.kept] = path.params / size
    repeated = np.tile(size, m)
    inverse = invert_information(problem.derivatives(path.params)[1]) / np.outer(repeated, repeated) / scale
    bread = np.zeros((m * k, m * k))
    at = np.flatnonzero(np.tile(design.kept, m))
    bread[np.ix_(at, at)] = inverse
    p = problem.probabilities(path.params)
    return MultinomialFit(
        params, bread, p, problem.happened[:, 1:] - p[:, 1:], weights, problem.value(path.params) * scale, design.kept,
        design.collinear, path.steps,
    )  # fmt: skip


def _check(outcome: IntArray, weights: FloatArray | None, count: int, outcomes: Sequence[str] | None) -> None:
    if weights is not None and not (weights >= 0).all():
        raise DataError(f"{int((~(weights >= 0)).sum()):,} of {len(weights):,} weights are negative or missing.")
    if weights is not None and not weights.sum() > 0:
        raise DataError(f"the weights of {len(weights):,} rows sum to zero: nothing can be fitted.")
    times = np.bincount(outcome, weights=weights, minlength=count)
    never = [outcomes[j] if outcomes is not None else f"outcome {j}" for j in np.flatnonzero(times == 0).tolist()]
    if never:
        raise DataError(f"{listing(never)} never happens in {len(outcome):,} rows: leave it out, or pool outcomes.")
    if count < 2:
        raise DataError("a single outcome happens in all rows: there is nothing to explain.")


def _unsettled(
    problem: _Problem, path: _Path, design: _Scaled, names: Sequence[str] | None, outcomes: Sequence[str] | None
) -> str:
    """Say which columns separate which outcomes, or that the steps ran out."""
    change = np.column_stack([np.zeros(len(problem.x)), problem.x @ path.last.T])[problem.weights > 0]
    happened = problem.happened[problem.weights > 0]
    size = float(np.abs(change).max())
    if ((change * happened).sum(axis=1) < change.max(axis=1) - 1e-2 * size).any():
        return (
            f"the multinomial logit did not converge in {path.steps} steps: rescale regressors of very different size, "
            "or leave out those that hardly vary."
        )
    large = np.abs(path.last) > 1e-2 * np.abs(path.last).max()
    columns = np.flatnonzero(design.kept)[large.any(axis=0)].tolist()
    named = [names[j] if names is not None else f"column {j}" for j in columns]
    which = [
        outcomes[j + 1] if outcomes is not None else f"outcome {j + 1}"
        for j in np.flatnonzero(large.any(axis=1)).tolist()
    ]
    rows = int((np.ptp(change, axis=1) > 1e-2 * size).sum())
    return (
        f"the outcomes are separated: {listing(named)} predict{'s' if len(named) == 1 else ''} {listing(which)} or its "
        f"absence in {rows:,} of {len(change):,} rows perfectly, so that no finite coefficients fit best. Leave out "
        f"the column{'s' if len(named) > 1 else ''} or the rows, or merge levels or outcomes."
    )
