"""Values by country over time and on a map of tiles, and the steps of a gap: what is drawn is what was found."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.patches import Rectangle
from matplotlib.text import Text

import wagegap as wg
from wagegap._display.axes import WATCHED, figure_of, new_axes
from wagegap._display.described import describe
from wagegap._display.sentences import Scale
from wagegap._display.slopes import slopes
from wagegap._display.tiles import _GRID, PLACES, tiles
from wagegap._display.waterfall import steps
from wagegap.errors import DataError, OptionError
from wagegap.panel.countries import country_name

POINTS = Scale(100.0, "log points")
NAN = float("nan")


def premiums_by_year(years=(2016, 2020)):
    codes = ["KOR", "USA", "FRA", "DEU", "JPN"]
    rows = [(code, year, 0.1 * i + 0.03 * (year - 2016) * (i - 1)) for i, code in enumerate(codes) for year in years]
    frame = pd.DataFrame(rows, columns=["iso3", "year", "b"])
    return wg.Estimates.from_table(frame, by=["iso3", "year"], term="premium", std_error=None, unit="log")


# tiles ---------------------------------------------------------------------------------------------------------------


def test_every_code_of_the_grid_is_a_country_with_one_tile():
    written = [code for code in _GRID.split() if code != "..."]
    assert len(written) == len(set(written)) == len(PLACES) == len(set(PLACES.values()))
    assert all(country_name(code) != code for code in written)


def test_countries_of_shipped_tables_have_a_tile():
    tables = [
        wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("kaggle"), wg.datasets.published_premiums(),
        wg.datasets.country_premiums("stack_overflow"), wg.datasets.country_premiums("piaac"),
    ]  # fmt: skip
    codes = {code for table in tables for code in table.labels["iso3"]}
    assert codes - set(PLACES) == set()


@pytest.mark.parametrize(("east", "west"), [("KOR", "FRA"), ("FRA", "USA"), ("JPN", "IND"), ("POL", "DEU")])
def test_tiles_lie_as_countries_do(east, west):
    assert PLACES[east][0] > PLACES[west][0]
    for north, south in (("NOR", "ITA"), ("ITA", "ZAF"), ("CAN", "MEX"), ("MEX", "ARG"), ("KOR", "AUS")):
        assert PLACES[north][1] < PLACES[south][1]


def test_tiles_have_the_colour_of_their_value_and_hatching_without_one():
    ax = wg.figures.plot_tiles(wg.datasets.talent_migration("ai"), watch=("KOR", "Burundi"))
    found = {tuple(np.round(np.add(tile.get_xy(), 0.46)).astype(int)): tile for tile in ax.patches
             if isinstance(tile, Rectangle)}  # fmt: skip
    assert len(found) == len(PLACES)
    net = wg.datasets.talent_migration("ai")
    values = dict(zip(net.labels["iso3"], net.values, strict=True))
    filled = {code for code, place in PLACES.items() if found[place].get_hatch() is None}
    assert filled == set(values)
    red, green, blue = to_rgb(found[PLACES[min(values, key=values.get)]].get_facecolor())
    assert red > max(green, blue)  # below zero
    red, green, blue = to_rgb(found[PLACES[max(values, key=values.get)]].get_facecolor())
    assert blue > max(red, green)
    lit = {code for code, place in PLACES.items() if to_hex(found[place].get_edgecolor()).upper() == WATCHED}
    assert lit == {"KOR", "BDI"}
    (bar,) = ax.child_axes
    assert bar.get_xlabel() == "net migration (per 10,000)"
    text = describe(ax)
    assert text.alt.startswith("Tile map: net migration (per 10,000) of 61 countries, without intervals. Highest: Lux")
    assert "South Korea, −62.8 per 10,000" in text.alt
    assert "Hatched countries have no value. Tiles do not show the errors" in text.caption


@pytest.mark.parametrize("size", [(6.3, 5.0), (3.6, 3.0)])
def test_codes_fit_their_tiles_or_are_left_out(size):
    ax = wg.figures.plot_tiles(wg.datasets.talent_migration("ai"), watch="KOR", ax=new_axes(*size))
    figure = figure_of(ax)
    figure.draw_without_rendering()
    tile = ax.get_window_extent().width / np.ptp(ax.get_xlim())
    plain = [text for text in ax.texts if text.get_fontweight() == "normal"]
    assert all(Text.get_window_extent(text).width < 1.05 * tile for text in plain)
    for text in (ax.child_axes[0].xaxis.label, *ax.child_axes[0].get_xticklabels()):
        assert figure.bbox.y0 <= text.get_window_extent().y0


def test_what_is_no_map_is_refused():
    with pytest.raises(DataError, match="needs results or Estimates, not dict"):
        wg.figures.plot_tiles({"KOR": 0.1})
    fields = wg.Estimates.from_table({"field": ["law", "art"], "b": [1.0, 2.0]}, by="field", term="p", std_error=None)
    with pytest.raises(DataError, match="a tile map is of countries: the cells are law, art"):
        wg.figures.plot_tiles(fields)
    with pytest.raises(DataError, match="Choose one by"):
        wg.figures.plot_tiles(wg.datasets.stem_graduates())
    with pytest.raises(DataError, match="a tile map needs one for each"):
        tiles(None, {"KOR": NAN}, title="x", scale=POINTS)
    with pytest.raises(OptionError, match="neither a cell nor a country"):
        wg.figures.plot_tiles(wg.datasets.published_premiums(), watch="Atlantis")


# slopes --------------------------------------------------------------------------------------------------------------


def test_lines_lead_from_year_to_year_and_are_named_at_their_end():
    ax = wg.figures.plot_slopes(premiums_by_year(), over="year", watch="KOR")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["2016", "2020"]
    assert {text.get_text() for text in ax.texts} == {"South Korea", "United States", "France", "Germany", "Japan"}
    lines = {tuple(np.round(line.get_ydata(), 6)): to_hex(line.get_color()).upper() for line in ax.lines}
    assert lines[(0.0, -0.12)] == WATCHED
    assert len(lines) == 5
    figure_of(ax).draw_without_rendering()
    boxes = np.sort([Text.get_window_extent(text).extents[[1, 3]] for text in ax.texts], axis=0)
    assert (boxes[1:, 0] >= boxes[:-1, 1] - 0.5).all()
    assert ax.get_ylabel() == "premium (log points)"
    text = describe(ax)
    assert text.alt == (
        "Slope graph: premium (log points) of 5 countries, without intervals. Highest: Japan, 76.0 log points; lowest: "
        "South Korea, −12.0 log points. In colour: South Korea, −12.0 log points."
    )
    assert "Values named are those of 2020" in text.caption


def test_results_by_time_give_the_same_lines_as_a_key_of_time():
    every = premiums_by_year()
    parts = {str(year): every.select(year=year) for year in (2016, 2020)}
    parts = {time: wg.Estimates.from_table(part.labels.assign(b=part.values)[["iso3", "b"]], by="iso3", term="premium",
                                           std_error=None, unit="log") for time, part in parts.items()}  # fmt: skip
    one, two = wg.figures.plot_slopes(every, over="year"), wg.figures.plot_slopes(parts)
    assert [line.get_ydata().tolist() for line in one.lines] == [line.get_ydata().tolist() for line in two.lines]


def test_of_many_lines_those_that_change_most_are_drawn_and_those_watched():
    ax = wg.figures.plot_slopes(premiums_by_year(), over="year", at_most=2, watch="USA")
    assert {text.get_text() for text in ax.texts} == {"United States", "Germany", "Japan"}
    assert "The 2 that change most of 5" in describe(ax).caption


def test_a_line_is_drawn_over_a_gap_and_one_point_is_none():
    ax = slopes(None, ["a", "b", "c"], {"x": np.array([1.0, NAN, 2.0]), "y": np.array([NAN, 1.0, NAN])})
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 2]]
    assert "1 with a value at one time alone is left out." in describe(ax).caption
    with pytest.raises(DataError, match="a slope graph needs two times"):
        slopes(None, ["a"], {"x": np.array([1.0])})


def test_what_has_no_time_is_refused():
    every = premiums_by_year()
    with pytest.raises(OptionError, match="over= is the key that is the time"):
        wg.figures.plot_slopes(every)
    with pytest.raises(OptionError, match="its times already"):
        wg.figures.plot_slopes({"a": every}, over="year")
    with pytest.raises(wg.errors.WagegapError, match="Did you mean 'year'"):
        wg.figures.plot_slopes(every, over="yaer")
    with pytest.raises(DataError, match="no results to draw"):
        wg.figures.plot_slopes({})


# waterfall -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def gap():
    panel = wg.simulate_panel(countries=2, workers=1500, periods=2, rng=1).panel
    return wg.oaxaca(panel, "log(hourly_wage) ~ ai + exper + C(field)", group="iso3")


@pytest.mark.parametrize("component", [None, "explained", "unexplained"])
def test_each_step_begins_where_the_one_before_ended_and_the_last_is_the_whole(gap, component):
    ax = gap.plot(kind="waterfall", component=component)
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    edges = np.array([[bar.get_x(), bar.get_x() + bar.get_width()] for bar in bars])
    np.testing.assert_allclose(edges[1:-1, 0], edges[:-2, 1], atol=1e-12)
    assert edges[0, 0] == pytest.approx(0, abs=1e-12)
    assert edges[-1] == pytest.approx([0, edges[-2, 1]])
    total = gap.totals()
    whole = total.values[(total.labels["component"] == (component or "difference")).to_numpy()]
    assert edges[-1, 1] == pytest.approx(float(whole[0]))
    assert ax.get_yticklabels()[-1].get_text() == (component or "difference")
    assert "(log points), 95 % intervals" in " ".join(ax.get_xlabel().split())
    assert "the last is the" in describe(ax).caption


def test_parts_that_do_not_add_up_are_refused():
    with pytest.raises(DataError, match=r"add up to 0\.3, the whole is 0\.4"):
        steps(None, ["a", "b"], [0.1, 0.2, 0.4], [NAN] * 3, [NAN] * 3, whole="all", scale=POINTS)
    with pytest.raises(DataError, match="2 parts need 3"):
        steps(None, ["a", "b"], [0.1, 0.2], [NAN] * 2, [NAN] * 2, whole="all", scale=POINTS)
    ax = steps(None, ["a", "b"], [0.1, 0.2, 0.3], [NAN] * 3, [NAN] * 3, whole="all", scale=POINTS)
    assert "without intervals" in describe(ax).alt


def test_a_waterfall_of_several_comparisons_is_refused():
    panel = wg.simulate_panel(countries=3, workers=600, periods=1, rng=1).panel
    several = wg.oaxaca(panel, "log(hourly_wage) ~ exper", group="ai", by="iso3")
    with pytest.raises(OptionError, match="one comparison and statistic, and there are 3"):
        several.plot(kind="waterfall")
    with pytest.raises(OptionError, match="Did you mean 'waterfall'"):
        several.plot(kind="waterfal")
