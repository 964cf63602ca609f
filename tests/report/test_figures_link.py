"""Figures of links: every line and band named, controls taken out of the dots, labels apart at any size."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

import wagegap as wg
from wagegap._display.axes import OTHERS, WATCHED, figure_of, new_axes
from wagegap._display.described import describe
from wagegap.errors import OptionError
from wagegap.regression.link.lines import seen_cells

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
SIZES = [(6.3, 4.5), (3.6, 3.0)]


@pytest.fixture(scope="module")
def net():
    return wg.datasets.talent_migration("ai")


@pytest.fixture(scope="module")
def unsettled(net):
    return wg.fit_link("net_migration ~ premium", net, wg.datasets.country_premiums("stack_overflow"))


@pytest.fixture(scope="module")
def controlled(net):
    premiums = wg.datasets.country_premiums("stack_overflow")
    data = wg.datasets.income()
    return wg.fit_link("net_migration ~ premium + log(gdp_per_head)", net, premiums, data=data, method="ols")


@pytest.fixture(scope="module")
def shares():
    both = wg.datasets.stem_graduates()
    rates, premiums = (both.select(term=term) for term in ("outside", "premium"))
    return {m: wg.fit_link("outside ~ premium", rates, premiums, method=m, force=True) for m in ("ml", "fractional")}


@pytest.fixture(scope="module")
def shipped(net, unsettled, controlled, shares):
    published = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    return {"developers": unsettled, "income": controlled, "stem": shares["ml"], "published": published}


def shown_boxes(figure):
    """Boxes of all texts that are drawn in a figure, legends and axes among them."""
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    boxes = {text: Text.get_window_extent(text).extents for text in texts}
    ticks = {label for ax in figure.axes for label in (*ax.get_xticklabels(), *ax.get_yticklabels())}
    frame = figure.bbox.extents
    inside = lambda box: (box[:2] < frame[2:]).all() and (box[2:] > frame[:2]).all()  # noqa: E731
    return {text: box for text, box in boxes.items() if inside(box) and text not in ticks}


def overlapping(boxes):
    return [
        (a.get_text(), b.get_text())
        for (a, first), (b, second) in itertools.combinations(boxes.items(), 2)
        if (np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]) > 0.5).all()
    ]


def legend_of(ax):
    return [text.get_text().replace("\n", " ") for text in ax.get_legend().get_texts()]


# labels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["developers", "income", "stem", "published"])
@pytest.mark.parametrize("dpi", [72, 200])
def test_labels_do_not_overlap_in_whatever_file_is_saved(shipped, tmp_path, size, dpi, name):
    ax = shipped[name].plot(new_axes(*size), watch=("USA", "KOR"))
    figure = figure_of(ax)
    figure.savefig(tmp_path / "link.png", dpi=dpi)
    figure.set_dpi(dpi)
    figure.draw_without_rendering()
    assert overlapping(shown_boxes(figure)) == []


def test_labels_are_placed_anew_where_a_figure_changes_its_size(unsettled):
    ax = unsettled.plot()
    figure = figure_of(ax)
    figure.set_size_inches(4.0, 3.4)
    ax.set_xlim(-0.3, 0.3)
    figure.draw_without_rendering()
    assert overlapping(shown_boxes(figure)) == []


def test_the_call_of_the_readme_prints_no_label_over_another(tmp_path):
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.published_premiums()
    figure = wg.fit_link("net_migration ~ premium", net, premiums).plot().figure
    figure.savefig(tmp_path / "link.png")
    figure.draw_without_rendering()
    assert overlapping(shown_boxes(figure)) == []


def test_of_many_labels_the_outermost_and_those_watched_are_written():
    rng, n = np.random.default_rng(5), 139
    codes = [f"C{i:03d}" for i in range(n)]
    frame = {"cell": codes, "b": rng.normal(0.1, 0.05, n), "se": 0.01}
    rates = wg.Estimates.from_table({**frame, "b": rng.normal(0.2, 0.05, n)}, by=["cell"], term="r")
    premiums = wg.Estimates.from_table(frame, by=["cell"], term="premium", unit="log")
    link = wg.fit_link("r ~ premium", rates, premiums, method="ols")
    inner = codes[int(np.argmin(np.abs(frame["b"] - np.median(frame["b"])) + np.abs(rates.values - 0.2)))]
    ax = link.plot(watch=inner)
    figure_of(ax).draw_without_rendering()
    shown = {text.get_text() for text in ax.texts if text.get_visible()}
    assert overlapping(shown_boxes(figure_of(ax))) == []
    assert inner in shown
    assert {codes[int(np.argmax(frame["b"]))], codes[int(np.argmin(rates.values))]} <= shown
    assert 20 < len(shown) <= 46
    assert f"{len(shown)} of 139 have room for a label, the outermost and those in colour." in describe(ax).caption


# lines and bands -----------------------------------------------------------------------------------------------------


def test_every_line_and_band_is_in_the_legend(unsettled, controlled, shares):
    for link in (unsettled, controlled, *shares.values()):
        ax = link.plot()
        lines = [line for line in ax.lines if len(line.get_xdata()) == 100]
        names = legend_of(ax)
        named = [name for name in names if "slope" not in name and "band" not in name and "error" not in name]
        assert len(lines) == len(named)
        assert len({str(line._dash_pattern) for line in lines}) == len(lines)
        assert sum("band" in name or "every slope" in name for name in names) == 1
        for name in names:
            assert name == "error unknown" or name in describe(ax).alt


def test_a_wedge_holds_every_slope_that_is_allowed_and_passes_through_the_means(unsettled):
    ax = unsettled.plot()
    low, high = unsettled.slope_interval()
    p, y = unsettled.cells.p[:, 0].mean(), unsettled.cells.y.mean()
    vertices = np.vstack([path.vertices for path in ax.collections[0].get_paths()])
    vertices = next(
        np.vstack([path.vertices for path in c.get_paths()])
        for c in ax.collections
        if "FillBetween" in type(c).__name__ or type(c).__name__ == "PolyCollection"
    )
    at = vertices[np.abs(vertices[:, 0] - p) > 0.01]
    slopes = (at[:, 1] - y) / (at[:, 0] - p)
    assert slopes.min() == pytest.approx(low, rel=1e-6)
    assert slopes.max() == pytest.approx(high, rel=1e-6)


def test_controls_are_taken_out_of_dots_and_named_on_both_axes(controlled):
    p, y = seen_cells(controlled)
    slope = np.polyfit(p, y, 1)[0]
    assert slope == pytest.approx(controlled.slope, rel=1e-9)  # the theorem of Frisch, Waugh and Lovell
    assert (p.mean(), y.mean()) == pytest.approx((controlled.cells.p.mean(), controlled.cells.y.mean()))
    ax = controlled.plot()
    for name in (ax.get_xlabel(), ax.get_ylabel()):
        assert "given log(gdp_per_head)" in " ".join(name.split())
    dots = np.vstack([c.get_offsets() for c in ax.collections if len(c.get_offsets()) == 1 and c.get_zorder() >= 4])
    np.testing.assert_allclose(dots, np.column_stack([p, y]))
    assert "both given log(gdp_per_head)" in describe(ax).alt


def test_a_link_without_controls_shows_what_was_observed(unsettled):
    p, y = seen_cells(unsettled)
    np.testing.assert_array_equal(p, unsettled.cells.p[:, 0])
    np.testing.assert_array_equal(y, unsettled.cells.y)
    assert "given" not in unsettled.plot().get_ylabel()


def test_lines_bands_and_axes_of_shares_stay_within_0_and_100_per_cent(shares):
    for link in shares.values():
        ax = link.plot()
        low, high = ax.get_ylim()
        assert 0 <= low < high <= 1
        drawn = np.concatenate([line.get_ydata() for line in ax.lines])
        for band in (c for c in ax.collections if len(c.get_offsets()) <= 1 and c.get_zorder() == 1.5):
            drawn = np.append(drawn, np.vstack([path.vertices for path in band.get_paths()])[:, 1])
        assert np.nanmin(drawn) >= 0
        assert np.nanmax(drawn) <= 1
        assert ax.get_ylabel() == "outside (per cent)"


def test_a_line_in_log_odds_is_brought_back_to_rates(shares):
    link = shares["fractional"]
    fit, low, high = link.line([0.0, 0.1])
    index = link.params["Intercept"] + link.slope * np.array([0.0, 0.1])
    np.testing.assert_allclose(fit, 1 / (1 + np.exp(-index)))
    assert (low < fit).all()
    assert (fit < high).all()


# who is watched ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("watch", ["USA", ("United States", "Korea"), ["KOR", "USA"]])
def test_countries_watched_have_colour_and_bold_labels(unsettled, watch):
    ax = unsettled.plot(watch=watch)
    bold = [text.get_text() for text in ax.texts if text.get_fontweight() == "bold"]
    assert bold == ["USA"]
    dots = [dot for dot in ax.collections if len(dot.get_offsets()) == 1 and dot.get_zorder() >= 4]
    edges = [to_hex(dot.get_edgecolor()[0]).upper() for dot in dots]
    assert edges.count(WATCHED) == 1
    assert edges.count(OTHERS) == unsettled.cells.n - 1
    assert "In colour: United States, 226 per 10,000 at 11.0 log points." in describe(ax).alt


def test_a_word_that_is_no_country_is_refused(unsettled):
    with pytest.raises(OptionError, match=r"watch='USB' is neither a cell nor a country\. Did you mean 'USA'"):
        unsettled.plot(watch="USB")
    with pytest.raises(OptionError, match="neither a cell nor a country"):
        wg.figures.plot_forest(wg.datasets.country_premiums("piaac"), watch=["Nowhere"])


def test_countries_watched_in_a_forest_plot_are_kept():
    premiums = wg.datasets.country_premiums("stack_overflow")
    ax = wg.figures.plot_forest(premiums, at_most=3, watch=("Iran", "KOR"))
    rows = {text.get_text(): text.get_fontweight() for text in ax.get_yticklabels()}
    assert rows.pop("Iran") == "bold"
    assert set(rows.values()) == {"normal"}
    assert ", with Iran" in ax.get_xlabel()
    text = describe(ax)
    assert "4 countries, with 95 % intervals." in text.alt
    assert "In colour: Iran, " in text.alt


def test_rates_without_a_premium_are_named_with_their_unit(net):
    ax = wg.fit_link("net_migration ~ 1", net, None, method="ols").plot(watch="USA")
    assert ax.get_xlabel() == "net migration (per 10,000), errors unknown"
    assert legend_of(ax) == ["expected at the means", "error unknown"]
    assert "without intervals" in describe(ax).alt


# a specification of Vega-Lite ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["developers", "income", "stem", "published"])
def test_a_specification_holds_what_the_figure_shows(shipped, name):
    link = shipped[name]
    spec = json.loads(json.dumps(wg.figures.vega_link(link, watch=("USA", "KOR")), allow_nan=False))
    p, y = seen_cells(link)
    rows, layers = spec["datasets"]["cells"], spec["layer"]
    ax = link.plot(watch=("USA", "KOR"))
    x_factor, y_factor = (100.0 if "log points" in ax.get_xlabel() else 1.0), (100.0 if name == "stem" else 1.0)
    np.testing.assert_allclose([row["x"] for row in rows], x_factor * p, rtol=1e-5)
    np.testing.assert_allclose([row["y"] for row in rows], y_factor * y, rtol=1e-5)
    assert layers[0]["encoding"]["x"]["title"] == " ".join(ax.get_xlabel().split())
    assert layers[0]["encoding"]["y"]["title"] == " ".join(ax.get_ylabel().split())
    drawn = {row["line"] for row in spec["datasets"]["lines"]} | {row["line"] for row in spec["datasets"]["band"]}
    assert drawn == {text for text in legend_of(ax) if text != "error unknown"}
    named = {layer["data"]["name"] for layer in layers}
    assert named == set(spec["datasets"]) == {"cells", "lines", "band"}
    unknown = [row["y_low"] is None for row in rows]
    assert all(unknown) == (name != "stem")


def test_a_specification_needs_a_premium(net):
    with pytest.raises(OptionError, match="the link has none"):
        wg.figures.vega_link(wg.fit_link("net_migration ~ 1", net, None, method="ols"))
