"""Iteratively reweighted least squares with absorbed effects: counts and shares.

A generalised linear model with mean m(eta) is fitted by least squares of the working response eta + (y - m)/m' with
weights w m'^2 / V, V = m for counts (Poisson) and m (1 - m) for shares, until they settle. The effects are taken
out of the working response and the regressors at every step. Since columns already without effects stay equivalent
under new weights, each step starts from those of the step before, and the sweeps become few. Taking effects out is
exact enough for the step at hand at first, and to the last digits at the end.

The mean need not be the whole distribution: with errors that are robust the Poisson fit is a pseudo-maximum likelihood
fit of any non-negative outcome with that mean (zeros included), the binomial one of any share.

References
----------
Correia, S., P. Guimaraes and T. Zylkin (2020). Fast Poisson estimation with high-dimensional fixed effects. Stata
Journal 20, 95-115.
Papke, L. and J. Wooldridge (1996). Econometric methods for fractional response variables. Journal of Applied
Econometrics 11, 619-632.
Santos Silva, J. and S. Tenreyro (2006). The log of gravity. Review of Economics and Statistics 88, 641-658.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import special

from wagegap._typing import CodeArray, FloatArray
from wagegap.errors import DataError, ExtraMissingError, IdentificationError, check_option, refuse_rows
from wagegap.estimation.least_squares.absorb import absorb
from wagegap.estimation.likelihood.binary import probability

__all__ = ["ENGINES", "Engine", "Family", "IrlsFit", "fit_irls", "loglik"]

Family: TypeAlias = Literal["poisson", "logit", "probit", "cloglog"]
_FAMILIES: tuple[Family, ...] = ("poisson", "logit", "probit", "cloglog")
Engine: TypeAlias = Literal["auto", "own", "pyfixest"]
ENGINES: tuple[Engine, ...] = ("auto", "own", "pyfixest")
Absorber: TypeAlias = Callable[..., FloatArray]

_SETTLED = 1e-9  # root mean square change of the index, weighted, at which the steps stop
_LARGEST = 1e-7  # largest change of the index of a row, at which they stop, unless it has ceased to fall
_STEPS = 200
_HALVINGS = 30
_FAR = 1e30
_LOOSE, _TIGHT = 1e-6, 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class IrlsFit:
    """A generalised linear fit.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients.
    index : ndarray, shape (n,)
        Linear predictor, effects and offset included.
    mean : ndarray, shape (n,)
        Fitted mean.
    x : ndarray, shape (n, k)
        Regressors without the effects, under the final weights.
    response : ndarray, shape (n,)
        Working response, equal to the final one up to a combination of the effects.
    weights : ndarray, shape (n,)
        Working weights, the given ones included.
    deviance : float
        Twice the weighted log likelihood lost against a perfect fit.
    """

    params: FloatArray
    index: FloatArray
    mean: FloatArray
    x: FloatArray
    response: FloatArray
    weights: FloatArray
    deviance: float


def fit_irls(
    y: FloatArray,
    x: FloatArray,
    effects: Sequence[CodeArray] = (),
    weights: FloatArray | None = None,
    *,
    family: Family = "poisson",
    offset: FloatArray | None = None,
    engine: Engine = "auto",
) -> IrlsFit:
    """Fit counts or shares.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Non-negative outcome, or shares. No row may be separated.
    x : ndarray, shape (n, k)
        Regressors of full rank beside the effects, the constant among them where there are no effects.
    effects : sequence of ndarray of int, each of shape (n,)
        Levels of absorbed effects, 0 to m - 1.
    weights : ndarray, shape (n,), optional
        Positive weights; the number of trials behind each share.
    family : {"poisson", "logit", "probit", "cloglog"}
        Exponential mean of a count, or the distribution function of a share.
    offset : ndarray, shape (n,), optional
        Added to the index.
    engine : {"auto", "own", "pyfixest"}
        What takes effects out.

    Returns
    -------
    IrlsFit

    Raises
    ------
    DataError, IdentificationError, ExtraMissingError

    Examples
    --------
    >>> import numpy as np
    >>> flow, near = np.array([1.0, 3.0, 6.0, 10.0]), np.array([0.0, 0, 1, 1])
    >>> fit_irls(flow, np.column_stack([np.ones(4), near])).params.round(6)
    array([0.693147, 1.386294])
    """
    check_option("family", family, _FAMILIES)
    _check_outcome(y, family)
    shift = np.zeros(len(y)) if offset is None else offset
    model = _Model(y, np.ones(len(y)) if weights is None else weights, family)
    take_out = _absorber(engine)
    # the flat start: the index of the outcome's mean where a constant can have it, else zero
    has_constant = bool(effects) or bool((np.ptp(x, axis=0) == 0).any())
    index, flat = model.start(), shift + (model.index(np.average(y, weights=model.w)) if has_constant else 0.0)
    within, deviance, change, largest = x, np.inf, 1.0, np.inf
    known = index - shift  # the start is no combination of the columns
    for step in range(1, _STEPS + 1):
        # Working response z = eta - offset + (y - m)/m', weights w m'^2 / V; the part of eta that stays after the
        # effects are taken out is X b of the step before. With M the residual maker of the effects and b the fit of
        # M z on M X, eta moves by (y - m)/m' - (M z - M X b); without effects by X b less eta, which subtracts no large
        # numbers where a row has a mean far below its outcome.
        residual, working = model.working(index)
        columns = np.column_stack([known + residual, within])
        if effects:
            columns = take_out(columns, effects, working, tolerance=max(min(_LOOSE, 1e-4 * change), _TIGHT))
        response, within = columns[:, 0], columns[:, 1:]
        params = _solve(within, response, working)
        move = residual - (response - within @ params) if effects else within @ params - known
        taken, after = _shortened(model, index, move, deviance)
        if step == 1 and not after <= model.deviance(flat):
            index, deviance, known = flat, model.deviance(flat), flat - shift
            continue
        # large flows weigh more than small ones, whose rows may be all that a coefficient rests on: look at both
        change = float(np.sqrt(np.sum(working * (taken * move) ** 2) / working.sum()))
        before, largest = largest, float(np.abs(taken * move).max())
        index = index + taken * move
        deviance = after if taken == 1.0 or np.isfinite(deviance) else np.inf
        if change <= _SETTLED and (largest <= _LARGEST or largest > before / 2):
            residual, working = model.working(index)
            return IrlsFit(params, index, model.mean(index), within, within @ params + residual, working, after)
        known = within @ params if taken == 1.0 else index - shift
    raise IdentificationError(
        f"the fit did not converge in {_STEPS} steps; its last change of the index was {change:.1e}: some regressor "
        "predicts nearly perfectly, or values span too many orders of magnitude."
    )


def _absorber(engine: Engine) -> Absorber:
    """The function that takes effects out: pyfixest's where it is installed or asked for, else our own."""
    check_option("engine", engine, ENGINES)
    if engine == "own":
        return absorb
    try:
        demean = import_module("pyfixest.core").demean
    except ImportError as error:
        if engine == "auto":
            return absorb
        raise ExtraMissingError("engine='pyfixest' needs pyfixest: pip install 'wagegap[hdfe]'.") from error

    def theirs(
        columns: FloatArray, effects: Sequence[CodeArray], weights: FloatArray | None, *, tolerance: float
    ) -> FloatArray:
        levels = np.column_stack(effects).astype(np.uint64)
        within, converged = demean(
            np.asfortranarray(columns), levels, weights, tol=max(tolerance, 1e-11), maxiter=100_000
        )  # fmt: skip
        return np.asarray(within) if converged else absorb(columns, effects, weights, tolerance=tolerance)

    return theirs


