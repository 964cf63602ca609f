"""What coefficients of a probability model mean: average effects, elasticities, hazards and cumulative incidence.

Every quantity is a weighted average over rows of a smooth function of the coefficients, and comes with the function of
each row (for the sampling of rows) and the derivative of the average in the coefficients (for the delta method), so
that its influence function is share (f_i - mean f) + derivative x influence on the coefficients.

With hazards h_j(t) of competing exits, survival S(t) = prod_(s <= t) (1 - sum_j h_j(s)) and cumulative incidence
F_j(t) = sum_(s <= t) S(s - 1) h_j(s), each row keeping its regressors.

References
----------
Bartus, T. (2005). Estimation of marginal effects using margeff. Stata Journal 5, 309-329.
Jenkins, S. (1995). Easy estimation methods for discrete-time duration models. Oxford Bulletin of Economics and
Statistics 57, 129-138.
Kalbfleisch, J. and R. Prentice (2002). The Statistical Analysis of Failure Time Data, 2nd ed., chapter 8. Wiley.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wagegap._typing import FloatArray
from wagegap.estimation.likelihood.binary import LinkFunction, probability, slope
from wagegap.estimation.likelihood.multinomial import softmax

__all__ = ["Averages", "ExitLink", "Response", "average_change", "average_elasticity", "average_slope", "incidence"]

ExitLink: TypeAlias = LinkFunction | Literal["multinomial"]


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """Averages over rows.

    Attributes
    ----------
    rows : ndarray, shape (n, q)
        The function of each row.
    gradient : ndarray, shape (q, m k)
        Derivative of the averages in the coefficients.
    """

    rows: FloatArray
    gradient: FloatArray

    def values(self, share: FloatArray) -> FloatArray:
        """Return the averages with shares that sum to one."""
        return share @ self.rows


@dataclass(frozen=True, slots=True)
class Response:
    """Probabilities of the exits as functions of m indices: one exit and one index, or as many as exits.

    Attributes
    ----------
    link : str
        Logit, probit, cloglog or lpm for one exit; multinomial for several.
    """

    link: ExitLink

    def probabilities(self, index: FloatArray) -> FloatArray:
        """Return the probability of each exit, shape (n, J), from indices (n, m)."""
        return softmax(index)[:, 1:] if self.link == "multinomial" else probability(index, self.link)

    def first(self, index: FloatArray) -> FloatArray:
        """Return first derivatives in the indices, shape (n, J, m)."""
        if self.link != "multinomial":
            return slope(index, self.link)[:, :, None]
        # dp_j / da_l = p_j (1{j = l} - p_l)
        p = self.probabilities(index)
        return np.asarray(p[:, :, None] * (np.eye(p.shape[1]) - p[:, None, :]))

    def second(self, index: FloatArray) -> FloatArray:
        """Return second derivatives in the indices, shape (n, J, m, m)."""
        if self.link != "multinomial":
            return _curvature(index, self.link)[:, :, None, None]
        # d2p_j / da_l da_m = p_j [(1{j = l} - p_l)(1{j = m} - p_m) - p_l (1{l = m} - p_m)]
        p = self.probabilities(index)
        less = np.eye(p.shape[1]) - p[:, None, :]
        slopes = p[:, :, None] * less
        return np.asarray(p[:, :, None, None] * (less[:, :, :, None] * less[:, :, None, :] - slopes[:, None, :, :]))


def average_slope(response: Response, params: FloatArray, x: FloatArray, dx: FloatArray, share: FloatArray) -> Averages:
    """Return the average derivative of the probabilities in a variable.

    Parameters
    ----------
    response : Response
        The model.
    params : ndarray, shape (m, k)
        Coefficients.
    x, dx : ndarray, shape (n, k)
        Regressors and their derivatives in the variable.
    share : ndarray, shape (n,)
        Weights that sum to one.

    Examples
    --------
    >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> dx = np.array([[0.0, 1.0], [0.0, 1.0]])
    >>> found = average_slope(Response("logit"), np.array([[0.0, 2.0]]), x, dx, np.array([0.5, 0.5]))
    >>> found.rows.tolist()
    [[0.5], [0.5]]
    """
    rows, by_x, by_dx = _slopes(response, params, x, dx)
    return Averages(rows, _summed(by_x, x, share) + _summed(by_dx, dx, share))


def average_elasticity(
    response: Response, params: FloatArray, x: FloatArray, dx: FloatArray, values: FloatArray, share: FloatArray
) -> Averages:
    """Return the average elasticity of the probabilities in a variable, whose values are given; else as above."""
    rows, by_x, by_dx = _slopes(response, params, x, dx)
    index = x @ params.T
    p = response.probabilities(index)
    # e_j = (v / p_j) dp_j/dv,   de_j = (v / p_j) [d(dp_j/dv) - (dp_j/dv / p_j) dp_j]
    ratio = values[:, None] / p
    by_x = ratio[:, :, None] * (by_x - (rows / p)[:, :, None] * response.first(index))
    return Averages(rows * ratio, _summed(by_x, x, share) + _summed(ratio[:, :, None] * by_dx, dx, share))


def average_change(
    response: Response, params: FloatArray, low: FloatArray, high: FloatArray, share: FloatArray
) -> Averages:
    """Return the average change of the probabilities from regressors `low` to `high`, both (n, k); else as above."""
    ends = [(x, x @ params.T) for x in (low, high)]
    before, after = (response.probabilities(index) for _, index in ends)
    slopes = [_summed(response.first(index), x, share) for x, index in ends]
    return Averages(after - before, slopes[1] - slopes[0])


def incidence(
    response: Response, params: FloatArray, designs: Sequence[FloatArray], share: FloatArray
) -> tuple[Averages, Averages]:
    """Return average hazards and cumulative incidence of each exit over the periods, (n, T J) each.

    Parameters
    ----------
    response : Response
        The model.
    params : ndarray, shape (m, k)
        Coefficients.
    designs : sequence of ndarray, each of shape (n, k)
        Regressors in every period, first to last.
    share : ndarray, shape (n,)
        Weights that sum to one.
    """
    n, size = len(share), params.size
    survival, on_survival = np.ones(n), np.zeros((n, size))  # S(t - 1), and its derivative in the coefficients
    hazards: list[Averages] = []
    exits: list[Averages] = []
    for x in designs:
        index = x @ params.T
        h, first = response.probabilities(index), response.first(index)
        hazards.append(Averages(h, _summed(first, x, share)))
        # F_j(t) - F_j(t - 1) = S(t - 1) h_j(t),   d(S h_j) = S dh_j + h_j dS
        gradient = _summed(first, x, share * survival) + (share[:, None] * h).T @ on_survival
        exits.append(Averages(survival[:, None] * h, gradient))
        # S(t) = S(t - 1)(1 - sum_j h_j),   dS(t) = (1 - sum_j h_j) dS(t - 1) - S(t - 1) sum_j dh_j
        fall = (first.sum(axis=1)[:, :, None] * x[:, None, :]).reshape(n, size)
        stay = 1 - h.sum(axis=1)
        on_survival = on_survival * stay[:, None] - survival[:, None] * fall
        survival = survival * stay
    totals = Averages(
        np.cumsum([one.rows for one in exits], axis=0).swapaxes(0, 1).reshape(n, -1),
        np.cumsum([one.gradient for one in exits], axis=0).reshape(-1, size),
    )
    return Averages(np.hstack([one.rows for one in hazards]), np.vstack([one.gradient for one in hazards])), totals


def _slopes(
    response: Response, params: FloatArray, x: FloatArray, dx: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Derivative of each row's probabilities (n, J), and what multiplies x and dx in its own derivative (n, J, m)."""
    # dp_j/dv = sum_l (dp_j/da_l) dx'b_l;   its derivative in b_l is sum_m (d2p_j/da_l da_m) dx'b_m x + (dp_j/da_l) dx
    index, moved = x @ params.T, dx @ params.T
    first = response.first(index)
    by_x = np.einsum("njlm,nm->njl", response.second(index), moved)
    return np.einsum("njm,nm->nj", first, moved), by_x, first


def _summed(factors: FloatArray, x: FloatArray, share: FloatArray) -> FloatArray:
    """Sum of share x factors (n, J, m) x regressors (n, k) over rows, shape (J, m k)."""
    j, m = factors.shape[1:]
    weighted = (factors * share[:, None, None]).reshape(len(x), j * m)
    return np.asarray((weighted.T @ x).reshape(j, m * x.shape[1]))


def _curvature(index: FloatArray, link: LinkFunction) -> FloatArray:
    """Second derivative of the probability in the index."""
    # logit: p (1 - p)(1 - 2 p);   probit: -a phi(a);   cloglog: f (1 - e^a)
    density = slope(index, link)
    if link == "logit":
        return np.asarray(density * (1 - 2 * probability(index, link)))
    if link == "probit":
        return np.asarray(-index * density)
    if link == "cloglog":
        return np.asarray(density * (1 - np.exp(np.minimum(index, 500.0))))
    return np.zeros_like(index)
