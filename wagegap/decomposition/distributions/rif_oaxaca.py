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

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import linalg, sparse

from wagegap._typing import AnyArray, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.decomposition.columns import (
    Columns,
    Detail,
    Reference,
    check_identified,
    detail_rows,
    reference_matrix,
    reported_columns,
)
from wagegap.decomposition.distributions.reweighting import (
    MODELS,
    Reweighting,
    ReweightModel,
    Trim,
    parse_trim,
    reweight,
    warn_overlap,
)
from wagegap.decomposition.distributions.rif import RifFit, classical_covariance, fit_rif, replicate_rif, rif_covariance
from wagegap.decomposition.distributions.statistics import (
    DensityRule,
    Distribution,
    Statistic,
    StatisticLike,
    density_rule,
    distribution,
    parse_statistics,
)
from wagegap.decomposition.groups import GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import is_replicated, replicate_values
from wagegap.decomposition.parts import TWOFOLD, Parts, signed_parts
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import CovarianceError, DataError, OptionError, check_option
from wagegap.estimation.covariance.options import Analytic, CovLike, Replicates, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import Block, ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import design_matrix, required_columns
from wagegap.estimation.least_squares.mean_slopes import MeanSlopeFits
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome

__all__ = ["RifDecomposition", "rif_oaxaca"]

Densities: TypeAlias = Literal["r", "stata"] | DensityRule

_MEASURE = "measure"
_SCORES_AT_MOST = 30_000_000
_SCORES_IN_MEMORY = 150_000_000
_AT_ONCE = 64 * 2**20

