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
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wagegap._display.axes import FAINT, INK, LEADER, SMALL, WATCHED, Axes, Figure, figure_of, literal, styled, written
from wagegap._typing import BoolArray, FloatArray, IntArray

__all__ = [
    "apart",
    "filled",
    "hidden_labels",
    "label_points",
    "name_ends",
    "place_boxes",
    "place_labels",
    "put_caption",
    "text_sizes",
    "when_drawn",
    "write_below",
    "write_beside",
]

END_GID, LABEL_GID, WATCHED_GID = "wagegap-end", "wagegap-label", "wagegap-watched"
_POINT_GIDS = (LABEL_GID, WATCHED_GID)
_MOST_LABELS, _MOST_SHARE = 45, 0.3
"""Labels of points that are written, and share of the axes that they cover; of more points the outermost have one."""
_LETTERS_PER_INCH = 17.0


def text_sizes(texts: Sequence[Any], renderer: Any = None) -> FloatArray:
    """Widths and heights of texts in pixels, shape (n, 2), without the arrows of annotations, hidden ones too."""
    from matplotlib.text import Text

    sizes = []
    for text in texts:
        is_visible = text.get_visible()
        if not is_visible:
            text._visible = True  # a text that is hidden has no extent; set_visible would make the figure stale
        sizes.append(Text.get_window_extent(text, renderer).size)
        text._visible = is_visible
    return np.array(sizes)


# at the time of drawing ----------------------------------------------------------------------------------------------


def when_drawn(ax: Axes, place: Callable[[Axes, Any], None]) -> None:
    """Let a function move texts of axes each time they are drawn, when their size, limits and dots per inch are known.

    Parameters
    ----------
    ax : Axes
        Axes.
    place : callable of (Axes, renderer)
        Moves texts; what it does depends on what it finds alone, so that the same figure is the same file.
    """
    from wagegap._display.artists import Placing

    ax.add_artist(Placing(place))


# labels of points ----------------------------------------------------------------------------------------------------


def label_points(
    ax: Axes, x: FloatArray, y: FloatArray, labels: Sequence[object], *, watched: Sequence[int] = ()
) -> Axes:
    """Write labels beside points, where they overlap neither each other nor any point; empty ones are left out.

    Those watched are bold, and always there. Of many labels the outermost are written, as many as have room.
    """
    leader = {"arrowstyle": "-", "color": LEADER, "linewidth": 0.6, "shrinkA": 0.5, "shrinkB": 2.5}
    ground = {"boxstyle": "square,pad=0.05", "facecolor": "white", "alpha": 0.65, "linewidth": 0}
    with styled():
        for i, (at_x, at_y, label) in enumerate(zip(x, y, labels, strict=True)):
            if not str(label):
                continue
            look: dict[str, Any] = {"color": INK, "gid": LABEL_GID, "fontsize": SMALL - 1}
            if i in watched:
                look = {"color": WATCHED, "gid": WATCHED_GID, "fontsize": SMALL, "fontweight": "bold"}
            ax.annotate(
                literal(label), (at_x, at_y), xytext=(0, 0), textcoords="offset points", ha="center", va="center",
                zorder=5, arrowprops=leader, bbox=ground, **look,
            ).set_in_layout(False)  # fmt: skip
    if not any(text.get_gid() in _POINT_GIDS for text in ax.texts):
        return ax
    when_drawn(ax, _place_labels)
    return place_labels(ax)


def place_labels(ax: Axes) -> Axes:
    """Move the labels of points to where they belong now; whoever draws or saves the figure needs no call of it."""
    if any(text.get_gid() in _POINT_GIDS for text in ax.texts):
        figure_of(ax).draw_without_rendering()
    return ax


def hidden_labels(ax: Axes) -> list[str]:
    """Labels of points that have no room in axes as they are."""
    place_labels(ax)
    return [written(text.get_text()) for text in ax.texts if text.get_gid() in _POINT_GIDS and not text.get_visible()]


