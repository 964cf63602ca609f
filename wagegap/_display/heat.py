"""A matrix as cells of colour, with the number in each, and its standard error small under it.

Lightness alone carries the scale: from white to one dark blue where values have one sign, to a dark red on the other
side where they have two. So grey printers and colour-blind readers see the order, and the sign stands in the number.
Cells that are set off, such as the diagonal of those who stay, are grey with a frame, and do not stretch the scale of
the others. A number is black or white, whichever contrasts more with its cell (the ratio of the W3C's WCAG 2). Where
cells have no room for numbers these are left out, the standard errors first, and a bar explains the colours.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from wagegap._display.axes import INK, SMALL, Axes, apply_style, figure_of, literal, new_axes, styled
from wagegap._display.labels import put_caption, text_sizes
from wagegap._display.numbers import format_number, typographic
from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import DataError, OptionError

__all__ = ["ERROR_GID", "NO_ROOM", "VALUE_GID", "cell_colors", "contrasting", "heat", "told_of_errors"]

NEGATIVE, POSITIVE, SET_OFF, ABSENT = "#9B2F42", "#004488", "#E6E6E6", "#FFFFFF"
VALUE_GID, ERROR_GID, CELLS_GID = "wagegap-fixed-value", "wagegap-fixed-error", "wagegap-fixed-cells"
_SMALLEST, _UNDER = 5.5, 0.76
_FILL = 0.86
_LETTERS = 14
NO_ROOM = "Standard errors have no room in the cells."


def heat(  # noqa: PLR0913
    ax: Axes | None,
    rows: Sequence[str],
    columns: Sequence[str],
    values: FloatArray,
    *,
    errors: FloatArray | None = None,
    set_off: BoolArray | None = None,
    limit: float | None = None,
    decimals: int = 1,
    caption: str | None = "",
    unit: str = "",
    ylabel: str = "",
) -> Axes:
    """Draw a matrix as cells of colour with numbers.

    Parameters
    ----------
    ax : Axes or None
        Where to draw; new axes of a fitting size where None.
    rows, columns : sequence of str, lengths r and c
        Names.
    values : ndarray, shape (r, c)
        Values; NaN for an absent cell, which is struck through.
    errors : ndarray, shape (r, c), optional
        Standard errors, written under the values in brackets; NaN where unknown.
    set_off : ndarray of bool, shape (r, c), optional
        Cells that are grey with a frame, and outside the scale.
    limit : float, optional
        Absolute value of the darkest colour; the largest of the cells on the scale where absent.
    decimals : int
        Decimals of values; errors have the same. None where cells have room for whole numbers only.
    caption : str or None
        Text under the matrix; after it the reader is told of standard errors, and of what had no room. None where the
        caller says all.
    unit : str
        What the numbers are in, for the bar of colours.
    ylabel : str
        What rows are.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        When shapes differ, a value is infinite, or none is known.
    OptionError
        When the limit is not positive.

    Examples
    --------
    >>> from wagegap._display.axes import new_axes
    >>> ax = heat(new_axes(3, 3), ["a", "b"], ["a", "b"], np.array([[0.9, 0.1], [0.25, 0.75]]), decimals=2)
    >>> [text.get_text() for text in ax.texts]
    ['0.90', '0.10', '0.25', '0.75']
    """
    if limit is not None and not limit > 0:
        raise OptionError(f"limit={limit!r} must be positive.")
    matrix = _checked(rows, columns, values, errors, set_off)
    if ax is None:
        ax = new_axes(min(2.2 + 0.62 * max(len(columns), 4), 12.0), min(1.9 + 0.42 * max(len(rows), 3), 11.0))
    off = np.zeros(matrix.shape, dtype=bool) if set_off is None else np.asarray(set_off, dtype=bool)
    on_scale = matrix[np.isfinite(matrix) & ~off]
    top = limit or float(np.abs(on_scale).max(initial=0.0)) or 1.0
    colors = cell_colors(matrix, off, top)
    ax.set_ylabel(literal(ylabel))
    _cells(ax, matrix, colors, off)
    _frame(ax, rows, columns, caption)
    _name_cells(ax, rows, columns)
    _write_fitting(ax, matrix, errors, decimals, colors)
    if caption is not None:
        put_caption(ax, f"{caption} {told_of_errors([ax], [errors])}")
    if not any(text.get_gid() == VALUE_GID for text in ax.texts):
        _color_bar(ax, top, bool((on_scale < 0).any()), unit)
        _name_cells(ax, rows, columns)  # the bar has made cells narrower
    return ax


def cell_colors(values: FloatArray, set_off: BoolArray, top: float) -> FloatArray:
    """Colours of cells by their values over the largest, shape (r, c, 3); grey where set off, white where absent.

    >>> cell_colors(np.array([[0.0, 1.0]]), np.array([[False, False]]), 1.0).round(2).tolist()
    [[[1.0, 1.0, 1.0], [0.0, 0.27, 0.53]]]
    """
    from matplotlib.colors import to_rgb

    share = np.clip(np.nan_to_num(values) / top, -1.0, 1.0)[..., None]
    end = np.where(share < 0, np.array(to_rgb(NEGATIVE)), np.array(to_rgb(POSITIVE)))
    colors = 1.0 + np.abs(share) * (end - 1.0)
    colors[set_off] = to_rgb(SET_OFF)
    colors[~np.isfinite(values)] = to_rgb(ABSENT)
    return np.asarray(colors)


def contrasting(color: FloatArray) -> str:
    """Return the colour of text, dark or white, that contrasts more with its ground.

    >>> contrasting(np.array([1.0, 1.0, 1.0])), contrasting(np.array([0.0, 0.27, 0.53]))
    ('#222222', '#FFFFFF')
    """
    from matplotlib.colors import to_rgb

    ground, dark = _luminance(np.asarray(color, dtype=float)), _luminance(np.array(to_rgb(INK)))
    return "#FFFFFF" if 1.05 / (ground + 0.05) > (ground + 0.05) / (dark + 0.05) else INK


def _luminance(color: FloatArray) -> float:
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def _checked(
    rows: Sequence[str],
    columns: Sequence[str],
    values: FloatArray,
    errors: FloatArray | None,
    set_off: BoolArray | None,
) -> FloatArray:
    matrix = np.array(values, dtype=float)
    shape = (len(rows), len(columns))
    for name, given in (("values", matrix), ("errors", errors), ("set_off", set_off)):
        if given is not None and np.shape(given) != shape:
            raise DataError(f"{name} has shape {np.shape(given)}; {shape[0]} rows and {shape[1]} columns need {shape}.")
    if np.isinf(matrix).any():
        raise DataError(f"{int(np.isinf(matrix).sum())} of {matrix.size} cells are infinite.")
    if not np.isfinite(matrix).any():
        raise DataError("no cell of the matrix is known: there is nothing to draw.")
    return matrix


# cells ---------------------------------------------------------------------------------------------------------------


def _cells(ax: Axes, matrix: FloatArray, colors: FloatArray, set_off: BoolArray) -> None:
    from matplotlib.collections import PolyCollection

    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    boxes = [corners + np.array([j, i]) for i, j in np.ndindex(matrix.shape)]
    ax.add_collection(
        PolyCollection(boxes, facecolors=colors.reshape(-1, 3), edgecolors="white", linewidths=0.8, gid=CELLS_GID),
        autolim=False,
    )
    framed = [corners * 0.94 + np.array([j, i]) for i, j in np.argwhere(set_off)]
    if framed:
        ax.add_collection(
            PolyCollection(framed, facecolors="none", edgecolors=INK, linewidths=0.6, gid=CELLS_GID), autolim=False
        )
    for i, j in np.argwhere(~np.isfinite(matrix)):
        ax.plot([j - 0.3, j + 0.3], [i + 0.3, i - 0.3], color="#B0B0B0", linewidth=0.7)


def _frame(ax: Axes, rows: Sequence[str], columns: Sequence[str], caption: str | None) -> None:
    apply_style(ax)
    with styled():
        ax.set_yticks(range(len(rows)), [_wrapped(name) for name in rows])
        ax.set_xticks(range(len(columns)), [_wrapped(name) for name in columns])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(length=0, pad=4, labelcolor=INK, labelsize=SMALL)
    ax.spines[:].set_visible(False)
    if caption is not None:
        # as long as it can become, so that cells do not shrink once numbers are fitted to them
        put_caption(ax, f"{caption} {NO_ROOM}")


def _wrapped(name: str) -> str:
    return "\n".join(literal(line) for line in textwrap.wrap(name, _LETTERS) or [" "])


def _name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Turn the names of columns upright where they do not fit side by side; shrink what does not fit in a line."""
    with styled():
        if _excess(ax, ax.get_xticklabels(), 0) > 1:
            for break_name in (_wrapped, literal):
                ax.set_xticks(range(len(columns)), [break_name(name) for name in columns], rotation=90)
                if _excess(ax, ax.get_xticklabels(), 0) <= 1:
                    break
            _shrink(ax, ax.get_xticklabels(), 0)
        if _excess(ax, ax.get_yticklabels(), 1) > 1:
            ax.set_yticks(range(len(rows)), [literal(name) for name in rows])
            _shrink(ax, ax.get_yticklabels(), 1)


