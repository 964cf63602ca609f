"""Corrected moments with weights, and the jackknife: the headline of the link.

Observed p = P + v and y = Y + e with Y = P b + Z g + u. With M_w = W - W Z (Z'W Z)^-1 Z'W, which takes the controls
out, the weighted moments of what is observed differ from those of what is true by the known covariance, so

    b = (p'M_w p - tr(M_w V_pp))^-1 (p'M_w y - tr(M_w V_py)),    w_c = 1 / (V_cc + s^2),

where s^2 = max(Var p - mean V, .02 Var p) is what premiums spread by beyond their errors. The weights keep countries of
a dozen workers from deciding; they are functions of V alone but for s^2, and whatever they are the slope is consistent,
if it is one. No distribution is assumed, nor that deviations or true premiums spread as much everywhere. The error is
that of the jackknife over cells, or clusters, around the mean of the deletions, with the weights of the full sample.

What every deletion needs are sums over the cells that are left, so none is fitted again. The slope is linear in y: a
permuted outcome costs a product of matrices.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, sections 3.1 and 3.2.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society B 16, 175-185.
Anderson, T. W. and H. Rubin (1949). Estimation of the parameters of a single equation in a complete system of
stochastic equations. Annals of Mathematical Statistics 20, 46-63.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import IdentificationError, ReliabilityError, listing
from wagegap.estimation.reliability import true_variance
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem, without_deletions

__all__ = [
    "CorrectedMoments",
    "MomentsFit",
    "corrected_moments",
    "estimate",
    "fit_weighted",
    "jackknife_cov",
    "precision_weights",
    "spread_of_true",
    "weak_set",
    "weighted_reliability",
]

_LEAST_SPREAD = 0.02  # share of their variance that true premiums have at least, for the weights
_NOTHING = 1e-12  # sum of squares, relative to its parts, that rounding leaves of zero
_RANK = 1e-10  # eigenvalue of Z'W Z, columns scaled, that is zero
_CHUNK = 4_000_000  # elements of Z without each group that are held at once


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedMoments:
    """Moments of all cells, then without each group: row 0 is the full sample, row g + 1 lacks group g.

    Attributes
    ----------
    inside : ndarray, shape (G + 1, m, m)
        p'M_w p - tr(M_w V_pp).
    within : ndarray, shape (G + 1, m, n)
        M_w p, whose product with an outcome is p'M_w y.
    offset : ndarray, shape (G + 1, m)
        tr(M_w V_py).
    spread : ndarray, shape (G + 1, m, m)
        p'M_w p.
    of_controls : ndarray, shape (G + 1, q, n)
        (Z'W Z)^+ Z'W, whose product with y - p b is the coefficients of the controls.
    determined : ndarray of bool, shape (G + 1, q)
        Whether the cells that are left determine each coefficient of the controls.
    room : ndarray, shape (G + 1,)
        Cells that are left, less coefficients: none where they lie on the line whatever it is.
    """

    inside: FloatArray
    within: FloatArray
    offset: FloatArray
    spread: FloatArray
    of_controls: FloatArray
    determined: BoolArray
    room: FloatArray

    @property
    def identified(self) -> BoolArray:
        """Whether premiums vary among the cells left, given the controls, and cells can deviate, shape (G + 1,)."""
        whole = np.einsum("jj->j", self.spread[0])
        return np.asarray(np.all(np.einsum("gjj->gj", self.spread) > _NOTHING * whole, axis=1) & (self.room > 0.5))

    @property
    def exists(self) -> BoolArray:
        """Whether they vary by more than their errors, so that a corrected slope exists, shape (G + 1,)."""
        inside = np.where(self.identified[:, None, None], self.inside, -np.eye(self.inside.shape[1]))
        size = np.sqrt(np.maximum(np.einsum("gjj->gj", self.spread), np.finfo(float).tiny))
        lowest = np.linalg.eigvalsh(inside / size[:, :, None] / size[:, None, :])[:, 0]
        return np.asarray(lowest > _NOTHING)

    def slopes(self, y: FloatArray, *, related: bool = True) -> FloatArray:
        """Slopes for one outcome (n,), shape (G + 1, m), or several (R, n), shape (R, G + 1, m).

        NaN where none exists. `related` says whether the outcome's errors are related to those of the premiums, as
        those of a permuted one are not.
        """
        right = np.einsum("gjn,...n->...gj", self.within, y) - (self.offset if related else 0.0)
        inside = np.where(self.exists[:, None, None], self.inside, np.nan)
        return np.asarray(np.linalg.solve(inside, right[..., None])[..., 0])

    def coefficients(self, problem: LinkProblem) -> FloatArray:
        """Coefficients in the order of the columns, shape (G + 1, k); NaN where the cells left determine none."""
        b = self.slopes(problem.y)
        # g = (Z'W Z)^+ Z'W (y - p b)
        controls = np.einsum("gqn,gn->gq", self.of_controls, problem.y - b @ problem.premiums.T)
        params = np.empty((len(b), problem.k))
        params[:, list(problem.estimated)] = b
        params[:, list(problem.exact)] = np.where(self.determined, controls, np.nan)
        return params


@dataclass(frozen=True, slots=True, eq=False)
class MomentsFit:
    """A regression by weighted corrected moments.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k)
        Jackknife covariance; NaN variances where some deletion has no slope.
    deletions : ndarray, shape (G, k)
        Coefficients without each cell, or cluster.
    lost : tuple of int
        Positions of the deletions in which premiums vary no more than their errors.
    weights : ndarray, shape (n,)
        Weights of the cells.
    reliability : float
        Weighted: 1 - tr(M_w V_pp) / p'M_w p of the first premium, given the others.
    """

    params: FloatArray
    cov: FloatArray
    deletions: FloatArray
    lost: tuple[int, ...]
    weights: FloatArray
    reliability: float


def spread_of_true(p: FloatArray, variances: FloatArray) -> float:
    """Variance of true premiums by moments: max(Var p - mean V, .02 Var p).

    Parameters
    ----------
    p, variances : ndarray, shape (n,)
        Premiums, and the variances of their errors.

    Examples
    --------
    >>> import numpy as np
    >>> round(spread_of_true(np.array([0.0, 1.0, 2.0]), np.array([0.1, 0.4, 0.4])), 3)
    0.7
    """
    # Divisor n - 1, as in the estimator of Hedges
    total = float(np.var(p, ddof=1))
    return max(total - float(np.mean(variances)), _LEAST_SPREAD * total)


def precision_weights(problem: LinkProblem) -> FloatArray:
    """Weights 1 / (V_cc + s^2) of the cells, from the first premium, with mean one, shape (n,)."""
    variances = np.diag(problem.v_x[0, 0])
    total = variances + spread_of_true(problem.premiums[:, 0], variances)
    weights = 1.0 / total
    return np.asarray(weights / weights.mean())


def corrected_moments(
    problem: LinkProblem, weights: FloatArray, groups: AnyArray | None = None, *, deletions: bool = True
) -> CorrectedMoments:
    """Moments of all cells, and without each.

    Parameters
    ----------
    problem : LinkProblem
        Data and error covariance.
    weights : ndarray, shape (n,)
        Weights of the cells; ones are the unweighted moments.
    groups : ndarray, shape (n,), optional
        Groups that are left out together, in sorted order; each cell is one where absent.
    deletions : bool
        Whether to leave any out; else the moments are those of the full sample alone.
    """
    codes = np.arange(problem.n) if groups is None else np.unique(groups, return_inverse=True)[1]
    left = np.vstack([np.ones(problem.n), *(codes != g for g in range(int(codes.max()) + 1))]) if deletions else None
    kept = np.ones((1, problem.n)) if left is None else left.astype(float)
    # Columns of equal length, so that rank is judged in no unit
    z = problem.controls
    z = z / np.maximum(np.sqrt(weights @ z**2), np.finfo(float).tiny)
    parts = [_part(problem, z, weights * rows, rows) for rows in _chunks(kept, z.size)]
    joined = (np.concatenate(column) for column in zip(*parts, strict=True))
    inside, within, offset, spread, of_controls, determined, room = joined
    scale = np.maximum(np.sqrt(weights @ problem.controls**2), np.finfo(float).tiny)
    return CorrectedMoments(inside, within, offset, spread, of_controls / scale[:, None], determined.astype(bool), room)


def _chunks(kept: FloatArray, size: int) -> Iterator[FloatArray]:
    """Rows of samples, a few at a time."""
    step = max(_CHUNK // max(size, 1), 1)
    for start in range(0, len(kept), step):
        yield kept[start : start + step]


def _part(problem: LinkProblem, z: FloatArray, w: FloatArray, kept: FloatArray) -> tuple[FloatArray, ...]:
    """Moments of some samples, whose weights w have zeros for cells left out, shape (g, n)."""
    p, zw = problem.premiums, z.T[None] * w[:, None, :]
    # N = Z'W Z, and its inverse where columns that no cell has left count for nothing
    normal = zw @ z
    inverse = np.asarray(np.linalg.pinv(normal, rcond=_RANK, hermitian=True), dtype=np.float64)
    of_controls = np.asarray(inverse @ zw)
    shares = np.einsum("gqr,grq->gq", inverse, normal)
    determined, room = np.abs(shares - 1) < 1e-6, (kept > 0).sum(axis=1) - shares.sum(axis=1) - p.shape[1]
    # M_w p = W (p - Z N^-1 Z'W p), p'M_w p
    within = w[:, None, :] * (p.T[None] - np.einsum("nq,gqm,mj->gjn", z, of_controls, p))
    spread = np.einsum("gjn,nl->gjl", within, p)
    noise, offset = (
        _noise_left(np.asarray(part), zw, inverse, w)
        for part in (problem.v_x.reshape(-1, *problem.v_y.shape), problem.v_xy)
    )
    inside = spread - noise.reshape(spread.shape)
    return inside, within, offset, spread, of_controls, determined, room


def _noise_left(v: AnyArray, zw: FloatArray, inverse: FloatArray, w: FloatArray) -> FloatArray:
    """Share of the errors that is left in the moments, tr(M_w V) of b covariances, shape (g, b)."""
    # tr(M_w V) = sum_a w_a V_aa - tr(N^-1 Z'W V W Z)
    diagonal = np.einsum("baa->ba", v)
    total = np.einsum("gn,bn->gb", w, diagonal)
    for i, block in enumerate(np.asarray(v)):
        independent = not (block - np.diag(diagonal[i])).any()
        side = zw * diagonal[i] if independent else zw @ block
        total[:, i] -= np.einsum("gqr,grn,gqn->g", inverse, side, zw)
    return np.asarray(total, dtype=np.float64)


def jackknife_cov(deletions: FloatArray) -> FloatArray:
    """Covariance from coefficients without each of G groups: (G - 1) / G sum_g (b_g - mean b)(b_g - mean b)'.

    Groups without which nothing exists are left out; a coefficient that some of the others do not determine has no
    variance.

    >>> import numpy as np
    >>> jackknife_cov(np.array([[1.0], [2.0], [3.0]])).round(3)
    array([[1.333]])
    """
    usable = deletions[np.isfinite(deletions).any(axis=1)]
    if len(usable) < 2:
        return np.full((deletions.shape[1],) * 2, np.nan)
    unknown = ~np.isfinite(usable).all(axis=0)
    around = np.where(unknown, 0.0, usable - usable.mean(axis=0))
    cov = (len(usable) - 1) / len(usable) * around.T @ around
    cov[unknown, unknown] = np.nan
    return np.asarray(cov)


def weighted_reliability(problem: LinkProblem, weights: FloatArray) -> float:
    """Share of the first premium's weighted spread, given all other columns, that is not sampling error."""
    # 1 - tr(M_w V_pp) / p'M_w p, the other premiums among the columns of M
    first = problem.estimated[0]
    alone = LinkProblem(
        problem.y, problem.x, (first,), problem.v_y, problem.v_x[:1, :1], problem.v_xy[:1], problem.names
    )
    moments = corrected_moments(alone, weights, deletions=False)
    spread = float(moments.spread[0, 0, 0])
    return float(moments.inside[0, 0, 0]) / spread if spread > 0 else -np.inf


