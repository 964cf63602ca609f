"""Binary response by maximum likelihood: logit, probit, complementary log-log, and the linear probability model.

The log likelihood of each row is a concave function of its index x'b, so Newton steps with the exact Hessian, halved
where they overshoot, reach the maximum if there is one. Steps stop when Newton's decrement, g'H^-1 g, the squared
distance to the maximum in standard errors, is negligible. Where a direction separates the outcomes there is no maximum:
the likelihood rises along it for ever, and the fit says which columns make it. Shares strictly between zero and one
are allowed as outcomes (fractional response, or cells of equal regressors).

Many fits of one design (replicate weights, thresholds of a distribution) are carried forward together: the products of
the columns of a block of rows are formed once, and one matrix product gives the Hessians of all fits.

References
----------
Albert, A. and J. Anderson (1984). On the existence of maximum likelihood estimates in logistic regression models.
Biometrika 71, 1-10.
Boyd, S. and L. Vandenberghe (2004). Convex Optimization, chapter 9. Cambridge University Press.
Papke, L. and J. Wooldridge (1996). Econometric methods for fractional response variables. Journal of Applied
Econometrics 11, 619-632.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import linalg, special

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import DataError, IdentificationError, check_option, listing
from wagegap.estimation.covariance.resampling import column_products, unpack_moments
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq
from wagegap.estimation.likelihood.linear_systems import invert_information, solve_scaled

__all__ = [
    "LINKS",
    "BinaryFit",
    "BinaryFits",
    "Link",
    "Separation",
    "fit_binary",
    "fit_binary_many",
    "probability",
    "score",
    "slope",
]

Link: TypeAlias = Literal["logit", "probit", "cloglog", "lpm"]
LINKS: tuple[Link, ...] = ("logit", "probit", "cloglog", "lpm")

_TOLERANCE = 1e-12  # squared distance to the maximum, in standard errors, before the last step
_SETTLED = 0.02  # a last step that still moves an index by more is no convergence: the outcomes are separated
_STEPS = 100
_HALVINGS = 30
_PIVOT = 1e-6  # squared sine of the angle to the columns before, below which columns are orthogonalised
_RIDGE = 1e-13
_BLOCK = 1 << 18  # numbers in a block of column products, small enough for the cache
_FEW = 4  # fits for which Hessians are formed one by one

_Parts: TypeAlias = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """A direction along which the likelihood rises for ever.

    Attributes
    ----------
    columns : ndarray of int
        Columns that make the direction.
    rows : ndarray of int
        Rows whose outcome it predicts perfectly.
    """

    columns: IntArray
    rows: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class BinaryFit:
    """A binary response fit.

    Attributes
    ----------
    link : str
        Logit, probit, cloglog or lpm.
    params : ndarray, shape (k,)
        Coefficients; NaN for a column set aside.
    bread : ndarray, shape (k, k)
        Inverse of the observed information over the kept columns, zero elsewhere.
    index : ndarray, shape (n,)
        x'b, the offset included.
    probabilities : ndarray, shape (n,)
        Fitted probabilities.
    residuals : ndarray, shape (n,)
        Derivative of each row's log likelihood in its index, without the weight: y - p under logit.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    loglik : float
        Weighted log likelihood (half the sum of squared residuals, negative, in the linear model).
    kept : ndarray of bool, shape (k,)
        Columns with a coefficient.
    collinear : tuple of Collinear
        Columns set aside.
    steps : int
        Newton steps taken.
    separation : Separation, optional
        Why there is no maximum, where the fit was asked to report it; the coefficients are then those of the last
        step.
    """

    link: Link
    params: FloatArray
    bread: FloatArray
    index: FloatArray
    probabilities: FloatArray
    residuals: FloatArray
    weights: FloatArray | None
    loglik: float
    kept: BoolArray
    collinear: tuple[Collinear, ...]
    steps: int
    separation: Separation | None = None

    def scores(self, x: FloatArray) -> FloatArray:
        """Return the derivative of each row's weighted log likelihood in the coefficients, shape (n, k)."""
        weighted = self.residuals if self.weights is None else self.residuals * self.weights
        return x * weighted[:, None]

    def influence(self, x: FloatArray) -> FloatArray:
        """Return the influence of each row on the coefficients, shape (n, k); its cross-product is the sandwich."""
        return self.scores(x) @ self.bread

    def expected_bread(self, x: FloatArray) -> FloatArray:
        """Return the inverse of the expected information, shape (k, k), which software for GLMs reports.

        It is the bread under logit; under the other links both have the same limit where the model is true.
        """
        if self.link in ("logit", "lpm"):
            return self.bread
        spread = self.probabilities * (1 - self.probabilities)
        square = slope(self.index, self.link) ** 2
        curvature = np.divide(square, spread, out=np.zeros_like(square), where=spread > 0)
        own = x[:, self.kept]
        out = np.zeros_like(self.bread)
        w = curvature if self.weights is None else curvature * self.weights
        out[np.ix_(self.kept, self.kept)] = invert_information((own.T * w) @ own)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class BinaryFits:
    """Many fits of one design.

    Attributes
    ----------
    params : ndarray, shape (m, k)
        Coefficients; zero for a column that the others make.
    converged : ndarray of bool, shape (m,)
        Whether a maximum was reached; false where the steps ran out or the outcomes are separated.
    steps : int
        Newton steps of the slowest fit.
    """

    params: FloatArray
    converged: BoolArray
    steps: int


