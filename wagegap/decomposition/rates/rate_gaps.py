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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, RngLike, SmallSample, WeightKind
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import (
    Estimated,
    estimates_from_influence,
    estimates_from_replicates,
    is_replicated,
)
from wagegap.decomposition.means.oaxaca import detail_rows, reported_columns
from wagegap.decomposition.rates.switching import (
    Side,
    SwitchPlan,
    match_draws,
    match_quantiles,
    switch_blocks,
    switch_influence,
)
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import (
    DataError,
    IdentificationError,
    OptionError,
    UnitError,
    check_count,
    check_option,
    did_you_mean,
    listing,
)
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.likelihood.binary import LINKS, BinaryFit, LinkFunction, fit_binary, probability, slope
from wagegap.estimation.spec import refittable

__all__ = ["LEVEL", "check_shares", "fairlie", "split_levels", "yun"]

Detail: TypeAlias = Literal["terms", "columns", "none"] | Mapping[str, Sequence[str]] | None
Reference: TypeAlias = Literal["A", "B", "pooled", "neumark"]

_WORDS = {
    "A": "coefficients of the first group",
    "B": "coefficients of the second group",
    "pooled": "coefficients pooled with an indicator of the group",
    "neumark": "coefficients pooled without an indicator of the group",
}
_COMPONENTS = ("difference", "explained", "unexplained")
_BLOCKS_AT_MOST = 12