def _place_labels(ax: Axes, renderer: Any) -> None:
    texts: list[Any] = [text for text in ax.texts if text.get_gid() in _POINT_GIDS]
    points = np.round(np.asarray(ax.transData.transform(np.array([text.xy for text in texts])), dtype=float), 3)
    pixels = figure_of(ax).dpi / 72.0
    bounds = np.array(ax.get_window_extent().extents)
    sizes = np.round(text_sizes(texts, renderer) + 2.0 * pixels, 3)
    room = _MOST_SHARE * float(np.prod(bounds[2:] - bounds[:2])) / float(np.prod(sizes, axis=1).mean())
    watched = np.array([text.get_gid() == WATCHED_GID for text in texts])
    kept = _outermost(points, bounds, watched, at_most=int(min(room, _MOST_LABELS)))
    centres = np.array(points)
    centres[kept] = place_boxes(points[kept], sizes[kept], bounds, clearance=3.2 * pixels, others=points)
    shown = _without_overlaps(kept, centres, sizes - pixels)
    gaps = _gap_to_box(points, centres, sizes)
    for i, text in enumerate(texts):
        position = tuple(np.round((centres[i] - points[i]) / pixels, 3).tolist())
        if (text.get_position(), text.get_visible()) != (position, i in shown):  # nothing is stale for nothing
            text.set_position(position)
            text.set_visible(i in shown)
        if text.arrow_patch is not None and text.arrow_patch.get_visible() != bool(gaps[i] > 6.0 * pixels):
            text.arrow_patch.set_visible(bool(gaps[i] > 6.0 * pixels))


def _outermost(points: FloatArray, bounds: FloatArray, watched: BoolArray, *, at_most: int) -> IntArray:
    """Positions of the points with a label, first those watched, then from the outermost inwards.

    Points outside the axes have none.
    """
    inside: BoolArray = np.all((points >= bounds[:2]) & (points <= bounds[2:]), axis=1)
    middle = np.median(points[inside], axis=0) if inside.any() else points.mean(axis=0)
    far = np.hypot(*((points - middle) / np.maximum(bounds[2:] - bounds[:2], 1e-9)).T)
    order = np.lexsort((-far, ~watched))
    return np.asarray(order[inside[order]][: max(at_most, int(watched.sum()))], dtype=np.intp)


def _without_overlaps(order: IntArray, centres: FloatArray, sizes: FloatArray) -> list[int]:
    """Positions, in order, whose boxes overlap none before them."""
    kept: list[int] = []
    boxes = np.hstack([centres - sizes / 2, centres + sizes / 2])
    for i in order.tolist():
        if not kept or not _overlap(boxes[[i]], boxes[kept]).any():
            kept.append(i)
    return kept


def place_boxes(
    points: FloatArray, sizes: FloatArray, bounds: FloatArray, *, clearance: float, others: FloatArray | None = None
) -> FloatArray:
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
    others : ndarray of shape (m, 2), optional
        All points to keep free, where they are not those with boxes alone.

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
    free = points if others is None else others
    squares = np.hstack([free - clearance, free + clearance])
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
    return np.asarray(gap + ((places < points[i]) @ np.array([0.3, 0.2])) * clearance)


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
    return np.asarray(
        ((side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)).sum(axis=1), dtype=float
    )


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
    if texts:
        when_drawn(ax, _place_ends)
        figure_of(ax).draw_without_rendering()
    return ax


def _place_ends(ax: Axes, renderer: Any) -> None:
    texts: list[Any] = [text for text in ax.texts if text.get_gid() == END_GID]
    pixels = figure_of(ax).dpi / 72
    levels = np.array([float(ax.transData.transform(text.xy)[1]) for text in texts])
    moved = apart(levels, text_sizes(texts, renderer)[:, 1] + pixels)
    for text, level, new in zip(texts, levels, moved, strict=True):
        position = (7.0, float(np.round((new - level) / pixels, 3)))
        if text.get_position() != position:  # nothing is stale for nothing
            text.set_position(position)


def apart(levels: FloatArray, heights: FloatArray) -> FloatArray:
    """Move levels so that boxes of these heights do not overlap, keeping their order and the mean of each cluster.

    >>> apart(np.array([0.0, 1.0, 50.0]), np.full(3, 10.0)).tolist()
    [-4.5, 5.5, 50.0]
    """
    # min sum_i (y_i - l_i)^2 subject to y_(i+1) - y_i >= (h_i + h_(i+1)) / 2, l the levels and h the heights: with o_i
    # the middles of boxes stacked in order, y - o is the isotonic regression of l - o, found by pooling neighbours.
    order = np.argsort(levels, kind="stable")
    stacked = np.cumsum(heights[order]) - heights[order] / 2
    pools: list[list[float]] = []
    for value in levels[order] - stacked:
        pools.append([float(value)])
        while len(pools) > 1 and np.mean(pools[-2]) > np.mean(pools[-1]) + 1e-9:
            pools[-2:] = [[*pools[-2], *pools[-1]]]
    moved = np.empty(len(levels))
    moved[order] = np.concatenate([np.full(len(pool), np.mean(pool)) for pool in pools]) + stacked
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
