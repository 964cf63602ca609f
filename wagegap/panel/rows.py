"""From a panel to the arrays of a fit: cells, weights, groupings, and the source of the covariance asked for.

Every stage that regresses workers (premiums, rates, and the means behind a decomposition) passes through here, so that
cells, survey designs, replicates and bootstraps mean the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    EmptyDataError,
    IdentificationWarning,
    OptionError,
    check_column,
    check_option,
    no_column,
    warn,
)
from wagegap.estimation.cellwise import CellIndex, Rows, index_cells
from wagegap.estimation.covariance.groupings import Grouping, PairWeights, StratifiedGrouping
from wagegap.estimation.covariance.options import (
    Bootstrap,
    Conley,
    Covariance,
    CovLike,
    DriscollKraay,
    Dyadic,
    NeweyWest,
    Replicates,
    Robust,
    Survey,
    parse_cov,
    replicate_scale,
)
from wagegap.estimation.covariance.pairs import Dyads, Places, Spells
from wagegap.estimation.covariance.replication import (
    ReplicateWeights,
    bootstrap_weights,
    given_weights,
    replicate_source,
)
from wagegap.estimation.covariance.sources import ErrorSource, ReplicateSource
from wagegap.estimation.design import Design, build_design, free_name
from wagegap.estimation.estimates import SMALL_SAMPLE
from wagegap.estimation.formula import FormulaParts, split_formula
from wagegap.estimation.least_squares.fit import describe_collinear, least_squares_values
from wagegap.estimation.least_squares.fit import fit_cells as least_squares_cells
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.sample import Sample, check_weights_allow
from wagegap.estimation.scores import check_clusters
from wagegap.panel.panel import Panel, as_panel

__all__ = [
    "CellIndex",
    "FittedCells",
    "PanelAccess",
    "build_sample",
    "cell_keys",
    "fit_sample",
    "groupings_for",
    "index_cells",
    "observations",
    "prepare",
    "refitted_source",
    "replicate_scopes",
    "replicate_weights",
    "resolve_cov",
    "weighted_rows",
    "with_weights",
]

_TAKEN = (
    *("term", "unit", "comparison", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
    *("event", "n", "n_treated", "n_comparison", "happened", "sigma", "reason"),
)


@dataclass(frozen=True, slots=True, eq=False)
class FittedCells:
    """Coefficients of every cell with their source.

    Attributes
    ----------
    values : ndarray, shape (C, r)
        Coefficients.
    source : ErrorSource
        Uncertainty of the fitted columns.
    matrix : ndarray, shape (C r, q)
        Map from the source's columns to the coefficients, cell by cell.
    sigma : ndarray, shape (C,)
        Standard deviation of the residuals; NaN under replicates.
    """

    values: FloatArray
    source: ErrorSource
    matrix: FloatArray
    sigma: FloatArray


def cell_keys(panel: Panel, by: str | Sequence[str] | None) -> list[str]:
    """Return the columns of the cell keys, each once: those named, or the panel's country.

    Raises
    ------
    OptionError, ColumnError
    """
    if by is None:
        return [panel.roles.country] if panel.roles.country else []
    if not isinstance(by, str) and not isinstance(by, Sequence):
        raise OptionError(f"by={by!r} must be a column, or a list of columns.")
    given = [by] if isinstance(by, str) else list(by)
    for name in given:
        check_column(name, panel.frame.columns, "for by")
    keys = list(dict.fromkeys(given))
    for name in keys:
        if name in _TAKEN:
            raise OptionError(f"by={name!r}: results have a column of this name themselves; rename yours.")
    return keys


def prepare(
    data: Any,
    formula: str | FormulaParts,
    *,
    by: str | Sequence[str] | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Sequence[tuple[str, BoolArray]] = (),
) -> Rows:
    """Ask the data, once, for all that an estimation needs.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str or FormulaParts
        `outcome ~ regressors | absorbed effects`.
    by : str or sequence of str, optional
        Cell keys; the panel's country where absent, one cell for `()`.
    cov, small_sample, weights, weight_kind
        As in `fit_premiums`.
    subpop : sequence of (str, ndarray of bool of shape (n,))
        Reasons and rows that are left out for them. The panel stays whole, so that its sampling units are counted, and
        drawn, as for everyone.

    Returns
    -------
    Rows
        Cells, weights, covariance and groupings are asked for when they are first used, so that rows a stage leaves
        out of a cell that is too small are not held to what the others owe.

    Raises
    ------
    ColumnError, OptionError, FormulaError, WageError, DataError, EmptyDataError

    Examples
    --------
    >>> rows = prepare({"iso3": ["KOR", "KOR", "USA"], "pay": [1.0, 2.0, 4.0]}, "log(pay) ~ 1", by="iso3")
    >>> rows.cells.names, rows.count().tolist()
    (('KOR', 'USA'), [2, 1])
    """
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    panel = with_weights(as_panel(data), weights, weight_kind)
    keys = cell_keys(panel, by)
    parts = formula if isinstance(formula, FormulaParts) else split_formula(formula)
    values, positive, ledger = weighted_rows(panel)
    keep = np.ones(len(panel), dtype=bool) if positive is None else positive
    for reason, outside in subpop:
        lost = keep & outside
        ledger = ledger.lose(reason, int(lost.sum()), None if values is None else float(values[lost].sum()))
        keep = keep & ~lost
    if not keep.any():
        raise EmptyDataError(f"no rows are left for {parts.outcome!r}.\n{ledger}")
    design = build_design(panel.frame, parts, ledger=ledger, weights=values, keep=keep, also=keys)
    return Rows(PanelAccess(panel), design, tuple(keys), cov, small_sample)


@dataclass(frozen=True, slots=True, eq=False)
class PanelAccess:
    """What `estimation.cellwise` asks of a panel."""

    panel: Panel

    @property
    def source(self) -> str:
        """Name of the data."""
        return self.panel.source

    @property
    def weight_kind(self) -> WeightKind | None:
        """What the weights are."""
        return self.panel.roles.weight_kind

    def weights(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows, checked."""
        return self.panel.weights(rows)

    def columns(self, names: Sequence[str], rows: IntArray) -> pd.DataFrame:
        """Columns, of some rows."""
        for name in names:
            check_column(name, self.panel.frame.columns)
        return self.panel.frame[list(names)].iloc[rows].reset_index(drop=True)

    def ids(self, name: str, rows: IntArray) -> AnyArray:
        """Values of a column that identifies something."""
        return self.panel.ids(name, rows)

    def covariance(self, cov: CovLike | None, rows: IntArray) -> Covariance:
        """Covariance meant."""
        return resolve_cov(self.panel, cov, rows)

    def groupings(self, cov: Covariance, rows: IntArray) -> dict[str, PairWeights]:
        """Groupings of some rows, those of the covariance among them."""
        return groupings_for(self.panel, cov, rows)

    def replicates(self, cov: Replicates | Bootstrap, rows: IntArray, weights: FloatArray | None) -> ReplicateWeights:
        """Weights of some rows in every replicate."""
        return replicate_weights(self.panel, rows, cov, weights)

    def scopes(self, cov: Replicates | Bootstrap, rows: Sequence[IntArray]) -> list[str]:
        """Whose replicates the estimates from each set of rows have."""
        everything = np.arange(len(self.panel))
        return replicate_scopes(self.panel, everything, cov, rows)


