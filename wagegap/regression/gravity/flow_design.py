"""Rows of flows or rates, checked: outcome in its bounds, regressors that absorbed effects do not take up.

For `bias="analytic"` also which columns are places and periods, clusters of whole pairs, and the corrected source of
error; its arithmetic, and what it is derived for, stand in `regression.gravity.bias_terms`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse

from wagegap._typing import BoolArray, FloatArray, Information, Singletons
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    OptionError,
    check_option,
    listing,
    refuse_rows,
)
from wagegap.estimation.cellwise import SINGLETONS, Rows
from wagegap.estimation.column_types import as_numbers
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.estimation.design import Design, check_numbers_in
from wagegap.estimation.formula import design_matrix, required_columns, split_formula, split_offset
from wagegap.estimation.identification import check_identified
from wagegap.estimation.likelihood.binary import INFORMATION
from wagegap.estimation.units import check_share
from wagegap.panel.events import column_of
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import prepare
from wagegap.regression.gravity.bias_terms import gravity_bias
from wagegap.regression.gravity.irls import ENGINES, Engine, Family, IrlsFit

__all__ = ["FlowCall", "FlowFamily", "FlowRows", "Link", "correct_bias", "flow_rows", "pair_clusters"]

FlowFamily = Literal["poisson", "binomial", "fractional", "gaussian"]
Link = Literal["log", "logit", "probit", "cloglog", "identity"]

_SHAPES = "origin^period + destination^period + origin^destination"
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
    family, link, trials, method, engine, bias, information, singletons
        As given to `fit_flows`; the link filled in.
    """

    family: str
    link: str | None
    trials: str | None
    method: str
    engine: Engine
    bias: str | None = None
    information: Information = "observed"
    singletons: Singletons = "drop"

    def __post_init__(self) -> None:
        check_option("family", self.family, tuple(_LINKS))
        check_option("method", self.method, ("ml", "berkson"))
        check_option("engine", self.engine, ENGINES)
        check_option("information", self.information, INFORMATION)
        check_option("singletons", self.singletons, SINGLETONS)
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
    def kernel(self) -> Family:
        """Name of the family and link in the kernel."""
        return "poisson" if self.family == "poisson" else self.link  # type: ignore[return-value]


@dataclass(frozen=True, slots=True, eq=False)
class FlowRows:
    """Rows of the regression with what stands beside the regressors.

    Attributes
    ----------
    rows : Rows
        Rows, the outcome of binomial rates as a share or its log odds.
    at_risk : ndarray, shape (n,)
        Trials; ones without.
    offset : ndarray, shape (n,), optional
        Part of the index whose coefficient is one.
    """

    rows: Rows
    at_risk: FloatArray
    offset: FloatArray | None

    def keep(self, mask: BoolArray, reason: str) -> FlowRows:
        """Keep some rows; the ledger says why the others went."""
        offset = None if self.offset is None else self.offset[mask]
        return FlowRows(self.rows.keep(mask, reason), self.at_risk[mask], offset)

    def without_singletons(self, singletons: Singletons) -> FlowRows:
        """Leave out rows that are alone in a level of an absorbed effect, unless they are to be kept."""
        rows = self.rows.without_singletons(singletons)
        kept = np.isin(self.rows.design.rows, rows.design.rows)
        return FlowRows(rows, self.at_risk[kept], None if self.offset is None else self.offset[kept])

    def with_rows(self, rows: Rows) -> FlowRows:
        """The same of another regression of these rows."""
        return replace(self, rows=rows)

    @property
    def weights(self) -> FloatArray:
        """Weights of the fit: trials times the weights of the rows."""
        return self.at_risk if self.rows.weights is None else self.at_risk * self.rows.weights


def flow_rows(data: Any, formula: str, chosen: FlowCall, **how: Any) -> FlowRows:
    """Prepare the rows of the regression, without constant beside effects, those at risk, and the offset.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, UnitError, EmptyDataError, IdentificationError
    """
    panel, parts = as_panel(data), split_formula(formula)
    regressors, offsets = split_offset(parts.regressors)
    also = [name for offset in offsets for name in required_columns(offset, panel.frame)]
    if chosen.trials is not None:
        also.append(str(column_of(panel, chosen.trials, "for trials").name))
    rows = prepare(panel, replace(parts, regressors=regressors, also=tuple(also)), by=(), **how)
    if rows.weights is not None and chosen.method == "berkson":
        raise OptionError("method='berkson' has weights of their own, the inverse variances of the log odds.")
    if rows.design.effects:
        rows = replace(rows, design=rows.design.without_constant())
    is_linear = chosen.family == "gaussian" or chosen.method == "berkson"
    if rows.design.x.shape[1] == 0 and (is_linear or chosen.bias is not None or not rows.design.effects):
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
    shift = np.sum([_offset(rows, one) for one in offsets], axis=0) if offsets else None
    return FlowRows(rows, at_risk, shift)


def _offset(rows: Rows, expression: str) -> FloatArray:
    """Values of an offset, a finite number in every row."""
    frame, name = rows.columns(), f"offset({expression[2:-1]})"
    check_numbers_in(frame, required_columns(expression, frame), expression)
    values = design_matrix(frame[required_columns(expression, frame)], f"{expression} - 1").values
    if values.shape[1] != 1:
        raise FormulaError(f"{name} is {values.shape[1]} columns; it must be one column of numbers.")
    fault = " rows: filter or mend these rows before the fit."
    refuse_rows(~np.isfinite(values[:, 0]), DataError, f"{name} is not a finite number in ", fault)
    return np.asarray(values[:, 0])


