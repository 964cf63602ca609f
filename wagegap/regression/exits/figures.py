"""Cumulative incidence of exits: lines with bands, or areas, a panel for each fit and cell, or all for one exit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.axes import (
    FAINT,
    PALETTE,
    color_of,
    figure_of,
    is_leftmost,
    literal,
    name_axes,
    new_axes,
    new_panels,
    title_panel,
)
from wagegap._display.facts import note_stroke
from wagegap._display.labels import name_ends, write_below
from wagegap._display.numbers import format_key, spaced
from wagegap._display.scales import scale_axis
from wagegap._display.scatter import line_band
from wagegap._typing import AxesLike, FloatArray
from wagegap.errors import OptionError
from wagegap.estimation.units import level_of
from wagegap.regression.figures import MOST_LINES, cell_names

__all__ = ["Curves", "curves_of", "draw_incidence"]

_PANELS, _POINTS, _TICKS = 12, 20, 6
_DASHES = ("-", "--")


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """Cumulative incidence of the exits of one cell.

    Attributes
    ----------
    name : str
        Name of the fit and cell.
    lines : dict of str to DataFrame
        By exit: time, estimate, conf_low and conf_high.
    total : DataFrame or None
        Incidence of any exit, likewise; for stacked areas.
    time : str
        What time is called.
    """

    name: str
    lines: Mapping[str, pd.DataFrame]
    total: pd.DataFrame | None
    time: str


def curves_of(
    name: str, frame: pd.DataFrame, keys: Sequence[str], total: pd.DataFrame | None, *, time: str
) -> list[Curves]:
    """Part bands of incidence into cells and exits.

    Parameters
    ----------
    name : str
        What the fit is called.
    frame : DataFrame
        Keys, exit, time, estimate, conf_low and conf_high.
    keys : sequence of str
        Keys of cells.
    total : DataFrame or None
        Likewise, of any exit.
    time : str
        What time is called.

    Returns
    -------
    list of Curves
        One for each cell.
    """
    cells = np.array(cell_names(frame, keys), dtype=object)
    curves = []
    for cell in dict.fromkeys(cells):
        lines = {str(exit): part for exit, part in frame[cells == cell].groupby("exit", sort=False)}
        of_all = None if total is None else total[np.array(cell_names(total, keys), dtype=object) == cell]
        curves.append(Curves(" ".join(filter(None, (name, cell))), lines, of_all, time))
    return curves


def draw_incidence(curves: Sequence[Curves], *, words: str, stacked: bool = False, ax: AxesLike = None) -> Any:
    """Draw curves: those of one exit together, others a panel for each fit and cell, on the same axes' limits.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each fit and cell where there are several exits, or areas.

    Raises
    ------
    OptionError
        Where there are more lines or panels than can be told apart, or several panels for the axes given.
    """
    exits = list(dict.fromkeys(name for one in curves for name in one.lines))
    if len(curves) > 1 and len(exits) == 1 and not stacked:
        return _together(curves, exits[0], words, ax)
    if len(curves) == 1:
        return _panel(new_axes(6.3, 4.0) if ax is None else ax, curves[0], words, stacked=stacked)
    if ax is not None:
        raise OptionError(f"ax= holds one panel and there are {len(curves)}: name one cell, or one exit in exit=.")
    if len(curves) > _PANELS:
        raise OptionError(f"there are {len(curves)} fits and cells, of which {_PANELS} can be drawn: name some.")
    axes = new_panels(len(curves), across=3 if len(curves) != 4 else 2, width=3.4, height=2.8, share=True)
    # Before anything is drawn: axes that share limits keep those of the first panel, and names are placed in pixels.
    axes[0].set_ylim(0.0, 1.05 * max(_highest(one, stacked=stacked) for one in curves))
    for one, panel in zip(curves, axes, strict=True):
        _panel(panel, one, "", stacked=stacked)
        if not is_leftmost(panel):
            panel.set_ylabel("")
    write_below(figure_of(axes[0]), f"black: any exit, {words}" if stacked else words)
    return np.array(axes, dtype=object)


def _highest(one: Curves, *, stacked: bool) -> float:
    """Largest value that a panel draws."""
    lines = _arrays(one).values()
    drawn = [line[1:].ravel() for line in lines]
    if stacked:
        sums = np.sum([line[1] for line in lines], axis=0)
        drawn = [sums] if one.total is None else [sums, _columns(one.total)[1:].ravel()]
    return float(np.nanmax(np.concatenate(drawn)))


def _together(curves: Sequence[Curves], exit: str, words: str, ax: Any) -> Any:
    """Lines of one exit, of several fits or cells; where bands would hide each other, a bar at each point."""
    if len(curves) > MOST_LINES:
        raise OptionError(f"there are {len(curves)} lines, of which {MOST_LINES} can be told apart: name some cells.")
    ax = new_axes(6.3, 4.0) if ax is None else ax
    lines = {one.name: _columns(one.lines[exit]) for one in curves}
    if len(lines) <= len(PALETTE):
        _lines(ax, lines)
    else:
        _barred_lines(ax, lines)
        words = words.replace("bands", "intervals")
    scale_axis(ax, "y", f"cumulative incidence of {spaced(exit)}", level_of("share"))
    return _time_axis(ax, curves[0], words)


def _panel(ax: Any, one: Curves, words: str, *, stacked: bool) -> Any:
    if stacked:
        _areas(ax, one)
        words = f"black: any exit, {words}" if words else ""
    else:
        _lines(ax, _arrays(one))
    if one.name:
        title_panel(ax, one.name)
    scale_axis(ax, "y", "cumulative incidence", level_of("share"))
    return _time_axis(ax, one, words)


def _lines(ax: Any, lines: Mapping[str, FloatArray]) -> None:
    """Lines with bands."""
    for i, line in enumerate(lines.values()):
        line_band(ax, *line, color=color_of(i))
        if i >= len(PALETTE):
            ax.lines[-1].set_linestyle(_dashes(i))
        if line.shape[1] <= _POINTS:
            ax.plot(*line[:2], "o", color=color_of(i), markersize=3, zorder=4)
    _name_ends(ax, lines, np.array([line[:2, -1] for line in lines.values()]))


def _barred_lines(ax: Any, lines: Mapping[str, FloatArray]) -> None:
    """Lines with an interval at each point, each line a little beside the others."""
    periods = np.unique(np.concatenate([time for time, *_ in lines.values()]))
    step = float(np.diff(periods).min()) if len(periods) > 1 else 1.0
    for i, (time, value, low, high) in enumerate(lines.values()):
        at = time + 0.5 * step * ((i + 0.5) / len(lines) - 0.5)
        ax.plot(at, value, linestyle=_dashes(i), color=color_of(i), linewidth=1.2, zorder=3)
        ax.plot(at, value, "o", color=color_of(i), markersize=3, zorder=4)
        ax.vlines(at, low, high, color=color_of(i), linewidth=0.8, alpha=0.7, zorder=2)
    _name_ends(ax, lines, np.array([line[:2, -1] + (0.25 * step, 0.0) for line in lines.values()]))


def _areas(ax: Any, one: Curves) -> None:
    """Exits one upon the other, and the band of their sum."""
    time, values = np.array([line[:2] for line in _arrays(one).values()]).transpose(1, 0, 2)
    tops = np.cumsum(values, axis=0)
    for i, (top, value) in enumerate(zip(tops, values, strict=True)):
        ax.fill_between(time[0], top - value, top, color=color_of(i), alpha=0.55, linewidth=0, zorder=2)
        ax.plot(time[0], top, color="white", linewidth=0.8, zorder=2.5)
    if one.total is not None:
        line_band(ax, *_columns(one.total), color=PALETTE[3])
    _name_ends(ax, one.lines, np.column_stack([time[:, -1], (tops - values / 2)[:, -1]]))


def _arrays(one: Curves) -> dict[str, FloatArray]:
    """Lines of a panel as `_columns`, by exit."""
    return {exit: _columns(frame) for exit, frame in one.lines.items()}


def _dashes(i: int) -> str:
    return _DASHES[i // len(PALETTE) % len(_DASHES)]


def _columns(frame: pd.DataFrame) -> FloatArray:
    """Time, of text its place, estimate and both ends of the interval, in the order of time, shape (4, n)."""
    time = frame["time"].cat.codes if isinstance(frame["time"].dtype, pd.CategoricalDtype) else frame["time"]
    ordered = frame.assign(time=time).sort_values("time")
    return ordered[["time", "estimate", "conf_low", "conf_high"]].to_numpy(dtype=float).T


def _name_ends(ax: Any, names: Iterable[str], ends: FloatArray) -> None:
    """Begin the axis at zero, and write names where lines end, at points of shape (n, 2)."""
    ax.set_ylim(bottom=0.0)
    shown = [spaced(name) for name in names]
    for name in filter(None, shown):
        note_stroke(ax, "line", name)
    if any(shown):
        name_ends(ax, shown, ends[:, 0].tolist(), ends[:, 1].tolist(), [color_of(i) for i in range(len(shown))])


def _time_axis(ax: Any, one: Curves, words: str) -> Any:
    """Whole periods on the axis, by their names where they are text."""
    from matplotlib.ticker import MaxNLocator

    time = next(iter(one.lines.values()))["time"].dtype
    if isinstance(time, pd.CategoricalDtype):
        every = -(-len(time.categories) // _TICKS)
        names = [literal(format_key(name)) for name in time.categories[::every]]
        ax.set_xticks(range(0, len(time.categories), every), names)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=_TICKS, integer=True, min_n_ticks=1))
    name_axes(ax, x=f"{spaced(one.time)}; {words}" if words else spaced(one.time))
    ax.spines["bottom"].set_color(FAINT)
    return ax