def weighted_rows(panel: Panel) -> tuple[FloatArray | None, BoolArray | None, Ledger]:
    """Return the weights of all rows, which of them are positive, and the ledger without the others."""
    weights = panel.weights(np.arange(len(panel)))
    if weights is None:
        return None, None, panel.ledger
    positive = weights > 0
    return weights, positive, panel.ledger.lose(f"zero {panel.roles.weight}", int((~positive).sum()), 0.0)


def observations(panel: Panel, rows: IntArray) -> FloatArray:
    """Observations behind some rows: their frequency weights, else one each."""
    weights = panel.weights(rows) if panel.roles.weight_kind == "frequency" else None
    return np.ones(len(rows)) if weights is None else weights


def with_weights(panel: Panel, weights: str | FloatArray | None, kind: WeightKind | None) -> Panel:
    """Return the panel with other weights: a column, or values for its rows."""
    if weights is None:
        if kind is not None:
            raise OptionError(f"weight_kind={kind!r} is given without weights.")
        return panel
    kind = kind or panel.roles.weight_kind or "sampling"
    check_option("weight_kind", kind, ("sampling", "analytic", "frequency"))
    name = weights if isinstance(weights, str) else free_name(panel.frame, "weights")
    if isinstance(weights, str):
        if weights not in panel.frame:
            raise no_column(weights, panel.frame.columns, "for weights")
    else:
        panel = panel.assign(**{name: _weight_values(weights, len(panel))})
    return replace(panel, roles=replace(panel.roles, weight=name, weight_kind=kind))


