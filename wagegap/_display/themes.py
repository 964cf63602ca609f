"""Themes: the same figure on a light ground, on a dark one, or in greys for print.

A figure is drawn in the colours of the light theme. A theme is a table from these to its own, applied to what was
drawn, so that no drawing function knows of it. An SVG holds the table of the dark theme as a style sheet, and so
follows the page that it stands on. Cells of a matrix keep their colours, as the numbers in them were chosen to contrast
with these.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from wagegap._display.axes import FAINT, HAIR, INK, LEADER, OTHERS, PALETTE, WATCHED, figure_of
from wagegap._typing import Theme

__all__ = ["FIXED", "THEMES", "apply_theme", "dark_style"]

FIXED = "wagegap-fixed"
"""How the gids of artists begin that no theme changes."""

_DARK = {
    "#FFFFFF": "#14171B", INK: "#E8EAED", FAINT: "#9BA1A9", HAIR: "#2D333A", LEADER: "#C4CAD1", OTHERS: "#7F8893",
    WATCHED: "#FF9F5A", PALETTE[0]: "#8DB4E8", PALETTE[1]: "#F2939F", PALETTE[2]: "#E9C46A", PALETTE[3]: "#F4F5F6",
}  # fmt: skip
_PRINT = {
    INK: "#000000", FAINT: "#7A7A7A", LEADER: "#3C3C3C", OTHERS: "#A3A3A3", WATCHED: "#010101", PALETTE[0]: "#404040",
    PALETTE[1]: "#757575", PALETTE[2]: "#ABABAB", PALETTE[3]: "#020202",
}  # fmt: skip
THEMES: Mapping[Theme, Mapping[str, str]] = MappingProxyType({"light": {}, "dark": _DARK, "print": _PRINT})
"""By theme, the colour in place of each of the light theme."""


def apply_theme(ax: Any, theme: Theme) -> Any:
    """Give axes, and the ground of their figure, the colours of a theme.

    Parameters
    ----------
    ax : Axes or ndarray of Axes
        Axes that functions of this package drew on, in the colours of the light theme.
    theme : {"light", "dark", "print"}
        Theme; the light one changes nothing.

    Returns
    -------
    Axes or ndarray of Axes
        The same.

    Examples
    --------
    >>> from wagegap._display.axes import new_axes
    >>> ax = apply_theme(new_axes(3, 2), "dark")
    >>> [round(part, 2) for part in ax.figure.get_facecolor()]
    [0.08, 0.09, 0.11, 1.0]
    """
    table = THEMES[theme]
    if not table:
        return ax
    for panel in [ax] if hasattr(ax, "figure") else ax.ravel().tolist():
        labels = [(label, label.get_color()) for label in (*panel.get_xticklabels(), *panel.get_yticklabels())]
        panel.tick_params(colors=table[FAINT], labelcolor=table[INK])  # also of ticks that are still to come
        for label, color in labels:
            label.set_color(color)
        for artist in panel.findobj():
            _recolor(artist, table)
        figure = figure_of(panel)
        for artist in (figure.patch, *figure.texts):
            _recolor(artist, table)
    return ax


def _recolor(artist: Any, table: Mapping[str, str]) -> None:
    """Change the colours of an artist that the table has, each with its opacity."""
    from matplotlib.collections import Collection
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.text import Text

    if str(artist.get_gid() or "").startswith(FIXED):
        return
    if isinstance(artist, Text):
        artist.set_color(_other(artist.get_color(), table))
        for part in (artist.get_bbox_patch(), getattr(artist, "arrow_patch", None)):
            if part is not None:
                _recolor(part, table)
    elif isinstance(artist, Line2D):
        artist.set_color(_other(artist.get_color(), table))
        artist.set_markerfacecolor(_other(artist.get_markerfacecolor(), table))
        artist.set_markeredgecolor(_other(artist.get_markeredgecolor(), table))
    elif isinstance(artist, Patch):
        alpha = artist.get_alpha()
        artist.set_alpha(None)
        artist.set_facecolor(_other(artist.get_facecolor(), table))
        artist.set_edgecolor(_other(artist.get_edgecolor(), table))
        artist.set_alpha(alpha)
    elif isinstance(artist, Collection):
        artist.set_facecolor([_other(color, table) for color in artist.get_facecolor()])
        artist.set_edgecolor([_other(color, table) for color in artist.get_edgecolor()])


def _other(color: Any, table: Mapping[str, str]) -> Any:
    """The colour in place of another one, as opaque; the same where the table has none."""
    from matplotlib.colors import to_hex, to_rgba

    if isinstance(color, str) and color in ("none", "auto"):
        return color
    rgba = to_rgba(color)
    found = table.get(to_hex(rgba).upper())
    return color if found is None else to_rgba(found, rgba[3])


def dark_style() -> str:
    """Return a style sheet by which an SVG of the light theme is dark where the page around it is.

    >>> dark_style().splitlines()[0]
    '@media (prefers-color-scheme: dark) {'
    """
    fixed = f':not([id^="{FIXED}"] *)'
    rules = [
        f'[style*="{side}: {light.lower()}"]{fixed} {{ {side}: {dark.lower()} !important; }}'
        for light, dark in _DARK.items()
        for side in ("fill", "stroke")
    ]
    return "\n".join(["@media (prefers-color-scheme: dark) {", *rules, "}"])
