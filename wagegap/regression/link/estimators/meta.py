"""Random-effects meta-regression: an outcome with known sampling covariance, and a spread beyond it.

y = X b + u + e, e ~ N(0, V) with V known and full, u ~ N(0, tau^2 I). With V = U L U' everything is diagonal after
rotation by U, so every estimator of tau^2 is that of independent rows: moments (DL, HE, PM, EB, and for independent
errors HS, SJ), likelihood (ML, REML), or zero (EE). Knapp and Hartung scale the covariance by the weighted mean square
of the residuals and use t.

References
----------
Viechtbauer, W. (2005). Bias and efficiency of meta-analytic variance estimators in the random-effects model. Journal of
Educational and Behavioral Statistics 30, 261-293.
Knapp, G. and J. Hartung (2003). Improved tests for a random effects meta-regression with a single covariate.
Statistics in Medicine 22, 2693-2710.
Viechtbauer, W. (2007). Confidence intervals for the amount of heterogeneity in meta-analysis. Statistics in Medicine
26, 37-52.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import optimize, stats

from wagegap._typing import FloatArray, IntArray, MetaTest, Tau2Method
from wagegap.errors import DataError, OptionError, check_option, listing
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.estimators.exact import lies_on_line
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["META_TESTS", "TAU2_METHODS", "MetaFit", "estimate", "fit_meta", "q_profile"]

TAU2_METHODS: tuple[Tau2Method, ...] = ("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
_POSITIVE: tuple[Tau2Method, ...] = ("REML", "PM", "HE", "SJ")  # of which one may do with errors of zero
META_TESTS: tuple[MetaTest, ...] = ("z", "t", "knha")
_NO_SPREAD = "the rates spread no more than their sampling errors would spread them"
_SINGULAR = 1e-14  # eigenvalue of V, relative to its largest, that is zero


@dataclass(frozen=True, slots=True, eq=False)
class MetaFit:
    """A meta-regression.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients.
    cov : ndarray, shape (k, k)
        Their covariance.
    df : float
        Degrees of freedom; infinite for z.
    tau2 : float
        Variance of the outcome beyond sampling error, in squared units of the outcome.
    tau2_se : float
        Its standard error; NaN where the estimator has none.
    tau2_interval : tuple of float
        Q-profile interval, 95 %.
    q, q_pvalue : float
        Cochran's test that tau^2 is zero; Q is infinite without sampling errors, NaN where some are zero.
    i2 : float
        Share of the spread that is not sampling error; NaN where some sampling errors are zero.
    h2 : float
        Total spread over sampling error.
    weight : ndarray, shape (n, n)
        (V + tau^2 I)^-1.
    """

    params: FloatArray
    cov: FloatArray
    df: float
    tau2: float
    tau2_se: float
    tau2_interval: tuple[float, float]
    q: float
    q_pvalue: float
    i2: float
    h2: float
    weight: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Rotated:
    """The problem in coordinates where V is diagonal."""

    y: FloatArray
    x: FloatArray
    v: FloatArray

    @property
    def df(self) -> int:
        return int(len(self.y) - self.x.shape[1])

    def at(self, tau2: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Weights, (X'WX)^-1 and residuals."""
        w = 1.0 / (self.v + tau2)
        xw = self.x * w[:, None]
        bread = np.asarray(np.linalg.inv(self.x.T @ xw), dtype=np.float64)
        return w, bread, self.y - self.x @ (bread @ (xw.T @ self.y))

    @property
    def positive(self) -> bool:
        """Whether no row is without sampling error."""
        return bool((self.v > 0).all())

    @property
    def errorless(self) -> bool:
        """Whether there is no sampling error at all."""
        return not self.v.any()

    @property
    def floor(self) -> float:
        """Smallest tau^2 at which all weights are finite."""
        return 0.0 if self.positive else 1e-12 * max(float(np.var(self.y)), 1e-300)

    def q(self, tau2: float) -> float:
        """Weighted squared residuals, y'P y."""
        w, _, e = self.at(tau2)
        return float(e @ (w * e))

    def p(self, w: FloatArray) -> FloatArray:
        """P = W - W X (X'WX)^-1 X'W for any weights."""
        xw = self.x * w[:, None]
        return np.asarray(np.diag(w) - xw @ np.linalg.inv(self.x.T @ xw) @ xw.T)


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Meta-regression as an estimator of the link; with clusters, the robust covariance at its weights."""
    names = problem.cells
    fit = fit_meta(problem.y, problem.x, problem.v_y, tau2=options.tau2, test=options.test, cells=names)
    clustered = options.groups is not None
    half = np.asarray(np.linalg.cholesky(fit.weight).T, dtype=np.float64) if clustered else None
    refit = partial(fit_meta, tau2=options.tau2, test="z")
    without = None
    if problem.estimated:
        parts = delete_groups(problem, lambda part, _: refit(part.y, part.x, part.v_y).params)
        without = parts[:, problem.estimated[0]]
    statistics = {"q": fit.q, "q_df": float(problem.n - problem.k), "q_p_value": fit.q_pvalue, "i2": fit.i2}
    return LinkFit(
        fit.params, None if clustered else fit.cov, f"tau2 by {options.tau2}, {options.test}", df=fit.df, tau2=fit.tau2,
        tau2_interval=fit.tau2_interval, half_weight=half, without=without, statistics=statistics,
        boundary={"tau = 0": _NO_SPREAD} if fit.tau2 == 0 and options.tau2 != "EE" and problem.v_y.any() else {},
    )  # fmt: skip


def fit_meta(
    y: FloatArray,
    x: FloatArray,
    v: FloatArray,
    *,
    tau2: Tau2Method = "REML",
    test: MetaTest = "knha",
    cells: Sequence[str] = (),
) -> MetaFit:
    """Fit a meta-regression.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, with a constant.
    v : ndarray, shape (n, n) or (n,)
        Sampling covariance, or variances.
    tau2 : str
        Estimator of the variance beyond sampling error.
    test : {"z", "t", "knha"}
        Reference distribution and scale.
    cells : sequence of str
        Names of the rows, for messages; their numbers where absent.

    Raises
    ------
    OptionError
        Where some sampling errors are zero and the estimator of tau^2 cannot do with that, or finds none.
    DataError

    Examples
    --------
    >>> import numpy as np
    >>> fit = fit_meta(np.array([1.0, 2.0, 3.0]), np.ones((3, 1)), np.array([0.5, 0.5, 0.5]), tau2="DL")
    >>> fit.params, round(fit.tau2, 3)
    (array([2.]), 0.5)
    """
    check_option("tau2", tau2, TAU2_METHODS)
    check_option("test", test, META_TESTS)
    rotated, u = _rotate(y, x, v)
    if _is_full(v) and tau2 in ("HS", "SJ"):
        raise OptionError(f"tau2={tau2!r} is defined for independent errors only: use 'REML', 'PM', 'DL' or 'HE'.")
    if not rotated.positive and lies_on_line(y, x):
        return _exact_line(y, x, test)
    _check_weights(rotated, tau2, np.flatnonzero(np.diag(v) <= 0 if v.ndim == 2 else v <= 0), cells)
    value, error = _tau2(rotated, tau2)
    w, bread, e = rotated.at(value)
    scale = float(e @ (w * e)) / rotated.df if test == "knha" else 1.0
    q, i2, h2 = _heterogeneity(rotated, value, tau2)
    return MetaFit(
        bread @ (rotated.x.T @ (w * rotated.y)), scale * bread, np.inf if test == "z" else float(rotated.df), value,
        error, q_profile(y, x, v), q, float(stats.chi2.sf(q, rotated.df)), i2, h2, (u * w) @ u.T,
    )  # fmt: skip


def _exact_line(y: FloatArray, x: FloatArray, test: MetaTest) -> MetaFit:
    """Rows on a line and errors that may be zero: the line, whatever the weights, and no error of it."""
    (n, k), nan = x.shape, np.nan
    params = np.asarray(np.linalg.lstsq(x, y, rcond=None)[0], dtype=np.float64)
    df = np.inf if test == "z" else float(n - k)
    return MetaFit(params, np.zeros((k, k)), df, 0.0, nan, (0.0, 0.0), nan, nan, nan, nan, np.eye(n))


def _heterogeneity(r: _Rotated, tau2: float, method: Tau2Method) -> tuple[float, float, float]:
    """Cochran's Q, I^2 and H^2."""
    if not r.positive:
        return (np.inf, 1.0, np.inf) if r.errorless else (np.nan, np.nan, np.nan)
    # I^2 = tau^2 / (tau^2 + s^2), H^2 = tau^2 / s^2 + 1 with the typical variance s^2 = (n - k) / tr(P), P at 1 / v;
    # by equal effects (Q - (n - k)) / Q and Q / (n - k)
    typical = r.df / float(np.trace(r.p(1 / r.v)))
    q = r.q(0.0)
    if method == "EE":
        return q, max(1 - r.df / q, 0.0) if q > 0 else 0.0, q / r.df
    return q, tau2 / (tau2 + typical), tau2 / typical + 1


