"""Wild cluster bootstrap of one linear restriction on a least squares fit, enumerated where there are few clusters.

Residuals of a cluster are multiplied by one random number: Rademacher's two points, Webb's six, or Mammen's two. Under
the restricted version the residuals are those of the fit on which the restriction is imposed, so that the null holds in
every draw. The statistic is the cluster-robust t, whose small-sample factor cancels. Where all vectors of multipliers
are no more than the draws asked for, each is taken once, with its probability.

A draw needs sums by cluster alone. With A = (X'WX)^-1, a = A R', s_g = X_g'W_g e_g of the base residuals and
multipliers v, the drawn coefficients move by A sum_g v_g s_g, R of that is v'u with u_g = a's_g, and the influence of a
cluster on it is

    v_g u_g - a'X_g'W_g X_g A sum_h v_h s_h,

so that B draws of G clusters and k regressors cost B G k, whatever the number of rows. Absorbed effects that are not
nested in the clusters spread what a cluster draws over the others; then the second term is a matrix of G by G.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
Roodman, D., M. Nielsen, J. MacKinnon and M. Webb (2019). Fast and wild: bootstrap inference in Stata using boottest.
Stata Journal 19, 4-60.
Webb, M. (2023). Reworking wild bootstrap-based inference for clustered errors. Canadian Journal of Economics 56,
839-858.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy import sparse

from wagegap._typing import CodeArray, FloatArray, IntArray, RngLike
from wagegap.errors import IdentificationError, check_option
from wagegap.estimation.kernels.absorb import absorb
from wagegap.estimation.kernels.lstsq import LstsqFit, fit_lstsq

__all__ = ["MULTIPLIERS", "Multipliers", "WildDraws", "WildProblem", "draw_wild", "pose"]

Multipliers: TypeAlias = Literal["rademacher", "webb", "mammen"]

_ROOT5 = float(np.sqrt(5.0))
MULTIPLIERS: dict[str, tuple[FloatArray, FloatArray]] = {
    "rademacher": (np.array([-1.0, 1.0]), np.array([0.5, 0.5])),
    "webb": (np.array([-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5]), np.full(6, 1 / 6)),
    "mammen": (
        np.array([(1 - _ROOT5) / 2, (1 + _ROOT5) / 2]),
        np.array([(_ROOT5 + 1) / (2 * _ROOT5), (_ROOT5 - 1) / (2 * _ROOT5)]),
    ),
}
_TIE, _NOTHING, _BLOCK, _COLUMNS = 1e-9, 1e-13, 1 << 21, 16


@dataclass(frozen=True, slots=True, eq=False)
class WildProblem:
    """What draws need of a fit: sums by cluster.

    Attributes
    ----------
    fit : LstsqFit
        The unrestricted fit.
    estimate : float
        R b less its value under the null.
    own : ndarray, shape (G,)
        Influence of each cluster on R b in the unrestricted fit.
    u : ndarray, shape (G,)
        Influence of each cluster's base residuals.
    left, right : ndarray, shapes (G, m) and (m, G)
        Their product takes multipliers to what the refit takes off the influence of each cluster.
    """

    fit: LstsqFit
    estimate: float
    own: FloatArray
    u: FloatArray
    left: FloatArray
    right: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class WildDraws:
    """Distribution of the statistic.

    Attributes
    ----------
    statistic : float
        Cluster-robust t of the data, without a small-sample factor.
    drawn : ndarray, shape (B,)
        That of every draw, centred at its null.
    chance : ndarray, shape (B,), or None
        Probability of each draw where all were taken; None where they are random.
    multipliers : str
        Distribution of the multipliers.
    """

    statistic: float
    drawn: FloatArray
    chance: FloatArray | None
    multipliers: str

    @property
    def enumerated(self) -> bool:
        """Whether these are all vectors of multipliers."""
        return self.chance is not None

    @property
    def smallest(self) -> float:
        """Smallest p-value that could come out, ties counted."""
        if self.chance is None:
            return 1 / (1 + len(self.drawn))
        return float(self.chance.min()) * (1 if self.multipliers == "mammen" else 2)

    def p_value(self, *, ties: bool = True) -> float:
        """Two-sided p-value.

        Draws as large as the statistic count, the data's own among them; random draws gain one for the data. Without
        `ties` only strictly larger ones count, and the p-value can be zero.
        """
        size, own = np.abs(self.drawn), abs(self.statistic)
        beyond = size >= own * (1 - _TIE) if ties else size > own * (1 + _TIE)
        if self.chance is not None:
            return float(self.chance[beyond].sum())
        return (1 + float(beyond.sum())) / (1 + len(size)) if ties else float(beyond.mean())


def pose(
    y: FloatArray,
    x: FloatArray,
    row: FloatArray,
    groups: CodeArray | IntArray,
    *,
    null: float = 0.0,
    restricted: bool = True,
    weights: FloatArray | None = None,
    effects: Sequence[CodeArray] = (),
) -> WildProblem:
    """Sum a least squares fit by clusters for a test of `row @ b = null`.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors.
    row : ndarray, shape (k,)
        The restriction.
    groups : ndarray of int, shape (n,)
        Clusters, 0 to G - 1.
    null : float
        Value under the null.
    restricted : bool
        Impose the null on the base residuals.
    weights : ndarray, shape (n,), optional
        Positive weights.
    effects : sequence of ndarray of int, each of shape (n,)
        Effects to absorb.

    Raises
    ------
    IdentificationError
        With a single cluster, or where the restriction is on something not identified.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.arange(6.0), np.ones(6)])
    >>> problem = pose(np.array([0.0, 1.2, 1.8, 3.1, 3.9, 5.0]), x, np.array([1.0, 0.0]), np.arange(6))
    >>> draws = draw_wild(problem)
    >>> len(draws.drawn), draws.enumerated, draws.p_value()
    (64, True, 0.03125)
    """
    n_groups = int(groups.max()) + 1
    if n_groups < 2:
        raise IdentificationError("a wild bootstrap needs two clusters at least.")
    if effects:
        both = absorb(np.column_stack([y, x]), effects, weights)
        swallowed = np.linalg.norm(both[:, 1:], axis=0) <= 1e-9 * np.linalg.norm(x, axis=0)
        y, x = both[:, 0], np.where(swallowed, 0.0, both[:, 1:])
    fit = fit_lstsq(y, x, weights)
    if np.any(row[~fit.kept] != 0) or row @ fit.bread @ row <= 0:
        raise IdentificationError("the hypothesis is on coefficients that the data do not identify.")
    b = np.where(fit.kept, fit.params, 0.0)
    a = fit.bread @ row
    gap = float(row @ b - null)
    w = np.ones(len(y)) if weights is None else weights
    direction = w * (x @ a)
    own = _sums(direction * fit.residuals, groups)
    base = fit.residuals + x @ (a * (gap / float(row @ a))) if restricted else fit.residuals
    u = _sums(direction * base, groups)
    if effects and not all(_is_nested(codes, groups) for codes in effects):
        return WildProblem(
            fit, gap, own, u, np.eye(n_groups), _spread(base, x, direction, groups, fit, weights, effects)
        )
    member = sparse.csr_array((np.ones(len(y)), (groups, np.arange(len(y)))), shape=(n_groups, len(y)))
    left = np.asarray(member @ (x * (w * base)[:, None])) @ fit.bread
    return WildProblem(fit, gap, own, u, left, np.asarray(member @ (x * direction[:, None])).T)


def draw_wild(
    problem: WildProblem, *, multipliers: Multipliers = "rademacher", reps: int = 9_999, rng: RngLike = 0
) -> WildDraws:
    """Draw the statistic: all vectors of multipliers where they are at most `reps`, else so many random ones."""
    check_option("multipliers", multipliers, tuple(MULTIPLIERS))
    drawn, chances = [], []
    for v, chance in _vectors(len(problem.u), multipliers, reps, rng):
        influence = v * problem.u - (v @ problem.left) @ problem.right
        drawn.append(_ratio(v @ problem.u, influence, float(np.abs(problem.u).sum())))
        chances.append(chance)
    own = float(_ratio(np.array([problem.estimate]), problem.own[None], float(np.abs(problem.own).sum()))[0])
    every = None if chances[0] is None else np.concatenate([c for c in chances if c is not None])
    return WildDraws(own, np.concatenate(drawn), every, multipliers)


def _ratio(move: FloatArray, influence: FloatArray, scale: float) -> FloatArray:
    """Return t; a draw without error has a t of infinity, or of zero where it does not move either."""
    error = np.sqrt(np.einsum("ij,ij->i", influence, influence))
    error = np.where(error <= _NOTHING * scale, 0.0, error)
    move = np.where(np.abs(move) <= _NOTHING * scale, 0.0, move)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = move / error
    return np.where(np.isnan(t), 0.0, t)


def _vectors(
    n_groups: int, multipliers: str, reps: int, rng: RngLike
) -> Iterator[tuple[FloatArray, FloatArray | None]]:
    """Blocks of vectors with their probabilities where they are all, else of random ones."""
    points, chance = MULTIPLIERS[multipliers]
    total = len(points) ** n_groups
    generator, edges = np.random.default_rng(rng), np.cumsum(chance)[:-1]
    count, block = min(total, reps), max(_BLOCK // n_groups, 1)
    for start in range(0, count, block):
        size = min(block, count - start)
        if total <= reps:
            places = len(points) ** np.arange(n_groups)[None, :]
            digits = np.arange(start, start + size)[:, None] // places % len(points)
            yield points[digits], np.prod(chance[digits], axis=1)
        else:
            yield points[np.searchsorted(edges, generator.random((size, n_groups)), side="right")], None


def _spread(
    base: FloatArray,
    x: FloatArray,
    direction: FloatArray,
    groups: CodeArray | IntArray,
    fit: LstsqFit,
    weights: FloatArray | None,
    effects: Sequence[CodeArray],
) -> FloatArray:
    """What each cluster's residuals take off the influence of every cluster, shape (G, G), effects absorbed anew."""
    n_groups = int(groups.max()) + 1
    w = np.ones(len(base)) if weights is None else weights
    out = np.empty((n_groups, n_groups))
    for start in range(0, n_groups, _COLUMNS):
        these = np.arange(start, min(start + _COLUMNS, n_groups))
        alone = np.where(groups[:, None] == these[None, :], base[:, None], 0.0)
        within = absorb(alone, effects, weights)
        removed = alone - within + x @ (fit.bread @ (x.T @ (w[:, None] * alone)))
        for j, h in enumerate(these):
            out[h] = _sums(direction * removed[:, j], groups)
    return out


def _sums(values: FloatArray, groups: CodeArray | IntArray) -> FloatArray:
    return np.bincount(groups, weights=values).astype(float, copy=False)


def _is_nested(fine: CodeArray, coarse: CodeArray | IntArray) -> bool:
    """Say whether every level of an effect lies in one cluster."""
    first = np.zeros(int(fine.max()) + 1, dtype=np.intp)
    first[fine] = coarse
    return bool(np.array_equal(first[fine], coarse))
