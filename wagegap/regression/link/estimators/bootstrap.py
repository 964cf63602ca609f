"""Two-stage bootstrap: workers within countries give the errors, countries the distribution of the slope.

The joint covariance of premiums and rates is that of resamples of workers within countries. Then countries are
resampled, and the slope is corrected with that covariance in each draw. The interval is of percentiles, which lie as
far out as a t interval with n - k degrees of freedom asks for.

References
----------
Hesterberg, T. (2015). What teachers should know about the bootstrap. The American Statistician 69, 371-386.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from wagegap._typing import FloatArray
from wagegap.errors import IdentificationError
from wagegap.regression.link.estimators.eiv import slopes_without
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem

__all__ = ["estimate", "expanded_percentiles", "fit_bootstrap"]


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Two-stage bootstrap as an estimator of the link: the problem holds the covariance of resampled workers."""
    params, cov, slopes = fit_bootstrap(problem, options.draws, np.random.default_rng(options.rng))
    lost = int((~np.isfinite(slopes)).sum())
    interval_at = partial(expanded_percentiles, slopes, problem.n, problem.n - problem.k)
    return LinkFit(
        params, cov, f"{options.draws:,} two-stage bootstrap draws; interval by percentiles",
        notes=(f"In {lost} draws of countries no corrected slope exists.",) if lost else (),
        without=slopes_without(problem), problem=problem, slopes=slopes, interval=interval_at(),
        interval_at=interval_at,
    )  # fmt: skip


def fit_bootstrap(
    problem: LinkProblem, reps: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Resample countries and correct the slope in every draw.

    Parameters
    ----------
    problem : LinkProblem
        Data, with the covariance that the first stage's bootstrap gave.
    reps : int
        Draws.
    rng : Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray
        Coefficients (k,), corrected with the bootstrap's covariance, the covariance (k, k) of the draws within their
        central 98 %, and the slopes of all draws (R,): infinite where a draw has no corrected slope.

    Raises
    ------
    IdentificationError
        When hardly any draw identifies the slope.
    """
    n, k = problem.x.shape
    at, exact = (np.array(columns, dtype=np.intp) for columns in (problem.estimated, problem.exact))
    # Counts f_ra of the multinomial; the first row is the data as they are.
    counts = rng.multinomial(n, np.full(n, 1 / n), size=reps + 1).astype(float)
    counts[0] = 1.0
    # X'F_r X less sum_a f_a (1 - h_a) V_pp,aa, and X'F_r y less sum_a f_a (1 - h_a) V_py,aa, h the leverage of controls
    moments = np.einsum("rn,nj,nk->rjk", counts, problem.x, problem.x)
    right = np.einsum("rn,nj,n->rj", counts, problem.x, problem.y)
    draws = np.arange(reps + 1)
    of_exact = moments[np.ix_(draws, exact, exact)]
    # A column that a draw lacks counts for none.
    inverse = np.linalg.pinv(of_exact, hermitian=True)
    leverage = np.einsum("rjk,nj,nk->rn", inverse, problem.controls, problem.controls)
    share = counts * np.maximum(1 - leverage, 0.0)
    moments[np.ix_(draws, at, at)] -= np.einsum("rn,jlnn->rjl", share, problem.v_x)
    right[:, at] -= np.einsum("rn,jnn->rj", share, problem.v_xy)
    # Draws in which the corrected M_pp - M_pz M_zz^-1 M_zp is positive definite
    cross = moments[np.ix_(draws, at, exact)]
    given = moments[np.ix_(draws, at, at)] - cross @ inverse @ np.swapaxes(cross, 1, 2)
    full = np.linalg.matrix_rank(of_exact, hermitian=True) == len(exact)
    exists = (np.linalg.eigvalsh(given)[:, 0] > 0) & full
    if exists.mean() < 0.5 or not exists[0]:
        also = "" if exists[0] else ", and in the data,"
        raise IdentificationError(
            f"in {int((~exists[1:]).sum())} of {reps} draws{also} the premiums vary "
            "no more than their errors: no interval is given."
        )
    params = np.full((reps + 1, k), np.inf)
    params[exists] = np.linalg.solve(moments[exists], right[exists][..., None])[..., 0]
    slopes = params[1:, at[0]]
    low, high = np.quantile(slopes, [0.01, 0.99], method="inverted_cdf")
    central = params[1:][(slopes >= low) & (slopes <= high) & np.isfinite(slopes)]
    return params[0], np.cov(central, rowvar=False).reshape(k, k), slopes


def expanded_percentiles(slopes: FloatArray, n: int, df: int, alpha: float = 0.05) -> tuple[float, float]:
    """Percentiles that lie as far out as a t interval would, at tails Phi(-(n / df)^(1/2) t).

    >>> import numpy as np
    >>> low, high = expanded_percentiles(np.random.default_rng(0).standard_normal(200_000), 20, 18)
    >>> round(high, 1)
    2.2
    """
    tail = float(stats.norm.sf(np.sqrt(n / df) * stats.t.isf(alpha / 2, df)))
    low, high = np.quantile(slopes, [tail, 1 - tail], method="inverted_cdf").tolist()
    return low, high
