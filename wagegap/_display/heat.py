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
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wagegap._display.axes import _STYLE, INK, SMALL, _literal, apply_style, figure_of
from wagegap._display.numbers import format_number
from wagegap._display.panels import filled
from wagegap._typing import AnyArray, BoolArray, FloatArray
from wagegap.errors import DataError, OptionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Text

__all__ = ["cell_colors", "contrasting", "heat"]

NEGATIVE, POSITIVE, SET_OFF, ABSENT = "#9B2F42", "#004488", "#E6E6E6", "#FFFFFF"
VALUE_GID, ERROR_GID = "wagegap-value", "wagegap-error"
_SMALLEST, _UNDER = 5.5, 0.76
_FILL = 0.86
_LETTERS = 14
_NO_ROOM = "Standard errors have no room in the cells."


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """What is written in cells (strings of shape (r, c), empty for none), and at which size; 0 for nothing."""

    values: AnyArray
    errors: AnyArray
    size: float
    with_errors: bool


def heat(  # noqa: PLR0913
    ax: Axes,
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
) -> Axes:
    """Draw a matrix as cells of colour with numbers.

    Parameters
    ----------
    ax : Axes
        Where to draw.
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

    Returns
    -------
    Axes
        The same axes.

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
    matrix = _checked(rows, columns, values, errors, set_off)
    off = np.zeros(matrix.shape, dtype=bool) if set_off is None else np.asarray(set_off, dtype=bool)
    on_scale = np.isfinite(matrix) & ~off
    top = float(np.abs(matrix[on_scale]).max(initial=0.0)) if limit is None else float(limit)
    if limit is not None and not limit > 0:
        raise OptionError(f"limit={limit!r} must be positive.")
    colors = cell_colors(matrix, off, top or 1.0)
    _cells(ax, matrix, colors, off)
    _frame(ax, rows, columns, caption)
    _name_cells(ax, rows, columns)
    numbers = _fitting(ax, _written(matrix, decimals, "{}"), _written(errors, decimals, "({})"))
    if numbers.size == 0 and decimals > 0:
        numbers = _fitting(ax, _written(matrix, 0, "{}"), _written(None, 0, ""))
    if caption is not None:
        _say(ax, f"{caption} {_errors_words(numbers, errors)}")
    if numbers.size == 0:
        _color_bar(ax, top or 1.0, bool((matrix[on_scale] < 0).any()), unit)
        _name_cells(ax, rows, columns)  # the bar has made cells narrower
    _write(ax, numbers, colors)
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

    r, c = matrix.shape
    at = [(i, j) for i in range(r) for j in range(c)]
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    boxes = [corners + np.array([j, i]) for i, j in at]
    ax.add_collection(
        PolyCollection(boxes, facecolors=colors.reshape(-1, 3), edgecolors="white", linewidths=0.8),
        autolim=False,
    )
    framed = [corners * 0.94 + np.array([j, i]) for i, j in at if set_off[i, j]]
    if framed:
        ax.add_collection(PolyCollection(framed, facecolors="none", edgecolors=INK, linewidths=0.6), autolim=False)
    for i, j in at:
        if not np.isfinite(matrix[i, j]):
            ax.plot([j - 0.3, j + 0.3], [i + 0.3, i - 0.3], color="#B0B0B0", linewidth=0.7)


def _frame(ax: Axes, rows: Sequence[str], columns: Sequence[str], caption: str | None) -> None:
    from matplotlib import rc_context

    apply_style(ax)
    with rc_context(_STYLE):
        ax.set_yticks(range(len(rows)), [_wrapped(name) for name in rows])
        ax.set_xticks(range(len(columns)), [_wrapped(name) for name in columns])
    ax.set_xlim(-0.5, len(columns) - 0.5)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(length=0, pad=4, labelcolor=INK, labelsize=SMALL)
    for spine in ax.spines.values():
        spine.set_visible(False)
    if caption is not None:
        # as long as it can become, so that cells do not shrink once numbers are fitted to them
        _say(ax, f"{caption} {_NO_ROOM}")


def _say(ax: Axes, text: str) -> None:
    """Write a text under the matrix that ends at its right edge, so that it has the room under the names of rows."""
    ax.set_xlabel(filled(ax, text), fontsize=SMALL, color=INK, x=1.0, ha="right")
    ax.xaxis.label.set_multialignment("left")


def _wrapped(name: str) -> str:
    return "\n".join(_literal(line) for line in textwrap.wrap(name, _LETTERS) or [" "])


def _name_cells(ax: Axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    """Turn the names of columns upright where they do not fit side by side; shrink what does not fit in a line."""
    from matplotlib import rc_context

    with rc_context(_STYLE):
        if _size(ax.get_xticklabels(), 0) > 0.95 * _cell(ax)[0]:
            ax.set_xticks(range(len(columns)), [_wrapped(name) for name in columns], rotation=90)
            if _size(ax.get_xticklabels(), 0) > 0.95 * _cell(ax)[0]:
                ax.set_xticks(range(len(columns)), [_literal(name) for name in columns], rotation=90)
            _shrink(ax.get_xticklabels(), _size(ax.get_xticklabels(), 0), _cell(ax)[0])
        if _size(ax.get_yticklabels(), 1) > 0.95 * _cell(ax)[1]:
            ax.set_yticks(range(len(rows)), [_literal(name) for name in rows])
            _shrink(ax.get_yticklabels(), _size(ax.get_yticklabels(), 1), _cell(ax)[1])


def _size(labels: Sequence[Text], side: int) -> float:
    """Largest width (0) or height (1) of labels in pixels."""
    return max(float(label.get_window_extent().size[side]) for label in labels)


def _shrink(labels: Sequence[Text], size: float, room: float) -> None:
    if size > 0.95 * room:
        for label in labels:
            label.set_fontsize(max(float(label.get_fontsize()) * 0.93 * room / size, 4.0))


def _cell(ax: Axes) -> tuple[float, float]:
    """Width and height of a cell in pixels."""
    figure_of(ax).draw_without_rendering()
    box = ax.get_window_extent()
    across, down = np.abs(np.diff(ax.get_xlim()))[0], np.abs(np.diff(ax.get_ylim()))[0]
    return float(box.width / across), float(box.height / down)


# numbers -------------------------------------------------------------------------------------------------------------


def _written(values: FloatArray | None, decimals: int, pattern: str) -> AnyArray:
    """Numbers as text; empty where unknown."""
    if values is None:
        return np.array([[""]])
    found = [
        [pattern.format(format_number(v, decimals=decimals, minus="sign")) if np.isfinite(v) else "" for v in row]
        for row in np.asarray(values, dtype=float)
    ]
    return np.array(found, dtype=object)


def _fitting(ax: Axes, values: AnyArray, errors: AnyArray) -> _Numbers:
    """Largest size at which numbers fit their cells, without errors where they fit only so."""
    width, height = _cell(ax)
    for with_errors in (True, False) if any(errors.ravel()) else (False,):
        wide, high = _extent(ax, values, SMALL)
        if with_errors:
            under = _extent(ax, errors, SMALL * _UNDER)
            wide, high = max(wide, under[0]), high + 1.1 * under[1]
        size = SMALL * min(1.0, _FILL * width / wide, _FILL * height / high)
        if size >= (_SMALLEST / 0.9 if with_errors else _SMALLEST):
            return _Numbers(values, errors, size, with_errors)
    return _Numbers(values, errors, 0.0, False)


def _extent(ax: Axes, words: AnyArray, size: float) -> tuple[float, float]:
    """Width and height in pixels of the widest of some texts."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    longest = sorted({str(word) for word in words.ravel()}, key=lambda word: (-len(word), word))[:6]
    with rc_context(_STYLE):
        texts = [ax.text(0.0, 0.0, word or "0", fontsize=size) for word in longest]
        boxes = [Text.get_window_extent(text) for text in texts]
    for text in texts:
        text.remove()
    return max(float(box.width) for box in boxes), max(float(box.height) for box in boxes)


