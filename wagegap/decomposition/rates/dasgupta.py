"""Standardisation of rates: what composition and cell rates contribute to the gap of two rates.

A rate is a sum over cells of shares times rates, R = sum_c s_c r_c, and the gap of two populations

    R_1 - R_2 = sum_c (s_1c - s_2c) (r_1c + r_2c) / 2 + sum_c (r_1c - r_2c) (s_1c + s_2c) / 2,

Kitagawa's composition and rates, which do not depend on how many factors name the cells. With several crossed factors
the share of a cell is a product of one effect for each factor,

    s_c = A_c B_c ...,   log A_c = mean over orders of the factors of log P(level of A | levels of factors before it),

and composition is divided among them (Das Gupta): the part of a factor is the fall of sum_c s_c (r_1c + r_2c) / 2 when
its effects are replaced by the other population's, averaged over all orders of the factors.

References
----------
Kitagawa, E. (1955). Components of a difference between two rates. Journal of the American Statistical Association 50,
1168-1194.
Das Gupta, P. (1993). Standardization and Decomposition of Rates: A User's Manual. U.S. Bureau of the Census P23-186.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from wagegap._typing import FloatArray, IntArray
from wagegap.decomposition.rates.switching import SwitchPlan

__all__ = ["RateParts", "decompose_rates"]


@dataclass(frozen=True, slots=True, eq=False)
class RateParts:
    """Parts of a gap of two rates and their derivatives.

    Attributes
    ----------
    values : ndarray, shape (q,)
        Part of each factor's composition, then of the rates of each group of cells.
    by_size, by_rate : ndarray, shape (2, q, C)
        Derivatives in the sizes and in the rates of the cells of both populations.
    """

    values: FloatArray
    by_size: FloatArray
    by_rate: FloatArray


def decompose_rates(
    sizes: FloatArray, rates: FloatArray, levels: IntArray, cells: Iterable[IntArray] | None = None
) -> RateParts:
    """Decompose the gap of the first population's rate over the second's.

    Parameters
    ----------
    sizes, rates : ndarray, shape (2, C)
        Sizes and rates of the cells; the rate of an empty cell is not looked at.
    levels : ndarray of int, shape (C, K)
        Level of each factor in each cell.
    cells : iterable of ndarray of int, optional
        Cells whose rates form a part each; all together where absent.

    Examples
    --------
    >>> sizes, rates = np.array([[60.0, 40], [50, 50]]), np.array([[0.2, 0.4], [0.1, 0.3]])
    >>> decompose_rates(sizes, rates, np.array([[0], [1]])).values.round(12)
    array([-0.02,  0.1 ])
    """
    count, factors = levels.shape
    every = np.arange(count)
    effects = np.array([[_effect(n, levels, f) for f in range(factors)] for n in sizes])
    # where one population has nobody, its rate is the other's
    filled = np.where(sizes > 0, rates, np.where(sizes[::-1] > 0, rates[::-1], 0.0))
    mean_rates, plan = filled.mean(axis=0), SwitchPlan.all_orders(factors)
    parts = [_part_of_factor(effects, mean_rates, plan, f) for f in range(factors)]
    parts += [_part_of_rates(sizes, filled, part) for part in ([every] if cells is None else cells)]
    values, by_size, by_rate = np.zeros(len(parts)), np.zeros((2, len(parts), count)), np.zeros((2, len(parts), count))
    for i, (value, in_effects, in_sizes, in_rates) in enumerate(parts):
        values[i] = value
        for g in range(2):
            by_size[g, i] += in_sizes[g]
            by_rate[g, i] += in_rates[g] * (sizes[g] > 0)
            by_rate[1 - g, i] += in_rates[g] * (sizes[g] == 0)
            for f in range(in_effects.shape[1]):
                by_size[g, i] += _effect_slope(in_effects[g, f] * effects[g, f], sizes[g], levels, f)
    return RateParts(values, by_size, by_rate)


_Part: TypeAlias = tuple[float, FloatArray, FloatArray, FloatArray]
"""A part of the gap, and its derivatives in effects (2, K, C), in sizes (2, C) and in rates (2, C)."""


def _part_of_factor(effects: FloatArray, mean_rates: FloatArray, plan: SwitchPlan, place: int) -> _Part:
    """Part of the composition by one factor, at the mean of both populations' rates."""
    n = effects.shape[1]
    products, slopes = np.zeros(len(mean_rates)), np.zeros(effects.shape)
    # part = sum_S s_S sum_c rbar_c prod_f v_fc, v_f of the second population for f in S, of the first for others;
    # its derivative in v_fc is sum_S s_S rbar_c prod_{h != f} v_hc, in each r_c half of sum_S s_S prod_f v_fc
    for subset, sign in zip(plan.subsets, plan.signs[:, place], strict=True):
        population = subset.astype(int)
        chosen = effects[population, np.arange(n)]
        products += sign * np.prod(chosen, axis=0)
        for f in range(n):
            slopes[population[f], f] += sign * mean_rates * np.prod(np.delete(chosen, f, axis=0), axis=0)
    return float(products @ mean_rates), slopes, np.zeros((2, len(mean_rates))), np.tile(products / 2, (2, 1))


