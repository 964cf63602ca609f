"""From a formula and a frame to the arrays of a regression.

Rows with a missing value are left out and counted by the column that lost them; a value that a transformation cannot
take (the logarithm of zero) is an error, not a loss.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    IdentificationWarning,
    WageError,
    check_column,
    listing,
    warn,
)
from wagegap.estimation.formula import Column, FormulaParts, Matrix, design_matrix, required_columns
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.units import unit_of_outcome

__all__ = [
    "Design",
    "build_design",
    "check_keys",
    "free_name",
]


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """Arrays of a regression.

    Attributes
    ----------
    outcome : str
        The left side of the formula.
    y : ndarray, shape (n,)
        Outcome.
    x : ndarray, shape (n, k)
        Regressors, the constant first where there is one.
    columns : tuple of Column
        Columns of x: name, term of the formula, levels of factors.
    factors : dict of str to tuple
        All levels of each factor, the one without a column among them.
    effects : tuple of ndarray of int32, each of shape (n,)
        Levels of the absorbed effects.
    effect_names : tuple of str
        Their names.
    rows : ndarray of int, shape (n,)
        Positions of the rows used, in the frame.
    ledger : Ledger
        Account of the rows.
    unit : str
        Unit of differences of the outcome.
    """

    outcome: str
    y: FloatArray
    x: FloatArray
    columns: tuple[Column, ...]
    factors: Mapping[str, tuple[Any, ...]]
    effects: tuple[CodeArray, ...]
    effect_names: tuple[str, ...]
    rows: IntArray
    ledger: Ledger
    unit: str = "none"

    def take(self, mask: BoolArray, reason: str, weights: FloatArray | None = None) -> Design:
        """Keep some rows; the ledger says why the others went."""
        return replace(
            self,
            y=self.y[mask],
            x=self.x[mask],
            effects=recode(self.effects, mask),
            rows=self.rows[mask],
            ledger=self.ledger.lose(reason, int((~mask).sum()), _weight_of(~mask, weights)),
        )

    def keep_columns(self, mask: BoolArray) -> Design:
        """Keep some regressors."""
        return replace(self, x=self.x[:, mask], columns=tuple(itertools.compress(self.columns, mask)))

    def without_constant(self) -> Design:
        """Leave out the constant, which absorbed effects make up."""
        return self.keep_columns(np.array([name != "Intercept" for name in self.names], dtype=bool))

    def columns_of(self, variable: str) -> list[int]:
        """Columns of x that are the main effect of a variable, as it stands or as a factor `C(...)`."""
        return [j for j, one in enumerate(self.columns) if one.term == variable or one.parts == (variable,)]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns of x."""
        return tuple(column.name for column in self.columns)

    @property
    def terms(self) -> tuple[str, ...]:
        """Term of the formula that each column of x belongs to."""
        return tuple(column.term for column in self.columns)


