"""A country's premium in the light of the others: its noisy estimate, shrunken towards what those make likely.

Who stands highest among estimates stands there partly by luck. Given the estimates p = P + v, the best linear predictor
of the true premium of cell c from its own estimate is

    P_c = m_c + l_c (p_c - m_c),    l_c = s_c^2 / (s_c^2 + V_c),

m_c the mean given the controls, estimated with weights 1 / (s_c^2 + V_c), and s_c^2 the variance of true premiums,
which may grow with V_c and over which everything is averaged (`spreads`). Where errors of rates go with those of
premiums, the estimate says something of the rate's error too: it is V_py / (s_c^2 + V_c) (p_c - m_c).

References
----------
Robinson, G. K. (1991). That BLUP is a good thing: the estimation of random effects. Statistical Science 6, 15-32.
Morris, C. N. (1983). Parametric empirical Bayes inference: theory and applications. Journal of the American Statistical
Association 78, 47-55.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink
from wagegap.regression.link.questions.spreads import Spreads, averaged, spread_grid

__all__ = ["Move", "ShrunkenPremiums", "shrunken_premiums"]


@dataclass(frozen=True, slots=True)
class Move:
    """A country moved to another premium, along a line of some slope b.

    Attributes
    ----------
    gap, gap_variance : float
        How far, in true premium, and the variance of its error.
    shift : float
        What the country's own estimate says of its rate's error: the rate after the move is y - shift + b gap.
    rate_variance : float
        Variance of the error of that, but for the error of b.
    """

    gap: float
    gap_variance: float
    shift: float
    rate_variance: float


@dataclass(frozen=True, slots=True, eq=False)
class ShrunkenPremiums:
    """Premiums of all cells in the light of each other.

    Attributes
    ----------
    p : ndarray, shape (n,)
        Premiums as estimated.
    v_p, v_py, v_y : ndarray, shape (n, n)
        Covariance of their errors, with those of the rates, and of the latter.
    z : ndarray, shape (n, q)
        What their mean depends on.
    spreads : Spreads
        Variances of true premiums, and the weights of the points at which they stand.
    share : ndarray, shape (m, n)
        Shares l_c; one where premiums are not shrunken.
    of_mean : ndarray, shape (m, q, n)
        (Z'W Z)^-1 Z'W at each point, whose product with p is the coefficients of the mean.
    """

    p: FloatArray
    v_p: FloatArray
    v_py: FloatArray
    v_y: FloatArray
    z: FloatArray
    spreads: Spreads
    share: FloatArray
    of_mean: FloatArray

    @property
    def values(self) -> FloatArray:
        """The shrunken premiums, shape (n,)."""
        means = self.of_mean @ self.p @ self.z.T
        return np.asarray(self.spreads.weights @ (self.share * self.p + (1 - self.share) * means))

    def move(self, i: int, target: float | int, slope: float) -> Move:
        """Move cell i to a premium (float), or to that of another cell (int), along a line."""
        unit = np.eye(len(self.p))
        # With P = mean + r and L the rows of the predictor, L p - P = (L - unit) r + L v
        of_true = self._predictor(i)
        on_p, on_true, stays = -of_true, unit[i] - of_true, float(target)
        if isinstance(target, int):
            there = self._predictor(target)
            on_p, on_true, stays = on_p + there, on_true + there - unit[target], 0.0
        gaps, gap_variances = on_p @ self.p + stays, self._variance(on_true, on_p)
        of_error = self._related(i)
        shifts = of_error @ self.p
        # b gap + e - shift, and its errors
        in_rate = slope * on_true - of_error, slope * on_p - of_error
        variances = self._variance(*in_rate) + self.v_y[i, i] + 2 * in_rate[1] @ self.v_py[:, i]
        gap, gap_variance = averaged(self.spreads.weights, gaps, gap_variances)
        _, rate_variance = averaged(self.spreads.weights, slope * gaps - shifts, variances)
        shift = float(self.spreads.weights @ shifts)
        return Move(float(gap), float(gap_variance), shift, max(float(rate_variance), 0.0))

    def _predictor(self, i: int) -> FloatArray:
        """Row i of L at each point: l_i p_i + (1 - l_i) m_i as a sum of premiums, shape (m, n)."""
        share = self.share[:, [i]]
        return np.asarray(share * np.eye(len(self.p))[i] + (1 - share) * (self.z[i] @ self.of_mean))

    def _related(self, i: int) -> FloatArray:
        """E[e_i | p_i] = V_py / (s_i^2 + V_i) (p_i - m_i) as a sum of premiums, shape (m, n)."""
        total = self.spreads.variances[:, [i]] + self.v_p[i, i]
        known = self.of_mean.any() and self.v_py[i, i] != 0
        ratio = self.v_py[i, i] / total if known else np.zeros_like(total)
        return np.asarray(ratio * (np.eye(len(self.p))[i] - self.z[i] @ self.of_mean))

    def _variance(self, on_true: FloatArray, on_errors: FloatArray) -> FloatArray:
        """Variance of sums of r and of v at each point, shape (m,)."""
        return np.asarray(
            np.sum(on_true**2 * self.spreads.variances, axis=1) + np.sum((on_errors @ self.v_p) * on_errors, axis=1)
        )


def shrunken_premiums(link: FittedLink) -> ShrunkenPremiums:
    """Shrink the first premium of a link, given all else in it.

    As estimated where nothing is known of the errors, or where the link takes premiums as exact.
    """
    cells, problem = link.cells, link.setup.problem
    p = cells.p[:, 0]
    v_p, v_py, v_y = (np.nan_to_num(cells.block(a, b)) for a, b in ((1, 1), (1, 0), (0, 0)))
    if not (cells.known(1) and ESTIMATORS[link.method].corrects):
        nothing = Spreads(np.zeros((1, cells.n)), np.ones(1))
        return ShrunkenPremiums(
            p, v_p, v_py, v_y, problem.others, nothing, np.ones((1, cells.n)), np.zeros((1, problem.k - 1, cells.n))
        )
    # Columns of equal length, so that no unit decides
    z = problem.others / np.maximum(np.linalg.norm(problem.others, axis=0), np.finfo(float).tiny)
    variances, size = np.diag(v_p), float(np.mean((annihilator(z) @ p) ** 2))
    grid = spread_grid(size, variances)
    weights = 1 / (grid.variances + variances)
    spreads = grid.weighted(_restricted(p, z, weights))
    weights = 1 / (spreads.variances + variances)
    return ShrunkenPremiums(p, v_p, v_py, v_y, z, spreads, spreads.variances * weights, _of_mean(z, weights))


def _of_mean(z: FloatArray, weights: FloatArray) -> FloatArray:
    """(Z'W Z)^-1 Z'W for rows of weights, shape (m, q, n)."""
    zw = z.T * weights[:, None, :]
    return np.asarray(np.linalg.pinv(zw @ z, hermitian=True) @ zw)


def _restricted(p: FloatArray, z: FloatArray, weights: FloatArray) -> FloatArray:
    """Restricted log-likelihood of premiums with variances 1 / weights, shape (m,)."""
    # -(sum log v + log |Z'W Z| + sum w (p - Z m)^2) / 2
    normal = (z.T * weights[:, None, :]) @ z
    apart = p - _of_mean(z, weights) @ p @ z.T
    fit = np.sum(weights * apart**2, axis=1)
    return np.asarray(0.5 * (np.sum(np.log(weights), axis=1) - np.linalg.slogdet(normal)[1] - fit))
