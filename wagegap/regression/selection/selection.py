"""Premiums corrected for who is there to be paid: selection into work, into staying, or into one of many places.

Pay is observed for those who stay only, and they may be those whom staying pays. With normal errors the mean of pay
among them has one more regressor, the inverse Mills ratio of a probit of staying (two steps), or both equations are
fitted at once (maximum likelihood). With many places the first step is a multinomial logit, and the correction is a
term in the probability of the place chosen (Lee), terms in all probabilities (Dubin and McFadden), or a polynomial in
few of them (Dahl). The errors of both steps are in one influence function.

References
----------
Heckman, J. (1979). Sample selection bias as a specification error. Econometrica 47, 153-161.
Lee, L.-F. (1983). Generalized econometric models with selectivity. Econometrica 51, 507-512.
Dubin, J. and D. McFadden (1984). An econometric analysis of residential electric appliance holdings and consumption.
Econometrica 52, 345-362.
Dahl, G. (2002). Mobility and the return to education: testing a Roy model with multiple markets. Econometrica 70,
2367-2420.
Bourguignon, F., M. Fournier and M. Gurgand (2007). Selection bias corrections based on the multinomial logit model:
Monte Carlo comparisons. Journal of Economic Surveys 21, 174-205.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnNames,
    Condition,
    Count,
    FloatArray,
    Formula,
    Information,
    IntArray,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    CovarianceError,
    DataError,
    FormulaError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows, fit_cells, relate
from wagegap.estimation.column_types import as_numbers
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.design import Design
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import FormulaParts, split_formula
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.heckman import corrected_least_squares, fit_heckman, fit_two_step
from wagegap.estimation.likelihood.multinomial import fit_multinomial
from wagegap.estimation.result import Result
from wagegap.estimation.sample import Cell, CellFit
from wagegap.estimation.spec import refittable
from wagegap.panel.events import column_of
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, prepare
from wagegap.regression.selection.corrections import Terms, dahl_terms, dubin_mcfadden_terms, lee_terms

__all__ = ["Selection", "fit_selection"]

SelectionMethod: TypeAlias = Literal["two-step", "ml", "lee", "dubin-mcfadden", "dahl"]
_ROWS_OF_A_PLACE = 3
"""Rows for each place, on average, without which a logit of places is not tried."""
_METHODS = ("two-step", "ml", "lee", "dubin-mcfadden", "dahl")
_BINARY = ("two-step", "ml")


@dataclass(frozen=True, eq=False, repr=False)
class Selection(Result):
    """An outcome equation corrected for selection, with the selection equation.

    Attributes
    ----------
    estimates : Estimates
        Keys of the cell, `equation`, term: the outcome equation with its correction terms, the selection equation, and
        under normal errors `sigma` and `rho`. With many places there is an outcome equation of each.
    method : str
        How it was corrected.
    uncorrected : Estimates
        Least squares of the same outcomes, for comparison; can be joined with the estimates.
    cells : DataFrame
        Keys, n, and how many have an outcome.
    places : tuple of str
        Places with an outcome equation; empty where selection is in or out.
    """

    method: str
    uncorrected: Estimates
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    places: tuple[str, ...] = ()

    def premium(self, term: str, *, place: str | None = None) -> Estimates:
        """Return one coefficient of the outcome equation in every cell, as premiums of a link.

        Parameters
        ----------
        term : str
            The regressor.
        place : str, optional
            Whose outcome equation, where there are several.

        Raises
        ------
        OptionError
        """
        if self.places and place is None:
            raise OptionError(f"there is an outcome equation of each place: place= one of {listing(self.places)}.")
        if place is not None:
            check_option("place", place, self.places)
        outcome = self.estimates.select(equation="outcome" if place is None else f"outcome of {place}")
        check_option("term", term, outcome.labels["term"].tolist())
        others = [part for name in outcome.labels["term"].unique() for part in _crossed_with(term, str(name))]
        at = f" at {listing(f'{part} = 0' for part in dict.fromkeys(others))}" if others else ""
        chosen, title = outcome.select(term=term), f"Premium of {term}{at}, selection corrected"
        return replace(chosen, labels=chosen.labels.drop(columns="equation"), title=title)

    def plot(self, ax: AxesLike = None, *, term: str | None = None, alpha: Alpha = 0.05) -> Any:
        """Draw coefficients of the outcome equation, corrected beside uncorrected, with their intervals.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        term : str, optional
            One regressor, in every cell and place; where absent all that both have, the intercept left out.
        alpha : float
            One minus the coverage.

        Returns
        -------
        Axes

        Raises
        ------
        OptionError
            For a term that is not in the outcome equation.

        Examples
        --------
        >>> import wagegap as wg
        >>> rng = np.random.default_rng(1)
        >>> u, e, z, x = rng.normal(size=(4, 2000))
        >>> data = pd.DataFrame({"pay": np.where(z + x + u > 0, 1 + 0.5 * x + u + e, np.nan), "x": x, "z": z})
        >>> ax = wg.fit_selection(data, "pay ~ x", selection="~ x + z").plot()
        >>> [text.get_text() for text in ax.get_legend().get_texts()]
        ['corrected', 'uncorrected']
        """
        from wagegap.regression.figures import draw_effects

        corrected = self.estimates.select(self.estimates.labels["equation"].str.startswith("outcome").to_numpy())
        if not self.places:
            corrected = replace(corrected, labels=corrected.labels.drop(columns="equation"))
        known = [name for name in self.uncorrected.labels["term"].unique() if name != "Intercept"]
        if term is not None:
            check_option("term", term, known)
        wanted = known if term is None else [term]
        named = {
            "corrected": corrected.select(term=wanted),
            "uncorrected": self.uncorrected.select(term=wanted),
        }
        outcome = self.title.removesuffix(" corrected for selection")
        return draw_effects(named, what=f"coefficient{{of}} in the equation of {outcome}", ax=ax, alpha=alpha)

    def with_cov(self, cov: CovLike, *, small_sample: SmallSample | None = None) -> Self:
        """Return the same result under another covariance, where what was kept allows it."""
        return replace(
            super().with_cov(cov, small_sample=small_sample),
            uncorrected=self.uncorrected.with_cov(cov, small_sample=small_sample),
        )

    def without_units(self) -> Self:
        """Keep the covariance and forget the workers: small, but no longer joinable."""
        return replace(super().without_units(), uncorrected=self.uncorrected.without_units())


@refittable
def fit_selection(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    selection: str,
    method: SelectionMethod = "two-step",
    places: ColumnNames | None = None,
    probabilities: ColumnNames = (),
    degree: Count = 2,
    by: ColumnNames = (),
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    information: Information = "observed",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool = True,
) -> Selection:
    """Fit an outcome that is observed for some, corrected for who they are.

    Parameters
    ----------
    data : Panel or data frame
        Workers, those without an outcome among them.
    formula : str
        `outcome ~ regressors`, such as `log(wage) ~ ai + exper`.
    selection : str
        `selected ~ regressors`, the left side a 0/1 column, or nothing, `~ regressors`, where whoever has an outcome is
        selected. With many places the left side is the place of each worker.
    method : {"two-step", "ml", "lee", "dubin-mcfadden", "dahl"}
        Heckman's two steps or maximum likelihood; for many places the correction of Lee, of Dubin and McFadden, or of
        Dahl.
    places : str or sequence of str, optional
        Places whose outcome equation is fitted; all where outcomes are observed by default.
    probabilities : str or sequence of str
        For Dahl: places whose probabilities enter beside that of the place chosen.
    degree : int
        For Dahl: degree of the polynomial.
    by : str or sequence of str
        Cells with equations of their own, estimated jointly; none by default.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a survey's design, replicates, a bootstrap; under Heckman's
        model also iid, its classical covariance. What the panel declares, else HC1.
    information : {"observed", "expected"}
        Information of the probit of two steps, whose inverse is its bread.
    small_sample, weights, weight_kind, keep_units
        As in `fit_premiums`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Selection

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, IdentificationError, CovarianceError

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(1)
    >>> u, z, x = rng.normal(size=(3, 2000))
    >>> pay = 1 + 0.5 * x + 0.8 * u + 0.3 * rng.normal(size=2000)
    >>> data = pd.DataFrame({"pay": np.where(z + x + u > 0, pay, np.nan), "x": x, "z": z})
    >>> found = wg.fit_selection(data, "pay ~ x", selection="~ x + z")
    >>> [float(b.round(1)) for b in (found.premium("x").values[0], found.uncorrected.params["x"])]
    [0.5, 0.3]
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    if information == "expected" and method == "ml":
        raise OptionError(
            "information='expected' is for the probit of method='two-step'; the likelihood of method='ml' has the "
            "observed information alone."
        )
    task = _task(
        as_panel(data), formula, selection, method, by=by or (), cov=cov, small_sample=small_sample, weights=weights,
        weight_kind=weight_kind,
    )  # fmt: skip
    binary, rows = method in _BINARY, task.rows
    if "equation" in rows.by:
        raise OptionError("by='equation': results have a column of this name themselves; rename yours.")
    if set(rows.design.names) <= set(task.pay.names):
        warn(
            "every regressor of the selection equation stands in the outcome equation too: the correction rests on the "
            "shape of the error's distribution alone. Add a regressor that moves selection and not the outcome.",
            IdentificationWarning,
        )
    with_outcome = () if binary else tuple(int(code) for code in np.unique(task.codes[task.observed]))
    fitted = with_outcome if binary or places is None else _places_of(task, places, "places")
    task = replace(
        task,
        information=information,
        chosen=fitted,
        more=_places_of(task, probabilities, "probabilities"),
        degree=degree,
    )
    if rows.cov.model_based and not binary:
        raise CovarianceError(f"cov='iid' is not defined for method={method!r}: use HC0, HC1 or a cluster.")
    estimates = _of_cells(task, _fit_normal if binary else _fit_places, "corrected for selection")
    estimates = _with_bounds_said(estimates) if binary else estimates
    uncorrected = _of_cells(task, _fit_plain, "not corrected for selection")
    if binary:
        uncorrected = replace(uncorrected, labels=uncorrected.labels.drop(columns="equation"))
    cells = rows.cells.keys.assign(n=rows.count(), n_observed=rows.count(task.observed)).reset_index(drop=True)
    result = Selection(estimates, method, uncorrected, cells, tuple(task.levels[m] for m in fitted))
    return result if keep_units else result.without_units()


