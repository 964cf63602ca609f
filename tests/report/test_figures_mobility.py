"""Figures of who moves: what is drawn is what was estimated, and can be read."""

from __future__ import annotations

import hashlib
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import wagegap as wg
from wagegap._display.axes import apply_style, figure_of, new_axes, new_panels
from wagegap._display.files import save_figure
from wagegap._display.heat import ERROR_GID, VALUE_GID, cell_colors, contrasting, heat
from wagegap._display.labels import END_GID, apart
from wagegap.errors import (
    DataError,
    OptionError,
)


@pytest.fixture(scope="module")
def workers():
    return wg.simulate_panel(countries=2, workers=900, periods=4, rng=1).panel


@pytest.fixture(scope="module")
def exits(workers):
    leaving = {"abroad": "abroad_next", "field": "new_field_next"}
    return wg.fit_exits(workers, "~ ai + exper", exit=leaving, time="year", by="iso3")


@pytest.fixture(scope="module")
def one_exit(workers):
    return wg.fit_exits(workers, "abroad_next ~ ai + exper", time="year")


@pytest.fixture(scope="module")
def transitions(workers):
    return wg.fit_transitions(workers.transitions(), "field", "next_field")


@pytest.fixture(scope="module")
def many_transitions(workers):
    return wg.fit_transitions(workers.transitions(), "field", "next_field", by="iso3")


def texts(ax, gid):
    return [text for text in ax.texts if text.get_gid() == gid]


def assert_uncut(ax):
    figure = figure_of(ax)
    figure.draw_without_rendering()
    box, whole = ax.get_tightbbox(), figure.bbox
    assert min(box.x0, box.y0) >= -1
    assert box.x1 <= whole.x1 + 1
    assert box.y1 <= whole.y1 + 1


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# matrices ------------------------------------------------------------------------------------------------------------


def test_cells_hold_the_estimates_and_their_errors(transitions):
    ax = transitions.plot()
    matrix = transitions.matrix()
    shown = [float(text.get_text()) for text in texts(ax, VALUE_GID)]
    # one decimal of per cent is written
    np.testing.assert_allclose(shown, 100 * matrix.to_numpy().ravel(), atol=0.05 + 1e-9)
    errors = [float(text.get_text().strip("()")) for text in texts(ax, ERROR_GID)]
    labels = transitions.estimates.labels.assign(e=transitions.estimates.bse.to_numpy())
    expected = labels.pivot_table(index="field", columns="term", values="e").to_numpy().ravel()
    np.testing.assert_allclose(errors, 100 * expected, atol=0.05 + 1e-9)
    counts = transitions.cells.set_index("field")["n"]
    rows = [" ".join(text.get_text().split()) for text in ax.get_yticklabels()]
    assert rows == [f"{name} ({counts[name]:,})" for name in matrix.index]
    assert [text.get_text() for text in ax.get_xticklabels()] == list(matrix.columns)
    words = " ".join(ax.get_xlabel().split())
    assert "rows sum to 100" in words
    assert words.endswith("Standard errors in brackets.")


def test_stayers_are_grey_and_off_the_scale(transitions):
    ax = transitions.plot()
    faces = ax.collections[0].get_facecolor()[:, :3].reshape(4, 4, 3)
    grey = np.ptp(faces, axis=2) < 1e-9
    np.testing.assert_array_equal(grey, np.eye(4, dtype=bool))
    moved = 100 * transitions.matrix().to_numpy()[~grey]
    lightness = faces[~grey].sum(axis=1)
    np.testing.assert_array_equal(np.argsort(moved), np.argsort(-lightness))
    np.testing.assert_allclose(faces[~grey][np.argmax(moved)], to_rgb("#004488"), atol=1e-12)


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_colours_darken_with_size_on_both_sides_and_numbers_contrast():
    values = np.linspace(-1, 1, 81)[None]
    colors = cell_colors(values, np.zeros_like(values, dtype=bool), 1.0)[0]
    light = np.array([luminance(c) for c in colors])
    assert (np.diff(light[:41]) > 0).all()
    assert (np.diff(light[40:]) < 0).all()
    for color, own in zip(colors, light, strict=True):
        ink = luminance(to_rgb(contrasting(color)))
        ratio = (max(own, ink) + 0.05) / (min(own, ink) + 0.05)
        assert ratio >= 3.9  # the best of black and white on the ground that suits neither; 3 is asked of large text


