"""From a formula and a frame to arrays: the one module that knows the formula engine.

A formula is `outcome ~ regressors | absorbed effects`, with the user's own column names and transformations inside.
Rows with a missing value are left out and counted by the column that lost them; a value that a transformation cannot
take (the logarithm of zero) is an error, not a loss.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import ColumnError, EmptyDataError, FormulaError, WageError, did_you_mean, listing
from wagegap.estimation.ledger import Ledger

__all__ = ["Design", "FormulaParts", "build_design", "design_matrix", "required_columns", "split_formula"]


@dataclass(frozen=True, slots=True)
class FormulaParts:
    """A formula cut at its tilde and bar.

    Attributes
    ----------
    outcome : str
        Left of the tilde.
    regressors : str
        Between tilde and bar.
    effects : tuple of str
        Columns behind the bar; `a^b` stands for their combinations.
    """

    outcome: str
    regressors: str
    effects: tuple[str, ...]

    @property
    def effect_columns(self) -> list[str]:
        """Columns that the effects need."""
        return list(dict.fromkeys(name for effect in self.effects for name in effect.split("^")))


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
    names : tuple of str
        Columns of x.
    terms : tuple of str
        Term of the formula that each column of x belongs to.
    effects : tuple of ndarray of int32, each of shape (n,)
        Levels of the absorbed effects.
    effect_names : tuple of str
        Their names.
    rows : ndarray of int, shape (n,)
        Positions of the rows used, in the frame.
    ledger : Ledger
        Account of the rows.
    """

    outcome: str
    y: FloatArray
    x: FloatArray
    names: tuple[str, ...]
    terms: tuple[str, ...]
    effects: tuple[CodeArray, ...]
    effect_names: tuple[str, ...]
    rows: IntArray
    ledger: Ledger

    def take(self, mask: BoolArray, reason: str, weights: FloatArray | None = None) -> Design:
        """Keep some rows; the ledger says why the others went."""
        return replace(
            self,
            y=self.y[mask],
            x=self.x[mask],
            effects=tuple(np.unique(codes[mask], return_inverse=True)[1].astype(np.int32) for codes in self.effects),
            rows=self.rows[mask],
            ledger=self.ledger.lose(reason, int((~mask).sum()), _weight_of(~mask, weights)),
        )

    def columns_of(self, variable: str) -> list[int]:
        """Columns of x that are the main effect of a variable, as it stands or as a factor `C(...)`."""
        pattern = re.compile(rf"C\({re.escape(variable)}\s*[,)]")
        return [j for j, term in enumerate(self.terms) if term == variable or pattern.match(term)]


def split_formula(formula: str) -> FormulaParts:
    """Cut a formula at its tilde and bar.

    >>> split_formula("log(wage) ~ ai + exper | firm + year")
    FormulaParts(outcome='log(wage)', regressors='ai + exper', effects=('firm', 'year'))
    """
    sides = _split_top(formula, "~")
    if len(sides) != 2 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(f"formula {formula!r} must read 'outcome ~ regressors' or 'outcome ~ regressors | effects'.")
    parts = _split_top(sides[1], "|")
    if len(parts) > 2:
        raise FormulaError(f"formula {formula!r} has {len(parts) - 1} bars; one is understood (absorbed effects).")
    effects = tuple(re.sub(r"\s", "", e) for e in parts[1].split("+")) if len(parts) == 2 else ()
    if any(not effect for effect in effects):
        raise FormulaError(f"formula {formula!r}: nothing stands behind the bar, or between two plus signs there.")
    return FormulaParts(sides[0].strip(), parts[0].strip(), effects)


def required_columns(expression: str, frame: pd.DataFrame) -> list[str]:
    """Return the columns of the frame that an expression needs; raise on names it does not have."""
    import formulaic
    from formulaic.errors import FormulaicError

    try:
        needed = formulaic.Formula(expression).required_variables
    except (FormulaicError, SyntaxError) as error:
        raise FormulaError(f"cannot read {expression!r}: {_first_line(error)}") from error
    names = sorted(str(name) for name in needed)
    absent = [name for name in names if name not in frame.columns]
    if absent:
        hints = "".join(did_you_mean(name, frame.columns) for name in absent)
        raise ColumnError(
            f"{listing(repr(n) for n in absent)} in {expression!r} {'is' if len(absent) == 1 else 'are'} not among the "
            f"columns.{hints} There are: {listing(frame.columns, 12)}."
        )
    return names


