"""Which columns of a regression a premium is, what one unit of it is, and at which values of what it is crossed with.

In ln w = a + b s + d z + c s z + e the coefficient b is the premium at z = 0, and no other. Its average over workers,
or at another value z0, is b + c m with m the mean of z, or z0: it is the coefficient of s once the product is measured
from there, s (z - m), which is how it is estimated here. For any terms of a formula m is the mean over the workers of a
cell of what one more unit of s adds to each other column, x_j(s + 1) - x_j(s), with the other variables as they are or
as they are supposed: Stata's margins, over the sample, with the covariates taken as given.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import ColumnError, OptionError, check_known, did_you_mean, listing, no_column
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.design import Design
from wagegap.estimation.formula import Column, changed_matrices, required_columns
from wagegap.estimation.yes_no import means_no, means_yes

__all__ = ["At", "PremiumTerm", "check_premiums", "measured_from", "premium_terms", "values_held"]

At: TypeAlias = Literal["mean"] | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class PremiumTerm:
    """A premium among the regressors.

    Attributes
    ----------
    name : str
        As the caller names it.
    columns : tuple of int
        Columns of the design: one, or one for each level of a category.
    kind : {"category", "two values", "number", "product"}
        What it is of.
    held : float or None
        Value of the columns that holders have; None of a number, of which everybody has some.
    holder : str
        Who holds it, in words.
    comparison : str
        Who it compares with, in words.
    """

    name: str
    columns: tuple[int, ...]
    kind: Literal["category", "two values", "number", "product"]
    held: float | None
    holder: str
    comparison: str

    def holds(self, x: FloatArray) -> BoolArray:
        """Say of each row and column whether the premium is held, shape (n, r)."""
        own = x[:, list(self.columns)]
        return np.ones_like(own, dtype=bool) if self.held is None else np.asarray(own == self.held)


def check_premiums(premium: Any, base: Any, columns: Collection[object]) -> list[str]:
    """Return the premiums asked for, each once, or raise where they cannot be that.

    >>> check_premiums(["ai", "cloud", "ai"], None, ["ai", "cloud"])
    ['ai', 'cloud']
    """
    given = [premium] if isinstance(premium, str) or not isinstance(premium, Sequence) else list(premium)
    names = list(dict.fromkeys(given))
    if not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"premium={premium!r} must name a regressor, or several in a list.")
    for name in names:
        if name not in columns and name.isidentifier():
            raise no_column(name, columns, "for premium")
    if base is not None and (len(names) > 1 or names[0] not in columns):
        raise OptionError(
            f"base={base!r} goes with one premium that is a column: make the others categories with their base first."
        )
    return names


def premium_terms(rows: Rows, names: Sequence[str], formula: str, base: Any) -> tuple[PremiumTerm, ...]:
    """Find the columns of each premium, and say what one unit of it is.

    Raises
    ------
    ColumnError
        For one that is no regressor.
    OptionError
        For one that has no unit: a spline, or a code that is not a step of one; for answers of yes and no of which yes
        would be the base.
    """
    return tuple(_term(rows.design, name, formula, base) for name in names)


def _term(design: Design, name: str, formula: str, base: Any) -> PremiumTerm:
    parts = {part.strip().strip("`") for part in name.split(":")}
    crossed = [
        j for j, one in enumerate(design.columns)
        if len(one.parts) > 1 and parts in ({*one.parts}, {*one.term.split(":")})
    ]  # fmt: skip
    columns = tuple(design.columns_of(name) or crossed)
    if not columns:
        raise ColumnError(
            f"premium={name!r} is not a regressor of {formula!r}.{did_you_mean(name, design.terms)} "
            f"Regressors: {listing(dict.fromkeys(design.terms))}."
        )
    shown = [design.columns[j] for j in columns]
    if len(shown) > 1 and not all(one.levels for one in shown):
        raise OptionError(
            f"premium={name!r} is {len(shown)} columns ({listing(one.name for one in shown)}), none of which is a "
            "premium: name a number, a category, or a product of them."
        )
    values = design.x[:, list(columns)]
    if len(shown[0].parts) > 1:
        return _product(design, name, columns, shown[0], values)
    return _category(design, name, columns, shown, values, base) if shown[0].levels else _number(name, columns, values)


def _category(
    design: Design, name: str, columns: tuple[int, ...], shown: Sequence[Column], values: FloatArray, base: Any
) -> PremiumTerm:
    """Levels of a category against the one that has no column."""
    if not np.isin(values, (0, 1)).all():
        raise OptionError(
            f"premium={name!r} is coded by contrasts ({listing(one.name for one in shown)}), whose columns are not 0 "
            "and 1: a premium compares levels with a base, as C(...) does without contrasts."
        )
    levels = [one.levels[0][1] for one in shown]
    absent = [level for level in design.factors.get(shown[0].levels[0][0], ()) if level not in levels]
    rest = f"{name} = {absent[0]}" if len(absent) == 1 else f"not {name}"
    if base is None and len(levels) == len(absent) == 1 and means_yes(absent[0]) and means_no(levels[0]):
        raise OptionError(
            f"premium={name!r} has the levels {absent[0]!r} and {levels[0]!r}, and the first in order is the base: "
            f"this would be the premium of {levels[0]!r}. Say base={levels[0]!r} for that of {absent[0]!r} "
            f"(base={absent[0]!r} where the other is meant)."
        )
    holder = f"{name} = {levels[0]}" if len(levels) == 1 else name
    return PremiumTerm(name, columns, "category", 1.0, holder, rest if base is None else f"{name} = {base}")


def _number(name: str, columns: tuple[int, ...], values: FloatArray) -> PremiumTerm:
    """A dummy, a code of two values one apart, or an amount."""
    low, high = float(values.min()), float(values.max())
    two = low < high and bool(np.isin(values, (low, high)).all())
    if np.isin(values, (0, 1)).all():
        return PremiumTerm(name, columns, "two values", 1.0, name, f"not {name}")
    if two and np.isclose(high - low, 1, rtol=1e-12):
        return PremiumTerm(name, columns, "two values", high, f"{name} = {high:g}", f"{name} = {low:g}")
    if two and name.isidentifier():
        raise OptionError(
            f"premium={name!r} has the two values {low:g} and {high:g}, so that its coefficient, of one unit, is 1/"
            f"{high - low:g} of the step between them: recode it to 0 and 1, as {name} == {high:g}, or ask for the "
            f"slope by premium='I({name})', with I({name}) in the formula."
        )
    return PremiumTerm(name, columns, "number", None, name, f"{name} one lower")


def _product(design: Design, name: str, columns: tuple[int, ...], shown: Column, values: FloatArray) -> PremiumTerm:
    """A product: how much the premium of its first part differs with the others."""
    first = name.split(":")[0].strip()
    of = next((part for part in shown.parts if first in (part, f"C({part})")), shown.parts[0])
    at = listing(
        _zero_of(design, part) if part in design.factors or _is_dummy(design, part) else f"{part} one lower"
        for part in shown.parts
        if part != of
    )
    held = 1.0 if np.isin(values, (0, 1)).all() else None
    return PremiumTerm(name, columns, "product", held, name, f"premium of {of} at {at}")


def _zero_of(design: Design, part: str) -> str:
    """Where the columns of a part of a product are all zero: at the base of a factor, or at zero."""
    if part not in design.factors:
        return f"{part} = 0"
    shown = {level for one in design.columns for factor, level in one.levels if factor == part}
    absent = [level for level in design.factors[part] if level not in shown]
    by_contrasts = any(one.parts == (part,) for one in design.columns) and not _is_dummy(design, part)
    return f"{part}, as it is coded, = 0" if by_contrasts or len(absent) != 1 else f"{part} = {absent[0]}"


def _is_dummy(design: Design, part: str) -> bool:
    own = [j for j, one in enumerate(design.columns) if one.parts == (part,)]
    return bool(own) and bool(np.isin(design.x[:, own], (0, 1)).all())


# what a premium is crossed with --------------------------------------------------------------------------------------


def _crossed(design: Design, term: PremiumTerm) -> list[int]:
    """Columns that the premium is in besides its own: products, powers and functions of it."""
    if term.kind == "product":
        return []
    inside = re.compile(rf"(?<![\w.]){re.escape(term.name)}(?!\w)")
    return [
        j for j, one in enumerate(design.columns)
        if j not in term.columns and any(inside.search(part) for part in one.parts)
    ]  # fmt: skip


def values_held(design: Design, term: PremiumTerm) -> list[str]:
    """Say at which values of what it is crossed with a coefficient is the premium: zero, or the base of a factor."""
    said = []
    for j in _crossed(design, term):
        for part in design.columns[j].parts:
            if part != term.name:
                variables = set(re.findall(r"[^\W\d]\w*", part)) - {"I", "np"}
                said.append(_zero_of(design, term.name if variables == {term.name} else part))
    return list(dict.fromkeys(said))


def measured_from(
    rows: Rows, every: Rows, terms: Sequence[PremiumTerm], regressors: str, at: At
) -> tuple[Rows, list[str]]:
    """Measure the columns that premiums are crossed with from their means, or from values, in each cell.

    Parameters
    ----------
    rows : Rows
        Rows of the regression.
    every : Rows
        Those whose formula was evaluated, singletons of absorbed effects among them.
    terms : sequence of PremiumTerm
        The premiums.
    regressors : str
        Right side of the formula.
    at : "mean" or mapping
        As in `fit_premiums`.

    Returns
    -------
    rows : Rows
        Of the same regression, in which the coefficients of the premiums are those asked for.
    said : list of str
        Which these are, for each premium; empty where it is crossed with nothing.
    """
    supposed = {} if at == "mean" or at is None else dict(at)
    needed = required_columns(regressors, rows.access.columns(None, rows.design.rows[:0]))
    frame, crossed = every.columns(needed), [_crossed(rows.design, term) for term in terms]
    names = [
        sorted(_variables(rows.design, columns, frame) - {term.name})
        for term, columns in zip(terms, crossed, strict=True)
    ]
    _check_values(supposed, {name for of_term in names for name in of_term}, frame)
    x = rows.design.x.copy()
    for term, columns in zip(terms, crossed, strict=True):
        if columns:
            used = np.isin(every.design.rows, rows.design.rows)
            for j, more in zip(term.columns, _added(rows.design, frame, term, regressors, supposed), strict=True):
                means = _cell_means(rows, more[used][:, columns])
                x[:, columns] -= means * rows.design.x[:, [j]]
    return rows.with_design(x=x), [_said(of_term, supposed) for of_term in names]


def _variables(design: Design, columns: Sequence[int], frame: pd.DataFrame) -> set[str]:
    """Columns of the data that some columns of the design are made of."""
    parts = {part for j in columns for part in design.columns[j].parts}
    return {name for part in parts for name in ([part] if part in frame else required_columns(part, frame))}


def _check_values(supposed: Mapping[str, Any], crossed: set[str], frame: pd.DataFrame) -> None:
    """Raise unless each supposed value is of a variable that a premium is crossed with, and one it can have."""
    there = f"It differs with {listing(sorted(crossed))}." if crossed else "It is crossed with nothing."
    check_known(
        supposed, sorted(crossed),
        lambda name, hint: OptionError(f"at={{{name!r}: ...}}: the premium does not differ with it.{hint} {there}"),
    )  # fmt: skip
    for name, value in supposed.items():
        levels = frame[name].unique().tolist()
        if value not in levels and not pd.api.types.is_numeric_dtype(frame[name]):
            raise OptionError(f"at: {name!r} has no level {value!r}.{did_you_mean(value, levels)}")
        if pd.api.types.is_numeric_dtype(frame[name]) and not np.isfinite(pd.to_numeric(value, errors="coerce")):
            raise OptionError(f"at: {name!r} is a number, and cannot be {value!r}.")


def _added(
    design: Design, frame: pd.DataFrame, term: PremiumTerm, regressors: str, supposed: Mapping[str, Any]
) -> list[FloatArray]:
    """What one more unit of a premium adds to every column in every row; an array for each column of the premium."""
    if term.name not in frame:
        raise OptionError(f"at= goes with a premium that is a column of the data, not with {term.name!r}.")
    own = frame[term.name]
    if term.kind == "category":
        levels = [dict(design.columns[j].levels)[term.name] for j in term.columns]
        base = next(level for level in design.factors[term.name] if level not in levels)
        steps: list[tuple[Any, Any]] = [(base, level) for level in levels]
    elif term.kind == "two values":
        steps = [(own.min(), own.max())]
    else:
        steps = [(own, own + 1)]
    changes = [{**supposed, term.name: value} for step in steps for value in step]
    matrices = changed_matrices(frame, regressors, changes)
    return [high - low for low, high in zip(matrices[::2], matrices[1::2], strict=True)]


def _cell_means(rows: Rows, values: FloatArray) -> FloatArray:
    """Weighted mean of each column in the cell of each row."""
    weights, cells = np.ones(len(rows)) if rows.weights is None else rows.weights, rows.cells.codes
    sums = np.column_stack([np.bincount(cells, weights=weights * column) for column in values.T])
    return np.asarray((sums / np.bincount(cells, weights=weights)[:, None])[cells])


def _said(names: Sequence[str], supposed: Mapping[str, Any]) -> str:
    """At which values a premium is, and over which it is averaged."""
    fixed = [f"{name} = {supposed[name]}" for name in names if name in supposed]
    averaged = [name for name in names if name not in supposed]
    return ", ".join([*fixed, *([f"averaged over {listing(averaged)}"] if averaged else [])])
