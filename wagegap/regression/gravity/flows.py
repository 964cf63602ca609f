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
alone, such as an origin's premium, is identified.

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

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnName,
    Condition,
    FloatArray,
    Formula,
    Information,
    IntArray,
    Singletons,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    EmptyDataError,
    IdentificationError,
    IdentificationWarning,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows, error_source, least_squares, replicated_source
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.sources import ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.identification import partial_out
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.least_squares.fit import LinearFit
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import curvature, score, slope
from wagegap.estimation.likelihood.separation import find_separated
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of
from wagegap.regression.gravity.flow_design import (
    FlowCall,
    FlowFamily,
    FlowRows,
    Link,
    correct_bias,
    flow_rows,
    pair_clusters,
)
from wagegap.regression.gravity.irls import Engine, IrlsFit, fit_irls, loglik

__all__ = ["Flows", "fit_flows"]

_LEAST = 1e-30  # information on the index of a row, below which it counts as this much
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
        # s(b) b with s the mean slope:   d(s b)/db' = s I + b (ds/db)'
        b, is_slope = self.estimates.values, self.estimates.labels["term"].to_numpy() != "Intercept"
        jacobian = (self.slopes[0] * np.eye(len(b)) + np.outer(b, self.slopes[1:]))[is_slope]
        return self.estimates.map(
            lambda b: self.slopes[0] * b[is_slope],
            jacobian=lambda _: jacobian,
            labels=self.estimates.labels[is_slope].assign(
                **({} if self.family == "gaussian" else {"unit": "none" if self.family == "poisson" else "share"})
            ),
            title="Average marginal effects",
        )

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        return (
            super()
            .glance()
            .assign(family=self.family, link=self.link, n_separated=len(self.separated))
            .assign(deviance=self.deviance, loglik=self.loglik)
        )

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the coefficients with their intervals, on new axes where none are given.

        Examples
        --------
        >>> data = pd.DataFrame({"flow": [9, 4, 2, 1.0], "dist": [1, 2, 4, 9.0]})
        >>> fit_flows(data, "flow ~ log(dist)").plot().get_xlabel()
        'Flows, Poisson (log points), 95 % intervals'
        """
        is_slope = self.estimates.labels["term"].to_numpy() != "Intercept"
        if not is_slope.any():
            raise EmptyDataError("there is no coefficient beside the constant and the effects: nothing to draw.")
        slopes = self.estimates.select(is_slope)
        return draw_estimates(slopes, ax, alpha, self.title)


@refittable
def fit_flows(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    family: FlowFamily = "poisson",
    link: Link | None = None,
    trials: ColumnName | None = None,
    method: Literal["ml", "berkson"] = "ml",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    information: Information = "observed",
    singletons: Singletons = "drop",
    bias: Literal["analytic"] | None = None,
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    engine: Engine = "auto",
    keep_units: bool = True,
) -> Flows:
    """Fit flows between places, or shares of those who move, with absorbed effects.

    Parameters
    ----------
    data : Panel or data frame
        A row for each pair of places (and period).
    formula : str
        `flow ~ log(dist) + ... | origin + destination`; `a^b` behind the bar stands for combinations. A term
        `offset(log(pop))` has the coefficient one (what other software calls an exposure is `pop`). Of counts and
        shares there may be effects alone, `flow ~ 1 | origin + destination`: separated rows and the deviance of their
        fit.
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
    information : {"observed", "expected"}
        Information whose inverse is the bread of every covariance: the observed, as Stata has it, or the expected, as
        R's glm and its sandwich have it. They differ under probit and cloglog alone.
    singletons : {"drop", "keep"}
        Rows alone in a level of an absorbed effect: left out and counted, as reghdfe and pyfixest have it, or kept as
        rows and clusters, as areg has it. The estimates are the same.
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
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

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
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    chosen = FlowCall(family, link, trials, method, engine, bias, information, singletons)
    flow = flow_rows(
        data, formula, chosen, cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind
    )  # fmt: skip
    if bias is not None:
        flow = flow.with_rows(pair_clusters(flow.rows))
    is_linear = family == "gaussian" or method == "berkson"
    flows = (_linear if is_linear else _generalised)(flow, chosen)
    return flows if keep_units else flows.without_units()


