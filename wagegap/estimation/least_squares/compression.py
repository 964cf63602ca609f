"""Compression: rows with the same regressors become one row of sums.

When every regressor is discrete, all that a regression needs of the rows of a cell are n, the sums of w, wy, wy^2 and,
for robust errors under sampling weights, of w^2, w^2 y, w^2 y^2. The compressed fit equals the row fit, standard errors
included.

References
----------
Wong, J., E. Forsell, R. Lewis, T. Mao and M. Wardrop (2021). You only compress once. arXiv:2102.11297.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import AnyArray, FloatArray, IntArray

__all__ = ["CellSums", "compress"]


@dataclass(frozen=True, slots=True, eq=False)
class CellSums:
    """Sums by cell.

    Attributes
    ----------
    first : ndarray of int, shape (m,)
        A row of each cell, from which its regressors can be read.
    code : ndarray of int, shape (n,)
        Cell of each row.
    n : ndarray, shape (m,)
        Rows.
    w, wy, wyy : ndarray, shape (m,)
        Sums of w, wy, wy^2.
    ww, wwy, wwyy : ndarray, shape (m,)
        Sums of w^2, w^2 y, w^2 y^2.
    """

    first: IntArray
    code: IntArray
    n: FloatArray
    w: FloatArray
    wy: FloatArray
    wyy: FloatArray
    ww: FloatArray
    wwy: FloatArray
    wwyy: FloatArray

    @property
    def mean(self) -> FloatArray:
        """Weighted mean outcome of each cell."""
        return self.wy / self.w

    def squared_residuals(self, fitted: FloatArray, at: IntArray) -> FloatArray:
        """Sum of w e^2 in the cells `at`, given their fitted values."""
        return np.maximum(self.wyy[at] - 2 * fitted * self.wy[at] + fitted**2 * self.w[at], 0.0)

    def squared_scores(self, fitted: FloatArray, at: IntArray) -> FloatArray:
        """Sum of w^2 e^2 in the cells `at`, given their fitted values."""
        return np.maximum(self.wwyy[at] - 2 * fitted * self.wwy[at] + fitted**2 * self.ww[at], 0.0)


def compress(y: FloatArray, weights: FloatArray | None, keys: Sequence[AnyArray]) -> CellSums:
    """Sum rows of equal keys.

    Sums of squares of numbers far from zero lose digits, so the outcome should be centred first.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    weights : ndarray, shape (n,), optional
        Weights, one where absent.
    keys : sequence of ndarray, each of shape (n,)
        Regressors and whatever else must be equal within a cell.

    Examples
    --------
    >>> import numpy as np
    >>> sums = compress(np.array([1.0, 2, 4]), None, [np.array([0, 0, 1])])
    >>> sums.n, sums.mean
    (array([2., 1.]), array([1.5, 4. ]))
    """
    code = np.zeros(len(y), dtype=np.int64)
    for key in keys:
        levels, part = np.unique(key, return_inverse=True)
        code = code * len(levels) + part
        code = np.unique(code, return_inverse=True)[1]
    first = np.unique(code, return_index=True)[1]
    w = np.ones(len(y)) if weights is None else weights

    def total(values: FloatArray) -> FloatArray:
        return np.bincount(code, weights=values).astype(float, copy=False)

    wy, wwy = w * y, w * w * y
    sums = (total(w), total(wy), total(wy * y), total(w * w), total(wwy), total(wwy * y))
    return CellSums(first, code, np.bincount(code).astype(float), *sums)