def probability(index: FloatArray, link: Link) -> FloatArray:
    """Return the probability at an index.

    >>> probability(np.array([0.0]), "probit")
    array([0.5])
    """
    if link == "logit":
        return np.asarray(special.expit(index))
    if link == "probit":
        return np.asarray(special.ndtr(index))
    if link == "cloglog":
        return np.asarray(-np.expm1(-np.exp(np.minimum(index, 500.0))))
    return index


def slope(index: FloatArray, link: Link) -> FloatArray:
    """Return the derivative of the probability in the index.

    >>> slope(np.array([0.0]), "logit")
    array([0.25])
    """
    if link == "logit":
        return np.asarray(special.expit(index) * special.expit(-index))
    if link == "probit":
        return np.asarray(np.exp(-0.5 * index**2) / np.sqrt(2 * np.pi))
    if link == "cloglog":
        bounded = np.minimum(index, 500.0)
        return np.asarray(np.exp(bounded - np.exp(bounded)))
    return np.ones_like(index)


def score(index: FloatArray, y: FloatArray, link: Link) -> FloatArray:
    """Return the derivative in the index of the log likelihood of outcomes y.

    >>> score(np.array([0.0]), np.array([1.0]), "logit")
    array([0.5])
    """
    return _PARTS[link](index, y)[1]


def fit_binary(
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    link: Link = "logit",
    *,
    offset: FloatArray | None = None,
    start: FloatArray | None = None,
    names: Sequence[str] | None = None,
    separation: Literal["raise", "report"] = "raise",
) -> BinaryFit:
    """Fit the probability of an outcome by maximum likelihood.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome, 0 or 1, or a share between them.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    weights : ndarray, shape (n,), optional
        Weights, not negative.
    link : {"logit", "probit", "cloglog", "lpm"}
        Distribution function of the index; the last is least squares.
    offset : ndarray, shape (n,), optional
        Added to the index.
    start : ndarray, shape (k,), optional
        Coefficients to start from.
    names : sequence of str, optional
        Names of the columns, for messages.
    separation : {"raise", "report"}
        Where no maximum exists: raise an error that names the columns, or return the fit with its `separation`.

    Returns
    -------
    BinaryFit

    Raises
    ------
    DataError
        For outcomes outside 0 to 1, or weights that are negative or sum to zero.
    IdentificationError
        Where the outcomes are separated.

    Examples
    --------
    >>> import numpy as np
    >>> y, treated = np.array([0.0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.0, 1], 4)
    >>> fit_binary(y, np.column_stack([np.ones(8), treated])).params.round(6)
    array([-1.098612,  2.197225])
    """
    check_option("link", link, LINKS)
    _check_outcome(y, weights)
    if link == "lpm":
        return _fit_linear(y, x, weights, offset)
    basis = _orthogonal_basis(x, None if weights is None or (weights > 0).all() else weights > 0)
    scale = 1.0 if weights is None else float(weights.mean())
    problem = _Problem(y[None], basis.x, None if weights is None else weights[None] / scale, offset, link)
    path = _climb(problem, basis.into(start), _TOLERANCE, _STEPS)
    found = None if path.settled[0] else _separation(problem, basis, path)
    if found is not None and separation == "raise":
        raise IdentificationError(_describe(found, basis, y, weights, names))
    return _finish(problem, basis, path, y, weights, found)


