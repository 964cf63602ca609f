"""Absorbed effects: take group means out of columns, for any number of crossed groupings.

One grouping is exact in one pass. Several are swept in turn, forth and back, and the sweeps are accelerated by
conjugate gradients (Hernandez-Ramos, Escalante and Raydan 2011; the scheme that reghdfe made popular). The number of
effects that are really estimated is the rank of the dummies: exact for two groupings (levels less connected
components), an upper bound for more.

A row that is alone in a level of an effect is fitted by it without error, whatever the coefficients: such singletons
say nothing of them, but count as rows and as clusters. They are left out, again and again as others become singletons
(Correia 2015), unless they are asked for.

References
----------
Correia, S. (2015). Singletons, cluster-robust standard errors and fixed effects: a bad mix. Duke University.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import IdentificationError

__all__ = ["absorb", "absorb_regression", "effects_rank", "find_singletons", "is_nested", "recode"]


def absorb(
    columns: FloatArray,
    effects: Sequence[CodeArray],
    weights: FloatArray | None = None,
    *,
    tolerance: float = 1e-12,
    iterations: int = 20_000,
) -> FloatArray:
    """Return columns less their projection on the dummies of the effects.

    Parameters
    ----------
    columns : ndarray, shape (n, k)
        Outcome and regressors.
    effects : sequence of ndarray of int, each of shape (n,)
        Level of each row, 0 to m - 1, one array for each grouping.
    weights : ndarray, shape (n,), optional
        Positive weights.

    Returns
    -------
    ndarray, shape (n, k)

    Raises
    ------
    IdentificationError
        When the sweeps do not converge.

    Examples
    --------
    >>> import numpy as np
    >>> absorb(np.array([[1.0], [3.0], [10.0]]), [np.array([0, 0, 1])]).ravel()
    array([-1.,  1.,  0.])
    """
    w = np.ones(len(columns)) if weights is None else weights
    totals = [np.bincount(codes, weights=w).astype(float, copy=False) for codes in effects]
    if len(effects) == 1:
        return _sweep(columns, effects, totals, w)
    # forth and back, so that the sweep is symmetric
    path, sums = [*effects, *effects[-2::-1]], [*totals, *totals[-2::-1]]
    out = np.empty_like(columns)
    for j in range(columns.shape[1]):
        out[:, j] = _accelerated(columns[:, j], path, sums, w, tolerance, iterations)
    return out


def absorb_regression(
    y: FloatArray, x: FloatArray, effects: Sequence[CodeArray], weights: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """Outcome and regressors without the effects; regressors that these take up are zero."""
    within = absorb(np.column_stack([y, x]), effects, weights)
    swallowed = np.linalg.norm(within[:, 1:], axis=0) <= 1e-9 * np.linalg.norm(x, axis=0)
    return within[:, 0], np.where(swallowed, 0.0, within[:, 1:])


def is_nested(fine: CodeArray, coarse: CodeArray | IntArray) -> bool:
    """Whether every level of one grouping lies in one of another.

    >>> is_nested(np.array([0, 0, 1]), np.array([1, 1, 1])), is_nested(np.array([0, 0, 1]), np.array([0, 1, 1]))
    (True, False)
    """
    first = np.zeros(int(fine.max()) + 1, dtype=np.intp)
    first[fine] = coarse
    return bool(np.array_equal(first[fine], coarse))


def effects_rank(effects: Sequence[CodeArray]) -> int:
    """Number of estimated effects: exact for up to two groupings, an upper bound beyond."""
    if not effects:
        return 0
    sizes = [int(codes.max()) + 1 for codes in effects]
    rank, first = sizes[0], effects[0]
    for codes, size in zip(effects[1:], sizes[1:], strict=True):
        # rank of two groupings: levels less the components of the graph that rows make of them
        total = sizes[0] + size
        links = sparse.coo_array(
            (np.ones(len(first)), (first, codes.astype(np.int64) + sizes[0])), shape=(total, total)
        )
        rank += size - int(csgraph.connected_components(links, directed=False)[0])
    return rank


def find_singletons(effects: Sequence[CodeArray], observations: FloatArray) -> BoolArray:
    """Rows whose one observation is alone in a level, among those that are not so themselves.

    Parameters
    ----------
    effects : sequence of ndarray of int, each of shape (n,)
        Levels of the effects.
    observations : ndarray, shape (n,)
        Observations behind each row.

    >>> workers, years = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
    >>> find_singletons([workers, years], np.ones(4))  # without the first and last, those of year 1 are alone
    array([ True,  True,  True,  True])
    """
    alone = np.zeros(len(observations), dtype=bool)
    while True:
        before = int(alone.sum())
        for codes in effects:
            sizes = np.bincount(codes, weights=np.where(alone, 0.0, observations))
            alone |= sizes[codes] == 1
        if int(alone.sum()) == before:
            return alone


def _sweep(
    columns: FloatArray, effects: Sequence[CodeArray], totals: Sequence[FloatArray], w: FloatArray
) -> FloatArray:
    """One pass over all groupings."""
    # x_i - sum_(g) w x / sum_(g) w for every grouping in turn
    out = np.array(columns, dtype=float)
    for codes, total in zip(effects, totals, strict=True):
        for j in range(out.shape[1]):
            out[:, j] -= (np.bincount(codes, weights=w * out[:, j]) / total)[codes]
    return out


def _accelerated(
    column: FloatArray,
    effects: Sequence[CodeArray],
    totals: Sequence[FloatArray],
    w: FloatArray,
    tolerance: float,
    iterations: int,
) -> FloatArray:
    """Conjugate gradients on x - T(x), T the symmetric sweep."""

    def gap(x: FloatArray) -> FloatArray:
        return x - _sweep(x[:, None], effects, totals, w)[:, 0]

    x = np.array(column, dtype=float)
    size = np.sqrt(np.sum(w * x**2)) or 1.0
    residual = gap(x)
    direction = residual
    square = float(np.sum(w * residual**2))
    for _ in range(iterations):
        if np.sqrt(square) <= tolerance * size:
            return x
        step_gap = gap(direction)
        curvature = float(np.sum(w * direction * step_gap))
        if curvature <= 0:
            return x
        step = square / curvature
        x = x - step * direction
        residual = residual - step * step_gap
        new = float(np.sum(w * residual**2))
        direction = residual + new / square * direction
        square = new
    raise IdentificationError(
        f"absorbing {len(effects) // 2 + 1} effects did not converge in {iterations:,} sweeps; "
        "the groups hardly overlap: check that workers move between them, or absorb fewer."
    )


def recode(effects: Sequence[CodeArray], rows: IntArray | BoolArray | slice = slice(None)) -> tuple[CodeArray, ...]:
    """Levels of some rows, numbered anew without gaps.

    >>> [codes.tolist() for codes in recode([np.array([4, 2, 4, 0])], np.array([True, True, True, False]))]
    [[1, 0, 1]]
    """
    return tuple(np.unique(codes[rows], return_inverse=True)[1].ravel().astype(np.int32) for codes in effects)
