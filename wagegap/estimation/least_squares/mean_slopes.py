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

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg, sparse

from wagegap._typing import BoolArray, FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError
from wagegap.estimation.covariance.options import Analytic
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.resampling import solve_replicates, unpack_moments
from wagegap.estimation.covariance.sources import Block, ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.least_squares.moments import MeanSlopes, fit_mean_slopes, weighted_products
from wagegap.estimation.sample import Sample

__all__ = ["MeanSlopeFits", "Pooling", "fit_samples", "point_fits", "replicate_fits"]

_SCORES_AT_MOST = 30_000_000


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
        Keep the scores of every row; by itself where they are at most 30 million numbers.

    Raises
    ------
    CovarianceError
        When the covariance asked for needs units that are not kept, or classical variances of a pooled fit.
    """
    parts = [_Rows(sample, rows) for rows in sample.rows_by_cell()]
    done = _point(parts, poolings)
    if cov.model_based:
        return replace(done, source=_classical(sample, done.samples, done.pooled), matrix=np.eye(len(done.values)))
    _check_cov(cov)
    entries = sum(len(part.y) for part in parts) * 2 * done.k + sum(fit.n * len(fit.params) for fit in done.pooled)
    kept = entries <= _SCORES_AT_MOST if keep_units is None else keep_units
    own_rule: SmallSample = "none" if separate and not poolings else rule
    if kept or not cov.independent:
        source = _score_source(sample, _scores(sample, done, poolings), cov, own_rule)
        done = replace(done, source=source if keep_units is not False else _forgetting(source))
    else:
        done = replace(done, source=_lean_source(sample, parts, done, poolings, cov, own_rule))
    return _separated(sample, done, cov, rule) if separate else done


def point_fits(sample: Sample, poolings: Sequence[Pooling] = ()) -> MeanSlopeFits:
    """Fit every sample, and pooled pairs of them, without their uncertainty."""
    return _point([_Rows(sample, rows) for rows in sample.rows_by_cell()], poolings)


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
    moments = replicates.moments(frame.columns(sample), sample.cells)
    products = [unpack_moments(part) for part in moments]
    out = np.zeros((len(replicates), len(fits.values)))
    for s, (of_sample, fit) in enumerate(zip(products, fits.samples, strict=True)):
        out[:, fits.mean_at(s)] = frame.means(of_sample)
        out[:, fits.coef_at(s)] = frame.coefs(of_sample, fit.kept, sample.cell_names[s])
    for p, (pooling, fit) in enumerate(zip(poolings, fits.pooled, strict=True)):
        together = products[pooling.first] + products[pooling.second]
        extra = products[pooling.second][:, 0] if pooling.indicator else None
        out[:, fits.pooled_at(p)] = frame.coefs(together, fit.kept[: fits.k], "the pooled groups", extra)
    return out


def _point(parts: Sequence[_Rows], poolings: Sequence[Pooling]) -> MeanSlopeFits:
    k = parts[0].x.shape[1]
    fits = tuple(fit_mean_slopes(part.y, part.x, part.w) for part in parts)
    pooled = tuple(_fit_pooled(parts[pooling.first], parts[pooling.second], pooling) for pooling in poolings)
    values = np.concatenate(
        [np.concatenate([fit.mean, fit.params]) for fit in fits] + [fit.params[:k] for fit in pooled]
    )
    return MeanSlopeFits(fits, pooled, values, None, _breads(fits, pooled, k))


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
        n, k = sample.x.shape
        z = np.empty((n, k + 2))
        z[:, 0] = 1.0
        for j in range(k):
            z[:, 1 + j] = (sample.x[:, j] - self.about[j]) / self.scale[j]
        z[:, -1] = sample.y - self.about_y
        return z

    def means(self, products: FloatArray) -> FloatArray:
        """Means of x in every replicate, shape (R, k)."""
        shares = products[:, 0, 1:-1] / products[:, 0, :1]
        return self.about + self.scale * shares

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


class _Rows:
    """Arrays of one sample."""

    __slots__ = ("w", "x", "y")

    def __init__(self, sample: Sample, rows: IntArray) -> None:
        self.y, self.x = sample.y[rows], sample.x[rows]
        self.w = None if sample.weights is None else sample.weights[rows]


def _fit_pooled(first: _Rows, second: _Rows, pooling: Pooling) -> MeanSlopes:
    """Pooled fit of two samples, the rows of the first in front; the indicator is the last column."""
    n, k = first.x.shape
    y, x = np.concatenate([first.y, second.y]), np.zeros((n + len(second.x), k + pooling.indicator))
    x[:n, :k], x[n:, :k], x[n:, k:] = first.x, second.x, 1.0
    weights = None if first.w is None or second.w is None else np.concatenate([first.w, second.w])
    return fit_mean_slopes(y, x, weights)


def _check_cov(cov: Analytic) -> None:
    if cov.leverages or cov.adjusts_clusters:
        raise CovarianceError(
            f"cov={str(cov)!r} is defined for regressions; means and coefficients together have HC0, HC1, CR0, CR1, a "
            "survey's design, replicates or the bootstrap."
        )


def _classical(sample: Sample, fits: Sequence[MeanSlopes], pooled: Sequence[MeanSlopes]) -> StatedSource:
    """Covariance under equal error variances, means independent of coefficients."""
    if pooled:
        raise CovarianceError("cov='iid' does not relate a pooled fit to those of its samples: use 'HC1'.")
    # Var(m) = sum w (x - m)(x - m)' / W / (n - 1),   Var(b) = sum w e^2 / (n - k) (X'WX)^-1
    parts: list[FloatArray] = []
    for fit, rows in zip(fits, sample.rows_by_cell(), strict=True):
        n = sample.observations(rows)
        weights = 1.0 if sample.weights is None else sample.weights[rows]
        error_variance = float(np.sum(weights * fit.residuals**2)) / (n - fit.kept.sum())
        parts += [fit.centred / fit.total / (n - 1), error_variance * fit.bread]
    df = float(min(sample.observations(rows) for rows in sample.rows_by_cell())) - len(fits[0].params)
    return StatedSource(sample.source, linalg.block_diag(*parts), df, "classical, means random")


def _breads(fits: Sequence[MeanSlopes], pooled: Sequence[MeanSlopes], k: int) -> FloatArray:
    """Map from raw scores to values."""
    # IF(m) = w (x - m) / W,   IF(b) = (X'WX)^-1 w e x, written with x - about, whose sums lose no digits
    parts: list[FloatArray] = []
    for fit in fits:
        parts += [np.eye(k) / fit.total, fit.centred_bread]
    parts += [fit.centred_bread[:k] for fit in pooled]
    return np.asarray(linalg.block_diag(*parts))


def _scores(sample: Sample, done: MeanSlopeFits, poolings: Sequence[Pooling]) -> sparse.csr_array:
    """Raw scores of every row: w (x - m) and w e (x - about) of its sample, and the latter of its pooled fits."""
    # w (x - m), w e (x - about); rows of a sample touch its 2 k columns, and those of the pooled fits it is in
    n, k = sample.x.shape
    fits, pooled, rows = done.samples, done.pooled, sample.rows_by_cell()
    data = np.empty((n, 2 * k))
    for at, fit in zip(rows, fits, strict=True):
        x = sample.x[at]
        w = np.ones(len(at)) if sample.weights is None else sample.weights[at]
        data[at, :k] = (x - fit.mean) * w[:, None]
        data[at, k:] = (x - fit.about) * (w * fit.residuals)[:, None]
    places = sample.cells[:, None] * (2 * k) + np.arange(2 * k, dtype=np.int32)[None, :]
    pointers = np.arange(0, n * 2 * k + 1, 2 * k)
    parts = [sparse.csr_array((data.ravel(), places.ravel(), pointers), shape=(n, 2 * k * len(fits)))]
    for pooling, fit in zip(poolings, pooled, strict=True):
        at = np.concatenate([rows[pooling.first], rows[pooling.second]])
        w = np.ones(len(at)) if sample.weights is None else sample.weights[at]
        x = sample.x[at]
        if pooling.indicator:
            x = np.column_stack([x, np.arange(len(at)) >= len(rows[pooling.first])])
        width = x.shape[1]
        where = (np.repeat(at, width), np.tile(np.arange(width), len(at)))
        scores = (x - fit.about) * (w * fit.residuals)[:, None]
        part = sparse.coo_array((scores.ravel(), where), shape=(n, width))
        parts.append(sparse.csr_array(part))
    return sparse.csr_array(sparse.hstack(parts, format="csr")) if len(parts) > 1 else parts[0]


def _score_source(sample: Sample, scores: sparse.csr_array, cov: Analytic, rule: SmallSample) -> ScoreSource:
    """Source in which all samples are one block, as in a stacked estimation."""
    nobs = sample.observations(np.arange(len(sample.y)))
    block = Block("", nobs, 1)
    q = scores.shape[1]
    return ScoreSource(
        sample.source, scores, np.zeros(q, dtype=np.intp), np.zeros(len(sample.y), dtype=np.int32), (block,),
        sample.groupings, cov, rule, None, sample.repeats,
    )  # fmt: skip


def _forgetting(source: ScoreSource) -> StatedSource:
    """Keep the covariance of the scores and not the scores."""
    df = source.degrees(np.ones(source.size))
    return StatedSource(source.origin, source.covariance(), df, f"{source.describe()}, units not kept")


def _lean_source(
    sample: Sample,
    parts: Sequence[_Rows],
    done: MeanSlopeFits,
    poolings: Sequence[Pooling],
    cov: Analytic,
    rule: SmallSample,
) -> StatedSource:
    """Covariance of the raw scores from weighted products, without the scores themselves."""
    k, fits, pooled = done.k, done.samples, done.pooled
    starts = 2 * k * len(fits) + np.cumsum([0, *(len(fit.params) for fit in pooled)])
    meat = np.zeros((int(starts[-1]), int(starts[-1])))
    for s, (part, fit) in enumerate(zip(parts, fits, strict=True)):
        base = np.sqrt(part.w) if sample.repeats is not None and part.w is not None else part.w
        scores = [_Scores(base, 2 * k * s, _shift(fit.about - fit.mean)), _own_scores(base, fit, (2 * s + 1) * k)]
        for p, pooling in enumerate(poolings):
            if s in (pooling.first, pooling.second):
                scores.append(_pooled_scores(base, fit, pooled[p], int(starts[p]), second=pooling.second == s))
        raw = np.ones(len(part.y)) if base is None else base
        known = sample.repeats is not None or part.w is None
        _add_sample(meat, part.x, fit, scores, raw, products_known=known)
    nobs = sample.observations(np.arange(len(sample.y)))
    factor = cov.factor(rule, nobs, 1, 0.0)
    return StatedSource(sample.source, factor * meat, nobs - 1, f"{cov}, units not kept")


@dataclass(frozen=True, slots=True, eq=False)
class _Scores:
    """Scores c (L h) of a sample's rows, with h = (x - about, 1).

    Attributes
    ----------
    multiplier : ndarray, shape (n,), optional
        c: the weights, or weights times residuals; one where absent.
    start : int
        First of their places among all scores.
    matrix : ndarray, shape (q, k + 1)
        L.
    """

    multiplier: FloatArray | None
    start: int
    matrix: FloatArray

    @property
    def at(self) -> slice:
        """Their places among all scores."""
        return slice(self.start, self.start + len(self.matrix))


def _shift(by: FloatArray) -> FloatArray:
    """Matrix that adds to the columns."""
    return np.column_stack([np.eye(len(by)), by])


def _own_scores(base: FloatArray | None, fit: MeanSlopes, start: int) -> _Scores:
    residuals = fit.residuals if base is None else base * fit.residuals
    return _Scores(residuals, start, _shift(np.zeros(len(fit.mean))))


def _pooled_scores(
    base: FloatArray | None, fit: MeanSlopes, pooled: MeanSlopes, start: int, *, second: bool
) -> _Scores:
    """Scores of a pooled fit in the rows of one of its samples; the indicator there is one number throughout."""
    k, n = len(fit.mean), len(fit.residuals)
    residuals = pooled.residuals[-n:] if second else pooled.residuals[:n]
    matrix = _shift(fit.about - pooled.about[:k])
    if len(pooled.params) > k:
        last = np.zeros((1, k + 1))
        last[0, k] = float(second) - pooled.about[k]
        matrix = np.vstack([matrix, last])
    return _Scores(residuals if base is None else base * residuals, start, matrix)


def _add_sample(
    meat: FloatArray,
    x: FloatArray,
    fit: MeanSlopes,
    scores: Sequence[_Scores],
    raw: FloatArray,
    *,
    products_known: bool,
) -> None:
    """Add one sample's sums of products of scores: of its means, its own fit and the pooled fits it is in."""
    k = x.shape[1]
    # sum c_a c_b (L_a h)(L_b h)' = L_a [sum c_a c_b h h'] L_b',   h = (x - about, 1)
    known = {(0, 0): fit.centred + fit.total * np.outer(*[fit.mean - fit.about] * 2)} if products_known else {}
    products = weighted_products(x, [one.multiplier for one in scores], known, fit.about)
    multipliers = [raw if one.multiplier is None else one.multiplier for one in scores]
    for a, first in enumerate(scores):
        for b, second in enumerate(scores[a:], start=a):
            full = np.empty((k + 1, k + 1))
            full[:k, :k] = products[a, b]
            if fit.constant is None:
                product = multipliers[a] * multipliers[b]
                full[:k, k] = full[k, :k] = product @ x
                full[k, k] = product.sum()
            else:
                full[:k, k] = full[k, :k] = products[a, b][:, fit.constant]
                full[k, k] = products[a, b][fit.constant, fit.constant]
            block = first.matrix @ full @ second.matrix.T
            meat[first.at, second.at] += block
            if a != b:
                meat[second.at, first.at] += block.T