def _weight_values(weights: Any, n: int) -> FloatArray:
    """Weights given by value, a number for each row."""
    if isinstance(weights, pd.Series) and len(weights) == n and not weights.index.equals(pd.RangeIndex(n)):
        raise DataError(
            "the index of the weights is not 0, 1, 2, ...: name their column instead, or pass weights.to_numpy() if "
            "they stand in the order of the rows."
        )
    try:
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"weights must be a column's name, or numbers: {error}.") from error
    if values.shape != (n,):
        given = f"{len(values):,} weights" if values.ndim == 1 else f"weights of shape {values.shape}"
        raise DataError(f"{given} for {n:,} rows: give a column's name, or one number for each row.")
    return values


def resolve_cov(panel: Panel, cov: CovLike | None, rows: IntArray) -> Covariance:
    """Say which covariance is meant: the one asked for, or what the panel declares.

    Declared replicates come first, then the design (strata and first cluster), then the first cluster, then the worker
    where one stands in several rows; HC1 otherwise.
    """
    if cov is not None:
        parsed = parse_cov(cov)
        return _declared_replicates(panel, parsed) if isinstance(parsed, Replicates) else parsed
    roles = panel.roles
    if roles.replicate_weights:
        return _declared_replicates(panel, Replicates())
    if roles.strata and roles.cluster:
        return Survey(roles.cluster[0], roles.strata)
    if roles.cluster:
        return Robust("CR1", (roles.cluster[0],))
    if roles.worker is not None:
        worker = panel.groupings(rows)["worker"]
        if worker.n_groups < len(rows):
            return Robust("CR1", ("worker",))
    return Robust("HC1")


def build_sample(panel: Panel, design: Design, cells: CellIndex, cov: Covariance) -> Sample:
    """Arrays of a regression, with groupings for the covariance."""
    weights = panel.weights(design.rows)
    return Sample(
        design.y, design.x, design.names, design.effects, design.effect_names, weights,
        panel.roles.weight_kind if weights is not None else None, cells.codes, cells.names,
        groupings_for(panel, cov, design.rows), panel.source,
    )  # fmt: skip


def groupings_for(panel: Panel, cov: Covariance, rows: IntArray) -> dict[str, PairWeights]:
    """Groupings of some rows: those the panel declares, and those the covariance names."""
    extra = [n for n in cov.clusters if n not in ("worker", "row")] if isinstance(cov, Robust) else []
    if isinstance(cov, Robust) and "worker" in cov.clusters and panel.roles.worker is None:
        raise ColumnError("cov names 'worker', but the panel declares none: read_panel(..., worker='column').")
    groupings: dict[str, PairWeights] = dict(panel.groupings(rows, extra))
    if isinstance(cov, Survey):
        design_grouping = _stratified(panel, cov, rows)
        groupings[design_grouping.name] = design_grouping
    elif not isinstance(cov, Robust | Replicates | Bootstrap):
        groupings[str(cov)] = _pair_weights(panel, cov, rows)
    return groupings


