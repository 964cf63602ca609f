"""What every answer owes its reader: a sentence, a frame, a figure."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import pandas as pd

from wagegap._display.numbers import format_number
from wagegap.errors import DataError, OptionError, did_you_mean, listing
from wagegap.panel.countries import country_name
from wagegap.regression.link.setup import LinkCall, Setup

if TYPE_CHECKING:
    from wagegap.regression.link.result import Link

__all__ = [
    "Answer",
    "call_of",
    "cell_at",
    "interval_in_words",
    "level_of",
    "named",
    "scale_of",
    "setup_of",
    "step_of",
]


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


def setup_of(link: Link) -> Setup:
    """Arrays of a link with a premium."""
    if link.setup is None or not link.cells.premiums:
        raise OptionError("this question is about the slope on a premium, and the link has none.")
    return link.setup


def call_of(link: Link) -> LinkCall:
    """Call of a link, to ask it again."""
    if link.call is None:
        raise OptionError("this link was not made by fit_link, so it cannot be fitted again.")
    return link.call


def cell_at(link: Link, country: str) -> int:
    """Position of a cell by its name, or by the one key that says it."""
    names = list(link.cells.names)
    if country in names:
        return names.index(country)
    found = [i for i, row in enumerate(link.cells.keys.astype(str).to_numpy()) if country in row]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(f"{country!r} has {len(found)} cells ({listing(names[i] for i in found)}): name one of them.")
    raise DataError(f"no cell {country!r} in the link.{did_you_mean(country, names)} Cells: {listing(names, 12)}.")


def step_of(unit: str) -> tuple[float, str]:
    """A readable step of premium, and its name."""
    steps = {"log points": (0.1, "10 log points"), "share": (0.1, "10 percentage points")}
    return steps.get(unit, (10.0, "10 per cent" if unit == "per cent" else "10 units"))


def scale_of(unit: str) -> tuple[float, str]:
    """Factor and name of a unit of rates for print: shares in percentage points."""
    return (100.0, "percentage points") if unit == "share" else (1.0, "" if unit == "none" else unit)


def level_of(unit: str) -> tuple[float, str]:
    """Factor and name of a unit for a level: shares in per cent."""
    return (100.0, "per cent") if unit == "share" else scale_of(unit)


def named(cell: str) -> str:
    """Name of a country, or the cell as it is."""
    return country_name(cell)


def interval_in_words(low: float, high: float, unit: str) -> str:
    """Say an interval with its unit."""
    tail = f" {unit}" if unit else ""
    return f"{format_number(low)} to {format_number(high)}{tail}"
