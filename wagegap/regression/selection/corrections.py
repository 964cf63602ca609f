"""Correction terms for those who chose one of many places, in the probabilities of a multinomial logit.

With probabilities P_0, ..., P_(J-1) and choice m, pay in m is observed for those who chose it, and the mean of its
error among them is a function of the probabilities: linear in one term by Lee, in J - 1 terms by Dubin and McFadden,
and by Dahl an unknown function of few of them, approximated by a polynomial. Every term comes with its derivatives in
the indices of the choice, by which the error of the first step enters the second.

References
----------
Lee, L.-F. (1983). Generalized econometric models with selectivity. Econometrica 51, 507-512.
Dubin, J. and D. McFadden (1984). An econometric analysis of residential electric appliance holdings and consumption.
Econometrica 52, 345-362.
Dahl, G. (2002). Mobility and the return to education: testing a Roy model with multiple markets. Econometrica 70,
2367-2420.
Bourguignon, F., M. Fournier and M. Gurgand (2007). Selection bias corrections based on the multinomial logit model:
Monte Carlo comparisons. Journal of Economic Surveys 21, 174-205.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from wagegap._typing import FloatArray

__all__ = ["Terms", "dahl_terms", "dubin_mcfadden_terms", "lee_terms"]

_LEAST = 1e-12  # probabilities are kept this far from zero and one


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Correction terms.

    Attributes
    ----------
    values : ndarray, shape (n, t)
        The terms.
    slopes : ndarray, shape (n, t, J - 1)
        Their derivatives in the indices of every outcome but the base.
    names : tuple of str
        Names of the terms.
    """

    values: FloatArray
    slopes: FloatArray
    names: tuple[str, ...]


def lee_terms(probabilities: FloatArray, chosen: int) -> Terms:
    """Return phi(H)/P with H the normal quantile of the chosen probability P; one term, as Heckman's where J is 2.

    Parameters
    ----------
    probabilities : ndarray, shape (n, J)
        Of those who chose.
    chosen : int
        The outcome chosen.

    Examples
    --------
    >>> lee_terms(np.array([[0.5, 0.5]]), 1).values.round(6)
    array([[0.797885]])
    """
    # t = phi(H) / P with H = Phi^-1(P):   dH/dP = 1 / phi(H),   dt/dP = -H / P - phi(H) / P^2
    p = np.clip(probabilities[:, chosen], _LEAST, 1 - _LEAST)
    quantile = special.ndtri(p)
    density = np.exp(-0.5 * quantile**2) / np.sqrt(2 * np.pi)
    slope = -quantile / p - density / p**2
    return Terms((density / p)[:, None], _by_index(slope[:, None, None], probabilities, [chosen]), ("lambda",))


def dubin_mcfadden_terms(probabilities: FloatArray, chosen: int, names: Sequence[str]) -> Terms:
    """Return P_j ln P_j / (1 - P_j) + ln P_m for every other outcome j.

    Parameters
    ----------
    probabilities : ndarray, shape (n, J)
        Of those who chose.
    chosen : int
        The outcome chosen, m.
    names : sequence of str
        Names of the outcomes.

    Examples
    --------
    >>> dubin_mcfadden_terms(np.array([[0.5, 0.5]]), 1, ["home", "abroad"]).values.round(6)
    array([[-1.386294]])
    """
    p = np.clip(probabilities, _LEAST, 1 - _LEAST)
    others = [j for j in range(p.shape[1]) if j != chosen]
    q = p[:, others]
    values = q * np.log(q) / (1 - q) + np.log(p[:, [chosen]])
    # dt_j / dP_j = (ln P_j + 1) / (1 - P_j) + P_j ln P_j / (1 - P_j)^2,   dt_j / dP_m = 1 / P_m
    by_probability = np.zeros((len(p), len(others), p.shape[1]))
    by_probability[:, np.arange(len(others)), others] = (np.log(q) + 1) / (1 - q) + q * np.log(q) / (1 - q) ** 2
    by_probability[:, :, chosen] = 1 / p[:, [chosen]]
    slopes = _by_index(by_probability, probabilities, range(p.shape[1]))
    return Terms(values, slopes, tuple(f"m[{names[j]}]" for j in others))


def dahl_terms(probabilities: FloatArray, places: Sequence[int], degree: int, names: Sequence[str]) -> Terms:
    """Return powers and products, up to a degree, of some of the probabilities: the chosen one, and others.

    Parameters
    ----------
    probabilities : ndarray, shape (n, J)
        Of those who chose.
    places : sequence of int
        Outcomes whose probabilities enter.
    degree : int
        Highest total degree.
    names : sequence of str
        Names of the outcomes.

    Examples
    --------
    >>> dahl_terms(np.array([[0.5, 0.3, 0.2]]), [1], 2, ["stay", "abroad", "field"]).values.round(6)
    array([[0.3 , 0.09]])
    """
    p = probabilities[:, list(places)]
    powers = _powers(len(places), degree)
    values = np.stack([np.prod(p**power, axis=1) for power in powers], axis=1)
    # t = prod_v P_v^a_v,   dt / dP_v = a_v P_v^(a_v - 1) prod_(u != v) P_u^a_u
    by_probability = np.zeros((len(p), len(powers), len(places)))
    for i, power in enumerate(powers):
        for v in np.flatnonzero(power):
            by_probability[:, i, v] = power[v] * np.prod(p ** (power - (np.arange(len(power)) == v)), axis=1)
    labels = [
        " ".join(f"P[{names[j]}]^{a}" if a > 1 else f"P[{names[j]}]" for j, a in zip(places, power, strict=True) if a)
        for power in powers
    ]
    return Terms(values, _by_index(by_probability, probabilities, places), tuple(labels))


def _powers(variables: int, degree: int) -> list[FloatArray]:
    """Exponents of all monomials of degree 1 to `degree`, by degree."""
    grid = np.stack(np.meshgrid(*[np.arange(degree + 1)] * variables, indexing="ij"), axis=-1).reshape(-1, variables)
    wanted = grid[(grid.sum(axis=1) >= 1) & (grid.sum(axis=1) <= degree)]
    return [row.copy() for row in wanted[np.lexsort((*(-wanted.T[::-1]), wanted.sum(axis=1)))]]


def _by_index(by_probability: FloatArray, probabilities: FloatArray, places: Sequence[int]) -> FloatArray:
    """Chain derivatives in some probabilities to the indices l: dP_j / d index_l = P_j (1{j=l} - P_l)."""
    # dt / da_l = sum_j (dt / dP_j) P_j (1{j = l} - P_l)
    p = probabilities
    chain = np.stack([p[:, [j]] * ((np.arange(1, p.shape[1]) == j) - p[:, 1:]) for j in places], axis=1)
    return np.asarray(np.einsum("ntj,njl->ntl", by_probability, chain))
