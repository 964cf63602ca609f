"""Figures of who moves: matrices of moves and of choices, cumulative incidence, effects beside each other.

They take estimates and frames, and know no stage, so that each result can draw itself and the doors of
`wagegap.figures` can put several beside each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.axes import (
    FAINT,
    INK,
    MEDIUM,
    PALETTE,
    SMALL,
    _literal,
    figure_of,
    intervals,
    line_band,
    new_axes,
)
from wagegap._display.heat import ERROR_GID, VALUE_GID, heat
from wagegap._display.panels import filled_lines, name_ends, new_panels
from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import DataError, OptionError, did_you_mean, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.units import unit_in_heading
from wagegap.panel.countries import country_name

__all__ = [
    "Curves",
    "Moves",
    "chosen_cells",
    "curves_of",
    "draw_effects",
    "draw_incidence",
    "draw_moves",
    "draw_pairs",
]

_PANELS, _LINES, _POINTS = 12, 8, 20
_DASHES = ("-", "--")


# cells ---------------------------------------------------------------------------------------------------------------


def chosen_cells(frame: pd.DataFrame, names: Sequence[str], keys: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of the cells that keys name; errors say what there is.

    Parameters
    ----------
    frame : DataFrame
        With the keys as columns.
    names : sequence of str
        Keys of cells.
    keys : mapping
        Value, or values in a list, of some of them.

    Raises
    ------
    OptionError
        For a key or a value that is not there.
    """
    for key, value in keys.items():
        if key not in names:
            there = f" Keys: {listing(names)}." if len(names) else " There is a single cell."
            raise OptionError(f"no key {key!r} of cells.{did_you_mean(key, names)}{there}")
        known = frame[key].drop_duplicates().tolist()
        values = list(value) if isinstance(value, list | tuple | set | np.ndarray) else [value]
        for one in values:
            if one not in known:
                raise OptionError(f"no cell {key}={one!r}.{did_you_mean(one, known)} There are: {listing(known, 12)}.")
        frame = frame[frame[key].isin(values)]
    return frame


