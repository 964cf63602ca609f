"""Which score rows belong together: groupings of units, and the pair weights they stand for.

A covariance of estimates is a signed sum of quadratic forms S'KS in the scores S, each K saying which pairs of rows
may be correlated. A grouping is the common case: K is one for two rows of the same group (row, worker, cluster,
stratum) and zero otherwise. The identity of a group is (source, scope, id): the source is part of the grouping, scope
and id are its labels, so equal numbers of two sources, or of two countries, never meet by accident.

Anything with `name`, `quadratic`, `take` and `stack` can stand in for a grouping: pairs that share a country, kernels
in space or time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from wagegap._typing import AnyArray, CodeArray, FloatArray, IntArray

__all__ = ["Grouping", "PairWeights", "StratifiedGrouping"]

_MOSTLY, _ROWS = 0.3, 8_192


class PairWeights(Protocol):
    """Weights of pairs of score rows."""

    @property
    def name(self) -> str:
        """What the rows share, as the user would write it behind the colon of `cov`."""

    @property
    def source(self) -> str:
        """Where the labels come from."""

    @property
    def n_groups(self) -> int:
        """Number of groups, members, places or periods, for degrees of freedom."""

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS, shape (q, q)."""

    def take(self, rows: IntArray) -> PairWeights:
        """Return the weights among the given rows."""

    def stack(self, other: PairWeights) -> PairWeights:
        """Return the weights among these rows and those of `other` below them."""


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
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
    def from_keys(cls, name: str, source: str, *parts: AnyArray | pd.Series) -> Grouping:
        """Group rows by one or more key columns, each of shape (n,)."""
        if len(parts) == 1:
            only, values = pd.factorize(np.asarray(parts[0]))
            return cls(name, source, only.astype(np.int32), (np.asarray(values),))
        part_codes, part_labels = zip(*(pd.factorize(np.asarray(part)) for part in parts), strict=True)
        sizes = [len(labels) for labels in part_labels]
        flat = np.ravel_multi_index([codes.astype(np.int64) for codes in part_codes], sizes)
        codes, present = pd.factorize(flat)
        unravelled = np.unravel_index(present, sizes)
        labels = tuple(np.asarray(lab)[pos] for lab, pos in zip(part_labels, unravelled, strict=True))
        return cls(name, source, codes.astype(np.int32), labels)

    @property
    def n_groups(self) -> int:
        """Number of groups among the labels."""
        return len(self.labels[0])

    def sums(self, scores: sparse.csr_array) -> sparse.csr_array:
        """Sum score rows within groups: G'S, shape (m, q)."""
        n = len(self.codes)
        ones = np.ones(n)
        indicator = sparse.csr_array((ones, (self.codes, np.arange(n))), shape=(self.n_groups, n))
        return sparse.csr_array(indicator @ scores)

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS, shape (q, q), with K one within groups."""
        alone = self.n_groups == len(self.codes) and len(np.unique(self.codes)) == self.n_groups
        return _squared(scores if alone else self.sums(scores))

    def take(self, rows: IntArray) -> Grouping:
        """Keep the given rows; labels that no row has any more are dropped."""
        kept, codes = np.unique(self.codes[rows], return_inverse=True)
        labels = tuple(part[kept] for part in self.labels)
        return Grouping(self.name, self.source, codes.astype(np.int32), labels)

    def stack(self, other: PairWeights) -> Grouping:
        """Put the rows of `other` below; equal labels of an equal source become one group."""
        if not isinstance(other, Grouping) or (self.name, self.source) != (other.name, other.source):
            raise TypeError("only groupings of one name and source can be stacked")
        parts = [
            np.concatenate([a[self.codes], b[other.codes]]) for a, b in zip(self.labels, other.labels, strict=True)
        ]
        return Grouping.from_keys(self.name, self.source, *parts)

    def cross(self, other: Grouping) -> Grouping:
        """Groups of equal pairs of labels: the intersection of two groupings of the same rows."""
        parts = (*(part[self.codes] for part in self.labels), *(part[other.codes] for part in other.labels))
        return Grouping.from_keys(f"{self.name}&{other.name}", self.source, *parts)

    def counts(self, groups: Sequence[int] | None = None) -> IntArray:
        """Rows in each group."""
        return np.bincount(self.codes, minlength=self.n_groups)


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedGrouping:
    """Primary sampling units within strata: deviations from the stratum's mean, n_h/(n_h - 1) times.

    Attributes
    ----------
    units : Grouping
        Primary sampling units; labels (stratum, ..., unit).
    strata : Grouping
        Strata of the same rows.
    sampled : dict
        Number of units sampled in each stratum, by its label, counted before rows were left out.
    """

    units: Grouping
    strata: Grouping
    sampled: dict[tuple[object, ...], int]

    @property
    def name(self) -> str:
        """Name of the design."""
        return f"{self.strata.name}/{self.units.name}"

    @property
    def source(self) -> str:
        """Source of the labels."""
        return self.units.source

    @property
    def n_groups(self) -> int:
        """Number of primary sampling units."""
        return self.units.n_groups

    @property
    def degrees(self) -> int:
        """Units less strata, over the strata that rows are left of."""
        counts = self._counts()
        return int(counts.sum() - len(counts))

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return the sum over strata of n/(n - 1) times the units' squared deviations."""
        counts = self._counts()
        df = np.maximum(counts - 1, 1)
        certain = counts <= 1
        first = np.unique(self.units.codes, return_index=True)[1]
        stratum_of_unit = self.strata.codes[first]
        units, strata = self.units.sums(scores), self.strata.sums(scores)
        unit_weight = np.where(certain, 0.0, counts / df)[stratum_of_unit]
        stratum_weight = np.where(certain, 0.0, 1.0 / df)
        plus = (units.T @ units.multiply(unit_weight[:, None]).tocsr()).toarray()
        minus = (strata.T @ strata.multiply(stratum_weight[:, None]).tocsr()).toarray()
        return np.asarray(plus - minus)

    def take(self, rows: IntArray) -> StratifiedGrouping:
        """Keep the given rows; the counts of sampled units stay."""
        return StratifiedGrouping(self.units.take(rows), self.strata.take(rows), self.sampled)

    def stack(self, other: PairWeights) -> StratifiedGrouping:
        """Put the rows of `other` below."""
        if not isinstance(other, StratifiedGrouping):
            raise TypeError("only designs of one kind can be stacked")
        sampled = {**self.sampled, **other.sampled}
        return StratifiedGrouping(self.units.stack(other.units), self.strata.stack(other.strata), sampled)

    def _counts(self) -> IntArray:
        keys = zip(*(part.tolist() for part in self.strata.labels), strict=True)
        return np.array([self.sampled[key] for key in keys], dtype=np.intp)


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
