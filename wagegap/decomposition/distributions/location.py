"""Location and location-scale models of a conditional distribution.

In the location model pay is x'b + e with e independent of x: regressors shift the whole distribution. In the
location-scale model it is x'b + s(x) e with log s(x)^2 = x'g, so that they stretch it too. Coefficients are least
squares (g from the log of squared residuals), and the distribution of e is that of the residuals over s.

References
----------
Chernozhukov, V., I. Fernandez-Val and B. Melly (2013). Inference on counterfactual distributions. Econometrica 81,
2205-2268.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.decomposition.distributions.rearrange import Convention, Levels, pooled_quantiles
from wagegap.errors import DataError
from wagegap.estimation.covariance.resampling import unpack_moments
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.newton import solve_scaled

__all__ = ["LocationFit", "fit_location"]

_EXACT = 1e-12  # size of a residual, relative to the outcome, that has no logarithm worth taking


@dataclass(frozen=True, slots=True, eq=False)
class LocationFit:
    """A location or location-scale model.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients of the location; zero for a column that others make.
    scale : ndarray, shape (k,), optional
        Coefficients of the log variance; absent in the location model.
    errors : ndarray, shape (m,)
        Quantiles of the standardised residuals.
    """

    params: FloatArray
    scale: FloatArray | None
    errors: FloatArray

    def quantiles(self, x: FloatArray) -> Levels:
        """Return conditional quantiles of each row at the levels of the errors."""
        centre = x @ self.params
        spread = 1.0 if self.scale is None else np.exp(0.5 * (x @ self.scale))
        return Levels(len(self.errors), lambda some: centre + self.errors[some, None] * spread)


def fit_location(
    y: FloatArray,
    x: FloatArray,
    levels: FloatArray,
    weights: FloatArray | None = None,
    *,
    scale: bool = False,
    convention: Convention = "cfm",
) -> LocationFit:
    """Fit a location model, or a location-scale model.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    levels : ndarray, shape (m,)
        Probabilities at which the distribution of the errors is kept.
    weights : ndarray, shape (n,), optional
        Weights; rows of weight zero do not count.
    scale : bool
        Whether regressors change the scale too.
    convention : {"cfm", "r"}
        Of the quantiles of the errors.

    Raises
    ------
    DataError
        Where residuals are zero and the scale depends on the regressors.

    Examples
    --------
    >>> y, x = np.array([1.0, 2.0, 3.0, 6.0]), np.ones((4, 1))
    >>> fit_location(y, x, np.array([0.25, 0.75])).quantiles(x[:1]).take(slice(0, 2)).ravel()
    array([1., 3.])
    """
    w = np.ones(len(y)) if weights is None else weights
    used = w > 0
    y, x, w = y[used], x[used], w[used]
    fit, gamma = fit_lstsq(y, x, w), None
    if scale:
        gamma = np.nan_to_num(fit_lstsq(_log_squares(fit.residuals, y), x, w).params)
    return _with_errors(y, x, w, levels, np.nan_to_num(fit.params), gamma, convention)


def refit_location(
    fit: LocationFit,
    y: FloatArray,
    x: FloatArray,
    levels: FloatArray,
    weights: FloatArray,
    products: FloatArray,
    *,
    convention: Convention = "cfm",
) -> LocationFit:
    """Fit again with other weights, from products of the columns (`column_products`).

    Examples
    --------
    >>> from wagegap.estimation.covariance.resampling import column_products
    >>> y, x = np.array([1.0, 2.0, 3.0, 6.0]), np.ones((4, 1))
    >>> fit = fit_location(y, x, np.array([0.5]))
    >>> refit_location(fit, y, x, np.array([0.5]), np.array([1.0, 1.0, 1.0, 0.0]), column_products(x).T).params.round(6)
    array([2.])
    """
    # b + (X'WX)^-1 X'W (y - X b), which loses no digits to the size of the outcome; g likewise from log e^2
    normal = unpack_moments((weights @ products)[None])

    def moved(params: FloatArray, target: FloatArray) -> FloatArray:
        return np.asarray(params + solve_scaled(normal, ((weights * (target - x @ params)) @ x)[None])[0])

    params = moved(fit.params, y)
    gamma = None if fit.scale is None else moved(fit.scale, _log_squares(y - x @ params, y))
    return _with_errors(y, x, weights, levels, params, gamma, convention)


def _log_squares(residuals: FloatArray, y: FloatArray) -> FloatArray:
    exact = np.abs(residuals) <= _EXACT * max(float(np.abs(y).max()), 1e-300)
    if exact.any():
        raise DataError(
            f"{int(exact.sum()):,} of {len(y):,} residuals are zero, and have no logarithm: model='locsca' needs an "
            "outcome that no row fits exactly. Use model='loc'."
        )
    return np.asarray(np.log(residuals**2))


def _with_errors(
    y: FloatArray, x: FloatArray, w: FloatArray, levels: FloatArray, params: FloatArray, gamma: FloatArray | None,
    convention: Convention,
) -> LocationFit:  # fmt: skip
    """Add the distribution of the errors, (y - x'b) / exp(x'g / 2)."""
    errors = y - x @ params
    if gamma is not None:
        errors = errors / np.exp(0.5 * (x @ gamma))
    return LocationFit(params, gamma, pooled_quantiles(errors[None], w, levels, convention=convention))