def _separated(sample: Sample, done: MeanSlopeFits, cov: Analytic, rule: SmallSample) -> MeanSlopeFits:
    """Take means and coefficients as uncorrelated, each sample's with the factor of its own regression or mean."""
    assert done.source is not None
    covariance = done.matrix @ done.source.covariance() @ done.matrix.T
    is_mean, scale = np.zeros(len(covariance), dtype=bool), np.ones(len(covariance))
    for s in range(len(done.samples)):
        is_mean[done.mean_at(s)] = True
        if not done.pooled:
            scale[done.mean_at(s)], scale[done.coef_at(s)] = _own_factors(sample, done, s, cov, rule)
    covariance[np.ix_(is_mean, ~is_mean)] = 0.0
    covariance[np.ix_(~is_mean, is_mean)] = 0.0
    covariance *= np.sqrt(np.outer(scale, scale))
    df = done.source.degrees(np.ones(done.source.size))
    phrase = f"{cov}, means apart from coefficients"
    source = StatedSource(done.source.origin, covariance, df, phrase)
    return replace(done, source=source, matrix=np.eye(len(covariance)))


def _own_factors(sample: Sample, done: MeanSlopeFits, s: int, cov: Analytic, rule: SmallSample) -> tuple[float, float]:
    """Small-sample factors of the means and of the coefficients of one sample."""
    rows = np.flatnonzero(sample.cells == s)
    n, k = sample.observations(rows), int(done.samples[s].kept.sum())
    clusters = cov.units(sample.groupings) if cov.clusters else []
    clusters_less_one = min((cluster.degrees(rows) for cluster in clusters), default=0.0)
    convention: SmallSample = "none" if rule == "none" else "stata"
    return cov.factor(convention, n, 1, clusters_less_one), cov.factor(convention, n, k, clusters_less_one)
