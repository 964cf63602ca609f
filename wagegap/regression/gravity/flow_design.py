"""Rows of flows or rates, checked: outcome in its bounds, regressors that absorbed effects do not take up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    OptionError,
    check_option,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.design import Design
from wagegap.estimation.formula import split_formula
from wagegap.estimation.identification import check_identified
from wagegap.estimation.units import check_share
from wagegap.panel.events import column_of
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import prepare
from wagegap.regression.gravity.irls import ENGINES, Engine, Family

__all__ = ["FlowCall", "FlowFamily", "Link", "flow_rows"]

FlowFamily = Literal["poisson", "binomial", "fractional", "gaussian"]
Link = Literal["log", "logit", "probit", "cloglog", "identity"]

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
        check_option("family", self.family, tuple(_LINKS))
        check_option("method", self.method, ("ml", "berkson"))
        check_option("engine", self.engine, ENGINES)
        object.__setattr__(self, "link", self.link or _LINKS[self.family][0])
        check_option("link", self.link, tuple(dict.fromkeys(chain.from_iterable(_LINKS.values()))))
        if self.bias is not None:
            check_option("bias", self.bias, ("analytic",))
        faults = {
            f"link={self.link!r} does not go with family={self.family!r}: {_LINKS[self.family]}.": (
                self.link not in _LINKS[self.family]
            ),
            "family='binomial' counts movers among trials='column' of those at risk; for a share itself use "
            "family='fractional'.": self.family == "binomial" and self.trials is None,
            f"trials={self.trials!r} goes with family='binomial', not with {self.family!r}.": (
                self.family != "binomial" and self.trials is not None
            ),
            "method='berkson' is least squares of log odds: family='binomial', link='logit'.": (
                self.method == "berkson" and (self.family, self.link) != ("binomial", "logit")
            ),
            f"bias='analytic' is derived for family='poisson', not for {self.family!r}.": (
                self.bias is not None and self.family != "poisson"
            ),
        }
        for message, holds in faults.items():
            if holds:
                raise OptionError(message)

    @property
    def is_linear(self) -> bool:
        """Whether least squares does it."""
        return self.family == "gaussian" or self.method == "berkson"

    @property
    def kernel(self) -> Family:
        """Name of the family and link in the kernel."""
        return "poisson" if self.family == "poisson" else self.link  # type: ignore[return-value]


def flow_rows(data: Any, formula: str, chosen: FlowCall, how: Mapping[str, Any]) -> tuple[Rows, FloatArray]:
    """Prepare the rows of the regression, without constant beside effects, and those at risk, ones without trials.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, UnitError, EmptyDataError, IdentificationError
    """
    panel, parts = as_panel(data), split_formula(formula)
    if chosen.trials is not None:
        column_of(panel, chosen.trials, "for trials")
        parts = replace(parts, also=(chosen.trials,))
    rows = prepare(panel, parts, by=(), **how)
    if rows.weights is not None and chosen.method == "berkson":
        raise OptionError("method='berkson' has weights of their own, the inverse variances of the log odds.")
    if rows.weight_kind == "frequency" and chosen.family != "gaussian":
        raise OptionError("frequency weights are for repeated workers: repeat the rows, or sum the flows first.")
    if rows.design.effects:
        rows = replace(rows, design=rows.design.without_constant())
    if rows.design.x.shape[1] == 0:
        raise FormulaError(f"formula {formula!r} has no regressor beside the absorbed effects: nothing is estimated.")
    at_risk = np.ones(len(rows)) if chosen.trials is None else _at_risk(rows, chosen.trials)
    _check_outcome(rows.design, at_risk, chosen)
    if chosen.family == "binomial":
        y = rows.design.y
        rows = rows.with_design(y=y / at_risk if chosen.method == "ml" else np.log(y / (at_risk - y)))
    elif len(rows) > 1 and np.ptp(rows.design.y) == 0:
        raise DataError(
            f"{rows.design.outcome!r} is {rows.design.y[0]:g} in all {len(rows):,} rows: there is nothing to explain."
        )
    check_identified(rows.design)
    return rows, at_risk


def _at_risk(rows: Rows, trials: str) -> FloatArray:
    values = pd.to_numeric(rows.columns([trials])[trials], errors="coerce").to_numpy(dtype=float)
    bad = ~(values > 0) | ~np.isfinite(values)
    if bad.any():
        raise DataError(f"trials {trials!r} are not positive numbers in {int(bad.sum()):,} of {len(values):,} rows.")
    return values


def _check_outcome(design: Design, at_risk: FloatArray, chosen: FlowCall) -> None:
    """Raise unless flows are counts, shares shares, and movers some of those at risk, with log odds where asked for."""
    y, n = design.y, len(design.y)
    negative, outside, bound = y < 0, (y < 0) | (y > at_risk), (y == 0) | (y == at_risk)
    if chosen.family == "fractional":
        check_share(y, "share", f"outcome {design.outcome!r}")
    if chosen.family == "poisson" and negative.any():
        raise DataError(
            f"{design.outcome!r} is negative in {int(negative.sum()):,} of {n:,} rows: Poisson flows are gross; net "
            "flows need family='gaussian'."
        )
    if chosen.family == "poisson" and not y.any():
        raise EmptyDataError(f"{design.outcome!r} is zero in all {n:,} rows: there is nothing to explain.")
    if chosen.family == "binomial" and outside.any():
        raise DataError(
            f"{design.outcome!r} is negative or more than {chosen.trials!r} in {int(outside.sum()):,} of {n:,} rows, "
            f"first {y[outside][0]:g} of {at_risk[outside][0]:g}."
        )
    if chosen.method == "berkson" and bound.any():
        raise DataError(
            f"{int(bound.sum()):,} of {n:,} rows have no movers or nobody else, and so no log odds: use method='ml', "
            "which keeps them."
        )
