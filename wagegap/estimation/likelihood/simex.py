"""Simulation and extrapolation: from estimates under errors made worse by known amounts to the estimate under none.

An estimator is averaged over data whose regressors got pseudo-errors with c times the covariance of their own, for c on
a grid. The total error covariance being (1 + c) V, the curve of averages is extended to c = -1. The end of the curve is
a smooth function of the averages, so that errors and influences of the averages carry over to it.

References
----------
Cook, J. R. and L. A. Stefanski (1994). Simulation-extrapolation estimation in parametric measurement error models.
Journal of the American Statistical Association 89, 1314-1328.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import optimize

from wagegap._typing import FloatArray

__all__ = ["GRID", "Extrapolant", "extrapolate", "extrapolation_slopes", "paired_draws"]

Extrapolant = Literal["quadratic", "linear", "rational"]

GRID = np.array([0.5, 1.0, 1.5, 2.0])
"""Multiples of the error covariance that are added."""


def paired_draws(cov: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """Normal draws with a covariance, shape (draws, q), each beside its negative, so that their mean is zero."""
    # V = U diag(l) U', draws U diag(l)^1/2 z
    values, vectors = np.linalg.eigh(cov)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    half = rng.standard_normal(((draws + 1) // 2, len(root))) @ root.T
    return np.asarray(np.concatenate([half, -half])[:draws])


def extrapolate(scales: FloatArray, values: FloatArray, extrapolant: Extrapolant) -> FloatArray:
    """Value of each curve at c = -1, shape (m,) from values (s, m).

    >>> import numpy as np
    >>> c = np.array([0.0, 0.5, 1.0, 2.0])
    >>> extrapolate(c, (1 / (1.5 + c))[:, None], "rational").round(6)
    array([2.])
    """
    quadratic: FloatArray = np.polyfit(scales, values, 1 if extrapolant == "linear" else 2)
    ends = np.array([np.polyval(column, -1.0) for column in quadratic.T])
    if extrapolant != "rational":
        return ends
    return np.array([_rational(scales, column, end) for column, end in zip(values.T, ends, strict=True)])


def extrapolation_slopes(scales: FloatArray, values: FloatArray, extrapolant: Extrapolant) -> FloatArray:
    """Derivative of each curve's end in its points, shape (s, m) for values (s, m).

    >>> import numpy as np
    >>> extrapolation_slopes(np.array([0.0, 1.0]), np.array([[2.0], [1.0]]), "linear").ravel().round(6)
    array([ 2., -1.])
    """
    if extrapolant != "rational":
        weights = extrapolate(scales, np.eye(len(scales)), extrapolant)
        return np.repeat(weights[:, None], values.shape[1], axis=1)
    flat = np.ptp(values, axis=0) <= 1e-6 * np.abs(values).max(axis=0)
    return np.where(flat, extrapolation_slopes(scales, values, "quadratic"), _by_steps(scales, values))


def _by_steps(scales: FloatArray, values: FloatArray) -> FloatArray:
    """Central differences, by steps that are small beside the bend of the curve."""
    # [G(y + h e_j) - G(y - h e_j)] / 2h
    step = 1e-4 * np.maximum(np.ptp(values, axis=0), 1e-8 * np.abs(values).max(axis=0) + 1e-300)
    out = np.empty_like(values)
    for j in range(len(scales)):
        moved = np.zeros_like(values)
        moved[j] = step
        ends = [extrapolate(scales, values + sign * moved, "rational") for sign in (1, -1)]
        out[j] = (ends[0] - ends[1]) / (2 * step)
    return out


def _rational(scales: FloatArray, values: FloatArray, otherwise: float) -> float:
    """A + d / (g + c) through the points, at c = -1, where g is safely above one."""
    if np.ptp(values) <= 1e-12 * max(float(np.abs(values).max()), 1e-300):
        return otherwise

    def fit(u: float) -> tuple[FloatArray, float]:
        """Coefficients a and d at g = 1 + e^u, and the sum of squares that they leave."""
        basis = np.column_stack([np.ones_like(scales), 1 / (1 + np.exp(u) + scales)])
        coef = np.linalg.lstsq(basis, values, rcond=None)[0]
        return np.asarray(coef), float(np.sum((values - basis @ coef) ** 2))

    best = optimize.minimize_scalar(lambda u: fit(u)[1], bounds=(-3.0, 5.0), method="bounded", options={"xatol": 1e-10})
    u = float(best.x)
    if not -2.9 < u < 4.9:
        return otherwise
    a, d = fit(u)[0]
    return float(a + d / np.exp(u))  # c = -1: g + c = e^u
