"""The weak set of a link: slopes that its weighted moments do not reject, however weak the premiums are.

Fieller's set for a ratio of moments is that of Anderson and Rubin for a weak instrument: where the spread of true
premiums may be none, no interval of finite length covers the slope, and an honest set is two rays or the whole line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._arguments import public_methods
from wagegap._display.session import Shown
from wagegap._typing import Alpha, Finite
from wagegap.errors import CovarianceError
from wagegap.regression.link.estimators.moments import weak_set
from wagegap.regression.link.fitted import FittedLink

__all__ = ["WeakSet", "weak_set_of"]


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class WeakSet(Shown):
    """Slopes that the weighted moments do not reject, however weak the premiums are.

    Attributes
    ----------
    low, high : float
        Its ends, infinite where there is none.
    shape : str
        "interval", "two rays" (up to `low` and from `high` on), or "whole line".
    alpha : float
        One minus the coverage.
    """

    low: float
    high: float
    shape: str
    alpha: float

    def holds(self, slope: Finite) -> bool:
        """Whether a slope belongs to it.

        >>> WeakSet(-1.0, 2.0, "two rays", 0.05).holds(0.0)
        False
        """
        if self.shape == "two rays":
            return bool(slope <= self.low or slope >= self.high)
        return bool(self.low <= slope <= self.high)

    def rays(self) -> tuple[tuple[float, float], ...]:
        """The pieces it is made of, each from its lower to its upper end."""
        if self.shape == "two rays":
            return (-np.inf, self.low), (self.high, np.inf)
        return ((self.low, self.high),)


def weak_set_of(link: FittedLink, alpha: Alpha = 0.05) -> WeakSet:
    """Set of Anderson and Rubin of a link's weighted moments."""
    link.check_premium("weak_set", single=True, linear=True)
    if not link.cells.known(1):
        raise CovarianceError("weak_set weighs the premiums by their errors, and the errors are unknown.")
    setup = link.setup
    return WeakSet(
        *weak_set(setup.problem.checked(), setup.jackknife_df, groups=setup.groups, alpha=alpha), alpha=alpha
    )
