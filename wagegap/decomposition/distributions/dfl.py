"""The gap of any statistic between two groups, by reweighting: what composition explains, and what structure.

The rows of one group are reweighted so that their regressors are distributed as those of the other, while pay given the
regressors stays as it is. With nu any statistic of a distribution (a mean, a quantile, an inequality measure), F_a and
F_b the two groups' distributions and F_c the counterfactual one, made of the first group (reference "A"),

    nu(F_a) - nu(F_b) = [nu(F_a) - nu(F_c)] + [nu(F_c) - nu(F_b)] = explained + unexplained,

composition and structure effect. In a sequence the regressors are brought in step by step, each given those before it,
and the composition effect is the sum of the steps; it depends on their order, which is stated. Standard errors are by
influence functions, with the estimated propensity, quantiles and densities in them, or by replicates.

References
----------
DiNardo, J., N. Fortin and T. Lemieux (1996). Labor market institutions and the distribution of wages, 1973-1992: a
semiparametric approach. Econometrica 64, 1001-1044.
Fortin, N., T. Lemieux and S. Firpo (2011). Decomposition methods in economics. Handbook of Labor Economics 4A, 1-102.
Firpo, S. and C. Pinto (2016). Identification and estimation of distributional impacts of interventions using changes in
inequality measures. Journal of Applied Econometrics 31, 457-486.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import (
    AxesLike,
    BoolArray,
    ColumnName,
    ColumnNames,
    Condition,
    FloatArray,
    Formula,
    IntArray,
    SmallSample,
    WeightKind,
)
from wagegap.decomposition.distributions.mass_points import GroupMass, drop_errors, notes_on_mass_points
from wagegap.decomposition.distributions.reweighting import (
    Reweighting,
    ReweightModel,
    parse_trim,
    warn_overlap,
)
from wagegap.decomposition.distributions.sides import (
    COMPONENTS,
    MEASURE,
    Propensity,
    gap_of_levels,
    group_sides,
    label_statistics,
    name_reference,
    notes_on_logarithms,
    one_comparison,
    replicated_source,
)
from wagegap.decomposition.distributions.statistics import (
    DensityRule,
    Distribution,
    Statistic,
    StatisticLike,
    bandwidth,
    density_rule,
    distribution,
    influence_of,
    mass_points_of,
    parse_statistics,
    quantile,
    share_out,
)
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import Estimated, estimates_from_influence, joint_estimates
from wagegap.decomposition.result import Decomposition
from wagegap.errors import DataError, OptionError, check_known, listing
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import required_columns
from wagegap.estimation.sample import Cell
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of

__all__ = ["ReweightedGap", "dfl"]

_GRID, _BINS = 256, 1024
_SCORES_AT_MOST = 30_000_000
_AT_ONCE = 4_000_000  # weights of rows by replicate that are held together


@dataclass(frozen=True, eq=False, repr=False)
class ReweightedGap(Decomposition):
    """A gap decomposed by reweighting, with its weights.

    Attributes
    ----------
    overlap : DataFrame
        A row for each comparison and step: effective sample size, largest weight, range of the propensity, rows
        trimmed.
    balance : DataFrame
        A row for each comparison and column of the propensity: means, and standardised differences before and after.
    densities : DataFrame
        Keys, `at`, and the densities of the first group, the second and the counterfactual, on a grid.
    weights : DataFrame
        Keys, `row` (position in the data) and `factor` of each row of the reweighted group.
    """

    overlap: pd.DataFrame = field(default_factory=pd.DataFrame)
    balance: pd.DataFrame = field(default_factory=pd.DataFrame)
    densities: pd.DataFrame = field(default_factory=pd.DataFrame)
    weights: pd.DataFrame = field(default_factory=pd.DataFrame)

    def without_units(self) -> ReweightedGap:
        """Keep the covariance and forget the workers and their weights."""
        return replace(super().without_units(), weights=self.weights.iloc[:0])

    def plot_densities(self, ax: AxesLike = None, **keys: Any) -> Any:
        """Draw the densities of both groups and of the counterfactual.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        **keys
            Which comparison, where there are several: `iso3="KOR"`.
        """
        from wagegap._display.axes import FAINT, PALETTE, apply_style, literal, name_axes, new_axes, put_legend
        from wagegap._display.facts import note_stroke

        frame = one_comparison(self.densities, keys, [name for name in self.keys if name != MEASURE])
        first, second = self.comparisons.loc[frame["comparison"].iloc[0], ["name_first", "name_second"]]
        ax = new_axes() if ax is None else ax
        lines: list[Any] = []
        names: list[str] = []
        for column, label, color, dash in (
            ("first", first, PALETTE[0], "-"), ("second", second, PALETTE[1], "-."),
            ("counterfactual", "counterfactual", FAINT, "--"),
        ):  # fmt: skip
            lines += ax.plot(frame["at"], frame[column], dash, color=color, linewidth=1.4, label=literal(str(label)))
            names.append(str(label))
            note_stroke(ax, "line", str(label))
        title = "" if self.levels is None else self.levels.title.removeprefix("Distribution of ")
        return name_axes(put_legend(apply_style(ax), lines, names), x=title, y="density")


@refittable
def dfl(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    statistics: StatisticLike | Sequence[StatisticLike] = ("mean", "variance", "quantile"),
    probs: Sequence[float] = (0.1, 0.5, 0.9),
    sequence: Sequence[str | Sequence[str]] | None = None,
    by: ColumnNames | None = None,
    reference: Literal["A", "B"] = "A",
    reweight: ReweightModel = "logit",
    trim: str = "none",
    density: str | DensityRule = "r",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool | None = None,
) -> ReweightedGap:
    """Decompose the gap of any statistic into composition and structure, by reweighting.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`, the regressors being those of the propensity, interactions as wanted. Statistics are of
        the outcome as it stands: of log pay where the formula says so.
    group, groups, by
        As in `oaxaca`: the gap is first minus second.
    statistics : str, callable, or sequence of them
        Names such as `"mean"`, `"variance"`, `"quantile"`, `"gini"`, `"interquantile_range:0.9,0.1"`, or functions of
        values and weights.
    probs : sequence of float
        Probabilities of quantiles named without one.
    sequence : sequence of str or of sequences of str, optional
        Variables in the order in which they are brought in; those of the formula left out come last, together. Each
        step reweights by all terms of the formula that hold only variables up to it.
    reference : {"A", "B"}
        Whose structure the counterfactual has: "A" reweights the first group, explained is nu_A - nu_C; "B" the second,
        explained is nu_C - nu_B.
    reweight : {"logit", "probit", "cloglog", "cells"}
        Model of the propensity; "cells" takes exact shares among rows of equal regressors.
    trim : str
        `"none"`, `"crump"`, `"crump:0.1"`, `"share"` or `"share:0.01"`; rows trimmed leave the gap too.
    density : {"r", "stata"} or DensityRule
        Convention of quantiles, and of densities in their standard errors.
    cov, small_sample, weights, weight_kind
        As in `fit_premiums`; a covariance of influence functions is HC0, HC1, CR0:COLUMN, CR1:COLUMN or a design.
    keep_units : bool, optional
        Keep the scores and weights of all rows, so that the result can be joined with others; by itself unless they
        are many.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    ReweightedGap
        Components difference, explained, unexplained; a row of explained for each step of a sequence.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> from wagegap.decomposition.distributions.dfl import dfl
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> gap = dfl(data, "log(hourly_wage) ~ exper + ai", group="female", groups=(0, 1), statistics="mean")
    >>> gap.totals().labels["component"].tolist()
    ['difference', 'explained', 'unexplained']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    chosen, rule, trimming = parse_statistics(statistics, probs), density_rule(density), parse_trim(trim)
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    steps = _steps(grouped, sequence)
    plan = _Plan(chosen, rule, Propensity(reweight, trimming, grouped.sample.x, grouped.design.names), reference, steps)
    sides = tuple(group_sides(grouped, ordered=True))
    gaps = [_fit(sides, comparison, plan) for comparison in grouped.comparisons]
    warn_overlap([(f"{gap.name} ({step})", w) for gap in gaps for step, w in zip(steps, gap.weights, strict=True)])
    if keep_units is None:
        entries = sum(len(side.y) for gap in gaps for side in gap.sides) * len(chosen) * len(plan.states)
        keep_units = grouped.cov.replicated or entries <= _SCORES_AT_MOST
    levels = _levels(grouped, gaps, plan, small_sample, lean=not keep_units)
    masses = [_masses(grouped, gap, plan) for gap in gaps]
    moved = np.concatenate([_moved(of_gap, wide_only=not grouped.cov.replicated) for of_gap in masses])
    estimates, dropped = gap_of_levels(
        grouped, levels, reference, plan.labels(grouped), steps=tuple(steps), moved=moved,
        title=f"Gap of {listing((one.name for one in chosen), 4)} of {grouped.design.outcome}, reweighted",
        notes=_notes(grouped, plan),
    )  # fmt: skip
    listed = [mass for of_gap in masses for of_statistic in of_gap for of_state in of_statistic for mass in of_state]
    at_masses = notes_on_mass_points(listed, dropped=dropped, replicated=grouped.cov.replicated)
    estimates = replace(estimates, notes=(*estimates.notes, *at_masses))
    named = name_reference(reference, "pay structure of the {} group, whose rows are given the regressors of the {}")
    gap = ReweightedGap(
        estimates, "dfl", COMPONENTS, grouped.sizes(), drop_errors(levels, moved)[0], named,
        **_diagnostics(grouped, gaps, plan),
    )  # fmt: skip
    return gap if keep_units else gap.without_units()


# what is asked for -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed for every comparison.

    Attributes
    ----------
    statistics : tuple of Statistic
        Statistics of the outcome.
    rule : DensityRule
        Convention of quantiles and densities.
    propensity : Propensity
        How rows are reweighted.
    reference : {"A", "B"}
        Which group is reweighted.
    steps : dict of str to ndarray of int
        Columns of the propensity by step of the sequence; the last has all of them.
    """

    statistics: tuple[Statistic, ...]
    rule: DensityRule
    propensity: Propensity
    reference: str
    steps: dict[str, IntArray]

    @property
    def states(self) -> tuple[str, ...]:
        """Distributions whose statistics are taken: both groups, and the counterfactual of each step."""
        return ("first", "second", *(f"counterfactual {step}" for step in [*self.steps][:-1]), "counterfactual")

    def labels(self, grouped: GroupedSample) -> tuple[list[str], list[str]]:
        """Names and units of the statistics."""
        unit = grouped.design.unit
        return [one.name for one in self.statistics], [one.unit(unit) for one in self.statistics]


def _steps(grouped: GroupedSample, sequence: Sequence[str | Sequence[str]] | None) -> dict[str, IntArray]:
    """Columns of every step: those of terms that hold no other variables than the steps so far."""
    design, frame = grouped.design, grouped.data.columns()
    if sequence is None:
        return {"all regressors": np.arange(len(design.names))}
    parts = [sequence] if isinstance(sequence, str) else sequence
    groups = [[part] if isinstance(part, str) else list(part) for part in parts]
    variables = {
        column.term: [
            name for part in column.parts for name in ([part] if part in frame else required_columns(part, frame))
        ]
        for column in design.columns
    }
    known = list(dict.fromkeys(name for names in variables.values() for name in names))
    named = [name for names in groups for name in names]
    check_known(
        named,
        known,
        lambda name, hint: OptionError(
            f"sequence: {name!r} is no variable of the regressors.{hint} There are: {listing(known, 20)}."
        ),
    )
    for name in named:
        if named.count(name) > 1:
            raise OptionError(f"sequence: {name!r} is brought in twice.")
    last = [name for name in known if name not in named]
    steps, so_far = {}, set[str]()
    for names in [*groups, *([last] if last else [])]:
        so_far.update(names)
        inside = [j for j, term in enumerate(design.terms) if so_far.issuperset(variables[term])]
        steps[" + ".join(names)] = np.array(inside, dtype=np.intp)
    return steps


# one comparison ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """One comparison: both groups, and the weights of each step for the one that is reweighted.

    Attributes
    ----------
    comparison : Comparison
        The gap.
    sides : tuple of Cell
        First and second group.
    source : int
        Which is reweighted.
    weights : list of Reweighting
        Weights of each step.
    kept : list of ndarray, shapes (n_first,), (n_second,)
        One for rows that no step trims, zero for the others.
    """

    comparison: Comparison
    sides: tuple[Cell, Cell]
    source: int
    weights: list[Reweighting]
    kept: list[FloatArray]

    @property
    def name(self) -> str:
        """Which group is reweighted to which."""
        return f"{self.sides[self.source].name} to {self.sides[1 - self.source].name}"

    def samples(self) -> list[tuple[Cell, FloatArray]]:
        """Rows and weights of every state, without the rows trimmed."""
        states = [
            (side, kept if side.weights is None else side.weights * kept)
            for side, kept in zip(self.sides, self.kept, strict=True)
        ]
        kept = self.kept[self.source]
        return states + [(self.sides[self.source], step.weights * kept) for step in self.weights]


def _fit(sides: Sequence[Cell], comparison: Comparison, plan: _Plan) -> _Gap:
    """Reweight one group of a comparison, step by step."""
    pair, source = (sides[comparison.first], sides[comparison.second]), "AB".index(plan.reference)
    weights = [plan.propensity.reweight(pair[source], pair[1 - source], columns) for columns in plan.steps.values()]
    # the first and the second group are source and target of a reweighting, or target and source
    kept = [np.all([step.kept[i] for step in weights], axis=0).astype(float) for i in (source, 1 - source)]
    return _Gap(comparison, pair, source, weights, kept)


def _evaluate(gap: _Gap, plan: _Plan) -> tuple[FloatArray, FloatArray]:
    """Statistics of every distribution, (m S,), and their influence functions, (n_first + n_second, m S)."""
    m, samples, cut = len(plan.statistics), gap.samples(), len(gap.sides[0].y)
    first, second = (np.argsort(np.argsort(side.rows)) for side in gap.sides)  # rows in the order of the sample
    places = (first, cut + second)
    values, influence = np.empty((m, len(samples))), np.zeros((cut + len(second), m, len(samples)))
    for s, (side, w) in enumerate(samples):
        at = gap.source if s > 1 else s
        values[:, s], derivative = influence_of(plan.statistics, side.y, w, counts=side.repeats, rule=plan.rule)
        # a group: w_i IF(y_i) / W. A counterfactual of weights c = w psi: c_i IF(y_i) / C, and what the propensity adds
        # where every psi_i moves with its coefficients, from d nu / d c_i = IF(y_i) / C
        derivative *= (gap.kept[at] / w.sum())[:, None]
        scores = derivative * w[:, None]
        if s > 1:
            through_source, through_target = gap.weights[s - 2].influence(derivative)
            scores += through_source
            influence[places[1 - at], :, s] = through_target
        influence[places[at], :, s] = scores
    return values.ravel(), influence.reshape(len(influence), -1)


def _again(gap: _Gap, plan: _Plan, weights: FloatArray) -> FloatArray:
    """Statistics of every distribution under other weights of all rows, (R, n): (R, m S)."""
    full = [weights[:, side.rows] for side in gap.sides]
    source, m = gap.source, len(plan.statistics)
    samples = [(side.y, w * kept) for side, w, kept in zip(gap.sides, full, gap.kept, strict=True)]
    samples += [
        (gap.sides[source].y, samples[source][1] * step.replicate(full[source], full[1 - source]))
        for step in gap.weights
    ]
    out = np.full((len(weights), m, len(samples)), np.nan)
    for s, (y, of_state) in enumerate(samples):
        for r, w in enumerate(of_state):
            if w.sum() > 0:
                scaled = w * (len(w) / w.sum())
                sample = Distribution(y, scaled, None, np.cumsum(scaled))
                out[r, :, s] = [_value(statistic, sample, plan.rule) for statistic in plan.statistics]
    return out.reshape(len(weights), -1)


def _value(statistic: Statistic, sample: Distribution, rule: DensityRule) -> float:
    """A statistic without its influence function, which one of quantiles has at the cost of a density."""
    if statistic.family not in ("quantile", "interquantile_range", "interquantile_ratio"):
        return statistic.build(sample, rule).value
    points = [quantile(sample, p, rule.quantile) for p in sorted(statistic.probs)]
    if statistic.family == "quantile":
        return points[0]
    return points[1] - points[0] if statistic.family == "interquantile_range" else points[1] / points[0]


# mass points -------------------------------------------------------------------------------------------------------


def _masses(grouped: GroupedSample, gap: _Gap, plan: _Plan) -> list[list[list[GroupMass]]]:
    """Mass points of every statistic in every state of a comparison."""
    names = [grouped.names_of_samples()[s] for s in (gap.comparison.first, gap.comparison.second)]
    names += [f"{names[gap.source]} reweighted"] * (len(plan.states) - 2)
    samples = [distribution(side.y, w, side.repeats) for side, w in gap.samples()]
    return [
        [
            [GroupMass(name, mass) for mass in mass_points_of(statistic, sample, plan.rule)]
            for name, sample in zip(names, samples, strict=True)
        ]
        for statistic in plan.statistics
    ]


def _moved(masses: Sequence[Sequence[Sequence[GroupMass]]], *, wide_only: bool) -> BoolArray:
    """Which levels of a comparison move with a quantile at a mass point, shape (m S,)."""
    states = [of_state for of_statistic in masses for of_state in of_statistic]
    return np.array([any(mass.at.is_wide or not wide_only for mass in of_state) for of_state in states])


# results -----------------------------------------------------------------------------------------------------------


def _levels(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan, rule: SmallSample, *, lean: bool) -> Estimates:
    """Statistics of both groups and of the counterfactuals, with their joint covariance."""
    labels = label_statistics(pd.DataFrame({"term": plan.states}), *plan.labels(grouped))
    title = f"Distribution of {grouped.design.outcome}"
    if grouped.cov.replicated:
        values, source = _replicated(grouped, gaps, plan)
    else:
        parts = [Estimated(gap.comparison, labels, *_evaluate(gap, plan)) for gap in gaps]
        if not lean or grouped.cov.kind not in ("HC0", "HC1"):
            return estimates_from_influence(grouped, parts, rule=rule, title=title)
        values, source = np.concatenate([one.values for one in parts]), _lean_source(grouped, parts, rule)
    return joint_estimates(grouped, labels, values, source, title=title)


def _replicated(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan) -> tuple[FloatArray, ErrorSource]:
    """Levels of every comparison, and what all replicates make of them."""

    def again(weights: FloatArray) -> FloatArray:
        return np.stack([_again(gap, plan, weights) for gap in gaps], axis=1)

    def drawn(replicates: ReplicateWeights, batch: slice) -> FloatArray:
        return again(np.stack([replicates.draw(i) for i in range(batch.start, batch.stop)]))

    rows = np.arange(len(grouped.sample.y))
    estimate = again(grouped.weights(rows)[None])[0]
    return estimate.ravel(), replicated_source(grouped, estimate, drawn, max(_AT_ONCE // len(rows), 1))


def _lean_source(grouped: GroupedSample, parts: Sequence[Estimated], rule: SmallSample) -> StatedSource:
    """Covariance from sums of squared scores alone; comparisons that share a sample are related through its rows."""
    # V_ij = c sum over rows of psi_i psi_j', sample by sample; c_i = N_i / (N_i - 1) of each comparison, sqrt(c_i c_j)
    sample, q = grouped.sample, len(parts[0].values)
    covariance = np.zeros((len(parts) * q, len(parts) * q))
    scores = defaultdict[int, list[tuple[int, FloatArray]]](list)
    for i, one in enumerate(parts):
        assert one.influence is not None
        first, second = np.split(one.influence, [len(grouped.rows(one.comparison)[0])])
        scores[one.comparison.first].append((i, first))
        scores[one.comparison.second].append((i, second))
    for cell, blocks in scores.items():
        columns = np.concatenate([np.arange(i * q, (i + 1) * q) for i, _ in blocks])
        stacked = np.hstack([block for _, block in blocks])
        if sample.repeats is not None:
            stacked = stacked / np.sqrt(sample.repeats[sample.cells == cell])[:, None]
        covariance[np.ix_(columns, columns)] += stacked.T @ stacked
    nobs = np.array([sample.observations(np.concatenate(grouped.rows(one.comparison))) for one in parts])
    factor = np.ones(len(parts)) if grouped.cov.kind == "HC0" or rule == "none" else nobs / (nobs - 1)
    scale = np.repeat(np.sqrt(factor), q)
    return StatedSource(
        sample.source, covariance * np.outer(scale, scale), nobs.min() - 1, f"{grouped.cov}, units not kept"
    )


def _notes(grouped: GroupedSample, plan: _Plan) -> list[str]:
    """What a reader should know."""
    notes = plan.propensity.notes()
    if len(plan.steps) > 1:
        notes.append(f"Sequence: {', then '.join(plan.steps)}, each given those before.")
    return [*notes, *notes_on_logarithms(plan.statistics, grouped.design.unit)]


def _diagnostics(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan) -> dict[str, pd.DataFrame]:
    """Frames on the weights of every comparison."""
    frames: dict[str, list[pd.DataFrame]] = {"overlap": [], "balance": [], "densities": [], "weights": []}
    for i, gap in enumerate(gaps):
        side, last = gap.sides[gap.source], gap.weights[-1]
        overlap, curves = pd.concat([weights.overlap() for weights in gap.weights]), _densities(gap, plan.rule)
        overlap.insert(0, "step", list(plan.steps))
        curves.insert(0, "comparison", i)
        factor = {"row": grouped.design.rows[side.rows], "factor": last.factor * gap.kept[gap.source]}
        of_gap = (overlap, last.balance(plan.propensity.names), curves, pd.DataFrame(factor).sort_values("row"))
        for name, frame in zip(frames, of_gap, strict=True):
            frames[name].append(grouped.label(gap.comparison, frame))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def _densities(gap: _Gap, rule: DensityRule) -> pd.DataFrame:
    """Densities of both groups and of the counterfactual on a common grid."""
    columns = ("at", "first", "second", "counterfactual")
    first, second, *_, last = gap.samples()
    samples = [distribution(side.y, w, side.repeats) for side, w in (first, second, last)]
    try:
        widths = [bandwidth(sample, rule) for sample in samples]
    except DataError:  # all values equal: there is no density to draw
        return pd.DataFrame(columns=columns)
    margin = 3 * max(widths)
    low = min(float(sample.y[0]) for sample in samples) - margin
    high = max(float(sample.y[-1]) for sample in samples) + margin
    curves = [_curve(sample, width, low, high, rule) for sample, width in zip(samples, widths, strict=True)]
    return pd.DataFrame(dict(zip(columns, [np.linspace(low, high, _GRID), *curves], strict=True)))


def _curve(sample: Distribution, width: float, low: float, high: float, rule: DensityRule) -> FloatArray:
    """Kernel density at evenly spaced points, from weights shared out between the nearest of 1,024 bins."""
    # f(t) = sum_b mass_b K((t - b) / h) / h over bins b: a convolution
    step = (high - low) / (_BINS - 1)
    mass = share_out((sample.y - low) / step, sample.weights, _BINS)
    reach = min(int(np.ceil(rule.support * width / step)), _BINS - 1)
    kernel = rule.shape(np.arange(-reach, reach + 1, dtype=np.float64) * (step / width)) / width
    smooth = np.convolve(mass / sample.total, kernel)[reach : reach + _BINS]
    return np.interp(np.linspace(low, high, _GRID), np.linspace(low, high, _BINS), smooth)
