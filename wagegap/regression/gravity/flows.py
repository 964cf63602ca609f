"""Bilateral flows and rates: Poisson gravity, log odds, fractional response, linear.

The number that move from origin o to destination d in period t is

    M_odt = exp(x_odt'b + a_ot + c_dt + e_od) u_odt,

fitted by Poisson pseudo-maximum likelihood, which keeps the zeros and stays right under heteroskedasticity, with the
effects absorbed. Rows that the effects and regressors predict perfectly are found first, all of them, dropped and
listed. With few periods and all three sets of effects the slopes have a bias of the order of their errors, which
`bias="analytic"` takes off. Shares of those at risk who move are fitted by fractional logit, probit or complementary
log-log; counts of movers among those at risk by the binomial likelihood or by Berkson's log odds, whose errors have a
known variance.

What absorbed effects take up is refused by name: beside origin-period effects nothing that varies by origin and period
alone, such as an origin's premium, can be told apart from them.

References
----------
Beine, M., S. Bertoli and J. Fernandez-Huertas Moraga (2016). A practitioners' guide to gravity models of international
migration. World Economy 39, 496-512.
Berkson, J. (1953). A statistically precise and relatively simple method of estimating the bio-assay with quantal
response, based on the logistic function. Journal of the American Statistical Association 48, 565-599.
Correia, S., P. Guimaraes and T. Zylkin (2019). Verifying the existence of maximum likelihood estimates for generalized
linear models. arXiv 1903.01633.
Papke, L. and J. Wooldridge (1996). Econometric methods for fractional response variables. Journal of Applied
Econometrics 11, 619-632.
Santos Silva, J. and S. Tenreyro (2006). The log of gravity. Review of Economics and Statistics 88, 641-658.
Weidner, M. and T. Zylkin (2021). Bias and consistency in three-way gravity models. Journal of International Economics
132, 103513.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample, WeightKind
from wagegap.errors import (
    IdentificationError,
    IdentificationWarning,
    check_option,
    listing,
    warn,
)
from wagegap.estimation.covariance.options import Bootstrap, Covariance, CovLike, Replicates
from wagegap.estimation.covariance.sources import ErrorSource, ScoreSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import SMALL_SAMPLE, Estimates
from wagegap.estimation.identification import partial_out
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import slope
from wagegap.estimation.likelihood.separation import find_separated
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import (
    build_sample,
    fit_sample,
    index_cells,
    refitted_source,
    resolve_cov,
    with_weights,
)
from wagegap.regression.gravity.bias import correct_bias, pair_clusters
from wagegap.regression.gravity.flow_design import FlowCall, FlowFamily, Link, flow_design
from wagegap.regression.gravity.irls import Engine, IrlsFit, fit_irls, loglik

__all__ = ["Flows", "fit_flows"]

_THREE_WAY = (
    "Three sets of crossed effects: Poisson coefficients are consistent, but their bias is of the order of their "
    "standard errors, and clustered errors are too small, where periods are few (Weidner and Zylkin 2021). "
    "bias='analytic' corrects both."
)
_MANY_EFFECTS = (
    "Effects of a share or a binomial rate are estimated with the slopes: with few rows for each effect the slopes "
    "are biased away from zero (incidental parameters)."
)


@dataclass(frozen=True, eq=False, repr=False)
class Flows(Result):
    """Coefficients of flows or rates.

    Attributes
    ----------
    estimates : Estimates
        A coefficient for each regressor (the term), with the covariance.
    family : str
        Poisson, binomial, fractional or gaussian.
    link : str
        Link between mean and index.
    effects : tuple of str
        Absorbed effects.
    separated : DataFrame
        Labels of the rows dropped for separation: number of the row at the door, the columns of the effects, the
        outcome, and the reason.
    deviance, loglik : float
        Of the fit; NaN where there is no such number.
    slopes : ndarray, shape (1 + k,)
        Mean derivative of the mean in the index, and its derivative in the coefficients.
    bias : Series or None
        What `bias="analytic"` subtracted from each coefficient.
    """

    family: str
    link: str
    effects: tuple[str, ...]
    separated: pd.DataFrame
    deviance: float = np.nan
    loglik: float = np.nan
    slopes: FloatArray = field(default_factory=lambda: np.empty(0))
    bias: pd.Series | None = None

    def marginal_effects(self) -> Estimates:
        """Return average marginal effects, b times the mean slope of the mean, with the rows held fixed.

        A regressor that stands in several columns (a square, an interaction) has a term for each column, others held.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> data = pd.DataFrame({"share": [0.1, 0.2, 0.2, 0.4, 0.5], "premium": [0.3, 0.2, 0.25, 0.1, 0.05]})
        >>> fit_flows(data, "share ~ premium", family="fractional").marginal_effects().params.round(3).to_dict()
        {'premium': -1.473}
        """
        own = self.estimates.select(self.estimates.labels["term"].to_numpy() != "Intercept")
        at = np.flatnonzero(self.estimates.labels["term"].to_numpy() != "Intercept")
        mean, change = self.slopes[0], self.slopes[1:]
        matrix = mean * np.eye(len(self.estimates.values)) + np.outer(self.estimates.values, change)
        labels = own.labels.assign(unit="none" if self.family in ("poisson", "gaussian") else "share")
        return replace(
            self.estimates.map(matrix[at], labels=labels, title="Average marginal effects"), values=mean * own.values
        )

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        return (
            super()
            .glance()
            .assign(family=self.family, link=self.link, n_separated=len(self.separated))
            .assign(deviance=self.deviance, loglik=self.loglik)
        )

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the coefficients with their intervals, on new axes where none are given.

        Examples
        --------
        >>> data = pd.DataFrame({"flow": [9, 4, 2, 1.0], "dist": [1, 2, 4, 9.0]})
        >>> fit_flows(data, "flow ~ log(dist)").plot().get_xlabel()
        'Flows, Poisson, 95 % intervals'
        """
        own = self.estimates.select(self.estimates.labels["term"].to_numpy() != "Intercept")
        return draw_estimates(own, ax, alpha, self.title)


