"""From a formula and a frame to arrays: the one module that knows the formula engine.

A formula is `outcome ~ regressors | absorbed effects`, with the user's own column names and transformations inside.
Rows with a missing value are left out and counted by the column that lost them; a value that a transformation cannot
take (the logarithm of zero) is an error, not a loss.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    FormulaError,
    IdentificationWarning,
    WageError,
    did_you_mean,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.least_squares.absorb import recode
from wagegap.estimation.ledger import Ledger

__all__ = [
    "Design",
    "FormulaParts",
    "build_design",
    "check_keys",
    "design_matrix",
    "free_name",
    "required_columns",
    "split_formula",
]

_WORD = re.compile(r"(?<![\w.])([^\W\d]\w*)(?!\w)(?!\s*\()(?!\s*=(?!=))")
_NAME = re.compile(r"[^\W\d]\w*")
_NO_CONSTANT = re.compile(r"\s-\s*1\s*$")
_BLOCK = 4096
_WHOLE_LEVEL = re.compile(r"(\bC\((\w+)[^\[]*\[(?:T\.)?-?\d+)\.0\]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


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
            effects=recode(self.effects, mask),
            rows=self.rows[mask],
            ledger=self.ledger.lose(reason, int((~mask).sum()), _weight_of(~mask, weights)),
        )

    def keep_columns(self, mask: BoolArray) -> Design:
        """Keep some regressors."""
        names, terms = (tuple(itertools.compress(own, mask)) for own in (self.names, self.terms))
        return replace(self, x=self.x[:, mask], names=names, terms=terms)

    def without_constant(self) -> Design:
        """Leave out the constant, which absorbed effects make up."""
        return self.keep_columns(np.array([name != "Intercept" for name in self.names], dtype=bool))

    def columns_of(self, variable: str) -> list[int]:
        """Columns of x that are the main effect of a variable, as it stands or as a factor `C(...)`."""
        pattern = re.compile(rf"C\({re.escape(variable)}\s*[,)]")
        return [j for j, term in enumerate(self.terms) if term == variable or pattern.match(term)]


def split_formula(formula: str) -> FormulaParts:
    """Cut a formula at its tilde and bar.

    >>> split_formula("log(wage) ~ ai + exper | firm + year")
    FormulaParts(outcome='log(wage)', regressors='ai + exper', effects=('firm', 'year'))
    """
    if not isinstance(formula, str):
        raise FormulaError(f"a formula is text such as 'log(wage) ~ skill + age', not {type(formula).__name__}.")
    sides = _split_top(formula, "~")
    if len(sides) != 2 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(f"formula {formula!r} must read 'outcome ~ regressors' or 'outcome ~ regressors | effects'.")
    parts = _split_top(sides[1], "|")
    if len(parts) > 2:
        raise FormulaError(f"formula {formula!r} has {len(parts) - 1} bars; one is understood (absorbed effects).")
    effects = tuple(_effect_name(e) for e in _split_top(parts[1], "+")) if len(parts) == 2 else ()
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
    names = sorted({str(name) for name in needed} | _columns_inside(expression, frame))
    absent = [name for name in names if name not in frame.columns]
    _check_functions(absent, expression)
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
    said: str | None = None,
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
    said : str, optional
        What messages and the account call an outcome that is a column made by the caller.

    Raises
    ------
    ColumnError, FormulaError, WageError, EmptyDataError
    """
    words = said or parts.outcome
    outcome_columns = required_columns(parts.outcome, frame)
    regressor_columns = required_columns(parts.regressors, frame)
    _check_present(parts.effect_columns, frame)
    check_keys(frame, [*parts.effect_columns, *also])
    needed = list(dict.fromkeys([*outcome_columns, *regressor_columns, *parts.effect_columns, *also]))
    mask = np.ones(len(frame), dtype=bool) if keep is None else keep.copy()
    for name in needed:
        lost = mask & frame[name].isna().to_numpy()
        ledger = ledger.lose(
            f"missing {said if said and name in outcome_columns else name}", int(lost.sum()), _weight_of(lost, weights)
        )
        mask &= ~lost
    rows = np.flatnonzero(mask)
    if rows.size == 0:
        raise EmptyDataError(f"no rows are left for {words!r}.\n{ledger}")
    used = frame[needed] if rows.size == len(frame) else frame[needed].iloc[rows]
    _check_numbers(used, outcome_columns, WageError, text=not re.search(r"[=<>'\"]", parts.outcome))
    _check_numbers(used, regressor_columns, DataError, text=False)
    y, _, _ = design_matrix(used, f"{parts.outcome} - 1")
    if y.shape[1] != 1:
        raise FormulaError(f"the outcome {parts.outcome!r} is {y.shape[1]} columns; it must be one column of numbers.")
    _check_finite(y[:, 0], words, used, [] if said else outcome_columns, WageError)
    x, names, terms = design_matrix(used, parts.regressors)
    _warn_one_level(used, regressor_columns, names)
    for j, name in enumerate(names):
        inside = [c for c in regressor_columns if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", name)]
        _check_finite(x[:, j], name, used, inside, DataError)
    effects = tuple(_effect_codes(used, effect) for effect in parts.effects)
    return Design(words, y[:, 0], x, names, terms, effects, parts.effects, rows, ledger)


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


def design_matrix(frame: pd.DataFrame, expression: str) -> tuple[FloatArray, tuple[str, ...], tuple[str, ...]]:
    """Evaluate one side of a formula on rows without missing values: matrix, names, and the term of each column."""
    if len(_split_top(expression, "|")) > 1:
        raise FormulaError(
            f"{expression!r} has a bar, behind which effects are absorbed elsewhere, and not here: put them among the "
            "regressors as C(...); a condition with a bar stands in brackets."
        )
    columns = _sum_of_columns(frame, expression)
    if columns is not None:
        constant = ("Intercept",) * (not _NO_CONSTANT.search(expression))
        values = _side_by_side(frame, columns, constant=bool(constant))
        return values, (*constant, *columns), (*("1" for _ in constant), *columns)
    import formulaic
    from formulaic.errors import FormulaicError

    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            matrix = formulaic.model_matrix(expression, _plain(frame), na_action="ignore", context={})
            values = np.asarray(matrix, dtype=float)
    except DataError:
        raise
    except (FormulaicError, TypeError, ValueError, KeyError, SyntaxError) as error:
        unknown = re.search(r"name '(\w+)' is not defined", str(error))
        if unknown:
            word = unknown.group(1)
            raise ColumnError(
                f"{word!r} in {expression!r} is not among the columns.{did_you_mean(word, frame.columns)}"
            ) from error
        raise FormulaError(f"cannot evaluate {expression!r}: {_why_not(error, frame, expression)}.") from error
    spec: Any = matrix.model_spec
    terms = [""] * matrix.shape[1]
    for term, places in spec.term_indices.items():
        for j in places:
            terms[j] = str(term)
    return values, tuple(_whole_levels(str(c), frame) for c in matrix.columns), tuple(terms)


def _why_not(error: BaseException, frame: pd.DataFrame, expression: str) -> str:
    """What the formula engine says, or which columns are no numbers where that is what it stumbles over."""
    odd = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name]) and str(name) in expression]
    kinds = listing(f"{name} is {frame[name].dtype}" for name in odd)
    said = _first_line(error)
    if odd and re.search(r"TypeError|ufunc|dtype|not supported|could not convert", f"{type(error).__name__} {said}"):
        return f"{kinds}, where numbers are needed; pandas.to_numeric makes numbers of text, .dt.year of dates"
    return f"{said}{f' ({kinds})' * bool(odd)}"