@refittable
def fairlie(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    model: LinkFunction = "logit",
    reference: Reference = "A",
    detail: Detail = None,
    order: Literal["all", "random"] | Sequence[str] = "all",
    match: Literal["quantiles", "draws"] = "quantiles",
    reps: int = 1000,
    rng: RngLike = None,
    convention: Literal["full", "conditional"] = "full",
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
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
        Coefficients of the first group, of the second, or of both pooled with an indicator of the group (left out of
        the predictions) or without.
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
    cov, small_sample, weights, weight_kind
        As in `oaxaca`.

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
    check_option("model", model, LINKS)
    check_option("reference", reference, tuple(_WORDS))
    check_option("match", match, ("quantiles", "draws"))
    check_option("convention", convention, ("full", "conditional"))
    check_count("reps", reps)
    grouped = _grouped(data, formula, group, groups, by, cov, weights, weight_kind)
    names, blocks = _blocks(grouped, detail)
    generator = np.random.default_rng(rng)
    plan = _plan(order, names, reps, generator)
    seed = int(generator.integers(2**32))
    task = _Fairlie(model, reference, blocks, plan, match, reps, seed, convention)
    done = _decomposed(grouped, task, names if len(names) and detail != "none" else (), small_sample, "fairlie")
    note = "Standard errors are given the regressors of the matched rows." if convention == "conditional" else ""
    return _finished(done, _WORDS[reference], model, note)


@refittable
def yun(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    model: LinkFunction = "logit",
    reference: Literal["A", "B"] = "A",
    normalize: str | Sequence[str] = (),
    detail: Detail = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
) -> Decomposition:
    """Decompose the gap of a rate in proportion to the parts of the index (Yun).

    With mean probabilities P(x, b), E = P(x_A, b_A) - P(x_B, b_A) is explained and C = P(x_B, b_A) - P(x_B, b_B) is not
    (reference A); regressor k has the share (m_A - m_B)_k b_Ak / (m_A - m_B)'b_A of the one and
    m_Bk (b_A - b_B)_k / m_B'(b_A - b_B) of the other, m the means of the regressors. The gap is that of predicted
    probabilities, which under logit is the gap of the rates themselves.

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
    cov, small_sample, weights, weight_kind
        As in `oaxaca`.

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
    check_option("model", model, LINKS)
    check_option("reference", reference, ("A", "B"))
    grouped = _grouped(data, formula, group, groups, by, cov, weights, weight_kind)
    columns = reported_columns(grouped, normalize)
    rows, sums = detail_rows(columns, detail)
    task = _Yun(model, reference == "A", columns.of_means, columns.of_coefs, sums)
    done = _decomposed(grouped, task, rows, small_sample, "yun")
    return _finished(done, _WORDS[reference], model, "")


# estimators ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of a comparison, those of the first group in front."""

    y: FloatArray
    x: FloatArray
    weights: FloatArray
    n_first: int
    columns: tuple[str, ...]
    direction: str
    repeats: FloatArray | None

    @property
    def first(self) -> slice:
        return slice(0, self.n_first)

    @property
    def second(self) -> slice:
        return slice(self.n_first, len(self.y))

    def fit(self, side: slice, model: LinkFunction, words: str, more: FloatArray | None = None) -> BinaryFit:
        """Fit some rows; whoever is separated is named."""
        x = self.x[side] if more is None else np.column_stack([self.x[side], more])
        names = self.columns if more is None else (*self.columns, "group")
        try:
            fit = fit_binary(self.y[side], x, self.weights[side], model, names=names)
        except IdentificationError as error:
            raise IdentificationError(f"in {words} of {self.direction}, {error}") from error
        if not fit.kept.all():
            lost = [names[j] for j in np.flatnonzero(~fit.kept)]
            raise IdentificationError(
                f"in {words} of {self.direction}, {listing(lost)} cannot be told apart from other columns: leave out "
                "columns, or pool levels."
            )
        return fit

    def mean(self, values: FloatArray, side: slice) -> tuple[float, FloatArray]:
        """Weighted mean over one group and the influence of all rows on it."""
        w = self.weights[side]
        share = w / w.sum()
        mean = float(share @ values)
        influence = np.zeros(len(self.y))
        influence[side] = share * (values - mean)
        return mean, influence

    def errors(self, influence: FloatArray) -> FloatArray:
        """Heteroskedasticity-robust errors of what the rows have an influence on; repeated rows are independent."""
        squares = influence**2 if self.repeats is None else influence**2 / self.repeats[:, None]
        return np.asarray(np.sqrt(squares.sum(axis=0)))


_Answer: TypeAlias = tuple[FloatArray, FloatArray | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Fairlie:
    """Fairlie's parts of one comparison: difference, explained, its detail, unexplained; then the two rates."""

    model: LinkFunction
    reference: Reference
    blocks: FloatArray
    plan: SwitchPlan
    match: str
    reps: int
    seed: int
    convention: str

    def __call__(self, rows: _Rows, *, influence: bool) -> _Answer:
        coef, on_coef = self._coefficients(rows)
        a, b = rows.first, rows.second
        left, right = (Side.of(rows.x[side], rows.weights[side], coef, self.blocks) for side in (a, b))
        if self.match == "quantiles":
            pairs = match_quantiles(left, right)
        else:
            weighted = bool(np.ptp(rows.weights[a]) or np.ptp(rows.weights[b]))
            pairs = match_draws(left, right, self.reps, np.random.default_rng(self.seed), weighted=weighted)
        parts, gradient = switch_blocks(left, right, pairs, self.blocks, self.model, self.plan)
        (first, on_first), (second, on_second) = rows.mean(rows.y[a], a), rows.mean(rows.y[b], b)
        explained = parts.sum()
        values = np.array([first - second, explained, *parts, first - second - explained, first, second])
        if not influence:
            return values, None
        if self.convention == "full":
            gradient = self._gradient(rows, coef, rows.errors(on_coef))
        on_parts = on_coef @ gradient.T
        if self.convention == "full":
            on_parts = on_parts + np.vstack([*switch_influence(left, right, self.model, self.plan)])
        gap, total = on_first - on_second, on_parts.sum(axis=1)
        return values, np.column_stack([gap, total, on_parts, gap - total, on_first, on_second])

    def _gradient(self, rows: _Rows, coef: FloatArray, errors: FloatArray) -> FloatArray:
        """Derivative of the parts in the coefficients, by which the ranks move too, over a standard error each way."""
        out = np.zeros((len(self.blocks), len(coef)))
        for j in np.flatnonzero(errors > 0):
            ends = []
            for sign in (1, -1):
                moved = coef + sign * errors[j] * (np.arange(len(coef)) == j)
                left, right = (
                    Side.of(rows.x[side], rows.weights[side], moved, self.blocks) for side in (rows.first, rows.second)
                )
                pairs = match_quantiles(left, right)
                ends.append(switch_blocks(left, right, pairs, self.blocks, self.model, self.plan)[0])
            out[:, j] = (ends[0] - ends[1]) / (2 * errors[j])
        return out

    def _coefficients(self, rows: _Rows) -> tuple[FloatArray, FloatArray]:
        """Reference coefficients and the influence of all rows on them."""
        k = rows.x.shape[1]
        out = np.zeros((len(rows.y), k))
        if self.reference in ("A", "B"):
            side, words = (
                (rows.first, "the first group") if self.reference == "A" else (rows.second, "the second group")
            )
            fit = rows.fit(side, self.model, words)
            out[side] = fit.influence(rows.x[side])
            return fit.params, out
        everybody = slice(0, len(rows.y))
        more = None
        if self.reference == "pooled":
            more = np.zeros(len(rows.y))
            more[rows.second] = 1.0
        fit = rows.fit(everybody, self.model, "both groups", more)
        x = rows.x if more is None else np.column_stack([rows.x, more])
        return fit.params[:k], fit.influence(x)[:, :k]


@dataclass(frozen=True, slots=True, eq=False)
class _Yun:
    """Yun's parts of one comparison: difference; explained and unexplained with detail; then the two rates."""

    model: LinkFunction
    first_reference: bool
    of_means: FloatArray
    of_coefs: FloatArray
    sums: FloatArray

    def __call__(self, rows: _Rows, *, influence: bool) -> _Answer:
        sides = (rows.first, rows.second)
        fits = [rows.fit(side, self.model, f"the {name} group") for side, name in zip(sides, _NAMES, strict=True)]
        on_coefs = [np.zeros((len(rows.y), rows.x.shape[1])) for _ in sides]
        for side, fit, out in zip(sides, fits, on_coefs, strict=True):
            out[side] = fit.influence(rows.x[side])
        means = [rows.weights[s] @ rows.x[s] / rows.weights[s].sum() for s in sides]
        on_means = [np.zeros_like(out) for out in on_coefs]
        for side, mean, out in zip(sides, means, on_means, strict=True):
            out[side] = (rows.x[side] - mean) * (rows.weights[side] / rows.weights[side].sum())[:, None]
        p = {
            (u, v): self._predicted(rows, sides[u], fits[v].params, on_coefs[v]) for u in (0, 1) for v in (0, 1)
        }  # mean probability of sample u at coefficients v
        r, other = (0, 1) if self.first_reference else (1, 0)
        explained = _minus(p[0, r], p[1, r])
        unexplained = _minus(p[other, 0], p[other, 1])
        gap_means = (self.of_means @ (means[0] - means[1]), (on_means[0] - on_means[1]) @ self.of_means.T)
        reference = (self.of_coefs @ fits[r].params, on_coefs[r] @ self.of_coefs.T)
        gap_coefs = (self.of_coefs @ (fits[0].params - fits[1].params), (on_coefs[0] - on_coefs[1]) @ self.of_coefs.T)
        at = (self.of_means @ means[other], on_means[other] @ self.of_means.T)
        parts = [self._shared(explained, gap_means, reference), self._shared(unexplained, at, gap_coefs)]
        gap = _minus(p[0, 0], p[1, 1])
        values = np.concatenate([[gap[0]], *(part[0] for part in parts), [p[0, 0][0], p[1, 1][0]]])
        if not influence:
            return values, None
        return values, np.column_stack([gap[1], *(part[1] for part in parts), p[0, 0][1], p[1, 1][1]])

    def _predicted(self, rows: _Rows, side: slice, coef: FloatArray, on_coef: FloatArray) -> tuple[float, FloatArray]:
        """Mean probability of a sample at some coefficients, and the influence of all rows on it."""
        index = rows.x[side] @ coef
        mean, own = rows.mean(probability(index, self.model), side)
        share = rows.weights[side] / rows.weights[side].sum()
        return mean, own + on_coef @ ((share * slope(index, self.model)) @ rows.x[side])

    def _shared(
        self, whole: tuple[float, FloatArray], left: tuple[FloatArray, FloatArray], right: tuple[FloatArray, FloatArray]
    ) -> tuple[FloatArray, FloatArray]:
        """The whole, then the detail in proportion to the products of left and right."""
        product, on_product = left[0] * right[0], left[1] * right[0] + left[0] * right[1]
        total = float(product.sum())
        if len(self.sums) and not abs(total) > 1e-12 * max(float(np.abs(product).sum()), 1e-300):
            raise IdentificationError(
                "the groups do not differ in the index, so that nothing can be divided among regressors: "
                "detail='none' gives the totals."
            )
        if not len(self.sums):
            return np.array([whole[0]]), whole[1][:, None]
        share = self.sums @ product / total
        on_share = (on_product @ self.sums.T - on_product.sum(axis=1, keepdims=True) * share) / total
        on_parts = whole[1][:, None] * share + whole[0] * on_share
        return np.concatenate([[whole[0]], whole[0] * share]), np.column_stack([whole[1], on_parts])


_NAMES = ("first", "second")
_Task: TypeAlias = Callable[..., _Answer]


def _minus(a: tuple[float, FloatArray], b: tuple[float, FloatArray]) -> tuple[float, FloatArray]:
    return a[0] - b[0], a[1] - b[1]


# from samples to results ---------------------------------------------------------------------------------------------


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


def check_shares(grouped: GroupedSample) -> None:
    """Raise unless outcomes are 0/1 or shares."""
    y = grouped.sample.y
    outside = (y < 0) | (y > 1)
    if outside.any():
        raise UnitError(
            f"{grouped.design.outcome!r} is outside 0 to 1 in {int(outside.sum()):,} of {len(y):,} rows, first "
            f"{y[outside][0]:g}: the gap of a rate needs 0/1 or shares (divide per cent by 100); oaxaca() takes any "
            "outcome."
        )


def _check_varies(grouped: GroupedSample) -> None:
    """Raise where an outcome never, or always, happens in a sample that is compared."""
    y, cells = grouped.sample.y, grouped.sample.cells
    used = sorted({s for c in grouped.comparisons for s in (c.first, c.second)})
    single = [
        f"{grouped.sample.cell_names[s]} (always {y[cells == s][0]:g})" for s in used if not np.ptp(y[cells == s])
    ]
    if single:
        raise IdentificationError(
            f"{grouped.design.outcome!r} has a single value in {listing(single)}: no model can be fitted there. "
            "kitagawa() needs none."
        )


def _blocks(grouped: GroupedSample, detail: Detail) -> tuple[tuple[str, ...], FloatArray]:
    """Names of the blocks and their columns (K, k); the constant, the same in both groups, goes with the first."""
    columns = reported_columns(grouped, ())
    names, sums = detail_rows(columns, "terms" if detail is None or detail == "none" else detail)
    constant = [j for j, term in enumerate(columns.terms) if term == "1"]
    alone = (sums[:, constant].sum(axis=1) > 0) & (sums.sum(axis=1) == len(constant))
    kept_names, kept_sums = tuple(n for n, a in zip(names, alone, strict=True) if not a), sums[~alone].copy()
    if not kept_names:
        raise OptionError("the formula has no regressors beside the constant: there is nothing to switch.")
    kept_sums[0, constant] = 1.0
    kept_sums[1:, constant] = 0.0
    return kept_names, kept_sums


def _plan(order: str | Sequence[str], names: Sequence[str], reps: int, generator: np.random.Generator) -> SwitchPlan:
    """Orders in which blocks are switched."""
    if isinstance(order, str):
        check_option("order", order, ("all", "random"))
        if order == "random":
            return SwitchPlan.orders([generator.permutation(len(names)).tolist() for _ in range(reps)], len(names))
        if len(names) > _BLOCKS_AT_MOST:
            raise OptionError(
                f"order='all' averages over 2^{len(names)} subsets of {len(names)} blocks: name at most "
                f"{_BLOCKS_AT_MOST} groups in detail=, or take order='random'."
            )
        return SwitchPlan.all_orders(len(names))
    given = list(order)
    for name in given:
        if name not in names:
            raise OptionError(f"order: {name!r} is no block.{did_you_mean(name, names)} Blocks: {listing(names, 20)}.")
    if sorted(given) != sorted(names):
        missing = [name for name in names if name not in given]
        raise OptionError(f"order must name every block once; {listing(missing) or 'one is named twice'}.")
    return SwitchPlan.orders([[list(names).index(name) for name in given]], len(names))


def _decomposed(
    grouped: GroupedSample, task: _Fairlie | _Yun, rows: Sequence[str], rule: SmallSample, method: str
) -> Decomposition:
    """Run the estimator on every comparison."""
    labels = _labels(rows, rows if method == "yun" else ())
    replicated = is_replicated(grouped)
    found = [task(_rows(grouped, c, None), influence=not replicated) for c in grouped.comparisons]
    at = _reported(labels, rows, task)
    estimated = [
        Estimated(c, labels, v[at], None if i is None else i[:, at], grouped.sample.x.shape[1])
        for c, (v, i) in zip(grouped.comparisons, found, strict=True)
    ]
    title = f"Gap of the rate of {grouped.design.outcome}"
    if replicated:

        def again(weights: FloatArray) -> list[FloatArray]:
            return [_replicate(task, _rows(grouped, c, weights), at) for c in grouped.comparisons]

        both = estimates_from_replicates(grouped, estimated, again, title=title)
    else:
        both = estimates_from_influence(grouped, estimated, rule=rule, title=title)
    return split_levels(both, grouped, method)


def _replicate(task: _Fairlie | _Yun, rows: _Rows, at: Sequence[int]) -> FloatArray:
    """Values under a replicate's weights, NaN where these leave something undetermined."""
    try:
        return task(rows, influence=False)[0][list(at)]
    except (DataError, IdentificationError):
        return np.full(len(at), np.nan)


def _reported(labels: pd.DataFrame, rows: Sequence[str], task: _Fairlie | _Yun) -> list[int]:
    """Which of an estimator's values are reported: without detail Fairlie's blocks are not."""
    if isinstance(task, _Yun) or rows:
        return list(range(len(labels)))
    blocks = len(task.blocks)
    return [0, 1, 2 + blocks, 3 + blocks, 4 + blocks]


def _labels(explained: Sequence[str], unexplained: Sequence[str]) -> pd.DataFrame:
    """Components with the rows of their detail, then the rates of both groups."""
    listed = [("difference", TOTAL), ("explained", TOTAL), *(("explained", name) for name in explained)]
    listed += [("unexplained", TOTAL), *(("unexplained", name) for name in unexplained)]
    listed += [(LEVEL, "first"), (LEVEL, "second")]
    return pd.DataFrame(listed, columns=["component", "term"]).assign(unit="share")


LEVEL = "level"
"""Component under which the two rates themselves travel until `split_levels`."""


def split_levels(
    both: Estimates, grouped: GroupedSample, method: str, components: Sequence[str] = _COMPONENTS
) -> Decomposition:
    """Part the rates of the two groups from the components of their gap."""
    is_level = (both.labels["component"] == LEVEL).to_numpy()
    levels = both.select(is_level)
    levels = replace(levels, labels=levels.labels.drop(columns="component"), title=f"Rate of {grouped.design.outcome}")
    return Decomposition(both.select(~is_level), method, tuple(components), grouped.sizes(), levels)


def _rows(grouped: GroupedSample, c: Comparison, weights: FloatArray | None) -> _Rows:
    """Arrays of a comparison; rows without weight are left out of replicates' fits by the weight itself."""
    first, second = grouped.rows(c)
    rows = np.concatenate([first, second])
    sample = grouped.sample
    own = grouped.weights(rows) if weights is None else weights[rows]
    repeats = None if sample.repeats is None else sample.repeats[rows]
    return _Rows(sample.y[rows], sample.x[rows], own, len(first), sample.names, c.direction, repeats)


def _finished(done: Decomposition, reference: str, model: LinkFunction, note: str) -> Decomposition:
    words = f"{reference}, {model}"
    notes = (*done.estimates.notes, *([note] if note else []))
    return replace(done, estimates=replace(done.estimates, notes=notes), reference=words)
