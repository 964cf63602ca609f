"""The estimators of the link by name: what `method=` may be, and how each is called in a sentence."""

from __future__ import annotations

from typing import Literal, TypeAlias

from wagegap.regression.link.estimators import bootstrap, bounded, eiv, instruments, meta, ml, ols, simex, split, york
from wagegap.regression.link.estimators.estimator import Estimator

__all__ = ["ESTIMATORS", "METHODS", "Method"]

Method: TypeAlias = Literal[
    "auto", "ols", "meta", "eiv", "ml", "york", "simex", "iv", "fractional", "poisson", "split", "bootstrap"
]

ESTIMATORS: dict[str, Estimator] = {
    "ols": Estimator(ols.estimate, "least squares", needs_premium=False),
    "meta": Estimator(meta.estimate, "meta-regression", needs_premium=False),
    "eiv": Estimator(eiv.estimate, "errors in variables, corrected moments", corrects=True),
    "ml": Estimator(ml.estimate, "maximum likelihood, errors in variables", corrects=True, beside="eiv"),
    "york": Estimator(york.estimate, "York's line", corrects=True),
    "simex": Estimator(simex.estimate, "least squares, simulation and extrapolation", corrects=True, draws=2_000),
    "iv": Estimator(instruments.estimate, "two-stage least squares"),
    "fractional": Estimator(bounded.fractional, "fractional logit", draws=500, scale="log odds"),
    "poisson": Estimator(bounded.poisson, "Poisson pseudo-likelihood", draws=500, scale="log"),
    "split": Estimator(split.estimate, "split samples, one half's premium an instrument for the other's", draws=10),
    "bootstrap": Estimator(bootstrap.estimate, "corrected moments, two-stage bootstrap", corrects=True, draws=1_000),
}
METHODS: tuple[str, ...] = ("auto", *ESTIMATORS)
