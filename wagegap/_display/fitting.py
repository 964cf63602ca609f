"""Names of axes, legends and captions broken anew, so that they fit a figure that has got another width."""

from __future__ import annotations

import textwrap

from wagegap._display.axes import MEDIUM, Axes, Figure, figure_of, put_legend
from wagegap._display.labels import put_caption, write_below

__all__ = ["broken_name", "fit_texts"]

_LETTER = 0.56
"""Width of a letter over the size of its font, on average."""
_ALONG = {"x": 0.78, "y": 0.82}
"""Share of a figure's side that the name of an axis may take: beside it stand names of rows, above it a legend."""


def fit_texts(figure: Figure) -> None:
    """Break the texts around axes where they would not fit the figure as it is.

    >>> from wagegap._display.axes import name_axes, new_axes
    >>> ax = name_axes(new_axes(6.3, 3), x="net migration of people with AI skills (per 10,000)")
    >>> ax.figure.set_size_inches(3, 3)
    >>> fit_texts(ax.figure)
    >>> print(ax.get_xlabel())
    net migration of people with AI
    skills (per 10,000)
    """
    for ax in figure.axes:
        if ax.get_legend() is not None:
            put_legend(ax, [], [])
        for side, label in (("x", ax.xaxis.label), ("y", ax.yaxis.label)):
            text = " ".join(label.get_text().split())
            if side == "x" and label.get_horizontalalignment() == "right":
                put_caption(ax, text.replace(r"\$", "$"))
            elif text:
                label.set_text(broken_name(ax, side, text))
    caption = figure.get_supxlabel()
    if caption:
        write_below(figure, " ".join(caption.split()).replace(r"\$", "$"))


def broken_name(ax: Axes, side: str, text: str) -> str:
    """Break the name of an axis into lines that fit along it."""
    spec = ax.get_subplotspec()
    width, height = figure_of(ax).get_size_inches().tolist()
    rows, columns = (1, 1) if spec is None else spec.get_gridspec().get_geometry()
    inches = _ALONG[side] * (width / columns if side == "x" else height / rows)
    letters = int(72.0 * inches / (_LETTER * MEDIUM))
    return "\n".join(textwrap.wrap(text, max(letters, 14), break_long_words=False)) or text
