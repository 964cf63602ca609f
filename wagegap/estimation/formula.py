"""Formulas: the one module that knows the formula engine.

A formula is `outcome ~ regressors | absorbed effects`, with the user's own column names and transformations inside. It
is read by the closed grammar of `estimation.grammar`; its factors are computed by `estimation.expressions`, and the
formula engine is given their values and the operators between them, so that it evaluates no text. A column of its
matrix knows the term it belongs to and the levels of factors that it stands for, so that nobody reads them back from
its name.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.session import Shown
from wagegap._typing import FloatArray
from wagegap.errors import ColumnError, DataError, FormulaError, did_you_mean, listing
from wagegap.estimation.column_types import held_by, number_or_nan
from wagegap.estimation.expressions import State, value_of
from wagegap.estimation.functions import check_functions
from wagegap.estimation.grammar import (
    Call,
    Chain,
    Constant,
    Name,
    Node,
    Power,
    Unary,
    columns_in,
    functions_in,
    parse_side,
    parts_of,
    split_at,
    written,
)
from wagegap.estimation.operations import short

__all__ = [
    "Column",
    "FormulaParts",
    "Matrix",
    "changed_matrices",
    "check_attributes",
    "design_matrix",
    "factors_of",
    "required_columns",
    "split_formula",
    "split_offset",
]

_NAME = re.compile(r"[^\W\d]\w*")
_NO_CONSTANT = re.compile(r"\s-\s*1\s*$")
_STATA = re.compile(r"(?P<kind>ib|[icoLFDlfd])(?P<base>\d*)\.(?P<column>\w+)")
"""Factor variables and time series operators as Stata writes them."""
_MOST_TERMS = 20_000
_BLOCK = 4096


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
    also : tuple of str
        Further columns that must not be missing.
    values : ndarray, shape (n,), optional
        Outcome of every row of the data, NaN where unknown, for one that is no expression: `outcome` is its name.
    """

    outcome: str
    regressors: str
    effects: tuple[str, ...] = ()
    also: tuple[str, ...] = field(default=(), repr=False)
    values: FloatArray | None = field(default=None, repr=False, compare=False)

    @property
    def effect_columns(self) -> list[str]:
        """Columns that the effects need."""
        return list(dict.fromkeys(name for effect in self.effects for name in effect.split("^")))


