"""Whether the link has one slope: what moments and likelihood make of the same data, held against each other.

The two rest on different things. Weighted moments ask only that one slope holds; the likelihood also asks that true
premiums, and rates about the line, spread as much where errors are large as where they are small. Each has its own
variance of true premiums, s^2, and with it a reliability s^2 / (s^2 + V). No single slope is given where

* the reliability of the premiums, each weighted by its precision, or the one that the likelihood implies, is below one
  half: what is left of the premiums is mostly noise;
* the two variances of true premiums are more than four times apart: the data are not of the likelihood's model;
* either slope lies outside the other's interval.

What is given then is the hull of both intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._display.session import Shown
from wagegap.estimation.reliability import REFUSED_BELOW, reliability_in_words

__all__ = ["MOST_APART", "OneEstimate", "Verdict", "hull", "judge"]

MOST_APART = 4.0
"""Ratio of the two variances of true premiums beyond which they are not of one model."""


@dataclass(frozen=True, slots=True)
class OneEstimate(Shown):
    """What one estimator says of the slope, and of the spread of true premiums.

    Attributes
    ----------
    slope : float
        The slope.
    interval : tuple of float
        Its interval; unknown ends are NaN.
    sigma : float
        Standard deviation of true premiums given the controls; zero where there is none.
    reliability : float
        Share of the premiums' spread that this makes.
    """

    slope: float
    interval: tuple[float, float]
    sigma: float
    reliability: float


@dataclass(frozen=True, slots=True)
class Verdict(Shown):
    """Whether moments and likelihood agree on one slope.

    Attributes
    ----------
    moments, likelihood : OneEstimate or None
        Both; None for one that does not exist.
    weighted_reliability : float
        Share of the spread of premiums, each weighted by its precision, that is not sampling error.
    reasons : tuple of str
        Why there is no single slope; none where there is.
    """

    moments: OneEstimate | None
    likelihood: OneEstimate | None
    weighted_reliability: float
    reasons: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """Whether there is one slope."""
        return not self.reasons

    @property
    def ratio(self) -> float:
        """Variance of true premiums by moments over that by likelihood; infinite where the latter is zero."""
        if self.moments is None or self.likelihood is None:
            return float("nan")
        if self.likelihood.sigma == 0:
            return float("inf") if self.moments.sigma > 0 else float("nan")
        return float((self.moments.sigma / self.likelihood.sigma) ** 2)


def judge(moments: OneEstimate | None, likelihood: OneEstimate | None, weighted_reliability: float) -> Verdict:
    """Say whether both agree, and if not why.

    Examples
    --------
    >>> one = OneEstimate(-0.9, (-3.1, 1.3), 0.125, 0.62)
    >>> other = OneEstimate(-3.7, (-9.0, -0.9), 0.050, 0.21)
    >>> for reason in judge(one, other, 0.52).reasons:
    ...     print(reason)
    the spread of true premiums that the likelihood finds implies a reliability of 0.21, below 0.5
    moments and likelihood put the variance of true premiums 6.2 times apart
    the slope of the likelihood lies outside the interval of the moments
    """
    verdict = Verdict(moments, likelihood, weighted_reliability, ())
    reasons = {
        f"the reliability of the premiums, each weighted by its precision, is "
        f"{reliability_in_words(weighted_reliability)}, below {REFUSED_BELOW}": weighted_reliability < REFUSED_BELOW
    }
    if moments is not None:
        share = reliability_in_words(moments.reliability)
        reasons[f"the reliability of the premiums is {share}, below {REFUSED_BELOW}"] = (
            moments.reliability < REFUSED_BELOW
        )
    if likelihood is not None:
        share = reliability_in_words(likelihood.reliability)
        reasons[
            f"the spread of true premiums that the likelihood finds implies a reliability of {share}, below "
            f"{REFUSED_BELOW}"
        ] = likelihood.reliability < REFUSED_BELOW
    if moments is not None and likelihood is not None:
        reasons |= _apart(verdict.ratio) | _outside(moments, likelihood)
    said = tuple(reason for reason, holds in reasons.items() if holds)
    return Verdict(moments, likelihood, weighted_reliability, said)


def _apart(ratio: float) -> dict[str, bool]:
    """How far apart the two variances of true premiums are."""
    factor = max(ratio, 1 / ratio) if ratio > 0 else float("nan")
    size = f"{factor:.1f} times" if np.isfinite(factor) else "infinitely far"
    return {f"moments and likelihood put the variance of true premiums {size} apart": factor > MOST_APART}


def _outside(moments: OneEstimate, likelihood: OneEstimate) -> dict[str, bool]:
    """Whether either slope lies outside the other's interval."""
    return {
        "the slope of the likelihood lies outside the interval of the moments": _is_outside(
            likelihood.slope, moments.interval
        ),
        "the slope of the moments lies outside the interval of the likelihood": _is_outside(
            moments.slope, likelihood.interval
        ),
    }


def _is_outside(slope: float, interval: tuple[float, float]) -> bool:
    return bool(slope < interval[0] or slope > interval[1])


def hull(*intervals: tuple[float, float]) -> tuple[float, float]:
    """Smallest interval that holds all; unknown ends are infinite.

    >>> hull((-1.0, 2.0), (0.0, 3.0)), hull((-1.0, 2.0), (float("nan"), float("nan")))
    ((-1.0, 3.0), (-inf, inf))
    >>> hull((0.0, 1.0), (float("-inf"), float("inf")))
    (-inf, inf)
    """
    low, high = (np.asarray(ends) for ends in zip(*intervals, strict=True))
    return float(np.where(np.isnan(low), -np.inf, low).min()), float(np.where(np.isnan(high), np.inf, high).max())
