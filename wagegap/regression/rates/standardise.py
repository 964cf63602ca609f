"""Standardised rates: what rates would be with one composition, directly or indirectly.

Direct standardisation is sum_s p_s r_cs with the standard's shares p_s of strata s; indirect, the ratio of a cell's
rate to what the standard's rates r_s give with its own composition, times the standard's rate. Both are maps of the
rates of cells and strata, so that their joint covariance carries over.

References
----------
Breslow, N. and N. Day (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort Studies,
chapter 2. IARC Scientific Publications 82.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import (
    EmptyDataError,
    IdentificationError,
    OptionError,
    SmallCellWarning,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.estimates import Estimates

__all__ = ["standardised"]


def standardised(
    own: Estimates, sizes: pd.DataFrame, over: Sequence[str], standard: Mapping[Any, Any] | None, method: str
) -> tuple[Estimates, pd.DataFrame]:
    """Return standardised rates with the sizes of their cells; see `Rates.standardise`."""
    for name in over:
        if name not in own.by:
            raise OptionError(
                f"over={name!r} is no key of the rates.{did_you_mean(name, own.by)} Keys: {listing(own.by)}; fit them "
                f"by=[..., {name!r}]."
            )
    keys = [name for name in own.by if name not in over]
    if not keys:
        raise OptionError("there is a single cell once composition is taken out: name what is compared in by= too.")
    table = _Table.of(own, sizes, keys, list(over))
    shares, reference = _standard(table, standard, keys, method)
    rows, labels = [], []
    values = own.values
    for cell in table.cells:
        level = _of_cell(table, cell, shares, reference, values, method)
        if level is not None:
            rows.append(level)
            labels.append(cell)
    if not rows:
        raise EmptyDataError(f"no cell has every level of {listing(over)} that the standard has: pool levels.")
    _warn_lacking(table, labels)
    found = np.array([value for value, _ in rows])
    jacobian = np.array([slope for _, slope in rows])
    frame = pd.DataFrame(labels, columns=[*keys, "term"]).assign(unit=own.labels["unit"].iloc[0], comparison="")
    title = f"Rates, {method}ly standardised over {', '.join(over)}"
    mapped = own.map(lambda _: found, labels=frame, jacobian=lambda _: jacobian, title=title)
    note = "Composition is taken as given."
    mapped = replace(mapped, notes=(*own.notes, note), spec=None)
    cells = sizes.rename(columns={"event": "term"}).groupby([*keys, "term"], sort=False, as_index=False)
    summed = cells[["n", "happened", "weight"]].sum().rename(columns={"term": "event"})
    return mapped, summed


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Rates by cell (keys and event) and stratum.

    Attributes
    ----------
    cells : list of tuple
        Keys and event of each cell.
    strata : list of tuple
        Levels composition is over.
    place : dict
        Position of the rate of a cell and stratum among the estimates.
    weight : dict
        Weight of a cell and stratum.
    """

    cells: list[tuple[Any, ...]]
    strata: list[tuple[Any, ...]]
    place: dict[tuple[tuple[Any, ...], tuple[Any, ...]], int]
    weight: dict[tuple[tuple[Any, ...], tuple[Any, ...]], float]

    @classmethod
    def of(cls, own: Estimates, sizes: pd.DataFrame, keys: list[str], over: list[str]) -> _Table:
        labels = own.labels
        cells = list(zip(*(labels[name] for name in [*keys, "term"]), strict=True))
        strata = list(zip(*(labels[name] for name in over), strict=True))
        stated = zip(
            zip(*(sizes[name] for name in [*keys, "event"]), strict=True),
            zip(*(sizes[name] for name in over), strict=True),
            sizes["weight"],
            strict=True,
        )
        weight = {(cell, stratum): float(w) for cell, stratum, w in stated}
        place = {pair: i for i, pair in enumerate(zip(cells, strata, strict=True))}
        return cls(list(dict.fromkeys(cells)), list(dict.fromkeys(strata)), place, weight)

    def lacks(self, cell: tuple[Any, ...], strata: Sequence[tuple[Any, ...]]) -> bool:
        return any((cell, stratum) not in self.place for stratum in strata)


