"""Bars with intervals: parts of a whole, whose signs and sizes are to be compared.

Bars start at zero and positive and negative ones differ in colour; the interval is a thin line over the bar, and the
share that each part is of the whole is written beside it. Equal labels share a row, in which groups stand side by side
with a legend.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wagegap._display.axes import FAINT, INK, SMALL, apply_style, color_of, name_rows, new_axes, put_legend
from wagegap._display.marks import factorize, grouped
from wagegap._display.numbers import format_number, spaced, typographic
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["bars"]

_ROW, _LOW_ROW, _MANY, _FRAME = 0.34, 0.24, 12, 0.8
_OPAQUE = 0.82


def bars(
    ax: Axes | None,
    labels: Sequence[object],
    estimate: Sequence[float] | AnyArray,
    low: Sequence[float] | AnyArray,
    high: Sequence[float] | AnyArray,
    *,
    shares: Sequence[float] | AnyArray | None = None,
    groups: Sequence[object] | None = None,
    whole: object = None,
) -> Any:
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
        Colour of each bar, with a legend; by itself by sign.
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
    if ax is None:
        row = _ROW if len(names) <= _MANY else _LOW_ROW
        ax = new_axes(6.3, _FRAME + row * len(names) * max(1.0, 0.6 * many))
    thick = 0.72 / many
    y = place + (group - (many - 1) / 2) * thick
    signs = [FAINT if label == whole else color_of(int(value < 0)) for label, value in zip(labels, values, strict=True)]
    colors = signs if groups is None else [color_of(k) for k in group]
    ax.barh(y, values, height=0.86 * thick, color=colors, alpha=_OPAQUE, linewidth=0, zorder=2)
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    known = np.isfinite(lower) & np.isfinite(upper)
    ax.hlines(y[known], lower[known], upper[known], color=INK, linewidth=1.0, zorder=3)
    name_rows(apply_style(ax), names)
    if shares is not None:
        _write_shares(ax, y, np.where(known, upper, values), values, np.asarray(shares, dtype=float))
    handles = [Patch(color=color_of(k), alpha=_OPAQUE) for k in range(len(group_names))]
    return put_legend(ax, handles, [spaced(name) for name in group_names])


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