def fit_sample(
    panel: Panel,
    design: Design,
    cells: CellIndex,
    reported: Sequence[int],
    *,
    cov: Covariance,
    small_sample: SmallSample,
) -> FittedCells:
    """Fit the cells and relate them by the covariance asked for."""
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    sample = build_sample(panel, design, cells, cov)
    check_weights_allow(cov, sample.weight_kind)
    if isinstance(cov, Replicates | Bootstrap):

        def refit(weights: FloatArray | None) -> FloatArray:
            again = replace(sample, weights=weights)
            return np.array([least_squares_values(cell, again, reported) for cell in again.by_cell()])

        estimate = refit(sample.weights)
        replicated = refitted_source(panel, design.rows, sample, cov, estimate, refit)
        return FittedCells(estimate, replicated, np.eye(estimate.size), np.full(len(estimate), np.nan))
    fits = least_squares_cells(sample, reported, cov=cov, rule=small_sample)
    if fits.collinear:
        warn(describe_collinear(fits.collinear), IdentificationWarning)
    check_clusters(fits.source)
    return FittedCells(fits.values, fits.source, np.eye(fits.values.size), fits.sigma)


def refitted_source(
    panel: Panel,
    rows: IntArray,
    sample: Sample,
    cov: Replicates | Bootstrap,
    estimate: FloatArray,
    refit: Callable[[FloatArray], FloatArray],
) -> ReplicateSource:
    """Errors of estimates that are refitted with each replicate's weights.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the panel in the sample.
    estimate : ndarray, shape (C, q)
        Full-sample estimates, a row for each cell of the sample.
    refit : callable
        From weights (n,) to estimates (C, q).
    """
    replicates = replicate_weights(panel, rows, cov, sample.weights)
    scopes = replicate_scopes(panel, rows, cov, sample.rows_by_cell())
    return replicate_source(estimate, refit, replicates, scopes, float(len(replicates) - 1))


def replicate_scopes(
    panel: Panel, rows: IntArray, cov: Replicates | Bootstrap, members: Sequence[IntArray]
) -> list[str]:
    """Whose replicates each estimate has: those of its country where its rows are of one, which are its own.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Rows of the panel in the sample.
    members : sequence of ndarray of int
        Rows of the sample that each estimate stands on.
    """
    if not isinstance(cov, Replicates) or panel.roles.country is None:
        return [""] * len(members)
    countries = panel.frame[panel.roles.country].iloc[rows].astype(str).to_numpy()
    found = [np.unique(countries[at]) for at in members]
    return [str(names[0]) if len(names) == 1 else "" for names in found]


def replicate_weights(
    panel: Panel, rows: IntArray, cov: Replicates | Bootstrap, weights: FloatArray | None
) -> ReplicateWeights:
    """Weights of every replicate for the rows of a sample."""
    if isinstance(cov, Bootstrap):
        drawn = hashlib.sha256(panel.row_ids.tobytes()).hexdigest()[:16]
        units = _units_of(panel, cov.cluster or "row")
        strata = None if cov.strata is None else _units_of(panel, cov.strata)
        name = f"{panel.source}#{panel.fingerprint}#{drawn}"
        return bootstrap_weights(cov, units, rows, weights, name, strata=strata)
    assert cov.kind is not None
    if weights is None:
        raise CovarianceError(
            "replicate weights go with the weights they were made from, and none are given: "
            "read_panel(..., weight=) or weights= (ones, where the sample is not weighted)."
        )
    matrix = np.column_stack([_column(panel, name)[rows] for name in cov.columns])
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        bad = int((~np.isfinite(matrix) | (matrix < 0)).any(axis=1).sum())
        raise CovarianceError(
            f"replicate weights are missing, text or negative in {bad:,} of {len(rows):,} rows: keep the cells "
            "that have them (countries without replicates need a covariance of their own)."
        )
    scale = replicate_scale(cov.kind, len(cov.columns), cov.fay, cov.scales)
    return given_weights(matrix, scale, cov.kind, f"{panel.source}|{cov.kind}")


