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

Residuals under the null R b = r + d are those under R b = r less d X a / (R a): linear in d. So are the numerator of a
drawn t and the influence of every cluster, and the square of its denominator is quadratic. Five numbers for each draw
give the p-value of any null, and so the interval of values that are not rejected, without drawing again.

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

from wagegap._display.session import Shown
from wagegap._typing import CodeArray, FloatArray, IntArray, RngLike
from wagegap.errors import IdentificationError, check_option
from wagegap.estimation.least_squares.absorb import absorb, absorb_regression, is_nested
from wagegap.estimation.least_squares.lstsq import Collinear, LstsqFit, fit_lstsq

__all__ = ["MULTIPLIERS", "Multipliers", "WildBase", "WildDraws", "WildProblem", "draw_wild", "pose", "pose_sums"]

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
_TIE = 1e-9  # relative difference of two statistics that counts as none
_NOTHING = 1e-13  # size, relative to its parts, that rounding leaves of zero
_BLOCK, _COLUMNS = 1 << 21, 16  # multipliers drawn, and clusters refitted, together
_GRID, _HALVINGS, _DOUBLINGS = 64, 60, 20


@dataclass(frozen=True, slots=True, eq=False)
class WildBase:
    """What a draw makes of some residuals: multipliers v move R b by v @ u.

    Attributes
    ----------
    u : ndarray, shape (G,)
        Influence of each cluster's residuals.
    left, right : ndarray, shapes (G, m) and (m, G)
        Their product takes multipliers to what the refit takes off the influence of each cluster.
    """

    u: FloatArray
    left: FloatArray
    right: FloatArray

    def influence(self, v: FloatArray) -> FloatArray:
        """Influence of each cluster in each draw, shape (B, G)."""
        # v_g u_g - a'X_g'W_g X_g A sum_h v_h s_h
        return np.asarray(v * self.u - (v @ self.left) @ self.right)


