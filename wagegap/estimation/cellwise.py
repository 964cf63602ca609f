"""One engine for every estimator: rows asked of the data once, a fit of each cell, one joint covariance.

An estimator is a function of one cell's arrays, `fit_cell(cell) -> CellFit`. The engine loops over the cells, says
which columns were collinear, relates the cells by the covariance asked for (the influence of rows, or the same function
under every replicate's weights), and labels the estimates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray, Singletons, SmallSample, WeightKind
from wagegap.errors import (
    CovarianceError,
    DataError,
    DataWarning,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.covariance.groupings import Grouping, PairWeights
from wagegap.estimation.covariance.options import Bootstrap, Covariance, CovLike, Replicates
from wagegap.estimation.covariance.replication import ReplicateWeights, check_replicates
from wagegap.estimation.covariance.sources import ErrorSource, ReplicateSource, replicate_source
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.absorb import find_singletons, recode
from wagegap.estimation.least_squares.fit import (
    LinearFit,
    describe_collinear,
    fit_least_squares,
    least_squares_values,
)
from wagegap.estimation.periods import natural_order
from wagegap.estimation.sample import Cell, CellFit, Sample
from wagegap.estimation.scores import check_clusters, score_source

__all__ = [
    "SINGLETONS",
    "Access",
    "CellIndex",
    "Rows",
    "cell_labels",
    "error_source",
    "estimate",
    "fit_cells",
    "fit_named",
    "index_cells",
    "least_squares",
    "relate",
    "replicated_source",
    "say_collinear",
]

SINGLETONS: tuple[Singletons, ...] = ("drop", "keep")
F = TypeVar("F", bound=CellFit)
FitCell: TypeAlias = Callable[[Cell], F]


class Access(Protocol):
    """What an estimation may ask of its data, by positions of rows: the panel implements it, in `panel.rows`."""

    @property
    def source(self) -> str:
        """Name of the data."""

    @property
    def weight_kind(self) -> WeightKind | None:
        """What the weights are."""

    def weights(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows."""

    def columns(self, names: Sequence[str] | None, rows: IntArray) -> pd.DataFrame:
        """Columns, all where none are named, of some rows."""

    def ids(self, name: str, rows: IntArray) -> AnyArray:
        """Values of a column that identifies something, none of them missing."""

    def workers(self, rows: IntArray) -> CodeArray | None:
        """Worker of some rows, numbered; None where no workers are declared."""

    @property
    def period(self) -> str | None:
        """Column declared as the period."""

    @property
    def declares_clusters(self) -> bool:
        """Whether clusters are declared."""

    def numbered(self, rows: IntArray) -> IntArray:
        """Number that each row had when the data were read."""

    def with_column(self, name: str, rows: IntArray, values: AnyArray) -> Access:
        """The data with a further column, known in some rows."""

    def covariance(self, cov: CovLike | None, rows: IntArray) -> Covariance:
        """Covariance meant: the one asked for, or what the data declare."""

    def groupings(self, cov: Covariance, rows: IntArray, unit: str | None = None) -> dict[str, PairWeights]:
        """Groupings of some rows that a covariance, now or later, may need; rows are known by `unit` where given."""

    def replicates(self, cov: Replicates | Bootstrap, rows: IntArray, weights: FloatArray | None) -> ReplicateWeights:
        """Weights of some rows in every replicate."""

    def scopes(self, cov: Replicates | Bootstrap, rows: Sequence[IntArray]) -> list[str]:
        """Whose replicates the estimates from each set of rows have."""


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
    """

    codes: CodeArray
    keys: pd.DataFrame
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one estimation: design, cells, weights, covariance and groupings, each asked of the data once.

    Attributes
    ----------
    access : Access
        The data.
    design : Design
        Outcome, regressors, absorbed effects, positions in the data, and the account of the rows.
    by : tuple of str
        Cell keys.
    asked : covariance, str or None
        The `cov` option as given.
    rule : str
        Small-sample rule.
    own_weights : (ndarray of shape (n,), str), optional
        Weights, and their kind, of a problem that is not weighted as the data are.
    own_repeats : ndarray, shape (n,), optional
        Observations behind each row of such a problem, where the data have frequency weights.
    unit : str, optional
        Column of the units that the rows stand for, one each; the rows themselves where absent.
    """

    access: Access
    design: Design
    by: tuple[str, ...] = ()
    asked: CovLike | None = None
    rule: SmallSample = "stata"
    own_weights: tuple[FloatArray, WeightKind] | None = None
    own_repeats: FloatArray | None = None
    unit: str | None = None

    def __len__(self) -> int:
        return len(self.design.rows)

    @cached_property
    def cells(self) -> CellIndex:
        """Cell of each row."""
        return index_cells(self.access.columns(self.by, self.design.rows), self.by)

    @cached_property
    def weights(self) -> FloatArray | None:
        """Weights, shape (n,)."""
        return self.access.weights(self.design.rows) if self.own_weights is None else self.own_weights[0]

    @property
    def weight_kind(self) -> WeightKind | None:
        """What the weights are."""
        if self.own_weights is not None:
            return self.own_weights[1]
        return None if self.weights is None else self.access.weight_kind

    @cached_property
    def cov(self) -> Covariance:
        """Covariance in force."""
        cov = self.access.covariance(self.asked, self.design.rows)
        cov.check_weights(self.weight_kind)
        return cov

    @cached_property
    def sample(self) -> Sample:
        """Arrays with groupings, for numerics."""
        design, cells = self.design, self.cells
        groupings = self.access.groupings(self.cov, design.rows, self.unit)
        return Sample(
            design.y, design.x, design.names, design.effects, design.effect_names, self.weights, self.weight_kind,
            cells.codes, cells.names, groupings, self.access.source, self.own_repeats,
        )  # fmt: skip

    @property
    def observations(self) -> FloatArray:
        """Observations behind each row: its frequency weight, else one."""
        if self.own_repeats is not None:
            return self.own_repeats
        return self.weights if self.weights is not None and self.weight_kind == "frequency" else np.ones(len(self))

    def count(self, among: FloatArray | BoolArray | float = 1.0) -> IntArray:
        """Observations of each cell, or those among them that are 1."""
        total = np.bincount(self.cells.codes, weights=self.observations * among, minlength=len(self.cells.names))
        return np.asarray(total.astype(int))

    def column(self, name: str) -> AnyArray:
        """Values of a column of the data in these rows.

        Raises
        ------
        ColumnError
        """
        return np.asarray(self.columns([name])[name])

    def columns(self, names: Sequence[str] | None = None) -> pd.DataFrame:
        """Columns of the data, all where none are named, in these rows, numbered from zero.

        Raises
        ------
        ColumnError
        """
        return self.access.columns(names, self.design.rows)

    def codes(self, name: str) -> CodeArray:
        """Number of each row's value in a column that identifies something, none of them missing.

        Raises
        ------
        ColumnError, MissingValueError
        """
        return np.asarray(pd.factorize(self.access.ids(name, self.design.rows))[0], dtype=np.int32)

    @cached_property
    def workers(self) -> CodeArray | None:
        """Worker of each row, numbered; None where no workers are declared."""
        return self.access.workers(self.design.rows)

    def cluster_codes(self, name: str) -> CodeArray:
        """Cluster of each row: of a column, the workers, or the rows."""
        group = self.sample.groupings[name]
        assert isinstance(group, Grouping)
        return group.codes

    def replicate_weights(self, *, signed: bool = False) -> ReplicateWeights:
        """Weights of the rows in every replicate of a replicated covariance.

        Raises
        ------
        CovarianceError
            Where some are below zero, as under successive differences, and the estimator is not `signed`.
        """
        assert self.cov.replicated
        replicates = self.access.replicates(self.cov, self.design.rows, self.weights)
        if replicates.signed and not signed:
            raise CovarianceError(
                "some replicate weights are negative, under which this model has no fit: fit_linear, fit_premiums "
                "(method='separate'), fit_rates and oaxaca take them, without absorbed effects (write these as C(...))."
            )
        return replicates

    def scopes(self, members: Sequence[IntArray]) -> list[str]:
        """Whose replicates the estimates from each set of rows have: those of a country, or everyone's."""
        assert self.cov.replicated
        return self.access.scopes(self.cov, [self.design.rows[at] for at in members])

    def keep(self, mask: BoolArray, reason: str) -> Rows:
        """Keep some rows; the ledger says why the others went."""
        weights = None if self.own_weights is None else (self.own_weights[0][mask], self.own_weights[1])
        repeats = None if self.own_repeats is None else self.own_repeats[mask]
        design = self.design.take(mask, reason, self.weights)
        return replace(self, design=design, own_weights=weights, own_repeats=repeats)

    def without_singletons(self, singletons: Singletons, *, common: bool = False) -> Rows:
        """Leave out rows that are alone in a level of an absorbed effect, unless they are to be kept.

        Parameters
        ----------
        singletons : {"drop", "keep"}
            What to do with them.
        common : bool
            Whether the cells share the effects and have constants of their own, or each has its own effects.

        Raises
        ------
        OptionError
        IdentificationError
            Where no row of a cell is left.
        """
        check_option("singletons", singletons, SINGLETONS)
        design, cells = self.design, self.cells.codes
        if singletons == "keep" or not design.effects:
            return self
        count = np.int64(len(self.cells.names))
        effects = (*design.effects, cells) if common else recode([codes * count + cells for codes in design.effects])
        alone = find_singletons(effects, self.observations)
        if not alone.any():
            return self
        whole = np.flatnonzero(np.bincount(cells, weights=~alone, minlength=int(count)) == 0)
        if len(whole):
            named = listing(self.cells.names[c] or "the data" for c in whole)
            raise IdentificationError(
                f"in {named} every row is alone in a level of {listing(design.effect_names)}, or becomes so without "
                "those that are: the effects fit all rows, which do not identify anything else. Absorb coarser effects."
            )
        kept = self.keep(~alone, f"singletons of {', '.join(design.effect_names)}")
        noted = kept.design.ledger.note(
            f"{int(alone.sum()):,} rows alone in a level of absorbed effects (singletons) say nothing of the "
            "coefficients; singletons='keep' counts them."
        )
        return kept.with_design(ledger=noted)

    def with_design(self, **changes: Any) -> Rows:
        """The same rows of another regression: `y`, `x`, `columns`, `effects`."""
        return replace(self, design=replace(self.design, **changes))

    def of_units(self, unit: str, first: IntArray) -> Rows:
        """One row for each unit of a column, at the first of its rows; there are no absorbed effects."""
        design = self.design
        one = replace(design, y=design.y[first], x=design.x[first], rows=design.rows[first])
        return replace(self, design=one, unit=unit)

    def with_column(self, name: str, values: AnyArray) -> Rows:
        """The same rows with a further column of the data, to cluster on."""
        return replace(self, access=self.access.with_column(name, self.design.rows, values))

    def numbered(self) -> IntArray:
        """Number that each row had when the data were read."""
        return self.access.numbered(self.design.rows)

    def weighted(self, weights: FloatArray, kind: WeightKind = "analytic") -> Rows:
        """The same rows with the weights of a weighted least squares problem; repeated rows stay repeated."""
        repeats = self.observations if self.weight_kind == "frequency" and kind != "frequency" else None
        return replace(self, own_weights=(weights, kind), own_repeats=repeats)


