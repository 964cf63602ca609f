"""Sentences that hold numbers, all made by one function: `say`.

A number enters a sentence with its scale: what it is multiplied by, the unit that it then has, and for a slope the step
of the regressor. All numbers of one sentence that are of one thing must be on one scale, so that a reader can hold them
against each other; `say` refuses a sentence in which two scales meet. They are written with the same decimals, as many
as the largest of them needs for three digits and the smallest to be seen. A level of a share is written within 0 and
100 per cent, an end that is infinite or unknown in words.

>>> points = Scale(100.0, "percentage points", "10 log points")
>>> say("{step} more pay go with {slope} of {what} ({interval})", step=points.step, what="leaving",
...     slope=points.slope(-0.0123), interval=points.interval(-0.02, 0.005))
'10 log points more pay go with -1.23 percentage points of leaving (-2.00 to +0.50)'
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from wagegap._display.numbers import UNKNOWN, format_number, is_missing
from wagegap.errors import UnitError

__all__ = ["Quantity", "Scale", "say"]

_DIGITS = 3  # of the largest number of a sentence
_MOST_DECIMALS = 6
_FAMILIES = (("per cent", "percentage points", "per 1,000", "per 10,000"), ("log", "log points"))
"""Units that measure one thing by different numbers; levels in per cent and changes in percentage points are one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers of one thing are written: a factor and a unit.

    Attributes
    ----------
    factor : float
        What a number is multiplied by.
    unit : str
        Unit after that; empty for none.
    step : str
        Step of the regressor that a slope is for; empty for a change or a level.
    of : str
        What the numbers are of, where a sentence holds numbers of several things; empty for what the unit says.
    bounds : tuple of float or None
        Within which levels are written, in that unit.
    """

    factor: float
    unit: str
    step: str = ""
    of: str = ""
    bounds: tuple[float, float] | None = None

    @property
    def tail(self) -> str:
        """The unit as it follows a number."""
        return f" {self.unit}" if self.unit else ""

    @property
    def goes(self) -> str:
        """The verb behind the step: one unit goes with a slope, ten points go with it."""
        return "goes" if self.step.startswith("one ") else "go"

    def level(self, value: float) -> Quantity:
        """A level, within the bounds."""
        return Quantity((self._bounded(value),), self, signed=False)

    def change(self, value: float) -> Quantity:
        """A change, or a slope, with its sign."""
        return Quantity((self.factor * value,), self, signed=True)

    slope = change

    def size(self, value: float) -> Quantity:
        """A size, such as a standard error: no sign and no unit, which those beside it have."""
        return Quantity((self.factor * value,), self, signed=False, bare=True)

    def interval(self, low: float, high: float, *, levels: bool = False, bare: bool = True) -> Quantity:
        """An interval of changes, or of levels; with the unit where no number beside it has that."""
        ends = (self._bounded(low), self._bounded(high)) if levels else (self.factor * low, self.factor * high)
        return Quantity(ends, self, signed=not levels, bare=bare)

    def _bounded(self, value: float) -> float:
        number = self.factor * value
        if self.bounds is None or math.isnan(number):
            return number
        return min(max(number, self.bounds[0]), self.bounds[1])

    # single numbers, by themselves

    def signed(self, value: float) -> str:
        """Say a change, or a slope, with its sign and unit.

        >>> Scale(100.0, "percentage points").signed(0.012)
        '+1.20 percentage points'
        """
        return say("{value}", value=self.change(value))

    def said(self, value: float) -> str:
        """Say a level with its unit.

        >>> Scale(100.0, "log points").said(0.123)
        '12.3 log points'
        """
        return say("{value}", value=self.level(value))

    def between(self, low: float, high: float, to: str = "to") -> str:
        """Say an interval of levels with its unit.

        >>> Scale(1.0, "").between(0.5, 2.0)
        '0.50 to 2.00'
        """
        ends = self.level(low), self.level(high)
        return say(f"{{low}} {to} {{high}}{self.tail}", low=ends[0].bare_copy(), high=ends[1].bare_copy())


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number, or the two ends of an interval, as it enters a sentence.

    Attributes
    ----------
    values : tuple of float
        One number or two, in the unit of the scale.
    scale : Scale
        The scale.
    signed : bool
        Whether a plus is written.
    bare : bool
        Whether the unit is left to the numbers beside it.
    """

    values: tuple[float, ...]
    scale: Scale
    signed: bool
    bare: bool = False

    def bare_copy(self) -> Quantity:
        """The same without its unit."""
        return Quantity(self.values, self.scale, self.signed, bare=True)

    def written(self, decimals: int) -> str:
        """Write it with so many decimals."""
        tail = "" if self.bare else self.scale.tail
        if len(self.values) == 1:
            text = self._number(self.values[0], decimals)
            return text if text == UNKNOWN else text + tail
        low, high = self.values
        if math.isnan(low) or math.isnan(high):
            return UNKNOWN
        if math.isinf(low) and math.isinf(high):
            return "the whole line"
        if math.isinf(low):
            return f"anything up to {self._number(high, decimals)}{tail}"
        if math.isinf(high):
            return f"anything from {self._number(low, decimals)}{tail} on"
        return f"{self._number(low, decimals)} to {self._number(high, decimals)}{tail}"

    def _number(self, value: float, decimals: int) -> str:
        if is_missing(value):
            return UNKNOWN
        if math.isinf(value):
            return "no bound"
        text = format_number(value, decimals=decimals)
        return f"+{text}" if self.signed and value > 0 and float(text.replace(",", "")) != 0 else text


