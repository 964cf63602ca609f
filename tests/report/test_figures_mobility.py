"""Figures of who moves: what is drawn is what was estimated, and can be read."""

from __future__ import annotations

import hashlib
import itertools
import re
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import wagegap as wg
from wagegap._display.axes import apply_style, figure_of, new_axes, save_figure
from wagegap._display.chord import ARC_GID, NAME_GID, RIBBON_GID, chord, place_ring, ring_order, wrapped
from wagegap._display.heat import ERROR_GID, VALUE_GID, cell_colors, contrasting, heat
from wagegap._display.panels import END_GID, apart, new_panels
from wagegap.errors import (
    ArgumentError,
    ColumnError,
    DataError,
    EmptyDataError,
    MissingValueError,
    OptionError,
)

COLUMNS = dict(origin="start", destination="end", flow="n")


@pytest.fixture(scope="module")
def moves():
    rows = """
    KOR USA 30, USA KOR 12, IND USA 60, IND GBR 25, GBR USA 40, USA GBR 22, GBR AUS 18, KOR JPN 9, USA USA 500,
    FRA CHE 0
    """
    rows = [(a, b, int(n)) for a, b, n in (row.split() for row in rows.split(","))]
    return pd.DataFrame(rows, columns=["start", "end", "n"])


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


def with_gid(ax, start):
    return {p.get_gid().split(":")[1]: p for p in ax.patches if (p.get_gid() or "").startswith(start)}


def texts(ax, gid):
    return [text for text in ax.texts if text.get_gid() == gid]


def corners(text):
    """Corners of a text, turned as it is, in pixels."""
    turn = text.get_rotation()
    text.set_rotation(0)
    box = Text.get_window_extent(text)
    text.set_rotation(turn)
    centre = text.get_transform().transform(text.get_position())
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [box.width / 2, box.height / 2]
    a = np.radians(turn)
    return centre + half @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def separated(p, q):
    """Whether a line parts two convex shapes (separating axes)."""
    for shape in (p, q):
        for k in range(4):
            edge = shape[(k + 1) % 4] - shape[k]
            normal = np.array([-edge[1], edge[0]])
            if (p @ normal).max() <= (q @ normal).min() + 1e-6 or (q @ normal).max() <= (p @ normal).min() + 1e-6:
                return True
    return False


def assert_readable(ax):
    """Names overlap neither each other nor the ring, and nothing is cut by the figure."""
    figure_of(ax).draw_without_rendering()
    shapes = [corners(text) for text in texts(ax, NAME_GID)]
    assert shapes
    for i, p in enumerate(shapes):
        assert all(separated(p, q) for q in shapes[:i])
    frame = ax.get_window_extent()
    every = np.vstack(shapes)
    assert (every >= [frame.x0 - 1, frame.y0 - 1]).all()
    assert (every <= [frame.x1 + 1, frame.y1 + 1]).all()
    centre, unit = ax.transData.transform([(0, 0), (1, 0)])
    radius = unit[0] - centre[0]
    for shape in shapes:
        along = np.linspace(0, 1, 21)[:, None]
        edges = np.vstack([shape[k] + along * (shape[(k + 1) % 4] - shape[k]) for k in range(4)])
        assert np.hypot(*(edges - centre).T).min() > radius
    assert_uncut(ax)


def assert_uncut(ax):
    figure = figure_of(ax)
    figure.draw_without_rendering()
    box, whole = ax.get_tightbbox(), figure.bbox
    assert min(box.x0, box.y0) >= -1
    assert box.x1 <= whole.x1 + 1
    assert box.y1 <= whole.y1 + 1


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# corridors -----------------------------------------------------------------------------------------------------------