_WHOLE = {"difference": "+aa -bb"}
_REWEIGHTED = {
    "A": signed_parts(
        "abc",
        "abc",
        {
            **_WHOLE,
            "explained": "+aa -ca",
            "specification_error": "+ca -cc",
            "unexplained": "+bc -bb",
            "reweighting_error": "+cc -bc",
        },
    ),
    "B": signed_parts(
        "abc",
        "abc",
        {
            **_WHOLE,
            "explained": "+cb -bb",
            "specification_error": "+cc -cb",
            "unexplained": "+aa -ac",
            "reweighting_error": "+ac -cc",
        },
    ),
}
_LEVELS = {
    2: signed_parts("ab", "abr", {"first": "+aa", "second": "+bb"}),
    3: signed_parts("abc", "abc", {"first": "+aa", "second": "+bb", "counterfactual": "+cc"}),
}


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
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    statistic: StatisticLike | Sequence[StatisticLike] = "quantile",
    probs: Sequence[float] = (0.1, 0.5, 0.9),
    by: str | Sequence[str] | None = None,
    reference: Reference = "A",
    reweight: ReweightModel | None = None,
    propensity: str | None = None,
    trim: str = "none",
    density: Densities = "r",
    bandwidth: float | None = None,
    convention: Literal["full", "stata", "none"] = "full",
    normalize: str | Sequence[str] = (),
    detail: Detail = None,
    absent_levels: Literal["raise", "base"] = "raise",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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

    Examples
    --------
    >>> import wagegap as wg
    >>> from wagegap.decomposition.distributions.rif_oaxaca import rif_oaxaca
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> gap = rif_oaxaca(data, "log(hourly_wage) ~ exper + ai", group="female", groups=(0, 1), probs=(0.5,))
    >>> gap.totals().labels["component"].tolist()
    ['difference', 'explained', 'unexplained']
    """
    check_option("convention", convention, ("full", "stata", "none"))
    if convention == "none" and cov is not None:
        raise OptionError(f"convention='none' gives no standard errors, and cov={str(cov)!r} asks for them.")
    chosen, rule = parse_statistics(statistic, probs), density_rule(density, bandwidth)
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    plan = _plan(grouped, chosen, rule, reference, _Propensity.parse(grouped, reweight, propensity, trim))
    plan = replace(plan, **_reporting(grouped, normalize, detail))
    fits = _fit(grouped, plan)
    check_identified(grouped, fits.slopes(), absent_levels)
    if convention == "none":
        estimates, levels = _without_errors(grouped, plan, fits)
    elif is_replicated(grouped):
        estimates, levels = _replicated(grouped, plan, fits)
    else:
        source = _source(grouped, plan, fits, _Errors.parse(grouped, plan, convention, cov, small_sample, keep_units))
        matrix = np.vstack([_jacobian(plan, fits, fits.values, c) for c in range(len(fits.members))])
        estimates, levels = _made(grouped, plan, _evaluate(plan, fits, fits.values), source, matrix)
    if keep_units is False:
        estimates, levels = estimates.without_units(), levels.without_units()
    return RifDecomposition(
        estimates, "rif_oaxaca", plan.parts.names, grouped.sizes(), levels, plan.words,
        **_diagnostics(grouped, plan, fits),
    )  # fmt: skip


# what is asked for ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Propensity:
    """Model of the propensity, its trimming, and its regressors for all rows of the sample."""

    model: ReweightModel
    trim: Trim
    z: FloatArray
    names: tuple[str, ...]

    @classmethod
    def parse(cls, grouped: GroupedSample, model: str | None, regressors: str | None, trim: str) -> _Propensity | None:
        """Read the options; None where nothing is reweighted."""
        rule = parse_trim(trim)
        if model is None:
            if regressors is not None or rule.rule != "none":
                raise OptionError("propensity and trim go with a reweighted decomposition: reweight='logit'.")
            return None
        check_option("reweight", model, MODELS)
        if regressors is None:
            return cls(model, rule, grouped.sample.x, grouped.design.names)  # type: ignore[arg-type]
        frame = grouped.panel.frame.iloc[grouped.design.rows]
        for name in required_columns(regressors, frame):
            missing = int(frame[name].isna().sum())
            if missing:
                raise DataError(
                    f"propensity: {name!r} is missing in {missing:,} of {len(frame):,} rows used: fill it in, or "
                    "leave these rows out."
                )
        matrix = design_matrix(frame.reset_index(drop=True), regressors)
        return cls(model, rule, matrix.values, matrix.names)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed.

    Attributes
    ----------
    statistics : tuple of Statistic
        Statistics of the outcome.
    rule : DensityRule
        Convention of quantiles and densities.
    parts, levels : Parts
        Components, and levels, as signs.
    weight : ndarray, shape (C, k, k), optional
        W of the reference coefficients W b_A + (I - W) b_B; absent where reweighted.
    source : int
        Which group is reweighted, 0 or 1.
    propensity : _Propensity, optional
        How it is reweighted.
    words : str
        The reference in words.
    columns : Columns
        Regressors as reported.
    rows : tuple of str
        Rows of the detail.
    sums : ndarray, shape (g, K)
        Which reported columns each row of the detail sums.
    """

    statistics: tuple[Statistic, ...]
    rule: DensityRule
    parts: Parts
    levels: Parts
    weight: FloatArray | None
    source: int
    propensity: _Propensity | None
    words: str
    columns: Columns
    rows: tuple[str, ...] = ()
    sums: FloatArray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def report(self) -> FloatArray:
        """Which columns of which components each reported number sums, shape (q, p, K)."""
        p, size = len(self.parts.names), len(self.columns.names)
        each = np.vstack([np.ones(size), self.sums.reshape(-1, size)])
        out = np.zeros((1 + (p - 1) * len(each), p, size))
        out[0, 0] = 1.0
        for j in range(1, p):
            out[1 + (j - 1) * len(each) : 1 + j * len(each), j] = each
        return out


