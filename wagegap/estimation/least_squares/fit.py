"""Least squares by cells: coefficients of each cell with the source of their joint covariance.

Each cell has slopes of its own (separate), or cells share the slopes of the controls and keep a constant and a premium
of their own (stacked). Either way a row of the data leaves its influence on the coefficients of its cell, and the rows'
groupings relate the cells. Replicates refit with each set of weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError, IdentificationError, listing
from wagegap.estimation.covariance.clusters import DegreesMatrices, adjust_clusters
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Analytic, Robust
from wagegap.estimation.covariance.sources import AbsorbedCount, Block, ScoreSource
from wagegap.estimation.least_squares.absorb import absorb, effects_rank, recode
from wagegap.estimation.least_squares.lstsq import Collinear, LstsqFit, fit_lstsq, weighted_sum_of_squares
from wagegap.estimation.least_squares.sample import Sample

__all__ = [
    "BlockFit",
    "CellFits",
    "coefficients",
    "combination_in_words",
    "describe_collinear",
    "fit_block",
    "fit_cells",
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


@dataclass(frozen=True, slots=True, eq=False)
class CellFits:
    """Reported coefficients of every cell.

    Attributes
    ----------
    values : ndarray, shape (C, r)
        Coefficients.
    source : ScoreSource
        Their uncertainty; column c r + j is coefficient j of cell c.
    sigma : ndarray, shape (C,)
        Standard deviation of the residuals.
    collinear : tuple of (str, str)
        Cell, and what was left out of it, in words.
    """

    values: FloatArray
    source: ScoreSource
    sigma: FloatArray
    collinear: tuple[tuple[str, str], ...]


def fit_cells(
    sample: Sample,
    reported: Sequence[int],
    *,
    cov: Analytic,
    rule: SmallSample,
    wanted: BoolArray | None = None,
) -> CellFits:
    """Fit every cell on its own rows and report some coefficients.

    Parameters
    ----------
    sample : Sample
        Rows, every one of them in a cell.
    reported : sequence of int
        Columns of x whose coefficients are wanted.
    cov : Analytic
        Covariance, which decides what is kept of the rows.
    rule : str
        Small-sample rule.
    wanted : ndarray of bool, shape (C, r), optional
        Which of the reported columns a cell must identify (a level nobody there has is NaN); all where absent.

    Raises
    ------
    IdentificationError
        When a reported column is collinear with others in a cell, whichever of them stands first.
    """
    cells = sample.rows_by_cell()
    r, n_cells = len(reported), len(cells)
    values, sigma = np.empty((n_cells, r)), np.empty(n_cells)
    influence, leverage = np.empty((len(sample.y), r)), np.empty(len(sample.y))
    blocks, clustered, collinear = [], [], []
    for c, rows in enumerate(cells):
        done = fit_block(sample, rows, dummies=_needs_dummies(cov))
        must = [j for k, j in enumerate(reported) if wanted is None or wanted[c, k]]
        _check_reported(sample, done, must, sample.cell_names[c])
        values[c] = done.fit.params[list(reported)]
        collinear += [(sample.cell_names[c], words) for words in _words(sample, done)]
        block, sigma[c] = _block(sample, rows, done, reported, sample.cell_names[c])
        blocks.append(block)
        influence[rows] = _influence(sample, rows, done, reported, cov)
        leverage[rows] = _leverage(sample, rows, done.fit)
        if isinstance(cov, Robust) and cov.kind in ("CR2", "CR3"):
            clustered.append(_clustered(sample, rows, done, reported, cov))
    columns = np.repeat(np.arange(n_cells), r)
    if clustered:
        source = _clustered_source(sample, clustered, tuple(blocks), columns, cov, rule)
    else:
        places = sample.cells[:, None] * r + np.arange(r, dtype=np.int32)[None, :]
        scores = _rowwise(influence, places, n_cells * r)
        source = ScoreSource(
            sample.source, scores, columns, sample.cells, tuple(blocks), sample.groupings, cov, rule,
            leverage, sample.repeats,
        )  # fmt: skip
    return CellFits(values, source, sigma, tuple(collinear))


def fit_block(sample: Sample, rows: IntArray, *, dummies: bool = False) -> BlockFit:
    """Fit one cell; absorbed effects are taken out, or stand as dummies where leverages are wanted."""
    weights = None if sample.weights is None else sample.weights[rows]
    y, x, names = sample.y[rows], sample.x[rows], sample.names
    if not sample.effects:
        return BlockFit(fit_lstsq(y, x, weights), x, names, ())
    codes = recode(sample.effects, rows)
    if dummies:
        x, names = _with_dummies(x, names, codes, sample.effect_names)
        return BlockFit(fit_lstsq(y, x, weights), x, names, ())
    both = absorb(np.column_stack([y, x]), codes, weights)
    swallowed = np.linalg.norm(both[:, 1:], axis=0) <= 1e-9 * np.linalg.norm(x, axis=0)
    both[:, 1:][:, swallowed] = 0.0
    counts = _absorbed_counts(sample, rows, codes)
    return BlockFit(fit_lstsq(both[:, 0], both[:, 1:], weights), both[:, 1:], names, counts)


def coefficients(sample: Sample, reported: Sequence[int]) -> FloatArray:
    """Coefficients alone, shape (C, r): what each replicate needs; rows that it gives no weight are left out."""
    out = np.full((len(sample.cell_names), len(reported)), np.nan)
    for c, rows in enumerate(sample.rows_by_cell()):
        weighted = rows if sample.weights is None else rows[sample.weights[rows] > 0]
        if weighted.size:
            out[c] = fit_block(sample, weighted).fit.params[list(reported)]
    return out


def combination_in_words(found: Collinear, names: Sequence[str]) -> str:
    """Say which columns make a column.

    >>> combination_in_words(Collinear(2, ((0, 1.0), (1, -1.0))), ["Intercept", "male", "female"])
    'female = 1*Intercept - 1*male'
    """
    if not found.made_of:
        return f"{names[found.column]} = 0"
    shown = found.made_of[:_TERMS_SHOWN]
    text = " ".join(f"{'-' if b < 0 else '+'} {abs(b):.4g}*{names[j]}" for j, b in shown)
    more = len(found.made_of) - len(shown)
    return f"{names[found.column]} = {text.removeprefix('+ ')}{f' and {more} columns more' * (more > 0)}"


def _needs_dummies(cov: Analytic) -> bool:
    return isinstance(cov, Robust) and cov.kind in ("HC2", "HC3", "CR2", "CR3")


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
    counts, before = [], 0
    for j, name in enumerate(sample.effect_names):
        total = effects_rank(codes[: j + 1])
        nested = tuple(
            group.name
            for group in sample.groupings.values()
            if isinstance(group, Grouping) and _is_nested(codes[j], group.codes[rows])
        )
        counts.append(AbsorbedCount(name, total - before, nested, int(codes[j].max()) + 1))
        before = total
    return tuple(counts)


def _is_nested(fine: CodeArray, coarse: CodeArray) -> bool:
    pairs = np.unique(fine.astype(np.int64) * (int(coarse.max()) + 1) + coarse)
    return len(pairs) == int(fine.max()) + 1


def _check_reported(sample: Sample, done: BlockFit, reported: Sequence[int], cell: str) -> None:
    for found in done.fit.collinear:
        involved = [j for j in (found.column, *(column for column, _ in found.made_of)) if j in reported]
        if not involved:
            continue
        j = involved[0]
        reason = combination_in_words(found, done.names)
        if sample.effects and not found.made_of:
            reason = f"the absorbed effects ({', '.join(sample.effect_names)}) leave nothing of it"
        raise IdentificationError(
            f"{sample.names[j]!r} cannot be told apart from other columns in {cell or 'the data'}: {reason}. "
            "Leave one of them out."
        )


def _words(sample: Sample, done: BlockFit) -> list[str]:
    """Combinations worth telling: a level that a cell does not have is not one, nor a redundant dummy of an effect."""
    own = [found for found in done.fit.collinear if found.column < len(sample.names)]
    return [combination_in_words(found, done.names) for found in own if found.made_of]


def _block(sample: Sample, rows: IntArray, done: BlockFit, reported: Sequence[int], label: str) -> tuple[Block, float]:
    nobs = sample.observations(rows)
    k = done.fit.rank + sum(a.rank for a in done.absorbed)
    df = nobs - k
    if df <= 0:
        raise IdentificationError(
            f"{label or 'the sample'} has {nobs:g} observations for {k} parameters: pool cells or drop controls."
        )
    if sample.sums is None:
        weights = None if sample.weights is None else sample.weights[rows]
        squares = weighted_sum_of_squares(done.fit.residuals, weights)
    else:
        squares = float(sample.sums.squared_residuals(_fitted(sample, rows, done), rows).sum())
    variance = squares / df
    bread = done.fit.bread[np.ix_(list(reported), list(reported))]
    return Block(label, nobs, done.fit.rank, done.absorbed, variance * bread), float(np.sqrt(variance))


def _fitted(sample: Sample, rows: IntArray, done: BlockFit) -> FloatArray:
    """Fitted values of a compressed block, less the centre of its sums."""
    return sample.y[rows] - done.fit.residuals - sample.centre


def _influence(sample: Sample, rows: IntArray, done: BlockFit, reported: Sequence[int], cov: Analytic) -> FloatArray:
    """Influence of each row on the reported coefficients, shape (n, r)."""
    direction = done.x @ done.fit.bread[list(reported)].T
    if sample.sums is not None and isinstance(cov, Robust) and not cov.clusters:
        frequency = sample.weight_kind == "frequency"
        squares = sample.sums.squared_residuals if frequency else sample.sums.squared_scores
        return direction * np.sqrt(squares(_fitted(sample, rows, done), rows))[:, None]
    weights = 1.0 if sample.weights is None else sample.weights[rows]
    return direction * (weights * done.fit.residuals)[:, None]


def _leverage(sample: Sample, rows: IntArray, fit: LstsqFit) -> FloatArray:
    """Leverage of one observation of each row."""
    if sample.repeats is not None:
        return fit.leverage / sample.repeats[rows]
    if sample.sums is not None:
        return fit.leverage / (sample.sums.n[rows] if sample.weight_kind != "frequency" else sample.sums.w[rows])
    return fit.leverage


def _clustered(
    sample: Sample, rows: IntArray, done: BlockFit, reported: Sequence[int], cov: Robust
) -> tuple[CodeArray, FloatArray, DegreesMatrices]:
    group = sample.groupings[cov.clusters[0]]
    assert isinstance(group, Grouping)
    keep = done.fit.kept
    x, residuals = done.x[:, keep], done.fit.residuals
    codes = group.codes[rows]
    weights = None if sample.weights is None else sample.weights[rows]
    if sample.repeats is not None:
        times = sample.repeats[rows].astype(int)
        x, residuals, codes, weights = (
            np.repeat(x, times, 0),
            np.repeat(residuals, times),
            np.repeat(codes, times),
            None,
        )
    bread = done.fit.bread[np.ix_(keep, keep)]
    wanted = done.fit.bread[list(reported)][:, keep]
    adjusted = adjust_clusters(x, residuals, bread, codes, wanted, kind=cov.kind, weights=weights)  # type: ignore[arg-type]
    return adjusted.groups.astype(np.int32), adjusted.scores, adjusted.degrees


def _clustered_source(
    sample: Sample,
    clustered: Sequence[tuple[CodeArray, FloatArray, DegreesMatrices]],
    blocks: tuple[Block, ...],
    columns: IntArray,
    cov: Analytic,
    rule: SmallSample,
) -> ScoreSource:
    """Source whose rows are clusters within blocks."""
    assert isinstance(cov, Robust)
    group = sample.groupings[cov.clusters[0]]
    assert isinstance(group, Grouping)
    codes = np.concatenate([codes for codes, _, _ in clustered])
    row_block = np.repeat(np.arange(len(blocks), dtype=np.int32), [len(codes) for codes, _, _ in clustered])
    scores = sparse.csr_array(sparse.block_diag([part for _, part, _ in clustered], format="csr"))
    return ScoreSource(
        sample.source, scores, columns, row_block, blocks, {cov.clusters[0]: replace(group, codes=codes)}, cov, rule,
        cluster_degrees=tuple(degrees for _, _, degrees in clustered),
    )  # fmt: skip


def _rowwise(influence: FloatArray, places: IntArray | CodeArray, q: int) -> sparse.csr_array:
    """Sparse matrix with the same number of entries in every row."""
    n, r = influence.shape
    pointers = np.arange(0, n * r + 1, r, dtype=np.int32 if n * r < 2**31 else np.int64)
    return sparse.csr_array((influence.ravel(), places.ravel().astype(pointers.dtype), pointers), shape=(n, q))


def describe_collinear(found: Sequence[tuple[str, str]]) -> str:
    """One sentence about columns left out, aggregated over cells."""
    by_words: dict[str, list[str]] = {}
    for cell, words in found:
        by_words.setdefault(words, []).append(cell or "the data")
    parts = [f"{words} (in {listing(cells, 4)})" for words, cells in by_words.items()]
    return f"collinear columns were left out: {listing(parts, 5)}."
