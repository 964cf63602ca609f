"""Quantile regression, one or a whole process, exact to the vertex.

A regression quantile minimises the sum of w rho_p(y - x'b), where rho_p(u) = u (p - 1{u < 0}): a linear program whose
solution passes through as many rows as there are columns. Three steps find it:

1. The interior point of Portnoy and Koenker (1997), Mehrotra's predictor and corrector on the bounded dual, carried
   forward for many probabilities, or many vectors of weights, at once.
2. The vertex: the rows whose dual is inside its bounds are solved exactly, and a simplex with long steps (Barrodale and
   Roberts 1973) pivots until every dual is within bounds. The coefficients are then those of the linear program, to
   rounding, and not those of a path that stops near it.
3. Where there are many rows, the signs of most residuals are known from a neighbouring probability (Portnoy and
   Koenker 1997; Chernozhukov, Fernandez-Val and Melly 2022): they enter as two rows that sum theirs, and are checked
   afterwards.

The solution need not be unique; where it is not, one of the solutions at a vertex is given.

References
----------
Barrodale, I. and F. Roberts (1973). An improved algorithm for discrete L1 linear approximation. SIAM Journal on
Numerical Analysis 10, 839-848.
Chernozhukov, V., I. Fernandez-Val and B. Melly (2022). Fast algorithms for the quantile regression process. Empirical
Economics 62, 7-33.
Hall, P. and S. Sheather (1988). On the distribution of a studentized quantile. Journal of the Royal Statistical
Society B 50, 381-391.
Koenker, R. and G. Bassett (1978). Regression quantiles. Econometrica 46, 33-50.
Powell, J. (1991). Estimation of monotonic regression models under quantile restrictions. In: Barnett, W., J. Powell
and G. Tauchen (eds.), Nonparametric and Semiparametric Methods in Econometrics. Cambridge University Press.
Portnoy, S. and R. Koenker (1997). The Gaussian hare and the Laplacian tortoise. Statistical Science 12, 279-300.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, optimize, sparse, special

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import DataError, IdentificationError, OptionError, listing, refuse_rows
from wagegap.estimation.covariance.resampling import column_products, unpack_moments
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.least_squares.moments import row_blocks
from wagegap.estimation.likelihood.newton_update import NewtonUpdate, newton_update

__all__ = ["QuantileFit", "check_probs", "fit_quantiles", "hall_sheather", "score_update"]

_GAP = 1e-9  # duality gap, relative to the objective, at which the vertex is looked for
_STEPS = 80
_BACK_OFF = 0.99995  # share of the way to the boundary that a step goes
_BATCH = 1 << 15  # numbers in an array of the interior point, small enough for the cache
_PIVOTS = 2000
_MANY = 3000  # rows from which the signs of residuals are taken from a neighbour
_SHARE = 0.6  # share of rows kept beyond which globs do not pay
_IN_BOUNDS = 1e-9
_END = 1e-3  # probability at which the interval of the bandwidth ends
_WIDTH = 0.7  # bandwidth over that interval of residuals: in small samples one-step errors are then nearest to refits


@dataclass(frozen=True, slots=True, eq=False)
class QuantileFit:
    """A quantile regression process.

    Attributes
    ----------
    probs : ndarray, shape (m,)
        Probabilities.
    params : ndarray, shape (m, k)
        Coefficients; zero for a column that others make.
    basis : ndarray of int, shape (m, r)
        Rows that each solution passes through.
    kept : ndarray of bool, shape (k,)
        Columns with a coefficient.
    """

    probs: FloatArray
    params: FloatArray
    basis: IntArray
    kept: BoolArray

    def scores(self, j: int, y: FloatArray, x: FloatArray, weights: FloatArray | None = None) -> FloatArray:
        """Return the derivative of the loss in the residual of each row, p - 1{y < x'b}, shape (n,).

        On the rows of the basis it is the value of the dual, which makes the weighted sum of x times the scores zero.
        """
        columns, h = x[:, self.kept], self.basis[j]
        psi = self.probs[j] - (y < columns @ self.params[j, self.kept])
        # sum_i w_i psi_i x_i = 0 over all rows: on the basis h, X_h' (w psi)_h = -sum over the others of w_i psi_i x_i
        psi[h] = 0.0
        dual = -np.linalg.solve(columns[h].T, (psi if weights is None else psi * weights) @ columns)
        psi[h] = dual if weights is None else dual / weights[h]
        return np.asarray(psi)

    def densities(self, j: int, y: FloatArray, x: FloatArray) -> FloatArray:
        """Return a kernel over the residual of each row, whose mean is the density at the quantile, shape (n,).

        Powell's (1991) estimate with a normal kernel; the bandwidth is that of Hall and Sheather, turned from
        probabilities into residuals by the normal distribution.
        """
        # f(x'b) = E K((y - x'b) / c) / c, with c = .7 s (z(p + h) - z(p - h)), z the normal quantile function and
        # s = min(standard deviation, interquartile range / 1.34) of the residuals
        p, residuals = float(self.probs[j]), y - x @ self.params[j]
        h = hall_sheather(p, len(y))
        first, third = np.quantile(residuals, [0.25, 0.75])
        spread = min(float(residuals.std()), (third - first) / 1.34) or float(residuals.std()) or 1.0
        ends = special.ndtri([max(p - h, _END), min(p + h, 1 - _END)])
        width = _WIDTH * spread * float(ends[1] - ends[0])
        return np.asarray(np.exp(-0.5 * (residuals / width) ** 2) / (np.sqrt(2 * np.pi) * width))


def hall_sheather(p: float, n: int, alpha: float = 0.05) -> float:
    """Return the bandwidth of Hall and Sheather (1988) for a difference quotient at probability p.

    >>> round(hall_sheather(0.5, 1000), 4)
    0.0972
    """
    # h = n^(-1/3) z_(1-a/2)^(2/3) (1.5 phi(z_p)^2 / (2 z_p^2 + 1))^(1/3)
    at = special.ndtri(p)
    density = np.exp(-0.5 * at**2) / np.sqrt(2 * np.pi)
    wide = special.ndtri(1 - alpha / 2) ** (2 / 3) * (1.5 * density**2 / (2 * at**2 + 1)) ** (1 / 3)
    return float(n ** (-1 / 3) * wide)


def check_probs(probs: object) -> FloatArray:
    """Return probabilities as an increasing array, or say which are none.

    >>> check_probs([0.9, 0.1])
    array([0.1, 0.9])
    """
    try:
        array = np.unique(np.atleast_1d(np.asarray(probs, dtype=float)))
    except (TypeError, ValueError):
        raise OptionError(f"probs={probs!r} must be numbers between 0 and 1.") from None
    if array.ndim != 1 or array.size == 0:
        raise OptionError("probs is empty: name at least one probability between 0 and 1, such as 0.5.")
    bad = array[~((array > 0) & (array < 1))]
    if bad.size:
        hint = " Per cent? Divide by 100." if (bad > 1).all() and (bad < 100).all() and bad.min() >= 2 else ""
        raise OptionError(f"probs: {listing(bad)} {'is' if bad.size == 1 else 'are'} not between 0 and 1.{hint}")
    return array


def fit_quantiles(y: FloatArray, x: FloatArray, probs: FloatArray, weights: FloatArray | None = None) -> QuantileFit:
    """Fit regression quantiles at increasing probabilities.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    probs : ndarray, shape (m,)
        Probabilities, increasing.
    weights : ndarray, shape (n,), optional
        Weights, not negative; rows of weight zero do not count.

    Returns
    -------
    QuantileFit

    Raises
    ------
    DataError
        For weights that are negative or sum to zero.
    IdentificationError
        For fewer rows than columns.

    Examples
    --------
    >>> import numpy as np
    >>> y, x = np.array([1.0, 2, 4, 8, 16]), np.ones((5, 1))
    >>> fit_quantiles(y, x, np.array([0.3, 0.5])).params.ravel()
    array([2., 4.])
    """
    probs = np.asarray(probs, dtype=float)
    rows = _rows_with_weight(y, x, weights)
    problem, shift, kept = _problem(y[rows], x[rows], None if weights is None else weights[rows])
    bases = np.array(_neighbours(problem, probs) if len(rows) > _MANY else _together(problem, probs))
    params = np.zeros((len(probs), x.shape[1]))
    params[:, kept] = shift + np.array([problem.through(basis) for basis in bases])
    return QuantileFit(probs, params, rows[bases], kept)


def score_update(fit: QuantileFit, y: FloatArray, x: FloatArray, weights: FloatArray) -> NewtonUpdate:
    """Prepare one-step updates of a process to other weights: the score bootstrap.

    Parameters
    ----------
    fit : QuantileFit
        The process in the sample.
    y, x, weights
        The sample, as it was fitted.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> y, x = rng.normal(size=500), np.ones((500, 1))
    >>> fit = fit_quantiles(y, x, np.array([0.5]))
    >>> update = score_update(fit, y, x, np.ones(500))
    >>> draws = [update.step(rng.standard_exponential(500))[0, 0] for _ in range(400)]
    >>> bool(0.8 < np.std(draws) / np.sqrt(np.pi / 2 / 500) < 1.25)
    True
    """
    return newton_update(
        x[:, fit.kept],
        weights,
        len(fit.probs),
        lambda j: fit.scores(j, y, x, weights),
        lambda j: fit.densities(j, y, x),
    )


def _rows_with_weight(y: FloatArray, x: FloatArray, weights: FloatArray | None) -> IntArray:
    """Positions of the rows that count."""
    if weights is not None:
        refuse_rows(~(weights >= 0), DataError, "", " weights are negative or missing.")
        if not (weights > 0).any():
            raise DataError(f"the weights of {len(weights):,} rows sum to zero: nothing can be fitted.")
    rows = np.arange(len(y)) if weights is None else np.flatnonzero(weights > 0)
    if len(rows) < x.shape[1]:
        raise IdentificationError(
            f"{len(rows):,} rows are fewer than the {x.shape[1]} columns of the regressors: drop regressors."
        )
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Rows and columns to work with.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Residual of least squares, so that neither the level nor the slopes of the outcome cost digits.
    x : ndarray, shape (n, r)
        The kept columns.
    q : ndarray, shape (n, r)
        Orthogonal columns with lengths sqrt(n) that span the same: the normal equations of the interior point are then
        as well conditioned as its weights allow.
    weights : ndarray, shape (n,)
        Weights with a mean of one.
    noise : float
        Size below which a residual is rounding.
    """

    y: FloatArray
    x: FloatArray
    q: FloatArray
    weights: FloatArray
    noise: float

    def through(self, basis: IntArray) -> FloatArray:
        """Coefficients of the plane through some rows."""
        return np.asarray(np.linalg.solve(self.x[basis], self.y[basis]))

    def take(self, rows: IntArray) -> _Problem:
        return _Problem(self.y[rows], self.x[rows], self.q[rows], self.weights[rows], self.noise)


def _problem(y: FloatArray, x: FloatArray, weights: FloatArray | None) -> tuple[_Problem, FloatArray, BoolArray]:
    """Set collinear columns aside, orthogonalise the others, and take least squares off: with its coefficients."""
    n, k = x.shape
    kept = np.ones(k, dtype=bool)
    size = np.sqrt(np.einsum("ij,ij->j", x, x))
    q, r = linalg.qr(x / np.where(size > 0, size, 1.0), mode="economic", check_finite=False)
    if np.abs(np.diag(r)).min() < 1e-7:
        kept = fit_lstsq(y, x).kept
        q, r = linalg.qr(x[:, kept] / size[kept], mode="economic", check_finite=False)
    # X / size = QR: b = (R^-1 Q'y) / size, its coefficients on Q refined once
    columns, coef = np.ascontiguousarray(x[:, kept]), q.T @ y
    coef = coef + q.T @ (y - q @ coef)
    shift = linalg.solve_triangular(r, coef, check_finite=False) / size[kept]
    residuals = y - columns @ shift
    noise = 1e-14 * max(float(np.abs(y).max()), 1e-300) + 1e-12 * float(np.abs(residuals).max())
    w = np.ones(n) if weights is None else weights / float(weights.mean())
    return _Problem(residuals, columns, np.ascontiguousarray(q) * np.sqrt(n), w, noise), np.asarray(shift), kept


def _together(problem: _Problem, probs: FloatArray) -> list[IntArray]:
    """Rows that the solutions pass through, all probabilities at once, in batches that fit the cache."""
    batches = [probs[some] for some in row_blocks(len(probs), max(_BATCH // len(problem.y), 1))]
    return [
        _vertex(problem, float(p), *point)
        for batch in batches
        for p, *point in zip(batch, *_interior(problem, batch), strict=True)
    ]


# interior point ----------------------------------------------------------------------------------------------------
#
# The dual of min sum_i w_i rho_p(y_i - q_i'c) is max y'a with q'a = (1 - p) q'w and 0 <= a <= w. A point inside the
# bounds is an array (4, m, n), a row for each probability: a and s, the dual and its distance to the upper bound,
# a + s = w; z and v, the negative and positive parts of the residual, v - z = y - q'c.


def _interior(problem: _Problem, probs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residuals and duals, relative to the weights, close to the solutions; shapes (m, n)."""
    q, w = problem.q, problem.weights
    residuals = problem.y - q @ np.linalg.lstsq(q, problem.y, rcond=None)[0]
    spread = float(np.abs(residuals).mean())
    if spread <= problem.noise:  # an exact fit: every row is on the plane
        return np.tile(residuals, (len(probs), 1)), np.tile(1 - probs[:, None], (1, len(w)))
    m, n = len(probs), len(w)
    above = np.tile(np.maximum(residuals, 0) + 0.1 * spread, (m, 1))
    at = np.stack([(1 - probs[:, None]) * w, probs[:, None] * w, above - residuals, above])
    products = column_products(q).T if m > 4 else None
    end, active = np.empty((4, m, n)), np.arange(m)
    for _ in range(_STEPS):
        is_near = _gap(at) <= _GAP * spread * float(w.sum())
        if is_near.any():
            end[:, active[is_near]] = at[:, is_near]
            at, active = at[:, ~is_near], active[~is_near]
        if not len(active):
            break
        _advance(at, q, products)
    end[:, active] = at
    return end[3] - end[2], end[0] / w


def _gap(at: FloatArray) -> FloatArray:
    """Duality gap, a'z + s'v."""
    return np.asarray(np.einsum("mn,mn->m", at[0], at[2]) + np.einsum("mn,mn->m", at[1], at[3]))


def _advance(at: FloatArray, q: FloatArray, products: FloatArray | None) -> None:
    """One predictor and corrector step (Portnoy and Koenker 1997), in place."""
    # Newton's step to a z = s v = mu, with D = (z / a + v / s)^-1 and r = z - v + mu / s - mu / a less the products
    # of the predictor: da = D (q (q'D q)^-1 q'D r - r),  dz = mu / a - z (1 + da / a),  dv = mu / s - v (1 - da / s).
    # The predictor has mu = 0, the corrector mu = gap (gap ahead / gap)^3 / 2n.
    a, s, z, v = at
    inv_a, inv_s = 1 / a, 1 / s
    scale = 1 / (z * inv_a + v * inv_s)
    normal = _normal_matrices(q, scale, products)
    da = _dual_step(q, scale, normal, z - v)
    step = np.stack([da, -da, -z * (1 + da * inv_a), -v * (1 - da * inv_s)])
    lengths = _lengths(at, step)
    short = np.asarray((lengths < 1).any(axis=0))[:, 0]
    if short.any():
        gap = _gap(at)
        mu = np.where(short, gap * (_gap(at + lengths * step) / gap) ** 3 / (2 * len(q)), 0.0)[:, None]
        from_a, from_s = (mu - da * step[2]) * inv_a, (mu + da * step[3]) * inv_s
        da = _dual_step(q, scale, normal, z - v + from_s - from_a)
        step = np.stack([da, -da, from_a - z * (1 + da * inv_a), from_s - v * (1 - da * inv_s)])
        lengths = _lengths(at, step)
    step *= lengths
    at += step


def _dual_step(q: FloatArray, scale: FloatArray, normal: FloatArray, residual: FloatArray) -> FloatArray:
    """Change of the dual that keeps its constraints."""
    coef = np.linalg.solve(normal, ((scale * residual) @ q)[:, :, None])[:, :, 0]
    return np.asarray(scale * (coef @ q.T - residual))


def _lengths(at: FloatArray, step: FloatArray) -> FloatArray:
    """How far the dual, and the residuals, can go before they leave their bounds, shape (4, m, 1)."""
    most = (-step / at).max(axis=2, keepdims=True)
    most[:2], most[2:] = most[:2].max(axis=0), most[2:].max(axis=0)
    return np.asarray(_BACK_OFF / np.maximum(most, _BACK_OFF))


def _normal_matrices(q: FloatArray, scale: FloatArray, products: FloatArray | None) -> FloatArray:
    """Matrices q' D q for each row of weights, with a ridge that keeps them invertible at the boundary."""
    out = np.stack([(q.T * d) @ q for d in scale]) if products is None else unpack_moments(scale @ products)
    at = np.arange(q.shape[1])
    out[:, at, at] += 1e-13 * np.einsum("mkk->mk", out).max(axis=1)[:, None]
    return out


# vertex ------------------------------------------------------------------------------------------------------------


def _vertex(problem: _Problem, p: float, residuals: FloatArray, dual: FloatArray) -> IntArray:
    """Go from a point near the solution to the solution: the rows that it passes through."""
    k = problem.x.shape[1]
    inside, size = dual * (1 - dual), np.abs(residuals)
    closeness = inside / (inside + size / (size.mean() + 1e-300) + 1e-300)
    some = np.argpartition(-closeness, min(4 * k, len(size)) - 1)[: 4 * k]
    return _pivot(problem, p, _independent(problem.q, some, closeness))


def _independent(q: FloatArray, some: IntArray, closeness: FloatArray) -> IntArray:
    """Independent rows, the closest to the plane first."""

    def by_pivots(rows: IntArray, weight: FloatArray) -> IntArray:
        _, order = linalg.qr((q[rows] * weight[:, None]).T, mode="r", pivoting=True, check_finite=False)
        return np.asarray(rows[order[:k]])

    k = q.shape[1]
    ordered = some[np.argsort(-closeness[some], kind="stable")]
    for count in (k, 2 * k, len(ordered)):
        chosen = by_pivots(ordered[:count], np.maximum(closeness[ordered[:count]], 1e-12))
        if len(chosen) == k and np.linalg.cond(q[chosen]) < 1e10:
            return chosen
    return by_pivots(np.arange(len(q)), closeness + 1e-6)


def _pivot(problem: _Problem, p: float, basis: IntArray) -> IntArray:
    """Simplex with long steps, from rows that a candidate passes through to those of the solution."""
    y, q, w = problem.y, problem.q, problem.weights
    basis, inverse = basis.copy(), np.linalg.inv(q[basis])
    below = np.zeros(len(y), dtype=bool)
    for step in range(_PIVOTS):
        if step % 50 == 49:
            inverse = np.linalg.inv(q[basis])
        residuals = y - q @ (inverse @ y[basis])
        residuals[np.abs(residuals) <= problem.noise] = 0.0
        below = np.where(residuals == 0, below & (step > 0), residuals < 0)
        # psi_i = w_i (p - 1{below}) off the basis, and its dual -pull on it, which the bounds hold between -w p and
        # w (1 - p); the loss falls by the excess per unit that the row furthest out of bounds moves
        psi = w * (p - below)
        psi[basis] = 0.0
        pull = (psi @ q) @ inverse
        excess = np.stack([pull - w[basis] * (1 - p), -pull - w[basis] * p])
        side, out = np.unravel_index(int(np.argmax(excess / w[basis])), excess.shape)
        if excess[side, out] / w[basis[out]] <= _IN_BOUNDS:
            return basis
        sign = 1.0 if side == 0 else -1.0
        entering = _entering(q @ (sign * inverse[:, out]), residuals, below, w, basis, float(excess[side, out]))
        if entering is None:
            break
        enter, crossed = entering
        below[crossed] = ~below[crossed]
        below[basis[out]] = sign > 0
        basis[out] = enter
        # the inverse with one row of the basis exchanged (Sherman and Morrison)
        row = q[enter] @ inverse
        column = inverse[:, out] / row[out]
        row[out] -= 1.0
        inverse = inverse - np.outer(column, row)
    return _program(problem, p)


def _program(problem: _Problem, p: float) -> IntArray:
    """The linear program as it stands, where pivots go round in circles among ties."""
    # min p w'u + (1 - p) w'l  with  q c + u - l = y,  u, l >= 0
    n, k = problem.x.shape
    cost = np.concatenate([np.zeros(k), p * problem.weights, (1 - p) * problem.weights])
    rows: Any = sparse.hstack([sparse.csr_array(problem.q), sparse.eye_array(n), -sparse.eye_array(n)], format="csr")
    bounds: Any = np.array([(-np.inf, np.inf)] * k + [(0, np.inf)] * (2 * n))
    solution = optimize.linprog(cost, A_eq=rows, b_eq=problem.y, bounds=bounds, method="highs-ds")
    size = np.abs(problem.y - problem.q @ np.asarray(solution.x)[:k]) + problem.noise
    return _independent(problem.q, np.argsort(size, kind="stable")[: 4 * k], size.min() / size)


def _entering(
    move: FloatArray, residuals: FloatArray, below: BoolArray, w: FloatArray, basis: IntArray, falls: float
) -> tuple[int, IntArray] | None:
    """Follow a direction past the rows it crosses, until the loss stops falling: the row there, and those crossed.

    `falls` is how fast the loss falls at first; each row crossed takes its weight times its move off that.
    """
    toward = np.where(below, move < 0, move > 0) & (np.abs(move) > 1e-11)
    toward[basis] = False
    rows = np.flatnonzero(toward)
    rows = rows[np.argsort(residuals[rows] / move[rows], kind="stable")]
    stop = int(np.searchsorted(np.cumsum(w[rows] * np.abs(move[rows])), falls))
    return None if stop >= len(rows) else (int(rows[stop]), rows[:stop])


# many rows ---------------------------------------------------------------------------------------------------------


def _neighbours(problem: _Problem, probs: FloatArray) -> list[IntArray]:
    """One probability after the other, from the middle outwards, each from its neighbour."""
    middle = int(np.argmin(np.abs(probs - 0.5)))
    first = _from_subsample(problem, float(probs[middle]))
    bases = {middle: first}
    for path in (range(middle + 1, len(probs)), range(middle - 1, -1, -1)):
        near = before = problem.through(first)
        for j in path:
            bases[j] = _with_globs(problem, float(probs[j]), 2 * near - before)
            before, near = near, problem.through(bases[j])
    return [bases[j] for j in range(len(probs))]


def _from_subsample(problem: _Problem, p: float) -> IntArray:
    """The first probability, from every so many rows of the sample."""
    n, k = problem.x.shape
    part = problem.take(np.sort(np.random.default_rng(0).permutation(n)[: int((k * n) ** (2 / 3)) + 20 * k]))
    return _with_globs(problem, p, part.through(_together(part, np.array([p]))[0]))


def _with_globs(problem: _Problem, p: float, guess: FloatArray) -> IntArray:
    """Solve with the rows near the guess, and two that stand for those below and above it; check the signs."""
    n, k = problem.x.shape
    residuals = problem.y - problem.x @ guess
    width = min(3.0 * np.sqrt(k / n), 0.5)
    for _ in range(6):
        order_at = np.clip(np.array([p - width, p + width]) * n, 0, n - 1).astype(int)
        low, high = np.partition(residuals, order_at)[order_at]
        below = residuals < low if order_at[0] > 0 else np.zeros(n, dtype=bool)
        above = residuals > high if order_at[1] < n - 1 else np.zeros(n, dtype=bool)
        if (~(below | above)).mean() > _SHARE:
            break
        basis = _checked(problem, p, below, above)
        if basis is not None:
            return basis
        width *= 2
    return _together(problem, np.array([p]))[0]


def _checked(problem: _Problem, p: float, below: BoolArray, above: BoolArray) -> IntArray | None:
    """Solve with globs, moving rows whose sign was wrong into the sample; none where too many were."""
    for _ in range(4):
        keep = np.flatnonzero(~(below | above))
        basis = _solve_globbed(problem, p, keep, below, above)
        if basis is None:
            return None
        residuals = problem.y - problem.x @ problem.through(basis)
        wrong = (below & (residuals > 0)) | (above & (residuals < 0))
        if not wrong.any():
            return basis
        if wrong.sum() > 0.1 * len(keep):
            return None
        below, above = below & ~wrong, above & ~wrong
    return None


def _solve_globbed(problem: _Problem, p: float, keep: IntArray, below: BoolArray, above: BoolArray) -> IntArray | None:
    """The reduced problem; none where its solution passes through a glob."""
    # a glob has x = sum w_i x_i, and an outcome so far off that its residual keeps its sign
    parts, far = [problem.take(keep)], 10 * float(np.ptp(problem.y)) or 1.0
    for side, sign in ((below, -1.0), (above, 1.0)):
        if side.any():
            w = (problem.weights * side)[None]
            total = w @ problem.y + sign * far * w.sum()
            parts.append(_Problem(total, w @ problem.x, w @ problem.q, np.ones(1), problem.noise))
    y, x, q, weights = (np.concatenate([getattr(part, name) for part in parts]) for name in ("y", "x", "q", "weights"))
    basis = _together(_Problem(y, x, q, weights, problem.noise), np.array([p]))[0]
    return None if (basis >= len(keep)).any() else keep[basis]
