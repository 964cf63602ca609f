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

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np

from wagegap._typing import FloatArray
from wagegap.decomposition.distributions.distreg import (
    DistributionFit,
    average_distribution,
    choose_thresholds,
    distribution_update,
    fit_distribution,
    refit_distribution,
)
from wagegap.decomposition.distributions.location import LocationFit, fit_location, refit_location
from wagegap.decomposition.distributions.quantreg import QuantileFit, fit_quantiles, score_update
from wagegap.decomposition.distributions.rearrange import Convention, Levels, invert_distribution, pooled_quantiles
from wagegap.errors import DataError, OptionError, check_option
from wagegap.estimation.covariance.resampling import column_products
from wagegap.estimation.likelihood.binary import LINKS
from wagegap.estimation.likelihood.newton_update import NewtonUpdate

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
        whole = isinstance(self.regressions, int | np.integer) and not isinstance(self.regressions, bool)
        if not whole or self.regressions < 4:
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
        slack = 1e-12
        levels = self.levels
        return levels[(levels >= self.trimming - slack) & (levels <= 1 - self.trimming + slack)]


class Conditional(Protocol):
    """A conditional distribution fitted in one sample."""

    @property
    def fitted(self) -> Any:
        """What it is in the sample."""

    @property
    def separated(self) -> int:
        """Regressions that some regressors predict perfectly."""

    def again(self, weights: FloatArray, *, exact: bool = False) -> Any:
        """Fit it with other weights: fully where `exact`, else by few Newton steps where the model has them."""

    def quantiles(self, fitted: Any, x: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        """Quantiles of its average over the regressors of a sample."""


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
            f"the outcome is {y[0]:g} in all {len(y):,} rows{' of ' * bool(sample)}{sample}: there is no distribution "
            "to fit."
        )
    w = np.ones(len(y)) if weights is None else weights
    if model == "qr":
        return _Quantiles(fit_quantiles(y, x, process.kept, w), y, x, w, process)
    if model in LINKS:
        thresholds, complete = choose_thresholds(y, process.regressions)
        return _Thresholds(fit_distribution(y, x, thresholds, w, model, complete=complete), y, x, w, process)
    fit = fit_location(y, x, process.levels, w, scale=model == "locsca", convention=process.convention)
    return _Location(fit, y, x, process)


class _Quantiles:
    """Quantile regression."""

    separated = 0

    def __init__(self, fit: QuantileFit, y: FloatArray, x: FloatArray, w: FloatArray, process: Process) -> None:
        self.fit, self.y, self.x, self.w, self.process = fit, y, x, w, process

    @cached_property
    def update(self) -> NewtonUpdate:
        """Derivatives that replicates share."""
        return score_update(self.fit, self.y, self.x, self.w)

    @property
    def fitted(self) -> FloatArray:
        return self.fit.params

    def again(self, weights: FloatArray, *, exact: bool = False) -> FloatArray:
        if exact:
            return fit_quantiles(self.y, self.x, self.fit.probs, weights).params
        out = self.fit.params.copy()
        out[:, self.fit.kept] += self.update.step(weights)
        return out

    def quantiles(self, fitted: FloatArray, x: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        trimmed = 0.5 * (1 - len(fitted) / self.process.regressions)
        levels = Levels(len(fitted), lambda some: fitted[some] @ x.T)
        return pooled_quantiles(levels, weights, probs, trimmed=trimmed, convention=self.process.convention)


class _Thresholds:
    """Distribution regression."""

    def __init__(self, fit: DistributionFit, y: FloatArray, x: FloatArray, w: FloatArray, process: Process) -> None:
        self.fit, self.y, self.x, self.w, self.process = fit, y, x, w, process

    @cached_property
    def update(self) -> NewtonUpdate | None:
        """Derivatives that replicates share."""
        return distribution_update(self.fit, self.y, self.x, self.w)

    @property
    def fitted(self) -> FloatArray:
        return self.fit.params

    @property
    def separated(self) -> int:
        return int((~self.fit.converged).sum())

    def again(self, weights: FloatArray, *, exact: bool = False) -> FloatArray:
        return refit_distribution(self.fit, self.y, self.x, weights, self.update, exact=exact)

    def quantiles(self, fitted: FloatArray, x: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        rule = self.process.convention
        distribution = average_distribution(self.fit, fitted, x, weights)
        between = not self.fit.complete
        return invert_distribution(self.fit.thresholds, distribution, probs, between=between, convention=rule)


class _Location:
    """Location, or location-scale model."""

    separated = 0

    def __init__(self, fit: LocationFit, y: FloatArray, x: FloatArray, process: Process) -> None:
        self.fit, self.y, self.x, self.process = fit, y, x, process

    @cached_property
    def products(self) -> FloatArray:
        """Products of the columns, which replicates share."""
        return column_products(self.x).T

    @property
    def fitted(self) -> LocationFit:
        return self.fit

    def again(self, weights: FloatArray, *, exact: bool = False) -> LocationFit:
        del exact  # least squares needs no steps
        rule = self.process.convention
        return refit_location(
            self.fit, self.y, self.x, self.process.levels, weights, self.products, convention=rule
        )  # fmt: skip

    def quantiles(self, fitted: LocationFit, x: FloatArray, weights: FloatArray, probs: FloatArray) -> FloatArray:
        return pooled_quantiles(fitted.quantiles(x), weights, probs, convention=self.process.convention)
