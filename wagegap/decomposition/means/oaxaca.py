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

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import linalg, sparse

from wagegap._typing import BoolArray, ColumnName, ColumnNames, Condition, FloatArray, Formula, SmallSample, WeightKind
from wagegap.decomposition.columns import Detail, Reference, Report, check_identified, reference_matrix, report
from wagegap.decomposition.groups import GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import decomposition, joint_estimates, replicate_values
from wagegap.decomposition.parts import SPLIT, THREEFOLD, THREEFOLD_REVERSE, TWOFOLD
from wagegap.decomposition.result import Decomposition
from wagegap.errors import OptionError, check_option
from wagegap.estimation.covariance.options import Analytic, CovLike, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource
from wagegap.estimation.least_squares.mean_slopes import MeanSlopeFits, Pooling, fit_samples, point_fits, replicate_fits
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of

__all__ = ["Convention", "Plan", "Threefold", "oaxaca", "plan"]

Threefold: TypeAlias = bool | Literal["reverse"]
Convention: TypeAlias = Literal["full", "stata", "ddecompose"]


@refittable
def oaxaca(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    reference: Reference = "A",
    threefold: Threefold = False,
    split: bool = False,
    normalize: ColumnNames = (),
    detail: Detail = None,
    convention: Convention = "full",
    absent_levels: Literal["raise", "base"] = "raise",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
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
        one, "pairs" all. By default the two levels there are, sorted, and a note says so.
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
        Keep the scores of all rows, so that the result can be joined with others; by default unless they are many.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

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
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    scheme = plan(grouped, reference, threefold, split, normalize, detail)
    if grouped.cov.replicated:
        if convention != "full":
            raise OptionError(
                f"convention={convention!r} is about analytic covariances; {grouped.cov} has one convention: leave it "
                "out."
            )
        fits = point_fits(grouped.sample, scheme.poolings)
    else:
        fits = fit_samples(
            grouped.sample, scheme.poolings, cov=_analytic_cov(grouped, scheme, convention, asked=cov is not None),
            rule=small_sample, separate=convention != "full", keep_units=keep_units,
            cell_of=grouped.cells_of_samples(),
        )  # fmt: skip
    images = [_image(grouped, scheme, fits, i) for i in range(len(grouped.comparisons))]
    done = _decomposition(grouped, scheme, fits, images)
    check_identified(grouped, fits, absent_levels)
    return _with_products(done, scheme, fits, images) if convention == "ddecompose" else done


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is computed from means and coefficients.

    Attributes
    ----------
    report : Report
        Numbers of a comparison.
    weight : ndarray of shape (C, k, k), optional
        W of b_r = W b_A + (I - W) b_B, for each comparison; None where the reference is pooled.
    poolings : tuple of Pooling
        Pooled fits, one for each comparison, where the reference is one.
    reference : str
        The reference in words.
    """

    report: Report
    weight: FloatArray | None
    poolings: tuple[Pooling, ...]
    reference: str


def plan(
    grouped: GroupedSample,
    reference: Reference,
    threefold: Threefold,
    split: bool,
    normalize: str | Sequence[str],
    detail: Detail,
) -> Plan:
    """Say which decomposition is meant.

    Raises
    ------
    OptionError
    """
    check_option("threefold", threefold, (False, True, "reverse"))
    if threefold and split:
        raise OptionError("split=True divides the unexplained part of a twofold decomposition: leave threefold out.")
    parts = {False: SPLIT if split else TWOFOLD, True: THREEFOLD, "reverse": THREEFOLD_REVERSE}[threefold]
    numbers = report(grouped, parts, normalize, detail)
    weight, words = reference_matrix(grouped, reference)
    if threefold:  # is of b_a and b_b alone: which b_r stands beside them does not matter
        words = "the first group" if threefold == "reverse" else "the second group"
        return Plan(numbers, reference_matrix(grouped, "B")[0], (), words)
    pooled = () if weight is not None else grouped.comparisons
    return Plan(numbers, weight, tuple(Pooling(c.first, c.second, reference == "pooled") for c in pooled), words)


def _analytic_cov(grouped: GroupedSample, scheme: Plan, convention: str, *, asked: bool) -> Analytic:
    """Covariance in force: classical by Stata's convention, unless asked for another or declared otherwise."""
    cov = grouped.cov
    assert not cov.replicated
    plain = cov.independent and grouped.sample.weight_kind != "sampling"
    if convention != "full" and plain and not (asked or scheme.poolings):
        return Robust("iid")
    if cov.model_based and convention == "full":
        raise OptionError("cov='iid' takes means as independent of coefficients: it goes with convention='stata'.")
    return cov


# from means and coefficients to numbers ------------------------------------------------------------------------------


def _image(grouped: GroupedSample, scheme: Plan, fits: MeanSlopeFits, i: int) -> sparse.csr_array:
    """Map from all fitted values to (m_a, m_b, b_a, b_b, b_r) of comparison i, shape (5 k, t)."""
    c = grouped.comparisons[i]
    fitted = sparse.eye_array(len(fits.values), format="csr")
    b_a, b_b = fitted[fits.coef_at(c.first)], fitted[fits.coef_at(c.second)]
    if scheme.weight is None:
        b_r = fitted[fits.pooled_at(i)]
    else:
        # b_r = W b_a + (I - W) b_b
        w = scheme.weight[i]
        b_r = sparse.csr_array(w) @ b_a + sparse.csr_array(np.eye(fits.k) - w) @ b_b
    m_a, m_b = fitted[fits.mean_at(c.first)], fitted[fits.mean_at(c.second)]
    return sparse.csr_array(sparse.vstack([m_a, m_b, b_a, b_b, b_r], format="csr"))


def _evaluate(scheme: Plan, images: Sequence[sparse.csr_array], values: FloatArray) -> FloatArray:
    """Numbers of every comparison, (..., C, q), from fitted values (..., t)."""
    stacked = [(values @ image.T).reshape(*values.shape[:-1], 5, -1) for image in images]
    return np.stack([scheme.report.evaluate(of[..., :2, :], of[..., 2:, :]) for of in stacked], axis=-2)


def _jacobian(scheme: Plan, image: sparse.csr_array, values: FloatArray) -> FloatArray:
    """Derivative of the numbers of a comparison with respect to all fitted values, (q, t)."""
    stacked = (image @ values).reshape(5, -1)
    # d number / d theta = (d number / d (m_a, m_b, b_a, b_b, b_r)) (d (m_a, m_b, b_a, b_b, b_r) / d theta)
    local = np.concatenate(scheme.report.jacobian(stacked[:2], stacked[2:]), axis=1)
    return np.asarray(local.reshape(len(local), -1) @ image)


def _decomposition(
    grouped: GroupedSample, scheme: Plan, fits: MeanSlopeFits, images: Sequence[sparse.csr_array]
) -> Decomposition:
    """Components as a map of means and coefficients, or as they are under every replicate."""
    values = _evaluate(scheme, images, fits.values)
    source: ErrorSource | None = fits.source
    if source is None:
        members = [np.concatenate(grouped.rows(c)) for c in grouped.comparisons]

        def values_of(replicates: ReplicateWeights) -> FloatArray:
            return _evaluate(scheme, images, replicate_fits(grouped.sample, fits, scheme.poolings, replicates))

        source, matrix = replicate_values(grouped, values, values_of, members, signed=True), np.eye(values.size)
    else:
        matrix = np.vstack([_jacobian(scheme, image, fits.values) for image in images]) @ fits.matrix
    outcome = grouped.design.outcome
    labels = scheme.report.labels(grouped.design.unit)
    estimates = joint_estimates(grouped, labels, values.ravel(), source, matrix, title=f"Gap of mean {outcome}")
    return decomposition(estimates, grouped, "oaxaca", levels=f"Mean {outcome}", reference=scheme.reference)


def _with_products(
    done: Decomposition, scheme: Plan, fits: MeanSlopeFits, images: Sequence[sparse.csr_array]
) -> Decomposition:
    """Add the variance of the products of errors of means and coefficients to that of the components."""
    assert fits.source is not None
    v = fits.matrix @ done.estimates.sources[0].covariance() @ fits.matrix.T
    covariances = []
    for image in images:
        local = (image @ v @ image.T).reshape(5, fits.k, 5, fits.k)
        v_means, v_coefs = local[[0, 1], :, [0, 1]], local[2:, :, 2:].transpose(0, 2, 1, 3)
        covariances.append(scheme.report.second_order(v_means, v_coefs)[:-2, :-2])  # the two levels stand last
    estimates = done.estimates
    products = StatedSource(
        fits.source.origin, linalg.block_diag(*covariances), estimates.df, "products of errors added"
    )  # fmt: skip
    sources, maps = (*estimates.sources, products), (*estimates.maps, np.eye(products.size))
    return replace(done, estimates=replace(estimates, sources=sources, maps=maps))
