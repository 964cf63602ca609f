"""Pairs of rows that may be correlated where no grouping says so: dyads, places, and periods.

A covariance of scores is a sum of S'KS over weights K of pairs of rows. Beside groupings, K may be one for two flows
that have a country in common (dyadic clustering), fall with the distance between two places (Conley), or fall with the
time between two periods: within a unit (Newey-West) or between all rows (Driscoll-Kraay). None of these matrices is
formed: members, places and periods are few, and the scores are summed over them first.

References
----------
Aronow, P., C. Samii and V. Assenova (2015). Cluster-robust variance estimation for dyadic data. Political Analysis 23,
564-577.
Conley, T. (1999). GMM estimation with cross sectional dependence. Journal of Econometrics 92, 1-45.
Driscoll, J. and A. Kraay (1998). Consistent covariance matrix estimation with spatially dependent panel data. Review of
Economics and Statistics 80, 549-560.
Newey, W. and K. West (1987). A simple, positive semi-definite, heteroskedasticity and autocorrelation consistent
covariance matrix. Econometrica 55, 703-708.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse, spatial

from wagegap._typing import AnyArray, CodeArray, FloatArray, IntArray
from wagegap.errors import DataError, OptionError, check_count, check_keys_meet, check_option, refuse_rows
from wagegap.estimation.covariance.groupings import Grouping, PairWeights, factorize, group_sums

__all__ = ["Dyads", "Kernel", "Places", "Spells", "check_kernel"]

Kernel: TypeAlias = Literal["uniform", "bartlett"]

_EARTH_KM = 6371.01


@dataclass(frozen=True, slots=True, eq=False)
class Dyads:
    """Rows that have a member in common may be correlated, on whichever side it stands.

    Attributes
    ----------
    name : str
        The two columns, joined by a tilde.
    source : str
        Where the labels come from; members of different sources never match.
    first, second : ndarray of int32, shape (n,)
        The two members of each row.
    labels : ndarray, shape (m,)
        Label of each member.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> dyads = Dyads.from_keys("o~d", "data", np.array(["KOR", "USA", "JPN"]), np.array(["USA", "CAN", "AUS"]))
    >>> dyads.quadratic(sparse.csr_array(np.eye(3)))
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """

    name: str
    source: str
    first: CodeArray
    second: CodeArray
    labels: AnyArray

    @classmethod
    def from_keys(cls, name: str, source: str, first: AnyArray, second: AnyArray) -> Dyads:
        """Name the members of rows by two columns of one kind of labels, each of shape (n,)."""
        both = np.concatenate([np.asarray(first, dtype=object), np.asarray(second, dtype=object)])
        codes, labels = factorize(both)
        missing = np.isin(codes, [i for i, label in enumerate(labels) if label is None or label != label])
        if missing.any():
            raise DataError(f"{name}: a member is missing in {int(missing.sum()):,} places; filter these rows out.")
        halves = codes.astype(np.int32)
        return cls(name, source, halves[: len(first)], halves[len(first) :], labels)

    def degrees(self, rows: IntArray) -> float:
        """Members of the given rows, less one."""
        return _less_one(len(np.union1d(self.first[rows], self.second[rows])))

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS, shape (q, q): rows that share a member, those that share both counted once."""
        members, pairs = self._squares(scores)
        return members - pairs

    def metric(self, scores: sparse.csr_array) -> FloatArray:
        """Squares by member and by pair, added: what is subtracted from one another in S'KS."""
        members, pairs = self._squares(scores)
        return members + pairs

    def _squares(self, scores: sparse.csr_array) -> tuple[FloatArray, FloatArray]:
        """Squares of sums by member and by pair, each of shape (q, q)."""
        # S'KS = sum_m (sum over rows i of member m of s_i)(...)' - sum_p (sum over rows i of pair p of s_i)(...)'
        n, m = len(self.first), len(self.labels)
        rows = np.arange(n)
        apart = self.first != self.second
        member = np.concatenate([self.first, self.second[apart]])
        members = group_sums(member, np.concatenate([rows, rows[apart]]), m, scores)
        low, high = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        pair = np.unique(low[apart].astype(np.int64) * m + high[apart], return_inverse=True)[1]
        pairs = group_sums(pair, rows[apart], int(pair.max(initial=-1)) + 1, scores)
        return (members.T @ members).toarray(), (pairs.T @ pairs).toarray()

    def take(self, rows: IntArray) -> Dyads:
        """Keep the given rows."""
        return replace(self, first=self.first[rows], second=self.second[rows])

    def stack(self, other: PairWeights) -> Dyads:
        """Put the rows of `other` below; members of equal label are one."""
        if not isinstance(other, Dyads) or (self.name, self.source) != (other.name, other.source):
            raise TypeError("only dyads of one name and source can be stacked")
        check_keys_meet(self.labels.tolist(), other.labels.tolist(), self.name, ("one result", "the other"))
        first = np.concatenate([self.labels[self.first], other.labels[other.first]])
        second = np.concatenate([self.labels[self.second], other.labels[other.second]])
        return Dyads.from_keys(self.name, self.source, first, second)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Rows whose places are near may be correlated (Conley).

    Attributes
    ----------
    name : str
        The two columns, joined by a tilde.
    source : str
        Where the coordinates come from.
    latitude, longitude : ndarray, shape (n,)
        Degrees.
    km : float
        Distance from which on rows are uncorrelated.
    kernel : {"uniform", "bartlett"}
        Weight of nearer pairs: one, or one less the distance over `km`, which alone is sure to give a positive
        variance on a line.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> seoul_incheon_tokyo = np.array([37.57, 37.46, 35.68]), np.array([126.98, 126.71, 139.69])
    >>> Places("lat~lon", "data", *seoul_incheon_tokyo, km=100.0).quadratic(sparse.csr_array(np.eye(3)))
    array([[1., 1., 0.],
           [1., 1., 0.],
           [0., 0., 1.]])
    """

    name: str
    source: str
    latitude: FloatArray
    longitude: FloatArray
    km: float
    kernel: Kernel = "uniform"

    def __post_init__(self) -> None:
        check_kernel(self.km, self.kernel)
        for word, values, top in (("latitude", self.latitude, 90.0), ("longitude", self.longitude, 180.0)):
            where = f"{self.name}: the {word} is missing or beyond {top:g} degrees in "
            refuse_rows(~(np.abs(values) <= top), DataError, where, " rows, first {first}.", values)

    def degrees(self, rows: IntArray) -> float:
        """Places of the given rows, less one."""
        return _less_one(len(self.take(rows)._places()[1]))

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS = P'KP, P the sums of scores by place, shape (q, q)."""
        sums, points = self._sums(scores)
        return np.asarray((sums.T @ (self._kernel(points) @ sums)).toarray())

    def metric(self, scores: sparse.csr_array) -> FloatArray:
        """P'P, the covariance if places were uncorrelated."""
        sums, _ = self._sums(scores)
        return np.asarray((sums.T @ sums).toarray())

    def _sums(self, scores: sparse.csr_array) -> tuple[sparse.csr_array, FloatArray]:
        """Sums of scores by place, and the places' points."""
        codes, points = self._places()
        return group_sums(codes, np.arange(len(codes)), len(points), scores), points

    def take(self, rows: IntArray) -> Places:
        """Keep the given rows."""
        return replace(self, latitude=self.latitude[rows], longitude=self.longitude[rows])

    def stack(self, other: PairWeights) -> Places:
        """Put the rows of `other` below."""
        if not isinstance(other, Places) or (other.name, other.km, other.kernel) != (self.name, self.km, self.kernel):
            raise TypeError("only places of one name, distance and kernel can be stacked")
        latitude = np.concatenate([self.latitude, other.latitude])
        return replace(self, latitude=latitude, longitude=np.concatenate([self.longitude, other.longitude]))

    def _places(self) -> tuple[IntArray, FloatArray]:
        """Place of each row, and the places' points on the unit sphere."""
        angles, codes = np.unique(np.column_stack([self.latitude, self.longitude]), axis=0, return_inverse=True)
        up, round_ = np.radians(angles.T)
        points = np.column_stack([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)])
        return codes.ravel(), points

    def _kernel(self, points: FloatArray) -> sparse.csr_array:
        """Weights of pairs of places, sparse."""
        # The chord between points at angle a is 2 sin(a/2), and the distance between the places R a.
        chord = 2 * np.sin(min(self.km / _EARTH_KM, np.pi) / 2)
        tree = spatial.cKDTree(points)
        found = tree.sparse_distance_matrix(tree, chord, output_type="coo_matrix")
        distance = 2 * _EARTH_KM * np.arcsin(np.minimum(found.data / 2, 1.0))
        weight = np.ones_like(distance) if self.kernel == "uniform" else np.maximum(1 - distance / self.km, 0.0)
        return sparse.csr_array((weight, (found.row, found.col)), shape=found.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Spells:
    """Rows whose periods are near may be correlated: of one unit (Newey-West), or all (Driscoll-Kraay).

    A lag is a step between periods that the rows have, in their order, so that surveys of every second year have a
    first lag. Weights are Bartlett's, 1 - l/(L + 1).

    Attributes
    ----------
    name : str
        The column of periods, behind the unit where there is one.
    source : str
        Where the labels come from.
    periods : ndarray, shape (n,)
        Period of each row; anything that can be sorted.
    lags : int
        Lags L up to which rows are correlated.
    units : Grouping, optional
        Rows of different units are uncorrelated; where absent all rows of near periods are correlated.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> Spells("year", "data", np.array([2010, 2012, 2014]), lags=1).quadratic(sparse.csr_array(np.eye(3)))
    array([[1. , 0.5, 0. ],
           [0.5, 1. , 0.5],
           [0. , 0.5, 1. ]])
    """

    name: str
    source: str
    periods: AnyArray
    lags: int
    units: Grouping | None = None

    def __post_init__(self) -> None:
        check_count("lags", self.lags, 0)
        missing = np.asarray(self.periods != self.periods)
        refuse_rows(missing, DataError, f"{self.name}: the period is missing in ", " rows.")

    def degrees(self, rows: IntArray) -> float:
        """Units of the given rows less one; periods less one where there are none, or one."""
        units = 1 if self.units is None else len(np.unique(self.units.codes[rows]))
        return _less_one(units if units > 1 else len(np.unique(self.periods[rows])))

    def quadratic(self, scores: sparse.csr_array) -> FloatArray:
        """Return S'KS, shape (q, q)."""
        # S'KS = C_0 + sum_l (1 - l/(L + 1)) (C_l + C_l'),  C_l = sum_t S_{t+l}'S_t,  S_t the sum of scores at time t
        rank = np.unique(self.periods, return_inverse=True)[1].ravel()
        width = int(rank.max()) + 1 + self.lags
        unit = np.zeros(len(rank), dtype=np.int64) if self.units is None else self.units.codes.astype(np.int64)
        cells, codes = np.unique(unit * width + rank, return_inverse=True)
        sums = group_sums(codes.ravel(), np.arange(len(rank)), len(cells), scores)
        total = np.asarray((sums.T @ sums).toarray())
        for lag in range(1, self.lags + 1):
            later = np.searchsorted(cells, cells + lag)
            later[later == len(cells)] = 0
            found = cells[later] == cells + lag
            crossed = np.asarray((sums[later[found]].T @ sums[np.flatnonzero(found)]).toarray())
            total += (1 - lag / (self.lags + 1)) * (crossed + crossed.T)
        return total

    def metric(self, scores: sparse.csr_array) -> None:
        """Bartlett's weights are positive semidefinite."""

    @property
    def _identity(self) -> tuple[str, str, int, bool]:
        return self.name, self.source, self.lags, self.units is None

    def take(self, rows: IntArray) -> Spells:
        """Keep the given rows."""
        return replace(self, periods=self.periods[rows], units=None if self.units is None else self.units.take(rows))

    def stack(self, other: PairWeights) -> Spells:
        """Put the rows of `other` below."""
        if not isinstance(other, Spells) or self._identity != other._identity:
            raise TypeError("only periods of one name, source and number of lags can be stacked")
        units = None if self.units is None or other.units is None else self.units.stack(other.units)
        return replace(self, periods=np.concatenate([self.periods, other.periods]), units=units)


def check_kernel(km: float, kernel: Kernel) -> None:
    """Raise for an unknown kernel, or a distance that is none."""
    check_option("kernel", kernel, ("uniform", "bartlett"))
    if not km > 0:
        raise OptionError(f"km={km!r} must be a positive distance.")


def _less_one(n: int) -> float:
    return float(n - 1)
