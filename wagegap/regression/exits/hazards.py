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
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import IdentificationError, OptionError, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.least_squares.lstsq import Collinear
from wagegap.estimation.likelihood.binary import fit_binary, score
from wagegap.estimation.likelihood.multinomial import fit_multinomial, softmax
from wagegap.estimation.sample import Sample
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

__all__ = ["CellFit", "Change", "ExitModel", "HazardTask", "Questions", "Shift", "Slope", "fit_cell", "premium_shifts"]

ExitModel: TypeAlias = ExitLink
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
    """

    variables: tuple[Slope | Change, ...]
    times: tuple[Any, ...]
    periods: tuple[FloatArray, ...]
    first: IntArray

    @classmethod
    def of(cls, risk: AtRisk, premiums: Mapping[str, Estimates], **shift: FloatArray) -> Questions:
        """Evaluate the formula; `shift` gives some columns other values throughout."""
        evaluator = risk.evaluator().shifted(shift)
        variables: list[Slope | Change] = []
        for name in evaluator.variables:
            if name == risk.regressors.time:
                continue
            if evaluator.is_factor(name):
                first, *others = evaluator.levels(name)
                low = evaluator.at({name: first})
                variables += [Change(f"{name}[{level}]", low, evaluator.at({name: level})) for level in others]
            elif np.isin(evaluator.frame[name], (0.0, 1.0)).all() and name not in premiums:
                variables.append(Change(name, evaluator.at({name: 0.0}), evaluator.at({name: 1.0})))
            else:
                variables.append(_slope(evaluator, name))
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


def _periods(risk: AtRisk, evaluator: Evaluator) -> tuple[tuple[Any, ...], tuple[FloatArray, ...], IntArray]:
    """Periods, the regressors of workers' first rows in each, and those rows."""
    time = risk.regressors.time
    if time is None:
        return (), (), np.arange(0)
    column = risk.panel.frame[time].iloc[risk.design.rows]
    codes, levels = pd.factorize(column, sort=True)
    first = np.arange(len(codes))
    if risk.panel.roles.worker is not None:
        worker = risk.panel.groupings(risk.design.rows)["worker"].codes.astype(np.int64)
        unit = worker * len(risk.cells.names) + risk.cells.codes
        order = np.lexsort((codes, unit))
        first = np.sort(order[np.r_[True, np.diff(unit[order]) != 0]])
    periods = tuple(evaluator.at({time: level}, first) for level in levels)
    return tuple(np.asarray(levels).tolist()), periods, first


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


