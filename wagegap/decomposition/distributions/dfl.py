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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample, WeightKind
from wagegap.decomposition.distributions.reweighting import (
    MODELS,
    Reweighting,
    ReweightModel,
    Trim,
    parse_trim,
    reweight,
    warn_overlap,
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
    parse_statistics,
    quantile,
)
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import Estimated, estimates_from_influence, is_replicated, replicate_values
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import DataError, OptionError, check_option, did_you_mean, listing
from wagegap.estimation.covariance.options import CovLike, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import required_columns
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome

__all__ = ["ReweightedGap", "dfl"]

_RELATIVE = ("gini", "theil", "mld", "atkinson", "lorenz", "interquantile_ratio")
_GRID, _BINS = 256, 1024
_SCORES_AT_MOST = 30_000_000
_AT_ONCE = 4_000_000  # weights of rows by replicate that are held together
_MEASURE = "measure"  # the key that names the statistic; tidy frames keep "statistic" for t


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

    def plot_densities(self, ax: Any = None, **keys: Any) -> Any:
        """Draw the densities of both groups and of the counterfactual.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        **keys
            Which comparison, where there are several: `iso3="KOR"`.
        """
        from wagegap._display.axes import FAINT, PALETTE, new_axes

        frame = self.densities
        for name, value in keys.items():
            if name not in frame:
                raise OptionError(f"{name!r} is no key of the comparisons.{did_you_mean(name, frame.columns)}")
            frame = frame[frame[name] == value]
        if frame.empty or frame["at"].duplicated().any():
            raise OptionError(f"choose one comparison by its keys: {listing(self.comparisons['direction'])}.")
        direction = self.comparisons.loc[frame["comparison"].iloc[0], "direction"]
        ax = new_axes() if ax is None else ax
        lines = (*zip(direction.split(" minus "), ("first", "second"), strict=True), ("counterfactual",) * 2)
        for (label, column), color, dash in zip(lines, (*PALETTE[:2], FAINT), ("-", "-", "--"), strict=True):
            ax.plot(frame["at"], frame[column], dash, color=color, label=label, linewidth=1.2)
        ax.set_ylabel("density")
        ax.legend(frameon=False)
        return ax


