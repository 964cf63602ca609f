"""Figures composed of results: premiums of several sources side by side, and rates against premiums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wagegap._display.axes import intervals, new_axes
from wagegap.errors import DataError
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.countries import country_name
from wagegap.regression.link import Link

__all__ = ["plot_forest", "plot_link"]


def plot_forest(results: Any, *, ax: Any = None, alpha: float = 0.05, at_most: int = 60) -> Any:
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
        Countries drawn; the most precise ones where there are more.

    Raises
    ------
    DataError

    Examples
    --------
    >>> import wagegap as wg
    >>> ax = plot_forest(wg.datasets.country_premiums("piaac"))
    >>> len(ax.get_yticklabels())
    22
    """
    named = results if isinstance(results, Mapping) else {"": results}
    rows = [_rows(name, value, alpha) for name, value in named.items()]
    units = list(dict.fromkeys(unit for _, unit in rows))
    if len(units) > 1:
        raise DataError(
            f"a forest plot has one axis: the results are in {', '.join(units)}. Convert them, or draw two."
        )
    frame = np.concatenate([row for row, _ in rows])
    if len(frame) > at_most:
        width = frame["high"] - frame["low"]
        frame = frame[np.argsort(np.where(np.isnan(width), np.inf, width), kind="stable")[:at_most]]
    frame = frame[np.argsort(-frame["estimate"], kind="stable")]
    labels = frame["name"].tolist()
    if ax is None:
        ax = new_axes(6.3, 0.9 + 0.2 * len(dict.fromkeys(labels)))
    groups = frame["group"].tolist() if len(named) > 1 else None
    ax = intervals(ax, labels, frame["estimate"], frame["low"], frame["high"], groups=groups)
    ax.set_xlabel(f"{units[0]}, {100 * (1 - alpha):g} % intervals" if units[0] != "none" else "estimate")
    return ax


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
