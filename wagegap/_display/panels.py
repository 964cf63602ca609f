"""Several axes on one figure, alike, lines whose names stand at their ends, and text under axes.

A name at the end of its line needs no legend to be looked up in; names that would overlap are moved apart, as little as
possible, in the order of their lines.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from wagegap._display.axes import _STYLE, SMALL, _literal, apply_style, figure_of
from wagegap._typing import FloatArray
from wagegap.errors import OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["apart", "filled", "filled_lines", "name_ends", "new_panels"]

END_GID = "wagegap-end"
_LETTERS_PER_INCH = 17.0


def new_panels(n: int, *, across: int, width: float, height: float, share: bool = False) -> list[Axes]:
    """Make n axes on a figure of their own, in rows, without pyplot.

    Parameters
    ----------
    n : int
        Number of axes.
    across : int
        Most axes in a row.
    width, height : float
        Size of each in inches.
    share : bool
        Whether all have the same limits.

    Returns
    -------
    list of Axes
        Styled axes; their figure is `axes[0].figure`.

    Examples
    --------
    >>> panels = new_panels(3, across=2, width=3, height=2)
    >>> len(panels), [float(side) for side in panels[0].figure.get_size_inches()]
    (3, [6.0, 4.0])
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if n < 1 or across < 1 or not (width > 0 and height > 0):
        raise OptionError(f"{n} panels, {across} in a row, {width!r} by {height!r} inches: all must be positive.")
    columns = min(n, across)
    rows = math.ceil(n / columns)
    with rc_context(_STYLE):
        figure = Figure(
            figsize=(width * columns, height * rows), dpi=100, layout="constrained", facecolor="white"
        )  # fmt: skip
        FigureCanvasAgg(figure)
        axes: list[Axes] = []
        for i in range(n):
            first = axes[0] if share and axes else None
            axes.append(apply_style(figure.add_subplot(rows, columns, i + 1, sharex=first, sharey=first)))
    return axes


def filled(ax: Axes, text: str) -> str:
    """Break a text into lines that fit the part of the figure that axes have, at the size of small text.

    >>> from wagegap._display.axes import new_axes
    >>> print(filled(new_axes(2, 2), "one two three four five six seven eight nine ten"))
    one two three four five six
    seven eight nine ten
    """
    spec = ax.get_subplotspec()
    share = ax.get_position().width if spec is None else len(spec.colspan) / spec.get_gridspec().ncols
    return filled_lines(figure_of(ax), text, share * float(figure_of(ax).get_size_inches()[0]))


def filled_lines(figure: Figure, text: str, inches: float) -> str:
    """Break a text into lines that are no wider than so many inches, at the size of small text."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    for letters in range(max(int(_LETTERS_PER_INCH * inches), 16), 11, -2):
        broken = "\n".join(_literal(line) for line in textwrap.wrap(text, letters))
        with rc_context(_STYLE):
            drawn = figure.text(0.0, 0.0, broken, fontsize=SMALL)
        wide = float(Text.get_window_extent(drawn).width)
        drawn.remove()
        if wide <= inches * figure.dpi - 12:
            break
    return broken


def name_ends(ax: Axes, names: Sequence[str], x: Sequence[float], y: Sequence[float], colors: Sequence[str]) -> Axes:
    """Write names to the right of the last points of lines, moved apart where they would overlap.

    Parameters
    ----------
    ax : Axes
        With its limits.
    names : sequence of str, length n
        Names.
    x, y : sequence of float, length n
        Last points.
    colors : sequence of str, length n
        Colours of the lines.

    Returns
    -------
    Axes
        The same axes.
    """
    from matplotlib import rc_context
    from matplotlib.text import Text

    with rc_context(_STYLE):
        texts = [
            ax.annotate(
                _literal(name), (end, level), xytext=(7, 0),
                textcoords="offset points", ha="left", va="center", fontsize=SMALL, color=color, gid=END_GID,
                annotation_clip=False,
            )
            for name, end, level, color in zip(names, x, y, colors, strict=True)
        ]  # fmt: skip
    figure_of(ax).draw_without_rendering()
    pixels = figure_of(ax).dpi / 72
    heights = np.array([Text.get_window_extent(text).height for text in texts])
    levels = np.array([float(ax.transData.transform((0.0, level))[1]) for level in y])
    moved = apart(levels, heights + pixels)
    for text, level, new in zip(texts, levels, moved, strict=True):
        text.set_position((7, (new - level) / pixels))
    return ax


def apart(levels: FloatArray, heights: FloatArray) -> FloatArray:
    """Move levels so that boxes of these heights do not overlap, keeping their order and the mean of each cluster.

    >>> apart(np.array([0.0, 1.0, 50.0]), np.full(3, 10.0)).tolist()
    [-4.5, 5.5, 50.0]
    """
    order = np.argsort(levels, kind="stable")
    clusters: list[tuple[list[int], float]] = []
    for i in order:
        members, middle = [int(i)], float(levels[i])
        while clusters and _edge(clusters[-1], heights, 1) > _edge((members, middle), heights, -1) + 1e-9:
            members = [*clusters.pop()[0], *members]
            middle = float(np.mean([levels[k] - o for k, o in zip(members, _offsets(members, heights), strict=True)]))
        clusters.append((members, middle))
    moved = np.array(levels, dtype=float)
    for members, middle in clusters:
        moved[members] = middle + _offsets(members, heights)
    return moved


def _offsets(members: Sequence[int], heights: FloatArray) -> FloatArray:
    """Middles of stacked boxes from the middle of the stack."""
    own = heights[list(members)]
    middles = np.cumsum(own) - own / 2
    return np.asarray(middles - own.sum() / 2)


def _edge(cluster: tuple[list[int], float], heights: FloatArray, side: int) -> float:
    """Upper (1) or lower (-1) edge of a stack."""
    return cluster[1] + side * float(heights[cluster[0]].sum()) / 2
