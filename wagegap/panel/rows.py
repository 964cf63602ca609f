"""From a panel to the arrays of a fit: cells, weights, groupings, and the source of the covariance asked for.

Every stage that regresses workers (premiums, rates, and the means behind a decomposition) passes through here, so that
cells, survey designs, replicates and bootstraps mean the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, CodeArray, Condition, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.errors import (
    DataError,
    EmptyDataError,
    OptionError,
    check_column,
    check_option,
    no_column,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.covariance.groupings import Grouping, PairWeights
from wagegap.estimation.covariance.options import (
    Bootstrap,
    Covariance,
    CovLike,
    Replicates,
    Robust,
    Survey,
    parse_cov,
)
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.design import build_design, free_name
from wagegap.estimation.estimates import SMALL_SAMPLE
from wagegap.estimation.formula import FormulaParts, split_formula
from wagegap.panel.panel import Panel, as_panel

__all__ = ["PanelAccess", "cell_keys", "domain_of", "prepare", "with_weights"]

_TAKEN = (
    *("term", "unit", "comparison", "estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"),
    *("event", "n", "n_treated", "n_comparison", "happened", "sigma", "reason"),
)


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
    values, ledger = panel.weights(np.arange(len(panel))), panel.ledger
    keep = np.ones(len(panel), dtype=bool)
    if values is not None:
        keep = values > 0
        ledger = ledger.lose(f"zero {panel.roles.weight}", int((~keep).sum()), 0.0)
        ledger = replace(ledger, weighted_by=f"{panel.roles.weight} ({panel.roles.weight_kind})")
    for reason, outside in subpop:
        lost = keep & outside
        ledger = ledger.lose(reason, int(lost.sum()), None if values is None else float(values[lost].sum()))
        keep = keep & ~lost
    if not keep.any():
        raise EmptyDataError(f"no rows are left for {parts.outcome!r}.\n{ledger}")
    design = build_design(
        panel.frame, parts, ledger=ledger, weights=values, keep=keep, also=keys, units=dict(panel.roles.units)
    )  # fmt: skip
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

    def columns(self, names: Sequence[str] | None, rows: IntArray) -> pd.DataFrame:
        """Columns, all where none are named, of some rows."""
        for name in names or ():
            check_column(name, self.panel.frame.columns)
        frame = self.panel.frame if names is None else self.panel.frame[list(names)]
        return frame.iloc[rows].reset_index(drop=True)

    def ids(self, name: str, rows: IntArray) -> AnyArray:
        """Values of a column that identifies something."""
        return self.panel.ids(name, rows)

    def workers(self, rows: IntArray) -> CodeArray | None:
        """Worker of some rows, numbered; None where no workers are declared."""
        return None if self.panel.roles.worker is None else self.panel.groupings(rows)["worker"].codes

    @property
    def period(self) -> str | None:
        """Column declared as the period."""
        return self.panel.roles.period

    @property
    def declares_clusters(self) -> bool:
        """Whether clusters are declared."""
        return bool(self.panel.roles.cluster)

    def numbered(self, rows: IntArray) -> IntArray:
        """Number of some rows at the door."""
        return self.panel.row_ids[rows]

    def with_column(self, name: str, rows: IntArray, values: AnyArray) -> PanelAccess:
        """The panel with a further column, missing in the other rows."""
        column = np.full(len(self.panel), None, dtype=object)
        column[rows] = values
        return PanelAccess(self.panel.with_columns(**{name: column}))

    def covariance(self, cov: CovLike | None, rows: IntArray) -> Covariance:
        """Say which covariance is meant: the one asked for, or what the panel declares.

        Declared replicates come first, then the design (strata, and in them the first cluster, else the worker where
        one stands in several rows, else the row), then the first cluster, then the worker where one stands in several
        rows; HC1 otherwise.
        """
        roles = self.panel.roles
        if cov is not None or roles.replicate_weights:
            asked = Replicates() if cov is None else parse_cov(cov)
            return asked.declared(roles.replicate_weights, roles.replicate_kind, roles.fay)
        unit = roles.cluster[0] if roles.cluster else "row"
        if unit == "row" and roles.worker and self.panel.groupings(rows)["worker"].n_groups < len(rows):
            unit = "worker"
        if roles.strata:
            return Survey(unit, roles.strata)
        return Robust("HC1") if unit == "row" else Robust("CR1", (unit,))

    def groupings(self, cov: Covariance, rows: IntArray, unit: str | None = None) -> dict[str, PairWeights]:
        """Groupings of some rows, those of the covariance among them; rows are known by `unit` where given."""
        groupings: dict[str, PairWeights] = {**self.panel.groupings(rows, cov.clusters)}
        groupings |= cov.pair_weights(self.panel, rows)
        if unit is not None:
            source = f"{self.source}#{self.panel.fingerprint}#{unit}"
            groupings["row"] = Grouping.from_keys("row", source, self.ids(unit, rows))
        return groupings

    def replicates(self, cov: Replicates | Bootstrap, rows: IntArray, weights: FloatArray | None) -> ReplicateWeights:
        """Weights of some rows in every replicate."""
        return cov.replicate_weights(self.panel, rows, weights)

    def scopes(self, cov: Replicates | Bootstrap, rows: Sequence[IntArray]) -> list[str]:
        """Whose replicates the estimates from each set of rows have: a country's, whose are its own, or everyone's."""
        country = self.panel.roles.country
        if not cov.by_country or country is None:
            return [""] * len(rows)
        countries = self.panel.frame[country].astype(str).to_numpy()
        names = [np.unique(countries[at]) for at in rows]
        return [str(one[0]) if len(one) == 1 else "" for one in names]


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
        panel = panel.with_columns(**{name: _weight_values(panel, weights)})
    return replace(panel, roles=replace(panel.roles, weight=name, weight_kind=kind))


def domain_of(
    data: Any, subpop: Condition | BoolArray | None, weights: Any = None, weight_kind: WeightKind | None = None
) -> tuple[Any, Any, WeightKind | None]:
    """Return the rows of a subpopulation, which keep the design of the sample, and the weights still to be declared.

    Raises
    ------
    OptionError, ColumnError, FormulaError, DataError, EmptyDataError
    """
    if subpop is None:
        return data, weights, weight_kind
    reason = f"outside the subpopulation{f' ({subpop})' if isinstance(subpop, str) else ''}"
    return with_weights(as_panel(data), weights, weight_kind).filter(subpop, reason=reason), None, None


def _weight_values(panel: Panel, weights: Any) -> FloatArray:
    """Weights given by value, a number for each row."""
    weights, n = panel.align(weights, "weights"), len(panel)
    try:
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError) as error:
        raise DataError(f"weights must be a column's name, or numbers: {error}.") from error
    if values.shape != (n,):
        given = f"{len(values):,} weights" if values.ndim == 1 else f"weights of shape {values.shape}"
        raise DataError(f"{given} for {n:,} rows: give a column's name, or one number for each row.")
    return values
