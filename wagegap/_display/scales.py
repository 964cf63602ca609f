"""Axes in the units of sentences: numbers and names of an axis and the words about it are on one scale.

What is drawn stays in the unit of the result, so that whoever adds to a figure uses the numbers of the result; ticks
are written times the factor of the scale, and the name of the axis says the unit.
"""

from __future__ import annotations

from wagegap._display.axes import Axes, name_axes
from wagegap._display.facts import Side, facts_of
from wagegap._display.fitting import broken_name
from wagegap._display.sentences import Scale

__all__ = ["scale_axis", "unit_in_words", "within_bounds"]


def scale_axis(ax: Axes, side: Side, title: str, scale: Scale, *, note: str = "") -> Axes:
    """Write the numbers of an axis as sentences have them, and name quantity and unit; cut limits at what can be.

    Parameters
    ----------
    ax : Axes
        With its limits.
    side : {"x", "y"}
        Which axis.
    title : str
        What it shows.
    scale : Scale
        Factor, unit, for a slope its step, and bounds of what the numbers can be.
    note : str
        What else the name says, after the unit.

    Returns
    -------
    Axes
        The same axes.

    Examples
    --------
    >>> from wagegap._display.axes import new_axes
    >>> ax = scale_axis(new_axes(3, 2), "x", "premium", Scale(100.0, "log points"))
    >>> ax.get_xlabel(), ax.xaxis.get_major_formatter().format_ticks([0.1, 0.2])
    ('premium (log points)', ['10', '20'])
    """
    from wagegap._display.artists import ScaledTicks

    facts = facts_of(ax)
    facts.titles[side], facts.scales[side] = title, scale
    unit = unit_in_words(scale)
    name_axes(ax, **{side: broken_name(ax, side, f"{title} ({unit}){note}" if unit else f"{title}{note}")})
    (ax.xaxis if side == "x" else ax.yaxis).set_major_formatter(ScaledTicks(scale.factor))
    return within_bounds(ax, side)


def unit_in_words(scale: Scale) -> str:
    """Unit of a scale as the name of an axis has it: of a slope with its step.

    >>> unit_in_words(Scale(0.1, "per 10,000", "10 log points")), unit_in_words(Scale(1.0, "", "one unit"))
    ('per 10,000 per 10 log points', 'per unit')
    """
    step = f"per {scale.step.removeprefix('one ')}" if scale.step else ""
    return f"{scale.unit} {step}".strip()


def within_bounds(ax: Axes, side: Side) -> Axes:
    """Cut the limits of an axis at the bounds of its scale: a share is nowhere below 0 or above 100 per cent."""
    scale = facts_of(ax).scales.get(side)
    if scale is None or scale.bounds is None:
        return ax
    least, most = (bound / scale.factor for bound in scale.bounds)
    low, high = ax.get_xlim() if side == "x" else ax.get_ylim()
    limits = max(low, least), min(high, most)
    if limits[0] < limits[1]:
        ax.set_xlim(*limits) if side == "x" else ax.set_ylim(*limits)
    return ax
