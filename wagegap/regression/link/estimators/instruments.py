"""Instruments for a premium: two-stage least squares, and an interval that weak instruments cannot break.

A premium with error is a regressor that is correlated with its residual. An instrument that moves the true premium and
is unrelated to the error (another source's premium, a wage rule) identifies the slope, with no need to know the error's
size. Anderson and Rubin's interval holds every b for which the instruments do not explain y - b p: it has the right
coverage however weak they are, and is the whole line, or two rays, where they say little.

References
----------
Anderson, T. W. and H. Rubin (1949). Estimation of the parameters of a single equation in a complete system of
stochastic equations. Annals of Mathematical Statistics 20, 46-63.
Griliches, Z. and J. A. Hausman (1986). Errors in variables in panel data. Journal of Econometrics 31, 93-118.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import DataError, IdentificationError, OptionError, listing
from wagegap.estimation.reliability import annihilator
from wagegap.regression.link.estimators.estimator import LinkFit, Options, cluster_scores
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["AndersonRubin", "anderson_rubin", "estimate", "fit_instruments"]


@dataclass(frozen=True, slots=True)
class AndersonRubin(Shown):
    """Slopes that the instruments do not reject.

    Attributes
    ----------
    pieces : tuple of (float, float)
        Intervals, from none (the model is rejected) to two rays.
    p_value : float
        Of a slope of zero.
    """

    pieces: tuple[tuple[float, float], ...]
    p_value: float

    def __str__(self) -> str:
        if not self.pieces:
            return "no slope (the instruments contradict one another)"
        if self.pieces == ((-np.inf, np.inf),):
            return "every slope"
        return " and ".join(f"{low:.4g} to {high:.4g}" for low, high in self.pieces)


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """Two-stage least squares as an estimator of the link, with Anderson and Rubin's interval in its notes."""
    if len(problem.estimated) > 1:
        raise OptionError("method='iv' takes one premium: put further ones among the controls, or use 'eiv'.")
    j, z = problem.estimated[0], options.instruments
    assert z is not None
    params, cov, strength = fit_instruments(problem.y, problem.x, j, z, groups=options.groups)
    weak = anderson_rubin(problem.y, problem.x[:, j], problem.others, z)
    without = delete_groups(problem, lambda part, rows: fit_instruments(part.y, part.x, j, z[rows])[0])
    notes = (
        f"First stage: F = {strength:.1f} for {z.shape[1]} instrument{'' if z.shape[1] == 1 else 's'}.",
        f"Anderson-Rubin 95 % interval of the slope: {weak}; p of zero {weak.p_value:.3f}.",
    )
    return LinkFit(params, cov, "2SLS sandwich", notes=notes, without=without[:, j])


def fit_instruments(
    y: FloatArray, x: FloatArray, endogenous: int, z: FloatArray, *, groups: AnyArray | None = None
) -> tuple[FloatArray, FloatArray, float]:
    """Fit by two-stage least squares.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors, the constant among them.
    endogenous : int
        Column of the premium.
    z : ndarray, shape (n, l)
        Excluded instruments.
    groups : ndarray, shape (n,), optional
        Clusters.

    Returns
    -------
    tuple
        Coefficients (k,), their sandwich (k, k), with n / (n - k) or with clusters, and the classical F of the excluded
        instruments in the first stage.

    Raises
    ------
    IdentificationError
        When an instrument does not vary given the controls, or tells nothing of the premium.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([0.0, 1.0, 2.0, 3.0])
    >>> x = np.column_stack([z + [0.1, -0.1, -0.1, 0.1], np.ones(4)])
    >>> fit_instruments(2 * z, x, 0, z[:, None])[0].round(6) + 0.0
    array([2., 0.])
    """
    m = _checked(z, np.delete(x, endogenous, axis=1))
    # First stage after the controls: M p = Q Q'M p + rest, Q a basis of M Z
    q = np.linalg.qr(m @ z)[0]
    p = m @ x[:, endogenous]
    explained = q @ (q.T @ p)
    unexplained = p - explained
    df, square = x.shape[0] - x.shape[1] + 1 - z.shape[1], float(explained @ explained)
    if square <= 1e-20 * float(p @ p):
        raise IdentificationError("the instruments are unrelated to the premium: no slope is identified.")
    # b = (X^'X^)^-1 X^'y, V = c (X^'X^)^-1 sum_g s_g s_g' (X^'X^)^-1 with s = X^ (y - X b)
    fitted = x.copy()
    fitted[:, endogenous] = x[:, endogenous] - unexplained
    bread = np.linalg.inv(fitted.T @ fitted)
    params = bread @ (fitted.T @ y)
    scores, factor = cluster_scores(fitted * (y - x @ params)[:, None], groups)
    strength = square / z.shape[1] / (float(unexplained @ unexplained) / df) if df > 0 else np.nan
    return params, factor * bread @ (scores.T @ scores) @ bread, strength


