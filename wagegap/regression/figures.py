"""What figures of several subjects share: names of cells, effects beside each other, pairs of alternatives as a matrix.

They take estimates and frames, and know no stage, so that each result can draw itself and the doors of
`wagegap.figures` can put several beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._display.axes import new_axes
from wagegap._display.facts import note_level, note_names
from wagegap._display.heat import heat
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_key
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import Scale
from wagegap._typing import AxesLike
from wagegap.errors import DataError, OptionError, did_you_mean, listing
from wagegap.estimation.countries.columns import country_code, country_name, hold_countries, level_meant, near_country
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import draw_estimates
from wagegap.estimation.units import scale_of

__all__ = [
    "MOST_LINES",
    "cell_names",
    "chosen_cells",
    "draw_cells",
    "draw_effects",
    "draw_intervals",
    "draw_pairs",
    "draw_rows",
    "watched_names",
    "written",
]

MOST_LINES = 8
"""Lines, or groups in a row, that can be told apart."""


def chosen_cells(frame: pd.DataFrame, names: Sequence[str], keys: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of the cells that keys name; errors say what there is.

    Parameters
    ----------
    frame : DataFrame
        With the keys as columns.
    names : sequence of str
        Keys of cells.
    keys : mapping
        Value, or values in a list, of some of them.

    Raises
    ------
    OptionError
        For a key or a value that is not there.
    """
    for key, value in keys.items():
        if key not in names:
            there = f" Keys: {listing(names)}." if len(names) else " There is a single cell."
            raise OptionError(f"no key {key!r} of cells.{did_you_mean(key, names)}{there}")
        known = frame[key].drop_duplicates().tolist()
        given = list(value) if isinstance(value, list | tuple | set | np.ndarray) else [value]
        values = [level_meant(one, known) for one in given] if hold_countries(frame[[key]]) else given
        for one in values:
            if one not in known:
                hint = did_you_mean(one, known) or (near_country(one, known) if hold_countries(frame[[key]]) else "")
                raise OptionError(f"no cell {key}={one!r}.{hint} There are: {listing(known, 12)}.")
        frame = frame[frame[key].isin(values)]
    return frame


def cell_names(frame: pd.DataFrame, keys: Sequence[str]) -> list[str]:
    """A name for each row: the values of its keys, countries written out."""
    columns = [written(frame[key].tolist()) for key in keys]
    return [" ".join(row) for row in zip(*columns, strict=True)] if columns else [""] * len(frame)


def written(values: Sequence[object]) -> list[str]:
    """Values as text; where all of them are codes of countries, their names ("CHE" can also be chemistry)."""
    texts = [format_key(value) for value in values]
    names = [country_name(text) for text in texts]
    return texts if any(name == text for name, text in zip(names, texts, strict=True)) else names


def watched_names(watch: str | Sequence[str], names: Sequence[str], keys: pd.DataFrame) -> list[str]:
    """Names of the cells that stand out: those of these names, and of countries by whatever name or code.

    Parameters
    ----------
    watch : str or sequence of str
        Names, or codes or names of countries; a country without a cell is passed over.
    names : sequence of str, length n
        Names of cells.
    keys : DataFrame, n rows
        Keys of cells.

    Raises
    ------
    OptionError
        For a word that is neither a cell nor a country.

    Examples
    --------
    >>> watched_names(["South Korea", "JPN"], ["KOR 2020", "USA 2020"], pd.DataFrame({"iso3": ["KOR", "USA"]}))
    ['KOR 2020']
    """
    wanted = [watch] if isinstance(watch, str) else list(watch)
    lit: list[str] = []
    for word in wanted:
        if word in names:
            lit.append(word)
            continue
        code = country_code(word)
        if code is None:
            raise OptionError(f"watch={word!r} is neither a cell nor a country.{did_you_mean(word, names)}")
        rows = (keys.astype(str) == code).any(axis=1).to_numpy()
        lit += [name for name, row in zip(names, rows, strict=True) if row]
    return list(dict.fromkeys(lit))


def draw_cells(estimates: Estimates, ax: Any, alpha: float, words: str, scale: Scale) -> Any:
    """Draw estimates of cells with their intervals, a row each, countries by their names."""
    of_countries = len(estimates.by) == 1 and hold_countries(estimates.labels[estimates.by])
    names = [country_name(name) if of_countries else name for name in estimates.names]
    ax = draw_estimates(estimates, ax, alpha, words, row_height=0.2, scale=scale, names=names)
    if of_countries:
        note_names(ax, names, "country", "countries")
    return ax


