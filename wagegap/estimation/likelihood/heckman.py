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

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, IdentificationError, listing
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import BinaryFit, fit_binary

__all__ = [
    "Corrected",
    "HeckmanFit",
    "TwoStepFit",
    "corrected_least_squares",
    "fit_heckman",
    "fit_two_step",
    "inverse_mills",
]

_STEPS = 200
_TOLERANCE = 1e-12
_RHO_AT_MOST = 0.999
_ARTANH_AT_MOST = 8.0  # where a step still leads further, rho is 1 to seven digits
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


def inverse_mills(index: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return phi/Phi at an index, and delta, minus its derivative.

    >>> ratio, delta = inverse_mills(np.array([0.0]))
    >>> ratio.round(6), delta.round(6)
    (array([0.797885]), array([0.63662]))
    """
    ratio = np.sqrt(2 / np.pi) / special.erfcx(-index / np.sqrt(2))
    return np.asarray(ratio), np.asarray(ratio * (ratio + index))


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
    k, t = x.shape[1], terms.shape[1]
    design = np.column_stack([x, terms])
    fit = fit_lstsq(y, design, weights)
    lost = [names[c.column] if names is not None else f"column {c.column}" for c in fit.collinear]
    if lost:
        raise IdentificationError(
            f"{listing(lost)} cannot be told apart from the other columns of the outcome equation: leave columns out, "
            "or give the selection equation a regressor that does not stand in it."
        )
    w = np.ones(len(y)) if weights is None else weights
    moved = np.einsum("t,mtl->ml", fit.params[k:], slopes)
    blocks = []
    for j in range(slopes.shape[2]):
        block = -(design.T * (w * moved[:, j])) @ z
        block[k:] += (slopes[:, :, j] * (w * fit.residuals)[:, None]).T @ z
        blocks.append(block)
    assert t == slopes.shape[1]
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

    Raises
    ------
    DataError, IdentificationError
    """
    _check_selected(selected, weights)
    probit = fit_binary(selected.astype(float), z, weights, "probit", names=selection_names)
    gone = [c.column if selection_names is None else selection_names[c.column] for c in probit.collinear]
    if gone:
        raise IdentificationError(
            f"{listing(gone)} cannot be told apart from the other columns of the selection equation: leave it out."
        )
    ratio, delta = inverse_mills(probit.index[selected])
    own = None if weights is None else weights[selected]
    labels = None if names is None else [*names, "lambda"]
    second = corrected_least_squares(
        y[selected], x[selected], ratio[:, None], -delta[:, None, None], z[selected], own, names=labels
    )
    w = np.ones(int(selected.sum())) if own is None else own
    slope, e = float(second.params[-1]), second.residuals
    variance = float(w @ (e**2 + slope**2 * delta) / w.sum())
    level = float(w @ y[selected] ** 2 / w.sum())
    if variance <= _EXACT * level:
        raise IdentificationError(
            f"the regressors make up the outcome of all {int(selected.sum()):,} who are selected, or it is one number: "
            "there is no error whose correlation with selection could be estimated."
        )
    sigma = float(np.sqrt(variance))
    first = probit.influence(z)
    influence = second.influence(own, selected, first)
    # sigma^2 = E(e^2 + c^2 delta): of the row itself, through c, and through the index of the first step
    index = probit.index[selected]
    by_index = 2 * e * slope * delta + slope**2 * (ratio - delta * (2 * ratio + index))
    on_variance = first @ ((w * by_index) @ z[selected]) / w.sum()
    on_variance += 2 * slope * float(w @ delta) / w.sum() * influence[:, -1]
    on_variance[selected] += w * (e**2 + slope**2 * delta - variance) / w.sum()
    on_sigma = on_variance / (2 * sigma)
    on_rho = influence[:, -1] / sigma - slope / sigma**2 * on_sigma
    return TwoStepFit(
        probit, second, sigma, slope / sigma, _classical(second, probit, z[selected], delta, w, sigma),
        np.column_stack([first, influence, on_sigma, on_rho]),
    )  # fmt: skip


def _classical(
    second: Corrected, probit: BinaryFit, z: FloatArray, delta: FloatArray, w: FloatArray, sigma: float
) -> FloatArray:
    """Heckman's covariance of both steps."""
    x, slope = second.design, float(second.params[-1])
    crossed = (x.T * (w * delta)) @ z
    spread = (x.T * (w * (sigma**2 - slope**2 * delta))) @ x
    own = second.bread @ (spread + slope**2 * crossed @ probit.bread @ crossed.T) @ second.bread
    mixed = slope * second.bread @ crossed @ probit.bread
    return np.asarray(np.block([[probit.bread, mixed.T], [mixed, own]]))


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
    rho = float(np.clip(begin.rho, -0.9, 0.9))
    start = np.concatenate(
        [begin.selection.params, begin.second.params[:k], [np.log(begin.sigma), np.arctanh(rho)]]
    )  # fmt: skip
    model = _Likelihood(y, x, selected, z, np.ones(len(z)) if weights is None else weights / weights.mean())
    params, steps = _maximise(model, start)
    sigma, rho = float(np.exp(params[-2])), float(np.tanh(params[-1]))
    value, scores, information = model.evaluate(params)
    jacobian = np.ones(q + k + 2)
    jacobian[-2:] = sigma, 1 - rho**2
    # In units of its own scale, so that an outcome in any currency can be inverted.
    unit = np.sqrt(np.abs(np.diag(information)))
    inverse = linalg.inv(information / np.outer(unit, unit)) / np.outer(unit, unit / jacobian)
    scale = 1.0 if weights is None else float(weights.mean())
    return HeckmanFit(
        params[:q], params[q : q + k], sigma, rho, (inverse * jacobian[:, None]) / scale, scores @ inverse,
        value * scale, steps,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Likelihood:
    """Log likelihood of (g, b, log sigma, artanh rho), and its derivatives through the four indices of a row."""

    y: FloatArray
    x: FloatArray
    selected: BoolArray
    z: FloatArray
    weights: FloatArray

    def value(self, params: FloatArray) -> float:
        a, r, c, s = self._indices(params)
        inside = np.where(self.selected, a * c + r * s, -a)
        own = special.log_ndtr(inside)
        own = own - self.selected * (0.5 * r**2 + params[-2] + 0.5 * np.log(2 * np.pi))
        return float(self.weights @ own)

    def evaluate(self, params: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Value, weighted scores (n, q + k + 2), and minus the second derivative."""
        a, r, c, s = self._indices(params)
        sigma = float(np.exp(params[-2]))
        first, second = _of_selected(a, r, c, s, sigma)
        out = ~self.selected
        ratio, delta = inverse_mills(-a[out])
        first[out], second[out] = 0.0, 0.0
        first[out, 0], second[out, 0, 0] = -ratio, -delta
        x = np.where(self.selected[:, None], self.x, 0.0)
        parts = (self.z, x, np.ones((len(a), 1)), np.ones((len(a), 1)))
        scores = np.hstack([part * (self.weights * first[:, i])[:, None] for i, part in enumerate(parts)])
        information = -np.block(
            [[(u.T * (self.weights * second[:, i, j])) @ v for j, v in enumerate(parts)] for i, u in enumerate(parts)]
        )
        return self.value(params), scores, information

    def _indices(self, params: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
        """Index of selection, standardised residual (zero where there is none), cosh and sinh of artanh rho."""
        q, k = self.z.shape[1], self.x.shape[1]
        a = self.z @ params[:q]
        r = np.zeros(len(a))
        at = self.selected
        r[at] = (self.y[at] - self.x[at] @ params[q : q + k]) / np.exp(params[-2])
        return a, r, float(np.cosh(params[-1])), float(np.sinh(params[-1]))


def _of_selected(a: FloatArray, r: FloatArray, c: float, s: float, sigma: float) -> tuple[FloatArray, FloatArray]:
    """First (n, 4) and second (n, 4, 4) derivatives in z'g, x'b, log sigma, artanh rho of log Phi(ac + rs) - r^2/2."""
    inside, turned = a * c + r * s, a * s + r * c
    ratio, delta = inverse_mills(inside)
    g_r = ratio * s - r
    h_rr = -delta * s**2 - 1
    h_ar, h_ak, h_rk = -delta * c * s, ratio * s - delta * c * turned, ratio * c - delta * s * turned
    first = np.stack([ratio * c, -g_r / sigma, -r * g_r - 1, ratio * turned], axis=1)
    second = np.empty((len(a), 4, 4))
    second[:, 0, 0], second[:, 0, 1], second[:, 0, 2], second[:, 0, 3] = -delta * c**2, -h_ar / sigma, -r * h_ar, h_ak
    second[:, 1, 1], second[:, 1, 2], second[:, 1, 3] = h_rr / sigma**2, (r * h_rr + g_r) / sigma, -h_rk / sigma
    second[:, 2, 2], second[:, 2, 3] = r * g_r + r**2 * h_rr, -r * h_rk
    second[:, 3, 3] = ratio * inside - delta * turned**2
    for i in range(4):
        for j in range(i):
            second[:, i, j] = second[:, j, i]
    return first, second


def _maximise(model: _Likelihood, params: FloatArray) -> tuple[FloatArray, int]:
    """Newton steps, towards the gradient where the likelihood is not concave."""
    value, scores, information = model.evaluate(params)
    for taken in range(1, _STEPS + 1):
        gradient = scores.sum(axis=0)
        step = _ascent(information, gradient)
        if float(step @ gradient) <= _TOLERANCE:
            _check_inside(params + step)
            return params + step, taken
        for _ in range(40):
            if abs(params[-1] + step[-1]) < 20 and model.value(params + step) >= value - 1e-12 * abs(value):
                break
            step = step / 2
        params = params + step
        if abs(params[-1]) > _ARTANH_AT_MOST:
            _check_inside(params)
        value, scores, information = model.evaluate(params)
    raise IdentificationError(
        f"Heckman's likelihood has no maximum after {_STEPS} steps (rho = {np.tanh(params[-1]):.4f}): use the two "
        "steps, or other regressors of selection."
    )


def _ascent(information: FloatArray, gradient: FloatArray) -> FloatArray:
    """Newton's step where the information is positive definite, else with its eigenvalues made positive."""
    diagonal = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-300))
    values, vectors = np.linalg.eigh(information / np.outer(diagonal, diagonal))
    positive = np.maximum(np.abs(values), 1e-10)
    return np.asarray(vectors @ ((vectors.T @ (gradient / diagonal)) / positive) / diagonal)


def _check_inside(params: FloatArray) -> None:
    rho = float(np.tanh(params[-1]))
    if abs(rho) > _RHO_AT_MOST:
        raise IdentificationError(
            f"Heckman's likelihood rises to rho = {rho:.4f}, at the edge: the data do not tell selection from the "
            "regressors. Use the two steps, or regressors of selection that do not stand in the outcome equation."
        )


def _check_selected(selected: BoolArray, weights: FloatArray | None) -> None:
    used = selected if weights is None else selected[weights > 0]
    if used.all() or not used.any():
        share = "everybody" if used.all() else "nobody"
        raise DataError(f"{share} of {len(used):,} rows is selected: there is no selection to correct for.")
