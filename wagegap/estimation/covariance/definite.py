"""Covariances that are not positive semidefinite, and their repair.

A signed sum V = V+ - V-, such as that of two-way clusters or dyads, and a kernel that cuts off, can give a contrast a
negative variance. The repair takes directions u with V u = lambda M u, M = V+ + V- the size of all terms, and sets
negative lambda to zero. M's directions are those of V+ (V u = mu V+ u has mu = 2 lambda/(1 + lambda), and the repaired
matrix is the same), but M leaves out no direction in which V- is not zero. What results maps as V does when regressors
are recoded: errors do not depend on units, on where zero is, or on the base level of a factor. Setting negative
eigenvalues of V itself to zero, as Cameron, Gelbach and Miller propose, does depend on them, and is there by name.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2011). Robust inference with multiway clustering. Journal of Business &
Economic Statistics 29, 238-249.
Higham, N. (1988). Computing a nearest symmetric positive semidefinite matrix. Linear Algebra and its Applications 103,
103-118.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._typing import BoolArray, FloatArray

__all__ = ["Repaired", "repair_covariance", "repair_eigenvalues"]

_RANGE = 1e-9  # eigenvalue of the scaled metric, relative to the largest, below which a direction is rounding
_ZERO = 1e-10  # variance relative to the metric below which there is none


@dataclass(frozen=True, slots=True, eq=False)
class Repaired:
    """A covariance without negative variances.

    Attributes
    ----------
    matrix : ndarray, shape (q, q)
        The covariance; as it was, bit for bit, where nothing was negative.
    metric : ndarray, shape (q, q), optional
        M, what the covariance is measured against; None where nothing was negative.
    lowest : float
        Smallest lambda before the repair, -1 where the negative terms alone are left; zero where none is negative.
    n_directions : int
        Directions whose variance was negative.
    n_negative : int
        Parameters whose variance was negative.
    """

    matrix: FloatArray
    metric: FloatArray | None = None
    lowest: float = 0.0
    n_directions: int = 0
    n_negative: int = 0

    def vanishing(self, contrasts: FloatArray) -> BoolArray:
        """Say which contrasts, shape (m, q), are left with a variance of zero."""
        if self.metric is None:
            return np.zeros(len(contrasts), dtype=bool)
        size = np.einsum("ij,ij->i", contrasts @ self.metric, contrasts)
        left = np.einsum("ij,ij->i", contrasts @ self.matrix, contrasts)
        return np.asarray((size > 0) & (left <= _ZERO * size))


def repair_covariance(covariance: FloatArray, metric: FloatArray) -> Repaired:
    """Set negative variances to zero, measured in a metric.

    Parameters
    ----------
    covariance : ndarray, shape (q, q)
        V, a signed sum or another symmetric matrix.
    metric : ndarray, shape (q, q)
        A positive semidefinite M, zero nowhere that V is not: V+ + V-, or V+ where it is regular.

    Examples
    --------
    Two parameters in other units have the same correlation and relative errors:

    >>> import numpy as np
    >>> v, m = np.array([[1.0, 2.0], [2.0, 1.0]]), np.eye(2)
    >>> repair_covariance(v, m).matrix.round(6).tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    >>> units = np.diag([1.0, 100.0])
    >>> repair_covariance(units @ v @ units, units @ m @ units).matrix.round(6).tolist()
    [[1.5, 150.0], [150.0, 15000.0]]
    """
    # V u = lambda M u, U'MU = I:   V* = V - sum over lambda_j < 0 of lambda_j (M u_j)(M u_j)'
    size = np.sqrt(np.where(np.diag(metric) > 0, np.diag(metric), 1.0))
    scaled, unit = covariance / np.outer(size, size), metric / np.outer(size, size)
    if _is_positive(scaled):
        return Repaired(covariance)
    values, vectors = linalg.eigh((unit + unit.T) / 2)
    kept = values > _RANGE * values[-1]
    root = np.sqrt(values[kept])
    white = vectors[:, kept] / root
    lambdas, directions = linalg.eigh(white.T @ ((scaled + scaled.T) / 2) @ white)
    rounding = 64 * len(size) * np.finfo(float).eps * values[-1] / values[kept][0]
    negative = lambdas < -max(rounding, 1e-12)
    if not negative.any():
        return Repaired(covariance)
    images = size[:, None] * ((vectors[:, kept] * root) @ directions[:, negative])
    return Repaired(
        covariance - (images * lambdas[negative]) @ images.T, metric, float(lambdas[0]), int(negative.sum()),
        int((np.diag(scaled) < 0).sum()),
    )  # fmt: skip


def repair_eigenvalues(covariance: FloatArray) -> Repaired:
    """Set negative eigenvalues to zero, V = Q diag(l) Q' to Q diag(max(l, 0)) Q'; depends on units and coding.

    >>> import numpy as np
    >>> repair_eigenvalues(np.array([[1.0, 2.0], [2.0, 1.0]])).matrix.round(6).tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """
    values, vectors = linalg.eigh((covariance + covariance.T) / 2)
    negative = values < -64 * len(values) * np.finfo(float).eps * np.abs(values).max(initial=0.0)
    if not negative.any():
        return Repaired(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    whole = vectors * np.sqrt(np.abs(values))
    lowest = float(values[0] / np.abs(values).max())
    changed = int((np.diag(covariance) < 0).sum())
    return Repaired(root @ root.T, whole @ whole.T, lowest, int(negative.sum()), changed)


def _is_positive(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix has a Cholesky factor."""
    try:
        linalg.cholesky(matrix, check_finite=False)
    except linalg.LinAlgError:
        return False
    return True
