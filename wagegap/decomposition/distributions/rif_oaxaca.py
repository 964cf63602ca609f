"""The gap of any statistic between two groups in detail, by way of recentred influence functions.

The mean of the recentred influence function (RIF) of a statistic is the statistic, so a regression of the RIF on
characteristics in each group decomposes the gap of the statistic as one of means, regressor by regressor. As a RIF
regression is linear only locally, its coefficients change with the distribution of the regressors too. Reweighted, a
third sample c is made of one group's rows with the other's distribution of regressors, and (reference "A")

    explained = (m_a - m_c)'b_a,  specification_error = m_c'(b_a - b_c),
    unexplained = m_b'(b_c - b_b),  reweighting_error = (m_c - m_b)'b_c.

Standard errors count everything that is estimated: means, coefficients, the quantiles, densities and means in the RIF,
and the propensity behind the weights.

References
----------
Firpo, S., N. Fortin and T. Lemieux (2009). Unconditional quantile regressions. Econometrica 77, 953-973.
Firpo, S., N. Fortin and T. Lemieux (2018). Decomposing wage distributions using recentered influence function
regressions. Econometrics 6(2), 28.
Fortin, N., T. Lemieux and S. Firpo (2011). Decomposition methods in economics. Handbook of Labor Economics 4A, 1-102.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from wagegap._typing import (
    AnyArray,
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
from wagegap.decomposition.columns import Detail, Reference, Report, check_identified, reference_matrix, report
from wagegap.decomposition.distributions.mass_points import (
    GroupMass,
    drop_errors,
    notes_on_mass_points,
)
from wagegap.decomposition.distributions.reweighting import (
    MODELS,
    Reweighting,
    ReweightModel,
    parse_trim,
    warn_overlap,
)
from wagegap.decomposition.distributions.rif import RifFit, classical_covariance, fit_rif, replicate_rif, rif_covariance
from wagegap.decomposition.distributions.sides import (
    Propensity,
    group_sides,
    label_statistics,
    name_reference,
    notes_on_logarithms,
    replicated_source,
)
from wagegap.decomposition.distributions.statistics import (
    DensityRule,
    Distribution,
    MassPoint,
    MassPointRule,
    Statistic,
    StatisticLike,
    density_rule,
    distribution,
    mass_points_of,
    parse_statistics,
)
from wagegap.decomposition.groups import GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import decomposition, joint_estimates
from wagegap.decomposition.parts import REWEIGHTED, TWOFOLD
from wagegap.decomposition.result import Decomposition
from wagegap.errors import CovarianceError, DataError, OptionError, check_option, listing, refuse_rows
from wagegap.estimation.covariance.options import Analytic, CovLike, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import Block, ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import design_matrix, required_columns
from wagegap.estimation.least_squares.mean_slopes import MeanSlopeFits
from wagegap.estimation.sample import Cell
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of

__all__ = ["RifDecomposition", "rif_oaxaca"]

_SCORES_AT_MOST = 30_000_000
_SCORES_IN_MEMORY = 150_000_000
_AT_ONCE = 64 * 2**20
_UNMOVED = 1e-8


@dataclass(frozen=True, eq=False, repr=False)
class RifDecomposition(Decomposition):
    """A gap of statistics decomposed through recentred influence functions.

    Attributes
    ----------
    overlap : DataFrame
        Reweighted: quality of the weights, a row for each comparison; see `Reweighting.overlap`.
    balance : DataFrame
        Reweighted: means of the regressors before and after.
    """

    overlap: pd.DataFrame = field(default_factory=pd.DataFrame)
    balance: pd.DataFrame = field(default_factory=pd.DataFrame)


@refittable
def rif_oaxaca(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    statistic: StatisticLike | Sequence[StatisticLike] = "quantile",
    probs: Sequence[float] = (0.1, 0.5, 0.9),
    by: ColumnNames | None = None,
    reference: Reference = "A",
    reweight: ReweightModel | None = None,
    propensity: str | None = None,
    trim: str = "none",
    density: Literal["r", "stata"] | DensityRule = "r",
    bandwidth: float | None = None,
    mass_points: MassPointRule = "recentred",
    convention: Literal["full", "stata", "none"] = "full",
    normalize: ColumnNames = (),
    detail: Detail = None,
    absent_levels: Literal["raise", "base"] = "raise",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool | None = None,
) -> RifDecomposition:
    """Decompose the gap of quantiles, inequality measures or other statistics between two groups, in detail.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`.
    group, groups, by
        As in `oaxaca`.
    statistic : str, callable, CustomStatistic, or sequence of them
        Quantile, interquantile_range, interquantile_ratio, mean, variance, standard_deviation, gini, lorenz,
        generalized_lorenz, theil, mld, `"atkinson:0.5"`, `"share_below:10"`, `"share_below:0.6 median"`, or a function
        of values and weights that returns a number (its RIF is then found by small changes of the weights).
    probs : sequence of float
        Probabilities of quantiles and Lorenz ordinates; a range or ratio is of the largest and the smallest.
    reference : {"A", "B", "cotton", "reimers"}, number or matrix
        Coefficients at which characteristics are valued, as in `oaxaca`; reweighted "A" or "B", the group whose rows
        are reweighted.
    reweight : {"logit", "probit", "cloglog", "cells"}, optional
        Model of the propensity behind a counterfactual sample; without it the decomposition is not reweighted.
    propensity : str, optional
        Regressors of the propensity, such as `"age + educ * exper"`; those of the formula where absent.
    trim : str
        Rows left out for want of overlap: "none", "crump", "crump:0.1", "share", "share:0.01".
    density : {"r", "stata"} or DensityRule
        Convention of quantiles and densities: R's (Gaussian kernel, position 1 + (n - 1) p) or Stata's (Epanechnikov,
        mean of two neighbours where n p is whole).
    bandwidth : float, optional
        Bandwidth of the density, in units of the outcome; the convention's rule of thumb where absent.
    mass_points : {"recentred", "peers"}
        Where more than half a per cent of a group's weight is tied at a quantile (a minimum wage, a top code, bands,
        round figures): the RIF is recentred, q + (F(q) - 1{y <= q}) / f(q), so that the difference is the gap of the
        quantiles, as `dfl` has it; or as rifreg, ddecompose and Stata have it, the gap of q + (p - F(q)) / f(q).
    convention : {"full", "stata", "none"}
        Standard errors by influence functions that count everything estimated; or as Stata's oaxaca has them on a RIF:
        the RIF known, means independent of coefficients, and classical variances unless a covariance is asked for; or
        none, which is several times faster on millions of rows.
    normalize, detail, absent_levels
        As in `oaxaca`.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0:COLUMN, CR1:COLUMN, a survey's design; replicates or a bootstrap, in which quantiles, densities
        and propensity are estimated again every time.
    small_sample, weights, weight_kind, keep_units
        As in `oaxaca`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    RifDecomposition
        Components difference, explained, unexplained; reweighted also specification_error and reweighting_error. Of
        several statistics `measure` says which.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Notes
    -----
    Sampling and analytic weights are scaled to a mean of one within each group before quantiles are taken, so that
    equal weights are no weights. Bandwidths are taken as fixed in analytic standard errors: what their estimation adds
    is of smaller order. A function of the user's has its RIF taken as known; the bootstrap is exact there as well.

    At a mass point the explained part is what it is without recentring, and the unexplained part takes the shift to the
    quantile; the explained part depends on the density that the kernel finds at the heap. Analytic errors of whatever
    moves with the quantile are left out where a value holds more of the weight than a standard error of F(q); those of
    a bootstrap hold, unless all replicates find the same quantile. Notes say how much is tied, and where.

    Examples
    --------
    >>> import wagegap as wg
    >>> from wagegap.decomposition.distributions.rif_oaxaca import rif_oaxaca
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> gap = rif_oaxaca(data, "log(hourly_wage) ~ exper + ai", group="female", groups=(0, 1), probs=(0.5,))
    >>> gap.totals().labels["component"].tolist()
    ['difference', 'explained', 'unexplained']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    if convention == "none" and cov is not None:
        raise OptionError(f"convention='none' gives no standard errors, and cov={str(cov)!r} asks for them.")
    chosen = parse_statistics(statistic, probs)
    rule = density_rule(density, bandwidth, mass_points=None if mass_points == "recentred" else mass_points)
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    plan = _plan(grouped, chosen, rule, reference, _propensity(grouped, reweight, propensity, trim), normalize, detail)
    fits = _fit(grouped, plan)
    check_identified(grouped, fits.slopes(), absent_levels)
    values = _evaluate(plan, fits, fits.values)
    matrix = np.eye(values.size)
    if convention == "none":
        source: ErrorSource = StatedSource(
            grouped.sample.source, np.where(matrix > 0, np.nan, 0.0), np.inf, "none asked for"
        )
    elif grouped.cov.replicated:
        source = _replicated(grouped, plan, fits, values)
    else:
        full = convention == "full"
        given = _analytic_cov(grouped, plan, cov, full=full)
        source = _source(grouped, plan, fits, given, small_sample, full=full, keep_units=keep_units)
        matrix = np.vstack([_jacobian(plan, fits, c) for c in range(len(fits.members))])
    gap = _decomposition(grouped, plan, fits, values, source, matrix, keep_units=keep_units)
    return RifDecomposition(
        gap.estimates, gap.method, gap.components, gap.comparisons, gap.levels, gap.reference,
        **_diagnostics(grouped, plan, fits),
    )  # fmt: skip


# what is asked for ---------------------------------------------------------------------------------------------------


def _propensity(
    grouped: GroupedSample, model: ReweightModel | None, regressors: str | None, trim: str
) -> Propensity | None:
    """Read the options; None where nothing is reweighted."""
    rule = parse_trim(trim)
    if model is None:
        if regressors is not None or rule.rule != "none":
            raise OptionError("propensity and trim go with a reweighted decomposition: reweight='logit'.")
        return None
    check_option("reweight", model, MODELS)
    if regressors is None:
        return Propensity(model, rule, grouped.sample.x, grouped.design.names)
    frame = grouped.data.columns()
    for name in required_columns(regressors, frame):
        refuse_rows(
            frame[name].isna(), DataError, f"propensity: {name!r} is missing in ",
            " rows used: fill it in, or leave these rows out.",
        )  # fmt: skip
    matrix = design_matrix(frame, regressors)
    return Propensity(model, rule, matrix.values, matrix.names)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed.

    Attributes
    ----------
    statistics : tuple of Statistic
        Statistics of the outcome.
    rule : DensityRule
        Convention of quantiles and densities.
    report : Report
        Numbers of a comparison and statistic.
    weight : ndarray, shape (C, k, k), optional
        W of the reference coefficients W b_A + (I - W) b_B; absent where reweighted.
    source : int
        Which group is reweighted, 0 or 1.
    propensity : Propensity, optional
        How it is reweighted.
    reference : str
        The reference in words.
    """

    statistics: tuple[Statistic, ...]
    rule: DensityRule
    report: Report
    weight: FloatArray | None
    source: int
    propensity: Propensity | None
    reference: str


def _plan(
    grouped: GroupedSample,
    statistics: tuple[Statistic, ...],
    rule: DensityRule,
    reference: Reference,
    propensity: Propensity | None,
    normalize: str | Sequence[str],
    detail: Detail,
) -> _Plan:
    weight, source, parts = None, 0, TWOFOLD
    if propensity is None:
        if isinstance(reference, str) and reference in ("pooled", "neumark"):
            raise OptionError(
                f"reference={reference!r}: the RIF of each group is its own, and so there is no pooled regression; use "
                "'A', 'B', 'cotton', 'reimers', a number or a matrix."
            )
        weight, named = reference_matrix(grouped, reference)
    else:
        if not isinstance(reference, str):
            raise OptionError(
                "reference: a reweighted decomposition is at 'A' or 'B', the group whose rows are reweighted."
            )
        check_option("reference", reference, ("A", "B"))
        parts, source = REWEIGHTED[reference], "AB".index(reference)
        named = name_reference(reference, "coefficients of the {} group, whose rows are given the regressors of the {}")
    return _Plan(statistics, rule, report(grouped, parts, normalize, detail), weight, source, propensity, named)


# samples -------------------------------------------------------------------------------------------------------------


_SampleKey: TypeAlias = tuple[int, int, bool]
"""Side, comparison where that matters (else -1), and whether it is reweighted."""


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """One sample: a group, or a group with the other's regressors.

    Attributes
    ----------
    side : int
        Whose rows.
    other : int
        Whose regressors they are given; the side itself where they keep theirs.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    sample : Distribution
        The outcome under these weights.
    masses : tuple of tuple of MassPoint
        Mass points that each statistic stands on.
    reweighting : Reweighting, optional
        Where the weights come from.
    """

    side: int
    other: int
    weights: FloatArray | None
    sample: Distribution
    masses: tuple[tuple[MassPoint, ...], ...]
    reweighting: Reweighting | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted(_Drawn):
    """RIF regressions of one sample.

    Attributes
    ----------
    rule : DensityRule
        Convention of quantiles and densities.
    fit : RifFit
        The regressions.
    """

    rule: DensityRule = field(kw_only=True)
    fit: RifFit = field(kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Fits:
    """All samples, and which of them each comparison is made of.

    Attributes
    ----------
    sides : tuple of Cell
        Rows of every group of every cell.
    fitted : tuple of _Fitted, length B
        Samples.
    members : ndarray of int, shape (C, 2) or (C, 3)
        First, second and counterfactual sample of each comparison.
    """

    sides: tuple[Cell, ...]
    fitted: tuple[_Fitted, ...]
    members: IntArray

    @property
    def values(self) -> FloatArray:
        """Means, then coefficients of every statistic, of every sample: shape (B, 1 + m, k)."""
        return np.array([one.fit.base.reshape(-1, one.fit.slopes.mean.size) for one in self.fitted])

    def slopes(self) -> MeanSlopeFits:
        """Cross-products of the groups in the order of the samples."""
        place = {one.side: one.fit.slopes for one in self.fitted if one.reweighting is None}
        return MeanSlopeFits(tuple(place[s] for s in range(len(self.sides))), (), np.zeros(0), None, np.zeros((0, 0)))


def _fit(grouped: GroupedSample, plan: _Plan) -> _Fits:
    """Fit every group once (for each comparison, where rows are trimmed), and every counterfactual."""
    sides = tuple(group_sides(grouped, ordered=grouped.cov.replicated))
    drawn: dict[_SampleKey, _Drawn] = {}
    fitted: dict[tuple[_SampleKey, DensityRule], _Fitted] = {}
    members: list[list[tuple[_SampleKey, DensityRule]]] = []
    for i, c in enumerate(grouped.comparisons):
        pair = (c.first, c.second)
        source, target = pair[plan.source], pair[1 - plan.source]
        reweighting, kept = None, dict[int, BoolArray]()
        if plan.propensity is not None:
            reweighting = plan.propensity.reweight(sides[source], sides[target])
            kept = dict(zip((source, target), reweighting.kept, strict=True))
        is_trimmed = not all(rows.all() for rows in kept.values())
        keys: list[_SampleKey] = [(s, i if is_trimmed else -1, False) for s in pair]
        for key in keys:
            if key not in drawn:
                drawn[key] = _draw_sample(sides[key[0]], key[0], plan, kept.get(key[0]))
        if reweighting is not None:
            keys.append((source, i, True))
            drawn[keys[-1]] = _draw_sample(sides[source], source, plan, kept[source], target, reweighting)
        rule = _rule_of_gap(plan.rule, [drawn[key] for key in keys])
        members.append([(key, rule) for key in keys])
        for key in keys:
            if (key, rule) not in fitted:
                fitted[key, rule] = _fit_sample(sides[key[0]], drawn[key], plan, rule)
    order = [*fitted]
    return _Fits(sides, tuple(fitted.values()), np.array([[order.index(key) for key in keys] for keys in members]))


def _draw_sample(
    side: Cell,
    s: int,
    plan: _Plan,
    kept: BoolArray | None,
    other: int | None = None,
    reweighting: Reweighting | None = None,
) -> _Drawn:
    """A group without the rows that are trimmed, with its weights or those that give it the other's regressors."""
    weights = side.weights if side.repeats is None else None
    counts = side.repeats
    if kept is not None and not kept.all():
        counts = kept.astype(float) if counts is None else counts * kept
        weights = None if weights is None else weights * kept
    if reweighting is not None:
        weights = reweighting.weights
    try:
        sample = distribution(side.y, weights, counts)
    except DataError as error:
        raise DataError(f"{side.name}: {error}") from error
    masses = tuple(mass_points_of(statistic, sample, plan.rule) for statistic in plan.statistics)
    weights = counts if weights is None else weights
    return _Drawn(s, s if other is None else other, weights, sample, masses, reweighting)


def _rule_of_gap(rule: DensityRule, samples: Sequence[_Drawn]) -> DensityRule:
    """Convention of a comparison: a quantile that is a mass point in one of its samples is recentred in all."""
    probs = {mass.prob for one in samples for of_statistic in one.masses for mass in of_statistic}
    return replace(rule, recentred_at=tuple(sorted({*probs, *rule.recentred_at})))


def _fit_sample(side: Cell, one: _Drawn, plan: _Plan, rule: DensityRule) -> _Fitted:
    """RIF regressions of a sample."""
    try:
        recentred = [statistic.build(one.sample, rule) for statistic in plan.statistics]
    except DataError as error:
        raise DataError(f"{side.name}: {error}") from error
    fit = fit_rif(side.y, side.x, recentred, one.weights)
    return _Fitted(
        one.side, one.other, one.weights, one.sample, one.masses, one.reweighting, rule=rule, fit=fit
    )  # fmt: skip


# components ----------------------------------------------------------------------------------------------------------


def _stacked(plan: _Plan, fits: _Fits, values: FloatArray, c: int) -> tuple[FloatArray, FloatArray]:
    """Means (..., 1, u, k) and coefficients (..., m, v, k) of a comparison."""
    of_samples = values[..., fits.members[c], :, :]
    means, coefs = of_samples[..., None, :, 0, :], np.swapaxes(of_samples[..., 1:, :], -3, -2)
    if plan.weight is not None:  # b_r = W b_a + (I - W) b_b
        a, b = coefs[..., :1, :], coefs[..., 1:, :]
        coefs = np.concatenate([a, b, b + (a - b) @ plan.weight[c].T], axis=-2)
    return means, coefs


def _evaluate(plan: _Plan, fits: _Fits, values: FloatArray) -> FloatArray:
    """Reported components and levels of every comparison: (..., B, 1 + m, k) to (..., C, m q)."""
    numbers = [plan.report.evaluate(*_stacked(plan, fits, values, c)) for c in range(len(fits.members))]
    return np.stack([by_statistic.reshape(*values.shape[:-3], -1) for by_statistic in numbers], axis=-2)


def _jacobian(plan: _Plan, fits: _Fits, c: int) -> FloatArray:
    """Derivative of a comparison's numbers in all means and coefficients, shape (m q, B (1 + m) k)."""
    means, coefs = _stacked(plan, fits, fits.values, c)
    slopes = np.zeros((len(coefs), len(plan.report.rows), *fits.values.shape))
    for j, coef in enumerate(coefs):
        by_mean, by_coef = plan.report.jacobian(means[0], coef)
        if plan.weight is not None:  # through b_r = W b_a + (I - W) b_b
            through_first = by_coef[:, 2] @ plan.weight[c]
            by_coef[:, 0] += through_first
            by_coef[:, 1] += by_coef[:, 2] - through_first
        for u, sample in enumerate(fits.members[c]):
            slopes[j, :, sample, 0] += by_mean[:, u]
            slopes[j, :, sample, 1 + j] += by_coef[:, u]
    return slopes.reshape(-1, fits.values.size)


def _decomposition(
    grouped: GroupedSample,
    plan: _Plan,
    fits: _Fits,
    values: FloatArray,
    source: ErrorSource,
    matrix: FloatArray,
    *,
    keep_units: bool | None,
) -> Decomposition:
    """Components and levels of all comparisons and statistics."""
    unit, names = grouped.design.unit, [one.name for one in plan.statistics]
    labels = label_statistics(plan.report.labels(unit), names, [one.unit(unit) for one in plan.statistics])
    title = f"{listing(names, 4)} of {grouped.design.outcome}"
    estimates = joint_estimates(grouped, labels, values.ravel(), source, matrix, title=f"Gap of {title}")
    estimates = _with_mass_points(grouped, plan, fits, estimates)
    notes = notes_on_logarithms(plan.statistics, unit)
    estimates = replace(estimates, notes=(*estimates.notes, *notes))
    if plan.propensity is not None:
        estimates = replace(estimates, notes=(*estimates.notes, *plan.propensity.notes()))
    if keep_units is False:
        estimates = estimates.without_units()
    return decomposition(
        estimates, grouped, "rif_oaxaca", levels=title[:1].upper() + title[1:], reference=plan.reference
    )


def _with_mass_points(grouped: GroupedSample, plan: _Plan, fits: _Fits, estimates: Estimates) -> Estimates:
    """Estimates without the errors that do not hold at mass points, and what is to be said of these."""
    names = grouped.names_of_samples()
    masses = [
        GroupMass(names[one.side] + (" reweighted" if one.reweighting is not None else ""), mass)
        for one in fits.fitted
        for of_statistic in one.masses
        for mass in of_statistic
    ]
    if not masses:
        return estimates
    recentred, replicated = plan.rule.mass_points == "recentred", grouped.cov.replicated
    dropped = False
    if recentred or replicated:
        estimates, dropped = drop_errors(estimates, _moved_by_quantiles(plan, fits, wide_only=not replicated))
    effect = (
        "The unexplained part takes the shift to the quantile; the explained part depends on the density at the heap."
        if recentred else "The difference is the gap of mean RIFs, as other software has it, not of the quantiles."
    )  # fmt: skip
    notes = notes_on_mass_points(masses, effect, dropped=dropped, replicated=replicated)
    return replace(estimates, notes=(*estimates.notes, *notes))


def _moved_by_quantiles(plan: _Plan, fits: _Fits, *, wide_only: bool) -> BoolArray:
    """Which numbers of all comparisons move with a quantile at a mass point, that is with the constant of its RIF."""
    out = []
    for c in range(len(fits.members)):
        by_coef = _jacobian(plan, fits, c).reshape(-1, *fits.values.shape)
        moved = np.zeros(len(by_coef), dtype=bool)
        for b, one in enumerate(fits.fitted):
            # a shift s of the RIF adds s (X'WX)^-1 X'W1 to the coefficients
            constant = one.fit.slopes.total * one.fit.slopes.bread @ one.fit.slopes.mean
            for j, masses in enumerate(one.masses):
                if any(mass.is_wide or not wide_only for mass in masses):
                    moved |= np.abs(by_coef[:, b, 1 + j] @ constant) > _UNMOVED
        out.append(moved)
    return np.concatenate(out)


def _diagnostics(grouped: GroupedSample, plan: _Plan, fits: _Fits) -> dict[str, pd.DataFrame]:
    """Frames on the weights, and one warning where they rest on few rows."""
    counterfactuals = [fits.fitted[members[-1]].reweighting for members in fits.members]
    if plan.propensity is None:
        return {}
    reweightings = [
        (c, weights) for c, weights in zip(grouped.comparisons, counterfactuals, strict=True) if weights is not None
    ]
    warn_overlap([(c.direction, weights) for c, weights in reweightings])
    frames = {
        "overlap": [grouped.label(c, weights.overlap()) for c, weights in reweightings],
        "balance": [grouped.label(c, weights.balance(plan.propensity.names)) for c, weights in reweightings],
    }
    return {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}


# uncertainty ---------------------------------------------------------------------------------------------------------


def _analytic_cov(grouped: GroupedSample, plan: _Plan, asked: CovLike | None, *, full: bool) -> Analytic:
    """Covariance in force; `full` counts the RIF as estimated, and means as related to coefficients."""
    cov = grouped.cov
    assert not cov.replicated
    if not full and plan.propensity is not None:
        raise OptionError("convention='stata' knows no reweighting: use the full convention, or the bootstrap.")
    if not full and asked is None and cov.independent and grouped.sample.weight_kind != "sampling":
        return Robust("iid")
    if cov.leverages or cov.adjusts_clusters or (full and cov.model_based):
        raise CovarianceError(
            f"cov={str(cov)!r} is not defined for a RIF decomposition: use HC0, HC1, CR0:COLUMN, CR1:COLUMN, a "
            "survey's design, replicates or the bootstrap."
        )
    return cov


def _source(
    grouped: GroupedSample,
    plan: _Plan,
    fits: _Fits,
    cov: Analytic,
    rule: SmallSample,
    *,
    full: bool,
    keep_units: bool | None,
) -> ErrorSource:
    """Uncertainty of the means and coefficients of all samples."""
    if cov.model_based:
        return _classical_source(grouped, fits)
    entries = sum(len(fits.sides[s].y) for one in fits.fitted for s in {one.side, one.other}) * fits.values[0].size
    lean = entries > _SCORES_AT_MOST if keep_units is None else not keep_units
    if lean and cov.independent and plan.propensity is None:
        source: ErrorSource = _lean_source(grouped, fits, cov, rule, full=full)
    elif entries > _SCORES_IN_MEMORY:
        raise CovarianceError(
            f"analytic errors would keep {entries:,} scores ({entries * 12 / 2**30:.1f} GB): use Bootstrap(...), or "
            "fewer statistics."
        )
    else:
        source = _score_source(grouped, fits, cov, rule, full=full)
    if full:
        return source
    # as Stata's oaxaca on a RIF: Cov(m, b) = 0
    source.announce()
    is_mean = np.indices(fits.values.shape)[1].ravel() == 0
    covariance = source.covariance() * (is_mean[:, None] == is_mean)
    return StatedSource(
        source.origin,
        covariance,
        np.array([source.degrees(column) for column in np.eye(source.size)]),
        f"{source.describe()}, RIF known, means apart from coefficients",
    )


def _classical_source(grouped: GroupedSample, fits: _Fits) -> StatedSource:
    pairs = [(one, fits.sides[one.side]) for one in fits.fitted]
    nobs = [float(len(side.y) if side.repeats is None else side.repeats.sum()) for _, side in pairs]
    covariance = linalg.block_diag(*(
        classical_covariance(one.fit, side.y, side.x, one.weights, nobs=n)
        for (one, side), n in zip(pairs, nobs, strict=True)
    ))  # fmt: skip
    cells = grouped.cells_of_samples()[[one.side for one in fits.fitted]]
    least = [min(n for n, other in zip(nobs, cells, strict=True) if other == cell) for cell in cells]
    df = np.repeat(np.array(least), fits.values[0].size) - grouped.sample.x.shape[1]
    return StatedSource(grouped.sample.source, covariance, df, "classical, RIF known, means random")


def _score_source(grouped: GroupedSample, fits: _Fits, cov: Analytic, rule: SmallSample, *, full: bool) -> ScoreSource:
    sample, n = grouped.sample, len(grouped.sample.y)
    scores = sparse.hstack([_scores(one, fits, n, full=full) for one in fits.fitted], format="csr")
    cell_of, nobs = _cells(grouped, rule)
    return ScoreSource(
        sample.source, sparse.csr_array(scores),
        np.repeat(cell_of[[one.side for one in fits.fitted]], fits.values[0].size),
        cell_of[sample.cells].astype(np.int32), tuple(Block("", number, 1) for number in nobs), sample.groupings, cov,
        rule, None, sample.repeats,
    )  # fmt: skip


def _cells(grouped: GroupedSample, rule: SmallSample) -> tuple[IntArray, list[float]]:
    """Cell of each sample, and observations of each cell, which small-sample factors count; one cell jointly."""
    cell_of = grouped.cells_of_samples() * (rule != "joint")
    row_cell = cell_of[grouped.sample.cells]
    return cell_of, [
        grouped.sample.observations(np.flatnonzero(row_cell == cell)) for cell in range(int(cell_of.max()) + 1)
    ]


def _scores(one: _Fitted, fits: _Fits, n: int, *, full: bool) -> sparse.csr_array:
    """Influence of all rows of the data on means and coefficients of one sample, shape (n, (1 + m) k)."""
    side = fits.sides[one.side]
    influence, rows = np.empty((len(side.y), one.fit.base.size)), side.rows
    for at, block in one.fit.influence(side.y, side.x, one.weights, estimated=full):
        influence[at] = block
    if one.reweighting is not None and one.weights is not None:
        # a row's influence is its weight c_i times the derivative in c_i, through which the propensity adds its own
        used = one.weights > 0
        derivative = influence / np.where(used, one.weights, 1.0)[:, None]
        through_side, through_other = one.reweighting.influence(np.where(used[:, None], derivative, 0.0))
        influence = np.concatenate([influence + through_side, through_other])
        rows = np.concatenate([rows, fits.sides[one.other].rows])
    width = influence.shape[1]
    starts = np.zeros(n + 1, dtype=np.int64)
    starts[rows + 1] = width
    columns = np.tile(np.arange(width, dtype=np.int32), len(rows))
    return sparse.csr_array((influence[np.argsort(rows)].ravel(), columns, np.cumsum(starts)), shape=(n, width))


def _lean_source(grouped: GroupedSample, fits: _Fits, cov: Analytic, rule: SmallSample, *, full: bool) -> StatedSource:
    """Covariance from sums of squared scores alone, sample by sample."""
    pairs = ((one, fits.sides[one.side]) for one in fits.fitted)
    covariance = linalg.block_diag(*(
        rif_covariance(one.fit, side.y, side.x, one.weights, repeats=side.repeats, estimated=full)
        for one, side in pairs
    ))  # fmt: skip
    cell_of, of_cells = _cells(grouped, rule)
    nobs = np.repeat(np.array(of_cells)[cell_of[[one.side for one in fits.fitted]]], fits.values[0].size)
    factor = np.ones(len(nobs)) if cov.kind == "HC0" or rule == "none" else nobs / (nobs - 1)
    scale = np.sqrt(np.outer(factor, factor))
    return StatedSource(grouped.sample.source, scale * covariance, nobs - 1.0, f"{cov}, units not kept")


def _replicated(grouped: GroupedSample, plan: _Plan, fits: _Fits, estimate: FloatArray) -> ErrorSource:
    """Everything again under every replicate."""
    given = grouped.cov.kind not in ("pairs", "bayesian")

    def again(replicates: ReplicateWeights, batch: slice) -> FloatArray:
        return _evaluate(plan, fits, _again(plan, fits, _draw(replicates, fits, batch), given=given))

    bytes_of_row = 1 if not given and plan.propensity is None else 40
    return replicated_source(grouped, estimate, again, max(_AT_ONCE // (len(grouped.sample.y) * bytes_of_row), 1))


def _draw(replicates: ReplicateWeights, fits: _Fits, batch: slice) -> list[AnyArray]:
    """Multipliers of the rows of every side in some replicates, smallest outcome first, shape (b, n)."""
    kind = np.uint8 if replicates.multipliers.itemsize == 1 else np.float64
    units = [side.rows if replicates.units is None else replicates.units[side.rows] for side in fits.sides]
    out = [np.empty((batch.stop - batch.start, len(side.y)), dtype=kind) for side in fits.sides]
    for r in range(batch.start, batch.stop):
        drawn = replicates.multipliers.replicate(r).astype(kind, copy=False)
        for part, at in zip(out, units, strict=True):
            part[r - batch.start] = drawn[at]
    return out


def _again(plan: _Plan, fits: _Fits, drawn: Sequence[AnyArray], *, given: bool) -> FloatArray:
    """Means and coefficients of every sample under some replicates, shape (R, B, 1 + m, k)."""
    out = np.zeros((len(drawn[0]), *fits.values.shape))
    for i, one in enumerate(fits.fitted):
        side, multipliers, weights = fits.sides[one.side], drawn[one.side], None
        if given:
            multipliers, weights = (multipliers > 0).astype(np.uint8), multipliers
        if one.reweighting is not None:
            weights = _counterfactual_weights(one.reweighting, one, fits, drawn, given=given)
        keep = one.fit.slopes.kept
        fit = replicate_rif(one.sample, side.x[:, keep], plan.statistics, multipliers, rule=one.rule, weights=weights)
        out[:, i, 0, keep] = fit.means
        out[:, i, 1:, keep] = np.moveaxis(fit.params, -1, 0)
    return out


def _counterfactual_weights(
    reweighting: Reweighting, one: _Fitted, fits: _Fits, drawn: Sequence[AnyArray], *, given: bool
) -> FloatArray:
    """Weights that the draws multiply: those of the rows times psi, which is estimated again."""
    side, other = fits.sides[one.side], fits.sides[one.other]
    full = [
        drawn[s].astype(float) if given or part.weights is None else drawn[s] * part.weights
        for s, part in ((one.side, side), (one.other, other))
    ]
    psi = reweighting.replicate(*full)
    lost = int((~np.isfinite(psi).all(axis=1)).sum())
    if lost:
        raise CovarianceError(
            f"{lost} of {len(psi)} replicates leave the propensity of {other.name} without an estimate: merge "
            "levels, trim, or use Bootstrap(kind='bayesian')."
        )
    if given:
        return psi * full[0]
    return psi if side.weights is None else psi * side.weights
