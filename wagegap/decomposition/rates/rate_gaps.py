"""Gaps of rates: who leaves more, and is it because of who they are or of what people like them do.

A logit, probit or complementary log-log of each group gives probabilities; the gap of their means is explained by the
groups' regressors at reference coefficients, by switching the regressors of matched rows block after block (`fairlie`),
or in proportion to what each adds to the index (`yun`). `kitagawa` does without a model.

Standard errors hold everything that is estimated, coefficients, means and ranks, through influence functions.

References
----------
Fairlie, R. (2005). An extension of the Blinder-Oaxaca decomposition technique to logit and probit models. Journal of
Economic and Social Measurement 30, 305-316.
Yun, M.-S. (2004). Decomposing differences in the first moment. Economics Letters 82, 275-280.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from scipy import linalg

from wagegap._typing import (
    BoolArray,
    ColumnName,
    ColumnNames,
    Condition,
    Count,
    FloatArray,
    Formula,
    Information,
    RngLike,
    SmallSample,
    WeightKind,
)
from wagegap.decomposition.columns import REFERENCES, Columns, Detail, detail_rows, reported_columns
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupRows, GroupsLike, group_samples
from wagegap.decomposition.inference import Estimator, component_labels, decomposition, estimate_comparisons
from wagegap.decomposition.rates.switching import (
    Pairs,
    Side,
    SwitchPlan,
    match_draws,
    match_quantiles,
    switch_gradient,
    switch_influence,
    switch_parts,
)
from wagegap.decomposition.result import Decomposition
from wagegap.errors import (
    IdentificationError,
    OptionError,
    UnitError,
    check_known,
    check_option,
    listing,
    refuse_rows,
)
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.likelihood.binary import (
    BinaryFit,
    LinkFunction,
    fit_binary,
    probability,
    slope,
)
from wagegap.estimation.sample import Sample
from wagegap.estimation.spec import refittable
from wagegap.panel.rows import domain_of

__all__ = ["check_shares", "fairlie", "yun"]

Reference: TypeAlias = Literal["A", "B", "pooled", "neumark"]

_BLOCKS_AT_MOST = 12
_AT_THE_MEAN = ("logit", "lpm")  # models whose mean probability is the rate
_ORDINALS = ("first", "second")


@refittable
def fairlie(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    model: LinkFunction = "logit",
    reference: Reference = "A",
    detail: Detail = None,
    order: Literal["all", "random"] | Sequence[str] = "all",
    match: Literal["quantiles", "draws"] = "quantiles",
    reps: Count = 1000,
    rng: RngLike = None,
    convention: Literal["full", "conditional"] = "full",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    information: Information = "observed",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Decomposition:
    """Decompose the gap of a rate by switching the regressors of matched rows (Fairlie).

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`, the outcome 0/1 or a share.
    group, groups, by
        As in `oaxaca`: the gap is first minus second.
    model : {"logit", "probit", "cloglog", "lpm"}
        Distribution function of the index.
    reference : {"A", "B", "pooled", "neumark"}
        Coefficients of the first group, of the second, or of both pooled with an indicator of the second group (left
        out of the predictions, which are at the first group's level: swapped groups have another explained part) or
        without.
    detail : {"terms", "columns", "none"} or mapping, optional
        Blocks of columns that are switched together; a term of the formula each by itself.
    order : {"all", "random"} or sequence of str
        The average over all orders of the blocks, exactly (up to 12 blocks); over `reps` random orders; or one order by
        the names of the blocks.
    match : {"quantiles", "draws"}
        Match equal shares of both ranked distributions, or the ranks of `reps` random subsamples, as published; with
        weights these are drawn in proportion to them. The first is the limit of the second.
    reps : int
        Random orders or subsamples.
    rng : Generator, int or None
        Source of randomness, where any is used.
    convention : {"full", "conditional"}
        Standard errors that hold coefficients, regressors and ranks; or coefficients alone given the matched rows, as
        published, which understate those of regressors that are unevenly spread.
    information : {"observed", "expected"}
        Information whose inverse is the bread of the coefficients' covariance; they differ under probit and cloglog.
    cov, small_sample, weights, weight_kind
        As in `oaxaca`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Decomposition
        Components difference, explained (with detail), unexplained, in shares.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=800, rng=1).panel
    >>> gap = wg.fairlie(data, "abroad_next ~ ai + female + exper", group="educ", groups=("graduate", "school"))
    >>> gap.detail("explained").estimates.labels["term"].tolist()
    ['ai', 'female', 'exper']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    grouped = _grouped(data, formula, group, groups, by, cov, weights, weight_kind)
    names, blocks = _blocks(grouped, detail)
    generator = np.random.default_rng(rng)
    plan = _plan(order, names, reps, generator)
    rows = () if detail == "none" else names
    draws = partial(match_draws, reps=reps, rng=int(generator.integers(2**32)))
    estimator = _Fairlie(
        grouped.sample, model, reference, blocks, plan, match_quantiles if match == "quantiles" else draws,
        convention == "full", _sums_of_parts(len(blocks), detailed=bool(rows)), information,
    )  # fmt: skip
    details = {"difference": (), "explained": rows, "unexplained": ()}
    notes = ["Standard errors are given the regressors of the matched rows."] if convention == "conditional" else []
    return _decomposed(grouped, details, estimator, small_sample, "fairlie", f"{REFERENCES[reference]}, {model}", notes)


@refittable
def yun(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    model: LinkFunction = "logit",
    reference: Literal["A", "B"] = "A",
    normalize: ColumnNames = (),
    detail: Detail = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    information: Information = "observed",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Decomposition:
    """Decompose the gap of a rate in proportion to the parts of the index (Yun).

    With mean probabilities P(x, b), E = P(x_A, b_A) - P(x_B, b_A) is explained and C = P(x_B, b_A) - P(x_B, b_B) is not
    (reference A); regressor k has the share (m_A - m_B)_k b_Ak / (m_A - m_B)'b_A of the one and
    m_Bk (b_A - b_B)_k / m_B'(b_A - b_B) of the other, m the means of the regressors. The gap is that of predicted
    probabilities, which under logit is the gap of the rates themselves; under probit and cloglog the title says so.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    formula : str
        `outcome ~ regressors`, the outcome 0/1 or a share.
    group, groups, by, normalize, detail
        As in `oaxaca`.
    model : {"logit", "probit", "cloglog", "lpm"}
        Distribution function of the index; the last is `oaxaca`.
    reference : {"A", "B"}
        Coefficients at which regressors are valued: those of the first group, or of the second.
    information : {"observed", "expected"}
        Information whose inverse is the bread of the coefficients' covariance; they differ under probit and cloglog.
    cov, small_sample, weights, weight_kind
        As in `oaxaca`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Decomposition
        Components difference, explained, unexplained, both with detail, in shares.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=800, rng=1).panel
    >>> gap = wg.yun(data, "abroad_next ~ female + exper", group="ai", groups=(1, 0), model="probit")
    >>> gap.totals().labels["component"].tolist()
    ['difference', 'explained', 'unexplained']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    grouped = _grouped(data, formula, group, groups, by, cov, weights, weight_kind)
    columns = reported_columns(grouped, normalize)
    rows, sums = detail_rows(columns, detail)
    details = {"difference": (), "explained": rows, "unexplained": rows}
    estimator = _Yun(grouped.sample, model, reference == "A", columns, sums, information)
    rate = "rate" if model in _AT_THE_MEAN else "predicted rate"
    reference_words = f"{REFERENCES[reference]}, {model}"
    return _decomposed(grouped, details, estimator, small_sample, "yun", reference_words, rate=rate)


def _grouped(
    data: Any,
    formula: str,
    group: str,
    groups: GroupsLike,
    by: str | Sequence[str] | None,
    cov: CovLike | None,
    weights: str | FloatArray | None,
    weight_kind: WeightKind | None,
) -> GroupedSample:
    """Samples whose outcome is a rate that varies."""
    grouped = group_samples(
        data, formula, group=group, groups=groups, by=by, cov=cov, weights=weights, weight_kind=weight_kind
    )
    check_shares(grouped)
    _check_varies(grouped)
    return grouped


def _decomposed(
    grouped: GroupedSample,
    details: Mapping[str, Sequence[str]],
    estimator: Estimator,
    rule: SmallSample,
    method: str,
    reference: str,
    notes: Sequence[str] = (),
    *,
    rate: str = "rate",
) -> Decomposition:
    """Run the estimator on every comparison; `details` are the rows of each component."""
    outcome = grouped.design.outcome
    labels, title = component_labels(details, "share"), f"Gap of the {rate} of {outcome}"
    estimates = estimate_comparisons(grouped, labels, estimator, rule=rule, title=title)
    levels = f"{rate.capitalize()} of {outcome}"
    return decomposition(estimates, grouped, method, levels=levels, reference=reference, notes=notes)


def check_shares(grouped: GroupedSample) -> None:
    """Raise unless outcomes are 0/1 or shares."""
    y = grouped.sample.y
    advice = " rows, first {first}: the gap of a rate needs 0/1 or shares (divide per cent by 100); oaxaca() takes any "
    refuse_rows(
        (y < 0) | (y > 1), UnitError, f"{grouped.design.outcome!r} is outside 0 to 1 in ", f"{advice}outcome.", y
    )


def _check_varies(grouped: GroupedSample) -> None:
    """Raise where an outcome never, or always, happens in a sample that is compared."""
    sample = grouped.sample
    single = [
        f"{name} (always {sample.y[rows][0]:g})"
        for name, rows in zip(sample.cell_names, sample.rows_by_cell(), strict=True)
        if not np.ptp(sample.y[rows])
    ]
    if single:
        raise IdentificationError(
            f"{grouped.design.outcome!r} has a single value in {listing(single)}: no model can be fitted there. "
            "kitagawa() needs none."
        )


def _blocks(grouped: GroupedSample, detail: Detail) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the blocks and their columns (K, k); the constant, the same in both groups, goes with the first."""
    columns = reported_columns(grouped, ())
    names, sums = detail_rows(columns, "terms" if detail == "none" else detail)
    is_constant = np.array(columns.terms) == "1"
    switched = np.asarray(sums[:, ~is_constant].any(axis=1))
    if not switched.any():
        raise OptionError("the formula has no regressors beside the constant: there is nothing to switch.")
    blocks = sums[switched]
    blocks[:, is_constant] = np.eye(len(blocks))[:, :1]
    return tuple(itertools.compress(names, switched)), blocks


def _plan(order: str | Sequence[str], names: Sequence[str], reps: int, generator: np.random.Generator) -> SwitchPlan:
    """Orders in which blocks are switched."""
    if not isinstance(order, str):
        check_known(
            order,
            names,
            lambda name, hint: OptionError(f"order: {name!r} is no block.{hint} Blocks: {listing(names, 20)}."),
        )
        if sorted(order) != sorted(names):
            missing = listing(name for name in names if name not in order)
            raise OptionError(f"order must name every block once; {missing or 'one is named twice'}.")
        return SwitchPlan.orders([[list(names).index(name) for name in order]], len(names))
    check_option("order", order, ("all", "random"))
    if order == "random":
        return SwitchPlan.orders([generator.permutation(len(names)).tolist() for _ in range(reps)], len(names))
    if len(names) > _BLOCKS_AT_MOST:
        raise OptionError(
            f"order='all' averages over 2^{len(names)} subsets of {len(names)} blocks: name at most "
            f"{_BLOCKS_AT_MOST} groups in detail=, or take order='random'."
        )
    return SwitchPlan.all_orders(len(names))


# estimators ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Fairlie:
    """Fairlie's numbers of one comparison.

    Attributes
    ----------
    sample : Sample
        All rows.
    model : str
        Distribution function of the index.
    reference : str
        Whose coefficients.
    blocks : ndarray, shape (K, k)
        One where a column belongs to a block.
    plan : SwitchPlan
        Orders of the blocks.
    match : callable
        From both ranked groups to pairs of rows.
    full : bool
        Whether standard errors hold regressors and ranks beside the coefficients.
    sums : ndarray, shape (q, K + 2)
        Numbers as sums of the parts of the blocks and the two rates.
    information : str
        Observed or expected.
    """

    sample: Sample
    model: LinkFunction
    reference: Reference
    blocks: FloatArray
    plan: SwitchPlan
    match: Callable[[Side, Side], Pairs]
    full: bool
    sums: FloatArray
    information: Information

    def __call__(
        self, comparison: Comparison, groups: tuple[GroupRows, GroupRows], influence: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        coef, on_coef = self._coefficients(comparison, groups)
        sides = self._ranked(groups, coef)
        pairs = self.match(*sides)
        rates = [group.share @ group.y for group in groups]
        values = self.sums @ [*switch_parts(*sides, pairs, self.model, self.plan), *rates]
        if not influence:
            return values, None
        if self.full:
            gradient = self._gradient(groups, coef, self._errors(groups, on_coef))
            on_parts = on_coef @ gradient.T + np.vstack(switch_influence(*sides, self.model, self.plan))
        else:
            on_parts = on_coef @ switch_gradient(*sides, pairs, self.blocks, self.model, self.plan).T
        on_rates = linalg.block_diag(*(
            (group.share * (group.y - rate))[:, None] for group, rate in zip(groups, rates, strict=True)
        ))  # fmt: skip
        return values, np.hstack([on_parts, on_rates]) @ self.sums.T

    def _ranked(self, groups: tuple[GroupRows, GroupRows], coef: FloatArray) -> tuple[Side, Side]:
        repeats = self.sample.repeats
        first, second = (
            Side.of(group.x, group.weights, coef, self.blocks, None if repeats is None else repeats[group.rows])
            for group in groups
        )
        return first, second

    def _coefficients(
        self, comparison: Comparison, groups: tuple[GroupRows, GroupRows]
    ) -> tuple[FloatArray, FloatArray]:
        """Reference coefficients and the influence of all rows on them."""
        names, x = self.sample.names, np.vstack([group.x for group in groups])
        if self.reference in ("A", "B"):
            g = "AB".index(self.reference)
            where = f"in the {_ORDINALS[g]} group of {comparison.direction}"
            fit = _fit(groups[g], self.model, names, where, self.information)
            influence = [np.zeros_like(group.x) for group in groups]
            influence[g] = fit.influence(groups[g].x)
            return fit.params, np.vstack(influence)
        if self.reference == "pooled":
            names, x = (*names, "group"), np.column_stack([x, np.arange(len(x)) >= len(groups[0].y)])
        rows, y, weights = (
            np.concatenate([getattr(group, name) for group in groups]) for name in ("rows", "y", "weights")
        )
        pooled = GroupRows(None, rows, y, x, weights)
        fit = _fit(pooled, self.model, names, f"in both groups of {comparison.direction}", self.information)
        k = len(self.sample.names)
        return fit.params[:k], fit.influence(x)[:, :k]

    def _errors(self, groups: tuple[GroupRows, GroupRows], influence: FloatArray) -> FloatArray:
        """Heteroskedasticity-robust errors of what the rows have an influence on; repeated rows are independent."""
        squares = influence**2
        if self.sample.repeats is not None:
            squares /= np.concatenate([self.sample.repeats[group.rows] for group in groups])[:, None]
        return np.asarray(np.sqrt(squares.sum(axis=0)))

    def _gradient(self, groups: tuple[GroupRows, GroupRows], coef: FloatArray, errors: FloatArray) -> FloatArray:
        """Derivative of the parts in the coefficients, by which the ranks move too, over a standard error each way."""
        gradient = np.zeros((len(self.blocks), len(coef)))
        for j in np.flatnonzero(errors > 0):
            for sign in (1, -1):
                sides = self._ranked(groups, coef + sign * errors * (np.arange(len(coef)) == j))
                parts = switch_parts(*sides, match_quantiles(*sides), self.model, self.plan)
                gradient[:, j] += sign * parts / (2 * errors[j])
        return gradient


def _sums_of_parts(blocks: int, *, detailed: bool) -> FloatArray:
    """Difference, explained with its detail, unexplained, and both rates as sums of parts (K) and rates (2)."""
    *each, first, second = np.eye(blocks + 2)
    gap, parts = first - second, np.sum(each, axis=0)
    return np.array([gap, parts, *(each if detailed else []), gap - parts, first, second])


@dataclass(frozen=True, slots=True, eq=False)
class _Yun:
    """Yun's numbers of one comparison.

    Attributes
    ----------
    sample : Sample
        All rows.
    model : str
        Distribution function of the index.
    at_first : bool
        Whether regressors are valued at the first group's coefficients.
    columns : Columns
        Regressors as reported.
    sums : ndarray, shape (g, m)
        Which columns each row of the detail sums.
    information : str
        Observed or expected.
    """

    sample: Sample
    model: LinkFunction
    at_first: bool
    columns: Columns
    sums: FloatArray
    information: Information

    def __call__(
        self, comparison: Comparison, groups: tuple[GroupRows, GroupRows], influence: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        of = [f"in the {ordinal} group of {comparison.direction}" for ordinal in _ORDINALS]
        fits = [
            _fit(group, self.model, self.sample.names, where, self.information)
            for group, where in zip(groups, of, strict=True)
        ]
        shares = [group.share for group in groups]
        # theta = (m_0, b_0, e_00, e_01, m_1, b_1, e_10, e_11): means and coefficients of both groups, and e_uv what
        # the sampling of group u does to its mean probability at b_v. A quantity is a row: value, d / d theta.
        k = len(self.sample.names)
        of_m_0, of_b_0, of_e_0, of_m_1, of_b_1, of_e_1 = np.split(np.eye(4 * k + 4), np.cumsum([k, k, 2, k, k]))
        means = [
            np.column_stack([group.means(share), d])
            for group, share, d in zip(groups, shares, (of_m_0, of_m_1), strict=True)
        ]
        coefs = [np.column_stack([fit.params, d]) for fit, d in zip(fits, (of_b_0, of_b_1), strict=True)]
        p = np.pad(np.stack([of_e_0, of_e_1]), ((0, 0), (0, 0), (1, 0)))
        on_e: tuple[list[FloatArray], list[FloatArray]] = ([], [])
        for u, v in np.ndindex(2, 2):
            row, on_group = self._probability(groups[u], shares[u], coefs[v])
            p[u, v] += row
            on_e[u].append(on_group)
        numbers = self._numbers(means, coefs, p)
        if not influence:
            return numbers[:, 0], None
        on_numbers = []
        for u, derivative in enumerate(np.split(numbers[:, 1:], 2, axis=1)):
            on_mean = shares[u][:, None] * (groups[u].x - means[u][:, 0])
            on_numbers.append(np.column_stack([on_mean, fits[u].influence(groups[u].x), *on_e[u]]) @ derivative.T)
        return numbers[:, 0], np.vstack(on_numbers)

    def _probability(self, group: GroupRows, share: FloatArray, coef: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean probability of a group with its derivatives through the coefficients, and the influence of its rows."""
        # p = sum_i w_i F(x_i'b),  dp = sum_i w_i f(x_i'b) x_i'db
        index = group.x @ coef[:, 0]
        probabilities = probability(index, self.model)
        row = ((share * slope(index, self.model)) @ group.x) @ coef
        row[0] = share @ probabilities
        return row, share * (probabilities - row[0])

    def _numbers(self, means: Sequence[FloatArray], coefs: Sequence[FloatArray], p: FloatArray) -> FloatArray:
        """Difference, explained and unexplained with their detail, and both rates, with their derivatives."""
        r, other = (0, 1) if self.at_first else (1, 0)
        to_means, to_coefs = self.columns.of_means, self.columns.of_coefs
        explained = self._divided(p[0, r] - p[1, r], to_means @ (means[0] - means[1]), to_coefs @ coefs[r])
        unexplained = self._divided(
            p[other, 0] - p[other, 1], to_means @ means[other], to_coefs @ (coefs[0] - coefs[1])
        )
        return np.vstack([p[0, 0] - p[1, 1], explained, unexplained, p[0, 0], p[1, 1]])

    def _divided(self, whole: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
        """The whole, then its detail in proportion to products of left and right."""
        # s_j = sum_{i in j} l_i r_i / sum_i l_i r_i,  d s_j = (sum_{i in j} d(l_i r_i) - s_j sum_i d(l_i r_i)) / sum
        product = left[:, :1] * right + right[:, :1] * left
        product[:, 0] /= 2
        total = product.sum(axis=0)
        if len(self.sums) and not abs(total[0]) > 1e-12 * max(float(np.abs(product[:, 0]).sum()), 1e-300):
            raise IdentificationError(
                "the groups do not differ in the index, so that nothing can be divided among regressors: "
                "detail='none' gives the totals."
            )
        share = self.sums @ product[:, 0] / total[0]
        detail = np.outer(share, whole)
        detail[:, 1:] += whole[0] * (self.sums @ product[:, 1:] - np.outer(share, total[1:])) / total[0]
        return np.vstack([whole, detail])


def _fit(
    group: GroupRows, model: LinkFunction, names: Sequence[str], where: str, information: Information
) -> BinaryFit:
    """Fit some rows; whoever is separated is named."""
    try:
        fit = fit_binary(group.y, group.x, group.weights, model, names=names)
    except IdentificationError as error:
        raise IdentificationError(f"{where}, {error}") from error
    if not fit.kept.all():
        raise IdentificationError(
            f"{where}, collinear with other columns: {listing(itertools.compress(names, ~fit.kept))}. Leave out "
            "columns, or pool levels."
        )
    return fit.under(group.x, information)