def angles(ribbon):
    """Angles of the ends of a ribbon: on the arc left, and on the arc reached."""
    points = ribbon.get_path().vertices
    radius, angle = np.hypot(*points.T), np.unwrap(np.arctan2(points[:, 0], points[:, 1]))
    start = np.isclose(radius, 0.945) & (np.arange(len(points)) < len(points) - 1)
    curves = np.flatnonzero(ribbon.get_path().codes == ribbon.get_path().CURVE4)
    end = [np.arctan2(*points[k]) for k in (curves[2], curves[3] - 1)]
    return np.ptp(angle[start]), (end[1] - end[0]) % (2 * np.pi)


def test_ribbons_are_as_wide_as_flows_and_arcs_as_long_as_totals(moves):
    ax = wg.figures.plot_corridors(moves, **COLUMNS)
    ribbons, arcs = with_gid(ax, RIBBON_GID), with_gid(ax, ARC_GID)
    assert len(ribbons) == 8
    names = {"KOR": "South Korea", "USA": "United States", "IND": "India", "GBR": "United Kingdom",
             "AUS": "Australia", "JPN": "Japan"}  # fmt: skip
    assert set(arcs) == set(names.values())
    drawn = moves[(moves["start"] != moves["end"]) & (moves["n"] > 0)]
    leave, arrive = np.array(
        [angles(ribbons[f"{names[a]}>{names[b]}"]) for a, b in drawn[["start", "end"]].to_numpy()]
    ).T
    # widths are exact up to the rounding of sines
    np.testing.assert_allclose(leave / leave.sum(), drawn["n"] / drawn["n"].sum(), rtol=1e-9)
    np.testing.assert_allclose(arrive, leave, rtol=1e-9)
    for code, name in names.items():
        points = arcs[name].get_path().vertices
        outer = points[np.isclose(np.hypot(*points.T), 1.0)][:-1]
        length = np.ptp(np.unwrap(np.arctan2(outer[:, 0], outer[:, 1])))
        total = drawn.loc[drawn["start"].eq(code) | drawn["end"].eq(code), "n"].sum()
        np.testing.assert_allclose(length / leave.sum(), total / drawn["n"].sum(), rtol=1e-9)


def test_ribbons_fill_their_arcs_and_point_short_of_them():
    arcs = np.array([[0.0, 2.0], [2.5, 4.5], [5.0, 6.0]])
    origin, destination, flow = np.array([0, 1, 2, 0]), np.array([1, 0, 1, 2]), np.array([1.0, 0.5, 0.5, 0.5])
    ring = place_ring(arcs, origin, destination, flow)
    for place, (begin, end) in enumerate(arcs):
        ends = np.vstack([ring.leave[origin == place], ring.arrive[destination == place]])
        ends = ends[np.argsort(ends[:, 0])]
        np.testing.assert_allclose([ends[0, 0], ends[-1, 1]], [begin, end], rtol=1e-12)
        np.testing.assert_allclose(ends[1:, 0], ends[:-1, 1], rtol=1e-12)
    ax = chord(new_axes(4, 4), ["a", "b", "c"], origin, destination, flow)
    for ribbon in with_gid(ax, RIBBON_GID).values():
        code = ribbon.get_path().vertices
        assert np.hypot(*code.T).max() < 0.95
        assert np.isclose(np.hypot(*code.T), 0.915).sum() == 1


def test_the_two_ways_of_a_pair_lie_side_by_side_in_colours_of_their_origins(moves):
    ribbons = with_gid(wg.figures.plot_corridors(moves, **COLUMNS), RIBBON_GID)
    there, back = ribbons["South Korea>United States"], ribbons["United States>South Korea"]
    assert there.get_facecolor() != back.get_facecolor()
    assert ribbons["South Korea>Japan"].get_facecolor() == there.get_facecolor()
    ring = place_ring(np.array([[0.0, 2.0], [3.0, 5.0]]), np.array([0, 1]), np.array([1, 0]), np.array([3.0, 1.0]))
    clockwise = [ring.leave[0, 0], ring.arrive[1, 0], ring.leave[1, 0], ring.arrive[0, 0]]
    assert clockwise == sorted(clockwise)  # chords 1-4 and 2-3: one within the other, so they do not cross


