"""From the fits of cells to one source of error: the influence of every row, and what relates the cells.

Each cell has rows of the sample and the influence of each on the cell's estimates, scaled so that the sum of their
squares is the variance. One sparse matrix of scores S holds all cells, V = sum_k s_k S'K_k S over the rows' groupings
K_k, whatever the estimator: least squares, maximum likelihood, two steps, averages of effects.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError, FewClustersWarning, listing, warn
from wagegap.estimation.covariance.groupings import Grouping, PairWeights, inside_one_unit
from wagegap.estimation.covariance.options import Analytic
from wagegap.estimation.covariance.sources import Block, ScoreSource
from wagegap.estimation.sample import Cell, CellFit, Sample

__all__ = ["check_clusters", "check_units", "score_source", "warn_of_sides"]

_FEW_CLUSTERS = 10


def score_source(
    sample: Sample, cells: Sequence[Cell], fits: Sequence[CellFit], *, cov: Analytic, rule: SmallSample
) -> ScoreSource:
    """Return the source of error of all estimates, cell after cell.

    Parameters
    ----------
    sample : Sample
        Rows with their groupings.
    cells : sequence of Cell
        Rows of each fit.
    fits : sequence of CellFit
        Fits with influence.
    cov : analytic covariance
        Covariance in force.
    rule : str
        Small-sample rule.

    Raises
    ------
    CovarianceError
        For a covariance that the estimator does not have.
    """
    _check_defined(cov, cells, fits)
    sizes = [len(fit.values) for fit in fits]
    columns = np.repeat(np.arange(len(fits)), sizes)
    blocks = tuple(
        Block(cell.name, cell.nobs, fit.n_params, fit.absorbed, fit.classical)
        for cell, fit in zip(cells, fits, strict=True)
    )
    if cov.adjusts_clusters:
        return _clustered_source(sample, fits, blocks, columns, cov, rule)
    influence = [np.empty((0, 0)) if fit.influence is None else fit.influence for fit in fits]
    rows = np.concatenate([cell.rows for cell in cells])
    if len(rows) == len(sample.y) and len(set(sizes)) == 1:
        scores, row_block, part = _in_order(cells, influence), sample.cells, sample
    else:
        scores = sparse.csr_array(sparse.block_diag([sparse.csr_array(i) for i in influence], format="csr"))
        row_block = np.repeat(np.arange(len(cells), dtype=np.int32), [len(cell.rows) for cell in cells])
        part = sample.take(rows)
    leverages = [fit.leverage for fit in fits if fit.leverage is not None]
    leverage = None
    if part is sample and len(leverages) == len(fits):
        leverage = np.empty(len(part.y))
        leverage[rows] = np.concatenate(leverages)
    return ScoreSource(
        part.source, scores, columns, row_block, blocks, part.groupings, cov, rule, leverage, part.repeats,
        undefined=None if leverage is None else _undefined([fit.undefined for fit in fits], sizes),
    )  # fmt: skip


def check_clusters(source: ScoreSource) -> None:
    """Refuse cells inside one independent unit, whose scores add up to nothing, and warn of cells with few clusters."""
    few: dict[str, list[str]] = {}
    labels = [block.label or "the data" for block in source.blocks]
    if not source.cov.clusters:
        check_units(source.cov, source.groupings, source.row_block, labels)
    for name in source.cov.clusters:
        group = source.groupings[name]
        assert isinstance(group, Grouping)
        pairs = np.unique(source.row_block.astype(np.int64) * group.n_groups + group.codes)
        counts = np.bincount(pairs // group.n_groups, minlength=len(labels))
        single = [label for label, count in zip(labels, counts, strict=True) if count < 2]
        if single:
            raise CovarianceError(
                f"{len(single)} of {len(labels)} cells have a single group of {name!r} ({listing(single, 4)}), and so "
                "no variance between groups: cluster on a finer column, or use method='stacked'."
            )
        few[name] = [f"{c} in {label}" for label, c in zip(labels, counts, strict=True) if c < _FEW_CLUSTERS]
    if not source.cov.adjusts_clusters and any(few.values()):
        words = "; ".join(f"{name}: {listing(cells, 4)}" for name, cells in few.items() if cells)
        first = next(name for name in few if few[name])
        better = f"CR2 has degrees of freedom of its own: cov='CR2:{first}'."
        linear = source.leverage is not None or any(block.absorbed for block in source.blocks)
        if not linear:  # for linear models alone CR2 is defined
            better = f"compare them with a bootstrap of clusters: cov=wg.cov.Bootstrap(999, cluster={first!r}, rng=1)."
        warn(f"few clusters ({words}): {source.cov.kind} errors are too small; {better}", FewClustersWarning)


def check_units(
    cov: Analytic, groupings: Mapping[str, PairWeights], cells: IntArray | CodeArray, names: Sequence[str]
) -> None:
    """Refuse cells, by the code of each row, that lie inside one sampling unit, place, period or member of dyads.

    Raises
    ------
    CovarianceError
    """
    if cov.independent:
        return
    single = np.logical_or.reduce([inside_one_unit(unit, cells, len(names)) for unit in cov.units(groupings)])
    if single.any():
        where = listing((name or "the data" for name, alone in zip(names, single, strict=True) if alone), 4)
        raise CovarianceError(
            f"{int(single.sum())} of {len(names)} cells lie inside a single independent unit of {cov} ({where}), and "
            "so have no variance between units: use a covariance of finer units, pool these cells with others, or "
            "leave them out."
        )


def warn_of_sides(cov: Analytic, sample: Sample, sides: Sequence[BoolArray]) -> None:
    """Warn of cells in which one side of a comparison, a row's membership of shape (n,), lies inside one unit."""
    if cov.independent:
        return
    names = sample.cell_names
    alone = np.zeros(len(names), dtype=bool)
    for side in sides:
        cells = np.where(side, sample.cells, len(names))  # the other side is a cell of its own
        present = np.bincount(cells, minlength=len(names) + 1)[:-1] > 0
        for unit in cov.units(sample.groupings):
            alone |= present & inside_one_unit(unit, cells, len(names) + 1)[:-1]
    if alone.any():
        where = listing((names[c] or "the data" for c in np.flatnonzero(alone)), 4)
        warn(
            f"in {int(alone.sum())} of {len(names)} cells ({where}) all who hold the premium, or all others, lie "
            f"inside a single independent unit of {cov}: what that unit has of its own is no part of these errors, "
            "which are far too small. Use finer units, or pool cells.",
            FewClustersWarning,
        )