def index_cells(frame: pd.DataFrame, by: Sequence[str]) -> CellIndex:
    """Number the cells of some rows; without keys there is one cell.

    Raises
    ------
    ColumnError, DataError
    """
    for name in by:
        if name not in frame:
            raise no_column(name, frame.columns, "for by")
    if not by:
        return CellIndex(np.zeros(len(frame), dtype=np.int32), pd.DataFrame(index=[0]), ("",))
    try:
        order = [natural_order(frame[name]) for name in by]
        codes = np.asarray(frame.groupby(order, sort=True, observed=True).ngroup().to_numpy(), dtype=np.int32)
    except TypeError as error:
        raise DataError(f"the columns {listing(by)} cannot be keys of cells: {error}. Use numbers or text.") from error
    keys = frame.iloc[np.unique(codes, return_index=True)[1]][list(by)].reset_index(drop=True)
    for name in by:
        if isinstance(keys[name].dtype, pd.CategoricalDtype):
            keys[name] = keys[name].astype(object)
    names = tuple(" ".join(str(v) for v in row) for row in keys.itertuples(index=False))
    return CellIndex(codes, keys, names)


def estimate(
    rows: Rows, fit_cell: FitCell[F], labels: pd.DataFrame | Sequence[str], *, title: str, notes: Sequence[str] = ()
) -> Estimates:
    """Fit every cell and relate the estimates.

    Parameters
    ----------
    rows : Rows
        From `panel.rows.prepare`.
    fit_cell : callable
        From a `Cell`, the arrays of one cell, to a `CellFit`; called again with each replicate's weights where errors
        come from replicates or a bootstrap.
    labels : DataFrame, or sequence of str
        A row for each estimate of a cell: `term`, `unit`, `comparison` and further keys; or the terms.
    title : str
        What is estimated.
    notes : sequence of str
        What a reader should know.

    Raises
    ------
    IdentificationError, DataError, CovarianceError
    """
    return relate(rows, fit_cells(rows, fit_cell), fit_cell, labels, title=title, notes=notes)


