"""Estimates with their intervals, one below the other: a forest plot, or bars.

An estimate whose error is unknown is drawn hollow and without an interval, never as if it were exact. Bars are for
parts of a whole, whose signs and sizes are to be compared: they start at zero and positive and negative ones differ in
colour; the interval is a thin line over the bar, and the share that each part is of the whole is written beside it.
Equal labels share a row, in which groups stand side by side with a legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np

from wagegap._display.axes import (
    FAINT,
    HAIR,
    INK,
    SMALL,
    Axes,
    Floats,
    apply_style,
    checked_columns,
    color_of,
    draw_point,
    factorize,
    group_legend,
    grouped,
    name_rows,
    new_axes,
    put_legend,
    standing_out,
)
from wagegap._display.facts import Marks, note_marks
from wagegap._display.numbers import format_number, spaced, typographic
from wagegap._typing import FloatArray, IntArray
from wagegap.errors import DataError, check_option, listing, refuse_rows

__all__ = ["bars", "intervals"]

_ROW, _LOW_ROW, _MANY, _FRAME = 0.34, 0.24, 12, 0.8
_OPAQUE = 0.82


def intervals(
    ax: Axes,
    labels: Sequence[object],
    estimate: Floats,
    low: Floats,
    high: Floats,
    *,
    groups: Sequence[object] | None = None,
    sizes: Literal["precision", "equal"] = "precision",
    watch: Sequence[object] = (),
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
    sizes : {"precision", "equal"}
        Area of markers in proportion to the inverse of the squared width of the interval, within bounds, or all equal.
    watch : sequence, optional
        Labels of rows that stand out, in colour and bold; the others are grey.

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
    outside = (lower > b) | (upper < b)
    whose = listing(labels[int(i)] for i in np.flatnonzero(outside))
    refuse_rows(outside, DataError, "", f" intervals do not hold their estimate: {whose}.")
    group, group_names = grouped(groups, len(b))
    rows, names = factorize(labels)
    y = rows + _dodge(rows, group, len(group_names))
    known = np.isfinite(lower) & np.isfinite(upper)
    area = _areas(upper - lower, sizes) * (0.6 if len(names) < len(rows) else 1.0)
    watched = [i for i, label in enumerate(labels) if label in watch]
    colors = standing_out(group, watched, len(group_names) > 1)
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    for i in range(len(b)):
        if known[i]:
            ax.plot(
                [lower[i], upper[i]],
                [y[i]] * 2,
                color=colors[i],
                linewidth=1.1,
                zorder=2,
                solid_capstyle="butt",
            )
        draw_point(ax, b[i], y[i], group=group[i], hollow=not known[i], area=float(area[i]), color=colors[i])
    name_rows(ax, names, watched=[names.index(str(label)) for label in dict.fromkeys(watch) if str(label) in names])
    marks = Marks("row", list(map(str, labels)), {"x": b}, None, int(known.sum()), watched=watched, groups=group_names)
    note_marks(ax, replace(marks, hollow=int((~known).sum())))
    ax.grid(axis="x", color=HAIR, linewidth=0.6)
    return group_legend(ax, group_names, hollow=not known.all())


def _dodge(rows: IntArray, group: IntArray, groups: int) -> FloatArray:
    """Shift estimates that share a row, so that groups stand beside each other."""
    if len(set(rows)) == len(rows):
        return np.zeros(len(rows))
    at, count = group, groups
    if groups <= 1 or len(set(zip(rows, group, strict=True))) < len(rows):
        at = np.array([np.sum(rows[:i] == row) for i, row in enumerate(rows)], dtype=np.intp)
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


# bars ----------------------------------------------------------------------------------------------------------------


def bars(
    ax: Axes | None,
    labels: Sequence[object],
    estimate: Floats,
    low: Floats,
    high: Floats,
    *,
    shares: Floats | None = None,
    groups: Sequence[object] | None = None,
    whole: object = None,
) -> Axes:
    """Draw horizontal bars with intervals, in the order given.

    Parameters
    ----------
    ax : Axes or None
        Where to draw; new axes of a fitting height where None.
    labels : sequence of length n
        What each bar is of; equal labels share a row.
    estimate, low, high : array-like of shape (n,)
        Length of the bars and ends of their intervals; NaN ends are unknown and not drawn.
    shares : array-like of shape (n,), optional
        Share of the whole, written beside each bar in per cent.
    groups : sequence of length n, optional
        Colour of each bar, with a legend; by sign by default.
    whole : object, optional
        Label of the whole that the others are parts of, drawn dark.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        When lengths differ.

    Examples
    --------
    >>> ax = bars(None, ["explained", "unexplained"], [0.2, 0.03], [0.16, 0.0], [0.24, 0.06], shares=[0.87, 0.13])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['explained', 'unexplained']
    """
    from matplotlib.patches import Patch

    values, lower, upper = (np.asarray(column, dtype=float) for column in (estimate, low, high))
    n = len(labels)
    if not len(values) == len(lower) == len(upper) == n or (groups is not None and len(groups) != n):
        raise DataError(f"{n} labels need as many estimates, ends of intervals and groups.")
    place, names = factorize(labels)
    group, group_names = grouped(groups, n)
    many = max(len(group_names), 1)
    row = _ROW if len(names) <= _MANY else _LOW_ROW
    ax = new_axes(6.3, _FRAME + row * len(names) * max(1.0, 0.6 * many)) if ax is None else ax
    thick = 0.72 / many
    y = place + (group - (many - 1) / 2) * thick
    signs = [FAINT if label == whole else color_of(int(value < 0)) for label, value in zip(labels, values, strict=True)]
    colors = signs if groups is None else [color_of(k) for k in group]
    ax.barh(y, values, height=0.86 * thick, color=colors, alpha=_OPAQUE, linewidth=0, zorder=2)
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    known = np.isfinite(lower) & np.isfinite(upper)
    ax.hlines(y[known], lower[known], upper[known], color=INK, linewidth=1.0, zorder=3)
    name_rows(apply_style(ax), names)
    note_marks(ax, Marks("bar", list(map(str, labels)), {"x": values}, None, int(known.sum()), groups=group_names))
    if shares is not None:
        _write_shares(ax, y, np.where(known, upper, values), values, np.asarray(shares, dtype=float))
    return put_legend(
        ax,
        [Patch(color=color_of(k), alpha=_OPAQUE) for k in range(len(group_names))],
        [spaced(name) for name in group_names],
    )


def _write_shares(ax: Axes, y: FloatArray, ends: FloatArray, values: FloatArray, shares: FloatArray) -> None:
    """Write shares right of bar and interval."""
    for at, end, value, share in zip(y, ends, values, shares, strict=True):
        if np.isfinite(share):
            ax.annotate(
                f"{typographic(format_number(100 * share, decimals=0))} %", (max(end, value, 0.0), at), xytext=(4, 0),
                textcoords="offset points", va="center_baseline", fontsize=SMALL, color=INK,
            )  # fmt: skip
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + 0.08 * (right - left))
