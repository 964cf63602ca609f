"""Reliability of a vector of estimates: how much of their spread is not sampling noise.

Estimates p = P + v of true values P, with a known joint covariance V of the errors v, spread by more than the truth
does. With M the matrix that takes residuals from a constant (and from whatever else the next stage holds fixed), the
spread of the estimates is p'Mp and the part that noise adds to it has expectation tr(MV). The off-diagonal elements
of V count: noise that all estimates share moves none against another.

References
----------
Fuller, W. (1987). Measurement Error Models. Wiley, chapters 1 and 2.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from wagegap._typing import FloatArray, IntArray
from wagegap.errors import CovarianceError, DataError, IdentificationError, MissingValueError, refuse_rows

__all__ = [
    "REFUSED_BELOW",
    "WARNED_BELOW",
    "annihilator",
    "noise_in_words",
    "noise_variance",
    "reliability",
    "reliability_in_words",
    "reliability_of_rows",
    "true_variance",
]

WARNED_BELOW, REFUSED_BELOW = 0.9, 0.5
"""Reliability below which a corrected link warns, and below which it is refused unless forced."""


def reliability(values: FloatArray, cov: FloatArray, others: FloatArray | None = None) -> float:
    """Share of the spread of estimates that is not sampling noise.

    lambda = 1 - tr(M V) / p'Mp, where M annihilates the constant and the columns of `others`.

    Parameters
    ----------
    values : ndarray, shape (n,)
        Estimates p, such as one premium per country, in any unit.
    cov : ndarray, shape (n, n)
        Covariance V of their sampling errors, in that unit squared.
    others : ndarray, shape (n, q), optional
        What else is held fixed: covariates and dummies of effects. A constant may be among them.

    Returns
    -------
    float
        1 without noise; at or below 0 where noise alone would spread the estimates as much or more. A regression
        of an outcome on these estimates (and on `others`) has its slope multiplied by about this number.

    Raises
    ------
    DataError
        Shapes that do not go together.
    MissingValueError
        A missing estimate.
    CovarianceError
        A missing or infinite element of the covariance.
    IdentificationError
        Nothing is left of the estimates once the constant and `others` are taken out.

    Examples
    --------
    Errors that are correlated across countries hurt less than their variances say:

    >>> import numpy as np
    >>> p = np.array([-1.5, -0.5, 0.5, 1.5])
    >>> common = np.full((4, 4), 0.25) + 0.25 * np.eye(4)
    >>> round(reliability(p, common), 2), round(reliability(p, 0.5 * np.eye(4)), 2)
    (0.85, 0.7)

    References
    ----------
    Fuller, W. (1987). Measurement Error Models. Wiley, section 2.2.
    """
    p, v = np.asarray(values, dtype=np.float64), np.asarray(cov, dtype=np.float64)
    if p.ndim != 1 or v.shape != (len(p), len(p)):
        raise DataError(f"values has shape {p.shape} and cov {v.shape}: give n estimates and their (n, n) covariance.")
    refuse_rows(~np.isfinite(p), MissingValueError, "", " estimates are missing: drop them first.")
    if not np.isfinite(v).all():
        raise CovarianceError("cov has missing or infinite elements: an unknown error is not a zero one; drop the row.")
    n = len(p)
    fixed = np.ones((n, 1)) if others is None else np.column_stack([np.ones(n), _columns(others, n)])
    m = annihilator(fixed)
    within = m @ p
    spread = float(within @ within)
    if spread <= 1e-20 * max(float(p @ p), np.finfo(float).tiny):
        what = "the constant" if others is None else "the constant and the other regressors"
        raise IdentificationError(f"The {n} estimates do not vary once {what} are taken out: no reliability exists.")
    return 1.0 - float(np.sum(m * v)) / spread


def reliability_of_rows(
    values: FloatArray, cov: FloatArray, codes: IntArray, others: FloatArray, weights: FloatArray | None = None
) -> float:
    """Share of the spread of estimates among rows that is not sampling noise, other regressors held fixed.

    lambda = 1 - tr(A V) / p'A p with A = D'WD - D'WZ (Z'WZ)^-1 Z'WD, D the estimate of each row, Z the others.

    Parameters
    ----------
    values, cov : ndarray, shapes (P,) and (P, P)
        Estimates and the covariance of their errors.
    codes : ndarray of int, shape (n,)
        Which estimate each row has.
    others : ndarray, shape (n, q)
        Other regressors; a constant may be among them.
    weights : ndarray, shape (n,), optional
        Weights of the rows.

    Examples
    --------
    One row for each estimate is `reliability`:

    >>> import numpy as np
    >>> p = np.array([-1.5, -0.5, 0.5, 1.5])
    >>> round(reliability_of_rows(p, 0.5 * np.eye(4), np.arange(4), np.ones((4, 1))), 2)
    0.7
    """
    w = np.ones(len(codes)) if weights is None else weights
    root = np.sqrt(w)
    # A = D'WD - S'S, S = Q'W^(1/2) D with Q a basis of W^(1/2) Z
    q = _basis(np.column_stack([np.ones(len(codes)), others]) * root[:, None])
    sums = np.array([np.bincount(codes, weights=root * column, minlength=len(values)) for column in q.T])
    total = np.bincount(codes, weights=w, minlength=len(values))
    a = np.diag(total) - sums.T @ sums
    spread = float(values @ a @ values)
    return -np.inf if spread <= 1e-12 * float(values**2 @ total) else 1.0 - float(np.sum(a * cov)) / spread


def noise_variance(cov: FloatArray, fixed: FloatArray) -> float:
    """Mean variance of the errors that is left once some columns are taken out, tr(M V) / tr(M).

    With independent errors and a constant alone it is their mean variance.

    >>> import numpy as np
    >>> round(noise_variance(np.diag([1.0, 2.0, 3.0]), np.ones((3, 1))), 6)
    2.0
    """
    m = annihilator(fixed)
    return float(np.sum(m * cov)) / float(np.trace(m))


def true_variance(values: FloatArray, cov: FloatArray, fixed: FloatArray) -> float:
    """Variance of true values given some columns, by moments: (p'M p - tr(M V)) / tr(M), and zero where that is less.

    >>> import numpy as np
    >>> round(true_variance(np.array([0.0, 1.0, 2.0]), 0.4 * np.eye(3), np.ones((3, 1))), 6)
    0.6
    """
    m = annihilator(fixed)
    return max(float(values @ m @ values - np.sum(m * cov)) / float(np.trace(m)), 0.0)


def reliability_in_words(share: float) -> str:
    """Return the reliability with two digits, or that it is below zero: how far below says nothing.

    >>> reliability_in_words(0.297), reliability_in_words(-23268.2)
    ('0.30', 'below 0')
    """
    return f"{share:.2f}" if share >= 0 else "below 0"


def noise_in_words(share: float, of: str) -> str:
    """Say how much sampling error makes up of a spread, at most all of it.

    >>> noise_in_words(0.3, "their spread")
    'sampling error makes up 70 % of their spread'
    >>> noise_in_words(-2.0, "their spread")
    'sampling error alone would make more than all of their spread'
    """
    if share < 0:
        return f"sampling error alone would make more than all of {of}"
    return f"sampling error makes up {100 * (1 - share):.0f} % of {of}"


def annihilator(others: FloatArray) -> FloatArray:
    """Matrix that takes residuals from the columns of `others`, shape (n, n).

    M = I - QQ' with Q an orthonormal basis of the columns, each scaled to unit length first, so that columns of very
    different size (a constant and a year) or collinear ones do no harm. Without columns it is the identity.

    >>> import numpy as np
    >>> annihilator(np.ones((2, 1))).round(12)
    array([[ 0.5, -0.5],
           [-0.5,  0.5]])
    """
    q = _basis(np.asarray(others, dtype=np.float64))
    return np.asarray(np.eye(len(q)) - q @ q.T, dtype=np.float64)


def _basis(z: FloatArray) -> FloatArray:
    """Orthonormal basis of the columns, by pivoted QR of columns of unit length, shape (n, rank)."""
    length = np.sqrt(np.einsum("ij,ij->j", z, z))
    z = z[:, length > 0] / length[length > 0]
    if z.shape[1] == 0:
        return z
    q, r, _ = linalg.qr(z, mode="economic", pivoting=True, check_finite=False)
    rank = int(np.sum(np.abs(np.diag(r)) > 16 * max(z.shape) ** 0.5 * np.finfo(float).eps))
    return np.asarray(q[:, :rank], dtype=np.float64)


def _columns(others: FloatArray, n: int) -> FloatArray:
    """`others` as a matrix of n rows, without missing values."""
    z = np.asarray(others, dtype=np.float64)
    z = z[:, None] if z.ndim == 1 else z
    if z.ndim != 2 or z.shape[0] != n:
        raise DataError(f"others has shape {z.shape}: give one row for each of the {n} estimates.")
    if not np.isfinite(z).all():
        raise MissingValueError(f"{int((~np.isfinite(z)).sum())} cells of others are missing: drop those rows first.")
    return z
