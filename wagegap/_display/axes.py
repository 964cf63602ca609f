"""Figures from four primitives: intervals, error ellipses, a line with its band, and axes that look alike.

An error ellipse of level p holds the points at Mahalanobis distance at most sqrt(-2 log(1 - p)) from the estimate, the
quantile of a chi-squared law with two degrees of freedom. An estimate whose error is unknown is drawn hollow and
without an interval, never as if it were exact. Labels are placed greedily: the most crowded point first, each at the
free place nearest to its point, with a leader line where that is not beside it.

Every function draws on the axes it is given and returns them. Nothing here touches pyplot, the settings of matplotlib,
or the clock: the same figure is the same file, byte for byte.

References
----------
Christensen, J., Marks, J., and Shieber, S. (1995). An empirical study of algorithms for point-feature label placement.
ACM Transactions on Graphics 14(3), 203-232.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from wagegap._display.delimited import write_whole
from wagegap._display.numbers import format_number
from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import CovarianceError, DataError, OptionError, check_option, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Ellipse
    from matplotlib.text import Annotation

__all__ = [
    "MARKERS",
    "PALETTE",
    "apply_style",
    "ellipses",
    "figure_of",
    "interval_text",
    "intervals",
    "line_band",
    "new_axes",
    "place_boxes",
    "place_labels",
    "save_figure",
]

Floats: TypeAlias = Sequence[float] | AnyArray
FigureFormat: TypeAlias = Literal["png", "svg", "pdf"]

PALETTE = ("#004488", "#BB5566", "#DDAA33", "#1A1A1A")
"""Colours that differ in lightness, so that neither colour blindness nor a grey printer confuses them (after Tol)."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
"""A shape for each group beside its colour."""

INK = "#222222"
FAINT = "#8A8A8A"
LEADER = "#4A4A4A"
HAIR = "#E3E3E3"
SMALL, MEDIUM = 8.0, 9.0
LABEL_GID, ELLIPSE_GID = "wagegap-label", "wagegap-ellipse"
HOLLOW_NAME = "error unknown"

_STYLE: Any = {
    "text.usetex": False,
    "font.size": MEDIUM,
    "axes.unicode_minus": True,
    "svg.hashsalt": "wagegap",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "savefig.bbox": None,
    "savefig.transparent": False,
}
_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_ALT_FIELD = {"png": "Description", "svg": "Title", "pdf": "Subject"}


@dataclass(frozen=True, slots=True)
class _Marks:
    """How each of n estimates is drawn.

    Attributes
    ----------
    group : ndarray of int, shape (n,)
        Position of its group.
    names : tuple of str
        Groups in the order in which they first appear.
    """

    group: AnyArray
    names: tuple[str, ...]

    def color(self, i: int) -> str:
        """Colour of an estimate."""
        return PALETTE[int(self.group[i]) % len(PALETTE)]

    def marker(self, i: int) -> str:
        """Shape of an estimate."""
        return MARKERS[int(self.group[i]) % len(MARKERS)]


# axes ------------------------------------------------------------------------------------------------------------


def new_axes(width: float = 6.3, height: float = 4.0) -> Axes:
    """Make axes on a figure of their own, without pyplot.

    Parameters
    ----------
    width, height : float
        Size of the figure in inches.

    Returns
    -------
    Axes
        Styled axes; their figure is `ax.figure`.

    Examples
    --------
    >>> ax = new_axes(3, 2)
    >>> [float(side) for side in ax.figure.get_size_inches()]
    [3.0, 2.0]
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if not (width > 0 and height > 0):
        raise OptionError(f"width={width!r} and height={height!r} are inches; both must be positive.")
    with rc_context(_STYLE):
        figure = Figure(figsize=(width, height), dpi=100, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        return apply_style(figure.add_subplot())


def apply_style(ax: Axes) -> Axes:
    """Give axes the look of this package: two thin spines, small dark text, no frame.

    >>> ax = apply_style(new_axes(3, 2))
    >>> ax.spines["top"].get_visible()
    False
    """
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        ax.spines[side].set_color(FAINT)
        ax.spines[side].set_linewidth(0.6)
    ax.tick_params(colors=FAINT, labelcolor=INK, labelsize=SMALL, width=0.6, length=3, direction="out")
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    for text, size in ((ax.xaxis.label, MEDIUM), (ax.yaxis.label, MEDIUM), (ax.title, MEDIUM + 1)):
        text.set_color(INK)
        text.set_fontsize(size)
    ax.title.set_fontweight("semibold")
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the outermost figure of axes, also of axes in a subfigure."""
    from matplotlib.figure import Figure

    figure: Any = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


