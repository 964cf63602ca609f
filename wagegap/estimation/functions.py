"""The functions that formulas and conditions know: one table, and the check that a tree calls no other.

A function of numbers computes row by row, or learns one number of a column; factors, splines and codings are those of
the formula engine, which is called with values. What is added to the table is read in every formula and condition.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap.errors import FormulaError, did_you_mean, listing
from wagegap.estimation.grammar import CODINGS, Call, Node, columns_in, parts_of
from wagegap.estimation.operations import as_number, compared, logical, short, truth

__all__ = ["FUNCTIONS", "Function", "check_functions"]

Kind: TypeAlias = Literal["number", "condition", "several", "factor", "coding", "offset"]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that formulas know.

    Attributes
    ----------
    kind : {"number", "condition", "several", "factor", "coding", "offset"}
        What it gives: a number for each row, true or false, several columns, a factor, a coding of a factor; an offset
        has no value of its own.
    says : str
        What it is, for the documentation.
    arguments : (int, int)
        Least and most arguments, named ones among them.
    compute : callable, optional
        Values of the arguments to its own; of the formula engine's own functions, found there by name, it is absent.
    keywords : tuple of str
        Arguments that may be named.
    learns : bool
        Whether its value of one column is learnt once, and kept for other rows.
    """

    kind: Kind
    says: str
    arguments: tuple[int, int] = (1, 1)
    compute: Callable[..., Any] | None = None
    keywords: tuple[str, ...] = ()
    learns: bool = False


