"""The gap of a whole distribution between two groups, from models of pay given regressors.

With F_j(y | x) the distribution of pay given regressors in group j, and the regressors of group k, the counterfactual

    F_jk(y) = mean over the rows of k of F_j(y | x)

is the pay that group k would have under the pay structure of group j. Its quantiles Q_jk split the gap of every
quantile between a first group a and a second group b,

    Q_aa - Q_bb = [Q_aa - Q_ab] + [Q_ab - Q_bb] = explained + unexplained,

what composition does, at the pay structure of the first group (reference "A"), and what structure does. F_j(y | x) is a
quantile regression process, a distribution regression, or a location (and scale) model; Q_aa and Q_bb are those of the
model too, so that the gap is the model's, and a test compares them with the quantiles of the sample.

References
----------
Chernozhukov, V., I. Fernandez-Val and B. Melly (2013). Inference on counterfactual distributions. Econometrica 81,
2205-2268.
Machado, J. and J. Mata (2005). Counterfactual decomposition of changes in wage distributions using quantile regression.
Journal of Applied Econometrics 20, 445-465.
Melly, B. (2005). Decomposition of differences in distribution using quantile regression. Labour Economics 12, 577-590.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnName,
    ColumnNames,
    Condition,
    FloatArray,
    Formula,
    IntArray,
    WeightKind,
)
from wagegap.decomposition.distributions.conditional import Conditional, Model, Process, fit_conditional
from wagegap.decomposition.distributions.functional import curve_tests, uniform_critical, zero_test
from wagegap.decomposition.distributions.mass_points import ALL_AGREE, drop_errors
from wagegap.decomposition.distributions.quantreg import check_probs
from wagegap.decomposition.distributions.rearrange import Convention, pooled_quantiles
from wagegap.decomposition.distributions.sides import (
    COMPONENTS,
    MEASURE,
    gap_of_levels,
    group_sides,
    label_statistics,
    name_reference,
    one_comparison,
)
from wagegap.decomposition.figures import plot_curves, quantile_of
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import Estimated, estimates_from_replicates
from wagegap.decomposition.result import Decomposition
from wagegap.errors import (
    CovarianceError,
    IdentificationError,
    check_option,
    listing,
)
from wagegap.estimation.countries.columns import to_read
from wagegap.estimation.covariance.options import Bootstrap, CovLike, Survey
from wagegap.estimation.covariance.sources import ReplicateSource, UnknownSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.sample import Cell
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of

__all__ = ["CounterfactualGap", "counterfactual"]

_STATES = ("first", "second", "counterfactual", "first observed", "second observed")
_DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_REPS = 200
_DRAWS = 10_000
_ALWAYS = ("logit", "lpm")  # models whose fitted distribution is that of the sample at every threshold
_MODEL_NAMES = {
    "qr": "quantile regression",
    "logit": "distribution regression (logit)",
    "probit": "distribution regression (probit)",
    "cloglog": "distribution regression (cloglog)",
    "lpm": "distribution regression (linear)",
    "loc": "location model",
    "locsca": "location-scale model",
}
_NEWTON_STEPS = {
    "qr": "one Newton step from the sample's coefficients",
    **dict.fromkeys(("logit", "probit", "cloglog"), "two Newton steps from the sample's coefficients"),
}


@dataclass(frozen=True, eq=False, repr=False)
class CounterfactualGap(Decomposition):
    """A gap of distributions: a curve of quantiles with bands, for the whole and for each part.

    Attributes
    ----------
    model : str
        Model of the conditional distribution.
    kind : {"uniform", "pointwise"}
        Bands that are shown: those that hold a whole curve, or each point.
    """

    model: Model = "qr"
    kind: Literal["uniform", "pointwise"] = "uniform"

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each quantile and component; band_low and band_high hold the whole curve of a component.

        conf_low and conf_high hold each point by itself.
        """
        frame = super().tidy(alpha)
        errors: FloatArray = np.asarray(self.bse, dtype=np.float64)
        deviations, half = _draws(self.estimates), np.empty(len(frame))
        for at in _curves(self.estimates):
            half[at] = uniform_critical(deviations[:, at], errors[at], alpha) * errors[at]
        return frame.assign(band_low=frame["estimate"] - half, band_high=frame["estimate"] + half)

    def _with_bands(self, alpha: Alpha, kind: str) -> pd.DataFrame:
        """Tidy frame whose intervals are those of a kind."""
        frame = self.tidy(alpha)
        return frame if kind == "pointwise" else frame.assign(conf_low=frame["band_low"], conf_high=frame["band_high"])

    def curve_tests(self) -> pd.DataFrame:
        """Test hypotheses about whole curves.

        Returns
        -------
        DataFrame
            Keys, component, hypothesis, and Kolmogorov-Smirnov and Cramer-von Mises statistics with p-values: ks, ks_p,
            cms, cms_p. Hypotheses: no effect at any probability; an effect equal to that at the median (or the
            probability nearest to it); nowhere negative (dominance); nowhere positive; and for the two groups that the
            model's quantiles are those of the sample, unless the model makes them so.
        """
        estimates, deviations = self.estimates, _draws(self.estimates)
        rows = []
        for at in _curves(estimates):
            middle = int(np.argmin(np.abs(self._probs(at) - 0.5)))
            tests = curve_tests(estimates.values[at], deviations[:, at], middle)
            rows += [{**self._curve_keys(estimates, at, "component"), **asdict(test)} for test in tests]
        return pd.DataFrame(rows + self._specification())

    def _curve_keys(self, estimates: Estimates, at: IntArray, column: str) -> dict[str, Any]:
        """Keys of a curve's comparison, and its component (or state)."""
        row = estimates.labels.iloc[at[0]]
        return {**{key: row[key] for key in self.keys if key != MEASURE}, "component": row[column]}

    def _specification(self) -> list[dict[str, Any]]:
        """Model against sample in both groups."""
        levels = self.levels
        if levels is None or self.model in _ALWAYS:
            return []
        deviations, rows = _draws(levels), []
        for at in _curves(levels, "term"):
            keys = self._curve_keys(levels, at, "term")
            if keys["component"] in ("first", "second"):
                observed = at + _STATES.index("first observed")
                gap, drawn = levels.values[at] - levels.values[observed], deviations[:, at] - deviations[:, observed]
                rows.append({**keys, **asdict(zero_test(gap, drawn, "correct_model"))})
        return rows

    def _probs(self, at: IntArray) -> FloatArray:
        """Probabilities of the quantiles in some rows."""
        if MEASURE not in self.estimates.labels:
            return np.full(len(at), 0.5)
        return np.array([quantile_of(str(name)) for name in self.estimates.labels[MEASURE].iloc[at]], dtype=float)

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the quantiles of the gap and its parts with the bands asked for, and tests beneath."""
        columns = ["component", "estimate", "std_error", "conf_low", "conf_high", "share"]
        shown = self._with_bands(alpha, self.kind)[[*self.keys, *columns]]
        return tabulate_frame(
            shown,
            title=self.heading(),
            written=to_read(shown[list(self.keys)]),
            notes=[*self._notes(), *self._test_notes(alpha)],
        )

    def _test_notes(self, alpha: Alpha) -> list[str]:
        held = "a whole curve" if self.kind == "uniform" else "each point by itself"
        notes = [f"Intervals hold {held} with probability {1 - alpha:g}."]
        if len(self.comparisons) > 1:
            return [*notes, "Tests of whole curves: curve_tests()."]
        for name, part in self.curve_tests().groupby("component", sort=False):
            p_values = [
                f"{hypothesis.replace('_', ' ')} {ks:.3f} ({cms:.3f})"
                for hypothesis, ks, cms in zip(part["hypothesis"], part["ks_p"], part["cms_p"], strict=True)
            ]
            notes.append(f"p of {name}, KS (CMS): {', '.join(p_values)}.")
        return notes

    def plot(
        self,
        ax: AxesLike = None,
        *,
        component: str | None = None,
        alpha: Alpha = 0.05,
        bands: str | None = None,
        **keys: Any,
    ) -> Any:
        """Draw quantiles of the gap and its parts with their bands.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        component : str, optional
            One curve instead of all.
        alpha : float
            One minus the coverage of the bands.
        bands : {"uniform", "pointwise"}, optional
            Those asked for in the call where absent.
        **keys
            Which comparison, where there are several: `iso3="KOR"`.
        """
        kind = self.kind if bands is None else bands
        check_option("bands", kind, ("uniform", "pointwise"))
        frame = one_comparison(self._with_bands(alpha, kind), keys, [name for name in self.keys if name != MEASURE])
        if component is not None:
            check_option("component", component, self.components)
            frame = frame[frame["component"] == component]
        direction = listing(dict.fromkeys(self.comparisons["direction"]), 1)
        return plot_curves(
            frame.assign(at=self._probs(frame.index.to_numpy())), direction, self.unit, ax,
            f", {100 * (1 - alpha):g} % {kind} bands",
        )  # fmt: skip


@refittable
def counterfactual(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    model: Model = "qr",
    probs: Sequence[float] | float = _DECILES,
    reference: Literal["A", "B"] = "A",
    bands: Literal["uniform", "pointwise"] = "uniform",
    regressions: int = 100,
    trimming: float = 0.005,
    convention: Convention = "cfm",
    refit: Literal["one-step", "full"] = "one-step",
    cov: CovLike | None = None,
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> CounterfactualGap:
    """Decompose the gap of the quantiles of pay into composition and structure, by a model of pay given regressors.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`.
    group, groups, by
        As in `oaxaca`: the gap is first minus second.
    model : {"qr", "logit", "probit", "cloglog", "lpm", "loc", "locsca"}
        Quantile regression; distribution regression by its link; location, or location-scale model.
    probs : float or sequence of float
        Probabilities of the quantiles. Bands and tests are over those given.
    reference : {"A", "B"}
        Whose pay structure the counterfactual has: "A" the first group's, with the regressors of the second; "B" the
        second group's with the regressors of the first (as R's Counterfactual, whose group 1 comes first).
    bands : {"uniform", "pointwise"}
        Bands of the summary and the figure; `tidy()` has both.
    regressions : int
        Quantile regressions, thresholds, or quantiles of the errors of a location model, of each group.
    trimming : float
        Quantile regressions below this probability, or above one minus it, are left out.
    convention : {"cfm", "r"}
        Quantiles of a distribution: the smallest value whose probability is reached, between thresholds by
        interpolation; or as R's Counterfactual 1.2 computes them (see Notes).
    refit : {"one-step", "full"}
        What a replicate is: Newton steps from the sample's coefficients (one for quantile regression, two for
        distribution regression, exact for the other models), or the whole process solved again.
    cov : Bootstrap or Replicates, optional
        By itself the replicates that the panel declares, else 200 exponential weights of rows (of the panel's clusters
        where it declares them; draws of clusters within strata where it declares both), seed 0.
    weights, weight_kind
        As in `fit_premiums`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    CounterfactualGap
        Components difference, explained, unexplained, for each quantile.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Notes
    -----
    Under convention "r", weights of both groups together sum to one, and quantiles lie between the values at whole
    positions of 1 + (W - 1) p, with W the number of regressions times the weight of the group: for a group of a quarter
    of the sample and a hundred regressions W is 25, and the quantile at .1 is that at .136. Errors of a location model
    are weighted to less than one in all, so that each of their quantiles is the largest. These are the numbers that the
    package prints; they are offered to be compared with.

    Replicates of distribution regression are close to full refits. Those of quantile regression are valid to first
    order: standard errors are within some per cent of those of full refits for a thousand rows and twenty regressors.

    Examples
    --------
    >>> import wagegap as wg
    >>> from wagegap.decomposition.distributions.counterfactual import counterfactual
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> gap = counterfactual(
    ...     data, "log(hourly_wage) ~ exper + ai", group="female", groups=(0, 1), model="logit",
    ...     cov=wg.cov.Bootstrap(20, kind="bayesian", rng=1),
    ... )
    >>> gap.tidy()["component"].unique().tolist()
    ['difference', 'explained', 'unexplained']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    plan = _Plan(model, Process(regressions, trimming, convention), check_probs(probs), reference, refit == "full")
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    grouped = _with_replicates(grouped, cov)
    gaps = _fit(grouped, plan)
    statistics = (
        [f"quantile({p:g})" for p in plan.probs],
        [grouped.design.unit] * len(plan.probs),
    )
    levels = _levels(grouped, plan, gaps, label_statistics(pd.DataFrame({"term": _STATES}), *statistics))
    everywhere = np.ones(len(levels.values), dtype=bool)
    estimates, dropped = gap_of_levels(
        grouped, levels, reference, statistics, moved=everywhere, notes=_notes(plan, gaps),
        title=f"Gap of quantiles of {grouped.design.outcome}, {_MODEL_NAMES[model]}",
    )  # fmt: skip
    if dropped:
        estimates = replace(estimates, notes=(*estimates.notes, ALL_AGREE))
    named = name_reference(reference, "pay structure of the {} group, with the regressors of the {}")
    levels = drop_errors(levels, everywhere)[0]
    return CounterfactualGap(
        estimates, "counterfactual", COMPONENTS, grouped.sizes(), levels, named, model, bands
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed for every comparison.

    Attributes
    ----------
    model : str
        Model of the conditional distribution.
    process : Process
        How finely it is fitted.
    probs : ndarray, shape (q,)
        Probabilities.
    reference : {"A", "B"}
        Whose pay structure the counterfactual has.
    exact : bool
        Whether replicates are full refits.
    """

    model: Model
    process: Process
    probs: FloatArray
    reference: str
    exact: bool


def _with_replicates(grouped: GroupedSample, asked: CovLike | None) -> GroupedSample:
    """The bootstrap, where nothing else is asked for."""
    if grouped.cov.replicated:
        return grouped
    if asked is not None:
        raise CovarianceError(
            f"cov={str(grouped.cov)!r}: counterfactual distributions have standard errors by replicates only: "
            "wagegap.cov.Bootstrap(reps, kind='bayesian', cluster=..., rng=...), or a survey's replicates."
        )
    cov, what = Bootstrap(_REPS, kind="bayesian", rng=0), "exponential weights of rows"
    match grouped.cov:
        case Survey(stages=(psu, *_), strata=strata):
            cov = replace(cov, kind="pairs", cluster=psu, strata=strata)
            what = f"draws of {psu}{f' within {strata}' if strata else ''}"
        case declared if declared.clusters:
            cov = replace(cov, cluster=declared.clusters[0])
            what = f"exponential weights of {cov.cluster}"
    notes = (*grouped.notes, f"Standard errors: {_REPS} {what}, seed 0.")
    return replace(grouped, data=replace(grouped.data, asked=cov), notes=notes)


# estimates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """One comparison: both groups and the models fitted in them."""

    comparison: Comparison
    sides: tuple[Cell, Cell]
    models: tuple[Conditional, Conditional]


def _fit(grouped: GroupedSample, plan: _Plan) -> list[_Gap]:
    """Fit the conditional distribution of every sample, once for all comparisons that it is part of."""
    sides, weights = tuple(group_sides(grouped, ordered=False)), grouped.weights(np.arange(len(grouped.sample.y)))
    known = dict[Any, Conditional]()
    gaps = []
    for number, comparison in enumerate(grouped.comparisons):
        pair, names = (sides[comparison.first], sides[comparison.second]), comparison.names
        if grouped.by:
            names = (f"{names[0]} (cell {pair[0].name})", f"{names[1]} (cell {pair[1].name})")
        _check_span(grouped, pair, names, plan)
        keys = [
            (cell, number) if plan.process.convention == "r" else cell for cell in (comparison.first, comparison.second)
        ]
        for key, name, side, w in zip(keys, names, pair, _shares(weights, pair), strict=True):
            if key not in known:
                known[key] = fit_conditional(side.y, side.x, w, plan.model, plan.process, sample=name)
        gaps.append(_Gap(comparison, pair, (known[keys[0]], known[keys[1]])))
    return gaps


def _check_span(grouped: GroupedSample, pair: tuple[Cell, Cell], names: tuple[str, str], plan: _Plan) -> None:
    """Refuse regressors of one group at which the other's pay structure says nothing."""
    source = "AB".index(plan.reference)
    x, other = pair[source].x, pair[1 - source].x
    lost = []
    for column in fit_lstsq(np.zeros(len(x)), x).collinear:
        values = other[:, column.column]
        combination = sum((b * other[:, j] for j, b in column.made_of), np.zeros(len(other)))
        if np.abs(values - combination).max() > 1e-8 * max(np.abs(values).max(initial=0.0), 1.0):
            lost.append(grouped.design.names[column.column])
    if lost:
        raise IdentificationError(
            f"{listing(lost)}: rows of {names[1 - source]} have values that the pay structure of {names[source]} says "
            "nothing about, as nobody there has them. Merge levels, leave these rows out, or turn reference= round."
        )


def _shares(weights: FloatArray, pair: tuple[Cell, Cell]) -> tuple[FloatArray, FloatArray]:
    """Weights of both groups that sum to one together."""
    first, second = weights[pair[0].rows], weights[pair[1].rows]
    total = first.sum() + second.sum()
    return first / total, second / total


def _levels(grouped: GroupedSample, plan: _Plan, gaps: Sequence[_Gap], labels: pd.DataFrame) -> Estimates:
    """Quantiles of both groups, of the counterfactual, and of the samples, with their joint covariance."""

    def again(weights: FloatArray) -> list[FloatArray]:
        fits: dict[int, Any] = {}
        return [_evaluate(gap, plan, weights, fits) for gap in gaps]

    fitted = {id(model): model.fitted for gap in gaps for model in gap.models}
    weights = grouped.weights(np.arange(len(grouped.sample.y)))
    parts = [Estimated(gap.comparison, labels, _evaluate(gap, plan, weights, fitted)) for gap in gaps]
    return estimates_from_replicates(grouped, parts, again, title=f"Distribution of {grouped.design.outcome}")


def _evaluate(gap: _Gap, plan: _Plan, weights: FloatArray, fits: dict[int, Any]) -> FloatArray:
    """Quantiles in every state, (q, S) flat; `fits` holds those under these weights, and takes those made here."""
    shares, source = _shares(weights, gap.sides), "AB".index(plan.reference)
    for model, w in zip(gap.models, shares, strict=True):
        if id(model) not in fits:
            fits[id(model)] = model.again(w, plan.exact)
    # Q_jk inverts F_jk(y) = sum over the rows of k of w_i F_j(y | x_i)
    states = [
        gap.models[j].quantiles(fits[id(gap.models[j])], gap.sides[k].x, shares[k], plan.probs)
        for j, k in ((0, 0), (1, 1), (source, 1 - source))
    ]
    states += [pooled_quantiles(side.y[None], w, plan.probs) for side, w in zip(gap.sides, shares, strict=True)]
    return np.stack(states, axis=1).ravel()


# results -----------------------------------------------------------------------------------------------------------


def _notes(plan: _Plan, gaps: Sequence[_Gap]) -> list[str]:
    """Model and replicates in words."""
    solved = "whole process solved again"
    steps = solved if plan.exact else _NEWTON_STEPS.get(plan.model, solved)
    notes = [f"Model: {_MODEL_NAMES[plan.model]}, {plan.process.regressions} of each group; replicates: {steps}."]
    separated = sum({id(model): model.separated for gap in gaps for model in gap.models}.values())
    if separated:
        notes.append(
            f"Thresholds at which regressors separate the outcomes: {separated}; fitted probabilities are zero or one."
        )
    if plan.process.convention == "r":
        notes.append("Quantiles as R's Counterfactual computes them.")
    return notes


def _draws(estimates: Estimates) -> FloatArray:
    """Deviations of the estimates in the bootstrap, or normal ones with their covariance, shape (R, p)."""
    source, *others = [source for source in estimates.sources if not isinstance(source, UnknownSource)]
    if (
        not others
        and isinstance(source, ReplicateSource)
        and source.kind == "bootstrap"
        and len({name for name, _ in source.keys}) == 1
    ):
        return np.asarray(source.deviations @ estimates.maps[0].T * np.sqrt(len(source.keys) - 1))
    known = np.isfinite(estimates.variances)
    values, vectors = np.linalg.eigh(np.where(np.outer(known, known), estimates.covariance, 0.0))
    normal = np.random.default_rng(0).standard_normal((_DRAWS, len(values)))
    return np.asarray(normal * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)


def _curves(estimates: Estimates, column: str = "component") -> list[IntArray]:
    """Positions of the points of every curve: those of one comparison and component (or state)."""
    keys = [name for name in estimates.by if name not in ("component", MEASURE)]
    number = estimates.labels[[*keys, column]].astype(str).groupby([*keys, column], sort=False).ngroup().to_numpy()
    return [np.flatnonzero(number == i) for i in np.unique(number)]