def test_numbers_stay_in_their_cells_and_go_where_there_is_no_room():
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.ones(15), 15) * 100
    names = [f"field number {i}" for i in range(15)]
    drawn = {}
    for size in ((8, 6), (4, 4), (2, 2)):
        ax = heat(new_axes(*size), names, names, values, errors=values / 10, caption="per cent.")
        figure_of(ax).draw_without_rendering()
        drawn[size] = len(texts(ax, VALUE_GID)), len(texts(ax, ERROR_GID)), " ".join(ax.get_xlabel().split())
        frame = ax.get_window_extent()
        cell = np.array([frame.width, frame.height]) / 15
        for text in ax.texts:
            assert (Text.get_window_extent(text).size <= cell).all()
    assert drawn[8, 6] == (225, 225, "per cent. Standard errors in brackets.")
    assert drawn[4, 4] == (225, 0, "per cent. Standard errors have no room in the cells.")
    assert drawn[2, 2] == (0, 0, "per cent. Numbers have no room in the cells.")
    assert len(ax.child_axes) == 1  # a bar of colours


@pytest.mark.parametrize(("size", "copies"), [((4, 4), 1), ((8, 6), 1), ((5, 5), 6)])
def test_names_of_rows_and_columns_do_not_overlap(size, copies):
    names = ["social, business, law", "engineering", "other professionals", "health", "services", "x y z"] * copies
    ax = heat(new_axes(*size), names, names, np.ones((len(names),) * 2), caption="words " * 30, unit="per cent")
    assert_uncut(ax)
    for labels, side in ((ax.get_xticklabels(), 0), (ax.get_yticklabels(), 1)):
        boxes = sorted(Text.get_window_extent(text).get_points()[:, side].tolist() for text in labels)
        # a pixel, in which the lowest matplotlib measures text
        assert all(a[1] <= b[0] + 1 for a, b in itertools.pairwise(boxes))


def test_unknown_errors_and_absent_cells_are_said_and_struck_through():
    values = np.array([[1.0, np.nan], [2.0, -3.0]])
    ax = heat(new_axes(3, 3), ["a", "b"], ["c", "d"], values, errors=np.full((2, 2), np.nan), caption="x.")
    assert [text.get_text() for text in texts(ax, VALUE_GID)] == ["1.0", "2.0", "−3.0"]
    assert len(ax.lines) == 1
    assert " ".join(ax.get_xlabel().split()) == "x. Standard errors are unknown."
    for bad, words in (
        (np.full((2, 2), np.nan), "nothing to draw"),
        (np.array([[1, np.inf], [0, 0]]), "1 of 4 cells"),
        (np.ones((2, 3)), r"values has shape \(2, 3\); 2 rows and 2 columns"),
    ):
        with pytest.raises(DataError, match=words):
            heat(new_axes(3, 3), ["a", "b"], ["c", "d"], bad)


def test_several_cells_are_panels_on_one_scale(many_transitions):
    panels = many_transitions.plot()
    codes = many_transitions.cells["iso3"].unique().tolist()
    assert len(panels) == len(codes) == 2
    own = {code: many_transitions.matrix(iso3=code).to_numpy() for code in codes}
    top = max(m[~np.eye(4, dtype=bool)].max() for m in own.values())
    for ax, code in zip(panels, codes, strict=True):
        shown = [float(text.get_text()) for text in texts(ax, VALUE_GID)]
        np.testing.assert_allclose(shown, 100 * own[code].ravel(), atol=0.05 + 1e-9)
        faces = ax.collections[0].get_facecolor()[:, :3].reshape(4, 4, 3)
        blue = np.array(to_rgb("#004488"))
        expected = 1 + (own[code] / top)[..., None] * (blue - 1)
        off = ~np.eye(4, dtype=bool)
        np.testing.assert_allclose(faces[off], expected[off], atol=1e-9)
    one = wg.figures.plot_transitions(many_transitions, cells={"iso3": codes[1]})
    assert one.get_title(loc="left") == panels[1].get_title(loc="left")
    fewer = wg.figures.plot_transitions(many_transitions, at_most=1)
    size = many_transitions.cells.groupby("iso3")["n"].sum()
    assert fewer.get_title(loc="left") == wg.figures.plot_transitions(
        many_transitions, cells={"iso3": size.idxmax()}
    ).get_title(loc="left")


