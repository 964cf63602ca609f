"""Parts of a figure that matplotlib asks at the time of drawing: where texts go, how ticks are written.

This module is loaded where something is drawn, as matplotlib is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import Formatter
from matplotlib.transforms import Bbox

from wagegap._display.numbers import format_number, typographic

__all__ = ["Placing", "ScaledTicks"]

_MOST_DECIMALS = 6


class Placing(Artist):
    """An artist that draws nothing, and moves texts of its axes before all others are drawn.

    Attributes
    ----------
    place : callable of (Axes, renderer)
        Moves the texts.
    """

    zorder = -1e6

    def __init__(self, place: Callable[[Axes, Any], None]) -> None:
        super().__init__()
        self.place = place
        self.set_in_layout(False)

    def draw(self, renderer: Any) -> None:
        """Move the texts."""
        if isinstance(self.axes, Axes):
            self.place(self.axes, renderer)

    def get_window_extent(self, renderer: Any = None) -> Bbox:
        """Return an empty box."""
        return Bbox.null()


class ScaledTicks(Formatter):
    """Write ticks in the unit in which sentences have the numbers: times a factor, with as many decimals as differ.

    Attributes
    ----------
    factor : float
        What the numbers on the axis are multiplied by.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Write one number, such as that under a pointer."""
        return typographic(f"{self.factor * x:.6g}")

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Write all ticks with the same decimals."""
        ticks = self.factor * np.asarray(values, dtype=float)
        steps = np.diff(np.unique(np.round(ticks, 12)))
        decimals = _decimals(float(steps.min())) if len(steps) else _decimals(float(np.abs(ticks).max(initial=1.0)))
        return [typographic(format_number(float(tick) + 0.0, decimals=decimals)) for tick in ticks]


def _decimals(step: float) -> int:
    """Decimals that a step needs to be seen whole: 0.25 needs two, 0.5 one, 20 none."""
    if not step > 0 or not math.isfinite(step):
        return 0
    least = max(-math.floor(math.log10(step) + 1e-9), 0)
    whole = [d for d in (least, least + 1) if abs(step * 10**d - round(step * 10**d)) < 1e-6 * 10**d * step]
    return min(whole[0] if whole else least, _MOST_DECIMALS)