def build_design(
    frame: pd.DataFrame,
    parts: FormulaParts,
    *,
    ledger: Ledger,
    weights: FloatArray | None = None,
    keep: BoolArray | None = None,
    also: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
) -> Design:
    """Evaluate a formula.

    Parameters
    ----------
    frame : DataFrame, n rows
        Data; not changed.
    parts : FormulaParts
        The formula.
    ledger : Ledger
        Account so far, which grows by the rows lost here.
    weights : ndarray of shape (n,), optional
        For the account only.
    keep : ndarray of bool, shape (n,), optional
        Rows to use at all; the others must be in the ledger already.
    also : sequence of str
        Further columns that must not be missing (cell keys).
    units : mapping of column to unit, optional
        Units declared of columns.

    Raises
    ------
    ColumnError, FormulaError, WageError, UnitError, EmptyDataError
    """
    unit = "none" if parts.values is not None else unit_of_outcome(parts.outcome, units)
    outcome_columns = [] if parts.values is not None else required_columns(parts.outcome, frame)
    regressor_columns = required_columns(parts.regressors, frame)
    for name in parts.effect_columns:
        check_column(name, frame.columns, "to absorb")
    keys = [*parts.effect_columns, *parts.also, *also]
    check_keys(frame, keys)
    needed = list(dict.fromkeys([*outcome_columns, *regressor_columns, *keys]))
    mask = np.ones(len(frame), dtype=bool) if keep is None else keep.copy()
    missing = [(name, frame[name].isna().to_numpy()) for name in needed]
    if parts.values is not None:
        missing.insert(0, (parts.outcome, np.isnan(parts.values)))
    for name, absent in missing:
        lost = mask & absent
        ledger = ledger.lose(f"missing {name}", int(lost.sum()), _weight_of(lost, weights))
        mask &= ~lost
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        raise EmptyDataError(f"no rows are left for {parts.outcome!r}.\n{ledger}")
    used = frame[needed] if rows.size == len(frame) else frame[needed].iloc[rows]
    _check_numbers(used, outcome_columns, WageError, text=not re.search(r"[=<>'\"]", parts.outcome))
    _check_numbers(used, regressor_columns, DataError, text=False)
    y = design_matrix(used, f"{parts.outcome} - 1").values if parts.values is None else parts.values[rows, None]
    if y.shape[1] != 1:
        raise FormulaError(f"the outcome {parts.outcome!r} is {y.shape[1]} columns; it must be one column of numbers.")
    _check_finite(y[:, 0], parts.outcome, used, outcome_columns, WageError)
    matrix = design_matrix(used, parts.regressors)
    x, names = matrix.values, matrix.names
    _refuse_outcome(parts, y[:, 0], matrix)
    _warn_one_level(used, regressor_columns, names)
    for j, name in enumerate(names):
        inside = [c for c in regressor_columns if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", name)]
        _check_finite(x[:, j], name, used, inside, DataError)
    groups = [used.groupby(effect.split("^"), sort=False, observed=True) for effect in parts.effects]
    effects = tuple(np.asarray(group.ngroup(), dtype=np.int32) for group in groups)
    return Design(
        parts.outcome, y[:, 0], x, matrix.columns, matrix.factors, effects, parts.effects, rows, ledger, unit
    )  # fmt: skip


def _refuse_outcome(parts: FormulaParts, y: FloatArray, matrix: Matrix) -> None:
    """Raise where the outcome, as it is written or under another name, stands among its own regressors."""
    varies = bool((y != y[0]).any())
    for j, column in enumerate(matrix.columns):
        written = parts.values is None and parts.outcome.strip("`") in (column.term, *column.parts)
        if written or (varies and np.array_equal(matrix.values[:, j], y)):
            raise FormulaError(
                f"{parts.outcome!r} stands on both sides of the formula: the regressor {column.name!r} is the outcome "
                "itself, or made of it. Leave it out."
            )
    if parts.values is None and parts.outcome.strip("`") in parts.effect_columns:
        raise FormulaError(f"{parts.outcome!r} stands on both sides of the formula: its own effects are absorbed.")


def free_name(frame: pd.DataFrame, name: str) -> str:
    """Return a name that no column of the frame has, for a column of the caller's own.

    >>> free_name(pd.DataFrame(columns=["exit", "exit_"]), "exit")
    'exit__'
    """
    while name in frame.columns:
        name += "_"
    return name


def check_keys(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise where a column holds lists, dicts or arrays, by which no row can be told from another.

    >>> check_keys(pd.DataFrame({"iso3": ["KOR", "USA"]}), ["iso3"])
    """
    for name in names:
        column = frame[name]
        if column.dtype != object or pd.api.types.infer_dtype(column, skipna=True) != "mixed":
            continue
        odd = [value for value in column if isinstance(value, list | dict | set | np.ndarray)]
        if odd:
            raise DataError(
                f"{name!r} holds a {type(odd[0]).__name__} in {len(odd):,} of {len(column):,} rows, such as "
                f"{str(odd[0])[:40]}: they cannot be keys by which rows are told apart. Use numbers or text."
            )


def _check_numbers(frame: pd.DataFrame, columns: Sequence[str], kind: type[DataError], *, text: bool) -> None:
    """Raise where a column mixes numbers and text, or, if asked, holds text at all."""
    for name in columns:
        column = frame[name]
        found = pd.api.types.infer_dtype(column, skipna=True)
        if isinstance(column.dtype, pd.CategoricalDtype) or found not in ("string", "mixed", "mixed-integer"):
            continue
        words = (
            np.array([isinstance(value, str) for value in column]) if found != "string" else np.ones(len(frame), bool)
        )
        if words.any() and (text or not words.all()):
            raise kind(
                f"{name!r} is text in {int(words.sum()):,} of {len(column):,} rows, first "
                f"{column[words].iloc[0]!r}: turn it into numbers with pandas.to_numeric, filter these rows out, or "
                "make the column a category where that is what it is."
            )


def _check_finite(
    values: FloatArray, name: str, frame: pd.DataFrame, columns: Sequence[str], kind: type[DataError]
) -> None:
    """Raise where a transformation has no finite value."""
    bad = ~np.isfinite(values)
    if not bad.any():
        return
    source = frame.loc[bad, [c for c in columns if c in frame]].head(3).to_dict("records")
    kinds = []
    for column in columns:
        numbers = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)[bad]
        counts = {"zero": (numbers == 0).sum(), "negative": (numbers < 0).sum(), "infinite": np.isinf(numbers).sum()}
        kinds += [f"{column} {kind} in {count}" for kind, count in counts.items() if count]
    raise kind(
        f"{name!r} is not a finite number in {int(bad.sum()):,} of {len(values):,} rows"
        f"{' (' + listing(kinds) + ')' if kinds else ''}{f', first {source}' if columns else ''}: filter or mend these "
        "rows before the fit."
    )


def _warn_one_level(frame: pd.DataFrame, columns: Sequence[str], names: Sequence[str]) -> None:
    """Say which factors have one level, and so no column."""
    lost = []
    for name in columns:
        if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", column) for column in names):
            continue
        first = frame[name].iloc[0]
        if len(frame) > 1 and not isinstance(first, list | dict | np.ndarray) and (frame[name] == first).all():
            lost.append(f"{name!r} is {first!r}" if isinstance(first, str) else f"{name!r} is {first}")
    if lost:
        warn(
            f"{listing(lost)} in all {len(frame):,} rows used: a factor of one level has no coefficient.",
            IdentificationWarning,
        )


def _weight_of(mask: BoolArray, weights: FloatArray | None) -> float | None:
    return None if weights is None else float(np.nansum(weights[mask]))