def _linear(flow: FlowRows, chosen: FlowCall) -> Flows:
    """Least squares, or Berkson's weighted least squares of log odds."""
    flow = flow.without_singletons(chosen.singletons)
    rows, berkson, notes = flow.rows, chosen.method == "berkson", []
    if berkson:
        # weights n p (1 - p), the inverse of the binomial variance of log odds
        rate = special.expit(rows.design.y)
        rows = rows.weighted(flow.at_risk * rate * (1 - rate))
    problem = rows if flow.offset is None else rows.with_design(y=rows.design.y - flow.offset)
    (fit,), refit = least_squares(problem)
    source = error_source(problem, [fit], refit)
    if berkson and isinstance(source, ScoreSource):
        source = _known_variance(source, fit.sigma)
        df = source.blocks[0].nobs - source.blocks[0].counted("stata", ())
        notes = [
            f"Berkson's chi-square {fit.sigma**2 * df:.1f} on {df:g} degrees of freedom: errors beyond the "
            "binomial make cov='iid' too small."
        ]
    return _flows(rows, chosen, fit.values, source, _labels(rows, np.zeros(len(rows), dtype=bool), []), notes)


def _known_variance(source: ScoreSource, sigma: float) -> ScoreSource:
    """Source whose covariance under independence takes the errors' variance as known to be one."""
    return replace(
        source, blocks=tuple(replace(b, iid=None if b.iid is None else b.iid / sigma**2) for b in source.blocks)
    )  # fmt: skip


def _generalised(flow: FlowRows, chosen: FlowCall) -> Flows:
    """Counts and shares: drop separated rows, fit, and read the covariance off the last weighted least squares."""
    flow, separated, lost = _without_separated(flow, chosen)
    if flow.rows.design.x.shape[1]:  # after separated rows, which may leave others alone
        flow = flow.without_singletons(chosen.singletons)
    rows, design, bias = flow.rows, flow.rows.design, None
    notes = _notes(rows, separated, lost, chosen)
    fit = fit_irls(
        design.y, design.x, design.effects, flow.weights, family=chosen.kernel, offset=flow.offset,
        engine=chosen.engine,
    )  # fmt: skip
    values = fit.params
    if not len(values):
        source: ErrorSource = StatedSource(rows.access.source, np.empty((0, 0)), np.inf, "no coefficients")
    elif rows.cov.replicated:
        source = _replicated(flow, fit, chosen)
    else:
        values, source = _from_least_squares(flow, fit, chosen)
    if chosen.bias is not None and isinstance(source, ScoreSource):
        bias, source, note = correct_bias(rows, fit, source)
        values, notes = values - bias, (*notes, note)
    return replace(
        _flows(rows, chosen, values, source, separated, notes),
        deviance=fit.deviance,
        loglik=np.nan
        if chosen.family == "fractional"
        else loglik(design.y, fit.index, rows.weights, chosen.kernel, trials=flow.at_risk),
        slopes=_mean_slopes(fit, flow, chosen),
        bias=None if bias is None else pd.Series(bias, list(design.names), name="bias"),
    )


def _without_separated(flow: FlowRows, chosen: FlowCall) -> tuple[FlowRows, pd.DataFrame, tuple[str, ...]]:
    """Rows for which estimates exist, labels of the rows dropped, and the columns lost with them."""
    rows = flow.rows
    rows.cov.check_weights(rows.weight_kind)
    design = rows.design
    separated = find_separated(_bounds(design.y, chosen), design.x, design.effects)
    dropped = separated.rows
    reasons = np.where(separated.by_level[dropped], "a level with one outcome only", "predicted perfectly").tolist()
    labels = _labels(rows, dropped, reasons)
    if not dropped.any():
        return flow, labels, ()
    if dropped.all():
        raise IdentificationError(
            f"all {len(design.y):,} rows are separated: the regressors and effects predict {design.outcome!r} "
            "perfectly. Absorb fewer effects, or leave regressors out."
        )
    kept = flow.keep(~dropped, "separated")
    design, lost = _without_lost_columns(kept.rows.design)
    return kept.with_rows(replace(kept.rows, design=design)), labels, lost