def fit_cells(rows: Rows, fit_cell: FitCell[F]) -> list[F]:
    """Fit every cell; one warning names the collinear columns left out."""
    cells = rows.sample.by_cell()
    fits = [fit_named(cell, fit_cell) for cell in cells]
    say_collinear([(cell.name, words) for cell, fit in zip(cells, fits, strict=True) for words in fit.collinear])
    return fits


@dataclass(frozen=True, slots=True, eq=False)
class LeastSquaresRefit:
    """Coefficients of a cell under a replicate's weights, which may be below zero.

    Attributes
    ----------
    sample : Sample
        The rows.
    reported : sequence of int
        Regressors whose coefficients are wanted.
    """

    sample: Sample
    reported: Sequence[int]

    def __call__(self, cell: Cell) -> FloatArray:
        """Coefficients, shape (r,)."""
        return least_squares_values(cell, self.sample, self.reported)


def least_squares(
    rows: Rows, columns: Sequence[int] | None = None, wanted: BoolArray | None = None
) -> tuple[list[LinearFit], LeastSquaresRefit]:
    """Least squares of every cell, and what a replicate needs to fit one again.

    Parameters
    ----------
    rows : Rows
        The regression.
    columns : sequence of int, optional
        Regressors whose coefficients are reported; all where absent.
    wanted : ndarray of bool, shape (C, r), optional
        Which of them each cell must identify.
    """
    sample = rows.sample
    at = range(sample.x.shape[1]) if columns is None else columns
    fits = fit_cells(rows, lambda cell: fit_least_squares(cell, sample, at, rows.cov, wanted))
    return fits, LeastSquaresRefit(sample, at)