# rows ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """Rows of both equations, and what is fitted in every cell.

    Attributes
    ----------
    rows : Rows
        Selection equation, all rows; its outcome is the code of the choice.
    pay : Design
        Outcome equation in the same rows, zero where not observed.
    observed : ndarray of bool, shape (n,)
        Whose outcome is observed.
    codes : ndarray of int, shape (n,)
        Place of each row; 1 for those selected.
    levels : tuple of str
        Names of the places.
    notes : tuple of str
        What a reader should know.
    method : str
        How the correction is made.
    chosen, more : tuple of int
        Places whose outcome is fitted, and whose probabilities enter beside.
    degree : int
        Degree of Dahl's polynomial.
    information : str
        Of the probit of two steps: observed or expected.
    """

    rows: Rows
    pay: Design
    observed: BoolArray
    codes: IntArray
    levels: tuple[str, ...]
    notes: tuple[str, ...]
    method: SelectionMethod
    chosen: tuple[int, ...] = ()
    more: tuple[int, ...] = ()
    degree: int = 1
    information: Information = "observed"


def _task(panel: Panel, formula: str, selection: str, method: SelectionMethod, **how: Any) -> _Task:
    """Prepare both equations: the outcome's among those selected, the selection's among all."""
    binary = method in _BINARY
    parts, first = _without_effects(formula), _selection_parts(selection)
    known, codes, levels = _codes(panel, first, binary=binary)
    selected = codes == 1 if known and binary else np.ones(len(panel), dtype=bool)
    try:
        second = prepare(panel, parts, subpop=[("not selected", ~selected)], **how).design
    except DataError as error:
        raise type(error)(f"among those selected, {error}") from error
    has = np.isin(np.arange(len(panel)), second.rows)
    incomplete = [(f"selected without {parts.outcome} or its regressors", selected & ~has)] if binary and known else []
    chosen = FormulaParts(first.outcome or "selection", first.regressors, values=codes if known else has.astype(float))
    rows = prepare(panel, chosen, subpop=incomplete, **how)
    y, x = np.zeros(len(panel)), np.zeros((len(panel), second.x.shape[1]))
    y[second.rows], x[second.rows] = second.y, second.x
    at, places = rows.design.rows, rows.design.y.astype(np.intp)
    without = 0 if binary else int((~has & ~np.isnan(codes))[at].sum())
    notes = (f"{without:,} rows have a place but no outcome, and enter the first step alone.",) if without else ()
    observed = has[at] & (places == 1) if binary else has[at]
    return _Task(rows, replace(second, y=y[at], x=x[at], rows=at), observed, places, levels, notes, method)


def _without_effects(formula: str) -> FormulaParts:
    parts = split_formula(formula)
    if parts.effects:
        raise OptionError(f"formula {formula!r}: put {listing(parts.effects)} among the regressors as C(...).")
    return parts


def _selection_parts(selection: str) -> FormulaParts:
    """Both sides of the selection equation; the left one may be empty."""
    if not isinstance(selection, str):
        raise OptionError(f"selection={selection!r} must be a formula such as 'stays ~ age + children'.")
    text = selection.strip()
    bare = text.startswith("~") or "~" not in text
    if not text.removeprefix("~").strip():
        raise FormulaError(
            f"selection={selection!r} names no regressors: write 'selected ~ regressors', or '~ regressors' where "
            "whoever has an outcome is selected."
        )
    parts = _without_effects(f"selected ~ {text.removeprefix('~')}" if bare else text)
    return replace(parts, outcome="") if bare else parts


def _codes(panel: Panel, first: FormulaParts, *, binary: bool) -> tuple[bool, FloatArray, tuple[str, ...]]:
    """Whether selection is stated, its code in every row (NaN where unknown), and the names of the codes."""
    if not first.outcome:
        if not binary:
            raise OptionError(
                "with many places the selection equation needs the place of each worker on its left side."
            )
        return False, np.full(len(panel), np.nan), ("out", "in")
    column = column_of(panel, first.outcome, "for selection")
    if binary:
        values = as_numbers(column, repr(first.outcome))
        if not (np.isin(values, (0.0, 1.0)) | column.isna().to_numpy()).all():
            raise DataError(f"selection into {first.outcome!r} must be 0/1; for many places choose method='dahl'.")
        return True, values, ("out", "in")
    levels = sorted(column.dropna().unique().tolist(), key=str)
    if len(levels) < 2:
        places = "a single place" if levels else "no place"
        raise IdentificationError(f"{first.outcome!r} has {places}: there is no selection to correct for.")
    if len(levels) * _ROWS_OF_A_PLACE > len(column):
        raise IdentificationError(
            f"{first.outcome!r} has {len(levels):,} places in {len(column):,} rows, fewer than {_ROWS_OF_A_PLACE} in "
            "each on average, and every place has coefficients of its own: join places into fewer."
        )
    numbers_of = {level: float(i) for i, level in enumerate(levels)}
    return True, column.map(numbers_of).to_numpy(dtype=float), tuple(map(str, levels))


def _places_of(task: _Task, places: str | Sequence[str], option: str) -> tuple[int, ...]:
    named = [places] if isinstance(places, str) else [str(place) for place in places]
    for name in named:
        if name not in task.levels:
            raise OptionError(
                f"{option}: {name!r} is no place.{did_you_mean(name, task.levels)} Places: {listing(task.levels, 20)}."
            )
    return tuple(task.levels.index(name) for name in named)


def _with_bounds_said(estimates: Estimates) -> Estimates:
    """Say, in a warning and a note, where two steps give a correlation that is none."""
    is_rho = ((estimates.labels["equation"] == "error") & (estimates.labels["term"] == "rho")).to_numpy()
    beyond = np.flatnonzero(is_rho & (np.abs(estimates.values) >= 1))
    if not len(beyond):
        return estimates
    keys = [name for name in estimates.by if name != "equation"]
    cells = estimates.labels.loc[beyond, keys].astype(str).agg(" ".join, axis=1) if keys else ["the data"] * len(beyond)
    stood = listing(f"{value:.3g} in {cell}" for value, cell in zip(estimates.values[beyond], cells, strict=True))
    words = (
        f"rho, a correlation, is {stood}: the coefficient of lambda is larger than the spread of the outcome allows "
        "under normal errors, and rho's error and test mean nothing."
    )
    warn(words + " Add a regressor that moves selection alone, or fit method='ml'.", IdentificationWarning)
    return replace(estimates, notes=(*estimates.notes, words))


# fits ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class _Fit(CellFit):
    """Fit of a cell with the equation and term of each value."""

    labels: tuple[tuple[str, str], ...]


def _fit_normal(task: _Task, cell: Cell) -> _Fit:
    """Heckman's model, by two steps or maximum likelihood."""
    at, z, names, selection_names = cell.rows, cell.x, task.pay.names, task.rows.design.names
    given = (task.pay.y[at], task.pay.x[at], task.observed[at], z, cell.weights)
    if task.method == "ml":
        ml = fit_heckman(*given, names=names, selection_names=selection_names)
        values = np.concatenate([ml.selection, ml.params, [ml.sigma, ml.rho]])
        influence, classical = ml.influence, ml.bread
    else:
        two = fit_two_step(*given, names=names, selection_names=selection_names, information=task.information)
        names = (*names, "lambda")
        values = np.concatenate([two.selection.params, two.second.params, [two.sigma, two.rho]])
        influence, classical = two.influence, np.diag([0.0] * (len(values) - 2) + [np.nan] * 2)
        classical[:-2, :-2] = two.classical
    # the numerics put selection first
    order = np.r_[z.shape[1] : len(values) - 2, : z.shape[1], len(values) - 2, len(values) - 1]
    equations = {"outcome": names, "selection": selection_names, "error": ("sigma", "rho")}
    return _Fit(
        values=values[order],
        influence=influence[:, order],
        n_params=len(values) - 2,
        classical=classical[np.ix_(order, order)],
        labels=tuple((equation, name) for equation, terms in equations.items() for name in terms),
    )


