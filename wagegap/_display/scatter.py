"""Points with error ellipses and labels, and a line with its band.

An error ellipse of level p holds the points at Mahalanobis distance at most sqrt(-2 log(1 - p)) from the estimate, the
quantile of a chi-squared law with two degrees of freedom. An estimate with an error that is unknown is drawn hollow;
where that of the other coordinate is known, its interval is a bar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from wagegap._display.axes import (
    HAIR,
    PALETTE,
    Axes,
    Floats,
    checked_columns,
    draw_point,
    group_legend,
    grouped,
    literal,
    standing_out,
)
from wagegap._display.facts import Marks, note_marks, note_stroke
from wagegap._display.labels import label_points
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import CovarianceError, OptionError, listing, refuse_rows

__all__ = ["ellipses", "line_band"]


def ellipses(
    ax: Axes,
    x: Floats,
    y: Floats,
    cov: AnyArray,
    labels: Sequence[object],
    *,
    level: float = 0.95,
    groups: Sequence[object] | None = None,
    watch: Sequence[object] = (),
) -> Axes:
    """Draw points with error ellipses and labels that do not overlap.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    x, y : array-like of shape (n,)
        Estimates.
    cov : array-like of shape (n, 2, 2)
        Covariance of each (x, y); a NaN variance is unknown: the point is hollow, and has a bar, its interval, in the
        direction whose variance is known.
    labels : sequence of length n
        Names of points; empty for none.
    level : float
        Probability that an ellipse covers.
    groups : sequence of length n, optional
        Colour and shape of each point, with a legend.
    watch : sequence, optional
        Labels of points that stand out, in colour and bold; the others are grey.

    Returns
    -------
    Axes
        The same axes. Labels are placed when the figure is drawn, so that they fit whatever size and limits it has.

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
    >>> from wagegap._display.axes import new_axes
    >>> ax = ellipses(new_axes(4, 3), [0.25], [0.1], [[[0.01, 0.0], [0.0, 0.02]]], ["USA"])
    >>> len(ax.patches), [text.get_text() for text in ax.texts]
    (1, ['USA'])
    """
    from matplotlib.colors import to_rgba

    if not 0 < level < 1:
        raise OptionError(f"level={level!r} must lie between 0 and 1; 0.95 draws 95 % ellipses.")
    at_x, at_y = checked_columns(labels, x=x, y=y)
    matrices = _checked_cov(cov, labels)
    group, group_names = grouped(groups, len(at_x))
    # (p - m)' V^-1 (p - m) <= -2 log(1 - level), the quantile of chi-squared with 2 degrees of freedom
    reach = math.sqrt(-2.0 * math.log1p(-level))
    known = np.asarray(np.isfinite(matrices).all(axis=(1, 2)))
    fill = min(0.12, 1.0 / max(len(at_x), 1))
    watched = [i for i, label in enumerate(labels) if label in watch]
    colors_of_points = standing_out(group, watched, len(group_names) > 1)
    for i, color in enumerate(colors_of_points):
        if known[i]:
            colors = {"facecolor": to_rgba(color, fill), "edgecolor": to_rgba(color, 0.4)}
            _ellipse(ax, (at_x[i], at_y[i]), matrices[i], reach, colors)
        else:
            _bars(ax, at_x[i], at_y[i], NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(np.diag(matrices[i])), color)
        draw_point(ax, at_x[i], at_y[i], group=group[i], hollow=not known[i], area=16.0, color=color)
    spread = np.nan_to_num(matrices[:, [0, 1], [0, 1]]) > 0
    marks = Marks(
        "dot", list(map(str, labels)), {"x": at_x, "y": at_y}, level,
        int((known & spread.any(axis=1)).sum()), (~known[:, None] & spread).sum(axis=0).tolist(), int((~known).sum()),
        watched, group_names,
    )  # fmt: skip
    note_marks(ax, marks)
    ax.autoscale_view()
    ax.grid(color=HAIR, linewidth=0.6)
    group_legend(ax, group_names, hollow=not known.all())
    return label_points(ax, at_x, at_y, labels, watched=watched)


def _checked_cov(cov: AnyArray, labels: Sequence[object]) -> FloatArray:
    matrices = np.array(cov, dtype=float)
    n = len(labels)
    if matrices.shape != (n, 2, 2):
        raise CovarianceError(f"cov has shape {matrices.shape}; {n} points need ({n}, 2, 2).")
    variances = matrices[:, [0, 1], [0, 1]]
    known = np.isfinite(variances).all(axis=1)
    full = np.where(known[:, None, None], matrices, np.eye(2))
    scale = np.maximum(full[:, 0, 0] * full[:, 1, 1], 0.0)
    bad = (np.nan_to_num(variances) < 0).any(axis=1) | (full[:, 0, 1] ** 2 > scale * (1 + 1e-8))
    bad |= np.abs(full[:, 0, 1] - full[:, 1, 0]) > 1e-8 * np.sqrt(scale) + 1e-300
    unlike = " matrices are not covariances (not symmetric, or not positive semidefinite): "
    refuse_rows(bad, CovarianceError, "", f"{unlike}{listing(labels[int(i)] for i in np.flatnonzero(bad))}.")
    return matrices


def _ellipse(ax: Axes, centre: tuple[float, float], cov: FloatArray, reach: float, colors: dict[str, Any]) -> None:
    """The points whose Mahalanobis distance from the centre is `reach`: axes along the eigenvectors of V."""
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(cov)
    minor, major = (2.0 * reach * np.sqrt(np.maximum(values, 0.0))).tolist()
    angle = math.degrees(math.atan2(vectors[1, 1], vectors[0, 1]))
    ax.add_patch(Ellipse(centre, major, minor, angle=angle, linewidth=0.5, zorder=2, gid="wagegap-ellipse", **colors))


def _bars(ax: Axes, x: float, y: float, half: FloatArray, color: str) -> None:
    """Intervals of half these widths in the directions whose variance is known."""
    for across, up in np.diag(half)[np.isfinite(half)]:
        ax.plot([x - across, x + across], [y - up, y + up], color=color, alpha=0.45, linewidth=0.8, zorder=2)


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
    >>> from wagegap._display.axes import new_axes
    >>> ax = line_band(new_axes(3, 2), [1, 0], [0.2, 0.1], [0.1, 0.0], [0.3, 0.2])
    >>> ax.lines[0].get_xdata().tolist()
    [0.0, 1.0]
    """
    columns = checked_columns(range(len(np.asarray(x))), x=x, fit=fit, low=low, high=high)
    at, line, lower, upper = np.array(columns)[:, np.argsort(columns[0], kind="stable")]
    known = np.isfinite(lower) & np.isfinite(upper)
    if known.any():
        ax.fill_between(at, lower, upper, where=known.tolist(), color=color, alpha=0.14, linewidth=0, zorder=1.5)
    style, name = "-" if known.all() else "--", literal(label) if label else "_nolegend_"
    ax.plot(at, line, color=color, linewidth=1.4, linestyle=style, zorder=3, label=name)
    if label:
        note_stroke(ax, "line", label)
    return ax
