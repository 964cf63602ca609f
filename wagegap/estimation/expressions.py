"""Values of expressions: the functions that formulas and conditions know, and what a syntax tree gives on columns.

A tree of `estimation.grammar` is walked, and each of its nodes computed by what stands here: arithmetic, comparisons,
logic and the functions of one table. Arithmetic is that of floats. Nothing is handed to an interpreter of Python, so
that a text reaches no object, no attribute and no file.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap.errors import FormulaError, WagegapError, did_you_mean, listing
from wagegap.estimation.column_types import as_numbers, held_by
from wagegap.estimation.grammar import (
    CODINGS,
    Call,
    Chain,
    Constant,
    Items,
    Name,
    Node,
    Power,
    Unary,
    columns_in,
    parts_of,
    written,
)

__all__ = ["FUNCTIONS", "Function", "check_functions", "is_comparison", "value_of"]

State: TypeAlias = dict[str, dict[str, Any]]
"""What functions learn of a whole column, knots or a mean, by the text of their call."""
Kind: TypeAlias = Literal["number", "condition", "several", "factor", "coding", "offset"]

_MOST = 1_000  # columns of a spline or polynomial


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


def _number(value: Any, what: str = "") -> Any:
    """A value as floats: a number, or a column of numbers."""
    if isinstance(value, pd.Series):
        return pd.Series(as_numbers(value, what or f"{value.name!r}"), index=value.index, name=value.name)
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value.astype(float)
    if isinstance(value, bool | int | float):
        return np.float64(value)
    raise FormulaError(f"{what or 'an argument'} is {_kind_of(value)}, where a column of numbers is needed.")


def _numeric(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of numbers, shape (n,) or one."""

    def compute(*arguments: Any) -> Any:
        with np.errstate(all="ignore"):
            return function(*map(_number, arguments))

    return compute


def _rounded(x: Any, digits: Any = 0) -> Any:
    if isinstance(digits, bool) or not isinstance(digits, int) or abs(digits) > 15:
        raise FormulaError(f"round(..., {digits!r}): digits are a whole number, at most 15.")
    return np.round(_number(x), digits)


def _extreme(whole: Callable[..., Any], pairwise: Callable[..., Any]) -> Callable[..., Any]:
    """Of one column its extreme; of several the extreme in each row."""

    def compute(first: Any, *others: Any) -> Any:
        values = [_number(value) for value in (first, *others)]
        if not others:
            return float(whole(values[0]))
        for value in values[1:]:
            values[0] = pairwise(values[0], value)
        return values[0]

    return compute


def _chosen(condition: Any, where_true: Any, where_false: Any) -> Any:
    return _like(condition, np.where(_truth(condition), _number(where_true), _number(where_false)))


def _clipped(x: Any, low: Any = None, high: Any = None) -> Any:
    values = _number(x)
    for bound, nearer in ((low, np.maximum), (high, np.minimum)):
        values = values if bound is None else nearer(values, _number(bound))
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
    return _logical("and", [_compared(">=", x, low), _compared("<=", x, high)])


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
    "isin": Function("condition", "one of a list", (2, 2), lambda x, items: _compared("in", x, items)),
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
            f"{_short(text)!r}: an offset(...) is for fit_flows alone; elsewhere no coefficient is fixed."
        )
    if function.kind == "coding":
        raise FormulaError(f"{call.function}(...) in {_short(text)!r} is a coding of levels, and stands in C(...).")
    if function.kind in ("factor", "several") and not in_side:
        raise FormulaError(
            f"{call.function}(...) in {_short(text)!r} is {function.says}, no number: it is a term of a formula, and "
            "stands in no other function."
        )
    _check_arguments(call, function, text)
    if function.kind in ("factor", "several") and not columns_in(call):
        raise FormulaError(f"{call.function}(...) in {_short(text)!r} is {function.says}, and names no column.")


def _no_function(name: str, text: str) -> str:
    """What to say of a call that is not known."""
    last = name.rpartition(".")[2]
    said = f"{_short(name)!r} in {_short(text)!r} is no function that formulas know"
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
            raise FormulaError(f"{call.function}(...) in {_short(text)!r} takes no {name!r}.{hint}{takes}")
    if not least <= given <= most:
        needs = f"{least}" if least == most else f"{least} to {most}"
        raise FormulaError(f"{call.function}(...) in {_short(text)!r} takes {needs} arguments, not {given}.")


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[:most]}..."