def crossings(order, origin, destination):
    rank = np.argsort(order)
    ends = np.sort(np.column_stack([rank[origin], rank[destination]]), axis=1)
    count = 0
    for i, (a, b) in enumerate(ends):
        for c, d in ends[:i]:
            count += (a < c < b < d) or (c < a < d < b)
    return count


def test_places_are_ordered_so_that_ribbons_need_not_cross():
    rng = np.random.default_rng(4)
    shuffled = rng.permutation(12)
    ring = shuffled[np.arange(12)], shuffled[(np.arange(12) + 1) % 12]
    star = np.full(5, shuffled[0]), shuffled[2:11:2]
    origin, destination = (np.concatenate([a, b]) for a, b in zip(ring, star, strict=True))
    order = ring_order(origin, destination, np.ones(len(origin)), 12)
    assert sorted(order) == list(range(12))
    assert crossings(np.arange(12), origin, destination) > 10
    assert crossings(order, origin, destination) == 0


def test_what_is_left_out_is_said_in_figures(moves):
    ax = wg.figures.plot_corridors(moves, **COLUMNS, at_most=3, unit="moves")
    words = " ".join(ax.get_xlabel().split())
    assert "The 3 largest of 8 corridors: 60 % of all moves (130 of 216)" in words  # 60 + 40 + 30
    assert "Widest: India to United States, 60" in words
    assert "1 within a country (500) left out" in words
    assert len(with_gid(ax, RIBBON_GID)) == 3
    twice = pd.concat([moves, moves])
    again = " ".join(wg.figures.plot_corridors(twice, **COLUMNS).get_xlabel().split())
    assert "All 8 corridors, 432 n" in again
    assert "16 rows added up" in again


def test_ties_take_the_first_in_the_alphabet_whatever_the_order_of_rows():
    frame = pd.DataFrame({"start": list("dcba"), "end": list("wxyz"), "n": [1.0] * 4})
    both = [wg.figures.plot_corridors(f, **COLUMNS, at_most=2) for f in (frame, frame.iloc[::-1])]
    assert [sorted(with_gid(ax, RIBBON_GID)) for ax in both] == [["a>z", "b>y"]] * 2
    first, second = ([p.get_path().vertices for p in ax.patches] for ax in both)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_highlighted_corridors_have_colour_and_others_are_grey(moves):
    ax = wg.figures.plot_corridors(moves, **COLUMNS, at_most=3, highlight="JPN")
    ribbons = with_gid(ax, RIBBON_GID)
    assert len(ribbons) == 4  # Japan's only corridor is kept
    spread = {name: np.ptp(p.get_facecolor()[:3]) for name, p in ribbons.items()}
    assert spread.pop("South Korea>Japan") > 0.2
    assert max(spread.values()) == 0
    top = max(ribbons.values(), key=lambda p: p.get_zorder())
    assert top is ribbons["South Korea>Japan"]
    assert "In colour: Japan" in " ".join(ax.get_xlabel().split())
    kept = wg.figures.plot_corridors(moves, **COLUMNS, at_most=1, keep=["AUS", "KOR"])
    assert sorted(with_gid(kept, RIBBON_GID)) == [
        "India>United States", "South Korea>United States", "United Kingdom>Australia", "United States>South Korea"
    ]  # fmt: skip
    assert "and 3 kept" in " ".join(kept.get_xlabel().split())


@pytest.mark.parametrize("size", [(4, 4.8), (8, 8.4), (6, 3.5)])
def test_names_of_a_few_places_are_horizontal_and_do_not_overlap(moves, size):
    ax = wg.figures.plot_corridors(moves, **COLUMNS, ax=new_axes(*size))
    assert {text.get_rotation() for text in texts(ax, NAME_GID)} == {0.0}
    assert_readable(ax)


