"""A figure of the report with its title, and what is said of it: both words are read off what was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from wagegap._display.axes import figure_of
from wagegap._display.described import describe
from wagegap.report.figures import add_title

__all__ = ["Picture", "picture_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A figure, and what is said of it.

    Attributes
    ----------
    figure : Figure
        The figure.
    alt, caption : str
        What it shows, for those who cannot see it, and how to read it.
    """

    figure: Any
    alt: str
    caption: str


def picture_of(drawn: Any, title: str) -> Picture:
    """Give what was drawn, one or several axes, a title and its words."""
    panels = np.atleast_1d(np.asarray(drawn, dtype=object)).ravel().tolist()
    add_title(panels[0], title)
    said = describe(drawn)
    return Picture(figure_of(panels[0]), f"{title if title.endswith('?') else f'{title}.'} {said.alt}", said.caption)
