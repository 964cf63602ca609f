"""Small symmetric systems: solved, or inverted, after scaling them to a unit diagonal.

The matrices of second derivatives and the cross-products of one fit mix columns of very different size. Scaled first,
Cholesky's factorisation loses no digits to that; a column that no row informs stays where it is.

References
----------
Higham, N. (2002). Accuracy and Stability of Numerical Algorithms, 2nd ed., chapters 7 and 10. SIAM.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from wagegap._typing import FloatArray

__all__ = ["invert_information", "solve_scaled"]

_RIDGE = 1e-10


def solve_scaled(matrices: FloatArray, right: FloatArray, ridge: float = _RIDGE) -> FloatArray:
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