def _check_weights(r: _Rotated, tau2: Tau2Method, zero: IntArray, cells: Sequence[str]) -> None:
    """Refuse an estimator of tau^2 that would give some rows an infinite weight, and name one that does not."""
    if r.positive or (r.errorless and tau2 != "EE"):
        return
    if tau2 in ("EE", "DL", "HS"):
        why = "takes tau as zero" if tau2 == "EE" else "weighs by 1 / v"
    elif _tau2(r, tau2)[0] == 0:
        why = "finds no spread beyond sampling error, so that they alone would fix the line, and without error"
    else:
        return
    n, others = len(r.y), _POSITIVE if len(zero) else _POSITIVE[:3]
    able = [repr(name) for name in others if name != tau2 and _tau2(r, name)[0] > 0]
    what = (
        f"the sampling variance is zero in {len(zero)} of {n} cells ({listing([cells[i] for i in zero] or zero)})"
        if len(zero) and cells
        else f"the sampling variance is zero in {len(zero)} of {n} rows ({listing(zero)})"
        if len(zero)
        else f"the sampling covariance is singular: {int((r.v <= 0).sum())} combinations of the {n} cells have no error"
    )
    raise OptionError(
        f"{what}, and tau2={tau2!r} {why}. A rounded 0.00 is no error of zero: give it more "
        f"digits{f', or tau2={listing(able)}' if able else ''}, or method='ols', which does not weigh by errors."
    )


