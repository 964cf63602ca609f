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

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, PremiumMethod, SmallSample, WeightKind
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    FewClustersWarning,
    IdentificationWarning,
    OptionError,
    check_column,
    check_option,
    listing,
    no_column,
    warn,
)
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
from wagegap.estimation.covariance.sources import ErrorSource, ReplicateSource, ScoreSource
from wagegap.estimation.design import Design, free_name
from wagegap.estimation.estimates import SMALL_SAMPLE
from wagegap.estimation.least_squares.fit import coefficients, describe_collinear, fit_cells
from wagegap.estimation.least_squares.sample import Sample, check_weights_allow, compress_sample
from wagegap.estimation.least_squares.stacked import fit_stacked, stacked_coefficients
from wagegap.estimation.ledger import Ledger
from wagegap.panel.panel import Panel

__all__ = [
    "CellIndex",
    "FittedCells",
    "build_sample",
    "cell_keys",
    "fit_sample",
    "index_cells",
    "observations",
    "refitted_source",
    "replicate_scopes",
    "replicate_weights",
    "resolve_cov",
    "weighted_rows",
    "with_weights",
]

_FEW_CLUSTERS = 10
_TAKEN = (
    *("term", "unit", "comparison", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
    *("event", "n", "n_treated", "n_comparison", "happened", "sigma", "reason"),
)


@dataclass(frozen=True, slots=True, eq=False)
class CellIndex:
    """Which cell each row is in.

    Attributes
    ----------
    codes : ndarray of int32, shape (n,)
        Cell of each row.
    keys : DataFrame, C rows
        Keys of each cell, sorted.
    names : tuple of str
        Keys of each cell in one string.
    wanted : ndarray of bool, shape (C, r), optional
        Reported coefficients that a cell must identify; all where absent.
    """

    codes: CodeArray
    keys: pd.DataFrame
    names: tuple[str, ...]
    wanted: BoolArray | None = None


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


def index_cells(frame: pd.DataFrame, by: Sequence[str]) -> CellIndex:
    """Number the cells of some rows; without keys there is one cell."""
    for name in by:
        if name not in frame:
            raise no_column(name, frame.columns, "for by")
    if not by:
        return CellIndex(np.zeros(len(frame), dtype=np.int32), pd.DataFrame(index=[0]), ("",))
    try:
        codes = np.asarray(frame.groupby(list(by), sort=True, observed=True).ngroup().to_numpy(), dtype=np.int32)
    except TypeError as error:
        raise DataError(f"the columns {listing(by)} cannot be keys of cells: {error}. Use numbers or text.") from error
    keys = frame.iloc[np.unique(codes, return_index=True)[1]][list(by)].reset_index(drop=True)
    for name in by:
        if isinstance(keys[name].dtype, pd.CategoricalDtype):
            keys[name] = keys[name].astype(object)
    names = tuple(" ".join(str(v) for v in row) for row in keys.itertuples(index=False))
    return CellIndex(codes, keys, names)


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
    roles = panel.roles
    extra = [n for n in cov.clusters if n not in ("worker", "row")] if isinstance(cov, Robust) else []
    if isinstance(cov, Robust) and "worker" in cov.clusters and roles.worker is None:
        raise ColumnError("cov names 'worker', but the panel declares none: read_panel(..., worker='column').")
    groupings: dict[str, PairWeights] = dict(panel.groupings(design.rows, extra))
    if isinstance(cov, Survey):
        design_grouping = _stratified(panel, cov, design.rows)
        groupings[design_grouping.name] = design_grouping
    elif not isinstance(cov, Robust | Replicates | Bootstrap):
        groupings[str(cov)] = _pair_weights(panel, cov, design.rows)
    weights = panel.weights(design.rows)
    return Sample(
        design.y, design.x, design.names, design.effects, design.effect_names, weights,
        roles.weight_kind if weights is not None else None, cells.codes, cells.names, groupings, panel.source,
    )  # fmt: skip


def fit_sample(
    panel: Panel,
    design: Design,
    cells: CellIndex,
    reported: Sequence[int],
    *,
    cov: Covariance,
    small_sample: SmallSample,
    method: PremiumMethod = "separate",
    compress: bool = False,
) -> FittedCells:
    """Fit the cells and relate them by the covariance asked for."""
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    sample = build_sample(panel, design, cells, cov)
    check_weights_allow(cov, sample.weight_kind)
    if compress:
        sample = compress_sample(sample, cov)
    if isinstance(cov, Replicates | Bootstrap):
        return _replicated(panel, design, sample, reported, cov, method, cells.wanted)
    if method == "stacked":
        stacked = fit_stacked(sample, reported, cov=cov, rule=small_sample, wanted=cells.wanted)
        fits, matrix = stacked.fits, stacked.matrix
    else:
        fits = fit_cells(sample, reported, cov=cov, rule=small_sample, wanted=cells.wanted)
        matrix = np.eye(fits.values.size)
    if fits.collinear:
        warn(describe_collinear(fits.collinear), IdentificationWarning)
    _check_clusters(fits.source)
    return FittedCells(fits.values, fits.source, matrix, fits.sigma)


def _replicated(
    panel: Panel,
    design: Design,
    sample: Sample,
    reported: Sequence[int],
    cov: Replicates | Bootstrap,
    method: PremiumMethod,
    wanted: BoolArray | None,
) -> FittedCells:
    solve = stacked_coefficients if method == "stacked" else coefficients

    def refit(weights: FloatArray | None) -> FloatArray:
        found = solve(replace(sample, weights=weights), reported)
        return found if wanted is None else np.where(wanted, found, 0.0)

    estimate = refit(sample.weights)
    source = refitted_source(panel, design.rows, sample, cov, estimate, refit)
    return FittedCells(estimate, source, np.eye(estimate.size), np.full(len(estimate), np.nan))


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
    replicates = replicate_weights(panel, rows, cov, sample)
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


def replicate_weights(panel: Panel, rows: IntArray, cov: Replicates | Bootstrap, sample: Sample) -> ReplicateWeights:
    """Weights of every replicate for the rows of a sample."""
    if isinstance(cov, Bootstrap):
        drawn = hashlib.sha256(panel.row_ids.tobytes()).hexdigest()[:16]
        units = _units_of(panel, cov.cluster or "row")
        strata = None if cov.strata is None else _units_of(panel, cov.strata)
        name = f"{panel.source}#{panel.fingerprint}#{drawn}"
        return bootstrap_weights(cov, units, rows, sample.weights, name, strata=strata)
    assert cov.kind is not None
    if sample.weights is None:
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


def _check_clusters(source: ScoreSource) -> None:
    """Refuse cells of a single cluster, whose scores add up to nothing, and warn of cells with few."""
    if not isinstance(source.cov, Robust) or not source.cov.clusters:
        return
    few: dict[str, list[str]] = {}
    for name in source.cov.clusters:
        group = source.groupings[name]
        assert isinstance(group, Grouping)
        pairs = np.unique(source.row_block.astype(np.int64) * group.n_groups + group.codes)
        counts = np.bincount(pairs // group.n_groups, minlength=len(source.blocks))
        _check_several(
            name, [b.label or "the data" for b, c in zip(source.blocks, counts, strict=True) if c < 2], source
        )
        few[name] = [
            f"{c} in {b.label or 'the data'}" for b, c in zip(source.blocks, counts, strict=True) if c < _FEW_CLUSTERS
        ]
    if source.cov.kind in ("CR0", "CR1") and any(few.values()):
        words = "; ".join(f"{name}: {listing(cells, 4)}" for name, cells in few.items() if cells)
        warn(
            f"few clusters ({words}): {source.cov.kind} errors are too small; CR2 has degrees of freedom of its own: "
            f"cov='CR2:{next(name for name in few if few[name])}'.",
            FewClustersWarning,
        )


def _check_several(name: str, single: Sequence[str], source: ScoreSource) -> None:
    if single:
        raise CovarianceError(
            f"{len(single)} of {len(source.blocks)} cells have a single group of {name!r} ({listing(single, 4)}), and "
            "so no variance between groups: cluster on a finer column, or use method='stacked'."
        )
