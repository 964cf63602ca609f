"""Bands and tests for a whole curve, from draws of its deviations.

A band that holds the whole curve with probability 1 - alpha is estimate +- c se, with c the quantile of the largest
absolute t statistic among the draws, the sample counted among them: of R draws the (1 - alpha)(R + 1)-th. Hypotheses
about the curve are tested by its largest t statistic (Kolmogorov-Smirnov) and by their mean square (Cramer-von Mises):
that it is zero, that it is constant, that it is nowhere negative, that it is nowhere positive. The law of a statistic
under the hypothesis is that of the draws, centred at the estimate; p-values count the sample among the draws too, so
that they are never zero.

References
----------
Chernozhukov, V., I. Fernandez-Val and B. Melly (2013). Inference on counterfactual distributions. Econometrica 81,
2205-2268.
Montiel Olea, J. L. and M. Plagborg-Moller (2019). Simultaneous confidence bands: theory, implementation, and an
application to SVARs. Journal of Applied Econometrics 34, 1-17.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray

__all__ = ["CurveTest", "curve_tests", "uniform_critical", "zero_test"]

_FLOOR = 1e-9  # of the largest variance: keeps points that hardly vary from deciding


@dataclass(frozen=True, slots=True)
class CurveTest:
    """A hypothesis about a curve.

    Attributes
    ----------
    hypothesis : str
        `"no_effect"`, `"constant_effect"` (equal to its value in the middle), `"nowhere_negative"` or
        `"nowhere_positive"`.
    ks, cms : float
        Kolmogorov-Smirnov and Cramer-von Mises statistic.
    ks_p, cms_p : float
        Their p-values.
    """

    hypothesis: str
    ks: float
    ks_p: float
    cms: float
    cms_p: float


def uniform_critical(deviations: FloatArray, errors: FloatArray, alpha: float) -> float:
    """Return the factor of standard errors that covers a whole curve with probability 1 - alpha.

    Parameters
    ----------
    deviations : ndarray, shape (R, q)
        Draws of the curve less the curve.
    errors : ndarray, shape (q,)
        Standard errors.
    alpha : float
        One minus the coverage.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(20_000, 9))
    >>> bool(abs(uniform_critical(draws, np.ones(9), 0.05) - 2.766) < 0.05)
    True
    """
    moving = errors > 1e-6 * np.nan_to_num(errors).max(initial=0.0)
    if not moving.any():
        return 0.0
    largest = np.sort(np.abs(deviations[:, moving] / errors[moving]).max(axis=1))
    place = int(np.ceil((1 - alpha) * (len(largest) + 1) - 1e-9))
    return float(largest[min(place, len(largest)) - 1])


def curve_tests(values: FloatArray, deviations: FloatArray, middle: int) -> tuple[CurveTest, ...]:
    """Test the four hypotheses about a curve.

    Parameters
    ----------
    values : ndarray, shape (q,)
        The curve.
    deviations : ndarray, shape (R, q)
        Draws of the curve less the curve.
    middle : int
        Point that a constant curve is compared with: the median.

    Examples
    --------
    >>> draws = np.random.default_rng(1).normal(size=(999, 5))
    >>> [test.hypothesis for test in curve_tests(np.full(5, 9.0), draws, 2) if test.ks_p < 0.05]
    ['no_effect', 'nowhere_positive']
    """
    tests = [zero_test(values, deviations, "no_effect")]
    if len(values) > 1:
        gap, drawn = (np.delete(curve - curve[..., [middle]], middle, axis=-1) for curve in (values, deviations))
        tests.append(zero_test(gap, drawn, "constant_effect"))
    scale = _scale(deviations)
    one_sided = ((np.minimum, "nowhere_negative"), (np.maximum, "nowhere_positive"))
    return (*tests, *(_test(side(values, 0) / scale, side(deviations, 0) / scale, name) for side, name in one_sided))


def zero_test(values: FloatArray, deviations: FloatArray, hypothesis: str) -> CurveTest:
    """Test that a curve is zero.

    >>> zero_test(np.zeros(3), np.ones((9, 3)), "no_effect").ks_p
    1.0
    """
    scale = _scale(deviations)
    return _test(values / scale, deviations / scale, hypothesis)


def _scale(deviations: FloatArray) -> FloatArray:
    variance = np.mean(deviations**2, axis=0)
    return np.asarray(np.sqrt(variance + _FLOOR * max(float(variance.max(initial=0.0)), 1e-300)))


def _test(z: FloatArray, draws: FloatArray, hypothesis: str) -> CurveTest:
    # KS = max_q |z_q| and CMS = mean_q z_q^2, with p = (1 + number of draws beyond) / (1 + R)
    ks, cms = float(np.abs(z).max()), float(np.mean(z**2))
    beyond = (np.abs(draws).max(axis=1) >= ks, np.mean(draws**2, axis=1) >= cms)
    ks_p, cms_p = (float((1 + is_beyond.sum()) / (1 + len(draws))) for is_beyond in beyond)
    return CurveTest(hypothesis, ks, ks_p, cms, cms_p)
