"""Estimates with their intervals, one below the other: a forest plot.

An estimate whose error is unknown is drawn hollow and without an interval, never as if it were exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from wagegap._display.axes import FAINT, HAIR, color_of, name_rows
from wagegap._display.marks import Floats, checked_columns, draw_point, factorize, group_legend, grouped
from wagegap._typing import FloatArray, IntArray
from wagegap.errors import DataError, check_option, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["intervals"]


def intervals(
    ax: Axes,
    labels: Sequence[object],
    estimate: Floats,
    low: Floats,
    high: Floats,
    *,
    groups: Sequence[object] | None = None,
    reference_line: float | None = 0.0,
    sizes: Literal["precision", "equal"] = "precision",
) -> Axes:
    """Draw estimates with their intervals, one below the other: a forest plot.

    Parameters
    ----------
    ax : Axes
        Where to draw; about 0.2 inches of height for each label look well.
    labels : sequence of length n
        What each estimate is of; equal labels share a row, in which groups stand side by side.
    estimate, low, high : array-like of shape (n,)
        Estimates and ends of their intervals, in one unit; NaN ends are unknown and the estimate is drawn hollow.
    groups : sequence of length n, optional
        Colour and shape of each estimate, with a legend.
    reference_line : float, optional
        Where to draw a vertical line; None for none.
    sizes : {"precision", "equal"}
        Area of markers in proportion to the inverse of the squared width of the interval, within bounds, or all equal.

    Returns
    -------
    Axes
        The same axes.

    Raises
    ------
    DataError
        When lengths differ, an estimate is missing, or an interval does not hold its estimate.

    Examples
    --------
    >>> from wagegap._display.axes import new_axes
    >>> ax = intervals(new_axes(4, 2), ["USA", "KOR"], [0.25, 0.06], [0.19, float("nan")], [0.31, float("nan")])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['USA', 'KOR']
    """
    check_option("sizes", sizes, ("precision", "equal"))
    b, lower, upper = checked_columns(labels, estimate=estimate, low=low, high=high)
    _check_intervals(labels, b, lower, upper)
    group, group_names = grouped(groups, len(b))
    rows, names = factorize(labels)
    y = rows + _dodge(rows, group, len(group_names))
    known = np.isfinite(lower) & np.isfinite(upper)
    area = _areas(upper - lower, sizes) * (0.6 if len(names) < len(rows) else 1.0)
    if reference_line is not None:
        ax.axvline(reference_line, color=FAINT, linewidth=0.8, zorder=1)
    for i in range(len(b)):
        if known[i]:
            color = color_of(group[i])
            ax.plot([lower[i], upper[i]], [y[i]] * 2, color=color, linewidth=1.1, zorder=2, solid_capstyle="butt")
        draw_point(ax, b[i], y[i], group=group[i], hollow=not known[i], area=float(area[i]))
    name_rows(ax, names)
    ax.grid(axis="x", color=HAIR, linewidth=0.6)
    return group_legend(ax, group_names, hollow=not known.all())


def _dodge(rows: IntArray, group: IntArray, groups: int) -> FloatArray:
    """Shift estimates that share a row, so that groups stand beside each other."""
    if len(set(rows)) == len(rows):
        return np.zeros(len(rows))
    if groups > 1 and len(set(zip(rows, group, strict=True))) == len(rows):
        at, count = group, groups
    else:
        at = np.array([np.sum(rows[:i] == row) for i, row in enumerate(rows)])
        count = int(at.max()) + 1
    return np.asarray((at - (count - 1) / 2) * min(0.24, 0.7 / count))


def _areas(width: FloatArray, sizes: str) -> FloatArray:
    """Areas of markers in square points: 16 to 64 by precision relative to the most precise, 26 where unknown."""
    area = np.full(len(width), 26.0)
    sized = np.isfinite(width) & (width > 0)
    if sizes == "precision" and sized.any():
        # area = 16 + 48 (w_min / w)^2, w the width of the interval
        area[sized] = 16.0 + 48.0 * (width[sized].min() / width[sized]) ** 2
        area[width == 0] = 64.0
    return area


def _check_intervals(labels: Sequence[object], b: FloatArray, low: FloatArray, high: FloatArray) -> None:
    with np.errstate(invalid="ignore"):
        outside = (low > b) | (high < b)
    if outside.any():
        names = listing(str(labels[int(i)]) for i in np.flatnonzero(outside))
        raise DataError(f"{int(outside.sum())} of {len(b)} intervals do not hold their estimate: {names}.")
