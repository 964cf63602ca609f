"""The gap of mean wage offers between two groups, where one or both are paid only if they choose to work or to stay.

Each group's coefficients are corrected for selection by Heckman's two steps. What is decomposed is the gap of offers,
the mean regressors of those who are paid at the corrected coefficients, without the selection term: explained and
unexplained part, or endowments, coefficients and interaction, as for any gap of means. The errors of both steps, and of
the means, are in the influence functions.

References
----------
Heckman, J. (1979). Sample selection bias as a specification error. Econometrica 47, 153-161.
Neuman, S. and R. Oaxaca (2004). Wage decompositions with selectivity-corrected wage equations: a methodological note.
Journal of Economic Inequality 2, 3-10.
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, IntArray, SmallSample, WeightKind
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupsLike, group_samples
from wagegap.decomposition.inference import (
    Estimated,
    estimates_from_influence,
    estimates_from_replicates,
    is_replicated,
)
from wagegap.decomposition.means.oaxaca import (
    Detail,
    Reference,
    Threefold,
    detail_rows,
    reference_matrix,
    reported_columns,
)
from wagegap.decomposition.means.parts import LEVELS, THREEFOLD, THREEFOLD_REVERSE, TWOFOLD, Columns, Parts
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import (
    DataError,
    IdentificationError,
    OptionError,
    check_option,
    did_you_mean,
    listing,
    no_column,
)
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.formula import FormulaParts, design_matrix, required_columns, split_formula
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.heckman import fit_two_step
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import unit_of_outcome
from wagegap.panel.events import numbers
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import with_weights

__all__ = ["oaxaca_offers"]

_LEVEL = "level"


@refittable
def oaxaca_offers(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    group: str,
    selection: str | Mapping[Any, str],
    groups: GroupsLike = None,
    by: str | Sequence[str] | None = None,
    reference: Reference = "A",
    threefold: Threefold = False,
    normalize: str | Sequence[str] = (),
    detail: Detail = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
) -> Decomposition:
    """Decompose the gap of mean offers, coefficients corrected for selection.

    Parameters
    ----------
    data : Panel or data frame
        Workers, those without pay among them.
    formula : str
        `outcome ~ regressors`.
    group, groups, by, reference, threefold, normalize, detail
        As in `oaxaca`; the reference cannot be pooled.
    selection : str or mapping of group to str
        `selected ~ regressors`, the left side 0/1: for both groups, or for those named; the others are fitted by least
        squares on those who are paid.
    cov, small_sample, weights, weight_kind
        As in `oaxaca`.

    Returns
    -------
    Decomposition
        As `oaxaca`; the difference is that of offers. A note says the gap of those who are paid.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(1)
    >>> u, z, x = rng.normal(size=(3, 2000))
    >>> women = rng.integers(2, size=2000)
    >>> works = ((z + x + u > 0) | (women == 0)) * 1
    >>> pay = 1 + 0.5 * x + 0.8 * u - 0.2 * women
    >>> data = pd.DataFrame({"pay": np.where(works == 1, pay, np.nan), "x": x, "z": z, "women": women, "works": works})
    >>> gap = oaxaca_offers(data, "pay ~ x", group="women", groups=(0, 1), selection={1: "works ~ x + z"})
    >>> gap.components
    ('difference', 'explained', 'unexplained')
    """
    check_option("threefold", threefold, (False, True, "reverse"))
    if isinstance(reference, str) and reference in ("pooled", "neumark"):
        raise OptionError(
            f"reference={reference!r}: coefficients corrected in one group cannot be pooled; use 'A' or 'B'."
        )
    panel = with_weights(as_panel(data), weights, weight_kind)
    chosen = _chosen(panel, group, selection)
    filled, observed = _filled(panel, split_formula(formula), group, chosen)
    grouped = group_samples(filled, formula, group=group, groups=groups, by=by, cov=cov)
    plan = _plan(grouped, observed, chosen, reference, threefold, normalize, detail)
    labels = _labels(grouped, plan)
    found = [_offers(grouped, plan, c, i, None) for i, c in enumerate(grouped.comparisons)]
    title = f"Gap of mean offers of {grouped.design.outcome}"
    estimated = [
        Estimated(c, labels, values, influence, grouped.sample.x.shape[1])
        for c, (values, influence) in zip(grouped.comparisons, found, strict=True)
    ]
    if is_replicated(grouped):

        def again(weights: FloatArray) -> list[FloatArray]:
            return [_replicate(grouped, plan, c, i, weights, len(labels)) for i, c in enumerate(grouped.comparisons)]

        both = estimates_from_replicates(grouped, estimated, again, title=title)
    else:
        both = estimates_from_influence(grouped, estimated, rule=small_sample, title=title)
    notes = (*both.notes, *_raw_gaps(grouped, plan))
    both = replace(both, notes=notes)
    is_level = (both.labels["component"] == _LEVEL).to_numpy()
    levels = both.select(is_level)
    levels = replace(levels, labels=levels.labels.drop(columns="component"), title="Mean offers")
    return Decomposition(
        both.select(~is_level), "oaxaca, offers", plan.parts.names, grouped.sizes(), levels, plan.words
    )  # fmt: skip


def _chosen(panel: Panel, group: str, selection: str | Mapping[Any, str]) -> dict[Any, FormulaParts]:
    """Selection equation of each group that has one."""
    if group not in panel.frame:
        raise no_column(group, panel.frame.columns, "for group")
    levels = panel.frame[group].dropna().unique().tolist()
    given = dict.fromkeys(levels, selection) if isinstance(selection, str) else dict(selection)
    out = {}
    for level, text in given.items():
        if level not in levels:
            raise OptionError(
                f"selection: {level!r} is no level of {group!r}.{did_you_mean(level, levels)} "
                f"Levels: {listing(levels)}."
            )
        parts = split_formula(text)
        if parts.effects:
            raise OptionError(f"selection {text!r} has no absorbed effects; put them among the regressors as C(...).")
        if parts.outcome not in panel.frame:
            raise no_column(parts.outcome, panel.frame.columns, "for selection")
        out[level] = parts
    return out


def _filled(
    panel: Panel, parts: FormulaParts, group: str, chosen: Mapping[Any, FormulaParts]
) -> tuple[Panel, BoolArray]:
    """Give those not selected some outcome and regressors, never looked at, so that they keep their rows."""
    frame = panel.frame
    needed = dict.fromkeys([*required_columns(parts.outcome, frame), *required_columns(parts.regressors, frame)])
    out = np.zeros(len(frame), dtype=bool)
    lost = np.zeros(len(frame), dtype=bool)
    for level, own in chosen.items():
        mine = (frame[group] == level).to_numpy()
        code = numbers(frame[own.outcome])
        if not np.isin(code[mine], (0.0, 1.0)).all():
            bad = int((~np.isin(code[mine], (0.0, 1.0))).sum())
            raise DataError(f"selection into {own.outcome!r} must be 0/1; {bad:,} of {int(mine.sum()):,} rows are not.")
        out |= mine & (code == 0)
        regressors = required_columns(own.regressors, frame)
        lost |= mine & frame[regressors].isna().any(axis=1).to_numpy()
    complete = np.flatnonzero(frame[list(needed)].notna().all(axis=1).to_numpy() & ~out)
    if complete.size == 0:
        raise DataError(f"nobody has {parts.outcome!r} and its regressors.")
    example = frame.iloc[complete[0]]
    columns = {name: frame[name].where(~out, example[name]) for name in needed}
    filled = panel.assign(**columns, selected_to_be_paid=(~out).astype(float))
    if lost.any():
        filled = filled.filter(~lost, reason="missing regressors of selection")
    return filled, np.asarray(filled.frame["selected_to_be_paid"] == 1)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is computed: signs, reported columns, their sums, reference, and the selection of every group."""

    parts: Parts
    columns: Columns
    rows: tuple[str, ...]
    sums: FloatArray
    weight: FloatArray
    words: str
    observed: BoolArray
    designs: Mapping[Any, tuple[FloatArray, tuple[str, ...]]]


