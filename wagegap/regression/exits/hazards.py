"""Hazards of one cell and what is read off them: coefficients, effects, elasticities, average hazards, incidence.

The formula is evaluated at changed values of its columns (a number moved a little, a factor at each of its levels, the
period at every period), so that effects are those of variables, with their powers and interactions, and not of columns.
A premium of cells is moved in the same way: how far the coefficients, and everything read off them, move with it is
what carries its errors.

References
----------
Bartus, T. (2005). Estimation of marginal effects using margeff. Stata Journal 5, 309-329.
Murphy, K. and R. Topel (1985). Estimation and inference in two-step econometric models. Journal of Business & Economic
Statistics 3, 370-379.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, Information, IntArray
from wagegap.errors import IdentificationError, OptionError, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.least_squares.lstsq import Collinear
from wagegap.estimation.likelihood.binary import fit_binary, score
from wagegap.estimation.likelihood.multinomial import fit_multinomial, softmax
from wagegap.estimation.periods import order_periods
from wagegap.estimation.sample import Cell, CellFit
from wagegap.regression.exits.margins import (
    Averages,
    ExitLink,
    Response,
    average_change,
    average_elasticity,
    average_slope,
    incidence,
)
from wagegap.regression.exits.person_periods import AtRisk, Evaluator, cells_of_rows, mentions

__all__ = ["Change", "HazardFit", "HazardTask", "Questions", "Shift", "Slope", "fit_hazard"]

_STEP = 1e-5  # relative step of the derivatives of a formula


# what is asked of the coefficients -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Slope:
    """A number in which the hazards have a derivative: its name, values (n,), and derivatives of the regressors."""

    term: str
    values: FloatArray
    dx: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A column that changes from one level to another: its name, regressors at both."""

    term: str
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Regressors at changed values of the columns.

    Attributes
    ----------
    variables : tuple
        Numbers and columns that change, in the order of the formula.
    times : tuple
        Periods, first to last.
    periods : tuple of ndarray, each of shape (m, k)
        Regressors of the first rows of workers in every period.
    first : ndarray of int, shape (m,)
        Those rows.
    period : ndarray of int, shape (n,)
        Number of each row's period.
    """

    variables: tuple[Slope | Change, ...] = ()
    times: tuple[Any, ...] = ()
    periods: tuple[FloatArray, ...] = ()
    first: IntArray = field(default_factory=lambda: np.arange(0))
    period: IntArray = field(default_factory=lambda: np.arange(0))

    @classmethod
    def of(cls, risk: AtRisk, evaluator: Evaluator, premiums: Mapping[str, Estimates]) -> Questions:
        """Evaluate the formula at changed values of its columns."""
        variables: list[Slope | Change] = []
        for name in evaluator.variables:
            levels = evaluator.levels(name)
            if name == risk.time:
                continue
            if not levels and np.isin(evaluator.frame[name], (0.0, 1.0)).all() and name not in premiums:
                variables.append(Change(name, evaluator.at({name: 0.0}), evaluator.at({name: 1.0})))
            elif not levels:
                variables.append(_slope(evaluator, name))
            for level in levels[1:]:
                low, high = (evaluator.at({name: one}) for one in (levels[0], level))
                variables.append(Change(f"{name}[{level}]", low, high))
        return cls(tuple(variables), *_periods(risk, evaluator))

    @property
    def slopes(self) -> list[Slope]:
        """Those that are numbers."""
        return [asked for asked in self.variables if isinstance(asked, Slope)]


def _slope(evaluator: Evaluator, name: str) -> Slope:
    """Central differences of the regressors in a number."""
    values = evaluator.frame[name].to_numpy(dtype=float)
    # dx/dv = [x(v + h) - x(v - h)] / 2h
    h = _STEP * np.where(values != 0, np.abs(values), float(np.std(values)) or 1.0)
    dx = (evaluator.at({name: values + h}) - evaluator.at({name: values - h})) / (2 * h)[:, None]
    return Slope(name, values, dx)


def _periods(risk: AtRisk, evaluator: Evaluator) -> tuple[tuple[Any, ...], tuple[FloatArray, ...], IntArray, IntArray]:
    """Periods, the regressors of workers' first rows in each, those rows, and the period of every row."""
    rows, time = risk.rows, risk.time
    if time is None:
        return (), (), np.arange(0), np.arange(0)
    found = order_periods(rows.columns([time])[time])
    codes, levels = found.codes, found.levels.tolist()
    first = np.arange(len(codes))
    if rows.workers is not None:
        first = np.sort(pd.Series(codes).groupby([rows.workers, rows.cells.codes]).idxmin().to_numpy())
    periods = tuple(evaluator.at({time: level}, first) for level in levels)
    return tuple(levels), periods, first, codes