def _sum_of_columns(frame: pd.DataFrame, expression: str) -> list[str] | None:
    """Columns of an expression that is nothing but a sum of numeric columns, which needs no formula engine."""
    names = [name.strip() for name in _NO_CONSTANT.sub("", expression).split("+")]
    plain = all(_NAME.fullmatch(name) and name in frame and _is_number(frame[name]) for name in names)
    return list(dict.fromkeys(names)) if plain else None


def _is_number(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)


def _as_float(column: pd.Series[Any]) -> FloatArray:
    return column.to_numpy() if column.dtype == np.float64 else column.to_numpy(dtype=float, na_value=np.nan)


def _side_by_side(frame: pd.DataFrame, columns: Sequence[str], *, constant: bool) -> FloatArray:
    """Columns as a matrix, some rows at a time, so that what is written stays in the cache."""
    parts = [_as_float(frame[name]) for name in columns]
    out = np.empty((len(frame), len(parts) + constant))
    out[:, : int(constant)] = 1.0
    for start in range(0, len(frame), _BLOCK):
        rows = slice(start, start + _BLOCK)
        for j, part in enumerate(parts, start=int(constant)):
            out[rows, j] = part[rows]
    return out


def _whole_levels(name: str, frame: pd.DataFrame) -> str:
    """Levels of a factor of whole numbers without the decimals that they are evaluated with: `C(isco)[T.2]`."""

    def shortened(found: re.Match[str]) -> str:
        whole = found[2] in frame and pd.api.types.is_integer_dtype(frame[found[2]])
        return f"{found[1]}]" if whole else found[0]

    return _WHOLE_LEVEL.sub(shortened, name)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Booleans as 0 and 1, nullable numbers as numpy's, text of any kind as objects, unused categories dropped."""
    out: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            out[name] = column.cat.remove_unused_categories()
        elif pd.api.types.is_bool_dtype(column):
            out[name] = column.astype(float)
        elif pd.api.types.is_complex_dtype(column):
            raise DataError(f"{name!r} holds complex numbers: take their real part.")
        elif _is_decimal(column):
            out[name] = column.astype(float)
        elif pd.api.types.is_string_dtype(column) and column.dtype != object:
            out[name] = column.astype(object)
        elif pd.api.types.is_numeric_dtype(column):
            out[name] = column if column.dtype == np.float64 else pd.Series(_as_float(column), index=frame.index)
        else:
            out[name] = column
    return pd.DataFrame(out, index=frame.index, copy=False)


