"""Maximum likelihood of the structural model: premiums and rates jointly normal given the known error covariance.

P = Z d + r with r ~ N(0, s^2 I), Y = b P + Z g + u with u ~ N(0, t^2 I), and the observed (y, p) add errors of known
covariance. The means in Z are profiled out, and by default integrated out (the restricted likelihood), so that the
variances are not understated where countries are few or effects many. The interval of the slope holds every b with

    2 (l(b^) - l_p(b)) <= v log(1 + F(1, n - k) / (n - k)),    v = n - q,

q the number of exact columns: with premiums without error that is the t interval of least squares, exactly. Variances
lean on normality, and skewed errors make the slope vary more than the likelihood says: where the sandwich of the rows'
scores says so, the fall allowed is multiplied by its ratio to the inverse information (Kent's ratio), which is never
taken below one.

As b leaves for either infinity the profile falls to the likelihood at s = 0 and no further, so the interval is the
whole line where the data cannot tell the true premiums from all being equal, and bounded where they can.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.2.
van Houwelingen, H., L. Arends and T. Stijnen (2002). Advanced methods in meta-analysis: multivariate approach and
meta-regression. Statistics in Medicine 21, 589-624.
Harville, D. A. (1977). Maximum likelihood approaches to variance component estimation and to related problems. Journal
of the American Statistical Association 72, 320-338.
Kent, J. T. (1982). Robust properties of likelihood ratio tests. Biometrika 69, 19-27.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
from scipy import stats

from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import OptionError
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.estimators.exact import lies_on_line
from wagegap.regression.link.estimators.likelihood import (
    DenseLikelihood,
    Likelihood,
    RowLikelihood,
    fisher_scoring,
)
from wagegap.regression.link.estimators.ols import least_squares_without
from wagegap.regression.link.problem import LinkProblem

__all__ = [
    "Climb",
    "MlFit",
    "Scaled",
    "estimate",
    "fit_ml",
    "kent_ratio",
    "level_ends",
    "likelihood_of",
    "maximise",
    "profile_at",
    "profile_interval",
    "profile_intervals",
    "profile_p",
    "ratio_quantile",
    "slopes_without",
]

Climb: TypeAlias = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""From slopes to the profile log likelihood there, and its derivative."""

_GRID = np.tan(np.linspace(-1.48, 1.48, 25))
_NEAR = 1e-3  # step h of the second derivative of the profile
_AT_FLOOR = 1e-9  # variance, as a share of what is observed, that is none
_NO_SPREAD = 1e-3  # share of the premiums' spread that is true, below which it is none
_COARSE = np.tan(np.linspace(-1.3, 1.3, 9))
_STARTS = np.array([[0.6, 0.3], [0.02, 0.8], [0.9, 0.02]])
"""Variances of premiums and rates, as shares of what is observed, from which scoring starts."""


