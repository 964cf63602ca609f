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
from dataclasses import dataclass

import numpy as np

from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.decomposition.distributions.statistics import (
    DensityRule,
    Distribution,
    Recentred,
    Statistic,
    Step,
    bandwidth,
    density_at,
    distribution,
    quantile,
    quantile_targets,
    recentres,
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
_EVERY = slice(None)
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
        weights = np.ones(len(y)) if weights is None else weights
        second = _second_order(self, y, x, weights) if estimated else None
        k, total = x.shape[1], self.slopes.total
        # IF_m(i) = w_i (x_i - m) / W and IF_b(i) = (X'WX)^-1 x_i w_i (RIF(y_i) - x_i'b) + w_i second order / W
        for rows in row_blocks(len(y)):
            v, z, w = y[rows], x[rows], weights[rows]
            out = np.empty((len(v), 1 + len(self.params), k))
            np.multiply((w / total)[:, None], z - self.slopes.mean, out=out[:, 0])
            residuals = np.column_stack([one.rif(v) for one in self.recentred]) - z @ self.params.T
            np.multiply((w[:, None] * residuals)[:, :, None], (z @ self.slopes.bread)[:, None, :], out=out[:, 1:])
            if second is not None:
                out[:, 1:] += (w / total)[:, None, None] * second(rows)
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
    # b = (X'WX)^-1 X'W RIF, refined once by its residual X'W (RIF - X b)
    params = sums @ slopes.bread
    products = slopes.centred + slopes.total * np.outer(slopes.mean, slopes.mean)
    params = params + (sums - params @ products) @ slopes.bread
    return RifFit(tuple(recentred), slopes, params)


def _rif_sums(
    y: FloatArray, x: FloatArray, recentred: Sequence[Recentred], weights: FloatArray | None, ones: FloatArray
) -> FloatArray:
    """X'W RIF of every statistic, shape (m, k); `ones` is X'W1."""
    # X'W RIF = base X'W1 + sum over steps of height sum_{y_i < point} w_i x_i + X'W smooth(y)
    below = _sums_below(y, x, [step for one in recentred for step in one.steps], weights)
    out = np.zeros((len(recentred), x.shape[1]))
    for row, one in zip(out, recentred, strict=True):
        row += one.base * ones
        for step in one.steps:
            row += step.height * below[step.point, step.ties]
        if one.smooth is not None:
            continuous = one.smooth(y)
            row += (continuous if weights is None else weights * continuous) @ x
    return out


def _sums_below(
    y: FloatArray, x: FloatArray, steps: Sequence[Step], weights: FloatArray | None
) -> dict[tuple[float, str], FloatArray]:
    """Sum of w x over the rows below each point, by running sums over the segments between points."""
    below: dict[tuple[float, str], FloatArray] = {}
    for ties in dict.fromkeys(step.ties for step in steps):
        points = np.unique([step.point for step in steps if step.ties == ties])
        segment = np.searchsorted(points, y, side="left" if ties == "below" else "right")
        columns = (column if weights is None else weights * column for column in x.T)
        sums = np.column_stack([np.bincount(segment, column, len(points) + 1) for column in columns])
        below.update(
            {(float(point), ties): row for point, row in zip(points, np.cumsum(sums[:-1], axis=0), strict=True)}
        )
    return below


def _second_order(fit: RifFit, y: FloatArray, x: FloatArray, weights: FloatArray) -> Callable[[slice], FloatArray]:
    """Influence of rows on the coefficients through the quantities that the RIF holds: from a block to (b, m, k)."""
    # A quantity t in RIF_j moves b_j by D_t = (X'WX)^-1 X'W dRIF_j / dt, and a row moves t by IF_t(y_i):
    # second(i) = sum_t D_t (IF_t(y_i) - mean of IF_t)
    m, k = fit.params.shape
    owner = np.repeat(np.arange(m), [one.nuisance(y[:1]).shape[1] for one in fit.recentred])
    sums, centre = np.zeros((len(owner), k)), np.zeros(len(owner))
    for rows in row_blocks(len(y)):
        sums += np.hstack([one.slopes(y[rows]) for one in fit.recentred]).T @ (weights[rows, None] * x[rows])
        centre += weights[rows] @ np.hstack([one.nuisance(y[rows]) for one in fit.recentred])
    directions = np.zeros((len(owner), m, k))
    directions[np.arange(len(owner)), owner] = sums @ fit.slopes.bread
    lesser = {}
    for j, one in enumerate(fit.recentred):
        if one.minimum:
            part = one.minimum * _pairs_of_lesser(y, x, weights) @ fit.slopes.bread
            lesser[j] = part - weights @ part / fit.slopes.total

    def second(rows: slice) -> FloatArray:
        moved = np.hstack([one.nuisance(y[rows]) for one in fit.recentred]) - centre / fit.slopes.total
        out = (moved @ directions.reshape(len(owner), m * k)).reshape(len(moved), m, k)
        for j, part in lesser.items():
            out[:, j] += part[rows]
        return out

    return second


def _pairs_of_lesser(y: FloatArray, x: FloatArray, weights: FloatArray) -> FloatArray:
    """Sum over j of w_j x_j min(y_j, y_i), shape (n, k)."""
    # in the order of y: sum_{j <= i} w_j x_j y_j + y_i sum_{j > i} w_j x_j
    order = np.argsort(y, kind="stable")
    wx, sorted_y = x[order] * weights[order, None], y[order, None]
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
    # V_m = S / (n - 1) and V_b = E'WE / (n - k) x (X'WX)^-1, E the residuals of all statistics
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
    in_sample = sample.weights if sample.is_weighted else None
    draws = _Draws(multipliers, in_sample if weights is None else weights, sample.counts)
    fast = [one for one in statistics if one.family in _FAMILIES]
    slow = [one for one in statistics if one.family not in _FAMILIES]
    probs = tuple(dict.fromkeys(p for one in fast for p in one.probs))
    moments = _replicate_moments(x, draws, collect=bool(fast))
    points, densities, below = _replicate_quantiles(sample, x, draws, moments, probs, rule)
    right = np.concatenate([moments.ones[:, None], below, _slow_sums(sample, x, slow, draws, moments, rule)], axis=1)
    solved = solve_replicates(moments.xx, right.transpose(0, 2, 1)).transpose(0, 2, 1)
    # RIF_q = (q + p / f) 1 - 1{y <= q} / f, whose coefficients are those of 1 and of the indicator combined alike;
    # with F(q) in the place of p at mass points
    constant, indicators = solved[:, 0], solved[:, 1 : 1 + len(probs)]
    lifted = (points + _centres(sample, draws, moments, points, probs, rule) / densities)[:, :, None]
    quantiles = lifted * constant[:, None] - indicators / densities[:, :, None]
    params = np.empty((len(multipliers), len(statistics), x.shape[1]))
    for j, one in enumerate(statistics):
        if one.family in _FAMILIES:
            at = [probs.index(p) for p in one.probs]
            params[:, j] = _combine(one.family, points[:, at], quantiles[:, at], constant)
        else:
            params[:, j] = solved[:, 1 + len(probs) + slow.index(one)]
    return RifReplicates(moments.ones / moments.total[:, None], params)


def _combine(family: str, points: FloatArray, fits: FloatArray, constant: FloatArray) -> FloatArray:
    """Coefficients of a statistic from those of its one or two quantiles, the lower first: shape (R, k)."""
    if family == "quantile":
        return fits[:, 0]
    low_fit, high_fit = fits[:, 0], fits[:, 1]
    if family == "interquantile_range":
        return np.asarray(high_fit - low_fit)
    # RIF of h / l = h / l + (RIF_h - h) / l - h (RIF_l - l) / l^2
    low, high = points[:, :1], points[:, 1:]
    return np.asarray(
        high / low * constant + (high_fit - high * constant) / low - high / low**2 * (low_fit - low * constant)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Draws:
    """Multipliers of all rows in every replicate, with the weights they multiply."""

    multipliers: AnyArray
    weights: FloatArray | None
    counts: FloatArray | None

    def counted(self, reps: IntArray | slice, rows: IntArray | slice) -> FloatArray:
        """Observations behind some rows of some replicates; two arrays of positions are taken pair by pair."""
        drawn = self.multipliers[reps, rows].astype(np.float64)
        return drawn if self.counts is None else drawn * self.counts[rows]

    def weighted(self, reps: IntArray | slice, rows: IntArray | slice) -> FloatArray:
        """Weights of some rows of some replicates, likewise."""
        if self.weights is None:
            return self.counted(reps, rows)
        weights = self.weights[rows] if self.weights.ndim == 1 else self.weights[reps, rows]
        return np.asarray(self.multipliers[reps, rows] * weights)


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
        w, z = draws.weighted(_EVERY, rows), x[rows]
        packed += replicate_moments(z, GivenWeights(w.T))
        ones += w @ z
        edges = np.arange(0, len(z), width)
        at = slice(start // width, start // width + len(edges))
        weight[:, at] = np.add.reduceat(w, edges, axis=1)
        if draws.weights is not None:
            count[:, at] = np.add.reduceat(draws.counted(_EVERY, rows), edges, axis=1)
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


def _replicate_quantiles(
    sample: Distribution,
    x: FloatArray,
    draws: _Draws,
    moments: _Moments,
    probs: Sequence[float],
    rule: DensityRule,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Quantiles of every replicate, densities there, (R, Q), and the sum of w x below each, (R, Q, k)."""
    if not probs:
        none = np.empty((len(moments.ones), 0))
        return none, none, np.empty((*none.shape, x.shape[1]))
    points = _locate(sample.y, draws, moments, probs, rule)
    densities = _densities(sample, moments, points, _bandwidths(sample, draws, moments, rule), probs, rule)
    return points, densities, _sums_below_points(sample.y, x, draws, moments.sums, moments.width, points, rule)


def _locate(
    y: FloatArray,
    draws: _Draws,
    moments: _Moments,
    probs: Sequence[float],
    rule: DensityRule,
    *,
    counted: bool = False,
) -> FloatArray:
    """Quantiles of every replicate by the convention, shape (R, Q); `counted` leaves weights out."""
    observations = moments.observations[:, None]
    low, high, share = quantile_targets(observations, np.asarray(probs), rule.quantile)
    weight, of_rows = (moments.count, draws.counted) if counted else (moments.weight, draws.weighted)
    wanted = np.concatenate([low, high], axis=1) * (weight.sum(axis=1, keepdims=True) / observations)
    first, second = np.split(y[_rows_at(wanted, of_rows, weight, moments.width, len(y))], 2, axis=1)
    return np.where(first == second, first, (1 - share) * first + share * second)


def _rows_at(
    wanted: FloatArray,
    of_rows: Callable[[IntArray | slice, IntArray | slice], FloatArray],
    weight: FloatArray,
    width: int,
    n: int,
) -> IntArray:
    """First row at which the running weight reaches each number, shape (R, T): its cell, then its rows."""
    running = np.cumsum(weight, axis=1)
    cells = np.array([np.searchsorted(sums, goals) for sums, goals in zip(running, wanted, strict=True)])
    cells = np.minimum(cells, weight.shape[1] - 1)
    before = np.take_along_axis(running - weight, cells, axis=1)
    out = np.empty(wanted.shape, dtype=np.intp)
    reps = np.arange(len(wanted))[:, None]
    for t in range(wanted.shape[1]):
        rows = cells[:, t, None] * width + np.arange(width)
        inside = np.cumsum(of_rows(reps, np.minimum(rows, n - 1)) * (rows < n), axis=1)
        short = (before[:, t, None] + inside < wanted[:, t, None]).sum(axis=1)
        out[:, t] = np.minimum(cells[:, t] * width + np.minimum(short, width - 1), n - 1)
    return out


def _bandwidths(sample: Distribution, draws: _Draws, moments: _Moments, rule: DensityRule) -> FloatArray:
    """Rule of thumb in every replicate, shape (R,); the spread within cells is that of the full sample."""
    observations = moments.observations
    if rule.bandwidth is not None:
        return np.full(len(observations), rule.bandwidth)
    # h = .9 min(s, IQR / d) N^(-1/5), s^2 from the weight of each cell and its means of y and y^2
    weight = moments.weight if rule.weighted_bandwidth else moments.count
    low, high = _locate(sample.y, draws, moments, (0.25, 0.75), rule, counted=not rule.weighted_bandwidth).T
    first, second = (_cell_means((sample.y - sample.y.mean()) ** power, moments.width) for power in (1, 2))
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
    # f_r(q) = c sum_g share_rg K((q - centre_g) / h_r) / h_r over cells g, where c makes the sum of the full sample
    # the density of the convention
    centre, h = _cell_means(sample.y, moments.width), bandwidth(sample, rule)
    in_sample = np.add.reduceat(sample.weights, np.arange(0, len(sample.y), moments.width)) / sample.total
    share = moments.weight / moments.total[:, None]
    out = np.empty_like(points)
    for j, p in enumerate(probs):
        point = quantile(sample, p, rule.quantile)
        rough = float(in_sample @ rule.shape((point - centre) / h)) / h
        factor = density_at(sample, point, rule, h) / rough if rough > 0 else 1.0
        shape = rule.shape((points[:, j, None] - centre) / widths[:, None])
        out[:, j] = factor * np.einsum("rg,rg->r", share, shape) / widths
    for r, j in np.argwhere(~(out > 1e-12 / widths[:, None])):
        raise DataError(
            f"the density at the quantile {probs[j]:g} is zero in replicate {r + 1} of {len(out)}: give a larger "
            "bandwidth, or another probability."
        )
    return out


def _centres(
    sample: Distribution,
    draws: _Draws,
    moments: _Moments,
    points: FloatArray,
    probs: Sequence[float],
    rule: DensityRule,
) -> FloatArray:
    """What the RIF of each quantile is centred at in every replicate, (R, Q); mass points are those of the sample."""
    centres = np.broadcast_to(np.asarray(probs, dtype=float), points.shape)
    jumps = np.zeros(points.shape, dtype=bool)
    for j, p in enumerate(probs):
        jumps[:, j] = recentres(sample, points[:, j], p, rule)
    if not jumps.any():
        return centres
    ones, weight = np.ones((len(sample.y), 1)), moments.weight.T[:, :, None]
    below = _sums_below_points(sample.y, ones, draws, weight, moments.width, points, rule)
    return np.where(jumps, below[:, :, 0] / moments.total[:, None], centres)


def _sums_below_points(
    y: FloatArray, x: FloatArray, draws: _Draws, sums: FloatArray, width: int, points: FloatArray, rule: DensityRule
) -> FloatArray:
    """Sum of w x over the rows below each quantile, shape (R, Q, k): whole cells, then rows of the cell it lies in."""
    ends = np.searchsorted(y, points, side="right" if rule.ties == "below" else "left")
    cells, beyond = np.divmod(ends, width)
    running = np.concatenate([np.zeros((1, *sums.shape[1:])), np.cumsum(sums, axis=0)])
    out = running[np.minimum(cells, len(sums)), np.arange(len(points))[:, None]]
    for cell in np.unique(cells[beyond > 0]):
        r, q = np.nonzero((cells == cell) & (beyond > 0))
        rows = np.arange(cell * width, min((cell + 1) * width, len(y)))
        out[r, q] += draws.weighted(r[:, None], rows[None, :]) * (rows < ends[r, q][:, None]) @ x[rows]
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
    out = np.zeros((len(draws.multipliers), len(statistics), x.shape[1]))
    for r in range(len(out) if statistics else 0):
        w, counted = (of_rows(slice(r, r + 1), _EVERY)[0] for of_rows in (draws.weighted, draws.counted))
        drawn = distribution(sample.y, None if draws.weights is None else w, counted)
        recentred = [statistic.build(drawn, rule) for statistic in statistics]
        out[r] = _rif_sums(sample.y, x, recentred, w, moments.ones[r])
    return out
