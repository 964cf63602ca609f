"""Wild cluster bootstrap of one coefficient, enumerated where there are few clusters.

Residuals of a cluster are multiplied by one random number: Rademacher's two points, Webb's six, or Mammen's two. Under
the restricted version the residuals are those of the model with the coefficient set, so that the null holds in every
draw. The statistic is the cluster-robust t, whose factor cancels. Where all vectors of multipliers are fewer than the
draws asked for, each is taken once, with its probability; draws as large as the statistic, the statistic's own among
them, count.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
Webb, M. (2023). Reworking wild bootstrap-based inference for clustered errors. Canadian Journal of Economics 56,
839-858.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from wagegap._typing import AnyArray, FloatArray, RngLike
from wagegap.errors import IdentificationError, check_option

__all__ = ["WildTest", "wild_test"]

WildWeights = Literal["rademacher", "webb", "mammen"]

_ROOT5 = float(np.sqrt(5.0))
_POINTS: dict[str, tuple[FloatArray, FloatArray]] = {
    "rademacher": (np.array([-1.0, 1.0]), np.array([0.5, 0.5])),
    "webb": (np.array([-(1.5**0.5), -1.0, -(0.5**0.5), 0.5**0.5, 1.0, 1.5**0.5]), np.full(6, 1 / 6)),
    "mammen": (
        np.array([(1 - _ROOT5) / 2, (1 + _ROOT5) / 2]),
        np.array([(_ROOT5 + 1) / (2 * _ROOT5), (_ROOT5 - 1) / (2 * _ROOT5)]),
    ),
}
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class WildTest:
    """A wild cluster bootstrap test.

    Attributes
    ----------
    statistic : float
        Cluster-robust t, without a small-sample factor.
    p_value : float
        Two-sided, ties counted.
    draws : int
        Vectors of multipliers.
    clusters : int
        Clusters.
    enumerated : bool
        Whether these are all of them.
    smallest : float
        Smallest p-value that could come out.
    weights : str
        Distribution of the multipliers.
    """

    statistic: float
    p_value: float
    draws: int
    clusters: int
    enumerated: bool
    smallest: float
    weights: str

    def __str__(self) -> str:
        how = "all" if self.enumerated else "random"
        return f"wild bootstrap p = {self.p_value:.3f} ({how} {self.draws:,} {self.weights} draws)"


def wild_test(  # noqa: PLR0913
    y: FloatArray,
    x: FloatArray,
    j: int,
    *,
    groups: AnyArray | None = None,
    null: float = 0.0,
    restricted: bool = True,
    weights: WildWeights = "rademacher",
    reps: int = 9_999,
    rng: RngLike = 0,
) -> WildTest:
    """Test one coefficient of a least squares fit.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors.
    j : int
        Column tested.
    groups : ndarray, shape (n,), optional
        Clusters; each row is one where absent.
    null : float
        Value under the null.
    restricted : bool
        Impose the null on the residuals.
    weights : {"rademacher", "webb", "mammen"}
        Multipliers.
    reps : int
        Random draws, where there are more vectors than that.
    rng : Generator, int or None
        Source of random draws.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.arange(6.0), np.ones(6)])
    >>> test = wild_test(np.array([0.0, 1.2, 1.8, 3.1, 3.9, 5.0]), x, 0)
    >>> test.draws, test.enumerated, test.smallest
    (64, True, 0.03125)
    """
    check_option("weights", weights, tuple(_POINTS))
    codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1
    if n_groups < 2:
        raise IdentificationError("a wild bootstrap needs two clusters at least.")
    bread = np.asarray(np.linalg.inv(x.T @ x))
    row = bread[j] @ x.T
    member = (codes[:, None] == np.arange(n_groups)[None, :]).astype(float)
    fit, rest, centre = _base(y, x, j, null, restricted=restricted)
    multipliers, probability = _multipliers(n_groups, weights, reps, rng)
    every = fit[:, None] + rest[:, None] * (member @ multipliers.T)
    drawn = _statistics(every, x, bread, row, member, j, centre)
    own = float(_statistics(y[:, None], x, bread, row, member, j, null)[0])
    beyond = np.abs(drawn) >= abs(own) * (1 - _TIE)
    enumerated = probability is not None
    if probability is not None:
        p = float(probability[beyond].sum())
        smallest = 2 * float(probability.min()) if weights != "mammen" else float(probability.min())
    else:
        p, smallest = (1 + float(beyond.sum())) / (1 + reps), 1 / (1 + reps)
    return WildTest(own, p, len(multipliers), n_groups, enumerated, smallest, weights)


def _base(
    y: FloatArray, x: FloatArray, j: int, null: float, *, restricted: bool
) -> tuple[FloatArray, FloatArray, float]:
    """Fitted values, residuals, and the coefficient that draws are centred at."""
    if restricted:
        rest = np.delete(x, j, axis=1)
        b = np.linalg.lstsq(rest, y - null * x[:, j], rcond=None)[0]
        fit = rest @ b + null * x[:, j]
        return fit, y - fit, null
    b = np.linalg.lstsq(x, y, rcond=None)[0]
    return x @ b, y - x @ b, float(b[j])


def _statistics(
    y: FloatArray, x: FloatArray, bread: FloatArray, row: FloatArray, member: FloatArray, j: int, centre: float
) -> FloatArray:
    """Cluster-robust t of every column of outcomes."""
    b = bread @ (x.T @ y)
    influence = member.T @ (row[:, None] * (y - x @ b))
    error = np.sqrt(np.sum(influence**2, axis=0))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (b[j] - centre) / error
    # A draw whose error is zero has a t of infinity, or of zero where its coefficient is the centre too.
    return np.where(np.isnan(t), 0.0, t)


def _multipliers(n_groups: int, weights: str, reps: int, rng: RngLike) -> tuple[FloatArray, FloatArray | None]:
    """All vectors with their probabilities where they are few enough, else random ones."""
    points, chance = _POINTS[weights]
    total = len(points) ** n_groups
    if total <= reps:
        digits = np.arange(total)[:, None] // len(points) ** np.arange(n_groups)[None, :] % len(points)
        return points[digits], np.prod(chance[digits], axis=1)
    drawn = np.random.default_rng(rng).choice(len(points), size=(reps, n_groups), p=chance)
    return points[drawn], None