@dataclass(frozen=True, slots=True)
class Column(Shown):
    """A column of a formula's matrix.

    Attributes
    ----------
    name : str
        As results show it.
    term : str
        Term of the formula that it belongs to.
    parts : tuple of str
        What the term multiplies: columns for factors, expressions for numbers; of `C(educ):log(age)`,
        `("educ", "log(age)")`.
    levels : tuple of (str, object)
        Factor and level for each factor: of `C(educ)[T.2]:log(age)`, `(("educ", 2),)`.
    """

    name: str
    term: str
    parts: tuple[str, ...] = ()
    levels: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """One side of a formula, evaluated.

    Attributes
    ----------
    values : ndarray, shape (n, k)
        The matrix.
    columns : tuple of Column
        Its columns.
    factors : dict of str to tuple
        All levels of each factor, the one without a column among them.
    """

    values: FloatArray
    columns: tuple[Column, ...]
    factors: Mapping[str, tuple[Any, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)


def split_formula(formula: str) -> FormulaParts:
    """Cut a formula at its tilde and bar.

    >>> split_formula("log(wage) ~ ai + exper | firm + year")
    FormulaParts(outcome='log(wage)', regressors='ai + exper', effects=('firm', 'year'))
    """
    if not isinstance(formula, str):
        raise FormulaError(f"a formula is text such as 'log(wage) ~ skill + age', not {type(formula).__name__}.")
    sides = split_at(formula, "~")
    if len(sides) != 2 or not sides[0].strip() or not sides[1].strip():
        raise FormulaError(f"formula {formula!r} must read 'outcome ~ regressors' or 'outcome ~ regressors | effects'.")
    parts = split_at(sides[1], "|")
    if len(parts) > 2:
        raise FormulaError(f"formula {formula!r} has {len(parts) - 1} bars; one is understood (absorbed effects).")
    # `a^b` without the spaces around the mark, and names without backticks
    effects = tuple(
        "^".join(part.strip().strip("`") for part in split_at(effect, "^"))
        for side in parts[1:]
        for effect in split_at(side, "+")
    )
    if not all(effects):
        raise FormulaError(f"formula {formula!r}: nothing stands behind the bar, or between two plus signs there.")
    return FormulaParts(sides[0].strip(), parts[0].strip() or ("1" if effects else ""), effects)


def split_offset(regressors: str) -> tuple[str, tuple[str, ...]]:
    """Cut terms `offset(...)`, whose coefficient is one, out of a sum of regressors.

    >>> split_offset("log(dist) + offset(log(pop))")
    ('log(dist)', ('I(log(pop))',))
    """
    ending = _NO_CONSTANT.search(regressors)
    body, without = (regressors[: ending.start()], ending[0]) if ending else (regressors, "")
    terms = [term.strip() for term in split_at(body, "+")] if "offset" in body else [body]
    trees = [parse_side(term) for term in terms]
    offsets = [isinstance(tree, Call) and tree.function == "offset" and len(tree.arguments) == 1 for tree in trees]
    inside = [f"I({written(parts_of(tree)[0])})" for tree, is_one in zip(trees, offsets, strict=True) if is_one]
    others = [term for term, is_one in zip(terms, offsets, strict=True) if not is_one]
    if any("offset" in functions_in(tree) for tree, is_one in zip(trees, offsets, strict=True) if not is_one):
        raise FormulaError(f"{regressors!r}: an offset is a term of its own, added to others: '+ offset(log(pop))'.")
    return (" + ".join(others) or "1") + without, tuple(inside)


def required_columns(expression: str, frame: pd.DataFrame) -> list[str]:
    """Return the columns of the frame that one side of a formula needs; raise on names it does not have."""
    _refuse_bar(expression)
    tree = parse_side(expression)
    check_functions(tree, expression, in_side=True)
    names = sorted(columns_in(tree))
    check_attributes(names, frame)
    absent = [name for name in names if name not in frame.columns]
    if absent:
        hints = "".join(_from_stata(name, frame) or did_you_mean(name, frame.columns) for name in absent)
        raise ColumnError(
            f"{listing(repr(n) for n in absent)} in {expression!r} {'is' if len(absent) == 1 else 'are'} not among the "
            f"columns.{hints} There are: {listing(frame.columns, 12)}."
        )
    return names


def check_attributes(names: Iterable[str], frame: pd.DataFrame) -> None:
    """Raise where something of a column is named, `pay.values`, and not a column.

    >>> check_attributes(["pay.log"], pd.DataFrame(columns=["pay.log"]))
    """
    for name in names:
        owner, dot, _ = name.partition(".")
        if dot and name not in frame.columns and owner in (*frame.columns, "np", "pd"):
            raise FormulaError(
                f"{name!r} is no column: nothing is reached by a dot. What is beyond the grammar is passed from "
                "Python, as a column or a callable."
            )


def _refuse_bar(expression: str) -> None:
    """Raise where absorbed effects stand in a formula that takes none."""
    if isinstance(expression, str) and "|" in expression and len(split_at(expression, "|")) > 1:
        raise FormulaError(
            f"{expression!r} has a bar, behind which effects are absorbed elsewhere, and not here: put them among the "
            "regressors as C(...); a condition with a bar stands in brackets, I((a == 1) | (b == 1))."
        )


def factors_of(expression: str) -> set[str]:
    """Return the factors of an expression's terms as they are written, names without backticks.

    >>> sorted(factors_of("ai*C(educ) + `a b`"))
    ['C(educ)', 'a b', 'ai']
    """
    return set(_structure(expression)[1])


def _from_stata(name: str, frame: pd.DataFrame) -> str:
    """How a factor variable of Stata (i.educ, ib2.educ, c.age, L.pay) is written here; nothing for other names."""
    found = _STATA.fullmatch(name)
    if found is None or found["column"] not in frame.columns:
        return ""
    kind, base, column = found["kind"].lower(), found["base"], found["column"]
    if kind in ("l", "f", "d"):
        return f" Stata's {name} is a column to make first, with data.groupby(worker)[{column!r}].shift()."
    factors = {"i": f"C({column})", "ib": f"C({column}, Treatment({base or 1}))"}
    return f" Stata's {name} is {factors.get(kind, column)} here."


def design_matrix(frame: pd.DataFrame, expression: str) -> Matrix:
    """Evaluate one side of a formula on rows without missing values.

    >>> matrix = design_matrix(pd.DataFrame({"educ": [1, 2, 2], "age": [30.0, 40.0, 50.0]}), "C(educ) + age")
    >>> matrix.columns[1].name, matrix.columns[1].levels
    ('C(educ)[T.2]', (('educ', 2),))
    """
    _refuse_bar(expression)
    names = _sum_of_columns(frame, expression)
    if names is None:
        return _check_distinct(_evaluated(frame, expression))
    constant = not _NO_CONSTANT.search(expression)
    columns = [*([Column("Intercept", "1")] if constant else []), *(Column(name, name, (name,)) for name in names)]
    return _check_distinct(Matrix(_side_by_side(frame, names, constant=constant), tuple(columns), {}))


def _check_distinct(matrix: Matrix) -> Matrix:
    """Raise where two columns of a matrix have one name, as a column `Intercept` beside the constant."""
    if len(set(matrix.names)) == len(matrix.names):
        return matrix
    twice = next(name for name in matrix.names if matrix.names.count(name) > 1)
    raise FormulaError(f"two regressors are called {twice!r}: rename the column, or leave the constant out (- 1).")


def _evaluated(frame: pd.DataFrame, expression: str) -> Matrix:
    """Matrix of an expression that needs the formula engine."""
    matrix, nodes, _ = _materialised(frame, expression)
    try:
        values = np.asarray(matrix, dtype=float)
    except (TypeError, ValueError) as error:
        odd = [f"{name} is {kind}" for name, kind in matrix.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        raise FormulaError(f"{expression!r} is not made of numbers: {listing(odd)}.") from error
    spec: Any = matrix.model_spec
    factors = {
        str(name): _Factor(_variable(nodes[name]), tuple(state["categories"]), state["contrasts"].contrasts)
        for name, (_, state) in spec.encoder_state.items()
        if "categories" in state
    }
    variables = {factor.variable for factor in factors.values()}
    whole = {name for name in variables if name in frame and pd.api.types.is_integer_dtype(frame[name])}
    columns = [_with_whole_levels(column, whole) for term in spec.structure for column in _columns_of(term, factors)]
    levels = {
        factor.variable: tuple(int(level) if factor.variable in whole else level for level in factor.levels)
        for factor in factors.values()
    }
    return Matrix(values, tuple(columns), levels)


def _materialised(frame: pd.DataFrame, expression: str) -> tuple[Any, dict[str, Node], State]:
    """The engine's matrix of an expression, its factors, and what their functions have learnt of the rows."""
    from formulaic.errors import FormulaicError

    required_columns(expression, frame)
    formula, nodes = _structure(expression)
    state: State = {}
    try:
        return _matrix(formula, nodes, _plain(frame), state), nodes, state
    except (DataError, FormulaError):
        raise
    except (FormulaicError, TypeError, ValueError, KeyError) as error:
        raise FormulaError(f"cannot evaluate {expression!r}: {_why_not(error, frame, expression)}.") from error


def _matrix(formula: Any, nodes: Mapping[str, Node], frame: pd.DataFrame, state: State) -> Any:
    """Compute the factors of a formula, or of a specification of one, and let the engine combine them."""
    columns = {str(name): frame[name] for name in frame}
    data, context = {}, {}
    for name, node in nodes.items():
        value = value_of(node, columns, state)
        if not isinstance(node, Name):
            context[name] = _whole_column(value, frame)
        else:
            data[name] = value
    with np.errstate(divide="ignore", invalid="ignore"):
        given = pd.DataFrame(data, index=frame.index, copy=False)
        return formula.get_model_matrix(given, context=context, na_action="ignore")


def _whole_column(value: Any, frame: pd.DataFrame) -> Any:
    """A value for each row, where it is one for all; unknown truth as missing."""
    if isinstance(value, bool | int | float | np.generic):
        return pd.Series(float(value), index=frame.index)
    if isinstance(value, pd.Series) and value.dtype == "boolean":
        return pd.Series(value.to_numpy(dtype=float, na_value=np.nan), index=frame.index)
    if isinstance(value, str | list) or value is None:
        raise FormulaError(f"{value!r} stands where a column or a number is needed.")
    return value


def _structure(expression: str) -> tuple[Any, dict[str, Node]]:
    """The engine's formula of an expression, whose factors are looked up by what they are called, and these factors.

    The engine reads aliases and operators: what the user wrote never reaches it as text.
    """
    from formulaic import Formula, SimpleFormula
    from formulaic.errors import FormulaicError
    from formulaic.parser.types import Factor, Term

    tree = parse_side(expression)
    check_functions(tree, expression, in_side=True)
    if _count_terms(tree) > _MOST_TERMS:
        raise FormulaError(
            f"{short(expression)!r} has more than {_MOST_TERMS:,} terms: fewer products of sums are read."
        )
    nodes: dict[str, Node] = {}
    try:
        terms = Formula(_aliased(tree, nodes))
    except (FormulaicError, SyntaxError, TypeError) as error:
        raise FormulaError(f"cannot read {short(expression)!r}: {_first_line(error)}") from error
    names = {f"f{j}": name for j, name in enumerate(nodes)}

    def renamed(factor: Any) -> Any:
        return factor if factor.expr not in names else Factor(names[factor.expr], eval_method="lookup")

    return SimpleFormula([Term(map(renamed, term.factors)) for term in terms], _ordering="none"), nodes


def _aliased(node: Node, nodes: dict[str, Node]) -> str:
    """A side of a formula in operators and aliases f0, f1, ... of its factors, which are added to `nodes`."""
    match node:
        case Name("1"):  # the engine's own name of the constant
            raise FormulaError("a column called '1' is the constant where it is a term of its own: rename the column.")
        case Name(name):
            return _alias(name, node, nodes)
        case Call():
            return _alias(written(node), node, nodes)
        case Unary("-", operand):
            return f"-{_aliased(operand, nodes)}"
        case Constant(value) if isinstance(value, int | float) and not isinstance(value, bool):
            return np.format_float_positional(value, trim="-")
        case Power(base, Constant(int(exponent))) if exponent >= 1:
            # as many factors as there are terms are crossed, and no more: (a + b)**9 is (a + b)**2
            return f"({_aliased(base, nodes)}) ** {int(min(exponent, _count_terms(base)))}"
        case Power():
            raise FormulaError(
                f"{short(written(node))!r}: terms are crossed a whole number of times; I(...) for powers."
            )
        case Chain(_, parts, marks):
            pieces = [_aliased(part, nodes) for part in parts]
            pieces = [
                f"({piece})" if isinstance(part, Chain) else piece for part, piece in zip(parts, pieces, strict=True)
            ]
            between = ["%in%" if mark == "in" else mark for mark in marks]
            return " ".join([pieces[0], *itertools.chain(*zip(between, pieces[1:], strict=True))])
    raise FormulaError(f"{short(written(node))!r} is no term of a formula.")


def _alias(name: str, node: Node, nodes: dict[str, Node]) -> str:
    """The alias of a factor, by what it is called."""
    if name not in nodes:
        nodes[name] = node
        return f"f{len(nodes) - 1}"
    if isinstance(nodes[name], Name) != isinstance(node, Name):
        raise FormulaError(f"{short(name)!r} is a column and a function of one: rename the column.")
    return f"f{list(nodes).index(name)}"


def _count_terms(node: Node) -> float:
    """At most so many terms come of a tree."""
    match node:
        case Chain("sum", parts):
            return sum(map(_count_terms, parts))
        case Chain("interaction", parts):
            return math.prod(map(_count_terms, parts))
        case Chain(_, parts):
            return math.prod(1.0 + _count_terms(part) for part in parts)
        case Power(base, Constant(int(exponent))):
            return float(min(_count_terms(base), 1e6)) ** min(exponent, 50)
    return 1.0


def changed_matrices(frame: pd.DataFrame, expression: str, changes: Sequence[Mapping[str, Any]]) -> list[FloatArray]:
    """Evaluate one side of a formula with columns changed; what it learns of a whole column it learns unchanged.

    Parameters
    ----------
    frame : DataFrame, n rows
        Rows without missing values.
    expression : str
        One side of a formula.
    changes : sequence of mapping
        Columns with other values: one for all rows, or shape (n,).

    Returns
    -------
    list of ndarray, each of shape (n, k)
        The matrix under each of the changes, its columns as those of `design_matrix`.

    Examples
    --------
    >>> rows = pd.DataFrame({"ai": [0, 1], "age": [30.0, 40.0]})
    >>> changed_matrices(rows, "ai * age", [{"ai": 1}])[0].tolist()
    [[1.0, 1.0, 30.0, 30.0], [1.0, 1.0, 40.0, 40.0]]
    """
    matrix, nodes, state = _materialised(frame, expression)
    plain = _plain(frame)
    changed = (
        plain.assign(**{name: _like(plain[name], value) for name, value in columns.items()}) for columns in changes
    )
    return [np.asarray(_matrix(matrix.model_spec, nodes, rows, state), dtype=float) for rows in changed]


def _like(column: pd.Series[Any], value: Any) -> Any:
    """One value for all rows, or several, in the type of a column."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Categorical([value] * len(column), categories=column.cat.categories)
    values = np.asarray(value)
    return values.astype(float) if pd.api.types.is_numeric_dtype(column) else value


@dataclass(frozen=True, slots=True)
class _Factor:
    """A factor of a formula: the column of the frame it is made of, its levels, and how they are coded."""

    variable: str
    levels: tuple[Any, ...]
    contrasts: Any

    def coded(self, *, reduced: bool) -> list[tuple[str, Any]]:
        """Levels that have columns, in their order."""
        names = self.contrasts.get_coding_column_names(list(self.levels), reduced_rank=reduced)
        return [(self.variable, level) for level in names]


def _variable(node: Node) -> str:
    """Column that a factor such as `C(educ)` is made of; what it is called where it is made of several."""
    inside = columns_in(node)
    return inside[0] if len(inside) == 1 else written(node)


def _columns_of(term: Any, factors: Mapping[str, _Factor]) -> list[Column]:
    """Columns of one term with the levels they stand for: the formula engine varies a term's first factor fastest."""
    coded = [
        [
            factors[part.factor.expr].coded(reduced=part.reduced) if part.factor.expr in factors else [None]
            for part in scoped.factors
        ]
        for scoped in term.scoped_terms
    ]
    width = len(term.columns) // max(sum(math.prod(map(len, options)) for options in coded), 1)
    for options in coded:  # a number may have several columns, as a spline has
        at = options.index([None]) if [None] in options else None
        if at is not None:
            options[at] = [None] * width
    stands_for = [
        tuple(level for level in reversed(combination) if level is not None)
        for options in coded
        for combination in itertools.product(*reversed(options))
    ]
    expressions = [str(factor.expr) for factor in term.term.factors if str(factor.expr) != "1"]
    parts = tuple(factors[name].variable if name in factors else name for name in expressions)
    return [
        Column(str(name), str(term.term), parts, levels) for name, levels in zip(term.columns, stands_for, strict=True)
    ]


def _with_whole_levels(column: Column, whole: set[str]) -> Column:
    """Levels of whole numbers without the decimals that they are evaluated with: `C(isco)[T.2]`."""
    name, levels = column.name, []
    for variable, level in column.levels:
        if variable in whole and isinstance(level, float):
            for mark in "[.":
                name = name.replace(f"{mark}{level}]", f"{mark}{int(level)}]")
            level = int(level)
        levels.append((variable, level))
    return replace(column, name=name, levels=tuple(levels))


def _why_not(error: BaseException, frame: pd.DataFrame, expression: str) -> str:
    """What the formula engine says, or which columns are no numbers where that is what it stumbles over."""
    odd = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name]) and str(name) in expression]
    said, kinds = _first_line(error), listing(f"{name} is {frame[name].dtype}" for name in odd)
    if odd and re.search(r"TypeError|ufunc|dtype|not supported|could not convert", f"{type(error).__name__} {said}"):
        return f"{kinds}, where numbers are needed; pandas.to_numeric makes numbers of text, .dt.year of dates"
    return f"{said} ({kinds})" if odd else said