def _plan(
    grouped: GroupedSample,
    statistics: tuple[Statistic, ...],
    rule: DensityRule,
    reference: Reference,
    propensity: _Propensity | None,
) -> _Plan:
    columns = reported_columns(grouped, ())
    if propensity is None:
        if isinstance(reference, str) and reference in ("pooled", "neumark"):
            raise OptionError(
                f"reference={reference!r}: the RIF of each group is its own, and so there is no pooled regression; use "
                "'A', 'B', 'cotton', 'reimers', a number or a matrix."
            )
        weight, words = reference_matrix(grouped, reference)
        return _Plan(statistics, rule, TWOFOLD, _LEVELS[2], weight, 0, None, words, columns)
    if not isinstance(reference, str):
        raise OptionError(
            "reference: a reweighted decomposition is at 'A' or 'B', the group whose rows are reweighted."
        )
    check_option("reference", reference, ("A", "B"))
    first, second = ("first", "second") if reference == "A" else ("second", "first")
    words = f"coefficients of the {first} group, whose rows are given the regressors of the {second}"
    source = 0 if reference == "A" else 1
    return _Plan(statistics, rule, _REWEIGHTED[reference], _LEVELS[3], None, source, propensity, words, columns)


def _reporting(grouped: GroupedSample, normalize: str | Sequence[str], detail: Detail) -> dict[str, Any]:
    columns = reported_columns(grouped, normalize)
    rows, sums = detail_rows(columns, detail)
    return {"columns": columns, "rows": rows, "sums": sums}