def _standard(
    table: _Table, standard: Mapping[Any, Any] | None, keys: list[str], method: str
) -> tuple[dict[str, dict[Any, float]], dict[str, list[tuple[Any, ...]]]]:
    """Shares of the strata for each event, and the cells whose rates are the standard's."""
    events = list(dict.fromkeys(cell[-1] for cell in table.cells))
    if standard is None or set(standard) <= set(keys):
        wanted = {} if standard is None else dict(standard)
        chosen = {
            event: [c for c in table.cells if c[-1] == event and all(c[keys.index(k)] == v for k, v in wanted.items())]
            for event in events
        }
        if not all(chosen.values()):
            raise OptionError(f"standard={wanted!r}: no cell has these keys.")
        shares = {}
        for event, cells in chosen.items():
            sums = {s: sum(table.weight.get((c, s), 0.0) for c in cells) for s in table.strata}
            shares[event] = {s: w / sum(sums.values()) for s, w in sums.items() if w > 0}
        return shares, chosen
    if method == "indirect":
        raise OptionError("indirect standardisation needs rates: standard= names cells, such as {'iso3': 'USA'}.")
    given = {k if isinstance(k, tuple) else (k,): float(v) for k, v in standard.items()}
    unknown = [level for level in given if level not in table.strata]
    if unknown:
        raise OptionError(f"standard: {unknown[0]!r} is neither a level of the strata nor a key. "
                          f"Levels: {listing(table.strata, 12)}.")  # fmt: skip
    total = sum(given.values())
    if min(given.values()) < 0 or total <= 0:
        raise OptionError("standard: shares must not be negative, nor all zero.")
    return {event: {s: v / total for s, v in given.items() if v > 0} for event in events}, {}


def _of_cell(
    table: _Table,
    cell: tuple[Any, ...],
    shares: dict[str, dict[Any, float]],
    reference: dict[str, list[tuple[Any, ...]]],
    values: FloatArray,
    method: str,
) -> tuple[float, FloatArray] | None:
    """Standardised rate of a cell and its derivative in all rates; None where the cell lacks a stratum."""
    own = shares[cell[-1]]
    slope = np.zeros(len(values))
    if method == "direct":
        if table.lacks(cell, list(own)):
            return None
        for stratum, share in own.items():
            slope[table.place[cell, stratum]] = share
        return float(slope @ values), slope
    mine = [s for s in table.strata if (cell, s) in table.place]
    if any(s not in own for s in mine):
        return None
    crude, expected, level = (np.zeros(len(values)) for _ in range(3))
    size = sum(table.weight[cell, s] for s in mine)
    for s in mine:
        share = table.weight[cell, s] / size
        crude[table.place[cell, s]] += share
        expected += share * _standard_rate(table, reference[cell[-1]], s, len(values))
    for s, share in own.items():
        level += share * _standard_rate(table, reference[cell[-1]], s, len(values))
    observed, should, whole = (float(row @ values) for row in (crude, expected, level))
    if should <= 0:
        raise IdentificationError(
            f"the standard's rates expect nothing in {' '.join(map(str, cell))}: no ratio exists."
        )
    value = observed / should * whole
    return value, crude * whole / should + level * observed / should - expected * observed * whole / should**2


def _standard_rate(table: _Table, cells: Sequence[tuple[Any, ...]], stratum: tuple[Any, ...], size: int) -> FloatArray:
    """The standard's rate of a stratum as a combination of rates."""
    row = np.zeros(size)
    weights = {c: table.weight[c, stratum] for c in cells if (c, stratum) in table.place}
    for cell, weight in weights.items():
        row[table.place[cell, stratum]] = weight / sum(weights.values())
    return row


def _warn_lacking(table: _Table, found: Sequence[tuple[Any, ...]]) -> None:
    left = [" ".join(map(str, cell)) for cell in table.cells if cell not in found]
    if left:
        warn(
            f"{len(left)} of {len(table.cells)} cells lack a level that composition is over and are left out: "
            f"{listing(left)}.",
            SmallCellWarning,
        )
