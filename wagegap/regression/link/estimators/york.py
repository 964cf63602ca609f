"""York's line: errors in both variables, correlated within a row, and no other deviation from the line.

References
----------
York, D., N. Evensen, M. Martinez and J. De Basabe Delgado (2004). Unified equations for the slope, intercept, and
standard errors of the best straight line. American Journal of Physics 72, 367-375.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["YorkFit", "estimate", "fit_york"]


@dataclass(frozen=True, slots=True, eq=False)
class YorkFit:
    """A line.

    Attributes
    ----------
    slope, intercept : float
        The line.
    cov : ndarray, shape (2, 2)
        Covariance of slope and intercept.
    chi2 : float
        Weighted squared deviations, chi-squared with n - 2 degrees of freedom if the line holds exactly.
    """

    slope: float
    intercept: float
    cov: FloatArray
    chi2: float


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """York's line as an estimator of the link: one premium and a constant."""
    del options
    if problem.k != 2 or len(problem.estimated) != 1 or not np.allclose(problem.others, 1.0):
        raise OptionError("method='york' takes one premium and a constant, no controls: use 'ml' or 'eiv'.")
    if not problem.rows_independent:
        raise CovarianceError("method='york' takes errors as independent across cells; here they are not: use 'ml'.")
    j = problem.estimated[0]

    def line(part: LinkProblem) -> YorkFit:
        v = np.diag(part.v_x[0, 0]), np.diag(part.v_y), np.diag(part.v_xy[0])
        return fit_york(part.x[:, j], part.y, *v)

    fit, turn = line(problem), [0, 1] if j == 0 else [1, 0]
    without = delete_groups(problem, lambda rows: np.full(2, line(problem.take(rows)).slope), required=True)
    return LinkFit(
        np.array([fit.slope, fit.intercept])[turn], fit.cov[np.ix_(turn, turn)], "York 2004, no equation error",
        df=np.inf, notes=(f"Deviations from the line: chi2({problem.n - 2}) = {fit.chi2:.2f}.",), problem=problem,
        without=without[:, j],
    )  # fmt: skip


def fit_york(x: FloatArray, y: FloatArray, v_x: FloatArray, v_y: FloatArray, v_xy: FloatArray) -> YorkFit:
    """Fit York's line.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Measured values.
    v_x, v_y, v_xy : ndarray, shape (n,)
        Variances of their errors, and covariance of the two errors of a row.

    Raises
    ------
    DataError, IdentificationError

    Examples
    --------
    >>> import numpy as np
    >>> v = np.full(3, 0.01)
    >>> round(fit_york(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), v, v, 0 * v).slope, 6)
    2.0
    """
    if len(x) < 3:
        raise DataError(f"{len(x)} rows: York's line needs three.")
    if (v_y <= 0).any() and (v_x <= 0).any():
        raise DataError("York's line needs a positive error of x or y in every row.")
    slope = float(np.polyfit(x, y, 1)[0])
    for _ in range(500):
        new, weights, beta, centre = _step(slope, x, y, v_x, v_y, v_xy)
        if abs(new - slope) <= 1e-15 * max(abs(new), 1e-300):
            break
        slope = new
    else:
        raise IdentificationError("York's line does not converge: the errors are as large as the spread.")
    x_bar, y_bar = centre
    # var b = 1 / sum W (x_adj - mean)^2, var a = 1 / sum W + mean^2 var b
    intercept = y_bar - new * x_bar
    adjusted = x_bar + beta
    mean = float(weights @ adjusted / weights.sum())
    var_slope = 1 / float(weights @ (adjusted - mean) ** 2)
    var_intercept = 1 / float(weights.sum()) + mean**2 * var_slope
    cov = np.array([[var_slope, -mean * var_slope], [-mean * var_slope, var_intercept]])
    return YorkFit(new, intercept, cov, float(weights @ (y - intercept - new * x) ** 2))


def _step(
    slope: float, x: FloatArray, y: FloatArray, v_x: FloatArray, v_y: FloatArray, v_xy: FloatArray
) -> tuple[float, FloatArray, FloatArray, tuple[float, float]]:
    """One iteration: slope, weights, adjustments beta, and the centre."""
    # W = 1 / (V_y + b^2 V_x - 2 b V_xy), beta = W (dx V_y + b dy V_x - (b dx + dy) V_xy)
    # b = sum W beta dy / sum W beta dx
    weights = 1 / (v_y + slope**2 * v_x - 2 * slope * v_xy)
    x_bar, y_bar = float(weights @ x / weights.sum()), float(weights @ y / weights.sum())
    dx, dy = x - x_bar, y - y_bar
    beta = weights * (dx * v_y + slope * dy * v_x - (slope * dx + dy) * v_xy)
    return float((weights * beta) @ dy / ((weights * beta) @ dx)), weights, beta, (x_bar, y_bar)