def _units_of(panel: Panel, name: str) -> CodeArray:
    """Unit of every row of the panel: the row itself, its worker, or its value in a column."""
    everything = np.arange(len(panel))
    if name == "row":
        return everything.astype(np.int32)
    return panel.groupings(everything, [] if name == "worker" else [name])[name].codes


def _pair_weights(panel: Panel, cov: Dyadic | Conley | DriscollKraay | NeweyWest, rows: IntArray) -> PairWeights:
    """Pairs of rows that may be correlated by their members, places or periods."""
    name = str(cov)
    if isinstance(cov, Dyadic):
        first, second = (panel.ids(column, rows) for column in (cov.origin, cov.destination))
        return Dyads.from_keys(name, panel.source, first, second)
    if isinstance(cov, Conley):
        return Places(
            name, panel.source, _column(panel, cov.lat)[rows], _column(panel, cov.lon)[rows], cov.km, cov.kernel
        )
    units = None
    if isinstance(cov, NeweyWest):
        extra = [] if cov.unit == "worker" else [cov.unit]
        units = panel.groupings(rows, extra)[cov.unit]
    return Spells(name, panel.source, panel.ids(cov.period, rows), int(cov.lags), units)


def _declared_replicates(panel: Panel, cov: Replicates) -> Replicates:
    """Fill in what the panel declares."""
    roles = panel.roles
    columns = cov.columns or roles.replicate_weights
    kind = cov.kind or roles.replicate_kind
    if not columns or kind is None:
        raise CovarianceError(
            "replicates need columns and a kind: read_panel(..., replicate_weights=[...], replicate_kind='JK2') or "
            "wagegap.cov.Replicates(columns, kind)."
        )
    for name in columns:
        _column(panel, name)
    fay = cov.fay or roles.fay
    return Replicates(tuple(columns), kind, fay, cov.scales)


def _column(panel: Panel, name: str) -> Any:
    if name not in panel.frame:
        raise no_column(name, panel.frame.columns)
    return pd.to_numeric(panel.frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _stratified(panel: Panel, cov: Survey, rows: IntArray) -> StratifiedGrouping:
    """Design of the rows, with the units of every stratum counted over the whole panel."""
    names = [cov.psu, *([cov.strata] if cov.strata else [])]
    everything = panel.groupings(np.arange(len(panel)), names)
    strata = everything[cov.strata] if cov.strata else _one_stratum(everything[cov.psu])
    units = strata.cross(everything[cov.psu])
    first = np.unique(units.codes, return_index=True)[1]
    counts = np.bincount(strata.codes[first], minlength=strata.n_groups)
    keys = list(zip(*(part.tolist() for part in strata.labels), strict=True))
    lonely = [key for key, count in zip(keys, counts, strict=True) if count < 2]
    if lonely and cov.lonely == "raise":
        raise CovarianceError(
            f"{len(lonely)} of {len(keys)} strata have a single unit, such as {lonely[0]}: merge strata, or "
            "Survey(..., lonely='certainty') to take them as sampled with certainty."
        )
    sampled = dict(zip(keys, (int(c) for c in counts), strict=True))
    return StratifiedGrouping(units, strata, sampled).take(rows)


def _one_stratum(units: Grouping) -> Grouping:
    """Without strata, each country is one."""
    scope = units.labels[0][units.codes] if len(units.labels) > 1 else np.zeros(len(units.codes), dtype=int)
    return Grouping.from_keys("sample", units.source, scope)
