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

from wagegap._typing import BoolArray, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.errors import (
    IdentificationError,
    IdentificationWarning,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows, error_source, least_squares, replicated_source
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.sources import ErrorSource, ScoreSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.identification import partial_out
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import slope
from wagegap.estimation.likelihood.separation import find_separated
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.regression.gravity.flow_design import (
    FlowCall,
    FlowFamily,
    Link,
    correct_bias,
    flow_rows,
    pair_clusters,
)
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
        # s(b) b with s the mean slope:   d(s b)/db' = s I + b (ds/db)'
        b, is_slope = self.estimates.values, self.estimates.labels["term"].to_numpy() != "Intercept"
        jacobian = (self.slopes[0] * np.eye(len(b)) + np.outer(b, self.slopes[1:]))[is_slope]
        return self.estimates.map(
            lambda b: self.slopes[0] * b[is_slope],
            jacobian=lambda _: jacobian,
            labels=self.estimates.labels[is_slope].assign(
                unit="none" if self.family in ("poisson", "gaussian") else "share"
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

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the coefficients with their intervals, on new axes where none are given.

        Examples
        --------
        >>> data = pd.DataFrame({"flow": [9, 4, 2, 1.0], "dist": [1, 2, 4, 9.0]})
        >>> fit_flows(data, "flow ~ log(dist)").plot().get_xlabel()
        'Flows, Poisson, 95 % intervals'
        """
        slopes = self.estimates.select(self.estimates.labels["term"].to_numpy() != "Intercept")
        return draw_estimates(slopes, ax, alpha, self.title)


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
    rows, at_risk = flow_rows(
        data, formula, chosen, cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind
    )  # fmt: skip
    if bias is not None:
        rows = pair_clusters(rows)
    is_linear = family == "gaussian" or method == "berkson"
    flows = (_linear if is_linear else _generalised)(rows, at_risk, chosen)
    return flows if keep_units else flows.without_units()


def _linear(rows: Rows, at_risk: FloatArray, chosen: FlowCall) -> Flows:
    """Least squares, or Berkson's weighted least squares of log odds."""
    berkson, notes = chosen.method == "berkson", []
    if berkson:
        # weights n p (1 - p), the inverse of the binomial variance of log odds
        rate = special.expit(rows.design.y)
        rows = rows.weighted(at_risk * rate * (1 - rate))
    (fit,), refit = least_squares(rows)
    source = error_source(rows, [fit], refit)
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


def _generalised(rows: Rows, at_risk: FloatArray, chosen: FlowCall) -> Flows:
    """Counts and shares: drop separated rows, fit, and read the covariance off the last weighted least squares."""
    rows, at_risk, separated, lost = _without_separated(rows, at_risk, chosen)
    design, bias, notes = rows.design, None, _notes(rows, separated, lost, chosen)
    weights = at_risk if rows.weights is None else at_risk * rows.weights
    fit = fit_irls(design.y, design.x, design.effects, weights, family=chosen.kernel, engine=chosen.engine)
    if rows.cov.replicated:
        values, source = fit.params, _replicated(rows, at_risk, fit, chosen)
    else:
        values, source = _from_least_squares(rows, fit, chosen)
    if chosen.bias is not None and isinstance(source, ScoreSource):
        bias, source, note = correct_bias(rows, fit, source)
        values, notes = values - bias, (*notes, note)
    return replace(
        _flows(rows, chosen, values, source, separated, notes),
        deviance=fit.deviance,
        loglik=np.nan if chosen.family == "fractional" else loglik(design.y, fit.index, weights, chosen.kernel),
        slopes=_mean_slopes(fit, weights, chosen),
        bias=None if bias is None else pd.Series(bias, list(design.names), name="bias"),
    )


def _without_separated(
    rows: Rows, at_risk: FloatArray, chosen: FlowCall
) -> tuple[Rows, FloatArray, pd.DataFrame, tuple[str, ...]]:
    """Rows for which estimates exist, those at risk, labels of the rows dropped, and the columns lost with them."""
    rows.cov.check_weights(rows.weight_kind)
    design = rows.design
    separated = find_separated(_bounds(design.y, chosen), design.x, design.effects)
    dropped = separated.rows
    reasons = np.where(separated.by_level[dropped], "a level with one outcome only", "predicted perfectly").tolist()
    labels = _labels(rows, dropped, reasons)
    if not dropped.any():
        return rows, at_risk, labels, ()
    if dropped.all():
        raise IdentificationError(
            f"all {len(design.y):,} rows are separated: the regressors and effects predict {design.outcome!r} "
            "perfectly. Absorb fewer effects, or leave regressors out."
        )
    kept = rows.keep(~dropped, "separated")
    design, lost = _without_lost_columns(kept.design)
    return replace(kept, design=design), at_risk[~dropped], labels, lost


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


def _from_least_squares(rows: Rows, fit: IrlsFit, chosen: FlowCall) -> tuple[FloatArray, ErrorSource]:
    """Coefficients and source of error of the weighted least squares problem that the fit solves at its end.

    Its scores are those of the likelihood, its bread the inverse of the expected information.
    """
    scale = float(fit.weights.mean())
    problem = rows.with_design(y=fit.response, x=fit.x).weighted(fit.weights / scale)
    (last,), refit = least_squares(problem)
    source = error_source(problem, [last], refit)
    if chosen.family != "fractional" and isinstance(source, ScoreSource):
        source = _known_variance(source, last.sigma * np.sqrt(scale))
    return last.values, source


def _replicated(rows: Rows, at_risk: FloatArray, fit: IrlsFit, chosen: FlowCall) -> ErrorSource:
    """Fit again with each replicate's weights, from the rows with weight that are not separated among themselves."""
    design = rows.design

    def refit(weights: FloatArray) -> FloatArray:
        used = np.flatnonzero(weights > 0)
        effects = recode(design.effects, used)
        used = used[~find_separated(_bounds(design.y[used], chosen), design.x[used], effects).rows]
        problem = design.y[used], design.x[used], recode(design.effects, used), (weights * at_risk)[used]
        return fit_irls(*problem, family=chosen.kernel, engine=chosen.engine).params[None]

    return replicated_source(rows, fit.params[None], refit)


def _mean_slopes(fit: IrlsFit, weights: FloatArray, chosen: FlowCall) -> FloatArray:
    """Mean of dm/d(index), and its derivative in the coefficients, the rows held fixed."""
    first = second = fit.mean
    if chosen.family != "poisson":
        step = 1e-4
        first, ahead, behind = (slope(fit.index + h, chosen.kernel) for h in (0.0, step, -step))  # type: ignore[arg-type]
        second = (ahead - behind) / (2 * step)
    weights = np.ones(len(weights)) if chosen.family == "binomial" else weights
    return np.average(np.column_stack([first, second[:, None] * fit.x]), axis=0, weights=weights)


def _notes(rows: Rows, separated: pd.DataFrame, lost: Sequence[str], chosen: FlowCall) -> tuple[str, ...]:
    effects, is_share = rows.design.effects, chosen.family in ("binomial", "fractional")
    notes = {
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
        pd.DataFrame({"term": list(design.names), "unit": unit, "comparison": ""}), values, (source,), (np.eye(k),),
        title="Log odds, Berkson" if chosen.method == "berkson" else title, ledger=design.ledger,
        notes=(*absorbed, *notes),
    )  # fmt: skip
    return Flows(
        estimates, chosen.family, str(chosen.link), design.effect_names, separated, slopes=np.eye(1 + k)[0]
    )  # fmt: skip