def build_design(
    frame: pd.DataFrame,
    parts: FormulaParts,
    *,
    ledger: Ledger,
    weights: FloatArray | None = None,
    keep: BoolArray | None = None,
    also: Sequence[str] = (),
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

    Raises
    ------
    ColumnError, FormulaError, WageError, EmptyDataError
    """
    outcome_columns = required_columns(parts.outcome, frame)
    regressor_columns = required_columns(parts.regressors, frame)
    _check_present(parts.effect_columns, frame)
    needed = list(dict.fromkeys([*outcome_columns, *regressor_columns, *parts.effect_columns, *also]))
    mask = np.ones(len(frame), dtype=bool) if keep is None else keep.copy()
    for name in needed:
        lost = mask & frame[name].isna().to_numpy()
        ledger = ledger.lose(f"missing {name}", int(lost.sum()), _weight_of(lost, weights))
        mask &= ~lost
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        raise EmptyDataError(f"no rows are left for {parts.outcome!r}.\n{ledger}")
    used = frame.iloc[rows][needed]
    y, _, _ = design_matrix(used, f"{parts.outcome} - 1")
    if y.shape[1] != 1:
        raise FormulaError(f"the outcome {parts.outcome!r} is {y.shape[1]} columns; it must be one column of numbers.")
    _check_finite(y[:, 0], parts.outcome, used, outcome_columns)
    x, names, terms = design_matrix(used, parts.regressors)
    for j, name in enumerate(names):
        _check_finite(x[:, j], name, used, [c for c in regressor_columns if re.search(rf"\b{re.escape(c)}\b", name)])
    effects = tuple(_effect_codes(used, effect) for effect in parts.effects)
    return Design(parts.outcome, y[:, 0], x, names, terms, effects, parts.effects, rows, ledger)


def design_matrix(frame: pd.DataFrame, expression: str) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Evaluate one side of a formula on rows without missing values: matrix, names, and the term of each column."""
    import formulaic
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix = formulaic.model_matrix(expression, _plain(frame), na_action="ignore", context={})
    except (FormulaicError, TypeError, ValueError, KeyError, SyntaxError) as error:
        raise FormulaError(f"cannot evaluate {expression!r}: {_first_line(error)}") from error
    spec: Any = matrix.model_spec
    terms = [""] * matrix.shape[1]
    for term, places in spec.term_indices.items():
        for j in places:
            terms[j] = str(term)
    return np.asarray(matrix, dtype=float), tuple(str(c) for c in matrix.columns), tuple(terms)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Booleans as 0 and 1, nullable numbers as numpy's, unused categories dropped."""
    out: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_bool_dtype(column):
            out[name] = column.astype(float)
        elif pd.api.types.is_numeric_dtype(column):
            out[name] = pd.Series(column.to_numpy(dtype=float, na_value=np.nan), index=frame.index)
        elif isinstance(column.dtype, pd.CategoricalDtype):
            out[name] = column.cat.remove_unused_categories()
        else:
            out[name] = column
    return pd.DataFrame(out, index=frame.index)


def _split_top(text: str, mark: str) -> list[str]:
    """Split at a mark that stands outside brackets, quotes and backticks."""
    parts, depth, quote, start = [], 0, "", 0
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"`":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == mark and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _check_present(names: Sequence[str], frame: pd.DataFrame) -> None:
    for name in names:
        if name not in frame.columns:
            raise ColumnError(f"no column {name!r} to absorb.{did_you_mean(name, frame.columns)}")


def _check_finite(values: FloatArray, name: str, frame: pd.DataFrame, columns: Sequence[str]) -> None:
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
    raise WageError(
        f"{name!r} is not a finite number in {int(bad.sum()):,} of {len(values):,} rows"
        f"{' (' + listing(kinds) + ')' if kinds else ''}, first {source}: filter or mend these rows before the fit."
    )


def _effect_codes(frame: pd.DataFrame, effect: str) -> CodeArray:
    names = effect.split("^")
    codes = frame.groupby(names, sort=False, observed=True).ngroup() if len(names) > 1 else None
    values = pd.factorize(frame[names[0]])[0] if codes is None else codes.to_numpy()
    return np.asarray(values, dtype=np.int32)


def _weight_of(mask: BoolArray, weights: FloatArray | None) -> float | None:
    return None if weights is None else float(np.nansum(weights[mask]))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