def _sum_of_columns(frame: pd.DataFrame, expression: str) -> list[str] | None:
    """Columns of an expression that is nothing but a sum of numeric columns, which needs no formula engine."""
    names = [name.strip() for name in _NO_CONSTANT.sub("", expression).split("+")]
    plain = all(
        _NAME.fullmatch(name)
        and name in frame
        and pd.api.types.is_numeric_dtype(frame[name])
        and not pd.api.types.is_complex_dtype(frame[name])
        for name in names
    )
    return list(dict.fromkeys(names)) if plain else None


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


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns as the formula engine takes them."""
    return pd.DataFrame({name: _plain_column(frame[name]) for name in frame}, index=frame.index, copy=False)


def _plain_column(column: pd.Series[Any]) -> pd.Series[Any]:
    """Booleans as 0 and 1, nullable numbers as numpy's, text of any kind as objects, unused categories dropped."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.cat.remove_unused_categories()
    if column.dtype == object:
        if held_by(column) != "numbers":
            return column
        return pd.Series(number_or_nan(column), index=column.index, name=column.name)
    if pd.api.types.is_string_dtype(column):
        return column.astype(object)
    number = pd.api.types.is_numeric_dtype(column) and column.dtype != np.float64
    return pd.Series(_as_float(column), index=column.index) if number else column


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