def fit_weighted(
    problem: LinkProblem, *, weights: FloatArray | None = None, groups: AnyArray | None = None
) -> MomentsFit:
    """Fit by weighted corrected moments.

    Parameters
    ----------
    problem : LinkProblem
        Data and error covariance.
    weights : ndarray, shape (n,), optional
        Weights of the cells; `precision_weights` where absent.
    groups : ndarray, shape (n,), optional
        Clusters, which the jackknife leaves out one at a time.

    Raises
    ------
    ReliabilityError
        When the premiums spread no more than their errors would.

    Examples
    --------
    Premiums without error give least squares, and its jackknife:

    >>> import numpy as np
    >>> p = np.array([0.0, 1.0, 2.0, 4.0])
    >>> problem = LinkProblem.build(1 + 2 * p + [0.1, -0.1, 0.1, -0.1], np.column_stack([p, np.ones(4)]))
    >>> fit_weighted(problem).params.round(3)
    array([1.966, 1.06 ])
    """
    w = precision_weights(problem) if weights is None else weights
    moments = corrected_moments(problem, w, groups)
    if not moments.exists[0]:
        raise ReliabilityError(
            "the premiums vary no more than their sampling errors, each cell weighted by its precision: the corrected "
            "slope does not exist. More workers or countries are needed; method='ols' gives the naive slope."
        )
    params = moments.coefficients(problem)
    lost = np.flatnonzero(moments.identified & ~moments.exists)
    cov = np.full((problem.k, problem.k), np.nan) if len(lost) else jackknife_cov(params[1:])
    return MomentsFit(params[0], cov, params[1:], tuple((lost - 1).tolist()), w, weighted_reliability(problem, w))


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Weighted corrected moments as an estimator of the link."""
    if options.jackknife_df is not None and options.jackknife_df < 1:
        groups = problem.n if options.groups is None else len(np.unique(options.groups))
        raise IdentificationError(
            f"the jackknife leaves out one of {groups} groups at a time, and there are as many coefficients: cluster "
            "on a finer column, or leave out controls."
        )
    fit, j = fit_weighted(problem, groups=options.groups), problem.estimated[0]
    if fit.lost and not options.force:
        raise ReliabilityError(_about_lost(problem, fit, options.groups))
    if not np.isfinite(fit.deletions[:, j]).any() and not fit.lost:
        raise IdentificationError(without_deletions(problem, len(fit.deletions)))
    without = fit.deletions[:, j]
    if options.groups is not None:
        without = corrected_moments(problem, fit.weights).slopes(problem.y)[1:, 0]
    lost = (_about_lost(problem, fit, options.groups),) if fit.lost else ()
    return LinkFit(
        fit.params, fit.cov, _described(options.groups), df=options.jackknife_df, problem=problem, without=without,
        notes=lost, sigma2=true_variance(problem.premiums[:, 0], problem.v_x[0, 0], problem.others),
        statistics={"weighted_reliability": fit.reliability},
    )  # fmt: skip


def _described(groups: AnyArray | None) -> str:
    return f"jackknife over {'cells' if groups is None else 'clusters'}, weights held"


def _about_lost(problem: LinkProblem, fit: MomentsFit, groups: AnyArray | None) -> str:
    """Why there is no interval where some deletion has no slope."""
    names = np.array(problem.cells or range(problem.n)) if groups is None else np.unique(groups)
    return (
        f"without {listing(names[list(fit.lost)], 4)} the premiums would vary no more than their sampling errors, so "
        "that the jackknife gives no interval: the corrected slope rests on them. method='ols' gives the naive slope."
    )


def weak_set(
    problem: LinkProblem, df: float, *, groups: AnyArray | None = None, alpha: float = 0.05
) -> tuple[float, float, str]:
    """Set of Fieller, and of Anderson and Rubin: slopes b0 at which the moment is not far from zero.

    Parameters
    ----------
    problem : LinkProblem
        With one premium.
    df : float
        Degrees of freedom of the jackknife.
    groups : ndarray, shape (n,), optional
        Clusters.
    alpha : float
        One minus the coverage.

    Returns
    -------
    tuple
        Its ends, and "interval", "two rays" (up to the first and from the second on) or "whole line".

    Examples
    --------
    >>> import numpy as np
    >>> p = np.linspace(0.0, 5.0, 20)
    >>> y = 2 * p + np.tile([0.1, -0.1], 10)
    >>> problem = LinkProblem.build(y, np.column_stack([p, np.ones(20)]), v_x=np.full(20, 0.01))
    >>> low, high, shape = weak_set(problem, 18.0)
    >>> shape, low < 2.0 < high
    ('interval', True)
    """
    moments = corrected_moments(problem, precision_weights(problem), groups)
    # m(b0) = N - b0 D with N = p'M_w y - tr(M_w V_py), D = p'M_w p - tr(M_w V_pp)
    top = moments.within[:, 0] @ problem.y - moments.offset[:, 0]
    bottom = moments.inside[:, 0, 0]
    size = len(top) - 1
    t2 = float(stats.t.isf(alpha / 2, df)) ** 2 * size / (size - 1)
    # (N - b0 D)^2 <= t^2 G / (G - 1) sum_g (n_g - b0 d_g)^2, n_g and d_g deviations of the deletions from their mean
    n, d = (part[1:] - part[1:].mean() for part in (top, bottom))
    a, b, c = bottom[0] ** 2 - t2 * d @ d, top[0] * bottom[0] - t2 * n @ d, top[0] ** 2 - t2 * n @ n
    # a b0^2 - 2 b b0 + c <= 0
    root = b**2 - a * c
    if root < 0 or a == 0:
        return -np.inf, np.inf, "whole line"
    ends = sorted(((b - np.sqrt(root)) / a, (b + np.sqrt(root)) / a))
    return float(ends[0]), float(ends[1]), "interval" if a > 0 else "two rays"