def _numeric(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers, shape (n,) or one."""

    def compute(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(as_number, arguments))

    return compute


def _rounded(x: Any, digits: Any = 0) -> Any:
    if isinstance(digits, bool) or not isinstance(digits, int) or abs(digits) > 15:
        raise FormulaError(f"round(..., {digits!r}): digits are a whole number, at most 15.")
    return np.round(as_number(x), digits)


def _extreme(whole: Callable[..., Any], pairwise: Callable[..., Any]) -> Callable[..., Any]:
    """Of one column its extreme; of several the extreme in each row."""

    def compute(first: Any, *others: Any) -> Any:
        values = [as_number(value) for value in (first, *others)]
        if not others:
            return float(whole(values[0]))
        for value in values[1:]:
            values[0] = pairwise(values[0], value)
        return values[0]

    return compute


def _chosen(condition: Any, where_true: Any, where_false: Any) -> Any:
    return _like(condition, np.where(truth(condition), as_number(where_true), as_number(where_false)))


def _clipped(x: Any, low: Any = None, high: Any = None) -> Any:
    values = as_number(x)
    for bound, nearer in ((low, np.maximum), (high, np.minimum)):
        values = values if bound is None else nearer(values, as_number(bound))
    return values


def _like(column: Any, values: Any) -> Any:
    return pd.Series(values, index=column.index) if isinstance(column, pd.Series) else values


def _known(x: Any) -> Any:
    return _like(x, pd.notna(x))


def _unknown(x: Any) -> Any:
    return _like(x, pd.isna(x))


def _filled(x: Any, value: Any) -> Any:
    return x if not isinstance(x, pd.Series) else x.where(x.notna(), value)


def _between(x: Any, low: Any, high: Any) -> Any:
    return logical("and", [compared(">=", x, low), compared("<=", x, high)])


def _ufunc(function: Any, says: str, most: int = 1) -> Function:
    return Function("number", says, (most, most), _numeric(function))


def _learning(says: str, compute: Callable[..., Any], most: int = 1) -> Function:
    return Function("number", says, (1, most), compute, learns=True)


def _engine(kind: Kind, says: str, *keywords: str) -> Function:
    """A function of the formula engine: of a column, unless it is a coding, and of options."""
    column = int(kind != "coding")
    return Function(kind, says, (column, column + len(keywords)), None, keywords)


_SPLINE = ("df", "knots", "degree", "include_intercept", "lower_bound", "upper_bound", "extrapolation")
_CUBIC = ("df", "knots", "lower_bound", "upper_bound", "constraints", "extrapolation")
_PLAIN: dict[str, Function] = {
    "log": _ufunc(np.log, "natural logarithm"),
    "log2": _ufunc(np.log2, "logarithm to base 2"),
    "log10": _ufunc(np.log10, "logarithm to base 10"),
    "log1p": _ufunc(np.log1p, "log(1 + x)"),
    "exp": _ufunc(np.exp, "exponential"),
    "exp2": _ufunc(np.exp2, "power of 2"),
    "expm1": _ufunc(np.expm1, "exp(x) - 1"),
    "sqrt": _ufunc(np.sqrt, "square root"),
    "square": _ufunc(np.square, "square"),
    "abs": _ufunc(np.abs, "absolute value"),
    "sign": _ufunc(np.sign, "-1, 0 or 1"),
    "floor": _ufunc(np.floor, "the whole number below"),
    "ceil": _ufunc(np.ceil, "the whole number above"),
    "arcsinh": _ufunc(np.arcsinh, "inverse hyperbolic sine, log(x + sqrt(x**2 + 1))"),
    "sin": _ufunc(np.sin, "sine"),
    "cos": _ufunc(np.cos, "cosine"),
    "tanh": _ufunc(np.tanh, "hyperbolic tangent"),
    "power": _ufunc(np.power, "x to the power y", 2),
    "round": Function("number", "rounded to so many digits", (1, 2), _rounded),
    "minimum": _ufunc(np.minimum, "the smaller of two, row by row", 2),
    "maximum": _ufunc(np.maximum, "the larger of two, row by row", 2),
    "min": _learning("smallest of a column; of several, row by row", _extreme(np.nanmin, np.minimum), 20),
    "max": _learning("largest of a column; of several, row by row", _extreme(np.nanmax, np.maximum), 20),
    "mean": _learning("mean of a column", _numeric(np.nanmean)),
    "median": _learning("median of a column", _numeric(np.nanmedian)),
    "where": Function("number", "one value where a condition holds, another elsewhere", (3, 3), _chosen),
    "clip": Function("number", "kept between two bounds, None for no bound", (2, 3), _clipped),
    "isfinite": Function("condition", "neither missing nor infinite", (1, 1), _numeric(np.isfinite)),
    "isnan": Function("condition", "missing", (1, 1), _unknown),
}  # fmt: skip
_CONDITIONS: dict[str, Function] = {
    "isna": Function("condition", "missing", (1, 1), _unknown),
    "isnull": Function("condition", "missing", (1, 1), _unknown),
    "notna": Function("condition", "not missing", (1, 1), _known),
    "notnull": Function("condition", "not missing", (1, 1), _known),
    "isin": Function("condition", "one of a list", (2, 2), lambda x, items: compared("in", x, items)),
    "between": Function("condition", "within two bounds, these included", (3, 3), _between),
    "fillna": Function("number", "a value where it is missing", (2, 2), _filled),
}
_TERMS: dict[str, Function] = {
    "I": Function("number", "an expression as it stands", (1, 1), lambda value: value),
    "{}": Function("number", "an expression as it stands", (1, 1), lambda value: value),
    "C": _engine("factor", "levels of a factor", "contrasts", "levels", "spans_intercept"),
    "i": Function("factor", "levels of a factor, `ref` the base", (1, 2), keywords=("ref",)),
    "center": Function("number", "less its mean", (1, 1)),
    "scale": _engine("number", "less its mean, by its standard deviation", "center", "scale", "ddof"),
    "standardize": _engine("number", "less its mean, by its standard deviation", "center", "rescale", "ddof"),
    "poly": _engine("several", "orthogonal polynomials", "degree", "raw"),
    "bs": _engine("several", "B-spline", *_SPLINE),
    "cs": _engine("several", "natural cubic spline", *_CUBIC),
    "cr": _engine("several", "natural cubic spline", *_CUBIC),
    "cc": _engine("several", "cyclic cubic spline", *_CUBIC),
    "offset": Function("offset", "a term whose coefficient is one (fit_flows)", (1, 1)),
}  # fmt: skip
_CODINGS: dict[str, Function] = {
    "contr.treatment": _engine("coding", "each level against a base", "base", "drop"),
    "contr.SAS": _engine("coding", "each level against the last", "base"),
    "contr.sum": _engine("coding", "deviations from the mean of levels"),
    "contr.helmert": _engine("coding", "each level against those before", "reverse", "scale"),
    "contr.diff": _engine("coding", "each level against the one before", "backward"),
    "contr.poly": _engine("coding", "orthogonal polynomials of ordered levels", "scores"),
    "Treatment": _engine("coding", "as contr.treatment", "reference"),
    "Sum": _engine("coding", "as contr.sum"),
    "Helmert": _engine("coding", "as contr.helmert", "reverse", "scale"),
    "Diff": _engine("coding", "as contr.diff", "backward"),
    "Poly": _engine("coding", "as contr.poly", "scores"),
}

FUNCTIONS: dict[str, Function] = (
    _PLAIN | _CONDITIONS | _TERMS | _CODINGS | {f"np.{name}": function for name, function in _PLAIN.items()}
)
"""All functions by name, numpy's own under `np.` too: the one list of what a formula or condition can call."""

_ADVICE = {
    "lag": "rows are not known to be one worker's; shift within workers first, groupby(worker)[column].shift()",
    "Q": "a column of any name stands in `backticks`",
    "hashed": "a factor is C(column)",
    "factor": "a factor is C(column)",
    "asinh": "it is called arcsinh",
    "ln": "it is called log",
    "pmin": "it is called min",
    "pmax": "it is called max",
}


def check_functions(node: Node, text: str, *, in_side: bool) -> None:
    """Raise where a tree calls what is no function, or calls one where it cannot stand.

    Parameters
    ----------
    node : Node
        A tree.
    text : str
        What it was read from, for messages.
    in_side : bool
        Whether it is a side of a formula, whose terms may be factors and splines; these are no part of an expression.
    """
    if isinstance(node, Call):
        _check_call(node, text, in_side=in_side)
        inside = False
    else:
        inside = in_side
    for part in parts_of(node):
        of_factor = isinstance(node, Call) and node.function == "C"
        if of_factor and isinstance(part, Call) and part.function in CODINGS:
            _check_arguments(part, FUNCTIONS[part.function], text)
        else:
            check_functions(part, text, in_side=inside)


def _check_call(call: Call, text: str, *, in_side: bool) -> None:
    function = FUNCTIONS.get(call.function)
    if function is None:
        raise FormulaError(_no_function(call.function, text))
    if function.kind == "offset":
        raise FormulaError(
            f"{short(text)!r}: an offset(...) is for fit_flows alone; elsewhere no coefficient is fixed."
        )
    if function.kind == "coding":
        raise FormulaError(f"{call.function}(...) in {short(text)!r} is a coding of levels, and stands in C(...).")
    if function.kind in ("factor", "several") and not in_side:
        raise FormulaError(
            f"{call.function}(...) in {short(text)!r} is {function.says}, no number: it is a term of a formula, and "
            "stands in no other function."
        )
    _check_arguments(call, function, text)
    if function.kind in ("factor", "several") and not columns_in(call):
        raise FormulaError(f"{call.function}(...) in {short(text)!r} is {function.says}, and names no column.")


def _no_function(name: str, text: str) -> str:
    """What to say of a call that is not known."""
    last = name.rpartition(".")[2]
    said = f"{short(name)!r} in {short(text)!r} is no function that formulas know"
    if last in _ADVICE:
        return f"{said}: {_ADVICE[last]}."
    hint = did_you_mean(name, FUNCTIONS) or did_you_mean(last, FUNCTIONS)
    known = listing(sorted(name for name in FUNCTIONS if not name.startswith(("np.", "{"))), 60)
    return (
        f"{said}.{hint or f' Known: {known}.'} What is beyond them is passed from Python, as a column or as a callable."
    )


def _check_arguments(call: Call, function: Function, text: str) -> None:
    """Raise where a function is given too few or too many arguments, or ones it has not."""
    given = len(call.arguments) + len(call.keywords)
    least, most = function.arguments
    for name, _ in call.keywords:
        if name not in function.keywords:
            takes = f" It takes: {listing(function.keywords)}." if function.keywords else ""
            hint = did_you_mean(name, function.keywords)
            raise FormulaError(f"{call.function}(...) in {short(text)!r} takes no {name!r}.{hint}{takes}")
    if not least <= given <= most:
        needs = f"{least}" if least == most else f"{least} to {most}"
        raise FormulaError(f"{call.function}(...) in {short(text)!r} takes {needs} arguments, not {given}.")
