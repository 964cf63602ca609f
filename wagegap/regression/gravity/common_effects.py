"""Common correlated effects: what all places do at once, with a loading of each.

How attractive other destinations are at a time (multilateral resistance) moves flows from every origin, by an amount
that differs between them. Cross-section means of outcome and regressors at each time stand for these common factors,
and each unit gets a constant and slopes of its own on them,

    y_it = x_it'b + a_i + l_i'(ybar_t, xbar_t) + e_it,

the pooled estimator of Pesaran. The unit's own columns are taken out of outcome and regressors first.

References
----------
Bertoli, S. and J. Fernandez-Huertas Moraga (2013). Multilateral resistance to migration. Journal of Development
Economics 102, 79-100.
Pesaran, M. H. (2006). Estimation and inference in large heterogeneous panels with a multifactor error structure.
Econometrica 74, 967-1012.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, ColumnName, Condition, FloatArray, Formula, SmallSample, WeightKind
from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    FormulaError,
    IdentificationError,
    OptionError,
    listing,
    refuse_rows,
)
from wagegap.estimation.cellwise import Rows, least_squares, relate
from wagegap.estimation.covariance.options import CovLike, Robust
from wagegap.estimation.covariance.sources import AbsorbedCount
from wagegap.estimation.design import Design
from wagegap.estimation.formula import split_formula
from wagegap.estimation.spec import refittable
from wagegap.panel.events import column_of
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import domain_of, prepare
from wagegap.regression.gravity.flows import Flows

__all__ = ["common_correlated_effects"]


@refittable
def common_correlated_effects(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    unit: ColumnName,
    period: ColumnName,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Flows:
    """Fit common slopes beside unit-specific loadings on cross-section means.

    Parameters
    ----------
    data : Panel or data frame
        A row for each unit (an origin, a corridor) and period.
    formula : str
        `log(flow) ~ log(gdp) + policy`; no effects behind a bar, the units' constants are there already.
    unit, period : str
        Columns.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0, CR1, dyads, places or periods; clusters of units (CR1) where absent.
    small_sample, weights, weight_kind
        As for `fit_flows`; weights enter the cross-section means as well.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Flows
        With the common slopes.

    Raises
    ------
    ColumnError, OptionError, FormulaError, IdentificationError
        The last where a unit has too few periods for its own columns, or these take up a regressor.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.MultiIndex.from_product([range(30), range(20)], names=["o", "t"]).to_frame(index=False)
    >>> factor, loading = rng.normal(size=20)[rows.t], rng.uniform(0.5, 2, 30)[rows.o]
    >>> rows["gdp"] = factor * loading + rng.normal(size=600)
    >>> rows["flow"] = 0.5 * rows.gdp + 2 * factor * loading + rng.normal(size=600)
    >>> common_correlated_effects(rows, "flow ~ gdp", unit="o", period="t").params.round(1).to_dict()
    {'gdp': 0.5}
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    cov = Robust("CR1", (unit,)) if cov is None else cov
    rows = _rows(
        data, formula, unit, period, cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind
    )  # fmt: skip
    if rows.cov.replicated or rows.cov.model_based or rows.cov.leverages or rows.cov.adjusts_clusters:
        raise OptionError(f"cov={str(rows.cov)!r} is not defined here: use HC0, HC1, CR0:{unit} or CR1:{unit}.")
    within, taken = _without_own_columns(rows, unit, period)
    fits, refit = least_squares(within)
    # the small-sample factor counts the units' own columns
    absorbed = (AbsorbedCount(f"loadings of {unit}", taken, (unit,)),)
    labels = pd.DataFrame({"term": list(rows.design.names), "unit": rows.design.unit})
    estimates = relate(
        within,
        [replace(fit, absorbed=absorbed, classical=None) for fit in fits],
        refit,
        labels,
        title="Common correlated effects, pooled",
        notes=(f"Each {unit} has a constant and loadings on the means of all over each {period}.",),
    )
    return Flows(estimates, "gaussian", "identity", (), pd.DataFrame(), slopes=np.eye(1 + len(labels))[0])


def _rows(data: Any, formula: str, unit: str, period: str, **how: Any) -> Rows:
    panel, parts = as_panel(data), split_formula(formula)
    if parts.effects:
        raise FormulaError(f"formula {formula!r}: leave out the effects behind the bar; each {unit} has its own.")
    for name, purpose in ((unit, "for unit"), (period, "for period")):
        column_of(panel, name, purpose)
    if unit == period:
        raise OptionError(f"unit and period are both {unit!r}: who is observed, and when, are two columns.")
    rows = prepare(panel, replace(parts, also=(unit, period)), by=(), **how)
    refuse_rows(
        rows.columns([unit, period]).duplicated(),
        DuplicateKeyError,
        "",
        f" rows have the {unit!r} and {period!r} of another: one row of each is needed. Sum them, or name the unit by "
        "what tells them apart (a corridor, not its origin).",
    )
    design = rows.design.without_constant()
    if not design.names:
        raise FormulaError(f"formula {formula!r} has no regressor.")
    return replace(rows, design=design)


def _without_own_columns(rows: Rows, unit: str, period: str) -> tuple[Rows, int]:
    """Outcome and regressors less what each unit's constant and the means explain, and how many columns that took."""
    design, w = rows.design, np.ones(len(rows)) if rows.weights is None else rows.weights
    values, times = np.column_stack([design.y, design.x]), rows.codes(period)
    # weighted means over units at each time, (ybar_t, xbar_t)
    means = [(np.bincount(times, weights=w * v) / np.bincount(times, weights=w))[times] for v in values.T]
    factors = np.column_stack([np.ones(len(w)), *means])
    codes, names = pd.factorize(rows.column(unit))
    sizes = np.bincount(codes)
    short = names[sizes <= factors.shape[1]]
    if len(short):
        raise IdentificationError(
            f"{len(short)} of {len(sizes)} units have no more than {factors.shape[1]} periods, as many as columns of "
            f"their own: {listing(short)}. Leave them out, or regressors."
        )
    within, taken = np.empty_like(values), 0
    for at in np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1]):
        within[at], rank = _residuals(values[at], factors[at], w[at])
        taken += rank
    _check_variation(design, within, unit)
    return rows.with_design(y=within[:, 0], x=within[:, 1:]), taken


def _check_variation(design: Design, within: FloatArray, unit: str) -> None:
    """Raise where the units' own columns leave no variation in the outcome or a regressor."""
    size = np.linalg.norm(np.column_stack([design.y, design.x]), axis=0)
    no_outcome, *lost = np.linalg.norm(within, axis=0) <= 1e-9 * size
    if no_outcome:
        raise DataError(
            f"nothing of {design.outcome!r} is left beside the constant and loadings of each {unit}: it does not vary "
            "over time, or is the same for all at a time."
        )
    if any(lost):
        raise IdentificationError(
            f"{listing(itertools.compress(design.names, lost))} is not identified: it is the same in all units at a "
            "time, which their loadings take up, or does not vary over time."
        )


def _residuals(values: FloatArray, factors: FloatArray, w: FloatArray) -> tuple[FloatArray, int]:
    """Residuals of weighted least squares on a unit's own columns, and their rank."""
    root = np.sqrt(w)[:, None]
    scale = np.maximum(np.linalg.norm(factors * root, axis=0), np.finfo(float).tiny)
    basis, sizes, _ = np.linalg.svd(factors * root / scale, full_matrices=False)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    weighted = values * root
    return (weighted - basis[:, :rank] @ (basis[:, :rank].T @ weighted)) / root, rank
