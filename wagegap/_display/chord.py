"""Flows between places on a circle: a ribbon for each flow, as wide as the flow is large.

Places are arcs of a ring, each as long as what leaves it and what reaches it. A ribbon starts at the arc of the place
left, has its colour, and ends short of the arc of the place reached, in a point: direction needs no colour. Places are
ordered so that wide ribbons seldom cross: one after the other at the best position, then each moved to a better one
until none is. Within an arc ribbons are ordered so that those of one place do not cross, and the two ways between two
places lie beside each other.

Arcs are in proportion to flows exactly; the gaps between them are wider where names need room. Names are horizontal
where they do not overlap, else they point away from the centre.

References
----------
Abel, G. and N. Sander (2014). Quantifying global international migration flows. Science 343, 1520-1522.
Gu, Z. et al. (2014). circlize implements and enhances circular visualization in R. Bioinformatics 30, 2811-2812.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wagegap._display.axes import _STYLE, FAINT, INK, SMALL, _literal, figure_of
from wagegap._display.panels import filled
from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray
from wagegap.errors import DataError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.path import Path

__all__ = ["Ring", "chord", "place_ring", "ring_order", "wrapped"]

HUES = ("#004488", "#BB5566", "#DDAA33", "#117733", "#66AACC", "#882255", "#7A6A00", "#44AA99")
"""Colours of places: neighbours on the ring differ in hue and in lightness."""

GREY = "#D9D9D9"
RIBBON_GID, ARC_GID, NAME_GID = "wagegap-ribbon", "wagegap-arc", "wagegap-name"
_INNER, _TIP = 0.945, 0.915
_LEAST_POINT, _MOST_POINT = 0.075, 0.25
_GAP, _ROOM, _LONGEST = 0.035, 0.8, 0.9
_EDGE, _EDGE_SHARE = 0.4, 0.12
_STARTS = 12
_SIZES = (SMALL, 7.0, 6.0)
_LETTERS, _LINES = 16, 2
_PAD = 4.0


@dataclass(frozen=True, slots=True, eq=False)
class Ring:
    """Where places and the ends of ribbons lie, in radians clockwise from the top.

    Attributes
    ----------
    arcs : ndarray, shape (n, 2)
        Beginning and end of the arc of each place.
    leave, arrive : ndarray, shape (m, 2)
        Beginning and end of each ribbon on the arc that it leaves, and on the one that it reaches.
    """

    arcs: FloatArray
    leave: FloatArray
    arrive: FloatArray


def chord(
    ax: Axes,
    names: Sequence[str],
    origin: IntArray,
    destination: IntArray,
    flow: FloatArray,
    *,
    faint: BoolArray | None = None,
    caption: str = "",
) -> Axes:
    """Draw flows between places as ribbons of a circle.

    Parameters
    ----------
    ax : Axes
        Where to draw; a square looks well.
    names : sequence of str, length n
        Places.
    origin, destination : ndarray of int, shape (m,)
        Positions among the names, of each flow; never the same, and each pair once.
    flow : ndarray, shape (m,)
        Positive.
    faint : ndarray of bool, shape (m,), optional
        Flows drawn in grey, below the others.
    caption : str
        Text under the circle; it also says how many places are too many to be named.

    Returns
    -------
    Axes
        The same axes.

    Raises
    ------
    DataError
        Without flows, when lengths differ, a flow is not positive and finite, leads nowhere else, or stands twice, or a
        place has no flow.

    Examples
    --------
    >>> from wagegap._display.axes import new_axes
    >>> ax = chord(new_axes(4, 4), ["USA", "KOR"], np.array([0, 1]), np.array([1, 0]), np.array([3.0, 1.0]))
    >>> [text.get_text() for text in ax.texts]
    ['USA', 'KOR']
    """
    _check(names, origin, destination, flow)
    order = ring_order(origin, destination, flow, len(names))
    rank = np.argsort(order)
    total = _summed(origin, flow, len(names)) + _summed(destination, flow, len(names))
    words = [wrapped(names[int(i)]) for i in order]
    placed = _laid_out(ax, words, total[order], caption)
    ring = place_ring(placed.arcs, rank[origin], rank[destination], flow)
    grey = np.zeros(len(flow), dtype=bool) if faint is None else np.asarray(faint, dtype=bool)
    _draw(ax, [names[int(i)] for i in order], ring, rank[origin], rank[destination], grey)
    _write(ax, words, placed)
    return ax


def _summed(at: IntArray, values: FloatArray, n: int) -> FloatArray:
    """Sums of values by position."""
    return np.asarray(np.bincount(at, values, n), dtype=float)


def _check(names: Sequence[str], origin: IntArray, destination: IntArray, flow: FloatArray) -> None:
    if not len(origin) == len(destination) == len(flow):
        raise DataError(f"{len(flow)} flows need as many origins and destinations.")
    if len(flow) == 0:
        raise DataError("there are no flows to draw.")
    good = np.isfinite(flow) & (flow > 0)
    if not good.all():
        raise DataError(f"{int((~good).sum())} of {len(flow)} flows are not positive numbers.")
    own, pairs = int((origin == destination).sum()), len(set(zip(origin.tolist(), destination.tolist(), strict=True)))
    if own or pairs < len(flow):
        raise DataError(f"{own} flows lead back to where they start, and {len(flow) - pairs} stand twice.")
    if len(np.unique(np.concatenate([origin, destination]))) < len(names):
        raise DataError("a place has no flow.")


# order ---------------------------------------------------------------------------------------------------------------


def ring_order(origin: IntArray, destination: IntArray, flow: FloatArray, n: int) -> IntArray:
    """Return places in an order around the circle in which wide ribbons seldom cross; the largest is first.

    The cost of an order is the sum over crossing pairs of the product of their flows, and a thousandth of the mean
    share of the circle that flows pass.

    >>> links = np.array([0, 1, 2, 3]), np.array([2, 3, 0, 1])
    >>> ring_order(*links, np.ones(4), 4).tolist()
    [0, 3, 1, 2]
    """
    a, b = np.minimum(origin, destination), np.maximum(origin, destination)
    pairs, inverse = np.unique(np.column_stack([a, b]), axis=0, return_inverse=True)
    weights = _summed(inverse.ravel(), flow, len(pairs)) / float(flow.sum())
    ties = np.zeros((n, n))
    ties[pairs[:, 0], pairs[:, 1]] = ties[pairs[:, 1], pairs[:, 0]] = weights
    largest = np.argsort(-ties.sum(axis=0), kind="stable")
    tried = [_improved(_inserted(int(first), ties, pairs, weights), pairs, weights) for first in largest[:_STARTS]]
    order = min(tried, key=lambda one: round(_cost(one, pairs, weights), 12))
    first = order.index(int(largest[0]))
    return np.array(order[first:] + order[:first], dtype=np.intp)


def _inserted(first: int, ties: FloatArray, pairs: IntArray, weights: FloatArray) -> list[int]:
    """An order from one place on: next the place most tied to those that stand, where it costs least."""
    order = [first]
    while len(order) < len(ties):
        rest = np.setdiff1d(np.arange(len(ties)), order)
        near = ties[rest][:, order].sum(axis=1)
        v = int(rest[np.lexsort((rest, -ties[rest].sum(axis=1), -near))[0]])
        order.insert(_best_position(v, order, pairs, weights)[0], v)
    return order


def _improved(order: list[int], pairs: IntArray, weights: FloatArray) -> list[int]:
    """The order with places moved one by one until none gains."""
    for _ in range(8):
        before = list(order)
        for v in range(len(order)):
            order = _moved(v, order, pairs, weights)
        if order == before:
            break
    return order


def _cost(order: list[int], pairs: IntArray, weights: FloatArray) -> float:
    """Cost of a whole order."""
    ends = np.sort(np.argsort(order)[pairs], axis=1)
    a, b = ends[:, :1], ends[:, 1:]
    crossed = (a < a.T) & (b > a.T) & (b < b.T)
    steps = np.minimum((b - a)[:, 0], len(order) - (b - a)[:, 0])
    return float(weights @ crossed @ weights + 1e-3 * (steps @ weights) / len(order))


def _moved(v: int, order: list[int], pairs: IntArray, weights: FloatArray) -> list[int]:
    """The order with a place moved to where it costs least, or as it is where that is no better."""
    without = [u for u in order if u != v]
    best, cost = _best_position(v, without, pairs, weights)
    now = order.index(v)
    if cost[best] < cost[now] - 1e-12:
        without.insert(best, v)
        return without
    return order


def _best_position(v: int, order: list[int], pairs: IntArray, weights: FloatArray) -> tuple[int, FloatArray]:
    """Position among an order at which a place costs least, and what each costs."""
    size = len(order)
    position = np.full(int(max(pairs.max(), v)) + 1, -1)
    position[order] = np.arange(size)
    own = (pairs == v).any(axis=1)
    partner = np.where(pairs[:, 0] == v, pairs[:, 1], pairs[:, 0])
    mine = own & (position[partner] >= 0)
    other = ~own & (position[pairs] >= 0).all(axis=1)
    at = np.arange(size + 1) - 0.5
    p, w = position[partner[mine]], weights[mine]
    low, high = np.minimum(at[:, None], p), np.maximum(at[:, None], p)
    ends = position[pairs[other]]
    inside = [(ends[:, k] > low[..., None]) & (ends[:, k] < high[..., None]) for k in (0, 1)]
    apart = (ends[:, None, :] != p[None, :, None]).all(axis=2).T
    crossed = ((inside[0] ^ inside[1]) & apart[None]) @ weights[other]
    steps = np.minimum(high - low, size + 1 - (high - low))
    cost = crossed @ w + 1e-3 * (steps @ w) / (size + 1)
    return int(np.argmin(cost)), np.asarray(cost)


# places --------------------------------------------------------------------------------------------------------------


def place_ring(arcs: FloatArray, origin: IntArray, destination: IntArray, flow: FloatArray) -> Ring:
    """Give each ribbon its part of the arcs that it leaves and reaches, in proportion to its flow.

    Parameters
    ----------
    arcs : ndarray, shape (n, 2)
        Arcs of the places, clockwise, in proportion to what leaves and reaches them.
    origin, destination : ndarray of int, shape (m,)
        Positions on the ring.
    flow : ndarray, shape (m,)
        Flows.

    Returns
    -------
    Ring

    Examples
    --------
    >>> arcs = np.array([[0.0, 3.0], [3.2, 6.2]])
    >>> place_ring(arcs, np.array([0, 1]), np.array([1, 0]), np.array([2.0, 1.0])).leave.round(6).tolist()
    [[0.0, 2.0], [3.2, 4.2]]
    """
    n, m = len(arcs), len(flow)
    scale = float(np.diff(arcs, axis=1).sum() / (2 * flow.sum()))
    ends = np.zeros((2, m, 2))
    for place in range(n):
        at = [(0, int(k)) for k in np.flatnonzero(origin == place)]
        at += [(1, int(k)) for k in np.flatnonzero(destination == place)]
        partner = [int(destination[k] if side == 0 else origin[k]) for side, k in at]
        # from the farthest clockwise to the nearest; of the two ways between a pair the one that leaves comes first on
        # both arcs, so that they do not cross
        key = [(-((q - place) % n), side) for (side, _), q in zip(at, partner, strict=True)]
        here = float(arcs[place, 0])
        for _, (side, k) in sorted(zip(key, at, strict=True)):
            ends[side, k] = here, here + scale * flow[k]
            here += scale * float(flow[k])
    return Ring(arcs, ends[0], ends[1])


def _arcs(total: FloatArray, needed: FloatArray) -> FloatArray:
    """Arcs in proportion to totals, with the gaps that names need between the middles of neighbours, shape (n, 2).

    Few places do not fill the circle, lest a single ribbon does: arcs have a length of 0.9 at most, on average.
    """
    after = np.roll(total, -1)

    def gaps(scale: float) -> FloatArray:
        return np.asarray(np.maximum(_GAP, needed - scale * (total + after) / 2))

    low, high = 0.0, min(2 * np.pi, _LONGEST * len(total)) / float(total.sum())
    for _ in range(60):
        middle = (low + high) / 2
        fits = middle * float(total.sum()) + float(gaps(middle).sum()) <= 2 * np.pi
        low, high = (middle, high) if fits else (low, middle)
    sizes, space = low * total, gaps(low)
    space = space + max(2 * np.pi - float(sizes.sum() + space.sum()), 0.0) / len(total)
    begin = np.concatenate([[0.0], np.cumsum(sizes + space)[:-1]])
    return np.asarray(np.column_stack([begin, begin + sizes]) - sizes[0] / 2)


# names ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Arcs (n, 2), middles (n, 2) of names in radii, their turn in degrees, which are shown, and their size."""

    arcs: FloatArray
    middles: FloatArray
    turn: FloatArray
    shown: BoolArray
    size: float