@dataclass(frozen=True, slots=True, eq=False)
class MlFit:
    """A structural fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k)
        Covariance from the curvature of the profile, for the slope, and of the exact columns given it.
    interval : tuple of float
        Profile interval of the slope; the whole line where the data do not bound it.
    p_value : float
        Of a slope of zero.
    sigma2, tau2 : float
        Variance of true premiums given the controls; of true rates given premiums and controls.
    loglik : float
        Log likelihood at the maximum, restricted or not.
    df : float
        n - k.
    kent_ratio : float
        Factor, one or more, by which the fall allowed is multiplied because errors are not normal.
    at_zero : tuple of bool
        Whether `sigma2` and `tau2` are on the boundary, zero.
    """

    params: FloatArray
    cov: FloatArray
    interval: tuple[float, float]
    p_value: float
    sigma2: float
    tau2: float
    loglik: float
    df: float
    kent_ratio: float
    at_zero: tuple[bool, bool]


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A likelihood in units in which the residual spread of premiums and of rates is one."""

    model: Likelihood
    premium: float
    rate: float
    constant: float

    @property
    def unit(self) -> float:
        """Of a slope."""
        return self.rate / self.premium


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Profile likelihoods of the slope of m data sets, evaluated roughly on a grid and exactly at their tops.

    Attributes
    ----------
    model : Likelihood
        The data sets.
    points, values : ndarray, shapes (m, g, 3) and (m, g)
        The grid, and log likelihoods there.
    top : ndarray, shape (m, 3)
        The maxima.
    value : ndarray, shape (m,)
        Log likelihoods there.
    kent : ndarray, shape (m,)
        Kent's ratios.
    """

    model: Likelihood
    points: FloatArray
    values: FloatArray
    top: FloatArray
    value: FloatArray
    kent: FloatArray


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Restricted maximum likelihood as an estimator of the link."""
    if not problem.joint().any() and lies_on_line(problem.y, problem.x):
        return _exact_line(problem)
    fit = fit_ml(problem)
    said = ("Likelihood takes deviations as independent; the corrected moments allow for the clusters.",)
    identified = np.isfinite(least_squares_without(problem.y, problem.x, problem.estimated[0]))
    return LinkFit(
        fit.params, fit.cov, "curvature; interval of the premium from the restricted profile", df=fit.df,
        notes=() if options.groups is None else said,
        without=np.where(identified, slopes_without(problem), np.nan), problem=problem, sigma2=fit.sigma2,
        tau2=fit.tau2, p_value=fit.p_value, interval=fit.interval, interval_at=partial(profile_interval, problem),
        boundary=_boundary(*fit.at_zero), p_at=partial(profile_p, problem),
    )  # fmt: skip


def _boundary(no_premiums: bool, no_rates: bool) -> dict[str, str]:
    """Variances that are zero, and what that means."""
    said = (
        {"sigma = 0": "the premiums spread no more than their sampling errors would spread them"} if no_premiums else {}
    )
    if no_rates:
        alone = "the rates spread no more than their sampling errors would spread them either"
        perfect = "true rates and true premiums, given the controls, are correlated perfectly"
        said["tau = 0"] = alone if no_premiums else perfect
    return said


def _exact_line(problem: LinkProblem) -> LinkFit:
    """Cells on a line without any error: the line, whose likelihood has no bound, and no error of it."""
    params = np.asarray(np.linalg.lstsq(problem.x, problem.y, rcond=None)[0], dtype=np.float64)
    without = least_squares_without(problem.y, problem.x, problem.estimated[0])
    return LinkFit(
        params, np.zeros((problem.k, problem.k)), "curvature", df=float(problem.n - problem.k), without=without,
        problem=problem, tau2=0.0,
    )  # fmt: skip


def fit_ml(problem: LinkProblem, *, alpha: float = 0.05, restricted: bool = True) -> MlFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    problem : LinkProblem
        With one estimated regressor.
    alpha : float
        One minus the coverage of the interval.
    restricted : bool
        Integrate the means out (the default), or profile them out: plain maximum likelihood, whose interval is cut at
        F(1, n - k).

    Raises
    ------
    OptionError
        With several estimated regressors.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    >>> y = np.array([0.1, 1.9, 4.2, 5.8, 8.1])
    >>> problem = LinkProblem.build(y, np.column_stack([p, np.ones(5)]), v_x=np.full(5, 0.1))
    >>> fit = fit_ml(problem)
    >>> round(float(fit.params[0]), 2), fit.interval[0] > 1
    (2.0, True)
    """
    scaled = likelihood_of(problem, restricted=restricted)
    profile = _profile(scaled.model, problem.k)
    theta = profile.top
    params, cov = _coefficients(problem, scaled, theta)
    df = problem.n - problem.k
    at_floor = theta[0, 1:] <= scaled.model.floor + _AT_FLOOR
    return MlFit(
        params, cov, _interval(problem, scaled, profile, alpha), _p_value(problem, scaled, profile, 0.0),
        float(theta[0, 1]) * scaled.premium**2, float(theta[0, 2]) * scaled.rate**2,
        float(profile.value[0]) + scaled.constant, float(df), float(profile.kent[0]),
        (bool(at_floor[0]), bool(at_floor[1])),
    )  # fmt: skip


def profile_interval(problem: LinkProblem, *, alpha: float = 0.05, restricted: bool = True) -> tuple[float, float]:
    """Slopes whose profile likelihood is near enough to the maximum."""
    scaled = likelihood_of(problem, restricted=restricted)
    return _interval(problem, scaled, _profile(scaled.model, problem.k), alpha)


