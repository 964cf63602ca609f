"""Split samples: one half's premium is an instrument for the other's.

Workers are halved at random, and every premium and rate is estimated on each half. The halves' errors are unrelated, so

    b = sum (p_A'M y_B + p_B'M y_A) / sum (p_A'M p_B + p_B'M p_A),

M the annihilator of the controls, the sums over repeated splits. No error covariance is needed, and the rate of the
half that the instrument does not come from is used, so that related errors of premiums and rates do no harm.

References
----------
Angrist, J. D. and A. B. Krueger (1995). Split-sample instrumental variables estimates of the return to schooling.
Journal of Business & Economic Statistics 13, 225-235.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, IdentificationError
from wagegap.regression.link.estimators.estimator import Half, LinkFit, Options
from wagegap.regression.link.problem import LinkProblem

__all__ = ["SplitFit", "estimate", "fit_split", "in_every_half"]


@dataclass(frozen=True, slots=True, eq=False)
class SplitFit:
    """A split-sample fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients.
    cov : ndarray, shape (k, k)
        Sandwich, n / (n - k).
    """

    params: FloatArray
    cov: FloatArray


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Split samples as an estimator of the link, on the cells that every half has."""
    j, there = problem.estimated[0], in_every_half(options.pairs)
    if there.sum() <= problem.k:
        raise DataError(f"{int(there.sum())} cells have enough workers in both halves: too few to split.")
    fit = fit_split(problem.x[there], j, _among(options.pairs, there))
    without = np.full(problem.n, np.nan)
    for i in np.flatnonzero(there):
        rows = there & (np.arange(problem.n) != i)
        without[i] = fit_split(problem.x[rows], j, _among(options.pairs, rows)).params[j]
    return LinkFit(fit.params, fit.cov, f"{len(options.pairs)} random halvings, sandwich", without=without)


def in_every_half(pairs: Sequence[tuple[Half, Half]]) -> BoolArray:
    """Cells that have a rate and a premium in every half."""
    there = [np.isfinite(half.y) & np.isfinite(half.p) for pair in pairs for half in pair]
    return np.asarray(np.all(there, axis=0))


def _among(pairs: Sequence[tuple[Half, Half]], rows: BoolArray) -> list[tuple[Half, Half]]:
    return [(Half(a.y[rows], a.p[rows]), Half(b.y[rows], b.p[rows])) for a, b in pairs]


def fit_split(x: FloatArray, estimated: int, pairs: Sequence[tuple[Half, Half]]) -> SplitFit:
    """Fit by split samples.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors; the premium's column is replaced by the halves'.
    estimated : int
        Position of the premium.
    pairs : sequence of pairs of Half
        Random halvings.

    Raises
    ------
    IdentificationError
        When the halves' premiums are unrelated.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.0, 1.0, 2.0, 4.0])
    >>> half = Half(3 * p + 1, p)
    >>> fit_split(np.column_stack([p, np.ones(4)]), 0, [(half, half)]).params.round(10)
    array([3., 1.])
    """
    n, k = x.shape
    # W the instruments' half, X and y the other: sum W'X b = sum W'y over both directions of every pair
    designs = [
        (_with_column(x, estimated, z.p), _with_column(x, estimated, other.p), other.y)
        for a, b in pairs
        for z, other in ((a, b), (b, a))
    ]
    moments = np.mean([w.T @ design for w, design, _ in designs], axis=0)
    others = np.delete(np.arange(k), estimated)
    inner, side = moments[np.ix_(others, others)], moments[others, estimated]
    strength = moments[estimated, estimated] - moments[estimated, others] @ np.linalg.lstsq(inner, side, rcond=None)[0]
    if strength <= 0:
        raise IdentificationError(
            "premiums of one half of the workers say nothing of those of the other: their spread is all sampling error."
        )
    bread = np.linalg.inv(moments)
    params = bread @ np.mean([w.T @ y for w, _, y in designs], axis=0)
    # V = n / (n - k) B sum_a s_a s_a' B', s_a the mean of w_a (y_a - x_a'b)
    scores = np.mean([w * (y - design @ params)[:, None] for w, design, y in designs], axis=0)
    return SplitFit(params, n / (n - k) * bread @ (scores.T @ scores) @ bread.T)


def _with_column(x: FloatArray, j: int, values: FloatArray) -> FloatArray:
    out = x.copy()
    out[:, j] = values
    return out
