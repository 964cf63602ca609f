"""Complete separation: rows that the regressors predict perfectly, so that no finite estimate exists.

In a Poisson regression a row with a zero outcome is separated if some combination z of the columns is zero wherever the
outcome is positive, nowhere positive where it is zero, and negative in that row: the likelihood then rises for ever
along z. The same holds of shares at zero and at one, with z not negative at one. Separated rows say nothing about the
other coefficients; without them the estimates of the rest exist.

Levels of absorbed effects whose rows are all at the boundary are separated. Beyond them only those combinations matter
that vanish on the interior rows, and there are few. Without effects they are the null space of the columns; with one
grouping the null space of the columns less their interior means by level; with two the components of the graph that
interior rows make of the levels. For more groupings random coefficients are projected on the null space of the interior
rows by conjugate gradients until they span it: once there are more of them than their rank nothing is missing, with
probability one. A linear programme in these few directions finds the separated rows exactly and in
seconds, where the programme in all columns would take hours, and the iterative rectifier any number of rounds.

References
----------
Correia, S., P. Guimaraes and T. Zylkin (2019). Verifying the existence of maximum likelihood estimates for generalized
linear models. arXiv 1903.01633.
Konis, K. (2007). Linear programming algorithms for detecting separated data in binary logistic regression models.
University of Oxford.
Santos Silva, J. and S. Tenreyro (2010). On the existence of the maximum likelihood estimates in Poisson regression.
Economics Letters 107, 310-312.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import linalg, optimize, sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import norm

from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import IdentificationError
from wagegap.estimation.least_squares.absorb import absorb, recode

__all__ = ["Separated", "find_separated"]

_ZERO = 1e-8  # size of a column on the interior rows, relative to its size on all, that counts as zero
_NOISE = 1e-7  # size of a direction on a row that counts as zero
_MOVES = 1e-9  # size of a random direction on a row below which none moves it; projections are exact to 1e-12
_CLEAR = 1e-5  # what a separating combination moves a row by, at least; the programme's tolerance is 1e-7
_FIRST, _TOGETHER = 4, 64  # random directions projected together, at first and after
_DENSE = 4_000_000  # numbers in a matrix that is taken as dense
_STEPS = 5_000


@dataclass(frozen=True, slots=True, eq=False)
class Separated:
    """Rows that are predicted perfectly.

    Attributes
    ----------
    rows : ndarray of bool, shape (n,)
        Separated rows.
    by_level : ndarray of bool, shape (n,)
        Those in a level of an effect whose rows are all at the boundary.
    """

    rows: BoolArray
    by_level: BoolArray


def find_separated(
    signs: IntArray,
    x: FloatArray,
    effects: Sequence[CodeArray] = (),
) -> Separated:
    """Find every separated row.

    Parameters
    ----------
    signs : ndarray of int, shape (n,)
        -1 where the outcome is at its lower bound, 1 at its upper bound, 0 between them (a positive count).
    x : ndarray, shape (n, k)
        Regressors, the constant among them where there are no effects.
    effects : sequence of ndarray of int, each of shape (n,)
        Levels of absorbed effects.

    Returns
    -------
    Separated

    Raises
    ------
    IdentificationError
        Where the projections do not converge, or the programme cannot be solved.

    Examples
    --------
    >>> import numpy as np
    >>> flow, common_language = np.array([3, 1, 0, 0]), np.array([0.0, 0, 0, 1])
    >>> x = np.column_stack([np.ones(4), common_language])
    >>> find_separated(-(flow == 0).astype(int), x).rows
    array([False, False, False,  True])
    """
    by_level = _boundary_levels(signs, effects)
    rows = by_level.copy()
    others = np.flatnonzero(~by_level)
    if signs[others].any():
        rows[others] = _beyond_levels(signs[others], x[others], recode(effects, others))
    return Separated(rows, by_level)


def _boundary_levels(signs: IntArray, effects: Sequence[CodeArray]) -> BoolArray:
    """Rows in levels whose rows are all at one boundary, until no such level is left."""
    separated = np.zeros(len(signs), dtype=bool)
    while True:
        before = int(separated.sum())
        for codes in effects:
            for bound in (-1, 1):
                elsewhere = np.bincount(codes, weights=(signs != bound) & ~separated)
                separated |= elsewhere[codes] == 0
        if int(separated.sum()) == before:
            return separated


def _beyond_levels(signs: IntArray, x: FloatArray, effects: Sequence[CodeArray]) -> BoolArray:
    """Separated rows where no level of the effects has all its rows at one boundary."""
    # z = x'b + effects separates where z = 0 on interior rows, z <= 0 at the lower bound and z >= 0 at the upper one.
    # With Z the values on boundary rows of all combinations that vanish inside, z = Zg; s the signs, -s Zg <= 0.
    boundary = signs != 0
    directions = _directions(x, effects, boundary)
    directions.data[np.abs(directions.data) <= _NOISE] = 0.0
    out = np.zeros(len(signs), dtype=bool)
    out[boundary] = _programmes(sparse.csr_array(sparse.diags_array(-signs[boundary].astype(float)) @ directions))
    return out


def _directions(x: FloatArray, effects: Sequence[CodeArray], boundary: BoolArray) -> sparse.csr_array:
    """Values on the boundary rows of combinations that vanish on the interior rows, and span all that do."""
    if not all(np.bincount(codes, weights=~boundary).min() > 0 for codes in effects):
        return _null_directions(x, effects, boundary)
    z = x @ _vanishing(x, effects, boundary)
    if not effects:
        return sparse.csr_array(z[boundary])
    if len(effects) == 1:
        # the effect of a level that makes z vanish inside is minus the mean of z there
        codes = effects[0]
        counts = np.bincount(codes, weights=~boundary)
        means = [np.bincount(codes, weights=np.where(boundary, 0.0, column)) / counts for column in z.T]
        return sparse.csr_array(z[boundary] - np.reshape(means, (z.shape[1], len(counts))).T[codes[boundary]])
    if len(effects) == 2 and z.shape[1] == 0:
        return _components(effects[0], effects[1], boundary)
    return _null_directions(z, effects, boundary)


def _vanishing(x: FloatArray, effects: Sequence[CodeArray], boundary: BoolArray) -> FloatArray:
    """Combinations of the regressors that the effects make up on the interior rows, shape (k, d)."""
    # The null space of M X inside, M the residual maker of the effects: right singular vectors of no size.
    scale = np.abs(x).max(axis=0, initial=0.0)
    scale = np.where(scale > 0, scale, 1.0)
    scaled = x / scale
    if boundary.all() or not x.shape[1]:
        return np.diag(1 / scale)
    within = absorb(scaled[~boundary], recode(effects, ~boundary)) if effects else scaled[~boundary]
    _, sizes, vectors = linalg.svd(within, full_matrices=within.shape[0] < x.shape[1])
    known = np.zeros(x.shape[1])
    known[: len(sizes)] = sizes
    null = known <= _ZERO * np.sqrt(len(within))
    return np.asarray(vectors[null].T / scale[:, None])


def _components(first: CodeArray, second: CodeArray, boundary: BoolArray) -> sparse.csr_array:
    """Boundary rows between components of the levels that interior rows connect: one component less the other."""
    # a_i + c_j = 0 along every interior row holds a = -c constant within a component: z of row (i, j) is the constant
    # of i's component less that of j's.
    size = int(first.max()) + 1
    total = size + int(second.max()) + 1
    inside = np.flatnonzero(~boundary)
    ones = np.ones(len(inside))
    links = sparse.coo_array((ones, (first[inside], second[inside].astype(np.int64) + size)), shape=(total, total))
    count, part = csgraph.connected_components(links, directed=False)
    here, there = part[first[boundary]], part[second[boundary] + size]
    rows = np.flatnonzero(here != there)
    data = np.repeat([1.0, -1.0], len(rows))
    places = np.concatenate([rows, rows]), np.concatenate([here[rows], there[rows]])
    return sparse.csr_array((data, places), shape=(len(here), count))


def _null_directions(x: FloatArray, effects: Sequence[CodeArray], boundary: BoolArray) -> sparse.csr_array:
    """The same for any columns and effects, by random projections on the null space of the interior rows."""
    scale = np.abs(x).max(axis=0, initial=0.0)
    columns = sparse.csr_array(x / np.where(scale > 0, scale, 1.0))
    design = sparse.csr_array(sparse.hstack([columns, *(_dummies(codes) for codes in effects)], format="csr"))
    inside, outside = design[~boundary], design[boundary]
    # D the dummies and columns, scaled: random coefficients on the null space of D'D inside give directions D b outside
    gram = sparse.csr_array(inside.T @ inside)
    size = np.sqrt(gram.diagonal())
    shrink = sparse.diags_array(1 / np.where(size > 0, size, 1.0))
    gram = sparse.csr_array(shrink @ gram @ shrink)
    rng = np.random.default_rng(0)

    def project(rows: sparse.csr_array, together: int) -> FloatArray:
        coefficients = _project_on_null_space(gram, rng.normal(size=(gram.shape[0], together)))
        return np.asarray(rows @ (shrink @ coefficients))

    directions = project(outside, _FIRST)
    moved = np.abs(directions).max(axis=1, initial=0.0) > _MOVES  # a row that no random direction moves, none does
    if not moved.any():
        return sparse.csr_array((len(moved), 0))
    directions, outside = directions[moved], sparse.csr_array(outside[moved])
    while True:
        basis, sizes, _ = linalg.svd(directions, full_matrices=False)
        rank = int((sizes > _NOISE * max(1.0, float(sizes.max(initial=0.0)))).sum())
        if rank < directions.shape[1]:
            out = np.zeros((len(moved), rank))
            out[moved] = basis[:, :rank]
            return sparse.csr_array(out)
        directions = np.hstack([directions, project(outside, _TOGETHER)])


def _project_on_null_space(gram: sparse.csr_array, start: FloatArray) -> FloatArray:
    """Project columns on the null space of a positive semidefinite matrix by conjugate gradients."""
    # Pb = b - G^- G b: conjugate gradients solve G s = G b for all columns at once, and b - s lies in the null space
    residual = gram @ start
    solution, direction = np.zeros_like(start), residual
    square = np.sum(residual**2, axis=0)
    enough = 1e-24 * square
    for _ in range(_STEPS):
        if (square <= enough).all():
            return start - solution
        image = gram @ direction
        step = square / np.maximum(np.sum(direction * image, axis=0), np.finfo(float).tiny)
        solution = solution + step * direction
        residual = residual - step * image
        new = np.sum(residual**2, axis=0)
        direction = residual + new / np.maximum(square, np.finfo(float).tiny) * direction
        square = new
    raise IdentificationError(
        f"the check for separated rows did not converge in {_STEPS:,} steps: the effects hardly overlap where the "
        "outcome is inside its bounds; absorb fewer of them."
    )


def _programmes(directions: sparse.csr_array) -> BoolArray:
    """Rows in which some combination of directions that is nowhere positive is negative.

    Rows found are taken out, since a multiple of what separates them lets others do as they like there, and the rest is
    looked at again until nothing is found.
    """
    out = np.zeros(directions.shape[0], dtype=bool)
    columns = _independent(directions)
    rows = np.flatnonzero(np.diff(columns.indptr) > 0)
    while rows.size:
        separated = _programme(_independent(sparse.csr_array(columns[rows])))
        if not separated.any():
            break
        out[rows[separated]] = True
        rows = rows[~separated]
    return out


def _independent(directions: sparse.csr_array) -> sparse.csr_array:
    """Scaled columns that span the directions: independent ones, unless they are too many to be dense."""
    n, width = directions.shape
    size = norm(directions, axis=0) if directions.nnz else np.zeros(width)
    used = np.flatnonzero(size > 0)
    scaled = sparse.csr_array(directions[:, used] @ sparse.diags_array(1 / size[used]))
    if not used.size or n * used.size > _DENSE:
        return scaled
    basis, sizes, _ = linalg.svd(scaled.toarray(), full_matrices=False)
    kept = basis[:, sizes > _NOISE * sizes[0]]
    kept = kept / np.abs(kept).max(axis=0)
    return sparse.csr_array(np.where(np.abs(kept) > _NOISE, kept, 0.0))


def _programme(directions: sparse.csr_array) -> BoolArray:
    """Minimise the sum of Zg over coefficients -1 <= g <= 1 with Zg <= 0, and return where Zg is negative."""
    # min 1'Zg  subject to  Zg <= 0,  -1 <= g <= 1
    n, width = directions.shape
    if not width:
        return np.zeros(n, dtype=bool)
    problem: dict[str, Any] = dict(
        c=np.asarray(directions.sum(axis=0)).ravel(), A_ub=directions, b_ub=np.zeros(n), bounds=[(-1.0, 1.0)] * width
    )
    for method in ("highs", "highs-ipm", "highs-ds"):
        solved = optimize.linprog(**problem, method=method, options={"presolve": method != "highs-ds"})
        if solved.status == 0:
            return np.asarray(directions @ np.asarray(solved.x) < -_CLEAR)
    raise IdentificationError(f"the check for separated rows was not solved: {solved.message}")


def _dummies(codes: CodeArray) -> sparse.csr_array:
    n = len(codes)
    return sparse.csr_array((np.ones(n), (np.arange(n), codes)), shape=(n, int(codes.max()) + 1))
