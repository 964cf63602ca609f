"""Marks of estimates: a colour and a shape for each group, hollow where the error is unknown, and a legend of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from wagegap._display.axes import INK, color_of, marker_of, put_legend
from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import DataError, listing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Floats", "checked_columns", "draw_point", "factorize", "group_legend", "grouped"]

Floats: TypeAlias = Sequence[float] | AnyArray

HOLLOW_NAME = "error unknown"


def checked_columns(labels: Sequence[object], **columns: Floats) -> tuple[FloatArray, ...]:
    """Return columns as arrays that have a value for each label; only `low` and `high` may be unknown.

    Raises
    ------
    DataError
        When lengths differ, or an estimate is missing or infinite.
    """
    arrays = []
    for name, values in columns.items():
        column = np.array(values, dtype=float)
        if column.shape != (len(labels),):
            raise DataError(f"{name} has shape {column.shape}; {len(labels)} labels need ({len(labels)},).")
        missing = ~np.isfinite(column)
        if name not in ("low", "high") and missing.any():
            names = listing(str(labels[int(i)]) for i in np.flatnonzero(missing))
            raise DataError(f"{int(missing.sum())} of {len(column)} values of {name} are missing or infinite: {names}.")
        arrays.append(column)
    return tuple(arrays)


def factorize(values: Sequence[object]) -> tuple[IntArray, list[str]]:
    """Positions of values among the different ones, and these as text in the order in which they first appear.

    >>> factorize(["b", "a", "b"])
    (array([0, 1, 0]), ['b', 'a'])
    """
    names = list(dict.fromkeys(str(value) for value in values))
    return np.array([names.index(str(value)) for value in values], dtype=np.intp), names


def grouped(groups: Sequence[object] | None, n: int) -> tuple[IntArray, list[str]]:
    """Group of each of n estimates by position, and names of groups; a single nameless one where none are given."""
    if groups is None:
        return np.zeros(n, dtype=np.intp), []
    if len(groups) != n:
        raise DataError(f"groups has {len(groups)} values; {n} labels need {n}.")
    return factorize(groups)


def draw_point(ax: Axes, x: float, y: float, *, group: int, hollow: bool, area: float) -> None:
    """Draw an estimate in the colour and shape of its group, hollow where its error is unknown."""
    color = color_of(group)
    ax.scatter(
        [x], [y], s=area, marker=marker_of(group), facecolors="white" if hollow else color,
        edgecolors=color if hollow else "white", linewidths=1.1 if hollow else 0.5, zorder=4,
    )  # fmt: skip


def group_legend(ax: Axes, names: Sequence[str], *, hollow: bool) -> Axes:
    """Explain shapes, colours and hollow markers, where there are any."""
    from matplotlib.lines import Line2D

    entries = [(name, color_of(at), marker_of(at), color_of(at)) for at, name in enumerate(names)]
    if hollow:
        entries.append((HOLLOW_NAME, INK, "o", "white"))
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markersize=5, markeredgecolor=edge, markerfacecolor=face)
        for _, edge, marker, face in entries
    ]
    return put_legend(ax, handles, [name for name, *_ in entries])
