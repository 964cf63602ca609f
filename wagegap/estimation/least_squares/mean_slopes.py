"""Means and slopes of several samples with the source of their joint covariance: what decompositions of means stand on.

For every sample the means m_s of the regressors and the coefficients b_s, and for pairs of samples the coefficients of
a pooled regression. Their influence functions are linear in w (x - m) and w e x, so that a row leaves a short vector of
scores, from which clusters, designs and joint covariances with other stages follow; where the scores of all rows would
not fit into memory their sums of squares alone are kept.

References
----------
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy import linalg, sparse

from wagegap._typing import BoolArray, FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError
from wagegap.estimation.covariance.options import Analytic
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.resampling import solve_replicates, unpack_moments
from wagegap.estimation.covariance.sources import Block, ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.least_squares.lstsq import weighted_sum_of_squares
from wagegap.estimation.least_squares.moments import MeanSlopes, fit_mean_slopes, row_blocks
from wagegap.estimation.sample import Cell, Sample

__all__ = ["MeanSlopeFits", "Pooling", "fit_samples", "point_fits", "replicate_fits"]

_SCORES_AT_MOST = 30_000_000

_ScoreBlock: TypeAlias = tuple[IntArray, IntArray, FloatArray]
"""Some rows, the places of their scores among all, and the scores."""


@dataclass(frozen=True, slots=True)
class Pooling:
    """Two samples whose rows one regression pools.

    Attributes
    ----------
    first, second : int
        The samples.
    indicator : bool
        Whether the second has a constant of its own.
    """

    first: int
    second: int
    indicator: bool


@dataclass(frozen=True, slots=True, eq=False)
class MeanSlopeFits:
    """Means and coefficients of samples, and their uncertainty.

    Attributes
    ----------
    samples : tuple of MeanSlopes, length S
        Fit of each sample.
    pooled : tuple of MeanSlopes, length P
        Pooled fits.
    values : ndarray, shape (2 S k + P k,)
        For each sample its means and then its coefficients; then the coefficients of the pooled fits.
    source : ErrorSource, optional
        Uncertainty of the fitted columns; absent where nothing but the values is wanted.
    matrix : ndarray, shape (2 S k + P k, q)
        Map from the source's columns to the values.
    """

    samples: tuple[MeanSlopes, ...]
    pooled: tuple[MeanSlopes, ...]
    values: FloatArray
    source: ErrorSource | None
    matrix: FloatArray

    @property
    def k(self) -> int:
        """Number of regressors."""
        return len(self.samples[0].mean)

    @property
    def size(self) -> int:
        """Number q of raw scores: those of means and coefficients, and of the coefficients of pooled fits."""
        return int(self.matrix.shape[1])

    def mean_at(self, s: int) -> slice:
        """Where the means of a sample stand among the values."""
        return slice(2 * s * self.k, (2 * s + 1) * self.k)

    def coef_at(self, s: int) -> slice:
        """Where the coefficients of a sample stand."""
        return slice((2 * s + 1) * self.k, 2 * (s + 1) * self.k)

    def pooled_at(self, p: int) -> slice:
        """Where the coefficients of a pooled fit stand."""
        start = 2 * len(self.samples) * self.k
        return slice(start + p * self.k, start + (p + 1) * self.k)


def fit_samples(
    sample: Sample,
    poolings: Sequence[Pooling] = (),
    *,
    cov: Analytic,
    rule: SmallSample = "stata",
    separate: bool = False,
    keep_units: bool | None = None,
    cell_of: IntArray | None = None,
) -> MeanSlopeFits:
    """Fit every sample, and pooled pairs of them.

    Parameters
    ----------
    sample : Sample
        Rows; its cells are the samples.
    poolings : sequence of Pooling
        Pooled regressions.
    cov : Analytic
        `iid` takes regressors' means and coefficients as independent, with classical variances; everything else goes
        by the influence functions.
    rule : str
        Small-sample rule.
    separate : bool
        Take means and coefficients as uncorrelated, as Stata's oaxaca does.
    keep_units : bool, optional
        Keep the scores of every row; by default where they are at most 30 million numbers.
    cell_of : ndarray of int, shape (S,), optional
        Cell of each sample, whose rows the small-sample factor and the degrees of freedom count; one cell where absent.

    Raises
    ------
    CovarianceError
        When the covariance asked for needs units that are not kept, or classical variances of a pooled fit.
    """
    cells = sample.by_cell()
    done = _point(cells, poolings)
    cell_of = np.zeros(len(cells), dtype=np.intp) if cell_of is None or rule == "joint" else cell_of
    if cov.model_based:
        source: ErrorSource = _classical(sample.source, cells, done, cell_of)
        return replace(done, source=source, matrix=np.eye(len(done.values)))
    if cov.leverages or cov.adjusts_clusters:
        raise CovarianceError(
            f"cov={str(cov)!r} is defined for regressions; means and coefficients together have HC0, HC1, CR0, CR1, a "
            "survey's design, replicates or the bootstrap."
        )
    entries = len(sample.y) * 2 * done.k + sum(fit.n * len(fit.params) for fit in done.pooled)
    kept = entries <= _SCORES_AT_MOST if keep_units is None else keep_units
    own_rule: SmallSample = "none" if separate and not poolings else rule
    blocks = _score_blocks(cells, done, poolings)
    if kept or not cov.independent:
        source = _score_source(sample, blocks, done.size, cov, own_rule, cell_of)
    else:
        source = _lean_source(sample, blocks, done.size, cov, own_rule, cell_of)
    # a covariance that may be repaired depends on what is reported, which is not known here
    if isinstance(source, ScoreSource) and keep_units is False and not cov.indefinite:
        df = _degrees_by_column(source)
        phrase = f"{source.describe()}, units not kept"
        source = StatedSource(source.origin, source.covariance(), df, phrase, source.adjusts_wald)
    done = replace(done, source=source)
    return _separated(sample, done, cov, rule) if separate else done


def point_fits(sample: Sample, poolings: Sequence[Pooling] = ()) -> MeanSlopeFits:
    """Fit every sample, and pooled pairs of them, without their uncertainty."""
    return _point(sample.by_cell(), poolings)


def replicate_fits(
    sample: Sample, fits: MeanSlopeFits, poolings: Sequence[Pooling], replicates: ReplicateWeights
) -> FloatArray:
    """Values under every replicate, shape (R, 2 S k + P k), from one pass over the rows.

    Raises
    ------
    CovarianceError
        When a replicate leaves a coefficient undetermined.
    """
    frame = _Centring.of(sample)
    products = [unpack_moments(part) for part in replicates.moments(frame.columns(sample), sample.cells)]
    out = np.zeros((len(replicates), len(fits.values)))
    for s, (of_sample, fit) in enumerate(zip(products, fits.samples, strict=True)):
        out[:, fits.mean_at(s)] = frame.means(of_sample)
        out[:, fits.coef_at(s)] = frame.coefs(of_sample, fit.kept, sample.cell_names[s])
    for p, (pooling, fit) in enumerate(zip(poolings, fits.pooled, strict=True)):
        together = products[pooling.first] + products[pooling.second]
        extra = products[pooling.second][:, 0] if pooling.indicator else None
        out[:, fits.pooled_at(p)] = frame.coefs(together, fit.kept[: fits.k], "the pooled groups", extra)
    return out


def _point(cells: Sequence[Cell], poolings: Sequence[Pooling]) -> MeanSlopeFits:
    k = cells[0].x.shape[1]
    fits = tuple(fit_mean_slopes(cell.y, cell.x, cell.weights) for cell in cells)
    pooled = tuple(_fit_pooled(cells[pooling.first], cells[pooling.second], pooling) for pooling in poolings)
    values = [part for fit in fits for part in (fit.mean, fit.params)] + [fit.params[:k] for fit in pooled]
    # IF(m) = w (x - m) / W,   IF(b) = (X'WX)^-1 w e x, written with x - about, whose sums lose no digits
    breads = [part for fit in fits for part in (np.eye(k) / fit.total, fit.centred_bread)]
    matrix = linalg.block_diag(*breads, *(fit.centred_bread[:k] for fit in pooled))
    return MeanSlopeFits(fits, pooled, np.concatenate(values), None, np.asarray(matrix))


@dataclass(frozen=True, slots=True, eq=False)
class _Centring:
    """Columns [1, x, y] centred and scaled, so that products under replicates lose no digits, and the way back.

    Attributes
    ----------
    constant : int or None
        Column of x that is one throughout; without it nothing is centred.
    about, scale : ndarray, shape (k,)
        What is subtracted from the columns of x, and what they are divided by.
    about_y : float
        What is subtracted from the outcome.
    """

    constant: int | None
    about: FloatArray
    scale: FloatArray
    about_y: float

    @classmethod
    def of(cls, sample: Sample) -> _Centring:
        """Mean and spread of the columns of all rows."""
        x = sample.x
        spread = x.std(axis=0)
        ones = np.flatnonzero((spread == 0) & (x[0] == 1))
        if not ones.size:
            return cls(None, np.zeros(x.shape[1]), np.sqrt(np.mean(x**2, axis=0)), 0.0)
        about = np.where(spread > 0, x.mean(axis=0), 0.0)
        return cls(int(ones[0]), about, np.where(spread > 0, spread, 1.0), float(sample.y.mean()))

    def columns(self, sample: Sample) -> FloatArray:
        """[1, x, y], shape (n, k + 2)."""
        z = (sample.x - self.about) / self.scale
        return np.column_stack([np.ones(len(z)), z, sample.y - self.about_y])

    def means(self, products: FloatArray) -> FloatArray:
        """Means of x in every replicate, shape (R, k)."""
        return self.about + self.scale * (products[:, 0, 1:-1] / products[:, 0, :1])

    def coefs(
        self, products: FloatArray, kept: BoolArray, name: str, indicator: FloatArray | None = None
    ) -> FloatArray:
        """Coefficients in every replicate, shape (R, k); zero for columns that are not kept.

        `indicator` are the products of a further column, one in some rows, with the others, shape (R, k + 2).
        """
        # (Z'WZ)^-1 Z'W (y - c_y), Z = [1, (x - c) / s]:   b = g / s,   b_0 = g_0 + c_y - c'b
        at = 1 + np.flatnonzero(kept)
        xx, xy = products[:, at[:, None], at[None, :]], products[:, at, -1]
        if indicator is not None:
            xx = np.concatenate([xx, indicator[:, at][:, None, :]], axis=1)
            last = np.concatenate([indicator[:, at], indicator[:, :1]], axis=1)
            xx = np.concatenate([xx, last[:, :, None]], axis=2)
            xy = np.concatenate([xy, indicator[:, -1:]], axis=1)
        solved = solve_replicates(xx, xy, sample=name)[:, : len(at)]
        out = np.zeros((len(products), len(kept)))
        out[:, kept] = solved / self.scale[kept]
        if self.constant is not None:
            out[:, self.constant] += self.about_y - out @ self.about
        return out


def _fit_pooled(first: Cell, second: Cell, pooling: Pooling) -> MeanSlopes:
    """Pooled fit of two samples, the rows of the first in front; the indicator is the last column."""
    n, k = first.x.shape
    y, x = np.concatenate([first.y, second.y]), np.zeros((n + len(second.x), k + pooling.indicator))
    x[:n, :k], x[n:, :k], x[n:, k:] = first.x, second.x, 1.0
    weights = [cell.weights for cell in (first, second) if cell.weights is not None]
    return fit_mean_slopes(y, x, np.concatenate(weights) if weights else None)


def _classical(origin: str, cells: Sequence[Cell], done: MeanSlopeFits, cell_of: IntArray) -> StatedSource:
    """Covariance under equal error variances, means independent of coefficients."""
    if done.pooled:
        raise CovarianceError("cov='iid' does not relate a pooled fit to those of its samples: use 'HC1'.")
    # Var(m) = sum w (x - m)(x - m)' / W / (n - 1),   Var(b) = sum w e^2 / (n - k) (X'WX)^-1
    parts: list[FloatArray] = []
    for cell, fit in zip(cells, done.samples, strict=True):
        variance = weighted_sum_of_squares(fit.residuals, cell.weights) / (cell.nobs - fit.kept.sum())
        parts += [fit.centred / fit.total / (cell.nobs - 1), variance * fit.bread]
    nobs = np.array([cell.nobs for cell in cells], dtype=float)
    df = np.repeat([nobs[cell_of == cell].min() for cell in cell_of], 2 * done.k) - done.k
    return StatedSource(origin, linalg.block_diag(*parts), df, "classical, means random")


def _score_blocks(cells: Sequence[Cell], done: MeanSlopeFits, poolings: Sequence[Pooling]) -> Iterator[_ScoreBlock]:
    """Raw scores of every row, some rows of a sample at a time: w (x - m) and w e (x - about), and those of the pooled
    fits that the sample is in, whose indicator is one number throughout it.
    """
    starts = 2 * done.k * len(cells) + np.cumsum([0, *(len(fit.params) for fit in done.pooled)])
    for s, (cell, fit) in enumerate(zip(cells, done.samples, strict=True)):
        n = len(cell.y)
        w = np.ones(n) if cell.weights is None else cell.weights
        columns = [np.arange(2 * done.k * s, 2 * done.k * (s + 1))]
        terms = [(fit.mean, w, 0.0), (fit.about, w * fit.residuals, 0.0)]
        for p, (pooling, pooled) in enumerate(zip(poolings, done.pooled, strict=True)):
            if s in (pooling.first, pooling.second):
                second = s == pooling.second
                residuals = pooled.residuals[-n:] if second else pooled.residuals[:n]
                columns.append(np.arange(starts[p], starts[p + 1]))
                terms.append((pooled.about, w * residuals, float(second)))
        for rows in row_blocks(n):
            x = cell.x[rows]
            parts = [
                (np.column_stack([x, np.full((len(x), len(about) - done.k), flag)]) - about) * multiplier[rows, None]
                for about, multiplier, flag in terms
            ]
            yield cell.rows[rows], np.concatenate(columns), np.hstack(parts)


def _score_source(
    sample: Sample, blocks: Iterable[_ScoreBlock], q: int, cov: Analytic, rule: SmallSample, cell_of: IntArray
) -> ScoreSource:
    """Source in which the samples of a cell are one block, as in a stacked estimation."""
    kept, column_cell = list(blocks), np.zeros(q, dtype=np.intp)
    widths = np.zeros(len(sample.y), dtype=np.intp)
    for rows, columns, _ in kept:
        widths[rows] = len(columns)
    pointers = np.concatenate([[0], np.cumsum(widths)])
    data, places = np.empty(pointers[-1]), np.empty(pointers[-1], dtype=np.int32)
    for rows, columns, scores in kept:
        at = pointers[rows, None] + np.arange(len(columns))
        data[at], places[at] = scores, columns
        column_cell[columns] = cell_of[sample.cells[rows[0]]]
    matrix = sparse.csr_array((data, places, pointers), shape=(len(sample.y), q))
    return ScoreSource(
        sample.source, matrix, column_cell, cell_of[sample.cells].astype(np.int32),
        tuple(Block("", nobs, 1) for nobs in _observations_of_cells(sample, cell_of)),
        sample.groupings, cov, rule, None, sample.repeats,
    )  # fmt: skip


def _observations_of_cells(sample: Sample, cell_of: IntArray) -> list[float]:
    """Observations of each cell."""
    row_cell = cell_of[sample.cells]
    return [sample.observations(np.flatnonzero(row_cell == cell)) for cell in range(int(cell_of.max()) + 1)]


def _degrees_by_column(source: ErrorSource) -> FloatArray:
    """Degrees of freedom of every column: those of its block."""
    if not isinstance(source, ScoreSource):
        return np.array([source.degrees(row) for row in np.eye(source.size)])
    df = [source.degrees((source.column_block == block).astype(float)) for block in range(len(source.blocks))]
    return np.array(df, dtype=float)[source.column_block]


def _lean_source(
    sample: Sample, blocks: Iterable[_ScoreBlock], q: int, cov: Analytic, rule: SmallSample, cell_of: IntArray
) -> StatedSource:
    """Covariance of the raw scores from their sums of products, without the scores themselves."""
    meat, column_cell = np.zeros((q, q)), np.zeros(q, dtype=np.intp)
    for rows, columns, scores in blocks:
        # a row of f equal observations adds f (s/f)(s/f)'
        each = scores if sample.repeats is None else scores / np.sqrt(sample.repeats[rows, None])
        meat[np.ix_(columns, columns)] += each.T @ each
        column_cell[columns] = cell_of[sample.cells[rows[0]]]
    nobs = np.array(_observations_of_cells(sample, cell_of))[column_cell]
    scale = np.sqrt([cov.factor(rule, n, 1, 0.0) for n in nobs])
    return StatedSource(sample.source, meat * np.outer(scale, scale), nobs - 1.0, f"{cov}, units not kept")


def _separated(sample: Sample, done: MeanSlopeFits, cov: Analytic, rule: SmallSample) -> MeanSlopeFits:
    """Take means and coefficients as uncorrelated, each sample's with the factor of its own regression or mean."""
    assert done.source is not None
    done.source.announce()
    covariance = done.matrix @ done.source.covariance() @ done.matrix.T
    convention: SmallSample = "none" if rule == "none" else "stata"
    is_mean, scale = np.zeros(len(covariance), dtype=bool), np.ones(len(covariance))
    for s, fit in enumerate(done.samples):
        is_mean[done.mean_at(s)] = True
        if not done.pooled:
            rows = np.flatnonzero(sample.cells == s)
            clusters = cov.units(sample.groupings) if cov.clusters else []
            clusters_less_one = min((cluster.degrees(rows) for cluster in clusters), default=0.0)
            for at, count in ((done.mean_at(s), 1), (done.coef_at(s), int(fit.kept.sum()))):
                scale[at] = cov.factor(convention, sample.observations(rows), count, clusters_less_one)
    covariance[np.ix_(is_mean, ~is_mean)] = 0.0
    covariance[np.ix_(~is_mean, is_mean)] = 0.0
    covariance *= np.sqrt(np.outer(scale, scale))
    # of a value, those of the first column that it is made of, as all are of one cell
    df = _degrees_by_column(done.source)[np.argmax(done.matrix != 0, axis=1)]
    phrase = f"{cov}, means apart from coefficients"
    source = StatedSource(done.source.origin, covariance, df, phrase, done.source.adjusts_wald)
    return replace(done, source=source, matrix=np.eye(len(covariance)))