# intervals -------------------------------------------------------------------------------------------------------


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
    >>> ax = intervals(new_axes(4, 2), ["USA", "KOR"], [0.25, 0.06], [0.19, float("nan")], [0.31, float("nan")])
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['USA', 'KOR']
    """
    check_option("sizes", sizes, ("precision", "equal"))
    b, lower, upper = _columns(labels, estimate=estimate, low=low, high=high)
    _check_intervals(labels, b, lower, upper)
    marks = _marks(groups, len(b))
    rows, names = _factorize(labels)
    y = rows + _dodge(rows, marks)
    known = np.isfinite(lower) & np.isfinite(upper)
    area = _areas(upper - lower, known, sizes) * (0.6 if np.bincount(rows).max(initial=0) > 1 else 1.0)
    if reference_line is not None:
        ax.axvline(reference_line, color=FAINT, linewidth=0.8, zorder=1)
    for i in range(len(b)):
        if known[i]:
            ax.plot(
                [lower[i], upper[i]], [y[i], y[i]], color=marks.color(i), linewidth=1.1, zorder=2, solid_capstyle="butt"
            )
        _point(ax, b[i], y[i], marks, i, hollow=not known[i], area=float(area[i]))
    _forest_frame(ax, names)
    return _legend(ax, marks, hollow=bool((~known).any()))


def interval_text(
    ax: Axes,
    estimate: Floats,
    low: Floats,
    high: Floats,
    *,
    digits: int = 2,
    header: str = "",
) -> Axes:
    """Write estimates and intervals as numbers to the right of a forest plot whose labels are all different.

    Parameters
    ----------
    ax : Axes
        Axes that `intervals` drew on.
    estimate, low, high : array-like of shape (n,)
        What it drew, in the same order.
    digits : int
        Decimals.
    header : str
        Heading, such as `"premium [95 % interval]"`.

    Returns
    -------
    Axes
        The same axes.
    """
    from matplotlib import rc_context
    from matplotlib.text import Text

    b, lower, upper = _columns(range(len(np.asarray(estimate))), estimate=estimate, low=low, high=high)
    pieces = [_interval_words(*ends, digits) for ends in zip(b, lower, upper, strict=True)]
    lines = [(float(y), words, INK) for y, words in enumerate(pieces)]
    lines += [(-0.95, _literal(header), FAINT)] if header else []
    with rc_context(_STYLE):
        texts = [
            ax.annotate(
                words,
                (1.0, y),
                xycoords=ax.get_yaxis_transform(),
                xytext=(0, 0),
                textcoords="offset points",
                ha="right",
                va="center_baseline",
                fontsize=SMALL,
                color=color,
                annotation_clip=False,
            )
            for y, words, color in lines
        ]
    widest = max((Text.get_window_extent(text).width for text in texts), default=0.0)
    for text in texts:
        text.set_position((10.0 + widest * 72.0 / figure_of(ax).dpi, 0.0))
    return ax


def _interval_words(estimate: float, low: float, high: float, digits: int) -> str:
    def write(value: float) -> str:
        return format_number(value, decimals=digits, minus="sign")

    if not (math.isfinite(low) and math.isfinite(high)):
        return f"{write(estimate)} [unknown]"
    return f"{write(estimate)} [{write(low)}, {write(high)}]"


def _dodge(rows: AnyArray, marks: _Marks) -> FloatArray:
    """Shift estimates that share a row, so that groups stand beside each other."""
    if np.bincount(rows).max(initial=0) <= 1:
        return np.zeros(len(rows))
    if len(marks.names) > 1 and len(set(zip(rows.tolist(), marks.group.tolist(), strict=True))) == len(rows):
        at, count = marks.group.astype(float), len(marks.names)
    else:
        order = [int(np.sum(rows[:i] == row)) for i, row in enumerate(rows)]
        at, count = np.array(order, dtype=float), max(order) + 1
    return np.asarray((at - (count - 1) / 2) * min(0.24, 0.7 / count))


def _areas(width: FloatArray, known: BoolArray, sizes: str) -> FloatArray:
    """Areas of markers in square points: 16 to 64 by precision relative to the most precise, 26 where unknown."""
    area = np.full(len(width), 26.0)
    if sizes == "equal" or not (known & (width > 0)).any():
        return area
    sized = known & (width > 0)
    relative = (width[sized].min() / width[sized]) ** 2
    area[sized] = 16.0 + 48.0 * relative
    area[known & (width == 0)] = 64.0
    return area


def _forest_frame(ax: Axes, names: Sequence[str]) -> None:
    from matplotlib import rc_context

    with rc_context(_STYLE):
        ax.set_yticks(range(len(names)), [_literal(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, pad=6, labelcolor=INK, labelsize=SMALL)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x", color=HAIR, linewidth=0.6)


def _check_intervals(labels: Sequence[object], b: FloatArray, low: FloatArray, high: FloatArray) -> None:
    with np.errstate(invalid="ignore"):
        outside = (low > b) | (high < b)
    if outside.any():
        names = listing(str(labels[int(i)]) for i in np.flatnonzero(outside))
        raise DataError(f"{int(outside.sum())} of {len(b)} intervals do not hold their estimate: {names}.")


# ellipses --------------------------------------------------------------------------------------------------------


def ellipses(
    ax: Axes,
    x: Floats,
    y: Floats,
    cov: AnyArray,
    labels: Sequence[object],
    *,
    level: float = 0.95,
    groups: Sequence[object] | None = None,
) -> Axes:
    """Draw points with error ellipses and labels that do not overlap.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x, y : array-like of shape (n,)
        Estimates.
    cov : array-like of shape (n, 2, 2)
        Covariance of each (x, y); a NaN variance is unknown: the point is hollow, and has a bar in the direction whose
        variance is known.
    labels : sequence of length n
        Names of points; empty for none.
    level : float
        Probability that an ellipse covers.
    groups : sequence of length n, optional
        Colour and shape of each point, with a legend.

    Returns
    -------
    Axes
        The same axes. Labels fit the size and limits that the axes have now; `place_labels`, which `save_figure` calls,
        makes them fit later ones.

    Raises
    ------
    DataError
        When lengths differ or an estimate is missing.
    CovarianceError
        When a covariance has another shape, or is not one.
    OptionError
        When the level does not lie between 0 and 1.

    Examples
    --------
    >>> ax = ellipses(new_axes(4, 3), [0.25], [0.1], [[[0.01, 0.0], [0.0, 0.02]]], ["USA"])
    >>> len(ax.patches), [text.get_text() for text in ax.texts]
    (1, ['USA'])
    """
    from matplotlib.colors import to_rgba

    if not 0 < level < 1:
        raise OptionError(f"level={level!r} must lie between 0 and 1; 0.95 draws 95 % ellipses.")
    at_x, at_y = _columns(labels, x=x, y=y)
    matrices = _checked_cov(cov, labels)
    marks = _marks(groups, len(at_x))
    reach = math.sqrt(-2.0 * math.log1p(-level))
    known = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    fill = min(0.12, 1.5 / max(len(at_x), 1))
    for i in range(len(at_x)):
        if known[i]:
            patch = _ellipse(at_x[i], at_y[i], matrices[i], reach)
            patch.set(facecolor=to_rgba(marks.color(i), fill), edgecolor=to_rgba(marks.color(i), 0.4))
            ax.add_patch(patch)
        else:
            _bars(ax, at_x[i], at_y[i], np.diag(matrices[i]), reach, marks.color(i))
    for i in range(len(at_x)):
        _point(ax, at_x[i], at_y[i], marks, i, hollow=not known[i], area=16.0)
    ax.autoscale_view()
    ax.grid(color=HAIR, linewidth=0.6)
    _legend(ax, marks, hollow=bool((~known).any()))
    _annotate(ax, at_x, at_y, labels)
    return place_labels(ax)


def _checked_cov(cov: AnyArray, labels: Sequence[object]) -> FloatArray:
    matrices = np.array(cov, dtype=float)
    n = len(labels)
    if matrices.shape != (n, 2, 2):
        raise CovarianceError(f"cov has shape {matrices.shape}; {n} points need ({n}, 2, 2).")
    unknown = ~np.isfinite(matrices[:, [0, 1], [0, 1]]).all(axis=1)
    full = np.where(unknown[:, None, None], np.eye(2), matrices)
    with np.errstate(invalid="ignore"):
        scale = np.maximum(full[:, 0, 0] * full[:, 1, 1], 0.0)
        negative = (np.nan_to_num(matrices[:, [0, 1], [0, 1]]) < 0).any(axis=1)
        crooked = np.abs(full[:, 0, 1] - full[:, 1, 0]) > 1e-8 * np.sqrt(scale) + 1e-300
        impossible = full[:, 0, 1] ** 2 > scale * (1 + 1e-8)
    bad = negative | crooked | impossible
    if bad.any():
        names = listing(str(labels[int(i)]) for i in np.flatnonzero(bad))
        raise CovarianceError(
            f"{int(bad.sum())} of {n} matrices are not covariances (not symmetric, or not positive semidefinite): "
            f"{names}."
        )
    return matrices


def _ellipse(x: float, y: float, cov: FloatArray, reach: float) -> Ellipse:
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(cov)
    axes = 2.0 * reach * np.sqrt(np.maximum(values, 0.0))
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    return Ellipse((x, y), float(axes[1]), float(axes[0]), angle=angle, linewidth=0.5, zorder=2, gid=ELLIPSE_GID)


def _bars(ax: Axes, x: float, y: float, variances: FloatArray, reach: float, color: str) -> None:
    half = reach * np.sqrt(variances)
    if np.isfinite(half[0]):
        ax.plot([x - half[0], x + half[0]], [y, y], color=color, alpha=0.45, linewidth=0.8, zorder=2)
    if np.isfinite(half[1]):
        ax.plot([x, x], [y - half[1], y + half[1]], color=color, alpha=0.45, linewidth=0.8, zorder=2)


# labels ----------------------------------------------------------------------------------------------------------


def _annotate(ax: Axes, x: FloatArray, y: FloatArray, labels: Sequence[object]) -> None:
    from matplotlib import rc_context
    from matplotlib.patheffects import withStroke

    leader = {"arrowstyle": "-", "color": LEADER, "linewidth": 0.6, "shrinkA": 0.5, "shrinkB": 2.5}
    halo = [withStroke(linewidth=1.6, foreground=(1.0, 1.0, 1.0, 0.75))]
    with rc_context(_STYLE):
        for at_x, at_y, label in zip(x, y, labels, strict=True):
            if str(label):
                text = ax.annotate(
                    _literal(label),
                    (at_x, at_y),
                    xytext=(0, 0),
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    fontsize=SMALL - 1,
                    color=INK,
                    zorder=5,
                    gid=LABEL_GID,
                    arrowprops=leader,
                    path_effects=halo,
                )
                text.set_in_layout(False)


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
    from matplotlib.text import Text

    texts: list[Annotation] = [text for text in ax.texts if text.get_gid() == LABEL_GID]  # type: ignore[misc]
    if not texts:
        return ax
    figure_of(ax).draw_without_rendering()
    points = np.round(np.asarray(ax.transData.transform(np.array([text.xy for text in texts])), dtype=float), 3)
    pixels = figure_of(ax).dpi / 72.0
    boxes = [Text.get_window_extent(text) for text in texts]
    sizes = np.round(np.array([[box.width, box.height] for box in boxes]) + 2.0 * pixels, 3)
    frame = ax.get_window_extent()
    bounds = np.array([frame.x0, frame.y0, frame.x1, frame.y1])
    centres = place_boxes(points, sizes, bounds, clearance=3.2 * pixels)
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
    n = len(points)
    centres = np.array(points, dtype=float)
    squares = np.hstack([points - clearance, points + clearance])
    reach = 3.0 * float(sizes.mean()) if n else 0.0
    crowd = (np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) < reach).sum(axis=1)
    placed: list[int] = []
    for i in np.lexsort((np.arange(n), -crowd)):
        places = _places(points[i], sizes[i], bounds, clearance)
        boxes = np.hstack([places - sizes[i] / 2, places + sizes[i] / 2])
        taken = np.hstack([centres[placed] - sizes[placed] / 2, centres[placed] + sizes[placed] / 2])
        overlap = _overlap(boxes, taken).sum(axis=1) + _overlap(boxes, squares).sum(axis=1)
        outside = np.maximum(bounds[:2] - boxes[:, :2], 0).sum(axis=1) + np.maximum(boxes[:, 2:] - bounds[2:], 0).sum(
            axis=1
        )
        cost = _cost(places, points, i, sizes[i], clearance)
        cost += 3.0 * sizes[i].mean() * _crossings(points[i], places, points[placed], centres[placed])
        centres[i] = places[np.lexsort((cost, outside > 0, overlap))[0]]
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
    own = _gap_to_box(points[i][None], places, size[None])
    others = np.delete(points, i, axis=0)
    if len(others):
        gaps = np.min([_gap_to_box(other[None], places, size[None]) for other in others], axis=0)
        own = own + 2.0 * np.maximum(own + clearance - gaps, 0.0)
    offset = places - points[i]
    usual = np.where(offset[:, 0] >= 0, 0.0, 0.3) + np.where(offset[:, 1] >= 0, 0.0, 0.2)
    return np.asarray(own + usual * clearance)


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
    if len(others) == 0:
        return np.zeros(len(ends))

    def side(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
        return np.asarray(
            (b[..., 0] - a[..., 0]) * (c[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (c[..., 0] - a[..., 0])
        )

    p, q, r, s = start[None, None], ends[:, None], others[None], their_ends[None]
    apart = (side(p, q, r) * side(p, q, s) < 0) & (side(r, s, p) * side(r, s, q) < 0)
    return np.asarray(apart.sum(axis=1), dtype=float)


# lines -----------------------------------------------------------------------------------------------------------


def line_band(
    ax: Axes,
    x: Floats,
    fit: Floats,
    low: Floats,
    high: Floats,
    *,
    color: str = PALETTE[3],
    label: str = "",
) -> Axes:
    """Draw a fitted line with its band.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x : array-like of shape (n,)
        Where the line was evaluated, in any order.
    fit, low, high : array-like of shape (n,)
        The line and the ends of its band; where these are NaN the band is unknown and the line is dashed throughout.
    color : str
        Colour of both.
    label : str
        Name for a legend.

    Returns
    -------
    Axes
        The same axes.

    Raises
    ------
    DataError
        When lengths differ, or a value of the line is missing.

    Examples
    --------
    >>> ax = line_band(new_axes(3, 2), [1, 0], [0.2, 0.1], [0.1, 0.0], [0.3, 0.2])
    >>> ax.lines[0].get_xdata().tolist()
    [0.0, 1.0]
    """
    at, line = _columns(range(len(np.asarray(x))), x=x, fit=fit)
    lower, upper = _columns(range(len(at)), low=low, high=high)
    order = np.argsort(at, kind="stable")
    known = np.isfinite(lower) & np.isfinite(upper)
    if known.any():
        ax.fill_between(
            at[order],
            lower[order],
            upper[order],
            where=known[order].tolist(),
            color=color,
            alpha=0.14,
            linewidth=0,
            zorder=1.5,
        )
    ax.plot(
        at[order],
        line[order],
        color=color,
        linewidth=1.4,
        linestyle="-" if known.all() else "--",
        zorder=3,
        label=_literal(label) if label else "_nolegend_",
    )
    return ax


# files -----------------------------------------------------------------------------------------------------------


def save_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    alt_text: str,
    formats: Sequence[FigureFormat] = ("png", "svg"),
    dpi: int = 200,
) -> tuple[Path, ...]:
    """Save a figure in several formats: the same figure gives the same bytes.

    All formats are drawn before the first is written, and each file is written whole or not at all.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : str or path
        Where to, without a suffix.
    alt_text : str
        What the figure shows, for those who cannot see it; kept in the files.
    formats : sequence of {"png", "svg", "pdf"}
        Formats, each of which gives its suffix.
    dpi : int
        Pixels per inch of a png.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    OptionError
        For an unknown format, or without an alternative text.
    OutputError
        When a file cannot be written.
    """
    from matplotlib import rc_context

    for kind in formats:
        check_option("format", kind, tuple(_METADATA))
    if not alt_text.strip():
        raise OptionError("alt_text is empty; say in a sentence what the figure shows.")
    drawn: dict[str, bytes] = {}
    with rc_context(_STYLE):
        for ax in figure.axes:
            place_labels(ax)
        figure.draw_without_rendering()
        engine = figure.get_layout_engine()
        figure.set_layout_engine("none")
        try:
            for kind in formats:
                drawn[kind] = _drawn(figure, kind, alt_text, dpi)
        finally:
            figure.set_layout_engine(engine or "none")
    return tuple(write_whole(f"{os.fspath(path)}.{kind}", data) for kind, data in drawn.items())


def _drawn(figure: Figure, kind: str, alt_text: str, dpi: int) -> bytes:
    buffer = io.BytesIO()
    metadata = _METADATA[kind] | {_ALT_FIELD[kind]: alt_text}
    figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, facecolor="white", bbox_inches=None)
    return buffer.getvalue()


# what the primitives share ---------------------------------------------------------------------------------------


def _columns(labels: Sequence[object], **columns: Floats) -> tuple[FloatArray, ...]:
    """Check that columns have a value for each label and that estimates are known."""
    made = []
    for name, values in columns.items():
        column = np.array(values, dtype=float)
        if column.shape != (len(labels),):
            raise DataError(f"{name} has shape {column.shape}; {len(labels)} labels need ({len(labels)},).")
        missing = ~np.isfinite(column)
        if name not in ("low", "high") and missing.any():
            names = listing(str(labels[int(i)]) for i in np.flatnonzero(missing))
            raise DataError(f"{int(missing.sum())} of {len(column)} values of {name} are missing or infinite: {names}.")
        made.append(column)
    return tuple(made)


def _factorize(values: Sequence[object]) -> tuple[AnyArray, tuple[str, ...]]:
    names = tuple(dict.fromkeys(str(value) for value in values))
    position = {name: at for at, name in enumerate(names)}
    return np.array([position[str(value)] for value in values], dtype=np.intp), names


def _marks(groups: Sequence[object] | None, n: int) -> _Marks:
    if groups is None:
        return _Marks(np.zeros(n, dtype=np.intp), ())
    if len(groups) != n:
        raise DataError(f"groups has {len(groups)} values; {n} labels need {n}.")
    return _Marks(*_factorize(groups))


def _point(ax: Axes, x: float, y: float, marks: _Marks, i: int, *, hollow: bool, area: float) -> None:
    color = marks.color(i)
    ax.scatter(
        [x],
        [y],
        s=area,
        marker=marks.marker(i),
        facecolors="white" if hollow else color,
        edgecolors=color if hollow else "white",
        linewidths=1.1 if hollow else 0.5,
        zorder=4,
    )


def _legend(ax: Axes, marks: _Marks, *, hollow: bool) -> Axes:
    """Explain shapes, colours and hollow markers, where there are any."""
    from matplotlib import rc_context
    from matplotlib.lines import Line2D

    entries = [
        (name, PALETTE[at % len(PALETTE)], MARKERS[at % len(MARKERS)], True) for at, name in enumerate(marks.names)
    ]
    entries += [(HOLLOW_NAME, INK, "o", False)] if hollow else []
    if not entries:
        return ax
    handles = [
        Line2D(
            [],
            [],
            linestyle="none",
            marker=marker,
            markersize=5,
            markeredgecolor=color,
            markerfacecolor=color if full else "white",
        )
        for _, color, marker, full in entries
    ]
    names = [f" {name}" if name.startswith("_") else _literal(name) for name, *_ in entries]
    per_row = _per_row([len(name) for name in names], 72.0 * float(figure_of(ax).get_size_inches()[0]))
    with rc_context(_STYLE):
        ax.legend(
            handles,
            names,
            loc="lower left",
            bbox_to_anchor=(0.0, 1.0),
            ncols=per_row,
            frameon=False,
            fontsize=SMALL,
            labelcolor=INK,
            handletextpad=0.2,
            columnspacing=1.2,
            borderaxespad=0.2,
        )
    return ax


def _per_row(lengths: Sequence[int], points: float) -> int:
    """Most entries of a legend that fit a row of so many points, in rows of about the same number."""
    fitting = max(int(0.85 * points // (0.6 * SMALL * max(lengths) + 24.0)), 1)
    return math.ceil(len(lengths) / math.ceil(len(lengths) / fitting))


def _literal(text: object) -> str:
    r"""Keep matplotlib from reading dollars as mathematics, and line breaks as such.

    >>> print(_literal("US$ a$"))
    US\$ a\$
    """
    return " ".join(str(text).split()).replace("$", r"\$")