@dataclass(frozen=True, slots=True, eq=False)
class Shift:
    """A premium moved up and down a little: regressors and questions at both, and the cell of each row.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Which parameter of the premiums each row has.
    count : int
        Number of these parameters.
    step : float
        How far it is moved.
    x : tuple of ndarray
        Regressors up and down.
    questions : tuple of Questions
        Questions up and down.
    """

    codes: IntArray
    count: int
    step: float
    x: tuple[FloatArray, FloatArray]
    questions: tuple[Questions, Questions]


def _shift(risk: AtRisk, name: str, premiums: Mapping[str, Estimates], *, margins: bool) -> Shift:
    """Premium moved, for the derivatives in it."""
    evaluator, premium = risk.evaluator, premiums[name]
    if name not in evaluator.frame:
        raise OptionError(f"premiums: the formula has no regressor {name!r}; write it where the premium enters.")
    values = evaluator.frame[name].to_numpy(dtype=float)
    step = _STEP * max(float(np.abs(values).max()), 1e-3)
    up, down = (evaluator.shifted({name: values + sign * step}) for sign in (1, -1))
    asked = [Questions.of(risk, end, premiums) if margins else Questions() for end in (up, down)]
    codes = cells_of_rows(premium, risk.rows.columns(premium.by))
    return Shift(codes, len(premium.values), step, (up.design.x, down.design.x), (asked[0], asked[1]))


# fits ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class HazardTask:
    """What is fitted in every cell.

    Attributes
    ----------
    risk : AtRisk
        Rows, exits and regressors.
    model : str
        Logit, probit, cloglog, lpm or multinomial.
    questions : Questions
        What is read off the coefficients.
    shifts : dict of str to Shift
        One for each premium.
    information : str
        Observed or expected.
    """

    risk: AtRisk
    model: ExitLink
    questions: Questions
    shifts: Mapping[str, Shift]
    information: Information = "observed"

    @classmethod
    def of(
        cls,
        risk: AtRisk,
        model: ExitLink,
        premiums: Mapping[str, Estimates],
        *,
        margins: bool,
        information: Information = "observed",
    ) -> HazardTask:
        """Evaluate the formula at what is asked."""
        questions = Questions.of(risk, risk.evaluator, premiums) if margins else Questions()
        shifts = {name: _shift(risk, name, premiums, margins=margins) for name in premiums}
        return cls(risk, model, questions, shifts, information)

    @property
    def response(self) -> Response:
        """Probabilities of the exits as functions of their indices."""
        return Response(self.model)


@dataclass(frozen=True, slots=True, eq=False)
class _Coefficients:
    """Coefficients (m, k), zero where a column is set aside, and what their errors need."""

    params: FloatArray
    bread: FloatArray
    classical: FloatArray
    influence: FloatArray
    kept: BoolArray
    collinear: tuple[Collinear, ...]
    loglik: float


@dataclass(frozen=True, eq=False, kw_only=True)
class HazardFit(CellFit):
    """Reported coefficients, effects, elasticities, hazards and incidence of a cell, NaN where not identified.

    Attributes
    ----------
    influence : ndarray, shape (n, q)
        Influence of each row on them.
    by_premium : tuple of ndarray, each of shape (q, P)
        Derivatives in the parameters of each premium.
    loglik : float
        Log likelihood.
    """

    influence: FloatArray
    by_premium: tuple[FloatArray, ...]
    loglik: float


