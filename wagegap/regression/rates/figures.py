"""Matrices of moves: shares in per cent with their standard errors, origins in rows, those who stay set off."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.axes import figure_of, is_leftmost, new_panels, title_panel
from wagegap._display.heat import NO_ROOM, heat, told_of_errors
from wagegap._display.labels import write_below
from wagegap._display.numbers import format_key, spaced
from wagegap._typing import AnyArray, AxesLike, BoolArray, FloatArray
from wagegap.errors import OptionError, check_count, listing
from wagegap.estimation.estimates import Estimates
from wagegap.regression.figures import cell_names, chosen_cells, written

__all__ = ["draw_moves"]

_PANELS = 12


@dataclass(frozen=True, slots=True, eq=False)
class _Matrix:
    """Moves of one cell.

    Attributes
    ----------
    cell : str
        Its name.
    rows, columns : list of str
        Names of origins and destinations.
    values, errors : ndarray, shape (r, c)
        Shares in per cent and their standard errors.
    stay : ndarray of bool, shape (r, c)
        Those who stay.
    n : list of str
        How many stand behind each origin.
    """

    cell: str
    rows: list[str]
    columns: list[str]
    values: FloatArray
    errors: FloatArray
    stay: BoolArray
    n: list[str]


def draw_moves(
    estimates: Estimates, cells: pd.DataFrame, *, origin: str, destination: str, at_most: int = _PANELS,
    ax: AxesLike = None, keys: Mapping[str, Any],
) -> Any:  # fmt: skip
    """Draw matrices of moves: shares in per cent, standard errors under them, stayers set off.

    Parameters
    ----------
    estimates : Estimates
        Keys of the cell, the origin, and the destination (the term), in shares.
    cells : DataFrame
        Keys, origin and n.
    origin, destination : str
        Columns.
    at_most : int
        Cells drawn where there are several, those with most rows.
    ax : Axes, optional
        Where to draw one matrix.
    keys : mapping
        Value, or values, of keys of the cells to draw; all where empty.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each cell where there are several.

    Raises
    ------
    OptionError
        For a cell that is not there, several where one is needed, or a number of cells below 1.
    """
    by = [name for name in estimates.by if name != origin]
    frame = estimates.labels.assign(share=estimates.values, error=estimates.bse.to_numpy())
    frame, cells = (chosen_cells(one, by, keys).assign(_cell=lambda f: cell_names(f, by)) for one in (frame, cells))
    names = list(dict.fromkeys(frame["_cell"]))
    if ax is not None and len(names) > 1:
        raise OptionError(f"ax= holds one matrix and there are {len(names)} cells: name one by {listing(by)}.")
    check_count("at_most", at_most)
    columns = sorted(dict.fromkeys(estimates.labels["term"].astype(str)), key=_natural)
    matrices = [
        _matrix(name, frame[frame["_cell"] == name], cells[cells["_cell"] == name], origin, columns)
        for name in _largest(cells, names, at_most)
    ]
    if len(matrices) == 1:
        return _one_matrix(matrices[0], origin, destination, ax)
    chosen = f"The {at_most} largest of {len(names)} cells. " if len(names) > at_most else ""
    return _many_matrices(matrices, origin, destination, chosen)


def _largest(cells: pd.DataFrame, names: list[str], at_most: int) -> list[str]:
    """Cells with most rows, in the order given."""
    size = cells.groupby("_cell", sort=False)["n"].sum().reindex(names).fillna(0)
    return [name for name in names if name in size.nlargest(at_most).index]


def _matrix(cell: str, frame: pd.DataFrame, cells: pd.DataFrame, origin: str, columns: list[str]) -> _Matrix:
    origins = sorted(frame[origin].drop_duplicates().tolist(), key=lambda level: _natural(format_key(level)))
    at = [origins.index(level) for level in frame[origin]], [columns.index(str(term)) for term in frame["term"]]
    values, errors = np.full((2, len(origins), len(columns)), np.nan)
    values[at], errors[at] = 100 * frame[["share", "error"]].to_numpy().T
    errors[_exact(values)] = np.nan  # a formula's zero: it does not say that the share is known exactly
    stay = np.array([[format_key(level) == term for term in columns] for level in origins])
    if stay.sum() < len(origins) / 2:  # fields and occupations, say, that share a name by chance
        stay[:] = False
    count = cells.groupby(origin)["n"].sum()
    n = [f"{int(count[level]):,}" if level in count.index else "" for level in origins]
    return _Matrix(cell, written(origins), written(columns), values, errors, stay, n)


def _exact(values: FloatArray) -> BoolArray:
    """Which shares in per cent are nobody or everybody, up to rounding."""
    return np.asarray((np.abs(values) < 1e-9) | (np.abs(values - 100) < 1e-9))


def _one_matrix(matrix: _Matrix, origin: str, destination: str, ax: Any) -> Any:
    rows = [f"{name} ({n})" if n else name for name, n in zip(matrix.rows, matrix.n, strict=True)]
    caption = _caption([matrix], origin, destination)
    counts = "; beside the names: how many" if any(matrix.n) else ""
    ax = _drawn(ax, replace(matrix, rows=rows), origin, None, f"{caption}{counts}.")
    if matrix.cell:
        title_panel(ax, matrix.cell)
    return ax


def _many_matrices(matrices: Sequence[_Matrix], origin: str, destination: str, chosen: str) -> AnyArray:
    """A panel for each cell, all on one scale; drawn twice, since the room of numbers depends on all names."""
    r, c = matrices[0].values.shape
    across, width, height = 2 if c > 5 else 3, 1.0 + 0.42 * max(c, 4), 1.2 + 0.34 * max(r, 4)
    axes = new_panels(len(matrices), across=across, width=width, height=height)
    limit = max(float(np.nanmax(np.where(matrix.stay, np.nan, matrix.values))) for matrix in matrices)
    figure, caption = figure_of(axes[0]), f"{chosen}{_caption(matrices, origin, destination)}."
    write_below(figure, f"{caption} {NO_ROOM}")
    for _ in range(2):
        for ax, matrix in zip(axes, matrices, strict=True):
            ax.clear()
            _drawn(ax, matrix, origin, limit or None, None)
            title_panel(ax, matrix.cell)
            if not is_leftmost(ax):
                ax.set_ylabel("")
    write_below(figure, f"{caption} {told_of_errors(axes, [matrix.errors for matrix in matrices])}".strip())
    return np.array(axes, dtype=object)


def _drawn(ax: Any, matrix: _Matrix, origin: str, limit: float | None, caption: str | None) -> Any:
    return heat(
        ax, matrix.rows, matrix.columns, matrix.values, errors=matrix.errors, set_off=matrix.stay, limit=limit,
        caption=caption, unit="per cent", ylabel=spaced(origin),
    )  # fmt: skip


def _caption(matrices: Sequence[_Matrix], origin: str, destination: str) -> str:
    values, errors = (np.concatenate([getattr(one, name).ravel() for one in matrices]) for name in ("values", "errors"))
    stay = any(matrix.stay.any() for matrix in matrices)
    remarks = {
        f"Columns: {spaced(destination)}, in per cent of each {spaced(origin)}; rows sum to 100": True,
        "grey: those who stay, not on the scale of colours": stay,
        "exactly 0 and 100 have no standard error": _exact(values).any() and np.isfinite(errors).any(),
    }
    return "; ".join(remark for remark, applies in remarks.items() if applies)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Key that sorts the numbers in names as numbers: 9 before 10.

    >>> sorted(["field 10", "field 9", "b"], key=_natural)
    ['b', 'field 9', 'field 10']
    """
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part]
