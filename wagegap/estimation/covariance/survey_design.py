"""Sampling designs: units drawn within strata, in one stage or several, from populations that may be finite.

The variance of a sum of scores is that of the totals of sampled units about the mean of their stratum. Of a design in
several stages every stage adds its own: the units of a stage are the strata of the next. A finite population takes the
share that was sampled off the variance of a stage, and leaves of those below it what was sampled above. Units are
counted over the whole sample: a domain's rows may be of some of them only, and the others are units of zero.

References
----------
Lumley, T. (2010). Complex Surveys. A Guide to Analysis Using R. Wiley.
Sarndal, C.-E., B. Swensson and J. Wretman (1992). Model Assisted Survey Sampling, section 4.3. Springer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import CovarianceError, MissingValueError, listing, refuse_rows
from wagegap.estimation.covariance.groupings import Grouping, PairWeights

__all__ = ["Lonely", "MultistageGrouping", "StratifiedGrouping", "sampling_fractions"]

Lonely: TypeAlias = Literal["raise", "certainty", "adjust", "average"]
"""What is done about a stratum with a single sampled unit."""

_Key: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StratifiedGrouping:
    """Sampled units within strata: deviations from the stratum's mean, n_h/(n_h - 1) times.

    Attributes
    ----------
    units : Grouping
        Sampled units; labels (stratum, ..., unit).
    strata : Grouping
        Strata of the same rows.
    sampled : mapping
        Number of units sampled in each stratum, by its label, counted before rows were left out.
    shares : mapping
        Share of each stratum's variance that finite populations leave; one where absent.
    lonely : {"raise", "certainty", "adjust", "average"}
        What a stratum with one sampled unit adds: nothing, its unit's deviation from zero, or the average of the
        others.
    lonely_domains : bool
        Whether a stratum of which a domain's rows hold one unit is taken as lonely there.
    """

    units: Grouping
    strata: Grouping
    sampled: Mapping[_Key, int]
    shares: Mapping[_Key, float] = field(default_factory=dict)
    lonely: Lonely = "certainty"
    lonely_domains: bool = False

    @property
    def source(self) -> str:
        """Source of the labels."""
        return self.units.source

    @classmethod
    def of_sample(cls, units: Grouping, strata: Grouping | None) -> StratifiedGrouping:
        """Count the units of every stratum; without strata each scope, such as a country, is one.

        Units are nested: equal labels in two strata are two units.
        """
        if strata is None:
            scope = units.labels[0] if len(units.labels) > 1 else np.zeros(units.n_groups, dtype=np.intp)
            strata = Grouping.from_keys("sample", units.source, scope[units.codes])
        nested = strata.cross(units)
        first = np.unique(nested.codes, return_index=True)[1]
        counts = np.bincount(strata.codes[first], minlength=strata.n_groups)
        return cls(nested, strata, dict(zip(_keys(strata), counts.tolist(), strict=True)))

    @property
    def counts(self) -> IntArray:
        """Units sampled in each stratum, shape (H,)."""
        return np.array([self.sampled[key] for key in _keys(self.strata)], dtype=np.intp)

    @property
    def single(self) -> list[_Key]:
        """Strata that add a variance and have a single sampled unit."""
        shares = self._shares()
        return [key for key, n, share in zip(_keys(self.strata), self.counts, shares, strict=True) if n < 2 and share]

    def with_shares(self, shares: FloatArray) -> StratifiedGrouping:
        """The same design with the share of each stratum's variance that is left, shape (H,)."""
        return replace(self, shares=dict(zip(_keys(self.strata), shares.tolist(), strict=True)))

    def degrees(self, rows: IntArray) -> float:
        """Units that have some of the given rows, less the strata that have: R's rule for a domain."""
        return float(len(np.unique(self.units.codes[rows])) - len(np.unique(self.strata.codes[rows])))

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return the sum over strata of c_h n_h/(n_h - 1) times the units' squared deviations, shape (q, q)."""
        # V = sum_h c_h n_h/(n_h - 1) sum_i (s_hi - s_h/n_h)(s_hi - s_h/n_h)'
        #   = sum_h c_h [n_h/(n_h - 1) sum_i s_hi s_hi' - 1/(n_h - 1) s_h s_h'],  c_h the share of the variance left
        # n_h = 1: nothing; or c_h s_h s_h' (adjust); or all times H/H_1, H_1 strata of several units (average)
        counts, shares = self.counts, self._shares()
        below = np.where(counts > 1, shares / np.maximum(counts - 1, 1), 0.0)
        alone = shares if self.lonely == "adjust" else np.zeros(len(counts))
        weight = np.where(counts > 1, counts * below, alone)
        of_unit = self._stratum_of_unit()
        units, strata = self.units.sums(scores), self.strata.sums(scores)
        lonely = None
        if self.lonely == "average" or (self.lonely_domains and self.lonely == "adjust"):
            lonely = self._lonely(scores)
        if lonely is not None and self.lonely == "average":
            kept = np.where(lonely, 0.0, 1.0)
            units, strata = _times(units, kept[of_unit]), _times(strata, kept)
        total = _weighted_square(units, weight[of_unit]) - _weighted_square(strata, below)
        if lonely is None:
            return total
        if self.lonely == "adjust":  # the deviations of what is alone in its stratum are from zero
            return total + _weighted_square(_times(strata, lonely.astype(float)), below)
        ratio = np.sqrt(self._strata_per_averaged(scores, lonely))
        return np.asarray(total * np.outer(ratio, ratio))

    def metric(self, scores: sparse.csr_array) -> None:
        """Squares of deviations are positive."""

    def multipliers(self, generator: np.random.Generator) -> FloatArray:
        """Draw a normal multiplier for each row, shape (n,), under which sums of scores vary as the design says."""
        # m_hi = sqrt(c_h n_h/(n_h - 1)) (g_hi - mean of the n_h draws of h): Var sum m_hi s_hi is the quadratic form
        counts, of_unit = self.counts, self._stratum_of_unit()
        below = np.where(counts > 1, 1.0 / np.maximum(counts - 1, 1), 0.0)
        draws = generator.standard_normal(self.units.n_groups)
        present = np.bincount(of_unit, minlength=len(counts))
        absent = np.sqrt(np.maximum(counts - present, 0)) * generator.standard_normal(len(counts))
        means = (np.bincount(of_unit, weights=draws, minlength=len(counts)) + absent) / counts
        centred = np.where(counts > 1, means, 0.0)
        size = np.where(counts > 1, counts * below, float(self.lonely == "adjust")) * self._shares()
        if self.lonely == "average":
            size = size * len(counts) / max(int((counts > 1).sum()), 1)
        return np.asarray((np.sqrt(size)[of_unit] * (draws - centred[of_unit]))[self.units.codes])

    def take(self, rows: IntArray) -> StratifiedGrouping:
        """Keep the given rows; the counts of sampled units stay."""
        return replace(self, units=self.units.take(rows), strata=self.strata.take(rows))

    def stack(self, other: PairWeights) -> StratifiedGrouping:
        """Put the rows of `other` below."""
        if not isinstance(other, StratifiedGrouping):
            raise TypeError("only designs of one kind can be stacked")
        return replace(
            self,
            units=self.units.stack(other.units),
            strata=self.strata.stack(other.strata),
            sampled={**self.sampled, **other.sampled},
            shares={**self.shares, **other.shares},
        )

    def _shares(self) -> FloatArray:
        return np.array([self.shares.get(key, 1.0) for key in _keys(self.strata)])

    def _stratum_of_unit(self) -> IntArray:
        return self.strata.codes[np.unique(self.units.codes, return_index=True)[1]].astype(np.intp)

    def _lonely(self, scores: sparse.csr_array) -> BoolArray:
        """Where a column's rows leave a stratum with one unit, shape (H, q): sampled alone, or alone in the domain."""
        counts = np.broadcast_to(self.counts[:, None], (self.strata.n_groups, scores.shape[1]))
        if not self.lonely_domains:
            return np.asarray(counts < 2)
        units = _present(self.units, scores)
        present = np.zeros(counts.shape, dtype=np.intp)
        np.add.at(present, self._stratum_of_unit(), units.astype(np.intp))
        return np.asarray((counts < 2) | (present == 1))

    def _strata_per_averaged(self, scores: sparse.csr_array, lonely: BoolArray) -> FloatArray:
        """Strata of each column over those that are averaged, shape (q,)."""
        here = _present(self.strata, scores)
        averaged = (here & (~lonely | (self._shares() == 0)[:, None])).sum(axis=0)
        if not averaged.all():
            raise CovarianceError(
                "lonely='average' takes the variance of strata with several units, and some estimates stand on none: "
                "merge strata, or choose another rule."
            )
        return np.asarray(here.sum(axis=0) / averaged)