@pytest.mark.parametrize("size", [(4, 4.8), (8, 8.4)])
def test_names_of_sixty_places_do_not_overlap(size):
    rng = np.random.default_rng(0)
    names = [f"{'Long ' * (i % 3)}Country {i}" for i in range(60)]
    a, b = rng.integers(0, 60, 400), rng.integers(0, 60, 400)
    frame = pd.DataFrame({"start": np.array(names)[a], "end": np.array(names)[b], "n": rng.pareto(1.1, 400) + 0.1})
    ax = wg.figures.plot_corridors(frame[a != b], **COLUMNS, at_most=150, ax=new_axes(*size))
    unnamed = re.search(r"(\d+) of (\d+) places have no room", " ".join(ax.get_xlabel().split()))
    places = len(with_gid(ax, ARC_GID))
    assert places > 50
    assert len(texts(ax, NAME_GID)) == places - (int(unnamed.group(1)) if unnamed else 0)
    assert len(texts(ax, NAME_GID)) > 30
    assert_readable(ax)


def test_a_name_that_is_too_long_is_broken_and_shortened(moves):
    long = "The Confederation of Exceedingly Long Names and Dependencies"
    ax = wg.figures.plot_corridors(moves, **COLUMNS, labels={"KOR": long, "USA": "US$"}, ax=new_axes(4, 4.8))
    shown = [text.get_text() for text in texts(ax, NAME_GID)]
    assert wrapped(long) in shown
    assert max(len(line) for line in wrapped(long).split("\n")) <= 17
    assert r"US\$" in shown
    assert_readable(ax)


def test_a_single_corridor_is_drawn():
    ax = wg.figures.plot_corridors(pd.DataFrame({"start": ["KOR"], "end": ["USA"], "n": [0.25]}), **COLUMNS)
    assert list(with_gid(ax, RIBBON_GID)) == ["South Korea>United States"]
    assert ax.get_xlabel().startswith("One corridor, 0.25 n")
    assert_readable(ax)


def test_corridors_leave_their_input_and_matplotlib_as_they_are(moves, tmp_path):
    import matplotlib as mpl

    before, settings, pyplot = moves.copy(), dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules
    files = [
        save_figure(figure_of(wg.figures.plot_corridors(moves, **COLUMNS)), tmp_path / name, alt_text="flows")
        for name in ("a", "b")
    ]
    pd.testing.assert_frame_equal(moves, before)
    assert dict(mpl.rcParams) == settings
    assert ("matplotlib.pyplot" in sys.modules) == pyplot
    assert [digest(path) for path in files[0]] == [digest(path) for path in files[1]]


def test_corridors_say_the_names_given_under_the_circle_too(moves):
    ax = wg.figures.plot_corridors(moves, **COLUMNS, labels={"IND": "Bharat"})
    assert all("India" not in text.get_text() for text in ax.texts)
    with pytest.raises(DataError, match="holds dates"):
        wg.figures.plot_corridors(moves.assign(n=pd.Timestamp("2020-01-01")), **COLUMNS)


def test_corridors_keep_the_axes_they_are_given(moves):
    ax = new_axes(5, 5)
    assert wg.figures.plot_corridors(moves, **COLUMNS, ax=ax) is ax


