"""The selection-corrected gap of means between two groups, where one or both are paid only if they work or stay.

Each group's coefficients are corrected for selection by Heckman's two steps. What is decomposed is the gap of
selection-corrected means, the mean regressors of those who are paid at the corrected coefficients, without the
selection term: explained and unexplained part, or endowments, coefficients and interaction, as for any gap of means.
The errors of both steps, and of the means, are in the influence functions.

References
----------
Heckman, J. (1979). Sample selection bias as a specification error. Econometrica 47, 153-161.
Neuman, S. and R. Oaxaca (2004). Wage decompositions with selectivity-corrected wage equations: a methodological note.
Journal of Economic Inequality 2, 3-10.
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

import numpy as np

from wagegap._display.sentences import say
from wagegap._typing import BoolArray, ColumnName, ColumnNames, Condition, FloatArray, Formula, SmallSample, WeightKind
from wagegap.decomposition.columns import Detail, Reference, Report
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupRows, GroupsLike, group_samples
from wagegap.decomposition.inference import decomposition, estimate_comparisons
from wagegap.decomposition.means.oaxaca import Threefold, plan
from wagegap.decomposition.result import Decomposition
from wagegap.errors import (
    DataError,
    IdentificationError,
    OptionError,
    check_column,
    did_you_mean,
    listing,
    refuse_rows,
)
from wagegap.estimation.column_types import number_or_nan
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.design import check_keys, check_regressors
from wagegap.estimation.formula import FormulaParts, design_matrix, required_columns, split_formula
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.heckman import fit_two_step
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import scale_of
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, with_weights

__all__ = ["oaxaca_offers", "oaxaca_selection"]

_NOTES_AT_MOST = 5


@refittable
def oaxaca_selection(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    group: ColumnName,
    selection: str | Mapping[Any, str],
    groups: GroupsLike = None,
    by: ColumnNames | None = None,
    reference: Reference = "A",
    threefold: Threefold = False,
    normalize: ColumnNames = (),
    detail: Detail = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Decomposition:
    """Decompose the gap of means at coefficients corrected for selection.

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
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Decomposition
        As `oaxaca`; the difference is that of selection-corrected means. A note says the gap of those who are paid.

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
    >>> gap = oaxaca_selection(data, "pay ~ x", group="women", groups=(0, 1), selection={1: "works ~ x + z"})
    >>> gap.components
    ('difference', 'explained', 'unexplained')
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    if isinstance(reference, str) and reference in ("pooled", "neumark"):
        raise OptionError(
            f"reference={reference!r}: coefficients corrected in one group cannot be pooled; use 'A' or 'B'."
        )
    panel = with_weights(as_panel(data), weights, weight_kind)
    equations = _equations(panel, group, selection)
    filled, observed = _filled(panel, split_formula(formula), group, equations)
    grouped = group_samples(filled, formula, group=group, groups=groups, by=by, cov=cov)
    scheme = plan(grouped, reference, threefold, False, normalize, detail)
    assert scheme.weight is not None
    corrected = _Corrected(
        scheme.report, dict(zip(grouped.comparisons, scheme.weight, strict=True)), grouped.sample.names,
        observed[grouped.design.rows], _selection_regressors(grouped, group, equations),
    )  # fmt: skip
    outcome = grouped.design.outcome
    estimates = estimate_comparisons(
        grouped, scheme.report.labels(grouped.design.unit), corrected, rule=small_sample,
        title=f"Selection-corrected gap of mean {outcome}",
    )  # fmt: skip
    return decomposition(
        estimates, grouped, "oaxaca_selection", levels="Selection-corrected means", reference=scheme.reference,
        notes=_observed_gaps(grouped, corrected.observed),
    )  # fmt: skip


@wraps(oaxaca_selection, assigned=())
def oaxaca_offers(*args: Any, **options: Any) -> Decomposition:
    """Call `oaxaca_selection`, under the name that it had."""
    warnings.warn(
        "wagegap.oaxaca_offers is called oaxaca_selection now; the old name goes in the next version.",
        FutureWarning,
        stacklevel=2,
    )
    return oaxaca_selection(*args, **options)


# rows and equations of selection -------------------------------------------------------------------------------------


def _equations(panel: Panel, group: str, selection: str | Mapping[Any, str]) -> dict[Any, FormulaParts]:
    """Selection equation of each group that has one."""
    check_keys(panel.frame, [group])
    levels = panel.frame[group].dropna().unique().tolist()
    formulas = dict.fromkeys(levels, selection) if isinstance(selection, str) else selection
    equations = {}
    for level, formula in formulas.items():
        if level not in levels:
            raise OptionError(
                f"selection: {level!r} is no level of {group!r}.{did_you_mean(level, levels)} "
                f"Levels: {listing(levels)}."
            )
        parts = split_formula(formula)
        if parts.effects:
            raise OptionError(
                f"selection {formula!r} has no absorbed effects; put them among the regressors as C(...)."
            )
        check_column(parts.outcome, panel.frame.columns, "for selection")
        equations[level] = parts
    return equations


