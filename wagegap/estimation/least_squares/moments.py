"""Means and slopes of a sample from its cross-products.

Everything that a decomposition of means needs of the rows is X'WX and X'Wy. Columns are centred and scaled before they
are multiplied, a step of refinement with the true residuals follows where products alone would lose digits, and where
the centred columns are too nearly collinear for products the rows are factored instead (`fit_lstsq`).

References
----------
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
Golub, G. and C. Van Loan (2013). Matrix Computations, 4th ed., chapter 5.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._typing import BoolArray, FloatArray
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq

__all__ = ["MeanSlopes", "fit_mean_slopes", "row_blocks"]

_BLOCK = 4096
_WORST_CONDITION = 1e6
_GOOD_CONDITION = 1e2


@dataclass(frozen=True, slots=True, eq=False)
class MeanSlopes:
    """Means of the regressors of a sample and its least squares fit.

    Attributes
    ----------
    n : int
        Rows.
    total : float
        Sum of the weights; the number of rows where there are none.
    mean : ndarray, shape (k,)
        Weighted means of the columns of x.
    params : ndarray, shape (k,)
        Coefficients; zero for a column that others make.
    bread : ndarray, shape (k, k)
        (X'WX)^-1 over the kept columns, zero elsewhere.
    centred : ndarray, shape (k, k)
        Sum of w (x - mean)(x - mean)'.
    residuals : ndarray, shape (n,)
        y - Xb.
    kept : ndarray of bool, shape (k,)
        Columns with a coefficient.
    collinear : tuple of Collinear
        Columns left out as collinear, with what makes them.
    constant : int, optional
        Column of ones.
    """

    n: int
    total: float
    mean: FloatArray
    params: FloatArray
    bread: FloatArray
    centred: FloatArray
    residuals: FloatArray
    kept: BoolArray
    collinear: tuple[Collinear, ...] = ()
    constant: int | None = None

    @property
    def about(self) -> FloatArray:
        """What columns are centred at, shape (k,): their means, where a constant takes these up."""
        if self.constant is None:
            return np.zeros(len(self.mean))
        about = self.mean.copy()
        about[self.constant] = 0.0
        return about

    @property
    def centred_bread(self) -> FloatArray:
        """Map from sums of w e (x - about) to the coefficients; that from sums of w e x loses digits in large means."""
        out = self.bread.copy()
        if self.constant is not None:
            out[:, self.constant] = 0.0
            out[self.constant, self.constant] = 1 / self.total
        return out


def fit_mean_slopes(y: FloatArray, x: FloatArray, weights: FloatArray | None = None) -> MeanSlopes:
    """Fit y on the columns of x, and take the means of the columns.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant first where there is one.
    weights : ndarray, shape (n,), optional
        Positive weights.

    Returns
    -------
    MeanSlopes

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.ones(4), [0.0, 1, 2, 3]])
    >>> fit = fit_mean_slopes(np.array([1.0, 3, 5, 7]), x)
    >>> fit.params.round(12), fit.mean
    (array([1., 2.]), array([1. , 1.5]))
    """
    sums = _sums(y, x, weights)
    alike = np.flatnonzero((np.diag(sums.centred) == 0) & (sums.mean == 1))
    constant = int(alike[0]) if alike.size and bool((x[:, alike[0]] == 1).all()) else None
    solved = _solve(y, x, weights, sums, constant)
    if solved is not None:
        params, bread, residuals = solved
        kept = np.ones(x.shape[1], dtype=bool)
        return MeanSlopes(len(y), sums.total, sums.mean, params, bread, sums.centred, residuals, kept, (), constant)
    fit = fit_lstsq(y, x, weights)
    params = np.where(fit.kept, fit.params, 0.0)
    return MeanSlopes(
        len(y), sums.total, sums.mean, params, fit.bread, sums.centred, fit.residuals, fit.kept, fit.collinear,
        constant if constant is not None and fit.kept[constant] else None,
    )  # fmt: skip


def row_blocks(n: int, size: int = _BLOCK) -> Iterator[slice]:
    """Slices of consecutive rows that fit into the cache."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """Sums of a sample: weight, means of x and y, and centred products of x with itself and with y."""

    total: float
    mean: FloatArray
    mean_y: float
    centred: FloatArray
    cross: FloatArray


def _sums(y: FloatArray, x: FloatArray, weights: FloatArray | None) -> _Sums:
    """One pass over the rows, about the means of the first block, so that the products lose no digits."""
    k = x.shape[1]
    about = x[:_BLOCK].mean(axis=0)
    about_y = float(y[:_BLOCK].mean())
    first, first_y, total = np.zeros(k), 0.0, 0.0
    second, cross = np.zeros((k, k)), np.zeros(k)
    for rows in row_blocks(len(x)):
        z, v = x[rows] - about, y[rows] - about_y
        if weights is None:
            first += z.sum(axis=0)
            first_y += float(v.sum())
            total += len(v)
        else:
            w = weights[rows]
            first += w @ z
            first_y += float(w @ v)
            total += float(w.sum())
            root = np.sqrt(w)
            z *= root[:, None]
            v = v * root
        second += z.T @ z
        cross += v @ z
    # With sums about a:   m = a + S1 / W,   sum w (x - m)(x - m)' = S2 - S1 S1' / W
    shift, shift_y = first / total, first_y / total
    return _Sums(
        total, about + shift, about_y + shift_y, second - total * np.outer(shift, shift), cross - first * shift_y
    )


def _solve(
    y: FloatArray, x: FloatArray, weights: FloatArray | None, sums: _Sums, constant: int | None
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """Coefficients, inverse and residuals from products; None where these are too nearly singular."""
    # b = (X'WX)^-1 X'Wy; with a constant the inverse times centred sums gives slopes b_1 and minus m'b_1, and
    # b_0 = ybar - m'b_1; a step of refinement b + (X'WX)^-1 X'We where digits are few
    inverse, condition = _inverse(sums, constant)
    if inverse is None:
        return None
    params = np.zeros(x.shape[1])
    if constant is None:
        params = inverse @ (sums.cross + sums.total * sums.mean * sums.mean_y)
    else:
        params = inverse @ sums.cross
        params[constant] += sums.mean_y
    if condition > _GOOD_CONDITION:
        residuals = y - x @ params
        params = params + inverse @ ((residuals if weights is None else weights * residuals) @ x)
    return params, inverse, y - x @ params


def _inverse(sums: _Sums, constant: int | None) -> tuple[FloatArray | None, float]:
    """(X'WX)^-1 by way of the centred columns, where these are well enough conditioned, and their condition."""
    # With C = sum w (x - m)(x - m)' of the columns but the constant,
    # (X'WX)^-1 = [1/W + m'C^-1 m, -m'C^-1; -C^-1 m, C^-1]
    mean, k = sums.mean, len(sums.mean)
    others = np.array([j for j in range(k) if j != constant], dtype=np.intp)
    inner = sums.centred[np.ix_(others, others)]
    if constant is None:
        inner = inner + sums.total * np.outer(mean, mean)
    scale = np.sqrt(np.maximum(np.diag(inner), 0.0))
    if (scale <= 1e-8 * np.sqrt(sums.total) * np.abs(mean[others])).any() or (scale == 0).any():
        return None, np.inf
    values, vectors = linalg.eigh(inner / np.outer(scale, scale)) if len(others) else (np.ones(1), np.ones((0, 1)))
    condition = float(np.sqrt(values[-1] / values[0])) if values[0] > 0 else np.inf
    if condition > _WORST_CONDITION:
        return None, condition
    slopes = (vectors / values) @ vectors.T / np.outer(scale, scale)
    if constant is None:
        return np.asarray(slopes), condition
    out = np.zeros((k, k))
    out[np.ix_(others, others)] = slopes
    out[constant, others] = out[others, constant] = -slopes @ mean[others]
    out[constant, constant] = 1 / sums.total + mean[others] @ slopes @ mean[others]
    return out, condition
