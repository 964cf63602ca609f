"""Countries as tiles of one size on a grid, each about where it lies: a map on which Malta is as large as Russia.

Colour is the value, from white to one dark blue, and to a dark red below zero; an absent country is hatched. Tiles say
nothing about errors, which the caption repeats. Where tiles are too small for codes, those that stand out alone have
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wagegap._display.axes import FAINT, INK, SMALL, WATCHED, Axes, figure_of, new_axes, styled
from wagegap._display.facts import Marks, facts_of, note_marks, note_words
from wagegap._display.heat import cell_colors, contrasting
from wagegap._display.scales import unit_in_words
from wagegap._display.sentences import Scale
from wagegap.errors import DataError, listing

__all__ = ["PLACES", "tiles"]

TILE_GID = "wagegap-fixed-tile"
_SMALLEST = 4.0
_GRID = """
... ... ... ... ... GRL ISL ... ... NOR SWE ... LVA FIN ... ... ... ... ... ... ... ... ... ... ... ...
CAN ... ... ... ... ... ... GBR NLD DNK CZE POL LTU EST ... ... ... ... ... RUS ... ... ... ... ... ...
... ... ... ... ... ... IRL BEL LUX DEU AUT HUN SVK BLR UKR ... ... ... ... ... ... ... ... ... ... ...
... ... ... ... ... ... ... FRA CHE LIE SVN BIH SRB ROU MDA ... ... ... KAZ ... MNG ... ... ... ... ...
... ... ... ... ... ... ... AND MCO SMR HRV MNE XKX BGR TUR GEO AZE UZB KGZ ... ... PRK ... ... ... ...
USA ... ... ... ... ... PRT ESP ... ITA MLT ALB MKD GRC CYP SYR ARM TKM TJK ... CHN KOR JPN ... ... ...
... ... ... BMU ... ... MAR GIB ... TUN ... ... ... ... PSE LBN IRQ IRN AFG NPL ... ... ... ... ... ...
MEX CUB BHS DOM ... ... ... ... DZA ... ... LBY ... EGY ISR JOR KWT QAT PAK BGD BTN TWN ... ... ... ...
BLZ CYM HTI VIR KNA ... MRT ... ... ... ... ... ... ... ... SAU BHR ARE IND MMR MAC HKG ... ... ... ...
GTM JAM PRI ATG DMA CPV SEN MLI ... NER ... ... ... SDN ... ERI YEM OMN ... ... LAO VNM ... ... ... ...
SLV HND ABW VCT LCA BRB GMB BFA ... ... ... TCD ... ... ... ... ... ... ... THA KHM ... GUM ... ... ...
NIC CRI CUW GRD TTO GNB GIN TGO BEN NGA ... ... ... ... ... ETH DJI ... ... ... ... PHL ... ... ... ...
... PAN ... VEN GUY ... SLE CIV GHA ... CMR ... CAF SSD ... ... SOM ... ... LKA MYS BRN PLW FSM MHL ...
... ... COL ... SUR ... LBR ... STP GNQ COG ... ... RWA UGA KEN ... ... MDV ... SGP ... ... NRU KIR ...
... ... ECU ... ... ... ... ... ... GAB ... ... COD BDI TZA ... ... SYC ... ... ... IDN PNG SLB TUV ...
... ... PER BOL ... BRA ... ... ... ... ... AGO ... ZMB MWI COM ... ... ... ... ... TLS ... VUT WSM PYF
... ... ... ... PRY ... ... ... ... ... ... NAM BWA ZWE ... MOZ MDG MUS ... ... ... ... ... NCL FJI COK
... ... CHL ... URY ... ... ... ... ... ... ... ZAF LSO SWZ ... ... ... ... ... ... ... AUS ... TON ...
... ... ... ARG ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... ... NZL ...
"""
PLACES: Mapping[str, tuple[int, int]] = {
    code: (column, row)
    for row, line in enumerate(_GRID.split("\n")[1:-1])
    for column, code in enumerate(line.split())
    if code != "..."
}
"""Column and row of each country, by its code of three letters."""


def tiles(ax: Axes | None, values: Mapping[str, float], *, title: str, scale: Scale, watch: Sequence[str] = ()) -> Axes:
    """Draw values of countries as tiles.

    Parameters
    ----------
    ax : Axes or None
        Where to draw; new axes where None.
    values : mapping of code to float
        A value for each country, by its code of three letters.
    title : str
        What the values are, for the bar of colours.
    scale : Scale
        How they are written.
    watch : sequence of str
        Codes of countries with an outline.

    Returns
    -------
    Axes

    Raises
    ------
    DataError
        Where no country has a place, or a value is missing or infinite.

    Examples
    --------
    >>> ax = tiles(None, {"KOR": 0.06, "USA": 0.25}, title="premium", scale=Scale(100.0, "log points"), watch=["KOR"])
    >>> len(ax.patches), [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    (210, ['KOR'])
    """
    drawn = {code: float(value) for code, value in values.items() if code in PLACES}
    numbers = np.array(list(drawn.values()))
    if not drawn or not np.isfinite(numbers).all():
        raise DataError(f"{len(values)} values of which {int(np.isfinite(numbers).sum())} are numbers of countries: "
                        "a tile map needs one for each of some countries.")  # fmt: skip
    ax = new_axes(6.3, 5.0) if ax is None else ax
    top = float(np.abs(numbers).max()) or 1.0
    cells = cell_colors(numbers[:, None], np.zeros((len(drawn), 1), dtype=bool), top)[:, 0]
    colors = dict(zip(drawn, cells, strict=True))
    _frame(ax)
    for code, place in PLACES.items():
        _tile(ax, place, colors.get(code), watched=code in watch)
    _write_codes(ax, colors, watch)
    _bar(ax, top, bool((numbers < 0).any()), title, scale)
    facts = facts_of(ax)
    facts.titles["x"], facts.scales["x"] = title, scale
    watched = [i for i, code in enumerate(drawn) if code in watch]
    note_marks(ax, Marks("tile", list(drawn), {"x": numbers}, watched=watched))
    nowhere = [code for code in values if code not in PLACES]
    note_words(
        ax, "Hatched countries have no value", "Tiles do not show the errors of the values",
        f"No tile: {listing(nowhere, 8)}" if nowhere else "",
    )  # fmt: skip
    return ax


def _frame(ax: Axes) -> None:
    """Axes without spines and ticks on which tiles are squares."""
    columns, rows = (max(place[side] for place in PLACES.values()) for side in (0, 1))
    ax.set_xlim(-0.6, columns + 0.6)
    ax.set_ylim(rows + 3.6, -0.6)  # the bar of colours stands under the map
    ax.set_aspect("equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def _tile(ax: Axes, place: tuple[int, int], color: Any, *, watched: bool) -> None:
    from matplotlib.patches import Rectangle

    x, y = place[0] - 0.46, place[1] - 0.46
    look: dict[str, Any] = {"facecolor": color, "edgecolor": FAINT, "linewidth": 0.4, "gid": TILE_GID}
    if color is None:
        look = {"facecolor": "none", "edgecolor": FAINT, "linewidth": 0.0, "hatch": "/////", "alpha": 0.35}
    if watched:
        look |= {"edgecolor": WATCHED, "linewidth": 2.0, "alpha": None, "zorder": 3}
    ax.add_patch(Rectangle((x, y), 0.92, 0.92, **look))


def _write_codes(ax: Axes, colors: Mapping[str, Any], watch: Sequence[str]) -> None:
    """Codes in tiles with a value, as large as fits; where that is too small, of those that stand out alone."""
    figure_of(ax).draw_without_rendering()
    points = float(ax.get_window_extent().width / np.ptp(ax.get_xlim())) * 72.0 / figure_of(ax).dpi
    size = min(0.92 * points / (3 * 0.8), SMALL)
    with styled():
        for code in PLACES:
            lit = code in watch
            if (code in colors and size >= _SMALLEST) or lit:
                color = contrasting(colors[code]) if code in colors else INK
                x, y = PLACES[code]
                ax.text(
                    x, y, code, fontsize=max(size, _SMALLEST), color=color, ha="center", va="center_baseline",
                    fontweight="bold" if lit else "normal", zorder=4, gid=TILE_GID if code in colors else None,
                ).set_in_layout(False)  # fmt: skip


def _bar(ax: Axes, top: float, signed: bool, title: str, scale: Scale) -> None:
    """A scale of the colours under the map, with its unit."""
    from wagegap._display.artists import ScaledTicks

    bar = ax.inset_axes((0.3, 0.1, 0.4, 0.025))
    steps = np.linspace(-top if signed else 0.0, top, 128)
    colors = cell_colors(steps[None, :], np.zeros((1, 128), dtype=bool), top)
    bar.imshow(colors, aspect="auto", extent=(float(steps[0]), top, 0.0, 1.0), gid=TILE_GID)
    bar.set_yticks([])
    bar.xaxis.set_major_formatter(ScaledTicks(scale.factor))
    bar.tick_params(labelsize=SMALL - 1, labelcolor=INK, color=FAINT, length=2, width=0.5)
    unit = unit_in_words(scale)
    bar.set_xlabel(f"{title} ({unit})" if unit else title, fontsize=SMALL, color=INK)
    bar.spines[:].set_visible(False)