def profile_p(problem: LinkProblem, slope: float) -> float:
    """p-value of a slope by the ratio of the restricted profile likelihood, as `fit_ml` has that of zero."""
    scaled = likelihood_of(problem)
    return _p_value(problem, scaled, _profile(scaled.model, problem.k), slope)


def profile_intervals(model: Likelihood, n: int, k: int, *, alpha: float = 0.05) -> tuple[FloatArray, FloatArray]:
    """Maxima and profile intervals of the slope of m data sets at once, each as `fit_ml` has it.

    Parameters
    ----------
    model : Likelihood
        The data sets, in units in which premiums and rates spread by about one.
    n, k : int
        Rows and columns of each.
    alpha : float
        One minus the coverage.

    Returns
    -------
    tuple of ndarray
        Points, shape (m, 3), and ends, shape (m, 2).
    """
    profile = _profile(model, k)
    return profile.top, _ends(profile, ratio_quantile(n, k, 1, alpha, restricted=model.restricted))


def _interval(problem: LinkProblem, scaled: Scaled, profile: _Profile, alpha: float) -> tuple[float, float]:
    cut = ratio_quantile(problem.n, problem.k, 1, alpha, restricted=scaled.model.restricted)
    low, high = (_ends(profile, cut)[0] * scaled.unit).tolist()
    return low, high


def _p_value(problem: LinkProblem, scaled: Scaled, profile: _Profile, slope: float) -> float:
    # F of 2 (l(b^) - l_p(b)) / kappa = v log(1 + F / (n - k)), v = n - q = n - k + 1
    model, df = scaled.model, problem.n - problem.k
    there = float(profile_at(model, np.array([slope / scaled.unit]), tolerance=1e-9)[1][0])
    fall = max(2 * (float(profile.value[0]) - there) / float(profile.kent[0]), 0.0)
    f = df * float(np.expm1(fall / (df + 1))) if model.restricted else fall
    return float(stats.f.sf(f, 1, df))


def _profile(model: Likelihood, k: int) -> _Profile:
    points, values = _rough_profile(model, _GRID)
    top, value = _highest(model, points, values)
    return _Profile(model, points, values, top, value, kent_ratio(model, top, k))


def ratio_quantile(n: int, k: int, p: int, alpha: float = 0.05, *, restricted: bool = True) -> float:
    """Fall of twice the log likelihood that a slope may have, for n rows, k columns and p estimated ones.

    >>> round(ratio_quantile(40, 2, 1), 2), round(ratio_quantile(6, 2, 1), 2)
    (3.99, 5.37)
    """
    f = float(stats.f.isf(alpha, 1, n - k))
    return (n - k + p) * float(np.log1p(f / (n - k))) if restricted else f


def kent_ratio(model: Likelihood, theta: FloatArray, k: int) -> FloatArray:
    """Kent's ratio of the slope's sandwich variance to its inverse information, one at least, shape (m,).

    One where rows are correlated, whose scores are no sum over rows, and under plain maximum likelihood.
    """
    if not isinstance(model, RowLikelihood) or not model.restricted:
        return np.ones(model.size)
    # (I^-1 J I^-1)_bb / (I^-1)_bb, J = n / (n - k) sum_a s_a s_a' and I over the parameters that are not at their floor
    scores, n = model.scores(theta), model.used.sum(axis=1)
    meat = np.swapaxes(scores, 1, 2) @ scores * (n / np.maximum(n - k, 1))[:, None, None]
    lower, upper = model.bounds
    inner = (theta > lower + _AT_FLOOR) & (theta < upper - _AT_FLOOR)
    spread = inner[:, 1]
    # What a variance grows with is not identified where there is none.
    inner[:, 0], inner[:, 3:] = spread, inner[:, 3:] & inner[:, 1:3][:, : theta.shape[1] - 3]
    pairs = inner[:, :, None] & inner[:, None, :]
    ridge = np.where(inner, 1e-12, 1.0)[:, :, None] * np.eye(theta.shape[1])
    inverse = np.linalg.inv(np.where(pairs, model.at(theta).information, 0.0) + ridge)
    ratio = (inverse @ np.where(pairs, meat, 0.0) @ inverse)[:, 0, 0] / inverse[:, 0, 0]
    return np.where(spread, np.maximum(ratio, 1.0), 1.0)


