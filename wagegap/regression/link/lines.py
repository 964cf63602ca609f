"""The figure of a link: dots with their errors, and the lines and bands of what the link says of them.

A line that was fitted with controls belongs to dots from which these are taken out. By the theorem of Frisch, Waugh
and Lovell the slope on a premium, given controls, is that of the residuals of the rate on the residuals of the premium,
each on the controls; moved back to their means both are drawn, and the axes say what they are given. Where a rate is
fitted on another scale (log odds, logs) there are no such residuals: the dots are as observed, and the line is at the
means of the controls, which its name says.

Where the slope is not settled, the lines of both estimators are drawn, and a wedge of all slopes that either allows,
through the means.

References
----------
Frisch, R. and F. V. Waugh (1933). Partial time regressions as compared with individual trends. Econometrica 1.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from wagegap._display.axes import FAINT, PALETTE, new_axes, put_legend
from wagegap._display.facts import facts_of, note_names, note_stroke, note_words
from wagegap._display.numbers import typographic
from wagegap._display.scales import scale_axis
from wagegap._display.scatter import ellipses
from wagegap._display.sentences import say
from wagegap._typing import Alpha, FloatArray
from wagegap.errors import listing
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.units import level_of
from wagegap.regression.figures import watched_names
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink, level_of_rates, slope_scale
from wagegap.regression.link.weak import weak_set_of

__all__ = [
    "band_of",
    "draw_link",
    "given_controls",
    "label_link",
    "lines_of",
    "name_cells",
    "seen_cells",
    "write_legend",
]

_LEVEL = re.compile(r"\[[^\]]*\]$")
_ROOM = 0.16
_NAIVE = "naive (premiums as exact)"
_STYLES: Sequence[tuple[str, Any]] = ((PALETTE[3], "-"), (PALETTE[0], "--"), (PALETTE[1], (0, (1.5, 1.5))))
"""Colours and dashes of lines, in their order: they differ without colours, too."""
_STEEP = 1e4
"""Times the spread of rates over that of premiums: a slope that draws a vertical line."""


def draw_link(link: FittedLink, ax: Any, alpha: Alpha, watch: str | Sequence[str] = ()) -> Any:
    """Draw dots with error ellipses, the lines and bands of a link with a premium, and a legend of all of them."""
    cells, given = link.cells, given_controls(link)
    ax = new_axes(6.3, 4.6) if ax is None else ax
    p, y = seen_cells(link)
    cov = np.array([[np.diag(cells.block(i, j)) for j in (1, 0)] for i in (1, 0)]).transpose(2, 0, 1)
    unknown = np.isnan(cov[:, 0, 0]) | np.isnan(cov[:, 1, 1])
    cov[unknown, 0, 1] = cov[unknown, 1, 0] = 0.0
    lit = watched_names(watch, cells.names, cells.keys)
    ellipses(ax, p, y, cov, cells.names, level=1 - alpha, watch=lit)
    name_cells(ax, cells)
    facts_of(ax).given = given if link.fit.unit is None else ""
    low, high = _limits(p)
    write_legend(ax, draw_lines(ax, link, np.linspace(low, high, 100), alpha))
    ax.set_xlim(low, high)
    ax.set_ylim(*_limits(y))
    return label_link(ax, link, given)


def name_cells(ax: Any, cells: LinkCells) -> None:
    """Note what sentences call the dots of a link."""
    note_names(ax, [cells.name_of(name) for name in cells.names], cells.noun, cells.counted().split(" ", 1)[1])


def label_link(ax: Any, link: FittedLink, given: str = "") -> Any:
    """Name the axes of rates against premiums, with the units that sentences have, and what both are given."""
    cells = link.cells
    rates = level_of_rates(cells) if not given else level_of(cells.units[0])
    note = f", given {given}" if given and link.fit.unit is None else ""
    scale_axis(ax, "x", cells.premium_in_words, level_of(cells.units[1]), note=note)
    return scale_axis(ax, "y", cells.outcome_in_words, rates, note=note)


# what is given -------------------------------------------------------------------------------------------------------


def given_controls(link: FittedLink) -> str:
    """Controls and effects of a link as an axis names them: factors without their levels.

    Further premiums are controls of the first.
    """
    cells = link.cells
    terms = [_LEVEL.sub("", term) for term in link.setup.terms if term not in ("Intercept", cells.premiums[0])]
    named = [cells.labels.get(term, term) for term in dict.fromkeys(terms)]
    effects = [f"{name} effects" for name in cells.design.effect_names]
    return listing([*named, *effects], 4)


def seen_cells(link: FittedLink) -> tuple[FloatArray, FloatArray]:
    """Premiums and rates as they are drawn: partial residuals at their means where the link has controls."""
    cells, problem = link.cells, link.setup.problem
    p, y = cells.p[:, 0], cells.y
    others = np.delete(problem.x, problem.estimated[0], axis=1)
    if not given_controls(link) or link.fit.unit is not None:
        return p, y
    return fit_lstsq(p, others).residuals + p.mean(), fit_lstsq(y, others).residuals + y.mean()


# lines and bands -----------------------------------------------------------------------------------------------------


def draw_lines(ax: Any, link: FittedLink, at: FloatArray, alpha: Alpha) -> list[tuple[Any, str]]:
    """Draw the lines of a link at some premiums, and its band or wedge; return all of them, named, for a legend.

    Where moments alone do not bound the slope, and leave two rays, these are dotted.
    """
    entries = []
    band = band_of(link, at, alpha)
    if band is not None:
        shape, name, low, high = band
        entries.append((ax.fill_between(at, low, high, color=FAINT, alpha=0.2, linewidth=0, zorder=1.5), name))
        note_stroke(ax, shape, name)
    elif not link.settled:
        level = f"{100 * (1 - alpha):g} %"
        note_words(ax, f"at {level} these data bound the slope on neither side, so that there is no wedge")
    for name, values in lines_of(link, at):
        color, style = _STYLES[-1 if name.startswith(_NAIVE) else sum(s.shape == "line" for s in facts_of(ax).strokes)]
        (line,) = ax.plot(at, values, color=color, linestyle=style, linewidth=1.5, zorder=3)
        note_stroke(ax, "line", name)
        entries.append((line, name))
    return [*entries, *_draw_rays(ax, link, at, alpha)]


def lines_of(link: FittedLink, at: FloatArray) -> list[tuple[str, FloatArray]]:
    """Names and rates of the lines of a link at some premiums: of its estimator, or both, and the naive one last.

    A name ends with the slope, where the line has one number; a line ends where there is no such rate (NaN).
    """
    controls = ", controls at their means" if link.fit.unit is not None and given_controls(link) else ""
    named = [(part, ESTIMATORS[part.method].title.split(",")[0] + controls) for part in link.parts]
    if link.plain is not None and link.fit.unit is None:
        named += [(link.plain, _NAIVE)]
    return [_named_line(part, name, at) for part, name in named]


def _named_line(part: FittedLink, name: str, at: FloatArray) -> tuple[str, FloatArray]:
    scale = slope_scale(part.cells)
    if part.fit.unit is None:
        slope = scale.slope(part.slope).bare_copy()  # its unit stands on the axis
        step = scale.step.removeprefix("one ")
        name = typographic(say("{name}: {slope} per {step}", name=name, slope=slope, step=step))
    values = part.line(at)[0]
    return name, np.where(_drawn_between(part, values) == values, values, np.nan)


def band_of(
    link: FittedLink, at: FloatArray, alpha: Alpha
) -> tuple[Literal["band", "wedge"], str, FloatArray, FloatArray] | None:
    """Band of a line, or the wedge of all slopes that are allowed where it is not settled: shape, name and both edges.

    None where nothing bounds it.
    """
    level = f"{100 * (1 - alpha):g} %"
    shape: Literal["band", "wedge"] = "band" if link.settled else "wedge"
    if link.settled:
        name = f"{level} band of the line"
        _, low, high = link.line(at, alpha)
    else:
        name, ends = f"every slope these data allow ({level})", link.slope_interval(alpha)
        if not np.isfinite(ends).any():
            return None
        low, high = _wedge(link, at, ends)
    if not np.isfinite(np.concatenate([low, high])).any():
        return None
    return shape, name, _drawn_between(link, low), _drawn_between(link, high)


def write_legend(ax: Any, entries: Sequence[tuple[Any, str]]) -> Any:
    """Explain lines and bands above the axes, beside what is explained there already."""
    return put_legend(ax, [handle for handle, _ in entries], [name for _, name in entries])


def _wedge(link: FittedLink, at: FloatArray, ends: tuple[float, float]) -> tuple[FloatArray, FloatArray]:
    """Lower and upper edge of all lines through the means with slopes between two ends, infinite ones vertical."""
    p, y = seen_cells(link)
    steep = _STEEP * (float(np.ptp(y)) or 1.0) / float(np.ptp(p))
    first, last = (y.mean() + np.clip(end, -steep, steep) * (at - p.mean()) for end in ends)
    return np.minimum(first, last), np.maximum(first, last)


def _drawn_between(link: FittedLink, values: FloatArray) -> FloatArray:
    """Values within what a rate can be, where the axis shows rates and no residuals."""
    least, most = link.cells.bounds
    if (given_controls(link) and link.fit.unit is None) or not np.isfinite(least):
        return values
    return np.clip(values, least, most)


def _draw_rays(ax: Any, link: FittedLink, at: FloatArray, alpha: Alpha) -> list[tuple[Any, str]]:
    """Dot the ends of the weak set where it is two rays: slopes between them are rejected."""
    if link.verdict is None or link.verdict.moments is None or len(link.cells.premiums) > 1:
        return []
    found = weak_set_of(link, alpha)
    if found.shape != "two rays":
        return []
    p, y = (float(values.mean()) for values in seen_cells(link))
    lines = [
        ax.plot(at, y + end * (at - p), color=FAINT, linewidth=0.9, linestyle=":", zorder=2)[0]
        for end in (found.low, found.high)
    ]
    name = "slopes not rejected: beyond these"
    note_stroke(ax, "ray", name)
    note_words(
        ax,
        "Dotted: the premiums are so weak that every slope steeper than one of the two lines is allowed, upwards or "
        "downwards, and those between them are not",
    )
    return [(lines[0], name)]


def _limits(values: FloatArray) -> tuple[float, float]:
    """Where the points are, with room for their errors; what is wider is cut off."""
    room = _ROOM * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room
