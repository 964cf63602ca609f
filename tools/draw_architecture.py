"""Draw the architecture from the imports: docs/architecture.svg, and the list of imports in docs/architecture.md.

Run `python tools/draw_architecture.py` after an import between rooms comes or goes; `tests/house/test_architecture.py`
compares the list with the imports. A room is a folder of the package, or its files that stand in no folder below.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE, PICTURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "architecture.svg"
START, END = "<!-- imports: written by tools/draw_architecture.py -->", "<!-- end of imports -->"

GROUND = ("wagegap", "_version", "_arguments", "_typing", "_progress", "errors")
"""The package itself and the files that every room may import: left out of list and picture."""
LAYERS = ("__main__", "report", "decomposition", "regression", "datasets", "panel", "estimation", "_display")


def room(module: str) -> str:
    """Room of a module: the folder it is in, two levels down at most.

    >>> room("wagegap.regression.link.estimators.ols"), room("wagegap.panel.rows"), room("wagegap.errors")
    ('regression.link', 'panel', 'errors')
    """
    parts = module.split(".")[1:]
    folders = [part for i, part in enumerate(parts) if (ROOT / "wagegap").joinpath(*parts[: i + 1]).is_dir()]
    return ".".join(folders[:2]) or (parts[0] if parts else "wagegap")


def imports() -> dict[str, list[str]]:
    """Rooms that each room imports, in the order of the layers; the ground left out."""
    import grimp

    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    graph = grimp.build_graph("wagegap", cache_dir=None)
    found: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules:
        importer = room(module)
        if importer not in GROUND:
            others = {room(other) for other in graph.find_modules_directly_imported_by(module)}
            found[importer] |= others - {importer, *GROUND}
    return {importer: sorted(found[importer], key=place) for importer in sorted(found, key=place)}


def place(name: str) -> tuple[int, str]:
    """Where a room stands in the list: by layer, then by name."""
    return LAYERS.index(name.split(".")[0]), name


def listed(found: Mapping[str, list[str]]) -> str:
    """The list of imports as it stands in the page."""
    rows = [
        f"| `{importer}` | {', '.join(f'`{name}`' for name in names) or '-'} |" for importer, names in found.items()
    ]
    return "\n".join(("| room | imports from |", "| --- | --- |", *rows))


def written(page: str) -> str:
    """The list of imports that a page holds."""
    return page.split(START)[1].split(END)[0].strip()


def with_list(page: str, found: Mapping[str, list[str]]) -> str:
    """A page with the list of imports as it is now."""
    return re.sub(rf"{START}.*{END}", lambda _: f"{START}\n{listed(found)}\n{END}", page, flags=re.DOTALL)


# the picture ---------------------------------------------------------------------------------------------------------

BOXES = {
    "__main__": (4.5, 9.6, 3.0, 0.45, "__main__", ""),
    "report": (3.2, 8.4, 5.6, 0.75, "report", "table, figures, study, page"),
    "decomposition": (0.6, 6.75, 4.1, 1.15, "decomposition", "gaps, and what they are made of"),
    "regression": (6.6, 6.35, 4.6, 1.55, "regression", "premiums, rates, and the link between them"),
    "datasets": (4.95, 5.3, 1.35, 0.55, "datasets", ""),
    "panel": (3.2, 4.1, 4.6, 0.75, "panel", "rows.prepare: the one door for data"),
    "estimation": (1.5, 2.4, 9.0, 1.2, "estimation", "cellwise.estimate: the one loop; Estimates: the waist"),
    "_display": (0.6, 1.15, 10.8, 0.75, "_display", "text, html, latex, axes: knows no model"),
}
"""Left, bottom, width and height of each layer, with its name and what it is for."""

ROUTES = {
    ("__main__", "report"): ((6.0, 9.6), (6.0, 9.15)),
    ("report", "decomposition"): ((3.9, 8.4), (3.9, 7.9)),
    ("report", "regression"): ((8.1, 8.4), (8.1, 7.9)),
    ("report", "datasets"): ((5.6, 8.4), (5.6, 5.85)),
    ("report", "panel"): ((6.43, 8.4), (6.43, 4.85)),
    ("report", "estimation"): ((4.83, 8.4), (4.83, 5.7), (2.75, 5.7), (2.75, 3.6)),
    ("report", "_display"): ((8.8, 8.77), (11.3, 8.77), (11.3, 1.9)),
    ("decomposition", "datasets"): ((4.5, 6.75), (4.5, 5.5), (4.95, 5.5)),
    ("decomposition", "panel"): ((3.9, 6.75), (3.9, 4.85)),
    ("decomposition", "estimation"): ((2.1, 6.75), (2.1, 3.6)),
    ("decomposition", "_display"): ((1.05, 6.75), (1.05, 1.9)),
    ("regression", "datasets"): ((7.0, 6.35), (7.0, 5.6), (6.3, 5.6)),
    ("regression", "panel"): ((7.4, 6.35), (7.4, 4.85)),
    ("regression", "estimation"): ((9.2, 6.35), (9.2, 3.6)),
    ("regression", "_display"): ((10.8, 6.35), (10.8, 1.9)),
    ("datasets", "panel"): ((5.6, 5.3), (5.6, 4.85)),
    ("datasets", "estimation"): ((4.95, 5.42), (2.95, 5.42), (2.95, 3.6)),
    ("datasets", "_display"): ((6.3, 5.42), (10.65, 5.42), (10.65, 1.9)),
    ("panel", "estimation"): ((5.5, 4.1), (5.5, 3.6)),
    ("panel", "_display"): ((7.8, 4.5), (10.65, 4.5), (10.65, 1.9)),
    ("estimation", "_display"): ((6.0, 2.4), (6.0, 1.9)),
}
"""Corners of each arrow; an import without one is refused, so that the picture leaves none out."""

INK, PALE, WAIST, EDGE = "#1f2d3a", "#eef3f7", "#f9e8c8", "#7f93a5"


def arrows(found: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Layers that import each other, of rooms that do."""
    layers = {
        (importer.split(".")[0], name.split(".")[0])
        for importer, names in found.items()
        for name in names
        if importer.split(".")[0] != name.split(".")[0]
    }
    return sorted(layers, key=lambda pair: (LAYERS.index(pair[0]), LAYERS.index(pair[1])))