def test_cells_that_are_not_there_are_refused_by_name(many_transitions, transitions, one_exit):
    known = many_transitions.cells["iso3"].iloc[0]
    for call, words in (
        (lambda: many_transitions.plot(iso3=known[::-1]), "no cell iso3="),
        (lambda: many_transitions.plot(iso=known), "no key 'iso' of cells. Did you mean 'iso3'?"),
        (lambda: transitions.plot(iso3=known), "There is a single cell"),
        (lambda: many_transitions.plot(new_axes(4, 4)), "name one by iso3"),
        (lambda: many_transitions.plot(at_most=0), "at_most=0"),
    ):
        with pytest.raises(OptionError) as caught:
            call()
        assert words in str(caught.value)
    with pytest.raises(OptionError, match="must be a result of fit_transitions, not Exits"):
        wg.figures.plot_transitions(one_exit)


def test_a_shared_name_alone_makes_no_stayers(workers):
    frame = workers.frame.assign(job=np.where(workers.frame["ai"] == 1, "medicine", "clerk"))
    ax = wg.fit_transitions(frame, "field", "job").plot()
    faces = ax.collections[0].get_facecolor()[:, :3]
    assert (np.ptp(faces, axis=1) > 0.01).all()
    assert "those who stay" not in ax.get_xlabel()


