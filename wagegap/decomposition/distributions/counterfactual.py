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
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import BoolArray, FloatArray, IntArray, WeightKind
from wagegap.decomposition.distributions.conditional import MODELS, Conditional, Model, Process, fit_conditional
from wagegap.decomposition.distributions.functional import CurveTest, curve_tests, uniform_critical, zero_test
from wagegap.decomposition.distributions.quantreg import check_probs
from wagegap.decomposition.distributions.rearrange import Convention, pooled_quantiles
from wagegap.decomposition.figures import quantile_of
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import Estimated, estimates_from_replicates, is_replicated
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import (
    CovarianceError,
    IdentificationError,
    OptionError,
    check_option,
    did_you_mean,
    listing,
)
from wagegap.estimation.covariance.options import Bootstrap, CovLike, Robust, Survey
from wagegap.estimation.covariance.sources import ReplicateSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_in_heading, unit_of_outcome

__all__ = ["CounterfactualGap", "counterfactual"]

_MEASURE = "measure"  # the key that names the quantile; tidy frames keep "statistic" for t
_COMPONENTS = ("difference", "explained", "unexplained")
_STATES = ("first", "second", "counterfactual", "first observed", "second observed")
_DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
_REPS = 200
_DRAWS = 10_000
_ALWAYS = ("logit", "lpm")  # models whose fitted distribution is that of the sample at every threshold
_WORDS = {
    "qr": "quantile regression",
    "logit": "distribution regression (logit)",
    "probit": "distribution regression (probit)",
    "cloglog": "distribution regression (cloglog)",
    "lpm": "distribution regression (linear)",
    "loc": "location model",
    "locsca": "location-scale model",
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

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return one row for each quantile and component; band_low and band_high hold the whole curve of a component.

        conf_low and conf_high hold each point by itself.
        """
        frame = super().tidy(alpha)
        errors: FloatArray = np.asarray(self.bse, dtype=np.float64)
        deviations = self._deviations()
        factor = np.empty(len(frame))
        for at in _curves(self.estimates):
            factor[at] = uniform_critical(deviations[:, at], errors[at], alpha)
        half = factor * errors
        return frame.assign(band_low=frame["estimate"] - half, band_high=frame["estimate"] + half)

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
        keys = [name for name in self.keys if name != _MEASURE]
        labels, values, deviations = self.estimates.labels, self.estimates.values, self._deviations()
        rows = []
        for at in _curves(self.estimates):
            middle = int(np.argmin(np.abs(self._probs(at) - 0.5)))
            where = {**{key: labels[key].iloc[at[0]] for key in keys}, "component": labels["component"].iloc[at[0]]}
            rows += [{**where, **_as_row(test)} for test in curve_tests(values[at], deviations[:, at], middle)]
        return pd.DataFrame(rows + self._specification(keys))

    def _specification(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Model against sample in both groups."""
        levels = self.levels
        if levels is None or self.model in _ALWAYS:
            return []
        labels, deviations, rows = levels.labels, _draws(levels), []
        for at in _curves(levels, "term", "first", "second"):
            term = labels["term"].iloc[at[0]]
            seen = np.flatnonzero(
                (labels["term"] == f"{term} observed").to_numpy() & _equal(labels, keys, at[0])
            )  # fmt: skip
            test = zero_test(
                levels.values[at] - levels.values[seen], deviations[:, at] - deviations[:, seen], "correct_model"
            )
            rows.append({**{key: labels[key].iloc[at[0]] for key in keys}, "component": term, **_as_row(test)})
        return rows

    def _probs(self, at: IntArray) -> FloatArray:
        """Probabilities of the quantiles in some rows."""
        if _MEASURE not in self.estimates.labels:
            return np.full(len(at), 0.5)
        return np.array([quantile_of(str(name)) for name in self.estimates.labels[_MEASURE].iloc[at]], dtype=float)

    def _deviations(self) -> FloatArray:
        return _draws(self.estimates)

    def spec_of_table(self, alpha: float = 0.05) -> TableSpec:
        """Return the quantiles of the gap and its parts with the bands asked for, and tests beneath."""
        frame = self.tidy(alpha)
        if self.kind == "uniform":
            frame = frame.assign(conf_low=frame["band_low"], conf_high=frame["band_high"])
        columns = ["estimate", "std_error", "conf_low", "conf_high", "share"]
        shown = frame[[*self.keys, "component", *columns]]
        return tabulate_frame(shown, title=self.heading(), notes=[*self._notes(), *self._test_notes(alpha)])

    def _test_notes(self, alpha: float) -> list[str]:
        held = "a whole curve" if self.kind == "uniform" else "each point by itself"
        notes = [f"Intervals hold {held} with probability {1 - alpha:g}."]
        if len(self.comparisons) > 1:
            return [*notes, "Tests of whole curves: curve_tests()."]
        tests = self.curve_tests()
        for name in dict.fromkeys(tests["component"]):
            part = tests[tests["component"] == name]
            words = [
                f"{hypothesis.replace('_', ' ')} {ks:.3f} ({cms:.3f})"
                for hypothesis, ks, cms in zip(part["hypothesis"], part["ks_p"], part["cms_p"], strict=True)
            ]
            notes.append(f"p of {name}, KS (CMS): {', '.join(words)}.")
        return notes

    def plot(
        self,
        ax: Any = None,
        *,
        component: str | None = None,
        alpha: float = 0.05,
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
        from wagegap._display.axes import PALETTE, line_band, new_axes

        kind = self.kind if bands is None else bands
        check_option("bands", kind, ("uniform", "pointwise"))
        shown = self.components if component is None else (component,)
        for name in shown:
            check_option("component", name, self.components)
        frame = self._one_comparison(self.tidy(alpha), keys)
        ends = ("band_low", "band_high") if kind == "uniform" else ("conf_low", "conf_high")
        ax = new_axes(6.3, 4.0) if ax is None else ax
        for i, name in enumerate(shown):
            part = frame[frame["component"] == name]
            at = self._probs(part.index.to_numpy())
            columns = [part[c].to_numpy() for c in ("estimate", *ends)]
            line_band(ax, at, *columns, color=PALETTE[(i + 3) % len(PALETTE)], label=name)
        ax.axhline(0.0, color="#8A8A8A", linewidth=0.8, zorder=1)
        ax.legend(frameon=False, fontsize=8.0)
        ax.set_xlabel(f"probability of the quantile, {100 * (1 - alpha):g} % {kind} bands")
        direction = listing(dict.fromkeys(self.comparisons["direction"]), 1)
        ax.set_ylabel(f"{direction}{unit_in_heading(self.unit)}")
        return ax

    def _one_comparison(self, frame: pd.DataFrame, keys: dict[str, Any]) -> pd.DataFrame:
        own = [name for name in self.keys if name != _MEASURE]
        for name, value in keys.items():
            if name not in own:
                raise OptionError(f"{name!r} is no key of the comparisons.{did_you_mean(name, own)}")
            frame = frame[frame[name] == value]
        if frame.empty or (own and len(frame[own].drop_duplicates()) > 1):
            raise OptionError(f"choose one comparison by its keys ({listing(own)}).")
        return frame


@refittable
def counterfactual(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
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
    for name, value, known in (
        ("model", model, MODELS), ("reference", reference, ("A", "B")), ("bands", bands, ("uniform", "pointwise")),
        ("refit", refit, ("one-step", "full")),
    ):  # fmt: skip
        check_option(name, value, known)
    plan = _Plan(model, Process(regressions, trimming, convention), check_probs(probs), reference, refit == "full")
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    grouped = _with_replicates(grouped, cov)
    own = grouped.weights(np.arange(len(grouped.sample.y)))
    gaps = _fit(grouped, plan, own)
    levels = _levels(grouped, plan, gaps, own)
    estimates = _components(grouped, levels, plan, gaps)
    return CounterfactualGap(
        estimates, "counterfactual", _COMPONENTS, grouped.sizes(), levels, plan.words, model, bands
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

    @property
    def words(self) -> str:
        """The reference in words."""
        first, second = ("first", "second") if self.reference == "A" else ("second", "first")
        return f"pay structure of the {first} group, with the regressors of the {second}"

    @property
    def statistics(self) -> list[str]:
        """Names of the quantiles."""
        return [f"quantile({p:g})" for p in self.probs]


def _with_replicates(grouped: GroupedSample, asked: CovLike | None) -> GroupedSample:
    """The bootstrap, where nothing else is asked for."""
    if is_replicated(grouped):
        return grouped
    if asked is not None:
        raise CovarianceError(
            f"cov={str(grouped.cov)!r}: counterfactual distributions have standard errors by replicates only: "
            "wagegap.cov.Bootstrap(reps, kind='bayesian', cluster=..., rng=...), or a survey's replicates."
        )
    cov, what = Bootstrap(_REPS, kind="bayesian", rng=0), "exponential weights of rows"
    if isinstance(grouped.cov, Survey):
        cov = replace(cov, kind="pairs", cluster=grouped.cov.psu, strata=grouped.cov.strata)
        what = f"draws of {grouped.cov.psu}" + f" within {grouped.cov.strata}" * bool(grouped.cov.strata)
    elif isinstance(grouped.cov, Robust) and grouped.cov.clusters:
        cov = replace(cov, cluster=grouped.cov.clusters[0])
        what = f"exponential weights of {cov.cluster}"
    return replace(grouped, cov=cov, notes=(*grouped.notes, f"Standard errors: {_REPS} {what}, seed 0."))


# estimates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """One comparison: rows of both groups and the models fitted in them."""

    comparison: Comparison
    rows: tuple[IntArray, IntArray]
    models: tuple[Conditional, Conditional]


def _levels(grouped: GroupedSample, plan: _Plan, gaps: Sequence[_Gap], own: FloatArray) -> Estimates:
    """Quantiles of both groups, of the counterfactual, and of the samples, with their joint covariance."""
    labels = pd.DataFrame({"term": list(_STATES) * len(plan.probs)})
    if len(plan.probs) > 1:
        labels.insert(0, _MEASURE, np.repeat(plan.statistics, len(_STATES)))
    labels["unit"] = unit_of_outcome(grouped.design.outcome)

    def again(weights: FloatArray) -> list[FloatArray]:
        known: dict[int, Any] = {}
        return [_evaluate(grouped, gap, plan, weights, known) for gap in gaps]

    fitted = {id(model): model.fitted for gap in gaps for model in gap.models}
    values = [_evaluate(grouped, gap, plan, own, fitted) for gap in gaps]
    parts = [Estimated(gap.comparison, labels, value) for gap, value in zip(gaps, values, strict=True)]
    return estimates_from_replicates(grouped, parts, again, title=f"Distribution of {grouped.design.outcome}")


def _fit(grouped: GroupedSample, plan: _Plan, own: FloatArray) -> list[_Gap]:
    """Fit the conditional distribution of every sample, once for all comparisons that it is part of."""
    sample, known = grouped.sample, dict[Any, Conditional]()
    gaps = []
    for number, comparison in enumerate(grouped.comparisons):
        rows = grouped.rows(comparison)
        shares = _shares(own, rows)
        _check_span(grouped, rows, comparison, plan)
        models = []
        cells, words = (comparison.first, comparison.second), _words(grouped, comparison)
        for cell, word, at, w in zip(cells, words, rows, shares, strict=True):
            key = (cell, number) if plan.process.convention == "r" else cell
            if key not in known:
                known[key] = fit_conditional(sample.y[at], sample.x[at], w, plan.model, plan.process, sample=word)
            models.append(known[key])
        gaps.append(_Gap(comparison, rows, (models[0], models[1])))
    return gaps


def _words(grouped: GroupedSample, comparison: Comparison) -> list[str]:
    """Both groups in words, with their cell where there are several."""
    groups = comparison.direction.split(" minus ")
    if not grouped.by:
        return groups
    cells = [grouped.sample.cell_names[at] for at in (comparison.first, comparison.second)]
    return [f"{word} (cell {cell})" for word, cell in zip(groups, cells, strict=True)]


def _shares(weights: FloatArray, rows: tuple[IntArray, IntArray]) -> tuple[FloatArray, FloatArray]:
    """Weights of both groups that sum to one together."""
    first, second = weights[rows[0]], weights[rows[1]]
    total = first.sum() + second.sum()
    return first / total, second / total


def _evaluate(grouped: GroupedSample, gap: _Gap, plan: _Plan, weights: FloatArray, known: dict[int, Any]) -> FloatArray:
    """Quantiles in every state, (q, S) flat; `known` holds fits under these weights, and takes those made here."""
    sample, shares = grouped.sample, _shares(weights, gap.rows)
    for model, w in zip(gap.models, shares, strict=True):
        if id(model) not in known:
            known[id(model)] = model.again(w, exact=plan.exact)
    xs = [sample.x[at] for at in gap.rows]
    source = 0 if plan.reference == "A" else 1
    pairs = ((0, 0), (1, 1), (source, 1 - source))
    states = [
        gap.models[j].quantiles(known[id(gap.models[j])], xs[k], shares[k], plan.probs) for j, k in pairs
    ]  # fmt: skip
    for at, w in zip(gap.rows, shares, strict=True):
        states.append(pooled_quantiles(sample.y[at][None], w, plan.probs))
    return np.stack(states, axis=1).ravel()


def _check_span(grouped: GroupedSample, rows: tuple[IntArray, IntArray], comparison: Comparison, plan: _Plan) -> None:
    """Refuse regressors of one group at which the other's pay structure says nothing."""
    source = 0 if plan.reference == "A" else 1
    own, other = grouped.sample.x[rows[source]], grouped.sample.x[rows[1 - source]]
    names = _words(grouped, comparison)
    fit = fit_lstsq(np.zeros(len(own)), own)
    lost = []
    for column in fit.collinear:
        made = sum((b * other[:, j] for j, b in column.made_of), np.zeros(len(other)))
        size = float(np.abs(other[:, column.column]).max(initial=0.0))
        if np.abs(other[:, column.column] - made).max() > 1e-8 * max(size, 1.0):
            lost.append(grouped.design.names[column.column])
    if lost:
        raise IdentificationError(
            f"{listing(lost)}: rows of {names[1 - source]} have values that the pay structure of {names[source]} says "
            "nothing about, as nobody there has them. Merge levels, leave these rows out, or turn reference= round."
        )


# results -----------------------------------------------------------------------------------------------------------


def _components(grouped: GroupedSample, levels: Estimates, plan: _Plan, gaps: Sequence[_Gap]) -> Estimates:
    """The gap and its parts as differences of quantiles."""
    unit = np.eye(len(_STATES))
    first, second, between = unit[0], unit[1], unit[2]
    parts = (first - between, between - second) if plan.reference == "A" else (between - second, first - between)
    matrix = np.array([first - second, *parts])
    q = len(plan.probs)
    labels = pd.DataFrame({"component": list(_COMPONENTS) * q, "term": TOTAL})
    if q > 1:
        labels.insert(0, _MEASURE, np.repeat(plan.statistics, len(_COMPONENTS)))
    labels["unit"] = unit_of_outcome(grouped.design.outcome)
    rows = [grouped.label(c, labels).assign(comparison=c.direction) for c in grouped.comparisons]
    whole = np.kron(np.eye(q * len(grouped.comparisons)), matrix)
    title = f"Gap of quantiles of {grouped.design.outcome}, {_WORDS[plan.model]}"
    done = levels.map(whole, labels=pd.concat(rows, ignore_index=True), title=title)
    return replace(done, notes=(*done.notes, *_notes(plan, gaps)))


def _notes(plan: _Plan, gaps: Sequence[_Gap]) -> list[str]:
    """Model and replicates in words."""
    steps = "whole process solved again"
    if not plan.exact and plan.model == "qr":
        steps = "one Newton step from the sample's coefficients"
    elif not plan.exact and plan.model in ("logit", "probit", "cloglog"):
        steps = "two Newton steps from the sample's coefficients"
    notes = [f"Model: {_WORDS[plan.model]}, {plan.process.regressions} of each group; replicates: {steps}."]
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
    if len(estimates.sources) == 1:
        source = estimates.sources[0]
        if isinstance(source, ReplicateSource) and source.kind == "bootstrap":
            scope = {name for name, _ in source.keys}
            if len(scope) == 1:
                return np.asarray(source.deviations @ estimates.maps[0].T * np.sqrt(len(source.keys) - 1))
    generator = np.random.default_rng(0)
    values, vectors = np.linalg.eigh(estimates.covariance)
    normal = generator.standard_normal((_DRAWS, len(values)))
    return np.asarray(normal * np.sqrt(np.maximum(values, 0.0)) @ vectors.T)


def _curves(estimates: Estimates, column: str = "component", *wanted: str) -> list[IntArray]:
    """Positions of the points of every curve: those of one comparison and component (or state)."""
    labels = estimates.labels
    keys = [name for name in estimates.by if name not in ("component", _MEASURE)]
    frame = labels[[*keys, column]].astype(str)
    chosen = np.ones(len(labels), dtype=bool) if not wanted else frame[column].isin(wanted).to_numpy()
    number = frame.groupby([*keys, column], sort=False).ngroup().to_numpy()
    return [np.flatnonzero(chosen & (number == i)) for i in np.unique(number[chosen])]


def _equal(labels: pd.DataFrame, keys: Sequence[str], at: int) -> BoolArray:
    """Rows of the same comparison as one row."""
    out = np.ones(len(labels), dtype=bool)
    for key in keys:
        out &= (labels[key] == labels[key].iloc[at]).to_numpy()
    return out


def _as_row(test: CurveTest) -> dict[str, Any]:
    return {
        "hypothesis": test.hypothesis, "ks": test.ks, "ks_p": test.ks_p, "cms": test.cms, "cms_p": test.cms_p,
    }  # fmt: skip
