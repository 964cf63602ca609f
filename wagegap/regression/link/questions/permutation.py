"""Permutation tests: how often would shuffled countries give as strong an association?

All orders are enumerated where there are at most eight rows, and counted with ties; otherwise seeded random orders with
the +1 rule. With further regressors the residuals of the null model are shuffled (Freedman and Lane), which is
approximate.

References
----------
Freedman, D. and D. Lane (1983). A nonstochastic interpretation of reported significance levels. Journal of Business &
Economic Statistics 1, 292-298.
Phipson, B. and G. Smyth (2010). Permutation p-values should never be zero. Statistical Applications in Genetics and
Molecular Biology 9, 39.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np

from wagegap._typing import FloatArray, IntArray, RngLike
from wagegap.errors import DataError
from wagegap.estimation.reliability import annihilator

__all__ = ["ENUMERATED_ROWS", "PermutationTest", "correlation", "permute", "permute_slope"]

ENUMERATED_ROWS = 8
"""Rows up to which every order is tried."""

_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class PermutationTest:
    """A permutation test.

    Attributes
    ----------
    statistic : float
        In the data as they are.
    p_value : float
        Two-sided share of orders with a statistic as large in absolute value.
    orders : int
        Orders tried.
    exact : bool
        Whether these are all orders, and exchangeable ones.
    """

    statistic: float
    p_value: float
    orders: int
    exact: bool

    def __str__(self) -> str:
        how = f"{self.orders} orders" if self.exact else f"{self.orders} orders, approximate"
        p = "p < .001" if self.p_value < 0.001 else f"p = {self.p_value:.3f}"
        return f"permutation {p} ({how})"


def permute(statistic: Callable[[IntArray], float], n: int, *, reps: int = 9_999, rng: RngLike = 0) -> PermutationTest:
    """Compare a statistic with its values under other orders of the rows.

    Parameters
    ----------
    statistic : callable
        From an order of the rows, shape (n,), to a number.
    n : int
        Rows.
    reps : int
        Random orders, where there are too many to enumerate.
    rng : Generator, int or None
        Source of random orders.
    """
    observed = float(statistic(np.arange(n)))
    reach: float = abs(observed) * (1 - _TIE) - 1e-14
    if n <= ENUMERATED_ROWS:
        values = [statistic(np.array(order)) for order in permutations(range(n))]
        p = float(np.mean(np.abs(values) >= reach))
        return PermutationTest(observed, p, factorial(n), exact=True)
    generator = np.random.default_rng(rng)
    count = sum(abs(statistic(generator.permutation(n))) >= reach for _ in range(reps))
    return PermutationTest(observed, (1 + count) / (1 + reps), reps, exact=False)


def correlation(x: FloatArray, y: FloatArray) -> float:
    """Correlation of two variables.

    >>> import numpy as np
    >>> round(correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])), 3)
    0.866
    """
    dx, dy = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((dx @ dx) * (dy @ dy)))
    if scale == 0:
        raise DataError("a correlation needs two variables that vary.")
    return float(dx @ dy) / scale


def permute_slope(
    y: FloatArray, x: FloatArray, controls: FloatArray, *, reps: int = 9_999, rng: RngLike = 0
) -> PermutationTest:
    """Permutation test of the slope on x given controls, the constant among them.

    Exact (over the orders tried) where the controls are a constant; with others the residuals of the null model are
    shuffled, which is approximate.

    Parameters
    ----------
    y, x : ndarray, shape (n,)
        Outcome and regressor.
    controls : ndarray, shape (n, k)
        What is held fixed.
    """
    m = annihilator(controls)
    mx, residuals = m @ x, m @ y
    spread = float(mx @ mx)
    if spread == 0:
        raise DataError("the regressor does not vary given the controls.")
    orders, exact = _orders(len(y), reps, rng)
    shuffled = residuals[np.vstack([np.arange(len(y)), orders])]
    slope = shuffled @ mx / spread
    # The squares that M leaves of a shuffled vector, without forming M for each.
    squares = np.sum(shuffled**2, axis=1) - np.sum((shuffled @ _basis(controls)) ** 2, axis=1)
    left = np.maximum(squares - slope**2 * spread, 1e-300)
    t = np.abs(slope) / np.sqrt(left / spread)
    count = int(np.sum(t[1:] >= t[0] * (1 - _TIE) - 1e-14))
    p = count / len(orders) if exact else (1 + count) / (1 + len(orders))
    only_constant = controls.shape[1] == 1 and np.ptp(controls[:, 0]) == 0
    return PermutationTest(float(mx @ y) / spread, p, len(orders), exact=exact and only_constant)


def _orders(n: int, reps: int, rng: RngLike) -> tuple[IntArray, bool]:
    """All orders where they are few enough, else random ones, shape (R, n)."""
    if n <= ENUMERATED_ROWS:
        return np.array(list(permutations(range(n))), dtype=np.intp), True
    generator = np.random.default_rng(rng)
    return np.array([generator.permutation(n) for _ in range(reps)], dtype=np.intp), False


def _basis(controls: FloatArray) -> FloatArray:
    """Orthonormal basis of the columns that are held fixed, shape (n, rank)."""
    values, vectors = np.linalg.eigh(np.eye(len(controls)) - annihilator(controls))
    return np.asarray(vectors[:, values > 0.5])
