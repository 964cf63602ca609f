"""The estimators of the link by name: what `method=` may be, and how each is called in a sentence."""

from __future__ import annotations

from typing import Literal, TypeAlias

from wagegap.regression.link.estimators import (
    bootstrap,
    bounded,
    eiv,
    instruments,
    meta,
    ml,
    moments,
    ols,
    simex,
    split,
    york,
)
from wagegap.regression.link.estimators.estimator import Estimator

__all__ = ["ESTIMATORS", "METHODS", "Method"]

Method: TypeAlias = Literal[
    "auto", "moments", "ml", "ols", "meta", "eiv", "york", "simex", "iv", "fractional", "poisson", "split", "bootstrap"
]

ESTIMATORS: dict[str, Estimator] = {
    "moments": Estimator(moments.estimate, "weighted corrected moments", corrects=True, beside="ml"),
    "ml": Estimator(ml.estimate, "restricted likelihood, errors in variables", corrects=True, beside="moments"),
    "ols": Estimator(ols.estimate, "least squares", needs_premium=False),
    "meta": Estimator(meta.estimate, "meta-regression", needs_premium=False),
    "eiv": Estimator(eiv.estimate, "errors in variables, corrected moments", corrects=True),
    "york": Estimator(york.estimate, "York's line", corrects=True),
    "simex": Estimator(simex.estimate, "least squares, simulation and extrapolation", corrects=True, draws=2_000),
    "iv": Estimator(instruments.estimate, "two-stage least squares"),
    "fractional": Estimator(bounded.fractional, "fractional logit", draws=500, scale="log odds"),
    "poisson": Estimator(bounded.poisson, "Poisson pseudo-likelihood", draws=500, scale="log"),
    "split": Estimator(split.estimate, "split samples, one half's premium an instrument for the other's", draws=10),
    "bootstrap": Estimator(bootstrap.estimate, "corrected moments, two-stage bootstrap", corrects=True, draws=1_000),
}
METHODS: tuple[str, ...] = ("auto", *ESTIMATORS)