# samples -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Rows of one group of a cell; smallest outcome first, where replicates need them so.

    Attributes
    ----------
    name : str
        The group.
    rows : ndarray of int, shape (n,)
        Their positions in the sample.
    y, x : ndarray, shapes (n,), (n, k)
        Outcome and regressors.
    weights, counts : ndarray, shape (n,), optional
        Weights, and observations behind each row under frequency weights.
    """

    name: str
    rows: IntArray
    y: FloatArray
    x: FloatArray
    weights: FloatArray | None
    counts: FloatArray | None


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """RIF regressions of one sample: a group, or a group with the other's regressors.

    Attributes
    ----------
    side : int
        Whose rows.
    other : int
        Whose regressors they are given; the side itself where they keep theirs.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    drawn : Distribution
        The outcome under these weights.
    fit : RifFit
        The regressions.
    reweighting : Reweighting, optional
        Where the weights come from.
    """

    side: int
    other: int
    weights: FloatArray | None
    drawn: Distribution
    fit: RifFit
    reweighting: Reweighting | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Fits:
    """All samples, and which of them each comparison is made of.

    Attributes
    ----------
    sides : tuple of _Side
        Rows of every group of every cell.
    fitted : tuple of _Fitted, length B
        Samples.
    members : ndarray of int, shape (C, 2) or (C, 3)
        First, second and counterfactual sample of each comparison.
    """

    sides: tuple[_Side, ...]
    fitted: tuple[_Fitted, ...]
    members: IntArray

    @property
    def values(self) -> FloatArray:
        """Means, then coefficients of every statistic, of every sample: shape (B, 1 + m, k)."""
        k = self.sides[0].x.shape[1]
        return np.array([one.fit.base.reshape(-1, k) for one in self.fitted])

    def slopes(self) -> MeanSlopeFits:
        """Cross-products of the groups in the order of the samples."""
        place = {one.side: one.fit.slopes for one in self.fitted if one.reweighting is None}
        some = next(iter(place.values()))
        ordered = tuple(place.get(s, some) for s in range(len(self.sides)))
        return MeanSlopeFits(ordered, (), np.zeros(0), None, np.zeros((0, 0)))

    def reweightings(self) -> Iterator[tuple[int, Reweighting]]:
        """Comparison and weights of every counterfactual."""
        for c, members in enumerate(self.members):
            found = self.fitted[members[-1]].reweighting
            if found is not None:
                yield c, found


def _fit(grouped: GroupedSample, plan: _Plan) -> _Fits:
    """Fit every group once (for each comparison, where rows are trimmed), and every counterfactual."""
    sides = tuple(_sides(grouped))
    fitted: list[_Fitted] = []
    members: list[list[int]] = []
    place: dict[tuple[int, int], int] = {}
    for i, c in enumerate(grouped.comparisons):
        pair = (c.first, c.second)
        source, target = pair[plan.source], pair[1 - plan.source]
        found = None if plan.propensity is None else _reweight(sides[source], sides[target], plan.propensity)
        trimmed = found is not None and not (found.kept[0].all() and found.kept[1].all())
        for s in pair:
            key = (s, i if trimmed else -1)
            if key not in place:
                left = found.kept[int(s == target)] if found is not None and trimmed else None
                place[key] = len(fitted)
                fitted.append(_fit_side(sides, s, plan, left))
        members.append([place[s, i if trimmed else -1] for s in pair])
        if found is not None:
            members[-1].append(len(fitted))
            fitted.append(_fit_counterfactual(sides, source, target, plan, found))
    return _Fits(sides, tuple(fitted), np.array(members, dtype=np.intp))


def _sides(grouped: GroupedSample) -> Iterator[_Side]:
    sample, sort = grouped.sample, is_replicated(grouped)
    for name, rows in zip(sample.cell_names, sample.rows_by_cell(), strict=True):
        at = rows[np.argsort(sample.y[rows], kind="stable")] if sort else rows
        weights = None if sample.weights is None else sample.weights[at]
        counts = weights if sample.weight_kind == "frequency" else None
        yield _Side(name, at, sample.y[at], sample.x[at], weights, counts)


def _fit_side(sides: Sequence[_Side], s: int, plan: _Plan, left: AnyArray | None) -> _Fitted:
    """Fit a group, without the rows that are trimmed."""
    side = sides[s]
    weights, counts = side.weights, side.counts
    if left is not None:
        weights = None if weights is None else weights * left
        counts = left.astype(float) if counts is None else counts * left
    drawn = _distribution(side, None if side.counts is not None else weights, counts)
    return _Fitted(s, s, counts if weights is None else weights, drawn, _regress(side, drawn, plan, weights, counts))


def _fit_counterfactual(sides: Sequence[_Side], source: int, target: int, plan: _Plan, found: Reweighting) -> _Fitted:
    side, weights = sides[source], found.weights
    counts = side.counts
    if not found.kept[0].all():
        counts = found.kept[0].astype(float) if counts is None else counts * found.kept[0]
    drawn = _distribution(side, weights, counts)
    return _Fitted(source, target, weights, drawn, _regress(side, drawn, plan, weights, None), found)


def _distribution(side: _Side, weights: FloatArray | None, counts: FloatArray | None) -> Distribution:
    try:
        return distribution(side.y, weights, counts)
    except DataError as error:
        raise DataError(f"{side.name}: {error}") from error


def _regress(
    side: _Side, drawn: Distribution, plan: _Plan, weights: FloatArray | None, counts: FloatArray | None
) -> RifFit:
    try:
        found = [one.build(drawn, plan.rule) for one in plan.statistics]
    except DataError as error:
        raise DataError(f"{side.name}: {error}") from error
    return fit_rif(side.y, side.x, found, counts if weights is None else weights)


def _reweight(source: _Side, target: _Side, how: _Propensity) -> Reweighting:
    return reweight(
        how.z[source.rows], how.z[target.rows], (source.weights, target.weights), model=how.model, trim=how.trim,
        names=how.names, groups=(source.name, target.name),
    )  # fmt: skip


# components ----------------------------------------------------------------------------------------------------------


def _stacked(plan: _Plan, fits: _Fits, values: FloatArray, c: int) -> tuple[FloatArray, FloatArray]:
    """Reported means (..., 1, u, K) and coefficients (..., m, v, K) of a comparison."""
    own, here = plan.columns, values[..., fits.members[c], :, :]
    means, coefs = here[..., 0, :], np.swapaxes(here[..., 1:, :], -3, -2)
    if plan.weight is not None:
        a, b = coefs[..., 0, :], coefs[..., 1, :]
        reference = b + (a - b) @ plan.weight[c].T
        coefs = np.concatenate([coefs, reference[..., None, :]], axis=-2)
    return (means @ own.of_means.T)[..., None, :, :], coefs @ own.of_coefs.T


def _evaluate(plan: _Plan, fits: _Fits, values: FloatArray) -> FloatArray:
    """Reported components and levels of every comparison: (..., B, 1 + m, k) to (..., C, m (q + l))."""
    found = []
    for c in range(len(fits.members)):
        means, coefs = _stacked(plan, fits, values, c)
        components = np.einsum("qpk,...pk->...q", plan.report, plan.parts.evaluate(means, coefs))
        levels = plan.levels.evaluate(means, coefs).sum(axis=-1)
        both = np.concatenate([components, levels], axis=-1)
        found.append(both.reshape(*both.shape[:-2], -1))
    return np.stack(found, axis=-2)


def _jacobian(plan: _Plan, fits: _Fits, values: FloatArray, c: int) -> FloatArray:
    """Derivative of a comparison's numbers in all means and coefficients, shape (m (q + l), B (1 + m) k)."""
    means, coefs = _stacked(plan, fits, values, c)
    (b, width, k), m = values.shape, len(plan.statistics)
    ones = np.ones((len(plan.levels.names), len(plan.levels.names), len(plan.columns.names)))
    ones *= np.eye(len(plan.levels.names))[:, :, None]
    out = np.zeros((m, len(plan.report) + len(ones), b, width, k))
    for j in range(m):
        for parts, report, at in ((plan.parts, plan.report, 0), (plan.levels, ones, len(plan.report))):
            by_mean, by_coef = parts.jacobian(means[0], coefs[j])
            rows = slice(at, at + len(report))
            to_mean = np.einsum("qpK,puK,Kk->quk", report, by_mean, plan.columns.of_means)
            to_coef = np.einsum("qpK,pvK,Kk->qvk", report, by_coef, plan.columns.of_coefs)
            for u, block in enumerate(fits.members[c]):
                out[j, rows, block, 0] += to_mean[:, u]
                out[j, rows, block, 1 + j] += to_coef[:, u]
            if plan.weight is not None:
                first, second = fits.members[c]
                out[j, rows, first, 1 + j] += to_coef[:, 2] @ plan.weight[c]
                out[j, rows, second, 1 + j] += to_coef[:, 2] @ (np.eye(k) - plan.weight[c])
    return out.reshape(m * out.shape[1], -1)


