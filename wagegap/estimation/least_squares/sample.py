"""Arrays of a regression by cells, with everything a covariance may need; and the same, compressed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, WeightKind
from wagegap.errors import CovarianceError
from wagegap.estimation.covariance.groupings import Grouping, PairWeights, StratifiedGrouping
from wagegap.estimation.covariance.options import Covariance
from wagegap.estimation.least_squares.compression import CellSums, compress

__all__ = ["Sample", "compress_sample"]


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows of a regression.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Outcome (its weighted mean, in a compressed row).
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
    counts : ndarray, shape (n,), optional
        Rows behind a compressed row.
    sums : CellSums, optional
        Sums behind the compressed rows, of the outcome less `centre`.
    centre : float
        What was subtracted from the outcome before it was summed.
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
    counts: FloatArray | None = None
    sums: CellSums | None = None
    centre: float = 0.0

    @property
    def repeats(self) -> FloatArray | None:
        """Observations behind each row, under frequency weights."""
        return self.weights if self.weight_kind == "frequency" and self.sums is None else None

    def rows_by_cell(self) -> list[IntArray]:
        """Row positions of each cell."""
        order = np.argsort(self.cells, kind="stable")
        ends = np.cumsum(np.bincount(self.cells, minlength=len(self.cell_names)))
        return np.split(order, ends[:-1])

    def observations(self, rows: IntArray) -> float:
        """Observations behind some rows."""
        if self.counts is not None:
            return float(self.counts[rows].sum())
        if self.repeats is not None:
            return float(self.repeats[rows].sum())
        return float(len(rows))

    def take(self, rows: IntArray | BoolArray) -> Sample:
        """Keep some rows of an uncompressed sample."""
        at: IntArray = np.flatnonzero(rows) if rows.dtype == bool else np.asarray(rows, dtype=np.intp)
        return replace(
            self,
            y=self.y[at],
            x=self.x[at],
            effects=tuple(codes[at] for codes in self.effects),
            weights=None if self.weights is None else self.weights[at],
            cells=self.cells[at],
            groupings={name: group.take(at) for name, group in self.groupings.items()},
        )


def compress_sample(sample: Sample, cov: Covariance) -> Sample:
    """Collapse rows of equal regressors, keeping what the covariance asks for.

    Clusters and design units stay apart (they join the key), and so do weights under HC2 and HC3, whose leverages they
    enter; other robust covariances need sums of squares only.
    """
    _check_compressible(sample, cov)
    kept = _kept_groupings(sample, cov)
    keys = [sample.cells, *sample.x.T]
    keys += [group.codes for group in _plain_groupings(kept)]
    if cov.leverages and sample.weights is not None:
        keys.append(sample.weights)
    centre = float(np.average(sample.y, weights=sample.weights))
    sums = compress(sample.y - centre, sample.weights, keys)
    counts = sums.w if sample.weight_kind == "frequency" else sums.n
    groupings = {name: group.take(sums.first) for name, group in kept.items()}
    groupings["row"] = Grouping.from_keys("row", f"{sample.source}#compressed", np.arange(len(sums.first)))
    return replace(
        sample,
        y=sums.mean + centre,
        x=sample.x[sums.first],
        weights=sums.w,
        cells=sample.cells[sums.first],
        groupings=groupings,
        counts=counts,
        sums=sums,
        centre=centre,
    )


def _check_compressible(sample: Sample, cov: Covariance) -> None:
    if sample.effects:
        raise CovarianceError("compress=True does not go with absorbed effects: put them into the formula as C(...).")
    if not cov.compressible:
        raise CovarianceError(f"compress=True does not go with {cov}, which needs every worker: use compress=False.")


def _kept_groupings(sample: Sample, cov: Covariance) -> dict[str, PairWeights]:
    kept = (*cov.clusters, str(cov))
    return {name: group for name, group in sample.groupings.items() if name in kept}


def _plain_groupings(groupings: Mapping[str, PairWeights]) -> list[Grouping]:
    plain = [group for group in groupings.values() if isinstance(group, Grouping)]
    return plain + [group.units for group in groupings.values() if isinstance(group, StratifiedGrouping)]
