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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import (
    EmptyDataError,
    IdentificationError,
    OptionError,
    SmallCellWarning,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.countries.columns import levels_meant
from wagegap.estimation.estimates import Estimates
from wagegap.regression.rates.same import linearised, same_unknown

__all__ = ["standardised"]

_TINY = np.finfo(float).tiny


def standardised(
    rates: Estimates, sizes: pd.DataFrame, over: Sequence[str], standard: Mapping[Any, Any] | None, method: str
) -> tuple[Estimates, pd.DataFrame]:
    """Return standardised rates with the sizes of their cells; see `Rates.standardise`."""
    for name in over:
        if name not in rates.by:
            raise OptionError(
                f"over={name!r} is no key of the rates.{did_you_mean(name, rates.by)} Keys: {listing(rates.by)}; fit "
                f"them by=[..., {name!r}]."
            )
    keys = [name for name in rates.by if name not in over]
    if not keys:
        raise OptionError("there is a single cell once composition is taken out: name what is compared in by= too.")
    table = _Table.of(rates, sizes.rename(columns={"event": "term"}), keys, over)
    shares, is_standard = _standard(table, standard, keys, method)
    has = table.place >= 0
    misses = (shares > 0) & ~has if method == "direct" else has & (shares <= 0)
    lacking: BoolArray = np.logical_or.reduce(misses, axis=1)
    if lacking.all():
        raise EmptyDataError(f"no cell has every level of {listing(over)} that the standard has: pool levels.")
    if lacking.any():
        warn(
            f"{int(lacking.sum())} of {len(lacking)} cells lack a level that composition is over and are left out: "
            f"{listing(' '.join(map(str, cell)) for cell in compress(table.cells, lacking))}.",
            SmallCellWarning,
        )
    if method == "direct":
        jacobian = _combinations(table.place, shares, len(rates.values))
        values = jacobian @ rates.values
    else:
        values, jacobian = _indirect(table, shares, is_standard, rates.values, ~lacking)
    labels = pd.DataFrame(list(compress(table.cells, ~lacking)), columns=[*keys, "term"])
    mapped = linearised(rates).map(
        lambda _: values[~lacking],
        labels=labels.assign(unit=rates.labels["unit"].iloc[0], comparison=""),
        jacobian=lambda _: jacobian[~lacking],
        title=f"Rates, {method}ly standardised over {', '.join(over)}",
    )
    cells = sizes.groupby([*keys, "event"], sort=False, as_index=False)[["n", "happened", "weight"]].sum()
    return replace(same_unknown(mapped), notes=(*rates.notes, "Composition is taken as given."), spec=None), cells


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Rates by cell (keys and event) and stratum.

    Attributes
    ----------
    cells : list of tuple
        Keys and event of each cell.
    strata : list of tuple
        Levels composition is over.
    place : ndarray of int, shape (C, S)
        Position of the rate of a cell and stratum among the estimates; -1 where there is none.
    weight : ndarray, shape (C, S)
        Weight of a cell and stratum.
    """

    cells: list[tuple[Any, ...]]
    strata: list[tuple[Any, ...]]
    place: IntArray
    weight: FloatArray

    @classmethod
    def of(cls, rates: Estimates, sizes: pd.DataFrame, keys: Sequence[str], over: Sequence[str]) -> _Table:
        on = [*rates.by, "term"]
        weights = rates.labels[on].merge(sizes, how="left", on=on)["weight"]
        if weights.isna().any():
            raise OptionError("only shares of those in a cell are standardised, not differences of rates.")
        cells, strata = (
            list(zip(*(rates.labels[name] for name in names), strict=True)) for names in ([*keys, "term"], over)
        )
        (row, first), (column, levels) = (
            (pd.Series(values).map({value: i for i, value in enumerate(dict.fromkeys(values))}), dict.fromkeys(values))
            for values in (cells, strata)
        )
        place, weight = np.full((len(first), len(levels)), -1), np.zeros((len(first), len(levels)))
        place[row, column], weight[row, column] = np.arange(len(row)), weights
        return cls(list(first), list(levels), place, weight)

    def events(self) -> Iterator[BoolArray]:
        """Cells of each event."""
        events = pd.Series([cell[-1] for cell in self.cells])
        return ((events == event).to_numpy() for event in events.unique())


def _standard(
    table: _Table, standard: Mapping[Any, Any] | None, keys: list[str], method: str
) -> tuple[FloatArray, BoolArray]:
    """Shares of the strata that each cell is compared with, shape (C, S), and the cells that are the standard."""
    shares, wanted = np.zeros(table.weight.shape), dict(standard or {})
    if set(wanted) <= set(keys):
        levels = {k: list(dict.fromkeys(cell[keys.index(k)] for cell in table.cells)) for k in wanted}
        wanted = {k: levels_meant(k, [v], levels[k])[0] for k, v in wanted.items()}
        is_standard = np.array([all(cell[keys.index(k)] == v for k, v in wanted.items()) for cell in table.cells])
        for of_event in table.events():
            total = table.weight[is_standard & of_event].sum(axis=0)
            if not total.any():
                raise OptionError(f"standard={wanted!r}: no cell has these keys.")
            shares[of_event] = total / total.sum()
        return shares, is_standard
    if method == "indirect":
        raise OptionError("indirect standardisation needs rates: standard= names cells, such as {'iso3': 'USA'}.")
    stated = {k if isinstance(k, tuple) else (k,): float(v) for k, v in wanted.items()}
    unknown = [level for level in stated if level not in table.strata]
    if unknown:
        raise OptionError(f"standard: {unknown[0]!r} is neither a level of the strata nor a key. "
                          f"Levels: {listing(table.strata, 12)}.")  # fmt: skip
    if min(stated.values()) < 0 or sum(stated.values()) <= 0:
        raise OptionError("standard: shares must not be negative, nor all zero.")
    shares[:] = [stated.get(stratum, 0.0) / sum(stated.values()) for stratum in table.strata]
    return shares, np.zeros(len(table.cells), dtype=bool)


def _combinations(place: IntArray, shares: FloatArray, size: int) -> FloatArray:
    """Matrix that gives sum_s p_cs r_cs for each cell from all rates, shape (C, size)."""
    matrix = np.zeros((len(shares), size))
    cell, stratum = np.nonzero((shares > 0) & (place >= 0))
    matrix[cell, place[cell, stratum]] = shares[cell, stratum]
    return matrix


def _indirect(
    table: _Table, shares: FloatArray, is_standard: BoolArray, rates: FloatArray, complete: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Ratios of the cells' rates to what the standard's expect, times the standard's rate, and their derivatives."""
    # q_cs composition of the cell, p_s and r_s composition and rates of the standard:
    # R_c = [sum_s q_cs r_cs / sum_s q_cs r_s] sum_s p_s r_s
    composition = table.weight / table.weight.sum(axis=1, keepdims=True)
    crude = _combinations(table.place, composition, len(rates))
    expected, level = np.zeros_like(crude), np.zeros_like(crude)
    for of_event in table.events():
        place, weight = (values[is_standard & of_event] for values in (table.place, table.weight))
        cell, stratum = np.nonzero(place >= 0)
        of_standard = np.zeros((len(table.strata), len(rates)))
        of_standard[stratum, place[cell, stratum]] = (weight / np.maximum(weight.sum(axis=0), _TINY))[cell, stratum]
        expected[of_event], level[of_event] = composition[of_event] @ of_standard, shares[of_event] @ of_standard
    observed, should, whole = (matrix @ rates for matrix in (crude, expected, level))
    nothing = np.flatnonzero(complete & (should <= 0))
    if len(nothing):
        raise IdentificationError(
            f"the standard's rates expect nothing in {' '.join(map(str, table.cells[nothing[0]]))}: no ratio exists."
        )
    ratio, scale = (np.divide(top, should, out=np.zeros_like(should), where=complete) for top in (observed, whole))
    return ratio * whole, crude * scale[:, None] + level * ratio[:, None] - expected * (ratio * scale)[:, None]