@pytest.mark.parametrize(
    ("change", "options", "error", "pieces"),
    [
        (dict(n=-1), {}, DataError, ["negative or infinite in 1 of 10", "KOR, USA, -1"]),
        (dict(n=np.inf), {}, DataError, ["negative or infinite in 1 of 10"]),
        (dict(n=np.nan), {}, MissingValueError, ["'n' is missing in 1 of 10"]),
        (dict(n="many"), {}, DataError, ["text in 1 of 10", "'many'"]),
        (dict(start=None), {}, MissingValueError, ["'start' is missing in 1 of 10"]),
        ({}, dict(highlight="KRO"), OptionError, ["highlight='KRO'", "Did you mean 'KOR'?"]),
        ({}, dict(keep=["USA", "CHN"]), OptionError, ["keep='CHN'", "6 places"]),
        ({}, dict(flow="m"), ColumnError, ["no column 'm' of flows", "start, end, n"]),
        ({}, dict(destination="start"), OptionError, ["origin and destination are both 'start'"]),
        ({}, dict(at_most=0), OptionError, ["at_most=0"]),
        ({}, dict(highlite="KOR"), ArgumentError, ["Did you mean 'highlight'?"]),
    ],
)
def test_flows_that_cannot_be_drawn_are_refused_by_name(moves, change, options, error, pieces):
    frame = moves.astype(object)
    for column, value in change.items():
        frame.loc[0, column] = value
    with pytest.raises(error) as caught:
        wg.figures.plot_corridors(frame, **{**COLUMNS, **options})
    for piece in pieces:
        assert piece in str(caught.value)


def test_flows_within_places_alone_are_no_corridors(moves):
    with pytest.raises(EmptyDataError, match="no flow above zero between two places"):
        wg.figures.plot_corridors(moves[moves["start"] == moves["end"]], **COLUMNS)


def test_the_primitive_refuses_what_is_no_flow():
    two = np.array([0, 1]), np.array([1, 0])
    with pytest.raises(DataError, match="1 of 2 flows are not positive"):
        chord(new_axes(3, 3), ["a", "b"], *two, np.array([1.0, 0.0]))
    with pytest.raises(DataError, match="1 stand twice"):
        chord(new_axes(3, 3), ["a", "b"], np.array([0, 0]), np.array([1, 1]), np.ones(2))
    with pytest.raises(DataError, match="a place has no flow"):
        chord(new_axes(3, 3), ["a", "b", "c"], *two, np.ones(2))
    with pytest.raises(DataError, match="too small"):
        chord(Figure(figsize=(1, 1)).add_axes((0.4, 0.4, 0.1, 0.1)), ["a", "b"], *two, np.ones(2))


def test_names_without_room_are_left_out_smallest_first_and_counted():
    places = np.arange(60)
    flow = np.linspace(1.0, 20.0, 60)
    names = [f"place {i}" for i in places]
    ax = chord(new_axes(2.4, 3.4), names, places, (places + 1) % 60, flow, caption="Flows.")
    shown = {text.get_text() for text in texts(ax, NAME_GID)}
    said = re.search(r"Flows. (\d+) of 60 places have no room", " ".join(ax.get_xlabel().split()))
    assert int(said.group(1)) == 60 - len(shown)
    assert 5 < len(shown) < 60
    total = flow + np.roll(flow, 1)
    assert shown == {names[i] for i in np.argsort(-total, kind="stable")[: len(shown)]}
    assert_readable(ax)


@pytest.mark.shared
def test_real_corridors_of_researchers(data_folder):
    path = data_folder / "scholarly_migration" / "scopus_2024_flows.parquet"
    if not path.exists():
        pytest.skip("no local copy of the flows of researchers")
    flows = pd.read_parquet(path)
    columns = dict(origin="iso3codefrom", destination="iso3codeto", flow="n_migrations")
    ax = wg.figures.plot_corridors(flows, **columns, highlight="KOR", ax=new_axes(4, 4.8))
    totals = flows.groupby(["iso3codefrom", "iso3codeto"], observed=True)["n_migrations"].sum()
    largest = totals.sort_values(ascending=False).index[0]
    assert f"{totals.max():,}" in " ".join(ax.get_xlabel().split())
    assert largest == ("CHN", "USA")
    assert "China>United States" in with_gid(ax, RIBBON_GID)
    assert_readable(ax)


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
    with pytest.raises(DataError, match="needs Transitions of fit_transitions, not Exits"):
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
    assert together.get_ylabel() == "cumulative incidence of abroad"
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
    assert ax.get_xlabel() == "average effect on abroad_next (share), 95 % intervals"
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