def fit_hazard(task: HazardTask, cell: Cell) -> HazardFit:
    """Return coefficients of a cell and everything that is read off them.

    Raises
    ------
    IdentificationError
        Where an exit does not vary, outcomes are separated, or a premium is swallowed by other columns.
    """
    risk = task.risk
    _check_varies(task, cell)
    fit = _coefficients(task, cell)
    _check_premiums(task, fit, cell.name)
    answers = _answers(task, fit, task.questions, cell)
    m, k = fit.params.shape
    reported = np.flatnonzero(np.tile(np.arange(k) < risk.n_reported, m))
    coefs = np.where(np.tile(fit.kept, m), fit.params.ravel(), np.nan)[reported]
    # V = G H^-1 G', G the derivatives of all values in the coefficients
    matrix = np.vstack([np.eye(m * k)[reported], *(answer.averages.gradient for answer in answers)])
    # a level that a cell does not have is no collinear column, nor is a dummy of an effect
    collinear = [one for one in fit.collinear if one.made_of and one.column < risk.n_reported]
    return HazardFit(
        values=np.concatenate([coefs, *(answer.values() for answer in answers)]),
        influence=np.hstack([fit.influence[:, reported], *(answer.influence(fit.influence) for answer in answers)]),
        n_params=int(fit.kept.sum()) * m,
        classical=matrix @ fit.classical @ matrix.T,
        collinear=tuple(combination_in_words(one, risk.names) for one in collinear),
        by_premium=tuple(_by_premium(task, fit, shift, cell, matrix) for shift in task.shifts.values()),
        loglik=fit.loglik,
    )


def _coefficients(task: HazardTask, cell: Cell) -> _Coefficients:
    """Fit one cell."""
    risk, x, weights = task.risk, cell.x, cell.weights
    if task.model == "multinomial":
        outcomes = (risk.base, *risk.exits)
        fit = fit_multinomial(cell.y.astype(np.intp), x, weights, names=risk.names, outcomes=outcomes)
        return _Coefficients(
            np.nan_to_num(fit.params), fit.bread, fit.bread, fit.influence(x), fit.kept, fit.collinear, fit.loglik
        )
    one = fit_binary(cell.y, x, weights, task.model, names=risk.names)
    classical = one.inverse_information(x, task.information)
    if task.model == "lpm":
        classical = classical * (-2 * one.loglik) / (cell.nobs - one.kept.sum())
    influence = one.influence(x, task.information)
    return _Coefficients(
        np.nan_to_num(one.params)[None], one.bread, classical, influence, one.kept, one.collinear, one.loglik
    )


def _check_varies(task: HazardTask, cell: Cell) -> None:
    """Exits must happen, and not to everybody."""
    if not np.ptp(cell.y):
        how_often = "never" if cell.y[0] == 0 else "always"
        raise IdentificationError(
            f"{listing(task.risk.exits)} {how_often} happens in {len(cell.y):,} rows"
            f"{f' of {cell.name}' if cell.name else ''}: there is nothing to explain. Pool cells, or leave this one "
            "out."
        )