def _made(
    grouped: GroupedSample, plan: _Plan, values: FloatArray, source: ErrorSource, matrix: FloatArray
) -> tuple[Estimates, Estimates]:
    """Estimates of the components, and of the levels, which stand last for each statistic."""
    size, levels = len(plan.report), len(plan.levels.names)
    is_level = np.tile(np.arange(size + levels) >= size, len(plan.statistics) * len(grouped.comparisons))
    flat, names = values.ravel(), ", ".join(one.name for one in plan.statistics[:4])
    names += f" and {len(plan.statistics) - 4} more" * (len(plan.statistics) > 4)
    notes = (*grouped.notes, *_notes(plan))
    g = 1 + len(plan.rows)
    components = [("difference", TOTAL)]
    components += [(name, term) for name in plan.parts.names[1:] for term in (TOTAL, *plan.rows)]
    assert len(components) == 1 + g * (len(plan.parts.names) - 1)
    frames = (
        (~is_level, pd.DataFrame(components, columns=["component", "term"]), f"Gap of {names} of "),
        (is_level, pd.DataFrame({"term": list(plan.levels.names)}), f"{names[:1].upper()}{names[1:]} of "),
    )
    first, second = (
        Estimates(
            _labels(grouped, plan, rows), flat[at], (source,), (matrix[at],), title=title + grouped.design.outcome,
            ledger=grouped.design.ledger, notes=notes,
        )
        for at, rows, title in frames
    )  # fmt: skip
    return first, second


