"""Poisson gravity without the bias of many effects: which columns are places and periods, and the corrected source.

The arithmetic, and what it is derived for, stand in `regression.gravity.bias_terms`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from wagegap._typing import FloatArray
from wagegap.errors import OptionError, listing
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.regression.gravity.bias_terms import gravity_bias
from wagegap.regression.gravity.irls import IrlsFit

__all__ = ["correct_bias", "pair_clusters"]

_SHAPES = "origin^period + destination^period + origin^destination"


def pair_clusters(rows: Rows) -> Rows:
    """Return the rows clustered by pair, unless asked otherwise.

    Raises
    ------
    OptionError
        Where effects are not those that the correction is derived for, rows are weighted, or pairs are not within
        clusters.
    """
    origin, destination, _ = _places(rows)
    if rows.weights is not None:
        raise OptionError("bias='analytic' is derived for rows without weights: leave them out.")
    if rows.asked is None and not rows.access.declares_clusters:
        name, members = f"{origin}^{destination}", rows.columns([origin, destination]).astype(str)
        labelled = rows.with_column(name, (members[origin] + "^" + members[destination]).to_numpy())
        return replace(labelled, asked=Robust("CR1", (name,)))
    if not rows.cov.clusters or rows.cov.adjusts_clusters:
        raise OptionError(
            f"cov={rows.cov} does not go with bias='analytic', which corrects errors that are correlated within pairs: "
            "leave cov out, or give CR1 with clusters of whole pairs."
        )
    pairs = pd.DataFrame({"o": rows.codes(origin), "d": rows.codes(destination)})
    for name in rows.cov.clusters:
        split = len(pairs.assign(cluster=rows.cluster_codes(name)).drop_duplicates()) - len(pairs.drop_duplicates())
        if split:
            raise OptionError(
                f"clusters of {name!r} part the rows of a pair ({split:,} times), and bias='analytic' corrects errors "
                "that are correlated within pairs: leave cov out, or give clusters of whole pairs."
            )
    return rows


def correct_bias(rows: Rows, fit: IrlsFit, source: ScoreSource) -> tuple[FloatArray, ScoreSource, str]:
    """Return the bias of the coefficients, the source with residuals corrected for leverage, and what was done."""
    *places, period = _places(rows)
    codes = [*map(rows.codes, places), np.zeros(len(rows), dtype=np.int32) if period is None else rows.codes(period)]
    with_pairs = len(rows.design.effects) == 3
    correction = gravity_bias(rows.design.y - fit.mean, fit.mean, fit.x, *codes, pairs=with_pairs)
    bread = np.linalg.inv(fit.x.T @ (fit.mean[:, None] * fit.x))
    scores = sparse.csr_array((fit.x * correction.residuals[:, None]) @ bread)
    how = "" if correction.exact else ", as in a balanced table"
    what = (
        f"Coefficients less their bias with few periods ({period}), Weidner and Zylkin (2021)"
        if with_pairs
        else "Two sets of effects leave Poisson coefficients without bias of the order of their errors: as estimated"
    )
    note = f"{what}; residuals corrected within pairs for the leverage of the effects{how}."
    return correction.bias, replace(source, scores=scores, rule="clubsandwich"), note


def _places(rows: Rows) -> tuple[str, str, str | None]:
    """Columns of origins, destinations and periods (None with one period), read off the names of the effects."""
    design = rows.design
    parts = [tuple(name.split("^")) for name in design.effect_names]
    names = list(dict.fromkeys(name for part in parts for name in part))
    if len(parts) == 2 and all(len(part) == 1 for part in parts):
        return names[0], names[1], None
    shared = [name for name in names if all(name in part for part in parts)]
    if len(parts) == 2 and all(len(part) == 2 for part in parts) and len(names) == 3 and len(shared) == 1:
        origin, destination = (name for name in names if name not in shared)
        return origin, destination, shared[0]
    if len(parts) == 3 and len(names) == 3 and len({frozenset(part) for part in parts if len(set(part)) == 2}) == 3:
        period = _period(rows, names)
        origin, destination = next(part for part in parts if period not in part)
        return origin, destination, period
    raise OptionError(
        f"bias='analytic' is derived for Poisson flows with the effects {_SHAPES} (or the first two of them), a column "
        f"for each, not for {listing(design.effect_names) or 'none'}."
    )


def _period(rows: Rows, names: list[str]) -> str:
    """Column declared as the period, else the one of fewest levels."""
    if rows.access.period in names:
        return str(rows.access.period)
    levels = rows.columns(names).nunique()
    first, second = sorted(names, key=lambda name: int(levels[name]))[:2]
    if levels[first] == levels[second]:
        raise OptionError(
            f"{first!r} and {second!r} have {levels[first]} levels each: say which is the period, "
            "read_panel(..., period='column')."
        )
    return first