def test_numbers_in_names_are_sorted_as_numbers():
    rows = pd.DataFrame({"now": [9, 10] * 40, "next": ([9, 10, 10, 9] * 20)})
    ax = wg.fit_transitions(rows, "now", "next").plot()
    assert [text.get_text().split()[0] for text in ax.get_yticklabels()] == ["9", "10"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["9", "10"]


def test_shares_of_exactly_nobody_have_no_error_and_a_matrix_of_stayers_is_drawn():
    rows = pd.DataFrame({"now": ["a"] * 40 + ["b"] * 40, "next": ["a"] * 40 + ["a", "b"] * 20, "place": "x"})
    ax = wg.fit_transitions(rows, "now", "next").plot()
    assert [text.get_text() for text in texts(ax, VALUE_GID)] == ["100.0", "0.0", "50.0", "50.0"]
    assert len(texts(ax, ERROR_GID)) == 2
    assert "exactly 0 and 100 have no standard error" in " ".join(ax.get_xlabel().split())
    stay = pd.concat([rows.assign(next=rows["now"], place=place) for place in ("x", "y")])
    panels = wg.fit_transitions(stay, "now", "next", by="place").plot()
    assert [text.get_text() for text in texts(panels[1], VALUE_GID)] == ["100.0", "0.0", "0.0", "100.0"]
    mixed = wg.fit_transitions(pd.concat([rows, rows.assign(next=rows["now"], place="y")]), "now", "next", by="place")
    below = figure_of(mixed.plot()[0]).get_supxlabel()
    assert "Standard errors in brackets" in below


def test_a_named_cell_says_what_stands_beside_the_names(many_transitions):
    code = many_transitions.cells["iso3"].iloc[0]
    one, all_ = many_transitions.plot(iso3=code), many_transitions.plot()
    assert "beside the names: how many" in " ".join(one.get_xlabel().split())
    assert "beside" not in figure_of(all_[0]).get_supxlabel()


def test_codes_of_fields_are_not_taken_for_countries():
    rng = np.random.default_rng(0)
    for levels, shown in ((["CHE", "PHY"], ["CHE", "PHY"]), (["CHE", "KOR"], ["Switzerland", "South Korea"])):
        frame = pd.DataFrame({"now": np.array(levels)[rng.integers(0, 2, 200)]})
        frame["next"] = np.array(levels)[rng.integers(0, 2, 200)]
        ax = wg.fit_transitions(frame, "now", "next").plot()
        assert [text.get_text() for text in ax.get_xticklabels()] == shown


# incidence -----------------------------------------------------------------------------------------------------------


def test_curves_are_the_incidence_and_names_stand_at_their_ends(exits):
    code = exits.cells["iso3"].iloc[0]
    ax = exits.plot_incidence(iso3=code, uniform=True)
    bands = exits.bands(uniform=True)
    bands = bands[bands["iso3"] == code]
    lines = [line for line in ax.lines if line.get_linestyle() == "-"]
    assert len(lines) == 2
    for line, text, (name, part) in zip(lines, texts(ax, END_GID), bands.groupby("exit", sort=False), strict=True):
        np.testing.assert_allclose(line.get_ydata(), part["estimate"], rtol=1e-12)
        assert text.get_text() == name
        assert tuple(text.xy) == (line.get_xdata()[-1], line.get_ydata()[-1])
        assert text.get_color() == line.get_color()
    edges = np.vstack([path.vertices for band in ax.collections for path in band.get_paths()])
    np.testing.assert_allclose(edges[:, 1].max(), bands["conf_high"].max(), rtol=1e-12)
    assert all(float(tick).is_integer() for tick in ax.get_xticks())
    assert "uniform 95 % bands" in ax.get_xlabel()
    assert_uncut(ax)


def test_cells_stand_side_by_side_with_the_same_limits_or_together_for_one_exit(exits, one_exit):
    panels = wg.figures.plot_incidence(exits)
    assert len(panels) == 2
    assert len({panel.get_ylim() for panel in panels}) == 1
    assert panels[0].get_ylim()[0] == 0
    for panel in panels:  # the second cell's curves are as high as they may be: none is cut off by the first's limits
        tops = [line.get_ydata().max() for line in panel.lines if line.get_linestyle() == "-"]
        edges = [path.vertices[:, 1].max() for band in panel.collections for path in band.get_paths()]
        assert max([*tops, *edges]) <= panel.get_ylim()[1]
    together = wg.figures.plot_incidence(exits, exit="abroad")
    assert len(texts(together, END_GID)) == 2
    assert together.get_ylabel() == "cumulative incidence of abroad (per cent)"
    two = wg.figures.plot_incidence({"first": one_exit, "again": one_exit})
    assert [text.get_text() for text in texts(two, END_GID)] == ["first", "again"]
    boxes = [Text.get_window_extent(text) for text in texts(two, END_GID)]
    assert boxes[0].y1 <= boxes[1].y0 or boxes[1].y1 <= boxes[0].y0


def test_many_lines_have_intervals_at_their_points_in_place_of_bands(one_exit):
    named = {f"fit {i}": one_exit for i in range(6)}
    ax = wg.figures.plot_incidence(named)
    bars = [bar for bar in ax.collections if isinstance(bar, LineCollection)]
    bands = one_exit.bands()
    assert len(bars) == 6
    ends = np.array([[segment[:, 1] for segment in bar.get_segments()] for bar in bars])
    np.testing.assert_allclose(ends, np.broadcast_to(bands[["conf_low", "conf_high"]].to_numpy(), ends.shape))
    at = np.sort([segment[0, 0] for bar in bars for segment in bar.get_segments()])
    assert np.diff(at).min() > 0.05
    assert np.abs(at - np.round(at)).max() < 0.25
    assert "pointwise 95 % intervals" in ax.get_xlabel()
    assert "bands" in wg.figures.plot_incidence(dict(list(named.items())[:4])).get_xlabel()
    assert_uncut(ax)


def test_stacked_areas_add_up_to_the_incidence_of_any_exit(exits):
    code = exits.cells["iso3"].iloc[0]
    ax = wg.figures.plot_incidence(exits, cells={"iso3": code}, stacked=True)
    own = exits.incidence.select(iso3=code)
    frame = own.labels.assign(value=own.values)
    total = frame.groupby("time")["value"].sum()
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), total, rtol=1e-12)
    tops = [line.get_ydata() for line in ax.lines[:2]]
    np.testing.assert_allclose(tops[1], total, rtol=1e-12)
    np.testing.assert_allclose(tops[0], frame[frame["exit"] == "abroad"]["value"], rtol=1e-12)
    # the band is that of a sum: its variance holds the covariance of the exits
    (curves,) = exits.curves(total=True, iso3=code)
    covariance = own.covariance
    last = (frame["time"] == frame["time"].max()).to_numpy()
    np.testing.assert_allclose(
        curves.total["std_error"].iloc[-1], np.sqrt(covariance[np.ix_(last, last)].sum()), rtol=1e-10
    )


