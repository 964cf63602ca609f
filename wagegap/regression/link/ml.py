"""Maximum likelihood of the structural model: premiums and rates jointly normal given the known error covariance.

P = Z d + r with r ~ N(0, s^2 I), Y = b P + Z g + u with u ~ N(0, t^2 I), and the observed (y, p) add errors of known
covariance. The means are free in Z, so they are profiled out by generalised least squares, and the likelihood is a
function of (b, s^2, t^2). The interval of the slope holds every b with 2 (l(b^) - l_p(b)) <= F(1, n - k): it need not
be symmetric, nor bounded where the premiums are poorly measured.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.2.
van Houwelingen, H., L. Arends and T. Stijnen (2002). Advanced methods in meta-analysis: multivariate approach and
meta-regression. Statistics in Medicine 21, 589-624.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, optimize, stats

from wagegap._typing import FloatArray
from wagegap.errors import OptionError
from wagegap.regression.link.problem import LinkProblem

__all__ = ["MlFit", "fit_ml", "likelihood_ratio", "profile_interval"]

_REACH = 1e3


@dataclass(frozen=True, slots=True, eq=False)
class MlFit:
    """A structural fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, in the order of the columns of x.
    cov : ndarray, shape (k, k)
        Covariance from the curvature of the profile, for the slope, and of the exact columns given it.
    interval : tuple of float
        95 % profile interval of the slope; infinite ends where the data do not bound it.
    sigma2, tau2 : float
        Variance of true premiums given the controls; of true rates given premiums and controls.
    loglik : float
        Log likelihood at the maximum.
    df : float
        n - k.
    """

    params: FloatArray
    cov: FloatArray
    interval: tuple[float, float]
    sigma2: float
    tau2: float
    loglik: float
    df: float


def fit_ml(problem: LinkProblem, *, alpha: float = 0.05) -> MlFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    problem : LinkProblem
        With one estimated regressor.
    alpha : float
        One minus the coverage of the interval.

    Raises
    ------
    OptionError
        With several estimated regressors.
    """
    if len(problem.estimated) != 1:
        raise OptionError(f"method='ml' takes one estimated premium, not {len(problem.estimated)}: use method='eiv'.")
    model = _Model(problem)
    slope, inner, best = model.maximum()
    curvature = model.curvature(slope, inner)
    sigma2, tau2 = model.variances(inner)
    covariance, means = model.means(slope, inner)
    z = problem.controls
    params = np.empty(problem.k)
    gamma = means[z.shape[1] :] - slope * means[: z.shape[1]]
    params[problem.estimated[0]], params[list(problem.exact)] = slope, gamma
    variance = 1.0 / curvature if curvature > 0 else np.inf
    jump = np.hstack([-slope * np.eye(z.shape[1]), np.eye(z.shape[1])])
    cov = np.zeros((problem.k, problem.k))
    exact = list(problem.exact)
    delta = means[: z.shape[1]]
    cov[np.ix_(exact, exact)] = jump @ covariance @ jump.T + variance * np.outer(delta, delta)
    cov[problem.estimated[0], problem.estimated[0]] = variance
    cov[problem.estimated[0], exact] = cov[exact, problem.estimated[0]] = -variance * delta
    interval = profile_interval(problem, alpha=alpha, model=model, at=(slope, inner, best))
    return MlFit(params, cov, interval, sigma2, tau2, best, float(problem.n - problem.k))


def profile_interval(
    problem: LinkProblem,
    *,
    alpha: float = 0.05,
    model: _Model | None = None,
    at: tuple[float, FloatArray, float] | None = None,
) -> tuple[float, float]:
    """Slopes whose profile likelihood is within F(1, n - k) of the maximum."""
    model = model or _Model(problem)
    slope, inner, best = at or model.maximum()
    cut = best - 0.5 * float(stats.f.isf(alpha, 1, problem.n - problem.k))
    return tuple(_crossing(model, slope, inner, cut, direction) for direction in (-1.0, 1.0))  # type: ignore[return-value]


def likelihood_ratio(problem: LinkProblem, slope: float, fit: MlFit) -> float:
    """Twice the fall of the log likelihood when the slope is set."""
    model = _Model(problem)
    return max(2 * (fit.loglik - model.profile(slope, np.array([0.7, 0.5]))[0]), 0.0)


def _crossing(model: _Model, slope: float, inner: FloatArray, cut: float, direction: float) -> float:
    """Walk outwards in growing steps until the profile falls below the cut, then find the crossing."""
    step, inside, start = model.step, slope, inner
    for _ in range(60):
        outside = inside + direction * step
        value, moved = model.profile(outside, start)
        if value < cut:
            return _root(model, moved, cut, inside, outside)
        inside, start, step = outside, moved, 1.6 * step
        if abs(inside - slope) > _REACH * model.unit:
            break
    return float(direction * np.inf)


