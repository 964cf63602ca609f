"""Rates that lie on the line exactly, or do not vary at all: what rounding leaves of zero is no slope and no error.

A coefficient b_j and its standard error are not told from zero where they are no larger than what rounding of the
outcome makes of them, u |y| ((X'X)^-1)_jj^(1/2) with u = 1e-12. A coefficient so small is zero; an error so small is
none, and unknown: where no cell deviates from the line, nothing says how far another sample's would.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wagegap._typing import FloatArray
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.estimator import LinkFit

__all__ = ["lies_on_line", "rounding_of", "unknown_below", "without_rounding"]

_NOTHING = 1e-12
"""Size, relative to its parts, that rounding leaves of zero."""


def lies_on_line(y: FloatArray, x: FloatArray) -> bool:
    """Say whether the columns of x make up the outcome exactly, as far as rounding tells.

    >>> import numpy as np
    >>> x = np.column_stack([np.ones(4), [0.1, 0.2, 0.3, 0.7]])
    >>> lies_on_line(0.2 - 0.3 * x[:, 1], x), lies_on_line(x[:, 1] ** 2, x)
    (True, False)
    """
    return bool(np.linalg.norm(annihilator(x) @ y) <= _NOTHING * np.linalg.norm(y))


def rounding_of(y: FloatArray, x: FloatArray) -> FloatArray:
    """Size that rounding of the outcome gives a coefficient of zero, shape (k,)."""
    # u |y| ((X'X)^-1)_jj^(1/2), and (X'X)^-1 = R^-1 R^-1' with X = QR
    inverse = np.linalg.inv(np.linalg.qr(x, mode="r"))
    return np.asarray(_NOTHING * np.linalg.norm(y) * np.linalg.norm(inverse, axis=1))


def without_rounding(fit: LinkFit, y: FloatArray, x: FloatArray, j: int | None) -> LinkFit:
    """Return a fit that is linear in x with what rounding left of zero taken out; j is the premium's column."""
    size = rounding_of(y, x)
    params = np.where(np.abs(fit.params) <= size, 0.0, fit.params)
    cov, interval, without = fit.cov, fit.interval, fit.without
    if cov is not None:
        cov = unknown_below(cov, size)
    if j is not None and without is not None:
        without = np.where(np.abs(without) <= size[j], 0.0, without)
    if j is not None and interval is not None and interval[1] - interval[0] <= size[j]:
        interval = None
    return replace(fit, params=params, cov=cov, interval=interval, without=without)


def unknown_below(cov: FloatArray, size: FloatArray) -> FloatArray:
    """Covariance in which standard errors that are rounding are unknown."""
    nothing = ~(np.diag(cov) > size**2)
    out = np.where(nothing[:, None] | nothing, 0.0, cov)
    out[nothing, nothing] = np.nan
    return out