def _excess(ax: Axes, labels: Sequence[Any], side: int) -> float:
    """Largest width (0) or height (1) of labels over the room that a cell has for it."""
    return float(text_sizes(labels)[:, side].max() / (0.95 * _cell(ax)[side]))


def _shrink(ax: Axes, labels: Sequence[Any], side: int) -> None:
    excess = _excess(ax, labels, side)
    for label in labels if excess > 1 else ():
        label.set_fontsize(max(float(label.get_fontsize()) * 0.98 / excess, 4.0))


def _cell(ax: Axes) -> tuple[float, float]:
    """Width and height of a cell in pixels."""
    figure_of(ax).draw_without_rendering()
    box = ax.get_window_extent()
    return float(box.width / np.ptp(ax.get_xlim())), float(box.height / np.ptp(ax.get_ylim()))


# numbers -------------------------------------------------------------------------------------------------------------


def _write_fitting(ax: Axes, matrix: FloatArray, errors: FloatArray | None, decimals: int, colors: FloatArray) -> None:
    """Write numbers as large as fits: with their errors, else without, else whole ones, else none."""
    values = _written(matrix, decimals, "{}")
    trials: list[tuple[AnyArray, AnyArray | None]] = [(values, None)]
    if errors is not None and np.isfinite(errors).any():
        trials.insert(0, (values, _written(errors, decimals, "({})")))
    trials += [(_written(matrix, 0, "{}"), None)] if decimals > 0 else []
    for numbers, beneath in trials:
        size = _fitting_size(ax, numbers, beneath)
        if size > 0:
            _write(ax, numbers, beneath, size, colors)
            return


