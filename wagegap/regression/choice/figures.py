"""Elasticities and substitution between pairs of alternatives, as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wagegap._display.heat import heat
from wagegap.estimation.estimates import Estimates
from wagegap.regression.figures import written

__all__ = ["draw_pairs"]


def draw_pairs(estimates: Estimates, levels: Sequence[Any], *, what: str, ax: Any = None) -> Any:
    """Draw elasticities or substitution between alternatives as a matrix, the own ones set off.

    Parameters
    ----------
    estimates : Estimates
        With `alternative` and `changed` among the labels.
    levels : sequence
        Alternatives, in order.
    what : str
        What the numbers are.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    at = {level: i for i, level in enumerate(levels)}
    i, j = (estimates.labels[side].map(at).to_numpy(dtype=int) for side in ("alternative", "changed"))
    in_per_cent = estimates.unit == "share"
    values, errors = np.full((2, len(levels), len(levels)), np.nan)
    values[i, j], errors[i, j] = estimates.values, estimates.bse.to_numpy()
    if in_per_cent:
        values, errors = 100 * values, 100 * errors
    itself = np.eye(len(levels), dtype=bool) & np.isfinite(values)
    names = written(levels)
    return heat(
        ax, names, names, values, errors=errors, set_off=itself, decimals=1 if in_per_cent else 2,
        caption=f"{what}; grey: its own." if itself.any() else f"{what}.", unit="per cent" if in_per_cent else "",
        ylabel="share of",
    )  # fmt: skip
