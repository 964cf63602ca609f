"""Regressions of recentred influence functions: coefficients, influence, and bootstrap, many statistics at once.

The coefficients of a RIF regression are b = (X'WX)^-1 X'W RIF(y). The RIF of a quantile is a step function of y, so
X'W RIF for any number of quantiles follows from sums of x over the segments of y between them, and no matrix of rows by
quantiles is ever formed. The RIF itself is estimated: how b moves with the quantiles, densities and means in it, and
how these move with the data, enters the influence of every row on b.

In a bootstrap quantiles and densities are estimated again in every replicate. Rows are sorted once and cut into a few
thousand narrow cells; a replicate's weight in each cell locates its quantiles and gives its density, and only the cells
that hold a quantile are looked at row by row.

References
----------
Firpo, S., N. Fortin and T. Lemieux (2009). Unconditional quantile regressions. Econometrica 77, 953-973.
Firpo, S., N. Fortin and T. Lemieux (2018). Decomposing wage distributions using recentered influence function
regressions. Econometrics 6(2), 28.
Rios-Avila, F. (2020). Recentered influence functions (RIFs) in Stata: RIF regression and RIF decomposition. Stata
Journal 20, 51-94.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.decomposition.distributions.statistics import (
    DensityRule,
    Distribution,
    Function,
    Recentred,
    Statistic,
    Step,
    bandwidth,
    density_at,
    distribution,
    quantile,
)
from wagegap.errors import DataError
from wagegap.estimation.covariance.resampling import (
    GivenWeights,
    replicate_moments,
    solve_replicates,
    unpack_moments,
)
from wagegap.estimation.least_squares.moments import MeanSlopes, fit_mean_slopes, row_blocks

__all__ = ["RifFit", "RifReplicates", "classical_covariance", "fit_rif", "replicate_rif", "rif_covariance"]

_CELLS = 2_048
_ROWS = 4_096
_FAMILIES = ("quantile", "interquantile_range", "interquantile_ratio")


@dataclass(frozen=True, slots=True, eq=False)
class RifFit:
    """RIF regressions of one sample.

    Attributes
    ----------
    recentred : tuple of Recentred, length m
        The statistics.
    slopes : MeanSlopes
        Means and cross-products of the regressors.
    params : ndarray, shape (m, k)
        Coefficients, a row for each statistic.
    """

    recentred: tuple[Recentred, ...]
    slopes: MeanSlopes
    params: FloatArray

    @property
    def values(self) -> FloatArray:
        """The statistics, shape (m,)."""
        return np.array([one.value for one in self.recentred])

    @property
    def base(self) -> FloatArray:
        """Means of the regressors, then the coefficients of every statistic: shape ((1 + m) k,)."""
        return np.concatenate([self.slopes.mean, self.params.ravel()])

    def influence(
        self, y: FloatArray, x: FloatArray, weights: FloatArray | None = None, *, estimated: bool = True
    ) -> Iterator[tuple[slice, FloatArray]]:
        """Yield the influence of blocks of rows on means and coefficients.

        Parameters
        ----------
        y, x, weights
            The sample that was fitted.
        estimated : bool
            Count the quantiles, densities and means in the RIF as estimated; else the RIF is taken as known, as a
            regression of it by other software does.

        Yields
        ------
        rows : slice
        influence : ndarray, shape (b, (1 + m) k)
            In the order of `base`. The cross-product of all rows is the heteroskedasticity-robust covariance (HC0).
        """
        second = _second_order(self, y, x, weights) if estimated else None
        k, total = x.shape[1], self.slopes.total
        for rows in row_blocks(len(y)):
            v, z = y[rows], x[rows]
            w = np.ones(len(v)) if weights is None else weights[rows]
            out = np.empty((len(v), 1 + len(self.params), k))
            np.multiply((w / total)[:, None], z - self.slopes.mean, out=out[:, 0])
            residuals = np.column_stack([one.rif(v) for one in self.recentred]) - z @ self.params.T
            np.multiply((w[:, None] * residuals)[:, :, None], (z @ self.slopes.bread)[:, None, :], out=out[:, 1:])
            if second is not None:
                out[:, 1:] += (w / total)[:, None, None] * second.at(rows, v)
            yield rows, out.reshape(len(v), -1)


def fit_rif(
    y: FloatArray,
    x: FloatArray,
    recentred: Sequence[Recentred],
    weights: FloatArray | None = None,
) -> RifFit:
    """Regress the RIF of every statistic on the columns of x.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors.
    recentred : sequence of Recentred
        Statistics of y under the same weights.
    weights : ndarray, shape (n,), optional
        Weights.

    Returns
    -------
    RifFit

    Examples
    --------
    >>> from wagegap.decomposition.distributions.statistics import DENSITY_RULES, distribution, parse_statistics
    >>> y, x = np.array([1.0, 2.0, 4.0, 5.0]), np.column_stack([np.ones(4), [0.0, 0, 1, 1]])
    >>> (variance,) = parse_statistics("variance")
    >>> fit_rif(y, x, [variance.build(distribution(y), DENSITY_RULES["r"])]).params
    array([[2.5, 0. ]])
    """
    slopes = fit_mean_slopes(y, x, weights)
    sums = _rif_sums(y, x, recentred, weights, slopes.total * slopes.mean)
    params = sums @ slopes.bread
    products = slopes.centred + slopes.total * np.outer(slopes.mean, slopes.mean)
    params = params + (sums - params @ products) @ slopes.bread
    return RifFit(tuple(recentred), slopes, params)


def _rif_sums(
    y: FloatArray, x: FloatArray, recentred: Sequence[Recentred], weights: FloatArray | None, ones: FloatArray
) -> FloatArray:
    """X'W RIF of every statistic, shape (m, k): segment sums for the jumps, a product for what is continuous."""
    steps = [step for one in recentred for step in one.steps]
    below = _sums_below(y, x, steps, weights)
    out = np.zeros((len(recentred), x.shape[1]))
    for row, one in zip(out, recentred, strict=True):
        row += one.base * ones
        for step in one.steps:
            row += step.height * below[step.point, step.ties]
        if one.smooth is not None or one.least is not None:
            rest = one.continuous(y)
            row += (rest if weights is None else weights * rest) @ x
    return out