# values ---------------------------------------------------------------------------------------------------------------


def value_of(node: Node, columns: Mapping[str, pd.Series[Any]], state: State) -> Any:
    """Compute a tree on columns.

    Parameters
    ----------
    node : Node
        An expression.
    columns : mapping of str to Series, n rows
        The columns that it names, of one index.
    state : dict
        What its functions have learnt of whole columns; those that are not in it learn, and put it there.

    Returns
    -------
    Series of n rows, or one value
        Of a factor or spline what the formula engine makes of it.

    Raises
    ------
    FormulaError, DataError

    Examples
    --------
    >>> from wagegap.estimation.grammar import parse_condition
    >>> ages = pd.Series([20.0, 45.0], name="age")
    >>> value_of(parse_condition("30 < age <= 60 or log(age) < 0"), {"age": ages}, {}).tolist()
    [False, True]
    """
    match node:
        case Name(name):
            return columns[name]
        case Constant(value):
            return value
        case Items(items):
            return [value_of(item, columns, state) for item in items]
        case Call():
            return _called(node, columns, state)
        case Unary(mark, operand):
            return _signed(mark, value_of(operand, columns, state), operand)
        case Power(base, exponent):
            return _calculated("**", value_of(base, columns, state), value_of(exponent, columns, state), node)
    return _chained(node, [value_of(part, columns, state) for part in node.parts])


def is_comparison(node: Node) -> bool:
    """Whether a tree gives true or false.

    >>> from wagegap.estimation.grammar import parse_condition
    >>> is_comparison(parse_condition("ai == 1")), is_comparison(parse_condition("ai + 1"))
    (True, False)
    """
    match node:
        case Chain("comparison" | "and" | "or") | Unary("not"):
            return True
        case Call(function, (inside, *_)) if function in ("I", "{}"):
            return is_comparison(inside)
        case Call(function):
            return FUNCTIONS[function].kind == "condition"
    return False


def _called(call: Call, columns: Mapping[str, pd.Series[Any]], state: State) -> Any:
    arguments = [value_of(argument, columns, state) for argument in call.arguments]
    keywords = {name: value_of(value, columns, state) for name, value in call.keywords}
    compute = FUNCTIONS[call.function].compute or _of_engine(call, state)
    try:
        if FUNCTIONS[call.function].learns and len(arguments) == 1:
            learnt = state.setdefault(written(call), {})
            return learnt["value"] if "value" in learnt else learnt.setdefault("value", compute(*arguments))
        return compute(*arguments, **keywords)
    except WagegapError:
        raise
    except Exception as error:  # of the formula engine's functions, or numpy's, each with errors of its own
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FormulaError(f"cannot evaluate {_short(written(call))!r}: {_short(first, 200)}.") from error


def _of_engine(call: Call, state: State) -> Callable[..., Any]:
    """A function of the formula engine, with what it has learnt."""
    from formulaic.transforms import TRANSFORMS

    if call.function == "i":
        return lambda x, ref=None: TRANSFORMS["C"](x, *([] if ref is None else [TRANSFORMS["Treatment"](ref)]))
    owner, _, name = call.function.rpartition(".")
    function = getattr(TRANSFORMS[owner], name) if owner else TRANSFORMS[name]
    if not getattr(function, "__is_stateful_transform__", False):
        return function  # type: ignore[no-any-return]
    learnt = state.setdefault(written(call), {})

    def compute(x: Any, *arguments: Any, **keywords: Any) -> Any:
        for value in (*arguments, *keywords.values()):
            if isinstance(value, int) and value > _MOST and call.function not in ("scale", "standardize"):
                raise FormulaError(
                    f"{_short(written(call))!r} would have {value:,} columns; at most {_MOST:,} are made."
                )
        return function(_number(x), *arguments, _state=learnt, **keywords)

    return compute


def _signed(mark: str, value: Any, operand: Node) -> Any:
    if mark in ("not", "~"):
        return ~_truth(value)
    number = _number(value, f"{_short(written(operand))!r}")
    return -number if mark == "-" else number


