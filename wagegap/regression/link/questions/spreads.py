"""How far true values spread about their mean, where that may grow with the size of their sampling errors.

One variance for all countries is what a precise and a noisy one seldom share: premiums of few workers may differ more
because the few are unlike. The variance of the true value of cell c is therefore

    s_c^2 = s^2 (V_c / V.)^g,    V. the geometric mean of the error variances V_c,

and neither s nor g is known: with a handful of cells no estimate of them is good enough to be taken for the truth.
Everything is averaged over a grid of both, each point with its likelihood; before the data the logarithm of s^2 is
flat between ends that no data reach, and g is normal around zero, one variance for all.

References
----------
Morris, C. N. (1983). Parametric empirical Bayes inference: theory and applications. Journal of the American Statistical
Association 78, 47-55.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray

__all__ = ["Spreads", "averaged", "spread_grid"]

_GROWTH = np.linspace(-1.5, 2.5, 17)
_GROWTH_SD = 2.0  # of g before the data: from falling with V to growing with its square
_RANGE = (np.log(1e-3), np.log(30.0))  # of s^2, as a share of the variance observed
_POINTS = 32
_LEAST_ERROR = 1e-3  # of the mean error variance: below it an error is as good as none
_NEGLIGIBLE = 1e-6  # weight of a point of the grid that is left out


@dataclass(frozen=True, slots=True, eq=False)
class Spreads:
    """Variances of true values at points of the grid.

    Attributes
    ----------
    variances : ndarray, shape (m, n)
        s_c^2 of each cell at each point.
    weights : ndarray, shape (m,)
        Weights of the points, which sum to one once they are `weighted`.
    """

    variances: FloatArray
    weights: FloatArray

    def weighted(self, loglik: FloatArray) -> Spreads:
        """Return the points with their weights times the likelihood of the data, those that matter."""
        logs = np.log(self.weights) + loglik
        weights = np.exp(logs - logs.max())
        kept = weights > _NEGLIGIBLE * weights.max()
        return Spreads(self.variances[kept], weights[kept] / weights[kept].sum())


def spread_grid(size: float, errors: FloatArray) -> Spreads:
    """Grid of variances, before the data.

    Parameters
    ----------
    size : float
        Variance that is observed, which sets the range of s^2.
    errors : ndarray, shape (n,)
        Error variances V_c; where all are equal, or none is known, there is one variance for all.
    """
    logs = np.exp(np.linspace(*_RANGE, _POINTS)) * size
    known = np.maximum(np.nan_to_num(errors), _LEAST_ERROR * np.nan_to_num(errors).mean())
    if not known.any() or np.ptp(known) <= 1e-9 * known.max():
        return Spreads(np.tile(logs[:, None], len(errors)), np.ones(_POINTS))
    relative = np.log(known) - np.log(known).mean()
    variances = np.exp(_GROWTH[:, None, None] * relative) * logs[:, None]
    before = np.repeat(np.exp(-0.5 * (_GROWTH / _GROWTH_SD) ** 2), _POINTS)
    return Spreads(variances.reshape(-1, len(errors)), before)


def averaged(weights: FloatArray, means: FloatArray, variances: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance over points of a grid, shape (m, ...) each: the variance of the means is added.

    >>> mean, variance = averaged(np.array([0.5, 0.5]), np.array([1.0, 3.0]), np.array([1.0, 2.0]))
    >>> float(mean), float(variance)
    (2.0, 2.5)
    """
    mean = np.tensordot(weights, means, 1)
    return np.asarray(mean), np.asarray(np.tensordot(weights, variances + (means - mean) ** 2, 1))
