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

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample, WeightKind
from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    FormulaError,
    IdentificationError,
    OptionError,
    check_column,
    check_option,
    listing,
)
from wagegap.estimation.covariance.options import Bootstrap, CovLike, Replicates, Robust
from wagegap.estimation.covariance.sources import AbsorbedCount, ErrorSource, ScoreSource
from wagegap.estimation.design import Design, build_design
from wagegap.estimation.estimates import SMALL_SAMPLE, Estimates
from wagegap.estimation.formula import split_formula
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import fit_sample, index_cells, resolve_cov, weighted_rows, with_weights
from wagegap.regression.gravity.flows import Flows

__all__ = ["common_correlated_effects"]

_KINDS = ("HC0", "HC1", "CR0", "CR1")


@refittable
def common_correlated_effects(
    data: Any,
    formula: str,
    *,
    unit: str,
    period: str,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    panel = with_weights(as_panel(data), weights, weight_kind)
    design = _design(panel, formula, unit, period)
    parsed = resolve_cov(panel, cov if cov is not None else f"CR1:{unit}", design.rows)
    if isinstance(parsed, Replicates | Bootstrap) or (isinstance(parsed, Robust) and parsed.kind not in _KINDS):
        raise OptionError(f"cov={str(parsed)!r} is not defined here: use HC0, HC1, CR0:{unit} or CR1:{unit}.")
    within, taken = _without_own_columns(panel, design, unit, period)
    cells = index_cells(panel.frame.iloc[design.rows], [])
    columns = list(range(within.x.shape[1]))
    fitted = fit_sample(panel, within, cells, columns, cov=parsed, small_sample=small_sample)
    labels = pd.DataFrame({"term": list(design.names), "unit": unit_of_outcome(design.outcome), "comparison": ""})
    estimates = Estimates(
        labels, fitted.values[0], (_counting(fitted.source, unit, taken),), (np.eye(len(columns)),),
        title="Common correlated effects, pooled", ledger=design.ledger,
        notes=(f"Each {unit} has a constant and loadings on the means of all over each {period}.",),
    )  # fmt: skip
    slopes = np.concatenate([[1.0], np.zeros(len(columns))])
    return Flows(estimates, "gaussian", "identity", (), pd.DataFrame(), slopes=slopes)


def _design(panel: Panel, formula: str, unit: str, period: str) -> Design:
    parts = split_formula(formula)
    if parts.effects:
        raise FormulaError(f"formula {formula!r}: leave out the effects behind the bar; each {unit} has its own.")
    for name, purpose in ((unit, "for unit"), (period, "for period")):
        check_column(name, panel.frame.columns, purpose)
    if unit == period:
        raise OptionError(f"unit and period are both {unit!r}: who is observed, and when, are two columns.")
    weights, positive, ledger = weighted_rows(panel)
    design = build_design(panel.frame, parts, ledger=ledger, weights=weights, keep=positive, also=[unit, period])
    twice = int(panel.frame.iloc[design.rows].duplicated([unit, period]).sum())
    if twice:
        raise DuplicateKeyError(
            f"{twice:,} of {len(design.rows):,} rows have the {unit!r} and {period!r} of another: one row of each is "
            "needed. Sum them, or name the unit by what tells them apart (a corridor, not its origin)."
        )
    design = design.without_constant()
    if not design.names:
        raise FormulaError(f"formula {formula!r} has no regressor.")
    return design


def _without_own_columns(panel: Panel, design: Design, unit: str, period: str) -> tuple[Design, int]:
    """Outcome and regressors less what each unit's constant and the means explain, and how many columns that took."""
    frame = panel.frame.iloc[design.rows]
    weights = panel.weights(design.rows)
    w = np.ones(len(design.rows)) if weights is None else weights
    values = np.column_stack([design.y, design.x])
    means = _means(values, pd.factorize(frame[period])[0], w)
    own = np.column_stack([np.ones(len(w)), means])
    codes, names = pd.factorize(frame[unit])
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    short = [str(names[i]) for i, rows in enumerate(members) if len(rows) <= own.shape[1]]
    if short:
        raise IdentificationError(
            f"{len(short)} of {len(members)} units have no more than {own.shape[1]} periods, as many as columns of "
            f"their own: {listing(short)}. Leave them out, or regressors."
        )
    out, taken = np.empty_like(values), 0
    for rows in members:
        out[rows], rank = _residuals(values[rows], own[rows], w[rows])
        taken += rank
    if np.linalg.norm(out[:, 0]) <= 1e-9 * np.linalg.norm(design.y):
        raise DataError(
            f"nothing of {design.outcome!r} is left beside the constant and loadings of each {unit}: it does not vary "
            "over time, or is the same for all at a time."
        )
    size = np.linalg.norm(design.x, axis=0)
    lost = np.linalg.norm(out[:, 1:], axis=0) <= 1e-9 * size
    if lost.any():
        gone = listing(name for name, own_ in zip(design.names, lost, strict=True) if own_)
        raise IdentificationError(
            f"{gone} is not identified: it is the same in all units at a time, which their loadings take up, or does "
            "not vary over time."
        )
    return replace(design, y=out[:, 0], x=out[:, 1:]), taken


def _means(values: FloatArray, period: IntArray, w: FloatArray) -> FloatArray:
    """Weighted means over units at each time, on the rows."""
    total = np.bincount(period, weights=w)
    columns = [(np.bincount(period, weights=w * column) / total)[period] for column in values.T]
    return np.column_stack(columns)


def _residuals(values: FloatArray, own: FloatArray, w: FloatArray) -> tuple[FloatArray, int]:
    """Residuals of weighted least squares on a unit's own columns, and their rank."""
    root = np.sqrt(w)[:, None]
    scale = np.maximum(np.linalg.norm(own * root, axis=0), np.finfo(float).tiny)
    basis, sizes, _ = np.linalg.svd(own * root / scale, full_matrices=False)
    rank = int((sizes > 1e-10 * sizes[0]).sum())
    weighted = values * root
    return (weighted - basis[:, :rank] @ (basis[:, :rank].T @ weighted)) / root, rank


def _counting(source: ErrorSource, unit: str, taken: int) -> ErrorSource:
    """Source whose small-sample factor counts the units' own columns."""
    assert isinstance(source, ScoreSource)
    count = AbsorbedCount(f"loadings of {unit}", taken, (unit,))
    return replace(source, blocks=tuple(replace(block, absorbed=(count,), iid=None) for block in source.blocks))