def _labels(grouped: GroupedSample, plan: _Plan, rows: pd.DataFrame) -> pd.DataFrame:
    """Labels of all comparisons and statistics."""
    m, unit = len(plan.statistics), unit_of_outcome(grouped.design.outcome)
    labels = pd.concat([rows] * m, ignore_index=True)
    if m > 1:
        labels.insert(0, _MEASURE, np.repeat([one.name for one in plan.statistics], len(rows)))
    labels["unit"] = np.repeat([unit if one.in_units else "none" for one in plan.statistics], len(rows))
    parts = [grouped.label(c, labels).assign(comparison=c.direction) for c in grouped.comparisons]
    return pd.concat(parts, ignore_index=True)


def _notes(plan: _Plan) -> list[str]:
    """What a reader should know of the weights."""
    if plan.propensity is None:
        return []
    trim = plan.propensity.trim
    trimmed = [f"Trimmed by {trim}; the gap is that of the rows kept."] if trim.rule != "none" else []
    return [f"Propensity: {plan.propensity.model}.", *trimmed]


def _diagnostics(grouped: GroupedSample, plan: _Plan, fits: _Fits) -> dict[str, pd.DataFrame]:
    """Frames on the weights, and one warning where they rest on few rows."""
    found = list(fits.reweightings())
    if plan.propensity is None or not found:
        return {}
    comparisons = [grouped.comparisons[c] for c, _ in found]
    warn_overlap([(c.direction, weights) for c, (_, weights) in zip(comparisons, found, strict=True)])
    overlap = [grouped.label(c, weights.overlap()) for c, (_, weights) in zip(comparisons, found, strict=True)]
    names = plan.propensity.names
    balance = [grouped.label(c, weights.balance(names)) for c, (_, weights) in zip(comparisons, found, strict=True)]
    return {"overlap": pd.concat(overlap, ignore_index=True), "balance": pd.concat(balance, ignore_index=True)}


# uncertainty ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Errors:
    """How standard errors are made.

    Attributes
    ----------
    cov : Analytic
        Covariance in force; `iid` is the classical one.
    rule : str
        Small-sample rule.
    full : bool
        Whether the RIF counts as estimated, and means as related to coefficients.
    keep_units : bool, optional
        Whether scores are kept.
    """

    cov: Analytic
    rule: SmallSample
    full: bool
    keep_units: bool | None

    @classmethod
    def parse(
        cls,
        grouped: GroupedSample,
        plan: _Plan,
        convention: str,
        asked: CovLike | None,
        rule: SmallSample,
        keep_units: bool | None,
    ) -> _Errors:
        """Read the options."""
        cov, full = grouped.cov, convention == "full"
        assert isinstance(cov, Analytic)
        declared = grouped.sample.weight_kind == "sampling" or not isinstance(cov, Robust) or bool(cov.clusters)
        if not full and plan.propensity is not None:
            raise OptionError("convention='stata' knows no reweighting: use the full convention, or the bootstrap.")
        if not full and asked is None and not declared:
            cov = Robust("iid")
        if isinstance(cov, Robust) and cov.kind not in ("HC0", "HC1", "CR0", "CR1", *([] if full else ["iid"])):
            raise CovarianceError(
                f"cov={str(cov)!r} is not defined for a RIF decomposition: use HC0, HC1, CR0:COLUMN, CR1:COLUMN, a "
                "survey's design, replicates or the bootstrap."
            )
        return cls(cov, rule, full, keep_units)


def _source(grouped: GroupedSample, plan: _Plan, fits: _Fits, errors: _Errors) -> ErrorSource:
    """Uncertainty of the means and coefficients of all samples."""
    cov, width = errors.cov, fits.values[0].size
    if isinstance(cov, Robust) and cov.kind == "iid":
        return _classical_source(grouped, fits)
    entries = sum(len(fits.sides[s].y) for one in fits.fitted for s in {one.side, one.other}) * width
    lean = entries > _SCORES_AT_MOST if errors.keep_units is None else not errors.keep_units
    if lean and isinstance(cov, Robust) and not cov.clusters and plan.propensity is None:
        source: ErrorSource = _lean_source(grouped, fits, cov, errors)
    else:
        source = _score_source(grouped, fits, errors, entries)
    return source if errors.full else _separated(source, fits)


