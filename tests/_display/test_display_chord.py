"""Circles of corridors, read back from their outlines: widths, arcs, order and names, for few places and for many."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba
from matplotlib.text import Text

import wagegap as wg
from wagegap._display.axes import figure_of, new_axes, save_figure
from wagegap._display.chord import ARC_GID, NAME_GID, RIBBON_GID, place_ring, ring_order

SIZES = [(4.0, 4.4), (6.3, 6.8), (8.0, 8.0), (8.0, 3.5)]
COLUMNS = {"origin": "start", "destination": "end", "flow": "n"}


def corridors(frame, **options):
    return wg.figures.plot_corridors(frame, **{**COLUMNS, **options})


def table(*rows):
    return pd.DataFrame(list(rows), columns=["start", "end", "n"])


def random_flows(places, corridors_, seed=0):
    """Flows of very unequal size between places, each pair once."""
    rng = np.random.default_rng(seed)
    pairs = [(a, b) for a in range(places) for b in range(places) if a != b]
    chosen = rng.permutation(len(pairs))[:corridors_]
    rows = [(f"place {pairs[i][0]}", f"place {pairs[i][1]}", float(np.exp(2 * rng.normal()))) for i in chosen]
    return table(*rows)


def with_gid(ax, gid):
    """Patches by the rest of their gid."""
    return {p.get_gid().split(":", 1)[1]: p for p in ax.patches if str(p.get_gid()).startswith(f"{gid}:")}


def angles(points):
    """Radians clockwise from the top."""
    return np.arctan2(points[:, 0], points[:, 1])


def spread(a):
    """Extent of angles that lie together, across the cut at pi."""
    middle = np.angle(np.exp(1j * a).mean())
    off = np.angle(np.exp(1j * (a - middle)))
    return off.max() - off.min()


def ribbon_ends(patch):
    """Extent in radians of both ends of a ribbon, and their radii, from its outline."""
    points = patch.get_path().vertices
    codes = patch.get_path().codes
    first = int(np.flatnonzero(codes == 4)[0])
    last = int(np.flatnonzero(codes == 4)[3])
    start, head = points[:first], points[first + 2 : last]
    return spread(angles(start)), spread(angles(head)), np.hypot(*start.T), np.hypot(*head.T)


def outlines(texts):
    """Corners of texts in pixels, turned as they are."""
    made = []
    for text in texts:
        turn = text.get_rotation()
        text.set_rotation(0)
        box = Text.get_window_extent(text)
        text.set_rotation(turn)
        a = np.radians(turn)
        matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [box.width / 2, box.height / 2]
        made.append([(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2] + corners @ matrix.T)
    return made


def overlap(p, q):
    """Whether convex outlines share more than an edge (separating axes)."""
    for sides in (p, q):
        for k in range(len(sides)):
            x, y = sides[(k + 1) % len(sides)] - sides[k]
            normal = np.array([-y, x])
            if (p @ normal).max() <= (q @ normal).min() + 1e-6 or (q @ normal).max() <= (p @ normal).min() + 1e-6:
                return False
    return True


def assert_legible(ax, texts):
    """No two texts overlap, and none leaves the figure."""
    figure = figure_of(ax)
    figure.draw_without_rendering()
    shapes = outlines([text for text in texts if text.get_text().strip()])
    assert shapes
    assert [pair for pair in itertools.combinations(range(len(shapes)), 2) if overlap(*(shapes[i] for i in pair))] == []
    corners = np.vstack(shapes)
    assert (corners >= -1).all()
    assert (corners <= [figure.bbox.x1 + 1, figure.bbox.y1 + 1]).all()


def named(ax):
    return [text for text in ax.texts if text.get_gid() == NAME_GID]


def digest(ax, folder):
    (path,) = save_figure(figure_of(ax), folder / "figure", alt_text="a figure", formats=("png",), dpi=80)
    return hashlib.sha256(path.read_bytes()).hexdigest()


# circles of corridors ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("places", "count"), [(2, 2), (5, 12), (30, 90)])
def test_ribbons_are_as_wide_as_their_flows_at_both_ends(places, count):
    flows = random_flows(places, count)
    ribbons = with_gid(corridors(flows, at_most=1000), RIBBON_GID)
    assert len(ribbons) == count
    flow = flows.set_index(flows["start"] + ">" + flows["end"])["n"]
    ends = {key: ribbon_ends(patch) for key, patch in ribbons.items()}
    scale = np.array([[ends[key][0] / flow[key], ends[key][1] / flow[key]] for key in ribbons])
    # outlines hold the ends themselves, so that only the rounding of arctan2 remains
    np.testing.assert_allclose(scale, scale[0, 0], rtol=1e-6)


@pytest.mark.parametrize(("places", "count"), [(2, 1), (5, 12), (30, 90)])
def test_arcs_are_as_long_as_all_that_leaves_and_arrives(places, count):
    flows = random_flows(places, count)
    arcs = with_gid(corridors(flows, at_most=1000), ARC_GID)
    total = flows.groupby("start")["n"].sum().add(flows.groupby("end")["n"].sum(), fill_value=0.0)
    assert set(arcs) == set(total.index)
    length = pd.Series({name: spread(angles(patch.get_path().vertices)) for name, patch in arcs.items()})
    ratio = (length / total[length.index]).to_numpy()
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)


def test_ribbons_of_one_place_and_the_two_ways_of_a_pair_do_not_cross():
    pairs = np.array([(a, b) for a in range(5) for b in range(5) if a != b])
    flow = np.ones(len(pairs))
    begin = np.arange(5) * 1.25
    ring = place_ring(np.column_stack([begin, begin + 1.2]), pairs[:, 0], pairs[:, 1], flow)
    chords = [tuple(sorted((a.mean(), b.mean()))) for a, b in zip(ring.leave, ring.arrive, strict=True)]
    shared = 0
    for i, j in itertools.combinations(range(len(pairs)), 2):
        if set(pairs[i]) & set(pairs[j]):
            (a, b), (c, d) = chords[i], chords[j]
            assert not a < c < b < d
            assert not c < a < d < b
            shared += 1
    assert shared > 100


def test_a_ribbon_touches_the_place_left_and_points_to_the_place_reached():
    ax = corridors(table(("KOR", "USA", 30), ("USA", "KOR", 10), ("IND", "USA", 60)))
    for patch in with_gid(ax, RIBBON_GID).values():
        _, _, start, head = ribbon_ends(patch)
        assert np.ptp(start) < 1e-12
        assert head.max() < start.min()
        tip = np.flatnonzero(head == head.max())
        assert tip.tolist() == [(len(head) - 1) // 2]


def test_a_ribbon_has_the_colour_of_its_origin_and_neighbours_differ():
    flows = random_flows(12, 40)
    ax = corridors(flows, at_most=100)
    arcs, ribbons = with_gid(ax, ARC_GID), with_gid(ax, RIBBON_GID)
    for key, patch in ribbons.items():
        assert to_rgba(patch.get_facecolor())[:3] == to_rgba(arcs[key.split(">")[0]].get_facecolor())[:3]
    around = sorted(arcs.values(), key=lambda p: np.angle(np.exp(1j * angles(p.get_path().vertices)).mean()))
    colors = [to_rgba(patch.get_facecolor()) for patch in around]
    assert all(a != b for a, b in itertools.pairwise([*colors, colors[0]]))


def test_the_order_keeps_apart_what_has_nothing_to_do_with_each_other():
    # two groups whose names take turns: around the circle in the alphabet their ribbons would cross
    links = [(a, b) for group in ((0, 2, 4, 6), (1, 3, 5, 7)) for a in group for b in group if a < b]
    a, b = np.array(links).T
    order = ring_order(a, b, np.ones(len(a)), 8).tolist()
    parity = [place % 2 for place in order]
    assert sum(x != y for x, y in itertools.pairwise([*parity, parity[0]])) == 2
    assert sorted(order) == list(range(8))


def crossings(order, a, b, flow):
    position = np.argsort(order)
    low, high = np.minimum(position[a], position[b]), np.maximum(position[a], position[b])
    crossed = (low[:, None] < low) & (low < high[:, None]) & (high[:, None] < high)
    return float((crossed * np.outer(flow, flow)).sum())


def test_the_order_crosses_less_than_any_of_many_at_random():
    rng = np.random.default_rng(3)
    a, b = np.triu_indices(9, 1)
    chosen = rng.permutation(len(a))[:16]
    a, b, flow = a[chosen], b[chosen], rng.exponential(size=16)
    found = crossings(ring_order(a, b, flow, 9), a, b, flow)
    at_random = [crossings(rng.permutation(9), a, b, flow) for _ in range(2000)]
    assert found <= np.quantile(at_random, 0.01)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("places", "count"), [(2, 1), (9, 25), (60, 150)])
def test_names_overlap_neither_each_other_nor_the_edge(size, places, count):
    ax = corridors(random_flows(places, count), at_most=1000, ax=new_axes(*size))
    assert_legible(ax, [*named(ax), ax.xaxis.label])
    arcs = with_gid(ax, ARC_GID)
    missing = len(arcs) - len(named(ax))
    assert missing == 0 or f"{missing} of {len(arcs)} places have no room" in " ".join(ax.get_xlabel().split())


def test_names_stay_outside_the_ring():
    ax = corridors(random_flows(9, 25))
    figure_of(ax).draw_without_rendering()
    corners = ax.transData.inverted().transform(np.vstack(outlines(named(ax))))
    assert np.hypot(*corners.T).min() > 1.0


def test_the_circle_is_round_and_a_single_corridor_does_not_fill_it():
    ax = corridors(table(("KOR", "USA", 5)), ax=new_axes(7, 4))
    figure_of(ax).draw_without_rendering()
    unit = ax.transData.transform([[0, 0], [1, 0], [0, 1]])
    assert unit[1, 0] - unit[0, 0] == pytest.approx(unit[2, 1] - unit[0, 1], rel=1e-6)
    (ribbon,) = with_gid(ax, RIBBON_GID).values()
    assert ribbon_ends(ribbon)[0] < np.pi / 3
    assert ax.get_xlabel().startswith("One corridor, 5 n")


def test_thin_ribbons_are_not_painted_over_by_their_edges():
    flows = table(("A", "B", 1000.0), *[("A", f"C{i}", 1.0) for i in range(30)])
    ax = corridors(flows, at_most=100)
    points = ax.get_window_extent().height / np.diff(ax.get_ylim())[0] * 72 / figure_of(ax).dpi
    for patch in with_gid(ax, RIBBON_GID).values():
        assert patch.get_linewidth() < 0.25 * ribbon_ends(patch)[0] * points


def test_rows_of_one_corridor_are_added_up_and_said(tmp_path):
    once = corridors(table(("A", "B", 5), ("B", "C", 3)))
    twice = table(("A", "B", 1), ("B", "C", 3), ("A", "B", 4))
    ax = corridors(twice)
    assert "3 rows added up" in " ".join(ax.get_xlabel().split())
    widths = [{k: ribbon_ends(p)[0] for k, p in with_gid(one, RIBBON_GID).items()} for one in (once, ax)]
    assert widths[0] == pytest.approx(widths[1])


def test_ties_are_broken_by_the_alphabet_whatever_the_order_of_rows(tmp_path):
    flows = table(*[(a, b, 1) for a, b in itertools.permutations("DCBA", 2)])
    drawn = {
        frozenset(with_gid(corridors(flows.sample(frac=1, random_state=s), at_most=3), RIBBON_GID)) for s in (1, 2)
    }
    assert drawn == {frozenset({"A>B", "A>C", "A>D"})}
    assert len({digest(corridors(flows.sample(frac=1, random_state=s)), tmp_path) for s in (1, 2)}) == 1


def test_countries_kept_have_their_largest_corridors_out_and_in():
    flows = table(("A", "B", 90), ("B", "A", 80), ("K", "A", 3), ("K", "B", 2), ("B", "K", 1), ("A", "K", 4))
    ax = corridors(flows, at_most=2, keep="K")
    assert set(with_gid(ax, RIBBON_GID)) == {"A>B", "B>A", "K>A", "A>K"}
    assert "The 2 largest, and 2 kept" in ax.get_xlabel()