def q_profile(y: FloatArray, x: FloatArray, v: FloatArray, alpha: float = 0.05) -> tuple[float, float]:
    """Return the interval of tau^2 whose ends give y'P y the quantiles of chi-squared(n - k)."""
    rotated = _rotate(y, x, v)[0]
    low, high = (_solve_q(rotated, float(stats.chi2.isf(tail, rotated.df))) for tail in (alpha / 2, 1 - alpha / 2))
    return low, high


def _is_full(v: FloatArray) -> bool:
    """Whether errors of different rows are correlated."""
    return v.ndim == 2 and bool(np.any(v - np.diag(np.diag(v))))


def _rotate(y: FloatArray, x: FloatArray, v: FloatArray) -> tuple[_Rotated, FloatArray]:
    n, k = x.shape
    if n <= k:
        raise DataError(f"{n} rows for {k} coefficients: at least {k + 1} rows are needed.")
    if not _is_full(v):
        return _Rotated(y, x, v if v.ndim == 1 else np.diag(v)), np.eye(n)
    values, u = np.linalg.eigh(v)
    return _Rotated(u.T @ y, u.T @ x, np.where(values > _SINGULAR * values[-1], values, 0.0)), u


def _solve_q(r: _Rotated, target: float) -> float:
    """tau^2 at which y'P y equals a target; it falls in tau^2."""
    if r.q(r.floor) <= target:
        return 0.0
    top = max(float(np.var(r.y)), r.floor, 1e-300)
    while r.q(top) > target:
        top *= 4
    return float(optimize.brentq(lambda t: r.q(t) - target, r.floor, top, xtol=1e-300, rtol=1e-14, maxiter=500))


def _tau2(r: _Rotated, method: Tau2Method) -> tuple[float, float]:
    """tau^2 and its standard error."""
    match method:
        case "EE":
            return 0.0, np.nan
        case "DL":
            return _moment(r, np.ones(len(r.y)) if r.errorless else 1 / r.v)
        case "HE":
            return _moment(r, np.ones(len(r.y)))
        case "HS":
            return _hunter_schmidt(r)
        case "SJ":
            return _sidik_jonkman(r)
        case "PM" | "EB":
            return _paule_mandel(r)
        case _:
            return _likelihood(r, restricted=method == "REML")


