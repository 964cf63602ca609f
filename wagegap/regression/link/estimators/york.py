"""York's line: errors in both variables, correlated within a row, and no other deviation from the line.

References
----------
York, D., N. Evensen, M. Martinez and J. De Basabe Delgado (2004). Unified equations for the slope, intercept, and
standard errors of the best straight line. American Journal of Physics 72, 367-375.
"""

from __future__ import annotations

import numpy as np

from wagegap._typing import FloatArray
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["estimate", "fit_york"]


def estimate(problem: LinkProblem, options: Options) -> LinkFit:
    """York's line as an estimator of the link: one premium and a constant."""
    del options
    if problem.k != 2 or len(problem.estimated) != 1 or not np.allclose(problem.others, 1.0):
        raise OptionError("method='york' takes one premium and a constant, no controls: use 'ml' or 'eiv'.")
    if not problem.rows_independent:
        raise CovarianceError("method='york' takes errors as independent across cells; here they are not: use 'ml'.")
    j = problem.estimated[0]

    def line(part: LinkProblem) -> tuple[FloatArray, FloatArray, float]:
        return fit_york(part.x[:, j], part.y, *(np.diag(v) for v in (part.v_x[0, 0], part.v_y, part.v_xy[0])))

    (params, cov, chi2), turn = line(problem), [0, 1] if j == 0 else [1, 0]
    without = delete_groups(problem, lambda part, _: line(part)[0], required=True)
    return LinkFit(
        params[turn], cov[np.ix_(turn, turn)], "York 2004, no equation error", df=np.inf, problem=problem,
        notes=(f"Deviations from the line: chi2({problem.n - 2}) = {chi2:.2f}.",), without=without[:, 0],
    )  # fmt: skip


def fit_york(
    x: FloatArray, y: FloatArray, v_x: FloatArray, v_y: FloatArray, v_xy: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Fit York's line.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Measured values.
    v_x, v_y, v_xy : ndarray, shape (n,)
        Variances of their errors, and covariance of the two errors of a row.

    Returns
    -------
    tuple
        Slope and intercept, their covariance (2, 2), and the weighted squared deviations: chi-squared with n - 2
        degrees of freedom if the line holds exactly.

    Raises
    ------
    DataError, IdentificationError

    Examples
    --------
    >>> import numpy as np
    >>> v = np.full(3, 0.01)
    >>> fit_york(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]), v, v, 0 * v)[0].round(6)
    array([2., 1.])
    """
    if len(x) < 3:
        raise DataError(f"{len(x)} rows: York's line needs three.")
    if (v_y <= 0).any() and (v_x <= 0).any():
        raise DataError(f"York's line needs a positive error of x or y in every row: {_how_many(v_y, v_x)}.")
    slope = float(np.polyfit(x, y, 1)[0])
    for _ in range(500):
        # W = 1 / (V_y + b^2 V_x - 2 b V_xy), beta = W (dx V_y + b dy V_x - (b dx + dy) V_xy)
        # b = sum W beta dy / sum W beta dx
        variances = v_y + slope**2 * v_x - 2 * slope * v_xy
        if (variances <= 0).any():
            raise IdentificationError(f"York's line is flat, or its errors cancel: {_how_many(v_y, v_x)}. Use 'eiv'.")
        weights = 1 / variances
        x_bar, y_bar = float(weights @ x / weights.sum()), float(weights @ y / weights.sum())
        dx, dy = x - x_bar, y - y_bar
        beta = weights * (dx * v_y + slope * dy * v_x - (slope * dx + dy) * v_xy)
        spread = float((weights * beta) @ dx)
        if spread == 0:
            raise IdentificationError(f"York's line is not identified: {_how_many(v_y, v_x)}. Use 'eiv'.")
        last, slope = slope, float((weights * beta) @ dy) / spread
        if abs(slope - last) <= 1e-15 * max(abs(slope), 1e-300):
            break
    else:
        raise IdentificationError("York's line does not converge: the errors are as large as the spread.")
    # var b = 1 / sum W (x_adj - mean)^2, var a = 1 / sum W + mean^2 var b
    intercept = y_bar - slope * x_bar
    adjusted, total = x_bar + beta, float(weights.sum())
    mean = float(weights @ adjusted / total)
    var_slope = 1 / float(weights @ (adjusted - mean) ** 2)
    cov = var_slope * np.array([[1.0, -mean], [-mean, mean**2]]) + np.diag([0.0, 1 / total])
    return np.array([slope, intercept]), cov, float(weights @ (y - intercept - slope * x) ** 2)


def _how_many(v_y: FloatArray, v_x: FloatArray) -> str:
    """Say how many rows are without an error of either variable."""
    zero = int(np.sum(v_y <= 0)), int(np.sum(v_x <= 0))
    return f"of {len(v_y)} rows {zero[0]} have no error of the outcome and {zero[1]} none of the premium"
