"""Who leaves, and how: exits of workers in discrete time, one or several that compete.

The hazard of an exit in a period, given that the worker is still there, is a logit, probit, complementary log-log or
linear function of regressors and dummies of the duration; competing exits (leaving the country, leaving the field,
staying) are a multinomial logit, whose probabilities are the cause-specific hazards. What is read off are average
marginal effects and elasticities, average hazards, and cumulative incidence. Rows of a worker go together.

A premium that another stage estimated for each cell can be a regressor. Its errors V_pp reach every number: with
d theta / dp the derivative of the coefficients in the premiums, the covariance gains D V_pp D' and, where workers made
both, the cross terms.

References
----------
Jenkins, S. (1995). Easy estimation methods for discrete-time duration models. Oxford Bulletin of Economics and
Statistics 57, 129-138.
Allison, P. (1982). Discrete-time methods for the analysis of event histories. Sociological Methodology 13, 61-98.
Bartus, T. (2005). Estimation of marginal effects using margeff. Stata Journal 5, 309-329.
Murphy, K. and R. Topel (1985). Estimation and inference in two-step econometric models. Journal of Business & Economic
Statistics 3, 370-379.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import BoolArray, FloatArray, IntArray, RngLike, SmallSample, WeightKind
from wagegap.errors import (
    DataError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    listing,
    public,
    warn,
)
from wagegap.estimation.cov import Bootstrap, Covariance, CovLike, Replicates, Robust
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.fit import combination_in_words, describe_collinear
from wagegap.estimation.influence import InfluenceBlock, check_influence_cov, influence_root
from wagegap.estimation.kernels.binary import fit_binary, score
from wagegap.estimation.kernels.lstsq import Collinear
from wagegap.estimation.kernels.margins import (
    Averages,
    ExitLink,
    Response,
    average_change,
    average_elasticity,
    average_slope,
    incidence,
)
from wagegap.estimation.kernels.multinomial import fit_multinomial, softmax
from wagegap.estimation.replication import replicate_root
from wagegap.estimation.result import Result
from wagegap.estimation.roots import Root, ScoreRoot
from wagegap.estimation.sample import Sample, check_weights_allow
from wagegap.estimation.spec import Spec, kept
from wagegap.panel.panel import as_panel
from wagegap.panel.sampling import (
    build_sample,
    cell_keys,
    replicate_scopes,
    replicate_weights,
    resolve_cov,
    with_weights,
)
from wagegap.regression.person_periods import AtRisk, Evaluator, ExitCall, ExitLike, as_estimates, rows_at_risk

__all__ = ["Exits", "fit_exits"]

ExitModel: TypeAlias = Literal["logit", "probit", "cloglog", "lpm", "multinomial"]
_MODELS = ("logit", "probit", "cloglog", "lpm", "multinomial")
_STEP = 1e-5  # relative step of the derivatives of a formula


@dataclass(frozen=True, eq=False, repr=False)
class Exits(Result):
    """Hazards of exits.

    Attributes
    ----------
    estimates : Estimates
        Coefficients: keys of the cell, the exit where several compete, the term.
    model : str
        Logit, probit, cloglog, lpm or multinomial.
    exits : tuple of str
        Names of the exits.
    base : str
        Name of staying.
    effects : Estimates or None
        Average marginal effects on the hazard of each exit: the derivative in a number, the change from 0 to 1 or from
        the base level of a factor.
    elasticities : Estimates or None
        Average elasticities of the hazards in numbers.
    hazards, incidence : Estimates or None
        Average hazard of each exit in each period, and cumulative incidence up to it, were the workers to keep the
        regressors of their first row; where `time` was named.
    cells : DataFrame
        Keys, n, workers, and how often each exit happened.
    loglik : float
        Log likelihood, over all cells.
    """

    model: str
    exits: tuple[str, ...]
    base: str
    effects: Estimates | None = None
    elasticities: Estimates | None = None
    hazards: Estimates | None = None
    incidence: Estimates | None = None
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    loglik: float = np.nan

    def with_cov(self, cov: CovLike, *, small_sample: SmallSample | None = None) -> Self:
        """Return the same result under another covariance, where what was kept allows it."""
        return self._each(lambda own: own.with_cov(cov, small_sample=small_sample))

    def without_units(self) -> Self:
        """Keep the covariance and forget the workers: small, but no longer joinable."""
        return self._each(lambda own: own.without_units())

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        first = super().glance()
        return first.assign(
            model=self.model, loglik=self.loglik, **{name: self.cells[name].sum() for name in self.exits}
        )

    def bands(self, alpha: float = 0.05, *, uniform: bool = False, reps: int = 2000, rng: RngLike = 0) -> pd.DataFrame:
        """Return cumulative incidence with bands.

        Parameters
        ----------
        alpha : float
            One minus the coverage.
        uniform : bool
            Bands that cover a whole curve (by the largest studentised deviation of random draws), or each point.
        reps : int
            Draws.
        rng : Generator, int or None
            Source of randomness.

        Returns
        -------
        DataFrame
            Keys, exit, time, estimate, std_error, conf_low, conf_high; bands stay within 0 and 1 (by the complementary
            log-log transformation).
        """
        own = self._incidence()
        frame = own.tidy(alpha)[[*own.by, "estimate", "std_error"]]
        critical = np.full(len(frame), stats.norm.isf(alpha / 2))
        if uniform:
            curves = frame.groupby([name for name in own.by if name != "time"], sort=False).ngroup().to_numpy()
            ratio = np.abs(own.draws(reps, rng=rng)) / np.maximum(frame["std_error"].to_numpy(), 1e-300)
            for curve in np.unique(curves):
                largest = ratio[:, curves == curve].max(axis=1)
                critical[curves == curve] = np.quantile(largest, 1 - alpha)
        f, s = frame["estimate"].to_numpy(), frame["std_error"].to_numpy()
        inside = (f > 0) & (f < 1)
        safe = np.where(inside, f, 0.5)
        scale = np.where(inside, s / np.abs((1 - safe) * np.log1p(-safe)), 0.0) * critical
        low, high = (1 - (1 - safe) ** np.exp(sign * scale) for sign in (-1, 1))
        return frame.assign(conf_low=np.where(inside, low, f), conf_high=np.where(inside, high, f))

    def plot(self, ax: Any = None, *, exit: str | None = None, alpha: float = 0.05) -> Any:
        """Draw the average marginal effects on one exit with their intervals, on new axes where none are given.

        Examples
        --------
        >>> import wagegap as wg
        >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
        >>> wg.fit_exits(data, "abroad_next ~ ai + exper").plot().get_xlabel()
        'average effect on abroad_next (share), 95 % intervals'
        """
        from wagegap._display.axes import intervals, new_axes

        if self.effects is None:
            raise OptionError("there are no effects to draw: fit with margins=True.")
        chosen, name = _of_exit(self.effects, exit, self.exits)
        tidy = chosen.tidy(alpha).assign(name=chosen.names)
        ax = new_axes(6.3, 0.9 + 0.25 * len(tidy)) if ax is None else ax
        ax = intervals(ax, tidy["name"].tolist(), *(tidy[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")))
        ax.set_xlabel(f"average effect on {name} (share), {100 * (1 - alpha):g} % intervals")
        return ax

    def plot_incidence(self, ax: Any = None, *, alpha: float = 0.05, uniform: bool = False, **keys: Any) -> Any:
        """Draw the cumulative incidence of every exit with its band.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        alpha : float
            One minus the coverage.
        uniform : bool
            Bands that cover whole curves.
        **keys
            Which cell, where there are several: `iso3="KOR"`.
        """
        from wagegap._display.axes import PALETTE, line_band, new_axes

        frame = self.bands(alpha, uniform=uniform)
        for key, value in keys.items():
            frame = frame[frame[key] == value]
        if frame.duplicated(["exit", "time"]).any():
            cells = [name for name in self._incidence().by if name not in ("exit", "time")]
            raise OptionError(f"there are several cells: name one by {listing(cells)}.")
        ax = new_axes(6.3, 4.0) if ax is None else ax
        for i, (name, part) in enumerate(frame.groupby("exit", sort=False)):
            columns = [part[c].to_numpy(dtype=float) for c in ("time", "estimate", "conf_low", "conf_high")]
            line_band(ax, *columns, color=PALETTE[i % len(PALETTE)], label=str(name))
        ax.set_ylim(bottom=0.0)
        ax.legend(frameon=False, fontsize=8.0, loc="best")
        ax.set_xlabel("period")
        kind = "uniform" if uniform else "pointwise"
        ax.set_ylabel(f"cumulative incidence, {kind} {100 * (1 - alpha):g} % bands")
        return ax

    def _incidence(self) -> Estimates:
        if self.incidence is None:
            raise OptionError("there is no cumulative incidence: name the duration in time= (and margins=True).")
        return self.incidence

    def _each(self, change: Callable[[Estimates], Estimates]) -> Self:
        names = ("estimates", "effects", "elasticities", "hazards", "incidence")
        changed: dict[str, Any] = {n: change(getattr(self, n)) for n in names if getattr(self, n) is not None}
        return replace(self, **changed)


@public
def fit_exits(  # noqa: PLR0913
    data: Any,
    formula: str,
    *,
    exit: ExitLike = None,
    model: ExitModel | None = None,
    time: str | None = None,
    mundlak: str | Sequence[str] = (),
    premiums: Any = None,
    by: str | Sequence[str] | None = (),
    base: str | None = None,
    gaps: Literal["raise", "keep"] = "raise",
    margins: bool = True,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    keep_units: bool = True,
) -> Exits:
    """Estimate who leaves, and how, from rows of workers and periods.

    Parameters
    ----------
    data : Panel or data frame
        A row for each worker and period at risk.
    formula : str
        `exit ~ regressors`, or `~ regressors` with the exit named in `exit`; columns behind a bar have dummies, which
        are not reported. Groups of them in which a single exit never, or always, happens are left out.
    exit : str or mapping of name to column, optional
        A 0/1 column or an expression of columns; several that compete, the first of which counts where several happened
        at once; or, under model="multinomial", a column whose values are the outcomes.
    model : {"logit", "probit", "cloglog", "lpm", "multinomial"}, optional
        Logit for one exit, multinomial logit for several, where absent. Complementary log-log is the proportional
        hazard in grouped time.
    time : str, optional
        Column of the duration: its levels get dummies (the baseline hazard), unless the formula has it already, and
        average hazards and cumulative incidence are given over it.
    mundlak : str or sequence of str
        Columns whose means over each worker's rows are added, so that their own coefficients are within workers.
    premiums : result, Estimates, or mapping of name to these, optional
        Estimates by cell, merged by their keys as a column `premium` (or the name) that the formula holds.
    by : str or sequence of str
        Cells with coefficients of their own, estimated jointly; none by itself.
    base : str, optional
        What staying is called; of a column of outcomes, the one that others are compared with.
    gaps : {"raise", "keep"}
        What to do where a worker misses a period in between.
    margins : bool
        Whether to evaluate effects, elasticities, hazards and incidence.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a survey's design, replicates, a bootstrap, or iid (the
        inverse of the information). What the panel declares, else clusters of workers where they have several rows,
        else HC1.
    small_sample, weights, weight_kind, keep_units
        As in `fit_premiums`.

    Returns
    -------
    Exits

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError
    CovarianceError, JoinError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=3, workers=500, periods=3, rng=1).panel
    >>> leaving = {"abroad": "abroad_next", "field": "new_field_next"}
    >>> exits = wg.fit_exits(data, "~ ai + exper", exit=leaving, time="year")
    >>> exits.effects.names
    ['abroad ai', 'field ai', 'abroad exper', 'field exper']
    """
    if model is not None:
        check_option("model", model, _MODELS)
    check_option("gaps", gaps, ("raise", "keep"))
    panel = with_weights(as_panel(data), weights, weight_kind)
    keys = cell_keys(panel, by or ())
    taken = [name for name in keys if name in ("exit", "time")]
    if taken:
        raise OptionError(f"by={taken[0]!r}: results have a column of this name themselves; rename yours.")
    given = as_estimates(premiums)
    call = ExitCall(formula, exit, time, mundlak, base, gaps, None if model is None else model == "multinomial")
    risk = rows_at_risk(panel, call, keys=keys, premiums=given)
    chosen = model or ("logit" if len(risk.exits) == 1 else "multinomial")
    resolved = resolve_cov(risk.panel, cov, risk.design.rows)
    sample = build_sample(risk.panel, risk.design, risk.cells, resolved)
    check_weights_allow(resolved, sample.weight_kind)
    questions = _Questions.of(risk, given) if margins else _Questions((), (), (), np.arange(0))
    task = _Task(risk, chosen, sample, questions, _shifts(risk, given, questions, margins), tuple(given))
    estimates, loglik = _estimated(task, resolved, small_sample, given)
    arguments = dict(
        formula=formula, exit=exit, model=model, time=time, mundlak=mundlak, premiums=premiums, by=keys, base=base,
        gaps=gaps, margins=margins, cov=cov, small_sample=small_sample, weights=kept("weights", weights),
        weight_kind=weight_kind, keep_units=keep_units,
    )  # fmt: skip
    estimates = replace(estimates, spec=Spec(fit_exits, tuple(arguments.items())))
    done = _result(task, estimates, loglik)
    return done if keep_units else done.without_units()


# what is asked of the coefficients -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Slope:
    """A number in which the hazards have a derivative: its name, values (n,), and derivatives of the regressors."""

    term: str
    values: FloatArray
    dx: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Change:
    """A column that changes from one level to another: its name, regressors at both."""

    term: str
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Questions:
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

    variables: tuple[_Slope | _Change, ...]
    times: tuple[Any, ...]
    periods: tuple[FloatArray, ...]
    first: IntArray

    @classmethod
    def of(cls, risk: AtRisk, premiums: Mapping[str, Estimates], **shift: FloatArray) -> _Questions:
        """Evaluate the formula; `shift` gives some columns other values throughout."""
        evaluator = risk.evaluator()
        if shift:
            evaluator = replace(evaluator, frame=evaluator.frame.assign(**shift), x=_shifted(evaluator, shift))
        time = risk.regressors.time
        variables: list[_Slope | _Change] = []
        for name in evaluator.variables:
            if name == time:
                continue
            if evaluator.is_factor(name):
                variables += _factor_changes(evaluator, name)
            elif np.isin(evaluator.frame[name], (0.0, 1.0)).all() and name not in premiums:
                variables.append(_Change(name, evaluator.at({name: 0.0}), evaluator.at({name: 1.0})))
            else:
                variables.append(_slope(evaluator, name))
        return cls(tuple(variables), *_periods(risk, evaluator))

    @property
    def slopes(self) -> list[_Slope]:
        """Those that are numbers."""
        return [asked for asked in self.variables if isinstance(asked, _Slope)]


def _shifted(evaluator: Evaluator, shift: Mapping[str, FloatArray]) -> FloatArray:
    """Columns of the formula at shifted values."""
    changed = evaluator.at(shift)
    return changed[:, : evaluator.x.shape[1]]


def _slope(evaluator: Evaluator, name: str) -> _Slope:
    """Central differences of the regressors in a number."""
    values = evaluator.frame[name].to_numpy(dtype=float)
    spread = float(np.std(values)) or 1.0
    h = _STEP * np.where(values != 0, np.abs(values), spread)
    dx = (evaluator.at({name: values + h}) - evaluator.at({name: values - h})) / (2 * h)[:, None]
    return _Slope(name, values, dx)


def _factor_changes(evaluator: Evaluator, name: str) -> list[_Change]:
    first, *others = evaluator.levels(name)
    low = evaluator.at({name: first})
    return [_Change(f"{name}[{level}]", low, evaluator.at({name: level})) for level in others]


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
class _Shift:
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
    questions : tuple of _Questions
        Questions up and down.
    """

    codes: IntArray
    count: int
    step: float
    x: tuple[FloatArray, FloatArray]
    questions: tuple[_Questions, _Questions]