def _written(values: FloatArray, decimals: int, pattern: str) -> AnyArray:
    """Numbers as text; empty where unknown."""
    texts = np.full(np.shape(values), "", dtype=object)
    for i, j in np.argwhere(np.isfinite(values)):
        texts[i, j] = pattern.format(typographic(format_number(values[i, j], decimals=decimals)))
    return texts


def _fitting_size(ax: Axes, numbers: AnyArray, beneath: AnyArray | None) -> float:
    """Largest size at which numbers, and errors beneath them, fit their cells; 0 where that cannot be read."""
    smallest, (wide, high) = _SMALLEST, _extent(ax, numbers, SMALL)
    if beneath is not None:
        under = _extent(ax, beneath, SMALL * _UNDER)
        smallest, wide, high = _SMALLEST / 0.9, max(wide, under[0]), high + 1.1 * under[1]
    width, height = _cell(ax)
    size = SMALL * min(1.0, _FILL * width / wide, _FILL * height / high)
    return size if size >= smallest else 0.0


def _extent(ax: Axes, words: AnyArray, size: float) -> tuple[float, float]:
    """Width and height in pixels of the widest of some texts."""
    longest = sorted({str(word) for word in words.ravel()}, key=lambda word: (-len(word), word))[:6]
    with styled():
        texts = [ax.text(0.0, 0.0, word or "0", fontsize=size) for word in longest]
        width, height = text_sizes(texts).max(axis=0)
    for text in texts:
        text.remove()
    return float(width), float(height)


def _write(ax: Axes, numbers: AnyArray, beneath: AnyArray | None, size: float, colors: FloatArray) -> None:
    height = _cell(ax)[1] * 72 / figure_of(ax).dpi
    with styled():
        for i, j in np.argwhere(numbers != ""):
            under = "" if beneath is None else beneath[i, j]
            lift = 0.5 * size / height if under else 0.0
            options: dict[str, Any] = {"ha": "center", "va": "center", "color": contrasting(colors[i, j])}
            ax.text(j, i - lift, numbers[i, j], fontsize=size, gid=VALUE_GID, **options).set_in_layout(False)
            if under:
                ax.text(j, i + 1.3 * lift, under, fontsize=_UNDER * size, gid=ERROR_GID, **options).set_in_layout(False)


def told_of_errors(axes: Sequence[Axes], errors: Sequence[FloatArray | None]) -> str:
    """Say what stands in the cells of matrices drawn, in one sentence for all of them."""
    drawn = [{text.get_gid() for text in ax.texts} for ax in axes]
    if not all(VALUE_GID in gids for gids in drawn):
        return "Numbers have no room in the cells."
    if any(matrix is None for matrix in errors):
        return ""
    known = [bool(np.isfinite(np.asarray(matrix, dtype=float)).any()) for matrix in errors]
    if not any(known):
        return "Standard errors are unknown."
    inside = all(ERROR_GID in gids for gids, some in zip(drawn, known, strict=True) if some)
    return "Standard errors in brackets." if inside else NO_ROOM


def _color_bar(ax: Axes, top: float, signed: bool, unit: str) -> None:
    """A scale of the colours to the right."""
    bar = ax.inset_axes((1.03, 0.0, 0.035, 1.0))
    scale = np.linspace(-top if signed else 0.0, top, 128)
    colors = cell_colors(scale[:, None], np.zeros((128, 1), dtype=bool), top)
    bar.imshow(colors, aspect="auto", origin="lower", extent=(0.0, 1.0, float(scale[0]), top))
    bar.set_xticks([])
    bar.yaxis.tick_right()
    bar.yaxis.set_label_position("right")
    bar.tick_params(labelsize=SMALL - 1, labelcolor=INK, length=2, width=0.5)
    bar.set_ylabel(unit, fontsize=SMALL, color=INK)
    bar.spines[:].set_visible(False)
