"""Wild cluster bootstrap of one coefficient of a link, enumerated where there are few clusters.

The arithmetic is that of `estimation.likelihood.wild`; each country is a cluster where none are given.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
Webb, M. (2023). Reworking wild bootstrap-based inference for clustered errors. Canadian Journal of Economics 56,
839-858.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wagegap._typing import AnyArray, FloatArray, RngLike
from wagegap.errors import check_option
from wagegap.estimation.likelihood.wild import MULTIPLIERS, draw_wild, pose
from wagegap.estimation.likelihood.wild import Multipliers as WildWeights

__all__ = ["WildTest", "WildWeights", "wild_test"]


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
    check_option("weights", weights, tuple(MULTIPLIERS))
    codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    problem = pose(y, x, np.eye(x.shape[1])[j], codes, null=null, restricted=restricted)
    found = draw_wild(problem, multipliers=weights, reps=reps, rng=rng)
    return WildTest(
        found.statistic, found.p_value(), len(found.drawn), len(problem.own), found.enumerated, found.smallest, weights
    )