def _chained(node: Chain, values: list[Any]) -> Any:
    if node.level in ("and", "or"):
        return _logical(node.level, values)
    if node.level == "comparison":
        pairs = zip(node.marks, values, values[1:], strict=False)
        return _logical("and", [_compared(mark, left, right) for mark, left, right in pairs])
    result = values[0]
    for mark, value in zip(node.marks, values[1:], strict=True):
        result = _calculated(mark, result, value, node)
    return result


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "**": operator.pow,
}  # fmt: skip


def _calculated(mark: str, left: Any, right: Any, node: Node) -> Any:
    """Arithmetic of floats."""
    sides = [_number(value, _side_of(value, node)) for value in (left, right)]
    with np.errstate(all="ignore"):
        return _ARITHMETIC[mark](*sides)


def _side_of(value: Any, node: Node) -> str:
    return f"{value.name!r}" if isinstance(value, pd.Series) and value.name else f"a part of {_short(written(node))!r}"


def _truth(value: Any) -> Any:
    """True or false, missing where unknown: of comparisons, and of columns of 0 and 1."""
    if isinstance(value, bool | np.bool_):
        return np.bool_(value)
    if isinstance(value, pd.Series):
        if value.dtype == bool or value.dtype == "boolean":
            return value
        numbers = as_numbers(value, f"{value.name!r}")
        if np.isin(numbers[~np.isnan(numbers)], (0.0, 1.0)).all():
            return pd.Series(pd.array(numbers == 1, dtype="boolean"), index=value.index).mask(np.isnan(numbers))
    shown = f"{value.name!r}" if isinstance(value, pd.Series) and value.name else _kind_of(value)
    raise FormulaError(f"{shown} is neither true nor false: compare it with something, such as {shown} == 1.")


def _logical(level: str, values: Sequence[Any]) -> Any:
    result = _truth(values[0])
    for value in values[1:]:
        result = result & _truth(value) if level == "and" else result | _truth(value)
    return result


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def _compared(mark: str, left: Any, right: Any) -> Any:
    """A comparison, or whether a column is one of a list."""
    if mark in ("==", "!=") and isinstance(right, list):
        mark = "in" if mark == "==" else "not in"
    if mark in ("in", "not in"):
        inside = _inside(left, right)
        return ~inside if mark == "not in" else inside
    if isinstance(left, list) or isinstance(right, list):
        raise FormulaError(f"a list is compared by 'in' alone, not by {mark!r}.")
    for one, other in ((left, right), (right, left)):
        _check_kinds(one, [other])
    try:
        return _COMPARISONS[mark](left, right)
    except (TypeError, ValueError) as error:
        sides = " and ".join(_kind_of(value) for value in (left, right))
        raise FormulaError(f"{sides} cannot be compared by {mark!r}: {str(error).splitlines()[0][:120]}.") from error


def _inside(column: Any, items: Any) -> Any:
    if not isinstance(items, list) or not isinstance(column, pd.Series):
        raise FormulaError("'in' stands between a column and a list, such as iso3 in ['KOR', 'USA'].")
    _check_kinds(column, items)
    return column.isin([item for item in items if not isinstance(item, list)])


def _check_kinds(column: Any, others: Sequence[Any]) -> None:
    """Raise where text is compared with numbers, none of which can be equal."""
    if not isinstance(column, pd.Series) or not others or any(isinstance(other, pd.Series) for other in others):
        return
    text, number = all(isinstance(o, str) for o in others), all(isinstance(o, int | float) for o in others)
    plain = column.cat.categories.to_series() if isinstance(column.dtype, pd.CategoricalDtype) else column
    held = held_by(plain)
    if held == "text" and number:
        raise FormulaError(
            f"{column.name!r} is text and is compared with the number {others[0]!r}: write it in quotes, "
            f"{str(others[0])!r}."
        )
    if held == "numbers" and text and plain.notna().any():
        raise FormulaError(f"{column.name!r} holds numbers and is compared with the text {_short(others[0], 40)!r}.")


def _kind_of(value: Any) -> str:
    """What a value is, in words."""
    if isinstance(value, pd.Series):
        return f"{value.name!r} ({value.dtype})" if value.name else f"a column ({value.dtype})"
    if isinstance(value, str):
        return f"the text {_short(value, 40)!r}"
    return "a list" if isinstance(value, list) else "nothing" if value is None else f"{type(value).__name__} {value!r}"