def say_collinear(found: Sequence[tuple[str, str]]) -> None:
    """Warn, once, of columns left out: the cell of each, and the combination that makes it."""
    if found:
        warn(describe_collinear(found), IdentificationWarning)


def relate(
    rows: Rows,
    fits: Sequence[CellFit],
    refit: FitCell[Any] | Callable[[Cell], FloatArray],
    labels: pd.DataFrame | Sequence[str],
    *,
    title: str,
    notes: Sequence[str] = (),
    wanted: BoolArray | None = None,
) -> Estimates:
    """Estimates of fitted cells with their joint covariance.

    Parameters
    ----------
    rows : Rows
        Rows of the fits.
    fits : sequence of CellFit
        A fit of each cell.
    refit : callable
        From a `Cell` with a replicate's weights to a `CellFit`, or to its values.
    labels, title, notes
        As for `estimate`.
    wanted : ndarray of bool, shape (C, q), optional
        Estimates that are kept, of fits of one length.
    """
    values = np.concatenate([fit.values for fit in fits])
    keep = np.ones(len(values), dtype=bool) if wanted is None else wanted.ravel()
    cell = np.repeat(np.arange(len(fits)), [len(fit.values) for fit in fits])
    if not np.isfinite(values[keep]).all():
        lost = [rows.cells.names[c] or "the data" for c in np.unique(cell[keep & ~np.isfinite(values)])]
        raise IdentificationError(f"{title}: no finite estimate in {len(lost)} of {len(fits)} cells ({listing(lost)}).")
    source = error_source(rows, fits, refit, wanted)
    frame = cell_labels(rows.cells, labels, len(values))
    matrix = np.eye(len(values))[keep]
    return Estimates(
        frame[keep].reset_index(drop=True), values[keep], (source.reported(matrix),), (matrix,), title=title,
        ledger=rows.design.ledger, notes=tuple(notes),
    )  # fmt: skip