def likelihood_of(problem: LinkProblem, *, restricted: bool = True) -> Scaled:
    """Likelihood of a problem, scaled; rows are taken one by one where their errors allow it."""
    if len(problem.estimated) != 1:
        raise OptionError(f"method='ml' takes one estimated premium, not {len(problem.estimated)}: use method='eiv'.")
    n, z = problem.n, problem.controls
    # Units in which p'M p / n = y'M y / n = 1, and columns of Z of the same length
    within = annihilator(z) @ np.column_stack([problem.premiums[:, 0], problem.y])
    premium, rate = np.sqrt(np.mean(within**2, axis=0)).tolist()
    rate = rate or 1.0
    p, y, q = problem.premiums[:, 0] / premium, problem.y / rate, z.shape[1]
    z = z / np.linalg.norm(z, axis=0) * np.sqrt(n)
    v_p, v_py, v_y = problem.v_x[0, 0] / premium**2, problem.v_xy[0] / (premium * rate), problem.v_y / rate**2
    constant = -(n - q if restricted else n) * float(np.log(2 * np.pi * premium * rate))
    if problem.rows_independent:
        v = np.stack([np.diag(v_p), np.diag(v_py), np.diag(v_y)])[:, None, :]
        floor = _floor(v[0, 0], v[2, 0], v[0, 0] * v[2, 0] - v[1, 0] ** 2)
        model: Likelihood = RowLikelihood(p[None], y[None], z, v, np.ones((1, n)), restricted, floor)
    else:
        v, x = np.block([[v_p, v_py], [v_py.T, v_y]]), np.kron(np.eye(2), z)
        floor = _floor(*(np.asarray(np.linalg.eigvalsh(part)) for part in (v_p, v_y, v)))
        model = DenseLikelihood(np.concatenate([p, y])[None], x[None], v[None], restricted, floor)
    return Scaled(model, premium, rate, constant)


def maximise(model: Likelihood, slopes: FloatArray = _COARSE) -> tuple[FloatArray, FloatArray]:
    """Highest of the local maxima, of which there may be several, by scoring from a grid of slopes.

    Returns
    -------
    tuple
        Points, shape (m, 3), and log likelihoods, shape (m,).
    """
    return _highest(model, *_rough_profile(model, slopes))


