"""Figures composed of results: premiums side by side, rates against premiums, who leaves, how and whither."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import INK, figure_of, literal, new_axes
from wagegap._display.facts import note_names, note_words
from wagegap._display.numbers import spaced
from wagegap._display.scales import scale_axis
from wagegap._display.spec import plain
from wagegap._display.themes import apply_theme
from wagegap._typing import Alpha, AxesLike, Count, Theme, Watched
from wagegap.errors import DataError, OptionError, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import level_of
from wagegap.panel.countries import country_name, hold_countries
from wagegap.regression.exits.exits import Exits, band_words
from wagegap.regression.exits.figures import draw_incidence
from wagegap.regression.figures import draw_effects, draw_intervals, watched_names
from wagegap.regression.gravity.flows import Flows
from wagegap.regression.linear.linear import Linear
from wagegap.regression.link.result import Link
from wagegap.regression.premiums.premium import Premiums
from wagegap.regression.rates.transitions import Transitions
from wagegap.report.by_country import plot_slopes, plot_tiles
from wagegap.report.corridors import plot_corridors
from wagegap.report.vega import vega_link

__all__ = [
    "plot_corridors",
    "plot_effects",
    "plot_forest",
    "plot_incidence",
    "plot_link",
    "plot_slopes",
    "plot_tiles",
    "plot_transitions",
    "vega_link",
]


def __dir__() -> list[str]:
    """Names that a user of `wagegap.figures` has."""
    return sorted(__all__)


_TITLE_POINTS, _TITLE_LETTERS_PER_INCH = 10.0, 11.5


@public
def plot_forest(
    results: Any,
    *,
    ax: AxesLike = None,
    alpha: Alpha = 0.05,
    at_most: Count = 60,
    keep: Sequence[str] = (),
    watch: Watched = (),
    theme: Theme = "light",
) -> Any:
    """Draw estimates by cell with their intervals, largest first: a forest plot.

    Parameters
    ----------
    results : result, Estimates, or mapping of name to these
        One term each; several stand side by side in colours of their own.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    alpha : float
        One minus the coverage of intervals.
    at_most : int
        Estimates drawn; where there are more, the most precise ones, or, where errors are unknown, the largest and the
        smallest. The axis says so.
    keep : sequence of str
        Codes of countries drawn in any case.
    watch : str or sequence of str
        Cells that stand out, such as `("KOR", "USA")`, which are drawn in any case; countries without an estimate are
        passed over.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes
        In the unit of the estimates, a line for each.

    Raises
    ------
    DataError
        Results of two units, or something that is no result.
    OptionError
        A number of estimates below 1, or a word in `watch` that is neither a cell nor a country.

    Examples
    --------
    >>> import wagegap as wg
    >>> ax = plot_forest(wg.datasets.country_premiums("piaac"))
    >>> len(ax.get_yticklabels())
    22
    """
    named = results if isinstance(results, Mapping) else {"": results}
    if not named:
        raise DataError("there are no results to draw.")
    frame = pd.concat([_rows(str(name), value, alpha) for name, value in named.items()], ignore_index=True)
    units = list(dict.fromkeys(frame["unit"]))
    if len(units) > 1:
        raise DataError(
            f"a forest plot has one axis: the results are in {', '.join(units)}. Convert them by .in_unit(...), or "
            "draw two."
        )
    lit = watched_names(watch, frame["name"].tolist(), pd.DataFrame(frame["keys"].tolist()))
    kept = [*(country_name(iso3) for iso3 in keep), *lit]
    frame, choice = _shown(frame.sort_values("estimate", ascending=False, kind="stable"), at_most, kept)
    ax = new_axes(6.3, 0.9 + 0.2 * frame["name"].nunique()) if ax is None else ax
    errors = draw_intervals(ax, frame["name"].tolist(), frame, alpha, several=len(named) > 1, watch=lit)
    note_words(ax, choice.replace("\n", "").removeprefix(", "))
    if frame["of_countries"].all():
        note_names(ax, frame["name"].tolist(), "country", "countries")
    observed = frame["estimate"].to_numpy(dtype=float) if bool(frame["is_level"].all()) else None
    terms = frame["term"].unique()
    title = spaced(terms[0]) if len(terms) == 1 else "estimate"
    scale_axis(ax, "x", title, level_of(units[0], observed=observed), note=f", {errors}{choice}")
    return apply_theme(ax, theme)


@public
def plot_link(
    link: Link, *, ax: AxesLike = None, alpha: Alpha = 0.05, watch: Watched = (), theme: Theme = "light"
) -> Any:
    """Draw rates against premiums with error ellipses, the fitted line, its band and country labels.

    Parameters
    ----------
    link : Link
        With a premium.
    ax : Axes, optional
        Where to draw.
    alpha : float
        One minus the coverage of ellipses and band.
    watch : str or sequence of str
        Cells that stand out, such as `("KOR", "USA")`; countries that are not in the link are passed over.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes
        Premiums across, rates up, each in its unit.

    Raises
    ------
    ArgumentError, DataError
        Something that is no link, or a link without a premium.
    OptionError
        For a word in `watch` that is neither a cell nor a country.

    Examples
    --------
    >>> import wagegap as wg
    >>> both = wg.datasets.stem_graduates()
    >>> link = wg.fit_link("outside ~ premium", both.select(term="outside"), both.select(term="premium"), method="ols")
    >>> plot_link(link).get_ylabel()
    'outside (per cent)'
    """
    return apply_theme(link.plot(ax, alpha=alpha, watch=watch), theme)


@public
def plot_transitions(
    transitions: Annotated[Transitions, "a result of fit_transitions"],
    *,
    cells: Mapping[str, Any] | None = None,
    at_most: Count = 12,
    ax: AxesLike = None,
    theme: Theme = "light",
) -> Any:
    """Draw matrices of moves: shares in per cent with their standard errors, origins in rows, stayers set off.

    Parameters
    ----------
    transitions : Transitions
        Of one or several cells.
    cells : mapping of key to value or values, optional
        Which cells, such as `{"iso3": "KOR"}`; all where absent.
    at_most : int
        Cells drawn where there are several, those with most rows.
    ax : Axes, optional
        Where to draw one matrix.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each cell where there are several, on one scale of colours.

    Raises
    ------
    DataError
        For something that is no matrix of moves.
    OptionError
        For a cell that is not there, or several for the axes given.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=400, periods=2, rng=1).panel.transitions()
    >>> moves = wg.fit_transitions(panel, "field", "next_field", by="iso3")
    >>> len(plot_transitions(moves))
    2
    """
    return apply_theme(transitions.plot(ax, at_most=at_most, **dict(cells or {})), theme)


@public
def plot_incidence(
    fits: Any,
    *,
    exit: str | None = None,
    cells: Mapping[str, Any] | None = None,
    stacked: bool = False,
    uniform: bool = False,
    alpha: Alpha = 0.05,
    ax: AxesLike = None,
    theme: Theme = "light",
) -> Any:
    """Draw the cumulative incidence of exits of one or several fits, side by side or together.

    Parameters
    ----------
    fits : Exits, or mapping of name to Exits
        With a duration. Fits and cells of one exit share a panel; where there are several exits each fit and cell has
        a panel of its own, all with the same limits.
    exit : str, optional
        One exit; all where absent.
    cells : mapping of key to value or values, optional
        Which cells, such as `{"iso3": "KOR"}`; all where absent.
    stacked : bool
        Exits one upon the other, with the band of their sum.
    uniform : bool
        Bands that cover whole curves.
    alpha : float
        One minus the coverage.
    ax : Axes, optional
        Where to draw a single panel.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes, or ndarray of Axes
        One for each panel where there are several.

    Raises
    ------
    DataError
        For something that is no fit of exits.
    OptionError
        For an exit, key or cell that is not there; without a duration; several panels for the axes given, or more
        lines or panels than can be told apart.

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=500, periods=4, rng=1).panel
    >>> leaving = {"abroad": "abroad_next", "field": "new_field_next"}
    >>> found = wg.fit_exits(data, "~ ai", exit=leaving, time="year", by="iso3")
    >>> len(plot_incidence(found)), plot_incidence(found, exit="abroad").get_ylabel()
    (2, 'cumulative incidence of abroad (per cent)')
    """
    named = fits if isinstance(fits, Mapping) else {"": fits}
    curves: list[Any] = []
    for name, fit in named.items():
        if not isinstance(fit, Exits):
            raise DataError(f"cumulative incidence needs Exits of fit_exits, not {type(fit).__name__}.")
        curves += fit.curves(str(name), exit=exit, alpha=alpha, uniform=uniform, total=stacked, **dict(cells or {}))
    if not curves:
        raise DataError("there are no fits of exits to draw.")
    words = band_words(alpha, uniform=uniform)
    return apply_theme(draw_incidence(curves, words=words, stacked=stacked, ax=ax), theme)


@public
def plot_effects(
    results: Any,
    *,
    which: Literal["effects", "elasticities"] = "effects",
    exit: str | None = None,
    alpha: Alpha = 0.05,
    ax: AxesLike = None,
    theme: Theme = "light",
) -> Any:
    """Draw average marginal effects or elasticities of one or several results, with intervals and a line at zero.

    Parameters
    ----------
    results : Exits, Flows, Linear, Estimates, or mapping of name to these
        Coefficients of a linear model are its effects. Estimates are drawn as they are, such as those of
        `Choice.elasticities`.
    which : {"effects", "elasticities"}
        Which of them, of exits.
    exit : str, optional
        One exit; all, beside each other, where absent.
    alpha : float
        One minus the coverage.
    ax : Axes, optional
        Where to draw; new axes of a fitting height where absent.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    Axes
        A row for each regressor; the unit is on the axis.

    Raises
    ------
    DataError
        Results in two units, or something without effects.
    OptionError
        For an exit that is not there, or results without effects or elasticities.

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
    >>> fits = {name: wg.fit_exits(data, "abroad_next ~ ai + exper", model=name) for name in ("logit", "lpm")}
    >>> ax = plot_effects(fits)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['logit', 'lpm']
    """
    named = results if isinstance(results, Mapping) else {"": results}
    if not named:
        raise DataError("there are no results to draw.")
    effects = {str(name): _effects(result, which, exit) for name, result in named.items()}
    exits = {name for _, name in effects.values()}
    on = "".join(f" on {name}" for name in exits if name) if len(exits) == 1 else ""
    what = ("average effect{of}" if which == "effects" else "average elasticity{of}") + on
    named_effects = {name: estimates for name, (estimates, _) in effects.items()}
    return apply_theme(draw_effects(named_effects, what=what, ax=ax, alpha=alpha), theme)


def _effects(result: Any, which: Literal["effects", "elasticities"], exit: str | None) -> tuple[Estimates, str]:
    """Effects or elasticities of a result, and the exit they are on."""
    if isinstance(result, Exits):
        return result.of_exit(which, exit)
    if exit is not None:
        raise OptionError(f"exit={exit!r} goes with results of fit_exits, not with {type(result).__name__}.")
    if isinstance(result, Flows):
        if which == "elasticities":
            raise OptionError(
                "flows have no elasticities of their own: a coefficient of log(x) is one. which='effects'."
            )
        return result.marginal_effects(), ""
    if isinstance(result, Linear):
        return result.estimates.select((result.estimates.labels["term"] != "Intercept").to_numpy()), ""
    if isinstance(result, Estimates):
        return result, ""
    raise DataError(f"{type(result).__name__} has no effects to draw: give Exits, Flows, Linear or Estimates.")


def _shown(frame: pd.DataFrame, at_most: int, keep: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """Rows to draw, of rows sorted from the largest, and what to say of the choice."""
    n = len(frame)
    if n <= at_most:
        return frame, ""
    width = (frame["conf_high"] - frame["conf_low"]).to_numpy()
    precise = bool(np.isfinite(width).all())
    from_ends = np.minimum(np.arange(n), np.arange(n)[::-1])
    chosen = np.isin(np.arange(n), np.argsort(width if precise else from_ends, kind="stable")[:at_most])
    which = "most precise" if precise else "largest and smallest"
    wanted = ~chosen & frame["name"].isin(keep).to_numpy()
    more = f", with {listing(frame['name'][wanted])}" if wanted.any() else ""
    return frame[chosen | wanted], f", \nthe {at_most} {which} of {n}{more}"


def add_title(ax: Any, text: str) -> Any:
    """Write a title above the whole figure, from its left edge, in as many lines as it needs."""
    figure = figure_of(ax)
    lines = textwrap.wrap(plain(text), int(_TITLE_LETTERS_PER_INCH * figure.get_size_inches()[0]))
    figure.suptitle("\n".join(map(literal, lines)), x=0.01, ha="left", fontsize=_TITLE_POINTS, fontweight="bold",
                    color=INK)  # fmt: skip
    return ax


def _rows(group: str, result: Any, alpha: Alpha) -> pd.DataFrame:
    """Estimates of one result: country, group, unit and interval."""
    estimates = result.estimates if isinstance(result, Result) else result
    if not isinstance(estimates, Estimates):
        raise DataError(f"a forest plot needs results or Estimates, not {type(result).__name__}.")
    of_countries = len(estimates.by) != 1 or hold_countries(estimates.labels[estimates.by])
    names = [country_name(name) if of_countries else name for name in estimates.names]
    interval = estimates.conf_int(alpha).reset_index(drop=True)
    labels = estimates.labels
    return interval.assign(
        name=names, group=group, unit=labels["unit"].astype(str).to_numpy(), estimate=estimates.values,
        term=labels["term"].astype(str).to_numpy(), of_countries=of_countries,
        is_level=not isinstance(result, Premiums),
        keys=pd.Series([tuple(map(str, row)) for row in labels[estimates.by].to_numpy()], dtype=object),
    )  # fmt: skip
