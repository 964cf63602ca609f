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

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy import special

from wagegap._typing import FloatArray
from wagegap.errors import DataError, IdentificationError
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.estimators.exact import rounding_of, unknown_below
from wagegap.regression.link.estimators.simex import Naive, extrapolated
from wagegap.regression.link.problem import LinkProblem, delete_groups

__all__ = ["Family", "fractional", "poisson", "quasi_likelihood"]

Family = Literal["fractional", "poisson"]


def fractional(problem: LinkProblem, options: Options) -> LinkFit:
    """Fractional logit of shares as an estimator of the link."""
    outside = int(np.sum((problem.y < 0) | (problem.y > 1)))
    if outside:
        raise DataError(
            f"method='fractional' takes shares between 0 and 1; {outside} of {problem.n} rates are outside "
            f"({problem.y.min():.4g} to {problem.y.max():.4g})."
        )
    return _estimate(problem, options, "fractional")


def poisson(problem: LinkProblem, options: Options) -> LinkFit:
    """Poisson pseudo-likelihood of flows as an estimator of the link."""
    if (problem.y < 0).any():
        raise DataError(f"method='poisson' takes flows, never negative; {np.sum(problem.y < 0)} of {problem.n} are.")
    return _estimate(problem, options, "poisson")


def _estimate(problem: LinkProblem, options: Options, family: Family) -> LinkFit:
    """Quasi-likelihood, by simulation and extrapolation where the errors of the premiums are known."""
    fit = quasi_likelihood(family)
    (b,), (v,) = fit(problem.y[None], problem.x[None])
    v = unknown_below(v, rounding_of(1 + np.abs(problem.x @ b), problem.x))
    without = delete_groups(problem, lambda part, _: fit(part.y[None], part.x[None])[0][0])
    naive = LinkFit(b, v, "sandwich", without=without[:, problem.estimated[0]], unit="none")
    unknown = np.isnan(np.einsum("jjaa->ja", problem.v_x)).any()
    return replace(naive if unknown else extrapolated(problem.checked(), fit, options), naive=naive, unit="none")


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
            # (X'WX) d = X'(y - m), W = m'(Xb), for every data set r
            mean, weight = _mean(np.einsum("rnk,rk->rn", x, b), family)
            score = np.einsum("rnk,rn->rk", x, y - mean)[..., None]
            try:
                step = np.linalg.solve(np.einsum("rnk,rn,rnl->rkl", x, weight, x), score)[..., 0]
            except np.linalg.LinAlgError:
                raise IdentificationError(_no_fit(family)) from None
            long = np.maximum(np.abs(np.einsum("rnk,rk->rn", x, step)).max(axis=1) / 4.0, 1.0)
            b = b + step / long[:, None]
            if np.abs(step).max() <= 1e-12 * (1 + np.abs(b).max()):
                break
        else:
            raise IdentificationError(_no_fit(family))
        # V = n / (n - k) B sum_i s_i s_i' B, B = (X'WX)^-1, s = x (y - m)
        n, k = x.shape[1:]
        mean, weight = _mean(np.einsum("rnk,rk->rn", x, b), family)
        bread = np.linalg.inv(np.einsum("rnk,rn,rnl->rkl", x, weight, x))
        scores = x * (y - mean)[..., None]
        return b, bread @ (np.swapaxes(scores, 1, 2) @ scores) @ bread * (n / (n - k))

    return fit


def _no_fit(family: Family) -> str:
    return (
        f"the {family} fit does not converge: outcomes are all at a bound, or separated, in the data or once errors as "
        "large as theirs are added."
    )


def _start(y: FloatArray, x: FloatArray, family: Family) -> FloatArray:
    """Least squares of the transformed outcome, kept off its bounds."""
    mean = y.mean(axis=1, keepdims=True)
    near = 0.8 * y + 0.2 * mean
    if family == "fractional":
        target = special.logit(np.clip(near, 0.01, 0.99))
    else:
        target = np.log(np.maximum(near, 0.05 * np.abs(mean) + 1e-12))
    return np.asarray(np.einsum("rkn,rn->rk", np.linalg.pinv(x), target))


def _mean(eta: FloatArray, family: Family) -> tuple[FloatArray, FloatArray]:
    """Mean and its derivative."""
    if family == "poisson":
        mean = np.exp(np.minimum(eta, 500.0))
        return mean, mean
    mean = special.expit(eta)
    return mean, mean * (1 - mean)