def wrapped(name: str) -> str:
    r"""Break a name into lines of so many letters, and shorten what does not fit.

    >>> wrapped("Bosnia and Herzegovina")
    'Bosnia and\nHerzegovina'
    >>> wrapped("a name that has so many words that nobody reads it")
    'a name that has\nso many words…'
    """
    text = " ".join(name.split())
    parts = textwrap.wrap(text, _LETTERS, max_lines=_LINES, placeholder="…", break_long_words=True)
    return "\n".join(parts) or " "


def _laid_out(ax: Axes, words: Sequence[str], total: FloatArray, caption: str) -> _Placed:
    """Find the radius at which names fit, and set the limits of the axes by it."""
    _frame(ax, caption)
    room = _room(ax)
    placed, radius = _flat_names(ax, words, total, room) or _turned_names(ax, words, total, room)
    unnamed = int((~placed.shown).sum())
    if unnamed:
        said = f"{unnamed} of {len(words)} places have no room for their name."
        ax.set_xlabel(filled(ax, f"{caption} {said}"))
        room = _room(ax)
        placed, radius = _turned_names(ax, words, total, room)
    half = room / 2 / radius
    ax.set_xlim(-half[0], half[0])
    ax.set_ylim(-half[1], half[1])
    ax.set_aspect("equal", adjustable="box")
    return placed


