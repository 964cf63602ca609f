"""The largest corridors of a table of flows, as a circle of ribbons.

No map: distances and areas of countries say nothing about how many move. What is left out is said in figures under the
circle, so that a corridor that is not drawn is not taken for one that nobody takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.axes import new_axes
from wagegap._display.chord import chord
from wagegap._display.numbers import format_number
from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import (
    DataError,
    EmptyDataError,
    MissingValueError,
    OptionError,
    check_column,
    did_you_mean,
    listing,
    public,
)
from wagegap.panel.countries import country_name
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import as_pandas

__all__ = ["plot_corridors"]


@public
def plot_corridors(  # noqa: PLR0913
    flows: Any,
    *,
    origin: str,
    destination: str,
    flow: str,
    at_most: int = 25,
    keep: str | Sequence[str] = (),
    highlight: str | Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    unit: str | None = None,
    ax: Any = None,
) -> Any:
    """Draw the largest corridors of migration: a ribbon from each origin to each destination, as wide as the flow.

    Parameters
    ----------
    flows : data frame
        A row for each flow. Rows of the same corridor, such as years, are added up, and the figure says so. Flows
        within a country are left out, and counted under the circle.
    origin, destination, flow : str
        Columns.
    at_most : int
        Corridors drawn, the largest ones; of equal ones those that come first in the alphabet.
    keep : str or sequence of str
        Countries whose largest corridors out and in are drawn in any case.
    highlight : str or sequence of str
        Countries whose corridors have colours while the others are grey; they are kept, too.
    labels : mapping of country to name, optional
        What to write; the English names of ISO codes where absent.
    unit : str, optional
        What flows count, for the text, such as `"moves of researchers"`; the name of their column where absent.
    ax : Axes, optional
        Where to draw; new square axes where absent.

    Returns
    -------
    Axes
        A ribbon has the colour of the country left and points to the country reached.

    Raises
    ------
    ColumnError
        For a column that is not there.
    DataError
        Negative or infinite flows, or text.
    MissingValueError
        Where an origin, destination or flow is missing.
    EmptyDataError
        Without flows between two places.
    OptionError
        For a country that is not among the flows, or a number of corridors below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> moves = pd.DataFrame({"start": ["KOR", "USA", "IND"], "end": ["USA", "KOR", "USA"], "n": [30, 10, 60]})
    >>> ax = plot_corridors(moves, origin="start", destination="end", flow="n", at_most=2)
    >>> print(ax.get_xlabel().split(".")[0])
    The 2 largest of 3 corridors: 90 % of all n (90 of 100)
    """
    if isinstance(at_most, bool) or not isinstance(at_most, int) or at_most < 1:
        raise OptionError(f"at_most={at_most!r} must be a whole number of at least 1.")
    corridors = _corridors(as_pandas(flows), origin, destination, flow)
    lit = _known(corridors, highlight, "highlight")
    wanted = [*lit, *_known(corridors, keep, "keep")]
    chosen = _chosen(corridors, at_most, wanted)
    ax = new_axes(6.3, 6.8) if ax is None else ax
    words = _words(corridors, chosen, unit or flow.replace("_", " "), at_most, labels)
    if lit:
        words.insert(1, f"In colour: {listing(_name(place, labels) for place in lit)}")
    return chord(
        ax,
        [_name(place, labels) for place in chosen.places],
        chosen.origin,
        chosen.destination,
        chosen.flow,
        faint=None if not lit else ~chosen.touching(lit),
        caption=". ".join(words) + ".",
    )


def _name(place: str, labels: Mapping[str, str] | None) -> str:
    return str((labels or {}).get(place, country_name(place)))


# from rows to corridors ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Corridors:
    """Corridors, the largest first.

    Attributes
    ----------
    places : list of str
        Places.
    origin, destination : ndarray of int, shape (m,)
        Positions among them.
    flow : ndarray, shape (m,)
        Positive flows.
    rows : int
        Rows that were added up.
    own, own_flow : int and float
        Flows within a place, and their sum.
    """

    places: list[str]
    origin: IntArray
    destination: IntArray
    flow: FloatArray
    rows: int
    own: int
    own_flow: float

    def touching(self, places: Sequence[str]) -> BoolArray:
        """Corridors that start or end in one of some places."""
        at = [i for i, place in enumerate(self.places) if place in places]
        return np.asarray(np.isin(self.origin, at) | np.isin(self.destination, at))


def _corridors(frame: pd.DataFrame, origin: str, destination: str, flow: str) -> _Corridors:
    for name in (origin, destination, flow):
        check_column(name, frame.columns, "of flows")
    if origin == destination:
        raise OptionError(f"origin and destination are both {origin!r}: name two columns.")
    values = _checked(frame, origin, destination, flow)
    table = pd.DataFrame({"a": frame[origin].astype(str).to_numpy(), "b": frame[destination].astype(str).to_numpy(),
                          "flow": values})  # fmt: skip
    table = table[table["flow"] > 0]
    within = table["a"] == table["b"]
    own, between = table[within], table[~within]
    if between.empty:
        raise EmptyDataError(f"{flow!r} has no flow above zero between two places, in {len(frame):,} rows.")
    sums = between.groupby(["a", "b"], sort=True)["flow"].sum().reset_index()
    sums = sums.iloc[np.argsort(-sums["flow"].to_numpy(), kind="stable")]
    places = sorted({*sums["a"], *sums["b"]})
    at = {place: i for i, place in enumerate(places)}
    a, b = (sums[side].map(at).to_numpy(dtype=np.intp) for side in ("a", "b"))
    return _Corridors(
        places, a, b, sums["flow"].to_numpy(dtype=float), len(between), len(own), float(own["flow"].sum())
    )


def _checked(frame: pd.DataFrame, origin: str, destination: str, flow: str) -> FloatArray:
    """Flows as numbers that are known, finite and not negative."""
    for name in (origin, destination, flow):
        lost = int(frame[name].isna().sum())
        if lost:
            raise MissingValueError(
                f"{name!r} is missing in {lost:,} of {len(frame):,} rows of flows: fill it in, or drop the rows."
            )
    values = known_numbers(frame, flow)
    bad = (values < 0) | ~np.isfinite(values)
    if bad.any():
        first = frame.loc[bad, [origin, destination, flow]].iloc[0]
        raise DataError(
            f"{flow!r} is negative or infinite in {int(bad.sum()):,} of {len(values):,} rows, first {listing(first)}: "
            "a ribbon has a width. Draw the two ways of a net flow as two flows."
        )
    return values


def _known(corridors: _Corridors, places: str | Sequence[str], option: str) -> list[str]:
    """Places that an option names, each among the flows."""
    named = [places] if isinstance(places, str) else [str(place) for place in places]
    for place in named:
        if place not in corridors.places:
            raise OptionError(
                f"{option}={place!r} is not among the flows.{did_you_mean(place, corridors.places)} "
                f"{len(corridors.places)} places: {listing(corridors.places)}."
            )
    return named


def _chosen(corridors: _Corridors, at_most: int, wanted: Sequence[str]) -> _Corridors:
    """The largest corridors, and the largest out of and into the places wanted."""
    take = np.arange(len(corridors.flow)) < at_most
    for place in wanted:
        for side in (corridors.origin, corridors.destination):
            take[np.flatnonzero(side == corridors.places.index(place))[:1]] = True
    a, b = corridors.origin[take], corridors.destination[take]
    there = np.unique(np.concatenate([a, b]))
    places = [corridors.places[int(i)] for i in there]
    return _Corridors(places, np.searchsorted(there, a), np.searchsorted(there, b), corridors.flow[take], 0, 0, 0.0)


def _words(
    everything: _Corridors, drawn: _Corridors, what: str, at_most: int, labels: Mapping[str, str] | None
) -> list[str]:
    """What is drawn, in figures, and what is not."""
    n, m = len(everything.flow), len(drawn.flow)
    whole, part = float(everything.flow.sum()), float(drawn.flow.sum())
    if m == n:
        words = [f"All {n:,} corridors, {_amount(whole)} {what}" if n > 1 else f"One corridor, {_amount(whole)} {what}"]
    else:
        most = "The largest" if m == 1 else f"The {m:,} largest"
        which = most if m <= at_most else f"The {at_most:,} largest, and {m - at_most:,} kept,"
        share = f"{format_number(100 * part / whole, decimals=0)} % of all {what}"
        words = [f"{which} of {n:,} corridors: {share} ({_amount(part)} of {_amount(whole)})"]
    names = [_name(drawn.places[int(side[0])], labels) for side in (drawn.origin, drawn.destination)]
    words.append(f"Widest: {names[0]} to {names[1]}, {_amount(float(drawn.flow[0]))}" if m > 1 else "")
    words.append("A ribbon has the colour of the country left and points to the one reached")
    words.append(f"{everything.rows:,} rows added up" if everything.rows > n else "")
    left = f"{everything.own:,} within a country ({_amount(everything.own_flow)}) left out"
    return [word for word in [*words, left if everything.own else ""] if word]


def _amount(value: float) -> str:
    """A flow in words: whole numbers whole, others to three digits."""
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:.3g}"
