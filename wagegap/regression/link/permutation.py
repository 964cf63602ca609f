"""Permutation tests: how often would shuffled countries give as strong an association?

All orders are enumerated where there are at most eight rows, and counted with ties; otherwise seeded random orders with
the +1 rule. With further regressors the residuals of the null model are shuffled (Freedman and Lane), which is
approximate. Two statistics tie where they differ by no more than rounding, so that an outcome that does not vary ties
in every order, p = 1.

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

import numpy as np

from wagegap._display.session import Shown
from wagegap._typing import BoolArray, FloatArray, IntArray, RngLike
from wagegap.errors import DataError
from wagegap.estimation.reliability import annihilator

__all__ = ["ENUMERATED_ROWS", "PermutationTest", "correlation", "permute", "permute_slope"]

ENUMERATED_ROWS = 8
"""Rows up to which every order is tried."""

_TIE = 1e-9  # relative difference of two statistics that counts as none
_NOTHING = 1e-12  # size, relative to its parts, that rounding leaves of zero


@dataclass(frozen=True, slots=True)
class PermutationTest(Shown):
    """A permutation test.

    Attributes
    ----------
    statistic : float
        In the data as they are.
    p_value : float
        Two-sided share of orders with a statistic as large in absolute value.
    orders : int
        Orders tried.
    enumerated : bool
        Whether these are all orders.
    exact : bool
        Whether they are, and the rows can be exchanged under the null.
    """

    statistic: float
    p_value: float
    orders: int
    enumerated: bool
    exact: bool

    @property
    def smallest(self) -> float:
        """Smallest p-value that could come out: of all orders, or of random ones and the +1 rule."""
        return 1 / (self.orders + (0 if self.enumerated else 1))

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

    Returns
    -------
    PermutationTest
        Without a p-value where the statistic is undefined.
    """
    observed = float(statistic(np.arange(n)))
    sizes = np.abs([statistic(order) for order in _orders(n, reps, rng)])
    if np.isnan(observed):
        return PermutationTest(observed, np.nan, len(sizes), n <= ENUMERATED_ROWS, n <= ENUMERATED_ROWS)
    beyond = _as_large(sizes, abs(observed), float(np.nanmax(sizes)))
    return _counted(observed, beyond, n <= ENUMERATED_ROWS, n <= ENUMERATED_ROWS)


def _as_large(sizes: FloatArray, observed: float, scale: float) -> BoolArray:
    """Orders whose statistic is as large as the data's, ties within rounding among them."""
    return np.asarray(sizes >= observed * (1 - _TIE) - _NOTHING * scale)


def _counted(observed: float, beyond: BoolArray, enumerated: bool, exact: bool) -> PermutationTest:
    """Share of orders beyond the statistic; of random ones the data's own counts as one more."""
    count, orders = int(np.sum(beyond)), len(beyond)
    p = count / orders if enumerated else (1 + count) / (1 + orders)
    return PermutationTest(observed, p, orders, enumerated, exact)


def correlation(x: FloatArray, y: FloatArray) -> float:
    """Correlation of two variables; NaN where one does not vary, up to rounding.

    >>> import numpy as np
    >>> round(correlation(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])), 3)
    0.866
    """
    dx, dy = x - x.mean(), y - y.mean()
    if any(np.linalg.norm(d) <= _NOTHING * np.linalg.norm(v) for d, v in ((dx, x), (dy, y))):
        return np.nan
    return float(dx @ dy) / float(np.sqrt((dx @ dx) * (dy @ dy)))


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
    n, m = len(y), annihilator(controls)
    mx, residuals = m @ x, m @ y
    spread, enumerated = float(mx @ mx), n <= ENUMERATED_ROWS
    if np.sqrt(spread) <= _NOTHING * np.linalg.norm(x):
        raise DataError("the regressor does not vary given the controls.")
    if np.linalg.norm(residuals) <= _NOTHING * np.linalg.norm(y):
        residuals = np.zeros(n)  # the controls alone make up the outcome
    shuffled = residuals[np.vstack([np.arange(n), _orders(n, reps, rng)])]
    # r = b |M x| / |M e|, in which t^2 = (n - k) r^2 / (1 - r^2) rises; |M e|^2 = e'e - |Q'e|^2 with I - M = Q Q'
    slope = shuffled @ mx / spread
    values, vectors = np.linalg.eigh(np.eye(n) - m)
    squares = np.sum(shuffled**2, axis=1)
    within = squares - np.sum((shuffled @ vectors[:, values > 0.5]) ** 2, axis=1)
    partial = np.zeros(len(slope))
    varies = within > _NOTHING * squares
    partial[varies] = np.abs(slope[varies]) * np.sqrt(spread / within[varies])
    only_constant = controls.shape[1] == 1 and np.ptp(controls[:, 0]) == 0
    beyond = _as_large(partial[1:], float(partial[0]), 1.0)
    return _counted(float(slope[0]), beyond, enumerated, enumerated and bool(only_constant))


def _orders(n: int, reps: int, rng: RngLike) -> IntArray:
    """Every order of the rows where they are few, else random ones."""
    generator = np.random.default_rng(rng)
    orders = permutations(range(n)) if n <= ENUMERATED_ROWS else (generator.permutation(n) for _ in range(reps))
    return np.array(list(orders), dtype=np.intp)
