"""Quantiles at mass points: what is said of them, and the errors that do not hold there.

Where many have the same pay the distribution function jumps, and its quantile moves from one value to the next or not
at all. An influence function, which takes the density at the quantile for the speed at which it moves, says little of
the error then. It is left out where a value holds more weight than a standard error of F(q); replicates and the
bootstrap, which find the quantile again every time, hold unless all of them find the same value.

References
----------
Machado, J. and J. Santos Silva (2005). Quantiles for counts. Journal of the American Statistical Association 100,
1226-1237.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from wagegap._typing import BoolArray
from wagegap.decomposition.distributions.statistics import MassPoint
from wagegap.errors import MassPointWarning, listing, warn
from wagegap.estimation.covariance.sources import ReplicateSource
from wagegap.estimation.estimates import Estimates

__all__ = ["ALL_AGREE", "GroupMass", "drop_errors", "is_replicated", "notes_on_mass_points"]

ALL_AGREE = "All replicates agree where no error is shown: the quantile is a mass point."
_LARGE = 0.05
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class GroupMass:
    """A mass point of one group.

    Attributes
    ----------
    group : str
        Which group.
    at : MassPoint
        Where, and how much.
    """

    group: str
    at: MassPoint

    def __str__(self) -> str:
        return f"{100 * self.at.share:.2g} % of {self.group} at {self.at.name} = {self.at.point:.4g}"


def drop_errors(estimates: Estimates, moved: BoolArray) -> tuple[Estimates, bool]:
    """Leave out errors that do not hold at mass points, and say whether there were any.

    Parameters
    ----------
    estimates : Estimates
        Their errors by replicates, or analytic.
    moved : ndarray of bool, shape (p,)
        Which of them move with a quantile at a mass point: one that is wide, where errors are analytic; those by
        replicates are left out where all replicates agree.
    """
    # an influence function that does not vary there has no error of zero either
    dropped = moved & _all_replicates_agree(estimates) if is_replicated(estimates) else moved
    return estimates.with_unknown(np.flatnonzero(dropped), "unknown at mass points"), bool(dropped.any())


def is_replicated(estimates: Estimates) -> bool:
    """Say whether errors are by replicates."""
    return all(isinstance(source, ReplicateSource) for source in estimates.sources)


def _all_replicates_agree(estimates: Estimates) -> BoolArray:
    """Parameters that are the same in all replicates, shape (p,)."""
    scale = 1e-9 * max(float(np.abs(estimates.values).max(initial=0.0)), 1e-300)
    agree = np.ones(len(estimates.values), dtype=bool)
    for source, matrix in zip(estimates.sources, estimates.maps, strict=True):
        assert isinstance(source, ReplicateSource)
        agree &= np.abs(source.deviations @ matrix.T).max(axis=0, initial=0.0) <= scale
    return agree


def notes_on_mass_points(masses: Iterable[GroupMass], *effects: str, dropped: bool, replicated: bool) -> list[str]:
    """Say where mass points are and what follows, and warn where errors are left out or much is tied.

    Parameters
    ----------
    masses : iterable of GroupMass
        All there are.
    *effects : str
        What they do to the decomposition.
    dropped : bool
        Whether errors are left out.
    replicated : bool
        Whether errors are by replicates.
    """
    by_words = {str(mass): mass for mass in masses}
    if not by_words:
        return []
    notes = [f"Mass points: {listing(by_words, _SHOWN)}.", *effects]
    if dropped and replicated:
        notes.append(ALL_AGREE)
    elif dropped:
        notes.append(
            "Analytic errors do not hold at mass points and are left out; cov=wagegap.cov.Bootstrap(400) gives them."
        )
    if dropped or max(mass.at.share for mass in by_words.values()) >= _LARGE:
        warn(" ".join(notes), MassPointWarning)
    return notes
