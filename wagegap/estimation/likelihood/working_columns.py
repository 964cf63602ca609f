"""Columns that a likelihood is maximised in, checks of weights, and columns named in messages.

Collinear columns are left out, and nearly collinear ones orthogonalised, so that Newton's steps keep their digits;
coefficients and their covariance are turned back into those of the design.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import DataError, refuse_rows
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq

__all__ = ["WorkingColumns", "check_weights", "named_columns", "working_columns"]

_PIVOT = 1e-6  # squared sine of the angle to the columns before, below which columns are orthogonalised


@dataclass(frozen=True, slots=True, eq=False)
class WorkingColumns:
    """Columns to work with, and the map from their coefficients to those of the design.

    Attributes
    ----------
    x : ndarray, shape (n, r)
        The kept columns, orthogonalised where they are nearly collinear.
    back : ndarray, shape (r, r), optional
        Coefficients of the kept columns from those of x; the identity where absent.
    kept : ndarray of bool, shape (k,)
        Kept columns.
    collinear : tuple of Collinear
        The others.
    size : ndarray, shape (k,)
        Length of each column of the design.
    """

    x: FloatArray
    back: FloatArray | None
    kept: BoolArray
    collinear: tuple[Collinear, ...]
    size: FloatArray

    def into(self, start: FloatArray | None, fits: int) -> FloatArray:
        """Turn starting values (k,) or (fits, k) into coefficients of the working columns, shape (fits, r)."""
        if start is None:
            return np.zeros((fits, self.x.shape[1]))
        params = np.nan_to_num(np.atleast_2d(start))[:, self.kept]
        params = params if self.back is None else linalg.solve(self.back, params.T).T
        return np.broadcast_to(params, (fits, self.x.shape[1]))

    def out_of(self, params: FloatArray, absent: float = 0.0) -> FloatArray:
        """Turn coefficients of the working columns (m, r) into those of the design (m, k); `absent` for the others."""
        out = np.full((len(params), len(self.kept)), absent)
        out[:, self.kept] = params if self.back is None else params @ self.back.T
        return out

    def bread(self, inverse: FloatArray) -> FloatArray:
        """Turn the covariance of m outcomes' working coefficients, (m r, m r), into that of the design (m k, m k)."""
        r, k = self.x.shape[1], len(self.kept)
        m = len(inverse) // r
        blocks = inverse.reshape(m, r, m, r)
        if self.back is not None:
            # Var(A b) = A Var(b) A' for the coefficients of each pair of outcomes
            blocks = np.einsum("ij,ajbl,kl->aibk", self.back, blocks, self.back, optimize=True)
        out = np.zeros((m * k, m * k))
        at = np.flatnonzero(np.tile(self.kept, m))
        out[np.ix_(at, at)] = blocks.reshape(m * r, m * r)
        return out

    def moving(self, step: FloatArray) -> BoolArray:
        """Which coefficients, shape (m, k), a step (m, r) moves, each measured by the length of its column."""
        size = np.abs(self.out_of(step)) * self.size
        return np.asarray(size > 1e-2 * size.max())


def working_columns(x: FloatArray, weights: FloatArray | None) -> WorkingColumns:
    """Set columns aside that are collinear where there is weight; orthogonalise where the others are nearly so."""
    rows = x if weights is None or (weights > 0).all() else x[weights > 0]
    gram = rows.T @ rows
    size = np.sqrt(np.diag(gram))
    if (size > 0).all() and len(rows) >= x.shape[1]:
        try:
            pivots = np.diag(np.linalg.cholesky(gram / np.outer(size, size))) ** 2
        except np.linalg.LinAlgError:
            pivots = np.zeros(1)
        if pivots.min() > _PIVOT:
            return WorkingColumns(x, None, np.ones(x.shape[1], dtype=bool), (), size)
    fit = fit_lstsq(np.zeros(len(rows)), rows)
    # X D^-1 = QR, D the lengths of the columns: the working columns are X D^-1 R^-1 sqrt(n), which is Q sqrt(n)
    r = linalg.qr(rows[:, fit.kept] / size[fit.kept], mode="r", check_finite=False)[0][: fit.rank]
    inverse = linalg.solve_triangular(r, np.eye(fit.rank), check_finite=False)
    back = inverse / size[fit.kept][:, None] * np.sqrt(len(rows))
    return WorkingColumns(x[:, fit.kept] @ back, back, fit.kept, fit.collinear, size)


def check_weights(weights: FloatArray | None) -> None:
    """Raise `DataError` for weights that are negative, or sum to zero."""
    if weights is None:
        return
    refuse_rows(~(weights >= 0), DataError, "", " weights are negative or missing.")
    if not weights.sum() > 0:
        raise DataError(f"the weights of {len(weights):,} rows sum to zero: nothing can be fitted.")


def named_columns(columns: IntArray | Sequence[int], names: Sequence[str] | None, kind: str = "column") -> list[str]:
    """Names of columns, or their numbers where these have no names.

    >>> named_columns([0, 2], None), named_columns([1], ["age", "pay"])
    (['column 0', 'column 2'], ['pay'])
    """
    return [f"{kind} {j}" if names is None else names[j] for j in columns]
