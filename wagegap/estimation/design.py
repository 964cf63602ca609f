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

from wagegap._display.session import Shown
from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import (
    DataError,
    EmptyDataError,
    FormulaError,
    IdentificationWarning,
    WageError,
    check_column,
    check_keys_meet,
    check_one_type,
    listing,
    warn,
)
from wagegap.estimation.column_types import LEAST, fault_of, held_by, mostly_digits, number_or_nan, refuse_sizes
from wagegap.estimation.formula import Column, FormulaParts, Matrix, design_matrix, factors_of, required_columns
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.units import unit_of_outcome

__all__ = [
    "Design",
    "build_design",
    "check_columns_meet",
    "check_keys",
    "check_numbers_in",
    "check_regressors",
    "free_name",
]

_COMPARED = re.compile(r"[=<>'\"]")
_CATEGORICAL = re.compile(r"C\(")
_LEVELS = 100
_SAMPLED = 2_000
"""Rows in which levels are counted first; where there are few, there are not many in all."""


@dataclass(frozen=True, slots=True, eq=False)
class Design(Shown):
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
    check_numbers_in(used, outcome_columns, parts.outcome, WageError)
    check_regressors(used, regressor_columns, parts.regressors)
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
    outcome = parts.outcome.strip("`")
    many = len(np.unique(y[:1_000])) > 2  # a copy of two values predicts them perfectly, which models say themselves
    for j, column in enumerate(matrix.columns):
        written = parts.values is None and outcome in (column.term, *column.parts)
        named = parts.values is None and re.search(rf"(?<!\w){re.escape(outcome)}(?!\w)", column.name) is not None
        if written or ((many or named) and np.array_equal(matrix.values[:, j], y)):
            raise FormulaError(
                f"{parts.outcome!r} stands on both sides of the formula: the regressor {column.name!r} is the outcome "
                "itself, or made of it. Leave it out."
            )
    if parts.values is None and outcome in parts.effect_columns:
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
    """Raise where a column holds lists, dicts, arrays or complex numbers, which are no keys, or 1 beside '1'.

    >>> check_keys(pd.DataFrame({"iso3": ["KOR", "USA"]}), ["iso3"])
    """
    for name in names:
        check_column(name, frame.columns, "for a key")
        column = frame[name]
        if pd.api.types.is_complex_dtype(column.dtype):
            raise DataError(f"{name!r} {fault_of(column)}; they are no keys by which rows are told apart.")
        held = pd.api.types.infer_dtype(column, skipna=True) if column.dtype == object else ""
        if held not in ("mixed", "mixed-integer"):
            continue
        odd = [value for value in column if not _is_hashable(value)]
        if not odd:
            check_one_type(column.dropna().unique().tolist(), repr(name))
        else:
            raise DataError(
                f"{name!r} holds a {type(odd[0]).__name__} in {len(odd):,} of {len(column):,} rows, such as "
                f"{str(odd[0])[:40]}: they cannot be keys by which rows are told apart. Use numbers or text."
            )


def _is_hashable(value: object) -> bool:
    """Whether a value can be told from others by what it is: a tuple of lists cannot."""
    try:
        hash(value)
    except TypeError:
        return False
    return True


def check_columns_meet(
    first: pd.Series[Any], second: pd.Series[Any], what: str, names: tuple[str, str] = ("one side", "the other")
) -> None:
    """Raise where keys of two columns do not meet, and would but for their type, capitals or spaces.

    >>> check_columns_meet(pd.Series(["KOR"]), pd.Series(["KOR", "USA"]), "key 'iso3'")
    """
    check_keys_meet(first.dropna().unique().tolist(), second.dropna().unique().tolist(), what, names)


