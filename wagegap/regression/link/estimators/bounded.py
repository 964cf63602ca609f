"""Rates between zero and one, and flows: quasi-likelihood for many data sets at once.

A share has the mean 1 / (1 + exp(-x'b)) (fractional logit), a flow exp(x'b) (Poisson pseudo-likelihood). Either solves
X'(y - m(Xb)) = 0, which asks for a right mean and for nothing else about y; the covariance is the sandwich with
n / (n - k). Premiums with known error are corrected by simulation and extrapolation of this estimator.

References
----------
Papke, L. E. and J. M. Wooldridge (1996). Econometric methods for fractional response variables. Journal of Applied
Econometrics 11, 619-632.
Santos Silva, J. and S. Tenreyro (2006). The log of gravity. Review of Economics and Statistics 88, 641-658.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from wagegap._typing import FloatArray
from wagegap.errors import IdentificationError
from wagegap.regression.link.estimators.simex import Naive

__all__ = ["Family", "quasi_likelihood"]

Family = Literal["fractional", "poisson"]


def quasi_likelihood(family: Family) -> Naive:
    """Return the estimator of a family, from (R, n) outcomes and (R, n, k) regressors to coefficients and covariances.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([[1.0, 2.0, 4.0]])
    >>> x = np.array([[[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]])
    >>> (quasi_likelihood("poisson")(y, x)[0] / np.log(2)).round(6) + 0.0
    array([[0., 1.]])
    """

    def fit(y: FloatArray, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        b = _start(y, x, family)
        for _ in range(60):
            mean, weight = _mean(np.einsum("rnk,rk->rn", x, b), family)
            score = np.einsum("rnk,rn->rk", x, y - mean)
            step = np.linalg.solve(np.einsum("rnk,rn,rnl->rkl", x, weight, x), score[..., None])[..., 0]
            long = np.maximum(np.abs(np.einsum("rnk,rk->rn", x, step)).max(axis=1) / 4.0, 1.0)
            b = b + step / long[:, None]
            if np.abs(step).max() <= 1e-12 * (1 + np.abs(b).max()):
                break
        else:
            raise IdentificationError(f"the {family} fit does not converge: outcomes are all at a bound, or separated.")
        return b, _sandwich(y, x, b, family)

    return fit


def _start(y: FloatArray, x: FloatArray, family: Family) -> FloatArray:
    """Least squares of the transformed outcome, kept off its bounds."""
    mean = y.mean(axis=1, keepdims=True)
    if family == "fractional":
        near = np.clip(0.8 * y + 0.2 * mean, 0.01, 0.99)
        target = np.log(near / (1 - near))
    else:
        target = np.log(np.maximum(0.8 * y + 0.2 * mean, 0.05 * np.abs(mean) + 1e-12))
    return np.asarray(np.einsum("rkn,rn->rk", np.linalg.pinv(x), target))


def _mean(eta: FloatArray, family: Family) -> tuple[FloatArray, FloatArray]:
    """Mean and its derivative."""
    if family == "poisson":
        mean = np.exp(np.minimum(eta, 500.0))
        return mean, mean
    mean = 1 / (1 + np.exp(-np.clip(eta, -500.0, 500.0)))
    return mean, mean * (1 - mean)


def _sandwich(y: FloatArray, x: FloatArray, b: FloatArray, family: Family) -> FloatArray:
    n, k = x.shape[1:]
    mean, weight = _mean(np.einsum("rnk,rk->rn", x, b), family)
    bread = np.linalg.inv(np.einsum("rnk,rn,rnl->rkl", x, weight, x))
    scores = x * (y - mean)[..., None]
    return np.asarray(bread @ (np.swapaxes(scores, 1, 2) @ scores) @ bread * (n / (n - k)))