def _fit_places(task: _Task, cell: Cell) -> _Fit:
    """A multinomial logit of places, and the outcome in each with its correction."""
    at, z, weights, selection_names = cell.rows, cell.x, cell.weights, task.rows.design.names
    choice = fit_multinomial(task.codes[at], z, weights, names=selection_names, outcomes=task.levels)
    if not choice.kept.all():
        lost = compress(selection_names, ~choice.kept)
        raise IdentificationError(f"{listing(lost)} is collinear with other columns of the selection equation.")
    first = choice.influence(z)
    labels: list[tuple[str, str]] = []
    values, influence = [], []
    for m in task.chosen:
        chose = task.observed[at] & (task.codes[at] == m)
        terms = _terms(task, choice.probabilities[chose], m)
        names = (*task.pay.names, *terms.names)
        if chose.sum() <= len(names):
            raise IdentificationError(
                f"the outcome of {task.levels[m]} is observed in {int(chose.sum())} rows for {len(names)} "
                "coefficients: leave the place out with places=, or drop regressors."
            )
        w = None if weights is None else weights[chose]
        try:
            second = corrected_least_squares(
                task.pay.y[at][chose], task.pay.x[at][chose], terms.values, terms.slopes, z[chose], w, names=names
            )
        except IdentificationError as error:
            raise IdentificationError(f"in the outcome of {task.levels[m]}, {error}") from error
        labels += [(f"outcome of {task.levels[m]}", name) for name in names]
        values.append(second.params)
        influence.append(second.influence(w, chose, first))
    labels += [(f"selection into {level}", name) for level in task.levels[1:] for name in selection_names]
    values.append(choice.params.ravel())
    return _Fit(
        values=np.concatenate(values),
        influence=np.column_stack([*influence, first]),
        n_params=len(task.pay.names) + choice.params.size,
        labels=tuple(labels),
    )


