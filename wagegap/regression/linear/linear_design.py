"""Rows of linear models: complete, with instruments told from regressors, and changed as the model has it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from wagegap._display.sentences import say
from wagegap._typing import BoolArray, CodeArray, FloatArray, Singletons
from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    listing,
    warn,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.design import Design
from wagegap.estimation.formula import FormulaParts, design_matrix, split_formula
from wagegap.estimation.identification import check_identified, partial_out
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.periods import order_periods
from wagegap.estimation.units import scale_of
from wagegap.panel.events import column_of
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import prepare
from wagegap.regression.linear.panel_models import quasi_demeaned, unit_means, variance_components

__all__ = ["Instrumented", "changed_rows", "linear_rows", "without_effects"]


@dataclass(frozen=True, slots=True, eq=False)
class Instrumented:
    """Endogenous columns of the regressors, and the instruments beside them.

    Attributes
    ----------
    endogenous : ndarray of bool, shape (k,)
        Which regressors are instrumented.
    z : ndarray, shape (n, q)
        Instruments outside the formula.
    names : tuple of str
        Their names.
    """

    endogenous: BoolArray
    z: FloatArray
    names: tuple[str, ...]

    def ends(self, design: Design) -> tuple[str, ...]:
        """Names of the endogenous regressors."""
        return tuple(itertools.compress(design.names, self.endogenous))


def linear_rows(
    data: Any,
    formula: str,
    instruments: str | None,
    model: str,
    unit: str | None,
    period: str | None,
    *,
    singletons: Singletons,
    **how: Any,
) -> tuple[Rows, Instrumented | None]:
    """Rows complete in everything, regressors that are not collinear, and the instruments."""
    panel, parts = as_panel(data), split_formula(formula)
    sides = None if instruments is None else _sides(instruments, model)
    wanted = parts if sides is None else replace(parts, regressors=f"{parts.regressors} + {sides.regressors}")
    if model != "pooled":
        _check_model(
            panel, parts, model, unit, period, weighted=how["weights"] is not None or panel.roles.weight is not None
        )
        wanted = replace(wanted, also=tuple(name for name in (unit, period) if name is not None))
    rows = prepare(panel, wanted, by=(), **how).without_singletons(singletons)
    if rows.design.effects:
        rows = replace(rows, design=rows.design.without_constant())
    if rows.design.x.shape[1] == 0:
        raise FormulaError(f"formula {formula!r} has no regressor.")
    rows, instrumented = (rows, None) if sides is None else _split(rows, parts, sides)
    check_identified(rows.design)
    if len(rows) > 1 and np.ptp(rows.design.y) == 0:
        raise DataError(
            f"{rows.design.outcome!r} is {rows.design.y[0]:g} in all {len(rows):,} rows: there is nothing to explain."
        )
    return rows, instrumented


def _sides(instruments: str, model: str) -> FormulaParts:
    if model != "pooled":
        raise OptionError(f"instruments go with model='pooled', not {model!r}; absorb effects behind the bar.")
    sides = split_formula(instruments)
    if sides.effects:
        raise FormulaError(f"instruments={instruments!r}: absorbed effects stand in the formula, for both stages.")
    return sides


def _check_model(
    panel: Panel, parts: FormulaParts, model: str, unit: str | None, period: str | None, *, weighted: bool
) -> None:
    if parts.effects:
        raise FormulaError(f"model={model!r} has no effects behind a bar: they are for model='pooled' (fixed effects).")
    if weighted:
        raise OptionError(f"model={model!r} takes no weights; use model='pooled'.")
    for role, name in {"unit": unit, "period": period}.items() if model == "differences" else [("unit", unit)]:
        if name is None:
            raise OptionError(f"model={model!r} needs {role}='column'.")
        column_of(panel, name, f"for {role}")


def _split(rows: Rows, parts: FormulaParts, sides: FormulaParts) -> tuple[Rows, Instrumented]:
    """Columns of the design by what the two formulas call them."""
    frame, design = rows.columns(), rows.design
    regressors, ends, outside = (
        set(design_matrix(frame, text).names) for text in (parts.regressors, sides.outcome, sides.regressors)
    )
    ends, outside = ends - {"Intercept"}, outside - {"Intercept"}
    if ends - regressors:
        raise FormulaError(f"{listing(sorted(ends - regressors))} of instruments= is not among the regressors.")
    if outside & ends:
        raise FormulaError(
            f"{listing(sorted(outside & ends))} is both endogenous and an instrument: instruments stand outside the "
            "formula. Regressors that are not endogenous serve for themselves."
        )
    is_instrument = np.array([name in outside - regressors for name in design.names])
    kept = replace(rows, design=design.keep_columns(~is_instrument))
    instrumented = Instrumented(
        np.array([name in ends for name in kept.design.names]),
        design.x[:, is_instrument],
        tuple(itertools.compress(design.names, is_instrument)),
    )
    return kept, _independent(kept.design, instrumented, rows.weights)


def changed_rows(rows: Rows, model: str, unit: str | None, period: str | None) -> tuple[Rows, tuple[str, ...]]:
    """Rows of the model asked for, whose least squares fit is its estimate, and what to say of it."""
    design = rows.design
    if model == "pooled":
        return rows, ()
    codes, columns = rows.codes(str(unit)), np.column_stack([design.y, design.x])
    if model == "differences":
        return _differences(rows, codes, str(period))
    units = f"{int(codes.max()) + 1:,} units ({unit})"
    if model == "between":
        changed, first = unit_means(columns, codes), design.rows[np.unique(codes, return_index=True)[1]]
        rows, note = rows.with_design(rows=first), f"Means of {units} over {len(codes):,} rows."
    else:
        components = variance_components(design.y, design.x, codes)
        changed = quasi_demeaned(columns, codes, components)
        scale = scale_of(design.unit)
        note = say(
            "Random effects of {units} with standard deviation {of_units}, of rows {of_rows} (Swamy and Arora), taken "
            "as known.", units=units, of_units=scale.level(np.sqrt(components.unit)),
            of_rows=scale.level(np.sqrt(components.row)),
        )  # fmt: skip
    return rows.with_design(y=changed[:, 0], x=changed[:, 1:]), (note,)


def _differences(rows: Rows, codes: CodeArray, period: str) -> tuple[Rows, tuple[str, ...]]:
    """Steps between rows of a unit in neighbouring periods; the constant stays one, a drift."""
    design = rows.design
    periods = order_periods(rows.columns([period])[period])
    places = periods.codes
    order = np.lexsort((places, codes))
    same, step = np.diff(codes[order]) == 0, np.diff(places[order])
    twice = int((same & (step == 0)).sum())
    if twice:
        raise DuplicateKeyError(f"{twice:,} rows stand for a unit and {period} that another row stands for already.")
    later, earlier = order[1:][same & (step == 1)], order[:-1][same & (step == 1)]
    if not len(later):
        raise EmptyDataError(f"no unit has rows in two neighbouring values of {period!r}.")
    x = design.x[later] - design.x[earlier]
    x[:, [name == "Intercept" for name in design.names]] = 1.0
    ledger = design.ledger.lose(f"no row in the {period} before", len(codes) - len(later))
    steps = rows.with_design(y=design.y[later] - design.y[earlier], x=x, rows=design.rows[later], ledger=ledger)
    apart = "" if periods.even else f" of those that occur, which are unevenly spaced ({listing(periods.levels, 6)})"
    return steps, (f"Steps from one {period} to the next{apart}.",)


def without_effects(
    design: Design, z: FloatArray, weights: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Outcome, regressors and instruments, absorbed effects taken out."""
    within = partial_out(np.column_stack([design.y, design.x, z]), design.effects, weights)
    k = design.x.shape[1]
    return within[:, 0], within[:, 1 : k + 1], within[:, k + 1 :]


def _independent(design: Design, instruments: Instrumented, weights: FloatArray | None) -> Instrumented:
    """Instruments that say something beyond the exogenous regressors, the absorbed effects and one another."""
    y, x, z = without_effects(design, instruments.z, weights)
    exogenous = x[:, ~instruments.endogenous]
    kept = fit_lstsq(y, np.column_stack([exogenous, z]), weights).kept[exogenous.shape[1] :]
    lost, names = (tuple(itertools.compress(instruments.names, mask)) for mask in (~kept, kept))
    ends = instruments.ends(design)
    if len(names) < len(ends):
        without = f" ({listing(lost)} collinear with the others)" if lost else ""
        raise IdentificationError(
            f"{len(names)} instruments ({listing(names) or 'none'}){without} for {len(ends)} endogenous regressors "
            f"({listing(ends)}): at least as many are needed."
        )
    if lost:
        warn(
            f"instruments left out, collinear with regressors, effects or other instruments: {listing(lost)}.",
            IdentificationWarning,
        )
    return replace(instruments, z=instruments.z[:, kept], names=names)
