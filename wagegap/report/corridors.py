"""The largest corridors of a table of flows, as sorted bars: both ways of a pair of places beside each other.

No map: distances and areas of countries say nothing about how many move. What is left out is said in figures under the
bars, so that a corridor that is not drawn is not taken for one that nobody takes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import FAINT, HAIR, INK, PALETTE, SMALL, apply_style, name_rows, new_axes, put_legend
from wagegap._display.labels import put_caption, write_beside
from wagegap._display.numbers import format_key, format_number, spaced
from wagegap._display.themes import apply_theme
from wagegap._typing import AxesLike, BoolArray, ColumnName, Count, FloatArray, Labels, Theme
from wagegap.errors import (
    DataError,
    EmptyDataError,
    MissingValueError,
    OptionError,
    check_column,
    check_keys_meet,
    check_known,
    listing,
    refuse_rows,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.panel.countries import country_name
from wagegap.panel.events import known_numbers

__all__ = ["plot_corridors"]

WAY_GID = "wagegap-way"
_ROW, _FRAME, _LETTERS = 0.29, 1.5, 26
_THICK, _FADED = 0.4, 0.45


@public
def plot_corridors(  # noqa: PLR0913
    flows: Any,
    *,
    origin: ColumnName,
    destination: ColumnName,
    flow: ColumnName,
    at_most: Count = 25,
    keep: str | Sequence[str] = (),
    highlight: str | Sequence[str] = (),
    labels: Labels | None = None,
    unit: str | None = None,
    ax: AxesLike = None,
    theme: Theme = "light",
) -> Any:
    """Draw the largest corridors of migration as bars: both ways of a pair of places beside each other, and their net.

    Parameters
    ----------
    flows : data frame
        A row for each flow. Rows of the same corridor, such as years, are added up, and the figure says so. Flows
        within a country are left out, and counted under the bars.
    origin, destination, flow : str
        Columns.
    at_most : int
        Pairs of places drawn, those with the largest corridors; of equal ones those that come first in the alphabet.
    keep : str or sequence of str
        Countries whose largest corridors out and in are drawn in any case.
    highlight : str or sequence of str
        Countries whose corridors have colour while the others are grey; they are kept, too.
    labels : mapping of country to name, optional
        What to write; the English names of ISO codes where absent.
    unit : str, optional
        What flows count, for the text, such as `"moves of researchers"`; the name of their column where absent.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes
        A row for each pair, named by its larger way: a dark bar for that way, a light one below it for the way back,
        and the difference of the two at the right. What is not drawn is summed up in the text under the bars.

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
        For a country that is not among the flows, or a number of pairs below 1.

    Examples
    --------
    >>> import pandas as pd
    >>> moves = pd.DataFrame({"start": ["KOR", "USA", "IND"], "end": ["USA", "KOR", "USA"], "n": [30, 10, 60]})
    >>> ax = plot_corridors(moves, origin="start", destination="end", flow="n", at_most=1)
    >>> [text.get_text() for text in ax.get_yticklabels()]
    ['India → United States']
    >>> print(ax.get_xlabel().split(".")[0])
    The largest of 2 pairs: 60 % of all n (60 of 100); the others together: 40
    """
    corridors, added, within = _corridors(as_pandas(flows), origin, destination, flow)
    lit = _named(corridors, highlight, "highlight")
    pairs = _pairs(corridors, at_most, [*lit, *_named(corridors, keep, "keep")])
    ax = new_axes(6.3, _FRAME + _ROW * len(pairs)) if ax is None else ax

    def name(place: str) -> str:
        return str((labels or {}).get(place, country_name(place)))

    _draw(ax, pairs, pairs[["a", "b"]].isin(lit).any(axis=1).to_numpy() | (not lit), name)
    sentences = [
        _drawn(corridors, pairs, unit or spaced(flow), at_most),
        f"In colour: {listing(name(place) for place in lit)}" if lit else "",
        f"{added:,} rows added up" if added > len(corridors) else "",
        f"{len(within):,} within a country ({_amount(within.sum())}) left out" if len(within) else "",
    ]
    put_caption(ax, ". ".join(sentence for sentence in sentences if sentence) + ".")
    return apply_theme(ax, theme)


# from rows to corridors ----------------------------------------------------------------------------------------------


def _corridors(
    frame: pd.DataFrame, origin: str, destination: str, flow: str
) -> tuple[pd.DataFrame, int, pd.Series[float]]:
    """Corridors a, b, flow and the rank of their pair, the largest first; rows added up; flows within a place."""
    for name in (origin, destination, flow):
        check_column(name, frame.columns, "of flows")
    if origin == destination:
        raise OptionError(f"origin and destination are both {origin!r}: name two columns.")
    values = _checked(frame, origin, destination, flow)
    first, second = (frame[name].astype(object).map(format_key) for name in (origin, destination))
    table = pd.DataFrame({"a": first, "b": second, "flow": values})[values > 0]
    check_keys_meet(table["a"].unique(), table["b"].unique(), "places", (repr(origin), repr(destination)))
    within = table["a"] == table["b"]
    if within.all():
        raise EmptyDataError(f"{flow!r} has no flow above zero between two places, in {len(frame):,} rows.")
    sums = table[~within].groupby(["a", "b"], sort=True)["flow"].sum().reset_index()
    sums = sums.sort_values("flow", ascending=False, kind="stable", ignore_index=True)
    ends = np.sort(sums[["a", "b"]].to_numpy(dtype=str), axis=1)
    return (
        sums.assign(pair=pd.DataFrame(ends).groupby([0, 1], sort=False).ngroup()),
        int((~within).sum()),
        table.loc[within, "flow"],
    )


def _checked(frame: pd.DataFrame, origin: str, destination: str, flow: str) -> FloatArray:
    """Flows as numbers that are known, finite and not negative."""
    for name in (origin, destination, flow):
        unusable = " rows of flows: fill it in, or drop the rows."
        refuse_rows(frame[name].isna(), MissingValueError, f"{name!r} is missing in ", unusable)
    values = known_numbers(frame, flow)
    bad = (values < 0) | ~np.isfinite(values)
    if bad.any():
        first = frame.loc[bad, [origin, destination, flow]].iloc[0]
        raise DataError(
            f"{flow!r} is negative or infinite in {int(bad.sum()):,} of {len(values):,} rows, first {listing(first)}: "
            "a bar has a length. Draw the two ways of a net flow as two flows."
        )
    return values


def _named(corridors: pd.DataFrame, places: str | Sequence[str], option: str) -> list[str]:
    """Places that an option names, each among the flows."""
    named = [places] if isinstance(places, str) else [str(place) for place in places]
    known = sorted({*corridors["a"], *corridors["b"]})
    there = f"{len(known)} places: {listing(known)}."
    check_known(
        named, known, lambda place, hint: OptionError(f"{option}={place!r} is not among the flows.{hint} {there}")
    )
    return named


def _pairs(corridors: pd.DataFrame, at_most: int, kept: Sequence[str]) -> pd.DataFrame:
    """The pairs with the largest corridors, and the largest out of and into the places kept; a row for each.

    The columns are a, b, flow of the larger way, and the flow back, zero where there is none.
    """
    largest = [corridors.loc[corridors[side] == place, "pair"].head(1) for place in kept for side in ("a", "b")]
    chosen = {*range(at_most), *(int(rank) for first in largest for rank in first)}
    ways = corridors[corridors["pair"].isin(chosen)]
    second = ways["pair"].duplicated()
    return ways[~second].assign(
        back=lambda pairs: pairs["pair"].map(ways[second].set_index("pair")["flow"]).fillna(0.0)
    )


# the figure ----------------------------------------------------------------------------------------------------------


def _draw(ax: Any, pairs: pd.DataFrame, lit: BoolArray, name: Callable[[str], str]) -> None:
    """Bars, amounts at their ends, the net at the right, and what dark and light mean."""
    from matplotlib.patches import Patch

    apply_style(ax)
    _draw_way(ax, pairs["a"] + ">" + pairs["b"], pairs["flow"].to_numpy(), lit, below=False)
    _draw_way(ax, pairs["b"] + ">" + pairs["a"], pairs["back"].to_numpy(), lit, below=True)
    name_rows(ax, [f"{_short(name(a))} → {_short(name(b))}" for a, b in zip(pairs["a"], pairs["b"], strict=True)])
    for text, bright in zip(ax.get_yticklabels(), lit, strict=True):
        text.set_fontweight("bold" if bright and not lit.all() else "normal")
    ax.set_xlim(0.0, 1.1 * pairs["flow"].max())
    ax.grid(axis="x", color=HAIR, linewidth=0.6)
    ax.xaxis.set_major_formatter(lambda value, _: _amount(value))
    write_beside(ax, [_amount(net) for net in pairs["flow"] - pairs["back"]], header="net")
    put_legend(ax, [Patch(color=PALETTE[0]), Patch(color=PALETTE[0], alpha=_FADED)], ["the way named", "the way back"])


def _draw_way(ax: Any, ways: pd.Series[str], amounts: FloatArray, lit: BoolArray, *, below: bool) -> None:
    """A bar in each row, with its amount where it is not zero; the way back is below and lighter."""
    rows = np.arange(len(amounts)) + (_THICK / 2 if below else -_THICK / 2)
    bars = ax.barh(
        rows, amounts, height=0.92 * _THICK, color=np.where(lit, PALETTE[0], FAINT), alpha=_FADED if below else 1.0,
        linewidth=0, zorder=2,
    )  # fmt: skip
    for bar, way, row, amount in zip(bars, ways, rows, amounts, strict=True):
        bar.set_gid(f"{WAY_GID}:{way}")
        if amount > 0:
            ax.annotate(
                _amount(amount), (amount, row), xytext=(3, 0), textcoords="offset points", va="center_baseline",
                fontsize=SMALL - 1.5, color=INK,
            )  # fmt: skip


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1].rstrip()}…"


def _drawn(corridors: pd.DataFrame, pairs: pd.DataFrame, what: str, at_most: int) -> str:
    """What is drawn, in figures, and what is not."""
    n, m = corridors["pair"].nunique(), len(pairs)
    total, part = float(corridors["flow"].sum()), float(pairs[["flow", "back"]].to_numpy().sum())
    if m == n:
        return f"{f'All {n:,} pairs' if n > 1 else 'One pair'}, {_amount(total)} {what}"
    largest = "The largest" if min(m, at_most) == 1 else f"The {min(m, at_most):,} largest"
    kept = f", and {m - at_most:,} kept," if m > at_most else ""
    share = format_number(100 * part / total, decimals=0)
    return (
        f"{largest}{kept} of {n:,} pairs: {share} % of all {what} ({_amount(part)} of {_amount(total)}); "
        f"the others together: {_amount(total - part)}"
    )


def _amount(value: float) -> str:
    """A flow in words: whole numbers whole, others to three digits."""
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:.3g}"
