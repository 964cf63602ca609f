"""Figures of decompositions: bars of components, and curves along a run of quantiles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from wagegap._display.axes import FAINT, INK, PALETTE, SMALL, new_axes
from wagegap._display.bars import bars
from wagegap._display.scatter import line_band

if TYPE_CHECKING:
    from wagegap.decomposition.result import Decomposition, Detail

__all__ = ["plot_detail", "plot_totals", "quantile_of"]

_QUANTILE = re.compile(r"quantile\((0?\.\d+)\)$")
_LEVEL = re.compile(r"(?:C\((\w+)[^\[]*|(?<!\w)(\w+))\[(?:T\.)?([^\]]*)\]")
_DASHES = ("-", "--", ":", "-.")
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
    if len(decomposition.comparisons) == 1 and _is_run(frame):
        return _curves(decomposition, _at_quantiles(frame), ax, alpha)
    return _bars(decomposition, frame, ax, alpha)


def plot_detail(detail: Detail, ax: Any = None, *, alpha: float = 0.05) -> Any:
    """Draw one component by regressor: bars, or lines along a run of quantiles."""
    frame = detail.tidy(alpha)
    frame = frame[(frame["estimate"] != 0) | (frame["std_error"] != 0)]
    keys = [name for name in detail.estimates.by if name != "component"]
    what = f"{_words(detail.component)}{_unit(detail.unit)}"
    if keys == ["measure"] and _is_run(frame):
        return _lines(_at_quantiles(frame), what, ax)
    cells = _cells(frame, keys)
    order = frame.groupby("term", sort=False)["estimate"].mean().sort_values(ascending=False).index
    frame = frame.assign(cell=cells).sort_values("term", key=lambda t: t.map(order.get_loc), kind="stable")
    columns = [frame[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")]
    terms = [_level(str(term)) for term in frame["term"]]
    if not keys:
        ax = bars(ax, terms, *columns, shares=frame["share"].to_numpy())
    elif len(set(cells)) <= len(PALETTE):
        ax = bars(ax, terms, *columns, groups=frame["cell"].tolist())
    else:
        ax = bars(ax, [f"{cell}: {term}" for cell, term in zip(frame["cell"], terms, strict=True)], *columns)
    direction = list(dict.fromkeys(detail.estimates.labels["comparison"]))
    of = f", {direction[0]}" if len(direction) == 1 and direction[0] else ""
    ax.set_xlabel(f"{_words(detail.component)}{of}{_unit(detail.unit)}, {100 * (1 - alpha):g} % intervals")
    return ax


def _bars(decomposition: Decomposition, frame: pd.DataFrame, ax: Any, alpha: float) -> Any:
    keys = decomposition.keys
    columns = [frame[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")]
    words = [_words(name) for name in frame["component"]]
    if keys:
        ax = bars(ax, _cells(frame, keys), *columns, groups=words)
    else:
        ax = bars(ax, words, *columns, shares=frame["share"].to_numpy(), whole=words[0])
    ax.set_xlabel(f"{_gap(decomposition)}, {100 * (1 - alpha):g} % intervals")
    return ax


def _gap(decomposition: Decomposition) -> str:
    """Say which gap it is, and its unit, as short as an axis needs it."""
    directions = list(dict.fromkeys(decomposition.comparisons["direction"]))
    return f"{directions[0] if len(directions) == 1 else 'gap and its parts'}{_unit(decomposition.unit)}"


def _unit(unit: str) -> str:
    return "" if unit in ("", "none") else f" ({unit})"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _level(term: str) -> str:
    """A level of a factor without the brackets of formulas: `C(field)[T.law]` is `field: law`."""
    return _LEVEL.sub(lambda found: f"{found[1] or found[2]}: {found[3]}", term)


def _cells(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Keys of each row in words: `2024, JPN minus USA`."""
    pairs = {"first", "second"} <= set(keys)
    others = [name for name in keys if not (pairs and name in ("first", "second"))]
    cells = [[str(value) for value in row] for row in frame[others].itertuples(index=False)]
    if pairs:
        words = [f"{a} minus {b}" for a, b in zip(frame["first"], frame["second"], strict=True)]
        cells = [[*cell, word] for cell, word in zip(cells, words, strict=True)]
    return [", ".join(cell) for cell in cells]


def _is_run(frame: pd.DataFrame) -> bool:
    """Say whether the statistics are quantiles, and enough of them for a curve."""
    if "measure" not in frame:
        return False
    at = [quantile_of(str(name)) for name in frame["measure"].unique()]
    return None not in at and len(at) >= _RUN


def _at_quantiles(frame: pd.DataFrame) -> pd.DataFrame:
    at = np.array([quantile_of(str(name)) for name in frame["measure"]], dtype=float)
    return frame.assign(at=at).sort_values("at", kind="stable")


def _curves(decomposition: Decomposition, frame: pd.DataFrame, ax: Any, alpha: float) -> Any:
    """One curve with its band for each component."""
    ax = new_axes(6.3, 4.0) if ax is None else ax
    for i, name in enumerate(decomposition.components):
        part = frame[frame["component"] == name]
        columns = [part[c].to_numpy() for c in ("at", "estimate", "conf_low", "conf_high")]
        line_band(ax, *columns, color=PALETTE[(i + 3) % len(PALETTE)], label=_words(name))
    return _frame(ax, frame, f", {100 * (1 - alpha):g} % bands", _gap(decomposition))


def _lines(frame: pd.DataFrame, what: str, ax: Any) -> Any:
    """One line for each row of a detail, the largest first, without bands, which would hide each other."""
    ax = new_axes(6.3, 4.6) if ax is None else ax
    size = frame["estimate"].abs().groupby(frame["term"]).max().sort_values(ascending=False)
    for i, term in enumerate(size.index):
        part = frame[frame["term"] == term]
        style = _DASHES[i // len(PALETTE) % len(_DASHES)]
        ax.plot(
            part["at"], part["estimate"], color=PALETTE[i % len(PALETTE)], linestyle=style, linewidth=1.4,
            label=_level(str(term)),
        )  # fmt: skip
    return _frame(ax, frame, "", what)


def _frame(ax: Any, frame: pd.DataFrame, note: str, what: str) -> Any:
    """Axes of a run of quantiles, the legend above them."""
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    ax.set_xlim(float(np.min(frame["at"])), float(np.max(frame["at"])))
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, frameon=False, fontsize=SMALL, labelcolor=INK,
        borderaxespad=0.2, columnspacing=1.2,
    )  # fmt: skip
    ax.set_xlabel(f"probability of the quantile{note}")
    ax.set_ylabel(what)
    return ax
