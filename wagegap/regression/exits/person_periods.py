"""Workers at risk: a row for each worker and period, what happened next, and the regressors of the hazard.

One or several exits compete: the first of those named that happened is the exit of a row, else the worker stays. The
regressors are those of a formula, dummies of the duration (the baseline hazard), means over a worker's rows (Mundlak),
dummies of absorbed effects, and premiums of cells that another stage estimated, merged by their keys.

References
----------
Jenkins, S. (1995). Easy estimation methods for discrete-time duration models. Oxford Bulletin of Economics and
Statistics 57, 129-138.
Mundlak, Y. (1978). On the pooling of time series and cross section data. Econometrica 46, 69-85.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, CodeArray, Condition, FloatArray, IntArray, Singletons
from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    IdentificationError,
    OptionError,
    check_column,
    did_you_mean,
    listing,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.column_types import fault_of, number_or_nan
from wagegap.estimation.design import Design, check_columns_meet, check_keys
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import Column, FormulaParts, design_matrix, required_columns, split_formula
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.periods import order_periods
from wagegap.estimation.result import Result
from wagegap.panel.events import event_values
from wagegap.panel.panel import Panel
from wagegap.panel.rows import prepare

__all__ = [
    "AtRisk",
    "Evaluator",
    "ExitCall",
    "ExitLike",
    "as_estimates",
    "cells_of_rows",
    "mentions",
    "rows_at_risk",
]

ExitLike = (
    Annotated[str | Mapping[str, Condition], "a column, or a dict of name -> column such as {'abroad': 'abroad_next'}"]
    | None
)

_EFFECTS_AT_MOST = 2_000


@dataclass(frozen=True, slots=True, eq=False)
class AtRisk:
    """Rows at risk.

    Attributes
    ----------
    rows : Rows
        The outcome, which is the number of the exit (0 where the worker stays), or with one exit its share; regressors
        of the formula, then means over workers' rows, then dummies of effects.
    evaluator : Evaluator
        The formula at other values of its columns.
    exits : tuple of str
        Names of the exits.
    base : str
        Name of staying.
    n_reported : int
        Number of regressors whose coefficients are reported, the first.
    time : str or None
        Column of the duration.
    notes : tuple of str
        What a reader should know.
    """

    rows: Rows
    evaluator: Evaluator
    exits: tuple[str, ...]
    base: str
    n_reported: int
    time: str | None
    notes: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Regressors."""
        return self.rows.design.names


@dataclass(frozen=True, slots=True, eq=False)
class Evaluator:
    """A formula at other values of its columns, levels of factors as in the data.

    Attributes
    ----------
    frame : DataFrame, n rows
        Columns of the formula.
    expression : str
        Regressors.
    design : Design
        The regressors at the data: those of the formula, and further ones, which stay as they are.
    width : int
        Number of regressors of the formula.
    """

    frame: pd.DataFrame
    expression: str
    design: Design
    width: int

    @property
    def variables(self) -> list[str]:
        """Columns of the formula, in its order."""
        words = re.findall(r"\w+|`[^`]+`", self.expression)
        order = {word.strip("`"): i for i, word in reversed(list(enumerate(words)))}
        return sorted(self.frame.columns, key=lambda name: order.get(str(name), len(order)))

    def levels(self, name: str) -> list[Any]:
        """Levels of a factor, the one without a dummy first; none of a number."""
        present = set(self.frame[name].unique())
        with_dummy = {level for column in self.design.columns for variable, level in column.levels if variable == name}
        levels = [level for level in self.design.factors.get(name, ()) if level in present]
        return sorted(levels, key=lambda level: level in with_dummy)

    def shifted(self, values: Mapping[str, FloatArray]) -> Evaluator:
        """Return the evaluator with other values of some columns throughout."""
        return replace(self, frame=self.frame.assign(**values), design=replace(self.design, x=self.at(values)))

    def at(self, values: Mapping[str, Any], rows: IntArray | None = None) -> FloatArray:
        """Return the regressors of some rows with some columns changed, shape (len(rows), k).

        Raises
        ------
        OptionError
            For a formula whose columns depend on which rows are there.
        """
        n = len(self.frame)
        chosen = np.arange(n) if rows is None else rows
        changed = self.frame.iloc[chosen].copy()
        for name, value in values.items():
            each = [value] * len(changed) if isinstance(value, tuple) else value
            changed[name] = pd.Series(each, index=changed.index, dtype=self.frame[name].dtype)
        x = design_matrix(pd.concat([self.frame, changed], ignore_index=True), self.expression).values
        known = self.design.x[:, : self.width]
        if x.shape[1] != self.width or not np.allclose(x[:n], known, rtol=1e-9, atol=1e-12):
            raise OptionError(
                f"the formula {self.expression!r} has columns that depend on the other rows (scale, center, splines), "
                "so that it has no value at changed regressors: make such columns beforehand, or margins=False."
            )
        return np.column_stack([x[n:], self.design.x[chosen, self.width :]])


