"""Linear models of panels and with instruments, each turned into least squares of changed columns.

Random effects are least squares after a part of every unit's mean is taken out, the part set by the variances of the
two errors (Swamy and Arora, for unbalanced panels as Baltagi and Chang have it); between is least squares of means;
first differences of steps. Two-stage least squares replaces endogenous columns by their projection on the instruments,
and the outcome by what has the same coefficients and the residuals of the model itself, so that whatever computes the
covariance of least squares computes the right one.

References
----------
Baltagi, B. and Y.-J. Chang (1994). Incomplete panels. Journal of Econometrics 62, 67-89.
Beck, N. and J. Katz (1995). What to do (and not to do) with time-series cross-section data. American Political Science
Review 89, 634-647.
Sargan, J. (1958). The estimation of economic relationships using instrumental variables. Econometrica 26, 393-415.
Swamy, P. and S. Arora (1972). The exact finite sample properties of the estimators of coefficients in the error
components regression models. Econometrica 40, 261-275.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import BoolArray, CodeArray, FloatArray
from wagegap.errors import IdentificationError
from wagegap.estimation.least_squares.absorb import absorb
from wagegap.estimation.least_squares.lstsq import fit_lstsq

__all__ = [
    "TwoStage",
    "VarianceComponents",
    "beck_katz",
    "quasi_demeaned",
    "sargan",
    "two_stage",
    "unit_means",
    "variance_components",
]


@dataclass(frozen=True, slots=True)
class VarianceComponents:
    """Variances of the two errors of a random-effects model.

    Attributes
    ----------
    unit : float
        Variance of the units' effects; zero where the estimate is negative.
    row : float
        Variance of the error of a row.
    """

    unit: float
    row: float


def unit_means(columns: FloatArray, codes: CodeArray) -> FloatArray:
    """Mean of every column in every unit, shape (units, k)."""
    sizes = np.bincount(codes)
    return np.column_stack([np.bincount(codes, weights=column) / sizes for column in columns.T])


def variance_components(y: FloatArray, x: FloatArray, codes: CodeArray) -> VarianceComponents:
    """Estimate the two variances from the fit within units and the fit of their means.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors, the constant among them.
    codes : ndarray of int, shape (n,)
        Unit of each row.

    Raises
    ------
    IdentificationError
        When units or rows within them are too few.

    Notes
    -----
    The error variance is the within fit's. The sum of T_i times the squared residual of the means, weighted by T_i, has
    expectation (N - K) row + (n - tr((X'PX)^-1 X'ZZ'X)) unit.
    """
    columns = np.column_stack([y, x])
    within, means = absorb(columns, [codes]), unit_means(columns, codes)
    within[:, np.linalg.norm(within, axis=0) <= 1e-9 * np.linalg.norm(columns, axis=0)] = 0.0
    inner = fit_lstsq(within[:, 0], within[:, 1:])
    sizes = np.bincount(codes).astype(float)
    outer = fit_lstsq(means[:, 0], means[:, 1:], sizes)
    df_within, df_between = len(y) - len(sizes) - inner.rank, len(sizes) - outer.rank
    if df_within <= 0 or df_between <= 0:
        raise IdentificationError(
            f"{len(y):,} rows of {len(sizes):,} units do not tell the variance between units from that within them, "
            f"with {x.shape[1]} coefficients."
        )
    # row = e'e / (n - N - k);   unit = [sum_i T_i ebar_i^2 - (N - K) row] / [n - tr((X'PX)^-1 X'ZZ'X)], with
    # X'PX = sum_i T_i xbar_i xbar_i' and X'ZZ'X = sum_i T_i^2 xbar_i xbar_i'
    row = float(inner.residuals @ inner.residuals) / df_within
    kept = means[:, 1:][:, outer.kept]
    bread = outer.bread[np.ix_(outer.kept, outer.kept)]
    trace = np.sum(bread * (kept.T @ (sizes[:, None] ** 2 * kept)))
    between = float(sizes @ outer.residuals**2 - df_between * row) / (len(y) - float(trace))
    return VarianceComponents(max(between, 0.0), row)


def quasi_demeaned(columns: FloatArray, codes: CodeArray, components: VarianceComponents) -> FloatArray:
    """Columns less the part of their unit's mean that makes the errors uncorrelated."""
    # y_it - theta_i ybar_i,   theta_i = 1 - [row / (row + T_i unit)]^1/2
    share = 1 - np.sqrt(components.row / (components.row + np.bincount(codes) * components.unit))
    return np.asarray(columns - (share[:, None] * unit_means(columns, codes))[codes])


@dataclass(frozen=True, slots=True, eq=False)
class TwoStage:
    """Columns whose least squares fit is two-stage least squares.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Outcome less (x - projected) b: the same coefficients, and the residuals of the model itself.
    x : ndarray, shape (n, k)
        Regressors, the endogenous ones projected on the instruments.
    left : ndarray, shape (n, m)
        What the projection leaves of the endogenous columns.
    params : ndarray, shape (k,)
        Coefficients.
    """

    y: FloatArray
    x: FloatArray
    left: FloatArray
    params: FloatArray


def two_stage(
    y: FloatArray, x: FloatArray, z: FloatArray, endogenous: BoolArray, weights: FloatArray | None = None
) -> TwoStage:
    """Project the endogenous columns of x on the others and z.

    Parameters
    ----------
    y, x, z : ndarray, shapes (n,), (n, k), (n, q)
        Outcome, regressors, instruments beside the regressors; absorbed effects taken out of all of them.
    endogenous : ndarray of bool, shape (k,)
        Columns of x that are correlated with the error.
    weights : ndarray, shape (n,), optional
        Positive weights.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.array([[-1.0], [1], [-1], [1]])
    >>> x = np.column_stack([np.ones(4), z[:, 0] + [0, 0, 1, 1]])
    >>> float(two_stage(2 * x[:, 1] + [0.5, 0.5, -0.5, -0.5], x, z, np.array([False, True])).params[1].round(12))
    2.0
    """
    # X^ = P_Z X,   b = (X^'X^)^-1 X^'y,   y~ = y - (X - X^) b, so that y~ - X^ b = y - X b
    exogenous = np.column_stack([x[:, ~endogenous], z])
    projected, left = x.copy(), np.empty((len(y), int(endogenous.sum())))
    for j, column in enumerate(np.flatnonzero(endogenous)):
        left[:, j] = fit_lstsq(x[:, column], exogenous, weights).residuals
        projected[:, column] -= left[:, j]
    params = fit_lstsq(y, projected, weights).params
    return TwoStage(y - (x - projected) @ np.nan_to_num(params), projected, left, params)


def sargan(residuals: FloatArray, instruments: FloatArray, weights: FloatArray | None = None) -> float:
    """Sargan's statistic: n times the share of the residuals' squares that all instruments together explain."""
    # n e'P_Z e / e'e
    w = np.ones(len(residuals)) if weights is None else weights
    unexplained = fit_lstsq(residuals, instruments, weights).residuals
    return float(len(residuals) * (1 - w @ unexplained**2 / (w @ residuals**2)))


def beck_katz(
    x: FloatArray, residuals: FloatArray, bread: FloatArray, units: CodeArray, periods: CodeArray
) -> FloatArray:
    """Covariance under errors correlated between units within a period, alike in all periods.

    With e_t the residuals of period t over the N units and S = sum_t e_t e_t' / T, it is B (sum_t X_t' S X_t) B.

    Parameters
    ----------
    x : ndarray, shape (N T, k)
        Regressors of a balanced panel, in any order.
    residuals : ndarray, shape (N T,)
        Residuals.
    bread : ndarray, shape (k, k)
        (X'X)^-1.
    units, periods : ndarray of int, shape (N T,)
        Unit and period of each row.
    """
    n, t = int(units.max()) + 1, int(periods.max()) + 1
    errors, cube = np.zeros((t, n)), np.zeros((t, n, x.shape[1]))
    errors[periods, units], cube[periods, units] = residuals, x
    # S = sum_t e_t e_t' / T,   B (sum_t X_t' S X_t) B
    between = errors.T @ errors / t
    return np.asarray(bread @ np.einsum("tik,ij,tjl->kl", cube, between, cube, optimize=True) @ bread)
