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

import numpy as np

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, IdentificationError
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem

__all__ = ["estimate", "fit_split", "in_every_half"]


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Split samples as an estimator of the link, on the cells that every half has."""
    j, halves = problem.estimated[0], options.halves
    assert halves is not None
    there = in_every_half(halves)
    if there.sum() <= problem.k:
        raise DataError(f"{int(there.sum())} cells have enough workers in both halves: too few to split.")
    params, cov = fit_split(problem.x[there], j, halves[..., there])
    without = np.full(problem.n, np.nan)
    for i in np.flatnonzero(there):
        rows = there & (np.arange(problem.n) != i)
        without[i] = fit_split(problem.x[rows], j, halves[..., rows])[0][j]
    return LinkFit(params, cov, f"{len(halves)} random halvings, sandwich", without=without)


def in_every_half(halves: FloatArray) -> BoolArray:
    """Cells that have a rate and a premium in every half."""
    return np.asarray(np.isfinite(halves).all(axis=(0, 1, 2)))


def fit_split(x: FloatArray, estimated: int, halves: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Fit by split samples.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors; the premium's column is replaced by the halves'.
    estimated : int
        Position of the premium.
    halves : ndarray, shape (S, 2, 2, n)
        Of each random halving and each of its halves, rates and premiums.

    Returns
    -------
    tuple of ndarray
        Coefficients (k,) and their sandwich (k, k), n / (n - k).

    Raises
    ------
    IdentificationError
        When the halves' premiums are unrelated.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.0, 1.0, 2.0, 4.0])
    >>> half = 3 * p + 1, p
    >>> fit_split(np.column_stack([p, np.ones(4)]), 0, np.array([[half, half]]))[0].round(10)
    array([3., 1.])
    """
    n, k = x.shape
    # W the instruments' half, X and y the other: sum W'X b = sum W'y over both directions of every pair
    y = halves[:, :, 0]
    designs = np.broadcast_to(x, (*y.shape, k)).copy()
    designs[..., estimated] = halves[:, :, 1]
    w = designs[:, ::-1]
    moments = np.einsum("shnj,shnk->jk", w, designs) / (2 * len(y))
    others = np.delete(np.arange(k), estimated)
    inner, side = moments[np.ix_(others, others)], moments[others, estimated]
    strength = moments[estimated, estimated] - moments[estimated, others] @ np.linalg.lstsq(inner, side, rcond=None)[0]
    if strength <= 0:
        raise IdentificationError(
            "premiums of one half of the workers say nothing of those of the other: their spread is all sampling error."
        )
    bread = np.linalg.inv(moments)
    params = bread @ np.einsum("shnj,shn->j", w, y) / (2 * len(y))
    # V = n / (n - k) B sum_a s_a s_a' B', s_a the mean of w_a (y_a - x_a'b)
    scores = np.mean(w * (y - designs @ params)[..., None], axis=(0, 1))
    return params, n / (n - k) * bread @ (scores.T @ scores) @ bread.T
