"""The parts of a gap as products of means and coefficients: every variant of a decomposition as a table of signs.

A part is a sum over regressors of c_uv m_u b_v, where m_u are the means of sample u, b_v the coefficients of fit v, and
c_uv is -1, 0 or 1. With samples a (first), b (second) and reference coefficients r, the explained part is
(m_a - m_b) b_r: c_ar = 1, c_br = -1. Twofold, threefold, split and reweighted decompositions differ in their tables
only; values, derivatives, detail and normalisation are the same few lines for all of them.

References
----------
Blinder, A. (1973). Wage discrimination: reduced form and structural estimates. Journal of Human Resources 8, 436-455.
Oaxaca, R. (1973). Male-female wage differentials in urban labor markets. International Economic Review 14, 693-709.
Jann, B. (2008). The Blinder-Oaxaca decomposition for linear regression models. Stata Journal 8, 453-479.
Yun, M.-S. (2005). A simple solution to the identification problem in detailed wage decompositions. Economic Inquiry 43,
766-772.
Gardeazabal, J. and A. Ugidos (2004). More on identification in detailed wage decompositions. Review of Economics and
Statistics 86, 1034-1036.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.errors import OptionError, did_you_mean, listing

__all__ = [
    "LEVELS",
    "SPLIT",
    "THREEFOLD",
    "THREEFOLD_REVERSE",
    "TWOFOLD",
    "Columns",
    "Parts",
    "detail_groups",
    "expand_factors",
    "signed_parts",
]

_LEVEL = re.compile(r"\[(?:T\.)?(.*)\]$")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Signs of a decomposition.

    Attributes
    ----------
    names : tuple of str
        Components, the first of which is the whole.
    signs : ndarray, shape (p, u, v)
        c_uv of each component.
    """

    names: tuple[str, ...]
    signs: FloatArray

    def evaluate(self, means: FloatArray, coefs: FloatArray) -> FloatArray:
        """Return every component by column: (..., u, k) means and (..., v, k) coefficients to (..., p, k)."""
        return np.asarray(np.einsum("puv,...uk,...vk->...pk", self.signs, means, coefs))

    def second_order(self, v_means: FloatArray, v_coefs: FloatArray) -> FloatArray:
        """Return the covariance of products of errors of means and coefficients, shape (p, k, p, k).

        Means (u, k, k), independent across samples and of the coefficients (v, v, k, k).
        """
        return np.asarray(np.einsum("puv,quw,ujk,vwjk->pjqk", self.signs, self.signs, v_means, v_coefs))

    def jacobian(self, means: FloatArray, coefs: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return derivatives by column: with respect to means (p, u, k), and to coefficients (p, v, k)."""
        by_mean = np.einsum("puv,vk->puk", self.signs, coefs)
        by_coef = np.einsum("puv,uk->pvk", self.signs, means)
        return np.asarray(by_mean), np.asarray(by_coef)


def signed_parts(samples: str, fits: str, table: Mapping[str, str]) -> Parts:
    """Read a table such as {"explained": "+ar -br"}: a sign, a sample, a fit."""
    signs = np.zeros((len(table), len(samples), len(fits)))
    for i, terms in enumerate(table.values()):
        for term in terms.split():
            signs[i, samples.index(term[1]), fits.index(term[2])] += 1.0 if term[0] == "+" else -1.0
    return Parts(tuple(table), signs)


_WHOLE = {"difference": "+aa -bb"}
LEVELS = signed_parts("ab", "abr", {"first": "+aa", "second": "+bb"})
TWOFOLD = signed_parts("ab", "abr", {**_WHOLE, "explained": "+ar -br", "unexplained": "+aa -ar +br -bb"})
SPLIT = signed_parts(
    "ab", "abr", {**_WHOLE, "explained": "+ar -br", "unexplained_first": "+aa -ar", "unexplained_second": "+br -bb"}
)
THREEFOLD = signed_parts(
    "ab", "abr", {**_WHOLE, "endowments": "+ab -bb", "coefficients": "+ba -bb", "interaction": "+aa -ab -ba +bb"}
)
THREEFOLD_REVERSE = signed_parts(
    "ab", "abr", {**_WHOLE, "endowments": "+aa -ba", "coefficients": "+aa -ab", "interaction": "-aa +ab +ba -bb"}
)


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


def expand_factors(
    names: Sequence[str], terms: Sequence[str], factors: Sequence[str], bases: Mapping[str, str]
) -> Columns:
    """Normalise factors: effects as deviations from their mean over all levels, the base among them.

    With coefficients d_2, ..., d_J of the levels shown and d_1 = 0 of the base, those reported are d_j - mean(d), the
    constant takes the mean up. Slopes of a continuous regressor that differ by level are treated alike, and its own
    slope takes the mean up.

    Parameters
    ----------
    names, terms : sequence of str, length k
        Columns of the design and the terms of the formula they belong to.
    factors : sequence of str
        Terms to normalise.
    bases : mapping of str to str
        Level without a column, for each factor.

    Raises
    ------
    OptionError
        For a term that is no factor of the formula, interactions of two factors, or a factor without a constant.

    Examples
    --------
    >>> columns = expand_factors(["Intercept", "educ[T.high]"], ["1", "educ"], ["educ"], {"educ": "low"})
    >>> columns.names
    ('Intercept', 'educ[low]', 'educ[T.high]')
    >>> columns.of_coefs @ np.array([1.0, 0.4])
    array([ 1.2, -0.2,  0.2])
    """
    k = len(names)
    out_names, out_terms, place = list(names), list(terms), [float(j) for j in range(k)]
    of_means, of_coefs = np.eye(k), np.eye(k)
    for factor in factors:
        for term in dict.fromkeys(t for t in terms if factor in t.split(":")):
            levels = [j for j in range(k) if terms[j] == term]
            rest = [part for part in term.split(":") if part != factor]
            _check_factor(names, terms, term, factor, levels, rest)
            parent = _parent(names, terms, rest, factor)
            base = np.zeros(k)
            base[parent], base[levels] = 1.0, -1.0
            share = np.zeros(k)
            share[levels] = 1 / (len(levels) + 1)
            of_coefs[levels] -= share
            of_coefs[parent] += share
            of_means, of_coefs = np.vstack([of_means, base]), np.vstack([of_coefs, -share])
            out_names.append(":".join([*rest, f"{factor}[{bases[factor]}]"]))
            out_terms.append(term)
            place.append(levels[0] - 0.5)
    order = np.argsort(place, kind="stable")
    named, of_terms = (tuple(own[j] for j in order) for own in (out_names, out_terms))
    return Columns(named, of_terms, of_means[order], of_coefs[order])


def _check_factor(
    names: Sequence[str], terms: Sequence[str], term: str, factor: str, levels: Sequence[int], rest: Sequence[str]
) -> None:
    if not all(_LEVEL.search(part) for j in levels for part in names[j].split(":") if part.startswith(factor)):
        raise OptionError(f"normalize={factor!r} is no factor: its column is {names[levels[0]]!r}.")
    others = [part for part in rest if any(terms[j] == part and _LEVEL.search(names[j]) for j in range(len(names)))]
    if others:
        raise OptionError(
            f"normalize={factor!r} stands in {term!r} with another factor: make one factor of the two, or leave "
            "their interaction out."
        )


def _parent(names: Sequence[str], terms: Sequence[str], rest: Sequence[str], factor: str) -> int:
    """Column that the levels of a factor add up to: the constant, or the continuous regressor they are crossed with."""
    wanted = ":".join(rest) or "1"
    found = [j for j in range(len(names)) if terms[j] == wanted]
    if not found:
        what = "a constant" if not rest else f"{wanted!r} itself"
        raise OptionError(f"normalize={factor!r} needs {what} among the regressors.")
    return found[0]


def detail_groups(columns: Columns, detail: str | Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], FloatArray]:
    """Return names of the rows of a detailed decomposition, and which columns each sums, shape (g, m).

    Parameters
    ----------
    columns : Columns
        Reported columns.
    detail : {"terms", "columns"} or mapping of name to terms or columns
        A row for each term of the formula, for each column, or for each named group and whatever is left.

    Raises
    ------
    OptionError
        For a name that is neither a term nor a column, or stands in two groups.

    Examples
    --------
    >>> columns = Columns(("Intercept", "age", "female"), ("1", "age", "female"), np.eye(3), np.eye(3))
    >>> detail_groups(columns, {"person": ["age", "female"]})[0]
    ('Intercept', 'person')
    """
    if detail == "columns":
        return columns.names, np.eye(len(columns.names))
    labels = ["Intercept" if term == "1" else term for term in columns.terms]
    if isinstance(detail, Mapping):
        labels = _named_groups(columns, labels, detail)
    names = tuple(dict.fromkeys(labels))
    return names, np.array([[float(label == name) for label in labels] for name in names])


def _named_groups(columns: Columns, labels: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Row of each column, that of its group where it has one."""
    owner: dict[str, str] = {}
    known = [*dict.fromkeys(columns.terms), *columns.names]
    for group, members in groups.items():
        for member in [members] if isinstance(members, str) else members:
            if member in owner:
                raise OptionError(f"detail: {member!r} stands in {owner[member]!r} and in {group!r}.")
            if member not in known:
                raise OptionError(
                    f"detail: {member!r} is neither a term nor a column.{did_you_mean(member, known)} "
                    f"There are: {listing(dict.fromkeys(known), 20)}."
                )
            owner[member] = group
    found = [owner.get(name, owner.get(term)) for name, term in zip(columns.names, columns.terms, strict=True)]
    taken = {"total", *(label for label, group in zip(labels, found, strict=True) if group is None)}
    for group in groups:
        if group in taken:
            raise OptionError(f"detail: a group cannot be called {group!r}, as another row is: name it otherwise.")
    return [label if group is None else group for label, group in zip(labels, found, strict=True)]
