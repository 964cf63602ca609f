"""Stacked least squares: cells keep a constant and premiums of their own and share the slopes of the controls.

y = a_c + s'b_c + x'g. The own columns are taken out cell by cell (Frisch-Waugh), so that no matrix of rows by cells is
ever formed; scores stay sparse over the fitted columns, a row's own cell and the common slopes, and a map carries them
to the premiums. With absorbed effects, or where every cluster's adjustment needs the whole design, the dense design is
built instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse

from wagegap._typing import BoolArray, FloatArray, SmallSample
from wagegap.errors import CovarianceError, IdentificationError, listing
from wagegap.estimation.covariance.options import Analytic
from wagegap.estimation.covariance.sources import Block, ScoreSource
from wagegap.estimation.least_squares.fit import (
    combination_in_words,
    decided_alone,
    fit_least_squares,
    least_squares_values,
)
from wagegap.estimation.least_squares.lstsq import Collinear, LstsqFit, fit_lstsq, weighted_sum_of_squares
from wagegap.estimation.sample import Cell, Sample
from wagegap.estimation.scores import score_source

__all__ = ["StackedFit", "fit_stacked", "stacked_values"]

_DENSE_AT_MOST = 250_000_000


@dataclass(frozen=True, slots=True, eq=False)
class StackedFit:
    """Coefficients of every cell.

    Attributes
    ----------
    values : ndarray, shape (C, r)
        Coefficients.
    source : ScoreSource
        Source of error of the fitted columns.
    matrix : ndarray, shape (C r, q)
        Map from the fitted columns to the coefficients, cell by cell.
    sigma : ndarray, shape (C,)
        Standard deviation of the residuals.
    collinear : tuple of (str, str)
        Cell, and what was left out of it, in words.
    """

    values: FloatArray
    source: ScoreSource
    matrix: FloatArray
    sigma: FloatArray
    collinear: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _OwnPart:
    """What one cell's own columns take out: their fit of the outcome and of the common columns."""

    cell: Cell
    own: FloatArray
    bread: FloatArray
    leverage: FloatArray
    projection: FloatArray


def fit_stacked(
    sample: Sample, reported: Sequence[int], *, cov: Analytic, rule: SmallSample, wanted: BoolArray | None = None
) -> StackedFit:
    """Fit all cells in one regression with common slopes of the controls.

    Parameters
    ----------
    sample : Sample
        Rows, every one of them in a cell.
    reported : sequence of int
        Columns of x with a slope in each cell.
    cov : Analytic
        Covariance, which decides what is kept of the rows.
    rule : str
        Small-sample rule.
    wanted : ndarray of bool, shape (C, r), optional
        Which of the reported columns a cell must identify (a level nobody there has is NaN); all where absent.

    Raises
    ------
    IdentificationError
        When a control, or a combination of controls, is made of premiums in every cell.
    """
    must = np.ones((len(sample.cell_names), len(reported)), dtype=bool) if wanted is None else wanted
    if not sample.effects and not cov.adjusts_clusters:
        return _fit_sparse(sample, reported, cov, rule, must)
    dense, columns = _dense_sample(sample, reported)
    cell = dense.cell(0, np.arange(len(dense.y)))
    fit = fit_least_squares(cell, dense, columns, cov, must.reshape(1, -1))
    return StackedFit(
        fit.values.reshape(must.shape), score_source(dense, [cell], [fit], cov=cov, rule=rule), np.eye(must.size),
        np.full(len(must), fit.sigma), tuple(("", words) for words in fit.collinear),
    )  # fmt: skip


def stacked_values(sample: Sample, reported: Sequence[int]) -> FloatArray:
    """Coefficients alone, shape (C, r)."""
    dense, columns = _dense_sample(sample, reported)
    cell = dense.cell(0, np.arange(len(dense.y)))
    return least_squares_values(cell, dense, columns).reshape(len(sample.cell_names), len(reported))


