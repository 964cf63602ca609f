"""Axes that look alike: colours, shapes, sizes of text, one or several axes on a figure, legends above them.

Nothing here touches pyplot, the settings of matplotlib, or the clock: the same figure is the same file, byte for byte.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wagegap.errors import OptionError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MARKERS",
    "PALETTE",
    "apply_style",
    "color_of",
    "figure_of",
    "is_leftmost",
    "literal",
    "marker_of",
    "name_rows",
    "new_axes",
    "new_panels",
    "put_legend",
    "styled",
    "title_panel",
]

PALETTE = ("#004488", "#BB5566", "#DDAA33", "#1A1A1A")
"""Colours that differ in lightness, so that neither colour blindness nor a grey printer confuses them (after Tol)."""

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
"""A shape for each group beside its colour."""

INK = "#222222"
FAINT = "#8A8A8A"
HAIR = "#E3E3E3"
SMALL, MEDIUM = 8.0, 9.0

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
        size = (width * columns, height * rows)
        figure = Figure(figsize=size, dpi=100, layout="constrained", facecolor="white")
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
    ax.tick_params(colors=FAINT, labelcolor=INK, labelsize=SMALL, width=0.6, length=3, direction="out")
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
    r"""Keep matplotlib from reading dollars as mathematics, and line breaks as such.

    >>> print(literal("US$ a$"))
    US\$ a\$
    """
    return " ".join(str(text).split()).replace("$", r"\$")


def name_rows(ax: Axes, names: Sequence[str]) -> None:
    """Name the rows 0, 1, ... of axes that are read from the top, without a spine beside the names."""
    with styled():
        ax.set_yticks(range(len(names)), [literal(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0, pad=6, labelcolor=INK, labelsize=SMALL)
    ax.spines["left"].set_visible(False)


def title_panel(ax: Axes, text: str) -> None:
    """Write what a panel shows above its left edge."""
    ax.set_title(literal(text), loc="left", fontsize=MEDIUM, fontweight="bold", color=INK)


def is_leftmost(ax: Axes) -> bool:
    """Whether axes stand in the first column of a figure of panels."""
    spec = ax.get_subplotspec()
    return spec is None or spec.is_first_col()


def put_legend(ax: Axes, handles: Sequence[Any], names: Sequence[str]) -> Axes:
    """Put a legend above axes, in as many rows as its names need.

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
    if not handles:
        return ax
    shown = [f" {name}" if name.startswith("_") else literal(name) for name in names]
    points = 72.0 * float(figure_of(ax).get_size_inches()[0])
    # As many entries as fit a row, in rows of about the same number.
    fitting = max(int(0.85 * points // (0.6 * SMALL * max(map(len, shown)) + 24.0)), 1)
    rows = math.ceil(len(shown) / fitting)
    with styled():
        ax.legend(
            handles, shown, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=math.ceil(len(shown) / rows),
            frameon=False, fontsize=SMALL, labelcolor=INK, handletextpad=0.4, columnspacing=1.2,
            borderaxespad=0.2,
        )  # fmt: skip
    return ax
