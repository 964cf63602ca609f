"""Pay observed for those who stay only: least squares with correction terms, and Heckman's model by maximum likelihood.

Among the selected, E(y | x, z) = x'b + t(z'g)'c, with correction terms t of a first step (the inverse Mills ratio of a
probit, or terms in the probabilities of several destinations) and c their coefficients. The second step is least
squares on x and t; the error of the first step is part of its influence function,

    IF = A^-1 [ w (x, t) e + M IF_g ],      A = sum w (x, t)(x, t)',      M = d/dg sum w (x, t) e,

so that any covariance (robust, clustered, of a design) holds both steps. The classical covariance of Heckman's two
steps is there beside it. By maximum likelihood both equations are fitted at once, errors jointly normal.

References
----------
Heckman, J. (1979). Sample selection bias as a specification error. Econometrica 47, 153-161.
Greene, W. (1981). Sample selection bias as a specification error: comment. Econometrica 49, 795-798.
Murphy, K. and R. Topel (1985). Estimation and inference in two-step econometric models. Journal of Business & Economic
Statistics 3, 370-379.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from wagegap._typing import BoolArray, FloatArray, Information, IntArray
from wagegap.errors import DataError, IdentificationError, listing
from wagegap.estimation.covariance.resampling import unpack_moments
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import BinaryFit, fit_binary, inverse_mills
from wagegap.estimation.likelihood.newton import Derivatives, maximise, uphill_step
from wagegap.estimation.likelihood.working_columns import named_columns

__all__ = [
    "Corrected",
    "HeckmanFit",
    "TwoStepFit",
    "corrected_least_squares",
    "fit_heckman",
    "fit_two_step",
]

_STEPS = 200
_RHO_AT_MOST = 0.999
_ARTANH_AT_MOST = 20.0  # beyond, rho is 1 to the last digit
_EXACT = 1e-20  # share of the outcome that rounding leaves of residuals that are none


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """Least squares with correction terms, rows of the selected alone.

    Attributes
    ----------
    params : ndarray, shape (k + t,)
        Coefficients of the regressors, then of the terms.
    bread : ndarray, shape (k + t, k + t)
        A^-1.
    residuals : ndarray, shape (m,)
        Of the selected.
    design : ndarray, shape (m, k + t)
        Regressors and terms.
    first_step : ndarray, shape (k + t, q)
        A^-1 M: how coefficients move with the first step's.
    """

    params: FloatArray
    bread: FloatArray
    residuals: FloatArray
    design: FloatArray
    first_step: FloatArray

    def influence(self, weights: FloatArray | None, selected: BoolArray, first: FloatArray) -> FloatArray:
        """Return the influence of every row on the coefficients, given its influence on the first step, (n, k + t)."""
        w = self.residuals if weights is None else self.residuals * weights
        out = first @ self.first_step.T
        out[selected] += (self.design * w[:, None]) @ self.bread
        return np.asarray(out)


@dataclass(frozen=True, slots=True, eq=False)
class TwoStepFit:
    """Heckman's two steps.

    Attributes
    ----------
    selection : BinaryFit
        The probit.
    second : Corrected
        Least squares with the inverse Mills ratio, whose coefficient is the last.
    sigma, rho : float
        Standard deviation of the errors of pay, and their correlation with those of selection.
    classical : ndarray, shape (q + k + 1, q + k + 1)
        Covariance under normal errors of equal variance, probit first.
    influence : ndarray, shape (n, q + k + 3)
        Influence of every row on the probit, the second step, sigma and rho.
    """

    selection: BinaryFit
    second: Corrected
    sigma: float
    rho: float
    classical: FloatArray
    influence: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class HeckmanFit:
    """Heckman's model by maximum likelihood.

    Attributes
    ----------
    selection : ndarray, shape (q,)
        Coefficients of the selection equation.
    params : ndarray, shape (k,)
        Coefficients of the outcome equation.
    sigma, rho : float
        Standard deviation of the errors of pay, and their correlation with those of selection.
    bread : ndarray, shape (q + k + 2, q + k + 2)
        Inverse of the information of (selection, params, sigma, rho).
    influence : ndarray, shape (n, q + k + 2)
        Influence of every row on the same.
    loglik : float
        Log likelihood.
    steps : int
        Newton steps taken.
    """

    selection: FloatArray
    params: FloatArray
    sigma: float
    rho: float
    bread: FloatArray
    influence: FloatArray
    loglik: float
    steps: int


def corrected_least_squares(
    y: FloatArray,
    x: FloatArray,
    terms: FloatArray,
    slopes: FloatArray,
    z: FloatArray,
    weights: FloatArray | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Corrected:
    """Fit pay of the selected on regressors and correction terms.

    Parameters
    ----------
    y : ndarray, shape (m,)
        Outcome of the selected.
    x : ndarray, shape (m, k)
        Regressors.
    terms : ndarray, shape (m, t)
        Correction terms.
    slopes : ndarray, shape (m, t, l)
        Their derivatives in the l indices of the first step.
    z : ndarray, shape (m, p)
        Regressors of the first step, whose coefficients are (l, p), index after index.
    weights : ndarray, shape (m,), optional
        Weights.
    names : sequence of str, optional
        Names of x and of the terms, for messages.

    Raises
    ------
    IdentificationError
        When a term is a combination of the other columns.
    """
    design = np.column_stack([x, terms])
    fit = fit_lstsq(y, design, weights)
    if fit.collinear:
        lost = named_columns([c.column for c in fit.collinear], names)
        raise IdentificationError(
            f"collinear with the other columns of the outcome equation: {listing(lost)}. Leave columns out, or give "
            "the selection equation a regressor that does not stand in it."
        )
    w = np.ones(len(y)) if weights is None else weights
    # M_l = d/dg_l sum w (x, t) e = sum w [(0, dt/da_l) e - (x, t) c'(dt/da_l)] z',   a_l = z'g_l
    k = x.shape[1]
    moved = np.einsum("t,mtl->lm", fit.params[k:], slopes)
    blocks = [-(design.T * (w * moved_l)) @ z for moved_l in moved]
    for j, block in enumerate(blocks):
        block[k:] += (slopes[:, :, j] * (w * fit.residuals)[:, None]).T @ z
    return Corrected(fit.params, fit.bread, fit.residuals, design, fit.bread @ np.hstack(blocks))


def fit_two_step(
    y: FloatArray,
    x: FloatArray,
    selected: BoolArray,
    z: FloatArray,
    weights: FloatArray | None = None,
    *,
    names: Sequence[str] | None = None,
    selection_names: Sequence[str] | None = None,
    information: Information = "observed",
) -> TwoStepFit:
    """Fit Heckman's model in two steps.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Outcome; only those of the selected are looked at.
    x : ndarray, shape (n, k)
        Regressors of the outcome; likewise.
    selected : ndarray of bool, shape (n,)
        Whose outcome is observed.
    z : ndarray, shape (n, q)
        Regressors of selection.
    weights : ndarray, shape (n,), optional
        Weights.
    names, selection_names : sequence of str, optional
        Names of the columns, for messages.
    information : {"observed", "expected"}
        Information of the probit, whose inverse is its bread.

    Raises
    ------
    DataError, IdentificationError
    """
    used = selected if weights is None else selected[weights > 0]
    if used.all() or not used.any():
        share = "everybody" if used.all() else "nobody"
        raise DataError(f"{share} of {len(used):,} rows is selected: there is no selection to correct for.")
    probit = fit_binary(selected.astype(float), z, weights, "probit", names=selection_names).under(z, information)
    if probit.collinear:
        lost = named_columns([c.column for c in probit.collinear], selection_names)
        raise IdentificationError(
            f"collinear with the other columns of the selection equation: {listing(lost)}. Leave columns out."
        )
    ratio, delta = inverse_mills(probit.index[selected])
    given = None if weights is None else weights[selected]
    labels = None if names is None else [*names, "lambda"]
    second = corrected_least_squares(
        y[selected], x[selected], ratio[:, None], -delta[:, None, None], z[selected], given, names=labels
    )
    w = np.ones(len(ratio)) if given is None else given
    # sigma^2 = E(e^2 + c^2 delta)
    variance = float(w @ (second.residuals**2 + second.params[-1] ** 2 * delta) / w.sum())
    if variance <= _EXACT * float(w @ y[selected] ** 2 / w.sum()):
        raise IdentificationError(
            f"the regressors make up the outcome of all {len(ratio):,} who are selected, or it is one number: "
            "there is no error whose correlation with selection could be estimated."
        )
    sigma = float(np.sqrt(variance))
    first = probit.influence(z)
    on_second = second.influence(given, selected, first)
    on_errors = _influence_on_errors(probit, second, selected, z, w, sigma, first, on_second[:, -1])
    classical = _classical(second, probit, z[selected], delta, w, sigma)
    influence = np.column_stack([first, on_second, on_errors])
    return TwoStepFit(probit, second, sigma, float(second.params[-1]) / sigma, classical, influence)


def _influence_on_errors(
    probit: BinaryFit,
    second: Corrected,
    selected: BoolArray,
    z: FloatArray,
    w: FloatArray,
    sigma: float,
    first: FloatArray,
    on_slope: FloatArray,
) -> FloatArray:
    """Influence of every row on sigma and rho, shape (n, 2), from that on the probit and on the slope of lambda."""
    index, e, slope = probit.index[selected], second.residuals, float(second.params[-1])
    ratio, delta = inverse_mills(index)
    # sigma^2 = E(e^2 + c^2 delta) moves with the row itself, with c, and with the index a of the first step:
    # d(e^2)/da = -2 e c dlambda/da = 2 e c delta,   d(delta)/da = lambda - delta (2 lambda + a)
    by_index = 2 * e * slope * delta + slope**2 * (ratio - delta * (2 * ratio + index))
    on_variance = first @ ((w * by_index) @ z[selected]) + 2 * slope * float(w @ delta) * on_slope
    on_variance[selected] += w * (e**2 + slope**2 * delta - sigma**2)
    # sigma = (sigma^2)^1/2,   rho = c / sigma
    on_sigma = on_variance / w.sum() / (2 * sigma)
    return np.column_stack([on_sigma, on_slope / sigma - slope / sigma**2 * on_sigma])


def _classical(
    second: Corrected, probit: BinaryFit, z: FloatArray, delta: FloatArray, w: FloatArray, sigma: float
) -> FloatArray:
    """Heckman's covariance of both steps."""
    x, slope = second.design, float(second.params[-1])
    # V(b, c) = A^-1 [X'W (sigma^2 - c^2 Delta) X + c^2 F V(g) F'] A^-1,   F = X'W Delta Z,   Cov = c A^-1 F V(g)
    crossed = (x.T * (w * delta)) @ z
    meat = (x.T * (w * (sigma**2 - slope**2 * delta))) @ x + slope**2 * crossed @ probit.bread @ crossed.T
    mixed = slope * second.bread @ crossed @ probit.bread
    return np.asarray(np.block([[probit.bread, mixed.T], [mixed, second.bread @ meat @ second.bread]]))


