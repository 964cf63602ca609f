"""Least squares by cells: coefficients of each cell with the source of their joint covariance.

Each cell has slopes of its own (separate), or cells share the slopes of the controls and keep a constant and a premium
of their own (stacked). Either way a row of the data leaves its influence on the coefficients of its cell, and the rows'
groupings relate the cells. Replicates refit with each set of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import CovarianceError, IdentificationError, listing
from wagegap.estimation.covariance.clusters import LEVERAGE_ONE, DegreesMatrices, adjust_clusters
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Covariance
from wagegap.estimation.covariance.sources import AbsorbedCount
from wagegap.estimation.least_squares.absorb import absorb_regression, effects_rank, is_nested, recode
from wagegap.estimation.least_squares.lstsq import (
    Collinear,
    LstsqFit,
    fit_lstsq,
    fit_signed,
    weighted_sum_of_squares,
)
from wagegap.estimation.sample import Cell, CellFit, Sample

__all__ = [
    "LinearFit",
    "combination_in_words",
    "decided_alone",
    "describe_collinear",
    "fit_least_squares",
    "least_squares_values",
]

_DUMMIES_AT_MOST = 2_000
_TERMS_SHOWN = 4


@dataclass(frozen=True, slots=True, eq=False)
class BlockFit:
    """Fit of one cell.

    Attributes
    ----------
    fit : LstsqFit
        The least squares fit, effects taken out.
    x : ndarray, shape (n, k)
        Regressors, effects taken out.
    names : tuple of str
        Their names.
    absorbed : tuple of AbsorbedCount
        Effects taken out.
    """

    fit: LstsqFit
    x: FloatArray
    names: tuple[str, ...]
    absorbed: tuple[AbsorbedCount, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearFit(CellFit):
    """Least squares of one cell.

    Attributes
    ----------
    sigma : float
        Standard deviation of the residuals.
    """

    sigma: float


def fit_least_squares(
    cell: Cell, sample: Sample, reported: Sequence[int], cov: Covariance, wanted: BoolArray | None = None
) -> LinearFit:
    """Fit one cell: the `fit_cell` of every linear model.

    b = (X'WX)^-1 X'Wy on the columns that are not collinear; a row's influence is (X'WX)^-1 x_i w_i e_i.

    Raises
    ------
    IdentificationError
        When a reported column is collinear with others, or rows are no more than parameters.
    """
    at = list(reported)
    block = fit_block(cell, sample, dummies=cov.leverages or cov.adjusts_clusters)
    _check_reported(sample, block, [j for k, j in enumerate(at) if wanted is None or wanted[cell.number, k]], cell)
    k = block.fit.rank + sum(effect.rank for effect in block.absorbed)
    df = cell.nobs - k
    if df <= 0:
        raise IdentificationError(
            f"{cell.name or 'the sample'} has {cell.nobs:g} observations for {k} parameters: pool cells or drop "
            "controls."
        )
    variance = weighted_sum_of_squares(block.fit.residuals, cell.weights) / df
    scaled = block.fit.residuals if cell.weights is None else cell.weights * block.fit.residuals
    leverage = block.fit.leverage if cell.repeats is None else block.fit.leverage / cell.repeats
    undefined = decided_alone(block.x, block.fit.bread[at], np.diag(block.fit.bread)[at], leverage, cell.weights)
    return LinearFit(
        values=block.fit.params[at],
        influence=(block.x @ block.fit.bread[at].T) * scaled[:, None],
        n_params=block.fit.rank,
        classical=variance * block.fit.bread[np.ix_(at, at)],
        absorbed=block.absorbed,
        # a level that a cell does not have is not worth telling, nor a redundant dummy of an effect
        collinear=tuple(
            combination_in_words(found, block.names)
            for found in block.fit.collinear
            if found.column < len(sample.names) and found.made_of
        ),
        leverage=None if block.absorbed else leverage,  # absorbed effects have leverage too
        undefined=None if block.absorbed else undefined,
        clusters=_clustered(cell, sample, block, at, cov) if cov.adjusts_clusters else None,
        sigma=float(np.sqrt(variance)),
    )


def least_squares_values(cell: Cell, sample: Sample, reported: Sequence[int]) -> FloatArray:
    """Coefficients alone, shape (r,): what each replicate needs; rows that it gives no weight are left out.

    Weights may be below zero where no effects are absorbed.
    """
    if cell.weights is not None:
        if (cell.weights < 0).any():
            return fit_signed(cell.y, cell.x, cell.weights)[list(reported)]
        weighted = np.flatnonzero(cell.weights)
        if not weighted.size:
            return np.full(len(reported), np.nan)
        cell = replace(
            cell, rows=cell.rows[weighted], y=cell.y[weighted], x=cell.x[weighted], weights=cell.weights[weighted]
        )
    return fit_block(cell, sample).fit.params[list(reported)]


def decided_alone(
    x: FloatArray, reported: FloatArray, size: FloatArray, leverage: FloatArray, weights: FloatArray | None
) -> BoolArray:
    """Say which coefficients rows of leverage one have a part in, whose residuals are zero whatever the errors are.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Regressors.
    reported : ndarray, shape (r, k)
        Rows of the bread M.
    size : ndarray, shape (r,)
        M_jj.
    leverage, weights : ndarray, shape (n,)
        Leverage of an observation of each row, and weights.
    """
    # share of row i in the variance of b_j under equal variances: w_i (M x_i)_j^2 / M_jj
    alone = leverage > 1 - LEVERAGE_ONE
    if not alone.any():
        return np.zeros(len(reported), dtype=bool)
    part = (reported @ x[alone].T) ** 2
    if weights is not None:
        part = part * weights[alone]
    return np.asarray((part > 1e-10 * size[:, None]).any(axis=1))


def fit_block(cell: Cell, sample: Sample, *, dummies: bool = False) -> BlockFit:
    """Fit one cell; absorbed effects are taken out, or stand as dummies where leverages are wanted."""
    x, names = cell.x, sample.names
    if not sample.effects:
        return BlockFit(fit_lstsq(cell.y, x, cell.weights), x, names, ())
    codes = recode(sample.effects, cell.rows)
    if dummies:
        x, names = _with_dummies(x, names, codes, sample.effect_names)
        return BlockFit(fit_lstsq(cell.y, x, cell.weights), x, names, ())
    y, x = absorb_regression(cell.y, x, codes, cell.weights)
    return BlockFit(fit_lstsq(y, x, cell.weights), x, names, _absorbed_counts(sample, cell.rows, codes))


def combination_in_words(found: Collinear, names: Sequence[str]) -> str:
    """Say which columns make a column.

    >>> combination_in_words(Collinear(2, ((0, 1.0), (1, -1.0))), ["Intercept", "male", "female"])
    'female = 1*Intercept - 1*male'
    """
    if not found.made_of:
        return f"{names[found.column]} = 0"
    shown = found.made_of[:_TERMS_SHOWN]
    text = " ".join(f"{'-' if b < 0 else '+'} {abs(b):.4g}*{names[j]}" for j, b in shown).removeprefix("+ ")
    more = len(found.made_of) - len(shown)
    return f"{names[found.column]} = {text}{f' and {more} columns more' if more else ''}"


def _with_dummies(
    x: FloatArray, names: tuple[str, ...], codes: Sequence[CodeArray], effect_names: Sequence[str]
) -> tuple[FloatArray, tuple[str, ...]]:
    levels = [int(c.max()) + 1 for c in codes]
    if sum(levels) > _DUMMIES_AT_MOST:
        raise CovarianceError(
            f"HC2, HC3, CR2 and CR3 need the leverages of {sum(levels):,} absorbed effects, more than "
            f"{_DUMMIES_AT_MOST:,}: use HC1 or CR1."
        )
    blocks = [np.eye(m)[c] for m, c in zip(levels, codes, strict=True)]
    more = [f"{name}[{j}]" for name, m in zip(effect_names, levels, strict=True) for j in range(m)]
    return np.column_stack([x, *blocks]), (*names, *more)


def _absorbed_counts(sample: Sample, rows: IntArray, codes: Sequence[CodeArray]) -> tuple[AbsorbedCount, ...]:
    """Rank that each further grouping of effects adds, and the clusters it is nested in."""
    ranks = np.diff([effects_rank(codes[:j]) for j in range(len(codes) + 1)])
    groups = [group for group in sample.groupings.values() if isinstance(group, Grouping)]
    nested_in = [tuple(group.name for group in groups if is_nested(c, group.codes[rows])) for c in codes]
    return tuple(
        AbsorbedCount(name, int(rank), nested, int(c.max()) + 1)
        for name, rank, nested, c in zip(sample.effect_names, ranks, nested_in, codes, strict=True)
    )


def _check_reported(sample: Sample, block: BlockFit, reported: Sequence[int], cell: Cell) -> None:
    for found in block.fit.collinear:
        involved = [j for j in (found.column, *(column for column, _ in found.made_of)) if j in reported]
        if not involved:
            continue
        reason = combination_in_words(found, block.names)
        if sample.effects and not found.made_of:
            reason = f"the absorbed effects ({', '.join(sample.effect_names)}) leave nothing of it"
        raise IdentificationError(
            f"{sample.names[involved[0]]!r} is collinear with other columns in {cell.where()}: {reason}. Leave one of "
            "them out."
        )


def _clustered(
    cell: Cell, sample: Sample, block: BlockFit, reported: Sequence[int], cov: Covariance
) -> tuple[FloatArray, DegreesMatrices]:
    """Adjusted scores of clusters, with the matrices of their degrees of freedom; repeated rows stand repeated."""
    assert not cov.replicated
    group = sample.groupings[cov.clusters[0]]
    assert isinstance(group, Grouping)
    kept = block.fit.kept
    times = np.ones(len(cell.rows), dtype=int) if cell.repeats is None else cell.repeats.astype(int)
    x, residuals = (np.repeat(values, times, 0) for values in (block.x[:, kept], block.fit.residuals))
    codes, weights = np.repeat(group.codes[cell.rows], times), cell.weights
    if weights is not None and cell.repeats is not None:
        # the weight of one of a row's observations, none where weights are nothing but their number
        each = np.repeat(weights / cell.repeats, times)
        weights = None if (each == 1).all() else each
    return adjust_clusters(
        x, residuals, block.fit.bread[np.ix_(kept, kept)], codes, block.fit.bread[list(reported)][:, kept],
        kind=cov.kind, weights=weights,
    )  # fmt: skip


def describe_collinear(found: Sequence[tuple[str, str]]) -> str:
    """One sentence about columns left out, aggregated over cells."""
    by_words: dict[str, list[str]] = {}
    for cell, words in found:
        by_words.setdefault(words, []).append(cell or "the data")
    parts = [f"{words} (in {listing(cells, 4)})" for words, cells in by_words.items()]
    return f"collinear columns were left out: {listing(parts, 5)}."
