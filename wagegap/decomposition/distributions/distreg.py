"""Distribution regression: the conditional distribution of an outcome, threshold by threshold.

At each of many thresholds t the probability that the outcome is at most t is fitted as a binary response, F(t | x) =
Lambda(x'b(t)), with coefficients that differ freely along the distribution: pay need not be continuous, and its mass
points do no harm. All thresholds are carried forward together. Under other weights two Newton steps from the sample's
coefficients are taken, the first with derivatives that all replicates share; the distance to the full fit is then of
a smaller order than that of any bootstrap. The linear model is exact after one.

At thresholds in the far tail a regressor may separate the few outcomes on one side from the rest. There is then no
maximum; the steps stop where the likelihood no longer rises noticeably, at fitted probabilities of nearly zero or one.

References
----------
Chernozhukov, V., I. Fernandez-Val and B. Melly (2013). Inference on counterfactual distributions. Econometrica 81,
2205-2268.
Foresi, S. and F. Peracchi (1995). The conditional distribution of excess returns: an empirical analysis. Journal of
the American Statistical Association 90, 451-466.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, listing
from wagegap.estimation.least_squares.moments import row_blocks
from wagegap.estimation.likelihood.binary import LinkFunction, fit_binary_many, probability, slope
from wagegap.estimation.likelihood.newton_update import NewtonUpdate, newton_update

__all__ = [
    "DistributionFit",
    "average_distribution",
    "choose_thresholds",
    "distribution_update",
    "fit_distribution",
    "refit_distribution",
]

_STEPS = 25
_AT_ONCE = 1 << 22  # outcomes, rows times thresholds, that are held together
_STORED = 1 << 25  # rows times thresholds beyond which derivatives are not kept
_FARTHEST = 3.0  # largest change of an index in the shared step; farther steps are shortened


@dataclass(frozen=True, slots=True, eq=False)
class DistributionFit:
    """A distribution regression.

    Attributes
    ----------
    link : str
        Logit, probit, cloglog or lpm.
    thresholds : ndarray, shape (m,)
        Thresholds, increasing; the last is the largest outcome, where the distribution is one.
    complete : bool
        Whether every value of the outcome is a threshold.
    params : ndarray, shape (m - 1, k)
        Coefficients at all but the last; zero for a column that others make.
    converged : ndarray of bool, shape (m - 1,)
        False where the outcomes are separated.
    """

    link: LinkFunction
    thresholds: FloatArray
    complete: bool
    params: FloatArray
    converged: BoolArray


def choose_thresholds(y: FloatArray, number: int) -> tuple[FloatArray, bool]:
    """Return at most so many values of the outcome, evenly spread over its distinct values, and whether it is all.

    The smallest and the largest value, and between them those at floor((i - 1/2) L / (m - 2)) of L distinct values, as
    in R's Counterfactual.

    >>> choose_thresholds(np.array([3.0, 1.0, 2.0, 2.0]), 10)
    (array([1., 2., 3.]), True)
    >>> choose_thresholds(np.arange(100.0), 6)
    (array([ 0., 11., 36., 61., 86., 99.]), False)
    """
    values = np.unique(y)
    if number >= len(values):
        return values, True
    inner = number - 2
    place = np.floor((np.arange(1, inner + 1) - 0.5) / inner * len(values)).astype(np.intp)
    place = np.concatenate([[1], place[place > 0], [len(values)]]) - 1
    return values[np.unique(place)], False


def fit_distribution(
    y: FloatArray,
    x: FloatArray,
    thresholds: FloatArray,
    weights: FloatArray | None = None,
    link: LinkFunction = "logit",
    *,
    complete: bool = False,
) -> DistributionFit:
    """Fit the probability of an outcome up to each threshold.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    thresholds : ndarray, shape (m,)
        Increasing values; those at or above the largest outcome count once, as where the distribution is one.
    weights : ndarray, shape (n,), optional
        Weights, not negative.
    link : {"logit", "probit", "cloglog", "lpm"}
        Distribution function of the index.
    complete : bool
        Whether the thresholds are all values of the outcome.

    Raises
    ------
    DataError
        For thresholds below every outcome, or fewer than two usable ones.

    Examples
    --------
    >>> y, x = np.array([1.0, 2.0, 2.0, 3.0]), np.ones((4, 1))
    >>> fit = fit_distribution(y, x, np.array([1.0, 2.0, 3.0]))
    >>> average_distribution(fit, fit.params, x, np.ones(4)).round(6)
    array([0.25, 0.75])
    """
    used = y if weights is None else y[weights > 0]
    low, high = float(used.min()), float(used.max())
    if low == high:
        raise DataError(f"the outcome is {low:g} in all {len(used):,} rows: there is no distribution to fit.")
    below = thresholds[thresholds < low]
    if below.size:
        raise DataError(
            f"{below.size} of {thresholds.size} thresholds lie below the smallest outcome, {low:g}: {listing(below)}. "
            "Nobody is at or below them; leave them out."
        )
    inner = thresholds[thresholds < high]
    if not inner.size:
        raise DataError(f"no threshold lies below the largest outcome, {high:g}: everybody is at or below all of them.")
    w = None if weights is None else weights[None]
    parts = [fit_binary_many(outcome, x, w, link, steps=_STEPS) for _, outcome in _outcomes(y, inner)]
    params, converged = (np.concatenate([getattr(part, name) for part in parts]) for name in ("params", "converged"))
    return DistributionFit(link, np.append(inner, high), complete, params, converged)


def _outcomes(y: FloatArray, thresholds: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Indicators of outcomes up to some thresholds at a time, shape (b, n)."""
    for some in row_blocks(len(thresholds), max(_AT_ONCE // len(y), 1)):
        yield some, (y <= thresholds[some, None]).astype(np.float64)


def distribution_update(fit: DistributionFit, y: FloatArray, x: FloatArray, weights: FloatArray) -> NewtonUpdate | None:
    """Prepare Newton steps to other weights; none where the derivatives of so many rows are not kept."""
    if len(y) * len(fit.params) > _STORED:
        return None

    # Log likelihood of 1{y <= t} at p = Lambda(v): score (1{y <= t} - p) p' / (p (1 - p)), expected curvature
    # p'^2 / (p (1 - p)); least squares in the linear model
    def moments(j: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        index = x @ fit.params[j]
        p, dp = probability(index, fit.link), slope(index, fit.link)
        return p, dp, np.ones_like(p) if fit.link == "lpm" else np.maximum(p * (1 - p), 1e-12)

    def scores(j: int) -> FloatArray:
        p, dp, variance = moments(j)
        return np.asarray(((y <= fit.thresholds[j]) - p) * dp / variance)

    def curvature(j: int) -> FloatArray:
        _, dp, variance = moments(j)
        return np.asarray(dp**2 / variance)

    return newton_update(x, weights, len(fit.params), scores, curvature)


def refit_distribution(
    fit: DistributionFit,
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    update: NewtonUpdate | None = None,
    *,
    exact: bool = False,
) -> FloatArray:
    """Return the coefficients under other weights, shape (m - 1, k).

    Parameters
    ----------
    fit : DistributionFit
        The fit of the sample.
    y, x : ndarray
        The sample.
    weights : ndarray, shape (n,)
        Other weights.
    update : NewtonUpdate, optional
        Shared derivatives at the fit; the first of two steps is then cheap.
    exact : bool
        Steps until they are negligible, instead of two.
    """
    start = fit.params
    if update is not None:
        start = start + _shortened(update.step(weights), x)
        if fit.link == "lpm":
            return start
    steps = _STEPS if exact else (2 if update is None else 1)
    out = np.empty_like(start)
    for some, outcome in _outcomes(y, fit.thresholds[:-1]):
        out[some] = fit_binary_many(outcome, x, weights[None], fit.link, start=start[some], steps=steps).params
    return out


def _shortened(step: FloatArray, x: FloatArray) -> FloatArray:
    """Keep indices from moving far in one step."""
    blocks = row_blocks(len(step), max(_AT_ONCE // len(x), 1))
    farthest = np.concatenate([np.abs(step[some] @ x.T).max(axis=1) for some in blocks])
    return np.asarray(step * (_FARTHEST / np.maximum(farthest, _FARTHEST))[:, None])


def average_distribution(fit: DistributionFit, params: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the average over rows of fitted probabilities at all thresholds but the last, shape (m - 1,)."""
    total = np.zeros(len(params))
    for rows in row_blocks(len(x), max(_AT_ONCE // len(params), 1)):
        total += probability(params @ x[rows].T, fit.link) @ weights[rows]
    return np.asarray(total / weights.sum())