def _without_errors(grouped: GroupedSample, plan: _Plan, fits: _Fits) -> tuple[Estimates, Estimates]:
    """Estimates whose standard errors are unknown."""
    values = _evaluate(plan, fits, fits.values)
    unknown = np.where(np.eye(values.size) > 0, np.nan, 0.0)
    source = StatedSource(grouped.sample.source, unknown, np.inf, "none asked for")
    return _made(grouped, plan, values, source, np.eye(values.size))


def _separated(source: ErrorSource, fits: _Fits) -> StatedSource:
    """The same with means taken as uncorrelated with coefficients."""
    shape = fits.values.shape
    is_mean = np.broadcast_to((np.arange(shape[1]) == 0)[None, :, None], shape).ravel()
    covariance = source.covariance() * (is_mean[:, None] == is_mean[None, :])
    df = source.degrees(np.ones(source.size))
    return StatedSource(source.origin, covariance, df, f"{source.describe()}, RIF known, means apart from coefficients")


def _classical_source(grouped: GroupedSample, fits: _Fits) -> StatedSource:
    parts, df = [], np.inf
    for one in fits.fitted:
        side = fits.sides[one.side]
        nobs = float(len(side.y) if side.counts is None else side.counts.sum())
        parts.append(classical_covariance(one.fit, side.y, side.x, one.weights, nobs=nobs))
        df = min(df, nobs - side.x.shape[1])
    return StatedSource(grouped.sample.source, linalg.block_diag(*parts), df, "classical, RIF known, means random")


def _score_source(grouped: GroupedSample, fits: _Fits, errors: _Errors, entries: int) -> ScoreSource:
    sample = grouped.sample
    if entries > _SCORES_IN_MEMORY:
        raise CovarianceError(
            f"analytic errors would keep {entries:,} scores ({entries * 12 / 2**30:.1f} GB): use Bootstrap(...), or "
            "fewer statistics."
        )
    n = len(sample.y)
    scores = sparse.hstack([_scores(one, fits, n, full=errors.full) for one in fits.fitted], format="csr")
    block = Block("", sample.observations(np.arange(n)), 1)
    return ScoreSource(
        sample.source, sparse.csr_array(scores), np.zeros(scores.shape[1], dtype=np.intp),
        np.zeros(n, dtype=np.int32), (block,), sample.groupings, errors.cov, errors.rule, None, sample.repeats,
    )  # fmt: skip


def _scores(one: _Fitted, fits: _Fits, n: int, *, full: bool) -> sparse.csr_array:
    """Influence of all rows of the data on means and coefficients of one sample, shape (n, (1 + m) k)."""
    side = fits.sides[one.side]
    own = np.empty((len(side.y), one.fit.base.size))
    for rows, block in one.fit.influence(side.y, side.x, one.weights, estimated=full):
        own[rows] = block
    pieces = [(side.rows, own)]
    if one.reweighting is not None:
        assert one.weights is not None
        used = one.weights > 0
        derivative = own / np.where(used, one.weights, 1.0)[:, None]
        through_own, through_other = one.reweighting.influence(np.where(used[:, None], derivative, 0.0))
        own += through_own
        pieces.append((fits.sides[one.other].rows, through_other))
    places = np.concatenate([at for at, _ in pieces])
    data = np.concatenate([part for _, part in pieces])
    order = np.argsort(places)
    width = data.shape[1]
    lengths = np.zeros(n + 1, dtype=np.int64)
    lengths[places + 1] = width
    columns = np.tile(np.arange(width, dtype=np.int32), len(places))
    return sparse.csr_array((data[order].ravel(), columns, np.cumsum(lengths)), shape=(n, width))


