"""Figures of decompositions: bars of components, and curves along a run of quantiles."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wagegap._display.axes import PALETTE, line_band, new_axes
from wagegap._display.bars import bars

if TYPE_CHECKING:
    from wagegap.decomposition.result import Decomposition

__all__ = ["plot_totals", "quantile_of"]

_QUANTILE = re.compile(r"quantile\((0?\.\d+)\)$")
_RUN = 3
"""Fewest quantiles that are drawn as curves."""


def quantile_of(statistic: str) -> float | None:
    """Return the probability of a quantile's name.

    >>> quantile_of("quantile(0.25)")
    0.25
    """
    found = _QUANTILE.match(statistic)
    return float(found.group(1)) if found else None


def plot_totals(decomposition: Decomposition, ax: Any = None, *, alpha: float = 0.05) -> Any:
    """Draw the totals: curves with bands where the statistics of one comparison are a run of quantiles, else bars."""
    frame = decomposition.tidy(alpha)
    frame = frame[frame["term"] == "total"]
    if "statistic" in frame and len(decomposition.comparisons) == 1:
        at = np.array([quantile_of(str(name)) for name in frame["statistic"]], dtype=float)
        if np.isfinite(at).all() and len(set(at)) >= _RUN:
            return _curves(decomposition, frame.assign(at=at), ax, alpha)
    return _bars(decomposition, frame, ax, alpha)


def _bars(decomposition: Decomposition, frame: pd.DataFrame, ax: Any, alpha: float) -> Any:
    keys = decomposition.keys
    columns = [frame[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")]
    words = frame["component"].str.replace("_", " ")
    if keys:
        labels = frame[keys].astype(str).agg(" ".join, axis=1).tolist()
        ax = bars(ax, labels, *columns, groups=words.tolist())
    else:
        ax = bars(ax, words.tolist(), *columns, shares=frame["share"].to_numpy())
    ax.set_xlabel(f"{decomposition.heading()}, {100 * (1 - alpha):g} % intervals")
    return ax


def _curves(decomposition: Decomposition, frame: pd.DataFrame, ax: Any, alpha: float) -> Any:
    """One curve with its band for each component."""
    ax = new_axes(6.3, 4.0) if ax is None else ax
    for i, name in enumerate(decomposition.components):
        part = frame[frame["component"] == name].sort_values("at")
        columns = [part[c].to_numpy() for c in ("at", "estimate", "conf_low", "conf_high")]
        line_band(ax, *columns, color=PALETTE[(i + 3) % len(PALETTE)], label=name.replace("_", " "))
    ax.axhline(0.0, color="#8A8A8A", linewidth=0.8, zorder=1)
    ax.set_xlim(float(np.min(frame["at"])), float(np.max(frame["at"])))
    ax.legend(frameon=False, fontsize=8.0, loc="best")
    ax.set_xlabel(f"probability of the quantile, {100 * (1 - alpha):g} % bands")
    ax.set_ylabel(decomposition.heading())
    return ax