def _sums_below(
    y: FloatArray, x: FloatArray, steps: Sequence[Step], weights: FloatArray | None
) -> dict[tuple[float, str], FloatArray]:
    """Sum of w x over the rows below each point, from one pass over the rows."""
    found: dict[tuple[float, str], FloatArray] = {}
    for ties in dict.fromkeys(step.ties for step in steps):
        points = np.unique([step.point for step in steps if step.ties == ties])
        segment = np.searchsorted(points, y, side="left" if ties == "below" else "right")
        sums = np.empty((len(points) + 1, x.shape[1]))
        for j in range(x.shape[1]):
            column = x[:, j] if weights is None else weights * x[:, j]
            sums[:, j] = np.bincount(segment, column, len(points) + 1)
        running = np.cumsum(sums, axis=0)
        found.update({(float(point), ties): running[i] for i, point in enumerate(points)})
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _SecondOrder:
    """Influence of a row on the coefficients through the quantities that the RIF holds.

    Attributes
    ----------
    nuisances : tuple of callable
        Influence of a value on the quantities of each statistic: from (b,) to (b, r_j).
    centre : ndarray, shape (sum r_j,)
        Means of these.
    directions : ndarray, shape (sum r_j, m k)
        Derivatives of the coefficients in the quantities.
    lesser : tuple of (int, ndarray of shape (n, k))
        What the mean of the lesser of two values adds to the coefficients of a statistic.
    shape : (int, int)
        m and k.
    """

    nuisances: tuple[Function, ...]
    centre: FloatArray
    directions: FloatArray
    lesser: tuple[tuple[int, FloatArray], ...]
    shape: tuple[int, int]

    def at(self, rows: slice, y: FloatArray) -> FloatArray:
        """Influence of a block of rows, shape (b, m, k)."""
        moved = np.column_stack([np.zeros((len(y), 0)), *(one(y) for one in self.nuisances)]) - self.centre
        out = (moved @ self.directions).reshape(len(y), *self.shape)
        for j, part in self.lesser:
            out[:, j] += part[rows]
        return out