def mentions(column: Column, name: str) -> bool:
    """Say whether a regressor, such as `log(premium):age`, has a variable in it.

    >>> one = Column("log(premium):age", "log(premium):age", ("log(premium)", "age"))
    >>> mentions(one, "premium"), mentions(one, "prem")
    (True, False)
    """
    return any(name in re.findall(r"\w+", part) for part in column.parts)


def cells_of_rows(premium: Estimates, frame: pd.DataFrame) -> IntArray:
    """Return which parameter of a premium each row of a frame has, by its cell; -1 where the cell has none."""
    for key in premium.by:
        check_columns_meet(frame[key], premium.labels[key], f"key {key!r}", ("the data", "the premiums"))
    cells = pd.MultiIndex.from_frame(premium.labels[premium.by].astype(object))
    return np.asarray(cells.get_indexer(pd.MultiIndex.from_frame(frame[premium.by].astype(object))))


@dataclass(frozen=True, slots=True)
class ExitCall:
    """What is asked for; see `fit_exits`.

    Attributes
    ----------
    formula, exit, time, mundlak, base, gaps
        As given.
    several : bool or None
        Whether several exits compete; as many as are named where None.
    linear : bool
        Whether the model is linear, so that effects of groups in which an exit never happens are finite.
    singletons : str
        What to do with rows alone in a level of an effect of a linear model.
    """

    formula: str
    exit: ExitLike
    time: str | None
    mundlak: str | Sequence[str]
    base: str | None
    gaps: str
    several: bool | None
    linear: bool = False
    singletons: Singletons = "drop"


def rows_at_risk(panel: Panel, call: ExitCall, premiums: Mapping[str, Estimates], how: Mapping[str, Any]) -> AtRisk:
    """Build the rows at risk, premiums merged by their keys.

    Parameters
    ----------
    panel : Panel
        Workers and periods.
    call : ExitCall
        What is asked for.
    premiums : mapping of str to Estimates
        Premiums by the name of their column.
    how : mapping
        Options of `panel.rows.prepare`: by, cov, small_sample, weights, weight_kind.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, EmptyDataError, DuplicateKeyError
    """
    parts, exit = _formula(call.formula, call.exit)
    panel = _in_order(_with_premiums(panel, premiums), call.time)
    parts = _regressors(panel, parts, call.time, call.mundlak)
    values, exits, stay, notes = _outcomes(panel, exit, call.base, call.several)
    named = " or ".join(exits)
    subpop = [(f"unknown {named}", np.isnan(values))]
    subpop += [(f"no {name} in the cell", panel.frame[name].isna().to_numpy()) for name in premiums]
    if np.logical_or.reduce([unknown for _, unknown in subpop]).all():
        raise EmptyDataError(f"the exit is known for nobody.\n{panel.ledger}")
    rows = prepare(panel, replace(parts, outcome=named, values=values), subpop=subpop, **how)
    of_periods = _check_periods(panel.frame, rows.access.workers(np.arange(len(panel))), call.time, call.gaps)
    if call.linear:
        rows = rows.without_singletons(call.singletons)
    elif len(exits) == 1:
        rows = _varying(rows)
    rows, width, n_reported = _with_means_and_dummies(rows, parts.also, call.time)
    frame = rows.columns(required_columns(parts.regressors, panel.frame))
    plain = {name: number_or_nan(one) if pd.api.types.is_numeric_dtype(one) else one for name, one in frame.items()}
    evaluator = Evaluator(pd.DataFrame(plain), parts.regressors, rows.design, width)
    notes = (*of_periods, *notes, *_repeated(rows, call.time))
    return AtRisk(rows, evaluator, exits, stay, n_reported, call.time, notes)


