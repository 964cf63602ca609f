"""Parts of a whole as steps: each bar begins where the one before it ended, and the last is the whole.

The parts of a gap add up to it; a waterfall shows how. An interval is that of the part alone, drawn at the end of its
bar.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wagegap._display.axes import (
    FAINT,
    HAIR,
    INK,
    SMALL,
    Axes,
    Floats,
    apply_style,
    color_of,
    name_rows,
    new_axes,
    put_legend,
    styled,
)
from wagegap._display.facts import Marks, note_marks, note_words
from wagegap._display.numbers import typographic
from wagegap._display.sentences import Scale, say
from wagegap._typing import FloatArray
from wagegap.errors import DataError

__all__ = ["steps"]

_ROW, _FRAME, _THICK, _OPAQUE = 0.3, 1.0, 0.62, 0.82


def steps(
    ax: Axes | None, labels: Sequence[str], estimate: Floats, low: Floats, high: Floats, *, whole: str, scale: Scale
) -> Axes:
    """Draw parts as steps from zero to the whole, which is their sum.

    Parameters
    ----------
    ax : Axes or None
        Where to draw; new axes of a fitting height where None.
    labels : sequence of str, length n
        What each part is.
    estimate, low, high : array-like of shape (n + 1,)
        Parts and ends of their intervals, then the whole and its; NaN ends are unknown and not drawn.
    whole : str
        What the parts add up to.
    scale : Scale
        How the numbers beside the bars are written.

    Returns
    -------
    Axes
        The parts from the top, then the whole, dark.

    Raises
    ------
    DataError
        Where lengths differ, or the parts do not add up.

    Examples
    --------
    >>> ax = steps(None, ["explained", "unexplained"], [0.2, -0.05, 0.15], [0.1, -0.1, 0.1], [0.3, 0.0, 0.2],
    ...            whole="difference", scale=Scale(100.0, "log points"))
    >>> [text.get_text() for text in ax.texts]
    ['+20.0', '−5.0', '+15.0']
    """
    values, lower, upper = (np.asarray(column, dtype=float) for column in (estimate, low, high))
    n = len(labels)
    if not len(values) == len(lower) == len(upper) == n + 1:
        raise DataError(f"{n} parts need {n + 1} estimates and ends of intervals: theirs, and those of the whole.")
    if abs(values[:-1].sum() - values[-1]) > 1e-6 * np.abs(values).max(initial=0.0):
        raise DataError(f"the parts add up to {values[:-1].sum():.6g}, the whole is {values[-1]:.6g}.")
    ax = apply_style(new_axes(6.3, _FRAME + _ROW * (n + 1)) if ax is None else ax)
    ends = np.append(np.cumsum(values[:-1]), values[-1])
    starts = ends - values
    colors = [*(color_of(int(value < 0)) for value in values[:-1]), INK]
    ax.barh(range(n + 1), values, left=starts, height=_THICK, color=colors, alpha=_OPAQUE, linewidth=0, zorder=2)
    ax.vlines(ends[:-1], np.arange(n) + _THICK / 2, np.arange(1, n + 1) - _THICK / 2, color=FAINT, linewidth=0.8)
    known = np.isfinite(lower) & np.isfinite(upper)
    ax.hlines(
        np.flatnonzero(known), (starts + lower)[known], (starts + upper)[known], color=FAINT, linewidth=1.6, zorder=3
    )
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    ax.grid(axis="x", color=HAIR, linewidth=0.6)
    name_rows(ax, [*labels, whole], bold=[n])
    _write_values(ax, values, np.fmax(np.fmax(starts, ends), np.where(known, starts + upper, -np.inf)), scale)
    marks = Marks("step", [*labels, whole], {"x": values}, None, int(known.sum()))
    note_marks(ax, marks)
    note_words(ax, f"Each bar begins where the one above it ends; the last is the {whole}, their sum")
    return _legend(ax, values[:-1])


def _write_values(ax: Axes, values: FloatArray, ends: FloatArray, scale: Scale) -> None:
    """Write each part, with its sign, to the right of bar and interval."""
    fields = {f"value_{i}": scale.change(float(value)).bare_copy() for i, value in enumerate(values)}
    written = say("\t".join(f"{{{name}}}" for name in fields), **fields).split("\t")
    with styled():
        for row, (end, text) in enumerate(zip(ends, written, strict=True)):
            ax.annotate(
                typographic(text), (end, row), xytext=(4, 0), textcoords="offset points", va="center_baseline",
                fontsize=SMALL, color=INK,
            )  # fmt: skip
    left, right = ax.get_xlim()
    ax.set_xlim(left, right + 0.1 * (right - left))


def _legend(ax: Axes, parts: FloatArray) -> Axes:
    from matplotlib.patches import Patch

    entries = [(0, "adds to it", (parts >= 0).any()), (1, "takes from it", (parts < 0).any())]
    shown = [(Patch(color=color_of(k), alpha=_OPAQUE), name) for k, name, there in entries if there]
    return put_legend(ax, [patch for patch, _ in shown], [name for _, name in shown])