def fit_heckman(
    y: FloatArray,
    x: FloatArray,
    selected: BoolArray,
    z: FloatArray,
    weights: FloatArray | None = None,
    *,
    names: Sequence[str] | None = None,
    selection_names: Sequence[str] | None = None,
) -> HeckmanFit:
    """Fit Heckman's model by maximum likelihood, from the two steps; arguments as in `fit_two_step`.

    Raises
    ------
    DataError
    IdentificationError
        Where selection is separated, the two steps fail, or the likelihood has no maximum inside (rho at -1 or 1).
    """
    begin = fit_two_step(y, x, selected, z, weights, names=names, selection_names=selection_names)
    q, k = z.shape[1], x.shape[1]
    errors = [np.log(begin.sigma), np.arctanh(np.clip(begin.rho, -0.9, 0.9))]
    start = np.concatenate([begin.selection.params, begin.second.params[:k], errors])
    w = np.ones(len(z)) if weights is None else weights
    model = _Likelihood(y, x, selected, z, w / w.mean())
    ascent = maximise(model.evaluate, start[None], steps=_STEPS, direction=uphill_step)
    params = ascent.params[0]
    _check_inside(params, converged=bool(ascent.converged[0]))
    at = model.evaluate(ascent.params, np.arange(1))
    sigma, rho = float(np.exp(params[-2])), float(np.tanh(params[-1]))
    # From log sigma and artanh rho to sigma and rho: H^-1 J and J H^-1 J, J = diag(1, ..., sigma, 1 - rho^2), inverted
    # in units of H's own scale, so that an outcome may be in any currency.
    jacobian = np.concatenate([np.ones(q + k), [sigma, 1 - rho**2]])
    unit = np.sqrt(np.abs(np.diag(at.information[0])))
    inverse = linalg.inv(at.information[0] / np.outer(unit, unit)) / np.outer(unit, unit / jacobian)
    scale = float(w.mean())
    return HeckmanFit(
        params[:q], params[q : q + k], sigma, rho, (inverse * jacobian[:, None]) / scale,
        model.scores(params) @ inverse, float(at.value[0]) * scale, ascent.steps,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Likelihood:
    """Log likelihood of (g, b, log sigma, artanh rho), and its derivatives through the four indices of a row.

    With a = z'g, r = (y - x'b) / sigma, k = artanh rho and u = (a + rho r) / (1 - rho^2)^1/2 = a cosh k + r sinh k, a
    row has log Phi(-a) where it is not selected, else log Phi(u) - r^2 / 2 - log sigma - log(2 pi) / 2.
    """

    y: FloatArray
    x: FloatArray
    selected: BoolArray
    z: FloatArray
    weights: FloatArray

    def evaluate(self, params: FloatArray, fits: IntArray) -> Derivatives:
        """Log likelihood of the one fit with its derivatives."""
        del fits
        b = params[0]
        if abs(b[-1]) >= _ARTANH_AT_MOST:
            return Derivatives.of_one(-np.inf, np.zeros(len(b)), np.eye(len(b)))
        rows, first, second = self._derivatives(b)
        parts, w = self._columns(), self.weights
        # g = sum_i w_i (l_a z, l_m x, l_t, l_k),   H = -sum_i w_i (l_aa z z', l_am z x', ...)
        gradient = np.concatenate([(w * first[:, i]) @ part for i, part in enumerate(parts)])
        information = -np.block(
            [[(u.T * (w * second[:, i, j])) @ v for j, v in enumerate(parts)] for i, u in enumerate(parts)]
        )
        return Derivatives.of_one(float(w @ rows), gradient, information)

    def scores(self, params: FloatArray) -> FloatArray:
        """Weighted scores, shape (n, q + k + 2)."""
        _, first, _ = self._derivatives(params)
        return np.hstack([part * (self.weights * first[:, i])[:, None] for i, part in enumerate(self._columns())])

    def _columns(self) -> tuple[FloatArray, ...]:
        """What multiplies the derivatives in the four indices: z, x, and ones."""
        one = np.ones((len(self.z), 1))
        return self.z, np.where(self.selected[:, None], self.x, 0.0), one, one

    def _derivatives(self, params: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log likelihood of each row (n,), its first (n, 4) and second (n, 4, 4) derivatives in the four indices."""
        q, k = self.z.shape[1], self.x.shape[1]
        at, sigma = self.selected, float(np.exp(params[-2]))
        a = self.z @ params[:q]
        r = (self.y[at] - self.x[at] @ params[q : q + k]) / sigma
        value, first, second = np.empty(len(a)), np.zeros((len(a), 4)), np.zeros((len(a), 4, 4))
        value[at], first[at], second[at] = _of_selected(a[at], r, sigma, float(params[-1]))
        # l = log Phi(-a),   l_a = -lambda(-a),   l_aa = -delta(-a)
        ratio, delta = inverse_mills(-a[~at])
        value[~at], first[~at, 0], second[~at, 0, 0] = special.log_ndtr(-a[~at]), -ratio, -delta
        return value, first, second


def _of_selected(a: FloatArray, r: FloatArray, sigma: float, k: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log likelihood l of the selected, its first and second derivatives in a = z'g, m = x'b, t = log sigma and k."""
    c, s = float(np.cosh(k)), float(np.sinh(k))
    u, v = a * c + r * s, a * s + r * c  # v = du / dk
    ratio, delta = inverse_mills(u)
    value = special.log_ndtr(u) - 0.5 * r**2 - np.log(sigma) - 0.5 * np.log(2 * np.pi)
    # f(a, r, k) = log Phi(u) - r^2 / 2,   (log Phi)' = lambda,   (log Phi)'' = -delta
    f_r = ratio * s - r
    f_ar, f_rr = -delta * c * s, -delta * s**2 - 1
    f_ak, f_rk = ratio * s - delta * c * v, ratio * c - delta * s * v
    # l = f - t with r = (y - m) / sigma:   dr/dm = -1 / sigma,   dr/dt = -r
    first = [ratio * c, -f_r / sigma, -r * f_r - 1, ratio * v]
    # fmt: off
    second = [
        -delta * c**2, -f_ar / sigma,   -r * f_ar,                f_ak,                       # l_aa l_am l_at l_ak
                       f_rr / sigma**2, (r * f_rr + f_r) / sigma, -f_rk / sigma,              #      l_mm l_mt l_mk
                                        r * f_r + r**2 * f_rr,    -r * f_rk,                  #           l_tt l_tk
                                                                  ratio * u - delta * v**2,   #                l_kk
    ]
    # fmt: on
    return value, np.stack(first, axis=1), unpack_moments(np.stack(second, axis=1))


def _check_inside(params: FloatArray, *, converged: bool) -> None:
    """Raise unless the likelihood has a maximum with rho inside -1 to 1."""
    rho = float(np.tanh(params[-1]))
    if abs(rho) > _RHO_AT_MOST:
        raise IdentificationError(
            f"Heckman's likelihood rises to rho = {rho:.4f}, at the edge: the data do not tell selection from the "
            "regressors. Use the two steps, or regressors of selection that do not stand in the outcome equation."
        )
    if not converged:
        raise IdentificationError(
            f"Heckman's likelihood has no maximum after {_STEPS} steps (rho = {rho:.4f}): use the two steps, or other "
            "regressors of selection."
        )
