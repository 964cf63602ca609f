"""Rows of flows or rates, checked: outcome in its bounds, regressors that absorbed effects do not take up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    OptionError,
    check_option,
    no_column,
)
from wagegap.estimation.design import Design, build_design
from wagegap.estimation.formula import split_formula
from wagegap.estimation.identification import check_identified
from wagegap.estimation.units import check_share
from wagegap.panel.panel import Panel
from wagegap.panel.rows import weighted_rows
from wagegap.regression.gravity.irls import ENGINES, Engine, Family

__all__ = ["FlowCall", "FlowFamily", "Link", "flow_design"]

FlowFamily = Literal["poisson", "binomial", "fractional", "gaussian"]
Link = Literal["log", "logit", "probit", "cloglog", "identity"]

_FAMILIES = ("poisson", "binomial", "fractional", "gaussian")
_LINKS = {
    "poisson": ("log",),
    "binomial": ("logit", "probit", "cloglog"),
    "fractional": ("logit", "probit", "cloglog"),
    "gaussian": ("identity",),
}


@dataclass(frozen=True, slots=True)
class FlowCall:
    """What kind of fit is asked for, checked.

    Attributes
    ----------
    family, link, trials, method, engine, bias
        As given to `fit_flows`; the link filled in.
    """

    family: str
    link: str | None
    trials: str | None
    method: str
    engine: Engine
    bias: str | None = None

    def __post_init__(self) -> None:
        check_option("family", self.family, _FAMILIES)
        check_option("method", self.method, ("ml", "berkson"))
        check_option("engine", self.engine, ENGINES)
        object.__setattr__(self, "link", self.link or _LINKS[self.family][0])
        check_option("link", self.link, tuple(dict.fromkeys(link for links in _LINKS.values() for link in links)))
        if self.link not in _LINKS[self.family]:
            raise OptionError(f"link={self.link!r} does not go with family={self.family!r}: {_LINKS[self.family]}.")
        if (self.trials is None) == (self.family == "binomial"):
            raise OptionError(
                "family='binomial' counts movers among trials='column' of those at risk; for a share itself "
                "use family='fractional'."
                if self.trials is None
                else f"trials={self.trials!r} goes with family='binomial', not with {self.family!r}."
            )
        if self.method == "berkson" and (self.family, self.link) != ("binomial", "logit"):
            raise OptionError("method='berkson' is least squares of log odds: family='binomial', link='logit'.")
        if self.bias is not None:
            check_option("bias", self.bias, ("analytic",))
            if self.family != "poisson":
                raise OptionError(f"bias='analytic' is derived for family='poisson', not for {self.family!r}.")

    @property
    def is_linear(self) -> bool:
        """Whether least squares does it."""
        return self.family == "gaussian" or self.method == "berkson"

    @property
    def kernel(self) -> Family:
        """Name of the family and link in the kernel."""
        return "poisson" if self.family == "poisson" else self.link  # type: ignore[return-value]


def flow_design(panel: Panel, formula: str, chosen: FlowCall) -> tuple[Design, FloatArray | None]:
    """Return the arrays of the regression and those at risk; the constant is left to effects where there are any.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, UnitError, EmptyDataError, IdentificationError
    """
    parts = split_formula(formula)
    also = [] if chosen.trials is None else [chosen.trials]
    if chosen.trials is not None and chosen.trials not in panel.frame:
        raise no_column(chosen.trials, panel.frame.columns, "for trials")
    weights, positive, ledger = weighted_rows(panel)
    if weights is not None and chosen.method == "berkson":
        raise OptionError("method='berkson' has weights of their own, the inverse variances of the log odds.")
    if weights is not None and panel.roles.weight_kind == "frequency" and chosen.family != "gaussian":
        raise OptionError("frequency weights are for repeated workers: repeat the rows, or sum the flows first.")
    design = build_design(panel.frame, parts, ledger=ledger, weights=weights, keep=positive, also=also)
    if design.effects:
        design = design.without_constant()
    if design.x.shape[1] == 0:
        raise FormulaError(f"formula {formula!r} has no regressor beside the absorbed effects: nothing is estimated.")
    at_risk = None if chosen.trials is None else _at_risk(panel, design, chosen.trials)
    design = _checked_outcome(design, at_risk, chosen)
    if len(design.y) > 1 and np.ptp(design.y) == 0 and chosen.trials is None:
        raise DataError(
            f"{design.outcome!r} is {design.y[0]:g} in all {len(design.y):,} rows: there is nothing to explain."
        )
    check_identified(design)
    return design, at_risk


def _at_risk(panel: Panel, design: Design, trials: str) -> FloatArray:
    values = pd.to_numeric(panel.frame[trials], errors="coerce").to_numpy(dtype=float)[design.rows]
    bad = ~(values > 0) | ~np.isfinite(values)
    if bad.any():
        raise DataError(f"trials {trials!r} are not positive numbers in {int(bad.sum()):,} of {len(values):,} rows.")
    return values


def _checked_outcome(design: Design, at_risk: FloatArray | None, chosen: FlowCall) -> Design:
    """Design with the outcome in the kernel's terms: a count, a share, or log odds."""
    y, n = design.y, len(design.y)
    if chosen.family == "poisson":
        negative = int((y < 0).sum())
        if negative:
            raise DataError(
                f"{design.outcome!r} is negative in {negative:,} of {n:,} rows: Poisson flows are gross; net flows "
                "need family='gaussian'."
            )
        if not y.any():
            raise EmptyDataError(f"{design.outcome!r} is zero in all {n:,} rows: there is nothing to explain.")
    elif chosen.family == "fractional":
        check_share(y, "share", f"outcome {design.outcome!r}")
    elif at_risk is not None:
        return replace(design, y=_rates(design, at_risk, chosen))
    return design


def _rates(design: Design, at_risk: FloatArray, chosen: FlowCall) -> FloatArray:
    """Shares of those at risk who moved, or their log odds."""
    y, n = design.y, len(design.y)
    outside = (y < 0) | (y > at_risk)
    if outside.any():
        raise DataError(
            f"{design.outcome!r} is negative or more than {chosen.trials!r} in {int(outside.sum()):,} of {n:,} rows, "
            f"first {y[outside][0]:g} of {at_risk[outside][0]:g}."
        )
    if chosen.method == "ml":
        return np.asarray(y / at_risk)
    bound = (y == 0) | (y == at_risk)
    if bound.any():
        raise DataError(
            f"{int(bound.sum()):,} of {n:,} rows have no movers or nobody else, and so no log odds: use method='ml', "
            "which keeps them."
        )
    return np.asarray(np.log(y / (at_risk - y)))