def _cell_names(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """A name for each row: the values of its keys, countries written out."""
    if not keys:
        return [""] * len(frame)
    columns = [_written(frame[key].tolist()) for key in keys]
    return [" ".join(row) for row in zip(*columns, strict=True)]


def _written(values: Sequence[object]) -> list[str]:
    """Values as text; where all of them are codes of countries, their names ("CHE" can also be chemistry)."""
    plain = [_plain(value) for value in values]
    known = {value: country_name(value) for value in plain}
    return [known[value] for value in plain] if all(name != code for code, name in known.items()) else plain


def _plain(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Key that sorts the numbers in names as numbers: 9 before 10.

    >>> sorted(["field 10", "field 9", "b"], key=_natural)
    ['b', 'field 9', 'field 10']
    """
    parts = (part for part in re.split(r"(\d+)", text) if part)
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]


def _title(ax: Any, name: str) -> None:
    ax.set_title(_literal(name), loc="left", fontsize=MEDIUM, fontweight="bold", color=INK)


def _leftmost(ax: Any) -> bool:
    return bool(ax.get_subplotspec().is_first_col())


# matrices ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """Shares of origins by destination.

    Attributes
    ----------
    estimates : Estimates
        Keys of the cell, the origin, and the destination (the term), in shares.
    origin, destination : str
        Columns.
    cells : DataFrame
        Keys, origin and n.
    """

    estimates: Estimates
    origin: str
    destination: str
    cells: pd.DataFrame

    @property
    def keys(self) -> list[str]:
        """Keys of cells."""
        return [name for name in self.estimates.by if name != self.origin]


def draw_moves(moves: Moves, *, ax: Any = None, at_most: int = _PANELS, **keys: Any) -> Any:
    """Draw matrices of moves: shares in per cent, standard errors under them, stayers set off.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each cell where there are several.

    Raises
    ------
    OptionError
        For a cell that is not there, several where one is needed, or a number of cells below 1.
    """
    frame = moves.estimates.labels.assign(share=moves.estimates.values, error=moves.estimates.bse.to_numpy())
    frame = chosen_cells(frame, moves.keys, keys)
    frame = frame.assign(_cell=_cell_names(frame, moves.keys))
    cells = chosen_cells(moves.cells, moves.keys, keys)
    cells = cells.assign(_cell=_cell_names(cells, moves.keys))
    names = list(dict.fromkeys(frame["_cell"]))
    if ax is not None and len(names) > 1:
        raise OptionError(f"ax= holds one matrix and there are {len(names)} cells: name one by {listing(moves.keys)}.")
    if at_most < 1:
        raise OptionError(f"at_most={at_most!r} must be at least 1.")
    chosen, words = _largest(cells, names, at_most)
    matrices = {name: _matrix(moves, frame[frame["_cell"] == name], cells[cells["_cell"] == name]) for name in chosen}
    if len(chosen) == 1:
        return _one_matrix(moves, matrices[chosen[0]], chosen[0], ax)
    return _many_matrices(moves, matrices, words)


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """Names of rows and columns, shares in per cent and their errors (r, c), stayers, and rows behind each origin."""

    rows: list[str]
    columns: list[str]
    values: FloatArray
    errors: FloatArray
    stay: AnyArray
    n: list[str]


def _largest(cells: pd.DataFrame, names: list[str], at_most: int) -> tuple[list[str], str]:
    """Cells with most rows, in the order given, and what to say where there are more."""
    if len(names) <= at_most:
        return names, ""
    size = cells.groupby("_cell", sort=False)["n"].sum().reindex(names).fillna(0).to_numpy()
    order = np.sort(np.argsort(-size, kind="stable")[:at_most])
    return [names[int(i)] for i in order], f"The {at_most} largest of {len(names)} cells. "


def _matrix(moves: Moves, frame: pd.DataFrame, cells: pd.DataFrame) -> _Matrix:
    origins = sorted(frame[moves.origin].drop_duplicates().tolist(), key=lambda level: _natural(_plain(level)))
    columns = sorted(dict.fromkeys(moves.estimates.labels["term"].astype(str)), key=_natural)
    at = frame[moves.origin].map({level: i for i, level in enumerate(origins)}).to_numpy(dtype=int)
    to = frame["term"].astype(str).map({level: j for j, level in enumerate(columns)}).to_numpy(dtype=int)
    values, errors = (np.full((len(origins), len(columns)), np.nan) for _ in range(2))
    values[at, to], errors[at, to] = 100 * frame["share"].to_numpy(), 100 * frame["error"].to_numpy()
    errors[_exact(values)] = np.nan  # a formula's zero: it does not say that the share is known exactly
    stay = np.array([[_plain(a) == b for b in columns] for a in origins])
    if stay.sum() < len(origins) / 2:  # fields and occupations, say, that share a name by chance
        stay[:] = False
    count = cells.groupby(moves.origin)["n"].sum()
    n = [f"{int(count[level]):,}" if level in count.index else "" for level in origins]
    return _Matrix(_written(origins), _written(columns), values, errors, stay, n)


def _exact(values: FloatArray) -> BoolArray:
    """Which shares in per cent are nobody or everybody, up to rounding."""
    return np.asarray((np.abs(values) < 1e-9) | (np.abs(values - 100) < 1e-9))


def _one_matrix(moves: Moves, matrix: _Matrix, cell: str, ax: Any) -> Any:
    r, c = matrix.values.shape
    if ax is None:
        ax = new_axes(min(2.2 + 0.62 * max(c, 4), 12.0), min(1.9 + 0.42 * max(r, 3), 11.0))
    if cell:
        _title(ax, cell)
    return _drawn(ax, moves, matrix, None, _matrix_words(moves, [matrix], counts=True), counts=True)


def _many_matrices(moves: Moves, matrices: Mapping[str, _Matrix], words: str) -> AnyArray:
    """A panel for each cell, all on one scale; drawn twice, since the room of numbers depends on all names."""
    some = next(iter(matrices.values()))
    r, c = some.values.shape
    axes = new_panels(
        len(matrices), across=2 if c > 5 else 3, width=1.0 + 0.42 * max(c, 4), height=1.2 + 0.34 * max(r, 4)
    )
    limit = max(float(np.nanmax(np.where(m.stay, np.nan, m.values))) for m in matrices.values())
    figure, said = figure_of(axes[0]), words + _matrix_words(moves, list(matrices.values()), counts=False)
    _below(figure, f"{said} Standard errors have no room in the cells.")
    for _ in range(2):
        for ax, (name, matrix) in zip(axes, matrices.items(), strict=True):
            ax.clear()
            _drawn(ax, moves, matrix, limit or None, None, counts=False)
            _title(ax, name)
            if not _leftmost(ax):
                ax.set_ylabel("")
    _below(figure, f"{said} {_errors_words(axes, matrices.values())}".strip())
    return np.array(axes, dtype=object)


def _below(figure: Any, text: str) -> None:
    """Text under all panels."""
    figure.supxlabel(filled_lines(figure, text, float(figure.get_size_inches()[0])), fontsize=SMALL, color=INK)


def _errors_words(axes: Sequence[Any], matrices: Iterable[_Matrix]) -> str:
    """What a reader of several matrices is told of numbers and errors."""
    drawn = [{text.get_gid() for text in ax.texts} for ax in axes]
    if not all(VALUE_GID in gids for gids in drawn):
        return "Numbers have no room in the cells."
    known = [bool(np.isfinite(matrix.errors).any()) for matrix in matrices]
    if not any(known):
        return "Standard errors are unknown."
    inside = all(ERROR_GID in gids for gids, some in zip(drawn, known, strict=True) if some)
    return "Standard errors in brackets." if inside else "Standard errors have no room in the cells."


def _drawn(ax: Any, moves: Moves, matrix: _Matrix, limit: float | None, caption: str | None, *, counts: bool) -> Any:
    rows = [f"{name} ({n})" if n and counts else name for name, n in zip(matrix.rows, matrix.n, strict=True)]
    ax.set_ylabel(_literal(moves.origin.replace("_", " ")))
    return heat(
        ax, rows, matrix.columns, matrix.values, errors=matrix.errors, set_off=matrix.stay, limit=limit,
        decimals=1, caption=caption, unit="per cent",
    )  # fmt: skip


def _matrix_words(moves: Moves, matrices: Sequence[_Matrix], *, counts: bool) -> str:
    to, start = moves.destination.replace("_", " "), moves.origin.replace("_", " ")
    words = [f"Columns: {to}, in per cent of each {start}; rows sum to 100"]
    words += ["grey: those who stay, not on the scale of colours"] if any(m.stay.any() for m in matrices) else []
    exact = any(_exact(m.values).any() for m in matrices)
    known = any(np.isfinite(m.errors).any() for m in matrices)
    words += ["exactly 0 and 100 have no standard error"] if exact and known else []
    words += ["beside the names: how many"] if counts and any(any(m.n) for m in matrices) else []
    return "; ".join(words) + "."


def draw_pairs(estimates: Estimates, levels: Sequence[Any], *, what: str, ax: Any = None) -> Any:
    """Draw elasticities or substitution between alternatives as a matrix, the own ones set off.

    Parameters
    ----------
    estimates : Estimates
        With `alternative` and `changed` among the labels.
    levels : sequence
        Alternatives, in order.
    what : str
        What the numbers are.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    at = {level: i for i, level in enumerate(levels)}
    i, j = (estimates.labels[side].map(at).to_numpy(dtype=int) for side in ("alternative", "changed"))
    size, scale = len(levels), 100.0 if estimates.unit == "share" else 1.0
    values, errors = np.full((size, size), np.nan), np.full((size, size), np.nan)
    values[i, j], errors[i, j] = scale * estimates.values, scale * estimates.bse.to_numpy()
    if ax is None:
        ax = new_axes(min(2.2 + 0.62 * max(size, 4), 12.0), min(1.9 + 0.42 * max(size, 3), 11.0))
    names = _written(levels)
    own = np.eye(size, dtype=bool)
    ax.set_ylabel("share of")
    words = what + ("; grey: its own." if np.isfinite(values[own]).any() else ".")
    return heat(
        ax, names, names, values, errors=errors, set_off=own & np.isfinite(values),
        decimals=2 if scale == 1 else 1, caption=words, unit="per cent" if scale > 1 else "",
    )  # fmt: skip


# incidence -----------------------------------------------------------------------------------------------------------


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
    cells = np.array(_cell_names(frame, keys), dtype=object)
    whole = None if total is None else np.array(_cell_names(total, keys), dtype=object)
    made = []
    for cell in dict.fromkeys(cells):
        own = frame[cells == cell]
        lines = {str(exit): part for exit, part in own.groupby("exit", sort=False)}
        of_all = None if total is None or whole is None else total[whole == cell]
        made.append(Curves(" ".join(part for part in (name, cell) if part), lines, of_all, time))
    return made


def draw_incidence(curves: Sequence[Curves], *, words: str, stacked: bool = False, ax: Any = None) -> Any:
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
        ax = new_axes(6.3, 4.0) if ax is None else ax
        return _panel(ax, curves[0], words, stacked=stacked)
    if ax is not None:
        raise OptionError(f"ax= holds one panel and there are {len(curves)}: name one cell, or one exit in exit=.")
    if len(curves) > _PANELS:
        raise OptionError(f"there are {len(curves)} fits and cells, of which {_PANELS} can be drawn: name some.")
    axes = new_panels(len(curves), across=3 if len(curves) != 4 else 2, width=3.4, height=2.8, share=True)
    # Before anything is drawn: axes that share limits keep those of the first panel, and names are placed in pixels.
    axes[0].set_ylim(0.0, 1.05 * max(_highest(one, stacked=stacked) for one in curves))
    for one, panel in zip(curves, axes, strict=True):
        _panel(panel, one, "", stacked=stacked)
        if not _leftmost(panel):
            panel.set_ylabel("")
    _below(figure_of(axes[0]), f"black: any exit, {words}" if stacked else words)
    return np.array(axes, dtype=object)


def _highest(one: Curves, *, stacked: bool) -> float:
    """Largest value that a panel draws."""
    lines = [_columns(frame)[1:] for frame in one.lines.values()]
    if stacked:
        lines = [[np.sum([value for value, *_ in lines], axis=0)]]
        lines += [] if one.total is None else [_columns(one.total)[1:]]
    return float(np.nanmax(np.concatenate([column for line in lines for column in line])))


def _together(curves: Sequence[Curves], exit: str, words: str, ax: Any) -> Any:
    """Lines of one exit, of several fits or cells; where bands would hide each other, a bar at each point."""
    if len(curves) > _LINES:
        raise OptionError(f"there are {len(curves)} lines, of which {_LINES} can be told apart: name some cells.")
    ax = new_axes(6.3, 4.0) if ax is None else ax
    lines = {one.name: one.lines[exit] for one in curves}
    if len(lines) <= len(PALETTE):
        _lines(ax, lines)
    else:
        _barred_lines(ax, lines)
        words = words.replace("bands", "intervals")
    ax.set_ylabel(_literal(f"cumulative incidence of {exit.replace('_', ' ')}"))
    return _time_axis(ax, curves[0].time, words)


def _panel(ax: Any, one: Curves, words: str, *, stacked: bool) -> Any:
    if stacked:
        _areas(ax, one)
        words = f"black: any exit, {words}" if words else ""
    else:
        _lines(ax, one.lines)
    if one.name:
        _title(ax, one.name)
    ax.set_ylabel("cumulative incidence")
    return _time_axis(ax, one.time, words)


def _lines(ax: Any, lines: Mapping[str, pd.DataFrame]) -> None:
    """Lines with bands."""
    for i, frame in enumerate(lines.values()):
        time, value, low, high = _columns(frame)
        line_band(ax, time, value, low, high, color=_color(i))
        if i >= len(PALETTE):
            ax.lines[-1].set_linestyle(_dashes(i))
        if len(time) <= _POINTS:
            ax.plot(time, value, "o", color=_color(i), markersize=3, zorder=4)
    _end_lines(ax, lines)


def _barred_lines(ax: Any, lines: Mapping[str, pd.DataFrame]) -> None:
    """Lines with an interval at each point, each line a little beside the others."""
    periods = np.unique(np.concatenate([_columns(frame)[0] for frame in lines.values()]))
    step = float(np.diff(periods).min()) if len(periods) > 1 else 1.0
    for i, frame in enumerate(lines.values()):
        time, value, low, high = _columns(frame)
        at = time + 0.5 * step * ((i + 0.5) / len(lines) - 0.5)
        ax.plot(at, value, linestyle=_dashes(i), color=_color(i), linewidth=1.2, zorder=3)
        ax.plot(at, value, "o", color=_color(i), markersize=3, zorder=4)
        ax.vlines(at, low, high, color=_color(i), linewidth=0.8, alpha=0.7, zorder=2)
    _end_lines(ax, lines, 0.25 * step)


def _color(i: int) -> str:
    return PALETTE[i % len(PALETTE)]


def _dashes(i: int) -> str:
    return _DASHES[i // len(PALETTE) % len(_DASHES)]


def _end_lines(ax: Any, lines: Mapping[str, pd.DataFrame], beyond: float = 0.0) -> None:
    """Begin the axis at zero, and write names at the ends of lines."""
    ax.set_ylim(bottom=0.0)
    last = [_columns(frame) for frame in lines.values()]
    x, y = [float(time[-1]) + beyond for time, *_ in last], [float(value[-1]) for _, value, *_ in last]
    _ends(ax, list(lines), x, y, [_color(i) for i in range(len(last))])


def _areas(ax: Any, one: Curves) -> None:
    """Exits one upon the other, and the band of their sum."""
    time = _columns(next(iter(one.lines.values())))[0]
    below, middles, colors = np.zeros(len(time)), [], []
    for i, frame in enumerate(one.lines.values()):
        value = _columns(frame)[1]
        color = _color(i)
        ax.fill_between(time, below, below + value, color=color, alpha=0.55, linewidth=0, zorder=2)
        ax.plot(time, below + value, color="white", linewidth=0.8, zorder=2.5)
        middles.append(float(np.asarray(below + value / 2)[-1]))
        colors.append(color)
        below = below + value
    if one.total is not None:
        at, value, low, high = _columns(one.total)
        line_band(ax, at, value, low, high, color=PALETTE[3])
    ax.set_ylim(bottom=0.0)
    _ends(ax, list(one.lines), [float(time[-1])] * len(middles), middles, colors)


def _columns(frame: pd.DataFrame) -> list[FloatArray]:
    frame = frame.sort_values("time")
    return [frame[name].to_numpy(dtype=float) for name in ("time", "estimate", "conf_low", "conf_high")]


def _ends(ax: Any, names: Sequence[str], x: Sequence[float], y: Sequence[float], colors: Sequence[str]) -> None:
    if any(names):
        name_ends(ax, [name.replace("_", " ") for name in names], x, y, colors)


def _time_axis(ax: Any, time: str, words: str) -> Any:
    """Whole periods on the axis."""
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    said = time.replace("_", " ")
    ax.set_xlabel(f"{said}; {words}" if words else said)
    ax.spines["bottom"].set_color(FAINT)
    return ax


# effects -------------------------------------------------------------------------------------------------------------


def draw_effects(named: Mapping[str, Estimates], *, what: str, ax: Any = None, alpha: float = 0.05) -> Any:
    """Draw effects of regressors with intervals: a row for each, results and exits beside each other in it.

    Parameters
    ----------
    named : mapping of name to Estimates
        Each of one exit, or with exits among the labels; rows are terms, or cells and terms.
    what : str
        What they are, for the axis; `{of}` in it is where a regressor is named that all rows are of.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    alpha : float
        One minus the coverage.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        Results in two units.
    OptionError
        More groups than can be told apart.
    """
    units = list(dict.fromkeys(str(unit) for own in named.values() for unit in own.labels["unit"]))
    if len(units) > 1:
        raise DataError(f"one axis has one unit: the results are in {listing(units)}. Draw them apart.")
    frame = pd.concat([_rows(name, own, alpha) for name, own in named.items()], ignore_index=True)
    only = frame["term"].nunique() == 1 and bool((frame["cell"] != "").all())
    of = f" of {frame['term'].iloc[0]}" if only else ""
    groups = list(dict.fromkeys(frame["group"]))
    if len(groups) > _LINES:
        raise OptionError(f"there are {len(groups)} results and exits, of which {_LINES} can be told apart: name some.")
    labels = frame["cell"].tolist() if only else (frame["cell"] + " " + frame["term"]).str.strip().tolist()
    if ax is None:
        ax = new_axes(6.3, 1.0 + len(set(labels)) * max(0.25, 0.13 * len(groups)))
    shown = frame["group"].tolist() if len(groups) > 1 else None
    columns = [frame[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high")]
    ax = intervals(ax, labels, *columns, groups=shown, sizes="equal")
    known = bool(np.isfinite(columns[1]).any())
    said = f"{100 * (1 - alpha):g} % intervals" if known else "errors unknown"
    ax.set_xlabel(_literal(f"{what.replace('{of}', of)}{unit_in_heading(units[0])}, {said}"))
    return ax


def _rows(name: str, own: Estimates, alpha: float) -> pd.DataFrame:
    """Rows of one result: cell, term, group, and the interval."""
    frame = own.tidy(alpha)
    cells = _cell_names(frame, [key for key in own.by if key != "exit"])
    exits = frame["exit"].astype(str).tolist() if "exit" in frame else [""] * len(frame)
    groups = [", ".join(part for part in (name, exit) if part) for exit in exits]
    numbers = frame[["estimate", "conf_low", "conf_high"]]
    return numbers.assign(cell=cells, term=frame["term"].astype(str), group=groups)