def _formula(formula: str, exit: ExitLike) -> tuple[FormulaParts, str | Mapping[str, Condition]]:
    """Right side of the formula, and what exits are: named, or on its left side."""
    text = formula.strip() if isinstance(formula, str) else formula
    if isinstance(text, str) and (text.startswith("~") or "~" not in text):
        if exit is None:
            raise OptionError(f"formula {formula!r} has no left side: name the exit there, or in exit=.")
        parts = split_formula(f"exit ~ {text.removeprefix('~')}")
        return parts, exit
    parts = split_formula(formula)
    if exit is not None:
        raise OptionError(f"formula {formula!r} has a left side and exit= is given: leave one out ('~ regressors').")
    return parts, parts.outcome


def _with_premiums(panel: Panel, premiums: Mapping[str, Estimates]) -> Panel:
    """Merge the premiums of cells to the workers in them."""
    for name, premium in premiums.items():
        if name in panel.frame:
            raise OptionError(f"premiums: the data have a column {name!r} already; premiums={{'other name': ...}}.")
        if not premium.by:
            raise OptionError("premiums have no cell keys by which workers could be given theirs: fit them by=...")
        for key in premium.by:
            check_column(key, panel.frame.columns, f"to merge {name!r}")
        if premium.labels.duplicated(premium.by).any():
            raise OptionError(
                f"premiums {name!r} have several terms in a cell ({listing(premium.labels['term'].unique())}): choose "
                "one with select(term=...)."
            )
        at = cells_of_rows(premium, panel.frame)
        if not (at >= 0).any():
            raise DataError(f"no row is in a cell that has a {name!r} (keys {listing(premium.by)}).")
        panel = panel.with_columns(**{name: np.where(at >= 0, premium.values[at], np.nan)})
    return panel


def _in_order(panel: Panel, time: str | None) -> Panel:
    """Durations that are text as categories in the order of time, so that the first one is the base."""
    if time is None or time not in panel.frame or pd.api.types.is_numeric_dtype(panel.frame[time]):
        return panel
    periods = order_periods(panel.frame[time])
    kind = pd.CategoricalDtype(pd.Index(periods.levels), ordered=True)
    return panel.with_columns(**{time: pd.Categorical.from_codes(periods.codes, dtype=kind)})


def _regressors(panel: Panel, parts: FormulaParts, time: str | None, mundlak: str | Sequence[str]) -> FormulaParts:
    """Right side with the dummies of the duration, and the columns whose means are added."""
    names = [mundlak] if isinstance(mundlak, str) else list(mundlak)
    for name in names:
        check_column(name, panel.frame.columns, "for mundlak")
        fault = fault_of(panel.frame[name])
        if fault:
            raise OptionError(f"mundlak={name!r} is not a column of numbers, which alone have means: it {fault}.")
    worker = panel.roles.worker
    if names and worker is None:
        raise OptionError("mundlak= needs the role worker: read_panel(..., worker=).")
    if worker is not None and worker in parts.effect_columns:
        raise OptionError(
            f"effects of {worker!r} cannot be estimated beside the others from few rows each (incidental "
            "parameters): mundlak=[...] adds the means of regressors over each worker's rows."
        )
    expression = parts.regressors
    if time is not None:
        check_column(time, panel.frame.columns, "for time")
        if time not in required_columns(expression, panel.frame):
            expression = f"{expression} + C({time if time.isidentifier() else f'`{time}`'})"
    return replace(parts, regressors=expression, also=tuple(names))


def _check_periods(frame: pd.DataFrame, worker: CodeArray | None, time: str | None, gaps: str) -> tuple[str, ...]:
    """Raise where a worker stands twice in a period, or, unless kept, misses one in between."""
    if time is None:
        return ()
    if worker is None:
        return ("No role worker is declared, so that gaps between a worker's periods cannot be seen.",)
    periods = order_periods(frame[time]).codes
    order = np.lexsort((periods, worker))
    worker, periods = worker[order], periods[order]
    step = np.diff(periods)
    of_one = (np.diff(worker) == 0) & (periods[1:] >= 0) & (periods[:-1] >= 0)
    twice, holes = int((of_one & (step == 0)).sum()), of_one & (step > 1)
    if twice:
        raise DuplicateKeyError(
            f"{twice:,} of {len(frame):,} rows repeat a worker within {time!r}: a hazard needs one row of each."
        )
    if not holes.any():
        return ()
    many, of = int(holes.sum()), len(np.unique(worker[1:][holes]))
    gap, who = "gap" if many == 1 else "gaps", "worker" if of == 1 else "workers"
    said = f"{many:,} {gap} between the {time!r} of {of:,} {who}"
    if gaps == "raise":
        raise DataError(
            f"{said}: what happened in between is not known. Fill the rows in, end those spells at the gap, or "
            "gaps='keep' takes each row as it is."
        )
    return (f"{said}, kept as they are.",)