def _spread(r: _Rotated, p: FloatArray, tau2: float) -> float:
    """Standard deviation of y'P y, for P with P X = 0."""
    # var y'P y = 2 tr(P V P V) + 4 tau^2 tr(P V P) + 2 tau^4 tr(P P)
    pv = p * r.v
    return float(np.sqrt(2 * np.sum(pv * pv.T) + 4 * tau2 * np.trace(pv @ p) + 2 * tau2**2 * np.sum(p * p)))


def _moment(r: _Rotated, w: FloatArray) -> tuple[float, float]:
    # tau^2 = (y'P y - tr(P V)) / tr(P)
    p = r.p(w)
    trace = float(np.trace(p))
    value = max((float(r.y @ p @ r.y) - float(np.diag(p) @ r.v)) / trace, 0.0)
    return value, _spread(r, p, value) / trace


def _hunter_schmidt(r: _Rotated) -> tuple[float, float]:
    # tau^2 = (y'P y - n) / sum w, w = 1 / v; y'P y / n at w = 1 where errors vanish
    w = np.ones(len(r.y)) if r.errorless else 1 / r.v
    p, total = r.p(w), float(w.sum())
    value = max((float(r.y @ p @ r.y) - float(w @ r.v)) / total, 0.0)
    return value, _spread(r, p, value) / total


def _sidik_jonkman(r: _Rotated) -> tuple[float, float]:
    # tau^2 = t y'P y / (n - k), P at the weights 1 / (v + t), t = var y
    start = float(np.var(r.y))
    value = start * r.q(start) / r.df
    return value, start / r.df * _spread(r, r.p(1 / (r.v + start)), value)


def _paule_mandel(r: _Rotated) -> tuple[float, float]:
    # y'P y = n - k, with the standard error (2 n^2 / (n - k))^(1/2) / sum w
    value = _solve_q(r, float(r.df))
    return value, float(np.sqrt(2 / r.df)) * len(r.y) / float(np.sum(1 / (r.v + max(value, r.floor))))


def _likelihood(r: _Rotated, *, restricted: bool) -> tuple[float, float]:
    # Standard error (2 / tr(W W))^(1/2), or (2 / tr(P P))^(1/2) under REML
    value = _maximum(r, restricted=restricted)
    w = 1 / (r.v + max(value, r.floor))
    p = r.p(w) if restricted else np.diag(w)
    return value, float(np.sqrt(2 / np.sum(p * p)))


def _score(r: _Rotated, tau2: float, *, restricted: bool) -> float:
    """Derivative of twice the log likelihood."""
    # e'W W e - tr(W), or tr(P) under REML, P = W - W X (X'W X)^-1 X'W
    w, bread, e = r.at(tau2)
    means = np.trace(bread @ (r.x.T @ (r.x * (w**2)[:, None]))) if restricted else 0.0
    return float(np.sum((w * e) ** 2) - w.sum() + means)


def _loglik(r: _Rotated, tau2: float, *, restricted: bool) -> float:
    # l = -(n log 2 pi - sum log w + e'W e) / 2, and under REML + (k log 2 pi - log|X'W X| + log|X'X|) / 2
    w, bread, e = r.at(max(tau2, r.floor))
    twice = np.sum(np.log(w / (2 * np.pi))) - e @ (w * e)
    if restricted:
        twice += len(bread) * np.log(2 * np.pi) + np.linalg.slogdet(bread)[1] + np.linalg.slogdet(r.x.T @ r.x)[1]
    return float(twice / 2)


def _maximum(r: _Rotated, *, restricted: bool) -> float:
    """Highest local maximum of the likelihood on a grid, then the root of the score beside it."""
    floor, score = r.floor, partial(_score, r, restricted=restricted)
    grid = np.concatenate([[floor], (float(np.var(r.y)) or 1.0) * np.geomspace(1e-8, 1e2, 60)])
    scores = np.array([score(float(t)) for t in grid])
    falls = np.flatnonzero((scores[:-1] > 0) & (scores[1:] <= 0))
    tops = [float(optimize.brentq(score, grid[i], grid[i + 1], xtol=1e-300, rtol=1e-14)) for i in falls]
    if scores[0] <= 0 or not tops:
        tops = [floor, *tops]
    best = max(tops, key=partial(_loglik, r, restricted=restricted))
    return 0.0 if best == floor else best