def error_source(
    rows: Rows,
    fits: Sequence[CellFit],
    refit: FitCell[Any] | Callable[[Cell], FloatArray],
    wanted: BoolArray | None = None,
) -> ErrorSource:
    """Source of error of all estimates: influence of rows, or values under every replicate's weights."""
    sample, cov = rows.sample, rows.cov
    cells = sample.by_cell()
    if not cov.replicated:
        source = score_source(sample, cells, fits, cov=cov, rule=rows.rule)
        check_clusters(source)
        return source
    full = np.array([fit.values for fit in fits])
    known = np.isfinite(full) if wanted is None else wanted

    def again(weights: FloatArray) -> FloatArray:
        found = np.array([_again(cell, refit, weights, full.shape[1]) for cell in cells])
        return np.where(known, found, 0.0)

    signed = isinstance(refit, LeastSquaresRefit) and not sample.effects
    source_of_replicates = replicated_source(rows, np.where(known, full, 0.0), again, signed=signed)
    if not source_of_replicates.deviations.any():
        warn(
            "every replicate gives the estimates of the full sample, and so errors of zero: the outcome does not vary, "
            "or fit_cell does not use cell.weights.",
            DataWarning,
        )
    return source_of_replicates


def replicated_source(
    rows: Rows, values: FloatArray, refit: Callable[[FloatArray], FloatArray], *, signed: bool = False
) -> ReplicateSource:
    """Source of error of values, shape (C, q), that a function gives under a replicate's weights, shape (n,).

    `signed` says that the function takes weights below zero.
    """
    members, names = rows.sample.rows_by_cell(), rows.cells.names
    replicates = rows.replicate_weights(signed=signed)
    check_replicates(replicates, members, names)
    members, names = members[: len(values)], names[: len(values)]
    return replicate_source(values, refit, replicates, rows.scopes(members), members, names)


def cell_labels(cells: CellIndex, labels: pd.DataFrame | Sequence[str], size: int) -> pd.DataFrame:
    """Labels of every cell's estimates, the keys of the cell in front."""
    one = labels if isinstance(labels, pd.DataFrame) else pd.DataFrame({"term": np.atleast_1d(labels)})
    if len(one) * len(cells.names) != size:
        raise OptionError(
            f"{len(one)} labels, but the {len(cells.names)} cells have {size} estimates: a label for each of one cell."
        )
    keys = cells.keys.loc[np.repeat(np.arange(len(cells.names)), len(one))].reset_index(drop=True)
    repeated = pd.concat([one] * len(cells.names), ignore_index=True)
    return pd.concat([keys, repeated], axis=1).assign(
        **{name: default for name, default in (("unit", "none"), ("comparison", "")) if name not in one}
    )


def fit_named(cell: Cell, fit_cell: FitCell[F]) -> F:
    """Fit a cell; an error names it."""
    try:
        fit = fit_cell(cell)
        if not isinstance(fit, CellFit):
            raise DataError(f"fit_cell must return a CellFit(values=...), not {type(fit).__name__}.")
        if fit.influence is not None and len(fit.influence) != len(cell.y):
            raise DataError(f"fit_cell left the influence of {len(fit.influence):,} of {len(cell.y):,} rows.")
        return fit
    except (IdentificationError, DataError) as error:
        if not cell.name or cell.name in str(error):
            raise
        raise type(error)(f"in {cell.name}, {error}") from error


def _again(
    cell: Cell, refit: FitCell[Any] | Callable[[Cell], FloatArray], weights: FloatArray, size: int
) -> FloatArray:
    """Values of a cell under a replicate's weights, NaN where these leave something undetermined."""
    try:
        fit = refit(replace(cell, weights=weights[cell.rows]))
    except (DataError, IdentificationError):
        return np.full(size, np.nan)
    return fit.values if isinstance(fit, CellFit) else np.asarray(fit)
