"""Within variation: what regressors have beside absorbed effects, and whether it identifies each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wagegap._typing import CodeArray, FloatArray
from wagegap.errors import IdentificationError, listing
from wagegap.estimation.design import Design
from wagegap.estimation.least_squares.absorb import absorb
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.least_squares.lstsq import fit_lstsq

__all__ = ["check_identified", "partial_out"]

_SWALLOWED = 1e-8  # within variation of a column, relative to its size, that counts as none


def partial_out(columns: FloatArray, effects: Sequence[CodeArray], weights: FloatArray | None = None) -> FloatArray:
    """Columns less what absorbed effects explain, exactly zero where that is all but rounding; as given without any.

    Examples
    --------
    >>> import numpy as np
    >>> partial_out(np.array([[1.0, 0.1], [3.0, 0.1], [5.0, 0.7]]), [np.array([0, 0, 1])]).tolist()
    [[-1.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    """
    if not effects:
        return columns
    within = absorb(columns, effects, weights)
    within[:, np.linalg.norm(within, axis=0) <= _SWALLOWED * np.linalg.norm(columns, axis=0)] = 0.0
    return within


def check_identified(design: Design) -> None:
    """Raise where absorbed effects take up a regressor, or regressors make up one another."""
    within = partial_out(design.x, design.effects)
    swallowed = ~within.any(axis=0)
    if design.effects and swallowed.any():
        j = int(np.flatnonzero(swallowed)[0])
        by = [
            name
            for name, codes in zip(design.effect_names, design.effects, strict=True)
            if _constant_within(design.x[:, j], codes)
        ]
        reason = (
            f"it does not vary within {' or '.join(by)}, whose effects are absorbed"
            if by
            else f"the absorbed effects ({', '.join(design.effect_names)}) make it up together"
        )
        others = [design.names[i] for i in np.flatnonzero(swallowed)[1:]]
        also = f" The same holds of {listing(others)}." if others else ""
        raise IdentificationError(
            f"{design.names[j]!r} is not identified: {reason}.{also} Leave it out, absorb coarser effects, or let it "
            "vary by pair or group (a gap between destination and origin, an interaction)."
        )
    found = fit_lstsq(np.zeros(len(within)), within).collinear
    if found:
        words = listing((combination_in_words(one, design.names) for one in found), 3)
        raise IdentificationError(f"regressors are collinear: {words}. Leave one of them out.")


def _constant_within(values: FloatArray, codes: CodeArray) -> bool:
    of_level = np.zeros(int(codes.max()) + 1)
    of_level[codes] = values
    return bool(np.abs(values - of_level[codes]).max() <= 1e-12 * max(np.abs(values).max(), 1e-300))