def fit_binary_many(
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    link: Link = "logit",
    *,
    offset: FloatArray | None = None,
    start: FloatArray | None = None,
    tolerance: float = 1e-7,
    steps: int = _STEPS,
) -> BinaryFits:
    """Fit many outcomes, or many vectors of weights, on one design.

    Parameters
    ----------
    y : ndarray, shape (n,) or (m, n)
        Outcomes, 0 or 1 or shares, a row for each fit where they differ.
    x : ndarray, shape (n, k)
        Regressors.
    weights : ndarray, shape (n,) or (m, n), optional
        Weights, a row for each fit where they differ.
    link : {"logit", "probit", "cloglog", "lpm"}
        Distribution function of the index.
    offset : ndarray, shape (n,), optional
        Added to the index.
    start : ndarray, shape (k,) or (m, k), optional
        Coefficients to start from: those of the full sample, or of a neighbouring threshold.
    tolerance : float
        Squared distance to the maximum, in standard errors, from which one last step is taken. That step squares the
        distance again, so that the default leaves an error far below a millionth of a standard error.
    steps : int
        Most Newton steps to take; 1 gives one-step updates of the start.

    Returns
    -------
    BinaryFits

    Examples
    --------
    >>> import numpy as np
    >>> y, treated = np.array([0.0, 0, 0, 1, 0, 1, 1, 1]), np.repeat([0.0, 1], 4)
    >>> x = np.column_stack([np.ones(8), treated])
    >>> fits = fit_binary_many(y, x, np.array([[1.0] * 8, [1.0, 1, 0, 1, 1, 1, 1, 1]]))
    >>> fits.params.round(6)
    array([[-1.098612,  2.197225],
           [-0.693147,  1.791759]])
    """
    check_option("link", link, LINKS)
    basis = _orthogonal_basis(x, None)
    scaled = None
    if weights is not None:
        rows = np.atleast_2d(weights)
        scaled = rows / np.maximum(rows.mean(axis=1, keepdims=True), np.finfo(float).tiny)
    problem = _Problem(np.atleast_2d(y), basis.x, scaled, offset, link)
    path = _climb(problem, basis.into(start), tolerance, steps)
    return BinaryFits(basis.out_of(path.params), path.settled, path.steps)


# links -------------------------------------------------------------------------------------------------------------


def _logit(index: FloatArray, y: FloatArray) -> _Parts:
    """Log likelihood of each row, its derivative in the index, and minus its second derivative."""
    bounded = np.clip(index, -500.0, 500.0)
    odds = np.exp(bounded)
    total = 1.0 + odds
    p = odds / total
    return y * bounded - np.log(total), y - p, p / total


def _probit(index: FloatArray, y: FloatArray) -> _Parts:
    """The same for the normal distribution, by inverse Mills ratios that do not underflow."""
    up = np.sqrt(2 / np.pi) / special.erfcx(-index / np.sqrt(2))
    down = np.sqrt(2 / np.pi) / special.erfcx(index / np.sqrt(2))
    value = y * special.log_ndtr(index) + (1 - y) * special.log_ndtr(-index)
    return value, y * up - (1 - y) * down, y * up * (up + index) + (1 - y) * down * (down - index)