def anderson_rubin(
    y: FloatArray, p: FloatArray, controls: FloatArray, z: FloatArray, *, alpha: float = 0.05
) -> AndersonRubin:
    """Invert the F test of the instruments in the regression of y - b p on them and the controls.

    Parameters
    ----------
    y, p : ndarray, shape (n,)
        Outcome and premium.
    controls : ndarray, shape (n, q)
        Exact columns, the constant among them.
    z : ndarray, shape (n, l)
        Excluded instruments.
    alpha : float
        One minus the coverage.
    """
    n, q = controls.shape
    m = _checked(z, controls)
    basis = np.linalg.qr(m @ z)[0]
    yp = m @ np.column_stack([y, p])
    df = n - q - z.shape[1]
    if df < 1:
        raise DataError(f"{n} rows leave nothing for an Anderson-Rubin test with {z.shape[1]} instruments.")
    # (y - b p)'P_Z (y - b p) / l <= F(l, df) (y - b p)'M_Z (y - b p) / df, quadratic in b
    inside = yp.T @ basis @ (basis.T @ yp)
    outside = yp.T @ yp - inside
    ratio = z.shape[1] / df
    gap = inside - ratio * float(stats.f.isf(alpha, z.shape[1], df)) * outside
    f = float(inside[0, 0] / outside[0, 0]) / ratio if outside[0, 0] > 0 else np.inf
    return AndersonRubin(_below_zero(gap[1, 1], -2 * gap[0, 1], gap[0, 0]), float(stats.f.sf(f, z.shape[1], df)))


def _below_zero(a: float, b: float, c: float) -> tuple[tuple[float, float], ...]:
    """Where a x^2 + b x + c <= 0.

    >>> _below_zero(1.0, 0.0, -4.0), _below_zero(-1.0, 0.0, 4.0)
    (((-2.0, 2.0),), ((-inf, -2.0), (2.0, inf)))
    """
    inside = b * b - 4 * a * c
    if inside < 0:
        return ((-np.inf, np.inf),) if a < 0 else ()
    low, high = sorted(float((-b + sign * np.sqrt(inside)) / (2 * a)) for sign in (-1, 1))
    return ((low, high),) if a > 0 else ((-np.inf, low), (high, np.inf))


def _checked(z: FloatArray, controls: FloatArray) -> FloatArray:
    """Annihilator of the controls, once the instruments are known to vary given them."""
    n, k = len(z), controls.shape[1] + 1
    if n <= k:
        raise DataError(f"{n} rows for {k} coefficients: at least {k + 1} rows are needed.")
    m = annihilator(controls)
    within = m @ z
    still = np.linalg.norm(within, axis=0) <= 1e-10 * np.maximum(np.linalg.norm(z, axis=0), 1e-300)
    if still.any() or np.linalg.matrix_rank(within) < z.shape[1]:
        what = listing(f"instrument {j + 1}" for j in np.flatnonzero(still)) or "the instruments together"
        raise IdentificationError(
            f"{what} of {z.shape[1]} do not vary across cells once the controls are taken out: an instrument that is "
            "the same everywhere says nothing."
        )
    return m
