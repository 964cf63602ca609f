"""Restricted likelihood of the link in which cells are not all alike, and which of its features the data ask for.

`ml` takes one variance of true premiums and one of rates beyond them for all cells, and both as normal. Here each may
grow with a trait of the cells, the size of their premium's sampling error unless another is given, and the tails may be
heavy (`flexible_likelihood` has the model). Degrees of freedom of the tails are sought among a few. Each feature is
tried alone and all are tried together, against the likelihood without: twice the gain is chi-squared with a degree for
each feature, but that of the tails, whose parameter 1 / nu is on the boundary where there are none, counts half of the
time only (Self and Liang 1987).

The interval of the slope holds every b whose profile likelihood is near enough to the maximum, as in `ml`; the profile
is over the features too. Where sigma or tau grow with the error, the likelihood of `ml` weighs precise cells as if they
told of all, and its slope is theirs.

References
----------
Self, S. G. and K.-Y. Liang (1987). Asymptotic properties of maximum likelihood estimators and likelihood ratio tests
under nonstandard conditions. Journal of the American Statistical Association 82, 605-610.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from wagegap._display.session import Shown
from wagegap._typing import FloatArray
from wagegap.errors import CovarianceError, DataError
from wagegap.regression.link.estimators.flexible_likelihood import MOST_GROWTH, Varying, VaryingDense, VaryingRows
from wagegap.regression.link.estimators.likelihood import RowLikelihood, fisher_scoring
from wagegap.regression.link.estimators.ml import Climb, Scaled, kent_ratio, level_ends, likelihood_of, ratio_quantile
from wagegap.regression.link.problem import LinkProblem

__all__ = ["FEATURES", "FlexibleFit", "error_sizes", "fit_features", "fit_flexible", "ratio_p"]

FEATURES = ("premiums", "rates", "tails")
"""What may differ from `ml`: the spread of true premiums, that of rates beyond them, the tails."""

_TAILS = np.array([0.0, 0.1, 0.2, 1 / 3])
"""One over the degrees of freedom that are tried: normal, 10, 5 and 3."""

_SLOPES = np.tan(np.linspace(-1.42, 1.42, 13))
_GROWTHS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-0.7, -0.7]])
"""Growth of the variances, for a standard deviation of the trait, from which scoring starts."""
_VARIANCES = 0.6, 0.3
_ROUGH = 1e-6  # gain of log likelihood left at the ends of an interval
_SETTLED = 1e-3  # and error of the root of the fall there: of the ends, .1 per cent of their distance from the slope
_FAR = 1e3  # slope, in units of the spreads of rates and premiums, that is as good as infinite
_NO_SPREAD = 1e-12  # spread of a trait, relative to its size, that rounding leaves of none


@dataclass(frozen=True, slots=True, eq=False)
class FlexibleFit(Shown):
    """A fit of the structural model with some of its features free.

    Attributes
    ----------
    features : tuple of bool
        Which of `FEATURES` were free.
    slope : float
        Slope.
    interval : tuple of float
        Its profile interval; the whole line where the data do not bound it.
    p_value : float
        Of a slope of zero.
    sigma2, tau2 : float
        Variances of true premiums and of rates beyond them in a cell whose trait is the mean one.
    growth : tuple of float
        Logarithm of the factor by which either variance grows for a unit of the trait.
    df : float
        Degrees of freedom of the tails; infinite where they are normal.
    loglik : float
        Restricted log likelihood.
    kent_ratio : float
        Factor, one or more, by which the fall allowed is multiplied because scores vary more than the model says.
    """

    features: tuple[bool, bool, bool]
    slope: float
    interval: tuple[float, float]
    p_value: float
    sigma2: float
    tau2: float
    growth: tuple[float, float]
    df: float
    loglik: float
    kent_ratio: float


@dataclass(frozen=True, slots=True, eq=False)
class _Profile:
    """Profile likelihood over variances and features, rough on a grid of slopes and exact at the top of each tail.

    Attributes
    ----------
    model : Varying
        One data set.
    tails : ndarray, shape (h,)
        One over degrees of freedom.
    points, values : ndarray, shapes (g, 5) and (g,)
        Rough profile with normal tails.
    tops, heights : ndarray, shapes (h, 5) and (h,)
        Maximum for each tail.
    """

    model: Varying
    tails: FloatArray
    points: FloatArray
    values: FloatArray
    tops: FloatArray
    heights: FloatArray

    @property
    def best(self) -> int:
        """Which tail is the most likely."""
        return int(np.argmax(self.heights))

    def climber(self, start: FloatArray) -> Climb:
        """Profile at some slopes, each maximum sought from the last ones.

        At first from `start`, from there with variances that do not grow, and from the top of each tail: the profile
        over what variances grow with has more than one maximum.
        """
        m, h = len(start), len(self.tails)
        level = start * np.array([1, 1, 1, 0, 0])
        begun = [np.repeat(each[:, None], h, axis=1) for each in (start, level)]
        theta = np.stack([*begun, np.repeat(self.tops[None], m, axis=0)], axis=2).reshape(m * h * 3, 5)
        model = _copies(self.model, np.tile(np.repeat(self.tails, 3), m))

        def climb(slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
            theta[:, 0] = np.repeat(slopes, 3 * h)
            theta[:], point = fisher_scoring(
                model, theta, free=(False, True, True, True, True), steps=60, tolerance=_ROUGH
            )
            values, rise = point.value.reshape(m, -1), point.gradient[:, 0].reshape(m, -1)
            best = np.arange(m), values.argmax(axis=1)
            return values[best], rise[best]

        return climb


def error_sizes(problem: LinkProblem) -> FloatArray:
    """Logarithm of the variance of each premium's error, the trait that variances grow with unless another is given.

    Raises
    ------
    CovarianceError
        Where some premium has no error, whose logarithm is none.
    """
    variances = np.diag(problem.v_x[0, 0])
    exact = np.flatnonzero(~(variances > 0))
    if len(exact):
        raise CovarianceError(
            f"{len(exact)} of {problem.n} premiums have no sampling error ({problem.named(exact)}): whether anything "
            "grows with the error cannot be asked. by= names a column to ask it of instead."
        )
    return np.log(variances)


def fit_flexible(
    problem: LinkProblem,
    trait: FloatArray | None = None,
    *,
    features: tuple[bool, bool, bool] = (True, True, True),
    alpha: float | None = 0.05,
) -> FlexibleFit:
    """Fit with some features free.

    Parameters
    ----------
    problem : LinkProblem
        With one estimated regressor.
    trait : ndarray, shape (n,), optional
        What variances may grow with; the logarithm of the variance of the premium's error if not given.
    features : tuple of bool
        Whether true premiums' variance, that of rates, and the tails are free. Tails are normal where rows are
        correlated.
    alpha : float, optional
        One minus the coverage of the interval; None leaves out interval and p-value, which take most of the time.

    Raises
    ------
    OptionError
        With several estimated regressors.
    CovarianceError
        Where no trait is given and some premium has no error.
    DataError
        A trait that is the same in all cells.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> v = np.exp(rng.uniform(-4, 0, 60))
    >>> true = np.sqrt(v) * rng.standard_normal(60)  # spread that grows with the error
    >>> p, y = true + np.sqrt(v) * rng.standard_normal(60), true + 0.1 * rng.standard_normal(60)
    >>> problem = LinkProblem.build(y, np.column_stack([p, np.ones(60)]), v_x=v)
    >>> fit = fit_flexible(problem)
    >>> 0.5 < fit.growth[0] < 1.5, fit.interval[0] < 1 < fit.interval[1]
    (True, True)
    """
    scaled, model, deviation = _varying(problem, trait, features)
    profile = _profile(model, _TAILS if features[2] and isinstance(model, VaryingRows) else _TAILS[:1])
    top, value = profile.tops[profile.best], float(profile.heights[profile.best])
    kent = float(kent_ratio(_copies(profile.model, profile.tails[[profile.best]]), top[None], problem.k)[0])
    interval, p_value = (np.nan, np.nan), np.nan
    if alpha is not None:
        drop = 0.5 * kent * ratio_quantile(problem.n, problem.k, 1, alpha)
        low, high = (_ends(profile, value, drop) * scaled.unit).tolist()
        interval, p_value = (low, high), _p_of_zero(profile, value, kent, problem.n - problem.k)
    h = float(profile.tails[profile.best])
    return FlexibleFit(
        features, float(top[0]) * scaled.unit, interval, p_value, float(top[1]) * scaled.premium**2,
        float(top[2]) * scaled.rate**2, (float(top[3]) / deviation, float(top[4]) / deviation),
        1 / h if h > 0 else np.inf, value + scaled.constant, kent,
    )  # fmt: skip


def _p_of_zero(profile: _Profile, value: float, kent: float, df: int) -> float:
    """p-value of a slope of zero: F of 2 (l(b^) - l_p(0)) / kappa = v log(1 + F / (n - k)), v = n - k + 1."""
    fall = 2 * (value - float(profile.climber(profile.tops[[profile.best]])(np.zeros(1))[0][0])) / kent
    return float(stats.f.sf(df * np.expm1(max(fall, 0.0) / (df + 1)), 1, df))


def fit_features(
    problem: LinkProblem, trait: FloatArray | None = None, *, alpha: float | None = 0.05
) -> list[FlexibleFit]:
    """Fit without any feature, with each alone, and with all; without tails where rows are correlated.

    Returns
    -------
    list of FlexibleFit
        Plain, premiums, rates, tails (where they can be had), all.
    """
    alone = [(False, False, False), (True, False, False), (False, True, False), (False, False, True)]
    tails = problem.rows_independent
    free = [*(alone if tails else alone[:3]), (True, True, tails)]
    return [fit_flexible(problem, trait, features=features, alpha=alpha) for features in free]


def ratio_p(ratio: float, features: Sequence[bool]) -> float:
    """p-value of twice the gain of log likelihood that some features bring.

    Chi-squared with a degree for each; where the tails are among them, half of the time with one less.

    >>> round(ratio_p(3.84, (True, False, False)), 3), round(ratio_p(2.71, (False, False, True)), 3)
    (0.05, 0.05)
    """
    degrees = int(np.sum(features))
    if ratio <= 0:
        return 1.0
    full = float(stats.chi2.sf(ratio, degrees))
    if not features[2]:
        return full
    return 0.5 * full + 0.5 * (float(stats.chi2.sf(ratio, degrees - 1)) if degrees > 1 else 0.0)


def _varying(
    problem: LinkProblem, trait: FloatArray | None, features: tuple[bool, bool, bool]
) -> tuple[Scaled, Varying, float]:
    """Scaled likelihood, the same with the trait standardised, and the standard deviation of the trait."""
    scaled = likelihood_of(problem)
    values = error_sizes(problem) if trait is None else np.asarray(trait, dtype=np.float64)
    deviation = float(np.std(values))
    if not deviation > _NO_SPREAD * max(float(np.abs(values).max()), 1.0):
        what = "the error of the premiums" if trait is None else "the trait"
        raise DataError(
            f"{what} is the same in all {problem.n} cells: whether anything grows with it cannot be asked. "
            "by= names a column that differs."
        )
    standardised = ((values - values.mean()) / deviation)[None]
    most, model = MOST_GROWTH * np.array(features[:2], dtype=float), scaled.model
    more = {"trait": standardised, "tail": np.zeros(1), "most": most}
    varying: Varying = (
        VaryingRows(model.p, model.y, model.z, model.v, model.used, model.restricted, model.floor, **more)
        if isinstance(model, RowLikelihood)
        else VaryingDense(model.data, model.x, model.v, model.restricted, model.floor, **more)
    )
    return scaled, varying, deviation


def _copies(model: Varying, tails: FloatArray) -> Varying:
    """One data set under several tails."""
    return replace(model.take(np.zeros(len(tails), dtype=int)), tail=tails)


def _profile(model: Varying, tails: FloatArray) -> _Profile:
    # Where rows are correlated a point costs the cube of their number: fewer of them
    few = isinstance(model, VaryingDense)
    slopes, growths = _SLOPES[:: 3 if few else 1], np.unique(_GROWTHS[: 4 if few else 5] * (model.most > 0), axis=0)
    g = len(growths)
    start = np.column_stack([
        np.repeat(slopes, g), np.tile(_VARIANCES, (g * len(slopes), 1)), np.tile(growths, (len(slopes), 1)),
    ])  # fmt: skip
    theta, point = fisher_scoring(
        _copies(model, np.zeros(len(start))), start, free=(False, True, True, True, True), steps=12, tolerance=1e-3
    )
    values = point.value.reshape(-1, g)
    points = theta.reshape(-1, g, 5)[np.arange(len(slopes)), values.argmax(axis=1)]
    # From the three highest points of all, each with every tail; without features as near as rounding allows
    tolerance = 1e-9 if model.most.any() or len(tails) > 1 else 1e-18
    first = theta[np.argsort(-point.value)[:3]]
    first[:, 1] = np.maximum(first[:, 1], 0.05)
    start, h = np.tile(first, (len(tails), 1)), np.repeat(tails, len(first))
    tops, point = fisher_scoring(_copies(model, h), start, steps=200, tolerance=tolerance)
    heights = point.value.reshape(len(tails), -1)
    best = heights.argmax(axis=1)
    return _Profile(
        model, tails, points, values.max(axis=1), tops.reshape(len(tails), -1, 5)[np.arange(len(tails)), best],
        heights.max(axis=1),
    )  # fmt: skip


def _ends(profile: _Profile, value: float, drop: float) -> FloatArray:
    """Ends of the interval of the slope, in units of the likelihood."""
    if _at_infinity(profile) >= value - drop:
        return np.array([-np.inf, np.inf])
    top, reach = profile.tops[profile.best], profile.heights >= value - drop
    likely = replace(profile, tails=profile.tails[reach], tops=profile.tops[reach], heights=profile.heights[reach])
    points, values = np.vstack([profile.points, top])[None], np.append(profile.values, value)[None]
    top_and_drop = np.array([value]), np.array([drop])
    return np.asarray(level_ends(points, values, top_and_drop, likely.climber, _SETTLED)[0])


def _at_infinity(profile: _Profile) -> float:
    """Profile at slopes without bound, where b^2 sigma^2 stays and sigma is zero."""
    # Rates have a variance c exp(g_s m) + tau^2 exp(g_t m), so that more than sigma = 0 alone is to be had there.
    growths = np.unique(_GROWTHS * (profile.model.most > 0), axis=0)
    shares = (0.6, 0.3), (0.0, 0.9)
    far = [[_FAR, share / _FAR**2, rest, *growth] for share, rest in shares for growth in growths]
    start, tails = np.tile(far, (len(profile.tails), 1)), np.repeat(profile.tails, len(far))
    free = (False, True, True, True, True)
    return float(fisher_scoring(_copies(profile.model, tails), start, free=free, tolerance=1e-3)[1].value.max())