def _check_defined(cov: Analytic, cells: Sequence[Cell], fits: Sequence[CellFit]) -> None:
    """Raise for a covariance that the estimator does not have."""
    needed = {"classical": cov.model_based, "leverage": cov.leverages, "clusters": cov.adjusts_clusters}
    name = next((name for name, asked in needed.items() if asked), "influence")
    if all(getattr(fit, name) is not None for fit in fits):
        return
    if all(fit.influence is None and fit.clusters is None for fit in fits):
        raise CovarianceError(
            f"cov={str(cov)!r} needs the influence of each row, which this estimator does not have: refit it with "
            "other weights instead, cov=wg.cov.Bootstrap(999, rng=1) or cov=wg.cov.Replicates(...)."
        )
    some = [cell.where() for cell, fit in zip(cells, fits, strict=True) if getattr(fit, name) is None]
    undefined = (
        f"cov={str(cov)!r} is not defined for this model: use HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a "
        "survey's design, replicates or the bootstrap."
    )
    raise CovarianceError(
        f"fit_cell left no {name} in {len(some)} of {len(fits)} cells ({listing(some)})."
        if len(some) < len(fits)
        else undefined
    )


def _in_order(cells: Sequence[Cell], influence: Sequence[FloatArray]) -> sparse.csr_array:
    """Scores with the same number of entries in every row, the rows in the order of the sample."""
    n, r = sum(len(cell.rows) for cell in cells), influence[0].shape[1]
    kind = np.int32 if n * r < 2**31 and len(cells) * r < 2**31 else np.int64
    values, places = np.empty((n, r)), np.empty((n, r), dtype=kind)
    for cell, part in zip(cells, influence, strict=True):
        values[cell.rows] = part
        places[cell.rows] = cell.number * r + np.arange(r)
    pointers = np.arange(0, n * r + 1, r, dtype=kind)
    return sparse.csr_array((values.ravel(), places.ravel(), pointers), shape=(n, len(cells) * r))


def _clustered_source(
    sample: Sample,
    fits: Sequence[CellFit],
    blocks: tuple[Block, ...],
    columns: IntArray,
    cov: Analytic,
    rule: SmallSample,
) -> ScoreSource:
    """Source whose rows are clusters within cells, their scores adjusted (CR2, CR3)."""
    adjusted = [fit.clusters for fit in fits if fit.clusters is not None]
    codes: CodeArray = np.concatenate([degrees.groups for _, degrees in adjusted])
    row_block = np.repeat(np.arange(len(fits), dtype=np.int32), [len(scores) for scores, _ in adjusted])
    scores = sparse.csr_array(sparse.block_diag([scores for scores, _ in adjusted], format="csr"))
    group = sample.groupings[cov.clusters[0]]
    assert isinstance(group, Grouping)
    return ScoreSource(
        sample.source, scores, columns, row_block, blocks, {cov.clusters[0]: replace(group, codes=codes)}, cov, rule,
        cluster_degrees=tuple(degrees for _, degrees in adjusted),
        undefined=np.concatenate([degrees.undefined for _, degrees in adjusted]),
    )  # fmt: skip


def _undefined(found: Sequence[BoolArray | None], sizes: Sequence[int]) -> BoolArray:
    """Columns whose variance a row of leverage one leaves undefined, fit after fit."""
    parts = [np.zeros(size, dtype=bool) if one is None else one for one, size in zip(found, sizes, strict=True)]
    return np.concatenate(parts)