def _root(model: _Model, start: FloatArray, cut: float, inside: float, outside: float) -> float:
    return float(optimize.brentq(lambda b: model.profile(b, start)[0] - cut, inside, outside, rtol=1e-8))


class _Model:
    """The likelihood of one problem; the variances are scaled so that the optimiser sees numbers near one."""

    def __init__(self, problem: LinkProblem) -> None:
        self.problem = problem
        self.p, self.y, self.z = problem.premiums[:, 0], problem.y, problem.controls
        fit = np.linalg.lstsq(problem.x, problem.y, rcond=None)[0]
        rest_p = self.p - self.z @ np.linalg.lstsq(self.z, self.p, rcond=None)[0]
        rest_y = self.y - self.z @ np.linalg.lstsq(self.z, self.y, rcond=None)[0]
        self.scale_p = float(rest_p @ rest_p) / problem.n
        self.scale_y = max(float(rest_y @ rest_y) / problem.n, 1e-300)
        self.unit = float(np.sqrt(self.scale_y / self.scale_p))
        self.naive = float(fit[problem.estimated[0]])
        self.step = 0.25 * self.unit
        self.design = linalg.block_diag(self.z, self.z)
        self.data = np.concatenate([self.p, self.y])

    def variances(self, inner: FloatArray) -> tuple[float, float]:
        """sigma^2 and tau^2: squares, so that zero can be reached."""
        return float(self.scale_p * inner[0] ** 2), float(self.scale_y * inner[1] ** 2)

    def covariance(self, slope: float, inner: FloatArray) -> FloatArray:
        """Covariance of (p, y), shape (2n, 2n)."""
        sigma2, tau2 = self.variances(inner)
        eye = np.eye(self.problem.n)
        v_p, v_py, v_y = self.problem.v_x[0, 0], self.problem.v_xy[0], self.problem.v_y
        cross = slope * sigma2 * eye + v_py
        return np.block([[v_p + sigma2 * eye, cross], [cross.T, v_y + (slope**2 * sigma2 + tau2) * eye]])

    def whitened(self, slope: float, inner: FloatArray) -> tuple[FloatArray, FloatArray, float] | None:
        try:
            factor = linalg.cholesky(self.covariance(slope, inner), lower=True, check_finite=False)
        except linalg.LinAlgError:
            return None
        both = linalg.solve_triangular(
            factor, np.column_stack([self.design, self.data]), lower=True, check_finite=False
        )
        return both[:, :-1], both[:, -1], 2.0 * float(np.sum(np.log(np.diag(factor))))

    def loglik(self, slope: float, inner: FloatArray) -> float:
        """Log likelihood with the means at their best."""
        parts = self.whitened(slope, inner)
        if parts is None:
            return -1e300
        x, y, logdet = parts
        q, _ = np.linalg.qr(x)
        rest = y - q @ (q.T @ y)
        return -0.5 * (len(y) * float(np.log(2 * np.pi)) + logdet + float(rest @ rest))

    def means(self, slope: float, inner: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Covariance and value of the coefficients of the two means."""
        parts = self.whitened(slope, inner)
        assert parts is not None
        x, y, _ = parts
        bread = np.asarray(np.linalg.inv(x.T @ x), dtype=np.float64)
        return bread, bread @ (x.T @ y)

    def profile(self, slope: float, start: FloatArray) -> tuple[float, FloatArray]:
        """Maximum over the two variances at a slope."""
        tries = [_climb(lambda inner: self.loglik(slope, inner), first) for first in (start, np.array([0.7, 0.5]))]
        return max(tries, key=lambda found: found[0])

    def maximum(self) -> tuple[float, FloatArray, float]:
        """Slope, inner parameters and value at the maximum, from several starts: there may be more than one hill."""
        starts = [np.array([factor * self.naive / self.unit, 0.8, 0.6]) for factor in (1.0, 1.5)]
        starts += [np.array([sign, 0.5, 0.1]) for sign in (-2.0, 2.0)]
        tries = [_climb(lambda t: self.loglik(t[0] * self.unit, t[1:]), first) for first in starts]
        value, found = max(tries, key=lambda done: done[0])
        return float(found[0] * self.unit), found[1:], value

    def curvature(self, slope: float, inner: FloatArray) -> float:
        """Minus the second derivative of the profile likelihood."""
        h = 0.02 * self.unit
        up, down = self.profile(slope + h, inner)[0], self.profile(slope - h, inner)[0]
        return (2 * self.profile(slope, inner)[0] - up - down) / h**2


def _climb(function: Callable[[FloatArray], float], start: FloatArray) -> tuple[float, FloatArray]:
    """Maximum of a function that need not be smooth at the bounds of the variances."""
    options: Any = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    found: Any = optimize.minimize(lambda t: -function(t), start, method="Nelder-Mead", options=options)  # type: ignore[call-overload]
    return -float(found.fun), np.asarray(found.x)