def _filled(
    panel: Panel, parts: FormulaParts, group: str, equations: Mapping[Any, FormulaParts]
) -> tuple[Panel, BoolArray]:
    """Give those not selected some outcome and regressors, never looked at, so that they keep their rows.

    What their equation of selection holds stays as it is.
    """
    frame = panel.frame
    parts_of_formula = (parts.outcome, parts.regressors)
    needed = [*dict.fromkeys(name for side in parts_of_formula for name in required_columns(side, frame))]
    check_keys(frame, needed)
    unselected, incomplete = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)
    unused = {name: np.zeros(len(frame), dtype=bool) for name in needed}
    for level, equation in equations.items():
        of_group = (frame[group] == level).to_numpy()
        selected = number_or_nan(frame[equation.outcome])
        bad = ~np.isin(selected[of_group], (0.0, 1.0))
        refuse_rows(bad, DataError, f"selection into {equation.outcome!r} must be 0/1; ", " rows are not.")
        left_out = of_group & (selected == 0)
        unselected |= left_out
        selecting = required_columns(equation.regressors, frame)
        incomplete |= of_group & frame[selecting].isna().any(axis=1).to_numpy()
        for name in set(needed).difference(selecting):
            unused[name] |= left_out
    complete = frame[needed].notna().all(axis=1).to_numpy() & ~unselected
    if not complete.any():
        raise DataError(f"nobody has {parts.outcome!r} and its regressors.")
    example = frame.iloc[int(np.argmax(complete))]
    filled = panel.with_columns(**{name: frame[name].where(~rows, example[name]) for name, rows in unused.items()})
    if incomplete.any():
        filled = filled.filter(~incomplete, reason="missing regressors of selection")
    return filled, ~unselected[~incomplete]


def _selection_regressors(
    grouped: GroupedSample, group: str, equations: Mapping[Any, FormulaParts]
) -> dict[Any, tuple[FloatArray, tuple[str, ...]]]:
    """Regressors of each group's selection equation, (n, q) with zeros in other groups' rows, and their names."""
    frame = grouped.data.columns()
    regressors = {}
    for level, equation in equations.items():
        of_group = (frame[group] == level).to_numpy()
        if of_group.any():
            check_regressors(frame[of_group], required_columns(equation.regressors, frame), equation.regressors)
            matrix = design_matrix(frame[of_group], equation.regressors)
            values = np.zeros((len(frame), matrix.values.shape[1]))
            values[of_group] = matrix.values
            regressors[level] = values, matrix.names
    return regressors


# estimator -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Corrected:
    """Numbers of a comparison at selection-corrected coefficients.

    Attributes
    ----------
    report : Report
        What is reported.
    weight : mapping of Comparison to ndarray, shape (k, k)
        W of the reference coefficients b_r = W b_a + (I - W) b_b.
    names : tuple of str
        Columns of the design.
    observed : ndarray of bool, shape (n,)
        Whose outcome is observed.
    regressors : mapping of group to (ndarray, names)
        Regressors of selection in all rows, for the groups that have such an equation.
    """

    report: Report
    weight: Mapping[Comparison, FloatArray]
    names: tuple[str, ...]
    observed: BoolArray
    regressors: Mapping[Any, tuple[FloatArray, tuple[str, ...]]]

    def __call__(
        self, comparison: Comparison, sides: tuple[GroupRows, GroupRows], influence: bool
    ) -> tuple[FloatArray, FloatArray | None]:
        means, on_means = zip(*(self._mean(side) for side in sides), strict=True)
        coefs, on_coefs = zip(*(self._coefficients(side, comparison) for side in sides), strict=True)
        # b_r = W b_a + (I - W) b_b
        w = self.weight[comparison]
        shares = (w, np.eye(len(w)) - w)
        stacked = np.stack([*coefs, shares[0] @ coefs[0] + shares[1] @ coefs[1]])
        values = self.report.evaluate(np.stack(means), stacked)
        if not influence:
            return values, None
        # influence of a row of g = (d/d m_g) its influence on m_g + (d/d b_g + (d/d b_r) W_g) its influence on b_g
        by_mean, by_coef = self.report.jacobian(np.stack(means), stacked)
        return values, np.vstack([
            on_means[g] @ by_mean[:, g].T + on_coefs[g] @ (by_coef[:, g] + by_coef[:, 2] @ shares[g]).T for g in (0, 1)
        ])  # fmt: skip

    def _mean(self, side: GroupRows) -> tuple[FloatArray, FloatArray]:
        """Mean regressors of those observed, and the influence of all rows of the group on them."""
        weights = side.weights * self.observed[side.rows]
        share = weights / weights.sum()
        mean = side.means(share)
        return mean, share[:, None] * (side.x - mean)

    def _coefficients(self, side: GroupRows, comparison: Comparison) -> tuple[FloatArray, FloatArray]:
        """Coefficients of one group and the influence of its rows on them."""
        where = f"in {comparison.column} {side.group} of {comparison.direction}"
        if side.group not in self.regressors:
            fit = fit_lstsq(side.y, side.x, side.weights)
            if not fit.kept.all():
                collinear = listing(self.names[j] for j in np.flatnonzero(~fit.kept))
                raise IdentificationError(f"{where}, collinear with other columns: {collinear}.")
            return fit.params, (side.x * (fit.residuals * side.weights)[:, None]) @ fit.bread
        z, z_names = self.regressors[side.group]
        z, observed = z[side.rows], self.observed[side.rows]
        try:
            steps = fit_two_step(side.y, side.x, observed, z, side.weights, names=self.names, selection_names=z_names)
        except (DataError, IdentificationError) as error:
            raise type(error)(f"{where}, {error}") from error
        k, q = side.x.shape[1], z.shape[1]
        return steps.second.params[:k], steps.influence[:, q : q + k]


def _observed_gaps(grouped: GroupedSample, observed: BoolArray) -> list[str]:
    """The gap of those whose outcome is observed, beside the corrected one."""
    notes = []
    for c in grouped.comparisons[:_NOTES_AT_MOST]:
        first, second = (np.average(side.y, weights=side.weights * observed[side.rows]) for side in grouped.sides(c))
        gap = scale_of(grouped.design.unit).change(first - second)
        notes.append(say("Gap of those who are paid, {direction}: {gap}.", direction=c.direction, gap=gap))
    more = len(grouped.comparisons) - len(notes)
    return [*notes, f"{more} more."] if more else notes