def say(template: str, /, **parts: object) -> str:
    """Write a sentence: fields of the template are numbers with a scale, or words.

    Parameters
    ----------
    template : str
        With a field in braces for each part.
    **parts
        Quantities, and whatever else, as it reads.

    Raises
    ------
    UnitError
        When numbers of one thing are on two scales.

    Examples
    --------
    >>> per_log, per_point = Scale(1.0, "per 10,000", "one log"), Scale(0.01, "per 10,000", "one log point")
    >>> say("{a} beside {b}", a=per_log.slope(-366.0), b=per_point.slope(-366.0))
    Traceback (most recent call last):
    wagegap.errors.UnitError: one sentence, one scale: 'per 10,000 for one log' and 'per 10,000 for one log point'...
    """
    groups: dict[tuple[str, str, bool], list[Quantity]] = defaultdict(list)
    for part in parts.values():
        if isinstance(part, Quantity):
            groups[_thing(part.scale)].append(part)
    decimals = {thing: _decimals(_one_scale(template, quantities)) for thing, quantities in groups.items()}
    written = {
        name: part.written(decimals[_thing(part.scale)]) if isinstance(part, Quantity) else str(part)
        for name, part in parts.items()
    }
    return template.format_map(written)


def _thing(scale: Scale) -> tuple[str, str, bool]:
    """What a number is of: its subject, else the family of its unit; slopes apart from levels and changes."""
    family = next((units[0] for units in _FAMILIES if scale.unit in units), scale.unit)
    return scale.of, "" if scale.of else family, bool(scale.step)


def _one_scale(template: str, quantities: list[Quantity]) -> list[Quantity]:
    """Refuse numbers of one thing that are on two scales."""
    scales: Mapping[tuple[float, str, str], Scale] = {
        (q.scale.factor, "per cent" if q.scale.unit == "percentage points" else q.scale.unit, q.scale.step): q.scale
        for q in quantities
    }
    if len(scales) > 1:
        names = [f"{s.unit or 'no unit'}{f' for {s.step}' if s.step else ''}" for s in scales.values()]
        raise UnitError(
            f"one sentence, one scale: {' and '.join(map(repr, names))} (times "
            f"{', '.join(f'{s.factor:g}' for s in scales.values())}) meet in {template!r}."
        )
    return quantities


def _decimals(quantities: list[Quantity]) -> int:
    """Decimals of all numbers on one scale: three digits of the largest, and one of the smallest."""
    sizes = [abs(value) for q in quantities for value in q.values if math.isfinite(value) and value != 0]
    if not sizes:
        return 0
    lead_of_largest, lead_of_smallest = (math.floor(math.log10(size)) for size in (max(sizes), min(sizes)))
    return min(max(_DIGITS - 1 - lead_of_largest, -lead_of_smallest, 0), _MOST_DECIMALS)