def _outcomes(
    panel: Panel, exit: str | Mapping[str, Condition], base: str | None, several: bool | None
) -> tuple[FloatArray, tuple[str, ...], str, tuple[str, ...]]:
    """Number of the exit of every row (NaN where unknown; a share, of one), names of exits and of staying, notes."""
    if isinstance(exit, str) and several is True:
        return _levels(panel, exit, base)
    named: dict[str, Condition] = {exit: exit} if isinstance(exit, str) else dict(exit)
    if not named:
        raise OptionError("exit={} names no exit, such as {'abroad': 'abroad_next', 'field': 'new_field_next'}.")
    if several is False and len(named) > 1:
        raise OptionError(f"{len(named)} exits ({listing(named)}) compete: model='multinomial'.")
    values = np.column_stack([event_values(panel, name, column) for name, column in named.items()])
    stay = _name_of_staying(base, named)
    if len(named) == 1 and several is not True:
        return values[:, 0], tuple(named), stay, ()
    shares = int((~np.isin(values, (0.0, 1.0)) & ~np.isnan(values)).any(axis=1).sum())
    if shares:
        raise DataError(f"competing exits must be 0/1; {shares:,} of {len(values):,} rows have shares.")
    happened = values == 1
    codes = np.where(happened.any(axis=1), np.argmax(happened, axis=1) + 1.0, 0.0)
    # who left by the first exit has no later one; who is not known to have left by any is unknown
    relevant = np.arange(values.shape[1]) < np.where(codes > 0, codes, np.inf)[:, None]
    codes[(np.isnan(values) & relevant).any(axis=1)] = np.nan
    several_at_once = int((happened.sum(axis=1) > 1).sum())
    note = f"{several_at_once:,} rows have several exits at once and count as the first of {listing(named)}."
    notes = (note,) if several_at_once else ()
    return codes, tuple(named), stay, notes


def _name_of_staying(base: str | None, exits: Mapping[str, Any]) -> str:
    """What staying is called beside exits that are 0/1: any word that is not, nor looks like, the name of an exit."""
    if base is None:
        return "stay"
    if not base.strip():
        raise OptionError(f"base={base!r} must be text: what staying is called beside {listing(exits)}.")
    near = difflib.get_close_matches(base.lower(), [name.lower() for name in exits], n=1, cutoff=0.8)
    if near:
        exit = next(name for name in exits if name.lower() == near[0])
        raise OptionError(
            f"base={base!r} is what staying is called, and {exit!r} is an exit: the exits are 0/1, and are always "
            "compared with staying. Leave base out or call staying otherwise; model='multinomial' with exit= one "
            "column of outcomes compares with any of them."
        )
    return base


def _levels(panel: Panel, column: str, base: str | None) -> tuple[FloatArray, tuple[str, ...], str, tuple[str, ...]]:
    """The same for one column of several outcomes."""
    check_column(column, panel.frame.columns, "for exit")
    check_keys(panel.frame, [column])
    raw = panel.frame[column]
    levels = sorted(raw.dropna().unique().tolist(), key=str)
    names = [str(level) for level in levels]
    if base is not None and str(base) not in names:
        raise OptionError(
            f"base={base!r} is no outcome of {column!r}.{did_you_mean(base, names)} Outcomes: {listing(names)}."
        )
    if len(names) < 2:
        raise IdentificationError(f"{column!r} has a single outcome ({listing(names)}): there is nothing to explain.")
    by_default = "stay" if "stay" in names else names[0]
    chosen = by_default if base is None else str(base)
    notes = () if base is not None or chosen == "stay" else (f"Outcomes are compared with {chosen!r} (base=).",)
    ordered = [chosen, *(name for name in names if name != chosen)]
    codes = raw.map({level: float(ordered.index(str(level))) for level in levels}).to_numpy(dtype=float)
    return codes, tuple(ordered[1:]), chosen, notes


