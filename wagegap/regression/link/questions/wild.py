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

import numpy as np

from wagegap._typing import AnyArray, FloatArray, RngLike
from wagegap.estimation.likelihood.wild import Multipliers, WildDraws, draw_wild, pose

__all__ = ["wild_test"]


def wild_test(  # noqa: PLR0913
    y: FloatArray,
    x: FloatArray,
    j: int,
    *,
    groups: AnyArray | None = None,
    null: float = 0.0,
    restricted: bool = True,
    weights: Multipliers = "rademacher",
    reps: int = 9_999,
    rng: RngLike = 0,
) -> WildDraws:
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
    >>> len(test.drawn), test.enumerated, test.smallest
    (64, True, 0.03125)
    """
    codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    problem = pose(y, x, np.eye(x.shape[1])[j], codes, null=null, restricted=restricted)
    return draw_wild(problem, multipliers=weights, reps=reps, rng=rng)
