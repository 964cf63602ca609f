"""Figures composed of results: premiums of several sources side by side, and rates against premiums."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wagegap._display.axes import figure_of, intervals, new_axes
from wagegap._typing import AnyArray
from wagegap.errors import DataError, OptionError, listing, public
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.countries import country_name
from wagegap.regression.link import Link
from wagegap.report.corridors import plot_corridors

__all__ = ["plot_corridors", "plot_forest", "plot_link"]

_TITLE_POINTS, _TITLE_LETTERS_PER_INCH = 10.0, 11.5


@public
def plot_forest(
    results: Any, *, ax: Any = None, alpha: float = 0.05, at_most: int = 60, keep: Sequence[str] = ()
) -> Any:
    """Draw estimates by country with their intervals, largest first: a forest plot.

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

    Raises
    ------
    DataError
        Results of two units, or something that is no result.
    OptionError
        A number of estimates below 1.

    Examples
    --------
    >>> import wagegap as wg
    >>> ax = plot_forest(wg.datasets.country_premiums("piaac"))
    >>> len(ax.get_yticklabels())
    22
    """
    if at_most < 1:
        raise OptionError(f"at_most={at_most!r} must be at least 1.")
    named = results if isinstance(results, Mapping) else {"": results}
    rows = [_rows(name, value, alpha) for name, value in named.items()]
    units = list(dict.fromkeys(unit for _, unit in rows))
    if len(units) > 1:
        raise DataError(
            f"a forest plot has one axis: the results are in {', '.join(units)}. Convert them, or draw two."
        )
    frame = np.concatenate([row for row, _ in rows])
    frame, words = _shown(frame[np.argsort(-frame["estimate"], kind="stable")], at_most, keep)
    labels = frame["name"].tolist()
    if ax is None:
        ax = new_axes(6.3, 0.9 + 0.2 * len(dict.fromkeys(labels)))
    groups = frame["group"].tolist() if len(named) > 1 else None
    ax = intervals(ax, labels, frame["estimate"], frame["low"], frame["high"], groups=groups)
    known = bool(np.isfinite(frame["low"]).any())
    said = [*([] if units[0] == "none" else units), f"{100 * (1 - alpha):g} % intervals" if known else "errors unknown"]
    ax.set_xlabel(", ".join([*said, *words]))
    return ax


@public
def plot_link(link: Link, *, ax: Any = None, alpha: float = 0.05) -> Any:
    """Draw rates against premiums with error ellipses, the fitted line, its band and country labels.

    Parameters
    ----------
    link : Link
        With a premium.
    ax : Axes, optional
        Where to draw.
    alpha : float
        One minus the coverage of ellipses and band.

    Examples
    --------
    >>> import wagegap as wg
    >>> both = wg.datasets.stem_graduates()
    >>> link = wg.fit_link("outside ~ premium", both.select(term="outside"), both.select(term="premium"), method="ols")
    >>> plot_link(link).get_ylabel()
    'outside (share)'
    """
    return link.plot(ax, alpha=alpha)


_ROW = np.dtype([("name", "U80"), ("group", "U80"), ("estimate", float), ("low", float), ("high", float)])


def _shown(frame: AnyArray, at_most: int, keep: Sequence[str]) -> tuple[AnyArray, list[str]]:
    """Rows to draw, of rows sorted from the largest, and what to say of the choice."""
    n = len(frame)
    if n <= at_most:
        return frame, []
    width = frame["high"] - frame["low"]
    if np.isfinite(width).all():
        order, words = np.argsort(width, kind="stable"), f"the {at_most} most precise of {n}"
    else:
        order = np.argsort(np.minimum(np.arange(n), n - 1 - np.arange(n)), kind="stable")
        words = f"the {at_most} largest and smallest of {n}"
    chosen = np.isin(np.arange(n), order[:at_most])
    wanted = ~chosen & np.isin(frame["name"], [country_name(iso3) for iso3 in keep])
    more = f", with {listing(frame['name'][wanted])}" if wanted.any() else ""
    return frame[chosen | wanted], [f"\n{words}{more}"]


def add_title(ax: Any, text: str) -> Any:
    """Write a title above the whole figure, from its left edge, in as many lines as it needs."""
    figure = figure_of(ax)
    lines = textwrap.wrap(text, int(_TITLE_LETTERS_PER_INCH * figure.get_size_inches()[0]))
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=_TITLE_POINTS, fontweight="bold")
    return ax


def _rows(group: str, result: Any, alpha: float) -> tuple[Any, str]:
    estimates = result.estimates if isinstance(result, Result) else result
    if not isinstance(estimates, Estimates):
        raise DataError(f"a forest plot needs results or Estimates, not {type(result).__name__}.")
    interval = estimates.conf_int(alpha)
    names = [country_name(name) for name in estimates.names]
    rows = list(
        zip(names, [group] * len(names), estimates.values, interval["conf_low"], interval["conf_high"], strict=True)
    )
    return np.array(rows, dtype=_ROW), estimates.unit
