"""Axes that look alike: colours, shapes, sizes of text, one or several axes on a figure, legends above them.

Estimates are marked by a colour and a shape for each group, hollow where the error is unknown.

Nothing here touches pyplot, the settings of matplotlib, or the clock: the same figure is the same file, byte for byte.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from wagegap._display.spec import plain
from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import DataError, OptionError, listing, refuse_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
else:
    Axes = Figure = Any  # matplotlib is loaded where something is drawn

__all__ = [
    "FONT",
    "MARKERS",
    "OTHERS",
    "PALETTE",
    "WATCHED",
    "Axes",
    "Figure",
    "Floats",
    "apply_style",
    "checked_columns",
    "color_of",
    "draw_point",
    "factorize",
    "figure_of",
    "group_legend",
    "grouped",
    "is_leftmost",
    "literal",
    "marker_of",
    "name_axes",
    "name_rows",
    "new_axes",
    "new_panels",
    "put_legend",
    "standing_out",
    "styled",
    "title_panel",
    "written",
]

Floats: TypeAlias = Sequence[float] | AnyArray

PALETTE = ("#004488", "#BB5566", "#DDAA33", "#1A1A1A")
"""Colours that differ in lightness, so that neither colour blindness nor a grey printer confuses them (after Tol)."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
"""A shape for each group beside its colour."""

WATCHED, OTHERS = "#C2410C", "#9AA3AD"
"""Colours of those that stand out, and of the others beside them; in grey they differ by lightness and bold text."""

INK = "#222222"
FAINT = "#8A8A8A"
HAIR = "#E3E3E3"
LEADER = "#4A4A4A"
FONT = "DejaVu Sans"
"""The font that figures are set in; it comes with matplotlib, so that texts are as wide everywhere."""
SMALL, MEDIUM = 8.0, 9.0
_BESIDE_AXES, _SIGN_LETTERS = 48.0, 6
"""Points left of axes, and letters that the sign of a legend's entry takes."""

_STYLE: Any = {
    "text.usetex": False,
    "font.family": FONT,
    "font.size": MEDIUM,
    "axes.unicode_minus": True,
    "svg.hashsalt": "wagegap",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
    "savefig.bbox": None,
    "savefig.transparent": False,
}


def styled() -> AbstractContextManager[None]:
    """Return a context in which matplotlib has the settings of this package, whatever the user's are."""
    from matplotlib import rc_context

    return rc_context(_STYLE)


def color_of(group: int) -> str:
    """Colour of a group by its position."""
    return PALETTE[group % len(PALETTE)]


def marker_of(group: int) -> str:
    """Shape of a group by its position."""
    return MARKERS[group % len(MARKERS)]


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
    return new_panels(1, across=1, width=width, height=height)[0]


def new_panels(n: int, *, across: int, width: float, height: float, share: bool = False) -> list[Axes]:
    """Make n axes on a figure of their own, in rows, without pyplot.

    Parameters
    ----------
    n : int
        Number of axes.
    across : int
        Most axes in a row.
    width, height : float
        Size of each in inches.
    share : bool
        Whether all have the same limits.

    Returns
    -------
    list of Axes
        Styled axes; their figure is `axes[0].figure`.

    Examples
    --------
    >>> panels = new_panels(3, across=2, width=3, height=2)
    >>> len(panels), [float(side) for side in panels[0].figure.get_size_inches()]
    (3, [6.0, 4.0])
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    if n < 1 or across < 1 or not (width > 0 and height > 0):
        raise OptionError(f"{n} panels, {across} in a row, {width!r} by {height!r} inches: all must be positive.")
    columns = min(n, across)
    rows = math.ceil(n / columns)
    with styled():
        figure = Figure(figsize=(width * columns, height * rows), dpi=100, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        axes: list[Axes] = []
        for i in range(n):
            first = axes[0] if share and axes else None
            axes.append(apply_style(figure.add_subplot(rows, columns, i + 1, sharex=first, sharey=first)))
    return axes


def apply_style(ax: Axes) -> Axes:
    """Give axes the look of this package: two thin spines, small dark text, no frame.

    >>> ax = apply_style(new_axes(3, 2))
    >>> ax.spines["top"].get_visible()
    False
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.6)
    ax.tick_params(colors=FAINT, labelcolor=INK, labelsize=SMALL, width=0.6, length=3, direction="out",
                   labelfontfamily=FONT)  # fmt: skip
    ax.set_facecolor("white")
    ax.set_axisbelow(True)
    for text, size in ((ax.xaxis.label, MEDIUM), (ax.yaxis.label, MEDIUM), (ax.title, MEDIUM + 1)):
        text.set(color=INK, fontsize=size)
    ax.title.set_fontweight("semibold")
    return ax


def figure_of(ax: Axes) -> Figure:
    """Return the outermost figure of axes, also of axes in a subfigure."""
    from matplotlib.figure import Figure

    figure: Any = ax.figure
    while not isinstance(figure, Figure):
        figure = figure.figure
    return figure


def literal(text: object) -> str:
    r"""Keep matplotlib from reading dollars as mathematics, and line breaks and control characters as such.

    >>> print(literal("US$ a$"))
    US\$ a\$
    """
    return plain(text).replace("$", r"\$")


def written(text: str) -> str:
    r"""Return what `literal` was given, in one line.

    >>> print(written(literal("US$ a$")))
    US$ a$
    """
    return plain(text.replace(r"\$", "$"))


def name_axes(ax: Axes, *, x: str | None = None, y: str | None = None) -> Axes:
    r"""Name axes by text that stands for itself, whatever is in it; of its characters line breaks alone are obeyed.

    >>> print(name_axes(new_axes(3, 2), x="pay ($ and $)").get_xlabel())
    pay (\$ and \$)
    """
    for name, write in ((x, ax.set_xlabel), (y, ax.set_ylabel)):
        if name is not None:
            write("\n".join(literal(line) for line in name.split("\n")))
    return ax


