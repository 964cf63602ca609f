"""Which score rows belong together: groupings of units, and the pair weights they stand for.

A covariance of estimates is a signed sum of quadratic forms S'KS in the scores S, each K saying which pairs of rows
may be correlated. A grouping is the common case: K is one for two rows of the same group (row, worker, cluster,
stratum) and zero otherwise. The identity of a group is (source, scope, id): the source is part of the grouping, scope
and id are its labels, so equal numbers of two sources, or of two countries, never meet by accident.

Anything with the methods of `PairWeights` can stand in for a grouping: pairs that share a country, kernels in space or
time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy import sparse

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray

__all__ = ["Grouping", "PairWeights", "factorize", "group_sums", "inside_one_unit"]

_MOSTLY, _ROWS = 0.3, 8_192
_TABLE = 16  # possible keys per row up to which a table of them is faster than a sort


class PairWeights(Protocol):
    """Weights of pairs of score rows."""

    @property
    def source(self) -> str:
        """Where the labels come from."""

    def degrees(self, rows: IntArray) -> float:
        """Return the degrees of freedom of a sum over the given rows: groups, members, places or periods less one."""

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS, shape (q, q)."""

    def metric(self, scores: sparse.csr_array) -> FloatArray | None:
        """Return what a negative S'KS is repaired in, shape (q, q); None where K is positive semidefinite."""

    def take(self, rows: IntArray) -> PairWeights:
        """Return the weights among the given rows."""

    def stack(self, other: PairWeights) -> PairWeights:
        """Return the weights among these rows and those of `other` below them."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping(Shown):
    """Rows of the same group may be correlated, rows of different groups are not.

    Attributes
    ----------
    name : str
        What defines the groups: `"row"`, `"worker"`, or a column.
    source : str
        Where the labels come from; labels of different sources never match.
    codes : ndarray of int32, shape (n,)
        Group of each score row.
    labels : tuple of ndarray, each of shape (m,)
        Key of each group, part by part: `(scope, id)`, or `(id,)`.
    """

    name: str
    source: str
    codes: CodeArray
    labels: tuple[AnyArray, ...]

    @classmethod
    def from_keys(cls, name: str, source: str, *parts: AnyArray) -> Grouping:
        """Group rows by one or more key columns, each of shape (n,)."""
        return cls.from_codes(name, source, *(factorize(part) for part in parts))

    @classmethod
    def from_codes(cls, name: str, source: str, *parts: tuple[IntArray | CodeArray, AnyArray]) -> Grouping:
        """Group rows by key columns that are numbered: the code of each row, shape (n,), and the label of each code."""
        sizes = [len(labels) for _, labels in parts]
        flat = np.ravel_multi_index([codes.astype(np.int64) for codes, _ in parts], sizes)
        codes, present = _appearing(flat, int(np.prod(sizes, dtype=float)))
        at = np.unravel_index(present, sizes)
        return cls(name, source, codes, tuple(labels[i] for (_, labels), i in zip(parts, at, strict=True)))

    @property
    def n_groups(self) -> int:
        """Number of groups among the labels."""
        return len(self.labels[0])

    def degrees(self, rows: IntArray) -> float:
        """Groups of the given rows, less one."""
        return float(np.unique(self.codes[rows]).size - 1)

    def sums(self, scores: sparse.csr_array) -> sparse.csr_array:
        """Sum score rows within groups: G'S, shape (m, q)."""
        return group_sums(self.codes, np.arange(len(self.codes)), self.n_groups, scores)

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS = (G'S)'(G'S), shape (q, q), with K = GG' one within groups."""
        alone = self.n_groups == len(self.codes) and len(np.unique(self.codes)) == self.n_groups
        return _squared(scores if alone else self.sums(scores))

    def metric(self, scores: sparse.csr_array) -> None:
        """K = GG' is positive semidefinite."""

    def take(self, rows: IntArray) -> Grouping:
        """Keep the given rows; labels that no row has any more are dropped."""
        kept, codes = np.unique(self.codes[rows], return_inverse=True)
        return Grouping(self.name, self.source, codes.astype(np.int32), tuple(part[kept] for part in self.labels))

    def stack(self, other: PairWeights) -> Grouping:
        """Put the rows of `other` below; equal labels of an equal source become one group."""
        if not isinstance(other, Grouping) or (self.name, self.source) != (other.name, other.source):
            raise TypeError("only groupings of one name and source can be stacked")
        pairs = list(zip(self.labels, other.labels, strict=True))
        if all(np.array_equal(ours, theirs) for ours, theirs in pairs):
            return Grouping(self.name, self.source, np.concatenate([self.codes, other.codes]), self.labels)
        groups = Grouping.from_keys(self.name, self.source, *(np.concatenate(pair) for pair in pairs))
        codes = groups.codes[np.concatenate([self.codes, other.codes + np.int32(self.n_groups)])]
        return Grouping(self.name, self.source, codes, groups.labels)

    def cross(self, other: Grouping) -> Grouping:
        """Groups of equal pairs of labels: the intersection of two groupings of the same rows."""
        pairs = ((group.codes, np.arange(group.n_groups)) for group in (self, other))
        crossed = Grouping.from_codes(f"{self.name}&{other.name}", self.source, *pairs)
        ours, theirs = crossed.labels
        labels = (*(part[ours] for part in self.labels), *(part[theirs] for part in other.labels))
        return Grouping(crossed.name, self.source, crossed.codes, labels)


def inside_one_unit(pairs: PairWeights, cells: IntArray | CodeArray, n_cells: int) -> BoolArray:
    """Say which cells have rows that are all fully related to one another, and so no variance between units.

    Scores of a fit add up to zero over its rows, and so does everything summed over a single unit: errors would be
    rounding. A single cluster, sampling unit, place or period is such a unit, and so are flows that all start in one
    country, and places that are all nearer to each other than a kernel reaches.

    Parameters
    ----------
    pairs : PairWeights
        Which rows are related.
    cells : ndarray of int, shape (n,)
        Cell of each row.
    n_cells : int
        Number of cells C.

    Returns
    -------
    ndarray of bool, shape (C,)

    Examples
    --------
    >>> import numpy as np
    >>> places = Grouping.from_keys("place", "data", np.array(["a", "a", "b", "c"]))
    >>> inside_one_unit(places, np.array([0, 0, 1, 1]), 2).tolist()
    [True, False]
    """
    if isinstance(pairs, Grouping):
        first = np.zeros(n_cells, dtype=pairs.codes.dtype)
        first[cells[::-1]] = pairs.codes[::-1]
        return np.asarray(np.bincount(cells[pairs.codes != first[cells]], minlength=n_cells) == 0)
    n, sizes = len(cells), np.bincount(cells, minlength=n_cells)
    parts = np.split(np.argsort(cells, kind="stable"), np.cumsum(sizes)[:-1])
    alone = np.array([pairs.degrees(rows) < 1 for rows in parts])
    members = sparse.csr_array((np.ones(n), (np.arange(n), cells)), shape=(n, n_cells))
    if pairs.metric(members[:, :0]) is None:  # rows are of one unit each
        return alone
    # of overlapping units: K_ij = 1 for all rows of a cell of n rows where 1'K1 = n^2
    total = np.diag(pairs.quadratic(members))
    return np.asarray(alone | (total >= sizes.astype(float) ** 2 * (1 - 1e-12)))


def factorize(values: AnyArray) -> tuple[CodeArray, AnyArray]:
    """Number the distinct values in the order in which they appear: a code for each row, a label for each code.

    >>> factorize(np.array(["b", "a", "b"], dtype=object))
    (array([0, 1, 0], dtype=int32), array(['b', 'a'], dtype=object))
    """
    values = np.asarray(values)
    if values.dtype != object:
        labels, sorted_codes = np.unique(values, return_inverse=True)
        codes, present = _appearing(sorted_codes.ravel(), len(labels))
        return codes, labels[present]
    place = {value: i for i, value in enumerate(dict.fromkeys(values.tolist()))}
    labels = np.empty(len(place), dtype=object)
    labels[:] = list(place)
    return np.fromiter(map(place.__getitem__, values.tolist()), dtype=np.int32, count=len(values)), labels


def group_sums(codes: IntArray | CodeArray, rows: IntArray, m: int, scores: sparse.csr_array) -> sparse.csr_array:
    """Sums of score rows within groups, shape (m, q); a row may stand in several."""
    indicator = sparse.csr_array((np.ones(len(codes)), (codes, rows)), shape=(m, scores.shape[0]))
    return sparse.csr_array(indicator @ scores)


def _appearing(flat: IntArray, size: float) -> tuple[CodeArray, IntArray]:
    """Number whole numbers from 0 to size - 1 in the order in which they appear, and say which do."""
    if size > _TABLE * len(flat):
        values, inverse = np.unique(flat, return_inverse=True)
        codes, present = _appearing(inverse, len(values))
        return codes, values[present]
    table = np.full(int(size), len(flat), dtype=np.intp)
    table[flat[::-1]] = np.arange(len(flat) - 1, -1, -1)  # of a repeated number the last value written stays
    present = flat[np.sort(table[table < len(flat)])]
    table[present] = np.arange(len(present))
    return table[flat].astype(np.int32), present


def _squared(sums: sparse.csr_array) -> FloatArray:
    """Return S'S, by blocks of dense rows where most elements are there."""
    n, q = sums.shape
    if sums.nnz < _MOSTLY * n * q:
        return np.asarray((sums.T @ sums).toarray())
    out = np.zeros((q, q))
    for start in range(0, n, _ROWS):
        rows = sums[start : start + _ROWS].toarray()
        out += rows.T @ rows
    return out
