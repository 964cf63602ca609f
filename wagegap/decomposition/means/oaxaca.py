"""The gap of means between two groups: what differences in characteristics explain, and what is left.

With mean characteristics m_a, m_b and least squares coefficients b_a, b_b of two groups, the gap of mean outcomes is

    m_a'b_a - m_b'b_b = (m_a - m_b)'b_r + [m_a'(b_a - b_r) + m_b'(b_r - b_b)],

the explained part at reference coefficients b_r and the unexplained one; threefold it is endowments, coefficients and
their interaction. Means and coefficients are estimated from the same rows, and their joint covariance (regressors
random) carries over to every component and its detail.

References
----------
Blinder, A. (1973). Wage discrimination: reduced form and structural estimates. Journal of Human Resources 8, 436-455.
Oaxaca, R. (1973). Male-female wage differentials in urban labor markets. International Economic Review 14, 693-709.
Neumark, D. (1988). Employers' discriminatory behavior and the estimation of wage discrimination. Journal of Human
Resources 23, 279-295.
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import linalg

from wagegap._typing import AnyArray, FloatArray, SmallSample, WeightKind
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import is_replicated, replicate_values
from wagegap.decomposition.means.parts import (
    LEVELS,
    SPLIT,
    THREEFOLD,
    THREEFOLD_REVERSE,
    TWOFOLD,
    Columns,
    Parts,
    detail_groups,
    expand_factors,
)
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import (
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.covariance.options import Analytic, CovLike, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import SMALL_SAMPLE, Estimates
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.least_squares.mean_slopes import MeanSlopeFits, Pooling, fit_samples, point_fits, replicate_fits
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome

__all__ = [
    "Convention",
    "Detail",
    "Reference",
    "Threefold",
    "check_identified",
    "detail_rows",
    "oaxaca",
    "reference_matrix",
    "reported_columns",
]

Reference: TypeAlias = str | float | AnyArray
Threefold: TypeAlias = bool | Literal["reverse"]
Detail: TypeAlias = Literal["terms", "columns", "none"] | Mapping[str, Sequence[str]] | None

Convention: TypeAlias = Literal["full", "stata", "ddecompose"]

_SIMPLE = {
    "A": (1.0, "coefficients of the first group"),
    "B": (0.0, "coefficients of the second group"),
    "reimers": (0.5, "mean of the two groups' coefficients"),
}
_NAMED = ("A", "B", "pooled", "neumark", "cotton", "reimers")


@refittable
def oaxaca(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    reference: Reference = "A",
    threefold: Threefold = False,
    split: bool = False,
    normalize: str | Sequence[str] = (),
    detail: Detail = None,
    convention: Convention = "full",
    absent_levels: Literal["raise", "base"] = "raise",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    keep_units: bool | None = None,
) -> Decomposition:
    """Decompose the gap of means between two groups, or many pairs of groups at once.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`.
    group : str
        Column whose gap it is.
    groups : (first, second), "pairs" or None
        The gap is first minus second. `(["KOR", "JPN"], "USA")` compares several with one, `("*", "USA")` every other
        one, "pairs" all. By itself the two levels there are, sorted, and a note says so.
    by : str or sequence of str, optional
        Cells in each of which the groups are compared, jointly.
    reference : {"A", "B", "pooled", "neumark", "cotton", "reimers"}, number or matrix
        Coefficients at which characteristics are valued: those of the first group, of the second, of a pooled
        regression with an indicator of the group or without, their mean weighted by the groups' sizes (which are taken
        as fixed), their plain mean, w b_A + (1 - w) b_B, or W b_A + (I - W) b_B with W of shape (k, k) or (k,).
    threefold : bool or "reverse"
        Endowments at the second group's coefficients, coefficients at its means, and their interaction; "reverse" at
        the first group's.
    split : bool
        Split the unexplained part into that of the first group over the reference and of the reference over the second.
    normalize : str or sequence of str
        Factors whose effects are expressed as deviations from their mean, so that no base category is special.
    detail : {"terms", "columns", "none"} or mapping, optional
        A row for each term of the formula (the default), each column, or named groups such as
        `{"human capital": ["educ", "exper"]}`.
    convention : {"full", "stata", "ddecompose"}
        Standard errors by influence functions, or as Stata's oaxaca has them: means independent of coefficients, and
        classical variances unless a covariance is asked for or the reference is pooled; or as R's ddecompose, which
        adds to these the variance of the product of the two errors.
    absent_levels : {"raise", "base"}
        What to do with a column that one group does not identify, such as a level nobody there has: an error, or its
        coefficient is taken as that of the base, with a warning that names it.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a survey's design, replicates, a bootstrap; what the panel
        declares, else HC1.
    small_sample, weights, weight_kind
        As in `fit_premiums`.
    keep_units : bool, optional
        Keep the scores of all rows, so that the result can be joined with others; by itself unless they are many.

    Returns
    -------
    Decomposition
        Components difference, explained, unexplained; or endowments, coefficients, interaction.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> gap = wg.oaxaca(data, "log(hourly_wage) ~ exper + educ", group="female", groups=(0, 1))
    >>> gap.totals().labels["component"].tolist()
    ['difference', 'explained', 'unexplained']
    """
    check_option("convention", convention, ("full", "stata", "ddecompose"))
    check_option("absent_levels", absent_levels, ("raise", "base"))
    check_option("small_sample", small_sample, SMALL_SAMPLE)
    check_option("keep_units", keep_units, (None, True, False))
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    plan = _plan(grouped, reference, threefold, split, normalize, detail)
    if is_replicated(grouped):
        _check_analytic(convention, grouped)
        fits = point_fits(grouped.sample, plan.poolings)
        estimates, levels = _replicated(grouped, plan, fits)
    else:
        fits = fit_samples(
            grouped.sample, plan.poolings, cov=_analytic_cov(grouped, plan, convention, asked=cov is not None),
            rule=small_sample, separate=convention != "full", keep_units=keep_units,
        )  # fmt: skip
        estimates, levels = _analytic(grouped, plan, fits, products=convention == "ddecompose")
    check_identified(grouped, fits, absent_levels)
    return Decomposition(estimates, "oaxaca", plan.parts.names, grouped.sizes(), levels, plan.words)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed from means and coefficients.

    Attributes
    ----------
    parts : Parts
        Components as signs.
    columns : Columns
        Regressors as reported.
    rows : tuple of str
        Rows of the detail.
    sums : ndarray, shape (g, m)
        Which reported columns each row of the detail sums.
    weight : ndarray of shape (C, k, k), optional
        W of b_r = W b_A + (I - W) b_B, for each comparison; None where the reference is pooled.
    poolings : tuple of Pooling
        Pooled fits, one for each comparison, where the reference is one.
    words : str
        The reference in words.
    """

    parts: Parts
    columns: Columns
    rows: tuple[str, ...]
    sums: FloatArray
    weight: FloatArray | None
    poolings: tuple[Pooling, ...]
    words: str


def _plan(
    grouped: GroupedSample,
    reference: Reference,
    threefold: Threefold,
    split: bool,
    normalize: str | Sequence[str],
    detail: Detail,
) -> _Plan:
    check_option("threefold", threefold, (False, True, "reverse"))
    if threefold and split:
        raise OptionError("split=True divides the unexplained part of a twofold decomposition: leave threefold out.")
    parts = {False: SPLIT if split else TWOFOLD, True: THREEFOLD, "reverse": THREEFOLD_REVERSE}[threefold]
    columns = reported_columns(grouped, normalize)
    rows, sums = detail_rows(columns, detail)
    weight, words = reference_matrix(grouped, reference)
    poolings: tuple[Pooling, ...] = ()
    if weight is None and not threefold:
        poolings = tuple(Pooling(c.first, c.second, reference == "pooled") for c in grouped.comparisons)
    elif weight is None:
        weight = np.zeros((len(grouped.comparisons), 1, 1)) * np.eye(grouped.sample.x.shape[1])
    if threefold:
        words = "the first group" if threefold == "reverse" else "the second group"
    return _Plan(parts, columns, rows, sums, weight, poolings, words)


def reported_columns(grouped: GroupedSample, normalize: str | Sequence[str]) -> Columns:
    """Return the regressors as they are reported, factors normalised where asked for.

    Raises
    ------
    OptionError
        For a name that is no factor of the formula.
    """
    design = grouped.design
    wanted = [normalize] if isinstance(normalize, str) else list(dict.fromkeys(normalize))
    factors, bases = [], {}
    for name in wanted:
        at = design.columns_of(name)
        if not at:
            raise OptionError(
                f"normalize={name!r} is no factor of the formula.{did_you_mean(name, design.terms)} "
                f"Terms: {listing(dict.fromkeys(design.terms), 20)}."
            )
        factor = design.terms[at[0]]
        factors.append(factor)
        bases[factor] = _base_level(grouped, design, name, at)
    return expand_factors(design.names, design.terms, factors, bases)


def _base_level(grouped: GroupedSample, design: Design, name: str, at: Sequence[int]) -> str:
    """Level of a factor that has no column."""
    if name not in grouped.panel.frame:
        return "base"
    levels = [str(level) for level in grouped.panel.frame[name].iloc[design.rows].astype(object).unique()]
    shown = {design.names[j].rpartition("[")[2].removeprefix("T.").removesuffix("]") for j in at}
    left = [level for level in levels if level not in shown]
    return left[0] if len(left) == 1 else "base"


def detail_rows(columns: Columns, detail: Detail) -> tuple[tuple[str, ...], FloatArray]:
    """Return names of the detail's rows and the columns each sums; none where no detail is wanted."""
    if detail is None or isinstance(detail, Mapping):
        return detail_groups(columns, "terms" if detail is None else detail)
    check_option("detail", detail, ("terms", "columns", "none"))
    if detail == "none":
        return (), np.zeros((0, len(columns.names)))
    return detail_groups(columns, detail)


def reference_matrix(grouped: GroupedSample, reference: Reference) -> tuple[FloatArray | None, str]:
    """Return W of b_r = W b_A + (I - W) b_B for each comparison, shape (C, k, k), and the reference in words.

    None stands for a pooled regression.

    Raises
    ------
    OptionError
    """
    k, count = grouped.sample.x.shape[1], len(grouped.comparisons)
    if isinstance(reference, str):
        check_option("reference", reference, _NAMED)
        if reference in ("pooled", "neumark"):
            return None, f"coefficients pooled with{'' if reference == 'pooled' else 'out'} an indicator of the group"
        if reference == "cotton":
            shares = np.array([_first_share(grouped, c.first, c.second) for c in grouped.comparisons])
            return shares[:, None, None] * np.eye(k), "coefficients weighted by the groups' sizes"
        value, phrase = _SIMPLE[reference]
        return np.tile(value * np.eye(k), (count, 1, 1)), phrase
    matrix = _numbers(reference)
    if matrix.ndim == 0 and np.isfinite(matrix):
        words = f"{float(matrix):g} of the first group's coefficients, {1 - float(matrix):g} of the second's"
        return np.tile(float(matrix) * np.eye(k), (count, 1, 1)), words
    if matrix.shape not in ((k,), (k, k)) or not np.isfinite(matrix).all():
        given = f"has shape {matrix.shape}" if matrix.ndim else f"is {reference!r}"
        raise OptionError(
            f"reference {given}: give a name ({', '.join(_NAMED)}), a finite number, or a finite matrix of shape "
            f"({k}, {k}) or ({k},) for the columns {listing(grouped.design.names)}."
        )
    full = np.diag(matrix) if matrix.ndim == 1 else matrix
    return np.tile(full, (count, 1, 1)), "coefficients weighted by a matrix"


def _numbers(reference: Any) -> FloatArray:
    """The reference as numbers; NaN where it holds none, which is refused."""
    try:
        return np.asarray(reference, dtype=float)
    except (TypeError, ValueError):
        return np.asarray(np.nan)


def _first_share(grouped: GroupedSample, first: int, second: int) -> float:
    cells, weights = grouped.sample.cells, grouped.sample.weights
    size = [float((cells == s).sum() if weights is None else weights[cells == s].sum()) for s in (first, second)]
    return size[0] / sum(size)


def _check_analytic(convention: str, grouped: GroupedSample) -> None:
    if convention != "full":
        raise OptionError(
            f"convention={convention!r} is about analytic covariances; {grouped.cov} has one convention: leave it out."
        )


def _analytic_cov(grouped: GroupedSample, plan: _Plan, convention: str, *, asked: bool) -> Analytic:
    """Covariance in force: classical by Stata's convention, unless asked for another or declared otherwise."""
    cov = grouped.cov
    assert isinstance(cov, Analytic)
    declared = grouped.sample.weight_kind == "sampling" or not isinstance(cov, Robust) or bool(cov.clusters)
    if convention != "full" and not (asked or plan.poolings or declared):
        return Robust("iid")
    if isinstance(cov, Robust) and cov.kind == "iid" and convention == "full":
        raise OptionError("cov='iid' takes means as independent of coefficients: it goes with convention='stata'.")
    return cov


def _stack(values: FloatArray, fits: MeanSlopeFits, plan: _Plan, c: Comparison, i: int) -> tuple[FloatArray, ...]:
    """Reported means (..., 2, m) and coefficients (..., 3, m) of comparison i: first, second; and the reference."""
    a, b = (values[..., fits.coef_at(s)] for s in (c.first, c.second))
    r = values[..., fits.pooled_at(i)] if plan.weight is None else b + (a - b) @ plan.weight[i].T
    own = plan.columns
    means = np.stack([values[..., fits.mean_at(s)] @ own.of_means.T for s in (c.first, c.second)], axis=-2)
    return means, np.stack([coef @ own.of_coefs.T for coef in (a, b, r)], axis=-2)


def _evaluate(grouped: GroupedSample, plan: _Plan, fits: MeanSlopeFits, values: FloatArray) -> FloatArray:
    """Reported components, then the two levels, of every comparison: (..., C, q + 2)."""
    found = []
    for i, c in enumerate(grouped.comparisons):
        means, coefs = _stack(values, fits, plan, c, i)
        components = _summed(plan.parts.evaluate(means, coefs), plan.sums)
        found.append(np.concatenate([components, LEVELS.evaluate(means, coefs).sum(axis=-1)], axis=-1))
    return np.stack(found, axis=-2)


def _summed(by_column: FloatArray, sums: FloatArray) -> FloatArray:
    """Total of the gap, then of each component its total and the rows of its detail: (..., p, m) to (..., q)."""
    whole = by_column[..., :1, :].sum(axis=-1)
    parts = by_column[..., 1:, :] @ np.vstack([np.ones(sums.shape[1]), sums]).T
    return np.concatenate([whole, parts.reshape(*parts.shape[:-2], -1)], axis=-1)


def _replicated(grouped: GroupedSample, plan: _Plan, fits: MeanSlopeFits) -> tuple[Estimates, Estimates]:
    """Components under every replicate, as they are."""
    estimate = _evaluate(grouped, plan, fits, fits.values)
    members = [np.concatenate(grouped.rows(c)) for c in grouped.comparisons]

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        return _evaluate(grouped, plan, fits, replicate_fits(grouped.sample, fits, plan.poolings, replicates))

    source = replicate_values(grouped, estimate, values_of, members)
    return _with_source(grouped, plan, estimate, source, np.eye(estimate.size))


def _with_source(
    grouped: GroupedSample, plan: _Plan, values: FloatArray, source: ErrorSource, matrix: FloatArray
) -> tuple[Estimates, Estimates]:
    """Estimates of the components and of the levels, which stand last in each comparison."""
    is_level = np.zeros(values.shape, dtype=bool)
    is_level[:, -2:] = True
    made = []
    for chosen, labels in ((~is_level, _labels(grouped, plan)), (is_level, _level_labels(grouped))):
        at = chosen.ravel()
        made.append(
            Estimates(
                labels,
                values.ravel()[at],
                (source,),
                (matrix[at],),
                title=f"Gap of mean {grouped.design.outcome}",
                ledger=grouped.design.ledger,
                notes=grouped.notes,
            )
        )
    return made[0], replace(made[1], title=f"Mean {grouped.design.outcome}")


def _analytic(
    grouped: GroupedSample, plan: _Plan, fits: MeanSlopeFits, *, products: bool
) -> tuple[Estimates, Estimates]:
    """Components as a map of means and coefficients."""
    assert fits.source is not None
    values = _evaluate(grouped, plan, fits, fits.values)
    jacobian = np.vstack([_jacobian(plan, fits, c, i) for i, c in enumerate(grouped.comparisons)])
    estimates, levels = _with_source(grouped, plan, values, fits.source, jacobian @ fits.matrix)
    if not products:
        return estimates, levels
    extra = [_products(plan, fits, c, i) for i, c in enumerate(grouped.comparisons)]
    df = fits.source.degrees(np.ones(fits.source.size))
    source = StatedSource(grouped.sample.source, linalg.block_diag(*extra), df, "products of errors added")
    return replace(estimates, sources=(fits.source, source), maps=(*estimates.maps, np.eye(source.size))), levels


def _jacobian(plan: _Plan, fits: MeanSlopeFits, c: Comparison, i: int) -> FloatArray:
    """Derivative of the reported numbers of a comparison with respect to all means and coefficients."""
    own = plan.columns
    means, coefs = _stack(fits.values, fits, plan, c, i)
    image = _coef_maps(plan, fits, c, i)
    blocks = []
    for parts, sums in ((plan.parts, plan.sums), (LEVELS, plan.sums[:0])):
        by_mean, by_coef = parts.jacobian(means, coefs)
        full = np.einsum("pvm,vmt->pmt", by_coef, image)
        for u, s in enumerate((c.first, c.second)):
            full[:, :, fits.mean_at(s)] += by_mean[:, u, :, None] * own.of_means
        blocks.append(_summed_rows(full, sums, whole=parts is not LEVELS))
    return np.vstack(blocks)


def _summed_rows(full: FloatArray, sums: FloatArray, *, whole: bool) -> FloatArray:
    """Rows by column (p, m, t) to those reported, as `_summed` does with the values."""
    rows = np.einsum("gm,pmt->pgt", np.vstack([np.ones(sums.shape[1]), sums]), full)
    if not whole:
        return np.asarray(rows.reshape(-1, full.shape[-1]))
    return np.vstack([rows[0, :1], rows[1:].reshape(-1, full.shape[-1])])


def _coef_maps(plan: _Plan, fits: MeanSlopeFits, c: Comparison, i: int) -> FloatArray:
    """Reported coefficients of first, second and reference as images of all values, shape (3, m, t)."""
    own = plan.columns.of_coefs
    out = np.zeros((3, len(own), len(fits.values)))
    out[0][:, fits.coef_at(c.first)] = own
    out[1][:, fits.coef_at(c.second)] = own
    if plan.weight is None:
        out[2][:, fits.pooled_at(i)] = own
    else:
        out[2][:, fits.coef_at(c.first)] = own @ plan.weight[i]
        out[2][:, fits.coef_at(c.second)] += own @ (np.eye(fits.k) - plan.weight[i])
    return out


def _products(plan: _Plan, fits: MeanSlopeFits, c: Comparison, i: int) -> FloatArray:
    """Covariance of the products of errors of means and coefficients, of the reported components."""
    assert fits.source is not None
    v = fits.matrix @ fits.source.covariance() @ fits.matrix.T
    own = plan.columns.of_means
    v_means = np.array([own @ v[fits.mean_at(s), fits.mean_at(s)] @ own.T for s in (c.first, c.second)])
    image = _coef_maps(plan, fits, c, i)
    full = plan.parts.second_order(v_means, np.einsum("vmt,ts,wns->vwmn", image, v, image))
    p, m = full.shape[:2]
    rows = _summed_rows(np.eye(p * m).reshape(p, m, p * m), plan.sums, whole=True)
    return np.asarray(rows @ full.reshape(p * m, p * m) @ rows.T)


def _labels(grouped: GroupedSample, plan: _Plan) -> pd.DataFrame:
    """Labels of the components of every comparison."""
    whole, *components = plan.parts.names
    rows = pd.DataFrame(
        [(whole, TOTAL), *((name, term) for name in components for term in (TOTAL, *plan.rows))],
        columns=["component", "term"],
    )
    return _of_all(grouped, rows)


def _level_labels(grouped: GroupedSample) -> pd.DataFrame:
    return _of_all(grouped, pd.DataFrame({"term": ["first", "second"]}))


def _of_all(grouped: GroupedSample, rows: pd.DataFrame) -> pd.DataFrame:
    """The same rows for every comparison, with its keys, the unit and the direction."""
    unit = unit_of_outcome(grouped.design.outcome)
    parts = [grouped.label(c, rows).assign(unit=unit, comparison=c.direction) for c in grouped.comparisons]
    return pd.concat(parts, ignore_index=True)


def check_identified(grouped: GroupedSample, fits: MeanSlopeFits, absent: str) -> None:
    """Columns that one group does not identify while the other does, and those that neither does."""
    lost, spare = _unidentified(grouped, fits)
    if lost and absent == "raise":
        raise IdentificationError(
            f"{len(lost)} coefficients are identified in one group only; in the other: {listing(lost, 4)}. Pool "
            "levels, leave the column out, or absent_levels='base' takes the coefficient as that of the base."
        )
    words = [
        f"{len(lost)} coefficients are not identified in one group and taken as that of the base: {listing(lost, 4)}"
    ] * bool(lost)
    words += [f"{len(spare)} columns are made by others and set aside: {listing(spare, 4)}"] * bool(spare)
    if words:
        warn(f"{'; '.join(words)}.", IdentificationWarning)


def _unidentified(grouped: GroupedSample, fits: MeanSlopeFits) -> tuple[list[str], list[str]]:
    """Columns that one group alone identifies, with the combination that makes them in the other, and the others."""
    lost: list[str] = []
    spare: list[str] = []
    for c in grouped.comparisons:
        for s, other in ((c.first, c.second), (c.second, c.first)):
            for found in fits.samples[s].collinear:
                words = f"{combination_in_words(found, grouped.design.names)} in {grouped.sample.cell_names[s]}"
                (lost if fits.samples[other].kept[found.column] else spare).append(words)
    return list(dict.fromkeys(lost)), list(dict.fromkeys(spare))