def draw(found: Mapping[str, list[str]], path: Path) -> None:
    """Draw layers with their rooms, and an arrow for each import between layers; the same file on every run."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    with mpl.rc_context({"svg.hashsalt": "wagegap", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        fig, ax = plt.subplots(figsize=(10, 8.6))
        ax.set(xlim=(0.3, 11.7), ylim=(0.3, 10.2))
        ax.axis("off")
        for pair in arrows(found):
            draw_arrow(ax, ROUTES[pair])
        for layer, box in BOXES.items():
            rooms = [name.partition(".")[2] for name in found if name.startswith(f"{layer}.")]
            draw_layer(ax, box, rooms, WAIST if layer == "estimation" else PALE)
        ground = f"{', '.join(GROUND[1:-1])} and {GROUND[-1]} stand below all of these; every room may import them."
        ax.text(6.0, 0.75, ground, ha="center", va="center", fontsize=8.5, color=INK)
        fig.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, bbox_inches="tight")
        plt.close(fig)


def draw_arrow(ax: Any, corners: tuple[tuple[float, float], ...]) -> None:
    """A line through the corners, pointed at its end."""
    xs, ys = zip(*corners, strict=True)
    ax.plot(xs, ys, color=EDGE, linewidth=1.1, solid_capstyle="butt", zorder=1)
    style = dict(arrowstyle="-|>", color=EDGE, linewidth=1.1, shrinkA=0, shrinkB=0)
    ax.annotate("", xy=corners[-1], xytext=corners[-2], zorder=1, arrowprops=style)


def draw_layer(ax: Any, box: tuple[float, float, float, float, str, str], rooms: list[str], fill: str) -> None:
    """A layer with its name, what it is for, and its rooms in rows of four at most."""
    left, bottom, width, height, name, purpose = box
    draw_box(ax, (left, bottom, width, height), fc=fill, ec=INK, lw=1.2, zorder=2)
    words = dict(ha="center", va="center", color=INK, zorder=4)
    middle, top = left + width / 2, bottom + height
    ax.text(middle, top - 0.22, name, fontsize=11, fontweight="bold", **words)
    ax.text(middle, top - 0.52, purpose, fontsize=8.5, **words)
    for r, row in enumerate(rooms[i : i + 4] for i in range(0, len(rooms), 4)):
        step, y = (width - 0.2) / len(row), top - 1.06 - 0.4 * r
        for i, room_name in enumerate(row):
            x = left + 0.1 + i * step
            draw_box(ax, (x + 0.04, y, step - 0.08, 0.32), fc="white", ec=EDGE, lw=0.8, zorder=3)
            ax.text(x + step / 2, y + 0.155, room_name, fontsize=8, **words)


def draw_box(ax: Any, bounds: tuple[float, float, float, float], **style: Any) -> None:
    """A box with rounded corners."""
    from matplotlib.patches import FancyBboxPatch

    left, bottom, width, height = bounds
    rounded = "round,pad=0,rounding_size=0.08"
    ax.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle=rounded, **style))


def main() -> None:
    """Write the list and draw the picture."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    found = imports()
    PAGE.write_text(with_list(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    draw(found, PICTURE)


if __name__ == "__main__":
    main()