def _bounds(y: FloatArray, chosen: FlowCall) -> IntArray:
    """-1 at the lower bound of the outcome, 1 at the upper, 0 between."""
    return np.select([y == 0, (y == 1) & (chosen.family != "poisson")], [-1, 1], 0).astype(np.intp)


def _without_lost_columns(design: Design) -> tuple[Design, tuple[str, ...]]:
    """Leave out columns that are collinear without the separated rows."""
    keep = fit_lstsq(np.zeros(len(design.x)), partial_out(design.x, design.effects)).kept
    if keep.all():
        return design, ()
    lost = tuple(itertools.compress(design.names, ~keep))
    if not keep.any():
        raise IdentificationError(f"without the separated rows nothing identifies {listing(lost)}.")
    warn(
        f"{listing(lost)} left out: only separated rows, listed in .separated, identify what is left out; an estimate "
        "would be infinite.",
        IdentificationWarning,
    )
    return design.keep_columns(keep), lost


def _labels(rows: Rows, mask: BoolArray, reasons: list[str]) -> pd.DataFrame:
    """Labels of some rows: number at the door, effects, outcome, reason."""
    columns = list(dict.fromkeys(name for effect in rows.design.effect_names for name in effect.split("^")))
    frame = rows.columns(columns)[mask].reset_index(drop=True)
    frame.insert(0, "row", rows.numbered()[mask])
    return frame.assign(outcome=rows.design.y[mask], reason=reasons)


def _from_least_squares(flow: FlowRows, fit: IrlsFit, chosen: FlowCall) -> tuple[FloatArray, ErrorSource]:
    """Coefficients and source of error of the weighted least squares problem that the fit solves at its end.

    Its scores are those of the likelihood, its bread the inverse of the information: of the expected one where it is
    Fisher's step that it solves, of the observed one where it is Newton's.
    """
    response, x, weights = fit.response, fit.x, fit.weights
    if chosen.information == "observed" and chosen.kernel not in ("poisson", "logit"):
        response, x, weights = _newton_problem(flow, fit, chosen)
    scale = float(weights.mean())
    problem = flow.rows.with_design(y=response, x=x).weighted(weights / scale)
    (last,), refit = least_squares(problem)
    source = error_source(problem, [last], refit)
    if isinstance(source, ScoreSource):
        # residual variance of the weighted problem, over that of Pearson's residuals where it is estimated
        source = _known_variance(source, last.sigma * np.sqrt(scale) / _dispersion(flow, fit, chosen, last))
    return last.values, source


def _newton_problem(flow: FlowRows, fit: IrlsFit, chosen: FlowCall) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Response, regressors and weights of the least squares that Newton's step from the maximum solves."""
    # z = X b + l'/(-l''), weights w (-l''), whose score in b is sum_i w_i l_i' x_i; beyond the tails -l'' is zero
    y, kernel = flow.rows.design.y, chosen.kernel
    observed = np.maximum(curvature(fit.index, y, kernel, "observed"), _LEAST)  # type: ignore[arg-type]
    weights = flow.weights * observed
    x = partial_out(flow.rows.design.x, flow.rows.design.effects, weights)
    step = score(fit.index, y, kernel) / observed  # type: ignore[arg-type]
    return np.asarray(x @ fit.params + step), x, weights