@dataclass(frozen=True, slots=True, eq=False)
class MultistageGrouping:
    """Units drawn within the units of the stage before: the variances of the stages add up.

    Attributes
    ----------
    stages : tuple of StratifiedGrouping
        The stages, each with the share of its variance that is left.
    """

    stages: tuple[StratifiedGrouping, ...]

    @property
    def source(self) -> str:
        """Source of the labels."""
        return self.stages[0].source

    def degrees(self, rows: IntArray) -> float:
        """First-stage units of the given rows less their strata."""
        return self.stages[0].degrees(rows)

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return the sum over stages, shape (q, q)."""
        return np.asarray(sum(stage.quadratic(scores) for stage in self.stages))

    def metric(self, scores: sparse.csr_array) -> None:
        """Squares of deviations are positive."""

    def take(self, rows: IntArray) -> MultistageGrouping:
        """Keep the given rows; the counts of sampled units stay."""
        return MultistageGrouping(tuple(stage.take(rows) for stage in self.stages))

    def stack(self, other: PairWeights) -> MultistageGrouping:
        """Put the rows of `other` below."""
        if not isinstance(other, MultistageGrouping) or len(self.stages) != len(other.stages):
            raise TypeError("only designs of one kind can be stacked")
        pairs = zip(self.stages, other.stages, strict=True)
        return MultistageGrouping(tuple(first.stack(second) for first, second in pairs))


def sampling_fractions(design: StratifiedGrouping, population: FloatArray, column: str) -> FloatArray:
    """Return the share of each stratum's units that was sampled, shape (H,): n_h/N_h, or as given.

    Parameters
    ----------
    design : StratifiedGrouping
        Units and strata of the whole sample.
    population : ndarray, shape (n,)
        Units in the population of each row's stratum; or, where all are at most 1, the share sampled.
    column : str
        Where the numbers come from, for messages.

    Raises
    ------
    MissingValueError
        Where the population is missing.
    CovarianceError
        Where it is not positive, mixes numbers and shares, differs within a stratum, or is smaller than the sample.
    """
    advice = " rows: give each row the number of units in the population of its stratum."
    refuse_rows(np.isnan(population), MissingValueError, f"fpc {column!r} is missing or text in ", advice)
    refuse_rows(population <= 0, CovarianceError, f"fpc {column!r} is not positive in ", advice)
    low = np.full(design.strata.n_groups, np.inf)
    high = np.full(design.strata.n_groups, -np.inf)
    np.minimum.at(low, design.strata.codes, population)
    np.maximum.at(high, design.strata.codes, population)
    keys, counts = _keys(design.strata), design.counts
    _refuse_strata(low != high, keys, f"fpc {column!r} differs within", "give each stratum one number.")
    if (population <= 1).all():
        return low
    _refuse_strata(low < 1, keys, f"fpc {column!r} is below 1 in", "give numbers of units, or shares for all.")
    few = low < counts
    first = int(np.argmax(few))
    _refuse_strata(
        few, keys, f"fpc {column!r} is smaller than the sample in",
        f"{counts[first]} units were sampled of {low[first]:g} there; give units of the population, not of the sample.",
    )  # fmt: skip
    return np.asarray(counts / low)


def _refuse_strata(bad: BoolArray, keys: Sequence[_Key], before: str, after: str) -> None:
    """Raise where any stratum is bad, with how many of how many."""
    if bad.any():
        which = listing(stratum_in_words(keys[i]) for i in np.flatnonzero(bad).tolist())
        raise CovarianceError(f"{before} {int(bad.sum())} of {len(bad)} strata ({which}): {after}")


def stratum_in_words(key: _Key) -> str:
    """Name a stratum by the parts of its label that say something.

    >>> stratum_in_words(("", 75))
    '75'
    """
    return " ".join(str(part) for part in key if str(part)) or "the sample"


def _keys(grouping: Grouping) -> list[_Key]:
    return list(zip(*(part.tolist() for part in grouping.labels), strict=True))


def _present(grouping: Grouping, scores: sparse.csr_array) -> BoolArray:
    """Whether a column has entries among the rows of each group, shape (m, q)."""
    rows = np.repeat(np.arange(scores.shape[0]), np.diff(scores.indptr))
    out = np.zeros((grouping.n_groups, scores.shape[1]), dtype=bool)
    out[grouping.codes[rows], scores.indices] = True
    return out


def _times(sums: sparse.csr_array, mask: FloatArray) -> sparse.csr_array:
    return sparse.csr_array(sums.multiply(mask))


def _weighted_square(sums: sparse.csr_array, weights: FloatArray) -> FloatArray:
    """Return S'diag(w)S, shape (q, q)."""
    return np.asarray((sums.T @ sparse.csr_array(sums.multiply(weights[:, None]))).toarray())