def _shifts(
    risk: AtRisk, premiums: Mapping[str, Estimates], questions: _Questions, margins: bool
) -> tuple[_Shift, ...]:
    """Every premium moved, for the derivatives in it."""
    out = []
    evaluator = risk.evaluator()
    for name, own in premiums.items():
        if name not in evaluator.frame:
            raise OptionError(f"premiums: the formula has no regressor {name!r}; write it where the premium enters.")
        values = evaluator.frame[name].to_numpy(dtype=float)
        step = _STEP * max(float(np.abs(values).max()), 1e-3)
        ends = [{name: values + sign * step} for sign in (1, -1)]
        x = tuple(evaluator.at(end) for end in ends)
        asked = tuple(_Questions.of(risk, premiums, **end) if margins else questions for end in ends)
        place = pd.MultiIndex.from_frame(own.labels[own.by].astype(object))
        rows = pd.MultiIndex.from_frame(risk.panel.frame[own.by].iloc[risk.design.rows].astype(object))
        out.append(_Shift(place.get_indexer(rows), len(own.values), step, (x[0], x[1]), (asked[0], asked[1])))
    return tuple(out)


# fits ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Task:
    """What is fitted in every cell."""

    risk: AtRisk
    model: ExitModel
    sample: Sample
    questions: _Questions
    shifts: tuple[_Shift, ...]
    premiums: tuple[str, ...]

    @property
    def response(self) -> Response:
        link: ExitLink = self.model
        return Response(link)


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
class _Cell:
    """Values of a cell, NaN where not identified, with their influence, classical covariance and derivatives."""

    values: FloatArray
    influence: FloatArray
    classical: FloatArray
    by_premium: tuple[FloatArray, ...]
    n_params: int
    collinear: tuple[str, ...]
    loglik: float