def _is_decimal(column: pd.Series[Any]) -> bool:
    return column.dtype == object and pd.api.types.infer_dtype(column, skipna=True) == "decimal"


def _effect_name(text: str) -> str:
    """Name behind the bar, without backticks; `a^b` without the spaces around the mark."""
    return "^".join(part.strip().strip("`") for part in _split_top(text, "^"))


def _columns_inside(expression: str, frame: pd.DataFrame) -> set[str]:
    """Columns that stand in an expression, those within functions that the formula engine does not look into as well.

    >>> sorted(_columns_inside("poly(age, 2) + f(`a b`, df=3) + x.age", pd.DataFrame(columns=["age", "df", "a b"])))
    ['a b', 'age']
    """
    text = _QUOTED.sub("", expression)
    words = {*_WORD.findall(re.sub("`[^`]*`", "", text)), *re.findall("`([^`]*)`", text)}
    return {word for word in words if word in frame.columns}


def _check_functions(absent: Sequence[str], expression: str) -> None:
    """Raise where a name that is no column is called as a function."""
    from formulaic.transforms import TRANSFORMS

    called = [name for name in absent if re.search(rf"(?<![\w.]){re.escape(name)}\s*\(", expression)]
    if called:
        known = sorted(name for name in TRANSFORMS if name != "np")
        raise FormulaError(
            f"{listing(repr(n) for n in called)} in {expression!r} is no function that formulas know."
            f"{did_you_mean(called[0], known)} Known: {listing(known, 30)}, and numpy's as np.NAME."
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
            raise no_column(name, frame.columns, "to absorb")


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


def _effect_codes(frame: pd.DataFrame, effect: str) -> CodeArray:
    names = effect.split("^")
    codes = frame.groupby(names, sort=False, observed=True).ngroup() if len(names) > 1 else None
    values = pd.factorize(frame[names[0]])[0] if codes is None else codes.to_numpy()
    return np.asarray(values, dtype=np.int32)


def _weight_of(mask: BoolArray, weights: FloatArray | None) -> float | None:
    return None if weights is None else float(np.nansum(weights[mask]))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