def _errors_words(numbers: _Numbers, errors: FloatArray | None) -> str:
    """What a reader is told of numbers and their errors."""
    if numbers.size == 0:
        return "Numbers have no room in the cells."
    if errors is None:
        return ""
    if not np.isfinite(np.asarray(errors, dtype=float)).any():
        return "Standard errors are unknown."
    return "Standard errors in brackets." if numbers.with_errors else _NO_ROOM


def _write(ax: Axes, numbers: _Numbers, colors: FloatArray) -> None:
    from matplotlib import rc_context

    if numbers.size == 0:
        return
    r, c = numbers.values.shape
    height = _cell(ax)[1] * 72 / figure_of(ax).dpi
    with rc_context(_STYLE):
        for i, j in [(i, j) for i in range(r) for j in range(c) if numbers.values[i, j]]:
            ink = contrasting(colors[i, j])
            under = numbers.errors[i, j] if numbers.with_errors else ""
            lift = 0.5 * numbers.size / height if under else 0.0
            ax.text(j, i - lift, numbers.values[i, j], ha="center", va="center", fontsize=numbers.size, color=ink,
                    gid=VALUE_GID).set_in_layout(False)  # fmt: skip
            if under:
                ax.text(j, i + 1.3 * lift, under, ha="center", va="center", fontsize=_UNDER * numbers.size, color=ink,
                        gid=ERROR_GID).set_in_layout(False)  # fmt: skip


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
    for spine in bar.spines.values():
        spine.set_visible(False)
