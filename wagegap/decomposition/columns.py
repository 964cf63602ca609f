"""How a decomposition by regressors reports them: columns, factors normalised, rows of the detail, and the reference.

Means and coefficients are estimated by column of the design. What is reported are sums over columns: the total of each
component, its detail by term, by column or by named group, and the two levels; where a factor is normalised its base
has a column too, and every level's effect is a deviation from their mean.

References
----------
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
Yun, M.-S. (2005). A simple solution to the identification problem in detailed wage decompositions. Economic Inquiry 43,
766-772.
Gardeazabal, J. and A. Ugidos (2004). More on identification in detailed wage decompositions. Review of Economics and
Statistics 86, 1034-1036.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, FloatArray
from wagegap.decomposition.groups import GroupedSample
from wagegap.decomposition.inference import LEVEL
from wagegap.decomposition.parts import Parts
from wagegap.decomposition.result import TOTAL
from wagegap.errors import (
    IdentificationError,
    IdentificationWarning,
    OptionError,
    check_option,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.design import Design
from wagegap.estimation.formula import Column
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.least_squares.mean_slopes import MeanSlopeFits
from wagegap.estimation.named import by_name

__all__ = [
    "REFERENCES",
    "Columns",
    "Detail",
    "Reference",
    "Report",
    "check_identified",
    "detail_rows",
    "expand_factors",
    "reference_matrix",
    "report",
    "reported_columns",
]

Reference: TypeAlias = str | float | AnyArray
Detail: TypeAlias = Literal["terms", "columns", "none"] | Mapping[str, str | Sequence[str]] | None

REFERENCES = {
    "A": "coefficients of the first group",
    "B": "coefficients of the second group",
    "pooled": "coefficients pooled with an indicator of the group",
    "neumark": "coefficients pooled without an indicator of the group",
    "cotton": "coefficients weighted by the groups' sizes",
    "reimers": "mean of the two groups' coefficients",
}
"""Reference coefficients by name, in words."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """Regressors as they are reported.

    Attributes
    ----------
    names : tuple of str
        Reported columns.
    terms : tuple of str
        Term of the formula that each belongs to.
    of_means, of_coefs : ndarray, shape (m, k)
        Maps from the means and the coefficients of the design to those of the reported columns; for every m with a
        constant of one their products are the same.
    """

    names: tuple[str, ...]
    terms: tuple[str, ...]
    of_means: FloatArray
    of_coefs: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Numbers of a comparison: the gap, each component with its detail, and the level of each group.

    Attributes
    ----------
    parts : Parts
        Signs of the components and, last, of the levels.
    columns : Columns
        Regressors as reported.
    rows : tuple of (str, str)
        Component and term of each number.
    weights : ndarray, shape (q, p, m)
        Which columns of which part each number sums.
    """

    parts: Parts
    columns: Columns
    rows: tuple[tuple[str, str], ...]
    weights: FloatArray

    def evaluate(self, means: FloatArray, coefs: FloatArray) -> FloatArray:
        """Return the numbers, (..., q), from means (..., 2, k) and coefficients (..., 3, k) of the design."""
        by_column = self.parts.evaluate(means @ self.columns.of_means.T, coefs @ self.columns.of_coefs.T)
        # number_q = sum_pm R_qpm part_pm
        return np.tensordot(by_column, self.weights, axes=((-2, -1), (1, 2)))

    def jacobian(self, means: FloatArray, coefs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return derivatives of the numbers: with respect to means (q, 2, k), and to coefficients (q, 3, k)."""
        by_mean, by_coef = self.parts.jacobian(means @ self.columns.of_means.T, coefs @ self.columns.of_coefs.T)
        # d number_q / d m_u = sum_pm R_qpm (d part_pm / d m_um) M_m, with M the map to reported columns; likewise b_v
        return (
            np.einsum("qpm,pum->qum", self.weights, by_mean) @ self.columns.of_means,
            np.einsum("qpm,pvm->qvm", self.weights, by_coef) @ self.columns.of_coefs,
        )

    def second_order(self, v_means: FloatArray, v_coefs: FloatArray) -> FloatArray:
        """Return the covariance, (q, q), of products of errors of means (2, k, k) and coefficients (3, 3, k, k)."""
        to_means, to_coefs = self.columns.of_means, self.columns.of_coefs
        full = self.parts.second_order(to_means @ v_means @ to_means.T, to_coefs @ v_coefs @ to_coefs.T)
        return np.tensordot(np.tensordot(self.weights, full, axes=2), self.weights, axes=((1, 2), (1, 2)))

    def labels(self, unit: str) -> pd.DataFrame:
        """Return component, term and unit of every number."""
        return pd.DataFrame(self.rows, columns=["component", "term"]).assign(unit=unit)


def report(grouped: GroupedSample, parts: Parts, normalize: str | Sequence[str], detail: Detail) -> Report:
    """Say what is reported of the components of a comparison.

    Raises
    ------
    OptionError
    """
    columns = reported_columns(grouped, normalize)
    terms, sums = detail_rows(columns, detail)
    gap, *components = parts.components
    total = np.ones((1, sums.shape[1]))
    sums_of = [total, *[np.vstack([total, sums])] * len(components), *[total] * len(parts.levels)]
    part = np.repeat(np.arange(len(sums_of)), [len(each) for each in sums_of])
    weights = np.zeros((len(part), len(sums_of), sums.shape[1]))
    weights[np.arange(len(part)), part] = np.vstack(sums_of)
    rows = ((gap, TOTAL), *product(components, (TOTAL, *terms)), *product((LEVEL,), parts.levels))
    return Report(parts, columns, rows, weights)


# columns -------------------------------------------------------------------------------------------------------------


def reported_columns(grouped: GroupedSample, normalize: str | Sequence[str]) -> Columns:
    """Return the regressors as they are reported, factors normalised where asked for.

    Raises
    ------
    OptionError
        For a name that is no factor of the formula.
    """
    names = [normalize] if isinstance(normalize, str) else normalize
    return expand_factors(grouped.design.columns, dict(_factor_and_base(grouped.design, name) for name in names))


def _factor_and_base(design: Design, name: str) -> tuple[str, str]:
    """Term of a factor, and its level without a column."""
    at = design.columns_of(name)
    if not at:
        raise OptionError(
            f"normalize={name!r} is no factor of the formula.{did_you_mean(name, design.terms)} "
            f"Terms: {listing(dict.fromkeys(design.terms), 20)}."
        )
    columns = [design.columns[j] for j in at]
    if not columns[0].levels:
        raise OptionError(f"normalize={name!r} is no factor: its column is {columns[0].name!r}.")
    shown = {level for column in columns for _, level in column.levels}
    hidden = [level for level in design.factors[columns[0].parts[0]] if level not in shown]
    return columns[0].term, str(hidden[0]) if len(hidden) == 1 else "base"


def expand_factors(columns: Sequence[Column], bases: Mapping[str, str]) -> Columns:
    """Normalise factors: effects as deviations from their mean over all levels, the base among them.

    With coefficients d_2, ..., d_J of the levels shown and d_1 = 0 of the base, those reported are d_j - mean(d), the
    constant takes the mean up. Slopes of a continuous regressor that differ by level are treated alike, and its own
    slope takes the mean up.

    Parameters
    ----------
    columns : sequence of Column, length k
        Columns of the design.
    bases : mapping of str to str
        Terms to normalise, and the level of each without a column.

    Raises
    ------
    OptionError
        For interactions of two factors, or a factor without a constant.

    Examples
    --------
    >>> constant, high = Column("Intercept", "1"), Column("educ[T.high]", "educ", ("educ",), (("educ", "high"),))
    >>> columns = expand_factors([constant, high], {"educ": "low"})
    >>> columns.names
    ('Intercept', 'educ[low]', 'educ[T.high]')
    >>> columns.of_coefs @ np.array([1.0, 0.4])
    array([ 1.2, -0.2,  0.2])
    """
    k = len(columns)
    names, terms = [column.name for column in columns], [column.term for column in columns]
    of_means, of_coefs, place = np.eye(k), np.eye(k), [float(j) for j in range(k)]
    for main, base in bases.items():
        factor = next(column.parts[0] for column in columns if column.term == main)
        for term in dict.fromkeys(column.term for column in columns if factor in dict(column.levels)):
            at = [j for j, column in enumerate(columns) if column.term == term]
            numbers = [part for part in columns[at[0]].parts if part != factor]
            # m_1 = m_0 - sum_j m_j and d_1 = -sum_j d_j / J of the base; d_j -= sum d / J, the parent's += sum d / J
            is_level = np.isin(np.arange(k), at).astype(float)
            base_mean = np.eye(k)[_parent(columns, main, columns[at[0]], numbers)] - is_level
            mean_effect = is_level / (len(at) + 1)
            of_coefs[:k] += np.outer(base_mean, mean_effect)
            of_means, of_coefs = np.vstack([of_means, base_mean]), np.vstack([of_coefs, -mean_effect])
            names.append(":".join([*numbers, f"{main}[{base}]"]))
            terms.append(term)
            place.append(at[0] - 0.5)
    order = np.argsort(place, kind="stable")
    return Columns(tuple(names[j] for j in order), tuple(terms[j] for j in order), of_means[order], of_coefs[order])


def _parent(columns: Sequence[Column], main: str, column: Column, numbers: Sequence[str]) -> int:
    """Column that the levels of a factor add up to: the constant, or the continuous regressor they are crossed with."""
    if len(column.levels) > 1:
        raise OptionError(
            f"normalize={main!r} stands in {column.term!r} with another factor: make one factor of the two, or leave "
            "their interaction out."
        )
    parents = [j for j, other in enumerate(columns) if not other.levels and sorted(other.parts) == sorted(numbers)]
    if not parents:
        needed = f"{':'.join(numbers)!r} itself" if numbers else "a constant"
        raise OptionError(f"normalize={main!r} needs {needed} among the regressors.")
    return parents[0]


# detail --------------------------------------------------------------------------------------------------------------


def detail_rows(columns: Columns, detail: Detail) -> tuple[tuple[str, ...], FloatArray]:
    """Return names of the rows of a detailed decomposition, and which columns each sums, shape (g, m).

    Parameters
    ----------
    columns : Columns
        Reported columns.
    detail : {"terms", "columns", "none"} or mapping of name to terms or columns
        A row for each term of the formula (by default), for each column, or for each named group and every other term.

    Raises
    ------
    OptionError
        For a name that is neither a term nor a column, or stands in two groups.

    Examples
    --------
    >>> columns = Columns(("Intercept", "age", "female"), ("1", "age", "female"), np.eye(3), np.eye(3))
    >>> detail_rows(columns, {"person": ["age", "female"]})[0]
    ('Intercept', 'person')
    """
    labels: Sequence[str] = ["Intercept" if term == "1" else term for term in columns.terms]
    if isinstance(detail, Mapping):
        labels = _named_groups(columns, labels, detail)
    elif detail is not None:
        check_option("detail", detail, ("terms", "columns", "none"))
    if detail == "columns":
        labels = columns.names
    names = () if detail == "none" else tuple(dict.fromkeys(labels))
    return names, np.array([[float(label == name) for label in labels] for name in names]).reshape(-1, len(labels))


def _named_groups(columns: Columns, labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Row of each column: that of its group where it has one, else its term's."""
    group_of: dict[str, str] = {}
    known = [*dict.fromkeys(columns.terms), *columns.names]
    for group, members in groups.items():
        for member in [members] if isinstance(members, str) else members:
            if member in group_of:
                raise OptionError(f"detail: {member!r} stands in {group_of[member]!r} and in {group!r}.")
            if member not in known:
                raise OptionError(
                    f"detail: {member!r} is neither a term nor a column.{did_you_mean(member, known)} "
                    f"There are: {listing(dict.fromkeys(known), 20)}."
                )
            group_of[member] = group
    grouped = [group_of.get(name, group_of.get(term)) for name, term in zip(columns.names, columns.terms, strict=True)]
    taken = {"total", *(label for label, group in zip(labels, grouped, strict=True) if group is None)}
    for group in groups:
        if group in taken:
            raise OptionError(f"detail: a group cannot be called {group!r}, as another row is: name it otherwise.")
    return [label if group is None else group for label, group in zip(labels, grouped, strict=True)]


# reference -----------------------------------------------------------------------------------------------------------


def reference_matrix(grouped: GroupedSample, reference: Reference) -> tuple[FloatArray | None, str]:
    """Return W of b_r = W b_A + (I - W) b_B for each comparison, shape (C, k, k), and the reference in words.

    None stands for a pooled regression.

    Raises
    ------
    OptionError
    """
    k, count = grouped.sample.x.shape[1], len(grouped.comparisons)
    if isinstance(reference, str):
        check_option("reference", reference, tuple(REFERENCES))
        if reference in ("pooled", "neumark"):
            return None, REFERENCES[reference]
        sizes = np.array([[grouped.weights(rows).sum() for rows in grouped.rows(c)] for c in grouped.comparisons])
        share_of_first = {"A": 1.0, "B": 0.0, "reimers": 0.5, "cotton": sizes[:, 0] / sizes.sum(axis=1)}
        return np.broadcast_to(share_of_first[reference], count)[:, None, None] * np.eye(k), REFERENCES[reference]
    matrix = _numbers(by_name(reference, [grouped.design.names], "reference"))
    if matrix.ndim == 0 and np.isfinite(matrix):
        words = f"{float(matrix):g} of the first group's coefficients, {1 - float(matrix):g} of the second's"
        return np.tile(matrix * np.eye(k), (count, 1, 1)), words
    if matrix.shape not in ((k,), (k, k)) or not np.isfinite(matrix).all():
        given = f"has shape {matrix.shape}" if matrix.ndim else f"is {reference!r}"
        raise OptionError(
            f"reference {given}: give a name ({', '.join(REFERENCES)}), a finite number, or a finite matrix of shape "
            f"({k}, {k}) or ({k},) for the columns {listing(grouped.design.names)}."
        )
    return np.tile(np.diag(matrix) if matrix.ndim == 1 else matrix, (count, 1, 1)), "coefficients weighted by a matrix"


def _numbers(reference: Any) -> FloatArray:
    """The reference as numbers; NaN where it holds none, which is refused."""
    try:
        return np.asarray(reference, dtype=float)
    except (TypeError, ValueError):
        return np.asarray(np.nan)


# identification ------------------------------------------------------------------------------------------------------


def check_identified(grouped: GroupedSample, fits: MeanSlopeFits, absent: str) -> None:
    """Refuse columns that one group identifies and the other does not, or warn; and warn of those that neither does."""
    collinear = {
        (f"{combination_in_words(column, grouped.design.names)} in {grouped.sample.cell_names[s]}",
         bool(fits.samples[other].kept[column.column])): None
        for c in grouped.comparisons
        for s, other in ((c.first, c.second), (c.second, c.first))
        for column in fits.samples[s].collinear
    }  # fmt: skip
    one_sided = [words for words, in_other in collinear if in_other]
    if one_sided and absent == "raise":
        raise IdentificationError(
            f"{len(one_sided)} coefficients are identified in one group only; in the other: {listing(one_sided, 4)}. "
            "Pool levels, leave the column out, or absent_levels='base' takes the coefficient as that of the base."
        )
    kinds = {
        "coefficients are not identified in one group and taken as that of the base": one_sided,
        "columns are collinear and set aside": [words for words, in_other in collinear if not in_other],
    }
    messages = [f"{len(found)} {kind}: {listing(found, 4)}" for kind, found in kinds.items() if found]
    if messages:
        warn(f"{'; '.join(messages)}.", IdentificationWarning)