def _second_order(fit: RifFit, y: FloatArray, x: FloatArray, weights: FloatArray | None) -> _SecondOrder:
    bread, shape = fit.slopes.bread, fit.params.shape
    smooth = [(j, one) for j, one in enumerate(fit.recentred) if one.nuisance is not None and one.slopes is not None]
    nuisances = tuple(one.nuisance for _, one in smooth if one.nuisance is not None)
    sums, moved = np.zeros((0, shape[1])), np.zeros(0)
    for rows in row_blocks(len(y)):
        w = np.ones(len(y[rows])) if weights is None else weights[rows]
        slopes = np.column_stack([np.zeros((len(w), 0)), *(one.slopes(y[rows]) for _, one in smooth if one.slopes)])
        values = np.column_stack([np.zeros((len(w), 0)), *(one(y[rows]) for one in nuisances)])
        part = slopes.T @ (w[:, None] * x[rows])
        sums, moved = (part, w @ values) if not len(moved) else (sums + part, moved + w @ values)
    owner = [j for j, one in smooth for _ in range(one.slopes(y[:1]).shape[1] if one.slopes else 0)]
    directions = np.zeros((len(owner), *shape))
    directions[np.arange(len(owner)), owner] = sums @ bread
    lesser = tuple(
        (j, one.minimum * _pairs_of_lesser(y, x, weights) @ bread) for j, one in enumerate(fit.recentred) if one.minimum
    )
    centred = tuple(
        (j, part - (part.mean(axis=0) if weights is None else weights @ part / fit.slopes.total)) for j, part in lesser
    )
    return _SecondOrder(
        nuisances, moved / fit.slopes.total, directions.reshape(len(owner), shape[0] * shape[1]), centred, shape
    )