def check_numbers_in(
    frame: pd.DataFrame, columns: Sequence[str], expression: str, error: type[DataError] = DataError
) -> None:
    """Raise where a column of an outcome or offset holds no numbers, unless it is compared with something.

    >>> check_numbers_in(pd.DataFrame({"field": ["cs", "law"]}), ["field"], "I(field == 'cs')")
    """
    compared = _COMPARED.search(expression)
    for name in columns:
        held = held_by(frame[name])
        if held == "category":
            fault = "is a category, not a number" if expression == name else ""
        elif held in ("text", "dates", "durations", "objects") and compared:
            continue
        else:
            fault = fault_of(frame[name])
        if fault:
            advice = f". \"I({name} == 'x')\" is 1 where it is x" if held in ("category", "text") else ""
            raise error(f"{name!r} {fault}{advice}.")


def check_regressors(frame: pd.DataFrame, columns: Sequence[str], expression: str) -> None:
    """Raise where a column mixes numbers and text, or holds numbers as text, dates, durations or complex numbers.

    Text is a factor, and so is whatever stands in `C(...)`; dates may be compared with one another. Text and categories
    of more than a hundred levels, and more than a tenth as many as rows, are factors in `C(...)` alone: names, or pay
    as text, would otherwise become hundreds of coefficients.

    >>> check_regressors(pd.DataFrame({"code": ["1", "2"]}), ["code"], "C(code)")
    """
    odd = {name: held for name in columns if (held := held_by(frame[name])) != "numbers"}
    written = factors_of(expression) if odd else set()
    for name, held in odd.items():
        if name in written and held in ("text", "category"):
            _check_levels(frame[name])
        if held == "category":
            continue
        uses = [factor for factor in written if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", factor)]
        as_number = [use for use in uses if not (_CATEGORICAL.match(use) or _COMPARED.search(use))]
        if held == "text" and name in as_number:
            _check_digits(frame[name])
        elif held in ("mixed", "complex") or (held in ("dates", "durations", "objects") and as_number):
            advice = f". Where its values are levels of a factor write C({name})"
            advice = ", or make the column a category where that is what it is" if held == "mixed" else advice
            raise DataError(f"{name!r} {fault_of(frame[name])}{advice if held not in ('complex', 'objects') else ''}.")


def _check_levels(column: pd.Series[Any]) -> None:
    """Raise where a factor has more levels than anybody means who has not written `C(...)`."""
    n, kind = len(column), column.dtype
    if isinstance(kind, pd.CategoricalDtype) and len(kind.categories) <= _LEVELS:
        return
    if column.iloc[:: -(-n // _SAMPLED)].nunique() <= _LEVELS or (levels := column.nunique()) <= n / 10:
        return
    name, held = column.name, "a category" if isinstance(kind, pd.CategoricalDtype) else "text"
    raise DataError(
        f"{name!r} is {held} of {levels:,} levels in {n:,} rows, each of which would have a coefficient: write "
        f"C({name}) where that is meant, turn numbers written as text into numbers with pandas.to_numeric, or absorb "
        f"the levels behind a bar, | {name}, where the call takes one."
    )


def _check_digits(column: pd.Series[Any]) -> None:
    """Raise where text is mostly numbers, of which each would silently be a level of its own."""
    digits = mostly_digits(column)
    if digits:
        name, levels = column.name, column.dropna().nunique()
        raise DataError(
            f"{name!r} is text in {len(column):,} of {len(column):,} rows, of which {digits:,} hold digits, first "
            f"{column.dropna().iloc[0]!r}: turn it into numbers with pandas.to_numeric, or write C({name}) where its "
            f"{levels:,} values are levels of a factor."
        )


def _check_finite(
    values: FloatArray, name: str, frame: pd.DataFrame, columns: Sequence[str], kind: type[DataError]
) -> None:
    """Raise where a transformation has no finite value, or one too large to be squared."""
    bad = ~np.isfinite(values)
    if not bad.any():
        refuse_sizes(values, repr(name), len(values))
        if 0 < np.abs(values).max(initial=0.0) < LEAST:
            refuse_sizes(values[values != 0], repr(name), len(values), least=LEAST)
        return
    source = frame.loc[bad, [c for c in columns if c in frame]].head(3).to_dict("records")
    kinds = []
    for column in columns:
        numbers = number_or_nan(frame[column])[bad]
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