def _frame(ax: Axes, caption: str) -> None:
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_aspect("auto")
    ax.set_xlabel(filled(ax, caption))
    ax.xaxis.label.set(fontsize=SMALL, color=INK)


def _room(ax: Axes) -> FloatArray:
    """Width and height of the axes in pixels."""
    figure_of(ax).draw_without_rendering()
    box = ax.get_window_extent()
    return np.array([float(box.width), float(box.height)])


def _sizes(ax: Axes, words: Sequence[str], size: float) -> FloatArray:
    """Width and height of texts in pixels, shape (n, 2)."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    with rc_context(_STYLE):
        texts = [ax.text(0.0, 0.0, _lines(word), fontsize=size, linespacing=1.0) for word in words]
        boxes = [Text.get_window_extent(text) for text in texts]
    for text in texts:
        text.remove()
    return np.array([[float(box.width), float(box.height)] for box in boxes])


def _lines(word: str) -> str:
    return "\n".join(_literal(line) for line in word.split("\n"))


def _flat_names(ax: Axes, words: Sequence[str], total: FloatArray, room: FloatArray) -> tuple[_Placed, float] | None:
    """Horizontal names, at the turn of the ring that leaves most room; None where they overlap at every turn."""
    pad = _PAD * figure_of(ax).dpi / 72
    still = np.zeros(len(words))
    arcs = _arcs(total, still)
    for size in _SIZES[:2]:
        sizes = _sizes(ax, words, size)
        found: list[tuple[float, FloatArray, FloatArray]] = []
        for turn in np.linspace(0.0, 2 * np.pi, 36, endpoint=False):
            turned = arcs + turn
            radius = _flat_radius(turned.mean(axis=1), sizes, room, pad)
            middles = _flat_middles(turned.mean(axis=1), sizes, radius + pad)
            if radius > 0.25 * room.min() and not _touching(middles, sizes + pad / 2):
                found.append((round(radius, 3), turned, middles / radius))
        if found:
            radius, turned, middles = max(found, key=lambda one: one[0])
            return _Placed(turned, middles, still, still == 0, size), radius
    return None


def _flat_middles(angle: FloatArray, sizes: FloatArray, radius: float) -> FloatArray:
    """Middles of boxes that touch the circle of a radius from outside, shape (n, 2)."""
    toward = np.column_stack([np.sin(angle), np.cos(angle)])
    lean = np.clip(toward * np.array([2.5, 1.5]), -1.0, 1.0)
    reach = np.full(len(angle), radius)
    middles = reach[:, None] * toward + lean * sizes / 2
    for _ in range(4):
        nearest = np.hypot(*np.maximum(np.abs(middles) - sizes / 2, 0.0).T)
        reach = reach + np.maximum(radius - nearest, 0.0)
        middles = reach[:, None] * toward + lean * sizes / 2
    return np.asarray(middles)


def _flat_radius(angle: FloatArray, sizes: FloatArray, room: FloatArray, pad: float) -> float:
    """Largest radius at which horizontal names stay within the room."""
    low, high = 0.0, float(room.min()) / 2
    for _ in range(20):
        middle = (low + high) / 2
        ends = np.abs(_flat_middles(angle, sizes, middle + pad)) + sizes / 2
        low, high = (middle, high) if (ends <= room / 2 - 1).all() else (low, middle)
    return low


def _touching(middles: FloatArray, sizes: FloatArray) -> bool:
    """Whether any two boxes overlap."""
    apart = np.abs(middles[:, None] - middles[None])
    shared = (apart < (sizes[:, None] + sizes[None]) / 2).all(axis=2)
    return bool(shared.sum() > len(middles))


def _turned_names(ax: Axes, words: Sequence[str], total: FloatArray, room: FloatArray) -> tuple[_Placed, float]:
    """Names that point away from the centre; where there is no room for all, those of the largest places."""
    pad = _PAD * figure_of(ax).dpi / 72
    shown = np.ones(len(words), dtype=bool)
    smallest_last = np.argsort(-total, kind="stable")
    for size in (*_SIZES, *[_SIZES[-1]] * len(words)):
        sizes = _sizes(ax, words, size)
        found = _turned_arcs(np.where(shown[:, None], sizes, 0.0), total, room, pad)
        if found is not None:
            break
        if size == _SIZES[-1]:
            shown[smallest_last[int(shown.sum()) - 1]] = False
    else:
        raise DataError("the axes are too small for a circle with names: draw on larger ones.")
    arcs, radius = found
    angle = arcs.mean(axis=1)
    middles = (1 + pad / radius + sizes[:, :1] / 2 / radius) * np.column_stack([np.sin(angle), np.cos(angle)])
    upright = 90 - np.degrees(angle)
    turn = np.where(np.sin(angle) >= 0, upright, upright + 180)
    return _Placed(arcs, middles, turn, shown, size), radius


def _turned_arcs(sizes: FloatArray, total: FloatArray, room: FloatArray, pad: float) -> tuple[FloatArray, float] | None:
    """Arcs and radius for names that point away; None where names need more than the circle has."""
    radius = float(room.min()) / 2 - pad - float(sizes[:, 0].max())
    if radius < 0.2 * room.min():
        return None
    for _ in range(6):
        space = 1.08 * (sizes[:, 1] + np.roll(sizes[:, 1], -1)) / 2 / (radius + pad)
        if len(total) > 1 and np.maximum(space, _GAP).sum() > _ROOM * 2 * np.pi:
            return None
        arcs = _arcs(total, space)
        angle = arcs.mean(axis=1)
        across = np.abs(np.column_stack([np.sin(angle), np.cos(angle)]))
        free = (room / 2 - 1 - across[:, ::-1] * sizes[:, 1:] / 2) / np.maximum(across, 1e-9)
        radius = 0.995 * float((free.min(axis=1) - pad - sizes[:, 0]).min())
    return (arcs, radius) if radius >= 0.2 * room.min() else None


def _write(ax: Axes, words: Sequence[str], placed: _Placed) -> None:
    from matplotlib import rc_context

    with rc_context(_STYLE):
        for word, (x, y), turn, shown in zip(words, placed.middles, placed.turn, placed.shown, strict=True):
            if shown:
                ax.text(
                    x, y, _lines(word), rotation=float(turn), ha="center", va="center", fontsize=placed.size, color=INK,
                    rotation_mode="anchor", linespacing=1.0, gid=NAME_GID, multialignment="center",
                ).set_in_layout(False)  # fmt: skip


# shapes --------------------------------------------------------------------------------------------------------------


def _draw(ax: Axes, names: Sequence[str], ring: Ring, origin: IntArray, destination: IntArray, grey: BoolArray) -> None:
    """Arcs, and ribbons from the widest to the narrowest, faint ones below."""
    from matplotlib.patches import PathPatch

    width = np.diff(ring.leave, axis=1)[:, 0]
    ties = np.zeros((len(names), len(names)))
    np.add.at(ties, (origin, destination), width)
    hues = _hues(ties + ties.T)
    lit = np.ones(len(names), dtype=bool)
    if grey.any():
        lit = np.isin(np.arange(len(names)), np.concatenate([origin[~grey], destination[~grey]]))
    for i, (begin, end) in enumerate(ring.arcs):
        ax.add_patch(
            PathPatch(_arc(begin, end), facecolor=hues[i] if lit[i] else FAINT, linewidth=0, zorder=3,
                      gid=f"{ARC_GID}:{names[i]}")
        )  # fmt: skip
    edges = np.minimum(_EDGE, _EDGE_SHARE * _INNER * width * _points(ax))
    for rank, k in enumerate(np.lexsort((np.arange(len(width)), -width, ~grey))):
        ax.add_patch(
            PathPatch(
                _ribbon(ring.leave[k], ring.arrive[k]), facecolor=GREY if grey[k] else hues[int(origin[k])],
                alpha=0.9 if grey[k] else 0.78, edgecolor="white", linewidth=float(edges[k]),
                zorder=1 + rank / (len(width) + 1),
                gid=f"{RIBBON_GID}:{names[int(origin[k])]}>{names[int(destination[k])]}",
            )
        )  # fmt: skip


def _points(ax: Axes) -> float:
    """Points in a radius."""
    return float(ax.get_window_extent().height / np.diff(ax.get_ylim())[0] * 72 / figure_of(ax).dpi)


def _hues(ties: FloatArray) -> list[str]:
    """Colours of places by what flows between each two, the largest first: other than those of partners and neighbours.

    >>> len(set(_hues(np.ones((4, 4)))))
    4
    """
    n = len(ties)
    total, ring = ties.sum(axis=1), np.arange(n)
    near = (np.abs(ring[:, None] - ring) % max(n - 1, 1) <= 1) & (ring[:, None] != ring)
    conflict = ties + near * float(total.max())
    hue = np.full(n, -1)
    for place in np.argsort(-total, kind="stable"):
        cost = np.array([conflict[place, hue == h].sum() for h in range(len(HUES))])
        used = np.bincount(hue[hue >= 0], minlength=len(HUES))
        hue[place] = np.lexsort((used, np.round(cost, 9)))[0]
    return [HUES[int(h)] for h in hue]


def _on_circle(angle: AnyArray, radius: float | FloatArray) -> FloatArray:
    a = np.asarray(angle, dtype=float)
    return np.asarray(np.column_stack([np.sin(a) * radius, np.cos(a) * radius]))


def _steps(begin: float, end: float) -> FloatArray:
    """Angles fine enough that an arc looks round."""
    return np.linspace(begin, end, max(int(np.ceil(abs(end - begin) / 0.02)), 1) + 1)


def _arc(begin: float, end: float) -> Path:
    from matplotlib.path import Path

    there = _steps(begin, end)
    outline = np.vstack([_on_circle(there, 1.0), _on_circle(there[::-1], _INNER + 0.01)])
    return Path(np.vstack([outline, outline[:1]]), closed=True)


def _ribbon(leave: FloatArray, arrive: FloatArray) -> Path:
    """Outline: along the arc left, over to the arc reached, its point, and back."""
    from matplotlib.path import Path

    start = _on_circle(_steps(leave[0], leave[1]), _INNER)
    there = _steps(arrive[0], arrive[1])
    there = np.linspace(arrive[0], arrive[1], 2 * len(there) + 1)
    rise = 1 - np.abs(np.linspace(-1.0, 1.0, len(there)))
    point = float(np.clip(0.4 * (arrive[1] - arrive[0]), _LEAST_POINT, _MOST_POINT))
    head = _on_circle(there, _TIP - point * (1 - rise))
    over, back = _pull(leave[1], arrive[0]), _pull(arrive[1], leave[0])
    curves = [
        np.vstack([over * start[-1], over * head[0], head[0]]),
        np.vstack([back * head[-1], back * start[0], start[0]]),
    ]
    points = np.vstack([start, curves[0], head[1:], curves[1]])
    codes = [Path.MOVETO, *[Path.LINETO] * (len(start) - 1), *[Path.CURVE4] * 3, *[Path.LINETO] * (len(head) - 1),
             *[Path.CURVE4] * 3]  # fmt: skip
    return Path(points, codes)


def _pull(begin: float, end: float) -> float:
    """How near to the ring an edge stays: through the centre between opposite places, shallow between neighbours."""
    far = abs((begin - end + np.pi) % (2 * np.pi) - np.pi) / np.pi
    return 0.8 * math.pow(1 - far, 1.5)