def _dense_sample(sample: Sample, reported: Sequence[int]) -> tuple[Sample, list[int]]:
    """One cell whose columns are premiums by cell, constants by cell, and the controls."""
    n_cells, r = len(sample.cell_names), len(reported)
    constant, common = _split_columns(sample, reported)
    if len(sample.y) * (n_cells * (r + 1) + len(common)) > _DENSE_AT_MOST:
        raise CovarianceError(
            f"{len(sample.y):,} rows by {n_cells} cells are too many for a dense stacked design: use "
            "method='separate', or HC or CR0/CR1 errors without absorbed effects."
        )
    member = np.eye(n_cells)[sample.cells]
    own = [member * sample.x[:, [j]] for j in reported]
    premiums = np.stack(own, axis=2).reshape(len(sample.y), n_cells * r)
    names = [f"{sample.names[j]}[{cell}]" for cell in sample.cell_names for j in reported]
    # with absorbed effects the cells are one of them, else they have constants of their own
    cells, cell_effect = ((sample.cells,), ("cell",)) if sample.effects else ((), ())
    without = bool(sample.effects) or constant is None
    constants, constant_names = ([], ()) if without else ([member], sample.cell_names)
    x = np.column_stack([premiums, *constants, sample.x[:, common]])
    all_names = (*names, *constant_names, *(sample.names[j] for j in common))
    dense = replace(
        sample, x=x, names=all_names, effects=(*cells, *sample.effects),
        effect_names=(*cell_effect, *sample.effect_names),
        cells=np.zeros(len(sample.y), dtype=np.int32), cell_names=("",),
    )  # fmt: skip
    return dense, list(range(n_cells * r))


def _split_columns(sample: Sample, reported: Sequence[int]) -> tuple[int | None, list[int]]:
    """Position of the constant, and of the common columns."""
    constant = next((j for j, name in enumerate(sample.names) if name == "Intercept"), None)
    common = [j for j in range(len(sample.names)) if j not in reported and j != constant]
    return constant, common


def _fit_sparse(
    sample: Sample, reported: Sequence[int], cov: Analytic, rule: SmallSample, must: BoolArray
) -> StackedFit:
    constant, common = _split_columns(sample, reported)
    own_columns = [*([] if constant is None else [constant]), *reported]
    needed = np.column_stack([np.ones((len(must), len(own_columns) - len(reported)), dtype=bool), must])
    out_y, out_x = np.array(sample.y), sample.x[:, common].copy()
    parts = [
        _take_out(cell, sample.names, own_columns, common, out_y, out_x, needed[cell.number])
        for cell in sample.by_cell()
    ]
    shared = fit_lstsq(out_y, out_x, sample.weights)
    for found in shared.collinear:
        _check_apart(sample, found, parts, common, len(reported))
    gamma = np.nan_to_num(shared.params)
    r, n_cells = len(reported), len(parts)
    values = np.array([(part.projection[:, 0] - part.projection[:, 1:] @ gamma)[-r:] for part in parts])
    block, sigma = _stacked_block(sample, shared, parts, r)
    scores, leverage, undefined = _stacked_scores(sample, shared, parts, r, out_x)
    source = ScoreSource(
        sample.source, scores, np.zeros(scores.shape[1], dtype=np.intp), np.zeros(len(sample.y), dtype=np.int32),
        (block,), sample.groupings, cov, rule, leverage, sample.repeats, undefined=undefined,
    )  # fmt: skip
    matrix = np.hstack([np.eye(n_cells * r), -np.vstack([part.projection[-r:, 1:] for part in parts])])
    names = [sample.names[j] for j in common]
    collinear = tuple(
        ("", combination_in_words(found, names) if found.made_of else f"{names[found.column]} varies in no cell")
        for found in shared.collinear
    )
    return StackedFit(values, source, matrix, np.full(n_cells, sigma), collinear)


