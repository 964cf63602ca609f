"""Values of some countries at several times as lines, named where they end: a slope graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from wagegap._display.axes import HAIR, INK, OTHERS, PALETTE, WATCHED, Axes, apply_style, literal, new_axes, styled
from wagegap._display.facts import Marks, note_marks, note_words
from wagegap._display.labels import name_ends
from wagegap._typing import FloatArray
from wagegap.errors import DataError

__all__ = ["slopes"]

_NAME, _FRAME = 0.17, 1.2


def slopes(
    ax: Axes | None, times: Sequence[str], lines: Mapping[str, FloatArray], *, watch: Sequence[str] = ()
) -> Axes:
    """Draw a line for each name through its values at some times.

    Parameters
    ----------
    ax : Axes or None
        Where to draw; new axes that hold all names where None.
    times : sequence of str, length k
        Names of the times, in order.
    lines : mapping of str to ndarray of shape (k,)
        Values; NaN where there is none, and the line is drawn over the gap.
    watch : sequence of str
        Names that stand out.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        Without two times, or a line with two values.

    Examples
    --------
    >>> ax = slopes(None, ["2015", "2020"], {"Korea": np.array([0.1, 0.2]), "France": np.array([0.3, 0.2])})
    >>> [text.get_text() for text in ax.texts]
    ['Korea', 'France']
    """
    drawn = {name: values for name, values in lines.items() if np.isfinite(values).sum() > 1}
    if len(times) < 2 or not drawn:
        raise DataError(f"a slope graph needs two times, and a name with values at two: there are {len(times)} times.")
    ax = apply_style(new_axes(6.3, _FRAME + _NAME * max(len(drawn), 16)) if ax is None else ax)
    ends, colors = [], []
    for name, values in drawn.items():
        at = np.flatnonzero(np.isfinite(values))
        color = WATCHED if name in watch else OTHERS if watch else PALETTE[0]
        ax.plot(
            at, values[at], "o-", color=color, linewidth=2.0 if name in watch else 1.1, markersize=3.5,
            zorder=4 if name in watch else 3,
        )  # fmt: skip
        ends.append((float(at[-1]), float(values[at[-1]])))
        colors.append(WATCHED if name in watch else INK)
    _frame(ax, times)
    name_ends(ax, list(drawn), [x for x, _ in ends], [y for _, y in ends], colors)
    for text in ax.texts:
        text.set_fontweight("bold" if text.get_text() in map(literal, watch) else "normal")
    watched = [i for i, name in enumerate(drawn) if name in watch]
    note_marks(ax, Marks("slope", list(drawn), {"y": np.array([y for _, y in ends])}, watched=watched))
    note_words(ax, f"Values named are those of {times[-1]}", "Errors are not drawn")
    alone = len(lines) - len(drawn)
    note_words(ax, f"{alone} with a value at one time alone {'is' if alone == 1 else 'are'} left out" if alone else "")
    return ax


def _frame(ax: Axes, times: Sequence[str]) -> None:
    with styled():
        ax.set_xticks(range(len(times)), [literal(time) for time in times])
    ax.set_xlim(-0.08 * (len(times) - 1), 1.02 * (len(times) - 1))
    ax.grid(axis="x", color=HAIR, linewidth=0.8)