def draw_effects(named: Mapping[str, Estimates], *, what: str, ax: AxesLike = None, alpha: float = 0.05) -> Any:
    """Draw effects of regressors with intervals: a row for each, results and exits beside each other in it.

    Parameters
    ----------
    named : mapping of name to Estimates
        Each of one exit, or with exits among the labels; rows are terms, or cells and terms.
    what : str
        What they are, for the axis; `{of}` in it is where a regressor is named that all rows are of.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    alpha : float
        One minus the coverage.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        Results in two units.
    OptionError
        More groups than can be told apart.
    """
    frame = pd.concat([_rows(name, estimates, alpha) for name, estimates in named.items()], ignore_index=True)
    return draw_rows(frame, what=what, ax=ax, alpha=alpha)


def draw_rows(frame: pd.DataFrame, *, what: str, ax: AxesLike = None, alpha: float = 0.05) -> Any:
    """Draw rows of cell, term, group, unit, estimate, conf_low and conf_high, as `draw_effects` does."""
    units = list(dict.fromkeys(frame["unit"].astype(str)))
    if len(units) > 1:
        raise DataError(f"one axis has one unit: the results are in {listing(units)}. Draw them apart.")
    only = frame["term"].nunique() == 1 and bool((frame["cell"] != "").all())
    groups = frame["group"].unique()
    if len(groups) > MOST_LINES:
        raise OptionError(
            f"there are {len(groups)} results and exits, of which {MOST_LINES} can be told apart: name some."
        )
    labels = (frame["cell"] if only else (frame["cell"] + " " + frame["term"]).str.strip()).tolist()
    if ax is None:
        ax = new_axes(6.3, 1.0 + len(set(labels)) * max(0.25, 0.13 * len(groups)))
    errors = draw_intervals(ax, labels, frame, alpha, several=len(groups) > 1, sizes="equal")
    title = what.replace("{of}", f" of {frame['term'].iloc[0]}" if only else "")
    return scale_axis(ax, "x", title, scale_of(units[0]), note=f", {errors}")


def draw_intervals(
    ax: Any, labels: Sequence[str], frame: pd.DataFrame, alpha: float, *, several: bool,
    sizes: Literal["precision", "equal"] = "precision", watch: Sequence[str] = (),
) -> str:  # fmt: skip
    """Draw estimates with their intervals, by `group` where there are several; return what is drawn, for the axis."""
    columns = frame[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=float).T
    groups = frame["group"].tolist() if several else None
    intervals(ax, labels, *columns, groups=groups, sizes=sizes, watch=watch)
    note_level(ax, 1 - alpha)
    return f"{100 * (1 - alpha):g} % intervals" if frame["conf_low"].notna().any() else "errors unknown"


def _rows(name: str, estimates: Estimates, alpha: float) -> pd.DataFrame:
    """Rows of one result: cell, term, group, and the interval."""
    frame = estimates.tidy(alpha)
    cells = cell_names(frame, [key for key in estimates.by if key != "exit"])
    exits = frame["exit"].astype(str) if "exit" in frame else [""] * len(frame)
    groups = [", ".join(filter(None, (name, exit))) for exit in exits]
    shown = frame[["estimate", "conf_low", "conf_high"]].assign(unit=estimates.labels["unit"].to_numpy())
    return shown.assign(cell=cells, term=frame["term"].astype(str), group=groups)


def draw_pairs(estimates: Estimates, levels: Sequence[Any], *, what: str, ax: AxesLike = None) -> Any:
    """Draw elasticities or substitution between alternatives as a matrix, the own ones set off.

    Parameters
    ----------
    estimates : Estimates
        With `alternative` and `changed` among the labels.
    levels : sequence
        Alternatives, in order.
    what : str
        What the numbers are.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
    """
    at = {level: i for i, level in enumerate(levels)}
    i, j = (estimates.labels[side].map(at).to_numpy(dtype=int) for side in ("alternative", "changed"))
    in_per_cent = estimates.unit == "share"
    values, errors = np.full((2, len(levels), len(levels)), np.nan)
    values[i, j], errors[i, j] = np.array([estimates.values, estimates.bse]) * (100 if in_per_cent else 1)
    itself = np.eye(len(levels), dtype=bool) & np.isfinite(values)
    names = written(levels)
    return heat(
        ax, names, names, values, errors=errors, set_off=itself, decimals=1 if in_per_cent else 2,
        caption=f"{what}; grey: its own." if itself.any() else f"{what}.", unit="per cent" if in_per_cent else "",
        ylabel="share of",
    )  # fmt: skip
