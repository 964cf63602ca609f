"""Newton's method for likelihoods, safeguarded: one iteration for every model that is fitted by maximum likelihood.

Steps are those of Newton with the exact Hessian, halved where they overshoot. They stop when Newton's decrement
g'H^-1 g, the squared distance to the maximum in standard errors, is negligible: one last step is taken then, which
squares the distance again. Many fits are carried forward together, each until it is at its maximum.

The matrices of second derivatives and the cross-products of one fit mix columns of very different size. They are
solved, or inverted, after scaling them to a unit diagonal, so that Cholesky's factorisation loses no digits to that; a
column that no row informs stays where it is.

References
----------
Boyd, S. and L. Vandenberghe (2004). Convex Optimization, chapter 9. Cambridge University Press.
Higham, N. (2002). Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 7 and 10. SIAM.
Nocedal, J. and S. Wright (2006). Numerical Optimization, 2nd ed., chapter 3. Springer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy import linalg

from wagegap._typing import BoolArray, FloatArray, IntArray

__all__ = [
    "MOST_MOVED",
    "Ascent",
    "Derivatives",
    "concave_step",
    "invert_information",
    "maximise",
    "solve_scaled",
    "uphill_step",
]

MOST_MOVED = 0.02
"""A last step that still moves an index by more is no convergence: outcomes are separated."""

_HALVINGS = 40
_RIDGE = 1e-13
_RIDGE_OF_SUMS = 1e-10
_FLATTEST = 1e-10  # curvature, relative to that of scaled columns, below which a direction counts as flat


@dataclass(frozen=True, slots=True, eq=False)
class Derivatives:
    """Log likelihoods of m fits with their derivatives.

    Attributes
    ----------
    value : ndarray, shape (m,)
        Log likelihoods; minus infinity outside the parameter space.
    gradient : ndarray, shape (m, k)
        First derivatives g.
    information : ndarray, shape (m, k, k)
        H, minus the second derivatives.
    """

    value: FloatArray
    gradient: FloatArray
    information: FloatArray

    @classmethod
    def of_one(cls, value: float, gradient: FloatArray, information: FloatArray) -> Derivatives:
        """Derivatives of a single fit."""
        return cls(np.array([value]), gradient[None], information[None])


@dataclass(frozen=True, slots=True, eq=False)
class Ascent:
    """Where the steps ended.

    Attributes
    ----------
    params : ndarray, shape (m, k)
        Coefficients.
    last : ndarray, shape (m, k)
        Last step of each fit.
    converged : ndarray of bool, shape (m,)
        Whether the last step started at the maximum, up to the tolerance.
    steps : int
        Steps of the slowest fit.
    """

    params: FloatArray
    last: FloatArray
    converged: BoolArray
    steps: int


Evaluate: TypeAlias = Callable[[FloatArray, IntArray], Derivatives]
Direction: TypeAlias = Callable[[FloatArray, FloatArray], FloatArray]


def solve_scaled(matrices: FloatArray, right: FloatArray, ridge: float = _RIDGE_OF_SUMS) -> FloatArray:
    """Solve many systems at once; a column without rows stays where it is.

    Parameters
    ----------
    matrices : ndarray, shape (m, k, k)
        Symmetric, positive semidefinite.
    right : ndarray, shape (m, k)
        Right-hand sides.
    ridge : float
        Added to the unit diagonal.

    Examples
    --------
    >>> solve_scaled(np.array([[[4.0, 0.0], [0.0, 0.0]]]), np.array([[2.0, 0.0]])).round(6)
    array([[0.5, 0. ]])
    """
    # A b = r with D = diag(A)^-1/2:   (D A D + ridge I) D^-1 b = D r
    diagonal = np.einsum("mkk->mk", matrices)
    root = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = matrices * root[:, :, None] * root[:, None, :]
    at = np.arange(matrices.shape[1])
    scaled[:, at, at] = 1 + ridge
    return np.asarray(np.linalg.solve(scaled, (right * root)[:, :, None])[:, :, 0] * root)


def invert_information(information: FloatArray) -> FloatArray:
    """Return the inverse of an information matrix, shape (k, k); of minimum norm where it is singular.

    Examples
    --------
    >>> invert_information(np.array([[4.0, 0.0], [0.0, 0.0]]))
    array([[0.25, 0.  ],
           [0.  , 0.  ]])
    """
    # H^-1 = D (D H D)^-1 D with D = diag(H)^-1/2
    diagonal = np.diag(information)
    root = 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
    scaled = information * np.outer(root, root)
    try:
        inverse = linalg.cho_solve(linalg.cho_factor(scaled), np.eye(len(scaled)))
    except linalg.LinAlgError:
        inverse = np.asarray(linalg.pinvh(scaled), dtype=float)
    return np.asarray((inverse + inverse.T) / 2 * np.outer(root, root))


def concave_step(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's steps H^-1 g of concave likelihoods; a direction without information is left where it is.

    >>> concave_step(np.array([[[4.0, 0.0], [0.0, 0.0]]]), np.array([[2.0, 0.0]])).round(6)
    array([[0.5, 0. ]])
    """
    return solve_scaled(information, gradient, _RIDGE)


