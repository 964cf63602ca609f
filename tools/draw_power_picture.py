"""Draw the picture of docs/power.md: the slope that is found four times in five, by workers and countries.

Run `python tools/draw_power_picture.py`. The same file on every run.
"""

from __future__ import annotations

from pathlib import Path

import wagegap as wg

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "power.svg"


def main() -> None:
    """Draw it from the figures that the page assumes."""
    answer = wg.power(
        countries=[12, 20, 38],
        workers=[400, 600, 1_000, 1_500, 2_500, 5_000, 10_000],
        skilled=0.1,
        pay_sd=0.5,
        premium_sd=0.1,
        rate_sd=0.02,
        rate=0.05,
    )
    answer.plot().figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
