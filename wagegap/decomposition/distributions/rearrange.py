"""From conditional to marginal distributions: averages over rows, rearranged, and inverted.

A conditional distribution averaged over the regressors of a group is the distribution of the outcome that the group
would have. Estimated pieces need not be monotone: estimated conditional quantiles may cross, an estimated distribution
may fall. Sorting them, the rearrangement of Chernozhukov, Fernandez-Val and Galichon (2010), gives a proper
distribution that is nearer to the truth. For quantiles the average of indicators over rows and probabilities sorts by
itself; for a distribution on a grid of thresholds the values are sorted.

References
----------
Chernozhukov, V., I. Fernandez-Val and A. Galichon (2010). Quantile and probability curves without crossing.
Econometrica 78, 1093-1125.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wagegap._typing import CodeArray, FloatArray
from wagegap.errors import DataError
from wagegap.estimation.least_squares.moments import row_blocks

__all__ = ["Convention", "Levels", "invert_distribution", "pooled_quantiles", "values_at"]

Convention: TypeAlias = Literal["cfm", "r"]

_BINS = 8192
_FEW = 20_000  # values that are sorted at once
_AT_ONCE = 1 << 21  # values held together
_SLACK = 1e-11  # of the total weight: rounding of sums of weights


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """Conditional quantiles of many rows at many probabilities, computed when asked for.

    Attributes
    ----------
    number : int
        Probabilities, m.
    take : callable
        From a slice of the probabilities to their quantiles, shape (b, n).
    """

    number: int
    take: Callable[[slice], FloatArray]

    def blocks(self, n: int) -> Callable[[], Iterable[FloatArray]]:
        """Return a function that gives quantiles of n rows, some probabilities at a time; kept where they are few."""
        size = max(_AT_ONCE // n, 1)
        if size < self.number:
            return lambda: map(self.take, row_blocks(self.number, size))
        kept = [self.take(slice(0, self.number))]
        return lambda: kept


def _as_levels(values: FloatArray | Levels) -> Levels:
    return values if isinstance(values, Levels) else Levels(len(values), lambda some: values[some])


def values_at(values: FloatArray | Levels, weights: FloatArray, targets: FloatArray) -> FloatArray:
    """Return the smallest value at which the weight of values up to it reaches each target.

    Parameters
    ----------
    values : ndarray, shape (m, n), or Levels
        Values, of which each column has one weight.
    weights : ndarray, shape (n,)
        Weight of each value of a column.
    targets : ndarray, shape (q,)
        Weights to be reached, of m times the sum of the weights in all.

    Notes
    -----
    Values are counted into bins, and only the bins that hold a target are sorted: the same numbers as by sorting all.

    Examples
    --------
    >>> values_at(np.array([[1.0, 5.0], [3.0, 2.0]]), np.array([1.0, 1.0]), np.array([2.0, 3.5]))
    array([2., 5.])
    """
    levels = _as_levels(values)
    blocks, total = levels.blocks(len(weights)), levels.number * float(weights.sum())
    goals = np.minimum(targets, total) - _SLACK * total
    ends = np.array([(block.min(), block.max()) for block in blocks()])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    if not np.isfinite(low + high):
        raise DataError("fitted values are not finite: rescale regressors of very different size.")
    if levels.number * len(weights) <= _FEW or high <= low:
        return _sorted_at(np.concatenate([*blocks()]).ravel(), np.tile(weights, levels.number), goals)
    return _binned_at(blocks, weights, goals, low, high)


def _binned_at(
    blocks: Callable[[], Iterable[FloatArray]], weights: FloatArray, goals: FloatArray, low: float, high: float
) -> FloatArray:
    """Count values into bins, then sort those of the bins that hold a goal."""
    counts = np.zeros(_BINS)
    for block in blocks():
        counts += np.bincount(_bins(block, low, high), np.tile(weights, len(block)), _BINS)
    reached = np.cumsum(counts)
    wanted = np.minimum(np.searchsorted(reached, goals), _BINS - 1)
    marked = np.bincount(wanted, minlength=_BINS) > 0
    parts = []
    for block in blocks():
        bins = _bins(block, low, high)
        some = np.flatnonzero(marked[bins])
        parts.append((bins[some], block.ravel()[some], weights[some % len(weights)]))
    bins, flat, mass = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.argsort(bins, kind="stable")
    out = np.empty(len(goals))
    for b in np.unique(wanted):
        inside = order[np.searchsorted(bins, b, sorter=order) : np.searchsorted(bins, b, side="right", sorter=order)]
        out[wanted == b] = _sorted_at(flat[inside], mass[inside], goals[wanted == b] - (reached[b - 1] if b else 0.0))
    return out


def _bins(block: FloatArray, low: float, high: float) -> CodeArray:
    """Bin of each value of a block, flat."""
    return np.minimum(((block.ravel() - low) * (_BINS / (high - low))).astype(np.int32), np.int32(_BINS - 1))


def _sorted_at(values: FloatArray, weights: FloatArray, goals: FloatArray) -> FloatArray:
    order = np.argsort(values, kind="stable")
    place = np.searchsorted(np.cumsum(weights[order]), goals)
    return np.asarray(values[order][np.minimum(place, len(order) - 1)])


def pooled_quantiles(
    values: FloatArray | Levels,
    weights: FloatArray,
    probs: FloatArray,
    *,
    trimmed: float = 0.0,
    convention: Convention = "cfm",
) -> FloatArray:
    """Return quantiles of the average over rows of conditional distributions given by their quantiles.

    Parameters
    ----------
    values : ndarray, shape (m, n), or Levels
        Conditional quantiles of each row at m evenly spaced probabilities.
    weights : ndarray, shape (n,)
        Weights of the rows.
    probs : ndarray, shape (q,)
        Probabilities.
    trimmed : float
        Probability left out at either end of the process: below the smallest and above the largest value lies this
        much.
    convention : {"cfm", "r"}
        The smallest value whose distribution reaches the probability; or R's Counterfactual: between the values at
        whole positions of 1 + (W - 1) p, where W is m times the sum of the weights.

    Examples
    --------
    >>> pooled_quantiles(np.array([[1.0, 2.0], [3.0, 4.0]]), np.ones(2), np.array([0.5, 0.51]))
    array([2., 3.])
    """
    total = _as_levels(values).number * float(weights.sum())
    if convention == "cfm":
        return values_at(values, weights, np.clip((probs - trimmed) / (1 - 2 * trimmed), 0.0, 1.0) * total)
    # Hmisc's wtd.quantile with weights as they are, whatever they sum to
    position = 1 + (total - 1) * probs
    low, share = np.maximum(np.floor(position), 1.0), position % 1
    first, second = np.split(values_at(values, weights, np.concatenate([low, np.minimum(low + 1, total)])), 2)
    return np.asarray((1 - share) * first + share * second)


def invert_distribution(
    thresholds: FloatArray,
    distribution: FloatArray,
    probs: FloatArray,
    *,
    between: bool = False,
    convention: Convention = "cfm",
) -> FloatArray:
    """Return quantiles of a distribution given at thresholds, rearranged.

    Parameters
    ----------
    thresholds : ndarray, shape (m,)
        Values of the outcome, increasing; at the last one the distribution is one.
    distribution : ndarray, shape (m - 1,) or (m,)
        Estimates at the thresholds (the last one may be left out), not necessarily monotone.
    probs : ndarray, shape (q,)
        Probabilities.
    between : bool
        Interpolate between thresholds, where these are only some of the values of the outcome.
    convention : {"cfm", "r"}
        The first threshold whose distribution reaches the probability; or, as in R's Counterfactual, exceeds it.

    Examples
    --------
    >>> invert_distribution(np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.6]), np.array([0.2, 0.4, 0.9]))
    array([1., 2., 4.])
    >>> invert_distribution(np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.6]), np.array([0.2, 0.4]), between=True)
    array([1. , 1.5])
    """
    rising = np.sort(distribution[: len(thresholds) - 1])
    if convention == "r":
        place = np.searchsorted(rising, probs, side="right")
        return np.asarray(thresholds[np.minimum(place, len(thresholds) - 1)])
    # F at all thresholds, Q(p) = t_j at the first j with F(t_j) >= p, or between t_(j-1) and t_j in proportion
    heights = np.append(np.clip(rising, 0.0, 1.0), 1.0)
    place = np.searchsorted(heights, probs - _SLACK)
    if not between:
        return np.asarray(thresholds[place])
    before = np.maximum(place - 1, 0)
    gap = heights[place] - heights[before]
    share = np.where(gap > 0, (probs - heights[before]) / np.where(gap > 0, gap, 1.0), 1.0)
    return np.asarray(thresholds[before] + np.clip(share, 0.0, 1.0) * (thresholds[place] - thresholds[before]))