def _rough_profile(model: Likelihood, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of a rough profile on a grid of slopes, shape (m, g, 3), and log likelihoods there, (m, g)."""
    m, g = model.size, len(slopes)
    start = np.column_stack([np.tile(slopes, m), np.tile(_STARTS[0], (m * g, 1))])
    theta, point = fisher_scoring(
        model.take(np.repeat(np.arange(m), g)), start, free=(False, True, True), steps=12, tolerance=1e-3
    )
    return theta.reshape(m, g, 3), point.value.reshape(m, g)


def _highest(model: Likelihood, theta: FloatArray, profile: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Maximum from the two highest points of a rough profile: points (m, 3), and log likelihoods (m,)."""
    m = model.size
    best, second = np.argsort(-profile, axis=1)[:, :2].T
    start = np.concatenate([theta[np.arange(m), best], theta[np.arange(m), second]])
    start[:, 1] = np.maximum(start[:, 1], 0.05)
    theta, point = fisher_scoring(model.take(np.tile(np.arange(m), 2)), start, steps=200, tolerance=1e-20)
    values = point.value.reshape(2, m)
    return theta.reshape(2, m, 3)[values.argmax(axis=0), np.arange(m)], values.max(axis=0)


def profile_at(
    model: Likelihood, slopes: FloatArray, starts: FloatArray = _STARTS, *, steps: int = 100, tolerance: float = 1e-12
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Maximum over the variances at a slope for each data set.

    Returns
    -------
    tuple
        Points (m, 3), log likelihoods (m,), and their derivative by the slope (m,).
    """
    m, g = model.size, len(starts)
    start = np.column_stack([np.tile(slopes, g), np.repeat(starts, m, axis=0)])
    theta, point = fisher_scoring(
        model.take(np.tile(np.arange(m), g)), start, free=(False, True, True), steps=steps, tolerance=tolerance
    )
    values = point.value.reshape(g, m)
    best = values.argmax(axis=0), np.arange(m)
    return theta.reshape(g, m, 3)[best], values.max(axis=0), point.gradient[:, 0].reshape(g, m)[best]


def slopes_without(problem: LinkProblem, groups: AnyArray | None = None) -> FloatArray:
    """Slope of the restricted fit without each row, or each group of rows (in sorted order), all at once.

    NaN where the likelihood takes all of the premiums' spread for error, and no slope for less likely than another.
    """
    scaled = likelihood_of(problem)
    labels = np.arange(problem.n) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups, model = int(labels.max()) + 1, scaled.model
    if isinstance(model, RowLikelihood):
        used = (labels[None, :] != np.arange(n_groups)[:, None]).astype(float)
        theta = maximise(replace(model.take(np.zeros(n_groups, dtype=int)), used=used))[0]
    else:
        parts = (model.rows(np.flatnonzero(labels != g)) for g in range(n_groups))
        theta = np.concatenate([maximise(part, _COARSE[1::3])[0] for part in parts])
    return np.where(theta[:, 1] > _NO_SPREAD, theta[:, 0], np.nan) * scaled.unit


def _floor(v_p: FloatArray, v_y: FloatArray, joint: FloatArray) -> FloatArray:
    """Zero, unless a variance of zero would leave some row without any error."""
    return np.array(
        [1e-12 if np.min(v_p) <= 1e-14 else 0.0, 1e-12 if min(np.min(v_y), np.min(joint)) <= 1e-14 else 0.0]
    )


def _coefficients(problem: LinkProblem, scaled: Scaled, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Coefficients in the order of the columns, and their covariance."""
    z, slope, point = problem.controls, float(theta[0, 0]), scaled.model.at(theta)
    # gamma = g - b d, of the means Z d of premiums and Z g of rates; var gamma = J B J' + var(b) d d', J = (-b I, I)
    q, j, exact = z.shape[1], problem.estimated[0], list(problem.exact)
    length = np.linalg.norm(z, axis=0) / np.sqrt(problem.n)
    means, bread = point.means[0], point.bread[0]
    delta = means[:q] / length * scaled.rate
    params = np.empty(problem.k)
    params[j], params[exact] = slope * scaled.unit, (means[q:] - slope * means[:q]) / length * scaled.rate
    jump = np.hstack([-slope * np.eye(q), np.eye(q)]) / length[:, None] * scaled.rate
    # var(b) is the inverse of -l_p''(b) = (l_p'(b - h) - l_p'(b + h)) / 2h
    beside = slope + np.array([-_NEAR, _NEAR])
    down, up = profile_at(_copies(scaled.model, 2), beside, theta[:, 1:], tolerance=1e-14)[2]
    variance = float(2 * _NEAR / (down - up)) if down > up else np.nan
    cov = np.zeros((problem.k, problem.k))
    cov[np.ix_(exact, exact)] = jump @ bread @ jump.T + (variance * np.outer(delta, delta) if q else 0.0)
    cov[j, j] = variance * scaled.unit**2
    cov[j, exact] = cov[exact, j] = -variance * delta * scaled.unit
    v = problem.n - (q if scaled.model.restricted else 0)
    return params, cov * (v / (problem.n - problem.k))


def _ends(profile: _Profile, cut: float) -> FloatArray:
    """Ends of the sets of slopes whose profile is above the cut, shape (m, 2)."""
    model, m = profile.model, profile.model.size
    # l(b^) - l_p(b) <= kappa c / 2, kappa Kent's ratio and c the quantile of the ratio
    drop = 0.5 * profile.kent * cut
    flat = np.repeat([[0.0, model.floor[0], t] for t in (0.9, 0.1)], m, axis=0)
    nothing = fisher_scoring(_copies(model, 2), flat, free=(False, False, True), tolerance=1e-9)[1].value
    ends = np.tile([-np.inf, np.inf], (m, 1))
    bounded = np.flatnonzero(nothing.reshape(2, m).max(axis=0) < profile.value - drop)
    if bounded.size:
        ends[bounded] = _bounded_ends(profile, drop, bounded)
    return ends


def _bounded_ends(profile: _Profile, drop: FloatArray, which: IntArray) -> FloatArray:
    """Ends of the intervals of some data sets, which are bounded, shape (len(which), 2)."""
    points = np.concatenate([profile.points[which], profile.top[which, None]], axis=1)
    values = np.concatenate([profile.values[which], profile.value[which, None]], axis=1)
    climber = partial(_climber, profile.model.take(np.repeat(which, 2)))
    return level_ends(points, values, (profile.value[which], drop[which]), climber)


def level_ends(
    points: FloatArray,
    values: FloatArray,
    top: tuple[FloatArray, FloatArray],
    climber: Callable[[FloatArray], Climb],
    settled: float = 1e-8,
) -> FloatArray:
    """Ends of the sets of slopes at which profile likelihoods are above a level, shape (m, 2).

    Parameters
    ----------
    points, values : ndarray, shapes (m, g, k) and (m, g)
        A rough profile of each data set, slopes in the first column, its top included, and the log likelihood there.
    top : tuple of ndarray, shape (m,)
        Log likelihoods at the maxima, and the falls from there to the level.
    climber : callable
        From where to start at both ends of each, shape (2m, k), to the function that gives the profile at 2m slopes.
    settled : float
        Difference of the root of the fall from that of the drop at which an end is found.
    """
    # Each end is between the outermost point of the grid inside the cut and the next one, or further out.
    rows, order = np.arange(len(points))[:, None], np.argsort(points[:, :, 0], axis=1)
    grid, last = points[rows, order], points.shape[1] - 1
    above = values[rows, order] >= (top[0] - top[1])[:, None]
    inside, side = np.column_stack([above.argmax(axis=1), last - above[:, ::-1].argmax(axis=1)]), np.array([-1, 1])
    beyond = np.clip(inside + side, 0, last)
    begin = grid[rows, inside, 0]
    end = np.where(beyond == inside, begin + side * (1 + np.abs(begin)), grid[rows, beyond, 0])
    climb = climber(grid[rows, inside].reshape(-1, points.shape[2]))
    tops = np.repeat(top[0], 2), np.repeat(top[1], 2)
    return _crossings(climb, begin.ravel(), end.ravel(), tops, settled).reshape(-1, 2)


def _climber(pairs: Likelihood, start: FloatArray) -> Climb:
    """Profile at two slopes of each data set, each maximum over the variances sought from the last."""
    theta = start.copy()

    def climb(slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
        theta[:, 0] = slopes
        theta[:], point = fisher_scoring(pairs, theta, free=(False, True, True), steps=100, tolerance=1e-9)
        return point.value, point.gradient[:, 0]

    return climb


def _crossings(
    climb: Climb, inside: FloatArray, outside: FloatArray, top: tuple[FloatArray, FloatArray], settled: float
) -> FloatArray:
    """Slopes at which the root of the fall, nearly linear in the slope, reaches that of the drop, all ends at once.

    The brackets are widened first where they do not hold a crossing, then narrowed by Newton's method, which needs no
    derivative but that of the likelihood at its inner maximum, and by halves where it would leave the bracket.
    """
    # (l(b^) - l_p(b))^(1/2) = (kappa c / 2)^(1/2), whose derivative by b is -l_p'(b) / 2 (l(b^) - l_p(b))^(1/2)

    def excess(b: FloatArray) -> tuple[FloatArray, FloatArray]:
        value, gradient = climb(b)
        root = np.sqrt(np.maximum(top[0] - value, 1e-300))
        return root - np.sqrt(top[1]), -0.5 * gradient / root

    a, b = inside, outside
    at_b, rise = excess(b)
    for _ in range(60):
        short = at_b < 0
        if not short.any():
            break
        a, b = np.where(short, b, a), np.where(short, b + 2 * (b - inside), b)
        at_b, rise = excess(b)
    point = b
    for _ in range(60):
        if (np.abs(at_b) < settled).all():
            break
        step = point - at_b / np.where(rise != 0, rise, 1.0)
        point = np.where((step - a) * (step - b) < 0, step, 0.5 * (a + b))
        at_b, rise = excess(point)
        a, b = np.where(at_b < 0, point, a), np.where(at_b < 0, b, point)
    return np.asarray(point)


def _copies(model: Likelihood, times: int) -> Likelihood:
    return model.take(np.tile(np.arange(model.size), times))
