"""Binary response by maximum likelihood: logit, probit, complementary log-log, and the linear probability model.

The log likelihood of a row with outcome y and index x'b,

    l = y log F(x'b) + (1 - y) log(1 - F(x'b)),

is concave in the index under every link, so that Newton's method (`newton.maximise`) reaches the maximum if there is
one. Where a direction separates the outcomes there is none: the likelihood rises along it for ever, and the fit says
which columns make it. Shares strictly between zero and one are allowed as outcomes (fractional response, or cells of
equal regressors).

The inverse of the information, the bread of every sandwich, is that of the observed information -d2 l, as Stata has it,
unless the expected is asked for by name, as software for generalised linear models has it. They are one under logit.

Many fits of one design (replicate weights, thresholds of a distribution) are carried forward together: the products of
the columns of a block of rows are formed once, and one matrix product gives the Hessians of all fits.

References
----------
Albert, A. and J. Anderson (1984). On the existence of maximum likelihood estimates in logistic regression models.
Biometrika 71, 1-10.
Papke, L. and J. Wooldridge (1996). Econometric methods for fractional response variables. Journal of Applied
Econometrics 11, 619-632.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from wagegap._typing import BoolArray, FloatArray, Information, IntArray
from wagegap.errors import DataError, IdentificationError, check_option, listing, refuse_rows
from wagegap.estimation.covariance.resampling import column_products, unpack_moments
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq
from wagegap.estimation.likelihood.newton import MOST_MOVED, Ascent, Derivatives, invert_information, maximise
from wagegap.estimation.likelihood.working_columns import WorkingColumns, check_weights, named_columns, working_columns

__all__ = [
    "INFORMATION",
    "LINKS",
    "BinaryFit",
    "BinaryFits",
    "LinkFunction",
    "Separation",
    "curvature",
    "fit_binary",
    "fit_binary_many",
    "inverse_mills",
    "probability",
    "score",
    "slope",
]

LinkFunction: TypeAlias = Literal["logit", "probit", "cloglog", "lpm"]
LINKS: tuple[LinkFunction, ...] = ("logit", "probit", "cloglog", "lpm")
INFORMATION: tuple[Information, ...] = ("observed", "expected")

_STEPS = 100
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
        Coefficients; NaN for a column left out.
    bread : ndarray, shape (k, k)
        Inverse of the observed information, unless `under` says the expected, over the kept columns, zero elsewhere.
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
        Columns left out as collinear.
    steps : int
        Newton steps taken.
    separation : Separation, optional
        Why there is no maximum, where the fit was asked to report it; the coefficients are then those of the last
        step.
    """

    link: LinkFunction
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

    def influence(self, x: FloatArray, information: Information = "observed") -> FloatArray:
        """Return the influence of each row on the coefficients, shape (n, k); its cross-product is the sandwich."""
        return self.scores(x) @ self.inverse_information(x, information)

    def under(self, x: FloatArray, information: Information) -> BinaryFit:
        """Return the fit with the inverse of the observed or of the expected information as its bread."""
        return replace(self, bread=self.inverse_information(x, information))

    def inverse_information(self, x: FloatArray, information: Information) -> FloatArray:
        """Return the inverse of the observed or of the expected information, shape (k, k); they are one under logit."""
        if information == "observed" or self.link in ("logit", "lpm"):
            return self.bread
        w = _expected_curvature(self.index, self.link)
        w = w if self.weights is None else w * self.weights
        kept = x[:, self.kept]
        out = np.zeros_like(self.bread)
        out[np.ix_(self.kept, self.kept)] = invert_information((kept.T * w) @ kept)
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


def probability(index: FloatArray, link: LinkFunction) -> FloatArray:
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


def slope(index: FloatArray, link: LinkFunction) -> FloatArray:
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


def score(index: FloatArray, y: FloatArray, link: LinkFunction) -> FloatArray:
    """Return the derivative in the index of the log likelihood of outcomes y.

    >>> score(np.array([0.0]), np.array([1.0]), "logit")
    array([0.5])
    """
    return _PARTS[link](index, y)[1]


def curvature(index: FloatArray, y: FloatArray, link: LinkFunction, information: Information) -> FloatArray:
    """Return the information on the index in each row with outcome y: -d2 l / d index2, or its expectation.

    >>> y = np.array([0.0, 1.0])
    >>> curvature(np.ones(2), y, "probit", "observed").round(3), curvature(np.ones(2), y, "probit", "expected").round(3)
    (array([0.801, 0.37 ]), array([0.439, 0.439]))
    """
    if information == "observed" or link in ("logit", "lpm"):
        return _PARTS[link](index, y)[2]
    return _expected_curvature(index, link)


def _expected_curvature(index: FloatArray, link: LinkFunction) -> FloatArray:
    # E(-d2 l / d index2) = f^2 / [F (1 - F)]
    p = probability(index, link)
    variance, square = p * (1 - p), slope(index, link) ** 2
    return np.divide(square, variance, out=np.zeros_like(square), where=variance > 0)


