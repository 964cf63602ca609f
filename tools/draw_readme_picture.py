"""Draw the picture of README.md and of the first page of the documentation, from what the package ships.

Usage: python tools/draw_readme_picture.py

Premiums of AI work among developers against net migration of members with AI skills: the first link of the shipped
study, as `plot()` draws it. Run it when that link or the figure of a link changes.
"""

from __future__ import annotations

import warnings
from pathlib import Path

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "developers.svg"


def main():
    link, figure = draw()
    save(figure, PICTURE)
    print(f"{PICTURE.name}: {link.slope_in_words()}")


def draw():
    """Return the link, and its figure."""
    import wagegap as wg

    premiums = wg.datasets.country_premiums("stack_overflow")
    rates = wg.datasets.talent_migration("ai")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wg.errors.ReliabilityWarning)
        link = wg.fit_link("net_migration ~ premium", rates, premiums)
    return link, link.plot(watch=("KOR", "USA")).figure


def save(figure, path):
    """Write the picture, the same at each run."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "wagegap", "svg.fonttype": "path"}):
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None}, facecolor="white")


if __name__ == "__main__":
    main()
