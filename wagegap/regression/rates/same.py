"""Shares of cells in which everybody did the same: a variance of zero there is no error of zero.

The linearised variance of a share is of the deviations of workers from it, of which there are none where nobody did
what is counted, or everybody. Another sample of as many workers might well hold one who did otherwise, so the error is
unknown. A combination of shares, such as a standardised rate, is linearised in all of them: it has an error, for which
such a cell counts nothing, unless everybody did the same in all of its cells.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wagegap.estimation.covariance.sources import UnknownSource
from wagegap.estimation.estimates import Estimates

__all__ = ["linearised", "same_unknown"]

_NOTHING = 1e-24  # variance of a share that rounding leaves of zero


def same_unknown(rates: Estimates) -> Estimates:
    """Return shares of which those without any deviation have an unknown error."""
    same = np.flatnonzero(rates.variances <= _NOTHING)
    return rates.with_unknown(same, f"unknown where everybody did the same ({len(same)} of {len(rates.values)})")


def linearised(rates: Estimates) -> Estimates:
    """Return shares with their linearised errors, zero where everybody did the same, to be combined."""
    kept = [i for i, source in enumerate(rates.sources) if not isinstance(source, UnknownSource)]
    return replace(rates, sources=tuple(rates.sources[i] for i in kept), maps=tuple(rates.maps[i] for i in kept))