@refittable
def fit_flows(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    family: FlowFamily = "poisson",
    link: Link | None = None,
    trials: str | None = None,
    method: Literal["ml", "berkson"] = "ml",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    bias: Literal["analytic"] | None = None,
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    engine: Engine = "auto",
    keep_units: bool = True,
) -> Flows:
    """Fit flows between places, or shares of those who move, with absorbed effects.

    Parameters
    ----------
    data : Panel or data frame
        A row for each pair of places (and period).
    formula : str
        `flow ~ log(dist) + ... | origin + destination`; `a^b` behind the bar stands for combinations.
    family : {"poisson", "binomial", "fractional", "gaussian"}
        Poisson pseudo-maximum likelihood; movers among `trials`; a share; least squares.
    link : {"log", "logit", "probit", "cloglog", "identity"}, optional
        Logit for binomial and fractional where absent.
    trials : str, optional
        Column of those at risk, for `family="binomial"`: the outcome counts movers.
    method : {"ml", "berkson"}
        For binomial rates, maximum likelihood, or least squares of the log odds weighted by the inverse of their
        binomial variance 1/(n p (1 - p)), which `cov="iid"` takes as known.
    cov : str or object of `wagegap.cov`, optional
        Covariance; the panel's declared cluster, else HC1. `"iid"` is the inverse of the information for counts and
        binomial rates.
    small_sample : str
        Small-sample factor, by the software whose convention it is; "stata" counts all absorbed effects, "fixest" not
        those nested in clusters.
    bias : {"analytic"}, optional
        Poisson with effects of origin and period, destination and period, and pair (or the first two): subtract the
        bias that few periods leave in the coefficients with all three (kept as `.bias`), and correct residuals for the
        leverage of the effects; errors are then clustered by pair unless a cluster of whole pairs is given, times
        G/(G - 1).
    weights, weight_kind
        Other weights than the panel's: a column, or values of shape (n,).
    engine : {"auto", "own", "pyfixest"}
        What takes effects out; the same numbers.
    keep_units : bool
        Keep the scores, so that results can be joined.

    Returns
    -------
    Flows

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, UnitError, EmptyDataError, IdentificationError, CovarianceError

    Notes
    -----
    Coefficients of counts are semi-elasticities; of a logarithm, elasticities. The deviance, the likelihood and mean
    slopes are those of the fit, whatever `bias` then takes off the coefficients.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(1)
    >>> pairs = pd.MultiIndex.from_product([range(12), range(12)], names=["o", "d"]).to_frame(index=False)
    >>> pairs = pairs[pairs.o != pairs.d].assign(dist=lambda x: 100 + 50 * abs(x.o - x.d))
    >>> pairs["flow"] = rng.poisson(2e4 / pairs.dist)
    >>> gravity = wg.fit_flows(pairs, "flow ~ log(dist) | o + d", cov="CR1:o")
    >>> gravity.params.round(2).to_dict()
    {'log(dist)': -1.01}
    """
    chosen = FlowCall(family, link, trials, method, engine, bias)
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    panel = with_weights(as_panel(data), weights, weight_kind)
    design, at_risk = flow_design(panel, formula, chosen)
    if chosen.bias is not None:
        panel, parsed = pair_clusters(panel, design, cov)
    else:
        parsed = resolve_cov(panel, cov, design.rows)
    if chosen.is_linear:
        fitted = _linear(panel, design, at_risk, chosen, parsed, small_sample)
    else:
        fitted = _generalised(panel, design, at_risk, chosen, parsed, small_sample)
    done = _result(fitted, chosen)
    return done if keep_units else done.without_units()


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """A fit before it is labelled."""

    values: FloatArray
    source: ErrorSource
    design: Design
    names: tuple[str, ...]
    separated: pd.DataFrame
    notes: tuple[str, ...] = ()
    deviance: float = np.nan
    loglik: float = np.nan
    slopes: FloatArray = field(default_factory=lambda: np.array([1.0]))
    bias: FloatArray | None = None