def _at_risk(rows: Rows, trials: str) -> FloatArray:
    values = as_numbers(rows.columns([trials])[trials], f"trials {trials!r}")
    refuse_rows(
        ~((values > 0) & np.isfinite(values)), DataError, f"trials {trials!r} are not positive numbers in ", " rows."
    )
    return values


def _check_outcome(design: Design, at_risk: FloatArray, chosen: FlowCall) -> None:
    """Raise unless flows are counts, shares shares, and movers some of those at risk, with log odds where asked for."""
    y, flow = design.y, repr(design.outcome)
    if chosen.family == "fractional":
        check_share(y, "share", f"outcome {flow}")
    if chosen.family == "poisson":
        advice = " rows: Poisson flows are gross; net flows need family='gaussian'."
        refuse_rows(y < 0, DataError, f"{flow} is negative in ", advice)
        if not y.any():
            raise EmptyDataError(f"{flow} is zero in all {len(y):,} rows: there is nothing to explain.")
    if chosen.family == "binomial":
        outside = (y < 0) | (y > at_risk)
        first = f"first {y[outside][0]:g} of {at_risk[outside][0]:g}" if outside.any() else ""
        refuse_rows(outside, DataError, f"{flow} is negative or more than {chosen.trials!r} in ", f" rows, {first}.")
    if chosen.method == "berkson":
        advice = " rows have no movers or nobody else, and so no log odds: use method='ml', which keeps them."
        refuse_rows((y == 0) | (y == at_risk), DataError, "", advice)


# bias ----------------------------------------------------------------------------------------------------------------


def pair_clusters(rows: Rows) -> Rows:
    """Return the rows clustered by pair, unless asked otherwise.

    Raises
    ------
    OptionError
        Where effects are not those that the correction is derived for, rows are weighted, or pairs are not within
        clusters.
    """
    origin, destination, _ = _places(rows)
    if rows.weights is not None:
        raise OptionError("bias='analytic' is derived for rows without weights: leave them out.")
    if rows.asked is None and not rows.access.declares_clusters:
        name, members = f"{origin}^{destination}", rows.columns([origin, destination]).astype(str)
        labelled = rows.with_column(name, (members[origin] + "^" + members[destination]).to_numpy())
        return replace(labelled, asked=Robust("CR1", (name,)))
    if not rows.cov.clusters or rows.cov.adjusts_clusters:
        raise OptionError(
            f"cov={rows.cov} does not go with bias='analytic', which corrects errors that are correlated within pairs: "
            "leave cov out, or give CR1 with clusters of whole pairs."
        )
    pairs = pd.DataFrame({"o": rows.codes(origin), "d": rows.codes(destination)})
    for name in rows.cov.clusters:
        split = len(pairs.assign(cluster=rows.cluster_codes(name)).drop_duplicates()) - len(pairs.drop_duplicates())
        if split:
            raise OptionError(
                f"clusters of {name!r} part the rows of a pair ({split:,} times), and bias='analytic' corrects errors "
                "that are correlated within pairs: leave cov out, or give clusters of whole pairs."
            )
    return rows


def correct_bias(rows: Rows, fit: IrlsFit, source: ScoreSource) -> tuple[FloatArray, ScoreSource, str]:
    """Return the bias of the coefficients, the source with residuals corrected for leverage, and what was done."""
    *places, period = _places(rows)
    codes = [*map(rows.codes, places), np.zeros(len(rows), dtype=np.int32) if period is None else rows.codes(period)]
    with_pairs = len(rows.design.effects) == 3
    correction = gravity_bias(rows.design.y - fit.mean, fit.mean, fit.x, *codes, pairs=with_pairs)
    bread = np.linalg.inv(fit.x.T @ (fit.mean[:, None] * fit.x))
    how = "" if correction.exact else ", as in a balanced table"
    what = (
        f"Coefficients less their bias with few periods ({period}), Weidner and Zylkin (2021)"
        if with_pairs
        else "Two sets of effects leave Poisson coefficients without bias of the order of their errors: as estimated"
    )
    source = replace(
        source, scores=sparse.csr_array((fit.x * correction.residuals[:, None]) @ bread), rule="clubsandwich"
    )  # fmt: skip
    return correction.bias, source, f"{what}; residuals corrected within pairs for the leverage of the effects{how}."


def _places(rows: Rows) -> tuple[str, str, str | None]:
    """Columns of origins, destinations and periods (None with one period), read off the names of the effects."""
    design = rows.design
    parts = [tuple(name.split("^")) for name in design.effect_names]
    names = list(dict.fromkeys(name for part in parts for name in part))
    if len(parts) == 2 and all(len(part) == 1 for part in parts):
        return names[0], names[1], None
    shared = [name for name in names if all(name in part for part in parts)]
    if len(parts) == 2 and all(len(part) == 2 for part in parts) and len(names) == 3 and len(shared) == 1:
        origin, destination = (name for name in names if name not in shared)
        return origin, destination, shared[0]
    if len(parts) == 3 and len(names) == 3 and len({frozenset(part) for part in parts if len(set(part)) == 2}) == 3:
        period = _period(rows, names)
        origin, destination = next(part for part in parts if period not in part)
        return origin, destination, period
    raise OptionError(
        f"bias='analytic' is derived for Poisson flows with the effects {_SHAPES} (or the first two of them), a column "
        f"for each, not for {listing(design.effect_names) or 'none'}."
    )


def _period(rows: Rows, names: list[str]) -> str:
    """Column declared as the period, else the one of fewest levels."""
    if rows.access.period in names:
        return str(rows.access.period)
    levels = rows.columns(names).nunique()
    first, second = sorted(names, key=lambda name: int(levels[name]))[:2]
    if levels[first] == levels[second]:
        raise OptionError(
            f"{first!r} and {second!r} have {levels[first]} levels each: say which is the period, "
            "read_panel(..., period='column')."
        )
    return first