def _pairs_of_lesser(y: FloatArray, x: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Sum over j of w_j x_j min(y_j, y_i), shape (n, k), by running sums in the order of y."""
    order = np.argsort(y, kind="stable")
    wx = x[order] if weights is None else x[order] * weights[order, None]
    sorted_y = y[order, None]
    out = np.empty_like(wx)
    out[order] = np.cumsum(wx * sorted_y, axis=0) + sorted_y * (wx.sum(axis=0) - np.cumsum(wx, axis=0))
    return out


def rif_covariance(
    fit: RifFit,
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    *,
    repeats: FloatArray | None = None,
    estimated: bool = True,
) -> FloatArray:
    """Return the robust covariance (HC0) of means and coefficients, shape (q, q), without keeping rows.

    Parameters
    ----------
    fit, y, x, weights, estimated
        As in `RifFit.influence`.
    repeats : ndarray, shape (n,), optional
        Observations that each row stands for, under frequency weights.
    """
    out = np.zeros((fit.base.size, fit.base.size))
    for rows, block in fit.influence(y, x, weights, estimated=estimated):
        part = block if repeats is None else block / np.sqrt(repeats[rows])[:, None]
        out += part.T @ part
    return out


def classical_covariance(
    fit: RifFit, y: FloatArray, x: FloatArray, weights: FloatArray | None = None, *, nobs: float | None = None
) -> FloatArray:
    """Return the covariance under equal error variances, the RIF known and means independent of coefficients.

    Parameters
    ----------
    fit, y, x, weights
        As in `RifFit.influence`.
    nobs : float, optional
        Observations behind the rows; their number where absent.

    Returns
    -------
    ndarray, shape ((1 + m) k, (1 + m) k)
        Means first, S / n with n - 1 inside; then (X'WX)^-1 times the residuals' covariances, with n - k.
    """
    n, k = float(len(y)) if nobs is None else nobs, x.shape[1]
    squares = np.zeros((len(fit.params), len(fit.params)))
    for rows in row_blocks(len(y)):
        residuals = np.column_stack([one.rif(y[rows]) for one in fit.recentred]) - x[rows] @ fit.params.T
        squares += residuals.T @ (residuals if weights is None else weights[rows, None] * residuals)
    out = np.zeros((fit.base.size, fit.base.size))
    out[:k, :k] = fit.slopes.centred / fit.slopes.total / (n - 1)
    out[k:, k:] = np.kron(squares / (n - int(fit.slopes.kept.sum())), fit.slopes.bread)
    return out


# replicates ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class RifReplicates:
    """RIF regressions under every replicate.

    Attributes
    ----------
    means : ndarray, shape (R, k)
        Means of the regressors.
    params : ndarray, shape (R, m, k)
        Coefficients.
    """

    means: FloatArray
    params: FloatArray


def replicate_rif(
    sample: Distribution,
    x: FloatArray,
    statistics: Sequence[Statistic],
    multipliers: AnyArray,
    *,
    rule: DensityRule,
    weights: FloatArray | None = None,
) -> RifReplicates:
    """Fit the RIF regressions again under every replicate, quantiles and densities included.

    Parameters
    ----------
    sample : Distribution
        Outcome of the full sample, in order.
    x : ndarray, shape (n, k)
        Regressors, in the order of the sample.
    statistics : sequence of Statistic
        What is estimated.
    multipliers : ndarray, shape (R, n)
        Draws of each row, or other multipliers of its weight, in any numeric type, in that order.
    rule : DensityRule
        Convention of quantiles and densities.
    weights : ndarray, shape (R, n), optional
        Weights that are multiplied, where they differ by replicate; else those of the sample.

    Returns
    -------
    RifReplicates

    Raises
    ------
    DataError
        When a density is zero in some replicate.
    CovarianceError
        When the regressors are collinear in some replicate.

    Notes
    -----
    Densities of replicates put the weight of each of 2,048 cells at its mean; what that changes in the full sample is
    taken out of every replicate.
    """
    own = weights if weights is not None else sample.weights if sample.is_weighted else None
    draws = _Draws(multipliers, own, sample.counts)
    fast = [one for one in statistics if one.family in _FAMILIES]
    slow = [one for one in statistics if one.family not in _FAMILIES]
    moments = _replicate_moments(x, draws, collect=bool(fast))
    found = _quantiles(sample, x, fast, draws, moments, rule) if fast else None
    below = np.zeros((len(multipliers), 0, x.shape[1])) if found is None else found.below
    others = _slow_sums(sample, x, slow, draws, moments, rule)
    right = np.concatenate([moments.ones[:, None], below, others], axis=1)
    solved = solve_replicates(moments.xx, right.transpose(0, 2, 1)).transpose(0, 2, 1)
    params = np.empty((len(multipliers), len(statistics), x.shape[1]))
    for j, one in enumerate(statistics):
        if found is not None and one.family in _FAMILIES:
            params[:, j] = found.combine(one, solved[:, 0], solved[:, 1:])
        else:
            params[:, j] = solved[:, 1 + below.shape[1] + slow.index(one)]
    return RifReplicates(moments.ones / moments.total[:, None], params)


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """Multipliers with the weights they multiply."""

    multipliers: AnyArray
    weights: FloatArray | None
    counts: FloatArray | None

    def counted(self, rows: slice) -> FloatArray:
        """Observations behind some rows in every replicate, shape (R, b)."""
        drawn = self.multipliers[:, rows].astype(np.float64)
        return drawn if self.counts is None else drawn * self.counts[rows]

    def weighted(self, rows: slice) -> FloatArray:
        """Weights of some rows in every replicate, shape (R, b)."""
        if self.weights is None:
            return self.counted(rows)
        own = self.weights[rows] if self.weights.ndim == 1 else self.weights[:, rows]
        return np.asarray(self.multipliers[:, rows] * own)

    def counted_pairs(self, reps: IntArray, rows: IntArray) -> FloatArray:
        """Observations behind some rows of some replicates, pair by pair: (P, 1) and (P, b) to (P, b)."""
        drawn = self.multipliers[reps, rows].astype(np.float64)
        return drawn if self.counts is None else drawn * self.counts[rows]

    def weighted_pairs(self, reps: IntArray, rows: IntArray) -> FloatArray:
        """Weights of some rows of some replicates, pair by pair."""
        if self.weights is None:
            return self.counted_pairs(reps, rows)
        own = self.weights[rows] if self.weights.ndim == 1 else self.weights[reps, rows]
        return np.asarray(self.multipliers[reps, rows] * own)


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Cross-products of every replicate, and what lies in narrow cells of the sorted outcome.

    Attributes
    ----------
    xx : ndarray, shape (R, k, k)
        X'WX.
    ones : ndarray, shape (R, k)
        X'W1.
    width : int
        Rows of a cell (the last may have fewer).
    weight, count : ndarray, shape (R, G)
        Weight and observations in each cell.
    sums : ndarray, shape (G, R, k)
        Sum of w x in each cell.
    """

    xx: FloatArray
    ones: FloatArray
    width: int
    weight: FloatArray
    count: FloatArray
    sums: FloatArray

    @property
    def total(self) -> FloatArray:
        """Sum of the weights, shape (R,)."""
        return np.asarray(self.weight.sum(axis=1))

    @property
    def observations(self) -> FloatArray:
        """Sum of the observations, shape (R,)."""
        return np.asarray(self.count.sum(axis=1))


def _replicate_moments(x: FloatArray, draws: _Draws, *, collect: bool) -> _Moments:
    """One pass over the rows, in blocks of whole cells."""
    (reps, n), k = draws.multipliers.shape, x.shape[1]
    width = -(-n // _CELLS)
    cells, step = -(-n // width), max(_ROWS // width, 1) * width
    packed, ones = np.zeros((reps, k * (k + 1) // 2)), np.zeros((reps, k))
    weight, count = np.zeros((reps, cells)), np.zeros((reps, cells))
    sums = np.zeros((cells if collect else 0, reps, k))
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        w, z = draws.weighted(rows), x[rows]
        packed += replicate_moments(z, GivenWeights(w.T))
        ones += w @ z
        edges = np.arange(0, len(z), width)
        at = slice(start // width, start // width + len(edges))
        weight[:, at] = np.add.reduceat(w, edges, axis=1)
        if draws.weights is not None:
            count[:, at] = np.add.reduceat(draws.counted(rows), edges, axis=1)
        if collect:
            _cell_sums(w, z, width, sums[at])
    return _Moments(unpack_moments(packed), ones, width, weight, weight if draws.weights is None else count, sums)


def _cell_sums(w: FloatArray, z: FloatArray, width: int, out: FloatArray) -> None:
    """Sum of w z in each cell of a block, for every replicate: into (g, R, k)."""
    full = len(z) // width
    cut = full * width
    if full:
        blocks = w[:, :cut].reshape(len(w), full, width).transpose(1, 0, 2)
        np.matmul(blocks, z[:cut].reshape(full, width, -1), out=out[:full])
    if full < len(out):
        out[full] = w[:, cut:] @ z[cut:]


@dataclass(frozen=True, slots=True, eq=False)
class _Quantiles:
    """Quantiles and densities of every replicate.

    Attributes
    ----------
    probs : tuple of float
        Probabilities.
    points, densities : ndarray, shape (R, Q)
        Quantiles and densities there.
    below : ndarray, shape (R, Q, k)
        Sum of w x below each quantile.
    """

    probs: tuple[float, ...]
    points: FloatArray
    densities: FloatArray
    below: FloatArray

    def combine(self, one: Statistic, constant: FloatArray, slopes: FloatArray) -> FloatArray:
        """Coefficients of a statistic from those of the constant one and of the indicators, shape (R, k)."""
        fits = [self._fit(p, constant, slopes) for p in one.probs]
        if one.family == "quantile":
            return fits[0][1]
        (low, low_fit), (high, high_fit) = fits
        if one.family == "interquantile_range":
            return high_fit - low_fit
        return high / low * constant + (high_fit - high * constant) / low - high / low**2 * (low_fit - low * constant)

    def _fit(self, prob: float, constant: FloatArray, slopes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Quantile, (R, 1), and coefficients of its RIF."""
        j = self.probs.index(prob)
        point, f = self.points[:, j, None], self.densities[:, j, None]
        return point, (point + prob / f) * constant - slopes[:, j] / f


def _quantiles(
    sample: Distribution,
    x: FloatArray,
    statistics: Sequence[Statistic],
    draws: _Draws,
    moments: _Moments,
    rule: DensityRule,
) -> _Quantiles:
    probs = tuple(dict.fromkeys(p for one in statistics for p in one.probs))
    points = _locate(sample.y, draws.weighted_pairs, moments.weight, moments, probs, rule)
    widths = _bandwidths(sample, draws, moments, rule)
    densities = _densities(sample, moments, points, widths, probs, rule)
    return _Quantiles(probs, points, densities, _sums_below_points(sample.y, x, draws, moments, points, rule))


def _locate(
    y: FloatArray,
    pairs: Callable[[IntArray, IntArray], FloatArray],
    weight: FloatArray,
    moments: _Moments,
    probs: Sequence[float],
    rule: DensityRule,
) -> FloatArray:
    """Quantiles of every replicate, shape (R, Q), by the convention; `weight` is what lies in the cells."""
    observations = moments.observations[:, None]
    scale = weight.sum(axis=1, keepdims=True) / observations
    slack = 1e-12 * observations
    p = np.asarray(probs)
    if rule.quantile == "hmisc":
        position = 1 + (observations - 1) * p
        low = np.maximum(np.floor(position + slack), 1.0)
        share = np.maximum(position - low, 0.0)
        high = np.minimum(low + 1, observations)
        wanted = np.concatenate([low - slack, high - slack], axis=1)
    else:
        share = np.full((len(observations), len(p)), 0.5)
        wanted = np.concatenate([observations * p - slack, observations * p + slack], axis=1)
    value = y[_rows_at(wanted * scale, pairs, weight, moments.width, len(y))]
    first, second = value[:, : len(p)], value[:, len(p) :]
    return np.where(first == second, first, (1 - share) * first + share * second)


def _rows_at(
    wanted: FloatArray,
    pairs: Callable[[IntArray, IntArray], FloatArray],
    weight: FloatArray,
    width: int,
    n: int,
) -> IntArray:
    """First row at which the running weight reaches each number, shape (R, T)."""
    running = np.cumsum(weight, axis=1)
    cells = np.array([np.searchsorted(own, goal) for own, goal in zip(running, wanted, strict=True)])
    cells = np.minimum(cells, weight.shape[1] - 1)
    before = np.take_along_axis(running - weight, cells, axis=1)
    out = np.empty(wanted.shape, dtype=np.intp)
    reps = np.arange(len(wanted))[:, None]
    for t in range(wanted.shape[1]):
        rows = cells[:, t, None] * width + np.arange(width)
        own = pairs(reps, np.minimum(rows, n - 1)) * (rows < n)
        short = (before[:, t, None] + np.cumsum(own, axis=1) < wanted[:, t, None]).sum(axis=1)
        out[:, t] = np.minimum(cells[:, t] * width + np.minimum(short, width - 1), n - 1)
    return out


def _bandwidths(sample: Distribution, draws: _Draws, moments: _Moments, rule: DensityRule) -> FloatArray:
    """Rule of thumb in every replicate, shape (R,); the spread within cells is that of the full sample."""
    observations = moments.observations
    if rule.bandwidth is not None:
        return np.full(len(observations), rule.bandwidth)
    weight = moments.weight if rule.weighted_bandwidth else moments.count
    pairs = draws.weighted_pairs if rule.weighted_bandwidth else draws.counted_pairs
    low, high = _locate(sample.y, pairs, weight, moments, (0.25, 0.75), rule).T
    origin = float(sample.y.mean())
    first, second = (_cell_means((sample.y - origin) ** power, moments.width) for power in (1, 2))
    total = weight.sum(axis=1)
    variance = np.maximum(weight @ second / total - (weight @ first / total) ** 2, 0.0)
    spread = np.sqrt(variance * observations / np.maximum(observations - 1, 1))
    inner = (high - low) / rule.iqr_divisor
    return np.asarray(0.9 * np.where(inner > 0, np.minimum(spread, inner), spread) * observations**-0.2)


def _cell_means(values: FloatArray, width: int) -> FloatArray:
    edges = np.arange(0, len(values), width)
    return np.asarray(np.add.reduceat(values, edges) / np.diff(edges, append=len(values)))


def _densities(
    sample: Distribution,
    moments: _Moments,
    points: FloatArray,
    widths: FloatArray,
    probs: Sequence[float],
    rule: DensityRule,
) -> FloatArray:
    """Densities at the quantiles of every replicate, shape (R, Q)."""
    centre, h = _cell_means(sample.y, moments.width), bandwidth(sample, rule)
    whole = np.add.reduceat(sample.weights, np.arange(0, len(sample.y), moments.width)) / sample.total
    share = moments.weight / moments.total[:, None]
    out = np.empty_like(points)
    for j, p in enumerate(probs):
        point = quantile(sample, p, rule.quantile)
        rough = float(whole @ rule.shape((point - centre) / h)) / h
        factor = density_at(sample, point, rule, h) / rough if rough > 0 else 1.0
        shape = rule.shape((points[:, j, None] - centre) / widths[:, None])
        out[:, j] = factor * np.einsum("rg,rg->r", share, shape) / widths
    sound = out > 1e-12 / widths[:, None]
    if not sound.all():
        r, j = np.argwhere(~sound)[0]
        raise DataError(
            f"the density at the quantile {probs[j]:g} is zero in replicate {r + 1} of {len(out)}: give a larger "
            "bandwidth, or another probability."
        )
    return out


def _sums_below_points(
    y: FloatArray, x: FloatArray, draws: _Draws, moments: _Moments, points: FloatArray, rule: DensityRule
) -> FloatArray:
    """Sum of w x over the rows below each quantile, shape (R, Q, k): whole cells, then rows of the cell it lies in."""
    ends = np.searchsorted(y, points, side="right" if rule.ties == "below" else "left")
    cells, rest = np.divmod(ends, moments.width)
    running = np.concatenate([np.zeros((1, *moments.sums.shape[1:])), np.cumsum(moments.sums, axis=0)])
    out = running[np.minimum(cells, len(moments.sums)), np.arange(len(points))[:, None]]
    for cell in np.unique(cells[rest > 0]):
        r, q = np.nonzero((cells == cell) & (rest > 0))
        rows = np.arange(cell * moments.width, min((cell + 1) * moments.width, len(y)))
        own = draws.weighted_pairs(r[:, None], rows[None, :]) * (rows < ends[r, q][:, None])
        out[r, q] += own @ x[rows]
    return np.asarray(out)


def _slow_sums(
    sample: Distribution,
    x: FloatArray,
    statistics: Sequence[Statistic],
    draws: _Draws,
    moments: _Moments,
    rule: DensityRule,
) -> FloatArray:
    """X'W RIF of statistics other than quantiles, replicate by replicate, shape (R, m, k)."""
    reps = len(draws.multipliers)
    out = np.zeros((reps, len(statistics), x.shape[1]))
    for r in range(reps if statistics else 0):
        one = replace(draws, multipliers=draws.multipliers[r : r + 1])
        if draws.weights is not None and draws.weights.ndim == 2:
            one = replace(one, weights=draws.weights[r])
        w, counted = one.weighted(slice(None))[0], one.counted(slice(None))[0]
        drawn = distribution(sample.y, None if draws.weights is None else w, counted)
        found = [statistic.build(drawn, rule) for statistic in statistics]
        out[r] = _rif_sums(sample.y, x, found, w, moments.ones[r])
    return out