def _varying(rows: Rows) -> Rows:
    """Leave out groups of an effect in which the one exit never, or always, happens: their effect is infinite."""
    design = rows.design
    if not design.effects:
        return rows
    kept: BoolArray = np.ones(len(rows), dtype=bool)
    before, count = -1, np.int64(len(rows.cells.names))
    within_cells = recode([codes * count + rows.cells.codes for codes in design.effects])
    while kept.sum() != before:
        before = kept.sum()
        for codes in within_cells:
            sizes = np.bincount(codes, weights=kept * 1.0)
            sums = np.bincount(codes, weights=np.where(kept, design.y, 0.0))
            kept &= ((sums > 0) & (sums < sizes))[codes]
    if not kept.any():
        raise IdentificationError(
            f"the exit does not vary within any group of {listing(design.effect_names)}: leave the effects out."
        )
    if kept.all():
        return rows
    return rows.keep(kept, f"in groups of {', '.join(design.effect_names)} without variation of the exit")


def _with_means_and_dummies(rows: Rows, mundlak: Sequence[str], time: str | None) -> tuple[Rows, int, int]:
    """Rows with all regressors, the number of those of the formula, and of those that are reported."""
    design = rows.design
    formula = [
        replace(one, name=f"{time}[{one.levels[0][1]}]") if _is_period(one, time) else one for one in design.columns
    ]
    means = [Column(f"mean({name})", f"mean({name})", (name,)) for name in mundlak]
    dummies, of_effects = _dummies(design)
    parts = [design.x, _means(rows, mundlak), dummies]
    x = np.column_stack([part for part in parts if part.shape[1]]) if means or of_effects else design.x
    width = len(formula)
    return rows.with_design(x=x, columns=(*formula, *means, *of_effects)), width, width + len(means)


def _is_period(column: Column, time: str | None) -> bool:
    """Say whether a column is the dummy of a period, which is named `time[level]`."""
    return time is not None and column.parts == (time,) and column.name.startswith((f"C({time})[T", f"C(`{time}`)[T"))


def _means(rows: Rows, names: Sequence[str]) -> FloatArray:
    """Means of columns over each worker's rows in use."""
    if not names:
        return np.zeros((len(rows), 0))
    columns = pd.DataFrame({name: number_or_nan(column) for name, column in rows.columns(names).items()})
    return columns.groupby(rows.workers).transform("mean").to_numpy()


def _dummies(design: Design) -> tuple[FloatArray, list[Column]]:
    """Dummies of absorbed effects, one level of each left out."""
    levels = [int(codes.max()) + 1 for codes in design.effects]
    if sum(levels) > _EFFECTS_AT_MOST:
        raise OptionError(
            f"{sum(levels):,} effects of {listing(design.effect_names)} are more than {_EFFECTS_AT_MOST:,}: use "
            "mundlak= or coarser effects."
        )
    blocks = [np.eye(m)[codes][:, 1:] for m, codes in zip(levels, design.effects, strict=True)]
    columns = [
        Column(f"{name}[{j}]", name) for name, m in zip(design.effect_names, levels, strict=True) for j in range(1, m)
    ]
    return np.hstack([np.zeros((len(design.rows), 0)), *blocks]), columns


def _repeated(rows: Rows, time: str | None) -> tuple[str, ...]:
    """Say how many rows follow an exit of the same worker."""
    worker = rows.workers
    if time is None or worker is None:
        return ()
    periods = order_periods(rows.columns([time])[time]).codes
    exits = pd.Series(np.where(rows.design.y > 0, periods, len(rows)))
    after = int((periods > exits.groupby(worker).transform("min").to_numpy()).sum())
    return (f"{after:,} rows stand behind an exit of the same worker, who is at risk again.",) if after else ()


def as_estimates(premiums: Any) -> dict[str, Estimates]:
    """Return premiums by the name of their column.

    Raises
    ------
    OptionError
    """
    if premiums is None:
        return {}
    given = dict(premiums) if isinstance(premiums, Mapping) else {"premium": premiums}
    out = {}
    for name, value in given.items():
        premium = value.estimates if isinstance(value, Result) else value
        if not isinstance(premium, Estimates):
            raise OptionError(f"premiums={type(value).__name__} must be a result such as fit_premiums gives.")
        if not isinstance(name, str) or not name.isidentifier():
            raise OptionError(f"premiums: {name!r} must be a name that a formula can hold.")
        out[name] = premium
    return out