def name_rows(ax: Axes, names: Sequence[str], *, watched: Sequence[int] = (), bold: Sequence[int] = ()) -> None:
    """Name the rows 0, 1, ... of axes that are read from the top, without a spine beside the names; some in colour."""
    with styled():
        ax.set_yticks(range(len(names)), [literal(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, pad=6, labelcolor=INK, labelsize=SMALL)
    for row in (*watched, *bold):
        ax.get_yticklabels()[row].set(color=WATCHED if row in watched else INK, fontweight="bold")
    ax.spines["left"].set_visible(False)


def title_panel(ax: Axes, text: str) -> None:
    """Write what a panel shows above its left edge."""
    ax.set_title(literal(text), loc="left", fontsize=MEDIUM, fontweight="bold", color=INK)


def is_leftmost(ax: Axes) -> bool:
    """Whether axes stand in the first column of a figure of panels."""
    spec = ax.get_subplotspec()
    return spec is None or spec.is_first_col()


def put_legend(ax: Axes, handles: Sequence[Any], names: Sequence[str]) -> Axes:
    """Put a legend above axes, in as many rows as its names need; what a legend explained before follows.

    Parameters
    ----------
    ax : Axes
        Axes.
    handles : sequence of artists
        What is explained; where there are none there is no legend.
    names : sequence of str
        Their names; one that begins with an underscore is shown like others.

    Returns
    -------
    Axes
        The same axes.
    """
    earlier = ax.get_legend()
    if not handles and earlier is None:
        return ax
    if earlier is not None:
        before = [*zip(earlier.legend_handles, (written(text.get_text()) for text in earlier.get_texts()), strict=True)]
        kept = [(handle, name) for handle, name in before if name not in names]
        handles, names = [*handles, *(handle for handle, _ in kept)], [*names, *(name for _, name in kept)]
    letters = _legend_letters(ax)
    broken = ["\n".join(map(literal, textwrap.wrap(name, letters) or [name])) for name in names]
    shown = [f" {text}" if text.startswith("_") else text for text in broken]
    # As many entries as fit a row, in rows of about the same number.
    longest = max(len(line) for text in shown for line in text.split("\n"))
    fitting = max((letters + _SIGN_LETTERS) // (longest + _SIGN_LETTERS), 1)
    rows = math.ceil(len(shown) / fitting)
    with styled():
        ax.legend(
            handles, shown, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=math.ceil(len(shown) / rows),
            frameon=False, fontsize=SMALL, labelcolor=INK, handletextpad=0.4, columnspacing=1.2,
            borderaxespad=0.2,
        )  # fmt: skip
    return ax


def _legend_letters(ax: Axes) -> int:
    """Letters of a legend's entry that fit between the left edge of axes and the right edge of their figure."""
    spec, points = ax.get_subplotspec(), 72.0 * float(figure_of(ax).get_size_inches()[0])
    columns = 1 if spec is None else spec.get_gridspec().ncols / len(spec.colspan)
    return max(int((points / columns - _BESIDE_AXES) / (0.56 * SMALL)) - _SIGN_LETTERS, 12)


# marks of estimates -------------------------------------------------------------------------------------------------


def checked_columns(labels: Sequence[object], **columns: Floats) -> tuple[FloatArray, ...]:
    """Return columns as arrays that have a value for each label; only `low` and `high` may be unknown.

    Raises
    ------
    DataError
        When lengths differ, or an estimate is missing or infinite.
    """
    arrays = {name: np.array(values, dtype=float) for name, values in columns.items()}
    for name, column in arrays.items():
        if column.shape != (len(labels),):
            raise DataError(f"{name} has shape {column.shape}; {len(labels)} labels need ({len(labels)},).")
        missing = ~np.isfinite(column) & (name not in ("low", "high"))
        without = listing(labels[int(i)] for i in np.flatnonzero(missing))
        refuse_rows(missing, DataError, "", f" values of {name} are missing or infinite: {without}.")
    return tuple(arrays.values())


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


def draw_point(
    ax: Axes, x: float, y: float, *, group: int, hollow: bool, area: float, color: str | None = None
) -> None:
    """Draw an estimate in the colour, or another one, and shape of its group, hollow where its error is unknown."""
    color = color_of(group) if color is None else color
    area = 1.6 * area if color == WATCHED else area
    ax.scatter(
        [x], [y], s=area, marker=marker_of(group), facecolors="white" if hollow else color,
        edgecolors=color if hollow else "white", linewidths=1.1 if hollow else 0.5,
        zorder=4.5 if color == WATCHED else 4,
    )  # fmt: skip


def standing_out(groups: IntArray, watched: Sequence[int], several: bool) -> list[str]:
    """Colour of each mark: that of its group, and where some are watched that of those, and grey of the others.

    Groups keep their colours, as the legend explains them.
    """
    if several or not watched:
        return [color_of(int(group)) for group in groups]
    return [WATCHED if i in watched else OTHERS for i in range(len(groups))]


def group_legend(ax: Axes, names: Sequence[str], *, hollow: bool) -> Axes:
    """Explain shapes, colours and hollow markers, where there are any."""
    from matplotlib.lines import Line2D

    entries = [(name, color_of(at), marker_of(at), color_of(at)) for at, name in enumerate(names)]
    if hollow:
        entries.append(("error unknown", INK, "o", "white"))
    handles = [
        Line2D([], [], linestyle="none", marker=marker, markersize=5, markeredgecolor=edge, markerfacecolor=face)
        for _, edge, marker, face in entries
    ]
    return put_legend(ax, handles, [name for name, *_ in entries])
