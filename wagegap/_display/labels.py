"""Text on figures that does not overlap: labels of points, names at the ends of lines, numbers beside rows, captions.

Labels of points are placed greedily: the most crowded point first, each at the free place nearest to its point, with a
leader line where that is not beside it. A name at the end of its line needs no legend to be looked up in; names that
would overlap are moved apart, as little as possible, in the order of their lines.

References
----------
Christensen, J., Marks, J., and Shieber, S. (1995). An empirical study of algorithms for point-feature label placement.
ACM Transactions on Graphics 14(3), 203-232.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from wagegap._display.axes import FAINT, INK, SMALL, Axes, Figure, figure_of, literal, styled
from wagegap._typing import FloatArray

__all__ = [
    "apart",
    "filled",
    "label_points",
    "name_ends",
    "place_boxes",
    "place_labels",
    "put_caption",
    "text_sizes",
    "write_below",
    "write_beside",
]

END_GID, LABEL_GID = "wagegap-end", "wagegap-label"
_LEADER = "#4A4A4A"
_LETTERS_PER_INCH = 17.0


def text_sizes(texts: Sequence[Any]) -> FloatArray:
    """Widths and heights of texts in pixels, shape (n, 2), without the arrows of annotations."""
    from matplotlib.text import Text

    return np.array([Text.get_window_extent(text).size for text in texts])


# labels of points ----------------------------------------------------------------------------------------------------


def label_points(ax: Axes, x: FloatArray, y: FloatArray, labels: Sequence[object]) -> Axes:
    """Write labels beside points, where they overlap neither each other nor any point; empty ones are left out."""
    from matplotlib.patheffects import withStroke

    leader = {"arrowstyle": "-", "color": _LEADER, "linewidth": 0.6, "shrinkA": 0.5, "shrinkB": 2.5}
    halo = [withStroke(linewidth=1.6, foreground=(1.0, 1.0, 1.0, 0.75))]
    with styled():
        for at_x, at_y, label in zip(x, y, labels, strict=True):
            if str(label):
                ax.annotate(
                    literal(label), (at_x, at_y), xytext=(0, 0), textcoords="offset points", ha="center", va="center",
                    fontsize=SMALL - 1, color=INK, zorder=5, gid=LABEL_GID, arrowprops=leader, path_effects=halo,
                ).set_in_layout(False)  # fmt: skip
    return place_labels(ax)


def place_labels(ax: Axes) -> Axes:
    """Move the labels of points to places where they overlap neither each other nor any point.

    Call it again after changing the size or the limits of the axes; `save_figure` does.

    Parameters
    ----------
    ax : Axes
        Axes that `ellipses` drew on; other axes are left as they are.

    Returns
    -------
    Axes
        The same axes.
    """
    texts: list[Any] = [text for text in ax.texts if text.get_gid() == LABEL_GID]
    if not texts:
        return ax
    figure_of(ax).draw_without_rendering()
    points = np.round(np.asarray(ax.transData.transform(np.array([text.xy for text in texts])), dtype=float), 3)
    pixels = figure_of(ax).dpi / 72.0
    sizes = np.round(text_sizes(texts) + 2.0 * pixels, 3)
    centres = place_boxes(points, sizes, np.array(ax.get_window_extent().extents), clearance=3.2 * pixels)
    gaps = _gap_to_box(points, centres, sizes)
    for text, point, centre, gap in zip(texts, points, centres, gaps, strict=True):
        text.set_position(tuple(np.round((centre - point) / pixels, 3)))
        if text.arrow_patch is not None:
            text.arrow_patch.set_visible(bool(gap > 6.0 * pixels))
    return ax


def place_boxes(points: FloatArray, sizes: FloatArray, bounds: FloatArray, *, clearance: float) -> FloatArray:
    """Find places for boxes near points where they overlap neither each other nor a point.

    Places are tried on rings around each point, the point with most neighbours first; of the free places the cheapest
    is taken: near its point, away from other points, its leader crossing no other.

    Parameters
    ----------
    points : ndarray of shape (n, 2)
        Points in pixels.
    sizes : ndarray of shape (n, 2)
        Width and height of each box in pixels.
    bounds : ndarray of shape (4,)
        Left, lower, right and upper edge of the room in pixels; a box leaves it only if there is no free place in it.
    clearance : float
        Half the side of the square around each point that boxes keep free, in pixels.

    Returns
    -------
    ndarray of shape (n, 2)
        Centres of the boxes.

    Examples
    --------
    >>> points = np.array([[50.0, 50.0], [52.0, 50.0]])
    >>> centres = place_boxes(points, np.full((2, 2), 10.0), np.array([0.0, 0.0, 100.0, 100.0]), clearance=3.0)
    >>> bool((np.abs(centres[0] - centres[1]) >= 10).any())
    True
    """
    centres = np.array(points, dtype=float)
    squares = np.hstack([points - clearance, points + clearance])
    reach = 3.0 * float(sizes.mean()) if len(points) else 0.0
    crowd = (np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) < reach).sum(axis=1)
    placed: list[int] = []
    for i in np.argsort(-crowd, kind="stable"):
        places = _places(points[i], sizes[i], bounds, clearance)
        boxes = np.hstack([places - sizes[i] / 2, places + sizes[i] / 2])
        taken = np.hstack([centres[placed] - sizes[placed] / 2, centres[placed] + sizes[placed] / 2])
        overlap = _overlap(boxes, taken).sum(axis=1) + _overlap(boxes, squares).sum(axis=1)
        outside = ((boxes[:, :2] < bounds[:2]) | (boxes[:, 2:] > bounds[2:])).any(axis=1)
        cost = _cost(places, points, i, sizes[i], clearance)
        cost += 3.0 * sizes[i].mean() * _crossings(points[i], places, points[placed], centres[placed])
        centres[i] = places[np.lexsort((cost, outside, overlap))[0]]
        placed.append(int(i))
    return centres


def _places(point: FloatArray, size: FloatArray, bounds: FloatArray, clearance: float) -> FloatArray:
    """Candidate centres: 24 directions on rings that begin beside the point and reach across the room."""
    angle = np.arange(24) * (2 * np.pi / 24)
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    across = float(max(bounds[2] - bounds[0], bounds[3] - bounds[1], *size))
    gaps = clearance + np.concatenate([[0.6], np.geomspace(0.3 * size[1], max(0.5 * across, size[1]), 22)])
    touching = 1.0 / np.maximum(np.abs(direction) / (size / 2), 1e-12).max(axis=1)
    rings = touching[None, :] + gaps[:, None] / np.abs(direction).max(axis=1)[None, :]
    return np.asarray((point + rings[:, :, None] * direction[None]).reshape(-1, 2))


def _cost(places: FloatArray, points: FloatArray, i: int, size: FloatArray, clearance: float) -> FloatArray:
    """Distance of the box from its point, more where another point is as near, a little for the less usual sides."""
    gap = _gap_to_box(points[i][None], places, size[None])
    others = np.delete(points, i, axis=0)
    if len(others):
        gaps = np.min([_gap_to_box(other[None], places, size[None]) for other in others], axis=0)
        gap = gap + 2.0 * np.maximum(gap + clearance - gaps, 0.0)
    unusual = (places < points[i]) @ np.array([0.3, 0.2])
    return np.asarray(gap + unusual * clearance)


def _gap_to_box(points: FloatArray, centres: FloatArray, sizes: FloatArray) -> FloatArray:
    """Distance from points to boxes, zero within."""
    beyond = np.maximum(np.abs(points - centres) - sizes / 2, 0.0)
    return np.asarray(np.hypot(beyond[:, 0], beyond[:, 1]))


def _overlap(a: FloatArray, b: FloatArray) -> FloatArray:
    """Areas shared by boxes (m, 4) and (k, 4), shape (m, k)."""
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    return np.asarray(np.maximum(width, 0.0) * np.maximum(height, 0.0))


def _crossings(start: FloatArray, ends: FloatArray, others: FloatArray, their_ends: FloatArray) -> FloatArray:
    """Count the leaders (others to their ends) that each leader from `start` would cross."""

    def side(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        # (b - a) x (c - a): positive where c lies to the left of the line from a to b
        (x, y), (u, v) = np.moveaxis(b - a, -1, 0), np.moveaxis(c - a, -1, 0)
        return np.asarray(x * v - y * u)

    p, q, r, s = start[None, None], ends[:, None], others[None], their_ends[None]
    apart = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return np.asarray(apart.sum(axis=1), dtype=float)


# lines and rows ------------------------------------------------------------------------------------------------------


def write_beside(ax: Axes, words: Sequence[str], *, header: str = "") -> Axes:
    """Write words, such as numbers, to the right of the rows 0, 1, ... of axes, one below the other.

    Parameters
    ----------
    ax : Axes
        With rows.
    words : sequence of str
        One for each row.
    header : str
        Heading, such as `"net"`.

    Returns
    -------
    Axes
        The same axes.
    """
    lines = [(float(row), text, INK) for row, text in enumerate(words)]
    lines += [(-0.95, header, FAINT)] if header else []
    with styled():
        texts = [
            ax.annotate(
                literal(text), (1.0, row), xycoords=ax.get_yaxis_transform(), xytext=(0, 0), ha="right",
                textcoords="offset points", va="center_baseline", fontsize=SMALL, color=color, annotation_clip=False,
            )
            for row, text, color in lines
        ]  # fmt: skip
    for text in texts:
        text.set_position((10.0 + text_sizes(texts)[:, 0].max() * 72.0 / figure_of(ax).dpi, 0.0))
    return ax


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
    with styled():
        texts = [
            ax.annotate(
                literal(name), (end, level), xytext=(7, 0),
                textcoords="offset points", ha="left", va="center", fontsize=SMALL, color=color, gid=END_GID,
                annotation_clip=False,
            )
            for name, end, level, color in zip(names, x, y, colors, strict=True)
        ]  # fmt: skip
    figure_of(ax).draw_without_rendering()
    pixels = figure_of(ax).dpi / 72
    levels = np.array([float(ax.transData.transform((0.0, level))[1]) for level in y])
    moved = apart(levels, text_sizes(texts)[:, 1] + pixels)
    for text, level, new in zip(texts, levels, moved, strict=True):
        text.set_position((7, (new - level) / pixels))
    return ax


def apart(levels: FloatArray, heights: FloatArray) -> FloatArray:
    """Move levels so that boxes of these heights do not overlap, keeping their order and the mean of each cluster.

    >>> apart(np.array([0.0, 1.0, 50.0]), np.full(3, 10.0)).tolist()
    [-4.5, 5.5, 50.0]
    """
    # min sum_i (y_i - l_i)^2 subject to y_(i+1) - y_i >= (h_i + h_(i+1)) / 2, l the levels and h the heights: with o_i
    # the middles of boxes stacked in order, y - o is the isotonic regression of l - o.
    from scipy.optimize import isotonic_regression

    order = np.argsort(levels, kind="stable")
    stacked = np.cumsum(heights[order]) - heights[order] / 2
    moved = np.empty(len(levels))
    moved[order] = isotonic_regression(levels[order] - stacked).x + stacked
    return moved


# captions ------------------------------------------------------------------------------------------------------------


def put_caption(ax: Axes, text: str) -> None:
    """Write a text under axes that ends at their right edge, so that it has the room under the names of rows."""
    figure, spec = figure_of(ax), ax.get_subplotspec()
    share = ax.get_position().width if spec is None else len(spec.colspan) / spec.get_gridspec().ncols
    lines = filled(figure, text, share * float(figure.get_size_inches()[0]))
    ax.set_xlabel(lines, fontsize=SMALL, color=INK, x=1.0, ha="right", multialignment="left")


def write_below(figure: Figure, text: str) -> None:
    """Write a text under all panels of a figure."""
    figure.supxlabel(filled(figure, text, float(figure.get_size_inches()[0])), fontsize=SMALL, color=INK)


def filled(figure: Figure, text: str, inches: float) -> str:
    """Break a text into lines that are no wider than so many inches, at the size of small text.

    >>> from wagegap._display.axes import new_axes
    >>> print(filled(figure_of(new_axes(2, 2)), "one two three four five six seven eight nine ten", 2.0))
    one two three four five six
    seven eight nine ten
    """
    for letters in range(max(int(_LETTERS_PER_INCH * inches), 16), 11, -2):
        broken = "\n".join(literal(line) for line in textwrap.wrap(text, letters))
        with styled():
            drawn = figure.text(0.0, 0.0, broken, fontsize=SMALL)
        wide = text_sizes([drawn])[0, 0]
        drawn.remove()
        if wide <= inches * figure.dpi - 12:
            break
    return broken