@refittable
def dfl(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    statistics: StatisticLike | Sequence[StatisticLike] = ("mean", "variance", "quantile"),
    probs: Sequence[float] = (0.1, 0.5, 0.9),
    sequence: Sequence[str | Sequence[str]] | None = None,
    by: str | Sequence[str] | None = None,
    reference: Literal["A", "B"] = "A",
    reweight: ReweightModel = "logit",
    trim: str = "none",
    density: str | DensityRule = "r",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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
    check_option("reference", reference, ("A", "B"))
    check_option("reweight", reweight, MODELS)
    chosen, rule, trimming = parse_statistics(statistics, probs), density_rule(density), parse_trim(trim)
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    steps = _steps(grouped, sequence)
    plan = _Plan(chosen, rule, reweight, trimming, reference, steps, grouped.design.names)
    gaps = [_fit(grouped, comparison, plan) for comparison in grouped.comparisons]
    warn_overlap(
        [(f"{gap.words} ({step.name})", w) for gap in gaps for step, w in zip(steps, gap.weights, strict=True)]
    )
    lean = not (_fits_in_memory(grouped, gaps, plan) if keep_units is None else keep_units)
    levels = _levels(grouped, gaps, plan, small_sample, lean=lean)
    estimates = _components(grouped, levels, plan)
    done = ReweightedGap(
        estimates, "dfl", ("difference", "explained", "unexplained"), grouped.sizes(), levels, plan.words,
        **_diagnostics(grouped, gaps, plan),
    )  # fmt: skip
    return done.without_units() if lean else done


# what is asked for -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """A step of the sequence: its name, and the columns of the design that it reweights by."""

    name: str
    columns: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed for every comparison.

    Attributes
    ----------
    statistics : tuple of Statistic
        Statistics of the outcome.
    rule : DensityRule
        Convention of quantiles and densities.
    model : str
        Model of the propensity.
    trim : Trim
        Rule for rows without overlap.
    reference : {"A", "B"}
        Which group is reweighted.
    steps : tuple of _Step
        Steps of the sequence; the last has all columns.
    names : tuple of str
        Columns of the design.
    """

    statistics: tuple[Statistic, ...]
    rule: DensityRule
    model: ReweightModel
    trim: Trim
    reference: str
    steps: tuple[_Step, ...]
    names: tuple[str, ...]

    @property
    def words(self) -> str:
        """The reference in words."""
        first, second = ("first", "second") if self.reference == "A" else ("second", "first")
        return f"pay structure of the {first} group, whose rows are given the regressors of the {second}"

    @property
    def states(self) -> tuple[str, ...]:
        """Distributions whose statistics are taken: both groups, and the counterfactual of each step."""
        between = tuple(f"counterfactual {step.name}" for step in self.steps[:-1])
        return ("first", "second", *between, "counterfactual")


def _steps(grouped: GroupedSample, sequence: Sequence[str | Sequence[str]] | None) -> tuple[_Step, ...]:
    """Columns of every step: those of terms that hold no other variables than the steps so far."""
    design = grouped.design
    everything = np.arange(len(design.names))
    if sequence is None:
        return (_Step("all regressors", everything),)
    parts = [sequence] if isinstance(sequence, str) else list(sequence)
    groups = [[part] if isinstance(part, str) else list(part) for part in parts]
    held = _variables(grouped, design)
    known = list(dict.fromkeys(name for names in held.values() for name in names))
    named = [name for names in groups for name in names]
    for name in named:
        if name not in known:
            raise OptionError(
                f"sequence: {name!r} is no variable of the regressors.{did_you_mean(name, known)} "
                f"There are: {listing(known, 20)}."
            )
        if named.count(name) > 1:
            raise OptionError(f"sequence: {name!r} is brought in twice.")
    left = [name for name in known if name not in named]
    steps, so_far = [], set[str]()
    for names in [*groups, *([left] if left else [])]:
        so_far |= set(names)
        inside = [j for j, term in enumerate(design.terms) if held[term] <= so_far]
        steps.append(_Step(" + ".join(names), np.array(inside, dtype=np.intp)))
    return tuple(steps)


def _variables(grouped: GroupedSample, design: Design) -> Mapping[str, set[str]]:
    """Columns of the data that every term of the regressors holds."""
    frame = grouped.panel.frame
    return {
        term: set() if term in ("1", "Intercept") else set(required_columns(term, frame))
        for term in dict.fromkeys(design.terms)
    }


# one comparison ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Rows of one group, smallest outcome first.

    Attributes
    ----------
    y, weights : ndarray, shape (n,)
        Outcome and weights.
    counts : ndarray, shape (n,), optional
        Observations behind each row, under frequency weights.
    order : ndarray of int, shape (n,)
        Position of each row among those of its group.
    """

    y: FloatArray
    weights: FloatArray
    counts: FloatArray | None
    order: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Gap:
    """One comparison: both groups, and the weights of each step for the one that is reweighted.

    Attributes
    ----------
    comparison : Comparison
        The gap.
    sides : tuple of _Side
        First and second group.
    source : int
        Which is reweighted.
    weights : tuple of Reweighting
        Weights of each step.
    kept : tuple of ndarray, shapes (n_first,), (n_second,)
        One for rows that no step trims, zero for the others.
    words : str
        Which group is reweighted to which.
    """

    comparison: Comparison
    sides: tuple[_Side, _Side]
    source: int
    weights: tuple[Reweighting, ...]
    kept: tuple[FloatArray, FloatArray]
    words: str


def _fit(grouped: GroupedSample, comparison: Comparison, plan: _Plan) -> _Gap:
    """Reweight one group of a comparison, step by step."""
    rows = grouped.rows(comparison)
    sides = (_side(grouped, rows[0]), _side(grouped, rows[1]))
    source = 0 if plan.reference == "A" else 1
    chosen = (source, 1 - source)
    own, other = (rows[i][sides[i].order] for i in chosen)
    cells = (comparison.first, comparison.second)
    names = (grouped.sample.cell_names[cells[source]], grouped.sample.cell_names[cells[1 - source]])
    x, weights = grouped.sample.x, (sides[source].weights, sides[1 - source].weights)
    found = tuple(
        reweight(
            x[np.ix_(own, step.columns)], x[np.ix_(other, step.columns)], weights, model=plan.model, trim=plan.trim,
            names=[plan.names[j] for j in step.columns], groups=names,
        )
        for step in plan.steps
    )  # fmt: skip
    kept_rows = [np.all([one.kept[i] for one in found], axis=0).astype(float) for i in chosen]
    return _Gap(comparison, sides, source, found, (kept_rows[0], kept_rows[1]), f"{names[0]} to {names[1]}")


def _side(grouped: GroupedSample, rows: IntArray) -> _Side:
    """Rows of one group in the order of the outcome."""
    sample = grouped.sample
    order = np.argsort(sample.y[rows], kind="stable")
    weights = grouped.weights(rows[order])
    return _Side(sample.y[rows[order]], weights, weights if sample.weight_kind == "frequency" else None, order)


def _evaluate(gap: _Gap, plan: _Plan) -> tuple[FloatArray, FloatArray]:
    """Statistics of every distribution, (S m,), and their influence functions, (n_first + n_second, S m)."""
    m, states = len(plan.statistics), len(plan.states)
    sizes = [len(side.y) for side in gap.sides]
    at = (gap.sides[0].order, sizes[0] + gap.sides[1].order)
    values, influence = np.empty((m, states)), np.zeros((sum(sizes), m, states))
    for s, side in enumerate(gap.sides):
        w = side.weights * gap.kept[s]
        values[:, s], own = influence_of(plan.statistics, side.y, w, counts=side.counts, rule=plan.rule)
        own *= (w / w.sum())[:, None]
        influence[at[s], :, s] = own
    side, other = gap.sides[gap.source], 1 - gap.source
    for j, step in enumerate(gap.weights, start=2):
        w = step.weights * gap.kept[gap.source]
        values[:, j], derivative = influence_of(plan.statistics, side.y, w, counts=side.counts, rule=plan.rule)
        derivative *= (gap.kept[gap.source] / w.sum())[:, None]
        through_own, through_other = step.influence(derivative)
        derivative *= w[:, None]
        derivative += through_own
        influence[at[gap.source], :, j] = derivative
        influence[at[other], :, j] = through_other
    return values.ravel(), influence.reshape(sum(sizes), -1)


def _again(gap: _Gap, plan: _Plan, first: FloatArray, second: FloatArray) -> FloatArray:
    """Statistics of every distribution under other weights of the rows, (R, n_first), (R, n_second): (R, S m)."""
    sides = [
        weights[:, side.order] * kept_rows
        for weights, side, kept_rows in zip((first, second), gap.sides, gap.kept, strict=True)
    ]
    full = [weights[:, side.order] for weights, side in zip((first, second), gap.sides, strict=True)]
    own, other = full[gap.source], full[1 - gap.source]
    factors = [step.replicate(own, other) for step in gap.weights]
    out = np.full((len(first), len(plan.statistics), len(plan.states)), np.nan)
    y = [side.y for side in gap.sides] + [gap.sides[gap.source].y] * len(factors)
    for r in range(len(first)):
        weights = [part[r] for part in sides] + [sides[gap.source][r] * factor[r] for factor in factors]
        for s, (values, w) in enumerate(zip(y, weights, strict=True)):
            total = w.sum()
            if not total > 0:
                continue
            scaled = w * (len(w) / total)
            sample = Distribution(values, scaled, None, np.cumsum(scaled))
            out[r, :, s] = [_value(statistic, sample, plan.rule) for statistic in plan.statistics]
    return out.reshape(len(first), -1)


def _value(statistic: Statistic, sample: Distribution, rule: DensityRule) -> float:
    """A statistic without its influence function, which one of quantiles has at the cost of a density."""
    if statistic.family not in ("quantile", "interquantile_range", "interquantile_ratio"):
        return statistic.build(sample, rule).value
    points = [quantile(sample, p, rule.quantile) for p in sorted(statistic.probs)]
    if statistic.family == "quantile":
        return points[0]
    return points[1] - points[0] if statistic.family == "interquantile_range" else points[1] / points[0]


# results -----------------------------------------------------------------------------------------------------------


def _fits_in_memory(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan) -> bool:
    """Whether the scores of all rows are few enough to be kept."""
    rows = sum(len(side.y) for gap in gaps for side in gap.sides)
    return is_replicated(grouped) or rows * len(plan.statistics) * len(plan.states) <= _SCORES_AT_MOST


def _levels(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan, rule: SmallSample, *, lean: bool) -> Estimates:
    """Statistics of both groups and of the counterfactuals, with their joint covariance."""
    labels, title = _level_labels(grouped, plan), f"Distribution of {grouped.design.outcome}"
    if is_replicated(grouped):
        values, source = _replicated(grouped, gaps, plan)
    else:
        parts = [Estimated(gap.comparison, labels, *_evaluate(gap, plan)) for gap in gaps]
        cov = grouped.cov
        if not (lean and isinstance(cov, Robust) and cov.kind in ("HC0", "HC1")):
            return estimates_from_influence(grouped, parts, rule=rule, title=title)
        values, source = np.concatenate([one.values for one in parts]), _lean_source(grouped, parts, cov, rule)
    frames = [grouped.label(c, labels).assign(comparison=c.direction) for c in grouped.comparisons]
    return Estimates(
        pd.concat(frames, ignore_index=True), values, (source,), (np.eye(len(values)),), title=title,
        ledger=grouped.design.ledger, notes=grouped.notes,
    )  # fmt: skip


def _replicated(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan) -> tuple[FloatArray, ErrorSource]:
    """Levels of every comparison, and what all replicates make of them."""
    places = [grouped.rows(gap.comparison) for gap in gaps]

    def again(weights: FloatArray) -> FloatArray:
        found = [_again(gap, plan, weights[:, a], weights[:, b]) for gap, (a, b) in zip(gaps, places, strict=True)]
        return np.stack(found, axis=1)

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        step = max(_AT_ONCE // len(grouped.sample.y), 1)
        starts = range(0, len(replicates), step)
        spans = [range(start, min(start + step, len(replicates))) for start in starts]
        return np.concatenate([again(np.stack([replicates.draw(i) for i in span])) for span in spans])

    estimate = again(grouped.weights(np.arange(len(grouped.sample.y)))[None])[0]
    source = replicate_values(grouped, estimate, values_of, [np.concatenate(both) for both in places])
    return estimate.ravel(), source


def _lean_source(grouped: GroupedSample, parts: Sequence[Estimated], cov: Robust, rule: SmallSample) -> StatedSource:
    """Covariance from sums of squared scores alone; comparisons that share a sample are related through its rows."""
    repeats, q = grouped.sample.repeats, len(parts[0].values)
    out, nobs = np.zeros((len(parts) * q, len(parts) * q)), np.empty(len(parts))
    places = [grouped.rows(one.comparison) for one in parts]
    for i, (one, own) in enumerate(zip(parts, places, strict=True)):
        assert one.influence is not None
        nobs[i] = grouped.sample.observations(np.concatenate(own))
        for j, (other, others) in enumerate(zip(parts[: i + 1], places[: i + 1], strict=True)):
            assert other.influence is not None
            for a, rows in zip(_blocks(one.influence, own), own, strict=True):
                for b, shared in zip(_blocks(other.influence, others), others, strict=True):
                    if rows[0] != shared[0]:
                        continue
                    product = a.T @ (b if repeats is None else b / repeats[rows][:, None])
                    out[i * q : (i + 1) * q, j * q : (j + 1) * q] += product
    out = np.tril(out) + np.tril(out, -1).T
    factor = np.ones(len(parts)) if cov.kind == "HC0" or rule == "none" else nobs / (nobs - 1)
    scale = np.repeat(np.sqrt(factor), q)
    return StatedSource(grouped.sample.source, out * np.outer(scale, scale), nobs.min() - 1, f"{cov}, units not kept")


def _blocks(influence: FloatArray, rows: tuple[IntArray, IntArray]) -> tuple[FloatArray, FloatArray]:
    """Influence of the first and of the second sample."""
    return influence[: len(rows[0])], influence[len(rows[0]) :]


def _level_labels(grouped: GroupedSample, plan: _Plan) -> pd.DataFrame:
    states = len(plan.states)
    labels = pd.DataFrame({"term": list(plan.states) * len(plan.statistics)})
    if len(plan.statistics) > 1:
        labels.insert(0, _MEASURE, np.repeat([one.name for one in plan.statistics], states))
    return labels.assign(unit=np.repeat([_unit(grouped, one) for one in plan.statistics], states))


def _unit(grouped: GroupedSample, statistic: Statistic) -> str:
    if statistic.family == "share_below":
        return "share"
    return unit_of_outcome(grouped.design.outcome) if statistic.in_units else "none"


def _components(grouped: GroupedSample, levels: Estimates, plan: _Plan) -> Estimates:
    """Gap, composition (with its steps) and structure as differences of the levels."""
    rows, matrix = _contrasts(plan)
    m, count = len(plan.statistics), len(grouped.comparisons)
    labels = pd.DataFrame(rows * m, columns=["component", "term"])
    if m > 1:
        labels.insert(0, _MEASURE, np.repeat([one.name for one in plan.statistics], len(rows)))
    labels["unit"] = np.repeat([_unit(grouped, one) for one in plan.statistics], len(rows))
    parts = [grouped.label(c, labels).assign(comparison=c.direction) for c in grouped.comparisons]
    whole = np.kron(np.eye(m * count), matrix)
    done = levels.map(whole, labels=pd.concat(parts, ignore_index=True), title=_title(grouped, plan))
    return replace(done, notes=(*done.notes, *_notes(grouped, plan)))


def _contrasts(plan: _Plan) -> tuple[list[tuple[str, str]], FloatArray]:
    """Component and term of each row, and the signs of first, second and counterfactuals in it."""
    size, last = len(plan.states), len(plan.states) - 1
    unit = np.eye(size)
    if plan.reference == "A":
        chain, sign = [unit[0], *unit[2:]], 1.0
        unexplained = unit[last] - unit[1]
    else:
        chain, sign = [unit[1], *unit[2:]], -1.0
        unexplained = unit[0] - unit[last]
    rows = [("difference", TOTAL), ("explained", TOTAL)]
    signs = [unit[0] - unit[1], sign * (chain[0] - chain[-1])]
    if len(plan.steps) > 1:
        rows += [("explained", step.name) for step in plan.steps]
        signs += [sign * (before - after) for before, after in pairwise(chain)]
    return [*rows, ("unexplained", TOTAL)], np.array([*signs, unexplained])


def _title(grouped: GroupedSample, plan: _Plan) -> str:
    names = listing((one.name for one in plan.statistics), 4)
    return f"Gap of {names} of {grouped.design.outcome}, reweighted"


def _notes(grouped: GroupedSample, plan: _Plan) -> list[str]:
    """What a reader should know."""
    notes = [f"Propensity: {plan.model}."]
    if str(plan.trim) != "none":
        notes.append(f"Trimmed by {plan.trim}; the gap is that of the rows kept.")
    if len(plan.steps) > 1:
        notes.append(f"Sequence: {', then '.join(step.name for step in plan.steps)}, each given those before.")
    relative = [one.name for one in plan.statistics if one.family in _RELATIVE]
    if relative and unit_of_outcome(grouped.design.outcome) == "log points":
        notes.append(f"{listing(relative)}: of the logarithm itself; for pay put the outcome without log().")
    return notes


def _diagnostics(grouped: GroupedSample, gaps: Sequence[_Gap], plan: _Plan) -> dict[str, pd.DataFrame]:
    """Frames on the weights of every comparison."""
    frames: dict[str, list[pd.DataFrame]] = {"overlap": [], "balance": [], "densities": [], "weights": []}
    for i, gap in enumerate(gaps):
        for step, weights in zip(plan.steps, gap.weights, strict=True):
            row = weights.overlap()
            row.insert(0, "step", step.name)
            frames["overlap"].append(grouped.label(gap.comparison, row))
        last = gap.weights[-1]
        frames["balance"].append(grouped.label(gap.comparison, last.balance(plan.names)))
        curves = _densities(gap, plan.rule)
        curves.insert(0, "comparison", i)
        frames["densities"].append(grouped.label(gap.comparison, curves))
        rows = grouped.rows(gap.comparison)[gap.source][gap.sides[gap.source].order]
        factor = pd.DataFrame({"row": grouped.design.rows[rows], "factor": last.factor * gap.kept[gap.source]})
        frames["weights"].append(grouped.label(gap.comparison, factor.sort_values("row")))
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


def _densities(gap: _Gap, rule: DensityRule) -> pd.DataFrame:
    """Densities of both groups and of the counterfactual on a common grid."""
    columns = ("at", "first", "second", "counterfactual")
    source = gap.sides[gap.source]
    samples = [
        distribution(side.y, side.weights * rows, side.counts) for side, rows in zip(gap.sides, gap.kept, strict=True)
    ]
    samples.append(distribution(source.y, gap.weights[-1].weights * gap.kept[gap.source], source.counts))
    try:
        widths = [bandwidth(sample, rule) for sample in samples]
    except DataError:  # all values equal: there is no density to draw
        return pd.DataFrame(columns=columns)
    margin = 3 * max(widths)
    low, high = (bound + sign * margin for bound, sign in ((min(s.y[0] for s in samples), -1), (_top(samples), 1)))
    grid = np.linspace(low, high, _GRID)
    curves = [_curve(sample, width, low, high, rule) for sample, width in zip(samples, widths, strict=True)]
    return pd.DataFrame(dict(zip(columns, [grid, *curves], strict=True)))


def _top(samples: Sequence[Distribution]) -> float:
    return max(float(sample.y[-1]) for sample in samples)


def _curve(sample: Distribution, width: float, low: float, high: float, rule: DensityRule) -> FloatArray:
    """Kernel density at evenly spaced points, from weights shared out between the nearest of 1,024 bins."""
    step = (high - low) / (_BINS - 1)
    place = (sample.y - low) / step
    left = np.minimum(place.astype(np.intp), _BINS - 2)
    share = place - left
    mass = np.bincount(left, sample.weights * (1 - share), _BINS) + np.bincount(left + 1, sample.weights * share, _BINS)
    reach = min(int(np.ceil(rule.support * width / step)), _BINS - 1)
    distance = np.arange(-reach, reach + 1, dtype=float) * (step / width)
    kernel = rule.shape(np.asarray(distance, dtype=float)) / width
    smooth = np.convolve(mass / sample.total, kernel)[reach : reach + _BINS]
    return np.interp(np.linspace(low, high, _GRID), np.linspace(low, high, _BINS), smooth)