def loglik(
    y: FloatArray, index: FloatArray, weights: FloatArray | None, family: Family, *, trials: FloatArray | None = None
) -> float:
    """Return the log likelihood: of counts, or of shares among numbers of trials.

    >>> round(loglik(np.array([1.0]), np.array([0.0]), None, "poisson"), 6)
    -1.0
    """
    w = np.ones(len(y)) if weights is None else weights
    if family == "poisson":
        return float(np.sum(w * (y * index - np.exp(index) - special.gammaln(y + 1))))
    # n y successes in n trials:   log (n choose n y) + n [y log p + (1 - y) log(1 - p)]
    n = np.ones(len(y)) if trials is None else trials
    p = probability(index, family)
    log_ways = special.gammaln(n + 1) - special.gammaln(n * y + 1) - special.gammaln(n * (1 - y) + 1)
    return float(np.sum(w * (n * (special.xlogy(y, p) + special.xlog1py(1 - y, -p)) + log_ways)))


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """Mean, variance and deviance of an outcome."""

    y: FloatArray
    w: FloatArray
    family: Family

    def start(self) -> FloatArray:
        """Index of a mean half way between the outcome and its centre, or a half."""
        centre = np.average(self.y, weights=self.w) if self.family == "poisson" else 0.5
        return self.index((self.y + centre) / 2)

    def index(self, mean: FloatArray | float) -> FloatArray:
        """Index of a mean."""
        inverse: dict[str, Any] = {"poisson": np.log, "logit": special.logit, "probit": special.ndtri}
        return np.asarray(inverse[self.family](mean) if self.family in inverse else np.log(-np.log1p(-mean)))

    def mean(self, index: FloatArray) -> FloatArray:
        """Mean at an index."""
        return np.exp(index) if self.family == "poisson" else probability(index, self.family)

    def working(self, index: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(y - m)/m', and the working weights."""
        # counts: m' = V = m;   shares: (y - m)/m' = y (1 - m)/m' - (1 - y) m/m',   m'^2 / V = m'^2 / [m (1 - m)]
        if self.family == "poisson":
            mean = np.maximum(np.exp(index), 1 / _FAR)
            return self.y / mean - 1, self.w * mean
        up, down = self._distances(index)
        return self.y * up - (1 - self.y) * down, self.w / (up * down)

    def _distances(self, index: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(1 - m)/m' and m/m', without loss of digits in either tail."""
        with np.errstate(over="ignore"):
            if self.family == "logit":
                up, down = 1 / special.expit(index), 1 / special.expit(-index)
            elif self.family == "probit":
                density = -0.5 * index**2 - 0.5 * np.log(2 * np.pi)
                up, down = (np.exp(special.log_ndtr(sign * index) - density) for sign in (-1, 1))
            else:
                up, down = np.exp(-index), -np.expm1(-np.exp(index)) * np.exp(np.exp(index) - index)
        return np.clip(up, 1 / _FAR, _FAR), np.clip(down, 1 / _FAR, _FAR)

    def deviance(self, index: FloatArray) -> float:
        """Twice the log likelihood lost against a perfect fit; infinite where the mean is not finite."""
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            # counts: y log(y/m) - (y - m);   shares: the same of y and of 1 - y, which sum to their relative entropies
            mean = self.mean(index)
            if self.family == "poisson":
                # m may be nothing where y is something, far below it
                lost = _divergence(self.y, mean, special.xlogy(self.y, self.y) - self.y * index - (self.y - mean))
            else:
                # 1 - m: of symmetric distributions the mean at -eta, of the complementary log-log exp(-exp(eta))
                tail = np.exp(-np.exp(index)) if self.family == "cloglog" else self.mean(-index)
                lost = _divergence(self.y, mean, special.kl_div(self.y, mean))
                lost = lost + _divergence(1 - self.y, tail, special.kl_div(1 - self.y, tail))
            total = 2 * float(np.sum(self.w * lost))
        return total if np.isfinite(total) else np.inf


def _divergence(y: FloatArray, mean: FloatArray, far: FloatArray) -> FloatArray:
    """Return y log(y/m) - (y - m): as given where m is far from y, to the last digits of next to nothing where near."""
    # y log(y/m) - (y - m) = y [d - log(1 + d)],   d = m/y - 1
    near = np.abs(mean - y) < 0.5 * y
    d = mean[near] / y[near] - 1
    out = np.array(far, dtype=float)
    out[near] = y[near] * (d - np.log1p(d))
    return out


def _check_outcome(y: FloatArray, family: Family) -> None:
    top, fault = (np.inf, "negative or missing") if family == "poisson" else (1.0, "outside 0 to 1")
    refuse_rows(~((y >= 0) & (y <= top)), DataError, f"the outcome is {fault} in ", " rows, first {first}.", y)
    if not (y > 0).any():
        raise DataError(f"the outcome is zero in all {len(y):,} rows: there is nothing to explain.")


def _solve(x: FloatArray, y: FloatArray, w: FloatArray) -> FloatArray:
    """Weighted least squares of columns scaled to equal size."""
    root = np.sqrt(w)
    weighted = x * root[:, None]
    scale = np.linalg.norm(weighted, axis=0)
    scale[scale == 0] = 1.0
    return np.asarray(np.linalg.lstsq(weighted / scale, y * root, rcond=1e-12)[0] / scale)


def _shortened(model: _Model, index: FloatArray, move: FloatArray, before: float) -> tuple[float, float]:
    """Share of a step to take, halved until the deviance does not rise, and the deviance there."""
    most = before + 1e-10 * (abs(before) + 1)
    for share in 0.5 ** np.arange(_HALVINGS):
        after = model.deviance(index + share * move)
        if np.isfinite(after) and after <= most:
            break
    return float(share), after
