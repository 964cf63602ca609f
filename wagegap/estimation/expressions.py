"""Values of expressions: what a syntax tree gives on columns.

A tree of `estimation.grammar` is walked, and each node computed by `estimation.operations` or by a function of the
table in `estimation.functions`. Nothing is handed to an interpreter of Python, so that a text reaches no object, no
attribute and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap.errors import FormulaError, WagegapError
from wagegap.estimation.functions import FUNCTIONS
from wagegap.estimation.grammar import Call, Chain, Constant, Items, Name, Node, Power, Unary, written
from wagegap.estimation.operations import ARITHMETIC, as_number, compared, logical, short, truth

__all__ = ["State", "value_of"]

State: TypeAlias = dict[str, dict[str, Any]]
"""What functions learn of a whole column, knots or a mean, by the text of their call."""

_MOST = 1_000  # columns of a spline or polynomial


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
        raise FormulaError(f"cannot evaluate {short(written(call))!r}: {short(first, 200)}.") from error


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
                    f"{short(written(call))!r} would have {value:,} columns; at most {_MOST:,} are made."
                )
        return function(as_number(x), *arguments, _state=learnt, **keywords)

    return compute


def _signed(mark: str, value: Any, operand: Node) -> Any:
    if mark in ("not", "~"):
        return ~truth(value)
    number = as_number(value, f"{short(written(operand))!r}")
    return -number if mark == "-" else number


def _chained(node: Chain, values: list[Any]) -> Any:
    if node.level in ("and", "or"):
        return logical(node.level, values)
    if node.level == "comparison":
        pairs = zip(node.marks, values, values[1:], strict=False)
        return logical("and", [compared(mark, left, right) for mark, left, right in pairs])
    result = values[0]
    for mark, value in zip(node.marks, values[1:], strict=True):
        result = _calculated(mark, result, value, node)
    return result


def _calculated(mark: str, left: Any, right: Any, node: Node) -> Any:
    """Arithmetic of floats."""
    sides = [as_number(value, _side_of(value, node)) for value in (left, right)]
    with np.errstate(all="ignore"):
        return ARITHMETIC[mark](*sides)


def _side_of(value: Any, node: Node) -> str:
    return f"{value.name!r}" if isinstance(value, pd.Series) and value.name else f"a part of {short(written(node))!r}"
