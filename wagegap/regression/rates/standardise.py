"""Standardised rates, stocks abroad, and moves between fields: what is read off rates of cells.

Everything here is a map of estimated rates, so that their joint covariance, and whatever they share with premiums of
the same workers, carries over.

References
----------
Breslow, N. and N. Day (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort Studies,
chapter 2. IARC Scientific Publications 82.
Shorrocks, A. (1978). The measurement of mobility. Econometrica 46, 1013-1024.
Docquier, F. and A. Marfouk (2006). International migration by educational attainment, 1990-2000. In Ozden and Schiff
(eds.), International Migration, Remittances and the Brain Drain. World Bank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, SmallSample, WeightKind
from wagegap.errors import (
    CovarianceError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    IdentificationError,
    MissingValueError,
    OptionError,
    SmallCellWarning,
    UnitError,
    check_column,
    check_count,
    did_you_mean,
    listing,
    no_column,
    public,
    warn,
)
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.sources import PlainRoot
from wagegap.estimation.design import check_keys, free_name
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.result import Result
from wagegap.estimation.spec import refittable
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import cell_keys, with_weights
from wagegap.regression.rates.mobility import Rates, fit_rates

__all__ = ["Transitions", "fit_transitions", "standardised", "stock_rates"]

_MOST_LEVELS = 500  # more are no code: occupations of ISCO at four digits number 436


# standardisation -----------------------------------------------------------------------------------------------------


def standardised(rates: Rates, over: Sequence[str], standard: Mapping[Any, Any] | None, method: str) -> Rates:
    """Return standardised rates; see `Rates.standardise`."""
    own = rates.estimates
    for name in over:
        if name not in own.by:
            raise OptionError(
                f"over={name!r} is no key of the rates.{did_you_mean(name, own.by)} Keys: {listing(own.by)}; fit them "
                f"by=[..., {name!r}]."
            )
    keys = [name for name in own.by if name not in over]
    if not keys:
        raise OptionError("there is a single cell once composition is taken out: name what is compared in by= too.")
    table = _Table.of(rates, keys, list(over))
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
    frame = pd.DataFrame(labels, columns=[*keys, "term"]).assign(unit=rates.unit, comparison="")
    title = f"Rates, {method}ly standardised over {', '.join(over)}"
    mapped = own.map(lambda _: found, labels=frame, jacobian=lambda _: jacobian, title=title)
    note = "Composition is taken as given."
    mapped = replace(mapped, notes=(*own.notes, note), spec=None)
    cells = rates.cells.rename(columns={"event": "term"}).groupby([*keys, "term"], sort=False, as_index=False)
    summed = cells[["n", "happened", "weight"]].sum().rename(columns={"term": "event"})
    return replace(rates, estimates=mapped, cells=summed)


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
    def of(cls, rates: Rates, keys: list[str], over: list[str]) -> _Table:
        labels = rates.estimates.labels
        cells = list(zip(*(labels[name] for name in [*keys, "term"]), strict=True))
        strata = list(zip(*(labels[name] for name in over), strict=True))
        sizes = rates.cells
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


# stocks --------------------------------------------------------------------------------------------------------------


@public
def stock_rates(
    table: pd.DataFrame,
    *,
    abroad: str = "abroad",
    domestic: str = "domestic",
    by: str | Sequence[str] = "iso3",
    abroad_error: str | None = None,
    domestic_error: str | None = None,
    source: str = "stocks",
) -> Rates:
    """Return stocks abroad as a share of those abroad and at home, R = a / (a + d).

    Parameters
    ----------
    table : DataFrame
        A row for each cell: emigrants counted in the countries they went to, and residents.
    abroad, domestic : str
        Columns of counts.
    by : str or sequence of str
        Columns of cell keys.
    abroad_error, domestic_error : str, optional
        Columns of standard errors of the counts, independent of each other. Without either, errors are unknown, never
        zero; with the first alone the count at home is taken as exact, such as a census.
    source : str
        Who states the figures.

    Returns
    -------
    Rates
        Event `stock_abroad`, in shares; var R = (d^2 var a + a^2 var d) / (a + d)^4.

    Raises
    ------
    ColumnError, OptionError, CovarianceError, DataError, DuplicateKeyError, EmptyDataError, MissingValueError
    UnitError

    Examples
    --------
    >>> import pandas as pd
    >>> stocks = pd.DataFrame({"iso3": ["KOR"], "abroad": [160.0], "domestic": [840.0]})
    >>> stock_rates(stocks).params.tolist()
    [0.16]
    """
    panel = as_panel(table)
    table, keys = panel.frame, cell_keys(panel, by)
    if not keys:
        raise OptionError(f"by={by!r} names no column: stocks are of cells, such as countries.")
    if abroad == domestic:
        raise OptionError(f"abroad and domestic are both {abroad!r}: two columns of counts are needed.")
    for name in [abroad, domestic, *(n for n in (abroad_error, domestic_error) if n)]:
        check_column(name, table.columns, "in the table of stocks")
    lost = int(table[keys].isna().any(axis=1).sum())
    if lost:
        raise MissingValueError(f"{listing(keys)} is missing in {lost} of {len(table)} rows of stocks: fill it in.")
    check_keys(table, keys)
    twice = table.duplicated(keys).to_numpy()
    if twice.any():
        raise DuplicateKeyError(
            f"{int(twice.sum())} of {len(table)} rows of stocks have the {listing(keys)} of another, first "
            f"{listing(table.loc[twice, keys].iloc[0])}: add them up, or name what tells them apart in by=."
        )
    a, d = (known_numbers(table, name) for name in (abroad, domestic))
    bad = ~(np.isfinite(a) & np.isfinite(d)) | (a < 0) | (d < 0) | (a + d <= 0)
    if bad.any():
        raise UnitError(
            f"stocks must be counts that are not negative, nor both zero: {int(bad.sum())} of {len(a)} rows are not, "
            f"first {listing(table.loc[bad, [*keys, abroad, domestic]].iloc[0])}."
        )
    errors = [
        np.full(len(a), np.nan) if name is None else known_numbers(table, name)
        for name in (abroad_error, domestic_error)
    ]
    negative = int(sum((error < 0).sum() for error in errors))
    if negative:
        raise CovarianceError(f"{negative} standard errors of stocks are negative.")
    infinite = int(sum(np.isinf(error).sum() for error in errors))
    if infinite:
        raise CovarianceError(f"{infinite} standard errors of stocks are infinite: leave unknown ones missing.")
    if abroad_error is not None and domestic_error is None:
        errors[1] = np.zeros(len(a))
    variance = (d**2 * errors[0] ** 2 + a**2 * errors[1] ** 2) / (a + d) ** 4
    labels = table[keys].reset_index(drop=True).assign(term="stock_abroad", unit="share", comparison="")
    root = PlainRoot(source, np.diag(variance), np.inf, "stated errors of counts" if abroad_error else "errors unknown")
    estimates = Estimates(labels, a / (a + d), (root,), (np.eye(len(a)),), title="Stock abroad")
    cells = table[keys].reset_index(drop=True).assign(event="stock_abroad", n=a + d, happened=a, weight=a + d)
    return Rates(estimates, ("stock_abroad",), "everyone counted", cells)


# transitions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Transitions(Result):
    """Moves between fields, occupations or countries.

    Attributes
    ----------
    estimates : Estimates
        Keys of the cell, the origin, and the destination (the term): the share of those in the origin who are in the
        destination next.
    origin, destination : str
        Columns.
    cells : DataFrame
        Keys, origin and n.
    """

    origin: str
    destination: str
    cells: pd.DataFrame

    def matrix(self, **keys: Any) -> pd.DataFrame:
        """Return the matrix of one cell, origins in rows; `iso3="KOR"` says which, where there are several."""
        own = self.estimates.select(**keys) if keys else self.estimates
        frame = own.labels.assign(share=own.values)
        if frame.duplicated([self.origin, "term"]).any():
            cells = [name for name in own.by if name != self.origin]
            raise OptionError(f"there are several cells: name one by {listing(cells)}.")
        table = frame.pivot_table(index=self.origin, columns="term", values="share", observed=True)
        return table.rename_axis(columns=self.destination)

    def plot(self, ax: Any = None, *, at_most: int = 12, **keys: Any) -> Any:
        """Draw the matrix: shares in per cent with their standard errors, origins in rows, stayers set off.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw one matrix.
        at_most : int
            Cells drawn where there are several, those with most rows.
        **keys
            Which cells: `iso3="KOR"`, or a list; all where absent.

        Returns
        -------
        Axes, or ndarray of Axes
            One for each cell where there are several, on one scale of colours.

        Raises
        ------
        OptionError
            For a cell that is not there, or several for the axes given.

        Examples
        --------
        >>> import wagegap as wg
        >>> panel = wg.simulate_panel(countries=2, workers=400, periods=2, rng=1).panel.transitions()
        >>> fit_transitions(panel, "field", "next_field").plot().get_ylabel()
        'field'
        """
        from wagegap.regression.rates.figures import draw_moves

        columns = {"origin": self.origin, "destination": self.destination}
        return draw_moves(self.estimates, self.cells, **columns, at_most=at_most, ax=ax, keys=keys)

    def mobility(self) -> Estimates:
        """Return indices of mobility of each cell, with their joint covariance.

        `shorrocks` (k - trace P) / (k - 1): zero where nobody moves, one where the destination does not depend on the
        origin; `moved`, the mean over origins of the share who left them.

        Raises
        ------
        IdentificationError
            Where a cell lacks an origin or destination.
        """
        own = self.estimates
        keys = [name for name in own.by if name != self.origin]
        cells = list(zip(*(own.labels[name] for name in keys), strict=True)) if keys else [()] * len(own.values)
        stays = (own.labels[self.origin].map(_name_of) == own.labels["term"].astype(str)).to_numpy()
        rows, labels, shift = [], [], []
        for cell in dict.fromkeys(cells):
            here = np.array([c == cell for c in cells]) & stays
            k = int(here.sum())
            origins = own.labels[self.origin][[c == cell for c in cells]].nunique()
            if k < 2 or k < origins:
                raise IdentificationError(
                    f"{' '.join(map(str, cell)) or 'the matrix'} has {origins} origin{'s' * (origins != 1)} and {k} "
                    "that are destinations too: an index of mobility needs the same, at least two."
                )
            for name, scale in (("shorrocks", 1 / (k - 1)), ("moved", 1 / k)):
                rows.append(-scale * here)
                shift.append(k * scale)
                labels.append((*cell, name))
        frame = pd.DataFrame(labels, columns=[*keys, "term"]).assign(unit="index", comparison="")
        matrix = np.array(rows)
        values = matrix @ own.values + np.array(shift)
        return own.map(lambda _: values, labels=frame, jacobian=lambda _: matrix, title="Mobility")


@refittable
def fit_transitions(  # noqa: PLR0913
    data: Any,
    origin: str,
    destination: str,
    *,
    by: str | Sequence[str] = (),
    among: str | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    min_rows: int = 10,
) -> Transitions:
    """Estimate the shares of each origin that are in each destination next.

    Parameters
    ----------
    data : Panel or data frame
        Workers; `panel.transitions()` adds `next_field`, `next_occupation`, `next_country`.
    origin, destination : str
        Columns of now and next, such as `"field"` and `"next_field"`.
    by, among, cov, small_sample, weights, weight_kind
        As in `fit_rates`; a single matrix by itself.
    min_rows : int
        Origins with fewer rows are left out, with a warning.

    Returns
    -------
    Transitions

    Raises
    ------
    ColumnError, OptionError, DataError, EmptyDataError

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=400, periods=2, rng=1).panel.transitions()
    >>> moves = fit_transitions(panel, "field", "next_field")
    >>> moves.matrix().sum(axis=1).round(12).unique().tolist()
    [1.0]
    """
    check_count("min_rows", min_rows)
    panel = with_weights(as_panel(data), weights, weight_kind)
    keys = _keys_of_moves(panel, origin, destination, by)
    check_keys(panel.frame, [origin, destination])
    column = panel.frame[destination]
    levels = sorted(column.dropna().unique().tolist(), key=str)
    if len(levels) < 2:
        raise DataError(f"{destination!r} has fewer than two values: there are no moves to count.")
    if len(levels) > _MOST_LEVELS:
        raise DataError(f"{destination!r} has {len(levels):,} values: moves are counted between levels of a code.")
    marked, events = _marked(panel, destination, levels)
    rates = fit_rates(
        marked, events, among=among, by=[*keys, origin], cov=cov, small_sample=small_sample, min_rows=min_rows
    )
    own = rates.estimates
    names = {event: _name_of(level) for event, level in zip(events, levels, strict=True)}
    labels = own.labels.assign(term=own.labels["term"].map(names))
    assert own.ledger is not None
    ledger = _said_once(own.ledger, next(iter(events)), destination)
    title = f"Moves from {origin} to {destination}"
    estimates = replace(own, labels=labels, ledger=ledger, title=title, spec=None)
    first = rates.cells[rates.cells["event"] == next(iter(events))]
    return Transitions(estimates, origin, destination, first.drop(columns=["event", "happened"]).reset_index(drop=True))


def _keys_of_moves(panel: Panel, origin: str, destination: str, by: str | Sequence[str]) -> list[str]:
    """Keys of the cells, once origin and destination are two columns, and neither of them a key."""
    for name in (origin, destination):
        if not isinstance(name, str):
            raise OptionError(f"origin and destination must each be the name of one column, not {name!r}.")
        if name not in panel.frame:
            raise no_column(name, panel.frame.columns, "of moves")
    if origin == destination:
        raise OptionError(
            f"{origin!r} is origin and destination: moves are from a column of now to one of next, such as 'field' and "
            "'next_field' (panel.transitions() adds the second)."
        )
    keys = cell_keys(panel, by or ())
    both = [name for name in (origin, destination) if name in keys]
    if both:
        raise OptionError(
            f"by={both[0]!r} is the {'origin' if both[0] == origin else 'destination'} of the moves, which the matrix "
            "has already: by= names what splits people into matrices of their own, such as a country."
        )
    return keys


def _marked(panel: Panel, destination: str, levels: Sequence[Any]) -> tuple[Panel, dict[str, str]]:
    """The panel with a 0/1 column for each destination, and these columns by the name of the event."""
    column = panel.frame[destination]
    marks, events = {}, {}
    for i, level in enumerate(levels):
        name = free_name(panel.frame, f"destination {i}")
        events[f"{destination} {_name_of(level)}"] = name
        same = (column == level).to_numpy(dtype=float, na_value=np.nan)
        marks[name] = np.where(column.isna(), np.nan, same)
    frame = pd.concat([panel.frame, pd.DataFrame(marks, index=panel.frame.index)], axis=1)
    return replace(panel, frame=frame), events


def _name_of(level: Any) -> str:
    """Name of a level, in which codes that missing values made decimal are whole: 2512.0 is '2512'."""
    whole = isinstance(level, float | np.floating) and float(level).is_integer()
    return str(int(level)) if whole else str(level)


def _said_once(ledger: Ledger, event: str, destination: str) -> Ledger:
    """Rows without a destination, which the first event counted, by the name of the column."""
    losses = tuple(
        replace(loss, reason=f"unknown {destination}") if loss.reason == f"unknown {event}" else loss
        for loss in ledger.losses
    )
    return replace(ledger, losses=losses)
