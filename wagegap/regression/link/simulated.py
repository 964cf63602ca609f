"""Links as they would come out: samples drawn from assumed values, and the estimator that the headline uses.

True premiums P ~ N(0, s^2), p = P + v, rates y = b P + u + e with u ~ N(0, tau^2) and (v, e) normal with the variances
that so many workers give. Weighted corrected moments are linear in y for given p, and so are their deletions:

    b^ = b^(u + e) + b b^(P),    se^2 = (1, b) C (1, b)',

with C the jackknife covariance of both parts. One set of draws, fitted once, therefore gives power, interval and
detectable slope at every b. No formula of a variance stands behind them: what holds in large samples is where a search
begins, and misses in small ones (by a fifth with ten countries, more where reliability is low).

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, sections 1.2 and 3.1.
Cohen, J. (1988). Statistical Power Analysis for the Behavioral Sciences. Erlbaum, chapter 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from wagegap._display.session import Shown
from wagegap._typing import BoolArray, FloatArray
from wagegap.estimation.reliability import REFUSED_BELOW, reliability
from wagegap.regression.link.estimators.moments import corrected_moments, jackknife_cov, precision_weights
from wagegap.regression.link.problem import LinkProblem

__all__ = [
    "LinkDesign",
    "SimulatedLinks",
    "fewest_from",
    "large_sample_error",
    "least_from",
    "simulate_links",
]

_MOST_DOUBLINGS = 60  # of a slope, from the unit of its error
_RATES = 4  # draws of rates for each draw of premiums
_STREAMS = 1_000  # seeds of variables
_FIRST_STEP = 1.05  # factor on a number by which a search begins


@dataclass(frozen=True, slots=True, eq=False)
class LinkDesign(Shown):
    """What a link is assumed to be made of.

    Attributes
    ----------
    premium_sd, rate_sd : float
        Standard deviations of true premiums given the controls, and of true rates beyond them.
    v_premium, v_rate, v_cross : ndarray, shape (n,)
        Variances of the errors of premiums and rates, and their covariance, of each country.
    controls : int
        Regressors of countries beside the premium.
    """

    premium_sd: float
    rate_sd: float
    v_premium: FloatArray
    v_rate: FloatArray
    v_cross: FloatArray
    controls: int = 0

    @property
    def n(self) -> int:
        """Number of countries."""
        return len(self.v_premium)

    @property
    def df(self) -> float:
        """Degrees of freedom of the slope."""
        return float(self.n - 2 - self.controls)

    @property
    def reliability(self) -> float:
        """Share of the variance of premiums that is not sampling error, s^2 / (s^2 + mean V)."""
        true = self.premium_sd**2
        return float(true / (true + self.v_premium.mean()))


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedLinks(Shown):
    """Slopes of samples of one design, whatever the true slope.

    Attributes
    ----------
    noise, var_noise, cov : ndarray, shape (R, M)
        Slope on observed premiums of what is not due to them, M draws of it for each draw of premiums; its jackknife
        variance, and covariance with the signal.
    signal, var_signal : ndarray, shape (R, 1)
        Slope of true premiums on observed ones, and its jackknife variance.
    given : ndarray of bool, shape (R, 1)
        Whether a slope is given: reliability is not below one half, and no deletion is without a slope.
    weighted_reliability : ndarray, shape (R, 1)
        Reliability of premiums weighted by their precision.
    df : float
        Degrees of freedom.
    symmetric : bool
        Whether errors of premiums and rates are unrelated, so that noise is as likely as its opposite.
    """

    noise: FloatArray
    var_noise: FloatArray
    cov: FloatArray
    signal: FloatArray
    var_signal: FloatArray
    given: BoolArray
    weighted_reliability: FloatArray
    df: float
    symmetric: bool

    @property
    def refused(self) -> float:
        """Share of samples in which no slope is given."""
        return float(1 - np.mean(self.given))

    @property
    def not_settled(self) -> float:
        """Share of samples in which a slope is given whose weighted reliability is below one half."""
        return float(np.mean(self.given & (self.weighted_reliability < REFUSED_BELOW)))

    def _estimates(self, slope: float) -> tuple[FloatArray, FloatArray]:
        """Estimates and standard errors; with the opposite of the noise too, where that is as likely."""
        sign = np.array([1.0, -1.0] if self.symmetric else [1.0])[:, None, None]
        estimate = sign * self.noise + slope * self.signal
        # (1, b) C (1, b)'
        variance = self.var_noise + 2 * sign * slope * self.cov + slope**2 * self.var_signal
        return estimate, np.sqrt(np.maximum(variance, 0.0))

    def found(self, slope: float, alpha: float) -> float:
        """Share of samples whose interval is given and does not hold zero."""
        estimate, error = self._estimates(slope)
        return float(np.mean(self.given & (np.abs(estimate) > self._t(alpha) * error)))

    def found_at_most(self, alpha: float) -> float:
        """Share of samples in which a slope is found before which nothing else counts, however steep it is."""
        return float(np.mean(self.given & (np.abs(self.signal) > self._t(alpha) * np.sqrt(self.var_signal))))

    def _t(self, alpha: float) -> float:
        return float(stats.t.isf(alpha / 2, self.df))

    def width(self, slope: float, alpha: float) -> float:
        """Median width of the intervals that are given; infinite where none is."""
        if not self.given.any():
            return float("inf")
        errors = self._estimates(slope)[1][:, self.given[:, 0]]
        return float(2 * self._t(alpha) * np.median(errors))

    def width_or_refusal(self, slope: float, alpha: float) -> float:
        """Median width over all samples, of which those that are refused count as infinitely wide."""
        errors = self._estimates(slope)[1]
        wide = np.where(self.given, 2 * self._t(alpha) * errors, np.inf)
        return float(np.median(wide))

    def detectable(self, power: float, alpha: float) -> float:
        """Smallest slope found with some power; infinite where none is. Of related errors that of the worse sign."""
        unit = float(np.median(np.sqrt(self.var_noise[self.given[:, 0]]))) if self.given.any() else float("nan")
        if not unit > 0:
            return float("inf")
        return max(self._detectable(sign * unit, power, alpha) for sign in ((1.0,) if self.symmetric else (1.0, -1.0)))

    def _detectable(self, unit: float, power: float, alpha: float) -> float:
        if self.found_at_most(alpha) < power:
            return float("inf")
        high = unit
        for _ in range(_MOST_DOUBLINGS):
            if self.found(high, alpha) >= power:
                break
            high *= 2
        else:
            return float("inf")
        low = 0.0
        while abs(high - low) > 1e-6 * abs(high):
            middle = (low + high) / 2
            low, high = (low, middle) if self.found(middle, alpha) >= power else (middle, high)
        return abs(high)


def simulate_links(design: LinkDesign, draws: int, seed: int) -> SimulatedLinks:
    """Draw samples of a design, and fit each by weighted corrected moments.

    Draws are nested: of two designs, the countries that both have share their draws, so that power and width change
    smoothly from one to the other.

    Parameters
    ----------
    design : LinkDesign
        What is assumed.
    draws : int
        Samples R.
    seed : int
        Seed of the draws.

    Examples
    --------
    >>> nothing = np.zeros(20)
    >>> exact = simulate_links(LinkDesign(1.0, 1.0, nothing, nothing, nothing), 200, 0)
    >>> exact.refused, bool(0.04 < exact.found(0.0, 0.05) < 0.08)
    (0.0, True)
    """
    n = design.n
    premiums, v, *controls = (_nested(n, draws, seed, i) for i in range(2 + design.controls))
    # the last two are of rates, several draws for each of premiums
    e, u = (_nested(n, draws * _RATES, seed, -1 - i).reshape(draws, _RATES, n) for i in range(2))
    error = np.sqrt(design.v_premium)
    # e = V_py / V_pp v + the part of e that v does not hold
    share = np.divide(design.v_cross, error, out=np.zeros(n), where=error > 0)
    alone = np.sqrt(np.maximum(design.v_rate - share**2, 0.0))
    true = design.premium_sd * premiums
    noise = design.rate_sd * u + (share * v)[:, None] + alone * e
    blocks = np.diag(design.v_rate), np.diag(design.v_premium)[None, None], np.diag(design.v_cross)[None]
    names = ("premium", "Intercept", *(f"x{i}" for i in range(design.controls)))
    samples = []
    for r, p in enumerate(true + error * v):
        x = np.column_stack([p, np.ones(n), *(z[r] for z in controls)])
        samples.append(_fitted(LinkProblem(noise[r, 0], x, (0,), *blocks, names), noise[r], true[r]))
    slopes, variances, covs, given, weighted = (np.array(column) for column in zip(*samples, strict=True))
    return SimulatedLinks(
        slopes[:, :-1], variances[:, :-1], covs, slopes[:, -1:], variances[:, -1:], given[:, None], weighted[:, None],
        design.df, symmetric=not design.v_cross.any(),
    )  # fmt: skip


def _nested(n: int, draws: int, seed: int, variable: int) -> FloatArray:
    """Standard normal draws of a variable, whose first countries do not depend on how many there are, (R, n)."""
    return np.random.default_rng([seed, variable % _STREAMS]).standard_normal((n, draws)).T


def _fitted(
    problem: LinkProblem, noise: FloatArray, true: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, bool, float]:
    """Slopes of noise and true premiums in one sample, their jackknife variances, covariances of noise with the latter.

    And whether a slope is given, and the weighted reliability.
    """
    moments = corrected_moments(problem, precision_weights(problem))
    parts = [*moments.slopes(noise)[..., 0], moments.slopes(true, related=False)[:, 0]]
    slopes = np.column_stack(parts)
    share = reliability(problem.premiums[:, 0], problem.v_x[0, 0], problem.controls[:, 1:])
    given = share >= REFUSED_BELOW and bool(np.isfinite(slopes).all())
    cov = jackknife_cov(slopes[1:]) if given else np.full((len(parts),) * 2, np.nan)
    weighted = float(moments.inside[0, 0, 0] / moments.spread[0, 0, 0])
    return slopes[0], np.diag(cov), cov[:-1, -1], given, weighted


def large_sample_error(design: LinkDesign, slope: float) -> float:
    """Standard error of the slope in large samples, from the variance of its score.

    Examples
    --------
    Without errors it is that of least squares, tau / (s (n - 1)^(1/2)):

    >>> nothing = np.zeros(26)
    >>> large_sample_error(LinkDesign(0.5, 1.0, nothing, nothing, nothing), 0.8)
    0.4
    """
    s2, v, vy, vpy = design.premium_sd**2, design.v_premium, design.v_rate, design.v_cross
    w = 1 / (v + s2)
    # E psi_c^2 = w_c^2 [(s^2 + V_pp)(tau^2 + V_yy + b^2 V_pp - 2 b V_py) + (b V_pp - V_py)^2]
    rest = design.rate_sd**2 + vy + slope**2 * v - 2 * slope * vpy
    score = float(np.sum(w**2 * ((s2 + v) * rest + (slope * v - vpy) ** 2)))
    # E D = s^2 tr M_w, of which controls leave so many parts of n - 1
    left = (design.n - 1 - design.controls) / (design.n - 1)
    trace = w.sum() - float(w @ w) / w.sum()
    return float(np.sqrt(score / (s2**2 * w.sum() * trace * left)))


# searches -------------------------------------------------------------------------------------------------------------


def least_from(excess: Callable[[float], float], start: float, most: float) -> float:
    """Smallest number, to one per cent, from which a rising function is not below zero; infinite where none is.

    Sought outwards from a start, in steps that grow.

    >>> round(least_from(lambda x: x - 50.0, 3.0, 1e9)), least_from(lambda x: -1.0, 3.0, 1e9)
    (50, inf)
    """
    low = high = start
    step = _FIRST_STEP
    while excess(high) < 0:
        if high >= most:
            return float("inf")
        low, high, step = high, min(high * step, most), step**2
    step = _FIRST_STEP
    while low > start / most and excess(low) >= 0:
        low, high, step = low / step, low, step**2
    while high > 1.01 * low:
        middle = float(np.sqrt(low * high))
        low, high = (low, middle) if excess(middle) >= 0 else (middle, high)
    return high


def fewest_from(excess: Callable[[int], float], start: int, least: int, most: int) -> int | None:
    """Smallest whole number from which a rising function is not below zero, sought outwards from a start.

    >>> fewest_from(lambda n: n - 13.5, 40, 6, 250), fewest_from(lambda n: n - 13.5, 6, 6, 10)
    (14, None)
    """
    low = high = min(max(start, least), most)
    step = max(high // 6, 1)
    while excess(high) < 0:
        if high == most:
            return None
        low, high, step = high, min(high + step, most), 2 * step
    step = max(high // 6, 1)
    while low > least and excess(low) >= 0:
        low, high, step = max(low - step, least), low, 2 * step
    if excess(low) >= 0:
        return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if excess(middle) >= 0 else (middle, high)
    return high
