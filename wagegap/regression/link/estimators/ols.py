"""Least squares, which takes premiums as exact: the naive slope, with its deletions by downdating."""

from __future__ import annotations

import numpy as np

from wagegap._typing import FloatArray
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem

__all__ = ["estimate", "least_squares_without"]


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Fit by least squares; the robust covariance is that of the rows."""
    del options
    y, x = problem.y, problem.x
    without = least_squares_without(y, x, problem.estimated[0]) if problem.estimated else None
    return LinkFit(np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], dtype=np.float64), None, without=without)


def least_squares_without(y: FloatArray, x: FloatArray, j: int) -> FloatArray:
    """Coefficient j without each row, by downdating; NaN for a row that alone identifies a column.

    >>> import numpy as np
    >>> x = np.column_stack([[0.0, 1.0, 2.0, 5.0], np.ones(4)])
    >>> float(least_squares_without(np.array([0.0, 1.0, 2.0, 9.0]), x, 0)[3].round(6))
    1.0
    """
    # b_(i) = b - (X'X)^-1 x_i e_i / (1 - h_i), X = QR
    q, r = np.linalg.qr(x)
    row = np.linalg.solve(r, q.T)[j]
    room = 1 - np.sum(q**2, axis=1)
    residuals = y - q @ (q.T @ y)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(room > 1e-10, row @ y - row * residuals / room, np.nan)
