"""Figures of values by country: over the years as a slope graph, and side by side as a map of tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from wagegap._arguments import public
from wagegap._display.facts import note_names, note_words
from wagegap._display.numbers import format_key, spaced
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import Scale
from wagegap._display.slopes import slopes
from wagegap._display.themes import apply_theme
from wagegap._display.tiles import PLACES, tiles
from wagegap._typing import AxesLike, ColumnName, Count, Theme, Watched
from wagegap.errors import DataError, OptionError, check_column, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import check_one_unit, level_of
from wagegap.panel.countries import country_name, hold_countries
from wagegap.regression.figures import watched_names
from wagegap.regression.premiums.premium import Premiums

__all__ = ["plot_slopes", "plot_tiles"]


@public
def plot_slopes(
    results: Any,
    *,
    over: ColumnName | None = None,
    at_most: Count = 40,
    watch: Watched = (),
    ax: AxesLike = None,
    theme: Theme = "light",
) -> Any:
    """Draw estimates of cells at several times as lines, named where they end: a slope graph.

    Parameters
    ----------
    results : result, Estimates, or mapping of time to these
        Premiums, rates, or others of one term; with the time among the keys of cells, or a result for each time.
    over : str, optional
        Key that is the time, such as `"year"`; not with a mapping, which is in order of time.
    at_most : int
        Lines drawn, those that change most; the caption says how many there are.
    watch : str or sequence of str
        Cells that stand out, such as `("KOR", "USA")`, which are drawn in any case; countries without an estimate are
        passed over.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes
        Numbers are in the unit of the results; ticks are written in that of sentences.

    Raises
    ------
    DataError
        Something that is no result, several terms or units, or fewer than two times.
    OptionError
        Without a key of time, or a word in `watch` that is neither a cell nor a country.

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> rows = pd.DataFrame({"iso3": ["KOR", "USA"] * 2, "year": [2015] * 2 + [2020] * 2, "b": [0.1, 0.2, 0.3, 0.2]})
    >>> premiums = wg.Estimates.from_table(rows, by=["iso3", "year"], term="premium", std_error=None, unit="log")
    >>> ax = plot_slopes(premiums, over="year", watch="KOR")
    >>> ax.get_ylabel(), [text.get_text() for text in ax.texts]
    ('premium (log points)', ['South Korea', 'United States'])
    """
    frame, of_countries = _over_time(results, over)
    title, unit = _only_term(frame), check_one_unit(frame["unit"], "the lines of a slope graph")
    wide = frame.set_index(["name", "time"])["estimate"].unstack()  # noqa: PD010
    wide = wide[list(dict.fromkeys(frame["time"]))]
    rows = frame.drop_duplicates("name")
    lit = watched_names(watch, rows["name"].tolist(), rows[["key"]])
    change = (wide.max(axis=1) - wide.min(axis=1)).sort_values(ascending=False, kind="stable")
    kept = [name for name in wide.index if name in [*change.index[:at_most], *lit]]
    ax = slopes(ax, [format_key(time) for time in wide.columns], {n: wide.loc[n].to_numpy() for n in kept}, watch=lit)
    if of_countries:
        note_names(ax, [name for name in kept if wide.loc[name].notna().sum() > 1], "country", "countries")
    note_words(ax, f"The {at_most} that change most of {len(wide)}" if len(wide) > len(kept) else "")
    scale_axis(ax, "y", title, _scale_of(frame, unit))
    return apply_theme(ax, theme)


def _over_time(results: Any, over: str | None) -> tuple[pd.DataFrame, bool]:
    """Rows of key, name, time, term, unit and estimate, and whether cells are countries."""
    if isinstance(results, Mapping):
        if over is not None:
            raise OptionError(
                f"over={over!r} goes with one result; a mapping of time to results has its times already."
            )
        parts = [_rows(result, "a slope graph").assign(time=str(time)) for time, result in results.items()]
        if not parts:
            raise DataError("there are no results to draw.")
        frame = pd.concat(parts, ignore_index=True)
    else:
        if over is None:
            raise OptionError(
                "over= is the key that is the time, such as over='year'; or give a mapping of time to result."
            )
        frame = _rows(results, "a slope graph", over)
        frame = frame.sort_values("time", kind="stable", ignore_index=True)
    twice = frame.duplicated(["name", "time", "term"])
    if twice.any():
        raise DataError(
            f"{int(twice.sum())} cells have several estimates at one time: {listing(frame['name'][twice])}."
        )
    return frame, bool(frame["of_countries"].all())


def _rows(result: Any, what: str, over: str | None = None) -> pd.DataFrame:
    """Rows of one result."""
    estimates = result.estimates if isinstance(result, Result) else result
    if not isinstance(estimates, Estimates):
        raise DataError(f"{what} needs results or Estimates, not {type(result).__name__}.")
    labels = estimates.labels
    if over is not None:
        check_column(over, estimates.by, "among the keys of the cells")
    keys = [key for key in estimates.by if key != over]
    cells = labels[keys].astype(str).agg(" ".join, axis=1) if keys else pd.Series("all", index=labels.index)
    countries = hold_countries(labels[keys])
    return pd.DataFrame({
        "key": cells, "name": cells.map(country_name) if countries else cells, "term": labels["term"].astype(str),
        "unit": labels["unit"].astype(str), "estimate": estimates.values, "of_countries": countries,
        "is_level": not isinstance(result, Premiums),
    }).assign(**({} if over is None else {"time": labels[over]}))  # fmt: skip


def _only_term(frame: pd.DataFrame) -> str:
    """The term of all rows, as an axis names it."""
    terms = frame["term"].unique()
    if len(terms) > 1:
        raise DataError(
            f"one figure shows one term: the results have {listing(terms)}. Choose one by .select(term=...)."
        )
    return spaced(terms[0])


def _scale_of(frame: pd.DataFrame, unit: str) -> Scale:
    """How the estimates are written; shares that are levels within 0 and 100 per cent."""
    observed = frame["estimate"].to_numpy(dtype=float)
    return level_of(unit, observed=observed if bool(frame["is_level"].all()) else None)


@public
def plot_tiles(results: Any, *, watch: Watched = (), ax: AxesLike = None, theme: Theme = "light") -> Any:
    """Draw estimates of countries as tiles of one size on a grid, each about where it lies, coloured by value.

    Parameters
    ----------
    results : result or Estimates
        Premiums, rates, or others of one term, by country.
    watch : str or sequence of str
        Countries with an outline, such as `("KOR", "USA")`, with an estimate or without.
    ax : Axes, optional
        Where to draw; new axes where absent. On narrow ones the countries watched alone have their code in the tile.
    theme : {"light", "dark", "print"}
        Colours of text and ground; tiles keep theirs.

    Returns
    -------
    Axes
        Hatched tiles are of countries without an estimate; a bar of colours has the unit. Errors are not shown.

    Raises
    ------
    DataError
        Something that is no result, cells that are no countries, or several terms or units.
    OptionError
        For a word in `watch` that is no country.

    Examples
    --------
    >>> import wagegap as wg
    >>> ax = plot_tiles(wg.datasets.country_premiums("piaac"), watch="KOR")
    >>> [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    ['KOR']
    """
    frame = _rows(results, "a tile map")
    if not frame["of_countries"].all():
        raise DataError(f"a tile map is of countries: the cells are {listing(frame['name'])}.")
    title, unit = _only_term(frame), check_one_unit(frame["unit"], "the tiles of a map")
    codes = frame["key"].tolist()
    every = list(dict.fromkeys([*codes, *PLACES]))
    lit = watched_names(watch, every, pd.DataFrame({"iso3": every}))
    values = dict(zip(codes, frame["estimate"].tolist(), strict=True))
    ax = tiles(ax, values, title=title, scale=_scale_of(frame, unit), watch=lit)
    note_names(ax, [country_name(code) for code in codes if code in PLACES], "country", "countries")
    return apply_theme(ax, theme)