def _lean_source(grouped: GroupedSample, fits: _Fits, cov: Robust, errors: _Errors) -> StatedSource:
    """Covariance from sums of squared scores alone, sample by sample."""
    sample, parts = grouped.sample, []
    for one in fits.fitted:
        side = fits.sides[one.side]
        parts.append(rif_covariance(one.fit, side.y, side.x, one.weights, repeats=side.counts, estimated=errors.full))
    nobs = sample.observations(np.arange(len(sample.y)))
    factor = 1.0 if cov.kind == "HC0" or errors.rule == "none" else nobs / (nobs - 1)
    return StatedSource(sample.source, factor * linalg.block_diag(*parts), nobs - 1, f"{cov}, units not kept")


def _replicated(grouped: GroupedSample, plan: _Plan, fits: _Fits) -> tuple[Estimates, Estimates]:
    """Everything again under every replicate."""
    estimate = _evaluate(plan, fits, fits.values)
    members = [np.concatenate(grouped.rows(c)) for c in grouped.comparisons]

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        given = isinstance(grouped.cov, Replicates)
        per_replicate = sum(len(side.y) for side in fits.sides) * (1 if not given and plan.propensity is None else 40)
        step = max(_AT_ONCE // per_replicate, 1)
        found = []
        for first in range(0, len(replicates), step):
            drawn = _draw(replicates, fits, first, min(first + step, len(replicates)))
            found.append(_evaluate(plan, fits, _again(plan, fits, drawn, given=given)))
        return np.concatenate(found)

    source = replicate_values(grouped, estimate, values_of, members)
    return _made(grouped, plan, estimate, source, np.eye(estimate.size))


def _draw(replicates: ReplicateWeights, fits: _Fits, first: int, last: int) -> list[AnyArray]:
    """Multipliers of the rows of every side, smallest outcome first, shape (last - first, n)."""
    kind = np.uint8 if replicates.multipliers.itemsize == 1 else np.float64
    units = [side.rows if replicates.units is None else replicates.units[side.rows] for side in fits.sides]
    out = [np.empty((last - first, len(side.y)), dtype=kind) for side in fits.sides]
    for r in range(first, last):
        drawn = replicates.multipliers.replicate(r).astype(kind, copy=False)
        for part, at in zip(out, units, strict=True):
            part[r - first] = drawn[at]
    return out


def _again(plan: _Plan, fits: _Fits, drawn: Sequence[AnyArray], *, given: bool) -> FloatArray:
    """Means and coefficients of every sample under some replicates, shape (R, B, 1 + m, k)."""
    k = fits.sides[0].x.shape[1]
    out = np.zeros((len(drawn[0]), len(fits.fitted), 1 + len(plan.statistics), k))
    for i, one in enumerate(fits.fitted):
        side, multipliers, weights = fits.sides[one.side], drawn[one.side], None
        if given:
            multipliers, weights = (multipliers > 0).astype(np.uint8), multipliers
        if one.reweighting is not None:
            weights = _counterfactual_weights(one, fits, drawn, given=given)
        keep = one.fit.slopes.kept
        found = replicate_rif(one.drawn, side.x[:, keep], plan.statistics, multipliers, rule=plan.rule, weights=weights)
        out[:, i, 0, keep] = found.means
        out[:, i, 1:, keep] = np.moveaxis(found.params, -1, 0)
    return out


def _counterfactual_weights(one: _Fitted, fits: _Fits, drawn: Sequence[AnyArray], *, given: bool) -> FloatArray:
    """Weights that the draws multiply: those of the rows times psi, which is estimated again."""
    assert one.reweighting is not None
    side, other = fits.sides[one.side], fits.sides[one.other]
    full = [
        drawn[s].astype(float) if given or part.weights is None else drawn[s] * part.weights
        for s, part in ((one.side, side), (one.other, other))
    ]
    psi = one.reweighting.replicate(full[0], full[1])
    lost = np.flatnonzero(~np.isfinite(psi).all(axis=1))
    if lost.size:
        raise CovarianceError(
            f"{len(lost)} of {len(psi)} replicates leave the propensity of {other.name} without an estimate: merge "
            "levels, trim, or use Bootstrap(kind='bayesian')."
        )
    if given:
        return psi * full[0]
    return psi if side.weights is None else psi * side.weights