def _dispersion(flow: FlowRows, fit: IrlsFit, chosen: FlowCall, last: LinearFit) -> float:
    """Root of Pearson's chi-square over its degrees of freedom for shares, one where the variance is known."""
    if chosen.family != "fractional":
        return 1.0
    # sum w (y - m)^2 / V, with working residuals (y - m)/m' and working weights w m'^2 / V
    pearson = float(fit.weights @ (fit.response - fit.x @ fit.params) ** 2)
    df = flow.rows.observations.sum() - last.n_params - sum(effect.rank for effect in last.absorbed)
    return float(np.sqrt(pearson / df))


def _replicated(flow: FlowRows, fit: IrlsFit, chosen: FlowCall) -> ErrorSource:
    """Fit again with each replicate's weights, from the rows with weight that are not separated among themselves."""
    design, at_risk, offset = flow.rows.design, flow.at_risk, flow.offset

    def refit(weights: FloatArray) -> FloatArray:
        used = np.flatnonzero(weights > 0)
        effects = recode(design.effects, used)
        used = used[~find_separated(_bounds(design.y[used], chosen), design.x[used], effects).rows]
        problem = design.y[used], design.x[used], recode(design.effects, used), (weights * at_risk)[used]
        shift = None if offset is None else offset[used]
        return fit_irls(*problem, family=chosen.kernel, offset=shift, engine=chosen.engine).params[None]

    return replicated_source(flow.rows, fit.params[None], refit)


def _mean_slopes(fit: IrlsFit, flow: FlowRows, chosen: FlowCall) -> FloatArray:
    """Mean of dm/d(index) over the rows, and its derivative in the coefficients, the rows held fixed."""
    first = second = fit.mean
    if chosen.family != "poisson":
        step = 1e-4
        first, ahead, behind = (slope(fit.index + h, chosen.kernel) for h in (0.0, step, -step))  # type: ignore[arg-type]
        second = (ahead - behind) / (2 * step)
    return np.average(np.column_stack([first, second[:, None] * fit.x]), axis=0, weights=flow.rows.weights)


def _notes(rows: Rows, separated: pd.DataFrame, lost: Sequence[str], chosen: FlowCall) -> tuple[str, ...]:
    effects, is_share = rows.design.effects, chosen.family in ("binomial", "fractional")
    notes = {
        "The effects stand alone: no coefficient is estimated.": not rows.design.x.shape[1],
        f"{len(separated):,} separated rows were dropped; .separated lists them.": len(separated),
        f"Left out, collinear without the separated rows: {listing(lost)}.": lost,
        _THREE_WAY: chosen.family == "poisson" and len(effects) > 2 and chosen.bias is None,
        _MANY_EFFECTS: is_share and effects,
    }
    return tuple(note for note, holds in notes.items() if holds)


def _flows(
    rows: Rows,
    chosen: FlowCall,
    values: FloatArray,
    source: ErrorSource,
    separated: pd.DataFrame,
    notes: Sequence[str] = (),
) -> Flows:
    """Labelled coefficients, with the slopes of a linear mean: one everywhere."""
    design, k = rows.design, len(values)
    unit, title = {
        "poisson": ("log", "Flows, Poisson"),
        "gaussian": (design.unit, "Flows, linear"),
        "binomial": ("none", f"Rates, binomial {chosen.link}"),
        "fractional": ("none", f"Shares, fractional {chosen.link}"),
    }[chosen.family]
    absorbed = [f"Absorbed: {', '.join(design.effect_names)}."] if design.effect_names else []
    estimates = Estimates(
        pd.DataFrame({"term": list(design.names), "unit": unit, "comparison": ""}), values,
        (source.reported(np.eye(k)),), (np.eye(k),),
        title="Log odds, Berkson" if chosen.method == "berkson" else title, ledger=design.ledger,
        notes=(*absorbed, *notes),
    )  # fmt: skip
    return Flows(
        estimates, chosen.family, str(chosen.link), design.effect_names, separated, slopes=np.eye(1 + k)[0]
    )  # fmt: skip
