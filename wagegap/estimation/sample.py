"""Arrays of an estimation by cells: the rows of all cells, of one, and what its fit leaves behind.

An estimator is a function of one cell's arrays. Its `CellFit` holds the values, the influence of each row on them, and
what small-sample factors need; the engine in `estimation.cellwise` does the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, WeightKind
from wagegap.errors import DataError
from wagegap.estimation.covariance.clusters import DegreesMatrices
from wagegap.estimation.covariance.groupings import PairWeights
from wagegap.estimation.covariance.sources import AbsorbedCount

__all__ = ["Cell", "CellFit", "Sample"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of an estimation.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors.
    names : tuple of str
        Columns of x.
    effects : tuple of ndarray of int32, each of shape (n,)
        Absorbed effects.
    effect_names : tuple of str
        Their names.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    weight_kind : str, optional
        What they are.
    cells : ndarray of int32, shape (n,)
        Cell of each row, 0 to C - 1.
    cell_names : tuple of str
        A name for each cell, for messages.
    groupings : mapping of str to PairWeights
        Groupings of the rows.
    source : str
        Data the rows belong to.
    own_repeats : ndarray, shape (n,), optional
        Observations behind each row, where the weights are not these alone.
    """

    y: FloatArray
    x: FloatArray
    names: tuple[str, ...]
    effects: tuple[CodeArray, ...]
    effect_names: tuple[str, ...]
    weights: FloatArray | None
    weight_kind: WeightKind | None
    cells: CodeArray
    cell_names: tuple[str, ...]
    groupings: Mapping[str, PairWeights]
    source: str
    own_repeats: FloatArray | None = None

    @property
    def repeats(self) -> FloatArray | None:
        """Observations behind each row, under frequency weights."""
        if self.own_repeats is not None:
            return self.own_repeats
        return self.weights if self.weight_kind == "frequency" else None

    def rows_by_cell(self) -> list[IntArray]:
        """Row positions of each cell."""
        order = np.argsort(self.cells, kind="stable")
        ends = np.cumsum(np.bincount(self.cells, minlength=len(self.cell_names)))
        return np.split(order, ends[:-1])

    def observations(self, rows: IntArray) -> float:
        """Observations behind some rows."""
        return float(len(rows) if self.repeats is None else self.repeats[rows].sum())

    def by_cell(self) -> list[Cell]:
        """Arrays of each cell."""
        return [self.cell(number, rows) for number, rows in enumerate(self.rows_by_cell())]

    def cell(self, number: int, rows: IntArray) -> Cell:
        """Arrays of one cell, given its rows; views where these are all, in their order."""
        at = slice(None) if np.array_equal(rows, np.arange(len(self.y))) else rows
        weights, repeats = (None if kept is None else kept[at] for kept in (self.weights, self.repeats))
        return Cell(
            self.cell_names[number], number, rows, self.y[at], self.x[at], weights, self.observations(rows), repeats
        )

    def take(self, rows: IntArray | BoolArray) -> Sample:
        """Keep some rows."""
        at: IntArray = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            y=self.y[at],
            x=self.x[at],
            effects=tuple(codes[at] for codes in self.effects),
            weights=None if self.weights is None else self.weights[at],
            cells=self.cells[at],
            groupings={name: group.take(at) for name, group in self.groupings.items()},
            own_repeats=None if self.own_repeats is None else self.own_repeats[at],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """Arrays of one cell: what an estimator sees.

    Attributes
    ----------
    name : str
        Name of the cell, for messages; empty where there is one.
    number : int
        Its number.
    rows : ndarray of int, shape (n,)
        Positions of its rows in the sample.
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors.
    weights : ndarray, shape (n,), optional
        Weights, those of one replicate where the cell is fitted again.
    nobs : float
        Observations.
    repeats : ndarray, shape (n,), optional
        Observations behind each row, under frequency weights.
    """

    name: str
    number: int
    rows: IntArray
    y: FloatArray
    x: FloatArray
    weights: FloatArray | None
    nobs: float
    repeats: FloatArray | None = None

    def where(self) -> str:
        """Where a message stands."""
        return self.name or "the data"


@dataclass(frozen=True, eq=False, kw_only=True)
class CellFit:
    """What an estimator leaves behind of one cell.

    Attributes
    ----------
    values : ndarray, shape (q,)
        Estimates.
    influence : ndarray, shape (n, q), optional
        Influence of each row on each estimate, whose squares sum to its variance; without it errors come from
        replicates alone.
    n_params : int
        Parameters that small-sample factors count, absorbed effects not among them.
    classical : ndarray, shape (q, q), optional
        Covariance where the model is true, for `cov="iid"`.
    absorbed : tuple of AbsorbedCount
        Effects absorbed.
    collinear : tuple of str
        Combinations of columns left out, in words.
    leverage : ndarray, shape (n,), optional
        Leverage of an observation of each row, for HC2 and HC3.
    clusters : tuple of (scores, degrees), optional
        Adjusted scores of clusters in place of those of rows, for CR2 and CR3.
    undefined : ndarray of bool, shape (q,), optional
        Estimates that a row of leverage one decides, whose variance HC2 and HC3 leave undefined.
    """

    values: FloatArray
    influence: FloatArray | None = None
    n_params: int = 0
    classical: FloatArray | None = None
    absorbed: tuple[AbsorbedCount, ...] = ()
    collinear: tuple[str, ...] = ()
    leverage: FloatArray | None = None
    clusters: tuple[FloatArray, DegreesMatrices] | None = None
    undefined: BoolArray | None = None

    def __post_init__(self) -> None:
        values, influence = np.shape(self.values), None if self.influence is None else np.shape(self.influence)
        if len(values) != 1 or (influence is not None and (len(influence) != 2 or influence[1:] != values)):
            raise DataError(
                f"fit_cell left values of shape {values} and influence of shape {influence}; they must have the shapes "
                "(q,) and (n, q), or None for the influence."
            )
