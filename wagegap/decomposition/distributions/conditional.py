"""Models of a conditional distribution behind one face: fit, average over regressors, invert, fit again.

F_jk(y), the distribution of pay in a group whose pay given regressors is that of sample j and whose regressors are
those of sample k, is the average over the rows of k of the distribution estimated in j. What differs between quantile
regression, distribution regression and location models is how that distribution is fitted; what a decomposition needs
of them is the same.

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
from wagegap.decomposition.distributions.location import LocationFit, fit_location, refit_location
from wagegap.decomposition.distributions.quantreg import fit_quantiles, score_update
from wagegap.decomposition.distributions.rearrange import Convention, Levels, invert_distribution, pooled_quantiles
from wagegap.errors import DataError, OptionError, check_option
from wagegap.estimation.covariance.resampling import column_products
from wagegap.estimation.likelihood.binary import LINKS, LinkFunction

__all__ = ["MODELS", "Conditional", "Model", "Process", "fit_conditional"]

Model: TypeAlias = Literal["qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca"]
MODELS: tuple[Model, ...] = ("qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca")


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
    if model == "qr":
        return _quantile_process(y, x, w, process)
    if model in LINKS:
        return _threshold_process(y, x, w, process, model)
    return _location_model(y, x, w, process, scale=model == "locsca")


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
        trimmed = 0.5 * (1 - len(params) / process.regressions)
        levels = Levels(len(params), lambda some: params[some] @ of_rows.T)
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
        convention, between = process.convention, not fit.complete
        return invert_distribution(fit.thresholds, distribution, probs, between=between, convention=convention)

    return Conditional(fit.params, again, quantiles, int((~fit.converged).sum()))


def _location_model(y: FloatArray, x: FloatArray, w: FloatArray, process: Process, *, scale: bool) -> Conditional:
    """Location, or location-scale model, F(v | x) = F_e((v - x'b) / s(x)); least squares needs no steps."""
    levels, convention = process.levels, process.convention
    fit = fit_location(y, x, levels, w, scale=scale, convention=convention)
    products = cache(lambda: column_products(x).T)

    def again(weights: FloatArray, _exact: bool) -> LocationFit:
        return refit_location(fit, y, x, levels, weights, products(), convention=convention)

    def quantiles(model: LocationFit, of_rows: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        return pooled_quantiles(model.quantiles(of_rows), weights, probs, convention=convention)

    return Conditional(fit, again, quantiles)