def _take_out(
    cell: Cell,
    names: Sequence[str],
    own_columns: Sequence[int],
    common: Sequence[int],
    out_y: FloatArray,
    out_x: FloatArray,
    needed: BoolArray,
) -> _OwnPart:
    """Take the own columns of one cell out of outcome and common columns (written into `out_y`, `out_x`)."""
    own = cell.x[:, list(own_columns)]
    fit = fit_lstsq(cell.y, own, cell.weights)
    lost = [found for found in fit.collinear if needed[found.column]]
    if lost:
        words = combination_in_words(lost[0], [names[j] for j in own_columns])
        raise IdentificationError(f"in {cell.name} the premium is collinear: {words}.")
    weighted = own if cell.weights is None else own * cell.weights[:, None]
    columns = np.column_stack([cell.y, cell.x[:, list(common)]])
    projection = fit.bread @ (weighted.T @ columns)
    rest = columns - own @ projection
    again = fit.bread @ (weighted.T @ rest)
    projection, rest = projection + again, rest - own @ again
    out_y[cell.rows] = rest[:, 0]
    tiny = np.linalg.norm(rest[:, 1:], axis=0) <= 1e-12 * np.linalg.norm(columns[:, 1:], axis=0)
    out_x[cell.rows] = np.where(tiny, 0.0, rest[:, 1:])
    return _OwnPart(cell, own, fit.bread, fit.leverage, projection)


def _check_apart(sample: Sample, found: Collinear, parts: Sequence[_OwnPart], common: Sequence[int], r: int) -> None:
    """Raise where premiums have a part in a combination of common columns that vanishes within cells."""
    weights = np.zeros(len(common))
    weights[found.column] = 1.0
    for column, coefficient in found.made_of:
        weights[column] = -coefficient
    size = np.linalg.norm(sample.x[:, common[found.column]])
    cells = [
        part.cell.name
        for part in parts
        if (np.abs(part.projection[-r:, 1:] @ weights) * np.linalg.norm(part.own[:, -r:], axis=0) > 1e-8 * size).any()
    ]
    if cells:
        names = [sample.names[common[int(j)]] for j in np.flatnonzero(weights)]
        raise IdentificationError(
            f"the premium is collinear with other columns in {listing(cells, 4)}: it is made of "
            f"{listing(names)}. Leave one of them out."
        )


def _stacked_block(sample: Sample, shared: LstsqFit, parts: Sequence[_OwnPart], r: int) -> tuple[Block, float]:
    everything = np.arange(len(sample.y))
    rank = shared.rank + sum(part.own.shape[1] for part in parts)
    df = sample.observations(everything) - rank
    if df <= 0:
        raise IdentificationError(f"{len(sample.y)} rows for {rank} parameters: pool cells or drop controls.")
    variance = weighted_sum_of_squares(shared.residuals, sample.weights) / df
    iid = linalg.block_diag(*[part.bread[-r:, -r:] for part in parts], shared.bread)
    return Block("", sample.observations(everything), rank, (), variance * iid), float(np.sqrt(variance))


def _stacked_scores(
    sample: Sample, shared: LstsqFit, parts: Sequence[_OwnPart], r: int, out_x: FloatArray
) -> tuple[sparse.csr_array, FloatArray, BoolArray]:
    """Influence of each row on its cell's own columns and on the common slopes, its leverage, and what it decides."""
    weights = np.ones(len(sample.y)) if sample.weights is None else sample.weights
    scaled = weights * shared.residuals
    n, k = out_x.shape
    data, places = np.empty((n, r + k)), np.empty((n, r + k), dtype=np.int32)
    data[:, r:] = (out_x @ shared.bread) * scaled[:, None]
    places[:, r:] = len(parts) * r + np.arange(k)
    leverage = np.array(shared.leverage)
    for c, part in enumerate(parts):
        rows = part.cell.rows
        data[rows, :r] = (part.own @ part.bread[:, -r:]) * scaled[rows, None]
        places[rows, :r] = c * r + np.arange(r)
        leverage[rows] += part.leverage
    if sample.repeats is not None:
        leverage = leverage / sample.repeats
    undefined = [decided_alone(out_x, shared.bread, np.diag(shared.bread), leverage, sample.weights)]
    for part in reversed(parts):
        rows, bread = part.cell.rows, part.bread[-r:]
        undefined.insert(0, decided_alone(part.own, bread, np.diag(part.bread)[-r:], leverage[rows], part.cell.weights))
    pointers = np.arange(0, n * (r + k) + 1, r + k)
    matrix = sparse.csr_array((data.ravel(), places.ravel().astype(np.int64), pointers), shape=(n, len(parts) * r + k))
    return matrix, leverage, np.concatenate(undefined)
