"""Fairlie's decomposition of a gap in rates: rows of two groups are matched by rank, and regressors are switched.

Both groups are ranked by their predicted probability at reference coefficients and rows of equal rank form pairs. In
each pair the first group's regressors are replaced, block after block, by the second's; a block's part of the gap is
the fall of the mean probability when it is replaced. The part depends on the order of the blocks; averaged over all
orders it is the Shapley value, which needs the 2^K subsets of the K blocks, not their K! orders.

Matching by the quantiles of both weighted distributions is the limit of matching random subsamples of equal size, and
has no simulation error. A block's part is then a functional of the two distributions: with h(x, z) the fall in a pair
and m(u, v) its mean over rows of rank u in the first group and v in the second, the influence of a row of the first
group is

    m(x) - D + integral of dm/dv(u, u) (1{u >= rank of x} - u) du,

its own pairs, and the shift of everybody else's rank; likewise for the second group.

References
----------
Fairlie, R. (1999). The absence of the African-American owned business. Journal of Labor Economics 17, 80-108.
Fairlie, R. (2005). An extension of the Blinder-Oaxaca decomposition technique to logit and probit models. Journal of
Economic and Social Measurement 30, 305-316.
Shorrocks, A. (2013). Decomposition procedures for distributional analysis: a unified framework based on the Shapley
value. Journal of Economic Inequality 11, 99-126.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial

import numpy as np

from wagegap._typing import BoolArray, FloatArray, IntArray, RngLike
from wagegap.estimation.likelihood.binary import LinkFunction, probability, slope

__all__ = [
    "Pairs",
    "Side",
    "SwitchPlan",
    "match_draws",
    "match_quantiles",
    "switch_gradient",
    "switch_influence",
    "switch_parts",
]


_WIDTH = 0.25  # of the ranks that count as near, times n^(-1/3)
_PARTNERS = 10


@dataclass(frozen=True, slots=True, eq=False)
class SwitchPlan:
    """Which subsets of blocks are switched, and what each subset counts for.

    Attributes
    ----------
    subsets : ndarray of bool, shape (S, K)
        Blocks that are the second group's.
    signs : ndarray, shape (S, K)
        Weight of the mean probability under each subset in the part of each block.
    """

    subsets: BoolArray
    signs: FloatArray

    @classmethod
    def all_orders(cls, blocks: int) -> SwitchPlan:
        """Average over all orders.

        >>> SwitchPlan.all_orders(2).signs[0]
        array([0.5, 0.5])
        """
        # Shapley: block k is switched after the s blocks of S in s! (K - 1 - s)! of the K! orders
        subsets = (np.arange(2**blocks)[:, None] >> np.arange(blocks)) % 2 == 1
        share = np.array([factorial(s) * factorial(blocks - 1 - s) / factorial(blocks) for s in range(blocks)])
        earlier = subsets.sum(axis=1, keepdims=True) - subsets
        return cls(subsets, np.where(subsets, -share[earlier], share[earlier]))

    @classmethod
    def orders(cls, orders: Sequence[Sequence[int]], blocks: int) -> SwitchPlan:
        """Average over the orders given.

        >>> SwitchPlan.orders([[1, 0]], 2).subsets.astype(int).tolist()
        [[0, 0], [0, 1], [1, 1]]
        """
        signs: dict[tuple[bool, ...], FloatArray] = {}
        for order in orders:
            state = [False] * blocks
            for block in order:
                signs.setdefault(tuple(state), np.zeros(blocks))[block] += 1 / len(orders)
                state[block] = True
                signs.setdefault(tuple(state), np.zeros(blocks))[block] -= 1 / len(orders)
        return cls(np.array(list(signs)), np.array(list(signs.values())))


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One group, rows of the same regressors as one, so that the order of the rows of the data has no part in it.

    Attributes
    ----------
    x : ndarray, shape (u, k)
        Regressors, each once.
    weights : ndarray, shape (u,)
        Weights of all rows that have them.
    parts : ndarray, shape (u, K)
        x'b by block.
    order : ndarray of int, shape (u,)
        Positions in x from the lowest index to the highest.
    upper : ndarray, shape (u,)
        Share of the weight up to and with each of that order.
    place : ndarray of int, shape (n,)
        Position in x of every row.
    row_weights : ndarray, shape (n,)
        Weights of the rows.
    counts : ndarray of int, shape (u,)
        Observations with each regressors: rows, or under frequency weights what they stand for.
    is_weighted : bool
        Whether weights differ between observations.
    """

    x: FloatArray
    weights: FloatArray
    parts: FloatArray
    order: IntArray
    upper: FloatArray
    place: IntArray
    row_weights: FloatArray
    counts: IntArray
    is_weighted: bool

    @classmethod
    def of(
        cls,
        x: FloatArray,
        weights: FloatArray,
        coef: FloatArray,
        blocks: FloatArray,
        repeats: FloatArray | None = None,
    ) -> Side:
        """Rank the rows; `blocks` (K, k) says which columns each block holds, `repeats` (n,) how many each row is."""
        order, place = _ranked(x, x @ coef)
        first = np.empty(len(order), dtype=np.intp)
        first[place] = np.arange(len(x))
        once, total = x[first], np.bincount(place, weights=weights, minlength=len(first)).astype(float)
        running = np.cumsum(total[order])
        counts = np.bincount(place, weights=repeats, minlength=len(first)).astype(np.intp)
        is_weighted = bool(np.ptp(weights if repeats is None else weights / repeats) > 0)
        return cls(
            once, total, (once * coef) @ blocks.T, order, running / running[-1], place, weights, counts, is_weighted
        )  # fmt: skip

    @property
    def observations(self) -> int:
        """Number of observations."""
        return int(self.counts.sum())

    def at(self, ranks: FloatArray) -> IntArray:
        """Positions in x at some ranks between zero and one."""
        return np.asarray(self.order[np.minimum(np.searchsorted(self.upper, ranks), len(self.order) - 1)])

    def of_rows(self, influence: FloatArray) -> FloatArray:
        """Share out an influence, (u, K), among the rows of the same regressors by weight: (n, K)."""
        each = np.divide(
            influence, self.weights[:, None], out=np.zeros_like(influence), where=self.weights[:, None] > 0
        )  # fmt: skip
        return np.asarray(each[self.place] * self.row_weights[:, None])