def _coefficients(task: _Task, rows: IntArray, weights: FloatArray | None) -> _Coefficients:
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


def _fit_cell(task: _Task, c: int, rows: IntArray, weights: FloatArray | None) -> _Cell:
    """Coefficients of a cell and everything that is read off them."""
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
    values, influence, maps = [coefs], [fit.influence[:, reported]], [np.eye(m * k)[reported]]
    for answer in answers:
        values.append(answer.values())
        influence.append(answer.influence(fit.influence))
        maps.append(answer.averages.gradient)
    matrix = np.vstack(maps)
    moved = tuple(_by_premium(task, fit, shift, rows, weights, matrix, len(reported)) for shift in task.shifts)
    return _Cell(
        np.concatenate(values), np.hstack(influence), matrix @ fit.classical @ matrix.T, moved,
        int(fit.kept.sum()) * m, _words(task, fit), fit.loglik,
    )  # fmt: skip


def _words(task: _Task, fit: _Coefficients) -> tuple[str, ...]:
    """Columns left out, in words; a level that a cell does not have is none of them, nor a dummy of an effect."""
    count = len(task.risk.reported)
    return tuple(combination_in_words(f, task.risk.names) for f in fit.collinear if f.made_of and f.column < count)


def _check_varies(task: _Task, rows: IntArray, name: str) -> None:
    """Exits must happen, and not to everybody."""
    happened = task.risk.happened[rows]
    if not np.ptp(happened):
        word = "never happens" if happened[0] == 0 else "always happens"
        raise IdentificationError(
            f"{listing(task.risk.exits)} {word} in {len(rows):,} rows{f' of {name}' if name else ''}: there is nothing "
            "to explain. Pool cells, or leave this one out."
        )


