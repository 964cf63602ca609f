"""Weighted least squares by a rank-revealing orthogonal decomposition.

Columns are scaled to unit length, the matrix is factored by Householder reflections, and columns that are linear
combinations of those before them are left out with the combination that makes them. Normal equations are never
formed, so that nearly collinear designs keep the digits they have (NIST StRD, Filip).

References
----------
Golub, G. and C. Van Loan (2013). Matrix Computations, 4th ed., chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._typing import BoolArray, FloatArray

__all__ = ["Collinear", "LstsqFit", "fit_lstsq", "fit_signed", "weighted_sum_of_squares"]

_SINGULAR = 1e-6  # share of its digits beyond which a system is taken as singular


@dataclass(frozen=True, slots=True)
class Collinear:
    """A column that the columns before it make.

    Attributes
    ----------
    column : int
        Position of the column in the design.
    made_of : tuple of (int, float)
        Positions and coefficients of the columns that add up to it; empty for a column of zeros.
    """

    column: int
    made_of: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True, eq=False)
class LstsqFit:
    """A weighted least squares fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients; NaN for a column left out.
    bread : ndarray, shape (k, k)
        (X'WX)^-1 over the kept columns, zero elsewhere.
    residuals : ndarray, shape (n,)
        y - Xb, unweighted.
    leverage : ndarray, shape (n,)
        Diagonal of W^(1/2) X (X'WX)^-1 X' W^(1/2).
    kept : ndarray of bool, shape (k,)
        Columns with a coefficient.
    collinear : tuple of Collinear
        Columns left out as collinear.
    """

    params: FloatArray
    bread: FloatArray
    residuals: FloatArray
    leverage: FloatArray
    kept: BoolArray
    collinear: tuple[Collinear, ...]

    @property
    def rank(self) -> int:
        """Number of kept columns."""
        return int(self.kept.sum())


def fit_lstsq(y: FloatArray, x: FloatArray, weights: FloatArray | None = None) -> LstsqFit:
    """Fit y on the columns of x by weighted least squares.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    weights : ndarray, shape (n,), optional
        Positive weights.

    Returns
    -------
    LstsqFit

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.ones(4), [0.0, 1, 2, 3]])
    >>> fit_lstsq(np.array([1.0, 3, 5, 7]), x).params.round(12)
    array([1., 2.])
    """
    # W^1/2 X S^-1 = QR, S the lengths of the columns:   S b = R^-1 Q'W^1/2 y,   (X'WX)^-1 = S^-1 R^-1 R'^-1 S^-1
    k = x.shape[1]
    root = None if weights is None else np.sqrt(weights)
    wx = x if root is None else x * root[:, None]
    wy = y if root is None else y * root
    scale: FloatArray = np.sqrt(np.einsum("ij,ij->j", wx, wx))
    scaled: FloatArray = wx / np.where(scale > 0, scale, 1.0)
    q, r = linalg.qr(scaled, mode="economic", check_finite=False)
    kept, collinear = _independent_columns(np.asarray(r, dtype=float), scale, x.shape[0])
    if not kept.all():
        q, r = linalg.qr(scaled[:, kept], mode="economic", check_finite=False)
    inverse = linalg.solve_triangular(r, np.eye(r.shape[0]), check_finite=False)
    coef = linalg.solve_triangular(r, q.T @ wy, check_finite=False)
    # one step of refinement with the residuals
    coef = coef + linalg.solve_triangular(r, q.T @ (wy - scaled[:, kept] @ coef), check_finite=False)
    params = np.full(k, np.nan)
    params[kept] = coef / scale[kept]
    bread = np.zeros((k, k))
    bread[np.ix_(kept, kept)] = (inverse @ inverse.T) / np.outer(scale[kept], scale[kept])
    residuals = y - (x[:, kept] / scale[kept]) @ coef
    return LstsqFit(params, bread, residuals, np.einsum("ij,ij->i", q, q), kept, collinear)


def fit_signed(y: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    """Solve X'WXb = X'Wy where some weights are below zero, as those of successive difference replicates.

    Returns
    -------
    ndarray, shape (k,)
        Coefficients; NaN for a column left out, and throughout where X'WX is singular.

    Examples
    --------
    >>> import numpy as np
    >>> fit_signed(np.array([1.0, 2.0, 6.0]), np.ones((3, 1)), np.array([2.0, 2.0, -1.0])).round(12)
    array([0.])
    """
    # b_0 the fit with |W|, e its residuals, B = (X'|W|X)^-1, N the rows below zero:  X'WX = B^-1 - 2 X_N'|W|X_N, so
    #   b = b_0 - 2 (I - 2 B X_N'|W|X_N)^-1 B X_N'|W| e_N,   in columns scaled by the roots of B's diagonal
    fit = fit_lstsq(y, x, np.abs(weights))
    kept, below = fit.kept, weights < 0
    scale = np.sqrt(np.diag(fit.bread)[kept])
    bread = fit.bread[np.ix_(kept, kept)] / np.outer(scale, scale)
    columns, size = x[np.ix_(below, kept)] * scale, -weights[below]
    left = np.eye(len(scale)) - 2 * bread @ (columns.T @ (columns * size[:, None]))
    right = 2 * bread @ (columns.T @ (size * fit.residuals[below]))
    params = fit.params.copy()
    if np.linalg.cond(left) * np.finfo(float).eps > _SINGULAR:
        return np.full(len(params), np.nan)
    params[kept] -= scale * linalg.solve(left, right)
    return params


def weighted_sum_of_squares(residuals: FloatArray, weights: FloatArray | None) -> float:
    """Sum of w e^2."""
    return float(residuals @ residuals if weights is None else weights @ residuals**2)


def _independent_columns(r: FloatArray, scale: FloatArray, n: int) -> tuple[BoolArray, tuple[Collinear, ...]]:
    """Keep, from left to right, the columns that add a direction; say what makes the others."""
    k = r.shape[1]
    tolerance = 16 * max(n, k) ** 0.5 * np.finfo(float).eps
    kept = np.zeros(k, dtype=bool)
    basis = np.zeros((r.shape[0], 0))
    collinear: list[Collinear] = []
    for j in range(k):
        # Gram and Schmidt, twice, so that rounding leaves nothing along the columns before
        part = r[:, j] - basis @ (basis.T @ r[:, j])
        part = part - basis @ (basis.T @ part)
        size = np.linalg.norm(part)
        if scale[j] > 0 and size > tolerance:
            kept[j] = True
            basis = np.column_stack([basis, part / size])
        else:
            collinear.append(_combination(r, scale, kept, j))
    return kept, tuple(collinear)


def _combination(r: FloatArray, scale: FloatArray, kept: BoolArray, j: int) -> Collinear:
    """Coefficients of the kept columns that add up to column j."""
    before = np.flatnonzero(kept)
    if scale[j] == 0 or before.size == 0:
        return Collinear(j, ())
    coef = np.linalg.lstsq(r[:, before], r[:, j], rcond=None)[0] * scale[j] / scale[before]
    size = np.abs(coef) * scale[before] / scale[j]
    return Collinear(j, tuple((int(c), float(b)) for c, b, s in zip(before, coef, size, strict=True) if s > 1e-8))
