"""Figures of decompositions: bars of components, and curves along a run of quantiles. They see frames, no results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pandas as pd

from wagegap._display.axes import FAINT, PALETTE, literal, name_axes, new_axes, put_legend, written
from wagegap._display.facts import note_level, note_stroke
from wagegap._display.intervals import bars
from wagegap._display.scales import scale_axis
from wagegap._display.scatter import line_band
from wagegap._display.sentences import Scale
from wagegap._display.waterfall import steps
from wagegap._typing import AxesLike, FloatArray
from wagegap.errors import OptionError
from wagegap.estimation.units import scale_of

__all__ = ["plot_curves", "plot_detail", "plot_totals", "plot_waterfall", "quantile_of"]

_QUANTILE = re.compile(r"quantile\((0?\.\d+)\)$")
_LEVEL = re.compile(r"(?:C\((\w+)[^\[]*|(?<!\w)(\w+))\[(?:T\.)?([^\]]*)\]")
_DASHES = ("-", "--", ":", "-.")
_STEPS = 18
"""Most steps of a waterfall; the smaller parts of more are one step."""
_RUN = 3
"""Fewest quantiles that are drawn as curves."""


def quantile_of(statistic: str) -> float | None:
    """Return the probability of a quantile's name.

    >>> quantile_of("quantile(0.25)")
    0.25
    """
    match = _QUANTILE.match(statistic)
    return float(match.group(1)) if match else None


def plot_totals(
    frame: pd.DataFrame, keys: Sequence[str], gap: str, unit: str, ax: AxesLike = None, *, alpha: float = 0.05
) -> Any:
    """Draw the totals: curves with bands where the statistics of one comparison are a run of quantiles, else bars.

    Parameters
    ----------
    frame : DataFrame
        Tidy totals with their shares, the gap itself first.
    keys : sequence of str
        Columns that tell comparisons and statistics apart.
    gap : str
        Which gap.
    unit : str
        Unit, or units joined by commas.
    """
    run = _at_quantiles(frame)
    if run is not None and not run.duplicated(["at", "component"]).any():  # of one comparison
        return plot_curves(run, gap, unit, ax, f", {100 * (1 - alpha):g} % bands")
    numbers = _numbers(frame)
    names = [_spaced(name) for name in frame["component"]]
    if keys:
        ax = bars(ax, _cells(frame, keys), *numbers, groups=names)
    else:
        ax = bars(ax, names, *numbers, shares=frame["share"].to_numpy(), whole=names[0])
    note_level(ax, 1 - alpha)
    return scale_axis(ax, "x", gap, _scale(unit), note=f", {100 * (1 - alpha):g} % intervals")


def plot_detail(
    frame: pd.DataFrame, keys: Sequence[str], direction: str, unit: str, ax: AxesLike = None, *, alpha: float = 0.05
) -> Any:
    """Draw one component by regressor: bars, or lines along a run of quantiles.

    Parameters
    ----------
    frame : DataFrame
        Tidy detail of one component with its shares.
    keys : sequence of str
        Columns that tell comparisons and statistics apart.
    direction : str
        Which gap; nothing where there are several.
    unit : str
        Unit, or units joined by commas.
    """
    component = _spaced(frame["component"].iloc[0])
    frame = frame[(frame["estimate"] != 0) | (frame["std_error"] != 0)]
    run = _at_quantiles(frame)
    if run is not None and list(keys) == ["measure"]:
        return _lines(run, component, unit, ax)
    order = frame.groupby("term", sort=False)["estimate"].mean().sort_values(ascending=False).index
    frame = frame.sort_values("term", key=lambda t: t.map(order.get_loc), kind="stable")
    terms, cells = [_without_brackets(str(term)) for term in frame["term"]], _cells(frame, keys)
    numbers = _numbers(frame)
    if not keys:
        ax = bars(ax, terms, *numbers, shares=frame["share"].to_numpy())
    elif len(set(cells)) <= len(PALETTE):
        ax = bars(ax, terms, *numbers, groups=cells)
    else:
        ax = bars(ax, [f"{cell}: {term}" for cell, term in zip(cells, terms, strict=True)], *numbers)
    of = f", {direction}" if direction else ""
    note_level(ax, 1 - alpha)
    return scale_axis(ax, "x", f"{component}{of}", _scale(unit), note=f", {100 * (1 - alpha):g} % intervals")


def plot_waterfall(
    frame: pd.DataFrame, whole: str, title: str, unit: str, ax: AxesLike = None, *, alpha: float = 0.05
) -> Any:
    """Draw parts as steps to the whole.

    Parameters
    ----------
    frame : DataFrame
        Tidy rows of the parts and of the whole, by `term`.
    whole : str
        Term of the whole.
    title : str
        What the numbers are.
    unit : str
        Unit of the numbers.

    Raises
    ------
    OptionError
        Where there are several comparisons or statistics.
    """
    several = int((frame["term"] == whole).sum())
    if several != 1:
        raise OptionError(
            f"kind='waterfall' is of one comparison and statistic, and there are {several}: draw bars, or decompose "
            "one of them."
        )
    parts = frame[(frame["term"] != whole) & ((frame["estimate"] != 0) | (frame["std_error"] != 0))]
    if len(parts) > _STEPS:
        largest = parts["estimate"].abs().sort_values(ascending=False, kind="stable").index[: _STEPS - 1]
        others = parts.drop(index=largest)
        row = {"term": f"{len(others)} others", "estimate": others["estimate"].sum()}
        parts = pd.concat([parts.loc[parts.index.isin(largest)], pd.DataFrame([row])], ignore_index=True)
    shown = pd.concat([parts, frame[frame["term"] == whole]], ignore_index=True)
    labels = [_without_brackets(_spaced(str(term))) for term in parts["term"]]
    ax = steps(ax, labels, *_numbers(shown), whole=_spaced(whole), scale=_scale(unit))
    note_level(ax, 1 - alpha)
    errors = f", {100 * (1 - alpha):g} % intervals" if shown["conf_low"].notna().any() else ", errors unknown"
    return scale_axis(ax, "x", title, _scale(unit), note=errors)


def _scale(unit: str) -> Scale:
    """How a gap is written: as a change; several units have none."""
    return scale_of("none" if "," in unit else unit)


def _numbers(frame: pd.DataFrame) -> list[FloatArray]:
    """Estimates and both ends of their intervals."""
    return [frame[name].to_numpy(dtype=float) for name in ("estimate", "conf_low", "conf_high")]


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _without_brackets(term: str) -> str:
    """A level of a factor without the brackets of formulas.

    >>> _without_brackets("C(field)[T.law]:exper")
    'field: law:exper'
    """
    return _LEVEL.sub(lambda match: f"{match[1] or match[2]}: {match[3]}", term)


def _cells(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """Keys of each row in words: `2024, JPN minus USA`."""
    by_pair = {"first", "second"} <= set(keys)
    columns = [frame[name].astype(str) for name in keys if not (by_pair and name in ("first", "second"))]
    if by_pair:
        columns.append(frame["first"].astype(str) + " minus " + frame["second"].astype(str))
    return [", ".join(cell) for cell in zip(*columns, strict=True)]


def _at_quantiles(frame: pd.DataFrame) -> pd.DataFrame | None:
    """Rows in order of the quantile `at`, where the statistics are quantiles, and enough of them for a curve."""
    if "measure" not in frame:
        return None
    at = frame["measure"].map(lambda name: quantile_of(str(name))).astype(float)
    if at.isna().any() or at.nunique() < _RUN:
        return None
    return frame.assign(at=at).sort_values("at", kind="stable")


def plot_curves(frame: pd.DataFrame, gap: str, unit: str, ax: Any, note: str) -> Any:
    """Draw a curve with its band for each component, along the probabilities in column `at`."""
    ax = new_axes(6.3, 4.0) if ax is None else ax
    for i, (name, part) in enumerate(frame.groupby(frame["component"], sort=False)):
        line_band(
            ax, part["at"].to_numpy(), *_numbers(part), color=PALETTE[(i + 3) % len(PALETTE)],
            label=_spaced(str(name)),
        )  # fmt: skip
        ax.lines[-1].set_linestyle(_DASHES[i % len(_DASHES)])
    return _along_quantiles(ax, note, gap, unit)


def _lines(frame: pd.DataFrame, quantity: str, unit: str, ax: Any) -> Any:
    """One line for each row of a detail, the largest first, without bands, which would hide each other."""
    ax = new_axes(6.3, 4.6) if ax is None else ax
    size = frame["estimate"].abs().groupby(frame["term"]).max().sort_values(ascending=False)
    for i, term in enumerate(size.index):
        part = frame[frame["term"] == term]
        ax.plot(
            part["at"], part["estimate"], color=PALETTE[i % len(PALETTE)],
            linestyle=_DASHES[i // len(PALETTE) % len(_DASHES)], linewidth=1.4,
            label=literal(_without_brackets(str(term))),
        )  # fmt: skip
        note_stroke(ax, "line", _without_brackets(str(term)))
    return _along_quantiles(ax, "", quantity, unit)


def _along_quantiles(ax: Any, note: str, quantity: str, unit: str) -> Any:
    """Axes of a run of quantiles, the legend above them."""
    lines, names = ax.get_legend_handles_labels()
    put_legend(ax, lines, [written(name) for name in names])
    ax.axhline(0.0, color=FAINT, linewidth=0.8, zorder=1)
    ax.margins(x=0)
    name_axes(ax, x=f"probability of the quantile{note}")
    return scale_axis(ax, "y", quantity, _scale(unit))