def _check_premiums(task: _Task, fit: _Coefficients, name: str) -> None:
    """A premium must vary among the rows it explains."""
    names = task.risk.names
    involved = {j for found in fit.collinear for j in (found.column, *(column for column, _ in found.made_of))}
    lost = [names[j] for j in sorted(involved) if set(re.findall(r"\w+", names[j])) & set(task.premiums)]
    if lost:
        raise IdentificationError(
            f"{listing(lost)} cannot be told apart from other columns{f' in {name}' if name else ''}: a premium of "
            "cells needs cells between which it varies, and no effects that swallow it."
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """Averages over some rows of a cell."""

    averages: Averages
    at: IntArray
    share: FloatArray
    known: bool | BoolArray

    def values(self) -> FloatArray:
        found = self.averages.values(self.share)
        return np.asarray(np.where(self.known, found, np.nan))

    def influence(self, on_params: FloatArray) -> FloatArray:
        out = on_params @ self.averages.gradient.T
        out[self.at] += self.share[:, None] * (self.averages.rows - self.averages.values(self.share))
        return np.asarray(out)


def _answers(
    task: _Task, fit: _Coefficients, questions: _Questions, rows: IntArray, x: FloatArray, weights: FloatArray
) -> list[_Answer]:
    """Effects of all variables, elasticities, hazards and incidence, in this order."""
    response, everybody = task.response, np.arange(len(rows))
    share = weights / weights.sum()
    effects, elasticities = [], []
    for asked in questions.variables:
        if isinstance(asked, _Change):
            low, high = asked.low[rows], asked.high[rows]
            known = bool(((np.abs(high - low).max(axis=0) > 0) & fit.kept).any())
            effects.append(_Answer(average_change(response, fit.params, low, high, share), everybody, share, known))
            continue
        values, dx = asked.values[rows], asked.dx[rows]
        known = bool(np.ptp(values) > 0)
        effects.append(_Answer(average_slope(response, fit.params, x, dx, share), everybody, share, known))
        bent = average_elasticity(response, fit.params, x, dx, values, share)
        elasticities.append(_Answer(bent, everybody, share, known))
    return [*effects, *elasticities, *_curves(task, fit, questions, rows, weights)]


def _curves(
    task: _Task, fit: _Coefficients, questions: _Questions, rows: IntArray, weights: FloatArray
) -> list[_Answer]:
    """Hazards and incidence over the periods that the cell has."""
    if not questions.times:
        return []
    inside = np.isin(questions.first, rows)
    at = np.searchsorted(rows, questions.first[inside])
    share = weights[at] / weights[at].sum()
    designs = [period[inside] for period in questions.periods]
    found = incidence(task.response, fit.params, designs, share)
    time = task.risk.panel.frame[task.risk.regressors.time].iloc[task.risk.design.rows[rows]]
    present = np.isin(np.array(questions.times), time.unique())
    known = np.repeat(np.cumprod(present).astype(bool), len(task.risk.exits))
    return [_Answer(averages, at, share, known) for averages in found]


def _by_premium(
    task: _Task,
    fit: _Coefficients,
    shift: _Shift,
    rows: IntArray,
    weights: FloatArray | None,
    matrix: FloatArray,
    n_reported: int,
) -> FloatArray:
    """Derivative of all values of a cell in the premiums, shape (q, P)."""
    ends = [x[rows] for x in shift.x]
    scores = [_scores(task, fit, rows, x, weights) for x in ends]
    codes = shift.codes[rows]
    by_score = _summed((scores[0] - scores[1]) / (2 * shift.step), codes, shift.count)
    total = matrix @ fit.bread @ by_score
    ones = np.ones(len(rows)) if weights is None else weights
    both = [_answers(task, fit, q, rows, x, ones) for q, x in zip(shift.questions, ends, strict=True)]
    at = n_reported
    for up, down in zip(*both, strict=True):
        change = (up.averages.rows - down.averages.rows) * up.share[:, None] / (2 * shift.step)
        width = change.shape[1]
        total[at : at + width] += _summed(change, codes[up.at], shift.count)
        at += width
    return total


def _summed(values: FloatArray, codes: IntArray, count: int) -> FloatArray:
    """Sums of rows by code, shape (q, count)."""
    return np.stack([np.bincount(codes, weights=column, minlength=count) for column in values.T])


def _scores(task: _Task, fit: _Coefficients, rows: IntArray, x: FloatArray, weights: FloatArray | None) -> FloatArray:
    """Derivative of each row's log likelihood in the coefficients at given regressors, (n, m k)."""
    index = x @ fit.params.T
    if task.model == "multinomial":
        residuals = (task.risk.outcome[rows][:, None] == np.arange(1, fit.params.shape[0] + 1)) - softmax(index)[:, 1:]
    else:
        residuals = score(index[:, 0], task.risk.happened[rows], task.model)[:, None]
    weighted = residuals if weights is None else residuals * weights[:, None]
    return np.asarray((weighted[:, :, None] * x[:, None, :]).reshape(len(x), -1))


# from fits to results ------------------------------------------------------------------------------------------------


def _estimated(
    task: _Task, cov: Covariance, rule: SmallSample, premiums: Mapping[str, Estimates]
) -> tuple[Estimates, float]:
    """All values of all cells, their root, and the errors of the premiums joined."""
    by_cell = task.sample.rows_by_cell()
    weights = task.sample.weights
    cells = [_fit_cell(task, c, rows, None if weights is None else weights[rows]) for c, rows in enumerate(by_cell)]
    lost = [(name, words) for name, cell in zip(task.risk.cells.names, cells, strict=True) for words in cell.collinear]
    if lost:
        warn(describe_collinear(lost), IdentificationWarning)
    values = np.concatenate([cell.values for cell in cells])
    root = _root(task, cov, rule, by_cell, cells)
    labels = _labels(task)
    own = Estimates(
        labels, values, (root,), (np.eye(len(values)),), title=f"Exits ({task.model})", ledger=task.risk.design.ledger,
        notes=task.risk.notes,
    )  # fmt: skip
    for i, (name, premium) in enumerate(premiums.items()):
        own = _joined(own, premium, np.vstack([cell.by_premium[i] for cell in cells]), name)
    return own, float(sum(cell.loglik for cell in cells))


def _root(task: _Task, cov: Covariance, rule: SmallSample, by_cell: Sequence[IntArray], cells: Sequence[_Cell]) -> Root:
    """Errors of all values from influence functions or replicates."""
    if not isinstance(cov, Replicates | Bootstrap):
        check_influence_cov(cov)
        iid = isinstance(cov, Robust) and cov.kind == "iid"
        blocks = [
            InfluenceBlock(name, rows, cell.influence, cell.n_params, cell.classical if iid else None)
            for name, rows, cell in zip(task.risk.cells.names, by_cell, cells, strict=True)
        ]
        return influence_root(task.sample, blocks, cov=cov, rule=rule)
    rows = task.risk.design.rows
    replicates = replicate_weights(task.risk.panel, rows, cov, task.sample)
    scopes = replicate_scopes(task.risk.panel, rows, cov, by_cell)
    known = np.array([np.isfinite(cell.values) for cell in cells])
    plain = replace(task, shifts=())

    def refit(weights: FloatArray) -> FloatArray:
        found = np.array([_replicate(plain, c, at, weights[at], known.shape[1]) for c, at in enumerate(by_cell)])
        return np.where(known, found, 0.0)

    estimate = np.where(known, np.array([cell.values for cell in cells]), 0.0)
    return replicate_root(estimate, refit, replicates, scopes, float(len(replicates) - 1))


def _replicate(task: _Task, c: int, rows: IntArray, weights: FloatArray, size: int) -> FloatArray:
    """Values under a replicate's weights, NaN where these leave something undetermined."""
    try:
        return _fit_cell(task, c, rows, weights).values
    except (DataError, IdentificationError):
        return np.full(size, np.nan)


def _joined(own: Estimates, premium: Estimates, slopes: FloatArray, name: str) -> Estimates:
    """Add the errors of premiums: values stay, their errors gain `slopes` times those of the premiums."""
    sources = {root.source for root in own.roots if isinstance(root, ScoreRoot)}
    foreign = bool(sources) and not any(root.source in sources for root in premium.roots)
    both = join(_unlabelled(own, "value"), _unlabelled(premium, name), independent=foreign)
    matrix = np.hstack([np.eye(len(own.values)), np.nan_to_num(slopes)])
    maps = tuple(matrix @ part for part in both.maps)
    note = f"Errors of {name!r} ({len(premium.values)} cells) are carried"
    note += ", as independent of these workers" if foreign else ""
    note += "; shocks common to its cells are not part of them."
    return replace(own, roots=both.roots, maps=maps, notes=(*own.notes, note))


def _unlabelled(estimates: Estimates, word: str) -> Estimates:
    """The same with numbers as labels, to be joined with others."""
    terms = [f"{word} {i}" for i in range(len(estimates.values))]
    return replace(estimates, labels=pd.DataFrame({"term": terms, "unit": "none", "comparison": ""}))


_KINDS = ("coefficient", "effect", "elasticity", "hazard", "incidence")


def _layout(task: _Task) -> pd.DataFrame:
    """Kind, exit, term and time of the values of one cell, in their order."""
    risk, asked = task.risk, task.questions
    terms = [risk.names[j] for j in risk.reported]
    rows: list[tuple[str, str, str, Any]] = [("coefficient", e, term, None) for e in risk.exits for term in terms]
    rows += [("effect", e, variable.term, None) for variable in asked.variables for e in risk.exits]
    rows += [("elasticity", e, slope.term, None) for slope in asked.slopes for e in risk.exits]
    for kind in ("hazard", "incidence"):
        rows += [(kind, e, kind, time) for time in asked.times for e in risk.exits]
    return pd.DataFrame(rows, columns=["kind", "exit", "term", "time"])


def _labels(task: _Task) -> pd.DataFrame:
    """Labels of all values, with kind, exit and time among the keys."""
    layout, cells = _layout(task), task.risk.cells
    repeated = cells.keys.loc[np.repeat(np.arange(len(cells.names)), len(layout))].reset_index(drop=True)
    tiled = pd.concat([layout] * len(cells.names), ignore_index=True)
    unit = tiled["kind"].isin(("effect", "hazard", "incidence")).map({True: "share", False: "none"})
    if task.model == "lpm":
        unit = unit.mask(tiled["kind"] == "coefficient", "share")
    return pd.concat([repeated, tiled], axis=1).assign(unit=unit, comparison=task.risk.base)


def _result(task: _Task, everything: Estimates, loglik: float) -> Exits:
    """Part coefficients from effects, elasticities, hazards and incidence."""
    risk = task.risk
    parts: dict[str, Estimates | None] = {}
    labels = everything.labels
    for kind in _KINDS:
        wanted = (labels["kind"] == kind).to_numpy() & np.isfinite(everything.values)
        if not wanted.any():
            parts[kind] = None
            continue
        own = everything.select(wanted)
        drop = ["kind"]
        if kind in _KINDS[:3]:
            drop += ["time", *(["exit"] if task.model != "multinomial" else [])]
        parts[kind] = replace(own, labels=own.labels.drop(columns=drop), title=_TITLES[kind].format(task.model))
    size = len(risk.cells.names)
    counted = [np.bincount(risk.cells.codes[risk.outcome == j + 1], minlength=size) for j in range(len(risk.exits))]
    cells = risk.cells.keys.assign(n=np.bincount(risk.cells.codes), **dict(zip(risk.exits, counted, strict=True)))
    if risk.panel.roles.worker is not None:
        worker = risk.panel.groupings(risk.design.rows)["worker"].codes
        cells["workers"] = pd.Series(worker).groupby(risk.cells.codes).nunique().to_numpy()
    assert parts["coefficient"] is not None
    return Exits(
        parts["coefficient"], task.model, risk.exits, risk.base, parts["effect"], parts["elasticity"], parts["hazard"],
        parts["incidence"], cells.reset_index(drop=True), loglik,
    )  # fmt: skip


_TITLES = {
    "coefficient": "Exits: coefficients ({})",
    "effect": "Exits: average marginal effects ({})",
    "elasticity": "Exits: average elasticities ({})",
    "hazard": "Exits: average hazards ({})",
    "incidence": "Exits: cumulative incidence ({})",
}


def _of_exit(estimates: Estimates, exit: str | None, exits: Sequence[str]) -> tuple[Estimates, str]:
    """Estimates of one exit, the first by itself, and its name."""
    name = exit or exits[0]
    check_option("exit", name, exits)
    return (estimates.select(exit=name) if "exit" in estimates.labels else estimates), name