@dataclass(frozen=True, slots=True, eq=False)
class WildProblem:
    """What draws need of a fit: sums by cluster.

    Attributes
    ----------
    rank : int
        Regressors estimated.
    estimate : float
        R b less its value under the null.
    own : ndarray, shape (G,)
        Influence of each cluster on R b in the unrestricted fit.
    base : WildBase
        Of the residuals that are multiplied.
    tilt : WildBase or None
        What a null that is higher by one adds to it; None where the null is not imposed.
    collinear : tuple of Collinear
        Columns left out, none of which has a part in the hypothesis.
    """

    rank: int
    estimate: float
    own: FloatArray
    base: WildBase
    tilt: WildBase | None
    collinear: tuple[Collinear, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class WildDraws(Shown):
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
    clusters : int
        Clusters.
    gap, error : float
        R b less its value under the null, and its standard error, without a small-sample factor.
    curve : ndarray, shape (5, B), or None
        Where the null is higher by d, a draw's t is (c0 + c1 d) / sqrt(c2 + c3 d + c4 d^2); None where no null is
        imposed.
    """

    statistic: float
    drawn: FloatArray
    chance: FloatArray | None
    multipliers: str
    clusters: int
    gap: float
    error: float
    curve: FloatArray | None = None

    @property
    def enumerated(self) -> bool:
        """Whether these are all vectors of multipliers."""
        return self.chance is not None

    @property
    def smallest(self) -> float:
        """Smallest p-value that could come out, ties counted.

        Where the null is imposed, vectors that multiply all clusters alike have the t of the data; where it is not, it
        is the step by which p-values differ.
        """
        if self.chance is None:
            return 1 / (1 + len(self.drawn))
        if self.curve is None:
            return float(self.chance.min()) * (1 if self.multipliers == "mammen" else 2)
        return float(np.sum(MULTIPLIERS[self.multipliers][1] ** self.clusters))

    def p_value(self, *, ties: bool = True) -> float:
        """Two-sided p-value.

        Draws as large as the statistic count, the data's own among them; random draws gain one for the data. Without
        `ties` only strictly larger ones count, and the p-value can be zero.
        """
        return self._share(np.abs(self.drawn), abs(self.statistic), ties)

    def p_value_at(self, shift: float, *, ties: bool = True) -> float:
        """P-value of a null that is higher by `shift`, from the same multipliers."""
        # |R b - r - d| / se, against |t*(d)|
        t = float(_quotient(np.array([self.gap - shift]), np.array([self.error]))[0])
        return self._share(np.abs(self._drawn_at(shift)), abs(t), ties)

    def interval(self, alpha: float = 0.05, *, ties: bool = True) -> tuple[float, float]:
        """Lowest and highest shift of the null whose p-value is not below `alpha`; infinite where all are."""
        if not 0 < self.error < np.inf:
            return self.gap, self.gap
        return self._end(-1.0, alpha, ties), self._end(1.0, alpha, ties)

    def _end(self, side: float, alpha: float, ties: bool) -> float:
        """Walk out until the p-value is below alpha, look back for the last value inside, and halve to the step."""

        def inside(distance: float) -> bool:
            return self.p_value_at(self.gap + side * distance, ties=ties) >= alpha * (1 - _TIE)

        far = 4 * self.error
        for _ in range(_DOUBLINGS):
            if not inside(far):
                break
            far *= 2
        else:
            return side * np.inf
        grid = np.linspace(0.0, far, _GRID)
        last = max((i for i in range(_GRID - 1) if inside(grid[i])), default=0)
        near, far = float(grid[last]), float(grid[last + 1])
        for _ in range(_HALVINGS):
            middle = (near + far) / 2
            near, far = (middle, far) if inside(middle) else (near, middle)
        return self.gap + side * near

    def _drawn_at(self, d: float) -> FloatArray:
        if self.curve is None:
            return self.drawn
        # t*(d) = (c0 + c1 d) / (c2 + c3 d + c4 d^2)^1/2, each sum zero where it is nothing beside its parts; both are
        # divided by s = max(1, |d|), so that no d is too large
        s = max(1.0, abs(d))
        c0, c1, c2, c3, c4 = self.curve
        d, c0, c2, c3 = d / s, c0 / s, c2 / s / s, c3 / s
        square, size = c2 + d * (c3 + d * c4), c2 + abs(d * c3) + d * d * c4
        move, moves = c0 + d * c1, np.abs(c0) + abs(d) * np.abs(c1)
        error = np.sqrt(np.where(square <= _NOTHING * size, 0.0, square))
        return _quotient(np.where(np.abs(move) <= _NOTHING * moves, 0.0, move), error)

    def _share(self, size: FloatArray, statistic: float, ties: bool) -> float:
        """Share of draws as large as the statistic, or larger."""
        # P(|t*| >= |t|) over all vectors; of B random ones, (1 + #{|t*| >= |t|}) / (1 + B)
        beyond = size >= statistic * (1 - _TIE) if ties else size > statistic * (1 + _TIE)
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
    _check_groups(n_groups)
    if effects:
        y, x = absorb_regression(y, x, effects, weights)
    fit = fit_lstsq(y, x, weights)
    if any(_decides(found, row) for found in fit.collinear) or row @ fit.bread @ row <= 0:
        raise IdentificationError("the hypothesis is on coefficients that the data do not identify.")
    b = np.where(fit.kept, fit.params, 0.0)
    # a = A R',   u_g = a'X_g'W_g e_g;   under the null e = y - X b + X a (R b - r) / (R a), which falls by X a / (R a)
    # for a null that is higher by one
    a = fit.bread @ row
    gap, reach = float(row @ b - null), float(row @ a)
    w = np.ones(len(y)) if weights is None else weights
    direction = w * (x @ a)
    own = _sums(direction * fit.residuals, groups)
    residuals = [fit.residuals + x @ (a * (gap / reach)), x @ (-a / reach)] if restricted else [fit.residuals]
    if effects and not all(is_nested(codes, groups) for codes in effects):
        bases = [_spread(base, x, direction, groups, fit, weights, effects) for base in residuals]
    else:
        member = sparse.csr_array((np.ones(len(y)), (groups, np.arange(len(y)))), shape=(n_groups, len(y)))
        turned = np.asarray(member @ (x * direction[:, None]))
        bases = [_nested(np.asarray(member @ (x * (w * base)[:, None])), turned, fit.bread, a) for base in residuals]
    return WildProblem(fit.rank, gap, own, bases[0], bases[1] if restricted else None, fit.collinear)


def _decides(found: Collinear, row: FloatArray) -> bool:
    """Whether R b depends on which column of a collinear combination is left out."""
    # x_c = sum_j a_j x_j leaves R b alone only where R_c = sum_j a_j R_j
    parts = np.array([row[found.column], *(-a * row[j] for j, a in found.made_of)])
    return bool(abs(parts.sum()) > 1e-8 * np.abs(parts).sum())


def pose_sums(xx: FloatArray, xy: FloatArray, row: FloatArray, *, null: float = 0.0) -> WildProblem:
    """Pose a test of `row @ b = null`, the null imposed, from the cross-products of each cluster.

    Parameters
    ----------
    xx, xy : ndarray, shapes (G, k, k) and (G, k)
        X_g'W_g X_g and X_g'W_g y_g; effects that are nested in clusters taken out before.
    row : ndarray, shape (k,)
        The restriction.
    null : float
        Value under the null.

    Raises
    ------
    IdentificationError
        With a single cluster, or collinear regressors.
    """
    _check_groups(len(xx))
    try:
        bread = np.linalg.inv(xx.sum(axis=0))
    except np.linalg.LinAlgError as error:
        raise IdentificationError("the regressors are collinear: leave one of them out.") from error
    # s_g = X_g'W_g (y_g - X_g b), and under the null s_g + X_g'W_g X_g a (R b - r) / (R a)
    b, a = bread @ xy.sum(axis=0), bread @ row
    gap, reach = float(row @ b - null), float(row @ a)
    scores, turned = xy - xx @ b, xx @ a
    base = _nested(scores + turned * (gap / reach), turned, bread, a)
    return WildProblem(len(row), gap, scores @ a, base, _nested(-turned / reach, turned, bread, a))


def _check_groups(n_groups: int) -> None:
    if n_groups < 2:
        raise IdentificationError("a wild bootstrap needs two clusters at least.")


def _nested(scores: FloatArray, turned: FloatArray, bread: FloatArray, a: FloatArray) -> WildBase:
    """Sums where what a cluster draws moves the others through the coefficients alone; `turned` is X_g'W_g X_g a."""
    return WildBase(scores @ a, scores @ bread, turned.T)


def draw_wild(
    problem: WildProblem, *, multipliers: Multipliers = "rademacher", reps: int = 9_999, rng: RngLike = 0
) -> WildDraws:
    """Draw the statistic: all vectors of multipliers where they are at most `reps`, else so many random ones."""
    check_option("multipliers", multipliers, tuple(MULTIPLIERS))
    drawn, chances, curves = [], [], []
    base, tilt, scale = problem.base, problem.tilt, float(np.abs(problem.base.u).sum())
    for v, chance in _vectors(len(base.u), multipliers, reps, rng):
        move, influence = v @ base.u, base.influence(v)
        drawn.append(_ratio(move, influence, scale))
        chances.append(chance)
        if tilt is not None:
            curves.append(_curve(move, influence, v @ tilt.u, tilt.influence(v)))
    statistic = _ratio(np.array([problem.estimate]), problem.own[None], float(np.abs(problem.own).sum()))
    chance = None if chances[0] is None else np.concatenate([c for c in chances if c is not None])
    return WildDraws(
        float(statistic[0]), np.concatenate(drawn), chance, multipliers, len(problem.own), problem.estimate,
        float(np.sqrt(np.sum(problem.own**2))), np.concatenate(curves, axis=1) if curves else None,
    )  # fmt: skip


def _curve(move: FloatArray, influence: FloatArray, turn: FloatArray, tilted: FloatArray) -> FloatArray:
    """Numerator, and square of the denominator, of each draw as polynomials of the null, shape (5, B)."""
    # With f and h the influences of the base and of its tilt: v'u + d v'u', and |f + d h|^2 = f'f + 2 d f'h + d^2 h'h
    pairs = ((influence, influence), (influence, tilted), (tilted, tilted))
    squares = [np.einsum("ij,ij->i", first, second) for first, second in pairs]
    return np.stack([move, turn, squares[0], 2 * squares[1], squares[2]])


def _ratio(move: FloatArray, influence: FloatArray, scale: float) -> FloatArray:
    """Return t; a draw without error has a t of infinity, or of zero where it does not move either."""
    # t = R(b* - b) / (sum_g f_g^2)^1/2
    error = np.sqrt(np.einsum("ij,ij->i", influence, influence))
    error = np.where(error <= _NOTHING * scale, 0.0, error)
    return _quotient(np.where(np.abs(move) <= _NOTHING * scale, 0.0, move), error)


def _quotient(move: FloatArray, error: FloatArray) -> FloatArray:
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
            # draw number i in base P, a digit for each cluster
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
) -> WildBase:
    """Sums where what a cluster draws moves the others through the effects too, which are absorbed anew."""
    n_groups = int(groups.max()) + 1
    w = np.ones(len(base)) if weights is None else weights
    # Row h: what the refit takes of cluster h's residuals e_h alone, (I - M_D) e_h + X A X'W e_h, M_D the residual
    # maker of the effects, summed by cluster with a'x w
    out = np.empty((n_groups, n_groups))
    for start in range(0, n_groups, _COLUMNS):
        these = np.arange(start, min(start + _COLUMNS, n_groups))
        alone = np.where(groups[:, None] == these[None, :], base[:, None], 0.0)
        removed = alone - absorb(alone, effects, weights) + x @ (fit.bread @ (x.T @ (w[:, None] * alone)))
        for j, h in enumerate(these):
            out[h] = _sums(direction * removed[:, j], groups)
    return WildBase(_sums(direction * base, groups), np.eye(n_groups), out)


def _sums(values: FloatArray, groups: CodeArray | IntArray) -> FloatArray:
    return np.bincount(groups, weights=values).astype(float, copy=False)