def _cloglog(index: FloatArray, y: FloatArray) -> _Parts:
    """The same for p = 1 - exp(-exp(index))."""
    hazard = np.exp(np.clip(index, -500.0, 6.5))
    ratio = hazard / np.expm1(hazard)
    value = y * np.log(-np.expm1(-hazard)) - (1 - y) * hazard
    return value, y * ratio - (1 - y) * hazard, y * ratio * (hazard + ratio - 1) + (1 - y) * hazard


def _linear(index: FloatArray, y: FloatArray) -> _Parts:
    """The same for least squares."""
    rest = y - index
    return -0.5 * rest**2, rest, np.ones_like(rest)


_PARTS: dict[Link, Callable[[FloatArray, FloatArray], _Parts]] = {
    "logit": _logit,
    "probit": _probit,
    "cloglog": _cloglog,
    "lpm": _linear,
}


# steps -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Fits that share a design; outcomes and weights have one row, or one row for each fit."""

    y: FloatArray
    x: FloatArray
    weights: FloatArray | None
    offset: FloatArray | None
    link: Link

    @property
    def fits(self) -> int:
        return max(len(self.y), 1 if self.weights is None else len(self.weights))

    def take(self, fits: BoolArray) -> _Problem:
        """Keep some of the fits."""
        if fits.all():
            return self
        y = self.y if len(self.y) == 1 else self.y[fits]
        weights = self.weights if self.weights is None or len(self.weights) == 1 else self.weights[fits]
        return _Problem(y, self.x, weights, self.offset, self.link)

    def blocks(self, width: int) -> Iterator[slice]:
        """Rows in pieces of which `width` numbers each stay in the cache."""
        size = max(_BLOCK // width, 64)
        return (slice(i, i + size) for i in range(0, len(self.x), size))

    def index(self, params: FloatArray, rows: slice) -> FloatArray:
        """Index of a block of rows, a row for each vector of coefficients."""
        index = params @ self.x[rows].T
        return index if self.offset is None else index + self.offset[rows]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Log likelihoods (m,), gradients (m, k) and Hessians (m, k, k), with the sign of the information."""

    value: FloatArray
    gradient: FloatArray
    hessian: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Path:
    """Where the steps ended: coefficients, the last step, whether it had settled, and the number of steps."""

    params: FloatArray
    last: FloatArray
    settled: BoolArray
    steps: int


def _climb(problem: _Problem, start: FloatArray, tolerance: float, steps: int) -> _Path:
    """Newton steps of all fits, each until its decrement is negligible."""
    m, k = problem.fits, problem.x.shape[1]
    params = np.broadcast_to(start, (m, k)).copy()
    last, settled, active = np.zeros((m, k)), np.zeros(m, dtype=bool), np.arange(m)
    state = _evaluate(problem, start)
    for taken in range(1, steps + 1):
        step = solve_scaled(state.hessian, state.gradient, _RIDGE)
        near = np.einsum("mk,mk->m", step, state.gradient) <= tolerance
        if near.any():
            settled[active[near]] = _moves(problem.take(near), step[near]) <= _SETTLED
        final = near | (taken == steps)
        params[active[final]] += step[final]
        last[active[final]] = step[final]
        if final.all():
            break
        problem, active = problem.take(~final), active[~final]
        step, state = _shorten(problem, params[active], step[~final], state.value[~final])
        params[active] += step
    return _Path(params, last, settled, taken)


def _shorten(problem: _Problem, params: FloatArray, step: FloatArray, before: FloatArray) -> tuple[FloatArray, _State]:
    """Halve steps until no log likelihood falls, beyond what rounding explains."""
    floor = before - 1e-12 * np.abs(before)
    state = _evaluate(problem, params + step)
    for _ in range(_HALVINGS):
        worse = ~(state.value >= floor)
        if not worse.any():
            break
        step = np.where(worse[:, None], step / 2, step)
        again = _evaluate(problem.take(worse), params[worse] + step[worse])
        for whole, piece in (
            (state.value, again.value),
            (state.gradient, again.gradient),
            (state.hessian, again.hessian),
        ):
            whole[worse] = piece
    return step, state


def _evaluate(problem: _Problem, params: FloatArray) -> _State:
    """Sum likelihoods and derivatives over blocks of rows."""
    m, k = problem.fits, problem.x.shape[1]
    value, gradient = np.zeros(m), np.zeros((m, k))
    together = m > _FEW
    hessian = np.zeros((m, k * (k + 1) // 2 if together else k * k))
    parts = _PARTS[problem.link]
    for rows in problem.blocks(hessian.shape[1] if together else k):
        terms = parts(problem.index(params, rows), problem.y[:, rows])
        if problem.weights is not None:
            w = problem.weights[:, rows]
            terms = (terms[0] * w, terms[1] * w, terms[2] * w)
        x = problem.x[rows]
        value += terms[0].sum(axis=1)
        gradient += terms[1] @ x
        if together:
            hessian += terms[2] @ column_products(x).T
        else:
            hessian += np.stack([((x.T * v) @ x).ravel() for v in terms[2]])
    return _State(value, gradient, unpack_moments(hessian) if together else hessian.reshape(m, k, k))


def _moves(problem: _Problem, step: FloatArray) -> FloatArray:
    """Largest change of an index among the rows that carry weight, for each fit."""
    largest = np.zeros(len(step))
    for rows in problem.blocks(max(len(step), problem.x.shape[1])):
        change = np.abs(step @ problem.x[rows].T)
        if problem.weights is not None:
            change = change * (problem.weights[:, rows] > 0)
        np.maximum(largest, change.max(axis=1), out=largest)
    return largest


# designs -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Basis:
    """Columns to work with, and the map from their coefficients to those of the design.

    Attributes
    ----------
    x : ndarray, shape (n, r)
        The kept columns, orthogonalised where they are nearly collinear.
    back : ndarray, shape (r, r), optional
        Coefficients of the kept columns from those of x; the identity where absent.
    kept : ndarray of bool, shape (k,)
        Kept columns.
    collinear : tuple of Collinear
        The others.
    size : ndarray, shape (k,)
        Length of each column of the design.
    """

    x: FloatArray
    back: FloatArray | None
    kept: BoolArray
    collinear: tuple[Collinear, ...]
    size: FloatArray

    def into(self, start: FloatArray | None) -> FloatArray:
        """Turn starting values into coefficients of the working columns, shape (1 or m, r)."""
        if start is None:
            return np.zeros((1, self.x.shape[1]))
        rows = np.nan_to_num(np.atleast_2d(start))[:, self.kept]
        return rows if self.back is None else np.asarray(linalg.solve(self.back, rows.T).T)

    def out_of(self, params: FloatArray) -> FloatArray:
        """Turn coefficients of the working columns (m, r) into those of the design, zero for columns set aside."""
        out = np.zeros((len(params), len(self.kept)))
        out[:, self.kept] = params if self.back is None else params @ self.back.T
        return out


def _orthogonal_basis(x: FloatArray, used: BoolArray | None) -> _Basis:
    """Set collinear columns aside; orthogonalise where the rest are nearly so."""
    rows = x if used is None else x[used]
    gram = rows.T @ rows
    size = np.sqrt(np.diag(gram))
    if (size > 0).all() and len(rows) >= x.shape[1]:
        try:
            pivots = np.diag(np.linalg.cholesky(gram / np.outer(size, size))) ** 2
        except np.linalg.LinAlgError:
            pivots = np.zeros(1)
        if pivots.min() > _PIVOT:
            return _Basis(x, None, np.ones(x.shape[1], dtype=bool), (), size)
    fit = fit_lstsq(np.zeros(len(rows)), rows)
    r = linalg.qr(rows[:, fit.kept] / size[fit.kept], mode="r", check_finite=False)[0][: fit.rank]
    inverse = linalg.solve_triangular(r, np.eye(fit.rank), check_finite=False)
    back = inverse / size[fit.kept][:, None] * np.sqrt(len(rows))
    return _Basis(x[:, fit.kept] @ back, back, fit.kept, fit.collinear, size)


def _check_outcome(y: FloatArray, weights: FloatArray | None) -> None:
    bad = int((~((y >= 0) & (y <= 1))).sum())
    if bad:
        raise DataError(f"a binary outcome is 0 or 1, or a share between them; {bad:,} of {len(y):,} values are not.")
    if weights is None:
        return
    negative = int((~(weights >= 0)).sum())
    if negative:
        raise DataError(f"{negative:,} of {len(weights):,} weights are negative or missing.")
    if not weights.sum() > 0:
        raise DataError(f"the weights of {len(weights):,} rows sum to zero: nothing can be fitted.")


# results -----------------------------------------------------------------------------------------------------------


def _finish(
    problem: _Problem, basis: _Basis, path: _Path, y: FloatArray, weights: FloatArray | None, found: Separation | None
) -> BinaryFit:
    """Evaluate once more where the steps ended."""
    everything = slice(0, len(y))
    index = problem.index(path.params, everything)[0]
    value, residuals, curvature = _PARTS[problem.link](index, y)
    w = np.ones(len(y)) if weights is None else weights
    information = (problem.x.T * (w * curvature)) @ problem.x
    inverse = invert_information(information)
    if basis.back is not None:
        inverse = basis.back @ inverse @ basis.back.T
    k = len(basis.kept)
    bread, params = np.zeros((k, k)), basis.out_of(path.params)[0]
    bread[np.ix_(basis.kept, basis.kept)] = inverse
    params[~basis.kept] = np.nan
    return BinaryFit(
        problem.link, params, bread, index, probability(index, problem.link), residuals, weights, float(w @ value),
        basis.kept, basis.collinear, path.steps, found,
    )  # fmt: skip


def _fit_linear(y: FloatArray, x: FloatArray, weights: FloatArray | None, offset: FloatArray | None) -> BinaryFit:
    """Least squares, by the orthogonal decomposition."""
    carried = None if weights is None or (weights > 0).all() else weights > 0
    shifted = y if offset is None else y - offset
    if carried is None:
        fit = fit_lstsq(shifted, x, weights)
    else:
        assert weights is not None
        fit = fit_lstsq(shifted[carried], x[carried], weights[carried])
    index = x[:, fit.kept] @ fit.params[fit.kept]
    index = index if offset is None else index + offset
    rest = y - index
    loglik = -0.5 * float(rest @ rest if weights is None else weights @ rest**2)
    return BinaryFit("lpm", fit.params, fit.bread, index, index, rest, weights, loglik, fit.kept, fit.collinear, 1)


def _separation(problem: _Problem, basis: _Basis, path: _Path) -> Separation:
    """Check that the last step points in a direction that separates the outcomes."""
    y, step = problem.y[0], path.last[0]
    change = problem.x @ step
    used = np.ones(len(y), dtype=bool) if problem.weights is None else problem.weights[0] > 0
    size = float(np.abs(change[used]).max())
    agrees = np.where(y == 1, change, np.where(y == 0, -change, -np.abs(change)))
    if (agrees[used] < -1e-2 * size).any():
        raise IdentificationError(
            f"the {problem.link} did not converge in {path.steps} steps: rescale regressors of very different size, "
            "or leave out those that hardly vary."
        )
    direction = np.abs(basis.out_of(path.last)[0]) * basis.size
    columns = np.flatnonzero(direction > 1e-2 * direction.max())
    return Separation(columns, np.flatnonzero(used & (np.abs(change) > 1e-2 * size)))


def _describe(
    found: Separation, basis: _Basis, y: FloatArray, weights: FloatArray | None, names: Sequence[str] | None
) -> str:
    """Say which columns separate the outcomes."""
    used = len(y) if weights is None else int((weights > 0).sum())
    named = [names[j] if names is not None else f"column {j}" for j in found.columns]
    return (
        f"the outcomes are separated: {listing(named)} predict{'s' if len(named) == 1 else ''} the outcome of "
        f"{len(found.rows):,} of {used:,} rows perfectly, so that no finite coefficients fit best. Leave out the "
        f"column{'s' if len(named) > 1 else ''} or the rows, or merge levels."
    )