def test_incidence_that_cannot_be_drawn_is_refused_by_name(exits, one_exit, transitions, workers):
    without = wg.fit_exits(workers, "abroad_next ~ ai")
    for call, error, words in (
        (lambda: wg.figures.plot_incidence(exits, exit="abrod"), OptionError, "Did you mean 'abroad'?"),
        (lambda: wg.figures.plot_incidence(exits, cells={"iso3": "XXX"}), OptionError, "no cell iso3='XXX'"),
        (lambda: wg.figures.plot_incidence(exits, ax=new_axes(4, 3)), OptionError, "ax= holds one panel"),
        (lambda: wg.figures.plot_incidence(without), OptionError, "name the duration"),
        (lambda: wg.figures.plot_incidence(transitions), DataError, "not Transitions"),
        (lambda: wg.figures.plot_incidence({}), DataError, "no fits"),
        (lambda: wg.figures.plot_incidence(dict.fromkeys(range(9), one_exit)), OptionError, "9 lines"),
        (lambda: wg.figures.plot_incidence(dict.fromkeys(range(7), exits)), OptionError, "14 fits and cells"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            call()


def test_names_move_apart_as_little_as_they_need():
    levels, heights = np.array([0.0, 3.0, 4.0, 50.0]), np.array([10.0, 10.0, 10.0, 8.0])
    moved = apart(levels, heights)
    assert (np.diff(moved) >= 10 - 1e-9).tolist()[:2] == [True, True]
    np.testing.assert_allclose(moved[:3].mean(), levels[:3].mean(), rtol=1e-12)
    assert moved[3] == 50
    rng = np.random.default_rng(2)
    levels, heights = rng.uniform(0, 100, 12), rng.uniform(5, 15, 12)
    moved = apart(levels, heights)
    order = np.argsort(levels)
    np.testing.assert_array_equal(np.argsort(moved), order)
    needed = (heights[order][1:] + heights[order][:-1]) / 2
    assert (np.diff(moved[order]) >= needed - 1e-9).all()
    with pytest.raises(OptionError, match="positive"):
        new_panels(0, across=2, width=3, height=2)


# effects -------------------------------------------------------------------------------------------------------------


def points(ax):
    """Places of all markers, in the order drawn."""
    return np.array([c.get_offsets().data[0] for c in ax.collections if len(c.get_offsets()) == 1])


def test_effects_are_drawn_with_their_unit_and_a_line_at_zero(one_exit):
    ax = wg.figures.plot_effects({"logit": one_exit, "again": one_exit})
    np.testing.assert_allclose(points(ax)[:, 0], np.tile(one_exit.effects.values, 2), rtol=1e-12)
    assert [text.get_text() for text in ax.get_yticklabels()] == one_exit.effects.names
    assert ax.get_xlabel() == "average effect on abroad_next (percentage points), 95 % intervals"
    assert [0.0, 0.0] in [list(line.get_xdata()) for line in ax.lines]
    ends = [tuple(line.get_xdata()) for line in ax.lines if line.get_linewidth() == 1.1][:2]
    np.testing.assert_allclose(ends, one_exit.effects.conf_int().to_numpy(), rtol=1e-12)
    assert_uncut(ax)
    elastic = wg.figures.plot_effects(one_exit, which="elasticities", alpha=0.1)
    assert elastic.get_xlabel() == "average elasticity on abroad_next, 90 % intervals"
    np.testing.assert_allclose(points(elastic)[:, 0], one_exit.elasticities.values, rtol=1e-12)


def test_exits_and_cells_stand_beside_each_other(exits):
    ax = exits.plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["abroad", "field"]
    assert len(points(ax)) == len(exits.effects.values)
    only = exits.plot(exit="field")
    assert only.get_legend() is None
    np.testing.assert_allclose(np.sort(points(only)[:, 0]), np.sort(exits.effects.select(exit="field").values))
    assert "on field" in only.get_xlabel()
    one_term = wg.figures.plot_effects(exits, which="elasticities", exit="abroad")
    assert "of exper on abroad" in one_term.get_xlabel()
    assert not any("exper" in text.get_text() for text in one_term.get_yticklabels())


def test_effects_of_flows_and_estimates_are_drawn(one_exit):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=80)}).assign(n=lambda f: rng.poisson(np.exp(1 + 0.5 * f["x"])) * 1.0)
    flows = wg.fit_flows(frame, "n ~ x")
    ax = wg.figures.plot_effects(flows)
    np.testing.assert_allclose(points(ax)[:, 0], flows.marginal_effects().values, rtol=1e-12)
    same = wg.figures.plot_effects(flows.marginal_effects())
    np.testing.assert_allclose(points(same), points(ax))
    for call, error, words in (
        (lambda: wg.figures.plot_effects({"a": flows, "b": one_exit}), DataError, "one axis has one unit"),
        (lambda: wg.figures.plot_effects(flows, which="elasticities"), OptionError, "no elasticities of their own"),
        (lambda: wg.figures.plot_effects(flows, exit="abroad"), OptionError, "goes with results of fit_exits"),
        (lambda: wg.figures.plot_effects(one_exit, exit="abroad"), OptionError, "Did you mean 'abroad_next'?"),
        (lambda: wg.figures.plot_effects(one_exit, which="effect"), OptionError, "Did you mean 'effects'?"),
        (lambda: wg.figures.plot_effects(3), DataError, "int has no effects"),
        (lambda: wg.figures.plot_effects({}), DataError, "no results"),
        (lambda: wg.figures.plot_effects(dict.fromkeys(range(9), one_exit)), OptionError, "9 results"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            call()


# results that draw themselves ----------------------------------------------------------------------------------------


def test_a_choice_draws_substitution_and_elasticities():
    rng = np.random.default_rng(0)
    sets = pd.DataFrame({"who": np.repeat(np.arange(300), 3), "place": np.tile(["home", "near", "far"], 300)})
    sets["pay"] = rng.normal(3, 1, 900)
    utility = (0.5 * sets["pay"] + rng.gumbel(size=900)).to_numpy().reshape(300, 3)
    sets["took"] = (utility == utility.max(axis=1, keepdims=True)).ravel()
    fitted = wg.fit_choice(sets, "pay + place", chooser="who", alternative="place", chosen="took", base="home")
    ax = fitted.plot(variable="pay")
    expected = fitted.matrix(fitted.elasticities("pay")).to_numpy()
    shown = [float(text.get_text().replace("−", "-")) for text in texts(ax, VALUE_GID)]
    np.testing.assert_allclose(shown, expected.ravel(), atol=0.005 + 1e-9)
    swap = fitted.plot()
    gone = fitted.matrix(fitted.substitution()).to_numpy()
    shown = [float(text.get_text()) for text in texts(swap, VALUE_GID)]
    np.testing.assert_allclose(shown, 100 * gone[np.isfinite(gone)], atol=0.05 + 1e-9)
    assert len(swap.lines) == 3  # nobody goes to what they gave up
    with pytest.raises(OptionError, match="Did you mean 'pay'"):
        fitted.plot(variable="pya")


@pytest.mark.filterwarnings("ignore:rho, a correlation:wagegap.errors.IdentificationWarning")
def test_a_selection_draws_corrected_beside_uncorrected():
    rng = np.random.default_rng(1)
    u, z, x, w = rng.normal(size=(4, 1500))
    pay = np.where(z + x + u > 0, 1 + 0.5 * x + 0.2 * w + 0.8 * u, np.nan)
    data = pd.DataFrame({"pay": pay, "x": x, "z": z, "w": w, "iso3": np.tile(["KOR", "USA"], 750)})
    found = wg.fit_selection(data, "pay ~ x + w", selection="~ x + w + z")
    ax = found.plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["x", "w"]
    expected = [*(found.premium(t).values[0] for t in "xw"), *found.uncorrected.params[["x", "w"]]]
    np.testing.assert_allclose(points(ax)[:, 0], expected, rtol=1e-12)
    cells = wg.fit_selection(data, "pay ~ x + w", selection="~ x + w + z", by="iso3").plot(term="x")
    assert [text.get_text() for text in cells.get_yticklabels()] == ["South Korea", "United States"]
    assert cells.get_xlabel().startswith("coefficient of x in the equation of pay")
    with pytest.raises(OptionError, match="term='q'"):
        found.plot(term="q")


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_a_system_draws_its_slopes_by_outcome():
    made = wg.simulate_panel(countries=10, workers=400, premium_sd=0.2, link_slope=-0.2, rng=1)
    premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    events = {"emigration": "abroad_next", "switching": "new_field_next"}
    rates = wg.fit_rates(made.panel, events, among="ai", by="iso3")
    system = wg.fit_link_system(["emigration ~ premium", "switching ~ premium"], rates, premiums)
    ax = system.plot()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["premium"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["emigration", "switching"]
    expected = system.params[["emigration: premium", "switching: premium"]]
    np.testing.assert_allclose(points(ax)[:, 0], expected, rtol=1e-12)


def test_figures_of_moves_leave_results_as_they_are_and_are_the_same_every_time(transitions, exits, tmp_path):
    before = transitions.estimates.labels.copy(), exits.incidence.labels.copy(), exits.effects.values.copy()
    files = []
    for name in ("a", "b"):
        panels = exits.plot_incidence()
        for kind, ax in (("m", transitions.plot()), ("i", panels[0]), ("e", exits.plot())):
            files += save_figure(figure_of(ax), tmp_path / f"{kind}{name}", alt_text="moves", formats=("svg",))
    assert [digest(path) for path in files[:3]] == [digest(path) for path in files[3:]]
    pd.testing.assert_frame_equal(transitions.estimates.labels, before[0])
    pd.testing.assert_frame_equal(exits.incidence.labels, before[1])
    np.testing.assert_array_equal(exits.effects.values, before[2])


def test_axes_of_a_users_figure_are_kept(transitions, one_exit):
    axes = Figure(figsize=(10, 4)).subplots(1, 3)
    assert transitions.plot(axes[0]) is axes[0]
    assert one_exit.plot_incidence(axes[1]) is axes[1]
    assert wg.figures.plot_effects(one_exit, ax=apply_style(axes[2])) is axes[2]
    assert len(axes[0].figure.axes) == 3


def test_incidence_calls_time_by_the_users_name():
    data = wg.simulate_panel(countries=2, workers=400, periods=3, rng=1).panel
    found = wg.fit_exits(data.assign(years_here=data.frame["year"] - 2019), "abroad_next ~ ai", time="years_here")
    assert found.time == "years_here"
    assert found.plot_incidence().get_xlabel().startswith("years here")
    cells = wg.fit_exits(
        data, "~ ai", exit={"abroad": "abroad_next", "field": "new_field_next"}, time="year", by="iso3"
    )
    assert {ax.get_xlabel() for ax in wg.figures.plot_incidence(cells)} == {"year"}