def _plan(
    grouped: GroupedSample,
    observed: BoolArray,
    chosen: Mapping[Any, FormulaParts],
    reference: Reference,
    threefold: Threefold,
    normalize: str | Sequence[str],
    detail: Detail,
) -> _Plan:
    parts = {False: TWOFOLD, True: THREEFOLD, "reverse": THREEFOLD_REVERSE}[threefold]
    columns = reported_columns(grouped, normalize)
    rows, sums = detail_rows(columns, detail)
    weight, words = reference_matrix(grouped, 0.0 if threefold else reference)
    assert weight is not None
    if threefold:
        words = "the first group" if threefold == "reverse" else "the second group"
    frame = grouped.panel.frame.iloc[grouped.design.rows]
    designs = {}
    for level, own in chosen.items():
        at = (frame[grouped.group] == level).to_numpy()
        if at.any():
            matrix = design_matrix(frame[at], own.regressors)
            full = np.zeros((len(frame), len(matrix.columns)))
            full[at] = matrix.values
            designs[level] = full, matrix.names
    return _Plan(parts, columns, rows, sums, weight, words, observed[grouped.design.rows], designs)


def _offers(
    grouped: GroupedSample, plan: _Plan, c: Comparison, i: int, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Reported components and the two mean offers of a comparison, and the influence of its rows."""
    both = grouped.rows(c)
    means, coefs, on_means, on_coefs = [], [], [], []
    for s, rows in zip((c.first, c.second), both, strict=True):
        w = grouped.weights(rows) if weights is None else weights[rows]
        level = grouped.samples[grouped.group].iloc[s]
        coef, on_coef = _coefficients(grouped, plan, rows, w, level, c.direction)
        paid = plan.observed[rows]
        share = np.where(paid, w, 0.0) / w[paid].sum()
        x = grouped.sample.x[rows]
        mean = x[0] + share @ (x - x[0])  # exact for a constant
        means.append(mean)
        coefs.append(coef)
        on_means.append(share[:, None] * (x - mean))
        on_coefs.append(on_coef)
    own, mix = plan.columns, plan.weight[i]
    reference = coefs[1] + mix @ (coefs[0] - coefs[1])
    m = np.stack([own.of_means @ mean for mean in means])
    b = np.stack([own.of_coefs @ coef for coef in (*coefs, reference)])
    maps = [[own.of_coefs, own.of_coefs * 0, own.of_coefs @ mix],
            [own.of_coefs * 0, own.of_coefs, own.of_coefs @ (np.eye(len(mix)) - mix)]]  # fmt: skip
    values: list[FloatArray] = []
    influence: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for parts, sums, whole in ((plan.parts, plan.sums, True), (LEVELS, plan.sums[:0], False)):
        values.append(_reported(parts.evaluate(m, b), sums, whole=whole))
        by_mean, by_coef = parts.jacobian(m, b)
        for g in (0, 1):
            slope_mean = by_mean[:, g, :, None] * own.of_means
            slope_coef = np.einsum("pvm,vmk->pmk", by_coef, np.stack(maps[g]))
            on = [np.einsum("pmk,nk->npm", s, f) for s, f in ((slope_mean, on_means[g]), (slope_coef, on_coefs[g]))]
            influence[g].append(_reported(on[0] + on[1], sums, whole=whole))
    return np.concatenate(values), np.vstack([np.hstack(part) for part in influence])


def _replicate(
    grouped: GroupedSample, plan: _Plan, c: Comparison, i: int, weights: FloatArray, size: int
) -> FloatArray:
    """Values under other weights, NaN where these leave something undetermined."""
    try:
        return _offers(grouped, plan, c, i, weights)[0]
    except (DataError, IdentificationError):
        return np.full(size, np.nan)


def _reported(by_column: FloatArray, sums: FloatArray, *, whole: bool) -> FloatArray:
    """Totals and detail by component, (..., p, m) to (..., q); of the first component, the whole, its total alone."""
    totals = by_column.sum(axis=-1)
    if not whole:
        return np.asarray(totals)
    parts = by_column[..., 1:, :] @ np.vstack([np.ones(sums.shape[1]), sums]).T
    return np.concatenate([totals[..., :1], parts.reshape(*parts.shape[:-2], -1)], axis=-1)


def _coefficients(
    grouped: GroupedSample, plan: _Plan, rows: IntArray, w: FloatArray, level: Any, direction: str
) -> tuple[FloatArray, FloatArray]:
    """Coefficients of one group and the influence of its rows on them."""
    y, x, names = grouped.sample.y[rows], grouped.sample.x[rows], grouped.sample.names
    k = x.shape[1]
    if level in plan.designs:
        z, labels = plan.designs[level]
        try:
            fit = fit_two_step(y, x, plan.observed[rows], z[rows], w, names=names, selection_names=labels)
        except (DataError, IdentificationError) as error:
            raise type(error)(f"in {grouped.group} {level} of {direction}, {error}") from error
        q = z.shape[1]
        return fit.second.params[:k], fit.influence[:, q : q + k]
    plain = fit_lstsq(y, x, w)
    if not plain.kept.all():
        lost = [names[j] for j in np.flatnonzero(~plain.kept)]
        raise IdentificationError(
            f"in {grouped.group} {level} of {direction}, {listing(lost)} cannot be told apart from other columns."
        )
    return plain.params, (x * (plain.residuals * w)[:, None]) @ plain.bread


def _labels(grouped: GroupedSample, plan: _Plan) -> pd.DataFrame:
    whole, *components = plan.parts.names
    listed = [(whole, TOTAL), *((name, term) for name in components for term in (TOTAL, *plan.rows))]
    listed += [(_LEVEL, "first"), (_LEVEL, "second")]
    frame = pd.DataFrame(listed, columns=["component", "term"])
    return frame.assign(unit=unit_of_outcome(grouped.design.outcome))


def _raw_gaps(grouped: GroupedSample, plan: _Plan) -> list[str]:
    """The gap of those who are paid, beside that of offers."""
    out = []
    for c in grouped.comparisons:
        means = []
        for rows in grouped.rows(c):
            paid = rows[plan.observed[rows]]
            w = grouped.weights(paid)
            means.append(float(w @ grouped.sample.y[paid] / w.sum()))
        out.append(f"Gap of those who are paid, {c.direction}: {means[0] - means[1]:.4g}.")
    return out if len(out) <= 5 else [*out[:5], f"{len(out) - 5} more."]
