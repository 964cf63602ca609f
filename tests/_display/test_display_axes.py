"""Figures: labels that do not overlap, unknown errors that show, files that are the same on every run."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgba
from matplotlib.patches import Ellipse
from matplotlib.text import Text

from wagegap._display.axes import FAINT, INK, PALETTE, WATCHED, apply_style, figure_of, new_axes
from wagegap._display.files import save_figure
from wagegap._display.intervals import intervals
from wagegap._display.labels import place_boxes, place_labels, write_beside
from wagegap._display.scatter import ellipses, line_band
from wagegap._display.themes import THEMES, apply_theme
from wagegap.errors import CovarianceError, DataError, OptionError, OutputError

_CODES = """
AUS AUT BEL CAN CHE CHL CZE DEU DNK ESP EST FIN FRA GBR GRC HUN IRL ISL ISR
ITA JPN KOR LTU LUX LVA MEX NLD NOR NZL POL PRT SVK SVN SWE TUR USA COL CRI
"""
ISO3 = _CODES.split()
NAN = float("nan")


@pytest.fixture
def cloud():
    rng = np.random.default_rng(1)
    n = len(ISO3)
    x = rng.normal(0.14, 0.05, n)
    y = 0.08 - 0.25 * (x - 0.14) + rng.normal(0, 0.012, n)
    sx, sy, r = rng.uniform(0.004, 0.03, n), rng.uniform(0.002, 0.009, n), rng.uniform(-0.5, 0.5, n)
    cov = np.array([[[a * a, c * a * d], [c * a * d, d * d]] for a, d, c in zip(sx, sy, r, strict=True)])
    return x, y, cov


@pytest.fixture
def forest():
    rng = np.random.default_rng(2)
    b, se = np.sort(rng.normal(0.14, 0.06, 21))[::-1], rng.uniform(0.008, 0.06, 21)
    return [f"country {i}" for i in range(21)], b, b - 1.96 * se, b + 1.96 * se


def boxes_of(ax):
    figure_of(ax).draw_without_rendering()
    return np.array([Text.get_window_extent(text).extents for text in ax.texts])


def overlaps(boxes):
    low, high = boxes[:, None, :2], boxes[:, None, 2:]
    apart = (low >= boxes[None, :, 2:]) | (high <= boxes[None, :, :2])
    shared = ~apart.any(axis=2)
    return int((shared.sum() - len(boxes)) / 2)


def luminance(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(color)[:3]]
    y = float(np.dot(linear, [0.2126, 0.7152, 0.0722]))
    return 116 * y ** (1 / 3) - 16 if y > 0.008856 else 903.3 * y


@pytest.mark.parametrize("size", [(6.3, 4.6), (3.2, 2.8), (9.0, 6.0)])
def test_labels_overlap_neither_each_other_nor_points(cloud, size):
    x, y, cov = cloud
    ax = ellipses(new_axes(*size), x, y, cov, ISO3)
    ax.set_xlabel("premium")
    ax.set_ylabel("rate")
    place_labels(ax)
    boxes = boxes_of(ax)
    assert len(boxes) == 38
    assert overlaps(boxes) == 0
    points = ax.transData.transform(np.column_stack([x, y]))
    inside = (points[:, None] > boxes[None, :, :2]) & (points[:, None] < boxes[None, :, 2:])
    assert not inside.all(axis=2).any()
    frame = ax.get_window_extent()
    assert (boxes[:, :2] >= [frame.x0 - 1, frame.y0 - 1]).all()
    assert (boxes[:, 2:] <= [frame.x1 + 1, frame.y1 + 1]).all()


def test_labels_have_leaders_only_where_they_are_far(cloud):
    x, y, cov = cloud
    ax = ellipses(new_axes(6.3, 4.6), x, y, cov, ISO3)
    pixels = figure_of(ax).dpi / 72
    boxes = boxes_of(ax)
    points = ax.transData.transform(np.column_stack([x, y]))
    beyond = np.maximum(np.maximum(boxes[:, :2] - points, points - boxes[:, 2:]), 0)
    gaps = np.hypot(*beyond.T) / pixels
    led = np.array([text.arrow_patch.get_visible() for text in ax.texts])
    assert 0 < led.sum() < 15
    assert gaps[~led].max() < 8
    assert gaps[led].min() > 5
    alone = ellipses(new_axes(4, 3), [0.1], [0.2], [np.eye(2) * 1e-4], ["USA"])
    assert not alone.texts[0].arrow_patch.get_visible()


def test_labels_are_placed_the_same_way_every_time(cloud):
    x, y, cov = cloud
    first, second = (ellipses(new_axes(5, 4), x, y, cov, ISO3) for _ in range(2))
    assert [t.get_position() for t in first.texts] == [t.get_position() for t in second.texts]
    assert [t.get_position() for t in place_labels(second).texts] == [t.get_position() for t in first.texts]


@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_boxes_of_points_at_one_place_do_not_overlap(n):
    centres = place_boxes(
        np.full((n, 2), 100.0), np.full((n, 2), [24.0, 10.0]), np.array([0, 0, 300, 300.0]), clearance=3
    )
    half = np.array([12, 5])
    boxes = np.hstack([centres - half, centres + half])
    assert overlaps(boxes) == 0
    assert (np.abs(centres - 100) >= np.array([15, 8]) - 1e-9).any(axis=1).all()


def test_boxes_without_room_are_still_placed():
    centres = place_boxes(
        np.full((40, 2), 10.0), np.full((40, 2), [24.0, 10.0]), np.array([0, 0, 20, 20.0]), clearance=3
    )
    assert centres.shape == (40, 2)
    assert np.isfinite(centres).all()


def test_an_ellipse_holds_the_points_at_its_distance():
    cov = np.array([[0.04, 0.03], [0.03, 0.09]])
    ax = ellipses(new_axes(4, 3), [1.0], [2.0], cov[None], ["A"], level=0.9)
    (patch,) = ax.patches
    assert isinstance(patch, Ellipse)
    circle = np.array([[np.cos(t), np.sin(t)] for t in np.linspace(0, 6, 50)])
    edge = patch.get_patch_transform().transform(circle) - [1.0, 2.0]
    distance = np.einsum("ij,jk,ik->i", edge, np.linalg.inv(cov), edge)
    np.testing.assert_allclose(distance, -2 * math.log(0.1), rtol=1e-10)


def test_ellipses_cover_with_their_probability():
    rng = np.random.default_rng(3)
    cov = np.array([[0.04, -0.02], [-0.02, 0.03]])
    patch = ellipses(new_axes(3, 3), [0.0], [0.0], cov[None], [""], level=0.95).patches[0]
    draws = rng.multivariate_normal([0, 0], cov, 20_000)
    unit = patch.get_patch_transform().inverted().transform(draws)
    assert abs((np.hypot(*unit.T) <= 1).mean() - 0.95) < 4 * math.sqrt(0.0475 / 20_000)


def test_unknown_covariances_are_hollow_and_have_no_ellipse():
    cov = np.array([np.eye(2), [[NAN, NAN], [NAN, 1.0]], np.full((2, 2), NAN)])
    ax = ellipses(new_axes(4, 3), [0, 1, 2], [0, 1, 2], cov, ["a", "b", "c"])
    assert len(ax.patches) == 1
    assert len(ax.lines) == 1
    assert np.ptp(ax.lines[0].get_xdata()) == 0
    faces = [tuple(c.get_facecolor()[0]) for c in ax.collections if isinstance(c, PathCollection)]
    white = (1.0, 1.0, 1.0, 1.0)
    assert [face == white for face in faces] == [False, True, True]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["error unknown"]


@pytest.mark.parametrize("matrix", [[[1, 2], [2, 1]], [[1, 0.5], [0.1, 1]], [[-1, 0], [0, 1]], [[NAN, 0], [0, -1]]])
def test_what_is_no_covariance_is_refused_by_name(matrix):
    cov = np.array([np.eye(2), matrix])
    with pytest.raises(CovarianceError, match=r"1 of 2 .* KOR"):
        ellipses(new_axes(3, 2), [0, 1], [0, 1], cov, ["USA", "KOR"])


def test_wrong_shapes_and_missing_estimates_are_refused_by_name():
    ax = new_axes(3, 2)
    with pytest.raises(CovarianceError, match=r"\(1, 2, 2\)"):
        ellipses(ax, [0], [0], np.eye(2), ["USA"])
    with pytest.raises(DataError, match=r"1 of 2 values of x are missing or infinite: KOR"):
        ellipses(ax, [0, NAN], [0, 1], np.array([np.eye(2)] * 2), ["USA", "KOR"])
    with pytest.raises(DataError, match=r"low has shape \(1,\); 2 labels"):
        intervals(ax, ["a", "b"], [1, 2], [0], [2, 3])
    with pytest.raises(DataError, match="1 of 2 intervals do not hold their estimate: b"):
        intervals(ax, ["a", "b"], [1, 2], [0, 2.5], [2, 3])
    with pytest.raises(DataError, match="groups has 1 values"):
        intervals(ax, ["a", "b"], [1, 2], [0, 1], [2, 3], groups=["x"])
    with pytest.raises(OptionError, match="level"):
        ellipses(ax, [0], [0], [np.eye(2)], ["USA"], level=95)
    with pytest.raises(OptionError, match="inches"):
        new_axes(0, 1)


def test_a_forest_plot_reads_from_the_top(forest):
    labels, b, low, high = forest
    low, high = low.copy(), high.copy()
    low[3] = high[3] = NAN
    ax = intervals(new_axes(6.3, 4.8), labels, b, low, high)
    assert [text.get_text() for text in ax.get_yticklabels()] == labels
    assert ax.yaxis_inverted()
    lines = [line for line in ax.lines if len(set(line.get_ydata())) == 1]
    assert len(lines) == 20
    np.testing.assert_allclose(lines[0].get_xdata(), [low[0], high[0]])
    marks = [c for c in ax.collections if isinstance(c, PathCollection)]
    assert tuple(marks[3].get_facecolor()[0]) == (1.0, 1.0, 1.0, 1.0)
    widths, areas = np.delete(high - low, 3), np.delete([c.get_sizes()[0] for c in marks], 3)
    assert (np.argsort(widths) == np.argsort(-areas)).all()
    assert areas.max() == pytest.approx(64)
    equal = intervals(new_axes(6.3, 4.8), labels, b, low, high, sizes="equal")
    assert len({float(c.get_sizes()[0]) for c in equal.collections}) == 1
    assert len(equal.lines) == 21


def test_groups_stand_side_by_side_in_one_row():
    ax = intervals(
        new_axes(4, 2), ["a", "b", "a", "b"], [1, 2, 3, 4], [0, 1, 2, 3], [2, 3, 4, 5], groups=["x", "x", "y", "y"]
    )
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"]
    heights = [float(c.get_offsets()[0, 1]) for c in ax.collections]
    assert heights == pytest.approx([-0.12, 0.88, 0.12, 1.12])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["x", "y"]
    shapes = {c.get_paths()[0].vertices.tobytes() for c in ax.collections}
    assert len(shapes) == 2


def test_numbers_beside_a_forest_plot_stay_on_the_page(forest):
    labels, b, low, high = forest
    ax = intervals(new_axes(6.3, 4.8), labels, b, low, high)
    write_beside(
        ax, [f"{value:.2f} [{a:.2f}, {z:.2f}]" for value, a, z in zip(b, low, high, strict=True)], header="US$"
    )
    boxes = boxes_of(ax)
    assert overlaps(boxes) == 0
    assert boxes[:, 2].max() <= figure_of(ax).bbox.x1
    assert boxes[:, 0].min() >= ax.get_window_extent().x1
    assert [text.get_text() for text in ax.texts][-1] == r"US\$"


def test_user_strings_are_not_mathematics():
    labels = ["US$ and $x_1$", "_hidden", r"\frac", "a\nb"]
    ax = intervals(new_axes(4, 3), labels, [1] * 4, [0] * 4, [2] * 4, groups=["$a$", "_b", "c", "d"])
    ellipses(new_axes(4, 3), [0], [0], [np.eye(2)], ["$\\nosuchcommand$"])
    assert len(ax.get_legend().get_texts()) == 4
    figure_of(ax).draw_without_rendering()


def test_a_line_and_its_band():
    ax = line_band(new_axes(3, 2), [2, 0, 1], [0.3, 0.1, 0.2], [0.2, 0, 0.1], [0.4, 0.2, 0.3], label="fit")
    assert ax.lines[0].get_xdata().tolist() == [0, 1, 2]
    assert ax.lines[0].get_linestyle() == "-"
    assert len(ax.collections) == 1
    unknown = line_band(new_axes(3, 2), [0, 1], [0.1, 0.2], [NAN, NAN], [NAN, NAN])
    assert unknown.lines[0].get_linestyle() == "--"
    assert len(unknown.collections) == 0


def test_colours_differ_in_grey():
    lightness = sorted(luminance(color) for color in PALETTE)
    assert min(np.diff(lightness)) > 15
    assert max(lightness) < 80


def test_every_primitive_returns_its_axes_and_changes_no_setting(cloud, forest, tmp_path):
    x, y, cov = cloud
    labels, b, low, high = forest
    before = dict(mpl.rcParams)
    ax = new_axes(5, 4)
    assert apply_style(ax) is ax
    assert ellipses(ax, x, y, cov, ISO3, groups=["a", "b"] * 19) is ax
    assert line_band(ax, x, y, y, y) is ax
    assert intervals(ax, labels, b, low, high) is ax
    save_figure(figure_of(ax), tmp_path / "f", alt_text="A figure.", formats=("svg",))
    assert dict(mpl.rcParams) == before


def test_subfigures_have_a_figure():
    figure = figure_of(new_axes(4, 3))
    sub = figure.subfigures(1, 2)[0].add_subplot()
    assert figure_of(sub) is figure


def test_files_are_the_same_bytes_every_time(cloud, tmp_path):
    x, y, cov = cloud
    digests = []
    for name in ("first", "second"):
        ax = ellipses(new_axes(5, 4), x, y, cov, ISO3, groups=["a", "b"] * 19)
        for again in ("", ".again"):
            paths = save_figure(
                figure_of(ax), tmp_path / f"{name}{again}", alt_text="Rates & premiums", formats=("png", "svg", "pdf")
            )
            digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert all(digest == digests[0] for digest in digests)
    assert [path.name for path in paths] == ["second.again.png", "second.again.svg", "second.again.pdf"]


def test_files_do_not_depend_on_the_users_settings_or_the_process(tmp_path):
    script = (
        "import sys, matplotlib as mpl\n"
        "mpl.rcParams.update({'savefig.bbox': sys.argv[2] or None, 'svg.hashsalt': sys.argv[2]})\n"
        "from wagegap._display.axes import figure_of, new_axes\n"
        "from wagegap._display.files import save_figure\n"
        "from wagegap._display.intervals import intervals\n"
        "ax = intervals(new_axes(3, 2), ['a', 'b'], [1, 2], [0, 1], [2, 3])\n"
        "save_figure(figure_of(ax), sys.argv[1], alt_text='x')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    root = str(__import__("pathlib").Path(__file__).resolve().parents[2])
    for name, setting in (("a", ""), ("b", "tight")):
        subprocess.run([sys.executable, "-c", script, str(tmp_path / name), setting], check=True, cwd=root)
    for suffix in ("png", "svg"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


def test_files_carry_the_alternative_text_and_no_date(tmp_path):
    ax = intervals(new_axes(3, 2), ["a"], [1], [0], [2])
    png, svg = save_figure(figure_of(ax), tmp_path / "fig1.5", alt_text="Premiums <by> country & field")
    assert png.name == "fig1.5.png"
    root = ElementTree.fromstring(svg.read_text())
    assert root.find("{http://www.w3.org/2000/svg}title").text == "Premiums <by> country & field"
    assert "<dc:date>" not in svg.read_text()
    assert b"Premiums <by> country & field" in png.read_bytes()
    assert b"matplotlib" not in png.read_bytes().lower()


def test_nothing_is_written_when_a_figure_cannot_be(tmp_path):
    figure = figure_of(new_axes(3, 2))
    with pytest.raises(OptionError, match="Did you mean 'png'"):
        save_figure(figure, tmp_path / "f", alt_text="x", formats=("svg", "pngg"))
    with pytest.raises(OptionError, match="alt_text is empty"):
        save_figure(figure, tmp_path / "f", alt_text=" ")
    with pytest.raises(OutputError, match="no folder"):
        save_figure(figure, tmp_path / "none" / "f", alt_text="x")
    assert list(tmp_path.iterdir()) == []


# themes --------------------------------------------------------------------------------------------------------------


def contrast(color, ground):
    return (relative(color) + 0.05) / (relative(ground) + 0.05)


def relative(color):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgba(color)[:3]]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def test_texts_and_groups_contrast_with_a_dark_ground():
    table = THEMES["dark"]
    ground = table["#FFFFFF"]
    assert contrast(table[INK], ground) > 7
    assert contrast(table[WATCHED], ground) > 4.5
    for light in (*PALETTE, FAINT):
        assert contrast(table[light], ground) > 4.5


def test_a_theme_recolours_what_is_drawn_and_moves_nothing(cloud):
    x, y, cov = cloud
    light, dark = (ellipses(new_axes(5, 4), x, y, cov, ISO3, watch=["KOR"]) for _ in range(2))
    assert apply_theme(dark, "dark") is dark
    assert apply_theme(apply_theme(dark, "dark"), "light") is dark
    assert to_rgba(dark.figure.get_facecolor()) == to_rgba(THEMES["dark"]["#FFFFFF"])
    inks = {to_hex(text.get_color()).upper() for text in dark.texts}
    assert inks == {THEMES["dark"][INK], THEMES["dark"][WATCHED]}
    assert {to_hex(label.get_color()).upper() for label in dark.get_xticklabels()} == {THEMES["dark"][INK]}
    rows = apply_theme(intervals(new_axes(4, 2), ["a", "b"], [1, 2], [0, 1], [2, 3], watch=["b"]), "dark")
    colors = [to_hex(label.get_color()).upper() for label in rows.get_yticklabels()]
    assert colors == [THEMES["dark"][INK], THEMES["dark"][WATCHED]]
    assert [text.get_position() for text in light.texts] == [text.get_position() for text in dark.texts]
    assert light.patches[0].get_alpha() == dark.patches[0].get_alpha()
    grey = apply_theme(ellipses(new_axes(5, 4), x, y, cov, ISO3, groups=["a", "b"] * 19), "print")
    faces = {tuple(round(v, 3) for v in c.get_facecolor()[0][:3]) for c in grey.collections}
    assert all(max(face) - min(face) < 0.01 for face in faces)
    assert len(faces) == 2


def test_text_of_an_svg_is_text_and_has_fonts_to_fall_back_on(cloud, tmp_path):
    x, y, cov = cloud
    ax = ellipses(new_axes(5, 4), x, y, cov, ISO3)
    ax.set_xlabel("pay & premium")
    (path,) = save_figure(figure_of(ax), tmp_path / "f", alt_text="x", formats=("svg",))
    svg = path.read_text()
    texts = {"".join(text.itertext()) for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"pay & premium", *ISO3} <= texts
    assert svg.count("'DejaVu Sans'") == svg.count("'DejaVu Sans', Verdana, Geneva, sans-serif") > 38


def test_an_svg_is_dark_on_a_dark_page_in_every_colour_it_has(cloud, tmp_path):
    x, y, cov = cloud
    ax = ellipses(new_axes(5, 4), x, y, cov, ISO3, watch=["USA"])
    (path,) = save_figure(figure_of(ax), tmp_path / "f", alt_text="x", formats=("svg",))
    svg = path.read_text()
    style = svg[svg.index("@media") : svg.index("</style>", svg.index("@media"))]
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", svg.replace(style, "")))
    told = set(re.findall(r'style\*="(?:fill|stroke): (#[0-9a-f]{6})', style))
    assert {"#ffffff", INK.lower(), WATCHED.lower()} <= used <= told
