"""The lines of a link in a figure: one with its band, or those of both estimators where the slope is not settled."""

from __future__ import annotations

from typing import Any

import numpy as np

from wagegap._display.axes import FAINT, PALETTE
from wagegap._display.scatter import line_band
from wagegap._typing import Alpha, FloatArray
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink
from wagegap.regression.link.weak import weak_set_of

__all__ = ["draw_lines"]


def draw_lines(ax: Any, link: FittedLink, at: FloatArray, alpha: Alpha) -> Any:
    """Draw what the link says of the rate at some premiums, the naive line beside it, and a legend.

    Where the slope is not settled there are two lines and one band, the hull of both; where moments alone do not bound
    the slope, and leave two rays, these are dotted.
    """
    nothing = np.full_like(at, np.nan)
    _, low, high = link.line(at, alpha)
    controlled = ", given the controls" if len(link.setup.terms) > 2 or link.cells.design.effects else ""
    band = f"{100 * (1 - alpha):g} % band" if len(link.parts) == 1 else f"both {100 * (1 - alpha):g} % bands"
    ax.fill_between(at, low, high, color=PALETTE[3], alpha=0.14, linewidth=0, zorder=1.5, label=band)
    for part, color in zip(link.parts, (PALETTE[3], PALETTE[2]), strict=False):
        title = ESTIMATORS[part.method].title.split(",")[0]
        ax.plot(at, part.line(at)[0], color=color, linewidth=1.4, zorder=3, label=f"{title}{controlled}")
    if link.plain is not None and link.fit.unit is None:
        label = "naive (premiums as exact)"
        ax = line_band(ax, at, link.plain.line(at)[0], nothing, nothing, color=PALETTE[1], label=label)
    _draw_rays(ax, link, at, alpha)
    ax.legend(frameon=False, fontsize=7, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def _draw_rays(ax: Any, link: FittedLink, at: FloatArray, alpha: Alpha) -> None:
    """Dot the ends of the weak set where it is two rays: slopes between them are rejected."""
    if link.verdict is None or link.verdict.moments is None or len(link.cells.premiums) > 1:
        return
    found = weak_set_of(link, alpha)
    if found.shape != "two rays":
        return
    y, p = float(link.cells.y.mean()), float(link.cells.p[:, 0].mean())
    for end, label in ((found.low, "slopes not rejected: beyond these"), (found.high, "_nolegend_")):
        ax.plot(at, y + end * (at - p), color=FAINT, linewidth=0.9, linestyle=":", zorder=2, label=label)