def _terms(task: _Task, probabilities: FloatArray, m: int) -> Terms:
    """Correction terms of those who chose place m."""
    if task.method == "lee":
        return lee_terms(probabilities, m)
    if task.method == "dubin-mcfadden":
        return dubin_mcfadden_terms(probabilities, m, task.levels)
    return dahl_terms(probabilities, [m, *(place for place in task.more if place != m)], task.degree, task.levels)


def _crossed_with(term: str, product: str) -> list[str]:
    """What a regressor is multiplied with in a product.

    >>> _crossed_with("ai", "ai:female"), _crossed_with("ai", "female")
    (['female'], [])
    """
    parts = product.split(":")
    return [part for part in parts if part != term] if term in parts and len(parts) > 1 else []


# from fits to results ------------------------------------------------------------------------------------------------


def _of_cells(task: _Task, fit: Callable[[_Task, Cell], _Fit], what: str) -> Estimates:
    """Fit every cell and relate them."""
    fits = fit_cells(task.rows, partial(fit, task))
    labels = pd.DataFrame(fits[0].labels, columns=["equation", "term"])
    in_pay = labels["equation"].str.startswith("outcome") | (labels["term"] == "sigma")
    labels = labels.assign(unit=np.where(in_pay, task.pay.unit, "none"))
    return relate(task.rows, fits, partial(fit, task), labels, title=f"{task.pay.outcome} {what}", notes=task.notes)


def _fit_plain(task: _Task, cell: Cell) -> _Fit:
    """Least squares of those observed in a cell."""
    at, places = cell.rows, {f"outcome of {task.levels[m]}": task.codes[cell.rows] == m for m in task.chosen}
    values, influence, classical = [], [], np.empty((0, 0))
    for chose in places.values() or [np.ones(len(at), dtype=bool)]:
        used = task.observed[at] & chose
        x, w = task.pay.x[at][used], np.ones(int(used.sum())) if cell.weights is None else cell.weights[used]
        fit = fit_lstsq(task.pay.y[at][used], x, w)
        rows = np.zeros((len(at), x.shape[1]))
        rows[used] = (x * (w * fit.residuals)[:, None]) @ fit.bread
        values.append(np.nan_to_num(fit.params))
        influence.append(rows)
        classical = fit.bread * float(w @ fit.residuals**2) / max(task.rows.sample.observations(at[used]) - fit.rank, 1)
    return _Fit(
        values=np.concatenate(values),
        influence=np.column_stack(influence),
        n_params=len(task.pay.names),
        classical=classical if len(values) == 1 else None,
        labels=tuple((equation, name) for equation in places or ("outcome",) for name in task.pay.names),
    )
