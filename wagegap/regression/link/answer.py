"""What every answer owes its reader: a sentence, a frame, a figure; and the words and tests that answers share."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.axes import new_axes
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_number
from wagegap.regression.link.cells import LinkCells

__all__ = ["Answer", "Scale", "draw_slopes", "level_of", "one_row", "scale_of", "slope_scale", "t_test"]


class Answer(ABC):
    """An answer to a question about a link: frozen, with a sentence, a frame and a figure."""

    __slots__ = ()

    @abstractmethod
    def in_words(self) -> str:
        """Say the answer in one sentence."""

    @abstractmethod
    def tidy(self) -> pd.DataFrame:
        """Return the numbers behind it."""

    @abstractmethod
    def plot(self, ax: Any = None) -> Any:
        """Draw it; takes and returns axes."""

    def __str__(self) -> str:
        return textwrap.fill(self.in_words(), 80)


def one_row(answer: Any, *left_out: str) -> pd.DataFrame:
    """Put the attributes of an answer in a frame of one row, some of them left out."""
    names = [field.name for field in fields(answer) if field.name not in left_out]
    return pd.DataFrame([{name: getattr(answer, name) for name in names}])


@dataclass(frozen=True, slots=True)
class Scale:
    """How a number is printed: a factor and a unit.

    Attributes
    ----------
    factor : float
        What the number is multiplied by.
    unit : str
        Unit after that; empty for none.
    step : str
        Step of premium that a slope is for; empty for a change or a level.
    """

    factor: float
    unit: str
    step: str = ""

    @property
    def tail(self) -> str:
        """The unit as it follows a number."""
        return f" {self.unit}" if self.unit else ""

    def signed(self, value: float) -> str:
        """Say a change, or a slope, with its sign and unit.

        >>> Scale(100.0, "percentage points").signed(0.012)
        '+1.2 percentage points'
        """
        return f"{self.factor * value:+.3g}{self.tail}"

    def between(self, low: float, high: float, to: str = "to") -> str:
        """Say an interval with its unit.

        >>> Scale(1.0, "").between(0.5, 2.0)
        '0.500 to 2.000'
        """
        return f"{format_number(self.factor * low)} {to} {format_number(self.factor * high)}{self.tail}"


def scale_of(unit: str) -> Scale:
    """Scale of a change of rates: shares in percentage points."""
    return Scale(100.0, "percentage points") if unit == "share" else Scale(1.0, "" if unit == "none" else unit)


def level_of(unit: str) -> Scale:
    """Scale of a level of rates: shares in per cent."""
    return Scale(100.0, "per cent") if unit == "share" else scale_of(unit)


def slope_scale(cells: LinkCells, unit: str | None = None) -> Scale:
    """Scale of a slope: the unit of the rates, or another, for a readable step of premium."""
    steps = {
        "log points": (0.1, "10 log points"), "share": (0.1, "10 percentage points"), "per cent": (10.0, "10 per cent"),
    }  # fmt: skip
    step, said = steps.get(cells.units[1], (10.0, "10 units"))
    rates = scale_of(cells.units[0] if unit is None else unit)
    return Scale(step * rates.factor, rates.unit, said)


def t_test(estimate: float, error: float, df: float, alpha: float) -> tuple[float, float, float]:
    """Interval and two-sided p-value of an estimate.

    >>> low, high, p = t_test(2.0, 1.0, 30.0, 0.05)
    >>> round(low, 2), round(high, 2), round(p, 3)
    (-0.04, 4.04, 0.055)
    """
    half = float(stats.t.isf(alpha / 2, df)) * error
    p = float(2 * stats.t.sf(abs(estimate) / error, df)) if error > 0 else 0.0
    return estimate - half, estimate + half, p


def draw_slopes(frame: pd.DataFrame, column: str, ax: Any, *, height: float, label: str) -> Any:
    """Draw slopes with their intervals, a row each; an infinite end is left open."""
    ax = new_axes(6.3, height) if ax is None else ax
    low, high = (frame[c].where(np.isfinite(frame[c])).to_numpy(dtype=float) for c in ("conf_low", "conf_high"))
    ax = intervals(ax, frame[column].tolist(), frame["estimate"].to_numpy(dtype=float), low, high)
    ax.set_xlabel(label)
    return ax