def _linear(
    panel: Panel,
    design: Design,
    at_risk: FloatArray | None,
    chosen: FlowCall,
    cov: Covariance,
    rule: SmallSample,
) -> _Fitted:
    """Least squares, or Berkson's weighted least squares of log odds."""
    known = None
    if at_risk is not None:
        rate = 1 / (1 + np.exp(-design.y))
        known = at_risk * rate * (1 - rate)
        panel = _weighted(panel, design, known)
    columns = list(range(design.x.shape[1]))
    cells = index_cells(panel.frame.iloc[design.rows], [])
    fitted = fit_sample(panel, design, cells, columns, cov=cov, small_sample=rule)
    source: ErrorSource = fitted.source
    notes: tuple[str, ...] = ()
    if known is not None and isinstance(source, ScoreSource):
        source = _known_variance(source, float(fitted.sigma[0]))
        block = source.blocks[0]
        free = block.nobs - block.counted("stata", ())
        notes = (
            f"Berkson's chi-square {fitted.sigma[0] ** 2 * free:.1f} on {free:g} degrees of freedom: errors beyond the "
            "binomial make cov='iid' too small.",
        )
    return _Fitted(fitted.values[0], source, design, design.names, _labels(panel, design, [], []), notes)


def _weighted(panel: Panel, design: Design, weights: FloatArray) -> Panel:
    """Panel whose weights are those of a weighted least squares problem, in the rows of the design."""
    values = np.zeros(len(panel))
    values[design.rows] = weights
    bare = replace(panel, roles=replace(panel.roles, weight=None, weight_kind=None))
    return with_weights(bare, values, "analytic")


def _known_variance(source: ScoreSource, sigma: float) -> ScoreSource:
    """Source whose covariance under independence takes the errors' variance as known to be one."""
    blocks = tuple(replace(b, iid=None if b.iid is None else b.iid / sigma**2) for b in source.blocks)
    return replace(source, blocks=blocks)