def premium_shifts(
    risk: AtRisk, premiums: Mapping[str, Estimates], questions: Questions, margins: bool
) -> tuple[Shift, ...]:
    """Return every premium moved, for the derivatives in it."""
    out = []
    evaluator = risk.evaluator()
    for name, premium in premiums.items():
        if name not in evaluator.frame:
            raise OptionError(f"premiums: the formula has no regressor {name!r}; write it where the premium enters.")
        values = evaluator.frame[name].to_numpy(dtype=float)
        step = _STEP * max(float(np.abs(values).max()), 1e-3)
        ends = [{name: values + sign * step} for sign in (1, -1)]
        x = tuple(evaluator.at(end) for end in ends)
        asked = tuple(Questions.of(risk, premiums, **end) if margins else questions for end in ends)
        codes = cells_of_rows(premium, risk.panel.frame.iloc[risk.design.rows])
        out.append(Shift(codes, len(premium.values), step, (x[0], x[1]), (asked[0], asked[1])))
    return tuple(out)


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
    sample : Sample
        Weights and cells of the rows.
    questions : Questions
        What is read off the coefficients.
    shifts : tuple of Shift
        One for each premium.
    premiums : tuple of str
        Names of the premiums.
    """

    risk: AtRisk
    model: ExitModel
    sample: Sample
    questions: Questions
    shifts: tuple[Shift, ...]
    premiums: tuple[str, ...]

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


@dataclass(frozen=True, slots=True, eq=False)
class CellFit:
    """Values of a cell, NaN where not identified.

    Attributes
    ----------
    values : ndarray, shape (q,)
        Reported coefficients, effects, elasticities, hazards, incidence.
    influence : ndarray, shape (n, q)
        Influence of each row on them.
    classical : ndarray, shape (q, q)
        Covariance by the inverse information.
    by_premium : tuple of ndarray, each of shape (q, P)
        Derivatives in the parameters of each premium.
    n_params : int
        Coefficients estimated.
    collinear : tuple of str
        Columns left out, in words.
    loglik : float
        Log likelihood.
    """

    values: FloatArray
    influence: FloatArray
    classical: FloatArray
    by_premium: tuple[FloatArray, ...]
    n_params: int
    collinear: tuple[str, ...]
    loglik: float


def _coefficients(task: HazardTask, rows: IntArray, weights: FloatArray | None) -> _Coefficients:
    """Fit one cell."""
    risk, x = task.risk, task.risk.x[rows]
    if task.model == "multinomial":
        names = (risk.base, *risk.exits)
        fit = fit_multinomial(risk.outcome[rows], x, weights, names=risk.names, outcomes=names)
        return _Coefficients(
            np.nan_to_num(fit.params), fit.bread, fit.bread, fit.influence(x), fit.kept, fit.collinear, fit.loglik
        )
    one = fit_binary(risk.happened[rows], x, weights, task.model, names=risk.names)
    classical = one.expected_bread(x)
    if task.model == "lpm":
        used = len(rows) if task.sample.repeats is None else float(task.sample.repeats[rows].sum())
        classical = classical * (-2 * one.loglik) / (used - one.kept.sum())
    return _Coefficients(
        np.nan_to_num(one.params)[None], one.bread, classical, one.influence(x), one.kept, one.collinear, one.loglik
    )  # fmt: skip


def fit_cell(task: HazardTask, c: int, rows: IntArray, weights: FloatArray | None) -> CellFit:
    """Return coefficients of a cell and everything that is read off them.

    Parameters
    ----------
    task : HazardTask
        What is fitted.
    c : int
        Number of the cell.
    rows : ndarray of int, shape (n,)
        Its rows.
    weights : ndarray, shape (n,), optional
        Their weights.

    Raises
    ------
    IdentificationError
        Where an exit does not vary, outcomes are separated, or a premium is swallowed by other columns; names the cell.
    """
    name = task.risk.cells.names[c]
    _check_varies(task, rows, name)
    try:
        fit = _coefficients(task, rows, weights)
    except IdentificationError as error:
        raise IdentificationError(f"{f'in {name}, ' if name else ''}{error}") from error
    _check_premiums(task, fit, name)
    share = np.ones(len(rows)) if weights is None else weights
    answers = _answers(task, fit, task.questions, rows, task.risk.x[rows], share)
    m, k = fit.params.shape
    reported = np.concatenate([j * k + task.risk.reported for j in range(m)])
    coefs = np.where(np.tile(fit.kept, m), fit.params.ravel(), np.nan)[reported]
    values = [coefs, *(answer.values() for answer in answers)]
    influence = [fit.influence[:, reported], *(answer.influence(fit.influence) for answer in answers)]
    # V = G H^-1 G', G the derivatives of all values in the coefficients
    matrix = np.vstack([np.eye(m * k)[reported], *(answer.averages.gradient for answer in answers)])
    # a level that a cell does not have is no collinear column, nor is a dummy of an effect
    collinear = tuple(
        combination_in_words(one, task.risk.names)
        for one in fit.collinear
        if one.made_of and one.column < len(task.risk.reported)
    )
    moved = tuple(_by_premium(task, fit, shift, rows, weights, matrix, len(reported)) for shift in task.shifts)
    return CellFit(
        np.concatenate(values), np.hstack(influence), matrix @ fit.classical @ matrix.T, moved,
        int(fit.kept.sum()) * m, collinear, fit.loglik,
    )  # fmt: skip


def _check_varies(task: HazardTask, rows: IntArray, name: str) -> None:
    """Exits must happen, and not to everybody."""
    happened = task.risk.happened[rows]
    if not np.ptp(happened):
        how_often = "never" if happened[0] == 0 else "always"
        raise IdentificationError(
            f"{listing(task.risk.exits)} {how_often} happens in {len(rows):,} rows{f' of {name}' if name else ''}: "
            "there is nothing to explain. Pool cells, or leave this one out."
        )


def _check_premiums(task: HazardTask, fit: _Coefficients, name: str) -> None:
    """A premium must vary among the rows it explains."""
    involved = {j for one in fit.collinear for j in (one.column, *(column for column, _ in one.made_of))}
    columns = [task.risk.names[j] for j in sorted(involved)]
    lost = [column for column in columns if any(mentions(column, premium) for premium in task.premiums)]
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


def _answers(
    task: HazardTask, fit: _Coefficients, questions: Questions, rows: IntArray, x: FloatArray, weights: FloatArray
) -> list[_Answer]:
    """Effects of all variables, elasticities, hazards and incidence, in this order."""
    response, everybody = task.response, np.arange(len(rows))
    share = weights / weights.sum()
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
    time = task.risk.panel.frame[task.risk.regressors.time].iloc[task.risk.design.rows[rows]]
    present = np.isin(np.array(questions.times), time.unique())
    known = np.repeat(np.cumprod(present).astype(bool), len(task.risk.exits))
    curves = incidence(task.response, fit.params, designs, share)
    return [_Answer(averages, at, share, known) for averages in curves]


def _by_premium(
    task: HazardTask,
    fit: _Coefficients,
    shift: Shift,
    rows: IntArray,
    weights: FloatArray | None,
    matrix: FloatArray,
    n_reported: int,
) -> FloatArray:
    """Derivative of all values of a cell in the premiums, shape (q, P)."""
    # The scores sum to zero at every p, so that db/dp = H^-1 sum_i ds_i/dp; a value f(b, p) moves by
    # (df/db) db/dp + df/dp; derivatives in p are [.(p + h) - .(p - h)] / 2h, summed over the rows of each cell.
    ends = [x[rows] for x in shift.x]
    scores = [_scores(task, fit, rows, x, weights) for x in ends]
    codes = shift.codes[rows]
    total = matrix @ fit.bread @ _summed((scores[0] - scores[1]) / (2 * shift.step), codes, shift.count)
    given = np.ones(len(rows)) if weights is None else weights
    answers = [_answers(task, fit, q, rows, x, given) for q, x in zip(shift.questions, ends, strict=True)]
    at = n_reported
    for up, down in zip(*answers, strict=True):
        change = (up.averages.rows - down.averages.rows) * up.share[:, None] / (2 * shift.step)
        width = change.shape[1]
        total[at : at + width] += _summed(change, codes[up.at], shift.count)
        at += width
    return total


def _summed(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Sums of rows by code, shape (q, count)."""
    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in values.T])


def _scores(
    task: HazardTask, fit: _Coefficients, rows: IntArray, x: FloatArray, weights: FloatArray | None
) -> FloatArray:
    """Derivative of each row's log likelihood in the coefficients at given regressors, (n, m k)."""
    index = x @ fit.params.T
    if task.model == "multinomial":
        residuals = (task.risk.outcome[rows][:, None] == np.arange(1, fit.params.shape[0] + 1)) - softmax(index)[:, 1:]
    else:
        residuals = score(index[:, 0], task.risk.happened[rows], task.model)[:, None]
    weighted = residuals if weights is None else residuals * weights[:, None]
    return np.asarray((weighted[:, :, None] * x[:, None, :]).reshape(len(x), -1))
