"""Poisson gravity without the bias of many effects: which columns are places and periods, and the corrected source.

The arithmetic, and what it is derived for, stand in `regression.gravity.bias_terms`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from wagegap._typing import FloatArray
from wagegap.errors import OptionError, listing
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.regression.gravity.bias_terms import gravity_bias
from wagegap.regression.gravity.irls import IrlsFit

__all__ = ["Corrected", "correct_bias", "pair_clusters"]

_SHAPES = "origin^period + destination^period + origin^destination"


@dataclass(frozen=True, slots=True)
class _Places:
    """Columns of origins, destinations and periods (None with one period), and whether pairs have effects."""

    origin: str
    destination: str
    period: str | None
    pairs: bool


@dataclass(frozen=True, slots=True, eq=False)
class Corrected:
    """A Poisson fit without its bias.

    Attributes
    ----------
    values : ndarray, shape (k,)
        Coefficients less their bias.
    source : ScoreSource
        Scores of residuals corrected for leverage.
    bias : ndarray, shape (k,)
        What was subtracted.
    note : str
        What was done.
    """

    values: FloatArray
    source: ScoreSource
    bias: FloatArray
    note: str


def pair_clusters(rows: Rows) -> Rows:
    """Return the rows clustered by pair, unless asked otherwise.

    Raises
    ------
    OptionError
        Where effects are not those that the correction is derived for, rows are weighted, or pairs are not within
        clusters.
    """
    places = _places(rows)
    if rows.weights is not None:
        raise OptionError("bias='analytic' is derived for rows without weights: leave them out.")
    if rows.asked is None and not rows.access.declares_clusters:
        name = f"{places.origin}^{places.destination}"
        first, second = (rows.columns([name])[name].astype(str) for name in (places.origin, places.destination))
        pairs = rows.with_column(name, (first + "^" + second).to_numpy())
        return replace(pairs, asked=Robust("CR1", (name,)))
    if not rows.cov.clusters or rows.cov.adjusts_clusters:
        raise OptionError(
            f"cov={rows.cov} does not go with bias='analytic', which corrects errors that are correlated within pairs: "
            "leave cov out, or give CR1 with clusters of whole pairs."
        )
    _check_whole_pairs(rows, places)
    return rows


def correct_bias(rows: Rows, fit: IrlsFit, values: FloatArray, source: ScoreSource) -> Corrected:
    """Subtract the bias, and put corrected residuals into the source's scores."""
    places = _places(rows)
    none = np.zeros(len(rows), dtype=np.int32)
    names = (places.origin, places.destination, places.period)
    codes = [none if name is None else rows.codes(name) for name in names]
    found = gravity_bias(rows.design.y - fit.mean, fit.mean, fit.x, *codes, pairs=places.pairs)
    bread = np.linalg.inv(fit.x.T @ (fit.mean[:, None] * fit.x))
    scores = sparse.csr_array((fit.x * found.residuals[:, None]) @ bread)
    how = "" if found.exact else ", as in a balanced table"
    what = (
        f"Coefficients less their bias with few periods ({places.period}), Weidner and Zylkin (2021)"
        if places.pairs
        else "Two sets of effects leave Poisson coefficients without bias of the order of their errors: as estimated"
    )
    note = f"{what}; residuals corrected within pairs for the leverage of the effects{how}."
    return Corrected(values - found.bias, replace(source, scores=scores, rule="clubsandwich"), found.bias, note)


def _places(rows: Rows) -> _Places:
    """Read origins, destinations and periods off the names of the effects."""
    design = rows.design
    parts = [tuple(name.split("^")) for name in design.effect_names]
    names = list(dict.fromkeys(name for part in parts for name in part))
    if len(parts) == 2 and all(len(part) == 1 for part in parts):
        return _Places(names[0], names[1], None, pairs=False)
    shared = [name for name in names if all(name in part for part in parts)]
    if len(parts) == 2 and all(len(part) == 2 for part in parts) and len(names) == 3 and len(shared) == 1:
        origin, destination = (name for name in names if name not in shared)
        return _Places(origin, destination, shared[0], pairs=False)
    if len(parts) == 3 and len(names) == 3 and len({frozenset(part) for part in parts if len(set(part)) == 2}) == 3:
        period = _period(rows, names)
        origin, destination = next(part for part in parts if period not in part)
        return _Places(origin, destination, period, pairs=True)
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


def _check_whole_pairs(rows: Rows, places: _Places) -> None:
    origins, destinations = rows.codes(places.origin), rows.codes(places.destination)
    pairs = np.unique(origins.astype(np.int64) * (int(destinations.max()) + 1) + destinations, return_inverse=True)[1]
    for name in rows.cov.clusters:
        clusters = rows.cluster_codes(name)
        crossed = len(np.unique(pairs.astype(np.int64) * (int(clusters.max()) + 1) + clusters))
        split = crossed - (int(pairs.max()) + 1)
        if split:
            raise OptionError(
                f"clusters of {name!r} part the rows of a pair ({split:,} times), and bias='analytic' corrects errors "
                "that are correlated within pairs: leave cov out, or give clusters of whole pairs."
            )