def fit_binary(
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    link: LinkFunction = "logit",
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
    outside = ~((y >= 0) & (y <= 1))
    refuse_rows(outside, DataError, "a binary outcome is 0 or 1, or a share between them; ", " values are not.")
    check_weights(weights)
    if link == "lpm":
        return _fit_linear(y, x, weights, offset)
    columns = working_columns(x, weights)
    problem = _Problem(y[None], columns.x, None if weights is None else weights[None] / weights.mean(), offset, link)
    ascent = maximise(problem.evaluate, columns.into(start, 1), steps=_STEPS)
    separated = None if problem.settled(ascent)[0] else _separation(problem, columns, ascent)
    if separated is not None and separation == "raise":
        raise IdentificationError(_describe(separated, y, weights, names))
    return _finish(problem, columns, ascent, weights, separated)


def fit_binary_many(
    y: FloatArray,
    x: FloatArray,
    weights: FloatArray | None = None,
    link: LinkFunction = "logit",
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
    columns = working_columns(x, None)
    scaled = None
    if weights is not None:
        rows = np.atleast_2d(weights)
        scaled = rows / np.maximum(rows.mean(axis=1, keepdims=True), np.finfo(float).tiny)
    problem = _Problem(np.atleast_2d(y), columns.x, scaled, offset, link)
    ascent = maximise(problem.evaluate, columns.into(start, problem.fits), tolerance=tolerance, steps=steps)
    return BinaryFits(columns.out_of(ascent.params), problem.settled(ascent), ascent.steps)


# links: log likelihood l of each row, dl / d index, and -d2 l / d index2 ---------------------------------------------


def inverse_mills(index: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return phi/Phi at an index, and delta, minus its derivative.

    >>> ratio, delta = inverse_mills(np.array([0.0]))
    >>> ratio.round(6), delta.round(6)
    (array([0.797885]), array([0.63662]))
    """
    # phi(a) / Phi(a) = sqrt(2 / pi) / erfcx(-a / sqrt 2) underflows nowhere; d/da = -r (r + a)
    ratio = np.sqrt(2 / np.pi) / special.erfcx(-index / np.sqrt(2))
    return np.asarray(ratio), np.asarray(ratio * (ratio + index))


def _logit(index: FloatArray, y: FloatArray) -> _Parts:
    # l = y a - log(1 + e^a),   l' = y - p,   -l'' = p (1 - p)
    bounded = np.clip(index, -500.0, 500.0)
    odds = np.exp(bounded)
    total = 1.0 + odds
    p = odds / total
    return y * bounded - np.log(total), y - p, p / total


def _probit(index: FloatArray, y: FloatArray) -> _Parts:
    # l = y log Phi(a) + (1 - y) log Phi(-a),   l' = y r(a) - (1 - y) r(-a),   r = phi/Phi,   r' = -delta
    up, delta_up = inverse_mills(index)
    down, delta_down = inverse_mills(-index)
    value = y * special.log_ndtr(index) + (1 - y) * special.log_ndtr(-index)
    return value, y * up - (1 - y) * down, y * delta_up + (1 - y) * delta_down


def _cloglog(index: FloatArray, y: FloatArray) -> _Parts:
    # F = 1 - e^-h with h = e^a:   l = y log(1 - e^-h) - (1 - y) h,   l' = y h / (e^h - 1) - (1 - y) h
    hazard = np.exp(np.clip(index, -500.0, 6.5))
    ratio = hazard / np.expm1(hazard)
    value = y * np.log(-np.expm1(-hazard)) - (1 - y) * hazard
    return value, y * ratio - (1 - y) * hazard, y * ratio * (hazard + ratio - 1) + (1 - y) * hazard


def _linear(index: FloatArray, y: FloatArray) -> _Parts:
    residuals = y - index
    return -0.5 * residuals**2, residuals, np.ones_like(residuals)


_PARTS: dict[LinkFunction, Callable[[FloatArray, FloatArray], _Parts]] = {
    "logit": _logit,
    "probit": _probit,
    "cloglog": _cloglog,
    "lpm": _linear,
}


# likelihoods of many fits --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """Fits that share a design; outcomes and weights have one row, or one row for each fit."""

    y: FloatArray
    x: FloatArray
    weights: FloatArray | None
    offset: FloatArray | None
    link: LinkFunction

    @property
    def fits(self) -> int:
        return max(len(self.y), 1 if self.weights is None else len(self.weights))

    def blocks(self, width: int) -> Iterator[slice]:
        """Rows in pieces of which `width` numbers each stay in the cache."""
        size = max(_BLOCK // width, 64)
        return (slice(i, i + size) for i in range(0, len(self.x), size))

    def index(self, params: FloatArray, rows: slice) -> FloatArray:
        """Index of a block of rows, a row for each vector of coefficients."""
        index = params @ self.x[rows].T
        return index if self.offset is None else index + self.offset[rows]

    def evaluate(self, params: FloatArray, fits: IntArray) -> Derivatives:
        """Sum likelihoods and derivatives of some of the fits over blocks of rows."""
        m, k = params.shape
        y, weights = _of_fits(self.y, fits), None if self.weights is None else _of_fits(self.weights, fits)
        value, gradient = np.zeros(m), np.zeros((m, k))
        together = m > _FEW
        information = np.zeros((m, k * (k + 1) // 2 if together else k * k))
        # L = sum_i w_i l_i,   g = sum_i w_i l_i' x_i,   H = sum_i w_i (-l_i'') x_i x_i'
        for rows in self.blocks(information.shape[1] if together else k):
            terms = _PARTS[self.link](self.index(params, rows), y[:, rows])
            if weights is not None:
                w = weights[:, rows]
                terms = (terms[0] * w, terms[1] * w, terms[2] * w)
            x = self.x[rows]
            value += terms[0].sum(axis=1)
            gradient += terms[1] @ x
            if together:
                information += terms[2] @ column_products(x).T
            else:
                information += np.stack([((x.T * curvature) @ x).ravel() for curvature in terms[2]])
        return Derivatives(
            value, gradient, unpack_moments(information) if together else information.reshape(m, k, k)
        )  # fmt: skip

    def settled(self, ascent: Ascent) -> BoolArray:
        """Which fits are at a maximum: their last steps moved no index of a row with weight by much."""
        largest = np.zeros(len(ascent.last))
        for rows in self.blocks(max(ascent.last.shape)):
            change = np.abs(ascent.last @ self.x[rows].T)
            if self.weights is not None:
                change = change * (self.weights[:, rows] > 0)
            np.maximum(largest, change.max(axis=1), out=largest)
        return ascent.converged & (largest <= MOST_MOVED)


def _of_fits(rows: FloatArray, fits: IntArray) -> FloatArray:
    """Outcomes or weights of some of the fits, which they share where there is one row."""
    return rows if len(rows) in (1, len(fits)) else rows[fits]


# results -----------------------------------------------------------------------------------------------------------


def _finish(
    problem: _Problem,
    columns: WorkingColumns,
    ascent: Ascent,
    weights: FloatArray | None,
    separation: Separation | None,
) -> BinaryFit:
    """Evaluate once more where the steps ended."""
    y = problem.y[0]
    index = problem.index(ascent.params, slice(None))[0]
    value, residuals, seen = _PARTS[problem.link](index, y)
    w = np.ones(len(y)) if weights is None else weights
    information = (problem.x.T * (w * seen)) @ problem.x
    return BinaryFit(
        problem.link, columns.out_of(ascent.params, np.nan)[0], columns.bread(invert_information(information)), index,
        probability(index, problem.link), residuals, weights, float(w @ value), columns.kept, columns.collinear,
        ascent.steps, separation,
    )  # fmt: skip


def _fit_linear(y: FloatArray, x: FloatArray, weights: FloatArray | None, offset: FloatArray | None) -> BinaryFit:
    """Least squares, by the orthogonal decomposition."""
    shift = np.zeros(len(y)) if offset is None else offset
    w = np.ones(len(y)) if weights is None else weights
    used = w > 0
    fit = fit_lstsq((y - shift)[used], x[used], None if weights is None else w[used])
    index = x[:, fit.kept] @ fit.params[fit.kept] + shift
    residuals = y - index
    loglik = -0.5 * float(w @ residuals**2)
    return BinaryFit("lpm", fit.params, fit.bread, index, index, residuals, weights, loglik, fit.kept, fit.collinear, 1)


def _separation(problem: _Problem, columns: WorkingColumns, ascent: Ascent) -> Separation:
    """Check that the last step points in a direction that separates the outcomes."""
    y = problem.y[0]
    change = problem.x @ ascent.last[0]
    used = np.ones(len(y), dtype=bool) if problem.weights is None else problem.weights[0] > 0
    size = float(np.abs(change[used]).max())
    # separated: the index moves up wherever y = 1, down wherever y = 0, and stays between
    agrees = np.where(y == 1, change, np.where(y == 0, -change, -np.abs(change)))
    if (agrees[used] < -1e-2 * size).any():
        raise IdentificationError(
            f"the {problem.link} did not converge in {ascent.steps} steps: rescale regressors of very different size, "
            "or leave out those that hardly vary."
        )
    moving = np.flatnonzero(columns.moving(ascent.last)[0])
    return Separation(moving, np.flatnonzero(used & (np.abs(change) > 1e-2 * size)))


def _describe(separation: Separation, y: FloatArray, weights: FloatArray | None, names: Sequence[str] | None) -> str:
    """Say which columns separate the outcomes."""
    used = len(y) if weights is None else int((weights > 0).sum())
    named = named_columns(separation.columns, names)
    verb, noun = ("predicts", "column") if len(named) == 1 else ("predict", "columns")
    return (
        f"the outcomes are separated: {listing(named)} {verb} the outcome of {len(separation.rows):,} of {used:,} rows "
        f"perfectly, so that no finite coefficients fit best. Leave out the {noun} or the rows, or merge levels."
    )