def _generalised(
    panel: Panel,
    design: Design,
    at_risk: FloatArray | None,
    chosen: FlowCall,
    cov: Covariance,
    rule: SmallSample,
) -> _Fitted:
    """Counts and shares: drop separated rows, fit, and read the covariance off the last weighted least squares."""
    weights = panel.weights(design.rows)
    cov.check_weights(panel.roles.weight_kind if weights is not None else None)
    if at_risk is not None:
        weights = at_risk if weights is None else weights * at_risk
    clean = _without_separated(panel, design, weights, chosen)
    if isinstance(cov, Replicates | Bootstrap):
        values, source = _replicated(panel, clean, chosen, cov)
        fit = _fit(clean, clean.weights, chosen)
    else:
        fit = _fit(clean, clean.weights, chosen)
        values, source = _from_least_squares(panel, clean.design, fit, chosen, cov, rule)
    notes, bias = _notes(clean, chosen), None
    if chosen.bias is not None and isinstance(source, ScoreSource):
        done = correct_bias(panel, clean.design, fit, values, source)
        values, source, bias, notes = done.values, done.source, done.bias, (*notes, done.note)
    return _Fitted(
        values, source, clean.design, clean.design.names, clean.separated, notes, fit.deviance,
        np.nan if chosen.family == "fractional" else loglik(clean.design.y, fit.index, clean.weights, chosen.kernel),
        _mean_slopes(fit, clean.weights, chosen), bias,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Clean:
    """Rows and columns for which estimates exist."""

    design: Design
    weights: FloatArray | None
    separated: pd.DataFrame
    lost: tuple[str, ...] = ()


def _without_separated(panel: Panel, design: Design, weights: FloatArray | None, chosen: FlowCall) -> _Clean:
    found = find_separated(_signs(design.y, chosen), design.x, design.effects)
    if not found.rows.any():
        return _Clean(design, weights, _labels(panel, design, [], []))
    if found.rows.all():
        raise IdentificationError(
            f"all {len(found.rows):,} rows are separated: the regressors and effects predict {design.outcome!r} "
            "perfectly. Absorb fewer effects, or leave regressors out."
        )
    reasons = np.where(found.by_level[found.rows], "a level with one outcome only", "predicted perfectly")
    labels = _labels(panel, design, np.flatnonzero(found.rows), reasons)
    left = design.take(~found.rows, "separated", panel.weights(design.rows))
    left, lost = _without_lost_columns(left)
    return _Clean(left, None if weights is None else weights[~found.rows], labels, lost)


def _signs(y: FloatArray, chosen: FlowCall) -> IntArray:
    """-1 at the lower bound of the outcome, 1 at the upper, 0 between."""
    lower = (y == 0).astype(np.intp)
    upper = np.zeros_like(lower) if chosen.family == "poisson" else (y == 1).astype(np.intp)
    return np.asarray(upper - lower)


def _without_lost_columns(design: Design) -> tuple[Design, tuple[str, ...]]:
    """Leave out columns that only the separated rows told apart from others."""
    keep = fit_lstsq(np.zeros(len(design.x)), partial_out(design.x, design.effects)).kept
    if keep.all():
        return design, ()
    lost = tuple(name for name, own in zip(design.names, keep, strict=True) if not own)
    if not keep.any():
        raise IdentificationError(f"without the separated rows nothing identifies {listing(lost)}.")
    warn(
        f"{listing(lost)} left out: only separated rows, listed in .separated, identify what is left out; an estimate "
        "would be infinite.",
        IdentificationWarning,
    )
    return design.keep_columns(keep), lost


def _labels(panel: Panel, design: Design, at: Sequence[int] | IntArray, reasons: Sequence[str] | Any) -> pd.DataFrame:
    """Labels of some rows of the design: number at the door, effects, outcome, reason."""
    rows = design.rows[np.asarray(at, dtype=np.intp)]
    columns = list(dict.fromkeys(name for effect in design.effect_names for name in effect.split("^")))
    frame = panel.frame[columns].iloc[rows].reset_index(drop=True)
    frame.insert(0, "row", panel.row_ids[rows])
    return frame.assign(outcome=design.y[np.asarray(at, dtype=np.intp)], reason=list(reasons))


def _fit(clean: _Clean, weights: FloatArray | None, chosen: FlowCall) -> IrlsFit:
    design = clean.design
    return fit_irls(design.y, design.x, design.effects, weights, family=chosen.kernel, engine=chosen.engine)


def _from_least_squares(
    panel: Panel, design: Design, fit: IrlsFit, chosen: FlowCall, cov: Covariance, rule: SmallSample
) -> tuple[FloatArray, ErrorSource]:
    """Coefficients and source of the weighted least squares problem that the fit solves at its end.

    Its scores are those of the likelihood, its bread the inverse of the expected information.
    """
    scale = float(fit.weights.mean())
    problem = replace(design, y=fit.response, x=fit.x)
    weighted = _weighted(panel, design, fit.weights / scale)
    cells = index_cells(weighted.frame.iloc[design.rows], [])
    columns = list(range(design.x.shape[1]))
    fitted = fit_sample(weighted, problem, cells, columns, cov=cov, small_sample=rule)
    assert isinstance(fitted.source, ScoreSource)
    source = fitted.source
    if chosen.family != "fractional":
        source = _known_variance(source, float(fitted.sigma[0]) * np.sqrt(scale))
    return fitted.values[0], source


def _replicated(
    panel: Panel, clean: _Clean, chosen: FlowCall, cov: Replicates | Bootstrap
) -> tuple[FloatArray, ErrorSource]:
    """Fit again with each replicate's weights."""
    design = clean.design
    cells = index_cells(panel.frame.iloc[design.rows], [])
    sample = build_sample(panel, design, cells, cov)
    ratio = 1.0 if clean.weights is None or sample.weights is None else clean.weights / sample.weights
    ratio = clean.weights if clean.weights is not None and sample.weights is None else ratio

    def refit(weights: FloatArray | None) -> FloatArray:
        own = np.ones(len(design.y)) * ratio if weights is None else weights * ratio
        return _refitted(clean, own, chosen)[None]

    estimate = refit(sample.weights)
    return estimate[0], refitted_source(panel, design.rows, sample, cov, estimate, refit)


def _refitted(clean: _Clean, weights: FloatArray, chosen: FlowCall) -> FloatArray:
    """Coefficients from the rows with weight that are not separated among themselves."""
    design = clean.design
    used = np.flatnonzero(weights > 0)
    codes = recode(design.effects, used)
    gone = find_separated(_signs(design.y[used], chosen), design.x[used], codes).rows
    used = used[~gone]
    return fit_irls(
        design.y[used], design.x[used], recode(design.effects, used), weights[used], family=chosen.kernel,
        engine=chosen.engine,
    ).params  # fmt: skip


def _mean_slopes(fit: IrlsFit, weights: FloatArray | None, chosen: FlowCall) -> FloatArray:
    """Mean of dm/d(index), and its derivative in the coefficients, the rows held fixed."""
    if chosen.family == "poisson":
        first, second = fit.mean, fit.mean
    else:
        step = 1e-4
        first = slope(fit.index, chosen.kernel)  # type: ignore[arg-type]
        ahead, behind = (slope(fit.index + h, chosen.kernel) for h in (step, -step))  # type: ignore[arg-type]
        second = (ahead - behind) / (2 * step)
    own = weights if chosen.family != "binomial" else None
    change = np.average(second[:, None] * fit.x, axis=0, weights=own)
    return np.concatenate([[np.average(first, weights=own)], change])


def _notes(clean: _Clean, chosen: FlowCall) -> tuple[str, ...]:
    notes = []
    if len(clean.separated):
        notes.append(f"{len(clean.separated):,} separated rows were dropped; .separated lists them.")
    if clean.lost:
        notes.append(f"Left out, since only separated rows told them apart: {listing(clean.lost)}.")
    if chosen.family == "poisson" and len(clean.design.effects) > 2 and chosen.bias is None:
        notes.append(_THREE_WAY)
    if chosen.family in ("binomial", "fractional") and clean.design.effects:
        notes.append(_MANY_EFFECTS)
    return tuple(notes)


def _result(fitted: _Fitted, chosen: FlowCall) -> Flows:
    unit = {"poisson": "log points", "gaussian": unit_of_outcome(fitted.design.outcome)}.get(chosen.family, "none")
    titles = {"poisson": "Flows, Poisson", "binomial": "Rates, binomial", "fractional": "Shares, fractional"}
    how = f" {chosen.link}" if chosen.family in ("binomial", "fractional") else ""
    title = "Log odds, Berkson" if chosen.method == "berkson" else titles.get(chosen.family, "Flows, linear") + how
    labels = pd.DataFrame({"term": list(fitted.names), "unit": unit, "comparison": ""})
    absorbed = fitted.design.effect_names
    notes = (f"Absorbed: {', '.join(absorbed)}.",) * bool(absorbed) + fitted.notes
    estimates = Estimates(
        labels, fitted.values, (fitted.source,), (np.eye(len(fitted.values)),), title=title,
        ledger=fitted.design.ledger, notes=notes,
    )  # fmt: skip
    return Flows(
        estimates, chosen.family, str(chosen.link), absorbed, fitted.separated, fitted.deviance, fitted.loglik,
        np.resize(fitted.slopes, 1 + len(fitted.values)) if len(fitted.slopes) > 1 else _flat(len(fitted.values)),
        None if fitted.bias is None else pd.Series(fitted.bias, list(fitted.names), name="bias"),
    )  # fmt: skip


def _flat(k: int) -> FloatArray:
    """Slope of a linear mean, one everywhere."""
    return np.concatenate([[1.0], np.zeros(k)])
