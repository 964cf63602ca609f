"""Models of a conditional distribution behind one face: fit, average over regressors, invert, fit again.

F_jk(y), the distribution of pay in a group whose pay given regressors is that of sample j and whose regressors are
those of sample k, is the average over the rows of k of the distribution estimated in j. What differs between quantile
regression, distribution regression and location models is how that distribution is fitted; what a decomposition needs
of them is the same.

In the location model pay is x'b + e with e independent of x: regressors shift the whole distribution. In the
location-scale model it is x'b + s(x) e with log s(x)^2 = x'g, so that they stretch it too. Coefficients are least
squares (g from the log of squared residuals), and the distribution of e is that of the residuals over s.

References
----------
Chernozhukov, V., I. Fernandez-Val and B. Melly (2013). Inference on counterfactual distributions. Econometrica 81,
2205-2268.
Melly, B. (2005). Decomposition of differences in distribution using quantile regression. Labour Economics 12, 577-590.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeAlias

import numpy as np

from wagegap._typing import FloatArray
from wagegap.decomposition.distributions.distreg import (
    average_distribution,
    choose_thresholds,
    distribution_update,
    fit_distribution,
    refit_distribution,
)
from wagegap.decomposition.distributions.quantreg import fit_quantiles, score_update
from wagegap.decomposition.distributions.rearrange import Convention, Levels, invert_distribution, pooled_quantiles
from wagegap.errors import DataError, OptionError, check_option, refuse_rows
from wagegap.estimation.covariance.resampling import column_products, unpack_moments
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import LINKS, LinkFunction
from wagegap.estimation.likelihood.newton import solve_scaled

__all__ = ["MODELS", "Conditional", "LocationFit", "Model", "Process", "fit_conditional", "fit_location"]

Model: TypeAlias = Literal["qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca"]
MODELS: tuple[Model, ...] = ("qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca")

_EXACT = 1e-12  # size of a residual, relative to the outcome, that has no logarithm worth taking


@dataclass(frozen=True, slots=True)
class Process:
    """How finely, and by which convention, a conditional distribution is fitted.

    Attributes
    ----------
    regressions : int
        Quantile regressions, thresholds, or quantiles of the errors of a location model.
    trimming : float
        Probabilities below it and above one minus it are left out of a quantile process.
    convention : {"cfm", "r"}
        Definition of quantiles.
    """

    regressions: int = 100
    trimming: float = 0.005
    convention: Convention = "cfm"

    def __post_init__(self) -> None:
        check_option("convention", self.convention, ("cfm", "r"))
        is_whole = isinstance(self.regressions, int | np.integer) and not isinstance(self.regressions, bool)
        if not is_whole or self.regressions < 4:
            raise OptionError(f"regressions={self.regressions!r} must be a whole number, at least 4.")
        if not 0 <= self.trimming <= 0.1:
            raise OptionError(f"trimming={self.trimming!r} must be between 0 and 0.1.")

    @property
    def levels(self) -> FloatArray:
        """Evenly spaced probabilities (i - 1/2) / m."""
        return np.asarray((np.arange(self.regressions) + 0.5) / self.regressions)

    @property
    def kept(self) -> FloatArray:
        """Those that trimming leaves."""
        levels, slack = self.levels, 1e-12
        return levels[(levels >= self.trimming - slack) & (levels <= 1 - self.trimming + slack)]


@dataclass(frozen=True, slots=True, eq=False)
class Conditional:
    """A conditional distribution fitted in one sample.

    Attributes
    ----------
    fitted : object
        What it is in the sample.
    again : callable
        Fit it with other weights (n,), `exact` or by few Newton steps where the model has them: what it is then.
    quantiles : callable
        From a fit, regressors (n, k) and weights (n,) of a sample, and probabilities to the quantiles of its average.
    separated : int
        Regressions that some regressors predict perfectly.
    """

    fitted: Any
    again: Callable[[FloatArray, bool], Any]
    quantiles: Callable[[Any, FloatArray, FloatArray, FloatArray], FloatArray]
    separated: int = 0


def fit_conditional(
    y: FloatArray, x: FloatArray, weights: FloatArray | None, model: Model, process: Process, *, sample: str = ""
) -> Conditional:
    """Fit a conditional distribution.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    weights : ndarray, shape (n,), optional
        Positive weights.
    model : {"qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca"}
        Quantile regression, distribution regression by its link, location, or location-scale model.
    process : Process
        How finely.
    sample : str
        Whose rows they are, for messages.

    Raises
    ------
    DataError
        Where all outcomes are equal.

    Examples
    --------
    >>> y, x = np.arange(1.0, 101.0), np.ones((100, 1))
    >>> model = fit_conditional(y, x, None, "qr", Process())
    >>> model.quantiles(model.fitted, x, np.ones(100), np.array([0.1, 0.5]))
    array([10., 50.])
    """
    check_option("model", model, MODELS)
    if float(y.min()) == float(y.max()):
        raise DataError(
            f"the outcome is {y[0]:g} in all {len(y):,} rows{f' of {sample}' if sample else ''}: there is no "
            "distribution to fit."
        )
    w = np.ones(len(y)) if weights is None else weights
    if model in LINKS:
        return _threshold_process(y, x, w, process, model)
    return _quantile_process(y, x, w, process) if model == "qr" else _location_model(y, x, w, process, model)


def _quantile_process(y: FloatArray, x: FloatArray, w: FloatArray, process: Process) -> Conditional:
    """Quantile regression, F(v | x) = share of the probabilities u at which x'b(u) <= v."""
    fit = fit_quantiles(y, x, process.kept, w)
    update = cache(partial(score_update, fit, y, x, w))  # derivatives that replicates share

    def again(weights: FloatArray, exact: bool) -> FloatArray:
        if exact:
            return fit_quantiles(y, x, fit.probs, weights).params
        params = fit.params.copy()
        params[:, fit.kept] += update().step(weights)
        return params

    def quantiles(params: FloatArray, of_rows: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        levels = Levels(len(params), lambda some: params[some] @ of_rows.T)
        trimmed = 0.5 * (1 - len(params) / process.regressions)
        return pooled_quantiles(levels, weights, probs, trimmed=trimmed, convention=process.convention)

    return Conditional(fit.params, again, quantiles)


def _threshold_process(
    y: FloatArray, x: FloatArray, w: FloatArray, process: Process, link: LinkFunction
) -> Conditional:
    """Distribution regression, F(t | x) = Lambda(x'b(t))."""
    thresholds, complete = choose_thresholds(y, process.regressions)
    fit = fit_distribution(y, x, thresholds, w, link, complete=complete)
    update = cache(partial(distribution_update, fit, y, x, w))

    def again(weights: FloatArray, exact: bool) -> FloatArray:
        return refit_distribution(fit, y, x, weights, update(), exact=exact)

    def quantiles(params: FloatArray, of_rows: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        distribution = average_distribution(fit, params, of_rows, weights)
        return invert_distribution(
            fit.thresholds, distribution, probs, between=not fit.complete, convention=process.convention
        )

    return Conditional(fit.params, again, quantiles, int((~fit.converged).sum()))


def _location_model(y: FloatArray, x: FloatArray, w: FloatArray, process: Process, model: Model) -> Conditional:
    """Location, or location-scale model, F(v | x) = F_e((v - x'b) / s(x)); least squares needs no steps."""
    levels, convention = process.levels, process.convention
    fit = fit_location(y, x, levels, w, scale=model == "locsca", convention=convention)
    products = cache(lambda: column_products(x).T)

    def again(weights: FloatArray, _exact: bool) -> LocationFit:
        return refit_location(fit, y, x, levels, weights, products(), convention=convention)

    def quantiles(refitted: LocationFit, of_rows: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        return pooled_quantiles(refitted.quantiles(of_rows), weights, probs, convention=convention)

    return Conditional(fit, again, quantiles)


# location models ------------------------------------------------------------------------------------------------------


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
    fit = fit_lstsq(y, x, w)
    gamma = np.nan_to_num(fit_lstsq(_log_squares(fit.residuals, y), x, w).params) if scale else None
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
    reason = " residuals are zero, and have no logarithm: model='locsca' needs an outcome that no row fits exactly. "
    refuse_rows(exact, DataError, "", f"{reason}Use model='loc'.")
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
