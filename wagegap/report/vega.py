"""The figure of a link as a Vega-Lite specification: a dictionary that any renderer of it makes interactive.

Nothing is needed to make one, and nothing is asked of the network: the data are in it, in the units of sentences.
Resting on a dot shows the country with its rate and premium and their intervals; dragging and turning the wheel move
and zoom. `altair.Chart.from_dict(spec)` shows it in a notebook, and so does every editor of Vega-Lite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from wagegap._arguments import public
from wagegap._display.axes import FAINT, INK, OTHERS, PALETTE, WATCHED
from wagegap._display.scales import unit_in_words
from wagegap._display.sentences import Scale
from wagegap._display.themes import THEMES
from wagegap._typing import Alpha, FloatArray, Theme, Watched
from wagegap.errors import OptionError
from wagegap.estimation.units import level_of
from wagegap.regression.figures import watched_names
from wagegap.regression.link.fitted import level_of_rates
from wagegap.regression.link.lines import band_of, given_controls, lines_of, seen_cells
from wagegap.regression.link.result import Link

__all__ = ["vega_link"]

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_DASHES = ([1, 0], [6, 3], [2, 2])
_DIGITS = 6


@public
def vega_link(link: Link, *, alpha: Alpha = 0.05, watch: Watched = (), theme: Theme = "light") -> dict[str, Any]:
    """Return the figure of a link as a Vega-Lite specification, to move, zoom and ask for each country.

    Parameters
    ----------
    link : Link
        With a premium.
    alpha : float
        One minus the coverage of intervals and of the band.
    watch : str or sequence of str
        Cells that stand out, such as `("KOR", "USA")`; countries that are not in the link are passed over.
    theme : {"light", "dark", "print"}
        Colours: for a light ground, a dark one, or in greys.

    Returns
    -------
    dict
        A specification of version 5 with its data, which `json.dumps` writes: rates and premiums in the units of
        sentences, given the controls where the link has any, their intervals, the lines, and the band or wedge.

    Raises
    ------
    OptionError
        For a link without a premium, or a word in `watch` that is neither a cell nor a country.

    References
    ----------
    Satyanarayan, A., Moritz, D., Wongsuphasawat, K. and J. Heer (2017). Vega-Lite: a grammar of interactive graphics.
    IEEE Transactions on Visualization and Computer Graphics 23(1), 341-350.

    Examples
    --------
    >>> import wagegap as wg
    >>> rates, premiums = wg.datasets.talent_migration("ai"), wg.datasets.published_premiums()
    >>> spec = vega_link(wg.fit_link("net_migration ~ premium", rates, premiums), watch="KOR")
    >>> [row["name"] for row in spec["datasets"]["cells"] if row["watched"]]
    ['South Korea']
    >>> spec["layer"][0]["encoding"]["y"]["title"]
    'net migration (per 10,000)'
    """
    if not link.cells.premiums:
        raise OptionError("vega_link draws rates against a premium, and the link has none: fit it with one.")
    colors = {name: THEMES[theme].get(name, name) for name in (INK, FAINT, OTHERS, WATCHED, *PALETTE)}
    ground = THEMES[theme].get("#FFFFFF", "#FFFFFF")
    scales = level_of(link.cells.units[1]), level_of_rates(link.cells)
    axes = {side: _axis(link, side, scale) for side, scale in zip("xy", scales, strict=True)}
    lines, band = _lines(link, alpha, scales)
    data = {"cells": _cells(link, alpha, watch, scales), "lines": lines, "band": band}
    # of layers that share axes the first one's titles stand
    layers = [_band_layer(axes, band, colors), _lines_layer(axes, lines, colors), *_dots_layers(axes, colors)]
    return {
        "$schema": _SCHEMA, "width": 560, "height": 400, "background": ground,
        "description": f"{axes['y']['title']} against {axes['x']['title']}",
        "datasets": data, "layer": layers,
        "config": {
            "axis": {"labelColor": colors[INK], "titleColor": colors[INK], "gridOpacity": 0.3},
            "legend": {"labelColor": colors[INK], "orient": "top", "direction": "vertical", "labelLimit": 520},
            "view": {"stroke": None},
        },
    }  # fmt: skip


# data ----------------------------------------------------------------------------------------------------------------


def _number(value: float) -> float | None:
    """A number as JSON has it; what is unknown is null."""
    return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None


def _cells(link: Link, alpha: float, watch: str | Sequence[str], scales: tuple[Scale, Scale]) -> list[dict[str, Any]]:
    """A row for each cell: name, label, place, ends of intervals, and whether it stands out."""
    cells, critical = link.cells, float(stats.norm.isf(alpha / 2))
    lit = watched_names(watch, cells.names, cells.keys)
    rows = [{"name": cells.name_of(name), "label": name, "watched": name in lit} for name in cells.names]
    for side, place, scale, values in zip("xy", (1, 0), scales, seen_cells(link), strict=True):
        half = critical * np.sqrt(np.diag(cells.block(place, place)))
        for row, value, reach in zip(rows, values.tolist(), half.tolist(), strict=True):
            row[side] = _number(scale.factor * value)
            row[f"{side}_low"], row[f"{side}_high"] = (_number(scale.factor * (value + s * reach)) for s in (-1, 1))
    return rows


def _lines(
    link: Link, alpha: float, scales: tuple[Scale, Scale]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:  # fmt: skip
    """Points of the lines, named, and edges of the band, within the spread of the premiums and rates."""
    p, y = seen_cells(link)
    (left, right), (bottom, top) = (_limits(values) for values in (p, y))
    at = np.linspace(left, right, 60)
    lines = [
        {"line": name, "x": _number(scales[0].factor * x), "y": _number(scales[1].factor * rate)}
        for name, values in lines_of(link, at)
        for x, rate in zip(at, np.where((values >= bottom) & (values <= top), values, np.nan), strict=True)
    ]
    found = band_of(link, at, alpha)
    if found is None:
        return lines, []
    _, name, low, high = found
    edges = zip(at, np.clip(low, bottom, top), np.clip(high, bottom, top), strict=True)
    return lines, [
        {"line": name, "x": _number(scales[0].factor * x), "low": _number(scales[1].factor * a),
         "high": _number(scales[1].factor * b)} for x, a, b in edges
    ]  # fmt: skip


def _limits(values: FloatArray) -> tuple[float, float]:
    room = 0.16 * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room


# marks ---------------------------------------------------------------------------------------------------------------


def _axis(link: Link, side: str, scale: Scale) -> dict[str, Any]:
    """An axis with its quantity, unit, and what it is given."""
    title = link.cells.premium_in_words if side == "x" else link.cells.outcome_in_words
    unit, given = unit_in_words(scale), given_controls(link) if link.fit.unit is None else ""
    words = f"{title}{f' ({unit})' if unit else ''}{f', given {given}' if given else ''}"
    domain = [_number(scale.factor * end) for end in _limits(seen_cells(link)[side == "y"])]
    return {"field": side, "type": "quantitative", "title": words, "scale": {"domain": domain, "nice": False}}


def _band_layer(axes: Mapping[str, Any], band: list[dict[str, Any]], colors: Mapping[str, str]) -> dict[str, Any]:
    name = band[0]["line"] if band else ""
    return {
        "data": {"name": "band"},
        "mark": {"type": "area", "opacity": 0.22, "clip": True},
        "encoding": {
            "x": axes["x"],
            "y": {**axes["y"], "field": "low"},
            "y2": {"field": "high"},
            "fill": {
                "field": "line", "type": "nominal", "title": None,
                "scale": {"domain": [name] if name else [], "range": [colors[FAINT]]},
            },
        },
    }  # fmt: skip


def _lines_layer(axes: Mapping[str, Any], lines: list[dict[str, Any]], colors: Mapping[str, str]) -> dict[str, Any]:
    names = list(dict.fromkeys(row["line"] for row in lines))
    style: dict[str, Any] = {"field": "line", "type": "nominal", "title": None}
    used = [colors[color] for color in (PALETTE[3], PALETTE[0], PALETTE[1])]
    return {
        "data": {"name": "lines"},
        "mark": {"type": "line", "strokeWidth": 2, "clip": True},
        "params": [{"name": "moved", "select": "interval", "bind": "scales"}],
        "encoding": {
            "x": axes["x"],
            "y": axes["y"],
            "stroke": {**style, "scale": {"domain": names, "range": used[: len(names)]}},
            "strokeDash": {**style, "scale": {"domain": names, "range": list(_DASHES[: len(names)])}},
        },
    }


def _dots_layers(axes: Mapping[str, Any], colors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Intervals along both axes, dots with what each says, and the names of those that stand out."""
    lit = {"condition": {"test": "datum.watched", "value": colors[WATCHED]}, "value": colors[OTHERS]}
    shown = [
        {"field": "name", "title": "cell"},
        *({"field": f"{side}{end}", "title": f"{axes[side]['title']}{words}", "format": ".4~g"}
          for side in "yx" for end, words in (("", ""), ("_low", ", from"), ("_high", ", to"))),
    ]  # fmt: skip
    bars = [
        {
            "data": {"name": "cells"},
            "mark": {"type": "rule", "opacity": 0.45, "clip": True},
            "encoding": {
                **axes, side: {**axes[side], "field": f"{side}_low"}, f"{side}2": {"field": f"{side}_high"},
                "color": lit,
            },
        }
        for side in "xy"
    ]  # fmt: skip
    dots = {
        "data": {"name": "cells"},
        "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "clip": True},
        "encoding": {**axes, "color": lit, "tooltip": shown},
    }
    names = {
        "data": {"name": "cells"},
        "transform": [{"filter": "datum.watched"}],
        "mark": {"type": "text", "dx": 8, "align": "left", "fontWeight": "bold", "clip": True},
        "encoding": {**axes, "text": {"field": "name"}, "color": {"value": colors[WATCHED]}},
    }
    return [*bars, dots, names]