def _check_premiums(task: HazardTask, fit: _Coefficients, name: str) -> None:
    """A premium must vary among the rows it explains."""
    involved = {j for one in fit.collinear for j in (one.column, *(column for column, _ in one.made_of))}
    columns = [task.risk.rows.design.columns[j] for j in sorted(involved)]
    lost = [column.name for column in columns if any(mentions(column, premium) for premium in task.shifts)]
    if lost:
        raise IdentificationError(
            f"collinear with other columns{f' in {name}' if name else ''}: {listing(lost)}. A premium of cells needs "
            "cells between which it varies, and no effects that swallow it."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """Averages over some rows of a cell."""

    averages: Averages
    at: IntArray
    share: FloatArray
    known: bool | BoolArray

    def values(self) -> FloatArray:
        return np.asarray(np.where(self.known, self.averages.values(self.share), np.nan))

    def influence(self, on_params: FloatArray) -> FloatArray:
        # IF_i = share_i (f_i - mean f) + (df / db) IF_i(b)
        out = on_params @ self.averages.gradient.T
        out[self.at] += self.share[:, None] * (self.averages.rows - self.averages.values(self.share))
        return np.asarray(out)


def _answers(task: HazardTask, fit: _Coefficients, questions: Questions, cell: Cell) -> list[_Answer]:
    """Effects of all variables, elasticities, hazards and incidence, in this order."""
    response, rows, x = task.response, cell.rows, cell.x
    weights = np.ones(len(rows)) if cell.weights is None else cell.weights
    everybody, share = np.arange(len(rows)), weights / weights.sum()
    effects, elasticities = [], []
    for asked in questions.variables:
        if isinstance(asked, Change):
            low, high = asked.low[rows], asked.high[rows]
            known = bool(((low != high).any(axis=0) & fit.kept).any())
            change = average_change(response, fit.params, low, high, share)
            effects.append(_Answer(change, everybody, share, known))
        else:
            values, dx = asked.values[rows], asked.dx[rows]
            known = bool(np.ptp(values) > 0)
            slope = average_slope(response, fit.params, x, dx, share)
            elasticity = average_elasticity(response, fit.params, x, dx, values, share)
            effects.append(_Answer(slope, everybody, share, known))
            elasticities.append(_Answer(elasticity, everybody, share, known))
    return [*effects, *elasticities, *_curves(task, fit, questions, rows, weights)]


def _curves(
    task: HazardTask, fit: _Coefficients, questions: Questions, rows: IntArray, weights: FloatArray
) -> list[_Answer]:
    """Hazards and incidence over the periods that the cell has."""
    if not questions.times:
        return []
    inside = np.isin(questions.first, rows)
    at = np.searchsorted(rows, questions.first[inside])
    share = weights[at] / weights[at].sum()
    designs = [period[inside] for period in questions.periods]
    present = np.bincount(questions.period[rows], minlength=len(questions.times)) > 0
    known = np.repeat(np.logical_and.accumulate(present), len(task.risk.exits))
    curves = incidence(task.response, fit.params, designs, share)
    return [_Answer(averages, at, share, known) for averages in curves]


def _by_premium(task: HazardTask, fit: _Coefficients, shift: Shift, cell: Cell, matrix: FloatArray) -> FloatArray:
    """Derivative of all values of a cell in the premiums, shape (q, P)."""
    # The scores sum to zero at every p, so that db/dp = H^-1 sum_i ds_i/dp; a value f(b, p) moves by
    # (df/db) db/dp + df/dp; derivatives in p are [.(p + h) - .(p - h)] / 2h, summed over the rows of each cell.
    ends = [replace(cell, x=x[cell.rows]) for x in shift.x]
    up, down = (_scores(task, fit, end) for end in ends)
    codes = shift.codes[cell.rows]
    by_coefficients = matrix @ fit.bread @ _summed((up - down) / (2 * shift.step), codes, shift.count)
    answers = [_answers(task, fit, asked, end) for asked, end in zip(shift.questions, ends, strict=True)]
    direct = [np.zeros((len(fit.params) * task.risk.n_reported, shift.count))]
    for above, below in zip(*answers, strict=True):
        change = (above.averages.rows - below.averages.rows) * above.share[:, None] / (2 * shift.step)
        direct.append(_summed(change, codes[above.at], shift.count))
    return np.asarray(by_coefficients + np.vstack(direct))


def _summed(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Sums of rows by code, shape (q, count)."""
    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in values.T])


def _scores(task: HazardTask, fit: _Coefficients, cell: Cell) -> FloatArray:
    """Derivative of each row's log likelihood in the coefficients, (n, m k)."""
    index = cell.x @ fit.params.T
    if task.model == "multinomial":
        residuals = (cell.y[:, None] == np.arange(1, len(fit.params) + 1)) - softmax(index)[:, 1:]
    else:
        residuals = score(index[:, 0], cell.y, task.model)[:, None]
    weighted = residuals if cell.weights is None else residuals * cell.weights[:, None]
    return np.asarray((weighted[:, :, None] * cell.x[:, None, :]).reshape(len(cell.x), -1))