def uphill_step(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's steps; where a likelihood is not concave, with the eigenvalues of H made positive, so that they ascend.

    >>> uphill_step(np.array([[[4.0, 0.0], [0.0, -1.0]]]), np.array([[2.0, 1.0]])).round(6)
    array([[0.5, 1. ]])
    """
    # With D the diagonal of |H| and D^-1/2 H D^-1/2 = U diag(l) U', the step is D^-1/2 U diag(1/|l|) U' D^-1/2 g.
    scale = np.sqrt(np.maximum(np.abs(np.einsum("mkk->mk", information)), np.finfo(float).tiny))
    values, vectors = np.linalg.eigh(information / (scale[:, :, None] * scale[:, None, :]))
    turned = np.einsum("mkj,mk->mj", vectors, gradient / scale) / np.maximum(np.abs(values), _FLATTEST)
    return np.asarray(np.einsum("mkj,mj->mk", vectors, turned) / scale)


def maximise(
    evaluate: Evaluate,
    start: FloatArray,
    *,
    tolerance: float = 1e-12,
    steps: int = 100,
    direction: Direction = concave_step,
) -> Ascent:
    """Maximise the log likelihoods of m fits.

    Parameters
    ----------
    evaluate : callable
        From coefficients (a, k) and the numbers (a,) of the fits that are still on their way, their derivatives.
    start : ndarray, shape (m, k)
        Coefficients to start from.
    tolerance : float
        Squared distance to the maximum, in standard errors, from which one last step is taken.
    steps : int
        Most steps to take.
    direction : callable
        Steps from information and gradient.

    Examples
    --------
    >>> def cosh(b, fits):
    ...     return Derivatives(-np.cosh(b - 1)[:, 0], -np.sinh(b - 1), np.cosh(b - 1)[:, :, None])
    >>> maximise(cosh, np.array([[0.0], [3.0]])).params.round(9).ravel()
    array([1., 1.])
    """
    params, last = start.copy(), np.zeros_like(start)
    converged, active = np.zeros(len(start), dtype=bool), np.arange(len(start))
    at = evaluate(params, active)
    for taken in range(1, steps + 1):
        step = direction(at.information, at.gradient)
        last[active] = step
        # Newton's decrement g'H^-1 g
        converged[active] = np.einsum("mk,mk->m", step, at.gradient) <= tolerance
        going = ~converged[active] & (taken < steps)
        params[active[~going]] += step[~going]
        if not going.any():
            break
        active = active[going]
        step, at = _shortened(evaluate, active, params[active], step[going], at.value[going])
        params[active] += step
    return Ascent(params, last, converged, taken)


def _shortened(
    evaluate: Evaluate, fits: IntArray, params: FloatArray, step: FloatArray, before: FloatArray
) -> tuple[FloatArray, Derivatives]:
    """Halve steps until no log likelihood falls, beyond what rounding explains."""
    floor = before - 1e-12 * np.abs(before)
    at = evaluate(params + step, fits)
    for _ in range(_HALVINGS):
        worse = ~(at.value >= floor)
        if not worse.any():
            break
        step[worse] /= 2
        again = evaluate(params[worse] + step[worse], fits[worse])
        at.value[worse] = again.value
        at.gradient[worse] = again.gradient
        at.information[worse] = again.information
    return step, at
