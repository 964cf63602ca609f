"""One Newton step of many estimating equations under other weights, from their solution in the sample.

With psi_i(b) the derivative of row i's criterion in its index and c_i minus its second derivative, the solution b of
sum w_i x_i psi_i(b) = 0 moves, when the weights change to v, by about

    (sum v_i c_i x_i x_i')^-1 sum v_i x_i psi_i(b).

The bootstrap by such steps is valid to first order (the score bootstrap); psi and c are computed once for all
replicates, which cost two matrix products each.

References
----------
Andrews, D. (2002). Higher-order improvements of a computationally attractive k-step bootstrap for extremum estimators.
Econometrica 70, 119-162.
Chernozhukov, V., I. Fernandez-Val and B. Melly (2022). Fast algorithms for the quantile regression process. Empirical
Economics 62, 7-33.
Kline, P. and A. Santos (2012). A score based approach to wild bootstrap inference. Journal of Econometric Methods 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.estimation.covariance.resampling import column_products, unpack_moments
from wagegap.estimation.likelihood.newton import solve_scaled

__all__ = ["NewtonUpdate", "newton_update"]

_OWN_MATRIX = 50_000  # rows up to which a replicate has a matrix of second derivatives of its own
_AT_ONCE = 1 << 22  # numbers weighted together


@dataclass(frozen=True, slots=True, eq=False)
class NewtonUpdate:
    """What the steps of all replicates share.

    Attributes
    ----------
    x : ndarray, shape (n, k)
        Regressors.
    scores : ndarray, shape (m, n)
        psi of each row.
    matrices : callable
        From some of the equations and the weights (n,) to their matrices of second derivatives, shape (a, k, k).
    """

    x: FloatArray
    scores: FloatArray
    matrices: Callable[[slice, FloatArray], FloatArray]

    def step(self, weights: FloatArray) -> FloatArray:
        """Return the change of the coefficients under the weights (n,), shape (m, k)."""
        # db = (sum_i v_i c_i x_i x_i')^-1 sum_i v_i psi_i x_i
        size = max(_AT_ONCE // len(weights), 1)
        blocks = (slice(at, at + size) for at in range(0, len(self.scores), size))
        return np.concatenate(
            [solve_scaled(self.matrices(some, weights), (self.scores[some] * weights) @ self.x) for some in blocks]
        )


def newton_update(
    x: FloatArray,
    weights: FloatArray,
    number: int,
    scores: Callable[[int], FloatArray],
    curvature: Callable[[int], FloatArray],
) -> NewtonUpdate:
    """Prepare steps from the solutions in the sample.

    Up to 50,000 rows each replicate has a matrix of second derivatives of its own; beyond, where they hardly differ,
    that of the sample stands for all.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors.
    weights : ndarray, shape (n,)
        The sample's weights.
    number : int
        Number of equations, m.
    scores, curvature : callable
        From the number of an equation to psi and c of each row, shape (n,), at its solution in the sample.

    Examples
    --------
    >>> x, y = np.ones((3, 1)), np.array([1.0, 2.0, 6.0])
    >>> mean = newton_update(x, np.ones(3), 1, lambda j: y - 3.0, lambda j: np.ones(3))
    >>> 3.0 + mean.step(np.array([1.0, 1.0, 0.0]))
    array([[1.5]])
    """
    n = len(x)
    psi = np.empty((number, n), dtype=np.float64 if n <= _OWN_MATRIX else np.float32)
    for j in range(number):
        psi[j] = scores(j)
    if n <= _OWN_MATRIX:
        by_row, products = np.array([curvature(j) for j in range(number)]), column_products(x).T
        return NewtonUpdate(x, psi, lambda some, v: unpack_moments((by_row[some] * v) @ products))
    # sum_i w_i c_i x_i x_i' / sum_i w_i
    of_sample = np.array([(x.T * (curvature(j) * weights)) @ x for j in range(number)]) / weights.sum()
    return NewtonUpdate(x, psi, lambda some, v: of_sample[some] * v.sum())
