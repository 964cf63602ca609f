"""Resampling: multipliers of units by replicate, and the cross-products under all of them at once.

A replicate gives each unit (a row, or a cluster of rows) a multiplier: how often it was drawn in a sample of N from N
(the pairs bootstrap), an exponential weight of mean one (the Bayesian bootstrap), or a weight that a survey supplies.
Counts are multinomial, exactly: the units stand in blocks, the totals of the blocks are multinomial, and given its
total the draws of a block are uniform. The numbers of replicate r in block k come from a generator of their own, keyed
by (seed, k, r). So any block and any replicate can be drawn alone, on any number of threads, and is the same; and the
first R replicates are the same whatever their number.

Estimators that need cross-products only never see a replicate: the products of the columns of a block of rows are
formed once and multiplied by the block's multipliers, one matrix product for all replicates, and the normal equations
are solved together.

References
----------
Efron, B. and R. Tibshirani (1993). An Introduction to the Bootstrap. Chapman and Hall.
Rubin, D. (1981). The Bayesian bootstrap. Annals of Statistics 9, 130-134.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from scipy.linalg import lapack

from wagegap._progress import track
from wagegap._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray, RngLike
from wagegap.errors import CovarianceError, DataError, check_count, check_option

__all__ = [
    "GivenWeights",
    "Multipliers",
    "Resamples",
    "column_products",
    "draw_resamples",
    "map_in_order",
    "replicate_moments",
    "solve_replicates",
    "unpack_moments",
]

_T = TypeVar("_T")
_V = TypeVar("_V")

_BLOCK = 16_384  # units drawn together; part of what a seed means, a power of two of at most 16 bits
_ROWS = 2_048  # rows whose products are formed together: they should stay in the cache
_AT_ONCE = 32 * 2**20  # bytes of multipliers held together
_PIVOT = 1e-10  # share of a column that the others leave unexplained; below, few digits are left


@dataclass(frozen=True, slots=True, eq=False)
class _Segments:
    """Parts of strata within blocks.

    Attributes
    ----------
    starts, sizes : ndarray of int, shape (S,)
        First position, and number of units.
    of_block : ndarray of int, shape (K + 1,)
        First segment of each block.
    split : ndarray of int, shape (S,)
        Column of `totals`; -1 where the segment is a whole stratum, whose total is its size.
    totals : ndarray of int32, shape (R, number of split segments)
        Draws that fall into parts of strata.
    """

    starts: IntArray
    sizes: IntArray
    of_block: IntArray
    split: IntArray
    totals: CodeArray


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """Resamples of units, drawn when asked for; see `draw_resamples`.

    Attributes
    ----------
    reps : int
        Number of replicates.
    n_units : int
        Number of units.
    kind : {"pairs", "bayesian"}
        Multinomial counts, or exponential weights.
    seed : int
        Seeds of all numbers.
    order : ndarray of int, shape (N,), optional
        Unit at each position, where strata are not contiguous.
    segments : _Segments
        Parts of strata within blocks.
    """

    reps: int
    n_units: int
    kind: Literal["pairs", "bayesian"]
    seed: int
    order: IntArray | None
    segments: _Segments

    @property
    def itemsize(self) -> int:
        """Bytes of a multiplier."""
        return 1 if self.kind == "pairs" else 8

    def block(self, k: int, first: int, last: int) -> AnyArray:
        """Multipliers at the positions of block k in replicates first to last - 1, shape (last - first, b)."""
        size = min(_BLOCK, self.n_units - k * _BLOCK)
        # A unit drawn more than 255 times out of N in N has a probability below 1e-500.
        out = np.empty((last - first, size), dtype=np.uint8 if self.kind == "pairs" else np.float64)
        for row, r in zip(out, range(first, last), strict=True):
            generator = _generator(self.seed, k + 1, r)
            row[:] = self._counts(generator, k, r) if self.kind == "pairs" else generator.standard_exponential(size)
        return out

    def replicate(self, i: int) -> FloatArray:
        """Multipliers of all units in replicate i, shape (N,)."""
        out = np.empty(self.n_units)
        for k in range(_n_blocks(self.n_units)):
            at = slice(k * _BLOCK, (k + 1) * _BLOCK)
            out[at if self.order is None else self.order[at]] = self.block(k, i, i + 1)[0]
        return out

    def _counts(self, generator: np.random.Generator, k: int, r: int) -> IntArray:
        """Counts of the units of a block in one replicate."""
        cut = self.segments
        within = slice(cut.of_block[k], cut.of_block[k + 1])
        sizes, split = cut.sizes[within], cut.split[within]
        totals = np.where(split < 0, sizes, cut.totals[r, split]) if cut.totals.size else sizes
        if len(sizes) == 1:
            return np.bincount(_uniform(generator, int(sizes[0]), int(totals[0])), minlength=int(sizes[0]))
        low = np.repeat(cut.starts[within] - k * _BLOCK, totals)
        drawn = (generator.random(len(low)) * np.repeat(sizes, totals)).astype(np.intp) + low
        return np.bincount(drawn, minlength=int(sizes.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class GivenWeights:
    """Replicate weights that are given: they stand in place of the weights of the rows, not beside them.

    Attributes
    ----------
    columns : ndarray, shape (n, R)
        Weights of each replicate.
    """

    columns: FloatArray
    order: ClassVar[None] = None
    itemsize: ClassVar[int] = 8

    @property
    def reps(self) -> int:
        """Number of replicates."""
        return int(self.columns.shape[1])

    @property
    def n_units(self) -> int:
        """Number of rows."""
        return int(self.columns.shape[0])

    def block(self, k: int, first: int, last: int) -> FloatArray:
        """Weights of the rows of block k in replicates first to last - 1, shape (last - first, b)."""
        return self.columns[k * _BLOCK : (k + 1) * _BLOCK, first:last].T

    def replicate(self, i: int) -> FloatArray:
        """Weights of all rows in replicate i, shape (n,)."""
        return self.columns[:, i]


Multipliers: TypeAlias = Resamples | GivenWeights
"""Multipliers of units, replicate by replicate, block by block."""


def draw_resamples(
    n_units: int,
    reps: int,
    *,
    kind: Literal["pairs", "bayesian"] = "pairs",
    strata: IntArray | CodeArray | None = None,
    rng: RngLike = None,
) -> Resamples:
    """Say which resamples of N units are meant; nothing but the totals of blocks is drawn yet.

    Parameters
    ----------
    n_units : int
        Number of units.
    reps : int
        Number of resamples.
    kind : {"pairs", "bayesian"}
        Multinomial counts (N draws with replacement), or independent exponential weights of mean one.
    strata : ndarray of int, shape (N,), optional
        Stratum, or sample, of each unit: each is drawn by itself, as many units as it has.
    rng : Generator, int or None
        Source of randomness.

    Raises
    ------
    OptionError, DataError

    Examples
    --------
    >>> draws = draw_resamples(5, 3, strata=np.array([0, 0, 1, 1, 1]), rng=1)
    >>> int(draws.replicate(2).sum()), int(draws.replicate(2)[:2].sum())
    (5, 2)
    """
    check_option("kind", kind, ("pairs", "bayesian"))
    check_count("n_units", n_units)
    check_count("reps", reps)
    if strata is not None and np.shape(strata) != (n_units,):
        raise DataError(f"strata of shape {np.shape(strata)} for {n_units:,} units: one for each unit.")
    seed = int(np.random.default_rng(rng).integers(2**63))
    stratum = np.zeros(n_units, dtype=np.intp) if strata is None else np.asarray(strata, dtype=np.intp)
    order = None
    if (np.diff(stratum) < 0).any():
        order = np.argsort(stratum, kind="stable")
        stratum = stratum[order]
    return Resamples(reps, n_units, kind, seed, order, _cut(stratum, reps if kind == "pairs" else 0, seed))


def replicate_moments(
    z: FloatArray,
    draws: Multipliers,
    *,
    units: IntArray | CodeArray | None = None,
    weights: FloatArray | None = None,
    cells: IntArray | CodeArray | None = None,
    workers: int = 1,
    progress: bool = False,
) -> FloatArray:
    """Cross-products of the columns under every replicate: sum over i of c_ri w_i z_i z_i'.

    Sums of products lose digits where columns lie far from zero, so they should be centred and scaled first.

    Parameters
    ----------
    z : ndarray, shape (n, p)
        Columns, for example [1, x, y].
    draws : Multipliers
        Resamples, or given weights (which take the place of `weights`).
    units : ndarray of int, shape (n,), optional
        Unit of each row; row i is unit i where absent. Products are summed within units first.
    weights : ndarray, shape (n,), optional
        Weights of the fit.
    cells : ndarray of int, shape (n,), optional
        Cell of each row, 0 to C - 1, whose products are wanted apart.
    workers : int
        Threads; the numbers do not depend on them.
    progress : bool
        Say on stderr how far it is.

    Returns
    -------
    ndarray, shape (R, p (p + 1) / 2), or (C, R, p (p + 1) / 2) with cells
        Upper triangles, row by row; see `unpack_moments`.

    Examples
    --------
    >>> z = np.column_stack([np.ones(4), [1.0, 2, 3, 4]])
    >>> given = GivenWeights(np.array([[1.0, 0], [1, 0], [1, 2], [1, 2]]))
    >>> replicate_moments(z, given)
    array([[ 4., 10., 30.],
           [ 4., 14., 50.]])
    """
    check_count("workers", workers)
    pieces = _arrange(draws, units, cells, len(z))
    n_cells = 1 if cells is None else int(cells.max()) + 1
    out = np.zeros((n_cells, draws.reps, z.shape[1] * (z.shape[1] + 1) // 2))

    def of_block(task: tuple[int, list[tuple[int, int, int]], int, int]) -> list[tuple[int, int, FloatArray]]:
        """Cell, first replicate and moments of each piece of a block under some replicates."""
        k, spans, first, last = task
        drawn = draws.block(k, first, last)
        return [(cell, first, _moments(z, weights, pieces, drawn, slice(start, stop))) for start, stop, cell in spans]

    tasks = [(k, spans, *replicates) for k, spans in pieces.by_block() for replicates in _spans(draws)]
    for block in track(map_in_order(of_block, tasks, workers), "blocks", progress, total=len(tasks)):
        for cell, first, moments in block:
            out[cell, first : first + len(moments)] += moments
    return out[0] if cells is None else out


def column_products(z: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Products of each pair of columns, weighted, shape (p (p + 1) / 2, n): upper triangles, as `unpack_moments` reads.

    >>> column_products(np.array([[2.0, 3.0]])).T
    array([[4., 6., 9.]])
    """
    columns = np.ascontiguousarray(z.T, dtype=np.float64)
    weighted = columns if weights is None else columns * weights
    p, n = columns.shape
    out = np.empty((p * (p + 1) // 2, n))
    at = 0
    for j in range(p):
        np.multiply(weighted[j], columns[j:], out=out[at : at + p - j])
        at += p - j
    return out


def unpack_moments(packed: FloatArray) -> FloatArray:
    """Turn upper triangles, shape (..., p (p + 1) / 2), into symmetric matrices, shape (..., p, p).

    >>> unpack_moments(np.array([4.0, 10, 30]))
    array([[ 4., 10.],
           [10., 30.]])
    """
    p = (int(np.sqrt(8 * packed.shape[-1] + 1)) - 1) // 2
    place = np.empty((p, p), dtype=np.intp)
    rows, columns = np.triu_indices(p)
    place[rows, columns] = place[columns, rows] = np.arange(len(rows))
    return np.asarray(packed[..., place])


def solve_replicates(xtx: FloatArray, xty: FloatArray, *, sample: str = "", columns: Sequence[str] = ()) -> FloatArray:
    """Solve the normal equations of every replicate.

    Parameters
    ----------
    xtx : ndarray, shape (R, k, k)
        X'WX of each replicate.
    xty : ndarray, shape (R, k) or (R, k, m)
        X'WY of each replicate.
    sample : str
        Whose equations they are, for the message.
    columns : sequence of str, length k
        Names of the columns, for the message.

    Returns
    -------
    ndarray, of the shape of xty

    Raises
    ------
    CovarianceError
        When a column has nothing left, in some replicate, that those before it do not explain (a share below 1e-10 of
        its sum of squares).

    Examples
    --------
    >>> solve_replicates(np.array([[[4.0, 10], [10, 30]]]), np.array([[14.0, 40]]))
    array([[1., 1.]])
    """
    whose = f" of {sample}" if sample else ""
    if not (np.isfinite(xtx).all() and np.isfinite(xty).all()):
        raise DataError(f"cross-products{whose} are not finite: the columns have missing or infinite values.")
    # b = D (D X'WX D)^-1 D X'Wy with D = diag(X'WX)^(-1/2), so that every column has length one
    squares = np.einsum("rjj->rj", xtx)
    empty = squares <= 0
    if empty.any():
        raise _singular(empty, whose, columns)
    scale = np.sqrt(squares)
    scaled = xtx / (scale[:, :, None] * scale[:, None, :])
    pivots = _pivots(scaled)
    if (pivots < _PIVOT).any():
        raise _singular(pivots < _PIVOT, whose, columns)
    right = xty.reshape(*xty.shape[:2], -1) / scale[:, :, None]
    return np.asarray(np.linalg.solve(scaled, right) / scale[:, :, None]).reshape(xty.shape)


def map_in_order(function: Callable[[_T], _V], tasks: Iterable[_T], workers: int = 1) -> Iterator[_V]:
    """Apply a function to tasks on some threads, and yield what it returns in the order of the tasks.

    >>> list(map_in_order(abs, [-1, 2, -3], workers=2))
    [1, 2, 3]
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    waiting: deque[Future[_V]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@dataclass(frozen=True, slots=True, eq=False)
class _Pieces:
    """Rows sorted by block, cell and position, cut where block or cell changes."""

    order: IntArray | None
    place: IntArray
    starts: IntArray
    blocks: IntArray
    cells: IntArray

    def by_block(self) -> Iterator[tuple[int, list[tuple[int, int, int]]]]:
        """Yield each block that has rows, with (start, stop, cell) of its pieces."""
        spans = list(zip(self.starts[:-1].tolist(), self.starts[1:].tolist(), self.cells.tolist(), strict=True))
        edges = np.flatnonzero(np.diff(self.blocks, prepend=-1, append=-1)).tolist()
        for a, b in pairwise(edges):
            yield int(self.blocks[a]), spans[a:b]


def _moments(z: FloatArray, weights: FloatArray | None, pieces: _Pieces, drawn: AnyArray, piece: slice) -> FloatArray:
    """Cross-products of the rows of a piece under the replicates whose multipliers are drawn."""
    p = z.shape[1]
    out = np.zeros((len(drawn), p * (p + 1) // 2))
    for at in range(piece.start, piece.stop, _ROWS):
        span = slice(at, min(at + _ROWS, piece.stop))
        rows = span if pieces.order is None else pieces.order[span]
        products = column_products(z[rows], None if weights is None else weights[rows])
        place = pieces.place[span]
        new = np.flatnonzero(np.diff(place, prepend=-1))
        if len(new) < len(place):
            products, place = np.add.reduceat(products, new, axis=1), place[new]
        out += _columns(drawn, place).astype(np.float64) @ products.T
    return out


def _arrange(
    draws: Multipliers,
    units: IntArray | CodeArray | None,
    cells: IntArray | CodeArray | None,
    n: int,
) -> _Pieces:
    """Sort rows by block, cell and position."""
    position = _positions(draws, units, n)
    cell = np.zeros(n, dtype=np.intp) if cells is None else np.asarray(cells, dtype=np.intp)
    if len(cell) != n:
        raise DataError(f"{len(cell):,} cells for {n:,} rows.")
    if not n:
        raise DataError("no rows to resample.")
    n_cells = int(cell.max()) + 1
    piece = (position // _BLOCK) * n_cells + cell
    place = position % _BLOCK
    key = piece * _BLOCK + place
    order = None
    if (np.diff(key) < 0).any():
        order = np.argsort(key, kind="stable")
        piece, place = piece[order], place[order]
    edges = np.flatnonzero(np.diff(piece, prepend=-1))
    return _Pieces(order, place, np.append(edges, len(piece)), piece[edges] // n_cells, piece[edges] % n_cells)


def _positions(draws: Multipliers, units: IntArray | CodeArray | None, n: int) -> IntArray:
    """Position of the unit of each row."""
    if units is None and n != draws.n_units:
        raise DataError(f"{n:,} rows for {draws.n_units:,} resampled units: say which unit each row is.")
    unit = np.arange(n) if units is None else np.asarray(units, dtype=np.intp)
    if len(unit) != n:
        raise DataError(f"units of {len(unit):,} rows for {n:,} rows.")
    if n and (unit.min() < 0 or unit.max() >= draws.n_units):
        raise DataError(f"units {unit.min()} to {unit.max()} are not all among the {draws.n_units:,} resampled.")
    return unit if draws.order is None else np.argsort(draws.order)[unit]


def _columns(drawn: AnyArray, place: IntArray) -> AnyArray:
    """Multipliers at some sorted places, without a copy where they are neighbours."""
    if place[-1] - place[0] == len(place) - 1 and (np.diff(place) == 1).all():
        return drawn[:, place[0] : place[-1] + 1]
    return drawn.take(place, axis=1)


def _spans(draws: Multipliers) -> Iterator[tuple[int, int]]:
    """Replicates whose multipliers of a block are held together."""
    step = max(_AT_ONCE // (draws.itemsize * min(_BLOCK, draws.n_units)), 1)
    for first in range(0, draws.reps, step):
        yield first, min(first + step, draws.reps)


def _cut(stratum: AnyArray, reps: int, seed: int) -> _Segments:
    """Cut sorted strata at the edges of blocks, and draw the totals of the parts."""
    n = len(stratum)
    strata = np.concatenate([[0], np.flatnonzero(np.diff(stratum)) + 1])
    starts = np.union1d(strata, np.arange(0, n, _BLOCK))
    sizes = np.diff(starts, append=n)
    owner = np.searchsorted(strata, starts, side="right") - 1
    parts = np.bincount(owner)
    is_split = parts[owner] > 1
    split = np.where(is_split, np.cumsum(is_split) - 1, -1)
    of_block = np.searchsorted(starts, np.arange(_n_blocks(n) + 1) * _BLOCK)
    groups = np.split(sizes[is_split], np.cumsum(parts[parts > 1])[:-1])
    totals = np.empty((reps, int(is_split.sum())), dtype=np.int32)
    for r in range(reps if is_split.any() else 0):
        generator = _generator(seed, 0, r)
        totals[r] = np.concatenate([generator.multinomial(size.sum(), size / size.sum()) for size in groups])
    return _Segments(starts, sizes, of_block, split, totals)


def _generator(seed: int, block: int, replicate: int) -> np.random.Generator:
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(seed, spawn_key=(block, replicate))))


def _uniform(generator: np.random.Generator, size: int, number: int) -> AnyArray:
    """Draw numbers from 0 to size - 1; a power of two needs no more than bits."""
    if size & (size - 1):
        return (generator.random(number) * size).astype(np.intp)
    bits = generator.bit_generator.random_raw(number // 4 + 1).astype("<u8", copy=False).view("<u2")
    return bits[:number] & np.uint16(size - 1)


def _n_blocks(n_units: int) -> int:
    return -(-n_units // _BLOCK)


def _pivots(scaled: FloatArray) -> FloatArray:
    """Share of each column, scaled to one, that those before it leave unexplained, shape (R, k)."""
    try:
        return np.asarray(np.square(np.einsum("rjj->rj", np.linalg.cholesky(scaled))))
    except np.linalg.LinAlgError:
        out = np.ones(scaled.shape[:2])
        for r, matrix in enumerate(scaled):
            factor, broken = lapack.dpotrf(matrix, lower=1)
            out[r] = np.square(np.diag(factor))
            if broken:
                out[r, broken - 1 :] = 0.0
        return out


def _singular(weak: BoolArray, whose: str, columns: Sequence[str]) -> CovarianceError:
    """Name the first replicate, and its first column, of those marked, shape (R, k)."""
    failed = weak.any(axis=1)
    r = int(np.argmax(failed))
    j = int(np.argmax(weak[r]))
    return CovarianceError(
        f"replicate {r + 1} of {len(weak)}{whose} cannot be fitted (as {int(failed.sum())} in all): column "
        f"{repr(columns[j]) if columns else f'number {j + 1}'} has no rows of weight there, or those before it make "
        "it. Pool cells, drop the column, or use Bootstrap(kind='bayesian'), which leaves no row out."
    )