def _ranked(x: FloatArray, index: FloatArray) -> tuple[IntArray, IntArray]:
    """Distinct regressors by their index, those of one index by the regressors; and which of them each row has.

    Indices count as equal to ten digits of the largest, so that rounding in the coefficients changes no order.
    """
    rounded = np.round(index / (float(np.abs(index).max(initial=0.0)) or 1.0), 10)
    order = np.argsort(rounded, kind="stable")
    starts = np.r_[True, np.diff(rounded[order]) > 0]
    tied = ~(starts & np.r_[starts[1:], True])
    if not tied.any():
        return order, np.arange(len(order))
    rows = order[tied]
    order[tied] = rows[np.lexsort((*x[rows].T[::-1], rounded[rows]))]
    same = np.flatnonzero(~starts)
    starts[same] = (x[order[same]] != x[order[same - 1]]).any(axis=1)
    place = np.empty(len(order), dtype=np.intp)
    place[order] = np.cumsum(starts) - 1
    return np.arange(place.max() + 1), place


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Matched rows.

    Attributes
    ----------
    first, second : ndarray of int, shape (p,)
        Positions in the regressors of the two groups.
    weights : ndarray, shape (p,)
        Weights, which sum to one.
    ranks : ndarray, shape (p,)
        Rank at which they meet.
    """

    first: IntArray
    second: IntArray
    weights: FloatArray
    ranks: FloatArray


def match_quantiles(first: Side, second: Side) -> Pairs:
    """Match equal shares of the two ranked distributions.

    >>> one, column = np.ones(2), np.array([[1.0], [2.0]])
    >>> side = Side.of(column, one, one[:1], np.ones((1, 1)))
    >>> match_quantiles(side, side).weights
    array([0.5, 0.5])
    """
    ends = np.union1d(np.round(first.upper, 14), np.round(second.upper, 14))
    ends = ends[ends > 0]
    width = np.diff(ends, prepend=0.0)
    middle = ends - width / 2
    return Pairs(first.at(middle), second.at(middle), width / width.sum(), middle)


def match_draws(first: Side, second: Side, reps: int, rng: RngLike) -> Pairs:
    """Match by rank, `reps` times, as many rows as the smaller group has.

    Without weights the larger group is drawn without replacement; with weights both are drawn in proportion to them.
    """
    generator, m = np.random.default_rng(rng), min(first.observations, second.observations)
    weighted = first.is_weighted or second.is_weighted
    rows_a, rows_b = (_ranked_draws(side, m, reps, generator, weighted=weighted) for side in (first, second))
    ranks = np.tile((np.arange(m) + 0.5) / m, reps)
    return Pairs(rows_a, rows_b, np.full(m * reps, 1 / (m * reps)), ranks)


def _ranked_draws(side: Side, m: int, reps: int, rng: np.random.Generator, *, weighted: bool) -> IntArray:
    """Positions in x of `reps` subsamples of one group, each in order of rank."""
    n = side.observations
    if weighted:
        return side.at(np.concatenate([np.sort(rng.random(m)) for _ in range(reps)]))
    in_order = np.repeat(side.order, side.counts[side.order])
    draws = [np.arange(n)] * reps if n == m else [np.sort(rng.choice(n, m, replace=False)) for _ in range(reps)]
    return np.asarray(in_order[np.concatenate(draws)])


def switch_parts(first: Side, second: Side, pairs: Pairs, link: LinkFunction, plan: SwitchPlan) -> FloatArray:
    """Return the parts of the blocks, shape (K,).

    Parameters
    ----------
    first, second : Side
        The groups.
    pairs : Pairs
        Matched rows.
    link : str
        Distribution function of the index.
    plan : SwitchPlan
        Orders.
    """
    parts_x, parts_z = first.parts[pairs.first], second.parts[pairs.second]
    # with x_S the row x whose blocks in S are those of z: D_k = sum_S s_Sk sum_p w_p F(x_S'b)
    means = [
        pairs.weights @ probability(np.where(subset, parts_z, parts_x).sum(axis=1), link) for subset in plan.subsets
    ]
    return np.asarray(np.array(means) @ plan.signs)


def switch_gradient(
    first: Side, second: Side, pairs: Pairs, blocks: FloatArray, link: LinkFunction, plan: SwitchPlan
) -> FloatArray:
    """Return derivatives of the parts in the coefficients while the pairs are held, shape (K, k).

    `blocks` (K, k) is one where a column belongs to a block; every column belongs to one.
    """
    x, z = first.x[pairs.first], second.x[pairs.second]
    parts_x, parts_z = first.parts[pairs.first], second.parts[pairs.second]
    gradient = np.zeros((len(blocks), x.shape[1]))
    # d D_k / db = sum_S s_Sk sum_p w_p f(x_S'b) x_S
    for subset, sign in zip(plan.subsets, plan.signs, strict=True):
        density = pairs.weights * slope(np.where(subset, parts_z, parts_x).sum(axis=1), link)
        gradient += sign[:, None] * np.where(subset @ blocks > 0, density @ z, density @ x)
    return gradient


def switch_influence(first: Side, second: Side, link: LinkFunction, plan: SwitchPlan) -> tuple[FloatArray, FloatArray]:
    """Return the influence of the rows of both groups on the parts at given coefficients, (n, K) and (m, K)."""
    pairs = match_quantiles(first, second)
    influence = []
    # of a row: m(x) - D + int dm/dv (1{u >= rank of x} - u) du, as sums over the pairs; D and the integral of u dm/dv
    # are the same for all, and leave with the mean
    for side, rows in ((first, pairs.first), (second, pairs.second)):
        level, by_rank = _near(first, second, pairs.ranks, rows, side is first, link, plan)
        by_rank = by_rank * pairs.weights[:, None]
        shift = np.cumsum(by_rank[::-1], axis=0)[::-1]
        total = (level + shift) * pairs.weights[:, None]
        sums = np.stack([np.bincount(rows, weights=column, minlength=len(side.x)) for column in total.T], axis=1)
        influence.append(side.of_rows(sums - sums.sum(axis=0) * (side.weights / side.weights.sum())[:, None]))
    return influence[0], influence[1]


def _near(
    first: Side, second: Side, ranks: FloatArray, rows: IntArray, of_first: bool, link: LinkFunction, plan: SwitchPlan
) -> tuple[FloatArray, FloatArray]:
    """Mean fall of each row with partners of about its rank, and its slope in their rank, by a local line.

    The mean is over many partners: with one each, what is peculiar to a partner would count for both groups.
    """
    width = _WIDTH * min(first.observations, second.observations) ** (-1 / 3)
    near = np.clip(ranks + np.linspace(-width, width, _PARTNERS)[:, None], 1e-12, 1 - 1e-12)
    pairs = [(rows, second.at(n)) if of_first else (first.at(n), rows) for n in near]
    # least squares line of each row's falls h_o in its distances d_o: its value at distance zero, and its slope
    d, h = near - ranks, np.array([_falls(first, second, *pair, link, plan) for pair in pairs])
    d_mean, h_mean = d.mean(axis=0), h.mean(axis=0)
    centred = d - d_mean
    slope = np.einsum("op,opk->pk", centred, h) / (centred**2).sum(axis=0)[:, None]
    return h_mean - slope * d_mean[:, None], slope


def _falls(
    first: Side, second: Side, rows: IntArray, others: IntArray, link: LinkFunction, plan: SwitchPlan
) -> FloatArray:
    """Fall of the probability in each pair by block, shape (p, K)."""
    parts_x, parts_z = first.parts[rows], second.parts[others]
    falls = np.zeros(parts_x.shape)
    for subset, sign in zip(plan.subsets, plan.signs, strict=True):
        falls += probability(np.where(subset, parts_z, parts_x).sum(axis=1), link)[:, None] * sign
    return falls