def _part_of_rates(sizes: FloatArray, rates: FloatArray, cells: IntArray) -> _Part:
    """Part of the rates of some cells, at the mean of both populations' shares."""
    # part = sum_c sbar_c (r_1c - r_2c), s_gc = n_gc / n_g:
    # d part / d n_gk = (d_k / 2 - sum_c d_c s_gc / 2) / n_g with d_c = r_1c - r_2c in the cells, 0 elsewhere
    totals = sizes.sum(axis=1, keepdims=True)
    shares = sizes / totals
    gap, mean_shares = np.zeros(sizes.shape[1]), np.zeros(sizes.shape[1])
    gap[cells], mean_shares[cells] = (rates[0] - rates[1])[cells], shares.mean(axis=0)[cells]
    in_sizes = (gap - (shares @ gap)[:, None]) / (2 * totals)
    no_effects = np.zeros((2, 0, len(gap)))
    return float(mean_shares @ gap), no_effects, in_sizes, np.stack([mean_shares, -mean_shares])


def _subsets(factors: int, place: int) -> list[tuple[tuple[int, ...], float]]:
    """Sets of factors that may stand before one, and the share of orders in which they do."""
    plan = SwitchPlan.all_orders(factors)
    pairs = zip(plan.subsets, plan.signs[:, place], strict=True)
    return [(tuple(np.flatnonzero(subset)), share) for subset, share in pairs if share > 0]


def _margin(sizes: FloatArray, levels: IntArray, subset: Sequence[int]) -> tuple[FloatArray, IntArray]:
    """Size of everybody who shares the levels of some factors with a cell, and the number of that group."""
    if not subset:
        return np.full(len(sizes), sizes.sum()), np.zeros(len(sizes), dtype=np.intp)
    codes = np.unique(levels[:, list(subset)], axis=0, return_inverse=True)[1].ravel()
    totals: FloatArray = np.bincount(codes, weights=sizes).astype(float)
    return totals[codes], codes


def _effect(sizes: FloatArray, levels: IntArray, place: int) -> FloatArray:
    """Effect of one factor's composition in every cell; zero where a cell is empty."""
    # log A_c = sum_S w_S (log n_c(S and A) - log n_c(S)), n_c(S) those who share the levels of the factors S with c
    log_effect = np.zeros(len(sizes))
    with np.errstate(divide="ignore"):
        for subset, share in _subsets(levels.shape[1], place):
            inner, outer = (_margin(sizes, levels, s)[0] for s in ((*subset, place), subset))
            log_effect += share * (np.log(inner) - np.log(np.where(outer > 0, outer, 1.0)))
    return np.asarray(np.where(sizes > 0, np.exp(log_effect), 0.0))


def _effect_slope(weighted: FloatArray, sizes: FloatArray, levels: IntArray, place: int) -> FloatArray:
    """Derivative in the sizes of a sum over cells whose terms are proportional to the effect."""
    # d sum_c t_c / d n_k = sum_S w_S sum_c t_c (1{c, k alike in S and A} / n_c(S and A) - 1{alike in S} / n_c(S))
    slope = np.zeros(len(sizes))
    for subset, share in _subsets(levels.shape[1], place):
        for sign, chosen in ((1.0, (*subset, place)), (-1.0, subset)):
            margin, codes = _margin(sizes, levels, chosen)
            term = np.divide(weighted, margin, out=np.zeros_like(weighted), where=margin > 0)
            slope += sign * share * np.bincount(codes, weights=term)[codes]
    return slope
